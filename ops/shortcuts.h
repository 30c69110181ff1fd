/* ops/shortcuts.h: steps whose gradient is known in a shorter form than the chain rule gives for what they are made of. Each
 * takes what was computed of x, and x, to which alone its gradient goes. Private to the library. */
#ifndef GT_OPS_SHORTCUTS_H
#define GT_OPS_SHORTCUTS_H

#include "graph/graph.h"

/* Of e = exp(x - c) and its sums over the axis, which is kept: e / sums. c may depend on x: the result does not on c. */
gt_tensor gt__shares(gt_tensor x, gt_tensor e, gt_tensor sums, int axis);
/* Of y = x, or x less its mean over the axes (centred), and r = 1 / sqrt(mean of y^2 over the axes, kept, + epsilon): y r. */
gt_tensor gt__standardize(gt_tensor x, gt_tensor y, gt_tensor r, gt_axes axes, bool centred);

/* gt_softmax without its shortcut, whose gradient goes through every gate: for those who walk through it. */
gt_tensor gt__softmax_by_parts(gt_tensor x, int axis);

#endif
