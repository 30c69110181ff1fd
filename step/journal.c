/* step/journal.c: makes the journal: copies what the output depends on to a tape of its own, runs the real sweep
 * there and notes what it does, and computes everything again when an input is set. */
#include "step/journal.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "grad/grad.h"

/* ---- memory and errors -------------------------------------------------------------------------------------- */

bool gt__journal_fail(gt_journal *j, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(j->error, sizeof j->error, format, list);
    va_end(list);
    return false;
}

bool gt__journal_grow(gt_journal *j, void *block, uint32_t *room, uint64_t need, size_t item) {
    if (need <= *room) return true;
    const uint64_t more = (uint64_t)*room * 2 > need ? (uint64_t)*room * 2 : need + 16;
    void *old, *grown = NULL;
    memcpy(&old, block, sizeof old);
    if (more <= UINT32_MAX && more <= SIZE_MAX / item)
        grown = gt_params_alloc(j->params, old, *room * item, (size_t)more * item);
    if (!grown) return gt__journal_fail(j, "out of memory: a journal");
    memcpy(block, &grown, sizeof grown);
    *room = (uint32_t)more;
    return true;
}

static void *resize_in(void *params, void *block, size_t old_size, size_t new_size) {
    return gt_params_alloc(params, block, old_size, new_size);
}

gt_allocator gt__journal_allocator(const gt_journal *j) {
    return (gt_allocator){resize_in, j->params};
}

static bool tape_failed(gt_journal *j) { return gt__journal_fail(j, "%s", gt_error(j->tape)); }

const char *gt_journal_error(const gt_journal *j) {
    return j ? j->error : "out of memory: a journal";
}

bool gt__journal_ready(const gt_journal *j) { return j && j->n_steps > 0 && !gt_failed(j->tape); }

void gt_journal_free(gt_journal *j) {
    if (!j) return;
    for (uint32_t i = 0; i < j->n_gates; i++)
        gt_params_alloc(j->params, j->gate[i].label, strlen(j->gate[i].label) + 1, 0);
    gt_tape_free(j->tape);
    const struct {
        void *block;
        size_t size;
    } owned[] = {{j->gate, j->gate_room * sizeof *j->gate},
                 {j->edge, j->edge_room * sizeof *j->edge},
                 {j->input, j->input_room * sizeof *j->input},
                 {j->gate_at, j->at_room * sizeof *j->gate_at},
                 {j->step, j->step_room * sizeof *j->step},
                 {j->wanted, j->wanted_room * sizeof *j->wanted},
                 {j, sizeof *j}};
    gt_params *params = j->params;
    const bool owns_params = j->owns_params;
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i].block) gt_params_alloc(params, owned[i].block, owned[i].size, 0);
    if (owns_params) gt_params_free(params);
}

/* ---- gates ------------------------------------------------------------------------------------------------------ */

/* No name may steer a terminal: control characters become question marks. */
static char *copy_label(gt_journal *j, const char *label) {
    const size_t size = strlen(label) + 1;
    char *copy = gt_params_alloc(j->params, NULL, 0, size);
    if (!copy) return NULL;
    memcpy(copy, label, size);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
    return copy;
}

/* gate_at[index of value] = gate; what lies between stays no gate. */
static bool place_gate(gt_journal *j, gt_tensor value, uint32_t gate) {
    const uint32_t room = j->at_room;
    if (!gt__journal_grow(j, &j->gate_at, &j->at_room, (uint64_t)value.index + 1,
                          sizeof *j->gate_at))
        return false;
    for (uint32_t i = room; i < j->at_room; i++) j->gate_at[i] = GT__NO_GATE;
    j->gate_at[value.index] = gate;
    return true;
}

uint32_t gt__journal_add_gate(gt_journal *j, gt_tensor value, const char *label, uint32_t origin,
                              gt__gate_kind kind) {
    if (!gt_valid(value)) return tape_failed(j), GT__NO_GATE;
    const uint32_t n_in = kind == GT__OPERATION ? (uint32_t)gt_n_in(value) : 0;
    if (!gt__journal_grow(j, &j->gate, &j->gate_room, (uint64_t)j->n_gates + 1, sizeof *j->gate) ||
        !gt__journal_grow(j, &j->input, &j->input_room, (uint64_t)j->n_inputs + n_in,
                          sizeof *j->input) ||
        !place_gate(j, value, j->n_gates))
        return GT__NO_GATE;
    char *text = copy_label(j, label);
    if (!text) return gt__journal_fail(j, "out of memory: a journal"), GT__NO_GATE;
    j->gate[j->n_gates] = (gt__gate){.value = value,
                                     .gradient = gt_none(),
                                     .label = text,
                                     .kind = kind,
                                     .origin = origin,
                                     .first_in = j->n_inputs,
                                     .n_in = n_in,
                                     .parent = GT__NO_GATE};
    for (uint32_t k = 0; k < n_in; k++)
        j->input[j->n_inputs++] = j->gate_at[gt_in(value, (int)k).index];
    return j->n_gates++;
}

