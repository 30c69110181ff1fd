/* tests/support/harness.c: see harness.h. */
#include "support/harness.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "grad/grad.h"
#include "graph/tape.h"
#include "ops/ops.h"
#include "support/memory.h"
#include "support/saved.h"
#include "support/strided.h"

enum { MOST_SAMPLES = 500, ATTEMPTS = 4, ENTRIES = 24, FEW_ENTRIES = 4, MOST_RESULTS = GT_MAX_OUT };

/* One sample, recorded. */
typedef struct trial {
    const subject *subject;
    findings *findings;
    gt_tape *tape, *wide, *narrow; /* the present one; those of f64 and of f32 */
    gt_samples samples;
    int number, attempt;
    const char *way; /* "plain", "f(x, x)", ... */
    gt_tensor y;
    int n_leaves; /* float leaves and trainable parameters */
    gt_tensor leaf[GT__PROBE_LEAVES];
    bool failed, doubtful, zeros, compared, thorough;
    bool infinite; /* an input or a result is, at this point */
} trial;

bool is_soak(void) {
    const char *soak = getenv("GT_SOAK");
    return soak && soak[0] == '1';
}

/* ---- what was found -------------------------------------------------------------------------- */

static void note(trial *t, const char *format, va_list list) {
    findings *f = t->findings;
    char text[600];
    vsnprintf(text, sizeof text, format, list);
    if (f->first[0] && !(t->failed && f->failed == 0)) return;
    snprintf(f->first, sizeof f->first, "%s, sample %d, %s: %s", t->subject->name, t->number,
             t->way, text);
}

static bool GT_PRINTF(2, 3) fail(trial *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    t->failed = true;
    note(t, format, list);
    t->findings->failed++;
    va_end(list);
    return false;
}

static void GT_PRINTF(2, 3) doubt(trial *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    t->doubtful = true;
    if (!t->findings->failed) note(t, format, list);
    va_end(list);
}

verdict judge(double claimed, gt_slope numeric) {
    if (numeric.doubt == GT_DOUBT_KINK || numeric.doubt == GT_DOUBT_JUMP) return CANNOT_TELL;
    if (isnan(numeric.value) || !isfinite(claimed)) return FAIL;
    const double size = fmax(1, fabs(numeric.value));
    const double tolerance = numeric.error + 1e-11 * size;
    if (!(tolerance <= 1e-6 * size)) return CANNOT_TELL;
    return fabs(claimed - numeric.value) <= tolerance ? PASS : FAIL;
}

/* Compares one number; what names it. */
static void compare(trial *t, const char *what, double claimed, gt_slope numeric) {
    const verdict v = judge(claimed, numeric);
    t->findings->compared++;
    t->compared = true;
    if (claimed != 0) t->zeros = false;
    if (v == FAIL)
        fail(t, "%s is %.17g, differences give %.17g +- %.1g", what, claimed, numeric.value,
             numeric.error);
    if (v == CANNOT_TELL)
        doubt(t, "%s: %s", what,
              numeric.doubt == GT_DOUBT_KINK ? "a kink is too near" : "differences are too rough");
}

/* ---- recording ------------------------------------------------------------------------------- */

void put_in_place(gt_tape *tape, const gt_op *original, const gt_op *planted) {
    for (uint32_t i = 0; planted && i < gt_tape_size(tape); i++) {
        gt__node *n = gt__node_at(tape, i);
        if (n->op == original) n->op = planted;
    }
}

static void find_leaves(trial *t) {
    t->n_leaves = 0;
    for (uint32_t i = 0; i < gt_tape_size(t->tape) && t->n_leaves < GT__PROBE_LEAVES; i++) {
        const gt_tensor leaf = gt_tensor_at(t->tape, i);
        bool drawn = gt_is_trainable(leaf);
        for (int k = 0; k < t->samples.drawn; k++) drawn = drawn || t->samples.leaf[k].index == i;
        if (drawn && gt_dtype_is_float(gt_dtype_of(leaf))) t->leaf[t->n_leaves++] = leaf;
    }
}

