/* demos/search.c: three ways to a small loss, on ten classes of generated images: guess weights,
 * follow the gradient found by numeric differences, follow the one found by the tape. Rows 38 and
 * 41 to 43 of the course notes. An evaluation is one computation of the loss; a gradient by the
 * tape counts as two.
 *
 * Where the notes are wrong:
 *   - their accuracy is mean(prediction == label) with predictions [n] and labels [n, 1]. That
 *     compares each prediction with every label: with equally many labels of each of ten classes
 *     it is 0.1 for every classifier, and never the 0.1555 they print.
 *   - the program is written for Python 2 (xrange, print '...') and mixes up bestW and Wbest. */
#include "common/lesson.h"

#include <math.h>
#include <string.h>

enum { CLASSES = 10, INPUTS = 49, EXAMPLES = 100, SIZE = INPUTS * CLASSES };
enum { TRIES = 1000, DESCENT = 1000, NUMERIC = 20 };
static const double rate = 1e-7;
static double image[EXAMPLES][INPUTS];
static int32_t label[EXAMPLES];

/* Each class has its own pattern of 48 pixels, with noise; the last input is 1. */
static void make_images(void) {
    for (int i = 0; i < EXAMPLES; i++) {
        label[i] = i % CLASSES;
        for (int j = 0; j < INPUTS; j++) {
            const double pattern = gt_normal(1, (uint64_t)label[i], (uint64_t)j);
            const double noise = gt_normal(2, (uint64_t)i, (uint64_t)j);
            image[i][j] = j == INPUTS - 1 ? 1 : 128 + 50 * pattern + 50 * noise;
        }
    }
}

static gt_tensor scores_of(gt_tensor w) {
    return gt_matmul(gt_borrow(w.tape, image, GT_SHAPE(EXAMPLES, INPUTS), GT_F64), w);
}

static gt_tensor labels_of(gt_tape *t) { return gt_borrow(t, label, GT_SHAPE(EXAMPLES), GT_I32); }

/* The loss at w and, where asked for, its gradient. */
static double evaluate(gt_tape *tape, const double *w, double *gradient) {
    if (gt_failed(tape)) return (double)NAN;
    gt_tape_reset(tape);
    const gt_tensor weights = gt_input(tape, w, GT_SHAPE(INPUTS, CLASSES), GT_F64);
    const gt_tensor loss = gt_hinge(scores_of(weights), labels_of(tape), 1);
    if (gradient) lesson_read(gt_grad(loss, weights), gradient, SIZE);
    return gt_item(loss);
}

static double numeric_gradient(gt_tape *tape, double *w, double *gradient) {
    const double h = 1e-5, here = evaluate(tape, w, NULL);
    for (int i = 0; i < SIZE; i++) {
        const double kept = w[i];
        w[i] = kept + h;
        gradient[i] = (evaluate(tape, w, NULL) - here) / h;
        w[i] = kept;
    }
    return here;
}

static void draw(double *w, uint64_t attempt) {
    for (int i = 0; i < SIZE; i++) w[i] = 1e-4 * gt_normal(3, attempt, (uint64_t)i);
}

/* The least loss so far, try by try; best holds its weights. */
static void guess(gt_tape *tape, double *best, double *least) {
    double w[SIZE], low = (double)INFINITY;
    printf("random search, W = 1e-4 randn, hinge loss; at W = 0 it is 10 - 1 = 9\n  first losses ");
    for (int t = 0; t < TRIES; t++) {
        draw(w, (uint64_t)t);
        const double loss = evaluate(tape, w, NULL);
        if (t < 7) printf(" %.4f", loss);
        if (loss < low) memcpy(best, w, sizeof w);
        low = least[t] = fmin(low, loss);
    }
    printf("\n");
}

static void descend(gt_tape *tape, double *w, bool numeric, int steps, double *loss) {
    double gradient[SIZE] = {0};
    draw(w, 0);
    for (int t = 0; t < steps; t++) {
        loss[t] = numeric ? numeric_gradient(tape, w, gradient) : evaluate(tape, w, gradient);
        for (int i = 0; i < SIZE; i++) w[i] -= rate * gradient[i];
    }
}

