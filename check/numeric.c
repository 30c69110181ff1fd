/* check/numeric.c: see numeric.h. */
#include "check/numeric.h"

#include <float.h>
#include <math.h>

enum { LEVELS = 10, ATTEMPTS = 6, WIDER = 3, SAFETY = 10, POINTS = 9 };

/* A line under measurement, and what was seen on the way. */
typedef struct measure {
    gt__line f;
    void *user;
    const gt__ruler *ruler;
    int side; /* 0: central differences; 1, -1: to the right, to the left */
    long double centre, size;
    long double variation; /* the largest |f(t) - f(0)| / |t| */
    bool whole;            /* some step crossed no kink */
    int evaluations;
} measure;

/* A derivative with its estimates, before the safety factor. */
typedef struct estimate {
    long double value, spread, noise;
    bool bent;        /* the slopes on both sides differ */
    long double step; /* of the level where it was found */
} estimate;

static bool value_at(measure *m, long double t, long double *value, long double *size) {
    m->evaluations++;
    return m->f(m->user, t, value, size);
}

/* One difference quotient, and the second difference over h; false beyond a kink and where f is not finite. */
static bool quotient(measure *m, long double h, long double *d, long double *bend,
                     long double *noise) {
    long double above = m->centre, below = m->centre, size_above = m->size, size_below = m->size;
    bool same = true;
    if (m->side >= 0) same = value_at(m, h, &above, &size_above);
    if (m->side <= 0) same = value_at(m, -h, &below, &size_below) && same;
    if (!isfinite(above) || !isfinite(below)) return false;
    if (m->side == 0 && !same) return false;
    m->whole = true;
    const long double up = fabsl(above - m->centre) / h, down = fabsl(below - m->centre) / h;
    m->variation = fmaxl(m->variation, fmaxl(up, down));
    *d = (above - below) / (m->side ? h : 2 * h);
    *bend = (above - 2 * m->centre + below) / h;
    *noise = fmaxl(m->ruler->epsilon * fmaxl(size_above, size_below), m->ruler->noise) / h;
    return true;
}

/* How far an entry is from the three that it refines. Two of them may agree with it by chance. */
static long double spread_of(const long double *row, const long double *before, int k) {
    const long double left = fabsl(row[k] - row[k - 1]), above = fabsl(row[k] - before[k - 1]);
    return fmaxl(fmaxl(left, above), fabsl(row[k] - before[k]));
}

/* For a smooth function the second difference over h shrinks with h, and extrapolates to 0; at a kink it does
 * neither. bend holds those of the last three levels, the latest first. */
static bool is_bent(const long double bend[3], long double noise) {
    const long double now = 2 * bend[0] - bend[1], before = 2 * bend[1] - bend[2];
    if (fabsl(now) > SAFETY * (fabsl(now - before) + 8 * noise)) return true;
    return fabsl(bend[0]) > SAFETY * noise && fabsl(bend[0]) > fabsl(bend[1]) * 0.75L;
}

/* Column k of the table removes the k-th error term: even powers of h from central differences, all of them
 * from one-sided ones. Each level halves h. */
static bool extrapolate(measure *m, long double h, estimate *best) {
    long double before[LEVELS] = {0}, row[LEVELS] = {0}, bend[3] = {0}, noise;
    const long double shrink = m->side ? 2 : 4;
    const int least_levels = m->ruler->goal > 0 ? 2 : 3;
    *best = (estimate){.spread = HUGE_VALL};
    if (!quotient(m, h, &before[0], &bend[0], &noise)) return false;
    best->value = before[0];
    for (int level = 1; level < LEVELS; level++) {
        h /= 2;
        bend[2] = bend[1], bend[1] = bend[0];
        if (!quotient(m, h, &row[0], &bend[0], &noise)) return false;
        long double power = 1, least = HUGE_VALL;
        for (int k = 1; k <= level; k++) {
            power *= shrink;
            row[k] = (power * row[k - 1] - before[k - 1]) / (power - 1);
            if (k == level) break; /* it refines two only */
            const long double spread = spread_of(row, before, k);
            least = fminl(least, spread + noise);
            if (spread + noise >= best->spread + best->noise) continue;
            *best = (estimate){row[k], spread, noise, is_bent(bend, noise), h};
        }
        const long double reached = best->spread + best->noise;
        const long double enough = fmaxl(4096 * m->ruler->epsilon, m->ruler->goal / 16);
        if (level >= least_levels && reached <= enough * fabsl(best->value)) break;
        if (level > 2 && least > 4 * reached) break; /* roundoff has taken over */
        for (int k = 0; k <= level; k++) before[k] = row[k];
    }
    return true;
}

