/* demos/vanishing.c: what becomes of a gradient on its way down ten layers, and units that no
 * gradient reaches any more. Rows 51 and 68 of the course notes.
 *
 * Where the notes are wrong: they say that the gradient vanishes since sigmoid's range is (0, 1)
 * and tanh's (-1, 1). The cause is the derivative, at most 1/4 and at most 1. sigmoid(4x) has
 * sigmoid's range and loses nothing where it is steepest; x / 4 has every number for its range
 * and loses as much as sigmoid at its best. */
#include "common/lesson.h"

#include <math.h>

enum { DEPTH = 10, WIDE = 64, BATCH = 64, CHAINS = 4, NETS = 4 };
enum { FEATURES = 8, UNITS = 100, SAMPLES = 256, STEPS = 60, RUNS = 3 };

static gt_tensor steep_sigmoid(gt_tensor x) { return gt_sigmoid(gt_mul_scalar(x, 4)); }
static gt_tensor quarter(gt_tensor x) { return gt_mul_scalar(x, 0.25); }

/* The best that can happen: one unit per layer, always where it is steepest. */
static void print_chains(gt_tape *tape) {
    static const struct {
        const char *name, *range;
        gt_tensor (*f)(gt_tensor x);
    } chain[CHAINS] = {{"sigmoid(x)", "(0, 1)", gt_sigmoid},
                       {"tanh(x)", "(-1, 1)", gt_tanh},
                       {"sigmoid(4x)", "(0, 1)", steep_sigmoid},
                       {"x / 4", "all numbers", quarter}};
    printf("derivative through a chain, every link at its steepest\n");
    printf("  %-12s %-12s %9s %9s %9s\n", "link", "range", "1 link", "5 links", "10 links");
    for (int i = 0; i < CHAINS; i++) {
        const gt_tensor x = gt_scalar(tape, 0, GT_F64);
        const double at_0 = gt_item(chain[i].f(x));
        gt_tensor y = x;
        printf("  %-12s %-12s", chain[i].name, chain[i].range);
        for (int link = 1; link <= 10; link++) {
            y = gt_add_scalar(chain[i].f(y), -at_0); /* back to where the next is steepest */
            if (link == 1 || link == 5 || link == 10) printf(" %9.2e", gt_item(gt_grad(y, x)));
        }
        printf("\n");
    }
    printf("Not the range decides but the derivative: 0.25^5 and 0.25^10 at best for sigmoid.\n\n");
}

static const struct {
    const char *name;
    gt_tensor (*f)(gt_tensor x);
    double gain; /* times 1 / sqrt(WIDE): the weights' standard deviation */
    bool skip;   /* adds the layer's input to its output */
} net[NETS] = {{"sigmoid", gt_sigmoid, 1, false},
               {"tanh", gt_tanh, 1, false},
               {"relu", gt_relu, 1.4142135623730951, false},
               {"x + sigmoid", gt_sigmoid, 1, true}};

static void log_layers(gt_training_log *log, const char *run, const gt_tensor h[DEPTH],
                       const gt_tensor g[DEPTH]) {
    gt_training_log_run(log, run);
    gt_training_log_step(log, 0, (double)NAN);
    for (int i = 0; i < DEPTH; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer %d", i + 1);
        gt_training_log_layer(log, name, h[i], g[i]);
    }
}

/* Lengths of the gradient at the layers' outputs, relative to that at the last. */
static void gradient_lengths(lesson *l, int which, double length[DEPTH]) {
    gt_tape *tape = l->tape;
    gt_tensor h[DEPTH], g[DEPTH];
    gt_tensor x = gt_param(tape, "x", GT_SHAPE(BATCH, WIDE), GT_F64, gt_init_normal(0, 1));
    for (int i = 0; i < DEPTH; i++) {
        char name[32];
        const gt_init init = gt_init_normal(0, net[which].gain / 8);
        snprintf(name, sizeof name, "%s%d", net[which].name, i);
        const gt_tensor y =
            net[which].f(gt_matmul(x, gt_param(tape, name, GT_SHAPE(WIDE, WIDE), GT_F64, init)));
        x = h[i] = net[which].skip ? gt_add(x, y) : y;
    }
    const gt_tensor u = gt_param(tape, "u", GT_SHAPE(BATCH, WIDE), GT_F64, gt_init_normal(0, 1));
    gt_vjps(x, u, h, DEPTH, g);
    for (int i = 0; i < DEPTH; i++) length[i] = gt_item(gt_norm(g[i], GT_ALL, false));
    log_layers(l->log, net[which].name, h, g);
    for (int i = 0; i < DEPTH; i++) length[i] /= length[DEPTH - 1];
}

static void print_lengths(double length[NETS][DEPTH]) {
    printf("length of the gradient at each layer of 64 random units, last layer = 1\n  layer");
    for (int k = 0; k < NETS; k++) printf(" %12s", net[k].name);
    for (int i = DEPTH - 1; i >= 0; i--) {
        printf("\n  %5d", i + 1);
        for (int k = 0; k < NETS; k++) printf(" %12.1e", length[k][i]);
    }
    printf("\n\n");
}

