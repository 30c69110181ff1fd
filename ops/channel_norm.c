/* ops/channel_norm.c: batch normalization of images, and its gradient, as operations of their own.
 * A channel of a batch mostly fits the second-level cache: it is gone over several times there,
 * where separate operations would go over all of memory. */
#include "ops/channel_norm.h"

#include <math.h>

#include "graph/threads.h"
#include "graph/wide.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/unroll.h"

enum {
    LANES = 16,
    VECTOR_BYTES = 32,
    WORTH_THREADS = 1 << 14, /* elements */
    PART = 1024,             /* elements that are added up before a double takes over */
    FAR = 4                  /* squared distance from the mean, in variances */
};

/* x as [n, channels, run]. */
typedef struct images {
    int64_t n, channels, run;
    double epsilon;
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

/* Results: one like x, and two with an element for each channel. */
static void make_results(gt_call *call, gt_shape channels) {
    call->n_out = 3;
    for (int k = 0; k < 3; k++) {
        call->out[k].dtype = call->in[0].dtype;
        call->out[k].shape = k == 0 ? call->in[0].shape : channels;
    }
}

static bool norm_shape(gt_call *call) {
    if (!is_batch(call)) return false;
    const gt_shape channels = GT_SHAPE(call->in[0].shape.dim[1]);
    make_results(call, channels);
    return agrees(call, 1, channels) && agrees(call, 2, channels);
}

static bool gradient_shape(gt_call *call) {
    if (!is_batch(call)) return false;
    const gt_shape channels = GT_SHAPE(call->in[0].shape.dim[1]);
    make_results(call, channels);
    return agrees(call, 1, channels) && agrees(call, 2, call->in[0].shape);
}

/* ---- kernels --------------------------------------------------------------------------------- */

typedef void (*channel_loop)(const gt_call *call, const images *m, int64_t channel);

/* Channels are apart, so that threads may share them. */
typedef struct batch_job {
    const gt_call *call;
    images images;
    channel_loop loop;
} batch_job;

static void do_channel(const void *of, int64_t channel, int thread) {
    const batch_job *c = of;
    (void)thread;
    c->loop(c->call, &c->images, channel);
}

static bool run(const gt_call *call, channel_loop f32, channel_loop f64) {
    const gt_shape shape = call->in[0].shape;
    batch_job c = {.call = call,
                   .images = {shape.dim[0], shape.dim[1], 1, *(const double *)call->attr},
                   .loop = call->in[0].dtype == GT_F32 ? f32 : f64};
    for (int d = 2; d < shape.rank; d++) c.images.run *= shape.dim[d];
    const bool many = gt_numel(shape) >= WORTH_THREADS;
    gt__share(c.images.channels, many ? gt__threads() : 1, do_channel, &c);
    return true;
}

static bool norm_kernel(gt_call *call) { return run(call, forward_f32, forward_f64); }
static bool gradient_kernel(gt_call *call) { return run(call, backward_f32, backward_f64); }

/* ---- gradients ------------------------------------------------------------------------------- */

/* What formulas are made of. All but weight and up are of x's shape or broadcast to it. */
typedef struct terms {
    gt_axes axes; /* all but the channels' */
    double n;     /* elements of a channel */
    gt_tensor x, centred, r, z;
    double epsilon;
} terms;

static gt_tensor along(const terms *t, gt_tensor vector) {
    gt_shape shape = {gt_rank(t->x) - 1, {gt_dim(vector, 0)}};
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = 1;
    return gt_reshape(vector, shape);
}

static gt_tensor mean(const terms *t, gt_tensor x) { return gt_mean(x, t->axes, true); }

static terms terms_of(gt_tensor x, double epsilon) {
    terms t = {.x = x, .n = 1, .epsilon = epsilon};
    for (int d = 0; d < gt_rank(x); d++) {
        if (d == 1) continue;
        t.axes.axis[t.axes.count++] = d;
        t.n *= (double)gt_dim(x, d);
    }
    t.centred = gt_sub(x, mean(&t, x));
    t.r = gt_rsqrt(gt_add_scalar(mean(&t, gt_square(t.centred)), epsilon));
    t.z = gt_mul(t.centred, t.r);
    return t;
}

/* u less its mean and its share along z: what changes of x do to z, over r. It is its own transpose. */
static gt_tensor across(const terms *t, gt_tensor u) {
    const gt_tensor share = gt_mul(t->z, mean(t, gt_mul(u, t->z)));
    return gt_sub(gt_sub(u, mean(t, u)), share);
}

/* Either may be absent. */
static gt_tensor plus(gt_tensor a, gt_tensor b) {
    return gt_is_none(a) ? b : gt_is_none(b) ? a : gt_add(a, b);
}

static gt_tensor record(const gt_op *op, gt_tensor x, gt_tensor weight, gt_tensor last,
                        double epsilon) {
    const gt_tensor in[3] = {x, weight, last};
    return gt_record(x.tape, op, in, 3, &epsilon, sizeof epsilon, NULL, 0);
}

static gt_tensor record_gradient(gt_tensor x, gt_tensor weight, gt_tensor g, double epsilon);

static bool norm_pull(gt_pull *p) {
    const double epsilon = *(const double *)p->attr;
    const gt_tensor x = p->in[0];
    if (!gt_is_none(p->up[0])) {
        const gt_tensor g = record_gradient(x, p->in[1], p->up[0], epsilon);
        for (int k = 0; k < 3; k++)
            if (p->wanted[k]) p->gx[k] = gt_out(g, k);
    }
    if (!p->wanted[0] || (gt_is_none(p->up[1]) && gt_is_none(p->up[2]))) return true;
    const terms t = terms_of(x, epsilon);
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

typedef gt_tensor operation(gt_tensor x, gt_tensor weight, gt_tensor last, double epsilon);

/* last is bias, or a gradient of x's shape. */
static gt_tensor sample(gt_samples *s, gt_shape x, bool like_x, operation *f) {
    const gt_shape channels = GT_SHAPE(x.dim[1]);
    const gt_tensor batch = gt_sample(s, x), weight = gt_sample(s, channels);
    return f(batch, weight, gt_sample(s, like_x ? x : channels), 1e-3);
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
               f(gt_sample(s, GT_SHAPE(3)), gt_sample(s, GT_SHAPE(3)), gt_sample(s, GT_SHAPE(3)),
                 1e-3);
    case 7: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4));
        gt_sample_bad(s, "does not fit");
        return f(x, gt_sample(s, GT_SHAPE(2)), like_x ? x : gt_sample(s, GT_SHAPE(3)), 1e-3);
    }
    case 8: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4)), w = gt_sample(s, GT_SHAPE(3));
        gt_sample_bad(s, "does not fit");
        return f(x, w, gt_sample(s, GT_SHAPE(4)), 1e-3);
    }
    case 9: {
        const gt_tensor x = gt_cast(gt_sample(s, GT_SHAPE(2, 3)), GT_I32),
                        w = gt_cast(gt_sample(s, GT_SHAPE(3)), GT_I32);
        gt_sample_bad(s, "f32 or f64");
        return f(x, w, like_x ? x : w, 1e-3);
    }
    default: return gt_samples_end(s);
    }
}

