/* nn/nn.h: layers as functions, losses, initializers.
 *
 * A layer is a function of a tensor and a name. It makes its parameters at first use and finds them by name
 * later, under the scope that is open:
 *
 *     static gt_tensor network(gt_tensor x) {
 *         x = gt_relu(gt_linear(x, "fc1", 256));
 *         return gt_linear(x, "fc2", 10);
 *     }
 *
 * Losses take predictions and targets of equal shape and refuse to broadcast. */
#ifndef GT_NN_H
#define GT_NN_H

#include "ops/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- initializers: fan_in and fan_out of a shape [in, out] are its first and second axis; axes after the
 * second multiply both (a receptive field, [in, out, height, width]). */
GT_API gt_init gt_init_zeros(void);
GT_API gt_init gt_init_constant(double value);
GT_API gt_init gt_init_normal(double mean, double std);
GT_API gt_init gt_init_uniform(double low, double high);
/* Glorot and Bengio 2010: variance 2 / (fan_in + fan_out). */
GT_API gt_init gt_init_xavier_normal(void);
GT_API gt_init gt_init_xavier_uniform(void);
/* He, Zhang, Ren and Sun 2015: variance 2 / fan_in, for relu. */
GT_API gt_init gt_init_kaiming_normal(void);
GT_API gt_init gt_init_kaiming_uniform(void);

/* ---- layers -------------------------------------------------------------------------------------------- */

/* x w + b on the last axis: x [..., inputs] to [..., outputs]. Parameters "name/weight" [inputs, outputs]
 * (Kaiming uniform) and "name/bias" [outputs] (zeros), of x's dtype. */
GT_RECORDS gt_tensor gt_linear(gt_tensor x, const char *name, int64_t outputs);
/* Keeps each element with probability 1 - rate, scaled by 1 / (1 - rate). 0 <= rate < 1. */
GT_RECORDS gt_tensor gt_dropout(gt_tensor x, double rate);

/* ---- losses: results are scalars -------------------------------------------------------------------------- */

/* Mean negative log-likelihood of the labels (i32 or i64, [n]) under softmax of the logits [n, classes]. */
GT_RECORDS gt_tensor gt_cross_entropy(gt_tensor logits, gt_tensor labels);
/* Mean and sum of (prediction - target)^2. Equal shapes only. */
GT_RECORDS gt_tensor gt_mean_squared_error(gt_tensor prediction, gt_tensor target);
GT_RECORDS gt_tensor gt_sum_squared_error(gt_tensor prediction, gt_tensor target);
/* Share of rows whose largest logit is at the label, f32; no gradient. */
GT_RECORDS gt_tensor gt_accuracy(gt_tensor logits, gt_tensor labels);

/* Layers and losses with their samples, for tests: as gt_composition_at. */
GT_API const gt__composition *gt_layer_at(int i);

#ifdef __cplusplus
}
#endif

#include "nn/nn_gen.h"
#endif
