/* graph/plan_members.c: which values groups compute again, and the groups as they run: loads, members, slots of
 * scratch. */
#include "graph/plan_make.h"

#include <ctype.h>

/* ---- values computed again ------------------------------------------------------------------------------------

 * A value that waits for one other group, in memory, need not: that group can compute it from the same
 * operands, if they are there anyway. The price is a kernel over a tile that is in the cache; the memory, and
 * writing and reading it, is saved. So the expression calls no function, and one operand at most is as large:
 * else more would be read instead of the value. */

static bool calls_function(const char *expression) {
    for (const char *p = expression; *p; p++)
        if (isalnum((unsigned char)p[0]) && p[1] == '(') return true;
    return false;
}

bool gt__is_cheap(const gt_tape *tape, const gt__plan_node *n) {
    const gt__shape_entry *s = gt__bytes(&tape->shapes, n->shape, NULL);
    const char *expression = n->op->more.forward_text;
    return expression && s->shape.rank > 0 && !calls_function(expression);
}

/* Of each value, the one other group that reads it; GT__NONE where a kernel does, or several groups. */
static void find_other_readers(gt__maker *m) {
    const uint32_t many = GT__NONE - 1;
    for (uint32_t k = 0; k < m->n; k++) m->again[k] = GT__NONE;
    for (uint32_t k = 0; k < m->n; k++)
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i], unit = gt__unit_of(m, k);
            if (gt__is_external(j) || gt__unit_of(m, j) == unit) continue;
            const bool alone = m->again[j] == GT__NONE || m->again[j] == unit;
            m->again[j] = alone && m->joins[k] && !m->final[unit] ? unit : many;
        }
    for (uint32_t k = 0; k < m->n; k++)
        if (m->again[k] == many) m->again[k] = GT__NONE;
}

/* Will it stand in memory while that unit runs, whoever computes what again? */
static bool is_there(gt__maker *m, uint32_t value, uint32_t unit) {
    if (gt__is_external(value)) return true;
    const bool in_memory = m->outside[value] || !m->joins[value];
    return in_memory && m->again[value] == GT__NONE && m->last[value] >= m->when[unit];
}

/* A fold may come first and have dropped its axis; what it folds has all. */
static uint32_t group_shape(const gt__maker *m, uint32_t unit) {
    return m->joins[unit] == GT__JOINS_FLAT ? gt__shape_of(m, gt__inputs_of(m, unit)[0])
                                            : m->work->node[unit].shape;
}

static bool has_shape_of(const gt__maker *m, uint32_t k, uint32_t unit) {
    if (!m->by_rows[unit]) return m->work->node[k].shape == m->work->node[unit].shape;
    const gt_shape *own = &gt__entry_of(m, m->work->node[k].shape)->shape;
    const gt_shape *rows = &gt__entry_of(m, group_shape(m, unit))->shape;
    return gt__fits_rows(own) && gt__have_equal_rows(own, rows);
}

static bool pays_again(gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    const uint32_t unit = m->again[k];
    if (unit == GT__NONE || m->outside[k] != GT__BY_A_STEP || !m->joins[k] ||
        gt__is_plain_sum(m, k))
        return false;
    if (!gt__is_cheap(m->tape, n) || !has_shape_of(m, k, unit)) return false;
    int large = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i];
        if (!is_there(m, j, unit)) return false;
        large += gt__entry_of(m, gt__shape_of(m, j))->numel == gt__entry_of(m, n->shape)->numel;
    }
    return large <= 1;
}

void gt__find_again(gt__maker *m) {
    find_other_readers(m);
    for (uint32_t k = 0; k < m->n; k++) {
        if (!pays_again(m, k)) m->again[k] = GT__NONE;
        if (m->again[k] != GT__NONE) m->outside[k] = 0;
    }
}

/* ---- the members of a group -------------------------------------------------------------------------------- */

/* Lists in `waiting` what the unit reads of other groups and computes again; returns how much that is. */
static uint32_t list_again(gt__maker *m, uint32_t unit) {
    uint32_t count = 0;
    for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j) || m->again[j] != unit || m->local_of[j] == unit) continue;
            m->local_of[j] = unit;
            m->waiting[count++] = j;
        }
    return count;
}

/* The part that k and others of its group have in common, or GT__NONE: k then is made of that. */
static uint32_t shared_part(gt__maker *m, uint32_t unit, uint32_t k) {
    const uint32_t part = m->part[k];
    const bool shared =
        part != GT__NONE && gt__unit_of(m, part) == unit && gt__unit_of(m, k) == unit;
    return shared && gt__entry_of(m, m->work->node[k].shape)->shape.rank > 0 ? part : GT__NONE;
}

