/* nn/losses.c: losses between a prediction and a target of one shape, and what the files of losses
 * share. */
#include "nn/losses.h"

#include <math.h>

#include "nn/nn.h"
#include "ops/rows.h"

/* ---- shared ------------------------------------------------------------------------------------------- */

gt_tensor gt__number(gt_tensor t, double number) {
    return gt_scalar(t.tape, number, gt_dtype_of(t));
}
gt_tensor gt__mean_of_all(gt_tensor x) { return gt_mean(x, GT_ALL, false); }

bool gt__equal_shapes(const char *loss, const char *a_is, gt_tensor a, const char *b_is,
                      gt_tensor b) {
    char text[2][300];
    if (!gt_valid(a) || !gt_valid(b) || gt_same_shape(gt_shape_of(a), gt_shape_of(b))) return true;
    gt_fail(a.tape, "%s: %s %s and %s %s differ in shape", loss, a_is,
            gt__named(a, text[0], sizeof text[0]), b_is, gt__named(b, text[1], sizeof text[1]));
    return false;
}

bool gt__fits_target(const char *loss, gt_tensor prediction, gt_tensor target) {
    return gt__equal_shapes(loss, "prediction", prediction, "target", target);
}

bool gt__fit_labels(const char *loss, gt_tensor logits, gt_tensor labels) {
    char a[300], b[300];
    if (!gt_valid(logits) || !gt_valid(labels)) return true;
    const gt_shape x = gt_shape_of(logits), y = gt_shape_of(labels);
    const gt_dtype dtype = gt_dtype_of(labels);
    bool fits = x.rank == y.rank + 1;
    for (int d = 0; fits && d < y.rank; d++) fits = x.dim[d] == y.dim[d];
    if (fits && (dtype == GT_I32 || dtype == GT_I64)) return true;
    gt__named(logits, a, sizeof a);
    gt__named(labels, b, sizeof b);
    if (!fits)
        gt_fail(logits.tape, "%s: labels %s do not match %s: one label a row", loss, b, a);
    else
        gt_fail(logits.tape, "%s: labels %s are %s, not i32 or i64", loss, b, gt_dtype_name(dtype));
    return false;
}

gt_tensor gt__pick(gt_tensor rows, gt_tensor labels) {
    char label[200];
    const gt_tensor index =
        gt_name(gt_unsqueeze(labels, -1), "labels %s", gt_label(labels, label, sizeof label));
    return gt_squeeze(gt_take_along_axis(rows, index, -1), GT_AXES(-1));
}

bool gt__has_rows(const char *loss, gt_tensor x) {
    char label[300];
    if (!gt_valid(x) || gt_rank(x) > 0) return true;
    gt_fail(x.tape, "%s: %s is a scalar: its last axis makes a row", loss,
            gt__named(x, label, sizeof label));
    return false;
}

bool gt__positive(const char *loss, gt_tensor x, const char *what, double number, bool zero) {
    if (isfinite(number) && (number > 0 || (zero && number == 0))) return true;
    gt_fail(x.tape, "%s: %s %g is not a finite number %s 0", loss, what, number,
            zero ? "from" : "above");
    return false;
}

/* ---- of differences ----------------------------------------------------------------------------------- */

gt_tensor gt_sum_squared_error(gt_tensor prediction, gt_tensor target) {
    if (!gt__fits_target("sum_squared_error", prediction, target)) return gt__refused(prediction);
    return gt_sum(gt_square(gt_sub(prediction, target)), GT_ALL, false);
}

gt_tensor gt_mean_squared_error(gt_tensor prediction, gt_tensor target) {
    if (!gt__fits_target("mean_squared_error", prediction, target)) return gt__refused(prediction);
    return gt__mean_of_all(gt_square(gt_sub(prediction, target)));
}

gt_tensor gt_mean_absolute_error(gt_tensor prediction, gt_tensor target) {
    if (!gt__fits_target("mean_absolute_error", prediction, target)) return gt__refused(prediction);
    return gt__mean_of_all(gt_abs(gt_sub(prediction, target)));
}

gt_tensor gt_huber(gt_tensor prediction, gt_tensor target, double delta) {
    if (!gt__fits_target("huber", prediction, target)) return gt__refused(prediction);
    if (!gt__positive("huber", prediction, "delta", delta, false)) return gt__refused(prediction);
    const gt_tensor d = gt_sub(prediction, target), size = gt_abs(d);
    const gt_tensor near = gt_mul_scalar(gt_square(d), 0.5);
    const gt_tensor far = gt_mul_scalar(gt_add_scalar(size, -delta / 2), delta);
    return gt__mean_of_all(gt_where(gt_less_equal(size, gt__number(d, delta)), near, far));
}

