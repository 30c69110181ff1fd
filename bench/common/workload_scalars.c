/* bench/common/workload_scalars.c: W9 and W10, where every number is a node of its own. */
#include "workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- W9: a perceptron 2-16-16-1; hinge loss over two moons ---------------------------------------------- */

enum { POINTS = 100, NEURONS = 16, SCALARS = 337, SCALAR_OPERATIONS = 65077 };

static const int width[] = {2, NEURONS, NEURONS, 1};

/* Three numbers a point: its place, and its side. */
static void place_moons(double *point, bench_draw *draw) {
    const double pi = 3.14159265358979323846;
    for (int i = 0; i < POINTS; i++, point += 3) {
        const int place = i / 2;
        const double angle = pi * place / 49.0;
        const bool upper = i % 2 == 0;
        point[0] = upper ? cos(angle) : 1 - cos(angle);
        point[1] = upper ? sin(angle) : 0.5 - sin(angle);
        point[2] = upper ? -1 : 1;
        for (int k = 0; k < 2; k++) point[k] += 0.2 * (bench_uniform(draw) - 0.5);
    }
}

static bool prepare_network(training *t) {
    bench_draw draw = bench_draw_start();
    t->points = malloc(3 * POINTS * sizeof *t->points);
    if (!t->points) return false;
    place_moons(t->points, &draw);
    int next = 0;
    for (int layer = 0; layer < 3; layer++) {
        for (int neuron = 0; neuron < width[layer + 1]; neuron++) {
            for (int i = 0; i <= width[layer]; i++, next++) {
                const double value = i == width[layer] ? 0 : 2 * bench_uniform(&draw) - 1;
                char name[16];
                snprintf(name, sizeof name, "p%d", next);
                if (!gt_param_set(t->params, name, GT_SCALAR, GT_F64, &value, true)) return false;
            }
        }
    }
    return next == SCALARS;
}

/* The network's answer at a point. The first layer's inputs are plain numbers. */
static gt_tensor answer(const gt_tensor *p, const double *point) {
    gt_tensor before[NEURONS], after[NEURONS];
    for (int layer = 0; layer < 3; layer++) {
        const int in = width[layer], out = width[layer + 1];
        for (int neuron = 0; neuron < out; neuron++, p += in + 1) {
            gt_tensor s = p[in];
            for (int i = 0; i < in; i++)
                s = gt_add(s, layer ? gt_mul(p[i], before[i]) : gt_mul_scalar(p[i], point[i]));
            after[neuron] = layer < 2 ? gt_relu(s) : s;
        }
        memcpy(before, after, sizeof before);
    }
    return after[0];
}

static gt_tensor network(training *t) {
    gt_tensor p[SCALARS];
    for (int i = 0; i < SCALARS; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        p[i] = gt_param(t->tape, name, GT_SCALAR, GT_F64, gt_init_zeros());
    }
    gt_tensor hinge = gt_scalar(t->tape, 0, GT_F64), squares = gt_scalar(t->tape, 0, GT_F64);
    for (const double *point = t->points; point < t->points + 3 * POINTS; point += 3) {
        const gt_tensor score = answer(p, point);
        hinge = gt_add(hinge, gt_relu(gt_add_scalar(gt_mul_scalar(score, -point[2]), 1)));
    }
    for (int i = 0; i < SCALARS; i++) squares = gt_add(squares, gt_mul(p[i], p[i]));
    return gt_add(gt_mul_scalar(hinge, 1.0 / POINTS), gt_mul_scalar(squares, 1e-4));
}

static gt_optim *steps(gt_params *params) { return gt_sgd(params, (gt_sgd_options){.rate = 0.05}); }

/* ---- W10: a long chain of five, or of three, operations that repeat ------------------------------------------ */

enum { CHAIN = 10000 };

static bool prepare_chain(training *t) {
    t->points = malloc(2 * sizeof *t->points);
    if (!t->points) return false;
    t->points[0] = 0.4, t->points[1] = 0.3;
    return true;
}

static gt_tensor chain(training *t, bool mixed) {
    const gt_tensor x = gt_borrow(t->tape, &t->points[0], GT_SCALAR, GT_F64);
    const gt_tensor y = gt_borrow(t->tape, &t->points[1], GT_SCALAR, GT_F64);
    gt_tensor u = y, sum = x;
    for (int n = 0; n + (mixed ? 5 : 3) <= CHAIN; n += mixed ? 5 : 3) {
        u = gt_add(gt_mul(x, u), y);
        if (mixed) u = gt_exp(gt_sin(u));
        sum = gt_add(sum, u);
    }
    t->wrt[0] = x, t->wrt[1] = y, t->n_wrt = 2;
    return sum;
}

static gt_tensor mixed_chain(training *t) { return chain(t, true); }
static gt_tensor arithmetic_chain(training *t) { return chain(t, false); }

const workload bench_scalars[] = {
    {.name = "W9",
     .prepare = prepare_network,
     .loss = network,
     .optimizer = steps,
     .operations = SCALAR_OPERATIONS},
    {.name = "W10a", .prepare = prepare_chain, .loss = mixed_chain, .operations = CHAIN},
    {.name = "W10b", .prepare = prepare_chain, .loss = arithmetic_chain, .operations = CHAIN},
    {.name = NULL},
};
