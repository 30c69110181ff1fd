/* tests/init_test.c: initializers against what they promise, and rows 30 to 37 of the course
 * notes: what an initializer does to activations, layer by layer. */
#include <criterion/criterion.h>

#include "support/quick.h"

/* ---- moments -------------------------------------------------------------------------------- */

typedef struct moments {
    double mean, std, least, most;
} moments;

static moments moments_of(const float *x, int64_t n) {
    moments m = {0, 0, (double)INFINITY, -(double)INFINITY};
    double squares = 0;
    for (int64_t i = 0; i < n; i++) m.mean += (double)x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) {
        squares += ((double)x[i] - m.mean) * ((double)x[i] - m.mean);
        m.least = fmin(m.least, (double)x[i]);
        m.most = fmax(m.most, (double)x[i]);
    }
    m.std = sqrt(squares / (double)n);
    return m;
}

static moments drawn(gt_shape shape, gt_init init) {
    gt_tape *tape = gt_tape_new(NULL);
    const float *x = gt_data(gt_param(tape, "w", shape, GT_F32, init));
    cr_assert_not_null(x, "%s", gt_error(tape));
    const moments m = moments_of(x, gt_numel(shape));
    gt_tape_free(tape);
    return m;
}

/* Within `share` of the standard deviation that is promised; the mean within 1 in 50 of it. */
static void has_std(gt_shape shape, gt_init init, double std, double share) {
    const moments m = drawn(shape, init);
    cr_assert(quick_near(m.std, std, share * std), "std %.6g, not %.6g", m.std, std);
    cr_assert(quick_near(m.mean, 0, 0.02 * std), "mean %.6g, std %.6g", m.mean, std);
}

Test(init, scaled_by_fan_in_fan_out_and_both) {
    const gt_shape flat = GT_SHAPE(400, 100), images = GT_SHAPE(64, 32, 3, 3);
    has_std(flat, gt_init_kaiming_normal(), sqrt(2.0 / 400), 0.01);
    has_std(flat, gt_init_kaiming_uniform(), sqrt(2.0 / 400), 0.01);
    has_std(flat, gt_init_xavier_normal(), sqrt(2.0 / 500), 0.01);
    has_std(flat, gt_init_xavier_uniform(), sqrt(2.0 / 500), 0.01);
    has_std(flat, gt_init_scaled_normal(GT_FAN_OUT, sqrt(2.0)), sqrt(2.0 / 100), 0.01);
    has_std(flat, gt_init_scaled_uniform(GT_FAN_OUT, 1), sqrt(1.0 / 100), 0.01);
    /* Row 36: a convolution's fan-in is its input channels times the kernel's size. */
    has_std(images, gt_init_kaiming_normal(), sqrt(2.0 / (32 * 9)), 0.02);
    has_std(images, gt_init_scaled_normal(GT_FAN_OUT, 1), sqrt(1.0 / (64 * 9)), 0.02);
    has_std(images, gt_init_xavier_uniform(), sqrt(2.0 / ((32 + 64) * 9)), 0.02);
}

Test(init, uniform_and_truncated_stay_within_their_bounds) {
    const moments u = drawn(GT_SHAPE(300, 300), gt_init_kaiming_uniform());
    const double bound = sqrt(6.0 / 300);
    cr_assert(u.least >= -bound && u.most <= bound && u.most > 0.999 * bound &&
              u.least < -0.999 * bound);
    const moments t = drawn(GT_SHAPE(300, 300), gt_init_truncated_normal(1, 0.5));
    cr_assert(t.least >= 0 && t.most <= 2 && t.least < 0.01 && t.most > 1.99);
    cr_assert(quick_near(t.mean, 1, 0.005) && quick_near(t.std, 0.8796 * 0.5, 0.004), "%g %g",
              t.mean, t.std);
}

/* Rows (or columns, whichever are fewer) are orthonormal, up to the gain. */
static void is_orthogonal(gt_shape shape, double gain) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor w = gt_param(tape, "w", shape, GT_F64, gt_init_orthogonal(gain));
    w = gt_flatten(w, 1, -1);
    const gt_tensor wide = gt_dim(w, 0) <= gt_dim(w, 1) ? w : gt_t(w);
    const gt_tensor unit = gt_mul_scalar(gt_eye(tape, gt_dim(wide, 0), GT_F64), gain * gain);
    const gt_tensor off = gt_abs(gt_sub(gt_matmul(wide, gt_t(wide)), unit));
    const double most = gt_item(gt_max(off, GT_ALL, false));
    cr_assert(most <= 1e-14 * gain * gain, "off by %g: %s", most, gt_error(tape));
    gt_tape_free(tape);
}

