/* bench/common/workload.c: drawing numbers into arrays and parameters. */
#include "workload.h"

#include <stdarg.h>
#include <stdlib.h>

/* The block that the last weights were drawn in. Others would leave holes in the heap, which would count as the
 * workload's memory, or not, by chance. */
static struct {
    float *block;
    int64_t count;
} last_drawn;

/* Begins where a cache line does, as PyTorch's tensors do. */
static float *room_for(int64_t count) {
    enum { LINE = 64 };
    float *block = last_drawn.block;
    if (!block || count != last_drawn.count)
        return aligned_alloc(LINE, ((size_t)count * sizeof(float) + LINE - 1) / LINE * LINE);
    last_drawn.block = NULL;
    return block;
}

float *bench_draw_uniform(bench_draw *draw, int64_t count, double low, double high) {
    float *values = room_for(count);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = (float)(low + (high - low) * bench_uniform(draw));
    return values;
}

float *bench_draw_normal(bench_draw *draw, int64_t count, double scale) {
    float *values = room_for(count);
    for (int64_t i = 0; values && i < count; i++) values[i] = (float)(scale * bench_normal(draw));
    return values;
}

int32_t *bench_draw_labels(bench_draw *draw, int64_t count, int below) {
    int32_t *labels = malloc((size_t)count * sizeof *labels);
    for (int64_t i = 0; labels && i < count; i++)
        labels[i] = (int32_t)(below * bench_uniform(draw));
    return labels;
}

bool bench_start_from(training *t, const char *name, gt_shape shape, float *values) {
    const bool ok = values && gt_param_set(t->params, name, shape, GT_F32, values, true);
    if (!values) return ok;
    free(last_drawn.block);
    last_drawn.block = values;
    last_drawn.count = gt_numel(shape);
    return ok;
}

gt_tensor bench_weight(training *t, gt_shape shape, const char *format, ...) {
    char name[64];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    return gt_param(t->tape, name, shape, GT_F32, gt_init_zeros());
}
