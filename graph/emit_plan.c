/* graph/emit_plan.c: what of a tape is to be written: what is known already, what must be computed, in which
 * units and parts, and how long each value lives. */
#include <string.h>

#include "graph/emit.h"
#include "graph/run.h"

enum {
    STATEMENTS = 2000, /* of a part, at most */
    OF_OPERATION = 40, /* of an operation that writes itself, at most, and of a copy */
    MEMBERS = 500      /* of a group */
};
#define OPEN (UINT32_MAX - 1) /* the unit of members of the group that still grows */

static const uint32_t *inputs(const gt_emitter *e, uint32_t i) {
    return gt__in(e->tape, gt__emit_node(e, i));
}
static uint32_t n_inputs(const gt_emitter *e, uint32_t i) { return gt__n_in(gt__emit_node(e, i)); }
static unsigned traits(const gt_emitter *e, uint32_t i) {
    return gt__emit_node(e, i)->op->more.traits;
}
static bool is_leaf(const gt_emitter *e, uint32_t i) {
    return gt__emit_node(e, i)->flags & GT__LEAF;
}
static int64_t numel(const gt_emitter *e, uint32_t i) {
    return gt__shape(e->tape, gt__emit_node(e, i))->numel;
}

static bool fail_at(gt_emitter *e, uint32_t i, const char *what) {
    char name[320], where[300];
    return gt__error(e->tape, "emit_c: %s %s%s", gt__describe(e->tape, i, name, sizeof name), what,
                     gt__site_text(e->tape, gt__emit_node(e, i)->site, where, sizeof where));
}

/* ---- leaves ------------------------------------------------------------------------------------------------ */

static void set_home(gt_emitter *e, uint32_t i, gt__home home) {
    e->value[i].home = (unsigned)home & 7u;
    if (home == GT__ARGUMENT || home == GT__STATE)
        e->value[i].name = gt__emit_unique(e, gt__tensor(e->tape, i));
}

static bool place_arguments(gt_emitter *e) {
    for (int k = 0; k < e->inputs.count; k++) {
        const uint32_t i = e->inputs.at[k].index;
        if (!is_leaf(e, i)) return fail_at(e, i, "is computed: only a leaf can be an input");
        if (e->value[i].home) return fail_at(e, i, "is an input twice");
        set_home(e, i, GT__ARGUMENT);
        e->value[i].unit = (uint32_t)k;
    }
    return true;
}

static bool place_state(gt_emitter *e) {
    const gt_tape *tape = e->tape;
    for (uint32_t k = 0; k < tape->n_effects; k++) {
        const uint32_t leaf = inputs(e, tape->effect[k])[0];
        if (e->value[leaf].home == GT__ARGUMENT)
            return fail_at(e, leaf, "is an input, and an effect writes it");
        if (!e->value[leaf].home) set_home(e, leaf, GT__STATE);
    }
    for (uint32_t i = 0; i < tape->size; i++)
        if (gt__emit_node(e, i)->flags & GT__PARAM && !e->value[i].home) set_home(e, i, GT__STATE);
    return true;
}

/* ---- what is known, and what is needed ------------------------------------------------------------------------ */

static void find_known(gt_emitter *e) {
    for (uint32_t i = 0; i < e->tape->size; i++) {
        bool known = !e->value[i].home && !(traits(e, i) & (GT_RANDOM | GT_EFFECT));
        for (uint32_t k = 0; k < n_inputs(e, i); k++)
            known = known && e->value[inputs(e, i)[k]].known;
        e->value[i].known = known;
        e->value[i].base = i;
    }
}

static void need(gt_emitter *e, uint32_t i) { e->value[i].needed = true; }

static void find_needed(gt_emitter *e) {
    const gt_tape *tape = e->tape;
    for (int k = 0; k < e->outputs.count; k++) need(e, e->outputs.at[k].index);
    for (uint32_t k = 0; k < tape->n_effects; k++) need(e, inputs(e, tape->effect[k])[1]);
    for (uint32_t i = tape->size; i-- > 0;) {
        if (!e->value[i].needed || e->value[i].known || numel(e, i) == 0) continue;
        if (gt__emit_node(e, i)->out) need(e, i - gt__emit_node(e, i)->out);
        for (uint32_t k = 0; k < n_inputs(e, i); k++) need(e, inputs(e, i)[k]);
    }
}

static bool elements_alike(gt_emitter *e, uint32_t i) {
    const size_t size = gt_dtype_size((gt_dtype)gt__emit_node(e, i)->dtype);
    const char *data = gt__value(e->tape, i);
    const int64_t count = numel(e, i);
    for (int64_t k = 1; k < count; k++)
        if (memcmp(data, data + (size_t)k * size, size) != 0) return false;
    return count > 0;
}

