/* nn/layers_conv.c: convolutions with parameters, and images made larger. */
#include <math.h>

#include "nn/accept.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "ops/rows.h"

/* ---- convolutions ---------------------------------------------------------------------------- */

/* What the four of them have in common. */
typedef struct layer {
    const char *name;
    int axes; /* of the field */
    bool transposed;
    gt_tensor (*conv)(gt_tensor x, gt_tensor w, gt_conv_options options);
} layer;

static bool fits(const layer *l, gt_tensor x, const char *name, int64_t channels, int64_t kernel,
                 int64_t groups) {
    const int rank = 2 + l->axes;
    char text[320];
    if (!gt__accepts(l->name, x, name, rank, rank)) return false;
    if (!gt__divides(l->name, x, "channels", gt_dim(x, 1), groups)) return false;
    if (!gt__divides(l->name, x, "output channels", channels, groups)) return false;
    if (kernel >= 1) return true;
    gt_fail(x.tape, "%s: a kernel of %lld for %s", l->name, (long long)kernel,
            gt__named(x, text, sizeof text));
    return false;
}

/* Kaiming uniform. An output of a transposed convolution meets a tap in `stride` only, in each axis. */
static gt_init first_weights(const layer *l, int64_t in, int64_t kernel, gt_conv_options options) {
    double fan = (double)in;
    if (!l->transposed) return gt_init_kaiming_uniform();
    for (int d = 0; d < l->axes; d++)
        fan *= (double)kernel / (options.stride[d] > 1 ? (double)options.stride[d] : 1);
    const double bound = fan > 0 ? sqrt(6 / fan) : 0;
    return gt_init_uniform(-bound, bound);
}

static gt_tensor apply(const layer *l, gt_tensor x, const char *name, int64_t channels,
                       int64_t kernel, gt_conv_options options) {
    const int64_t groups = options.groups ? options.groups : 1;
    if (!fits(l, x, name, channels, kernel, groups)) return gt__refused(x);
    const int64_t in = gt_dim(x, 1);
    const int64_t first = l->transposed ? in : channels,
                  second = (l->transposed ? channels : in) / groups;
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor w = gt_param(x.tape, "weight",
                                 l->axes == 2 ? GT_SHAPE(first, second, kernel, kernel)
                                              : GT_SHAPE(first, second, kernel),
                                 gt_dtype_of(x), first_weights(l, in / groups, kernel, options));
    gt_tensor b = gt_none();
    if (!options.no_bias)
        b = gt_param(x.tape, "bias", GT_SHAPE(channels), gt_dtype_of(x), gt_init_zeros());
    gt_scope_pop(x.tape);
    const gt_tensor y = l->conv(x, w, options);
    return gt_is_none(b) ? y : gt_add(y, gt__along_channels(b, gt_rank(x)));
}

gt_tensor gt_conv2d_layer(gt_tensor x, const char *name, int64_t channels, int64_t kernel,
                          gt_conv_options options) {
    static const layer l = {"conv2d_layer", 2, false, gt_conv2d};
    return apply(&l, x, name, channels, kernel, options);
}

gt_tensor gt_conv1d_layer(gt_tensor x, const char *name, int64_t channels, int64_t kernel,
                          gt_conv_options options) {
    static const layer l = {"conv1d_layer", 1, false, gt_conv1d};
    return apply(&l, x, name, channels, kernel, options);
}

gt_tensor gt_conv_transpose2d_layer(gt_tensor x, const char *name, int64_t channels, int64_t kernel,
                                    gt_conv_options options) {
    static const layer l = {"conv_transpose2d_layer", 2, true, gt_conv_transpose2d};
    return apply(&l, x, name, channels, kernel, options);
}

gt_tensor gt_conv_transpose1d_layer(gt_tensor x, const char *name, int64_t channels, int64_t kernel,
                                    gt_conv_options options) {
    static const layer l = {"conv_transpose1d_layer", 1, true, gt_conv_transpose1d};
    return apply(&l, x, name, channels, kernel, options);
}

