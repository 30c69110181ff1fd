/* ops/conv.c: convolution, and the two operations that its gradient is made of.
 *
 * The sum over all products y x w is linear in each of the three. conv gives what y multiplies,
 * conv_input what x multiplies (a transposed convolution), conv_weight what w multiplies; so the
 * gradient of each is made of the other two, to any order. All three know the sizes of all three
 * tensors: what their operands do not tell is in their attributes. */
#include "ops/conv.h"

#include <string.h>

#include "ops/bf16.h"
#include "ops/ops.h"
#include "ops/rows.h"

/* Pairs are of rows and columns; a 1-D convolution has one row. */
typedef struct setting {
    int64_t axes; /* 1 or 2 */
    int64_t stride[2], padding[2], dilation[2], groups;
    int64_t size[2]; /* conv_input: of its result; conv_weight: of the kernel */
} setting;

/* Options beyond this are mistakes; sums of a few such numbers do not overflow. */
#define LARGEST (INT64_C(1) << 40)

/* ---- what fits ------------------------------------------------------------------------------- */

static bool is_option(const gt_call *call, const char *what, const int64_t *value, int axes,
                      int64_t lowest) {
    for (int d = 2 - axes; d < 2; d++)
        if (value[d] < lowest || value[d] > LARGEST)
            return gt_call_fail(call, "%s %lld of axis %d is out of range", what,
                                (long long)value[d], d + axes);
    return true;
}

static bool options_fit(const gt_call *call, const setting *s) {
    const int axes = (int)s->axes;
    if (s->groups < 1)
        return gt_call_fail(call, "groups %lld: at least 1 is needed", (long long)s->groups);
    return is_option(call, "stride", s->stride, axes, 1) &&
           is_option(call, "padding", s->padding, axes, 0) &&
           is_option(call, "dilation", s->dilation, axes, 1);
}

enum { IMAGES, WEIGHTS }; /* what an operand is */

/* Both operands have the rank and one kind of floats. */
static bool operands_fit(const gt_call *call, const setting *s, int first, int second) {
    static const char *const needed[2][2] = {[IMAGES] = {"[n, channels, width]",
                                                         "[n, channels, height, width]"},
                                             [WEIGHTS] = {"[out, in / groups, width]",
                                                          "[out, in / groups, height, width]"}};
    const int kind[2] = {first, second};
    for (int k = 0; k < 2; k++) {
        const gt_array *x = &call->in[k];
        if (x->shape.rank != 2 + s->axes)
            return gt_call_fail(call, "%s has rank %d: %s is needed", gt_operand(call, k),
                                x->shape.rank, needed[kind[k]][s->axes - 1]);
        if (!gt_dtype_is_float(x->dtype))
            return gt_call_fail(call, "%s is %s: f32, f64 or bf16 is needed", gt_operand(call, k),
                                gt_dtype_name(x->dtype));
    }
    if (call->in[0].dtype == call->in[1].dtype) return true;
    return gt_call_fail(call, "%s is %s and %s is %s: cast one of them", gt_operand(call, 0),
                        gt_dtype_name(call->in[0].dtype), gt_operand(call, 1),
                        gt_dtype_name(call->in[1].dtype));
}

/* Products of bf16 are summed, and stay, in f32. */
static gt_dtype result_kind(const gt_call *call) {
    return call->in[0].dtype == GT_F64 ? GT_F64 : GT_F32;
}

/* The operands as the arithmetic knows them. */
static bool as_floats(const gt_call *call, gt_array in[2]) {
    for (int k = 0; k < 2; k++) {
        in[k] = call->in[k];
        if (in[k].dtype == GT_BF16 && !gt__bf16_as_floats(call, &in[k])) return false;
    }
    return true;
}

/* Sizes of the last one or two axes as rows and columns. */
static void field_of(gt_shape shape, int64_t size[2]) {
    size[0] = shape.rank == 4 ? shape.dim[2] : 1;
    size[1] = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1; /* a failed operand has rank 0 */
}

static gt_shape with_field(const setting *s, int64_t n, int64_t channels, const int64_t size[2]) {
    return s->axes == 2 ? GT_SHAPE(n, channels, size[0], size[1]) : GT_SHAPE(n, channels, size[1]);
}

