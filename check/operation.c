/* check/operation.c: gt_check_op: an operation's gradient rule, by the samples that it brings along. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/judge.h"
#include "check/probe.h"
#include "grad/grad.h"
#include "ops/ops.h"

enum { MOST_SAMPLES = 500, ENTRIES = 24, ATTEMPTS = 3 };

/* One sample, recorded. */
typedef struct trial {
    const gt_op *op;
    const gt_check_options *options;
    gt_tape *tape;
    gt_samples samples;
    gt_tensor y;
    gt__probe probe;
    gt_tensor gradient[GT__PROBE_LEAVES];
    gt__ruling ruling;
    int64_t evaluations;
    gt_check_finding finding;
} trial;

static void GT_PRINTF(2, 3) say(trial *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(t->finding.text, sizeof t->finding.text, format, list);
    va_end(list);
}

/* Draws the sample; of attempt 1, 2, ... with other numbers. */
static bool record(trial *t, int i, int attempt) {
    gt_tape_reset(t->tape);
    gt_params_set_ordinal(gt_tape_params(t->tape), 100);
    t->samples = (gt_samples){.tape = t->tape,
                              .op = t->op,
                              .dtype = GT_F64,
                              .seed = 7 + (uint64_t)i + 1000 * (uint64_t)attempt};
    t->y = t->op->samples(&t->samples, i);
    return !t->samples.ended;
}

static void fail(trial *t) { t->ruling = (gt__ruling){GT_WRONG, GT_NO_DOUBT, 0}; }

/* It may fail when it is recorded or when it runs. */
static void judge_bad(trial *t) {
    for (int k = 0; !gt_failed(t->tape) && k < gt_n_out(t->y); k++) (void)gt_data(gt_out(t->y, k));
    const bool failed = gt_failed(t->tape);
    if (failed && strstr(gt_error(t->tape), t->samples.bad)) return;
    say(t, "must fail with \"%s\" and %s%.100s", t->samples.bad, failed ? "says " : "does not fail",
        gt_error(t->tape));
    fail(t);
}

/* d<u, results> / d leaves. */
static bool record_gradient(const gt__probe *p, gt_tensor *gx) {
    gt_tensor sum = gt_none();
    for (int k = 0; k < p->n_results; k++) {
        const gt_tensor part =
            gt_sum(gt_mul(p->result[k], gt__probe_upstream(p, k)), GT_ALL, false);
        sum = k ? gt_add(sum, part) : part;
    }
    return p->n_results > 0 && gt_grads(sum, p->leaf, p->n_leaves, gx);
}

static void consider(trial *t, const char *what, double claimed, const gt_slope *truth) {
    const gt__ruling r = gt__judge(claimed, 1e-12 * fabs(claimed), truth, truth->variation,
                                   gt__digits_wanted(t->options));
    if (r.verdict == GT_WRONG && t->ruling.verdict != GT_WRONG)
        say(t, "%s is %.10g, differences give %.10g +- %.1g", what, claimed, truth->value,
            truth->error);
    t->evaluations += truth->evaluations;
    t->ruling = gt__worse(t->ruling, r);
}

/* Entries of one input's gradient, all or some. */
static void judge_input(trial *t, int k, const double *gx) {
    gt__probe *p = &t->probe;
    const int64_t n = gt__count(p->leaf[k]), count = n < ENTRIES ? n : ENTRIES;
    for (int64_t e = 0; e < count && t->ruling.verdict != GT_WRONG; e++) {
        const int64_t i = e * (n / count);
        char what[64];
        gt__probe_aim_nowhere(p);
        p->along[k][i] = 1;
        const gt_slope truth = gt__probe_slope(p);
        snprintf(what, sizeof what, "entry %lld of the gradient of input %d", (long long)i, k);
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): read_gradient has copied every entry
        consider(t, what, gx[i], &truth);
    }
}

/* All inputs at once, in a random direction. */
static void judge_along(trial *t, const double *const *gx, const char *what) {
    gt__probe *p = &t->probe;
    long double sum = 0;
    gt__probe_aim_randomly(p, t->samples.seed);
    for (int k = 0; k < p->n_leaves; k++)
        for (int64_t i = 0; i < gt__count(p->leaf[k]); i++)
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): as above
            sum += (long double)gx[k][i] * (long double)p->along[k][i];
    const gt_slope truth = gt__probe_slope(p);
    consider(t, what, (double)sum, &truth);
}

/* Copies of the gradients: probing runs the tape anew. */
static bool read_gradient(const trial *t, const gt_allocator *a, const gt_tensor *gx,
                          double **copy) {
    const gt__probe *p = &t->probe;
    bool ok = gt_run(t->tape, gx, p->n_leaves);
    for (int k = 0; k < p->n_leaves; k++) {
        const size_t bytes = (size_t)gt__count(p->leaf[k]) * sizeof(double);
        copy[k] = gt__take(a, bytes);
        const void *data = ok ? gt_data(gx[k]) : NULL;
        ok = ok && copy[k] && (data || !bytes);
        if (ok && bytes) memcpy(copy[k], data, bytes);
    }
    return ok;
}

