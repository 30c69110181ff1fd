/* check/diagnose_search.c: tries changes and keeps the cheapest that makes the claim true. Where the claim is linear
 * in a part, a change is judged by arithmetic on the values that were seen, before anything is recorded; elsewhere
 * the changed claim is evaluated. Whatever passes is verified at all points, those included that the search did not
 * look at. */
#include <math.h>
#include <string.h>

#include "check/diagnose_edit.h"

enum { BUDGET = 20000000 }; /* entries that may be evaluated */

typedef struct attempt {
    gt__search *s;
    long budget;
} attempt;

static const gt__part *part(const gt__search *s, int i) { return &s->parts->part[i]; }

/* ---- verification ---------------------------------------------------------------------------------------------------- */

static bool equals_wanted(const gt__search *s, gt_expr e) {
    gt_shape shape;
    const size_t bytes = (size_t)s->t->n_seen * sizeof(double);
    double *seen = gt__trial_take(s->t, bytes + 8);
    bool same = seen && gt__see(s->t, e, seen, &shape);
    for (int i = 0; same && i < s->t->n_seen; i++) same = gt__close(seen[i], s->wanted[i], s->size);
    gt__trial_give(s->t, seen, bytes + 8);
    return same;
}

/* Takes the change if it is cheaper than the best and makes the claim true. */
static void consider(attempt *a, const gt__edit *edit) {
    gt__search *s = a->s;
    gt_expr changed;
    if (edit->cost >= s->best.cost) return;
    const uint32_t before = gt_expr_count(s->t->f);
    const gt_expr e = gt__edited(s, edit, &changed);
    a->budget -= 100 + (long)gt_numel(s->t->shape);
    if (e != gt_no_expr && (s->whole ? gt__is_true(s->t, e, gt__reading_point(s->t), GT__POINTS)
                                     : equals_wanted(s, e)))
        s->best = *edit;
    gt_expr_truncate(s->t->f, before);
}

/* ---- changes that are judged by arithmetic ------------------------------------------------------------------------- */

/* What a change makes of the site's value, but for a constant factor. */
static double value_of(const gt__search *s, const gt__site *site, const gt__edit *e, int i) {
    const double *a =
        e->kind == GT__ADD && e->b < 0 ? s->parts->path[e->a].seen : part(s, e->a)->seen;
    const double *b = e->b < 0 ? NULL : part(s, e->b)->seen;
    switch (e->kind) {
    case GT__TIMES: return site->seen[i] * a[i];
    case GT__OVER: return site->seen[i] / a[i];
    case GT__SWAP: return site->seen[i] * a[i] / b[i];
    case GT__REPLACE: return a[i];
    case GT__ADD: return site->seen[i] + e->c * a[i];
    case GT__ADD_PRODUCT: return site->seen[i] + e->c * a[i] * b[i];
    default: return 0;
    }
}

/* What of the claim does not come from the site, at i. */
static double rest(const gt__search *s, const gt__site *site, int i) {
    const double now = s->site[0].seen[i], left = now - site->slope[i] * site->seen[i];
    return fabs(left) <= 1e-12 * fabs(now) ? 0 : left;
}

/* Does the claim become what is wanted when the site has the value v at i? */
static bool suits(const gt__search *s, const gt__site *site, int i, double v) {
    const double then = rest(s, site, i) + site->slope[i] * v;
    return gt__close(then, s->wanted[i], s->size + fabs(s->site[0].seen[i]));
}

/* The value that the site should have at i. */
static double needed(const gt__search *s, const gt__site *site, int i) {
    return (s->wanted[i] - rest(s, site, i)) / site->slope[i];
}

/* Where the site matters most, so that ratios are not of zeros. */
static int place_to_look(const gt__search *s, const gt__site *site) {
    int best = 0;
    for (int i = 1; i < s->t->n_seen; i++)
        if (fabs(site->slope[i] * site->seen[i]) > fabs(site->slope[best] * site->seen[best]))
            best = i;
    return best;
}

/* Sets e->c where a factor may be constant; false when the change does not do. */
static bool fits(const gt__search *s, const gt__site *site, gt__edit *e, int look) {
    const bool adds = e->kind == GT__ADD || e->kind == GT__ADD_PRODUCT || e->kind == GT__DROP;
    if (!adds) {
        const double bare = value_of(s, site, e, look), ratio = needed(s, site, look) / bare;
        if (!isfinite(ratio) || bare == 0) return false;
        const bool one = fabs(ratio - 1) < 1e-9;
        if (!one && (e->kind == GT__SWAP || !gt__is_small_fraction(ratio, 4))) return false;
        e->c = one ? 1 : ratio;
        if (!one) e->cost += ratio == -1 || fabs(ratio + 1) < 1e-9 ? 1.2 : 1.5;
    }
    for (int i = 0; i < s->t->n_seen; i++) {
        const double v = value_of(s, site, e, i);
        if (!suits(s, site, i, adds ? v : e->c * v)) return false;
    }
    return true;
}

