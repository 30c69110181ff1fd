/* demos/zigzag.c: where all inputs of a unit are positive, one sample's gradients to its weights
 * share a sign, and descent can only go to the upper right or to the lower left: to a goal on
 * the lower right it zigzags. Row 52 of the course notes.
 *
 * Where the notes are wrong: they write dL/dW = s (1 - s) (y' - y) and take the common sign from
 * s (1 - s) > 0. The gradient has one more factor, the input x (and 2, for the squared error):
 * without it all weights would have the same gradient. The factors before x are common to all
 * weights; that the signs agree comes from x > 0. */
#include "common/lesson.h"

#include <math.h>

enum { STEPS = 60, SAMPLES = 4000 };
static const double goal[2] = {1, -1}, rate = 0.5;

/* The notes' formula, and the right one, against the gradient of a sigmoid unit at one sample. */
static void check_formula(gt_tape *tape) {
    static const double input[2] = {0.5, 2}, weight[2] = {0.4, -0.3};
    double g[2];
    const gt_tensor x = gt_borrow(tape, input, GT_SHAPE(2), GT_F64),
                    w = gt_borrow(tape, weight, GT_SHAPE(2), GT_F64);
    const gt_tensor s = gt_sigmoid(gt_dot(w, x)), wrong = gt_add_scalar(s, -1);
    const double d = gt_item(wrong), slope = gt_item(s) * (1 - gt_item(s));
    printf("one sigmoid unit, x = (0.5, 2), target 1: gradients to the two weights\n");
    lesson_read(gt_grad(gt_square(wrong), w), g, 2);
    printf("  squared error              %9.5f %9.5f\n", g[0], g[1]);
    printf("  2 (s - y) s (1 - s) x      %9.5f %9.5f\n", 2 * d * slope * input[0],
           2 * d * slope * input[1]);
    printf("  s (1 - s) (s - y)          %9.5f %9.5f   as in the notes\n", slope * d, slope * d);
    lesson_read(gt_grad(gt_softplus(gt_neg(gt_dot(w, x))), w), g, 2);
    printf("  cross-entropy              %9.5f %9.5f\n", g[0], g[1]);
    printf("  (s - y) x                  %9.5f %9.5f\n\n", d * input[0], d * input[1]);
}

/* Sample i: the outputs of two sigmoid units, both positive; centred: less their mean, one half. */
static void sample(int i, bool centred, double x[2]) {
    for (int k = 0; k < 2; k++)
        x[k] = 1 / (1 + exp(-gt_normal(8, (uint64_t)k, (uint64_t)i))) - (centred ? 0.5 : 0);
}

typedef struct walk {
    double w[2][STEPS + 1], step[2][STEPS]; /* the weights, and what every step adds to them */
    int same_sign, near;                    /* near: the first step within a tenth of the goal */
    double length;
} walk;

/* One sample per step: a linear unit learns the weights that made the targets. Steps are scaled
 * to the input's size, as the two kinds of input have different sizes. */
static void descend(gt_tape *tape, bool centred, walk *path) {
    double w[2] = {0, 0};
    path->near = STEPS;
    for (int t = 0; t < STEPS; t++) {
        double x[2], g[2];
        sample(t, centred, x);
        const gt_tensor in = gt_input(tape, x, GT_SHAPE(2), GT_F64),
                        weights = gt_input(tape, w, GT_SHAPE(2), GT_F64);
        const gt_tensor target = gt_dot(in, gt_borrow(tape, goal, GT_SHAPE(2), GT_F64));
        lesson_read(gt_grad(gt_square(gt_sub(gt_dot(weights, in), target)), weights), g, 2);
        if (hypot(w[0] - goal[0], w[1] - goal[1]) < 0.1 && t < path->near) path->near = t;
        path->same_sign += g[0] * g[1] > 0;
        const double size = rate / (x[0] * x[0] + x[1] * x[1]);
        for (int k = 0; k < 2; k++) {
            path->w[k][t] = w[k];
            path->step[k][t] = -size * g[k];
            w[k] += path->step[k][t];
        }
        path->length += size * hypot(g[0], g[1]);
        gt_tape_reset(tape);
    }
    for (int k = 0; k < 2; k++) path->w[k][STEPS] = w[k];
}

/* In a batch the samples' signs mix: the share of batches of that size whose two gradients still
 * agree. */
static double share_of_same_sign(gt_tape *tape, int batch) {
    static double x[SAMPLES][2];
    int same = 0;
    const int batches = SAMPLES / batch;
    for (int b = 0; b < batches; b++) {
        double g[2];
        for (int i = 0; i < batch; i++) sample(b * batch + i, false, x[i]);
        const gt_tensor in = gt_input(tape, x, GT_SHAPE(batch, 2), GT_F64);
        const gt_tensor w = gt_zeros(tape, GT_SHAPE(2), GT_F64);
        const gt_tensor target = gt_matmul(in, gt_borrow(tape, goal, GT_SHAPE(2), GT_F64));
        lesson_read(gt_grad(gt_mean_squared_error(gt_matmul(in, w), target), w), g, 2);
        same += g[0] * g[1] > 0;
        gt_tape_reset(tape);
    }
    return (double)same / batches;
}

int main(int count, char **word) {
    static walk path[2];
    static const char *const kind[2] = {"positive inputs", "centred inputs"};
    plot_series way[3], steps[2];
    lesson l;
    if (!lesson_begin(&l, "zigzag", count, word)) return EXIT_FAILURE;
    check_formula(l.tape);
    printf("a linear unit from (0, 0) to (%g, %g), one sample per step, %d steps\n", goal[0],
           goal[1], STEPS);
    for (int k = 0; k < 2; k++) {
        walk *p = &path[k];
        descend(l.tape, k == 1, p);
        printf("  %-15s  gradients of one sign in %2d steps, way %.1f for a distance of %.1f, "
               "there after %d\n",
               kind[k], p->same_sign, p->length, hypot(goal[0], goal[1]), p->near);
        way[k] = (plot_series){kind[k], PLOT_ARROWS, 1 - k, p->w[0], p->w[1], STEPS + 1};
        steps[k] = (plot_series){kind[k], PLOT_POINTS, 1 - k, p->step[0], p->step[1], STEPS};
    }
    printf("batches of positive inputs at (0, 0), gradients of one sign: ");
    printf("size 1 %.0f %%, size 10 %.0f %%, size 100 %.0f %%\n",
           100 * share_of_same_sign(l.tape, 1), 100 * share_of_same_sign(l.tape, 10),
           100 * share_of_same_sign(l.tape, 100));
    way[2] = (plot_series){"goal", PLOT_POINTS, 2, &goal[0], &goal[1], 1};
    const plot_panel panel[] = {{.title = "The way of two weights",
                                 .x_label = "w1",
                                 .x = {-0.4, 1.8},
                                 .y = {-1.1, 0.1},
                                 .y_label = "w2",
                                 .series = way,
                                 .n_series = 3},
                                {.title = "Steps, one sample each",
                                 .x_label = "of w1",
                                 .x = {-0.6, 1.25},
                                 .y = {-0.75, 0.5},
                                 .y_label = "of w2",
                                 .series = steps,
                                 .n_series = 2}};
    return lesson_end(&l, &(plot){.title = "All inputs positive: a zigzag",
                                  .subtitle = "every step of one sample goes up right or down left",
                                  .width = 1080,
                                  .height = 560,
                                  .panel = panel,
                                  .n_panels = 2});
}
