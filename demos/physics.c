/* demos/physics.c: a physics-informed network (Raissi, Perdikaris and Karniadakis 2019). No solution
 * is shown to it: the loss is what is left of Burgers' equation,
 *
 *     u_t + u u_x = nu u_xx,     u(x, 0) = -sin(pi x),     u(-1, t) = u(1, t) = 0,
 *
 * with the derivatives of the network taken by gt_grad, and differentiated once more by the
 * optimizer. The wave steepens to a front at x = 0. The exact solution (Hopf 1950, Cole 1951) tells
 * the error afterwards. Adam finds the valley, L-BFGS the floor of it.
 *
 * The last line before the files is "largest error" and that error on a grid. */
#include "common/training.h"

#include <math.h>

enum { POINTS = 1000, ADAM = 30, STEPS = 110, ROUND = 25, MEMORY = 25 };
enum { COLUMNS = 101, ROWS = 101, DOTS = 26 }; /* of the grid, and of the picture's exact values */
static const double NU = 0.05;
static const double PI = 3.14159265358979323846;

/* Holds at the beginning and at both ends by construction: only the equation is left to learn. */
static gt_tensor network(gt_tensor x, gt_tensor t) {
    gt_tensor h = gt_concat(GT_LIST(x, t), 1);
    h = gt_tanh(gt_linear(h, "hidden1", 20));
    h = gt_tanh(gt_linear(h, "hidden2", 20));
    h = gt_tanh(gt_linear(h, "hidden3", 20));
    const gt_tensor inside = gt_mul(t, gt_add_scalar(gt_neg(gt_square(x)), 1));
    const gt_tensor begin = gt_neg(gt_sin(gt_mul_scalar(x, PI)));
    return gt_add(begin, gt_mul(inside, gt_linear(h, "solution", 1)));
}

/* The derivative at every point: one point's output depends on no other point. */
static gt_tensor slope(gt_tensor y, gt_tensor x) { return gt_grad(gt_sum(y, GT_ALL, false), x); }

static gt_tensor equation_loss(gt_tape *tape, void *user) {
    const double(*point)[POINTS] = user;
    const gt_tensor x = gt_borrow(tape, point[0], GT_SHAPE(POINTS, 1), GT_F64);
    const gt_tensor t = gt_borrow(tape, point[1], GT_SHAPE(POINTS, 1), GT_F64);
    const gt_tensor u = network(x, t);
    const gt_tensor u_x = slope(u, x), u_t = slope(u, t), u_xx = slope(u_x, x);
    const gt_tensor left = gt_add(u_t, gt_mul(u, u_x));
    return gt_mean(gt_square(gt_sub(left, gt_mul_scalar(u_xx, NU))), GT_ALL, false);
}

/* By quadrature over the heat kernel: z is in units of its width, and the weights, which fall off
 * like exp(-z^2), make the trapezoidal rule exact to rounding. */
static double exact(double x, double t) {
    double above = 0, below = 0;
    for (int i = -200; i <= 200; i++) {
        const double z = 0.04 * i, y = x - z * sqrt(4 * NU * t);
        const double weight = exp(-z * z - (cos(PI * y) + 1) / (2 * PI * NU));
        above -= sin(PI * y) * weight;
        below += weight;
    }
    return above / below;
}

/* Adam first, one step at a time; then a step is a round of L-BFGS that begins without memory, so
 * that a resumed training needs nothing but the parameters. */
