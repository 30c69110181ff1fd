/* check/numeric.h: derivatives by differences, with a bound of their own error.
 *
 * Central differences at shrinking steps, extrapolated to step 0 (Ridders 1982); the estimate is the spread of
 * the extrapolation table where it is least. One-sided ones where the second difference does not vanish. */
#ifndef GT_CHECK_NUMERIC_H
#define GT_CHECK_NUMERIC_H

#include "check/check.h"

/* The value at t on a line through the point in question; *size is the size of what was summed to get it, which
 * its roundoff is relative to. False: t lies beyond a kink, though there is a value. */
typedef bool (*gt__line)(void *user, long double t, long double *value, long double *size);

typedef struct gt__ruler {
    long double step;    /* the first one to try */
    long double epsilon; /* relative roundoff of a value */
    long double noise;   /* absolute, where it is known to be more */
    long double goal;    /* relative error that is good enough; 0: the root of epsilon / 256 */
} gt__ruler;

/* d/dt at 0. */
gt_slope gt__slope_at_zero(gt__line f, void *user, const gt__ruler *ruler);

/* How much values scatter around a smooth function, within `reach` of 0 (Moré and Wild 2011); infinite when the
 * same point gives two values, NaN where they are not finite. Twelve evaluations, or up to thirty. */
double gt__noise_of(gt__line f, void *user, double reach);

/* Twelve bits of a step: x + h and x - h are then exact, but for x much larger than h. */
double gt__short_step(double h);

#endif
