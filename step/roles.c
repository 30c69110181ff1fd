/* step/roles.c: what a gate does with gradients, told from the local gradients that the sweep used, not from its
 * name; and the branch it took. */
#include "step/journal.h"

static const char *const names[GT__N_ROLES] = {"",       "distributor", "swapper",
                                               "router", "switch",      "scaler"};

const char *gt__role_name(gt__role role) { return names[role]; }

static const gt__edge *edges_of(const gt_journal *j, const gt__gate *gate) {
    return gate->n_edges ? &j->edge[gate->first_edge] : NULL;
}

/* Does every local gradient depend on no value at all, and is it this one? */
static bool all_constant(const gt__edge *e, uint32_t n, double value) {
    for (uint32_t i = 0; i < n; i++) {
        const bool constant =
            gt_valid(e[i].local) && !gt_is_leaf(e[i].local) && gt_n_in(e[i].local) == 0;
        if (!constant || e[i].local_f.one != value) return false;
    }
    return true;
}

static bool swaps(const gt_journal *j, const gt__gate *gate, const gt__edge *e) {
    if (gate->n_in != 2 || gate->n_edges != 2) return false;
    for (uint32_t i = 0; i < gate->n_edges; i++) {
        const uint32_t other = j->input[gate->first_in + 1 - e[i].k];
        if (gt_is_none(e[i].local) || e[i].local.index != j->gate[other].value.index) return false;
    }
    return true;
}

/* A kinked gate whose local gradients are 0 or 1, at most one of them 1. */
static bool routes(const gt__gate *gate, const gt__edge *e) {
    uint32_t open = 0;
    if (!gt_op_of(gate->value)->more.branch) return false;
    for (uint32_t i = 0; i < gate->n_edges; i++) {
        if (e[i].local_f.one != 0 && e[i].local_f.one != 1) return false;
        open += e[i].local_f.one == 1;
    }
    return open <= 1;
}

gt__role gt__role_of(const gt_journal *j, uint32_t i) {
    const gt__gate *gate = &j->gate[i];
    const gt__edge *e = edges_of(j, gate);
    if (gate->kind != GT__OPERATION || !e) return GT__NO_ROLE;
    if (all_constant(e, gate->n_edges, 1)) return gate->n_in > 1 ? GT__DISTRIBUTOR : GT__NO_ROLE;
    if (swaps(j, gate, e)) return GT__SWAPPER;
    if (routes(gate, e)) return gate->n_edges > 1 ? GT__ROUTER : GT__SWITCH;
    return gate->n_edges == 1 && all_constant(e, 1, e->local_f.one) ? GT__SCALER : GT__NO_ROLE;
}

bool gt__branch_of(const gt_journal *j, uint32_t i, int *branch) {
    const gt__gate *gate = &j->gate[i];
    double x[3];
    if (gate->kind != GT__OPERATION || !gt_op_of(gate->value)->more.branch || gate->n_in > 3)
        return false;
    for (uint32_t k = 0; k < gate->n_in; k++) {
        const gt__figures *v = &j->gate[j->input[gate->first_in + k]].v;
        if (v->numel != 1) return false;
        x[k] = v->one;
    }
    *branch = gt_op_of(gate->value)->more.branch(x, gt_args(gate->value));
    return true;
}
