/* ops/channel_norm.h: batch normalization of images as one operation, for nn/. */
#ifndef GT_OPS_CHANNEL_NORM_H
#define GT_OPS_CHANNEL_NORM_H

#include "graph/graph.h"

/* Of x [n, channels, ...], per channel: (x - mean) / sqrt(variance + epsilon) weight + bias, where
 * weight and bias are [channels], of x's kind. gt_out(t, 1) and gt_out(t, 2) are the mean and the
 * variance (mean squared distance from the mean), [channels]; NaN where a channel has no elements.
 * gt_out(t, 3) is what the mean lost when it was rounded. */
gt_tensor gt__channel_norm(gt_tensor x, gt_tensor weight, gt_tensor bias, double epsilon);

/* The operation, or its gradient, as C, for gt_op_more.emit. */
bool gt__channel_norm_emit(gt_emitter *e, const gt_call *call, bool gradient);

#endif