/* Of the unit's own operations. */
static bool is_member(const gt__maker *m, uint32_t unit, uint32_t k) {
    return m->local_of[k] == unit;
}

static void find_loads_of(gt__maker *m, gt__group *g, uint32_t unit, uint32_t k) {
    for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i], place = gt__value_place(m, j);
        if (m->local_of[place] == unit || (!gt__is_external(j) && gt__unit_of(m, j) == unit))
            continue;
        m->local_of[place] = unit;
        m->local[place] = g->n_loads++;
        m->plan->load[m->n_loads++] = j;
    }
}

/* 1 for a number. */
static uint32_t row_length(const gt__maker *m, uint32_t value) {
    const gt_shape *s = &gt__entry_of(m, gt__shape_of(m, value))->shape;
    return s->rank ? (uint32_t)s->dim[s->rank - 1] : 1;
}

/* Denormals; a fold's input has the larger rank, other results have. */
static bool may_flush(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    const uint32_t last = gt__inputs_of(m, k)[n->n_in - 1];
    const int from = gt__entry_of(m, gt__shape_of(m, last))->shape.rank;
    const int to = gt__entry_of(m, n->shape)->shape.rank;
    return gt__may_flush(n->op, gt__dtype_of(m, last), (gt_dtype)n->dtype, from > to ? from : to);
}

// NOLINTNEXTLINE(misc-no-recursion): a part has none itself, or few
static void add_member(gt__maker *m, gt__group *g, uint32_t unit, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    const uint32_t part = shared_part(m, unit, k);
    if (part != GT__NONE && !is_member(m, unit, part)) add_member(m, g, unit, part);
    gt__member *member = &m->plan->member[m->n_members++];
    m->local_of[k] = unit;
    m->local[k] = g->n_loads + g->n_members++;
    *member =
        (gt__member){.node = k, .operand = m->n_operands, .n_in = n->n_in, .target = GT__NO_TARGET};
    if (m->final[unit] && gt__may_overwrite(m, k)) member->target = gt__target_of(m, k);
    for (uint32_t i = 0; i < n->n_in; i++)
        m->plan->operand[m->n_operands++] = m->local[gt__value_place(m, gt__inputs_of(m, k)[i])];
    if (part != GT__NONE) m->plan->operand[m->n_operands++] = m->local[part], member->n_in++;
    member->flushes = may_flush(m, k);
    member->width = g->by_rows && m->joins[k] != GT__JOINS_FLAT ? row_length(m, k) : 1;
    if (m->folds[k] == GT__FOLDS_ALL) member->slot = g->n_folds++;
    if (m->folds[k] == GT__FOLDS_LINES) member->slot = g->n_lines++;
    const gt_dtype dtype = (gt_dtype)n->dtype;
    member->tile = gt__is_plain_sum(m, k) ? n->op->more.tile(dtype, dtype)
                   : part != GT__NONE     ? n->op->more.of_part(dtype, dtype)
                                          : gt__member_tile(m, k);
    member->kind = m->folds[k] == GT__FOLDS_ALL     ? GT__FOLD
                   : m->folds[k] == GT__FOLDS_LINES ? GT__LINES
                   : gt__is_plain_sum(m, k)         ? GT__SUM
                   : member->tile                   ? GT__TILE
                   : gt__is_view(m, k)              ? GT__COPY
                                                    : GT__ROWS;
    if (m->folds[k] || member->kind == GT__ROWS) {
        member->fold = m->n_folds;
        gt__fold_of(m, k, &m->plan->fold[m->n_folds++]);
    }
}

static uint32_t value_of(const gt__maker *m, const gt__group *g, const gt__member *member,
                         uint32_t i) {
    const uint32_t number = m->plan->operand[member->operand + i];
    return number < g->n_loads ? m->plan->load[g->load + number]
                               : m->plan->member[g->member + number - g->n_loads].node;
}

/* May the result be written where an operand was? Elements of one size are done with when theirs is written. */
static bool may_replace_operands(const gt__maker *m, const gt__group *g, const gt__member *member) {
    const gt__plan_node *n = &m->work->node[member->node];
    bool may = member->kind == GT__TILE;
    for (uint32_t i = 0; i < member->n_in; i++)
        may = may && gt_dtype_size(gt__dtype_of(m, value_of(m, g, member, i))) ==
                         gt_dtype_size((gt_dtype)n->dtype);
    return may;
}

