/* tests/tape_test.c: what graph/ promises: marks, generations, stored, virtual and stale values, effects,
 * parameters, errors. */
#define _POSIX_C_SOURCE 200809L /* fmemopen */
#include <criterion/criterion.h>

#include "support/quick.h"

Test(tape, recording_computes_nothing_and_reading_runs) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3);
    const gt_tensor y = gt_square(gt_add_scalar(x, 1));
    cr_assert_eq(gt_tape_size(tape), 3);
    cr_assert_eq(gt_item(y), 16);
    cr_assert_eq(gt_tape_size(tape), 3);
    gt_tape_free(tape);
}

Test(tape, rewound_tensor_is_told_from_its_successor) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3);
    const gt_marker mark = gt_mark(tape);
    const gt_tensor old = gt_square(x);
    gt_rewind(tape, mark);
    const gt_tensor new = gt_neg(x);
    cr_assert_eq(old.index, new.index);
    cr_assert_eq(gt_item(new), -3);
    cr_assert(isnan(gt_item(gt_neg(old))));
    cr_assert(quick_failed_with(tape, "rewound"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, rewind_clears_an_error_recorded_after_the_mark_and_no_other) {
    gt_tape *tape = gt_tape_new(NULL);
    const float data[6] = {0};
    const gt_tensor a = gt_input(tape, data, GT_SHAPE(2), GT_F32);
    const gt_tensor b = gt_input(tape, data, GT_SHAPE(3), GT_F32);
    const gt_marker before = gt_mark(tape);
    cr_assert(!gt_valid(gt_neg(gt_add(a, b))));
    const char *message = gt_error(tape);
    cr_assert(strstr(message, "input#0[2]") && strstr(message, "input#1[3]"), "%s", message);
    cr_assert(strstr(message, "tape_test.c:"), "%s", message);
    const gt_tensor c = gt_neg(a);
    const gt_marker after = gt_mark(tape);
    gt_neg(c);
    gt_rewind(tape, after);
    cr_assert(gt_failed(tape), "the failing operation still stands");
    gt_rewind(tape, before);
    cr_assert(!gt_failed(tape));
    cr_assert_eq(gt_item(gt_sum(gt_exp(a), GT_ALL, false)), 2);
    gt_tape_free(tape);
}

Test(tape, a_mark_below_which_the_tape_was_rewound_is_refused) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3);
    const gt_marker low = gt_mark(tape);
    gt_neg(gt_neg(x));
    const gt_marker high = gt_mark(tape);
    gt_rewind(tape, low);
    gt_neg(gt_neg(gt_neg(x)));
    gt_rewind(tape, high);
    cr_assert(quick_failed_with(tape, "rewound below"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, the_same_step_again_and_again_takes_no_more_memory) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const float data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    size_t warm = 0;
    for (int step = 0; step < 50; step++) {
        const gt_tensor x = gt_input(tape, data, GT_SHAPE(3, 4), GT_F32);
        const gt_tensor h = gt_dropout(gt_tanh(gt_linear(x, "fc", 5)), 0.5);
        const gt_tensor loss = gt_mean(gt_square(h), GT_ALL, false);
        cr_assert(gt_backward(loss), "%s", gt_error(tape));
        cr_assert(isfinite(gt_item(loss)));
        if (step == 2) warm = gt_params_memory(params);
        if (step > 2) cr_assert_eq(gt_params_memory(params), warm);
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(tape, marks_inside_a_recording_give_their_memory_back) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor x = quick_scalar(tape, 2);
    size_t warm = 0;
    for (int step = 0; step < 2000; step++) {
        const gt_marker mark = gt_mark(tape);
        const gt_tensor y = gt_mul_scalar(gt_square(x), step);
        cr_assert_eq(gt_item(gt_grad(y, x)), 4 * step);
        gt_rewind(tape, mark);
        if (step == 2) warm = gt_params_memory(params);
    }
    cr_assert_eq(gt_params_memory(params), warm);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(tape, a_limit_turns_a_missing_rewind_into_an_error) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tape_limit(tape, 100);
    gt_tensor x = quick_scalar(tape, 1);
    for (int i = 0; i < 200; i++) x = gt_neg(x);
    cr_assert(quick_failed_with(tape, "gt_tape_reset"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, a_batch_buffer_may_be_refilled_after_gt_input) {
    gt_tape *tape = gt_tape_new(NULL);
    float batch[2] = {1, 2};
    const gt_tensor x = gt_input(tape, batch, GT_SHAPE(2), GT_F32);
    batch[0] = 100;
    cr_assert_eq(gt_item(gt_sum(x, GT_ALL, false)), 3);
    gt_tape_free(tape);
}

Test(tape, a_virtual_value_is_computed_again_with_the_same_bits) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 0.7);
    const gt_tensor h = gt_exp(gt_sin(x));
    const double first = gt_item(gt_neg(h));
    cr_assert_eq(gt_item(h), -first);
    gt_tape_free(tape);
}

Test(tape, a_stale_value_is_an_error_that_names_value_leaf_and_keep) {
    gt_tape *tape = gt_tape_new(NULL);
    const double one = 1, two = 2;
    const gt_tensor w = gt_name(gt_input(tape, &one, GT_SCALAR, GT_F64), "w");
    const gt_tensor stored = gt_mul_scalar(w, 10);
    const gt_tensor kept = gt_keep(gt_mul_scalar(w, 20)),
                    lost = gt_name(gt_mul_scalar(w, 30), "lost");
    cr_assert_eq(gt_item(gt_add(stored, kept)), 30);
    cr_assert_eq(gt_item(stored), 10);
    cr_assert(gt_set(w, &two));
    cr_assert_eq(gt_item(w), 2);
    cr_assert_eq(gt_item(stored), 10, "a stored value stays what it was");
    cr_assert_eq(gt_item(kept), 20);
    cr_assert_eq(gt_item(gt_mul_scalar(w, 5)), 10, "recorded after the write: not stale");
    cr_assert(isnan(gt_item(lost)));
    cr_assert(quick_failed_with(tape, "lost"), "%s", gt_error(tape));
    cr_assert(strstr(gt_error(tape), "w[]") && strstr(gt_error(tape), "gt_keep"), "%s",
              gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, never_a_mix_of_old_and_new) {
    gt_tape *tape = gt_tape_new(NULL);
    const double two = 2;
    const gt_tensor w = quick_scalar(tape, 1);
    const gt_tensor old = gt_mul_scalar(w, 10);
    gt_set(w, &two);
    cr_assert(isnan(gt_item(gt_add(old, w))));
    cr_assert(quick_failed_with(tape, "stale"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, replay_computes_anew_from_the_leaves) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 3);
    const gt_tensor noise = gt_rand(tape, GT_SCALAR, GT_F64);
    const gt_tensor y = gt_square(x), g = gt_grad(y, x), z = gt_mul(y, noise);
    const double u = gt_item(z) / 9;
    cr_assert_eq(gt_item(g), 6);
    const double next = 5;
    gt_set(x, &next);
    gt_replay(tape);
    cr_assert_eq(gt_item(y), 25);
    cr_assert_eq(gt_item(g), 10);
    cr_assert(quick_near(gt_item(z), 25 * u, 1e-15), "the same random number");
    gt_tape_free(tape);
}

Test(tape, reading_never_applies_effects_and_commit_applies_them_once) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    const gt_tensor count = gt_buffer(tape, "count", GT_SCALAR, GT_F64);
    const gt_tensor next = gt_add_scalar(count, 1);
    gt_assign(count, next);
    cr_assert_eq(gt_item(next), 1);
    cr_assert_eq(gt_item(count), 0);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert_eq(gt_item(count), 1);
    cr_assert(gt_commit(tape));
    cr_assert_eq(quick_value(params, "count"), 1);
    gt_replay(tape);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "count"), 2, "a replayed step is repeated by a commit");
    gt_tape_free(tape);
}

