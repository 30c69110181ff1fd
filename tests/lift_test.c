/* tests/lift_test.c: what of a gradient runs with the forward pass: when it lessens what is kept for it, and that bits stay. */
#include <criterion/criterion.h>
#include <math.h>

#include "support/printed.h"
#include "support/quick.h"

enum { ROWS = 48, WIDTH = 40 };

static gt_tensor waves(gt_tape *tape, double scale) {
    const gt_shape shape = GT_SHAPE(ROWS, WIDTH);
    const gt_tensor angle = gt_reshape(gt_arange(tape, 0, 1, ROWS * WIDTH, GT_F32), shape);
    return gt_input(tape, gt_data(gt_mul_scalar(gt_sin(angle), scale)), shape, GT_F32);
}

typedef gt_tensor activation(gt_tensor x);

/* A product before and after, so that the gradient comes later. */
static gt_tensor between(gt_tensor x, activation *f) {
    const gt_tensor w = gt_t(gt_mul_scalar(x, 0.1));
    return gt_sum(gt_square(gt_matmul(f(gt_matmul(x, gt_matmul(w, x))), w)), GT_ALL, false);
}

/* The lines of the plan of f and its gradient that have both words. */
static int lines_with(activation *f, const char *word, const char *other) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = waves(tape, 2), y = between(x, f), wanted[2] = {y, gt_grad(y, x)};
    cr_assert(gt_run(tape, wanted, 2), "%s", gt_error(tape));
    const int found = printed_steps(tape, word, other);
    gt_tape_free(tape);
    return found;
}

/* Records what is to run, returns how many; the first is compared. */
typedef int recorder(gt_tensor x, activation *f, gt_tensor wanted[2]);

static void expect_same(recorder *record, activation *f) {
    gt_tape *tape[2];
    gt_tensor wanted[2][2];
    for (int k = 0; k < 2; k++) {
        tape[k] = gt_tape_new(NULL);
        gt_reference(tape[k], k);
        const int n = record(waves(tape[k], 2), f, wanted[k]);
        cr_assert(gt_run(tape[k], wanted[k], n), "%s", gt_error(tape[k]));
    }
    cr_assert(memcmp(gt_data(wanted[0][0]), gt_data(wanted[1][0]), ROWS * WIDTH * sizeof(float)) ==
              0);
    for (int k = 0; k < 2; k++) gt_tape_free(tape[k]);
}

static int gradient_of(gt_tensor x, activation *f, gt_tensor wanted[2]) {
    wanted[1] = between(x, f);
    wanted[0] = gt_grad(wanted[1], x);
    return 2;
}

static void expect_reference(activation *f) { expect_same(gradient_of, f); }

static gt_tensor gelu(gt_tensor x) { return gt_gelu(x); }
static gt_tensor silu(gt_tensor x) { return gt_silu(x); }
static gt_tensor relu6(gt_tensor x) { return gt_relu6(x); }
static gt_tensor slanted(gt_tensor x) { return gt_leaky_relu(x, 0.1); }
static gt_tensor tanh_of(gt_tensor x) { return gt_tanh(x); }
static gt_tensor beside_part(gt_tensor x) { return gt_mul(gt_normal_cdf(x), gt_gelu(x)); }
/* x itself is kept for the product's gradient. */
static gt_tensor beside_itself(gt_tensor x) {
    return gt_add(gt_gelu(x), gt_matmul(x, gt_matmul(gt_t(x), x)));
}

Test(lift, a_local_derivative_is_kept_instead_of_what_it_is_made_of) {
    cr_assert_eq(lines_with(gelu, "normal_cdf gelu", "normal_pdf"), 1);
    cr_assert_eq(lines_with(gelu, "chain", "normal_pdf"), 0);
    cr_assert_eq(lines_with(silu, "sigmoid silu", "add_scalar"), 1);
    expect_reference(gelu);
    expect_reference(silu);
}

