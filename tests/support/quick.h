/* tests/support/quick.h: short words for tests. */
#ifndef GT_TEST_QUICK_H
#define GT_TEST_QUICK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradtape.h"

static inline gt_tensor quick_scalar(gt_tape *tape, double value) {
    return gt_input(tape, &value, GT_SCALAR, GT_F64);
}

/* A trainable scalar of that name, which begins at value. */
static inline gt_tensor quick_param(gt_tape *tape, const char *name, double value) {
    return gt_param(tape, name, GT_SCALAR, GT_F64, gt_init_constant(value));
}

/* False for NaN. */
static inline bool quick_near(double value, double expected, double tolerance) {
    return fabs(value - expected) <= tolerance;
}

static inline bool quick_failed_with(const gt_tape *tape, const char *part) {
    return gt_failed(tape) && strstr(gt_error(tape), part) != NULL;
}

static inline double quick_value(gt_params *params, const char *name) {
    gt_param_info info;
    if (!gt_params_find(params, name, &info)) return (double)NAN;
    return info.dtype == GT_F64 ? *(const double *)info.data : (double)*(const float *)info.data;
}

/* Bits of a number, f64 or f32; NaNs are all one. */
static inline uint64_t quick_bits(const void *number, gt_dtype dtype) {
    uint64_t bits = 0;
    const double value = dtype == GT_F64 ? *(const double *)number : (double)*(const float *)number;
    if (isnan(value)) return UINT64_MAX;
    memcpy(&bits, number, gt_dtype_size(dtype));
    return bits;
}

/* A copy of the tensor's elements, which the caller frees, and its size; NULL: see the tape's error. */
static inline void *quick_copy(gt_tensor t, size_t *bytes) {
    const void *data = gt_data(t);
    *bytes = (size_t)gt_numel(gt_shape_of(t)) * gt_dtype_size(gt_dtype_of(t));
    void *copy = data ? malloc(*bytes) : NULL;
    if (copy) memcpy(copy, data, *bytes);
    return copy;
}

/* A graph that ends in a long chain: with more nodes than a small graph has, but what it computes is f. */
enum { QUICK_LONG = 400 };
static inline gt_tensor quick_lengthened(gt_tensor f) {
    for (int i = 0; i < QUICK_LONG; i++) f = gt_add_scalar(f, i % 2 ? 0.25 : -0.25);
    return f;
}

#endif
