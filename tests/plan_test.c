/* tests/plan_test.c: what planned runs promise beyond the reference's bits: several threads, loops that ask for no
 * memory, steps that were refused, and what plans look like. */
#include <criterion/criterion.h>
#include <math.h>

#include "support/faults.h"
#include "support/printed.h"
#include "support/quick.h"

static gt_tensor waves(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return gt_sin(gt_reshape(gt_arange(tape, 0, 1, gt_numel(shape), dtype), shape));
}

/* Groups by tiles, by rows, folds, broadcasts, a transposed reader. */
static gt_tensor softmax_of(gt_tensor x) {
    const gt_tensor bias = gt_slice(x, 0, 7, 8, 1), share = gt_softmax(gt_add(x, bias), 1);
    const gt_tensor spread = gt_sub(x, gt_mean(x, GT_AXES(1), true));
    const gt_tensor turned = gt_t(gt_tanh(gt_t(gt_mul(share, spread))));
    return gt_sum(gt_mul(turned, gt_log(gt_add_scalar(gt_exp(spread), 1))), GT_ALL, false);
}

/* Wide and narrow elements, lines that repeat within tiles or do not, numbers of rows, folds of rows and of all. */
static gt_tensor choice_of(gt_tensor x) {
    const gt_tensor line = gt_mean(x, GT_AXES(0), true), row = gt_max(x, GT_AXES(-1), true);
    const gt_tensor low = gt_less(x, line), near = gt_exp(gt_mul(gt_sub(x, row), line));
    return gt_sum(gt_where(low, near, gt_div(x, gt_add_scalar(row, 3))), GT_ALL, false);
}

static void compare_with_reference(gt_tensor (*record)(gt_tensor), gt_shape shape, gt_dtype dtype) {
    gt_tensor y[2], gx[2];
    gt_tape *tape[2];
    for (int k = 0; k < 2; k++) {
        tape[k] = gt_tape_new(NULL);
        gt_reference(tape[k], k == 1);
        const gt_tensor x = waves(tape[k], shape, dtype);
        y[k] = record(x);
        gx[k] = gt_grad(y[k], x);
        cr_assert(gt_data(gx[k]), "%s", gt_error(tape[k]));
    }
    const size_t size = gt_dtype_size(dtype);
    cr_assert(memcmp(gt_data(gx[0]), gt_data(gx[1]), (size_t)gt_numel(shape) * size) == 0);
    cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), size) == 0);
    for (int k = 0; k < 2; k++) gt_tape_free(tape[k]);
}

/* Large enough for threads. */
Test(plan, large_tensors_have_the_bits_of_the_reference_on_any_threads) {
    compare_with_reference(softmax_of, GT_SHAPE(600, 300), GT_F32);
    compare_with_reference(choice_of, GT_SHAPE(600, 300), GT_F32);
}

Test(plan, tiles_of_every_length_have_the_bits_of_the_reference) {
    const gt_shape shapes[] = {GT_SHAPE(5000),    GT_SHAPE(3, 700, 10), GT_SHAPE(41, 513),
                               GT_SHAPE(70, 64),  GT_SHAPE(2, 2, 1500), GT_SHAPE(9, 1, 512),
                               GT_SHAPE(1025, 3), GT_SHAPE(2, 4097)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        compare_with_reference(choice_of, shapes[i], GT_F32);
        compare_with_reference(choice_of, shapes[i], GT_F64);
    }
}

static gt_tensor perceptron(gt_tape *tape, int step) {
    float data[8 * 5];
    const int64_t label[8] = {0, 1, 2, 0, 1, 2, 0, 1};
    for (int i = 0; i < 8 * 5; i++) data[i] = (float)((i + step) % 7);
    gt_tensor x = gt_input(tape, data, GT_SHAPE(8, 5), GT_F32);
    x = gt_relu(gt_linear(x, "first", 6));
    return gt_cross_entropy(gt_linear(x, "second", 3), gt_input(tape, label, GT_SHAPE(8), GT_I64));
}

/* Numbers differ from step to step, the structure does not. */
Test(plan, a_steady_loop_asks_for_no_memory) {
    faults f = {.fail_at = -1};
    const gt_allocator allocator = faults_allocator(&f);
    gt_params *params = gt_params_new(&allocator, 3);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 0.01});
    long after_three = 0;
    for (int step = 0; step < 10; step++) {
        cr_assert(gt_minimize(opt, perceptron(tape, step)), "%s", gt_error(tape));
        gt_tape_reset(tape);
        if (step == 2) after_three = f.requests;
    }
    cr_assert_eq(f.requests, after_three);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

