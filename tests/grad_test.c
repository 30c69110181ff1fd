/* tests/grad_test.c: what grad/ promises beyond single operations (those are checked by the harness). */
#include <criterion/criterion.h>

#include "support/quick.h"

Test(grad, backward_adds_to_parameters_twice_adds_twice) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info info;
    const gt_tensor w = quick_param(tape, "w", 3);
    const gt_tensor loss = gt_square(w);
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    gt_params_find(gt_tape_params(tape), "w", &info);
    cr_assert_eq(*(const double *)info.grad, 12);
    gt_zero_grad(gt_tape_params(tape), "w");
    gt_params_find(gt_tape_params(tape), "w", &info);
    cr_assert_null(info.grad);
    gt_tape_free(tape);
}

Test(grad, backward_for_reaches_only_those_named) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info a, b;
    const gt_tensor loss = gt_mul(quick_param(tape, "net/a", 3), quick_param(tape, "head/b", 5));
    cr_assert(gt_backward_for(loss, "net/*"), "%s", gt_error(tape));
    gt_params_find(gt_tape_params(tape), "net/a", &a);
    gt_params_find(gt_tape_params(tape), "head/b", &b);
    cr_assert_eq(*(const double *)a.grad, 5);
    cr_assert_null(b.grad);
    gt_tape_free(tape);
}

Test(grad, a_parameter_shared_by_two_layers_gets_the_sum) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_param_info info;
    const gt_tensor one = quick_param(tape, "w", 3), again = quick_param(tape, "w", 3);
    cr_assert_eq(one.index, again.index);
    cr_assert(gt_backward(gt_mul(one, gt_square(again))));
    gt_params_find(gt_tape_params(tape), "w", &info);
    cr_assert_eq(*(const double *)info.grad, 27);
    cr_assert_eq(info.uses, 2);
    gt_tape_free(tape);
}

Test(grad, why_topological_order_b_is_a_plus_a_c_is_b_plus_b) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor a = quick_scalar(tape, 1), b = gt_add(a, a), c = gt_add(b, b);
    cr_assert_eq(gt_item(gt_grad(c, a)), 4);
    cr_assert_eq(gt_item(gt_grad(c, b)), 2);
    gt_tape_free(tape);
}

Test(grad, grad_of_answers_for_interior_nodes_and_inputs) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor w = quick_param(tape, "w", 2), x = quick_scalar(tape, 5);
    const gt_tensor h = gt_mul(w, x), f = gt_square(h);
    gt_grad_of(h);
    cr_assert(quick_failed_with(tape, "no gt_backward"));
    gt_tape_reset(tape);
    const gt_tensor w2 = quick_param(tape, "w", 2), x2 = quick_scalar(tape, 5);
    const gt_tensor h2 = gt_mul(w2, x2), f2 = gt_square(h2);
    cr_assert(gt_backward(f2));
    cr_assert_eq(gt_item(gt_grad_of(h2)), 20);
    cr_assert_eq(gt_item(gt_grad_of(w2)), 100);
    cr_assert_eq(gt_item(gt_grad_of(x2)), 40, "an input, which no parameter feeds");
    cr_assert_eq(gt_item(gt_grad_of(h2)), 20);
    cr_assert_eq(gt_item(gt_grad_of(f2)), 1);
    (void)f;
    gt_tape_free(tape);
}

Test(grad, an_unreached_input_gets_zeros_and_stop_gradient_stops) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2), y = quick_scalar(tape, 3);
    cr_assert_eq(gt_item(gt_grad(gt_square(x), y)), 0);
    cr_assert_eq(gt_item(gt_grad(gt_mul(x, gt_stop_gradient(x)), x)), 2);
    gt_tape_free(tape);
}

Test(grad, higher_orders) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 0.3);
    gt_tensor g = gt_sin(x);
    const double expected[5] = {cos(0.3), -sin(0.3), -cos(0.3), sin(0.3), cos(0.3)};
    for (int order = 0; order < 5; order++) {
        g = gt_grad(g, x);
        cr_assert(quick_near(gt_item(g), expected[order], 1e-15), "order %d", order + 1);
    }
    gt_tape_free(tape);
}

