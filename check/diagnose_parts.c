/* check/diagnose_parts.c: what repairs are made of: names, nodes of the formula and of the claim, local derivatives
 * and their pieces, and the true paths; each once, by its values. */
#include "check/diagnose.h"

#include <math.h>
#include <string.h>

#include "grad/grad.h"

enum { MOST_LOOKS = 1000 }; /* at operations, for their local derivatives */

bool gt__see(gt__trial *t, gt_expr e, double *seen, gt_shape *shape) {
    for (int q = 0; q < GT__SEARCHED; q++) {
        const int p = t->n_points > 1 ? q + 1 : 0;
        const double *v = gt__value_at(t, p, e, shape);
        const bool number = v && shape->rank == 0;
        if (!v || (!number && !gt_same_shape(*shape, t->shape))) return false;
        for (int i = 0; i < t->n_entries; i++)
            seen[q * t->n_entries + i] = v[number ? 0 : t->entry[i]];
    }
    return true;
}

static bool same_values(const gt__trial *t, const double *a, const double *b) {
    double size = 0;
    for (int i = 0; i < t->n_seen; i++)
        if (fabs(a[i]) > size) size = fabs(a[i]);
    for (int i = 0; i < t->n_seen; i++)
        if (!gt__close(a[i], b[i], size)) return false;
    return true;
}

static double *numbers_of(gt__parts *parts, int i) {
    return parts->numbers + (size_t)i * (size_t)parts->t->n_seen;
}

/* A part is known by its values; the simplest expression of them stays. */
static void add(gt__parts *parts, gt_expr e, gt__source source, gt_expr of) {
    gt__trial *t = parts->t;
    if (e == gt_no_expr || parts->count == GT__PARTS || t->n_seen == 0) return;
    double *seen = numbers_of(parts, parts->count);
    gt__part made = {e, source, GT_SCALAR, gt_expr_size(t->f, e), of, NULL};
    if (gt__see(t, e, seen, &made.shape))
        made.seen = seen;
    else if (!gt__value_at(t, gt__reading_point(t), e, &made.shape))
        return;
    for (int i = 0; i < parts->count; i++) {
        gt__part *p = &parts->part[i];
        const bool same = made.seen && p->seen
                              ? gt_same_shape(made.shape, p->shape) && same_values(t, p->seen, seen)
                              : !made.seen && !p->seen && gt_expr_same(t->f, p->expr, e);
        if (!same) continue;
        if (source == GT__A_LOCAL && p->of == gt_no_expr) p->of = of;
        return;
    }
    parts->part[parts->count++] = made;
}

/* Numbers explain nothing; an array of them, such as labels, may. */
static bool is_trivial(const gt_formula *f, gt_expr e) {
    return gt_expr_is_constant(f, e) && gt_expr_at(f, e).kind != GT_EXPR_ARRAY;
}

/* What is asked for explains nothing: f of f = ..., and a gradient that an earlier claim named. */
static bool is_own_name(const gt__trial *t, const char *name) {
    if (t->claim.kind == GT_CLAIMS_EQUAL) return strcmp(name, t->claim.name) == 0;
    return t->claim.wrt[0] && name[0] == 'd' && strcmp(name + 1, t->claim.wrt[0]) == 0;
}

static void add_names(gt__parts *parts, gt_expr end) {
    gt_formula *f = parts->t->f;
    for (gt_expr e = 0; e < end; e++) {
        const gt_expr_node node = gt_expr_at(f, e);
        if (node.kind != GT_EXPR_NAME || is_own_name(parts->t, node.name)) continue;
        const bool input = gt__definition_of(parts->t, node.name) == gt_no_expr;
        add(parts, e, input ? GT__AN_INPUT : GT__A_NAME, gt_no_expr);
    }
    for (int i = 0; i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        if (s.kind == GT_DEFINES && !is_own_name(parts->t, s.name))
            add(parts, gt_expr_name(f, s.name), GT__A_NAME, gt_no_expr);
    }
}

static void add_all_of(gt__parts *parts, gt_expr e, gt__source source) {
    gt_formula *f = parts->t->f;
    if (is_trivial(f, e)) return;
    add(parts, e, source, gt_no_expr);
    for (int k = 0; k < gt_expr_at(f, e).count; k++)
        if (gt_expr_is_operand(f, e, k)) add_all_of(parts, gt_expr_child(f, e, k), source);
}

