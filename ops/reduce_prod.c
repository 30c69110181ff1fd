/* ops/reduce_prod.c: products over axes. */
#include "ops/ops.h"
#include "ops/reduce.h"

static bool prod_shape(gt_call *call) { return gt__fold_shape(call, GT__PRODUCT); }
static bool prod_kernel(gt_call *call) { return gt__fold_kernel(call, GT__PRODUCT); }

/* Pairs along the last axis: [m, 2n] as [m, n, 2]. */
static gt_tensor pairs_of(gt_tensor x) {
    const gt_shape shape = gt_shape_of(x);
    return gt_reshape(x, GT_SHAPE(shape.dim[0], shape.dim[1] / 2, 2));
}

/* For x of [m, n], the product of the other n - 1 elements of the row, without a division, so that
 * zeros do no harm. A tree: upwards, products of pairs; downwards, what is outside a pair times
 * the partner is what is outside an element. Work and error as one product has. */
static gt_tensor product_of_others(gt_tensor x) {
    enum { MOST_LEVELS = 64 };
    gt_tensor pairs[MOST_LEVELS];
    const gt_shape shape = gt_shape_of(x);
    const int64_t m = shape.dim[0], n = shape.dim[1];
    int64_t width = 1;
    int levels = 0;
    while (width < n) width *= 2;
    if (width > n) x = gt_pad(x, GT_SHAPE(0, 0), GT_SHAPE(0, width - n), 1);
    for (int64_t w = width; w > 1; w /= 2) {
        pairs[levels] = pairs_of(x);
        x = gt_mul(gt_select(pairs[levels], 2, 0), gt_select(pairs[levels], 2, 1));
        levels++;
    }
    gt_tensor others = gt_ones(x.tape, GT_SHAPE(m, 1), gt_dtype_of(x));
    for (int64_t w = 2; levels-- > 0; w *= 2) {
        const gt_tensor partner = gt_flip(pairs[levels], GT_AXES(2));
        others = gt_reshape(gt_mul(gt_unsqueeze(others, 2), partner), GT_SHAPE(m, w));
    }
    return width > n ? gt_slice(others, 1, 0, n, 1) : others;
}

/* Reduced axes go last, become one, and go back. */
static bool prod_pull(gt_pull *pull) {
    const gt__reduced r = gt__reduced_of(pull);
    const gt_tensor x = pull->in[0];
    const gt_shape shape = gt_shape_of(x);
    gt_axes order = {0, {0}}, back = {shape.rank, {0}};
    gt_shape moved = shape;
    if (gt_numel(shape) == 0) return pull->gx[0] = x, true; /* as empty */
    for (int last = 0; last < 2; last++)
        for (int d = 0; d < shape.rank; d++)
            if ((int)(r.mask >> d & 1u) == last) order.axis[order.count++] = d;
    for (int d = 0; d < shape.rank; d++) {
        moved.dim[d] = shape.dim[order.axis[d]];
        back.axis[order.axis[d]] = d;
    }
    const gt_shape rows = GT_SHAPE(gt_numel(shape) / r.count, r.count);
    const gt_tensor others = product_of_others(gt_reshape(gt_permute(x, order), rows));
    const gt_tensor local = gt_permute(gt_reshape(others, moved), back);
    pull->gx[0] = gt_chain(gt_reshape(pull->up[0], r.kept), local);
    return true;
}

static gt_tensor prod_samples(gt_samples *s, int i) {
    static const double one_zero[6] = {1.5, 0, -2, 0.5, 3, -1};
    static const double two_zeros[6] = {0, 1.5, -2, 0, 0, 3};
    switch (i) {
    case 0: return gt_prod(gt_sample(s, GT_SHAPE(5)), GT_ALL, false);
    case 1: return gt_prod(gt_sample(s, GT_SHAPE(3, 4)), GT_AXES(0), false);
    case 2: return gt_prod(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(-1, 1), true);
    case 3: return gt_prod(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), GT_AXES(0, 2), false);
    case 4: return gt_prod(gt_sample(s, GT_SCALAR), GT_ALL, false);
    case 5: return gt_prod(gt_sample_values(s, GT_SHAPE(6), s->dtype, one_zero), GT_ALL, false);
    case 6:
        return gt_prod(gt_sample_values(s, GT_SHAPE(2, 3), s->dtype, two_zeros), GT_AXES(1), false);
    case 7: return gt_prod(gt_sample(s, GT_SHAPE(0, 3)), GT_AXES(0), false);
    case 8: return gt_prod(gt_sample_range(s, GT_SHAPE(300), 0.9, 1.1), GT_ALL, true);
    case 9: return gt_prod(gt_sample_range(s, GT_SHAPE(3, 270), 0.9, 1.1), GT_AXES(1), false);
    case 10: return gt_prod(gt_sample(s, GT_SHAPE(4, 1)), GT_AXES(1), false);
    case 11:
        gt_sample_no_gradient(s);
        return gt_prod(gt_sample_int(s, GT_SHAPE(3, 4), GT_I32, 9), GT_AXES(0), false);
    case 12:
        gt_sample_bad(s, "no axis -3");
        return gt_prod(gt_sample(s, GT_SHAPE(2, 3)), GT_AXES(-3), false);
    case 13:
        gt_sample_bad(s, "not defined for bf16");
        return gt_prod(gt_cast(gt_sample(s, GT_SHAPE(2)), GT_BF16), GT_ALL, false);
    default: return gt_samples_end(s);
    }
}

static bool prod_emit(gt_emitter *e, const gt_call *call) {
    return gt__fold_emit(e, call, GT__PRODUCT);
}

const gt_op gt__op_prod =
    GT_OP("prod", prod_shape, prod_kernel, GT_PULL(prod_pull), prod_samples,
          .traits = GT_REDUCE | GT_STRIDED, .emit = prod_emit, .meaning = "product of x over axes");

gt_tensor gt_prod(gt_tensor x, gt_axes axes, bool keepdims) {
    return gt__record_reduction(&gt__op_prod, x, axes, keepdims);
}
