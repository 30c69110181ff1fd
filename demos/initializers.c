/* demos/initializers.c: six layers right after initialization, rows 30 to 37 of the course notes:
 * the activations for normal weights, the gradients for constant ones, residual blocks.
 *
 * The notes have 4096 units; here are 512, and weights sqrt(4096 / 512) times larger, as sqrt(Din)
 * times std decides. "limit" is that of wide layers: f(t z), z normal, t^2 = Din Var(w) E[x^2].
 *
 * Where the notes are wrong:
 *   - Kaiming is sqrt(2 / Din) randn; with their 2 / sqrt(Din) randn E[x^2] doubles per layer.
 *   - its aim is no output of twice the variance but E[relu(y)^2] = E[x^2]: the 2 makes up for the
 *     half that relu cuts off. Var(xw) = Var(x) Var(w) needs E[x] = 0; else it is E[x^2] Var(w).
 *   - what shrinks from layer to layer is the variance of the activations, not of the weights.
 *   - zero weights do not make all gradients 0: sigmoid(0) is 1/2, and the last layer learns.
 *   - constant weights make gradients equal between the units of a layer, not everywhere. */
#include "common/lesson.h"

#include <math.h>

enum { LAYERS = 6, WIDE = 512, BATCH = 64, SCHEMES = 6, BINS = 64, NODES = 2001 };

static const struct {
    const char *name;
    gt_tensor (*f)(gt_tensor x);
    double gain;     /* sqrt(Din) times the weights' standard deviation */
    plot_range seen; /* of the histogram */
} scheme[SCHEMES] = {{"0.01 randn, tanh", gt_tanh, 0.64, {-1, 1}},
                     {"0.05 randn, tanh", gt_tanh, 3.2, {-1, 1}},
                     {"Xavier, tanh", gt_tanh, 1, {-1, 1}},
                     {"Xavier, relu", gt_relu, 1, {0, 2}},
                     {"2 / sqrt(Din), relu: wrong", gt_relu, 2, {0, 20}},
                     {"Kaiming, relu", gt_relu, 1.4142135623730951, {0, 4}}};

static const char *const layer_name[LAYERS] = {"layer 1", "layer 2", "layer 3",
                                               "layer 4", "layer 5", "layer 6"};

typedef struct ridge {
    double x[BINS + 2], y[BINS + 2];
    char text[24];
} ridge;

/* The same numbers for every scheme, times std. */
static gt_tensor noise(gt_tape *tape, const char *kind, int i, int64_t rows, double std) {
    char name[32];
    snprintf(name, sizeof name, "%s%d", kind, i);
    const gt_init init = gt_init_normal(0, 1);
    return gt_mul_scalar(gt_param(tape, name, GT_SHAPE(rows, WIDE), GT_F64, init), std);
}

/* Mean and standard deviation of f(tz): the integral over z from -10 to 10. */
static void limit(gt_tape *tape, gt_tensor (*f)(gt_tensor x), double t, double *mean, double *std) {
    const gt_tensor z = gt_linspace(tape, -10, 10, NODES, GT_F64);
    const gt_tensor bell = gt_exp(gt_mul_scalar(gt_square(z), -0.5));
    const double scale = 20.0 / (NODES - 1) / sqrt(2 * acos(-1));
    const gt_tensor y = f(gt_mul_scalar(z, t));
    *mean = scale * gt_item(gt_dot(bell, y));
    *std = sqrt(scale * gt_item(gt_dot(bell, gt_square(y))) - *mean * *mean);
}

static void print_row(const char *what, const double v[LAYERS]) {
    printf("  %-13s", what);
    for (int i = 0; i < LAYERS; i++) printf(" %6.3f", v[i]);
    printf("\n");
}

/* Prints one scheme's figures; returns the largest relative distance of a measured one from its
 * limit. */
static double run_scheme(lesson *l, int k, ridge r[LAYERS]) {
    gt_tape *tape = l->tape;
    double mean[LAYERS], std[LAYERS], measured[LAYERS], worst = 0;
    double t = scheme[k].gain; /* the input has variance 1 */
    static double value[BATCH * WIDE];
    gt_tensor x = noise(tape, "input", 0, BATCH, 1);
    gt_training_log_run(l->log, scheme[k].name);
    gt_training_log_step(l->log, 0, (double)NAN);
    for (int i = 0; i < LAYERS; i++) {
        const gt_tensor w = noise(tape, "w", i, WIDE, scheme[k].gain / sqrt(WIDE));
        x = scheme[k].f(gt_matmul(x, w));
        gt_training_log_layer(l->log, layer_name[i], x, gt_none());
        limit(tape, scheme[k].f, t, &mean[i], &std[i]);
        t = scheme[k].gain * hypot(mean[i], std[i]);
        measured[i] = gt_item(gt_std(x, GT_ALL, 0, false));
        worst = fmax(worst, fabs(measured[i] / std[i] - 1));
        snprintf(r[i].text, sizeof r[i].text, "%.2f", measured[i]);
        lesson_read(x, value, BATCH * WIDE);
        plot_histogram(value, BATCH * WIDE, scheme[k].seen, BINS, i + 1, 0.9, r[i].x, r[i].y);
    }
    printf("%s\n", scheme[k].name);
    print_row("std, limit", std);
    print_row("std, measured", measured);
    if (scheme[k].f == gt_relu) print_row("mean, limit", mean);
    return worst;
}

