/* tests/seeds_losses_test.c: activations, losses and penalties of the course notes, with their exact figures,
 * the notes' mistakes put right, and the ends of the number line. The numbers in the names are the rows of the
 * notes (row_4) and their mistakes (mistake_11). */
#include <criterion/criterion.h>

#include "support/quick.h"

typedef gt_tensor activation(gt_tensor x);

static gt_tensor vector(gt_tape *tape, int n, const double *data) {
    return gt_input(tape, data, GT_SHAPE(n), GT_F64);
}

static bool same(double is, double expected, double tolerance) {
    return is == expected || quick_near(is, expected, tolerance);
}

static void expect_all(gt_tensor t, const char *what, const double *expected, double tolerance) {
    const double *data = gt_data(t);
    cr_assert(data, "%s: %s", what, gt_error(t.tape));
    for (int i = 0; i < gt_numel(gt_shape_of(t)); i++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): expected has numel elements
        cr_assert(same(data[i], expected[i], tolerance), "%s: element %d is %.17g, not %.17g", what,
                  i, data[i], expected[i]);
}

static void expect_item(gt_tensor t, const char *what, double expected, double tolerance) {
    const double value = gt_item(t);
    cr_assert(same(value, expected, tolerance), "%s is %.17g, not %.17g: %s", what, value, expected,
              gt_error(t.tape));
}

/* The value and the derivative of f at one point. */
static void expect_at(activation *f, const char *what, double x, double value, double derivative,
                      double tolerance) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor at = quick_scalar(tape, x), y = f(at);
    expect_item(y, what, value, tolerance);
    expect_item(gt_grad(y, at), what, derivative, tolerance);
    gt_tape_free(tape);
}

static void expect_finite(gt_tensor t, const char *what) {
    const double *data = gt_data(t);
    cr_assert(data, "%s: %s", what, gt_error(t.tape));
    for (int i = 0; i < gt_numel(gt_shape_of(t)); i++)
        cr_assert(isfinite(data[i]), "%s: element %d is %g", what, i, data[i]);
}

/* ---- steps -------------------------------------------------------------------------------------------- */

Test(seeds_losses, rows_1_to_3_and_mistake_41_three_steps_stay_apart) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = vector(tape, 3, (const double[]){-2, 0, 3});
    const struct {
        const char *name;
        gt_tensor y;
        double expected[3];
    } step[] = {{"hardlims", gt_hardlims(x), {-1, 1, 1}},
                {"step", gt_step(x), {0, 1, 1}},
                {"sign", gt_sign(x), {-1, 0, 1}}};
    for (int i = 0; i < 3; i++) {
        expect_all(step[i].y, step[i].name, step[i].expected, 0);
        expect_all(gt_grad(gt_sum(step[i].y, GT_ALL, false), x), step[i].name,
                   (const double[]){0, 0, 0}, 0);
    }
    gt_tape_free(tape);
}

/* ---- activations -------------------------------------------------------------------------------------- */

static gt_tensor leaky_hundredth(gt_tensor x) { return gt_leaky_relu(x, 0.01); }
static gt_tensor leaky_tenth(gt_tensor x) { return gt_leaky_relu(x, 0.1); }
static gt_tensor elu_of_1(gt_tensor x) { return gt_elu(x, 1); }
static gt_tensor elu_of_2(gt_tensor x) { return gt_elu(x, 2); }
static gt_tensor celu_of_2(gt_tensor x) { return gt_celu(x, 2); }

Test(seeds_losses, row_4_and_mistake_16_the_sigmoid) {
    expect_at(gt_sigmoid, "sigmoid", 0, 0.5, 0.25, 0);
    cr_assert(same(pow(0.25, 5), 9.77e-4, 5e-7) && same(pow(0.25, 10), 9.54e-7, 5e-10));
    gt_tape *tape = gt_tape_new(NULL);
    cr_assert_eq(gt_item(gt_sigmoid(quick_scalar(tape, 37))), 1,
                 "the open interval ends where f64 does");
    gt_tape_free(tape);
}

Test(seeds_losses, row_5_tanh_does_not_overflow) {
    expect_at(gt_tanh, "tanh", 0, 0, 1, 0);
    expect_at(gt_tanh, "tanh", 711, 1, 0, 0);
    expect_at(gt_tanh, "tanh", -1e4, -1, 0, 0);
}

Test(seeds_losses, rows_6_and_7_and_mistake_27_relus) {
    expect_at(gt_relu, "relu", 2, 2, 1, 0);
    expect_at(gt_relu, "relu", 0, 0, 0, 0);
    expect_at(gt_relu, "relu", -2, 0, 0, 0);
    expect_at(leaky_hundredth, "leaky relu of 0.01", -2, -0.02, 0.01, 0);
    expect_at(leaky_tenth, "leaky relu of 0.1", -2, -0.2, 0.1, 0);
    expect_at(leaky_tenth, "leaky relu of 0.1", 2, 2, 1, 0);
}

