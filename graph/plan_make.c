/* graph/plan_make.c: makes a plan: which element-wise operations run together, in which order, and when a
 * value is of no use any more.
 *
 * Groups must not wait for each other in a circle. Every operation gets a stage: a kernel that reads what a
 * group computes is one stage after that group, all else is as late as its latest input. An element-wise
 * operation then sinks to the first stage that needs it. Within a stage a group can only feed groups of
 * larger shapes, since broadcasting never shrinks. So a path that leaves a group leads to a later stage or a
 * larger shape, and never back, whichever operations of one stage and shape are taken together. Those are
 * taken that are connected, directly or by a common operand.
 *
 * Shapes that differ in the last axis alone count as one, if that axis is short: folds of rows, and what is
 * made of their results, then belong to the group of the rows. */
#include "graph/run.h"

#include <ctype.h>
#include <string.h>

#define NONE UINT32_MAX

typedef struct maker {
    gt_tape *tape;
    const gt__work *work;
    gt__plan *plan;
    uint32_t n; /* nodes */
    /* of each node */
    uint32_t *joins; /* may it be a member of a group? JOINS_FLAT: as a fold that drops its axis */
    uint32_t *folds; /* may it end a group, as the fold of a member to one number? */
    uint32_t *stage, *late;
    uint32_t *by_rows;              /* by root: have its members rows of different lengths? */
    uint32_t *root;                 /* towards the node that stands for its unit */
    uint32_t *outside;              /* who needs it outside of its unit */
    uint32_t *final;                /* by root: is it a group that overwrites leaves? */
    uint32_t *again;                /* the other unit that computes it again, or NONE */
    uint32_t *last;                 /* the last step that needs it */
    uint32_t *next;                 /* member of the unit */
    uint32_t *head, *tail, *when;   /* by root: members, and the unit's step */
    uint32_t *at, *at_in, *waiting; /* by root: how far scheduling has come; the stack */
    /* of each node, then of each external */
    uint32_t *seen;  /* who used it last */
    uint32_t *local; /* its operand number in the group `local_of` */
    uint32_t *local_of;
    uint32_t *writer; /* who overwrites it */
    uint32_t n_members, n_operands, n_loads, n_folds;
} maker;

enum { PER_NODE = 17, PER_VALUE = 4 };
enum { BY_THE_END = 1, BY_A_STEP = 2 }; /* see outside */
enum { JOINS = 1, JOINS_FLAT = 2 };     /* see joins */

static const uint32_t *inputs(const maker *m, uint32_t k) {
    return m->work->in + m->work->node[k].in;
}
static bool is_external(uint32_t value) { return value & GT__EXTERNAL; }
/* A place for each value: nodes, then externals. */
static uint32_t place_of(const maker *m, uint32_t value) {
    return is_external(value) ? m->n + (value & ~GT__EXTERNAL) : value;
}
static uint32_t shape_of(const maker *m, uint32_t value) {
    return is_external(value) ? m->work->external[value & ~GT__EXTERNAL].shape
                              : m->work->node[value].shape;
}
static gt_dtype dtype_of(const maker *m, uint32_t value) {
    return (gt_dtype)(is_external(value) ? m->work->external[value & ~GT__EXTERNAL].dtype
                                         : m->work->node[value].dtype);
}
static bool is_view(const maker *m, uint32_t k) {
    return m->work->node[k].op->more.traits & GT_VIEW;
}

static const gt__shape_entry *shape_entry(const maker *m, uint32_t shape) {
    return gt__bytes(&m->tape->shapes, shape, NULL);
}

/* ---- groups ---------------------------------------------------------------------------------------------- */

static gt_tile tile_of(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!(n->op->more.traits & GT_ELEMENTWISE) || !n->op->more.tile) return NULL;
    if (n->n_in < 1 || n->n_in > 3) return NULL;
    return gt__tile_of(m->tape, n->op, dtype_of(m, inputs(m, k)[n->n_in - 1]), (gt_dtype)n->dtype,
                       shape_entry(m, n->shape)->shape.rank);
}

/* A sum of what stands in memory or in the group, not of contributions that add themselves. */
static bool is_plain_sum(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!(n->op->more.traits & GT_SUMS)) return false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = inputs(m, k)[i];
        if (!is_external(j) && m->work->node[j].state & GT__FUSED) return false;
    }
    return true;
}

