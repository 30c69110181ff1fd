/* tests/support/sweep_mutants.c: tests of the tests. Operations are copied, an error is planted in
 * the copy, and the harness must say FAIL: neither PASS nor CANNOT_TELL. A copy without error must
 * PASS. */
#include <string.h>

#include "ops/ops.h"
#include "support/harness.h"
#include "support/kinks.h"
#include "support/mutants.h"
#include "support/random_graph.h"
#include "support/sweeps.h"

/* Operations in which random graphs must find a planted error. */
static const char in_graphs[] = " add mul div where maximum tanh sigmoid softplus sin exp relu sum "
                                "max prod matmul permute slice gather "
                                "scatter_add concat expand cumsum sort logaddexp hypot var ";

typedef struct tester {
    FILE *out;
    int planted, caught, controls, right;
} tester;

static const gt_op *find_op(const char *name) {
    for (int i = 0; gt_op_at(i); i++)
        if (strcmp(gt_op_at(i)->name, name) == 0) return gt_op_at(i);
    return NULL;
}

static verdict verdict_of(const mutant *m, findings *f) {
    const subject s = {m->original->name, m->original, m->original->samples, &m->op};
    return check_subject(&s, false, f);
}

/* An error that never had an effect (a second operand forgotten where there is one) is none. */
static void expect_fail(tester *t, const mutant *m, const char *what, bool always) {
    findings f;
    const verdict v = verdict_of(m, &f);
    if (m->hits == 0 && !always) return;
    t->planted++;
    t->caught += v == FAIL;
    if (v == FAIL) return;
    fprintf(t->out, "NOT CAUGHT (%s): %s with a planted error: %s\n",
            v == PASS ? "pass" : "cannot tell", m->original->name, what);
}

static bool has_rule(const gt_op *op) { return op->gradient.pull || op->gradient.local; }

static bool is_named(const char *list, const char *name) {
    char padded[80];
    snprintf(padded, sizeof padded, " %s ", name);
    return strstr(list, padded) != NULL;
}

static void plant_rules(tester *t, const gt_op *op) {
    for (const planted_error *e = mutant_rules; e->what; e++) {
        if (e->only && !is_named(e->only, op->name)) continue;
        mutant m = mutant_of(op, e->rule);
        expect_fail(t, &m, e->what, false);
    }
}

static void plant_at_kinks(tester *t, const gt_op *op) {
    int count;
    for (const planted_error *e = mutant_kinks; e->what; e++) {
        if (!is_named(e->only, op->name)) continue;
        const mutant m = mutant_of(op, e->rule);
        const bool noticed = check_kinks(NULL, op, &m.op, &count) > 0;
        t->planted++;
        t->caught += noticed;
        if (!noticed) fprintf(t->out, "NOT CAUGHT at a kink: %s: %s\n", op->name, e->what);
    }
}

static void plant_in_graphs(tester *t, const gt_op *op) {
    enum { GRAPHS = 200 };
    if (!is_named(in_graphs, op->name)) return;
    const mutant m = mutant_of(op, planted_half);
    const bool noticed = graphs_catch(op, &m.op, 1, GRAPHS);
    t->planted++;
    t->caught += noticed;
    if (!noticed)
        fprintf(t->out, "NOT CAUGHT in %d random graphs: %s with half its gradient\n", GRAPHS,
                op->name);
}

static void check_control(tester *t, const gt_op *op) {
    findings f;
    const mutant m = mutant_of(op, NULL);
    const verdict v = verdict_of(&m, &f);
    t->controls++;
    t->right += v == PASS;
    if (v != PASS) fprintf(t->out, "NOT PASSED: %s, copied without error: %s\n", op->name, f.first);
}

static void plant_kernels(tester *t) {
    for (const planted_kernel *e = mutant_kernels; e->what; e++) {
        const gt_op *op = find_op(e->op);
        if (!op || !op->kernel) continue;
        mutant m = mutant_of(op, NULL);
        m.op.kernel = e->kernel;
        if (strstr(e->what, "strides")) m.op.more.traits |= GT_STRIDED;
        expect_fail(t, &m, e->what, true);
    }
    for (int e = 0; mutant_tiles[e][0]; e++) {
        const gt_op *op = find_op(mutant_tiles[e][0]), *other = find_op(mutant_tiles[e][1]);
        if (!op || !other) continue;
        mutant m = mutant_of(op, NULL);
        m.op.more.tile = other->more.tile;
        expect_fail(t, &m, "the kernel of another row", true);
    }
}

static bool only_zeros(const gt_op *op) {
    for (int k = 0; k < 3; k++)
        if (op->more.gradient_text[k] && strcmp(op->more.gradient_text[k], "ZERO") != 0)
            return false;
    return op->more.gradient_text[0] != NULL;
}

void sweep_mutants(FILE *out, const char *name, score *s) {
    tester t = {.out = out};
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        if (!has_rule(op) || only_zeros(op) || (name && strcmp(name, op->name) != 0)) continue;
        check_control(&t, op);
        plant_rules(&t, op);
        plant_at_kinks(&t, op);
        plant_in_graphs(&t, op);
    }
    if (!name) plant_kernels(&t);
    fprintf(out, "copies without error passed %d of %d\n", t.right, t.controls);
    fprintf(out, "planted errors caught %d of %d\n", t.caught, t.planted);
    s->passed += t.right + t.caught;
    s->failed += t.controls - t.right + t.planted - t.caught;
}
