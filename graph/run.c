/* graph/run.c: runs: what is wanted is marked from the highest index down, so that every consumer is seen
 * before its inputs; then an executor computes it. Values flagged to be stored stay with their nodes; the
 * slots are zero again when a run ends. A failed run leaves no trace but the error. */
#include "graph/run.h"

#include <string.h>

typedef struct run {
    gt_tape *tape;
    uint32_t low, high; /* range of touched slots; low > high: none */
    bool reading;
    bool starved; /* of memory */
} run;

/* Only runs that compute anything need slots: those of nothing but numbers do not. */
static bool reserve_slots(run *r) {
    gt_tape *tape = r->tape;
    const uint32_t before = tape->slot_room;
    if (before > tape->size) return true;
    if (!gt__grow(tape->allocator, &tape->slot, &tape->slot_room, (uint64_t)tape->size + 1,
                  sizeof *tape->slot)) {
        r->starved = true;
        return gt__out_of_memory(tape, "a run");
    }
    memset(tape->slot + before, 0, (tape->slot_room - before) * sizeof *tape->slot);
    return true;
}

/* What is there already has no part in the run: old leaves would stretch its range over the whole tape. */
static void need(run *r, uint32_t i, unsigned state) {
    if (gt__is_ready(r->tape, i)) {
        const bool store = state & GT__TO_STORE && gt__is_number(r->tape, i);
        if (store && !gt__store_number(r->tape, i)) r->starved = true;
        return;
    }
    if (!reserve_slots(r)) return;
    r->tape->slot[i].state |= GT__NEEDED | state;
    if (r->low > r->high) {
        r->low = r->high = i;
    } else if (i < r->low) {
        r->low = i;
    } else if (i > r->high) {
        r->high = i;
    }
}

static bool leaf_is_newer(const gt_tape *tape, const gt__node *leaf, const gt__node *n) {
    return leaf->flags & GT__LEAF && gt__leaf_written(tape, leaf) > gt__clock_of(tape, n);
}

static bool fail_stale(gt_tape *tape, uint32_t i, uint32_t leaf) {
    char value[320], name[320], where[300];
    gt__error(
        tape,
        "%s is stale: %s was overwritten after it was recorded; gt_keep it to read it after the "
        "step%s",
        gt__describe(tape, i, value, sizeof value), gt__describe(tape, leaf, name, sizeof name),
        gt__site_text(tape, gt__node_at(tape, i)->site, where, sizeof where));
    return false;
}

/* Must this computed node's value outlive the run? */
static bool is_to_be_stored(const run *r, const gt__node *n, unsigned state) {
    if (state & GT__TO_STORE || n->flags & GT__KEEP || r->tape->keep_all) return true;
    const bool product = !(n->op->more.traits & (GT_ELEMENTWISE | GT_VIEW));
    return r->reading && !r->tape->eval && product && n->flags & GT__TRAINED &&
           !(n->flags & GT__RULE);
}

/* All results or none: the first stands for the operation, and is not computed again once stored. */
static void mark_results(run *r, uint32_t i) {
    gt_tape *tape = r->tape;
    const uint32_t count = gt__n_results(tape, i);
    bool store = false;
    for (uint32_t k = i; k < i + count; k++)
        store = store || is_to_be_stored(r, gt__node_at(tape, k), tape->slot[k].state);
    for (uint32_t k = i; k < i + count; k++)
        tape->slot[k].state |= GT__NEEDED | (store ? (unsigned)GT__TO_STORE : 0);
    if (i + count - 1 > r->high) r->high = i + count - 1;
}

/* Has it a value before the run, or does it view one that has? */
static bool is_given(const gt_tape *tape, uint32_t i) {
    while (!gt__is_ready(tape, i) && gt__node_at(tape, i)->op->more.traits & GT_VIEW)
        i = gt__in(tape, gt__node_at(tape, i))[0];
    return gt__is_ready(tape, i);
}

/* May the node merge with others into their sum? Not if its operands, which must then be there until the sum, take more
 * memory than its result. */
static bool may_merge(const gt_tape *tape, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    if (gt__is_ready(tape, i) || !(n->op->more.traits & GT_MERGES)) return false;
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    int64_t left = gt__shape(tape, n)->numel;
    for (uint32_t k = 0; k < n_in; k++)
        if (!is_given(tape, in[k])) left -= gt__shape(tape, gt__node_at(tape, in[k]))->numel;
    return left >= 0;
}

