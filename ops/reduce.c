/* ops/reduce.c: sums, and what is made of them; any and all. */
#include "ops/reduce.h"

#include <string.h>

#include "ops/ops.h"
#include "ops/shape.h"

/* ---- what reductions share ------------------------------------------------------------------- */

static gt__reduced reduced_by(gt_shape shape, unsigned mask, bool keepdims) {
    gt__reduced r = {.mask = mask, .count = 1, .kept = shape, .result = {0, {0}}};
    for (int d = 0; d < shape.rank; d++) {
        const bool reduced = mask >> d & 1u;
        if (reduced) {
            r.count *= shape.dim[d];
            r.kept.dim[d] = 1;
        }
        if (!reduced || keepdims) r.result.dim[r.result.rank++] = r.kept.dim[d];
    }
    return r;
}

bool gt__fold_shape(gt_call *call, gt__folding folding) {
    const gt_array *in = &call->in[0];
    const gt__over *over = call->attr;
    unsigned mask;
    if (!gt__folder_of(folding, in->dtype))
        return gt_call_fail(call, "not defined for %s, the kind of %s", gt_dtype_name(in->dtype),
                            gt_operand(call, 0));
    if (!gt__axis_mask(call, over->axes, in->shape.rank, &mask)) return false;
    call->out[0].shape = reduced_by(in->shape, mask, over->keepdims).result;
    call->out[0].dtype = gt__folded_dtype(folding, in->dtype);
    return true;
}

bool gt__fold_kernel(gt_call *call, gt__folding folding) {
    const gt_array *in = &call->in[0];
    const gt__over *over = call->attr;
    unsigned mask;
    return gt__axis_mask(call, over->axes, in->shape.rank, &mask) &&
           gt__fold(call, mask, gt__folder_of(folding, in->dtype));
}

static void fold_part(const gt_fold *fold, void *y, const void *x, int64_t rows, int64_t n) {
    gt__fold_part(fold->loops, y, x, rows, n);
}

static void fold_merge(const gt_fold *fold, void *y, const void *x, int64_t n) {
    const gt__folder *loops = fold->loops;
    loops->merge(y, x, n);
}

static void fold_take(const gt_fold *fold, void *lanes, const void *x, int64_t first, int64_t lines,
                      int64_t n) {
    gt__fold_take(fold->loops, lanes, x, first, lines, n);
}

static void fold_close(const gt_fold *fold, void *y, void *lanes, int64_t n) {
    gt__fold_close(fold->loops, y, lanes, n);
}

bool gt__fold_parts(const gt_call *call, gt__folding folding, gt_fold *fold) {
    const gt__over *over = call->attr;
    *fold = (gt_fold){.loops = gt__folder_of(folding, call->in[0].dtype),
                      .part = fold_part,
                      .merge = fold_merge,
                      .take = fold_take,
                      .close = fold_close};
    return fold->loops && gt__axis_mask(call, over->axes, call->in[0].shape.rank, &fold->axes);
}

gt_tensor gt__record_reduction(const gt_op *op, gt_tensor x, gt_axes axes, bool keepdims) {
    gt__over over;
    memset(&over, 0, sizeof over); /* padding and unused axes are part of the plan's key */
    over.axes.count = axes.count < 0 ? -1 : axes.count;
    for (int i = 0; i < axes.count && i < GT_MAX_RANK; i++) over.axes.axis[i] = axes.axis[i];
    over.keepdims = keepdims;
    return gt_record(x.tape, op, &x, 1, &over, sizeof over, NULL, 0);
}

gt_axes gt_reduced_axes(gt_tensor t) {
    const gt_op *op = gt_op_of(t);
    if (!op || !(op->more.traits & GT_REDUCE)) return (gt_axes){0, {0}};
    return ((const gt__over *)gt_attr(t))->axes;
}

/* The bit mask of axes; -1 and the first axis that is wrong when one is missing or given twice. */
static int mask_of(gt_axes axes, int rank, int *wrong) {
    int mask = 0;
    *wrong = 0;
    if (axes.count < 0) return (1 << rank) - 1;
    for (int i = 0; i < axes.count && i < GT_MAX_RANK; i++) {
        const int axis = axes.axis[i] < 0 ? axes.axis[i] + rank : axes.axis[i];
        *wrong = axes.axis[i];
        if (axis < 0 || axis >= rank || mask >> axis & 1) return -1;
        mask |= 1 << axis;
    }
    return mask;
}

