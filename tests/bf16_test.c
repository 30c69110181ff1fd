/* tests/bf16_test.c: numbers of 16 bits, products of them, and training in mixed precision. What gt_autocast makes of
 * every operation's samples is the harness's matter. */
#include <criterion/criterion.h>

#include "ops/bf16.h"
#include "ops/rows.h"
#include "support/quick.h"

/* ---- numbers --------------------------------------------------------------------------------- */

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

Test(bf16, every_number_survives_the_way_to_float_and_back) {
    static uint16_t all[1 << 16], back[1 << 16];
    static float wide[1 << 16];
    for (int i = 0; i < 1 << 16; i++) all[i] = (uint16_t)i;
    gt__from_bf16(wide, all, 1 << 16);
    gt__to_bf16(back, wide, 1 << 16);
    for (int i = 0; i < 1 << 16; i++) {
        const uint16_t quiet = (i & 0x7f80) == 0x7f80 && i & 0x7f ? 0x40 : 0;
        cr_assert_eq(back[i], i | quiet, "%x", (unsigned)i);
        cr_assert_eq(gt__bf16_of(wide[i]), back[i]);
    }
}

/* Of the two neighbours the nearer, of two as near the even one, by differences in double. */
static void expect_nearest(float x) {
    const uint16_t is = gt__bf16_of(x);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint16_t towards_zero = (uint16_t)(bits >> 16);
    const double low = (double)gt__bf16_value(towards_zero),
                 high = (towards_zero & 0x7fff) == 0x7f7f
                            ? copysign(0x1p128, (double)x)
                            : (double)gt__bf16_value((uint16_t)(towards_zero + 1));
    const double below = fabs((double)x - low), above = fabs(high - (double)x);
    const bool up = above < below || (above == below && towards_zero & 1);
    cr_assert_eq(is, up ? towards_zero + 1 : towards_zero, "%a", (double)x);
}

Test(bf16, rounds_to_the_nearest_number) {
    const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x1234, 0xcdef};
    for (uint32_t high = 0; high < 1 << 16; high++)
        for (size_t k = 0; k < sizeof low / sizeof *low; k++) {
            const float x = float_of(high << 16 | low[k]);
            if (isfinite(x)) expect_nearest(x);
            if (isnan(x)) cr_assert(isnan(gt__bf16_value(gt__bf16_of(x))));
        }
    cr_assert_eq(gt__bf16_of((float)INFINITY), 0x7f80);
    cr_assert_eq(gt__bf16_of(float_of(0x7f7fffff)), 0x7f80, "the largest float is nearer infinity");
}

/* ---- products -------------------------------------------------------------------------------- */

/* Whole numbers below 256, which bf16 holds, and whose products f32 sums without rounding. */
static gt_tensor whole(gt_tape *tape, int rows, int columns) {
    float data[64 * 64];
    for (int i = 0; i < rows * columns; i++) data[i] = (float)(i * 37 % 41 - 20);
    return gt_input(tape, data, GT_SHAPE(rows, columns), GT_F32);
}

static gt_tensor same(gt_tensor x) { return x; }
static gt_tensor turned(gt_tensor x) { return gt_t(gt_slice(gt_t(x), 0, 0, GT_END, 1)); }
static gt_tensor backwards(gt_tensor x) { return gt_flip(x, GT_ALL); }
static gt_tensor every_ninth(gt_tensor x) { return gt_slice(x, 1, 0, GT_END, 9); }
static gt_tensor one_row(gt_tensor x) { return gt_expand(gt_slice(x, 0, 2, 3, 1), gt_shape_of(x)); }

Test(bf16, views_multiply_like_floats) {
    gt_tensor (*const view[])(gt_tensor) = {same, turned, backwards, every_ninth, one_row};
    gt_tape *tape = gt_tape_new(NULL);
    for (size_t k = 0; k < sizeof view / sizeof *view; k++) {
        const gt_tensor x = whole(tape, 20, 30), halves = gt_cast(x, GT_BF16);
        const gt_tensor a = view[k](x), b = view[k](halves);
        const gt_tensor expected = gt_matmul(a, gt_t(a)), is = gt_matmul(b, gt_t(b));
        const size_t bytes = (size_t)gt_numel(gt_shape_of(is)) * sizeof(float);
        cr_assert_eq(gt_dtype_of(b), GT_BF16);
        cr_assert(gt_data(is) && memcmp(gt_data(is), gt_data(expected), bytes) == 0, "view %d",
                  (int)k);
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
}

/* Large enough for a processor's own products of bf16: of whole numbers, so the sums are exact in any order. */
Test(bf16, large_products_are_exact) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_cast(whole(tape, 60, 64), GT_BF16);
    const gt_tensor tall = gt_concat(GT_LIST(x, x, x, x), 0), y = gt_matmul(tall, gt_t(tall));
    const float *at = gt_data(y), *data = gt_data(gt_cast(x, GT_F32));
    cr_assert(at && data, "%s", gt_error(tape));
    for (int i = 0; i < 240; i++)
        for (int j = 0; j < 240; j++) {
            double sum = 0;
            for (int p = 0; p < 64; p++)
                sum += (double)data[i % 60 * 64 + p] * (double)data[j % 60 * 64 + p];
            cr_assert_eq(at[i * 240 + j], (float)sum, "%d, %d", i, j);
        }
    gt_tape_free(tape);
}