static void try_fitting(attempt *a, int site, gt__edit e, int look) {
    e.site = site;
    if (e.cost < a->s->best.cost && fits(a->s, &a->s->site[site], &e, look)) consider(a, &e);
}

/* A term of the claim's own sum, not of one inside. */
static bool is_of_the_claim(const gt__search *s, const gt__site *site) {
    for (int i = site->parent; i >= 0; i = s->site[i].parent)
        if (!gt__is_sum(s->t->f, s->site[i].expr)) return false;
    return true;
}

/* ---- constants ------------------------------------------------------------------------------------------------------- */

static bool has_mean(const gt_formula *f) {
    for (gt_expr e = 0; e < gt_expr_count(f); e++) {
        const gt_expr_node node = gt_expr_at(f, e);
        if (node.kind == GT_EXPR_CALL && strstr(node.name, "mean")) return true;
    }
    return false;
}

/* Is c, or 1 / c, how many entries or rows some array has? */
static bool is_a_count(const gt__search *s, double c) {
    const double n = fabs(c) < 1 ? 1 / fabs(c) : fabs(c);
    for (int i = 0; i < s->parts->count; i++) {
        const gt_shape shape = part(s, i)->shape;
        for (int d = 0; d <= shape.rank && shape.rank > 0; d++) {
            const double size = (double)(d == shape.rank ? gt_numel(shape) : shape.dim[d]);
            if (size > 1 && fabs(n - size) < 1e-9 * size) return size > 2 || has_mean(s->t->f);
        }
    }
    return false;
}

static void name_constant(const gt__search *s, gt__edit *e) {
    if (fabs(e->c + 1) < 1e-9) {
        *e = (gt__edit){GT__SCALE, e->site, 0, 0, -1, 1, GT_MISTAKE_SIGN};
    } else if (gt__is_log_factor(e->c)) {
        e->mistake = GT_MISTAKE_LOG_BASE;
        e->cost = 1.4;
    } else if (is_a_count(s, e->c)) {
        e->mistake = GT_MISTAKE_MEAN_FOR_SUM;
        e->cost = 1.3;
    } else {
        const double size = fabs(e->c) < 1 ? 1 / fabs(e->c) : fabs(e->c);
        const bool whole = fabs(size - rint(size)) < 1e-9 * size && size < 5;
        e->mistake = GT_MISTAKE_FACTOR;
        e->cost = whole ? 1.1 + 0.2 * size : is_of_the_claim(s, &s->site[e->site]) ? 2.2 : 7;
        e->cost += e->c < 0;
    }
}

/* One constant for all entries? */
static void try_constant(attempt *a, int i, int look) {
    const gt__search *s = a->s;
    const gt__site *site = &s->site[i];
    const double c = needed(s, site, look) / site->seen[look];
    if (!isfinite(c) || c == 0 || c == 1) return;
    for (int k = 0; k < s->t->n_seen; k++)
        if (!suits(s, site, k, c * site->seen[k])) return;
    gt__edit e = {GT__SCALE, i, 0, 0, c, 0, GT_NO_MISTAKE};
    name_constant(s, &e);
    consider(a, &e);
}

/* ---- what may be tried where ------------------------------------------------------------------------------------------ */

static gt_expr parent_of(const gt__search *s, const gt__site *site) {
    return site->parent < 0 ? gt_no_expr : s->site[site->parent].expr;
}

static bool is_leaf(const gt__search *s, const gt__site *site) {
    return gt_expr_at(s->t->f, site->expr).kind <= GT_EXPR_NAME;
}

static bool is_name(const gt__part *p) { return p->source <= GT__A_NAME; }

/* The smaller a part, and the nearer to what a person has at hand, the likelier. */
static double weight(const gt__part *p) {
    static const double of_source[] = {0, 0, 0.4, -0.1, 0.2, 0.3};
    return 0.15 * p->size + of_source[p->source];
}

static gt__edit with_part(const gt__search *s, gt__edit_kind kind, int a, double cost,
                          gt_mistake mistake) {
    return (gt__edit){kind, 0, a, -1, 1, cost + weight(part(s, a)), mistake};
}

static gt__edit replacing(const gt__search *s, const gt__site *site, int a) {
    const gt__part *p = part(s, a);
    const gt_expr_node node = gt_expr_at(s->t->f, site->expr);
    const bool local = p->of != gt_no_expr && p->size > 1 && node.kind > GT_EXPR_NAME &&
                       !gt__is_product(s->t->f, p->of);
    double cost = 2.8 + 0.15 * gt_expr_size(s->t->f, site->expr);
    if (node.kind == GT_EXPR_NAME && is_name(p)) cost = 1.7;
    if (node.kind == GT_EXPR_NUMBER) cost = 3.2;
    return with_part(s, GT__REPLACE, a, cost,
                     local ? GT_MISTAKE_WRONG_NODE : GT_MISTAKE_WRONG_OPERAND);
}

