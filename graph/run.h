/* graph/run.h: what marking, the two executors and the planner share: the state of a node during a run, and
 * computing one node. */
#ifndef GT_RUN_H
#define GT_RUN_H

#include "graph/tape.h"

/* States of a slot. */
enum {
    GT__NEEDED = 1,
    GT__TO_STORE = 2, /* becomes the node's stored value */
    GT__TO_HOLD = 4,  /* stays to the end of the run */
    GT__ADDED = 8,    /* an input of a sum */
    GT__FUSED = 16,   /* computed by its sum */
    GT__OWNS = 32,    /* data is a block of the pool */
    GT__STALE = 64,
    GT__TO_ASSIGN =
        128, /* held to be assigned to one leaf, which stands in `owner` until it is computed */
    /* of a plan's node: */
    GT__WITH_NUMBERS = 256, /* the operation has run-time numbers */
    GT__OF_RULE = 512,
    GT__IN_CHECKPOINT = 1024,
    GT__UNROUNDED =
        4096, /* of bf16, but left in the floats that it is to be rounded from; of slots, too */
    GT__MERGED = 2048 /* another node stands for it: it is not computed, and nothing reads it */
};

/* ---- compute.c */
/* Is there a value already? Then the node has no part in the run. */
static inline bool gt__is_ready(const gt_tape *tape, uint32_t i) {
    return gt__node_at(tape, i)->flags & (GT__LEAF | GT__STORED) || gt__is_number(tape, i);
}
static inline size_t gt__value_bytes(const gt_tape *tape, const gt__node *n) {
    return (size_t)gt__shape(tape, n)->numel * gt_dtype_size((gt_dtype)n->dtype);
}
/* How many results the operation has whose first is node i. */
uint32_t gt__n_results(const gt_tape *tape, uint32_t i);
/* The node that gives the operation of node i its k-th operand in this run. */
uint32_t gt__operand(const gt_tape *tape, uint32_t i, uint32_t k);
/* The value of node i as an operand. */
void gt__fill_array(gt_tape *tape, uint32_t i, gt_array *a);
/* Gives node i a contiguous place for its value. */
bool gt__place_value(gt_tape *tape, uint32_t i);
/* Computes the operation whose first result is node i: a kernel, a view, or a sum with what is fused into it. */
bool gt__compute(gt_tape *tape, uint32_t i);
/* Prepares to make the result by rows, or, with no `make`, has made it. What `rows` needs is in the context's scratch, to
 * be freed after use, and after failing. */
bool gt__begin_rows(gt_tape *tape, uint32_t i, gt__context *context, gt_rows *rows);
/* The same for a value that is made later, all at once. Where its operation does not begin it, it is computed, and has a
 * block of its own. */
bool gt__begin_whole(gt_tape *tape, uint32_t i, gt__context *context, gt_rows *rows);

/* ---- reference.c: computes what is marked between low and high, inclusive; see gt__run_planned. */
bool gt__run_reference(gt_tape *tape, uint32_t low, uint32_t high);

#endif
