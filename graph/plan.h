/* graph/plan.h: a run as a list of steps, made once for each structure of what is computed and found again
 * by it. A step computes one operation, or a group: element-wise operations of one shape that run together,
 * tile by tile, so that what only the group uses never reaches memory.
 *
 * A plan knows nodes by their place among the nodes of the run, and values that were there before the run
 * (leaves, stored values) as externals. What may differ from run to run is no part of it: addresses,
 * numbers (gt_arg), and at which indices the nodes stand. */
#ifndef GT_PLAN_H
#define GT_PLAN_H

#include "graph/graph.h"

#define GT__EXTERNAL 0x80000000u /* flag of a value: the rest is its number among the externals */
#define GT__NO_TARGET UINT32_MAX
#define GT__NO_OFFSET UINT64_MAX
#define GT__IN_MEMORY UINT32_MAX /* a member's slot: its value is needed outside of the group */

/* What a plan depends on of one node. */
typedef struct gt__plan_node {
    const gt_op *op;
    uint32_t shape, attr;
    uint32_t in,
        n_in; /* its part of the list of inputs; with GT__TO_ASSIGN the leaf comes after them */
    uint32_t state; /* as in run.h */
    uint16_t dtype, out;
} gt__plan_node;

typedef struct gt__external {
    uint32_t shape, dtype;
} gt__external;

enum { GT__MOST_ORDERED = 6 }; /* operands of an operation that knows orders, see gt_order */

/* What is to be computed: the key of its plan. */
typedef struct gt__work {
    bool exact; /* scalar functions, see gt_exact */
    uint32_t n_nodes, n_in, n_externals;
    gt__plan_node *node;
    uint32_t *in; /* values: places of nodes, or externals */
    gt__external *external;
} gt__work;

/* How many results the operation has whose first is node k. */
static inline uint32_t gt__results_of(const gt__work *w, uint32_t k) {
    uint32_t count = 1;
    while (k + count < w->n_nodes && w->node[k + count].out == count) count++;
    return count;
}

/* Computes node `first` and its further results; or, as a group, group `first`. Then the values die[0] to
 * die[n_die - 1] are of no use any more. */
typedef struct gt__step {
    uint32_t first, die, n_die;
    bool is_group;
    bool by_rows; /* the next step, a group, takes the result's rows as they are made */
} gt__step;

/* The members' results have one shape; or, by rows, that shape but for the last axis: rows are `widest` long,
 * or one number each. */
typedef struct gt__group {
    uint32_t shape, rank;
    bool by_rows;
    uint32_t widest;
    uint32_t load, n_loads;
    uint32_t member, n_members;
    uint32_t n_slots; /* tiles of scratch: the first n_loads are of the loads */
    uint32_t n_full;  /* of those: how many hold more than one number a row */
    uint32_t element; /* bytes of the widest kind of element in it */
    bool last;        /* goes over its shape channels last */
    uint32_t n_folds; /* to one number */
    uint32_t n_lines; /* folds of all rows to one */
} gt__group;

/* Bytes of a folded part. */
enum { GT__PART = 8 };

/* One operation of a group. Operands are numbered: the loads, then the members. */
typedef struct gt__member {
    enum {
        GT__TILE,
        GT__SUM,
        GT__FOLD,  /* to one number, part by part */
        GT__LINES, /* of all rows to one, part by part */
        GT__ROWS,  /* a fold of each row to one number */
        GT__COPY   /* a view of another member: the same elements, or each repeated for a row */
    } kind;
    bool flushes;   /* denormals, if the tape's runs do */
    uint32_t width; /* of its rows; 1 where the group is not by rows */
    gt_tile tile;
    uint32_t node, slot; /* of a fold that ends the group: its place among those */
    uint32_t fold;       /* how it folds: a place in the plan's list */
    uint32_t operand, n_in;
    uint32_t target; /* the leaf that is overwritten, or GT__NO_TARGET */
} gt__member;

/* Is it a fold whose result is there when all tiles are done? */
static inline bool gt__ends_group(const gt__member *m) {
    return m->kind == GT__FOLD || m->kind == GT__LINES;
}

