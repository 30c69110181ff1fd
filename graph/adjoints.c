/* graph/adjoints.c: the gradient of a large graph of scalars, by one node: the way back. When it runs it carries
 * adjoints down the codes of scalars.c; the nodes after it, one for each parameter, take theirs. */
#include "graph/tape.h"

#include <string.h>

/* The attribute of a way back. Adjoints are kept for low to root. */
typedef struct journey {
    uint32_t low, root, count;
    uint32_t leaf[]; /* in order; the k-th has its adjoint at the k-th node after the way's */
} journey;

static size_t journey_size(uint32_t count) { return sizeof(journey) + count * sizeof(uint32_t); }

/* ---- the operations -------------------------------------------------------------------------------------- */

static bool way_shape(gt_call *call) {
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = GT_SHAPE(0);
    return true;
}

static bool adjoint_shape(gt_call *call) {
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = GT_SCALAR;
    return true;
}

static bool not_computed(gt_call *call) {
    return gt_call_fail(call,
                        "a value on the way is stale, or the way itself is read: adjoints are "
                        "computed with the numbers of their graph");
}

static const char reason[] =
    "gradients of a large graph of scalars are numbers; gt_grad records them";
static const gt_op way_op = {.name = "way_back",
                             .shape = way_shape,
                             .kernel = not_computed,
                             .gradient = GT_NO_GRADIENT(reason)};
static const gt_op adjoint_op = {.name = "adjoint",
                                 .shape = adjoint_shape,
                                 .kernel = not_computed,
                                 .gradient = GT_NO_GRADIENT(reason)};

bool gt__encode_way(gt_tape *tape, uint32_t i, gt_code *c) {
    const gt__node *n = gt__node_at(tape, i);
    gt__scalars *s = &tape->scalars;
    if (n->op == &adjoint_op && s->code[n->in[0]].what == GT__CODE_WAY) c->what = GT__CODE_ADJOINT;
    if (n->op != &way_op || s->code[n->in[0]].what == GT__CODE_NONE) return true;
    c->what = GT__CODE_WAY;
    return gt__grow(tape->allocator, &s->adjoint, &s->adjoint_room, (uint64_t)n->in[0] + 1,
                    sizeof *s->adjoint) ||
           gt__out_of_memory(tape, "adjoints");
}

/* ---- what the root reaches ------------------------------------------------------------------------------- */

/* Something comes to node i if gives is 1. Without a branch, which could not be foretold. */
static inline void arrive(gt_code *code, uint32_t i, unsigned gives) {
    const unsigned flags = code[i].flags;
    const unsigned here = flags / GT__CODE_TRAINED & gives;
    /* GT_CODE_REACHED, or the next flag where that is set: GT_CODE_FORKED. */
    code[i].flags = (uint16_t)(flags | here << (flags & GT_CODE_REACHED));
}

static void spread_sum(const gt_tape *tape, gt_code c) {
    for (uint32_t k = 0; k < c.b; k++) arrive(tape->scalars.code, tape->side[c.a + k], 1);
}

/* Marks the operands that the adjoint of node i goes to. */
static inline void spread(const gt_tape *tape, gt_code c) {
    gt_code *code = tape->scalars.code;
    if (c.what / 2 * 2 == GT_CODE_SUMS) {
        spread_sum(tape, c);
        return;
    }
    arrive(code, c.a, c.flags / GT__CODE_TO_A & 1u);
    arrive(code, c.b, c.flags / GT__CODE_TO_B & 1u);
    if (c.flags & GT__CODE_TO_ARG) arrive(code, c.arg, 1);
}

static void clear_marks(gt__scalars *s) {
    const unsigned marks = GT_CODE_REACHED | GT_CODE_FORKED;
    for (uint32_t i = 0; i < s->marked; i++) s->code[i].flags &= (uint16_t)~marks;
}

/* Marks what the root reaches, and finds the lowest of it; false when there is anything but numbers on the way. Marks
 * stay in the codes: where the same is recorded again, or run again, there is nothing to do. */
static bool reach(gt_tape *tape, uint32_t root) {
    gt__scalars *s = &tape->scalars;
    if (s->marked == root + 1 && s->marks_hold == root + 1) return true;
    clear_marks(s);
    s->marked = root + 1;
    s->marks_hold = 0;
    s->code[root].flags |= GT_CODE_REACHED;
    for (uint32_t i = root + 1; i-- > 0;) {
        const gt_code c = s->code[i];
        if (!(c.flags & GT_CODE_REACHED)) continue;
        s->low = i;
        if (c.what >= GT_CODE_NUMBER)
            spread(tape, c);
        else if (c.what != GT__CODE_LEAF)
            return false;
    }
    s->marks_hold = root + 1;
    return true;
}