uint32_t gt__journal_find(const gt_journal *j, const char *label) {
    for (uint32_t i = 0; i < j->n_gates; i++)
        if (j->gate[i].kind != GT__ALIAS && strcmp(j->gate[i].label, label) == 0) return i;
    return GT__NO_GATE;
}

/* ---- the copy ------------------------------------------------------------------------------------------------------ */

/* What the output depends on; an operation needs all of its results from its first one on. */
static void mark_needed(gt_tensor output, unsigned char *needed) {
    needed[output.index] = 1;
    for (uint32_t i = output.index + 1; i-- > 0;) {
        if (!needed[i]) continue;
        const gt_tensor t = gt_tensor_at(output.tape, i);
        needed[i - (uint32_t)gt_out_index(t)] = 1;
        for (int k = 0; k < gt_n_in(t); k++) needed[gt_in(t, k).index] = 1;
    }
}

/* A maker such as gt_ones that was given a name is an input in the reader's eyes. */
static bool is_named(gt_tensor t, const char *label) {
    char plain[320];
    snprintf(plain, sizeof plain, "%s#%u", gt_op_of(t)->name, t.index);
    return strcmp(plain, label) != 0;
}

/* What a maker makes is made on the journal's tape: reading it here would run the walked one. */
static bool copy_value(gt_journal *j, gt_tensor t, const char *label) {
    const gt_tensor known = gt_is_leaf(t) ? t : gt_record_copy_on(j->tape, t, NULL);
    const void *data = gt_data(known);
    if (!data) return gt__journal_fail(j, "%s", gt_error(known.tape));
    const gt__gate_kind kind = gt_is_trainable(t) ? GT__PARAMETER : GT__INPUT;
    const gt_tensor copy = gt_input(j->tape, data, gt_shape_of(t), gt_dtype_of(t));
    return gt__journal_add_gate(j, copy, label, t.index, kind) != GT__NO_GATE;
}

/* A number that stands in a formula is called by itself. */
static void label_of(gt_tensor t, char *label, size_t size) {
    gt_label(t, label, size);
    if (gt_n_in(t) == 0 && gt_rank(t) == 0 && !is_named(t, label) && gt_n_args(t) == 1)
        gt__number_text(gt_args(t)[0].real, label, size);
}

/* A gate for a result; gt_out would tell the walked tape that someone asked for it. */
static bool add_result(gt_journal *j, gt_tensor copy, gt_tensor t, uint32_t k, uint32_t *moved) {
    const gt_tensor result = gt_tensor_at(t.tape, t.index + k);
    const gt_tensor own = gt_valid(copy) ? gt_tensor_at(j->tape, copy.index + k) : copy;
    const gt__gate_kind kind = gt_n_in(t) ? GT__OPERATION : GT__CONSTANT;
    char label[320];
    label_of(result, label, sizeof label);
    moved[result.index] = gt__journal_add_gate(j, own, label, result.index, kind);
    return moved[result.index] != GT__NO_GATE;
}

/* Records the operation whose first result is t, and gates for the results that are needed. */
static bool copy_operation(gt_journal *j, gt_tensor t, uint32_t last, const unsigned char *needed,
                           uint32_t *moved) {
    const uint32_t n_in = (uint32_t)gt_n_in(t);
    if (!gt__journal_grow(j, &j->wanted, &j->wanted_room, (uint64_t)n_in + 1, sizeof *j->wanted))
        return false;
    for (uint32_t k = 0; k < n_in; k++) j->wanted[k] = j->gate[moved[gt_in(t, (int)k).index]].value;
    const gt_tensor copy = gt_record_copy_on(j->tape, t, j->wanted);
    for (uint32_t k = 0; k < (uint32_t)gt_n_out(t) && t.index + k <= last; k++)
        if (needed[t.index + k] && !add_result(j, copy, t, k, moved)) return false;
    return true;
}

