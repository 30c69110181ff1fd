/* ops/effect.c: assignment to a leaf, and the sum in which contributions to a gradient meet. */
#include <string.h>

#include "graph/wide.h"
#include "ops/kernels.h"
#include "ops/ops.h"
#include "ops/rows.h"

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

/* One loop for each number of summands. The sum begins with +0, so that -0 alone gives +0. */
#define ADD(name, T, sum)                                                                          \
    GT__WIDE_VECTORS static void name(T *y, const T *x0, const T *x1, const T *x2, const T *x3,    \
                                      int64_t n) {                                                 \
        (void)x1;                                                                                  \
        (void)x2;                                                                                  \
        (void)x3;                                                                                  \
        GT__APART for (int64_t i = 0; i < n; i++) y[i] = sum;                                      \
    }
#define ADD_TILE(name, T)                                                                          \
    ADD(name##_1, T, 0 + x0[i])                                                                    \
    ADD(name##_2, T, 0 + x0[i] + x1[i])                                                            \
    ADD(name##_3, T, 0 + x0[i] + x1[i] + x2[i])                                                    \
    ADD(name##_4, T, 0 + x0[i] + x1[i] + x2[i] + x3[i])                                            \
    static void name(void *y, const void *const *x, const gt_arg *arg, int64_t n) {                \
        (void)arg;                                                                                 \
        if (!x[1])                                                                                 \
            name##_1(y, x[0], NULL, NULL, NULL, n);                                                \
        else if (!x[2])                                                                            \
            name##_2(y, x[0], x[1], NULL, NULL, n);                                                \
        else if (!x[3])                                                                            \
            name##_3(y, x[0], x[1], x[2], NULL, n);                                                \
        else                                                                                       \
            name##_4(y, x[0], x[1], x[2], x[3], n);                                                \
    }
ADD_TILE(add_f32, float)
ADD_TILE(add_f64, double)

static gt_tile accumulate_tile(gt_dtype in, gt_dtype out) {
    (void)out;
    return in == GT_F32 ? add_f32 : add_f64;
}

static bool accumulate_add(gt_call *call) {
    const gt_array *in = &call->in[0], *out = &call->out[0];
    const void *x[] = {out->data, in->data, NULL};
    accumulate_tile(in->dtype, out->dtype)(out->data, x, NULL, gt_numel(out->shape));
    return true;
}

static bool accumulate_pull(gt_pull *pull) {
    for (int k = 0; k < pull->n_in; k++) pull->gx[k] = pull->up[0];
    return true;
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
          .traits = GT_SUMS | GT_STRIDED | GT_PLAIN, .linear = ~0u, .tile = accumulate_tile,
          .accumulate = accumulate_add, .scalar = GT__SCALAR_RULE(GT_CODE_SUM, ~0u, ~0u),
          .meaning = "the sum of its inputs, in order");

gt_tensor gt_accumulate(gt_list list) { return gt_record_list(&gt__op_accumulate, list); }
