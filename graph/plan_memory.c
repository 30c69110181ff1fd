/* graph/plan_memory.c: where a plan's values stand in the tape's arena. Step by step, results take the
 * smallest gap that holds them, and give way to others when nothing needs them any more. A group's result
 * may take the place of an operand that is read for the last time, element by element. Values that outlive
 * the run, numbers and views have no place. */
#include "graph/run.h"

#include <string.h>

/* More gaps than this are forgotten: their memory is not used again in this run. */
enum { MOST_GAPS = 256, ALIGNMENT = 64 };

typedef struct gap {
    uint64_t offset, size;
} gap;

typedef struct layout {
    gt_tape *tape;
    gt__plan *plan;
    uint32_t *reader;    /* of each load: the last member that reads it */
    unsigned char *kept; /* of each node: does its place go on as another's? */
    uint64_t top;
    int n_gaps;
    gap gap[MOST_GAPS]; /* in order of offset, none touching the next */
} layout;

/* ---- gaps ------------------------------------------------------------------------------------------------ */

static uint64_t take(layout *l, uint64_t size) {
    int best = -1;
    for (int i = 0; i < l->n_gaps; i++)
        if (l->gap[i].size >= size && (best < 0 || l->gap[i].size < l->gap[best].size)) best = i;
    if (best < 0) {
        l->top += size;
        return l->top - size;
    }
    gap *g = &l->gap[best];
    const uint64_t offset = g->offset;
    g->offset += size;
    g->size -= size;
    if (g->size == 0) memmove(g, g + 1, (size_t)(--l->n_gaps - best) * sizeof *g);
    return offset;
}

static void give(layout *l, uint64_t offset, uint64_t size) {
    int i = 0;
    while (i < l->n_gaps && l->gap[i].offset < offset) i++;
    const bool after = i > 0 && l->gap[i - 1].offset + l->gap[i - 1].size == offset;
    const bool before = i < l->n_gaps && offset + size == l->gap[i].offset;
    if (after && before) {
        l->gap[i - 1].size += size + l->gap[i].size;
        memmove(&l->gap[i], &l->gap[i + 1], (size_t)(--l->n_gaps - i) * sizeof *l->gap);
    } else if (after) {
        l->gap[i - 1].size += size;
    } else if (before) {
        l->gap[i].offset = offset;
        l->gap[i].size += size;
    } else if (l->n_gaps < MOST_GAPS) {
        memmove(&l->gap[i + 1], &l->gap[i], (size_t)(l->n_gaps++ - i) * sizeof *l->gap);
        l->gap[i] = (gap){offset, size};
    }
}

/* ---- values ----------------------------------------------------------------------------------------------- */

