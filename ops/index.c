/* ops/index.c: gather, scatter_add, take_along_axis, one_hot, and the transposes of the gathers.
 *
 * All of them move rows: row i of a source goes from or to row at[i] of a table. Indices are
 * checked and converted first, so that a bad one is found before anything is written. Where indices
 * repeat, rows are added in the order of the index. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

/* ---- rows ----------------------------------------------------------------------------------- */

/* `outer` blocks: tables of n rows, and sources of count rows, of `inner` elements each. */
typedef struct rows {
    int64_t outer, n, inner, count;
    const int64_t *at;
} rows;

static void take_rows(void *to, const void *from, size_t size, const rows *r) {
    const size_t bytes = (size_t)r->inner * size;
    if (bytes == 0) return;
    char *next = to;
    for (int64_t o = 0; o < r->outer; o++) {
        const char *table = (const char *)from + (size_t)(o * r->n) * bytes;
        if (bytes == 4) /* a constant size needs no call */
            for (int64_t i = 0; i < r->count; i++, next += 4) memcpy(next, table + r->at[i] * 4, 4);
        else if (bytes == 8)
            for (int64_t i = 0; i < r->count; i++, next += 8) memcpy(next, table + r->at[i] * 8, 8);
        else
            for (int64_t i = 0; i < r->count; i++, next += bytes)
                memcpy(next, table + (size_t)r->at[i] * bytes, bytes);
    }
}

typedef void (*adder)(void *to, const void *from, int64_t n);

#define ADD_ROW(type)                                                                              \
    static void add_row_##type(void *to, const void *from, int64_t n) {                            \
        type *y = to;                                                                              \
        const type *x = from;                                                                      \
        for (int64_t i = 0; i < n; i++) y[i] += x[i];                                              \
    }
ADD_ROW(float)
ADD_ROW(double)
ADD_ROW(int32_t)
ADD_ROW(int64_t)

static adder adder_of(gt_dtype dtype) {
    switch (dtype) {
    case GT_F32: return add_row_float;
    case GT_F64: return add_row_double;
    case GT_I32: return add_row_int32_t;
    case GT_I64: return add_row_int64_t;
    default: return NULL;
    }
}

static void add_rows(void *to, const void *from, gt_dtype dtype, const rows *r) {
    const adder add = adder_of(dtype);
    const size_t bytes = (size_t)r->inner * gt_dtype_size(dtype);
    const char *next = from;
    for (int64_t o = 0; o < r->outer; o++) {
        char *table = (char *)to + (size_t)(o * r->n) * bytes;
        for (int64_t i = 0; i < r->count; i++, next += bytes)
            add(table + (size_t)r->at[i] * bytes, next, r->inner);
    }
}

static bool ascends(const rows *r) {
    for (int64_t i = 1; i < r->count; i++)
        if (r->at[i] <= r->at[i - 1]) return false;
    return true;
}

/* The source rows by the row that they go to, those of one row in order; NULL when memory is short.
 * Sorts by digits of 8 bits, the lowest first. */
static const int64_t *sorted(const gt_call *call, const rows *r) {
    const size_t bytes = (size_t)r->count * sizeof(int64_t);
    int64_t *order = gt_scratch(call, bytes), *other = gt_scratch(call, bytes);
    if (!order || !other) return NULL;
    for (int64_t i = 0; i < r->count; i++) order[i] = i;
    for (int shift = 0; shift < 64 && (r->n - 1) >> shift; shift += 8) {
        int64_t place[257] = {0};
        for (int64_t i = 0; i < r->count; i++) place[(r->at[i] >> shift & 255) + 1]++;
        for (int digit = 0; digit < 256; digit++) place[digit + 1] += place[digit];
        for (int64_t i = 0; i < r->count; i++)
            other[place[r->at[order[i]] >> shift & 255]++] = order[i];
        int64_t *swapped = order;
        order = other;
        other = swapped;
    }
    return order;
}

/* Adds what add_rows makes of zeros, with the same bits: the rows that meet in one place are summed
 * apart. */
static bool add_sums(const gt_call *call, void *to, const void *from, gt_dtype dtype,
                     const rows *r) {
    if (ascends(r)) {
        add_rows(to, from, dtype, r);
        return true;
    }
    const adder add = adder_of(dtype);
    const size_t bytes = (size_t)r->inner * gt_dtype_size(dtype);
    const int64_t *order = sorted(call, r);
    void *sum = order ? gt_scratch(call, bytes) : NULL;
    if (!sum) return false;
    for (int64_t o = 0; o < r->outer; o++) {
        char *table = (char *)to + (size_t)(o * r->n) * bytes;
        const char *source = (const char *)from + (size_t)(o * r->count) * bytes;
        for (int64_t i = 0; i < r->count;) {
            const int64_t row = r->at[order[i]];
            memset(sum, 0, bytes);
            for (; i < r->count && r->at[order[i]] == row; i++)
                add(sum, source + (size_t)order[i] * bytes, r->inner);
            add(table + (size_t)row * bytes, sum, r->inner);
        }
    }
    return true;
}

/* ---- indices -------------------------------------------------------------------------------- */

/* The index is input 1 of all but one_hot. */
static bool index_dtype(const gt_call *call, int k) {
    const gt_dtype dtype = call->in[k].dtype;
    if (dtype == GT_I32 || dtype == GT_I64) return true;
    return gt_call_fail(call, "index %s is %s: i32 or i64 are needed", gt_operand(call, k),
                        gt_dtype_name(dtype));
}

