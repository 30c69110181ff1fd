/* tests/scalars_test.c: large graphs of scalars take ways of their own, which must not show. */
#include <criterion/criterion.h>

#include "support/quick.h"

static gt_tensor param(gt_tape *tape, const char *name, double value, gt_dtype dtype) {
    return gt_param(tape, name, GT_SCALAR, dtype, gt_init_constant(value));
}

/* f of two parameters that both fork, so that contributions are added up in both. */
static gt_tensor forked(const gt_op *op, gt_tensor a, gt_tensor b) {
    const gt_arg arg[2] = {{.real = 0.5}, {.real = 1.25}};
    const gt_tensor x[2] = {gt_mul(a, b), b};
    const gt_tensor y =
        gt_record(a.tape, op, x, op->more.gradient_text[1] ? 2 : 1, NULL, 0, arg, 2);
    return gt_add(gt_mul(y, a), gt_sub(b, y));
}

static void compare_gradients(const char *name, gt_tensor loss, const gt_tensor leaf[2]) {
    gt_tape *tape = loss.tape;
    const gt_dtype dtype = gt_dtype_of(loss);
    gt_tensor recorded[2];
    uint64_t expected[2];
    cr_assert(gt_grads(loss, leaf, 2, recorded), "%s: %s", name, gt_error(tape));
    for (int k = 0; k < 2; k++) expected[k] = quick_bits(gt_data(recorded[k]), dtype);
    const uint32_t before = gt_tape_size(tape);
    gt_zero_grad(gt_tape_params(tape), "*");
    cr_assert(gt_backward(loss), "%s: %s", name, gt_error(tape));
    cr_assert_lt(gt_tape_size(tape) - before, 10, "%s: the sweep was recorded", name);
    for (int k = 0; k < 2; k++) {
        gt_param_info info;
        gt_params_at(gt_tape_params(tape), k, &info);
        cr_assert_eq(quick_bits(info.grad, dtype), expected[k], "%s at %g, %g: gradient %d", name,
                     gt_item(leaf[0]), gt_item(leaf[1]), k);
    }
}

static void compare_bits(const gt_op *op, gt_dtype dtype, double a, double b) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor leaf[2] = {param(tape, "a", a, dtype), param(tape, "b", b, dtype)};
    compare_gradients(op->name, quick_lengthened(forked(op, leaf[0], leaf[1])), leaf);
    gt_tape_free(tape);
}

Test(scalars, gradients_have_the_bits_of_those_that_the_sweep_records) {
    static const double at[] = {0.7, -1.3, 0, 1, -0.0, (double)INFINITY};
    const int n = (int)(sizeof at / sizeof *at);
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        if (!(op->more.traits & GT_PLAIN) || !op->more.gradient_text[0]) continue;
        for (int k = 0; k < n * n; k++) {
            compare_bits(op, GT_F64, at[k / n], at[k % n]);
            compare_bits(op, GT_F32, at[k / n], at[k % n]);
        }
    }
}

/* Nothing comes through a rule that is zero, not even of an infinite upstream; through one that is 1, all, and a zero's
 * sign. */
Test(scalars, rules_that_are_zero_or_one_multiply_nothing) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor leaf[2] = {param(tape, "a", 3, GT_F64), param(tape, "b", 0.5, GT_F64)};
    const gt_tensor h = gt_mul(leaf[0], leaf[1]);
    const gt_tensor steep = gt_mul_scalar(gt_floor(h), (double)INFINITY);
    compare_gradients("floor", quick_lengthened(gt_add(steep, h)), leaf);
    compare_gradients("add", quick_lengthened(gt_mul_scalar(gt_add(leaf[0], leaf[1]), -0.0)), leaf);
    gt_tape_free(tape);
}

/* Which of two, by comparisons and logic. */
static gt_tensor chosen(gt_tensor a, gt_tensor b, gt_tensor flag) {
    const gt_tensor less = gt_less(a, b), same = gt_equal(a, b);
    const gt_tensor either = gt_logical_or(gt_logical_and(less, flag), gt_logical_xor(same, flag));
    const gt_tensor y = gt_where(either, gt_mul(a, b), gt_sub(a, b));
    return gt_add(gt_mul(y, gt_where(gt_logical_not(less), a, b)), gt_where(flag, y, a));
}

