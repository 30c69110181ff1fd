/* bench/common/workload_perceptrons.c: W1, W2, W3, W12: products, biases and activations. */
#include "workload.h"

#include <math.h>

enum { SAMPLES = 64, INPUTS = 1000, HIDDEN = 100, OUTPUTS = 10 }; /* the seed loop */
/* Layers of the deep ones, and between two checkpoints; as many as PyTorch's checkpoint_sequential makes of them. What comes
   after the sixth is not worth one: its backward pass comes at once. */
enum { DEEP = 50, SEGMENT = 7, FORGOTTEN = 6 * SEGMENT };

/* ---- W1, W1s: two matrix products and a sigmoid, by plain gradient descent ----------------------- */

static bool prepare_seed_loop(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = bench_draw_normal(&draw, SAMPLES * INPUTS, 1);
    t->y = bench_draw_normal(&draw, SAMPLES * OUTPUTS, 1);
    return t->x && t->y &&
           bench_start_from(t, "w1", GT_SHAPE(INPUTS, HIDDEN),
                            bench_draw_normal(&draw, INPUTS * HIDDEN, t->what->scale)) &&
           bench_start_from(t, "w2", GT_SHAPE(HIDDEN, OUTPUTS),
                            bench_draw_normal(&draw, HIDDEN * OUTPUTS, 1));
}

static gt_tensor seed_loop(training *t) {
    const gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(SAMPLES, INPUTS), GT_F32);
    const gt_tensor y = gt_borrow(t->tape, t->y, GT_SHAPE(SAMPLES, OUTPUTS), GT_F32);
    const gt_tensor w1 = bench_weight(t, GT_SHAPE(INPUTS, HIDDEN), "w1");
    const gt_tensor w2 = bench_weight(t, GT_SHAPE(HIDDEN, OUTPUTS), "w2");
    return gt_sum_squared_error(gt_matmul(gt_sigmoid(gt_matmul(x, w1)), w2), y);
}

/* ---- W2, W3, W12: relu between the layers, cross-entropy ------------------------------------------- */

static int64_t width_of(const workload *w, int layer) {
    if (w->widths[0]) return w->widths[layer];
    return layer == 0 ? w->inputs : layer == w->layers ? BENCH_CLASSES : w->width;
}

static bool prepare_layer(training *t, bench_draw *draw, int i) {
    const workload *w = t->what;
    const int64_t in = width_of(w, i), out = width_of(w, i + 1);
    const double bound = 1 / sqrt((double)in);
    char weight[16], bias[16];
    snprintf(weight, sizeof weight, "w%d", i);
    snprintf(bias, sizeof bias, "b%d", i);
    float *weights = w->widths[0] ? bench_draw_uniform(draw, in * out, -bound, bound)
                                  : bench_draw_normal(draw, in * out, sqrt(2) * bound);
    return bench_start_from(t, weight, GT_SHAPE(in, out), weights) &&
           bench_start_from(t, bias, GT_SHAPE(out), bench_draw_uniform(draw, out, -bound, bound));
}

static bool prepare_perceptron(training *t) {
    const workload *w = t->what;
    bench_draw draw = bench_draw_start();
    t->x = bench_draw_uniform(&draw, w->batch * width_of(w, 0), 0, 1);
    t->label = bench_draw_labels(&draw, w->batch, BENCH_CLASSES);
    bool ok = t->x && t->label;
    for (int i = 0; ok && i < w->layers; i++) ok = prepare_layer(t, &draw, i);
    return ok;
}

static gt_tensor perceptron(training *t) {
    const workload *w = t->what;
    gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(w->batch, width_of(w, 0)), GT_F32);
    for (int i = 0; i < w->layers; i++) {
        const int64_t in = width_of(w, i), out = width_of(w, i + 1);
        const bool again = w->checkpoints && i < FORGOTTEN;
        if (again && i % SEGMENT == 0) gt_checkpoint_begin(t->tape);
        x = gt_matmul(x, bench_weight(t, GT_SHAPE(in, out), "w%d", i));
        x = gt_add(x, bench_weight(t, GT_SHAPE(out), "b%d", i));
        if (i + 1 < w->layers) x = gt_relu(x);
        if (again && i % SEGMENT == SEGMENT - 1) gt_checkpoint_end(t->tape);
    }
    return gt_cross_entropy(x, gt_borrow(t->tape, t->label, GT_SHAPE(w->batch), GT_I32));
}

static gt_optim *plain(gt_params *params, double rate, double momentum) {
    return gt_sgd(params, (gt_sgd_options){.rate = rate, .momentum = momentum});
}
static gt_optim *tiny_steps(gt_params *params) { return plain(params, 1e-4, 0); }
static gt_optim *small_steps(gt_params *params) { return plain(params, 1e-3, 0); }
static gt_optim *momentum_steps(gt_params *params) { return plain(params, 0.05, 0.9); }
static gt_optim *large_steps(gt_params *params) { return plain(params, 0.1, 0); }

#define SEED_LOOP(title, w1_scale)                                                                 \
    {                                                                                              \
        .name = title, .prepare = prepare_seed_loop, .loss = seed_loop, .scale = (w1_scale),       \
        .optimizer = tiny_steps, .flop = 26.0e6                                                    \
    }
/* half: of bf16, whose limit is not that of floats; then work is 0. */
#define WIDTHS(title, images, n, updates, half, work, ...)                                         \
    {                                                                                              \
        .name = title, .prepare = prepare_perceptron, .loss = perceptron, .batch = (images),       \
        .layers = (n), .widths = {__VA_ARGS__}, .optimizer = updates, .flop = (work),              \
        .bf16 = (half)                                                                             \
    }
#define DEEP_ONE(title, images, in, hidden, again, half, work)                                     \
    {                                                                                              \
        .name = title, .prepare = prepare_perceptron, .loss = perceptron, .batch = (images),       \
        .layers = DEEP + 1, .inputs = (in), .width = (hidden), .optimizer = small_steps,           \
        .checkpoints = (again), .flop = (work), .bf16 = (half)                                     \
    }

const workload bench_perceptrons[] = {
    SEED_LOOP("W1", 1),
    SEED_LOOP("W1s", 0.03162277660168379),
    WIDTHS("W2", 128, 3, momentum_steps, false, 308.1e6, 784, 512, 256, BENCH_CLASSES),
    WIDTHS("W3", 32, 2, large_steps, false, 6.55e6, 784, 64, BENCH_CLASSES),
    WIDTHS("W2-bf16", 128, 3, momentum_steps, true, 0, 784, 512, 256, BENCH_CLASSES),
    DEEP_ONE("W12", 256, 1024, 1024, false, false, 80e9),
    DEEP_ONE("W12c", 256, 1024, 1024, true, false, 80e9),
    DEEP_ONE("W12b", 8192, 256, 256, false, false, 160e9),
    DEEP_ONE("W12bc", 8192, 256, 256, true, false, 160e9),
    DEEP_ONE("W12-bf16", 256, 1024, 1024, false, true, 0),
    {.name = NULL},
};
