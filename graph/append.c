/* graph/append.c: recording: an operation's operands are checked, its shape rule is asked, its results are appended.
 * Nothing is computed. The one assertion of the library stands in link_inputs: inputs before their node. */
#include "graph/inline.h"
#include "graph/tape.h"

#include <assert.h>
#include <string.h>

static bool add_chunk(gt_tape *tape) {
    if (!gt__grow(tape->allocator, &tape->chunk, &tape->chunk_room, (uint64_t)tape->n_chunks + 1,
                  sizeof *tape->chunk))
        return gt__out_of_memory(tape, "nodes");
    gt__node *chunk = gt__alloc(tape->allocator, GT__CHUNK * sizeof *chunk);
    if (!chunk) return gt__out_of_memory(tape, "nodes");
    tape->chunk[tape->n_chunks++] = chunk;
    return true;
}

static bool make_room_slowly(gt_tape *tape) {
    if (tape->limit && tape->size >= tape->limit)
        return gt__error(
            tape,
            "the tape holds %u nodes, its limit: is gt_tape_reset or gt_rewind missing "
            "between steps?",
            tape->size);
    if (tape->size >= UINT32_MAX - GT__CHUNK) return gt__error(tape, "the tape is full");
    if (tape->size == tape->n_chunks * GT__CHUNK && !add_chunk(tape)) return false;
    tape->room = tape->n_chunks * GT__CHUNK;
    if (tape->limit && tape->limit < tape->room) tape->room = tape->limit;
    return true;
}

/* Room for one more node; errors for a full tape and a short memory. */
static inline bool make_room(gt_tape *tape) {
    return tape->size < tape->room || make_room_slowly(tape);
}

/* The id of the present call site, 0 when there is none; false where it is not among the recent ones. */
static inline bool known_site(const gt_tape *tape, uint32_t *id) {
    const gt_site *site = &tape->site;
    const gt__known_site *known = &tape->known_site[(uint64_t)site->line % GT__KNOWN_SITES];
    *id = site->file ? known->id : tape->dated ? tape->dated_site : 0;
    return !site->file || (known->site.line == site->line && known->site.file == site->file);
}

static bool site_id(gt_tape *tape, uint32_t *id) {
    const gt_site *site = &tape->site;
    if (known_site(tape, id)) return true;
    *id = gt__intern(&tape->sites, site, sizeof *site);
    if (*id == 0) return gt__out_of_memory(tape, "a call site");
    tape->known_site[(uint64_t)site->line % GT__KNOWN_SITES] = (gt__known_site){*site, *id};
    return true;
}

/* ---- what is recorded again ----------------------------------------------------------------------

 * A rewind leaves nodes where they are, and a loop mostly records what it recorded before. While that is so
 * (gt_tape.same), an operation on the same operands, with the same attribute and numbers, has the same results: they
 * stand there already, and its shape rule is not asked. */

/* From node i on there is something else than before the last rewind. */
static inline void forget_same(gt_tape *tape, uint32_t i) {
    if (tape->same > i) tape->same = i;
}

/* All that operations on a leaf depend on. */
static bool is_same_leaf(const gt_tape *tape, const gt_op *op, uint32_t shape, gt_dtype dtype) {
    if (tape->size >= tape->same) return false;
    const gt__node *was = gt__node_at(tape, tape->size);
    return was->flags & GT__LEAF && was->op == op && was->shape == shape &&
           was->dtype == (uint8_t)dtype;
}

static bool are_same_operands(const gt_tape *tape, const gt__node *n, const gt_tensor *in,
                              int n_in) {
    if (gt__n_in(n) != (uint32_t)n_in) return false;
    if (n->arity == GT__WIDE && n->in[0] != tape->side_size) return false;
    const uint32_t *was = gt__in(tape, n);
    for (int k = 0; k < n_in; k++)
        if (was[k] != in[k].index) return false;
    return true;
}

