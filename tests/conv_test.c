/* tests/conv_test.c: convolution, pooling and normalization against plain loops, at sizes and options
 * that the samples of the operations are too small for. */
#include <criterion/criterion.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

#include "support/quick.h"

/* ---- plain loops ----------------------------------------------------------------------------- */

/* A 2-D convolution in f64, with every tensor in an array. */
typedef struct plain {
    int64_t n, in, out, groups, x[2], k[2], y[2];
    gt_conv_options options;
    double *of_x, *of_w, *of_y;
} plain;

static double *numbers(int64_t n, uint64_t stream) {
    double *v = malloc(sizeof *v * (size_t)(n + 1));
    cr_assert(v != NULL);
    for (int64_t i = 0; i < n; i++) v[i] = gt_normal(7, stream, (uint64_t)i);
    return v;
}

static int64_t count_x(const plain *p) { return p->n * p->in * p->x[0] * p->x[1]; }
static int64_t count_y(const plain *p) { return p->n * p->out * p->y[0] * p->y[1]; }
static int64_t count_w(const plain *p) { return p->out * (p->in / p->groups) * p->k[0] * p->k[1]; }

static plain plain_new(gt_shape x, gt_shape w, gt_conv_options o) {
    plain p = {.n = x.dim[0], .in = x.dim[1], .out = w.dim[0], .groups = o.groups, .options = o};
    for (int d = 0; d < 2; d++) {
        p.x[d] = x.dim[2 + d];
        p.k[d] = w.dim[2 + d];
        p.y[d] = (p.x[d] + 2 * o.padding[d] - o.dilation[d] * (p.k[d] - 1) - 1) / o.stride[d] + 1;
    }
    p.of_x = numbers(count_x(&p), 1);
    p.of_w = numbers(count_w(&p), 2);
    p.of_y = numbers(count_y(&p), 3);
    return p;
}

static void plain_free(plain *p) {
    free(p->of_x);
    free(p->of_w);
    free(p->of_y);
}

/* For each product of the sum: places in x, w and y. */
typedef void (*each_product)(const plain *p, int64_t x, int64_t w, int64_t y, double *result);

static void for_products_of(const plain *p, int64_t y, each_product f, double *result) {
    const int64_t q = y % p->y[1], r = y / p->y[1] % p->y[0], o = y / p->y[1] / p->y[0] % p->out;
    const int64_t image = y / p->y[1] / p->y[0] / p->out, in = p->in / p->groups;
    for (int64_t c = 0; c < in; c++)
        for (int64_t i = 0; i < p->k[0]; i++)
            for (int64_t j = 0; j < p->k[1]; j++) {
                const gt_conv_options *t = &p->options;
                const int64_t row = r * t->stride[0] - t->padding[0] + i * t->dilation[0];
                const int64_t column = q * t->stride[1] - t->padding[1] + j * t->dilation[1];
                if (row < 0 || row >= p->x[0] || column < 0 || column >= p->x[1]) continue;
                const int64_t channel = o / (p->out / p->groups) * in + c;
                f(p, ((image * p->in + channel) * p->x[0] + row) * p->x[1] + column,
                  ((o * in + c) * p->k[0] + i) * p->k[1] + j, y, result);
            }
}

static void into_y(const plain *p, int64_t x, int64_t w, int64_t y, double *result) {
    result[y] += p->of_x[x] * p->of_w[w];
}
static void into_x(const plain *p, int64_t x, int64_t w, int64_t y, double *result) {
    result[x] += p->of_y[y] * p->of_w[w];
}
static void into_w(const plain *p, int64_t x, int64_t w, int64_t y, double *result) {
    result[w] += p->of_x[x] * p->of_y[y];
}

/* ---- the library against them ------------------------------------------------------------------ */

static void expect_sums(const plain *p, gt_tensor made, each_product f, int64_t n,
                        const char *what) {
    double *expected = calloc((size_t)n + 1, sizeof *expected);
    const gt_tensor wide = gt_cast(made, GT_F64);
    const double *data = gt_data(wide);
    const bool narrow = gt_dtype_of(made) == GT_F32;
    cr_assert(expected != NULL);
    cr_assert(!gt_failed(made.tape), "%s: %s", what, gt_error(made.tape));
    cr_assert_eq(gt_numel(gt_shape_of(made)), n, "%s has another size", what);
    for (int64_t y = 0; y < count_y(p); y++) for_products_of(p, y, f, expected);
    for (int64_t i = 0; i < n; i++)
        cr_assert(
            quick_near(data[i], expected[i], narrow ? 5e-4 : 1e-11),
            "%s, element %lld of x[%lld,%lld,%lld,%lld] by w[%lld,%lld,%lld,%lld]: %.12g, not "
            "%.12g",
            what, (long long)i, (long long)p->n, (long long)p->in, (long long)p->x[0],
            (long long)p->x[1], (long long)p->out, (long long)(p->in / p->groups),
            (long long)p->k[0], (long long)p->k[1], data[i], expected[i]);
    free(expected);
}

