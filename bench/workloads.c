/* bench/workloads.c: the workloads of bench/common/workload_*.c, timed. One step is forward, loss, backward and update
 * (or reading the gradient, where nothing is trained), on one batch that stays in memory; docs/performance.md says
 * what each workload is.
 *
 *     workloads NAME [--replay] [--seconds S] [--plan]
 *
 * Without --replay each step records its graph anew; with it the first step's recording runs again. --plan adds the
 * plan of the last step, on stderr. */
#include "common/measure.h"
#include "common/workload.h"

#include <stdlib.h>
#include <string.h>

static bool record_step(void *state, double *loss) {
    training *t = state;
    if (!bench_first_run(t)) return bench_complain(t);
    *loss = gt_item(t->loss);
    gt_tape_reset(t->tape);
    return true;
}

static bool replay_step(void *state, double *loss) {
    training *t = state;
    const bool ok = t->recorded ? bench_run_again(t) : bench_first_run(t);
    t->recorded = ok;
    *loss = gt_item(t->loss);
    return ok || bench_complain(t);
}

static int threads_in_use(void) {
#ifdef GT_WITH_OPENMP
    const char *text = getenv("OMP_NUM_THREADS");
    return text ? atoi(text) : 0; /* 0: as many as there are */
#else
    return 1;
#endif
}

/* What summary.awk sets against the limits of the machine. */
static void print_work(bench_labels labels, const workload *what) {
    const char *unit = what->f64 ? "flop_f64" : "flop_f32";
    if (what->flop > 0)
        printf("%s %s %d %s %g\n", labels.workload, labels.program, labels.threads, unit,
               what->flop);
    if (what->bytes > 0)
        printf("%s %s %d bytes %g\n", labels.workload, labels.program, labels.threads, what->bytes);
}

static int usage(void) {
    fprintf(stderr, "usage: workloads NAME [--replay] [--seconds S] [--plan], NAME one of");
    bench_print_names(stderr);
    return 2;
}

int main(int argc, char **argv) {
    const workload *what = NULL;
    bool replay = false, plan = false;
    double seconds = 2;
    if (argc > 1) what = bench_find(argv[1]);
    if (!what) return usage();
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--replay") == 0)
            replay = true;
        else if (strcmp(argv[i], "--plan") == 0)
            plan = true;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else
            return usage();
    }
    training t;
    const bench_labels labels = {what->name, replay ? "gradtape-replay" : "gradtape",
                                 threads_in_use()};
    const bool ok = bench_begin(&t, what) && bench_measure(labels, seconds, what->operations,
                                                           replay ? replay_step : record_step, &t);
    if (ok) bench_print_memory(labels);
    if (ok) print_work(labels, what);
    if (ok && plan) gt_plan_print(t.tape, stderr);
    bench_end(&t);
    return ok ? 0 : 1;
}
