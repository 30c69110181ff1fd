/* tests/support/saved.c: see saved.h. */
#include "support/saved.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/memory.h"

void saved_forget(saved *v) {
    for (int k = 0; k < v->count; k++) free(v->data[k]);
    v->count = 0;
}

bool saved_take(saved *v, gt_tape *tape, const gt_tensor *from, int count) {
    v->count = 0;
    if (!gt_run(tape, from, count)) return false;
    for (int k = 0; k < count; k++) {
        const void *data = gt_data(from[k]);
        const size_t bytes = (size_t)gt__count(from[k]) * gt_dtype_size(gt_dtype_of(from[k]));
        if (!data && bytes) return false;
        v->dtype[k] = gt_dtype_of(from[k]);
        v->shape[k] = gt_shape_of(from[k]);
        v->data[k] = test_memory(bytes);
        if (bytes) memcpy(v->data[k], data, bytes);
        v->count = k + 1;
    }
    return true;
}

bool saved_same(const saved *a, const saved *b, bool bits) {
    if (a->count != b->count) return false;
    for (int k = 0; k < a->count; k++) {
        if (a->dtype[k] != b->dtype[k] || !gt_same_shape(a->shape[k], b->shape[k])) return false;
        const int64_t n = gt_numel(a->shape[k]);
        const size_t bytes = (size_t)n * gt_dtype_size(a->dtype[k]);
        if (memcmp(a->data[k], b->data[k], bytes) == 0) continue;
        if (bits || !gt_dtype_is_float(a->dtype[k])) return false;
        for (int64_t i = 0; i < n; i++) {
            const double x = gt__element(a->data[k], a->dtype[k], i);
            const double y = gt__element(b->data[k], b->dtype[k], i);
            if (!(x == y || (isnan(x) && isnan(y)))) return false;
        }
    }
    return true;
}

bool saved_finite(const saved *v) {
    for (int k = 0; k < v->count; k++)
        for (int64_t i = 0; gt_dtype_is_float(v->dtype[k]) && i < gt_numel(v->shape[k]); i++)
            if (!isfinite(gt__element(v->data[k], v->dtype[k], i)) && v->dtype[k] != GT_BF16)
                return false;
    return true;
}

double saved_largest(const saved *v, int k) {
    double most = 0;
    for (int64_t i = 0; i < gt_numel(v->shape[k]); i++) {
        const double x = fabs(gt__element(v->data[k], v->dtype[k], i));
        if (isfinite(x) && x > most) most = x;
    }
    return most;
}
