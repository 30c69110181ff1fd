/* check/diagnose_edit.c: makes a change in a claim, and says what it means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/diagnose_edit.h"

static gt_formula *formula(const gt__search *s) { return s->t->f; }

static bool is_scalar(const gt__search *s, gt_expr e) {
    gt_shape shape;
    return gt__value_at(s->t, gt__reading_point(s->t), e, &shape) && shape.rank == 0;
}

static gt_expr product(const gt__search *s, gt_expr a, gt_expr b) {
    const bool scales = is_scalar(s, a) || is_scalar(s, b);
    return gt_expr_make(formula(s), scales ? GT_EXPR_MUL : GT_EXPR_TIMES, a, b);
}

static gt_expr quotient(const gt__search *s, gt_expr a, gt_expr b) {
    return gt_expr_make(formula(s), is_scalar(s, b) ? GT_EXPR_DIV : GT_EXPR_OVER, a, b);
}

/* ---- numbers that have names -------------------------------------------------------------------------------------- */

/* c as whole / whole, both small. */
static bool fraction(double c, int *above, int *below) {
    for (*below = 1; *below <= 12; ++*below) {
        *above = (int)lrint(fmin(fmax(c * *below, -1e6), 1e6));
        if (*above != 0 && fabs(c * *below - *above) < 1e-9 * fabs(c * *below)) return true;
    }
    return false;
}

static gt_expr call_of(gt_formula *f, const char *function, double number) {
    const gt_expr e = gt_expr_number(f, number);
    return gt_expr_call(f, function, &e, 1);
}

static bool is_log_of(double c, double base) { return fabs(fabs(c) - log(base)) < 1e-9; }

bool gt__number_has_name(double c) {
    int above, below;
    return fraction(c, &above, &below) || gt__is_log_factor(c);
}

bool gt__is_log_factor(double c) {
    return is_log_of(c, 2) || is_log_of(1 / c, 2) || is_log_of(c, 10) || is_log_of(1 / c, 10);
}

bool gt__is_small_fraction(double c, int most) {
    int above, below;
    return fraction(c, &above, &below) && abs(above) <= most && below <= most;
}

/* "2", "-1/3", "log(2)" */
static void constant_text(double c, char *text, size_t size) {
    int above, below;
    const char *sign = c < 0 ? "-" : "";
    for (int base = 2; base <= 10; base += 8) {
        if (is_log_of(c, base)) snprintf(text, size, "%slog(%d)", sign, base);
        if (is_log_of(1 / c, base)) snprintf(text, size, "%s1/log(%d)", sign, base);
    }
    if (gt__is_log_factor(c)) return;
    if (!fraction(c, &above, &below))
        snprintf(text, size, "%.6g", c);
    else
        snprintf(text, size, below == 1 ? "%d" : "%d/%d", above, below);
}

static bool divides(const gt_formula *f, gt_expr e) {
    const gt_expr_kind kind = gt_expr_at(f, e).kind;
    return kind == GT_EXPR_DIV || kind == GT_EXPR_OVER;
}

/* The first factor of a product, a number or a minus before it included. */
static gt_expr first_factor(const gt_formula *f, gt_expr e) {
    while (gt__is_product(f, e) && gt_expr_at(f, e).count == 2) e = gt_expr_child(f, e, 0);
    return e;
}

static gt_expr whole_times(gt_formula *f, double c, gt_expr e) {
    const gt_expr_node node = gt_expr_at(f, e);
    if (node.kind == GT_EXPR_NUMBER) return gt_expr_number(f, c * node.number);
    if (c == -1 && node.kind == GT_EXPR_SUB)
        return gt_expr_make(f, GT_EXPR_SUB, gt_expr_child(f, e, 1), gt_expr_child(f, e, 0));
    if (c == -1)
        return node.kind == GT_EXPR_NEG ? gt_expr_child(f, e, 0)
                                        : gt_expr_make(f, GT_EXPR_NEG, e, gt_no_expr);
    return gt_expr_make(f, GT_EXPR_MUL, gt_expr_number(f, c), e);
}

