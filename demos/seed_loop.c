/* demos/seed_loop.c: the training loop of the course notes (row 55): 64 samples, 1000 inputs, 100 sigmoid units,
 * 10 outputs, the sum of squared errors, plain gradient descent at 1e-4, 2000 steps.
 *
 * The notes write the gradients out by hand; here nobody does. With N(0,1) weights the loss starts between 20,000
 * and 30,000, falls by a quarter or so in one step, to less than half after 10 and to a tenth after 100. */
#include <stdio.h>
#include <stdlib.h>

#include "gradtape.h"

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

int main(int argc, char **argv) {
    const int steps = argc > 1 ? atoi(argv[1]) : 2000;
    static float x[SAMPLES * INPUTS], y[SAMPLES * OUTPUTS];
    for (int i = 0; i < SAMPLES * INPUTS; i++) x[i] = (float)gt_normal(1, 0, (uint64_t)i);
    for (int i = 0; i < SAMPLES * OUTPUTS; i++) y[i] = (float)gt_normal(1, 1, (uint64_t)i);
    gt_params *params = gt_params_new(NULL, 7);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 1e-4});
    bool ok = tape && opt;
    for (int t = 0; ok && t < steps; t++) {
        const gt_tensor loss = loss_of(tape, x, y);
        ok = gt_minimize(opt, loss);
        if (ok && (t == 0 || t == 1 || t == 10 || t == 100 || t == 300 || t == steps - 1))
            printf("step %4d  loss %.6g\n", t, gt_item(loss));
        if (ok) gt_tape_reset(tape);
    }
    if (!ok) fprintf(stderr, "%s\n", opt ? gt_error(tape) : gt_params_error(params));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return ok ? 0 : 1;
}