/* Alone it had better leave the sum to a group. */
static bool has_company(const gt_tape *tape, const gt__node *sum) {
    const uint32_t *in = gt__in(tape, sum), n_in = gt__n_in(sum);
    uint32_t merging = 0;
    for (uint32_t k = 0; k < n_in && merging < 2; k++) merging += may_merge(tape, in[k]);
    return merging == 2;
}

static bool mark_inputs(run *r, uint32_t i) {
    gt_tape *tape = r->tape;
    gt__node *n = gt__node_at(tape, i);
    gt__slot *s = &tape->slot[i];
    if (n->op->more.traits & GT_EFFECT)
        return gt__error(tape, "%s#%u is an effect: it has no value, read its leaf", n->op->name,
                         i);
    mark_results(r, i);
    const bool alone =
        s->state & GT__ADDED && s->uses == 1 && !(s->state & (GT__TO_STORE | GT__TO_HOLD));
    const bool adds = n->op->more.accumulate && !(n->op->more.traits & GT_SUMS);
    if (alone && adds) s->state |= GT__FUSED;
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    const bool sum = n->op->more.traits & GT_SUMS, company = sum && has_company(tape, n);
    for (uint32_t k = 0; k < n_in; k++) {
        const gt__node *input = gt__node_at(tape, in[k]);
        if (leaf_is_newer(tape, input, n)) return fail_stale(tape, i, in[k]);
        const bool merges = input->op->more.traits & GT_MERGES;
        const bool added = sum && (!merges || (company && may_merge(tape, in[k])));
        need(r, in[k], added ? GT__ADDED : 0);
        if (!gt__is_ready(tape, in[k])) tape->slot[in[k]].uses++;
    }
    return true;
}

static bool mark(run *r) {
    if (r->low > r->high) return true;
    for (uint32_t i = r->high + 1; i-- > r->low;) {
        const gt__node *n = gt__node_at(r->tape, i);
        if (!(r->tape->slot[i].state & GT__NEEDED)) continue;
        if (n->out)
            need(r, i - n->out, 0);
        else if (!mark_inputs(r, i))
            return false;
    }
    return true;
}

/* ---- beginning and end ------------------------------------------------------------------------------------ */

static bool begin(run *r, gt_tape *tape, bool reading) {
    *r = (run){.tape = tape, .low = 1, .high = 0, .reading = reading};
    if (tape->running)
        return gt__error(
            tape, "a value was read, or effects committed, while the tape runs: a kernel or a hook "
                  "must not");
    return gt__run_scalars(tape);
}

static bool execute(run *r) {
    gt_tape *tape = r->tape;
    tape->running = true;
    bool ok = !r->starved && mark(r) && !r->starved;
    /* Room for the list of stored values beforehand, so that the end cannot fail. */
    uint32_t may_store = 0;
    for (uint32_t i = r->low; ok && r->low <= r->high && i <= r->high; i++)
        may_store += (tape->slot[i].state & GT__NEEDED) != 0;
    ok = ok && (gt__grow(tape->allocator, &tape->stored, &tape->stored_room,
                         (uint64_t)tape->n_stored + (uint64_t)may_store * GT_MAX_OUT,
                         sizeof *tape->stored) ||
                gt__out_of_memory(tape, "a run"));
    if (!ok || r->low > r->high) return ok;
    return (tape->reference ? gt__run_reference : gt__run_planned)(tape, r->low, r->high);
}

static void finish(run *r, bool ok) {
    gt_tape *tape = r->tape;
    tape->running = false;
    gt__end_planned(tape);
    if (r->low > r->high) return;
    for (uint32_t i = r->low; i <= r->high; i++) {
        gt__slot *s = &tape->slot[i];
        gt__node *n = gt__node_at(tape, i);
        if (ok && s->state & GT__TO_STORE && !(n->flags & (GT__LEAF | GT__STORED)) && s->data) {
            n->flags |= GT__STORED;
            if (s->state & GT__OWNS) n->value.data = s->data;
            tape->stored[tape->n_stored++] = i;
        } else if (s->state & GT__OWNS) {
            gt__pool_give(&tape->pool, s->data);
        }
    }
    memset(tape->slot + r->low, 0, (r->high - r->low + 1) * sizeof *tape->slot);
}

bool gt__read(gt_tape *tape, const uint32_t *wanted, uint32_t count) {
    run r;
    if (!begin(&r, tape, true)) return false;
    for (uint32_t k = 0; k < count; k++) need(&r, wanted[k], GT__TO_STORE);
    const bool ok = execute(&r);
    finish(&r, ok);
    return ok;
}

/* ---- effects -------------------------------------------------------------------------------------------- */