typedef struct text {
    char at[64];
} text;

static text field_text(const setting *s, const int64_t size[2]) {
    text t;
    if (s->axes == 2)
        snprintf(t.at, sizeof t.at, "%lldx%lld", (long long)size[0], (long long)size[1]);
    else
        snprintf(t.at, sizeof t.at, "%lld", (long long)size[1]);
    return t;
}

/* The size of y that x and k make. */
static bool field_made(const gt_call *call, const setting *s, const int64_t x[2],
                       const int64_t k[2], int64_t y[2]) {
    for (int d = 0; d < 2; d++) {
        if (k[d] < 1)
            return gt_call_fail(call, "a kernel of %s has no elements", field_text(s, k).at);
        const bool far = k[d] - 1 > LARGEST / s->dilation[d] || x[d] < 0 || x[d] > LARGEST;
        const int64_t room = x[d] + 2 * s->padding[d] - s->dilation[d] * (k[d] - 1) - 1;
        if (far || room < 0)
            return gt_call_fail(
                call, "a kernel of %s with dilation %s does not fit in %s with padding %s",
                field_text(s, k).at, field_text(s, s->dilation).at, field_text(s, x).at,
                field_text(s, s->padding).at);
        y[d] = room / s->stride[d] + 1;
    }
    return true;
}

/* x and k make the y that is operand `at`. */
static bool field_is(const gt_call *call, const setting *s, const int64_t x[2], const int64_t k[2],
                     int at) {
    int64_t made[2] = {0}, y[2];
    if (!field_made(call, s, x, k, made)) return false;
    field_of(call->in[at].shape, y);
    if (made[0] == y[0] && made[1] == y[1]) return true;
    return gt_call_fail(call, "%s by a kernel of %s makes %s, not %s as in %s", field_text(s, x).at,
                        field_text(s, k).at, field_text(s, made).at, field_text(s, y).at,
                        gt_operand(call, at));
}

static gt__conv geometry(const setting *s, const gt_array *x, const gt_array *w, const gt_array *y,
                         gt_dtype dtype) {
    gt__conv c = {.n = x->shape.dim[0],
                  .groups = s->groups,
                  .in = w->shape.dim[1],
                  .out = w->shape.dim[0] / s->groups,
                  .dtype = dtype,
                  .x_last = gt_is_channels_last(x),
                  .y_last = gt_is_channels_last(y)};
    field_of(x->shape, c.x);
    field_of(w->shape, c.k);
    field_of(y->shape, c.y);
    for (int d = 0; d < 2; d++) {
        c.stride[d] = s->stride[d];
        c.padding[d] = s->padding[d];
        c.dilation[d] = s->dilation[d];
    }
    return c;
}

/* ---- conv: x, w to y ------------------------------------------------------------------------- */

static bool divides(const gt_call *call, const setting *s, int64_t channels, int k) {
    if (channels % s->groups == 0) return true;
    return gt_call_fail(call, "%lld channels of %s do not divide into %lld groups",
                        (long long)channels, gt_operand(call, k), (long long)s->groups);
}

static bool conv_shape(gt_call *call) {
    const setting *s = call->attr;
    const gt_shape x = call->in[0].shape, w = call->in[1].shape;
    int64_t of_x[2], of_w[2], of_y[2];
    if (!options_fit(call, s) || !operands_fit(call, s, IMAGES, WEIGHTS)) return false;
    if (!divides(call, s, x.dim[1], 0) || !divides(call, s, w.dim[0], 1)) return false;
    if (x.dim[1] / s->groups != w.dim[1])
        return gt_call_fail(call, "%s has %lld channels in %lld groups, %s takes %lld in each",
                            gt_operand(call, 0), (long long)x.dim[1], (long long)s->groups,
                            gt_operand(call, 1), (long long)w.dim[1]);
    field_of(x, of_x);
    field_of(w, of_w);
    if (!field_made(call, s, of_x, of_w, of_y)) return false;
    call->out[0].shape = with_field(s, x.dim[0], w.dim[0], of_y);
    call->out[0].dtype = result_kind(call);
    return true;
}

