/* tests/optim_more_test.c: RMSprop, Adagrad, Adadelta and Lion against their formulas in
 * doubles; groups, schedules, moving averages of weights. */
#include <criterion/criterion.h>

#include "support/quick.h"

/* ---- updates: five steps on loss = x^2 / 2 + x, whose gradient is x + 1 ---- */

typedef double (*formula)(double x, double g, int t, double *state);
typedef gt_optim *(*maker)(gt_params *params);

static gt_tensor bowl(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor w = gt_param(tape, "x", GT_SCALAR, dtype, gt_init_constant(2));
    return gt_add(gt_mul_scalar(gt_square(w), 0.5), w);
}

static void follow(maker make, formula next, gt_dtype dtype, double tolerance) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = make(params);
    double x = 2, state[3] = {0, 0, 0};
    cr_assert_not_null(opt, "%s", gt_params_error(params));
    for (int t = 1; t <= 5; t++) {
        cr_assert(gt_minimize(opt, bowl(tape, dtype)), "%s", gt_error(tape));
        gt_tape_reset(tape);
        const double before = x;
        x = next(x, x + 1, t, state);
        cr_assert(fabs(x - before) > 1e-4, "a formula that stands still shows nothing");
        cr_assert(quick_near(quick_value(params, "x"), x, tolerance), "step %d: %.17g, not %.17g",
                  t, quick_value(params, "x"), x);
    }
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

static void compare(maker make, formula next) {
    follow(make, next, GT_F64, 1e-14);
    follow(make, next, GT_F32, 2e-6);
}

static gt_optim *make_rmsprop(gt_params *p) {
    return gt_rmsprop(p, (gt_rmsprop_options){.rate = 0.1, .alpha = 0.9, .weight_decay = 0.02});
}
static double rmsprop_next(double x, double g, int t, double *state) {
    (void)t;
    g += 0.02 * x;
    state[0] = 0.9 * state[0] + (1 - 0.9) * g * g;
    return x - 0.1 * g / (sqrt(state[0]) + 1e-8);
}
Test(optim_more, rmsprop) { compare(make_rmsprop, rmsprop_next); }

static gt_optim *make_centered(gt_params *p) {
    return gt_rmsprop(p, (gt_rmsprop_options){.centered = true, .momentum = 0.9, .epsilon = 0.01});
}
static double centered_next(double x, double g, int t, double *state) {
    (void)t;
    state[0] = 0.99 * state[0] + (1 - 0.99) * g * g;
    state[1] = 0.99 * state[1] + (1 - 0.99) * g;
    state[2] = 0.9 * state[2] + g / (sqrt(state[0] - state[1] * state[1]) + 0.01);
    return x - 0.01 * state[2];
}
Test(optim_more, rmsprop_centered_with_momentum) { compare(make_centered, centered_next); }

static gt_optim *make_adagrad(gt_params *p) {
    return gt_adagrad(p,
                      (gt_adagrad_options){.rate = 0.1, .rate_decay = 0.3, .weight_decay = 0.02});
}
static double adagrad_next(double x, double g, int t, double *state) {
    g += 0.02 * x;
    state[0] += g * g;
    return x - 0.1 / (1 + 0.3 * (t - 1)) * g / (sqrt(state[0]) + 1e-10);
}
Test(optim_more, adagrad) { compare(make_adagrad, adagrad_next); }

static gt_optim *make_adadelta(gt_params *p) {
    return gt_adadelta(p, (gt_adadelta_options){.rho = 0.95, .weight_decay = 0.02});
}
static double adadelta_next(double x, double g, int t, double *state) {
    (void)t;
    g += 0.02 * x;
    state[0] = 0.95 * state[0] + (1 - 0.95) * g * g;
    const double d = sqrt(state[1] + 1e-6) / sqrt(state[0] + 1e-6) * g;
    state[1] = 0.95 * state[1] + (1 - 0.95) * d * d;
    return x - d;
}
Test(optim_more, adadelta) { compare(make_adadelta, adadelta_next); }

static gt_optim *make_lion(gt_params *p) {
    return gt_lion(p, (gt_lion_options){.rate = 0.9, .weight_decay = 0.02});
}
static double lion_next(double x, double g, int t, double *state) {
    (void)t;
    const double mixed = 0.9 * state[0] + (1 - 0.9) * g;
    state[0] = 0.99 * state[0] + (1 - 0.99) * g;
    return x * (1 - 0.9 * 0.02) - 0.9 * ((mixed > 0) - (mixed < 0));
}
Test(optim_more, lion) {
    compare(make_lion, lion_next);
} /* crosses the minimum at -1: both signs */