/* 2-3-1, sigmoids, squared error to a target of 1; every weight is c, every bias 0. */
static void print_constant(gt_tape *tape, double c) {
    static const double input[2] = {1, 2};
    double g1[6], g2[3];
    const gt_tensor x = gt_borrow(tape, input, GT_SHAPE(2), GT_F64),
                    w1 = gt_full(tape, GT_SHAPE(2, 3), c, GT_F64),
                    w2 = gt_full(tape, GT_SHAPE(3), c, GT_F64),
                    bias = gt_zeros(tape, GT_SCALAR, GT_F64);
    const gt_tensor out = gt_sigmoid(gt_add(gt_dot(gt_sigmoid(gt_matmul(x, w1)), w2), bias));
    const gt_tensor loss = gt_square(gt_add_scalar(out, -1));
    lesson_read(gt_grad(loss, w1), g1, 6);
    lesson_read(gt_grad(loss, w2), g2, 3);
    printf("every weight %g: output %.3f, gradients: last layer %.4f %.4f %.4f, its bias %.4f\n", c,
           gt_item(out), g2[0], g2[1], g2[2], gt_item(gt_grad(loss, bias)));
    printf("  first layer, by input: %.4f %.4f %.4f | %.4f %.4f %.4f\n", g1[0], g1[1], g1[2], g1[3],
           g1[4], g1[5]);
}

/* x + W2 relu(W1 x), block after block: the variance, with the second weights Kaiming or zero. */
static void print_residual(gt_tape *tape, bool zero) {
    double variance[LAYERS];
    const double kaiming = sqrt(2.0 / WIDE);
    gt_tensor x = noise(tape, "input", 0, BATCH, 1);
    for (int i = 0; i < LAYERS; i++) {
        const gt_tensor h = gt_relu(gt_matmul(x, noise(tape, "w", i, WIDE, kaiming)));
        x = gt_add(x, gt_matmul(h, noise(tape, "second", i, WIDE, zero ? 0 : kaiming)));
        variance[i] = gt_item(gt_var(x, GT_ALL, 0, false));
    }
    print_row(zero ? "second zero" : "both Kaiming", variance);
}

int main(int count, char **word) {
    static ridge r[SCHEMES][LAYERS];
    static plot_series series[SCHEMES][LAYERS];
    static plot_note notes[SCHEMES][LAYERS];
    plot_panel panel[SCHEMES];
    double worst = 0;
    lesson l;
    if (!lesson_begin(&l, "initializers", count, word)) return EXIT_FAILURE;
    for (int k = 0; k < SCHEMES; k++) {
        const double high = scheme[k].seen.high, beside = high + 0.03 * (high - scheme[k].seen.low);
        worst = fmax(worst, run_scheme(&l, k, r[k]));
        for (int i = 0; i < LAYERS; i++) {
            series[k][i] = (plot_series){NULL, PLOT_SHAPE, i, r[k][i].x, r[k][i].y, BINS + 2};
            notes[k][i] = (plot_note){beside, i + 1, i, r[k][i].text};
        }
        panel[k] = (plot_panel){.title = scheme[k].name, .x = scheme[k].seen, .y = {1, 6.99}};
        panel[k].series = series[k];
        panel[k].notes = notes[k];
        panel[k].n_series = panel[k].n_notes = LAYERS;
    }
    printf("measured within 10 %% of the limit: %s\n\n", worst < 0.1 ? "yes" : "no");
    print_constant(l.tape, 0);
    print_constant(l.tape, 0.5);
    printf("variance after residual blocks x + W2 relu(W1 x)\n");
    for (int zero = 0; zero < 2; zero++) print_residual(l.tape, zero);
    const gt_init init = gt_init_kaiming_normal(); /* row 36: channels times the kernel's area */
    const gt_tensor kernel = gt_param(l.tape, "conv", GT_SHAPE(64, 64, 3, 3), GT_F64, init);
    printf("Kaiming, 3x3 kernels over 64 channels: std %.3f, sqrt(2 / (64 x 9)) = %.3f\n",
           gt_item(gt_std(kernel, GT_ALL, 0, false)), sqrt(2.0 / (64 * 9)));
    plot picture = {.width = 1260, .height = 860, .panel = panel, .n_panels = 6, .columns = 3};
    picture.title = "Activations of layers 1 to 6, right after initialization";
    picture.subtitle = "512 units each, relu's zeros not drawn; beside: the standard deviation";
    return lesson_end(&l, &picture);
}