static bool conv_kernel(gt_call *call) {
    gt_array in[2];
    const gt_array *x = &in[0], *w = &in[1], *y = &call->out[0];
    if (!as_floats(call, in)) return false;
    const gt__conv c = geometry(call->attr, x, w, y, y->dtype);
    return gt__convolve(call, &c, x->data, w->data, y->data);
}

static bool is_float(const gt_call *call) {
    return call->in[0].dtype != GT_BF16 && call->in[1].dtype != GT_BF16;
}

static bool conv_begin_rows(gt_call *call, gt_rows *rows) {
    const gt_array *x = &call->in[0], *w = &call->in[1], *y = &call->out[0];
    if (!is_float(call)) return true;
    const gt__conv c = geometry(call->attr, x, w, y, y->dtype);
    return gt__convolve_rows(call, &c, GT__MAKES_Y, w->data, x->data, y->data, rows);
}

/* x and y, where they can. */
static gt_order order_of(const gt_call *call, gt__made makes, const gt_array *x, const gt_array *w,
                         const gt_array *y) {
    const gt__conv c = geometry(call->attr, x, w, y, call->out[0].dtype);
    if (!is_float(call) || !gt__convolve_takes_last(&c, makes, call->exact))
        return (gt_order){0, 0};
    return makes == GT__MAKES_W ? (gt_order){3, 0} : (gt_order){1, 1};
}

static gt_order conv_order(const gt_call *call) {
    return order_of(call, GT__MAKES_Y, &call->in[0], &call->in[1], &call->out[0]);
}

static gt_tensor record(const gt_op *op, gt_tensor a, gt_tensor b, const setting *s) {
    const gt_tensor in[2] = {a, b};
    return gt_record(a.tape, op, in, 2, s, sizeof *s, NULL, 0);
}

static gt_tensor record_conv(gt_tensor x, gt_tensor w, const setting *s);
static gt_tensor record_input(gt_tensor y, gt_tensor w, const setting *s, gt_tensor like);
static gt_tensor record_weight(gt_tensor x, gt_tensor y, const setting *s, gt_tensor like);

static bool conv_pull(gt_pull *p) {
    const gt_tensor x = p->in[0], w = p->in[1], g = gt__as_operand(p->up[0], x);
    if (p->wanted[0]) p->gx[0] = record_input(g, w, p->attr, x);
    if (p->wanted[1]) p->gx[1] = record_weight(x, g, p->attr, w);
    return true;
}

static setting set(gt_conv_options options, int axes);

/* A sample's operands and options. */
typedef struct sample {
    gt_shape x, w;
    gt_conv_options options;
    const char *bad; /* NULL: they fit */
} sample;

