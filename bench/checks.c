/* bench/checks.c: how long it takes to judge a claim: a formula of ten terms, and the 101,000 weights of a
 * 64-1000-100-10 loop, by a tape and by two C functions. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gradtape.h"

enum {
    BATCH = 64,
    IN = 1000,
    HIDDEN = 100,
    OUT = 10,
    FIRST = IN * HIDDEN,
    N = FIRST + HIDDEN * OUT
};

static gt_check_report report;

static double now(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void tell(const char *what, double start, gt_verdict verdict, const char *text) {
    printf("%-34s %6.3f s  %s %s\n", what, now() - start, gt_verdict_name(verdict), text);
}

/* ---- a formula ------------------------------------------------------------------------------------------------ */

static void judge_formula(const char *what, const char *claim) {
    static gt_claim_report said;
    gt_formula_error error;
    char text[1000];
    snprintf(text, sizeof text,
             "f = x*y + sin(x)*z + x^2*w + exp(x*y) + x*z*w + log(x)*y + tanh(x*w) + x/z + "
             "cos(x)*w + x^3; x = 0.8; y = 1.3; z = 0.6; w = -0.4; df/dx = %s",
             claim);
    const double start = now();
    gt_formula *formula = gt_formula_parse(text, NULL, &error);
    if (!formula || gt_check_formula(formula, NULL, &said, 1, &error) != 1) puts(error.message);
    tell(what, start, said.verdict, said.n_remarks ? said.remark[0].text : "");
    gt_formula_free(formula);
}

/* ---- the loop ----------------------------------------------------------------------------------------------------- */

typedef struct loop {
    double x[BATCH * IN], hidden[BATCH * HIDDEN], y[BATCH * OUT], target[BATCH * OUT];
    bool planted; /* two wrong entries */
} loop;

static double forward(const double *w, int64_t n, void *user) {
    loop *l = user;
    double sum = 0;
    (void)n;
    memset(l->hidden, 0, sizeof l->hidden);
    memset(l->y, 0, sizeof l->y);
    for (int b = 0; b < BATCH; b++) {
        double *h = l->hidden + b * HIDDEN, *y = l->y + b * OUT;
        for (int i = 0; i < IN; i++)
            for (int j = 0; j < HIDDEN; j++) h[j] += l->x[b * IN + i] * w[i * HIDDEN + j];
        for (int j = 0; j < HIDDEN; j++) h[j] = tanh(h[j]);
        for (int j = 0; j < HIDDEN; j++)
            for (int k = 0; k < OUT; k++) y[k] += h[j] * w[FIRST + j * OUT + k];
        for (int k = 0; k < OUT; k++) {
            y[k] -= l->target[b * OUT + k];
            sum += y[k] * y[k] / 2;
        }
    }
    return sum;
}

static void backward(const double *w, int64_t n, double *g, void *user) {
    loop *l = user;
    forward(w, n, l);
    memset(g, 0, (size_t)n * sizeof *g);
    for (int b = 0; b < BATCH; b++) {
        const double *h = l->hidden + b * HIDDEN, *y = l->y + b * OUT;
        for (int j = 0; j < HIDDEN; j++) {
            double up = 0;
            for (int k = 0; k < OUT; k++) {
                g[FIRST + j * OUT + k] += h[j] * y[k];
                up += y[k] * w[FIRST + j * OUT + k];
            }
            up *= 1 - h[j] * h[j];
            for (int i = 0; i < IN; i++) g[i * HIDDEN + j] += l->x[b * IN + i] * up;
        }
    }
    if (l->planted) g[4711] *= 1.01, g[90000] = -g[90000];
}

static void judge_functions(const char *what, loop *l, const double *w) {
    const gt_check_array array[] = {{"W1", GT_SHAPE(IN, HIDDEN)}, {"W2", GT_SHAPE(HIDDEN, OUT)}};
    const gt_check_options options = {.array = array, .n_arrays = 2};
    const double start = now();
    gt_check_gradient(forward, backward, w, N, &options, l, &report);
    tell(what, start, report.verdict, report.array[0].text);
    printf("%34s %lld evaluations of f, %d entries\n", "", (long long)report.evaluations, N);
}

static void judge_tape(const char *what, loop *l, const double *w, double *g) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_input(tape, l->x, GT_SHAPE(BATCH, IN), GT_F64);
    const gt_tensor t = gt_input(tape, l->target, GT_SHAPE(BATCH, OUT), GT_F64);
    const gt_tensor w1 = gt_input(tape, w, GT_SHAPE(IN, HIDDEN), GT_F64);
    const gt_tensor w2 = gt_input(tape, w + FIRST, GT_SHAPE(HIDDEN, OUT), GT_F64);
    const gt_tensor y = gt_matmul(gt_tanh(gt_matmul(x, w1)), w2);
    const gt_tensor f = gt_mul_scalar(gt_sum(gt_square(gt_sub(y, t)), GT_ALL, false), 0.5);
    backward(w, N, g, l);
    const double start = now();
    gt_verdict first = gt_check_claim(f, w1, (gt_claim){.values = g}, NULL, &report);
    static char text[256];
    memcpy(text, report.array[0].text, sizeof text);
    const gt_verdict second = gt_check_claim(f, w2, (gt_claim){.values = g + FIRST}, NULL, &report);
    tell(what, start, first > second ? first : second, text);
    gt_tape_free(tape);
}

static void draw(double *x, int n, double size, uint64_t stream) {
    for (int i = 0; i < n; i++) x[i] = size * gt_normal(7, stream, (uint64_t)i);
}

static void judge_formulas(void) {
    judge_formula("ten terms, right", "y + cos(x)*z + 2*x*w + y*exp(x*y) + z*w + y/x + "
                                      "w*(1 - tanh(x*w)^2) + 1/z - sin(x)*w + 3*x^2");
    judge_formula("ten terms, one of them wrong", "y + cos(x)*z + 2*x*w + y*exp(x*y) + z*w + y/x + "
                                                  "(1 - tanh(x*w)^2) + 1/z - sin(x)*w + 3*x^2");
    judge_formula("ten terms, a path missing", "y + cos(x)*z + 2*x*w + y*exp(x*y) + y/x + "
                                               "w*(1 - tanh(x*w)^2) + 1/z - sin(x)*w + 3*x^2");
}

static void judge_loops(loop *l, double *w, double *g) {
    draw(l->x, BATCH * IN, 1, 1);
    draw(l->target, BATCH * OUT, 1, 2);
    draw(w, FIRST, 0.05, 3);
    draw(w + FIRST, N - FIRST, 0.1, 4);
    judge_functions("two C functions, right", l, w);
    judge_tape("a tape, right", l, w, g);
    l->planted = true;
    judge_functions("two C functions, 2 entries wrong", l, w);
    judge_tape("a tape, 2 entries wrong", l, w, g);
}

int main(void) {
    loop *l = calloc(1, sizeof *l);
    double *w = calloc(N, sizeof *w), *g = calloc(N, sizeof *g);
    const bool ok = l && w && g;
    judge_formulas();
    if (ok) judge_loops(l, w, g);
    free(l), free(w), free(g);
    return ok ? 0 : 1;
}
