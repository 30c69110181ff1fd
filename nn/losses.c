/* nn/losses.c: losses. Predictions and targets must agree in shape: a silent broadcast of [n, 1] against [n]
 * would average n^2 differences. */
#include "nn/nn.h"
#include "ops/ops.h"

static bool equal_shapes(const char *loss, gt_tensor prediction, gt_tensor target) {
    char a[200], b[200];
    if (!gt_valid(prediction) || !gt_valid(target)) return true; /* the next operation says what is wrong */
    const gt_shape p = gt_shape_of(prediction), t = gt_shape_of(target);
    if (gt_same_shape(p, t)) return true;
    char text[2][200];
    const gt_shape shape[2] = {p, t};
    for (int k = 0; k < 2; k++) {
        size_t used = 0;
        text[k][0] = 0;
        for (int d = 0; d < shape[k].rank; d++)
            used += (size_t)snprintf(text[k] + used, sizeof text[k] - used, "%s%lld", d ? "," : "",
                                     (long long)shape[k].dim[d]);
    }
    gt_fail(prediction.tape, "%s: prediction %s[%s] and target %s[%s] differ in shape", loss,
            gt_label(prediction, a, sizeof a), text[0], gt_label(target, b, sizeof b), text[1]);
    return false;
}

static gt_tensor poison_of(gt_tensor t) { return gt_tensor_at(t.tape, UINT32_MAX); }

gt_tensor gt_sum_squared_error(gt_tensor prediction, gt_tensor target) {
    if (!equal_shapes("sum_squared_error", prediction, target)) return poison_of(prediction);
    return gt_sum(gt_square(gt_sub(prediction, target)), GT_ALL, false);
}

gt_tensor gt_mean_squared_error(gt_tensor prediction, gt_tensor target) {
    if (!equal_shapes("mean_squared_error", prediction, target)) return poison_of(prediction);
    return gt_mean(gt_square(gt_sub(prediction, target)), GT_ALL, false);
}

/* Labels [...] of integers for logits [..., classes]. */
static bool fit_labels(const char *who, gt_tensor logits, gt_tensor labels) {
    char a[200], b[200];
    if (!gt_valid(logits) || !gt_valid(labels)) return true;
    const gt_shape x = gt_shape_of(logits), y = gt_shape_of(labels);
    const gt_dtype dtype = gt_dtype_of(labels);
    bool fits = x.rank == y.rank + 1;
    for (int d = 0; fits && d < y.rank; d++) fits = x.dim[d] == y.dim[d];
    if (fits && (dtype == GT_I32 || dtype == GT_I64)) return true;
    gt_label(logits, a, sizeof a);
    gt_label(labels, b, sizeof b);
    if (!fits)
        gt_fail(logits.tape, "%s: labels %s of rank %d do not match logits %s of rank %d: one label a row", who,
                b, y.rank, a, x.rank);
    else
        gt_fail(logits.tape, "%s: labels %s are %s, not i32 or i64", who, b, gt_dtype_name(dtype));
    return false;
}

gt_tensor gt_cross_entropy(gt_tensor logits, gt_tensor labels) {
    if (!fit_labels("cross_entropy", logits, labels)) return poison_of(logits);
    char label[200];
    const gt_tensor index =
        gt_name(gt_unsqueeze(labels, -1), "labels %s", gt_label(labels, label, sizeof label));
    const gt_tensor picked = gt_squeeze(gt_take_along_axis(logits, index, -1), GT_AXES(-1));
    const gt_tensor all = gt_logsumexp(logits, GT_AXES(-1), false);
    return gt_mean(gt_sub(all, picked), GT_ALL, false);
}

gt_tensor gt_accuracy(gt_tensor logits, gt_tensor labels) {
    if (!fit_labels("accuracy", logits, labels)) return poison_of(logits);
    const gt_tensor right = gt_equal(gt_argmax(logits, -1, false), gt_cast(labels, GT_I64));
    return gt_mean(gt_cast(right, GT_F32), GT_ALL, false);
}

/* ---- samples -------------------------------------------------------------------------------------------- */

static gt_tensor squared_samples(gt_samples *s, int i, gt_tensor (*loss)(gt_tensor, gt_tensor)) {
    switch (i) {
    case 0: return loss(gt_sample(s, GT_SHAPE(3, 2)), gt_sample(s, GT_SHAPE(3, 2)));
    case 1: return loss(gt_sample(s, GT_SCALAR), gt_sample(s, GT_SCALAR));
    case 2:
        gt_sample_bad(s, "differ in shape");
        return loss(gt_sample(s, GT_SHAPE(3, 1)), gt_sample(s, GT_SHAPE(3)));
    default: return gt_samples_end(s);
    }
}
static gt_tensor sum_samples(gt_samples *s, int i) { return squared_samples(s, i, gt_sum_squared_error); }
static gt_tensor mean_samples(gt_samples *s, int i) { return squared_samples(s, i, gt_mean_squared_error); }

const gt__composition gt__loss_sum_squared = {"sum_squared_error", sum_samples};
const gt__composition gt__loss_mean_squared = {"mean_squared_error", mean_samples};

static gt_tensor labelled_samples(gt_samples *s, int i, gt_tensor (*loss)(gt_tensor, gt_tensor)) {
    const gt_tensor logits = gt_sample(s, i == 1 ? GT_SHAPE(2, 3, 5) : GT_SHAPE(4, 5));
    switch (i) {
    case 0: return loss(logits, gt_sample_int(s, GT_SHAPE(4), GT_I32, 5));
    case 1: return loss(logits, gt_sample_int(s, GT_SHAPE(2, 3), GT_I64, 5));
    case 2: return gt_sample_bad(s, "one label a row"), loss(logits, gt_sample_int(s, GT_SHAPE(3), GT_I32, 5));
    case 3: return gt_sample_bad(s, "not i32 or i64"), loss(logits, gt_sample(s, GT_SHAPE(4)));
    default: return gt_samples_end(s);
    }
}

static gt_tensor entropy_samples(gt_samples *s, int i) {
    if (i != 4) return labelled_samples(s, i < 4 ? i : i - 1, gt_cross_entropy);
    const double label[4] = {0, 1, 5, 2};
    gt_sample_bad(s, "out of range");
    const gt_tensor logits = gt_sample(s, GT_SHAPE(4, 5));
    return gt_cross_entropy(logits, gt_sample_values(s, GT_SHAPE(4), GT_I32, label));
}

static gt_tensor accuracy_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    return labelled_samples(s, i, gt_accuracy);
}

const gt__composition gt__loss_cross_entropy = {"cross_entropy", entropy_samples};
const gt__composition gt__loss_accuracy = {"accuracy", accuracy_samples};