static int64_t index_at(const gt_array *index, int64_t i) {
    return index->dtype == GT_I32 ? ((const int32_t *)index->data)[i]
                                  : ((const int64_t *)index->data)[i];
}

/* "index 7 at [1,2] of i[2,3] is out of range: ..." */
static bool out_of_range(const gt_call *call, int k, int64_t i, const char *what, int64_t n) {
    const gt_array *index = &call->in[k];
    char text[GT__SHAPE_TEXT];
    gt_shape at = index->shape;
    int64_t rest = i;
    for (int d = at.rank - 1; d >= 0; d--) {
        at.dim[d] = rest % index->shape.dim[d];
        rest /= index->shape.dim[d];
    }
    return gt_call_fail(call, "index %lld at [%s] of %s is out of range: %s %lld",
                        (long long)index_at(index, i), gt__list_sizes(at, text),
                        gt_operand(call, k), what, (long long)n);
}

static bool outside(const gt_call *call, int64_t i, int axis, int64_t n) {
    char what[GT__TENSOR_TEXT + 200];
    if (call->in[0].shape.rank > axis && call->in[0].shape.dim[axis] == n)
        snprintf(what, sizeof what, "axis %d of %s is", axis, gt_operand(call, 0));
    else
        snprintf(what, sizeof what, "axis %d of the result is", axis);
    return out_of_range(call, 1, i, what, n);
}

/* The elements of input 1 as row numbers below n; NULL, and an error, when one is not. */
static const int64_t *checked(const gt_call *call, int axis, int64_t n) {
    const gt_array *index = &call->in[1];
    const int64_t count = gt_numel(index->shape);
    int64_t *at = gt_scratch(call, (size_t)count * sizeof *at);
    for (int64_t i = 0; at && i < count; i++) {
        at[i] = index_at(index, i);
        if (at[i] >= 0 && at[i] < n) continue;
        outside(call, i, axis, n);
        return NULL;
    }
    return at;
}

static bool rows_along(const gt_call *call, gt_shape table, int axis, rows *r) {
    *r = (rows){1, table.dim[axis], 1, gt_numel(call->in[1].shape), NULL};
    for (int d = 0; d < table.rank; d++) {
        if (d < axis) r->outer *= table.dim[d];
        if (d > axis) r->inner *= table.dim[d];
    }
    r->at = checked(call, axis, r->n);
    return r->at != NULL;
}

/* ---- as C: the loops of take_rows, add_rows and places_along ---------------------------------- */

static void emit_check(gt_emitter *e, const gt_call *call, int k, int64_t n) {
    const int64_t count = gt_numel(call->in[k].shape);
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "if (%s[i0] < 0 || %s[i0] >= %lld) return 1;", gt_emit_in(e, k), gt_emit_in(e, k),
            (long long)n);
    gt_emit_end(e, 1);
}

static void emit_zeros(gt_emitter *e, const gt_call *call) {
    const int64_t count = gt_numel(call->out[0].shape);
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[i0] = 0;", gt_emit_out(e, 0));
    gt_emit_end(e, 1);
}

/* Blocks, rows, elements: rows of `table` are named by the index, rows of `source` are in order. */
static void emit_rows(gt_emitter *e, const gt_call *call, gt_shape table, int axis, int source) {
    int64_t outer = 1, inner = 1;
    const int64_t count = gt_numel(call->in[1].shape), n = table.dim[axis];
    for (int d = 0; d < table.rank; d++) {
        if (d < axis) outer *= table.dim[d];
        if (d > axis) inner *= table.dim[d];
    }
    const int64_t size[3] = {outer, count, inner}, row[3] = {count * inner, inner, 1};
    const int64_t block[3] = {n * inner, 0, 1};
    char in_table[1000], in_source[400];
    snprintf(in_table, sizeof in_table, "[%s + %s[i1] * %lld]", gt_emit_index(e, 3, block),
             gt_emit_in(e, 1), (long long)inner);
    snprintf(in_source, sizeof in_source, "[%s]", gt_emit_index(e, 3, row));
    emit_check(e, call, 1, n);
    if (source >= 0 && source != 2) emit_zeros(e, call);
    gt_emit_loops(e, 0, 3, size);
    if (source < 0)
        gt_emit(e, "%s%s = %s%s;", gt_emit_out(e, 0), in_source, gt_emit_in(e, 0), in_table);
    else
        gt_emit(e, "%s%s = %s%s + %s%s;", gt_emit_out(e, 0), in_table, gt_emit_out(e, 0), in_table,
                gt_emit_in(e, source), in_source);
    gt_emit_end(e, 3);
}

/* Each element of an array of shape `taken` and its place in x. */
static void emit_along(gt_emitter *e, const gt_call *call, gt_shape x, gt_shape taken, int axis,
                       bool adds) {
    const gt_shape *index = &call->in[1].shape;
    int64_t own[GT_MAX_RANK], from[GT_MAX_RANK], place[GT_MAX_RANK];
    char in_x[1000], in_taken[400];
    gt__strides(taken, own);
    gt__strides(*index, from);
    gt__strides(x, place);
    const int64_t step = place[axis];
    place[axis] = 0;
    for (int d = 0; d < index->rank; d++)
        if (index->dim[d] == 1) from[d] = 0;
    snprintf(in_x, sizeof in_x, "[%s + %s[%s] * %lld]", gt_emit_index(e, taken.rank, place),
             gt_emit_in(e, 1), gt_emit_index(e, taken.rank, from), (long long)step);
    snprintf(in_taken, sizeof in_taken, "[%s]", gt_emit_index(e, taken.rank, own));
    emit_check(e, call, 1, x.dim[axis]);
    if (adds) emit_zeros(e, call);
    gt_emit_loops(e, 0, taken.rank, taken.dim);
    if (adds)
        gt_emit(e, "%s%s = %s%s + %s%s;", gt_emit_out(e, 0), in_x, gt_emit_out(e, 0), in_x,
                gt_emit_in(e, 0), in_taken);
    else
        gt_emit(e, "%s%s = %s%s;", gt_emit_out(e, 0), in_taken, gt_emit_in(e, 0), in_x);
    gt_emit_end(e, taken.rank);
}

