/* optim/schedule.c: learning rates as functions of the step, and of a loss that stops falling. */
#include <math.h>

#include "optim/optim.h"

static const double pi = 3.14159265358979323846;

/* step / steps, held to [0, 1]; NaN without steps. */
static double progress(double step, double steps) {
    if (!(steps > 0)) return (double)NAN;
    return step <= 0 ? 0 : step >= steps ? 1 : step / steps;
}

/* From `from` to `to` along half a wave, as done goes from 0 to 1. */
static double anneal(double from, double to, double done) {
    return to + (from - to) * (1 + cos(pi * done)) / 2;
}

double gt_schedule_step(double rate, int64_t step, int64_t every, double factor) {
    if (every <= 0) return (double)NAN;
    const int64_t steps = step < 0 ? 0 : step / every;
    return rate * pow(factor, (double)steps);
}

double gt_schedule_exponential(double rate, int64_t step, double factor) {
    return rate * pow(factor, step < 0 ? 0 : (double)step);
}

double gt_schedule_cosine(double rate, int64_t step, int64_t steps, double least) {
    return anneal(rate, least, progress((double)step, (double)steps));
}

double gt_schedule_warmup_cosine(double rate, int64_t step, int64_t warmup, int64_t steps,
                                 double least) {
    if (warmup < 0 || steps <= warmup) return (double)NAN;
    if (step < warmup) return rate * progress((double)step + 1, (double)warmup);
    return anneal(rate, least, progress((double)(step - warmup), (double)(steps - warmup)));
}

double gt_schedule_one_cycle(double most, int64_t step, int64_t steps) {
    const double first = most / 25, last = first / 1e4;
    const double peak = 0.3 * (double)steps - 1, end = (double)steps - 1;
    if (steps <= 0) return (double)NAN;
    if (peak > 0 && (double)step <= peak) return anneal(first, most, progress((double)step, peak));
    const double from = peak > 0 ? peak : 0;
    return end > from ? anneal(most, last, progress((double)step - from, end - from)) : last;
}

double gt_plateau_rate(gt_plateau *plateau, double rate, double loss) {
    if (!plateau) return rate;
    const double factor = plateau->factor == 0 ? 0.1 : plateau->factor;
    const double threshold = plateau->threshold == 0 ? 1e-4 : plateau->threshold;
    const int patience = plateau->patience == 0 ? 10 : plateau->patience;
    if (isfinite(loss) &&
        (!plateau->begun || loss < plateau->best - threshold * fabs(plateau->best))) {
        plateau->begun = true;
        plateau->best = loss;
        plateau->waited = 0;
        return rate;
    }
    if (++plateau->waited <= patience) return rate;
    plateau->waited = 0;
    return fmin(rate, fmax(rate * factor, plateau->least));
}