/* clang-format off */
static const sample samples[] = {
    {{4, {1, 1, 3, 3}}, {4, {1, 1, 2, 2}}, {{0}, {0}, {0}, {0}, 0, false}, NULL},
    {{4, {2, 3, 4, 5}}, {4, {2, 3, 3, 2}}, {{1, 1}, {1, 1}, {1, 1}, {0}, 1, false}, NULL},
    {{4, {2, 2, 5, 6}}, {4, {3, 2, 3, 3}}, {{2, 3}, {1, 2}, {1, 1}, {0}, 1, false}, NULL},
    {{4, {1, 2, 7, 7}}, {4, {2, 2, 2, 3}}, {{2, 1}, {0, 1}, {3, 2}, {0}, 1, false}, NULL},
    {{4, {2, 4, 3, 4}}, {4, {6, 2, 2, 2}}, {{1, 2}, {1, 0}, {1, 1}, {0}, 2, false}, NULL},
    {{4, {2, 3, 4, 4}}, {4, {6, 1, 3, 3}}, {{1, 2}, {1, 1}, {1, 1}, {0}, 3, false}, NULL},
    {{4, {1, 1, 3, 4}}, {4, {6, 1, 2, 2}}, {{1, 1}, {0, 0}, {1, 1}, {0}, 1, false}, NULL},
    {{4, {2, 3, 2, 2}}, {4, {2, 3, 1, 1}}, {{0}, {0}, {0}, {0}, 0, false}, NULL},
    {{4, {1, 2, 8, 8}}, {4, {5, 2, 1, 1}}, {{0}, {0}, {0}, {0}, 0, false}, NULL},
    {{4, {2, 2, 3, 3}}, {4, {2, 2, 3, 3}}, {{1, 1}, {2, 2}, {1, 1}, {0}, 1, false}, NULL},
    {{3, {2, 3, 7}}, {3, {2, 3, 3}}, {{2}, {1}, {2}, {0}, 1, false}, NULL},
    {{3, {2, 4, 5}}, {3, {4, 1, 2}}, {{1}, {1}, {1}, {0}, 4, false}, NULL},
    {{4, {0, 2, 3, 3}}, {4, {2, 2, 2, 2}}, {{0}, {0}, {0}, {0}, 0, false}, NULL},
    {{4, {2, 0, 3, 3}}, {4, {2, 0, 2, 2}}, {{0}, {0}, {0}, {0}, 0, false}, NULL},
    {{4, {1, 1, 1, 2}}, {4, {5, 1, 2, 2}}, {{0}, {1, 1}, {0}, {0}, 0, false}, NULL},
    {{3, {2, 3, 4}}, {4, {2, 3, 2, 2}}, {{0}, {0}, {0}, {0}, 0, false}, "has rank 4"},
    {{4, {1, 3, 4, 4}}, {4, {2, 2, 2, 2}}, {{0}, {0}, {0}, {0}, 0, false}, "takes 2 in each"},
    {{4, {1, 3, 4, 4}}, {4, {2, 1, 2, 2}}, {{0}, {0}, {0}, {0}, 2, false}, "do not divide"},
    {{4, {1, 4, 4, 4}}, {4, {3, 2, 2, 2}}, {{0}, {0}, {0}, {0}, 2, false}, "do not divide"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 3, 5}}, {{0}, {0}, {0}, {0}, 0, false}, "does not fit"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 2, 2}}, {{0}, {0, -1}, {0}, {0}, 0, false}, "padding -1 of axis 3"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 2, 2}}, {{-2, 1}, {0}, {0}, {0}, 0, false}, "stride -2 of axis 2"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 2, 2}}, {{0}, {0}, {INT64_MAX, 1}, {0}, 0, false}, "dilation"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 2, 2}}, {{0}, {0}, {0}, {0}, -3, false}, "groups -3"},
    {{4, {1, 1, 4, 4}}, {4, {1, 1, 0, 2}}, {{0}, {0}, {0}, {0}, 0, false}, "has no elements"},
};
/* clang-format on */
enum { SAMPLES = sizeof samples / sizeof *samples };

static gt_tensor conv_samples(gt_samples *s, int i) {
    if (i < SAMPLES) {
        const sample *from = &samples[i];
        if (from->bad) gt_sample_bad(s, from->bad);
        const gt_tensor x = gt_sample(s, from->x), w = gt_sample(s, from->w);
        return (from->x.rank == 3 ? gt_conv1d : gt_conv2d)(x, w, from->options);
    }
    const gt_dtype other = s->dtype == GT_F64 ? GT_F32 : GT_F64;
    const gt_conv_options plain = {.groups = 1};
    const gt_tensor x = gt_sample(s, GT_SHAPE(1, 1, 3, 3)), w = gt_sample(s, GT_SHAPE(1, 1, 2, 2));
    switch (i - SAMPLES) {
    case 0: return gt_conv2d(gt_transpose(x, 2, 3), gt_flip(w, GT_AXES(-1)), plain);
    case 1: return gt_sample_bad(s, "cast one"), gt_conv2d(x, gt_cast(w, other), plain);
    case 2: return gt_sample_bad(s, "f32, f64 or bf16"), gt_conv2d(gt_cast(x, GT_I32), w, plain);
    default: return gt_samples_end(s);
    }
}

static bool conv_emit(gt_emitter *e, const gt_call *call) {
    const gt__conv c =
        geometry(call->attr, &call->in[0], &call->in[1], &call->out[0], call->out[0].dtype);
    return gt__conv_emit(e, call, &c, GT__MAKES_Y);
}

const gt_op gt__op_conv =
    GT_OP("conv", conv_shape, conv_kernel, GT_PULL(conv_pull), conv_samples, .traits = GT_AUTOCAST,
          .linear = 3, .begin_rows = conv_begin_rows, .order = conv_order, .emit = conv_emit,
          .meaning = "x under a moving window, times w");

