/* tests/support/strided.c: two operations that undo one another, and are each other's gradient:
 * `spread` lays the elements of x out in a longer vector, `look` sees them through strides. */
#include "support/strided.h"

#include <math.h>
#include <string.h>

typedef struct layout {
    gt_shape shape;
    int64_t stride[GT_MAX_RANK];
    int64_t offset, size; /* elements of the vector */
    double fill;          /* what stands between the elements */
} layout;

static gt_tensor spread(gt_tensor x, const layout *l);
static gt_tensor look(gt_tensor vector, const layout *l);

static bool spread_shape(gt_call *call) {
    call->out[0].shape = GT_SHAPE(((const layout *)call->attr)->size);
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

static void put_fill(void *data, gt_dtype dtype, int64_t n, double fill) {
    memset(data, 0, (size_t)n * gt_dtype_size(dtype));
    for (int64_t i = 0; i < n && dtype == GT_F64; i++) ((double *)data)[i] = fill;
    for (int64_t i = 0; i < n && dtype == GT_F32; i++) ((float *)data)[i] = (float)fill;
}

static bool spread_kernel(gt_call *call) {
    const layout *l = call->attr;
    const gt_dtype dtype = call->in[0].dtype;
    const size_t size = gt_dtype_size(dtype);
    const int64_t n = gt_numel(l->shape);
    put_fill(call->out[0].data, dtype, l->size, l->fill);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, place = l->offset;
        for (int d = l->shape.rank - 1; d >= 0; d--) {
            place += rest % l->shape.dim[d] * l->stride[d];
            rest /= l->shape.dim[d];
        }
        memcpy((char *)call->out[0].data + (size_t)place * size,
               (const char *)call->in[0].data + (size_t)i * size, size);
    }
    return true;
}

static bool spread_pull(gt_pull *p) {
    p->gx[0] = look(p->up[0], p->attr);
    return true;
}

static bool look_view(const gt_call *call, gt_array *out, int64_t *offset) {
    const layout *l = call->attr;
    out->shape = l->shape;
    out->dtype = call->in[0].dtype;
    for (int d = 0; d < l->shape.rank; d++) out->stride[d] = l->stride[d] * call->in[0].stride[0];
    *offset = l->offset * call->in[0].stride[0];
    return true;
}

static bool look_shape(gt_call *call) {
    int64_t offset;
    return look_view(call, &call->out[0], &offset);
}

static bool look_pull(gt_pull *p) {
    layout zeros;
    memcpy(&zeros, p->attr, sizeof zeros);
    zeros.fill = 0;
    p->gx[0] = spread(p->up[0], &zeros);
    return true;
}

static const gt_op spread_op =
    GT_OP("spread", spread_shape, spread_kernel, GT_PULL(spread_pull), NULL, .linear = 1);
static const gt_op look_op =
    GT_OP("look", look_shape, NULL, GT_PULL(look_pull), NULL, .traits = GT_VIEW, .view = look_view);

static gt_tensor spread(gt_tensor x, const layout *l) {
    return gt_record(x.tape, &spread_op, &x, 1, l, sizeof *l, NULL, 0);
}
static gt_tensor look(gt_tensor vector, const layout *l) {
    return gt_record(vector.tape, &look_op, &vector, 1, l, sizeof *l, NULL, 0);
}

/* The axis that lies `place`-th from the slowest in memory. */
typedef int axis_order(int place, int rank);

static gt_tensor seen_through(gt_tensor x, axis_order *order, bool reversed, int64_t gap) {
    if (!gt_valid(x)) return x;
    layout l;
    memset(&l, 0, sizeof l); /* its bytes are an attribute */
    l.shape = gt_shape_of(x);
    l.fill = (double)NAN;
    int64_t step = gap;
    for (int place = l.shape.rank - 1; place >= 0; place--) {
        const int d = order(place, l.shape.rank);
        l.stride[d] = reversed ? -step : step;
        if (reversed && l.shape.dim[d] > 0) l.offset += (l.shape.dim[d] - 1) * step;
        step *= l.shape.dim[d];
    }
    l.size = step + gap; /* gap elements before and after */
    l.offset += gap;
    return look(spread(x, &l), &l);
}

static int last_first(int place, int rank) { return rank - 1 - place; }
static int in_order(int place, int rank) { return (void)rank, place; }
static int rotated(int place, int rank) { return (place + 1) % rank; }

gt_tensor view_transposed(gt_tensor x) { return seen_through(x, last_first, false, 1); }
gt_tensor view_reversed(gt_tensor x) { return seen_through(x, in_order, true, 1); }
gt_tensor view_with_gaps(gt_tensor x) { return seen_through(x, rotated, false, 3); }
