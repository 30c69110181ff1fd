/* step/symbols.c: gates and their local gradients in symbols, as formulas over the names of their neighbours. */
#include "step/journal.h"

/* Reading a formula back takes time in proportion to the tape: a long journal is not spelled out. */
enum { MOST_GATES = 3000 };

static bool bind_inputs(const gt_journal *j, const gt__gate *gate, gt_recording *r) {
    bool ok = true;
    for (uint32_t k = 0; ok && k < gate->n_in; k++) {
        const gt__gate *in = &j->gate[j->input[gate->first_in + k]];
        ok = in->kind == GT__CONSTANT || gt_recording_bind(r, in->label, in->value);
    }
    return ok;
}

/* t over the gate's inputs, and over another tensor under a name of its own. */
static void spell(const gt_journal *j, const gt__gate *gate, const char *name, gt_tensor named,
                  gt_tensor t, char *text, size_t size) {
    const gt_allocator allocator = gt__journal_allocator(j);
    gt_formula_error error;
    text[0] = 0;
    if (gt_is_none(t) || j->n_gates > MOST_GATES) return;
    gt_formula *f = gt_formula_parse("", &allocator, &error);
    gt_recording *r = f ? gt_recording_new(f, j->tape) : NULL;
    if (r && bind_inputs(j, gate, r) && (!name || gt_recording_bind(r, name, named))) {
        const gt_expr expr = gt_formula_of(r, t);
        if (expr != gt_no_expr && !gt_expr_is_constant(f, expr) &&
            gt_expr_print(f, expr, text, size, NULL, NULL, 0) >= size)
            text[0] = 0;
    }
    gt_recording_free(r);
    gt_formula_free(f);
}

void gt__local_text(const gt_journal *j, const gt__edge *e, char *text, size_t size) {
    const gt__gate *gate = &j->gate[e->gate];
    spell(j, gate, gate->label, gate->value, e->local, text, size);
}

void gt__rule_text(const gt_journal *j, const gt__edge *e, char *text, size_t size) {
    spell(j, &j->gate[e->gate], "up", e->up, e->gx, text, size);
}

void gt__gate_text(const gt_journal *j, uint32_t i, char *text, size_t size) {
    const gt__gate *gate = &j->gate[i];
    spell(j, gate, NULL, gt_none(), gate->value, text, size);
    if (text[0]) return;
    size_t used = (size_t)snprintf(text, size, "%s(", gt_op_of(gate->value)->name);
    for (uint32_t k = 0; k < gate->n_in && used < size; k++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", k ? ", " : "",
                                 j->gate[j->input[gate->first_in + k]].label);
    if (used < size) snprintf(text + used, size - used, ")");
}
