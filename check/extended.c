/* check/extended.c: see extended.h. Constants, leaves and computed nodes have their elements in one block, in
 * row-major order. */
#include "check/extended.h"

#include <math.h>
#include <string.h>

#include "check/probe.h"
#include "ops/ops.h"
#include "ops/reduce.h"

enum { MOST_ELEMENTS = 1 << 18, MOST_PRODUCTS = 1 << 21 };

typedef enum way { UNUSED, GIVEN, ROW, MOVED, SUM, LARGEST, SMALLEST, SUMS, SAME, PRODUCT } way;

struct gt__extended {
    gt_tape *tape;
    uint32_t count; /* nodes up to the root */
    unsigned char *kind;
    int64_t *place; /* of a node's first element in value */
    long double *value;
    int32_t *from; /* for each element of a view, which one of its input it is */
    int64_t total;
    int n_leaves;
    gt_tensor leaf[GT__PROBE_LEAVES];
};

/* ---- what is needed ------------------------------------------------------------------------------------------ */

static bool is_named(const gt_op *op, const char *name) { return strcmp(op->name, name) == 0; }

static way product_kind(gt_tensor t) {
    const gt_shape a = gt_shape_of(gt_in(t, 0)), b = gt_shape_of(gt_in(t, 1));
    if (a.rank < 1 || a.rank > 2 || b.rank < 1 || b.rank > 2) return UNUSED;
    const int64_t inner = a.dim[a.rank - 1];
    return gt__count(t) * inner <= MOST_PRODUCTS ? PRODUCT : UNUSED;
}

/* How a node that depends on the leaves is computed; UNUSED: it cannot be. */
static way kind_of(gt_tensor t) {
    const gt_op *op = gt_op_of(t);
    if (gt_n_out(t) != 1 || gt_is_leaf(t)) return UNUSED;
    if (op->more.value && op->more.traits & GT_ELEMENTWISE) return ROW;
    if (op->more.view) return MOVED;
    if (op->more.traits & GT_SUMS) return SUMS;
    if (is_named(op, "sum")) return SUM;
    if (is_named(op, "max")) return LARGEST;
    if (is_named(op, "min")) return SMALLEST;
    if (is_named(op, "copy")) return SAME;
    if (is_named(op, "cast") && gt_dtype_is_float(gt_dtype_of(t))) return SAME;
    return is_named(op, "matmul") ? product_kind(t) : UNUSED;
}

static bool is_moved(const gt__extended *e, uint32_t i) {
    for (int k = 0; k < e->n_leaves; k++)
        if (e->leaf[k].index == i) return true;
    return false;
}

/* Marks what the root needs, from the root down, with GIVEN for now. */
static void mark_needed(gt__extended *e) {
    e->kind[e->count - 1] = GIVEN;
    for (uint32_t i = e->count; i-- > 0;) {
        const gt_tensor t = gt_tensor_at(e->tape, i);
        for (int k = 0; e->kind[i] && k < gt_n_in(t); k++) e->kind[gt_in(t, k).index] = GIVEN;
    }
}

/* From the leaves up: what depends on a moved leaf must be computed. Behind a stop_gradient nothing depends on
 * it: the derivative takes that value for a constant. Until it is laid out, place says 0 for what depends. */
static bool choose_kinds(gt__extended *e) {
    for (uint32_t i = 0; i < e->count; i++) {
        const gt_tensor t = gt_tensor_at(e->tape, i);
        bool depends = false;
        e->place[i] = is_moved(e, i) ? 0 : -1;
        for (int k = 0; k < gt_n_in(t); k++) depends = depends || e->place[gt_in(t, k).index] == 0;
        if (!e->kind[i] || !depends || is_named(gt_op_of(t), "stop_gradient")) continue;
        e->place[i] = 0;
        e->kind[i] = (unsigned char)kind_of(t);
        if (e->kind[i] == UNUSED) return false;
    }
    return true;
}

static bool lay_out(gt__extended *e) {
    for (uint32_t i = 0; i < e->count; i++) {
        if (!e->kind[i]) continue;
        e->place[i] = e->total;
        e->total += gt_numel(gt_shape_of(gt_tensor_at(e->tape, i)));
        if (e->total > MOST_ELEMENTS) return false;
    }
    return true;
}

