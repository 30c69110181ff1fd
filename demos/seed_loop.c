/* demos/seed_loop.c: the training loop of the course notes (row 55): 64 samples, 1000 inputs, 100 sigmoid units,
 * 10 outputs, the sum of squared errors, plain gradient descent at 1e-4, 2000 steps.
 *
 * The notes write the gradients out by hand; here nobody does. With N(0,1) weights the loss starts between 20,000
 * and 30,000, falls by a quarter or so in one step, to less than half after 10 and to a tenth after 100.
 *
 * Where the notes are wrong: they draw w1 by rand, which their program does not import; it is randn, as for w2 and
 * the data. And sigmoid as they write it, 1 / (1 + exp(-x)), overflows from x = -710 on; gt_sigmoid does not. */
#include <stdio.h>
#include <stdlib.h>

#include "common/plot.h"
#include "gradtape.h"

enum { MOST_STEPS = 10000 };
enum { SAMPLES = 64, INPUTS = 1000, HIDDEN = 100, OUTPUTS = 10 };

static gt_tensor loss_of(gt_tape *tape, const float *x, const float *y) {
    const gt_tensor in = gt_borrow(tape, x, GT_SHAPE(SAMPLES, INPUTS), GT_F32);
    const gt_tensor target = gt_borrow(tape, y, GT_SHAPE(SAMPLES, OUTPUTS), GT_F32);
    const gt_tensor w1 =
        gt_param(tape, "w1", GT_SHAPE(INPUTS, HIDDEN), GT_F32, gt_init_normal(0, 1));
    const gt_tensor w2 =
        gt_param(tape, "w2", GT_SHAPE(HIDDEN, OUTPUTS), GT_F32, gt_init_normal(0, 1));
    return gt_sum_squared_error(gt_matmul(gt_sigmoid(gt_matmul(in, w1)), w2), target);
}

static bool is_shown(int step, int steps) {
    return step == 0 || step == 1 || step == 10 || step == 100 || step == 300 || step == steps - 1;
}

/* The losses, step by step. Returns how many there are: fewer than asked for after an error. */
static int train(gt_tape *tape, gt_optim *opt, int steps, double *loss) {
    static float x[SAMPLES * INPUTS], y[SAMPLES * OUTPUTS];
    for (int i = 0; i < SAMPLES * INPUTS; i++) x[i] = (float)gt_normal(1, 0, (uint64_t)i);
    for (int i = 0; i < SAMPLES * OUTPUTS; i++) y[i] = (float)gt_normal(1, 1, (uint64_t)i);
    for (int t = 0; t < steps; t++) {
        const gt_tensor now = loss_of(tape, x, y);
        if (!gt_minimize(opt, now)) return t;
        loss[t] = gt_item(now);
        if (is_shown(t, steps)) printf("step %4d  loss %.6g\n", t, loss[t]);
        gt_tape_reset(tape);
    }
    return steps;
}

static bool draw(const double *loss, int count, const char *path) {
    static double step[MOST_STEPS];
    for (int t = 0; t < count; t++) step[t] = t + 1;
    const plot_series curve = {NULL, PLOT_LINE, 0, step, loss, count};
    const plot_panel panel = {.x_label = "evaluation of the loss",
                              .y_label = "sum of squared errors",
                              .log_x = true,
                              .log_y = true,
                              .series = &curve,
                              .n_series = 1};
    return plot_write(&(plot){.title = "The loop of the notes",
                              .subtitle = "64 samples, 1000-100-10, gradient descent at 1e-4",
                              .width = 720,
                              .panel = &panel,
                              .n_panels = 1},
                      path);
}

int main(int count, char **word) {
    static double loss[MOST_STEPS];
    const int steps = count > 1 ? atoi(word[1]) : 2000;
    const char *path = count > 2 ? word[2] : "seed_loop.svg";
    if (steps < 2 || steps > MOST_STEPS || count > 3) {
        fprintf(stderr, "usage: seed_loop [STEPS [FILE]]    (2 to %d steps)\n", MOST_STEPS);
        return EXIT_FAILURE;
    }
    gt_params *params = gt_params_new(NULL, 7);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 1e-4});
    bool ok = tape && opt && train(tape, opt, steps, loss) == steps;
    if (!ok) fprintf(stderr, "seed_loop: %s\n", opt ? gt_error(tape) : gt_params_error(params));
    if (ok && !draw(loss, steps, path)) {
        perror(path);
        ok = false;
    }
    if (ok) printf("picture in %s\n", path);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