static void check_way(gt_shape x_shape, gt_shape w_shape, gt_conv_options o, gt_dtype dtype,
                      bool exact) {
    plain p = plain_new(x_shape, w_shape, o);
    gt_tape *tape = gt_tape_new(NULL);
    gt_exact(tape, exact);
    const gt_shape y_shape = GT_SHAPE(p.n, p.out, p.y[0], p.y[1]);
    const gt_tensor x = gt_cast(gt_input(tape, p.of_x, x_shape, GT_F64), dtype);
    const gt_tensor w = gt_cast(gt_input(tape, p.of_w, w_shape, GT_F64), dtype);
    const gt_tensor u = gt_cast(gt_input(tape, p.of_y, y_shape, GT_F64), dtype);
    const gt_tensor y = gt_conv2d(x, w, o);
    expect_sums(&p, y, into_y, count_y(&p), "y");
    expect_sums(&p, gt_vjp(y, u, x), into_x, count_x(&p), "the gradient of x");
    expect_sums(&p, gt_vjp(y, u, w), into_w, count_w(&p), "the gradient of w");
    gt_tape_free(tape);
    plain_free(&p);
}

static void check_conv(gt_shape x, gt_shape w, gt_conv_options o, gt_dtype dtype) {
    check_way(x, w, o, dtype, false);
}

static gt_conv_options option(int64_t stride, int64_t padding, int64_t dilation, int64_t groups) {
    return (gt_conv_options){.stride = {stride, stride},
                             .padding = {padding, padding},
                             .dilation = {dilation, dilation},
                             .groups = groups};
}

/* In floats with enough work for windows of several images, in f64 with little. */
Test(conv, every_option_with_every_other) {
    for (int64_t stride = 1; stride <= 3; stride++)
        for (int64_t padding = 0; padding <= 2; padding++)
            for (int64_t dilation = 1; dilation <= 2; dilation++)
                for (int64_t groups = 1; groups <= 4; groups *= 2)
                    for (int64_t kernel = 1; kernel <= 3; kernel++) {
                        const gt_conv_options o = option(stride, padding, dilation, groups);
                        check_conv(GT_SHAPE(2, 4, 7, 6), GT_SHAPE(8, 4 / groups, kernel, kernel), o,
                                   GT_F64);
                        check_conv(GT_SHAPE(25, 8, 7, 6), GT_SHAPE(20, 8 / groups, kernel, kernel),
                                   o, GT_F32);
                    }
}

Test(conv, rows_and_columns_apart) {
    const gt_conv_options o = {.stride = {1, 2},
                               .padding = {3, 1},
                               .dilation = {2, 1},
                               .groups = 2};
    check_conv(GT_SHAPE(3, 4, 5, 9), GT_SHAPE(6, 2, 3, 4), o, GT_F64);
    check_conv(GT_SHAPE(1, 4, 1, 3), GT_SHAPE(10, 2, 2, 1), o, GT_F64);
}

/* Each way that the arithmetic is done, and tiles that do not come out even. */
Test(conv, large_enough_for_every_way) {
    static const gt_dtype kinds[] = {GT_F64, GT_F32};
    for (int k = 0; k < 2; k++) {
        check_conv(GT_SHAPE(2, 20, 13, 14), GT_SHAPE(9, 20, 3, 3), option(1, 1, 1, 1), kinds[k]);
        check_conv(GT_SHAPE(1, 40, 70, 37), GT_SHAPE(6, 20, 3, 3), option(1, 1, 1, 2), kinds[k]);
        check_conv(GT_SHAPE(1, 24, 30, 33), GT_SHAPE(6, 24, 2, 3), option(1, 0, 3, 1), kinds[k]);
        check_conv(GT_SHAPE(2, 3, 61, 58), GT_SHAPE(7, 3, 5, 5), option(2, 2, 1, 1), kinds[k]);
        check_conv(GT_SHAPE(37, 6, 5, 4), GT_SHAPE(8, 6, 3, 3), option(1, 1, 1, 1), kinds[k]);
        check_conv(GT_SHAPE(2, 9, 9, 11), GT_SHAPE(12, 9, 1, 1), option(1, 0, 1, 1), kinds[k]);
        check_conv(GT_SHAPE(2, 5, 20, 40), GT_SHAPE(10, 1, 3, 5), option(1, 1, 1, 5), kinds[k]);
        check_conv(GT_SHAPE(1, 6, 2, 25000), GT_SHAPE(6, 6, 1, 3), option(1, 0, 1, 1), kinds[k]);
    }
}

Test(conv, in_the_order_of_the_formula) {
    for (int64_t stride = 1; stride <= 3; stride++) {
        check_way(GT_SHAPE(3, 4, 7, 38), GT_SHAPE(6, 2, 3, 2), option(stride, 2, 1, 2), GT_F64,
                  true);
        check_way(GT_SHAPE(20, 8, 9, 8), GT_SHAPE(8, 8, 3, 3), option(stride, 1, 2, 1), GT_F32,
                  true);
    }
}

