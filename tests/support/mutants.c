/* tests/support/mutants.c: tests of the tests. Operations are copied, an error is planted in the copy, and the
 * harness must say FAIL: neither PASS nor CANNOT_TELL. A copy without error must PASS.
 *
 * A planted rule finds out whose copy it is from the node that it differentiates: the operation is the first
 * member of a mutant. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "support/harness.h"
#include "support/sweeps.h"

typedef struct mutant mutant;
typedef bool planted_rule(mutant *m, gt_pull *p);

struct mutant {
    gt_op op;
    const gt_op *original;
    planted_rule *rule;
    int hits; /* how often the error had its effect */
};

static mutant *mutant_of(const gt_op *op) { return (mutant *)(uintptr_t)op; }

/* ---- what rules are made of ------------------------------------------------------------------------------ */

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

/* The right contributions, each changed by `damage`, which may leave some alone by returning nothing. */
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

/* ---- errors that any rule may have -------------------------------------------------------------------------- */

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
    const gt_tensor keep = gt_cast(gt_less(place, gt_scalar(p->tape, (double)n - 1, gt_dtype_of(place))),
                                   gt_dtype_of(place));
    return gt_mul(p->gx[k], gt_reshape(keep, gt_shape_of(p->gx[k])));
}
static gt_tensor roll(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->gx[k]));
    if (n < 2) return gt_none();
    const gt_tensor flat = gt_reshape(p->gx[k], GT_SHAPE(n));
    const gt_tensor last = gt_slice(flat, 0, n - 1, GT_END, 1), others = gt_slice(flat, 0, 0, n - 1, 1);
    return gt_reshape(gt_concat(GT_LIST(last, others), 0), gt_shape_of(p->gx[k]));
}
static gt_tensor reverse(const gt_pull *p, int k) {
    return gt_numel(gt_shape_of(p->gx[k])) < 2 ? gt_none() : gt_flip(p->gx[k], GT_ALL);
}
static gt_tensor transpose_square(const gt_pull *p, int k) {
    const gt_shape s = gt_shape_of(p->gx[k]);
    const bool square = s.rank >= 2 && s.dim[s.rank - 1] == s.dim[s.rank - 2] && s.dim[s.rank - 1] > 1;
    const bool own = gt_same_shape(s, gt_shape_of(p->in[k])); /* else its copies are summed, in any order */
    return square && own ? gt_t(p->gx[k]) : gt_none();
}
/* An operand that was broadcast must get the sum over the copies: here it gets their mean. */
static gt_tensor mean_of_copies(const gt_pull *p, int k) {
    const int64_t n = gt_numel(gt_shape_of(p->in[k])), copies = gt_numel(gt_shape_of(p->gx[k]));
    if (n == 0 || copies <= n) return gt_none();
    return gt_mul_scalar(gt_sum_to(p->gx[k], gt_shape_of(p->in[k])), (double)n / (double)copies);
}

static bool wrong_sign(mutant *m, gt_pull *p) { return damaged(m, p, negate); }
static bool wrong_factor(mutant *m, gt_pull *p) { return damaged(m, p, halve); }
static bool extra_term(mutant *m, gt_pull *p) { return damaged(m, p, add_operand); }
static bool mean_for_sum(mutant *m, gt_pull *p) { return damaged(m, p, average); }
static bool last_forgotten(mutant *m, gt_pull *p) { return damaged(m, p, drop_last); }
static bool one_off(mutant *m, gt_pull *p) { return damaged(m, p, roll); }
static bool reversed(mutant *m, gt_pull *p) { return damaged(m, p, reverse); }
static bool transposed(mutant *m, gt_pull *p) { return damaged(m, p, transpose_square); }
static bool mean_over_broadcast(mutant *m, gt_pull *p) { return damaged(m, p, mean_of_copies); }

