/* check/claim.c: the verdict on a claim of a formula: where it agrees with the truth, and how well. */
#include "check/claim.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "grad/grad.h"

/* ---- roundoff ---------------------------------------------------------------------------------------------------- */

enum { MOST_NODES = 2000 };

/* A bound, to first order, of the roundoff of a recorded number: each node is off by an ulp, and the sweep says what
 * that does to y. */
static double roundoff_of(gt__trial *t, gt_tensor y) {
    const gt_marker mark = gt_mark(y.tape);
    const size_t bytes = 2 * ((size_t)y.index + 1) * sizeof(gt_tensor);
    gt_tensor *x = y.index < MOST_NODES ? gt__trial_take(t, bytes) : NULL;
    double sum = 0;
    int n = 0;
    if (!x) return 0;
    for (uint32_t i = 0; i <= y.index; i++) {
        const gt_tensor node = gt_tensor_at(y.tape, i);
        if (gt_dtype_of(node) == GT_F64 && gt_rank(node) == 0 && !gt_is_leaf(node) &&
            gt_n_in(node) > 0)
            x[n++] = node;
    }
    gt_tensor *gx = x + n;
    if (gt_grads(y, x, n, gx))
        for (int i = 0; i < n; i++) {
            const double part = fabs(gt_item(gx[i]) * gt_item(x[i]));
            if (isfinite(part)) sum += part;
        }
    gt_rewind(y.tape, mark);
    gt__trial_give(t, x, bytes);
    return 4 * DBL_EPSILON * sum;
}

/* ---- one point ----------------------------------------------------------------------------------------------------- */

typedef struct finding {
    bool equal, bounded; /* bounded: equal only within a roundoff that leaves few digits */
    bool finite;         /* the truth is */
    bool shaped;         /* the claim has the shape of the truth */
    double digits;
    int64_t worst;
    double yours, truth;
} finding;

/* A number of a claim is as exact as it was written: half a unit of its last digit. */
static double written_precision(const gt__trial *t) {
    gt_expr e = t->claim.expr;
    while (gt_expr_at(t->f, e).kind == GT_EXPR_NEG) e = gt_expr_child(t->f, e, 0);
    const gt_expr_node node = gt_expr_at(t->f, e);
    if (node.kind != GT_EXPR_NUMBER || node.span.length == 0) return 0;
    const char *text = gt_formula_text(t->f) + node.span.start;
    const char *point = memchr(text, '.', node.span.length);
    if (!point) return 0;
    size_t digits = 0;
    while (point[digits + 1] >= '0' && point[digits + 1] <= '9') digits++;
    const char *exponent = memchr(text, 'e', node.span.length);
    const double unit = pow(10, -(double)digits);
    return 0.5 * unit * (exponent ? pow(10, strtod(exponent + 1, NULL)) : 1);
}

static double digits_of(double a, double b, double size) {
    const double scale = fmax(fmax(fabs(a), fabs(b)), size);
    if (a == b || scale == 0) return 16;
    const double digits = -log10(fabs(a - b) / scale);
    return digits < 0 ? 0 : digits > 16 ? 16 : digits;
}

static finding compare(const double *mine, const double *truth, int64_t n, double allowed) {
    finding f = {.equal = true, .finite = true, .shaped = true, .digits = 16};
    double size = 0, worst = -1;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(truth[i])) size = fmax(size, fabs(truth[i]));
    for (int64_t i = 0; i < n; i++) {
        const double off = fabs(mine[i] - truth[i]);
        f.finite = f.finite && isfinite(truth[i]);
        f.digits = fmin(f.digits, digits_of(mine[i], truth[i], 1e-3 * size));
        if (!(gt__close(mine[i], truth[i], size) || off <= allowed)) f.equal = false;
        if (off <= worst) continue;
        worst = isnan(off) ? DBL_MAX : off;
        f.worst = i;
    }
    if (n > 0) f.yours = mine[f.worst], f.truth = truth[f.worst];
    return f;
}

