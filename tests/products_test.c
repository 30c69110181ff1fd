/* tests/products_test.c: matrix products of whole numbers against plain loops: their sums are exact in any order.
 * The sizes are around those of tiles, panels and blocks; the samples of the operation are too small for that. */
#include <criterion/criterion.h>

#include "support/quick.h"

typedef struct sizes {
    int64_t m, n, k;
} sizes;

static const sizes around[] = {
    {1, 300, 700},  {5, 7, 9},      {8, 520, 30},   {9, 49, 257},    {256, 10, 1024},
    {10, 256, 300}, {13, 1, 2000},  {1000, 10, 10}, {97, 193, 255},  {100, 961, 64},
    {1057, 33, 40}, {40, 1057, 33}, {200, 24, 513}, {1100, 25, 260}, {13, 40, 30},
    {10, 10, 300},  {128, 100, 33}, {64, 32, 64},   {12, 65, 50},    {129, 70, 9},
};

static double left(int64_t i, int64_t p) { return (double)((i * 37 + p * 11) % 41 - 20); }
static double right(int64_t p, int64_t j) { return (double)((p * 29 + j * 7) % 37 - 18); }

/* rows x columns numbers; turned: the view of a matrix that has its columns one after the other in memory. */
static gt_tensor matrix(gt_tape *tape, double (*number)(int64_t, int64_t), int64_t rows,
                        int64_t columns, bool turned, gt_dtype dtype) {
    double *data = malloc((size_t)(rows * columns) * sizeof *data);
    cr_assert(data != NULL);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            data[turned ? j * rows + i : i * columns + j] = number(i, j);
    const gt_tensor x =
        gt_input(tape, data, turned ? GT_SHAPE(columns, rows) : GT_SHAPE(rows, columns), GT_F64);
    free(data);
    return turned ? gt_t(gt_cast(x, dtype)) : gt_cast(x, dtype);
}

static void expect_sums(gt_tape *tape, gt_tensor product, sizes s) {
    const gt_tensor wide = gt_cast(product, GT_F64);
    const double *is = gt_data(wide);
    cr_assert(is != NULL, "%s", gt_error(tape));
    for (int64_t i = 0; i < s.m; i++)
        for (int64_t j = 0; j < s.n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < s.k; p++) sum += left(i, p) * right(p, j);
            cr_assert_eq(is[i * s.n + j], sum, "[%d, %d] of %d x %d x %d", (int)i, (int)j, (int)s.m,
                         (int)s.n, (int)s.k);
        }
}

static void every_layout(sizes s, gt_dtype dtype) {
    gt_tape *tape = gt_tape_new(NULL);
    for (int turned = 0; turned < 4; turned++) {
        const gt_tensor a = matrix(tape, left, s.m, s.k, turned & 1, dtype);
        const gt_tensor b = matrix(tape, right, s.k, s.n, turned & 2, dtype);
        expect_sums(tape, gt_matmul(a, b), s);
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
}

Test(products, floats) {
    for (size_t k = 0; k < sizeof around / sizeof *around; k++) every_layout(around[k], GT_F32);
}

Test(products, doubles) {
    for (size_t k = 0; k < sizeof around / sizeof *around; k++) every_layout(around[k], GT_F64);
}

/* Columns [from, width) of matrices that are one tile or two wide: rows are as far apart as those of packed ones. */
static void last_columns(gt_dtype dtype, int64_t width, int64_t from) {
    enum { ROWS = 29, SUMMED = 19 };
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor a = matrix(tape, left, ROWS, SUMMED, false, dtype);
    const gt_tensor b = matrix(tape, right, SUMMED, width, false, dtype);
    const gt_tensor y = gt_cast(gt_matmul(a, gt_slice(b, 1, from, width, 1)), GT_F64);
    const double *is = gt_data(y);
    cr_assert(is != NULL, "%s", gt_error(tape));
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t j = from; j < width; j++) {
            double sum = 0;
            for (int64_t p = 0; p < SUMMED; p++) sum += left(i, p) * right(p, j);
            cr_assert_eq(is[i * (width - from) + j - from], sum, "[%d, %d]", (int)i, (int)j);
        }
    gt_tape_free(tape);
}

Test(products, of_the_last_columns_of_a_matrix) {
    for (int64_t from = 0; from < 15; from += 7)
        for (int64_t width = 24; width <= 96; width *= 2) {
            last_columns(GT_F32, width, from);
            last_columns(GT_F64, width, from);
        }
}

/* Many products of different matrices, which threads divide among them. */
static void batch(gt_dtype dtype, bool turned) {
    const sizes s = {33, 37, 40};
    enum { COUNT = 70 };
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor a =
        gt_reshape(matrix(tape, left, COUNT * s.m, s.k, false, dtype), GT_SHAPE(COUNT, s.m, s.k));
    const gt_tensor b =
        gt_reshape(matrix(tape, right, COUNT * s.k, s.n, turned, dtype), GT_SHAPE(COUNT, s.k, s.n));
    const gt_tensor y = gt_cast(gt_matmul(a, b), GT_F64);
    const double *is = gt_data(y);
    cr_assert(is != NULL, "%s", gt_error(tape));
    for (int64_t c = 0; c < COUNT; c++)
        for (int64_t i = 0; i < s.m; i++)
            for (int64_t j = 0; j < s.n; j++) {
                double sum = 0;
                for (int64_t p = 0; p < s.k; p++)
                    sum += left(c * s.m + i, p) * right(c * s.k + p, j);
                cr_assert_eq(is[(c * s.m + i) * s.n + j], sum, "%d [%d, %d]", (int)c, (int)i,
                             (int)j);
            }
    gt_tape_free(tape);
}

Test(products, batches) {
    batch(GT_F32, false);
    batch(GT_F64, false);
    batch(GT_F32, true);
}

/* A weight that is used again and again: its gradient is the sum of as many products, made by one call. */
static void used_again(gt_dtype dtype) {
    enum { TIMES = 20, ROWS = 32, IN = 48, OUT = 100 };
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor w = gt_cast(matrix(tape, right, IN, OUT, false, GT_F64), dtype);
    const gt_tensor x = matrix(tape, left, TIMES * ROWS, IN, false, dtype);
    const gt_tensor up = matrix(tape, right, TIMES * ROWS, OUT, false, dtype);
    gt_tensor sum = gt_scalar(tape, 0, dtype);
    for (int64_t t = 0; t < TIMES; t++) {
        const gt_tensor y = gt_matmul(gt_slice(x, 0, t * ROWS, (t + 1) * ROWS, 1), w);
        sum = gt_add(sum, gt_sum(gt_mul(y, gt_slice(up, 0, t * ROWS, (t + 1) * ROWS, 1)), GT_ALL,
                                 false));
    }
    const gt_tensor slope = gt_cast(gt_grad(sum, w), GT_F64);
    const double *is = gt_data(slope);
    cr_assert(is != NULL, "%s", gt_error(tape));
    for (int64_t i = 0; i < IN; i++)
        for (int64_t j = 0; j < OUT; j++) {
            double expected = 0;
            for (int64_t p = 0; p < TIMES * ROWS; p++) expected += left(p, i) * right(p, j);
            cr_assert_eq(is[i * OUT + j], expected, "[%d, %d]", (int)i, (int)j);
        }
    gt_tape_free(tape);
}

Test(products, sums_of_many) {
    used_again(GT_F32);
    used_again(GT_F64);
}
