/* demos/overfitting.c: a polynomial that passes through every noisy point (loss 0) is further from
 * the truth than one with penalized weights. Rows 25 to 28 and 70 of the course notes.
 *
 * The polynomial is a sum of w_k T_k(x), T_k(x) = cos(k arccos x), and the points are the zeros of
 * T_10: there the columns T_k are orthogonal, so that each penalty is seen to act on each weight
 * alone. With mean squared error and the fitted weight w: L2 gives w / (1 + 2 lambda), L1 moves w
 * by lambda towards 0 and stops there, the elastic net does both.
 *
 * Where the notes are wrong:
 *   - x = (1, 1, 1, 1), w1 = (1, 0, 0, 0), w2 = (1/4, 1/4, 1/4, 1/4): they print R(w1) = 3, R(w2)
 *     = 2.25 for L2 and 3, 3 for L1. Those are the sums over x - w. A penalty is of w alone: 1 and
 *     0.25, 1 and 1. What they conclude stands: L2 prefers w2, L1 either. */
#include "common/lesson.h"

#include <math.h>

enum { POINTS = 10, TERMS = 10, CURVE = 201, STEPS = 1000, FITS = 4 };
static const double rate = 0.05, lambda = 0.15, pi = 3.14159265358979323846;
static const char *const fit_name[FITS] = {"none", "L2", "L1", "elastic"};
static double point_x[POINTS], point_y[POINTS], curve_x[CURVE], truth[CURVE];

static gt_tensor penalty(gt_tape *tape, int fit, const char *pattern) {
    if (fit == 1) return gt_l2(tape, pattern);
    if (fit == 2) return gt_l1(tape, pattern);
    return gt_elastic_net(tape, pattern, 1);
}

static void print_example(lesson *l) {
    static const double w[2][4] = {{1, 0, 0, 0}, {0.25, 0.25, 0.25, 0.25}};
    static const char *const name[2] = {"w1", "w2"}, *const printed[2][2] = {{"3", "2.25"},
                                                                             {"3", "3"}};
    const gt_tensor x = gt_ones(l->tape, GT_SHAPE(4), GT_F64);
    double r[2][FITS] = {{0}}, wrong[2][2] = {{0}};
    for (int i = 0; i < 2; i++) {
        gt_param_set(l->params, name[i], GT_SHAPE(4), GT_F64, w[i], true);
        const gt_tensor leaf = gt_param_leaf(l->tape, name[i]), difference = gt_sub(x, leaf);
        r[i][0] = gt_item(gt_sum(gt_mul(x, leaf), GT_ALL, false));
        for (int fit = 1; fit < FITS; fit++) r[i][fit] = gt_item(penalty(l->tape, fit, name[i]));
        wrong[0][i] = gt_item(gt_sum(gt_square(difference), GT_ALL, false));
        wrong[1][i] = gt_item(gt_sum(gt_abs(difference), GT_ALL, false));
    }
    printf("x = (1, 1, 1, 1), w1 = (1, 0, 0, 0), w2 = (1/4, 1/4, 1/4, 1/4)\n");
    printf("                       w1      w2   the notes     sum over x - w\n");
    printf("  score w.x        %6g  %6g\n", r[0][0], r[1][0]);
    for (int fit = 1; fit < FITS; fit++) {
        printf("  R, %-14s%6g  %6g", fit_name[fit], r[0][fit], r[1][fit]);
        if (fit < 3)
            printf("   %s and %-6s %6g and %g", printed[fit - 1][0], printed[fit - 1][1],
                   wrong[fit - 1][0], wrong[fit - 1][1]);
        printf("\n");
    }
    printf("The notes penalize x - w, not w. L2 does prefer w2; L1 prefers neither.\n\n");
}

static double line(double x) { return 0.2 + 0.7 * x; }

static void make_points(void) {
    for (int i = 0; i < POINTS; i++) {
        point_x[i] = -cos(pi * (i + 0.5) / POINTS);
        point_y[i] = line(point_x[i]) + 0.3 * gt_normal(1, 0, (uint64_t)i);
    }
    for (int i = 0; i < CURVE; i++) {
        curve_x[i] = -1 + 2.0 * i / (CURVE - 1);
        truth[i] = line(curve_x[i]);
    }
}

