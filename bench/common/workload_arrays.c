/* bench/common/workload_arrays.c: W8, element-wise operations over a long array, and W11, the logarithm of the density
 * of a mixture of Gaussians. Both want a gradient and train nothing. */
#include "workload.h"

#include <math.h>
#include <stdlib.h>

/* ---- W8 -------------------------------------------------------------------------------------------------- */

enum { ELEMENTS = 4194304 };

static bool prepare_elements(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = bench_draw_normal(&draw, ELEMENTS, 1);
    return t->x != NULL;
}

static gt_tensor elements(training *t) {
    const gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(ELEMENTS), GT_F32);
    const gt_tensor hill = gt_exp(gt_mul(gt_neg(x), x));
    gt_tensor y = gt_mul(gt_tanh(x), gt_sigmoid(x));
    y = gt_add(y, gt_mul(hill, gt_log(gt_add_scalar(gt_exp(x), 1))));
    y = gt_sub(y, gt_mul_scalar(gt_relu(x), 0.1));
    t->wrt[t->n_wrt++] = x;
    return gt_sum(y, GT_ALL, false);
}

/* ---- W11: with d = 10 and K = 25 components, of n = 1000 points: ADBench's objective ------------------------- */

enum { POINTS = 1000, SPACE = 10, COMPONENTS = 25, LOWER = SPACE * (SPACE - 1) / 2 };
enum { ALPHAS = COMPONENTS, MEANS = COMPONENTS * SPACE, FACTORS = COMPONENTS * (SPACE + LOWER) };

static bool prepare_mixture(training *t) {
    bench_draw draw = bench_draw_start();
    const int count = ALPHAS + MEANS + FACTORS + POINTS * SPACE;
    t->points = malloc((size_t)count * sizeof *t->points);
    t->index = malloc(SPACE * SPACE * sizeof *t->index);
    if (!t->points || !t->index) return false;
    for (int i = 0; i < count; i++) t->points[i] = bench_normal(&draw);
    /* Place of element (row, column) in a component's numbers below the diagonal, column by column, behind which
     * a zero stands. */
    for (int row = 0; row < SPACE; row++)
        for (int column = 0; column < SPACE; column++)
            t->index[row * SPACE + column] =
                row > column ? column * (2 * SPACE - column - 1) / 2 + row - column - 1 : LOWER;
    return true;
}

/* log of the multivariate gamma function's part that does not depend on the parameters. */
static double log_wishart_constant(void) {
    const double pi = 3.14159265358979323846, n = SPACE + 1;
    double log_gamma = 0.25 * SPACE * (SPACE - 1) * log(pi);
    for (int j = 1; j <= SPACE; j++) log_gamma += lgamma(0.5 * n + 0.5 * (1 - j));
    return n * SPACE * log(1 / sqrt(2)) - log_gamma;
}

/* Q [components, d, d]: e^diagonal on the diagonal, the numbers below it, 0 above. */
static gt_tensor factors(training *t, gt_tensor diagonal, gt_tensor below) {
    const gt_tensor place = gt_borrow(t->tape, t->index, GT_SHAPE(SPACE * SPACE), GT_I32);
    const gt_tensor zero = gt_zeros(t->tape, GT_SHAPE(COMPONENTS, 1), GT_F64);
    gt_tensor lower = gt_gather(gt_concat(GT_LIST(below, zero), 1), place, 1);
    lower = gt_reshape(lower, GT_SHAPE(COMPONENTS, SPACE, SPACE));
    return gt_add(lower, gt_mul(gt_unsqueeze(diagonal, 1), gt_eye(t->tape, SPACE, GT_F64)));
}

static gt_tensor mixture(training *t) {
    const double *at = t->points;
    gt_tape *tape = t->tape;
    const gt_tensor alpha = gt_borrow(tape, at, GT_SHAPE(COMPONENTS), GT_F64);
    const gt_tensor mean = gt_borrow(tape, at += ALPHAS, GT_SHAPE(COMPONENTS, SPACE), GT_F64);
    const gt_tensor factor =
        gt_borrow(tape, at += MEANS, GT_SHAPE(COMPONENTS, SPACE + LOWER), GT_F64);
    const gt_tensor x = gt_borrow(tape, at += FACTORS, GT_SHAPE(POINTS, SPACE), GT_F64);

    const gt_tensor logs = gt_slice(factor, 1, 0, SPACE, 1);
    const gt_tensor below = gt_slice(factor, 1, SPACE, SPACE + LOWER, 1);
    const gt_tensor diagonal = gt_exp(logs), log_det = gt_sum(logs, GT_AXES(1), false);
    const gt_tensor away = gt_sub(x, gt_unsqueeze(mean, 1)); /* [components, points, d] */
    const gt_tensor q = factors(t, diagonal, below);
    const gt_tensor scaled = gt_matmul(away, gt_transpose(q, 1, 2));
    const gt_tensor distance = gt_sum(gt_square(scaled), GT_AXES(2), false);
    const gt_tensor weight = gt_unsqueeze(gt_add(alpha, log_det), 1);
    const gt_tensor each =
        gt_logsumexp(gt_sub(weight, gt_mul_scalar(distance, 0.5)), GT_AXES(0), false);

    const gt_tensor size =
        gt_add(gt_sum(gt_square(diagonal), GT_ALL, false), gt_sum(gt_square(below), GT_ALL, false));
    gt_tensor sum = gt_sub(gt_sum(each, GT_ALL, false),
                           gt_mul_scalar(gt_logsumexp(alpha, GT_ALL, false), POINTS));
    sum = gt_add(sum, gt_mul_scalar(size, 0.5)); /* Wishart prior, gamma = 1, m = 0 */
    t->wrt[0] = alpha, t->wrt[1] = mean, t->wrt[2] = factor, t->n_wrt = 3;
    return gt_add_scalar(sum, -0.5 * POINTS * SPACE * log(6.283185307179586) -
                                  COMPONENTS * log_wishart_constant());
}

const workload bench_arrays[] = {
    {.name = "W8",
     .prepare = prepare_elements,
     .loss = elements,
     .operations = ELEMENTS,
     .bytes = 8.0 * ELEMENTS},
    {.name = "W11",
     .prepare = prepare_mixture,
     .loss = mixture,
     .f64 = true,
     .flop = 6.0 * COMPONENTS * POINTS * SPACE * SPACE},
    {.name = NULL},
};