/* Records the trial's sample anew. Random operations draw the same numbers each time. */
static void record(trial *t, const char *way, gt_dtype dtype, int mode,
                   gt_tensor (*viewer)(gt_tensor)) {
    t->tape = dtype == GT_F32 ? t->narrow : t->wide; /* a parameter keeps its kind */
    gt_tape_reset(t->tape);
    gt_keep_all(t->tape, false);
    gt_params_set_ordinal(gt_tape_params(t->tape), 100);
    t->way = way;
    t->samples = (gt_samples){.tape = t->tape,
                              .op = t->subject->op,
                              .dtype = dtype,
                              .seed = 7 + (uint64_t)t->number + 1000 * (uint64_t)t->attempt,
                              .mode = mode,
                              .viewer = viewer};
    t->y = t->subject->samples(&t->samples, t->number);
    if (t->samples.ended || gt_failed(t->tape)) return;
    put_in_place(t->tape, t->subject->op, t->subject->planted);
    find_leaves(t);
}

static int results_of(const trial *t) { return gt_is_none(t->y) ? 0 : gt_n_out(t->y); }

/* ---- values ---------------------------------------------------------------------------------- */

static bool save(trial *t, saved *v, const gt_tensor *from, int count) {
    return saved_take(v, t->tape, from, count) || fail(t, "does not run: %s", gt_error(t->tape));
}

static bool save_results(trial *t, saved *v) {
    gt_tensor out[MOST_RESULTS];
    const int n = results_of(t);
    for (int k = 0; k < n; k++) out[k] = gt_out(t->y, k);
    v->count = 0;
    if (n == 0 || gt_failed(t->tape)) return fail(t, "cannot be recorded: %s", gt_error(t->tape));
    return save(t, v, out, n);
}

static bool has_infinite_input(const trial *t) {
    for (int k = 0; k < t->n_leaves; k++) {
        const void *data = gt_data(t->leaf[k]);
        for (int64_t i = 0; i < gt__count(t->leaf[k]); i++)
            if (!isfinite(gt__element(data, gt_dtype_of(t->leaf[k]), i))) return true;
    }
    return false;
}

/* A mean of nothing is NaN, and a function of infinity may be anything. */
static bool may_be_infinite(const trial *t) {
    bool odd = has_infinite_input(t);
    for (int k = 0; k < t->n_leaves; k++) odd = odd || gt__count(t->leaf[k]) == 0;
    return odd;
}

/* A row's kernels against its formula in long double, one element at a time. */
static void check_formula(trial *t, const saved *values) {
    const gt_op *op = t->subject->op;
    if (!op || !op->more.value || gt_n_in(t->y) > 3 || gt_op_of(t->y)->more.value != op->more.value)
        return;
    for (int64_t i = 0; i < gt__count(t->y) && !t->failed; i++) {
        long double x[3] = {0};
        for (int k = 0; k < gt_n_in(t->y); k++) {
            const gt_tensor in = gt_in(t->y, k);
            const int64_t place = gt__place(gt_shape_of(in), gt_shape_of(t->y), i);
            x[k] = (long double)gt__element(gt_data(in), gt_dtype_of(in), place);
        }
        const double expected = (double)op->more.value(x, gt_args(t->y));
        const double is = gt__element(values->data[0], values->dtype[0], i);
        const double tolerance = 32 * DBL_EPSILON * fmax(1, fabs(expected));
        if (is != expected && !(fabs(is - expected) <= tolerance))
            fail(t, "element %lld is %.17g, its formula gives %.17g", (long long)i, is, expected);
    }
}

