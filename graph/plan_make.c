/* graph/plan_make.c: makes a plan: once plan_groups.c has found what runs together, in which order, when a value
 * is of no use any more, and the block that holds all that. */
#include "graph/plan_make.h"

#include <string.h>

enum { PER_NODE = 18, PER_VALUE = 4 };

/* ---- groups that overwrite leaves ----------------------------------------------------------------------------

 * They come last, when nothing can fail any more, so nothing else may need what they compute. */

static void find_outside(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++)
        m->outside[k] = m->work->node[k].state & (GT__TO_STORE | GT__TO_HOLD) ? GT__BY_THE_END : 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (!gt__is_external(j) && gt__unit_of(m, j) != gt__unit_of(m, k))
                m->outside[j] |= GT__BY_A_STEP;
        }
    }
}

/* What a chain of views looks at. */
static uint32_t base_of(const gt__maker *m, uint32_t value) {
    while (!gt__is_external(value) && gt__is_view(m, value)) value = gt__inputs_of(m, value)[0];
    return value;
}

/* The operation k of such a group reads value: may its leaf be overwritten in place? Only by k's own group,
 * at k or later, element by element. */
static void check_reader(gt__maker *m, uint32_t k, uint32_t value) {
    const uint32_t base = base_of(m, value);
    if (!gt__is_external(base)) return;
    const uint32_t writer = m->writer[gt__value_place(m, base)];
    if (writer == GT__NONE || !m->final[gt__unit_of(m, writer)]) return;
    const bool safe =
        gt__unit_of(m, k) == gt__unit_of(m, writer) && gt__is_external(value) && k <= writer;
    if (!safe) m->final[gt__unit_of(m, writer)] = false;
}

static void find_finals(gt__maker *m) {
    for (uint32_t v = 0; v < m->n + m->work->n_externals; v++) m->writer[v] = GT__NONE;
    for (uint32_t k = 0; k < m->n; k++)
        m->final[k] = m->root[k] == k && m->joins[k] &&
                      gt__entry_of(m, m->work->node[k].shape)->shape.rank > 0;
    for (uint32_t k = 0; k < m->n; k++)
        if (m->folds[k] || (m->outside[k] && !gt__may_overwrite(m, k)))
            m->final[gt__unit_of(m, k)] = false;
    for (uint32_t k = 0; k < m->n; k++)
        if (m->final[gt__unit_of(m, k)] && gt__may_overwrite(m, k))
            m->writer[gt__value_place(m, gt__target_of(m, k))] = k;
    for (uint32_t k = 0; k < m->n; k++)
        for (uint32_t i = 0; m->final[gt__unit_of(m, k)] && i < m->work->node[k].n_in; i++)
            check_reader(m, k, gt__inputs_of(m, k)[i]);
}

/* ---- results that only such a group reads ------------------------------------------------------------------------

 * As the gradient of a matrix of weights. They are made right before it, so that it finds them in a cache and they
 * share one place in memory; but they are begun before anything is overwritten, and then cannot fail (begin_whole). */

/* The one unit outside of its own that reads each value; where there is none, or more than one, no node's number. */
static void find_only_readers(gt__maker *m, uint32_t *reader) {
    const uint32_t nobody = m->n;
    for (uint32_t k = 0; k < m->n; k++) reader[k] = nobody;
    for (uint32_t k = 0; k < m->n; k++)
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i], unit = gt__unit_of(m, k);
            if (gt__is_external(j) || unit == gt__unit_of(m, j)) continue;
            reader[j] = reader[j] == nobody || reader[j] == unit ? unit : GT__NONE;
        }
}

static int64_t bytes_of(const gt__maker *m, uint32_t value) {
    return gt__entry_of(m, gt__shape_of(m, value))->numel *
           (int64_t)gt_dtype_size(gt__dtype_of(m, value));
}

/* Is it large, and larger than what must be kept for it until then, none of which is overwritten? */
static bool can_be_late(const gt__maker *m, uint32_t k) {
    enum { LARGE = 1 << 20 };
    int64_t kept = 0;
    for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
        const uint32_t j = gt__inputs_of(m, k)[i], base = base_of(m, j);
        if (!gt__is_external(base))
            kept += bytes_of(m, j);
        else if (m->writer[gt__value_place(m, base)] != GT__NONE)
            return false;
    }
    return bytes_of(m, k) >= LARGE && bytes_of(m, k) >= 2 * kept;
}