static bool has_more_results(const maker *m, uint32_t k) {
    return k + 1 < m->n && m->work->node[k + 1].out == 1;
}

static bool may_join(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (n->state & (GT__FUSED | GT__MERGED) || shape_entry(m, n->shape)->numel == 0) return false;
    if (n->out || has_more_results(m, k)) return false;
    return tile_of(m, k) || is_plain_sum(m, k);
}

/* How k folds its input, if it does. */
static bool fold_of(const maker *m, uint32_t k, gt_fold *fold) {
    const gt__plan_node *n = &m->work->node[k];
    if (!n->op->more.fold || n->n_in != 1 || n->state & GT__FUSED || has_more_results(m, k))
        return false;
    const uint32_t j = inputs(m, k)[0];
    const gt__shape_entry *from = shape_entry(m, shape_of(m, j));
    const gt_array in = {.dtype = dtype_of(m, j), .shape = from->shape};
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&m->tape->attrs, n->attr, NULL),
                          .n_in = 1,
                          .in = &in};
    return from->shape.rank > 0 && from->numel > 0 &&
           gt_dtype_size((gt_dtype)n->dtype) <= GT__PART && n->op->more.fold(&call, fold);
}

/* A fold of a whole member, in the parts that come as tiles. */
static bool folds_all(const maker *m, uint32_t k) {
    gt_fold fold;
    const uint32_t j = m->work->node[k].n_in ? inputs(m, k)[0] : GT__EXTERNAL;
    return !is_external(j) && m->joins[j] && shape_entry(m, m->work->node[k].shape)->numel == 1 &&
           fold_of(m, k, &fold);
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

/* Rows that fit the scratch of a group. */
static bool has_rows(const gt_shape *s) {
    enum { LONGEST = 2048 };
    return s->rank >= 2 && s->dim[s->rank - 1] >= 1 && s->dim[s->rank - 1] <= LONGEST;
}

/* Equal but for the last axis. */
static bool have_equal_rows(const gt_shape *a, const gt_shape *b) {
    if (a->rank != b->rank) return false;
    for (int d = 0; d < a->rank - 1; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

/* Each row to one number: JOINS if the axis is kept, JOINS_FLAT if not, else 0. */
static uint32_t folds_rows(const maker *m, uint32_t k) {
    gt_fold fold;
    if (!fold_of(m, k, &fold)) return 0;
    const gt_shape *from = &shape_entry(m, shape_of(m, inputs(m, k)[0]))->shape;
    if (!has_rows(from) || fold.axes != 1u << (from->rank - 1)) return 0;
    return shape_entry(m, m->work->node[k].shape)->shape.rank == from->rank ? JOINS : JOINS_FLAT;
}

/* A member's shape in a group of rows. */
static gt_shape shape_by_rows(const maker *m, uint32_t k) {
    gt_shape shape = shape_entry(m, m->work->node[k].shape)->shape;
    if (m->joins[k] == JOINS_FLAT) shape.dim[shape.rank++] = 1;
    return shape;
}

/* A view that shows its input as it is, or each number as a row. */
static bool copies(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (!is_view(m, k) || n->state || n->n_in != 1 || is_external(inputs(m, k)[0])) return false;
    gt_array in = {.dtype = (gt_dtype)n->dtype}, out = in, plain = in;
    in.shape = plain.shape = shape_entry(m, shape_of(m, inputs(m, k)[0]))->shape;
    out.shape = shape_entry(m, n->shape)->shape;
    if (folds_rows(m, inputs(m, k)[0]) == JOINS_FLAT) plain.shape.dim[plain.shape.rank++] = 1;
    if (!has_rows(&plain.shape) || !has_rows(&out.shape) ||
        !have_equal_rows(&plain.shape, &out.shape))
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
static void find_joiners(maker *m) {
    uint32_t *apart = m->outside; /* read by what is no member */
    for (uint32_t k = 0; k < m->n; k++) apart[k] = false;
    for (uint32_t k = m->n; k-- > 0;) {
        m->joins[k] = may_join(m, k) || (!apart[k] && copies(m, k)) ? JOINS : folds_rows(m, k);
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++)
            if (!m->joins[k] && !is_external(inputs(m, k)[i])) apart[inputs(m, k)[i]] = true;
    }
    for (uint32_t k = 0; k < m->n; k++)
        if (is_view(m, k) && m->joins[k]) m->joins[k] = m->joins[inputs(m, k)[0]] ? JOINS : 0;
    for (uint32_t k = 0; k < m->n; k++) m->folds[k] = !m->joins[k] && folds_all(m, k);
}

/* ---- stages ----------------------------------------------------------------------------------------------- */

/* k reads the member j: must it wait for j's group? A fold without its axis is another shape to all but views. */
static bool must_wait(const maker *m, uint32_t j, uint32_t k) {
    return m->joins[j] && (!m->joins[k] || (m->joins[j] == JOINS_FLAT && !is_view(m, k)));
}

static void find_stages(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        m->late[k] = NONE;
        m->stage[k] = 0;
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (is_external(j)) continue;
            const uint32_t after = m->stage[j] + must_wait(m, j, k);
            if (after > m->stage[k]) m->stage[k] = after;
        }
    }
}

static void sink(maker *m) {
    for (uint32_t k = m->n; k-- > 0;) {
        const gt__plan_node *n = &m->work->node[k];
        if (m->joins[k] && m->late[k] != NONE) m->stage[k] = m->late[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (is_external(j) || !m->joins[j]) continue;
            const uint32_t limit = m->stage[k] - must_wait(m, j, k);
            if (limit < m->late[j]) m->late[j] = limit;
        }
    }
    for (uint32_t k = 0; k < m->n; k++) /* only there has the fold a number for each row */
        if (m->joins[k] && is_view(m, k) && m->joins[inputs(m, k)[0]] == JOINS_FLAT)
            m->stage[k] = m->stage[inputs(m, k)[0]];
}

static uint32_t unit_of(maker *m, uint32_t k) {
    while (m->root[k] != k) {
        m->root[k] = m->root[m->root[k]];
        k = m->root[k];
    }
    return k;
}

static void unite(maker *m, uint32_t a, uint32_t b) {
    a = unit_of(m, a);
    b = unit_of(m, b);
    if (a < b)
        m->root[b] = a;
    else
        m->root[a] = b;
}

static bool are_alike(const maker *m, uint32_t a, uint32_t b) {
    if (!m->joins[a] || !m->joins[b] || m->stage[a] != m->stage[b]) return false;
    if (m->work->node[a].shape == m->work->node[b].shape && m->joins[a] == m->joins[b]) return true;
    const gt_shape s = shape_by_rows(m, a), t = shape_by_rows(m, b);
    return has_rows(&s) && has_rows(&t) && have_equal_rows(&s, &t);
}

/* Joins k with its inputs, and with whoever read the same large input before. */
static void join_neighbours(maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = inputs(m, k)[i];
        if (!is_external(j) && are_alike(m, j, k)) unite(m, j, k);
        if (shape_of(m, j) != n->shape && !n->op->more.fold) continue;
        uint32_t *seen = &m->seen[place_of(m, j)];
        if (*seen != NONE && are_alike(m, *seen, k)) unite(m, *seen, k);
        *seen = k;
    }
}

