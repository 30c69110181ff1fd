/* tests/casts_test.c: casts that a plan leaves out, since products round what they read: which ones, and that bits stay. */
#include <criterion/criterion.h>

#include "ops/gemm.h"
#include "support/printed.h"

enum { ROWS = 10, IN = 36, OUT = 28 };

static gt_tensor waves(gt_tape *tape, gt_shape shape, double speed) {
    const gt_tensor angle = gt_arange(tape, 0, speed, gt_numel(shape), GT_F32);
    return gt_input(tape, gt_data(gt_reshape(gt_sin(angle), shape)), shape, GT_F32);
}

static gt_tensor halves(gt_tensor x) { return gt_cast(x, GT_BF16); }

/* What is computed of x [ROWS, IN] and w [IN, OUT], which are there before. */
typedef gt_tensor recorder(gt_tensor x, gt_tensor w);

static gt_tensor product(gt_tensor x, gt_tensor w) { return gt_matmul(halves(x), halves(w)); }

static gt_tensor both_gradients(gt_tensor x, gt_tensor w) {
    const gt_tensor loss = gt_sum(gt_square(product(x, w)), GT_ALL, false);
    const gt_tensor gx = gt_grad(loss, x), gw = gt_grad(loss, w);
    return gt_concat(GT_LIST(gx, gt_t(gw)), 0);
}

static gt_tensor of_views(gt_tensor x, gt_tensor w) {
    const gt_tensor below = gt_matmul(halves(gt_t(w)), halves(gt_t(x)));
    const gt_tensor above = gt_matmul(halves(x), gt_flip(halves(w), GT_ALL));
    return gt_concat(GT_LIST(gt_t(below), above), 0);
}

static gt_tensor of_a_batch(gt_tensor x, gt_tensor w) {
    const gt_tensor a = gt_reshape(x, GT_SHAPE(2, ROWS, IN / 2)),
                    b = gt_reshape(w, GT_SHAPE(2, IN / 2, OUT));
    return gt_matmul(halves(a), halves(b));
}

/* Several products that are added up, and one B that is packed for all. */
static gt_tensor of_a_loop(gt_tensor x, gt_tensor w) {
    const gt_tensor half = halves(gt_slice(w, 1, 0, OUT / 2, 1));
    gt_tensor sum = gt_none();
    for (int i = 0; i < 6; i++) {
        const gt_tensor y = gt_tanh(gt_matmul(halves(gt_mul_scalar(x, i * 0.2)), half));
        sum = i ? gt_add(sum, y) : y;
    }
    return gt_grad(gt_sum(sum, GT_ALL, false), w);
}

static gt_tensor read_otherwise(gt_tensor x, gt_tensor w) {
    const gt_tensor b = halves(w), y = gt_matmul(halves(x), b);
    return gt_add(y, gt_cast(gt_sum(gt_cast(b, GT_F32), GT_ALL, false), GT_F32));
}

static gt_tensor wanted_too(gt_tensor x, gt_tensor w) {
    return gt_matmul(halves(x), gt_keep(halves(w)));
}

static gt_tensor computed(gt_tensor x, gt_tensor w) { return product(x, gt_mul_scalar(w, 3)); }

static gt_tensor on_the_left(gt_tensor x, gt_tensor w) {
    return gt_matmul(gt_t(halves(w)), halves(gt_mul_scalar(gt_t(x), 3)));
}

static gt_tensor of_odd_sizes(gt_tensor x, gt_tensor w) {
    return product(gt_slice(x, 1, 1, GT_END, 1), gt_slice(w, 0, 1, GT_END, 1));
}

static void expect_left_out(recorder *record, int count) {
    const gt__gemm_job job = {.m = ROWS, .n = OUT, .k = IN};
    gt_tape *tape[2];
    gt_tensor y[2];
    for (int k = 0; k < 2; k++) {
        tape[k] = gt_tape_new(NULL);
        const gt_tensor x = waves(tape[k], GT_SHAPE(ROWS, IN), 0.7);
        const gt_tensor w = waves(tape[k], GT_SHAPE(IN, OUT), 1.3);
        gt_reference(tape[k], k);
        y[k] = record(x, w);
        cr_assert(gt_data(y[k]), "%s", gt_error(tape[k]));
    }
    cr_assert_eq(printed_steps(tape[0], "view", "cast"), gt__gemm_takes_bf16(&job) ? count : 0);
    const size_t bytes = (size_t)gt_numel(gt_shape_of(y[0])) * sizeof(float);
    cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), bytes) == 0);
    for (int k = 0; k < 2; k++) gt_tape_free(tape[k]);
}

Test(casts, of_what_was_there_before_are_left_out) {
    expect_left_out(product, 1);
    expect_left_out(both_gradients, 1);
    expect_left_out(of_views, 2);
    expect_left_out(of_a_batch, 1);
    expect_left_out(of_a_loop, 1);
}

Test(casts, that_others_need_stay) {
    expect_left_out(read_otherwise, 0);
    expect_left_out(wanted_too, 0);
    expect_left_out(computed, 0);
    expect_left_out(on_the_left, 0);
    expect_left_out(of_odd_sizes, 0);
}
