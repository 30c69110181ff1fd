/* check/gradient.c: gt_check_gradient: two C functions, and nothing known of either.
 *
 * Of few numbers each entry's slope is measured. Of many, slopes in random directions are: <gradient, v> for v
 * of +-1, array by array; a wrong entry shows in each of them. Only arrays that are wrong are looked into. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/judge.h"
#include "check/numeric.h"

#define SEARCH_GOAL 1e-7L
enum { FEW = 64, PROBES = 3, NEARBY = 2, EVALUATIONS = 4000 };

/* An array among those that x consists of. */
typedef struct part {
    char name[48];
    gt_shape shape;
    int64_t at, count;
} part;

/* The question, at one point. */
typedef struct question {
    gt_check_function *f;
    gt_check_gradient_function *gradient;
    void *user;
    gt_check_options options;
    gt_allocator allocator;
    int64_t n;
    double *x, *claim, *moved, *along, *scale; /* n each, one block */
    part whole;
    const part *part; /* the one that is looked at */
    int64_t evaluations;
    double noise, step;
    double centre;    /* f(x), once it is known to be the same at each call */
    long double goal; /* how well a slope must be known: all entries of a large array need less */
    gt_slope entry[FEW], probe[PROBES]; /* what was measured of the part */
    gt__entries entries;
} question;

/* ---- slopes ---------------------------------------------------------------------------------------------------- */

static bool value_at(void *user, long double t, long double *value, long double *size) {
    question *q = user;
    const int64_t lo = q->part->at, hi = lo + q->part->count;
    const bool known = t == 0 && !isnan(q->centre);
    for (int64_t i = lo; i < hi && !known; i++) q->moved[i] = q->x[i] + (double)t * q->along[i];
    *value = (long double)(known ? q->centre : q->f(q->moved, q->n, q->user));
    *size = fabsl(*value);
    q->evaluations += !known;
    return true;
}

static void move_back(question *q) {
    const int64_t lo = q->part->at;
    memcpy(q->moved + lo, q->x + lo, (size_t)q->part->count * sizeof *q->x);
}

static gt_slope slope_of(question *q) {
    const gt__ruler ruler = {(long double)q->step, (long double)DBL_EPSILON, (long double)q->noise,
                             q->goal};
    const gt_slope s = gt__slope_at_zero(value_at, q, &ruler);
    move_back(q);
    return s;
}

static gt_slope slope_of_entry(question *q, int64_t i) {
    const int64_t at = q->part->at + i;
    memset(q->along + q->part->at, 0, (size_t)q->part->count * sizeof *q->along);
    q->along[at] = q->scale[at];
    gt_slope s = slope_of(q);
    s.value /= q->scale[at], s.left /= q->scale[at], s.right /= q->scale[at];
    s.error /= q->scale[at], s.variation /= q->scale[at], s.step *= q->scale[at];
    return s;
}

/* How far each entry of a part may move: its size, or that of its neighbours where it is much smaller; a power
 * of 2, so that steps stay exact. */
static void choose_scales(question *q, const part *p) {
    double sum = 0;
    for (int64_t i = p->at; i < p->at + p->count; i++) sum += q->x[i] * q->x[i];
    const double mean = p->count ? sqrt(sum / (double)p->count) : 0;
    for (int64_t i = p->at; i < p->at + p->count; i++) {
        const double own = fabs(q->x[i]), size = own > mean / 16 ? own : mean;
        const bool usable = size > 0 && isfinite(size);
        q->scale[i] = q->options.scale > 0 ? q->options.scale : usable ? exp2(rint(log2(size))) : 1;
    }
}

static double sign_of(uint64_t seed, int64_t i) {
    uint64_t h = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u;
    return h >> 63 ? 1 : -1;
}

/* A random direction among the entries of a group; NULL: of the whole part. */
static void aim(question *q, const gt__group *group, uint64_t seed) {
    for (int64_t i = 0; i < q->part->count; i++) {
        const int64_t at = q->part->at + i;
        const bool in = !group || gt__in_group(group, i);
        q->along[at] = in ? sign_of(seed, i) * q->scale[at] : 0;
    }
}

