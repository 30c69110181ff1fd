/* ops/onednn.h: what gradtape uses of oneDNN. Private to ops/. onednn.c alone includes oneDNN's own
 * headers, so a new version of its interface is a matter of one file. */
#ifndef GT_OPS_ONEDNN_H
#define GT_OPS_ONEDNN_H

#include "ops/conv.h"
#include "ops/gemm.h"

/* Into how many parts a product of float matrices is cut for oneDNN, by its sizes alone; 0: it is none for oneDNN. Small
   ones are not; with AVX-512 neither those of few rows, nor sums of several short ones; without it, neither large ones. */
int64_t gt__onednn_parts(const gt__gemm_job *job);
/* The product of one pair, each of A and B given by its leading dimension and whether it is stored transposed (then its
   row stride is 1, else its column stride). By one thread: with more oneDNN may add up in another order. False if oneDNN
   refused. */
bool gt__onednn_sgemm(const gt__gemm_job *job, bool a_transposed, int64_t a_leading,
                      bool b_transposed, int64_t b_leading);

/* gt__gemm_library_bf16, and gt__gemm_library_takes_bf16. */
bool gt__onednn_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch);
bool gt__onednn_bf16_takes(const gt__gemm_job *job, const gt__gemm_batch *batch);
/* Has the processor AMX, whose products of bf16 oneDNN knows? */
bool gt__onednn_has_tiles(void);

/* One of the three products of conv.h, in floats. There must be something to add up. Bits do not
   depend on the number of threads. */
gt__outcome gt__onednn_convolve(const gt_call *call, const gt__conv *c, gt__made makes,
                                const void *w, const void *x, const void *y);

/* The same for a batch of `pieces` pieces of equal size, each done by one thread. A thread takes a
   share of them, which for y and x is one piece; the shares' gradients of w are added up in order. */
gt__outcome gt__onednn_pieces(const gt_call *call, const gt__conv *piece, int64_t pieces,
                              int64_t shares, gt__made makes, const void *w, const void *x,
                              const void *y);

#endif
