/* grad/grad.c: what is made of the sweep: gradients of tensors, of parameters, and of gradients. */
#include "grad/grad.h"

#include <string.h>

#include "grad/sweep.h"
#include "ops/ops.h"

/* Rules record as rules, so that their nodes are no sinks. */
static bool sweep_as_rule(gt__sweep *s, gt_tensor root, gt_tensor seed, const gt_tensor *wanted,
                          int count) {
    const gt_recorder before = gt_record_as(s->tape, GT_BY_RULE);
    const bool ok = gt__sweep_mark(s, root, wanted, count) && gt__sweep_run(s, root, seed);
    gt_record_for(s->tape, gt_none());
    gt_record_as(s->tape, before);
    return ok;
}

static gt_tensor seed_of(gt_tensor root) {
    const gt_recorder before = gt_record_as(root.tape, GT_BY_RULE);
    gt_tensor one = gt_mark_constant(gt_full(root.tape, GT_SCALAR, 1, gt__gradient_kind(root)));
    if (gt_rank(root) > 0) one = gt_reshape(one, gt_shape_of(root));
    gt_record_as(root.tape, before);
    return one;
}

/* Valid, float, of one tape, and not on a failed one: a sweep over half a recording helps nobody. */
static bool fit(gt_tensor t, gt_tape *tape, const char *who) {
    if (gt_failed(tape)) return false;
    if (!t.tape) {
        gt_fail(tape, "%s: given no tensor", who);
        return false;
    }
    if (t.tape != tape) {
        gt_fail(tape, "%s: tensors of two tapes", who);
        gt_fail(t.tape, "%s: tensors of two tapes", who);
        return false;
    }
    if (!gt_valid(t)) {
        gt_fail(tape, "%s: tensor was rewound", who);
        return false;
    }
    char name[200];
    if (gt_dtype_is_float(gt_dtype_of(t))) return true;
    gt_fail(tape, "%s: %s is %s: only floats have gradients", who, gt_label(t, name, sizeof name),
            gt_dtype_name(gt_dtype_of(t)));
    return false;
}

static bool fit_root(gt_tensor y, const char *who) {
    if (!fit(y, y.tape, who)) return false;
    const int64_t n = gt_numel(gt_shape_of(y));
    if (n == 1) return true;
    char name[200];
    gt_fail(y.tape, "%s: %s has %lld elements, not one: reduce it, or give an upstream to gt_vjp",
            who, gt_label(y, name, sizeof name), (long long)n);
    return false;
}

static gt_tensor zeros_like(gt_tensor x) {
    const gt_recorder before = gt_record_as(x.tape, GT_BY_RULE);
    const gt_tensor zeros = gt_zeros(x.tape, gt_shape_of(x), gt__gradient_kind(x));
    gt_record_as(x.tape, before);
    return zeros;
}

static bool gradients(const char *who, gt_tensor y, gt_tensor u, const gt_tensor *x, int count,
                      gt_tensor *gx) {
    for (int k = 0; k < count; k++) gx[k] = gt_none();
    if (!fit(y, y.tape, who)) return false;
    for (int k = 0; k < count; k++)
        if (!fit(x[k], y.tape, who)) return false;
    gt__sweep *s = gt__sweep_of(y.tape);
    if (!s || !sweep_as_rule(s, y, u, x, count)) return false;
    for (int k = 0; k < count; k++) {
        gx[k] = gt__sweep_sum(s, x[k].index);
        if (gt_is_none(gx[k])) gx[k] = zeros_like(x[k]);
    }
    return !gt_failed(y.tape);
}

bool gt_watched_grads(gt_tensor y, gt_tensor u, const gt_tensor *x, int count, gt_tensor *gx,
                      const gt_watch *watch) {
    gt__sweep *s = y.tape ? gt__sweep_of(y.tape) : NULL;
    if (!s) return false;
    s->watch = watch;
    const bool ok = gt_is_none(u) ? gt_grads(y, x, count, gx) : gt_vjps(y, u, x, count, gx);
    s->watch = NULL;
    return ok;
}

static gt_tensor poison_of(gt_tensor t) { return gt_tensor_at(t.tape, UINT32_MAX); }

bool gt_grads(gt_tensor y, const gt_tensor *x, int count, gt_tensor *gx) {
    return fit_root(y, "grad") && gradients("grad", y, seed_of(y), x, count, gx);
}