static void train(training *t, double (*point)[POINTS]) {
    gt_optim *adam = gt_adam(t->params, (gt_adam_options){.rate = 5e-3});
    progress bar = progress_begin("physics", t->steps, "steps");
    double loss = 0;
    bool ok = adam != NULL;
    for (; ok && t->step < t->steps; t->step++) {
        if (t->step < ADAM) {
            const gt_tensor left = equation_loss(t->tape, point);
            ok = gt_minimize(adam, left);
            loss = gt_item(left);
            if (ok) gt_tape_reset(t->tape);
        } else {
            gt_lbfgs_optim *lbfgs =
                gt_lbfgs_new(t->params, (gt_lbfgs_options){.memory = MEMORY, .iterations = ROUND});
            ok = lbfgs && gt_lbfgs(lbfgs, equation_loss, point);
            if (ok) loss = gt_lbfgs_last(lbfgs).loss;
            gt_lbfgs_free(lbfgs);
        }
        progress_show(&bar, t->step, "loss %.3e", loss);
        const int64_t every = t->step < ADAM ? 10 : 20;
        if (ok && !bar.terminal && (t->step == 0 || (t->step + 1) % every == 0)) {
            printf("step %4lld  loss %.3e\n", (long long)t->step + 1, loss);
        }
    }
    if (ok) progress_end(&bar, "loss %.3e", loss);
    gt_optim_free(adam);
}

/* Three moments of it, for the picture, and the largest error at any. */
typedef struct solution {
    double x[ROWS], network[3][ROWS], dot[DOTS], exact[3][DOTS], largest;
} solution;

static void compare(gt_tape *tape, solution *s) {
    gt_eval(tape, true);
    s->largest = 0;
    for (int k = 0; k < COLUMNS; k++) {
        const double now = (double)k / (COLUMNS - 1);
        const gt_tensor x = gt_reshape(gt_linspace(tape, -1, 1, ROWS, GT_F64), GT_SHAPE(ROWS, 1));
        const double *u = gt_data(network(x, gt_full(tape, GT_SHAPE(ROWS, 1), now, GT_F64)));
        for (int i = 0; u && i < ROWS; i++) {
            s->x[i] = 2.0 * i / (ROWS - 1) - 1;
            const double truth = exact(s->x[i], now), error = fabs(u[i] - truth);
            if (!(error <= s->largest)) s->largest = error;
            const int slice = k == 25 ? 0 : k == 50 ? 1 : k == 100 ? 2 : -1;
            if (slice < 0) continue;
            s->network[slice][i] = u[i];
            if (i % 4 != 0) continue;
            s->dot[i / 4] = s->x[i];
            s->exact[slice][i / 4] = truth;
        }
        if (!gt_failed(tape)) gt_tape_reset(tape);
    }
}

int main(int count, char **word) {
    static double point[2][POINTS];
    static solution s;
    training t;
    if (!training_begin(&t, "physics", STEPS, count, word)) return EXIT_FAILURE;
    for (uint64_t i = 0; i < POINTS; i++) { /* more of them where the front will be */
        const double side = 2 * gt_uniform(1, 0, i) - 1;
        point[0][i] = i % 3 == 0 ? side * side * side : side;
        point[1][i] = gt_uniform(1, 1, i);
    }
    train(&t, point);
    if (training_save(&t)) compare(t.tape, &s);
    if (!gt_failed(t.tape)) {
        printf("largest error %.2e on a grid of %d x %d\n", s.largest, ROWS, COLUMNS);
    }

    static const char *const name[] = {"t = 0.25", "t = 0.5", "t = 1"};
    plot_series line[6];
    for (int k = 0; k < 3; k++) {
        line[k] = (plot_series){name[k], PLOT_LINE, k, s.x, s.network[k], ROWS};
        line[3 + k] =
            (plot_series){k ? NULL : "exact (dots)", PLOT_POINTS, k, s.dot, s.exact[k], DOTS};
    }
    char subtitle[100];
    snprintf(subtitle, sizeof subtitle, "a network that saw only the equation; largest error %.1e",
             s.largest);
    const plot_panel panel = {
        .x_label = "x", .y_label = "u(x, t)", .no_values = true, .series = line, .n_series = 6};
    return training_end(&t, &(plot){.title = "Burgers' equation: a wave becomes a front",
                                    .subtitle = subtitle,
                                    .width = 720,
                                    .panel = &panel,
                                    .n_panels = 1});
}
