/* check/extended.h: a recording, computed in long double from the formulas of ops.def: a witness that shares no
 * kernel with the tape. It knows rows, views, sums, extremes and products of matrices. */
#ifndef GT_CHECK_EXTENDED_H
#define GT_CHECK_EXTENDED_H

#include "graph/graph.h"

typedef struct gt__extended gt__extended;

/* Of what `root` needs; what does not depend on the leaves is taken from the tape, as it is now. NULL: some
 * operation is not known, or there is too much to compute, or memory is short, which sets *failed. */
gt__extended *gt__extended_new(gt_tensor root, const gt_tensor *leaf, int n_leaves, bool *failed);
void gt__extended_free(gt__extended *e);
/* Where the values of leaf k go. NULL when the root does not depend on it. */
long double *gt__extended_leaf(gt__extended *e, int k);
/* Computes; the values of the root, and in *size the largest number that was summed on the way to it. */
const long double *gt__extended_run(gt__extended *e, long double *size);

#endif
