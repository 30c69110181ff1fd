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
    {1057, 33, 40}, {40, 1057, 33}, {200, 24, 513}, {1100, 25, 260},
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