/* Computes what is known, by the executor that emitted code is to agree with. */
static bool read_known(gt_emitter *e) {
    gt_tape *tape = e->tape;
    const bool exact = tape->exact, reference = tape->reference;
    uint32_t count = 0;
    for (uint32_t i = 0; i < tape->size; i++)
        if (e->value[i].known && e->value[i].needed && !is_leaf(e, i)) e->order[count++] = i;
    tape->exact = tape->reference = true;
    const bool ok = gt__read(tape, e->order, count);
    tape->exact = exact;
    tape->reference = reference;
    for (uint32_t i = 0; ok && i < tape->size; i++) {
        if (!e->value[i].known || !e->value[i].needed) continue;
        set_home(e, i, GT__FIXED);
        e->value[i].uniform = elements_alike(e, i);
    }
    return ok;
}

/* ---- views --------------------------------------------------------------------------------------------------- */

/* The strides of a view over its input's memory, or else over a contiguous copy of its input. */
static bool plan_view(gt_emitter *e, uint32_t i) {
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t from = inputs(e, i)[0];
    gt__emitted *v = &e->value[i];
    gt__context context = {.tape = e->tape, .node = i, .index = inputs(e, i)};
    gt_array in, out = {.dtype = (gt_dtype)n->dtype, .shape = *gt__emit_shape(e, i)};
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&e->tape->attrs, n->attr, NULL),
                          .arg = e->tape->arg + n->arg,
                          .n_in = 1,
                          .n_out = 1,
                          .in = &in,
                          .out = &out,
                          .internal = &context};
    gt__emit_array(e, from, &in);
    v->copied = !n->op->more.view(&call, &out, &v->offset);
    if (v->copied) gt__contiguous(&in);
    if (v->copied && !n->op->more.view(&call, &out, &v->offset)) return fail_at(e, i, "is no view");
    v->layout = gt__layout(e->tape, &out);
    if (v->layout == UINT32_MAX) return false;
    if (v->copied) return true;
    v->base = e->value[from].base;
    v->offset += e->value[from].offset;
    v->home = e->value[from].home;
    return true;
}

/* ---- units ---------------------------------------------------------------------------------------------------- */

void gt__emit_reserve(gt_emitter *e, uint32_t statements) {
    if (e->load + statements > STATEMENTS) {
        e->function++;
        e->load = 0;
    }
    e->load += statements;
}

static void add_unit(gt_emitter *e, const uint32_t *member, uint32_t count, bool elementwise) {
    uint32_t load = elementwise ? GT_MAX_RANK : OF_OPERATION;
    if (!gt__grow(e->tape->allocator, &e->unit, &e->unit_room, (uint64_t)e->n_units + 1,
                  sizeof *e->unit)) {
        e->starved = true;
        return;
    }
    if (elementwise && gt__emit_shape(e, member[0])->rank == 0) load = 0;
    for (uint32_t k = 0; elementwise && k < count; k++) load += 3 + n_inputs(e, member[k]) / 64;
    gt__emit_reserve(e, load);
    e->unit[e->n_units] = (gt__unit){e->n_order, count, e->function, elementwise};
    for (uint32_t k = 0; k < count; k++) {
        e->order[e->n_order++] = member[k];
        for (uint32_t r = 0; r < gt__n_results(e->tape, member[k]); r++)
            e->value[member[k] + r].unit = e->n_units;
    }
    e->n_units++;
}

static void close_group(gt_emitter *e) {
    if (e->n_open) add_unit(e, e->open, e->n_open, true);
    e->n_open = 0;
}

static bool is_open(const gt_emitter *e, uint32_t i) {
    const gt__emitted *base = &e->value[e->value[i].base];
    return base->home == GT__COMPUTED && base->unit == OPEN;
}

/* A member reads other members at its own place: not through views. */
static bool may_join(const gt_emitter *e, uint32_t i) {
    if (!e->n_open || e->n_open == MEMBERS) return false;
    if (gt__emit_node(e, i)->shape != gt__emit_node(e, e->open[0])->shape) return false;
    for (uint32_t k = 0; k < n_inputs(e, i); k++) {
        const uint32_t j = inputs(e, i)[k];
        if (is_open(e, j) && e->value[j].base != j) return false;
    }
    return true;
}

static bool waits_for_open(const gt_emitter *e, uint32_t i) {
    for (uint32_t k = 0; k < n_inputs(e, i); k++)
        if (is_open(e, inputs(e, i)[k])) return true;
    return false;
}

static bool is_elementwise(const gt_emitter *e, uint32_t i) {
    return traits(e, i) & (GT_ELEMENTWISE | GT_SUMS);
}