Test(seeds_losses, row_8_and_mistake_12_prelu) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x =
        gt_input(tape, (const double[]){-3, 2, -1, 0, 5, -4}, GT_SHAPE(3, 2), GT_F64);
    const gt_tensor slope = vector(tape, 2, (const double[]){0.25, 2}), y = gt_prelu(x, slope);
    expect_all(y, "a slope above 1 is no maximum", (const double[]){-0.75, 2, -0.25, 0, 5, -8}, 0);
    const gt_tensor sum = gt_sum(y, GT_ALL, false);
    expect_all(gt_grad(sum, slope), "to the slope: the negative x, summed",
               (const double[]){-4, -4}, 0);
    expect_all(gt_grad(sum, x), "to x", (const double[]){0.25, 1, 0.25, 2, 1, 2}, 0);
    gt_tape_free(tape);
}

Test(seeds_losses, row_9_and_mistakes_11_and_28_elu) {
    expect_at(elu_of_1, "elu of 1", 2, 2, 1, 0);
    expect_at(elu_of_1, "elu of 1, smooth at 0", 0, 0, 1, 0);
    expect_at(elu_of_2, "elu of 2, from the left at 0", 0, 0, 2, 0);
    expect_at(elu_of_2, "elu of 2, a little to the right", 1e-9, 1e-9, 1, 0);
    expect_at(elu_of_2, "elu of 2 saturates at -2", -50, -2, 2 * exp(-50), 0);
    expect_at(elu_of_1, "elu near 0", -1e-12, -1e-12, 1, 1e-11);
    expect_at(celu_of_2, "celu of 2, smooth at 0", 0, 0, 1, 0);
    expect_at(celu_of_2, "celu of 2", -2, 2 * expm1(-1), exp(-1), 1e-16);
}

Test(seeds_losses, row_10_selu) {
    const double lambda = 1.0507009873554805, alpha = 1.6732632423543772;
    expect_at(gt_selu, "selu", 1, lambda, lambda, 0);
    expect_at(gt_selu, "selu", -1, lambda * alpha * expm1(-1), lambda * alpha * exp(-1), 1e-15);
    expect_at(gt_selu, "selu", -1e4, -lambda * alpha, 0, 1e-15);
    /* a standard normal keeps its mean and its variance: these are the fixed point */
    double mean = 0, square = 0;
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_linspace(tape, -12, 12, 240001, GT_F64);
    const double *at = gt_data(x), *y = gt_data(gt_selu(x));
    for (int i = 0; i < 240001; i++) {
        const double mass = exp(-at[i] * at[i] / 2) * 0.39894228040143268 * 1e-4;
        mean += mass * y[i];
        square += mass * y[i] * y[i];
    }
    cr_assert(same(mean, 0, 1e-8) && same(square, 1, 1e-8), "%.10f %.10f", mean, square);
    gt_tape_free(tape);
}

Test(seeds_losses, rows_11_and_12_and_mistakes_10_and_32_gelu_and_swish_turn) {
    expect_at(gt_gelu, "least gelu", -0.751791524693564, -0.169971, 0, 5e-7);
    expect_at(gt_silu, "least swish", -1.278464542761074, -0.278465, 0, 5e-7);
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_linspace(tape, -6, 6, 1201, GT_F64);
    const double *exact = gt_data(gt_gelu(x)), *form = gt_data(gt_gelu_tanh(x));
    const double *selu = gt_data(gt_selu(x));
    double apart = 0;
    for (int i = 0; i < 1201; i++) {
        apart = fmax(apart, fabs(exact[i] - form[i]));
        cr_assert(i == 0 || selu[i] > selu[i - 1], "selu is monotone");
    }
    cr_assert(apart > 4e-4 && apart < 5e-4, "the two forms differ by %g", apart);
    gt_tape_free(tape);
}

static const struct {
    const char *name;
    activation *f;
    double low, low_slope, high, high_slope; /* at -1e4 and 1e4 */
} far_out[] = {
    {"identity", gt_identity, -1e4, 1, 1e4, 1},
    {"relu6", gt_relu6, 0, 0, 6, 0},
    {"hard_sigmoid", gt_hard_sigmoid, 0, 0, 1, 0},
    {"elu", elu_of_1, -1, 0, 1e4, 1},
    {"celu", celu_of_2, -2, 0, 1e4, 1},
    {"selu", gt_selu, -1.7580993408473768, 0, 10507.009873554805, 1.0507009873554805},
    {"gelu", gt_gelu, 0, 0, 1e4, 1},
    {"gelu_tanh", gt_gelu_tanh, 0, 0, 1e4, 1},
    {"silu", gt_silu, 0, 0, 1e4, 1},
    {"mish", gt_mish, 0, 0, 1e4, 1},
    {"softsign", gt_softsign, -1e4 / 10001, 1 / (10001. * 10001.), 1e4 / 10001,
     1 / (10001. * 10001.)},
    {"softplus", gt_softplus, 0, 0, 1e4, 1},
};

