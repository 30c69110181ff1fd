/* formula/record.c: expressions become tensors. A recording is the names and nodes of one formula on one tape; nodes
 * are taken in the order of the arena, in which operands stand first. */
#include <stdio.h>
#include <string.h>

#include "formula/arena.h"
#include "formula/recording.h"
#include "ops/ops.h"

gt_recording *gt_recording_new(gt_formula *f, gt_tape *tape) {
    gt_recording *r = f->allocator.resize(f->allocator.user, NULL, 0, sizeof *r);
    if (r) *r = (gt_recording){.f = f, .tape = tape};
    return r;
}

void gt_recording_free(gt_recording *r) {
    if (!r) return;
    const gt_allocator a = r->f->allocator;
    if (r->bound) a.resize(a.user, r->bound, r->bound_room * sizeof *r->bound, 0);
    if (r->made) a.resize(a.user, r->made, r->made_room * sizeof *r->made, 0);
    if (r->alias) a.resize(a.user, r->alias, r->alias_room * sizeof *r->alias, 0);
    if (r->needed) a.resize(a.user, r->needed, r->needed_room * sizeof *r->needed, 0);
    a.resize(a.user, r, sizeof *r, 0);
}

/* Grows a list, what is new being zero. */
static bool grow(gt_recording *r, void *block, uint32_t *room, uint64_t need, size_t item) {
    const uint32_t before = *room;
    if (!gt__widen(&r->f->allocator, block, room, need, item)) return false;
    char *start;
    memcpy(&start, block, sizeof start);
    if (*room > before) memset(start + before * item, 0, (*room - before) * item);
    return true;
}

static bool valid_on(const gt_recording *r, gt_tensor t) {
    return t.tape == r->tape && gt_valid(t);
}

static bool bind(gt_recording *r, uint32_t symbol, gt_tensor value) {
    if (!grow(r, &r->bound, &r->bound_room, (uint64_t)symbol + 1, sizeof *r->bound)) return false;
    r->bound[symbol] = value;
    return true;
}

bool gt_recording_bind(gt_recording *r, const char *name, gt_tensor value) {
    const uint32_t symbol = gt__symbol_of(r->f, name, strlen(name));
    return symbol != GT__ANONYMOUS && bind(r, symbol, value);
}

static gt_tensor bound(const gt_recording *r, uint32_t symbol) {
    return symbol < r->bound_room && valid_on(r, r->bound[symbol]) ? r->bound[symbol] : gt_none();
}

gt_tensor gt_recorded(const gt_recording *r, const char *name) {
    return bound(r, gt__symbol_find(r->f, name, strlen(name)));
}

gt_tensor gt_expr_tensor(const gt_recording *r, gt_expr e) {
    const bool made = e < r->made_room && gt__is_expr(r->f, e) &&
                      r->made[e].serial == r->f->expr[e].serial && valid_on(r, r->made[e].tensor);
    return made ? r->made[e].tensor : gt_none();
}

/* ---- one node ------------------------------------------------------------------------------------------------- */

static gt_tensor constant(gt_recording *r, double number) {
    return gt_full(r->tape, GT_SCALAR, number, GT_F64);
}

static gt_tensor name(gt_recording *r, const gt__expr *n) {
    const gt__symbol *s = &r->f->symbol[n->name];
    const gt_tensor t = bound(r, n->name);
    if (!gt_is_none(t)) return t;
    if (strcmp(s->text, "pi") == 0) return constant(r, 3.14159265358979323846);
    return gt_fail(r->tape, s->defined < 0 ? "%s has no value" : "%s has no value yet", s->text);
}

static gt_tensor array(gt_recording *r, const gt__expr *n) {
    const int64_t columns = n->name, rows = columns ? n->count / columns : 0;
    const gt_shape shape = n->number == 2 ? GT_SHAPE(rows, columns) : GT_SHAPE(columns);
    return gt_input(r->tape, r->f->number + n->first, shape, GT_F64);
}

static gt_tensor refuse_product(gt_recording *r, gt_tensor a, gt_tensor b) {
    char x[200], y[200];
    return gt_fail(
        r->tape,
        "%s and %s are vectors: a'*b is their inner product, a*b' their outer, and .* goes "
        "element by element",
        gt_label(a, x, sizeof x), gt_label(b, y, sizeof y));
}

/* A vector has no orientation, but what was written has: x' and x'*A are rows. */
static bool is_row(const gt_recording *r, gt_expr e) {
    const gt__expr *n = &r->f->expr[e];
    const gt_expr *child = r->f->child + n->first;
    switch (n->kind) {
    case GT_EXPR_TRANSPOSE: return !is_row(r, child[0]);
    case GT_EXPR_MUL: {
        const gt_tensor left = gt_expr_tensor(r, child[0]);
        return is_row(r, child[!gt_is_none(left) && gt_rank(left) == 0]);
    }
    case GT_EXPR_NEG:
    case GT_EXPR_DIV: return is_row(r, child[0]);
    case GT_EXPR_ADD:
    case GT_EXPR_SUB:
    case GT_EXPR_TIMES:
    case GT_EXPR_OVER: return is_row(r, child[0]) || is_row(r, child[1]);
    default: return false;
    }
}