/* g = 3 at every step: v - mean^2 comes to 0 and rounding would make it negative. */
Test(optim_more, centered_rmsprop_of_a_constant_gradient_stays_finite) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_rmsprop(params, (gt_rmsprop_options){.centered = true, .alpha = 0.1});
    for (int t = 0; t < 60; t++) {
        const gt_tensor w = gt_param(tape, "x", GT_SCALAR, GT_F32, gt_init_constant(2));
        cr_assert(gt_minimize(opt, gt_mul_scalar(w, 3.3)), "%s", gt_error(tape));
        gt_tape_reset(tape);
    }
    cr_assert(isfinite(quick_value(params, "x")));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim_more, state_is_kept_in_buffers_under_its_names) {
    static const struct {
        maker make;
        const char *state[4];
    } rows[] = {{make_rmsprop, {"rmsprop:v:x"}},
                {make_centered, {"rmsprop:v:x", "rmsprop:mean:x", "rmsprop:velocity:x"}},
                {make_adagrad, {"adagrad:sum:x", "adagrad:step:x"}},
                {make_adadelta, {"adadelta:v:x", "adadelta:u:x"}},
                {make_lion, {"lion:m:x"}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        gt_params *params = gt_params_new(NULL, 0);
        gt_tape *tape = gt_tape_new(params);
        gt_optim *opt = rows[i].make(params);
        gt_param_info info;
        int states = 0;
        gt_scope_push(tape, "elsewhere");
        gt_scope_pop(tape);
        cr_assert(gt_minimize(opt, bowl(tape, GT_F32)), "%s", gt_error(tape));
        for (; rows[i].state[states]; states++) {
            cr_assert(gt_params_find(params, rows[i].state[states], &info), "%s",
                      rows[i].state[states]);
            cr_assert(info.buffer && quick_value(params, rows[i].state[states]) != 0);
        }
        cr_assert_eq(gt_params_count(params), 1 + states);
        gt_optim_free(opt);
        gt_tape_free(tape);
        gt_params_free(params);
    }
}

/* Ten steps at once, and five with a new optimizer for the last five, over the same buffers. */
Test(optim_more, an_optimizer_made_anew_goes_on_from_the_buffers) {
    static const maker makers[] = {make_rmsprop, make_centered, make_adagrad, make_adadelta,
                                   make_lion};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        double end[2];
        for (int anew = 0; anew < 2; anew++) {
            gt_params *params = gt_params_new(NULL, 0);
            gt_tape *tape = gt_tape_new(params);
            gt_optim *opt = makers[i](params);
            for (int t = 0; t < 10; t++) {
                if (anew && t == 5) {
                    gt_optim_free(opt);
                    opt = makers[i](params);
                }
                cr_assert(gt_minimize(opt, bowl(tape, GT_F32)), "%s", gt_error(tape));
                gt_tape_reset(tape);
            }
            end[anew] = quick_value(params, "x");
            gt_optim_free(opt);
            gt_tape_free(tape);
            gt_params_free(params);
        }
        cr_assert_eq(end[0], end[1], "optimizer %zu: %.17g and %.17g", i, end[0], end[1]);
    }
}

static void refused(gt_params *params, const gt_optim *opt, const char *part) {
    cr_assert_null(opt, "%s", part);
    cr_assert(strstr(gt_params_error(params), part), "%s: %s", part, gt_params_error(params));
}

Test(optim_more, options_out_of_range_are_refused) {
    gt_params *p = gt_params_new(NULL, 0);
    refused(p, gt_rmsprop(p, (gt_rmsprop_options){.alpha = 1}), "alpha");
    refused(p, gt_rmsprop(p, (gt_rmsprop_options){.epsilon = -1}), "epsilon");
    refused(p, gt_rmsprop(p, (gt_rmsprop_options){.momentum = -0.1}), "momentum");
    refused(p, gt_rmsprop(p, (gt_rmsprop_options){.rate = (double)NAN}), "rate");
    refused(p, gt_adagrad(p, (gt_adagrad_options){.rate_decay = -1}), "rate_decay");
    refused(p, gt_adagrad(p, (gt_adagrad_options){.epsilon = (double)NAN}), "epsilon");
    refused(p, gt_adadelta(p, (gt_adadelta_options){.rho = 1.5}), "rho");
    refused(p, gt_adadelta(p, (gt_adadelta_options){.clip_norm = -1}), "clip_norm");
    refused(p, gt_lion(p, (gt_lion_options){.beta2 = 1}), "beta2");
    refused(p, gt_lion(p, (gt_lion_options){.weight_decay = -1}), "weight_decay");
    cr_assert_null(gt_lion(NULL, (gt_lion_options){.rate = 1}));
    gt_params_free(p);
}

