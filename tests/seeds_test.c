/* tests/seeds_test.c: the circuits and the loop of the course notes, with their exact figures. */
#include <criterion/criterion.h>

#include "step/journal.h"
#include "support/quick.h"

/* Value and gradient of a gate, to the digits that the notes (or our recomputation of them) give. */
static void expect(gt_tensor gate, double value, double gradient) {
    cr_assert(quick_near(gt_item(gate), value, 5e-7), "value %.9f, not %.9f", gt_item(gate), value);
    const double g = gt_item(gt_grad_of(gate));
    cr_assert(quick_near(g, gradient,
                         5e-9 * (1 + fabs(gradient)) + (fabs(gradient) < 1 ? 5e-7 : 0)),
              "gradient %.9f, not %.9f", g, gradient);
}

Test(seeds, row_44_circuit_1) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, -2), y = quick_scalar(tape, 5),
                    z = quick_scalar(tape, -4);
    const gt_tensor q = gt_add(x, y), f = gt_mul(q, z);
    cr_assert(gt_backward(f), "%s", gt_error(tape));
    expect(f, -12, 1);
    expect(q, 3, -4);
    expect(z, -4, 3);
    expect(x, -2, -4);
    expect(y, 5, -4);
    gt_tape_free(tape);
}

typedef struct neuron {
    gt_tensor w0, x0, w1, x1, w2, product0, product1, sum, dot;
} neuron;

static neuron neuron_of(gt_tape *tape) {
    neuron n = {.w0 = quick_scalar(tape, 2),
                .x0 = quick_scalar(tape, -1),
                .w1 = quick_scalar(tape, -3),
                .x1 = quick_scalar(tape, -2),
                .w2 = quick_scalar(tape, -3)};
    n.product0 = gt_mul(n.w0, n.x0);
    n.product1 = gt_mul(n.w1, n.x1);
    n.sum = gt_add(n.product0, n.product1);
    n.dot = gt_add(n.sum, n.w2);
    return n;
}

static void expect_inputs(const neuron *n) {
    const struct {
        gt_tensor gate;
        double gradient;
    } expected[] = {{n->w0, -.19661193},
                    {n->x0, .39322387},
                    {n->w1, -.39322387},
                    {n->x1, -.58983580},
                    {n->w2, .19661193}};
    for (int i = 0; i < 5; i++) {
        const double g = gt_item(gt_grad_of(expected[i].gate));
        cr_assert(quick_near(g, expected[i].gradient, 6e-9), "input %d: %.10f", i, g);
    }
}

Test(seeds, row_46_circuit_2_gate_by_gate) {
    gt_tape *tape = gt_tape_new(NULL);
    const neuron n = neuron_of(tape);
    const gt_tensor minus = gt_neg(n.dot), power = gt_exp(minus), plus = gt_add_scalar(power, 1);
    const gt_tensor f = gt_reciprocal(plus);
    cr_assert(gt_backward(f), "%s", gt_error(tape));
    expect(n.product0, -2, .196612);
    expect(n.product1, 6, .196612);
    expect(n.sum, 4, .196612);
    expect(n.dot, 1, .196612);
    expect(minus, -1, -.196612);
    expect(power, .367879, -.534447);
    expect(plus, 1.367879, -.534447);
    expect(f, .731059, 1);
    expect_inputs(&n);
    gt_tape_free(tape);
}

Test(seeds, row_47_four_gates_collapse_into_one_sigmoid) {
    gt_tape *tape = gt_tape_new(NULL);
    const neuron n = neuron_of(tape);
    const gt_tensor f = gt_sigmoid(n.dot);
    cr_assert(gt_backward(f), "%s", gt_error(tape));
    expect(f, .731059, 1);
    expect(n.dot, 1, .196612);
    expect_inputs(&n);
    gt_tape_free(tape);
}

Test(seeds, row_48_patterns_in_gradient_flow) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3), y = quick_scalar(tape, -4),
                    z = quick_scalar(tape, 2), w = quick_scalar(tape, -1);
    const gt_tensor f = gt_mul_scalar(gt_add(gt_mul(x, y), gt_maximum(z, w)), 2);
    cr_assert(gt_backward(f), "%s", gt_error(tape));
    expect(f, -20, 1);
    expect(x, 3, -8);
    expect(y, -4, 6);
    expect(z, 2, 2);
    expect(w, -1, 0);
    gt_tape_free(tape);
}

static double neuron_at(double w0) { return 1 / (1 + exp(-(w0 * -1 + -3 * -2 + -3))); }

Test(seeds, row_43_differences_on_one_side_and_on_both) {
    const double h = 1e-5, exact = -.19661193324148185;
    const double forward = (neuron_at(2 + h) - neuron_at(2)) / h;
    const double central = (neuron_at(2 + h) - neuron_at(2 - h)) / (2 * h);
    cr_assert(quick_near(fabs(forward / exact - 1), 2.3e-6, 5e-8), "%g", forward / exact - 1);
    /* 3.7e-11: what rounding leaves of it, so no more than its order is sure */
    cr_assert(fabs(central / exact - 1) < 2e-10, "%g", central / exact - 1);
}