/* Enough work, and channels, for the code that oneDNN makes, and for tiles of 4x4. */
Test(conv, large_enough_for_a_library) {
    static const struct {
        gt_shape x, w;
        int64_t stride, padding, dilation, groups;
    } cases[] = {
        {{4, {8, 16, 20, 21}}, {4, {24, 16, 3, 3}}, 1, 1, 1, 1},
        {{4, {6, 32, 15, 14}}, {4, {16, 32, 3, 3}}, 2, 1, 1, 1},
        {{4, {5, 16, 22, 20}}, {4, {16, 16, 4, 3}}, 3, 2, 1, 1},
        {{4, {3, 24, 19, 23}}, {4, {8, 24, 3, 3}}, 1, 2, 2, 1},
        {{4, {7, 32, 13, 13}}, {4, {32, 16, 3, 3}}, 1, 1, 1, 2},
        {{4, {5, 32, 30, 31}}, {4, {32, 1, 3, 3}}, 1, 1, 1, 32},
        {{4, {9, 32, 17, 18}}, {4, {40, 32, 1, 1}}, 2, 0, 1, 1},
        {{4, {8, 3, 33, 32}}, {4, {16, 3, 3, 3}}, 1, 1, 1, 1},
        {{4, {8, 1, 40, 40}}, {4, {16, 1, 5, 5}}, 1, 2, 1, 1},
        {{4, {4, 11, 25, 24}}, {4, {13, 11, 3, 3}}, 1, 1, 1, 1},
        {{4, {2, 96, 7, 7}}, {4, {160, 96, 3, 3}}, 1, 1, 1, 1},
        {{4, {9, 8, 14, 11}}, {4, {33, 8, 3, 3}}, 1, 0, 1, 1},
        {{4, {1, 20, 70, 19}}, {4, {8, 20, 3, 3}}, 1, 2, 1, 1},
        {{4, {2, 8, 3, 255}}, {4, {12, 8, 3, 3}}, 1, 1, 1, 1},
        {{4, {16, 16, 0, 62}}, {4, {16, 16, 3, 3}}, 1, 2, 1, 1},
        {{4, {32, 16, 0, 20}}, {4, {16, 16, 3, 3}}, 1, 2, 1, 1},
        {{4, {4, 16, 1, 400}}, {4, {16, 16, 1, 7}}, 1, 3, 1, 1},
        {{4, {2, 6, 90, 70}}, {4, {10, 6, 5, 3}}, 4, 1, 1, 1},
        {{4, {3, 10, 61, 64}}, {4, {18, 5, 3, 2}}, 2, 0, 3, 2},
        {{4, {2, 5, 9, 20000}}, {4, {6, 5, 3, 3}}, 2, 1, 1, 1},
        {{4, {6, 200, 9, 9}}, {4, {170, 200, 3, 3}}, 2, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_conv(cases[i].x, cases[i].w,
                   option(cases[i].stride, cases[i].padding, cases[i].dilation, cases[i].groups),
                   GT_F32);
}

#ifdef GT_WITH_OPENMP
/* y and both gradients, one behind the other: the caller frees them. */
static void *all_products(int threads, gt_shape x_shape, gt_shape w_shape, gt_conv_options o,
                          size_t *bytes) {
    gt_tape *tape = gt_tape_new(NULL);
    omp_set_num_threads(threads);
    const gt_tensor x = gt_randn(tape, x_shape, GT_F32), w = gt_randn(tape, w_shape, GT_F32);
    const gt_tensor y = gt_conv2d(x, w, o), u = gt_randn(tape, gt_shape_of(y), GT_F32);
    const gt_tensor made[] = {gt_flatten(y, 0, -1), gt_flatten(gt_vjp(y, u, x), 0, -1),
                              gt_flatten(gt_vjp(y, u, w), 0, -1)};
    void *copy = quick_copy(gt_concat(gt_list_of(3, made), 0), bytes);
    cr_assert(copy != NULL, "%s", gt_error(tape));
    gt_tape_free(tape);
    return copy;
}

Test(conv, bits_do_not_depend_on_threads) {
    static const struct {
        gt_shape x, w;
        int64_t stride;
    } cases[] = {{{4, {16, 16, 20, 21}}, {4, {24, 16, 3, 3}}, 1},
                 {{4, {7, 32, 15, 14}}, {4, {16, 32, 3, 3}}, 2},
                 {{4, {10, 3, 33, 32}}, {4, {16, 3, 3, 3}}, 1},
                 {{4, {6, 64, 9, 9}}, {4, {64, 64, 1, 1}}, 1},
                 {{4, {16, 1, 28, 28}}, {4, {32, 1, 3, 3}}, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n, m;
        const gt_conv_options o = option(cases[i].stride, 1, 1, 1);
        void *one = all_products(1, cases[i].x, cases[i].w, o, &n);
        for (int threads = 2; threads <= 4; threads++) {
            void *several = all_products(threads, cases[i].x, cases[i].w, o, &m);
            cr_assert(n == m && memcmp(one, several, n) == 0, "case %d, %d threads", (int)i,
                      threads);
            free(several);
        }
        free(one);
    }
}
#endif

Test(conv, one_image_of_many_channels) {
    check_conv(GT_SHAPE(70, 300, 1, 1), GT_SHAPE(20, 300, 1, 1), option(1, 0, 1, 1), GT_F64);
    check_conv(GT_SHAPE(2, 128, 16, 16), GT_SHAPE(3, 128, 3, 3), option(1, 1, 1, 1), GT_F64);
}

Test(conv, nothing_to_add_up) {
    check_conv(GT_SHAPE(0, 4, 5, 5), GT_SHAPE(6, 4, 3, 3), option(1, 1, 1, 1), GT_F64);
    check_conv(GT_SHAPE(2, 0, 5, 5), GT_SHAPE(6, 0, 3, 3), option(1, 1, 1, 1), GT_F64);
    check_conv(GT_SHAPE(2, 4, 5, 5), GT_SHAPE(0, 4, 3, 3), option(1, 1, 1, 1), GT_F64);
    check_conv(GT_SHAPE(2, 4, 0, 3), GT_SHAPE(6, 4, 2, 2), option(1, 1, 1, 1), GT_F64);
    check_conv(GT_SHAPE(2, 8, 0, 3), GT_SHAPE(8, 1, 2, 2), option(1, 1, 1, 8), GT_F64);
}

/* A row of one image is a 1-D convolution. */
Test(conv, one_axis_is_a_single_row) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = gt_randn(tape, GT_SHAPE(3, 4, 50), GT_F64);
    gt_tensor w = gt_randn(tape, GT_SHAPE(6, 2, 5), GT_F64);
    const gt_conv_options line = {.stride = {2}, .padding = {3}, .dilation = {2}, .groups = 2};
    const gt_conv_options row = {.stride = {1, 2},
                                 .padding = {0, 3},
                                 .dilation = {1, 2},
                                 .groups = 2};
    gt_tensor a = gt_conv1d(x, w, line);
    gt_tensor b = gt_conv2d(gt_unsqueeze(x, 2), gt_unsqueeze(w, 2), row);
    gt_tensor difference = gt_max(gt_abs(gt_sub(a, gt_squeeze(b, GT_AXES(2)))), GT_ALL, false);
    cr_assert(gt_item(difference) == 0, "%s", gt_error(tape));
    gt_tape_free(tape);
}

/* <conv(x), y> = <x, transposed(y)> for every x and y. */
Test(conv, transposed_is_the_transpose) {
    for (int64_t stride = 1; stride <= 3; stride++)
        for (int64_t more = 0; more < stride; more++) {
            gt_tape *tape = gt_tape_new(NULL);
            gt_conv_options o = option(stride, 1, 2, 2);
            o.output_padding[0] = o.output_padding[1] = more;
            gt_tensor y = gt_randn(tape, GT_SHAPE(2, 6, 4, 5), GT_F64);
            gt_tensor w = gt_randn(tape, GT_SHAPE(6, 2, 3, 3), GT_F64);
            gt_tensor back = gt_conv_transpose2d(y, w, o);
            cr_assert_eq(gt_dim(back, 2), 3 * stride - 2 + 4 + 1 + more, "%s", gt_error(tape));
            gt_tensor x = gt_randn(tape, gt_shape_of(back), GT_F64);
            gt_tensor one = gt_sum(gt_mul(gt_conv2d(x, w, o), y), GT_ALL, false);
            gt_tensor other = gt_sum(gt_mul(x, back), GT_ALL, false);
            cr_assert(quick_near(gt_item(one), gt_item(other), 1e-9), "stride %d: %g and %g",
                      (int)stride, gt_item(one), gt_item(other));
            gt_tape_free(tape);
        }
}

Test(conv, errors_name_shapes) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = gt_name(gt_zeros(tape, GT_SHAPE(1, 3, 8, 8), GT_F32), "image");
    gt_tensor w = gt_name(gt_zeros(tape, GT_SHAPE(4, 2, 3, 3), GT_F32), "filters");
    gt_conv2d(x, w, option(1, 0, 1, 1));
    cr_assert(quick_failed_with(tape, "image[1,3,8,8] has 3 channels in 1 groups, "
                                      "filters[4,2,3,3] takes 2 in each"),
              "%s", gt_error(tape));
    cr_assert(quick_failed_with(tape, "conv_test.c"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

/* ---- pooling ----------------------------------------------------------------------------------- */

static gt_tensor image(gt_tape *tape, const double *values, int64_t rows, int64_t columns) {
    return gt_input(tape, values, GT_SHAPE(1, 1, rows, columns), GT_F64);
}

static void expect_values(gt_tensor t, const double *expected) {
    const double *data = gt_data(gt_cast(t, GT_F64));
    cr_assert(data != NULL, "%s", gt_error(t.tape));
    for (int64_t i = 0; i < gt_numel(gt_shape_of(t)); i++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): expected has numel elements
        cr_assert(quick_near(data[i], expected[i], 1e-14) || (isnan(data[i]) && isnan(expected[i])),
                  "element %d is %g, not %g", (int)i, data[i], expected[i]);
}

Test(pool, largest_of_windows) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[16] = {1,  2,  5,           5, 0,  2,  5, 5,
                               -3, -1, (double)NAN, 0, -2, -1, 9, (double)NAN};
    const gt_pool_options two = {.kernel = {2, 2}};
    gt_tensor x = image(tape, values, 4, 4);
    gt_tensor y = gt_max_pool2d(x, two);
    expect_values(y, (const double[]){2, 5, -1, (double)NAN});
    expect_values(gt_out(y, 1), (const double[]){1, 2, 9, 10});
    gt_tensor gx = gt_vjp(y, gt_ones(tape, gt_shape_of(y), GT_F64), x);
    expect_values(gx, (const double[]){0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0});
    gt_tape_free(tape);
}

/* The place of the first largest element of window (p, q) of one plane; NaN is the largest. */
static int64_t winner(const double *x, int64_t rows, int64_t columns, gt_pool_options o, int64_t p,
                      int64_t q) {
    int64_t best = -1;
    for (int64_t i = 0; i < o.kernel[0]; i++)
        for (int64_t j = 0; j < o.kernel[1]; j++) {
            const int64_t row = p * o.stride[0] - o.padding[0] + i;
            const int64_t column = q * o.stride[1] - o.padding[1] + j, at = row * columns + column;
            if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
            if (best < 0 || (!isnan(x[best]) && !(x[at] <= x[best]))) best = at;
        }
    return best;
}

static void expect_winners(const double *values, gt_pool_options o, gt_dtype dtype) {
    enum { ROWS = 7, COLUMNS = 150 };
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor y = gt_max_pool2d(gt_cast(image(tape, values, ROWS, COLUMNS), dtype), o);
    const int64_t *place = gt_data(gt_out(y, 1)), across = gt_dim(y, 3);
    cr_assert(place != NULL, "%s", gt_error(tape));
    for (int64_t i = 0; i < gt_dim(y, 2) * across; i++) {
        const int64_t expected = winner(values, ROWS, COLUMNS, o, i / across, i % across);
        const double value = gt_element(y, i);
        cr_assert(place[i] == expected && (value == values[expected] || isnan(value)),
                  "window %d of %dx%d: place %d, not %d", (int)i, (int)o.kernel[0],
                  (int)o.kernel[1], (int)place[i], (int)expected);
    }
    gt_tape_free(tape);
}

/* Many windows in a row, elements that are equal, and some that are NaN. */
Test(pool, rows_of_windows) {
    double values[7 * 150];
    for (uint64_t i = 0; i < sizeof values / sizeof *values; i++) {
        const double drawn = gt_uniform(3, 1, i);
        values[i] = drawn < 0.03 ? (double)NAN : floor(drawn * 6);
    }
    for (int64_t kernel = 1; kernel <= 4; kernel++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t padding = 0; padding < kernel; padding++) {
                const gt_pool_options o = {.kernel = {3, kernel},
                                           .stride = {2, stride},
                                           .padding = {1, padding}};
                expect_winners(values, o, GT_F32);
                expect_winners(values, o, GT_F64);
            }
}

Test(pool, padding_never_wins) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_pool_options o = {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
    const double values[4] = {-4, -3, -2, -(double)INFINITY};
    expect_values(gt_max_pool2d(image(tape, values, 2, 2), o), (const double[]){-2});
    gt_tape_free(tape);
}

Test(pool, means_count_padding_or_not) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[4] = {4, 8, 12, 24};
    gt_pool_options o = {.kernel = {2, 2}, .stride = {2, 2}, .padding = {1, 1}};
    gt_tensor x = image(tape, values, 2, 2);
    expect_values(gt_avg_pool2d(x, o), (const double[]){4, 8, 12, 24});
    o.count_padding = true;
    expect_values(gt_avg_pool2d(x, o), (const double[]){1, 2, 3, 6});
    gt_tape_free(tape);
}

Test(pool, adaptive_windows_cover_the_image) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[7] = {1, 2, 3, 4, 5, 6, 7};
    gt_tensor x = image(tape, values, 1, 7);
    expect_values(gt_adaptive_avg_pool2d(x, 1, 3), (const double[]){2, 4, 6});
    expect_values(gt_adaptive_avg_pool2d(x, 1, 2), (const double[]){2.5, 5.5});
    expect_values(gt_adaptive_avg_pool2d(x, 2, 1), (const double[]){4, 4});
    expect_values(gt_global_avg_pool(x), (const double[]){4});
    expect_values(gt_adaptive_max_pool2d(x, 1, 3), (const double[]){3, 5, 7});
    expect_values(gt_adaptive_max_pool2d(x, 2, 2), (const double[]){4, 7, 4, 7});
    gt_tape_free(tape);
}

/* Neighbouring windows of a 2-fold overlap share their largest element: it gets both gradients. */
Test(pool, a_winner_of_two_windows_gets_the_gradient_of_both) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[3] = {1, 3, 2};
    gt_tensor x = image(tape, values, 1, 3);
    gt_tensor y = gt_adaptive_max_pool2d(x, 1, 2);
    expect_values(y, (const double[]){3, 3});
    expect_values(gt_grad(gt_sum(y, GT_ALL, false), x), (const double[]){0, 2, 0});
    gt_tape_free(tape);
}

