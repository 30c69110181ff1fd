/* formula/readback.c: from a tape back to formulas. From the tensor down to what the recording knows; then up again,
 * one node of the arena for one of the tape, so that what is shared on the tape is shared here. */
#include <string.h>

#include "formula/arena.h"
#include "formula/recording.h"
#include "ops/ops.h"

enum { MOST_NODES = 200 };

typedef struct reader {
    gt_recording *r;
    gt_formula *f;
    gt_expr *of; /* by tensor: its expression; UNKNOWN, or NEEDED */
    uint32_t size;
} reader;
static const gt_expr UNKNOWN = UINT32_MAX, NEEDED = UINT32_MAX - 1;

static gt_expr make(reader *d, gt_expr_kind kind, gt_expr a, gt_expr b) {
    return gt_expr_make(d->f, kind, a, b);
}

static bool is_number(const reader *d, gt_expr e, double *value) {
    return gt__is_expr(d->f, e) && gt__literal(d->f, e, value);
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

static bool is_column_by_row(gt_shape a, gt_shape b) {
    return a.rank == 2 && b.rank == 2 && a.dim[1] == 1 && b.dim[0] == 1 && a.dim[0] > 1 &&
           b.dim[1] > 1;
}

static gt_expr times(reader *d, gt_expr a, gt_expr b, gt_shape sa, gt_shape sb) {
    double value;
    if (is_number(d, a, &value) && value == 1) return b;
    if (is_number(d, b, &value) && value == 1) return a;
    if (is_number(d, a, &value) && value == -1) return make(d, GT_EXPR_NEG, b, gt_no_expr);
    if (is_number(d, b, &value) && value == -1) return make(d, GT_EXPR_NEG, a, gt_no_expr);
    if (is_number(d, b, &value)) return make(d, GT_EXPR_MUL, b, a);
    if (is_column_by_row(sa, sb))
        return make(d, GT_EXPR_MUL, a, make(d, GT_EXPR_TRANSPOSE, b, gt_no_expr));
    const bool scalar = sa.rank == 0 || sb.rank == 0;
    return make(d, scalar ? GT_EXPR_MUL : GT_EXPR_TIMES, a, b);
}

static gt_expr over(reader *d, gt_expr a, gt_expr b, gt_shape sb) {
    return make(d, sb.rank == 0 ? GT_EXPR_DIV : GT_EXPR_OVER, a, b);
}

static gt_expr raised(reader *d, gt_expr a, gt_expr exponent, gt_shape sa) {
    return make(d, sa.rank == 0 ? GT_EXPR_POW : GT_EXPR_POWER, a, exponent);
}

static gt_expr number(reader *d, double value) { return gt_expr_number(d->f, value); }

static gt_expr plus_number(reader *d, gt_expr a, double value) {
    return value < 0 ? make(d, GT_EXPR_SUB, a, number(d, -value))
                     : make(d, GT_EXPR_ADD, a, number(d, value));
}

/* A vector is a view of one row or column in a product: what was viewed has one axis. */
static gt_expr side(reader *d, gt_tensor t, bool left) {
    const gt_expr e = d->of[t.index];
    while (gt_n_in(t) == 1 && strcmp(gt_op_of(t)->name, "reshape") == 0) t = gt_in(t, 0);
    return left && gt_rank(t) == 1 ? make(d, GT_EXPR_TRANSPOSE, e, gt_no_expr) : e;
}

static gt_expr accumulated(reader *d, gt_tensor t) {
    gt_expr sum = d->of[gt_in(t, 0).index];
    for (int k = 1; k < gt_n_in(t); k++) sum = make(d, GT_EXPR_ADD, sum, d->of[gt_in(t, k).index]);
    return sum;
}

/* A sum over one axis, or over all; several of more are sums of sums. Axes that stay with size 1 are left out. */
static gt_expr summed(reader *d, gt_tensor t) {
    const gt_axes axes = gt_reduced_axes(t);
    const char *name = gt_op_of(t)->name;
    gt_expr argument[2] = {d->of[gt_in(t, 0).index], gt_no_expr};
    const int rank = gt_rank(gt_in(t, 0));
    if (axes.count < 0 || axes.count == rank) return gt_expr_call(d->f, name, argument, 1);
    if (axes.count == 0) return argument[0];
    if (axes.count != 1) return gt_no_expr;
    argument[1] = number(d, axes.axis[0]);
    if (strcmp(name, "max") == 0) name = "max_over";
    if (strcmp(name, "min") == 0) name = "min_over";
    return gt_expr_call(d->f, name, argument, 2);
}

/* A call by name; numbers of a row follow its operands. */
static gt_expr call(reader *d, gt_tensor t) {
    const char *name = gt_op_of(t)->name;
    gt_expr argument[GT__MOST_CHILDREN];
    const int n = gt_n_in(t);
    if (n == 0 || n > GT__MOST_CHILDREN - 2) return gt_no_expr;
    for (int k = 0; k < n; k++) argument[k] = d->of[gt_in(t, k).index];
    const gt__function *f = gt__function_find(name, strlen(name), -1);
    if (!f || f->tensors != n || !(gt_op_of(t)->more.traits & GT_ELEMENTWISE)) return gt_no_expr;
    for (int k = 0; k < f->most; k++) argument[n + k] = number(d, gt_args(t)[k].real);
    return gt_expr_call(d->f, name, argument, n + f->most);
}

/* ---- one node of the tape ---------------------------------------------------------------------------------------- */

typedef struct gate {
    gt_tensor t;
    gt_expr a, b;
    gt_shape sa, sb;
    double p;
} gate;

static gt_expr gate_neg(reader *d, const gate *g) { return make(d, GT_EXPR_NEG, g->a, gt_no_expr); }
static gt_expr gate_add(reader *d, const gate *g) { return make(d, GT_EXPR_ADD, g->a, g->b); }
static gt_expr gate_sub(reader *d, const gate *g) { return make(d, GT_EXPR_SUB, g->a, g->b); }
static gt_expr gate_mul(reader *d, const gate *g) { return times(d, g->a, g->b, g->sa, g->sb); }
static gt_expr gate_div(reader *d, const gate *g) { return over(d, g->a, g->b, g->sb); }
static gt_expr gate_pow(reader *d, const gate *g) { return raised(d, g->a, g->b, g->sa); }
static gt_expr gate_square(reader *d, const gate *g) {
    return raised(d, g->a, number(d, 2), g->sa);
}
static gt_expr gate_power(reader *d, const gate *g) {
    return raised(d, g->a, number(d, g->p), g->sa);
}
static gt_expr gate_reciprocal(reader *d, const gate *g) {
    return over(d, number(d, 1), g->a, g->sa);
}
static gt_expr gate_plus(reader *d, const gate *g) { return plus_number(d, g->a, g->p); }
static gt_expr gate_scale(reader *d, const gate *g) {
    return times(d, number(d, g->p), g->a, GT_SCALAR, g->sa);
}
static gt_expr gate_matmul(reader *d, const gate *g) {
    return make(d, GT_EXPR_MUL, side(d, gt_in(g->t, 0), true), side(d, gt_in(g->t, 1), false));
}
static gt_expr gate_same(reader *d, const gate *g) {
    (void)d;
    return g->a;
}
static gt_expr gate_transpose(reader *d, const gate *g) {
    const gt_shape to = gt_shape_of(g->t);
    const bool swapped = to.rank == 2 && to.dim[0] == g->sa.dim[1] && to.dim[1] == g->sa.dim[0];
    return swapped ? make(d, GT_EXPR_TRANSPOSE, g->a, gt_no_expr) : gt_no_expr;
}
static gt_expr gate_full(reader *d, const gate *g) { return number(d, g->p); }
static gt_expr gate_accumulate(reader *d, const gate *g) { return accumulated(d, g->t); }
static gt_expr gate_reduce(reader *d, const gate *g) { return summed(d, g->t); }
static gt_expr gate_call(reader *d, const gate *g) { return call(d, g->t); }

static const struct {
    const char *op;
    gt_expr (*spell)(reader *d, const gate *g);
} spellings[] = {
    {"neg", gate_neg},          {"add", gate_add},
    {"sub", gate_sub},          {"mul", gate_mul},
    {"chain", gate_mul},        {"div", gate_div},
    {"pow", gate_pow},          {"square", gate_square},
    {"pow_scalar", gate_power}, {"reciprocal", gate_reciprocal},
    {"add_scalar", gate_plus},  {"mul_scalar", gate_scale},
    {"matmul", gate_matmul},    {"permute", gate_transpose},
    {"reshape", gate_same},     {"expand", gate_same},
    {"copy", gate_same},        {"identity", gate_same},
    {"full", gate_full},        {"accumulate", gate_accumulate},
    {"sum", gate_reduce},       {"prod", gate_reduce},
    {"max", gate_reduce},       {"min", gate_reduce},
};

static gt_expr spell(reader *d, gt_tensor t) {
    const int n = gt_n_in(t);
    gate g = {.t = t, .a = gt_no_expr, .b = gt_no_expr};
    if (gt_out_index(t) > 0) return gt_no_expr;
    if (n > 0) g.a = d->of[gt_in(t, 0).index], g.sa = gt_shape_of(gt_in(t, 0));
    if (n > 1) g.b = d->of[gt_in(t, 1).index], g.sb = gt_shape_of(gt_in(t, 1));
    if (gt_n_args(t) > 0) g.p = gt_args(t)[0].real;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strcmp(spellings[i].op, gt_op_of(t)->name) == 0) return spellings[i].spell(d, &g);
    return gate_call(d, &g);
}

