/* ops/shape_reshape.c: reshape, and what is a reshape in other words: squeeze, unsqueeze, flatten,
 * and select, a slice without its axis.
 *
 * A reshape is a view when every new axis lies inside a run of old axes that are evenly spaced.
 * Where it does not, gt_reshape records a copy first: the strides at recording time decide. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

/* ---- shapes --------------------------------------------------------------------------------- */

/* Strides of x's elements under another shape of as many elements; false when there are none. Goes
 * from the last axis to the first: `run` elements of x are spaced by `step`, `used` of them are
 * taken. */
static bool strides_under(const gt_array *x, gt_shape to, int64_t stride[GT_MAX_RANK]) {
    if (gt_numel(to) == 0) {
        gt__strides(to, stride);
        return true;
    }
    int old = x->shape.rank - 1;
    int64_t run = 1, used = 1, step = 1;
    for (int d = to.rank - 1; d >= 0; d--) {
        stride[d] = step * used;
        if (to.dim[d] == 1) continue;
        if (used == run) {
            while (x->shape.dim[old] == 1) old--;
            run = x->shape.dim[old];
            step = x->stride[old--];
            for (; old >= 0 && (x->shape.dim[old] == 1 || x->stride[old] == run * step); old--)
                run *= x->shape.dim[old];
            used = 1;
        }
        if (run % (used * to.dim[d]) != 0) return false;
        stride[d] = step * used;
        used *= to.dim[d];
    }
    return true;
}

enum { FITS, RANK, NEGATIVE, TWO_UNKNOWN, AMBIGUOUS, NO_MULTIPLE, OTHER_COUNT };

/* Replaces a size of -1 by what remains of numel; anything but FITS is what is wrong. */
static int complete(gt_shape *to, int64_t numel, int64_t *known) {
    int unknown = -1;
    *known = 1;
    if (to->rank < 0 || to->rank > GT_MAX_RANK) return RANK;
    bool empty = false, huge = false;
    for (int d = 0; d < to->rank; d++) {
        if (to->dim[d] < -1) return NEGATIVE;
        if (to->dim[d] == -1 && unknown >= 0) return TWO_UNKNOWN;
        if (to->dim[d] == -1) unknown = d;
        if (to->dim[d] == 0) empty = true;
        if (to->dim[d] <= 0) continue;
        huge = huge || *known > INT64_MAX / to->dim[d];
        if (!huge) *known *= to->dim[d];
    }
    if (empty) *known = 0;
    if (huge && !empty) *known = INT64_MAX;
    if (unknown < 0) return *known == numel ? FITS : OTHER_COUNT;
    if (*known == 0) return AMBIGUOUS;
    if (numel % *known != 0) return NO_MULTIPLE;
    to->dim[unknown] = numel / *known;
    return FITS;
}

static bool complete_or_fail(const gt_call *call, gt_shape *to) {
    char text[GT__SHAPE_TEXT];
    const gt_shape asked = *(const gt_shape *)call->attr;
    int64_t known;
    const long long numel = (long long)gt_numel(call->in[0].shape);
    *to = asked;
    const int fit = complete(to, numel, &known);
    if (fit == FITS) return true; /* no texts: a plan asks without operands that have names */
    const char *x = gt_operand(call, 0), *sizes = gt__list_sizes(asked, text);
    switch (fit) {
    case RANK:
        return gt_call_fail(call, "%s to rank %d: the largest rank is %d", x, asked.rank,
                            GT_MAX_RANK);
    case NEGATIVE: return gt_call_fail(call, "%s to [%s]: a size is negative", x, sizes);
    case TWO_UNKNOWN: return gt_call_fail(call, "%s to [%s]: only one size may be -1", x, sizes);
    case AMBIGUOUS:
        return gt_call_fail(call, "%s to [%s]: beside a size of 0, -1 may be anything", x, sizes);
    case NO_MULTIPLE:
        return gt_call_fail(call, "%s has %lld elements, [%s] needs a multiple of %lld", x, numel,
                            sizes, (long long)known);
    default:
        return gt_call_fail(call, "%s has %lld elements, [%s] has %lld", x, numel, sizes,
                            (long long)known);
    }
}

/* ---- reshape -------------------------------------------------------------------------------- */