gt__reduced gt__reduced_of(const gt_pull *pull) {
    const gt__over *over = pull->attr;
    const gt_shape shape = gt_shape_of(pull->in[0]);
    int wrong;
    return reduced_by(shape, (unsigned)mask_of(over->axes, shape.rank, &wrong), over->keepdims);
}

bool gt__reduces_float(const char *name, gt_tensor x, gt_axes axes, bool keepdims, gt__reduced *r) {
    if (!gt_valid(x)) {
        gt_fail(x.tape, "%s: operand 0 is no tensor", name);
        return false;
    }
    char label[GT__TENSOR_TEXT];
    const gt_dtype dtype = gt_dtype_of(x);
    const gt_shape shape = gt_shape_of(x);
    int wrong;
    const int mask = mask_of(axes, shape.rank, &wrong);
    gt__tensor_text(x, label);
    if (dtype != GT_F32 && dtype != GT_F64) {
        gt_fail(x.tape, "%s: not defined for %s, the kind of %s", name, gt_dtype_name(dtype),
                label);
        return false;
    }
    if (mask < 0) {
        const bool known = wrong >= -shape.rank && wrong < shape.rank;
        gt_fail(x.tape, known ? "%s: axis %d of %s is given twice" : "%s: no axis %d in %s", name,
                wrong, label);
        return false;
    }
    *r = reduced_by(shape, (unsigned)mask, keepdims);
    return true;
}

/* ---- sum ------------------------------------------------------------------------------------- */

static bool sum_shape(gt_call *call) { return gt__fold_shape(call, GT__SUM); }
static bool sum_kernel(gt_call *call) { return gt__fold_kernel(call, GT__SUM); }
static bool sum_parts(const gt_call *call, gt_fold *fold) {
    return gt__fold_parts(call, GT__SUM, fold);
}

static bool sum_pull(gt_pull *pull) {
    const gt__reduced r = gt__reduced_of(pull);
    pull->gx[0] = gt_expand(gt_reshape(pull->up[0], r.kept), gt_shape_of(pull->in[0]));
    return true;
}

/* Sizes cross chunks of 256 and lanes of 16, by rows and by columns. */
static gt_tensor sum_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_sum(gt_sample(s, GT_SHAPE(5)), GT_ALL, false);
    case 1: return gt_sum(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), false);
    case 2: return gt_sum(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(-1), true);
    case 3: return gt_sum(gt_sample(s, GT_SHAPE(2, 3, 2, 3)), GT_AXES(-1, 1), true);
    case 4: return gt_sum(gt_sample(s, GT_SHAPE(2, 3, 2, 3)), GT_AXES(0, 2), false);
    case 5: return gt_sum(gt_sample(s, GT_SCALAR), GT_ALL, false);
    case 6: return gt_sum(gt_sample(s, GT_SHAPE(0, 3)), GT_AXES(0), false);
    case 7: return gt_sum(gt_sample(s, GT_SHAPE(0, 3)), GT_AXES(1), false);
    case 8: return gt_sum(gt_sample(s, GT_SHAPE(300)), GT_ALL, true);
    case 9: return gt_sum(gt_sample(s, GT_SHAPE(3, 270)), GT_AXES(1), false);
    case 10: return gt_sum(gt_sample(s, GT_SHAPE(260, 4)), GT_AXES(0), false);
    case 11: return gt_sum(gt_sample(s, GT_SHAPE(40, 20)), GT_AXES(0), false);
    case 12:
        return gt_sample_no_gradient(s),
               gt_sum(gt_sample_int(s, GT_SHAPE(3, 4), GT_I32, 9), GT_AXES(0), false);
    case 13:
        return gt_sample_no_gradient(s),
               gt_sum(gt_sample_int(s, GT_SHAPE(9), GT_BOOL, 2), GT_ALL, false);
    case 14:
        return gt_sample_bad(s, "no axis 2"),
               gt_sum(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(2), false);
    case 15:
        return gt_sample_bad(s, "given twice"),
               gt_sum(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(1, -1), false);
    case 16:
        return gt_sample_bad(s, "not defined for bf16"),
               gt_sum(gt_cast(gt_sample(s, GT_SHAPE(2)), GT_BF16), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

static bool sum_emit(gt_emitter *e, const gt_call *call) { return gt__fold_emit(e, call, GT__SUM); }

const gt_op gt__op_sum = GT_OP("sum", sum_shape, sum_kernel, GT_PULL(sum_pull), sum_samples,
                               .traits = GT_REDUCE | GT_STRIDED, .linear = 1, .fold = sum_parts,
                               .emit = sum_emit, .meaning = "sum of x over axes");

gt_tensor gt_sum(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_sum, x, axes, keepdims);
}

