/* graph/tape.h: what the files of this room share: the node, the tape, the parameters.
 *
 * A node takes 56 bytes; whatever repeats (shapes, strides, attributes, names, call sites) is interned
 * and held by id. Nodes live in chunks that never move, so the inline value of a scalar has a stable
 * address. */
#ifndef GT_TAPE_H
#define GT_TAPE_H

#include "graph/graph.h"
#include "graph/plan.h"
#include "graph/pool.h"
#include "graph/scalars.h"
#include "graph/table.h"

enum { GT__CHUNK = 1024, GT__WIDE = 7, GT__MESSAGE = 1024 };

enum {
    GT__LEAF = 1 << 0,
    GT__PARAM = 1 << 1,    /* leaf of a parameter or buffer: arg is its place in gt_params */
    GT__BORROWED = 1 << 2, /* leaf whose memory is the caller's */
    GT__STORED = 1 << 3,   /* value holds the result, contiguous */
    GT__KEEP = 1 << 4,     /* to be stored when computed */
    GT__UNASKED = 1 << 5,  /* a later result that nobody asked for with gt_out: no sink */
    GT__RULE = 1 << 6,     /* recorded by a rule, not by the user */
    GT__CONSTANT = 1 << 7, /* constant written by a rule */
    GT__TRAINED = 1 << 8,  /* depends on a trainable parameter */
    GT__APPLIED = 1 << 9,  /* effect that has been applied */
    GT__USED = 1 << 10,    /* the user recorded something of it: no sink; see gt_tape.uses_lost */
    GT__SCALAR = 1 << 11,  /* a number or bool whose operation has a gt_op_more.scalar */
    GT__CAST = 1 << 12,    /* an operand as gt_cast_operands made it: has its input's name */
    GT__NUMBER = 1 << 13   /* rank 0, f32 or f64 */
};

typedef union gt__cell {
    void *data;
    double scalar; /* rank 0: the element itself, of any kind */
} gt__cell;

typedef struct gt__node {
    const gt_op *op;
    gt__cell value;
    uint32_t in[2]; /* arity GT__WIDE: in[0] is the offset and in[1] the count in tape->side */
    uint32_t shape, attr, arg, name, site;
    uint32_t clock; /* when recorded; for leaves of inputs: when overwritten, 0 if never */
    uint32_t generation;
    uint16_t flags;
    uint8_t dtype;
    uint8_t arity : 4, out : 4;
} gt__node;
_Static_assert(sizeof(void *) != 8 || sizeof(gt__node) == 56, "a node takes 56 bytes");

typedef struct gt__shape_entry {
    gt_shape shape;
    int64_t numel;
} gt__shape_entry;

/* Ids of recent call sites, by line. */
enum { GT__KNOWN_SITES = 32 };
typedef struct gt__known_site {
    gt_site site;
    uint32_t id;
} gt__known_site;

/* Operands cast of late, by index. */
enum { GT__KNOWN_CASTS = 32, GT__CAST_MOST = 3 };
typedef struct gt__known_cast {
    uint32_t from, generation;
    gt_tensor to;
} gt__known_cast;

typedef struct gt__param {
    const char *name; /* bytes of params->names */
    gt_shape shape;
    int64_t numel;
    gt_dtype dtype;
    bool trainable, buffer, has_grad;
    void *data, *grad;
    uint32_t written; /* clock of the last write */
    uint32_t uses;
} gt__param;

struct gt_params {
    gt_allocator allocator; /* counts, and passes on to the user's */
    gt_allocator base;
    size_t bytes;
    gt__pool pool;
    gt__table names; /* id - 1 is the place in param */
    gt__param *param;
    uint32_t count, room;
    uint64_t seed, ordinal;
    uint32_t clock; /* raised by every write to a leaf */
    bool frozen;
    char error[GT__MESSAGE];
};

/* The state of one node during a run; all zero between runs. */
typedef struct gt__slot {
    void *data;
    uint32_t owner;  /* index of the node whose block this is, for views */
    uint32_t layout; /* strides; 0: contiguous */
    uint32_t uses;   /* consumers yet to run, holds included */
    uint32_t state;
    uint32_t number; /* in a plan's work, see plan.c */
} gt__slot;

typedef struct gt__range {
    uint32_t begin, end;
} gt__range;

/* What a tape knows of one parameter. */
typedef struct gt__use {
    uint32_t leaf; /* index + 1 of its leaf on this tape */
    uint32_t uses; /* how often the recording asked for it: this tape's share of gt__param.uses */
} gt__use;

