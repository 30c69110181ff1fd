/* graph/graph.h: tensors, the tape that records them, the parameters that outlive it, and running.
 *
 * A gt_tensor is a small value that names one node of a gt_tape. Operations (see ops/ops.h) append
 * nodes; recording checks shapes and computes nothing. Because an operation can only name tensors
 * that exist, *a node's inputs always stand before it*: the tape is topologically sorted by
 * construction, and every pass over it is a plain loop over indices.
 *
 * Reading a value runs what is missing:
 *
 *     gt_params *params = gt_params_new(NULL, 42);
 *     gt_tape *tape = gt_tape_new(params);
 *     const float data[2] = {3, 4};
 *     gt_tensor x = gt_input(tape, data, GT_SHAPE(2), GT_F32);
 *     gt_tensor length = gt_sqrt(gt_sum(gt_square(x), GT_ALL, false));
 *     printf("%g\n", gt_item(length));
 *     gt_tape_free(tape);
 *     gt_params_free(params);
 *
 * Errors: nothing here aborts, exits or prints. A failed operation returns a poison tensor, the
 * tape keeps the first error, later operations pass the poison on; ask gt_failed once at the end.
 * Poison reads as NaN or NULL. gt_rewind to a mark before the failure, or gt_tape_reset, clears it.
 *
 * Ownership: a tape owns its nodes and values; pointers that it hands out hold until the next
 * rewind or reset. gt_params owns parameters and must outlive the tapes that use it.
 *
 * Threads: no global state. A gt_params and its tapes belong to one thread at a time; different
 * gt_params may be used by different threads at once. */
