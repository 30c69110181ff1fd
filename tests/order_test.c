/* tests/order_test.c: values that stand channels last within a run change no bit: random networks of convolutions and what
 * stands between them, planned and by the reference executor, on one thread and on all. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

#include "ops/channel_norm.h"
#include "support/harness.h"
#include "support/printed.h"
#include "support/quick.h"

enum { MOST_WEIGHTS = 8, MOST_LAYERS = 6, FIRST = 160, NETWORKS = 120, MANY = 20000 };

typedef struct network {
    uint64_t state;
    gt_tape *tape;
    gt_tensor x, old; /* old: an earlier value, of any shape */
    gt_tensor weight[MOST_WEIGHTS];
    int weights;
} network;

static int draw(network *n, int count) {
    n->state = n->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((n->state >> 33) % (uint64_t)count);
}

static gt_tensor weight(network *n, gt_shape shape) {
    const gt_tensor w = gt_mul_scalar(gt_randn(n->tape, shape, GT_F32), 0.2);
    if (n->weights < MOST_WEIGHTS) n->weight[n->weights++] = w;
    return w;
}

static int64_t channels(gt_tensor x) { return gt_dim(x, 1); }

static gt_tensor convolved(network *n, gt_tensor x) {
    static const int64_t to[] = {8, 16, 20, 32};
    const int64_t size = 1 + draw(n, 3), step = 1 + draw(n, 4) / 3;
    const int64_t groups = channels(x) % 4 == 0 && draw(n, 5) == 0 ? 4 : 1;
    gt_conv_options o = {.stride = {step, 1 + draw(n, 4) / 3},
                         .padding = {draw(n, 3), draw(n, 3)},
                         .dilation = {1, 1 + draw(n, 6) / 5},
                         .groups = groups};
    const int64_t count = to[draw(n, 4)];
    if (draw(n, 5) == 0) {
        o.padding[0] = o.padding[1] = 0;
        return gt_conv_transpose2d(x, weight(n, GT_SHAPE(channels(x), count / groups, size, 3)), o);
    }
    return gt_conv2d(x, weight(n, GT_SHAPE(count, channels(x) / groups, size, 3)), o);
}

static gt_tensor element_wise(network *n, gt_tensor x) {
    switch (draw(n, 7)) {
    case 0: return gt_relu(x);
    case 1: return gt_tanh(gt_mul(x, x));
    case 2: return gt_add(x, weight(n, GT_SHAPE(channels(x), 1, 1)));
    case 3: return gt_mul(x, weight(n, gt_shape_of(x)));
    case 4: return gt_where(gt_greater(x, gt_mean(x, GT_AXES(2, 3), true)), x, gt_sin(x));
    case 5: return gt_sub(x, weight(n, GT_SHAPE(gt_dim(x, 0), 1, gt_dim(x, 2), 1)));
    default: return gt_same_shape(gt_shape_of(x), gt_shape_of(n->old)) ? gt_add(x, n->old) : x;
    }
}

/* About a first element that is no stranger to its channel, mostly: else sums are made twice. */
static gt_tensor normalized(network *n, gt_tensor x) {
    const gt_shape each = GT_SHAPE(channels(x));
    if (draw(n, 4) == 0) x = gt_add_scalar(x, 100);
    return gt__channel_norm(x, weight(n, each), weight(n, each), 1e-3);
}

/* What does not know the order, folds included. */
static gt_tensor otherwise(network *n, gt_tensor x) {
    switch (draw(n, 10)) {
    case 0: return gt_transpose(x, 2, 3);
    case 1: return gt_slice(x, 1, 0, channels(x) - channels(x) / 4, 1);
    case 2: return gt_concat(GT_LIST(x, gt_neg(x)), 1);
    case 3:
        if (gt_dim(x, 2) < 3 || gt_dim(x, 3) < 3) return x;
        return gt_max_pool2d(x, (gt_pool_options){.kernel = {2, 2}});
    case 4: return gt_softmax(x, -1);
    case 5: return gt_mul(x, gt_sum(x, GT_AXES(0, 2, 3), true));
    case 6: return gt_batch_norm(x, "norm", true, (gt_batch_norm_options){0});
    case 7: return gt_matmul(x, weight(n, GT_SHAPE(gt_dim(x, 3), 7)));
    case 8: {
        const gt_tensor w = weight(n, GT_SHAPE(channels(x), 8));
        return gt_permute(gt_matmul(gt_permute(x, GT_AXES(0, 2, 3, 1)), w), GT_AXES(0, 3, 1, 2));
    }
    default: return gt_keep(x);
    }
}

