/* nn/losses_class.c: losses of classes, from scores, logits, logarithms of probabilities, or
 * probabilities. Every term is written so that it is finite where the mathematics is: a probability of
 * exactly 0 under a target of exactly 0 counts nothing, an absent logit may be -inf. */
#include <math.h>

#include "nn/losses.h"
#include "nn/nn.h"
#include "ops/rows.h"

/* ---- with labels -------------------------------------------------------------------------------------- */

gt_tensor gt_cross_entropy(gt_tensor logits, gt_tensor labels) {
    if (!gt__fit_labels("cross_entropy", logits, labels)) return gt__refused(logits);
    const gt_tensor all = gt_logsumexp(logits, GT_AXES(-1), false);
    return gt__mean_of_all(gt_sub(all, gt__pick(logits, labels)));
}

gt_tensor gt_nll(gt_tensor log_probabilities, gt_tensor labels) {
    if (!gt__fit_labels("nll", log_probabilities, labels)) return gt__refused(log_probabilities);
    return gt_neg(gt__mean_of_all(gt__pick(log_probabilities, labels)));
}

/* The options are in order, and the weights one for each class. */
static bool fit_options(gt_tensor logits, gt_cross_entropy_options options) {
    char a[300], b[300];
    const gt_tensor weights = options.class_weights;
    if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
        gt_fail(logits.tape, "cross_entropy: label smoothing %g is not in [0, 1]",
                options.label_smoothing);
        return false;
    }
    if (gt_is_none(weights) || !gt_valid(weights) || !gt_valid(logits)) return true;
    if (gt_rank(weights) == 1 && gt_dim(weights, 0) == gt_dim(logits, -1)) return true;
    gt_fail(logits.tape,
            "cross_entropy: class weights %s do not match logits %s: one weight a class",
            gt__named(weights, a, sizeof a), gt__named(logits, b, sizeof b));
    return false;
}

/* What a row loses: (1 - s) of the weighted loss at its label, s of the mean over the classes. */
static gt_tensor row_loss(gt_tensor logits, gt_tensor labels, gt_tensor weight,
                          gt_cross_entropy_options options) {
    const double smoothing = options.label_smoothing;
    const gt_tensor all = gt_logsumexp(logits, GT_AXES(-1), true);
    const gt_tensor picked = gt_sub(gt_squeeze(all, GT_AXES(-1)), gt__pick(logits, labels));
    const gt_tensor one = gt_is_none(weight) ? picked : gt_chain(weight, picked);
    if (smoothing == 0) return one;
    const gt_tensor each = gt_sub(all, logits);
    const gt_tensor weighted =
        gt_is_none(options.class_weights) ? each : gt_chain(options.class_weights, each);
    return gt_add(gt_mul_scalar(one, 1 - smoothing),
                  gt_mul_scalar(gt_mean(weighted, GT_AXES(-1), false), smoothing));
}

gt_tensor gt_cross_entropy_with(gt_tensor logits, gt_tensor labels,
                                gt_cross_entropy_options options) {
    if (!gt__fit_labels("cross_entropy", logits, labels)) return gt__refused(logits);
    if (!fit_options(logits, options)) return gt__refused(logits);
    const gt_tensor zero = gt__number(logits, 0);
    gt_tensor kept = gt_none(), weight = gt_none();
    if (options.ignores) {
        kept = gt_not_equal(labels, gt__number(labels, (double)options.ignored_label));
        labels = gt_where(kept, labels, gt__number(labels, 0));
    }
    if (!gt_is_none(options.class_weights)) weight = gt_gather(options.class_weights, labels, 0);
    const gt_tensor loss = row_loss(logits, labels, weight, options);
    if (gt_is_none(kept) && gt_is_none(weight)) return gt__mean_of_all(loss);
    if (gt_is_none(weight)) weight = gt__number(logits, 1);
    if (gt_is_none(kept)) return gt_div(gt_sum(loss, GT_ALL, false), gt_sum(weight, GT_ALL, false));
    return gt_div(gt_sum(gt_where(kept, loss, zero), GT_ALL, false),
                  gt_sum(gt_where(kept, weight, zero), GT_ALL, false));
}