/* ---- sum_to ---------------------------------------------------------------------------------- */

static gt_tensor sum_to_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_sum_to(gt_sample(s, GT_SHAPE(3, 4)), GT_SHAPE(4));
    case 1: return gt_sum_to(gt_sample(s, GT_SHAPE(3, 4)), GT_SHAPE(3, 1));
    case 2: return gt_sum_to(gt_sample(s, GT_SHAPE(2, 3, 4)), GT_SHAPE(1, 1));
    case 3: return gt_sum_to(gt_sample(s, GT_SHAPE(2, 3)), GT_SCALAR);
    case 4: return gt_sum_to(gt_sample(s, GT_SHAPE(1, 1, 3)), GT_SHAPE(3));
    case 5: return gt_sum_to(gt_sample(s, GT_SHAPE(0, 3)), GT_SHAPE(1, 3));
    case 6: return gt_sum_to(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(3));
    case 7:
        return gt_sample_bad(s, "cannot be summed to [4]"),
               gt_sum_to(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(4));
    case 8:
        return gt_sample_bad(s, "cannot be summed to [1,1,3]"),
               gt_sum_to(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(1, 1, 3));
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_sum_to = {"sum_to", sum_to_samples};

static gt_tensor cannot_sum_to(gt_tensor x, gt_shape shape) {
    char label[GT__TENSOR_TEXT], sizes[GT__SHAPE_TEXT];
    return gt_fail(x.tape, "sum_to: %s cannot be summed to [%s], which does not broadcast to it",
                   gt__tensor_text(x, label), gt__list_sizes(shape, sizes));
}

gt_tensor gt_sum_to(gt_tensor x, gt_shape shape) {
    const gt_shape from = gt_shape_of(x);
    const int skip = from.rank - shape.rank;
    gt_axes axes = {0, {0}};
    if (!gt_valid(x)) return gt_sum(x, GT_ALL, false);
    if (gt_same_shape(from, shape)) return x;
    if (skip < 0) return cannot_sum_to(x, shape);
    for (int d = 0; d < from.rank; d++) {
        const int64_t to = d < skip ? 1 : shape.dim[d - skip];
        if (to != 1 && to != from.dim[d]) return cannot_sum_to(x, shape);
        if (from.dim[d] != to) axes.axis[axes.count++] = d;
    }
    if (axes.count) x = gt_sum(x, axes, skip == 0); /* with kept axes nothing is left to reshape */
    return gt_same_shape(gt_shape_of(x), shape) ? x : gt_reshape(x, shape);
}

/* ---- mean, var, std -------------------------------------------------------------------------- */

/* Over a division: the mean of equal numbers is that number, of nothing NaN. */
static gt_tensor average(gt_tensor x, gt_axes axes, bool keepdims, int64_t count) {
    const gt_tensor n = gt_scalar(x.tape, (double)count, gt_dtype_of(x));
    return gt_div(gt_sum(x, axes, keepdims), n);
}