struct gt_tape {
    gt_site site; /* comes first: see gt_tape_at */
    gt_params *params;
    bool owns_params;
    const gt_allocator *allocator;
    gt__node **chunk;
    uint32_t n_chunks, chunk_room, size, generation, limit;
    uint32_t room; /* nodes that can be appended without asking for more */
    uint32_t
        same; /* nodes before this one are as before the last rewind, those to be recorded included */
    uint32_t *side;
    uint32_t side_size, side_room;
    gt_arg *arg;
    uint32_t arg_size, arg_room;
    gt__table shapes, layouts, attrs, names, sites;
    gt__pool pool;
    uint32_t *stored, n_stored,
        stored_room; /* in order of storing; but for leaves that are numbers */
    uint32_t *effect, n_effects, effect_room;
    uint32_t *sink, n_sinks, sink_room; /* what a commit stores, see run.c */
    uint32_t sinks_size,
        sinks_generation; /* the tape's when they were listed; size 0: not listed */
    gt__use *use;         /* by place in gt_params */
    uint32_t use_room;
    gt__range *range; /* checkpoints; an open one ends at UINT32_MAX */
    uint32_t n_ranges, range_room;
    char *scope;
    uint32_t scope_size, scope_room;
    uint32_t scopes_lost; /* pushes that failed, whose pops are to come */
    bool failed;
    uint32_t failed_at; /* nodes on the tape when it failed */
    uint32_t n_errors;  /* so far: tells a mark before the error from one after it */
    char message[GT__MESSAGE];
    void (*hook)(void *user, const char *message);
    void *hook_user;
    gt__known_site known_site[GT__KNOWN_SITES];
    gt_tensor (*cast)(gt_tensor x); /* see gt_cast_operands */
    gt__known_cast known_cast[GT__KNOWN_CASTS];
    uint32_t scalar_shape; /* the id of rank 0; 0: not met yet */
    gt__scalars scalars;
    uint32_t begun;    /* the clock when recording began: at it, nothing can be stale */
    uint32_t replayed; /* the clock of the last replay: all is computed anew since */
    bool uses_lost;    /* a rewind took users of nodes that stayed */
    gt_recorder recorder;
    bool
        dated; /* nodes are recorded for another one: date is their clock, dated_site their call site */
    uint32_t date, dated_site;
    gt_site undated; /* the call site before */
    bool keep_all, eval, exact, keep_denormals, reference, running;
    gt__plans plans;
    gt__slot *slot;
    uint32_t slot_room;
    gt_array *array; /* operands of one call */
    uint32_t array_room;
    gt_attachment attachment;
};

static inline gt__node *gt__node_at(const gt_tape *tape, uint32_t i) {
    return &tape->chunk[i / GT__CHUNK][i % GT__CHUNK];
}
static inline void gt__unset(gt__node *n, unsigned flags) {
    n->flags = (uint16_t)(n->flags & ~flags);
}
static inline uint32_t gt__n_in(const gt__node *n) {
    return n->arity == GT__WIDE ? n->in[1] : n->arity;
}
static inline const uint32_t *gt__in(const gt_tape *tape, const gt__node *n) {
    return n->arity == GT__WIDE ? tape->side + n->in[0] : n->in;
}
/* The id of a view's strides, which stands behind its inputs; 0: contiguous. */
static inline uint32_t gt__layout_of(const gt_tape *tape, const gt__node *n) {
    return n->op->more.traits & GT_VIEW ? gt__in(tape, n)[gt__n_in(n)] : 0;
}
static inline const gt__shape_entry *gt__shape(const gt_tape *tape, const gt__node *n) {
    return gt__bytes(&tape->shapes, n->shape, NULL);
}
static inline gt__param *gt__param_of(const gt_tape *tape, const gt__node *leaf) {
    return &tape->params->param[leaf->arg];
}
/* When what node n computes was recorded, or called for again. */
static inline uint32_t gt__clock_of(const gt_tape *tape, const gt__node *n) {
    return n->clock > tape->replayed ? n->clock : tape->replayed;
}
/* Is it a computed number of a large graph of scalars? */
static inline bool gt__is_number(const gt_tape *tape, uint32_t i) {
    return i < tape->scalars.run && tape->scalars.code[i].what >= GT__CODE_ADJOINT;
}
static inline bool gt__valid(gt_tensor t) {
    return t.tape && t.index < t.tape->size &&
           gt__node_at(t.tape, t.index)->generation == t.generation;
}
/* What is recorded from now on is on behalf of node n. */
static inline void gt__date(gt_tape *tape, const gt__node *n) {
    if (!tape->dated) tape->undated = tape->site;
    tape->dated = true;
    tape->site.file = NULL;
    tape->dated_site = n->site;
    tape->date = n->flags & GT__LEAF ? tape->params->clock : gt__clock_of(tape, n);
}
static inline gt_tensor gt__tensor(gt_tape *tape, uint32_t i) {
    return (gt_tensor){tape, i, gt__node_at(tape, i)->generation};
}

