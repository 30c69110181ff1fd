/* tests/support/sweep_threads.c: small trainings, large enough for their kernels to take threads, with 1, 2, 3 and 4
 * of them. Parameters, gradients' running averages and statistics must have the same bits after some steps. */
#include <string.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

#include "gradtape.h"
#include "support/sweeps.h"

enum { STEPS = 2, MOST_THREADS = 4 };

typedef struct story {
    const char *name;
    gt_tensor (*loss)(gt_tape *tape, gt_dtype dtype);
} story;

static gt_tensor drawn(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return gt_randn(tape, shape, dtype);
}

static gt_tensor weight(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype) {
    return gt_param(tape, name, shape, dtype, gt_init_xavier_uniform());
}

static gt_tensor labels(gt_tape *tape, int64_t count, int64_t classes) {
    int32_t label[4096];
    for (int64_t i = 0; i < count; i++) label[i] = (int32_t)(i * 7919 % classes);
    return gt_input(tape, label, GT_SHAPE(count), GT_I32);
}

static gt_tensor square_mean(gt_tensor x) { return gt_mean(gt_square(x), GT_ALL, false); }

/* ---- what is trained ------------------------------------------------------------------------- */

static gt_tensor products(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor x = drawn(tape, GT_SHAPE(160, 300), dtype);
    const gt_tensor a = weight(tape, "a", GT_SHAPE(300, 310), dtype);
    const gt_tensor thin =
        gt_matmul(gt_slice(x, 0, 0, 6, 1), weight(tape, "thin", GT_SHAPE(300, 5000), dtype));
    const gt_tensor y = gt_tanh(gt_matmul(x, a));
    const gt_tensor all = gt_matmul(gt_reshape(y, GT_SHAPE(2, 80, 310)), gt_t(a));
    return gt_add(square_mean(all), square_mean(thin));
}

static gt_tensor rounded_products(gt_tape *tape, gt_dtype dtype) {
    gt_autocast(tape, true);
    const gt_tensor y = products(tape, dtype);
    gt_autocast(tape, false);
    return y;
}

static gt_tensor convolutions(gt_tape *tape, gt_dtype dtype) {
    gt_tensor x = drawn(tape, GT_SHAPE(9, 3, 30, 30), dtype);
    x = gt_relu(gt_conv2d_layer(x, "first", 16, 3, (gt_conv_options){.padding = {1, 1}}));
    x = gt_max_pool2d(x, (gt_pool_options){.kernel = {2, 2}, .stride = {2, 2}});
    x = gt_conv2d_layer(x, "tiles", 16, 3, (gt_conv_options){.padding = {1, 1}});
    x = gt_relu(
        gt_conv2d_layer(x, "apart", 32, 3, (gt_conv_options){.stride = {2, 1}, .groups = 4}));
    x = gt_conv_transpose2d_layer(x, "back", 8, 3, (gt_conv_options){.stride = {2, 2}});
    return square_mean(gt_conv2d_layer(x, "plane", 1, 5, (gt_conv_options){.no_bias = true}));
}

static gt_tensor batch_norms(gt_tape *tape, gt_dtype dtype) {
    gt_tensor x = drawn(tape, GT_SHAPE(12, 8, 28, 28), dtype);
    x = gt_relu(gt_batch_norm(x, "batch", true, (gt_batch_norm_options){0}));
    x = gt_group_norm(gt_mul(x, weight(tape, "scale", GT_SHAPE(8, 1, 1), dtype)), "groups", 4);
    return square_mean(gt_avg_pool2d(x, (gt_pool_options){.kernel = {3, 3}, .stride = {2, 2}}));
}

static gt_tensor folds(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor x = gt_mul(drawn(tape, GT_SHAPE(300, 400), dtype),
                               weight(tape, "w", GT_SHAPE(300, 400), dtype));
    const gt_tensor rows = gt_logsumexp(x, GT_AXES(1), true),
                    columns = gt_var(x, GT_AXES(0), 1, true);
    const gt_tensor y = gt_mul(gt_softmax(gt_sub(x, rows), 0), gt_rsqrt(gt_add_scalar(columns, 1)));
    const gt_tensor ends = gt_add(gt_max(x, GT_AXES(0), false), gt_min(x, GT_AXES(0), false));
    const gt_tensor turned = gt_sum(gt_exp(gt_t(y)), GT_AXES(1), false);
    const gt_tensor order = gt_add(gt_cumsum(x, 1), gt_sort(x, 0, true));
    return gt_add(square_mean(gt_add(gt_add(ends, turned), order)),
                  gt_norm(gt_tanh(x), GT_ALL, false));
}

