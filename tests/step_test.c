/* tests/step_test.c: the journal: its numbers are the tape's own, stepping and setting leave the walked tape alone,
 * insides add up, and its JSON says the same. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "step/journal.h"
#include "support/quick.h"
#include "support/random_graph.h"

static gt_tensor named(gt_tape *tape, const char *name, double value) {
    return gt_name(quick_scalar(tape, value), "%s", name);
}

/* f = (x + y) z at -2, 5, -4. */
static gt_tensor circuit(gt_tape *tape) {
    const gt_tensor x = named(tape, "x", -2), y = named(tape, "y", 5), z = named(tape, "z", -4);
    return gt_name(gt_mul(gt_name(gt_add(x, y), "q"), z), "f");
}

static gt_journal *journal_of(gt_tensor output) {
    gt_journal *j = gt_journal_of(output);
    cr_assert(j != NULL);
    cr_assert_str_eq(gt_journal_error(j), "");
    return j;
}

static const gt__gate *gate(const gt_journal *j, const char *label) {
    const uint32_t i = gt__journal_find(j, label);
    cr_assert(i != GT__NO_GATE, "no gate %s", label);
    return &j->gate[i];
}

static void same_bits(gt_tensor a, gt_tensor b) {
    cr_assert_eq(gt_numel(gt_shape_of(a)), gt_numel(gt_shape_of(b)));
    for (int64_t i = 0; i < gt_numel(gt_shape_of(a)); i++) {
        const double x = gt_element(a, i), y = gt_element(b, i);
        cr_assert(memcmp(&x, &y, sizeof x) == 0, "element %lld: %.17g and %.17g", (long long)i, x,
                  y);
    }
}

Test(step, the_journal_of_circuit_1_as_text) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = journal_of(circuit(tape));
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert(gt_journal_text(j, out));
    fclose(out);
    cr_expect_str_eq(text,
                     "[ 1/10] x = -2   input\n"
                     "[ 2/10] y = 5   input\n"
                     "[ 3/10] z = -4   input\n"
                     "[ 4/10] q = x + y = 3\n"
                     "[ 5/10] f = q*z = -12\n"
                     "[ 6/10] df/df = 1   the sweep begins\n"
                     "[ 7/10] f: df/dq = up 1 x local -4 = -4   local = z   | q.grad 0 -> -4   swapper\n"
                     "[ 8/10] f: df/dz = up 1 x local 3 = 3   local = q   | z.grad 0 -> 3   swapper\n"
                     "[ 9/10] q: df/dx = up -4 x local 1 = -4   | x.grad 0 -> -4   distributor\n"
                     "[10/10] q: df/dy = up -4 x local 1 = -4   | y.grad 0 -> -4   distributor\n");
    free(text);
    gt_journal_free(j);
    gt_tape_free(tape);
}

/* Every contribution's last sum, and every gate's gradient, must be what gt_backward and gt_grad_of give. */
Test(step, its_gradients_are_those_of_backward_bit_for_bit) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        gt_tape *tape = gt_tape_new(NULL);
        random_graph g;
        random_graph_record(&g, tape, seed);
        gt_journal *j = journal_of(g.loss);
        cr_assert(gt_backward(g.loss), "%s", gt_error(tape));
        for (uint32_t i = 0; i < j->n_main; i++)
            if (!gt_is_none(j->gate[i].gradient))
                same_bits(j->gate[i].gradient, gt_grad_of(gt_tensor_at(tape, j->gate[i].origin)));
        for (uint32_t i = 0; i < j->n_main_edges; i++) {
            const gt__edge *e = &j->edge[i];
            if (e->place + 1 != j->gate[e->input].n_arrived || j->gate[e->input].v.numel != 1)
                continue;
            const double sum = j->gate[e->input].g.one;
            cr_assert(memcmp(&e->after, &sum, sizeof sum) == 0);
        }
        gt_journal_free(j);
        gt_tape_free(tape);
    }
}