/* 0 for what has no place. */
static uint64_t size_of(const layout *l, uint32_t k) {
    const gt__plan_node *n = &l->plan->work.node[k];
    const gt__shape_entry *s = gt__bytes(&l->tape->shapes, n->shape, NULL);
    if (n->state & (GT__TO_STORE | GT__FUSED | GT__UNROUNDED) || n->op->more.traits & GT_VIEW)
        return 0;
    if (s->shape.rank == 0) return 0;
    const uint64_t bytes = (uint64_t)s->numel * gt_dtype_size((gt_dtype)n->dtype);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void place(layout *l, uint32_t k) {
    const uint64_t size = size_of(l, k);
    if (size) l->plan->offset[k] = take(l, size);
}

static bool dies_at(const layout *l, const gt__step *step, uint32_t k) {
    for (uint32_t i = 0; i < step->n_die; i++)
        if (l->plan->die[step->die + i] == k) return true;
    return false;
}

/* Does the group read k by way of a view too? Then in another order. */
static bool is_viewed(const layout *l, const gt__group *g, uint32_t k) {
    const gt__work *w = &l->plan->work;
    for (uint32_t i = 0; i < g->n_loads; i++) {
        uint32_t value = l->plan->load[g->load + i];
        if (value == k) continue;
        while (!(value & GT__EXTERNAL) && w->node[value].op->more.traits & GT_VIEW)
            value = w->in[w->node[value].in];
        if (value == k) return true;
    }
    return false;
}

/* Does the operation of node k, or of a view that it reads, read the value? */
static bool reads(const layout *l, uint32_t k, uint32_t value) {
    const gt__work *w = &l->plan->work;
    for (uint32_t i = 0; i < w->node[k].n_in; i++) {
        uint32_t in = w->in[w->node[k].in + i];
        while (in != value && !(in & GT__EXTERNAL) && w->node[in].op->more.traits & GT_VIEW)
            in = w->in[w->node[in].in];
        if (in == value) return true;
    }
    return false;
}

/* Of a group that takes the rows of a result as they are made: does what makes them read the value? */
static bool is_read_beside(const layout *l, const gt__step *step, uint32_t value) {
    return step > l->plan->step && step[-1].by_rows && reads(l, step[-1].first, value);
}

/* The place of an operand that member number m may overwrite: one that it reads itself, or nobody after it. A
 * sum is cleared before it reads. */
static bool place_over_operand(layout *l, const gt__step *step, const gt__group *g, uint32_t m) {
    const gt__work *w = &l->plan->work;
    const uint32_t k = l->plan->member[g->member + m].node;
    const uint32_t end = m + (l->plan->member[g->member + m].kind != GT__SUM);
    for (uint32_t i = 0; i < g->n_loads; i++) {
        const uint32_t value = l->plan->load[g->load + i];
        if (value & GT__EXTERNAL || l->plan->offset[value] == GT__NO_OFFSET) continue;
        const bool alike = w->node[value].shape == w->node[k].shape &&
                           l->plan->layout[value] == l->plan->layout[k] &&
                           gt_dtype_size((gt_dtype)w->node[value].dtype) ==
                               gt_dtype_size((gt_dtype)w->node[k].dtype);
        if (!alike || l->kept[value] || l->reader[g->load + i] >= end) continue;
        if (!dies_at(l, step, value) || is_viewed(l, g, value)) continue;
        if (is_read_beside(l, step, value)) continue;
        l->plan->offset[k] = l->plan->offset[value];
        l->kept[value] = true;
        return true;
    }
    return false;
}

static void find_readers(layout *l, const gt__group *g) {
    const gt__member *m = &l->plan->member[g->member];
    for (uint32_t i = 0; i < g->n_members; i++)
        for (uint32_t j = 0; j < m[i].n_in; j++) {
            const uint32_t number = l->plan->operand[m[i].operand + j];
            if (number < g->n_loads) l->reader[g->load + number] = i;
        }
}

static void place_results(layout *l, const gt__step *step) {
    const gt__work *w = &l->plan->work;
    if (!step->is_group) {
        for (uint32_t k = 0; k < gt__results_of(w, step->first); k++) place(l, step->first + k);
        return;
    }
    const gt__group *g = &l->plan->group[step->first];
    const gt__member *m = &l->plan->member[g->member];
    find_readers(l, g);
    for (uint32_t i = 0; i < g->n_members; i++) {
        if (gt__ends_group(&m[i])) place(l, m[i].node);
        if (gt__ends_group(&m[i]) || m[i].slot != GT__IN_MEMORY) continue;
        if (m[i].target != GT__NO_TARGET || size_of(l, m[i].node) == 0) continue;
        const bool same_walk =
            m[i].kind != GT__ROWS; /* a fold's shape can be that of a broadcast operand */
        if (!same_walk || !place_over_operand(l, step, g, i)) place(l, m[i].node);
    }
}

static void let_go(layout *l, const gt__step *step) {
    for (uint32_t i = 0; i < step->n_die; i++) {
        const uint32_t k = l->plan->die[step->die + i];
        if (l->plan->offset[k] != GT__NO_OFFSET && !l->kept[k])
            give(l, l->plan->offset[k], size_of(l, k));
    }
}

bool gt__plan_memory(gt_tape *tape, gt__plan *plan) {
    const gt__work *w = &plan->work;
    layout l = {.tape = tape, .plan = plan};
    l.reader = gt__pool_take(&tape->pool, w->n_in * sizeof *l.reader + w->n_nodes);
    if (!l.reader) return false;
    l.kept = (unsigned char *)(l.reader + w->n_in);
    memset(l.kept, 0, w->n_nodes);
    for (uint32_t k = 0; k < w->n_nodes; k++) plan->offset[k] = GT__NO_OFFSET;
    for (uint32_t s = 0; s < plan->n_steps; s++) {
        place_results(&l, &plan->step[s]);
        let_go(&l, &plan->step[s]);
    }
    plan->arena = l.top;
    gt__pool_give(&tape->pool, l.reader);
    return true;
}