static gt_tensor mean_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_mean(gt_sample(s, GT_SHAPE(7)), GT_ALL, false);
    case 1: return gt_mean(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), false);
    case 2: return gt_mean(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, -1), true);
    case 3: return gt_mean(gt_sample(s, GT_SCALAR), GT_ALL, false);
    case 4: return gt_mean(gt_sample(s, GT_SHAPE(3, 270)), GT_AXES(-1), false);
    case 5: return gt_mean(gt_sample(s, GT_SHAPE(0, 3)), GT_AXES(1), false);
    case 6:
        return gt_sample_bad(s, "mean: no axis 1"),
               gt_mean(gt_sample(s, GT_SHAPE(2)), GT_AXES(1), false);
    case 7:
        return gt_sample_bad(s, "mean: not defined for i64"),
               gt_mean(gt_sample_int(s, GT_SHAPE(2), GT_I64, 5), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_mean = {"mean", mean_samples};

gt_tensor gt_mean(gt_tensor x, gt_axes axes, bool keepdims) {
    gt__reduced r;
    if (!gt__reduces_float("mean", x, axes, keepdims, &r)) return gt_fail(x.tape, "mean");
    return average(x, axes, keepdims, r.count);
}

static gt_tensor variance(const char *name, gt_tensor x, gt_axes axes, int correction,
                          bool keepdims) {
    gt__reduced r;
    if (!gt__reduces_float(name, x, axes, keepdims, &r)) return gt_fail(x.tape, "%s", name);
    if (correction != 0 && correction != 1)
        return gt_fail(x.tape, "%s: a correction of %d: only 0 and 1 are known", name, correction);
    const gt_tensor distance = gt_sub(x, average(x, axes, true, r.count));
    const int64_t count = r.count > correction ? r.count - correction : 0;
    return average(gt_square(distance), axes, keepdims, count);
}

static gt_tensor var_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_var(gt_sample(s, GT_SHAPE(6)), GT_ALL, 0, false);
    case 1: return gt_var(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), 1, false);
    case 2: return gt_var(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, -1), 1, true);
    case 3: return gt_sample_no_gradient(s), gt_var(gt_sample(s, GT_SCALAR), GT_ALL, 0, false);
    case 4: return gt_var(gt_sample(s, GT_SHAPE(3, 270)), GT_AXES(-1), 0, false);
    case 5:
        return gt_sample_bad(s, "var: no axis -3"),
               gt_var(gt_sample(s, GT_SHAPE(2, 2)), GT_AXES(-3), 0, false);
    case 6:
        return gt_sample_bad(s, "var: a correction of 2"),
               gt_var(gt_sample(s, GT_SHAPE(2)), GT_ALL, 2, false);
    case 7:
        return gt_sample_bad(s, "var: not defined for i32"),
               gt_var(gt_sample_int(s, GT_SHAPE(2), GT_I32, 5), GT_ALL, 0, false);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_var = {"var", var_samples};

gt_tensor gt_var(gt_tensor x, gt_axes axes, int correction, bool keepdims) {
    return variance("var", x, axes, correction, keepdims);
}

/* The square root of sums of squares, with all derivatives 0 at 0: there the root is taken of 1,
 * so that no infinity is ever formed. NaN stays NaN. */
static gt_tensor root(gt_tensor squares) {
    const gt_tensor zero = gt_scalar(squares.tape, 0, gt_dtype_of(squares));
    const gt_tensor one = gt_scalar(squares.tape, 1, gt_dtype_of(squares));
    const gt_tensor none = gt_equal(squares, zero);
    return gt_where(none, zero, gt_sqrt(gt_where(none, one, squares)));
}

static gt_tensor std_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_std(gt_sample(s, GT_SHAPE(6)), GT_ALL, 0, false);
    case 1: return gt_std(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), 1, false);
    case 2: return gt_std(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, -1), 1, true);
    case 3: return gt_std(gt_sample(s, GT_SHAPE(3, 270)), GT_AXES(-1), 0, false);
    case 4:
        return gt_sample_bad(s, "std: no axis 2"),
               gt_std(gt_sample(s, GT_SHAPE(2, 2)), GT_AXES(2), 0, false);
    case 5:
        return gt_sample_bad(s, "std: not defined for bool"),
               gt_std(gt_sample_int(s, GT_SHAPE(2), GT_BOOL, 2), GT_ALL, 0, false);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_std = {"std", std_samples};

gt_tensor gt_std(gt_tensor x, gt_axes axes, int correction, bool keepdims) {
    const gt_tensor squares = variance("std", x, axes, correction, keepdims);
    return gt_valid(squares) ? root(squares) : squares;
}

/* ---- norm ------------------------------------------------------------------------------------ */