/* ---- gather --------------------------------------------------------------------------------- */

/* The shape of table with that of index in place of an axis. */
static bool replace_axis(const gt_call *call, gt_shape table, int axis, gt_shape index,
                         gt_shape *shape) {
    if (table.rank - 1 + index.rank > GT_MAX_RANK)
        return gt_call_fail(call, "%s by %s makes rank %d, the largest is %d", gt_operand(call, 0),
                            gt_operand(call, 1), table.rank - 1 + index.rank, GT_MAX_RANK);
    shape->rank = 0;
    for (int d = 0; d < axis; d++) shape->dim[shape->rank++] = table.dim[d];
    for (int d = 0; d < index.rank; d++) shape->dim[shape->rank++] = index.dim[d];
    for (int d = axis + 1; d < table.rank; d++) shape->dim[shape->rank++] = table.dim[d];
    return true;
}

static bool gather_shape(gt_call *call) {
    const gt_shape x = call->in[0].shape;
    const int axis = gt__axis(call, *(const int *)call->attr, x.rank);
    call->out[0].dtype = call->in[0].dtype;
    return axis >= 0 && index_dtype(call, 1) &&
           replace_axis(call, x, axis, call->in[1].shape, &call->out[0].shape);
}

static bool gather_kernel(gt_call *call) {
    const gt_array *x = &call->in[0];
    rows r = {0};
    if (!rows_along(call, x->shape, gt__axis(call, *(const int *)call->attr, x->shape.rank), &r))
        return false;
    take_rows(call->out[0].data, x->data, gt_dtype_size(x->dtype), &r);
    return true;
}

static gt_tensor scatter(gt_tensor g, gt_tensor index, int axis, int64_t n);

static bool gather_pull(gt_pull *pull) {
    int axis = *(const int *)pull->attr;
    if (axis < 0) axis += gt_rank(pull->in[0]);
    if (pull->wanted[0])
        pull->gx[0] = scatter(pull->up[0], pull->in[1], axis, gt_dim(pull->in[0], axis));
    return true;
}

static gt_tensor indices(gt_samples *s, gt_shape shape, const double *values) {
    return gt_sample_values(s, shape, GT_I64, values);
}

static gt_tensor gather_often(gt_samples *s) { /* with repetitions, where several gradients meet */
    const gt_tensor x = gt_sample(s, GT_SHAPE(4, 2));
    const gt_tensor a = indices(s, GT_SHAPE(5), (const double[]){3, 1, 3, 0, 3});
    const gt_tensor b = indices(s, GT_SHAPE(5), (const double[]){0, 1, 1, 2, 0});
    return gt_mul(gt_gather(x, a, 0), gt_add(gt_gather(x, b, 0), gt_gather(x, a, 0)));
}

static gt_tensor gather_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2));
    switch (i) {
    case 0:
        gt_sample_bad(s, "index 3 at [1,0]");
        return gt_gather(x, indices(s, GT_SHAPE(2, 2), (const double[]){0, 2, 3, 1}), 0);
    case 1:
        gt_sample_bad(s, "index -1 at [0]");
        return gt_gather(x, indices(s, GT_SHAPE(1), (const double[]){-1}), 1);
    case 2: return gt_sample_bad(s, "i32 or i64"), gt_gather(x, gt_sample(s, GT_SHAPE(2)), 0);
    case 3:
        return gt_sample_bad(s, "no axis 2"),
               gt_gather(x, gt_sample_int(s, GT_SHAPE(2), GT_I32, 2), 2);
    case 4:
        gt_sample_bad(s, "makes rank 9");
        return gt_gather(x, gt_sample_int(s, GT_SHAPE(1, 1, 1, 1, 1, 1, 1, 1), GT_I32, 2), 0);
    case 5:
        gt_sample_bad(s, "is 0");
        return gt_gather(gt_sample(s, GT_SHAPE(0, 2)), indices(s, GT_SHAPE(1), (const double[]){0}),
                         0);
    default: return gt_samples_end(s);
    }
}

