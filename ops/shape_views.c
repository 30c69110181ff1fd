/* ops/shape_views.c: permute, slice, flip and expand: other strides over the same memory.
 *
 * The gradient of a slice is "place": zeros with the upstream set into them. Where several meet,
 * the sum lets each add its own elements only, so that cutting a tensor row by row stays linear. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

/* ---- permute -------------------------------------------------------------------------------- */

static bool order_of(const gt_call *call, int order[GT_MAX_RANK]) {
    const gt_axes axes = *(const gt_axes *)call->attr;
    const int rank = call->in[0].shape.rank;
    unsigned mask;
    if (axes.count != rank)
        return gt_call_fail(call, "%s has %d axes, the order names %d", gt_operand(call, 0), rank,
                            axes.count);
    if (!gt__axis_mask(call, axes, rank, &mask)) return false;
    for (int d = 0; d < rank; d++) order[d] = axes.axis[d] < 0 ? axes.axis[d] + rank : axes.axis[d];
    return true;
}

static bool permute_view(const gt_call *call, gt_array *out, int64_t *offset) {
    const gt_array *in = &call->in[0];
    int order[GT_MAX_RANK] = {0};
    if (!order_of(call, order)) return false;
    *offset = 0;
    out->dtype = in->dtype;
    out->shape.rank = in->shape.rank;
    for (int d = 0; d < in->shape.rank; d++) {
        out->shape.dim[d] = in->shape.dim[order[d]];
        out->stride[d] = in->stride[order[d]];
    }
    return true;
}

static bool permute_shape(gt_call *call) {
    int64_t offset;
    return permute_view(call, &call->out[0], &offset);
}

static bool permute_pull(gt_pull *pull) {
    const gt_axes *axes = pull->attr;
    gt_axes back = {axes->count, {0}};
    for (int d = 0; d < axes->count; d++) {
        const int from = axes->axis[d] < 0 ? axes->axis[d] + axes->count : axes->axis[d];
        back.axis[from] = d;
    }
    pull->gx[0] = gt_permute(pull->up[0], back);
    return true;
}

static gt_tensor permute_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_permute(gt_sample(s, GT_SHAPE(2, 3, 4)), GT_AXES(2, 0, 1));
    case 1: return gt_permute(gt_sample(s, GT_SHAPE(2, 3, 4, 2)), GT_AXES(-1, 0, -2, 1));
    case 2: return gt_permute(gt_sample(s, GT_SHAPE(3)), GT_AXES(0));
    case 3: return gt_permute(gt_sample(s, GT_SCALAR), (gt_axes){0, {0}});
    case 4: return gt_permute(gt_sample(s, GT_SHAPE(2, 0)), GT_AXES(1, 0));
    case 5:
        return gt_permute(gt_permute(gt_sample(s, GT_SHAPE(2, 3, 2)), GT_AXES(1, 2, 0)),
                          GT_AXES(1, 2, 0));
    case 6:
        gt_sample_bad(s, "the order names 1");
        return gt_permute(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(0));
    case 7:
        return gt_sample_bad(s, "twice"), gt_permute(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(1, -1));
    case 8:
        return gt_sample_bad(s, "no axis 2"),
               gt_permute(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(0, 2));
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_permute =
    GT_OP("permute", permute_shape, NULL, GT_PULL(permute_pull), permute_samples, .traits = GT_VIEW,
          .linear = 1, .view = permute_view, .meaning = "axes in another order");

gt_tensor gt_permute(gt_tensor x, gt_axes order) {
    order = gt__clean_axes(order);
    return gt_record(x.tape, &gt__op_permute, &x, 1, &order, sizeof order, NULL, 0);
}

static gt_tensor swap_axes(gt_tensor x, int axis, int other) {
    gt_axes order = {gt_rank(x), {0}};
    for (int d = 0; d < order.count; d++) order.axis[d] = d;
    order.axis[axis] = other;
    order.axis[other] = axis;
    return gt_permute(x, order);
}