static gt_tensor record_conv(gt_tensor x, gt_tensor w, const setting *s) {
    setting own = *s;
    own.size[0] = own.size[1] = 0; /* the operands tell */
    return record(&gt__op_conv, x, w, &own);
}

/* ---- conv_input: y, w to x ------------------------------------------------------------------- */

static bool conv_input_shape(gt_call *call) {
    const setting *s = call->attr;
    const gt_shape y = call->in[0].shape, w = call->in[1].shape;
    int64_t of_w[2];
    if (!options_fit(call, s) || !operands_fit(call, s, IMAGES, WEIGHTS)) return false;
    if (!divides(call, s, y.dim[1], 0)) return false;
    if (y.dim[1] != w.dim[0])
        return gt_call_fail(call, "%s has %lld channels, %s takes %lld", gt_operand(call, 0),
                            (long long)y.dim[1], gt_operand(call, 1), (long long)w.dim[0]);
    field_of(w, of_w);
    if (!field_is(call, s, s->size, of_w, 0)) return false;
    if (w.dim[1] > LARGEST / s->groups)
        return gt_call_fail(call, "%lld groups of %s are too many", (long long)s->groups,
                            gt_operand(call, 1));
    call->out[0].shape = with_field(s, y.dim[0], w.dim[1] * s->groups, s->size);
    call->out[0].dtype = result_kind(call);
    return true;
}

static bool conv_input_kernel(gt_call *call) {
    gt_array in[2];
    const gt_array *y = &in[0], *w = &in[1], *x = &call->out[0];
    if (!as_floats(call, in)) return false;
    const gt__conv c = geometry(call->attr, x, w, y, x->dtype);
    return gt__convolve_input(call, &c, y->data, w->data, x->data);
}

static bool conv_input_begin_rows(gt_call *call, gt_rows *rows) {
    const gt_array *y = &call->in[0], *w = &call->in[1], *x = &call->out[0];
    if (!is_float(call)) return true;
    const gt__conv c = geometry(call->attr, x, w, y, x->dtype);
    return gt__convolve_rows(call, &c, GT__MAKES_X, w->data, x->data, y->data, rows);
}

static gt_order conv_input_order(const gt_call *call) {
    return order_of(call, GT__MAKES_X, &call->out[0], &call->in[1], &call->in[0]);
}

static bool conv_input_pull(gt_pull *p) {
    const gt_tensor y = p->in[0], w = p->in[1], g = gt__as_operand(p->up[0], y);
    if (p->wanted[0]) p->gx[0] = record_conv(g, w, p->attr);
    if (p->wanted[1]) p->gx[1] = record_weight(g, y, p->attr, w);
    return true;
}

/* The same tables: y is drawn in the shape that conv would give it. */
static gt_tensor drawn_result(gt_samples *s, const sample *from, gt_tensor w) {
    int64_t of_x[2], of_w[2], of_y[2] = {1, 1};
    const gt_conv_options *o = &from->options;
    const int axes = from->x.rank - 2;
    field_of(from->x, of_x);
    field_of(from->w, of_w);
    for (int d = 2 - axes; d < 2; d++) {
        const int at = d - (2 - axes);
        const int64_t step = o->dilation[at] ? o->dilation[at] : 1;
        const int64_t room = of_x[d] + 2 * o->padding[at] - step * (of_w[d] - 1) - 1;
        of_y[d] = room / (o->stride[at] ? o->stride[at] : 1) + 1;
    }
    const int64_t n = from->x.dim[0], channels = gt_dim(w, 0);
    return gt_sample(s, axes == 2 ? GT_SHAPE(n, channels, of_y[0], of_y[1])
                                  : GT_SHAPE(n, channels, of_y[1]));
}

