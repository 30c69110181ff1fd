/* grad/sweep.c: the chain rule, and nothing else.
 *
 * From the root down: sum what arrived at a node, multiply it by the operation's local gradients, pass the
 * contributions on. Only nodes that depend on a wanted tensor and that the root reaches are visited.
 * Everything is recorded on the same tape, above the root. */
#include "grad/sweep.h"

#include <string.h>

#include "graph/tape.h"
#include "ops/ops.h"

static const gt__node *node(gt_tensor t) { return gt__node_at(t.tape, t.index); }

/* Is t, which is valid, a rule's constant, or a view of one? */
static bool spreads_constant(gt_tensor t, double *number) {
    const gt__node *n = node(t);
    while (n->op->more.traits & GT_VIEW) n = gt__node_at(t.tape, gt__in(t.tape, n)[0]);
    if (n->flags & GT__CONSTANT) *number = t.tape->arg[n->arg].real;
    return n->flags & GT__CONSTANT;
}

/* Both valid, and of one tape. */
static bool same_shape(gt_tensor a, gt_tensor b) { return node(a)->shape == node(b)->shape; }

/* To the shape of y. */
static gt_tensor spread(gt_tensor t, gt_tensor y) {
    return same_shape(t, y) ? t : gt_expand(t, gt_shape_of(y));
}

/* Upstream times local gradient. The peepholes look at constants of rules alone: 1 g = g, -1 g = -g, which is
 * negated after it was summed over the axes along which x_k was broadcast. */
static gt_tensor chain(const gt_pull *p, int k, gt_tensor local) {
    const gt_tensor g = p->up[0];
    double factor = 0, number = 0;
    if (!gt__valid(local)) return local;
    const gt__node *n = node(local);
    if (n->flags & GT__CONSTANT) factor = local.tape->arg[n->arg].real;
    if (factor == 1) return g;
    if (spreads_constant(g, &number)) {
        if (number == 1) return spread(local, p->out[0]);
        if (number == -1) return gt_neg(spread(local, p->out[0]));
    }
    if (factor == -1) return gt_neg(gt_sum_to(g, gt_shape_of(p->in[k])));
    return gt_chain(g, local);
}

/* Notes a contribution to the gradient of x; sums it over the axes along which x was broadcast. */
static bool contribute(gt__sweep *s, gt_tensor x, gt_tensor *gx) {
    if (!gx->tape) return true;
    if (!gt__valid(*gx)) return false;
    if (!same_shape(*gx, x)) *gx = gt_sum_to(*gx, gt_shape_of(x));
    if (gt_dtype_of(*gx) == GT_BF16) *gx = gt_cast(*gx, GT_F32); /* and summed as that */
    if (gt_is_leaf(*gx))
        *gx = gt_copy(*gx); /* a gradient is a value: a later write must not change it */
    if (!gt__valid(*gx)) return false;
    return gt__sweep_note(s, x.index, *gx);
}

static void tell(const gt__sweep *s, gt_tensor node, const gt_pull *p, int k, gt_tensor local) {
    if (!s->watch) return;
    const gt_flow flow = {node, k, p->n_out, p->up, local, p->gx[k]};
    s->watch->flow(s->watch->user, &flow);
}

/* The sum of what arrived at a node; absent when nothing did, and for later results of the root's operation. */
static gt_tensor upstream(gt__sweep *s, uint32_t i) {
    if (i > s->root || !s->visit[i - s->low].sum) return gt_none();
    if (s->visit[i - s->low].chain <= 1) return gt__tensor(s->tape, s->visit[i - s->low].sum - 1);
    gt_list arrived;
    if (!gt__sweep_arrived(s, i, &arrived)) return gt_none();
    const gt_tensor g = gt_accumulate(arrived);
    if (gt__valid(g)) gt__sweep_set(s, i, g);
    return g;
}

/* Local gradients of an element-wise operation, or the pull rule of another. */
static bool pull(gt__sweep *s, gt_tensor t, gt_pull *p) {
    const gt_op *op = gt_op_of(t);
    for (int k = 0; k < p->n_in; k++) p->gx[k] = gt_none();
    if (op->gradient.pull && !op->gradient.pull(p)) return false;
    if (!op->gradient.pull && op->gradient.backward && !gt__pull_by_hand(op, p)) return false;
    for (int k = 0; k < p->n_in; k++) {
        if (!p->wanted[k]) continue;
        const gt_tensor local = op->gradient.local ? op->gradient.local(p, k) : gt_none();
        if (!gt_is_none(local)) p->gx[k] = chain(p, k, local);
        if (!contribute(s, gt__sweep_original(s, k), &p->gx[k])) return false;
        tell(s, t, p, k, local);
    }
    return true;
}