/* A candidate's slope in the present direction. */
static double predict(const question *q, const double *candidate, double *roundoff) {
    long double sum = 0, size = 0;
    for (int64_t i = 0; i < q->part->count; i++) {
        const double along = q->along[q->part->at + i];
        const long double term = along == 0 ? 0 : (long double)candidate[i] * (long double)along;
        sum += term;
        size += fabsl(term);
    }
    *roundoff = 64 * gt__precision_of(&q->options) * (double)size;
    return (double)sum;
}

static const double *claim_of(const question *q) { return q->claim + q->part->at; }

static gt__ruling judge_along(const question *q, const double *candidate, const gt_slope *truth) {
    double roundoff;
    const double claimed = predict(q, candidate, &roundoff);
    return gt__judge(claimed, roundoff, truth, 0, gt__digits_wanted(&q->options));
}

/* ---- an array by its entries -------------------------------------------------------------------------------------- */

static gt__ruling judge_by_entries(question *q, gt_check_finding *f) {
    for (int64_t i = 0; i < q->part->count; i++) q->entry[i] = slope_of_entry(q, i);
    q->entries = (gt__entries){.claim = claim_of(q),
                               .truth = q->entry,
                               .count = q->part->count,
                               .shape = q->part->shape,
                               .precision = gt__precision_of(&q->options),
                               .digits = gt__digits_wanted(&q->options)};
    return gt__judge_entries(&q->entries, f);
}

/* ---- an array by random directions ---------------------------------------------------------------------------------- */

static uint64_t seed_of(int probe) { return 1000003 * (uint64_t)(probe + 1); }

static gt__ruling judge_by_probes(question *q, int probes) {
    gt__ruling worst = {GT_RIGHT, GT_NO_DOUBT, 17};
    for (int k = 0; k < probes && worst.verdict != GT_WRONG; k++) {
        aim(q, NULL, seed_of(k));
        q->probe[k] = slope_of(q);
        if (q->probe[k].step > 0) q->step = fmin(q->step, q->probe[k].step * 8);
        worst = gt__worse(worst, judge_along(q, claim_of(q), &q->probe[k]));
    }
    return worst;
}

/* The probes that judging did not need, for diagnosis. */
static void measure_other_probes(question *q) {
    for (int k = 0; k < PROBES; k++) {
        aim(q, NULL, seed_of(k));
        if (q->probe[k].evaluations == 0) q->probe[k] = slope_of(q);
    }
}

static bool probes_are_wrong(question *q, const double *candidate) {
    for (int k = 0; k < PROBES; k++) {
        aim(q, NULL, seed_of(k));
        if (judge_along(q, candidate, &q->probe[k]).verdict == GT_WRONG) return true;
    }
    return false;
}

static bool is_wrong_along(void *user, const double *candidate, const gt__group *group) {
    question *q = user;
    const int probes = group->kind == GT__FLAGGED ? 2 : 1;
    if (group->kind == GT__ENTRIES && group->hi - group->lo == q->part->count)
        return probes_are_wrong(q, candidate);
    for (int k = 0; k < probes; k++) {
        aim(q, group, seed_of(k));
        const gt_slope truth = slope_of(q);
        if (judge_along(q, candidate, &truth).verdict == GT_WRONG) return true;
    }
    return false;
}

static bool probes_have_factor(void *user, double *factor) {
    question *q = user;
    int best = 0;
    double predicted[PROBES], roundoff[PROBES];
    for (int k = 0; k < PROBES; k++) {
        aim(q, NULL, seed_of(k));
        predicted[k] = predict(q, claim_of(q), &roundoff[k]);
        if (fabs(q->probe[k].value) > fabs(q->probe[best].value)) best = k;
    }
    *factor = predicted[best] / q->probe[best].value;
    for (int k = 0; k < PROBES; k++) {
        const double error = fabs(*factor) * q->probe[k].error + roundoff[k];
        const double allowed = 2 * error + 1e-6 * fabs(predicted[k]);
        if (!(fabs(predicted[k] - *factor * q->probe[k].value) <= allowed)) return false;
    }
    return isfinite(*factor);
}

/* How far the claim is from the truth in the present direction, and what is not known of that. */
static double distance_along(question *q, double *error) {
    const gt_slope truth = slope_of(q);
    const double predicted = predict(q, claim_of(q), error);
    *error += truth.error;
    return predicted - truth.value;
}

/* The distance in one direction, and in the same with every place weighted by its number: their ratio is the
 * place, if there is only one. The weights are sums of few powers of 2, so that steps stay exact. */