static void forget(const trial *t, const gt_allocator *a, double **copy) {
    for (int k = 0; k < t->probe.n_leaves; k++)
        gt__give(a, copy[k], (size_t)gt__count(t->probe.leaf[k]) * sizeof(double));
}

/* First derivatives; with `again` those of the recorded gradient. */
static void judge_gradient(trial *t, const gt_allocator *a, const gt_tensor *result, int n,
                           gt_tensor *gx, bool again) {
    double *copy[GT__PROBE_LEAVES] = {NULL};
    gt__probe *p = &t->probe;
    gt__probe_begin(p, t->tape, t->samples.leaf, t->samples.drawn, GT_F64);
    for (int k = 0; k < n && k < GT__PROBE_RESULTS; k++)
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): n of them are filled
        if (gt_dtype_of(result[k]) == GT_F64)
            gt__probe_weigh(p, result[k], t->samples.seed + again);
    if (p->n_leaves == 0 || p->n_results == 0 || !record_gradient(p, gx) ||
        !read_gradient(t, a, gx, copy)) {
        say(t, "it has no gradient: %.200s", gt_error(t->tape));
        fail(t);
    } else {
        gt__probe_settle(p);
        for (int k = 0; k < p->n_leaves && !again; k++) judge_input(t, k, copy[k]);
        if (t->ruling.verdict != GT_WRONG)
            judge_along(t, (const double *const *)copy,
                        again ? "the second derivative in a random direction"
                              : "the derivative in a random direction");
    }
    forget(t, a, copy);
    gt__probe_end(p);
}

static void judge_good(trial *t, const gt_allocator *a) {
    gt_tensor result[GT_MAX_OUT] = {{0}}, gx[GT__PROBE_LEAVES], again[GT__PROBE_LEAVES];
    int n = 0;
    if (gt_failed(t->tape)) {
        say(t, "cannot be recorded: %.200s", gt_error(t->tape));
        fail(t);
        return;
    }
    for (int k = 0; k < gt_n_out(t->y); k++) result[n++] = gt_out(t->y, k);
    if (t->samples.no_gradient) return;
    judge_gradient(t, a, result, n, gx, false);
    int leaves = 0;
    for (int k = 0; k < t->samples.drawn; k++) leaves += gt_dtype_of(t->samples.leaf[k]) == GT_F64;
    if (t->ruling.verdict == GT_RIGHT && !t->op->gradient.backward)
        judge_gradient(t, a, gx, leaves, again, true);
}

/* A sample that lies too near a kink is drawn again. False: there is none of that number. */
static bool judge_sample(trial *t, const gt_allocator *a, int i) {
    char name[48];
    snprintf(name, sizeof name, "%.30s, sample %d", t->op->name, i);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        gt__start_finding(name, GT_SCALAR, &t->finding);
        t->ruling = (gt__ruling){GT_RIGHT, GT_NO_DOUBT, 17};
        if (!record(t, i, attempt)) return false;
        if (t->samples.bad)
            judge_bad(t);
        else
            judge_good(t, a);
        if (t->ruling.verdict == GT_RIGHT || t->ruling.verdict == GT_WRONG) break;
    }
    t->finding.digits = t->ruling.digits;
    gt__conclude(&t->finding, t->ruling, (gt__ruling){GT_RIGHT, GT_NO_DOUBT, 17});
    return true;
}

gt_verdict gt_check_op(const gt_op *op, const gt_check_options *options, gt_check_report *report) {
    memset(report, 0, sizeof *report);
    const gt_allocator a =
        options && options->allocator ? *options->allocator : gt_default_allocator();
    if (!op || !op->samples)
        return gt__check_refuse(report, GT_DOUBT_QUESTION, "the operation has no samples");
    gt_params *params = gt_params_new(&a, 0);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    trial t = {.op = op, .options = options, .tape = tape};
    gt__ruling right = {GT_RIGHT, GT_NO_DOUBT, 17};
    int samples = 0, good = 0;
    for (int i = 0; tape && i < MOST_SAMPLES && judge_sample(&t, &a, i); i++, samples++) {
        good += t.finding.verdict == GT_RIGHT;
        if (t.finding.verdict == GT_RIGHT)
            right = gt__worse(right, t.ruling);
        else if (report->n_arrays < GT_CHECK_ARRAYS - 1)
            report->array[report->n_arrays++] = t.finding;
    }
    gt_check_finding *all = &report->array[report->n_arrays++];
    gt__start_finding(op->name, GT_SCALAR, all);
    all->digits = right.digits;
    snprintf(all->text, sizeof all->text, "%d of %d samples", good, samples);
    report->evaluations = t.evaluations;
    gt_tape_free(tape);
    gt_params_free(params);
    if (!tape) return gt__check_refuse(report, GT_DOUBT_MEMORY, "memory is short");
    return samples ? gt__sum_up(report)
                   : gt__check_refuse(report, GT_DOUBT_QUESTION, "the operation has no samples");
}
