/* ops/channel_norm.c: batch normalization of images, and its gradient, as operations of their own.
 * In planes, a channel of a batch mostly fits the second-level cache: it is gone over several times there, where
 * separate operations would go over all of memory. Images that stand channels last, as between convolutions, are
 * measured, and then written, one by one, so that each stays with the thread that convolves it. The gradient takes the
 * mean and the variance, which have been measured. */
#include "ops/channel_norm.h"

#include <math.h>
#include <string.h>

#include "graph/threads.h"
#include "graph/wide.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/unroll.h"

enum {
    LANES = 16,
    VECTOR_BYTES = 32,
    WORTH_THREADS = 1 << 14, /* elements */
    LEAST_LAST = 64,         /* pixels of an image, to stand channels last, and ... */
    MOST_LAST = 128,         /* ... channels: a line and its sums are to fit the nearest caches */
    PART = 1024,             /* elements that are added up before a double takes over */
    FAR = 4                  /* squared distance from the mean, in variances */
};

/* x as [n, channels, run], of which y or gx is made, and y's gradient, or NULL. */
typedef struct images {
    int64_t n, channels, run;
    double epsilon;
    const void *x, *g;
    void *y;
} images;

typedef struct lane_sums {
    double plain[LANES], product[LANES];
} lane_sums;