static gt_tensor conv2d_samples(gt_samples *s, int i) {
    gt_conv_options o = {.stride = {2, 1}, .padding = {1, 1}};
    switch (i) {
    case 0: return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 2, 4, 3)), "sample", 3, 3, o);
    case 1:
        o.groups = 2;
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(1, 4, 3, 3)), "sample", 2, 2, o);
    case 2:
        o.no_bias = true;
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 2, 4, 3)), "sample", 3, 3, o);
    case 3:
        gt_sample_bad(s, "has rank 3");
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 4, 4)), "sample", 2, 3, o);
    case 4:
        o.groups = 3;
        gt_sample_bad(s, "4 channels");
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 4, 4, 4)), "sample", 6, 3, o);
    case 5:
        gt_sample_bad(s, "-1 output channels");
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 4, 4, 4)), "sample", -1, 3, o);
    case 6:
        gt_sample_bad(s, "a kernel of 0");
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 4, 4, 4)), "sample", 2, 0, o);
    case 7:
        o.groups = -2;
        gt_sample_bad(s, "-2 groups");
        return gt_conv2d_layer(gt_sample(s, GT_SHAPE(2, 4, 4, 4)), "sample", 2, 3, o);
    default: return gt_samples_end(s);
    }
}

static gt_tensor conv1d_samples(gt_samples *s, int i) {
    gt_conv_options o = {.padding = {2}, .dilation = {2}};
    switch (i) {
    case 0: return gt_conv1d_layer(gt_sample(s, GT_SHAPE(2, 2, 5)), "sample", 3, 3, o);
    case 1:
        o.no_bias = true;
        return gt_conv1d_layer(gt_sample(s, GT_SHAPE(2, 2, 5)), "sample", 3, 3, o);
    case 2:
        gt_sample_bad(s, "has rank 4");
        return gt_conv1d_layer(gt_sample(s, GT_SHAPE(2, 2, 4, 4)), "sample", 2, 3, o);
    default: return gt_samples_end(s);
    }
}

static gt_tensor transpose_samples(gt_samples *s, int i) {
    gt_conv_options o = {.stride = {2, 2}, .output_padding = {1, 0}, .groups = 2};
    switch (i) {
    case 0: return gt_conv_transpose2d_layer(gt_sample(s, GT_SHAPE(2, 2, 2, 3)), "sample", 4, 3, o);
    case 1:
        o.no_bias = true;
        return gt_conv_transpose2d_layer(gt_sample(s, GT_SHAPE(2, 2, 2, 3)), "sample", 4, 3, o);
    case 2:
        gt_sample_bad(s, "3 output channels");
        return gt_conv_transpose2d_layer(gt_sample(s, GT_SHAPE(2, 2, 2, 3)), "sample", 3, 3, o);
    default: return gt_samples_end(s);
    }
}

