/* ops/order.c: running sums, sorting and the k largest, along one axis. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

/* An axis splits an array into outer x n x inner. */
typedef struct split {
    int axis;
    int64_t outer, n, inner;
} split;

static split split_at(gt_shape shape, int axis) {
    split s = {axis < 0 ? axis + shape.rank : axis, 1, 1, 1};
    for (int d = 0; d < shape.rank; d++)
        *(d < s.axis ? &s.outer : d == s.axis ? &s.n : &s.inner) *= shape.dim[d];
    return s;
}

static bool fail_kind(const gt_call *call) {
    return gt_call_fail(call, "not defined for %s, the kind of %s",
                        gt_dtype_name(call->in[0].dtype), gt_operand(call, 0));
}

/* ---- cumsum ---------------------------------------------------------------------------------- */

static bool cumsum_shape(gt_call *call) {
    const gt_array *in = &call->in[0];
    if (in->dtype == GT_BF16) return fail_kind(call);
    call->out[0].shape = in->shape;
    call->out[0].dtype = gt_dtype_is_float(in->dtype) ? in->dtype : GT_I64;
    return gt__axis(call, *(const int *)call->attr, in->shape.rank) >= 0;
}

/* One after the other; the sum of floats runs in f64 and is rounded for each result. A lone line keeps
 * its sum in a register. */
#define RUNNING(name, T, S, R)                                                                     \
    static void name(R *y, const T *x, S *sum, split s) {                                          \
        for (int64_t o = 0; o < s.outer && s.inner == 1; o++, x += s.n, y += s.n) {                \
            S total = 0;                                                                           \
            for (int64_t i = 0; i < s.n; i++) y[i] = (R)(total += (S)x[i]);                        \
        }                                                                                          \
        for (int64_t o = 0; o < s.outer && s.inner > 1; o++) {                                     \
            memset(sum, 0, (size_t)s.inner * sizeof *sum);                                         \
            for (int64_t i = 0; i < s.n; i++, x += s.inner, y += s.inner)                          \
                for (int64_t j = 0; j < s.inner; j++) y[j] = (R)(sum[j] += (S)x[j]);               \
        }                                                                                          \
    }
RUNNING(running_f32, float, double, float)
RUNNING(running_f64, double, double, double)
RUNNING(running_i32, int32_t, int64_t, int64_t)
RUNNING(running_i64, int64_t, int64_t, int64_t)
RUNNING(running_bool, unsigned char, int64_t, int64_t)

static bool cumsum_kernel(gt_call *call) {
    const gt_array *in = &call->in[0];
    const split s = split_at(in->shape, *(const int *)call->attr);
    void *y = call->out[0].data, *sum = gt_scratch(call, (size_t)s.inner * sizeof(double));
    if (!sum) return false;
    switch (in->dtype) {
    case GT_F32: running_f32(y, in->data, sum, s); break;
    case GT_F64: running_f64(y, in->data, sum, s); break;
    case GT_I32: running_i32(y, in->data, sum, s); break;
    case GT_I64: running_i64(y, in->data, sum, s); break;
    default: running_bool(y, in->data, sum, s); break;
    }
    return true;
}

/* An element is in every sum from its place on. */
static bool cumsum_pull(gt_pull *pull) {
    const int axis = *(const int *)pull->attr;
    const gt_axes axes = GT_AXES(axis);
    pull->gx[0] = gt_flip(gt_cumsum(gt_flip(pull->up[0], axes), axis), axes);
    return true;
}

static gt_tensor cumsum_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_cumsum(gt_sample(s, GT_SHAPE(6)), 0);
    case 1: return gt_cumsum(gt_sample(s, GT_SHAPE(3, 4)), 0);
    case 2: return gt_cumsum(gt_sample(s, GT_SHAPE(3, 4)), -1);
    case 3: return gt_cumsum(gt_sample(s, GT_SHAPE(2, 3, 2, 2)), 1);
    case 4: return gt_cumsum(gt_sample(s, GT_SHAPE(300)), 0);
    case 5: return gt_cumsum(gt_sample(s, GT_SHAPE(0, 3)), 0);
    case 6:
        gt_sample_no_gradient(s);
        return gt_cumsum(gt_sample_int(s, GT_SHAPE(3, 4), GT_BOOL, 2), 1);
    case 7: return gt_sample_bad(s, "no axis 1"), gt_cumsum(gt_sample(s, GT_SHAPE(3)), 1);
    case 8: return gt_sample_bad(s, "no axis 0"), gt_cumsum(gt_sample(s, GT_SCALAR), 0);
    case 9:
        gt_sample_bad(s, "not defined for bf16");
        return gt_cumsum(gt_cast(gt_sample(s, GT_SHAPE(3)), GT_BF16), 0);
    default: return gt_samples_end(s);
    }
}