static gt_tensor loss_of(network *n) {
    static const int64_t from[] = {3, 8, 16, 32};
    const gt_shape shape =
        GT_SHAPE(1 + draw(n, 12), from[draw(n, 4)], 6 + draw(n, 15), 6 + draw(n, 15));
    gt_tensor x = n->x = n->old = gt_randn(n->tape, shape, GT_F32);
    const int layers = 2 + draw(n, MOST_LAYERS - 1);
    for (int i = 0; i < layers; i++) {
        const gt_tensor before = x;
        x = convolved(n, x);
        if (draw(n, 3) == 0) x = normalized(n, x);
        if (draw(n, 4)) x = element_wise(n, x);
        if (draw(n, 2)) x = element_wise(n, x);
        if (draw(n, 3) == 0) x = otherwise(n, x);
        n->old = before;
    }
    return gt_sum(gt_tanh(x), GT_ALL, false);
}

static void run(uint64_t seed, bool reference, network *n, gt_tensor *gradient) {
    *n = (network){.state = seed, .tape = gt_tape_new(NULL)};
    gt_reference(n->tape, reference);
    const gt_tensor loss = loss_of(n);
    gt_tensor wanted[MOST_WEIGHTS + 1] = {n->x};
    for (int k = 0; k < n->weights; k++) wanted[k + 1] = n->weight[k];
    if (!gt_valid(loss)) return; /* an image had no pixels left */
    cr_assert(gt_grads(loss, wanted, n->weights + 1, gradient), "%s", gt_error(n->tape));
    cr_assert(gt_run(n->tape, gradient, n->weights + 1), "%s", gt_error(n->tape));
}

static bool stands_last(gt_tape *tape) { return printed_steps(tape, "channels last", "") > 0; }

static void compare(uint64_t seed, int *compared, int *last) {
    network n[2];
    gt_tensor gradient[2][MOST_WEIGHTS + 1];
    for (int i = 0; i < 2; i++) run(seed, i == 1, &n[i], gradient[i]);
    cr_assert_eq(gt_failed(n[0].tape), gt_failed(n[1].tape));
    for (int k = 0; k <= n[0].weights && !gt_failed(n[0].tape); k++) {
        const size_t bytes = (size_t)gt_numel(gt_shape_of(gradient[0][k])) * sizeof(float);
        cr_assert(memcmp(gt_data(gradient[0][k]), gt_data(gradient[1][k]), bytes) == 0,
                  "network %d, gradient %d", (int)seed, k);
        *compared += k == 0;
        *last += k == 0 && stands_last(n[0].tape);
    }
    for (int i = 0; i < 2; i++) gt_tape_free(n[i].tape);
}

/* Most networks have images large enough for the loops that know the order. */
Test(order, networks_have_the_bits_of_the_reference) {
    const int count = is_soak() ? MANY : NETWORKS;
    int compared = 0, last = 0;
    for (int i = 0; i < count; i++) {
#ifdef GT_WITH_OPENMP
        const int all = omp_get_max_threads();
        if (i % 2) omp_set_num_threads(1);
#endif
        compare(FIRST + (uint64_t)i, &compared, &last);
#ifdef GT_WITH_OPENMP
        omp_set_num_threads(all);
#endif
    }
    cr_assert_gt(compared, count / 2);
    cr_assert_gt(last, count / 3, "%d of %d", last, compared);
}