/* Puts the slots of operands that nobody reads later on top of the n_free others; returns how many there are then. */
static uint32_t free_slots(gt__maker *m, const gt__group *g, const gt__member *member,
                           uint32_t n_free) {
    uint32_t *last_reader = m->late, *unused = m->at;
    for (uint32_t i = 0; i < member->n_in; i++) {
        const uint32_t number = m->plan->operand[member->operand + i];
        const uint32_t j = value_of(m, g, member, i);
        if (number < g->n_loads || last_reader[j] != member->node) continue;
        const uint32_t slot = m->plan->member[g->member + number - g->n_loads].slot;
        if (slot != GT__IN_MEMORY) unused[n_free++] = slot;
        last_reader[j] = GT__NONE; /* an operand can be given twice */
    }
    return n_free;
}

/* Tiles of scratch, used again when the last reader has run. late tells who that is; at is the list of free
 * slots, as far as it reaches over members: they are no fewer. */
static void assign_slots(gt__maker *m, gt__group *g) {
    uint32_t n_free = 0;
    gt__member *member = &m->plan->member[g->member];
    g->n_slots = g->n_loads;
    for (uint32_t a = 0; a < g->n_members; a++)
        for (uint32_t i = 0; i < member[a].n_in; i++) {
            const uint32_t j = value_of(m, g, &member[a], i);
            if (!gt__is_external(j)) m->late[j] = member[a].node;
        }
    for (uint32_t a = 0; a < g->n_members; a++, member++) {
        const bool first = may_replace_operands(m, g, member);
        if (first) n_free = free_slots(m, g, member, n_free);
        if (m->joins[member->node])
            member->slot = m->outside[member->node] ? GT__IN_MEMORY
                           : n_free                 ? m->at[--n_free]
                                                    : g->n_slots++;
        if (!first) n_free = free_slots(m, g, member, n_free);
    }
}

/* The largest element and the longest row of what the group handles. */
static void find_widest(const gt__maker *m, gt__group *g) {
    g->element = g->widest = 1;
    for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) {
        const uint32_t value = k < g->n_loads ? m->plan->load[g->load + k]
                                              : m->plan->member[g->member + k - g->n_loads].node;
        const uint32_t size = (uint32_t)gt_dtype_size(gt__dtype_of(m, value));
        const bool rows = g->by_rows && (k < g->n_loads || m->joins[value] != GT__JOINS_FLAT);
        const uint32_t length = rows ? row_length(m, value) : 1;
        if (size > g->element) g->element = size;
        if (length > g->widest) g->widest = length;
    }
}

/* Slots of rows; those of one number a row take next to nothing of a cache. Behind those of the loads there are no more
 * than members. */
static void count_full_slots(const gt__maker *m, gt__group *g) {
    const gt__member *member = &m->plan->member[g->member];
    uint32_t *counted = m->at;
    for (uint32_t k = 0; k < g->n_members; k++) counted[k] = false;
    for (uint32_t k = 0; k < g->n_loads; k++)
        g->n_full += !g->by_rows || row_length(m, m->plan->load[g->load + k]) > 1;
    for (uint32_t k = 0; k < g->n_members; k++, member++) {
        if (gt__ends_group(member) || member->slot == GT__IN_MEMORY) continue;
        if ((g->by_rows && member->width == 1) || counted[member->slot - g->n_loads]) continue;
        counted[member->slot - g->n_loads] = true;
        g->n_full++;
    }
}

void gt__make_groups(gt__maker *m) {
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->local_of[v] = GT__NONE;
    for (uint32_t unit = 0; unit < m->n; unit++) {
        if (m->root[unit] != unit || !m->joins[unit]) continue;
        gt__group *g = &m->plan->group[m->plan->step[m->when[unit]].first];
        *g = (gt__group){.shape = group_shape(m, unit),
                         .member = m->n_members,
                         .by_rows = m->by_rows[unit]};
        g->rank = (uint32_t)gt__entry_of(m, g->shape)->shape.rank;
        g->load = m->n_loads;
        const uint32_t n_again = list_again(m, unit);
        for (uint32_t a = 0; a < n_again; a++) find_loads_of(m, g, unit, m->waiting[a]);
        for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
            find_loads_of(m, g, unit, k);
        for (uint32_t a = 0; a < n_again; a++) add_member(m, g, unit, m->waiting[a]);
        for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
            if (!is_member(m, unit, k)) add_member(m, g, unit, k);
        m->plan->n_again += n_again;
        assign_slots(m, g);
        find_widest(m, g);
        count_full_slots(m, g);
    }
}