static bool cumsum_emit(gt_emitter *e, const gt_call *call) {
    const gt_dtype in = call->in[0].dtype, out = call->out[0].dtype;
    const split s = split_at(call->in[0].shape, *(const int *)call->attr);
    const int64_t size[3] = {s.outer, s.inner, s.n}, at[3] = {s.n * s.inner, 1, s.inner};
    const char *wide = gt_dtype_is_float(in) ? "double" : "long long";
    gt_emit_loops(e, 0, 2, size);
    gt_emit(e, "%s sum = 0;", wide);
    gt_emit_loops(e, 2, 1, &size[2]);
    gt_emit(e, "sum += (%s)%s[%s];", wide, gt_emit_in(e, 0), gt_emit_index(e, 3, at));
    gt_emit(e, "%s[%s] = (%s)sum;", gt_emit_out(e, 0), gt_emit_index(e, 3, at), gt_emit_type(out));
    gt_emit_end(e, 3);
    return true;
}

const gt_op gt__op_cumsum =
    GT_OP("cumsum", cumsum_shape, cumsum_kernel, GT_PULL(cumsum_pull), cumsum_samples, .linear = 1,
          .emit = cumsum_emit, .meaning = "running sums of x along an axis");

gt_tensor gt_cumsum(gt_tensor x, int axis) {
    return gt_record(x.tape, &gt__op_cumsum, &x, 1, &axis, sizeof axis, NULL, 0);
}

/* ---- sort and topk: kernels ------------------------------------------------------------------ */

/* The attribute of both: the first k in order, all of them when k < 0. */
typedef struct ordering {
    int64_t k;
    int axis;
    int descending;
} ordering;

/* One line of n elements, `stride` apart, of which the first k are asked for. */
typedef struct line {
    int64_t n, k, stride;
    int64_t room; /* candidates held at a time: n, or 2k when that is less */
    bool descending;
} line;

#define T float
#define NAME(x) x##_f32
#define IS_NAN(v) ((v) != (v))
#include "ops/order_kernel.h"
#define T double
#define NAME(x) x##_f64
#define IS_NAN(v) ((v) != (v))
#include "ops/order_kernel.h"
#define T int32_t
#define NAME(x) x##_i32
#define IS_NAN(v) false
#include "ops/order_kernel.h"
#define T int64_t
#define NAME(x) x##_i64
#define IS_NAN(v) false
#include "ops/order_kernel.h"

static bool order_shape(gt_call *call) {
    const gt_array *in = &call->in[0];
    const ordering *o = call->attr;
    const int axis = gt__axis(call, o->axis, in->shape.rank);
    if (axis < 0) return false;
    if (in->dtype == GT_BF16 || in->dtype == GT_BOOL) return fail_kind(call);
    call->n_out = 2;
    call->out[0].shape = call->out[1].shape = in->shape;
    call->out[0].dtype = in->dtype;
    call->out[1].dtype = GT_I64;
    if (o->k < 0) return true;
    if (o->k > in->shape.dim[axis])
        return gt_call_fail(call, "the %lld largest of axis %d of %s, which has %lld elements",
                            (long long)o->k, axis, gt_operand(call, 0),
                            (long long)in->shape.dim[axis]);
    call->out[0].shape.dim[axis] = call->out[1].shape.dim[axis] = o->k;
    return true;
}