Test(pool, nan_wins_once) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[4] = {1, (double)NAN, 5, (double)NAN};
    gt_tensor y = gt_max_pool2d(image(tape, values, 2, 2), (gt_pool_options){.kernel = {2, 2}});
    cr_assert(isnan(gt_item(y)));
    cr_assert_eq(*(const int64_t *)gt_data(gt_out(y, 1)), 1);
    gt_tape_free(tape);
}

Test(pool, a_line_is_an_image_of_one_row) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[7] = {1, 5, 3, 2, 7, 6, 4};
    gt_tensor x = gt_squeeze(image(tape, values, 1, 7), GT_AXES(2));
    gt_pool_options o = {.kernel = {3, 9}, .stride = {2, 9}, .padding = {1, 9}};
    expect_values(gt_max_pool1d(x, o), (const double[]){5, 5, 7, 6});
    expect_values(gt_avg_pool1d(x, o), (const double[]){3, 10 / 3.0, 5, 5});
    o.count_padding = true;
    expect_values(gt_avg_pool1d(x, o), (const double[]){2, 10 / 3.0, 5, 10 / 3.0});
    expect_values(gt_adaptive_max_pool1d(x, 2), (const double[]){5, 7});
    expect_values(gt_adaptive_avg_pool1d(x, 2), (const double[]){11 / 4.0, 19 / 4.0});
    cr_assert_eq(gt_rank(gt_max_pool1d(x, o)), 3);
    gt_tape_free(tape);
}