gt_tensor gt_hinge(gt_tensor scores, gt_tensor labels, double margin) {
    if (!gt__fit_labels("hinge", scores, labels)) return gt__refused(scores);
    if (!gt__positive("hinge", scores, "margin", margin, true)) return gt__refused(scores);
    const gt_tensor right = gt_unsqueeze(gt__pick(scores, labels), -1);
    const gt_tensor over = gt_relu(gt_add_scalar(gt_sub(scores, right), margin));
    const gt_tensor is_right = gt_one_hot(labels, gt_dim(scores, -1), GT_BOOL);
    const gt_tensor others = gt_where(is_right, gt__number(scores, 0), over);
    return gt__mean_of_all(gt_sum(others, GT_AXES(-1), false));
}

gt_tensor gt_accuracy(gt_tensor logits, gt_tensor labels) {
    if (!gt__fit_labels("accuracy", logits, labels)) return gt__refused(logits);
    const gt_tensor right = gt_equal(gt_argmax(logits, -1, false), gt_cast(labels, GT_I64));
    return gt__mean_of_all(gt_cast(right, GT_F32));
}

/* ---- with targets of the prediction's shape ----------------------------------------------------------- */

/* The mean over rows of the negated sum of the elements of a row. */
static gt_tensor lost_by_row(gt_tensor terms) {
    return gt_neg(gt__mean_of_all(gt_sum(terms, GT_AXES(-1), false)));
}

static bool fit_rows(const char *loss, gt_tensor prediction, gt_tensor target) {
    return gt__fits_target(loss, prediction, target) && gt__has_rows(loss, prediction);
}

gt_tensor gt_soft_cross_entropy(gt_tensor logits, gt_tensor targets) {
    if (!fit_rows("soft_cross_entropy", logits, targets)) return gt__refused(logits);
    return lost_by_row(gt_chain(targets, gt_log_softmax(logits, -1)));
}

gt_tensor gt_categorical_cross_entropy(gt_tensor probabilities, gt_tensor targets) {
    if (!fit_rows("categorical_cross_entropy", probabilities, targets))
        return gt__refused(probabilities);
    return lost_by_row(gt_xlogy(targets, probabilities));
}

gt_tensor gt_kl_divergence(gt_tensor log_prediction, gt_tensor target) {
    if (!fit_rows("kl_divergence", log_prediction, target)) return gt__refused(log_prediction);
    return lost_by_row(gt_sub(gt_chain(target, log_prediction), gt_xlogy(target, target)));
}

gt_tensor gt_binary_cross_entropy(gt_tensor probability, gt_tensor target) {
    if (!gt__fits_target("binary_cross_entropy", probability, target))
        return gt__refused(probability);
    const gt_tensor other = gt_add_scalar(gt_neg(target), 1);
    return gt_neg(gt__mean_of_all(
        gt_add(gt_xlogy(target, probability), gt_xlog1py(other, gt_neg(probability)))));
}

/* Each end has its own term, so that neither is a difference of large numbers. */
gt_tensor gt_binary_cross_entropy_logits(gt_tensor logits, gt_tensor target) {
    if (!gt__fits_target("binary_cross_entropy_logits", logits, target)) return gt__refused(logits);
    const gt_tensor other = gt_add_scalar(gt_neg(target), 1);
    return gt__mean_of_all(gt_add(gt_chain(target, gt_softplus(gt_neg(logits))),
                                  gt_chain(other, gt_softplus(logits))));
}

