/* step/dot.c: the circuit for Graphviz: a box for every gate with its value and gradient, the local gradient on
 * every edge. */
#include "step/journal.h"

static void write_quoted(const char *text, FILE *out) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        if ((unsigned char)*text >= ' ') fputc(*text, out);
    }
}

static void write_gate(const gt_journal *j, uint32_t i, FILE *out) {
    const gt__gate *gate = &j->gate[i];
    const bool computed = gate->kind == GT__OPERATION;
    fprintf(out, "  g%u [shape=%s, label=\"", i, computed ? "box" : "ellipse");
    write_quoted(gate->label, out);
    if (computed) fprintf(out, " = %s", gt_op_of(gate->value)->name);
    fputs("\\nvalue ", out);
    gt__write_figures(&gate->v, gate->value, out);
    if (!gt_is_none(gate->gradient)) {
        fputs("\\ngradient ", out);
        gt__write_figures(&gate->g, gate->gradient, out);
    }
    fputs("\"];\n", out);
}

/* The edge that carries a gradient back to input k, NULL when none does. */
static const gt__edge *edge_to(const gt_journal *j, const gt__gate *gate, uint32_t k) {
    for (uint32_t i = gate->first_edge; i < gate->first_edge + gate->n_edges; i++)
        if (j->edge[i].k == k) return &j->edge[i];
    return NULL;
}

static void write_inputs(const gt_journal *j, uint32_t i, FILE *out) {
    const gt__gate *gate = &j->gate[i];
    for (uint32_t k = 0; k < gate->n_in; k++) {
        const gt__edge *e = edge_to(j, gate, k);
        fprintf(out, "  g%u -> g%u", j->input[gate->first_in + k], i);
        if (e && e->local_f.numel == 1) {
            fputs(" [label=\"", out);
            gt__write_figures(&e->local_f, e->local, out);
            fputs("\"]", out);
        }
        fputs(";\n", out);
    }
}

bool gt_journal_dot(gt_journal *j, FILE *out) {
    if (!gt__journal_ready(j) || !out) return false;
    fputs("digraph circuit {\n  rankdir=LR;\n", out);
    for (uint32_t i = 0; i < j->n_main; i++) write_gate(j, i, out);
    for (uint32_t i = 0; i < j->n_main; i++) write_inputs(j, i, out);
    fputs("}\n", out);
    return !ferror(out) || gt__journal_fail(j, "the drawing could not be written");
}
