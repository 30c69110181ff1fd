/* nn/activations.c: activations that change shapes: maxout and the gated ones. */
#include "nn/nn.h"
#include "ops/rows.h"

/* ---- maxout ------------------------------------------------------------------------------------------- */

gt_tensor gt_maxout(gt_tensor x, const char *name, int64_t outputs, int64_t pieces) {
    if (outputs < 1 || pieces < 1 || outputs > INT64_MAX / pieces)
        return gt_fail(x.tape, "maxout: %lld outputs of %lld pieces", (long long)outputs,
                       (long long)pieces);
    const gt_tensor all = gt_linear(x, name, outputs * pieces);
    if (!gt_valid(all)) return all;
    gt_shape shape = gt_shape_of(all);
    if (shape.rank == GT_MAX_RANK)
        return gt_fail(x.tape, "maxout: an input of rank %d is too deep: the pieces need an axis",
                       GT_MAX_RANK);
    shape.dim[shape.rank - 1] = outputs;
    shape.dim[shape.rank++] = pieces;
    return gt_max(gt_reshape(all, shape), GT_AXES(-1), false);
}

static gt_tensor maxout_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_maxout(gt_sample(s, GT_SHAPE(3, 4)), "sample", 2, 3);
    case 1: return gt_maxout(gt_sample(s, GT_SHAPE(2, 2, 3)), "sample", 3, 2);
    case 2: return gt_maxout(gt_sample(s, GT_SHAPE(4)), "sample", 2, 1);
    case 3:
        return gt_sample_bad(s, "of 0 pieces"), gt_maxout(gt_sample(s, GT_SHAPE(2)), "none", 2, 0);
    case 4:
        gt_sample_bad(s, "outputs of");
        return gt_maxout(gt_sample(s, GT_SHAPE(2)), "huge", INT64_MAX / 2, 3);
    case 5:
        return gt_sample_bad(s, "is a scalar"), gt_maxout(gt_sample(s, GT_SCALAR), "flat", 2, 2);
    case 6:
        gt_sample_bad(s, "too deep");
        return gt_maxout(gt_sample(s, GT_SHAPE(1, 1, 1, 1, 1, 1, 1, 2)), "deep", 2, 2);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_maxout = {"maxout", maxout_samples};

/* ---- gated -------------------------------------------------------------------------------------------- */

/* The halves of an axis; false and an error when it has none. */
static bool halve(const char *who, gt_tensor x, int axis, gt_tensor half[2]) {
    char label[300];
    half[0] = half[1] = x;
    if (!gt_valid(x)) return true;
    const int rank = gt_rank(x);
    const bool exists = axis >= -rank && axis < rank;
    if (!exists || gt_dim(x, axis) % 2) {
        gt_fail(x.tape, "%s: %s has no axis %d of even size", who,
                gt__named(x, label, sizeof label), axis);
        return false;
    }
    const int64_t size = gt_dim(x, axis) / 2;
    half[0] = gt_slice(x, axis, 0, size, 1);
    half[1] = gt_slice(x, axis, size, GT_END, 1);
    return true;
}

gt_tensor gt_glu(gt_tensor x, int axis) {
    gt_tensor half[2];
    if (!halve("glu", x, axis, half)) return gt_tensor_at(x.tape, UINT32_MAX);
    return gt_mul(half[0], gt_sigmoid(half[1]));
}

gt_tensor gt_swiglu(gt_tensor x, int axis) {
    gt_tensor half[2];
    if (!halve("swiglu", x, axis, half)) return gt_tensor_at(x.tape, UINT32_MAX);
    return gt_mul(gt_silu(half[0]), half[1]);
}

static gt_tensor gated_samples(gt_samples *s, int i, gt_tensor (*gate)(gt_tensor, int)) {
    switch (i) {
    case 0: return gate(gt_sample(s, GT_SHAPE(6)), 0);
    case 1: return gate(gt_sample(s, GT_SHAPE(3, 4)), -1);
    case 2: return gate(gt_sample(s, GT_SHAPE(2, 4, 3)), 1);
    case 3: return gate(gt_sample(s, GT_SHAPE(2, 0)), 1);
    case 4: return gt_sample_bad(s, "of even size"), gate(gt_sample(s, GT_SHAPE(2, 3)), 1);
    case 5: return gt_sample_bad(s, "no axis 2"), gate(gt_sample(s, GT_SHAPE(2, 3)), 2);
    case 6: return gt_sample_bad(s, "no axis 0"), gate(gt_sample(s, GT_SCALAR), 0);
    default: return gt_samples_end(s);
    }
}
static gt_tensor glu_samples(gt_samples *s, int i) { return gated_samples(s, i, gt_glu); }
static gt_tensor swiglu_samples(gt_samples *s, int i) { return gated_samples(s, i, gt_swiglu); }

const gt_composition gt__layer_glu = {"glu", glu_samples};
const gt_composition gt__layer_swiglu = {"swiglu", swiglu_samples};