static bool reshape_view(const gt_call *call, gt_array *out, int64_t *offset) {
    *offset = 0;
    out->dtype = call->in[0].dtype;
    return complete_or_fail(call, &out->shape) &&
           strides_under(&call->in[0], out->shape, out->stride);
}

/* Over strides that allow no view (a recording copied over other inputs) the executor makes a copy.
 */
static bool reshape_shape(gt_call *call) {
    gt_array *out = &call->out[0];
    out->dtype = call->in[0].dtype;
    if (!complete_or_fail(call, &out->shape)) return false;
    if (!strides_under(&call->in[0], out->shape, out->stride)) gt__strides(out->shape, out->stride);
    return true;
}

static bool reshape_pull(gt_pull *pull) {
    pull->gx[0] = gt_reshape(pull->up[0], gt_shape_of(pull->in[0]));
    return true;
}

static gt_tensor reshape_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, i == 4 ? GT_SHAPE(0, 3) : GT_SHAPE(2, 3));
    switch (i) {
    case 0: return gt_sample_bad(s, "has 6 elements, [4,2] has 8"), gt_reshape(x, GT_SHAPE(4, 2));
    case 1: return gt_sample_bad(s, "only one size"), gt_reshape(x, GT_SHAPE(-1, -1));
    case 2: return gt_sample_bad(s, "multiple of 4"), gt_reshape(x, GT_SHAPE(4, -1));
    case 3: return gt_sample_bad(s, "is negative"), gt_reshape(x, GT_SHAPE(-2, 3));
    case 4: return gt_sample_bad(s, "may be anything"), gt_reshape(x, GT_SHAPE(-1, 0));
    case 5:
        gt_sample_bad(s, "largest rank");
        return gt_reshape(x, (gt_shape){9, {1, 1, 1, 1, 1, 1, 2, 3}});
    case 6: {
        const int64_t half = INT64_C(1) << 32; /* half * half wraps to 0 */
        return gt_sample_bad(s, "has 6 elements"), gt_reshape(x, GT_SHAPE(half, half));
    }
    default: return gt_samples_end(s);
    }
}

static gt_tensor reshape_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_reshape(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(3, 2));
    case 1: return gt_reshape(gt_sample(s, GT_SHAPE(2, 3, 4)), GT_SHAPE(4, -1));
    case 2: return gt_reshape(gt_sample(s, GT_SHAPE(1, 1)), GT_SCALAR);
    case 3: return gt_reshape(gt_sample(s, GT_SCALAR), GT_SHAPE(1, 1, 1));
    case 4: return gt_reshape(gt_sample(s, GT_SHAPE(0, 3)), GT_SHAPE(5, 0, 2));
    case 5: return gt_reshape(gt_sample(s, GT_SHAPE(0, 3)), GT_SHAPE(3, -1));
    case 6: return gt_reshape(gt_t(gt_sample(s, GT_SHAPE(2, 3))), GT_SHAPE(6));
    case 7: return gt_reshape(gt_t(gt_sample(s, GT_SHAPE(2, 6))), GT_SHAPE(3, 1, 2, 2));
    case 8:
        return gt_reshape(gt_expand(gt_sample(s, GT_SHAPE(3, 1)), GT_SHAPE(3, 4)), GT_SHAPE(12));
    case 9: return gt_reshape(gt_sample(s, GT_SHAPE(2, 1, 3, 2)), GT_SHAPE(6, 1, 2, 1));
    case 10: {
        const gt_tensor x = gt_flip(gt_sample(s, GT_SHAPE(2, 3)), GT_ALL);
        return gt_reshape(gt_keep(x), GT_SHAPE(3, 2));
    }
    case 11:
        return gt_sample_no_gradient(s),
               gt_reshape(gt_sample_int(s, GT_SHAPE(4), GT_BOOL, 2), GT_SHAPE(2, 2));
    default: return reshape_bad(s, i - 12);
    }
}

const gt_op gt__op_reshape =
    GT_OP("reshape", reshape_shape, NULL, GT_PULL(reshape_pull), reshape_samples, .traits = GT_VIEW,
          .linear = 1, .view = reshape_view, .meaning = "the same elements under another shape");