gt_tensor gt_grad(gt_tensor y, gt_tensor x) {
    gt_tensor gx;
    return gt_grads(y, &x, 1, &gx) ? gx : poison_of(y);
}

bool gt_vjps(gt_tensor y, gt_tensor u, const gt_tensor *x, int count, gt_tensor *gx) {
    if (!fit(y, y.tape, "vjp") || !fit(u, y.tape, "vjp")) return false;
    if (!gt_same_shape(gt_shape_of(u), gt_shape_of(y)) || gt_dtype_of(u) != gt__gradient_kind(y)) {
        char a[200], b[200];
        gt_fail(y.tape, "vjp: the upstream %s needs the shape and dtype of %s",
                gt_label(u, a, sizeof a), gt_label(y, b, sizeof b));
        return false;
    }
    return gradients("vjp", y, u, x, count, gx);
}

gt_tensor gt_vjp(gt_tensor y, gt_tensor u, gt_tensor x) {
    gt_tensor gx;
    return gt_vjps(y, u, &x, 1, &gx) ? gx : poison_of(y);
}

/* The pullback is linear in its upstream: its own pullback carries tangents forward. */
gt_tensor gt_jvp(gt_tensor y, gt_tensor x, gt_tensor u) {
    if (!fit(y, y.tape, "jvp") || !fit(x, y.tape, "jvp") || !fit(u, y.tape, "jvp"))
        return poison_of(y);
    const gt_tensor dummy = zeros_like(y);
    const gt_tensor pulled = gt_vjp(y, dummy, x);
    return gt_is_none(pulled) || !gt_valid(pulled) ? poison_of(y) : gt_vjp(pulled, u, dummy);
}

static gt_tensor rows_of(gt_tensor y, gt_tensor x) {
    const int64_t n = gt_numel(gt_shape_of(y));
    const gt_tensor unit = gt_eye(y.tape, n, gt__gradient_kind(y));
    const size_t bytes = (size_t)(n + 1) * sizeof(gt_tensor);
    gt_tensor *row = gt_params_alloc(gt_tape_params(y.tape), NULL, 0, bytes);
    if (!row) return gt_fail(y.tape, "jacobian: out of memory");
    bool ok = true;
    for (int64_t i = 0; ok && i < n; i++) {
        const gt_tensor u = gt_reshape(gt_select(unit, 0, i), gt_shape_of(y));
        ok = gt_valid(u);
        if (ok) row[i] = gt_vjp(y, u, x);
        ok = ok && gt_valid(row[i]);
    }
    gt_tensor all = poison_of(y);
    if (ok && n > 0) all = gt_stack(gt_list_of((int)n, row), 0);
    gt_params_alloc(gt_tape_params(y.tape), row, bytes, 0);
    return all;
}

gt_tensor gt_jacobian(gt_tensor y, gt_tensor x) {
    if (!fit(y, y.tape, "jacobian") || !fit(x, y.tape, "jacobian")) return poison_of(y);
    const gt_shape a = gt_shape_of(y), b = gt_shape_of(x);
    if (a.rank + b.rank > GT_MAX_RANK)
        return gt_fail(y.tape, "jacobian: rank %d and rank %d make more than %d axes", a.rank,
                       b.rank, GT_MAX_RANK);
    gt_shape shape = a;
    for (int d = 0; d < b.rank; d++) shape.dim[shape.rank++] = b.dim[d];
    const gt_recorder before = gt_record_as(y.tape, GT_BY_RULE);
    const gt_tensor j = gt_numel(a) == 0 ? gt_zeros(y.tape, shape, gt__gradient_kind(y))
                                         : gt_reshape(rows_of(y, x), shape);
    gt_record_as(y.tape, before);
    return j;
}

gt_tensor gt_hessian(gt_tensor y, gt_tensor x) {
    const gt_tensor gx = gt_grad(y, x);
    return gt_valid(gx) ? gt_jacobian(gx, x) : poison_of(y);
}

gt_tensor gt_hvp(gt_tensor y, gt_tensor x, gt_tensor v) {
    const gt_tensor gx = gt_grad(y, x);
    return gt_valid(gx) ? gt_vjp(gx, v, x) : poison_of(y);
}

/* ---- parameters ------------------------------------------------------------------------------------------- */

