/* demos/collapse.c: layers without something between them that bends are one layer: W2 (W1 x) =
 * (W2 W1) x = W3 x. Row 53 of the course notes, in its two- and three-layer form; and what
 * max(0, .) between the layers changes.
 *
 * The notes are right here. What they leave out: the collapse is exact in real numbers and up to
 * rounding in a computer's, a bias in each layer does not prevent it (W2 b1 + b2 is one bias),
 * and a linear network may train differently from the one layer that it equals, though it can
 * never say more. */
#include "common/lesson.h"

#include <math.h>

enum { INPUTS = 6, WIDE = 32, OUTPUTS = 4, SAMPLES = 50, POINTS = 240, GRID = 160, STEPS = 150 };
static const plot_range reach = {-1.6, 1.6};

static gt_tensor weights(gt_tape *tape, const char *name, int64_t in, int64_t out) {
    return gt_param(tape, name, GT_SHAPE(in, out), GT_F64, gt_init_kaiming_normal());
}

/* Largest difference between f of several layers and one matrix applied once, over random inputs
 * (as rows). */
static double difference(gt_tensor several, gt_tensor one) {
    return gt_item(gt_max(gt_abs(gt_sub(several, one)), GT_ALL, false));
}

static void print_difference(const char *form, double d) {
    if (d < 1e-12)
        printf("  %-34s rounding only\n", form);
    else
        printf("  %-34s %.3f\n", form, d);
}

static void compare(gt_tape *tape) {
    double sample[SAMPLES * INPUTS];
    for (int i = 0; i < SAMPLES * INPUTS; i++) sample[i] = gt_normal(3, 0, (uint64_t)i);
    const gt_tensor x = gt_input(tape, sample, GT_SHAPE(SAMPLES, INPUTS), GT_F64);
    const gt_tensor a = weights(tape, "a", INPUTS, WIDE), b = weights(tape, "b", WIDE, WIDE),
                    c = weights(tape, "c", WIDE, OUTPUTS), d = weights(tape, "d", WIDE, OUTPUTS);
    const gt_tensor hidden = gt_matmul(x, a), bent = gt_relu(hidden);
    printf("largest difference to the one layer whose matrix is the product\n");
    print_difference("W2 W1 x", difference(gt_matmul(hidden, d), gt_matmul(x, gt_matmul(a, d))));
    const gt_tensor three = gt_matmul(a, gt_matmul(b, c));
    print_difference("W3 W2 W1 x",
                     difference(gt_matmul(gt_matmul(hidden, b), c), gt_matmul(x, three)));
    print_difference("W2 max(0, W1 x)",
                     difference(gt_matmul(bent, d), gt_matmul(x, gt_matmul(a, d))));
    const gt_tensor deep = gt_matmul(gt_relu(gt_matmul(bent, b)), c);
    print_difference("W3 max(0, W2 max(0, W1 x))", difference(deep, gt_matmul(x, three)));
}

/* A linear function has one derivative everywhere: how far the derivatives at two points are
 * apart. */
static void compare_slopes(gt_tape *tape) {
    double at[2][INPUTS];
    for (int i = 0; i < INPUTS; i++) at[0][i] = -(at[1][i] = gt_normal(4, 0, (uint64_t)i));
    printf("largest difference between the Jacobians at x and at -x\n");
    for (int bend = 0; bend < 2; bend++) {
        gt_tensor jacobian[2];
        for (int k = 0; k < 2; k++) {
            const gt_tensor x = gt_input(tape, at[k], GT_SHAPE(INPUTS), GT_F64);
            const gt_tensor h = gt_matmul(x, weights(tape, "a", INPUTS, WIDE));
            jacobian[k] =
                gt_jacobian(gt_matmul(bend ? gt_relu(h) : h, weights(tape, "d", WIDE, OUTPUTS)), x);
        }
        print_difference(bend ? "W2 max(0, W1 x)" : "W2 W1 x",
                         difference(jacobian[0], jacobian[1]));
    }
    printf("\n");
}

