/* tests/operands_test.c: every operation, composition and layer, given operands that are none: poison, no tensor,
 * a tensor that was rewound. Each must come back as poison (or nothing), never crash, and leave a tape that works. */
#include <criterion/criterion.h>

#include "support/quick.h"

/* Draws every sample with bad operands; the samples that draw nothing have none to refuse. */
static int refuse_all(const gt_op *op, const char *name, gt_tensor (*samples)(gt_samples *s, int i),
                      int mode) {
    int refused = 0;
    gt_tape *tape = gt_tape_new(NULL);
    for (int i = 0; i < 1000; i++) {
        gt_samples s = {.tape = tape, .op = op, .dtype = GT_F64, .seed = 1, .mode = mode};
        const uint32_t before = gt_tape_size(tape);
        const gt_tensor y = samples(&s, i);
        if (s.ended) break;
        const bool made_of_nothing = gt_valid(y) && gt_tape_size(tape) > before;
        if (!made_of_nothing) {
            cr_assert(!gt_valid(y), "%s, sample %d", name, i);
            cr_assert(isnan(gt_item(y)) && !gt_data(y), "%s, sample %d", name, i);
            refused++;
        }
        gt_tape_reset(tape);
        cr_assert_eq(gt_item(gt_neg(quick_scalar(tape, 2))), -2, "%s: the tape works again", name);
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
    return refused;
}

static int refuse_everything(int mode) {
    int refused = 0;
    const gt_op *op;
    const gt_composition *c;
    for (int i = 0; (op = gt_op_at(i)); i++) refused += refuse_all(op, op->name, op->samples, mode);
    for (int i = 0; (c = gt_composition_at(i)); i++)
        refused += refuse_all(NULL, c->name, c->samples, mode);
    for (int i = 0; (c = gt_layer_at(i)); i++)
        refused += refuse_all(NULL, c->name, c->samples, mode);
    return refused;
}

Test(operands, poison_is_passed_on) { cr_assert(refuse_everything(GT_SAMPLE_POISON) > 500); }
Test(operands, no_tensor_gives_no_tensor) { cr_assert(refuse_everything(GT_SAMPLE_NONE) > 500); }

Test(operands, null_arguments_are_refused) {
    gt_tensor parts[2];
    const int64_t sizes[2] = {1, 1};
    cr_assert(gt_is_none(gt_input(NULL, sizes, GT_SHAPE(2), GT_I64)));
    cr_assert(gt_is_none(gt_zeros(NULL, GT_SHAPE(2), GT_F32)));
    cr_assert(gt_is_none(gt_param(NULL, "w", GT_SCALAR, GT_F32, gt_init_zeros())));
    cr_assert(gt_is_none(gt_concat(gt_list_of(0, NULL), 0)));
    cr_assert(!gt_split(gt_none(), 0, sizes, 2, parts));
    cr_assert(!gt_backward(gt_none()) && !gt_minimize(NULL, gt_none()) && !gt_update(NULL));
    cr_assert(!gt_commit(NULL) && !gt_run(NULL, NULL, 0) && !gt_tape_check_finite(NULL, NULL));
    cr_assert_null(gt_sgd(NULL, (gt_sgd_options){.rate = 1}));
    cr_assert_eq(gt_params_count(NULL) + (int)gt_params_memory(NULL) + (int)gt_params_ordinal(NULL),
                 0);
    cr_assert(!gt_param_set(NULL, "w", GT_SCALAR, GT_F32, sizes, true));
    gt_tape_reset(NULL);
    gt_tape_free(NULL);
    gt_params_free(NULL);
    gt_optim_free(NULL);
    gt_replay(NULL);
    gt_zero_grad(NULL, NULL);
    gt_params_freeze(NULL, true);
    gt_scope_push(NULL, "a");
    gt_scope_pop(NULL);
    gt_checkpoint_begin(NULL);
    gt_checkpoint_end(NULL);
    gt_tape *tape = gt_tape_new(NULL);
    gt_param(tape, NULL, GT_SCALAR, GT_F32, gt_init_zeros());
    cr_assert(quick_failed_with(tape, "without a name"));
    gt_tape_free(tape);
}
