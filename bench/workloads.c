/* bench/workloads.c: small trainings, timed. One step is forward, loss, backward and update, on one batch that
 * stays in memory; docs/performance.md says what each workload is.
 *
 *     workloads NAME [--replay] [--seconds S] [--flush-denormals]
 *
 * Without --replay each step records its graph anew; with it the first step's recording runs again. */
#include "common/draw.h"
#include "common/measure.h"
#include "gradtape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

enum { SAMPLES = 64, INPUTS = 1000, HIDDEN = 100, OUTPUTS = 10 }; /* the seed loop */
enum { MOST_LAYERS = 3, CLASSES = 10 };                           /* image classifiers */
enum { ELEMENTS = 4194304 };                                      /* one long expression */
enum { POINTS = 100, NEURONS = 16, SCALARS = 337, SCALAR_OPERATIONS = 65077 }; /* scalars alone */

typedef struct workload workload;

/* What stays from step to step. */
typedef struct training {
    const workload *what;
    gt_params *params;
    gt_tape *tape;
    gt_optim *opt;
    gt_tensor loss; /* when replaying: of the one recording */
    bool recorded;
    float *x, *y;
    int32_t *label;
    double point[POINTS][2], side[POINTS];
    char name[SCALARS][16];
} training;

struct workload {
    const char *name;
    bool (*prepare)(training *t);
    gt_tensor (*loss)(training *t);
    bool (*step)(training *t, double *loss); /* instead of training by the loss; NULL: training */
    double scale;  /* of the first layer's weights */
    int64_t batch; /* images */
    int layers;
    int64_t width[MOST_LAYERS + 1];
    gt_sgd_options optimizer;
    int operations; /* scalar operations in one evaluation of the loss */
};

static float *draw_uniform(bench_draw *draw, int64_t count, double low, double high) {
    float *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; values && i < count; i++)
        values[i] = (float)(low + (high - low) * bench_uniform(draw));
    return values;
}

static float *draw_normal(bench_draw *draw, int64_t count, double scale) {
    float *values = malloc((size_t)count * sizeof *values);
    for (int64_t i = 0; values && i < count; i++) values[i] = (float)(scale * bench_normal(draw));
    return values;
}

/* Makes a parameter of these values, which it frees. */
static bool start_from(training *t, const char *name, gt_shape shape, float *values) {
    const bool ok = values && gt_param_set(t->params, name, shape, GT_F32, values, true);
    free(values);
    return ok;
}

static gt_tensor weight(training *t, const char *name, gt_shape shape) {
    return gt_param(t->tape, name, shape, GT_F32, gt_init_zeros());
}

/* ---- W1, W1s: two matrix products and a sigmoid, by plain gradient descent ----------------------- */

static bool prepare_seed_loop(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = draw_normal(&draw, SAMPLES * INPUTS, 1);
    t->y = draw_normal(&draw, SAMPLES * OUTPUTS, 1);
    return t->x && t->y &&
           start_from(t, "w1", GT_SHAPE(INPUTS, HIDDEN),
                      draw_normal(&draw, INPUTS * HIDDEN, t->what->scale)) &&
           start_from(t, "w2", GT_SHAPE(HIDDEN, OUTPUTS), draw_normal(&draw, HIDDEN * OUTPUTS, 1));
}

static gt_tensor seed_loop(training *t) {
    const gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(SAMPLES, INPUTS), GT_F32);
    const gt_tensor y = gt_borrow(t->tape, t->y, GT_SHAPE(SAMPLES, OUTPUTS), GT_F32);
    const gt_tensor w1 = weight(t, "w1", GT_SHAPE(INPUTS, HIDDEN));
    const gt_tensor w2 = weight(t, "w2", GT_SHAPE(HIDDEN, OUTPUTS));
    return gt_sum_squared_error(gt_matmul(gt_sigmoid(gt_matmul(x, w1)), w2), y);
}

/* ---- W2, W3: a perceptron of several layers, relu, cross-entropy --------------------------------- */

static const char *const layer_weight[MOST_LAYERS] = {"w1", "w2", "w3"};
static const char *const layer_bias[MOST_LAYERS] = {"b1", "b2", "b3"};

static bool prepare_perceptron(training *t) {
    const workload *w = t->what;
    bench_draw draw = bench_draw_start();
    t->x = draw_uniform(&draw, w->batch * w->width[0], 0, 1);
    t->label = malloc((size_t)w->batch * sizeof *t->label);
    if (!t->x || !t->label) return false;
    for (int64_t i = 0; i < w->batch; i++) t->label[i] = (int32_t)(CLASSES * bench_uniform(&draw));
    bool ok = true;
    for (int i = 0; ok && i < w->layers; i++) {
        const int64_t in = w->width[i], out = w->width[i + 1];
        const double bound = 1 / sqrt((double)in);
        float *weights = draw_uniform(&draw, in * out, -bound, bound);
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): layers <= MOST_LAYERS
        ok = start_from(t, layer_weight[i], GT_SHAPE(in, out), weights) &&
             start_from(t, layer_bias[i], GT_SHAPE(out), draw_uniform(&draw, out, -bound, bound));
    }
    return ok;
}

