/* step/layout.h: places the boxes of a circuit in columns, signals going to the right.
 *
 * Wires are listed by the box that they enter and come from an earlier one (the order of a tape); one that
 * does not has no say in the placing and passes no column. Same input, same picture: nothing here is random. The method is that of
 * Sugiyama, Tagawa and Toda (1981): columns by longest path, dummies where a wire passes a column,
 * barycentres against crossings; heights are least squares under the boxes' distances. */
#ifndef GT_STEP_LAYOUT_H
#define GT_STEP_LAYOUT_H

#include "graph/graph.h"

typedef struct gt__box {
    double wide, high; /* given */
    bool port;         /* given: stands in the first column, or, when it has inputs, in the last */
    int column;
    double x, y; /* left edge and middle */
} gt__box;

/* Enters `to` at input slot of n_slots: lower slots are higher up. */
typedef struct gt__wire {
    int from, to, slot, n_slots; /* given */
    int bend, n_bends;           /* the columns that it passes: heights in gt__layout.bend */
} gt__wire;

typedef struct gt__layout {
    gt__box *box;
    gt__wire *wire;
    int n_boxes, n_wires;
    double column_gap, row_gap;
    /* Found. Column c goes from x[c] to x[c + 1] - column_gap; boxes stand at its right. */
    double *bend, *x;
    int n_columns, n_bends;
    double wide, high;
    gt_allocator allocator;
} gt__layout;

/* Heights of ports are spread over this share of a box. */
#define GT__PORTS 0.36

/* Fills in what is found. False when memory is short. */
bool gt__layout_place(gt__layout *layout);
void gt__layout_free(gt__layout *layout);
/* How far below a box's middle a wire enters it. */
double gt__layout_port(const gt__layout *layout, const gt__wire *wire);

#endif
