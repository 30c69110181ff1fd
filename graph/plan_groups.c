/* graph/plan_groups.c: which operations of a plan run together.
 *
 * Groups must not wait for each other in a circle. Every operation gets a stage: a kernel that reads what a
 * group computes is one stage after that group, all else is as late as its latest input. An element-wise
 * operation then sinks to the first stage that needs it, unless plan_lift.c has it run earlier. Within a stage a
 * group can only feed groups of larger shapes, since broadcasting never shrinks. So a path that leaves a group
 * leads to a later stage or a larger shape, and never back, whichever operations of one stage and shape are taken
 * together. Those are taken that are connected, directly or by a common operand.
 *
 * Shapes that differ in the last axis alone count as one, if that axis is short: folds of rows, and what is
 * made of their results, then belong to the group of the rows. A fold may drop its axis there: then only views
 * follow it within the group, and all else waits for a later stage. Folds of all elements, or of all rows to one, end
 * a group: nothing in it reads them. */
#include "graph/plan_make.h"
#include "graph/threads.h"

/* ---- who may be a member ------------------------------------------------------------------------------------- */

gt_tile gt__member_tile(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!(n->op->more.traits & GT_ELEMENTWISE) || !n->op->more.tile) return NULL;
    if (n->n_in < 1 || n->n_in > 3) return NULL;
    return gt__tile_of(m->tape, n->op, gt__dtype_of(m, gt__inputs_of(m, k)[n->n_in - 1]),
                       (gt_dtype)n->dtype, gt__entry_of(m, n->shape)->shape.rank);
}

bool gt__is_plain_sum(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!(n->op->more.traits & GT_SUMS)) return false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i];
        if (!gt__is_external(j) && m->work->node[j].state & GT__FUSED) return false;
    }
    return true;
}

static bool has_more_results(const gt__maker *m, uint32_t k) {
    return gt__results_of(m->work, k) > 1;
}

static bool may_join(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (n->state & (GT__FUSED | GT__MERGED | GT__UNROUNDED) ||
        gt__entry_of(m, n->shape)->numel == 0)
        return false;
    if (n->out || has_more_results(m, k)) return false;
    return gt__member_tile(m, k) || gt__is_plain_sum(m, k);
}

bool gt__fold_of(const gt__maker *m, uint32_t k, gt_fold *fold) {
    const gt__plan_node *n = &m->work->node[k];
    if (!n->op->more.fold || n->n_in != 1 || n->state & GT__FUSED || has_more_results(m, k))
        return false;
    const uint32_t j = gt__inputs_of(m, k)[0];
    const gt__shape_entry *from = gt__entry_of(m, gt__shape_of(m, j));
    const gt_array in = {.dtype = gt__dtype_of(m, j), .shape = from->shape};
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&m->tape->attrs, n->attr, NULL),
                          .n_in = 1,
                          .in = &in};
    *fold = (gt_fold){.take = NULL};
    return from->shape.rank > 0 && from->numel > 0 &&
           gt_dtype_size((gt_dtype)n->dtype) <= GT__PART && n->op->more.fold(&call, fold);
}