gt_tensor gt_transpose(gt_tensor x, int axis, int other) {
    if (!gt_valid(x)) return gt_permute(x, (gt_axes){0, {0}});
    const int a = gt__tensor_axis(x, "transpose", axis, gt_rank(x));
    const int b = a < 0 ? -1 : gt__tensor_axis(x, "transpose", other, gt_rank(x));
    return b < 0 ? gt_tensor_at(x.tape, UINT32_MAX) : swap_axes(x, a, b);
}

gt_tensor gt_t(gt_tensor x) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_permute(x, (gt_axes){0, {0}});
    const int rank = gt_rank(x);
    if (rank < 2)
        return gt_fail(x.tape, "t: %s has rank %d, two axes are needed", gt__tensor_text(x, text),
                       rank);
    return swap_axes(x, rank - 2, rank - 1);
}

static gt_tensor transpose_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_transpose(gt_sample(s, GT_SHAPE(2, 3, 4)), 0, -1);
    case 1: return gt_transpose(gt_sample(s, GT_SHAPE(2, 3)), 1, 1);
    case 2: return gt_t(gt_sample(s, GT_SHAPE(2, 3, 4)));
    case 3: return gt_t(gt_sample(s, GT_SHAPE(3, 0)));
    case 4: return gt_sample_bad(s, "no axis 2"), gt_transpose(gt_sample(s, GT_SHAPE(2, 3)), 0, 2);
    case 5: return gt_sample_bad(s, "two axes are needed"), gt_t(gt_sample(s, GT_SHAPE(3)));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_transpose = {"transpose", transpose_samples};

/* ---- slice and its transpose ---------------------------------------------------------------- */

/* size counts the elements taken by slice, and those of the whole axis made by place. The first
 * element's position is a run-time number. */
typedef struct cut {
    int64_t step, size;
    int64_t axis;
} cut;

static gt_tensor record_cut(const gt_op *op, gt_tensor x, cut c, int64_t start) {
    const gt_arg arg = {.integer = start};
    return gt_record(x.tape, op, &x, 1, &c, sizeof c, &arg, 1);
}

static bool slice_view(const gt_call *call, gt_array *out, int64_t *offset) {
    const cut *c = call->attr;
    *out = call->in[0];
    out->shape.dim[c->axis] = c->size;
    out->stride[c->axis] = call->in[0].stride[c->axis] * c->step;
    *offset = call->arg[0].integer * call->in[0].stride[c->axis];
    return true;
}

static bool slice_shape(gt_call *call) {
    int64_t offset;
    return slice_view(call, &call->out[0], &offset);
}

static gt_tensor place(gt_tensor g, int axis, int64_t start, int64_t step, int64_t size);

static bool slice_pull(gt_pull *pull) {
    const cut *c = pull->attr;
    const int axis = (int)c->axis;
    pull->gx[0] =
        place(pull->up[0], axis, pull->arg[0].integer, c->step, gt_dim(pull->in[0], axis));
    return true;
}

static gt_tensor slice_rows_apart(gt_samples *s) { /* many slices of one tensor, overlapping */
    const gt_tensor x = gt_sample(s, GT_SHAPE(4, 3));
    gt_tensor y = gt_square(gt_slice(x, 0, 0, 2, 1));
    for (int k = 1; k < 3; k++) y = gt_add(y, gt_square(gt_slice(x, 0, k, k + 2, 1)));
    return gt_add(y, gt_slice(x, 0, GT_END, GT_END, -2));
}

static gt_tensor slice_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, i == 2 ? GT_SCALAR : GT_SHAPE(2, 3));
    switch (i) {
    case 0: return gt_sample_bad(s, "step 0"), gt_slice(x, 0, 0, 2, 0);
    case 1: return gt_sample_bad(s, "no axis 2"), gt_slice(x, 2, 0, 2, 1);
    case 2: return gt_sample_bad(s, "no axis 0"), gt_slice(x, 0, 0, 1, 1);
    default: return gt_samples_end(s);
    }
}