static bool locate(void *user, const gt__group *group, int64_t *place) {
    question *q = user;
    const int64_t places = group->hi - group->lo;
    const double unit = exp2(-ceil(log2((double)places + 1)));
    double error, error_weighted;
    aim(q, group, seed_of(0));
    const double distance = distance_along(q, &error);
    for (int64_t i = 0; i < q->part->count; i++)
        q->along[q->part->at + i] *= unit * (double)(gt__place_of(group, i) - group->lo + 1);
    const double weighted = distance_along(q, &error_weighted);
    const double number = weighted / distance / unit, nearest = rint(number);
    const double doubt = (error_weighted / unit + error * fabs(number)) / fabs(distance);
    if (!(doubt < 0.05 && fabs(number - nearest) <= doubt)) return false;
    *place = group->lo + (int64_t)nearest - 1;
    return *place >= group->lo && *place < group->hi;
}

static gt_slope measure_entry(void *user, int64_t i) { return slope_of_entry(user, i); }

/* ---- verdicts of a part ------------------------------------------------------------------------------------------------ */

static bool is_spent(void *user) {
    const question *q = user;
    const int64_t limit = q->options.evaluations;
    return q->evaluations > (limit > 0 ? limit : EVALUATIONS);
}

static void diagnose_by_probes(question *q, gt_check_finding *f) {
    const gt__evidence e = {.user = q,
                            .claim = claim_of(q),
                            .count = q->part->count,
                            .shape = q->part->shape,
                            .allocator = &q->allocator,
                            .wrong_on = is_wrong_along,
                            .locate = locate,
                            .has_factor = probes_have_factor,
                            .entry = measure_entry,
                            .is_spent = is_spent};
    measure_other_probes(q);
    q->goal = SEARCH_GOAL;
    gt__diagnose_array(&e, f);
    q->goal = 0;
}

/* At the present point. */
static gt__ruling judge_part(question *q, int probes, gt_check_finding *f) {
    const bool few = q->part->count <= FEW;
    const double digits = f->digits;
    gt__ruling r = {GT_CANNOT_TELL, GT_NO_DOUBT, 0};
    q->step = gt__short_step(0.0437);
    memset(q->probe, 0, sizeof q->probe);
    if (!few || q->n > FEW || probes < PROBES) r = judge_by_probes(q, probes);
    if (few && r.verdict != GT_RIGHT) {
        r = judge_by_entries(q, f);
        if (r.verdict == GT_WRONG) gt__diagnose_entries(&q->entries, &q->allocator, f);
    } else if (r.verdict == GT_WRONG) {
        diagnose_by_probes(q, f);
    }
    f->digits = probes == PROBES ? r.digits : digits;
    return r;
}

/* ---- points ------------------------------------------------------------------------------------------------------------------ */

/* Arrives at the values in x: the claim there, the noise of f. False: f says nothing there. */
static bool arrive(question *q) {
    q->part = &q->whole;
    memcpy(q->moved, q->x, (size_t)q->n * sizeof *q->x);
    for (int64_t i = 0; i < q->n; i++) q->claim[i] = (double)NAN;
    q->gradient(q->x, q->n, q->claim, q->user);
    q->noise = 0;
    q->centre = (double)NAN;
    aim(q, NULL, 7);
    const double noise = gt__noise_of(value_at, q, 1e-10);
    move_back(q);
    q->noise = noise;
    if (!isfinite(noise)) return false;
    q->centre = q->f(q->x, q->n, q->user);
    q->evaluations++;
    return true;
}

/* A generic point at about that distance: no zeros, no two numbers equal. */
static void wander(question *q, const double *x, int point, double distance) {
    for (int64_t i = 0; i < q->n; i++) {
        const double u = gt_uniform(99, (uint64_t)point, (uint64_t)i);
        q->x[i] = x[i] + distance * q->scale[i] * (u < 0.5 ? -0.5 - u : u);
    }
}

static bool visit(question *q, const double *x, int point) {
    for (double distance = 0.25; distance > 0.001; distance /= 4) {
        wander(q, x, point, distance);
        if (arrive(q)) return true;
    }
    return false;
}

static gt_doubt doubt_at_point(const question *q) {
    return isnan(q->noise) ? GT_DOUBT_NOT_FINITE : GT_DOUBT_NOISE;
}

