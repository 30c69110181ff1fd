/* step/journal.h: the record that everything in this room reads: terminal, page, drawings, exports, tests.
 *
 * Gates stand in the order of the tape; behind them stand the insides of composite gates (a sigmoid as x -1,
 * exp, +1, 1/x). Edges stand in the order of the sweep: edge = what one gate passed back to one of its inputs.
 * What a reader steps through is the list of steps: a value for every gate but constants, the seed, then every
 * edge; an open composite shows its inside first. Stepping back is a smaller index. */
#ifndef GT_JOURNAL_H
#define GT_JOURNAL_H

#include "step/step.h"

typedef enum gt__gate_kind {
    GT__INPUT,
    GT__PARAMETER,
    GT__CONSTANT, /* made by an operation without inputs: gets no gradient */
    GT__OPERATION,
    GT__ALIAS /* inside a composite: its input, seen from there */
} gt__gate_kind;

/* What is known of a tensor at a glance. one is the element of a single-element tensor, exactly; low and high
 * leave out what is not finite. */
typedef struct gt__figures {
    int64_t numel, not_finite;
    double one, low, high, norm;
} gt__figures;

#define GT__NO_GATE UINT32_MAX

typedef struct gt__gate {
    gt_tensor value, gradient; /* on the journal's tape; no gradient: nothing arrived */
    char *label;
    gt__gate_kind kind;
    uint32_t origin;               /* index on the walked tape; of its parent for an inside */
    uint32_t first_in, n_in;       /* input[first_in + k]: gates */
    uint32_t parent;               /* the composite whose inside it is, or GT__NO_GATE */
    uint32_t first_inner, n_inner; /* its own inside: gates */
    uint32_t first_edge, n_edges;  /* what it passed back */
    uint32_t n_arrived;            /* contributions to its gradient */
    bool open;                     /* a reader steps through its inside */
    gt__figures v, g;
} gt__gate;

typedef struct gt__edge {
    uint32_t gate, k, input; /* from gate to its input k, which is the gate `input` */
    gt_tensor up;
    gt_tensor local; /* absent where the operation is not element-wise */
    gt_tensor gx;    /* absent where the operation passes nothing back */
    uint32_t place;  /* how many contributions reached the input before this one */
    gt__figures up_f, local_f, gx_f;
    double before, after; /* the input's gradient, when it is a single element */
} gt__edge;

typedef enum gt__step_kind { GT__VALUE, GT__SEED, GT__FLOW } gt__step_kind;

typedef struct gt__step {
    gt__step_kind kind;
    uint32_t gate; /* GT__FLOW: the gate that passes back */
    uint32_t edge; /* GT__FLOW only */
} gt__step;

struct gt_journal {
    gt_tape *tape; /* its own */
    gt_params *params;
    bool owns_params;
    gt__gate *gate;
    uint32_t n_gates, n_main, gate_room; /* the first n_main are the circuit, insides follow */
    gt__edge *edge;
    uint32_t n_edges, n_main_edges, edge_room;
    uint32_t *input, n_inputs, input_room;
    uint32_t *gate_at, at_room; /* by index on its tape */
    gt__step *step;
    uint32_t n_steps, step_room;
    gt_tensor *wanted;
    uint32_t wanted_room;
    uint32_t output; /* the gate */
    char error[1024];
};

/* ---- journal.c */
/* A reader steps through the inside of a gate from now on, or over it; no composite: nothing changes. */
bool gt__journal_open(gt_journal *j, uint32_t gate, bool open);
/* Sets one element of an input or parameter (element -1: all) and recomputes everything. */
bool gt__journal_set(gt_journal *j, uint32_t gate, int64_t element, double value);
/* How much the output changes when that element changes by `by`; all is as before afterwards. */
bool gt__journal_nudge(gt_journal *j, uint32_t gate, int64_t element, double by, double *change);
/* Grows an array of the journal; false and an error when memory is short. */
bool gt__journal_grow(gt_journal *j, void *block, uint32_t *room, uint64_t need, size_t item);
/* The allocator of its params, for what takes one. */
gt_allocator gt__journal_allocator(const gt_journal *j);
/* Can it be stepped through? False for NULL and where it could not be made. */
bool gt__journal_ready(const gt_journal *j);
bool gt__journal_fail(gt_journal *j, const char *format, ...) GT_PRINTF(2, 3);
/* The gate with that label, main circuit first; GT__NO_GATE when there is none. */
uint32_t gt__journal_find(const gt_journal *j, const char *label);
/* Records an operation's gate; kind GT__OPERATION. */
uint32_t gt__journal_add_gate(gt_journal *j, gt_tensor value, const char *label, uint32_t origin,
                              gt__gate_kind kind);
/* Gradients of the gates [first, end) by a sweep from root with upstream u (absent: 1), edges noted. */
bool gt__journal_sweep(gt_journal *j, gt_tensor root, gt_tensor u, uint32_t first, uint32_t end);

/* ---- insides.c: records the insides of composites: of all where they are not too many, or of one. */
bool gt__journal_insides(gt_journal *j);
bool gt__journal_inside(gt_journal *j, uint32_t gate);

/* ---- roles.c: what a gate does with gradients, told from its local gradients. */
typedef enum gt__role {
    GT__NO_ROLE,
    GT__DISTRIBUTOR, /* every local gradient is the constant 1: passes its gradient on to all */
    GT__SWAPPER,     /* the local gradient of each input is the other input */
    GT__ROUTER,      /* one input gets all, the others nothing */
    GT__SWITCH,      /* one input: passes or blocks */
    GT__SCALER,      /* a constant local gradient other than 1 */
    GT__N_ROLES
} gt__role;
gt__role gt__role_of(const gt_journal *j, uint32_t i);
const char *gt__role_name(gt__role role);
/* The branch that a kinked gate of single elements took; false when it has none. */
bool gt__branch_of(const gt_journal *j, uint32_t gate, int *branch);

/* ---- symbols.c: the local gradient in symbols, as "z" or "f*(1 - f)"; "" when it is a number, or has no
 * spelling. And an operation's own formula: "x + y". */
void gt__local_text(const gt_journal *j, const gt__edge *e, char *text, size_t size);
/* What an operation without local gradients passes back, over its upstream: "up*x'". */
void gt__rule_text(const gt_journal *j, const gt__edge *e, char *text, size_t size);
void gt__gate_text(const gt_journal *j, uint32_t i, char *text, size_t size);

/* ---- journal_json.c: words of JSON, also safe inside a script element. */
void gt__json_text(const char *text, FILE *out);
void gt__json_number(double v, FILE *out);

/* ---- lines.c: one step as one line of text. */
typedef struct gt__style {
    bool ascii, color;
    bool hide; /* the step's result, for a quiz */
} gt__style;
void gt__write_step(const gt_journal *j, uint32_t i, const gt__style *style, FILE *out);
/* The number of a single element; shape, norm and range of others. */
void gt__write_figures(const gt__figures *f, gt_tensor t, FILE *out);
/* A number as everything in this room shows it. */
const char *gt__number_text(double v, char *text, size_t size);

/* The length of the UTF-8 sequence at s, 0 when it is none. */
size_t gt__utf8_sequence(const unsigned char *s);

#endif
