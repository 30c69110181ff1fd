/* tests/scalars_again_test.c: loops that record large graphs of scalars. What was there before is used again where it
 * is the same, and that must not show: all is compared with what is recorded once, node by node. */
#include <criterion/criterion.h>

#include "support/quick.h"

static gt_tensor param(gt_tape *tape, const char *name, double value, gt_dtype dtype) {
    return gt_param(tape, name, GT_SCALAR, dtype, gt_init_constant(value));
}

/* ---- random programs --------------------------------------------------------------------------------------- */
/* A program of numbers: what each operation does, and to which before it. Long sums, vectors and sums over axes come late:
 * what follows them is recorded anew. */
enum { LEAVES = 5, LATE = 340, STEPS = 420 };
typedef struct program {
    uint32_t seed;
    gt_dtype dtype;
    unsigned char what[STEPS];
    int size[STEPS];
    uint32_t of[STEPS][4];
} program;

static uint32_t draw(program *p, uint32_t below) {
    p->seed = p->seed * 1103515245u + 12345u;
    return p->seed / 65536u % below;
}

static uint32_t operand(program *p, uint32_t i) {
    const uint32_t near = draw(p, 3) ? 12 : i;
    return i < LEAVES ? 0 : i - 1 - draw(p, near < i ? near : i);
}

static void write_step(program *p, uint32_t i) {
    p->what[i] = (unsigned char)draw(p, 13);
    p->size[i] = 1 + (int)draw(p, 5);
    for (int k = 0; k < 4; k++) p->of[i][k] = operand(p, i);
}

/* Another operation, or one other operand, or a vector that is longer. */
static void change_step(program *p, uint32_t i) {
    const uint32_t which = draw(p, 6);
    if (which < 4)
        p->of[i][which] = operand(p, i);
    else if (which == 4)
        p->size[i]++;
    else
        write_step(p, i);
}

static gt_tensor run_step(const program *p, uint32_t i, const gt_tensor *made) {
    const gt_tensor a = made[p->of[i][0]], b = made[p->of[i][1]];
    const gt_tensor all[4] = {a, b, made[p->of[i][2]], made[p->of[i][3]]};
    switch (p->what[i]) {
    case 0: return gt_mul(a, b);
    case 1: return gt_sub(a, b);
    case 2: return gt_mul_scalar(a, i % 7 ? -0.75 : -0.0);
    case 3: return gt_accumulate(gt_list_of(i < LATE ? 2 + (int)(i % 2) : 4, all));
    case 4: return i % 4 ? gt_sin(a) : gt_floor(a);
    case 5: return gt_where(gt_less(a, b), all[2], a);
    case 6: return i % 3 ? gt_cos(a) : gt_scalar(a.tape, 0.25, p->dtype);
    case 7: return i % 3 ? gt_sigmoid(a) : gt_relu(a);
    case 8: return gt_tanh(a);
    case 9: return gt_mul_scalar(gt_exp(gt_tanh(a)), i % 31 ? 0.75 : 1e30);
    case 10: return i < LATE ? gt_square(b) : gt_sum(gt_mul(a, b), GT_ALL, false);
    case 11: {
        if (i < LATE) return gt_square(a);
        const gt_tensor v = gt_full(a.tape, GT_SHAPE(p->size[i]), 0.25, p->dtype), less = gt_neg(a);
        return gt_mul(gt_sum(gt_add(v, v), GT_ALL, false), less);
    }
    default: return gt_add(a, b);
    }
}

static void record_steps(const program *p, gt_tape *tape, gt_tensor *made, gt_marker *mark,
                         uint32_t from, uint32_t to) {
    static const char *const name[LEAVES] = {"p0", "p1", "p2", "p3", "p4"};
    for (uint32_t i = from; i < to; i++) {
        mark[i] = gt_mark(tape);
        made[i] = i < LEAVES ? param(tape, name[i], 0.3 * i - 0.5, p->dtype) : run_step(p, i, made);
    }
}

typedef struct outcome {
    uint64_t value, by_sweep[LEAVES], by_way[LEAVES];
} outcome;

/* Of some of the numbers up to that one. */
static gt_tensor root_at(const gt_tensor *made, uint32_t i) {
    gt_tensor root = gt_tanh(made[i]);
    for (uint32_t k = 1; k < 40; k += 3) root = gt_add(root, gt_tanh(made[i - k]));
    return root;
}