static void find_late(gt__maker *m) {
    uint32_t *reader = m->last;
    find_only_readers(m, reader);
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        if (m->joins[k] || !n->op->more.begin_whole || m->outside[k] != GT__BY_A_STEP) continue;
        if (n->state & (GT__FUSED | GT__MERGED) || reader[k] >= m->n) continue;
        m->final[k] = m->final[reader[k]] && m->joins[reader[k]] && can_be_late(m, k);
        m->plan->n_late += m->final[k];
    }
}

/* ---- order ------------------------------------------------------------------------------------------------- */

/* The next unit that must come before this one; GT__NONE when there is none left. */
static uint32_t next_missing(gt__maker *m, uint32_t unit) {
    for (; m->at[unit] != GT__NONE; m->at[unit] = m->next[m->at[unit]], m->at_in[unit] = 0) {
        const uint32_t k = m->at[unit];
        while (m->at_in[unit] < m->work->node[k].n_in) {
            const uint32_t j = gt__inputs_of(m, k)[m->at_in[unit]];
            const uint32_t other = gt__is_external(j) ? unit : gt__unit_of(m, j);
            if (other != unit && m->when[other] == GT__NONE) return other;
            m->at_in[unit]++;
        }
    }
    return GT__NONE;
}

static void add_step(gt__maker *m, uint32_t unit) {
    gt__plan *p = m->plan;
    m->when[unit] = p->n_steps;
    p->step[p->n_steps++] =
        (gt__step){.first = m->joins[unit] ? p->n_groups++ : unit, .is_group = m->joins[unit]};
}

/* A step for the unit, after steps for those that it needs. */
static void schedule_unit(gt__maker *m, uint32_t first) {
    uint32_t depth = 0;
    m->waiting[0] = first;
    for (;;) {
        const uint32_t unit = m->waiting[depth];
        const uint32_t missing = m->when[unit] == GT__NONE ? next_missing(m, unit) : GT__NONE;
        if (missing != GT__NONE) {
            m->waiting[++depth] = missing;
            continue;
        }
        if (m->when[unit] == GT__NONE) add_step(m, unit);
        if (depth-- == 0) return;
    }
}

/* Units in the order of their last members, but each after those that it needs. */
static void schedule(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) {
        m->when[k] = GT__NONE;
        m->at[k] = m->head[k];
        m->at_in[k] = 0;
    }
    for (uint32_t final = 0; final < 2; final++) {
        if (final) m->plan->first_final = m->plan->n_steps;
        for (uint32_t k = 0; k < m->n; k++) {
            const uint32_t unit = gt__unit_of(m, k);
            const bool computed = !(m->work->node[k].state & GT__MERGED);
            const bool late = final && !m->joins[unit]; /* comes when its reader wants it */
            if (m->tail[unit] == k && m->final[unit] == final && computed && !late)
                schedule_unit(m, unit);
        }
    }
}

/* ---- results that are made by rows: which group takes them ---------------------------------------------------- */

static bool unit_reads(const gt__maker *m, uint32_t unit, uint32_t value) {
    for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++)
            if (gt__inputs_of(m, k)[i] == value) return true;
    return false;
}

/* Is what it reads computed in steps before s? */
static bool is_ready_before(gt__maker *m, uint32_t unit, uint32_t s) {
    for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            const uint32_t other = gt__is_external(j) ? unit : gt__unit_of(m, j);
            if (other != unit && m->when[other] >= s) return false;
        }
    return true;
}

static void move_up(gt__maker *m, uint32_t *unit_at, uint32_t from, uint32_t to) {
    const gt__step step = m->plan->step[from];
    const uint32_t unit = unit_at[from];
    for (uint32_t s = from; s > to; s--) {
        m->plan->step[s] = m->plan->step[s - 1];
        unit_at[s] = unit_at[s - 1];
        m->when[unit_at[s]] = s;
    }
    m->plan->step[to] = step;
    unit_at[to] = unit;
    m->when[unit] = to;
}