static void choose(gt_dtype dtype, double a, double b, bool flag) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor leaf[2] = {param(tape, "a", a, dtype), param(tape, "b", b, dtype)};
    const gt_tensor on = gt_input(tape, &flag, GT_SCALAR, GT_BOOL);
    const gt_tensor few = chosen(leaf[0], leaf[1], on);
    const uint64_t expected = quick_bits(gt_data(few), dtype);
    const gt_tensor less = gt_less(leaf[0], leaf[1]);
    const gt_tensor many = chosen(leaf[0], leaf[1], on);
    compare_gradients("where", quick_lengthened(many), leaf);
    cr_assert_eq(quick_bits(gt_data(many), dtype), expected, "%g, %g: %s", a, b, gt_error(tape));
    cr_assert_eq(gt_item(less), a < b);
    cr_assert_eq(*(const unsigned char *)gt_data(less), a < b);
    gt_tape_free(tape);
}

Test(scalars, comparisons_and_choices_have_codes) {
    static const double at[] = {0.7, -1.3, -0.0, 0.7};
    for (int k = 0; k < 32; k++) {
        choose(GT_F64, at[k % 4], at[k / 4 % 4], k < 16);
        choose(GT_F32, at[k % 4], at[k / 4 % 4], k < 16);
    }
}

Test(scalars, a_replay_chooses_anew) {
    const unsigned char yes = 1, no = 0;
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor flag = gt_input(tape, &yes, GT_SCALAR, GT_BOOL);
    const gt_tensor a = param(tape, "a", 3, GT_F64), b = param(tape, "b", 4, GT_F64);
    const gt_tensor y = quick_lengthened(gt_where(flag, a, b)), both = gt_logical_and(flag, flag);
    cr_assert_eq(gt_item(y), 3);
    cr_assert(gt_set(flag, &no));
    gt_replay(tape);
    cr_assert_eq(gt_item(y), 4);
    cr_assert_eq(gt_item(both), 0);
    gt_tape_free(tape);
}

static void ignore(void *user, const gt_flow *flow) {
    (void)user;
    (void)flow;
}

/* A watched sweep goes the general way at every node. */
static void compare_ways(const gt_op *op, gt_dtype dtype, double a, double b) {
    const gt_watch watch = {ignore, NULL};
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor leaf[2] = {param(tape, "a", a, dtype), param(tape, "b", b, dtype)};
    const gt_tensor f = forked(op, leaf[0], leaf[1]);
    gt_tensor quick[2], watched[2];
    cr_assert(gt_grads(f, leaf, 2, quick) &&
                  gt_watched_grads(f, gt_none(), leaf, 2, watched, &watch),
              "%s: %s", op->name, gt_error(tape));
    for (int k = 0; k < 2; k++)
        cr_assert_eq(quick_bits(gt_data(quick[k]), dtype), quick_bits(gt_data(watched[k]), dtype),
                     "%s at %g, %g: gradient %d", op->name, a, b, k);
    gt_tape_free(tape);
}

Test(scalars, the_short_way_of_the_sweep_gives_what_the_general_one_gives) {
    static const double at[] = {0.7, -1.3, 0};
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        if (!(op->more.traits & GT_PLAIN) || !op->more.gradient_text[0]) continue;
        for (int k = 0; k < 9; k++) {
            compare_ways(op, GT_F64, at[k / 3], at[k % 3]);
            compare_ways(op, GT_F32, at[k / 3], at[k % 3]);
        }
    }
}

Test(scalars, a_replay_before_any_read_takes_what_was_overwritten) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2), y = quick_lengthened(gt_square(x));
    const double now = 5;
    gt_set(x, &now);
    gt_replay(tape);
    cr_assert_eq(gt_item(y), 25);
    cr_assert_eq(gt_item(gt_add(y, x)), 30);
    gt_tape_free(tape);
}

Test(scalars, a_replay_is_a_recording_with_the_present_values) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_optim *opt = gt_sgd(gt_tape_params(tape), (gt_sgd_options){.rate = 0.1});
    const gt_tensor w = quick_param(tape, "w", 3), x = quick_scalar(tape, 2);
    const gt_tensor loss = quick_lengthened(gt_square(gt_mul(w, x)));
    cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
    cr_assert_eq(gt_item(loss), 36);
    double now = 3 - 0.1 * (2 * 3 * 2) * 2;
    cr_assert(quick_near(quick_value(gt_tape_params(tape), "w"), now, 1e-15));
    const double other = 0.5;
    gt_set(x, &other);
    gt_replay(tape);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert(quick_near(gt_item(loss), (now * 0.5) * (now * 0.5), 1e-12));
    now -= 0.1 * (2 * (now * 0.5)) * 0.5;
    cr_assert(quick_near(quick_value(gt_tape_params(tape), "w"), now, 1e-15));
    gt_optim_free(opt);
    gt_tape_free(tape);
}

