/* graph/run.c: the reference executor: node by node, in the order of the tape.
 *
 * A run marks what is wanted, from the highest index down (so every consumer is seen before its
 * inputs), computes upwards, and frees each value after its last use. Values flagged to be stored stay
 * with their nodes; the slots are zero again when it ends. A failed run leaves no trace but the error.
 *
 * The one liberty: the sum of several contributions (trait GT_SUMS) lets a contribution that nothing
 * else uses write with += through its operation's `accumulate`. Since the sum starts from +0, which adding
 * a zero never changes, the bits are those of computing it apart. */
#include "graph/tape.h"

#include <string.h>

enum {
    NEED = 1,
    STORE = 2,  /* becomes the node's stored value */
    HOLD = 4,   /* stays to the end of the run */
    ADDED = 8,  /* an input of a sum */
    FUSED = 16, /* computed by its sum */
    OWNS = 32,  /* data is a block of the pool */
    STALE = 64,
    READ = 128 /* the user recorded something of it: no sink */
};

typedef struct run {
    gt_tape *tape;
    uint32_t low, high; /* range of touched slots; low > high: none */
    bool reading;
} run;

/* ---- values ------------------------------------------------------------------------------------------ */

static size_t bytes_of(const gt_tape *tape, const gt__node *n) {
    return (size_t)gt__shape(tape, n)->numel * gt_dtype_size((gt_dtype)n->dtype);
}

static void fill_array(gt_tape *tape, uint32_t i, gt_array *a) {
    gt__node *n = gt__node_at(tape, i);
    const gt__slot *s = &tape->slot[i];
    a->dtype = (gt_dtype)n->dtype;
    a->shape = gt__shape(tape, n)->shape;
    a->data = gt__value(tape, n);
    const bool ready = n->flags & (GT__LEAF | GT__STORED);
    const int64_t *stride = ready ? NULL : gt__bytes(&tape->layouts, s->layout, NULL);
    if (!ready) a->data = s->data;
    if (stride)
        memcpy(a->stride, stride, sizeof a->stride);
    else
        gt__contiguous(a);
}

/* ---- marking ------------------------------------------------------------------------------------------ */

static bool reserve_slots(gt_tape *tape, uint32_t count) {
    const uint32_t before = tape->slot_room;
    if (!gt__grow(tape->allocator, &tape->slot, &tape->slot_room, count, sizeof *tape->slot))
        return gt__out_of_memory(tape, "a run");
    memset(tape->slot + before, 0, (tape->slot_room - before) * sizeof *tape->slot);
    return true;
}

static bool is_ready(const gt_tape *tape, uint32_t i) {
    return gt__node_at(tape, i)->flags & (GT__LEAF | GT__STORED);
}

/* What is there already has no part in the run: old leaves would stretch its range over the whole tape. */
static void need(run *r, uint32_t i, unsigned state) {
    if (is_ready(r->tape, i)) return;
    r->tape->slot[i].state |= NEED | state;
    if (r->low > r->high) {
        r->low = r->high = i;
    } else if (i < r->low) {
        r->low = i;
    } else if (i > r->high) {
        r->high = i;
    }
}

static bool leaf_is_newer(const gt_tape *tape, const gt__node *leaf, const gt__node *n) {
    return leaf->flags & GT__LEAF && gt__leaf_written(tape, leaf) > n->clock;
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
    if (state & STORE || n->flags & GT__KEEP || r->tape->keep_all) return true;
    const bool product = !(n->op->more.traits & (GT_ELEMENTWISE | GT_VIEW));
    return r->reading && !r->tape->eval && product && n->flags & GT__TRAINED &&
           !(n->flags & GT__RULE);
}

static bool mark_inputs(run *r, uint32_t i) {
    gt_tape *tape = r->tape;
    gt__node *n = gt__node_at(tape, i);
    gt__slot *s = &tape->slot[i];
    if (n->op->more.traits & GT_EFFECT)
        return gt__error(tape, "%s#%u is an effect: it has no value, read its leaf", n->op->name,
                         i);
    const bool alone = s->state & ADDED && s->uses == 1 && !(s->state & (STORE | HOLD));
    const bool adds = n->op->more.accumulate && !(n->op->more.traits & GT_SUMS);
    if (alone && adds && !is_to_be_stored(r, n, s->state)) s->state |= FUSED;
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    for (uint32_t k = 0; k < n_in; k++) {
        if (leaf_is_newer(tape, gt__node_at(tape, in[k]), n)) return fail_stale(tape, i, in[k]);
        need(r, in[k], n->op->more.traits & GT_SUMS ? ADDED : 0);
        if (!is_ready(tape, in[k])) tape->slot[in[k]].uses++;
    }
    return true;
}