static gt_tensor perceptron(training *t) {
    const workload *w = t->what;
    gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(w->batch, w->width[0]), GT_F32);
    for (int i = 0; i < w->layers; i++) {
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): layers <= MOST_LAYERS
        x = gt_matmul(x, weight(t, layer_weight[i], GT_SHAPE(w->width[i], w->width[i + 1])));
        x = gt_add(x, weight(t, layer_bias[i], GT_SHAPE(w->width[i + 1])));
        if (i + 1 < w->layers) x = gt_relu(x);
    }
    return gt_cross_entropy(x, gt_borrow(t->tape, t->label, GT_SHAPE(w->batch), GT_I32));
}

/* ---- W8: an expression over many elements, and its gradient by them ------------------------------ */

static bool prepare_expression(training *t) {
    bench_draw draw = bench_draw_start();
    t->x = draw_normal(&draw, ELEMENTS, 1);
    return t->x != NULL;
}

static gt_tensor expression(gt_tensor x) {
    const gt_tensor bell = gt_exp(gt_neg(gt_mul(x, x)));
    const gt_tensor soft = gt_log(gt_add_scalar(gt_exp(x), 1));
    const gt_tensor sum = gt_add(gt_mul(gt_tanh(x), gt_sigmoid(x)), gt_mul(bell, soft));
    return gt_sum(gt_sub(sum, gt_mul_scalar(gt_relu(x), 0.1)), GT_ALL, false);
}

/* Nothing is trained: the gradient is made anew each time. */
static bool differentiate(training *t, double *loss) {
    const gt_tensor x = gt_borrow(t->tape, t->x, GT_SHAPE(ELEMENTS), GT_F32), y = expression(x);
    const gt_tensor wanted[2] = {y, gt_grad(y, x)};
    const bool ok = gt_run(t->tape, wanted, 2);
    *loss = gt_item(y);
    if (ok) gt_tape_reset(t->tape);
    return ok;
}

/* ---- W9: a perceptron 2-16-16-1 whose every number is a node; hinge loss over two moons ---------- */

static const int scalar_width[] = {2, NEURONS, NEURONS, 1};

static void place_moons(training *t, bench_draw *draw) {
    const double pi = 3.14159265358979323846;
    for (int i = 0; i < POINTS; i++) {
        const int place = i / 2;
        const double angle = pi * place / 49.0;
        const bool upper = i % 2 == 0;
        t->point[i][0] = upper ? cos(angle) : 1 - cos(angle);
        t->point[i][1] = upper ? sin(angle) : 0.5 - sin(angle);
        t->side[i] = upper ? -1 : 1;
        for (int k = 0; k < 2; k++) t->point[i][k] += 0.2 * (bench_uniform(draw) - 0.5);
    }
}

static bool prepare_scalars(training *t) {
    bench_draw draw = bench_draw_start();
    place_moons(t, &draw);
    int next = 0;
    for (int layer = 0; layer < 3; layer++) {
        for (int neuron = 0; neuron < scalar_width[layer + 1]; neuron++) {
            for (int i = 0; i <= scalar_width[layer]; i++, next++) {
                const bool bias = i == scalar_width[layer];
                const double value = bias ? 0 : 2 * bench_uniform(&draw) - 1;
                snprintf(t->name[next], sizeof t->name[next], "p%d", next);
                if (!gt_param_set(t->params, t->name[next], GT_SCALAR, GT_F64, &value, true))
                    return false;
            }
        }
    }
    return next == SCALARS;
}

/* The network's answer at a point. The first layer's inputs are plain numbers. */
static gt_tensor scalar_network(const gt_tensor *p, const double *point) {
    gt_tensor before[NEURONS], after[NEURONS];
    for (int layer = 0; layer < 3; layer++) {
        const int in = scalar_width[layer], out = scalar_width[layer + 1];
        for (int neuron = 0; neuron < out; neuron++, p += in + 1) {
            gt_tensor s = p[in];
            for (int i = 0; i < in; i++)
                s = gt_add(s, layer ? gt_mul(p[i], before[i]) : gt_mul_scalar(p[i], point[i]));
            after[neuron] = layer < 2 ? gt_relu(s) : s;
        }
        memcpy(before, after, sizeof before);
    }
    return after[0];
}

static gt_tensor scalars(training *t) {
    gt_tensor p[SCALARS];
    for (int i = 0; i < SCALARS; i++)
        p[i] = gt_param(t->tape, t->name[i], GT_SCALAR, GT_F64, gt_init_zeros());
    gt_tensor hinge = gt_scalar(t->tape, 0, GT_F64), squares = gt_scalar(t->tape, 0, GT_F64);
    for (int i = 0; i < POINTS; i++) {
        const gt_tensor score = scalar_network(p, t->point[i]);
        hinge = gt_add(hinge, gt_relu(gt_add_scalar(gt_mul_scalar(score, -t->side[i]), 1)));
    }
    for (int i = 0; i < SCALARS; i++) squares = gt_add(squares, gt_mul(p[i], p[i]));
    return gt_add(gt_mul_scalar(hinge, 1.0 / POINTS), gt_mul_scalar(squares, 1e-4));
}

