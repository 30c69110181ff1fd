/* ops/conv.h: the arithmetic of convolutions. Private to ops/.
 *
 * x [n, groups * in, height, width], w [groups * out, in, kernel height, kernel width] and
 * y [n, groups * out, height, width] are contiguous, or channels last; a 1-D convolution has one row. What is
 * computed is the cross-correlation that networks call convolution:
 *
 *     y[b, o, p, q] = sum over c, i, j of
 *         w[o, c, i, j] x[b, c, p stride - padding + i dilation, q stride - padding + j dilation]
 *
 * and the two other products that the same sum defines: given y and w, what x gets; given x and y,
 * what w gets. Elements outside x count as 0. Bits do not depend on the number of threads. */
#ifndef GT_OPS_CONV_H
#define GT_OPS_CONV_H

#include "graph/graph.h"

/* Sizes and steps are pairs: [0] of rows (height), [1] of columns (width). in and out are channels
 * of one group. No overflow: the shape rules have seen to it. */
typedef struct gt__conv {
    int64_t n, groups, in, out;
    int64_t x[2], k[2], y[2];
    int64_t stride[2], padding[2], dilation[2];
    gt_dtype dtype; /* f32 or f64 */
    /* Their channels are innermost; only where gt__convolve_takes_last says that this may be. */
    bool x_last, y_last;
} gt__conv;

/* Which tensor of a convolution is computed from the other two. */
typedef enum gt__made { GT__MAKES_W, GT__MAKES_X, GT__MAKES_Y } gt__made;

typedef enum gt__outcome {
    GT__REFUSED, /* another way is quicker, or the library failed */
    GT__DONE,
    GT__FAILED /* scratch memory is short: the call has failed */
} gt__outcome;

/* May x and y stand channels last, each by itself? */
bool gt__convolve_takes_last(const gt__conv *c, gt__made makes, bool exact);

/* The result is overwritten. False, and an error on the call, when scratch memory is short. */
bool gt__convolve(const gt_call *call, const gt__conv *c, const void *x, const void *w, void *y);
bool gt__convolve_input(const gt_call *call, const gt__conv *c, const void *y, const void *w,
                        void *x);
bool gt__convolve_weight(const gt_call *call, const gt__conv *c, const void *x, const void *y,
                         void *w);

/* Prepares to make x or y some images at a time; leaves rows->make NULL where that is not the quickest way. False, and an
 * error on the call, when scratch memory is short. */
bool gt__convolve_rows(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                       const void *x, const void *y, gt_rows *rows);

/* One of them as C, for gt_op_more.emit. False: of bf16 operands. */
bool gt__conv_emit(struct gt_emitter *e, const gt_call *call, const gt__conv *c, gt__made makes);

#endif