/* ---- groups ---- */

Test(optim_more, groups_change_rate_and_decay_by_pattern) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1, .weight_decay = 0.5});
    cr_assert(gt_optim_group(opt, "*bias", 1, 0), "%s", gt_params_error(params));
    cr_assert(gt_optim_group(opt, "head/*", 10, -1));
    cr_assert(gt_optim_group(opt, "head/frozen", 0, 7));
    static const char *const name[] = {"body/weight", "body/bias", "head/weight", "head/frozen"};
    const double rate[] = {0.1, 0.1, 1, 0}, decay[] = {0.5, 0, 0.5, 7};
    gt_tensor loss = quick_scalar(tape, 0);
    for (int k = 0; k < 4; k++)
        loss = gt_add(loss, gt_mul_scalar(quick_param(tape, name[k], 2), 3));
    for (int k = 0; k < 4; k++) {
        cr_assert(quick_near(gt_optim_rate_of(opt, gt_param_leaf(tape, name[k])), rate[k], 1e-15));
        cr_assert_eq(gt_optim_weight_decay_of(opt, gt_param_leaf(tape, name[k])), decay[k]);
    }
    cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
    for (int k = 0; k < 4; k++) {
        const double expected = 2 - rate[k] * (3 + decay[k] * 2);
        cr_assert(quick_near(quick_value(params, name[k]), expected, 1e-14), "%s: %g, not %g",
                  name[k], quick_value(params, name[k]), expected);
    }
    cr_assert(!gt_optim_group(opt, "*", -1, 0) && strstr(gt_params_error(params), "rate_factor"));
    cr_assert(!gt_optim_group(opt, "*", 1, (double)NAN));
    cr_assert(!gt_optim_group(opt, NULL, 1, 1) && strstr(gt_params_error(params), "pattern"));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim_more, a_rate_that_is_no_number_is_refused_at_the_step) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1});
    gt_optim_set_rate(opt, gt_schedule_cosine(0.1, 3, 0, 0));
    cr_assert(!gt_minimize(opt, bowl(tape, GT_F64)));
    cr_assert(quick_failed_with(tape, "rate is"), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "x"), 2);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* ---- schedules ---- */

static void at(double value, double expected) {
    cr_assert(quick_near(value, expected, 1e-12 * (1 + fabs(expected))), "%.15g, not %.15g", value,
              expected);
}

Test(optim_more, schedules) {
    at(gt_schedule_step(0.8, 9, 5, 0.5), 0.4);
    at(gt_schedule_step(0.8, 10, 5, 0.5), 0.2);
    at(gt_schedule_exponential(0.8, 3, 0.5), 0.1);
    at(gt_schedule_cosine(1, 0, 8, 0.2), 1);
    at(gt_schedule_cosine(1, 2, 8, 0.2), 0.2 + 0.4 * (1 + sqrt(0.5)));
    at(gt_schedule_cosine(1, 4, 8, 0.2), 0.6);
    at(gt_schedule_cosine(1, 8, 8, 0.2), 0.2);
    at(gt_schedule_cosine(1, 99, 8, 0.2), 0.2);
    at(gt_schedule_warmup_cosine(1, 0, 4, 12, 0), 0.25);
    at(gt_schedule_warmup_cosine(1, 3, 4, 12, 0), 1);
    at(gt_schedule_warmup_cosine(1, 4, 4, 12, 0), 1);
    at(gt_schedule_warmup_cosine(1, 8, 4, 12, 0), 0.5);
    at(gt_schedule_warmup_cosine(1, 12, 4, 12, 0), 0);
    at(gt_schedule_warmup_cosine(1, 4, 0, 8, 0), 0.5);
    at(gt_schedule_one_cycle(1, 0, 100), 1.0 / 25);
    at(gt_schedule_one_cycle(1, 29, 100), 1);
    at(gt_schedule_one_cycle(1, 64, 100), (1 + 1.0 / 250000) / 2);
    at(gt_schedule_one_cycle(1, 99, 100), 1.0 / 250000);
    at(gt_schedule_one_cycle(1, 1000, 100), 1.0 / 250000);
    at(gt_schedule_one_cycle(1, 0, 1), 1.0 / 250000);
    cr_assert(isnan(gt_schedule_step(1, 0, 0, 0.5)) && isnan(gt_schedule_cosine(1, 0, 0, 0)));
    cr_assert(isnan(gt_schedule_warmup_cosine(1, 0, 9, 9, 0)) &&
              isnan(gt_schedule_one_cycle(1, 0, 0)));
}