static gt_tensor gather_samples(gt_samples *s, int i) {
    switch (i) {
    case 0:
        return gt_gather(gt_sample(s, GT_SHAPE(4, 3)), gt_sample_int(s, GT_SHAPE(5), GT_I64, 4), 0);
    case 1:
        return gt_gather(gt_sample(s, GT_SHAPE(2, 3, 2)),
                         gt_sample_int(s, GT_SHAPE(2, 2), GT_I32, 3), 1);
    case 2:
        return gt_gather(gt_sample(s, GT_SHAPE(2, 2, 2, 3)),
                         gt_sample_int(s, GT_SHAPE(4), GT_I32, 3), -1);
    case 3: return gt_gather(gt_sample(s, GT_SHAPE(5)), gt_sample_int(s, GT_SCALAR, GT_I64, 5), 0);
    case 4:
        return gt_gather(gt_sample(s, GT_SHAPE(3, 2)), gt_sample_int(s, GT_SHAPE(0), GT_I64, 1), 0);
    case 5:
        return gt_gather(gt_sample(s, GT_SHAPE(3, 0)), gt_sample_int(s, GT_SHAPE(2), GT_I64, 3), 0);
    case 6:
        return gt_gather(gt_t(gt_sample(s, GT_SHAPE(2, 4))),
                         gt_flip(gt_sample_int(s, GT_SHAPE(3), GT_I64, 4), GT_ALL), 0);
    case 7: return gather_often(s);
    case 8: {
        const gt_tensor x = gt_sample_int(s, GT_SHAPE(4), GT_BOOL, 2);
        return gt_sample_no_gradient(s), gt_gather(x, gt_sample_int(s, GT_SHAPE(3), GT_I32, 4), 0);
    }
    default: return gather_bad(s, i - 9);
    }
}

static bool gather_emit(gt_emitter *e, const gt_call *call) {
    const gt_shape x = call->in[0].shape;
    emit_rows(e, call, x, gt__axis(call, *(const int *)call->attr, x.rank), -1);
    return true;
}

const gt_op gt__op_gather =
    GT_OP("gather", gather_shape, gather_kernel, GT_PULL(gather_pull), gather_samples, .linear = 1,
          .integer = 2, .emit = gather_emit, .meaning = "slices along an axis, chosen by index");

gt_tensor gt_gather(gt_tensor x, gt_tensor index, int axis) {
    const gt_tensor in[2] = {x, index};
    return gt_record(x.tape, &gt__op_gather, in, 2, &axis, sizeof axis, NULL, 0);
}

/* ---- scatter: zeros with g added at index, the transpose of gather -------------------------- */

/* The axis made, and its size. */
typedef struct table {
    int64_t axis, n;
} table;

static bool addable(const gt_call *call) {
    const gt_dtype dtype = call->in[0].dtype;
    return adder_of(dtype) || gt_call_fail(call, "%s is %s: only f32, f64, i32 and i64 are added",
                                           gt_operand(call, 0), gt_dtype_name(dtype));
}

static bool scatter_shape(gt_call *call) {
    const table *t = call->attr;
    const gt_shape g = call->in[0].shape, index = call->in[1].shape;
    const int axis = (int)t->axis;
    gt_shape *shape = &call->out[0].shape, back;
    shape->rank = 0;
    for (int d = 0; d < g.rank; d++) {
        if (d == axis) shape->dim[shape->rank++] = t->n;
        if (d < axis || d >= axis + index.rank) shape->dim[shape->rank++] = g.dim[d];
    }
    if (axis == g.rank) shape->dim[shape->rank++] = t->n;
    call->out[0].dtype = call->in[0].dtype;
    if (!index_dtype(call, 1) || !addable(call)) return false;
    if (!replace_axis(call, *shape, axis, index, &back)) return false;
    return gt_same_shape(back, g) || gt_call_fail(call, "%s does not fit the index %s",
                                                  gt_operand(call, 0), gt_operand(call, 1));
}

static bool scatter_rows(gt_call *call, rows *r) {
    return rows_along(call, call->out[0].shape, (int)((const table *)call->attr)->axis, r);
}

static bool scatter_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    rows r = {0};
    if (!scatter_rows(call, &r)) return false;
    memset(out->data, 0, (size_t)gt_numel(out->shape) * gt_dtype_size(out->dtype));
    add_rows(out->data, call->in[0].data, out->dtype, &r);
    return true;
}

static bool scatter_accumulate(gt_call *call) {
    rows r = {0};
    return scatter_rows(call, &r) &&
           add_sums(call, call->out[0].data, call->in[0].data, call->out[0].dtype, &r);
}

static bool scatter_pull(gt_pull *pull) {
    const int axis = (int)((const table *)pull->attr)->axis;
    if (pull->wanted[0]) pull->gx[0] = gt_gather(pull->up[0], pull->in[1], axis);
    return true;
}

static gt_tensor scatter_samples(gt_samples *s, int i) {
    switch (i) {
    case 0:
        return scatter(gt_sample(s, GT_SHAPE(5, 2)), gt_sample_int(s, GT_SHAPE(5), GT_I64, 3), 0,
                       3);
    case 1:
        return scatter(gt_sample(s, GT_SHAPE(2, 2, 3, 2)),
                       gt_sample_int(s, GT_SHAPE(2, 3), GT_I32, 4), 1, 4);
    case 2: return scatter(gt_sample(s, GT_SHAPE(2)), gt_sample_int(s, GT_SCALAR, GT_I64, 3), 1, 3);
    case 3:
        return scatter(gt_sample(s, GT_SHAPE(0)), gt_sample_int(s, GT_SHAPE(0), GT_I64, 1), 0, 0);
    case 4: {
        const gt_tensor g = gt_sample(s, GT_SHAPE(2, 4)),
                        index = gt_sample_int(s, GT_SHAPE(4), GT_I64, 2);
        return gt_accumulate(GT_LIST(scatter(g, index, 1, 3), scatter(gt_square(g), index, 1, 3)));
    }
    case 5:
        gt_sample_bad(s, "index 2 at [0]");
        return scatter(gt_sample(s, GT_SHAPE(1)), indices(s, GT_SHAPE(1), (const double[]){2}), 0,
                       2);
    default: return gt_samples_end(s);
    }
}

static bool scatter_emit(gt_emitter *e, const gt_call *call) {
    emit_rows(e, call, call->out[0].shape, (int)((const table *)call->attr)->axis, 0);
    return true;
}

