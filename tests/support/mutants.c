/* tests/support/mutants.c: see mutants.h. The rules are written with public operations, as right
 * ones are. */
#include "support/mutants.h"

#include <string.h>

#include "ops/ops.h"

static mutant *planted_in(const gt_op *op) { return (mutant *)(uintptr_t)op; }

static bool planted_pull(gt_pull *p) {
    mutant *m = planted_in(gt_op_of(p->out[0]));
    return m->rule(m, p);
}

mutant mutant_of(const gt_op *op, planted_rule *rule) {
    mutant m = {*op, op, rule, 0};
    if (rule) m.op.gradient = (gt_gradient)GT_PULL(planted_pull);
    return m;
}

/* ---- what rules are made of ------------------------------------------------------------------ */

/* The contributions of the rule as it was. */
static bool right(const mutant *m, gt_pull *p) {
    const gt_gradient *g = &m->original->gradient;
    if (g->pull) return g->pull(p);
    for (int k = 0; k < p->n_in; k++) {
        if (!p->wanted[k]) continue;
        const gt_tensor local = g->local(p, k);
        if (!gt_is_none(local)) p->gx[k] = gt_chain(p->up[0], local);
    }
    return true;
}

/* The right contributions, each changed by `damage`, which may leave some alone by returning
 * nothing. */
static bool damaged(mutant *m, gt_pull *p, gt_tensor damage(const gt_pull *p, int k)) {
    if (!right(m, p)) return false;
    for (int k = 0; k < p->n_in; k++) {
        if (gt_is_none(p->gx[k])) continue;
        const gt_tensor wrong = damage(p, k);
        if (gt_is_none(wrong)) continue;
        p->gx[k] = wrong;
        m->hits++;
    }
    return true;
}

/* The right rule over other operands. */
enum { MOST_OPERANDS = 32 };
static bool misled(mutant *m, gt_pull *p, gt_tensor in(gt_tensor), gt_tensor out(gt_tensor),
                   gt_tensor up(gt_tensor)) {
    gt_tensor x[MOST_OPERANDS], y[GT_MAX_OUT], u[GT_MAX_OUT];
    gt_pull q = *p;
    if (p->n_in > MOST_OPERANDS) return right(m, p);
    for (int k = 0; k < p->n_in; k++)
        x[k] = gt_dtype_is_float(gt_dtype_of(p->in[k])) ? in(p->in[k]) : p->in[k];
    for (int k = 0; k < p->n_out; k++) {
        y[k] = gt_dtype_is_float(gt_dtype_of(p->out[k])) ? out(p->out[k]) : p->out[k];
        u[k] = gt_is_none(p->up[k]) ? p->up[k] : up(p->up[k]);
    }
    q.in = x;
    q.out = y;
    q.up = u;
    m->hits++;
    return right(m, &q);
}

static gt_tensor unchanged(gt_tensor t) { return t; }
static gt_tensor ones_like(gt_tensor t) { return gt_ones(t.tape, gt_shape_of(t), gt_dtype_of(t)); }
static gt_tensor moved(gt_tensor t) { return gt_add_scalar(t, 0.05); }
static gt_tensor stopped(gt_tensor t) { return gt_stop_gradient(t); }

/* ---- errors that any rule may have ----------------------------------------------------------- */

