/* tests/support/numeric.h: derivatives by differences, with an estimate of their own error.
 *
 * Central differences at shrinking steps, extrapolated to step 0 (Ridders 1982). The estimate is
 * the spread of the extrapolation table where it is least, plus the roundoff of the values: callers
 * allow several times that. */
#ifndef TESTS_NUMERIC_H
#define TESTS_NUMERIC_H

#include <stdbool.h>

/* The value at t on a line through the point in question; *magnitude is the size of what was summed
 * to get it, which its roundoff is relative to. False: t lies beyond a kink. */
typedef bool (*line_function)(void *user, double t, double *value, double *magnitude);

typedef struct slope {
    double value, error;
    bool kinked; /* a kink closer than any step worth taking: there is no value */
} slope;

/* d/dt at 0; the first step is `step`, smaller when that crosses a kink. */
slope slope_at_zero(line_function f, void *user, double step);

#endif