static bool order_kernel(gt_call *call) {
    const gt_array *in = &call->in[0];
    const ordering *o = call->attr;
    const split s = split_at(in->shape, o->axis);
    const size_t size = gt_dtype_size(in->dtype);
    line l = {.n = s.n, .k = o->k < 0 ? s.n : o->k, .stride = s.inner, .descending = o->descending};
    l.room = l.k < l.n / 2 ? 2 * l.k : l.n;
    void *work = gt_scratch(call, 2 * (size_t)l.room * sizeof(item_f64));
    if (!work) return false;
    for (int64_t i = 0; i < s.outer * s.inner; i++) {
        const int64_t outer = i / s.inner, inner = i % s.inner;
        const int64_t to = outer * l.k * s.inner + inner;
        const char *x = (const char *)in->data + (size_t)(outer * s.n * s.inner + inner) * size;
        char *y = (char *)call->out[0].data + (size_t)to * size;
        int64_t *indices = (int64_t *)call->out[1].data + to;
        switch (in->dtype) {
        case GT_F32: first_of_f32(&l, x, y, indices, work); break;
        case GT_F64: first_of_f64(&l, x, y, indices, work); break;
        case GT_I32: first_of_i32(&l, x, y, indices, work); break;
        default: first_of_i64(&l, x, y, indices, work); break;
        }
    }
    return true;
}

/* Upstream goes back to where the elements came from. */
static bool order_pull(gt_pull *pull) {
    if (gt_is_none(pull->up[0])) return true;
    const ordering *o = pull->attr;
    const split s = split_at(gt_shape_of(pull->in[0]), o->axis);
    pull->gx[0] = gt__scatter_along(pull->up[0], pull->out[1], s.axis, s.n);
    return true;
}

static gt_tensor record_order(const gt_op *op, gt_tensor x, int64_t k, int axis, bool descending) {
    ordering o;
    memset(&o, 0, sizeof o);
    o.k = k;
    o.axis = axis;
    o.descending = descending;
    return gt_record(x.tape, op, &x, 1, &o, sizeof o, NULL, 0);
}

/* ---- sort and topk: the operations ----------------------------------------------------------- */

static gt_tensor sort_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_sort(gt_sample_distinct(s, GT_SHAPE(7)), 0, false);
    case 1: return gt_sort(gt_sample_distinct(s, GT_SHAPE(3, 4)), 0, true);
    case 2: return gt_sort(gt_sample_distinct(s, GT_SHAPE(3, 4)), -1, false);
    case 3: return gt_sort(gt_sample_distinct(s, GT_SHAPE(2, 3, 2, 2)), 1, true);
    case 4: return gt_sort(gt_sample_distinct(s, GT_SHAPE(0, 3)), 1, false);
    case 5: return gt_sort(gt_sample_distinct(s, GT_SHAPE(3, 0)), 1, false);
    case 6:
        gt_sample_no_gradient(s);
        return gt_sort(gt_sample_int(s, GT_SHAPE(40), GT_I32, 5), 0, true);
    case 7:
        gt_sample_no_gradient(s);
        return gt_out(gt_sort(gt_sample_int(s, GT_SHAPE(3, 9), GT_I64, 5), -1, false), 1);
    case 8: return gt_sample_bad(s, "no axis 1"), gt_sort(gt_sample(s, GT_SHAPE(3)), 1, false);
    case 9:
        gt_sample_bad(s, "not defined for bool");
        return gt_sort(gt_sample_int(s, GT_SHAPE(3), GT_BOOL, 2), 0, false);
    default: return gt_samples_end(s);
    }
}

static gt_tensor topk_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_topk(gt_sample_distinct(s, GT_SHAPE(7)), 3, 0);
    case 1: return gt_topk(gt_sample_distinct(s, GT_SHAPE(3, 4)), 2, 0);
    case 2: return gt_topk(gt_sample_distinct(s, GT_SHAPE(3, 4)), 4, -1);
    case 3: return gt_topk(gt_sample_distinct(s, GT_SHAPE(2, 3, 2, 2)), 1, 1);
    case 4: return gt_topk(gt_sample_distinct(s, GT_SHAPE(2, 90)), 5, 1);
    case 5: return gt_topk(gt_sample_distinct(s, GT_SHAPE(2, 3)), 0, 1);
    case 6:
        gt_sample_no_gradient(s);
        return gt_out(gt_topk(gt_sample_int(s, GT_SHAPE(60), GT_I32, 5), 20, 0), 1);
    case 7:
        gt_sample_bad(s, "the 4 largest of axis 0");
        return gt_topk(gt_sample(s, GT_SHAPE(3)), 4, 0);
    case 8: return gt_sample_bad(s, "no axis -2"), gt_topk(gt_sample(s, GT_SHAPE(3)), 1, -2);
    case 9: return gt_sample_bad(s, "k is negative"), gt_topk(gt_sample(s, GT_SHAPE(3)), -1, 0);
    default: return gt_samples_end(s);
    }
}