static gt_tensor negate(const gt_pull *p, int k) { return gt_neg(p->gx[k]); }
static gt_tensor halve(const gt_pull *p, int k) { return gt_mul_scalar(p->gx[k], 0.5); }
static gt_tensor add_operand(const gt_pull *p, int k) {
    return gt_add(p->gx[k], gt_mul_scalar(p->in[k], 1e-4));
}
static gt_tensor average(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->up[0]));
    return n > 1 ? gt_mul_scalar(p->gx[k], 1 / (double)n) : gt_none();
}
static gt_tensor drop_last(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->gx[k]));
    if (n < 2) return gt_none();
    const gt_tensor place = gt_arange(p->tape, 0, 1, n, gt_dtype_of(p->gx[k]));
    const gt_tensor keep =
        gt_cast(gt_less(place, gt_scalar(p->tape, (double)n - 1, gt_dtype_of(place))),
                gt_dtype_of(place));
    return gt_mul(p->gx[k], gt_reshape(keep, gt_shape_of(p->gx[k])));
}
static gt_tensor roll(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->gx[k]));
    if (n < 2) return gt_none();
    const gt_tensor flat = gt_reshape(p->gx[k], GT_SHAPE(n));
    const gt_tensor last = gt_slice(flat, 0, n - 1, GT_END, 1),
                    others = gt_slice(flat, 0, 0, n - 1, 1);
    return gt_reshape(gt_concat(GT_LIST(last, others), 0), gt_shape_of(p->gx[k]));
}
static gt_tensor reverse(const gt_pull *p, int k) {
    return gt_numel(gt_shape_of(p->gx[k])) < 2 ? gt_none() : gt_flip(p->gx[k], GT_ALL);
}
static gt_tensor transpose_square(const gt_pull *p, int k) {
    const gt_shape s = gt_shape_of(p->gx[k]);
    const bool square =
        s.rank >= 2 && s.dim[s.rank - 1] == s.dim[s.rank - 2] && s.dim[s.rank - 1] > 1;
    const bool own =
        gt_same_shape(s, gt_shape_of(p->in[k])); /* else its copies are summed, in any order */
    return square && own ? gt_t(p->gx[k]) : gt_none();
}
/* An operand that was broadcast must get the sum over the copies: here it gets their mean. */
static gt_tensor mean_of_copies(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->in[k])), copies = gt_numel(gt_shape_of(p->gx[k]));
    if (n == 0 || copies <= n) return gt_none();
    return gt_mul_scalar(gt_sum_to(p->gx[k], gt_shape_of(p->in[k])), (double)n / (double)copies);
}

static bool wrong_sign(mutant *m, gt_pull *p) { return damaged(m, p, negate); }
bool planted_half(mutant *m, gt_pull *p) { return damaged(m, p, halve); }
static bool extra_term(mutant *m, gt_pull *p) { return damaged(m, p, add_operand); }
static bool mean_for_sum(mutant *m, gt_pull *p) { return damaged(m, p, average); }
static bool last_forgotten(mutant *m, gt_pull *p) { return damaged(m, p, drop_last); }
static bool one_off(mutant *m, gt_pull *p) { return damaged(m, p, roll); }
static bool reversed(mutant *m, gt_pull *p) { return damaged(m, p, reverse); }
static bool transposed(mutant *m, gt_pull *p) { return damaged(m, p, transpose_square); }
static bool mean_over_broadcast(mutant *m, gt_pull *p) { return damaged(m, p, mean_of_copies); }

static bool no_upstream(mutant *m, gt_pull *p) {
    return misled(m, p, unchanged, unchanged, ones_like);
}
static bool wrong_point(mutant *m, gt_pull *p) { return misled(m, p, moved, moved, unchanged); }
static bool no_second_order(mutant *m, gt_pull *p) {
    return misled(m, p, stopped, stopped, unchanged);
}

static bool forget_operand(mutant *m, gt_pull *p, int k) {
    if (!right(m, p)) return false;
    if (k >= p->n_in || gt_is_none(p->gx[k])) return true;
    p->gx[k] = gt_none();
    m->hits++;
    return true;
}
static bool first_forgotten(mutant *m, gt_pull *p) { return forget_operand(m, p, 0); }
static bool second_forgotten(mutant *m, gt_pull *p) { return forget_operand(m, p, 1); }

static bool swapped(mutant *m, gt_pull *p) {
    if (!right(m, p)) return false;
    if (p->n_in < 2 || gt_is_none(p->gx[0]) || gt_is_none(p->gx[1])) return true;
    if (!gt_same_shape(gt_shape_of(p->in[0]), gt_shape_of(p->in[1]))) return true;
    const gt_tensor first = p->gx[0];
    p->gx[0] = p->gx[1];
    p->gx[1] = first;
    m->hits++;
    return true;
}

