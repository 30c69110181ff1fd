/*
 * onednn.h: what gradtape uses of oneDNN. Private to ops/. onednn.c alone includes oneDNN's own
 * headers, so a new version of its interface is a matter of one file.
 */
#ifndef GT_OPS_ONEDNN_H
#define GT_OPS_ONEDNN_H

#include "gemm.h"

/* The product of float matrices, each of A and B given by its leading dimension and whether it is
   stored transposed (then its row stride is 1, else its column stride). False if oneDNN refused. */
bool gt__onednn_sgemm(const gt__gemm_job *job, bool a_transposed, int64_t a_leading,
                      bool b_transposed, int64_t b_leading);

/* gt__gemm_has_bf16 and gt__gemm_bf16. */
bool gt__onednn_has_bf16(const gt__gemm_job *job);
bool gt__onednn_bf16(const gt__gemm_job *job);

#endif