/* On 0, 1, 2, ... the winner of a window is its last element, so the winners tell the windows. */
static void check_fractional(gt_tape *tape, int64_t n, int64_t made, bool overlapping) {
    const gt_tensor x = gt_reshape(gt_arange(tape, 0, 1, n, GT_F64), GT_SHAPE(1, 1, 1, n));
    const double *end = gt_data(gt_fractional_max_pool2d(x, 1, made, overlapping));
    cr_assert(end != NULL, "%s", gt_error(tape));
    cr_assert_eq(end[made - 1], (double)(n - 1));
    for (int64_t i = 1; i < made; i++) {
        const double step = end[i] - end[i - 1];
        const bool clipped = overlapping && end[i] == (double)(n - 1);
        cr_assert(clipped || step == floor((double)n / (double)made) ||
                      step == ceil((double)n / (double)made),
                  "windows of %d in %d: step %g", (int)made, (int)n, step);
    }
}

Test(pool, fractional_windows_follow_each_other) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int64_t n = 1; n <= 40; n += 3)
        for (int64_t made = 1; made <= n; made++) {
            check_fractional(tape, n, made, false);
            check_fractional(tape, n, made, true);
        }
    gt_tape_free(tape);
}

Test(pool, fractional_windows_are_drawn_once_for_a_recording) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = gt_randn(tape, GT_SHAPE(2, 1, 25, 25), GT_F64);
    gt_tensor y = gt_fractional_max_pool2d(x, 18, 18, true);
    gt_tensor again = gt_fractional_max_pool2d(x, 18, 18, true);
    double first[648];
    const double *data = gt_data(y);
    cr_assert(data != NULL, "%s", gt_error(tape));
    memcpy(first, data, sizeof first);
    cr_assert(memcmp(first, gt_data(again), sizeof first) != 0, "two recordings drew the same");
    gt_replay(tape);
    cr_assert(memcmp(first, gt_data(y), sizeof first) == 0, "a replay drew other windows");
    /* The sum of the winners is linear where they are: its gradient counts how often each won. */
    gt_tensor gx = gt_grad(gt_sum(y, GT_ALL, false), x);
    gt_tensor parts = gt_sum(gt_mul(gx, x), GT_ALL, false);
    cr_assert(quick_near(gt_item(parts), gt_item(gt_sum(y, GT_ALL, false)), 1e-9));
    gt_tape_free(tape);
}