/* Numbers take no loads: all of one stage go together. late serves as the first of each stage. */
static void join_scalars(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->late[k] = NONE;
    for (uint32_t k = 0; k < m->n; k++) {
        if (!m->joins[k] || shape_entry(m, m->work->node[k].shape)->shape.rank > 0) continue;
        uint32_t *first = &m->late[m->stage[k]];
        if (*first == NONE) *first = k;
        unite(m, *first, k);
    }
}

/* Which units go by rows. A fold or a view that found no company is computed like others. */
static void find_rows(maker *m) {
    uint32_t *members = m->head; /* how many */
    for (uint32_t k = 0; k < m->n; k++) members[k] = m->by_rows[k] = 0;
    for (uint32_t k = 0; k < m->n; k++) members[unit_of(m, k)] += m->joins[k] != 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const uint32_t unit = unit_of(m, k);
        if (!m->joins[k]) continue;
        if (members[unit] == 1)
            m->joins[k] = may_join(m, k);
        else if (folds_rows(m, k) || m->work->node[k].shape != m->work->node[unit].shape)
            m->by_rows[unit] = true;
    }
}

/* A fold to one number ends the group of its input, if that does not go by rows. */
static void settle_folds(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) {
        if (!m->folds[k]) continue;
        const uint32_t j = inputs(m, k)[0];
        m->folds[k] = m->joins[j] && !m->by_rows[unit_of(m, j)];
        if (m->folds[k]) unite(m, j, k);
    }
}