/* e without the factor: 1*x is x. */
static gt_expr without(gt_formula *f, gt_expr e, gt_expr gone) {
    if (e == gone) return gt_expr_number(f, 1);
    const gt_expr_node node = gt_expr_at(f, e);
    if (node.count != 2 || !gt__is_product(f, e)) return e;
    const gt_expr a = gt_expr_child(f, e, 0), b = gt_expr_child(f, e, 1);
    if (a == gone && !divides(f, e)) return b;
    if (b == gone) return a;
    const gt_expr x = without(f, a, gone), y = without(f, b, gone);
    return x == a && y == b ? e : gt_expr_make(f, node.kind, x, y);
}

/* c times e, as a person would write it: -e, 2*e, e/2, log(2)*e; numbers stand in front. */
static gt_expr scaled(gt_formula *f, double c, gt_expr e) {
    int above, below;
    for (int base = 2; base <= 10; base += 8) {
        if (is_log_of(c, base)) return gt_expr_make(f, GT_EXPR_MUL, call_of(f, "log", base), e);
        if (is_log_of(1 / c, base)) return gt_expr_make(f, GT_EXPR_DIV, e, call_of(f, "log", base));
    }
    const gt_expr first = first_factor(f, e);
    const gt_expr_node node = gt_expr_at(f, first);
    if (fabs(c + 1) < 1e-9) c = -1;
    if (!fraction(c, &above, &below) ||
        (node.kind == GT_EXPR_NUMBER && fraction(c * node.number, &above, &below) && below == 1))
        return c * node.number == 1 && first != e && node.kind == GT_EXPR_NUMBER
                   ? without(f, e, first)
                   : gt_expr_replace(f, e, first, whole_times(f, c, first));
    fraction(c, &above, &below);
    const gt_expr y = above == 1 ? e : gt_expr_replace(f, e, first, whole_times(f, above, first));
    return below == 1 ? y : gt_expr_make(f, GT_EXPR_DIV, y, gt_expr_number(f, below));
}

/* ---- factors ------------------------------------------------------------------------------------------------------- */

typedef struct factor {
    gt_expr expr;
    bool below; /* the line of a quotient */
} factor;
enum { FACTORS = 24 };

static int factors_of(const gt_formula *f, gt_expr e, bool below, factor *list, int count) {
    const gt_expr_kind kind = gt_expr_at(f, e).kind;
    if (count >= FACTORS) return count;
    if (kind == GT_EXPR_MUL || kind == GT_EXPR_TIMES || divides(f, e)) {
        count = factors_of(f, gt_expr_child(f, e, 0), below, list, count);
        return factors_of(f, gt_expr_child(f, e, 1), divides(f, e) ? !below : below, list, count);
    }
    list[count] = (factor){e, below};
    return count + 1;
}

static bool sees(const gt__search *s, gt_expr e, double *seen) {
    gt_shape shape;
    return gt__see(s->t, e, seen, &shape);
}

/* Is the product of one or two factors the part? seen has room for both. */
static bool makes_up(const gt__search *s, const factor *one, const factor *two,
                     const gt__part *part, double *seen) {
    const int n = s->t->n_seen;
    if (one->below || two->below || !sees(s, one->expr, seen)) return false;
    if (one != two && !sees(s, two->expr, seen + n)) return false;
    for (int i = 0; i < n; i++)
        if (!gt__close(one == two ? seen[i] : seen[i] * seen[n + i], part->seen[i], 0))
            return false;
    return true;
}

/* Finds one or two factors of a product whose product is the part, the last such. */
static bool find_factors(const gt__search *s, const factor *list, int n, const gt__part *part,
                         int found[2]) {
    const size_t bytes = ((size_t)s->t->n_seen * 2 + 1) * sizeof(double);
    double *seen = gt__trial_take(s->t, bytes);
    bool ok = false;
    for (int i = part->seen ? n : 0; seen && !ok && i-- > 0;)
        for (int k = i; !ok && k >= 0; k--) {
            ok = makes_up(s, &list[k], &list[i], part, seen);
            found[0] = k;
            found[1] = i;
        }
    gt__trial_give(s->t, seen, bytes);
    return ok;
}

