/* ops/shortcuts.h: steps whose gradient is known in a shorter form than the chain rule gives for what they are made of: each
 * is the last of those, and also takes x, to which alone its gradient goes. Private to the library. */
#ifndef GT_OPS_SHORTCUTS_H
#define GT_OPS_SHORTCUTS_H

#include "graph/graph.h"

/* Of e = exp(x - c) and its sums over the axis, which is kept: e / sums. c may depend on x: the result does not on c. */
gt_tensor gt__shares(gt_tensor x, gt_tensor e, gt_tensor sums, int axis);
/* x less its mean over the axes, by the root of its variance + epsilon. Both are given, too, their axes kept, where asked
 * for. */
gt_tensor gt__standardize(gt_tensor x, gt_axes axes, double epsilon, gt_tensor *mean,
                          gt_tensor *variance);
/* x by the root of the mean of its squares over the axes + epsilon. */
gt_tensor gt__over_rms(gt_tensor x, gt_axes axes, double epsilon);

/* gt_softmax without its shortcut, whose gradient goes through every gate: for those who walk through it. */
gt_tensor gt__softmax_by_parts(gt_tensor x, int axis);

#endif
