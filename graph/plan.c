/* graph/plan.c: what a run is to compute, written down as a key; the plans that are known by such keys; and
 * going through a plan's steps. */
#include "graph/run.h"
#include "graph/threads.h"

#include <string.h>

/* ---- the work of a run ---------------------------------------------------------------------------------- */

static uint32_t external_number(gt_tape *tape, uint32_t i) {
    gt__plans *p = &tape->plans;
    gt__slot *s = &tape->slot[i];
    if (s->number) return s->number;
    const gt__node *n = gt__node_at(tape, i);
    const uint32_t number = p->work.n_externals++;
    p->work.external[number] = (gt__external){n->shape, n->dtype};
    p->external_index[number] = i;
    return s->number = number | GT__EXTERNAL;
}

static uint32_t state_of(const gt_tape *tape, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    uint32_t begin, end, state = tape->slot[i].state;
    state &= GT__TO_STORE | GT__TO_HOLD | GT__FUSED | GT__TO_ASSIGN;
    if (n->arg) state |= GT__WITH_NUMBERS;
    if (n->flags & GT__RULE) state |= GT__OF_RULE;
    if (gt_checkpoint_range(tape, i, &begin, &end)) state |= GT__IN_CHECKPOINT;
    return state;
}

/* A slot's number is that of its node in the work, counted from 1; or an external, flag and all. */
static void note_node(gt_tape *tape, uint32_t i) {
    gt__plans *p = &tape->plans;
    const gt__node *n = gt__node_at(tape, i);
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n), place = p->work.n_nodes++;
    gt__slot *s = &tape->slot[i];
    p->work.node[place] = (gt__plan_node){.op = n->op,
                                          .shape = n->shape,
                                          .attr = n->attr,
                                          .in = p->work.n_in,
                                          .n_in = n_in,
                                          .state = state_of(tape, i),
                                          .dtype = n->dtype,
                                          .out = n->out};
    p->index[place] = i;
    s->number = place + 1;
    for (uint32_t k = 0; k < n_in; k++)
        p->work.in[p->work.n_in++] =
            gt__is_ready(tape, in[k]) ? external_number(tape, in[k]) : tape->slot[in[k]].number - 1;
    if (s->state & GT__TO_ASSIGN) p->work.in[p->work.n_in++] = external_number(tape, s->owner);
}

static bool reserve_work(gt_tape *tape, uint64_t nodes, uint64_t inputs) {
    gt__plans *p = &tape->plans;
    const gt_allocator *a = tape->allocator;
    const uint64_t externals = inputs < tape->size ? inputs : tape->size;
    return gt__grow(a, &p->work.node, &p->node_room, nodes, sizeof *p->work.node) &&
           gt__grow(a, &p->index, &p->index_room, nodes, sizeof *p->index) &&
           gt__grow(a, &p->work.in, &p->in_room, inputs, sizeof *p->work.in) &&
           gt__grow(a, &p->work.external, &p->external_room, externals, sizeof *p->work.external) &&
           gt__grow(a, &p->external_index, &p->external_index_room, externals,
                    sizeof *p->external_index);
}

static bool note_work(gt_tape *tape, uint32_t low, uint32_t high) {
    gt__work *w = &tape->plans.work;
    uint64_t nodes = 0, inputs = 0;
    for (uint32_t i = low; i <= high; i++) {
        if (!(tape->slot[i].state & GT__NEEDED)) continue;
        nodes++;
        inputs += gt__n_in(gt__node_at(tape, i)) + (tape->slot[i].state & GT__TO_ASSIGN ? 1 : 0);
    }
    if (!reserve_work(tape, nodes, inputs)) return gt__out_of_memory(tape, "a run");
    w->exact = tape->exact;
    w->n_nodes = w->n_in = w->n_externals = 0;
    for (uint32_t i = low; i <= high; i++)
        if (tape->slot[i].state & GT__NEEDED) note_node(tape, i);
    for (uint32_t e = 0; e < w->n_externals; e++)
        tape->slot[tape->plans.external_index[e]].number = 0;
    return true;
}