static bool refuse(void *user) {
    *(int *)user += 1;
    return false;
}

/* The new value would be written into the leaf at once, but not before everybody has agreed. */
Test(plan, a_refused_commit_overwrites_no_leaf) {
    gt_tape *tape = gt_tape_new(NULL);
    const float data[3] = {1, 2, 3};
    int asked = 0;
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(3), GT_F32);
    gt_assign(x, gt_mul_scalar(gt_add(x, x), 2));
    cr_assert(!gt_commit_with(tape, NULL, 0, refuse, &asked));
    cr_assert(asked == 1 && memcmp(gt_data(x), data, sizeof data) == 0);
    cr_assert(gt_commit(tape));
    const float expected[3] = {4, 8, 12};
    cr_assert(memcmp(gt_data(x), expected, sizeof expected) == 0);
    gt_tape_free(tape);
}

static gt_tensor squared(gt_tensor x) { return gt_tanh(gt_matmul(x, gt_t(x))); }

static int count(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)) != NULL; text++) n++;
    return n;
}

/* Steps with this word in the plan of a run. */
static int steps_with(const char *word, const gt_tensor *wanted, int n) {
    cr_assert(gt_run(wanted[0].tape, wanted, n), "%s", gt_error(wanted[0].tape));
    char *text = printed(gt_plan_print, wanted[0].tape);
    const int found = count(text, word);
    free(text);
    return found;
}

Test(plan, what_is_recorded_twice_is_computed_once) {
    const float data[6] = {1, -2, 3, -4, 5, -6};
    double value[2];
    for (int k = 0; k < 2; k++) {
        gt_tape *tape = gt_tape_new(NULL);
        gt_reference(tape, k);
        const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 3), GT_F32);
        const gt_tensor y = gt_sum(gt_mul(squared(x), gt_exp(squared(x))), GT_ALL, false);
        value[k] = gt_item(y);
        gt_replay(tape);
        if (k == 0) cr_assert_eq(steps_with("matmul", &y, 1), 1);
        cr_assert_eq(gt_item(y), value[k]);
        gt_tape_free(tape);
    }
    cr_assert_eq(value[0], value[1]);
}

/* What is to be kept is stored under its own name; numbers of a recording may differ in the next. */
Test(plan, what_is_kept_or_has_numbers_is_computed_for_itself) {
    gt_tape *tape = gt_tape_new(NULL);
    const float data[6] = {1, -2, 3, -4, 5, -6};
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 3), GT_F32);
    const gt_tensor kept[2] = {squared(x), squared(x)};
    cr_assert(gt_run(tape, kept, 2), "%s", gt_error(tape));
    cr_assert(gt_data(kept[0]) != gt_data(kept[1]));
    cr_assert(memcmp(gt_data(kept[0]), gt_data(kept[1]), 4 * sizeof *data) == 0);
    const gt_tensor once = gt_add(gt_mul_scalar(x, 2), gt_mul_scalar(x, 2));
    cr_assert_eq(steps_with("mul_scalar mul_scalar", &once, 1), 1);
    gt_tape_free(tape);
}

Test(plan, what_a_checkpoint_repeats_is_not_kept_instead) {
    int products[2];
    for (int k = 0; k < 2; k++) {
        gt_tape *tape = gt_tape_new(NULL);
        const float data[6] = {1, -2, 3, -4, 5, -6};
        const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 3), GT_F32);
        if (k) gt_checkpoint_begin(tape);
        const gt_tensor y = gt_sum(squared(x), GT_ALL, false);
        if (k) gt_checkpoint_end(tape);
        const gt_tensor wanted[2] = {y, gt_grad(y, x)};
        products[k] = steps_with("matmul", wanted, 2);
        gt_tape_free(tape);
    }
    cr_assert_eq(products[1], products[0] + 1);
}

