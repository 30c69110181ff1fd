/* demos/saturation.c: a sigmoid output that is far wrong learns under cross-entropy and hardly
 * moves under squared error. Row 64 of the course notes: with s = sigmoid(z), d CE / dz = s - y,
 * but d SE / dz = 2 (s - y) s (1 - s), and s (1 - s) is nearly 0 where the unit is saturated,
 * right or wrong.
 *
 * Where the notes are wrong:
 *   - they call cross-entropy and squared error the same for a binary sigmoid output. At y = 1, z =
 *     -5 the losses are 5.0067 and 0.9867 and the gradients -0.99331 and -0.01321.
 *   - they switch from log2 to log midway: the loss in bits is the one in nats divided by ln 2 =
 *     0.6931.
 *   - "never use sigmoid" is advice for hidden layers; at the output, with cross-entropy, it
 *     belongs. */
#include "common/lesson.h"

#include <math.h>

enum { STEPS = 400, POINTS = 201 };
static const double rate = 0.5, start = -5;

/* For y = 1; from the logit, where nothing overflows: -log s(z) = log(1 + e^-z). */
static gt_tensor cross_entropy(gt_tensor z) { return gt_softplus(gt_neg(z)); }
static gt_tensor squared_error(gt_tensor z) { return gt_square(gt_add_scalar(gt_sigmoid(z), -1)); }
static gt_tensor as_written(gt_tensor z) { return gt_neg(gt_log(gt_sigmoid(z))); }

typedef gt_tensor (*loss_function)(gt_tensor z);
static const loss_function losses[2] = {cross_entropy, squared_error};
static const char *const name[2] = {"cross-entropy", "squared error"};

static void print_at(gt_tape *tape, const char *title, loss_function loss, double at) {
    const gt_tensor z = gt_scalar(tape, at, GT_F64), value = loss(z);
    const double gradient = gt_item(gt_grad(value, z));
    printf("  %-20s loss %9.4f   gradient %9.5f\n", title, gt_item(value),
           isnan(gradient) ? (double)NAN
                           : gradient); /* a NaN may have a sign, and printf show it */
}

static void print_figures(gt_tape *tape) {
    printf("target 1, z = -5: sigmoid %.5f\n", gt_item(gt_sigmoid(gt_scalar(tape, start, GT_F64))));
    print_at(tape, "cross-entropy", cross_entropy, start);
    print_at(tape, "squared error", squared_error, start);
    const gt_tensor z = gt_scalar(tape, start, GT_F64), s = gt_sigmoid(z),
                    wrong = gt_add_scalar(s, -1);
    const gt_tensor slope = gt_mul(s, gt_add_scalar(gt_neg(s), 1));
    printf("  by the formulas:     s - y = %.5f, 2 (s - y) s (1 - s) = %.5f\n", gt_item(wrong),
           gt_item(gt_mul_scalar(gt_mul(wrong, slope), 2)));
    const double nats = gt_item(cross_entropy(z));
    printf("  the same loss in bits: %.4f = %.4f / %.4f\n",
           nats / gt_item(gt_log(gt_scalar(tape, 2, GT_F64))), nats,
           gt_item(gt_log(gt_scalar(tape, 2, GT_F64))));
    printf("target 1, z = -800: the sigmoid is 0 in double precision\n");
    print_at(tape, "log(1 + e^-z)", cross_entropy, -800);
    print_at(tape, "-log(sigmoid(z))", as_written, -800);
    printf(
        "  the second is what it says of 0, though the mathematics is finite: take the logit\n\n");
}

/* Gradient descent on w and b, z = w x + b with x = 1, from w = start, b = 0. Writes sigmoid(z)
 * at every step; returns the first step at which it exceeds 0.9, or STEPS. */
static int train(lesson *l, int which, double *output) {
    gt_optim *opt =
        gt_sgd(l->params, (gt_sgd_options){.rate = rate, .pattern = which == 0 ? "ce/*" : "se/*"});
    int reached = STEPS;
    for (int t = 0; opt && t < STEPS && !gt_failed(l->tape); t++) {
        gt_tape_reset(l->tape);
        gt_scope_push(l->tape, which == 0 ? "ce" : "se");
        const gt_tensor w = gt_param(l->tape, "w", GT_SCALAR, GT_F64, gt_init_constant(start));
        const gt_tensor b = gt_param(l->tape, "b", GT_SCALAR, GT_F64, gt_init_zeros());
        gt_scope_pop(l->tape);
        const gt_tensor x = gt_scalar(l->tape, 1, GT_F64), z = gt_add(gt_mul(w, x), b);
        output[t] = gt_item(gt_sigmoid(z));
        if (output[t] > 0.9 && t < reached) reached = t;
        gt_minimize(opt, losses[which](z));
    }
    gt_optim_free(opt);
    return reached;
}

/* Minus the gradient for every z: the push towards the target. */
static void push(gt_tape *tape, int which, double *z, double *g) {
    const gt_tensor line = gt_linspace(tape, -8, 8, POINTS, GT_F64);
    const gt_tensor sum = gt_sum(losses[which](line), GT_ALL, false);
    lesson_read(line, z, POINTS);
    lesson_read(gt_neg(gt_grad(sum, line)), g, POINTS);
}

int main(int count, char **word) {
    static double step[STEPS], output[2][STEPS], z[POINTS], g[2][POINTS];
    plot_series curve[2], gradient[2];
    lesson l;
    if (!lesson_begin(&l, "saturation", count, word)) return EXIT_FAILURE;
    print_figures(l.tape);
    printf("one unit from z = -5, gradient descent at rate %g\n", rate);
    for (int t = 0; t < STEPS; t++) step[t] = t;
    for (int k = 0; k < 2; k++) {
        const int reached = train(&l, k, output[k]);
        printf("  %-14s output above 0.9 after %d steps\n", name[k], reached);
        push(l.tape, k, z, g[k]);
        curve[k] = (plot_series){name[k], PLOT_LINE, k, step, output[k], STEPS};
        gradient[k] = (plot_series){name[k], PLOT_LINE, k, z, g[k], POINTS};
    }
    const plot_panel panel[] = {{.title = "Push towards the target: minus the gradient to z",
                                 .x_label = "z, target 1",
                                 .no_values = true,
                                 .series = gradient,
                                 .n_series = 2},
                                {.title = "Training from a saturated start, z = -5",
                                 .x_label = "step",
                                 .y_label = "output, target 1",
                                 .y = {0, 1},
                                 .series = curve,
                                 .n_series = 2}};
    return lesson_end(&l,
                      &(plot){.title = "Cross-entropy cancels the saturation of the sigmoid",
                              .subtitle = "squared error learns least where the unit is most wrong",
                              .panel = panel,
                              .n_panels = 2});
}