/* ---- going back ------------------------------------------------------------------------------------------ */

static void carry(gt_tape *tape, const journey *j, bool wide) {
    const gt__scalars *s = &tape->scalars;
    const gt_numbers numbers = {s->value, s->adjoint, s->code, tape->arg, tape->side};
    gt_number start = {.f64 = -0.0}, one = {.f64 = 1};
    if (!wide) start.f32 = -0.0F, one.f32 = 1;
    for (uint32_t i = j->low; i < j->root; i++) s->adjoint[i] = start;
    s->adjoint[j->root] = one;
    /* It stops at leaves, from which nothing goes on. */
    for (uint32_t i = j->root + 1; i > j->low;) i = s->machine[wide]->back(&numbers, i, j->low);
}

void gt__go_back(gt_tape *tape, uint32_t i) {
    gt__scalars *s = &tape->scalars;
    const gt__node *n = gt__node_at(tape, i);
    const journey *j = gt__bytes(&tape->attrs, n->attr, NULL);
    const bool wide = n->dtype == GT_F64;
    reach(tape, j->root);
    carry(tape, j, wide);
    for (uint32_t k = 0; k < j->count && i + 1 + k < tape->size; k++) {
        const uint32_t leaf = j->leaf[k];
        const bool forked = s->code[leaf].flags & GT_CODE_FORKED;
        gt_number *to = &s->value[i + 1 + k];
        if (wide)
            to->f64 = s->adjoint[leaf].f64 + (forked ? 0.0 : -0.0);
        else
            to->f32 = s->adjoint[leaf].f32 + (forked ? 0.0F : -0.0F);
    }
}

/* ---- recording ------------------------------------------------------------------------------------------- */

static bool is_wanted(const gt_tape *tape, uint32_t i, const char *pattern) {
    const gt__node *n = gt__node_at(tape, i);
    if (!(n->flags & GT__PARAM)) return false;
    const gt__param *p = gt__param_of(tape, n);
    return p->trainable && gt_name_matches(pattern, p->name);
}

static void list_wanted(const gt_tape *tape, const char *pattern, journey *j) {
    const gt__scalars *s = &tape->scalars;
    for (uint32_t k = 0; k < s->n_leaves && s->leaf[k] < j->root; k++)
        if (s->code[s->leaf[k]].flags & GT_CODE_REACHED && is_wanted(tape, s->leaf[k], pattern))
            j->leaf[j->count++] = s->leaf[k];
}

static bool record_adjoint(gt_tape *tape, uint32_t way, gt_dtype dtype) {
    gt__node *n = gt__append(tape, &adjoint_op, tape->scalar_shape, dtype);
    if (!n) return false;
    n->in[0] = way;
    n->arity = 1;
    n->flags |= GT__TRAINED;
    return true;
}

/* Records the way back and the adjoint of each leaf; false: see the tape's error. */
static bool record_way(gt_tensor root, const journey *j, gt_tensor *leaf, gt_tensor *gradient) {
    gt_tape *tape = root.tape;
    gt_record_for(tape, root);
    const gt_tensor way = gt_record(tape, &way_op, &root, 1, j, journey_size(j->count), NULL, 0);
    bool ok = gt__valid(way);
    for (uint32_t k = 0; ok && k < j->count; k++) {
        ok = record_adjoint(tape, way.index, gt_dtype_of(root));
        leaf[k] = gt__tensor(tape, j->leaf[k]);
        if (ok) gradient[k] = gt__tensor(tape, tape->size - 1);
    }
    gt_record_for(tape, gt_none());
    return ok;
}

bool gt_scalar_gradients(gt_tensor root, const char *pattern, gt_tensor *leaf, gt_tensor *gradient,
                         int room, int *count) {
    gt_tape *tape = root.tape;
    if (root.index < GT__MANY || tape->keep_all || tape->n_ranges || tape->running) return false;
    if (!gt__run_scalars(tape) || !gt__is_number(tape, root.index)) return false;
    journey *j = gt__pool_take(&tape->pool, journey_size(tape->scalars.n_leaves));
    if (!j) return gt__out_of_memory(tape, "a backward sweep");
    *j = (journey){.root = root.index};
    const bool numbers = reach(tape, root.index);
    if (numbers) {
        j->low = tape->scalars.low;
        list_wanted(tape, pattern, j);
        *count = (int)j->count;
        if (*count > 0 && *count <= room && !record_way(root, j, leaf, gradient)) *count = -1;
    }
    gt__pool_give(&tape->pool, j);
    return numbers;
}
