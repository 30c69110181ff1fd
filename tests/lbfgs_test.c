/* tests/lbfgs_test.c: L-BFGS on functions whose minimum is known, and what it does when things
 * go wrong. */
#include <criterion/criterion.h>

#include "support/quick.h"

static gt_tensor point(gt_tape *tape, int64_t n, gt_dtype dtype, double first) {
    return gt_param(tape, "x", GT_SHAPE(n), dtype, gt_init_constant(first));
}

static double element(gt_params *params, int i) {
    gt_param_info info;
    cr_assert(gt_params_find(params, "x", &info));
    return info.dtype == GT_F64 ? ((const double *)info.data)[i]
                                : (double)((const float *)info.data)[i];
}

static void done(gt_lbfgs_optim *b, gt_params *params) {
    gt_lbfgs_free(b);
    gt_params_free(params);
}

/* sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2: 0 at (1, ..., 1), by a curved valley. */
static gt_tensor rosenbrock_of(gt_tensor x) {
    const int64_t n = gt_dim(x, 0);
    const gt_tensor a = gt_slice(x, 0, 0, n - 1, 1), b = gt_slice(x, 0, 1, n, 1);
    const gt_tensor bend = gt_mul_scalar(gt_square(gt_sub(b, gt_square(a))), 100);
    return gt_sum(gt_add(bend, gt_square(gt_add_scalar(gt_neg(a), 1))), GT_ALL, false);
}
static gt_tensor rosenbrock(gt_tape *tape, void *user) {
    (void)user;
    return rosenbrock_of(point(tape, 10, GT_F64, -1.2));
}
static gt_tensor narrow_rosenbrock(gt_tape *tape, void *user) {
    (void)user;
    return rosenbrock_of(point(tape, 2, GT_F32, -1.2));
}

Test(lbfgs, finds_the_end_of_rosenbrocks_valley) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.iterations = 200});
    cr_assert(gt_lbfgs(b, rosenbrock, NULL), "%s", gt_params_error(params));
    const gt_lbfgs_report r = gt_lbfgs_last(b);
    for (int i = 0; i < 10; i++)
        cr_assert(quick_near(element(params, i), 1, 1e-7), "x[%d] = %.9g", i, element(params, i));
    cr_assert(r.converged && r.loss < 1e-14 && r.iterations < 150, "%d iterations, loss %g",
              r.iterations, r.loss);
    cr_assert(r.evaluations >= r.iterations && r.evaluations < 2 * r.iterations, "%d",
              r.evaluations);
    done(b, params);
}

Test(lbfgs, in_f32_as_far_as_f32_goes) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.gradient_tolerance = 1e-3});
    cr_assert(gt_lbfgs(b, narrow_rosenbrock, NULL), "%s", gt_params_error(params));
    for (int i = 0; i < 2; i++)
        cr_assert(quick_near(element(params, i), 1, 5e-3), "x[%d] = %.9g", i, element(params, i));
    done(b, params);
}

/* sum of c[i] (x[i] - i)^2 / 2, with c from 1 to 1000. */
static gt_tensor quadratic(gt_tape *tape, void *user) {
    (void)user;
    const gt_tensor i = gt_arange(tape, 0, 1, 8, GT_F64);
    const gt_tensor c = gt_exp(gt_mul_scalar(i, log(1000) / 7));
    const gt_tensor away = gt_square(gt_sub(point(tape, 8, GT_F64, 20), i));
    return gt_mul_scalar(gt_sum(gt_mul(c, away), GT_ALL, false), 0.5);
}

Test(lbfgs, a_stretched_quadratic_and_a_short_memory) {
    for (int memory = 1; memory <= 20; memory += 19) {
        gt_params *params = gt_params_new(NULL, 0);
        gt_lbfgs_optim *b =
            gt_lbfgs_new(params, (gt_lbfgs_options){.memory = memory, .iterations = 1000});
        cr_assert(gt_lbfgs(b, quadratic, NULL), "%s", gt_params_error(params));
        cr_assert(gt_lbfgs_last(b).converged, "memory %d: gradient %g after %d", memory,
                  gt_lbfgs_last(b).gradient, gt_lbfgs_last(b).iterations);
        for (int i = 0; i < 8; i++) cr_assert(quick_near(element(params, i), i, 1e-6));
        cr_assert(memory == 1 || gt_lbfgs_last(b).iterations <= 60);
        done(b, params);
    }
}

