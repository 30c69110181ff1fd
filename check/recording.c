/* check/recording.c: gt_check_claim: a claim about a tape. The backward sweep says what each entry is; its roundoff
 * shows when the leaves are moved by an ulp or two; differences of the recording, in its own kind and in long
 * double, must say the same, or the sweep is not believed. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/judge.h"
#include "check/probe.h"
#include "grad/grad.h"

enum { FEW = 16, PERTURBATIONS = 3, NEARBY = 3, SCATTER = 8, SHAKE = 1 << 22 };

typedef struct recording {
    gt_tape *tape;
    gt_tensor y, x, sweep, claimed; /* claimed is absent where there are values only */
    const double *values;
    const gt_check_options *options;
    gt_allocator allocator;
    gt__probe probe;
    int64_t n;
    double *claim; /* n of each */
    gt_slope *truth;
    bool stops; /* the tape has a stop_gradient, which differences do not see */
    bool disputed;
    char dispute[160];
} recording;

/* ---- the sweep, and its roundoff ------------------------------------------------------------------------------ */

static double epsilon_of(const recording *r) {
    return gt_dtype_of(r->x) == GT_F32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

static bool run(const recording *r) {
    const gt_tensor wanted[] = {r->sweep, r->claimed};
    return gt_run(r->tape, wanted, gt_is_none(r->claimed) ? 1 : 2);
}

/* The entries of both, as they were computed last. */
typedef struct pair {
    const void *truth, *claim;
    gt_dtype kind, claimed_kind;
} pair;

static pair computed(const recording *r) {
    const bool values = gt_is_none(r->claimed);
    return (pair){gt_data(r->sweep), values ? r->values : gt_data(r->claimed), gt_dtype_of(r->x),
                  values ? GT_F64 : gt_dtype_of(r->claimed)};
}

static bool read_entries(recording *r) {
    if (!run(r)) return false;
    const pair now = computed(r);
    for (int64_t i = 0; i < r->n; i++) {
        const double value = gt__element(now.truth, now.kind, i);
        r->claim[i] = gt__element(now.claim, now.claimed_kind, i);
        r->truth[i] = (gt_slope){.value = value, .left = value, .right = value};
        r->truth[i].error = 16 * epsilon_of(r) * fabs(value);
        if (!isfinite(value)) r->truth[i].doubt = GT_DOUBT_NOT_FINITE;
    }
    return true;
}

/* Adds to the errors how much truth and claim change when leaves change by an ulp or two. One entry of many may
 * happen not to change, so there each gets what the others have on the average. */
static bool add_scatter(recording *r, double at, double shake) {
    for (int k = 0; k < PERTURBATIONS; k++) {
        gt__probe_shake(&r->probe, at, shake, (uint64_t)k);
        if (!run(r)) return false;
        const pair now = computed(r);
        for (int64_t i = 0; i < r->n; i++) {
            const double change = fabs(gt__element(now.truth, now.kind, i) - r->truth[i].value) +
                                  fabs(gt__element(now.claim, now.claimed_kind, i) - r->claim[i]);
            if (isfinite(change)) r->truth[i].error = fmax(r->truth[i].error, SCATTER * change);
        }
    }
    double sum = 0;
    for (int64_t i = 0; i < r->n; i++) sum += r->truth[i].error;
    for (int64_t i = 0; i < r->n && r->n > FEW; i++)
        r->truth[i].error = fmax(r->truth[i].error, 2 * sum / (double)r->n);
    gt__probe_move(&r->probe, at);
    return true;
}

static bool measure(recording *r, double at) {
    gt__probe_move(&r->probe, at);
    return read_entries(r) && add_scatter(r, at, 4 * epsilon_of(r)) && !r->probe.failed;
}

/* ---- the other witnesses ------------------------------------------------------------------------------------------ */

/* Differences against what the sweep says of the same direction. A kink is no contradiction. */
static bool hear(recording *r, double swept, double error, gt_slope *numeric, gt_slope *wide,
                 const char *where) {
    const bool has_wide = gt__probe_extended_slope(&r->probe, wide);
    *numeric = gt__probe_slope(&r->probe);
    const bool near = fabs(numeric->value - swept) <= numeric->error + error;
    const bool near_wide = has_wide && fabs(wide->value - swept) <= wide->error + error;
    if (numeric->doubt || near || near_wide || r->disputed) return has_wide;
    if (r->stops && !has_wide) return false;
    r->disputed = true;
    snprintf(r->dispute, sizeof r->dispute,
             "%s: the sweep gives %.10g, differences of the recording %.10g +- %.1g", where, swept,
             numeric->value, numeric->error);
    return has_wide;
}

static void hear_entry(recording *r, int64_t i) {
    gt_slope numeric, wide;
    char where[40];
    gt__probe_aim_nowhere(&r->probe);
    r->probe.along[0][i] = 1;
    r->probe.step = fabs(r->probe.at[0][i]) > 0 ? fabs(r->probe.at[0][i]) / 20 : 0.05;
    snprintf(where, sizeof where, "entry %lld", (long long)i);
    const bool has_wide =
        hear(r, r->truth[i].value, r->truth[i].error, &numeric, &wide, where) && !r->disputed;
    if (numeric.doubt == GT_DOUBT_KINK && isfinite(numeric.left)) {
        r->truth[i].left = numeric.left;
        r->truth[i].right = numeric.right;
        r->truth[i].error = fmax(r->truth[i].error, numeric.error);
        r->truth[i].doubt = GT_DOUBT_KINK;
    }
    if (has_wide && wide.doubt == GT_NO_DOUBT && wide.error < r->truth[i].error) {
        r->truth[i].value = r->truth[i].left = r->truth[i].right = wide.value;
        r->truth[i].error = wide.error;
    }
    r->truth[i].variation = numeric.variation;
    r->truth[i].evaluations = numeric.evaluations;
}

/* All entries at once, in a random direction; then those that the claim disputes. */
static void hear_many(recording *r) {
    long double swept = 0, error = 0;
    gt_slope numeric, wide;
    gt__probe *p = &r->probe;
    gt__probe_aim_nowhere(p);
    for (int64_t i = 0; i < r->n; i++) {
        p->along[0][i] = gt__weight(5, 0, i) * (fabs(p->at[0][i]) > 0 ? fabs(p->at[0][i]) : 0.1);
        swept += (long double)r->truth[i].value * (long double)p->along[0][i];
        error += (long double)fabs(r->truth[i].error * p->along[0][i]);
    }
    hear(r, (double)swept, (double)error, &numeric, &wide, "a random direction");
    if (numeric.doubt != GT_DOUBT_KINK) return;
    int heard = 0;
    for (int64_t i = 0; i < r->n && heard < FEW; i++) {
        if (fabs(r->claim[i] - r->truth[i].value) <= r->truth[i].error) continue;
        hear_entry(r, i);
        heard++;
    }
}

static void hear_all(recording *r) {
    if (r->n > FEW) hear_many(r);
    for (int64_t i = 0; r->n <= FEW && i < r->n; i++) hear_entry(r, i);
}

/* Where they contradict the sweep, it may be that its roundoff repeats itself from ulp to ulp: a larger shake
 * shows that. */
static void hear_witnesses(recording *r) {
    gt__probe_settle(&r->probe);
    const double noise = gt__probe_noise(&r->probe, 1e-10);
    if (isfinite(noise)) r->probe.noise = noise;
    hear_all(r);
    if (!r->disputed || !add_scatter(r, 0, SHAKE * epsilon_of(r))) return;
    r->disputed = false;
    hear_all(r);
}

/* ---- verdicts ------------------------------------------------------------------------------------------------------- */

static gt__ruling judge(recording *r, gt_check_finding *f) {
    gt__entries e = {.claim = r->claim,
                     .truth = r->truth,
                     .count = r->n,
                     .shape = gt_shape_of(r->x),
                     .precision = fmax(gt__precision_of(r->options), epsilon_of(r)),
                     .digits = gt__digits_wanted(r->options)};
    gt__ruling ruling = gt__judge_entries(&e, f);
    if (ruling.verdict == GT_WRONG) gt__diagnose_entries(&e, &r->allocator, f);
    if (ruling.verdict == GT_WRONG) ruling.doubt = GT_NO_DOUBT; /* the sweep's choice was another */
    return ruling;
}

/* Leaves move away by a quarter of their size, less where y is not finite there. */
static bool wander(recording *r, int point) {
    gt__probe *p = &r->probe;
    for (int k = 0; k < p->n_leaves; k++)
        for (int64_t i = 0; i < gt__count(p->leaf[k]); i++)
            p->along[k][i] = gt__weight((uint64_t)point, 6000 + (uint64_t)k, i) *
                             (fabs(p->at[k][i]) > 0 ? fabs(p->at[k][i]) : 1);
    for (double distance = 0.4; distance > 0.001; distance /= 4) {
        if (!measure(r, distance)) return false;
        bool finite = isfinite(gt_item(r->y));
        for (int64_t i = 0; i < r->n; i++) finite = finite && isfinite(r->truth[i].value);
        if (finite) return true;
    }
    return false;
}

/* An entry on a kink whose claim is what the sweep chose is right, whatever the slopes. */
static void accept_choices(recording *r) {
    for (int64_t i = 0; i < r->n; i++) {
        gt_slope *t = &r->truth[i];
        if (t->doubt != GT_DOUBT_KINK || fabs(r->claim[i] - t->value) > t->error) continue;
        const double high = fmax(fmax(t->left, t->right), t->value);
        t->left = fmin(fmin(t->left, t->right), t->value);
        t->right = high;
    }
}

static gt_verdict give_up(const recording *r, gt_check_report *report) {
    report->n_arrays = 0;
    return r->probe.failed ? gt__check_refuse(report, GT_DOUBT_MEMORY, "memory is short")
                           : gt__check_refuse(report, GT_DOUBT_QUESTION, gt_error(r->tape));
}

static gt_verdict judge_recording(recording *r, gt_check_report *report) {
    gt_check_finding *f = &report->array[0];
    char label[48];
    gt__start_finding(gt_label(r->x, label, sizeof label), gt_shape_of(r->x), f);
    report->n_arrays = 1;
    if (!measure(r, 0)) return give_up(r, report);
    hear_witnesses(r);
    if (gt_failed(r->tape) || r->probe.failed) return give_up(r, report);
    accept_choices(r);
    gt__ruling here = judge(r, f), nearby = {GT_RIGHT, GT_NO_DOUBT, 17};
    const bool movable = !gt_is_none(r->claimed) && !(r->options && r->options->only_here);
    const double digits = f->digits;
    for (int k = 0; k < NEARBY && movable && here.verdict != GT_WRONG; k++)
        if (nearby.verdict != GT_WRONG && wander(r, k)) nearby = gt__worse(nearby, judge(r, f));
    f->digits = digits;
    if (gt_failed(r->tape) || r->probe.failed) return give_up(r, report);
    if (r->disputed) here = (gt__ruling){GT_CANNOT_TELL, GT_DOUBT_WITNESSES, 0};
    gt__conclude(f, here, r->disputed ? here : nearby);
    if (r->disputed) snprintf(f->text, sizeof f->text, "%s", r->dispute);
    return gt__sum_up(report);
}

/* ---- the question ------------------------------------------------------------------------------------------------------ */

static const char *objection(gt_tensor y, gt_tensor x, gt_claim claim) {
    if (!gt_valid(y) || !gt_valid(x) || gt_failed(y.tape)) return "the tape has failed";
    if (y.tape != x.tape || gt__count(y) != 1) return "y is not one number of the tape of x";
    if (!gt_is_leaf(x) || !gt_is_assignable(x)) return "x is no leaf that can be set";
    if (gt_dtype_of(x) != GT_F64 && gt_dtype_of(x) != GT_F32) return "x is not f32 or f64";
    if (!claim.values && !gt_valid(claim.tensor)) return "there is no claim";
    if (!claim.values &&
        (claim.tensor.tape != x.tape || !gt_same_shape(gt_shape_of(claim.tensor), gt_shape_of(x))))
        return "the claim does not have the shape of x";
    return NULL;
}

static bool has_stop(gt_tape *tape) {
    for (uint32_t i = 0; i < gt_tape_size(tape); i++)
        if (strcmp(gt_op_of(gt_tensor_at(tape, i))->name, "stop_gradient") == 0) return true;
    return false;
}

static void begin_probe(recording *r) {
    const gt_check_options *o = r->options;
    gt_tensor leaf[GT__PROBE_LEAVES] = {r->x};
    int n = 1;
    for (int k = 0; o && k < o->n_moved && n < GT__PROBE_LEAVES; k++)
        if (gt_valid(o->moved[k]) && o->moved[k].index != r->x.index) leaf[n++] = o->moved[k];
    gt__probe_begin(&r->probe, r->tape, leaf, n, gt_dtype_of(r->x));
    gt__probe_weigh(&r->probe, r->y, 1);
    if (!r->probe.failed) r->probe.weight[0][0] = 1;
}

gt_verdict gt_check_claim(gt_tensor y, gt_tensor x, gt_claim claim, const gt_check_options *options,
                          gt_check_report *report) {
    memset(report, 0, sizeof *report);
    const char *why = objection(y, x, claim);
    if (why) return gt__check_refuse(report, GT_DOUBT_QUESTION, why);
    recording r = {.tape = y.tape, .y = y, .x = x, .options = options, .n = gt__count(x)};
    r.claimed = claim.values ? gt_none() : claim.tensor;
    r.values = claim.values;
    r.allocator = options && options->allocator ? *options->allocator : gt_default_allocator();
    r.stops = has_stop(r.tape);
    const gt_marker mark = gt_mark(r.tape);
    const gt_recorder recorder = gt_record_as(r.tape, GT_BY_RULE);
    r.sweep = gt_grad(y, x);
    gt_record_as(r.tape, recorder);
    begin_probe(&r);
    const size_t bytes = (size_t)r.n * (sizeof *r.claim + sizeof *r.truth);
    r.truth = gt__take(&r.allocator, bytes);
    if (r.truth && !r.probe.failed) {
        r.claim = (double *)(void *)(r.truth + r.n);
        judge_recording(&r, report);
        gt__probe_home(&r.probe);
    } else {
        gt__check_refuse(report, GT_DOUBT_MEMORY, "memory is short");
    }
    gt__give(&r.allocator, r.truth, bytes);
    gt__probe_end(&r.probe);
    gt_rewind(r.tape, mark);
    return report->verdict;
}