/* Images that lie channels last, shown with their channels as axis 1, are read as they lie. */
Test(order, images_that_lie_so_have_the_same_results) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor lying = gt_randn(tape, GT_SHAPE(5, 13, 14, 24), GT_F32);
    const gt_tensor shown = gt_permute(lying, GT_AXES(0, 3, 1, 2));
    const gt_tensor copied = gt_mul_scalar(shown, 1);
    const gt_tensor w = gt_randn(tape, GT_SHAPE(16, 24, 3, 3), GT_F32);
    const gt_tensor g = gt_randn(tape, GT_SHAPE(5, 16, 13, 14), GT_F32);
    for (int stride = 1; stride < 3; stride++) {
        const gt_conv_options o = {.padding = {1, 1}, .stride = {stride, stride}};
        const gt_tensor y[2] = {gt_conv2d(shown, w, o), gt_conv2d(copied, w, o)};
        const gt_tensor up =
            gt_slice(gt_slice(g, 2, 0, gt_dim(y[0], 2), 1), 3, 0, gt_dim(y[0], 3), 1);
        gt_tensor slope[2];
        for (int i = 0; i < 2; i++) slope[i] = gt_grad(gt_sum(gt_mul(y[i], up), GT_ALL, false), w);
        cr_assert(gt_data(y[0]) && gt_data(y[1]) && gt_data(slope[0]) && gt_data(slope[1]), "%s",
                  gt_error(tape));
        const size_t bytes = (size_t)gt_numel(gt_shape_of(y[0])) * sizeof(float);
        cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), bytes) == 0);
        cr_assert(memcmp(gt_data(slope[0]), gt_data(slope[1]), 16 * 24 * 9 * sizeof(float)) == 0);
    }
    gt_tape_free(tape);
}

/* The same for batch norm, which has loops for both orders, brings what is mixed into one, and sums images in parts. */
static void expect_the_same_norm(gt_dtype dtype, gt_shape lying, double away) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_keep(gt_add_scalar(gt_randn(tape, lying, dtype), away));
    const gt_tensor u = gt_keep(gt_randn(tape, lying, dtype));
    const gt_shape each = GT_SHAPE(lying.dim[3]);
    const gt_tensor w = gt_randn(tape, each, dtype), b = gt_randn(tape, each, dtype);
    cr_assert(gt_data(x) && gt_data(u), "%s", gt_error(tape));
    gt_tensor result[4][6];
    for (int i = 0; i < 4; i++) {
        gt_tensor in[2] = {gt_permute(x, GT_AXES(0, 3, 1, 2)), gt_permute(u, GT_AXES(0, 3, 1, 2))};
        for (int k = 0; k < 2; k++)
            if (i >> k & 1) in[k] = gt_keep(gt_mul_scalar(in[k], 1));
        const gt_tensor y = gt__channel_norm(in[0], w, b, 1e-5);
        for (int k = 0; k < 3; k++) result[i][k] = gt_out(y, k);
        const gt_tensor wanted[] = {in[0], w, b};
        cr_assert(gt_vjps(y, in[1], wanted, 3, &result[i][3]), "%s", gt_error(tape));
    }
    for (int i = 1; i < 4; i++)
        for (int k = 0; k < 6; k++) {
            const void *one = gt_data(result[0][k]), *other = gt_data(result[i][k]);
            const size_t n = (size_t)gt_numel(gt_shape_of(result[i][k])) * gt_dtype_size(dtype);
            cr_assert(one && other, "%s", gt_error(tape));
            cr_assert(memcmp(one, other, n) == 0, "result %d, copies %d", k, i);
        }
    gt_tape_free(tape);
}

Test(order, batch_norm_has_the_same_bits_in_either) {
    static const gt_shape lying[] = {{4, {5, 13, 14, 24}},
                                     {4, {3, 40, 33, 8}},
                                     {4, {6, 8, 8, 1}},
                                     {4, {2, 64, 32, 3}}};
    for (size_t i = 0; i < sizeof lying / sizeof *lying; i++)
        for (int away = 0; away < 2; away++) {
            expect_the_same_norm(GT_F32, lying[i], 100.0 * away);
            expect_the_same_norm(GT_F64, lying[i], 100.0 * away);
        }
}

