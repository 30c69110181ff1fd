/* nn/norm.c: normalization: batch, layer, RMS and group. A variance is the mean of squared distances
 * from the mean, never a difference of squares. */
#include "nn/accept.h"
#include "nn/nn.h"
#include "ops/channel_norm.h"
#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shortcuts.h"

static gt_tensor parameter(gt_tensor x, const char *name, int64_t size, double first) {
    return gt_param(x.tape, name, GT_SHAPE(size), gt_dtype_of(x), gt_init_constant(first));
}

/* Of the channels, under the open scope. */
typedef struct affine {
    gt_tensor weight, bias;
} affine;

static affine affine_of(gt_tensor x) {
    const int64_t channels = gt_dim(x, 1);
    const gt_tensor weight = parameter(x, "weight", channels, 1);
    return (affine){weight, parameter(x, "bias", channels, 0)};
}

/* y weight + bias for each channel. */
static gt_tensor scaled(gt_tensor y, affine a) {
    const int rank = gt_rank(y);
    return gt_add(gt_mul(y, gt__along_channels(a.weight, rank)), gt__along_channels(a.bias, rank));
}

static bool positive(const char *layer, gt_tensor x, const char *what, double value, double most) {
    if (value > 0 && value <= most) return true;
    gt_fail(x.tape, "%s: %s %g is out of range", layer, what, value);
    return false;
}

/* ---- batch norm ------------------------------------------------------------------------------ */

/* A buffer that begins with ones. */
static gt_tensor buffer_of_ones(gt_tensor x, const char *name, int64_t size) {
    gt_params *params = gt_tape_params(x.tape);
    const gt_dtype dtype = gt_dtype_of(x);
    const int before = gt_params_count(params);
    const gt_tensor buffer = gt_buffer(x.tape, name, GT_SHAPE(size), dtype);
    if (gt_params_count(params) == before || size == 0) return buffer;
    const size_t bytes = (size_t)size * gt_dtype_size(dtype);
    void *ones = gt_params_alloc(params, NULL, 0, bytes);
    if (!ones) return gt_fail(x.tape, "batch_norm: memory is short");
    for (int64_t i = 0; i < size; i++) gt__put(ones, dtype, i, 1);
    gt_set(buffer, ones);
    gt_params_alloc(params, ones, bytes, 0);
    return buffer;
}

/* running takes (1 - momentum) running + momentum value, with the step. A second use of the layer
 * goes on from what the first will have left. */
static void follow(gt_tensor running, gt_tensor value, double momentum) {
    const gt_tensor old = gt_pending(running);
    const gt_tensor now = gt_reshape(gt_stop_gradient(value), gt_shape_of(running));
    gt_assign(running, gt_add(gt_mul_scalar(old, 1 - momentum), gt_mul_scalar(now, momentum)));
}

typedef struct statistics {
    gt_tensor mean, variance;
} statistics;

/* Elements of a channel. */
static double channel_size(gt_tensor x) {
    double n = 1;
    for (int d = 0; d < gt_rank(x); d++)
        if (d != 1) n *= (double)gt_dim(x, d);
    return n;
}

static void follow_both(statistics running, statistics batch, double n, double momentum) {
    follow(running.mean, batch.mean, momentum);
    follow(running.variance, gt_mul_scalar(batch.variance, n / (n - 1)), momentum);
}

/* Images have an operation of their own; of rows, whose channels do not stand together, columns are
 * standardized. */
static gt_tensor by_batch(gt_tensor x, affine a, statistics running, gt_batch_norm_options o) {
    const double n = channel_size(x);
    if (gt_rank(x) > 2) {
        const gt_tensor y = gt__channel_norm(x, a.weight, a.bias, o.epsilon);
        if (gt_valid(y))
            follow_both(running, (statistics){gt_out(y, 1), gt_out(y, 2)}, n, o.momentum);
        return y;
    }
    statistics batch;
    const gt_tensor y = gt__standardize(x, GT_AXES(0), o.epsilon, &batch.mean, &batch.variance);
    follow_both(running, batch, n, o.momentum);
    return scaled(y, a);
}