static gt_tensor transposed_bad(gt_samples *s, int i) {
    const gt_tensor y = gt_sample(s, GT_SHAPE(1, 4, 3, 3)), w = gt_sample(s, GT_SHAPE(4, 2, 2, 2));
    gt_conv_options o = {.stride = {2, 2}};
    switch (i) {
    case 0:
        o.output_padding[0] = 2;
        return gt_sample_bad(s, "makes 4x3, not 3x3"), gt_conv_transpose2d(y, w, o);
    case 1:
        o.output_padding[1] = -3;
        return gt_sample_bad(s, "not 3x3"), gt_conv_transpose2d(y, w, o);
    case 2: o.padding[0] = 9; return gt_sample_bad(s, "does not fit"), gt_conv_transpose2d(y, w, o);
    case 3: o.groups = 3; return gt_sample_bad(s, "do not divide"), gt_conv_transpose2d(y, w, o);
    case 4: return gt_sample_bad(s, "takes 2"), gt_conv_transpose2d(y, gt_transpose(w, 0, 1), o);
    case 5: return gt_sample_bad(s, "has rank 4"), gt_conv_transpose1d(y, w, o);
    default: return gt_samples_end(s);
    }
}

static gt_tensor conv_input_samples(gt_samples *s, int i) {
    gt_conv_options o = {.stride = {2, 2}, .padding = {1, 0}, .groups = 2};
    int good = 0;
    for (int k = 0; k < SAMPLES; k++) {
        if (samples[k].bad || good++ != i) continue;
        const gt_tensor w = gt_sample(s, samples[k].w), y = drawn_result(s, &samples[k], w);
        const setting own = set(samples[k].options, samples[k].x.rank - 2);
        return record_input(y, w, &own, gt_zeros(s->tape, samples[k].x, s->dtype));
    }
    if (i > good) return transposed_bad(s, i - good - 1);
    o.output_padding[1] = 1;
    return gt_conv_transpose2d(gt_sample(s, GT_SHAPE(2, 4, 2, 3)),
                               gt_sample(s, GT_SHAPE(4, 3, 3, 2)), o);
}

static bool conv_input_emit(gt_emitter *e, const gt_call *call) {
    const gt__conv c =
        geometry(call->attr, &call->out[0], &call->in[1], &call->in[0], call->out[0].dtype);
    return gt__conv_emit(e, call, &c, GT__MAKES_X);
}

const gt_op gt__op_conv_input =
    GT_OP("conv_input", conv_input_shape, conv_input_kernel, GT_PULL(conv_input_pull),
          conv_input_samples, .traits = GT_AUTOCAST, .linear = 3,
          .begin_rows = conv_input_begin_rows, .order = conv_input_order, .emit = conv_input_emit,
          .meaning = "transposed convolution of y by w");

static gt_tensor record_input(gt_tensor y, gt_tensor w, const setting *s, gt_tensor like) {
    setting own = *s;
    field_of(gt_shape_of(like), own.size);
    return record(&gt__op_conv_input, y, w, &own);
}

/* ---- conv_weight: x, y to w ------------------------------------------------------------------ */

static bool conv_weight_shape(gt_call *call) {
    const setting *s = call->attr;
    const gt_shape x = call->in[0].shape, y = call->in[1].shape;
    int64_t of_x[2];
    if (!options_fit(call, s) || !operands_fit(call, s, IMAGES, IMAGES)) return false;
    if (!divides(call, s, x.dim[1], 0) || !divides(call, s, y.dim[1], 1)) return false;
    if (x.dim[0] != y.dim[0])
        return gt_call_fail(call, "%s and %s differ in the number of images", gt_operand(call, 0),
                            gt_operand(call, 1));
    field_of(x, of_x);
    if (!field_is(call, s, of_x, s->size, 1)) return false;
    call->out[0].shape = with_field(s, y.dim[1], x.dim[1] / s->groups, s->size);
    call->out[0].dtype = result_kind(call);
    return true;
}

static bool conv_weight_kernel(gt_call *call) {
    gt_array in[2];
    const gt_array *x = &in[0], *y = &in[1], *w = &call->out[0];
    if (!as_floats(call, in)) return false;
    const gt__conv c = geometry(call->attr, x, w, y, w->dtype);
    return gt__convolve_weight(call, &c, x->data, y->data, w->data);
}

static gt_order conv_weight_order(const gt_call *call) {
    return order_of(call, GT__MAKES_W, &call->in[0], &call->out[0], &call->in[1]);
}

static bool conv_weight_pull(gt_pull *p) {
    const gt_tensor x = p->in[0], y = p->in[1], g = gt__as_operand(p->up[0], x);
    if (p->wanted[0]) p->gx[0] = record_input(y, g, p->attr, x);
    if (p->wanted[1]) p->gx[1] = record_conv(x, g, p->attr);
    return true;
}

