/* ops/extremes.c: the largest and the smallest element, and where they stand. */
#include <string.h>

#include "ops/ops.h"
#include "ops/reduce.h"

static bool fail_empty(const gt_call *call, int axis) {
    return gt_call_fail(call, "%s over an axis of size 0: axis %d", gt_operand(call, 0), axis);
}

/* ---- max and min ----------------------------------------------------------------------------- */

static bool extreme_shape(gt_call *call, gt__folding folding) {
    const gt__over *over = call->attr;
    const gt_shape shape = call->in[0].shape;
    unsigned mask;
    if (!gt__fold_shape(call, folding) || !gt__axis_mask(call, over->axes, shape.rank, &mask))
        return false;
    for (int d = 0; d < shape.rank; d++)
        if (mask >> d & 1u && shape.dim[d] == 0) return fail_empty(call, d);
    return true;
}

static bool max_shape(gt_call *call) { return extreme_shape(call, GT__MAX); }
static bool max_kernel(gt_call *call) { return gt__fold_kernel(call, GT__MAX); }
static bool max_parts(const gt_call *call, gt_fold *fold) {
    return gt__fold_parts(call, GT__MAX, fold);
}
static bool min_shape(gt_call *call) { return extreme_shape(call, GT__MIN); }
static bool min_kernel(gt_call *call) { return gt__fold_kernel(call, GT__MIN); }
static bool min_parts(const gt_call *call, gt_fold *fold) {
    return gt__fold_parts(call, GT__MIN, fold);
}

/* The winners share. A NaN result equals nothing: 0 / 0 makes the gradient NaN too. */
static bool extreme_pull(gt_pull *pull) {
    const gt__reduced r = gt__reduced_of(pull);
    const gt_tensor x = pull->in[0];
    gt_axes axes = {0, {0}};
    for (int d = 0; d < r.kept.rank; d++)
        if (r.mask >> d & 1u) axes.axis[axes.count++] = d;
    const gt_tensor wins = gt_cast(gt_equal(x, gt_reshape(pull->out[0], r.kept)), gt_dtype_of(x));
    const gt_tensor share = gt_div(wins, gt_sum(wins, axes, true));
    pull->gx[0] = gt_chain(gt_reshape(pull->up[0], r.kept), share);
    return true;
}