const void *gt_computed(gt_tensor t) {
    if (!gt__valid(t)) return NULL;
    const void *ready = gt__value(t.tape, t.index);
    return ready || t.index >= t.tape->slot_room ? ready : t.tape->slot[t.index].data;
}

static bool is_pending(const gt_tape *tape, uint32_t effect) {
    return !(gt__node_at(tape, effect)->flags & GT__APPLIED);
}

/* Marks what is stale, and what the user's later operations read. Staleness passes from inputs to results
 * unless a stored value stands between. */
static void survey(gt_tape *tape) {
    gt__move_uses(tape);
    for (uint32_t i = 0; i < tape->size; i++) {
        gt__node *n = gt__node_at(tape, i);
        const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
        gt__unset(n, GT__USED);
        for (uint32_t k = 0; k < n_in; k++) {
            gt__node *input = gt__node_at(tape, in[k]);
            if (tape->slot[in[k]].state & GT__STALE || leaf_is_newer(tape, input, n))
                tape->slot[i].state |= GT__STALE;
            if (!(n->flags & GT__RULE)) input->flags |= GT__USED;
        }
        if (n->flags & GT__STORED) tape->slot[i].state &= ~(unsigned)GT__STALE;
    }
    tape->uses_lost = false;
}

/* Sinks are what the user recorded and nothing of the user's reads. The list of the last commit holds until more is
 * recorded. */
static uint32_t skip_used(const gt__scalars *s, uint32_t i) {
    while (i < s->coded && s->code[i].flags & GT__CODE_USED) i++;
    return i;
}

static bool list_sinks(gt_tape *tape) {
    if (tape->sinks_size == tape->size && tape->sinks_generation == tape->generation) return true;
    tape->n_sinks = tape->sinks_size = 0;
    for (uint32_t i = 0; (i = skip_used(&tape->scalars, i)) < tape->size; i++) {
        const gt__node *n = gt__node_at(tape, i);
        if (n->flags & (GT__USED | GT__UNASKED | GT__RULE) || n->op->more.traits & GT_EFFECT)
            continue;
        if (!gt__grow(tape->allocator, &tape->sink, &tape->sink_room, (uint64_t)tape->n_sinks + 1,
                      sizeof *tape->sink))
            return gt__out_of_memory(tape, "a commit");
        tape->sink[tape->n_sinks++] = i;
    }
    tape->sinks_size = tape->size;
    tape->sinks_generation = tape->generation;
    return true;
}

/* A stale sink is left alone: reading it later says so. */
static bool want_sinks(run *r) {
    gt_tape *tape = r->tape;
    const bool unsure = tape->uses_lost || tape->params->clock != tape->begun;
    if (unsure) {
        if (!reserve_slots(r)) return false;
        survey(tape);
        tape->sinks_size = 0;
    }
    const bool ok = list_sinks(tape);
    for (uint32_t k = 0; ok && k < tape->n_sinks; k++)
        if (!(unsure && tape->slot[tape->sink[k]].state & GT__STALE))
            need(r, tape->sink[k], GT__TO_STORE);
    for (uint32_t i = 0; unsure && i < tape->size; i++) tape->slot[i].state &= ~(unsigned)GT__STALE;
    return ok && !r->starved;
}

/* Sources that are leaves may be written by another effect: they are copied first. */
static bool copy_leaf_sources(gt_tape *tape, void **copy) {
    for (uint32_t e = 0; e < tape->n_effects; e++) {
        const uint32_t source = gt__in(tape, gt__node_at(tape, tape->effect[e]))[1];
        gt__node *n = gt__node_at(tape, source);
        copy[e] = NULL;
        if (!is_pending(tape, tape->effect[e]) || !(n->flags & GT__LEAF)) continue;
        const size_t bytes = gt__value_bytes(tape, n);
        copy[e] = gt__pool_take(&tape->pool, bytes);
        if (!copy[e]) {
            while (e-- > 0) gt__pool_give(&tape->pool, copy[e]);
            return gt__out_of_memory(tape, "an effect");
        }
        memcpy(copy[e], gt__value(tape, source), bytes);
    }
    return true;
}

/* All at one tick of the clock: they happen together. */
static void apply(gt_tape *tape, void **copy) {
    if (tape->n_effects) tape->params->clock++;
    for (uint32_t e = 0; e < tape->n_effects; e++) {
        gt__node *n = gt__node_at(tape, tape->effect[e]);
        if (!is_pending(tape, tape->effect[e])) continue;
        const uint32_t *in = gt__in(tape, n);
        const void *source = copy[e] ? copy[e] : gt_computed(gt__tensor(tape, in[1]));
        gt__leaf_write(tape, in[0], source);
        gt__pool_give(&tape->pool, copy[e]);
        n->flags |= GT__APPLIED;
    }
}

