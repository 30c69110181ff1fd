/*
 * onednn.c: the only file that speaks oneDNN's interface (versions 2 and 3 agree on what is used
 * here).
 */
#include "onednn.h"

#include <oneapi/dnnl/dnnl.h>

/* Where there is none of AVX-512, threads that share a product give ends of rows other bits. */
static bool has_steady_bits(void) {
    const int isa = (int)dnnl_get_effective_cpu_isa(), wanted = dnnl_cpu_isa_avx512_core;
    return (isa & wanted) == wanted;
}

bool gt__onednn_sgemm(const gt__gemm_job *job, bool a_transposed, int64_t a_leading,
                      bool b_transposed, int64_t b_leading) {
    return has_steady_bits() &&
           dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', job->m, job->n, job->k,
                      1.0F, job->a, a_leading, job->b, b_leading, job->accumulate ? 1.0F : 0.0F,
                      job->c, job->ldc) == dnnl_success;
}