static gt_tensor by_running(gt_tensor x, affine a, statistics running, double epsilon) {
    const int rank = gt_rank(x);
    const gt_tensor centred = gt_sub(x, gt__along_channels(running.mean, rank));
    const gt_tensor variance = gt__along_channels(running.variance, rank);
    return scaled(gt_mul(centred, gt_rsqrt(gt_add_scalar(variance, epsilon))), a);
}

static bool has_batch(gt_tensor x) {
    char text[320];
    const double n = channel_size(x);
    if (n >= 2) return true;
    gt_fail(x.tape, "batch_norm: %s has %g elements in a channel: training needs 2 at least",
            gt__named(x, text, sizeof text), n);
    return false;
}

gt_tensor gt_batch_norm(gt_tensor x, const char *name, bool training, gt_batch_norm_options o) {
    if (o.momentum == 0) o.momentum = 0.1;
    if (o.epsilon == 0) o.epsilon = 1e-5;
    if (!gt__accepts("batch_norm", x, name, 2, GT_MAX_RANK)) return gt__refused(x);
    if (!positive("batch_norm", x, "momentum", o.momentum, 1)) return gt__refused(x);
    if (!positive("batch_norm", x, "epsilon", o.epsilon, 1e30)) return gt__refused(x);
    if (training && !has_batch(x)) return gt__refused(x);
    const int64_t channels = gt_dim(x, 1);
    gt_scope_push(x.tape, "%s", name);
    statistics running;
    running.mean = gt_buffer(x.tape, "running_mean", GT_SHAPE(channels), gt_dtype_of(x));
    running.variance = buffer_of_ones(x, "running_variance", channels);
    const affine a = affine_of(x);
    const gt_tensor y =
        training ? by_batch(x, a, running, o) : by_running(x, a, running, o.epsilon);
    gt_scope_pop(x.tape);
    return y;
}