/* Adds to the numbers of a pending effect's leaf and source, which count effects until the work is noted. */
static void count_effect(gt_tape *tape, uint32_t effect, uint32_t more) {
    const uint32_t *in = gt__in(tape, gt__node_at(tape, effect));
    tape->slot[in[0]].number += more;
    if (!gt__is_ready(tape, in[1])) tape->slot[in[1]].number += more;
}

/* A value that is made for one leaf alone, and that leaf's only new value, may be written into it. */
static void mark_assigned(gt_tape *tape, uint32_t effect, bool free) {
    const uint32_t *in = gt__in(tape, gt__node_at(tape, effect));
    gt__slot *s = &tape->slot[in[1]];
    if (!free || tape->slot[in[0]].number != 1 || s->number != 1) return;
    s->state |= GT__TO_ASSIGN;
    s->owner = in[0];
}

/* An effect recorded before its leaf was overwritten by something else is as stale as a value. */
static bool want_effect(run *r, uint32_t effect) {
    gt_tape *tape = r->tape;
    const gt__node *n = gt__node_at(tape, effect);
    const uint32_t source = gt__in(tape, n)[1];
    if (leaf_is_newer(tape, gt__node_at(tape, source), n)) return fail_stale(tape, source, source);
    const bool free =
        !gt__is_ready(tape, source) && !(tape->slot[source].state & (GT__TO_STORE | GT__TO_HOLD));
    need(r, source, GT__TO_HOLD);
    mark_assigned(tape, effect, free);
    return true;
}

static bool want_effects(run *r) {
    gt_tape *tape = r->tape;
    if (tape->n_effects == 0) return true;
    bool ok = reserve_slots(r);
    if (!ok) return false;
    for (uint32_t e = 0; e < tape->n_effects; e++)
        if (is_pending(tape, tape->effect[e])) count_effect(tape, tape->effect[e], 1);
    for (uint32_t e = 0; ok && e < tape->n_effects; e++)
        if (is_pending(tape, tape->effect[e])) ok = want_effect(r, tape->effect[e]);
    for (uint32_t e = 0; e < tape->n_effects; e++)
        if (is_pending(tape, tape->effect[e])) count_effect(tape, tape->effect[e], UINT32_MAX);
    return ok;
}

bool gt_commit_with(gt_tape *tape, const gt_tensor *wanted, int count, bool (*deliver)(void *user),
                    void *user) {
    if (!tape || tape->failed) return false;
    for (int k = 0; k < count; k++)
        if (wanted[k].tape != tape || !gt__check(wanted[k], "commit"))
            return gt__error(tape, "commit: a wanted tensor is not of this tape");
    run r;
    if (!begin(&r, tape, false)) return false;
    const bool wanted_all = want_sinks(&r);
    for (int k = 0; wanted_all && k < count; k++) need(&r, wanted[k].index, GT__TO_HOLD);
    void **copy = gt__pool_take(&tape->pool, tape->n_effects * sizeof *copy);
    if (!copy) gt__out_of_memory(tape, "effects");
    bool ok =
        copy && wanted_all && want_effects(&r) && execute(&r) && copy_leaf_sources(tape, copy);
    if (ok && deliver && !deliver(user)) {
        for (uint32_t e = 0; e < tape->n_effects; e++) gt__pool_give(&tape->pool, copy[e]);
        ok = false;
    }
    if (ok) {
        gt__run_final(tape);
        apply(tape, copy);
    }
    gt__pool_give(&tape->pool, copy);
    finish(&r, ok);
    return ok;
}

bool gt_commit(gt_tape *tape) { return gt_commit_with(tape, NULL, 0, NULL, NULL); }

void gt_replay(gt_tape *tape) {
    if (!tape || tape->running) return;
    for (uint32_t e = 0; e < tape->n_effects; e++)
        gt__unset(gt__node_at(tape, tape->effect[e]), GT__APPLIED);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < tape->n_stored; k++) {
        gt__node *n = gt__node_at(tape, tape->stored[k]);
        if (n->flags & GT__LEAF) {
            tape->stored[kept++] = tape->stored[k];
            continue;
        }
        gt__unset(n, GT__STORED);
        gt__give_value(tape, n);
    }
    tape->n_stored = kept;
    tape->begun = tape->replayed = tape->params->clock;
    gt__replay_scalars(tape);
}
