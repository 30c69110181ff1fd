/* graph/emit.c: a tape as one C file: parts that compute, a function that calls them, and the arrays that they
 * work on. No operation is named here: rows give their expressions, views their strides, others write
 * themselves (gt_op_more.emit). */
#include "graph/emit.h"

#include <string.h>

#include "graph/run.h"

static const uint32_t *inputs(const gt_emitter *e, uint32_t i) {
    return gt__in(e->tape, gt__emit_node(e, i));
}
static gt_dtype dtype_of(const gt_emitter *e, uint32_t i) {
    return (gt_dtype)gt__emit_node(e, i)->dtype;
}

/* ---- parts --------------------------------------------------------------------------------------------------- */

static const char *name_of(const gt_emitter *e, uint32_t id) {
    return gt__bytes(&e->names, id, NULL);
}

/* Argument k as declared, or with `declared` false as passed on. */
static void say_argument(gt_emitter *e, gt__text *t, int k, bool declared) {
    const bool in = k < e->inputs.count;
    const int o = k - e->inputs.count;
    const uint32_t i = in ? e->inputs.at[k].index : e->outputs.at[o].index;
    if (declared)
        gt__say(e, t, "%s%s *restrict ", in ? "const " : "", gt_emit_type(dtype_of(e, i)));
    gt__say(e, t, in ? "in_%s" : "out_%s", name_of(e, in ? e->value[i].name : e->out_name[o]));
}

/* All arguments, or those that the part uses. */
static void say_arguments(gt_emitter *e, gt__text *t, bool all, bool declared) {
    bool any = false;
    for (int k = 0; k < e->inputs.count + e->outputs.count; k++) {
        if (!all && !e->used[k]) continue;
        if (any) gt__say(e, t, ", ");
        say_argument(e, t, k, declared);
        any = true;
    }
    if (!any && declared) gt__say(e, t, "void");
}

static void finish_part(gt_emitter *e) {
    if (!e->part.used) return;
    gt__say(e, &e->parts, "\nstatic int %s_part%u(", e->name, e->function);
    say_arguments(e, &e->parts, false, true);
    gt__say(e, &e->parts, ") {\n");
    gt__say_bytes(e, &e->parts, e->part.at, e->part.used);
    gt__say(e, &e->parts, "    return 0;\n}\n");
    gt__say(e, &e->calls, "    if (%s_part%u(", e->name, e->function);
    say_arguments(e, &e->calls, false, false);
    gt__say(e, &e->calls, ")) return 1;\n");
    e->part.used = 0;
    memset(e->used, 0, (size_t)(e->inputs.count + e->outputs.count) * sizeof *e->used);
}

/* ---- memory of values ------------------------------------------------------------------------------------------ */

static void give_birth(gt_emitter *e, uint32_t i) {
    gt__emitted *v = &e->value[i];
    if (v->memory) v->place = gt__space_take(e, dtype_of(e, i), gt__emit_extent(e, i));
}

static void let_die(gt_emitter *e, uint32_t i) {
    gt__emitted *v = &e->value[e->value[i].base];
    if (v->home != GT__COMPUTED || !v->memory || v->dead || v->last != e->present) return;
    v->dead = true;
    gt__space_give(e, dtype_of(e, e->value[i].base), v->place,
                   gt__emit_extent(e, e->value[i].base));
}

/* ---- operations that write themselves ----------------------------------------------------------------------------- */

static const char *working_array(gt_emitter *e, gt_dtype dtype) {
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, "%s_%s", e->name, gt_dtype_name(dtype));
    return text;
}

/* Copies of the inputs that an operation needs contiguous and are not. */
static void make_contiguous(gt_emitter *e, const gt_op *op, gt_array *in, uint32_t n_in) {
    for (uint32_t k = 0; k < n_in; k++) {
        const int64_t count = gt_numel(in[k].shape);
        e->copy[k] = -1;
        if (op->more.traits & GT_STRIDED || count == 0 || gt__is_contiguous(&in[k])) continue;
        e->copy[k] = gt__space_take(e, in[k].dtype, count);
        gt__emit_copy(e, working_array(e, in[k].dtype), e->copy[k], e->operand[k]);
        gt__contiguous(&in[k]);
    }
}

