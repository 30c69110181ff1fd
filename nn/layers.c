/* nn/layers.c: layers as functions: they find their parameters by name. */
#include "nn/nn.h"
#include "ops/ops.h"

/* ---- linear ------------------------------------------------------------------------------------------- */

gt_tensor gt_linear(gt_tensor x, const char *name, int64_t outputs) {
    char label[200];
    if (!gt_valid(x)) return gt_matmul(x, x); /* says what is wrong with x */
    if (gt_rank(x) < 1)
        return gt_fail(x.tape, "linear: %s is a scalar: its last axis is the input",
                       gt_label(x, label, sizeof label));
    if (!name) return gt_fail(x.tape, "linear: no name");
    const gt_dtype dtype = gt_dtype_of(x);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor w = gt_param(x.tape, "weight", GT_SHAPE(gt_dim(x, -1), outputs), dtype,
                                 gt_init_kaiming_uniform());
    const gt_tensor b = gt_param(x.tape, "bias", GT_SHAPE(outputs), dtype, gt_init_zeros());
    gt_scope_pop(x.tape);
    return gt_add(gt_matmul(x, w), b);
}

static gt_tensor linear_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_linear(gt_sample(s, GT_SHAPE(3, 4)), "sample", 2);
    case 1: return gt_linear(gt_sample(s, GT_SHAPE(2, 3, 4)), "sample", 5);
    case 2: return gt_sample_bad(s, "is a scalar"), gt_linear(gt_sample(s, GT_SCALAR), "sample", 2);
    case 3:
        return gt_sample_bad(s, "is negative"),
               gt_linear(gt_sample(s, GT_SHAPE(2)), "negative", -2);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_linear = {"linear", linear_samples};

/* ---- dropout ------------------------------------------------------------------------------------------ */

gt_tensor gt_dropout(gt_tensor x, double rate) {
    if (!(rate >= 0 && rate < 1)) return gt_fail(x.tape, "dropout: rate %g is not in [0, 1)", rate);
    if (rate == 0 || !gt_valid(x)) return x;
    const gt_tensor u = gt_rand(x.tape, gt_shape_of(x), gt_dtype_of(x));
    const gt_tensor kept = gt_greater_equal(u, gt_scalar(x.tape, rate, gt_dtype_of(x)));
    const gt_tensor none = gt_zeros(x.tape, GT_SCALAR, gt_dtype_of(x));
    return gt_where(kept, gt_mul_scalar(x, 1 / (1 - rate)), none);
}

static gt_tensor dropout_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_dropout(gt_sample(s, GT_SHAPE(4, 5)), 0.4);
    case 1: return gt_dropout(gt_sample(s, GT_SHAPE(7)), 0);
    case 2: return gt_sample_bad(s, "not in [0, 1)"), gt_dropout(gt_sample(s, GT_SHAPE(2)), 1);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_dropout = {"dropout", dropout_samples};

/* ---- the list ----------------------------------------------------------------------------------------- */

#define OPERATION(name)
#define COMPOSITION(name) extern const gt_composition name;
#include "nn/nn_list.h"
#undef COMPOSITION

const gt_composition *gt_layer_at(int i) {
    static const gt_composition *const listed[] = {
#define COMPOSITION(name) &name,
#include "nn/nn_list.h"
#undef COMPOSITION
        NULL};
    return i >= 0 && i < (int)(sizeof listed / sizeof *listed) ? listed[i] : NULL;
}