/* Circuit 2 of the notes: sigmoid(w0 x0 + w1 x1 + w2) at w = (2, -3, -3), x = (-1, -2). */
static gt_tensor circuit(gt_tensor w0) { return gt_sigmoid(gt_add_scalar(gt_neg(w0), 6 - 3)); }

static void print_differences(gt_tape *tape) {
    const double h = 1e-5;
    const gt_tensor w0 = gt_scalar(tape, 2, GT_F64), f = circuit(w0);
    const double exact = gt_item(gt_grad(f, w0)), above = gt_item(circuit(gt_add_scalar(w0, h))),
                 below = gt_item(circuit(gt_add_scalar(w0, -h)));
    printf("df/dw0 of circuit 2: %.4f; relative errors of differences at h = 1e-5\n", exact);
    printf("  (f(x + h) - f(x)) / h            %.1e\n", fabs((above - gt_item(f)) / h / exact - 1));
    const double central = fabs((above - below) / (2 * h) / exact - 1);
    printf("  (f(x + h) - f(x - h)) / (2 h)    %s\n\n", central < 1e-9 ? "below 1e-9" : "large");
}

/* The accuracy, and what the notes compute in its place. */
static void print_accuracy(gt_tape *tape, const char *name, const double *w) {
    const gt_tensor scores = scores_of(gt_input(tape, w, GT_SHAPE(INPUTS, CLASSES), GT_F64));
    const gt_tensor said = gt_cast(gt_argmax(scores, 1, false), GT_F64);
    const gt_tensor column = gt_unsqueeze(gt_cast(labels_of(tape), GT_F64), 1);
    const gt_tensor same = gt_cast(gt_equal(said, column), GT_F64);
    printf("  %-17s  accuracy %.4f   by broadcasting %.4f\n", name,
           gt_item(gt_accuracy(scores, labels_of(tape))), gt_item(gt_mean(same, GT_ALL, false)));
}

static void print_refusal(void) {
    gt_tape *tape = gt_tape_new(NULL);
    if (!tape) return;
    gt_mean_squared_error(gt_zeros(tape, GT_SHAPE(EXAMPLES), GT_F64),
                          gt_zeros(tape, GT_SHAPE(EXAMPLES, 1), GT_F64));
    printf("  a loss of [100] and [100, 1] is %s\n", gt_failed(tape) ? "refused" : "taken");
    gt_tape_free(tape);
}

int main(int count, char **word) {
    static double w[3][SIZE], loss[3][DESCENT], evaluations[3][DESCENT];
    static const char *const name[3] = {"random search", "tape", "differences"};
    static const int steps[3] = {TRIES, DESCENT, NUMERIC}, cost[3] = {1, 2, SIZE + 1};
    plot_series curve[3];
    lesson l;
    if (!lesson_begin(&l, "search", count, word)) return EXIT_FAILURE;
    make_images();
    print_differences(l.tape);
    guess(l.tape, w[0], loss[0]);
    descend(l.tape, w[1], false, DESCENT, loss[1]);
    descend(l.tape, w[2], true, NUMERIC, loss[2]);
    for (int k = 0; k < 3; k++) {
        for (int t = 0; t < steps[k]; t++) evaluations[k][t] = (t + 1.0) * cost[k];
        printf("  %-14s %5d evaluations: loss %.3f\n", name[k], steps[k] * cost[k],
               loss[k][steps[k] - 1]);
        curve[k] = (plot_series){name[k], PLOT_LINE, k, evaluations[k], loss[k], steps[k]};
    }
    printf("  after as many steps the tape: %.3f\n\n", loss[1][NUMERIC - 1]);
    for (int k = 0; k < 3; k++) print_accuracy(l.tape, name[k], w[k]);
    print_refusal();
    const plot_panel panel = {"Least loss found", "evaluations",   "loss",
                              .log_x = true,      .series = curve, .n_series = 3};
    const plot picture = {"Guessing or descending", .width = 720, .panel = &panel, .n_panels = 1};
    return lesson_end(&l, &picture);
}