static gt_tensor product(gt_recording *r, const gt_expr *child, gt_tensor a, gt_tensor b) {
    if (gt_rank(a) == 0 || gt_rank(b) == 0) return gt_mul(a, b);
    if (gt_rank(a) != 1 || gt_rank(b) != 1) return gt_matmul(a, b);
    const bool row = is_row(r, child[0]), column = is_row(r, child[1]);
    if (row == column) return refuse_product(r, a, b);
    return row ? gt_dot(a, b) : gt_outer(a, b);
}

static gt_tensor quotient(gt_recording *r, gt_tensor a, gt_tensor b) {
    if (gt_rank(b) == 0) return gt_div(a, b);
    return gt_fail(r->tape, "division by an array: ./ goes element by element");
}

static gt_tensor to_power(gt_recording *r, const gt__expr *n, gt_tensor a, gt_tensor b) {
    double exponent;
    if (n->kind == GT_EXPR_POW && gt_rank(a) > 0)
        return gt_fail(r->tape, "the power of an array: .^ goes element by element");
    if (!gt__literal(r->f, r->f->child[n->first + 1], &exponent)) return gt_pow(a, b);
    return exponent == 2 ? gt_square(a) : gt_pow_scalar(a, exponent);
}

/* The exponent of a power and the numbers of a call are no operands. */
static bool is_operand(const gt_formula *f, const gt__expr *n, uint32_t k) {
    double number;
    if (n->kind == GT_EXPR_CALL) return k < (uint32_t)n->function->tensors;
    if (n->kind == GT_EXPR_POW || n->kind == GT_EXPR_POWER)
        return k == 0 || !gt__literal(f, f->child[n->first + k], &number);
    return true;
}

static gt_tensor call(gt_recording *r, const gt__expr *n, const gt_tensor *x) {
    double number[GT__MOST_CHILDREN];
    const uint32_t operands = (uint32_t)n->function->tensors;
    for (uint32_t k = operands; k < n->count; k++)
        if (!gt__literal(r->f, r->f->child[n->first + k], &number[k - operands]))
            return gt_fail(r->tape, "%s: its last arguments are numbers", n->function->name);
    return n->function->record(r->tape, x, number, (int)(n->count - operands));
}

static gt_tensor operation(gt_recording *r, const gt__expr *n, const gt_tensor *x) {
    const gt_expr *child = r->f->child + n->first;
    switch (n->kind) {
    case GT_EXPR_NEG: return gt_neg(x[0]);
    case GT_EXPR_TRANSPOSE: return gt_rank(x[0]) < 2 ? x[0] : gt_t(x[0]);
    case GT_EXPR_ADD: return gt_add(x[0], x[1]);
    case GT_EXPR_SUB: return gt_sub(x[0], x[1]);
    case GT_EXPR_MUL: return product(r, child, x[0], x[1]);
    case GT_EXPR_DIV: return quotient(r, x[0], x[1]);
    case GT_EXPR_TIMES: return gt_mul(x[0], x[1]);
    case GT_EXPR_OVER: return gt_div(x[0], x[1]);
    case GT_EXPR_POW:
    case GT_EXPR_POWER: return to_power(r, n, x[0], x[1]);
    default: return call(r, n, x);
    }
}

static gt_tensor node(gt_recording *r, const gt__expr *n) {
    gt_tensor x[GT__MOST_CHILDREN];
    switch (n->kind) {
    case GT_EXPR_NUMBER: return constant(r, n->number);
    case GT_EXPR_ARRAY: return array(r, n);
    case GT_EXPR_NAME: return name(r, n);
    default: break;
    }
    for (uint32_t k = 0; k < n->count; k++)
        x[k] = is_operand(r->f, n, k) ? r->made[r->f->child[n->first + k]].tensor : gt_none();
    return operation(r, n, x);
}

bool gt_expr_is_operand(const gt_formula *f, gt_expr e, int k) {
    return gt_expr_child(f, e, k) != gt_no_expr && is_operand(f, &f->expr[e], (uint32_t)k);
}

/* Aliases of rewound tensors make room for new ones. */
static bool add_alias(gt_recording *r, gt_tensor t, gt_expr e) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->n_aliases; i++)
        if (valid_on(r, r->alias[i].tensor)) r->alias[kept++] = r->alias[i];
    r->n_aliases = kept;
    if (!grow(r, &r->alias, &r->alias_room, (uint64_t)kept + 1, sizeof *r->alias)) return false;
    r->alias[r->n_aliases++] = (gt__alias){t, e};
    return true;
}