/* Forward, then back: two folds of rows each, and what is made of them. */
Test(plan, softmax_and_its_gradient_are_two_groups) {
    float data[24];
    for (int i = 0; i < 24; i++) data[i] = (float)(i % 7) - 3;
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(4, 6), GT_F32);
    const gt_tensor up = gt_matmul(x, gt_matmul(gt_t(x), x)), y = gt_softmax(x, 1);
    const gt_tensor loss = gt_sum(gt_mul(y, up), GT_ALL, false);
    const gt_tensor wanted[2] = {y, gt_grad(loss, x)};
    cr_assert_eq(steps_with(" kernel sum ", wanted, 2), 0);
    gt_tape_free(tape);
}

Test(plan, folds_that_drop_their_axis_stay_in_the_group) {
    float data[24];
    for (int i = 0; i < 24; i++) data[i] = (float)(i % 7) - 3;
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(4, 6), GT_F32);
    const gt_tensor length = gt_sum(gt_square(x), GT_AXES(1), false);
    const gt_tensor y = gt_div(x, gt_unsqueeze(length, 1));
    cr_assert_eq(steps_with(" kernel ", &y, 1), 0);
    cr_assert_eq(steps_with(" group ", &y, 1), 1);
    gt_tape_free(tape);
}

/* z waits for the product, but x is there at the end anyway. */
static gt_tensor twice_needed(gt_tensor x, bool function) {
    const gt_tensor z = function ? gt_tanh(x) : gt_add_scalar(x, 1);
    return gt_mul(gt_mul(gt_matmul(gt_exp(z), gt_t(x)), z), x);
}

Test(plan, cheap_values_are_computed_again_and_have_the_same_bits) {
    float data[16], value[2][16];
    for (int i = 0; i < 16; i++) data[i] = (float)(i % 7) / 3 - 1;
    for (int k = 0; k < 2; k++) {
        gt_tape *tape = gt_tape_new(NULL);
        gt_reference(tape, k == 1);
        const gt_tensor x = gt_input(tape, data, GT_SHAPE(4, 4), GT_F32);
        const gt_tensor y = twice_needed(x, false);
        if (k == 0) cr_assert_eq(steps_with("computed again: 1\n", &y, 1), 1);
        memcpy(value[k], gt_data(y), sizeof data);
        const gt_tensor costly = twice_needed(x, true);
        if (k == 0) cr_assert_eq(steps_with("computed again", &costly, 1), 0);
        gt_tape_free(tape);
    }
    cr_assert(memcmp(value[0], value[1], sizeof data) == 0);
}

Test(plan, a_reshape_that_joins_leading_axes_copies_nothing) {
    float data[24] = {0};
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_exp(gt_input(tape, data, GT_SHAPE(2, 3, 4), GT_F32));
    cr_assert_eq(gt_in(gt_reshape(x, GT_SHAPE(6, 4)), 0).index, x.index);
    gt_tape_free(tape);
}

Test(plan, print_and_drawing_show_groups) {
    gt_tape *tape = gt_tape_new(NULL);
    char *text = printed(gt_plan_print, tape);
    cr_assert(strstr(text, "no planned run yet"), "%s", text);
    free(text);
    const float data[6] = {1, 2, 3, 4, 5, 6};
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 3), GT_F32);
    gt_item(gt_sum(gt_tanh(gt_square(x)), GT_ALL, false));
    text = printed(gt_plan_print, tape);
    cr_assert(strstr(text, "group  square tanh sum f32[2,3]: reads 24, writes 4 bytes"), "%s",
              text);
    cr_assert(strstr(text, "3 operations in 1 steps, 1 of them groups; 28 bytes moved"), "%s",
              text);
    free(text);
    text = printed(gt_plan_dot, tape);
    cr_assert(strncmp(text, "digraph plan {", 14) == 0 && strstr(text, "e0 -> s0"), "%s", text);
    free(text);
    gt_tape_free(tape);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

enum { LAYERS = 24, SEGMENT = 6, WIDTH = 32, ROWS = 256 };

