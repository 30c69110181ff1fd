/* graph/autocast.c: operands that are cast as their operations are recorded. Which operations is a trait's
 * matter, to what is that of the function given: this room names neither. */
#include "graph/tape.h"

void gt_cast_operands(gt_tape *tape, gt_tensor (*cast)(gt_tensor x)) {
    if (tape) tape->cast = cast;
}

/* An f64 operand, or one of integers, is for the shape rule to complain of, in the user's words. */
static bool are_narrow(gt_tape *tape, const gt_tensor *in, int n_in) {
    for (int k = 0; k < n_in; k++) {
        const unsigned dtype = gt__node_at(tape, in[k].index)->dtype;
        if (dtype != GT_F32 && dtype != GT_BF16) return false;
    }
    return true;
}

/* A parameter that is used at every step of a sequence is cast once; after a write to any leaf, anew. */
static gt_tensor cast_once(gt_tape *tape, gt_tensor x) {
    gt__known_cast *known = &tape->known_cast[x.index % GT__KNOWN_CASTS];
    const bool same = gt__valid(known->to) && known->from == x.index &&
                      known->generation == x.generation &&
                      gt__node_at(tape, known->to.index)->clock == tape->params->clock;
    if (same) return known->to;
    const gt_tensor to = tape->cast(x);
    if (!gt__valid(to) || to.index == x.index) return to;
    gt__node_at(tape, to.index)->flags |= GT__CAST;
    *known = (gt__known_cast){x.index, x.generation, to};
    return to;
}

gt_tensor gt_as_operand(gt_tensor x) {
    if (!gt__valid(x) || !x.tape->cast || x.tape->recorder != GT_BY_USER) return x;
    return gt__node_at(x.tape, x.index)->dtype == GT_F32 ? cast_once(x.tape, x) : x;
}

const gt_tensor *gt__autocast(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in,
                              gt_tensor *room) {
    if (!tape->cast || !(op->more.traits & GT_AUTOCAST) || tape->recorder != GT_BY_USER) return in;
    if (n_in > GT__CAST_MOST || !are_narrow(tape, in, n_in)) return in;
    for (int k = 0; k < n_in; k++) {
        const bool wide = gt__node_at(tape, in[k].index)->dtype == GT_F32;
        room[k] = wide ? cast_once(tape, in[k]) : in[k];
        if (!gt__valid(room[k])) return NULL;
    }
    return room;
}
