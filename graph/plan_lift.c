/* graph/plan_lift.c: which element-wise operations run earlier than they have to: those of a gradient that look at nothing
 * but what the forward pass has in its hands. Often less has to be kept for the gradient then: one local derivative
 * instead of the two values that it is made of, or a condition, one byte, instead of a number. And what an operation
 * and its derivative have in common (gt_op_more.part) is computed once, where both run in one group.
 *
 * Candidates are those whose large operands are all of the stage at which they could run. They hang together by those, in
 * sets, and a set runs early if what is needed of it later is less than what is needed for its sake alone; or as much,
 * and something is shared. The best cut through a set is not looked for: but for operations at its end whose operands take
 * less than they do, it is taken as a whole or not at all. */
#include "graph/plan_make.h"

typedef struct lifter {
    gt__maker *m;
    /* of each node */
    uint32_t *home;   /* the stage at which it could run; GT__NONE: it is no candidate */
    uint32_t *needed; /* later, by others than candidates */
    uint32_t *base;   /* is it what a candidate looks at, and none itself? */
    /* by root of a set */
    uint32_t *kept, *saved; /* bytes of each element */
    uint32_t *shares;
} lifter;

/* Of as many elements as k. */
static bool is_large(const gt__maker *m, uint32_t value, uint32_t k) {
    return !gt__is_external(value) && m->work->node[value].shape == m->work->node[k].shape;
}

static bool is_element_wise(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    return m->joins[k] == GT__JOINS && !(n->state & ~(uint32_t)GT__WITH_NUMBERS) &&
           gt__entry_of(m, n->shape)->shape.rank > 0 && gt__member_tile(m, k);
}

/* When k can read j. */
static uint32_t ready_for(const lifter *l, uint32_t j, uint32_t k) {
    const bool early = is_large(l->m, j, k) && l->home[j] != GT__NONE;
    return (early ? l->home[j] : l->m->stage[j]) + gt__must_wait(l->m, j, k);
}

/* The stage at which k could run; GT__NONE where it runs then already, or not all that is as large is there just then. */
static uint32_t find_home(const lifter *l, uint32_t k) {
    const gt__maker *m = l->m;
    const uint32_t *in = gt__inputs_of(m, k), n_in = m->work->node[k].n_in;
    uint32_t home = 0;
    bool alike = false;
    if (!is_element_wise(m, k)) return GT__NONE;
    for (uint32_t i = 0; i < n_in; i++) {
        const bool outside = gt__is_external(in[i]);
        if (outside && gt__shape_of(m, in[i]) == m->work->node[k].shape) return GT__NONE;
        const uint32_t ready = outside ? 0 : ready_for(l, in[i], k);
        if (ready > home) home = ready;
    }
    for (uint32_t i = 0; i < n_in; i++) {
        if (!is_large(m, in[i], k)) continue;
        if (ready_for(l, in[i], k) != home) return GT__NONE;
        alike = true;
    }
    return alike && home < m->stage[k] ? home : GT__NONE;
}

static void find_candidates(lifter *l) {
    gt__maker *m = l->m;
    for (uint32_t k = 0; k < m->n; k++) {
        m->root[k] = k;
        l->base[k] = l->needed[k] = l->kept[k] = l->saved[k] = l->shares[k] = 0;
        l->home[k] = find_home(l, k);
        for (uint32_t i = 0; l->home[k] != GT__NONE && i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (!is_large(m, j, k)) continue;
            l->base[j] = l->home[j] == GT__NONE;
            gt__unite(m, j, k);
        }
    }
}

/* Later than it is made. A view takes no memory, and shows its operand's to who knows whom. */
static void find_needed(lifter *l) {
    gt__maker *m = l->m;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        if (n->state & (GT__TO_STORE | GT__TO_HOLD) || gt__is_view(m, k)) l->needed[k] = true;
        for (uint32_t i = 0; l->home[k] == GT__NONE && i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j)) continue;
            const bool later = l->home[j] != GT__NONE || m->stage[k] > m->stage[j];
            if (later || gt__is_view(m, k)) l->needed[j] = true;
        }
    }
}

static uint32_t element_bytes(const gt__maker *m, uint32_t k) {
    return (uint32_t)gt_dtype_size((gt_dtype)m->work->node[k].dtype);
}

/* Bytes of k's large operands that are not kept yet; GT__NONE where some are no candidates. */
static uint32_t bytes_below(const lifter *l, uint32_t k) {
    const gt__maker *m = l->m;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i];
        if (!is_large(m, j, k)) continue;
        if (l->home[j] == GT__NONE) return GT__NONE;
        if (!l->needed[j]) bytes += element_bytes(m, j);
    }
    return bytes;
}

/* Where what a candidate is made of takes less, that is kept instead: unless another candidate, which stays one, reads it. */
static void give_up_some(lifter *l) {
    gt__maker *m = l->m;
    uint32_t *read = l->shares; /* by a candidate; 0 for all, before and after */
    for (uint32_t k = m->n; k-- > 0;) {
        const bool was_read = read[k];
        read[k] = false;
        if (l->home[k] == GT__NONE) continue;
        const bool gives = l->needed[k] && !was_read && bytes_below(l, k) < element_bytes(m, k);
        if (gives) l->home[k] = GT__NONE;
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (is_large(m, j, k)) *(gives ? &l->needed[j] : &read[j]) = true;
        }
    }
}

static void weigh(lifter *l) {
    gt__maker *m = l->m;
    for (uint32_t k = 0; k < m->n; k++) {
        const uint32_t set = gt__unit_of(m, k), part = m->part[k], bytes = element_bytes(m, k);
        if (l->home[k] != GT__NONE && l->needed[k]) l->kept[set] += bytes;
        if (l->base[k] && !l->needed[k]) l->saved[set] += bytes;
        if (part == GT__NONE || l->home[part] == GT__NONE) continue;
        if (m->joins[k] && m->stage[k] == l->home[part]) l->shares[gt__unit_of(m, part)] = true;
    }
}

void gt__find_parts(gt__maker *m) {
    uint32_t *whole = m->seen; /* of each value: the operation that has a part, and reads it */
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) whole[v] = GT__NONE;
    for (uint32_t k = 0; k < m->n; k++) {
        m->part[k] = GT__NONE;
        if (m->work->node[k].op->more.part && m->work->node[k].n_in == 1)
            whole[gt__value_place(m, gt__inputs_of(m, k)[0])] = k;
    }
    for (uint32_t k = 0; k < m->n; k++) {
        if (m->work->node[k].n_in != 1) continue;
        const uint32_t w = whole[gt__value_place(m, gt__inputs_of(m, k)[0])];
        if (w != GT__NONE && m->work->node[w].op->more.part == m->work->node[k].op) m->part[w] = k;
    }
}

void gt__lift(gt__maker *m) {
    lifter l = {m, m->late, m->outside, m->final, m->head, m->tail, m->when};
    find_candidates(&l);
    find_needed(&l);
    give_up_some(&l);
    weigh(&l);
    for (uint32_t k = 0; k < m->n; k++) {
        const uint32_t set = gt__unit_of(m, k);
        if (l.home[k] == GT__NONE) continue;
        if (l.kept[set] < l.saved[set] || (l.kept[set] == l.saved[set] && l.shares[set]))
            m->stage[k] = l.home[k];
    }
}