/* ---- normalization ----------------------------------------------------------------------------- */

static const gt_batch_norm_options usual = {.momentum = 0.1};

static void expect_buffer(gt_params *params, const char *name, double a, double b) {
    gt_param_info info;
    cr_assert(gt_params_find(params, name, &info), "no %s", name);
    const double *v = info.data;
    cr_assert(info.buffer && quick_near(v[0], a, 1e-12) && quick_near(v[1], b, 1e-12),
              "%s is %.15g %.15g, not %.15g %.15g", name, v[0], v[1], a, b);
}

/* Two channels: 1 2 3 6 and 10 10 10 30. Means 3 and 15, squared distances 14 and 300. */
static gt_tensor channels(gt_tape *tape) {
    const double values[8] = {1, 10, 2, 10, 3, 10, 6, 30};
    return gt_input(tape, values, GT_SHAPE(4, 2), GT_F64);
}

Test(norm, batch_statistics) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const double a = sqrt(3.5 + 1e-5), b = sqrt(75 + 1e-5);
    gt_tensor y = gt_batch_norm(channels(tape), "bn", true, usual);
    expect_values(y, (const double[]){-2 / a, -5 / b, -1 / a, -5 / b, 0, -5 / b, 3 / a, 15 / b});
    expect_buffer(params, "bn/running_mean", 0, 0);
    expect_buffer(params, "bn/running_variance", 1, 1);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    expect_buffer(params, "bn/running_mean", 0.3, 1.5);
    expect_buffer(params, "bn/running_variance", 0.9 + 0.1 * 14 / 3, 0.9 + 0.1 * 300 / 3);
    gt_tape_reset(tape);
    gt_tensor z = gt_batch_norm(channels(tape), "bn", false, usual);
    const double c = sqrt(0.9 + 0.1 * 14 / 3 + 1e-5), d = sqrt(10.9 + 1e-5);
    expect_values(z, (const double[]){0.7 / c, 8.5 / d, 1.7 / c, 8.5 / d, 2.7 / c, 8.5 / d, 5.7 / c,
                                      28.5 / d});
    cr_assert(gt_commit(tape));
    expect_buffer(params, "bn/running_mean", 0.3, 1.5);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* Floats far from 0, and the first of them far from the others. */