static bool mark(run *r) {
    if (r->low > r->high) return true;
    for (uint32_t i = r->high + 1; i-- > r->low;) {
        const gt__node *n = gt__node_at(r->tape, i);
        if (!(r->tape->slot[i].state & NEED)) continue;
        if (n->out)
            need(r, i - n->out, 0);
        else if (!mark_inputs(r, i))
            return false;
    }
    return true;
}

/* ---- computing ------------------------------------------------------------------------------------------ */

static void release(gt_tape *tape, uint32_t i) {
    for (;;) {
        gt__slot *s = &tape->slot[i];
        if (is_ready(tape, i) || s->state & FUSED || --s->uses > 0)
            return; /* fused: has no value */
        if (s->state & OWNS) {
            gt__pool_give(&tape->pool, s->data);
            s->state &= ~(unsigned)OWNS;
            s->data = NULL;
            return;
        }
        if (s->owner == i) return; /* a scalar in its node */
        i = s->owner;              /* a view lets go of what it looked at */
    }
}

/* Gives node i a contiguous place for its value. */
static bool place_value(gt_tape *tape, uint32_t i) {
    gt__node *n = gt__node_at(tape, i);
    gt__slot *s = &tape->slot[i];
    s->owner = i;
    s->layout = 0;
    if (gt__shape(tape, n)->shape.rank == 0) {
        s->data = &n->value;
        return true;
    }
    s->data = gt__pool_take(&tape->pool, bytes_of(tape, n));
    if (!s->data) {
        char name[320];
        gt__error(tape, "out of memory: the value of %s", gt__describe(tape, i, name, sizeof name));
        return false;
    }
    s->state |= OWNS;
    return true;
}

/* Kernels that do not read strides get contiguous operands. */
static bool make_contiguous(gt_call *call, gt_array *in) {
    for (int k = 0; k < call->n_in; k++) {
        if (gt__is_contiguous(&in[k])) continue;
        void *copy = gt_scratch(call, (size_t)gt_numel(in[k].shape) * gt_dtype_size(in[k].dtype));
        if (!copy) return false;
        gt__copy_strided(copy, &in[k]);
        in[k].data = copy;
        gt__contiguous(&in[k]);
    }
    return true;
}

static bool compute_view(run *r, uint32_t i, gt_call *call) {
    gt_tape *tape = r->tape;
    gt__node *n = gt__node_at(tape, i);
    gt__slot *s = &tape->slot[i];
    int64_t offset = 0;
    gt_array *out = &call->out[0];
    /* An input computed over a stored value can have other strides than when it was recorded. */
    const bool direct = call->op->more.view(call, out, &offset);
    if (!direct &&
        (!make_contiguous(call, (gt_array *)call->in) || !call->op->more.view(call, out, &offset)))
        return gt_call_fail(call, "no view of %s", gt_operand(call, 0));
    out->data = call->in[0].data;
    if (gt_numel(out->shape))
        out->data = (char *)out->data + offset * (int64_t)gt_dtype_size(out->dtype);
    if (!direct || s->state & HOLD || is_to_be_stored(r, n, s->state)) {
        if (!place_value(tape, i)) return false;
        gt__copy_strided(s->data, out);
        return true;
    }
    const uint32_t base = gt__in(tape, n)[0];
    s->data = out->data;
    s->layout = gt__layout(tape, out);
    s->owner = base;
    if (s->layout == UINT32_MAX) return false;
    if (!is_ready(tape, base)) tape->slot[base].uses++; /* released with this view */
    return true;
}

