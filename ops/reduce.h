/* ops/reduce.h: what the reductions share: their attribute, shape rules, and resolved axes. */
#ifndef GT_OPS_REDUCE_H
#define GT_OPS_REDUCE_H

#include "ops/fold.h"
#include "ops/rows.h"

/* The attribute of a reduction: axes as the caller gave them. */
typedef struct gt__over {
    gt_axes axes;
    bool keepdims;
} gt__over;

/* Axes resolved against an input. */
typedef struct gt__reduced {
    unsigned mask;   /* bit d: axis d is reduced */
    int64_t count;   /* how many elements meet in one result */
    gt_shape kept;   /* the input's shape, 1 where reduced */
    gt_shape result; /* the same without those axes, unless keepdims */
} gt__reduced;

/* Shape rule and kernel of a reduction that is one fold. */
bool gt__fold_shape(gt_call *call, gt__folding folding);
bool gt__fold_kernel(gt_call *call, gt__folding folding);
/* The same for a planner. */
bool gt__fold_parts(const gt_call *call, gt__folding folding, gt_fold *fold);
bool gt__fold_emit(gt_emitter *e, const gt_call *call, gt__folding folding);

gt_tensor gt__record_reduction(const gt_op *op, gt_tensor x, gt_axes axes, bool keepdims);
/* For pull rules: the axes were checked when recorded. */
gt__reduced gt__reduced_of(const gt_pull *pull);
/* For compositions: checks that x is f32 or f64 and has these axes; else fails in the name of
 * `name`, and the caller returns a poison tensor: the first message stays. */
bool gt__reduces_float(const char *name, gt_tensor x, gt_axes axes, bool keepdims, gt__reduced *r);

#endif