static gt_tensor slice_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_slice(gt_sample(s, GT_SHAPE(5)), 0, 1, 4, 1);
    case 1: return gt_slice(gt_sample(s, GT_SHAPE(3, 7)), -1, 0, GT_END, 3);
    case 2: return gt_slice(gt_sample(s, GT_SHAPE(3, 4)), 0, GT_END, GT_END, -1);
    case 3: return gt_slice(gt_sample(s, GT_SHAPE(2, 3, 5)), 2, -2, 0, -2);
    case 4: return gt_slice(gt_sample(s, GT_SHAPE(3)), 0, -100, 100, 2);
    case 5: return gt_slice(gt_sample(s, GT_SHAPE(4, 2)), 0, 3, 1, 1);
    case 6: return gt_slice(gt_sample(s, GT_SHAPE(0, 2)), 0, 0, GT_END, -1);
    case 7:
        return gt_slice(gt_slice(gt_sample(s, GT_SHAPE(9)), 0, 1, GT_END, 2), 0, -1, GT_END, -3);
    case 8: return gt_slice(gt_t(gt_sample(s, GT_SHAPE(3, 4))), 0, 1, 4, 2);
    case 9: return gt_slice(gt_sample(s, GT_SHAPE(2, 2, 3, 2)), 1, 1, 2, 1);
    case 10: return slice_rows_apart(s);
    case 11: return gt_slice(gt_sample(s, GT_SHAPE(3)), 0, 2, INT64_MIN, INT64_MIN);
    default: return slice_bad(s, i - 12);
    }
}

const gt_op gt__op_slice = GT_OP("slice", slice_shape, NULL, GT_PULL(slice_pull), slice_samples,
                                 .traits = GT_VIEW, .linear = 1, .view = slice_view,
                                 .meaning = "elements start, start + step, ... along an axis");

/* A position of an axis of n, negative ones from the end, clipped to [low, high]. */
static int64_t clip(int64_t at, int64_t n, int64_t low, int64_t high) {
    if (at < 0) at += n;
    return at < low ? low : at > high ? high : at;
}

gt_tensor gt_slice(gt_tensor x, int axis, int64_t start, int64_t stop, int64_t step) {
    if (!gt_valid(x)) return record_cut(&gt__op_slice, x, (cut){1, 0, 0}, 0);
    const int along = gt__tensor_axis(x, "slice", axis, gt_rank(x));
    if (along < 0) return gt_tensor_at(x.tape, UINT32_MAX);
    char text[GT__TENSOR_TEXT];
    if (step == 0) return gt_fail(x.tape, "slice: step 0 over %s", gt__tensor_text(x, text));
    const int64_t n = gt_dim(x, along);
    int64_t size;
    if (step > 0) {
        start = clip(start, n, 0, n);
        stop = clip(stop, n, 0, n);
        size = stop > start ? (stop - start - 1) / step + 1 : 0;
    } else {
        if (step == INT64_MIN) step++; /* so that it has a negative */
        start = clip(start, n, -1, n - 1);
        stop = stop == GT_END ? -1 : clip(stop, n, -1, n - 1);
        size = start > stop ? (start - stop - 1) / -step + 1 : 0;
    }
    if (size <= 1) step = 1; /* the same structure, whatever the step was */
    return record_cut(&gt__op_slice, x, (cut){step, size, along}, size ? start : 0);
}

/* ---- place: zeros with g at start, start + step, ... along an axis -------------------------- */

static bool place_shape(gt_call *call) {
    const cut *c = call->attr;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    call->out[0].shape.dim[c->axis] = c->size;
    return true;
}

/* Where g goes: the first element's place, and strides. */
static char *target(const gt_call *call, int64_t stride[GT_MAX_RANK]) {
    const cut *c = call->attr;
    const gt_array *out = &call->out[0];
    if (gt_numel(call->in[0].shape) == 0) return NULL;
    memcpy(stride, out->stride, sizeof out->stride);
    const int64_t offset = call->arg[0].integer * stride[c->axis];
    stride[c->axis] *= c->step;
    return (char *)out->data + offset * (int64_t)gt_dtype_size(out->dtype);
}

static bool place_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    int64_t stride[GT_MAX_RANK];
    memset(out->data, 0, (size_t)gt_numel(out->shape) * gt_dtype_size(out->dtype));
    char *to = target(call, stride);
    if (to) gt__region_copy(to, stride, &call->in[0]);
    return true;
}

