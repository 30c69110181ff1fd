/* ops/pooling.c: the largest or the mean element of each window of an image.
 *
 * A window is a range of rows and one of columns. Ranges come from a rule (a grid, equal shares, or
 * random ones); the loops know only ranges. The gradient of a mean is its transpose, and that of a
 * largest element goes to its place, which max_pool gives as a second result: both are linear
 * operations of their own, each the gradient of its counterpart, to any order. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "graph/threads.h"
#include "graph/wide.h"
#include "ops/ops.h"
#include "ops/pooling_emit.h"
#include "ops/rows.h"
#include "ops/unroll.h"

/* Rows or columns of one window, those beyond the image cut off; count is what a mean divides by.
 * From it on so many are alike: of one length, and each as far from the next. */
typedef struct range {
    int64_t first, end, count, alike;
} range;

enum {
    TOGETHER = 64, /* alike windows that are gone over at once, */
    WHOLE = 8,     /* by so many, if the plane has them */
    VECTOR_BYTES = 32,
    WORTH_THREADS = 1 << 15, /* elements of the images */
};

/* The windows over a plane of `size`: made[0] x made[1] of them. */
typedef struct grid {
    int64_t size[2], made[2];
    range *range[2];
} grid;

/* n windows, the last element of the first of them at `last`, or some more that make whole vectors. */
static inline int64_t in_vectors(const grid *g, int64_t n, int64_t last, int64_t step) {
    const int64_t more = (n + WHOLE - 1) / WHOLE * WHOLE;
    return last + (more - 1) * step < g->size[0] * g->size[1] ? more : n;
}

typedef struct kernels {
    void (*largest)(const grid *g, const void *from, void *to, int64_t *place);
    void (*mean)(const grid *g, const void *from, void *to);
    void (*spread)(const grid *g, const void *from, void *to);
    void (*take)(const void *from, void *to, const int64_t *place, int64_t n);
    void (*put)(const void *from, void *to, const int64_t *place, int64_t n);
} kernels;

#define REAL float
#define PLACE int32_t
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#define NAME(x) x##_f32
#include "ops/pooling_kernel.h"

#define REAL double
#define PLACE int64_t
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#define NAME(x) x##_f64
#include "ops/pooling_kernel.h"

static const kernels *loops_of(gt_dtype dtype) { return dtype == GT_F32 ? &loops_f32 : &loops_f64; }

/* ---- windows --------------------------------------------------------------------------------- */

typedef enum rule { GRID, SHARES, RANDOM } rule;

/* The attributes of all of them. */
typedef struct setting {
    int64_t rule;
    int64_t kernel[2], stride[2], padding[2]; /* GRID */
    int64_t made[2];                          /* SHARES and RANDOM: how many windows */
    int64_t flag;                             /* GRID: padding counts; RANDOM: windows overlap */
    int64_t size[2];                          /* of the image, where no operand tells */
} setting;

/* Larger options are mistakes; sums of a few such numbers do not overflow. */
#define LARGEST (INT64_C(1) << 40)

static range grid_range(const setting *s, int axis, int64_t n, int64_t i) {
    const int64_t first = i * s->stride[axis] - s->padding[axis], end = first + s->kernel[axis];
    const range r = {first < 0 ? 0 : first, end > n ? n : end, s->kernel[axis], 1};
    return s->flag ? r : (range){r.first, r.end, r.end - r.first, 1};
}

/* floor(i n / made) to ceil((i + 1) n / made), without the product. */
static range share_range(int64_t made, int64_t n, int64_t i) {
    const int64_t each = n / made, rest = n % made;
    const int64_t first = i * each + i * rest / made, last = (i + 1) * rest;
    const int64_t end = (i + 1) * each + last / made + (last % made != 0);
    return (range){first, end, end - first, 1};
}

/* Graham's sequence: ceil(n / made (i + u)), from 0 on. Where rounding moves one of its steps the
 * next makes up for it, and each is still 1 at least, since u is cut to few bits. */
static int64_t random_edge(int64_t made, int64_t n, double u, int64_t i) {
    const double step = (double)n / (double)made;
    return i == made ? n : (int64_t)(ceil(step * ((double)i + u)) - ceil(step * u));
}

static range random_range(const setting *s, int axis, int64_t n, double u, int64_t i) {
    const int64_t first = random_edge(s->made[axis], n, u, i);
    const int64_t next = random_edge(s->made[axis], n, u, i + 1);
    const int64_t end = s->flag && next < n ? next + 1 : next;
    return (range){first, end, end - first, 1};
}

