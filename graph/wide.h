/* graph/wide.h: marks of loops over tiles: compiled once for every instruction set; free of dependences. And a word to
 * the processor about what is read next. */
#ifndef GT_GRAPH_WIDE_H
#define GT_GRAPH_WIDE_H

/* Sanitizers and ifuncs do not go together. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
#define GT__WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GT__WIDE_VECTORS
#endif

/* A result may be written where an operand lay: no element depends on another. Loops that call functions gain less
 * from being unrolled, and are longer. */
#ifdef __clang__
#define GT__APART _Pragma("clang loop vectorize(assume_safety) interleave(disable)")
#define GT__APART_CALLING GT__APART
#elif defined(__GNUC__)
#define GT__APART _Pragma("GCC ivdep") _Pragma("GCC unroll 4")
#define GT__APART_CALLING _Pragma("GCC ivdep") _Pragma("GCC unroll 2")
#else
#define GT__APART
#define GT__APART_CALLING
#endif

#if defined(__GNUC__)
#define GT__PREFETCH(address) __builtin_prefetch(address)
#else
#define GT__PREFETCH(address) ((void)(address))
#endif

#endif
