/* graph/scalars.c: large graphs of scalars. Each value lies in its node, so running one is a walk along the tape
 * with one call of a kernel for each node, and its gradient is a walk back with an array of adjoints.
 *
 * A scalar once computed stays stored: it takes no memory of its own. */
#include "graph/tape.h"

#include <string.h>

enum { MANY = 256 }; /* nodes from which on this is worth it */

/* ---- operations and operands --------------------------------------------------------------------------- */

/* What an operation gives for a kind of number, kept by the operation's address. */
enum { SEEN = 64 };
typedef struct seen_op {
    const gt_op *op;
    gt_tile tile;
    gt_scalar_pull pull;
    unsigned there; /* bit k: input k gets a contribution */
} seen_op;
typedef struct ops_seen {
    gt_dtype dtype;
    seen_op at[SEEN];
} ops_seen;

static void forget_ops(ops_seen *seen, gt_dtype dtype) {
    memset(seen, 0, sizeof *seen);
    seen->dtype = dtype;
}

static void look_up(seen_op *s, const gt_op *op, gt_dtype dtype) {
    static const gt_arg arg[2];
    static const double zero;
    const void *const x[3] = {&zero, &zero, &zero};
    double gx[3];
    const gt_op_more *more = &op->more;
    s->op = op;
    s->tile = more->exact(dtype, dtype);
    s->pull = more->scalar ? more->scalar(dtype) : NULL;
    s->there = s->pull ? s->pull(gx, &zero, x, &zero, arg) : 0;
}

static const seen_op *see(ops_seen *seen, const gt_op *op) {
    seen_op *s = &seen->at[(uintptr_t)op / 64 % SEEN];
    if (s->op != op) look_up(s, op, seen->dtype);
    return s;
}

static const void *scalar_at(const gt_tape *tape, const gt__node *n) {
    if (!(n->flags & (GT__PARAM | GT__BORROWED))) return &n->value;
    return n->flags & GT__PARAM ? gt__param_of(tape, n)->data : n->value.data;
}

/* Finds the operands of a scalar operation; false when one is not computed, or was overwritten since. */
static bool operands(const gt_tape *tape, const gt__node *n, const void *x[3]) {
    for (uint32_t k = 0; k < n->arity; k++) {
        const gt__node *in = gt__node_at(tape, n->in[k]);
        if (!(in->flags & (GT__LEAF | GT__STORED))) return false;
        if (in->flags & GT__LEAF && gt__leaf_written(tape, in) > n->clock) return false;
        x[k] = scalar_at(tape, in);
    }
    return true;
}

/* ---- running ------------------------------------------------------------------------------------------- */

void gt__run_scalars(gt_tape *tape) {
    if (tape->size - tape->scalars_run < MANY) return;
    ops_seen seen[2];
    forget_ops(&seen[0], GT_F32);
    forget_ops(&seen[1], GT_F64);
    for (uint32_t i = tape->scalars_run; i < tape->size; i++) {
        gt__node *n = gt__node_at(tape, i);
        const void *x[3] = {NULL, NULL, NULL};
        if ((n->flags & (GT__SCALAR | GT__STORED)) != GT__SCALAR || !operands(tape, n, x)) continue;
        see(&seen[n->dtype == GT_F64], n->op)->tile(&n->value, x, tape->arg + n->arg, 1);
        n->flags |= GT__STORED;
    }
    tape->scalars_run = tape->size;
}

/* ---- the way back ---------------------------------------------------------------------------------------- */

/* The node's attribute. Adjoints are kept for low to root. */
typedef struct journey {
    uint32_t low, root, count;
    uint32_t leaf[];
} journey;

static size_t journey_size(uint32_t count) { return sizeof(journey) + count * sizeof(uint32_t); }

/* One number of the kind for every node from low to root, and whether anything arrived there. */
typedef struct adjoints {
    char *number;
    unsigned char *arrived;
    size_t size;
    uint32_t low;
} adjoints;