/* On the boundary too the example counts as wrong, or weights of zero would never leave it. */
gt_tensor gt_perceptron_loss(gt_tensor scores, gt_tensor targets) {
    if (!gt__fits_target("perceptron_loss", scores, targets)) return gt__refused(scores);
    const gt_tensor agreement = gt_mul(targets, scores), zero = gt__number(agreement, 0);
    const gt_tensor wrong = gt_less_equal(agreement, zero);
    return gt_sum(gt_where(wrong, gt_neg(agreement), zero), GT_ALL, false);
}

/* ---- samples: labels ---------------------------------------------------------------------------------- */

static gt_tensor labelled_samples(gt_samples *s, int i, gt_tensor (*loss)(gt_tensor, gt_tensor)) {
    const double outside[4] = {0, 1, 5, 2};
    const gt_tensor rows = gt_sample(s, i == 1 ? GT_SHAPE(2, 3, 5) : GT_SHAPE(4, 5));
    switch (i) {
    case 0: return loss(rows, gt_sample_int(s, GT_SHAPE(4), GT_I32, 5));
    case 1: return loss(rows, gt_sample_int(s, GT_SHAPE(2, 3), GT_I64, 5));
    case 2:
        return gt_sample_bad(s, "one label a row"),
               loss(rows, gt_sample_int(s, GT_SHAPE(3), GT_I32, 5));
    case 3: return gt_sample_bad(s, "not i32 or i64"), loss(rows, gt_sample(s, GT_SHAPE(4)));
    case 4:
        gt_sample_bad(s, "out of range");
        return loss(rows, gt_sample_values(s, GT_SHAPE(4), GT_I32, outside));
    default: return gt_samples_end(s);
    }
}

static gt_tensor entropy_samples(gt_samples *s, int i) {
    return labelled_samples(s, i, gt_cross_entropy);
}
static gt_tensor nll_samples(gt_samples *s, int i) { return labelled_samples(s, i, gt_nll); }

/* An accuracy counts: a label that is out of range is a wrong one. */
static gt_tensor accuracy_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    return i < 4 ? labelled_samples(s, i, gt_accuracy) : gt_samples_end(s);
}

