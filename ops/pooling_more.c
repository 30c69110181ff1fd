/* ops/pooling_more.c: pooling made of other operations: along one axis, and over all of an image. */
#include "ops/ops.h"
#include "ops/rows.h"

/* ---- 1-D: an image of one row ---------------------------------------------------------------- */

static bool is_line(gt_tensor x) { return !gt_valid(x) || gt_rank(x) == 3; }

static gt_tensor refused(const char *who, gt_tensor x) {
    char text[320];
    return gt_fail(x.tape, "%s: %s has rank %d: [n, channels, width] is needed", who,
                   gt__named(x, text, sizeof text), gt_rank(x));
}

typedef gt_tensor pool(gt_tensor x, gt_pool_options options);
typedef gt_tensor adaptive_pool(gt_tensor x, int64_t rows, int64_t columns);

static gt_tensor pooled(const char *who, pool *f, gt_tensor x, gt_pool_options o) {
    if (!is_line(x)) return refused(who, x);
    const gt_pool_options row = {.kernel = {1, o.kernel[0]},
                                 .stride = {1, o.stride[0]},
                                 .padding = {0, o.padding[0]},
                                 .count_padding = o.count_padding};
    return gt_squeeze(f(gt_unsqueeze(x, 2), row), GT_AXES(2));
}

static gt_tensor shared(const char *who, adaptive_pool *f, gt_tensor x, int64_t size) {
    if (!is_line(x)) return refused(who, x);
    return gt_squeeze(f(gt_unsqueeze(x, 2), 1, size), GT_AXES(2));
}

gt_tensor gt_max_pool1d(gt_tensor x, gt_pool_options options) {
    return pooled("max_pool1d", gt_max_pool2d, x, options);
}
gt_tensor gt_avg_pool1d(gt_tensor x, gt_pool_options options) {
    return pooled("avg_pool1d", gt_avg_pool2d, x, options);
}
gt_tensor gt_adaptive_max_pool1d(gt_tensor x, int64_t size) {
    return shared("adaptive_max_pool1d", gt_adaptive_max_pool2d, x, size);
}
gt_tensor gt_adaptive_avg_pool1d(gt_tensor x, int64_t size) {
    return shared("adaptive_avg_pool1d", gt_adaptive_avg_pool2d, x, size);
}

static gt_tensor pool_samples(gt_samples *s, int i, pool *f) {
    gt_pool_options o = {.kernel = {3}, .stride = {2}, .padding = {1}};
    switch (i) {
    case 0: return f(gt_sample_distinct(s, GT_SHAPE(2, 2, 6)), (gt_pool_options){.kernel = {2}});
    case 1: return f(gt_sample_distinct(s, GT_SHAPE(1, 2, 6)), o);
    case 2: o.count_padding = true; return f(gt_sample_distinct(s, GT_SHAPE(1, 1, 5)), o);
    case 3: return f(gt_sample(s, GT_SHAPE(0, 2, 4)), o);
    case 4: return gt_sample_bad(s, "has rank 4"), f(gt_sample(s, GT_SHAPE(2, 1, 4, 4)), o);
    case 5:
        gt_sample_bad(s, "kernel 0 of axis 3");
        return f(gt_sample(s, GT_SHAPE(2, 1, 4)), (gt_pool_options){.stride = {1}});
    default: return gt_samples_end(s);
    }
}
static gt_tensor max_samples(gt_samples *s, int i) { return pool_samples(s, i, gt_max_pool1d); }
static gt_tensor mean_samples(gt_samples *s, int i) { return pool_samples(s, i, gt_avg_pool1d); }

static gt_tensor share_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, int64_t)) {
    switch (i) {
    case 0: return f(gt_sample_distinct(s, GT_SHAPE(2, 2, 7)), 3);
    case 1: return f(gt_sample_distinct(s, GT_SHAPE(1, 2, 3)), 5);
    case 2: return gt_sample_bad(s, "has rank 2"), f(gt_sample(s, GT_SHAPE(4, 4)), 2);
    case 3: return gt_sample_bad(s, "size 0 of axis 3"), f(gt_sample(s, GT_SHAPE(1, 1, 4)), 0);
    default: return gt_samples_end(s);
    }
}
static gt_tensor share_max_samples(gt_samples *s, int i) {
    return share_samples(s, i, gt_adaptive_max_pool1d);
}
static gt_tensor share_mean_samples(gt_samples *s, int i) {
    return share_samples(s, i, gt_adaptive_avg_pool1d);
}

const gt_composition gt__composition_max_pool1d = {"max_pool1d", max_samples};
const gt_composition gt__composition_avg_pool1d = {"avg_pool1d", mean_samples};
const gt_composition gt__composition_adaptive_max_pool1d = {"adaptive_max_pool1d",
                                                            share_max_samples};
const gt_composition gt__composition_adaptive_avg_pool1d = {"adaptive_avg_pool1d",
                                                            share_mean_samples};

/* ---- global_avg_pool ------------------------------------------------------------------------- */

static gt_tensor global_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_global_avg_pool(gt_sample(s, GT_SHAPE(2, 3, 4, 2)));
    case 1: return gt_global_avg_pool(gt_sample(s, GT_SHAPE(2, 3, 5)));
    case 2: return gt_global_avg_pool(gt_sample(s, GT_SHAPE(0, 3, 2, 2)));
    case 3:
        return gt_sample_bad(s, "at least 3 axes"),
               gt_global_avg_pool(gt_sample(s, GT_SHAPE(2, 3)));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_global_avg_pool = {"global_avg_pool", global_samples};

gt_tensor gt_global_avg_pool(gt_tensor x) {
    char text[320];
    gt_axes axes = {0, {0}};
    if (gt_valid(x) && gt_rank(x) < 3)
        return gt_fail(
            x.tape,
            "global_avg_pool: %s has rank %d: [n, channels, ...] of at least 3 axes is needed",
            gt__named(x, text, sizeof text), gt_rank(x));
    for (int d = 2; d < gt_rank(x); d++) axes.axis[axes.count++] = d;
    return gt_mean(x, axes, false);
}