static gt_tensor batch_samples(gt_samples *s, int i) {
    const gt_batch_norm_options plain = {.momentum = 0.1};
    switch (i) {
    case 0: return gt_batch_norm(gt_sample(s, GT_SHAPE(5, 3)), "sample", true, plain);
    case 1: return gt_batch_norm(gt_sample(s, GT_SHAPE(3, 2, 2, 2)), "sample", true, plain);
    case 2: return gt_batch_norm(gt_sample(s, GT_SHAPE(2, 3, 4)), "sample", false, plain);
    case 3: return gt_batch_norm(gt_sample(s, GT_SHAPE(0, 3)), "sample", false, plain);
    case 4:
        gt_sample_bad(s, "batch_norm: ");
        return gt_batch_norm(gt_sample(s, GT_SHAPE(4)), "sample", true, plain);
    case 5:
        gt_sample_bad(s, "1 elements in a channel");
        return gt_batch_norm(gt_sample(s, GT_SHAPE(1, 4)), "sample", true, plain);
    case 6:
        gt_sample_bad(s, "momentum 1.5");
        return gt_batch_norm(gt_sample(s, GT_SHAPE(3, 4)), "sample", true,
                             (gt_batch_norm_options){.momentum = 1.5});
    case 7:
        gt_sample_bad(s, "no name");
        return gt_batch_norm(gt_sample(s, GT_SHAPE(3, 4)), NULL, true, plain);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_batch_norm = {"batch_norm", batch_samples};

/* ---- layer and RMS norm ---------------------------------------------------------------------- */

gt_tensor gt_layer_norm(gt_tensor x, const char *name, double epsilon) {
    if (!gt__accepts("layer_norm", x, name, 1, GT_MAX_RANK)) return gt__refused(x);
    if (!positive("layer_norm", x, "epsilon", epsilon, 1e30)) return gt__refused(x);
    const int64_t size = gt_dim(x, -1);
    const gt_tensor y = gt__standardize(x, GT_AXES(-1), epsilon, NULL, NULL);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor weight = parameter(x, "weight", size, 1), bias = parameter(x, "bias", size, 0);
    gt_scope_pop(x.tape);
    return gt_add(gt_mul(y, weight), bias);
}

static gt_tensor layer_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_layer_norm(gt_sample(s, GT_SHAPE(3, 5)), "sample", 1e-5);
    case 1: return gt_layer_norm(gt_sample(s, GT_SHAPE(2, 2, 4)), "sample", 1e-3);
    case 2: return gt_layer_norm(gt_sample(s, GT_SHAPE(6)), "sample", 1e-5);
    case 3: return gt_layer_norm(gt_sample(s, GT_SHAPE(0, 3)), "sample", 1e-5);
    case 4:
        return gt_sample_bad(s, "has rank 0"),
               gt_layer_norm(gt_sample(s, GT_SCALAR), "sample", 1e-5);
    case 5:
        gt_sample_bad(s, "epsilon 0");
        return gt_layer_norm(gt_sample(s, GT_SHAPE(3)), "sample", 0);
    case 6:
        gt_sample_bad(s, "f32 or f64");
        return gt_layer_norm(gt_sample_int(s, GT_SHAPE(3), GT_I32, 5), "sample", 1e-5);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_layer_norm = {"layer_norm", layer_samples};

gt_tensor gt_rms_norm(gt_tensor x, const char *name, double epsilon) {
    if (!gt__accepts("rms_norm", x, name, 1, GT_MAX_RANK)) return gt__refused(x);
    if (!positive("rms_norm", x, "epsilon", epsilon, 1e30)) return gt__refused(x);
    const gt_tensor y = gt__over_rms(x, GT_AXES(-1), epsilon);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor weight = parameter(x, "weight", gt_dim(x, -1), 1);
    gt_scope_pop(x.tape);
    return gt_mul(y, weight);
}

static gt_tensor rms_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_rms_norm(gt_sample(s, GT_SHAPE(3, 5)), "sample", 1e-5);
    case 1: return gt_rms_norm(gt_sample(s, GT_SHAPE(2, 2, 4)), "sample", 1e-3);
    case 2:
        return gt_sample_bad(s, "has rank 0"), gt_rms_norm(gt_sample(s, GT_SCALAR), "sample", 1e-5);
    case 3:
        return gt_sample_bad(s, "epsilon -1"), gt_rms_norm(gt_sample(s, GT_SHAPE(3)), "sample", -1);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_rms_norm = {"rms_norm", rms_samples};

/* ---- group norm ------------------------------------------------------------------------------ */

gt_tensor gt_group_norm(gt_tensor x, const char *name, int64_t groups) {
    if (!gt__accepts("group_norm", x, name, 2, GT_MAX_RANK)) return gt__refused(x);
    const gt_shape shape = gt_shape_of(x);
    if (!gt__divides("group_norm", x, "channels", shape.dim[1], groups)) return gt__refused(x);
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): gt__divides has refused 0
    int64_t each = shape.dim[1] / groups;
    for (int d = 2; d < shape.rank; d++) each *= shape.dim[d];
    const gt_tensor grouped = gt_reshape(x, GT_SHAPE(shape.dim[0], groups, each));
    const gt_tensor y = gt_reshape(gt__standardize(grouped, GT_AXES(-1), 1e-5, NULL, NULL), shape);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor z = gt_valid(y) ? scaled(y, affine_of(y)) : y;
    gt_scope_pop(x.tape);
    return z;
}

static gt_tensor group_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_group_norm(gt_sample(s, GT_SHAPE(2, 4, 2, 2)), "sample", 2);
    case 1: return gt_group_norm(gt_sample(s, GT_SHAPE(2, 6)), "sample", 2);
    case 2: return gt_group_norm(gt_sample(s, GT_SHAPE(1, 3, 4)), "sample", 3);
    case 3: return gt_group_norm(gt_sample(s, GT_SHAPE(0, 4, 3)), "sample", 1);
    case 4:
        gt_sample_bad(s, "5 channels");
        return gt_group_norm(gt_sample(s, GT_SHAPE(2, 5)), "sample", 2);
    case 5:
        gt_sample_bad(s, "0 groups");
        return gt_group_norm(gt_sample(s, GT_SHAPE(2, 4)), "sample", 0);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_group_norm = {"group_norm", group_samples};
