/* grad/sweep.c: the chain rule, and nothing else.
 *
 * From the root down: sum what arrived at a node, multiply it by the operation's local gradients, pass the
 * contributions on. Only nodes that depend on a wanted tensor and that the root reaches are visited.
 * Everything is recorded on the same tape, above the root. */
#include "grad/sweep.h"

#include <string.h>

#include "ops/ops.h"

/* Is t a rule's constant, or a view of one? */
static bool spreads_constant(gt_tensor t, double *number) {
    while (gt_op_of(t)->more.traits & GT_VIEW) t = gt_in(t, 0);
    if (!gt_is_constant(t)) return false;
    *number = gt_args(t)[0].real;
    return true;
}

static gt_tensor spread(gt_tensor t, gt_shape shape) {
    return gt_same_shape(gt_shape_of(t), shape) ? t : gt_expand(t, shape);
}

/* Upstream times local gradient. The peepholes look at constants of rules alone: 1 g = g, -1 g = -g, which is
 * negated after it was summed over the axes along which x_k was broadcast. */
static gt_tensor chain(const gt_pull *p, int k, gt_tensor local) {
    const gt_tensor g = p->up[0];
    const gt_shape shape = gt_shape_of(p->out[0]);
    const double factor = gt_is_constant(local) ? gt_args(local)[0].real : 0;
    double number;
    if (factor == 1) return g;
    if (spreads_constant(g, &number)) {
        if (number == 1) return spread(local, shape);
        if (number == -1) return gt_neg(spread(local, shape));
    }
    if (factor == -1) return gt_neg(gt_sum_to(g, gt_shape_of(p->in[k])));
    return gt_chain(g, local);
}

/* Notes a contribution to the gradient of x; sums it over the axes along which x was broadcast. */
static bool contribute(gt__sweep *s, gt_tensor x, gt_tensor *gx) {
    if (gt_is_none(*gx)) return true;
    if (!gt_same_shape(gt_shape_of(*gx), gt_shape_of(x))) *gx = gt_sum_to(*gx, gt_shape_of(x));
    if (gt_dtype_of(*gx) == GT_BF16) *gx = gt_cast(*gx, GT_F32); /* and summed as that */
    if (gt_is_leaf(*gx))
        *gx = gt_copy(*gx); /* a gradient is a value: a later write must not change it */
    if (!gt_valid(*gx)) return false;
    return gt__sweep_note(s, x.index, *gx);
}

static void tell(const gt__sweep *s, gt_tensor node, const gt_pull *p, int k, gt_tensor local) {
    if (!s->watch) return;
    const gt_flow flow = {node, k, p->n_out, p->up, local, p->gx[k]};
    s->watch->flow(s->watch->user, &flow);
}

/* The sum of what arrived at a node; absent when nothing did. */
static gt_tensor upstream(gt__sweep *s, uint32_t i) {
    gt_list arrived;
    if (!gt__sweep_arrived(s, i, &arrived) || arrived.count == 0) return gt_none();
    const gt_tensor g = arrived.count == 1 ? arrived.at[0] : gt_accumulate(arrived);
    gt__sweep_set(s, i, g);
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

bool gt__sweep_run(gt__sweep *s, gt_tensor root, gt_tensor seed) {
    if (!contribute(s, root, &seed)) return false;
    for (uint32_t i = root.index + 1; i-- > s->low;) {
        const gt_tensor t = gt_tensor_at(s->tape, i);
        if (!gt__sweep_depends(s, i) || gt_out_index(t) > 0) continue;
        gt_pull p;
        bool any = false;
        if (!gt__sweep_operands(s, t, &p)) return false;
        gt_record_for(s->tape, t);
        for (int k = 0; k < p.n_out; k++) {
            s->up[k] = upstream(s, i + (uint32_t)k);
            any = any || !gt_is_none(s->up[k]);
        }
        if (any && p.n_in > 0 && !gt_is_leaf(t) && !pull(s, t, &p)) return false;
        if (gt_failed(s->tape)) return false;
    }
    return true;
}