static bool write_operation(gt_emitter *e, uint32_t i) {
    gt_tape *tape = e->tape;
    const gt__node *n = gt__emit_node(e, i);
    const uint32_t n_in = gt__n_in(n), n_out = gt__n_results(tape, i);
    if (!gt__reserve_arrays(tape, n_in) ||
        !gt__grow(tape->allocator, &e->copy, &e->copy_room, (uint64_t)n_in + 1, sizeof *e->copy))
        return gt__out_of_memory(tape, "emission");
    gt_array *in = tape->array, out[GT_MAX_OUT];
    gt__context context = {.tape = tape, .node = i, .index = inputs(e, i)};
    e->operand = inputs(e, i);
    e->result = i;
    for (uint32_t k = 0; k < n_in; k++) gt__emit_array(e, e->operand[k], &in[k]);
    for (uint32_t k = 0; k < n_out; k++) gt__emit_array(e, i + k, &out[k]);
    make_contiguous(e, n->op, in, n_in);
    const gt_call call = {.op = n->op,
                          .attr = gt__bytes(&tape->attrs, n->attr, NULL),
                          .arg = tape->arg + n->arg,
                          .n_in = (int)n_in,
                          .n_out = (int)n_out,
                          .in = in,
                          .out = out,
                          .internal = &context};
    e->call = &call;
    e->scratch.count = 0;
    const bool ok = n->op->more.emit(e, &call);
    e->call = NULL;
    if (e->scratch.count) gt__space_give(e, e->scratch.dtype, e->scratch.from, e->scratch.count);
    for (uint32_t k = 0; k < n_in; k++)
        if (e->copy[k] >= 0) gt__space_give(e, in[k].dtype, e->copy[k], gt_numel(in[k].shape));
    if (!ok && !tape->failed) gt_call_fail(&call, "cannot be emitted");
    return ok;
}

static bool write_unit(gt_emitter *e, uint32_t u) {
    const gt__unit *unit = &e->unit[u];
    const uint32_t *member = e->order + unit->first, first = member[0];
    bool ok = true;
    if (unit->function != e->function) finish_part(e);
    e->function = unit->function;
    e->present = u;
    for (uint32_t k = 0; k < unit->count; k++)
        for (uint32_t r = 0; r < gt__n_results(e->tape, member[k]); r++)
            give_birth(e, member[k] + r);
    if (unit->elementwise)
        gt__emit_unit(e, unit);
    else if (e->value[first].copied)
        gt__emit_copy(e, working_array(e, dtype_of(e, first)), e->value[first].place,
                      inputs(e, first)[0]);
    else
        ok = write_operation(e, first);
    for (uint32_t k = 0; k < unit->count; k++) {
        for (uint32_t r = 0; r < gt__n_results(e->tape, member[k]); r++) let_die(e, member[k] + r);
        for (uint32_t j = 0; j < gt__n_in(gt__emit_node(e, member[k])); j++)
            let_die(e, inputs(e, member[k])[j]);
    }
    return ok;
}

/* ---- outputs and effects ---------------------------------------------------------------------------------------- */

/* Room for one more copy after the units, in the last part or a new one. */
static void begin_copy(gt_emitter *e) {
    const uint32_t before = e->function;
    enum { STATEMENTS_OF_COPY = GT_MAX_RANK + 1 };
    gt__emit_reserve(e, STATEMENTS_OF_COPY);
    if (e->function == before) return;
    const uint32_t next = e->function;
    e->function = before;
    finish_part(e);
    e->function = next;
}