Test(lift, a_condition_is_kept_instead_of_a_number) {
    cr_assert_eq(lines_with(relu6, "relu6", "logical_and"), 1);
    cr_assert_eq(lines_with(relu6, "relu6", "where"), 0);
    cr_assert_eq(lines_with(slanted, "leaky_relu", "greater"), 1);
    expect_reference(relu6);
    expect_reference(slanted);
}

Test(lift, what_saves_nothing_stays_where_it_is) {
    cr_assert_eq(lines_with(tanh_of, "chain", "square"), 1);
    cr_assert_eq(lines_with(beside_itself, "gelu", "normal_pdf"), 0);
    expect_reference(tanh_of);
    expect_reference(beside_itself);
}

Test(lift, a_part_that_comes_first_is_computed_once) { expect_reference(beside_part); }

enum { COUNT = 1024 };

typedef union numbers {
    float f32[COUNT];
    double f64[COUNT];
} numbers;

/* What gt_op_more.part says of rows. The first number is NaN, whose sign is left open, and not compared. */
static int compare_with_part(const gt_op *op, bool exact, gt_dtype dtype) {
    numbers x, whole, part, made;
    const void *in[3] = {&x, NULL, NULL}, *both[3] = {&x, &part, NULL};
    const gt_op_more *more = &op->more, *own = &more->part->more;
    for (int i = 0; i < COUNT; i++) {
        const double at = i == 0 ? (double)NAN : i == 1 ? (double)INFINITY : (i - 512) / 12.0;
        if (dtype == GT_F64)
            x.f64[i] = at;
        else
            x.f32[i] = (float)at;
    }
    (exact ? more->exact : more->tile)(dtype, dtype)(&whole, in, NULL, COUNT);
    (exact ? own->exact : own->tile)(dtype, dtype)(&part, in, NULL, COUNT);
    more->of_part(dtype, dtype)(&made, both, NULL, COUNT);
    if (dtype == GT_F64) {
        cr_assert(isnan(whole.f64[0]) && isnan(made.f64[0]), "%s", op->name);
        cr_assert(memcmp(whole.f64 + 1, made.f64 + 1, (COUNT - 1) * sizeof(double)) == 0, "%s",
                  op->name);
    } else {
        cr_assert(isnan(whole.f32[0]) && isnan(made.f32[0]), "%s", op->name);
        cr_assert(memcmp(whole.f32 + 1, made.f32 + 1, (COUNT - 1) * sizeof(float)) == 0, "%s",
                  op->name);
    }
    return 1;
}

Test(lift, wholes_have_the_bits_of_their_parts) {
    int found = 0;
    for (int i = 0; gt_op_at(i); i++)
        for (int way = 0; gt_op_at(i)->more.part && way < 4; way++)
            found += compare_with_part(gt_op_at(i), way % 2, way < 2 ? GT_F32 : GT_F64);
    cr_assert_geq(found, 8);
}

/* k is kept for the product, and read early by what is a candidate, too: it cannot be given up for the condition that it is
 * made of. */
static int read_early(gt_tensor x, activation *f, gt_tensor wanted[2]) {
    const gt_tensor one = gt_scalar(x.tape, 1, GT_F32), tenth = gt_scalar(x.tape, 0.1, GT_F32);
    const gt_tensor w = gt_matmul(gt_t(x), x), h = f(gt_matmul(x, w));
    const gt_tensor late = gt_matmul(gt_mul(h, gt_cos(h)), w);
    const gt_tensor k = gt_where(gt_greater(h, tenth), one, tenth);
    const gt_tensor choice = gt_greater(gt_exp(k), gt_scalar(x.tape, 1.5, GT_F32));
    wanted[0] = gt_where(choice, gt_mul(k, late), gt_neg(late));
    return 1;
}

static gt_tensor sine(gt_tensor x) { return gt_sin(x); }

Test(lift, what_another_reads_early_is_not_given_up) { expect_same(read_early, sine); }
