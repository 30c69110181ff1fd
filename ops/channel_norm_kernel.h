/* ops/channel_norm_kernel.h: the loops of batch normalization over one kind of element.
 * channel_norm.c includes this file once for each, having defined REAL and NAME(x); they are
 * undefined at the end. A run is what stands together of one channel. */

/* The sum of x - shift, of its squares, or of its products with y, over a run: each element goes to
 * sum i mod LANES, so that neighbours need not wait for each other, and lanes to a double often. */
#define SUM_OVER_RUN(name, term)                                                                   \
    static double NAME(name)(const REAL *x, const REAL *y, REAL shift, int64_t n) {                \
        double sum = 0;                                                                            \
        (void)y;                                                                                   \
        for (int64_t first = 0; first < n; first += PART) {                                        \
            const int64_t end = first + PART < n ? first + PART : n;                               \
            REAL lane[LANES] = {0};                                                                \
            int64_t i = first;                                                                     \
            for (; i + LANES <= end; i += LANES)                                                   \
                for (int l = 0; l < LANES; l++) lane[l] += term(x[i + l] - shift, y[i + l]);       \
            for (int l = 0; i < end; i++, l++) lane[l] += term(x[i] - shift, y[i]);                \
            for (int l = 0; l < LANES; l++) sum += (double)lane[l];                                \
        }                                                                                          \
        return sum;                                                                                \
    }
#define FIRST(a, b) (a)
#define SQUARE(a, b) ((a) * (a))
#define PRODUCT(a, b) ((a) * (b))
SUM_OVER_RUN(sum, FIRST)
SUM_OVER_RUN(sum_of_squares, SQUARE)
SUM_OVER_RUN(sum_of_products, PRODUCT)
#undef SUM_OVER_RUN
#undef FIRST
#undef SQUARE
#undef PRODUCT

typedef double (*NAME(over_run))(const REAL *x, const REAL *y, REAL shift, int64_t n);

static double NAME(over_channel)(const images *m, int64_t channel, NAME(over_run) f, const REAL *x,
                                 const REAL *y, REAL shift) {
    double sum = 0;
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        sum += f(x + at, y + at, shift, m->run);
    }
    return sum;
}

static void NAME(measure)(const images *m, int64_t channel, const REAL *x, REAL *mean,
                          REAL *variance) {
    const double n = (double)(m->n * m->run);
    *mean = (REAL)(NAME(over_channel)(m, channel, NAME(sum), x, x, 0) / n);
    *variance = (REAL)(NAME(over_channel)(m, channel, NAME(sum_of_squares), x, x, *mean) / n);
}

static void NAME(forward)(const gt_call *call, const images *m, int64_t channel) {
    const REAL *x = call->in[0].data, *weight = call->in[1].data, *bias = call->in[2].data;
    REAL *y = call->out[0].data, *mean = call->out[1].data, *variance = call->out[2].data;
    NAME(measure)(m, channel, x, &mean[channel], &variance[channel]);
    const REAL middle = mean[channel], shift = bias[channel];
    const REAL factor = weight[channel] * (REAL)(1 / sqrt((double)variance[channel] + m->epsilon));
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        for (int64_t i = at; i < at + m->run; i++) y[i] = (x[i] - middle) * factor + shift;
    }
}

/* With z = (x - mean) r and r = 1 / sqrt(variance + epsilon), g being y's gradient:
 * x gets weight r (g - mean of g - z mean of g z), weight gets the sum of g z, bias that of g. */
static void NAME(backward)(const gt_call *call, const images *m, int64_t channel) {
    const REAL *x = call->in[0].data, *weight = call->in[1].data, *g = call->in[2].data;
    REAL *gx = call->out[0].data, *g_weight = call->out[1].data, *g_bias = call->out[2].data;
    REAL middle, variance;
    NAME(measure)(m, channel, x, &middle, &variance);
    const double n = (double)(m->n * m->run), r = 1 / sqrt((double)variance + m->epsilon);
    const double sum = NAME(over_channel)(m, channel, NAME(sum), g, g, 0);
    const double met = r * NAME(over_channel)(m, channel, NAME(sum_of_products), x, g, middle);
    const REAL factor = (REAL)((double)weight[channel] * r), mean = (REAL)(sum / n);
    const REAL slope = (REAL)(r * met / n);
    g_weight[channel] = (REAL)met;
    g_bias[channel] = (REAL)sum;
    for (int64_t image = 0; image < m->n; image++) {
        const int64_t at = (image * m->channels + channel) * m->run;
        for (int64_t i = at; i < at + m->run; i++)
            gx[i] = factor * (g[i] - mean - (x[i] - middle) * slope);
    }
}

#undef NAME
#undef REAL