/* Views that it reads and that could come before step s do so, as that of a bias for channels; returns where step s is
 * then. */
static uint32_t bring_views(gt__maker *m, uint32_t *unit_at, uint32_t unit, uint32_t s) {
    for (uint32_t k = m->head[unit]; k != GT__NONE; k = m->next[k])
        for (uint32_t i = 0; i < m->work->node[k].n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j) || !gt__is_view(m, j)) continue;
            const uint32_t view = gt__unit_of(m, j), at = m->when[view];
            if (view == unit || at == GT__NONE || at < s || m->plan->step[at].is_group) continue;
            if (is_ready_before(m, view, s)) move_up(m, unit_at, at, s++);
        }
    return s;
}

/* A group that soon reads a result that can be made by rows comes right after it. */
static void bring_readers(gt__maker *m) {
    enum { SOON = 8 };
    gt__plan *p = m->plan;
    uint32_t *unit_at = m->at; /* step */
    for (uint32_t k = 0; k < m->n; k++)
        if (m->root[k] == k && m->when[k] != GT__NONE) unit_at[m->when[k]] = k;
    for (uint32_t s = 0; s < p->first_final; s++) {
        const uint32_t unit = unit_at[s];
        if (p->step[s].is_group || !m->work->node[unit].op->more.begin_rows) continue;
        for (uint32_t t = s + 1; t < p->first_final && t <= s + SOON; t++) {
            if (!p->step[t].is_group || !unit_reads(m, unit_at[t], unit)) continue;
            s = bring_views(m, unit_at, unit_at[t], s);
            if (!is_ready_before(m, unit_at[t], s + 1)) continue;
            move_up(m, unit_at, t, s + 1);
            break;
        }
    }
}

/* ---- the ends of lives ------------------------------------------------------------------------------------- */

static void find_lives(gt__maker *m) {
    for (uint32_t k = 0; k < m->n; k++) m->last[k] = m->when[gt__unit_of(m, k)];
    for (uint32_t k = m->n; k-- > 0;) {
        const gt__plan_node *n = &m->work->node[k];
        const uint32_t step = m->when[gt__unit_of(m, k)];
        const bool view = gt__is_view(m, k);
        for (uint32_t i = 0; i < n->n_in; i++) {
            const uint32_t j = gt__inputs_of(m, k)[i];
            if (gt__is_external(j)) continue;
            const uint32_t end = view && m->last[k] > step ? m->last[k] : step;
            if (end > m->last[j]) m->last[j] = end;
        }
    }
}

/* Does the value have a block that is given back in the course of the run? */
static bool dies(const gt__maker *m, uint32_t k) {
    const gt__plan_node *n = &m->work->node[k];
    if (n->state & (GT__TO_STORE | GT__TO_HOLD | GT__FUSED | GT__MERGED)) return false;
    return m->outside[k] || !m->joins[k];
}