static void try_parts(attempt *a, int i, int look) {
    const gt__search *s = a->s;
    const gt__site *site = &s->site[i];
    const bool term = site->term;
    const gt_expr parent = parent_of(s, site);
    const bool adds = parent == gt_no_expr || !gt__is_sum(s->t->f, parent);
    for (int k = 0; k < s->parts->count; k++) {
        if (!part(s, k)->seen) continue;
        if (!gt_expr_same(s->t->f, part(s, k)->expr, site->expr))
            try_fitting(a, i, replacing(s, site, k), look);
        if (term) {
            try_fitting(a, i, with_part(s, GT__TIMES, k, 2.4, GT_MISTAKE_MISSING_LOCAL), look);
            try_fitting(a, i, with_part(s, GT__OVER, k, 2.6, GT_MISTAKE_FACTOR), look);
        }
        for (int sign = -1; adds && sign <= 1; sign += 2) {
            gt__edit e = with_part(s, GT__ADD, k, 3, GT_MISTAKE_MISSING_PATH);
            e.b = k;
            e.c = sign;
            try_fitting(a, i, e, look);
        }
    }
}

static void try_pairs(attempt *a, int i, int look) {
    const gt__search *s = a->s;
    const gt__site *site = &s->site[i];
    const gt_expr parent = parent_of(s, site);
    const bool adds = parent == gt_no_expr || !gt__is_sum(s->t->f, parent);
    for (int k = 0; k < s->parts->count; k++) {
        for (int m = 0; m < s->parts->count; m++) {
            const gt__part *p = part(s, k), *q = part(s, m);
            if (k == m || !p->seen || !q->seen) continue;
            const bool locals =
                p->of != gt_no_expr && q->of != gt_no_expr && p->size > 1 && q->size > 1;
            gt__edit e = {GT__SWAP,
                          i,
                          k,
                          m,
                          1,
                          3.2 + weight(p) + weight(q) - (locals ? 1.5 : 0),
                          locals ? GT_MISTAKE_WRONG_NODE : GT_MISTAKE_WRONG_OPERAND};
            if (site->term) try_fitting(a, i, e, look);
            if (!adds || m < k) continue;
            e = (gt__edit){GT__ADD_PRODUCT,        i, k, m, 1, 3.8 + weight(p) + weight(q),
                           GT_MISTAKE_MISSING_PATH};
            try_fitting(a, i, e, look);
            e.c = -1;
            try_fitting(a, i, e, look);
        }
    }
}

static void try_paths(attempt *a, int look) {
    const gt__search *s = a->s;
    for (int k = 0; s->parts->n_paths > 1 && k < s->parts->n_paths; k++) {
        const gt__edit e = {
            GT__ADD, 0, k, -1, 1, 1.4 + 0.01 * s->parts->path[k].size, GT_MISTAKE_MISSING_PATH};
        try_fitting(a, 0, e, look);
    }
}

static void try_arithmetic(attempt *a, int i) {
    const gt__search *s = a->s;
    const gt__site *site = &s->site[i];
    const int look = place_to_look(s, site);
    const gt_expr parent = parent_of(s, site);
    if (site->term) try_constant(a, i, look);
    if (parent != gt_no_expr && gt__is_sum(s->t->f, parent))
        try_fitting(a, i,
                    (gt__edit){GT__DROP, i, 0, 0, 0, is_of_the_claim(s, site) ? 1.4 : 2,
                               GT_MISTAKE_EXTRA_TERM},
                    look);
    if (i == 0) try_paths(a, look);
    try_parts(a, i, look);
}

/* ---- changes that are evaluated ----------------------------------------------------------------------------------- */

static void evaluate(attempt *a, int i, gt__edit e) {
    e.site = i;
    if (a->budget > 0) consider(a, &e);
}