/* Calls f on node i's operands. With a target, the result is written there instead of its slot. */
static bool call_node(run *r, uint32_t i, bool (*f)(run *, uint32_t, gt_call *),
                      const gt_array *target) {
    gt_tape *tape = r->tape;
    gt__node *n = gt__node_at(tape, i);
    const uint32_t n_in = gt__n_in(n);
    if (!gt__reserve_arrays(tape, n_in)) return false;
    gt__context context;
    context.tape = tape;
    context.node = i;
    context.index = gt__in(tape, n);
    context.scratch = NULL;
    context.next_text = 0;
    gt_array few[3 + GT_MAX_OUT], *array = n_in > 3 ? tape->array : few;
    gt_call call = {.op = n->op,
                    .attr = gt__bytes(&tape->attrs, n->attr, NULL),
                    .arg = tape->arg + n->arg,
                    .n_in = (int)n_in,
                    .in = array,
                    .out = array + n_in,
                    .seed = tape->params->seed,
                    .internal = &context};
    for (uint32_t k = 0; k < n_in; k++) fill_array(tape, context.index[k], &array[k]);
    for (; i + (uint32_t)call.n_out < tape->size && call.n_out < GT_MAX_OUT; call.n_out++) {
        const gt__node *out = gt__node_at(tape, i + (uint32_t)call.n_out);
        if (out->out != (unsigned)call.n_out || (call.n_out && out->op != n->op)) break;
        fill_array(tape, i + (uint32_t)call.n_out, &call.out[call.n_out]);
    }
    if (target) call.out[0] = *target;
    const gt__site site = tape->site, *own = gt__bytes(&tape->sites, n->site, NULL);
    tape->site = own ? *own : (gt__site){NULL, 0};
    const bool strided = n->op->more.traits & (GT_STRIDED | GT_ELEMENTWISE | GT_VIEW);
    const bool ok = (strided || make_contiguous(&call, array)) && f(r, i, &call);
    gt__free_scratch(&context);
    if (!ok && !tape->failed) gt_call_fail(&call, "failed");
    tape->site = site;
    return ok;
}

static bool call_kernel(run *r, uint32_t i, gt_call *call) {
    (void)r;
    (void)i;
    if (call->op->more.traits & GT_ELEMENTWISE) return gt__run_elementwise(call);
    return call->op->kernel(call);
}

static bool call_accumulate(run *r, uint32_t i, gt_call *call) {
    (void)r;
    (void)i;
    return call->op->more.accumulate(call);
}

/* A sum takes its inputs one at a time. */
static bool call_sum(run *r, uint32_t i, gt_call *call) {
    gt_tape *tape = r->tape;
    const uint32_t *in = gt__in(tape, gt__node_at(tape, i));
    const gt_array out = call->out[0];
    memset(out.data, 0, (size_t)gt_numel(out.shape) * gt_dtype_size(out.dtype));
    const int count = call->n_in;
    for (int k = 0; k < count; k++) {
        if (tape->slot[in[k]].state & FUSED) {
            if (!call_node(r, in[k], call_accumulate, &out)) return false;
            continue;
        }
        gt_array one;
        fill_array(tape, in[k], &one);
        gt_call part = *call;
        part.n_in = 1;
        part.in = &one;
        part.out = (gt_array *)&out;
        if (!gt__is_contiguous(&one) && !make_contiguous(&part, &one)) return false;
        if (!part.op->more.accumulate(&part)) return false;
        gt__free_scratch(part.internal);
    }
    return true;
}

/* A fused input was computed just now, so its own inputs are done with too. It is no sum: one level. */
static void release_inputs(gt_tape *tape, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    for (uint32_t k = 0; k < n_in; k++) {
        const gt__node *input = gt__node_at(tape, in[k]);
        const bool fused = tape->slot[in[k]].state & FUSED;
        for (uint32_t j = 0; fused && j < gt__n_in(input); j++)
            release(tape, gt__in(tape, input)[j]);
        release(tape, in[k]);
    }
}

static bool compute(run *r, uint32_t i) {
    gt_tape *tape = r->tape;
    gt__node *n = gt__node_at(tape, i);
    const unsigned traits = n->op->more.traits;
    uint32_t outs = i;
    bool ok = true;
    if (traits & GT_VIEW) {
        tape->slot[i].uses++;
        ok = call_node(r, i, compute_view, NULL);
        outs = i + 1;
    } else {
        while (outs < tape->size && gt__node_at(tape, outs)->op == n->op &&
               gt__node_at(tape, outs)->out == outs - i) {
            if (outs > r->high) r->high = outs;
            ok = ok && place_value(tape, outs);
            tape->slot[outs].uses++; /* held while it is computed */
            outs++;
        }
        ok = ok && call_node(r, i, traits & GT_SUMS ? call_sum : call_kernel, NULL);
    }
    if (!ok) return false;
    release_inputs(tape, i);
    /* All results or none: the first stands for the operation, and is not computed again once stored. */
    bool store = false;
    for (uint32_t k = i; k < outs; k++)
        store = store || is_to_be_stored(r, gt__node_at(tape, k), tape->slot[k].state);
    for (uint32_t k = i; k < outs; k++) {
        gt__slot *s = &tape->slot[k];
        if (store) s->state |= STORE;
        if (s->state & (STORE | HOLD)) s->uses++;
        release(tape, k);
    }
    return true;
}