static finding find(gt__trial *t, int p, gt_recording *r) {
    gt__point *at = &t->point[p];
    gt_formula_error ignored;
    const double *truth = gt_data(at->truth);
    const gt_tensor y = gt_record_expr(r, t->claim.expr, &ignored);
    const bool shaped = gt_valid(y) && gt_same_shape(gt_shape_of(y), t->shape);
    const double *mine = shaped && gt_dtype_of(y) == GT_F64 ? gt_data(y) : NULL;
    if (!mine || !truth) return (finding){.finite = truth && at->in_domain};
    finding f = compare(mine, truth, gt_numel(t->shape), written_precision(t));
    f.finite = f.finite && at->in_domain;
    if (f.equal || !f.finite || t->shape.rank > 0) return f;
    const double budget = roundoff_of(t, y) + roundoff_of(t, at->truth);
    f.bounded = fabs(f.yours - f.truth) <= budget;
    return f;
}

static finding find_and_forget(gt__trial *t, int p, gt_recording *r) {
    const gt_marker mark = gt_mark(t->point[p].tape);
    const finding f = find(t, p, r);
    gt_rewind(t->point[p].tape, mark);
    return f;
}

/* ---- kinks --------------------------------------------------------------------------------------------------------- */

/* The one-sided slopes of what was claimed, at entry i, by differences. */
static bool slopes_at(gt__trial *t, int64_t i, gt_slope *slope) {
    gt__point *at = &t->point[0];
    gt__probe probe;
    if (t->claim.kind != GT_CLAIMS_SLOPE) return false;
    const gt_tensor f = gt_recorded(at->r, t->claim.name), x = gt_recorded(at->r, t->claim.wrt[0]);
    if (!gt_is_leaf(x)) return false;
    const gt_marker mark = gt_mark(at->tape);
    gt__probe_begin(&probe, at->tape, &x, 1, GT_F64);
    gt__probe_weigh(&probe, f, 1);
    const bool ok = !probe.failed && probe.n_results == 1;
    if (ok) {
        gt__probe_settle(&probe);
        gt__probe_aim_nowhere(&probe);
        probe.along[0][i] = 1;
        *slope = gt__probe_slope(&probe);
        const double weight = probe.weight[0][0];
        *slope = (gt_slope){.value = slope->value / weight,
                            .error = fabs(slope->error / weight),
                            .left = slope->left / weight,
                            .right = slope->right / weight,
                            .doubt = slope->doubt};
        gt__probe_home(&probe);
    }
    gt__probe_end(&probe);
    gt_rewind(at->tape, mark);
    return ok;
}

static bool is_between(double v, const gt_slope *s) {
    const double low = fmin(s->left, s->right), high = fmax(s->left, s->right);
    const double slack = s->error + 1e-6 * fmax(fabs(low), fabs(high));
    return v >= low - slack && v <= high + slack;
}

/* The claim is the truth elsewhere, and not at the given point: a choice at a kink? */
static void judge_kink(gt__trial *t, const finding *here, gt_claim_report *report) {
    gt_slope slope;
    report->verdict = GT_CANNOT_TELL;
    report->doubt = here->finite ? GT_DOUBT_KINK : GT_DOUBT_NOT_FINITE;
    if (!slopes_at(t, here->worst, &slope)) return;
    report->left = slope.left;
    report->right = slope.right;
    if (slope.doubt == GT_NO_DOUBT || slope.doubt == GT_DOUBT_KINK)
        if (is_between(here->yours, &slope))
            report->verdict = GT_RIGHT_AT_KINK, report->doubt = GT_NO_DOUBT;
}

/* ---- the verdict --------------------------------------------------------------------------------------------------- */

typedef struct survey {
    finding at[GT__POINTS];
    int equal, differ, bounded; /* among the other points, those where the truth is finite */
} survey;