static void try_shapes(attempt *a, int i) {
    const gt__search *s = a->s;
    const gt_formula *f = s->t->f;
    const gt_expr_node node = gt_expr_at(f, s->site[i].expr);
    gt_shape shape;
    if (!gt__value_at(s->t, gt__reading_point(s->t), s->site[i].expr, &shape)) shape.rank = 2;
    const gt_expr parent = parent_of(s, &s->site[i]);
    if (!s->site[i].slope && parent != gt_no_expr && gt__is_sum(f, parent))
        evaluate(a, i, (gt__edit){GT__DROP, i, 0, 0, 1, 2, GT_MISTAKE_EXTRA_TERM});
    if (shape.rank == 2 || node.kind == GT_EXPR_TRANSPOSE)
        evaluate(a, i, (gt__edit){GT__TRANSPOSE, i, 0, 0, 1, 1.6, GT_MISTAKE_TRANSPOSED});
    if (node.kind == GT_EXPR_MUL)
        evaluate(a, i, (gt__edit){GT__EXCHANGE, i, 0, 0, 1, 1.8, GT_MISTAKE_TRANSPOSED});
    for (int axis = 0; axis < shape.rank; axis++)
        evaluate(a, i, (gt__edit){GT__SUM_OVER, i, 0, 0, axis, 1.7, GT_MISTAKE_MISSING_SUM});
    if (shape.rank > 0)
        evaluate(a, i, (gt__edit){GT__SUM_OVER, i, 0, 0, -1, 1.75, GT_MISTAKE_MISSING_SUM});
    if (node.kind == GT_EXPR_CALL &&
        (strcmp(node.name, "sum") == 0 || strcmp(node.name, "mean") == 0))
        evaluate(a, i, (gt__edit){GT__MEAN, i, 0, 0, 1, 1.2, GT_MISTAKE_MEAN_FOR_SUM});
}

static void evaluate_constants(attempt *a, int i) {
    static const double constant[] = {-1, 2, 0.5, 0.69314718055994530942, 1.4426950408889634074};
    for (size_t k = 0; k < sizeof constant / sizeof *constant; k++) {
        gt__edit e = {GT__SCALE, i, 0, 0, constant[k], 0, GT_NO_MISTAKE};
        name_constant(a->s, &e);
        evaluate(a, i, e);
    }
}

static void evaluate_parts(attempt *a, int i) {
    const gt__search *s = a->s;
    const gt__site *site = &s->site[i];
    gt_shape shape;
    if (!gt__value_at(s->t, gt__reading_point(s->t), site->expr, &shape)) return;
    for (int k = 0; k < s->parts->count; k++) {
        const gt__part *p = part(s, k);
        const bool same = gt_same_shape(p->shape, shape);
        if (same) evaluate(a, i, replacing(s, site, k));
        if (!site->term || (!same && p->shape.rank > 0)) continue;
        evaluate(a, i, with_part(s, GT__TIMES, k, 2.4, GT_MISTAKE_MISSING_LOCAL));
        evaluate(a, i, with_part(s, GT__OVER, k, 2.6, GT_MISTAKE_FACTOR));
    }
}

static int occurrences(const gt_formula *f, gt_expr e, gt_expr of) {
    if (gt_expr_same(f, e, of)) return 1;
    int count = 0;
    for (int k = 0; k < gt_expr_at(f, e).count; k++)
        count += occurrences(f, gt_expr_child(f, e, k), of);
    return count;
}

/* One part for another wherever it occurs, as in s*(1 - s). */
static void try_renaming(attempt *a, int i) {
    const gt__search *s = a->s;
    if (is_leaf(s, &s->site[i])) return;
    for (int m = 0; m < s->parts->count; m++) {
        if (part(s, m)->size > 3 || occurrences(s->t->f, s->site[i].expr, part(s, m)->expr) < 2)
            continue;
        for (int k = 0; k < s->parts->count; k++) {
            if (k == m || !gt_same_shape(part(s, k)->shape, part(s, m)->shape)) continue;
            if (part(s, k)->size > 4) continue;
            gt__edit e = with_part(s, GT__RENAME, k, 2.0, GT_MISTAKE_WRONG_NODE);
            e.b = m;
            if (s->t->claim.kind == GT_CLAIMS_EQUAL) e.mistake = GT_MISTAKE_WRONG_OPERAND;
            evaluate(a, i, e);
        }
    }
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

bool gt__search_run(gt__search *s) {
    attempt a = {s, BUDGET};
    s->best = (gt__edit){.kind = GT__NO_EDIT, .cost = 100};
    for (int i = 0; i < s->count; i++)
        if (s->site[i].slope) try_arithmetic(&a, i);
    for (int i = 0; s->whole && i < s->count; i++) try_shapes(&a, i);
    for (int i = 0; s->whole && i < s->count; i++) {
        try_renaming(&a, i);
        if (s->site[i].slope) continue;
        if (s->site[i].term) evaluate_constants(&a, i);
        evaluate_parts(&a, i);
    }
    for (int i = 0; s->best.cost > 3.5 && i < s->count; i++)
        if (s->site[i].slope) try_pairs(&a, i, place_to_look(s, &s->site[i]));
    /* Dividing by what is no factor is forgetting one over it. */
    if (s->best.kind == GT__OVER &&
        !gt__is_factor_of(s, s->site[s->best.site].expr, part(s, s->best.a)))
        s->best.mistake = GT_MISTAKE_MISSING_LOCAL;
    return s->best.kind != GT__NO_EDIT;
}
