/* grad/sweep.h: the sweep and its bookkeeping, kept with the tape so that a steady loop allocates nothing. */
#ifndef GT_SWEEP_H
#define GT_SWEEP_H

#include "grad/grad.h"

/* What the sweep knows of one node. Tensors are named by their index + 1; 0: none. */
typedef struct gt__visit {
    uint32_t sum; /* the first contribution; once summed, the upstream */
    uint32_t
        chain; /* 0: it depends on no wanted tensor; 1: it does; else 2 + the place of the last further note */
} gt__visit;

/* A further contribution to a node. */
typedef struct gt__note {
    uint32_t gx;
    uint32_t chain; /* of the visit before it was noted */
} gt__note;

typedef struct gt__sweep {
    gt_tape *tape;
    uint32_t low, root;      /* the nodes in question: low to root */
    gt_tensor backward_root; /* of the last gt_backward, for gt_grad_of */
    bool of_backward;        /* the sums below are still that sweep's */
    uint32_t generation;     /* the tape's: what is newer was not known to the sweep */
    gt__visit *visit;        /* per node from low on */
    uint32_t *copy;          /* their rematerialized copies, named likewise */
    uint32_t visit_room, copy_room;
    bool copies; /* there are checkpoints */
    gt__note *note;
    uint32_t n_notes, note_room;
    gt_tensor *operand; /* in, original in, gx, out of the node at hand */
    bool *wanted;
    gt_arg *arg; /* its numbers: those of the tape move while the rule records */
    uint32_t operand_room, wanted_room, arg_room;
    gt_tensor *arrived;
    uint32_t arrived_room;
    int n_in;
    gt_tensor up[GT_MAX_OUT];
    gt_pull_constant constant[GT_PULL_CONSTANTS];
    gt_tensor *leaf, *gradient; /* parameters of a backward */
    const gt_watch *watch;      /* during a watched sweep */
    uint32_t leaf_room, gradient_room;
} gt__sweep;

/* sweep.c: carries seed from root down to every node that was marked. */
bool gt__sweep_run(gt__sweep *s, gt_tensor root, gt_tensor seed);

/* notes.c: bookkeeping. All of these may run out of memory, which fails the tape. */
gt__sweep *gt__sweep_of(gt_tape *tape);
/* Marks what lies between the wanted tensors and the root. */
bool gt__sweep_mark(gt__sweep *s, gt_tensor root, const gt_tensor *wanted, int count);
static inline bool gt__sweep_depends(const gt__sweep *s, uint32_t i) {
    return i >= s->low && i <= s->root && s->visit[i - s->low].chain;
}
bool gt__sweep_note_further(gt__sweep *s, gt__visit *v, gt_tensor gx);
static inline bool gt__sweep_note(gt__sweep *s, uint32_t i, gt_tensor gx) {
    if (!gt__sweep_depends(s, i)) return true;
    gt__visit *v = &s->visit[i - s->low];
    if (v->sum) return gt__sweep_note_further(s, v, gx);
    v->sum = gx.index + 1;
    return true;
}
/* All that was noted at a node to which something came. */
bool gt__sweep_arrived(gt__sweep *s, uint32_t i, gt_list *arrived);
void gt__sweep_set(gt__sweep *s, uint32_t i, gt_tensor g);
/* What was summed at a node, absent when nothing was. */
gt_tensor gt__sweep_sum(const gt__sweep *s, uint32_t i);
/* Operands of a pull, copies in place of checkpointed nodes. */
bool gt__sweep_operands(gt__sweep *s, gt_tensor t, gt_pull *p);
/* Input k of the node at hand itself, where gx[k] belongs. */
gt_tensor gt__sweep_original(const gt__sweep *s, int k);
bool gt__sweep_grow(gt__sweep *s, void *block, uint32_t *room, uint64_t need, size_t item);

/* The kind of a tensor's gradient. */
static inline gt_dtype gt__gradient_kind(gt_tensor t) {
    const gt_dtype dtype = gt_dtype_of(t);
    return dtype == GT_BF16 ? GT_F32 : dtype;
}

/* by_hand.c */
bool gt__pull_by_hand(const gt_op *op, gt_pull *pull);

#endif