/* A root's value and gradients, by the sweep that records and by the way back. */
static outcome outcome_of(gt_tensor root, const gt_tensor *made, gt_dtype dtype) {
    gt_params *params = gt_tape_params(root.tape);
    outcome o = {0};
    gt_tensor slope[LEAVES];
    gt_zero_grad(params, "*");
    cr_assert(gt_backward(root), "%s", gt_error(root.tape));
    for (int k = 0; k < LEAVES; k++) {
        gt_param_info info;
        gt_params_at(params, k, &info);
        o.by_way[k] = info.grad ? quick_bits(info.grad, dtype) : UINT64_MAX - 1;
    }
    cr_assert(gt_grads(root, made, LEAVES, slope), "%s", gt_error(root.tape));
    o.value = quick_bits(gt_data(root), dtype);
    for (int k = 0; k < LEAVES; k++) o.by_sweep[k] = quick_bits(gt_data(slope[k]), dtype);
    return o;
}

/* That of a tape which records node by node, of this once. */
static outcome expected_of(const program *p, uint32_t root) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor made[STEPS];
    gt_marker mark[STEPS];
    gt_keep_all(tape, true);
    record_steps(p, tape, made, mark, 0, STEPS);
    const outcome o = outcome_of(root_at(made, root), made, p->dtype);
    gt_tape_free(tape);
    return o;
}

static void compare_outcomes(const program *p, const gt_tensor *made, uint32_t root, int round) {
    const outcome now = outcome_of(root_at(made, root), made, p->dtype),
                  then = expected_of(p, root);
    cr_assert_eq(now.value, then.value, "round %d, root %u", round, root);
    for (int k = 0; k < LEAVES; k++) {
        cr_assert_eq(now.by_sweep[k], then.by_sweep[k], "round %d, root %u, sweep to %d", round,
                     root, k);
        cr_assert_eq(now.by_way[k], then.by_way[k], "round %d, root %u, way to %d: %llx, not %llx",
                     round, root, k, (unsigned long long)now.by_way[k],
                     (unsigned long long)then.by_way[k]);
    }
}

/* A loop whose graph is mostly that of before, and differs in a few places, or from one on. On the way a root is asked
 * for gradients that there are not. */
static void record_in_a_loop(uint32_t seed, int rounds) {
    program p = {.seed = seed, .dtype = seed % 2 ? GT_F64 : GT_F32};
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor made[STEPS];
    gt_marker mark[STEPS];
    for (uint32_t i = 0; i < STEPS; i++) write_step(&p, i);
    for (int round = 0; round < rounds; round++) {
        const uint32_t from = round && draw(&p, 2) ? LEAVES + draw(&p, STEPS - LEAVES) : 0;
        const uint32_t half = from + draw(&p, STEPS - from);
        if (from)
            gt_rewind(tape, mark[from]);
        else
            gt_tape_reset(tape);
        for (uint32_t k = draw(&p, 5); k > 1; k--) change_step(&p, from + draw(&p, STEPS - from));
        record_steps(&p, tape, made, mark, from, half);
        if (half) cr_assert(gt_backward_for(made[half - 1], "none*"), "%s", gt_error(tape));
        record_steps(&p, tape, made, mark, half, STEPS);
        for (uint32_t k = 1 + draw(&p, 2); k > 0; k--)
            compare_outcomes(&p, made, draw(&p, 4) ? STEPS - 1 - draw(&p, 60) : 300, round);
    }
    gt_tape_free(tape);
}

Test(scalars_again, loops_that_record_much_the_same_give_what_is_recorded_once) {
    const uint32_t seeds = getenv("GT_SOAK") ? 2000 : 24;
    for (uint32_t seed = 1; seed <= seeds; seed++) record_in_a_loop(seed, 24);
}

/* ---- one thing each ------------------------------------------------------------------------------------------ */

static gt_tensor negated(gt_tensor x) { return gt_neg(x); }

/* Numbers from a parameter and a product of it, which is recorded by whom it says, and used or not. */
static gt_tensor product_of(gt_tape *tape, gt_recorder recorder, bool used, gt_tensor *y) {
    const gt_tensor w = quick_param(tape, "w", 3), x = quick_lengthened(negated(w));
    gt_record_as(tape, recorder);
    *y = gt_mul(w, x);
    gt_record_as(tape, GT_BY_USER);
    return negated(used ? *y : x);
}

static void expect_a_sink(gt_recorder before, bool used) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor y;
    for (int round = 0; round < 3; round++) {
        gt_tape_reset(tape);
        cr_assert_eq(gt_item(product_of(tape, before, used, &y)), used ? 9 : 3);
    }
    gt_tape_reset(tape);
    product_of(tape, GT_BY_USER, false, &y);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    const double other = 5;
    cr_assert(gt_param_set(gt_tape_params(tape), "w", GT_SCALAR, GT_F64, &other, true));
    cr_assert_eq(gt_item(y), -9, "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(scalars_again, what_is_a_sink_is_found_out_anew) {
    expect_a_sink(GT_BY_USER, true);
    expect_a_sink(GT_BY_RULE, false);
}