static void *resize(gt_tape *tape, void *block, size_t old_size, size_t new_size) {
    return gt_params_alloc(gt_tape_params(tape), block, old_size, new_size);
}

static bool load_given(gt__extended *e) {
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->kind[i] != GIVEN) continue;
        const gt_tensor t = gt_tensor_at(e->tape, i);
        const int64_t n = gt__count(t);
        const void *data = gt_data(t);
        if (!data && n) return false;
        for (int64_t k = 0; k < n; k++)
            e->value[e->place[i] + k] = (long double)gt__element(data, gt_dtype_of(t), k);
    }
    return true;
}

/* A view of 0, 1, 2, ... tells where its elements come from. */
static bool trace_view(gt__extended *e, gt_tensor t) {
    const gt_tensor in = gt_in(t, 0);
    const gt_tensor numbers = gt_arange(e->tape, 0, 1, gt__count(in), gt_dtype_of(in));
    const gt_tensor shaped = gt_reshape(numbers, gt_shape_of(in));
    const gt_tensor traced = gt_record_copy(t, &shaped);
    const void *data = gt_data(traced);
    for (int64_t i = 0; data && i < gt__count(t); i++)
        e->from[e->place[t.index] + i] = (int32_t)gt__element(data, gt_dtype_of(t), i);
    return data || gt__count(t) == 0;
}

static bool trace_views(gt__extended *e) {
    bool ok = true;
    const gt_marker mark = gt_mark(e->tape);
    const gt_recorder recorder = gt_record_as(e->tape, GT_BY_RULE);
    for (uint32_t i = 0; i < e->count && ok; i++)
        if (e->kind[i] == MOVED) ok = trace_view(e, gt_tensor_at(e->tape, i));
    gt_record_as(e->tape, recorder);
    gt_rewind(e->tape, mark);
    return ok;
}

gt__extended *gt__extended_new(gt_tensor root, const gt_tensor *leaf, int n_leaves, bool *failed) {
    gt_tape *tape = root.tape;
    gt__extended *e = resize(tape, NULL, 0, sizeof *e);
    *failed = true;
    if (!e) return NULL;
    *e = (gt__extended){.tape = tape, .count = root.index + 1, .n_leaves = n_leaves};
    for (int k = 0; k < n_leaves; k++) e->leaf[k] = leaf[k];
    e->kind = resize(tape, NULL, 0, e->count);
    e->place = resize(tape, NULL, 0, e->count * sizeof *e->place);
    bool ok = e->kind && e->place;
    if (ok) {
        memset(e->kind, UNUSED, e->count);
        mark_needed(e);
        ok = choose_kinds(e) && lay_out(e);
        *failed = ok;
    }
    if (ok) e->value = resize(tape, NULL, 0, (size_t)e->total * sizeof *e->value);
    if (ok) e->from = resize(tape, NULL, 0, (size_t)e->total * sizeof *e->from);
    if (ok && e->value && e->from && load_given(e) && trace_views(e)) {
        *failed = false;
        return e;
    }
    gt__extended_free(e);
    return NULL;
}

void gt__extended_free(gt__extended *e) {
    if (!e) return;
    gt_tape *tape = e->tape;
    if (e->kind) resize(tape, e->kind, e->count, 0);
    if (e->place) resize(tape, e->place, e->count * sizeof *e->place, 0);
    if (e->value) resize(tape, e->value, (size_t)e->total * sizeof *e->value, 0);
    if (e->from) resize(tape, e->from, (size_t)e->total * sizeof *e->from, 0);
    resize(tape, e, sizeof *e, 0);
}

long double *gt__extended_leaf(gt__extended *e, int k) {
    const uint32_t i = e->leaf[k].index;
    return i < e->count && e->kind[i] ? e->value + e->place[i] : NULL;
}

/* ---- computing ------------------------------------------------------------------------------------------------- */

static const long double *input_of(const gt__extended *e, gt_tensor t, int k) {
    return e->value + e->place[gt_in(t, k).index];
}

