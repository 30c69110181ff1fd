/* ops/shape.c: see shape.h. */
#include "ops/shape.h"

#include <string.h>

/* ---- texts, axes, attributes ---------------------------------------------------------------- */

const char *gt__list_sizes(gt_shape shape, char text[GT__SHAPE_TEXT]) {
    size_t used = 0;
    text[0] = 0;
    for (int d = 0; d < shape.rank && d < GT_MAX_RANK; d++)
        used += (size_t)snprintf(text + used, GT__SHAPE_TEXT - used, "%s%lld", d ? "," : "",
                                 (long long)shape.dim[d]);
    return text;
}

const char *gt__tensor_text(gt_tensor x, char text[GT__TENSOR_TEXT]) {
    char sizes[GT__SHAPE_TEXT], label[GT__TENSOR_TEXT - GT__SHAPE_TEXT - 2];
    snprintf(text, GT__TENSOR_TEXT, "%s[%s]", gt_label(x, label, sizeof label),
             gt__list_sizes(gt_shape_of(x), sizes));
    return text;
}

int gt__tensor_axis(gt_tensor x, const char *who, int axis, int rank) {
    char text[GT__TENSOR_TEXT];
    const int resolved = axis < 0 ? axis + rank : axis;
    if (resolved >= 0 && resolved < rank) return resolved;
    gt_fail(x.tape, "%s: no axis %d in %s of rank %d", who, axis, gt__tensor_text(x, text),
            gt_rank(x));
    return -1;
}

void gt__set_shape(gt_shape *attr, gt_shape shape) {
    memset(attr, 0, sizeof *attr);
    attr->rank = shape.rank;
    for (int d = 0; d < shape.rank && d < GT_MAX_RANK; d++) attr->dim[d] = shape.dim[d];
}

gt_axes gt__clean_axes(gt_axes axes) {
    gt_axes clean;
    memset(&clean, 0, sizeof clean);
    clean.count = axes.count;
    for (int i = 0; i < axes.count && i < GT_MAX_RANK; i++) clean.axis[i] = axes.axis[i];
    return clean;
}

/* ---- regions -------------------------------------------------------------------------------- */

/* Two strided arrays of one shape, without axes of size 1 and with axes joined where both allow it.
 */
typedef struct region {
    int rank;
    int64_t dim[GT_MAX_RANK], to[GT_MAX_RANK], from[GT_MAX_RANK];
} region;

static region make_region(const int64_t *to_stride, const gt_array *from) {
    region r = {0, {0}, {0}, {0}};
    for (int d = 0; d < from->shape.rank; d++) {
        const int64_t n = from->shape.dim[d], to = to_stride[d], step = from->stride[d];
        const int last = r.rank - 1;
        if (n == 1) continue;
        if (last >= 0 && r.to[last] == n * to && r.from[last] == n * step) {
            r.dim[last] *= n;
            r.to[last] = to;
            r.from[last] = step;
            continue;
        }
        r.dim[r.rank] = n;
        r.to[r.rank] = to;
        r.from[r.rank++] = step;
    }
    return r;
}

typedef void (*line)(char *to, int64_t to_stride, const char *from, int64_t from_stride, int64_t n);

#define COPY_LINE(bytes)                                                                           \
    static void copy_line_##bytes(char *to, int64_t to_stride, const char *from,                   \
                                  int64_t from_stride, int64_t n) {                                \
        if (to_stride == 1 && from_stride == 1) {                                                  \
            memcpy(to, from, (size_t)n *bytes);                                                    \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = 0; i < n; i++)                                                            \
            memcpy(to + i * to_stride * bytes, from + i * from_stride * bytes, bytes);             \
    }
COPY_LINE(1)
COPY_LINE(2)
COPY_LINE(4)
COPY_LINE(8)

#define ADD_LINE(type)                                                                             \
    static void add_line_##type(char *to, int64_t to_stride, const char *from,                     \
                                int64_t from_stride, int64_t n) {                                  \
        type *y = (type *)(void *)to;                                                              \
        const type *x = (const type *)(const void *)from;                                          \
        if (to_stride == 1 && from_stride == 1)                                                    \
            for (int64_t i = 0; i < n; i++) y[i] += x[i];                                          \
        else                                                                                       \
            for (int64_t i = 0; i < n; i++) y[i * to_stride] += x[i * from_stride];                \
    }
ADD_LINE(float)
ADD_LINE(double)

static void each_line(void *to, const int64_t *to_stride, const gt_array *from, line work) {
    if (gt_numel(from->shape) == 0) return;
    const region r = make_region(to_stride, from);
    const int64_t size = (int64_t)gt_dtype_size(from->dtype);
    const int inner = r.rank - 1;
    if (inner < 0) {
        work(to, 1, from->data, 1, 1);
        return;
    }
    int64_t at[GT_MAX_RANK] = {0};
    for (;;) {
        int64_t to_offset = 0, from_offset = 0;
        for (int d = 0; d < inner; d++) {
            to_offset += at[d] * r.to[d];
            from_offset += at[d] * r.from[d];
        }
        work((char *)to + to_offset * size, r.to[inner],
             (const char *)from->data + from_offset * size, r.from[inner], r.dim[inner]);
        int d = inner - 1;
        for (; d >= 0 && ++at[d] == r.dim[d]; d--) at[d] = 0;
        if (d < 0) return;
    }
}

void gt__region_copy(void *to, const int64_t *to_stride, const gt_array *from) {
    switch (gt_dtype_size(from->dtype)) {
    case 1: each_line(to, to_stride, from, copy_line_1); break;
    case 2: each_line(to, to_stride, from, copy_line_2); break;
    case 4: each_line(to, to_stride, from, copy_line_4); break;
    default: each_line(to, to_stride, from, copy_line_8);
    }
}

void gt__region_add(void *to, const int64_t *to_stride, const gt_array *from) {
    each_line(to, to_stride, from, from->dtype == GT_F32 ? add_line_float : add_line_double);
}