static gt_tensor transpose1d_samples(gt_samples *s, int i) {
    const gt_conv_options o = {.stride = {3}, .padding = {1}, .output_padding = {2}};
    switch (i) {
    case 0: return gt_conv_transpose1d_layer(gt_sample(s, GT_SHAPE(2, 2, 3)), "sample", 3, 4, o);
    case 1:
        gt_sample_bad(s, "has rank 2");
        return gt_conv_transpose1d_layer(gt_sample(s, GT_SHAPE(2, 2)), "sample", 3, 4, o);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_conv2d = {"conv2d_layer", conv2d_samples};
const gt_composition gt__layer_conv1d = {"conv1d_layer", conv1d_samples};
const gt_composition gt__layer_conv_transpose2d = {"conv_transpose2d_layer", transpose_samples};
const gt_composition gt__layer_conv_transpose1d = {"conv_transpose1d_layer", transpose1d_samples};

/* ---- upsampling ------------------------------------------------------------------------------ */

static bool resizes(const char *who, gt_tensor x, int64_t rows, int64_t columns) {
    char text[320];
    if (!gt__accepts(who, x, "", 4, 4)) return false;
    if (rows >= 1 && columns >= 1 && gt_dim(x, 2) >= 1 && gt_dim(x, 3) >= 1) return true;
    gt_fail(x.tape, "%s: %s to %lldx%lld: an image has one element at least", who,
            gt__named(x, text, sizeof text), (long long)rows, (long long)columns);
    return false;
}

gt_tensor gt_upsample_nearest2d(gt_tensor x, int64_t rows, int64_t columns) {
    const int64_t size[2] = {rows, columns};
    if (!resizes("upsample_nearest2d", x, rows, columns)) return gt__refused(x);
    for (int d = 0; d < 2; d++) {
        const gt_tensor place = gt_arange(x.tape, 0, (double)gt_dim(x, 2 + d), size[d], GT_F64);
        const gt_tensor at = gt_floor(gt_div(place, gt_scalar(x.tape, (double)size[d], GT_F64)));
        x = gt_gather(x, gt_cast(at, GT_I64), 2 + d);
    }
    return x;
}

/* Along one axis: low (1 - t) + high t, between the elements whose centres are next. */
static gt_tensor interpolated(gt_tensor x, int axis, int64_t size) {
    const double n = (double)gt_dim(x, axis), step = n / (double)size;
    const gt_tensor centre = gt_arange(x.tape, step / 2 - 0.5, step, size, GT_F64);
    const gt_tensor place = gt_clamp(centre, 0, n - 1), low = gt_floor(place);
    const gt_tensor high = gt_clamp(gt_add_scalar(low, 1), 0, n - 1);
    gt_tensor t = gt_cast(gt_sub(place, low), gt_dtype_of(x));
    if (axis == 2) t = gt_unsqueeze(t, 1);
    const gt_tensor a = gt_gather(x, gt_cast(low, GT_I64), axis);
    const gt_tensor b = gt_gather(x, gt_cast(high, GT_I64), axis);
    return gt_add(a, gt_mul(t, gt_sub(b, a)));
}

gt_tensor gt_upsample_bilinear2d(gt_tensor x, int64_t rows, int64_t columns) {
    if (!resizes("upsample_bilinear2d", x, rows, columns)) return gt__refused(x);
    return interpolated(interpolated(x, 2, rows), 3, columns);
}

static gt_tensor upsample_samples(gt_samples *s, int i,
                                  gt_tensor (*f)(gt_tensor, int64_t, int64_t)) {
    switch (i) {
    case 0: return f(gt_sample(s, GT_SHAPE(2, 2, 2, 3)), 4, 6);
    case 1: return f(gt_sample(s, GT_SHAPE(1, 2, 3, 2)), 5, 3);
    case 2: return f(gt_sample(s, GT_SHAPE(1, 1, 4, 5)), 2, 1);
    case 3: return f(gt_sample(s, GT_SHAPE(0, 2, 2, 2)), 3, 3);
    case 4: return gt_sample_bad(s, "has rank 3"), f(gt_sample(s, GT_SHAPE(2, 2, 2)), 3, 3);
    case 5: return gt_sample_bad(s, "to 0x3"), f(gt_sample(s, GT_SHAPE(1, 1, 2, 2)), 0, 3);
    default: return gt_samples_end(s);
    }
}
static gt_tensor nearest_samples(gt_samples *s, int i) {
    return upsample_samples(s, i, gt_upsample_nearest2d);
}
static gt_tensor bilinear_samples(gt_samples *s, int i) {
    return upsample_samples(s, i, gt_upsample_bilinear2d);
}

const gt_composition gt__layer_upsample_nearest2d = {"upsample_nearest2d", nearest_samples};
const gt_composition gt__layer_upsample_bilinear2d = {"upsample_bilinear2d", bilinear_samples};
