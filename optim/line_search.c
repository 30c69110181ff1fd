/* optim/line_search.c: Nocedal and Wright 2006, algorithms 3.5 (widen until a good step is
 * bracketed) and 3.6 (narrow the bracket), with cubic interpolation. */
#include "optim/line_search.h"

#include <math.h>

static const double sufficient = 1e-4; /* share of the first slope by which the value must fall */
static const double flat = 0.9;        /* share of the first slope that may remain */
enum { MOST_EVALUATIONS = 30 };

typedef struct search {
    gt__ray ray;
    gt__ray_point start;
    int evaluations;
    double asked; /* the last step asked for */
} search;

static bool evaluate(search *s, double step, gt__ray_point *p) {
    p->step = s->asked = step;
    s->evaluations++;
    if (!s->ray.at(s->ray.user, step, &p->value, &p->slope)) return false;
    if (!isfinite(p->value) || !isfinite(p->slope)) p->value = (double)INFINITY;
    return true;
}

static bool falls_enough(const search *s, const gt__ray_point *p) {
    return p->value <= s->start.value + sufficient * p->step * s->start.slope;
}

static bool is_flat(const search *s, const gt__ray_point *p) {
    return fabs(p->slope) <= -flat * s->start.slope;
}

/* Where the cubic through both points has its minimum, if that is well inside; else the middle. */
static double between(const gt__ray_point *a, const gt__ray_point *b) {
    const double low = fmin(a->step, b->step), width = fabs(b->step - a->step);
    const double middle = low + width / 2;
    if (!isfinite(a->value) || !isfinite(b->value)) return middle;
    const double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->step - b->step);
    const double under = d1 * d1 - a->slope * b->slope;
    if (!(under >= 0)) return middle;
    const double d2 = copysign(sqrt(under), b->step - a->step);
    const double step =
        b->step - (b->step - a->step) * (b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2);
    return step > low + 0.1 * width && step < low + 0.9 * width ? step : middle;
}

/* The lowest point known, if it is lower than the start; asks for it again if it was not the
 * last. */
static gt__search settle_for(search *s, gt__ray_point *best) {
    if (!(best->step > 0 && best->value < s->start.value)) return GT__SEARCH_NO_DESCENT;
    if (best->step != s->asked && !evaluate(s, best->step, best)) return GT__SEARCH_FAILED;
    return GT__SEARCH_FOUND;
}

/* low is the better end of the bracket, and its slope points to high. */
static gt__search narrow(search *s, gt__ray_point low, gt__ray_point high, gt__ray_point *found) {
    while (s->evaluations < MOST_EVALUATIONS) {
        gt__ray_point p;
        const double step = between(&low, &high);
        if (step == low.step || step == high.step) break;
        if (!evaluate(s, step, &p)) return GT__SEARCH_FAILED;
        if (!falls_enough(s, &p) || p.value >= low.value) {
            high = p;
            continue;
        }
        if (is_flat(s, &p)) return *found = p, GT__SEARCH_FOUND;
        if (p.slope * (high.step - low.step) >= 0) high = low;
        low = p;
    }
    *found = low;
    return settle_for(s, found);
}

gt__search gt__line_search(gt__ray ray, gt__ray_point start, double first, gt__ray_point *found) {
    search s = {.ray = ray, .start = start};
    gt__ray_point before = start;
    double step = first;
    while (s.evaluations < MOST_EVALUATIONS) {
        gt__ray_point p;
        if (!evaluate(&s, step, &p)) return GT__SEARCH_FAILED;
        if (!falls_enough(&s, &p) || (before.step > 0 && p.value >= before.value))
            return narrow(&s, before, p, found);
        if (is_flat(&s, &p)) return *found = p, GT__SEARCH_FOUND;
        if (p.slope >= 0) return narrow(&s, p, before, found);
        before = p;
        step *= 2;
    }
    *found = before;
    return settle_for(&s, found);
}