Test(seeds_losses, activations_far_out) {
    for (size_t i = 0; i < sizeof far_out / sizeof *far_out; i++) {
        expect_at(far_out[i].f, far_out[i].name, -1e4, far_out[i].low, far_out[i].low_slope, 1e-15);
        expect_at(far_out[i].f, far_out[i].name, 1e4, far_out[i].high, far_out[i].high_slope,
                  1e-11);
    }
}

/* In f32, where squares and exponentials overflow sooner, and for the second derivative. */
Test(seeds_losses, activations_far_out_in_f32_twice) {
    gt_tape *tape = gt_tape_new(NULL);
    for (size_t i = 0; i < sizeof far_out / sizeof *far_out; i++) {
        gt_tape_reset(tape);
        const gt_tensor x =
            gt_input(tape, (const float[]){-1e4f, -100, 100, 1e4f}, GT_SHAPE(4), GT_F32);
        const gt_tensor gx = gt_grad(gt_sum(far_out[i].f(x), GT_ALL, false), x);
        expect_finite(gt_cast(gx, GT_F64), far_out[i].name);
        expect_finite(gt_cast(gt_grad(gt_sum(gx, GT_ALL, false), x), GT_F64), far_out[i].name);
    }
    gt_tape_free(tape);
}

Test(seeds_losses, row_13_maxout_is_a_maximum_of_lines_and_fits_convex_functions) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_unsqueeze(gt_linspace(tape, -1, 1, 41, GT_F64), 1);
    /* 2 units of 3 pieces: |x| with a floor of 1/4, and the tangents of x^2 at -1/2, 0 and 1/2 */
    const double weight[6] = {-1, 1, 0, -1, 0, 1}, bias[6] = {0, 0, 0.25, -0.25, 0, -0.25};
    cr_assert(
        gt_param_set(gt_tape_params(tape), "out/weight", GT_SHAPE(1, 6), GT_F64, weight, true));
    cr_assert(gt_param_set(gt_tape_params(tape), "out/bias", GT_SHAPE(6), GT_F64, bias, true));
    const double *y = gt_data(gt_maxout(x, "out", 2, 3)), *at = gt_data(x);
    cr_assert(y, "%s", gt_error(tape));
    for (int i = 0; i < 41; i++) {
        cr_assert(same(y[2 * i], fmax(fabs(at[i]), 0.25), 1e-15), "at %g", at[i]);
        const double above = at[i] * at[i] - y[2 * i + 1];
        cr_assert(above >= -1e-15 && above <= 0.25 + 1e-15, "at %g: %g", at[i], above);
    }
    gt_tape_free(tape);
}

Test(seeds_losses, rows_14_and_62_softmax_and_the_sigmoid_of_two_classes) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor z = vector(tape, 3, (const double[]){1, 2, 3});
    const double sum = exp(1) + exp(2) + exp(3);
    expect_all(gt_softmax(z, 0), "softmax",
               (const double[]){exp(1) / sum, exp(2) / sum, exp(3) / sum}, 1e-15);
    const gt_tensor two = vector(tape, 2, (const double[]){0.3, -1.1});
    expect_item(gt_select(gt_softmax(two, 0), 0, 0), "softmax of two", 1 / (1 + exp(-1.4)), 1e-15);
    gt_tape_free(tape);
}

Test(seeds_losses, row_15_softplus_is_minus_log_sigmoid) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = vector(tape, 5, (const double[]){-30, -1, 0, 2, 30});
    const double *minus_log = gt_data(gt_neg(gt_log(gt_sigmoid(x))));
    expect_all(gt_softplus(gt_neg(x)), "softplus(-x)", minus_log, 2e-15);
    expect_item(gt_softplus(quick_scalar(tape, 1e4)), "softplus(10000)", 1e4, 0);
    gt_tape_free(tape);
}

/* ---- losses ------------------------------------------------------------------------------------------- */

Test(seeds_losses, rows_17_and_23_squares_and_absolutes) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = vector(tape, 4, (const double[]){1, 2, 3, -4}),
                    t = vector(tape, 4, (const double[]){1, 0, 4, 0});
    expect_item(gt_sum_squared_error(p, t), "sum of squares", 21, 0);
    expect_item(gt_mean_squared_error(p, t), "mean of squares", 5.25, 0);
    const gt_tensor l1 = gt_mean_absolute_error(p, t), huber = gt_huber(p, t, 2);
    expect_item(l1, "mean of |d|", 1.75, 0);
    expect_all(gt_grad(l1, p), "its gradient", (const double[]){0, 0.25, -0.25, -0.25}, 0);
    expect_item(huber, "huber", (0 + 2 + 0.5 + 2 * (4 - 1)) / 4, 0);
    expect_all(gt_grad(huber, p), "its gradient", (const double[]){0, 0.5, -0.25, -0.5}, 0);
    gt_tape_free(tape);
}

