/* step/picture.h: a journal as boxes and wires with places: what drawings and the page are made from.
 *
 * Part i is gate i of the journal; behind the gates stand groups, which keep a long circuit readable. A
 * part that holds others (a composite gate, a group) has a level of its own, laid out by itself, so that
 * opening it moves its neighbours apart and changes nothing inside them. Wires that cross the border of a
 * level run to its two ports. */
#ifndef GT_STEP_PICTURE_H
#define GT_STEP_PICTURE_H

#include "step/journal.h"
#include "step/layout.h"

#define GT__NO_PART UINT32_MAX

/* Sizes of a drawing, in pixels. */
enum {
    GT__ROOM_LOCAL = 52, /* left of a gate: its local gradients */
    GT__ROOM_WIRE = 88,  /* right of it: the wire with value and gradient */
    GT__GATE_HIGH = 38,
    GT__LEAF_HIGH = 32,
    GT__GATE_ROOM = 76, /* with name and role */
    GT__FRAME = 22      /* around an open part */
};

typedef struct gt__part {
    uint32_t gate;        /* GT__NO_GATE: a group */
    uint32_t parent;      /* part, or GT__NO_PART */
    uint32_t level;       /* its inside: a level, or 0 */
    uint32_t first, last; /* gates that it holds; itself */
    int place;            /* box in its parent's level; -1: an alias, drawn as the port */
    bool open;
    double face;               /* width of the gate itself */
    char symbol[80], name[80]; /* name: above a gate, "" when nobody named it */
} gt__part;

typedef struct gt__level {
    uint32_t part; /* GT__NO_PART: level 0, the whole */
    gt__layout layout;
    uint32_t *box_part;  /* of each box; GT__NO_PART: a port, the first and the last box */
    uint32_t *wire_gate; /* whose value each wire carries; GT__NO_GATE: several */
    uint32_t box_room, part_room, wire_room, gate_room;
} gt__level;

typedef struct gt__picture {
    gt_journal *journal;
    gt__part *part;
    gt__level *level;
    uint32_t n_parts, n_levels, part_room, level_room;
} gt__picture;

/* open: composite gates that the journal has open are drawn open; else everything is closed. False and the
 * journal's error when memory is short; free it in any case. */
bool gt__picture_make(gt__picture *p, gt_journal *journal, bool open);
void gt__picture_free(gt__picture *p);
bool gt__part_is_leaf(const gt__picture *p, const gt__part *part);
/* A number as it stands in a drawing; "-" when there is none. */
const char *gt__figure_text(const gt__figures *f, gt_tensor t, char *text, size_t size);

#endif