/* What gt_call.internal points to: whom to tell of errors, and scratch to free after the call. */
typedef struct gt__context {
    gt_tape *tape;
    uint32_t node;         /* that runs or is about to be recorded: an error is its own */
    const uint32_t *index; /* nodes of the inputs */
    void *scratch;         /* blocks of the pool, each beginning with a pointer to the next */
    gt_rows *rows;         /* to be filled in by gt__begin_rows */
    int next_text;
    char text[4][320];
} gt__context;

/* ---- denormals.c */
/* Does an operation flush denormals, of the kinds of its last input and its result, and the larger of their ranks?
 * If the tape's runs do. The mode in which a thread does. */
bool gt__may_flush(const gt_op *op, gt_dtype in, gt_dtype out, int rank);
bool gt__flushes(const gt_tape *tape);
unsigned gt__flushing(unsigned mode);

/* ---- array.c */
bool gt__checked_numel(gt_shape shape, size_t size, int64_t *numel);
const char *gt__shape_text(gt_shape shape, char *buffer, size_t size);
void gt__contiguous(gt_array *a); /* sets its strides */
bool gt__is_contiguous(const gt_array *a);
void gt__channels_last(gt_array *a); /* sets its strides, for a rank of 3 and more */
/* The same elements as an array of that rank, 3 and more, whose axis 1 has become the last. */
void gt__move_channels_last(gt_array *a, int rank);
/* Copies elements [start, start + count) of an array of any stride, in row-major order; or all of them. */
void gt__gather(char *to, const gt_array *a, int64_t start, int64_t count);
/* Joins neighbouring axes that one stride walks, and drops those of size 1: the same elements in the same order. */
void gt__merge_axes(gt_array *a);
/* Writes elements that are `step` apart, as many as there are lines, each `count` times. */
void gt__repeat(char *to, const char *from, int64_t step, int64_t lines, int64_t count,
                size_t size);
void gt__copy_strided(void *to, const gt_array *from);

/* ---- errors.c */
gt_tensor gt__poison(gt_tape *tape);
bool gt__error(gt_tape *tape, const char *format, ...) GT_PRINTF(2, 3); /* returns false */
bool gt__out_of_memory(gt_tape *tape, const char *what);
/* Valid operand, or an error that says what is wrong with it; who names the caller. */
bool gt__check(gt_tensor t, const char *who);
const char *gt__describe(gt_tape *tape, uint32_t index, char *buffer, size_t size);
/* " (file:line)" of a site id, "" when unknown. */
const char *gt__site_text(const gt_tape *tape, uint32_t site, char *buffer, size_t size);

/* ---- params.c: NULL when memory is short; the name must be new. */
gt__param *gt__param_add(gt_params *params, const char *name, gt_shape shape, gt_dtype dtype,
                         bool buffer);

/* ---- tape.c */
uint32_t gt__intern_shape(gt_tape *tape, gt_shape shape); /* 0 and an error when it cannot be */

/* ---- append.c */
gt__node *gt__append(gt_tape *tape, const gt_op *op, uint32_t shape, gt_dtype dtype);
/* The id of an array's strides, 0 when contiguous; UINT32_MAX and an error when memory is short. */
uint32_t gt__layout(gt_tape *tape, const gt_array *a);
bool gt__reserve_arrays(gt_tape *tape, uint32_t count);

/* ---- scratch.c: gives back what gt_scratch took. */
void gt__free_scratch(gt__context *context);

/* ---- autocast.c: the operands that op is recorded with: in, or casts in room (GT__CAST_MOST); NULL when a cast
 * failed. */
const gt_tensor *gt__autocast(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in,
                              gt_tensor *room);

/* ---- leaf.c */
/* Where the value of a leaf, a stored node or a number is, contiguous; NULL when there is none. That of a number
 * moves when more is recorded. */
void *gt__value(const gt_tape *tape, uint32_t i);
uint32_t gt__leaf_written(const gt_tape *tape, const gt__node *leaf);
/* Gives back the block of a stored value; a number has none. */
void gt__give_value(gt_tape *tape, gt__node *n);
/* Overwrites a leaf as of the present clock, which the caller has raised. */
void gt__leaf_write(gt_tape *tape, uint32_t i, const void *data);

/* ---- tiles.c */
/* The kernel for these kinds and a result of this rank; NULL when the operation is not defined for them. */
gt_tile gt__tile_of(const gt_tape *tape, const gt_op *op, gt_dtype in, gt_dtype out, int rank);
/* Runs an element-wise operation over its whole result. */
bool gt__run_elementwise(gt_call *call);

/* ---- run.c: computes and stores the wanted nodes. */
bool gt__read(gt_tape *tape, const uint32_t *wanted, uint32_t count);

#endif
