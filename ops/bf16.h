/* ops/bf16.h: floats and their upper halves. Private to ops/. */
#ifndef GT_OPS_BF16_H
#define GT_OPS_BF16_H

#include "graph/graph.h"

/* The nearest bf16, of two the even one; infinities stay, and so does NaN. */
uint16_t gt__bf16_of(float value);
void gt__to_bf16(uint16_t *restrict to, const float *restrict from, int64_t n);
void gt__from_bf16(float *restrict to, const uint16_t *restrict from, int64_t n);

/* The f32 upstream of a product, in bf16 where its operands are: then so are the products of its gradient. */
gt_tensor gt__as_operand(gt_tensor up, gt_tensor operand);
/* Puts an f32 array of the same elements, in scratch memory, in the place of one of bf16, which may be a view.
 * False, and an error on the call, when memory is short. */
bool gt__bf16_as_floats(const gt_call *call, gt_array *x);

#endif
