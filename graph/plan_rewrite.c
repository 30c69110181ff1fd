/* graph/plan_rewrite.c: what a run would compute several times over it computes once: operations that are alike, of
 * the same operands. Users of the later ones are given the first one's result.
 *
 * An element-wise operation of a gradient is not taken for one of the forward pass: in a group it costs less to
 * compute it again than to keep its result in memory until then. Nor is what stands in a checkpoint taken for
 * anything else: it is there to be forgotten. */
#include "graph/run.h"

#include <string.h>

#define NONE UINT32_MAX

typedef struct merger {
    gt__work *work;
    uint32_t *same;   /* of each node: the one that stands for it */
    uint32_t *bucket; /* nodes, found by what they compute */
    uint32_t mask;    /* buckets less one, which are a power of two */
} merger;

/* Numbers may differ from run to run, random ones always do. */
static bool may_stand(const gt__work *w, uint32_t k) {
    const gt__plan_node *n = &w->node[k];
    return !(n->state & (GT__FUSED | GT__WITH_NUMBERS | GT__IN_CHECKPOINT)) && n->n_in > 0 &&
           n->out == 0 && gt__results_of(w, k) == 1 &&
           !(n->op->more.traits & (GT_RANDOM | GT_EFFECT));
}

static bool may_go(const gt__work *w, uint32_t k) {
    return !(w->node[k].state & (GT__TO_STORE | GT__TO_HOLD | GT__TO_ASSIGN));
}

static bool are_alike(const gt__work *w, uint32_t a, uint32_t b) {
    const gt__plan_node *m = &w->node[a], *n = &w->node[b];
    const bool apart =
        n->op->more.traits & (GT_ELEMENTWISE | GT_SUMS) && (m->state ^ n->state) & GT__OF_RULE;
    return m->op == n->op && m->shape == n->shape && m->attr == n->attr && m->dtype == n->dtype &&
           m->n_in == n->n_in && !apart &&
           memcmp(w->in + m->in, w->in + n->in, n->n_in * sizeof *w->in) == 0;
}

static uint32_t hash_of(const gt__work *w, uint32_t k) {
    const gt__plan_node *n = &w->node[k];
    uint64_t hash = (uint64_t)(uintptr_t)n->op ^ ((uint64_t)n->shape << 32 | n->attr);
    for (uint32_t i = 0; i < n->n_in; i++) {
        hash = (hash ^ w->in[n->in + i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return (uint32_t)hash;
}

/* The first node that is like k; k itself, which is found from now on, when there is none. */
static uint32_t find(merger *m, uint32_t k) {
    uint32_t place = hash_of(m->work, k) & m->mask;
    for (; m->bucket[place] != NONE; place = (place + 1) & m->mask)
        if (are_alike(m->work, m->bucket[place], k)) return m->bucket[place];
    return m->bucket[place] = k;
}

static void merge_nodes(merger *m) {
    gt__work *w = m->work;
    for (uint32_t k = 0; k < w->n_nodes; k++) {
        gt__plan_node *n = &w->node[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            uint32_t *value = &w->in[n->in + i];
            if (!(*value & GT__EXTERNAL)) *value = m->same[*value];
        }
        m->same[k] = k;
        if (!may_stand(w, k)) continue;
        const uint32_t first = find(m, k);
        if (first == k || !may_go(w, k)) continue;
        m->same[k] = first;
        n->state = GT__MERGED;
        n->n_in = 0;
    }
    for (uint32_t k = 0; k < w->n_nodes; k++)
        w->node[k].state &= ~(uint32_t)(GT__OF_RULE | GT__IN_CHECKPOINT);
}

bool gt__plan_rewrite(gt_tape *tape, gt__work *work) {
    uint64_t buckets = 16;
    while (buckets < 2 * (uint64_t)work->n_nodes) buckets *= 2;
    uint32_t *block = gt__pool_take(&tape->pool, ((size_t)work->n_nodes + buckets) * sizeof *block);
    if (!block) return false;
    merger m = {.work = work, .same = block, .bucket = block + work->n_nodes};
    m.mask = (uint32_t)(buckets - 1);
    memset(m.bucket, 0xff, buckets * sizeof *m.bucket);
    merge_nodes(&m);
    gt__pool_give(&tape->pool, block);
    return true;
}
