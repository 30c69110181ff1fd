/* graph/plan_make.h: what the parts of the planner share: plan_groups.c finds which operations run together,
 * with plan_lift.c, plan_make.c their order, and what lives how long, plan_members.c writes the groups down. */
#ifndef GT_PLAN_MAKE_H
#define GT_PLAN_MAKE_H

#include "graph/run.h"

#define GT__NONE UINT32_MAX
enum { GT__BY_THE_END = 1, GT__BY_A_STEP = 2 };  /* see outside */
enum { GT__JOINS = 1, GT__JOINS_FLAT = 2 };      /* see joins */
enum { GT__FOLDS_ALL = 1, GT__FOLDS_LINES = 2 }; /* see folds */

typedef struct gt__maker {
    gt_tape *tape;
    const gt__work *work;
    gt__plan *plan;
    uint32_t n; /* nodes */
    /* of each node */
    uint32_t
        *joins; /* may it be a member of a group? GT__JOINS_FLAT: as a fold that drops its axis */
    uint32_t *folds; /* may it end a group, as the fold of a member to one number, or to one row? */
    uint32_t *stage, *late;
    uint32_t *part;    /* what computes gt_op_more.part of the same operand, or GT__NONE */
    uint32_t *by_rows; /* by root: have its members rows of different lengths? */
    uint32_t *root;    /* towards the node that stands for its unit */
    uint32_t *outside; /* who needs it outside of its unit */
    uint32_t *final;   /* by root: is it a group that overwrites leaves? */
    uint32_t *again;   /* the other unit that computes it again, or GT__NONE */
    uint32_t *last;    /* the last step that needs it */
    uint32_t *next;    /* member of the unit */
    uint32_t *head, *tail, *when;   /* by root: members, and the unit's step */
    uint32_t *at, *at_in, *waiting; /* by root: how far scheduling has come; the stack */
    /* of each node, then of each external */
    uint32_t *seen;  /* who used it last */
    uint32_t *local; /* its operand number in the group `local_of` */
    uint32_t *local_of;
    uint32_t *writer; /* who overwrites it */
    uint32_t n_members, n_operands, n_loads, n_folds;
} gt__maker;

static inline const uint32_t *gt__inputs_of(const gt__maker *m, uint32_t k) {
    return m->work->in + m->work->node[k].in;
}
static inline bool gt__is_external(uint32_t value) { return value & GT__EXTERNAL; }
/* A place for each value: nodes, then externals. */
static inline uint32_t gt__value_place(const gt__maker *m, uint32_t value) {
    return gt__is_external(value) ? m->n + (value & ~GT__EXTERNAL) : value;
}
static inline uint32_t gt__shape_of(const gt__maker *m, uint32_t value) {
    return gt__is_external(value) ? m->work->external[value & ~GT__EXTERNAL].shape
                                  : m->work->node[value].shape;
}
static inline gt_dtype gt__dtype_of(const gt__maker *m, uint32_t value) {
    return (gt_dtype)(gt__is_external(value) ? m->work->external[value & ~GT__EXTERNAL].dtype
                                             : m->work->node[value].dtype);
}
static inline bool gt__is_view(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    return n->op->more.traits & GT_VIEW || n->state & GT__UNROUNDED;
}

static inline const gt__shape_entry *gt__entry_of(const gt__maker *m, uint32_t shape) {
    return gt__bytes(&m->tape->shapes, shape, NULL);
}

static inline uint32_t gt__unit_of(gt__maker *m, uint32_t k) {
    while (m->root[k] != k) {
        m->root[k] = m->root[m->root[k]];
        k = m->root[k];
    }
    return k;
}
/* The first node stands for both units. */
static inline void gt__unite(gt__maker *m, uint32_t a, uint32_t b) {
    a = gt__unit_of(m, a);
    b = gt__unit_of(m, b);
    if (a < b)
        m->root[b] = a;
    else
        m->root[a] = b;
}
static inline uint32_t gt__target_of(const gt__maker *m, uint32_t k) {
    return gt__inputs_of(m, k)[m->work->node[k].n_in];
}
static inline bool gt__may_overwrite(const gt__maker *m, uint32_t k) {
    const unsigned state = m->work->node[k].state;
    return state & GT__TO_ASSIGN && !(state & GT__TO_STORE) && !(m->outside[k] & GT__BY_A_STEP) &&
           m->joins[k] != GT__JOINS_FLAT;
}

/* ---- plan_groups.c */
/* Fills in joins, folds, by_rows, root, next, head and tail: which operations make a unit, a group or one alone. */
void gt__find_units(gt__maker *m);
/* The tile that computes k, an element-wise operation of a group; NULL when there is none. */
gt_tile gt__member_tile(const gt__maker *m, uint32_t k);
/* A sum of what stands in memory or in the group, not of contributions that add themselves. */
bool gt__is_plain_sum(const gt__maker *m, uint32_t k);
/* How k folds its input, if it does. */
bool gt__fold_of(const gt__maker *m, uint32_t k, gt_fold *fold);
/* k reads j: must it wait for j's group? */
bool gt__must_wait(const gt__maker *m, uint32_t j, uint32_t k);
/* Rows that fit the scratch of a group. */
bool gt__fits_rows(const gt_shape *s);
/* Equal but for the last axis. */
bool gt__have_equal_rows(const gt_shape *a, const gt_shape *b);

/* ---- plan_lift.c */
/* Fills in part. */
void gt__find_parts(gt__maker *m);
/* Sets stages: of some operations of gradients as early as can be. */
void gt__lift(gt__maker *m);

/* ---- plan_members.c */
/* May the operation be computed twice instead of being kept? */
bool gt__is_cheap(const gt_tape *tape, const gt__plan_node *n);
/* Fills in again, of what lives until the steps in `last`; such values are then needed outside no more. */
void gt__find_again(gt__maker *m);
/* Writes the groups and their members into the plan. */
void gt__make_groups(gt__maker *m);

#endif