/* The difference is scaled before it is squared, and 0 stays 0 whatever the scale: a small variance does
 * not overflow where the prediction is right. */
gt_tensor gt_gaussian_nll(gt_tensor mean, gt_tensor log_variance, gt_tensor target) {
    if (!gt__equal_shapes("gaussian_nll", "mean", mean, "target", target)) return gt__refused(mean);
    if (!gt__equal_shapes("gaussian_nll", "mean", mean, "log_variance", log_variance))
        return gt__refused(mean);
    const double log_2_pi = 1.8378770664093454836;
    const gt_tensor scale = gt_exp(gt_mul_scalar(log_variance, -0.5));
    const gt_tensor z = gt_chain(gt_sub(mean, target), scale);
    const gt_tensor twice = gt_add(gt_add_scalar(log_variance, log_2_pi), gt_square(z));
    return gt_mul_scalar(gt__mean_of_all(twice), 0.5);
}

/* ---- samples ------------------------------------------------------------------------------------------ */

static gt_tensor difference_samples(gt_samples *s, int i, gt_tensor (*loss)(gt_tensor, gt_tensor)) {
    switch (i) {
    case 0: return loss(gt_sample(s, GT_SHAPE(3, 2)), gt_sample(s, GT_SHAPE(3, 2)));
    case 1: return loss(gt_sample(s, GT_SCALAR), gt_sample(s, GT_SCALAR));
    case 2:
        gt_sample_bad(s, "differ in shape");
        return loss(gt_sample(s, GT_SHAPE(3, 1)), gt_sample(s, GT_SHAPE(3)));
    case 3:
        gt_sample_bad(s, "cast one of them");
        return loss(gt_sample(s, GT_SHAPE(3)), gt_sample_int(s, GT_SHAPE(3), GT_I32, 4));
    default: return gt_samples_end(s);
    }
}
static gt_tensor sum_samples(gt_samples *s, int i) {
    return difference_samples(s, i, gt_sum_squared_error);
}
static gt_tensor mean_samples(gt_samples *s, int i) {
    return difference_samples(s, i, gt_mean_squared_error);
}
static gt_tensor absolute_samples(gt_samples *s, int i) {
    return difference_samples(s, i, gt_mean_absolute_error);
}

const gt_composition gt__loss_sum_squared = {"sum_squared_error", sum_samples};
const gt_composition gt__loss_mean_squared = {"mean_squared_error", mean_samples};
const gt_composition gt__loss_mean_absolute = {"mean_absolute_error", absolute_samples};

static gt_tensor huber_of_one(gt_tensor prediction, gt_tensor target) {
    return gt_huber(prediction, target, 1);
}
static gt_tensor huber_samples(gt_samples *s, int i) {
    if (i < 4) return difference_samples(s, i, huber_of_one);
    const gt_tensor prediction = gt_sample(s, GT_SHAPE(2, 3, 2)),
                    target = gt_sample(s, GT_SHAPE(2, 3, 2));
    switch (i) {
    case 4: return gt_huber(prediction, target, 0.25);
    case 5: return gt_huber(prediction, target, 10);
    case 6: return gt_sample_bad(s, "delta 0 is not"), gt_huber(prediction, target, 0);
    case 7: return gt_sample_bad(s, "is not a finite"), gt_huber(prediction, target, (double)NAN);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_huber = {"huber", huber_samples};

static gt_tensor gaussian_samples(gt_samples *s, int i) {
    const gt_shape shape = i == 1 ? GT_SCALAR : GT_SHAPE(3, 2);
    const gt_tensor mean = gt_sample(s, shape),
                    wide = gt_sample(s, i == 2 ? GT_SHAPE(3, 1) : shape);
    const gt_tensor target = gt_sample(s, i == 3 ? GT_SHAPE(2) : shape);
    if (i > 3) return gt_samples_end(s);
    if (i == 2) gt_sample_bad(s, "log_variance");
    if (i == 3) gt_sample_bad(s, "differ in shape");
    return gt_gaussian_nll(mean, wide, target);
}

const gt_composition gt__loss_gaussian = {"gaussian_nll", gaussian_samples};
