/* graph/plan_order.c: which values stand in memory with their channels innermost (channels last), so that operations which
 * work so, as convolutions do, need not turn what neighbours have turned back.
 *
 * A group's results, and those of its operands that have its shape and could be channels last, must stand alike: they make
 * a set. Each operand or result that an operation would else turn, in the cache, speaks for its set, each reader that has
 * to walk over strides speaks against it, and each that needs a copy, or gathers element by element, does so COPYING times.
 * Where there is more for than against, by elements, the set stands so.
 *
 * What outlives the run, or is known outside of it, stands as ever, and so does what is shown by a view or multiplied as
 * a matrix: libraries round products of other strides otherwise. So bits do not depend on any of this. */
#include "graph/run.h"

#include <string.h>

enum { COPYING = 8 };

typedef struct orders {
    gt_tape *tape;
    gt__plan *plan;
    double *gain;       /* by root: elements that need not be turned, less those that must be */
    uint32_t *root;     /* of each node: towards the one that stands for its set */
    unsigned char *may; /* of each node: can it be channels last? Of a group, all results or none */
    unsigned char *must; /* by root: stand as ever */
} orders;

static const gt__plan_node *node_of(const orders *o, uint32_t k) { return &o->plan->work.node[k]; }
static const gt__external *external_of(const orders *o, uint32_t value) {
    return value & GT__EXTERNAL ? &o->plan->work.external[value & ~GT__EXTERNAL] : NULL;
}
static const gt__shape_entry *shape_of(const orders *o, uint32_t value) {
    const gt__external *e = external_of(o, value);
    return gt__bytes(&o->tape->shapes, e ? e->shape : node_of(o, value)->shape, NULL);
}
static double elements(const orders *o, uint32_t value) {
    return (double)shape_of(o, value)->numel;
}
static uint32_t input_of(const orders *o, uint32_t k, uint32_t i) {
    return o->plan->work.in[node_of(o, k)->in + i];
}
static bool may_be(const orders *o, uint32_t value) {
    return !(value & GT__EXTERNAL) && o->may[value];
}

static bool is_view(const orders *o, uint32_t value) {
    return !(value & GT__EXTERNAL) && node_of(o, value)->op->more.traits & GT_VIEW;
}

static uint32_t set_of(orders *o, uint32_t k) {
    while (o->root[k] != k) k = o->root[k] = o->root[o->root[k]];
    return k;
}

static void unite(orders *o, uint32_t a, uint32_t b) { o->root[set_of(o, a)] = set_of(o, b); }

/* Is there another order, and is the value the run's own? */
static bool is_eligible(const orders *o, uint32_t k) {
    const unsigned known = GT__TO_STORE | GT__TO_HOLD | GT__TO_ASSIGN | GT__FUSED | GT__MERGED;
    const gt_shape *s = &shape_of(o, k)->shape;
    return !(node_of(o, k)->state & known) && s->rank >= 3 && s->dim[1] > 1 &&
           shape_of(o, k)->numel > s->dim[0] * s->dim[1];
}

/* ---- operations -------------------------------------------------------------------------------------------- */

static gt_order order_of(const orders *o, uint32_t k) {
    const gt__plan_node *n = node_of(o, k);
    gt_array array[GT__MOST_ORDERED + GT_MAX_OUT];
    if (!n->op->more.order || n->n_in > GT__MOST_ORDERED) return (gt_order){0, 0};
    const gt_call call = gt__planned_call(o->tape, &o->plan->work, k, array);
    return n->op->more.order(&call);
}

static void find_results(orders *o, uint32_t k) {
    const gt_order order = order_of(o, k);
    for (uint32_t i = 0; i < gt__results_of(&o->plan->work, k); i++)
        o->may[k + i] = order.out >> i & 1 && is_eligible(o, k + i);
}

/* What an operation's operands and results speak for and against. */
static void weigh_operation(orders *o, uint32_t k) {
    const gt_order order = order_of(o, k);
    const unsigned traits = node_of(o, k)->op->more.traits;
    for (uint32_t i = 0; i < node_of(o, k)->n_in; i++) {
        const uint32_t value = input_of(o, k, i);
        if (!may_be(o, value)) continue;
        const uint32_t set = set_of(o, value);
        if (order.in >> i & 1)
            o->gain[set] += elements(o, value);
        else if (traits & (GT_VIEW | GT_AUTOCAST))
            o->must[set] = true;
        else
            o->gain[set] -= (traits & GT_STRIDED ? 1 : COPYING) * elements(o, value);
    }
    for (uint32_t i = 0; i < gt__results_of(&o->plan->work, k); i++)
        if (o->may[k + i]) o->gain[set_of(o, k + i)] += elements(o, k + i);
}

/* ---- groups ------------------------------------------------------------------------------------------------ */

static const gt__group *group_of(const orders *o, uint32_t s) {
    return o->plan->step[s].is_group ? &o->plan->group[o->plan->step[s].first] : NULL;
}

/* The next result from member *m on that stands in memory; GT__EXTERNAL when there is none. */
static uint32_t next_result(const orders *o, const gt__group *g, uint32_t *m) {
    const gt__member *member = &o->plan->member[g->member];
    for (; *m < g->n_members; ++*m)
        if (member[*m].slot == GT__IN_MEMORY) return member[(*m)++].node;
    return GT__EXTERNAL;
}

/* Can the group go over its elements in either order? Then all its results may stand so. What is made for it by rows, which
 * has its shape, has to come in its order, and does if it may: then it is of the group's set. */
