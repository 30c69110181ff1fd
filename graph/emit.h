/* graph/emit.h: what the files of emission share. A tape is written as C in units: one operation, or
 * element-wise operations of one shape in one nest of loops, or of numbers, which stand as statements of a
 * function. Units are cut into functions, `part`s; each value has a home, and dies after the last unit that
 * reads it. */
#ifndef GT_EMIT_H
#define GT_EMIT_H

#include <stdarg.h>

#include "graph/tape.h"

typedef struct gt__text {
    char *at; /* not terminated */
    uint32_t used, room;
} gt__text;

/* Where the elements of a value are. */
typedef enum gt__home {
    GT__NOWHERE,
    GT__ARGUMENT, /* of the emitted function */
    GT__STATE,    /* an array with a name: a parameter, or another leaf that an effect writes */
    GT__FIXED,    /* known now: a literal when all elements are alike, else a constant array */
    GT__COMPUTED
} gt__home;

/* What emission knows of a node. */
typedef struct gt__emitted {
    uint32_t base;         /* the node whose memory it shares, itself unless it is a view */
    uint32_t layout;       /* id of its strides over that memory */
    uint32_t unit, last;   /* that computes it; that reads its memory last */
    uint32_t name;         /* id in names; of arguments: 1 + which */
    int64_t offset, place; /* of a view in its base; of a base in its array */
    unsigned home : 3, needed : 1, known : 1;
    unsigned uniform : 1; /* a view or constant whose elements are all the same one */
    unsigned local : 1;   /* a variable of a function or loop holds it */
    unsigned memory : 1;  /* an array does */
    unsigned written : 1; /* its array of constants or state is there */
    unsigned copied : 1; /* a view that needs a contiguous copy of its input, which is its memory */
    unsigned dead : 1;   /* its memory is given back */
} gt__emitted;

typedef struct gt__unit {
    uint32_t first, count; /* of its members in `order` */
    uint32_t function;
    bool elementwise;
} gt__unit;

/* The working memory of one kind of element, in elements. */
typedef struct gt__gap {
    int64_t from, size;
} gt__gap;
typedef struct gt__space {
    gt__gap *gap; /* free ones below `end`, in order */
    uint32_t n_gaps, room;
    int64_t end, most;
} gt__space;

/* What an operation asked for while it runs; count 0: nothing. */
typedef struct gt__scratch {
    gt_dtype dtype;
    int64_t from, count;
} gt__scratch;

#define GT__TO_THE_END UINT32_MAX
enum { GT__EMIT_TEXT = 400, GT__EMIT_NAME = 64 };

struct gt_emitter {
    gt_tape *tape;
    char name[GT__EMIT_NAME], upper[GT__EMIT_NAME];
    gt_list inputs, outputs;
    uint32_t *out_name; /* ids in names */
    gt__emitted *value;
    uint32_t *order, n_order;
    gt__unit *unit;
    uint32_t n_units, unit_room;
    uint32_t *open, n_open;  /* members of the group that still grows */
    uint32_t function, load; /* the part being planned or written, and its statements, at most */
    bool *used;              /* arguments that the part uses: inputs, then outputs */
    gt__table names;
    gt__space space[GT_N_DTYPES];
    int64_t state_bytes, fixed_bytes;
    gt__text fixed, state, helpers, part, parts, calls;
    int depth;
    uint32_t present;        /* unit */
    const gt_call *call;     /* of the operation that writes itself */
    const uint32_t *operand; /* nodes of its inputs; its first result */
    uint32_t result;
    gt__scratch scratch;
    const void *loops; /* of an element-wise one */
    int64_t *copy;     /* places of contiguous copies of its inputs; -1: none */
    uint32_t copy_room;
    int next_text;
    char text[32][GT__EMIT_TEXT];
    bool starved;
};

/* ---- emit_text.c */
void gt__say(gt_emitter *e, gt__text *t, const char *format, ...) GT_PRINTF(3, 4);
void gt__say_list(gt_emitter *e, gt__text *t, const char *format, va_list list);
void gt__say_bytes(gt_emitter *e, gt__text *t, const char *bytes, size_t size);
/* One of a few buffers, used again after some calls. */
char *gt__emit_text(gt_emitter *e);
void gt__emit_elements(gt_emitter *e, gt__text *t, gt_dtype dtype, const void *data, int64_t count);
/* A C name made of any text, of letters, digits and _. */
void gt__emit_clean(char *to, size_t size, const char *from);
/* The id in names of a name made of a tensor's label that no other has. */
uint32_t gt__emit_unique(gt_emitter *e, gt_tensor t);

/* ---- emit_plan.c: what is computed, in which units, and where values live. False: see the tape's error. */
bool gt__emit_plan(gt_emitter *e);
/* Elements that node i's own memory has. */
int64_t gt__emit_extent(const gt_emitter *e, uint32_t i);
/* May so many statements more go into the present part? Else another begins. */
void gt__emit_reserve(gt_emitter *e, uint32_t statements);

/* ---- emit_space.c: -1 when memory is short */
int64_t gt__space_take(gt_emitter *e, gt_dtype dtype, int64_t count);
void gt__space_give(gt_emitter *e, gt_dtype dtype, int64_t from, int64_t count);

/* ---- emit_loops.c */
/* The value of node i as an operand, strides over its memory. */
void gt__emit_array(gt_emitter *e, uint32_t i, gt_array *a);
/* "(name + 12)": the first element of node i. */
const char *gt__emit_pointer(gt_emitter *e, uint32_t i);
/* Statements that compute the members of an element-wise unit. */
void gt__emit_unit(gt_emitter *e, const gt__unit *unit);
/* Copies node i, in row-major order, to an array from `place` on. */
void gt__emit_copy(gt_emitter *e, const char *array, int64_t place, uint32_t i);

static inline const gt__node *gt__emit_node(const gt_emitter *e, uint32_t i) {
    return gt__node_at(e->tape, i);
}
static inline const gt_shape *gt__emit_shape(const gt_emitter *e, uint32_t i) {
    return &gt__shape(e->tape, gt__emit_node(e, i))->shape;
}

#endif