gt_tensor gt_record_node(gt_recording *r, gt_expr e, const gt_tensor *operand) {
    if (!gt__is_expr(r->f, e) || r->f->expr[e].kind < GT_EXPR_NEG)
        return gt_fail(r->tape, "only an operation is recorded over operands");
    const gt_tensor t = operation(r, &r->f->expr[e], operand);
    return gt_valid(t) && !add_alias(r, t, e) ? gt_fail(r->tape, "out of memory") : t;
}

/* ---- expressions ------------------------------------------------------------------------------------------------ */

static gt_tensor fail(gt_recording *r, const char *what, gt_span span, gt_formula_error *error) {
    gt__formula_error(error, r->f->text, span, "%s", what);
    return gt_tensor_at(r->tape, UINT32_MAX);
}

/* Marks what has to be recorded for e, from e down; returns the lowest. */
static gt_expr mark_needed(gt_recording *r, gt_expr e) {
    gt_expr low = e;
    r->needed[e] = 1;
    for (gt_expr i = e;; i--) {
        if (r->needed[i] && !gt_is_none(gt_expr_tensor(r, i))) r->needed[i] = 0;
        const gt__expr *n = &r->f->expr[i];
        for (uint32_t k = 0; r->needed[i] && n->kind >= GT_EXPR_NEG && k < n->count; k++) {
            const gt_expr child = r->f->child[n->first + k];
            if (!is_operand(r->f, n, k)) continue;
            r->needed[child] = 1;
            if (child < low) low = child;
        }
        if (i == low) return low;
    }
}

gt_tensor gt_record_expr(gt_recording *r, gt_expr e, gt_formula_error *error) {
    const uint64_t need = (uint64_t)r->f->n_exprs;
    *error = (gt_formula_error){.line = 1, .column = 1};
    if (!gt__is_expr(r->f, e)) return fail(r, "no expression", (gt_span){0, 0}, error);
    if (gt_failed(r->tape)) return fail(r, gt_error(r->tape), r->f->expr[e].span, error);
    if (!grow(r, &r->made, &r->made_room, need, sizeof *r->made) ||
        !grow(r, &r->needed, &r->needed_room, need, sizeof *r->needed))
        return fail(r, "out of memory", r->f->expr[e].span, error);
    for (gt_expr i = mark_needed(r, e); i <= e; i++) {
        if (!r->needed[i]) continue;
        r->needed[i] = 0;
        if (gt_failed(r->tape)) continue;
        const gt_tensor t = node(r, &r->f->expr[i]);
        r->made[i] = (gt__made){t, r->f->expr[i].serial};
        if (gt_failed(r->tape)) fail(r, gt_error(r->tape), r->f->expr[i].span, error);
    }
    return gt_failed(r->tape) ? gt_tensor_at(r->tape, UINT32_MAX) : r->made[e].tensor;
}

/* ---- statements --------------------------------------------------------------------------------------------------- */

static bool record_statement(gt_recording *r, const gt_statement *s, gt_formula_error *error) {
    const uint32_t symbol = gt__symbol_find(r->f, s->name, strlen(s->name));
    if (!gt_is_none(bound(r, symbol))) return true;
    const gt_tensor t = gt_record_expr(r, s->expr, error);
    if (error->message[0]) return false;
    if (r->f->expr[s->expr].kind != GT_EXPR_NAME) gt_name(t, "%s", s->name);
    if (bind(r, symbol, t)) return true;
    fail(r, "out of memory", s->span, error);
    return false;
}

/* A value is an input of its own: 2*3 is recorded as the number that it is. */
static bool record_value(gt_recording *r, const gt_statement *s, gt_formula_error *error) {
    const uint32_t symbol = gt__symbol_find(r->f, s->name, strlen(s->name));
    if (!gt_is_none(bound(r, symbol))) return true;
    const gt_tensor t = gt_record_expr(r, s->expr, error);
    const void *data = error->message[0] ? NULL : gt_data(t);
    if (!data && !error->message[0]) fail(r, gt_error(r->tape), s->span, error);
    if (!data) return false;
    const gt_tensor leaf = gt_input(r->tape, data, gt_shape_of(t), gt_dtype_of(t));
    gt_name(leaf, "%s", s->name);
    if (gt_valid(leaf) && bind(r, symbol, leaf)) return true;
    fail(r, "out of memory", s->span, error);
    return false;
}

static bool record_all(gt_recording *r, gt_statement_kind kind,
                       bool (*record)(gt_recording *, const gt_statement *, gt_formula_error *),
                       gt_formula_error *error) {
    *error = (gt_formula_error){.line = 1, .column = 1};
    for (uint32_t i = 0; i < r->f->n_statements; i++) {
        const gt_statement *s = &r->f->statement[i];
        if (s->kind == kind && !record(r, s, error)) return false;
    }
    return true;
}

bool gt_record_values(gt_recording *r, gt_formula_error *error) {
    return record_all(r, GT_STATES_VALUE, record_value, error);
}

bool gt_record_definitions(gt_recording *r, gt_formula_error *error) {
    return gt_record_values(r, error) && record_all(r, GT_DEFINES, record_statement, error);
}
