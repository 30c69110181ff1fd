/* graph/scalars.c: large graphs of scalars. Each value lies in its node, so running one is a walk along the tape
 * with one call of a kernel for each node, and its gradient is a walk back with an array of adjoints.
 *
 * A scalar once computed stays stored: it takes no memory of its own. */
#include "graph/tape.h"

#include <string.h>

enum { MANY = 256 }; /* nodes from which on this is worth it */

/* ---- operations and operands --------------------------------------------------------------------------- */

/* Up to three numbers of either kind. */
typedef union numbers {
    double wide[3];
    float narrow[3];
} numbers;

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
    static const numbers zero;
    const void *const x[3] = {&zero, &zero, &zero};
    numbers gx;
    const gt_op_more *more = &op->more;
    s->op = op;
    s->tile = more->exact(dtype, dtype);
    s->pull = more->scalar ? more->scalar(dtype) : NULL;
    s->there = s->pull ? s->pull(&gx, &zero, x, &zero, arg) : 0;
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
static inline bool operands(const gt_tape *tape, const gt__node *n, const void *x[3]) {
    for (uint32_t k = 0; k < n->arity; k++) {
        const gt__node *in = gt__node_at(tape, n->in[k]);
        if (!(in->flags & (GT__LEAF | GT__STORED))) return false;
        const bool old = in->flags & GT__LEAF && tape->params->clock != tape->begun;
        if (old && gt__leaf_written(tape, in) > n->clock) return false;
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
    void *number;
    unsigned char *arrived;
    uint32_t low;
} adjoints;

/* A sum begins at +0, but what arrives alone is left as it is: so does the sweep record it. */
static inline void arrive(const adjoints *a, uint32_t place, const void *gx, bool wide) {
    const bool more = a->arrived[place];
    a->arrived[place] = 1;
    if (wide) {
        double *sum = (double *)a->number + place;
        *sum = more ? (0 + *sum) + *(const double *)gx : *(const double *)gx;
    } else {
        float *sum = (float *)a->number + place;
        *sum = more ? (0 + *sum) + *(const float *)gx : *(const float *)gx;
    }
}

/* Passes on what arrived at node i; false when one of its values is gone. */
static inline bool pass_on(const gt_tape *tape, const adjoints *a, ops_seen *seen, uint32_t i,
                           bool wide) {
    const gt__node *n = gt__node_at(tape, i);
    const void *x[3] = {NULL, NULL, NULL};
    numbers gx;
    if (n->flags & GT__LEAF) return true;
    if (!(n->flags & GT__STORED) || !operands(tape, n, x)) return false;
    const size_t size = wide ? sizeof(double) : sizeof(float);
    const char *g = (const char *)a->number + (i - a->low) * size;
    const unsigned there = see(seen, n->op)->pull(&gx, g, x, &n->value, tape->arg + n->arg);
    for (uint32_t k = 0; k < n->arity; k++) {
        const uint32_t in = n->in[k];
        if (!(there >> k & 1) || in < a->low || !(gt__node_at(tape, in)->flags & GT__TRAINED))
            continue;
        arrive(a, in - a->low, (const char *)&gx + k * size, wide);
    }
    return true;
}

static inline bool carry(const gt_tape *tape, const adjoints *a, uint32_t root, bool wide) {
    ops_seen seen;
    numbers one;
    if (wide)
        one.wide[0] = 1;
    else
        one.narrow[0] = 1;
    forget_ops(&seen, wide ? GT_F64 : GT_F32);
    arrive(a, root - a->low, &one, wide);
    for (uint32_t i = root + 1; i-- > a->low;)
        if (a->arrived[i - a->low] && !pass_on(tape, a, &seen, i, wide)) return false;
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
    const bool wide = call->in[0].dtype == GT_F64;
    const size_t nodes = (size_t)(j->root - j->low) + 1, size = gt_dtype_size(call->in[0].dtype);
    const gt_tape *tape = ((const gt__context *)call->internal)->tape;
    const adjoints a = {gt_scratch(call, nodes * size), gt_scratch(call, nodes), j->low};
    if (!a.number || !a.arrived) return false;
    memset(a.arrived, 0, nodes);
    /* Two calls, each compiled for its kind. */
    if (!(wide ? carry(tape, &a, j->root, true) : carry(tape, &a, j->root, false)))
        return gt_call_fail(
            call, "a value on the way is stale: a leaf was overwritten after it was recorded");
    for (uint32_t k = 0; k < j->count; k++)
        memcpy((char *)call->out[0].data + k * size,
               (const char *)a.number + (j->leaf[k] - j->low) * size, size);
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

static bool is_wanted(const gt_tape *tape, const gt__node *leaf, const char *pattern) {
    if (!(leaf->flags & GT__PARAM)) return false;
    const gt__param *p = gt__param_of(tape, leaf);
    return p->trainable && gt_name_matches(pattern, p->name);
}

/* Marks the inputs of node i that its gradient goes to; false when it is no scalar operation, computed. */
static bool spread(const gt_tape *tape, ops_seen *seen, unsigned char *reached, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    const unsigned computed = GT__SCALAR | GT__STORED;
    const seen_op *s = (n->flags & computed) == computed ? see(seen, n->op) : NULL;
    if (!s || !s->pull) return false;
    for (uint32_t k = 0; k < n->arity; k++)
        if (s->there >> k & 1 && gt__node_at(tape, n->in[k])->flags & GT__TRAINED)
            reached[n->in[k]] = 1;
    return true;
}

/* Writes the wanted leaves that the root reaches, the highest first, and the lowest node reached; false when
 * there is anything but scalars on the way. */
static bool reach(const gt_tape *tape, uint32_t root, const char *pattern, unsigned char *reached,
                  journey *j) {
    ops_seen seen;
    forget_ops(&seen, (gt_dtype)gt__node_at(tape, root)->dtype);
    *j = (journey){.root = root};
    reached[root] = 1;
    for (uint32_t i = root + 1; i-- > 0;) {
        if (!reached[i]) continue;
        const gt__node *n = gt__node_at(tape, i);
        j->low = i;
        if (!(n->flags & GT__LEAF)) {
            if (!spread(tape, &seen, reached, i)) return false;
        } else if (is_wanted(tape, n, pattern)) {
            j->leaf[j->count++] = i;
        }
    }
    return true;
}

/* Records the way back and one element of its result for each leaf. */
static int record_journey(gt_tensor root, const journey *j, gt_tensor *gradient) {
    gt_tape *tape = root.tape;
    uint32_t recorded = 0;
    gt_record_for(tape, root);
    const gt_tensor all =
        gt_record(tape, &journey_op, &root, 1, j, journey_size(j->count), NULL, 0);
    for (uint32_t k = 0; gt__valid(all) && k < j->count; k++) {
        const gt_arg place = {.integer = k};
        gradient[k] = gt_record(tape, &element_op, &all, 1, NULL, 0, &place, 1);
        recorded += gt__valid(gradient[k]);
    }
    gt_record_for(tape, gt_none());
    return gt__valid(all) && recorded == j->count ? (int)recorded : -1;
}

/* In the order of the tape. */
static int gradients(gt_tensor root, journey *j, gt_tensor *leaf, gt_tensor *gradient, int room) {
    const uint32_t count = j->count;
    if (count == 0 || count > (uint32_t)room) return (int)count;
    for (uint32_t k = 0; k < count / 2; k++) {
        const uint32_t last = j->leaf[count - 1 - k];
        j->leaf[count - 1 - k] = j->leaf[k];
        j->leaf[k] = last;
    }
    for (uint32_t k = 0; k < count; k++) leaf[k] = gt__tensor(root.tape, j->leaf[k]);
    return record_journey(root, j, gradient);
}

bool gt_scalar_gradients(gt_tensor root, const char *pattern, gt_tensor *leaf, gt_tensor *gradient,
                         int room, int *count) {
    gt_tape *tape = root.tape;
    if (root.index < MANY || tape->keep_all || tape->n_ranges || tape->running) return false;
    if (!(gt__node_at(tape, root.index)->flags & GT__SCALAR)) return false;
    gt__run_scalars(tape);
    /* A parameter has one leaf on a tape. */
    journey *j = gt__pool_take(&tape->pool, journey_size(tape->use_room));
    unsigned char *reached = gt__pool_take(&tape->pool, (size_t)root.index + 1);
    bool scalars = j && reached;
    if (scalars) {
        memset(reached, 0, (size_t)root.index + 1);
        scalars = reach(tape, root.index, pattern, reached, j);
        if (scalars) *count = gradients(root, j, leaf, gradient, room);
    }
    gt__pool_give(&tape->pool, reached);
    gt__pool_give(&tape->pool, j);
    return scalars;
}