gt_tensor gt_reshape(gt_tensor x, gt_shape shape) {
    gt_shape to = shape, attr;
    gt_array a = {.shape = gt_shape_of(x)};
    int64_t known, stride[GT_MAX_RANK];
    if (gt_valid(x) && complete(&to, gt_numel(a.shape), &known) == FITS) {
        if (gt_same_shape(to, a.shape)) return x;
        gt_strides_of(x, a.stride);
        if (!strides_under(&a, to, stride)) x = gt_copy(x);
    }
    gt__set_shape(&attr, to);
    return gt_record(x.tape, &gt__op_reshape, &x, 1, &attr, sizeof attr, NULL, 0);
}

/* ---- squeeze, unsqueeze, flatten: strides always allow the first two ------------------------ */

gt_tensor gt_squeeze(gt_tensor x, gt_axes axes) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_reshape(x, GT_SCALAR);
    const gt_shape shape = gt_shape_of(x);
    unsigned gone = 0;
    for (int d = 0; axes.count < 0 && d < shape.rank; d++)
        if (shape.dim[d] == 1) gone |= 1u << d;
    if (axes.count > GT_MAX_RANK)
        return gt_fail(x.tape, "squeeze: %d axes given, the largest rank is %d", axes.count,
                       GT_MAX_RANK);
    for (int i = 0; i < axes.count; i++) {
        const int axis = gt__tensor_axis(x, "squeeze", axes.axis[i], shape.rank);
        if (axis < 0) return gt_tensor_at(x.tape, UINT32_MAX);
        if (shape.dim[axis] != 1)
            return gt_fail(x.tape, "squeeze: axis %d of %s is %lld, not 1", axes.axis[i],
                           gt__tensor_text(x, text), (long long)shape.dim[axis]);
        gone |= 1u << axis;
    }
    gt_shape to = {0, {0}};
    for (int d = 0; d < shape.rank; d++)
        if (!(gone >> d & 1u)) to.dim[to.rank++] = shape.dim[d];
    return gt_reshape(x, to);
}

static gt_tensor squeeze_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_squeeze(gt_sample(s, GT_SHAPE(1, 3, 1, 2)), GT_ALL);
    case 1: return gt_squeeze(gt_sample(s, GT_SHAPE(1, 3, 1)), GT_AXES(-1));
    case 2: return gt_squeeze(gt_sample(s, GT_SHAPE(1)), GT_AXES(0));
    case 3: return gt_squeeze(gt_sample(s, GT_SHAPE(0, 1)), GT_ALL);
    case 4: return gt_squeeze(gt_t(gt_sample(s, GT_SHAPE(2, 1, 3))), GT_AXES(-1));
    case 5:
        return gt_sample_bad(s, "is 3, not 1"),
               gt_squeeze(gt_sample(s, GT_SHAPE(1, 3)), GT_AXES(1));
    case 6:
        return gt_sample_bad(s, "no axis 2"), gt_squeeze(gt_sample(s, GT_SHAPE(1, 3)), GT_AXES(2));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_squeeze = {"squeeze", squeeze_samples};

gt_tensor gt_unsqueeze(gt_tensor x, int axis) {
    if (!gt_valid(x)) return gt_reshape(x, GT_SCALAR);
    const gt_shape shape = gt_shape_of(x);
    if (shape.rank == GT_MAX_RANK)
        return gt_fail(x.tape, "unsqueeze: the largest rank is %d", GT_MAX_RANK);
    const int place = gt__tensor_axis(x, "unsqueeze", axis, shape.rank + 1);
    if (place < 0) return gt_tensor_at(x.tape, UINT32_MAX);
    gt_shape to = {shape.rank + 1, {0}};
    for (int d = 0; d < to.rank; d++) to.dim[d] = d == place ? 1 : shape.dim[d - (d > place)];
    return gt_reshape(x, to);
}

