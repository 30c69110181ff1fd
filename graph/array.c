/* graph/array.c: kinds of elements, shapes and strides: what needs no tape. */
#include "graph/tape.h"

#include <string.h>

#include "graph/threads.h"
#include "graph/wide.h"

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

void gt__channels_last(gt_array *a) {
    const int last = a->shape.rank - 1;
    int64_t stride = a->shape.dim[1];
    a->stride[1] = 1;
    for (int d = last; d > 1; d--) {
        a->stride[d] = stride;
        stride *= a->shape.dim[d];
    }
    a->stride[0] = stride;
}

bool gt_is_channels_last(const gt_array *a) {
    if (a->shape.rank < 3 || gt__is_contiguous(a)) return false;
    gt_array last = *a;
    gt__channels_last(&last);
    for (int d = 0; d < a->shape.rank; d++)
        if (a->shape.dim[d] > 1 && a->stride[d] != last.stride[d]) return false;
    return true;
}

void gt__move_channels_last(gt_array *a, int rank) {
    const gt_array old = *a;
    const int more = rank - old.shape.rank, last = rank - 1;
    a->shape.rank = rank;
    for (int d = 0; d < rank; d++) {
        const int from = (d == 0 ? 0 : d == last ? 1 : d + 1) - more;
        a->shape.dim[d] = from < 0 ? 1 : old.shape.dim[from];
        a->stride[d] = from < 0 ? 0 : old.stride[from];
    }
}

/* ---- copying out of strides -------------------------------------------------------------------------- */

void gt__merge_axes(gt_array *a) {
    int rank = 0;
    for (int d = 0; d < a->shape.rank; d++) {
        const int64_t dim = a->shape.dim[d], stride = a->stride[d];
        if (dim == 1) continue;
        if (rank && a->stride[rank - 1] == dim * stride) {
            a->shape.dim[rank - 1] *= dim;
        } else {
            a->shape.dim[rank++] = dim;
        }
        a->stride[rank - 1] = stride;
    }
    a->shape.rank = rank;
}

/* Sizes known to the compiler: a call of memcpy for each element would cost more than the operation. */
#define REPEAT(bytes, word)                                                                        \
    GT__WIDE_VECTORS static void repeat_##bytes(char *to, const char *from, int64_t step,          \
                                                int64_t lines, int64_t count) {                    \
        for (int64_t line = 0; line < lines; line++, from += step * bytes) {                       \
            word element;                                                                          \
            memcpy(&element, from, bytes);                                                         \
            for (int64_t k = 0; k < count; k++, to += bytes) memcpy(to, &element, bytes);          \
        }                                                                                          \
    }
REPEAT(4, uint32_t)
REPEAT(8, uint64_t)

void gt__repeat(char *to, const char *from, int64_t step, int64_t lines, int64_t count,
                size_t size) {
    if (size == 4) {
        repeat_4(to, from, step, lines, count);
    } else if (size == 8) {
        repeat_8(to, from, step, lines, count);
    } else {
        for (int64_t line = 0; line < lines; line++, from += step * (int64_t)size)
            for (int64_t k = 0; k < count; k++, to += size) memcpy(to, from, size);
    }
}

/* Copies `count` elements that are `stride` apart. */
static void copy_line(char *to, const char *from, int64_t stride, int64_t count, size_t size) {
    if (stride == 1)
        memcpy(to, from, (size_t)count * size);
    else if (stride == 0)
        gt__repeat(to, from, 0, 1, count, size);
    else if (size == 4)
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 4, from + i * stride * 4, 4);
    else if (size == 8)
        for (int64_t i = 0; i < count; i++) memcpy(to + i * 8, from + i * stride * 8, 8);
    else
        for (int64_t i = 0; i < count; i++)
            memcpy(to + (size_t)i * size, from + i * stride * (int64_t)size, size);
}

/* Writes the `period` bytes before `to` again and again. */
static void copy_periods(char *to, size_t period, size_t bytes) {
    const char *from = to - period;
    for (size_t known = period; bytes > 0; known *= 2) {
        const size_t n = known < bytes ? known : bytes;
        memcpy(to, from, n);
        to += n;
        bytes -= n;
    }
}