static void list_members(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->head[k] = m->tail[k] = NONE;
    for (uint32_t k = m->n; k-- > 0;) {
        const uint32_t unit = unit_of(m, k);
        if (m->head[unit] == NONE) m->tail[unit] = k;
        m->next[k] = m->head[unit];
        m->head[unit] = k;
    }
}

static void find_units(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->root[k] = k - m->work->node[k].out;
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->seen[v] = NONE;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        if (m->joins[k]) join_neighbours(m, k);
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (!is_external(j) && m->work->node[j].state & GT__FUSED) m->root[j] = k;
        }
    }
    join_scalars(m);
    find_rows(m);
    settle_folds(m);
    list_members(m);
}

/* ---- groups that overwrite leaves ----------------------------------------------------------------------------

 * They come last, when nothing can fail any more, so nothing else may need what they compute. */

static void find_outside(maker *m) {
    for (uint32_t k = 0; k < m->n; k++)
        m->outside[k] = m->work->node[k].state & (GT__TO_STORE | GT__TO_HOLD) ? BY_THE_END : 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (!is_external(j) && unit_of(m, j) != unit_of(m, k)) m->outside[j] |= BY_A_STEP;
        }
    }
}

static bool may_overwrite(const maker *m, uint32_t k) {
    const unsigned state = m->work->node[k].state;
    return state & GT__TO_ASSIGN && !(state & GT__TO_STORE) && !(m->outside[k] & BY_A_STEP) &&
           m->joins[k] != JOINS_FLAT;
}

static uint32_t target_of(const maker *m, uint32_t k) {
    return inputs(m, k)[m->work->node[k].n_in];
}

/* What a chain of views looks at. */
static uint32_t base_of(const maker *m, uint32_t value) {
    while (!is_external(value) && m->work->node[value].op->more.traits & GT_VIEW)
        value = inputs(m, value)[0];
    return value;
}

/* The operation k of such a group reads value: may its leaf be overwritten in place? Only by k's own group,
 * at k or later, element by element. */
static void check_reader(maker *m, uint32_t k, uint32_t value) {
    const uint32_t base = base_of(m, value);
    if (!is_external(base)) return;
    const uint32_t writer = m->writer[place_of(m, base)];
    if (writer == NONE || !m->final[unit_of(m, writer)]) return;
    const bool safe = unit_of(m, k) == unit_of(m, writer) && is_external(value) && k <= writer;
    if (!safe) m->final[unit_of(m, writer)] = false;
}

static void find_finals(maker *m) {
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->writer[v] = NONE;
    for (uint32_t k = 0; k < m->n; k++)
        m->final[k] = m->root[k] == k && m->joins[k] &&
                      shape_entry(m, m->work->node[k].shape)->shape.rank > 0;
    for (uint32_t k = 0; k < m->n; k++)
        if (m->folds[k] || (m->outside[k] && !may_overwrite(m, k))) m->final[unit_of(m, k)] = false;
    for (uint32_t k = 0; k < m->n; k++)
        if (m->final[unit_of(m, k)] && may_overwrite(m, k))
            m->writer[place_of(m, target_of(m, k))] = k;
    for (uint32_t k = 0; k < m->n; k++)
        for (uint32_t i = 0; m->final[unit_of(m, k)] && i < m->work->node[k].n_in; i++)
            check_reader(m, k, inputs(m, k)[i]);
}

/* ---- order ------------------------------------------------------------------------------------------------- */

/* The next unit that must come before this one; NONE when there is none left. */
static uint32_t next_missing(maker *m, uint32_t unit) {
    for (; m->at[unit] != NONE; m->at[unit] = m->next[m->at[unit]], m->at_in[unit] = 0) {
        const uint32_t k = m->at[unit];
        while (m->at_in[unit] < m->work->node[k].n_in) {
            const uint32_t j = inputs(m, k)[m->at_in[unit]];
            const uint32_t other = is_external(j) ? unit : unit_of(m, j);
            if (other != unit && m->when[other] == NONE) return other;
            m->at_in[unit]++;
        }
    }
    return NONE;
}

static void add_step(maker *m, uint32_t unit) {
    gt__plan *p = m->plan;
    m->when[unit] = p->n_steps;
    p->step[p->n_steps++] =
        (gt__step){.first = m->joins[unit] ? p->n_groups++ : unit, .is_group = m->joins[unit]};
}