static bool place_add(gt_call *call) {
    int64_t stride[GT_MAX_RANK];
    char *to = target(call, stride);
    if (to) gt__region_add(to, stride, &call->in[0]);
    return true;
}

static bool place_pull(gt_pull *pull) {
    const cut *c = pull->attr;
    const cut back = {c->step, gt_dim(pull->in[0], (int)c->axis), c->axis};
    pull->gx[0] = record_cut(&gt__op_slice, pull->up[0], back, pull->arg[0].integer);
    return true;
}

static gt_tensor place_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return place(gt_sample(s, GT_SHAPE(2, 3)), 1, 1, 2, 7);
    case 1: return place(gt_sample(s, GT_SHAPE(2, 3)), 0, 3, -2, 5);
    case 2: return place(gt_sample(s, GT_SHAPE(0, 3)), 0, 0, 1, 2);
    case 3: return place(gt_t(gt_sample(s, GT_SHAPE(2, 3, 2))), -1 + 3, 1, 1, 4);
    case 4: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2)), z = gt_sample(s, GT_SHAPE(3));
        return gt_accumulate(
            GT_LIST(place(x, 0, 0, 2, 4), place(z, 0, 3, -1, 4), place(x, 0, 1, 1, 4)));
    }
    default: return gt_samples_end(s);
    }
}

static bool place_emit(gt_emitter *e, const gt_call *call) {
    const cut *c = call->attr;
    const gt_array *in = &call->in[0], *out = &call->out[0];
    const int64_t count = gt_numel(out->shape);
    int64_t stride[GT_MAX_RANK];
    memcpy(stride, out->stride, sizeof stride);
    const int64_t offset = call->arg[0].integer * stride[c->axis];
    stride[c->axis] *= c->step;
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[i0] = 0;", gt_emit_out(e, 0));
    gt_emit_end(e, 1);
    if (gt_numel(in->shape) == 0) return true;
    gt_emit_loops(e, 0, in->shape.rank, in->shape.dim);
    gt_emit(e, "%s[%lld + %s] = %s[%s];", gt_emit_out(e, 0), (long long)offset,
            gt_emit_index(e, in->shape.rank, stride), gt_emit_in(e, 0),
            gt_emit_index(e, in->shape.rank, in->stride));
    gt_emit_end(e, in->shape.rank);
    return true;
}

const gt_op gt__op_place =
    GT_OP("place", place_shape, place_kernel, GT_PULL(place_pull), place_samples,
          .traits = GT_STRIDED, .linear = 1, .accumulate = place_add, .emit = place_emit,
          .meaning = "zeros with x at some positions of an axis");

static gt_tensor place(gt_tensor g, int axis, int64_t start, int64_t step, int64_t size) {
    return record_cut(&gt__op_place, g, (cut){step, size, axis}, start);
}

/* ---- flip ----------------------------------------------------------------------------------- */

static bool flip_view(const gt_call *call, gt_array *out, int64_t *offset) {
    const gt_array *in = &call->in[0];
    unsigned mask;
    if (!gt__axis_mask(call, *(const gt_axes *)call->attr, in->shape.rank, &mask)) return false;
    *out = *in;
    *offset = 0;
    for (int d = 0; d < in->shape.rank; d++) {
        if (!(mask >> d & 1u)) continue;
        *offset += (in->shape.dim[d] - 1) * in->stride[d];
        out->stride[d] = -in->stride[d];
    }
    return true;
}

static bool flip_shape(gt_call *call) {
    int64_t offset;
    return flip_view(call, &call->out[0], &offset);
}

static bool flip_pull(gt_pull *pull) {
    pull->gx[0] = gt_flip(pull->up[0], *(const gt_axes *)pull->attr);
    return true;
}