/* ---- the list ------------------------------------------------------------------------------------ */

static const workload workloads[] = {
    {.name = "W1",
     .prepare = prepare_seed_loop,
     .loss = seed_loop,
     .scale = 1,
     .optimizer = {.rate = 1e-4}},
    {.name = "W1s",
     .prepare = prepare_seed_loop,
     .loss = seed_loop,
     .scale = 0.03162277660168379,
     .optimizer = {.rate = 1e-4}},
    {.name = "W2",
     .prepare = prepare_perceptron,
     .loss = perceptron,
     .batch = 128,
     .layers = 3,
     .width = {784, 512, 256, CLASSES},
     .optimizer = {.rate = 0.05, .momentum = 0.9}},
    {.name = "W3",
     .prepare = prepare_perceptron,
     .loss = perceptron,
     .batch = 32,
     .layers = 2,
     .width = {784, 64, CLASSES},
     .optimizer = {.rate = 0.1}},
    {.name = "W8",
     .prepare = prepare_expression,
     .step = differentiate,
     .optimizer = {.rate = 1}, /* not used */
     .operations = ELEMENTS},
    {.name = "W9",
     .prepare = prepare_scalars,
     .loss = scalars,
     .optimizer = {.rate = 0.05},
     .operations = SCALAR_OPERATIONS},
};
enum { N_WORKLOADS = sizeof workloads / sizeof *workloads };

/* ---- running ------------------------------------------------------------------------------------- */

static bool complain(const training *t) {
    const char *what = gt_failed(t->tape) ? gt_error(t->tape) : gt_params_error(t->params);
    fprintf(stderr, "%s: %s\n", t->what->name, what);
    return false;
}

static bool record_step(void *state, double *loss) {
    training *t = state;
    if (t->what->step) return t->what->step(t, loss) || complain(t);
    const gt_tensor value = t->what->loss(t);
    if (!gt_minimize(t->opt, value)) return complain(t);
    *loss = gt_item(value);
    gt_tape_reset(t->tape);
    return true;
}

static bool replay_step(void *state, double *loss) {
    training *t = state;
    bool ok;
    if (!t->recorded) {
        t->loss = t->what->loss(t);
        ok = t->recorded = gt_minimize(t->opt, t->loss);
    } else {
        gt_replay(t->tape);
        ok = gt_commit(t->tape);
    }
    *loss = gt_item(t->loss);
    return ok || complain(t);
}

static bool begin(training *t, const workload *what) {
    *t = (training){.what = what};
    t->params = gt_params_new(NULL, 1);
    t->tape = t->params ? gt_tape_new(t->params) : NULL;
    t->opt = t->tape ? gt_sgd(t->params, what->optimizer) : NULL;
    if (t->opt && what->prepare(t)) return true;
    fprintf(stderr, "%s: out of memory\n", what->name);
    return false;
}

static void end(training *t) {
    gt_optim_free(t->opt);
    gt_tape_free(t->tape);
    gt_params_free(t->params);
    free(t->x);
    free(t->y);
    free(t->label);
}

/* Numbers below the smallest normal one become 0, as a user may ask of the processor. Threads that start
 * later inherit it. */
static bool flush_denormals(void) {
#ifdef __SSE2__
    _mm_setcsr(_mm_getcsr() | 0x8040U); /* results, and operands */
    return true;
#else
    fprintf(stderr, "workloads: no --flush-denormals on this processor\n");
    return false;
#endif
}

static int threads_in_use(void) {
#ifdef GT_WITH_OPENMP
    const char *text = getenv("OMP_NUM_THREADS");
    return text ? atoi(text) : 0; /* 0: as many as there are */
#else
    return 1;
#endif
}

static int usage(void) {
    fprintf(stderr,
            "usage: workloads NAME [--replay] [--seconds S] [--flush-denormals], NAME one of");
    for (int i = 0; i < N_WORKLOADS; i++) fprintf(stderr, " %s", workloads[i].name);
    fputc('\n', stderr);
    return 2;
}

int main(int argc, char **argv) {
    const workload *what = NULL;
    bool replay = false;
    double seconds = 2;
    for (int i = 0; argc > 1 && i < N_WORKLOADS; i++)
        if (strcmp(workloads[i].name, argv[1]) == 0) what = &workloads[i];
    if (!what) return usage();
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--replay") == 0)
            replay = true;
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--flush-denormals") != 0 || !flush_denormals())
            return usage();
    }
    if (replay && what->step) return usage();
    static training t; /* large for a stack */
    const bench_labels labels = {what->name, replay ? "gradtape-replay" : "gradtape",
                                 threads_in_use()};
    const bool ok = begin(&t, what) && bench_measure(labels, seconds, what->operations,
                                                     replay ? replay_step : record_step, &t);
    if (ok) bench_print_memory(labels);
    end(&t);
    return ok ? 0 : 1;
}