static bool copy_circuit(gt_journal *j, gt_tensor output, const unsigned char *needed,
                         uint32_t *moved) {
    for (uint32_t i = 0; i <= output.index; i++) {
        const gt_tensor t = gt_tensor_at(output.tape, i);
        char label[320];
        if (!needed[i] || gt_out_index(t) > 0) continue;
        gt_label(t, label, sizeof label);
        if (gt_is_leaf(t) || (gt_n_in(t) == 0 && is_named(t, label))) {
            moved[i] = j->n_gates;
            if (!copy_value(j, t, label)) return false;
        } else if (!copy_operation(j, t, output.index, needed, moved)) {
            return false;
        }
    }
    j->n_main = j->n_gates;
    j->output = moved[output.index];
    return true;
}

static bool copy_needed(gt_journal *j, gt_tensor output) {
    const size_t n = (size_t)output.index + 1, size = n * (1 + sizeof(uint32_t));
    uint32_t *moved = gt_params_alloc(j->params, NULL, 0, size);
    if (!moved) return gt__journal_fail(j, "out of memory: a journal");
    unsigned char *needed = (unsigned char *)(moved + n);
    memset(needed, 0, n);
    mark_needed(output, needed);
    const bool ok = copy_circuit(j, output, needed, moved);
    gt_params_alloc(j->params, moved, size, 0);
    return ok;
}

/* ---- the sweep -------------------------------------------------------------------------------------------------------- */

static void note_edge(void *user, const gt_flow *flow) {
    gt_journal *j = user;
    if (j->error[0] ||
        !gt__journal_grow(j, &j->edge, &j->edge_room, (uint64_t)j->n_edges + 1, sizeof *j->edge))
        return;
    const uint32_t gate = j->gate_at[flow->node.index];
    const uint32_t input = j->gate_at[gt_in(flow->node, flow->k).index];
    gt_tensor up = flow->up[0];
    for (int k = 1; k < flow->n_up && gt_is_none(up); k++) up = flow->up[k];
    gt__gate *from = &j->gate[gate];
    if (from->n_edges++ == 0) from->first_edge = j->n_edges;
    j->edge[j->n_edges++] = (gt__edge){.gate = gate,
                                       .k = (uint32_t)flow->k,
                                       .input = input,
                                       .up = up,
                                       .local = flow->local,
                                       .gx = flow->gx,
                                       .place = j->gate[input].n_arrived};
    if (!gt_is_none(flow->gx)) j->gate[input].n_arrived++;
}