static gt_tensor places(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor table = weight(tape, "table", GT_SHAPE(200, 64), dtype),
                    index = labels(tape, 4000, 200);
    const gt_tensor taken = gt_dropout(gt_gather(table, index, 0), 0.2);
    const gt_tensor back = gt_scatter_add(table, index, gt_sin(taken), 0);
    const gt_tensor joined = gt_concat(GT_LIST(back, gt_flip(table, GT_ALL)), 0);
    return gt_add(square_mean(joined), gt_cross_entropy(taken, labels(tape, 4000, 64)));
}

static gt_tensor attention(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor tokens = gt_embedding(gt_reshape(labels(tape, 4 * 48, 50), GT_SHAPE(4, 48)),
                                          "tokens", 50, 96, dtype);
    gt_tensor x = gt_learned_positions(tokens, "places", 48);
    x = gt_transformer_block(x, "block", 4, 384,
                             (gt_transformer_options){.causal = true, .dropout = 0.1});
    x = gt_reshape(gt_linear(gt_layer_norm(x, "norm", 1e-5), "out", 50), GT_SHAPE(4 * 48, 50));
    return gt_cross_entropy(x, labels(tape, 4 * 48, 50));
}

static gt_tensor recurrence(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor x = drawn(tape, GT_SHAPE(48, 6, 64), dtype);
    return square_mean(gt_linear(gt_lstm(x, "lstm", 256, (gt_lstm_options){0}), "out", 32));
}

static const story stories[] = {
    {"products", products},
    {"products of bf16", rounded_products},
    {"convolutions", convolutions},
    {"normalized images", batch_norms},
    {"folds", folds},
    {"gathers and scatters", places},
    {"attention", attention},
    {"recurrence", recurrence},
};
enum { STORIES = sizeof stories / sizeof *stories };

/* ---- with how many threads ------------------------------------------------------------------- */

/* The parameters after some steps, or NULL with a reason on out. */
static gt_params *trained(FILE *out, const story *s, gt_dtype dtype, int threads) {
#ifdef GT_WITH_OPENMP
    omp_set_num_threads(threads);
#endif
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt =
        gt_adamw(params, (gt_adam_options){.rate = 1e-2, .clip_norm = 1, .weight_decay = 0.1});
    bool ok = opt != NULL;
    for (int step = 0; ok && step < STEPS; step++) {
        ok = gt_minimize(opt, s->loss(tape, dtype));
        if (!ok) fprintf(out, "%s with %d threads: %s\n", s->name, threads, gt_error(tape));
        gt_tape_reset(tape);
    }
    gt_optim_free(opt);
    gt_tape_free(tape);
    if (!ok) gt_params_free(params);
    return ok ? params : NULL;
}

/* NULL when all of one's values are those of the other, else the name of one that is not. */
static const char *other_than(const gt_params *one, const gt_params *other) {
    gt_param_info a, b;
    for (int i = 0; gt_params_at(one, i, &a); i++) {
        const size_t bytes = (size_t)gt_numel(a.shape) * gt_dtype_size(a.dtype);
        if (!gt_params_find(other, a.name, &b) || memcmp(a.data, b.data, bytes) != 0) return a.name;
    }
    return NULL;
}

static bool same_on_all(FILE *out, const story *s, gt_dtype dtype) {
    gt_params *alone = trained(out, s, dtype, 1);
    bool same = alone != NULL;
    for (int threads = 2; same && threads <= MOST_THREADS; threads++) {
        gt_params *together = trained(out, s, dtype, threads);
        const char *name = together ? other_than(alone, together) : "nothing";
        same = !name;
        if (name)
            fprintf(out, "FAIL %s in %s: %d threads give another %s than 1\n", s->name,
                    gt_dtype_name(dtype), threads, name);
        gt_params_free(together);
    }
    gt_params_free(alone);
    return same;
}

void sweep_threads(FILE *out, const char *name, score *total) {
    int told = 0, right = 0;
#ifdef GT_WITH_OPENMP
    const int before = omp_get_max_threads();
#endif
    for (int i = 0; i < STORIES; i++) {
        if (name && strcmp(name, stories[i].name) != 0) continue;
        for (int k = 0; k < 2; k++, told++)
            right += same_on_all(out, &stories[i], k ? GT_F64 : GT_F32);
    }
#ifdef GT_WITH_OPENMP
    omp_set_num_threads(before);
#endif
    fprintf(out, "trainings with 1 to %d threads: %d the same, %d not\n", MOST_THREADS, right,
            told - right);
    total->passed += right;
    total->failed += told - right;
}
