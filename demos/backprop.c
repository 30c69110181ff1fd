/* demos/backprop.c: backpropagation by hand, next to the tape's. Rows 50, 54 and 61 of the course
 * notes: a 2-2-1 network of sigmoids with the squared error, the shapes of a 3-4-4-1 network, and
 * the chain rule from layer to layer, where dL/dh of one layer is all that the one below needs.
 *
 * Where the notes are wrong:
 *   - for w13 they multiply by the slope of the output twice. Its second factor is that of unit 3,
 *     x3 (1 - x3): the gradients of the first layer come out too small or too large.
 *   - both nodes have a bias of one name. They are two: b3, b4 and b5.
 *   - dL/dw(L-2) is not dL/dh(L-1) dh(L)/dw(L-2) but dL/dh(L-1) dh(L-1)/dw(L-2): written their way
 *     the slope of the last layer comes twice. */
#include "common/lesson.h"

#include <math.h>

enum { X1, X2, W13, W23, B3, W14, W24, B4, W35, W45, B5, NUMBERS, DEPTH = 3 };
static const char *const name[NUMBERS] = {"x1",  "x2", "w13", "w23", "b3", "w14",
                                          "w24", "b4", "w35", "w45", "b5"};
static const double value[NUMBERS] = {1, 0.5, 2, -1, 0.5, -1, 1.5, 0.25, 1.5, -2, 0.5};
static const double target = 1;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static gt_tensor unit(gt_tensor b, gt_tensor x, gt_tensor wx, gt_tensor y, gt_tensor wy) {
    return gt_sigmoid(gt_add(b, gt_add(gt_mul(x, wx), gt_mul(y, wy))));
}

static void by_tape(gt_tape *tape, double gradient[NUMBERS]) {
    gt_tensor n[NUMBERS];
    for (int i = 0; i < NUMBERS; i++) n[i] = gt_scalar(tape, value[i], GT_F64);
    const gt_tensor x3 = unit(n[B3], n[X1], n[W13], n[X2], n[W23]);
    const gt_tensor x4 = unit(n[B4], n[X1], n[W14], n[X2], n[W24]);
    const gt_tensor output = unit(n[B5], x3, n[W35], x4, n[W45]);
    const gt_tensor loss = gt_square(gt_add_scalar(gt_neg(output), target));
    gt_backward(loss);
    for (int i = 0; i < NUMBERS; i++) gradient[i] = gt_item(gt_grad_of(n[i]));
    printf("2-2-1: output %.4f, loss %.4f\n", gt_item(output), gt_item(loss));
}

/* delta5 = dL/dy5; the notes take the slope of the output for that of units 3 and 4. */
static void by_hand(bool as_printed, double gradient[NUMBERS]) {
    const double *v = value;
    const double x3 = sigmoid(v[B3] + v[X1] * v[W13] + v[X2] * v[W23]);
    const double x4 = sigmoid(v[B4] + v[X1] * v[W14] + v[X2] * v[W24]);
    const double output = sigmoid(v[B5] + x3 * v[W35] + x4 * v[W45]);
    const double slope = output * (1 - output), delta5 = -2 * (target - output) * slope;
    const double delta3 = delta5 * v[W35] * (as_printed ? slope : x3 * (1 - x3));
    const double delta4 = delta5 * v[W45] * (as_printed ? slope : x4 * (1 - x4));
    const double all[NUMBERS] = {delta3 * v[W13] + delta4 * v[W14],
                                 delta3 * v[W23] + delta4 * v[W24],
                                 delta3 * v[X1],
                                 delta3 * v[X2],
                                 delta3,
                                 delta4 * v[X1],
                                 delta4 * v[X2],
                                 delta4,
                                 delta5 * x3,
                                 delta5 * x4,
                                 delta5};
    for (int i = 0; i < NUMBERS; i++) gradient[i] = all[i];
}

