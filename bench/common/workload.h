/* bench/common/workload.h: what a workload is, and what the files of workloads share.
 *
 * A workload makes its data, then records a scalar at every step. With an optimizer that scalar is a loss, which is
 * minimized; without one, its gradient with respect to what the workload puts into wrt[] is computed and read. */
#ifndef GT_BENCH_WORKLOAD_H
#define GT_BENCH_WORKLOAD_H

#include "draw.h"
#include "gradtape.h"

enum { BENCH_MOST_LAYERS = 51, BENCH_CLASSES = 10, BENCH_MOST_WRT = 4 };

typedef struct workload workload;

/* What stays from step to step. Blocks are freed when it ends. */
typedef struct training {
    const workload *what;
    gt_params *params;
    gt_tape *tape;
    gt_optim *opt;
    gt_tensor loss; /* when replaying: of the one recording */
    gt_tensor wrt[BENCH_MOST_WRT], slope[BENCH_MOST_WRT];
    int n_wrt;
    bool recorded;
    float *x, *y;
    double *points;
    int32_t *label, *index;
} training;

struct workload {
    const char *name;
    bool (*prepare)(training *t);
    gt_tensor (*loss)(training *t);
    gt_optim *(*optimizer)(gt_params *params);
    double flop;    /* multiplications and additions in the products of a step */
    double bytes;   /* read and written at least, where that is the limit */
    bool f64;       /* what the products are made of, else f32 */
    int operations; /* counted in one evaluation of the loss, or elements; 0: not counted */
    double scale;   /* of the first layer's weights */
    int64_t batch;
    int layers;
    int64_t inputs, width; /* of a stack of equal layers */
    int64_t widths[4];     /* or of each, where they differ */
    bool checkpoints;
    bool bf16; /* products of operands rounded to it: gt_autocast */
};

/* Tables of the files of workloads; each ends with a name of NULL. */
extern const workload bench_perceptrons[], bench_images[], bench_text[], bench_arrays[],
    bench_scalars[];

const workload *bench_find(const char *name);
void bench_print_names(FILE *out);
/* False, with a message: short of memory. bench_end in any case. */
bool bench_begin(training *t, const workload *what);
void bench_end(training *t);
/* Records a step and runs it; the same recording once more. */
bool bench_first_run(training *t);
bool bench_run_again(training *t);
/* False, always, after the message of what failed. */
bool bench_complain(const training *t);

float *bench_draw_uniform(bench_draw *draw, int64_t count, double low, double high);
float *bench_draw_normal(bench_draw *draw, int64_t count, double scale);
/* Whole numbers below `below`. */
int32_t *bench_draw_labels(bench_draw *draw, int64_t count, int below);
/* Makes a parameter of these values, which it frees. */
bool bench_start_from(training *t, const char *name, gt_shape shape, float *values);
/* A parameter that exists already. */
gt_tensor bench_weight(training *t, gt_shape shape, const char *format, ...) GT_PRINTF(3, 4);

#endif