/* ---- the walk ------------------------------------------------------------------------------------------------------ */

static bool is_name(const reader *d, gt_expr e) {
    return gt__is_expr(d->f, e) && d->f->expr[e].kind == GT_EXPR_NAME;
}

static void know_what_is_recorded(reader *d) {
    const gt_recording *r = d->r;
    for (uint32_t i = 0; i < d->size; i++) d->of[i] = UNKNOWN;
    for (gt_expr e = 0; e < d->f->n_exprs; e++) {
        const gt_tensor t = gt_expr_tensor(r, e);
        if (!gt_is_none(t) && t.index < d->size && (d->of[t.index] == UNKNOWN || is_name(d, e)))
            d->of[t.index] = e;
    }
    for (uint32_t s = 0; s < d->f->n_symbols && s < r->bound_room; s++) {
        const gt_tensor t = r->bound[s];
        if (t.tape != r->tape || !gt_valid(t) || t.index >= d->size) continue;
        if (!is_name(d, d->of[t.index])) d->of[t.index] = gt_expr_name(d->f, d->f->symbol[s].text);
    }
    for (uint32_t i = 0; i < r->n_aliases; i++) {
        const gt__alias *a = &r->alias[i];
        const gt_tensor named = gt_expr_tensor(r, a->expr);
        if (!gt_valid(a->tensor) || a->tensor.index >= d->size) continue;
        d->of[a->tensor.index] =
            !gt_is_none(named) && named.index < d->size ? d->of[named.index] : a->expr;
    }
}