/* Values of the plain recording: finite, and the same when they are computed again. */
static bool check_values(trial *t, saved *values) {
    saved again;
    if (!save_results(t, values)) return false;
    t->infinite = has_infinite_input(t) || !saved_finite(values);
    if (!saved_finite(values) && !may_be_infinite(t)) fail(t, "a value is not finite");
    check_formula(t, values);
    gt_replay(t->tape);
    if (!save_results(t, &again)) return false;
    if (!saved_same(values, &again, true)) fail(t, "a second run gives other bits");
    saved_forget(&again);
    return true;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* gx[i] = d<u, results> / d leaf[i], one sweep. */
static bool record_gradient(trial *t, const gt__probe *p, const gt_tensor *leaf, int n,
                            gt_tensor *gx) {
    bool ok;
    if (p->n_results == 1) {
        ok = gt_vjps(p->result[0], gt__probe_upstream(p, 0), leaf, n, gx);
    } else {
        gt_tensor sum = gt_none();
        for (int k = 0; k < p->n_results; k++) {
            const gt_tensor part =
                gt_sum(gt_mul(p->result[k], gt__probe_upstream(p, k)), GT_ALL, false);
            sum = k ? gt_add(sum, part) : part;
        }
        ok = gt_grads(sum, leaf, n, gx);
    }
    if (!ok) return fail(t, "no gradient: %s", gt_error(t->tape));
    for (int i = 0; i < n; i++)
        if (!gt_same_shape(gt_shape_of(gx[i]), gt_shape_of(leaf[i])) ||
            gt_dtype_of(gx[i]) != gt_dtype_of(leaf[i]))
            return fail(t, "the gradient of input %d has another shape or kind", i);
    return true;
}

static void weigh_results(const trial *t, gt__probe *p) {
    for (int k = 0; k < results_of(t); k++) {
        const gt_tensor out = gt_out(t->y, k);
        if (gt_dtype_is_float(gt_dtype_of(out))) gt__probe_weigh(p, out, t->samples.seed);
    }
}

/* Entries of gx[leaf] against differences, all or a choice, and all leaves at once in a random
 * direction. */
static void compare_gradient(trial *t, gt__probe *p, const double *const *gx, int entries,
                             const char *order) {
    char what[100];
    for (int k = 0; k < p->n_leaves; k++) {
        const int64_t n = gt__count(p->leaf[k]), count = n < entries ? n : entries;
        const int64_t start = (int64_t)(gt_uniform(t->samples.seed, 3000, (uint64_t)k) * (double)n);
        for (int64_t e = 0; e < count && !t->failed; e++) {
            const int64_t i = n <= entries ? e : (start + e * (n / count)) % n;
            gt__probe_aim_nowhere(p);
            p->along[k][i] = 1;
            snprintf(what, sizeof what, "%s of input %d, element %lld", order, k, (long long)i);
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): read_gradient has filled gx
            compare(t, what, gx[k][i], gt__probe_slope(p));
        }
    }
    long double along = 0;
    gt__probe_aim_randomly(p, t->samples.seed);
    for (int k = 0; k < p->n_leaves; k++)
        for (int64_t i = 0; i < gt__count(p->leaf[k]); i++)
            // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): read_gradient has filled gx
            along += (long double)gx[k][i] * (long double)p->along[k][i];
    snprintf(what, sizeof what, "%s in a random direction", order);
    if (!t->failed) compare(t, what, (double)along, gt__probe_slope(p));
}

/* The gradients' values, apart from the tape, which the probe will replay. */
static bool read_gradient(trial *t, const gt_tensor *gx, int n, saved *v, const double **data) {
    const bool ok = save(t, v, gx, n);
    for (int k = 0; ok && k < n; k++) data[k] = v->data[k];
    return ok;
}

/* Tangents forward: <u, J v> must be what the differences along v are. */
static void check_tangent(trial *t, gt__probe *p) {
    gt__probe_aim_randomly(p, t->samples.seed);
    const gt_slope numeric = gt__probe_slope(p);
    long double sum = 0;
    for (int k = 0; k < p->n_results; k++) {
        for (int i = 0; i < p->n_leaves; i++) {
            const gt_tensor along = gt_input(t->tape, p->along[i], gt_shape_of(p->leaf[i]), GT_F64);
            const gt_tensor tangent = gt_jvp(p->result[k], p->leaf[i], along);
            const double *data = gt_data(tangent);
            if (!data && gt__count(p->result[k])) {
                fail(t, "no tangent: %s", gt_error(t->tape));
                return;
            }
            for (int64_t e = 0; e < gt__count(p->result[k]); e++)
                // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): data is NULL only without elements
                sum += (long double)data[e] * (long double)p->weight[k][e];
        }
    }
    compare(t, "the tangent in a random direction", (double)sum, numeric);
}

