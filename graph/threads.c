/* graph/threads.c: tasks, divided among threads. See threads.h. */
#include "graph/threads.h"

#include "graph/graph.h"

#ifdef GT_WITH_OPENMP

#include <omp.h>
#include <stdatomic.h>

enum { CACHE_LINE = 64, MOST_LOTS = 64 };

/* The tasks that one thread begins with; it and its helpers take them in order. More threads than there are lots begin
 * with lots of others. */
typedef struct lot {
    _Alignas(CACHE_LINE) atomic_int_fast64_t next;
    int64_t end;
} lot;

typedef struct lots {
    lot lot[MOST_LOTS];
    int count;
    gt__task *task;
    const void *job;
} lots;

int gt__threads(void) {
    return omp_get_active_level() < omp_get_max_active_levels() ? omp_get_max_threads() : 1;
}

static void divide(lots *all, int64_t n) {
    const int64_t each = n / all->count, rest = n % all->count;
    int64_t first = 0;
    for (int i = 0; i < all->count; i++) {
        atomic_init(&all->lot[i].next, first);
        all->lot[i].end = first += each + (i < rest);
    }
}

static void do_tasks(lots *all, int thread) {
    for (int i = 0; i < all->count; i++) {
        lot *l = &all->lot[(thread + i) % all->count];
        for (;;) {
            const int64_t task = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
            if (task >= l->end) break;
            all->task(all->job, task, thread);
        }
    }
}

static void do_in_mode(lots *all, unsigned mode) {
    const unsigned own = gt_float_mode();
    gt_set_float_mode(mode);
    do_tasks(all, omp_get_thread_num());
    gt_set_float_mode(own);
}

static void share_out(int64_t n, int threads, gt__task *task, const void *job) {
    const unsigned mode = gt_float_mode();
    lots all; /* not all of it is used */
    all.count = threads < MOST_LOTS ? threads : MOST_LOTS;
    all.task = task;
    all.job = job;
    divide(&all, n);
#pragma omp parallel num_threads(threads)
    do_in_mode(&all, mode);
}

#else

int gt__threads(void) { return 1; }

#endif

int gt__threads_for(int64_t tasks) {
    const int most = gt__threads();
    return tasks < most ? (int)tasks : most;
}

void gt__share(int64_t n, int threads, gt__task *task, const void *job) {
#ifdef GT_WITH_OPENMP
    if (threads > 1 && n > 1) {
        share_out(n, n < threads ? (int)n : threads, task, job);
        return;
    }
#endif
    (void)threads;
    for (int64_t i = 0; i < n; i++) task(job, i, 0);
}
