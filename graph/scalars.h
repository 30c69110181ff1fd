/* graph/scalars.h: numbers and codes beside the nodes of a large graph of scalars; see scalars.c. */
#ifndef GT_SCALARS_H
#define GT_SCALARS_H

#include "graph/graph.h"

enum { GT__MANY = 256 }; /* nodes from which on this is worth it */

/* Codes of this room's own; no machine knows them. */
enum {
    GT__CODE_NONE,   /* no number, or not to be had: its node is run as any other */
    GT__CODE_LEAF,   /* its number is loaded */
    GT__CODE_WAY,    /* the way back from a root: no number; those of its adjoints follow */
    GT__CODE_ADJOINT /* from here on there is a computed number */
};

/* Flags of codes, after those of graph.h. */
enum {
    GT__CODE_TRAINED = 4, /* depends on a trainable parameter */
    GT__CODE_TO_A = 8,    /* a gradient goes to a; of sums: to all */
    GT__CODE_TO_B = 16,
    GT__CODE_TO_ARG = 32,
    GT__CODE_F32 = 64, /* there is a number, of this kind */
    GT__CODE_F64 = 128,
    GT__CODE_BOOL = 256,
    GT__CODE_USED = 512 /* as GT__USED */
};

typedef struct gt__scalars {
    gt_code *code;    /* of nodes before `coded` */
    gt_number *value; /* of nodes before `run` */
    gt_number *adjoint;
    uint32_t code_room, value_room, adjoint_room;
    uint32_t coded, run;
    uint32_t
        ready; /* where not 0: all nodes are encoded, and there is room for as many, codes included */
    struct gt__node *next; /* where the next one is then to be */
    uint32_t clock;        /* as of when codes and numbers hold */
    bool stale;            /* an operand was overwritten: after a replay there are other codes */
    uint32_t
        same; /* nodes and codes before this one are as before the last rewind, those to be recorded included */
    uint32_t marked; /* codes before this one may have marks of what the root before it reaches */
    uint32_t marks_hold;                 /* and those before this one are as they were then */
    uint32_t low;                        /* the lowest node that was reached */
    uint32_t *leaf, n_leaves, leaf_room; /* in order */
    uint32_t *kept, n_kept, kept_room;   /* what gt_keep was asked for */
    const gt_machine *const *machine;    /* of the first operation that had one */
} gt__scalars;

/* From node i on there is something else than before the last rewind. */
static inline void gt__forget_same(gt__scalars *s, uint32_t i) {
    if (s->same > i) s->same = i;
    if (s->marks_hold > i) s->marks_hold = i;
}

/* ---- scalars.c */
/* Encodes what was recorded, where the graph is large and codes of now will hold; false: memory is short. */
bool gt__encode_recorded(gt_tape *tape);
/* Computes what can be computed of a large graph of scalars; a small one is left. False: memory is short. */
bool gt__run_scalars(gt_tape *tape);
/* Gives the node of a number that number as its stored value; false: memory is short. */
bool gt__store_number(gt_tape *tape, uint32_t i);
/* From now on the number is stored when it is computed; false: memory is short. */
bool gt__keep_number(gt_tape *tape, uint32_t i);
/* Marks as used the nodes whose codes say so, and the codes no more. */
void gt__move_uses(gt_tape *tape);
void gt__rewind_scalars(gt_tape *tape, uint32_t size);
void gt__replay_scalars(gt_tape *tape);
void gt__free_scalars(gt_tape *tape);

/* ---- adjoints.c */
/* The code of a node of this file's operations; false: memory is short. */
bool gt__encode_way(gt_tape *tape, uint32_t i, gt_code *code);
/* Goes the way back that node i stands for, and writes the adjoints after it. */
void gt__go_back(gt_tape *tape, uint32_t i);

#endif
