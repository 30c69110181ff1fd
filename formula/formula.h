/* formula/formula.h: formulas as people write them: parsed, printed, recorded onto a tape, and read back from one.
 *
 *     const char *text = "q = x + y; f = q * z; x = -2; y = 5; z = -4; df/dx = z";
 *     gt_formula_error error;
 *     gt_formula *formula = gt_formula_parse(text, NULL, &error);
 *     gt_tape *tape = gt_tape_new(NULL);
 *     gt_recording *r = gt_recording_new(formula, tape);
 *     if (!gt_record_definitions(r, &error)) fputs(error.message, stderr);
 *     const gt_tensor f = gt_recorded(r, "f");
 *     printf("%g %g\n", gt_item(f), gt_item(gt_grad(f, gt_recorded(r, "x"))));
 *     gt_recording_free(r);
 *     gt_tape_free(tape);
 *     gt_formula_free(formula);
 *
 * prints -12 -4.
 *
 * The language. Statements stand on lines or between `;`, comments begin with `#`.
 *
 *   x = -2                          a value: a name defined by numbers alone is an input
 *   W = [1 2; 3 4]                  a matrix, rows between `;`; [1 2 3] is a vector
 *   X[64, 1000], b[10]              inputs by their shapes; also after any statement: dW = X' * dZ : X[64, 1000]
 *   f = (x + y) * z                 a definition; again for a known name: the claim that both are equal
 *   df/dx = z                       a claim about a derivative; d2f/dxdy = ... about a second one
 *   dq = z                          the same for the last definition, where q is known and dq is not
 *
 * `*` scales by a scalar and is the matrix product of arrays; `.*` `./` `.^` go element by element; `'`
 * transposes; `^` binds tighter than a minus before it and groups to the right; a number before a name or `(`
 * multiplies (2x), as `*` does: 1/2x is (1/2) x. Vectors: a'*b is a number, a*b' a matrix. `log` is natural,
 * `pi` is a number unless it is defined. Functions: every element-wise operation of ops/ops.def without its gt_,
 * and those of gt_formula_function; max and min of two are element-wise, and of one are over all of it. An axis is
 * a last argument: sum(X, 0).
 *
 * Limits: a text has GT_FORMULA_MOST bytes at most, and nests GT_FORMULA_DEPTH deep; beyond is an error, as is
 * everything else that a text may do. Errors have a place; gt_formula_show draws it.
 *
 * Ownership: a formula is one arena of nodes, never changed and only appended to; a gt_expr is a place in it and
 * lives as long. Building on gt_no_expr, or when memory is short, gives gt_no_expr. */
#ifndef GT_FORMULA_H
#define GT_FORMULA_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { GT_FORMULA_MOST = 1 << 20, GT_FORMULA_DEPTH = 256, GT_FORMULA_MESSAGE = 512 };

typedef struct gt_formula gt_formula;
typedef struct gt_recording gt_recording;
typedef uint32_t gt_expr;
#define gt_no_expr UINT32_MAX

/* A part of the text: bytes [start, start + length). What was built, not parsed, has length 0. */
typedef struct gt_span {
    uint32_t start, length;
} gt_span;

typedef struct gt_formula_error {
    char message[GT_FORMULA_MESSAGE]; /* "" when there is none */
    gt_span span;
    int line, column; /* from 1; columns count bytes */
} gt_formula_error;

/* ---- parsing ----------------------------------------------------------------------------------------------- */

/* NULL and an error when the text is not of the language, or memory is short. allocator NULL: malloc and free. */
GT_API gt_formula *gt_formula_parse(const char *text, const gt_allocator *allocator,
                                    gt_formula_error *error);
GT_API void gt_formula_free(gt_formula *formula);
/* Its own copy of the text. */
GT_API const char *gt_formula_text(const gt_formula *formula);
/* The line of a span with a caret line below it, both ending in newlines. Returns buffer. */
GT_API const char *gt_formula_show(const char *text, gt_span span, char *buffer, size_t size);

typedef enum gt_statement_kind {
    GT_STATES_SHAPE, /* X[64, 1000] */
    GT_STATES_VALUE, /* x = -2: an input */
    GT_DEFINES,      /* f = (x + y) * z */
    GT_CLAIMS_EQUAL, /* f = x*z + y*z, when f is known */
    GT_CLAIMS_SLOPE, /* df/dx = z, dq = z */
    GT_CLAIMS_SECOND /* d2f/dxdy = 1 */
} gt_statement_kind;

typedef struct gt_statement {
    gt_statement_kind kind;
    const char *name;   /* what is stated of, or the f of df/dx */
    const char *wrt[2]; /* x, and y of a second derivative */
    gt_expr expr;       /* the right side */
    gt_shape shape;     /* of GT_STATES_SHAPE */
    gt_span span;       /* all of it */
} gt_statement;

GT_API int gt_formula_count(const gt_formula *formula);
/* The i-th; all zero past the last. Strings live as long as the formula. */
GT_API gt_statement gt_formula_at(const gt_formula *formula, int i);
/* The last statement before the i-th that defines or gives a value or shape to name; -1: none. */
GT_API int gt_formula_known(const gt_formula *formula, const char *name, int i);

/* ---- expressions --------------------------------------------------------------------------------------------- */