/* The general way for a node. */
static bool visit(gt__sweep *s, gt_tensor t) {
    gt_pull p;
    bool any = false;
    if (!gt__sweep_operands(s, t, &p)) return false;
    gt_record_for(s->tape, t);
    for (int k = 0; k < p.n_out; k++) {
        s->up[k] = upstream(s, t.index + (uint32_t)k);
        any = any || !gt_is_none(s->up[k]);
    }
    if (s->tape->failed) return false;
    return !any || p.n_in == 0 || gt_is_leaf(t) || pull(s, t, &p);
}

enum { FEW = 2 }; /* operands, and run-time numbers, of operations on numbers */

/* Very many nodes can be operations on numbers, of which most of what the general way asks is known. */
static bool is_number(const gt__sweep *s, const gt__node *n) {
    return n->flags & GT__SCALAR && n->op->gradient.local && n->arity <= FEW && !s->copies &&
           !s->watch && (!n->arg || s->tape->arg[n->arg - 1].integer <= FEW);
}

/* What is of the kind of x, and no leaf, is noted as it is. */
static inline bool contribute_number(gt__sweep *s, gt_tensor x, gt_tensor gx) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a sweep has a tape
    if (gx.tape != s->tape || gx.index >= s->tape->size) return gt_is_none(gx);
    const gt__node *to = node(x), *n = node(gx);
    const unsigned flags = n->flags & (GT__NUMBER | GT__LEAF);
    if (flags == GT__NUMBER && n->dtype == to->dtype) return gt__sweep_note(s, x.index, gx);
    return contribute(s, x, &gx);
}

/* As pull. */
static bool pull_number(gt__sweep *s, gt_tensor t, const gt__node *n, gt_tensor g) {
    gt_tape *tape = s->tape;
    const gt_scalar_rule *rule = &n->op->more.scalar;
    gt_arg arg[FEW];
    for (int k = 0; n->arg && k < (int)tape->arg[n->arg - 1].integer; k++)
        arg[k] = tape->arg[n->arg + (uint32_t)k];
    gt_tensor in[FEW];
    for (unsigned k = 0; k < n->arity; k++) in[k] = gt__tensor(tape, n->in[k]);
    const gt_pull p = {
        .tape = tape, .arg = arg, .in = in, .out = &t, .up = &g, .constant = s->constant};
    for (int k = 0; k < (int)n->arity; k++) {
        if (!(rule->gives >> k & 1) || !gt__sweep_depends(s, n->in[k])) continue;
        gt_tensor gx = g;
        if (!(rule->passes >> k & 1)) gx = chain(&p, k, n->op->gradient.local(&p, k));
        if (!contribute_number(s, in[k], gx)) return false;
    }
    return true;
}

/* To operands that all get the upstream, which is of their kind and no leaf: see contribute. */
static bool pass_on(gt__sweep *s, const gt__node *n, gt_tensor g) {
    for (unsigned k = 0; k < n->arity; k++)
        if (!gt__sweep_note(s, n->in[k], g)) return false;
    return true;
}

static bool visit_number(gt__sweep *s, gt_tensor t, const gt__node *n) {
    const gt_scalar_rule *rule = &n->op->more.scalar;
    gt__date(s->tape, n);
    const gt_tensor g = upstream(s, t.index);
    if (s->tape->failed) return false;
    const unsigned all = (1u << n->arity) - 1;
    return (rule->passes & all) == all ? pass_on(s, n, g) : pull_number(s, t, n, g);
}

bool gt__sweep_run(gt__sweep *s, gt_tensor root, gt_tensor seed) {
    if (!contribute(s, root, &seed)) return false;
    for (uint32_t i = root.index + 1; i-- > s->low;) {
        if (!s->visit[i - s->low].chain) continue;
        const gt__node *n = gt__node_at(s->tape, i);
        if (n->out > 0) continue;
        const bool number = is_number(s, n), idle = number && !s->visit[i - s->low].sum;
        if (idle) continue;
        const gt_tensor t = gt__tensor(s->tape, i);
        if (!(number ? visit_number(s, t, n) : visit(s, t)) || s->tape->failed) return false;
    }
    return true;
}