/* The same again for the recorded gradient, under random weights of its own. */
static void check_second_order(trial *t, const gt__probe *first, const gt_tensor *gx) {
    gt__probe p;
    gt_tensor gg[GT__PROBE_LEAVES];
    saved values = {.count = 0};
    const double *data[GT__PROBE_LEAVES];
    gt__probe_begin(&p, t->tape, first->leaf, first->n_leaves, GT_F64);
    for (int k = 0; k < first->n_leaves && k < GT__PROBE_RESULTS; k++)
        gt__probe_weigh(&p, gx[k], t->samples.seed + 1);
    t->way = "second order";
    if (p.n_results > 0 && record_gradient(t, &p, p.leaf, p.n_leaves, gg) &&
        read_gradient(t, gg, p.n_leaves, &values, data)) {
        gt__probe_settle(&p);
        const int64_t before = t->findings->compared;
        compare_gradient(t, &p, data, t->thorough ? ENTRIES : FEW_ENTRIES, "second derivative");
        if (!t->failed && !t->doubtful && t->findings->compared > before) t->findings->second++;
    }
    saved_forget(&values);
    gt__probe_end(&p);
}

/* Zeros everywhere, and the row says so? */
static bool is_flat(const gt_op *op) {
    if (!op || !op->more.gradient_text[0]) return false;
    for (int k = 0; k < 3; k++)
        if (op->more.gradient_text[k] && strcmp(op->more.gradient_text[k], "ZERO") != 0)
            return false;
    return true;
}

static bool has_entries(const gt__probe *p) {
    int64_t in = 0, out = 0;
    for (int k = 0; k < p->n_leaves; k++) in += gt__count(p->leaf[k]);
    for (int k = 0; k < p->n_results; k++) out += gt__count(p->result[k]);
    return in > 0 && out > 0;
}

/* First and second derivatives of the present recording; values gets the gradients. */
static void check_gradient(trial *t, int entries, bool second) {
    gt__probe p;
    gt_tensor gx[GT__PROBE_LEAVES];
    saved values = {.count = 0};
    const double *data[GT__PROBE_LEAVES];
    const bool doubtful_before = t->doubtful;
    gt__probe_begin(&p, t->tape, t->leaf, t->n_leaves, GT_F64);
    weigh_results(t, &p);
    t->zeros = true;
    t->compared = t->doubtful = false;
    if (p.n_leaves == 0 || p.n_results == 0) {
        fail(t, "claims a gradient, but has no float input or no float result");
    } else if (record_gradient(t, &p, p.leaf, p.n_leaves, gx) &&
               read_gradient(t, gx, p.n_leaves, &values, data)) {
        gt__probe_settle(&p);
        if (!t->infinite)
            compare_gradient(t, &p, data, entries, "gradient");
        else if (!saved_finite(&values))
            fail(t, "the gradient is not finite"); /* differences say nothing at infinity */
        if (second && t->zeros && t->compared && has_entries(&p) && !is_flat(t->subject->op))
            doubt(t, "the gradient is all zeros"); /* f(x, x) = x - x may have it */
        const bool agreed = !t->failed && !t->doubtful && t->compared && has_entries(&p);
        if (agreed && second) t->findings->gradients++;
        if (agreed && second) check_tangent(t, &p);
        if (!t->failed && second && t->compared && has_entries(&p)) check_second_order(t, &p, gx);
    }
    t->doubtful = t->doubtful || doubtful_before;
    saved_forget(&values);
    gt__probe_end(&p);
}

/* Where none is claimed it may be refused, with a reason, but nothing worse may happen. */
static void check_refusal(trial *t) {
    gt__probe p;
    gt__probe_begin(&p, t->tape, t->leaf, t->n_leaves, GT_F64);
    const gt_tensor y = t->y;
    for (int k = 0; k < p.n_leaves && !gt_failed(t->tape); k++) {
        const gt_tensor u = gt_full(t->tape, gt_shape_of(y), 1, gt_dtype_of(y));
        const gt_tensor gx = gt_vjp(y, u, p.leaf[k]);
        if (gt_failed(t->tape) ? !gt_error(t->tape)[0] : !gt_data(gx) && gt__count(gx))
            fail(t, "asking for its gradient fails without a word");
    }
    gt__probe_end(&p);
}

