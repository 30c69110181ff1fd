/* tests/support/claim_rivals.c: the pass rules of other checkers, reimplemented from what their documentation says
 * of them. A claim of another shape than its variable is an error in each of them, so none passes it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "support/claim_case.h"
#include "support/memory.h"

/* y where the variable has moved by t along a direction. */
static double value_at(const claim_case *c, const double *along, double t) {
    int k = 0;
    while (c->leaf[k].index != c->x.index) k++;
    const int64_t n = gt__count(c->x);
    double *moved = test_memory((size_t)n * sizeof *moved);
    for (int64_t i = 0; i < n; i++) moved[i] = c->at[k][i] + t * along[i];
    gt_set(c->x, moved);
    gt_replay(c->tape);
    free(moved);
    return gt_item(c->y);
}

static double central(const claim_case *c, const double *along, double step) {
    return (value_at(c, along, step) - value_at(c, along, -step)) / (2 * step);
}

/* The claimed numbers, and a direction of the same length, zero. */
static double *claimed(const claim_case *c, double **along) {
    const size_t bytes = (size_t)gt__count(c->x) * sizeof(double);
    double *g = test_memory(bytes);
    *along = test_memory(bytes);
    memcpy(g, gt_data(c->claim), bytes);
    return g;
}

static double along_claim(const claim_case *c, const double *g, const double *along) {
    double sum = 0;
    for (int64_t i = 0; i < gt__count(c->x); i++) sum += g[i] * along[i];
    return sum;
}

/* PyTorch: every entry; |a - n| <= atol + rtol |n|. */
static bool pytorch_passes(claim_case *c) {
    double *along, *g = claimed(c, &along);
    bool passes = true;
    for (int64_t i = 0; i < gt__count(c->x) && passes; i++) {
        along[i] = 1;
        const double n = central(c, along, 1e-6);
        passes = fabs(g[i] - n) <= 1e-5 + 1e-3 * fabs(n);
        along[i] = 0;
    }
    free(g), free(along);
    return passes;
}

/* JAX: one random direction, always the same; the tolerance for doubles is 1e-5, absolute and relative. */
static bool jax_passes(claim_case *c) {
    double *along, *g = claimed(c, &along);
    for (int64_t i = 0; i < gt__count(c->x); i++) along[i] = gt_normal(0, 0, (uint64_t)i);
    const double n = central(c, along, 1e-4), a = along_claim(c, g, along);
    free(g), free(along);
    return fabs(a - n) <= 1e-5 + 1e-5 * fabs(n);
}

/* HIPS autograd: a random direction; within 1e-6 absolutely or relatively. */
static bool hips_passes(claim_case *c) {
    double *along, *g = claimed(c, &along);
    for (int64_t i = 0; i < gt__count(c->x); i++) along[i] = gt_normal(1, 0, (uint64_t)i);
    const double n = central(c, along, 1e-6), a = along_claim(c, g, along);
    free(g), free(along);
    return fabs(a - n) < 1e-6 || fabs(a - n) < 1e-6 * fabs(a + n);
}

/* KANN: one direction of positive numbers, values in floats, sizes compared without their signs; a difference that
 * the curvature might explain is excused. */
static bool kann_passes(claim_case *c) {
    const float step = 1e-4f, relative = 1e-3f;
    double *along, *g = claimed(c, &along);
    for (int64_t i = 0; i < gt__count(c->x); i++)
        along[i] = (double)step * gt_uniform(2, 0, (uint64_t)i);
    const float here = (float)value_at(c, along, 0), above = (float)value_at(c, along, 1);
    const float below = (float)value_at(c, along, -1);
    const float s0 = fabsf((float)along_claim(c, g, along)), s1 = fabsf((above - below) / 2);
    const float error = fabsf(s0 - s1) / (s0 + s1);
    const float curvature = fabsf(above + below - 2 * here) / fabsf(above - below);
    free(g), free(along);
    return !(error >= relative) || !(error > curvature);
}

const rival rivals[] = {
    {"PyTorch gradcheck", "every entry, step 1e-6, within 1e-5 + 0.1 %", pytorch_passes},
    {"JAX check_grads", "one direction, step 1e-4, within 1e-5 + 0.001 %", jax_passes},
    {"HIPS autograd", "one direction, 1e-6 absolute or relative", hips_passes},
    {"KANN", "one positive direction, floats, no sign", kann_passes},
    {NULL, NULL, NULL},
};
