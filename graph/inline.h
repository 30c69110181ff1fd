/* graph/inline.h: which functions a compiler shall take into others, or not. Private to the library. */
#ifndef GT_INLINE_H
#define GT_INLINE_H

#if defined(__GNUC__)
/* Code for vectors would not get its caller's instruction set else; what runs millions of times a second shall have its
 * registers to itself. */
#define ALWAYS_INLINE __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#else
#define ALWAYS_INLINE
#define NEVER_INLINE
#endif

#endif