static bool no_upstream(mutant *m, gt_pull *p) { return misled(m, p, unchanged, unchanged, ones_like); }
static bool wrong_point(mutant *m, gt_pull *p) { return misled(m, p, moved, moved, unchanged); }
static bool no_second_order(mutant *m, gt_pull *p) { return misled(m, p, stopped, stopped, unchanged); }

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

/* ---- errors of one operation --------------------------------------------------------------------------------- */

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

/* Sums and shapes. */
static bool product_as_sum(mutant *m, gt_pull *p) {
    if (gt_numel(gt_shape_of(p->in[0])) != gt_numel(gt_shape_of(p->out[0]))) m->hits++;
    gt_tensor up = p->up[0];
    if (gt_numel(gt_shape_of(up)) != 1) return right(m, p);
    p->gx[0] = gt_expand(gt_reshape(up, GT_SCALAR), gt_shape_of(p->in[0]));
    return true;
}
/* The running sum of the upstream must go backwards along the axis; its attribute is the axis, whatever its
 * layout: recorded again as it stands, it goes forwards. */
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

/* ---- errors in kernels ------------------------------------------------------------------------------------------ */

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
    mutant *m = mutant_of(call->op);
    if (!m->original->kernel(call)) return false;
    scale_results(call, 1.001, true);
    m->hits++;
    return true;
}
/* Right in f32 and wrong in f64 looks, from f64, as f32 does when it is wrong. */
static bool kernel_wrong_in_one_kind(gt_call *call) {
    mutant *m = mutant_of(call->op);
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
    mutant_of(call->op)->hits++;
    return true;
}
static bool kernel_not_repeatable(gt_call *call) {
    mutant *m = mutant_of(call->op);
    if (!m->original->kernel(call)) return false;
    scale_results(call, 1 + 1e-14 * ++m->hits, false);
    return true;
}

/* ---- planting ----------------------------------------------------------------------------------------------------- */

typedef struct planted_error {
    const char *what;
    planted_rule *rule;
    const char *only; /* " name name ": operations where it is an error; NULL: all with a gradient */
} planted_error;

static const planted_error errors[] = {
    {"sign", wrong_sign, NULL},
    {"factor one half", wrong_factor, NULL},
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
    {"operands' gradients swapped", swapped, " sub mul div pow atan2 hypot logaddexp maximum where matmul "},
    {"taken at another point", wrong_point,
     " square sqrt cbrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh "
     "cosh tanh sigmoid softplus erf erfc mul div pow atan2 hypot pow_scalar prod norm logsumexp matmul "},
    {"no second derivative", no_second_order,
     " square sqrt cbrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh "
     "cosh tanh sigmoid softplus erf erfc mul div pow atan2 hypot logaddexp pow_scalar chain prod var std norm "
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
};

typedef struct planted_kernel {
    const char *what;
    bool (*kernel)(gt_call *call);
    const char *op;
} planted_kernel;

static const planted_kernel kernels[] = {
    {"values too large by a thousandth", kernel_scaled, "matmul"},
    {"values too large by a thousandth", kernel_scaled, "logsumexp"},
    {"values too large by a thousandth", kernel_scaled, "cumsum"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "sum"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "matmul"},
    {"f32 too large by a ten-thousandth", kernel_wrong_in_one_kind, "copy"},
    {"values change from run to run", kernel_not_repeatable, "sum"},
    {"values change from run to run", kernel_not_repeatable, "copy"},
};

/* An element-wise kernel taken from the wrong row. */
static const char *const mixed_up[][2] = {
    {"sin", "cos"},    {"exp", "exp2"},        {"log", "log2"},   {"tanh", "erf"},    {"softplus", "exp"},
    {"mul", "add"},    {"maximum", "minimum"}, {"abs", "relu"},   {"hypot", "atan2"}, {"sqrt", "cbrt"},
    {"less", "greater"}, {"floor", "ceil"},
};

typedef struct tester {
    FILE *out;
    int planted, caught, controls, right;
} tester;

static const gt_op *find_op(const char *name) {
    for (int i = 0; gt_op_at(i); i++)
        if (strcmp(gt_op_at(i)->name, name) == 0) return gt_op_at(i);
    return NULL;
}

static verdict verdict_of(const mutant *m, findings *f) {
    const subject s = {m->original->name, m->original, m->original->samples, &m->op};
    return check_subject(&s, false, f);
}

/* An error that never had an effect (a second operand forgotten where there is one) is none. */
static void expect_fail(tester *t, const mutant *m, const char *what, bool always) {
    findings f;
    const verdict v = verdict_of(m, &f);
    if (m->hits == 0 && !always) return;
    t->planted++;
    t->caught += v == FAIL;
    if (v == FAIL) return;
    fprintf(t->out, "NOT CAUGHT (%s): %s with a planted error: %s\n", v == PASS ? "pass" : "cannot tell",
            m->original->name, what);
}

static bool planted_pull(gt_pull *p) {
    mutant *m = mutant_of(gt_op_of(p->out[0]));
    return m->rule(m, p);
}

static bool has_rule(const gt_op *op) { return op->gradient.pull || op->gradient.local; }

static bool is_named(const char *list, const char *name) {
    char padded[80];
    snprintf(padded, sizeof padded, " %s ", name);
    return strstr(list, padded) != NULL;
}

static void plant_rules(tester *t, const gt_op *op) {
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        if (errors[e].only && !is_named(errors[e].only, op->name)) continue;
        mutant m = {*op, op, errors[e].rule, 0};
        m.op.gradient = (gt_gradient)GT_PULL(planted_pull);
        expect_fail(t, &m, errors[e].what, false);
    }
}

