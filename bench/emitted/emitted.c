/* bench/emitted/emitted.c: times a workload's step that was written as C; see bench/emit_workload.c. Made of that
 * file and not of the library.
 *
 *     emitted_NAME [SECONDS] */
#include "common/measure.h"

#include <stdio.h>
#include <stdlib.h>

extern const char emitted_workload[];
int emitted_step(double *loss);

static bool step(void *state, double *loss) {
    (void)state;
    return emitted_step(loss) == 0;
}

int main(int argc, char **argv) {
    const bench_labels labels = {emitted_workload, "gradtape-emitted", 1};
    const double seconds = argc > 1 ? atof(argv[1]) : 2;
    if (!bench_measure(labels, seconds, 0, step, NULL)) return 1;
    bench_print_memory(labels);
    return 0;
}