/* A step for the unit, after steps for those that it needs. */
static void schedule_unit(maker *m, uint32_t first) {
    uint32_t depth = 0;
    m->waiting[0] = first;
    for (;;) {
        const uint32_t unit = m->waiting[depth];
        const uint32_t missing = m->when[unit] == NONE ? next_missing(m, unit) : NONE;
        if (missing != NONE) {
            m->waiting[++depth] = missing;
            continue;
        }
        if (m->when[unit] == NONE) add_step(m, unit);
        if (depth-- == 0) return;
    }
}

/* Units in the order of their last members, but each after those that it needs. */
static void schedule(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) {
        m->when[k] = NONE;
        m->at[k] = m->head[k];
        m->at_in[k] = 0;
    }
    for (uint32_t final = 0; final < 2; final++) {
        if (final) m->plan->first_final = m->plan->n_steps;
        for (uint32_t k = 0; k < m->n; k++) {
            const uint32_t unit = unit_of(m, k);
            const bool computed = !(m->work->node[k].state & GT__MERGED);
            if (m->tail[unit] == k && m->final[unit] == final && computed) schedule_unit(m, unit);
        }
    }
}

/* ---- the ends of lives ------------------------------------------------------------------------------------- */

static void find_lives(maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->last[k] = m->when[unit_of(m, k)];
    for (uint32_t k = m->n; k-- > 0;) {
        const gt__plan_node *n = &m->work->node[k];
        const uint32_t step = m->when[unit_of(m, k)];
        const bool view = n->op->more.traits & GT_VIEW;
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (is_external(j)) continue;
            const uint32_t end = view && m->last[k] > step ? m->last[k] : step;
            if (end > m->last[j]) m->last[j] = end;
        }
    }
}

/* Does the value have a block that is given back in the course of the run? */
static bool dies(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (n->state & (GT__TO_STORE | GT__TO_HOLD | GT__FUSED | GT__MERGED)) return false;
    return m->outside[k] || !m->joins[k];
}

static void list_deaths(maker *m) {
    gt__plan *p = m->plan;
    uint32_t place = 0;
    for (uint32_t k = 0; k < m->n; k++)
        if (dies(m, k)) p->step[m->last[k]].n_die++;
    for (uint32_t s = 0; s < p->n_steps; s++) {
        p->step[s].die = place;
        place += p->step[s].n_die;
        p->step[s].n_die = 0;
    }
    for (uint32_t k = 0; k < m->n; k++) {
        if (!dies(m, k)) continue;
        gt__step *step = &p->step[m->last[k]];
        p->die[step->die + step->n_die++] = k;
    }
}

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

static bool is_cheap(const gt_tape *tape, const gt__plan_node *n) {
    const gt__shape_entry *s = gt__bytes(&tape->shapes, n->shape, NULL);
    const char *expression = n->op->more.forward_text;
    return expression && s->shape.rank > 0 && !calls_function(expression);
}

/* Of each value, the one other group that reads it; NONE where a kernel does, or several groups. */
static void find_other_readers(maker *m) {
    const uint32_t many = NONE - 1;
    for (uint32_t k = 0; k < m->n; k++) m->again[k] = NONE;
    for (uint32_t k = 0; k < m->n; k++)
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = inputs(m, k)[i], unit = unit_of(m, k);
            if (is_external(j) || unit_of(m, j) == unit) continue;
            const bool alone = m->again[j] == NONE || m->again[j] == unit;
            m->again[j] = alone && m->joins[k] && !m->final[unit] ? unit : many;
        }
    for (uint32_t k = 0; k < m->n; k++)
        if (m->again[k] == many) m->again[k] = NONE;
}

/* Will it stand in memory while that unit runs, whoever computes what again? */
static bool is_there(maker *m, uint32_t value, uint32_t unit) {
    if (is_external(value)) return true;
    const bool in_memory = m->outside[value] || !m->joins[value];
    return in_memory && m->again[value] == NONE && m->last[value] >= m->when[unit];
}

static uint32_t group_shape(const maker *m, uint32_t unit);

static bool has_shape_of(const maker *m, uint32_t k, uint32_t unit) {
    if (!m->by_rows[unit]) return m->work->node[k].shape == m->work->node[unit].shape;
    const gt_shape *own = &shape_entry(m, m->work->node[k].shape)->shape;
    const gt_shape *rows = &shape_entry(m, group_shape(m, unit))->shape;
    return has_rows(own) && have_equal_rows(own, rows);
}