static double total(const double lane[LANES]) {
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

#define REAL float
#define NAME(x) x##_f32
#include "ops/channel_norm_kernel.h"

#define REAL double
#define NAME(x) x##_f64
#include "ops/channel_norm_kernel.h"

/* ---- channels last ---------------------------------------------------------------------------
 *
 * Of floats alone, as convolutions are. An image is lines of LANES pixels, each with all its channels: element j of a
 * line belongs to lane j / channels of channel j mod channels. So lines are added up element by element, parts of them in
 * floats and then in doubles, in the order in which add_run adds up a run: the bits are the same. Parts are added up in
 * order whoever has made them. */

typedef struct images_last {
    images m;
    int64_t line;              /* elements */
    int64_t parts;             /* of an image, the last of which may be less than a line */
    float *shift, *sums;       /* a line; of each part a line of each sum */
    double *total;             /* a line of each sum */
    const float *constants[4]; /* lines of what elements are computed with */
} images_last;

GT__WIDE_VECTORS static void add_squares(const float *restrict x, const float *restrict shift,
                                         int64_t n, float *restrict plain,
                                         float *restrict product) {
    for (int64_t j = 0; j < n; j++) {
        const float u = x[j] - shift[j];
        plain[j] += u;
        product[j] += u * u;
    }
}

GT__WIDE_VECTORS static void add_met(const float *restrict x, const float *restrict shift,
                                     const float *restrict g, int64_t n, float *restrict plain,
                                     float *restrict product) {
    for (int64_t j = 0; j < n; j++) {
        plain[j] += g[j];
        product[j] += g[j] * (x[j] - shift[j]);
    }
}

/* Elements of part p of an image: whole lines, or what is less than one. */
static int64_t part(const images_last *l, int64_t p, int64_t *first) {
    const int64_t channels = l->m.channels, lines = l->m.run / LANES, most = PART / LANES;
    const int64_t line = p * most < lines ? p * most : lines;
    *first = line * l->line;
    if (line == lines) return l->m.run * channels - *first;
    return (lines - line < most ? lines - line : most) * l->line;
}

/* Elements of a part's sums. */
static int64_t sums_size(const images_last *l) { return 2 * l->line; }

static void add_image(const void *of, int64_t image, int thread) {
    const images_last *l = of;
    const int64_t at = image * l->m.run * l->m.channels, each = sums_size(l);
    (void)thread;
    for (int64_t p = 0, first; p < l->parts; p++) {
        const int64_t n = part(l, p, &first);
        const float *x = (const float *)l->m.x + at + first;
        const float *g = l->m.g ? (const float *)l->m.g + at + first : NULL;
        float *sum = l->sums + (image * l->parts + p) * each;
        memset(sum, 0, (size_t)each * sizeof *sum);
        for (int64_t i = 0; i < n; i += l->line) {
            const int64_t count = n - i < l->line ? n - i : l->line;
            if (g)
                add_met(x + i, l->shift, g + i, count, sum, sum + l->line);
            else
                add_squares(x + i, l->shift, count, sum, sum + l->line);
        }
    }
}

/* Lanes beyond those of an incomplete line are zeros. */
GT__WIDE_VECTORS static void add_parts(const float *restrict sums, int64_t parts, int64_t n,
                                       double *restrict total) {
    for (int64_t j = 0; j < n; j++) total[j] = 0;
    for (int64_t p = 0; p < parts; p++, sums += n)
        for (int64_t j = 0; j < n; j++) total[j] += (double)sums[j];
}

static lane_sums lanes_of(const images_last *l, int64_t channel) {
    lane_sums lanes = {0};
    for (int i = 0; i < LANES; i++) {
        const double *at = l->total + i * l->m.channels + channel;
        lanes.plain[i] = at[0];
        lanes.product[i] = at[l->line];
    }
    return lanes;
}

static void repeat(float *line, int64_t channels) {
    for (int64_t i = 1; i < LANES; i++)
        memcpy(line + i * channels, line, (size_t)channels * sizeof *line);
}

/* Sums about the shifts. */
static void add_images(const images_last *l, int threads) {
    repeat(l->shift, l->m.channels);
    gt__share(l->m.n, threads, add_image, l);
    add_parts(l->sums, l->m.n * l->parts, sums_size(l), l->total);
}

static sums_f32 sums_last(const images_last *l, int64_t channel) {
    const lane_sums of_x = lanes_of(l, channel);
    return sums_of_f32(&l->m, l->shift[channel], &of_x);
}

/* What is measured again about the same shift is the same. */
static void measure_last(const images_last *l, int threads) {
    const images *m = &l->m;
    bool again = false;
    for (int64_t c = 0; c < m->channels; c++)
        l->shift[c] = m->n > 0 && m->run > 0 ? ((const float *)m->x)[c] : 0;
    add_images(l, threads);
    for (int64_t c = 0; c < m->channels; c++) {
        const sums_f32 s = sums_last(l, c);
        if (!is_far_f32(s, l->shift[c])) continue;
        l->shift[c] = (float)s.mean;
        again = true;
    }
    if (again) add_images(l, threads);
}

GT__WIDE_VECTORS static void write_line(const float *restrict x, const float *const *constants,
                                        float *restrict y, int64_t n) {
    const float *restrict middle = constants[0], *restrict factor = constants[1],
                          *restrict shift = constants[2];
    for (int64_t j = 0; j < n; j++) y[j] = (x[j] - middle[j]) * factor[j] + shift[j];
}

GT__WIDE_VECTORS static void write_slopes(const float *restrict x, const float *restrict g,
                                          const float *const *constants, float *restrict gx,
                                          int64_t n) {
    const float *restrict middle = constants[0], *restrict factor = constants[1],
                          *restrict mean = constants[2], *restrict slope = constants[3];
    for (int64_t j = 0; j < n; j++)
        gx[j] = factor[j] * (g[j] - mean[j] - (x[j] - middle[j]) * slope[j]);
}

static void write_image(const void *of, int64_t image, int thread) {
    const images_last *l = of;
    const int64_t n = l->m.run * l->m.channels, at = image * n;
    const float *x = (const float *)l->m.x + at, *g = (const float *)l->m.g;
    float *y = (float *)l->m.y + at;
    (void)thread;
    for (int64_t i = 0; i < n; i += l->line) {
        const int64_t count = n - i < l->line ? n - i : l->line;
        if (g)
            write_slopes(x + i, g + at + i, l->constants, y + i, count);
        else
            write_line(x + i, l->constants, y + i, count);
    }
}

static void set_constants(const gt_call *call, const images_last *l, float *line) {
    float *k[4] = {line, line + l->line, line + 2 * l->line, line + 3 * l->line};
    for (int64_t c = 0; c < l->m.channels; c++)
        if (l->m.g) {
            const lane_sums of_g = lanes_of(l, c);
            const slopes_f32 v = slope_f32(call, &l->m, c, &of_g);
            k[0][c] = v.middle, k[1][c] = v.factor, k[2][c] = v.mean, k[3][c] = v.slope;
        } else {
            const scales_f32 v = scale_f32(call, &l->m, c, sums_last(l, c));
            k[0][c] = v.middle, k[1][c] = v.factor, k[2][c] = v.shift, k[3][c] = 0;
        }
    for (int i = 0; i < 4; i++) repeat(k[i], l->m.channels);
}

/* All of it, forward or, where there is a g, backward. False when memory is short. */
static bool run_last(const gt_call *call, const images *m, int threads) {
    images_last l = {.m = *m, .line = LANES * m->channels};
    l.parts = (m->run / LANES * LANES + PART - 1) / PART + (m->run % LANES != 0);
    const int64_t each = sums_size(&l), sums = m->n * l.parts * each;
    l.total = gt_scratch(call, (size_t)each * sizeof *l.total +
                                   (size_t)(sums + 5 * l.line) * sizeof(float));
    if (!l.total) return false;
    l.shift = (float *)(void *)(l.total + each);
    l.sums = l.shift + l.line;
    float *const constants = l.sums + sums;
    for (int i = 0; i < 4; i++) l.constants[i] = constants + i * l.line;
    if (m->g) {
        memcpy(l.shift, call->in[3].data, (size_t)m->channels * sizeof *l.shift);
        add_images(&l, threads);
    } else {
        measure_last(&l, threads);
    }
    set_constants(call, &l, constants);
    gt__share(m->n, threads, write_image, &l);
    return true;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static bool is_batch(const gt_call *call) {
    const gt_array *x = &call->in[0];
    if (x->shape.rank < 2)
        return gt_call_fail(call, "%s has rank %d: [n, channels, ...] is needed",
                            gt_operand(call, 0), x->shape.rank);
    if (x->dtype != GT_F32 && x->dtype != GT_F64)
        return gt_call_fail(call, "%s is %s: f32 or f64 is needed", gt_operand(call, 0),
                            gt_dtype_name(x->dtype));
    return true;
}

static bool agrees(const gt_call *call, int k, gt_shape shape) {
    const gt_array *x = &call->in[k];
    if (x->dtype == call->in[0].dtype && gt_same_shape(x->shape, shape)) return true;
    return gt_call_fail(call, "%s, %s, does not fit %s, %s", gt_operand(call, k),
                        gt_dtype_name(x->dtype), gt_operand(call, 0),
                        gt_dtype_name(call->in[0].dtype));
}

/* Results: one like x, and others with an element for each channel. */
static void make_results(gt_call *call, gt_shape channels, int count) {
    call->n_out = count;
    for (int k = 0; k < count; k++) {
        call->out[k].dtype = call->in[0].dtype;
        call->out[k].shape = k == 0 ? call->in[0].shape : channels;
    }
}

static bool norm_shape(gt_call *call) {
    if (!is_batch(call)) return false;
    const gt_shape channels = GT_SHAPE(call->in[0].shape.dim[1]);
    make_results(call, channels, 4);
    return agrees(call, 1, channels) && agrees(call, 2, channels);
}

static bool gradient_shape(gt_call *call) {
    if (!is_batch(call)) return false;
    const gt_shape channels = GT_SHAPE(call->in[0].shape.dim[1]);
    make_results(call, channels, 3);
    for (int k = 1; k < call->n_in; k++)
        if (!agrees(call, k, k == 2 ? call->in[0].shape : channels)) return false;
    return true;
}

/* ---- kernels --------------------------------------------------------------------------------- */

typedef void (*channel_loop)(const gt_call *call, const images *m, int64_t channel);

/* Channels are apart, so that threads may share them. */
typedef struct batch_job {
    const gt_call *call;
    const images *images;
    channel_loop loop;
} batch_job;

static void do_channel(const void *of, int64_t channel, int thread) {
    const batch_job *c = of;
    (void)thread;
    c->loop(c->call, c->images, channel);
}

static void run_planes(const gt_call *call, const images *m, int threads) {
    const bool single = call->in[0].dtype == GT_F32;
    const channel_loop forward = single ? forward_f32 : forward_f64,
                       backward = single ? backward_f32 : backward_f64;
    const batch_job c = {call, m, m->g ? backward : forward};
    gt__share(m->channels, threads, do_channel, &c);
}

/* Planes become channels last, or the other way round. */
static void turn(const images *m, const void *from, void *to, size_t size, bool to_last) {
    const int64_t rows = to_last ? m->channels : m->run, columns = to_last ? m->run : m->channels;
    for (int64_t i = 0; i < m->n * rows * columns; i++) {
        const int64_t image = i / (rows * columns), row = i / columns % rows, column = i % columns;
        const int64_t at = (image * columns + column) * rows + row;
        memcpy((char *)to + (size_t)at * size, (const char *)from + (size_t)i * size, size);
    }
}

/* Where some stand channels last and some do not, which is rare, all are brought into planes. */
static bool run_mixed(const gt_call *call, images m, const bool last[3], int threads) {
    const gt_array *x = &call->in[0];
    const size_t size = gt_dtype_size(x->dtype), bytes = (size_t)gt_numel(x->shape) * size;
    char *copy = gt_scratch(call, 3 * bytes);
    if (!copy) return false;
    void *const y = m.y;
    if (last[0]) turn(&m, m.x, copy, size, false), m.x = copy;
    if (last[1]) turn(&m, m.g, copy + bytes, size, false), m.g = copy + bytes;
    if (last[2]) m.y = copy + 2 * bytes;
    run_planes(call, &m, threads);
    if (last[2]) turn(&m, m.y, y, size, true);
    return true;
}

static images images_of(const gt_call *call, const gt_array *g) {
    const gt_array *x = &call->in[0];
    images m = {.n = x->shape.dim[0],
                .channels = x->shape.dim[1],
                .run = 1,
                .epsilon = *(const double *)call->attr,
                .x = x->data,
                .g = g ? g->data : NULL,
                .y = call->out[0].data};
    for (int d = 2; d < x->shape.rank; d++) m.run *= x->shape.dim[d];
    return m;
}

static bool run(const gt_call *call, const gt_array *g) {
    const gt_array *x = &call->in[0];
    const images m = images_of(call, g);
    const int threads = gt_numel(x->shape) >= WORTH_THREADS ? gt__threads() : 1;
    const bool last[3] = {gt_is_channels_last(x), g && gt_is_channels_last(g),
                          gt_is_channels_last(&call->out[0])};
    if (x->dtype == GT_F32 && last[0] && last[2] && (!g || last[1]))
        return run_last(call, &m, threads);
    if (last[0] || last[1] || last[2]) return run_mixed(call, m, last, threads);
    run_planes(call, &m, threads);
    return true;
}

static bool norm_kernel(gt_call *call) { return run(call, NULL); }
static bool gradient_kernel(gt_call *call) { return run(call, &call->in[2]); }

/* x and y; x, its gradient and y's. With few pixels sums would be as large as what is summed. */
static gt_order norm_order(const gt_call *call) {
    const gt_shape *x = &call->in[0].shape;
    const int64_t lines = x->dim[0] * x->dim[1];
    const bool large = x->dim[1] <= MOST_LAST && gt_numel(*x) >= lines * LEAST_LAST;
    const bool may = !call->exact && call->in[0].dtype == GT_F32 && large;
    return may ? (gt_order){1, 1} : (gt_order){0, 0};
}
static gt_order gradient_order(const gt_call *call) {
    const gt_order order = norm_order(call);
    return order.out ? (gt_order){5, 1} : order;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* What formulas are made of: x [n, channels, ...], and what is like it or broadcast to it. */
typedef struct terms {
    gt_axes axes; /* all but the channels' */
    double n;     /* elements of a channel */
    gt_tensor x, centred, r, z;
} terms;

static gt_tensor along(const terms *t, gt_tensor vector) {
    gt_shape shape = {gt_rank(t->x) - 1, {gt_dim(vector, 0)}};
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = 1;
    return gt_reshape(vector, shape);
}

static gt_tensor mean(const terms *t, gt_tensor x) { return gt_mean(x, t->axes, true); }
static gt_tensor sum(const terms *t, gt_tensor x) { return gt_sum(x, t->axes, false); }

static terms terms_of(gt_tensor x, gt_tensor means) {
    terms t = {.x = x, .n = 1};
    for (int d = 0; d < gt_rank(x); d++) {
        if (d == 1) continue;
        t.axes.axis[t.axes.count++] = d;
        t.n *= (double)gt_dim(x, d);
    }
    t.centred = gt_sub(x, along(&t, means));
    return t;
}

/* u less its mean and its share along z. It is its own transpose. */
static gt_tensor across(const terms *t, gt_tensor u) {
    const gt_tensor share = gt_mul(t->z, mean(t, gt_mul(u, t->z)));
    return gt_sub(gt_sub(u, mean(t, u)), share);
}

/* Either may be absent. */
static gt_tensor plus(gt_tensor a, gt_tensor b) {
    return gt_is_none(a) ? b : gt_is_none(b) ? a : gt_add(a, b);
}

/* measured: the mean, the variance, and what the mean lost by rounding, as channel_norm gives them. */
static gt_tensor record_gradient(gt_tensor x, gt_tensor weight, gt_tensor g,
                                 const gt_tensor measured[3], double epsilon);

/* What rounding takes off the mean has no slope of its own. */
static bool norm_pull(gt_pull *p) {
    const gt_tensor x = p->in[0];
    if (!gt_is_none(p->up[0])) {
        const gt_tensor g =
            record_gradient(x, p->in[1], p->up[0], &p->out[1], *(const double *)p->attr);
        for (int k = 0; k < 3; k++)
            if (p->wanted[k]) p->gx[k] = gt_out(g, k);
    }
    if (!p->wanted[0] || (gt_is_none(p->up[1]) && gt_is_none(p->up[2]))) return true;
    const terms t = terms_of(x, p->out[1]);
    if (!gt_is_none(p->up[1])) {
        const gt_tensor each = gt_mul_scalar(along(&t, p->up[1]), 1 / t.n);
        p->gx[0] = plus(p->gx[0], gt_expand(each, gt_shape_of(x)));
    }
    if (!gt_is_none(p->up[2])) {
        const gt_tensor each = gt_mul_scalar(along(&t, p->up[2]), 2 / t.n);
        p->gx[0] = plus(p->gx[0], gt_mul(t.centred, each));
    }
    return true;
}

typedef gt_tensor operation(gt_samples *s, gt_tensor x, gt_tensor weight, gt_tensor last);

/* last is bias, or a gradient of x's shape. */
static gt_tensor sample(gt_samples *s, gt_shape x, bool like_x, operation *f) {
    const gt_shape channels = GT_SHAPE(x.dim[1]);
    const gt_tensor batch = gt_sample(s, x), weight = gt_sample(s, channels);
    return f(s, batch, weight, gt_sample(s, like_x ? x : channels));
}

static gt_tensor samples_of(gt_samples *s, int i, bool like_x, operation *f) {
    switch (i) {
    case 0: return sample(s, GT_SHAPE(3, 2, 2, 3), like_x, f);
    case 1: return sample(s, GT_SHAPE(6, 3), like_x, f);
    case 2: return sample(s, GT_SHAPE(2, 3, 19), like_x, f);
    case 3: return gt_out(sample(s, GT_SHAPE(2, 2, 1, 4, 3), like_x, f), 1);
    case 4: return gt_out(sample(s, GT_SHAPE(4, 2, 3), like_x, f), 2);
    case 5: return sample(s, GT_SHAPE(2, 0, 3), like_x, f);
    case 6:
        return gt_sample_bad(s, "has rank 1"),
               f(s, gt_sample(s, GT_SHAPE(3)), gt_sample(s, GT_SHAPE(3)),
                 gt_sample(s, GT_SHAPE(3)));
    case 7: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4));
        gt_sample_bad(s, "does not fit");
        return f(s, x, gt_sample(s, GT_SHAPE(2)), like_x ? x : gt_sample(s, GT_SHAPE(3)));
    }
    case 8: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4)), w = gt_sample(s, GT_SHAPE(3));
        gt_sample_bad(s, "does not fit");
        return f(s, x, w, gt_sample(s, GT_SHAPE(4)));
    }
    case 9: {
        const gt_tensor x = gt_cast(gt_sample(s, GT_SHAPE(2, 3)), GT_I32),
                        w = gt_cast(gt_sample(s, GT_SHAPE(3)), GT_I32);
        gt_sample_bad(s, "f32 or f64");
        return f(s, x, w, like_x ? x : w);
    }
    default: return gt_samples_end(s);
    }
}

