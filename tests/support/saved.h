/* tests/support/saved.h: copies of tensors' values, to compare with those of another recording. */
#ifndef TESTS_SAVED_H
#define TESTS_SAVED_H

#include "check/probe.h"

typedef struct saved {
    int count;
    gt_dtype dtype[GT__PROBE_LEAVES];
    gt_shape shape[GT__PROBE_LEAVES];
    void *data[GT__PROBE_LEAVES];
} saved;

/* Runs and copies; false when that fails. Forget it in any case. */
bool saved_take(saved *v, gt_tape *tape, const gt_tensor *from, int count);
void saved_forget(saved *v);
/* NaN equals NaN here, and -0 equals 0 unless bits are compared. */
bool saved_same(const saved *a, const saved *b, bool bits);
bool saved_finite(const saved *v);
/* The largest size of a finite element of tensor k. */
double saved_largest(const saved *v, int k);

#endif