/* Columns, as in the notes: h = sigmoid(W x + b), and no sigmoid at the output. */
static void print_shapes(gt_tape *tape) {
    static const int64_t width[] = {3, 4, 4, 1};
    gt_tensor h = gt_randn(tape, GT_SHAPE(3, 1), GT_F64);
    printf("\n3-4-4-1: (%dx%d)", (int)gt_dim(h, 0), (int)gt_dim(h, 1));
    for (int k = 1; k < 4; k++) {
        const gt_tensor w = gt_randn(tape, GT_SHAPE(width[k], width[k - 1]), GT_F64);
        h = gt_add(gt_matmul(w, h), gt_zeros(tape, GT_SHAPE(width[k], 1), GT_F64));
        if (k < 3) h = gt_sigmoid(h);
        printf(" -> (%dx%d)", (int)gt_dim(h, 0), (int)gt_dim(h, 1));
    }
    printf("\n");
}

/* One unit a layer: h_l = sigmoid(w_l h_(l-1)), L = (1 - h_3)^2. */
static void print_chain(gt_tape *tape) {
    const double weight[DEPTH + 1] = {0, 0.5, -1.5, 2};
    gt_tensor w[DEPTH + 1], h[DEPTH + 1];
    h[0] = gt_scalar(tape, 1, GT_F64);
    for (int l = 1; l <= DEPTH; l++) {
        w[l] = gt_scalar(tape, weight[l], GT_F64);
        h[l] = gt_sigmoid(gt_mul(w[l], h[l - 1]));
    }
    const gt_tensor loss = gt_square(gt_add_scalar(gt_neg(h[DEPTH]), 1));
    printf("\nlayer    dL/dh_l  x  dh_l/dw_l  =    product      tape\n");
    double upstream = gt_item(gt_grad(loss, h[DEPTH]));
    for (int l = DEPTH; l > 0; l--) {
        const double local = gt_item(gt_grad(h[l], w[l]));
        printf("%5d  %9.6f     %9.6f     %9.6f %9.6f\n", l, upstream, local, upstream * local,
               gt_item(gt_grad(loss, w[l])));
        upstream *= gt_item(gt_grad(h[l], h[l - 1]));
    }
    const double second = gt_item(gt_grad(loss, h[DEPTH - 1]));
    printf("layer 1 as dL/dh_2 dh_2/dw_1: %.6f; as printed, dL/dh_2 dh_3/dw_1: %.6f\n",
           second * gt_item(gt_grad(h[2], w[1])), second * gt_item(gt_grad(h[3], w[1])));
}

int main(int count, char **word) {
    static const char *const legend[] = {"tape", "as the notes print it"};
    double g[3][NUMBERS], size[2][NUMBERS], place[NUMBERS];
    plot_series bars[2];
    plot_note names[NUMBERS];
    lesson l;
    if (!lesson_begin(&l, "backprop", count, word)) return EXIT_FAILURE;
    by_tape(l.tape, g[0]);
    by_hand(true, g[1]);
    by_hand(false, g[2]);
    printf("            tape    by hand    as printed\n");
    for (int i = W13; i < NUMBERS; i++) {
        const bool same = fabs(g[0][i] - g[1][i]) < 1e-12;
        printf("  %-4s %9.6f  %9.6f     %9.6f%s\n", name[i], g[0][i], g[2][i], g[1][i],
               same ? "" : "   wrong");
        place[i] = i - W13 + 1;
        names[i] = (plot_note){place[i] - 0.35, 0.142, 5, name[i]};
        size[0][i] = fabs(g[0][i]);
        size[1][i] = fabs(g[1][i]);
    }
    print_shapes(l.tape);
    print_chain(l.tape);
    const int shown = NUMBERS - W13;
    for (int k = 0; k < 2; k++)
        bars[k] = (plot_series){legend[k], PLOT_BARS, k, place + W13, size[k] + W13, shown};
    const plot_panel panel = {"Size of the loss's gradient to each weight",
                              .x = {0, shown + 1},
                              .y = {0, 0.15},
                              .series = bars,
                              .n_series = 2,
                              .notes = names + W13,
                              .n_notes = shown};
    return lesson_end(&l,
                      &(plot){.title = "Backpropagation by hand",
                              .subtitle =
                                  "2-2-1, sigmoids, squared error: the slip is in the first layer",
                              .width = 760,
                              .panel = &panel,
                              .n_panels = 1});
}
