/* formula/arena.h: what the files of this room share: the arena of nodes, names, numbers as text, functions. */
#ifndef GT_ARENA_H
#define GT_ARENA_H

#include "formula/formula.h"

/* A sum of many terms is a tall tree without brackets; recursion over trees stops here. */
enum { GT__TALLEST = 4 * GT_FORMULA_DEPTH };
#define GT__ANONYMOUS UINT32_MAX /* no symbol */

typedef struct gt__function gt__function;

typedef struct gt__expr {
    gt_expr_kind kind;
    uint32_t height, count, serial; /* serial: no other node ever had it */
    uint32_t first; /* of its children in f->child; of an array, its numbers in f->number */
    uint32_t name;  /* of a name; of an array, its columns */
    const gt__function *function;
    double number; /* of an array, its rank */
    gt_span span;
} gt__expr;

typedef struct gt__symbol {
    char *text;
    size_t size;
    bool used;    /* in an expression or as a target, so far */
    bool claimed; /* dq = ... has been a claim */
    int defined;  /* last statement that gives it a value, shape or definition; -1 */
} gt__symbol;

struct gt_formula {
    gt_allocator allocator;
    char *text;
    size_t text_size;
    gt__expr *expr;
    gt_expr *child;
    double *number;
    gt__symbol *symbol;
    uint32_t *slot; /* hash table over symbols: place + 1 */
    gt_statement *statement;
    uint32_t n_exprs, expr_room, n_children, child_room, n_numbers, number_room;
    uint32_t n_symbols, symbol_room, n_slots, n_statements, statement_room;
    uint32_t next_serial;
    bool failed; /* memory was short */
};

/* ---- arena.c: false, GT__ANONYMOUS or gt_no_expr when memory is short. */
bool gt__widen(const gt_allocator *a, void *block, uint32_t *room, uint64_t need, size_t item);
uint32_t gt__symbol_of(gt_formula *f, const char *text, size_t length);
/* The same without making one. */
uint32_t gt__symbol_find(const gt_formula *f, const char *text, size_t length);
gt_expr gt__expr_add(gt_formula *f, gt__expr node, const gt_expr *child);
static inline bool gt__is_expr(const gt_formula *f, gt_expr e) { return e < f->n_exprs; }

/* ---- number.c: the locale's decimal point never shows. */
double gt__number_read(const char *text, size_t length);
/* As few digits as read back the same. */
void gt__number_write(double number, char text[40]);

/* ---- function.c */
struct gt__function {
    const char *name;
    int tensors;           /* operands */
    int fewest, most;      /* numbers that may follow */
    const char *arguments; /* "x, axis" */
    gt_tensor (*record)(gt_tape *tape, const gt_tensor *x, const double *number, int n_numbers);
};
enum { GT__MOST_NUMBERS = 4, GT__MOST_CHILDREN = 8 };
/* The function of that name that takes so many arguments; NULL when there is none. count -1: any. */
const gt__function *gt__function_find(const char *name, size_t length, int count);
/* The number that an expression is, a minus before it included. */
bool gt__literal(const gt_formula *f, gt_expr e, double *number);

/* ---- parse.c */
GT_PRINTF(4, 5)
void gt__formula_error(gt_formula_error *error, const char *text, gt_span span, const char *format,
                       ...);

#endif