/* A random operation's ordinal, the last of its numbers, may be another. */
static bool are_same_args(const gt_tape *tape, const gt__node *n, const gt_arg *arg, int n_arg) {
    const bool random = (n->op->more.traits & GT_RANDOM) != 0;
    if (n_arg == 0 && !random) return n->arg == 0;
    const gt_arg *was = tape->arg + n->arg;
    return n->arg == tape->arg_size + 1 && was[-1].integer == n_arg + random &&
           (n_arg == 0 || memcmp(was, arg, (size_t)n_arg * sizeof *arg) == 0);
}

/* Do its results stand there? Operands are valid; attributes and numbers not yet written. */
static bool is_same(const gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in,
                    uint32_t attr, const gt_arg *arg, int n_arg) {
    if (tape->size >= tape->same) return false;
    const gt__node *n = gt__node_at(tape, tape->size);
    return n->op == op && n->attr == attr && are_same_operands(tape, n, in, n_in) &&
           are_same_args(tape, n, arg, n_arg);
}

/* ---- nodes ----------------------------------------------------------------------------------------- */

/* What differs where the same is recorded again. */
static inline void date_node(const gt_tape *tape, gt__node *n) {
    n->value.data = NULL;
    n->name = 0;
    n->clock = tape->dated ? tape->date : tape->params->clock;
    n->generation = tape->generation;
}

static inline unsigned rule_flag(const gt_tape *tape) {
    return tape->recorder == GT_BY_RULE ? GT__RULE : 0u;
}

static bool open_node(gt_tape *tape, uint32_t *site) {
    if (!make_room(tape) || !site_id(tape, site)) return false;
    if (tape->size == 0) tape->begun = tape->params->clock;
    tape->scalars.ready = 0;
    return true;
}

gt__node *gt__append(gt_tape *tape, const gt_op *op, uint32_t shape, gt_dtype dtype) {
    uint32_t site;
    if (!open_node(tape, &site)) return NULL;
    if (!is_same_leaf(tape, op, shape, dtype)) forget_same(tape, tape->size);
    const bool number = shape == tape->scalar_shape && (dtype == GT_F32 || dtype == GT_F64);
    gt__node *n = gt__node_at(tape, tape->size++);
    *n = (gt__node){.op = op,
                    .shape = shape,
                    .site = site,
                    .clock = tape->dated ? tape->date : tape->params->clock,
                    .generation = tape->generation,
                    .dtype = (uint8_t)dtype,
                    .flags = (uint16_t)(rule_flag(tape) | (number ? GT__NUMBER : 0u))};
    return n;
}

/* Every operand valid and of one tape; NULL when not. A mix of tapes fails both. */
static gt_tape *common_tape(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in) {
    for (int k = 0; k < n_in; k++)
        if (!tape) tape = in[k].tape;
    for (int k = 0; k < n_in; k++) {
        if (!in[k].tape) {
            gt_fail(tape, "%s: operand %d is no tensor", op->name, k);
            return NULL;
        }
        if (in[k].tape != tape) {
            gt_fail(tape, "%s: operands of two tapes", op->name);
            gt_fail(in[k].tape, "%s: operands of two tapes", op->name);
            return NULL;
        }
    }
    for (int k = 0; k < n_in; k++)
        if (!gt__check(in[k], op->name)) return NULL;
    return tape;
}

/* Gives a node inputs beside it, with room for `count` numbers; NULL: memory is short. */
static uint32_t *widen(gt_tape *tape, gt__node *n, uint32_t n_in, uint32_t count) {
    if (!gt__grow(tape->allocator, &tape->side, &tape->side_room, (uint64_t)tape->side_size + count,
                  sizeof *tape->side)) {
        gt__out_of_memory(tape, "inputs");
        return NULL;
    }
    uint32_t *place = tape->side + tape->side_size;
    n->in[0] = tape->side_size;
    n->in[1] = n_in;
    n->arity = GT__WIDE;
    tape->side_size += count;
    return place;
}

