/* check/probe.h: a recorded function as a numeric function of its float leaves: the weighted sum of all elements
 * of its float results, along a line through the leaves' values. It is evaluated by setting the leaves and
 * replaying the recording, so what is compared with a gradient is the very same graph. */
#ifndef GT_CHECK_PROBE_H
#define GT_CHECK_PROBE_H

#include "check/numeric.h"

enum { GT__PROBE_LEAVES = 24, GT__PROBE_RESULTS = GT_MAX_OUT, GT__PROBE_WATCHED = 64 };

typedef struct gt__probe {
    gt_tape *tape;
    int n_leaves, n_results, n_watched;
    gt_tensor leaf[GT__PROBE_LEAVES], result[GT__PROBE_RESULTS];
    /* Integers that are computed along, because they tell branches apart. */
    gt_tensor watched[GT__PROBE_WATCHED];
    double *at[GT__PROBE_LEAVES];      /* the leaves' values at the point in question */
    double *along[GT__PROBE_LEAVES];   /* the direction of the line */
    double *weight[GT__PROBE_RESULTS]; /* of each element of each result */
    void *moved[GT__PROBE_LEAVES];
    bool branches;      /* some operation on the tape has kinks */
    uint64_t signature; /* the branches taken at the point */
    bool failed;        /* memory was short */
    double step;        /* the first one to try */
    double noise;       /* of the values, where it is known to be more than roundoff */
} gt__probe;

/* Starts a probe of the leaves of that kind, f32 or f64, at their present values. Others are left out. */
void gt__probe_begin(gt__probe *p, gt_tape *tape, const gt_tensor *leaf, int n_leaves,
                     gt_dtype kind);
/* Adds a float result, with random weights drawn from seed. */
void gt__probe_weigh(gt__probe *p, gt_tensor result, uint64_t seed);
void gt__probe_watch(gt__probe *p, gt_tensor integers);
/* Its weights as a tensor of the result's shape and kind: an upstream gradient. */
gt_tensor gt__probe_upstream(const gt__probe *p, int result);
/* Call it when all is recorded: notes which branches are taken at the point. */
void gt__probe_settle(gt__probe *p);
/* Sets the leaves to the point, or to another on the line, and forgets what was computed elsewhere. */
void gt__probe_home(gt__probe *p);
void gt__probe_move(gt__probe *p, double t);
/* The same, with every number off by up to that relative error. */
void gt__probe_shake(gt__probe *p, double t, double error, uint64_t seed);
/* Makes the direction zero, or random. */
void gt__probe_aim_nowhere(gt__probe *p);
void gt__probe_aim_randomly(gt__probe *p, uint64_t seed);
/* How much the values scatter along p->along: for p->noise. */
double gt__probe_noise(gt__probe *p, double reach);
/* The derivative along p->along: of the recording; of its formulas in long double, which is absent (false) where
 * the recording has no result but one, or an operation without a formula. */
gt_slope gt__probe_slope(gt__probe *p);
bool gt__probe_extended_slope(gt__probe *p, gt_slope *slope);
void gt__probe_end(gt__probe *p);

int64_t gt__count(gt_tensor t);
/* Element i of an array as a double. */
double gt__element(const void *data, gt_dtype dtype, int64_t i);
/* The place in an input, which is broadcast to the result, of what element i of the result depends on. */
int64_t gt__place(gt_shape in, gt_shape result, int64_t i);
/* Random numbers of size 0.5 to 1, of either sign. */
double gt__weight(uint64_t seed, uint64_t stream, int64_t i);

#endif
