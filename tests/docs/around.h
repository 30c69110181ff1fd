/* tests/docs/around.h: what every example of the documentation may use, and what the examples in the head
 * comments of the headers leave to the reader: data, a model, how it ends. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "gradtape.h"

#if defined EXAMPLE_gradtape_1
static const float images[128 * 784];
static const int32_t labels[128];
enum { steps = 2 };
#define AFTER                                                                                      \
    gt_optim_free(opt);                                                                            \
    gt_tape_free(tape);                                                                            \
    gt_params_free(params);
#elif defined EXAMPLE_nn_nn_1
#define AFTER gt_item(gt_sum(network(gt_ones(tape, GT_SHAPE(4, 8), GT_F32)), GT_ALL, false));
#elif defined EXAMPLE_optim_optim_1
enum { steps = 3 };
static gt_tensor batch(int step) {
    (void)step;
    return gt_none();
}
static gt_tensor loss_of(gt_tape *tape, gt_tensor x) {
    (void)x;
    return gt_mean(gt_square(gt_linear(gt_ones(tape, GT_SHAPE(4, 3), GT_F32), "fc", 2)), GT_ALL,
                   false);
}
#elif defined EXAMPLE_io_io_1
#define AFTER                                                                                      \
    gt_params_free(params);                                                                        \
    gt_params_free(again);
#endif
#ifndef AFTER
#define AFTER
#endif
