/* bench/common/workload_run.c: finds workloads by name, records and runs their steps. */
#include "workload.h"

#include <stdlib.h>
#include <string.h>

static const workload *const tables[] = {bench_perceptrons, bench_images, bench_text, bench_arrays,
                                         bench_scalars};
enum { N_TABLES = sizeof tables / sizeof *tables };

const workload *bench_find(const char *name) {
    for (int i = 0; i < N_TABLES; i++)
        for (const workload *w = tables[i]; w->name; w++)
            if (strcmp(w->name, name) == 0) return w;
    return NULL;
}

void bench_print_names(FILE *out) {
    for (int i = 0; i < N_TABLES; i++)
        for (const workload *w = tables[i]; w->name; w++) fprintf(out, " %s", w->name);
    fputc('\n', out);
}

bool bench_complain(const training *t) {
    const char *what = gt_failed(t->tape) ? gt_error(t->tape) : gt_params_error(t->params);
    fprintf(stderr, "%s: %s\n", t->what->name, what);
    return false;
}

bool bench_begin(training *t, const workload *what) {
    *t = (training){.what = what};
    t->params = gt_params_new(NULL, 1);
    t->tape = t->params ? gt_tape_new(t->params) : NULL;
    t->opt = t->tape && what->optimizer ? what->optimizer(t->params) : NULL;
    gt_autocast(t->tape, what->bf16);
    if (t->tape && (t->opt || !what->optimizer) && what->prepare(t)) return true;
    fprintf(stderr, "%s: out of memory\n", what->name);
    return false;
}

void bench_end(training *t) {
    gt_optim_free(t->opt);
    gt_tape_free(t->tape);
    gt_params_free(t->params);
    free(t->x);
    free(t->y);
    free(t->points);
    free(t->label);
    free(t->index);
}

/* The value and its gradient, in one run. */
static bool read_slopes(training *t) {
    gt_tensor wanted[BENCH_MOST_WRT + 1];
    memcpy(wanted, t->slope, sizeof t->slope);
    wanted[t->n_wrt] = t->loss;
    return gt_run(t->tape, wanted, t->n_wrt + 1);
}

bool bench_first_run(training *t) {
    t->n_wrt = 0;
    t->loss = t->what->loss(t);
    if (t->opt) return gt_minimize(t->opt, t->loss);
    return gt_grads(t->loss, t->wrt, t->n_wrt, t->slope) && read_slopes(t);
}

bool bench_run_again(training *t) {
    gt_replay(t->tape);
    if (t->opt) return gt_commit(t->tape);
    return read_slopes(t);
}
