/* ops/vector_kernel.h: NAME(vector), a vector register of REAL wherever elements lie. Kernels include this file, having
 * defined REAL, NAME(x) and VECTOR_BYTES; one element where the compiler has no vectors. */
#if defined(__GNUC__)
typedef REAL NAME(vector)
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#else
typedef REAL NAME(vector);
#endif
