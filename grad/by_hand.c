/* grad/by_hand.c: operations whose backward is written by hand in C. The sweep records one node that calls
 * it: inputs are the operation's inputs, results and upstreams; results are the contributions. It cannot be
 * differentiated again, and says so. */
#include <string.h>

#include "grad/sweep.h"
#include "ops/ops.h"

/* The node's attribute: whose backward it is, and that operation's own attribute (interned with the tape,
 * so the pointer holds as long as the node). */
typedef struct whose {
    const gt_op *op;
    const void *attr;
    int n_in;
} whose;

static bool backward_shape(gt_call *call) {
    const whose *w = call->attr;
    if (w->n_in > GT_MAX_OUT)
        return gt_call_fail(call, "%s has %d inputs: a backward by hand takes at most %d",
                            w->op->name, w->n_in, GT_MAX_OUT);
    call->n_out = w->n_in;
    for (int k = 0; k < w->n_in; k++) {
        call->out[k].shape = call->in[k].shape;
        call->out[k].dtype = call->in[k].dtype;
    }
    return true;
}

static bool backward_kernel(gt_call *call) {
    const whose *w = call->attr;
    gt_call passed = *call;
    passed.op = w->op;
    passed.attr = w->attr;
    return w->op->gradient.backward(&passed);
}

static bool refuse(gt_pull *pull) {
    const whose *w = pull->attr;
    gt_fail(pull->tape,
            "%s: its backward is written by hand and cannot be differentiated: give it a pull rule",
            w->op->name);
    return false;
}

static const gt_op backward_by_hand = {.name = "backward",
                                       .shape = backward_shape,
                                       .kernel = backward_kernel,
                                       .gradient = GT_PULL(refuse)};

bool gt__pull_by_hand(const gt_op *op, gt_pull *p) {
    gt_tensor in[2 * GT_MAX_OUT + GT_MAX_OUT];
    int n = 0;
    if (p->n_in > GT_MAX_OUT) {
        gt_fail(p->tape, "%s has %d inputs: a backward by hand takes at most %d", op->name, p->n_in,
                GT_MAX_OUT);
        return false;
    }
    for (int k = 0; k < p->n_in; k++) in[n++] = p->in[k];
    for (int k = 0; k < p->n_out; k++) in[n++] = p->out[k];
    for (int k = 0; k < p->n_out; k++)
        in[n++] = gt_is_none(p->up[k])
                      ? gt_zeros(p->tape, gt_shape_of(p->out[k]), gt__gradient_kind(p->out[k]))
                      : p->up[k];
    whose w;
    memset(&w, 0, sizeof w);
    w.op = op;
    w.attr = p->attr;
    w.n_in = p->n_in;
    const gt_tensor all =
        gt_record(p->tape, &backward_by_hand, in, n, &w, sizeof w, p->arg, p->n_arg);
    if (!gt_valid(all)) return false;
    for (int k = 0; k < p->n_in; k++)
        if (gt_dtype_is_float(gt_dtype_of(p->in[k]))) p->gx[k] = gt_out(all, k);
    return true;
}