static const struct {
    const char *name;
    double rate, bias;
} run[RUNS] = {{"rate 0.02", 0.02, 0}, {"rate 0.1", 0.1, 0}, {"bias -4", 0.02, -4}};

/* A unit is dead when no sample gets a positive value out of it: none has a gradient for it. */
static double dead_share(gt_tensor hidden) {
    const gt_tensor zero = gt_scalar(hidden.tape, 0, GT_F64);
    const gt_tensor alive = gt_any(gt_greater(hidden, zero), GT_AXES(0), false);
    return 1 - gt_item(gt_sum(alive, GT_ALL, false)) / UNITS;
}

static gt_tensor hidden_units(gt_tensor x, double bias) {
    const gt_init init = gt_init_kaiming_normal();
    const gt_tensor w = gt_param(x.tape, "w", GT_SHAPE(FEATURES, UNITS), GT_F64, init);
    const gt_tensor b = gt_param(x.tape, "b", GT_SHAPE(UNITS), GT_F64, gt_init_constant(bias));
    return gt_relu(gt_add(gt_matmul(x, w), b));
}

static void log_step(gt_training_log *log, int t, gt_tensor loss, gt_tensor hidden, gt_tensor out) {
    gt_training_log_step(log, t, gt_item(loss));
    gt_training_log_layer(log, "100 relu units", hidden, gt_grad(loss, hidden));
    gt_training_log_layer(log, "output", out, gt_grad(loss, out));
}

/* Learns the length of a vector, 8-100-1. Writes the share of units dead on test samples. */
static void train(lesson *l, int which, double share[STEPS]) {
    char pattern[32];
    snprintf(pattern, sizeof pattern, "run%d/*", which);
    const gt_sgd_options options = {.rate = run[which].rate, .pattern = pattern};
    gt_optim *opt = gt_sgd(l->params, options);
    gt_training_log_run(l->log, run[which].name);
    const gt_shape samples = GT_SHAPE(SAMPLES, FEATURES);
    for (int t = 0; opt && t < STEPS && !gt_failed(l->tape); t++) {
        gt_tape_reset(l->tape);
        const gt_tensor x = gt_param(l->tape, "train", samples, GT_F64, gt_init_normal(0, 1));
        const gt_tensor test = gt_param(l->tape, "test", samples, GT_F64, gt_init_normal(0, 1));
        gt_scope_push(l->tape, "run%d", which);
        share[t] = dead_share(hidden_units(test, run[which].bias));
        const gt_tensor hidden = hidden_units(x, run[which].bias);
        const gt_tensor out = gt_linear(hidden, "out", 1);
        gt_scope_pop(l->tape);
        const gt_tensor loss = gt_mean_squared_error(out, gt_norm(x, GT_AXES(1), true));
        if (l->log) log_step(l->log, t, loss, hidden, out);
        gt_minimize(opt, loss);
    }
    gt_optim_free(opt);
}

int main(int count, char **word) {
    static double layer[DEPTH], length[NETS][DEPTH], step[STEPS], share[RUNS][STEPS];
    plot_series bars[NETS], dead[RUNS];
    lesson l;
    if (!lesson_begin(&l, "vanishing", count, word)) return EXIT_FAILURE;
    print_chains(l.tape);
    for (int i = 0; i < DEPTH; i++) layer[i] = i + 1;
    for (int i = 0; i < STEPS; i++) step[i] = i;
    for (int k = 0; k < NETS; k++) {
        gradient_lengths(&l, k, length[k]);
        bars[k] = (plot_series){net[k].name, PLOT_BARS, k, layer, length[k], DEPTH};
    }
    print_lengths(length);
    printf("dead units of 100, on 256 test samples\n");
    for (int k = 0; k < RUNS; k++) {
        train(&l, k, share[k]);
        printf("  %-10s first %3.0f, after %d steps %3.0f\n", run[k].name, 100 * share[k][0],
               STEPS - 1, 100 * share[k][STEPS - 1]);
        dead[k] = (plot_series){run[k].name, PLOT_LINE, k + 3, step, share[k], STEPS};
    }
    plot_panel panel[] = {{.title = "Length of the gradient, last layer = 1", .x_label = "layer"},
                          {.title = "Dead relu units", .x_label = "step", .percent = true}};
    panel[0].log_y = true;
    panel[0].y = (plot_range){1e-7, 10};
    panel[0].series = bars, panel[0].n_series = NETS;
    panel[1].y = (plot_range){0, 1};
    panel[1].series = dead, panel[1].n_series = RUNS;
    plot picture = {.width = 1080, .panel = panel, .n_panels = 2};
    picture.title = "Gradients that vanish, units that die";
    picture.subtitle = "ten layers of 64 random units; 100 relu units in training";
    return lesson_end(&l, &picture);
}
