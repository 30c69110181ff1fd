/* ops/rows.h: what the files of ops/ share. */
#ifndef GT_OPS_ROWS_H
#define GT_OPS_ROWS_H

#include <string.h>

#include "ops/ops.h"

extern const gt_op gt__op_accumulate, gt__op_permute;

/* The i-th row of ops.def as an operation; NULL past the last. */
const gt_op *gt__row(int i);

/* The broadcast shape of all inputs, or an error that names two that do not fit. */
bool gt__broadcast_all(const gt_call *call, gt_shape *shape);
/* Resolves axes against a rank: sorted, each once, into a bit mask. False and an error on the call. */
bool gt__axis_mask(const gt_call *call, gt_axes axes, int rank, unsigned *mask);
/* One axis, negative ones from the end; -1 and an error on the call when there is no such axis. */
int gt__axis(const gt_call *call, int axis, int rank);
/* Writes element i of an array: v converted to dtype, see gt_cast. */
void gt__put(void *to, gt_dtype dtype, int64_t i, double v);
/* Strides of a contiguous array of this shape. */
void gt__strides(gt_shape shape, int64_t stride[GT_MAX_RANK]);
/* "name[2,3]", for functions that complain before they record. Written into buffer, which is returned. */
const char *gt__named(gt_tensor t, char *buffer, size_t size);

/* The number that a bf16 holds: the upper half of a float. */
static inline float gt__bf16_value(uint16_t half) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