/* Marks what has to be spelled, from t down; returns the lowest, or UINT32_MAX when it is too much. */
static uint32_t mark_needed(reader *d, gt_tensor t) {
    uint32_t low = t.index, count = 0;
    if (d->of[t.index] == UNKNOWN) d->of[t.index] = NEEDED;
    for (uint32_t i = t.index;; i--) {
        const gt_tensor at = gt_tensor_at(t.tape, i);
        if (d->of[i] == NEEDED) {
            if (++count > MOST_NODES) return UINT32_MAX;
            for (int k = 0; k < gt_n_in(at); k++) {
                const uint32_t in = gt_in(at, k).index;
                if (d->of[in] == UNKNOWN) d->of[in] = NEEDED;
                if (d->of[in] == NEEDED && in < low) low = in;
            }
        }
        if (i == low) return low;
    }
}

gt_expr gt_formula_of(gt_recording *r, gt_tensor t) {
    if (t.tape != r->tape || !gt_valid(t)) return gt_no_expr;
    const gt_allocator a = r->f->allocator;
    reader d = {r, r->f, NULL, t.index + 1};
    d.of = a.resize(a.user, NULL, 0, d.size * sizeof *d.of);
    if (!d.of) return gt_no_expr;
    know_what_is_recorded(&d);
    const uint32_t low = mark_needed(&d, t);
    for (uint32_t i = low; low != UINT32_MAX && i <= t.index; i++)
        if (d.of[i] == NEEDED) d.of[i] = spell(&d, gt_tensor_at(t.tape, i));
    const gt_expr e = low == UINT32_MAX ? gt_no_expr : d.of[t.index];
    a.resize(a.user, d.of, d.size * sizeof *d.of, 0);
    return gt__is_expr(r->f, e) && gt_expr_size(r->f, e) <= MOST_NODES ? e : gt_no_expr;
}
