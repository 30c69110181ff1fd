/* check/diagnose_sites.c: the nodes of a claim, and how the claim depends on each. Through sums, products and
 * quotients a claim is linear in a part, so what the part should have been can be computed instead of tried. */
#include "check/diagnose_edit.h"

#include <math.h>

bool gt__is_product(const gt_formula *f, gt_expr e) {
    const gt_expr_kind kind = gt_expr_at(f, e).kind;
    return kind == GT_EXPR_MUL || kind == GT_EXPR_DIV || kind == GT_EXPR_TIMES ||
           kind == GT_EXPR_OVER || kind == GT_EXPR_NEG;
}

bool gt__is_sum(const gt_formula *f, gt_expr e) {
    const gt_expr_kind kind = gt_expr_at(f, e).kind;
    return kind == GT_EXPR_ADD || kind == GT_EXPR_SUB;
}

static double *numbers(gt__search *s, int i) {
    return s->numbers + (size_t)i * (size_t)s->t->n_seen;
}

/* Matrix products are not entry by entry. */
static bool is_scaling(gt__search *s, gt_expr e) {
    gt_shape a, b;
    const int p = gt__reading_point(s->t);
    if (gt_expr_at(s->t->f, e).kind != GT_EXPR_MUL) return true;
    return gt__value_at(s->t, p, gt_expr_child(s->t->f, e, 0), &a) &&
           gt__value_at(s->t, p, gt_expr_child(s->t->f, e, 1), &b) && (a.rank == 0 || b.rank == 0);
}

/* slope of child k of an operation, from that of the operation and the values of the other child. */
static bool derive(gt__search *s, const gt__site *parent, int k, double *slope) {
    gt__trial *t = s->t;
    const gt_expr_kind kind = gt_expr_at(t->f, parent->expr).kind;
    gt_shape shape;
    double *other = numbers(s, 2 * GT__SITES);
    const bool product = kind == GT_EXPR_MUL || kind == GT_EXPR_TIMES;
    const bool quotient = (kind == GT_EXPR_DIV || kind == GT_EXPR_OVER) && k == 0;
    const bool sum = gt__is_sum(t->f, parent->expr) || kind == GT_EXPR_NEG;
    if (!parent->slope || !(sum || quotient || (product && is_scaling(s, parent->expr))))
        return false;
    if (!sum && !gt__see(t, gt_expr_child(t->f, parent->expr, 1 - k), other, &shape)) return false;
    const double sign = kind == GT_EXPR_NEG || (kind == GT_EXPR_SUB && k == 1) ? -1 : 1;
    for (int i = 0; i < t->n_seen; i++)
        slope[i] = parent->slope[i] * (product ? other[i] : quotient ? 1 / other[i] : sign);
    return true;
}

static void add_site(gt__search *s, gt_expr e, int parent, int place) {
    if (s->count == GT__SITES) return;
    gt_shape shape;
    gt__site *site = &s->site[s->count];
    double *seen = numbers(s, 2 * s->count), *slope = numbers(s, 2 * s->count + 1);
    *site = (gt__site){.expr = e, .parent = parent, .place = place};
    site->term = parent < 0 || !gt__is_product(s->t->f, s->site[parent].expr) ||
                 !is_scaling(s, s->site[parent].expr);
    if (gt__see(s->t, e, seen, &shape)) site->seen = seen;
    if (parent < 0) {
        for (int i = 0; i < s->t->n_seen; i++) slope[i] = 1;
        if (site->seen) site->slope = slope;
    } else if (site->seen && derive(s, &s->site[parent], place, slope)) {
        site->slope = slope;
    }
    s->count++;
}

bool gt__search_begin(gt__search *s, const gt__parts *parts, gt_expr root, const double *wanted,
                      bool whole) {
    *s =
        (gt__search){.t = parts->t, .parts = parts, .root = root, .wanted = wanted, .whole = whole};
    s->numbers_size = (size_t)(2 * GT__SITES + 1) * (size_t)s->t->n_seen * sizeof(double) + 8;
    s->numbers = gt__trial_take(s->t, s->numbers_size);
    if (!s->numbers) return false;
    for (int i = 0; i < s->t->n_seen; i++)
        if (fabs(wanted[i]) > s->size) s->size = fabs(wanted[i]);
    add_site(s, root, -1, 0);
    for (int i = 0; i < s->count; i++)
        for (int k = 0; k < gt_expr_at(s->t->f, s->site[i].expr).count; k++)
            if (gt_expr_is_operand(s->t->f, s->site[i].expr, k))
                add_site(s, gt_expr_child(s->t->f, s->site[i].expr, k), i, k);
    return true;
}

void gt__search_end(gt__search *s) { gt__trial_give(s->t, s->numbers, s->numbers_size); }
