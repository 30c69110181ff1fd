/* grad/notes.c: the sweep's bookkeeping: which nodes matter, what arrived where, and the copies of
 * checkpointed ranges. Its arrays stay with the tape from one sweep to the next. */
#include <string.h>

#include "grad/sweep.h"
#include "graph/tape.h"
#include "ops/ops.h"

bool gt__sweep_grow(gt__sweep *s, void *block, uint32_t *room, uint64_t need, size_t item) {
    if (need <= *room) return true;
    uint64_t more = (uint64_t)*room * 2 > need ? (uint64_t)*room * 2 : need + 64;
    void *old, *grown = NULL;
    memcpy(&old, block, sizeof old);
    if (more <= UINT32_MAX && more <= SIZE_MAX / item)
        grown = gt_params_alloc(gt_tape_params(s->tape), old, *room * item, (size_t)more * item);
    if (!grown) {
        gt_fail(s->tape, "out of memory: a backward sweep");
        return false;
    }
    memcpy(block, &grown, sizeof grown);
    *room = (uint32_t)more;
    return true;
}

static void release(gt_tape *tape, void *state) {
    gt__sweep *s = state;
    const struct {
        void *block;
        size_t size;
    } owned[] = {{s->visit, s->visit_room * sizeof *s->visit},
                 {s->copy, s->copy_room * sizeof *s->copy},
                 {s->note, s->note_room * sizeof *s->note},
                 {s->operand, s->operand_room * sizeof *s->operand},
                 {s->wanted, s->wanted_room * sizeof *s->wanted},
                 {s->arg, s->arg_room * sizeof *s->arg},
                 {s->arrived, s->arrived_room * sizeof *s->arrived},
                 {s->leaf, s->leaf_room * sizeof *s->leaf},
                 {s->gradient, s->gradient_room * sizeof *s->gradient},
                 {s, sizeof *s}};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i].block) gt_params_alloc(gt_tape_params(tape), owned[i].block, owned[i].size, 0);
}