/* Large graphs of scalars are differentiated without recording it: gt_grad_of records what it needs later. */
static bool scalar_gradients(gt__sweep *s, gt_tensor loss, const char *pattern, gt_tensor *leaf,
                             gt_tensor *gradient, int room, int *count) {
    const gt_recorder before = gt_record_as(loss.tape, GT_BY_RULE);
    const bool done = gt_scalar_gradients(loss, pattern, leaf, gradient, room, count);
    gt_record_as(loss.tape, before);
    if (done) s->backward_root = loss;
    if (done) s->of_backward = false;
    return done;
}

int gt_parameter_gradients(gt_tensor loss, const char *pattern, gt_tensor *leaf,
                           gt_tensor *gradient, int room) {
    if (!fit_root(loss, "backward")) return -1;
    gt__sweep *s = gt__sweep_of(loss.tape);
    if (!s) return -1;
    int count = 0;
    if (scalar_gradients(s, loss, pattern, leaf, gradient, room, &count)) return count;
    for (uint32_t i = 0; i <= loss.index; i++) {
        const gt_tensor t = gt_tensor_at(loss.tape, i);
        if (!gt_is_trainable(t) || !gt_name_matches(pattern, gt_param_name_of(t))) continue;
        if (count < room) leaf[count] = t;
        count++;
    }
    if (count > room) return count;
    if (!sweep_as_rule(s, loss, seed_of(loss), leaf, count) || gt_failed(loss.tape)) return -1;
    s->backward_root = loss;
    s->of_backward = true;
    int reached = 0;
    for (int k = 0; k < count; k++) {
        const gt_tensor g = gt__sweep_sum(s, leaf[k].index);
        if (gt_is_none(g)) continue;
        leaf[reached] = leaf[k];
        gradient[reached++] = g;
    }
    return reached;
}

typedef struct delivery {
    const gt_tensor *leaf, *gradient;
    int count;
} delivery;

static bool deliver(void *user) {
    const delivery *d = user;
    for (int k = 0; k < d->count; k++)
        if (!gt_param_prepare_grad(d->leaf[k])) return false;
    for (int k = 0; k < d->count; k++) gt_param_add_grad(d->leaf[k], gt_computed(d->gradient[k]));
    return true;
}

/* Room for gradients and the loss. */
static int room_of(const gt__sweep *s) {
    const uint32_t room = s->leaf_room < s->gradient_room ? s->leaf_room : s->gradient_room;
    return room ? (int)room - 1 : 0;
}

bool gt_backward_for(gt_tensor loss, const char *pattern) {
    if (!fit_root(loss, "backward")) return false;
    gt__sweep *s = gt__sweep_of(loss.tape);
    if (!s) return false;
    const int room = room_of(s);
    int count = gt_parameter_gradients(loss, pattern, s->leaf, s->gradient, room);
    if (count > room || (count == 0 && !s->gradient)) {
        const uint64_t need = (uint64_t)count + 1;
        if (!gt__sweep_grow(s, &s->leaf, &s->leaf_room, need, sizeof *s->leaf) ||
            !gt__sweep_grow(s, &s->gradient, &s->gradient_room, need, sizeof *s->gradient))
            return false;
        count = gt_parameter_gradients(loss, pattern, s->leaf, s->gradient, room_of(s));
    }
    if (count < 0) return false;
    gt_keep(loss);
    s->gradient[count] = loss; /* the gradients may not need its value */
    delivery d = {s->leaf, s->gradient, count};
    return gt_commit_with(loss.tape, s->gradient, count + 1, deliver, &d);
}

bool gt_backward(gt_tensor loss) { return gt_backward_for(loss, NULL); }

gt_tensor gt_grad_of(gt_tensor t) {
    if (!gt_valid(t)) return gt_is_none(t) ? t : gt_fail(t.tape, "grad_of: tensor was rewound");
    gt__sweep *s = gt_tape_attachment(t.tape)->state;
    if (!s || !gt_valid(s->backward_root))
        return gt_fail(t.tape, "grad_of: no gt_backward in this recording");
    const gt_tensor known = s->of_backward ? gt__sweep_sum(s, t.index) : gt_none();
    return gt_valid(known) ? known
                           : gt_grad(s->backward_root, t); /* not on the way to a parameter */
}