Test(bf16, gradients_are_f32_and_summed_as_that) {
    const float one = 1;
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_cast(gt_input(tape, &one, GT_SHAPE(1), GT_F32), GT_BF16);
    const gt_tensor y = gt_cast(x, GT_F32);
    const gt_tensor sum = gt_add(gt_mul_scalar(y, 256), gt_mul_scalar(gt_cast(x, GT_F32), 1));
    const gt_tensor gx = gt_grad(sum, x);
    cr_assert_eq(gt_dtype_of(gx), GT_F32);
    cr_assert_eq(gt_item(gx), 257, "which bf16 cannot hold");
    cr_assert_eq(gt_dtype_of(gt_grad(sum, gt_cast(y, GT_BF16))), GT_F32, "zeros, too");
    gt_tape_free(tape);
}

Test(bf16, a_parameter_of_16_bits_has_a_gradient_of_32) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const uint16_t data[3] = {0x3f80, 0x4000, 0x4040}; /* 1, 2, 3 */
    cr_assert(gt_param_set(params, "w", GT_SHAPE(3), GT_BF16, data, true));
    for (int k = 0; k < 2; k++) {
        const gt_tensor w = gt_cast(gt_param_leaf(tape, "w"), GT_F32);
        cr_assert(gt_backward(gt_mul_scalar(gt_sum(gt_square(w), GT_ALL, false), 64.5)));
        gt_tape_reset(tape);
    }
    gt_param_info info;
    cr_assert(gt_params_find(params, "w", &info) && info.grad);
    for (int i = 0; i < 3; i++) cr_assert_eq(((const float *)info.grad)[i], 258 * (float)(i + 1));
    gt_tape_free(tape);
    gt_params_free(params);
}

/* ---- gt_autocast ----------------------------------------------------------------------------- */

static int count_kind(gt_tape *tape, gt_dtype dtype) {
    int count = 0;
    for (uint32_t i = 0; i < gt_tape_size(tape); i++)
        count += gt_dtype_of(gt_tensor_at(tape, i)) == dtype;
    return count;
}

Test(bf16, autocast_casts_a_tensor_once_and_again_after_a_write) {
    const float ones[4] = {1, 1, 1, 1};
    gt_tape *tape = gt_tape_new(NULL);
    gt_autocast(tape, true);
    const gt_tensor w = gt_param(tape, "w", GT_SHAPE(2, 2), GT_F32, gt_init_constant(1.25));
    gt_tensor y = gt_matmul(w, w);
    for (int k = 0; k < 3; k++) y = gt_matmul(y, w);
    cr_assert_eq(count_kind(tape, GT_BF16), 4, "w, and three results");
    cr_assert_eq(gt_dtype_of(y), GT_F32);
    cr_assert(gt_set(w, ones));
    cr_assert_eq(gt_element(gt_matmul(w, w), 0), 2, "%s", gt_error(tape));
    cr_assert_eq(count_kind(tape, GT_BF16), 5);
    gt_tape_reset(tape);
    const gt_tensor x = gt_input(tape, ones, GT_SHAPE(2, 2), GT_F32);
    gt_matmul(x, x);
    cr_assert_eq(count_kind(tape, GT_BF16), 1, "it outlives a reset");
    gt_autocast(tape, false);
    gt_matmul(x, x);
    cr_assert_eq(count_kind(tape, GT_BF16), 1);
    gt_tape_free(tape);
}

Test(bf16, autocast_rounds_products_and_those_of_the_gradient) {
    const float x0 = 1 + 0x1p-10F, w0 = 1 + 0x1p-7F, up = 1 + 0x1p-12F;
    gt_tape *tape = gt_tape_new(NULL);
    gt_autocast(tape, true);
    const gt_tensor x = gt_input(tape, &x0, GT_SHAPE(1, 1), GT_F32),
                    w = gt_input(tape, &w0, GT_SHAPE(1, 1), GT_F32),
                    u = gt_input(tape, &up, GT_SHAPE(1, 1), GT_F32);
    const gt_tensor y = gt_matmul(x, w), gx = gt_vjp(y, u, x), gw = gt_vjp(y, u, w);
    cr_assert_eq(gt_item(y), (double)w0, "x is rounded to 1, w is not");
    cr_assert_eq(gt_item(gx), (double)w0, "the upstream is rounded to 1");
    cr_assert_eq(gt_item(gw), 1);
    cr_assert(gt_dtype_of(gx) == GT_F32 && gt_dtype_of(gw) == GT_F32);
    gt_tape_free(tape);
}