static bool positive(const gt_call *call, const char *what, const int64_t value[2], int64_t most) {
    for (int d = 0; d < 2; d++)
        if (value[d] < 1 || value[d] > most)
            return gt_call_fail(call, "%s %lld of axis %d is out of range", what,
                                (long long)value[d], d + 2);
    return true;
}

static bool grid_fits(const gt_call *call, const setting *s, const int64_t size[2],
                      int64_t made[2]) {
    if (!positive(call, "kernel", s->kernel, LARGEST)) return false;
    if (!positive(call, "stride", s->stride, LARGEST)) return false;
    for (int d = 0; d < 2; d++) {
        const int64_t k = s->kernel[d], p = s->padding[d];
        if (p < 0 || p >= k)
            return gt_call_fail(call, "padding %lld of axis %d: 0 to %lld for a kernel of %lld",
                                (long long)p, d + 2, (long long)k - 1, (long long)k);
        if (size[d] > LARGEST || size[d] + 2 * p < k)
            return gt_call_fail(call, "a kernel of %lld does not fit in axis %d of %s",
                                (long long)k, d + 2, gt_operand(call, 0));
        made[d] = (size[d] + 2 * p - k) / s->stride[d] + 1;
    }
    return true;
}

/* How many windows there are over an image of this size. */
static bool windows_fit(const gt_call *call, const setting *s, const int64_t size[2],
                        int64_t made[2]) {
    for (int d = 0; d < 2; d++)
        if (size[d] < 1)
            return gt_call_fail(call, "axis %d of %s is 0: a window needs an element", d + 2,
                                gt_operand(call, 0));
    if (s->rule == GRID) return grid_fits(call, s, size, made);
    if (!positive(call, "size", s->made, LARGEST / 1024)) return false;
    for (int d = 0; d < 2; d++) {
        if (s->rule == RANDOM && s->made[d] > size[d])
            return gt_call_fail(call, "size %lld of axis %d is more than %s has",
                                (long long)s->made[d], d + 2, gt_operand(call, 0));
        made[d] = s->made[d];
    }
    return true;
}

/* Room for the windows. False when memory is short. */
static bool lay(const gt_call *call, const int64_t size[2], const int64_t made[2], grid *g) {
    for (int d = 0; d < 2; d++) {
        g->size[d] = size[d];
        g->made[d] = made[d];
        g->range[d] = gt_scratch(call, (size_t)made[d] * sizeof(range));
        if (!g->range[d]) return false;
    }
    return true;
}

static void count_alike(range *r, int64_t n) {
    for (int64_t i = n - 1; i-- > 0;) {
        const bool long_as = r[i].end - r[i].first == r[i + 1].end - r[i + 1].first;
        const bool far_as =
            r[i + 1].alike == 1 || r[i + 1].first - r[i].first == r[i + 2].first - r[i + 1].first;
        if (long_as && far_as) r[i].alike = r[i + 1].alike + 1;
    }
}

/* Sets the windows of an image: random ones depend on which. */
static void draw_windows(const gt_call *call, int64_t image, grid *g) {
    const setting *s = call->attr;
    for (int d = 0; d < 2; d++) {
        double u = 0;
        if (s->rule == RANDOM)
            u = gt_uniform(call->seed, (uint64_t)call->arg[0].integer, (uint64_t)(2 * image + d));
        u = floor(u * 0x1p20) * 0x1p-20;
        for (int64_t i = 0; i < g->made[d]; i++)
            g->range[d][i] = s->rule == GRID     ? grid_range(s, d, g->size[d], i)
                             : s->rule == SHARES ? share_range(g->made[d], g->size[d], i)
                                                 : random_range(s, d, g->size[d], u, i);
        count_alike(g->range[d], g->made[d]);
    }
}

/* ---- what the operations share --------------------------------------------------------------- */

static bool is_image(const gt_call *call, int k) {
    const gt_array *x = &call->in[k];
    if (x->shape.rank != 4)
        return gt_call_fail(call, "%s has rank %d: [n, channels, height, width] is needed",
                            gt_operand(call, k), x->shape.rank);
    if (x->dtype != GT_F32 && x->dtype != GT_F64)
        return gt_call_fail(call, "%s is %s: f32 or f64 is needed", gt_operand(call, k),
                            gt_dtype_name(x->dtype));
    return true;
}