typedef struct gt__plan gt__plan;
struct gt__plan {
    gt__plan *next;
    size_t bytes;
    uint64_t hash;
    gt__work key;  /* what it computes */
    gt__work work; /* how: the same nodes, of which some stand for others */
    uint32_t n_steps, n_groups;
    uint32_t n_again;     /* members that another group has computed already */
    uint32_t first_final; /* from this step on leaves are overwritten: after all that can fail */
    uint32_t n_late;      /* final steps that are no groups, see gt_op_more.begin_whole */
    gt__step *step;
    uint32_t *die;
    gt__group *group;
    gt__member *member;
    uint32_t *operand;
    uint32_t *load; /* values */
    gt_fold *fold;
    uint64_t *offset; /* of each node's value in the arena, or GT__NO_OFFSET */
    uint32_t *layout; /* of each node's value: its strides' id; 0: contiguous */
    uint32_t n_prepared;
    uint32_t *
        prepared; /* of each node, then of each external: its number among the prepared, from 1, or 0 */
    uint64_t arena; /* bytes that it takes */
};

/* What an operation has made of a value, see gt_prepared. */
typedef struct gt__prepared {
    const gt_op *op;
    void *data;
} gt__prepared;

/* A tape's plans, the last used first, and the work of the present run. */
typedef struct gt__plans {
    gt__plan *first;
    uint32_t count;
    size_t bytes;
    gt__work work;
    uint32_t node_room, in_room, external_room;
    uint32_t *index; /* of the work's nodes */
    uint32_t index_room;
    uint32_t *external_index;
    uint32_t external_index_room;
    char *arena; /* 64-aligned, of arena_room bytes */
    void *arena_block;
    size_t arena_room;
    int threads;            /* that the present run may use */
    gt__prepared *prepared; /* during a run, as many as its plan has */
    void *final_block; /* memory for final steps, while the plan that is first has some to run */
    struct gt__begun *begun; /* what final steps make, begun; in their order */
    uint32_t n_begun;
} gt__plans;

/* ---- plan.c */
/* Forgets all plans. */
void gt__plans_clear(gt_tape *tape);
/* The same, and the room for work. */
void gt__plans_free(gt_tape *tape);
/* Computes what is marked between low and high, inclusive, but for the final steps: groups that overwrite
 * leaves. gt__run_final does those; it cannot fail. gt__end_planned ends the run with or without them. */
bool gt__run_planned(gt_tape *tape, uint32_t low, uint32_t high);
void gt__run_final(gt_tape *tape);
void gt__end_planned(gt_tape *tape);

/* The index of a value of the present run's plan. */
uint32_t gt__value_index(const gt_tape *tape, uint32_t value);

/* ---- plan_casts.c */
/* A value as an operand, without data. */
gt_array gt__planned_array(const gt_tape *tape, const gt__work *work, uint32_t value);
/* Node k's operation as a call, without data: at most GT__MOST_ORDERED operands, behind them its results, in `array`. */
gt_call gt__planned_call(const gt_tape *tape, const gt__work *work, uint32_t k, gt_array *array);
/* Finds casts that can be left out, and views of them. */
void gt__plan_casts(const gt_tape *tape, gt__work *work);

/* ---- plan_rewrite.c: finds what need not be computed twice; false when memory is short. */
bool gt__plan_rewrite(gt_tape *tape, gt__work *work);

/* ---- plan_make.c: a plan for the tape's present work; NULL when memory is short. */
gt__plan *gt__plan_make(gt_tape *tape);

/* ---- plan_order.c: which values stand channels last, and which groups go over theirs so; false when memory is short. */
bool gt__plan_order(gt_tape *tape, gt__plan *plan);

/* ---- plan_memory.c: gives a plan's values their places; false when memory is short. */
bool gt__plan_memory(gt_tape *tape, gt__plan *plan);

/* ---- tiles.c */
/* Rows so long, of a result that has yet to be made when the group runs. */
typedef struct gt__made {
    gt_rows rows;
    int64_t length;
} gt__made;
/* The scratch memory that a group takes; `made` may be NULL. */
size_t gt__group_bytes(const gt_tape *tape, const gt__group *group, const gt__made *made);
/* Computes a group; false when there is no memory for its results, and it overwrites no leaf. */
bool gt__run_group(gt_tape *tape, const gt__plan *plan, const gt__group *group,
                   const gt__made *made, void *block);

#endif
