/* tests/step_test.c: the journal: its numbers are the tape's own, stepping and setting leave the walked tape alone,
 * insides add up, and its JSON says the same. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "step/journal.h"
#include "support/quick.h"
#include "support/random_graph.h"
#include "support/scratch.h"

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
    cr_expect_str_eq(
        text, "[ 1/10] x = -2   input\n"
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
    cr_assert(gt__journal_open(j, gt__journal_find(j, "f"), true));
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

/* ---- large, broken and hostile ------------------------------------------------------------------------------- */

Test(step, a_chain_of_ten_thousand_gates) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x = named(tape, "x", 0.5);
    for (int i = 0; i < 10000; i++) x = i % 3 ? gt_tanh(x) : gt_add(x, x);
    gt_journal *j = journal_of(gt_name(x, "f"));
    cr_assert_eq(j->n_main, 10001);
    const double change = j->gate[0].g.one * 1e-9;
    double actual;
    cr_assert(gt__journal_nudge(j, 0, 0, 1e-9, &actual));
    cr_assert(quick_near(actual, change, 1e-15));
    FILE *null = fopen("/dev/null", "w");
    cr_assert(gt_journal_text(j, null) && gt_journal_dot(j, null));
    fclose(null);
    gt_journal_free(j);
    gt_tape_free(tape);
}

static gt_tensor small_network(gt_tape *tape) {
    const gt_tensor x = gt_name(gt_ones(tape, GT_SHAPE(2, 3), GT_F64), "x");
    const gt_tensor w = gt_name(gt_full(tape, GT_SHAPE(3, 2), 0.5, GT_F64), "w");
    const gt_tensor h = gt_name(gt_sigmoid(gt_matmul(x, w)), "h");
    return gt_name(gt_sum(gt_maximum(h, gt_square(h)), GT_ALL, false), "f");
}

/* What a walk over the output answers to these commands, thrown away. */
static void walk_through(gt_tensor output, char *commands) {
    FILE *in = fmemopen(commands, strlen(commands), "r"), *out = fopen("/dev/null", "w");
    gt_walk_with(output.tape, output, &(gt_walk_options){.in = in, .out = out});
    fclose(in);
    fclose(out);
}

static void remove_what_is_in_folder(void) {
    DIR *d = opendir(".");
    for (const struct dirent *e; d && (e = readdir(d)) != NULL;) remove(e->d_name);
    if (d) closedir(d);
}

/* In a folder of their own: some name a file to write to. */
Test(step, random_commands_break_nothing) {
    static const char *const words[] = {
        "n",     "p",        "N",    "P",     "c",     "rc",   "g",           "l",        "b",
        "d",     "w",        "e",    "paths", "nudge", "set",  "open",        "close",    "quiz",
        "tree",  "text",     "json", "dot",   "svg",   "help", "if",          "|grad|",   ">",
        "<",     "nan",      "x",    "w",     "h",     "f",    "x[1,2]",      "x[2,0]",   "x[",
        "=",     "1",        "-3",   "1e400", "1e-3",  "18",   "99999999999", "\xff\xfe", "%s%n",
        "h.exp", "matmul#2", "|",    "abc",   ""};
    enum { WORDS = sizeof words / sizeof *words, COMMANDS = 60 };
    begin();
    cr_assert_eq(chdir(folder), 0);
    for (uint64_t seed = 0; seed < 40; seed++) {
        char text[COMMANDS * 64] = "";
        size_t used = 0;
        for (uint64_t i = 0; i < COMMANDS * 4; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     words[(int)(gt_uniform(seed, 1, i) * WORDS)],
                                     i % 4 == 3 ? "\n" : " ");
        gt_tape *tape = gt_tape_new(NULL);
        walk_through(seed % 2 ? small_network(tape) : circuit(tape), text);
        cr_assert_not(gt_failed(tape));
        gt_tape_free(tape);
    }
    remove_what_is_in_folder();
    cr_assert_eq(chdir("/"), 0);
    end();
}

