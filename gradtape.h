/* gradtape: reverse-mode automatic differentiation on computational graphs.
 *
 * Tensor operations are recorded on a tape, which is topologically sorted by construction. Each operation
 * supplies its local gradient; a backward sweep multiplies upstream by local gradients. So a network is a
 * plain C function of tensors, and it gets its gradients without anyone deriving them:
 *
 *     static gt_tensor network(gt_tensor x) {
 *         x = gt_relu(gt_linear(x, "fc1", 256));
 *         return gt_linear(x, "fc2", 10);
 *     }
 *     ...
 *     gt_params *params = gt_params_new(NULL, 42);
 *     gt_tape *tape = gt_tape_new(params);
 *     gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 1e-3});
 *     for (int step = 0; step < steps; step++) {
 *         gt_tensor x = gt_input(tape, images, GT_SHAPE(128, 784), GT_F32);
 *         gt_tensor loss = gt_cross_entropy(network(x), gt_input(tape, labels, GT_SHAPE(128), GT_I32));
 *         if (!gt_minimize(opt, loss)) break;
 *         printf("%g\n", gt_item(loss));
 *         gt_tape_reset(tape);
 *     }
 *     if (gt_failed(tape)) fputs(gt_error(tape), stderr);
 *
 * The rooms, from the ground up: graph/ records and runs and names no operation; ops/ holds every
 * operation in one place each; grad/ is the chain rule and nothing else; nn/, optim/ and io/ stand on them;
 * formula/ reads and writes formulas.
 * Read this file, ops/ops.def, graph/append.c and grad/sweep.c, in that order, and you know the library. */
#ifndef GRADTAPE_H
#define GRADTAPE_H

#define GT_VERSION "0.1.0"
#define GT_VERSION_NUMBER 100

#include "check/check.h"
#include "formula/formula.h"
#include "grad/grad.h"
#include "graph/graph.h"
#include "io/io.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"
#include "step/step.h"

#endif