Test(init, orthogonal) {
    is_orthogonal(GT_SHAPE(40, 40), 1);
    is_orthogonal(GT_SHAPE(10, 60), 2);
    is_orthogonal(GT_SHAPE(60, 10), sqrt(2.0));
    is_orthogonal(GT_SHAPE(8, 4, 3, 3), 1);
    is_orthogonal(GT_SHAPE(1, 1), 3);
    gt_tape *tape = gt_tape_new(NULL);
    cr_assert_not_null(gt_data(gt_param(tape, "v", GT_SHAPE(5), GT_F64, gt_init_orthogonal(1))));
    cr_assert_eq(fabs(gt_item(gt_param(tape, "s", GT_SCALAR, GT_F64, gt_init_orthogonal(2)))), 2);
    gt_param(tape, "e", GT_SHAPE(0, 3), GT_F64, gt_init_orthogonal(1));
    gt_param(tape, "f", GT_SHAPE(3, 0), GT_F64, gt_init_orthogonal(1));
    gt_param(tape, "g", GT_SHAPE(0, 3), GT_F64, gt_init_kaiming_uniform());
    cr_assert(!gt_failed(tape), "%s", gt_error(tape));
    gt_tape_free(tape);
}

/* ---- rows 31 to 35: six layers
 * ------------------------------------------------------------------ The figures are those of
 * infinitely many inputs of standard deviation 1 (mean field), for 4096 inputs where the source
 * gives the weights' standard deviation itself. We run 1024 inputs and so double that. Layers of
 * this width stray from the figures by about 1 in sqrt(1024) in each layer; relu's strays add
 * up. */

enum { LAYERS = 6, WIDTH = 1024, BATCH = 128 };

typedef gt_tensor (*activation)(gt_tensor x);

static void layers(gt_init init, activation f, moments *layer) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_tensor x = gt_randn(tape, GT_SHAPE(BATCH, WIDTH), GT_F32);
    for (int k = 0; k < LAYERS; k++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", k);
        x = gt_keep(f(gt_matmul(x, gt_param(tape, name, GT_SHAPE(WIDTH, WIDTH), GT_F32, init))));
        const float *values = gt_data(x);
        cr_assert_not_null(values, "%s", gt_error(tape));
        layer[k] = moments_of(values, BATCH * WIDTH);
    }
    gt_tape_free(tape);
    gt_params_free(params);
}

static gt_tensor tanh_of(gt_tensor x) { return gt_tanh(x); }
static gt_tensor relu_of(gt_tensor x) { return gt_relu(x); }

static void stds(const moments *layer, const double *std, double share) {
    for (int k = 0; k < LAYERS; k++)
        cr_assert(quick_near(layer[k].std, std[k], share * std[k]), "layer %d: std %.4f, not %.4f",
                  k + 1, layer[k].std, std[k]);
}

Test(init, row_31_small_weights_let_tanh_layers_fade) {
    static const double std[LAYERS] = {.492, .289, .179, .113, .072, .046};
    moments layer[LAYERS];
    layers(gt_init_normal(0, 0.02), tanh_of, layer);
    stds(layer, std, 0.03);
}

Test(init, row_32_large_weights_saturate_tanh) {
    static const double std[LAYERS] = {.872, .853, .850, .849, .849, .849};
    moments layer[LAYERS];
    layers(gt_init_normal(0, 0.1), tanh_of, layer);
    stds(layer, std, 0.01);
    cr_assert(layer[5].most > 0.999 && layer[5].least < -0.999);
}

Test(init, row_33_xavier_keeps_tanh_layers_alive) {
    static const double std[LAYERS] = {.628, .486, .408, .358, .322, .294};
    moments layer[LAYERS];
    layers(gt_init_xavier_normal(), tanh_of, layer);
    stds(layer, std, 0.03);
}

Test(init, row_34_xavier_halves_relu_layers_every_two) {
    static const double std[LAYERS] = {.584, .413, .292, .2065, .146, .103};
    static const double mean[LAYERS] = {.399, .282, .199, .141, .0997, .071};
    moments layer[LAYERS];
    layers(gt_init_xavier_normal(), relu_of, layer);
    stds(layer, std, 0.1);
    for (int k = 0; k < LAYERS; k++) cr_assert(quick_near(layer[k].mean, mean[k], 0.1 * mean[k]));
}

Test(init, row_35_kaiming_keeps_relu_layers_alive) {
    static const double std[LAYERS] = {.826, .826, .826, .826, .826, .826};
    moments layer[LAYERS];
    layers(gt_init_kaiming_normal(), relu_of, layer);
    stds(layer, std, 0.1);
    for (int k = 0; k < LAYERS; k++)
        cr_assert(quick_near(layer[k].mean, .564, .0564), "%g", layer[k].mean);
}

/* The source prints 2 / sqrt(inputs): sqrt 2 times too much, so that E[x^2] doubles in every
 * layer. */