/* Gradients of all layers, in one row; returns the bytes of values that were needed at once. */
static long deep_gradient(bool checkpointed, float gradient[LAYERS * WIDTH * WIDTH]) {
    gt_params *params = gt_params_new(NULL, 4);
    gt_tape *tape = gt_tape_new(params);
    gt_tensor x = gt_randn(tape, GT_SHAPE(ROWS, WIDTH), GT_F32);
    for (int k = 0; k < LAYERS; k++) {
        char name[16];
        snprintf(name, sizeof name, "w%d", k);
        if (checkpointed && k % SEGMENT == 0) gt_checkpoint_begin(tape);
        const gt_tensor w =
            gt_param(tape, name, GT_SHAPE(WIDTH, WIDTH), GT_F32, gt_init_xavier_uniform());
        x = gt_dropout(gt_tanh(gt_matmul(x, w)), 0.1);
        if (checkpointed && (k + 1) % SEGMENT == 0) gt_checkpoint_end(tape);
    }
    cr_assert(gt_backward(gt_mean(gt_square(x), GT_ALL, false)), "%s", gt_error(tape));
    char *text = printed(gt_plan_print, tape), *at_most = strstr(text, "; at most ");
    cr_assert(at_most, "%s", text);
    const long bytes = strtol(at_most + strlen("; at most "), NULL, 10);
    free(text);
    gt_param_info info;
    for (int k = 0; k < LAYERS; k++) {
        cr_assert(gt_params_at(params, k, &info) && info.grad);
        memcpy(gradient + k * WIDTH * WIDTH, info.grad, WIDTH * WIDTH * sizeof *gradient);
    }
    gt_tape_free(tape);
    gt_params_free(params);
    return bytes;
}

Test(plan, checkpoints_lower_the_memory_and_change_no_bit) {
    static float plain[LAYERS * WIDTH * WIDTH], again[LAYERS * WIDTH * WIDTH];
    const long whole = deep_gradient(false, plain), parts = deep_gradient(true, again);
    cr_assert(memcmp(plain, again, sizeof plain) == 0);
    cr_assert(3 * parts < 2 * whole, "%ld bytes with checkpoints, %ld without", parts, whole);
}

/* Groups, single operations and folds on one or more threads; scalars, f64 and whoever asks for it keep them. */
static gt_tensor tiny(gt_tape *tape, float *data, int64_t count) {
    const gt_tensor x = gt_borrow(tape, data, GT_SHAPE(count), GT_F32);
    const gt_tensor half = gt_mul_scalar(x, 0.5), wide = gt_mul_scalar(gt_cast(half, GT_F64), 2);
    const gt_tensor sum = gt_cast(gt_sum(half, GT_ALL, false), GT_F64);
    return gt_add(gt_sum(gt_cast(wide, GT_F32), GT_ALL, false), gt_cast(sum, GT_F32));
}

Test(plan, denormals_are_flushed_alike_and_kept_on_request) {
    enum { COUNT = 300000 };
    float *data = malloc(COUNT * sizeof *data);
    for (int i = 0; i < COUNT; i++) data[i] = 1e-40F;
    data[7] = 3e-38F;
    double sum[2][2];
    for (int keep = 0; keep < 2; keep++)
        for (int reference = 0; reference < 2; reference++) {
            gt_tape *tape = gt_tape_new(NULL);
            gt_keep_denormals(tape, keep);
            gt_reference(tape, reference);
            sum[keep][reference] = gt_item(tiny(tape, data, COUNT));
            cr_assert(!gt_failed(tape), "%s", gt_error(tape));
            gt_tape_free(tape);
        }
    const volatile float small = 1e-40F;
    cr_assert_gt(small * 0.5F, 0);
    cr_assert(memcmp(&sum[0][0], &sum[0][1], sizeof(double)) == 0);
    cr_assert(memcmp(&sum[1][0], &sum[1][1], sizeof(double)) == 0);
    cr_assert_float_eq(sum[1][0], 1.5 * 1e-40 * COUNT, 1e-37);
#ifdef __SSE2__
    cr_assert_float_eq(sum[0][0], 4.5e-38, 1e-43);
#endif
    free(data);
}

Test(plan, scalars_and_doubles_keep_denormals) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor scalar = gt_scalar(tape, 1e-40, GT_F32);
    const double data[2] = {1e-310, 3};
    const gt_tensor pair = gt_input(tape, data, GT_SHAPE(2), GT_F64);
    cr_assert_gt(gt_item(gt_mul_scalar(scalar, 0.5)), 0);
    cr_assert_gt(gt_element(gt_mul_scalar(pair, 0.5), 0), 0);
    gt_tape_free(tape);
}

