/* ops/softmax.c: logarithms and shares of sums of exponentials. The largest element is taken off
 * first, so that nothing overflows; it is a constant to the gradient, since the result does not
 * depend on it. */
#include <math.h>

#include "ops/ops.h"
#include "ops/reduce.h"
#include "ops/shortcuts.h"

static gt_tensor constant(gt_tensor like, double value) {
    return gt_scalar(like.tape, value, gt_dtype_of(like));
}

/* ---- logsumexp ------------------------------------------------------------------------------- */

static gt_tensor logsumexp_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_logsumexp(gt_sample(s, GT_SHAPE(6)), GT_ALL, false);
    case 1: return gt_logsumexp(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), false);
    case 2: return gt_logsumexp(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, -1), true);
    case 3: return gt_logsumexp(gt_sample(s, GT_SCALAR), GT_ALL, false);
    case 4: return gt_logsumexp(gt_sample(s, GT_SHAPE(3, 270)), GT_AXES(-1), false);
    case 5: return gt_logsumexp(gt_sample_range(s, GT_SHAPE(5), 80, 90), GT_ALL, false);
    case 6: return gt_logsumexp(gt_sample(s, GT_SHAPE(2, 0)), GT_AXES(1), false);
    case 7: return gt_logsumexp(gt_sample(s, GT_SHAPE(0, 2)), GT_AXES(1), false);
    case 8:
        gt_sample_bad(s, "logsumexp: no axis 1");
        return gt_logsumexp(gt_sample(s, GT_SHAPE(2)), GT_AXES(1), false);
    case 9:
        gt_sample_bad(s, "logsumexp: not defined for i64");
        return gt_logsumexp(gt_sample_int(s, GT_SHAPE(2), GT_I64, 5), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_logsumexp = {"logsumexp", logsumexp_samples};

/* An infinite largest element takes nothing off: +inf stays so, and a sum of zeros gives -inf.
 * There the logarithm is taken of 1, so that the gradient is 0 and not 0 times infinity. */
gt_tensor gt_logsumexp(gt_tensor x, gt_axes axes, bool keepdims) {
    gt__reduced r;
    if (!gt__reduces_float("logsumexp", x, axes, keepdims, &r)) return gt_fail(x.tape, "logsumexp");
    if (r.count == 0) return gt_log(gt_sum(x, axes, keepdims));
    const gt_tensor zero = constant(x, 0), one = constant(x, 1);
    const gt_tensor largest = gt_stop_gradient(gt_max(x, axes, true));
    const gt_tensor infinite = gt_equal(gt_abs(largest), constant(x, (double)INFINITY));
    const gt_tensor shift = gt_where(infinite, zero, largest);
    const gt_tensor sum = gt_sum(gt_exp(gt_sub(x, shift)), axes, true);
    const gt_tensor empty = gt_equal(sum, zero);
    const gt_tensor logarithm = gt_log(gt_where(empty, one, sum));
    const gt_tensor y = gt_where(empty, constant(x, (double)-INFINITY), gt_add(logarithm, shift));
    return gt_same_shape(r.kept, r.result) ? y : gt_reshape(y, r.result);
}

/* ---- softmax and log_softmax ----------------------------------------------------------------- */

/* x less its largest element along an axis. Absent elements have none: then x itself. A row that
 * holds +inf, or nothing but -inf, becomes NaN: its shares are undefined. */
static gt_tensor below_largest(const char *name, gt_tensor x, int axis) {
    gt__reduced r;
    if (!gt__reduces_float(name, x, GT_AXES(axis), true, &r)) return gt_fail(x.tape, "%s", name);
    if (r.count == 0) return x;
    return gt_sub(x, gt_stop_gradient(gt_max(x, GT_AXES(axis), true)));
}

static gt_tensor share_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, int)) {
    switch (i) {
    case 0: return f(gt_sample(s, GT_SHAPE(6)), 0);
    case 1: return f(gt_sample(s, GT_SHAPE(3, 4)), 0);
    case 2: return f(gt_sample(s, GT_SHAPE(3, 4)), -1);
    case 3: return f(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), 1);
    case 4: return f(gt_sample(s, GT_SHAPE(2, 40)), 1);
    case 5: return f(gt_sample_range(s, GT_SHAPE(5), 80, 90), 0);
    case 6: return f(gt_sample(s, GT_SHAPE(2, 0)), 1);
    case 7: return f(gt_sample(s, GT_SHAPE(0, 2)), 1);
    case 8: return gt_sample_no_gradient(s), f(gt_sample(s, GT_SHAPE(3, 1)), 1); /* ones */
    case 9: return gt_sample_bad(s, "softmax: no axis 2"), f(gt_sample(s, GT_SHAPE(2, 3)), 2);
    case 10: return gt_sample_bad(s, "softmax: no axis 0"), f(gt_sample(s, GT_SCALAR), 0);
    case 11:
        gt_sample_bad(s, "softmax: not defined for i32");
        return f(gt_sample_int(s, GT_SHAPE(2), GT_I32, 5), 0);
    default: return gt_samples_end(s);
    }
}

static gt_tensor softmax_samples(gt_samples *s, int i) { return share_samples(s, i, gt_softmax); }
static gt_tensor log_softmax_samples(gt_samples *s, int i) {
    return share_samples(s, i, gt_log_softmax);
}

const gt_composition gt__composition_softmax = {"softmax", softmax_samples};
const gt_composition gt__composition_log_softmax = {"log_softmax", log_softmax_samples};

static gt_tensor softmax(gt_tensor x, int axis, bool by_parts) {
    const gt_tensor shifted = below_largest("softmax", x, axis);
    if (!gt_valid(shifted)) return shifted;
    const gt_tensor e = gt_exp(shifted), sums = gt_sum(e, GT_AXES(axis), true);
    return by_parts ? gt_div(e, sums) : gt__shares(x, e, sums, axis);
}

gt_tensor gt_softmax(gt_tensor x, int axis) { return softmax(x, axis, false); }

gt_tensor gt__softmax_by_parts(gt_tensor x, int axis) { return softmax(x, axis, true); }

gt_tensor gt_log_softmax(gt_tensor x, int axis) {
    const gt_tensor shifted = below_largest("log_softmax", x, axis);
    if (!gt_valid(shifted)) return shifted;
    return gt_sub(shifted, gt_log(gt_sum(gt_exp(shifted), GT_AXES(axis), true)));
}
