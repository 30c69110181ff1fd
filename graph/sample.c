/* graph/sample.c: inputs for the tests that every operation brings along. Values are a function of the
 * seed and the draw, so that a failure can be repeated. */
#include "graph/graph.h"

#include <stdlib.h>

enum { MOST_ELEMENTS = 2048 };

/* An earlier input of this shape and kind, for f(x, x); -1 when there is none. */
static int twin(const gt_samples *s, gt_shape shape, gt_dtype dtype) {
    for (int k = 0; s->mode == GT_SAMPLE_ALIAS && !s->bad && k < s->drawn; k++)
        if (gt_same_shape(gt_shape_of(s->leaf[k]), shape) && gt_dtype_of(s->leaf[k]) == dtype)
            return k;
    return -1;
}

gt_tensor gt_sample_values(gt_samples *s, gt_shape shape, gt_dtype dtype, const double *values) {
    const int64_t numel = gt_numel(shape);
    if (s->mode == GT_SAMPLE_NONE) return gt_none();
    if (s->mode == GT_SAMPLE_POISON) return gt_tensor_at(s->tape, UINT32_MAX);
    const int known = gt_dtype_is_float(dtype) ? twin(s, shape, dtype) : -1;
    if (known >= 0) return s->given[known];
    if (numel < 0 || numel > MOST_ELEMENTS || s->drawn >= GT_SAMPLE_MOST)
        return gt_fail(s->tape, "sample: too many elements or inputs");
    union {
        double f64[MOST_ELEMENTS];
        float f32[MOST_ELEMENTS];
        int64_t i64[MOST_ELEMENTS];
        int32_t i32[MOST_ELEMENTS];
        unsigned char boolean[MOST_ELEMENTS];
    } buffer;
    for (int64_t i = 0; i < numel; i++) {
        switch (dtype) {
        case GT_F32: buffer.f32[i] = (float)values[i]; break;
        case GT_I32: buffer.i32[i] = (int32_t)values[i]; break;
        case GT_I64: buffer.i64[i] = (int64_t)values[i]; break;
        case GT_BOOL: buffer.boolean[i] = values[i] != 0; break;
        default: buffer.f64[i] = values[i];
        }
    }
    gt_tensor given = gt_input(s->tape, &buffer, shape, dtype);
    s->leaf[s->drawn] = given;
    if (s->mode == GT_SAMPLE_VIEW && s->viewer && !s->bad) given = s->viewer(given);
    s->given[s->drawn++] = given;
    return given;
}

static int64_t draw_count(gt_shape shape) {
    const int64_t numel = gt_numel(shape);
    return numel < 0 || numel > MOST_ELEMENTS ? 0 : numel;
}

gt_tensor gt_sample_range(gt_samples *s, gt_shape shape, double low, double high) {
    double value[MOST_ELEMENTS] = {0};
    const int64_t numel = draw_count(shape);
    for (int64_t i = 0; i < numel; i++)
        value[i] = low + (high - low) * gt_uniform(s->seed, (uint64_t)s->drawn, (uint64_t)i);
    return gt_sample_values(s, shape, s->dtype, value);
}

gt_tensor gt_sample(gt_samples *s, gt_shape shape) {
    const bool ranged = s->op && s->op->more.low < s->op->more.high;
    return gt_sample_range(s, shape, ranged ? s->op->more.low : -2, ranged ? s->op->more.high : 2);
}

/* A shuffled ladder of steps of 0.25, jittered by less than 0.1. */
gt_tensor gt_sample_distinct(gt_samples *s, gt_shape shape) {
    double value[MOST_ELEMENTS] = {0};
    const int64_t numel = draw_count(shape);
    const int64_t middle = numel / 2;
    for (int64_t i = 0; i < numel; i++)
        value[i] = 0.25 * (double)(i - middle) +
                   0.1 * gt_uniform(s->seed, (uint64_t)s->drawn + 100, (uint64_t)i);
    for (int64_t i = numel - 1; i > 0; i--) {
        const double u = gt_uniform(s->seed, (uint64_t)s->drawn + 200, (uint64_t)i);
        const int64_t j = (int64_t)(u * (double)(i + 1));
        const double swapped = value[i];
        value[i] = value[j];
        value[j] = swapped;
    }
    return gt_sample_values(s, shape, s->dtype, value);
}

gt_tensor gt_sample_int(gt_samples *s, gt_shape shape, gt_dtype dtype, int64_t below) {
    double value[MOST_ELEMENTS] = {0};
    const int64_t numel = draw_count(shape);
    for (int64_t i = 0; i < numel; i++) {
        const double u = gt_uniform(s->seed, (uint64_t)s->drawn + 300, (uint64_t)i);
        value[i] = (double)(int64_t)(u * (double)below);
    }
    return gt_sample_values(s, shape, dtype, value);
}

void gt_sample_bad(gt_samples *s, const char *message) { s->bad = message; }
void gt_sample_no_gradient(gt_samples *s) { s->no_gradient = true; }
gt_dtype gt_sample_dtype(const gt_samples *s) { return s->dtype; }
gt_tape *gt_sample_tape(gt_samples *s) { return s->tape; }

gt_tensor gt_samples_end(gt_samples *s) {
    s->ended = true;
    return gt_none();
}
