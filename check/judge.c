/* check/judge.c: one claimed number against a slope. See judge.h. */
#include "check/judge.h"

#include <float.h>
#include <math.h>

enum { DIGITS = 4, MOST_DIGITS = 17 };

int gt__digits_wanted(const gt_check_options *options) {
    return options && options->digits > 0 ? options->digits : DIGITS;
}

double gt__precision_of(const gt_check_options *options) {
    return options && options->precision > 0 ? options->precision : DBL_EPSILON;
}

static double digits_of(double difference, double size) {
    if (difference == 0) return MOST_DIGITS;
    if (!(size > 0) || !isfinite(difference)) return 0;
    return fmin(MOST_DIGITS, fmax(0, -log10(difference / size)));
}

static gt__ruling judge_at_kink(double claimed, double budget, const gt_slope *truth) {
    const double low = fmin(truth->left, truth->right), high = fmax(truth->left, truth->right);
    const double outside = fmax(0, fmax(low - claimed, claimed - high));
    const gt_verdict verdict = outside <= budget ? GT_RIGHT_AT_KINK : GT_WRONG;
    return (gt__ruling){verdict, GT_DOUBT_KINK,
                        digits_of(fmax(outside, truth->error), fmax(fabs(low), fabs(high)))};
}

gt__ruling gt__judge(double claimed, double roundoff, const gt_slope *truth, double size,
                     int digits) {
    const double budget = truth->error + roundoff;
    const bool known = truth->doubt == GT_NO_DOUBT || truth->doubt == GT_DOUBT_ROUNDOFF;
    if (truth->doubt == GT_DOUBT_KINK && isfinite(truth->left) && isfinite(claimed))
        return judge_at_kink(claimed, budget, truth);
    if (!known) return (gt__ruling){GT_CANNOT_TELL, truth->doubt, 0};
    if (!isfinite(claimed)) return (gt__ruling){GT_WRONG, GT_NO_DOUBT, 0};
    size = fmax(fmax(size, truth->variation), fmax(fabs(claimed), fabs(truth->value)));
    const double difference = fabs(claimed - truth->value);
    gt__ruling r = {GT_RIGHT, GT_NO_DOUBT, digits_of(fmax(difference, truth->error), size)};
    if (!(difference <= budget)) {
        r.verdict = GT_WRONG;
    } else if (budget > pow(10, -digits) * size && difference + truth->variation > 0) {
        r.verdict = GT_CANNOT_TELL;
        r.doubt = GT_DOUBT_ROUNDOFF;
    }
    return r;
}

gt__ruling gt__worse(gt__ruling a, gt__ruling b) {
    const double digits = fmin(a.digits, b.digits);
    gt__ruling worse = b.verdict > a.verdict ? b : a;
    worse.digits = digits;
    return worse;
}
