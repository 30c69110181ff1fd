/* check/entries.c: arrays of which every entry's truth is known, and what is said of an array. See judge.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/judge.h"

/* ---- entry by entry ------------------------------------------------------------------------------------------ */

static gt__ruling judge_entry(const gt__entries *e, const double *candidate, int64_t i) {
    const double roundoff = 64 * e->precision * fabs(candidate[i]);
    return gt__judge(candidate[i], roundoff, &e->truth[i], e->size, e->digits);
}

gt__ruling gt__judge_entries(gt__entries *e, gt_check_finding *f) {
    gt__ruling worst = {GT_RIGHT, GT_NO_DOUBT, 17};
    for (int64_t i = 0; i < e->count; i++)
        if (isfinite(e->truth[i].value)) e->size = fmax(e->size, fabs(e->truth[i].value));
    f->beyond = f->differing = 0;
    for (int64_t i = 0; i < e->count; i++) {
        const gt__ruling r = judge_entry(e, e->claim, i);
        f->beyond += r.verdict == GT_WRONG;
        f->differing += !(e->claim[i] == e->truth[i].value);
        worst = gt__worse(worst, r);
    }
    f->digits = worst.digits;
    return worst;
}

static bool wrong_on(void *user, const double *candidate, const gt__group *group) {
    const gt__entries *e = user;
    for (int64_t i = 0; i < e->count; i++)
        if (gt__in_group(group, i) && judge_entry(e, candidate, i).verdict == GT_WRONG) return true;
    return false;
}

static bool has_factor(void *user, double *factor) {
    const gt__entries *e = user;
    int64_t best = 0;
    for (int64_t i = 0; i < e->count; i++)
        if (fabs(e->truth[i].value) > fabs(e->truth[best].value)) best = i;
    *factor = e->claim[best] / e->truth[best].value;
    for (int64_t i = 0; i < e->count; i++) {
        const double allowed = fabs(*factor) * e->truth[i].error + 1e-6 * fabs(e->claim[i]);
        if (!(fabs(e->claim[i] - *factor * e->truth[i].value) <= allowed)) return false;
    }
    return isfinite(*factor);
}

static gt_slope entry(void *user, int64_t i) {
    const gt__entries *e = user;
    return e->truth[i];
}

static bool is_never_spent(void *user) { return !user; }

void gt__diagnose_entries(gt__entries *e, const gt_allocator *allocator,
                          gt_check_finding *finding) {
    const gt__evidence evidence = {.user = e,
                                   .claim = e->claim,
                                   .count = e->count,
                                   .shape = e->shape,
                                   .allocator = allocator,
                                   .wrong_on = wrong_on,
                                   .has_factor = has_factor,
                                   .entry = entry,
                                   .is_spent = is_never_spent};
    const int64_t beyond = finding->beyond;
    gt__diagnose_array(&evidence, finding);
    finding->beyond = beyond;
}

/* ---- findings and reports --------------------------------------------------------------------------------------- */

void gt__start_finding(const char *name, gt_shape shape, gt_check_finding *f) {
    memset(f, 0, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->shape = shape;
    f->count = gt_numel(shape);
    f->differing = f->beyond = -1;
    f->digits = 17;
}

void gt__conclude(gt_check_finding *f, gt__ruling here, gt__ruling elsewhere) {
    f->verdict = here.verdict;
    f->doubt = here.verdict == GT_CANNOT_TELL ? here.doubt : GT_NO_DOUBT;
    if (here.verdict == GT_WRONG && here.doubt == GT_DOUBT_KINK && elsewhere.verdict != GT_WRONG) {
        f->verdict = GT_CANNOT_TELL;
        f->doubt = GT_DOUBT_KINK;
    } else if (elsewhere.verdict == GT_WRONG && here.verdict == GT_CANNOT_TELL) {
        f->verdict = GT_WRONG;
        f->doubt = GT_NO_DOUBT;
    } else if (elsewhere.verdict == GT_WRONG && here.verdict != GT_WRONG) {
        char text[sizeof f->text];
        f->verdict = GT_RIGHT_ONLY_HERE;
        snprintf(text, sizeof text, "at a point nearby %.200s", f->text);
        memcpy(f->text, text, sizeof text);
    }
    if (f->doubt) snprintf(f->text, sizeof f->text, "%s", gt_doubt_name(f->doubt));
}

gt_verdict gt__sum_up(gt_check_report *report) {
    for (int k = 0; k < report->n_arrays; k++) {
        if (report->array[k].verdict <= report->verdict) continue;
        report->verdict = report->array[k].verdict;
        report->doubt = report->array[k].doubt;
    }
    return report->verdict;
}

gt_verdict gt__check_refuse(gt_check_report *report, gt_doubt doubt, const char *why) {
    report->verdict = GT_CANNOT_TELL;
    report->doubt = doubt;
    snprintf(report->text, sizeof report->text, "%s", why);
    return report->verdict;
}