static void judge_all(question *q, const double *x, const part *parts, int n_parts,
                      gt_check_report *report) {
    gt__ruling here[GT_CHECK_ARRAYS], nearby[GT_CHECK_ARRAYS];
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a missing x has been refused
    if (q->n > 0) memcpy(q->x, x, (size_t)q->n * sizeof *x);
    for (int k = 0; k < n_parts; k++) choose_scales(q, &parts[k]);
    const bool known = arrive(q);
    for (int k = 0; k < n_parts; k++) {
        q->part = &parts[k];
        gt__start_finding(parts[k].name, parts[k].shape, &report->array[k]);
        here[k] = known ? judge_part(q, PROBES, &report->array[k])
                        : (gt__ruling){GT_CANNOT_TELL, doubt_at_point(q), 0};
        nearby[k] = (gt__ruling){GT_RIGHT, GT_NO_DOUBT, 17};
    }
    for (int point = 0; point < NEARBY && !q->options.only_here && q->noise < HUGE_VAL; point++) {
        if (!visit(q, x, point)) continue;
        for (int k = 0; k < n_parts; k++) {
            const bool settled = here[k].verdict == GT_WRONG && here[k].doubt != GT_DOUBT_KINK;
            if (settled || nearby[k].verdict == GT_WRONG) continue;
            q->part = &parts[k];
            nearby[k] = gt__worse(nearby[k], judge_part(q, 1, &report->array[k]));
        }
    }
    for (int k = 0; k < n_parts; k++) gt__conclude(&report->array[k], here[k], nearby[k]);
}

/* ---- the question --------------------------------------------------------------------------------------------------------------- */

/* How x is divided; -1 when the sizes do not fit. */
static int divide(const gt_check_options *o, int64_t n, part parts[GT_CHECK_ARRAYS]) {
    int count = 0;
    int64_t at = 0;
    for (int k = 0; k < o->n_arrays; k++) {
        const int64_t size = gt_numel(o->array[k].shape);
        if (size < 0 || size > n - at) return -1;
        if (count == GT_CHECK_ARRAYS) {
            part *last = &parts[count - 1];
            snprintf(last->name, sizeof last->name, "the others");
            last->count += size;
            last->shape = GT_SHAPE(last->count);
        } else {
            parts[count] = (part){.shape = o->array[k].shape, .at = at, .count = size};
            snprintf(parts[count].name, sizeof parts[count].name, "%s", o->array[k].name);
            count++;
        }
        at += size;
    }
    if (o->n_arrays == 0) {
        parts[0] = (part){.name = "x", .shape = GT_SHAPE(n), .count = n};
        return 1;
    }
    return at == n ? count : -1;
}

gt_verdict gt_check_gradient(gt_check_function *f, gt_check_gradient_function *gradient,
                             const double *x, int64_t n, const gt_check_options *options,
                             void *user, gt_check_report *report) {
    part parts[GT_CHECK_ARRAYS];
    question q = {.f = f, .gradient = gradient, .user = user, .n = n};
    memset(report, 0, sizeof *report);
    if (options) q.options = *options;
    q.allocator = q.options.allocator ? *q.options.allocator : gt_default_allocator();
    if (!f || !gradient || (!x && n) || n < 0)
        return gt__check_refuse(report, GT_DOUBT_QUESTION, "a function, or a point, is missing");
    const int n_parts = divide(&q.options, n, parts);
    if (n_parts < 0)
        return gt__check_refuse(report, GT_DOUBT_QUESTION,
                                "the arrays are not as large as x together");
    if (n > INT64_MAX / 64) return gt__check_refuse(report, GT_DOUBT_MEMORY, "memory is short");
    const size_t bytes = 5 * (size_t)n * sizeof(double);
    double *block = gt__take(&q.allocator, bytes);
    if (!block) return gt__check_refuse(report, GT_DOUBT_MEMORY, "memory is short");
    q.x = block, q.claim = block + n, q.moved = block + 2 * n, q.along = block + 3 * n;
    q.scale = block + 4 * n;
    q.whole = (part){.count = n};
    judge_all(&q, x, parts, n_parts, report);
    report->n_arrays = n_parts;
    report->evaluations = q.evaluations;
    gt__give(&q.allocator, block, bytes);
    return gt__sum_up(report);
}
