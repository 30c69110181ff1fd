/* ops/kernels_avx2.c: kernels for x86 processors since 2013. */
#include "ops/kernels.h"

#ifdef GT__X86_KERNELS
#define GT__TABLE gt__kernels_avx2
#define GT__TARGET __attribute__((target("avx2")))
#include "ops/float_kernels.h"
#endif