/* ---- errors of one operation ----------------------------------------------------------------- */

/* A wrong local gradient: upstream times an expression over the operands. */
#define LOCAL_ERROR(name, expression)                                                              \
    static bool name(mutant *m, gt_pull *p) {                                                      \
        const gt_tensor x = p->in[0], y = p->out[0];                                               \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        p->gx[0] = gt_chain(p->up[0], expression);                                                 \
        m->hits++;                                                                                 \
        return true;                                                                               \
    }
#define CONSTANT(value) gt_scalar(p->tape, value, gt_dtype_of(p->up[0]))
#define INDICATOR(condition) gt_where(condition, CONSTANT(1), CONSTANT(0))
LOCAL_ERROR(tanh_not_squared, gt_sub(CONSTANT(1), y))
LOCAL_ERROR(tanh_of_input, gt_sub(CONSTANT(1), gt_square(x)))
LOCAL_ERROR(sigmoid_of_input, gt_mul(x, gt_sub(CONSTANT(1), x)))
LOCAL_ERROR(sigmoid_one_factor, gt_sub(CONSTANT(1), y))
LOCAL_ERROR(relu_other_side, INDICATOR(gt_less(x, CONSTANT(0))))
LOCAL_ERROR(relu_always_on, gt_add_scalar(gt_mul_scalar(x, 0), 1))
LOCAL_ERROR(log_to_another_base, gt_reciprocal(x))
LOCAL_ERROR(exponential_to_e, y)
LOCAL_ERROR(square_root_unhalved, gt_reciprocal(y))
LOCAL_ERROR(reciprocal_unsquared, gt_neg(y))
LOCAL_ERROR(cosine_as_sine, gt_sin(x))
LOCAL_ERROR(clamp_open_above, INDICATOR(gt_greater_equal(x, CONSTANT(p->arg[0].real))))
LOCAL_ERROR(power_undiminished, gt_mul_scalar(gt_pow_scalar(x, p->arg[0].real), p->arg[0].real))
LOCAL_ERROR(softplus_as_tanh, gt_tanh(x))

/* Right almost everywhere: only the table of kinks can see these. */
static bool winner_takes_all(mutant *m, gt_pull *p) {
    const gt_tensor a = p->in[0], b = p->in[1];
    p->gx[0] = gt_chain(p->up[0], INDICATOR(gt_greater_equal(a, b)));
    p->gx[1] = gt_chain(p->up[0], INDICATOR(gt_less(a, b)));
    m->hits++;
    return true;
}
static bool winners_all_take_all(mutant *m, gt_pull *p) {
    gt_tensor up = p->up[0], y = p->out[0];
    if (gt_rank(y) == 0 || gt_rank(y) == gt_rank(p->in[0])) {
        p->gx[0] = gt_chain(up, INDICATOR(gt_equal(p->in[0], y)));
        m->hits++;
        return true;
    }
    return right(m, p);
}
LOCAL_ERROR(relu_on_at_zero, INDICATOR(gt_greater_equal(x, CONSTANT(0))))
LOCAL_ERROR(clamp_open, INDICATOR(gt_logical_and(gt_greater(x, CONSTANT(p->arg[0].real)),
                                                 gt_less(x, CONSTANT(p->arg[1].real)))))
LOCAL_ERROR(abs_one_at_zero, gt_sub(gt_mul_scalar(gt_step(x), 2), CONSTANT(1)))

/* Sums and shapes. */
static bool product_as_sum(mutant *m, gt_pull *p) {
    if (gt_numel(gt_shape_of(p->in[0])) != gt_numel(gt_shape_of(p->out[0]))) m->hits++;
    gt_tensor up = p->up[0];
    if (gt_numel(gt_shape_of(up)) != 1) return right(m, p);
    p->gx[0] = gt_expand(gt_reshape(up, GT_SCALAR), gt_shape_of(p->in[0]));
    return true;
}
/* The running sum of the upstream must go backwards along the axis; its attribute is the axis,
 * whatever its layout: recorded again as it stands, it goes forwards. */
