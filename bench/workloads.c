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

static const workload *const tables[] = {bench_perceptrons, bench_images, bench_text, bench_arrays,
                                         bench_scalars};
enum { N_TABLES = sizeof tables / sizeof *tables };

static const workload *find(const char *name) {
    for (int i = 0; i < N_TABLES; i++)
        for (const workload *w = tables[i]; w->name; w++)
            if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

/* ---- running ------------------------------------------------------------------------------------- */

static bool complain(const training *t) {
    const char *what = gt_failed(t->tape) ? gt_error(t->tape) : gt_params_error(t->params);
    fprintf(stderr, "%s: %s\n", t->what->name, what);
    return false;
}

/* The value and its gradient, in one run. */
static bool read_slopes(training *t) {
    gt_tensor wanted[BENCH_MOST_WRT + 1];
    memcpy(wanted, t->slope, sizeof t->slope);
    wanted[t->n_wrt] = t->loss;
    return gt_run(t->tape, wanted, t->n_wrt + 1);
}

/* Records one step and runs it. */
static bool first_run(training *t) {
    t->n_wrt = 0;
    t->loss = t->what->loss(t);
    if (t->opt) return gt_minimize(t->opt, t->loss);
    return gt_grads(t->loss, t->wrt, t->n_wrt, t->slope) && read_slopes(t);
}

static bool run_again(training *t) {
    gt_replay(t->tape);
    if (t->opt) return gt_commit(t->tape);
    return read_slopes(t);
}

static bool record_step(void *state, double *loss) {
    training *t = state;
    if (!first_run(t)) return complain(t);
    *loss = gt_item(t->loss);
    gt_tape_reset(t->tape);
    return true;
}

static bool replay_step(void *state, double *loss) {
    training *t = state;
    const bool ok = t->recorded ? run_again(t) : first_run(t);
    t->recorded = ok;
    *loss = gt_item(t->loss);
    return ok || complain(t);
}

static bool begin(training *t, const workload *what) {
    *t = (training){.what = what};
    t->params = gt_params_new(NULL, 1);
    t->tape = t->params ? gt_tape_new(t->params) : NULL;
    t->opt = t->tape && what->optimizer ? what->optimizer(t->params) : NULL;
    if (t->tape && (t->opt || !what->optimizer) && what->prepare(t)) return true;
    fprintf(stderr, "%s: out of memory\n", what->name);
    return false;
}

static void end(training *t) {
    gt_optim_free(t->opt);
    gt_tape_free(t->tape);
    gt_params_free(t->params);
    free(t->x);
    free(t->y);
    free(t->points);
    free(t->label);
    free(t->index);
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
    for (int i = 0; i < N_TABLES; i++)
        for (const workload *w = tables[i]; w->name; w++) fprintf(stderr, " %s", w->name);
    fputc('\n', stderr);
    return 2;
}

int main(int argc, char **argv) {
    const workload *what = NULL;
    bool replay = false, plan = false;
    double seconds = 2;
    if (argc > 1) what = find(argv[1]);
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
    const bool ok = begin(&t, what) && bench_measure(labels, seconds, what->operations,
                                                     replay ? replay_step : record_step, &t);
    if (ok) bench_print_memory(labels);
    if (ok) print_work(labels, what);
    if (ok && plan) gt_plan_print(t.tape, stderr);
    end(&t);
    return ok ? 0 : 1;
}
