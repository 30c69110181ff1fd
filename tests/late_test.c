/* tests/late_test.c: gradients of large matrices, which only an update reads, are made right before it, with the same
 * bits. That nothing is updated where anything fails is a story of support/sweep_faults.c. */
#include <criterion/criterion.h>

#include "ops/gemm.h"
#include "support/printed.h"
#include "support/quick.h"

enum { ROWS = 8, IN = 700, HIDDEN = 520, OUT = 540, STEPS = 2, ANY = -1 };

/* What a test varies: kinds, stacks of two matrices as weights, and what else reads a gradient. */
typedef struct variant {
    gt_dtype dtype;
    bool stacked, clipped, half, crossed, reference;
} variant;

/* Of two matrices whose gradients read each other: none may be overwritten before both are made. */
static gt_tensor crossed_loss(gt_tape *tape, gt_dtype dtype) {
    const gt_init init = gt_init_xavier_uniform();
    const gt_tensor b = gt_param(tape, "b", GT_SHAPE(HIDDEN, ROWS), dtype, init);
    const gt_tensor a = gt_param(tape, "a", GT_SHAPE(IN, HIDDEN), dtype, init);
    return gt_mean(gt_square(gt_matmul(a, b)), GT_ALL, false);
}

static gt_tensor weight(gt_tape *tape, const char *name, int64_t in, int64_t out,
                        const variant *v) {
    const gt_shape shape = v->stacked ? GT_SHAPE(2, in, out) : GT_SHAPE(in, out);
    return gt_param(tape, name, shape, v->dtype, gt_init_xavier_uniform());
}

static gt_tensor loss_of(gt_tape *tape, const variant *v) {
    if (v->crossed) {
        gt_autocast(tape, v->half);
        return crossed_loss(tape, v->dtype);
    }
    const gt_shape shape = v->stacked ? GT_SHAPE(2, ROWS, IN) : GT_SHAPE(ROWS, IN);
    const gt_tensor x = gt_randn(tape, shape, v->dtype);
    gt_autocast(tape, v->half);
    const gt_tensor h = gt_tanh(gt_matmul(x, weight(tape, "w", IN, HIDDEN, v)));
    const gt_tensor y = gt_matmul(h, weight(tape, "u", HIDDEN, OUT, v));
    return gt_mean(gt_square(y), GT_ALL, false);
}

static bool step(gt_optim *opt, gt_tape *tape, const variant *v) {
    gt_tape_reset(tape);
    return gt_minimize(opt, loss_of(tape, v));
}

static gt_optim *optimizer(gt_params *params, const variant *v) {
    const gt_sgd_options options = {.rate = 0.5,
                                    .momentum = 0.9,
                                    .clip_norm = v->clipped ? 0.01 : 0};
    return gt_sgd(params, options);
}

/* The parameters after some steps, in one block that the caller frees. */
static char *train(const variant *v, size_t *size, char **plan) {
    gt_params *params = gt_params_new(NULL, 5);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = optimizer(params, v);
    gt_reference(tape, v->reference);
    for (int k = 0; k < STEPS; k++) cr_assert(step(opt, tape, v), "%s", gt_error(tape));
    *plan = printed(gt_plan_print, tape);
    gt_param_info info;
    char *bytes = NULL;
    *size = 0;
    for (int k = 0; gt_params_at(params, k, &info); k++) {
        const size_t more = (size_t)gt_numel(info.shape) * gt_dtype_size(info.dtype);
        bytes = realloc(bytes, *size + more);
        memcpy(bytes + *size, info.data, more);
        *size += more;
    }
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return bytes;
}

static int count_late(const char *plan) {
    int n = 0;
    for (const char *at = plan; (at = strstr(at, " late ")); at++) n++;
    return n;
}

static void compare(variant v, int late) {
    size_t size, size_once;
    char *plan, *none;
    char *planned = train(&v, &size, &plan);
    v.reference = true;
    char *once = train(&v, &size_once, &none);
    cr_assert_eq(size, size_once);
    cr_assert(memcmp(planned, once, size) == 0);
    cr_assert(late == ANY || count_late(plan) == late, "%s", plan);
    free(planned), free(once), free(plan), free(none);
}

Test(late, gradients_made_late_change_no_bit) {
    compare((variant){.dtype = GT_F32}, 2);
    compare((variant){.dtype = GT_F64}, 2);
}

Test(late, a_batch_of_products_is_computed_before) {
    compare((variant){.dtype = GT_F32, .stacked = true}, 2);
}

Test(late, what_a_norm_reads_too_is_not_late) {
    compare((variant){.dtype = GT_F32, .clipped = true}, 0);
}

/* Others cast the matrices first. */
static bool has_products_of_bf16(void) {
    const gt__gemm_job job = {.m = HIDDEN, .n = OUT, .k = ROWS};
    return gt__gemm_takes_bf16(&job);
}

Test(late, products_of_bf16_are_made_late_too) {
    compare((variant){.dtype = GT_F32, .half = true}, has_products_of_bf16() ? 2 : ANY);
}

Test(late, what_reads_a_matrix_that_is_overwritten_is_not_late) {
    compare((variant){.dtype = GT_F64, .crossed = true}, 0);
    compare((variant){.dtype = GT_F32, .crossed = true, .half = true},
            has_products_of_bf16() ? 0 : ANY);
}