/* ---- other ways to record the same sample ---------------------------------------------------- */

/* Results, and gradients under the weights of the first recording, of the present one. */
static bool save_all(trial *t, saved *values, saved *gradients) {
    gt__probe p;
    gt_tensor gx[GT__PROBE_LEAVES];
    gradients->count = 0;
    if (!save_results(t, values)) return false;
    if (t->samples.no_gradient) return true;
    gt__probe_begin(&p, t->tape, t->leaf, 0, GT_F64);
    weigh_results(t, &p);
    bool ok = p.n_results > 0 && t->n_leaves > 0 &&
              record_gradient(t, &p, t->leaf, t->n_leaves, gx) &&
              save(t, gradients, gx, t->n_leaves);
    gt__probe_end(&p);
    return ok;
}

static void check_views(trial *t) {
    static gt_tensor (*const viewer[])(gt_tensor) = {view_transposed, view_reversed,
                                                     view_with_gaps};
    static const char *const way[] = {"transposed views", "reversed views", "views with gaps"};
    saved values, gradients, of_view, gradients_of_view;
    record(t, "plain", GT_F64, GT_SAMPLE_PLAIN, NULL);
    if (save_all(t, &values, &gradients)) {
        for (int v = 0; v < 3 && !t->failed; v++) {
            record(t, way[v], GT_F64, GT_SAMPLE_VIEW, viewer[v]);
            if (save_all(t, &of_view, &gradients_of_view)) {
                if (!saved_same(&values, &of_view, true))
                    fail(t, "other bits than on contiguous inputs");
                if (!saved_same(&gradients, &gradients_of_view, false))
                    fail(t, "another gradient than on contiguous inputs");
            }
            saved_forget(&of_view);
            saved_forget(&gradients_of_view);
        }
    }
    saved_forget(&values);
    saved_forget(&gradients);
}

static void check_alias(trial *t, int plain_inputs) {
    record(t, "f(x, x)", GT_F64, GT_SAMPLE_ALIAS, NULL);
    if (t->samples.drawn == plain_inputs) return; /* no two inputs alike */
    saved values = {.count = 0};
    if (check_values(t, &values) && !t->samples.no_gradient)
        check_gradient(t, t->thorough ? ENTRIES : FEW_ENTRIES, false);
    saved_forget(&values);
}

/* ---- f32 against f64 ------------------------------------------------------------------------- */

/* Rounds the f64 leaves to f32, so that only the operation's own rounding is seen. */
static void round_leaves(trial *t) {
    for (int k = 0; k < t->n_leaves; k++) {
        const double *at = gt_data(t->leaf[k]);
        const int64_t n = gt__count(t->leaf[k]);
        if (gt_dtype_of(t->leaf[k]) != GT_F64 || !at) continue;
        double *rounded = test_memory((size_t)n * sizeof *rounded);
        for (int64_t i = 0; i < n; i++) rounded[i] = (double)(float)at[i];
        gt_set(t->leaf[k], rounded);
        free(rounded);
    }
    gt_replay(t->tape);
}

static void compare_kinds(trial *t, const char *what, const saved *narrow, const saved *wide) {
    if (narrow->count != wide->count) {
        fail(t, "%s: another number of them in f32", what);
        return;
    }
    for (int k = 0; k < wide->count; k++) {
        if (!gt_same_shape(narrow->shape[k], wide->shape[k])) {
            fail(t, "%s %d has another shape in f32", what, k);
            return;
        }
        const double tolerance = 40 * (double)FLT_EPSILON * fmax(1, saved_largest(wide, k));
        const bool whole = !gt_dtype_is_float(wide->dtype[k]);
        for (int64_t i = 0; i < gt_numel(wide->shape[k]) && !t->failed; i++) {
            const double x = gt__element(narrow->data[k], narrow->dtype[k], i);
            const double y = gt__element(wide->data[k], wide->dtype[k], i);
            if (x == y || (isnan(x) && isnan(y))) continue;
            if (!(fabs(x - y) <= (whole ? 0 : tolerance)))
                fail(t, "%s %d, element %lld: %.9g in f32, %.17g in f64", what, k, (long long)i, x,
                     y);
        }
    }
}