gt__sweep *gt__sweep_of(gt_tape *tape) {
    gt_attachment *attachment = gt_tape_attachment(tape);
    if (attachment->state) return attachment->state;
    gt__sweep *s = gt_params_alloc(gt_tape_params(tape), NULL, 0, sizeof *s);
    if (!s) {
        gt_fail(tape, "out of memory: a backward sweep");
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->tape = tape;
    *attachment = (gt_attachment){release, s};
    return s;
}

/* ---- which nodes matter ------------------------------------------------------------------------------- */

static bool carries_gradient(const gt__node *n) {
    const gt_gradient *g = &n->op->gradient;
    return (n->flags & GT__NUMBER || gt_dtype_is_float((gt_dtype)n->dtype)) &&
           (g->local || g->pull || g->backward);
}

static inline bool is_marked(const gt__sweep *s, uint32_t i) {
    return i >= s->low && s->visit[i - s->low].chain;
}

static bool has_marked_input(const gt__sweep *s, const gt__node *n) {
    if (n->arity <= 2)
        return n->arity && (is_marked(s, n->in[0]) || is_marked(s, n->in[n->arity - 1]));
    const uint32_t *in = gt__in(s->tape, n), n_in = gt__n_in(n);
    for (uint32_t k = 0; k < n_in; k++)
        if (is_marked(s, in[k])) return true;
    return false;
}

/* Of operations on one or two numbers the code tells what the node would, in less time. */
static inline bool tells_operands(const gt_code *c) {
    return c->what >= GT_CODE_OWN && c->flags & (GT__CODE_F32 | GT__CODE_F64) &&
           !(c->flags & GT__CODE_TO_ARG);
}

/* Marks what depends on what is marked. True where an operation has several results. */
static bool mark_dependents(gt__sweep *s) {
    const gt__scalars *numbers = &s->tape->scalars;
    bool several = false;
    for (uint32_t i = s->low; i <= s->root; i++) {
        gt__visit *v = &s->visit[i - s->low];
        const gt_code *c = numbers->code + i;
        if (i < numbers->coded && tells_operands(c)) {
            v->chain |= is_marked(s, c->a) || is_marked(s, c->b);
            continue;
        }
        const gt__node *n = gt__node_at(s->tape, i);
        several = several || n->out;
        if (!v->chain && !(n->flags & GT__LEAF) && has_marked_input(s, n))
            v->chain = carries_gradient(n);
    }
    return several;
}

static bool reserve_visits(gt__sweep *s) {
    const uint32_t size = s->root - s->low + 1;
    s->copies = s->tape->n_ranges > 0;
    if (!gt__sweep_grow(s, &s->visit, &s->visit_room, size, sizeof *s->visit) ||
        (s->copies && !gt__sweep_grow(s, &s->copy, &s->copy_room, size, sizeof *s->copy)))
        return false;
    memset(s->visit, 0, size * sizeof *s->visit);
    if (s->copies) memset(s->copy, 0, size * sizeof *s->copy);
    return true;
}

/* A first result must be visited when another result of its operation is. */
static void mark_first_results(gt__sweep *s) {
    for (uint32_t i = s->low; i <= s->root; i++) {
        const uint32_t out = gt__node_at(s->tape, i)->out;
        gt__visit *first = &s->visit[i - out - s->low];
        if (out && out <= i - s->low && s->visit[i - s->low].chain && !first->chain)
            first->chain = 1;
    }
}

bool gt__sweep_mark(gt__sweep *s, gt_tensor root, const gt_tensor *wanted, int count) {
    s->low = s->root = root.index;
    s->of_backward = false;
    s->n_notes = 0;
    s->generation = s->tape->generation;
    memset(s->constant, 0, sizeof s->constant);
    for (int k = 0; k < count; k++) { /* an operation is visited at its first result */
        const uint32_t first = wanted[k].index - (uint32_t)gt_out_index(wanted[k]);
        if (first < s->low) s->low = first;
    }
    if (!reserve_visits(s)) return false;
    for (int k = 0; k < count; k++)
        if (wanted[k].index <= s->root) s->visit[wanted[k].index - s->low].chain = 1;
    if (mark_dependents(s)) mark_first_results(s);
    return true;
}

/* ---- contributions -------------------------------------------------------------------------------------- */

bool gt__sweep_note_further(gt__sweep *s, gt__visit *v, gt_tensor gx) {
    const uint64_t need = (uint64_t)s->n_notes + 1;
    if (need > s->note_room && !gt__sweep_grow(s, &s->note, &s->note_room, need, sizeof *s->note))
        return false;
    s->note[s->n_notes] = (gt__note){gx.index + 1, v->chain};
    v->chain = 2 + s->n_notes++;
    return true;
}

bool gt__sweep_arrived(gt__sweep *s, uint32_t i, gt_list *arrived) {
    const gt__visit *v = &s->visit[i - s->low];
    uint32_t count = 1;
    for (uint32_t k = v->chain; k > 1; k = s->note[k - 2].chain) count++;
    *arrived = (gt_list){0, NULL};
    if (!gt__sweep_grow(s, &s->arrived, &s->arrived_room, count, sizeof *s->arrived)) return false;
    *arrived = (gt_list){(int)count, s->arrived};
    for (uint32_t k = v->chain; k > 1; k = s->note[k - 2].chain)
        s->arrived[--count] = gt__tensor(s->tape, s->note[k - 2].gx - 1);
    s->arrived[0] = gt__tensor(s->tape, v->sum - 1);
    return true;
}

void gt__sweep_set(gt__sweep *s, uint32_t i, gt_tensor g) {
    s->visit[i - s->low] = (gt__visit){g.index + 1, 1};
}

gt_tensor gt__sweep_sum(const gt__sweep *s, uint32_t i) {
    const uint32_t sum = i >= s->low && i <= s->root ? s->visit[i - s->low].sum : 0;
    if (!sum || sum > s->tape->size) return gt_none();
    const gt_tensor t = gt__tensor(s->tape, sum - 1);
    return t.generation <= s->generation ? t : gt_none();
}

/* ---- rematerialization ------------------------------------------------------------------------------------ */

static gt_tensor copy_or_self(const gt__sweep *s, gt_tensor t) {
    if (!s->copies || t.index < s->low || t.index > s->root) return t;
    const uint32_t copy = s->copy[t.index - s->low];
    return copy ? gt__tensor(s->tape, copy - 1) : t;
}

/* Records the range again, down here where its gradients are made: attributes and ordinals kept, effects
 * left out. Nodes below the lowest one in question are not needed by any pull. */
static bool copy_range(gt__sweep *s, uint32_t begin, uint32_t end) {
    if (begin < s->low) begin = s->low;
    if (end > s->root + 1) end = s->root + 1;
    for (uint32_t i = begin; i < end; i++) {
        const gt_tensor t = gt_tensor_at(s->tape, i);
        const unsigned traits = gt_is_leaf(t) ? 0 : gt_op_of(t)->more.traits;
        if (gt_is_leaf(t) || traits & GT_EFFECT || gt_out_index(t) > 0) continue;
        const uint32_t n_in = (uint32_t)gt_n_in(t);
        if (!gt__sweep_grow(s, &s->operand, &s->operand_room, (uint64_t)n_in + 1,
                            sizeof *s->operand))
            return false;
        for (uint32_t k = 0; k < n_in; k++) s->operand[k] = copy_or_self(s, gt_in(t, (int)k));
        gt_record_for(s->tape, t);
        const gt_tensor copy = gt_record_copy(t, s->operand);
        if (!gt_valid(copy)) return false;
        for (uint32_t k = 0; k < (uint32_t)gt_n_out(t) && i + k <= s->root; k++)
            s->copy[i + k - s->low] = gt_out(copy, (int)k).index + 1;
    }
    return true;
}

/* ---- operands of a pull -------------------------------------------------------------------------------------- */

bool gt__sweep_operands(gt__sweep *s, gt_tensor t, gt_pull *p) {
    uint32_t begin, end;
    const gt__node *n = gt__node_at(s->tape, t.index);
    if (s->copies && !(n->flags & GT__LEAF) && !s->copy[t.index - s->low] &&
        gt_checkpoint_range(s->tape, t.index, &begin, &end) && !copy_range(s, begin, end))
        return false;
    const uint32_t *index = gt__in(s->tape, n), count = gt__n_in(n);
    const int n_in = (int)count, n_out = gt_n_out(t), n_arg = gt_n_args(t);
    if (!gt__sweep_grow(s, &s->operand, &s->operand_room, 3 * (uint64_t)count + GT_MAX_OUT,
                        sizeof *s->operand) ||
        !gt__sweep_grow(s, &s->wanted, &s->wanted_room, (uint64_t)count + 1, sizeof *s->wanted) ||
        !gt__sweep_grow(s, &s->arg, &s->arg_room, (uint64_t)n_arg + 1, sizeof *s->arg))
        return false;
    if (n_arg) memcpy(s->arg, gt_args(t), (size_t)n_arg * sizeof *s->arg);
    gt_tensor *in = s->operand, *original = in + count, *gx = original + count, *out = gx + count;
    for (uint32_t k = 0; k < count; k++) {
        original[k] = gt__tensor(s->tape, index[k]);
        in[k] = copy_or_self(s, original[k]);
        s->wanted[k] = gt__sweep_depends(s, original[k].index);
    }
    for (int k = 0; k < n_out; k++)
        out[k] = copy_or_self(s, gt__tensor(s->tape, t.index + (uint32_t)k));
    s->n_in = n_in;
    *p = (gt_pull){.tape = s->tape,
                   .attr = gt_attr(t),
                   .arg = s->arg,
                   .n_arg = n_arg,
                   .n_in = n_in,
                   .n_out = n_out,
                   .in = in,
                   .out = out,
                   .up = s->up,
                   .wanted = s->wanted,
                   .gx = gx,
                   .constant = s->constant};
    return true;
}

gt_tensor gt__sweep_original(const gt__sweep *s, int k) { return s->operand[s->n_in + k]; }