static void write_outputs(gt_emitter *e) {
    for (int k = 0; k < e->outputs.count; k++) {
        const uint32_t i = e->outputs.at[k].index;
        char *array = gt__emit_text(e);
        if (gt_numel(*gt__emit_shape(e, i)) == 0) continue;
        snprintf(array, GT__EMIT_TEXT, "out_%s", name_of(e, e->out_name[k]));
        begin_copy(e);
        gt__emit_copy(e, array, 0, i);
        e->used[e->inputs.count + k] = true;
    }
}

static const char *state_array(gt_emitter *e, uint32_t leaf) {
    char *text = gt__emit_text(e);
    snprintf(text, GT__EMIT_TEXT, "%s_%s", e->name, name_of(e, e->value[leaf].name));
    return text;
}

/* Effects happen together: what is read from an array of state is copied before any is written. */
static bool save_sources(gt_emitter *e) {
    const gt_tape *tape = e->tape;
    if (!gt__grow(tape->allocator, &e->copy, &e->copy_room, (uint64_t)tape->n_effects + 1,
                  sizeof *e->copy))
        return false;
    for (uint32_t k = 0; k < tape->n_effects; k++) {
        const uint32_t source = inputs(e, tape->effect[k])[1];
        const gt_dtype dtype = dtype_of(e, source);
        const int64_t count = gt_numel(*gt__emit_shape(e, source));
        e->copy[k] = -1;
        if (e->value[source].home != GT__STATE || count == 0) continue;
        e->copy[k] = gt__space_take(e, dtype, count);
        begin_copy(e);
        gt__emit_copy(e, working_array(e, dtype), e->copy[k], source);
    }
    return true;
}

static void write_effects(gt_emitter *e) {
    const gt_tape *tape = e->tape;
    for (uint32_t k = 0; k < tape->n_effects; k++) {
        const uint32_t leaf = inputs(e, tape->effect[k])[0], source = inputs(e, tape->effect[k])[1];
        const int64_t count = gt_numel(*gt__emit_shape(e, source));
        if (count == 0) continue;
        begin_copy(e);
        if (e->copy[k] < 0) {
            gt__emit_copy(e, state_array(e, leaf), 0, source);
            continue;
        }
        gt_emit_loops(e, 0, 1, &count);
        gt_emit(e, "%s[i0] = %s[%lld + i0];", state_array(e, leaf),
                working_array(e, dtype_of(e, source)), (long long)e->copy[k]);
        gt_emit_end(e, 1);
    }
}

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

/* The leaves that the parts read, and those that effects write. */
static void write_state(gt_emitter *e) {
    const gt_tape *tape = e->tape;
    for (uint32_t k = 0; k < tape->n_effects; k++)
        e->value[inputs(e, tape->effect[k])[0]].needed = true;
    for (uint32_t i = 0; i < tape->size; i++) {
        gt__node *n = gt__node_at(tape, i);
        const int64_t count = gt__shape(tape, n)->numel;
        if (e->value[i].home != GT__STATE || !(n->flags & GT__LEAF)) continue;
        if (!e->value[i].needed || count == 0) continue;
        gt__say(e, &e->state, "%s %s[%lld] = {", gt_emit_type((gt_dtype)n->dtype),
                state_array(e, i), (long long)count);
        gt__emit_elements(e, &e->state, (gt_dtype)n->dtype, gt__value(tape, i), count);
        gt__say(e, &e->state, "};\n");
        e->state_bytes += count * (int64_t)gt_dtype_size((gt_dtype)n->dtype);
    }
}