static gt_tensor hinge_of_one(gt_tensor scores, gt_tensor labels) {
    return gt_hinge(scores, labels, 1);
}
static gt_tensor hinge_samples(gt_samples *s, int i) {
    if (i < 5) return labelled_samples(s, i, hinge_of_one);
    const gt_tensor scores = gt_sample(s, GT_SHAPE(3, 4)),
                    labels = gt_sample_int(s, GT_SHAPE(3), GT_I32, 4);
    switch (i) {
    case 5: return gt_hinge(scores, labels, 0.25);
    case 6: return gt_sample_bad(s, "margin -1 is not"), gt_hinge(scores, labels, -1);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_cross_entropy = {"cross_entropy", entropy_samples};
const gt_composition gt__loss_nll = {"nll", nll_samples};
const gt_composition gt__loss_accuracy = {"accuracy", accuracy_samples};
const gt_composition gt__loss_hinge = {"hinge", hinge_samples};

static gt_tensor entropy_by_default(gt_tensor logits, gt_tensor labels) {
    return gt_cross_entropy_with(logits, labels, (gt_cross_entropy_options){.label_smoothing = 0});
}
static gt_tensor entropy_with_samples(gt_samples *s, int i) {
    static const double label[4] = {3, -100, 0, 2};
    if (i < 5) return labelled_samples(s, i, entropy_by_default);
    gt_cross_entropy_options o = {.label_smoothing = 0.125};
    const gt_tensor logits = gt_sample(s, GT_SHAPE(4, 5));
    const gt_tensor labels = gt_sample_values(s, GT_SHAPE(4), GT_I32, label);
    const gt_tensor weights = gt_sample_range(s, i == 10 ? GT_SHAPE(4) : GT_SHAPE(5), 0.3, 2);
    o.ignores = i != 9;
    o.ignored_label = -100;
    switch (i) {
    case 5: break;
    case 6: o.class_weights = weights; break;
    case 7:
        o = (gt_cross_entropy_options){.class_weights = weights,
                                       .ignores = true,
                                       .ignored_label = -100};
        break;
    case 8: gt_sample_bad(s, "label smoothing 2 is not"), o.label_smoothing = 2; break;
    case 9: gt_sample_bad(s, "out of range"); break;
    case 10: gt_sample_bad(s, "one weight a class"), o.class_weights = weights; break;
    default: return gt_samples_end(s);
    }
    return gt_cross_entropy_with(logits, labels, o);
}

const gt_composition gt__loss_cross_entropy_with = {"cross_entropy_with", entropy_with_samples};

/* ---- samples: targets --------------------------------------------------------------------------------- */

/* Predictions in [low, high], targets between 0 and 1; of_rows: a scalar is refused. */
static gt_tensor target_samples(gt_samples *s, int i, gt_tensor (*loss)(gt_tensor, gt_tensor),
                                double low, double high, bool of_rows) {
    static const gt_shape shape[][2] = {{{2, {3, 4}}, {2, {3, 4}}},
                                        {{3, {2, 2, 3}}, {3, {2, 2, 3}}},
                                        {{1, {5}}, {1, {5}}},
                                        {{0, {0}}, {0, {0}}},
                                        {{2, {3, 1}}, {1, {3}}}};
    if (i >= (int)(sizeof shape / sizeof *shape)) return gt_samples_end(s);
    if (i == 3 && of_rows) gt_sample_bad(s, "is a scalar");
    if (i == 4) gt_sample_bad(s, "differ in shape");
    const gt_tensor prediction = gt_sample_range(s, shape[i][0], low, high);
    return loss(prediction, gt_sample_range(s, shape[i][1], 0.1, 0.9));
}

static gt_tensor soft_samples(gt_samples *s, int i) {
    return target_samples(s, i, gt_soft_cross_entropy, -2, 2, true);
}
static gt_tensor categorical_samples(gt_samples *s, int i) {
    return target_samples(s, i, gt_categorical_cross_entropy, 0.1, 0.9, true);
}
static gt_tensor divergence_samples(gt_samples *s, int i) {
    return target_samples(s, i, gt_kl_divergence, 0.1, 2, true);
}
static gt_tensor binary_samples(gt_samples *s, int i) {
    return target_samples(s, i, gt_binary_cross_entropy, 0.1, 0.9, false);
}
static gt_tensor binary_logits_samples(gt_samples *s, int i) {
    return target_samples(s, i, gt_binary_cross_entropy_logits, -3, 3, false);
}

const gt_composition gt__loss_soft_cross_entropy = {"soft_cross_entropy", soft_samples};
const gt_composition gt__loss_categorical = {"categorical_cross_entropy", categorical_samples};
const gt_composition gt__loss_kl_divergence = {"kl_divergence", divergence_samples};
const gt_composition gt__loss_binary = {"binary_cross_entropy", binary_samples};
const gt_composition gt__loss_binary_logits = {"binary_cross_entropy_logits",
                                               binary_logits_samples};

static gt_tensor perceptron_samples(gt_samples *s, int i) {
    static const double side[4] = {1, -1, -1, 1};
    switch (i) {
    case 0: return gt_perceptron_loss(gt_sample(s, GT_SHAPE(6)), gt_sample(s, GT_SHAPE(6)));
    case 1:
        return gt_perceptron_loss(gt_sample(s, GT_SHAPE(4)),
                                  gt_sample_values(s, GT_SHAPE(4), s->dtype, side));
    case 2:
        gt_sample_bad(s, "differ in shape");
        return gt_perceptron_loss(gt_sample(s, GT_SHAPE(4, 1)), gt_sample(s, GT_SHAPE(4)));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__loss_perceptron = {"perceptron_loss", perceptron_samples};
