/* ops/threads.h: what kernels need to share work among threads. Private to ops/. */
#ifndef GT_OPS_THREADS_H
#define GT_OPS_THREADS_H

#include "graph/graph.h"

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

/* How many threads share so many tasks. */
static inline int gt__threads_for(int64_t tasks) {
#ifdef GT_WITH_OPENMP
    const int most = omp_get_max_threads();
#else
    const int most = 1;
#endif
    return tasks < most ? (int)tasks : most;
}

/* A thread computes in its caller's float mode; returns its own, to be set again after it. */
static inline unsigned gt__enter(unsigned mode) {
    const unsigned own = gt_float_mode();
    gt_set_float_mode(mode);
    return own;
}

#endif