/* A view's layout stands behind its inputs. */
static bool link_inputs(gt_tape *tape, gt__node *n, const uint32_t *in, int n_in, uint32_t layout) {
    const uint32_t self = tape->size - 1;
    const uint32_t count = (uint32_t)n_in + (n->op->more.traits & GT_VIEW ? 1 : 0);
    n->arity = (unsigned)n_in & 3u;
    uint32_t *place = count > 2 ? widen(tape, n, (uint32_t)n_in, count) : n->in;
    if (!place) return false;
    for (int k = 0; k < n_in; k++) {
        assert(in[k] < self); /* the topological sort */
        gt__node *input = gt__node_at(tape, in[k]);
        place[k] = in[k];
        n->flags |= input->flags & GT__TRAINED;
        if (tape->recorder == GT_BY_USER) input->flags |= GT__USED;
    }
    if (count > (uint32_t)n_in) place[n_in] = layout;
    (void)self;
    return true;
}

bool gt__reserve_arrays(gt_tape *tape, uint32_t count) {
    return gt__grow(tape->allocator, &tape->array, &tape->array_room, (uint64_t)count + GT_MAX_OUT,
                    sizeof *tape->array) ||
           gt__out_of_memory(tape, "operands");
}

/* Operands of a shape rule: shapes and record-time strides, no data. */
static void describe_operands(gt_tape *tape, const uint32_t *index, int n_in) {
    for (int k = 0; k < n_in; k++) {
        const gt__node *n = gt__node_at(tape, index[k]);
        gt_array *a = &tape->array[k];
        a->data = NULL;
        a->dtype = (gt_dtype)n->dtype;
        a->shape = gt__shape(tape, n)->shape;
        const int64_t *stride = gt__bytes(&tape->layouts, gt__layout_of(tape, n), NULL);
        if (stride)
            memcpy(a->stride, stride, sizeof a->stride);
        else
            gt__contiguous(a);
    }
    for (int k = 0; k < GT_MAX_OUT;
         k++) { /* results begin as scalars; clearing all of them costs too much */
        tape->array[n_in + k].data = NULL;
        tape->array[n_in + k].dtype = GT_F32;
        tape->array[n_in + k].shape.rank = 0;
    }
}

uint32_t gt__layout(gt_tape *tape, const gt_array *a) {
    gt_array plain = *a;
    int64_t stride[GT_MAX_RANK] = {0};
    gt__contiguous(&plain);
    bool same = true;
    for (int i = 0; i < a->shape.rank; i++) {
        stride[i] = a->stride[i];
        if (a->shape.dim[i] > 1 && a->stride[i] != plain.stride[i]) same = false;
    }
    if (same) return 0;
    const uint32_t id = gt__intern(&tape->layouts, stride, sizeof stride);
    if (id) return id;
    gt__out_of_memory(tape, "strides");
    return UINT32_MAX;
}

/* A user's shape rule can leave anything behind; shapes are checked when they are interned. */
static bool sound_results(const gt_call *call) {
    if (call->n_out < 1 || call->n_out > GT_MAX_OUT)
        return gt_call_fail(call, "the shape rule gives %d results: 1 to %d can be", call->n_out,
                            GT_MAX_OUT);
    for (int k = 0; k < call->n_out; k++)
        if ((unsigned)call->out[k].dtype >= GT_N_DTYPES)
            return gt_call_fail(call, "the shape rule gives %d as dtype of result %d",
                                (int)call->out[k].dtype, k);
    return true;
}

static bool append_results(gt_tape *tape, const gt_call *call, const uint32_t *in, uint32_t attr,
                           uint32_t arg) {
    for (int k = 0; k < call->n_out; k++) {
        const bool as_input = call->n_in && gt_same_shape(call->out[k].shape, call->in[0].shape);
        const uint32_t shape =
            as_input ? gt__node_at(tape, in[0])->shape : gt__intern_shape(tape, call->out[k].shape);
        uint32_t layout = 0;
        if (shape && call->op->more.traits & GT_VIEW) layout = gt__layout(tape, &call->out[k]);
        if (!shape || layout == UINT32_MAX) return false;
        gt__node *n = gt__append(tape, call->op, shape, call->out[k].dtype);
        if (!n || !link_inputs(tape, n, in, call->n_in, layout)) return false;
        n->attr = attr;
        n->arg = arg;
        n->out = (unsigned)k & 15u;
        if (k > 0) n->flags |= GT__UNASKED;
        const bool number =
            n->flags & GT__NUMBER || (shape == tape->scalar_shape && call->out[k].dtype == GT_BOOL);
        if (number && call->op->more.scalar.machine) n->flags |= GT__SCALAR;
    }
    return true;
}