static bool forward(run *r) {
    gt_tape *tape = r->tape;
    for (uint32_t i = r->low; i <= r->high && r->low <= r->high; i++) {
        const gt__node *n = gt__node_at(tape, i);
        const unsigned state = tape->slot[i].state;
        if (!(state & NEED) || state & FUSED || n->out) continue;
        if (!compute(r, i)) return false;
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
    gt__run_scalars(tape);
    return reserve_slots(tape, tape->size + 1);
}

static bool execute(run *r) {
    gt_tape *tape = r->tape;
    tape->running = true;
    bool ok = mark(r);
    /* Room for the list of stored values beforehand, so that the end cannot fail. */
    uint32_t may_store = 0;
    for (uint32_t i = r->low; ok && r->low <= r->high && i <= r->high; i++)
        may_store += (tape->slot[i].state & NEED) != 0;
    ok = ok && (gt__grow(tape->allocator, &tape->stored, &tape->stored_room,
                         (uint64_t)tape->n_stored + (uint64_t)may_store * GT_MAX_OUT,
                         sizeof *tape->stored) ||
                gt__out_of_memory(tape, "a run"));
    return ok && forward(r);
}

static void finish(run *r, bool ok) {
    gt_tape *tape = r->tape;
    tape->running = false;
    if (r->low > r->high) return;
    for (uint32_t i = r->low; i <= r->high; i++) {
        gt__slot *s = &tape->slot[i];
        gt__node *n = gt__node_at(tape, i);
        if (ok && s->state & STORE && !(n->flags & (GT__LEAF | GT__STORED)) && s->data) {
            n->flags |= GT__STORED;
            if (s->state & OWNS) {
                n->value.data = s->data;
                tape->stored[tape->n_stored++] = i;
            }
        } else if (s->state & OWNS) {
            gt__pool_give(&tape->pool, s->data);
        }
    }
    memset(tape->slot + r->low, 0, (r->high - r->low + 1) * sizeof *tape->slot);
}

bool gt__read(gt_tape *tape, const uint32_t *wanted, uint32_t count) {
    run r;
    if (!begin(&r, tape, true)) return false;
    for (uint32_t k = 0; k < count; k++) need(&r, wanted[k], STORE);
    const bool ok = execute(&r);
    finish(&r, ok);
    return ok;
}

/* ---- effects -------------------------------------------------------------------------------------------- */

const void *gt_computed(gt_tensor t) {
    if (!gt__valid(t)) return NULL;
    gt__node *n = gt__node_at(t.tape, t.index);
    const void *ready = gt__value(t.tape, n);
    return ready || t.index >= t.tape->slot_room ? ready : t.tape->slot[t.index].data;
}

static bool is_pending(const gt_tape *tape, uint32_t effect) {
    return !(gt__node_at(tape, effect)->flags & GT__APPLIED);
}

/* Marks in the slots what is stale, and what the user's later operations read. Staleness passes from inputs
 * to results unless a stored value stands between. */
static void survey(gt_tape *tape) {
    for (uint32_t i = 0; i < tape->size; i++) {
        const gt__node *n = gt__node_at(tape, i);
        const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
        const bool by_user = !(n->flags & GT__RULE);
        for (uint32_t k = 0; k < n_in; k++) {
            gt__slot *s = &tape->slot[in[k]];
            if (s->state & STALE || leaf_is_newer(tape, gt__node_at(tape, in[k]), n))
                tape->slot[i].state |= STALE;
            if (by_user) s->state |= READ;
        }
        if (n->flags & GT__STORED) tape->slot[i].state &= ~(unsigned)STALE;
    }
}

/* Sinks are what the user recorded and nothing of the user's reads. A stale one is left alone: reading it
 * later says so. */
static void want_sinks(run *r) {
    gt_tape *tape = r->tape;
    survey(tape);
    for (uint32_t i = 0; i < tape->size; i++) {
        const gt__node *n = gt__node_at(tape, i);
        const bool idle =
            !(tape->slot[i].state & (READ | STALE)) && !(n->flags & (GT__UNASKED | GT__RULE));
        tape->slot[i].state &= ~(unsigned)(READ | STALE);
        if (idle && !(n->op->more.traits & GT_EFFECT)) need(r, i, STORE);
    }
}

/* Sources that are leaves may be written by another effect: they are copied first. */
static bool copy_leaf_sources(gt_tape *tape, void **copy) {
    for (uint32_t e = 0; e < tape->n_effects; e++) {
        const uint32_t source = gt__in(tape, gt__node_at(tape, tape->effect[e]))[1];
        gt__node *n = gt__node_at(tape, source);
        copy[e] = NULL;
        if (!is_pending(tape, tape->effect[e]) || !(n->flags & GT__LEAF)) continue;
        const size_t bytes = bytes_of(tape, n);
        copy[e] = gt__pool_take(&tape->pool, bytes);
        if (!copy[e]) {
            while (e-- > 0) gt__pool_give(&tape->pool, copy[e]);
            return gt__out_of_memory(tape, "an effect");
        }
        memcpy(copy[e], gt__value(tape, n), bytes);
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
        gt__leaf_write(tape, gt__node_at(tape, in[0]), source);
        gt__pool_give(&tape->pool, copy[e]);
        n->flags |= GT__APPLIED;
    }
}

/* An effect recorded before its leaf was overwritten by something else is as stale as a value. */
static bool want_effects(run *r) {
    gt_tape *tape = r->tape;
    for (uint32_t e = 0; e < tape->n_effects; e++) {
        if (!is_pending(tape, tape->effect[e])) continue;
        const gt__node *n = gt__node_at(tape, tape->effect[e]);
        const uint32_t source = gt__in(tape, n)[1];
        if (leaf_is_newer(tape, gt__node_at(tape, source), n))
            return fail_stale(tape, source, source);
        need(r, source, HOLD);
    }
    return true;
}

bool gt_commit_with(gt_tape *tape, const gt_tensor *wanted, int count, bool (*deliver)(void *user),
                    void *user) {
    if (!tape || tape->failed) return false;
    for (int k = 0; k < count; k++)
        if (wanted[k].tape != tape || !gt__check(wanted[k], "commit"))
            return gt__error(tape, "commit: a wanted tensor is not of this tape");
    run r;
    if (!begin(&r, tape, false)) return false;
    want_sinks(&r);
    for (int k = 0; k < count; k++) need(&r, wanted[k].index, HOLD);
    void **copy = gt__pool_take(&tape->pool, tape->n_effects * sizeof *copy);
    bool ok = copy != NULL;
    if (!ok) gt__out_of_memory(tape, "effects");
    ok = ok && want_effects(&r) && execute(&r) && copy_leaf_sources(tape, copy);
    if (ok && deliver && !deliver(user)) {
        for (uint32_t e = 0; e < tape->n_effects; e++) gt__pool_give(&tape->pool, copy[e]);
        ok = false;
    }
    if (ok) apply(tape, copy);
    gt__pool_give(&tape->pool, copy);
    finish(&r, ok);
    return ok;
}

bool gt_commit(gt_tape *tape) { return gt_commit_with(tape, NULL, 0, NULL, NULL); }

void gt_replay(gt_tape *tape) {
    if (!tape || tape->running) return;
    for (uint32_t i = 0; i < tape->size; i++) {
        gt__node *n = gt__node_at(tape, i);
        if (!(n->flags & GT__LEAF)) {
            n->clock = tape->params->clock;
            gt__unset(n, GT__STORED | GT__APPLIED);
        }
    }
    uint32_t kept = 0;
    for (uint32_t k = 0; k < tape->n_stored; k++) {
        gt__node *n = gt__node_at(tape, tape->stored[k]);
        if (n->flags & GT__LEAF)
            tape->stored[kept++] = tape->stored[k];
        else
            gt__pool_give(&tape->pool, n->value.data);
    }
    tape->n_stored = kept;
    tape->scalars_run = 0;
}
