/* graph/reference.c: the reference executor: node by node, in the order of the tape, each value freed after
 * its last use. The simplest that is right; planned runs must give its bits. */
#include "graph/run.h"

static void release(gt_tape *tape, uint32_t i) {
    for (;;) {
        gt__slot *s = &tape->slot[i];
        if (gt__is_ready(tape, i) || s->state & GT__FUSED || --s->uses > 0)
            return; /* fused: has no value */
        if (s->state & GT__OWNS) {
            gt__pool_give(&tape->pool, s->data);
            s->state &= ~(unsigned)GT__OWNS;
            s->data = NULL;
            return;
        }
        if (s->owner == i) return; /* a scalar in its node */
        i = s->owner;              /* a view lets go of what it looked at */
    }
}

/* A fused input was computed just now, so its own inputs are done with too. It is no sum: one level. */
static void release_inputs(gt_tape *tape, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    for (uint32_t k = 0; k < n_in; k++) {
        const gt__node *input = gt__node_at(tape, in[k]);
        const bool fused = tape->slot[in[k]].state & GT__FUSED;
        for (uint32_t j = 0; fused && j < gt__n_in(input); j++)
            release(tape, gt__in(tape, input)[j]);
        release(tape, in[k]);
    }
}

static bool compute(gt_tape *tape, uint32_t i) {
    const uint32_t count = gt__n_results(tape, i);
    for (uint32_t k = i; k < i + count; k++) tape->slot[k].uses++; /* held while it is computed */
    if (!gt__compute(tape, i)) return false;
    release_inputs(tape, i);
    for (uint32_t k = i; k < i + count; k++) {
        if (tape->slot[k].state & (GT__TO_STORE | GT__TO_HOLD)) tape->slot[k].uses++;
        release(tape, k);
    }
    return true;
}

bool gt__run_reference(gt_tape *tape, uint32_t low, uint32_t high) {
    for (uint32_t i = low; i <= high; i++) {
        const unsigned state = tape->slot[i].state;
        if (!(state & GT__NEEDED) || state & GT__FUSED || gt__node_at(tape, i)->out) continue;
        if (!compute(tape, i)) return false;
    }
    return true;
}
