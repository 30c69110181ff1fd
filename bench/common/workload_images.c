/* bench/common/workload_images.c: W4 and W5, convolutional networks. */
#include "workload.h"

#include <math.h>

/* ---- W4: two convolutions, a pooling, two dense layers; Adam ------------------------------------------ */

enum { SMALL_BATCH = 64, SIDE = 28, MAPS = 32, FLAT = MAPS * 14 * 14, DENSE = 128 };

/* Uniform in +-1 / sqrt(fan_in), weights before biases. */
static bool prepare_layer(training *t, bench_draw *draw, const char *name, gt_shape shape,
                          int64_t fan_in, int64_t outputs) {
    const double bound = 1 / sqrt((double)fan_in);
    char full[32];
    snprintf(full, sizeof full, "%s/weight", name);
    if (!bench_start_from(t, full, shape, bench_draw_uniform(draw, gt_numel(shape), -bound, bound)))
        return false;
    snprintf(full, sizeof full, "%s/bias", name);
    return bench_start_from(t, full, GT_SHAPE(outputs),
                            bench_draw_uniform(draw, outputs, -bound, bound));
}

static bool prepare_small(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = bench_draw_uniform(&draw, SMALL_BATCH * SIDE * SIDE, 0, 1);
    t->label = bench_draw_labels(&draw, SMALL_BATCH, BENCH_CLASSES);
    return t->x && t->label && prepare_layer(t, &draw, "conv1", GT_SHAPE(MAPS, 1, 3, 3), 9, MAPS) &&
           prepare_layer(t, &draw, "conv2", GT_SHAPE(MAPS, MAPS, 3, 3), 9 * MAPS, MAPS) &&
           prepare_layer(t, &draw, "fc1", GT_SHAPE(FLAT, DENSE), FLAT, DENSE) &&
           prepare_layer(t, &draw, "fc2", GT_SHAPE(DENSE, BENCH_CLASSES), DENSE, BENCH_CLASSES);
}

static gt_tensor small_network(training *t) {
    const gt_conv_options same = {.padding = {1, 1}};
    gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(SMALL_BATCH, 1, SIDE, SIDE), GT_F32);
    x = gt_relu(gt_conv2d_layer(x, "conv1", MAPS, 3, same));
    x = gt_relu(gt_conv2d_layer(x, "conv2", MAPS, 3, same));
    x = gt_flatten(gt_max_pool2d(x, (gt_pool_options){.kernel = {2, 2}}), 1, -1);
    x = gt_linear(gt_relu(gt_linear(x, "fc1", DENSE)), "fc2", BENCH_CLASSES);
    return gt_cross_entropy(x, gt_borrow(t->tape, t->label, GT_SHAPE(SMALL_BATCH), GT_I32));
}

static gt_optim *adam(gt_params *params) {
    return gt_adam(params, (gt_adam_options){.rate = 1e-3});
}

/* ---- W5: three residual blocks with batch norm; gradient descent with momentum ---------------------------- */

enum { BATCH = 32, COLOURS = 3, SQUARE = 32, BLOCKS = 3, STEM = 16, TOP = 64 };

static const struct block {
    const char *first, *second, *shortcut; /* NULL: the input itself */
    int64_t in, out, stride;
} blocks[BLOCKS] = {{"a1", "a2", NULL, 16, 16, 1},
                    {"b1", "b2", "b3", 16, 32, 2},
                    {"c1", "c2", "c3", 32, 64, 2}};

static bool prepare_filter(training *t, bench_draw *draw, const char *name, int64_t in, int64_t out,
                           int64_t kernel) {
    const gt_shape shape = GT_SHAPE(out, in, kernel, kernel);
    const double bound = 1 / sqrt((double)(in * kernel * kernel));
    char full[32];
    snprintf(full, sizeof full, "%s/filter", name);
    return bench_start_from(t, full, shape,
                            bench_draw_uniform(draw, gt_numel(shape), -bound, bound));
}

static bool prepare_residual(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = bench_draw_uniform(&draw, BATCH * COLOURS * SQUARE * SQUARE, 0, 1);
    t->label = bench_draw_labels(&draw, BATCH, BENCH_CLASSES);
    bool ok = t->x && t->label && prepare_filter(t, &draw, "stem", COLOURS, STEM, 3);
    for (int i = 0; ok && i < BLOCKS; i++) {
        const struct block *b = &blocks[i];
        ok = prepare_filter(t, &draw, b->first, b->in, b->out, 3) &&
             prepare_filter(t, &draw, b->second, b->out, b->out, 3) &&
             (!b->shortcut || prepare_filter(t, &draw, b->shortcut, b->in, b->out, 1));
    }
    return ok && prepare_layer(t, &draw, "top", GT_SHAPE(TOP, BENCH_CLASSES), TOP, BENCH_CLASSES);
}

static gt_tensor filtered(training *t, gt_tensor x, const char *name, int64_t out, int64_t kernel,
                          int64_t stride) {
    const gt_conv_options how = {.stride = {stride, stride}, .padding = {kernel / 2, kernel / 2}};
    const gt_shape shape = GT_SHAPE(out, gt_dim(x, 1), kernel, kernel);
    x = gt_conv2d(x, bench_weight(t, shape, "%s/filter", name), how);
    return gt_batch_norm(x, name, true, (gt_batch_norm_options){0});
}

static gt_tensor residual_network(training *t) {
    gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(BATCH, COLOURS, SQUARE, SQUARE), GT_F32);
    x = gt_relu(filtered(t, x, "stem", STEM, 3, 1));
    for (int i = 0; i < BLOCKS; i++) {
        const struct block *b = &blocks[i];
        gt_tensor y = gt_relu(filtered(t, x, b->first, b->out, 3, b->stride));
        y = filtered(t, y, b->second, b->out, 3, 1);
        if (b->shortcut) x = filtered(t, x, b->shortcut, b->out, 1, b->stride);
        x = gt_relu(gt_residual(x, y));
    }
    x = gt_linear(gt_global_avg_pool(x), "top", BENCH_CLASSES);
    return gt_cross_entropy(x, gt_borrow(t->tape, t->label, GT_SHAPE(BATCH), GT_I32));
}

static gt_optim *momentum(gt_params *params) {
    return gt_sgd(params, (gt_sgd_options){.rate = 0.1, .momentum = 0.9});
}

const workload bench_images[] = {
    {.name = "W4",
     .prepare = prepare_small,
     .loss = small_network,
     .optimizer = adam,
     .flop = 3.14e9},
    {.name = "W5",
     .prepare = prepare_residual,
     .loss = residual_network,
     .optimizer = momentum,
     .flop = 2.37e9},
    {.name = NULL},
};