Test(lbfgs, the_pairs_stay_from_one_call_to_the_next) {
    int iterations[2];
    for (int split = 0; split < 2; split++) {
        gt_params *params = gt_params_new(NULL, 0);
        gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.iterations = split ? 1 : 500});
        iterations[split] = 0;
        do {
            cr_assert(gt_lbfgs(b, rosenbrock, NULL), "%s", gt_params_error(params));
            iterations[split] += gt_lbfgs_last(b).iterations;
        } while (split && !gt_lbfgs_last(b).converged && iterations[split] < 500);
        done(b, params);
    }
    cr_assert_eq(iterations[0], iterations[1], "%d and %d", iterations[0], iterations[1]);
}

/* Several parameters of both kinds, one out of the pattern; random numbers are the same at every
 * call. */
static gt_tensor several(gt_tape *tape, void *user) {
    const gt_tensor a = gt_param(tape, "in/a", GT_SHAPE(2, 2), GT_F32, gt_init_constant(3));
    const gt_tensor b = quick_param(tape, "in/b", -2), c = quick_param(tape, "out/c", 5);
    const gt_tensor noise = gt_randn(tape, GT_SHAPE(2, 2), GT_F32);
    const gt_tensor first = gt_sum(gt_square(gt_sub(a, noise)), GT_ALL, false);
    ++*(int *)user;
    return gt_add(gt_cast(first, GT_F64), gt_add(gt_square(gt_add_scalar(b, 1)), gt_square(c)));
}

Test(lbfgs, several_parameters_by_pattern_with_the_same_noise) {
    gt_params *params = gt_params_new(NULL, 5);
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.pattern = "in/*"});
    int calls = 0;
    cr_assert(gt_lbfgs(b, several, &calls), "%s", gt_params_error(params));
    cr_assert_eq(calls, gt_lbfgs_last(b).evaluations);
    cr_assert(quick_near(gt_lbfgs_last(b).loss, 25, 1e-9), "%.12g", gt_lbfgs_last(b).loss);
    cr_assert(quick_near(quick_value(params, "in/b"), -1, 1e-6));
    cr_assert_eq(quick_value(params, "out/c"), 5);
    cr_assert_eq(gt_params_ordinal(params), 1, "as after one evaluation");
    done(b, params);
}

/* -log x - log(1 - x): infinite or NaN outside (0, 1), where a first step would jump. */
static gt_tensor barrier(gt_tape *tape, void *user) {
    (void)user;
    const gt_tensor x = quick_param(tape, "x", 1e-3);
    return gt_neg(gt_add(gt_log(x), gt_log(gt_add_scalar(gt_neg(x), 1))));
}

Test(lbfgs, steps_out_of_the_domain_are_shortened) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.iterations = 50});
    cr_assert(gt_lbfgs(b, barrier, NULL), "%s", gt_params_error(params));
    cr_assert(quick_near(quick_value(params, "x"), 0.5, 1e-7), "%.9g", quick_value(params, "x"));
    done(b, params);
}

/* Fails at the call whose number user counts down to. */
static gt_tensor brittle(gt_tape *tape, void *user) {
    int *left = user;
    if ((*left)-- == 0) return gt_fail(tape, "the data ran out");
    return rosenbrock(tape, NULL);
}