static bool pays_again(maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    const uint32_t unit = m->again[k];
    if (unit == NONE || m->outside[k] != BY_A_STEP || !m->joins[k] || is_plain_sum(m, k))
        return false;
    if (!is_cheap(m->tape, n) || !has_shape_of(m, k, unit)) return false;
    int large = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const uint32_t j = inputs(m, k)[i];
        if (!is_there(m, j, unit)) return false;
        large += shape_entry(m, shape_of(m, j))->numel == shape_entry(m, n->shape)->numel;
    }
    return large <= 1;
}

static void find_again(maker *m) {
    find_other_readers(m);
    for (uint32_t k = 0; k < m->n; k++) {
        if (!pays_again(m, k)) m->again[k] = NONE;
        if (m->again[k] != NONE) m->outside[k] = 0;
    }
}

/* ---- the members of a group -------------------------------------------------------------------------------- */

/* Lists in `waiting` what the unit reads of other groups and computes again; returns how much that is. */
static uint32_t list_again(maker *m, uint32_t unit) {
    uint32_t count = 0;
    for (uint32_t k = m->head[unit]; k != NONE; k = m->next[k])
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = inputs(m, k)[i];
            if (is_external(j) || m->again[j] != unit || m->local_of[j] == unit) continue;
            m->local_of[j] = unit;
            m->waiting[count++] = j;
        }
    return count;
}

static void find_loads_of(maker *m, gt__group *g, uint32_t unit, uint32_t k) {
    for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
        const uint32_t j = inputs(m, k)[i], place = place_of(m, j);
        if (m->local_of[place] == unit || (!is_external(j) && unit_of(m, j) == unit)) continue;
        m->local_of[place] = unit;
        m->local[place] = g->n_loads++;
        m->plan->load[m->n_loads++] = j;
    }
}

/* 1 for a number. */
static uint32_t row_length(const maker *m, uint32_t value) {
    const gt_shape *s = &shape_entry(m, shape_of(m, value))->shape;
    return s->rank ? (uint32_t)s->dim[s->rank - 1] : 1;
}

/* Denormals; a fold's input has the larger rank, other results have. */
static bool may_flush(const maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    const uint32_t last = inputs(m, k)[n->n_in - 1];
    const int from = shape_entry(m, shape_of(m, last))->shape.rank;
    const int to = shape_entry(m, n->shape)->shape.rank;
    return gt__may_flush(n->op, dtype_of(m, last), (gt_dtype)n->dtype, from > to ? from : to);
}

static void add_member(maker *m, gt__group *g, uint32_t unit, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    gt__member *member = &m->plan->member[m->n_members++];
    m->local_of[k] = unit;
    m->local[k] = g->n_loads + g->n_members++;
    *member =
        (gt__member){.node = k, .operand = m->n_operands, .n_in = n->n_in, .target = GT__NO_TARGET};
    if (m->final[unit] && may_overwrite(m, k)) member->target = target_of(m, k);
    for (uint32_t i = 0; i < n->n_in; i++)
        m->plan->operand[m->n_operands++] = m->local[place_of(m, inputs(m, k)[i])];
    member->flushes = may_flush(m, k);
    member->width = g->by_rows && m->joins[k] != JOINS_FLAT ? row_length(m, k) : 1;
    if (m->folds[k]) member->slot = g->n_folds++;
    member->tile = is_plain_sum(m, k) ? n->op->more.tile((gt_dtype)n->dtype, (gt_dtype)n->dtype)
                                      : tile_of(m, k);
    member->kind = m->folds[k]          ? GT__FOLD
                   : is_plain_sum(m, k) ? GT__SUM
                   : member->tile       ? GT__TILE
                   : is_view(m, k)      ? GT__COPY
                                        : GT__ROWS;
    if (member->kind == GT__FOLD || member->kind == GT__ROWS) {
        member->fold = m->n_folds;
        fold_of(m, k, &m->plan->fold[m->n_folds++]);
    }
}

/* Tiles of scratch, used again when the last reader has run. late tells who that is; at is the list of free
 * slots, as far as it reaches over members: they are no fewer. */