const gt_op gt__op_scatter =
    GT_OP("scatter", scatter_shape, scatter_kernel, GT_PULL(scatter_pull), scatter_samples,
          .linear = 1, .integer = 2, .accumulate = scatter_accumulate, .emit = scatter_emit,
          .meaning = "zeros, and x added at index along an axis");

static gt_tensor scatter(gt_tensor g, gt_tensor index, int axis, int64_t n) {
    const gt_tensor in[2] = {g, index};
    const table t = {axis, n};
    return gt_record(g.tape, &gt__op_scatter, in, 2, &t, sizeof t, NULL, 0);
}

/* ---- scatter_add ---------------------------------------------------------------------------- */

static bool scatter_add_shape(gt_call *call) {
    const gt_array *x = &call->in[0], *source = &call->in[2];
    const int axis = gt__axis(call, *(const int *)call->attr, x->shape.rank);
    char text[GT__SHAPE_TEXT];
    gt_shape needed = {0};
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    if (axis < 0 || !index_dtype(call, 1) || !addable(call)) return false;
    if (!replace_axis(call, x->shape, axis, call->in[1].shape, &needed)) return false;
    if (!gt_same_shape(needed, source->shape))
        return gt_call_fail(call, "source %s should be [%s]: %s with %s in place of axis %d",
                            gt_operand(call, 2), gt__list_sizes(needed, text), gt_operand(call, 0),
                            gt_operand(call, 1), axis);
    return source->dtype == x->dtype ||
           gt_call_fail(call, "%s is %s, source %s is %s", gt_operand(call, 0),
                        gt_dtype_name(x->dtype), gt_operand(call, 2), gt_dtype_name(source->dtype));
}

static bool scatter_add_kernel(gt_call *call) {
    const gt_array *x = &call->in[0], *out = &call->out[0];
    const size_t bytes = (size_t)gt_numel(x->shape) * gt_dtype_size(x->dtype);
    rows r = {0};
    if (!rows_along(call, x->shape, gt__axis(call, *(const int *)call->attr, x->shape.rank), &r))
        return false;
    if (bytes) memcpy(out->data, x->data, bytes);
    add_rows(out->data, call->in[2].data, out->dtype, &r);
    return true;
}

static bool scatter_add_pull(gt_pull *pull) {
    pull->gx[0] = pull->up[0];
    if (pull->wanted[2])
        pull->gx[2] = gt_gather(pull->up[0], pull->in[1], *(const int *)pull->attr);
    return true;
}

static gt_tensor scatter_add_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2)),
                    index = indices(s, GT_SHAPE(2), (const double[]){1, 5});
    const gt_tensor source = gt_sample(s, GT_SHAPE(2, 2));
    switch (i) {
    case 0: return gt_sample_bad(s, "index 5 at [1]"), gt_scatter_add(x, index, source, 0);
    case 1: return gt_sample_bad(s, "should be [3,2]"), gt_scatter_add(x, index, source, 1);
    case 2: return gt_sample_bad(s, "i32 or i64"), gt_scatter_add(x, source, source, 0);
    case 3: return gt_sample_bad(s, "no axis -3"), gt_scatter_add(x, index, source, -3);
    case 4: return gt_sample_bad(s, "is i64"), gt_scatter_add(x, index, gt_cast(source, GT_I64), 0);
    case 5:
        gt_sample_bad(s, "are added");
        return gt_scatter_add(gt_cast(x, GT_BOOL), index, gt_cast(source, GT_BOOL), 0);
    default: return gt_samples_end(s);
    }
}

static gt_tensor scatter_add_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(4, 2)),
                        index = gt_sample_int(s, GT_SHAPE(5), GT_I64, 4);
        return gt_scatter_add(x, index, gt_sample(s, GT_SHAPE(5, 2)), 0);
    }
    case 1: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3)),
                        index = gt_sample_int(s, GT_SHAPE(2, 2), GT_I32, 3);
        return gt_scatter_add(x, index, gt_sample(s, GT_SHAPE(2, 2, 2)), -1);
    }
    case 2: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(3)),
                        index = gt_sample_int(s, GT_SHAPE(3), GT_I64, 3);
        return gt_scatter_add(x, index, gt_sample(s, GT_SHAPE(3)), 0);
    }
    case 3: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2)),
                        index = gt_sample_int(s, GT_SHAPE(0), GT_I64, 1);
        return gt_scatter_add(x, index, gt_sample(s, GT_SHAPE(0, 2)), 0);
    }
    case 4: {
        const gt_tensor x = gt_sample_int(s, GT_SHAPE(3), GT_I32, 9),
                        index = gt_sample_int(s, GT_SHAPE(4), GT_I64, 3);
        return gt_sample_no_gradient(s),
               gt_scatter_add(x, index, gt_sample_int(s, GT_SHAPE(4), GT_I32, 9), 0);
    }
    default: return scatter_add_bad(s, i - 5);
    }
}

static bool scatter_add_emit(gt_emitter *e, const gt_call *call) {
    const gt_shape x = call->in[0].shape;
    const int64_t count = gt_numel(x);
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[i0] = %s[i0];", gt_emit_out(e, 0), gt_emit_in(e, 0));
    gt_emit_end(e, 1);
    emit_rows(e, call, x, gt__axis(call, *(const int *)call->attr, x.rank), 2);
    return true;
}

