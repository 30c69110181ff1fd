/* bench/common/measure.h: times the steps of a training loop, and prints what came out, one figure a line:
 *
 *     workload program threads metric value min=... n=... warm_loss=... last_loss=...
 *
 * run.sh reads these lines, and peer_torch.py prints the same. */
#ifndef GT_BENCH_MEASURE_H
#define GT_BENCH_MEASURE_H

#include <stdbool.h>

/* One training step. False: it failed; else *loss is the loss before the update. */
typedef bool (*bench_step)(void *state, double *loss);

typedef struct bench_labels {
    const char *workload, *program;
    int threads;
} bench_labels;

/* Three steps that do not count, then at least 7 steps and seconds, each timed by itself. Prints the median
 * and the least time, and how often `operations` of them fit into a second (0: does not). */
bool bench_measure(bench_labels labels, double seconds, int operations, bench_step step,
                   void *state);
/* The largest amount of memory that this process has held. */
void bench_print_memory(bench_labels labels);

#endif
