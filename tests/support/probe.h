/* tests/support/probe.h: a recorded function as a numeric function of its f64 leaves: the weighted
 * sum of all elements of its float results, along a line through the leaves' values. It is
 * evaluated by setting the leaves and replaying the recording, so what is compared with a gradient
 * is the very same graph. */
#ifndef TESTS_PROBE_H
#define TESTS_PROBE_H

#include "graph/graph.h"
#include "support/numeric.h"

enum { PROBE_LEAVES = 24, PROBE_RESULTS = GT_MAX_OUT, PROBE_WATCHED = 64 };

typedef struct probe {
    gt_tape *tape;
    int n_leaves, n_results;
    gt_tensor leaf[PROBE_LEAVES], result[PROBE_RESULTS];
    double *at[PROBE_LEAVES];      /* the leaves' values at the point in question */
    double *along[PROBE_LEAVES];   /* the direction of the line */
    double *weight[PROBE_RESULTS]; /* of each element of each result */
    int n_watched;
    gt_tensor watched
        [PROBE_WATCHED]; /* integers that are computed along, because they tell branches apart */
    bool branches;       /* some operation on the tape has kinks */
    uint64_t signature;  /* the branches taken at the point */
} probe;

/* Starts a probe of the f64 leaves at their present values. Those of other kinds are left out. */
void probe_begin(probe *p, gt_tape *tape, const gt_tensor *leaf, int n_leaves);
/* Adds a float result, with random weights drawn from seed. */
void probe_weigh(probe *p, gt_tensor result, uint64_t seed);
void probe_watch(probe *p, gt_tensor integers);
/* Its weights as a tensor of the result's shape and kind: an upstream gradient. */
gt_tensor probe_upstream(const probe *p, int result);
/* Call it when all is recorded: notes which branches are taken at the point. */
void probe_settle(probe *p);
/* Sets the leaves back to the point, and forgets what was computed elsewhere. */
void probe_home(probe *p);
/* The derivative along p->along. */
slope probe_slope(probe *p);
/* Makes the direction zero, or random. */
void probe_aim_nowhere(probe *p);
void probe_aim_randomly(probe *p, uint64_t seed);
void probe_end(probe *p);

int64_t probe_numel(gt_tensor t);
/* Element i of an array as a double. */
double probe_element(const void *data, gt_dtype dtype, int64_t i);
/* The place in an input, which is broadcast to the result, of what element i of the result depends
 * on. */
int64_t probe_place(gt_shape in, gt_shape result, int64_t i);
/* Random numbers of size 0.5 to 1, of either sign. */
double probe_weight(uint64_t seed, uint64_t stream, int64_t i);
/* Memory for tests, zeroed: ends the program when there is none. */
void *test_memory(size_t bytes);

#endif
