/* nn/regularize.c: penalties on parameters chosen by name, and random connections and depths. */
#include "nn/nn.h"
#include "ops/rows.h"

/* ---- penalties ---------------------------------------------------------------------------------------- */

static gt_tensor l1_of(gt_tensor w, double beta) {
    (void)beta;
    return gt_abs(w);
}
static gt_tensor l2_of(gt_tensor w, double beta) {
    (void)beta;
    return gt_square(w);
}
static gt_tensor elastic_of(gt_tensor w, double beta) {
    return gt_add(gt_mul_scalar(gt_square(w), beta), gt_abs(w));
}

/* The sum of f over every trainable parameter that matches, in the order of their creation. */
static gt_tensor penalty(const char *who, gt_tape *tape, const char *pattern,
                         gt_tensor (*f)(gt_tensor w, double beta), double beta) {
    gt_tensor sum = gt_none();
    if (!tape) return sum;
    gt_params *params = gt_tape_params(tape);
    gt_param_info info;
    for (int i = 0; gt_params_at(params, i, &info); i++) {
        if (!info.trainable || !gt_name_matches(pattern, info.name)) continue;
        const gt_tensor part = gt_sum(f(gt_param_leaf(tape, info.name), beta), GT_ALL, false);
        sum = gt_is_none(sum) ? part : gt_add(sum, part);
    }
    if (!gt_is_none(sum)) return sum;
    return gt_fail(tape, "%s: no trainable parameter matches \"%s\"; record the network first", who,
                   pattern ? pattern : "*");
}

gt_tensor gt_l1(gt_tape *tape, const char *pattern) {
    return penalty("l1", tape, pattern, l1_of, 0);
}
gt_tensor gt_l2(gt_tape *tape, const char *pattern) {
    return penalty("l2", tape, pattern, l2_of, 0);
}
gt_tensor gt_elastic_net(gt_tape *tape, const char *pattern, double beta) {
    return penalty("elastic_net", tape, pattern, elastic_of, beta);
}

static gt_tensor elastic_of_half(gt_tape *tape, const char *pattern) {
    return gt_elastic_net(tape, pattern, 0.5);
}

static gt_tensor penalty_samples(gt_samples *s, int i, gt_tensor (*f)(gt_tape *, const char *)) {
    gt_param(s->tape, "sample/weight", GT_SHAPE(3, 2), s->dtype, gt_init_normal(0, 1));
    gt_param(s->tape, "sample/bias", GT_SHAPE(2), s->dtype, gt_init_normal(1, 0.1));
    switch (i) {
    case 0: return f(s->tape, "sample/weight");
    case 1: return f(s->tape, "sample/*");
    case 2: return f(s->tape, NULL);
    case 3: return gt_sample_bad(s, "matches \"other*\""), f(s->tape, "other*");
    default: return gt_samples_end(s);
    }
}
static gt_tensor l1_samples(gt_samples *s, int i) { return penalty_samples(s, i, gt_l1); }
static gt_tensor l2_samples(gt_samples *s, int i) { return penalty_samples(s, i, gt_l2); }
static gt_tensor elastic_samples(gt_samples *s, int i) {
    return penalty_samples(s, i, elastic_of_half);
}

const gt_composition gt__penalty_l1 = {"l1", l1_samples};
const gt_composition gt__penalty_l2 = {"l2", l2_samples};
const gt_composition gt__penalty_elastic_net = {"elastic_net", elastic_samples};

/* ---- random connections and depths -------------------------------------------------------------------- */

static bool is_rate(const char *who, gt_tensor x, double rate) {
    if (rate >= 0 && rate < 1) return true;
    gt_fail(x.tape, "%s: rate %g is not in [0, 1)", who, rate);
    return false;
}

gt_tensor gt_drop_connect(gt_tensor w, double rate) {
    if (!is_rate("drop_connect", w, rate)) return gt_tensor_at(w.tape, UINT32_MAX);
    return gt_dropout(w, rate);
}

gt_tensor gt_stochastic_depth(gt_tensor residual, double rate) {
    char label[300];
    if (!is_rate("stochastic_depth", residual, rate))
        return gt_tensor_at(residual.tape, UINT32_MAX);
    if (!gt_valid(residual) || rate == 0) return residual;
    if (gt_rank(residual) == 0)
        return gt_fail(residual.tape,
                       "stochastic_depth: %s is a scalar: its first axis counts samples",
                       gt__named(residual, label, sizeof label));
    gt_shape shape = gt_shape_of(residual);
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = 1;
    const gt_tensor one = gt_ones(residual.tape, shape, gt_dtype_of(residual));
    const gt_tensor zero = gt_zeros(residual.tape, GT_SCALAR, gt_dtype_of(residual));
    const gt_tensor factor = gt_dropout(one, rate);
    return gt_where(gt_equal(factor, zero), zero, gt_mul(residual, factor));
}

static gt_tensor connection_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_drop_connect(gt_sample(s, GT_SHAPE(4, 5)), 0.4);
    case 1: return gt_drop_connect(gt_sample(s, GT_SHAPE(7)), 0);
    case 2:
        return gt_sample_bad(s, "drop_connect: rate 1"),
               gt_drop_connect(gt_sample(s, GT_SHAPE(2)), 1);
    default: return gt_samples_end(s);
    }
}
static gt_tensor depth_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_stochastic_depth(gt_sample(s, GT_SHAPE(8, 2, 3)), 0.5);
    case 1: return gt_stochastic_depth(gt_sample(s, GT_SHAPE(9)), 0.25);
    case 2: return gt_stochastic_depth(gt_sample(s, GT_SHAPE(3, 2)), 0);
    case 3: return gt_sample_bad(s, "rate -1"), gt_stochastic_depth(gt_sample(s, GT_SHAPE(2)), -1);
    case 4:
        return gt_sample_bad(s, "is a scalar"), gt_stochastic_depth(gt_sample(s, GT_SCALAR), 0.5);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_drop_connect = {"drop_connect", connection_samples};
const gt_composition gt__layer_stochastic_depth = {"stochastic_depth", depth_samples};