Test(seeds_losses, rows_18_to_20_and_63_likelihoods) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor z = gt_input(tape, (const double[]){1, 2, 3, 0, -1, 4}, GT_SHAPE(2, 3), GT_F64);
    const gt_tensor labels = gt_input(tape, (const int32_t[]){2, 0}, GT_SHAPE(2), GT_I32);
    const gt_tensor one_hot = gt_one_hot(labels, 3, GT_F64), p = gt_softmax(z, -1);
    const double first = 3 - log(exp(1) + exp(2) + exp(3)), second = -log(1 + exp(-1) + exp(4));
    const double loss = -(first + second) / 2;
    expect_item(gt_cross_entropy(z, labels), "from labels", loss, 1e-15);
    expect_item(gt_nll(gt_log_softmax(z, -1), labels), "from log-probabilities", loss, 1e-15);
    expect_item(gt_soft_cross_entropy(z, one_hot), "from one-hot targets", loss, 1e-15);
    expect_item(gt_categorical_cross_entropy(p, one_hot), "from probabilities", loss, 1e-14);
    /* log-likelihood of Bernoulli variables: x log mu + (1 - x) log(1 - mu) */
    const gt_tensor mu = vector(tape, 2, (const double[]){0.2, 0.7}),
                    x = vector(tape, 2, (const double[]){1, 0});
    expect_item(gt_binary_cross_entropy(mu, x), "Bernoulli", -(log(0.2) + log(0.3)) / 2, 1e-15);
    const gt_tensor logits = gt_sub(gt_log(mu), gt_log1p(gt_neg(mu)));
    expect_item(gt_binary_cross_entropy_logits(logits, x), "from logits",
                -(log(0.2) + log(0.3)) / 2, 1e-15);
    gt_tape_free(tape);
}

Test(seeds_losses, mistake_13_cross_entropy_is_no_distance) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = vector(tape, 2, (const double[]){0.25, 0.75}),
                    q = vector(tape, 2, (const double[]){0.5, 0.5});
    const double entropy = -(0.25 * log(0.25) + 0.75 * log(0.75));
    expect_item(gt_categorical_cross_entropy(p, p), "CE(P, P) = H(P)", entropy, 1e-15);
    const double pq = gt_item(gt_categorical_cross_entropy(q, p)),
                 qp = gt_item(gt_categorical_cross_entropy(p, q));
    cr_assert(fabs(pq - qp) > 0.1, "%g and %g", pq, qp);
    expect_item(gt_kl_divergence(gt_log(p), p), "KL(P, P)", 0, 0);
    expect_item(gt_kl_divergence(gt_log(q), p), "KL(P, Q) = CE(P, Q) - H(P)", pq - entropy, 1e-15);
    gt_tape_free(tape);
}

Test(seeds_losses, mistake_37_bits_and_nats_differ_by_log_2) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = quick_scalar(tape, 0.3);
    const double nats = gt_item(gt_neg(gt_log(p))), bits = gt_item(gt_neg(gt_log2(p)));
    cr_assert(same(nats / bits, 0.6931, 5e-5) && same(nats, bits * log(2), 1e-15));
    gt_tape_free(tape);
}

Test(seeds_losses, row_21_hinge_and_its_many_solutions) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor s =
        gt_input(tape, (const double[]){3.2, 5.1, -1.7, 1.3, 4.9, 2, 2.2, 2.5, -3.1},
                 GT_SHAPE(3, 3), GT_F64);
    const gt_tensor labels = gt_input(tape, (const int64_t[]){0, 1, 2}, GT_SHAPE(3), GT_I64);
    const gt_tensor loss = gt_hinge(s, labels, 1);
    expect_item(loss, "hinge", (2.9 + 0 + 12.9) / 3, 1e-15);
    expect_all(gt_grad(loss, s), "its gradient",
               (const double[]){-1. / 3, 1. / 3, 0, 0, 0, 0, 1. / 3, 1. / 3, -2. / 3}, 1e-16);
    expect_item(gt_hinge(s, labels, 2), "margin 2", ((5.1 - 3.2 + 2) + 0 + (5.3 + 2 + 5.6 + 2)) / 3,
                1e-14);
    /* W and 2 W both lose nothing */
    const gt_tensor w = gt_mul_scalar(gt_eye(tape, 3, GT_F64), 1.5);
    expect_item(gt_hinge(w, labels, 1), "W", 0, 0);
    expect_item(gt_hinge(gt_mul_scalar(w, 2), labels, 1), "2 W", 0, 0);
    gt_tape_free(tape);
}