typedef enum gt_expr_kind {
    GT_EXPR_NUMBER,
    GT_EXPR_ARRAY, /* [1 2; 3 4] */
    GT_EXPR_NAME,
    GT_EXPR_NEG,
    GT_EXPR_TRANSPOSE,
    GT_EXPR_ADD,
    GT_EXPR_SUB,
    GT_EXPR_MUL,   /* * */
    GT_EXPR_DIV,   /* / */
    GT_EXPR_TIMES, /* .* */
    GT_EXPR_OVER,  /* ./ */
    GT_EXPR_POW,   /* ^ */
    GT_EXPR_POWER, /* .^ */
    GT_EXPR_CALL   /* tanh(x) */
} gt_expr_kind;

typedef struct gt_expr_node {
    gt_expr_kind kind;
    int count;        /* children */
    double number;    /* of a number */
    const char *name; /* of a name or a function */
    gt_span span;
} gt_expr_node;

/* Children have smaller places than their parents. A kind of GT_EXPR_NUMBER with NaN for gt_no_expr. */
GT_API gt_expr_node gt_expr_at(const gt_formula *formula, gt_expr expr);
GT_API gt_expr gt_expr_child(const gt_formula *formula, gt_expr expr, int k);
/* How many nodes the arena has: every gt_expr is below. */
GT_API uint32_t gt_expr_count(const gt_formula *formula);
/* Forgets the nodes from `count` on, which no statement uses. */
GT_API void gt_expr_truncate(gt_formula *formula, uint32_t count);
/* How many nodes an expression has, a node used twice counted twice. */
GT_API int gt_expr_size(const gt_formula *formula, gt_expr expr);
/* The same tree: kinds, names, numbers? */
GT_API bool gt_expr_same(const gt_formula *formula, gt_expr a, gt_expr b);

GT_API gt_expr gt_expr_number(gt_formula *formula, double number);
GT_API gt_expr gt_expr_name(gt_formula *formula, const char *name);
/* Operators; b is gt_no_expr for those of one operand. */
GT_API gt_expr gt_expr_make(gt_formula *formula, gt_expr_kind kind, gt_expr a, gt_expr b);
GT_API gt_expr gt_expr_call(gt_formula *formula, const char *function, const gt_expr *argument,
                            int count);
/* root with every occurrence of the node `old` replaced; nodes on the way are copied. */
GT_API gt_expr gt_expr_replace(gt_formula *formula, gt_expr root, gt_expr old, gt_expr by);

/* ---- printing ------------------------------------------------------------------------------------------------ */

/* Writes the expression with as few brackets as its meaning needs, at most size bytes with the ending 0, and
 * returns the length that it has. marked[k] is where node mark[k] stands in the text, length 0 if it does not. */
GT_API size_t gt_expr_print(const gt_formula *formula, gt_expr expr, char *buffer, size_t size,
                            const gt_expr *mark, gt_span *marked, int n_marks);

/* ---- recording --------------------------------------------------------------------------------------------------- */

/* Binds the names of a formula to tensors of one tape (f64). NULL when memory is short. The formula may grow, and
 * the tape be rewound, during its life: what it holds is checked for validity when used. */
GT_API gt_recording *gt_recording_new(gt_formula *formula, gt_tape *tape);
GT_API void gt_recording_free(gt_recording *recording);
/* Gives a name its tensor. False when memory is short. */
GT_API bool gt_recording_bind(gt_recording *recording, const char *name, gt_tensor value);
/* Records values (as gt_input, named) and definitions, each before its use; a name bound before keeps its tensor.
 * Fails at a name without a value, and where shapes do not fit, with its place. */
GT_API bool gt_record_definitions(gt_recording *recording, gt_formula_error *error);
/* The values alone. */
GT_API bool gt_record_values(gt_recording *recording, gt_formula_error *error);
/* What is bound to a name; gt_none() when nothing is. */
GT_API gt_tensor gt_recorded(const gt_recording *recording, const char *name);
/* Records an expression. Nodes that were recorded before are used again. Poison and an error when a name is
 * not bound or an operation refuses its operands: then the tape has failed, and a rewind clears it. */
GT_API gt_tensor gt_record_expr(gt_recording *recording, gt_expr expr, gt_formula_error *error);
/* The tensor of a node, gt_none() if it was not recorded. */
GT_API gt_tensor gt_expr_tensor(const gt_recording *recording, gt_expr expr);
/* Records one operation over other operands than its own: operand[k] in place of child k. gt_formula_of reads the
 * result as expr. */
GT_API gt_tensor gt_record_node(gt_recording *recording, gt_expr expr, const gt_tensor *operand);
/* Does the expression name nothing? Such a definition is a value. */
GT_API bool gt_expr_is_constant(const gt_formula *formula, gt_expr expr);
/* Is child k an operand? Exponents that are numbers, and axes, are not. */
GT_API bool gt_expr_is_operand(const gt_formula *formula, gt_expr expr, int k);

/* Function i that the language knows beside the rows of ops.def, "sum", and what it takes, "x, axis"; NULL past
 * the last. */
GT_API const char *gt_formula_function(int i, const char **arguments);

/* ---- reading a tape back -------------------------------------------------------------------------------------------- */

/* The formula of a tensor, as an expression over what the recording holds: names, and nodes of `formula` that were
 * recorded. So the local gradients that rules record read as formulas: of f = tanh(x), 1 - tanh(x)^2. Shapes that only
 * broadcast are left out. gt_no_expr when it has more than 200 nodes, or reaches an operation without a spelling. */
GT_API gt_expr gt_formula_of(gt_recording *recording, gt_tensor t);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
