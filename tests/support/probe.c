/* tests/support/probe.c: see probe.h. */
#include "support/probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_STEP_INVERSE = 20 }; /* samples keep at least 0.1 from ties */

void *test_memory(size_t bytes) {
    void *block = calloc(bytes ? bytes : 1, 1);
    if (!block) {
        fputs("no memory for the test itself\n", stderr);
        abort();
    }
    return block;
}

int64_t probe_numel(gt_tensor t) { return gt_numel(gt_shape_of(t)); }

double probe_element(const void *data, gt_dtype dtype, int64_t i) {
    switch (dtype) {
    case GT_F32: return (double)((const float *)data)[i];
    case GT_F64: return ((const double *)data)[i];
    case GT_I32: return ((const int32_t *)data)[i];
    case GT_I64: return (double)((const int64_t *)data)[i];
    case GT_BOOL: return ((const unsigned char *)data)[i];
    default: return (double)NAN;
    }
}

int64_t probe_place(gt_shape in, gt_shape result, int64_t i) {
    int64_t place = 0, step = 1;
    for (int d = result.rank - 1, e = in.rank - 1; d >= 0 && e >= 0; d--, e--) {
        if (in.dim[e] > 1) place += i % result.dim[d] * step;
        step *= in.dim[e];
        i /= result.dim[d];
    }
    return place;
}

double probe_weight(uint64_t seed, uint64_t stream, int64_t i) {
    const double u = gt_uniform(seed, stream, (uint64_t)i);
    return u < 0.5 ? -0.5 - u : u;
}

/* ---- beginning ------------------------------------------------------------------------------- */

void probe_begin(probe *p, gt_tape *tape, const gt_tensor *leaf, int n_leaves) {
    memset(p, 0, sizeof *p);
    p->tape = tape;
    for (int k = 0; k < n_leaves && p->n_leaves < PROBE_LEAVES; k++) {
        if (gt_dtype_of(leaf[k]) != GT_F64) continue;
        const size_t bytes = (size_t)probe_numel(leaf[k]) * sizeof(double);
        p->leaf[p->n_leaves] = leaf[k];
        p->at[p->n_leaves] = test_memory(bytes);
        p->along[p->n_leaves] = test_memory(bytes);
        const void *values = gt_data(leaf[k]);
        if (bytes && values) memcpy(p->at[p->n_leaves], values, bytes);
        p->n_leaves++;
    }
}

void probe_weigh(probe *p, gt_tensor result, uint64_t seed) {
    if (p->n_results == PROBE_RESULTS) return;
    const int64_t n = probe_numel(result);
    double *weight = test_memory((size_t)n * sizeof *weight);
    for (int64_t i = 0; i < n; i++)
        weight[i] = probe_weight(seed, 1000 + (uint64_t)p->n_results, i);
    p->result[p->n_results] = result;
    p->weight[p->n_results++] = weight;
}

void probe_watch(probe *p, gt_tensor integers) {
    if (p->n_watched < PROBE_WATCHED) p->watched[p->n_watched++] = integers;
}

gt_tensor probe_upstream(const probe *p, int result) {
    const gt_tensor t = p->result[result];
    const int64_t n = probe_numel(t);
    if (gt_dtype_of(t) == GT_F64)
        return gt_input(p->tape, p->weight[result], gt_shape_of(t), GT_F64);
    float *narrow = test_memory((size_t)n * sizeof *narrow);
    for (int64_t i = 0; i < n; i++) narrow[i] = (float)p->weight[result][i];
    const gt_tensor u = gt_input(p->tape, narrow, gt_shape_of(t), GT_F32);
    free(narrow);
    return u;
}

void probe_end(probe *p) {
    for (int k = 0; k < p->n_leaves; k++) {
        free(p->at[k]);
        free(p->along[k]);
    }
    for (int k = 0; k < p->n_results; k++) free(p->weight[k]);
    p->n_leaves = p->n_results = 0;
}

