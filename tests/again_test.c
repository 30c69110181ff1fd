/* tests/again_test.c: loops that record tensors. What was recorded before is used again where it is the same, and that must
 * not show: all is compared with what is recorded once. */
#include <criterion/criterion.h>

#include "support/quick.h"

/* A program of matrices [rows, WIDTH]: what each operation does, to which before it, and how. */
enum { LEAVES = 3, STEPS = 40, WIDTH = 4, MOST = 8 * WIDTH };
typedef struct program {
    uint32_t seed;
    gt_dtype dtype;
    int64_t rows;
    struct {
        uint32_t what, of[4], axis, count;
        double number;
    } step[STEPS];
} program;

static uint32_t draw(program *p, uint32_t below) {
    p->seed = p->seed * 1103515245u + 12345u;
    return p->seed / 65536u % below;
}

static uint32_t operand(program *p, uint32_t i) { return i < LEAVES ? 0 : draw(p, i); }

static void write_step(program *p, uint32_t i) {
    p->step[i].what = draw(p, 13);
    p->step[i].axis = draw(p, 2);
    p->step[i].count = 2 + draw(p, 3);
    p->step[i].number = 0.25 * (1 + draw(p, 3));
    for (int k = 0; k < 4; k++) p->step[i].of[k] = operand(p, i);
}

static void change(program *p) {
    const uint32_t i = LEAVES + draw(p, STEPS - LEAVES), which = draw(p, 10);
    if (which < 4)
        p->step[i].of[which] = operand(p, i);
    else if (which == 4)
        p->step[i].axis ^= 1;
    else if (which == 5)
        p->step[i].count = 2 + draw(p, 3);
    else if (which == 6)
        p->step[i].number = 0.25 * (1 + draw(p, 3));
    else if (which == 7)
        p->rows = 3 + draw(p, 3);
    else if (which == 8)
        p->dtype = p->dtype == GT_F32 ? GT_F64 : GT_F32;
    else
        write_step(p, i);
}

/* The rows or columns in another order: the first `first` come last. */
static gt_tensor turned(gt_tensor a, int axis, int64_t first) {
    const int64_t all = gt_shape_of(a).dim[axis];
    const gt_tensor part[] = {gt_slice(a, axis, first, all, 1), gt_slice(a, axis, 0, first, 1)};
    return gt_concat(gt_list_of(2, part), axis);
}

static gt_tensor run_step(const program *p, uint32_t i, const gt_tensor *made) {
    const int axis = (int)p->step[i].axis;
    const double number = p->step[i].number;
    gt_tensor x[4];
    for (int k = 0; k < 4; k++) x[k] = made[p->step[i].of[k]];
    switch (p->step[i].what) {
    case 0: return gt_mul(x[0], x[1]);
    case 1: return gt_tanh(gt_matmul(gt_matmul(x[0], gt_t(x[1])), x[2]));
    case 2: return gt_mul_scalar(x[0], number);
    case 3: return gt_sub(x[0], gt_mean(x[1], GT_AXES(axis), true));
    case 4: return turned(x[0], axis, 1 + (int64_t)p->step[i].count % 2);
    case 5: return gt_tanh(gt_accumulate(gt_list_of((int)p->step[i].count, x)));
    case 6: {
        const gt_tensor sorted = gt_sort(x[0], axis, false);
        return gt_add(gt_mul_scalar(gt_cast(gt_out(sorted, 1), p->dtype), 0.25), sorted);
    }
    case 7: return gt_transpose(gt_tanh(gt_transpose(x[0], 0, 1)), 0, 1);
    case 8:
        return gt_reshape(gt_sin(gt_reshape(x[0], GT_SHAPE(p->rows * WIDTH))), gt_shape_of(x[0]));
    case 9: return gt_where(gt_less(x[0], x[1]), x[2], x[3]);
    case 10: return gt_softmax(x[0], axis);
    case 11: return gt_tanh(gt_accumulate(gt_list_of(3 + axis, x)));
    default: return gt_add(x[0], x[1]);
    }
}

static gt_tensor leaf_of(const program *p, gt_tape *tape, uint32_t i) {
    double wide[MOST];
    float narrow[MOST];
    for (int k = 0; k < MOST; k++)
        narrow[k] = (float)(wide[k] = 0.1 * ((7 * k + 3 * (int)i) % 19) - 0.9);
    const void *data = p->dtype == GT_F64 ? (const void *)wide : narrow;
    return gt_input(tape, data, GT_SHAPE(p->rows, WIDTH), p->dtype);
}

