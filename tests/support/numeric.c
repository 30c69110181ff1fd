/* tests/support/numeric.c: see numeric.h. */
#include "support/numeric.h"

#include <float.h>
#include <math.h>

enum { LEVELS = 10 };

/* One central difference; false beyond a kink. */
static bool difference(line_function f, void *user, double h, double *d, double *noise) {
    double above, below, size_above, size_below;
    if (!f(user, h, &above, &size_above) || !f(user, -h, &below, &size_below)) return false;
    *d = (above - below) / (2 * h);
    *noise = DBL_EPSILON * fmax(size_above, size_below) / h;
    return true;
}

/* How far an entry is from the three that it refines. Two of them may agree with it by chance. */
static double spread_of(const double *row, const double *before, int k) {
    const double left = fabs(row[k] - row[k - 1]), above = fabs(row[k] - before[k - 1]);
    return fmax(fmax(left, above), fabs(row[k] - before[k]));
}

/* Column k of the table removes the error term h^2k; each level halves h. */
static bool extrapolate(line_function f, void *user, double h, slope *best) {
    double before[LEVELS] = {0}, row[LEVELS] = {0}, noise;
    if (!difference(f, user, h, &before[0], &noise)) return false;
    *best = (slope){before[0], HUGE_VAL, false};
    for (int level = 1; level < LEVELS; level++) {
        h /= 2;
        if (!difference(f, user, h, &row[0], &noise)) return false;
        double power = 1, least = HUGE_VAL;
        for (int k = 1; k <= level; k++) {
            power *= 4;
            row[k] = (power * row[k - 1] - before[k - 1]) / (power - 1);
            if (k == level) break; /* it refines two only */
            const double spread = spread_of(row, before, k);
            least = fmin(least, spread);
            if (spread + noise < best->error) *best = (slope){row[k], spread + noise, false};
        }
        if (best->error <= 1e-12 * fabs(best->value)) break;
        if (level > 2 && least > 4 * best->error) break; /* roundoff has taken over */
        for (int k = 0; k <= level; k++) before[k] = row[k];
    }
    return true;
}

slope slope_at_zero(line_function f, void *user, double step) {
    slope s;
    for (int attempt = 0; attempt < 6; attempt++, step /= 8)
        if (extrapolate(f, user, step, &s)) return s;
    return (slope){(double)NAN, HUGE_VAL, true};
}
