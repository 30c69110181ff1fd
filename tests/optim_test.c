/* tests/optim_test.c: optimizers against their formulas worked out by hand, and a builder's traps. */
#include <criterion/criterion.h>

#include "support/quick.h"

/* Three steps on loss = x^2 / 2 + x, whose gradient is x + 1, beside the formula in doubles. */
typedef double (*formula)(double x, double g, int t, double *state);

static void compare(gt_params *params, gt_optim *opt, formula next) {
    gt_tape *tape = gt_tape_new(params);
    double x = 2, state[2] = {0, 0};
    cr_assert_not_null(opt, "%s", gt_params_error(params));
    for (int t = 1; t <= 3; t++) {
        const gt_tensor w = quick_param(tape, "x", 2);
        const gt_tensor loss = gt_add(gt_mul_scalar(gt_square(w), 0.5), w);
        cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
        gt_tape_reset(tape);
        x = next(x, x + 1, t, state);
        cr_assert(quick_near(quick_value(params, "x"), x, 1e-14), "step %d: %.17g, not %.17g", t,
                  quick_value(params, "x"), x);
    }
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

static double sgd_next(double x, double g, int t, double *state) {
    (void)t;
    (void)state;
    return x - 0.1 * (g + 0.01 * x);
}
static double momentum_next(double x, double g, int t, double *state) {
    (void)t;
    state[0] = 0.9 * state[0] + g;
    return x - 0.1 * state[0];
}
static double nesterov_next(double x, double g, int t, double *state) {
    (void)t;
    state[0] = 0.9 * state[0] + g;
    return x - 0.1 * (g + 0.9 * state[0]);
}
static double adam_step(double g, int t, double *state) {
    state[0] = 0.9 * state[0] + 0.1 * g;
    state[1] = 0.999 * state[1] + 0.001 * g * g;
    return 0.05 * (state[0] / (1 - pow(0.9, t))) / (sqrt(state[1] / (1 - pow(0.999, t))) + 1e-8);
}
static double adam_next(double x, double g, int t, double *state) {
    return x - adam_step(g + 0.02 * x, t, state);
}
static double adamw_next(double x, double g, int t, double *state) {
    return x * (1 - 0.05 * 0.02) - adam_step(g, t, state);
}
static double clipped_next(double x, double g, int t, double *state) {
    (void)t;
    (void)state;
    return x - 0.1 * (g > 0.5 ? 0.5 : g);
}

Test(optim, sgd) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_sgd(p, (gt_sgd_options){.rate = 0.1, .weight_decay = 0.01}), sgd_next);
}
Test(optim, momentum) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_sgd(p, (gt_sgd_options){.rate = 0.1, .momentum = 0.9}), momentum_next);
}
Test(optim, nesterov) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_sgd(p, (gt_sgd_options){.rate = 0.1, .momentum = 0.9, .nesterov = true}),
            nesterov_next);
}
Test(optim, adam) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_adam(p, (gt_adam_options){.rate = 0.05, .weight_decay = 0.02}), adam_next);
}
Test(optim, adamw) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_adamw(p, (gt_adam_options){.rate = 0.05, .weight_decay = 0.02}), adamw_next);
}
Test(optim, clipping_by_value_and_by_norm) {
    gt_params *p = gt_params_new(NULL, 0);
    compare(p, gt_sgd(p, (gt_sgd_options){.rate = 0.1, .clip_value = 0.5}), clipped_next);
    p = gt_params_new(NULL, 0);
    compare(p, gt_sgd(p, (gt_sgd_options){.rate = 0.1, .clip_norm = 0.5}), clipped_next);
}

Test(optim, options_out_of_range_are_refused) {
    gt_params *p = gt_params_new(NULL, 0);
    cr_assert_null(gt_sgd(p, (gt_sgd_options){.rate = -1}));
    cr_assert(strstr(gt_params_error(p), "rate"), "%s", gt_params_error(p));
    cr_assert_null(gt_sgd(p, (gt_sgd_options){.momentum = 1}));
    cr_assert_null(gt_adam(p, (gt_adam_options){.beta2 = 1.5}));
    cr_assert(strstr(gt_params_error(p), "beta2"), "%s", gt_params_error(p));
    gt_params_free(p);
}