static bool is_good(const measure *m, const estimate *e) {
    const long double size = fmaxl(fabsl(e->value), m->variation);
    const long double goal = m->ruler->goal > 0 ? m->ruler->goal : sqrtl(m->ruler->epsilon) / 16;
    return e->spread + e->noise <= goal * size;
}

/* Is roundoff all that is wrong with it? */
static bool is_noisy(const estimate *e) { return e->noise > e->spread; }

static bool is_better(const estimate *e, const estimate *than) {
    return e->spread + e->noise < than->spread + than->noise;
}

/* The best table of several first steps: smaller ones where a kink, a bend or an edge is near, larger ones
 * where roundoff is all that is wrong. */
static bool best_of_steps(measure *m, estimate *best) {
    long double h = m->ruler->step;
    bool found = false;
    *best = (estimate){.spread = HUGE_VALL};
    for (int attempt = 0; attempt < ATTEMPTS && !(found && is_good(m, best)); attempt++, h /= 16) {
        estimate e;
        if (!extrapolate(m, h, &e)) continue;
        if (!found || is_better(&e, best)) *best = e;
        found = true;
        if (is_noisy(&e) && !e.bent) break; /* smaller steps only have more */
    }
    h = m->ruler->step * 8;
    for (int attempt = 0; attempt < WIDER && found && !is_good(m, best); attempt++, h *= 8) {
        estimate e;
        if (best->bent || !is_noisy(best) || !extrapolate(m, h, &e)) break;
        if (is_better(&e, best)) *best = e;
    }
    return found;
}

static long double bound_of(const estimate *e) { return SAFETY * e->spread + 4 * e->noise; }

/* A table may agree with itself by chance, where h is a period: a much smaller step must agree with it. */
static bool is_confirmed(measure *m, const estimate *e) {
    long double d, bend, noise;
    const long double h = e->step / 37;
    if (!quotient(m, h, &d, &bend, &noise)) return true;
    const long double curvature = m->variation * h / m->ruler->step;
    return fabsl(d - e->value) <= bound_of(e) + SAFETY * (noise + curvature);
}

/* ---- noise ---------------------------------------------------------------------------------------------------- */

/* Differences of order k of noise grow by (2k)! / (k!)^2 in the square; those of a smooth function vanish. */
static double scatter(long double value[POINTS]) {
    double least = HUGE_VAL, gamma = 1;
    for (int k = 1; k < POINTS - 2; k++) {
        double sum = 0;
        gamma *= (double)k / (2 * (2 * (double)k - 1));
        for (int i = 0; i < POINTS - k; i++) {
            value[i] = value[i + 1] - value[i];
            sum += (double)(value[i] * value[i]);
        }
        if (k >= 3) least = fmin(least, sqrt(gamma * sum / (POINTS - k)));
    }
    return least;
}

/* Values beside the point, so that a kink in it does not count; false when they are not finite. Equal ones are
 * the plateaus of a coarse function: then `reach` is too small to show how coarse it is. */
static bool sample(gt__line f, void *user, double reach, long double value[POINTS], int *equal) {
    long double size;
    *equal = 0;
    for (int i = 0; i < POINTS; i++) {
        f(user, (1000 + i) * (long double)reach, &value[i], &size);
        if (!isfinite(value[i])) return false;
        *equal += i > 0 && value[i] == value[i - 1];
    }
    return true;
}

double gt__noise_of(gt__line f, void *user, double reach) {
    long double value[POINTS], size, first;
    int equal = POINTS;
    f(user, 0, &first, &size);
    for (int k = 0; k < 2; k++) {
        f(user, 0, &value[0], &size);
        if (!isfinite(first) || !isfinite(value[0])) return (double)NAN;
        if (value[0] != first) return HUGE_VAL;
    }
    for (int attempt = 0; attempt < 3 && equal > POINTS / 2; attempt++, reach *= 100)
        if (!sample(f, user, reach, value, &equal)) return 0;
    return scatter(value);
}

/* ---- where there is no derivative --------------------------------------------------------------------------- */