Test(seeds_losses, row_22_and_mistake_34_the_perceptron_counts_the_boundary) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x =
        gt_input(tape, (const double[]){1, 2, -1, 1, 3, -2}, GT_SHAPE(3, 2), GT_F64);
    const gt_tensor y = vector(tape, 3, (const double[]){1, -1, -1});
    const gt_tensor w = vector(tape, 2, (const double[]){1, 1}),
                    none = vector(tape, 2, (const double[]){0, 0});
    const gt_tensor loss =
        gt_perceptron_loss(gt_matmul(x, w), y); /* scores 3, 0, 1: the last two are wrong */
    expect_item(loss, "J", 1, 0);
    expect_all(gt_grad(loss, w), "minus the sum of y x", (const double[]){-1 + 3, 1 - 2}, 0);
    const gt_tensor start = gt_perceptron_loss(gt_matmul(x, none), y);
    expect_item(start, "J at w = 0", 0, 0);
    expect_all(gt_grad(start, none), "and yet it learns", (const double[]){-1 - 1 + 3, -2 + 1 - 2},
               0);
    gt_tape_free(tape);
}

Test(seeds_losses, rows_24_to_26_and_mistake_26_the_total_loss) {
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    const double w1[4] = {1, -1, 0.5, 2}, w2[4] = {1, 0, -2, 3};
    cr_assert(gt_param_set(params, "W1", GT_SHAPE(2, 2), GT_F64, w1, true));
    cr_assert(gt_param_set(params, "W2", GT_SHAPE(2, 2), GT_F64, w2, true));
    const gt_tensor x = gt_input(tape, (const double[]){1, 2, -1, 3}, GT_SHAPE(2, 2), GT_F64);
    const gt_tensor labels = gt_input(tape, (const int32_t[]){0, 1}, GT_SHAPE(2), GT_I32);
    const gt_tensor hidden = gt_relu(gt_matmul(x, gt_param_leaf(tape, "W1")));
    const gt_tensor data = gt_hinge(gt_matmul(hidden, gt_param_leaf(tape, "W2")), labels, 1);
    /* hidden (2, 3), (0.5, 7); scores (-4, 9), (-13.5, 21); losses 14, 0 */
    expect_item(data, "(1/N) sum L_i", 7, 0);
    expect_item(gt_l2(tape, "W1"), "R(W1)", 6.25, 0);
    expect_item(gt_l2(tape, "W2"), "R(W2)", 14, 0);
    const gt_tensor total = gt_add(data, gt_mul_scalar(gt_l2(tape, "W?"), 0.5));
    expect_item(total, "the total, the penalty once and not N times", 7 + 0.5 * 20.25, 0);
    const double *g =
        gt_data(gt_grad(gt_mul_scalar(gt_l2(tape, "W2"), 0.5), gt_param_leaf(tape, "W2")));
    for (int i = 0; i < 4; i++) cr_assert_eq(g[i], w2[i], "lambda sum w^2 decays by 2 lambda w");
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(seeds_losses, rows_27_and_28_and_mistakes_1_and_2_penalties) {
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    const double w1[4] = {1, 0, 0, 0}, w2[4] = {.25, .25, .25, .25};
    cr_assert(gt_param_set(params, "net/w1", GT_SHAPE(4), GT_F64, w1, true));
    cr_assert(gt_param_set(params, "net/w2", GT_SHAPE(4), GT_F64, w2, true));
    const gt_tensor x = gt_ones(tape, GT_SHAPE(4), GT_F64);
    expect_item(gt_dot(x, gt_param_leaf(tape, "net/w1")), "w1 x", 1, 0);
    expect_item(gt_dot(x, gt_param_leaf(tape, "net/w2")), "w2 x", 1, 0);
    expect_item(gt_l2(tape, "*/w1"), "L2 of w1, not 3", 1, 0);
    expect_item(gt_l2(tape, "*/w2"), "L2 of w2, not 2.25", .25, 0);
    expect_item(gt_l1(tape, "*/w1"), "L1 of w1, not 3", 1, 0);
    expect_item(gt_l1(tape, "*/w2"), "L1 of w2, not 3", 1, 0);
    expect_item(gt_elastic_net(tape, "*/w1", 1), "elastic net of w1", 2, 0);
    expect_item(gt_elastic_net(tape, "*/w2", 1), "elastic net of w2", 1.25, 0);
    expect_all(gt_grad(gt_l1(tape, "*/w1"), gt_param_leaf(tape, "net/w1")), "flat at 0", w1, 0);
    gt_set_trainable(params, "*/w2", false);
    expect_item(gt_l2(tape, "net/*"), "what is fixed is not counted", 1, 0);
    cr_assert(!gt_data(gt_l2(tape, "*/w2")) &&
              quick_failed_with(tape, "l2: no trainable parameter matches \"*/w2\""));
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(seeds_losses, row_64_and_mistake_38_cross_entropy_cancels_saturation) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor z = quick_scalar(tape, -5), y = quick_scalar(tape, 1);
    const gt_tensor entropy = gt_binary_cross_entropy_logits(z, y);
    const gt_tensor squared = gt_mean_squared_error(gt_sigmoid(z), y);
    expect_item(entropy, "cross-entropy", 5.0067, 5e-5);
    expect_item(squared, "squared error", .9867, 5e-5);
    expect_item(gt_grad(entropy, z), "sigmoid - y", -.99331, 5e-6);
    expect_item(gt_grad(squared, z), "2 (sigmoid - y) sigmoid'", -.01321, 5e-6);
    gt_tape_free(tape);
}

Test(seeds_losses, mistake_33_exclusive_or) {
    static const bool a[4] = {false, false, true, true}, b[4] = {false, true, false, true};
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = gt_input(tape, a, GT_SHAPE(4), GT_BOOL),
                    q = gt_input(tape, b, GT_SHAPE(4), GT_BOOL);
    const gt_tensor not_p = gt_logical_not(p), not_q = gt_logical_not(q);
    const gt_tensor right = gt_logical_or(gt_logical_and(p, not_q), gt_logical_and(not_p, q));
    const gt_tensor as_noted = gt_logical_or(gt_logical_and(p, q), gt_logical_and(not_p, not_q));
    expect_all(gt_cast(gt_logical_xor(p, q), GT_F64), "xor", (const double[]){0, 1, 1, 0}, 0);
    expect_all(gt_cast(right, GT_F64), "a not b + not a b", (const double[]){0, 1, 1, 0}, 0);
    expect_all(gt_cast(as_noted, GT_F64), "a b + not a not b is its opposite",
               (const double[]){1, 0, 0, 1}, 0);
    gt_tape_free(tape);
}

Test(seeds_losses, options_of_the_cross_entropy) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor z = gt_input(tape, (const double[]){1, 2, 3, 0, -1, 4, 9, (double)INFINITY, 9},
                                 GT_SHAPE(3, 3), GT_F64);
    const gt_tensor labels = gt_input(tape, (const int32_t[]){2, 0, -100}, GT_SHAPE(3), GT_I32);
    const gt_tensor weights = vector(tape, 3, (const double[]){0.5, 1, 3});
    const double a = log(exp(1) + exp(2) + exp(3)), b = log(1 + exp(-1) + exp(4)), s = 0.1;
    const double one = a - 3, two = b;
    gt_cross_entropy_options o = {.ignores = true, .ignored_label = -100};
    const gt_tensor plain = gt_cross_entropy_with(z, labels, o);
    expect_item(plain, "the third row does not count", (one + two) / 2, 1e-15);
    expect_finite(gt_grad(plain, z), "an infinite logit of a row that does not count");
    o.class_weights = weights;
    expect_item(gt_cross_entropy_with(z, labels, o), "weighted", (3 * one + 0.5 * two) / 3.5,
                1e-15);
    o.label_smoothing = s;
    const double soft_one = (0.5 * (a - 1) + (a - 2) + 3 * (a - 3)) / 3,
                 soft_two = (0.5 * b + (b + 1) + 3 * (b - 4)) / 3;
    expect_item(gt_cross_entropy_with(z, labels, o), "weighted and smoothed",
                ((1 - s) * (3 * one + 0.5 * two) + s * (soft_one + soft_two)) / 3.5, 1e-15);
    /* smoothing is a soft target */
    const gt_tensor y = gt_slice(labels, 0, 0, 2, 1), logits = gt_slice(z, 0, 0, 2, 1);
    const gt_tensor soft = gt_add_scalar(gt_mul_scalar(gt_one_hot(y, 3, GT_F64), 1 - s), s / 3);
    expect_item(gt_cross_entropy_with(logits, y, (gt_cross_entropy_options){.label_smoothing = s}),
                "smoothed", gt_item(gt_soft_cross_entropy(logits, soft)), 1e-15);
    gt_tape_free(tape);
}