static bool is_free(const orders *o, uint32_t s) {
    const gt__group *g = group_of(o, s);
    const gt__step *before = s ? &o->plan->step[s - 1] : NULL;
    if (g->by_rows || g->n_folds || g->n_lines || s >= o->plan->first_final) return false;
    if (before && before->by_rows && !o->may[before->first]) return false;
    uint32_t m = 0, results = 0;
    for (uint32_t k; (k = next_result(o, g, &m)) != GT__EXTERNAL; results++)
        if (!is_eligible(o, k)) return false;
    return results > 0;
}

static bool is_whole(const orders *o, const gt__group *g, uint32_t value) {
    return !(value & GT__EXTERNAL) && node_of(o, value)->shape == g->shape;
}

/* A result of the group, which all others, and whole operands, stand like; GT__EXTERNAL where it is not free. */
static uint32_t leader_of(const orders *o, const gt__group *g) {
    uint32_t m = 0;
    const uint32_t k = next_result(o, g, &m);
    return k != GT__EXTERNAL && o->may[k] ? k : GT__EXTERNAL;
}

static void find_members(orders *o, uint32_t s) {
    const gt__group *g = group_of(o, s);
    if (!is_free(o, s)) return;
    uint32_t m = 0;
    const uint32_t leader = next_result(o, g, &m);
    o->may[leader] = true;
    for (uint32_t k; (k = next_result(o, g, &m)) != GT__EXTERNAL;) {
        o->may[k] = true;
        unite(o, k, leader);
    }
    for (uint32_t i = 0; i < g->n_loads; i++) {
        const uint32_t value = o->plan->load[g->load + i];
        if (is_whole(o, g, value) && may_be(o, value)) unite(o, value, leader);
    }
}

/* A set loses where the group has to gather: its own operands that stand as ever, or, if it is not free, those that do not.
 * Views are gathered either way. */
static void weigh_group(orders *o, uint32_t s) {
    const gt__group *g = group_of(o, s);
    const uint32_t leader = leader_of(o, g);
    const gt__shape_entry *shape = gt__bytes(&o->tape->shapes, g->shape, NULL);
    const double cost = COPYING * (double)shape->numel;
    for (uint32_t i = 0; i < g->n_loads; i++) {
        const uint32_t value = o->plan->load[g->load + i];
        if (shape_of(o, value)->numel != shape->numel || is_view(o, value)) continue;
        const bool alike = leader != GT__EXTERNAL && is_whole(o, g, value);
        if (may_be(o, value) && !alike) o->gain[set_of(o, value)] -= cost;
        if (!may_be(o, value) && leader != GT__EXTERNAL) o->gain[set_of(o, leader)] -= cost;
    }
}

/* ---- all of it --------------------------------------------------------------------------------------------- */

static void find_sets(orders *o) {
    const gt__plan *p = o->plan;
    for (uint32_t s = 0; s < p->n_steps; s++) {
        if (p->step[s].is_group)
            find_members(o, s);
        else if (!is_view(o, p->step[s].first))
            find_results(o, p->step[s].first);
    }
}

static void weigh(orders *o) {
    const gt__plan *p = o->plan;
    for (uint32_t s = 0; s < p->n_steps; s++) {
        const gt__step *step = &p->step[s];
        if (step->is_group)
            weigh_group(o, s);
        else
            weigh_operation(o, step->first);
        if (step->by_rows && o->may[step->first] &&
            leader_of(o, group_of(o, s + 1)) == GT__EXTERNAL)
            o->must[set_of(o, step->first)] = true;
    }
    for (uint32_t k = 0; k < p->work.n_nodes; k++) /* computed by the sum they belong to */
        if (node_of(o, k)->state & GT__FUSED) weigh_operation(o, k);
}

static bool stands_so(orders *o, uint32_t k) {
    if (k == GT__EXTERNAL || !o->may[k]) return false;
    const uint32_t set = set_of(o, k);
    return o->gain[set] > 0 && !o->must[set];
}

static bool write_down(orders *o) {
    gt__plan *p = o->plan;
    for (uint32_t k = 0; k < p->work.n_nodes; k++) {
        if (!stands_so(o, k)) continue;
        gt_array a = gt__planned_array(o->tape, &p->work, k);
        gt__channels_last(&a);
        p->layout[k] = gt__layout(o->tape, &a);
        if (p->layout[k] == UINT32_MAX) return false;
    }
    for (uint32_t g = 0; g < p->n_groups; g++)
        p->group[g].last = stands_so(o, leader_of(o, &p->group[g]));
    return true;
}

bool gt__plan_order(gt_tape *tape, gt__plan *plan) {
    const uint32_t n = plan->work.n_nodes;
    bool any = false;
    for (uint32_t k = 0; k < n; k++) {
        plan->layout[k] = 0;
        any = any || plan->work.node[k].op->more.order;
    }
    if (!any) return true;
    orders o = {.tape = tape, .plan = plan};
    o.gain = gt__pool_take(&tape->pool, n * (sizeof *o.gain + sizeof *o.root + 2));
    if (!o.gain) return false;
    o.root = (uint32_t *)(void *)(o.gain + n);
    o.may = (unsigned char *)(o.root + n);
    o.must = o.may + n;
    memset(o.gain, 0, n * (sizeof *o.gain + sizeof *o.root + 2));
    for (uint32_t k = 0; k < n; k++) o.root[k] = k;
    find_sets(&o);
    weigh(&o);
    const bool ok = write_down(&o);
    gt__pool_give(&tape->pool, o.gain);
    return ok;
}