static bool running_sum_forwards(mutant *m, gt_pull *p) {
    p->gx[0] = gt_record_copy(p->out[0], &p->up[0]);
    m->hits++;
    return true;
}
/* A product's operands as they stand, where one must be transposed. */
static bool product_untransposed(mutant *m, gt_pull *p) {
    const gt_shape a = gt_shape_of(p->in[0]), b = gt_shape_of(p->in[1]);
    if (a.rank != 2 || b.rank != 2) return right(m, p);
    if (!right(m, p)) return false;
    if (b.dim[0] == b.dim[1]) p->gx[0] = gt_matmul(p->up[0], p->in[1]);
    if (a.dim[0] == a.dim[1]) p->gx[1] = gt_matmul(p->in[0], p->up[0]);
    m->hits += b.dim[0] == b.dim[1] || a.dim[0] == a.dim[1];
    return true;
}
/* An index that occurs twice must get both contributions: here it gets their mean, or the last. */
static bool repeated_index_averaged(mutant *m, gt_pull *p) {
    if (!right(m, p)) return false;
    const gt_tensor sum = p->gx[0];
    gt_tensor ones = ones_like(p->up[0]);
    gt_pull q = *p;
    q.up = &ones;
    if (!right(m, &q)) return false;
    const gt_tensor count = gt_maximum(p->gx[0], CONSTANT(1));
    p->gx[0] = gt_div(sum, count);
    m->hits++;
    return true;
}

/* ---- errors in kernels ----------------------------------------------------------------------- */

static void scale_results(const gt_call *call, double factor, bool narrow_too) {
    for (int k = 0; k < call->n_out; k++) {
        const int64_t n = gt_numel(call->out[k].shape);
        for (int64_t i = 0; i < n && call->out[k].dtype == GT_F64; i++)
            ((double *)call->out[k].data)[i] *= factor;
        for (int64_t i = 0; i < n && call->out[k].dtype == GT_F32 && narrow_too; i++)
            ((float *)call->out[k].data)[i] *= (float)factor;
    }
}
static bool kernel_scaled(gt_call *call) {
    mutant *m = planted_in(call->op);
    if (!m->original->kernel(call)) return false;
    scale_results(call, 1.001, true);
    m->hits++;
    return true;
}
/* Right in f32 and wrong in f64 looks, from f64, as f32 does when it is wrong. */
static bool kernel_wrong_in_one_kind(gt_call *call) {
    mutant *m = planted_in(call->op);
    if (!m->original->kernel(call)) return false;
    for (int64_t i = 0; i < gt_numel(call->out[0].shape) && call->out[0].dtype == GT_F32; i++) {
        ((float *)call->out[0].data)[i] *= 1.0001f;
        m->hits++;
    }
    return true;
}
/* Backwards it would leave the block, which is no error for this test to find. */
static bool copy_without_strides(gt_call *call) {
    const gt_array *in = &call->in[0];
    const size_t bytes = (size_t)gt_numel(in->shape) * gt_dtype_size(in->dtype);
    bool backwards = false;
    for (int d = 0; d < in->shape.rank; d++) backwards = backwards || in->stride[d] < 0;
    if (bytes && !backwards) memcpy(call->out[0].data, in->data, bytes);
    if (bytes && backwards) memset(call->out[0].data, 0, bytes);
    planted_in(call->op)->hits++;
    return true;
}
static bool kernel_not_repeatable(gt_call *call) {
    mutant *m = planted_in(call->op);
    if (!m->original->kernel(call)) return false;
    scale_results(call, 1 + 1e-14 * ++m->hits, false);
    return true;
}

/* ---- the tables ------------------------------------------------------------------------------ */