static gt_tensor sampled_norm(gt_samples *s, gt_tensor x, gt_tensor weight, gt_tensor bias) {
    (void)s;
    return gt__channel_norm(x, weight, bias, 1e-3);
}

static gt_tensor norm_samples(gt_samples *s, int i) {
    return samples_of(s, i, false, sampled_norm);
}

static bool norm_emit(gt_emitter *e, const gt_call *call) {
    return gt__channel_norm_emit(e, call, false);
}

const gt_op gt__op_channel_norm =
    GT_OP("channel_norm", norm_shape, norm_kernel, GT_PULL(norm_pull), norm_samples, .traits = 0,
          .order = norm_order, .emit = norm_emit,
          .meaning = "x standardized in each channel, times a weight, plus a bias");

gt_tensor gt__channel_norm(gt_tensor x, gt_tensor weight, gt_tensor bias, double epsilon) {
    const gt_tensor in[3] = {x, weight, bias};
    return gt_record(x.tape, &gt__op_channel_norm, in, 3, &epsilon, sizeof epsilon, NULL, 0);
}

/* The slope of sum of a weight r across(g), b z g and c g, with a, b and c for what the three results get. It depends on x
 * and its mean by z, and by z and r on its variance. */
static bool gradient_pull(gt_pull *p) {
    terms t = terms_of(p->in[0], gt_add(p->in[3], p->in[5]));
    t.r = gt_rsqrt(gt_add_scalar(along(&t, p->in[4]), *(const double *)p->attr));
    t.z = gt_mul(t.centred, t.r);
    const gt_tensor g = p->in[2], weight = along(&t, p->in[1]), factor = gt_mul(weight, t.r);
    gt_tensor by_z = gt_none(), by_r = gt_none();
    if (!gt_is_none(p->up[0])) {
        const gt_tensor a = p->up[0], met = gt_mul(a, across(&t, g));
        by_z = gt_neg(gt_mul(factor, gt_add(gt_mul(a, mean(&t, gt_mul(g, t.z))),
                                            gt_mul(g, mean(&t, gt_mul(a, t.z))))));
        by_r = gt_mul(weight, met);
        if (p->wanted[1]) p->gx[1] = sum(&t, gt_mul(met, t.r));
        if (p->wanted[2]) p->gx[2] = gt_mul(factor, across(&t, a));
    }
    if (!gt_is_none(p->up[1])) {
        const gt_tensor b = along(&t, p->up[1]);
        by_z = plus(by_z, gt_mul(b, g));
        if (p->wanted[2]) p->gx[2] = plus(p->gx[2], gt_mul(b, t.z));
    }
    if (!gt_is_none(p->up[2]) && p->wanted[2])
        p->gx[2] = plus(p->gx[2], gt_expand(along(&t, p->up[2]), gt_shape_of(g)));
    if (gt_is_none(by_z)) return true;
    const gt_tensor by_x = gt_mul(by_z, t.r), cube = gt_mul(t.r, gt_square(t.r));
    if (p->wanted[0]) p->gx[0] = by_x;
    for (int k = 3; k <= 5; k += 2)
        if (p->wanted[k]) p->gx[k] = gt_neg(sum(&t, by_x));
    if (p->wanted[4])
        p->gx[4] = sum(&t, gt_mul(plus(by_r, gt_mul(by_z, t.centred)), gt_mul_scalar(cube, -0.5)));
    return true;
}

