/* demos/approximator.c: networks as sums of steps. Row 57 of the course notes: the 1-2-1 network
 * whose two sigmoids are two soft steps, and its slope. Row 58: with enough steps such a sum
 * comes as near to any continuous function as one likes, and what that costs; a network that is
 * trained needs far fewer.
 *
 * Where the notes are wrong, or leave something open:
 *   - the output weights stand only in a figure; 1, 1 and bias 0 give the values printed here.
 *   - sigmoid's range is open, (0, 1); but in double precision it is 1 exactly from about 37 on.
 *   - the theorem says that the weights exist. It does not say that training finds them. */
#include "common/lesson.h"

#include <math.h>

enum { POINTS = 401, SIZES = 8, TRAINED = 8, STEPS = 1500 };

/* s(10 p - 10) + s(10 p + 10): steps up at p = 1 and p = -1. */
static gt_tensor two_steps(gt_tensor p) {
    const gt_tensor scaled = gt_mul_scalar(p, 10);
    return gt_add(gt_sigmoid(gt_add_scalar(scaled, -10)), gt_sigmoid(gt_add_scalar(scaled, 10)));
}

/* What is to be approximated, on [-2, 2]. */
static gt_tensor target(gt_tensor p) {
    return gt_add(gt_sin(gt_mul_scalar(p, 3)), gt_mul_scalar(gt_square(p), 0.5));
}
static double target_at(double p) { return sin(3 * p) + 0.5 * p * p; }

/* Writes n steps down without training: step i stands between two of n + 1 equidistant points
 * and is as high as the target's difference between them. One hidden unit, three weights, for
 * each. */
static gt_tensor staircase(gt_tensor p, int n) {
    double center[256], height[256];
    const double wide = 4.0 / n;
    for (int i = 0; i < n; i++) {
        center[i] = -2 + (i + 0.5) * wide;
        height[i] = target_at(-2 + (i + 1) * wide) - target_at(-2 + i * wide);
    }
    const gt_tensor c = gt_input(p.tape, center, GT_SHAPE(n), GT_F64);
    const gt_tensor h = gt_input(p.tape, height, GT_SHAPE(n), GT_F64);
    const gt_tensor steepness = gt_mul_scalar(gt_sub(gt_unsqueeze(p, 1), c), 12 / wide);
    return gt_add_scalar(gt_matmul(gt_sigmoid(steepness), h), target_at(-2));
}

static gt_tensor rms(gt_tensor error) { return gt_sqrt(gt_mean(gt_square(error), GT_ALL, false)); }

static void show_two_steps(gt_tape *tape, double *p, double *a) {
    static const double at[5] = {-2, -1, 0, 1, 2};
    double value[5];
    const gt_tensor x = gt_input(tape, at, GT_SHAPE(5), GT_F64), y = two_steps(x);
    lesson_read(y, value, 5);
    printf("a(p) = s(10 p - 10) + s(10 p + 10)\n");
    for (int i = 0; i < 5; i++) printf("  a(%2g) = %.6f\n", at[i], value[i]);
    const gt_tensor slope = gt_select(gt_grad(gt_sum(y, GT_ALL, false), x), 0, 3);
    printf("  slope at p = 1: %.6f = 10 x 0.25, the most that a sigmoid of 10 p can have\n",
           gt_item(slope));
    printf("  s(36) < 1: %s; s(37) < 1: %s, though it is for every real number\n\n",
           gt_item(gt_sigmoid(gt_scalar(tape, 36, GT_F64))) < 1 ? "yes" : "no",
           gt_item(gt_sigmoid(gt_scalar(tape, 37, GT_F64))) < 1 ? "yes" : "no");
    const gt_tensor line = gt_linspace(tape, -2, 2, POINTS, GT_F64);
    lesson_read(line, p, POINTS);
    lesson_read(two_steps(line), a, POINTS);
}