/* ---- the plans that are known ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, const void *bytes, size_t size) {
    const char *p = bytes;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    if (size % 8) {
        uint32_t rest; /* lists are of 32 bits */
        memcpy(&rest, p + size - 4, 4);
        hash = (hash ^ rest) * 0x9e3779b97f4a7c15u;
    }
    return hash;
}

static uint64_t hash_of(const gt__work *w) {
    uint64_t hash = mix(w->n_nodes + w->exact, w->node, w->n_nodes * sizeof *w->node);
    hash = mix(hash, w->in, w->n_in * sizeof *w->in);
    return mix(hash, w->external, w->n_externals * sizeof *w->external);
}

static bool equal_lists(const void *a, const void *b, size_t bytes) {
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}

static bool equal_work(const gt__work *a, const gt__work *b) {
    return a->exact == b->exact && a->n_nodes == b->n_nodes && a->n_in == b->n_in &&
           a->n_externals == b->n_externals &&
           equal_lists(a->node, b->node, a->n_nodes * sizeof *a->node) &&
           equal_lists(a->in, b->in, a->n_in * sizeof *a->in) &&
           equal_lists(a->external, b->external, a->n_externals * sizeof *a->external);
}

static void forget(gt_tape *tape, gt__plan **place) {
    gt__plan *plan = *place;
    *place = plan->next;
    tape->plans.count--;
    tape->plans.bytes -= plan->bytes;
    gt__free(tape->allocator, plan, plan->bytes);
}

/* The least recently used go; the one in use always stays. */
static void bound_plans(gt__plans *p, gt_tape *tape) {
    enum { MOST = 64, MOST_BYTES = 1 << 26 };
    while (p->first && p->count > 1 && (p->count > MOST || p->bytes > MOST_BYTES)) {
        gt__plan **last = &p->first;
        while ((*last)->next) last = &(*last)->next;
        forget(tape, last);
    }
}

/* The plan of the present work, made when it is not known; it becomes the first of the list. */
static gt__plan *find_plan(gt_tape *tape) {
    gt__plans *p = &tape->plans;
    const uint64_t hash = hash_of(&p->work);
    gt__plan **place = &p->first, *plan;
    while (*place && !((*place)->hash == hash && equal_work(&(*place)->key, &p->work)))
        place = &(*place)->next;
    plan = *place;
    if (plan) {
        *place = plan->next;
    } else {
        plan = gt__plan_make(tape);
        if (!plan) return gt__out_of_memory(tape, "a plan"), NULL;
        plan->hash = hash;
        p->count++;
        p->bytes += plan->bytes;
    }
    plan->next = p->first;
    p->first = plan;
    bound_plans(p, tape);
    return plan;
}

void gt__plans_clear(gt_tape *tape) {
    while (tape->plans.first) forget(tape, &tape->plans.first);
}

void gt__plans_free(gt_tape *tape) {
    gt__plans *p = &tape->plans;
    const gt_allocator *a = tape->allocator;
    gt__plans_clear(tape);
    gt__free(a, p->arena_block, p->arena_room);
    gt__free(a, p->work.node, p->node_room * sizeof *p->work.node);
    gt__free(a, p->work.in, p->in_room * sizeof *p->work.in);
    gt__free(a, p->work.external, p->external_room * sizeof *p->work.external);
    gt__free(a, p->index, p->index_room * sizeof *p->index);
    gt__free(a, p->external_index, p->external_index_room * sizeof *p->external_index);
}

uint32_t gt__value_index(const gt_tape *tape, uint32_t value) {
    return value & GT__EXTERNAL ? tape->plans.external_index[value & ~GT__EXTERNAL]
                                : tape->plans.index[value];
}

/* ---- running ------------------------------------------------------------------------------------------------ */