static gt_shape with_size(gt_shape shape, const int64_t size[2]) {
    return GT_SHAPE(shape.dim[0], shape.dim[1], size[0], size[1]);
}

/* The result has one element for each window of the operand. */
static bool pooled_shape(gt_call *call) {
    const gt_array *x = &call->in[0];
    int64_t made[2] = {0};
    if (!is_image(call, 0) || !windows_fit(call, call->attr, &x->shape.dim[2], made)) return false;
    call->out[0].shape = with_size(x->shape, made);
    call->out[0].dtype = x->dtype;
    return true;
}

static int64_t plane_size(const gt_array *x) { return x->shape.dim[2] * x->shape.dim[3]; }
static size_t plane_bytes(const gt_array *x) {
    return (size_t)plane_size(x) * gt_dtype_size(x->dtype);
}
static const void *plane_in(const gt_array *x, int64_t plane) {
    return (const char *)x->data + (size_t)plane * plane_bytes(x);
}
static void *plane_of(const gt_array *x, int64_t plane) {
    return (char *)x->data + (size_t)plane * plane_bytes(x);
}

static gt_tensor record(const gt_op *op, gt_tensor x, const setting *s) {
    return gt_record(x.tape, op, &x, 1, s, sizeof *s, NULL, 0);
}

/* The same operation's attributes for a known image. */
static setting sized(const setting *s, gt_tensor image) {
    setting own = *s;
    for (int d = 0; d < 2; d++) own.size[d] = gt_dim(image, 2 + d);
    return own;
}

static setting grid_setting(gt_pool_options options) {
    setting s;
    memset(&s, 0, sizeof s); /* padding is part of the plan's key */
    s.rule = GRID;
    s.flag = options.count_padding;
    for (int d = 0; d < 2; d++) {
        s.kernel[d] = options.kernel[d];
        s.stride[d] = options.stride[d] ? options.stride[d] : options.kernel[d];
        s.padding[d] = options.padding[d];
    }
    return s;
}

static setting count_setting(rule by, int64_t rows, int64_t columns, bool flag) {
    setting s;
    memset(&s, 0, sizeof s); /* padding is part of the plan's key */
    s.rule = by;
    s.made[0] = rows;
    s.made[1] = columns;
    s.flag = flag;
    return s;
}

/* Options that are refused wherever windows are. */
static gt_tensor bad_windows(gt_samples *s, int i, gt_tensor (*f)(gt_tensor, gt_pool_options)) {
    const gt_tensor x = gt_sample(s, i == 1 ? GT_SHAPE(2, 1, 0, 3) : GT_SHAPE(2, 1, 4, 4));
    switch (i) {
    case 0:
        gt_sample_bad(s, "has rank 3");
        return f(gt_sample(s, GT_SHAPE(2, 4, 4)), (gt_pool_options){.kernel = {2, 2}});
    case 1:
        gt_sample_bad(s, "a window needs an element");
        return f(x, (gt_pool_options){.kernel = {2, 2}, .padding = {1, 1}});
    case 2: return gt_sample_bad(s, "kernel 0 of axis 3"), f(x, (gt_pool_options){.kernel = {2}});
    case 3:
        gt_sample_bad(s, "stride -1 of axis 2");
        return f(x, (gt_pool_options){.kernel = {2, 2}, .stride = {-1, 1}});
    case 4:
        gt_sample_bad(s, "padding 2 of axis 3: 0 to 1 for a kernel of 2");
        return f(x, (gt_pool_options){.kernel = {2, 2}, .padding = {0, 2}});
    case 5:
        gt_sample_bad(s, "a kernel of 5 does not fit in axis 2");
        return f(x, (gt_pool_options){.kernel = {5, 2}});
    case 6:
        gt_sample_bad(s, "f32 or f64");
        return f(gt_cast(x, GT_I32), (gt_pool_options){.kernel = {2, 2}});
    default: return gt_samples_end(s);
    }
}

/* ---- planes ---------------------------------------------------------------------------------- */

/* What a kernel goes over plane by plane; an image has as many as there are channels. */
typedef struct planes {
    grid g;
    const kernels *loop;
    const gt_array *from, *to, *index;
    int64_t first;        /* of those that are gone over now */
    int64_t n;            /* elements of a plane of index */
    size_t bytes;         /* of a plane of `to` */
    atomic_bool *strayed; /* set where a plane's index has places that it has not */
} planes;