Test(lbfgs, a_loss_that_fails_leaves_the_last_accepted_step) {
    double before = (double)INFINITY;
    for (int call = 0; call < 30; call++) {
        gt_params *params = gt_params_new(NULL, 0);
        gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.iterations = 1000});
        int left = call;
        cr_assert(!gt_lbfgs(b, brittle, &left));
        cr_assert(strstr(gt_params_error(params), "ran out"), "%s", gt_params_error(params));
        gt_tape *tape = gt_tape_new(params);
        const double now = gt_item(rosenbrock(tape, NULL));
        cr_assert(now <= before, "call %d: %g after %g", call, now, before);
        before = now;
        gt_tape_free(tape);
        done(b, params);
    }
}

static gt_tensor not_finite(gt_tape *tape, void *user) {
    (void)user;
    return gt_log(quick_param(tape, "x", -1));
}
static gt_tensor no_parameter(gt_tape *tape, void *user) {
    (void)user;
    return quick_scalar(tape, 1);
}
static gt_tensor foreign(gt_tape *tape, void *user) {
    (void)tape;
    return quick_param(user, "x", 1);
}
static gt_tensor changing(gt_tape *tape, void *user) {
    const gt_tensor first = gt_square(quick_param(tape, "x", 1));
    return (*(int *)user)++ ? gt_add(first, gt_square(quick_param(tape, "y", 1))) : first;
}

static void refused(gt_params *params, bool ok, const char *part) {
    cr_assert(!ok, "%s", part);
    cr_assert(strstr(gt_params_error(params), part), "%s: %s", part, gt_params_error(params));
}

Test(lbfgs, what_cannot_be_minimized_is_refused) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *other = gt_tape_new(params);
    int calls = 0;
    refused(params, gt_lbfgs_new(params, (gt_lbfgs_options){.memory = -1}), "memory");
    refused(params, gt_lbfgs_new(params, (gt_lbfgs_options){.loss_tolerance = -1}),
            "loss_tolerance");
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.pattern = "*"});
    refused(params, gt_lbfgs(b, NULL, NULL), "no loss function");
    refused(params, gt_lbfgs(b, no_parameter, NULL), "no trainable parameter");
    refused(params, gt_lbfgs(b, not_finite, NULL), "to begin with");
    cr_assert_eq(quick_value(params, "x"), -1);
    refused(params, gt_lbfgs(b, foreign, other), "not of the tape");
    refused(params, gt_lbfgs(b, changing, &calls), "other parameters");
    cr_assert_eq(quick_value(params, "x"), -1);
    cr_assert(!gt_lbfgs(NULL, rosenbrock, NULL));
    gt_tape_free(other);
    done(b, params);
}

/* ---- every allocation in turn fails ---- */

typedef struct purse {
    long left, asked;
} purse;

static void *spend(void *user, void *block, size_t old_size, size_t new_size) {
    purse *p = user;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    p->asked++;
    return p->left-- > 0 ? realloc(block, new_size) : NULL;
}

static bool train(gt_params *params) {
    gt_lbfgs_optim *b = gt_lbfgs_new(params, (gt_lbfgs_options){.iterations = 3});
    gt_ema *ema = gt_ema_new(params, (gt_ema_options){.decay = 0.5});
    gt_optim *opt = gt_adagrad(params, (gt_adagrad_options){.rate_decay = 0.1});
    const bool ok = b && ema && opt && gt_optim_group(opt, "x", 2, 0) &&
                    gt_lbfgs(b, rosenbrock, NULL) && gt_ema_update(ema) && gt_ema_swap(ema);
    gt_optim_free(opt);
    gt_ema_free(ema);
    gt_lbfgs_free(b);
    return ok;
}

Test(lbfgs, any_allocation_may_fail) {
    for (long enough = 1;; enough++) {
        purse p = {enough, 0};
        gt_params *params = gt_params_new(&(gt_allocator){spend, &p}, 0);
        if (!params) continue;
        const bool ok = train(params);
        cr_assert(ok == (p.asked <= enough), "%ld blocks: %s", enough, gt_params_error(params));
        cr_assert(ok || *gt_params_error(params), "%ld blocks: no message", enough);
        gt_params_free(params);
        if (!ok) continue;
        cr_assert(enough > 30, "%ld", enough);
        break;
    }
}