bool gt__journal_sweep(gt_journal *j, gt_tensor root, gt_tensor u, uint32_t first, uint32_t end) {
    const uint32_t n = end - first;
    if (!gt__journal_grow(j, &j->wanted, &j->wanted_room, 2 * (uint64_t)n, sizeof *j->wanted))
        return false;
    gt_tensor *const wanted = j->wanted, *const gx = j->wanted + n;
    int count = 0;
    for (uint32_t i = first; i < end; i++)
        if (j->gate[i].kind != GT__CONSTANT && gt_dtype_is_float(gt_dtype_of(j->gate[i].value)))
            wanted[count++] = j->gate[i].value;
    const gt_watch watch = {note_edge, j};
    if (!gt_watched_grads(root, u, wanted, count, gx, &watch)) return tape_failed(j);
    if (j->error[0]) return false;
    for (int k = 0; k < count; k++) {
        gt__gate *gate = &j->gate[j->gate_at[wanted[k].index]];
        if (gate->n_arrived || wanted[k].index == root.index) gate->gradient = gx[k];
    }
    return true;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------ */

static gt__figures figures_of(gt_tensor t) {
    gt__figures f = {.one = (double)NAN, .low = (double)INFINITY, .high = -(double)INFINITY};
    double squares = 0;
    if (gt_is_none(t)) return f;
    f.numel = gt_numel(gt_shape_of(t));
    for (int64_t i = 0; i < f.numel; i++) {
        const double v = gt_element(t, i);
        squares += v * v;
        if (!isfinite(v)) {
            f.not_finite++;
            continue;
        }
        f.low = v < f.low ? v : f.low;
        f.high = v > f.high ? v : f.high;
    }
    f.norm = sqrt(squares);
    if (f.numel == 1) f.one = gt_element(t, 0);
    return f;
}

/* The sum so far plus what arrives, as the sweep's accumulate adds in that dtype. */
static double add_in(gt_dtype dtype, double sum, double more) {
    return dtype == GT_F64 ? sum + more : (double)((float)sum + (float)more);
}

static void measure_edge(gt_journal *j, gt__edge *e, double *sum) {
    const gt_dtype dtype = gt_dtype_of(j->gate[e->input].value);
    e->up_f = figures_of(e->up);
    e->local_f = figures_of(e->local);
    e->gx_f = figures_of(e->gx);
    e->before = sum[e->input];
    if (!gt_is_none(e->gx) && e->gx_f.numel == 1)
        sum[e->input] =
            j->gate[e->input].n_arrived > 1 ? add_in(dtype, e->before, e->gx_f.one) : e->gx_f.one;
    e->after = sum[e->input];
}

static bool measure(gt_journal *j) {
    const size_t size = ((size_t)j->n_gates + 1) * sizeof(double);
    double *sum = gt_params_alloc(j->params, NULL, 0, size);
    if (!sum) return gt__journal_fail(j, "out of memory: a journal");
    memset(sum, 0, size);
    for (uint32_t i = 0; i < j->n_gates; i++) {
        j->gate[i].v = figures_of(j->gate[i].value);
        j->gate[i].g = figures_of(j->gate[i].gradient);
    }
    for (uint32_t i = 0; i < j->n_edges; i++) measure_edge(j, &j->edge[i], sum);
    gt_params_alloc(j->params, sum, size, 0);
    return gt_failed(j->tape) ? tape_failed(j) : true;
}

/* Everything in one run; tensors that are already stored cost nothing. */
static bool compute(gt_journal *j) {
    const uint64_t most = 2 * (uint64_t)j->n_gates + 3 * (uint64_t)j->n_edges;
    if (most > INT32_MAX) return gt__journal_fail(j, "a journal of too many gates");
    if (!gt__journal_grow(j, &j->wanted, &j->wanted_room, most, sizeof *j->wanted)) return false;
    int n = 0;
    for (uint32_t i = 0; i < j->n_gates; i++) {
        j->wanted[n++] = j->gate[i].value;
        if (!gt_is_none(j->gate[i].gradient)) j->wanted[n++] = j->gate[i].gradient;
    }
    for (uint32_t i = 0; i < j->n_edges; i++) {
        const gt_tensor of_edge[] = {j->edge[i].up, j->edge[i].local, j->edge[i].gx};
        for (int k = 0; k < 3; k++)
            if (!gt_is_none(of_edge[k])) j->wanted[n++] = of_edge[k];
    }
    return gt_run(j->tape, j->wanted, n) ? measure(j) : tape_failed(j);
}

/* ---- steps ----------------------------------------------------------------------------------------------------------------- */

static bool add_step(gt_journal *j, gt__step_kind kind, uint32_t gate, uint32_t edge) {
    if (!gt__journal_grow(j, &j->step, &j->step_room, (uint64_t)j->n_steps + 1, sizeof *j->step))
        return false;
    j->step[j->n_steps++] = (gt__step){kind, gate, edge};
    return true;
}

static bool add_flows(gt_journal *j, const gt__gate *gate, uint32_t self) {
    for (uint32_t i = 0; i < gate->n_edges; i++)
        if (!add_step(j, GT__FLOW, self, gate->first_edge + i)) return false;
    return true;
}

static bool add_inner_values(gt_journal *j, const gt__gate *gate) {
    for (uint32_t i = gate->first_inner; i < gate->first_inner + gate->n_inner; i++)
        if (j->gate[i].kind != GT__ALIAS && !add_step(j, GT__VALUE, i, 0)) return false;
    return true;
}

static bool add_inner_flows(gt_journal *j, const gt__gate *gate) {
    for (uint32_t i = gate->first_inner + gate->n_inner; i-- > gate->first_inner;)
        if (!add_flows(j, &j->gate[i], i)) return false;
    return true;
}

static bool put_in_order(gt_journal *j) {
    j->n_steps = 0;
    for (uint32_t i = 0; i < j->n_main; i++) {
        const gt__gate *gate = &j->gate[i];
        if (gate->open && !add_inner_values(j, gate)) return false;
        if (gate->kind != GT__CONSTANT && !add_step(j, GT__VALUE, i, 0)) return false;
    }
    if (!add_step(j, GT__SEED, j->output, 0)) return false;
    for (uint32_t i = j->n_main; i-- > 0;) {
        const gt__gate *gate = &j->gate[i];
        if (gate->open && !add_inner_flows(j, gate)) return false;
        if (!add_flows(j, gate, i)) return false;
    }
    return true;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------------- */

static bool make(gt_journal *j, gt_tensor output) {
    if (gt_failed(output.tape)) return gt__journal_fail(j, "%s", gt_error(output.tape));
    if (!gt_valid(output)) return gt__journal_fail(j, "walk: the output was rewound");
    if (!copy_needed(j, output)) return false;
    const gt_tensor root = j->gate[j->output].value;
    if (!gt__journal_sweep(j, root, gt_none(), 0, j->n_main)) return false;
    j->n_main_edges = j->n_edges;
    return gt__journal_insides(j) && compute(j) && put_in_order(j);
}

gt_journal *gt_journal_of(gt_tensor output) {
    if (!output.tape) return NULL;
    gt_params *params = gt_tape_params(output.tape);
    gt_journal *j = gt_params_alloc(params, NULL, 0, sizeof *j);
    if (!j) return NULL;
    memset(j, 0, sizeof *j);
    j->params = params;
    j->tape = gt_tape_new(params);
    if (!j->tape)
        gt__journal_fail(j, "out of memory: a journal");
    else
        make(j, output);
    return j;
}

/* ---- other values ------------------------------------------------------------------------------------------------------------------ */

static void put(void *data, gt_dtype dtype, int64_t i, double value) {
    switch (dtype) {
    case GT_F32: ((float *)data)[i] = (float)value; break;
    case GT_F64: ((double *)data)[i] = value; break;
    case GT_I32: ((int32_t *)data)[i] = (int32_t)value; break;
    case GT_I64: ((int64_t *)data)[i] = (int64_t)value; break;
    case GT_BOOL: ((unsigned char *)data)[i] = value != 0; break;
    default: break;
    }
}

bool gt__journal_open(gt_journal *j, uint32_t gate, bool open) {
    const bool known = j->gate[gate].n_inner > 0;
    if (!gt__journal_inside(j, gate) || (!known && !compute(j))) return false;
    j->gate[gate].open = open && j->gate[gate].n_inner > 0;
    return put_in_order(j);
}

static bool recompute(gt_journal *j) {
    gt_replay(j->tape);
    return compute(j);
}

/* The gate's values in a block of their own, with one element (or all) written over. */
static void *edited(gt_journal *j, uint32_t gate, int64_t element, double value, size_t *size) {
    const gt_tensor t = j->gate[gate].value;
    const gt_dtype dtype = gt_dtype_of(t);
    const int64_t n = gt_numel(gt_shape_of(t));
    *size = (size_t)n * gt_dtype_size(dtype);
    const void *now = gt_data(t);
    void *data = now ? gt_params_alloc(j->params, NULL, 0, *size + 1) : NULL;
    if (!data) return gt__journal_fail(j, "out of memory: setting a value"), NULL;
    memcpy(data, now, *size);
    if (element >= 0) put(data, dtype, element, value);
    for (int64_t i = 0; element < 0 && i < n; i++) put(data, dtype, i, value);
    return data;
}

static bool can_set(gt_journal *j, uint32_t gate, int64_t element) {
    const gt__gate *g = &j->gate[gate];
    const gt_dtype dtype = gt_dtype_of(g->value);
    if (g->kind != GT__INPUT && g->kind != GT__PARAMETER)
        return gt__journal_fail(j, "%s is computed: only inputs can be set", g->label);
    if (dtype != GT_F32 && dtype != GT_F64)
        return gt__journal_fail(j, "%s is %s: only f32 and f64 can be set", g->label,
                                gt_dtype_name(dtype));
    if (element >= g->v.numel)
        return gt__journal_fail(j, "%s has %lld elements", g->label, (long long)g->v.numel);
    return true;
}

bool gt__journal_set(gt_journal *j, uint32_t gate, int64_t element, double value) {
    size_t size;
    if (!can_set(j, gate, element)) return false;
    void *data = edited(j, gate, element, value, &size);
    if (!data) return false;
    const bool ok = gt_set(j->gate[gate].value, data);
    gt_params_alloc(j->params, data, size + 1, 0);
    return ok ? recompute(j) : tape_failed(j);
}

bool gt__journal_nudge(gt_journal *j, uint32_t gate, int64_t element, double by, double *change) {
    if (!can_set(j, gate, element)) return false;
    if (element < 0) return gt__journal_fail(j, "one element at a time is nudged");
    const double at = gt_element(j->gate[gate].value, element), before = j->gate[j->output].v.one;
    if (!gt__journal_set(j, gate, element, at + by)) return false;
    *change = j->gate[j->output].v.one - before;
    return gt__journal_set(j, gate, element, at);
}