static gt_tensor unsqueeze_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_unsqueeze(gt_sample(s, GT_SHAPE(2, 3)), 1);
    case 1: return gt_unsqueeze(gt_sample(s, GT_SHAPE(2, 3)), -1);
    case 2: return gt_unsqueeze(gt_sample(s, GT_SCALAR), 0);
    case 3: return gt_unsqueeze(gt_t(gt_sample(s, GT_SHAPE(2, 3))), 0);
    case 4: return gt_sample_bad(s, "no axis 3"), gt_unsqueeze(gt_sample(s, GT_SHAPE(2, 3)), 3);
    case 5:
        gt_sample_bad(s, "largest rank");
        return gt_unsqueeze(gt_sample(s, GT_SHAPE(1, 1, 1, 1, 1, 1, 1, 1)), 0);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_unsqueeze = {"unsqueeze", unsqueeze_samples};

gt_tensor gt_flatten(gt_tensor x, int first, int last) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_reshape(x, GT_SCALAR);
    const gt_shape shape = gt_shape_of(x);
    const int from = gt__tensor_axis(x, "flatten", first, shape.rank);
    const int to = from < 0 ? -1 : gt__tensor_axis(x, "flatten", last, shape.rank);
    if (to < 0) return gt_tensor_at(x.tape, UINT32_MAX);
    if (from > to)
        return gt_fail(x.tape, "flatten: axis %d of %s stands behind axis %d", first,
                       gt__tensor_text(x, text), last);
    gt_shape flat = {0, {0}};
    for (int d = 0; d < shape.rank; d++) {
        if (d > from && d <= to)
            flat.dim[flat.rank - 1] *= shape.dim[d];
        else
            flat.dim[flat.rank++] = shape.dim[d];
    }
    return gt_reshape(x, flat);
}

static gt_tensor flatten_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_flatten(gt_sample(s, GT_SHAPE(2, 3, 4)), 1, -1);
    case 1: return gt_flatten(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), 1, 2);
    case 2: return gt_flatten(gt_sample(s, GT_SHAPE(2, 0, 3)), 0, -1);
    case 3: return gt_flatten(gt_t(gt_sample(s, GT_SHAPE(2, 3))), 0, 1);
    case 4: return gt_sample_bad(s, "behind"), gt_flatten(gt_sample(s, GT_SHAPE(2, 3)), 1, 0);
    case 5: return gt_sample_bad(s, "no axis 0"), gt_flatten(gt_sample(s, GT_SCALAR), 0, 0);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_flatten = {"flatten", flatten_samples};

/* ---- select --------------------------------------------------------------------------------- */

gt_tensor gt_select(gt_tensor x, int axis, int64_t position) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_reshape(x, GT_SCALAR);
    gt_shape shape = gt_shape_of(x);
    const int along = gt__tensor_axis(x, "select", axis, shape.rank);
    if (along < 0) return gt_tensor_at(x.tape, UINT32_MAX);
    const int64_t n = shape.dim[along], at = position < 0 ? position + n : position;
    if (at < 0 || at >= n)
        return gt_fail(x.tape, "select: position %lld is out of range: axis %d of %s is %lld",
                       (long long)position, along, gt__tensor_text(x, text), (long long)n);
    const gt_tensor slice = gt_slice(x, along, at, at + 1, 1);
    for (int d = along; d + 1 < shape.rank; d++) shape.dim[d] = shape.dim[d + 1];
    shape.rank--;
    return gt_reshape(slice, shape);
}

static gt_tensor select_all(gt_samples *s) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(4, 3));
    gt_tensor y = gt_select(x, 0, 0);
    for (int k = 1; k < 4; k++) y = gt_mul(y, gt_select(x, 0, k));
    return y;
}

static gt_tensor select_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_select(gt_sample(s, GT_SHAPE(3, 4)), 0, 1);
    case 1: return gt_select(gt_sample(s, GT_SHAPE(3, 4, 2)), -2, -1);
    case 2: return gt_select(gt_sample(s, GT_SHAPE(3)), 0, 2);
    case 3: return gt_select(gt_sample(s, GT_SHAPE(3, 0)), 0, 0);
    case 4: return select_all(s);
    case 5: return gt_sample_bad(s, "out of range"), gt_select(gt_sample(s, GT_SHAPE(3, 4)), 0, 3);
    case 6: return gt_sample_bad(s, "out of range"), gt_select(gt_sample(s, GT_SHAPE(0, 4)), 0, -1);
    case 7: return gt_sample_bad(s, "no axis -3"), gt_select(gt_sample(s, GT_SHAPE(3, 4)), -3, 0);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_select = {"select", select_samples};