/* The polynomial at count places. */
static gt_tensor polynomial(gt_tape *tape, const double *x, int count, const char *name) {
    static double basis[CURVE][TERMS];
    for (int i = 0; i < count; i++)
        for (int k = 0; k < TERMS; k++) basis[i][k] = cos(k * acos(x[i]));
    const gt_tensor terms = gt_input(tape, basis, GT_SHAPE(count, TERMS), GT_F64);
    return gt_matmul(terms, gt_param(tape, name, GT_SHAPE(TERMS), GT_F64, gt_init_zeros()));
}

static void train(lesson *l, int fit, double *curve) {
    const char *name = fit_name[fit];
    gt_optim *opt = gt_sgd(l->params, (gt_sgd_options){.rate = rate, .pattern = name});
    double loss = (double)NAN, w[TERMS];
    for (int t = 0; opt && t < STEPS && !gt_failed(l->tape); t++) {
        gt_tape_reset(l->tape);
        const gt_tensor y = gt_borrow(l->tape, point_y, GT_SHAPE(POINTS), GT_F64);
        const gt_tensor data = gt_mean_squared_error(polynomial(l->tape, point_x, POINTS, name), y);
        loss = gt_item(data);
        gt_minimize(opt, fit == 0
                             ? data
                             : gt_add(data, gt_mul_scalar(penalty(l->tape, fit, name), lambda)));
    }
    gt_optim_free(opt);
    if (gt_failed(l->tape)) return;
    gt_tape_reset(l->tape);
    lesson_read(polynomial(l->tape, curve_x, CURVE, name), curve, CURVE);
    lesson_read(gt_param_leaf(l->tape, name), w, TERMS);
    double error = 0, sum = 0;
    int used = 0;
    for (int i = 0; i < CURVE; i++) error += (curve[i] - truth[i]) * (curve[i] - truth[i]) / CURVE;
    /* Descent ends within rate * lambda of a weight that L1 holds at 0. */
    for (int k = 0; k < TERMS; k++) used += fabs(w[k]) > 2 * rate * lambda;
    for (int k = 0; k < TERMS; k++) sum += w[k] * w[k];
    printf("  %-8s %12.4f %14.4f %12d %10.4f\n", name, loss, error, used, sum);
}

int main(int count, char **word) {
    static double curve[FITS][CURVE];
    static const char *const title[2] = {"f1: no penalty, loss 0", "f2: a penalty on the weights"};
    lesson l;
    if (!lesson_begin(&l, "overfitting", count, word)) return EXIT_FAILURE;
    print_example(&l);
    make_points();
    printf("%d points of a line with noise, a polynomial of %d weights, lambda %g\n", POINTS, TERMS,
           lambda);
    printf("  penalty    loss, points  loss, the line  weights used  sum of w^2\n");
    for (int fit = 0; fit < FITS; fit++) train(&l, fit, curve[fit]);
    printf("The smaller loss on the points is the larger one on the line they come from.\n");
    const plot_series points = {"points", PLOT_POINTS, 5, point_x, point_y, POINTS};
    const plot_series real = {"the line", PLOT_DASHED, 4, curve_x, truth, CURVE};
    const plot_series free_fit[] = {{"no penalty", PLOT_LINE, 1, curve_x, curve[0], CURVE},
                                    real,
                                    points};
    const plot_series held[] = {{"L2", PLOT_LINE, 0, curve_x, curve[1], CURVE},
                                {"L1", PLOT_LINE, 2, curve_x, curve[2], CURVE},
                                {"elastic net", PLOT_LINE, 3, curve_x, curve[3], CURVE},
                                real,
                                points};
    plot_panel panel[2];
    for (int k = 0; k < 2; k++)
        panel[k] = (plot_panel){.title = title[k],
                                .x_label = "x",
                                .y = {-1.5, 1.5},
                                .no_values = true,
                                .series = k == 0 ? free_fit : held,
                                .n_series = k == 0 ? 3 : 5};
    return lesson_end(&l, &(plot){.title = "Loss 0 is not the aim",
                                  .subtitle = "ten weights, ten noisy points of a line",
                                  .panel = panel,
                                  .n_panels = 2});
}
