/* check/diagnose.c: what is wrong with a claim. First one change anywhere in it; then term by term against the true
 * paths, for claims with several mistakes; and when nothing explains it, the terms that are wrong. */
#include "check/diagnose.h"

#include <stdio.h>
#include <string.h>

#include "check/diagnose_edit.h"

enum { TERMS = 32 };

/* ---- the report -------------------------------------------------------------------------------------------------- */

static void remark(gt_claim_report *report, gt_mistake mistake, const char *text) {
    if (report->n_remarks == GT_CHECK_REMARKS) return;
    gt_remark *r = &report->remark[report->n_remarks++];
    r->mistake = mistake;
    snprintf(r->text, sizeof r->text, "%s", text);
}

static void show_corrected(gt__trial *t, gt_expr e, const gt_expr *changed, int n,
                           gt_claim_report *report) {
    if (gt_expr_print(t->f, e, report->corrected, sizeof report->corrected, changed,
                      report->changed, n) >= sizeof report->corrected)
        report->corrected[0] = 0;
}

/* ---- one change -------------------------------------------------------------------------------------------------- */

static void report_edit(const gt__search *s, gt_claim_report *report) {
    char text[256];
    gt__edit factor = s->best;
    const bool with_factor =
        s->best.kind >= GT__TIMES && s->best.kind <= GT__REPLACE && s->best.c != 1;
    gt__describe_edit(s, &s->best, text, sizeof text);
    remark(report, s->best.mistake, text);
    if (!with_factor) return;
    factor.kind = GT__SCALE;
    factor.mistake = s->best.c == -1 ? GT_MISTAKE_SIGN : GT_MISTAKE_FACTOR;
    gt__describe_edit(s, &factor, text, sizeof text);
    remark(report, factor.mistake, text);
}

static bool one_change(const gt__parts *parts, gt_claim_report *report) {
    gt__trial *t = parts->t;
    gt__search *s = gt__trial_take(t, sizeof *s);
    if (!s) return false;
    bool found = gt__search_begin(s, parts, t->claim.expr, t->truth, true) && gt__search_run(s);
    if (found) {
        gt_expr changed;
        const gt_expr e = gt__edited(s, &s->best, &changed);
        report_edit(s, report);
        show_corrected(t, e, &changed, 1, report);
    }
    gt__search_end(s);
    gt__trial_give(t, s, sizeof *s);
    return found;
}

/* ---- term by term -------------------------------------------------------------------------------------------------- */

typedef struct term {
    gt_expr expr; /* with its sign */
    int path;     /* that it is meant to be; -1: none */
    bool right;
    gt_expr now; /* what it has to be */
    gt_expr changed;
    double *seen;
} term;

typedef struct ledger {
    const gt__parts *parts;
    gt__trial *t;
    term term[TERMS];
    int n_terms;
    bool taken[GT__PATHS];
    double *numbers;
    size_t numbers_size;
} ledger;

static bool split(ledger *l) {
    gt__trial *t = l->t;
    gt_expr e = t->claim.expr;
    gt_shape shape;
    for (;;) {
        const bool sum = gt__is_sum(t->f, e) && l->n_terms < TERMS - 1;
        const bool minus = sum && gt_expr_at(t->f, e).kind == GT_EXPR_SUB;
        gt_expr own = sum ? gt_expr_child(t->f, e, 1) : e;
        if (minus) own = gt_expr_make(t->f, GT_EXPR_NEG, own, gt_no_expr);
        term *m = &l->term[l->n_terms];
        *m = (term){own, -1,         false,
                    own, gt_no_expr, l->numbers + (size_t)l->n_terms * (size_t)t->n_seen};
        l->n_terms++;
        if (!gt__see(t, own, m->seen, &shape)) return false;
        if (!sum) return true;
        e = gt_expr_child(t->f, e, 0);
    }
}

static bool same(const gt__trial *t, const double *a, const double *b) {
    for (int i = 0; i < t->n_seen; i++)
        if (!gt__close(a[i], b[i], t->size)) return false;
    return true;
}

static void match_equal(ledger *l) {
    for (int i = 0; i < l->n_terms; i++)
        for (int k = 0; k < l->parts->n_paths && !l->term[i].right; k++) {
            if (l->taken[k] || !same(l->t, l->term[i].seen, l->parts->path[k].seen)) continue;
            l->term[i].right = l->taken[k] = true;
            l->term[i].path = k;
        }
}

/* The cost of the cheapest change that makes a term a path; with a report, the change is made. */
static double mend(ledger *l, term *m, int path, gt_claim_report *report) {
    gt__search *s = gt__trial_take(l->t, sizeof *s);
    if (!s) return 1000;
    double cost = 1000;
    if (gt__search_begin(s, l->parts, m->expr, l->parts->path[path].seen, false) &&
        gt__search_run(s)) {
        cost = s->best.cost;
        if (report) {
            m->now = gt__edited(s, &s->best, &m->changed);
            report_edit(s, report);
        }
    }
    gt__search_end(s);
    gt__trial_give(l->t, s, sizeof *s);
    return cost;
}

/* Pairs what is left over, the cheapest pair first. */
static void mend_pairs(ledger *l, gt_claim_report *report) {
    for (;;) {
        double best = 7;
        int term_at = -1, path_at = -1;
        for (int i = 0; i < l->n_terms; i++)
            for (int k = 0; k < l->parts->n_paths; k++) {
                if (l->term[i].path >= 0 || l->taken[k]) continue;
                const double cost = mend(l, &l->term[i], k, NULL);
                if (cost < best) best = cost, term_at = i, path_at = k;
            }
        if (term_at < 0) return;
        l->term[term_at].path = path_at;
        l->taken[path_at] = true;
        mend(l, &l->term[term_at], path_at, report);
    }
}

