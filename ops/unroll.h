/* ops/unroll.h: what loops over vectors of floats need of a compiler. Private to ops/. */
#ifndef GT_OPS_UNROLL_H
#define GT_OPS_UNROLL_H

#include "graph/inline.h"

/* Sums kept in an array stay in registers only if the loops over it are unrolled. gcc's sanitizers look at each
 * access: there it would take minutes, and gain nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNROLL
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif
#define EACH(i, count) UNROLL for (int64_t i = 0; i < (count); i++)

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE __builtin_shufflevector
#endif
#endif

#endif
