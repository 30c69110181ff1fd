/* ops/wide.h: the mark of functions whose loops are compiled once for every instruction set. */
#ifndef GT_OPS_WIDE_H
#define GT_OPS_WIDE_H

/* Sanitizers and ifuncs do not go together. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) &&       \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
#define GT__WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GT__WIDE_VECTORS
#endif

#endif
