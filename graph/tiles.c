/* graph/tiles.c: element-wise operations, tile by tile: operands of any stride are gathered into scratch that stays
 * in the first cache, and the operation's kernel sees contiguous tiles only. */
#include "graph/tape.h"

#include <string.h>

/* ---- copying out of strides -------------------------------------------------------------------------- */

/* Copies `count` elements that are `stride` apart. */
static void copy_line(char *to, const char *from, int64_t stride, int64_t count, size_t size) {
    if (stride == 1) {
        memcpy(to, from, (size_t)count * size);
        return;
    }
    if (size == 4) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, from + i * stride * 4, 4);
    } else if (size == 8) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 8, from + i * stride * 8, 8);
    } else {
        for (int64_t i = 0; i < count; i++)
            memcpy(to + (size_t)i * size, from + i * stride * (int64_t)size, size);
    }
}

/* Copies elements [start, start + count) of a strided array, in row-major order. */
static void gather(char *to, const gt_array *a, int64_t start, int64_t count) {
    const size_t size = gt_dtype_size(a->dtype);
    const int rank = a->shape.rank;
    if (rank == 0) {
        memcpy(to, a->data, size);
        return;
    }
    int64_t at[GT_MAX_RANK], rest = start;
    for (int d = rank - 1; d >= 0; d--) {
        at[d] = rest % a->shape.dim[d];
        rest /= a->shape.dim[d];
    }
    const int last = rank - 1;
    while (count > 0) {
        int64_t offset = 0, run_length = a->shape.dim[last] - at[last];
        for (int d = 0; d < rank; d++) offset += at[d] * a->stride[d];
        if (run_length > count) run_length = count;
        copy_line(to, (const char *)a->data + offset * (int64_t)size, a->stride[last], run_length, size);
        to += (size_t)run_length * size;
        count -= run_length;
        at[last] = 0;
        for (int d = last - 1; d >= 0 && ++at[d] == a->shape.dim[d]; d--) at[d] = 0;
    }
}

void gt__copy_strided(void *to, const gt_array *from) {
    const int64_t numel = gt_numel(from->shape);
    if (numel) gather(to, from, 0, numel);
}

bool gt__is_contiguous(const gt_array *a) {
    gt_array plain = *a;
    gt__contiguous(&plain);
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dim[i] > 1 && a->stride[i] != plain.stride[i]) return false;
    return true;
}

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

static const void *load(const loader *l, void *scratch, int64_t start, int64_t count, bool first) {
    const size_t size = gt_dtype_size(l->array.dtype);
    if (l->direct) return (const char *)l->array.data + (size_t)start * size;
    if (!l->uniform)
        gather(scratch, &l->array, start, count);
    else if (first)
        for (int k = 0; k < TILE; k++) memcpy((char *)scratch + (size_t)k * size, l->array.data, size);
    return scratch;
}

static void run_tiles(const gt_call *call, gt_tile tile, const loader *l, int64_t first, int64_t last) {
    double scratch[3][TILE];
    const void *x[3] = {NULL, NULL, NULL};
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape);
    for (int64_t t = first; t < last; t++) {
        const int64_t start = t * TILE, count = numel - start < TILE ? numel - start : TILE;
        for (int k = 0; k < call->n_in; k++) x[k] = load(&l[k], scratch[k], start, count, t == first);
        tile((char *)out->data + (size_t)start * gt_dtype_size(out->dtype), x, call->arg, count);
    }
}

bool gt__run_elementwise(gt_call *call) {
    gt_array *out = &call->out[0];
    const gt_dtype in_dtype = call->n_in ? call->in[call->n_in - 1].dtype : out->dtype;
    const gt_tile tile = call->op->more.tile(in_dtype, out->dtype);
    if (!tile || call->n_in > 3) return gt_call_fail(call, "not defined for %s", gt_dtype_name(in_dtype));
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