static gt_tensor conv_weight_samples(gt_samples *s, int i) {
    int good = 0;
    for (int k = 0; k < SAMPLES; k++) {
        if (samples[k].bad || good++ != i) continue;
        const gt_tensor x = gt_sample(s, samples[k].x);
        const gt_tensor w = gt_zeros(s->tape, samples[k].w, s->dtype);
        const setting own = set(samples[k].options, samples[k].x.rank - 2);
        return record_weight(x, drawn_result(s, &samples[k], w), &own, w);
    }
    const setting own = set((gt_conv_options){.groups = 1}, 2);
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 1, 4, 4));
    const gt_tensor w = gt_zeros(s->tape, GT_SHAPE(1, 1, 2, 2), s->dtype);
    switch (i - good) {
    case 0: return gt_sample_bad(s, "makes 3x3, not 4x4"), record_weight(x, x, &own, w);
    case 1:
        gt_sample_bad(s, "number of images");
        return record_weight(x, gt_sample(s, GT_SHAPE(3, 1, 3, 3)), &own, w);
    default: return gt_samples_end(s);
    }
}

static bool conv_weight_emit(gt_emitter *e, const gt_call *call) {
    const gt__conv c =
        geometry(call->attr, &call->in[0], &call->out[0], &call->in[1], call->out[0].dtype);
    return gt__conv_emit(e, call, &c, GT__MAKES_W);
}

const gt_op gt__op_conv_weight =
    GT_OP("conv_weight", conv_weight_shape, conv_weight_kernel, GT_PULL(conv_weight_pull),
          conv_weight_samples, .traits = GT_AUTOCAST, .linear = 3, .order = conv_weight_order,
          .emit = conv_weight_emit, .meaning = "what each weight meets of x, times y");

static gt_tensor record_weight(gt_tensor x, gt_tensor y, const setting *s, gt_tensor like) {
    setting own = *s;
    field_of(gt_shape_of(like), own.size);
    return record(&gt__op_conv_weight, x, y, &own);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* The options of one axis are those of columns. */
static setting set(gt_conv_options options, int axes) {
    setting s;
    memset(&s, 0, sizeof s); /* padding is part of the plan's key */
    s.axes = axes;
    s.groups = options.groups ? options.groups : 1;
    for (int d = 0; d < 2; d++) {
        const int at = d - (2 - axes);
        s.stride[d] = at >= 0 && options.stride[at] ? options.stride[at] : 1;
        s.dilation[d] = at >= 0 && options.dilation[at] ? options.dilation[at] : 1;
        s.padding[d] = at >= 0 ? options.padding[at] : 0;
    }
    return s;
}

gt_tensor gt_conv2d(gt_tensor x, gt_tensor w, gt_conv_options options) {
    const setting s = set(options, 2);
    return record_conv(x, w, &s);
}

gt_tensor gt_conv1d(gt_tensor x, gt_tensor w, gt_conv_options options) {
    const setting s = set(options, 1);
    return record_conv(x, w, &s);
}

/* The size is that of the smallest x that convolves to y, and what is asked for beyond it. Where
 * numbers are absurd the shape rule says so. */
static gt_tensor transposed(gt_tensor y, gt_tensor w, gt_conv_options options, int axes) {
    setting s = set(options, axes);
    int64_t of_y[2] = {1, 1}, of_w[2] = {1, 1};
    if (gt_rank(y) == 2 + axes) field_of(gt_shape_of(y), of_y);
    if (gt_rank(w) == 2 + axes) field_of(gt_shape_of(w), of_w);
    s.size[0] = 1;
    for (int d = 2 - axes; d < 2; d++)
        s.size[d] = (of_y[d] - 1) * s.stride[d] - 2 * s.padding[d] + s.dilation[d] * (of_w[d] - 1) +
                    1 + options.output_padding[d - (2 - axes)];
    return record(&gt__op_conv_input, y, w, &s);
}

gt_tensor gt_conv_transpose2d(gt_tensor x, gt_tensor w, gt_conv_options options) {
    return transposed(x, w, options, 2);
}

gt_tensor gt_conv_transpose1d(gt_tensor x, gt_tensor w, gt_conv_options options) {
    return transposed(x, w, options, 1);
}