/* Products of different depths: some go together, some have several blocks, one has no terms, one is of bf16. */
static gt_tensor sum_of_products(gt_tape *tape, gt_dtype dtype, bool keep) {
    enum { TERMS = 9 };
    static const int64_t inner[TERMS] = {40, 40, 40, 300, 17, 17, 520, 1, 0};
    gt_tensor product[TERMS];
    float narrow[520 * 60];
    double wide[520 * 60];
    for (int i = 0; i < 520 * 60; i++) wide[i] = sin(i), narrow[i] = (float)wide[i];
    const void *data = dtype == GT_F32 ? (const void *)narrow : wide;
    for (int t = 0; t < TERMS; t++) {
        gt_tensor a = gt_input(tape, data, GT_SHAPE(inner[t], 60), dtype),
                  b = gt_input(tape, data, GT_SHAPE(inner[t], 50), dtype);
        if (t == 5 && dtype == GT_F32) a = gt_cast(a, GT_BF16), b = gt_cast(b, GT_BF16);
        product[t] = gt_matmul(gt_t(a), b);
        if (keep) gt_keep(product[t]);
    }
    return gt_accumulate(gt_list_of(TERMS, product));
}

/* Whether their products are added at once, kept, or computed by the reference. */
Test(plan, products_that_are_added_up_become_one_with_the_same_bits) {
    for (int kind = 0; kind < 2; kind++) {
        const gt_dtype dtype = kind ? GT_F64 : GT_F32;
        const size_t bytes = 60 * 50 * gt_dtype_size(dtype);
        void *value[3];
        for (int k = 0; k < 3; k++) {
            gt_tape *tape = gt_tape_new(NULL);
            gt_reference(tape, k == 1);
            const gt_tensor y = sum_of_products(tape, dtype, k == 2);
            cr_assert(gt_data(y), "%s", gt_error(tape));
            value[k] = memcpy(malloc(bytes), gt_data(y), bytes);
            gt_replay(tape);
            if (k == 0) cr_assert_eq(steps_with("of matmul x 9", &y, 1), 1);
            gt_tape_free(tape);
        }
        for (int k = 1; k < 3; k++) cr_assert(memcmp(value[0], value[k], bytes) == 0);
        for (int k = 0; k < 3; k++) free(value[k]);
    }
}

/* One matrix in many products, of which one is thin: several blocks of terms, and columns that fill no whole tile. */
static gt_tensor products_with_one_matrix(gt_tape *tape, gt_dtype dtype) {
    enum { STEPS = 6 };
    const gt_tensor w = gt_randn(tape, GT_SHAPE(300, 131), dtype);
    gt_tensor y[STEPS];
    for (int t = 0; t < STEPS; t++) {
        const gt_tensor x = gt_randn(tape, GT_SHAPE(t == 2 ? 4 : 40, 300), dtype);
        const gt_tensor back = gt_matmul(gt_tanh(gt_matmul(x, w)), gt_t(w));
        y[t] = gt_sum(gt_sin(back), GT_AXES(0), false);
    }
    return gt_accumulate(gt_list_of(STEPS, y));
}

Test(plan, a_matrix_that_is_packed_once_gives_the_same_bits) {
    for (int kind = 0; kind < 2; kind++) {
        const gt_dtype dtype = kind ? GT_F64 : GT_F32;
        gt_tape *tape[2];
        gt_tensor y[2];
        for (int k = 0; k < 2; k++) {
            tape[k] = gt_tape_new(NULL);
            gt_reference(tape[k], k == 1);
            y[k] = products_with_one_matrix(tape[k], dtype);
            cr_assert(gt_data(y[k]), "%s", gt_error(tape[k]));
        }
        cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), 300 * gt_dtype_size(dtype)) == 0);
        for (int k = 0; k < 2; k++) gt_tape_free(tape[k]);
    }
}

/* ---- products whose rows a group takes as they are made --------------------------------------------------- */

static gt_tensor random_of(gt_tensor x, int64_t rows, int64_t columns) {
    return gt_randn(x.tape, GT_SHAPE(rows, columns), gt_dtype_of(x));
}
static int64_t width_of(gt_tensor x) { return gt_shape_of(x).dim[gt_shape_of(x).rank - 1]; }