Test(seeds_losses, distances_and_densities) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor a = gt_input(tape, (const double[]){3, 4, 0, 0, 1, 0}, GT_SHAPE(3, 2), GT_F64);
    const gt_tensor b = gt_input(tape, (const double[]){4, 3, 1, 1, -2, 0}, GT_SHAPE(3, 2), GT_F64);
    const gt_tensor cosine = gt_cosine_loss(a, b);
    expect_item(cosine, "cosines 24/25, none and -1", 1 - (0.96 + 0 - 1) / 3, 1e-15);
    expect_all(gt_slice(gt_grad(cosine, a), 0, 1, 2, 1), "no direction, no gradient",
               (const double[]){0, 0}, 0);
    const gt_tensor c = gt_zeros(tape, GT_SHAPE(3, 2), GT_F64);
    /* |a - c| = 5, 0, 1; |a - b| = sqrt 2, sqrt 2, 3 */
    const double root = sqrt(2);
    expect_item(gt_triplet_loss(a, c, b, 1), "triplet", (6 - root + 0 + 0) / 3, 1e-15);
    const gt_tensor alike = vector(tape, 3, (const double[]){1, 0, 0});
    const gt_tensor pair = gt_contrastive_loss(a, b, alike, 2);
    expect_item(pair, "contrastive", (2 + (2 - root) * (2 - root) + 0) / 6, 1e-15);
    expect_finite(gt_grad(gt_contrastive_loss(a, a, alike, 2), a), "rows that are equal");
    const gt_tensor mean = vector(tape, 2, (const double[]){1, 2}),
                    spread = vector(tape, 2, (const double[]){0, log(4)});
    const gt_tensor at = vector(tape, 2, (const double[]){2, 2});
    const double density =
        -log(exp(-0.5) / sqrt(2 * 3.141592653589793)) - log(1 / (2 * sqrt(2 * 3.141592653589793)));
    expect_item(gt_gaussian_nll(mean, spread, at), "minus the mean log-density", density / 2,
                1e-15);
    gt_tape_free(tape);
}