/* A fold of a whole member, in the parts that come as tiles. */
static bool folds_all(const gt__maker *m, uint32_t k) {
    gt_fold fold;
    const uint32_t j = m->work->node[k].n_in ? gt__inputs_of(m, k)[0] : GT__EXTERNAL;
    return !gt__is_external(j) && m->joins[j] &&
           gt__entry_of(m, m->work->node[k].shape)->numel == 1 && gt__fold_of(m, k, &fold);
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

bool gt__fits_rows(const gt_shape *s) {
    enum { LONGEST = 2048 };
    return s->rank >= 2 && s->dim[s->rank - 1] >= 1 && s->dim[s->rank - 1] <= LONGEST;
}

bool gt__have_equal_rows(const gt_shape *a, const gt_shape *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank - 1; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

/* Each row to one number: GT__JOINS if the axis is kept, GT__JOINS_FLAT if not, else 0. */
static uint32_t folds_rows(const gt__maker *m, uint32_t k) {
    gt_fold fold;
    if (!gt__fold_of(m, k, &fold)) return 0;
    const gt_shape *from = &gt__entry_of(m, gt__shape_of(m, gt__inputs_of(m, k)[0]))->shape;
    if (!gt__fits_rows(from) || fold.axes != 1u << (from->rank - 1)) return 0;
    return gt__entry_of(m, m->work->node[k].shape)->shape.rank == from->rank ? GT__JOINS
                                                                             : GT__JOINS_FLAT;
}

/* A member's shape in a group of rows. */
static gt_shape shape_by_rows(const gt__maker *m, uint32_t k) {
    gt_shape shape = gt__entry_of(m, m->work->node[k].shape)->shape;
    if (m->joins[k] == GT__JOINS_FLAT) shape.dim[shape.rank++] = 1;
    return shape;
}

/* All rows of a member to one, in the lines that come as tiles. Several threads take parts of them: there must be some. */
static bool folds_lines(const gt__maker *m, uint32_t k) {
    gt_fold fold;
    const uint32_t j = m->work->node[k].n_in ? gt__inputs_of(m, k)[0] : GT__EXTERNAL;
    if (gt__is_external(j) || m->joins[j] != GT__JOINS || !gt__fold_of(m, k, &fold)) return false;
    const gt__shape_entry *from = gt__entry_of(m, gt__shape_of(m, j));
    if (!fold.take || !gt__fits_rows(&from->shape) ||
        fold.axes != (1u << (from->shape.rank - 1)) - 1)
        return false;
    const int64_t parts = from->numel / from->shape.dim[from->shape.rank - 1] / GT_FOLD_LINES;
    const int threads = gt__threads();
    return threads == 1 || parts >= 2 * threads;
}

/* A view that shows its input as it is, or each number as a row. */
static bool copies(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!gt__is_view(m, k) || n->state || n->n_in != 1 || gt__is_external(gt__inputs_of(m, k)[0]))
        return false;
    gt_array in = {.dtype = (gt_dtype)n->dtype}, out = in, plain = in;
    in.shape = plain.shape = gt__entry_of(m, gt__shape_of(m, gt__inputs_of(m, k)[0]))->shape;
    out.shape = gt__entry_of(m, n->shape)->shape;
    if (folds_rows(m, gt__inputs_of(m, k)[0]) == GT__JOINS_FLAT)
        plain.shape.dim[plain.shape.rank++] = 1;
    if (!gt__fits_rows(&plain.shape) || !gt__fits_rows(&out.shape) ||
        !gt__have_equal_rows(&plain.shape, &out.shape))
        return false;
    if (gt_numel(out.shape) == 0) return false;
    gt__contiguous(&in);
    gt__contiguous(&plain);
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&m->tape->attrs, n->attr, NULL),
                          .n_in = 1,
                          .in = &in};
    int64_t offset = 0;
    if (!n->op->more.view(&call, &out, &offset) || offset) return false;
    const int last = out.shape.rank - 1;
    if (plain.shape.dim[last] == 1 && out.shape.dim[last] > 1) plain.stride[last] = 0;
    for (int d = 0; d <= last; d++)
        if (out.shape.dim[d] > 1 && out.stride[d] != plain.stride[d]) return false;
    return true;
}

/* Who can be a member. A view is one only between members: elsewhere it costs nothing. */
static void find_joiners(gt__maker *m) {
    uint32_t *apart = m->outside; /* read by what is no member */
    for (uint32_t k = 0; k < m->n; k++) apart[k] = false;
    for (uint32_t k = m->n; k-- > 0;) {
        m->joins[k] = may_join(m, k) || (!apart[k] && copies(m, k)) ? GT__JOINS : folds_rows(m, k);
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++)
            if (!m->joins[k] && !gt__is_external(gt__inputs_of(m, k)[i]))
                apart[gt__inputs_of(m, k)[i]] = true;
    }
    for (uint32_t k = 0; k < m->n; k++)
        if (gt__is_view(m, k) && m->joins[k])
            m->joins[k] = m->joins[gt__inputs_of(m, k)[0]] ? GT__JOINS : 0;
    for (uint32_t k = 0; k < m->n; k++) {
        m->folds[k] = 0;
        if (!m->joins[k] && folds_all(m, k))
            m->folds[k] = GT__FOLDS_ALL;
        else if (!m->joins[k] && folds_lines(m, k))
            m->folds[k] = GT__FOLDS_LINES;
    }
}

/* ---- stages ----------------------------------------------------------------------------------------------- */

/* k reads the member j: must it wait for j's group? A fold without its axis is another shape to all but views. */
bool gt__must_wait(const gt__maker *m, uint32_t j, uint32_t k) {
    return m->joins[j] && (!m->joins[k] || (m->joins[j] == GT__JOINS_FLAT && !gt__is_view(m, k)));
}

static void find_stages(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        m->late[k] = GT__NONE;
        m->stage[k] = 0;
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j)) continue;
            const uint32_t after = m->stage[j] + gt__must_wait(m, j, k);
            if (after > m->stage[k]) m->stage[k] = after;
        }
    }
}