/* Planes are apart, so that threads may share them, where the images, of which x is a batch, are large. */
static void go_over(planes *p, int64_t n, const gt_array *x, gt__task *task) {
    gt__share(n, gt_numel(x->shape) >= WORTH_THREADS ? gt__threads() : 1, task, p);
}

static int64_t planes_in(const gt_array *x) { return x->shape.dim[0] * x->shape.dim[1]; }

/* ---- max_pool: largest elements, and their places -------------------------------------------- */

static bool max_shape(gt_call *call) {
    const int64_t *size = &call->in[0].shape.dim[2];
    if (!pooled_shape(call)) return false;
    if (size[0] > INT32_MAX / size[1])
        return gt_call_fail(call, "%s: a plane of 2^31 elements or more is too large",
                            gt_operand(call, 0));
    call->n_out = 2;
    call->out[1].shape = call->out[0].shape;
    call->out[1].dtype = GT_I64;
    return true;
}

static void find_largest(const void *of, int64_t i, int thread) {
    const planes *p = of;
    const int64_t plane = p->first + i;
    (void)thread;
    p->loop->largest(&p->g, plane_in(p->from, plane), plane_of(p->to, plane),
                     plane_of(p->index, plane));
}

static bool max_kernel(gt_call *call) {
    const gt_array *x = &call->in[0], *y = &call->out[0];
    planes p = {.loop = loops_of(x->dtype), .from = x, .to = y, .index = &call->out[1]};
    if (!lay(call, &x->shape.dim[2], &y->shape.dim[2], &p.g)) return false;
    const int64_t images = x->shape.dim[0], channels = x->shape.dim[1];
    const int64_t alike = ((const setting *)call->attr)->rule == RANDOM ? 1 : images;
    for (int64_t n = 0; n < images; n += alike) {
        draw_windows(call, n, &p.g);
        p.first = n * channels;
        go_over(&p, alike * channels, x, find_largest);
    }
    return true;
}

/* Random windows are another draw each time: an operation with such cannot be emitted. */
static gt__window window_at(const gt_call *call, int axis, int64_t n, int64_t i) {
    const setting *s = call->attr;
    const range r = s->rule == GRID ? grid_range(s, axis, n, i) : share_range(s->made[axis], n, i);
    return (gt__window){r.first, r.end, r.count};
}

static bool max_emit(gt_emitter *e, const gt_call *call) {
    gt__windows_emit(e, call, GT__LARGEST, &call->in[0].shape.dim[2], &call->out[0].shape.dim[2],
                     window_at);
    return true;
}

static gt_tensor take(gt_tensor x, gt_tensor index);

static bool max_pull(gt_pull *p) {
    const gt_tensor x = p->in[0];
    if (p->wanted[0] && !gt_is_none(p->up[0]))
        p->gx[0] = gt_max_unpool2d(p->up[0], p->out[1], gt_dim(x, 2), gt_dim(x, 3));
    return true;
}

static gt_tensor max_samples(gt_samples *s, int i) {
    const gt_pool_options two = {.kernel = {2, 2}};
    switch (i) {
    case 0: return gt_max_pool2d(gt_sample_distinct(s, GT_SHAPE(2, 2, 4, 6)), two);
    case 1: return gt_max_pool2d(gt_sample_distinct(s, GT_SHAPE(1, 2, 5, 5)), two);
    case 2:
        return gt_max_pool2d(gt_sample_distinct(s, GT_SHAPE(2, 1, 5, 4)),
                             (gt_pool_options){.kernel = {3, 3},
                                               .stride = {2, 1},
                                               .padding = {1, 2}});
    case 3:
        return gt_max_pool2d(gt_sample_distinct(s, GT_SHAPE(1, 1, 3, 4)),
                             (gt_pool_options){.kernel = {1, 2}, .stride = {3, 3}});
    case 4: return gt_max_pool2d(gt_sample(s, GT_SHAPE(0, 2, 4, 4)), two);
    case 5:
        return gt_max_pool2d(gt_transpose(gt_sample_distinct(s, GT_SHAPE(1, 2, 4, 4)), 1, 2), two);
    case 6: return gt_adaptive_max_pool2d(gt_sample_distinct(s, GT_SHAPE(2, 1, 7, 5)), 3, 2);
    case 7: return gt_adaptive_max_pool2d(gt_sample_distinct(s, GT_SHAPE(1, 2, 2, 3)), 4, 3);
    case 8:
        gt_sample_bad(s, "size 0 of axis 2");
        return gt_adaptive_max_pool2d(gt_sample(s, GT_SHAPE(1, 1, 4, 4)), 0, 2);
    case 9:
        gt_sample_bad(s, "too large");
        return gt_max_pool2d(gt_sample(s, GT_SHAPE(0, 1, 65536, 32768)), two);
    default: return bad_windows(s, i - 10, gt_max_pool2d);
    }
}

