/* bench/common/measure.c: the clock, the median, the lines. Assumes POSIX. */
#define _POSIX_C_SOURCE 200809L

#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { WARM_UP = 3, FEWEST = 7, MOST = 100000 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_times(bench_labels labels, int operations, double *time, int count,
                        double warm_loss, double last_loss) {
    qsort(time, (size_t)count, sizeof *time, by_size);
    const double median = time[count / 2], least = time[0];
    printf("%s %s %d us_per_step %.6g min=%.6g n=%d warm_loss=%.8g last_loss=%.6g\n",
           labels.workload, labels.program, labels.threads, median * 1e6, least * 1e6, count,
           warm_loss, last_loss);
    if (operations > 0) {
        printf("%s %s %d million_ops_per_s %.4g best=%.4g\n", labels.workload, labels.program,
               labels.threads, operations / median * 1e-6, operations / least * 1e-6);
    }
    fflush(stdout);
}

bool bench_measure(bench_labels labels, double seconds, int operations, bench_step step,
                   void *state) {
    double *time = malloc(MOST * sizeof *time);
    if (!time) return false;
    double loss = 0, warm_loss = 0;
    bool ok = true;
    for (int i = 0; ok && i < WARM_UP; i++) ok = step(state, &warm_loss);
    int count = 0;
    const double start = now();
    for (double last = start; ok && count < MOST && (last - start < seconds || count < FEWEST);) {
        ok = step(state, &loss);
        const double end = now();
        time[count++] = end - last;
        last = end;
    }
    if (ok) print_times(labels, operations, time, count, warm_loss, loss);
    free(time);
    return ok;
}

void bench_print_memory(bench_labels labels) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return;
    printf("%s %s %d peak_rss_MB %.4g\n", labels.workload, labels.program, labels.threads,
           (double)usage.ru_maxrss / 1024);
    fflush(stdout);
}