/* Of the results that stand there (is_same), those of the operation's that are next. */
static uint32_t count_same_results(const gt_tape *tape, const gt_op *op) {
    uint32_t count = 1;
    for (; tape->size + count < tape->same; count++) {
        const gt__node *n = gt__node_at(tape, tape->size + count);
        if (n->op != op || n->out != (count & 15u)) break;
    }
    return count;
}

static bool repeat_results(gt_tape *tape, const gt_op *op, const uint32_t *in, int n_in,
                           uint32_t arg) {
    unsigned flags = rule_flag(tape);
    for (int k = 0; k < n_in; k++) {
        gt__node *input = gt__node_at(tape, in[k]);
        flags |= input->flags & GT__TRAINED;
        if (tape->recorder == GT_BY_USER) input->flags |= GT__USED;
    }
    const uint32_t count = count_same_results(tape, op);
    const uint32_t beside = (uint32_t)n_in + (op->more.traits & GT_VIEW ? 1 : 0);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t site;
        if (!open_node(tape, &site)) return false;
        gt__node *n = gt__node_at(tape, tape->size++);
        date_node(tape, n);
        n->site = site;
        n->arg = arg;
        n->flags = (uint16_t)((n->flags & (GT__NUMBER | GT__SCALAR)) | flags |
                              (k > 0 ? (unsigned)GT__UNASKED : 0u));
        if (n->arity == GT__WIDE) tape->side_size += beside;
    }
    return true;
}

/* Effects are listed, so that a commit finds them without a search. */
static bool note_effect(gt_tape *tape, const gt_op *op, uint32_t index) {
    if (!(op->more.traits & GT_EFFECT)) return true;
    if (!gt__grow(tape->allocator, &tape->effect, &tape->effect_room, (uint64_t)tape->n_effects + 1,
                  sizeof *tape->effect))
        return gt__out_of_memory(tape, "effects");
    tape->effect[tape->n_effects++] = index;
    return true;
}

/* Appends an operation's numbers after their count; *first is 0 when there are none. */
static bool copy_args(gt_tape *tape, const gt_op *op, const gt_arg *arg, int n_arg,
                      uint32_t *first) {
    const bool random = (op->more.traits & GT_RANDOM) != 0;
    *first = 0;
    if (n_arg == 0 && !random) return true;
    if (!gt__grow(tape->allocator, &tape->arg, &tape->arg_room,
                  (uint64_t)tape->arg_size + (uint64_t)n_arg + 2, sizeof *tape->arg))
        return gt__out_of_memory(tape, "numbers");
    tape->arg[tape->arg_size++].integer = n_arg + random;
    *first = tape->arg_size;
    for (int k = 0; k < n_arg; k++) tape->arg[tape->arg_size++] = arg[k];
    if (random) tape->arg[tape->arg_size++].integer = (int64_t)tape->params->ordinal++;
    return true;
}

/* Asks the shape rule, and appends what it says. */
static bool record_anew(gt_tape *tape, const gt_op *op, const uint32_t *in, int n_in, uint32_t attr,
                        uint32_t arg) {
    if (!gt__reserve_arrays(tape, (uint32_t)n_in)) return false;
    describe_operands(tape, in, n_in);
    gt__context context;
    context.tape = tape;
    context.node = tape->size;
    context.index = in;
    context.scratch = NULL;
    context.next_text = 0;
    gt_call call = {.op = op,
                    .attr = gt__bytes(&tape->attrs, attr, NULL),
                    .arg = tape->arg + arg,
                    .n_in = n_in,
                    .n_out = 1,
                    .in = tape->array,
                    .out = tape->array + n_in,
                    .internal = &context};
    const bool ok =
        op->shape(&call) && sound_results(&call) && append_results(tape, &call, in, attr, arg);
    gt__free_scratch(&context);
    return ok;
}