Test(optim_more, one_cycle_rises_then_falls) {
    for (int64_t step = 1; step < 50; step++) {
        const double before = gt_schedule_one_cycle(1, step - 1, 50);
        const double now = gt_schedule_one_cycle(1, step, 50);
        cr_assert(step <= 14 ? now > before : now < before, "step %d", (int)step);
    }
}

Test(optim_more, plateau) {
    gt_plateau p = {.patience = 2, .factor = 0.5, .least = 0.3};
    static const double loss[] = {5, 4, 4, 3.9999, (double)NAN, 4, 3, 3, 3, 3, 3, 3, 3};
    static const double rate[] = {1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3};
    double now = 1;
    for (size_t i = 0; i < sizeof loss / sizeof *loss; i++) {
        now = gt_plateau_rate(&p, now, loss[i]);
        cr_assert_eq(now, rate[i], "loss %zu: rate %g", i, now);
    }
    gt_plateau below = {.patience = 1}; /* for a loss below 0, better is still lower */
    at(gt_plateau_rate(&below, 1, -1), 1);
    at(gt_plateau_rate(&below, 1, -1), 1);
    at(gt_plateau_rate(&below, 1, -1), 0.1);
    at(gt_plateau_rate(&below, 0.1, -2), 0.1);
    at(gt_plateau_rate(&below, 0.1, -2), 0.1);
}

/* ---- moving averages ---- */

Test(optim_more, average_of_weights_and_exchanging_them) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1});
    gt_ema *ema = gt_ema_new(params, (gt_ema_options){.decay = 0.75, .pattern = "x"});
    double x = 2, average = 0;
    cr_assert_not_null(ema);
    for (int t = 0; t < 5; t++) {
        const gt_tensor loss = gt_add(bowl(tape, GT_F64), quick_param(tape, "y", 1));
        cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
        gt_tape_reset(tape);
        cr_assert(gt_ema_update(ema), "%s", gt_params_error(params));
        x -= 0.1 * (x + 1);
        average = t ? 0.75 * average + 0.25 * x : x;
        cr_assert(quick_near(quick_value(params, "ema:x"), average, 1e-14), "step %d", t);
    }
    gt_param_info info;
    cr_assert(!gt_params_find(params, "ema:y", &info), "only what matches the pattern");
    const double before = quick_value(params, "x"), kept = quick_value(params, "ema:x");
    cr_assert(gt_ema_swap(ema) && gt_ema_swapped(ema), "%s", gt_params_error(params));
    cr_assert(quick_value(params, "x") == kept && quick_value(params, "ema:x") == before);
    cr_assert(!gt_ema_update(ema) && strstr(gt_params_error(params), "swapped in"));
    cr_assert(gt_ema_swap(ema) && !gt_ema_swapped(ema));
    cr_assert(quick_value(params, "x") == before && quick_value(params, "ema:x") == kept);
    gt_ema_free(ema);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(optim_more, averages_refuse_a_bad_decay_and_a_name_that_is_taken) {
    gt_params *params = gt_params_new(NULL, 0);
    const double one = 1;
    cr_assert_null(gt_ema_new(params, (gt_ema_options){.decay = 1}));
    cr_assert(strstr(gt_params_error(params), "decay"), "%s", gt_params_error(params));
    gt_ema *ema = gt_ema_new(params, (gt_ema_options){.decay = 0.5, .pattern = "x"});
    cr_assert(gt_param_set(params, "x", GT_SCALAR, GT_F64, &one, true));
    cr_assert(gt_param_set(params, "ema:x", GT_SCALAR, GT_F64, &one, true));
    cr_assert(!gt_ema_update(ema));
    cr_assert(strstr(gt_params_error(params), "ema:x"), "%s", gt_params_error(params));
    gt_ema_free(ema);
    gt_params_free(params);
}