static void check_control(tester *t, const gt_op *op) {
    findings f;
    const mutant m = {*op, op, NULL, 0};
    const verdict v = verdict_of(&m, &f);
    t->controls++;
    t->right += v == PASS;
    if (v != PASS) fprintf(t->out, "NOT PASSED: %s, copied without error: %s\n", op->name, f.first);
}

static void plant_kernels(tester *t) {
    for (size_t e = 0; e < sizeof kernels / sizeof *kernels; e++) {
        const gt_op *op = find_op(kernels[e].op);
        if (!op || !op->kernel) continue;
        mutant m = {*op, op, NULL, 0};
        m.op.kernel = kernels[e].kernel;
        expect_fail(t, &m, kernels[e].what, true);
    }
    for (size_t e = 0; e < sizeof mixed_up / sizeof *mixed_up; e++) {
        const gt_op *op = find_op(mixed_up[e][0]), *other = find_op(mixed_up[e][1]);
        if (!op || !other) continue;
        mutant m = {*op, op, NULL, 0};
        m.op.more.tile = other->more.tile;
        expect_fail(t, &m, "the kernel of another row", true);
    }
    const gt_op *copy = find_op("copy");
    if (!copy) return;
    mutant m = {*copy, copy, NULL, 0};
    m.op.kernel = copy_without_strides;
    m.op.more.traits |= GT_STRIDED;
    expect_fail(t, &m, "a kernel that says it reads strides, and does not", true);
}

static bool only_zeros(const gt_op *op) {
    for (int k = 0; k < 3; k++)
        if (op->more.gradient_text[k] && strcmp(op->more.gradient_text[k], "ZERO") != 0) return false;
    return op->more.gradient_text[0] != NULL;
}

void sweep_mutants(FILE *out, const char *name, score *s) {
    tester t = {.out = out};
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        if (!has_rule(op) || only_zeros(op) || (name && strcmp(name, op->name) != 0)) continue;
        check_control(&t, op);
        plant_rules(&t, op);
    }
    if (!name) plant_kernels(&t);
    fprintf(out, "copies without error passed %d of %d\n", t.right, t.controls);
    fprintf(out, "planted errors caught %d of %d\n", t.caught, t.planted);
    s->passed += t.right + t.caught;
    s->failed += t.controls - t.right + t.planted - t.caught;
}
