/* tests/support/sweep_operations.c: walks the table of operations, and the lists of compositions
 * and layers. */
#include <string.h>

#include "nn/nn.h"
#include "ops/ops.h"
#include "support/harness.h"
#include "support/sweeps.h"

/* One kind of thing: how many there are, how many hold, and what came up. */
typedef struct walk {
    FILE *out;
    const char *only;
    int checked, right, good, bad, second, cannot_tell;
    int64_t compared;
} walk;

static void check_one(walk *w, const subject *s) {
    findings f;
    if (w->only && strcmp(w->only, s->name) != 0) return;
    const verdict v = check_subject(s, is_soak(), &f);
    w->checked++;
    w->right += v == PASS;
    w->good += f.good;
    w->bad += f.bad;
    w->second += f.second;
    w->cannot_tell += f.cannot_tell;
    w->compared += f.compared;
    if (v != PASS)
        fprintf(w->out, "%s %s\n  repeat: build/bin/tests/selftest ops %s\n",
                v == FAIL ? "FAIL" : "CANNOT TELL", f.first, s->name);
    else if (w->only)
        fprintf(w->out,
                "%s: %d samples (%d that must fail), %d gradients, %d second order, %d cannot "
                "tell%s%s\n",
                s->name, f.good + f.bad, f.bad, f.gradients, f.second, f.cannot_tell,
                f.first[0] ? ": " : "", f.first);
}

static void report(const walk *w, const char *what, score *total) {
    total->passed += w->right;
    total->failed += w->checked - w->right;
    if (w->only && w->checked == 0) return;
    fprintf(w->out,
            "%d samples, %d that must fail; %lld entries of gradients compared; %d second order; "
            "%d samples cannot tell\n",
            w->good, w->bad, (long long)w->compared, w->second, w->cannot_tell);
    fprintf(w->out, "%s checked %d of %d\n", what, w->right, w->checked);
}

static void walk_compositions(FILE *out, const char *what, const char *name,
                              const gt_composition *at(int i), score *total) {
    walk w = {.out = out, .only = name};
    for (int i = 0; at(i); i++) check_one(&w, &(subject){at(i)->name, NULL, at(i)->samples, NULL});
    report(&w, what, total);
}

void sweep_operations(FILE *out, const char *name, score *total) {
    walk w = {.out = out, .only = name};
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        check_one(&w, &(subject){op->name, op, op->samples, NULL});
    }
    report(&w, "ops", total);
    walk_compositions(out, "compositions", name, gt_composition_at, total);
    walk_compositions(out, "layers", name, gt_layer_at, total);
}