static gt_tensor norm_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_norm(gt_sample(s, GT_SHAPE(6)), GT_ALL, false);
    case 1: return gt_norm(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(-1), false);
    case 2: return gt_norm(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(1, 2), true);
    case 3: return gt_norm(gt_sample_range(s, GT_SCALAR, 1, 2), GT_ALL, false);
    case 4: return gt_norm(gt_sample(s, GT_SHAPE(300)), GT_ALL, false);
    case 5: return gt_norm(gt_sample(s, GT_SHAPE(3, 0)), GT_AXES(1), false);
    case 6:
        return gt_sample_bad(s, "norm: no axis 1"),
               gt_norm(gt_sample(s, GT_SHAPE(2)), GT_AXES(1), false);
    case 7:
        return gt_sample_bad(s, "norm: not defined for i32"),
               gt_norm(gt_sample_int(s, GT_SHAPE(2), GT_I32, 5), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__composition_norm = {"norm", norm_samples};

gt_tensor gt_norm(gt_tensor x, gt_axes axes, bool keepdims) {
    gt__reduced r;
    if (!gt__reduces_float("norm", x, axes, keepdims, &r)) return gt_fail(x.tape, "norm");
    return root(gt_sum(gt_square(x), axes, keepdims));
}

/* ---- any and all ----------------------------------------------------------------------------- */

static const char truth_reason[] = "a truth value is not differentiable";

static bool any_shape(gt_call *call) { return gt__fold_shape(call, GT__ANY); }
static bool any_kernel(gt_call *call) { return gt__fold_kernel(call, GT__ANY); }
static bool all_shape(gt_call *call) { return gt__fold_shape(call, GT__ALL); }
static bool all_kernel(gt_call *call) { return gt__fold_kernel(call, GT__ALL); }

static gt_tensor truth_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, gt_axes, bool)) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return f(gt_sample_int(s, GT_SHAPE(4), GT_BOOL, 2), GT_ALL, false);
    case 1: return f(gt_sample_int(s, GT_SHAPE(5, 3), GT_BOOL, 2), GT_AXES(0), false);
    case 2: return f(gt_sample_int(s, GT_SHAPE(2, 2, 3, 2), GT_BOOL, 2), GT_AXES(1, -1), true);
    case 3: return f(gt_sample_int(s, GT_SHAPE(3, 0), GT_BOOL, 2), GT_AXES(1), false);
    case 4: return f(gt_sample_int(s, GT_SCALAR, GT_BOOL, 2), GT_ALL, false);
    case 5: return f(gt_sample_int(s, GT_SHAPE(300), GT_BOOL, 1), GT_ALL, false);
    case 6: return gt_sample_bad(s, "not defined for"), f(gt_sample(s, GT_SHAPE(2)), GT_ALL, false);
    case 7:
        return gt_sample_bad(s, "no axis -4"),
               f(gt_sample_int(s, GT_SHAPE(2, 3), GT_BOOL, 2), GT_AXES(-4), false);
    default: return gt_samples_end(s);
    }
}

static gt_tensor any_samples(gt_samples *s, int i) { return truth_samples(s, i, gt_any); }
static gt_tensor all_samples(gt_samples *s, int i) { return truth_samples(s, i, gt_all); }

static bool any_emit(gt_emitter *e, const gt_call *call) { return gt__fold_emit(e, call, GT__ANY); }

const gt_op gt__op_any = GT_OP("any", any_shape, any_kernel, GT_NO_GRADIENT(truth_reason),
                               any_samples, .traits = GT_REDUCE | GT_STRIDED, .integer = 1,
                               .emit = any_emit, .meaning = "is any of x true");
static bool all_emit(gt_emitter *e, const gt_call *call) { return gt__fold_emit(e, call, GT__ALL); }

const gt_op gt__op_all = GT_OP("all", all_shape, all_kernel, GT_NO_GRADIENT(truth_reason),
                               all_samples, .traits = GT_REDUCE | GT_STRIDED, .integer = 1,
                               .emit = all_emit, .meaning = "is all of x true");

gt_tensor gt_any(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_any, x, axes, keepdims);
}
gt_tensor gt_all(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_all, x, axes, keepdims);
}
