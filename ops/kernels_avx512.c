/* ops/kernels_avx512.c: kernels for x86 processors with 64-byte vectors. */
#include "ops/kernels.h"

#ifdef GT__X86_KERNELS
#define GT__TABLE gt__kernels_avx512
#define GT__TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#include "ops/vector_math.h"
#ifdef GT__OWN_FUNCTIONS
#define GT__EXP_F32 gt__exp_f32
#define GT__LOG_F32 gt__log_f32
#define GT__ERFC_F32 gt__erfc_f32
#endif
#include "ops/float_kernels.h"
#endif