static int64_t arena_bytes(const gt_emitter *e) {
    int64_t bytes = 0;
    for (int d = 0; d < GT_N_DTYPES; d++)
        bytes += e->space[d].most * (int64_t)gt_dtype_size((gt_dtype)d);
    return bytes;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static void say_prototype(gt_emitter *e, gt__text *t) {
    gt__say(e, t, "int %s_run(", e->name);
    say_arguments(e, t, true, true);
    gt__say(e, t, ")");
}

static void say_head(gt_emitter *e, gt__text *t) {
    gt__say(
        e, t,
        "/* Written by gradtape's gt_emit_c. C99, needs <math.h> only.\n *\n"
        " * %s_run returns 0, or 1 when an index is out of range: then it has written nothing.\n"
        " * Working memory: %lld bytes; state: %lld bytes; constants: %lld bytes. */\n"
        "#include <math.h>\n\n"
        "#ifdef __GNUC__\n#define %s_RARE(test) __builtin_expect(test, 0)\n"
        "#else\n#define %s_RARE(test) (test)\n#endif\n\n",
        e->name, (long long)arena_bytes(e), (long long)e->state_bytes, (long long)e->fixed_bytes,
        e->upper, e->upper);
    gt__say(e, t,
            "#define %s_ARENA_BYTES %lld\n#define %s_STATE_BYTES %lld\n#define %s_CONSTANT_BYTES "
            "%lld\n\n",
            e->upper, (long long)arena_bytes(e), e->upper, (long long)e->state_bytes, e->upper,
            (long long)e->fixed_bytes);
    gt__say(e, t, "typedef char %s_sizes[sizeof(int) == 4 && sizeof(long long) == 8 ? 1 : -1];\n\n",
            e->name);
    say_prototype(e, t);
    gt__say(e, t, ";\n\n");
}

static void say_arrays(gt_emitter *e, gt__text *t) {
    gt__say_bytes(e, t, e->state.at, e->state.used);
    gt__say_bytes(e, t, e->fixed.at, e->fixed.used);
    for (int d = 0; d < GT_N_DTYPES; d++)
        if (e->space[d].most)
            gt__say(e, t, "static %s %s[%lld];\n", gt_emit_type((gt_dtype)d),
                    working_array(e, (gt_dtype)d), (long long)e->space[d].most);
    gt__say_bytes(e, t, e->helpers.at, e->helpers.used);
}

/* The arguments that no part uses are named, so that compilers do not wonder. */
static void say_function(gt_emitter *e, gt__text *t) {
    gt__say(e, t, "\n");
    say_prototype(e, t);
    gt__say(e, t, " {\n");
    for (int k = 0; k < e->inputs.count + e->outputs.count; k++) {
        gt__say(e, t, "    (void)");
        say_argument(e, t, k, false);
        gt__say(e, t, ";\n");
    }
    gt__say_bytes(e, t, e->calls.at, e->calls.used);
    gt__say(e, t, "    return 0;\n}\n");
}

static bool write_file(gt_emitter *e, FILE *out) {
    gt__text *file = &e->part;
    finish_part(e);
    write_state(e);
    if (arena_bytes(e) + e->state_bytes + e->fixed_bytes > INT32_MAX)
        return gt__error(e->tape, "emit_c: more memory than 2 GB");
    say_head(e, file);
    say_arrays(e, file);
    gt__say_bytes(e, file, e->parts.at, e->parts.used);
    say_function(e, file);
    if (e->starved) return gt__out_of_memory(e->tape, "emission");
    return fwrite(file->at, 1, file->used, out) == file->used ||
           gt__error(e->tape, "emit_c: the file cannot be written");
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

static bool check_list(gt_tape *tape, gt_list list) {
    if (list.count < 0 || (list.count > 0 && !list.at))
        return gt__error(tape, "emit_c: %d tensors in a list", list.count);
    for (int k = 0; k < list.count; k++) {
        if (list.at[k].tape != tape) return gt__error(tape, "emit_c: a tensor is not of this tape");
        if (!gt__check(list.at[k], "emit_c")) return false;
        const gt__node *n = gt__node_at(tape, list.at[k].index);
        if (n->op->more.traits & GT_EFFECT)
            return gt__error(tape, "emit_c: an effect has no value: it is part of what is emitted");
        if (n->dtype == GT_BF16) return gt__error(tape, "emit_c: bf16 is not known to C");
    }
    return true;
}

/* A name that no keyword, and no name of the system's, can be the beginning of. */
static void set_names(gt_emitter *e, const char *name) {
    gt__emit_clean(e->name, sizeof e->name, name && *name ? name : "step");
    if ((e->name[0] >= '0' && e->name[0] <= '9') || e->name[0] == '_') e->name[0] = 'x';
    for (size_t k = 0; k < sizeof e->upper; k++)
        e->upper[k] =
            e->name[k] >= 'a' && e->name[k] <= 'z' ? (char)(e->name[k] - 'a' + 'A') : e->name[k];
    for (int k = 0; k < e->outputs.count; k++)
        e->out_name[k] = gt__emit_unique(e, e->outputs.at[k]);
}

/* Lists as long as the tape; NULL when memory is short. */
static void *list(gt_emitter *e, uint64_t count, size_t size) {
    void *made = gt__pool_take(&e->tape->pool, (size_t)count * size + 1);
    if (made) memset(made, 0, (size_t)count * size + 1);
    return made;
}

static gt_emitter *new_emitter(gt_tape *tape, gt_list inputs_of, gt_list outputs_of) {
    gt_emitter *e = gt__alloc(tape->allocator, sizeof *e);
    const uint64_t arguments = (uint64_t)inputs_of.count + (uint64_t)outputs_of.count;
    if (!e) return NULL;
    memset(e, 0, sizeof *e);
    e->tape = tape;
    e->inputs = inputs_of;
    e->outputs = outputs_of;
    e->names.allocator = tape->allocator;
    e->depth = 1;
    e->value = list(e, tape->size, sizeof *e->value);
    e->order = list(e, tape->size, sizeof *e->order);
    e->open = list(e, tape->size, sizeof *e->open);
    e->used = list(e, arguments, sizeof *e->used);
    e->out_name = list(e, (uint64_t)outputs_of.count, sizeof *e->out_name);
    e->starved = !e->value || !e->order || !e->open || !e->used || !e->out_name;
    return e;
}

static void free_text(gt_emitter *e, gt__text *t) { gt__free(e->tape->allocator, t->at, t->room); }

static void free_emitter(gt_emitter *e) {
    const gt_allocator *a = e->tape->allocator;
    gt__text *texts[] = {&e->fixed, &e->state, &e->helpers, &e->part, &e->parts, &e->calls};
    void *lists[] = {e->value, e->order, e->open, e->used, e->out_name};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) free_text(e, texts[k]);
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        if (lists[k]) gt__pool_give(&e->tape->pool, lists[k]);
    for (int d = 0; d < GT_N_DTYPES; d++)
        gt__free(a, e->space[d].gap, e->space[d].room * sizeof *e->space[d].gap);
    gt__free(a, e->unit, e->unit_room * sizeof *e->unit);
    gt__free(a, e->copy, e->copy_room * sizeof *e->copy);
    gt__table_clear(&e->names);
    gt__free(a, e, sizeof *e);
}

static bool write_parts(gt_emitter *e) {
    e->function = 0;
    for (uint32_t u = 0; u < e->n_units; u++)
        if (!write_unit(e, u)) return false;
    e->present = e->n_units;
    write_outputs(e);
    if (!save_sources(e)) return gt__out_of_memory(e->tape, "emission");
    write_effects(e);
    return true;
}

bool gt_emit_c(gt_tape *tape, const char *name, gt_list inputs_of, gt_list outputs_of, FILE *out) {
    if (!tape || tape->failed) return false;
    if (!out) return gt__error(tape, "emit_c: no file");
    if (tape->running) return gt__error(tape, "emit_c: the tape runs");
    if (!check_list(tape, inputs_of) || !check_list(tape, outputs_of)) return false;
    gt_replay(tape);
    gt_emitter *e = new_emitter(tape, inputs_of, outputs_of);
    if (!e) return gt__out_of_memory(tape, "emission");
    if (!e->starved) set_names(e, name);
    const bool ok = !e->starved && gt__emit_plan(e) && write_parts(e) && write_file(e, out);
    if (!ok && !tape->failed) gt__out_of_memory(tape, "emission");
    free_emitter(e);
    return ok;
}