Test(norm, a_stranger_in_front) {
    enum { N = 3 * 81 };
    float x[N];
    double mean = 0, variance = 0, sum = 0, met = 0, r, z[N], slope[N];
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    for (int i = 0; i < N; i++)
        x[i] = 300 + (float)gt_normal(7, 1, (uint64_t)i) + (i ? 0.0F : 100.0F);
    for (int i = 0; i < N; i++) mean += (double)x[i] / N;
    for (int i = 0; i < N; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean) / N;
    r = 1 / sqrt(variance + 1e-5);
    for (int i = 0; i < N; i++) {
        z[i] = ((double)x[i] - mean) * r;
        sum += sin(i);
        met += sin(i) * z[i];
    }
    for (int i = 0; i < N; i++) slope[i] = r * (sin(i) - sum / N - z[i] * met / N);
    const gt_tensor in = gt_input(tape, x, GT_SHAPE(3, 1, 9, 9), GT_F32);
    const gt_tensor y = gt_batch_norm(in, "bn", true, usual);
    const gt_tensor up = gt_sin(gt_cast(gt_arange(tape, 0, 1, N, GT_F64), GT_F32));
    const gt_tensor g = gt_vjp(y, gt_reshape(up, gt_shape_of(y)), in);
    for (int i = 0; i < N; i++) {
        cr_assert(quick_near(gt_element(y, i), z[i], 1e-5), "y %d: %s", i, gt_error(tape));
        cr_assert(quick_near(gt_element(g, i), slope[i], 1e-5), "slope %d", i);
    }
    gt_tape_free(tape);
    gt_params_free(params);
}

/* Means 3 and 15, then 6 and 30: each use follows what the one before it left, within a step or after it. */
Test(norm, a_layer_used_twice_follows_twice) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_batch_norm(channels(tape), "bn", true, usual);
    gt_batch_norm(gt_mul_scalar(channels(tape), 2), "bn", true, usual);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    const double once = 0.9 + 0.1 * 14 / 3, twice = 0.9 * once + 0.1 * 56 / 3;
    expect_buffer(params, "bn/running_mean", 0.9 * 0.3 + 0.6, 0.9 * 1.5 + 3);
    expect_buffer(params, "bn/running_variance", twice, 0.9 * 10.9 + 40);
    gt_batch_norm(channels(tape), "bn", true, usual);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    expect_buffer(params, "bn/running_mean", 0.9 * 0.87 + 0.3, 0.9 * 4.35 + 1.5);
    expect_buffer(params, "bn/running_variance", 0.9 * twice + 0.1 * 14 / 3, 0.9 * 49.81 + 10);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* The statistics of the axes of an image, far from 0: a difference of squares would lose them. */
Test(norm, batch_of_images_far_from_zero) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = gt_add_scalar(gt_randn(tape, GT_SHAPE(8, 3, 16, 16), GT_F32), 1e4);
    gt_tensor y = gt_batch_norm(x, "bn", true, usual);
    gt_tensor variance = gt_var(gt_cast(y, GT_F64), GT_AXES(0, 2, 3), 0, false);
    const double *v = gt_data(variance);
    cr_assert(v != NULL, "%s", gt_error(tape));
    for (int i = 0; i < 3; i++) cr_assert(quick_near(v[i], 1, 1e-4), "variance %g", v[i]);
    gt_tape_free(tape);
}

/* A range that is computed again applies its effects once, and gives the same gradients. */
static void train_once(bool checkpoint, double gradient[2]) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_param_info info;
    if (checkpoint) gt_checkpoint_begin(tape);
    gt_tensor y = gt_tanh(gt_batch_norm(channels(tape), "bn", true, usual));
    if (checkpoint) gt_checkpoint_end(tape);
    gt_tensor loss = gt_sum(gt_square(gt_add_scalar(y, 0.5)), GT_ALL, false);
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    expect_buffer(params, "bn/running_mean", 0.3, 1.5);
    expect_buffer(params, "bn/running_variance", 0.9 + 0.1 * 14 / 3, 0.9 + 0.1 * 300 / 3);
    cr_assert(gt_params_find(params, "bn/weight", &info) && info.grad);
    memcpy(gradient, info.grad, 2 * sizeof *gradient);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(norm, batch_under_a_checkpoint_moves_once) {
    double plainly[2], again[2];
    train_once(false, plainly);
    train_once(true, again);
    cr_assert(plainly[0] != 0 && memcmp(plainly, again, sizeof again) == 0);
}