static void let_die(gt_tape *tape, const gt__plan *plan, const gt__step *step) {
    for (uint32_t k = 0; k < step->n_die; k++) {
        gt__slot *s = &tape->slot[tape->plans.index[plan->die[step->die + k]]];
        if (!(s->state & GT__OWNS)) continue;
        gt__pool_give(&tape->pool, s->data);
        s->state &= ~(unsigned)GT__OWNS;
        s->data = NULL;
    }
}

static uint32_t prepared_number(const gt__plan *plan, uint32_t node, int k) {
    const gt__work *w = &plan->work;
    const uint32_t value = w->in[w->node[node].in + (uint32_t)k];
    return plan->prepared[value & GT__EXTERNAL ? w->n_nodes + (value & ~GT__EXTERNAL) : value];
}

bool gt_prepared(const gt_call *call, int k, size_t bytes, void **to, bool *fresh) {
    const gt__context *c = call->internal;
    gt__plans *p = &c->tape->plans;
    *to = NULL;
    const uint32_t place = c->tape->slot[c->node].number;
    const uint32_t number = p->prepared && place ? prepared_number(p->first, place - 1, k) : 0;
    if (!number) return true;
    gt__prepared *made = &p->prepared[number - 1];
    if (made->op && made->op != call->op) return true;
    *fresh = !made->data;
    if (!made->data) made->data = gt__pool_take(&c->tape->pool, bytes);
    made->op = call->op;
    *to = made->data;
    return *to || gt__out_of_memory(c->tape, "what is made of an operand");
}

static bool reserve_prepared(gt_tape *tape, const gt__plan *plan) {
    gt__plans *p = &tape->plans;
    const size_t bytes = plan->n_prepared * sizeof *p->prepared;
    if (!bytes) return true;
    p->prepared = gt__pool_take(&tape->pool, bytes);
    if (!p->prepared) return gt__out_of_memory(tape, "what is made of operands");
    memset(p->prepared, 0, bytes);
    return true;
}

static bool run_group(gt_tape *tape, const gt__plan *plan, const gt__group *group,
                      const gt__made *made) {
    void *block = gt__pool_take(&tape->pool, gt__group_bytes(tape, group, made));
    if (!block) return gt__out_of_memory(tape, "a group of operations");
    const bool ok = gt__run_group(tape, plan, group, made, block);
    gt__pool_give(&tape->pool, block);
    return ok;
}

/* A result that is made by rows, and the group that takes them. */
static bool run_by_rows(gt_tape *tape, const gt__plan *plan, uint32_t node,
                        const gt__group *group) {
    const uint32_t i = tape->plans.index[node];
    const gt_shape *shape = &gt__shape(tape, gt__node_at(tape, i))->shape;
    gt__context context;
    gt__made made = {.length = shape->dim[shape->rank - 1]};
    bool ok = gt__begin_rows(tape, i, &context, &made.rows);
    if (ok && group->last && made.rows.make && !made.rows.together)
        ok =
            gt__error(tape, "%s: its rows are not of whole images", gt__node_at(tape, i)->op->name);
    ok = ok && run_group(tape, plan, group, made.rows.make ? &made : NULL);
    gt__free_scratch(&context);
    return ok;
}

/* Nothing in it outlives a run, so growing copies nothing. */
static bool reserve_arena(gt_tape *tape, uint64_t bytes) {
    enum { ALIGNMENT = 64 };
    gt__plans *p = &tape->plans;
    if (bytes + ALIGNMENT <= p->arena_room || bytes == 0) return true;
    gt__free(tape->allocator, p->arena_block, p->arena_room);
    p->arena_room = 0;
    p->arena_block = bytes < SIZE_MAX / 2 ? gt__alloc(tape->allocator, bytes + ALIGNMENT) : NULL;
    if (!p->arena_block) return gt__out_of_memory(tape, "the values of a run");
    p->arena_room = bytes + ALIGNMENT;
    p->arena = (char *)p->arena_block + (ALIGNMENT - (uintptr_t)p->arena_block % ALIGNMENT);
    gt__large_pages(p->arena, bytes);
    return true;
}

struct gt__begun {
    gt__context context;
    gt_rows rows;
};