/* What a division by a part leaves: without those factors, or a quotient. */
static gt_expr divided(const gt__search *s, gt_expr e, const gt__part *by) {
    factor list[FACTORS];
    int found[2];
    const int n = factors_of(formula(s), e, false, list, 0);
    if (!find_factors(s, list, n, by, found)) return quotient(s, e, by->expr);
    gt_expr rest = without(formula(s), e, list[found[0]].expr);
    if (found[1] != found[0]) rest = without(formula(s), rest, list[found[1]].expr);
    return rest;
}

/* A part in another's place: where its factors stand, if they do. */
static gt_expr swapped(const gt__search *s, gt_expr e, const gt__part *in, const gt__part *out) {
    factor list[FACTORS];
    int found[2];
    const int n = factors_of(formula(s), e, false, list, 0);
    if (!find_factors(s, list, n, out, found))
        return quotient(s, product(s, e, in->expr), out->expr);
    gt_expr rest = e;
    if (found[1] != found[0]) rest = without(formula(s), e, list[found[1]].expr);
    return gt_expr_replace(formula(s), rest, list[found[0]].expr, in->expr);
}

/* ---- terms ----------------------------------------------------------------------------------------------------------- */

gt_expr gt__plus(gt_formula *f, gt_expr e, double sign, gt_expr term) {
    const gt_expr_node node = gt_expr_at(f, term);
    if (e == gt_no_expr) return term;
    if (node.kind == GT_EXPR_NEG) return gt__plus(f, e, -sign, gt_expr_child(f, term, 0));
    return gt_expr_make(f, sign < 0 ? GT_EXPR_SUB : GT_EXPR_ADD, e, term);
}

gt_expr gt__unsigned_term(const gt_formula *f, gt_expr e) {
    while (gt_expr_at(f, e).kind == GT_EXPR_NEG) e = gt_expr_child(f, e, 0);
    return e;
}

/* The sum without one of its two terms. */
static gt_expr other_term(const gt__search *s, const gt__site *gone) {
    gt_formula *f = formula(s);
    const gt_expr sum = s->site[gone->parent].expr;
    const gt_expr left = gt_expr_child(f, sum, 0), right = gt_expr_child(f, sum, 1);
    if (gone->place == 1) return left;
    return gt_expr_at(f, sum).kind == GT_EXPR_SUB ? gt_expr_make(f, GT_EXPR_NEG, right, gt_no_expr)
                                                  : right;
}

/* A minus that belongs to a term of a sum is the sum's: a - (-b) is a + b. */
static gt_expr negated(const gt__search *s, const gt__site *site, gt_expr *changed) {
    gt_formula *f = formula(s);
    const gt_expr sum = site->parent < 0 ? gt_no_expr : s->site[site->parent].expr;
    if (sum != gt_no_expr && gt__is_sum(f, sum) && site->place == 1) {
        const bool minus = gt_expr_at(f, sum).kind == GT_EXPR_SUB;
        const gt_expr other = gt_expr_make(f, minus ? GT_EXPR_ADD : GT_EXPR_SUB,
                                           gt_expr_child(f, sum, 0), site->expr);
        *changed = site->expr;
        return gt_expr_replace(f, s->root, sum, other);
    }
    const gt_expr first = first_factor(f, site->expr), by = whole_times(f, -1, first);
    *changed = by;
    return gt_expr_replace(f, s->root, first, by);
}

/* ---- changes --------------------------------------------------------------------------------------------------------- */

static const gt__part *added(const gt__search *s, const gt__edit *edit) {
    return edit->b < 0 ? &s->parts->path[edit->a] : &s->parts->part[edit->a];
}

static gt_expr function_swapped(gt_formula *f, gt_expr e) {
    const gt_expr_node node = gt_expr_at(f, e);
    gt_expr argument[2] = {gt_expr_child(f, e, 0), gt_expr_child(f, e, 1)};
    const bool mean = node.kind == GT_EXPR_CALL && strcmp(node.name, "mean") == 0;
    return gt_expr_call(f, mean ? "sum" : "mean", argument, node.count);
}

static gt_expr transposed(gt_formula *f, gt_expr e) {
    if (gt_expr_at(f, e).kind == GT_EXPR_TRANSPOSE) return gt_expr_child(f, e, 0);
    return gt_expr_make(f, GT_EXPR_TRANSPOSE, e, gt_no_expr);
}