static void list_deaths(gt__maker *m) {
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

/* ---- results that are made by rows: how ----------------------------------------------------------------------- */

enum { LONGEST_ROW = 4096, FEWEST_ROWS = 16 };

/* Is k's result read by the group element by element, or row by row? Views of it would be steps in between. */
static bool takes_rows(const gt__maker *m, uint32_t k, const gt__group *g) {
    const gt__plan_node *n = &m->work->node[k];
    const gt_shape *shape = &gt__entry_of(m, n->shape)->shape;
    const gt_shape *rows = &gt__entry_of(m, g->shape)->shape;
    bool read = false;
    for (uint32_t i = 0; i < g->n_loads; i++) read = read || m->plan->load[g->load + i] == k;
    if (!read || g->rank == 0 || g->n_folds || shape->rank == 0) return false;
    const int64_t length = shape->dim[shape->rank - 1];
    if (length > LONGEST_ROW || gt_numel(*shape) < FEWEST_ROWS * length) return false;
    return g->by_rows ? gt__have_equal_rows(shape, rows) : n->shape == g->shape;
}

/* The group then runs together with the operation: what either needs must live until both are done. */
static void find_made_by_rows(gt__maker *m) {
    gt__plan *p = m->plan;
    for (uint32_t s = 0; s + 1 < p->first_final; s++) {
        gt__step *step = &p->step[s], *next = &p->step[s + 1];
        if (step->is_group || !next->is_group) continue;
        if (!m->work->node[step->first].op->more.begin_rows) continue;
        if (!takes_rows(m, step->first, &p->group[next->first])) continue;
        step->by_rows = true;
        next->die = step->die;
        next->n_die += step->n_die;
        step->n_die = 0;
    }
}

/* ---- what is prepared ---------------------------------------------------------------------------------------- */

/* Values that operations prepare so often that it is worth keeping. */
static void find_prepared(gt__maker *m) {
    enum { OFTEN = 4 };
    const uint32_t n_values = m->n + m->work->n_externals;
    uint32_t *times = m->plan->prepared;
    for (uint32_t v = 0; v < n_values; v++) times[v] = 0;
    for (uint32_t k = 0; k < m->n; k++) {
        const gt__plan_node *n = &m->work->node[k];
        for (uint32_t i = 0; n->op->more.prepares >> i && i < n->n_in; i++)
            if (n->op->more.prepares >> i & 1 && !(n->state & GT__FUSED))
                times[gt__value_place(m, gt__inputs_of(m, k)[i])]++;
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

/* How many operations may join groups, fold, be computed again, and be made of a part. */
typedef struct room {
    uint32_t joining, folding, again, parts;
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
    p->operand =
        cut(block, &used, w->n_in + MOST_OPERANDS * most.again + most.parts, sizeof *p->operand);
    p->load = cut(block, &used, w->n_in + MOST_OPERANDS * most.again, sizeof *p->load);
    p->fold = cut(block, &used, most.folding, sizeof *p->fold);
    p->offset = cut(block, &used, w->n_nodes, sizeof *p->offset);
    p->layout = cut(block, &used, w->n_nodes, sizeof *p->layout);
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
    room most = {0, 0, 0, 0};
    for (uint32_t k = 0; k < w->n_nodes; k++) {
        const gt_op_more *more = &w->node[k].op->more;
        most.folding += more->fold != NULL;
        most.joining += more->fold || more->tile || more->traits & (GT_SUMS | GT_VIEW);
        most.again += gt__is_cheap(tape, &w->node[k]);
        most.parts += more->part != NULL;
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
    gt__maker m = {.tape = tape, .work = &plan->work, .plan = plan, .n = plan->work.n_nodes};
    const size_t values = (size_t)m.n + m.work->n_externals;
    uint32_t *block =
        gt__pool_take(&tape->pool, (PER_NODE * (size_t)m.n + PER_VALUE * values) * sizeof *block);
    if (!block) return false;
    uint32_t **list[] = {&m.joins, &m.folds,   &m.final, &m.by_rows, &m.stage, &m.late,
                         &m.root,  &m.outside, &m.last,  &m.next,    &m.head,  &m.tail,
                         &m.when,  &m.at,      &m.at_in, &m.waiting, &m.again, &m.part};
    for (int i = 0; i < PER_NODE; i++) *list[i] = block + (size_t)i * m.n;
    m.seen = block + PER_NODE * (size_t)m.n;
    m.local = m.seen + values;
    m.local_of = m.local + values;
    m.writer = m.local_of + values;
    gt__find_units(&m);
    find_outside(&m);
    find_finals(&m);
    find_late(&m);
    schedule(&m);
    bring_readers(&m);
    find_lives(&m);
    gt__find_again(&m);
    list_deaths(&m);
    gt__make_groups(&m);
    find_made_by_rows(&m);
    find_prepared(&m);
    gt__pool_give(&tape->pool, block);
    return true;
}

gt__plan *gt__plan_make(gt_tape *tape) {
    gt__plan *plan = new_plan(tape, &tape->plans.work);
    if (!plan) return NULL;
    if (gt__plan_rewrite(tape, &plan->work)) {
        gt__plan_casts(tape, &plan->work);
        if (fill_in(tape, plan) && gt__plan_order(tape, plan) && gt__plan_memory(tape, plan))
            return plan;
    }
    gt__free(tape->allocator, plan, plan->bytes);
    return NULL;
}
