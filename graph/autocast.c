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

static bool shows_all(gt_tape *tape, const gt__node *n) {
    if (!(n->op->more.traits & GT_VIEW) || gt__n_in(n) != 1) return false;
    const gt__node *of = gt__node_at(tape, gt__in(tape, n)[0]);
    return of->dtype == n->dtype && gt__shape(tape, of)->numel == gt__shape(tape, n)->numel;
}

/* A parameter that is used at every step of a sequence is cast once; after a write to any leaf, anew. */
static gt_tensor known_cast(gt_tape *tape, gt_tensor x) {
    const gt__known_cast *known = &tape->known_cast[x.index % GT__KNOWN_CASTS];
    const bool same = gt__valid(known->to) && known->from == x.index &&
                      known->generation == x.generation &&
                      gt__node_at(tape, known->to.index)->clock == tape->params->clock;
    return same ? known->to : gt_none();
}

static gt_tensor note_cast(gt_tape *tape, gt_tensor x, gt_tensor to) {
    if (!gt__valid(to) || to.index == x.index) return to;
    gt__node_at(tape, to.index)->flags |= GT__CAST;
    tape->known_cast[x.index % GT__KNOWN_CASTS] = (gt__known_cast){x.index, x.generation, to};
    return to;
}

static gt_tensor cast_itself(gt_tape *tape, gt_tensor x) {
    const gt_tensor known = known_cast(tape, x);
    return gt_valid(known) ? known : note_cast(tape, x, tape->cast(x));
}

/* A view of all of something becomes the same view of what that is cast to: this can then be made along with it, in
 * order, and once for all its views. The first view is read by nothing then, but no result of the user's for that. */
static gt_tensor cast_once(gt_tape *tape, gt_tensor x) {
    enum { MOST_VIEWS = 8 }; /* of a view of a view ... */
    gt_tensor view[MOST_VIEWS], of = x;
    int n = 0;
    while (n < MOST_VIEWS && shows_all(tape, gt__node_at(tape, of.index)) &&
           !gt_valid(known_cast(tape, of))) {
        view[n++] = of;
        of = gt__tensor(tape, gt__in(tape, gt__node_at(tape, of.index))[0]);
    }
    gt_tensor to = cast_itself(tape, of);
    while (n-- > 0 && gt__valid(to)) {
        gt__node *from = gt__node_at(tape, view[n].index);
        to = note_cast(tape, view[n], gt_record_copy(view[n], &to));
        if (!gt__valid(to)) break;
        gt__node_at(tape, to.index)->name = from->name;
        from->flags |= GT__UNASKED;
    }
    return to;
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