static gt_tensor sampled_gradient(gt_samples *s, gt_tensor x, gt_tensor weight, gt_tensor g) {
    const gt_shape channels = gt_shape_of(weight);
    const gt_tensor mean = gt_sample(s, channels), variance = gt_exp(gt_sample(s, channels));
    return record_gradient(x, weight, g, (gt_tensor[]){mean, variance, gt_sample(s, channels)},
                           1e-3);
}

static gt_tensor gradient_samples(gt_samples *s, int i) {
    return samples_of(s, i, true, sampled_gradient);
}

static bool gradient_emit(gt_emitter *e, const gt_call *call) {
    return gt__channel_norm_emit(e, call, true);
}

const gt_op gt__op_channel_norm_gradient =
    GT_OP("channel_norm_gradient", gradient_shape, gradient_kernel, GT_PULL(gradient_pull),
          gradient_samples, .traits = 0, .order = gradient_order, .emit = gradient_emit,
          .meaning = "what x, weight and bias of channel_norm get, given its mean and variance");

static gt_tensor record_gradient(gt_tensor x, gt_tensor weight, gt_tensor g,
                                 const gt_tensor measured[3], double epsilon) {
    const gt_tensor in[6] = {x, weight, g, measured[0], measured[1], measured[2]};
    return gt_record(x.tape, &gt__op_channel_norm_gradient, in, 6, &epsilon, sizeof epsilon, NULL,
                     0);
}