static void check_f32(trial *t) {
    saved values, gradients, narrow, narrow_gradients;
    record(t, "f64, rounded inputs", GT_F64, GT_SAMPLE_PLAIN, NULL);
    round_leaves(t);
    if (save_all(t, &values, &gradients)) {
        record(t, "f32", GT_F32, GT_SAMPLE_PLAIN, NULL);
        if (save_all(t, &narrow, &narrow_gradients)) {
            compare_kinds(t, "value of result", &narrow, &values);
            if (!t->failed) compare_kinds(t, "gradient of input", &narrow_gradients, &gradients);
        }
        saved_forget(&narrow);
        saved_forget(&narrow_gradients);
    }
    saved_forget(&values);
    saved_forget(&gradients);
}

/* ---- bf16 against f32 ------------------------------------------------------------------------- */

/* Keeps of the f32 leaves what a bf16 can hold: the upper half of each. */
static void truncate_leaves(trial *t) {
    for (int k = 0; k < t->n_leaves; k++) {
        const size_t bytes = (size_t)gt__count(t->leaf[k]) * sizeof(uint32_t);
        const void *at = gt_data(t->leaf[k]);
        if (gt_dtype_of(t->leaf[k]) != GT_F32 || !at) continue;
        uint32_t *bits = test_memory(bytes);
        memcpy(bits, at, bytes);
        for (size_t i = 0; i < bytes / sizeof *bits; i++) bits[i] &= 0xffff0000;
        gt_set(t->leaf[k], bits);
        free(bits);
    }
    gt_replay(t->tape);
}

/* An upstream of numbers that bf16 holds: halves between -128 and 128. */
static gt_tensor coarse_upstream(const trial *t) {
    const gt_shape shape = gt_shape_of(t->y);
    return gt_reshape(gt_arange(t->tape, -80, 0.5, gt_numel(shape), GT_F32), shape);
}

static void save_coarse(trial *t, bool autocast, gt_tensor (*viewer)(gt_tensor), saved *values,
                        saved *gradients) {
    gt_tensor gx[GT__PROBE_LEAVES];
    gt_autocast(t->narrow, autocast);
    record(t, autocast ? "autocast" : "f32 of bf16 numbers", GT_F32,
           viewer ? GT_SAMPLE_VIEW : GT_SAMPLE_PLAIN, viewer);
    gt_autocast(t->narrow, false);
    truncate_leaves(t);
    gradients->count = 0;
    if (!save_results(t, values)) return;
    if (!gt_vjps(t->y, coarse_upstream(t), t->leaf, t->n_leaves, gx))
        fail(t, "no gradient: %s", gt_error(t->tape));
    else
        save(t, gradients, gx, t->n_leaves);
}

/* Numbers that bf16 holds are not rounded: products of them, and of their gradients, are those of f32. */
static void check_autocast(trial *t, gt_tensor (*viewer)(gt_tensor)) {
    saved plain, plain_gradients, narrow, narrow_gradients;
    if (t->samples.no_gradient || !t->subject->op) return;
    if (!(t->subject->op->more.traits & GT_AUTOCAST)) return;
    save_coarse(t, false, viewer, &plain, &plain_gradients);
    save_coarse(t, true, viewer, &narrow, &narrow_gradients);
    if (!t->failed) compare_kinds(t, "under gt_autocast, value of result", &narrow, &plain);
    if (!t->failed)
        compare_kinds(t, "under gt_autocast, gradient of input", &narrow_gradients,
                      &plain_gradients);
    saved_forget(&plain);
    saved_forget(&plain_gradients);
    saved_forget(&narrow);
    saved_forget(&narrow_gradients);
}