/* Local derivatives of an expression's operations, and of those below. */
static void add_locals_of(gt__parts *parts, gt_expr e) {
    gt__trial *t = parts->t;
    for (int k = 0; k < gt_expr_at(t->f, e).count; k++) {
        if (!gt_expr_is_operand(t->f, e, k) || parts->looked_at++ > MOST_LOOKS) continue;
        const gt_expr local = gt__local_derivative(t, e, k);
        if (local != gt_no_expr && !is_trivial(t->f, local)) add(parts, local, GT__A_LOCAL, e);
        add_locals_of(parts, gt_expr_child(t->f, e, k));
    }
}

static void add_locals(gt__parts *parts) {
    gt__trial *t = parts->t;
    for (int i = 0; i < gt_formula_count(t->f); i++) {
        const gt_statement s = gt_formula_at(t->f, i);
        if (s.kind == GT_DEFINES) add_locals_of(parts, s.expr);
    }
    const int n = parts->count;
    for (int i = 0; i < n; i++)
        if (parts->part[i].source == GT__A_LOCAL)
            add_all_of(parts, parts->part[i].expr, GT__A_PIECE);
}

static void add_values(gt__parts *parts) {
    for (int i = 0; i < gt_formula_count(parts->t->f); i++) {
        const gt_statement s = gt_formula_at(parts->t->f, i);
        if (s.kind == GT_DEFINES) add_all_of(parts, s.expr, GT__A_VALUE);
    }
}

/* The gradients that arrive at the names, and 1 - s for s*(1 - s). */
static void add_upstreams(gt__parts *parts) {
    gt__trial *t = parts->t;
    gt__point *at = &t->point[gt__reading_point(t)];
    const int n = parts->count;
    for (int i = 0; i < n; i++) {
        const gt_expr e = parts->part[i].expr;
        if (parts->part[i].source != GT__A_NAME) continue;
        add(parts, gt_expr_make(t->f, GT_EXPR_SUB, gt_expr_number(t->f, 1), e), GT__A_PIECE,
            gt_no_expr);
        const gt_marker mark = gt_mark(at->tape);
        const gt_tensor f = gt_recorded(at->r, t->claim.name),
                        x = gt_recorded(at->r, gt_expr_at(t->f, e).name);
        const gt_tensor up = gt_is_none(f) || gt_is_none(x) ? gt_none() : gt_grad(f, x);
        const gt_expr read = gt_valid(up) && t->claim.kind != GT_CLAIMS_EQUAL
                                 ? gt_formula_of(at->r, up)
                                 : gt_no_expr;
        gt_rewind(at->tape, mark);
        if (read != gt_no_expr && !is_trivial(t->f, read))
            add(parts, read, GT__A_PIECE, gt_no_expr);
    }
}

static void add_paths(gt__parts *parts) {
    gt__trial *t = parts->t;
    gt_expr path[GT__PATHS];
    const int n = gt__true_paths(t, path, GT__PATHS);
    for (int i = 0; i < n; i++) {
        double *seen = numbers_of(parts, GT__PARTS + parts->n_paths);
        gt__part *p = &parts->path[parts->n_paths];
        *p = (gt__part){path[i],    GT__A_VALUE, GT_SCALAR, gt_expr_size(t->f, path[i]),
                        gt_no_expr, seen};
        if (gt__see(t, path[i], seen, &p->shape)) parts->n_paths++;
    }
    if (parts->n_paths < n) parts->n_paths = 0;
}

bool gt__parts_begin(gt__parts *parts, gt__trial *t) {
    *parts = (gt__parts){.t = t};
    parts->numbers_size = (size_t)(GT__PARTS + GT__PATHS) * (size_t)t->n_seen * sizeof(double) + 8;
    parts->numbers = gt__trial_take(t, parts->numbers_size);
    if (!parts->numbers) return false;
    const gt_expr end = gt_expr_count(t->f);
    add_names(parts, end);
    add_all_of(parts, t->claim.expr, GT__OF_CLAIM);
    add_locals(parts);
    add_values(parts);
    add_upstreams(parts);
    add_paths(parts);
    return true;
}

void gt__parts_end(gt__parts *parts) {
    gt__trial_give(parts->t, parts->numbers, parts->numbers_size);
}