static gt_tensor record(gt_tape *tape, const gt_op *op, const uint32_t *in, int n_in, uint32_t attr,
                        uint32_t arg, bool same) {
    const uint32_t start = tape->size, side = tape->side_size;
    const bool failed_before = tape->failed;
    const bool appended =
        same ? repeat_results(tape, op, in, n_in, arg) : record_anew(tape, op, in, n_in, attr, arg);
    if (appended && note_effect(tape, op, start)) return gt__tensor(tape, start);
    if (!tape->failed) gt_fail(tape, "%s: the shape rule refused its operands", op->name);
    tape->size = start;
    tape->side_size = side;
    if (!failed_before) tape->failed_at = start;
    return gt__poison(tape);
}

/* The indices of operands: on the stack when few, else scratch of the pool. */
static gt_tensor record_over(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in,
                             uint32_t attr, uint32_t arg, bool same) {
    uint32_t few[8] = {0}, *index = few;
    if (n_in > 8) index = gt__pool_take(&tape->pool, (size_t)n_in * sizeof *index);
    if (!index) return gt__out_of_memory(tape, "operands"), gt__poison(tape);
    for (int k = 0; k < n_in; k++) index[k] = in[k].index;
    const gt_tensor t = record(tape, op, index, n_in, attr, arg, same);
    if (n_in > 8) gt__pool_give(&tape->pool, index);
    return t;
}

gt_tensor gt_record(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in, const void *attr,
                    size_t attr_size, const gt_arg *arg, int n_arg) {
    gt_tape *own = common_tape(tape, op, in, n_in);
    if (!own) {
        for (int k = 0; !tape && k < n_in; k++) tape = in[k].tape;
        return tape ? gt__poison(tape) : gt_none();
    }
    gt_tensor cast[GT__CAST_MOST];
    if (!(in = gt__autocast(own, op, in, n_in, cast)) && n_in) return gt__poison(own);
    uint32_t attr_id = 0;
    uint32_t first_arg;
    if (attr_size) {
        attr_id = gt__intern(&own->attrs, attr, attr_size);
        if (attr_id == 0) {
            gt__out_of_memory(own, "attributes");
            return gt__poison(own);
        }
    }
    const bool same = is_same(own, op, in, n_in, attr_id, arg, n_arg);
    /* Its numbers are written even if it is refused. */
    if (!same) forget_same(own, own->size);
    if (!copy_args(own, op, arg, n_arg, &first_arg)) return gt__poison(own);
    return record_over(own, op, in, n_in, attr_id, first_arg, same);
}

/* ---- operations on numbers ------------------------------------------------------------------------- */

/* Graphs of scalars have very many operations whose shape rule has nothing to decide (GT_PLAIN), and these are
 * recorded here: on numbers of one kind, which is the result's. */
typedef struct numbers {
    gt_tape *tape;
    gt__node *x, *y;
} numbers;

static bool are_plain(const gt_op *op, gt_tensor a, gt_tensor b, numbers *in) {
    gt_tape *tape = in->tape = a.tape;
    if (!tape || b.tape != tape || a.index >= tape->size || b.index >= tape->size) return false;
    const gt__node *x = in->x = gt__node_at(tape, a.index);
    const gt__node *y = in->y = gt__node_at(tape, b.index);
    return x->generation == a.generation && y->generation == b.generation &&
           x->flags & y->flags & GT__NUMBER && x->dtype == y->dtype && op->more.traits & GT_PLAIN &&
           op->more.scalar.machine;
}

/* The flags of an operation on numbers. What the user records makes them used. */
static uint16_t link_numbers(const numbers *in) {
    const unsigned flags = (in->x->flags & (GT__NUMBER | GT__TRAINED)) |
                           (in->y->flags & GT__TRAINED) | (unsigned)GT__SCALAR;
    if (in->tape->recorder != GT_BY_USER) return (uint16_t)(flags | GT__RULE);
    in->x->flags |= GT__USED;
    in->y->flags |= GT__USED;
    return (uint16_t)flags;
}

