/* graph/tiles.c: element-wise operations, tile by tile: operands of any stride are gathered into scratch that stays
 * in the first cache, and the operation's kernel sees contiguous tiles only. */
#include "graph/tape.h"

#include <string.h>

/* ---- tiles -------------------------------------------------------------------------------------------- */

enum { TILE = 512 };

/* A broadcast input of an element-wise operation, tile by tile. */
typedef struct loader {
    gt_array array; /* strides over the result's shape */
    bool direct, uniform;
} loader;

static loader make_loader(const gt_array *in, gt_shape shape) {
    loader l = {.array = *in};
    l.direct = gt_same_shape(in->shape, shape) && gt__is_contiguous(in);
    l.uniform = gt_numel(in->shape) == 1;
    const int skip = shape.rank - in->shape.rank;
    for (int d = 0; d < shape.rank; d++) {
        const bool repeats = d < skip || in->shape.dim[d - skip] == 1;
        l.array.stride[d] = repeats ? 0 : in->stride[d - skip];
    }
    l.array.shape = shape;
    return l;
}

/* Sizes known to the compiler: a call of memcpy for each element would cost more than the operation. */
static void repeat(void *to, const void *element, int64_t count, size_t size) {
    char *byte = to;
    if (size == 4)
        for (int64_t k = 0; k < count; k++) memcpy(byte + k * 4, element, 4);
    else if (size == 8)
        for (int64_t k = 0; k < count; k++) memcpy(byte + k * 8, element, 8);
    else
        for (int64_t k = 0; k < count; k++) memcpy(byte + (size_t)k * size, element, size);
}

static const void *load(const loader *l, void *scratch, int64_t start, int64_t count, bool first) {
    const size_t size = gt_dtype_size(l->array.dtype);
    if (l->direct) return (const char *)l->array.data + (size_t)start * size;
    if (!l->uniform)
        gt__gather(scratch, &l->array, start, count);
    else if (first) /* no later tile is longer */
        repeat(scratch, l->array.data, count, size);
    return scratch;
}

static void run_tiles(const gt_call *call, gt_tile tile, const loader *l, int64_t first,
                      int64_t last) {
    double scratch[3][TILE];
    const void *x[3] = {NULL, NULL, NULL};
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape);
    for (int64_t t = first; t < last; t++) {
        const int64_t start = t * TILE, count = numel - start < TILE ? numel - start : TILE;
        for (int k = 0; k < call->n_in; k++)
            x[k] = load(&l[k], scratch[k], start, count, t == first);
        tile((char *)out->data + (size_t)start * gt_dtype_size(out->dtype), x, call->arg, count);
    }
}

/* Scalars would pay for a whole vector. */
static gt_tile tile_of(const gt_call *call, gt_dtype in) {
    const gt_op_more *more = &call->op->more;
    const gt_tape *tape = ((const gt__context *)call->internal)->tape;
    const bool exact = more->exact && (tape->exact || call->out[0].shape.rank == 0);
    return (exact ? more->exact : more->tile)(in, call->out[0].dtype);
}

bool gt__run_elementwise(gt_call *call) {
    gt_array *out = &call->out[0];
    const gt_dtype in_dtype = call->n_in ? call->in[call->n_in - 1].dtype : out->dtype;
    const gt_tile tile = tile_of(call, in_dtype);
    if (!tile || call->n_in > 3)
        return gt_call_fail(call, "not defined for %s", gt_dtype_name(in_dtype));
    if (out->shape.rank == 0) { /* then so are the inputs: graphs of scalars have many of these */
        const void *x[3] = {NULL, NULL, NULL};
        for (int k = 0; k < call->n_in; k++) x[k] = call->in[k].data;
        tile(out->data, x, call->arg, 1);
        return true;
    }
    const int64_t numel = gt_numel(out->shape), tiles = (numel + TILE - 1) / TILE;
    loader l[3];
    for (int k = 0; k < call->n_in; k++) l[k] = make_loader(&call->in[k], out->shape);
#ifdef GT_WITH_OPENMP
    enum { SHARE = 32 }; /* tiles that are worth a thread's while */
    if (tiles >= 4 * SHARE) {
#pragma omp parallel for schedule(static)
        for (int64_t share = 0; share < (tiles + SHARE - 1) / SHARE; share++) {
            const int64_t end = (share + 1) * SHARE;
            run_tiles(call, tile, l, share * SHARE, end < tiles ? end : tiles);
        }
        return true;
    }
#endif
    run_tiles(call, tile, l, 0, tiles);
    return true;
}