Test(scalars_again, old_tensors_stay_void) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor y = gt_none();
    for (int round = 0; round < 3; round++) {
        const gt_tensor was = y;
        gt_tape_reset(tape);
        const gt_tensor w = quick_param(tape, "w", 3);
        y = gt_mul(w, quick_lengthened(negated(w)));
        negated(round < 2 ? y : was);
        cr_assert_eq(gt_failed(tape), round == 2);
    }
    gt_tape_free(tape);
}

Test(scalars_again, what_a_long_sum_adds_up_is_looked_at_anew) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 6; round++) {
        gt_tape_reset(tape);
        const gt_tensor a = quick_param(tape, "a", 3), b = quick_param(tape, "b", 5);
        const gt_tensor x = quick_lengthened(gt_neg(a)), y = gt_neg(b),
                        in[] = {x, x, x, round % 2 ? y : x};
        gt_zero_grad(gt_tape_params(tape), "*");
        cr_assert(gt_backward(gt_accumulate(gt_list_of(4, in))), "%s", gt_error(tape));
        gt_param_info info;
        cr_assert(gt_params_find(gt_tape_params(tape), "a", &info));
        cr_assert_eq(*(const double *)info.grad, round % 2 ? -3 : -4);
        cr_assert(gt_params_find(gt_tape_params(tape), "b", &info));
        cr_assert_eq(info.grad != NULL, round % 2 == 1);
        if (round % 2) cr_assert_eq(*(const double *)info.grad, -1);
    }
    gt_tape_free(tape);
}

Test(scalars_again, a_vector_may_have_another_length) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 6; round++) {
        gt_tape_reset(tape);
        const gt_tensor x = quick_lengthened(gt_neg(quick_param(tape, "w", 3)));
        const gt_tensor v = gt_full(tape, GT_SHAPE(2 + round / 3), 0.25, GT_F64), z = gt_neg(x);
        const gt_tensor y = gt_mul(gt_sum(gt_add(v, v), GT_ALL, false), z);
        cr_assert_eq(gt_item(y), round < 3 ? 3 : 4.5, "%s", gt_error(tape));
    }
    gt_tape_free(tape);
}

Test(scalars_again, what_another_root_reached_is_forgotten) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 4; round++) {
        gt_tape_reset(tape);
        const gt_tensor x = quick_lengthened(gt_neg(quick_param(tape, "a", 3)));
        if (round % 2) cr_assert(gt_backward_for(x, "none*"), "%s", gt_error(tape));
        const gt_tensor both = gt_add(x, gt_neg(quick_param(tape, "b", 5))), one = gt_square(x);
        gt_zero_grad(gt_tape_params(tape), "*");
        cr_assert(gt_backward(round % 2 ? one : both), "%s", gt_error(tape));
        gt_param_info info;
        cr_assert(gt_params_find(gt_tape_params(tape), "b", &info));
        cr_assert_eq(info.grad == NULL, round % 2 == 1, "round %d", round);
    }
    gt_tape_free(tape);
}

Test(scalars_again, what_depends_on_a_parameter_is_known_after_it_was_written) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 3; round++) {
        gt_tensor y;
        gt_tape_reset(tape);
        const gt_tensor loss = product_of(tape, GT_BY_USER, true, &y);
        const double other = 5 + round;
        cr_assert(gt_param_set(gt_tape_params(tape), "w", GT_SCALAR, GT_F64, &other, true));
        gt_replay(tape);
        gt_zero_grad(gt_tape_params(tape), "*");
        cr_assert(gt_backward(loss), "%s", gt_error(tape));
        gt_param_info info;
        cr_assert(gt_params_find(gt_tape_params(tape), "w", &info));
        cr_assert_eq(*(const double *)info.grad, 2 * other);
    }
    gt_tape_free(tape);
}

Test(scalars_again, names_and_values_are_those_of_this_recording) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor y;
    product_of(tape, GT_BY_USER, true, &y);
    gt_name(y, "was");
    gt_keep(y);
    cr_assert_eq(gt_item(y), -9);
    gt_tape_reset(tape);
    product_of(tape, GT_BY_USER, true, &y);
    char label[64];
    cr_assert_null(strstr(gt_label(y, label, sizeof label), "was"), "%s", label);
    cr_assert_eq(gt_item(y), -9);
    gt_tape_free(tape);
}