/* Field by field: a copy of a node that was put together elsewhere stalls on its parts. */
static inline void write_node(const gt_tape *tape, gt__node *n, const gt_op *op, unsigned arity,
                              uint32_t arg) {
    n->op = op;
    n->shape = tape->scalar_shape;
    n->attr = 0;
    n->arg = arg;
    n->arity = arity & 7u;
    n->out = 0;
}

static gt__node *append_plain(const gt_op *op, const numbers *in, unsigned arity, const gt_arg *arg,
                              int n_arg) {
    gt_tape *tape = in->tape;
    uint32_t site, first_arg = 0;
    if ((n_arg && !copy_args(tape, op, arg, n_arg, &first_arg)) || !open_node(tape, &site))
        return NULL;
    gt__node *n = gt__node_at(tape, tape->size++);
    write_node(tape, n, op, arity, first_arg);
    date_node(tape, n);
    n->site = site;
    n->flags = link_numbers(in);
    n->dtype = in->x->dtype;
    return n;
}

static gt_tensor appended(gt_tape *tape) {
    return gt__encode_recorded(tape) ? gt__tensor(tape, tape->size - 1) : gt__poison(tape);
}

/* Most of them come one after the other, on numbers that have codes: then nothing has to be asked of the operands'
 * nodes, and node and code are written at once. */

static inline gt_tensor last(gt_tape *tape) {
    return (gt_tensor){tape, tape->size - 1, tape->generation};
}

static inline bool can_append_coded(const gt_tape *tape) {
    return tape->size < tape->scalars.ready && tape->params->clock == tape->begun;
}

static inline ALWAYS_INLINE void append_next(gt_tape *tape, gt__node *n, gt_tensor a, gt_tensor b) {
    date_node(tape, n);
    if (tape->recorder == GT_BY_USER) {
        tape->scalars.code[a.index].flags |= GT__CODE_USED;
        tape->scalars.code[b.index].flags |= GT__CODE_USED;
    }
    tape->scalars.next = n + 1;
    tape->scalars.coded = ++tape->size;
}

/* Is the node this operation on numbers, on these operands? One of a list has a place and a count for them. */
static inline bool stands_there(const gt__node *n, const gt_op *op, gt_tensor a, gt_tensor b,
                                uint32_t arg) {
    return n->op == op && n->in[0] == a.index && n->in[1] == b.index && n->arg == arg && !n->attr &&
           n->arity != GT__WIDE;
}

/* Of what is about to be appended as an operation on numbers. */
static void forget_others(gt_tape *tape, const gt_op *op, gt_tensor a, gt_tensor b, uint32_t arg) {
    const uint32_t i = tape->size;
    if (i < tape->same && !stands_there(gt__node_at(tape, i), op, a, b, arg)) forget_same(tape, i);
}

static inline bool is_by(gt_recorder recorder, const gt__node *n) {
    return (n->flags / GT__RULE & 1u) == (unsigned)recorder;
}

/* A loop mostly records what it recorded before the last rewind. Where all that came before this node was the same,
 * and it is of the same operation on the same operands, node and code stand there already. */
static inline ALWAYS_INLINE bool repeat_coded(const gt_op *op, gt_tensor a, gt_tensor b,
                                              uint32_t arg) {
    gt_tape *tape = a.tape;
    if (!tape || b.tape != tape || !can_append_coded(tape) || tape->size >= tape->scalars.same)
        return false;
    gt__node *n = tape->scalars.next;
    if (!stands_there(n, op, a, b, arg) || a.generation != tape->generation ||
        b.generation != tape->generation || !is_by(tape->recorder, n) ||
        !known_site(tape, &n->site))
        return false;
    n->flags &= GT__NUMBER | GT__SCALAR | GT__TRAINED | GT__RULE;
    tape->scalars.code[tape->size].flags &= (uint16_t)~GT__CODE_USED;
    append_next(tape, n, a, b);
    return true;
}