Test(bf16, autocast_leaves_alone_what_it_is_not_for) {
    const double third[4] = {1 / 3.0, 1 / 3.0, 1 / 3.0, 1 / 3.0};
    gt_tape *tape = gt_tape_new(NULL);
    gt_autocast(tape, true);
    const gt_tensor x = gt_input(tape, third, GT_SHAPE(2, 2), GT_F64), y = gt_cast(x, GT_F32);
    cr_assert_eq(gt_item(gt_sum(gt_matmul(x, x), GT_ALL, false)), 8 / 9.0);
    gt_sum(gt_mul(y, y), GT_ALL, false);
    cr_assert_eq(count_kind(tape, GT_BF16), 0, "doubles, and products of elements");
    gt_autocast(tape, false);
    const gt_tensor plain = gt_sum(gt_matmul(y, y), GT_ALL, false);
    gt_autocast(tape, true);
    gt_grad(plain, y);
    cr_assert_eq(count_kind(tape, GT_BF16), 0, "rules follow what they differentiate");
    gt_matmul(x, y);
    cr_assert(quick_failed_with(tape, "is f64 and"), "%s", gt_error(tape));
    cr_assert_null(strstr(gt_error(tape), "is bf16"));
    gt_autocast(NULL, true);
    gt_tape_free(tape);
}

/* A product of a view passes its gradient on to the view, which a user may ask for. */
Test(bf16, autocast_leaves_gradients_to_views) {
    const float data[4] = {1, 2, 3, 4}, expected[4] = {3, 7, 3, 7};
    gt_tape *tape = gt_tape_new(NULL);
    gt_autocast(tape, true);
    const gt_tensor w = gt_input(tape, data, GT_SHAPE(2, 2), GT_F32);
    const gt_tensor a = gt_add_scalar(gt_input(tape, data, GT_SHAPE(4), GT_F32), 0);
    const gt_tensor h = gt_reshape(a, GT_SHAPE(2, 2));
    const gt_tensor loss = gt_sum(gt_matmul(h, w), GT_ALL, false);
    cr_assert(memcmp(gt_data(gt_grad(loss, h)), expected, sizeof expected) == 0);
    cr_assert(memcmp(gt_data(gt_grad(loss, a)), expected, sizeof expected) == 0);
    gt_tape_free(tape);
}

Test(bf16, messages_name_operands_and_not_their_casts) {
    const float data[6] = {0};
    gt_tape *tape = gt_tape_new(NULL);
    gt_autocast(tape, true);
    const gt_tensor x = gt_name(gt_input(tape, data, GT_SHAPE(2, 3), GT_F32), "x");
    const gt_tensor w = gt_param(tape, "w", GT_SHAPE(2, 3), GT_F32, gt_init_zeros());
    gt_matmul(x, w);
    cr_assert(quick_failed_with(tape, "inner sizes differ: x[2,3] @ w[2,3]"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

/* ---- training -------------------------------------------------------------------------------- */

/* The loss of a small classifier after some steps. */
static double train(bool bf16) {
    enum { N = 96, IN = 24, CLASSES = 3, STEPS = 150 };
    float x[N * IN];
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        label[i] = i % CLASSES;
        for (int j = 0; j < IN; j++)
            x[i * IN + j] =
                (float)sin((1 + label[i]) * 0.7 * j) + 0.3F * (float)(i * j * 31 % 17 - 8) / 8;
    }
    gt_params *params = gt_params_new(NULL, 5);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *adam = gt_adam(params, (gt_adam_options){.rate = 3e-3});
    gt_autocast(tape, bf16);
    double loss = 0;
    for (int step = 0; step < STEPS; step++) {
        const gt_tensor in = gt_input(tape, x, GT_SHAPE(N, IN), GT_F32);
        const gt_tensor hidden = gt_relu(gt_linear(in, "hidden", 16));
        const gt_tensor out = gt_cross_entropy(gt_linear(hidden, "out", CLASSES),
                                               gt_input(tape, label, GT_SHAPE(N), GT_I32));
        cr_assert(gt_minimize(adam, out), "%s", gt_error(tape));
        loss = gt_item(out);
        gt_tape_reset(tape);
    }
    gt_param_info info;
    cr_assert(gt_params_at(params, 0, &info) && info.dtype == GT_F32);
    gt_optim_free(adam);
    gt_tape_free(tape);
    gt_params_free(params);
    return loss;
}

Test(bf16, trains_as_f32_does) {
    const double wide = train(false), narrow = train(true);
    cr_assert(wide < 0.05, "%g", wide);
    cr_assert(quick_near(narrow, wide, 0.1 * wide), "%g in mixed precision, %g in f32", narrow,
              wide);
    cr_assert_neq(narrow, wide);
}