static void *adjoint_at(const adjoints *a, uint32_t i) {
    return a->number + (size_t)(i - a->low) * a->size;
}

/* A sum begins at +0, but what arrives alone is left as it is: so does the sweep record it. */
static void arrive(const adjoints *a, uint32_t i, const void *gx) {
    void *sum = adjoint_at(a, i);
    if (!a->arrived[i - a->low])
        memcpy(sum, gx, a->size);
    else if (a->size == sizeof(double))
        *(double *)sum = (0 + *(double *)sum) + *(const double *)gx;
    else
        *(float *)sum = (0 + *(float *)sum) + *(const float *)gx;
    a->arrived[i - a->low] = 1;
}

/* Passes on what arrived at node i; false when one of its values is gone. */
static bool pass_on(const gt_tape *tape, const adjoints *a, ops_seen *seen, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    const void *x[3] = {NULL, NULL, NULL};
    double gx[2]; /* room for two of either kind */
    if (n->flags & GT__LEAF) return true;
    if (!(n->flags & GT__STORED) || !operands(tape, n, x)) return false;
    const unsigned there =
        see(seen, n->op)->pull(gx, adjoint_at(a, i), x, &n->value, tape->arg + n->arg);
    for (uint32_t k = 0; k < n->arity; k++) {
        const bool wanted = gt__node_at(tape, n->in[k])->flags & GT__TRAINED;
        if (there >> k & wanted && n->in[k] >= a->low)
            arrive(a, n->in[k], (const char *)gx + k * a->size);
    }
    return true;
}

static bool carry(const gt_tape *tape, const adjoints *a, gt_dtype dtype, uint32_t root) {
    const double wide = 1;
    const float narrow = 1;
    ops_seen seen;
    forget_ops(&seen, dtype);
    arrive(a, root, dtype == GT_F64 ? (const void *)&wide : &narrow);
    for (uint32_t i = root + 1; i-- > a->low;)
        if (a->arrived[i - a->low] && !pass_on(tape, a, &seen, i)) return false;
    return true;
}

static bool journey_shape(gt_call *call) {
    const journey *j = call->attr;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = GT_SHAPE(j->count);
    return true;
}

static bool journey_kernel(gt_call *call) {
    const journey *j = call->attr;
    const gt_dtype dtype = call->in[0].dtype;
    const size_t nodes = (size_t)(j->root - j->low) + 1;
    const gt_tape *tape = ((const gt__context *)call->internal)->tape;
    adjoints a = {.size = gt_dtype_size(dtype), .low = j->low};
    a.number = gt_scratch(call, nodes * a.size);
    a.arrived = gt_scratch(call, nodes);
    if (!a.number || !a.arrived) return false;
    memset(a.arrived, 0, nodes);
    if (!carry(tape, &a, dtype, j->root))
        return gt_call_fail(
            call, "a value on the way is stale: a leaf was overwritten after it was recorded");
    for (uint32_t k = 0; k < j->count; k++)
        memcpy((char *)call->out[0].data + k * a.size, adjoint_at(&a, j->leaf[k]), a.size);
    return true;
}

static bool element_shape(gt_call *call) {
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = GT_SCALAR;
    return true;
}

static bool element_kernel(gt_call *call) {
    const size_t size = gt_dtype_size(call->in[0].dtype);
    memcpy(call->out[0].data, (const char *)call->in[0].data + (size_t)call->arg[0].integer * size,
           size);
    return true;
}

static const char reason[] =
    "gradients of a large graph of scalars are numbers; gt_grad records them";
static const gt_op journey_op = {.name = "adjoints",
                                 .shape = journey_shape,
                                 .kernel = journey_kernel,
                                 .gradient = GT_NO_GRADIENT(reason)};
static const gt_op element_op = {.name = "adjoint",
                                 .shape = element_shape,
                                 .kernel = element_kernel,
                                 .gradient = GT_NO_GRADIENT(reason)};

/* ---- which parameters are reached ------------------------------------------------------------------------- */