/* ---- branches: which piece of every kinked function is taken --------------------------------- */

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
    const int64_t n = probe_numel(t);
    for (int64_t i = 0; i < n; i++) {
        double x[3] = {0};
        for (int k = 0; k < n_in && k < 3; k++) {
            const gt_tensor in = gt_in(t, k);
            const int64_t place = probe_place(gt_shape_of(in), gt_shape_of(t), i);
            x[k] = probe_element(data[k], gt_dtype_of(in), place);
        }
        hash = mix(hash, gt_op_of(t)->more.branch(x, gt_args(t)));
    }
    return hash;
}

/* Integers and truths, such as the place of a maximum, are branches too. */
static uint64_t mix_values(uint64_t hash, gt_tensor t) {
    const void *data = gt_computed(t);
    const int64_t n = data ? probe_numel(t) : 0;
    for (int64_t i = 0; i < n; i++)
        hash = mix(hash, (int64_t)probe_element(data, gt_dtype_of(t), i));
    return hash;
}

static uint64_t signature(const probe *p) {
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

/* ---- evaluating ------------------------------------------------------------------------------ */

static bool weighted_sum(const probe *p, double *value, double *magnitude) {
    long double sum = 0, size = 0;
    gt_tensor wanted[PROBE_RESULTS + PROBE_WATCHED];
    int n = 0;
    for (int k = 0; k < p->n_results; k++) wanted[n++] = p->result[k];
    for (int k = 0; k < p->n_watched; k++) wanted[n++] = p->watched[k];
    if (!gt_run(p->tape, wanted, n)) return false;
    for (int k = 0; k < p->n_results; k++) {
        const void *data = gt_data(p->result[k]);
        const int64_t count = data ? probe_numel(p->result[k]) : 0;
        for (int64_t i = 0; i < count; i++) {
            const double y = probe_element(data, gt_dtype_of(p->result[k]), i);
            const long double term = (long double)y * (long double)p->weight[k][i];
            sum += term;
            size += term < 0 ? -term : term;
        }
    }
    *value = (double)sum;
    *magnitude = (double)size;
    return true;
}

static void move_to(const probe *p, double t) {
    for (int k = 0; k < p->n_leaves; k++) {
        const int64_t n = probe_numel(p->leaf[k]);
        double *moved = test_memory((size_t)n * sizeof *moved);
        for (int64_t i = 0; i < n; i++) moved[i] = p->at[k][i] + t * p->along[k][i];
        gt_set(p->leaf[k], moved);
        free(moved);
    }
    gt_replay(p->tape);
}

void probe_home(probe *p) { move_to(p, 0); }

static bool value_at(void *user, double t, double *value, double *magnitude) {
    probe *p = user;
    *value = *magnitude = (double)NAN;
    move_to(p, t);
    weighted_sum(p, value, magnitude); /* a failure leaves NaN, which compares equal to nothing */
    return !p->branches || signature(p) == p->signature;
}

void probe_settle(probe *p) {
    double value, magnitude;
    p->branches = false;
    for (uint32_t i = 0; i < gt_tape_size(p->tape); i++)
        p->branches = p->branches || takes_branches(gt_tensor_at(p->tape, i));
    gt_keep_all(p->tape, p->branches);
    probe_home(p);
    weighted_sum(p, &value, &magnitude);
    p->signature = signature(p);
}

slope probe_slope(probe *p) {
    gt_keep_all(p->tape, p->branches);
    const slope s = slope_at_zero(value_at, p, 1.0 / FIRST_STEP_INVERSE);
    gt_keep_all(p->tape, false);
    probe_home(p);
    return s;
}

void probe_aim_nowhere(probe *p) {
    for (int k = 0; k < p->n_leaves; k++)
        memset(p->along[k], 0, (size_t)probe_numel(p->leaf[k]) * sizeof(double));
}

void probe_aim_randomly(probe *p, uint64_t seed) {
    for (int k = 0; k < p->n_leaves; k++)
        for (int64_t i = 0; i < probe_numel(p->leaf[k]); i++)
            p->along[k][i] = probe_weight(seed, 2000 + (uint64_t)k, i);
}