static gt_tensor with_bias(gt_tensor x) {
    const gt_tensor b = random_of(x, 1, 30), w = random_of(x, width_of(x), 30);
    return gt_relu(gt_add(gt_matmul(x, w), b));
}
static gt_tensor with_softmax(gt_tensor x) {
    return gt_softmax(gt_matmul(x, random_of(x, width_of(x), 70)), -1);
}
/* The group's result could take the place of h, which is of no more use to it: but the product still reads other rows. */
static gt_tensor beside_itself(gt_tensor x) {
    const gt_tensor h = gt_tanh(x),
                    y = gt_mul(h, gt_matmul(h, random_of(x, width_of(x), width_of(x))));
    return gt_matmul(y, random_of(x, width_of(x), 9));
}
static gt_tensor times_its_columns(gt_tensor x) {
    const gt_tensor h = gt_sigmoid(gt_slice(x, -2, 0, width_of(x), 1));
    return gt_matmul(gt_mul(h, gt_matmul(h, gt_t(h))), random_of(x, width_of(x), 9));
}
static gt_tensor of_columns(gt_tensor x) {
    return gt_square(
        gt_matmul(gt_t(gt_cos(x)), random_of(x, gt_shape_of(x).dim[gt_shape_of(x).rank - 2], 26)));
}

/* Large results are made by rows, small ones as a whole. */
Test(plan, products_made_by_rows_have_the_bits_of_the_reference) {
    static const struct {
        gt_tensor (*f)(gt_tensor);
        gt_shape large;
    } made[] = {{with_bias, {2, {36000, 9}}},
                {with_softmax, {2, {15500, 20}}},
                {beside_itself, {2, {28000, 40}}},
                {times_its_columns, {2, {1030, 1030}}},
                {of_columns, {2, {9, 41000}}}};
    for (int k = 0; k < 5 * 3 * 2; k++) {
        const gt_shape shape[] = {GT_SHAPE(40, 33), made[k % 5].large, GT_SHAPE(3, 50, 21)};
        gt_tape *tape[2];
        gt_tensor y[2];
        if (k / 5 == 4 && k % 5) continue; /* doubles: one of them */
        for (int i = 0; i < 2; i++) {
            tape[i] = gt_tape_new(NULL);
            gt_reference(tape[i], i == 1);
            y[i] = made[k % 5].f(gt_randn(tape[i], shape[k / 5 % 3], k / 15 ? GT_F64 : GT_F32));
            cr_assert(gt_data(y[i]), "%s", gt_error(tape[i]));
        }
        const size_t bytes = (size_t)gt_numel(gt_shape_of(y[0])) * gt_dtype_size(gt_dtype_of(y[0]));
        cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), bytes) == 0, "%d", k);
        gt_replay(tape[0]);
        if (k / 5 % 3 < 2) cr_assert_eq(steps_with("rows   matmul", y, 1), 1, "%d", k);
        for (int i = 0; i < 2; i++) gt_tape_free(tape[i]);
    }
}

/* ---- sums of all rows, as the gradients of biases are -------------------------------------------------------- */

static gt_tensor add_up(gt_tensor x) { return gt_sum(gt_exp(x), GT_AXES(0), false); }
/* Two of several leading axes, beside a fold of rows; also what they end is needed elsewhere. */
static gt_tensor add_up_shares(gt_tensor x) {
    const gt_tensor y =
        gt_softmax(gt_reshape(x, GT_SHAPE(2, gt_shape_of(x).dim[0] / 2, gt_shape_of(x).dim[1])),
                   -1);
    const gt_tensor most = gt_max(gt_sin(y), GT_AXES(0, 1), true),
                    sum = gt_sum(y, GT_AXES(0, 1), false);
    return gt_add(gt_mul(gt_mean(y, GT_AXES(0, 1), false), sum),
                  gt_reshape(most, gt_shape_of(sum)));
}
/* Rows of a product, as they are made. */
static gt_tensor add_up_made(gt_tensor x) {
    const gt_tensor w = gt_randn(x.tape, GT_SHAPE(gt_shape_of(x).dim[1], 70), gt_dtype_of(x));
    return gt_sum(gt_tanh(gt_matmul(x, w)), GT_AXES(0), true);
}

/* The largest of each row, without its axis, is a row of other length to the fold after it. */
static gt_tensor add_up_largest(gt_tensor x) {
    const int64_t rows = gt_shape_of(x).dim[0] / 2, columns = gt_shape_of(x).dim[1];
    const gt_tensor y = gt_reshape(gt_sin(x), GT_SHAPE(rows, 2, columns));
    return gt_sum(gt_max(gt_square(y), GT_AXES(-1), false), GT_AXES(0), false);
}