/* Begins the final step k; bytes of the memory that it needs. False: see the tape's error. */
static bool begin_final(gt_tape *tape, const gt__plan *plan, uint32_t k, size_t *bytes) {
    gt__plans *p = &tape->plans;
    const gt__step *step = &plan->step[k];
    if (step->is_group) {
        *bytes = gt__group_bytes(tape, &plan->group[step->first], NULL);
        return true;
    }
    struct gt__begun *b = &p->begun[p->n_begun++];
    const uint32_t i = p->index[step->first];
    const bool ok = gt__begin_whole(tape, i, &b->context, &b->rows);
    *bytes = b->rows.scratch;
    if (ok && b->rows.make) tape->slot[i].data = NULL; /* nobody shall take it for computed */
    return ok;
}

/* Memory that the final steps share, so that they cannot fail. */
static bool reserve_final(gt_tape *tape, const gt__plan *plan) {
    size_t most = 0;
    if (plan->n_late &&
        !(tape->plans.begun = gt__pool_take(&tape->pool, plan->n_late * sizeof *tape->plans.begun)))
        return gt__out_of_memory(tape, "a run");
    for (uint32_t k = plan->first_final; k < plan->n_steps; k++) {
        size_t bytes;
        if (!begin_final(tape, plan, k, &bytes)) return false;
        if (bytes > most) most = bytes;
    }
    if (!most) return true;
    tape->plans.final_block = gt__pool_take(&tape->pool, most);
    return tape->plans.final_block || gt__out_of_memory(tape, "a group of operations");
}

bool gt__run_planned(gt_tape *tape, uint32_t low, uint32_t high) {
    if (!note_work(tape, low, high)) return false;
    const gt__plan *plan = find_plan(tape);
    if (!plan || !reserve_arena(tape, plan->arena) || !reserve_prepared(tape, plan)) return false;
    tape->plans.threads = gt__threads();
    for (uint32_t k = 0; k < plan->first_final; k++) {
        const gt__step *step = &plan->step[k];
        bool ok;
        if (step->by_rows)
            ok = run_by_rows(tape, plan, step->first, &plan->group[plan->step[++k].first]);
        else if (step->is_group)
            ok = run_group(tape, plan, &plan->group[step->first], NULL);
        else
            ok = gt__compute(tape, tape->plans.index[step->first]);
        if (!ok) return false;
        let_die(tape, plan, &plan->step[k]);
    }
    return reserve_final(tape, plan);
}

/* Its place is in the arena, which is there. */
static void make_begun(gt_tape *tape, uint32_t i, const struct gt__begun *b, void *scratch) {
    if (b->rows.make && gt__place_value(tape, i))
        b->rows.make(&b->rows, 0, b->rows.together, scratch);
}

void gt__run_final(gt_tape *tape) {
    const gt__plan *plan = tape->plans.first;
    if (!tape->plans.final_block) return;
    const struct gt__begun *begun = tape->plans.begun;
    void *block = tape->plans.final_block;
    for (uint32_t k = plan->first_final; k < plan->n_steps; k++) {
        const gt__step *step = &plan->step[k];
        if (step->is_group)
            gt__run_group(tape, plan, &plan->group[step->first], NULL, block);
        else
            make_begun(tape, tape->plans.index[step->first], begun++, block);
    }
}

void gt__end_planned(gt_tape *tape) {
    gt__plans *p = &tape->plans;
    for (uint32_t k = 0; p->prepared && k < p->first->n_prepared; k++)
        gt__pool_give(&tape->pool, p->prepared[k].data);
    gt__pool_give(&tape->pool, p->prepared);
    for (uint32_t k = 0; k < p->n_begun; k++) gt__free_scratch(&p->begun[k].context);
    gt__pool_give(&tape->pool, p->begun);
    gt__pool_give(&tape->pool, p->final_block);
    p->prepared = NULL;
    p->begun = NULL;
    p->n_begun = 0;
    p->final_block = NULL;
}