/* What a parameter is after some steps, which begin anew or go back behind it. */
static double trained(bool rewinds) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1});
    gt_tensor x = param(tape, "x", 0.75, GT_F64);
    const gt_marker behind = gt_mark(tape);
    for (int step = 0; step < 5; step++) {
        gt_tensor y = gt_mul(x, x);
        const gt_tensor unread = gt_sin(x);
        for (int i = 0; i < QUICK_LONG; i++)
            y = gt_mul_scalar(gt_add(y, gt_where(gt_less(y, x), x, y)), 0.5);
        cr_assert(gt_minimize(opt, y), "%s", gt_error(tape));
        cr_assert_eq(gt_item(unread), gt_item(unread), "a sink is stored");
        if (rewinds) {
            gt_rewind(tape, behind);
        } else {
            gt_tape_reset(tape);
            x = param(tape, "x", 0.75, GT_F64);
        }
    }
    const double value = gt_item(x);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return value;
}

Test(scalars, steps_that_rewind_are_those_that_begin_anew) {
    const double value = trained(false);
    cr_assert_neq(value, 0.75);
    cr_assert_eq(trained(true), value);
}

Test(scalars, old_values_and_new_are_never_mixed) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor w = quick_param(tape, "w", 3), x = quick_scalar(tape, 2);
    const gt_tensor loss = quick_lengthened(gt_mul(w, x));
    cr_assert_eq(gt_item(loss), 6);
    const double other = 5;
    gt_set(x, &other);
    cr_assert_eq(gt_item(loss), 6);
    cr_assert_not(gt_backward(loss));
    cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(scalars, what_is_overwritten_before_it_is_read_is_stale) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2);
    const gt_tensor y = quick_lengthened(gt_square(x));
    const double other = 5;
    gt_set(x, &other);
    cr_assert(isnan(gt_item(y)));
    cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(scalars, a_parameter_that_only_a_zero_gradient_reaches_stays_alone) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info a, b;
    const gt_tensor loss =
        quick_lengthened(gt_mul(quick_param(tape, "a", 2), gt_sign(quick_param(tape, "b", 3))));
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    gt_params_find(gt_tape_params(tape), "a", &a);
    gt_params_find(gt_tape_params(tape), "b", &b);
    cr_assert_eq(*(const double *)a.grad, 1);
    cr_assert_null(b.grad);
    gt_tape_free(tape);
}

Test(scalars, backward_for_and_grad_of_work_on_them) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info a, b;
    const gt_tensor p = quick_param(tape, "net/a", 3), h = gt_square(p);
    const gt_tensor loss = quick_lengthened(gt_mul(h, quick_param(tape, "head/b", 5)));
    cr_assert(gt_backward_for(loss, "net/*"), "%s", gt_error(tape));
    gt_params_find(gt_tape_params(tape), "net/a", &a);
    gt_params_find(gt_tape_params(tape), "head/b", &b);
    cr_assert_eq(*(const double *)a.grad, 30);
    cr_assert_null(b.grad);
    cr_assert_eq(gt_item(gt_grad_of(h)), 5);
    gt_tape_free(tape);
}

Test(scalars, sinks_are_stored_after_a_rewind_took_their_users) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_optim *opt = gt_sgd(gt_tape_params(tape), (gt_sgd_options){.rate = 0.1});
    const gt_tensor w = quick_param(tape, "w", 3), metric = gt_square(w);
    const gt_marker mark = gt_mark(tape);
    gt_square(metric);
    gt_rewind(tape, mark);
    cr_assert(gt_minimize(opt, gt_mul(w, w)), "%s", gt_error(tape));
    cr_assert_eq(gt_item(metric), 9);
    gt_optim_free(opt);
    gt_tape_free(tape);
}

