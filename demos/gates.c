/* demos/gates.c: AND and OR by one perceptron, learned by the perceptron rule; XOR by none, but
 * by two ANDs and an OR. Rows 22 and 60 of the course notes; true is +1, false -1.
 *
 * Where the notes are wrong:
 *   - they write a XOR b = ab + a'b'. That is XNOR, true where a and b agree. XOR = ab' + a'b.
 *   - their set of mistakes lacks its condition: M = {n : y_n w.x_n <= 0}. With < in place of <=, w
 *     = 0 would be right about everything and learning would never start. The bias is one more
 *     weight, on an input of 1. */
#include "common/lesson.h"

enum { CASES = 4, GRID = 120, GATES = 4, MOST_STEPS = 20 };
static const double input[CASES][3] = {{-1, -1, 1}, {-1, 1, 1}, {1, -1, 1}, {1, 1, 1}};
static const plot_range reach = {-2, 2};

/* +1 where w.x >= 0, else -1; w holds two weights and the bias. */
static gt_tensor unit(gt_tensor a, gt_tensor b, const double w[3]) {
    const gt_tensor n = gt_add(gt_mul_scalar(a, w[0]), gt_mul_scalar(b, w[1]));
    return gt_add_scalar(gt_mul_scalar(gt_step(gt_add_scalar(n, w[2])), 2), -1);
}

static const double and_w[3] = {1, 1, -1}, or_w[3] = {1, 1, 1};

static gt_tensor and_gate(gt_tensor a, gt_tensor b) { return unit(a, b, and_w); }
static gt_tensor or_gate(gt_tensor a, gt_tensor b) { return unit(a, b, or_w); }
static gt_tensor xor_gate(gt_tensor a, gt_tensor b) {
    return or_gate(and_gate(a, gt_neg(b)), and_gate(gt_neg(a), b));
}
static gt_tensor formula_of_the_notes(gt_tensor a, gt_tensor b) {
    return or_gate(and_gate(a, b), and_gate(gt_neg(a), gt_neg(b)));
}

static const struct {
    const char *name, *title;
    gt_tensor (*gate)(gt_tensor a, gt_tensor b);
} gates[GATES] = {{"AND", "a AND b: one perceptron", and_gate},
                  {"OR", "a OR b: one perceptron", or_gate},
                  {"XOR", "a XOR b = ab' + a'b: three perceptrons", xor_gate},
                  {"ab+a'b'", "ab + a'b': XNOR, not the XOR of the notes", formula_of_the_notes}};

/* The rule from the loss J = - sum over M of y_n w.x_n, whose gradient is - sum over M of y_n
 * x_n: descent with rate 1, until M is empty or after MOST_STEPS. Returns the size of M. */
static double learn(lesson *l, const char *name, const double target[CASES], double w[3],
                    int *steps) {
    gt_optim *opt = gt_sgd(l->params, (gt_sgd_options){.rate = 1, .pattern = name});
    double mistakes = CASES;
    for (*steps = 0; opt && !gt_failed(l->tape); ++*steps) {
        const gt_tensor x = gt_borrow(l->tape, input, GT_SHAPE(CASES, 3), GT_F64);
        const gt_tensor y = gt_borrow(l->tape, target, GT_SHAPE(CASES), GT_F64);
        const gt_tensor weights = gt_param(l->tape, name, GT_SHAPE(3), GT_F64, gt_init_zeros());
        lesson_read(weights, w, 3);
        const gt_tensor margin = gt_mul(y, gt_matmul(x, weights));
        const gt_tensor zero = gt_zeros(l->tape, GT_SHAPE(CASES), GT_F64);
        const gt_tensor wrong = gt_less_equal(margin, zero);
        mistakes = gt_item(gt_sum(wrong, GT_ALL, false));
        if (!(mistakes > 0) || *steps == MOST_STEPS) break;
        gt_minimize(opt, gt_neg(gt_sum(gt_where(wrong, margin, zero), GT_ALL, false)));
        if (!gt_failed(l->tape)) gt_tape_reset(l->tape);
    }
    gt_optim_free(opt);
    return mistakes;
}