const gt_op gt__op_scatter_add =
    GT_OP("scatter_add", scatter_add_shape, scatter_add_kernel, GT_PULL(scatter_add_pull),
          scatter_add_samples, .linear = 1 | 4, .integer = 2, .emit = scatter_add_emit,
          .meaning = "x, and slices of source added at index");

gt_tensor gt_scatter_add(gt_tensor x, gt_tensor index, gt_tensor source, int axis) {
    const gt_tensor in[3] = {x, index, source};
    return gt_record(x.tape, &gt__op_scatter_add, in, 3, &axis, sizeof axis, NULL, 0);
}

/* ---- take_along_axis and its transpose ------------------------------------------------------ */

/* Ranks agree, and sizes too except along axis, where the index may have any; or it is 1 elsewhere.
 */
static bool index_fits(const gt_call *call, int axis) {
    const gt_shape *x = &call->in[0].shape, *index = &call->in[1].shape;
    if (!index_dtype(call, 1)) return false;
    if (index->rank != x->rank)
        return gt_call_fail(call, "%s and its index %s differ in rank", gt_operand(call, 0),
                            gt_operand(call, 1));
    for (int d = 0; d < x->rank; d++)
        if (d != axis && index->dim[d] != x->dim[d] && index->dim[d] != 1)
            return gt_call_fail(call, "axis %d of the index %s is %lld, neither 1 nor as in %s", d,
                                gt_operand(call, 1), (long long)index->dim[d], gt_operand(call, 0));
    return true;
}

/* The places in x (rows of one element) that an array of shape `taken` is taken from. */
static bool places_along(const gt_call *call, gt_shape x, gt_shape taken, int axis, rows *r) {
    const gt_array *index = &call->in[1];
    const int64_t count = gt_numel(taken), n = x.dim[axis];
    int64_t stride[GT_MAX_RANK], own[GT_MAX_RANK], at[GT_MAX_RANK] = {0};
    int64_t *place = gt_scratch(call, (size_t)count * sizeof *place);
    if (!place) return false;
    gt__strides(x, stride);
    gt__strides(index->shape, own);
    for (int64_t i = 0; i < count; i++) {
        int64_t from = 0, base = 0;
        for (int d = 0; d < taken.rank; d++) {
            if (index->shape.dim[d] > 1) from += at[d] * own[d];
            if (d != axis) base += at[d] * stride[d];
        }
        const int64_t k = index_at(index, from);
        if (k < 0 || k >= n) return outside(call, from, axis, n);
        place[i] = base + k * stride[axis];
        for (int d = taken.rank - 1; d >= 0 && ++at[d] == taken.dim[d]; d--) at[d] = 0;
    }
    *r = (rows){1, gt_numel(x), 1, count, place};
    return true;
}

static bool take_shape(gt_call *call) {
    const gt_array *x = &call->in[0];
    const int axis = gt__axis(call, *(const int *)call->attr, x->shape.rank);
    if (axis < 0 || !index_fits(call, axis)) return false;
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    call->out[0].shape.dim[axis] = call->in[1].shape.dim[axis];
    return true;
}

static bool take_kernel(gt_call *call) {
    const gt_array *x = &call->in[0];
    const int axis = gt__axis(call, *(const int *)call->attr, x->shape.rank);
    rows r = {0};
    if (!places_along(call, x->shape, call->out[0].shape, axis, &r)) return false;
    take_rows(call->out[0].data, x->data, gt_dtype_size(x->dtype), &r);
    return true;
}

static bool take_pull(gt_pull *pull) {
    int axis = *(const int *)pull->attr;
    if (axis < 0) axis += gt_rank(pull->in[0]);
    if (pull->wanted[0])
        pull->gx[0] = gt__scatter_along(pull->up[0], pull->in[1], axis, gt_dim(pull->in[0], axis));
    return true;
}

static gt_tensor take_often(gt_samples *s) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3));
    const gt_tensor a = indices(s, GT_SHAPE(2, 4), (const double[]){2, 0, 2, 1, 1, 1, 1, 0});
    const gt_tensor b = indices(s, GT_SHAPE(1, 4), (const double[]){0, 2, 0, 1});
    return gt_mul(gt_take_along_axis(x, a, 1), gt_take_along_axis(x, b, 1));
}

static gt_tensor take_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2));
    switch (i) {
    case 0:
        gt_sample_bad(s, "index 2 at [1,0]");
        return gt_take_along_axis(x, indices(s, GT_SHAPE(3, 1), (const double[]){0, 2, 1}), 1);
    case 1:
        gt_sample_bad(s, "index -1 at [0,0]");
        return gt_take_along_axis(x, indices(s, GT_SHAPE(1, 1), (const double[]){-1}), 0);
    case 2:
        return gt_sample_bad(s, "differ in rank"),
               gt_take_along_axis(x, gt_sample_int(s, GT_SHAPE(3), GT_I64, 2), 0);
    case 3:
        return gt_sample_bad(s, "neither 1 nor"),
               gt_take_along_axis(x, gt_sample_int(s, GT_SHAPE(2, 2), GT_I64, 2), 1);
    case 4: return gt_sample_bad(s, "i32 or i64"), gt_take_along_axis(x, x, 1);
    case 5:
        return gt_sample_bad(s, "no axis 2"),
               gt_take_along_axis(x, gt_sample_int(s, GT_SHAPE(3, 2), GT_I64, 2), 2);
    default: return gt_samples_end(s);
    }
}