static gt_tensor norm_samples(gt_samples *s, int i) {
    return samples_of(s, i, false, gt__channel_norm);
}

static bool norm_emit(gt_emitter *e, const gt_call *call) {
    return gt__channel_norm_emit(e, call, false);
}

const gt_op gt__op_channel_norm =
    GT_OP("channel_norm", norm_shape, norm_kernel, GT_PULL(norm_pull), norm_samples, .traits = 0,
          .emit = norm_emit,
          .meaning = "x standardized in each channel, times a weight, plus a bias");

gt_tensor gt__channel_norm(gt_tensor x, gt_tensor weight, gt_tensor bias, double epsilon) {
    return record(&gt__op_channel_norm, x, weight, bias, epsilon);
}

/* The gradient is, with a, b and c for what its three results get, the slope of
 * sum of a weight r across(g), b z g and c g. It depends on x by z and by r. */
static bool gradient_pull(gt_pull *p) {
    const terms t = terms_of(p->in[0], *(const double *)p->attr);
    const gt_tensor g = p->in[2], factor = gt_mul(along(&t, p->in[1]), t.r);
    gt_tensor by_z = gt_none();
    if (!gt_is_none(p->up[0])) {
        const gt_tensor a = p->up[0], met = gt_mul(a, across(&t, g));
        by_z = gt_neg(gt_mul(factor, gt_add(gt_mul(a, mean(&t, gt_mul(g, t.z))),
                                            gt_mul(g, mean(&t, gt_mul(a, t.z))))));
        if (p->wanted[0])
            p->gx[0] = gt_neg(gt_mul(gt_mul(t.z, t.r), gt_mul(factor, mean(&t, met))));
        if (p->wanted[1]) p->gx[1] = gt_sum(gt_mul(met, t.r), t.axes, false);
        if (p->wanted[2]) p->gx[2] = gt_mul(factor, across(&t, a));
    }
    if (!gt_is_none(p->up[1])) {
        const gt_tensor b = along(&t, p->up[1]);
        by_z = plus(by_z, gt_mul(b, g));
        if (p->wanted[2]) p->gx[2] = plus(p->gx[2], gt_mul(b, t.z));
    }
    if (!gt_is_none(p->up[2]) && p->wanted[2])
        p->gx[2] = plus(p->gx[2], gt_expand(along(&t, p->up[2]), gt_shape_of(g)));
    if (p->wanted[0] && !gt_is_none(by_z)) p->gx[0] = plus(p->gx[0], gt_mul(t.r, across(&t, by_z)));
    return true;
}

static gt_tensor gradient_samples(gt_samples *s, int i) {
    return samples_of(s, i, true, record_gradient);
}

static bool gradient_emit(gt_emitter *e, const gt_call *call) {
    return gt__channel_norm_emit(e, call, true);
}

const gt_op gt__op_channel_norm_gradient =
    GT_OP("channel_norm_gradient", gradient_shape, gradient_kernel, GT_PULL(gradient_pull),
          gradient_samples, .traits = 0, .emit = gradient_emit,
          .meaning = "what x, weight and bias of channel_norm get from its gradient");

static gt_tensor record_gradient(gt_tensor x, gt_tensor weight, gt_tensor g, double epsilon) {
    return record(&gt__op_channel_norm_gradient, x, weight, g, epsilon);
}