static int count_left(const ledger *l, bool paths) {
    int n = 0;
    for (int i = 0; i < (paths ? l->parts->n_paths : l->n_terms); i++)
        n += paths ? !l->taken[i] : l->term[i].path < 0;
    return n;
}

static const char *spelled(const gt__trial *t, gt_expr e, char *text, size_t size) {
    gt_expr_print(t->f, e, text, size, NULL, NULL, 0);
    return text;
}

/* Terms that no change makes a path give way to the paths that are left, as long as there are any. */
static void give_way(ledger *l, gt_claim_report *report) {
    char text[256], a[100], b[100];
    for (int i = 0; i < l->n_terms; i++) {
        term *m = &l->term[i];
        int k = 0;
        if (m->path >= 0) continue;
        while (k < l->parts->n_paths && l->taken[k]) k++;
        if (k == l->parts->n_paths) {
            snprintf(text, sizeof text, "the term %s does not belong here",
                     spelled(l->t, m->expr, a, sizeof a));
            remark(report, GT_MISTAKE_EXTRA_TERM, text);
            m->now = gt_no_expr;
            continue;
        }
        snprintf(text, sizeof text, "%s is wrong: %s belongs there",
                 spelled(l->t, m->expr, a, sizeof a),
                 spelled(l->t, l->parts->path[k].expr, b, sizeof b));
        remark(report, GT_MISTAKE_UNKNOWN, text);
        m->path = k;
        m->now = m->changed = l->parts->path[k].expr;
        l->taken[k] = true;
    }
}

static void add_missing(ledger *l, gt_expr *sum, gt_expr *changed, int *n,
                        gt_claim_report *report) {
    char text[256], a[120];
    const int missing = count_left(l, true);
    const bool overwritten = missing > 1 && missing == l->parts->n_paths - 1;
    for (int k = 0; k < l->parts->n_paths; k++) {
        if (l->taken[k]) continue;
        const gt_expr e = l->parts->path[k].expr;
        *sum = gt__plus(l->t->f, *sum, 1, e);
        if (*n < GT_CHECK_REMARKS) changed[(*n)++] = gt__unsigned_term(l->t->f, e);
        snprintf(text, sizeof text,
                 overwritten
                     ? "of the paths that meet here only one was kept, = for +=: %s is missing"
                     : "the path %s is missing",
                 spelled(l->t, e, a, sizeof a));
        remark(report, overwritten ? GT_MISTAKE_OVERWRITTEN : GT_MISTAKE_MISSING_PATH, text);
    }
}

static bool term_by_term(const gt__parts *parts, gt_claim_report *report) {
    gt__trial *t = parts->t;
    ledger l = {.parts = parts, .t = t};
    l.numbers_size = (size_t)TERMS * (size_t)t->n_seen * sizeof(double) + 8;
    l.numbers = gt__trial_take(t, l.numbers_size);
    bool ok = l.numbers && parts->n_paths > 0 && split(&l);
    if (ok) {
        gt_expr sum = gt_no_expr, changed[GT_CHECK_REMARKS];
        int n = 0;
        match_equal(&l);
        mend_pairs(&l, report);
        give_way(&l, report);
        for (int i = l.n_terms; i-- > 0;) {
            if (l.term[i].now == gt_no_expr) continue;
            sum = gt__plus(t->f, sum, 1, l.term[i].now);
            if (l.term[i].changed != gt_no_expr && n < GT_CHECK_REMARKS)
                changed[n++] = l.term[i].changed;
        }
        add_missing(&l, &sum, changed, &n, report);
        ok = gt__is_true(t, sum, gt__reading_point(t), GT__POINTS);
        if (ok) show_corrected(t, sum, changed, n, report);
    }
    gt__trial_give(t, l.numbers, l.numbers_size);
    if (!ok) report->n_remarks = 0;
    return ok;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------- */

/* The truth as the tape has it, where no change of the claim leads to it. */
static void whole_truth(const gt__parts *parts, gt_claim_report *report) {
    gt__trial *t = parts->t;
    gt__point *at = &t->point[gt__reading_point(t)];
    gt_expr e = gt__definition_of(t, t->claim.name);
    if (t->claim.kind != GT_CLAIMS_EQUAL) e = gt_formula_of(at->r, at->truth);
    if (e != gt_no_expr && !gt__is_true(t, e, 0, GT__POINTS)) e = gt_no_expr;
    if (e != gt_no_expr) show_corrected(t, e, &e, 1, report);
    remark(report, GT_MISTAKE_UNKNOWN, "no single change of it makes it right");
}

/* Of two numbers there is not much to say. */
static bool is_number_for_number(gt__trial *t, gt_claim_report *report) {
    if (t->n_points > 1 || t->shape.rank > 0 || !gt_expr_is_constant(t->f, t->claim.expr))
        return false;
    const gt_expr e = gt_expr_number(t->f, report->truth);
    const bool sign = report->yours == -report->truth;
    remark(report, sign ? GT_MISTAKE_SIGN : GT_MISTAKE_UNKNOWN,
           sign ? "the sign is wrong" : "the value is another");
    show_corrected(t, e, &e, 1, report);
    return true;
}

void gt__diagnose(gt__trial *t, gt_claim_report *report) {
    if (is_number_for_number(t, report)) return;
    gt__parts *parts = gt__trial_take(t, sizeof *parts);
    if (!parts) return;
    if (gt__parts_begin(parts, t) && !t->failed && !one_change(parts, report) &&
        !term_by_term(parts, report))
        whole_truth(parts, report);
    gt__parts_end(parts);
    gt__trial_give(t, parts, sizeof *parts);
}