static gt_tensor take_samples(gt_samples *s, int i) {
    switch (i) {
    case 0:
        return gt_take_along_axis(gt_sample(s, GT_SHAPE(4)),
                                  gt_sample_int(s, GT_SHAPE(6), GT_I64, 4), 0);
    case 1:
        return gt_take_along_axis(gt_sample(s, GT_SHAPE(3, 4)),
                                  gt_sample_int(s, GT_SHAPE(3, 1), GT_I32, 4), -1);
    case 2:
        return gt_take_along_axis(gt_sample(s, GT_SHAPE(3, 2, 2, 2)),
                                  gt_sample_int(s, GT_SHAPE(2, 2, 1, 2), GT_I64, 3), 0);
    case 3:
        return gt_take_along_axis(gt_sample(s, GT_SHAPE(3, 0)),
                                  gt_sample_int(s, GT_SHAPE(2, 1), GT_I64, 3), 0);
    case 4:
        return gt_take_along_axis(gt_t(gt_sample(s, GT_SHAPE(2, 3))),
                                  gt_sample_int(s, GT_SHAPE(3, 2), GT_I64, 2), 1);
    case 5: return take_often(s);
    case 6:
        return gt_take_along_axis(gt_sample(s, GT_SHAPE(3, 2)),
                                  gt_sample_int(s, GT_SHAPE(0, 2), GT_I64, 3), 0);
    case 7: {
        const gt_tensor x = gt_sample_int(s, GT_SHAPE(4), GT_I32, 9);
        return gt_sample_no_gradient(s),
               gt_take_along_axis(x, gt_sample_int(s, GT_SHAPE(2), GT_I64, 4), 0);
    }
    default: return take_bad(s, i - 8);
    }
}

static bool take_along_axis_emit(gt_emitter *e, const gt_call *call) {
    const gt_shape x = call->in[0].shape;
    emit_along(e, call, x, call->out[0].shape, gt__axis(call, *(const int *)call->attr, x.rank),
               false);
    return true;
}

const gt_op gt__op_take_along_axis =
    GT_OP("take_along_axis", take_shape, take_kernel, GT_PULL(take_pull), take_samples, .linear = 1,
          .integer = 2, .emit = take_along_axis_emit,
          .meaning = "elements along an axis, each chosen by index");

gt_tensor gt_take_along_axis(gt_tensor x, gt_tensor index, int axis) {
    const gt_tensor in[2] = {x, index};
    return gt_record(x.tape, &gt__op_take_along_axis, in, 2, &axis, sizeof axis, NULL, 0);
}

static bool scatter_along_shape(gt_call *call) {
    const table *t = call->attr;
    const gt_array *g = &call->in[0];
    call->out[0].dtype = g->dtype;
    call->out[0].shape = g->shape;
    call->out[0].shape.dim[t->axis] = t->n;
    if (!index_fits(call, (int)t->axis) || !addable(call)) return false;
    return g->shape.dim[t->axis] == call->in[1].shape.dim[t->axis] ||
           gt_call_fail(call, "%s and its index %s differ along axis %d", gt_operand(call, 0),
                        gt_operand(call, 1), (int)t->axis);
}

static bool scatter_places(gt_call *call, rows *r) {
    const table *t = call->attr;
    return places_along(call, call->out[0].shape, call->in[0].shape, (int)t->axis, r);
}

static bool scatter_along_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    rows r = {0};
    if (!scatter_places(call, &r)) return false;
    memset(out->data, 0, (size_t)gt_numel(out->shape) * gt_dtype_size(out->dtype));
    add_rows(out->data, call->in[0].data, out->dtype, &r);
    return true;
}

static bool scatter_along_accumulate(gt_call *call) {
    rows r = {0};
    return scatter_places(call, &r) &&
           add_sums(call, call->out[0].data, call->in[0].data, call->out[0].dtype, &r);
}

static bool scatter_along_pull(gt_pull *pull) {
    const int axis = (int)((const table *)pull->attr)->axis;
    if (pull->wanted[0]) pull->gx[0] = gt_take_along_axis(pull->up[0], pull->in[1], axis);
    return true;
}

static gt_tensor scatter_along_samples(gt_samples *s, int i) {
    switch (i) {
    case 0:
        return gt__scatter_along(gt_sample(s, GT_SHAPE(3, 4)),
                                 gt_sample_int(s, GT_SHAPE(3, 4), GT_I64, 2), 1, 2);
    case 1:
        return gt__scatter_along(gt_sample(s, GT_SHAPE(2, 3, 2)),
                                 gt_sample_int(s, GT_SHAPE(1, 3, 1), GT_I32, 5), 1, 5);
    case 2:
        return gt__scatter_along(gt_sample(s, GT_SHAPE(3)),
                                 gt_sample_int(s, GT_SHAPE(3), GT_I64, 2), 0, 2);
    case 3:
        return gt__scatter_along(gt_sample(s, GT_SHAPE(0, 2)),
                                 gt_sample_int(s, GT_SHAPE(0, 2), GT_I64, 2), 0, 2);
    case 4: {
        const gt_tensor g = gt_sample(s, GT_SHAPE(2, 4)),
                        index = gt_sample_int(s, GT_SHAPE(2, 4), GT_I64, 3);
        return gt_accumulate(GT_LIST(gt__scatter_along(g, index, 1, 3),
                                     gt__scatter_along(gt_square(g), index, 1, 3)));
    }
    case 5:
        gt_sample_bad(s, "index 2 at [0,1]");
        return gt__scatter_along(gt_sample(s, GT_SHAPE(1, 2)),
                                 indices(s, GT_SHAPE(1, 2), (const double[]){0, 2}), 1, 2);
    default: return gt_samples_end(s);
    }
}

