/* nn/accept.h: what layers ask of their operands before they make parameters. */
#ifndef GT_NN_ACCEPT_H
#define GT_NN_ACCEPT_H

#include "nn/nn.h"

/* A name, and a tensor of f32 or f64 with at least least and at most most axes; else the tape fails,
 * with a message that begins with the layer's name. */
bool gt__accepts(const char *layer, gt_tensor x, const char *name, int least, int most);
/* value is not negative and divides into parts, which are at least 1; else as above. what is "channels"
 * and such. */
bool gt__divides(const char *layer, gt_tensor x, const char *what, int64_t value, int64_t parts);
/* What a layer or a loss returns when it has failed the tape. */
gt_tensor gt__refused(gt_tensor x);
/* [size, 1, ...]: a vector along axis 1 of a tensor of that rank. */
gt_tensor gt__along_channels(gt_tensor vector, int rank);

#endif