Test(scalars, a_value_that_nobody_read_is_stale_when_a_leaf_was_overwritten) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2), other = quick_scalar(tape, 3);
    const gt_tensor h = gt_square(x), kept = gt_keep(gt_neg(h)), apart = gt_square(other);
    const gt_tensor y = quick_lengthened(gt_add(h, apart));
    cr_assert_eq(gt_item(y), 13);
    const double now = 5;
    gt_set(x, &now);
    cr_assert_eq(gt_item(y), 13);
    cr_assert_eq(gt_item(kept), -4);
    cr_assert_eq(gt_item(apart), 9);
    cr_assert(isnan(gt_item(h)));
    cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(scalars, a_replay_begins_anew_where_values_were_stale) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2), h = gt_square(x);
    const gt_tensor y = quick_lengthened(h);
    const double now = 5;
    cr_assert_eq(gt_item(y), 4);
    gt_set(x, &now);
    cr_assert_eq(gt_item(gt_square(x)), 25);
    gt_replay(tape);
    cr_assert_eq(gt_item(y), 25);
    cr_assert_eq(gt_item(h), 25);
    gt_tape_free(tape);
}

/* Many numbers, each of one or two or more before it, and their gradients. */
static void record_many(gt_tape *tape, uint32_t seed, gt_dtype dtype, gt_tensor *made, int count) {
    enum { LEAVES = 4 };
    for (int i = 0; i < LEAVES; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        made[i] = param(tape, name, 0.3 + 0.2 * i, dtype);
    }
    for (int i = LEAVES; i < count - LEAVES; i++) {
        gt_tensor x[5];
        for (int k = 0; k < 5; k++)
            x[k] = made[(seed = seed * 1103515245u + 12345u) / 65536u % (uint32_t)i];
        switch ((seed = seed * 1103515245u + 12345u) / 65536u % 8) {
        case 0: made[i] = gt_mul(x[0], gt_tanh(x[1])); break;
        case 1: made[i] = gt_sub(x[0], x[0]); break;
        case 2: made[i] = gt_mul_scalar(gt_sin(x[0]), -0.5); break;
        case 3: made[i] = gt_accumulate(gt_list_of(2, x)); break;
        case 4: made[i] = gt_accumulate(gt_list_of(3, x)); break;
        case 5: made[i] = gt_tanh(gt_accumulate(gt_list_of(5, x))); break;
        case 6: made[i] = gt_scalar(tape, -0.0, dtype); break;
        default: made[i] = gt_relu(gt_neg(x[0]));
        }
    }
    gt_tensor sum = made[count - LEAVES - 1];
    for (int i = LEAVES; i < count - LEAVES - 1; i++) sum = gt_add(gt_tanh(sum), made[i]);
    cr_assert(gt_grads(sum, made, LEAVES, made + count - LEAVES), "%s", gt_error(tape));
}

Test(scalars, large_graphs_have_the_bits_of_small_ones) {
    enum { COUNT = 200 };
    static gt_tensor alone[COUNT], many[COUNT];
    for (uint32_t seed = 1; seed <= 40; seed++) {
        const gt_dtype dtype = seed % 2 ? GT_F64 : GT_F32;
        gt_tape *node_by_node = gt_tape_new(NULL), *tape = gt_tape_new(NULL);
        gt_keep_all(node_by_node, true);
        record_many(node_by_node, seed, dtype, alone, COUNT);
        record_many(tape, seed, dtype, many, COUNT);
        for (int again = 0; again < 2; again++) {
            cr_assert(gt_run(tape, many, COUNT), "%s", gt_error(tape));
            for (int i = 0; i < COUNT; i++)
                cr_assert_eq(quick_bits(gt_data(many[i]), dtype),
                             quick_bits(gt_data(alone[i]), dtype), "seed %u, number %d", seed, i);
            gt_replay(tape);
        }
        gt_tape_free(tape);
        gt_tape_free(node_by_node);
    }
}

Test(scalars, several_ways_back_keep_apart) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info a, b;
    const gt_tensor p = quick_param(tape, "a", 3), q = quick_param(tape, "b", 5);
    const gt_tensor first = quick_lengthened(gt_mul(p, q)), second = quick_lengthened(gt_square(q));
    cr_assert(gt_backward(first) && gt_backward(second), "%s", gt_error(tape));
    gt_params_find(gt_tape_params(tape), "a", &a);
    gt_params_find(gt_tape_params(tape), "b", &b);
    cr_assert_eq(*(const double *)a.grad, 5);
    cr_assert_eq(*(const double *)b.grad, 13);
    gt_tape_free(tape);
}