/* A network of TRAINED sigmoids finds its own steps. Returns its error, and its curve in y. */
static double train(lesson *l, const double *p, double *y) {
    gt_optim *opt = gt_adam(l->params, (gt_adam_options){.rate = 0.03});
    double error = 0;
    for (int step = 0; opt && step <= STEPS && !gt_failed(l->tape); step++) {
        gt_tape_reset(l->tape);
        const gt_tensor x = gt_borrow(l->tape, p, GT_SHAPE(POINTS), GT_F64);
        const gt_tensor hidden =
            gt_sigmoid(gt_mul_scalar(gt_linear(gt_unsqueeze(x, 1), "steps", TRAINED), 4));
        const gt_tensor out = gt_squeeze(gt_linear(hidden, "sum", 1), GT_AXES(1));
        if (step < STEPS) {
            gt_minimize(opt, gt_mean_squared_error(out, target(x)));
            continue;
        }
        error = gt_item(rms(gt_sub(out, target(x))));
        lesson_read(out, y, POINTS);
    }
    gt_optim_free(opt);
    return error;
}

int main(int count, char **word) {
    static double p[POINTS], a[POINTS], wanted[POINTS], stairs[2][POINTS], learned[POINTS];
    double n[SIZES], error[SIZES];
    lesson l;
    if (!lesson_begin(&l, "approximator", count, word)) return EXIT_FAILURE;
    show_two_steps(l.tape, p, a);

    printf("sin 3p + p^2 / 2 on [-2, 2] as a sum of steps\n  steps  weights  rms error  largest "
           "error\n");
    const gt_tensor x = gt_borrow(l.tape, p, GT_SHAPE(POINTS), GT_F64), goal = target(x);
    lesson_read(goal, wanted, POINTS);
    for (int i = 0; i < SIZES; i++) {
        const int size = 2 << i;
        const gt_tensor sum = staircase(x, size), miss = gt_sub(sum, goal);
        n[i] = size;
        error[i] = gt_item(rms(miss));
        printf("  %5d  %7d  %9.5f  %13.5f\n", size, 3 * size + 1, error[i],
               gt_item(gt_max(gt_abs(miss), GT_ALL, false)));
        if (size == 8 || size == 32) lesson_read(sum, stairs[size == 32], POINTS);
    }
    printf("Twice the steps, half the error: it memorizes, and in d dimensions n becomes "
           "n^d.\n");
    const double best = train(&l, p, learned);
    printf("%d steps, trained: rms error %.4f with %d weights\n", TRAINED, best, 3 * TRAINED + 1);

    const double size_trained = TRAINED;
    const plot_series two = {"a(p)", PLOT_LINE, 0, p, a, POINTS};
    const plot_series curves[] = {{"target", PLOT_LINE, 0, p, wanted, POINTS},
                                  {"8 steps", PLOT_LINE, 1, p, stairs[0], POINTS},
                                  {"32 steps", PLOT_LINE, 2, p, stairs[1], POINTS},
                                  {"8 trained", PLOT_DASHED, 3, p, learned, POINTS}};
    const plot_series errors[] = {{"steps written down", PLOT_LINE, 1, n, error, SIZES},
                                  {"trained", PLOT_POINTS, 3, &size_trained, &best, 1}};
    const plot_panel panel[] = {
        {.title = "1-2-1: two soft steps",
         .x_label = "p",
         .no_values = true,
         .series = &two,
         .n_series = 1},
        {.title = "More steps", .x_label = "p", .no_values = true, .series = curves, .n_series = 4},
        {.title = "RMS error",
         .x_label = "steps",
         .log_x = true,
         .log_y = true,
         .y = {1e-3, 1},
         .x = {1, 1000},
         .series = errors,
         .n_series = 2}};
    return lesson_end(&l, &(plot){.title = "A network is a sum of steps",
                                  .subtitle =
                                      "any continuous function, as nearly as one likes, at a price",
                                  .width = 1260,
                                  .panel = panel,
                                  .n_panels = 3});
}