static void plan_elementwise(gt_emitter *e, uint32_t i) {
    if (gt__emit_shape(e, i)->rank == 0) {
        if (waits_for_open(e, i)) close_group(e);
        add_unit(e, &i, 1, true);
        return;
    }
    if (!may_join(e, i)) close_group(e);
    e->open[e->n_open++] = i;
    e->value[i].unit = OPEN;
}

static bool can_be_emitted(gt_emitter *e, uint32_t i) {
    const gt_op_more *more = &gt__emit_node(e, i)->op->more;
    for (uint32_t k = 0; k < n_inputs(e, i); k++)
        if (gt__emit_node(e, inputs(e, i)[k])->dtype == GT_BF16)
            return fail_at(e, i, "reads bf16, which C does not have");
    if (gt__emit_node(e, i)->dtype == GT_BF16)
        return fail_at(e, i, "is bf16, which C does not have");
    if (more->traits & GT_RANDOM)
        return fail_at(e, i, "is random: make it an input, and hand numbers in");
    if (more->traits & (GT_VIEW | GT_SUMS) || more->emit) return true;
    if (more->traits & GT_ELEMENTWISE && more->forward_text && n_inputs(e, i) <= 3) return true;
    return fail_at(e, i, "cannot be emitted: its operation does not say how (gt_op_more.emit)");
}

static bool plan_node(gt_emitter *e, uint32_t i) {
    gt__emitted *v = &e->value[i];
    if (!can_be_emitted(e, i)) return false;
    v->home = GT__COMPUTED;
    if (numel(e, i) == 0 || gt__emit_node(e, i)->out) return true;
    if (traits(e, i) & GT_VIEW) {
        if (!plan_view(e, i)) return false;
        if (!v->copied) return true;
    }
    if (is_elementwise(e, i)) {
        plan_elementwise(e, i);
        return true;
    }
    if (waits_for_open(e, i)) close_group(e);
    add_unit(e, &i, 1, false);
    return true;
}

static bool plan_units(gt_emitter *e) {
    for (uint32_t i = 0; i < e->tape->size; i++) {
        gt__emitted *v = &e->value[i];
        if (gt__emit_node(e, i)->out && e->value[i - gt__emit_node(e, i)->out].needed && !v->known)
            v->home = GT__COMPUTED; /* the operation writes all its results */
        if (!v->needed || v->known || is_leaf(e, i)) continue;
        if (!plan_node(e, i)) return false;
    }
    close_group(e);
    return true;
}

/* ---- lives ------------------------------------------------------------------------------------------------------ */

int64_t gt__emit_extent(const gt_emitter *e, uint32_t i) {
    return numel(e, e->value[i].copied ? inputs(e, i)[0] : i);
}

/* Numbers are variables of their function; members of a group, of their loop. The rest is in memory. */
static void note_reader(gt_emitter *e, uint32_t u, uint32_t i) {
    gt__emitted *base = &e->value[e->value[i].base];
    const gt__unit *reader = &e->unit[u];
    if (base->home != GT__COMPUTED || numel(e, i) == 0) return;
    const gt__unit *own = &e->unit[base->unit];
    const bool number = gt__emit_shape(e, e->value[i].base)->rank == 0;
    if (base->unit == u ||
        (number && own->elementwise && reader->elementwise && own->function == reader->function)) {
        base->local = true;
        return;
    }
    base->memory = true;
    if (u > base->last) base->last = u;
}

static void keep_to_the_end(gt_emitter *e, uint32_t i) {
    gt__emitted *base = &e->value[e->value[i].base];
    base->memory = true;
    base->last = GT__TO_THE_END;
}

static void find_lives(gt_emitter *e) {
    for (uint32_t u = 0; u < e->n_units; u++)
        for (uint32_t k = 0; k < e->unit[u].count; k++) {
            const uint32_t i = e->order[e->unit[u].first + k];
            for (uint32_t r = 0; !e->unit[u].elementwise && r < gt__n_results(e->tape, i); r++) {
                e->value[i + r].memory = true;
                e->value[i + r].last = u;
            }
            for (uint32_t j = 0; j < n_inputs(e, i); j++) note_reader(e, u, inputs(e, i)[j]);
        }
    for (int k = 0; k < e->outputs.count; k++) keep_to_the_end(e, e->outputs.at[k].index);
    for (uint32_t k = 0; k < e->tape->n_effects; k++)
        keep_to_the_end(e, inputs(e, e->tape->effect[k])[1]);
}

bool gt__emit_plan(gt_emitter *e) {
    if (!place_arguments(e) || !place_state(e)) return false;
    find_known(e);
    find_needed(e);
    if (!read_known(e) || !plan_units(e) || e->starved) return false;
    find_lives(e);
    return true;
}
