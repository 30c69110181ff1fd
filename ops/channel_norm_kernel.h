/* ops/channel_norm_kernel.h: the loops of batch normalization over one kind of element.
 * channel_norm.c includes this file once for each, having defined REAL and NAME(x); they are
 * undefined at the end. A run is what stands together of one channel. */

#include "ops/vector_kernel.h"
#define WIDTH ((int64_t)(sizeof(NAME(vector)) / sizeof(REAL)))
#define LOAD(p) (*(const NAME(vector) *)(p))

/* Adds y - rest and (y - rest) (x - shift) over a run: element i to lane i mod LANES, so that neighbours need not
 * wait for each other, and lanes to doubles often. */
GT__WIDE_VECTORS static void NAME(add_run)(const REAL *x, REAL shift, const REAL *y, REAL rest,
                                           int64_t n, int64_t ahead, lane_sums *sum) {
    int64_t i = 0;
    while (i + LANES <= n) {
        const int64_t end = i + PART < n ? i + PART : n;
        NAME(vector) plain[LANES / WIDTH] = {0}, product[LANES / WIDTH] = {0};
        for (; i + LANES <= end; i += LANES) {
            GT__PREFETCH(x + i + ahead);
            GT__PREFETCH(y + i + ahead);
            EACH(v, LANES / WIDTH) {
                const NAME(vector) u = LOAD(y + i + v * WIDTH) - rest;
                plain[v] += u;
                product[v] += u * (LOAD(x + i + v * WIDTH) - shift);
            }
        }
        for (int l = 0; l < LANES; l++) {
            sum->plain[l] += (double)((const REAL *)plain)[l];
            sum->product[l] += (double)((const REAL *)product)[l];
        }
    }
    for (int l = 0; i < n; i++, l++) {
        sum->plain[l] += (double)(y[i] - rest);
        sum->product[l] += (double)((y[i] - rest) * (x[i] - shift));
    }
}

/* Of a channel of x. */
typedef struct NAME(sums) {
    double mean, variance;
} NAME(sums);

static NAME(sums) NAME(sums_of)(const images *m, REAL shift, const lane_sums *of_x) {
    const double n = (double)(m->n * m->run);
    const double off = total(of_x->plain) / n, variance = total(of_x->product) / n - off * off;
    return (NAME(sums)){(double)shift + off, variance < 0 ? 0 : variance};
}

/* Adds y - rest and (y - rest) (x - shift) over a channel. */
static lane_sums NAME(add_channel)(const images *m, int64_t channel, const REAL *x, REAL shift,
                                   const REAL *y, REAL rest) {
    lane_sums sum = {0};
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        const int64_t ahead = image + 1 < m->n ? m->channels * m->run : 0;
        NAME(add_run)(x + at, shift, y + at, rest, m->run, ahead, &sum);
    }
    return sum;
}

/* Once is enough where the first element is no stranger to the channel: else differences lose digits. */
static bool NAME(is_far)(NAME(sums) s, REAL first) {
    const double off = s.mean - (double)first;
    return off * off > FAR * s.variance;
}

static NAME(sums) NAME(sums_about)(const images *m, int64_t channel, const REAL *x, REAL shift) {
    const lane_sums of_x = NAME(add_channel)(m, channel, x, shift, x, shift);
    return NAME(sums_of)(m, shift, &of_x);
}

static NAME(sums) NAME(measure)(const images *m, int64_t channel, const REAL *x) {
    const REAL first = m->n > 0 && m->run > 0 ? x[channel * m->run] : 0;
    const NAME(sums) s = NAME(sums_about)(m, channel, x, first);
    return NAME(is_far)(s, first) ? NAME(sums_about)(m, channel, x, (REAL)s.mean) : s;
}

GT__WIDE_VECTORS static void NAME(write_run)(const REAL *restrict x, REAL middle, REAL factor,
                                             REAL shift, REAL *restrict y, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - middle) * factor + shift;
}

/* y = (x - middle) factor + shift */
typedef struct NAME(scales) {
    REAL middle, factor, shift;
} NAME(scales);

/* Of a channel that is measured; notes its mean, in two parts, and its variance. */
static NAME(scales)
    NAME(scale)(const gt_call *call, const images *m, int64_t channel, NAME(sums) s) {
    const REAL *weight = call->in[1].data, *bias = call->in[2].data;
    REAL *mean = call->out[1].data, *variance = call->out[2].data, *rest = call->out[3].data;
    mean[channel] = (REAL)s.mean;
    rest[channel] = (REAL)(s.mean - (double)mean[channel]);
    variance[channel] = (REAL)s.variance;
    const REAL factor = weight[channel] * (REAL)(1 / sqrt(s.variance + m->epsilon));
    return (NAME(scales)){mean[channel], factor, bias[channel] - rest[channel] * factor};
}

static void NAME(forward)(const gt_call *call, const images *m, int64_t channel) {
    const REAL *x = m->x;
    REAL *y = m->y;
    const NAME(scales) s = NAME(scale)(call, m, channel, NAME(measure)(m, channel, x));
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        NAME(write_run)(x + at, s.middle, s.factor, s.shift, y + at, m->run);
    }
}

/* gx = factor (g - mean - (x - middle) slope) */
typedef struct NAME(slopes) {
    REAL factor, mean, middle, slope;
} NAME(slopes);

GT__WIDE_VECTORS static void NAME(write_slope)(const REAL *restrict x, const REAL *restrict g,
                                               NAME(slopes) s, REAL *restrict gx, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        gx[i] = s.factor * (g[i] - s.mean - (x[i] - s.middle) * s.slope);
}

/* With z = (x - mean) r and r = 1 / sqrt(variance + epsilon), g being y's gradient:
 * x gets weight r (g - mean of g - z mean of g z), weight gets the sum of g z, bias that of g. of_g has the sums of g
 * and of g (x - mean). */
static NAME(slopes)
    NAME(slope)(const gt_call *call, const images *m, int64_t channel, const lane_sums *of_g) {
    const REAL *weight = call->in[1].data, *mean = call->in[3].data, *variance = call->in[4].data;
    const double rest = (double)((const REAL *)call->in[5].data)[channel];
    REAL *g_weight = call->out[1].data, *g_bias = call->out[2].data;
    const double n = (double)(m->n * m->run);
    const double r = 1 / sqrt((double)variance[channel] + m->epsilon);
    const double sum = total(of_g->plain), met = r * (total(of_g->product) - rest * sum);
    const double slope = r * met / n;
    g_weight[channel] = (REAL)met;
    g_bias[channel] = (REAL)sum;
    return (NAME(slopes)){(REAL)((double)weight[channel] * r), (REAL)(sum / n - rest * slope),
                          mean[channel], (REAL)slope};
}

static void NAME(backward)(const gt_call *call, const images *m, int64_t channel) {
    const REAL *x = m->x, *g = m->g, *mean = call->in[3].data;
    REAL *gx = m->y;
    const lane_sums of_g = NAME(add_channel)(m, channel, x, mean[channel], g, 0);
    const NAME(slopes) slopes = NAME(slope)(call, m, channel, &of_g);
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        NAME(write_slope)(x + at, g + at, slopes, gx + at, m->run);
    }
}

#undef WIDTH
#undef LOAD
#undef NAME
#undef REAL