Test(tape, rewind_discards_effects_not_applied) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor count = gt_buffer(tape, "count", GT_SCALAR, GT_F64);
    const gt_marker mark = gt_mark(tape);
    gt_assign(count, gt_add_scalar(count, 1));
    gt_rewind(tape, mark);
    cr_assert(gt_commit(tape));
    cr_assert_eq(gt_item(count), 0);
    gt_tape_free(tape);
}

Test(tape, effects_read_what_was_before_all_of_them) {
    gt_tape *tape = gt_tape_new(NULL);
    const double one = 1, two = 2;
    const gt_tensor a = gt_buffer(tape, "a", GT_SCALAR, GT_F64),
                    b = gt_buffer(tape, "b", GT_SCALAR, GT_F64);
    gt_set(a, &one);
    gt_set(b, &two);
    gt_assign(a, b);
    gt_assign(b, a);
    cr_assert(gt_pending(a).index == b.index && gt_pending(b).index == a.index);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert(gt_pending(a).index == a.index && gt_pending(b).index == b.index);
    cr_assert_eq(gt_item(a), 2);
    cr_assert_eq(gt_item(b), 1);
    gt_tape_free(tape);
}

Test(tape, a_failed_run_applies_no_effect) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    const int32_t index = 7;
    const double row[3] = {1, 2, 3};
    const gt_tensor count = gt_buffer(tape, "count", GT_SCALAR, GT_F64);
    const gt_tensor x = gt_input(tape, row, GT_SHAPE(3), GT_F64);
    gt_assign(count, gt_add_scalar(count, 1));
    const gt_tensor bad = gt_gather(x, gt_input(tape, &index, GT_SCALAR, GT_I32), 0);
    gt_assign(gt_buffer(tape, "other", GT_SCALAR, GT_F64), bad);
    cr_assert(!gt_commit(tape));
    cr_assert(quick_failed_with(tape, "7"), "%s", gt_error(tape));
    cr_assert_eq(quick_value(params, "count"), 0);
    gt_tape_free(tape);
}

