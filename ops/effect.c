/* ops/effect.c: assignment to a leaf, and the sum in which contributions to a gradient meet. */
#include <string.h>

#include "ops/kernels.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/wide.h"

/* ---- assign --------------------------------------------------------------------------------------------- */

static bool assign_shape(gt_call *call) {
    const gt_array *leaf = &call->in[0], *value = &call->in[1];
    if (!gt_same_shape(leaf->shape, value->shape) || leaf->dtype != value->dtype)
        return gt_call_fail(call, "%s of %s takes %s of %s", gt_operand(call, 0),
                            gt_dtype_name(leaf->dtype), gt_operand(call, 1),
                            gt_dtype_name(value->dtype));
    call->out[0].shape = leaf->shape;
    call->out[0].dtype = leaf->dtype;
    return true;
}

static gt_tensor assign_samples(gt_samples *s, int i) {
    const gt_tensor leaf = gt_sample(s, GT_SHAPE(2));
    switch (i) {
    case 0: gt_sample_bad(s, "is computed"); return gt_assign(gt_neg(leaf), leaf);
    case 1: gt_sample_bad(s, "takes"); return gt_assign(leaf, gt_sample(s, GT_SHAPE(3)));
    case 2: gt_sample_bad(s, "is an effect"); return gt_neg(gt_assign(leaf, gt_neg(leaf)));
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_assign =
    GT_OP("assign", assign_shape, NULL, GT_NO_GRADIENT("an effect has no value"), assign_samples,
          .traits = GT_EFFECT, .meaning = "leaf takes value");

gt_tensor gt_assign(gt_tensor leaf, gt_tensor value) {
    char name[200];
    if (gt_valid(leaf) && !gt_is_assignable(leaf))
        return gt_fail(
            leaf.tape,
            "assign: %s is computed or borrowed: only a leaf of the tape can take a value",
            gt_label(leaf, name, sizeof name));
    return gt_record(leaf.tape, &gt__op_assign, (const gt_tensor[]){leaf, value}, 2, NULL, 0, NULL,
                     0);
}

/* ---- accumulate ------------------------------------------------------------------------------------------- */

static bool accumulate_shape(gt_call *call) {
    for (int k = 1; k < call->n_in; k++)
        if (!gt_same_shape(call->in[k].shape, call->in[0].shape) ||
            call->in[k].dtype != call->in[0].dtype)
            return gt_call_fail(call, "%s and %s differ", gt_operand(call, 0), gt_operand(call, k));
    if (call->in[0].dtype != GT_F32 && call->in[0].dtype != GT_F64)
        return gt_call_fail(call, "not defined for %s", gt_dtype_name(call->in[0].dtype));
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

GT__WIDE_VECTORS static void add_f32(float *restrict y, const float *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

GT__WIDE_VECTORS static void add_f64(double *restrict y, const double *restrict x, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static bool accumulate_add(gt_call *call) {
    const gt_array *in = &call->in[0], *out = &call->out[0];
    const int64_t n = gt_numel(out->shape);
    if (out->dtype == GT_F32)
        add_f32(out->data, in->data, n);
    else
        add_f64(out->data, in->data, n);
    return true;
}

static bool accumulate_pull(gt_pull *pull) {
    for (int k = 0; k < pull->n_in; k++) pull->gx[k] = pull->up[0];
    return true;
}

static gt_scalar_rule accumulate_scalar(gt_dtype dtype) {
    return gt__scalar_rule(dtype, GT_CODE_SUM, ~0u);
}

static gt_tensor accumulate_samples(gt_samples *s, int i) {
    const gt_shape shape = i == 0 ? GT_SCALAR : GT_SHAPE(2, 3);
    gt_tensor x[5];
    if (i < 2) {
        for (int k = 0; k < 5; k++) x[k] = gt_sample(s, shape);
        return gt_accumulate(gt_list_of(i == 0 ? 2 : 5, x));
    }
    switch (i) {
    case 2:
        gt_sample_bad(s, "differ");
        x[0] = gt_sample(s, shape);
        x[1] = gt_sample(s, GT_SHAPE(3));
        return gt_accumulate(gt_list_of(2, x));
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_accumulate =
    GT_OP("accumulate", accumulate_shape, NULL, GT_PULL(accumulate_pull), accumulate_samples,
          .traits = GT_SUMS | GT_STRIDED | GT_PLAIN, .linear = ~0u, .accumulate = accumulate_add,
          .scalar = accumulate_scalar, .meaning = "the sum of its inputs, in order");

gt_tensor gt_accumulate(gt_list list) {
    return gt_record(NULL, &gt__op_accumulate, list.at, list.count, NULL, 0, NULL, 0);
}
