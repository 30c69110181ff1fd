/* demos/speed.c: is relu six times faster than sigmoid and tanh? A claim of the course notes (row 69),
 * tested rather than repeated: the same network learns the same three arms of points with each, at five
 * rates; what counts is the number of steps to the same loss, each activation at its own best rate.
 *
 * Where the notes are wrong: there is no such factor. It belongs to a network, its first weights, a rate
 * and a loss to reach; and a step costs about as much with each. The subtitle of the picture says what a
 * step took here, which depends on the machine. */
#include "common/lesson.h"

#include <math.h>
#include <time.h>

enum {
    ARMS = 3,
    PER_ARM = 40,
    POINTS = ARMS * PER_ARM,
    WIDE = 24,
    STEPS = 500,
    KINDS = 3,
    RATES = 5
};
static const double rate[RATES] = {0.01, 0.03, 0.1, 0.3, 1}, enough = 0.1;
static const struct {
    const char *name;
    gt_tensor (*f)(gt_tensor x);
    gt_init (*first_weights)(void);
} kind[KINDS] = {{"relu", gt_relu, gt_init_kaiming_normal},
                 {"tanh", gt_tanh, gt_init_xavier_normal},
                 {"sigmoid", gt_sigmoid, gt_init_xavier_normal}};

typedef struct run {
    double loss[STEPS];
    int reached; /* the first step whose loss is small enough; STEPS: none */
} run;

static gt_tensor layer(gt_tensor x, const char *name, int64_t outputs, gt_init weights) {
    gt_scope_push(x.tape, "%s", name);
    const gt_shape shape = GT_SHAPE(gt_dim(x, 1), outputs);
    const gt_tensor w = gt_param(x.tape, "weight", shape, GT_F64, weights);
    const gt_tensor b = gt_param(x.tape, "bias", GT_SHAPE(outputs), GT_F64, gt_init_zeros());
    gt_scope_pop(x.tape);
    return gt_add(gt_matmul(x, w), b);
}

static gt_tensor network(gt_tensor x, int k) {
    x = kind[k].f(layer(x, "hidden1", WIDE, kind[k].first_weights()));
    x = kind[k].f(layer(x, "hidden2", WIDE, kind[k].first_weights()));
    return layer(x, "classes", ARMS, gt_init_xavier_normal());
}

static void make_arms(double *point, int32_t *arm) {
    for (int i = 0; i < POINTS; i++) {
        arm[i] = i / PER_ARM;
        const double along = (double)(i % PER_ARM + 1) / PER_ARM;
        const double angle = 3 * along + 2 * acos(-1) * arm[i] / ARMS;
        point[2 * i] = along * sin(angle);
        point[2 * i + 1] = along * cos(angle);
    }
}

/* Each run begins with the same random numbers, under names of its own. */
static void train(lesson *l, int k, int r, const double *point, const int32_t *arm, run *result) {
    char name[32], pattern[40];
    snprintf(name, sizeof name, "%s-%d", kind[k].name, r);
    snprintf(pattern, sizeof pattern, "%s/*", name);
    gt_optim *opt = gt_sgd(l->params, (gt_sgd_options){.rate = rate[r],
                                                       .momentum = 0.9,
                                                       .pattern = pattern,
                                                       .name = name});
    result->reached = STEPS;
    for (int t = 0; opt && t < STEPS && !gt_failed(l->tape); t++) {
        const gt_tensor x = gt_borrow(l->tape, point, GT_SHAPE(POINTS, 2), GT_F64);
        const gt_tensor label = gt_borrow(l->tape, arm, GT_SHAPE(POINTS), GT_I32);
        gt_scope_push(l->tape, "%s", name);
        const gt_tensor loss = gt_cross_entropy(network(x, k), label);
        gt_scope_pop(l->tape);
        gt_minimize(opt, loss);
        result->loss[t] = gt_item(loss);
        if (result->loss[t] < enough && t < result->reached) result->reached = t;
        if (!gt_failed(l->tape)) gt_tape_reset(l->tape);
    }
    gt_optim_free(opt);
}

/* Prints the row of an activation. Returns its best rate. */
static int print_row(int k, run result[RATES]) {
    int best = 0;
    printf("  %-8s", kind[k].name);
    for (int r = 0; r < RATES; r++) {
        if (result[r].reached < result[best].reached) best = r;
        char steps[16] = "-";
        if (result[r].reached < STEPS) snprintf(steps, sizeof steps, "%d", result[r].reached);
        printf(" %6s", steps);
    }
    printf("\n");
    return best;
}

int main(int count, char **word) {
    static run result[KINDS][RATES];
    static double point[2 * POINTS], step[STEPS];
    int32_t arm[POINTS];
    int best[KINDS];
    double milliseconds[KINDS];
    plot_series line[KINDS];
    lesson l;
    if (!lesson_begin(&l, "speed", count, word)) return EXIT_FAILURE;
    make_arms(point, arm);
    for (int t = 0; t < STEPS; t++) step[t] = t;
    printf("steps until the cross-entropy is below %g, at rate\n          ", enough);
    for (int r = 0; r < RATES; r++) printf(" %6g", rate[r]);
    printf("\n");
    for (int k = 0; k < KINDS; k++) {
        const clock_t begun = clock();
        for (int r = 0; r < RATES; r++) train(&l, k, r, point, arm, &result[k][r]);
        milliseconds[k] = 1e3 * (double)(clock() - begun) / CLOCKS_PER_SEC / (RATES * STEPS);
        best[k] = print_row(k, result[k]);
        line[k] = (plot_series){kind[k].name, PLOT_LINE, k, step, result[k][best[k]].loss, STEPS};
    }
    for (int k = 1; k < KINDS; k++)
        printf("%s takes %.1f times the steps of relu, each at its best rate\n", kind[k].name,
               result[k][best[k]].reached / (double)result[0][best[0]].reached);
    char subtitle[160];
    snprintf(
        subtitle, sizeof subtitle,
        "each at its best rate; a step took relu %.2f, tanh %.2f, sigmoid %.2f ms on this machine",
        milliseconds[0], milliseconds[1], milliseconds[2]);
    const plot_panel panel = {.title = "Cross-entropy",
                              .x_label = "step",
                              .log_y = true,
                              .no_values = true,
                              .series = line,
                              .n_series = KINDS};
    return lesson_end(&l, &(plot){.title = "Is relu six times faster?",
                                  .subtitle = subtitle,
                                  .width = 720,
                                  .panel = &panel,
                                  .n_panels = 1});
}