static void compute_row(const gt__extended *e, gt_tensor t, long double *y) {
    const gt_shape shape = gt_shape_of(t);
    const int n_in = gt_n_in(t);
    for (int64_t i = 0; i < gt_numel(shape); i++) {
        long double x[3] = {0};
        for (int k = 0; k < n_in && k < 3; k++)
            x[k] = input_of(e, t, k)[gt__place(gt_shape_of(gt_in(t, k)), shape, i)];
        y[i] = gt_op_of(t)->more.value(x, gt_args(t));
    }
}

static void compute_moved(const gt__extended *e, gt_tensor t, long double *y) {
    const long double *x = input_of(e, t, 0);
    const int32_t *from = e->from + e->place[t.index];
    for (int64_t i = 0; i < gt__count(t); i++) y[i] = x[from[i]];
}

/* Bit d: axis d is folded. */
static unsigned folded_axes(gt_tensor t) {
    const gt__over *over = gt_attr(t);
    const int rank = gt_rank(gt_in(t, 0));
    unsigned mask = 0;
    if (over->axes.count < 0) return (1u << rank) - 1;
    for (int k = 0; k < over->axes.count; k++)
        mask |= 1u << (over->axes.axis[k] + (over->axes.axis[k] < 0 ? rank : 0));
    return mask;
}

static long double fold(way kind, long double a, long double b) {
    if (kind == SUM) return a + b;
    return kind == LARGEST ? fmaxl(a, b) : fminl(a, b);
}

static void compute_fold(const gt__extended *e, gt_tensor t, way kind, long double *y) {
    const gt_shape in = gt_shape_of(gt_in(t, 0));
    const unsigned mask = folded_axes(t);
    const long double *x = input_of(e, t, 0);
    const long double start = kind == SUM ? 0 : kind == LARGEST ? -HUGE_VALL : HUGE_VALL;
    for (int64_t i = 0; i < gt__count(t); i++) y[i] = start;
    for (int64_t i = 0; i < gt_numel(in); i++) {
        int64_t at = 0, step = 1, rest = i;
        for (int d = in.rank - 1; d >= 0; d--) {
            if (!(mask >> d & 1u)) at += rest % in.dim[d] * step, step *= in.dim[d];
            rest /= in.dim[d];
        }
        y[at] = fold(kind, y[at], x[i]);
    }
}

static void compute_sums(const gt__extended *e, gt_tensor t, long double *y) {
    const int64_t n = gt__count(t);
    for (int64_t i = 0; i < n; i++) y[i] = 0;
    for (int k = 0; k < gt_n_in(t); k++)
        for (int64_t i = 0; i < n; i++) y[i] += input_of(e, t, k)[i];
}

static void compute_product(const gt__extended *e, gt_tensor t, long double *y) {
    const gt_shape a = gt_shape_of(gt_in(t, 0)), b = gt_shape_of(gt_in(t, 1));
    const int64_t rows = a.rank == 2 ? a.dim[0] : 1, inner = a.dim[a.rank - 1];
    const int64_t columns = b.rank == 2 ? b.dim[1] : 1;
    const long double *x = input_of(e, t, 0), *w = input_of(e, t, 1);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) y[r * columns + c] = 0;
        for (int64_t k = 0; k < inner; k++)
            for (int64_t c = 0; c < columns; c++)
                y[r * columns + c] += x[r * inner + k] * w[k * columns + c];
    }
}

static void compute(const gt__extended *e, uint32_t i) {
    const gt_tensor t = gt_tensor_at(e->tape, i);
    long double *y = e->value + e->place[i];
    const way kind = e->kind[i];
    switch (kind) {
    case ROW: compute_row(e, t, y); return;
    case MOVED: compute_moved(e, t, y); return;
    case SUM:
    case LARGEST:
    case SMALLEST: compute_fold(e, t, kind, y); return;
    case SUMS: compute_sums(e, t, y); return;
    case PRODUCT: compute_product(e, t, y); return;
    case SAME: memcpy(y, input_of(e, t, 0), (size_t)gt__count(t) * sizeof *y); return;
    default: return;
    }
}

const long double *gt__extended_run(gt__extended *e, long double *size) {
    for (uint32_t i = 0; i < e->count; i++)
        if (e->kind[i]) compute(e, i);
    *size = 0;
    for (int64_t i = 0; i < e->total; i++)
        if (isfinite(e->value[i])) *size = fmaxl(*size, fabsl(e->value[i]));
    return e->value + e->place[e->count - 1];
}