/* False, and nothing is appended, where that cannot be. */
static NEVER_INLINE bool append_coded(const gt_op *op, gt_tensor a, gt_tensor b, unsigned arity,
                                      uint32_t arg) {
    gt_tape *tape = a.tape;
    if (b.tape != tape || !gt__valid(a) || !gt__valid(b) || !can_append_coded(tape) ||
        (op->more.traits & (GT_PLAIN | GT_RANDOM)) != GT_PLAIN ||
        op->more.scalar.machine != tape->scalars.machine)
        return false;
    gt_code *code = tape->scalars.code;
    gt__node *n = tape->scalars.next;
    const unsigned x = code[a.index].flags, y = code[b.index].flags;
    const unsigned kind = x & y & (GT__CODE_F32 | GT__CODE_F64), wide = kind / GT__CODE_F64;
    const unsigned trained = (x | y) & GT__CODE_TRAINED, gives = op->more.scalar.gives & 3u;
    if (!kind || !known_site(tape, &n->site)) return false;
    forget_others(tape, op, a, b, arg);
    gt__forget_same(&tape->scalars, tape->size);
    code[tape->size] = (gt_code){.what = (uint16_t)(op->more.scalar.code + wide),
                                 .flags = (uint16_t)(kind | trained | gives * GT__CODE_TO_A),
                                 .a = a.index,
                                 .b = b.index,
                                 .arg = arg};
    n->in[0] = a.index;
    n->in[1] = b.index;
    n->flags = (uint16_t)(GT__NUMBER | GT__SCALAR | trained * (GT__TRAINED / GT__CODE_TRAINED) |
                          rule_flag(tape));
    n->dtype = (uint8_t)wide;
    write_node(tape, n, op, arity, arg);
    append_next(tape, n, a, b);
    return true;
}

/* Where the first of so many run-time numbers will stand; false: there is no room for them yet. */
static inline bool foresee_args(const gt_tape *tape, int n_arg, uint32_t *first) {
    *first = n_arg ? tape->arg_size + 1 : 0;
    return !n_arg || tape->arg_room - tape->arg_size > (unsigned)n_arg;
}

static inline void add_args(gt_tape *tape, const gt_arg *arg, int n_arg) {
    if (n_arg) tape->arg[tape->arg_size++].integer = n_arg;
    for (int k = 0; k < n_arg; k++) tape->arg[tape->arg_size++] = arg[k];
}

static NEVER_INLINE gt_tensor record_one(const gt_op *op, gt_tensor x, const gt_arg *arg,
                                         int n_arg) {
    numbers in;
    uint32_t first;
    if (x.tape && foresee_args(x.tape, n_arg, &first) && append_coded(op, x, x, 1, first)) {
        add_args(x.tape, arg, n_arg);
        return last(x.tape);
    }
    if (!x.tape || !are_plain(op, x, x, &in))
        return gt_record(NULL, op, &x, 1, NULL, 0, arg, n_arg);
    forget_others(x.tape, op, x, x, first);
    gt__node *n = append_plain(op, &in, 1, arg, n_arg);
    if (!n) return gt__poison(x.tape);
    n->in[0] = n->in[1] = x.index;
    return appended(x.tape);
}

static NEVER_INLINE gt_tensor record_two(const gt_op *op, gt_tensor a, gt_tensor b) {
    numbers in;
    if (a.tape && append_coded(op, a, b, 2, 0)) return last(a.tape);
    if (!a.tape || !are_plain(op, a, b, &in))
        return gt_record(NULL, op, (const gt_tensor[]){a, b}, 2, NULL, 0, NULL, 0);
    forget_others(a.tape, op, a, b, 0);
    gt__node *n = append_plain(op, &in, 2, NULL, 0);
    if (!n) return gt__poison(a.tape);
    n->in[0] = a.index;
    n->in[1] = b.index;
    return appended(a.tape);
}

static bool are_all_plain(const gt_op *op, gt_list in) {
    numbers pair;
    for (int k = 1; k < in.count; k++)
        if (!are_plain(op, in.at[0], in.at[k], &pair)) return false;
    return in.count > 2;
}