/* ---- at the ends -------------------------------------------------------------------------------------- */

Test(seeds_losses, probabilities_of_0_and_1) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = vector(tape, 2, (const double[]){0, 1}),
                    wrong = vector(tape, 2, (const double[]){1, 0});
    const gt_tensor right = gt_binary_cross_entropy(p, p);
    expect_item(right, "certain and right", 0, 0);
    expect_all(gt_grad(right, p), "without its targets",
               (const double[]){(double)INFINITY, -(double)INFINITY}, 0);
    const gt_tensor target = gt_stop_gradient(p), fixed = gt_binary_cross_entropy(p, target);
    expect_all(gt_grad(fixed, p), "each towards its target by 1/2", (const double[]){0.5, -0.5}, 0);
    expect_item(gt_binary_cross_entropy(p, wrong), "certain and wrong", (double)INFINITY, 0);
    expect_item(gt_binary_cross_entropy(quick_scalar(tape, 1e-300), quick_scalar(tape, 0)),
                "exact near 0", 1e-300, 0);
    const gt_tensor sure = gt_categorical_cross_entropy(p, target);
    expect_item(sure, "categorical", 0, 0);
    expect_all(gt_grad(sure, p), "its gradient", (const double[]){0, -1}, 0);
    const gt_tensor log_p = vector(tape, 2, (const double[]){-(double)INFINITY, 0}),
                    kl = gt_kl_divergence(log_p, target);
    expect_item(kl, "KL", 0, 0);
    expect_all(gt_grad(kl, log_p), "its gradient", (const double[]){0, -1}, 0);
    gt_tape_free(tape);
}

Test(seeds_losses, logits_at_the_ends) {
    gt_tape *tape = gt_tape_new(NULL);
    const double inf = (double)INFINITY;
    const gt_tensor z = vector(tape, 4, (const double[]){1e4, -1e4, 1e4, -1e4}),
                    y = vector(tape, 4, (const double[]){1, 0, 0, 1});
    const gt_tensor binary = gt_binary_cross_entropy_logits(z, y);
    expect_item(binary, "binary", 5000, 0);
    expect_all(gt_grad(binary, z), "its gradient", (const double[]){0, 0, 0.25, -0.25}, 0);
    const gt_tensor ends = vector(tape, 2, (const double[]){inf, -inf}),
                    sure = vector(tape, 2, (const double[]){1, 0});
    const gt_tensor certain = gt_binary_cross_entropy_logits(ends, sure);
    expect_item(certain, "binary at infinity", 0, 0);
    expect_all(gt_grad(certain, ends), "its gradient", (const double[]){0, 0}, 0);
    const gt_tensor far =
        gt_binary_cross_entropy_logits(quick_scalar(tape, 40), quick_scalar(tape, 1));
    expect_item(far, "log(1 + e^-40)", log1p(exp(-40)), 1e-32);

    const gt_tensor rows =
        gt_input(tape, (const double[]){1e4, -1e4, 0, -inf, 2, 2}, GT_SHAPE(2, 3), GT_F64);
    const gt_tensor labels = gt_input(tape, (const int32_t[]){1, 2}, GT_SHAPE(2), GT_I32);
    const gt_tensor target = gt_one_hot(labels, 3, GT_F64);
    const double loss = (2e4 + log(2)) / 2, gradient[6] = {0.5, -0.5, 0, 0, 0.25, -0.25};
    const gt_tensor forms[4] = {
        gt_cross_entropy(rows, labels), gt_soft_cross_entropy(rows, target),
        gt_cross_entropy_with(rows, labels,
                              (gt_cross_entropy_options){.ignores = true, .ignored_label = 7}),
        gt_nll(gt_log_softmax(rows, -1), labels)};
    for (int i = 0; i < 4; i++) {
        expect_item(forms[i], "cross-entropy", loss, 2e-12);
        expect_all(gt_grad(forms[i], rows), "its gradient", gradient, 1e-15);
    }
    const gt_tensor hinge = gt_hinge(rows, labels, 1);
    expect_item(hinge, "hinge", (20001 + 10001 + 1) / 2., 0);
    expect_all(gt_grad(hinge, rows), "its gradient", (const double[]){0.5, -1, 0.5, 0, 0.5, -0.5},
               0);
    gt_tape_free(tape);
}