static void sink(gt__maker *m) {
    for (uint32_t k = m->n; k-- > 0;) {
        const gt__plan_node *n = &m->work->node[k];
        if (m->joins[k] && m->late[k] != GT__NONE) m->stage[k] = m->late[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j) || !m->joins[j]) continue;
            const uint32_t limit = m->stage[k] - gt__must_wait(m, j, k);
            if (limit < m->late[j]) m->late[j] = limit;
        }
    }
    for (uint32_t k = 0; k < m->n; k++) /* only there has the fold a number for each row */
        if (m->joins[k] && gt__is_view(m, k) && m->joins[gt__inputs_of(m, k)[0]] == GT__JOINS_FLAT)
            m->stage[k] = m->stage[gt__inputs_of(m, k)[0]];
}

static bool are_alike(const gt__maker *m, uint32_t a, uint32_t b) {
    if (!m->joins[a] || !m->joins[b] || m->stage[a] != m->stage[b]) return false;
    if (m->work->node[a].shape == m->work->node[b].shape && m->joins[a] == m->joins[b]) return true;
    const gt_shape s = shape_by_rows(m, a), t = shape_by_rows(m, b);
    return gt__fits_rows(&s) && gt__fits_rows(&t) && gt__have_equal_rows(&s, &t);
}

/* Joins k with its inputs, and with whoever read the same large input before. */
static void join_neighbours(gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i];
        if (!gt__is_external(j) && are_alike(m, j, k)) gt__unite(m, j, k);
        if (gt__shape_of(m, j) != n->shape && !n->op->more.fold) continue;
        uint32_t *seen = &m->seen[gt__value_place(m, j)];
        if (*seen != GT__NONE && are_alike(m, *seen, k)) gt__unite(m, *seen, k);
        *seen = k;
    }
}

/* Numbers take no loads: all of one stage go together. late serves as the first of each stage. */
static void join_scalars(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->late[k] = GT__NONE;
    for (uint32_t k = 0; k < m->n; k++) {
        if (!m->joins[k] || gt__entry_of(m, m->work->node[k].shape)->shape.rank > 0) continue;
        uint32_t *first = &m->late[m->stage[k]];
        if (*first == GT__NONE) *first = k;
        gt__unite(m, *first, k);
    }
}

/* Which units go by rows. A fold or a view that found no company is computed like others. */
static void find_rows(gt__maker *m) {
    uint32_t *members = m->head; /* how many */
    for (uint32_t k = 0; k < m->n; k++) members[k] = m->by_rows[k] = 0;
    for (uint32_t k = 0; k < m->n; k++) members[gt__unit_of(m, k)] += m->joins[k] != 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const uint32_t unit = gt__unit_of(m, k);
        if (!m->joins[k]) continue;
        if (members[unit] == 1)
            m->joins[k] = may_join(m, k);
        else if (folds_rows(m, k) || m->work->node[k].shape != m->work->node[unit].shape)
            m->by_rows[unit] = true;
    }
}

/* A fold to one number ends the group of its input, if that does not go by rows; a fold to one row, if it can. */
static void settle_folds(gt__maker *m) {
    uint32_t *ended = m->head; /* by root: by a number */
    for (uint32_t k = 0; k < m->n; k++) ended[k] = false;
    for (uint32_t which = GT__FOLDS_ALL; which <= GT__FOLDS_LINES; which++)
        for (uint32_t k = 0; k < m->n; k++) {
            if (m->folds[k] != which) continue;
            const uint32_t j = gt__inputs_of(m, k)[0], unit = gt__unit_of(m, j);
            const bool all = which == GT__FOLDS_ALL;
            if (!m->joins[j] || (all ? m->by_rows[unit] : ended[unit])) {
                m->folds[k] = 0;
                continue;
            }
            *(all ? &ended[unit] : &m->by_rows[unit]) = true;
            gt__unite(m, j, k);
        }
}

static void list_members(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->head[k] = m->tail[k] = GT__NONE;
    for (uint32_t k = m->n; k-- > 0;) {
        const uint32_t unit = gt__unit_of(m, k);
        if (m->head[unit] == GT__NONE) m->tail[unit] = k;
        m->next[k] = m->head[unit];
        m->head[unit] = k;
    }
}

static void form_units(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->root[k] = k - m->work->node[k].out;
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->seen[v] = GT__NONE;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        if (m->joins[k]) join_neighbours(m, k);
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (!gt__is_external(j) && m->work->node[j].state & GT__FUSED) m->root[j] = k;
        }
    }
}

void gt__find_units(gt__maker *m) {
    find_joiners(m);
    find_stages(m);
    sink(m);
    gt__find_parts(m);
    gt__lift(m);
    form_units(m);
    join_scalars(m);
    find_rows(m);
    settle_folds(m);
    list_members(m);
}
