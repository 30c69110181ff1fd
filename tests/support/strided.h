/* tests/support/strided.h: views with every kind of stride, made without any operation of the
 * library, to find kernels that read memory as if it were contiguous. */
#ifndef TESTS_STRIDED_H
#define TESTS_STRIDED_H

#include "graph/graph.h"

/* x again, as a view: transposed, reversed, or transposed in part with gaps of NaN between its
 * elements. The values have the same bits; gradients pass through. */
gt_tensor view_transposed(gt_tensor x);
gt_tensor view_reversed(gt_tensor x);
gt_tensor view_with_gaps(gt_tensor x);

#endif