/* Floats cannot hold a mean of a thousand as exactly as sums of such differences need it. */
Test(order, batch_norm_far_from_zero_keeps_its_digits) {
    enum { CHANNELS = 3 };
    gt_tape *tape = gt_tape_new(NULL);
    const gt_shape shape = GT_SHAPE(16, CHANNELS, 24, 24);
    const gt_tensor x = gt_keep(gt_add_scalar(gt_randn(tape, shape, GT_F32), 1000));
    const gt_tensor u = gt_keep(gt_add_scalar(gt_randn(tape, shape, GT_F32), 1));
    gt_tensor y[2], slope[2][3];
    for (int i = 0; i < 2; i++) {
        const gt_dtype dtype = i ? GT_F64 : GT_F32;
        const gt_tensor w = gt_full(tape, GT_SHAPE(CHANNELS), 1, dtype);
        const gt_tensor wanted[] = {gt_cast(x, dtype), w, gt_mul_scalar(w, 0)};
        y[i] = gt__channel_norm(wanted[0], w, wanted[2], 1e-5);
        cr_assert(gt_vjps(y[i], gt_cast(u, dtype), wanted, 3, slope[i]), "%s", gt_error(tape));
    }
    const gt_tensor off[] = {gt_sub(gt_cast(y[0], GT_F64), y[1]),
                             gt_sub(gt_cast(slope[0][0], GT_F64), slope[1][0]),
                             gt_sub(gt_cast(slope[0][1], GT_F64), slope[1][1])};
    static const double most[] = {2e-6, 2e-6, 1e-3};
    for (int k = 0; k < 3; k++) {
        const double worst = gt_item(gt_max(gt_abs(off[k]), GT_ALL, false));
        cr_assert(worst <= most[k], "%d: %g; %s", k, worst, gt_error(tape));
    }
    gt_tape_free(tape);
}

/* Batch norms alone stand channels last between each other, but not doubles. */
static gt_tensor chain_of_norms(gt_tape *tape, gt_dtype dtype, bool reference) {
    gt_reference(tape, reference);
    const gt_tensor x = gt_randn(tape, GT_SHAPE(6, 20, 9, 31), dtype);
    const gt_tensor w = gt_randn(tape, GT_SHAPE(20), dtype),
                    b = gt_randn(tape, GT_SHAPE(20), dtype);
    gt_tensor y = x;
    for (int i = 0; i < 4; i++) y = gt_tanh(gt__channel_norm(y, w, b, 1e-5));
    const gt_tensor loss = gt_sum(gt_square(y), GT_ALL, false);
    gt_tensor slope[3];
    cr_assert(gt_grads(loss, (gt_tensor[]){x, w, b}, 3, slope), "%s", gt_error(tape));
    for (int i = 0; i < 3; i++) slope[i] = gt_flatten(slope[i], 0, -1);
    return gt_concat(gt_list_of(3, slope), 0);
}

static void expect_chains_alike(gt_dtype dtype) {
    gt_tape *tape[2] = {gt_tape_new(NULL), gt_tape_new(NULL)};
    const gt_tensor slope[2] = {chain_of_norms(tape[0], dtype, false),
                                chain_of_norms(tape[1], dtype, true)};
    const void *data[2] = {gt_data(slope[0]), gt_data(slope[1])};
    cr_assert(data[0] && data[1], "%s%s", gt_error(tape[0]), gt_error(tape[1]));
    cr_assert_eq(stands_last(tape[0]), dtype == GT_F32);
    cr_assert(memcmp(data[0], data[1], (size_t)gt_dim(slope[0], 0) * gt_dtype_size(dtype)) == 0);
    for (int i = 0; i < 2; i++) gt_tape_free(tape[i]);
}

Test(order, chains_of_batch_norms_have_the_bits_of_the_reference) {
    expect_chains_alike(GT_F32);
    expect_chains_alike(GT_F64);
}