/* As order_kernel.h sorts, but indices, all of them. */
static void order_helper(gt_emitter *e, gt_dtype dtype) {
    const char *name = gt_emit_name(e), *kind = gt_dtype_name(dtype), *type = gt_emit_type(dtype);
    const char *or_nan[2] = {"", ""};
    if (gt_dtype_is_float(dtype))
        or_nan[0] = " || (a != a && b == b)", or_nan[1] = " || (b != b && a == a)";
    gt_emit_helper(e,
                   "\nstatic int %s_before_%s(%s a, %s b, int descending) {\n"
                   "    return descending ? a > b%s : a < b%s;\n"
                   "}\n",
                   name, kind, type, type, or_nan[0], or_nan[1]);
    gt_emit_helper(
        e,
        "\nstatic void %s_order_%s(const %s *x, %s *y, long long *index, long long *item, long n, "
        "long k,\n"
        "    long step, int descending) {\n"
        "    long long *spare = item + n;\n"
        "    for (long i = 0; i < n; i++) item[i] = i;\n"
        "    for (long run = 1; run < n; run *= 2) {\n"
        "        long long *const sorted = spare;\n"
        "        for (long start = 0; start < n; start += 2 * run) {\n"
        "            const long middle = start + run < n ? start + run : n;\n"
        "            const long end = middle + run < n ? middle + run : n;\n"
        "            long left = start, right = middle;\n"
        "            for (long i = start; i < end; i++) {\n"
        "                const int turn = left == middle || (right < end &&\n"
        "                    %s_before_%s(x[item[right] * step], x[item[left] * step], "
        "descending));\n"
        "                spare[i] = item[turn ? right++ : left++];\n"
        "            }\n"
        "        }\n"
        "        spare = item;\n"
        "        item = sorted;\n"
        "    }\n"
        "    for (long i = 0; i < k; i++) {\n"
        "        y[i * step] = x[item[i] * step];\n"
        "        index[i * step] = item[i];\n"
        "    }\n"
        "}\n",
        name, kind, type, type, name, kind);
}

static bool order_emit(gt_emitter *e, const gt_call *call) {
    const gt_array *in = &call->in[0];
    const ordering *o = call->attr;
    const split s = split_at(in->shape, o->axis);
    const int64_t k = o->k < 0 ? s.n : o->k, size[2] = {s.outer, s.inner};
    const int64_t from[2] = {s.n * s.inner, 1}, to[2] = {k * s.inner, 1};
    const char *items = gt_emit_scratch(e, GT_I64, 2 * s.n);
    order_helper(e, in->dtype);
    gt_emit_loops(e, 0, 2, size);
    gt_emit(e, "%s_order_%s(%s + (%s), %s + (%s), %s + (%s), %s, %lld, %lld, %lld, %d);",
            gt_emit_name(e), gt_dtype_name(in->dtype), gt_emit_in(e, 0), gt_emit_index(e, 2, from),
            gt_emit_out(e, 0), gt_emit_index(e, 2, to), gt_emit_out(e, 1), gt_emit_index(e, 2, to),
            items, (long long)s.n, (long long)k, (long long)s.inner, o->descending);
    gt_emit_end(e, 2);
    return true;
}

const gt_op gt__op_sort =
    GT_OP("sort", order_shape, order_kernel, GT_PULL(order_pull), sort_samples, .emit = order_emit,
          .meaning = "x in order along an axis, and the indices that order it",
          .domain = "NaN counts as the largest number");
const gt_op gt__op_topk =
    GT_OP("topk", order_shape, order_kernel, GT_PULL(order_pull), topk_samples, .emit = order_emit,
          .meaning = "the k largest elements along an axis, and their indices",
          .domain = "NaN counts as the largest number");

gt_tensor gt_sort(gt_tensor x, int axis, bool descending) {
    return record_order(&gt__op_sort, x, -1, axis, descending);
}

gt_tensor gt_topk(gt_tensor x, int64_t k, int axis) {
    if (gt_valid(x) && k < 0) return gt_fail(x.tape, "topk: k is negative: %lld", (long long)k);
    return record_order(&gt__op_topk, x, k, axis, true);
}