const gt_op gt__op_max_pool =
    GT_OP("max_pool", max_shape, max_kernel, GT_PULL(max_pull), max_samples, .traits = 0,
          .emit = max_emit, .meaning = "the largest element of each window, and its place");

gt_tensor gt_max_pool2d(gt_tensor x, gt_pool_options options) {
    const setting s = grid_setting(options);
    return record(&gt__op_max_pool, x, &s);
}

gt_tensor gt_adaptive_max_pool2d(gt_tensor x, int64_t rows, int64_t columns) {
    const setting s = count_setting(SHARES, rows, columns, false);
    return record(&gt__op_max_pool, x, &s);
}

static gt_tensor fractional_samples(gt_samples *s, int i) {
    switch (i) {
    case 0:
        return gt_fractional_max_pool2d(gt_sample_distinct(s, GT_SHAPE(2, 2, 7, 5)), 5, 3, false);
    case 1:
        return gt_fractional_max_pool2d(gt_sample_distinct(s, GT_SHAPE(3, 1, 6, 6)), 4, 4, true);
    case 2:
        return gt_fractional_max_pool2d(gt_sample_distinct(s, GT_SHAPE(1, 2, 3, 4)), 3, 1, true);
    case 3: return gt_fractional_max_pool2d(gt_sample(s, GT_SHAPE(0, 1, 3, 3)), 2, 2, false);
    case 4:
        gt_sample_bad(s, "size 5 of axis 3 is more than");
        return gt_fractional_max_pool2d(gt_sample(s, GT_SHAPE(1, 1, 4, 4)), 4, 5, false);
    case 5:
        gt_sample_bad(s, "size 0 of axis 2");
        return gt_fractional_max_pool2d(gt_sample(s, GT_SHAPE(1, 1, 4, 4)), 0, 2, false);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_fractional_max_pool =
    GT_OP("fractional_max_pool", max_shape, max_kernel, GT_PULL(max_pull), fractional_samples,
          .traits = GT_RANDOM,
          .meaning = "the largest element of each random window, and its place");

gt_tensor gt_fractional_max_pool2d(gt_tensor x, int64_t rows, int64_t columns, bool overlapping) {
    const setting s = count_setting(RANDOM, rows, columns, overlapping);
    return record(&gt__op_fractional_max_pool, x, &s);
}

/* ---- max_unpool and max_pool_take: to places and from places --------------------------------- */

static bool is_index(const gt_call *call) {
    const gt_array *index = &call->in[1];
    if (index->dtype != GT_I64)
        return gt_call_fail(call, "index %s is %s: i64 is needed", gt_operand(call, 1),
                            gt_dtype_name(index->dtype));
    return true;
}

static bool unpool_shape(gt_call *call) {
    const setting *s = call->attr;
    if (!is_image(call, 0) || !is_index(call)) return false;
    if (!gt_same_shape(call->in[0].shape, call->in[1].shape))
        return gt_call_fail(call, "%s and its index %s differ in shape", gt_operand(call, 0),
                            gt_operand(call, 1));
    call->out[0].shape = with_size(call->in[0].shape, s->size);
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

/* Without a branch for each. */
GT__WIDE_VECTORS static bool all_below(const int64_t *place, int64_t n, int64_t size) {
    uint64_t above = 0;
    for (int64_t i = 0; i < n; i++) above |= (uint64_t)place[i] >= (uint64_t)size;
    return !above;
}

/* Places of a plane's elements, all of which it has; else NULL, and that is noted. */
static const int64_t *places_in(const planes *p, int64_t plane, int64_t size) {
    const int64_t *place = plane_in(p->index, plane);
    if (all_below(place, p->n, size)) return place;
    atomic_store_explicit(p->strayed, true, memory_order_relaxed);
    return NULL;
}

static bool fail_for_place(const gt_call *call, int64_t size) {
    const gt_array *index = &call->in[1];
    const int64_t *place = index->data;
    while (*place >= 0 && *place < size) place++;
    return gt_call_fail(call, "index %lld in %s is out of range: a plane has %lld elements",
                        (long long)*place, gt_operand(call, 1), (long long)size);
}

static void put_back(const void *of, int64_t i, int thread) {
    const planes *p = of;
    (void)thread;
    const int64_t *place = places_in(p, i, plane_size(p->to));
    if (p->bytes) memset(plane_of(p->to, i), 0, p->bytes);
    if (place) p->loop->put(plane_in(p->from, i), plane_of(p->to, i), place, p->n);
}

static bool unpool_kernel(gt_call *call) {
    const gt_array *index = &call->in[1], *to = &call->out[0];
    atomic_bool strayed = false;
    planes p = {.loop = loops_of(to->dtype), .from = &call->in[0], .to = to, .index = index};
    p.n = plane_size(index);
    p.bytes = plane_bytes(to);
    p.strayed = &strayed;
    go_over(&p, planes_in(to), to, put_back);
    return !strayed || fail_for_place(call, plane_size(to));
}

static bool unpool_pull(gt_pull *p) {
    if (p->wanted[0]) p->gx[0] = take(p->up[0], p->in[1]);
    return true;
}

static gt_tensor places(gt_samples *s, gt_shape shape, int64_t below) {
    return gt_sample_int(s, shape, GT_I64, below);
}

static gt_tensor unpool_samples(gt_samples *s, int i) {
    const gt_shape shape = GT_SHAPE(2, 1, 2, 3);
    const gt_tensor x = gt_sample(s, i == 2 ? GT_SHAPE(0, 2, 2, 2) : shape);
    switch (i) {
    case 0: return gt_max_unpool2d(x, places(s, shape, 20), 4, 5);
    case 1: return gt_max_unpool2d(x, places(s, shape, 2), 1, 2); /* several in one place */
    case 2: return gt_max_unpool2d(x, places(s, GT_SHAPE(0, 2, 2, 2), 2), 3, 3);
    case 3:
        gt_sample_bad(s, "differ in shape");
        return gt_max_unpool2d(x, places(s, GT_SHAPE(2, 1, 3, 2), 9), 3, 3);
    case 4: return gt_sample_bad(s, "i64 is needed"), gt_max_unpool2d(x, x, 3, 3);
    case 5: return gt_sample_bad(s, "is negative"), gt_max_unpool2d(x, places(s, shape, 9), -3, 3);
    case 6: {
        const double outside[12] = {[7] = 9};
        gt_sample_bad(s, "index 9");
        return gt_max_unpool2d(x, gt_sample_values(s, shape, GT_I64, outside), 3, 3);
    }
    default: return gt_samples_end(s);
    }
}

static bool unpool_emit(gt_emitter *e, const gt_call *call) {
    gt__places_emit(e, call, true);
    return true;
}

const gt_op gt__op_max_unpool =
    GT_OP("max_unpool", unpool_shape, unpool_kernel, GT_PULL(unpool_pull), unpool_samples,
          .linear = 1, .integer = 2, .emit = unpool_emit,
          .meaning = "zeros, with x added at places");

gt_tensor gt_max_unpool2d(gt_tensor x, gt_tensor index, int64_t height, int64_t width) {
    const gt_tensor in[2] = {x, index};
    setting s;
    memset(&s, 0, sizeof s); /* padding is part of the plan's key */
    s.size[0] = height;
    s.size[1] = width;
    return gt_record(x.tape, &gt__op_max_unpool, in, 2, &s, sizeof s, NULL, 0);
}

static bool take_shape(gt_call *call) {
    const gt_shape x = call->in[0].shape, index = call->in[1].shape;
    if (!is_image(call, 0) || !is_index(call)) return false;
    if (index.rank != 4 || x.dim[0] != index.dim[0] || x.dim[1] != index.dim[1])
        return gt_call_fail(call, "%s and its index %s differ in images or channels",
                            gt_operand(call, 0), gt_operand(call, 1));
    call->out[0].shape = index;
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

static void take_out(const void *of, int64_t i, int thread) {
    const planes *p = of;
    (void)thread;
    const int64_t *place = places_in(p, i, plane_size(p->from));
    if (place) p->loop->take(plane_in(p->from, i), plane_of(p->to, i), place, p->n);
}

static bool take_kernel(gt_call *call) {
    const gt_array *from = &call->in[0], *index = &call->in[1], *to = &call->out[0];
    atomic_bool strayed = false;
    planes p = {.loop = loops_of(to->dtype), .from = from, .to = to, .index = index};
    p.n = plane_size(index);
    p.strayed = &strayed;
    if (gt_numel(index->shape)) go_over(&p, planes_in(to), from, take_out);
    return !strayed || fail_for_place(call, plane_size(from));
}

static bool take_pull(gt_pull *p) {
    const gt_tensor x = p->in[0];
    if (p->wanted[0]) p->gx[0] = gt_max_unpool2d(p->up[0], p->in[1], gt_dim(x, 2), gt_dim(x, 3));
    return true;
}

static gt_tensor take_samples(gt_samples *s, int i) {
    const gt_shape shape = GT_SHAPE(2, 1, 2, 3);
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 1, 3, 4));
    switch (i) {
    case 0: {
        const double some[12] = {0, 3, 11, 3, 8, 5, 11, 11, 2, 7, 0, 1};
        return take(x, gt_sample_values(s, shape, GT_I64, some));
    }
    case 1: return take(x, places(s, GT_SHAPE(2, 1, 0, 4), 12));
    case 2:
        return gt_sample_bad(s, "differ in images"), take(x, places(s, GT_SHAPE(2, 2, 1, 1), 9));
    case 3: return gt_sample_bad(s, "i64 is needed"), take(x, x);
    case 4: {
        const double outside[12] = {[10] = 12};
        gt_sample_bad(s, "index 12");
        return take(x, gt_sample_values(s, shape, GT_I64, outside));
    }
    default: return gt_samples_end(s);
    }
}

static bool take_emit(gt_emitter *e, const gt_call *call) {
    gt__places_emit(e, call, false);
    return true;
}

const gt_op gt__op_max_pool_take =
    GT_OP("max_pool_take", take_shape, take_kernel, GT_PULL(take_pull), take_samples, .linear = 1,
          .integer = 2, .emit = take_emit, .meaning = "the elements at places");

static gt_tensor take(gt_tensor x, gt_tensor index) {
    const gt_tensor in[2] = {x, index};
    return gt_record(x.tape, &gt__op_max_pool_take, in, 2, NULL, 0, NULL, 0);
}

/* ---- avg_pool and its transpose -------------------------------------------------------------- */

static void take_means(const void *of, int64_t i, int thread) {
    const planes *p = of;
    (void)thread;
    p->loop->mean(&p->g, plane_in(p->from, i), plane_of(p->to, i));
}

static bool mean_kernel(gt_call *call) {
    const gt_array *x = &call->in[0], *y = &call->out[0];
    planes p = {.loop = loops_of(x->dtype), .from = x, .to = y};
    if (!lay(call, &x->shape.dim[2], &y->shape.dim[2], &p.g)) return false;
    draw_windows(call, 0, &p.g);
    go_over(&p, planes_in(x), x, take_means);
    return true;
}

static gt_tensor spread(gt_tensor g, const setting *s);

static bool mean_pull(gt_pull *p) {
    const setting s = sized(p->attr, p->in[0]);
    if (p->wanted[0]) p->gx[0] = spread(p->up[0], &s);
    return true;
}

static gt_tensor mean_samples(gt_samples *s, int i) {
    gt_pool_options o = {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}};
    switch (i) {
    case 0: return gt_avg_pool2d(gt_sample(s, GT_SHAPE(2, 2, 5, 4)), o);
    case 1: o.count_padding = true; return gt_avg_pool2d(gt_sample(s, GT_SHAPE(2, 2, 5, 4)), o);
    case 2:
        return gt_avg_pool2d(gt_sample(s, GT_SHAPE(1, 2, 5, 5)),
                             (gt_pool_options){.kernel = {2, 2}});
    case 3: return gt_avg_pool2d(gt_sample(s, GT_SHAPE(2, 0, 5, 5)), o);
    case 4: return gt_adaptive_avg_pool2d(gt_sample(s, GT_SHAPE(2, 1, 7, 5)), 3, 2);
    case 5: return gt_adaptive_avg_pool2d(gt_sample(s, GT_SHAPE(1, 2, 2, 3)), 4, 3);
    case 6: return gt_adaptive_avg_pool2d(gt_sample(s, GT_SHAPE(1, 2, 4, 3)), 1, 1);
    case 7:
        gt_sample_bad(s, "size 0 of axis 3");
        return gt_adaptive_avg_pool2d(gt_sample(s, GT_SHAPE(1, 1, 4, 4)), 2, 0);
    default: return bad_windows(s, i - 8, gt_avg_pool2d);
    }
}

static bool mean_emit(gt_emitter *e, const gt_call *call) {
    gt__windows_emit(e, call, GT__MEAN, &call->in[0].shape.dim[2], &call->out[0].shape.dim[2],
                     window_at);
    return true;
}

const gt_op gt__op_avg_pool =
    GT_OP("avg_pool", pooled_shape, mean_kernel, GT_PULL(mean_pull), mean_samples, .linear = 1,
          .emit = mean_emit, .meaning = "the mean of each window");

gt_tensor gt_avg_pool2d(gt_tensor x, gt_pool_options options) {
    const setting s = grid_setting(options);
    return record(&gt__op_avg_pool, x, &s);
}

gt_tensor gt_adaptive_avg_pool2d(gt_tensor x, int64_t rows, int64_t columns) {
    const setting s = count_setting(SHARES, rows, columns, false);
    return record(&gt__op_avg_pool, x, &s);
}

static bool spread_shape(gt_call *call) {
    const setting *s = call->attr;
    const gt_shape y = call->in[0].shape;
    int64_t made[2] = {0};
    if (!is_image(call, 0) || !windows_fit(call, s, s->size, made)) return false;
    if (y.dim[2] != made[0] || y.dim[3] != made[1])
        return gt_call_fail(call, "%s has not the %lldx%lld windows of an image of %lldx%lld",
                            gt_operand(call, 0), (long long)made[0], (long long)made[1],
                            (long long)s->size[0], (long long)s->size[1]);
    call->out[0].shape = with_size(y, s->size);
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

static void spread_means(const void *of, int64_t i, int thread) {
    const planes *p = of;
    (void)thread;
    if (p->bytes) memset(plane_of(p->to, i), 0, p->bytes);
    p->loop->spread(&p->g, plane_in(p->from, i), plane_of(p->to, i));
}

static bool spread_kernel(gt_call *call) {
    const gt_array *y = &call->in[0], *x = &call->out[0];
    planes p = {.loop = loops_of(x->dtype), .from = y, .to = x};
    p.bytes = plane_bytes(x);
    if (!lay(call, &x->shape.dim[2], &y->shape.dim[2], &p.g)) return false;
    draw_windows(call, 0, &p.g);
    go_over(&p, planes_in(x), x, spread_means);
    return true;
}

static bool spread_pull(gt_pull *p) {
    setting own = *(const setting *)p->attr;
    own.size[0] = own.size[1] = 0; /* the operand tells */
    if (p->wanted[0]) p->gx[0] = record(&gt__op_avg_pool, p->up[0], &own);
    return true;
}

static gt_tensor spread_samples(gt_samples *s, int i) {
    setting windows =
        grid_setting((gt_pool_options){.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 1}});
    setting shares = count_setting(SHARES, 3, 2, false);
    windows.size[0] = shares.size[0] = 5;
    windows.size[1] = shares.size[1] = 4;
    switch (i) {
    case 0: return spread(gt_sample(s, GT_SHAPE(2, 2, 3, 5)), &windows);
    case 1: windows.flag = 1; return spread(gt_sample(s, GT_SHAPE(1, 2, 3, 5)), &windows);
    case 2: return spread(gt_sample(s, GT_SHAPE(2, 2, 3, 2)), &shares);
    case 3: return spread(gt_sample(s, GT_SHAPE(0, 2, 3, 2)), &shares);
    case 4:
        return gt_sample_bad(s, "3x5 windows"),
               spread(gt_sample(s, GT_SHAPE(2, 2, 3, 4)), &windows);
    default: return gt_samples_end(s);
    }
}

static bool spread_emit(gt_emitter *e, const gt_call *call) {
    gt__windows_emit(e, call, GT__SPREAD, &call->out[0].shape.dim[2], &call->in[0].shape.dim[2],
                     window_at);
    return true;
}

const gt_op gt__op_avg_pool_input =
    GT_OP("avg_pool_input", spread_shape, spread_kernel, GT_PULL(spread_pull), spread_samples,
          .linear = 1, .emit = spread_emit,
          .meaning = "each element's share, added to all of its window");

static gt_tensor spread(gt_tensor g, const setting *s) {
    return record(&gt__op_avg_pool_input, g, s);
}