/* Marks what the root reaches of what is trained, down to the lowest such node; false when it meets anything
 * but scalars. */
static bool reach(const gt_tape *tape, uint32_t root, unsigned char *reached, uint32_t *low) {
    ops_seen seen;
    forget_ops(&seen, (gt_dtype)gt__node_at(tape, root)->dtype);
    reached[root] = 1;
    *low = root;
    for (uint32_t i = root + 1; i-- > 0;) {
        const gt__node *n = gt__node_at(tape, i);
        if (!reached[i]) continue;
        *low = i;
        if (n->flags & GT__LEAF) continue;
        if ((n->flags & (GT__SCALAR | GT__STORED)) != (GT__SCALAR | GT__STORED)) return false;
        const seen_op *s = see(&seen, n->op);
        if (!s->pull) return false;
        for (uint32_t k = 0; k < n->arity; k++)
            if (s->there >> k & 1 && gt__node_at(tape, n->in[k])->flags & GT__TRAINED)
                reached[n->in[k]] = 1;
    }
    return true;
}

static bool is_wanted(gt_tensor t, const char *pattern) {
    return gt_is_trainable(t) && gt_name_matches(pattern, gt_param_name_of(t));
}

/* Records the way back and one element of its result for each leaf. */
static int record_journey(gt_tensor root, journey *j, gt_tensor *gradient) {
    gt_tape *tape = root.tape;
    gt_record_for(tape, root);
    const gt_tensor all =
        gt_record(tape, &journey_op, &root, 1, j, journey_size(j->count), NULL, 0);
    int recorded = 0;
    for (uint32_t k = 0; gt__valid(all) && k < j->count; k++) {
        const gt_arg place = {.integer = k};
        gradient[k] = gt_record(tape, &element_op, &all, 1, NULL, 0, &place, 1);
        recorded += gt__valid(gradient[k]);
    }
    gt_record_for(tape, gt_none());
    return recorded == (int)j->count && gt__valid(all) ? recorded : -1;
}

static int gradients(gt_tensor root, const char *pattern, const unsigned char *reached,
                     uint32_t low, gt_tensor *leaf, gt_tensor *gradient, int room) {
    gt_tape *tape = root.tape;
    int count = 0;
    for (uint32_t i = low; i <= root.index; i++)
        if (reached[i] && gt__node_at(tape, i)->flags & GT__PARAM &&
            is_wanted(gt__tensor(tape, i), pattern))
            count++;
    if (count == 0 || count > room) return count;
    journey *j = gt__pool_take(&tape->pool, journey_size((uint32_t)count));
    if (!j) return gt__out_of_memory(tape, "gradients"), -1;
    *j = (journey){.low = low, .root = root.index};
    for (uint32_t i = low; i <= root.index; i++) {
        if (!reached[i] || !(gt__node_at(tape, i)->flags & GT__PARAM)) continue;
        const gt_tensor t = gt__tensor(tape, i);
        if (!is_wanted(t, pattern)) continue;
        leaf[j->count] = t;
        j->leaf[j->count++] = i;
    }
    count = record_journey(root, j, gradient);
    gt__pool_give(&tape->pool, j);
    return count;
}

bool gt_scalar_gradients(gt_tensor root, const char *pattern, gt_tensor *leaf, gt_tensor *gradient,
                         int room, int *count) {
    gt_tape *tape = root.tape;
    if (root.index < MANY || tape->keep_all || tape->n_ranges || tape->running) return false;
    const gt__node *n = gt__node_at(tape, root.index);
    if (!(n->flags & GT__SCALAR)) return false;
    gt__run_scalars(tape);
    unsigned char *reached = gt__pool_take(&tape->pool, (size_t)root.index + 1);
    if (!reached) return false;
    memset(reached, 0, (size_t)root.index + 1);
    uint32_t low;
    const bool scalars = reach(tape, root.index, reached, &low);
    if (scalars) *count = gradients(root, pattern, reached, low, leaf, gradient, room);
    gt__pool_give(&tape->pool, reached);
    return scalars;
}