static gt_tensor flip_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_flip(gt_sample(s, GT_SHAPE(4)), GT_ALL);
    case 1: return gt_flip(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(-1));
    case 2: return gt_flip(gt_sample(s, GT_SHAPE(2, 3, 4, 2)), GT_AXES(0, 2));
    case 3: return gt_flip(gt_sample(s, GT_SHAPE(0, 2)), GT_ALL);
    case 4: return gt_flip(gt_sample(s, GT_SCALAR), GT_ALL);
    case 5: return gt_flip(gt_flip(gt_t(gt_sample(s, GT_SHAPE(2, 3))), GT_AXES(0)), GT_ALL);
    case 6: return gt_sample_bad(s, "no axis 2"), gt_flip(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(2));
    case 7: return gt_sample_bad(s, "twice"), gt_flip(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(0, -2));
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_flip =
    GT_OP("flip", flip_shape, NULL, GT_PULL(flip_pull), flip_samples, .traits = GT_VIEW,
          .linear = 1, .view = flip_view, .meaning = "axes backwards");

gt_tensor gt_flip(gt_tensor x, gt_axes axes) {
    axes = gt__clean_axes(axes);
    return gt_record(x.tape, &gt__op_flip, &x, 1, &axes, sizeof axes, NULL, 0);
}

/* ---- expand --------------------------------------------------------------------------------- */

static bool expand_view(const gt_call *call, gt_array *out, int64_t *offset) {
    const gt_array *in = &call->in[0];
    const gt_shape *to = call->attr;
    char text[GT__SHAPE_TEXT];
    if (to->rank < 0 || to->rank > GT_MAX_RANK)
        return gt_call_fail(call, "%s to rank %d: the largest rank is %d", gt_operand(call, 0),
                            to->rank, GT_MAX_RANK);
    const int more = to->rank - in->shape.rank;
    if (more < 0)
        return gt_call_fail(call, "%s has more axes than [%s]", gt_operand(call, 0),
                            gt__list_sizes(*to, text));
    *offset = 0;
    out->dtype = in->dtype;
    out->shape = *to;
    for (int d = 0; d < to->rank; d++) {
        const int64_t n = d < more ? 1 : in->shape.dim[d - more];
        if (n != 1 && n != to->dim[d])
            return gt_call_fail(call, "%s to [%s]: axis %d is %lld, neither 1 nor %lld",
                                gt_operand(call, 0), gt__list_sizes(*to, text), d - more,
                                (long long)n, (long long)to->dim[d]);
        out->stride[d] = n == 1 ? 0 : in->stride[d - more];
    }
    return true;
}

static bool expand_shape(gt_call *call) {
    int64_t offset;
    return expand_view(call, &call->out[0], &offset);
}

static bool expand_pull(gt_pull *pull) {
    pull->gx[0] = pull->up[0];
    return true;
}

static gt_tensor expand_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_expand(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(2, 3));
    case 1: return gt_expand(gt_sample(s, GT_SHAPE(2, 1, 3)), GT_SHAPE(2, 4, 3));
    case 2: return gt_expand(gt_sample(s, GT_SCALAR), GT_SHAPE(2, 2));
    case 3: return gt_expand(gt_sample(s, GT_SHAPE(1, 3)), GT_SHAPE(0, 3));
    case 4: return gt_expand(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(2, 3));
    case 5: return gt_expand(gt_t(gt_sample(s, GT_SHAPE(1, 3))), GT_SHAPE(2, 3, 2));
    case 6:
        return gt_sample_bad(s, "neither 1 nor 4"),
               gt_expand(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(4, 3));
    case 7:
        return gt_sample_bad(s, "more axes"), gt_expand(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(3));
    case 8:
        return gt_sample_bad(s, "is negative"), gt_expand(gt_sample(s, GT_SHAPE(1)), GT_SHAPE(-1));
    case 9:
        return gt_sample_bad(s, "largest rank"),
               gt_expand(gt_sample(s, GT_SHAPE(1)), (gt_shape){9, {1}});
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_expand =
    GT_OP("expand", expand_shape, NULL, GT_PULL(expand_pull), expand_samples, .traits = GT_VIEW,
          .linear = 1, .view = expand_view,
          .meaning = "x, repeated along axes of size 1 and new ones");

gt_tensor gt_expand(gt_tensor x, gt_shape shape) {
    if (gt_valid(x) && gt_same_shape(gt_shape_of(x), shape)) return x;
    gt_shape attr;
    gt__set_shape(&attr, shape);
    return gt_record(x.tape, &gt__op_expand, &x, 1, &attr, sizeof attr, NULL, 0);
}