/* Copies `lines` lines along the last axis, after the one at `offset`, which stands before `to`. */
static void copy_lines(char *to, const gt_array *a, int64_t offset, int64_t lines) {
    const int64_t size = (int64_t)gt_dtype_size(a->dtype), last = a->shape.rank - 1;
    const int64_t length = a->shape.dim[last], step = a->stride[last], apart = a->stride[last - 1];
    const char *from = (const char *)a->data + offset * size;
    if (apart == 0)
        copy_periods(to, (size_t)(length * size), (size_t)(lines * length * size));
    else if (step == 0)
        gt__repeat(to, from + apart * size, apart, lines, length, (size_t)size);
    else
        for (int64_t k = 0; k < lines; k++)
            copy_line(to + k * length * size, from + (k + 1) * apart * size, step, length,
                      (size_t)size);
}

/* To the next line along the last axis. */
static void next_line(const gt_array *a, int64_t *at, int64_t *offset) {
    for (int d = a->shape.rank - 2; d >= 0; d--) {
        *offset += a->stride[d];
        if (++at[d] < a->shape.dim[d]) return;
        *offset -= a->shape.dim[d] * a->stride[d];
        at[d] = 0;
    }
}

/* Copies elements [start, start + count) of a strided array, in row-major order. */
void gt__gather(char *to, const gt_array *a, int64_t start, int64_t count) {
    const size_t size = gt_dtype_size(a->dtype);
    const int last = a->shape.rank - 1, above = last - 1;
    if (last < 0) {
        memcpy(to, a->data, size);
        return;
    }
    const int64_t length = a->shape.dim[last];
    int64_t at[GT_MAX_RANK], rest = start, offset = 0;
    for (int d = last; d >= 0; d--) {
        at[d] = rest % a->shape.dim[d];
        rest /= a->shape.dim[d];
        if (d < last) offset += at[d] * a->stride[d];
    }
    // cppcheck-suppress uninitvar; the loop above has begun with it
    for (int64_t in_line = at[last]; count > 0; in_line = 0) {
        const int64_t left = length - in_line, run = left < count ? left : count;
        const int64_t from = offset + in_line * a->stride[last];
        copy_line(to, (const char *)a->data + from * (int64_t)size, a->stride[last], run, size);
        to += (size_t)run * size;
        count -= run;
        if (above >= 0 && run == length) { /* whole lines follow */
            const int64_t rest_above = a->shape.dim[above] - 1 - at[above];
            const int64_t lines = rest_above < count / length ? rest_above : count / length;
            copy_lines(to, a, offset, lines);
            to += (size_t)(lines * length) * size;
            count -= lines * length;
            at[above] += lines;
            offset += lines * a->stride[above];
        }
        next_line(a, at, &offset);
    }
}

typedef struct copying {
    char *to;
    gt_array from; /* merged */
    int64_t numel, share;
} copying;

static void copy_share(const void *job, int64_t i, int thread) {
    const copying *c = job;
    const int64_t start = i * c->share, left = c->numel - start;
    (void)thread;
    gt__gather(c->to + (size_t)start * gt_dtype_size(c->from.dtype), &c->from, start,
               left < c->share ? left : c->share);
}

void gt__copy_strided(void *to, const gt_array *from) {
    enum { SHARE = 1 << 14, LEAST = 4 }; /* elements of a share; shares worth several threads */
    copying c = {to, *from, gt_numel(from->shape), SHARE};
    gt__merge_axes(&c.from);
    if (c.numel < LEAST * SHARE) c.share = c.numel;
    if (c.numel) gt__share((c.numel + c.share - 1) / c.share, gt__threads(), copy_share, &c);
}

bool gt__is_contiguous(const gt_array *a) {
    gt_array plain = *a;
    gt__contiguous(&plain);
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dim[i] > 1 && a->stride[i] != plain.stride[i]) return false;
    return true;
}