static gt_expr summed_over(gt_formula *f, gt_expr e, int axis) {
    const gt_expr argument[2] = {e, gt_expr_number(f, axis)};
    return gt_expr_call(f, "sum", argument, axis < 0 ? 1 : 2);
}

/* 1 - (1 - a) is a. */
static gt_expr difference_undone(const gt_formula *f, gt_expr e) {
    const gt_expr from = gt_expr_child(f, e, 0), inner = gt_expr_child(f, e, 1);
    if (gt_expr_at(f, e).kind != GT_EXPR_SUB || gt_expr_at(f, inner).kind != GT_EXPR_SUB ||
        !gt_expr_same(f, from, gt_expr_child(f, inner, 0)))
        return e;
    return gt_expr_child(f, inner, 1);
}

/* Every occurrence of the part `from` inside e, by tree. */
static gt_expr renamed(gt_formula *f, gt_expr e, gt_expr from, gt_expr to) {
    if (gt_expr_same(f, e, from)) return to;
    gt_expr y = e;
    for (int k = 0; k < gt_expr_at(f, e).count; k++) {
        const gt_expr child = gt_expr_child(f, e, k);
        const gt_expr by = renamed(f, child, from, to);
        if (by != child) y = gt_expr_replace(f, y, child, by);
    }
    return difference_undone(f, y);
}

/* The change itself; *changed is set where only a part of the result is new. */
static gt_expr changed_site(const gt__search *s, const gt__edit *edit, gt_expr e,
                            gt_expr *changed) {
    gt_formula *f = formula(s);
    const gt__part *a = &s->parts->part[edit->a], *b = &s->parts->part[edit->b < 0 ? 0 : edit->b];
    switch (edit->kind) {
    case GT__SCALE: {
        const gt_expr y = scaled(f, edit->c, e);
        *changed = divides(f, y) && gt_expr_child(f, y, 0) == e ? gt_expr_child(f, y, 1)
                                                                : first_factor(f, y);
        return y;
    }
    case GT__TIMES: *changed = a->expr; return product(s, e, a->expr);
    case GT__OVER: *changed = gt_no_expr; return divided(s, e, a);
    case GT__SWAP: *changed = a->expr; return swapped(s, e, a, b);
    case GT__REPLACE: return a->expr;
    case GT__RENAME: *changed = a->expr; return renamed(f, e, b->expr, a->expr);
    case GT__ADD:
        *changed = gt__unsigned_term(f, added(s, edit)->expr);
        return gt__plus(f, e, edit->c, added(s, edit)->expr);
    case GT__ADD_PRODUCT:
        *changed = product(s, a->expr, b->expr);
        return gt__plus(f, e, edit->c, *changed);
    case GT__TRANSPOSE: return transposed(f, e);
    case GT__EXCHANGE:
        return gt_expr_make(f, gt_expr_at(f, e).kind, gt_expr_child(f, e, 1),
                            gt_expr_child(f, e, 0));
    case GT__SUM_OVER: return summed_over(f, e, (int)edit->c);
    case GT__MEAN: return function_swapped(f, e);
    default: return gt_no_expr;
    }
}

bool gt__is_factor_of(const gt__search *s, gt_expr e, const gt__part *p) {
    factor list[FACTORS];
    int found[2];
    return find_factors(s, list, factors_of(formula(s), e, false, list, 0), p, found);
}

gt_expr gt__edited(const gt__search *s, const gt__edit *edit, gt_expr *changed) {
    const gt__site *site = &s->site[edit->site];
    *changed = gt_no_expr;
    if (edit->kind == GT__SCALE && edit->c == -1) return negated(s, site, changed);
    if (edit->kind == GT__DROP)
        return gt_expr_replace(formula(s), s->root, s->site[site->parent].expr,
                               other_term(s, site));
    const gt_expr unset = UINT32_MAX - 1;
    gt_expr mark = unset;
    gt_expr by = changed_site(s, edit, site->expr, &mark);
    if (edit->kind >= GT__TIMES && edit->kind <= GT__REPLACE && edit->c != 1)
        by = scaled(formula(s), edit->c, by);
    *changed = mark == unset ? by : mark;
    return gt_expr_replace(formula(s), s->root, site->expr, by);
}

/* ---- sentences ------------------------------------------------------------------------------------------------------- */

typedef struct words {
    char text[120];
} words;