Test(step, parameters_get_what_backward_adds_to_them) {
    gt_params *params = gt_params_new(NULL, 7);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor x = gt_name(gt_rand(tape, GT_SHAPE(5, 3), GT_F32), "x");
    const gt_tensor h = gt_dropout(gt_tanh(gt_linear(x, "one", 4)), 0.5);
    const gt_tensor loss = gt_mean(gt_square(gt_linear(h, "two", 1)), GT_ALL, false);
    gt_journal *j = journal_of(loss);
    cr_assert(gt_backward(loss), "%s", gt_error(tape));
    gt_param_info info;
    for (int i = 0; gt_params_at(params, i, &info); i++) {
        const gt_tensor g = gate(j, info.name)->gradient;
        cr_assert_eq(memcmp(info.grad, gt_data(g), (size_t)gt_numel(info.shape) * 4), 0, "%s",
                     info.name);
    }
    gt_journal_free(j);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(step, the_walked_tape_is_not_touched) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor f = circuit(tape);
    gt_item(f);
    const uint32_t size = gt_tape_size(tape);
    const size_t memory = gt_params_memory(params);
    gt_journal *j = journal_of(f);
    cr_assert(gt__journal_set(j, gt__journal_find(j, "x"), 0, 3));
    gt_journal_free(j);
    cr_assert_eq(gt_tape_size(tape), size);
    cr_assert_eq(gt_params_memory(params), memory);
    cr_assert_eq(gt_item(f), -12);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(step, setting_an_input_moves_everything_and_a_nudge_moves_it_back) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = journal_of(circuit(tape));
    const uint32_t x = gt__journal_find(j, "x");
    double change;
    cr_assert(gt__journal_nudge(j, x, 0, 0.01, &change));
    cr_assert(quick_near(change, -0.04, 1e-12));
    cr_assert_eq(gate(j, "f")->v.one, -12);
    cr_assert(gt__journal_set(j, x, 0, 3));
    cr_assert_eq(gate(j, "f")->v.one, -32);
    cr_assert_eq(gate(j, "z")->g.one, 8);
    cr_assert_not(gt__journal_set(j, gt__journal_find(j, "q"), 0, 3));
    cr_assert_str_eq(gt_journal_error(j), "q is computed: only inputs can be set");
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(step, the_inside_of_a_composite_passes_back_what_the_composite_does) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = named(tape, "x", 0.7);
    const gt_tensor f =
        gt_mul(gt_sigmoid(x), gt_add(gt_tanh(x), gt_mul(gt_softplus(x), gt_silu(x))));
    gt_journal *j = journal_of(f);
    int insides = 0;
    for (uint32_t i = 0; i < j->n_main; i++) {
        const gt__gate *g = &j->gate[i];
        if (!g->n_inner) continue;
        insides++;
        cr_assert(quick_near(j->gate[g->first_inner + g->n_inner - 1].v.one, g->v.one, 1e-14));
        cr_assert(
            quick_near(j->gate[g->first_inner].g.one, j->edge[g->first_edge].gx_f.one, 1e-14));
    }
    cr_assert_eq(insides, 4);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(step, open_composites_are_stepped_through) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = journal_of(gt_name(gt_sigmoid(named(tape, "x", 1)), "f"));
    cr_assert_eq(j->n_steps, 4);
    j->gate[gt__journal_find(j, "f")].open = true;
    cr_assert(gt__journal_order(j));
    cr_assert_eq(j->n_steps, 4 + 4 + 4);
    cr_assert_str_eq(j->gate[j->step[1].gate].label, "f.neg");
    cr_assert_str_eq(j->gate[j->step[7].gate].label, "f.reciprocal");
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(step, roles_are_told_from_local_gradients) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = named(tape, "x", 3), y = named(tape, "y", -4), z = named(tape, "z", 2);
    const gt_tensor m = gt_name(gt_maximum(x, y), "m"), p = gt_name(gt_mul(m, z), "p");
    const gt_tensor r = gt_name(gt_relu(p), "r"), s = gt_name(gt_add(r, x), "s");
    gt_journal *j = journal_of(gt_name(gt_mul_scalar(s, 2), "f"));
    const struct {
        const char *label;
        gt__role role;
    } expected[] = {{"m", GT__ROUTER},      {"p", GT__SWAPPER}, {"r", GT__SWITCH},
                    {"s", GT__DISTRIBUTOR}, {"f", GT__SCALER},  {"x", GT__NO_ROLE}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_expect_eq(gt__role_of(j, gt__journal_find(j, expected[i].label)), expected[i].role, "%s",
                     expected[i].label);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(step, what_cannot_be_walked_says_why) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = gt_journal_of(gt_ones(tape, GT_SHAPE(3), GT_F64));
    cr_assert(strstr(gt_journal_error(j), "3 elements"), "%s", gt_journal_error(j));
    cr_assert_not(gt_journal_text(j, stdout));
    gt_journal_free(j);
    cr_assert_not(gt_failed(tape));
    j = gt_journal_of(gt_scalar(tape, 1, GT_I64));
    cr_assert(strstr(gt_journal_error(j), "only floats"), "%s", gt_journal_error(j));
    gt_journal_free(j);
    const gt_tensor one = gt_ones(tape, GT_SHAPE(2), GT_F64),
                    bad = gt_add(one, gt_ones(tape, GT_SHAPE(3), GT_F64));
    j = gt_journal_of(bad);
    cr_assert_str_eq(gt_journal_error(j), gt_error(tape));
    gt_journal_free(j);
    cr_assert_null(gt_journal_of(gt_none()));
    gt_tape_free(tape);
}
