/* demos/spiral.c: the smallest whole training: three arms of points that wind around each other, a
 * network of two layers that learns to tell them apart, and a picture of where it draws the
 * borders. */
#include "common/plot.h"
#include "gradtape.h"

#include <math.h>
#include <stdlib.h>

enum { ARMS = 3, PER_ARM = 200, POINTS = ARMS * PER_ARM, STEPS = 600, GRID = 200 };
static const double REACH = 1.15; /* the picture shows -REACH to REACH */

static gt_tensor network(gt_tensor x) {
    return gt_linear(gt_relu(gt_linear(x, "hidden", 100)), "classes", ARMS);
}

/* x and y of every point; a few degrees of noise across each arm. */
static void make_spiral(float *point, int32_t *arm) {
    for (int i = 0; i < POINTS; i++) {
        arm[i] = i / PER_ARM;
        const double along = (double)(i % PER_ARM + 1) / PER_ARM;
        const double angle =
            4 * along + 2 * acos(-1) * arm[i] / ARMS + 0.2 * gt_normal(1, 0, (uint64_t)i);
        point[2 * i] = (float)(along * sin(angle));
        point[2 * i + 1] = (float)(along * cos(angle));
    }
}

static void train(gt_tape *tape, gt_optim *opt, const float *point, const int32_t *arm) {
    for (int step = 1; step <= STEPS && !gt_failed(tape); step++) {
        const gt_tensor x = gt_borrow(tape, point, GT_SHAPE(POINTS, 2), GT_F32);
        const gt_tensor label = gt_borrow(tape, arm, GT_SHAPE(POINTS), GT_I32);
        const gt_tensor logits = network(x);
        const gt_tensor loss = gt_cross_entropy(logits, label),
                        accuracy = gt_accuracy(logits, label);
        gt_minimize(opt, loss);
        if (step == 1 || step % 100 == 0) {
            printf("step %4d  loss %.4f  accuracy %.3f\n", step, gt_item(loss), gt_item(accuracy));
        }
        if (!gt_failed(tape)) gt_tape_reset(tape);
    }
}

/* Asks the network for the arm of every cell of a grid. */
static bool classify(gt_tape *tape, unsigned char *color) {
    float *center = malloc(sizeof(float[GRID * GRID][2]));
    if (!center) return false;
    for (int i = 0; i < GRID * GRID; i++) {
        const int row = i / GRID, column = i % GRID;
        center[2 * i] = (float)(REACH * (2 * column + 1 - GRID) / GRID);
        center[2 * i + 1] = (float)(REACH * (GRID - 1 - 2 * row) / GRID);
    }
    gt_eval(tape, true);
    const gt_tensor x = gt_borrow(tape, center, GT_SHAPE(GRID * GRID, 2), GT_F32);
    const int64_t *arm = gt_data(gt_argmax(network(x), 1, false));
    for (int i = 0; arm && i < GRID * GRID; i++) color[i] = (unsigned char)arm[i];
    free(center);
    return arm != NULL;
}

static bool draw(const float *point, const unsigned char *color, const char *path) {
    static double x[POINTS], y[POINTS];
    static const char *const name[ARMS] = {"first arm", "second arm", "third arm"};
    plot_series arm[ARMS];
    for (int i = 0; i < POINTS; i++) {
        x[i] = (double)point[2 * i];
        y[i] = (double)point[2 * i + 1];
    }
    for (int k = 0; k < ARMS; k++) {
        arm[k] = (plot_series){name[k], PLOT_POINTS, k, x + k * PER_ARM, y + k * PER_ARM, PER_ARM};
    }
    const plot_regions regions = {GRID, GRID, color};
    const plot_panel panel = {.x = {-REACH, REACH},
                              .y = {-REACH, REACH},
                              .series = arm,
                              .n_series = ARMS,
                              .regions = &regions};
    return plot_write(&(plot){.title = "A spiral of three arms",
                              .subtitle = "points, and what a network of 2-100-3 takes them for",
                              .width = 600,
                              .height = 690,
                              .panel = &panel,
                              .n_panels = 1},
                      path);
}

int main(int count, char **word) {
    static float point[2 * POINTS];
    static int32_t arm[POINTS];
    static unsigned char color[GRID * GRID];
    const char *path = count > 1 ? word[1] : "spiral.svg";
    make_spiral(point, arm);

    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    gt_optim *opt = tape ? gt_adam(params, (gt_adam_options){.rate = 0.02}) : NULL;
    if (opt) train(tape, opt, point, arm);
    bool ok = opt && !gt_failed(tape) && classify(tape, color);
    if (!ok) fprintf(stderr, "spiral: %s\n", opt ? gt_error(tape) : "out of memory");
    if (ok && !draw(point, color, path)) {
        perror(path);
        ok = false;
    }
    if (ok) printf("decision regions in %s\n", path);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
