/* tests/costs/costs.c: six small workloads whose instructions tests/costs.sh counts.
 *
 *     costs NAME        three steps to warm up, then one step in measured_step
 *     costs compiler    what compiled this
 *
 * One thread, no oneDNN, f64 or few f32: what is counted is mostly the library's own work for each node; in `elements`
 * it is loops, which cost several times as much where the compiler makes no vectors of them. */
#include <stdio.h>
#include <string.h>

#include "gradtape.h"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define COMPILER "gcc " __VERSION__ " x86-64"
#else
#define COMPILER "another"
#endif

enum {
    BATCH = 16,
    IN = 24,
    HIDDEN = 16,
    OUT = 4,
    POINTS = 24,
    NEURONS = 16,
    MOST = 400,
    MANY = 1 << 15
};

typedef struct work {
    gt_params *params;
    gt_tape *tape;
    gt_optim *opt;
    gt_tensor loss; /* of the recording that is run again */
} work;

static gt_tensor ramp(gt_tape *tape, gt_shape shape) {
    return gt_reshape(gt_sin(gt_arange(tape, 0, 1, gt_numel(shape), GT_F32)), shape);
}

/* ---- tensors ------------------------------------------------------------------------------------------- */

static gt_tensor seed_loop(work *w) {
    const gt_tensor x = ramp(w->tape, GT_SHAPE(BATCH, IN)), y = ramp(w->tape, GT_SHAPE(BATCH, OUT));
    const gt_tensor w1 =
        gt_param(w->tape, "w1", GT_SHAPE(IN, HIDDEN), GT_F32, gt_init_normal(0, 1));
    const gt_tensor w2 =
        gt_param(w->tape, "w2", GT_SHAPE(HIDDEN, OUT), GT_F32, gt_init_normal(0, 1));
    return gt_sum_squared_error(gt_matmul(gt_sigmoid(gt_matmul(x, w1)), w2), y);
}

static gt_tensor attention(work *w) {
    gt_tensor x = ramp(w->tape, GT_SHAPE(BATCH, IN));
    const gt_tensor scale = gt_param(w->tape, "scale", GT_SHAPE(IN), GT_F32, gt_init_normal(0, 1));
    x = gt_mul(gt_layer_norm(x, "norm", 1e-5), scale);
    const gt_tensor weight = gt_softmax(gt_matmul(x, gt_t(x)), -1);
    return gt_mean(gt_square(gt_gelu(gt_matmul(weight, x))), GT_ALL, false);
}

/* Six contributions to the gradient of x, with functions of math.h in three of them. */
static gt_tensor elements(work *w) {
    const gt_tensor x = gt_param(w->tape, "x", GT_SHAPE(MANY), GT_F32, gt_init_normal(0, 1));
    const gt_tensor y = gt_mul(gt_tanh(x), gt_sigmoid(x)), z = gt_exp(gt_neg(gt_square(x)));
    return gt_sum(gt_add(gt_mul(y, z), gt_mul(gt_relu(x), x)), GT_ALL, false);
}

/* ---- scalars: a perceptron 2-16-16-1 whose every number is a node ------------------------------------- */

static gt_tensor layer_of_scalars(const gt_tensor *p, const gt_tensor *x, int n) {
    gt_tensor s = p[n];
    for (int i = 0; i < n; i++) s = gt_add(s, gt_mul(p[i], x[i]));
    return s;
}

static gt_tensor network_of_scalars(const gt_tensor *p, gt_tensor *x) {
    static const int width[] = {2, NEURONS, NEURONS, 1};
    for (int layer = 0; layer < 3; layer++) {
        gt_tensor next[NEURONS];
        for (int k = 0; k < width[layer + 1]; k++, p += width[layer] + 1) {
            next[k] = layer_of_scalars(p, x, width[layer]);
            if (layer < 2) next[k] = gt_tanh(next[k]);
        }
        memcpy(x, next, sizeof next);
    }
    return x[0];
}

static gt_tensor scalars(work *w) {
    gt_tensor p[MOST], sum = gt_scalar(w->tape, 0, GT_F64);
    for (int i = 0; i < MOST; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d", i);
        p[i] = gt_param(w->tape, name, GT_SCALAR, GT_F64, gt_init_normal(0, 0.5));
    }
    for (int i = 0; i < POINTS; i++) {
        gt_tensor x[NEURONS] = {gt_scalar(w->tape, i, GT_F64), gt_scalar(w->tape, i % 2, GT_F64)};
        const gt_tensor score = network_of_scalars(p, x);
        sum = gt_add(sum, gt_relu(gt_add_scalar(gt_mul_scalar(score, i % 2 ? 1 : -1), 1)));
    }
    return gt_mul_scalar(sum, 1.0 / POINTS);
}

/* ---- running ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    gt_tensor (*loss)(work *w);
    bool again; /* runs one recording again */
} works[] = {
    {"seed_loop", seed_loop, false}, {"seed_loop_again", seed_loop, true},
    {"attention", attention, false}, {"elements", elements, false},
    {"scalars", scalars, false},     {"scalars_again", scalars, true},
};

static bool step(work *w, gt_tensor (*loss)(work *w), bool again) {
    if (again && gt_valid(w->loss)) {
        gt_replay(w->tape);
        return gt_commit(w->tape);
    }
    w->loss = loss(w);
    const bool ok = gt_minimize(w->opt, w->loss);
    if (!again) gt_tape_reset(w->tape);
    return ok;
}

/* Not static and not inlined: callgrind finds it by its name. */
bool measured_step(work *w, gt_tensor (*loss)(work *w), bool again);
__attribute__((noinline)) bool measured_step(work *w, gt_tensor (*loss)(work *w), bool again) {
    return step(w, loss, again);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "compiler") == 0) return puts(COMPILER) < 0;
    for (size_t i = 0; argc == 2 && i < sizeof works / sizeof *works; i++) {
        if (strcmp(argv[1], works[i].name) != 0) continue;
        work w = {.params = gt_params_new(NULL, 1)};
        w.tape = w.params ? gt_tape_new(w.params) : NULL;
        w.opt = w.tape ? gt_sgd(w.params, (gt_sgd_options){.rate = 1e-3}) : NULL;
        bool ok = w.opt != NULL;
        for (int k = 0; ok && k < 3; k++) ok = step(&w, works[i].loss, works[i].again);
        ok = ok && measured_step(&w, works[i].loss, works[i].again);
        if (!ok) fprintf(stderr, "%s: %s\n", argv[1], w.tape ? gt_error(w.tape) : "out of memory");
        gt_optim_free(w.opt);
        gt_tape_free(w.tape);
        gt_params_free(w.params);
        return ok ? 0 : 1;
    }
    fputs("usage: costs NAME | compiler, NAME one of", stderr);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) fprintf(stderr, " %s", works[i].name);
    fputc('\n', stderr);
    return 2;
}
