/* ops/triangle.c: the lower and upper triangles of matrices. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"

static bool triangle_shape(gt_call *call) {
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    if (call->in[0].shape.rank < 2)
        return gt_call_fail(call, "%s has rank %d, two axes are needed", gt_operand(call, 0),
                            call->in[0].shape.rank);
    return true;
}

/* Row i keeps the columns up to i + diagonal (lower) or from there on (upper). */
static bool triangle(gt_call *call, bool lower) {
    const gt_array *in = &call->in[0];
    const int64_t diagonal = *(const int *)call->attr, size = (int64_t)gt_dtype_size(in->dtype);
    const int64_t rows = in->shape.dim[in->shape.rank - 2],
                  columns = in->shape.dim[in->shape.rank - 1];
    const int64_t numel = gt_numel(in->shape), all_rows = numel ? numel / columns : 0;
    for (int64_t r = 0; r < all_rows; r++) {
        int64_t edge = r % rows + diagonal + lower; /* columns before it are the lower part */
        edge = edge < 0 ? 0 : edge > columns ? columns : edge;
        const int64_t begin = lower ? 0 : edge, end = lower ? edge : columns;
        const char *from = (const char *)in->data + r * columns * size;
        char *to = (char *)call->out[0].data + r * columns * size;
        memset(to, 0, (size_t)(columns * size));
        memcpy(to + begin * size, from + begin * size, (size_t)((end - begin) * size));
    }
    return true;
}

static bool tril_kernel(gt_call *call) { return triangle(call, true); }
static bool triu_kernel(gt_call *call) { return triangle(call, false); }

static bool tril_pull(gt_pull *pull) {
    pull->gx[0] = gt_tril(pull->up[0], *(const int *)pull->attr);
    return true;
}
static bool triu_pull(gt_pull *pull) {
    pull->gx[0] = gt_triu(pull->up[0], *(const int *)pull->attr);
    return true;
}

static gt_tensor samples_of(gt_samples *s, int i, gt_tensor (*part)(gt_tensor x, int diagonal)) {
    switch (i) {
    case 0: return part(gt_sample(s, GT_SHAPE(3, 3)), 0);
    case 1: return part(gt_sample(s, GT_SHAPE(2, 4)), 1);
    case 2: return part(gt_sample(s, GT_SHAPE(2, 2, 4, 3)), -1);
    case 3: return part(gt_sample(s, GT_SHAPE(3, 2)), 100);
    case 4: return part(gt_sample(s, GT_SHAPE(3, 2)), INT32_MIN);
    case 5: return part(gt_sample(s, GT_SHAPE(0, 3)), 0);
    case 6: return part(gt_sample(s, GT_SHAPE(3, 0)), 0);
    case 7: return part(gt_t(gt_sample(s, GT_SHAPE(2, 3))), 0);
    case 8: return gt_sample_no_gradient(s), part(gt_sample_int(s, GT_SHAPE(3, 3), GT_BOOL, 2), 0);
    case 9: return gt_sample_bad(s, "two axes are needed"), part(gt_sample(s, GT_SHAPE(3)), 0);
    default: return gt_samples_end(s);
    }
}
static gt_tensor tril_samples(gt_samples *s, int i) { return samples_of(s, i, gt_tril); }
static gt_tensor triu_samples(gt_samples *s, int i) { return samples_of(s, i, gt_triu); }

static bool triangle_emit(gt_emitter *e, const gt_call *call, bool lower) {
    const gt_array *in = &call->in[0];
    const int rank = in->shape.rank, row = rank - 2, column = rank - 1;
    int64_t edge = (int64_t) * (const int *)call->attr + lower; /* of row 0 */
    if (edge < -in->shape.dim[row]) edge = -in->shape.dim[row];
    if (edge > in->shape.dim[column]) edge = in->shape.dim[column];
    gt_emit_loops(e, 0, rank, in->shape.dim);
    gt_emit(e, "%s[%s] = i%d %s i%d + (%lld) ? %s[%s] : 0;", gt_emit_out(e, 0),
            gt_emit_index(e, rank, call->out[0].stride), column, lower ? "<" : ">=", row,
            (long long)edge, gt_emit_in(e, 0), gt_emit_index(e, rank, in->stride));
    gt_emit_end(e, rank);
    return true;
}
static bool tril_emit(gt_emitter *e, const gt_call *call) { return triangle_emit(e, call, true); }
static bool triu_emit(gt_emitter *e, const gt_call *call) { return triangle_emit(e, call, false); }

const gt_op gt__op_tril =
    GT_OP("tril", triangle_shape, tril_kernel, GT_PULL(tril_pull), tril_samples, .linear = 1,
          .emit = tril_emit, .meaning = "the lower triangle, the rest 0");
const gt_op gt__op_triu =
    GT_OP("triu", triangle_shape, triu_kernel, GT_PULL(triu_pull), triu_samples, .linear = 1,
          .emit = triu_emit, .meaning = "the upper triangle, the rest 0");

gt_tensor gt_tril(gt_tensor x, int diagonal) {
    return gt_record(x.tape, &gt__op_tril, &x, 1, &diagonal, sizeof diagonal, NULL, 0);
}
gt_tensor gt_triu(gt_tensor x, int diagonal) {
    return gt_record(x.tape, &gt__op_triu, &x, 1, &diagonal, sizeof diagonal, NULL, 0);
}