Test(optim, two_losses_over_two_sets_of_parameters) { /* a generator and a critic */
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *gen = gt_sgd(params, (gt_sgd_options){.rate = 0.1, .pattern = "gen/*", .name = "g"});
    gt_optim *critic =
        gt_sgd(params, (gt_sgd_options){.rate = 0.1, .pattern = "critic/*", .name = "c"});
    const gt_tensor a = quick_param(tape, "gen/a", 2), b = quick_param(tape, "critic/b", 3);
    const gt_tensor score = gt_mul(a, b);
    cr_assert(gt_minimize(critic, gt_neg(score)), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "gen/a"), 2);
    cr_assert(quick_near(quick_value(params, "critic/b"), 3.2, 1e-15));
    gt_tape_reset(tape);
    const gt_tensor again = gt_mul(quick_param(tape, "gen/a", 2), quick_param(tape, "critic/b", 3));
    cr_assert(gt_minimize(gen, again), "%s", gt_error(tape));
    cr_assert(quick_near(quick_value(params, "gen/a"), 2 - 0.32, 1e-15));
    cr_assert(quick_near(quick_value(params, "critic/b"), 3.2, 1e-15));
    gt_optim_free(gen);
    gt_optim_free(critic);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, a_loss_of_before_the_update_is_stale_for_the_second_optimizer) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1});
    const gt_tensor w = quick_param(tape, "w", 2);
    const gt_tensor h = gt_sin(w);
    cr_assert(gt_minimize(opt, gt_square(h)), "%s", gt_error(tape));
    const double after = quick_value(params, "w");
    cr_assert(!gt_minimize(opt, gt_exp(h)), "h was computed from the old w");
    cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "w"), after, "a failed step changes nothing");
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, micro_batches_with_different_dropout_masks) {
    gt_params *params = gt_params_new(NULL, 11);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 1});
    double sum[8] = {0};
    bool differ = false;
    for (int batch = 0; batch < 2; batch++) {
        double values[8];
        const gt_tensor w = gt_param(tape, "w", GT_SHAPE(8), GT_F64, gt_init_constant(1));
        const gt_tensor y = gt_keep(gt_dropout(w, 0.5));
        cr_assert(gt_backward(gt_sum(y, GT_ALL, false)), "%s", gt_error(tape));
        memcpy(values, gt_data(y), sizeof values);
        for (int i = 0; i < 8; i++) {
            differ = differ || (batch == 1 && values[i] != sum[i]);
            sum[i] += values[i]; /* w is 1, so the value is the mask and the gradient */
        }
        gt_tape_reset(tape);
    }
    cr_assert(differ, "the second recording draws a mask of its own");
    cr_assert(gt_update(opt), "%s", gt_params_error(params));
    gt_param_info info;
    gt_params_find(params, "w", &info);
    for (int i = 0; i < 8; i++) cr_assert_eq(((const double *)info.data)[i], 1 - sum[i]);
    cr_assert_null(info.grad, "used gradients are cleared");
    cr_assert(gt_update(opt), "nothing to update is no error: %s", gt_params_error(params));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, a_value_read_before_backward_changes_nothing) {
    double result[2];
    for (int read = 0; read < 2; read++) {
        gt_params *params = gt_params_new(NULL, 2);
        gt_tape *tape = gt_tape_new(params);
        gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 0.1});
        const double data[4] = {1, 2, 3, 4};
        for (int step = 0; step < 3; step++) {
            const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 2), GT_F64);
            const gt_tensor h = gt_tanh(gt_linear(x, "fc", 3));
            const gt_tensor loss = gt_sum(gt_square(h), GT_ALL, false);
            if (read) cr_assert(isfinite(gt_item(loss)) && gt_data(h));
            cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
            result[read] = gt_item(loss);
            gt_tape_reset(tape);
        }
        gt_optim_free(opt);
        gt_tape_free(tape);
        gt_params_free(params);
    }
    cr_assert_eq(result[0], result[1]);
}

Test(optim, a_label_out_of_range_changes_no_parameter) {
    gt_params *params = gt_params_new(NULL, 2);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 0.1});
    const float data[4] = {1, 2, 3, 4};
    const int32_t labels[2] = {0, 3};
    float before[6], state[64];
    gt_param_info info;
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 2), GT_F32);
    const gt_tensor logits = gt_linear(x, "fc", 3);
    gt_params_find(params, "fc/weight", &info);
    memcpy(before, info.data, sizeof before);
    cr_assert(
        !gt_minimize(opt, gt_cross_entropy(logits, gt_input(tape, labels, GT_SHAPE(2), GT_I32))));
    cr_assert(quick_failed_with(tape, "3"), "%s", gt_error(tape));
    gt_params_find(params, "fc/weight", &info);
    cr_assert_eq(memcmp(before, info.data, sizeof before), 0);
    memset(state, 0, sizeof state);
    if (gt_params_find(params, "adam:m:fc/weight", &info))
        cr_assert_eq(memcmp(info.data, state, 24), 0);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, a_loss_without_parameters_is_an_error) {
    gt_params *params = gt_params_new(NULL, 2);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 0.1});
    cr_assert(!gt_minimize(opt, gt_square(quick_scalar(tape, 2))));
    cr_assert(quick_failed_with(tape, "no trainable parameter"), "%s", gt_error(tape));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, uses_count_the_recording_and_not_the_optimizers_own) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params), *other = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.5});
    gt_param_info info;
    quick_param(other, "w", 3);
    cr_assert(gt_backward(gt_mul(quick_param(tape, "w", 3), quick_param(tape, "w", 3))));
    cr_assert(gt_update(opt), "%s", gt_params_error(params));
    gt_params_find(params, "w", &info);
    cr_assert_eq(info.uses, 3);
    gt_tape_reset(tape);
    gt_params_find(params, "w", &info);
    cr_assert_eq(info.uses, 1, "the other tape's");
    gt_optim_free(opt);
    gt_tape_free(other);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim, a_frozen_parameter_has_no_gradient_left) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.5});
    gt_param_info info;
    cr_assert(gt_backward(gt_square(quick_param(tape, "w", 3))));
    gt_set_trainable(params, "w", false);
    gt_params_find(params, "w", &info);
    cr_assert_null(info.grad);
    gt_set_trainable(params, "w", true);
    cr_assert(gt_update(opt));
    cr_assert_eq(quick_value(params, "w"), 3);
    gt_optim_free(opt);
    gt_tape_free(tape);
}
