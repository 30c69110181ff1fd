/* graph/array.c: kinds of elements, shapes and strides: what needs no tape. */
#include "graph/tape.h"

#include <string.h>

/* ---- kinds ------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    size_t size;
} kinds[GT_N_DTYPES] = {[GT_F32] = {"f32", 4}, [GT_F64] = {"f64", 8},   [GT_I32] = {"i32", 4},
                        [GT_I64] = {"i64", 8}, [GT_BOOL] = {"bool", 1}, [GT_BF16] = {"bf16", 2}};

size_t gt_dtype_size(gt_dtype dtype) {
    return (unsigned)dtype < GT_N_DTYPES ? kinds[dtype].size : 0;
}
const char *gt_dtype_name(gt_dtype dtype) {
    return (unsigned)dtype < GT_N_DTYPES ? kinds[dtype].name : "no dtype";
}
bool gt_dtype_is_float(gt_dtype dtype) {
    return dtype == GT_F32 || dtype == GT_F64 || dtype == GT_BF16;
}

/* ---- shapes ---------------------------------------------------------------------------------------- */

const char *gt__shape_text(gt_shape shape, char *buffer, size_t size) {
    size_t used = 0;
    buffer[0] = 0;
    for (int i = 0; i < shape.rank && i < GT_MAX_RANK && used + 24 < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", i ? "," : "",
                                 (long long)shape.dim[i]);
    return buffer;
}

bool gt__checked_numel(gt_shape shape, size_t size, int64_t *numel) {
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) return false;
        if (shape.dim[i] == 0) {
            empty = true;
            continue;
        }
        if (n > INT64_MAX / 16 / shape.dim[i]) return false;
        n *= shape.dim[i];
    }
    *numel = empty ? 0 : n;
    return (uint64_t)n <= (uint64_t)(SIZE_MAX / 8) / size;
}

int64_t gt_numel(gt_shape shape) {
    int64_t n = 1;
    for (int i = 0; i < shape.rank && i < GT_MAX_RANK; i++) n *= shape.dim[i];
    return n;
}

bool gt_same_shape(gt_shape a, gt_shape b) {
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

void gt__contiguous(gt_array *a) {
    int64_t stride = 1;
    for (int i = a->shape.rank - 1; i >= 0; i--) {
        a->stride[i] = stride;
        stride *= a->shape.dim[i];
    }
}

/* ---- copying out of strides -------------------------------------------------------------------------- */

/* Copies `count` elements that are `stride` apart. */
static void copy_line(char *to, const char *from, int64_t stride, int64_t count, size_t size) {
    if (stride == 1) {
        memcpy(to, from, (size_t)count * size);
        return;
    }
    if (stride == 0 && size == 4) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, from, 4);
    } else if (size == 4) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, from + i * stride * 4, 4);
    } else if (size == 8) {
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 8, from + i * stride * 8, 8);
    } else {
        for (int64_t i = 0; i < count; i++)
            memcpy(to + (size_t)i * size, from + i * stride * (int64_t)size, size);
    }
}

/* Copies elements [start, start + count) of a strided array, in row-major order. */
void gt__gather(char *to, const gt_array *a, int64_t start, int64_t count) {
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
        copy_line(to, (const char *)a->data + offset * (int64_t)size, a->stride[last], run_length,
                  size);
        to += (size_t)run_length * size;
        count -= run_length;
        at[last] = 0;
        for (int d = last - 1; d >= 0 && ++at[d] == a->shape.dim[d]; d--) at[d] = 0;
    }
}

void gt__copy_strided(void *to, const gt_array *from) {
    const int64_t numel = gt_numel(from->shape);
    if (numel) gt__gather(to, from, 0, numel);
}

bool gt__is_contiguous(const gt_array *a) {
    gt_array plain = *a;
    gt__contiguous(&plain);
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dim[i] > 1 && a->stride[i] != plain.stride[i]) return false;
    return true;
}