static void look_around(gt__trial *t, survey *s) {
    *s = (survey){.equal = 0};
    for (int p = 0; p < t->n_points; p++) {
        const finding f = s->at[p] = find_and_forget(t, p, t->point[p].r);
        if (p == 0 || !f.finite) continue;
        s->equal += f.equal;
        s->bounded += !f.equal && f.bounded;
        s->differ += !f.equal && !f.bounded;
    }
}

static void judge(gt__trial *t, const survey *s, gt_claim_report *report) {
    const finding *here = &s->at[0];
    report->digits = here->digits;
    report->verdict = GT_WRONG;
    if (t->n_points == 1) {
        if (here->equal) report->verdict = GT_RIGHT;
        return;
    }
    if (!here->finite && s->differ == 0 && s->equal == 0) {
        report->verdict = GT_CANNOT_TELL;
        report->doubt = GT_DOUBT_NOT_FINITE;
    } else if (s->differ == 0 && (here->bounded || s->bounded > 0)) {
        report->verdict = GT_CANNOT_TELL;
        report->doubt = GT_DOUBT_ROUNDOFF;
    } else if (s->differ == 0) {
        report->verdict = GT_RIGHT;
        if (!here->equal && here->finite && t->claim.kind == GT_CLAIMS_EQUAL)
            report->verdict = GT_WRONG;
        else if (!here->equal)
            judge_kink(t, here, report);
    } else if (here->equal) {
        report->verdict = GT_RIGHT_ONLY_HERE;
    } else if (gt_expr_is_constant(t->f, t->claim.expr)) {
        judge_kink(t, here, report);
        if (report->verdict != GT_RIGHT_AT_KINK)
            report->verdict = GT_WRONG, report->doubt = GT_NO_DOUBT;
    }
}

/* ---- a second witness ---------------------------------------------------------------------------------------------- */

/* The sweep's number, which the claim is judged by, against differences of the recording, at one entry of the given
 * point. Where they contradict each other, nothing is known. */
static void hear_differences(gt__trial *t, const finding *here, gt_claim_report *report) {
    gt_slope slope;
    if (!here->finite || !slopes_at(t, here->worst, &slope) || slope.doubt != GT_NO_DOUBT) return;
    const double *truth = gt_data(t->point[0].truth);
    if (!truth) return;
    const double v = truth[here->worst];
    report->witnessed = digits_of(v, slope.value, 0);
    if (fabs(v - slope.value) <= slope.error + 1e-9 * fabs(v)) return;
    report->verdict = GT_CANNOT_TELL;
    report->doubt = GT_DOUBT_WITNESSES;
}

/* ---- an example ---------------------------------------------------------------------------------------------------- */

/* "x = 1.2, y = 0.3": the numbers among the inputs. */
static void name_point(const gt__trial *t, int p, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (gt_expr e = 0; e < gt_expr_count(t->f); e++) {
        const gt_expr_node node = gt_expr_at(t->f, e);
        const gt_tensor x =
            node.kind == GT_EXPR_NAME ? gt_recorded(t->point[p].r, node.name) : gt_none();
        char part[80], seen[90];
        if (gt_is_none(x) || !gt_is_leaf(x) || gt_rank(x) > 0) continue;
        snprintf(part, sizeof part, "%.40s = %.6g", node.name, gt_item(x));
        snprintf(seen, sizeof seen, "%.40s = ", node.name);
        const char *found = strstr(text, seen);
        if ((found && (found == text || found[-1] == ' ')) || used + strlen(part) + 3 > size)
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", part);
    }
}

static void give_example(gt__trial *t, const survey *s, gt_claim_report *report) {
    int p = 0;
    while (p < t->n_points && (s->at[p].equal || !s->at[p].finite || !s->at[p].shaped)) p++;
    if (p == t->n_points) return;
    report->has_example = true;
    report->yours = s->at[p].yours;
    report->truth = s->at[p].truth;
    name_point(t, p, report->example, sizeof report->example / 2);
    if (t->shape.rank == 0) return;
    const size_t used = strlen(report->example);
    snprintf(report->example + used, sizeof report->example - used, "%sentry %lld",
             used ? ", " : "", (long long)s->at[p].worst);
}