Test(tape, an_accuracy_read_after_the_step_is_right) {
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.5});
    const gt_tensor w = quick_param(tape, "w", 3);
    const gt_tensor loss = gt_square(w), metric = gt_mul_scalar(w, 100);
    cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
    cr_assert_eq(gt_item(metric), 300, "the sink was computed with the step");
    cr_assert_eq(gt_item(loss), 9);
    cr_assert_eq(quick_value(params, "w"), 0);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(tape, scopes_prefix_names_and_shapes_must_agree) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    gt_param_info info;
    for (int i = 0; i < 2; i++) {
        gt_scope_push(tape, "block%d", i);
        gt_param(tape, "w", GT_SHAPE(2, 3), GT_F32, gt_init_xavier_normal());
        gt_scope_pop(tape);
    }
    cr_assert_eq(gt_params_count(params), 2);
    cr_assert(gt_params_find(params, "block1/w", &info));
    gt_param(tape, "block1/w", GT_SHAPE(3, 2), GT_F32, gt_init_zeros());
    cr_assert(quick_failed_with(tape, "block1/w"), "%s", gt_error(tape));
    cr_assert(strstr(gt_error(tape), "[2,3]") && strstr(gt_error(tape), "[3,2]"), "%s",
              gt_error(tape));
    gt_tape_reset(tape);
    gt_params_freeze(params, true);
    gt_param(tape, "block1/v", GT_SHAPE(2, 3), GT_F32, gt_init_zeros());
    cr_assert(quick_failed_with(tape, "block1/w"), "the nearest name: %s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, initial_values_do_not_depend_on_the_order_of_creation) {
    gt_param_info a[2], b[2];
    gt_params *params[2];
    for (int k = 0; k < 2; k++) {
        params[k] = gt_params_new(NULL, 9);
        gt_tape *tape = gt_tape_new(params[k]);
        for (int i = 0; i < 2; i++)
            gt_param(tape, (i == k) ? "a" : "b", GT_SHAPE(4), GT_F64, gt_init_normal(0, 1));
        cr_assert(gt_params_find(params[k], "a", &a[k]) && gt_params_find(params[k], "b", &b[k]));
        gt_tape_free(tape);
    }
    cr_assert_eq(memcmp(a[0].data, a[1].data, 32), 0);
    cr_assert_eq(memcmp(b[0].data, b[1].data, 32), 0);
    cr_assert_neq(memcmp(a[0].data, b[0].data, 32), 0);
    for (int k = 0; k < 2; k++) gt_params_free(params[k]);
}