static words spell(const gt_formula *f, gt_expr e) {
    words w;
    if (gt_expr_print(f, e, w.text, sizeof w.text, NULL, NULL, 0) >= sizeof w.text)
        memcpy(w.text + sizeof w.text - 4, "...", 4);
    return w;
}

/* ", the derivative of tanh(x)" where a part is one. */
static words origin(const gt__search *s, const gt__part *p) {
    words w = {""};
    const bool product = gt__is_product(formula(s), p->of) || gt__is_sum(formula(s), p->of);
    if (p->of == gt_no_expr || p->size < 2 || product) return w;
    const words of = spell(formula(s), p->of);
    snprintf(w.text, sizeof w.text, ", the local derivative of %.80s", of.text);
    return w;
}

static void describe_scale(const gt__search *s, const gt__edit *edit, char *text, size_t size) {
    const words e = spell(formula(s), s->site[edit->site].expr);
    words c;
    constant_text(edit->c, c.text, sizeof c.text);
    switch (edit->mistake) {
    case GT_MISTAKE_SIGN: snprintf(text, size, "the sign of %s is wrong", e.text); break;
    case GT_MISTAKE_LOG_BASE:
        snprintf(text, size, "%s needs a factor %s: a logarithm was taken to another base", e.text,
                 c.text);
        break;
    case GT_MISTAKE_MEAN_FOR_SUM:
        snprintf(text, size, "%s needs a factor %s: a %s", e.text, c.text,
                 fabs(edit->c) < 1 ? "sum was taken for a mean" : "mean was taken for a sum");
        break;
    default: snprintf(text, size, "%s needs a factor %s", e.text, c.text);
    }
}

static void describe_part(const gt__search *s, const gt__edit *edit, char *text, size_t size) {
    const gt_formula *f = formula(s);
    const gt__part *a = &s->parts->part[edit->a], *b = &s->parts->part[edit->b < 0 ? 0 : edit->b];
    const words e = spell(f, s->site[edit->site].expr), in = spell(f, a->expr),
                out = spell(f, b->expr);
    const words from = origin(s, a);
    switch (edit->kind) {
    case GT__TIMES:
        snprintf(text, size, "%s lacks the factor %s%s", e.text, in.text, from.text);
        break;
    case GT__OVER:
        snprintf(text, size,
                 edit->mistake == GT_MISTAKE_MISSING_LOCAL ? "%s lacks the factor 1/(%s)"
                                                           : "%s has a factor %s too many",
                 e.text, in.text);
        break;
    case GT__REPLACE:
        snprintf(text, size, "%s stands where %s belongs%s", e.text, in.text, from.text);
        break;
    case GT__SWAP:
    case GT__RENAME:
        snprintf(text, size, "%s stands where %s belongs%s", out.text, in.text, from.text);
        break;
    default:
        snprintf(text, size, "%s needs the term %s%s*%s", e.text, edit->c < 0 ? "-" : "", in.text,
                 out.text);
    }
}

void gt__describe_edit(const gt__search *s, const gt__edit *edit, char *text, size_t size) {
    const gt_formula *f = formula(s);
    const words e = spell(f, s->site[edit->site].expr);
    switch (edit->kind) {
    case GT__SCALE: describe_scale(s, edit, text, size); break;
    case GT__ADD: {
        const words term = spell(f, added(s, edit)->expr);
        snprintf(text, size, "the path %s%s is missing", edit->c < 0 ? "-" : "", term.text);
        break;
    }
    case GT__DROP: snprintf(text, size, "the term %s does not belong here", e.text); break;
    case GT__TRANSPOSE: snprintf(text, size, "%s has to be transposed", e.text); break;
    case GT__EXCHANGE:
        snprintf(text, size, "the factors of %s stand in the wrong order", e.text);
        break;
    case GT__SUM_OVER:
        if (edit->c < 0)
            snprintf(text, size, "%s has to be summed: the variable is used by all of its entries",
                     e.text);
        else
            snprintf(text, size,
                     "%s has to be summed over axis %d, along which the variable was broadcast",
                     e.text, (int)edit->c);
        break;
    case GT__MEAN: snprintf(text, size, "a sum and a mean were confused in %s", e.text); break;
    default: describe_part(s, edit, text, size);
    }
}