Test(seeds_losses, differences_at_the_ends) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor p = vector(tape, 2, (const double[]){1e200, -1e200}),
                    t = vector(tape, 2, (const double[]){0, 0});
    const gt_tensor huber = gt_huber(p, t, 1);
    expect_item(huber, "huber", 1e200, 0);
    expect_all(gt_grad(huber, p), "its gradient", (const double[]){0.5, -0.5}, 0);
    const gt_tensor narrow = vector(tape, 2, (const double[]){-1e4, 1e4});
    const gt_tensor density = gt_gaussian_nll(t, narrow, t);
    expect_item(density, "a density of no width where the prediction is right",
                0.5 * log(2 * 3.141592653589793), 1e-12);
    expect_all(gt_grad(density, t), "its gradient", (const double[]){0, 0}, 0);
    expect_all(gt_grad(density, narrow), "and to the width", (const double[]){0.25, 0.25}, 0);
    gt_tape_free(tape);
}

/* ---- what is refused ---------------------------------------------------------------------------------- */

Test(seeds_losses, shapes_that_would_broadcast_are_refused_by_name) {
    gt_tensor (*const loss[])(gt_tensor, gt_tensor) = {
        gt_mean_squared_error,   gt_sum_squared_error,
        gt_mean_absolute_error,  gt_soft_cross_entropy,
        gt_kl_divergence,        gt_categorical_cross_entropy,
        gt_cosine_loss,          gt_perceptron_loss,
        gt_binary_cross_entropy, gt_binary_cross_entropy_logits,
    };
    gt_tape *tape = gt_tape_new(NULL);
    for (size_t i = 0; i < sizeof loss / sizeof *loss; i++) {
        gt_tape_reset(tape);
        const gt_tensor p = gt_name(gt_zeros(tape, GT_SHAPE(3, 1), GT_F64), "guess");
        const gt_tensor t = gt_name(gt_zeros(tape, GT_SHAPE(3), GT_F64), "truth");
        loss[i](p, t);
        cr_assert(quick_failed_with(tape, "guess[3,1]") && quick_failed_with(tape, "truth[3]"),
                  "%s", gt_error(tape));
    }
    gt_tape_free(tape);
}

/* ---- row 29: seeded masks ----------------------------------------------------------------------------- */

Test(seeds_losses, row_29_drop_connect_and_stochastic_depth) {
    gt_params *params = gt_params_new(NULL, 5);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor w = gt_ones(tape, GT_SHAPE(100, 100), GT_F64),
                    x = gt_ones(tape, GT_SHAPE(1000, 4), GT_F64);
    const gt_tensor dropped = gt_drop_connect(w, 0.25), depth = gt_stochastic_depth(x, 0.25);
    const double *each = gt_data(dropped), *row = gt_data(depth);
    int kept = 0, whole = 0;
    for (int i = 0; i < 10000; i++) {
        cr_assert(each[i] == 0 || each[i] == 1 / 0.75);
        kept += each[i] != 0;
    }
    for (int i = 0; i < 1000; i++) {
        for (int k = 1; k < 4; k++)
            cr_assert_eq(row[4 * i], row[4 * i + k], "a sample is dropped whole");
        cr_assert(row[4 * i] == 0 || row[4 * i] == 1 / 0.75);
        whole += row[4 * i] != 0;
    }
    cr_assert(abs(kept - 7500) < 5 * 43 && abs(whole - 750) < 5 * 14, "%d and %d", kept,
              whole); /* 5 sigma */
    const double *gradient = gt_data(gt_grad(gt_sum(depth, GT_ALL, false), x));
    for (int i = 0; i < 4000; i++)
        cr_assert_eq(gradient[i], row[i], "the gradient sees the same mask");
    const double *other = gt_data(gt_stochastic_depth(x, 0.25));
    cr_assert(memcmp(other, row, 4000 * sizeof *row) != 0, "the next mask is another");
    gt_tape_free(tape);
    gt_params_free(params);
}