Test(tape, tensors_of_two_tapes_fail_both) {
    gt_tape *one = gt_tape_new(NULL), *two = gt_tape_new(NULL);
    gt_add(quick_scalar(one, 1), quick_scalar(two, 2));
    cr_assert(quick_failed_with(one, "two tapes") && quick_failed_with(two, "two tapes"));
    gt_tape_free(one);
    gt_tape_free(two);
}

Test(tape, bad_input_is_an_error_and_never_a_crash) {
    gt_tape *tape = gt_tape_new(NULL);
    const double data[4] = {1, 2, 3, 4};
    cr_assert(gt_failed(NULL));
    cr_assert(isnan(gt_item(gt_none())));
    cr_assert_null(gt_data(gt_none()));
    cr_assert(!gt_valid(gt_input(tape, NULL, GT_SHAPE(2), GT_F64)));
    cr_assert(quick_failed_with(tape, "no data"));
    gt_tape_reset(tape);
    gt_input(tape, data, (gt_shape){.rank = 9}, GT_F64);
    cr_assert(quick_failed_with(tape, "rank 9"));
    gt_tape_reset(tape);
    gt_input(tape, data, GT_SHAPE(INT64_MAX, 4), GT_F64);
    cr_assert(quick_failed_with(tape, "too many elements"));
    gt_tape_reset(tape);
    gt_input(tape, data, GT_SHAPE(-1), GT_F64);
    cr_assert(quick_failed_with(tape, "negative"));
    gt_tape_reset(tape);
    gt_input(tape, data, GT_SHAPE(4), (gt_dtype)42);
    cr_assert(quick_failed_with(tape, "42"));
    gt_tape_reset(tape);
    cr_assert(isnan(gt_item(gt_input(tape, data, GT_SHAPE(4), GT_F64))));
    cr_assert(quick_failed_with(tape, "4 elements"));
    gt_tape_reset(tape);
    gt_scope_pop(tape);
    cr_assert(quick_failed_with(tape, "pop without push"));
    gt_tape_reset(tape);
    cr_assert(!gt_set(gt_neg(gt_borrow(tape, data, GT_SHAPE(4), GT_F64)), data));
    gt_tape_reset(tape);
    cr_assert(!gt_set(gt_borrow(tape, data, GT_SHAPE(4), GT_F64), data));
    cr_assert(quick_failed_with(tape, "borrowed"));
    gt_tape_reset(tape);
    gt_param(tape, "", GT_SCALAR, GT_F64, gt_init_zeros());
    cr_assert(quick_failed_with(tape, "without a name"));
    gt_tape_reset(tape);
    gt_param(tape, "whole", GT_SCALAR, GT_I32, gt_init_zeros());
    cr_assert(quick_failed_with(tape, "i32"));
    gt_tape_free(tape);
}

Test(tape, the_first_value_that_is_not_finite_is_named) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_keep_all(tape, true);
    const double data[3] = {1, 0, 2};
    const gt_tensor x = gt_name(gt_input(tape, data, GT_SHAPE(3), GT_F64), "x");
    const gt_tensor l = gt_name(gt_log(x), "logarithm");
    const gt_tensor y = gt_sum(gt_mul(l, x), GT_ALL, false);
    gt_item(y);
    gt_tensor culprit;
    cr_assert(!gt_tape_check_finite(tape, &culprit));
    cr_assert_eq(culprit.index, l.index);
    cr_assert(quick_failed_with(tape, "logarithm[3]"), "%s", gt_error(tape));
    cr_assert(strstr(gt_error(tape), "element 1") && strstr(gt_error(tape), "x[3]"), "%s",
              gt_error(tape));
    gt_tape_free(tape);
}

static void count_errors(void *user, const char *message) {
    if (message[0]) ++*(int *)user;
}

Test(tape, a_hook_sees_the_first_error) {
    gt_tape *tape = gt_tape_new(NULL);
    int errors = 0;
    gt_on_error(tape, count_errors, &errors);
    const gt_tensor x = quick_scalar(tape, 1);
    gt_neg(gt_logical_not(x));
    gt_neg(gt_logical_not(x));
    cr_assert_eq(errors, 1);
    gt_tape_free(tape);
}