static gt_tensor extreme_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, gt_axes, bool)) {
    switch (i) {
    case 0: return f(gt_sample_distinct(s, GT_SHAPE(7)), GT_ALL, false);
    case 1: return f(gt_sample_distinct(s, GT_SHAPE(3, 4)), GT_AXES(0), false);
    case 2: return f(gt_sample_distinct(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, -1), true);
    case 3: return f(gt_sample_distinct(s, GT_SCALAR), GT_ALL, false);
    case 4: return f(gt_sample_distinct(s, GT_SHAPE(3, 270)), GT_AXES(-1), false);
    case 5: return f(gt_sample_distinct(s, GT_SHAPE(20, 20)), GT_AXES(0), true);
    case 6: return f(gt_sample_distinct(s, GT_SHAPE(0, 3)), GT_AXES(1), false);
    case 7:
        gt_sample_no_gradient(s);
        return f(gt_sample_int(s, GT_SHAPE(3, 4), GT_I32, 9), GT_AXES(1), false);
    case 8:
        gt_sample_bad(s, "over an axis of size 0");
        return f(gt_sample(s, GT_SHAPE(2, 0)), GT_AXES(1), false);
    case 9:
        return gt_sample_bad(s, "no axis 2"), f(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(2), false);
    case 10:
        gt_sample_bad(s, "not defined for bool");
        return f(gt_sample_int(s, GT_SHAPE(2), GT_BOOL, 2), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

static gt_tensor max_samples(gt_samples *s, int i) { return extreme_samples(s, i, gt_max); }
static gt_tensor min_samples(gt_samples *s, int i) { return extreme_samples(s, i, gt_min); }

static bool max_emit(gt_emitter *e, const gt_call *call) { return gt__fold_emit(e, call, GT__MAX); }

const gt_op gt__op_max = GT_OP("max", max_shape, max_kernel, GT_PULL(extreme_pull), max_samples,
                               .traits = GT_REDUCE | GT_STRIDED, .fold = max_parts,
                               .emit = max_emit, .meaning = "largest element of x",
                               .domain = "equal winners share the gradient; NaN where a NaN wins");
static bool min_emit(gt_emitter *e, const gt_call *call) { return gt__fold_emit(e, call, GT__MIN); }

const gt_op gt__op_min = GT_OP("min", min_shape, min_kernel, GT_PULL(extreme_pull), min_samples,
                               .traits = GT_REDUCE | GT_STRIDED, .fold = min_parts,
                               .emit = min_emit, .meaning = "smallest element of x",
                               .domain = "equal winners share the gradient; NaN where a NaN wins");

gt_tensor gt_max(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_max, x, axes, keepdims);
}
gt_tensor gt_min(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_min, x, axes, keepdims);
}

/* ---- argmax and argmin ----------------------------------------------------------------------- */

static bool winner_shape(gt_call *call) {
    const gt_array *in = &call->in[0];
    const gt__over *over = call->attr;
    const int axis = gt__axis(call, over->axes.axis[0], in->shape.rank);
    gt_shape *out = &call->out[0].shape;
    if (axis < 0) return false;
    if (!gt__folder_of(GT__MAX, in->dtype))
        return gt_call_fail(call, "not defined for %s, the kind of %s", gt_dtype_name(in->dtype),
                            gt_operand(call, 0));
    if (in->shape.dim[axis] == 0) return fail_empty(call, axis);
    for (int d = 0; d < in->shape.rank; d++)
        if (d != axis || over->keepdims) out->dim[out->rank++] = d == axis ? 1 : in->shape.dim[d];
    call->out[0].dtype = GT_I64;
    return true;
}

/* Later elements must be truly better; a NaN is better than all but another NaN. */
#define WINNER(name, T, better)                                                                    \
    static void name(int64_t *to, const T *x, int64_t n, int64_t stride, bool largest) {           \
        T best = x[0];                                                                             \
        *to = 0;                                                                                   \
        for (int64_t i = 1; i < n; i++) {                                                          \
            const T v = x[i * stride];                                                             \
            if (!((largest ? v > best : v < best) || (better))) continue;                          \
            best = v;                                                                              \
            *to = i;                                                                               \
        }                                                                                          \
    }
WINNER(winner_f32, float, v != v && best == best)
WINNER(winner_f64, double, v != v && best == best)
WINNER(winner_i32, int32_t, false)
WINNER(winner_i64, int64_t, false)

static bool winner_kernel(gt_call *call, bool largest) {
    const gt_array *in = &call->in[0];
    const int axis = gt__axis(call, ((const gt__over *)call->attr)->axes.axis[0], in->shape.rank);
    int64_t outer = 1, inner = 1, *to = call->out[0].data;
    for (int d = 0; d < in->shape.rank; d++)
        if (d != axis) *(d < axis ? &outer : &inner) *= in->shape.dim[d];
    const int64_t n = in->shape.dim[axis];
    for (int64_t i = 0; i < outer * inner; i++) {
        const int64_t first = i / inner * n * inner + i % inner;
        switch (in->dtype) {
        case GT_F32: winner_f32(to + i, (const float *)in->data + first, n, inner, largest); break;
        case GT_F64: winner_f64(to + i, (const double *)in->data + first, n, inner, largest); break;
        case GT_I32:
            winner_i32(to + i, (const int32_t *)in->data + first, n, inner, largest);
            break;
        default: winner_i64(to + i, (const int64_t *)in->data + first, n, inner, largest); break;
        }
    }
    return true;
}

static bool argmax_kernel(gt_call *call) { return winner_kernel(call, true); }
static bool argmin_kernel(gt_call *call) { return winner_kernel(call, false); }

/* Operands are contiguous: i0 and i1 tell the result, k goes along the axis. */
static bool winner_emit(gt_emitter *e, const gt_call *call, char better) {
    const gt_array *in = &call->in[0];
    const int axis = gt__axis(call, ((const gt__over *)call->attr)->axes.axis[0], in->shape.rank);
    int64_t size[2] = {1, 1};
    for (int d = 0; d < in->shape.rank; d++)
        if (d != axis) size[d > axis] *= in->shape.dim[d];
    const int64_t n = in->shape.dim[axis];
    const int64_t from[2] = {n * size[1], 1}, to[2] = {size[1], 1};
    gt_emit_loops(e, 0, 2, size);
    gt_emit(e, "long best = 0;");
    gt_emit(e, "for (long k = 1; k < %lld; k++) {", (long long)n);
    gt_emit(e, "const %s v = %s[%s + k * %lld], w = %s[%s + best * %lld];", gt_emit_type(in->dtype),
            gt_emit_in(e, 0), gt_emit_index(e, 2, from), (long long)size[1], gt_emit_in(e, 0),
            gt_emit_index(e, 2, from), (long long)size[1]);
    const bool real = gt_dtype_is_float(in->dtype);
    gt_emit(e, "if (v %c w%s) best = k;", better, real ? " || (v != v && w == w)" : "");
    gt_emit(e, "}");
    gt_emit(e, "%s[%s] = best;", gt_emit_out(e, 0), gt_emit_index(e, 2, to));
    gt_emit_end(e, 2);
    return true;
}

static bool argmax_emit(gt_emitter *e, const gt_call *call) { return winner_emit(e, call, '>'); }
static bool argmin_emit(gt_emitter *e, const gt_call *call) { return winner_emit(e, call, '<'); }

static gt_tensor winner_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, int, bool)) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return f(gt_sample_distinct(s, GT_SHAPE(7)), 0, false);
    case 1: return f(gt_sample_distinct(s, GT_SHAPE(3, 4)), 0, false);
    case 2: return f(gt_sample_distinct(s, GT_SHAPE(2, 3, 2, 2)), -2, true);
    case 3: return f(gt_sample_distinct(s, GT_SHAPE(0, 3)), 1, false);
    case 4: return f(gt_sample_int(s, GT_SHAPE(40), GT_I64, 3), 0, true);
    case 5: return f(gt_sample_int(s, GT_SHAPE(4, 9), GT_I32, 3), -1, false);
    case 6:
        return gt_sample_bad(s, "over an axis of size 0"),
               f(gt_sample(s, GT_SHAPE(2, 0)), 1, false);
    case 7: return gt_sample_bad(s, "no axis 0"), f(gt_sample(s, GT_SCALAR), 0, false);
    case 8:
        gt_sample_bad(s, "not defined for bool");
        return f(gt_sample_int(s, GT_SHAPE(2), GT_BOOL, 2), 0, false);
    default: return gt_samples_end(s);
    }
}

static gt_tensor argmax_samples(gt_samples *s, int i) { return winner_samples(s, i, gt_argmax); }
static gt_tensor argmin_samples(gt_samples *s, int i) { return winner_samples(s, i, gt_argmin); }

static const char index_reason[] = "an index is not differentiable";

const gt_op gt__op_argmax =
    GT_OP("argmax", winner_shape, argmax_kernel, GT_NO_GRADIENT(index_reason), argmax_samples,
          .emit = argmax_emit, .meaning = "index of the first largest element of x",
          .domain = "the first NaN, if there is one");
const gt_op gt__op_argmin =
    GT_OP("argmin", winner_shape, argmin_kernel, GT_NO_GRADIENT(index_reason), argmin_samples,
          .emit = argmin_emit, .meaning = "index of the first smallest element of x",
          .domain = "the first NaN, if there is one");

gt_tensor gt_argmax(gt_tensor x, int axis, bool keepdims) {
    return gt__record_reduction(&gt__op_argmax, x, (gt_axes){1, {axis}}, keepdims);
}
gt_tensor gt_argmin(gt_tensor x, int axis, bool keepdims) {
    return gt__record_reduction(&gt__op_argmin, x, (gt_axes){1, {axis}}, keepdims);
}