#ifndef GT_GRAPH_H
#define GT_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
#include <initializer_list>
extern "C" {
#endif

#if defined(__GNUC__)
#define GT_API __attribute__((visibility("default")))
#define GT_PRINTF(text, first) __attribute__((format(printf, text, first)))
/* Code that calls this is rarely run: it is made small rather than quick. */
#define GT_RARELY __attribute__((cold))
#else
#define GT_API
#define GT_PRINTF(text, first)
#define GT_RARELY
#endif

/* Marks functions that record: *_gen.h gives each a macro of the same name that notes the caller's file
 * and line, so that errors can name them. */
#define GT_RECORDS GT_API

#define GT_MAX_RANK 8

typedef struct gt_tape gt_tape;
typedef struct gt_params gt_params;
typedef struct gt_op gt_op;

/* One node of a tape, by value. The generation tells a rewound node from its successor. */
typedef struct gt_tensor {
    gt_tape *tape;
    uint32_t index;
    uint32_t generation;
} gt_tensor;

/* The kinds of elements. Mixing them in one operation is an error, never a silent promotion.
 * GT_BOOL takes one byte, 0 or 1. GT_BF16 is for storage and products: cast it to compute. */
typedef enum gt_dtype { GT_F32, GT_F64, GT_I32, GT_I64, GT_BOOL, GT_BF16, GT_N_DTYPES } gt_dtype;

GT_API size_t gt_dtype_size(gt_dtype dtype);
GT_API const char *gt_dtype_name(gt_dtype dtype);
/* f32, f64 and bf16: the kinds that carry a gradient. */
GT_API bool gt_dtype_is_float(gt_dtype dtype);

/* Sizes of the axes, slowest first; rank 0 is a scalar; a size of 0 is legal. */
typedef struct gt_shape {
    int rank;
    int64_t dim[GT_MAX_RANK];
} gt_shape;

/* Axes to work on; negative ones count from the end. count < 0 means every axis. */
typedef struct gt_axes {
    int count;
    int axis[GT_MAX_RANK];
} gt_axes;

/* A list of tensors: GT_LIST(a, b, c), or gt_list_of(count, array). The array is the caller's. */
typedef struct gt_list {
    int count;
    const gt_tensor *at;
} gt_list;

static inline gt_list gt_list_of(int count, const gt_tensor *at) {
    const gt_list list = {count, at};
    return list;
}

#ifdef __cplusplus
} /* extern "C" */
inline gt_shape gt__shape_of_list(std::initializer_list<int64_t> sizes) {
    gt_shape s = {};
    for (int64_t size : sizes) {
        if (s.rank < GT_MAX_RANK) s.dim[s.rank] = size;
        s.rank++;
    }
    return s;
}
inline gt_axes gt__axes_of_list(std::initializer_list<int> axes) {
    gt_axes a = {};
    for (int axis : axes) {
        if (a.count < GT_MAX_RANK) a.axis[a.count] = axis;
        a.count++;
    }
    return a;
}
/* Lives to the end of the full expression, as the list that it points into. */
inline gt_list gt__list_of(std::initializer_list<gt_tensor> tensors) {
    return gt_list{(int)tensors.size(), tensors.begin()};
}
#define GT_LIST(...) gt__list_of({__VA_ARGS__})
#define GT_SHAPE(...) gt__shape_of_list({__VA_ARGS__})
#define GT_SCALAR (gt_shape{})
#define GT_AXES(...) gt__axes_of_list({__VA_ARGS__})
#define GT_ALL (gt_axes{-1, {}})
extern "C" {
#else
#define GT_SHAPE(...)                                                                              \
    ((gt_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define GT_SCALAR ((gt_shape){0, {0}})
#define GT_AXES(...) ((gt_axes){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#define GT_ALL ((gt_axes){-1, {0}})
#define GT_LIST(...)                                                                               \
    ((gt_list){(int)(sizeof((gt_tensor[]){__VA_ARGS__}) / sizeof(gt_tensor)),                      \
               (gt_tensor[]){__VA_ARGS__}})
#endif

/* ---- memory ------------------------------------------------------------------------------- */

/* Every allocation of the library goes through one function, which may fail by returning NULL.
 * block NULL asks for a new block, new_size 0 frees one; old_size is what was asked for before. */
typedef struct gt_allocator {
    void *(*resize)(void *user, void *block, size_t old_size, size_t new_size);
    void *user;
} gt_allocator;
/* realloc and free: what NULL stands for wherever an allocator is taken. */
GT_API gt_allocator gt_default_allocator(void);

/* ---- parameters --------------------------------------------------------------------------- */

/* How a parameter gets its first values: fill writes gt_numel(shape) of them. key is made from the
 * seed and the name, so values do not depend on the order of creation. a and b are the initializer's
 * own numbers. Returns false when memory is short. */
typedef struct gt_init {
    bool (*fill)(const struct gt_init *init, gt_shape shape, uint64_t key, double *values);
    double a, b;
} gt_init;

/* What is known of one parameter or buffer. data and grad are contiguous; grad is NULL until a
 * gradient has arrived, and f32 where data is bf16. Read-only for callers: change values with gt_param_set. */
typedef struct gt_param_info {
    const char *name;
    gt_shape shape;
    gt_dtype dtype;
    bool trainable; /* false for buffers and after gt_set_trainable */
    bool buffer;    /* made by gt_buffer, or set as not trainable: never has a gradient */
    const void *data;
    const void *grad;
    uint32_t uses; /* how often the present recording asked for it by name */
} gt_param_info;

/* allocator NULL: malloc and free. NULL when memory is short. */
GT_API gt_params *gt_params_new(const gt_allocator *allocator, uint64_t seed);
GT_API void gt_params_free(gt_params *params);
/* The allocator's blocks and bytes now in use, for tests and curiosity. */
GT_API size_t gt_params_memory(const gt_params *params);
GT_API int gt_params_count(const gt_params *params);
/* The i-th in order of creation; false when there is none. */
GT_API bool gt_params_at(const gt_params *params, int i, gt_param_info *info);
GT_API bool gt_params_find(const gt_params *params, const char *name, gt_param_info *info);
/* Creates or overwrites one value (file loaders use it). Shape and dtype must agree with an existing
 * one. trainable counts at creation only. False: see gt_params_error. */
GT_API bool gt_param_set(gt_params *params, const char *name, gt_shape shape, gt_dtype dtype,
                         const void *data, bool trainable);
/* Forgets the parameters from the count-th on. Only for those that no tape has seen: a loader that
 * failed midway takes back what it created. */
GT_API void gt_params_truncate(gt_params *params, int count);
/* Memory of the params' allocator, for rooms above; bytes counted by the caller. */
GT_API void *gt_params_alloc(gt_params *params, void *block, size_t old_size, size_t new_size);
/* From now on an unknown name is an error that lists the nearest names. */
GT_API void gt_params_freeze(gt_params *params, bool frozen);
GT_API bool gt_params_frozen(const gt_params *params);
/* A pattern matches names with * and ?; NULL matches all. */
GT_API bool gt_name_matches(const char *pattern, const char *name);
GT_API void gt_set_trainable(gt_params *params, const char *pattern, bool trainable);
/* Forgets the gradients of the parameters that match. */
GT_API void gt_zero_grad(gt_params *params, const char *pattern);
/* One line per parameter: name, shape, dtype, uses. */
GT_API void gt_params_print(const gt_params *params, FILE *out);
/* The next ordinal of random operations, and setting it (checkpoints save it). */
GT_API uint64_t gt_params_ordinal(const gt_params *params);
GT_API void gt_params_set_ordinal(gt_params *params, uint64_t ordinal);
GT_API uint64_t gt_params_seed(const gt_params *params);
/* The message of the last gt_param_set or file call that failed, "" when none did. */
GT_API const char *gt_params_error(const gt_params *params);
/* For code that works on parameters (file readers): sets that message; returns false. */
GT_API bool gt_params_fail(gt_params *params, const char *format, ...) GT_PRINTF(2, 3);

/* ---- the tape ------------------------------------------------------------------------------ */

/* params NULL: the tape makes its own, with seed 0. Uses the allocator of params. */
GT_API gt_tape *gt_tape_new(gt_params *params);
GT_API void gt_tape_free(gt_tape *tape);
GT_API gt_params *gt_tape_params(gt_tape *tape);
/* Forgets all nodes and any error; memory is kept for the next recording. Parameters stay. */
GT_API void gt_tape_reset(gt_tape *tape);
typedef struct gt_marker {
    const gt_tape *tape;
    uint32_t size, generation, arg_size, side_size, n_ranges, n_errors;
    bool in_checkpoint;
} gt_marker;
/* gt_rewind forgets what was recorded since the mark, its effects not yet applied included, and an error of
 * that time. A checkpoint that was open at the mark is open again. */
GT_API gt_marker gt_mark(gt_tape *tape);
GT_API void gt_rewind(gt_tape *tape, gt_marker mark);
/* Recording more than this many nodes is an error that asks for a rewind; 0: no limit. */
GT_API void gt_tape_limit(gt_tape *tape, uint32_t nodes);
GT_API uint32_t gt_tape_size(const gt_tape *tape);

/* True for NULL and for a tape with an error. */
GT_API bool gt_failed(const gt_tape *tape);
/* The first error, "" when there is none. Holds until the error is cleared. */
GT_API const char *gt_error(const gt_tape *tape);
/* Called at the first error, so that a debugger can stop there. */
GT_API void gt_on_error(gt_tape *tape, void (*hook)(void *user, const char *message), void *user);

/* ---- leaves -------------------------------------------------------------------------------- */

/* Copies numel(shape) elements; the buffer may be refilled at once. */
GT_RECORDS gt_tensor gt_input(gt_tape *tape, const void *data, gt_shape shape, gt_dtype dtype);
/* Does not copy: data must stay unchanged until the tape is rewound. It cannot be assigned to. */
GT_RECORDS gt_tensor gt_borrow(gt_tape *tape, const void *data, gt_shape shape, gt_dtype dtype);
/* The trainable parameter of that name under the present scope (a name that begins with '/' ignores scopes),
 * created by init at first use.
 * A shape or dtype that differs from the stored one is an error. */
GT_RECORDS gt_tensor gt_param(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype,
                              gt_init init);
/* A saved value without gradient (running statistics, optimizer state), zeros at first. */
GT_RECORDS gt_tensor gt_buffer(gt_tape *tape, const char *name, gt_shape shape, gt_dtype dtype);
/* The leaf of a parameter by its full name, scopes ignored; an error when there is none. */
GT_RECORDS gt_tensor gt_param_leaf(gt_tape *tape, const char *full_name);
/* Names between push and pop are prefixed with "scope/". */
GT_API void gt_scope_push(gt_tape *tape, const char *format, ...) GT_PRINTF(2, 3);
GT_API void gt_scope_pop(gt_tape *tape);
/* Overwrites a leaf's values and raises its version: see "stale" at gt_data. */
GT_API bool gt_set(gt_tensor leaf, const void *data);
/* Is it a leaf whose memory is the tape's or the parameters'? */
GT_API bool gt_is_assignable(gt_tensor t);

/* ---- reading -------------------------------------------------------------------------------- */

/* Reading runs what is missing and stores what was read until rewind. Other values are virtual: a
 * later read computes them again, with the same bits. A virtual value recorded before a leaf that it
 * uses was overwritten (gt_set, gt_assign, an optimizer) is stale, and reading it is an error that
 * names both: gt_keep what you want to read after the step.
 *
 * gt_data: numel elements, contiguous, const; NULL on error. */
GT_API const void *gt_data(gt_tensor t);
/* The single element of a tensor as a double; NaN on error. */
GT_API double gt_item(gt_tensor t);
/* Element i, in row-major order, as a double; NaN on error. */
GT_API double gt_element(gt_tensor t, int64_t i);
/* Shape, dtype and values, nested brackets, long axes shortened. */
GT_API void gt_print(gt_tensor t, FILE *out);
/* Stores the value of t at the next run that computes it. Returns t. */
GT_API gt_tensor gt_keep(gt_tensor t);
/* Stores every value from now on: for stepping, lessons and gt_tape_check_finite. */
GT_API void gt_keep_all(gt_tape *tape, bool on);
/* Evaluation only: a read no longer stores products for a backward that will not come. */
GT_API void gt_eval(gt_tape *tape, bool on);
/* From now on element-wise operations run with the scalar functions of <math.h>, slower, with the bits of
 * plain C; else f32 and f64 tensors use vector functions, whose accuracy is in docs/numerics.md. Convolutions add up
 * products in the order of their formula (channels, rows, columns), slower, too. */
GT_API void gt_exact(gt_tape *tape, bool on);
/* On x86 processors, which are slow at them, element-wise operations and folds of f32 tensors take numbers
 * below the smallest normal one (1.2e-38) for 0, unless this is on. Scalars, f64 and gt_exact keep them. */
GT_API void gt_keep_denormals(gt_tape *tape, bool on);
/* Runs of this tape go node by node in the order of the tape, without fusing anything: slower, with the
 * same bits. For tests, and to find out whether the planner is to blame. */
GT_API void gt_reference(gt_tape *tape, bool on);
/* How the last planned run went about it: one line for each step (a kernel, a view, or a group of
 * element-wise operations that run together; `rows`: a kernel whose result the group in the next line takes some rows at a
 * time, unless the kernel finds it quicker to make the whole first), with the bytes it reads and writes; at the end the
 * sums and the largest size of all values that had to exist at once. */
GT_API void gt_plan_print(gt_tape *tape, FILE *out);
/* The same as a drawing for Graphviz. */
GT_API void gt_plan_dot(gt_tape *tape, FILE *out);
/* Runs several values at once, in one pass. */
GT_API bool gt_run(gt_tape *tape, const gt_tensor *wanted, int count);
/* Forgets computed values: reads compute anew from the leaves' present values, structure and random
 * ordinals unchanged. Effects become pending again, so gt_commit repeats a recorded step. */
GT_API void gt_replay(gt_tape *tape);
/* Finds the first stored value with a NaN or an infinity that its inputs do not have. False and an
 * error that names the node, the element and its inputs; *culprit may be NULL. */
GT_API bool gt_tape_check_finite(gt_tape *tape, gt_tensor *culprit);

/* The wall of every read: true when t is a tensor of its tape's present recording. */
GT_API bool gt_valid(gt_tensor t);
/* An absent tensor (no tape): what a rule returns for "no gradient". */
GT_API gt_tensor gt_none(void);
GT_API bool gt_is_none(gt_tensor t);
GT_API gt_shape gt_shape_of(gt_tensor t);
GT_API gt_dtype gt_dtype_of(gt_tensor t);
GT_API int gt_rank(gt_tensor t);
/* Size of an axis, negative ones from the end; 0 on error. */
GT_API int64_t gt_dim(gt_tensor t, int axis);
GT_API int64_t gt_numel(gt_shape shape);
GT_API bool gt_same_shape(gt_shape a, gt_shape b);
/* Names a tensor in messages and drawings. Returns t. */
GT_API gt_tensor gt_name(gt_tensor t, const char *format, ...) GT_PRINTF(2, 3);
/* The given name, the parameter's name, or "op#index". Written into buffer, which is returned. */
GT_API const char *gt_label(gt_tensor t, char *buffer, size_t size);

/* ---- effects --------------------------------------------------------------------------------- */

/* Applies the pending effects (gt_assign) once, in record order, after all their sources are
 * computed; together with the wanted values, in one run. A failed run applies none. */
GT_API bool gt_commit(gt_tape *tape);
/* What leaf will hold after the next commit: the value of the last pending gt_assign to it, or leaf itself. An
 * update that follows another in one recording begins here: a leaf's own value is that before the commit. */
GT_API gt_tensor gt_pending(gt_tensor leaf);
/* The same with more to compute: stores the wanted values and every sink (a user-recorded tensor that
 * nothing consumes), calls deliver between computing and applying, then applies. deliver may refuse by
 * returning false: then nothing is applied. grad/ and optim/ stand on this. */
GT_API bool gt_commit_with(gt_tape *tape, const gt_tensor *wanted, int count,
                           bool (*deliver)(void *user), void *user);
/* The values of a tensor wanted in gt_commit_with, for use inside deliver. */
GT_API const void *gt_computed(gt_tensor t);
/* Adds values into a parameter's gradient; allocates it at first: prepare does that beforehand, so that
 * adding cannot fail. */
GT_API bool gt_param_prepare_grad(gt_tensor leaf);
GT_API void gt_param_add_grad(gt_tensor leaf, const void *values);

/* ---- operations ------------------------------------------------------------------------------ */

/* A number that an operation is given at run time: it is no part of a plan's key. */
typedef union gt_arg {
    double real;
    int64_t integer;
} gt_arg;

/* One operand or result as rules and kernels see it. stride counts elements. */
typedef struct gt_array {
    void *data; /* NULL in shape rules */
    gt_dtype dtype;
    gt_shape shape;
    int64_t stride[GT_MAX_RANK];
} gt_array;

/* What a shape rule and a kernel are given. */
typedef struct gt_call {
    const gt_op *op;
    const void *attr;  /* structural attributes: part of a plan's key */
    const gt_arg *arg; /* run-time numbers */
    int n_in, n_out;
    const gt_array *in;
    gt_array *out; /* the shape rule sets dtype and shape of each */
    uint64_t seed; /* of the parameters; for traits GT_RANDOM */
    bool exact;    /* after gt_exact: sums go in the order of their formula */
    void *internal;
} gt_call;

#define GT_MAX_OUT 8

/* Fails a shape rule or a kernel: "op: message (file:line)". Returns false. */
GT_API bool gt_call_fail(const gt_call *call, const char *format, ...) GT_PRINTF(2, 3);
/* "name[2,3]" of input k, for messages; holds until the call ends. */
GT_API const char *gt_operand(const gt_call *call, int k);
/* Scratch memory for a kernel, 64-aligned, freed when the call ends. NULL (and failed) when short. */
GT_API void *gt_scratch(const gt_call *call, size_t bytes);
/* Memory that comes with operand k and lasts for the run, 64-aligned: an operation with bit k in gt_op_more.prepares can
 * put there what it makes of an operand that it is given again and again, such as a matrix in the order in which its
 * loops read it. *fresh: it has yet to be written. *to is NULL where it would not be used again. False (and failed)
 * when memory is short. */
GT_API bool gt_prepared(const gt_call *call, int k, size_t bytes, void **to, bool *fresh);
/* How the calling thread treats denormal numbers, and rounds: a kernel's own threads take over its caller's
 * mode while they compute for it, or results would depend on their number. */
GT_API unsigned gt_float_mode(void);
GT_API void gt_set_float_mode(unsigned mode);

/* What a pull rule is given: inputs, results and upstream gradients as tensors. It records, with public
 * operations, one contribution per wanted input into gx; an input left absent gets none. Upstreams of
 * results that nothing used are absent (gt_is_none). A contribution may have the broadcast shape of the
 * input: the sweep sums it. */
typedef struct gt_pull_constant gt_pull_constant;
typedef struct gt_pull {
    gt_tape *tape;
    const void *attr;
    const gt_arg *arg;
    int n_arg, n_in, n_out;
    const gt_tensor *in;
    const gt_tensor *out;
    const gt_tensor *up;
    const bool *wanted;
    gt_tensor *gx;
    gt_pull_constant *constant; /* GT_PULL_CONSTANTS of them, for all rules of the sweep */
} gt_pull;
/* A scalar that a rule has recorded, for others to use again. */
struct gt_pull_constant {
    gt_tensor node; /* absent: the place is free */
    gt_dtype dtype;
    double number;
};
enum { GT_PULL_CONSTANTS = 8 };

/* What an operation's author may say of its gradient: one of these. */
typedef struct gt_gradient {
    bool (*pull)(gt_pull *pull);                    /* structural: upstream in, contributions out */
    gt_tensor (*local)(const gt_pull *pull, int k); /* element-wise: dy/dx_k; absent for zero */
    bool (*backward)(
        gt_call *call); /* by hand in C: inputs are in..., out..., upstream...; results gx... */
    const char *none;   /* no gradient, for this reason */
} gt_gradient;
#define GT_PULL(rule)                                                                              \
    { .pull = (rule) }
#define GT_LOCAL(rule)                                                                             \
    { .local = (rule) }
#define GT_BACKWARD(kernel)                                                                        \
    { .backward = (kernel) }
#define GT_NO_GRADIENT(reason)                                                                     \
    { .none = (reason) }

enum {
    GT_ELEMENTWISE =
        1 << 0,           /* element i of the result depends on element i of the broadcast inputs */
    GT_REDUCE = 1 << 1,   /* folds axes */
    GT_VIEW = 1 << 2,     /* shares its first input's memory: gives `view` instead of a kernel */
    GT_RANDOM = 1 << 3,   /* takes the next ordinal as its last arg when recorded */
    GT_EFFECT = 1 << 4,   /* writes input 1 into the leaf input 0 at commit */
    GT_AUTOCAST = 1 << 5, /* takes bf16 operands for f32: see gt_cast_operands */
    GT_STRIDED = 1 << 6,  /* the kernel reads inputs of any stride; others get contiguous ones */
    GT_SUMS = 1 << 7,     /* the sum of its same-shaped inputs, in order, from +0 */
    GT_PLAIN = 1 << 8,    /* scalars of f32, or of f64, always fit and give a scalar of that kind */
    GT_MERGES = 1 << 9,   /* `accumulate` takes several operations at once */
    GT_CASTS = 1 << 10    /* the result is the input in another kind, see gt_op_more.rounds */
};
enum { GT_MOST_MERGED = 64 };

enum { GT_MOST_SUMMANDS = 4 }; /* that a sum's tile takes at once */

/* One tile of an element-wise operation: contiguous, n elements each. */
typedef void (*gt_tile)(void *y, const void *const *x, const gt_arg *arg, int64_t n);

/* How a reduction folds, for a planner that has its elements at hand while they are made. The elements
 * that meet in one result are numbered in row-major order; parts of 512, and a shorter last one, are folded
 * by `part` (several rows of n elements at once, each to one), and neighbours in pairs by `merge` (0 with 1, 2 with 3, then those pairs), until one is left. */
typedef struct gt_fold {
    unsigned axes;     /* bit d: axis d is folded */
    const void *loops; /* the operation's own */
    void (*part)(const struct gt_fold *fold, void *y, const void *x, int64_t rows, int64_t n);
    void (*merge)(const struct gt_fold *fold, void *y, const void *x, int64_t n); /* n folds */
    /* n folds side by side, whose elements come as lines of n neighbours, 256 lines a part: `take` adds lines, from
     * number `first` of the part on, to GT_FOLD_LANES lanes for each fold; `close` makes these n results. Both may be NULL. */
    void (*take)(const struct gt_fold *fold, void *lanes, const void *x, int64_t first,
                 int64_t lines, int64_t n);
    void (*close)(const struct gt_fold *fold, void *y, void *lanes, int64_t n);
} gt_fold;
enum { GT_FOLD_PART = 512, GT_FOLD_LINES = 256, GT_FOLD_LANES = 16 };

/* A result that is made some rows of its last axis at a time, from..to, with the kernel's bits, so that what follows finds
 * them in the cache. Several threads may do so at once, each with its own scratch. */
typedef struct gt_rows {
    void (*make)(const struct gt_rows *rows, int64_t from, int64_t to, void *scratch);
    const void *work; /* the operation's own, of gt_scratch */
    size_t scratch;   /* bytes, for GT_MOST_ROWS rows, or those together; it is 64-aligned */
    bool large;       /* worth several threads */
    /* Not 0: so many are made at once, as the rows of an image are, or those that are left at the end; from is a multiple. */
    int64_t together;
} gt_rows;
enum { GT_MOST_ROWS = 256 };

/* Large graphs of scalars: one number and one code for each node of a tape. Operands are named by their place. */
typedef union gt_number {
    double f64;
    float f32;
    unsigned char truth; /* of a GT_BOOL: 0 or 1 */
} gt_number;
typedef struct gt_code {
    uint16_t what, flags;
    uint32_t a, b; /* of one operand: both */
    uint32_t arg;  /* place of the first of its run-time numbers, or the third operand */
} gt_code;
/* Codes go in pairs: that for f32, then that for f64. An operation on bools alone has the first. */
enum {
    GT_CODE_NUMBER = 4, /* a run-time number */
    GT_CODE_SUM = 6,    /* of a and b, from +0 */
    GT_CODE_SUM_3 = 8,  /* of a, b and arg, from +0 */
    GT_CODE_SUMS = 10,  /* of those that side[a] to side[a + b - 1] name, from +0 */
    GT_CODE_OWN = 12    /* from here on: the machine's */
};
enum {
    GT_CODE_REACHED = 1, /* on the way back: something arrives here */
    GT_CODE_FORKED = 2   /* from more than one place */
};
typedef struct gt_numbers {
    gt_number *value, *adjoint;
    const gt_code *code;
    const gt_arg *arg;
    const uint32_t *side;
} gt_numbers;
/* run computes the values from `from` up to `to`; back passes the adjoints of those that are reached on to their
 * operands, from the one below `from` down to `to`: each upstream times the local gradient, with the bits that the
 * recorded rule gives. A code of another machine ends it: its place is returned, else `to`. */
typedef struct gt_machine {
    uint32_t (*run)(const gt_numbers *numbers, uint32_t from, uint32_t to);
    uint32_t (*back)(const gt_numbers *numbers, uint32_t from, uint32_t to);
} gt_machine;
/* An operation on numbers, up to three, of which gt_op_more.integer says where one is a bool. Sums have the code
 * GT_CODE_SUM, for any number of operands. */
typedef struct gt_scalar_rule {
    const gt_machine *const *machine; /* two: for f32 and for f64 */
    uint16_t code;                    /* for f32 */
    uint16_t gives;  /* bit k: operand k gets a contribution; not where its rule says zero */
    uint16_t passes; /* bit k: that is the upstream itself */
} gt_scalar_rule;

/* Images [n, channels, ...] can also stand in memory with their channels innermost ("channels last"): all channels of a
 * pixel, then those of the next. A planner lets values of a run stand so between operations that need not turn them then.
 * Bit k: operand k may come so, result k may be wanted so, each by itself. */
typedef struct gt_order {
    unsigned in, out;
} gt_order;
/* Does the array stand channels last? False where that is no other order than the usual one. */
GT_API bool gt_is_channels_last(const gt_array *a);

typedef struct gt_samples gt_samples;
struct gt_emitter;

/* What only some operations have. All optional; the planner decides by these and nothing else. */
typedef struct gt_op_more {
    unsigned traits;
    unsigned linear;   /* bit k: the result is linear in input k */
    unsigned integer;  /* bit k: input k holds integers or bools (indices, conditions) */
    unsigned prepares; /* bit k: the kernel asks for gt_prepared memory for input k */
    /* GT_ELEMENTWISE: the tile for these kinds, NULL when not defined; chosen by the last input.
     * GT_SUMS: y = 0 + x[0] + x[1] + ..., of at most GT_MOST_SUMMANDS, behind which NULL stands; y may be x[0]. */
    gt_tile (*tile)(gt_dtype in, gt_dtype out);
    /* GT_ELEMENTWISE: the same by scalar functions of <math.h>, whose bits C code written by hand has too; for
     * scalars, and for gt_exact. NULL: tile is that already. */
    gt_tile (*exact)(gt_dtype in, gt_dtype out);
    /* GT_ELEMENTWISE, of one input x: the result is of_part(x, part(x)), bit for bit. Where the gradient makes use of
     * part(x), too, that is then computed once. Neither changes what `tile` computes. */
    const gt_op *part;
    gt_tile (*of_part)(gt_dtype in, gt_dtype out);
    /* How large graphs of scalars, f32 or f64, compute it and carry gradients through it; all operations of one
     * tape need the same machines. No machine: node by node. */
    gt_scalar_rule scalar;
    /* GT_VIEW: shape, strides and offset (elements) of the result over the input's memory. False when
     * strides do not allow it: then it runs on a copy. On a contiguous input it must succeed. */
    bool (*view)(const gt_call *call, gt_array *out, int64_t *offset);
    /* GT_REDUCE: how its input (a shape, no data) is folded, with the kernel's bits. False: otherwise. */
    bool (*fold)(const gt_call *call, gt_fold *fold);
    /* As the kernel, but adds to the results, which hold values already. GT_MERGES: of up to GT_MOST_MERGED
     * operations that have the attributes in common, whose inputs follow one another; it is used where a sum has
     * several of them. */
    bool (*accumulate)(gt_call *call);
    /* Prepares to make the (only) result by rows. `make` stays NULL where the kernel had better make it as a whole.
     * False (and failed) when memory is short. */
    bool (*begin_rows)(gt_call *call, gt_rows *rows);
    /* The same for all rows at once: `make` is called for all of them, by one thread, may use as many as there are, has
     * `scratch` bytes of scratch, and cannot fail. What only overwrites a parameter is made so right before. */
    bool (*begin_whole)(gt_call *call, gt_rows *rows);
    /* Which operands and results may stand channels last, of four operands at most. Called when a run is planned, too: it
     * may depend on shapes, kinds, attributes and `exact` alone, and cannot fail. The kernel, begin_rows and accumulate
     * then find out by gt_is_channels_last; rows are made of whole images (gt_rows.together). NULL: none. */
    gt_order (*order)(const gt_call *call);
    /* Does the kernel take its last operand, of bf16, as well in floats, to be rounded as it reads them? Then an operation
     * that GT_CASTS is left out where only such kernels read its result. Called when a run is planned, too: it may depend
     * on shapes and kinds alone, and cannot fail; the kernel, begin_rows, begin_whole and accumulate then find that
     * operand to be of f32 where the one before it is of bf16. */
    bool (*rounds)(const gt_call *call);
    /* Writes the operation as C, see "Emission": statements, or the expression of one element where it is
     * GT_ELEMENTWISE (NULL: forward_text is that). NULL: it cannot be emitted. Views need none. */
    bool (*emit)(struct gt_emitter *e, const gt_call *call);
    /* Which branch a kinked element-wise function takes, for checks at kinks; NULL: smooth. */
    int (*branch)(const double *x, const gt_arg *arg);
    /* Numeric rules of element-wise operations, in long double: value and local gradient. */
    long double (*value)(const long double *x, const gt_arg *arg);
    const char *meaning;          /* "tanh x" */
    const char *forward_text;     /* the row's C expression */
    const char *gradient_text[3]; /* the row's local gradients */
    const char *domain;           /* a sentence, "" when all numbers */
    double low, high;             /* test range of the inputs */
} gt_op_more;

/* An operation. Build it with GT_OP, which will not compile with a part missing. */
struct gt_op {
    const char *name;
    /* Checks inputs, sets dtype and shape of each result. May depend on kinds and shapes of the inputs, on attribute and
     * numbers alone: it is not asked again where a loop records the same again. An operation must stay as it is as long
     * as there are tapes that recorded it. */
    bool (*shape)(gt_call *call);
    /* Computes; outputs are uninitialized, and contiguous, but for what gt_op_more.order allows. */
    bool (*kernel)(gt_call *call);
    gt_gradient gradient;
    gt_tensor (*samples)(gt_samples *samples, int i); /* see "Samples" */
    gt_op_more more;
};

/* const gt_op my_op = GT_OP("my_op", shape, kernel, GT_PULL(pull), samples, .traits = GT_STRIDED);
 * The last part takes designated members of gt_op_more; write .traits = 0 when there is none. */
#define GT_OP(name, shape, kernel, gradient, samples, ...)                                         \
    {                                                                                              \
        name, shape, kernel, gradient, samples, { __VA_ARGS__ }                                    \
    }

/* Records an operation: shape rule, one node per result. attr is copied, attr_size bytes (plan key);
 * arg holds n_arg run-time numbers. Returns the first result; gt_out gives the others. */
GT_API gt_tensor gt_record(gt_tape *tape, const gt_op *op, const gt_tensor *in, int n_in,
                           const void *attr, size_t attr_size, const gt_arg *arg, int n_arg);
/* The same without attributes: quickest where the operands are scalars. */
GT_API gt_tensor gt_record_unary(const gt_op *op, gt_tensor x, const gt_arg *arg, int n_arg);
GT_API gt_tensor gt_record_binary(const gt_op *op, gt_tensor a, gt_tensor b);
GT_API gt_tensor gt_record_list(const gt_op *op, gt_list in);
/* The same for a user's own operation without attributes. */
GT_RECORDS gt_tensor gt_apply(const gt_op *op, gt_list in);
/* Result k of the operation that made t. */
GT_API gt_tensor gt_out(gt_tensor t, int k);
/* Fails the tape with a message and returns poison: for functions that check before they record. */
GT_API gt_tensor gt_fail(gt_tape *tape, const char *format, ...) GT_PRINTF(2, 3);

/* ---- Samples: how an operation is tested. samples(s, i) draws inputs with gt_sample and returns the
 * i-th result; past the last it returns gt_samples_end(s). A sample that must fail says so first. */
GT_API GT_RARELY gt_tensor gt_sample(gt_samples *s,
                                     gt_shape shape); /* floats in the op's test range */
GT_API GT_RARELY gt_tensor gt_sample_range(gt_samples *s, gt_shape shape, double low, double high);
GT_API GT_RARELY gt_tensor gt_sample_distinct(gt_samples *s,
                                              gt_shape shape); /* floats, no two closer than 0.1 */
GT_API GT_RARELY gt_tensor gt_sample_int(gt_samples *s, gt_shape shape, gt_dtype dtype,
                                         int64_t below);
GT_API GT_RARELY gt_tensor gt_sample_values(gt_samples *s, gt_shape shape, gt_dtype dtype,
                                            const double *values);
GT_API GT_RARELY void gt_sample_bad(gt_samples *s,
                                    const char *message); /* the error must contain this */
/* The result has no gradient to check (integers, random numbers, constants): only values are. */
GT_API GT_RARELY void gt_sample_no_gradient(gt_samples *s);
GT_API GT_RARELY gt_tensor gt_samples_end(gt_samples *s);
GT_API GT_RARELY gt_dtype gt_sample_dtype(const gt_samples *s); /* f64 or f32, as the test asks */
GT_API GT_RARELY gt_tape *gt_sample_tape(gt_samples *s);
/* Equal shapes give the same leaf, f(x, x); a view gives what `viewer` makes of the leaf: the test sets it,
 * since graph/ names no operation. */
enum {
    GT_SAMPLE_PLAIN,
    GT_SAMPLE_ALIAS,
    GT_SAMPLE_VIEW,
    GT_SAMPLE_POISON, /* every input is the result of a failed operation */
    GT_SAMPLE_NONE,   /* every input is no tensor at all */
    GT_SAMPLE_MOST = 16
};
struct gt_samples {
    gt_tape *tape;
    const gt_op *op; /* NULL: a composition */
    gt_dtype dtype;
    uint64_t seed;
    int mode;
    gt_tensor (*viewer)(gt_tensor leaf);
    int drawn; /* inputs drawn so far */
    bool ended, no_gradient;
    const char *bad;
    gt_tensor leaf[GT_SAMPLE_MOST];  /* what a test perturbs */
    gt_tensor given[GT_SAMPLE_MOST]; /* what the operation got: the leaf or a view of it */
};

/* ---- walking a tape: what the sweep, the stepper and drawings stand on ------------------------- */

GT_API gt_tensor gt_tensor_at(gt_tape *tape, uint32_t index);
GT_API const gt_op *gt_op_of(gt_tensor t);
GT_API bool gt_is_leaf(gt_tensor t);
GT_API bool gt_is_trainable(gt_tensor t);         /* the leaf of a trainable parameter */
GT_API const char *gt_param_name_of(gt_tensor t); /* NULL when t is no parameter or buffer */
GT_API int gt_n_in(gt_tensor t);
GT_API gt_tensor gt_in(gt_tensor t, int k);
GT_API int gt_n_out(gt_tensor t);
GT_API int gt_out_index(gt_tensor t); /* which result of its operation t is */
/* Strides in elements as they were when t was recorded: a view of a view need not run with these. */
GT_API void gt_strides_of(gt_tensor t, int64_t stride[GT_MAX_RANK]);
GT_API const void *gt_attr(gt_tensor t);
GT_API const gt_arg *gt_args(gt_tensor t);
GT_API int gt_n_args(gt_tensor t);
/* Records the operation of t again, over other inputs, with its attributes, numbers and ordinal: on the tape of
 * t, or on another one that shares its parameters. */
GT_API gt_tensor gt_record_copy(gt_tensor t, const gt_tensor *in);
GT_API gt_tensor gt_record_copy_on(gt_tape *tape, gt_tensor t, const gt_tensor *in);
/* Who records: nodes of rules and optimizers are no sinks. */
typedef enum gt_recorder { GT_BY_USER, GT_BY_RULE } gt_recorder;
GT_API gt_recorder gt_record_as(gt_tape *tape, gt_recorder recorder);
/* What is recorded from now on is on behalf of `at`, until gt_none(): it takes the call site of `at`, and what
 * makes `at` stale makes it stale, so that a gradient never mixes old values and new. */
GT_API void gt_record_for(gt_tape *tape, gt_tensor at);
/* Where the root belongs to a large graph of nothing but scalars: the gradients of the trainable parameters that
 * it reaches and whose names match, by one node that carries adjoints down the tape when it runs, instead of
 * nodes for every step. They have the same bits, and cannot be differentiated again. As gt_parameter_gradients
 * in grad/grad.h; false: not such a graph, nothing is done. */
GT_API bool gt_scalar_gradients(gt_tensor root, const char *pattern, gt_tensor *leaf,
                                gt_tensor *gradient, int room, int *count);
/* A constant written by a rule: the only kind that peepholes may look at. */
GT_API gt_tensor gt_mark_constant(gt_tensor t);
GT_API bool gt_is_constant(gt_tensor t);
/* From now on cast makes operands of f32 operands where the user records an operation of trait GT_AUTOCAST with at
 * most three, all of f32 or already cast. NULL: they stay. What rules record is left to them. gt_autocast in
 * ops/ops.h stands on this. */
GT_API void gt_cast_operands(gt_tape *tape, gt_tensor (*cast)(gt_tensor x));
/* x as such an operation would take it, for views of it to be taken as they are: cast where they are shown, they would
 * be read once more. */
GT_API gt_tensor gt_as_operand(gt_tensor x);
/* State that grad/ keeps with a tape: the adjoints of the last backward. */
typedef struct gt_attachment {
    void (*release)(gt_tape *tape, void *state);
    void *state;
} gt_attachment;
GT_API gt_attachment *gt_tape_attachment(gt_tape *tape);
/* gt_checkpoint_begin .. end: a range that the sweep computes again instead of keeping. */
GT_API void gt_checkpoint_begin(gt_tape *tape);
GT_API void gt_checkpoint_end(gt_tape *tape);
/* The range [*begin, *end) that holds index; false when none does. */
GT_API bool gt_checkpoint_range(const gt_tape *tape, uint32_t index, uint32_t *begin,
                                uint32_t *end);

/* ---- emission: the tape as C ----------------------------------------------------------------------- */

typedef struct gt_emitter gt_emitter;

/* Writes one C99 file that computes the outputs and then applies the tape's effects, as a gt_commit after a
 * gt_replay does: for these shapes, in static memory, with <math.h> only. Record a function and its gradient, or
 * a whole training step; then
 *
 *     gt_emit_c(tape, "step", GT_LIST(x, labels), GT_LIST(loss), file);
 *
 * writes
 *
 *     int step_run(const float *in_x, const int *in_labels, float *out_loss);
 *
 * which returns 0, or 1 when an index is out of range; then it has written nothing. inputs are leaves; parameters,
 * buffers and other leaves that effects write become arrays with their names, `step_weight`, that begin with their
 * present values; all else that is known now becomes constants. Names are made of letters, digits and _. The file's
 * head tells how much memory it takes. Its bits are those of gt_exact runs of products without oneDNN: see
 * docs/emission.md. False: see gt_error; an operation that cannot be emitted is named there. The tape's values are
 * forgotten, as gt_replay does. */
GT_API bool gt_emit_c(gt_tape *tape, const char *name, gt_list inputs, gt_list outputs, FILE *out);

/* For gt_op_more.emit. What is returned holds for a few further calls.
 *
 * Writes one line of C, or a piece of the expression of an element-wise operation. A line that ends with { begins
 * a block, one that begins with } ends it. */
GT_API void gt_emit(gt_emitter *e, const char *format, ...) GT_PRINTF(2, 3);
/* The operation's k-th input and result: a pointer to the first element, in strides of the call; of element-wise
 * operations the input's element. */
GT_API const char *gt_emit_in(gt_emitter *e, int k);
GT_API const char *gt_emit_out(gt_emitter *e, int k);
/* Memory for so many elements while the operation runs; one block an operation. */
GT_API const char *gt_emit_scratch(gt_emitter *e, gt_dtype dtype, int64_t count);
/* Loops `i0`, `i1`, ... below sizes, the first with this number, and their ends. */
GT_API void gt_emit_loops(gt_emitter *e, int first, int count, const int64_t *size);
GT_API void gt_emit_end(gt_emitter *e, int count);
/* "i0 * 12 + i1": an element's place in those loops. */
GT_API const char *gt_emit_index(gt_emitter *e, int count, const int64_t *stride);
/* What C calls elements of this kind. */
GT_API const char *gt_emit_type(gt_dtype dtype);
/* Element i of data as a C expression: what a compiler reads gives its bits (but for which NaN it is). */
GT_API const char *gt_emit_literal(gt_emitter *e, gt_dtype dtype, const void *data, int64_t i);
/* The prefix of all names with linkage. */
GT_API const char *gt_emit_name(const gt_emitter *e);
/* Functions that operations share; the same text is written once. */
GT_API void gt_emit_helper(gt_emitter *e, const char *format, ...) GT_PRINTF(2, 3);

/* ---- random numbers ------------------------------------------------------------------------------ */

/* Philox4x32-10: 4 random words from (key, counter). Salmon, Moraes, Dror, Shaw, SC 2011. */
GT_API void gt_philox(uint64_t key, uint64_t counter_high, uint64_t counter_low, uint32_t word[4]);
/* Element i of the stream (key, ordinal): uniform in [0, 1), and standard normal (Box-Muller). */
GT_API double gt_uniform(uint64_t key, uint64_t ordinal, uint64_t i);
GT_API double gt_normal(uint64_t key, uint64_t ordinal, uint64_t i);

/* ---- call sites: the macros in *_gen.h pass these, so that errors name the caller's line ------- */

/* What a tape begins with. Written in place: a graph of numbers records millions of operations a second. */
typedef struct gt_site {
    const char *file;
    int64_t line;
} gt_site;

static inline gt_tape *gt_tape_at(gt_tape *tape, const char *file, int line) {
    gt_site *site = (gt_site *)(void *)tape;
    if (!site) return tape;
    site->file = file;
    site->line = line;
    return tape;
}
static inline gt_tensor gt_at(gt_tensor t, const char *file, int line) {
    gt_tape_at(t.tape, file, line);
    return t;
}
static inline gt_list gt_list_at(gt_list list, const char *file, int line) {
    if (list.count > 0 && list.at) gt_tape_at(list.at[0].tape, file, line);
    return list;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#include "graph/graph_gen.h"
#endif