Test(tape, printing_shortens_long_axes) {
    gt_tape *tape = gt_tape_new(NULL);
    char text[400] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    gt_print(gt_name(gt_reshape(gt_arange(tape, 0, 1, 20, GT_I64), GT_SHAPE(2, 10)), "x"), out);
    fclose(out);
    cr_assert_str_eq(text,
                     "x[2,10] i64 [[0, 1, 2, ..., 7, 8, 9], [10, 11, 12, ..., 17, 18, 19]]\n");
    gt_tape_free(tape);
}

Test(tape, a_stale_sink_does_not_fail_a_step) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 1), w = quick_param(tape, "w", 2), sink = gt_neg(x);
    const double next = 5;
    gt_set(x, &next);
    cr_assert(gt_backward(gt_square(w)), "%s", gt_error(tape));
    cr_assert(isnan(gt_item(sink)));
    cr_assert(quick_failed_with(tape, "stale"));
    gt_tape_free(tape);
}

Test(tape, a_metric_whose_only_reader_was_rewound_is_a_sink_again) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_optim *opt = gt_sgd(gt_tape_params(tape), (gt_sgd_options){.rate = 0.5});
    const gt_tensor w = quick_param(tape, "w", 3), loss = gt_square(w),
                    metric = gt_mul_scalar(w, 100);
    const gt_marker mark = gt_mark(tape);
    gt_neg(metric);
    gt_rewind(tape, mark);
    cr_assert(gt_minimize(opt, loss));
    cr_assert_eq(gt_item(metric), 300, "%s", gt_error(tape));
    gt_optim_free(opt);
    gt_tape_free(tape);
}

Test(tape, a_mark_made_after_an_error_does_not_clear_it) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 1);
    const gt_marker before = gt_mark(tape);
    gt_fail(tape, "lost");
    const gt_marker after = gt_mark(tape);
    gt_neg(x);
    gt_rewind(tape, after);
    cr_assert(quick_failed_with(tape, "lost"));
    gt_rewind(tape, before);
    cr_assert(!gt_failed(tape));
    gt_tape_free(tape);
}

Test(tape, a_mark_of_another_tape_is_refused) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *one = gt_tape_new(params), *two = gt_tape_new(params);
    quick_scalar(one, 1);
    const gt_tensor kept = gt_add_scalar(quick_scalar(two, 1), 2);
    gt_rewind(two, gt_mark(one));
    cr_assert(quick_failed_with(two, "another tape"), "%s", gt_error(two));
    cr_assert(gt_valid(kept));
    gt_tape_free(one);
    gt_tape_free(two);
    gt_params_free(params);
}

Test(tape, a_rewind_inside_an_open_checkpoint_leaves_it_open) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 1);
    uint32_t begin, end;
    gt_checkpoint_begin(tape);
    const gt_marker mark = gt_mark(tape);
    gt_neg(gt_neg(x));
    gt_checkpoint_end(tape);
    gt_rewind(tape, mark);
    const gt_tensor y = gt_exp(x);
    gt_checkpoint_end(tape);
    cr_assert(!gt_failed(tape), "%s", gt_error(tape));
    cr_assert(gt_checkpoint_range(tape, y.index, &begin, &end));
    cr_assert_eq(begin, 1);
    cr_assert_eq(end, 2);
    gt_tape_free(tape);
}

Test(tape, an_empty_buffer_without_an_address_can_be_read_and_assigned) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor none = gt_borrow(tape, NULL, GT_SHAPE(2, 0), GT_F64);
    cr_assert_not_null(gt_data(none));
    gt_assign(gt_buffer(tape, "state", GT_SHAPE(2, 0), GT_F64), none);
    cr_assert(gt_commit(tape), "%s", gt_error(tape));
    cr_assert_eq(gt_item(gt_sum(none, GT_ALL, false)), 0);
    gt_tape_free(tape);
}