Test(grad, jacobian_hessian_jvp_and_hvp_agree_with_calculus) {
    gt_tape *tape = gt_tape_new(NULL);
    const double at[2] = {2, 3}, direction[2] = {0.5, -1};
    const gt_tensor x = gt_input(tape, at, GT_SHAPE(2), GT_F64);
    const gt_tensor v = gt_input(tape, direction, GT_SHAPE(2), GT_F64);
    const gt_tensor a = gt_select(x, 0, 0), b = gt_select(x, 0, 1);
    const gt_tensor y =
        gt_stack(GT_LIST(gt_mul(a, b), gt_square(a), gt_exp(gt_mul_scalar(b, 0.1))), 0);
    const double *j = gt_data(gt_jacobian(y, x));
    cr_assert_not_null(j, "%s", gt_error(tape));
    const double e = 0.1 * exp(0.3);
    const double expected[6] = {3, 2, 4, 0, 0, e};
    for (int i = 0; i < 6; i++)
        cr_assert(quick_near(j[i], expected[i], 1e-15), "entry %d: %g", i, j[i]);
    const double *forward = gt_data(gt_jvp(y, x, v));
    cr_assert(quick_near(forward[0], -0.5, 1e-15) && quick_near(forward[1], 2, 1e-15) &&
              quick_near(forward[2], -e, 1e-15));
    const gt_tensor f = gt_mul(gt_square(a), b);
    const double *h = gt_data(gt_hessian(f, x));
    const double second[4] = {6, 4, 4, 0};
    for (int i = 0; i < 4; i++) cr_assert(quick_near(h[i], second[i], 1e-14), "entry %d", i);
    const double *hv = gt_data(gt_hvp(f, x, v));
    cr_assert(quick_near(hv[0], -1, 1e-14) && quick_near(hv[1], 2, 1e-14));
    gt_tape_free(tape);
}