/* The notes' ComputationalGraph: forward() over the sorted gates, backward() over them reversed, which
 * returns the gradients of the inputs. */
Test(seeds, row_49_forward_over_sorted_gates_and_backward_reversed) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, -2), y = quick_scalar(tape, 5),
                    z = quick_scalar(tape, -4);
    const gt_tensor f = gt_mul(gt_add(x, y), z);
    gt_journal *j = gt_journal_of(f);
    cr_assert(gt__journal_ready(j) && j->n_main == 5, "%s", gt_journal_error(j));
    for (uint32_t i = 0; i < j->n_main; i++)
        for (uint32_t k = 0; k < j->gate[i].n_in; k++)
            cr_assert_lt(j->input[j->gate[i].first_in + k], i, "an input behind its gate");
    uint32_t i = 0, last = j->n_main;
    for (; j->step[i].kind == GT__VALUE; i++) cr_assert_eq(j->step[i].gate, i);
    cr_assert_eq(i, j->n_main);
    cr_assert_eq(j->step[i].kind, GT__SEED);
    for (i++; i < j->n_steps; i++) {
        cr_assert(j->step[i].kind == GT__FLOW && j->step[i].gate <= last);
        last = j->step[i].gate;
    }
    const gt_tensor inputs[] = {x, y, z};
    gt_tensor gradients[3];
    gt_grads(f, inputs, 3, gradients);
    const double expected[] = {-4, -4, 3};
    for (int k = 0; k < 3; k++) cr_assert_eq(gt_item(gradients[k]), expected[k]);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(seeds, mistake_17_a_scalar_has_no_axis_a_vector_one_a_matrix_two) {
    gt_tape *tape = gt_tape_new(NULL);
    cr_assert_eq(gt_shape_of(quick_scalar(tape, 1)).rank, 0);
    cr_assert_eq(gt_shape_of(gt_zeros(tape, GT_SHAPE(3), GT_F64)).rank, 1);
    cr_assert_eq(gt_shape_of(gt_zeros(tape, GT_SHAPE(3, 2), GT_F64)).rank, 2);
    gt_tape_free(tape);
}

Test(seeds, row_4_vanishing_of_the_sigmoid) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 0);
    cr_assert_eq(gt_item(gt_grad(gt_sigmoid(x), x)), 0.25);
    gt_tape_free(tape);
}

Test(seeds, row_64_cross_entropy_cancels_saturation) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor z = quick_scalar(tape, -5), y = quick_scalar(tape, 1);
    const gt_tensor s = gt_sigmoid(z);
    const gt_tensor entropy = gt_neg(gt_log(s));
    const gt_tensor squared = gt_square(gt_sub(s, y));
    cr_assert(quick_near(gt_item(gt_grad(entropy, z)), -.99331, 5e-6));
    cr_assert(quick_near(gt_item(gt_grad(squared, z)), -.01321, 5e-6));
    cr_assert(quick_near(gt_item(entropy), 5.0067, 5e-5));
    cr_assert(quick_near(gt_item(squared), .9867, 5e-5));
    gt_tape_free(tape);
}

Test(seeds, row_55_the_training_loop_falls) {
    enum { N = 64, IN = 1000, HIDDEN = 100, OUT = 10 };
    static float x[N * IN], y[N * OUT];
    for (int i = 0; i < N * IN; i++) x[i] = (float)gt_normal(1, 0, (uint64_t)i);
    for (int i = 0; i < N * OUT; i++) y[i] = (float)gt_normal(1, 1, (uint64_t)i);
    gt_params *params = gt_params_new(NULL, 7);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 1e-4});
    double loss[101];
    for (int t = 0; t <= 100; t++) {
        const gt_tensor in = gt_borrow(tape, x, GT_SHAPE(N, IN), GT_F32);
        const gt_tensor target = gt_borrow(tape, y, GT_SHAPE(N, OUT), GT_F32);
        const gt_tensor w1 =
            gt_param(tape, "w1", GT_SHAPE(IN, HIDDEN), GT_F32, gt_init_normal(0, 1));
        const gt_tensor w2 =
            gt_param(tape, "w2", GT_SHAPE(HIDDEN, OUT), GT_F32, gt_init_normal(0, 1));
        const gt_tensor p = gt_matmul(gt_sigmoid(gt_matmul(in, w1)), w2);
        const gt_tensor l = gt_sum_squared_error(p, target);
        cr_assert(gt_minimize(opt, l), "%s", gt_error(tape));
        loss[t] = gt_item(l);
        gt_tape_reset(tape);
    }
    /* 25873, 17830, 8686 and 2279 with the generator of the row; others scatter around them */
    cr_assert(loss[0] > 15000 && loss[0] < 45000, "%g", loss[0]);
    cr_assert(loss[1] < 0.85 * loss[0] && loss[1] > 0.5 * loss[0], "%g", loss[1]);
    cr_assert(loss[10] < 0.5 * loss[0], "%g", loss[10]);
    cr_assert(loss[100] < 0.15 * loss[0] && loss[100] > 0, "%g", loss[100]);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}