Test(tape, after_an_error_no_parameter_is_made_and_scopes_stay_in_balance) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    const double data[2] = {1, 2};
    gt_scope_push(tape, "net");
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2), GT_F64);
    const gt_marker mark = gt_mark(tape);
    cr_assert(!gt_valid(gt_linear(x, "not/one", 3)));
    cr_assert(quick_failed_with(tape, "scope"), "%s", gt_error(tape));
    cr_assert_eq(gt_params_count(params), 0);
    gt_rewind(tape, mark);
    cr_assert(gt_valid(gt_linear(x, "one", 3)), "%s", gt_error(tape));
    cr_assert(gt_params_find(params, "net/one/weight", &(gt_param_info){.name = NULL}),
              "still in net");
    gt_tape_free(tape);
}

static bool two_shape(gt_call *call) {
    call->n_out = 2;
    call->out[0] = call->out[1] = call->in[0];
    return true;
}
static bool nine_shape(gt_call *call) {
    call->n_out = 9;
    return true;
}
static bool odd_shape(gt_call *call) {
    call->out[0] = call->in[0];
    call->out[0].dtype = (gt_dtype)77;
    return true;
}
static bool same_shape(gt_call *call) {
    call->out[0] = call->in[0];
    return true;
}
static bool no_kernel(gt_call *call) { return gt_call_fail(call, "never"); }
static gt_tensor no_samples(gt_samples *s, int i) {
    (void)i;
    return gt_samples_end(s);
}

/* A kernel that reads a tensor in the middle of a run. */
static gt_tensor read_inside;
static bool reading_kernel(gt_call *call) {
    *(double *)call->out[0].data = gt_item(read_inside);
    return true;
}

Test(tape, a_user_operation_that_is_not_sound_is_an_error) {
    static const gt_op nine =
        GT_OP("nine", nine_shape, no_kernel, GT_NO_GRADIENT("none"), no_samples, .traits = 0);
    static const gt_op odd =
        GT_OP("odd", odd_shape, no_kernel, GT_NO_GRADIENT("none"), no_samples, .traits = 0);
    static const gt_op empty =
        GT_OP("empty", two_shape, NULL, GT_NO_GRADIENT("none"), no_samples, .traits = 0);
    static const gt_op reads =
        GT_OP("reads", same_shape, reading_kernel, GT_NO_GRADIENT("none"), no_samples, .traits = 0);
    static const struct {
        const gt_op *op;
        const char *message;
    } row[] = {{&nine, "9 results"},
               {&odd, "77 as dtype"},
               {&empty, "a kernel"},
               {NULL, "no operation"}};
    gt_tape *tape = gt_tape_new(NULL);
    for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
        cr_assert(!gt_valid(gt_apply(row[k].op, GT_LIST(quick_scalar(tape, 1)))));
        cr_assert(quick_failed_with(tape, row[k].message), "%s", gt_error(tape));
        gt_tape_reset(tape);
    }
    const gt_tensor x = quick_scalar(tape, 1);
    read_inside = gt_exp(x);
    gt_item(gt_apply(&reads, GT_LIST(x)));
    cr_assert(quick_failed_with(tape, "while the tape runs"), "%s", gt_error(tape));
    gt_tape_free(tape);
}

Test(tape, an_element_is_read_by_its_place) {
    gt_tape *tape = gt_tape_new(NULL);
    const double data[4] = {1, 2, 3, 4};
    const gt_tensor x = gt_input(tape, data, GT_SHAPE(2, 2), GT_F64);
    cr_assert_eq(gt_element(gt_t(x), 1), 3);
    cr_assert(isnan(gt_element(x, 4)));
    cr_assert(quick_failed_with(tape, "no element 4"));
    gt_tape_free(tape);
}

Test(tape, an_operation_recorded_on_another_tape_keeps_its_numbers_and_its_ordinal) {
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params), *other = gt_tape_new(params);
    const gt_tensor drawn = gt_rand(tape, GT_SHAPE(5), GT_F64), scaled = gt_mul_scalar(drawn, 3);
    const gt_tensor again = gt_record_copy_on(other, drawn, NULL);
    const gt_tensor copy = gt_record_copy_on(other, scaled, &again);
    cr_assert(gt_valid(copy) && copy.tape == other, "%s", gt_error(other));
    cr_assert_eq(memcmp(gt_data(copy), gt_data(scaled), 5 * sizeof(double)), 0);
    gt_tape_free(other);
    gt_tape_free(tape);
    gt_params_free(params);
}