Test(init, mistake_3_the_printed_formula_explodes) {
    moments layer[LAYERS];
    layers(gt_init_normal(0, 2 / sqrt(WIDTH)), relu_of, layer);
    for (int k = 0; k < LAYERS; k++) {
        const double std = .826 * pow(2, (k + 1) / 2.0); /* 1.17 to 6.61 */
        cr_assert(quick_near(layer[k].std, std, 0.1 * std), "layer %d: std %.4f, not %.4f", k + 1,
                  layer[k].std, std);
    }
    for (int k = 1; k < LAYERS; k++) {
        const double a = pow(layer[k - 1].std, 2) + pow(layer[k - 1].mean, 2);
        const double b = pow(layer[k].std, 2) + pow(layer[k].mean, 2);
        cr_assert(quick_near(b / a, 2, 0.3), "layer %d: E[x^2] times %.3f", k + 1, b / a);
    }
}

/* ---- row 37: a residual branch --------------------------------------------------------------- */

static double variance(gt_tensor x) { return gt_item(gt_var(x, GT_ALL, 0, false)); }

Test(init, row_37_zeros_in_a_branch_keep_the_variance) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_randn(tape, GT_SHAPE(64, 100), GT_F32);
    const gt_shape shape = GT_SHAPE(100, 100);
    const gt_init kaiming = gt_init_kaiming_normal();
    const gt_tensor h = gt_relu(gt_matmul(x, gt_param(tape, "first", shape, GT_F32, kaiming)));
    const gt_tensor random = gt_matmul(h, gt_param(tape, "second", shape, GT_F32, kaiming));
    const gt_tensor zeros = gt_matmul(h, gt_param(tape, "zero", shape, GT_F32, gt_init_zeros()));
    cr_assert(variance(gt_add(random, x)) > 2 * variance(x), "%g", variance(gt_add(random, x)));
    cr_assert_eq(variance(gt_add(zeros, x)), variance(x));
    gt_tape_free(tape);
}

/* ---- row 30: weights that begin equal -------------------------------------------------------- */

typedef struct net {
    gt_tensor x, hidden, loss, w1, w2, b2;
} net;

/* 3 inputs, 2 hidden units, 1 output with a sigmoid, squared error at y = 1. */
static net small_net(gt_tape *tape, gt_init init, activation f) {
    static const double data[3] = {1, 2, -3};
    net n = {.x = gt_input(tape, data, GT_SHAPE(1, 3), GT_F64)};
    n.w1 = gt_param(tape, "w1", GT_SHAPE(3, 2), GT_F64, init);
    n.w2 = gt_param(tape, "w2", GT_SHAPE(2, 1), GT_F64, init);
    n.b2 = gt_param(tape, "b2", GT_SHAPE(1), GT_F64, gt_init_zeros());
    n.hidden = f(gt_matmul(n.x, n.w1));
    const gt_tensor y = gt_sigmoid(gt_add(gt_matmul(n.hidden, n.w2), n.b2));
    n.loss = gt_sum(gt_square(gt_add_scalar(gt_neg(y), 1)), GT_ALL, false);
    cr_assert(gt_backward(n.loss), "%s", gt_error(tape));
    return n;
}

static const double *gradient(gt_tensor t) { return gt_data(gt_grad_of(t)); }
static gt_tensor sigmoid_of(gt_tensor x) { return gt_sigmoid(x); }

/* The source says: all outputs are 0 and all gradients are 0. */
Test(init, row_30_and_mistake_8_zero_weights) {
    gt_tape *tape = gt_tape_new(NULL);
    const net s = small_net(tape, gt_init_zeros(), sigmoid_of);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(gradient(s.w1)[i], 0, "no weight of the first layer learns");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(((const double *)gt_data(s.hidden))[i], 0.5,
                     "but a sigmoid unit gives a half");
        cr_assert(quick_near(gradient(s.w2)[i], -0.125, 1e-15), "and the output weights learn");
    }
    cr_assert(quick_near(gradient(s.b2)[0], -0.25, 1e-15));
    gt_tape_free(tape);
    tape = gt_tape_new(NULL);
    const net r = small_net(tape, gt_init_zeros(), relu_of); /* here nothing but the bias learns */
    for (int i = 0; i < 6; i++) cr_assert_eq(gradient(r.w1)[i], 0);
    for (int i = 0; i < 2; i++) cr_assert_eq(gradient(r.w2)[i], 0);
    cr_assert(quick_near(gradient(r.b2)[0], -0.25, 1e-15));
    gt_tape_free(tape);
}

/* The source says: all gradients are equal. They are between units, which so stay copies of each
 * other. */
Test(init, row_30_and_mistake_9_constant_weights) {
    gt_tape *tape = gt_tape_new(NULL);
    const net n = small_net(tape, gt_init_constant(0.3), sigmoid_of);
    const double *g1 = gradient(n.w1), *g2 = gradient(n.w2);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(g1[2 * i], g1[2 * i + 1], "equal between hidden units");
    cr_assert_eq(g2[0], g2[1]);
    cr_assert(quick_near(g1[2] / g1[0], 2, 1e-14), "but in proportion to the inputs 1, 2, -3");
    cr_assert(quick_near(g1[4] / g1[0], -3, 1e-14));
    cr_assert(fabs(g1[0] - g2[0]) > 1e-3, "and different in the two layers");
    gt_tape_free(tape);
}
