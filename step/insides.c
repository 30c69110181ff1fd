/* step/insides.c: what composite gates are made of. The inside of a gate is recorded beside it, from its input,
 * with elementary operations, and differentiated from the gate's own upstream: what comes out at its input must
 * be what the gate itself passes back, up to rounding. One row of the table is one composite. */
#include "step/journal.h"

#include <string.h>

#include "ops/ops.h"

static gt_tensor inside_sigmoid(gt_tensor x) {
    return gt_reciprocal(gt_add_scalar(gt_exp(gt_neg(x)), 1));
}

static gt_tensor inside_tanh(gt_tensor x) {
    const gt_tensor up = gt_exp(x), down = gt_exp(gt_neg(x));
    return gt_div(gt_sub(up, down), gt_add(up, down));
}

static gt_tensor inside_softplus(gt_tensor x) { return gt_log(gt_add_scalar(gt_exp(x), 1)); }

static gt_tensor inside_silu(gt_tensor x) { return gt_mul(x, gt_sigmoid(x)); }

enum { MOST_UNASKED = 1000 }; /* insides of a longer circuit are recorded when they are opened */

static const struct {
    const char *op;
    gt_tensor (*inside)(gt_tensor x);
} composites[] = {{"sigmoid", inside_sigmoid},
                  {"tanh", inside_tanh},
                  {"softplus", inside_softplus},
                  {"silu", inside_silu}};

static gt_tensor (*inside_of(const gt__gate *gate))(gt_tensor) {
    if (gate->kind != GT__OPERATION || gt_is_none(gate->gradient)) return NULL;
    for (size_t i = 0; i < sizeof composites / sizeof *composites; i++)
        if (strcmp(gt_op_of(gate->value)->name, composites[i].op) == 0) return composites[i].inside;
    return NULL;
}

/* "f.exp", and "f.exp2" for the second one inside f. */
static void name_inside(const gt_journal *j, uint32_t parent, uint32_t first, const char *op,
                        char *label, size_t size) {
    int same = 1;
    for (uint32_t i = first + 1; i < j->n_gates; i++)
        same += strcmp(gt_op_of(j->gate[i].value)->name, op) == 0;
    const int used = snprintf(label, size, "%s.%s", j->gate[parent].label, op);
    if (same > 1) snprintf(label + used, size - (size_t)used, "%d", same);
}

/* The alias of the input, then every operation of the inside, up to its result. */
static bool add_inside(gt_journal *j, uint32_t parent, gt_tensor (*inside)(gt_tensor)) {
    const uint32_t origin = j->gate[parent].origin, first = j->n_gates;
    const gt__gate *input = &j->gate[j->input[j->gate[parent].first_in]];
    const gt_tensor alias = gt_identity(input->value), result = inside(alias);
    if (gt__journal_add_gate(j, alias, input->label, origin, GT__ALIAS) == GT__NO_GATE)
        return false;
    for (uint32_t i = alias.index + 1; gt_valid(result) && i <= result.index; i++) {
        const gt_tensor t = gt_tensor_at(j->tape, i);
        char label[640];
        name_inside(j, parent, first, gt_op_of(t)->name, label, sizeof label);
        if (gt__journal_add_gate(j, t, label, origin, GT__OPERATION) == GT__NO_GATE) return false;
    }
    for (uint32_t i = first; i < j->n_gates; i++) j->gate[i].parent = parent;
    j->gate[parent].first_inner = first;
    j->gate[parent].n_inner = j->n_gates - first;
    return gt__journal_sweep(j, result, j->gate[parent].gradient, first, j->n_gates);
}

bool gt__journal_insides(gt_journal *j) {
    if (j->n_main > MOST_UNASKED) return true;
    for (uint32_t i = 0; i < j->n_main; i++)
        if (!gt__journal_inside(j, i)) return false;
    return true;
}

bool gt__journal_inside(gt_journal *j, uint32_t gate) {
    gt_tensor (*const inside)(gt_tensor) = inside_of(&j->gate[gate]);
    return !inside || j->gate[gate].n_inner || add_inside(j, gate, inside);
}
