/* tests/docs/operations.c: writes docs/operations.md from the table of operations. */
#include "tests/docs/operations.h"

#include <stdlib.h>
#include <string.h>

#include "gradtape.h"

static const char head[] =
    "# Operations\n"
    "\n"
    "Written by the library itself from `ops/ops.def` and the operations' own descriptions; a "
    "test\n"
    "fails when this file differs from them. To write it again:\n"
    "\n"
    "    ./dev build && build/bin/tests/docs operations > docs/operations.md\n"
    "\n"
    "Every function takes and returns `gt_tensor` and is declared, with a comment on its "
    "arguments,\n"
    "in [ops/ops.h](../ops/ops.h) or, for the rows below, in the generated `ops/ops_gen.h`. "
    "Shapes\n"
    "broadcast as in NumPy; the inputs of an operation have one dtype. [kinks.md](kinks.md) has "
    "the\n"
    "values at kinks and edges.\n"
    "\n";

static const char rows_head[] =
    "## Element-wise operations\n"
    "\n"
    "One row of `ops/ops.def` each. `x` (or `a, b, c`) are the inputs, `y` is the result, `p` and "
    "`q`\n"
    "are real parameters; `k(c)` and `v(p)` are a constant and a parameter as tensors. The local\n"
    "gradient is written in the library's own operations (without their `gt_`), so it can be\n"
    "differentiated again; the sweep alone multiplies it by the upstream gradient. `0` is no "
    "gradient.\n"
    "\n"
    "| operation | meaning | of | computed as | local gradients | at the edges |\n"
    "|---|---|---|---|---|---|\n";

static const char others_head[] =
    "\n"
    "## Other operations\n"
    "\n"
    "They have a shape rule, a kernel and a pull rule that turns the upstream gradient into the\n"
    "inputs'. A pull rule is written with public operations too. `place` and the scatters are what "
    "the\n"
    "sweep records for slices and for chosen elements; `accumulate` adds what comes back to a "
    "tensor\n"
    "that is used more than once.\n"
    "\n"
    "| operation | result | gradient | remarks |\n"
    "|---|---|---|---|\n";

static const char compositions_head[] =
    "\n"
    "## Compositions\n"
    "\n"
    "Functions made of the operations above; they get their gradients from their parts.\n"
    "\n";

/* A cell of a table: bars would end it, and gt_ before a name only widens it. */
static void cell(FILE *out, const char *text, bool code) {
    fputs(code ? "`" : "", out);
    for (const char *c = text; *c; c++) {
        if (code && strncmp(c, "gt_", 3) == 0) {
            c += 2;
            continue;
        }
        fputs(*c == '|' ? "\\|" : *c == '*' && !code ? "\\*" : (char[]){*c, 0}, out);
    }
    fputs(code ? "`" : "", out);
}

static const char *kinds(const gt_op *op) {
    gt_tile (*const tile)(gt_dtype in, gt_dtype out) = op->more.tile;
    if (!tile(GT_F64, GT_F64) && !tile(GT_F64, GT_BOOL)) return "bool";
    if (tile(GT_F64, GT_BOOL)) return "any, gives bool";
    if (op->more.integer) return "bool, then any";
    return tile(GT_I32, GT_I32) ? "floats, integers" : "floats";
}

static void print_row(FILE *out, const gt_op *op) {
    fprintf(out, "| `%s` | ", op->name);
    cell(out, op->more.meaning, false);
    fprintf(out, " | %s | ", kinds(op));
    cell(out, op->more.forward_text, true);
    fputs(" | ", out);
    for (int k = 0; k < 3 && op->more.gradient_text[k]; k++) {
        const char *text = op->more.gradient_text[k];
        if (k > 0) fputs(", ", out);
        cell(out, strcmp(text, "ZERO") == 0 ? "0" : text, true);
    }
    fputs(" | ", out);
    cell(out, op->more.domain, false);
    fputs(" |\n", out);
}

/* Writes text, with a comma unless it is the first. */
static void remark(FILE *out, bool *any, const char *text) {
    fprintf(out, "%s%s", *any ? ", " : "", text);
    *any = true;
}

static void print_other(FILE *out, const gt_op *op) {
    const gt_op_more *more = &op->more;
    bool any = false;
    fprintf(out, "| `%s` | ", op->name);
    cell(out, more->meaning ? more->meaning : "", false);
    if (op->gradient.none)
        fprintf(out, " | none: %s | ", op->gradient.none);
    else
        fprintf(out, " | %s | ", op->gradient.backward ? "by hand in C" : "pull rule");
    if (more->traits & GT_VIEW) remark(out, &any, "a view");
    if (more->traits & GT_REDUCE) remark(out, &any, "folds axes");
    if (more->traits & GT_RANDOM) remark(out, &any, "random");
    if (more->traits & GT_EFFECT) remark(out, &any, "an effect");
    if (more->linear) remark(out, &any, more->linear > 1 ? "linear in each input" : "linear");
    if (more->integer)
        remark(out, &any, more->integer & 1u ? "of integers or bools" : "takes integer indices");
    fputs(" |\n", out);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(const gt_op *const *)a)->name, (*(const gt_op *const *)b)->name);
}

enum { MOST = 400 };

static void print_others(FILE *out) {
    const gt_op *op[MOST];
    int n = 0;
    for (int i = 0; gt_op_at(i) && n < MOST; i++)
        if (!gt_op_at(i)->more.forward_text) op[n++] = gt_op_at(i);
    qsort(op, (size_t)n, sizeof *op, by_name);
    for (int i = 0; i < n; i++) print_other(out, op[i]);
}

static int compare_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_names(FILE *out, const char *room, const gt_composition *(*at)(int)) {
    const char *name[MOST];
    int n = 0;
    for (int i = 0; at(i) && n < MOST; i++) name[n++] = at(i)->name;
    qsort(name, (size_t)n, sizeof *name, compare_text);
    fprintf(out, "- in `%s`:", room);
    for (int i = 0; i < n; i++) fprintf(out, "%s `%s`", i ? "," : "", name[i]);
    fputs(".\n", out);
}

bool print_operations(FILE *out) {
    fputs(head, out);
    fputs(rows_head, out);
    for (int i = 0; gt_op_at(i); i++)
        if (gt_op_at(i)->more.forward_text) print_row(out, gt_op_at(i));
    fputs(others_head, out);
    print_others(out);
    fputs(compositions_head, out);
    print_names(out, "ops/", gt_composition_at);
    print_names(out, "nn/", gt_layer_at);
    return fflush(out) == 0 && !ferror(out);
}
