/* graph/wide.h: marks of loops over tiles: compiled once for every instruction set; free of dependences. */
#ifndef GT_GRAPH_WIDE_H
#define GT_GRAPH_WIDE_H

/* Sanitizers and ifuncs do not go together. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
#define GT__WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GT__WIDE_VECTORS
#endif

/* A result may be written where an operand lay: no element depends on another. */
#ifdef __clang__
#define GT__APART _Pragma("clang loop vectorize(assume_safety) interleave(disable)")
#elif defined(__GNUC__)
#define GT__APART _Pragma("GCC ivdep") _Pragma("GCC unroll 4")
#else
#define GT__APART
#endif

#endif
