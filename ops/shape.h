/* ops/shape.h: what the operations on shapes share: texts, axes of functions made of others, and
 * moving elements between arrays of any strides. */
#ifndef GT_OPS_SHAPE_H
#define GT_OPS_SHAPE_H

#include "graph/graph.h"

enum { GT__SHAPE_TEXT = 200, GT__TENSOR_TEXT = 400 };

/* "2,3"; for shapes of any rank that callers may give. */
const char *gt__list_sizes(gt_shape shape, char text[GT__SHAPE_TEXT]);
/* "name[2,3]": as gt_operand, for functions that check before they record. */
const char *gt__tensor_text(gt_tensor x, char text[GT__TENSOR_TEXT]);
/* One axis of x, negative ones from the end of `rank` axes; -1, and the tape fails, when there is
 * none. */
int gt__tensor_axis(gt_tensor x, const char *who, int axis, int rank);
/* Writes shape as an attribute, which is compared byte by byte: unused sizes and padding are 0. */
void gt__set_shape(gt_shape *attr, gt_shape shape);
/* Axes of which unused ones are 0. */
gt_axes gt__clean_axes(gt_axes axes);

/* Writes from, which may have any strides, to an array of the same shape with strides to_stride. */
void gt__region_copy(void *to, const int64_t *to_stride, const gt_array *from);
/* Adds instead; f32 and f64. */
void gt__region_add(void *to, const int64_t *to_stride, const gt_array *from);

/* The transpose of gt_take_along_axis: zeros with n places along axis, to which g's elements are
 * added at index. axis counts from the front. */
gt_tensor gt__scatter_along(gt_tensor g, gt_tensor index, int axis, int64_t n);

#endif
