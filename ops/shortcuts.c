/* ops/shortcuts.c: see shortcuts.h. With y the result and g its upstream:
 *
 *     share        x gets y (g - s), where s is the sum of g y
 *     standardize  x gets r (g - m - y u), where m and u are the means of g (0 unless centred) and of g y
 *
 * Derivatives of these are those of what they are recorded with, so all orders are right. As elsewhere, an upstream of 0
 * gives 0, whatever y is. */
#include "ops/shortcuts.h"

#include "ops/kernels.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

typedef struct over {
    gt_axes axes;
    bool centred;
} over;

/* Element-wise, of the first two, which broadcast to the shape of the third. */
static bool shortcut_shape(gt_call *call) {
    const gt_array *x = &call->in[2];
    gt_shape shape;
    if (!gt__broadcast_all(call, &shape)) return false;
    if (call->in[0].dtype != x->dtype || call->in[1].dtype != x->dtype ||
        !gt_same_shape(shape, x->shape))
        return gt_call_fail(call, "%s and %s were not computed of %s", gt_operand(call, 0),
                            gt_operand(call, 1), gt_operand(call, 2));
    if (!call->op->more.tile(x->dtype, x->dtype))
        return gt_call_fail(call, "not defined for %s", gt_dtype_name(x->dtype));
    call->out[0].shape = x->shape;
    call->out[0].dtype = x->dtype;
    return true;
}

static gt_tensor record(const gt_op *op, const gt_tensor in[3], gt_axes axes, bool centred) {
    over o;
    memset(&o, 0, sizeof o); /* compared byte by byte */
    o.axes = gt__clean_axes(axes);
    o.centred = centred;
    return gt_record(in[2].tape, op, in, 3, &o, sizeof o, NULL, 0);
}

/* Computed as a row is. */
#define AS_ROW(name, row, sign)                                                                    \
    static gt_tile name##_tile(gt_dtype in, gt_dtype out) {                                        \
        return gt__row(row)->more.tile(in, out);                                                   \
    }                                                                                              \
    static gt_tile name##_exact(gt_dtype in, gt_dtype out) {                                       \
        return gt__row(row)->more.exact(in, out);                                                  \
    }                                                                                              \
    static long double name##_value(const long double *x, const gt_arg *arg) {                     \
        return gt__row(row)->more.value(x, arg);                                                   \
    }                                                                                              \
    static bool name##_emit(gt_emitter *e, const gt_call *call) {                                  \
        (void)call;                                                                                \
        gt_emit(e, "%s " sign " %s", gt_emit_in(e, 0), gt_emit_in(e, 1));                          \
        return true;                                                                               \
    }
AS_ROW(share, GT__ROW_gt_div, "/")
AS_ROW(standardize, GT__ROW_gt_mul, "*")

/* ---- share ------------------------------------------------------------------------------------------------ */

static bool share_pull(gt_pull *pull) {
    const over *o = pull->attr;
    const gt_tensor y = pull->out[0], g = pull->up[0];
    const gt_tensor all = gt_sum(gt_chain(g, y), o->axes, true);
    if (pull->wanted[2]) pull->gx[2] = gt_chain(gt_sub(g, all), y);
    return true;
}

static gt_tensor share_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_softmax(gt_sample(s, GT_SHAPE(6)), 0);
    case 1: return gt_softmax(gt_sample(s, GT_SHAPE(2, 3, 2)), 1);
    case 2: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3));
        return gt_sample_bad(s, "were not computed of"), gt__shares(gt_select(x, 0, 0), x, x, 0);
    }
    case 3: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3));
        return gt_sample_bad(s, "do not broadcast"), gt__shares(x, x, gt_sample(s, GT_SHAPE(2)), 1);
    }
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_share =
    GT_OP("share", shortcut_shape, NULL, GT_PULL(share_pull), share_samples,
          .traits = GT_ELEMENTWISE, .tile = share_tile, .exact = share_exact, .emit = share_emit,
          .value = share_value, .meaning = "a / b, where b is the sum of a, whose logarithm is c");

gt_tensor gt__shares(gt_tensor x, gt_tensor e, gt_tensor sums, int axis) {
    const gt_tensor in[] = {e, sums, x};
    return record(&gt__op_share, in, GT_AXES(axis), false);
}

/* ---- standardize ------------------------------------------------------------------------------------------- */

static bool standardize_pull(gt_pull *pull) {
    const over *o = pull->attr;
    const gt_tensor y = pull->out[0], r = pull->in[1], g = pull->up[0];
    const gt_tensor along = gt_mean(gt_chain(g, y), o->axes, true);
    const gt_tensor rest = o->centred ? gt_sub(g, gt_mean(g, o->axes, true)) : g;
    if (pull->wanted[2]) pull->gx[2] = gt_chain(gt_sub(rest, gt_chain(along, y)), r);
    return true;
}

extern const gt_op gt__op_standardize;

static gt_tensor standardize_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt__standardize(gt_sample(s, GT_SHAPE(3, 5)), GT_AXES(-1), 1e-3, NULL, NULL);
    case 1: return gt__over_rms(gt_sample(s, GT_SHAPE(3, 5)), GT_AXES(-1), 1e-3);
    case 2:
        return gt__standardize(gt_sample(s, GT_SHAPE(3, 2, 2)), GT_AXES(0, 2), 1e-3, NULL, NULL);
    case 3: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3));
        const gt_tensor in[] = {x, x, gt_select(x, 0, 0)};
        gt_sample_bad(s, "were not computed of");
        return record(&gt__op_standardize, in, GT_AXES(0), true);
    }
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_standardize = GT_OP(
    "standardize", shortcut_shape, NULL, GT_PULL(standardize_pull), standardize_samples,
    .traits = GT_ELEMENTWISE, .tile = standardize_tile, .exact = standardize_exact,
    .emit = standardize_emit, .value = standardize_value,
    .meaning =
        "a b, where b is 1 over the root of the mean of a^2, and a is c, or that less its mean");

/* Of y = x, or x less its mean, whose squares have that mean. */
static gt_tensor by_root(gt_tensor x, gt_tensor y, gt_tensor mean, double epsilon, gt_axes axes) {
    const gt_tensor in[] = {y, gt_rsqrt(gt_add_scalar(mean, epsilon)), x};
    return record(&gt__op_standardize, in, axes, y.index != x.index);
}

gt_tensor gt__standardize(gt_tensor x, gt_axes axes, double epsilon, gt_tensor *mean,
                          gt_tensor *variance) {
    const gt_tensor middle = gt_mean(x, axes, true), y = gt_sub(x, middle);
    const gt_tensor spread = gt_mean(gt_square(y), axes, true);
    if (mean) *mean = middle;
    if (variance) *variance = spread;
    return by_root(x, y, spread, epsilon, axes);
}

gt_tensor gt__over_rms(gt_tensor x, gt_axes axes, double epsilon) {
    return by_root(x, x, gt_mean(gt_square(x), axes, true), epsilon, axes);
}