static void assign_slots(maker *m, gt__group *g) {
    uint32_t n_free = 0, *last_reader = m->late, *unused = m->at;
    gt__member *member = &m->plan->member[g->member];
    g->n_slots = g->n_loads;
    for (uint32_t a = 0; a < g->n_members; a++)
        for (uint32_t i = 0; i < member[a].n_in; i++) {
            const uint32_t j = inputs(m, member[a].node)[i];
            if (!is_external(j)) last_reader[j] = member[a].node;
        }
    for (uint32_t a = 0; a < g->n_members; a++, member++) {
        const uint32_t k = member->node;
        if (m->joins[k])
            member->slot = m->outside[k] ? GT__IN_MEMORY : n_free ? unused[--n_free] : g->n_slots++;
        for (uint32_t i = 0; i < member->n_in; i++) {
            const uint32_t number = m->plan->operand[member->operand + i];
            const uint32_t j = inputs(m, k)[i];
            if (number < g->n_loads || last_reader[j] != k) continue;
            const uint32_t slot = m->plan->member[g->member + number - g->n_loads].slot;
            if (slot != GT__IN_MEMORY) unused[n_free++] = slot;
            last_reader[j] = NONE; /* an operand can be given twice */
        }
    }
}

/* The largest element and the longest row of what the group handles. */
static void find_widest(const maker *m, gt__group *g) {
    g->element = g->widest = 1;
    for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) {
        const uint32_t value = k < g->n_loads ? m->plan->load[g->load + k]
                                              : m->plan->member[g->member + k - g->n_loads].node;
        const uint32_t size = (uint32_t)gt_dtype_size(dtype_of(m, value));
        const bool rows = g->by_rows && (k < g->n_loads || m->joins[value] != JOINS_FLAT);
        const uint32_t length = rows ? row_length(m, value) : 1;
        if (size > g->element) g->element = size;
        if (length > g->widest) g->widest = length;
    }
}

/* A fold may come first and have dropped its axis; what it folds has all. */
static uint32_t group_shape(const maker *m, uint32_t unit) {
    return m->joins[unit] == JOINS_FLAT ? shape_of(m, inputs(m, unit)[0])
                                        : m->work->node[unit].shape;
}

static void make_groups(maker *m) {
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->local_of[v] = NONE;
    for (uint32_t unit = 0; unit < m->n; unit++) {
        if (m->root[unit] != unit || !m->joins[unit]) continue;
        gt__group *g = &m->plan->group[m->plan->step[m->when[unit]].first];
        *g = (gt__group){.shape = group_shape(m, unit),
                         .member = m->n_members,
                         .by_rows = m->by_rows[unit]};
        g->rank = (uint32_t)shape_entry(m, g->shape)->shape.rank;
        g->load = m->n_loads;
        const uint32_t n_again = list_again(m, unit);
        for (uint32_t a = 0; a < n_again; a++) find_loads_of(m, g, unit, m->waiting[a]);
        for (uint32_t k = m->head[unit]; k != NONE; k = m->next[k]) find_loads_of(m, g, unit, k);
        for (uint32_t a = 0; a < n_again; a++) add_member(m, g, unit, m->waiting[a]);
        for (uint32_t k = m->head[unit]; k != NONE; k = m->next[k]) add_member(m, g, unit, k);
        m->plan->n_again += n_again;
        assign_slots(m, g);
        find_widest(m, g);
    }
}

/* ---- what is prepared ---------------------------------------------------------------------------------------- */

/* Values that operations prepare so often that it is worth keeping. */
static void find_prepared(maker *m) {
    enum { OFTEN = 4 };
    const uint32_t n_values = m->n + m->work->n_externals;
    uint32_t *times = m->plan->prepared;
    for (uint32_t v = 0; v < n_values; v++) times[v] = 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        for (uint32_t i = 0; n->op->more.prepares >> i && i < n->n_in; i++)
            if (n->op->more.prepares >> i & 1 && !(n->state & GT__FUSED))
                times[place_of(m, inputs(m, k)[i])]++;
    }
    for (uint32_t v = 0; v < n_values; v++)
        m->plan->prepared[v] = times[v] >= OFTEN ? ++m->plan->n_prepared : 0;
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

/* Cuts a list off a block at *used; without a block only counts. */
static void *cut(char *block, size_t *used, size_t count, size_t size) {
    void *list = block ? block + *used : NULL;
    *used += (count * size + 7) / 8 * 8;
    return list;
}

/* How many operations may join groups, fold, and be computed again. */
typedef struct room {
    uint32_t joining, folding, again;
} room;
enum { MOST_OPERANDS = 3 }; /* of an element-wise operation */

