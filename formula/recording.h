/* formula/recording.h: a formula on a tape, as the files of this room see it. */
#ifndef GT_RECORDING_H
#define GT_RECORDING_H

#include "formula/formula.h"

/* Another tensor that an expression stands for. */
typedef struct gt__alias {
    gt_tensor tensor;
    gt_expr expr;
} gt__alias;

/* The tensor of a node. The arena may have forgotten the node since, and put another in its place. */
typedef struct gt__made {
    gt_tensor tensor;
    uint32_t serial;
} gt__made;

struct gt_recording {
    gt_formula *f;
    gt_tape *tape;
    gt_tensor *bound; /* by symbol */
    gt__made *made;   /* by node */
    unsigned char *needed;
    gt__alias *alias;
    uint32_t bound_room, made_room, needed_room, n_aliases, alias_room;
};

#endif