Test(step, every_allocation_may_fail) {
    char commands[] = "paths x\ntree\nset x=2\nopen h\nc\ne\ntext\njson\n";
    for (long at = 0, calls = 1; at < calls; at++) {
        ledger l;
        const gt_allocator allocator = counting(&l);
        gt_params *params = gt_params_new(&allocator, 0);
        gt_tape *tape = gt_tape_new(params);
        const gt_tensor f = small_network(tape);
        gt_item(f);
        const size_t used = l.used;
        l.fail_at = l.calls + at;
        walk_through(f, commands);
        if (at == 0) {
            l.fail_at = -1;
            const long before = l.calls;
            walk_through(f, commands);
            calls = l.calls - before;
        }
        cr_assert_not(gt_failed(tape), "allocation %ld: %s", at, gt_error(tape));
        cr_assert_geq(l.used, used);
        gt_tape_free(tape);
        gt_params_free(params);
        cr_assert_eq(l.used, 0);
    }
}

Test(step, json_escapes_hostile_names) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_name(quick_scalar(tape, 1), "%s", "</script>\"\\\xff\x01\xe2\x80\xa8");
    gt_journal *j = journal_of(gt_log(gt_sub(x, x)));
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    cr_assert(gt_journal_json(j, out));
    fclose(out);
    cr_expect(strstr(text, "\"label\":\"\\u003c/script\\u003e\\u0022\\u005c\\ufffd?\\u2028\""));
    cr_expect(strstr(text, "\"value\":\"-inf\""));
    cr_expect_null(strchr(text, '<'));
    free(text);
    gt_journal_free(j);
    gt_tape_free(tape);
}

/* ---- the figures of the course notes, and of the course that they follow --------------------------------------- */

typedef struct figure {
    const char *lesson, *gate;
    double value, gradient, tolerance;
} figure;
#define ANY ((double)NAN)

/* clang-format off */
static const figure figures[] = {
    {"circuit-1", "q", 3, -4, 0},
    {"circuit-1", "f", -12, 1, 0},
    {"circuit-1", "z", -4, 3, 0},
    {"circuit-1", "x", -2, -4, 0},
    {"circuit-1", "y", 5, -4, 0},
    {"circuit-2", "a", -2, ANY, 0},
    {"circuit-2", "b", 6, ANY, 0},
    {"circuit-2", "s", 4, ANY, 0},
    {"circuit-2", "dot", 1, .196612, 5e-7},
    {"circuit-2", "m", -1, -.196612, 5e-7},
    {"circuit-2", "e", .367879, -.534447, 5e-7},
    {"circuit-2", "d", 1.367879, -.534447, 5e-7},
    {"circuit-2", "f", .731059, 1, 5e-7},
    {"circuit-2", "w0", 2, -.19661193, 5e-9},
    {"circuit-2", "x0", -1, .39322387, 5e-9},
    {"circuit-2", "w1", -3, -.39322387, 5e-9},
    {"circuit-2", "x1", -2, -.58983580, 5e-9},
    {"circuit-2", "w2", -3, .19661193, 5e-9},
    {"circuit-2-sigmoid", "dot", 1, .19661193, 5e-9},
    {"circuit-2-sigmoid", "w0", 2, -.19661193, 5e-9},
    {"circuit-2-sigmoid", "x1", -2, -.58983580, 5e-9},
    {"patterns", "f", -20, 1, 0},
    {"patterns", "x", 3, -8, 0},
    {"patterns", "y", -4, 6, 0},
    {"patterns", "z", 2, 2, 0},
    {"patterns", "w", -1, 0, 0},
    {"hand-set", "f", 1, 1, 0},
    {"approximator", "a", 1.5, 1, 5e-9},
    {"approximator", "p", 1, 2.5, 5e-8},
    {"and", "f", 1, 1, 0},
    {"or", "f", 1, 1, 0},
    {"xor", "f", 1, 1, 0},
    {"saturation-squared", "f", .9867, 1, 5e-5},
    {"saturation-squared", "z", -5, -.01321, 5e-6},
    {"saturation-cross-entropy", "f", 5.0067, 1, 5e-5},
    {"saturation-cross-entropy", "z", -5, -.99331, 5e-6},
    {"staged", "f", 1.5456448841, 1, 5e-11},
    {"staged", "x", 3, 2.0595697956, 5e-11},
    {"staged", "y", -4, 1.5922327515, 5e-11},
    {"topological-order", "a", 3, 4, 0},
    {"topological-order", "b", 6, 2, 0},
};
/* clang-format on */