/* How the change of f shrinks with the step: not at all at a jump, slower than the step at a cusp. */
static gt_doubt edge_of(measure *m) {
    const long double h = m->ruler->step / 4096;
    const double scattered = gt__noise_of(m->f, m->user, (double)m->ruler->step * 1e-9);
    long double change[2] = {0}, noise = 0;
    for (int k = 0; k < 2; k++) {
        const long double t = k ? h / 1024 : h;
        long double above, below, size;
        value_at(m, t, &above, &size);
        value_at(m, -t, &below, &size);
        if (!isfinite(above) || !isfinite(below)) return GT_DOUBT_NOT_FINITE;
        change[k] = fmaxl(fabsl(above - m->centre), fabsl(below - m->centre));
        noise = fmaxl(fmaxl(m->ruler->noise, (long double)scattered), m->ruler->epsilon * size);
    }
    if (change[1] <= SAFETY * noise) return GT_NO_DOUBT;
    if (change[1] > change[0] / 2) return GT_DOUBT_JUMP;
    return change[1] > change[0] / 64 ? GT_DOUBT_NOT_FINITE : GT_NO_DOUBT;
}

/* The slopes to both sides; true when they are known and differ. */
static bool sides(measure *m, gt_slope *s) {
    estimate right, left;
    m->side = 1;
    const bool has_right = best_of_steps(m, &right);
    m->side = -1;
    const bool has_left = best_of_steps(m, &left);
    m->side = 0;
    if (!has_right || !has_left || !is_good(m, &right) || !is_good(m, &left)) return false;
    const long double error = bound_of(&right) + bound_of(&left);
    if (fabsl(right.value - left.value) <= error) return false;
    s->right = (double)right.value;
    s->left = (double)left.value;
    s->value = (s->left + s->right) / 2;
    s->error = (double)error;
    s->doubt = GT_DOUBT_KINK;
    return true;
}

static void answer(const measure *m, const estimate *e, gt_slope *s) {
    s->value = s->left = s->right = (double)e->value;
    s->error = (double)bound_of(e);
    s->step = (double)e->step;
    const long double size = fmaxl(fabsl(e->value), m->variation);
    if (m->variation > 0 && !(bound_of(e) <= 1e-4L * size)) s->doubt = GT_DOUBT_ROUNDOFF;
}

gt_slope gt__slope_at_zero(gt__line f, void *user, const gt__ruler *ruler) {
    measure m = {.f = f, .user = user, .ruler = ruler};
    gt_slope s = {.value = (double)NAN,
                  .error = HUGE_VAL,
                  .left = (double)NAN,
                  .right = (double)NAN,
                  .doubt = GT_DOUBT_NOT_FINITE};
    estimate e;
    value_at(&m, 0, &m.centre, &m.size);
    if (isfinite(m.centre)) {
        s.doubt = GT_NO_DOUBT;
        const bool found = best_of_steps(&m, &e);
        const bool smooth =
            found && !e.bent && (is_good(&m, &e) || is_noisy(&e)) && is_confirmed(&m, &e);
        if (smooth || (!sides(&m, &s) && (s.doubt = edge_of(&m)) == GT_NO_DOUBT && found))
            answer(&m, &e, &s);
        if (!found && s.doubt == GT_NO_DOUBT)
            s.doubt = m.whole ? GT_DOUBT_NOT_FINITE : GT_DOUBT_KINK;
    }
    s.variation = (double)m.variation;
    s.evaluations = m.evaluations;
    return s;
}

/* ---- functions of one number --------------------------------------------------------------------------------- */

double gt__short_step(double h) {
    int exponent;
    const double mantissa = frexp(h, &exponent);
    return ldexp(rint(mantissa * 4096), exponent - 12);
}

typedef struct function {
    double (*f)(double x, void *user);
    void *user;
    double x;
} function;

static bool function_at(void *user, long double t, long double *value, long double *size) {
    const function *g = user;
    *value = (long double)g->f(g->x + (double)t, g->user);
    *size = fabsl(*value);
    return true;
}

gt_slope gt_differentiate(double (*f)(double x, void *user), double x, double scale, void *user) {
    function g = {f, user, x};
    if (!(scale > 0) || !isfinite(scale)) scale = x != 0 && isfinite(x) ? fabs(x) : 1;
    const double noise = gt__noise_of(function_at, &g, scale * 1e-10);
    const gt__ruler ruler = {(long double)gt__short_step(scale * 0.0437), (long double)DBL_EPSILON,
                             isfinite(noise) ? (long double)noise : 0, 0};
    gt_slope s = gt__slope_at_zero(function_at, &g, &ruler);
    s.evaluations += POINTS + 3;
    if (noise == HUGE_VAL) s.doubt = GT_DOUBT_NOISE;
    return s;
}