static void learn_all(lesson *l) {
    static const double target[3][CASES] = {{-1, -1, -1, 1}, {-1, 1, 1, 1}, {-1, 1, 1, -1}};
    printf("The perceptron rule from w = 0: w <- w + sum over mistakes of y x\n");
    for (int g = 0; g < 3; g++) {
        double w[3] = {0};
        int steps;
        const double mistakes = learn(l, gates[g].name, target[g], w, &steps);
        printf("  %-4s w = (%g, %g), bias %2g: %g mistakes after %d step%s\n", gates[g].name, w[0],
               w[1], w[2], mistakes, steps, steps == 1 ? "" : "s");
    }
    printf(
        "AND and OR: twice the weights (1, 1) and the bias -1 and +1 of the notes.\n"
        "XOR: the four y x cancel, so w stays 0; no line has both true corners on one side.\n\n");
}

static void print_table(gt_tape *tape) {
    double out[GATES][CASES];
    const gt_tensor x = gt_borrow(tape, input, GT_SHAPE(CASES, 3), GT_F64);
    for (int g = 0; g < GATES; g++)
        lesson_read(gates[g].gate(gt_select(x, 1, 0), gt_select(x, 1, 1)), out[g], CASES);
    printf("   a   b ");
    for (int g = 0; g < GATES; g++) printf("%9s", gates[g].name);
    printf("\n");
    for (int i = 0; i < CASES; i++) {
        printf("  %+g  %+g ", input[i][0], input[i][1]);
        for (int g = 0; g < GATES; g++) printf("%+9g", out[g][i]);
        printf("\n");
    }
    printf("\nThe last column is what the notes call XOR: it is XNOR. XOR = ab' + a'b.\n");
}

/* Colour 0 where the gate says true, 1 where it says false, and the four inputs by what it says
 * of them. */
static void draw_gate(gt_tape *tape, int g, plot_panel *panel) {
    static unsigned char color[GATES][GRID * GRID];
    static double said[GRID * GRID], x[GATES][2][CASES], y[GATES][2][CASES];
    static plot_regions regions[GATES];
    static plot_series points[GATES][2];
    const gt_tensor cells = lesson_cells(tape, GRID, GRID, reach, reach);
    lesson_read(gates[g].gate(gt_select(cells, 1, 0), gt_select(cells, 1, 1)), said, GRID * GRID);
    for (int i = 0; i < GRID * GRID; i++) color[g][i] = said[i] > 0 ? 0 : 1;
    int n[2] = {0, 0};
    for (int i = 0; i < CASES; i++) {
        const int column = (int)((input[i][0] - reach.low) / (reach.high - reach.low) * GRID);
        const int row = (int)((reach.high - input[i][1]) / (reach.high - reach.low) * GRID);
        const int k = color[g][row * GRID + column];
        x[g][k][n[k]] = input[i][0];
        y[g][k][n[k]++] = input[i][1];
    }
    for (int k = 0; k < 2; k++)
        points[g][k] =
            (plot_series){k == 0 ? "true" : "false", PLOT_POINTS, k, x[g][k], y[g][k], n[k]};
    regions[g] = (plot_regions){GRID, GRID, color[g]};
    *panel = (plot_panel){.title = gates[g].title,
                          .x_label = "a",
                          .y_label = "b",
                          .x = reach,
                          .y = reach,
                          .series = points[g],
                          .n_series = 2,
                          .regions = &regions[g]};
}

int main(int count, char **word) {
    lesson l;
    plot_panel panel[GATES];
    if (!lesson_begin(&l, "gates", count, word)) return EXIT_FAILURE;
    learn_all(&l);
    print_table(l.tape);
    for (int g = 0; g < GATES; g++) draw_gate(l.tape, g, &panel[g]);
    return lesson_end(&l,
                      &(plot){.title = "What perceptrons can say of two inputs",
                              .subtitle = "one draws one straight border; XOR needs two of them",
                              .width = 760,
                              .height = 860,
                              .panel = panel,
                              .n_panels = GATES,
                              .columns = 2});
}