static bool as_expected(double v, double expected, double tolerance) {
    return isnan(expected) || quick_near(v, expected, tolerance);
}

Test(step, lessons_have_the_figures_of_the_notes) {
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const figure *f = &figures[i];
        gt_formula_error error;
        gt_journal *j = gt_journal_of_formula(gt_lesson_named(f->lesson)->formula, &error);
        cr_assert(j != NULL, "%s: %s", f->lesson, error.message);
        const gt__gate *g = gate(j, f->gate);
        cr_expect(as_expected(g->v.one, f->value, f->tolerance), "%s: %s = %.17g", f->lesson,
                  f->gate, g->v.one);
        cr_expect(as_expected(g->g.one, f->gradient, f->tolerance), "%s: d/d%s = %.17g", f->lesson,
                  f->gate, g->g.one);
        gt_journal_free(j);
    }
}

/* Row 50: what the notes say of w35, and what is right for w13. */
Test(step, the_chain_through_two_layers_uses_each_units_own_derivative) {
    gt_formula_error error;
    gt_journal *j = gt_journal_of_formula(gt_lesson_named("backprop-2-2-1")->formula, &error);
    cr_assert(j != NULL, "%s", error.message);
    const double out = gate(j, "out")->v.one, x3 = gate(j, "x3")->v.one;
    const double d5 = -2 * (gate(j, "y")->v.one - out) * out * (1 - out);
    const double d3 = d5 * gate(j, "w35")->v.one * x3 * (1 - x3);
    cr_expect(quick_near(gate(j, "w35")->g.one, d5 * x3, 1e-15));
    cr_expect(quick_near(gate(j, "w13")->g.one, d3 * gate(j, "x1")->v.one, 1e-15));
    gt_journal_free(j);
}

/* The last operation of the tape has a result behind the output; another's second result is all that is used. */
Test(step, operations_of_several_results) {
    gt_tape *tape = gt_tape_new(NULL);
    const double data[3] = {2, 7, 5};
    const gt_tensor x = gt_name(gt_input(tape, data, GT_SHAPE(3), GT_F64), "x");
    const gt_tensor order = gt_out(gt_sort(x, 0, false), 1);
    const gt_tensor sorted = gt_gather(x, order, 0);
    gt_journal *j = journal_of(gt_topk(gt_mul(sorted, sorted), 1, 0));
    cr_assert_eq(j->gate[j->output].v.one, 49);
    const double slope[3] = {0, 14, 0};
    for (int64_t i = 0; i < 3; i++) cr_assert_eq(gt_element(gate(j, "x")->gradient, i), slope[i]);
    gt_journal_free(j);
    gt_tape_free(tape);
}

/* Put behind a training step, a walk shows the loss at the parameters as they are now. */
Test(step, a_walk_inside_a_training) {
    gt_params *params = gt_params_new(NULL, 7);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.rate = 0.1});
    char commands[] =
        "b one/weight\nc\nw one/weight[0,1]\nc\ne\npaths one/weight\nset x[0,0]=9\ntree\n";
    for (int step = 0; step < 3; step++) {
        const gt_tensor x = gt_name(gt_ones(tape, GT_SHAPE(4, 2), GT_F32), "x");
        const gt_tensor loss = gt_mean(gt_square(gt_linear(x, "one", 3)), GT_ALL, false);
        cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
        const double before = gt_item(loss);
        walk_through(loss, commands);
        gt_journal *j = journal_of(loss);
        cr_assert_lt(j->gate[j->output].v.one, before);
        cr_assert_eq(gt_item(loss), before);
        gt_journal_free(j);
        gt_tape_reset(tape);
    }
    cr_assert_not(gt_failed(tape), "%s", gt_error(tape));
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
}
