/* check/probe.c: see probe.h. */
#include "check/probe.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "check/extended.h"

enum { FIRST_STEP_INVERSE = 20 };

int64_t gt__count(gt_tensor t) { return gt_numel(gt_shape_of(t)); }

double gt__element(const void *data, gt_dtype dtype, int64_t i) {
    switch (dtype) {
    case GT_F32: return (double)((const float *)data)[i];
    case GT_F64: return ((const double *)data)[i];
    case GT_I32: return ((const int32_t *)data)[i];
    case GT_I64: return (double)((const int64_t *)data)[i];
    case GT_BOOL: return ((const unsigned char *)data)[i];
    default: return (double)NAN;
    }
}

int64_t gt__place(gt_shape in, gt_shape result, int64_t i) {
    int64_t place = 0, step = 1;
    for (int d = result.rank - 1, e = in.rank - 1; d >= 0 && e >= 0; d--, e--) {
        if (in.dim[e] > 1) place += i % result.dim[d] * step;
        step *= in.dim[e];
        i /= result.dim[d];
    }
    return place;
}

double gt__weight(uint64_t seed, uint64_t stream, int64_t i) {
    const double u = gt_uniform(seed, stream, (uint64_t)i);
    return u < 0.5 ? -0.5 - u : u;
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static void *take(gt__probe *p, int64_t n) {
    const size_t bytes = (size_t)n * sizeof(double);
    void *block = gt_params_alloc(gt_tape_params(p->tape), NULL, 0, bytes ? bytes : 1);
    if (block) memset(block, 0, bytes);
    p->failed = p->failed || !block;
    return block;
}

static void give(const gt__probe *p, void *block, int64_t n) {
    const size_t bytes = (size_t)n * sizeof(double);
    if (block) gt_params_alloc(gt_tape_params(p->tape), block, bytes ? bytes : 1, 0);
}

/* ---- beginning and end --------------------------------------------------------------------------------------- */

void gt__probe_begin(gt__probe *p, gt_tape *tape, const gt_tensor *leaf, int n_leaves,
                     gt_dtype kind) {
    memset(p, 0, sizeof *p);
    p->tape = tape;
    p->step = 1.0 / FIRST_STEP_INVERSE;
    for (int k = 0; k < n_leaves && p->n_leaves < GT__PROBE_LEAVES && !p->failed; k++) {
        if (gt_dtype_of(leaf[k]) != kind) continue;
        const int m = p->n_leaves++;
        const int64_t n = gt__count(leaf[k]);
        p->leaf[m] = leaf[k];
        p->at[m] = take(p, n);
        p->along[m] = take(p, n);
        p->moved[m] = take(p, n);
        const void *values = gt_data(leaf[k]);
        for (int64_t i = 0; values && !p->failed && i < n; i++)
            p->at[m][i] = gt__element(values, kind, i);
    }
}

void gt__probe_weigh(gt__probe *p, gt_tensor result, uint64_t seed) {
    if (p->n_results == GT__PROBE_RESULTS) return;
    const int64_t n = gt__count(result);
    double *weight = take(p, n);
    for (int64_t i = 0; weight && i < n; i++)
        weight[i] = gt__weight(seed, 1000 + (uint64_t)p->n_results, i);
    p->result[p->n_results] = result;
    p->weight[p->n_results++] = weight;
}

void gt__probe_watch(gt__probe *p, gt_tensor integers) {
    if (p->n_watched < GT__PROBE_WATCHED) p->watched[p->n_watched++] = integers;
}

void gt__probe_end(gt__probe *p) {
    for (int k = 0; k < p->n_leaves; k++) {
        const int64_t n = gt__count(p->leaf[k]);
        give(p, p->at[k], n);
        give(p, p->along[k], n);
        give(p, p->moved[k], n);
    }
    for (int k = 0; k < p->n_results; k++) give(p, p->weight[k], gt__count(p->result[k]));
    p->n_leaves = p->n_results = 0;
}

static void narrow(void *to, gt_dtype kind, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (kind == GT_F32)
            ((float *)to)[i] = (float)from[i];
        else
            ((double *)to)[i] = from[i];
}

gt_tensor gt__probe_upstream(const gt__probe *p, int result) {
    const gt_tensor t = p->result[result];
    const int64_t n = gt__count(t);
    const gt_dtype kind = gt_dtype_of(t);
    if (kind == GT_F64) return gt_input(p->tape, p->weight[result], gt_shape_of(t), GT_F64);
    gt__probe copy = *p;
    void *values = take(&copy, n);
    if (!values) return gt_fail(p->tape, "out of memory for an upstream gradient");
    narrow(values, kind, p->weight[result], n);
    const gt_tensor u = gt_input(p->tape, values, gt_shape_of(t), kind);
    give(p, values, n);
    return u;
}

/* ---- branches: which piece of every kinked function is taken ------------------------------------------------- */

static uint64_t mix(uint64_t hash, int64_t value) {
    return (hash ^ (uint64_t)value) * 0x9e3779b97f4a7c15u + (hash >> 29);
}

static bool takes_branches(gt_tensor t) {
    return !gt_is_leaf(t) && (gt_op_of(t)->more.branch || !gt_dtype_is_float(gt_dtype_of(t)));
}

static uint64_t mix_branches(uint64_t hash, gt_tensor t) {
    const int n_in = gt_n_in(t);
    const void *data[3] = {NULL};
    for (int k = 0; k < n_in && k < 3; k++) {
        data[k] = gt_computed(gt_in(t, k));
        if (!data[k]) return hash;
    }
    const int64_t n = gt__count(t);
    for (int64_t i = 0; i < n; i++) {
        double x[3] = {0};
        for (int k = 0; k < n_in && k < 3; k++) {
            const gt_tensor in = gt_in(t, k);
            const int64_t place = gt__place(gt_shape_of(in), gt_shape_of(t), i);
            x[k] = gt__element(data[k], gt_dtype_of(in), place);
        }
        hash = mix(hash, gt_op_of(t)->more.branch(x, gt_args(t)));
    }
    return hash;
}

/* Integers and truths, such as the place of a maximum, are branches too. */
static uint64_t mix_values(uint64_t hash, gt_tensor t) {
    const void *data = gt_computed(t);
    const int64_t n = data ? gt__count(t) : 0;
    for (int64_t i = 0; i < n; i++) hash = mix(hash, (int64_t)gt__element(data, gt_dtype_of(t), i));
    return hash;
}

static uint64_t signature(const gt__probe *p) {
    uint64_t hash = 1;
    uint32_t last = 0;
    for (int k = 0; k < p->n_results; k++)
        if (p->result[k].index > last) last = p->result[k].index;
    for (int k = 0; k < p->n_watched; k++)
        if (p->watched[k].index > last) last = p->watched[k].index;
    for (uint32_t i = 0; p->branches && i <= last; i++) {
        const gt_tensor t = gt_tensor_at(p->tape, i);
        if (!takes_branches(t)) continue;
        hash = gt_op_of(t)->more.branch ? mix_branches(hash, t) : mix_values(hash, t);
    }
    return hash;
}

/* ---- evaluating ------------------------------------------------------------------------------------------------ */

static bool weighted_sum(const gt__probe *p, long double *value, long double *magnitude) {
    long double sum = 0, size = 0;
    gt_tensor wanted[GT__PROBE_RESULTS + GT__PROBE_WATCHED];
    int n = 0;
    for (int k = 0; k < p->n_results; k++) wanted[n++] = p->result[k];
    for (int k = 0; k < p->n_watched; k++) wanted[n++] = p->watched[k];
    if (!gt_run(p->tape, wanted, n)) return false;
    for (int k = 0; k < p->n_results; k++) {
        const void *data = gt_data(p->result[k]);
        const int64_t count = data ? gt__count(p->result[k]) : 0;
        for (int64_t i = 0; i < count; i++) {
            const double y = gt__element(data, gt_dtype_of(p->result[k]), i);
            const long double term = (long double)y * (long double)p->weight[k][i];
            sum += term;
            size += term < 0 ? -term : term;
        }
    }
    *value = sum;
    *magnitude = size;
    return true;
}

void gt__probe_shake(gt__probe *p, double t, double error, uint64_t seed) {
    for (int k = 0; k < p->n_leaves && !p->failed; k++) {
        double *moved = p->moved[k];
        const int64_t n = gt__count(p->leaf[k]);
        for (int64_t i = 0; i < n; i++) {
            const double shaken = error > 0 ? error * gt__weight(seed, 3000 + (uint64_t)k, i) : 0;
            const double x = (p->at[k][i] + t * p->along[k][i]) * (1 + shaken);
            if (gt_dtype_of(p->leaf[k]) == GT_F32)
                ((float *)p->moved[k])[i] = (float)x;
            else
                moved[i] = x;
        }
        gt_set(p->leaf[k], moved);
    }
    gt_replay(p->tape);
}

void gt__probe_move(gt__probe *p, double t) { gt__probe_shake(p, t, 0, 0); }

void gt__probe_home(gt__probe *p) { gt__probe_move(p, 0); }

static bool value_at(void *user, long double t, long double *value, long double *magnitude) {
    gt__probe *p = user;
    *value = *magnitude = (long double)NAN;
    gt__probe_move(p, (double)t);
    weighted_sum(p, value, magnitude); /* a failure leaves NaN, which compares equal to nothing */
    return !p->branches || signature(p) == p->signature;
}

void gt__probe_settle(gt__probe *p) {
    long double value, magnitude;
    p->branches = false;
    for (uint32_t i = 0; i < gt_tape_size(p->tape); i++)
        p->branches = p->branches || takes_branches(gt_tensor_at(p->tape, i));
    gt_keep_all(p->tape, p->branches);
    gt__probe_home(p);
    weighted_sum(p, &value, &magnitude);
    p->signature = signature(p);
    gt_keep_all(p->tape, false);
}

static long double roundoff_of(const gt__probe *p) {
    return p->n_leaves && gt_dtype_of(p->leaf[0]) == GT_F32 ? (long double)FLT_EPSILON
                                                            : (long double)DBL_EPSILON;
}

static gt_slope no_slope(gt_doubt doubt) {
    const double nan = (double)NAN;
    return (gt_slope){nan, HUGE_VAL, nan, nan, 0, 0, doubt, 0};
}

gt_slope gt__probe_slope(gt__probe *p) {
    if (p->failed) return no_slope(GT_DOUBT_MEMORY);
    const gt__ruler ruler = {(long double)p->step, roundoff_of(p), (long double)p->noise, 0};
    gt_keep_all(p->tape, p->branches);
    const gt_slope s = gt__slope_at_zero(value_at, p, &ruler);
    gt_keep_all(p->tape, false);
    gt__probe_home(p);
    return s;
}

double gt__probe_noise(gt__probe *p, double reach) {
    const double noise = p->failed ? (double)NAN : gt__noise_of(value_at, p, reach);
    gt__probe_home(p);
    return noise;
}

void gt__probe_aim_nowhere(gt__probe *p) {
    for (int k = 0; k < p->n_leaves && !p->failed; k++)
        memset(p->along[k], 0, (size_t)gt__count(p->leaf[k]) * sizeof(double));
}

void gt__probe_aim_randomly(gt__probe *p, uint64_t seed) {
    for (int k = 0; k < p->n_leaves && !p->failed; k++)
        for (int64_t i = 0; i < gt__count(p->leaf[k]); i++)
            p->along[k][i] = gt__weight(seed, 2000 + (uint64_t)k, i);
}

/* ---- the witness in long double ---------------------------------------------------------------------------------- */

typedef struct extended_line {
    const gt__probe *probe;
    gt__extended *extended;
} extended_line;

static bool extended_value_at(void *user, long double t, long double *value, long double *size) {
    const extended_line *line = user;
    const gt__probe *p = line->probe;
    for (int k = 0; k < p->n_leaves; k++) {
        long double *x = gt__extended_leaf(line->extended, k);
        for (int64_t i = 0; x && i < gt__count(p->leaf[k]); i++)
            x[i] = (long double)p->at[k][i] + t * (long double)p->along[k][i];
    }
    const long double *y = gt__extended_run(line->extended, size);
    *value = 0;
    for (int64_t i = 0; i < gt__count(p->result[0]); i++)
        *value += y[i] * (long double)p->weight[0][i];
    return true;
}

bool gt__probe_extended_slope(gt__probe *p, gt_slope *slope) {
    if (p->failed || p->n_results != 1) return false;
    extended_line line = {p, gt__extended_new(p->result[0], p->leaf, p->n_leaves, &p->failed)};
    if (!line.extended) return false;
    const gt__ruler ruler = {(long double)p->step, LDBL_EPSILON, 0, 0};
    *slope = gt__slope_at_zero(extended_value_at, &line, &ruler);
    gt__extended_free(line.extended);
    return true;
}