/* Records, and computes the value and its gradients, floats of either kind as doubles. Returns how many. */
static int run(const program *p, gt_tape *tape, double *value) {
    gt_tensor made[STEPS], slope[LEAVES];
    for (uint32_t i = 0; i < STEPS; i++)
        made[i] = i < LEAVES ? leaf_of(p, tape, i) : run_step(p, i, made);
    const gt_tensor loss =
        gt_mean(gt_square(gt_add(made[STEPS - 1], made[STEPS - 2])), GT_ALL, false);
    cr_assert(gt_grads(loss, made, LEAVES, slope), "%s", gt_error(tape));
    int n = 0;
    value[n++] = gt_item(loss);
    for (int k = 0; k < LEAVES; k++) {
        const gt_tensor wide = gt_cast(slope[k], GT_F64);
        const double *data = gt_data(wide);
        cr_assert(data, "%s", gt_error(tape));
        for (int64_t j = 0; j < gt_numel(gt_shape_of(wide)); j++) value[n++] = data[j];
    }
    return n;
}

static void loop(uint32_t seed, int rounds) {
    program p = {.seed = seed, .dtype = GT_F32, .rows = 4};
    gt_tape *tape = gt_tape_new(NULL);
    for (uint32_t i = 0; i < STEPS; i++) write_step(&p, i);
    for (int round = 0; round < rounds; round++) {
        double value[1 + LEAVES * MOST], expected[1 + LEAVES * MOST];
        gt_tape *once = gt_tape_new(NULL);
        gt_tape_reset(tape);
        const int n = run(&p, tape, value);
        cr_assert_eq(run(&p, once, expected), n);
        for (int k = 0; k < n; k++)
            cr_assert_eq(quick_bits(&value[k], GT_F64), quick_bits(&expected[k], GT_F64),
                         "seed %u, round %d, number %d: %g, not %g", seed, round, k, value[k],
                         expected[k]);
        gt_tape_free(once);
        for (uint32_t k = draw(&p, 3); k > 0; k--) change(&p);
    }
    gt_tape_free(tape);
}

Test(again, loops_that_record_much_the_same_give_what_is_recorded_once) {
    const uint32_t seeds = getenv("GT_SOAK") ? 5000 : 50;
    for (uint32_t seed = 1; seed <= seeds; seed++) loop(seed, 30);
}

/* What the user's later recordings read is no sink, which a commit would store; what they no longer read is one. */
Test(again, what_is_a_sink_is_found_out_anew) {
    gt_tape *tape = gt_tape_new(NULL);
    const double first[3] = {1, 2, 3}, other[3] = {4, 5, 6};
    for (int round = 0; round < 4; round++) {
        const bool used = round < 3;
        gt_tape_reset(tape);
        const gt_tensor x = gt_input(tape, first, GT_SHAPE(3), GT_F64), h = gt_neg(x);
        const gt_tensor y = gt_neg(used ? h : x);
        cr_assert(gt_commit(tape) && gt_set(x, other), "%s", gt_error(tape));
        const double *data = gt_data(y);
        cr_assert(data && data[2] == (used ? 3 : -3));
        cr_assert_eq(gt_data(h) == NULL, used, "round %d", round);
        cr_assert_eq(quick_failed_with(tape, "stale"), used);
    }
    gt_tape_free(tape);
}

/* A list of three has a place and a count where an operation on two has its operands. */
Test(again, a_list_is_not_taken_for_its_place_and_count) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 6; round++) {
        gt_tape_reset(tape);
        gt_tensor p[5];
        for (int k = 0; k < 5; k++) p[k] = quick_scalar(tape, k + 1);
        p[4] = gt_neg(gt_neg(p[4]));
        const gt_tensor two[2] = {p[0], p[3]};
        const gt_tensor y = gt_accumulate(round < 3 ? gt_list_of(3, p + 2) : gt_list_of(2, two));
        cr_assert_eq(gt_item(gt_neg(gt_neg(y))), round < 3 ? 3 + 4 + 5 : 1 + 4);
    }
    gt_tape_free(tape);
}

Test(again, a_list_may_be_shorter) {
    gt_tape *tape = gt_tape_new(NULL);
    const double value[2] = {1, 2};
    for (int count = 4; count > 1; count--) {
        gt_tape_reset(tape);
        gt_tensor x[4];
        for (int k = 0; k < 4; k++) x[k] = gt_input(tape, value, GT_SHAPE(2), GT_F64);
        const double *data = gt_data(gt_accumulate(gt_list_of(count, x)));
        cr_assert(data && data[1] == 2 * count);
    }
    gt_tape_free(tape);
}

/* The numbers of a refused operation stand where those of the one before stood. */
Test(again, what_was_refused_is_refused_again) {
    const int32_t value[2] = {3, 4};
    gt_tape *tape = gt_tape_new(NULL);
    for (int round = 0; round < 6; round++) {
        gt_tape_reset(tape);
        const gt_tensor x = gt_input(tape, value, GT_SHAPE(2), GT_I32);
        const gt_tensor y = gt_add_scalar(x, round % 3 ? 0.5 : 2);
        cr_assert_eq(gt_valid(y), round % 3 == 0, "round %d", round);
        cr_assert_eq(gt_failed(tape), round % 3 != 0);
    }
    gt_tape_free(tape);
}