/* Parts are of 256 rows; several threads need a few of them. */
Test(plan, a_sum_of_all_rows_ends_the_group_that_makes_them) {
    gt_tensor (*const f[])(gt_tensor) = {add_up, add_up_shares, add_up_made, add_up_largest};
    static const int64_t rows[] = {2, 34, 256, 258, 1000, 5120, 20002}, columns[] = {1, 5, 64, 300};
    for (int k = 0; k < 4 * 7 * 4 * 2; k++) {
        const gt_shape shape = GT_SHAPE(rows[k / 4 % 7], columns[k / 28 % 4]);
        gt_tape *tape[2];
        gt_tensor y[2];
        for (int i = 0; i < 2; i++) {
            tape[i] = gt_tape_new(NULL);
            gt_reference(tape[i], i == 1);
            y[i] = f[k % 4](gt_randn(tape[i], shape, k / 112 ? GT_F64 : GT_F32));
            cr_assert(gt_data(y[i]), "%s", gt_error(tape[i]));
        }
        const size_t bytes = (size_t)gt_numel(gt_shape_of(y[0])) * gt_dtype_size(gt_dtype_of(y[0]));
        cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), bytes) == 0, "%d", k);
        gt_replay(tape[0]);
        if (k % 4 < 3 && shape.dim[0] > 5000 && shape.dim[1] > 1)
            cr_assert_eq(steps_with(" kernel sum ", y, 1), 0, "%d", k);
        for (int i = 0; i < 2; i++) gt_tape_free(tape[i]);
    }
}

/* ---- convolutions whose images a group takes as they are made --------------------------------------------- */

static gt_tensor filters_of(gt_tensor x, int64_t to, int64_t from) {
    return gt_randn(x.tape, GT_SHAPE(to, from, 3, 3), GT_F32);
}
static gt_tensor by_tiles(gt_tensor x) {
    const gt_tensor bias = gt_randn(x.tape, GT_SHAPE(9), GT_F32);
    const gt_tensor y = gt_conv2d(x, filters_of(x, 9, 8), (gt_conv_options){.padding = {1, 1}});
    return gt_relu(gt_add(y, gt_reshape(bias, GT_SHAPE(9, 1, 1))));
}
static gt_tensor by_windows(gt_tensor x) {
    const gt_conv_options o = {.stride = {2, 1}, .padding = {1, 0}};
    return gt_tanh(gt_conv2d(x, filters_of(x, 20, 8), o));
}
/* x is dead then, but the convolution still reads its other images. */
static gt_tensor beside_images(gt_tensor x) {
    const gt_tensor h = gt_sin(x);
    return gt_mul(h, gt_conv2d(h, filters_of(h, 8, 8), (gt_conv_options){.padding = {1, 1}}));
}
static gt_tensor turned_around(gt_tensor x) {
    const gt_conv_options o = {.stride = {2, 2}, .padding = {1, 1}};
    return gt_square(gt_conv_transpose2d(x, filters_of(x, 8, 16), o));
}

Test(plan, convolutions_made_by_images_have_the_bits_of_the_reference) {
    gt_tensor (*const f[])(gt_tensor) = {by_tiles, by_windows, beside_images, turned_around};
    static const int64_t images[] = {9, 70, 131};
    for (int k = 0; k < 4 * 3; k++) {
        gt_tape *tape[2];
        gt_tensor y[2];
        for (int i = 0; i < 2; i++) {
            tape[i] = gt_tape_new(NULL);
            gt_reference(tape[i], i == 1);
            y[i] = f[k % 4](gt_randn(tape[i], GT_SHAPE(images[k / 4], 8, 12, 13), GT_F32));
            cr_assert(gt_data(y[i]), "%s", gt_error(tape[i]));
        }
        const size_t bytes = (size_t)gt_numel(gt_shape_of(y[0])) * sizeof(float);
        cr_assert(memcmp(gt_data(y[0]), gt_data(y[1]), bytes) == 0, "%d", k);
        gt_replay(tape[0]);
        cr_assert_eq(steps_with("rows   conv", y, 1), 1, "%d", k);
        for (int i = 0; i < 2; i++) gt_tape_free(tape[i]);
    }
}