/* ---- samples that must fail ------------------------------------------------------------------ */

/* Whoever finds the error, recording or run, the tape must be as good as new after a reset. */
static void check_bad(trial *t) {
    char expected[200];
    snprintf(expected, sizeof expected, "%s", t->samples.bad);
    for (int k = 0; !gt_failed(t->tape) && k < results_of(t); k++) (void)gt_data(gt_out(t->y, k));
    if (!gt_failed(t->tape))
        fail(t, "must fail with \"%s\" and does not", expected);
    else if (!strstr(gt_error(t->tape), expected))
        fail(t, "must fail with \"%s\", fails with \"%s\"", expected, gt_error(t->tape));
    gt_tape_reset(t->tape);
    const double two = 2;
    const gt_tensor x = gt_input(t->tape, &two, GT_SCALAR, GT_F64);
    if (!(gt_item(gt_neg(x)) == -2)) fail(t, "the tape is of no use after it failed and was reset");
}

/* ---- one sample, and all --------------------------------------------------------------------- */

static void check_good(trial *t) {
    saved values = {.count = 0};
    const int inputs = t->samples.drawn;
    const bool gradient = !t->samples.no_gradient;
    bool ok = check_values(t, &values);
    saved_forget(&values);
    if (ok && gradient) check_gradient(t, ENTRIES, true);
    if (ok && !gradient) check_refusal(t);
    if (ok && !t->failed) check_views(t);
    if (ok && !t->failed) check_alias(t, inputs);
    if (ok && !t->failed) check_f32(t);
    if (ok && !t->failed) check_autocast(t, NULL);
    if (ok && !t->failed) check_autocast(t, view_with_gaps);
}

static bool check_once(trial *t) {
    t->doubtful = false;
    record(t, "plain", GT_F64, GT_SAMPLE_PLAIN, NULL);
    if (t->samples.ended) return false;
    if (t->attempt == 0) *(t->samples.bad ? &t->findings->bad : &t->findings->good) += 1;
    if (t->samples.bad)
        check_bad(t);
    else
        check_good(t);
    return true;
}

/* What cannot be told at one point (a relu of negative numbers only) is tried at other ones. */
static bool check_sample(trial *t, int number) {
    bool exists = true;
    t->number = number;
    t->failed = false;
    t->doubtful = true;
    t->wide = gt_tape_new(NULL);
    t->narrow = gt_tape_new(NULL);
    for (t->attempt = 0; exists && t->attempt < ATTEMPTS && t->doubtful && !t->failed; t->attempt++)
        exists = check_once(t);
    gt_tape_free(t->wide);
    gt_tape_free(t->narrow);
    if (exists && t->doubtful && !t->failed) t->findings->cannot_tell++;
    return exists;
}

static bool is_differentiable(const subject *s) {
    if (!s->op || is_flat(s->op)) return false;
    return s->op->gradient.pull || s->op->gradient.backward ||
           (s->op->gradient.local && s->op->more.gradient_text[0]);
}

static void say_missing(const subject *s, findings *f, const char *what) {
    if (f->first[0] == 0) snprintf(f->first, sizeof f->first, "%s: %s", s->name, what);
}

verdict check_subject(const subject *s, bool thorough, findings *f) {
    *f = (findings){0};
    trial t = {.subject = s, .findings = f, .thorough = thorough};
    /* Of a planted error it matters whether it is noticed at all. */
    for (int i = 0; i < MOST_SAMPLES && check_sample(&t, i); i++)
        if (s->planted && f->failed) break;
    const bool effect = s->op && s->op->more.traits & GT_EFFECT;
    if (f->failed) return FAIL;
    if (f->good == 0 && !(effect && f->bad > 0)) return say_missing(s, f, "no sample"), FAIL;
    if (is_differentiable(s) && f->gradients == 0) {
        if (f->cannot_tell) return CANNOT_TELL;
        return say_missing(s, f, "a gradient rule, and no sample that checks it"), FAIL;
    }
    return f->cannot_tell && f->cannot_tell == f->good ? CANNOT_TELL : PASS;
}