/* ---- one claim after the other --------------------------------------------------------------------------------------- */

static void name_claim(const gt_statement *s, char *text, size_t size) {
    if (s->kind == GT_CLAIMS_EQUAL)
        snprintf(text, size, "%s", s->name);
    else if (s->kind == GT_CLAIMS_SLOPE)
        snprintf(text, size, "d%s/d%s", s->name, s->wrt[0]);
    else
        snprintf(text, size, "d2%s/d%sd%s", s->name, s->wrt[0], s->wrt[1]);
}

static void refuse(gt_claim_report *report, const char *text, gt_span span) {
    report->verdict = GT_CANNOT_TELL;
    report->doubt = GT_DOUBT_QUESTION;
    report->span = span;
    if (text != report->text) snprintf(report->text, sizeof report->text, "%s", text);
}

/* Is the claim an expression at all, at the given point? Shapes that do not fit inside it are a mistake of its own,
 * which the search may mend; names that nobody knows are not. */
static bool is_readable(gt__trial *t, gt_claim_report *report) {
    gt__point *at = &t->point[0];
    gt_formula_error error;
    const gt_marker mark = gt_mark(at->tape);
    gt_record_expr(at->r, t->claim.expr, &error);
    gt_rewind(at->tape, mark);
    if (!error.message[0]) return true;
    snprintf(report->text, sizeof report->text, "%.200s", error.message);
    report->span = error.span;
    if (!strstr(error.message, "has no value")) return true;
    return refuse(report, report->text, error.span), false;
}

static void explain_shape(const gt__trial *t, const finding *here, gt_claim_report *report) {
    if (here->shaped || report->text[0]) return;
    char sizes[100] = "";
    for (int d = 0; d < t->shape.rank; d++)
        snprintf(sizes + strlen(sizes), sizeof sizes - strlen(sizes), "%s%lld", d ? "," : "",
                 (long long)t->shape.dim[d]);
    snprintf(report->text, sizeof report->text,
             "it has another shape than [%s], that of the variable", sizes);
}

static bool own_lines_agree(gt__trial *t) {
    for (int p = 0; p < t->n_points; p++)
        if (!find_and_forget(t, p, t->point[p].own).equal) return false;
    return true;
}

static void judge_claim(gt__trial *t, int statement, gt_claim_report *report) {
    const gt_statement s = gt_formula_at(t->f, statement);
    *report = (gt_claim_report){.statement = statement};
    name_claim(&s, report->name, sizeof report->name);
    gt_expr_print(t->f, s.expr, report->claim, sizeof report->claim, NULL, NULL, 0);
    if (!gt__trial_claim(t, statement, report->text, sizeof report->text)) {
        refuse(report, report->text, s.span);
        return;
    }
    if (!is_readable(t, report)) return;
    survey around;
    look_around(t, &around);
    judge(t, &around, report);
    hear_differences(t, &around.at[0], report);
    if (report->verdict == GT_WRONG || report->verdict == GT_RIGHT_ONLY_HERE) {
        explain_shape(t, &around.at[0], report);
        give_example(t, &around, report);
        gt__diagnose(t, report);
    }
    report->carried = report->verdict == GT_RIGHT && !own_lines_agree(t);
    gt__trial_settle(t);
}

int gt_check_formula(gt_formula *f, const gt_check_options *options, gt_claim_report *report,
                     int room, gt_formula_error *error) {
    gt__trial t;
    int count = 0;
    const bool ok = gt__trial_begin(&t, f, options, error);
    const int n = gt_formula_count(f);
    for (int i = 0; ok && i < n; i++) {
        if (gt_formula_at(f, i).kind < GT_CLAIMS_EQUAL) continue;
        if (count < room) judge_claim(&t, i, &report[count]);
        count++;
    }
    gt__trial_end(&t);
    return ok ? count : -1;
}