const planted_error mutant_rules[] = {
    {"sign", wrong_sign, NULL},
    {"factor one half", planted_half, NULL},
    {"extra term", extra_term, NULL},
    {"upstream forgotten", no_upstream, NULL},
    {"first operand forgotten", first_forgotten, NULL},
    {"second operand forgotten", second_forgotten, NULL},
    {"last element forgotten", last_forgotten, NULL},
    {"elements off by one", one_off, NULL},
    {"reversed", reversed, NULL},
    {"divided by the number of results", mean_for_sum, NULL},
    {"transposed", transposed, " neg add mul tanh where copy flip cumsum tril matmul "},
    {"mean over broadcast copies", mean_over_broadcast, NULL},
    {"operands' gradients swapped", swapped,
     " sub mul div pow atan2 hypot logaddexp maximum where matmul "},
    {"taken at another point", wrong_point,
     " square sqrt cbrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos "
     "atan sinh "
     "cosh tanh sigmoid softplus erf erfc mul div pow atan2 hypot pow_scalar prod norm logsumexp "
     "matmul "},
    {"no second derivative", no_second_order,
     " square sqrt cbrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos "
     "atan sinh "
     "cosh tanh sigmoid softplus erf erfc mul div pow atan2 hypot logaddexp pow_scalar chain prod "
     "var std norm "
     "logsumexp matmul "},
    {"1 - y for 1 - y^2", tanh_not_squared, " tanh "},
    {"x for y", tanh_of_input, " tanh "},
    {"x for y", sigmoid_of_input, " sigmoid "},
    {"factor y forgotten", sigmoid_one_factor, " sigmoid "},
    {"the other side", relu_other_side, " relu "},
    {"both sides", relu_always_on, " relu leaky_relu "},
    {"base forgotten", log_to_another_base, " log2 log10 "},
    {"base forgotten", exponential_to_e, " exp2 "},
    {"y for 1 + y", exponential_to_e, " expm1 "},
    {"1 / y for 1 / 2y", square_root_unhalved, " sqrt "},
    {"-y for -y^2", reciprocal_unsquared, " reciprocal "},
    {"sin for -sin", cosine_as_sine, " cos "},
    {"upper bound forgotten", clamp_open_above, " clamp "},
    {"exponent not lowered", power_undiminished, " pow_scalar "},
    {"tanh for sigmoid", softplus_as_tanh, " softplus "},
    {"gradient of a sum", product_as_sum, " prod mean "},
    {"forwards", running_sum_forwards, " cumsum "},
    {"not transposed", product_untransposed, " matmul "},
    {"repeated indices averaged", repeated_index_averaged, " gather take_along_axis "},
    {NULL, NULL, NULL},
};

const planted_error mutant_kinks[] = {
    {"all to the first of equals", winner_takes_all, " maximum "},
    {"all to each of equals", winners_all_take_all, " max min "},
    {"1 at 0", relu_on_at_zero, " relu "},
    {"0 at the bounds", clamp_open, " clamp "},
    {"1 at 0", abs_one_at_zero, " abs "},
    {NULL, NULL, NULL},
};

const planted_kernel mutant_kernels[] = {
    {"values too large by a thousandth", kernel_scaled, "matmul"},
    {"values too large by a thousandth", kernel_scaled, "logsumexp"},
    {"values too large by a thousandth", kernel_scaled, "cumsum"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "sum"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "matmul"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "copy"},
    {"values change from run to run", kernel_not_repeatable, "sum"},
    {"values change from run to run", kernel_not_repeatable, "copy"},
    {"strides announced, and not read", copy_without_strides, "copy"},
    {NULL, NULL, NULL},
};

/* An element-wise kernel taken from the wrong row. */
const char *const mutant_tiles[][2] = {
    {"sin", "cos"},      {"exp", "exp2"},  {"log", "log2"},        {"tanh", "erf"},
    {"softplus", "exp"}, {"mul", "add"},   {"maximum", "minimum"}, {"abs", "relu"},
    {"hypot", "atan2"},  {"sqrt", "cbrt"}, {"less", "greater"},    {"floor", "ceil"},
    {NULL, NULL},
};