/* 2-32-32-2 with biases, bent or not. */
static gt_tensor network(gt_tensor x, bool bend) {
    gt_scope_push(x.tape, bend ? "bent" : "linear");
    x = gt_linear(x, "first", WIDE);
    x = gt_linear(bend ? gt_relu(x) : x, "second", WIDE);
    x = gt_linear(bend ? gt_relu(x) : x, "classes", 2);
    gt_scope_pop(x.tape);
    return x;
}

/* A disc and a ring around it: no line parts them. */
static void make_points(double point[POINTS][2], int32_t *label) {
    for (int i = 0; i < POINTS; i++) {
        label[i] = i < POINTS / 2 ? 0 : 1;
        const double radius = (label[i] ? 1 : 0) + 0.5 * sqrt(gt_uniform(5, 0, (uint64_t)i));
        const double angle = 2 * acos(-1) * gt_uniform(5, 1, (uint64_t)i);
        point[i][0] = radius * cos(angle);
        point[i][1] = radius * sin(angle);
    }
}

/* Trains, prints what became of it, and colours the plane by the network's answer. */
static void train(lesson *l, bool bend, double point[POINTS][2], const int32_t *label,
                  unsigned char *color) {
    static double said[GRID * GRID];
    gt_optim *opt = gt_adam(l->params, (gt_adam_options){.rate = 0.02,
                                                         .pattern = bend ? "bent/*" : "linear/*"});
    for (int step = 0; opt && step <= STEPS && !gt_failed(l->tape); step++) {
        gt_tape_reset(l->tape);
        const gt_tensor x = gt_borrow(l->tape, point, GT_SHAPE(POINTS, 2), GT_F64);
        const gt_tensor y = gt_borrow(l->tape, label, GT_SHAPE(POINTS), GT_I32),
                        logits = network(x, bend);
        if (step < STEPS)
            gt_minimize(opt, gt_cross_entropy(logits, y));
        else
            printf("disc and ring, %s: accuracy %.2f\n", bend ? "with max(0, .)" : "linear layers ",
                   gt_item(gt_accuracy(logits, y)));
    }
    const gt_tensor logits = network(lesson_cells(l->tape, GRID, GRID, reach, reach), bend);
    lesson_read(gt_cast(gt_argmax(logits, 1, false), GT_F64), said, GRID * GRID);
    for (int i = 0; i < GRID * GRID; i++) color[i] = (unsigned char)said[i];
    gt_optim_free(opt);
}

int main(int count, char **word) {
    static double point[POINTS][2], x[POINTS], y[POINTS];
    static unsigned char color[2][GRID * GRID];
    int32_t label[POINTS];
    lesson l;
    if (!lesson_begin(&l, "collapse", count, word)) return EXIT_FAILURE;
    compare(l.tape);
    compare_slopes(l.tape);
    make_points(point, label);
    for (int i = 0; i < POINTS; i++) {
        x[i] = point[i][0];
        y[i] = point[i][1];
    }
    const int half = POINTS / 2;
    const plot_series both[] = {{"disc", PLOT_POINTS, 0, x, y, half},
                                {"ring", PLOT_POINTS, 1, x + half, y + half, half}};
    plot_regions regions[2];
    plot_panel panel[2];
    for (int bend = 0; bend < 2; bend++) {
        train(&l, bend, point, label, color[bend]);
        regions[bend] = (plot_regions){GRID, GRID, color[bend]};
        panel[bend] = (plot_panel){.title = bend ? "W3 max(0, W2 max(0, W1 x))" : "W3 W2 W1 x",
                                   .x = reach,
                                   .y = reach,
                                   .series = both,
                                   .n_series = 2,
                                   .regions = &regions[bend]};
    }
    plot picture = {.width = 900, .height = 560, .panel = panel, .n_panels = 2};
    picture.title = "Three layers, or one";
    picture.subtitle = "both networks are 2-32-32-2 and trained alike; only one of them bends";
    return lesson_end(&l, &picture);
}
