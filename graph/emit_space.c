/* graph/emit_space.c: where values stand in emitted memory: the first gap that is large enough. */
#include <string.h>

#include "graph/emit.h"

static void remove_gap(gt__space *s, uint32_t k) {
    memmove(s->gap + k, s->gap + k + 1, (s->n_gaps - k - 1) * sizeof *s->gap);
    s->n_gaps--;
}

int64_t gt__space_take(gt_emitter *e, gt_dtype dtype, int64_t count) {
    gt__space *s = &e->space[dtype];
    for (uint32_t k = 0; k < s->n_gaps; k++) {
        gt__gap *gap = &s->gap[k];
        if (gap->size < count) continue;
        const int64_t from = gap->from;
        gap->from += count;
        gap->size -= count;
        if (gap->size == 0) remove_gap(s, k);
        return from;
    }
    const int64_t from = s->end;
    s->end += count;
    if (s->end > s->most) s->most = s->end;
    return from;
}

void gt__space_give(gt_emitter *e, gt_dtype dtype, int64_t from, int64_t count) {
    gt__space *s = &e->space[dtype];
    uint32_t k = 0;
    if (!gt__grow(e->tape->allocator, &s->gap, &s->room, (uint64_t)s->n_gaps + 1, sizeof *s->gap)) {
        e->starved = true;
        return;
    }
    while (k < s->n_gaps && s->gap[k].from < from) k++;
    memmove(s->gap + k + 1, s->gap + k, (s->n_gaps - k) * sizeof *s->gap);
    s->gap[k] = (gt__gap){from, count};
    s->n_gaps++;
    if (k + 1 < s->n_gaps && from + count == s->gap[k + 1].from) {
        s->gap[k].size += s->gap[k + 1].size;
        remove_gap(s, k + 1);
    }
    if (k > 0 && s->gap[k - 1].from + s->gap[k - 1].size == from) {
        s->gap[k - 1].size += s->gap[k].size;
        remove_gap(s, k--);
    }
    if (s->gap[k].from + s->gap[k].size == s->end) {
        s->end = s->gap[k].from;
        s->n_gaps--;
    }
}
