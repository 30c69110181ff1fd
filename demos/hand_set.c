/* demos/hand_set.c: a classifier of the plane whose weights nobody trained: a 2-11-4-1 network
 * of hard limits, row 56 of the course notes. Eleven lines cut the plane, four units AND four
 * half-planes each to a box, one unit ORs the boxes. Checked on 401 x 401 points against the
 * boxes written down as inequalities.
 *
 * Where the notes are wrong, or leave a choice open:
 *   - they write the second layer's bias as a row and without its superscript: it is b2, a column
 *     of four -3.
 *   - they have three conventions for a step, by turns. This network needs hardlims, +1 at 0: then
 *     the borders belong to the boxes. With sign, 0 at 0, a point on a border can get no answer at
 *     all. */
#include "common/lesson.h"

enum { LINES = 11, BOXES = 4, SIDE = 401, POINTS = SIDE * SIDE, PROBES = 4 };
static const plot_range reach = {0, 6.25}; /* steps of 1/64: exact in binary, borders included */

static const double w1[2][LINES] = {{1, -1, 1, -1, 1, -1, 1, -1, -1, 1, 1},
                                    {1, -1, -1, 1, -1, 1, -1, 1, -1, 1, 1}};
static const double b1[LINES] = {-2, 3, .5, .5, -1.75, 2.25, -3.25, 3.75, 6.25, -5.75, -4.75};
/* clang-format off */
static const double w2[BOXES][LINES] = {{1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0},
                                        {0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1},
                                        {0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0},
                                        {0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1}};
/* clang-format on */
static const double b2[BOXES] = {-3, -3, -3, -3}; /* AND of four: their sum is 4, or 2 and less */
static const double w3[BOXES] = {1, 1, 1, 1}, b3 = 3; /* OR: the sum is -4, or -2 and more */

/* The same boxes in u = x + y and v = x - y: low and high of each. */
static const double box[BOXES][4] = {{2, 3, -.5, .5},
                                     {4.75, 6.25, 1.75, 2.25},
                                     {5.75, 6.25, 1.75, 3.75},
                                     {4.75, 6.25, 3.25, 3.75}};

static const double probe[PROBES][2] = {{1, 1}, {2, 1}, {4, 2}, {4, 1.25}};

static gt_tensor hard_limit(gt_tensor n) { return gt_add_scalar(gt_mul_scalar(gt_step(n), 2), -1); }

/* p [count, 2] to [count]. *boxes gets the second layer [count, BOXES], *lines the first layer's
 * weights. */
static gt_tensor network(gt_tensor p, gt_tensor (*limit)(gt_tensor n), gt_tensor *boxes,
                         gt_tensor *lines) {
    gt_tape *tape = p.tape;
    *lines = gt_borrow(tape, w1, GT_SHAPE(2, LINES), GT_F64);
    const gt_tensor bias = gt_borrow(tape, b1, GT_SHAPE(LINES), GT_F64);
    const gt_tensor first = limit(gt_add(gt_matmul(p, *lines), bias));
    const gt_tensor chosen = gt_t(gt_borrow(tape, w2, GT_SHAPE(BOXES, LINES), GT_F64));
    *boxes = limit(gt_add(gt_matmul(first, chosen), gt_borrow(tape, b2, GT_SHAPE(BOXES), GT_F64)));
    const gt_tensor sum = gt_matmul(*boxes, gt_borrow(tape, w3, GT_SHAPE(BOXES), GT_F64));
    return limit(gt_add_scalar(sum, b3));
}

/* The first box with the point in it, 1 to BOXES; 0: none. */
static int box_of(double x, double y) {
    for (int i = 0; i < BOXES; i++) {
        const double *b = box[i];
        if (x + y >= b[0] && x + y <= b[1] && x - y >= b[2] && x - y <= b[3]) return i + 1;
    }
    return 0;
}

static void ask_probes(gt_tape *tape) {
    gt_tensor boxes, lines;
    double answer[PROBES];
    const gt_tensor p = gt_borrow(tape, probe, GT_SHAPE(PROBES, 2), GT_F64);
    const gt_tensor said = network(p, hard_limit, &boxes, &lines);
    lesson_read(said, answer, PROBES);
    for (int i = 0; i < PROBES; i++)
        printf("  (%g, %g) -> %+g\n", probe[i][0], probe[i][1], answer[i]);
    const gt_tensor slope = gt_grad(gt_sum(said, GT_ALL, false), lines);
    printf("gradient to the first layer's weights: length %g, for a step has none to pass on\n",
           gt_item(gt_norm(slope, GT_ALL, false)));
}