/* As link_inputs, of which nothing is to be checked. */
static bool link_list(gt_tape *tape, gt__node *n, gt_list in) {
    uint32_t *place = widen(tape, n, (uint32_t)in.count, (uint32_t)in.count);
    if (!place) return false;
    for (int k = 0; k < in.count; k++) {
        gt__node *x = gt__node_at(tape, in.at[k].index);
        place[k] = in.at[k].index;
        n->flags |= link_numbers(&(numbers){tape, x, x});
    }
    return true;
}

gt_tensor gt_record_unary(const gt_op *op, gt_tensor x, const gt_arg *arg, int n_arg) {
    uint32_t first;
    const bool foreseen = x.tape && foresee_args(x.tape, n_arg, &first);
    if (!foreseen || !repeat_coded(op, x, x, first)) return record_one(op, x, arg, n_arg);
    add_args(x.tape, arg, n_arg);
    return last(x.tape);
}

gt_tensor gt_record_binary(const gt_op *op, gt_tensor a, gt_tensor b) {
    return repeat_coded(op, a, b, 0) ? last(a.tape) : record_two(op, a, b);
}

gt_tensor gt_record_list(const gt_op *op, gt_list in) {
    if (in.count == 2) return gt_record_binary(op, in.at[0], in.at[1]);
    if (!are_all_plain(op, in)) return gt_record(NULL, op, in.at, in.count, NULL, 0, NULL, 0);
    gt_tape *tape = in.at[0].tape;
    gt__node *x = gt__node_at(tape, in.at[0].index);
    forget_same(tape, tape->size);
    gt__node *n = append_plain(op, &(numbers){tape, x, x}, GT__WIDE, NULL, 0);
    if (!n) return gt__poison(tape);
    if (!link_list(tape, n, in)) return tape->size--, gt__poison(tape);
    return appended(tape);
}

/* ---- again, and a user's own ---------------------------------------------------------------------- */

/* Another tape's attribute and numbers, as they are: a random operation keeps its ordinal. */
static bool adopt(gt_tape *tape, gt_tensor t, uint32_t *attr, uint32_t *arg) {
    const gt__node *n = gt__node_at(t.tape, t.index);
    const int n_arg = gt_n_args(t);
    size_t size = 0;
    const void *bytes = gt__bytes(&t.tape->attrs, n->attr, &size);
    *attr = *arg = 0;
    if (bytes && (*attr = gt__intern(&tape->attrs, bytes, size)) == 0)
        return gt__out_of_memory(tape, "attributes");
    if (n_arg == 0) return true;
    if (!gt__grow(tape->allocator, &tape->arg, &tape->arg_room,
                  (uint64_t)tape->arg_size + (uint64_t)n_arg + 1, sizeof *tape->arg))
        return gt__out_of_memory(tape, "numbers");
    tape->arg[tape->arg_size++].integer = n_arg;
    *arg = tape->arg_size;
    memcpy(tape->arg + *arg, gt_args(t), (size_t)n_arg * sizeof *tape->arg);
    tape->arg_size += (uint32_t)n_arg;
    return true;
}

gt_tensor gt_record_copy_on(gt_tape *tape, gt_tensor t, const gt_tensor *in) {
    const gt__node *n = gt__node_at(t.tape, t.index);
    const int n_in = (int)gt__n_in(n);
    uint32_t attr = n->attr, arg = n->arg;
    if (!common_tape(tape, n->op, in, n_in)) return gt__poison(tape);
    forget_same(tape, tape->size);
    if (tape != t.tape && !adopt(tape, t, &attr, &arg)) return gt__poison(tape);
    return record_over(tape, n->op, in, n_in, attr, arg, false);
}

gt_tensor gt_record_copy(gt_tensor t, const gt_tensor *in) {
    return gt_record_copy_on(t.tape, t, in);
}

gt_tensor gt_apply(const gt_op *op, gt_list in) {
    gt_tape *tape = in.count > 0 && in.at ? in.at[0].tape : NULL;
    if (!op || !op->name || !in.at) return gt_fail(tape, "apply: no operation, or no operands");
    if (!op->shape || !(op->kernel || op->more.view || op->more.tile))
        return gt_fail(tape, "%s: an operation needs a shape rule and a kernel", op->name);
    return gt_record(NULL, op, in.at, in.count, NULL, 0, NULL, 0);
}