static bool scatter_along_axis_emit(gt_emitter *e, const gt_call *call) {
    emit_along(e, call, call->out[0].shape, call->in[0].shape,
               (int)((const table *)call->attr)->axis, true);
    return true;
}

const gt_op gt__op_scatter_along_axis =
    GT_OP("scatter_along_axis", scatter_along_shape, scatter_along_kernel,
          GT_PULL(scatter_along_pull), scatter_along_samples, .linear = 1, .integer = 2,
          .accumulate = scatter_along_accumulate, .emit = scatter_along_axis_emit,
          .meaning = "zeros, and each element of x added at its index along an axis");

gt_tensor gt__scatter_along(gt_tensor g, gt_tensor index, int axis, int64_t n) {
    const gt_tensor in[2] = {g, index};
    const table t = {axis, n};
    return gt_record(g.tape, &gt__op_scatter_along_axis, in, 2, &t, sizeof t, NULL, 0);
}

/* ---- one_hot -------------------------------------------------------------------------------- */

typedef struct hot {
    int64_t classes, dtype;
} hot;

static bool one_hot_shape(gt_call *call) {
    const hot *h = call->attr;
    gt_shape *shape = &call->out[0].shape;
    *shape = call->in[0].shape;
    if (h->dtype < 0 || h->dtype >= GT_N_DTYPES)
        return gt_call_fail(call, "%lld is no dtype", (long long)h->dtype);
    call->out[0].dtype = (gt_dtype)h->dtype;
    if (!index_dtype(call, 0)) return false;
    if (shape->rank == GT_MAX_RANK)
        return gt_call_fail(call, "%s: the largest rank is %d", gt_operand(call, 0), GT_MAX_RANK);
    if (h->classes < 0)
        return gt_call_fail(call, "%lld classes for %s", (long long)h->classes,
                            gt_operand(call, 0));
    shape->dim[shape->rank++] = h->classes;
    return true;
}

static bool one_hot_kernel(gt_call *call) {
    const gt_array *index = &call->in[0], *out = &call->out[0];
    const int64_t count = gt_numel(index->shape), classes = ((const hot *)call->attr)->classes;
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = index_at(index, i);
        if (k < 0 || k >= classes)
            return out_of_range(call, 0, i, "the number of classes is", classes);
    }
    memset(out->data, 0, (size_t)gt_numel(out->shape) * gt_dtype_size(out->dtype));
    for (int64_t i = 0; i < count; i++)
        gt__put(out->data, out->dtype, i * classes + index_at(index, i), 1);
    return true;
}

static gt_tensor one_hot_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_one_hot(gt_sample_int(s, GT_SHAPE(4), GT_I64, 3), 3, s->dtype);
    case 1: return gt_one_hot(gt_sample_int(s, GT_SHAPE(2, 3), GT_I32, 5), 5, s->dtype);
    case 2: return gt_one_hot(gt_sample_int(s, GT_SCALAR, GT_I64, 2), 2, GT_BOOL);
    case 3: return gt_one_hot(gt_sample_int(s, GT_SHAPE(0), GT_I64, 1), 0, s->dtype);
    case 4: return gt_one_hot(gt_t(gt_sample_int(s, GT_SHAPE(2, 3), GT_I64, 4)), 4, GT_I32);
    case 5:
        gt_sample_bad(s, "index 3 at [1] of");
        return gt_one_hot(indices(s, GT_SHAPE(2), (const double[]){0, 3}), 3, s->dtype);
    case 6:
        gt_sample_bad(s, "index -1 at [0] of");
        return gt_one_hot(indices(s, GT_SHAPE(2), (const double[]){-1, 3}), 3, s->dtype);
    case 7:
        return gt_sample_bad(s, "i32 or i64"), gt_one_hot(gt_sample(s, GT_SHAPE(2)), 3, s->dtype);
    case 8:
        return gt_sample_bad(s, "-1 classes"),
               gt_one_hot(gt_sample_int(s, GT_SHAPE(2), GT_I64, 3), -1, s->dtype);
    case 9:
        return gt_sample_bad(s, "no dtype"),
               gt_one_hot(gt_sample_int(s, GT_SHAPE(2), GT_I64, 3), 3, (gt_dtype)9);
    default: return gt_samples_end(s);
    }
}

static bool one_hot_emit(gt_emitter *e, const gt_call *call) {
    const int64_t classes = ((const hot *)call->attr)->classes;
    const int64_t size[2] = {gt_numel(call->in[0].shape), classes}, stride[2] = {classes, 1};
    emit_check(e, call, 0, classes);
    gt_emit_loops(e, 0, 2, size);
    gt_emit(e, "%s[%s] = %s[i0] == i1 ? 1 : 0;", gt_emit_out(e, 0), gt_emit_index(e, 2, stride),
            gt_emit_in(e, 0));
    gt_emit_end(e, 2);
    return true;
}

const gt_op gt__op_one_hot =
    GT_OP("one_hot", one_hot_shape, one_hot_kernel, GT_NO_GRADIENT("an index carries no gradient"),
          one_hot_samples, .integer = 1, .emit = one_hot_emit,
          .meaning = "1 where the last, new axis is at index, else 0");

gt_tensor gt_one_hot(gt_tensor index, int64_t classes, gt_dtype dtype) {
    const hot h = {classes, (int64_t)dtype};
    return gt_record(index.tape, &gt__op_one_hot, &index, 1, &h, sizeof h, NULL, 0);
}
