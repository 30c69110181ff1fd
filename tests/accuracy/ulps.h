/* tests/accuracy/ulps.h: how far kernels are from the correctly rounded value, in units in the last place.
 * The reference is the row in long double; a result that rounds correctly is at most half a unit away. */
#ifndef TESTS_MEASURE_H
#define TESTS_MEASURE_H

#include "graph/graph.h"
#include "ops/kernels.h"

typedef struct finding {
    double units;  /* the largest distance */
    double at[2];  /* where */
    int64_t wrong; /* NaN where a number is right, or a number where NaN is */
    double wrong_at[2];
} finding;

/* What to try: all f32 of one input, or that many of them. */
typedef struct effort {
    uint32_t stride; /* f32 of one input: every stride-th; 1: all */
    int64_t samples; /* f64, and two inputs */
} effort;

/* The same numbers for every row with parameters. */
extern const gt_arg measured_args[2];

bool takes_two(const gt_op *op);
/* Kernels of the same row and kind, in one pass: one finding each. */
void measure(const gt_op *op, gt_dtype dtype, const gt_tile *tile, int count, effort e, finding *f);
/* The distance of one element. */
double distance_at(const gt_op *op, gt_dtype dtype, gt_tile tile, const double at[2]);

#endif