Test(norm, rows_have_mean_0_and_variance_1) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = gt_randn(tape, GT_SHAPE(4, 6, 5), GT_F64);
    gt_tensor all[2] = {gt_layer_norm(x, "layer", 1e-12),
                        gt_reshape(gt_group_norm(x, "group", 3), GT_SHAPE(12, 10))};
    for (int k = 0; k < 2; k++) {
        const gt_tensor mean = gt_max(gt_abs(gt_mean(all[k], GT_AXES(-1), false)), GT_ALL, false);
        const gt_tensor variance = gt_mean(gt_var(all[k], GT_AXES(-1), 0, false), GT_ALL, false);
        cr_assert(quick_near(gt_item(mean), 0, 1e-12));
        cr_assert(quick_near(gt_item(variance), 1, k ? 1e-4 : 1e-9), "%s", gt_error(tape));
    }
    gt_tensor mean = gt_mean(gt_square(gt_rms_norm(x, "rms", 1e-12)), GT_AXES(-1), false);
    cr_assert(quick_near(gt_item(gt_min(mean, GT_ALL, false)), 1, 1e-9));
    cr_assert(quick_near(gt_item(gt_max(mean, GT_ALL, false)), 1, 1e-9));
    gt_tape_free(tape);
}

/* ---- layers ------------------------------------------------------------------------------------ */

Test(conv, a_branch_that_begins_with_zeros_is_no_branch) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[4] = {1, 2, 3, 4};
    gt_tensor x = image(tape, values, 2, 2);
    gt_param(tape, "branch/weight", GT_SHAPE(1, 1, 3, 3), GT_F64, gt_init_zeros());
    const gt_conv_options same = {.padding = {1, 1}};
    expect_values(gt_residual(x, gt_conv2d_layer(x, "branch", 1, 3, same)), values);
    gt_tape_free(tape);
}

Test(conv, a_layer_without_bias_makes_none) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const double values[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    gt_tensor x = image(tape, values, 3, 3);
    gt_conv_options o = {.no_bias = true};
    gt_param_info info;
    gt_conv2d_layer(x, "plane", 2, 2, o);
    gt_conv_transpose2d_layer(x, "up", 2, 2, o);
    gt_tensor y = gt_conv1d_layer(gt_squeeze(x, GT_AXES(1)), "line", 2, 2, o);
    cr_assert(gt_run(tape, &y, 1), "%s", gt_error(tape));
    cr_assert_eq(gt_params_count(params), 3);
    cr_assert(gt_params_find(params, "up/weight", &info));
    cr_assert_not(gt_params_find(params, "plane/bias", &info));
    gt_tape_free(tape);
    gt_params_free(params);
}

/* Kaiming: variance 2 / (channels seen x kernel^2), which keeps the size of what passes through. */
static void check_weights(gt_params *params, const char *name, double fan) {
    gt_param_info info;
    double sum = 0, most = 0;
    cr_assert(gt_params_find(params, name, &info), "no %s", name);
    const int64_t n = gt_numel(info.shape);
    for (int64_t i = 0; i < n; i++) {
        const double v = ((const double *)info.data)[i];
        sum += v * v;
        most = fmax(most, fabs(v));
    }
    const double variance = sum / (double)n;
    cr_assert(quick_near(variance * fan / 2, 1, 0.05), "%s: variance %g", name, variance);
    cr_assert(most <= sqrt(6 / fan) && most > 0.99 * sqrt(6 / fan), "%s: largest %g", name, most);
}

Test(layer, kernels_begin_by_what_an_output_sees) {
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    gt_tensor x = gt_zeros(tape, GT_SHAPE(1, 16, 9, 9), GT_F64);
    gt_conv_options o = option(1, 0, 1, 1);
    gt_conv2d_layer(x, "plain", 32, 3, o);
    o.groups = 4;
    gt_conv2d_layer(x, "groups", 64, 3, o);
    gt_conv_transpose2d_layer(x, "up", 32, 4, option(2, 1, 1, 1));
    cr_assert(!gt_failed(tape), "%s", gt_error(tape));
    check_weights(params, "plain/weight", 16 * 9);
    check_weights(params, "groups/weight", 4 * 9);
    check_weights(params, "up/weight", 16 * 4);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(layer, upsampling) {
    gt_tape *tape = gt_tape_new(NULL);
    const double values[2] = {1, 5};
    gt_tensor x = image(tape, values, 1, 2);
    expect_values(gt_upsample_nearest2d(x, 1, 4), (const double[]){1, 1, 5, 5});
    expect_values(gt_upsample_nearest2d(x, 2, 3), (const double[]){1, 1, 5, 1, 1, 5});
    expect_values(gt_upsample_bilinear2d(x, 1, 4), (const double[]){1, 2, 4, 5});
    expect_values(gt_upsample_bilinear2d(x, 2, 1), (const double[]){3, 3});
    gt_tape_free(tape);
}