/* One block holds the plan and its lists, as long as they can get. Returns its size. */
static size_t lay_out(gt__plan *p, const gt__work *w, room most, char *block) {
    size_t used = sizeof *p;
    gt__work *works[] = {&p->key, &p->work};
    for (int i = 0; i < 2; i++) {
        *works[i] = *w;
        works[i]->node = cut(block, &used, w->n_nodes, sizeof *w->node);
        works[i]->in = cut(block, &used, w->n_in, sizeof *w->in);
        works[i]->external = cut(block, &used, w->n_externals, sizeof *w->external);
    }
    p->step = cut(block, &used, w->n_nodes, sizeof *p->step);
    p->die = cut(block, &used, w->n_nodes, sizeof *p->die);
    p->group = cut(block, &used, most.joining, sizeof *p->group);
    p->member = cut(block, &used, (size_t)most.joining + most.again, sizeof *p->member);
    p->operand = cut(block, &used, w->n_in + MOST_OPERANDS * most.again, sizeof *p->operand);
    p->load = cut(block, &used, w->n_in + MOST_OPERANDS * most.again, sizeof *p->load);
    p->fold = cut(block, &used, most.folding, sizeof *p->fold);
    p->offset = cut(block, &used, w->n_nodes, sizeof *p->offset);
    p->prepared = cut(block, &used, (size_t)w->n_nodes + w->n_externals, sizeof *p->prepared);
    return used;
}

static void copy_list(void *to, const void *from, size_t count, size_t size) {
    if (count) memcpy(to, from, count * size);
}

static void copy_work(gt__work *to, const gt__work *from) {
    copy_list(to->node, from->node, from->n_nodes, sizeof *from->node);
    copy_list(to->in, from->in, from->n_in, sizeof *from->in);
    copy_list(to->external, from->external, from->n_externals, sizeof *from->external);
}

static gt__plan *new_plan(gt_tape *tape, const gt__work *w) {
    room most = {0, 0, 0};
    for (uint32_t k = 0; k < w->n_nodes; k++) {
        const gt_op_more *more = &w->node[k].op->more;
        most.folding += more->fold != NULL;
        most.joining += more->fold || more->tile || more->traits & (GT_SUMS | GT_VIEW);
        most.again += is_cheap(tape, &w->node[k]);
    }
    gt__plan draft;
    const size_t bytes = lay_out(&draft, w, most, NULL);
    gt__plan *p = gt__alloc(tape->allocator, bytes);
    if (!p) return NULL;
    memset(p, 0, sizeof *p);
    lay_out(p, w, most, (char *)p);
    p->bytes = bytes;
    copy_work(&p->key, w);
    copy_work(&p->work, w);
    return p;
}

/* The plan's steps, once its work is known; false when memory is short. */
static bool fill_in(gt_tape *tape, gt__plan *plan) {
    maker m = {.tape = tape, .work = &plan->work, .plan = plan, .n = plan->work.n_nodes};
    const size_t values = (size_t)m.n + m.work->n_externals;
    uint32_t *block =
        gt__pool_take(&tape->pool, (PER_NODE * (size_t)m.n + PER_VALUE * values) * sizeof *block);
    if (!block) return false;
    uint32_t **list[] = {&m.joins, &m.folds,   &m.final, &m.by_rows, &m.stage, &m.late,
                         &m.root,  &m.outside, &m.last,  &m.next,    &m.head,  &m.tail,
                         &m.when,  &m.at,      &m.at_in, &m.waiting, &m.again};
    for (int i = 0; i < PER_NODE; i++) *list[i] = block + (size_t)i * m.n;
    m.seen = block + PER_NODE * (size_t)m.n;
    m.local = m.seen + values;
    m.local_of = m.local + values;
    m.writer = m.local_of + values;
    find_joiners(&m);
    find_stages(&m);
    sink(&m);
    find_units(&m);
    find_outside(&m);
    find_finals(&m);
    schedule(&m);
    find_lives(&m);
    find_again(&m);
    list_deaths(&m);
    make_groups(&m);
    find_prepared(&m);
    gt__pool_give(&tape->pool, block);
    return true;
}

gt__plan *gt__plan_make(gt_tape *tape) {
    gt__plan *plan = new_plan(tape, &tape->plans.work);
    if (!plan) return NULL;
    if (gt__plan_rewrite(tape, &plan->work) && fill_in(tape, plan) && gt__plan_memory(tape, plan))
        return plan;
    gt__free(tape->allocator, plan, plan->bytes);
    return NULL;
}
