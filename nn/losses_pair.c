/* nn/losses_pair.c: losses of directions and distances between rows. The gradient of a distance of 0, and
 * of the direction of a row of zeros, is 0. */
#include "nn/losses.h"
#include "nn/nn.h"
#include "ops/rows.h"

static gt_tensor distance(gt_tensor a, gt_tensor b) {
    return gt_norm(gt_sub(a, b), GT_AXES(-1), false);
}

/* Rows of length 1; a row of zeros stays. */
static gt_tensor direction(gt_tensor x) {
    const gt_tensor length = gt_norm(x, GT_AXES(-1), true), zero = gt__number(x, 0);
    const gt_tensor none = gt_equal(length, zero);
    return gt_where(none, zero, gt_div(x, gt_where(none, gt__number(x, 1), length)));
}

gt_tensor gt_cosine_loss(gt_tensor prediction, gt_tensor target) {
    if (!gt__fits_target("cosine_loss", prediction, target)) return gt__refused(prediction);
    if (!gt__has_rows("cosine_loss", prediction)) return gt__refused(prediction);
    const gt_tensor cosine =
        gt_sum(gt_mul(direction(prediction), direction(target)), GT_AXES(-1), false);
    return gt_add_scalar(gt_neg(gt__mean_of_all(cosine)), 1);
}

gt_tensor gt_triplet_loss(gt_tensor anchor, gt_tensor same, gt_tensor other, double margin) {
    if (!gt__equal_shapes("triplet_loss", "anchor", anchor, "same", same))
        return gt__refused(anchor);
    if (!gt__equal_shapes("triplet_loss", "anchor", anchor, "other", other))
        return gt__refused(anchor);
    if (!gt__has_rows("triplet_loss", anchor)) return gt__refused(anchor);
    if (!gt__positive("triplet_loss", anchor, "margin", margin, true)) return gt__refused(anchor);
    const gt_tensor further = gt_sub(distance(anchor, same), distance(anchor, other));
    return gt__mean_of_all(gt_relu(gt_add_scalar(further, margin)));
}

gt_tensor gt_contrastive_loss(gt_tensor a, gt_tensor b, gt_tensor alike, double margin) {
    if (!gt__equal_shapes("contrastive_loss", "input", a, "input", b)) return gt__refused(a);
    if (!gt__has_rows("contrastive_loss", a)) return gt__refused(a);
    if (!gt__positive("contrastive_loss", a, "margin", margin, true)) return gt__refused(a);
    const gt_tensor d = distance(a, b);
    if (!gt__equal_shapes("contrastive_loss", "distances", d, "alike", alike))
        return gt__refused(a);
    const gt_tensor room = gt_relu(gt_add_scalar(gt_neg(d), margin));
    const gt_tensor unlike = gt_add_scalar(gt_neg(alike), 1);
    const gt_tensor twice = gt_add(gt_mul(alike, gt_square(d)), gt_mul(unlike, gt_square(room)));
    return gt_mul_scalar(gt__mean_of_all(twice), 0.5);
}

/* ---- samples ------------------------------------------------------------------------------------------ */

static gt_tensor cosine_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_cosine_loss(gt_sample(s, GT_SHAPE(4)), gt_sample(s, GT_SHAPE(4)));
    case 1: return gt_cosine_loss(gt_sample(s, GT_SHAPE(2, 3, 5)), gt_sample(s, GT_SHAPE(2, 3, 5)));
    case 2:
        gt_sample_bad(s, "differ in shape");
        return gt_cosine_loss(gt_sample(s, GT_SHAPE(2, 3)), gt_sample(s, GT_SHAPE(3)));
    case 3:
        gt_sample_bad(s, "is a scalar");
        return gt_cosine_loss(gt_sample(s, GT_SCALAR), gt_sample(s, GT_SCALAR));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_cosine = {"cosine_loss", cosine_samples};

static gt_tensor triplet_samples(gt_samples *s, int i) {
    const gt_shape shape = i == 1 ? GT_SHAPE(5) : i == 4 ? GT_SCALAR : GT_SHAPE(6, 3);
    const gt_tensor anchor = gt_sample(s, shape), same = gt_sample(s, shape);
    const gt_tensor other = gt_sample(s, i == 3 ? GT_SHAPE(3) : shape);
    switch (i) {
    case 0: return gt_triplet_loss(anchor, same, other, 0.5);
    case 1: return gt_triplet_loss(anchor, same, other, 8);
    case 2: return gt_sample_bad(s, "margin -1 is not"), gt_triplet_loss(anchor, same, other, -1);
    case 3: return gt_sample_bad(s, "and other"), gt_triplet_loss(anchor, same, other, 1);
    case 4: return gt_sample_bad(s, "is a scalar"), gt_triplet_loss(anchor, same, other, 1);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_triplet = {"triplet_loss", triplet_samples};

static gt_tensor contrastive_samples(gt_samples *s, int i) {
    static const double alike[4] = {1, 0, 0, 1};
    const gt_shape shape = i == 4 ? GT_SCALAR : GT_SHAPE(4, 3);
    const gt_tensor a = gt_sample(s, shape), b = gt_sample(s, shape);
    const gt_tensor same =
        gt_sample_values(s, i == 2 ? GT_SHAPE(4, 1) : GT_SHAPE(4), s->dtype, alike);
    switch (i) {
    case 0: return gt_contrastive_loss(a, b, same, 1);
    case 1: return gt_contrastive_loss(a, b, same, 6);
    case 2: return gt_sample_bad(s, "and alike"), gt_contrastive_loss(a, b, same, 1);
    case 3: return gt_sample_bad(s, "is not a finite"), gt_contrastive_loss(a, b, same, -2);
    case 4: return gt_sample_bad(s, "is a scalar"), gt_contrastive_loss(a, b, same, 1);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_contrastive = {"contrastive_loss", contrastive_samples};