/* Compares the network with the inequalities at every point; colours the points by their box. */
static void check_grid(gt_tape *tape, unsigned char *color) {
    static double point[POINTS][2], with_limit[POINTS], with_sign[POINTS];
    gt_tensor boxes, lines;
    for (int i = 0; i < POINTS; i++) {
        const int row = i / SIDE; /* the top one first, as pictures have it */
        point[i][0] = i % SIDE / 64.0;
        point[i][1] = (SIDE - 1 - row) / 64.0;
    }
    const gt_tensor p = gt_borrow(tape, point, GT_SHAPE(POINTS, 2), GT_F64);
    lesson_read(network(p, hard_limit, &boxes, &lines), with_limit, POINTS);
    lesson_read(network(p, gt_sign, &boxes, &lines), with_sign, POINTS);
    int inside = 0, mismatches = 0, undecided = 0, lost = 0;
    for (int i = 0; i < POINTS; i++) {
        const int in = box_of(point[i][0], point[i][1]);
        color[i] = in ? (unsigned char)(in - 1) : PLOT_EMPTY;
        inside += in > 0;
        mismatches += !(with_limit[i] == (in ? 1 : -1));
        undecided += with_sign[i] == 0;
        lost += in && !(with_sign[i] > 0);
    }
    printf("%d points: %d inside, %d mismatches between network and boxes\n", POINTS, inside,
           mismatches);
    printf("with sign for hardlims: %d points of the boxes are lost, %d of them get 0\n", lost,
           undecided);
}

/* Line i of the first layer, w.p + b = 0, across the picture and beyond. */
static void line_ends(int i, double x[2], double y[2]) {
    for (int end = 0; end < 2; end++) {
        x[end] = end == 0 ? -1 : 8;
        y[end] = -(w1[0][i] * x[end] + b1[i]) / w1[1][i];
    }
}

static int draw(lesson *l, const unsigned char *color) {
    static double x[LINES][2], y[LINES][2];
    plot_series series[LINES + PROBES];
    plot_note notes[PROBES];
    for (int i = 0; i < LINES; i++) {
        line_ends(i, x[i], y[i]);
        series[i] = (plot_series){
            i == 0 ? "the lines of the first layer" : NULL, PLOT_DASHED, 5, x[i], y[i], 2};
    }
    for (int i = 0; i < PROBES; i++) {
        const bool in = box_of(probe[i][0], probe[i][1]) > 0;
        series[LINES + i] =
            (plot_series){NULL, PLOT_POINTS, in ? 0 : 1, &probe[i][0], &probe[i][1], 1};
        notes[i] =
            (plot_note){probe[i][0] + 0.07, probe[i][1] - 0.04, in ? 0 : 1, in ? "+1" : "-1"};
    }
    const plot_regions lower = {SIDE, SIDE / 2 + 1, color + SIDE / 2 * SIDE}; /* nothing is above */
    plot_panel panel = {.title = "Where the four AND units say +1", .x_label = "x", .y_label = "y"};
    panel.x = reach;
    panel.y = (plot_range){0, reach.high / 2};
    panel.no_values = true;
    panel.regions = &lower;
    panel.series = series;
    panel.n_series = LINES + PROBES;
    panel.notes = notes;
    panel.n_notes = PROBES;
    plot picture = {.width = 1000, .height = 642, .panel = &panel, .n_panels = 1};
    picture.title = "A classifier whose weights nobody trained";
    picture.subtitle = "2-11-4-1: lines, ANDed to boxes (a colour each), ORed to one class";
    return lesson_end(l, &picture);
}

int main(int count, char **word) {
    static unsigned char color[POINTS];
    lesson l;
    if (!lesson_begin(&l, "hand_set", count, word)) return EXIT_FAILURE;
    printf("2-11-4-1, hard limits, weights set by hand\n");
    ask_probes(l.tape);
    check_grid(l.tape, color);
    return draw(&l, color);
}