Test(grad, a_root_that_is_no_scalar_asks_for_an_upstream) {
    gt_tape *tape = gt_tape_new(NULL);
    const double at[2] = {2, 3};
    const gt_tensor x = gt_input(tape, at, GT_SHAPE(2), GT_F64);
    gt_grad(gt_square(x), x);
    cr_assert(quick_failed_with(tape, "gt_vjp"), "%s", gt_error(tape));
    gt_tape_reset(tape);
    const int32_t one = 1;
    const gt_tensor i = gt_input(tape, &one, GT_SCALAR, GT_I32);
    gt_grad(gt_square(i), i);
    cr_assert(quick_failed_with(tape, "only floats"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(grad, a_zero_upstream_contributes_zero_even_where_the_local_gradient_is_infinite) {
    gt_tape *tape = gt_tape_new(NULL);
    const double at[3] = {0, 4, -1};
    const gt_tensor x = gt_input(tape, at, GT_SHAPE(3), GT_F64), zero = quick_scalar(tape, 0);
    const gt_tensor y = gt_where(gt_greater(x, zero), gt_sqrt(x), zero);
    const double *g = gt_data(gt_grad(gt_sum(y, GT_ALL, false), x));
    cr_assert(g && g[0] == 0 && g[1] == 0.25 && g[2] == 0);
    gt_tape_free(tape);
}

/* A checkpointed range gives the same gradients, to the bit, and its effects happen once. */
static double checkpointed(bool on, double *statistic) {
    gt_params *params = gt_params_new(NULL, 5);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor w = quick_param(tape, "w", 0.6);
    gt_tensor h = gt_mul_scalar(w, 1.5);
    if (on) gt_checkpoint_begin(tape);
    for (int i = 0; i < 4; i++) h = gt_dropout(gt_sin(gt_mul(h, w)), i == 2 ? 0.01 : 0);
    const gt_tensor seen = gt_buffer(tape, "seen", GT_SCALAR, GT_F64);
    gt_assign(seen, gt_add_scalar(seen, 1));
    if (on) gt_checkpoint_end(tape);
    cr_assert(gt_backward(gt_square(h)), "%s", gt_error(tape));
    *statistic = quick_value(params, "seen");
    gt_param_info info;
    gt_params_find(params, "w", &info);
    const double g = *(const double *)info.grad;
    gt_tape_free(tape);
    gt_params_free(params);
    return g;
}

Test(grad, rematerialization_keeps_bits_masks_and_applies_statistics_once) {
    double plain, again;
    const double expected = checkpointed(false, &plain), got = checkpointed(true, &again);
    cr_assert_eq(expected, got);
    cr_assert_neq(expected, 0);
    cr_assert_eq(plain, 1);
    cr_assert_eq(again, 1);
}

/* ---- a user's own operation, with its backward by hand ---------------------------------------------------- */

static bool cube_shape(gt_call *call) {
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    return call->in[0].dtype == GT_F64 || gt_call_fail(call, "f64 only");
}
static bool cube_kernel(gt_call *call) {
    const double *x = call->in[0].data;
    double *y = call->out[0].data;
    for (int64_t i = 0; i < gt_numel(call->in[0].shape); i++) y[i] = x[i] * x[i] * x[i];
    return true;
}
static bool cube_backward(gt_call *call) { /* inputs: x, y, upstream */
    const double *x = call->in[0].data, *g = call->in[2].data;
    double *gx = call->out[0].data;
    for (int64_t i = 0; i < gt_numel(call->in[0].shape); i++) gx[i] = 3 * x[i] * x[i] * g[i];
    return true;
}
static const gt_op cube =
    GT_OP("cube", cube_shape, cube_kernel, GT_BACKWARD(cube_backward), NULL, .traits = 0);

Test(grad, a_backward_by_hand_works_and_refuses_a_second_derivative) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2);
    const gt_tensor y = gt_mul_scalar(gt_apply(&cube, GT_LIST(x)), 10);
    const gt_tensor g = gt_grad(y, x);
    cr_assert_eq(gt_item(g), 120);
    cr_assert(!gt_valid(gt_grad(g, x)));
    cr_assert(quick_failed_with(tape, "cube"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(grad, slicing_many_rows_runs_through_regions) {
    enum { ROWS = 300 };
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor w = gt_param(tape, "w", GT_SHAPE(ROWS, 3), GT_F64, gt_init_normal(0, 1));
    gt_tensor loss = gt_none();
    for (int i = 0; i < ROWS; i++) {
        const gt_tensor s = gt_mul_scalar(gt_sum(gt_select(w, 0, i), GT_ALL, false), i);
        loss = i ? gt_add(loss, s) : s;
    }
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    gt_param_info info;
    gt_params_find(gt_tape_params(tape), "w", &info);
    const double *grad = info.grad;
    for (int row = 0; row < ROWS; row++)
        for (int column = 0; column < 3; column++) cr_assert_eq(grad[3 * row + column], row);
    gt_tape_free(tape);
}

/* ---- old values and new ------------------------------------------------------------------------- */

Test(grad, of_a_value_whose_leaf_was_overwritten_is_stale_never_a_mix) {
    for (int kept = 0; kept < 2; kept++) {
        gt_tape *tape = gt_tape_new(NULL);
        const double next = 10;
        const gt_tensor w = quick_scalar(tape, 3);
        if (kept) gt_checkpoint_begin(tape);
        const gt_tensor h = gt_mul_scalar(w, 2);
        if (kept) gt_checkpoint_end(tape);
        const gt_tensor y = gt_mul(gt_square(h), w);
        cr_assert_eq(gt_item(y), 108);
        const gt_marker mark = gt_mark(tape);
        gt_set(w, &next);
        cr_assert(isnan(gt_item(gt_grad(y, w))), "y stays 108: no gradient of it can use w = 10");
        cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
        cr_assert_eq(gt_item(y), 108);
        gt_rewind(tape, mark);
        gt_replay(tape);
        cr_assert_eq(gt_item(gt_grad(y, w)), 1200);
        gt_tape_free(tape);
    }
}

Test(grad, an_upstream_newer_than_the_value_is_not_stale) {
    gt_tape *tape = gt_tape_new(NULL);
    const double next = 7;
    const gt_tensor x = quick_scalar(tape, 3), y = gt_square(x), u = quick_scalar(tape, 1);
    gt_set(u, &next);
    cr_assert_eq(gt_item(gt_vjp(y, u, x)), 42, "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(grad, a_gradient_that_equals_a_leaf_is_not_that_leaf) {
    gt_tape *tape = gt_tape_new(NULL);
    const double next = 10;
    const gt_tensor w = quick_scalar(tape, 3), x = quick_scalar(tape, 4),
                    g = gt_grad(gt_mul(w, x), x);
    cr_assert(!gt_is_leaf(g));
    cr_assert_eq(gt_item(g), 3);
    gt_set(w, &next);
    cr_assert_eq(gt_item(g), 3, "what was read stays");
    gt_tape_free(tape);
}

Test(grad, with_respect_to_nothing_is_an_error) {
    gt_tape *tape = gt_tape_new(NULL);
    cr_assert(!gt_valid(gt_grad(quick_scalar(tape, 1), gt_none())));
    cr_assert(quick_failed_with(tape, "no tensor"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

/* ---- results and contributions ------------------------------------------------------------------ */

static bool powers_shape(gt_call *call) {
    call->n_out = 2;
    call->out[0] = call->out[1] = call->in[0];
    return true;
}
static bool powers_kernel(gt_call *call) {
    const double x = *(const double *)call->in[0].data;
    *(double *)call->out[0].data = x * x;
    *(double *)call->out[1].data = x * x * x;
    return true;
}
static bool powers_pull(gt_pull *p) {
    if (!gt_is_none(p->up[1])) p->gx[0] = gt_mul(p->up[1], gt_mul_scalar(p->out[0], 3));
    return true;
}
static gt_tensor no_samples(gt_samples *s, int i) {
    (void)i;
    return gt_samples_end(s);
}

Test(grad, with_respect_to_a_second_result) {
    static const gt_op powers =
        GT_OP("powers", powers_shape, powers_kernel, GT_PULL(powers_pull), no_samples, .traits = 0);
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 2), third = gt_out(gt_apply(&powers, GT_LIST(x)), 1);
    const gt_tensor y = gt_square(third);
    cr_assert_eq(gt_item(gt_grad(y, third)), 16);
    cr_assert_eq(gt_item(gt_grad(y, x)), 192);
    gt_tape_free(tape);
}

Test(grad, any_number_of_transposed_contributions_adds_up) {
    gt_tape *tape = gt_tape_new(NULL);
    const double data[6] = {0, 0, 0, 0, 0, 1};
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 3), GT_F64);
    gt_tensor y = gt_scalar(tape, 0, GT_F64);
    for (int i = 0; i < 12; i++) y = gt_add(y, gt_sum(gt_exp(gt_t(x)), GT_ALL, false));
    const double *g = gt_data(gt_grad(y, x));
    cr_assert_not_null(g, "%s", gt_error(tape));
    cr_assert(g[0] == 12 && quick_near(g[5], 12 * exp(1), 1e-13));
    gt_tape_free(tape);
}

Test(grad, contributions_added_in_place_leave_the_first_node_alone) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor first = gt_rand(tape, GT_SHAPE(6), GT_F64),
                    x = gt_sin(first); /* node 0 is computed */
    gt_tensor y = gt_scalar(tape, 0, GT_F64);
    for (int i = 0; i < 3; i++)
        y = gt_add(y, gt_sum(gt_exp(gt_slice(x, 0, 2 * i, 2 * i + 2, 1)), GT_ALL, false));
    const gt_tensor g = gt_grad(y, x),
                    late = gt_sum(gt_mul(first, gt_exp(gt_mul(g, g))), GT_ALL, false);
    const double value = gt_item(late);
    gt_replay(tape);
    gt_keep_all(tape, true);
    cr_assert_eq(gt_item(late), value);
    gt_tape_free(tape);
}

Test(grad, backward_is_done_when_the_effects_are_even_if_no_gradient_needs_the_loss) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    const double two = 2;
    const gt_tensor scale = gt_buffer(tape, "scale", GT_SCALAR, GT_F64),
                    w = quick_param(tape, "w", 3);
    gt_set(scale, &two);
    const gt_tensor x = quick_scalar(tape, 5),
                    slope = gt_grad(gt_mul(gt_mul(w, gt_exp(scale)), x), x);
    const gt_tensor loss = gt_grad(gt_mul(slope, x), x);
    gt_assign(scale, gt_add_scalar(scale, 1));
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    cr_assert(quick_near(gt_item(loss), 3 * exp(2), 1e-13), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "scale"), 3);
    gt_tape_free(tape);
}

typedef struct seen {
    int count;
    gt_tensor gx[4];
} seen;

static void see(void *user, const gt_flow *flow) {
    seen *s = user;
    s->gx[s->count++] = flow->gx;
}

Test(grad, a_watch_is_told_of_every_contribution_in_order) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3), y = quick_scalar(tape, 5);
    const gt_tensor f = gt_mul(gt_add(x, y), y), wanted[2] = {x, y};
    gt_tensor gx[2];
    seen s = {0};
    const gt_watch watch = {see, &s};
    cr_assert(gt_watched_grads(f, gt_none(), wanted, 2, gx, &watch), "%s", gt_error(tape));
    cr_assert_eq(s.count, 4);
    const double expected[4] = {5, 8, 5, 5}; /* to the sum, y; then x, y */
    for (int i = 0; i < 4; i++) cr_assert_eq(gt_item(s.gx[i]), expected[i]);
    cr_assert_eq(gt_item(gx[1]), 13);
    cr_assert(gt_grads(f, wanted, 2, gx)); /* watched no more */
    cr_assert_eq(s.count, 4);
    gt_tape_free(tape);
}
