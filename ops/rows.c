/* ops/rows.c: makes operations of the rows of ops.def: kernels, local gradients, the gt_op of each, and
 * the public functions. Nothing here knows a particular operation. */
#include "ops/ops.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

#include "ops/kernels.h"
#include "ops/rows.h"

/* ---- kernels ------------------------------------------------------------------------------------------- */

static gt_tile exact_kernel(int row, gt_dtype in, gt_dtype out, bool gives_bool) {
    return out == (gives_bool ? GT_BOOL : in) ? gt__kernels_exact[row][in] : NULL;
}
/* Vector functions where the processor has a table with them, for the kinds that these have. */
static gt_tile fast_kernel(int row, gt_dtype in, gt_dtype out, bool gives_bool) {
    const gt_tile exact = exact_kernel(row, in, out, gives_bool);
    const gt_tile fast = exact ? (*gt__kernels_at(0, NULL))[row][in] : NULL;
    return fast ? fast : exact;
}

#define GIVES_BOOL_FLOAT false
#define GIVES_BOOL_NUMBER false
#define GIVES_BOOL_SELECT false
#define GIVES_BOOL_COMPARE true
#define GIVES_BOOL_LOGIC true
#define TILES(name, kinds)                                                                         \
    static gt_tile tile_##name(gt_dtype in, gt_dtype out) {                                        \
        return fast_kernel(GT__ROW_##name, in, out, GIVES_BOOL_##kinds);                           \
    }                                                                                              \
    static gt_tile exact_##name(gt_dtype in, gt_dtype out) {                                       \
        return exact_kernel(GT__ROW_##name, in, out, GIVES_BOOL_##kinds);                          \
    }
#define UNARY(name, params, kinds, ...) TILES(name, kinds)
#define BINARY(name, kinds, ...) TILES(name, kinds)
#define TERNARY(name, kinds, ...) TILES(name, kinds)
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY

/* ---- values and branches as numbers, for checks ------------------------------------------------------------ */

#define K(number) ((T)(number))
#define SMOOTH 0
#define TIMES(row) 0
#define BRANCH(expression) (expression)
#define NONE
#define ONE(number)                                                                                \
    const T p = (T)arg[0].real;                                                                    \
    (void)p;
#define TWO(first, second)                                                                         \
    const T p = (T)arg[0].real;                                                                    \
    const T q = (T)arg[1].real;
#define UNARY(name, params, kinds, meaning, forward, gradient, branch, ...)                        \
    static RESULT NAMED(name)(const T *in, const gt_arg *arg) {                                    \
        const T x = in[0];                                                                         \
        (void)arg;                                                                                 \
        (void)x;                                                                                   \
        params return (RESULT)(WHAT(forward, branch));                                             \
    }
#define BINARY(name, kinds, meaning, forward, da, db, branch, ...)                                 \
    static RESULT NAMED(name)(const T *in, const gt_arg *arg) {                                    \
        const T a = in[0], b = in[1];                                                              \
        (void)arg;                                                                                 \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        return (RESULT)(WHAT(forward, branch));                                                    \
    }
#define TERNARY(name, kinds, meaning, forward, da, db, dc, branch, ...)                            \
    static RESULT NAMED(name)(const T *in, const gt_arg *arg) {                                    \
        const T a = in[0], b = in[1], c = in[2];                                                   \
        (void)arg;                                                                                 \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        return (RESULT)(WHAT(forward, branch));                                                    \
    }

#define T long double
#define RESULT long double
#define NAMED(name) value_##name
#define WHAT(forward, branch) forward
#include "ops/ops.def"
#undef T
#undef RESULT
#undef NAMED
#undef WHAT
#define T double
#define RESULT int
#define NAMED(name) branch_##name
#define WHAT(forward, branch) branch
#include "ops/ops.def"
#undef T
#undef RESULT
#undef NAMED
#undef WHAT
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO
#undef K

/* ---- local gradients ----------------------------------------------------------------------------------------- */

/* A constant of a rule. Peepholes may look at k(c), never at v(p): a plan must not depend on a user's
 * number. */
static gt_tensor value(const gt_pull *pull, double number) {
    return gt_full(pull->tape, GT_SCALAR, number, gt_dtype_of(pull->out[0]));
}
/* Recorded once for a sweep: rules ask for 0 and 1 again and again. */
static gt_tensor constant(const gt_pull *pull, double number) {
    const gt_dtype dtype = gt_dtype_of(pull->out[0]);
    gt_pull_constant *c = pull->constant;
    int i = 0;
    for (; c && i < GT_PULL_CONSTANTS && c[i].node.tape; i++)
        if (c[i].dtype == dtype && memcmp(&c[i].number, &number, sizeof number) == 0)
            return c[i].node;
    const gt_tensor made = gt_mark_constant(value(pull, number));
    if (c && i < GT_PULL_CONSTANTS && gt_valid(made))
        c[i] = (gt_pull_constant){made, dtype, number};
    return made;
}

#define k(number) constant(pull, number)
#define v(number) value(pull, number)
#define ZERO gt_none()
#define NONE
#define ONE(number)                                                                                \
    const double p = pull->arg[0].real;                                                            \
    (void)p;
#define TWO(first, second)                                                                         \
    const double p = pull->arg[0].real;                                                            \
    const double q = pull->arg[1].real;
#define UNARY(name, params, kinds, meaning, forward, gradient, ...)                                \
    static gt_tensor local_##name(const gt_pull *pull, int which) {                                \
        const gt_tensor x = pull->in[0], y = pull->out[0];                                         \
        (void)which;                                                                               \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        params return gradient;                                                                    \
    }
#define BINARY(name, kinds, meaning, forward, da, db, ...)                                         \
    static gt_tensor local_##name(const gt_pull *pull, int which) {                                \
        const gt_tensor a = pull->in[0], b = pull->in[1], y = pull->out[0];                        \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)y;                                                                                   \
        if (which == 0) return da;                                                                 \
        return db;                                                                                 \
    }
#define TERNARY(name, kinds, meaning, forward, da, db, dc, ...)                                    \
    static gt_tensor local_##name(const gt_pull *pull, int which) {                                \
        const gt_tensor a = pull->in[0], b = pull->in[1], c = pull->in[2], y = pull->out[0];       \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)c;                                                                                   \
        (void)y;                                                                                   \
        if (which == 0) return da;                                                                 \
        if (which == 1) return db;                                                                 \
        return dc;                                                                                 \
    }
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO
#undef k
#undef v
#undef ZERO

/* ---- shape rules ------------------------------------------------------------------------------------------------ */

/* Inputs broadcast as in NumPy; all but a leading condition have one kind. Integers take whole numbers. */
static bool elementwise(gt_call *call, bool compare, int n_params) {
    const int first = call->n_in == 3 ? 1 : 0, last = call->n_in - 1;
    const gt_dtype dtype = call->in[last].dtype;
    gt_array *out = &call->out[0];
    for (int k = first; k < last; k++)
        if (call->in[k].dtype != dtype)
            return gt_call_fail(call, "%s is %s, %s is %s: cast one of them", gt_operand(call, k),
                                gt_dtype_name(call->in[k].dtype), gt_operand(call, last),
                                gt_dtype_name(dtype));
    if (first && call->in[0].dtype != GT_BOOL)
        return gt_call_fail(call, "the condition %s is %s, not bool", gt_operand(call, 0),
                            gt_dtype_name(call->in[0].dtype));
    out->dtype = compare ? GT_BOOL : dtype;
    if (!call->op->more.tile(dtype, out->dtype))
        return gt_call_fail(call, "not defined for %s, the kind of %s", gt_dtype_name(dtype),
                            gt_operand(call, last));
    for (int k = 0; k < n_params && !gt_dtype_is_float(dtype); k++)
        if (rint(call->arg[k].real) != call->arg[k].real)
            return gt_call_fail(call, "%g is not whole, and %s is %s", call->arg[k].real,
                                gt_operand(call, last), gt_dtype_name(dtype));
    return gt__broadcast_all(call, &out->shape);
}

#define COMPARES_FLOAT false
#define COMPARES_NUMBER false
#define COMPARES_LOGIC false
#define COMPARES_SELECT false
#define COMPARES_COMPARE true
#define NONE 0
#define ONE(number) 1
#define TWO(first, second) 2
#define UNARY(name, params, kinds, ...)                                                            \
    static bool shape_##name(gt_call *call) { return elementwise(call, COMPARES_##kinds, params); }
#define BINARY(name, kinds, ...)                                                                   \
    static bool shape_##name(gt_call *call) { return elementwise(call, COMPARES_##kinds, 0); }
#define TERNARY(name, kinds, ...)                                                                  \
    static bool shape_##name(gt_call *call) { return elementwise(call, COMPARES_##kinds, 0); }
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

/* ---- samples ------------------------------------------------------------------------------------------------------ */

/* One input of a row, of the kind it takes: conditions and logic are bool. */
static gt_tensor draw(gt_samples *s, gt_shape shape, bool boolean) {
    return boolean ? gt_sample_int(s, shape, GT_BOOL, 2) : gt_sample(s, shape);
}

static gt_tensor apply_row(gt_samples *s, const gt_tensor *x, int n) {
    static const gt_arg arg[2] = {{.real = 0.5}, {.real = 1.25}};
    return gt_record(s->tape, s->op, x, n, NULL, 0, arg, 2);
}

/* Inputs of different kinds, or of a kind that the row does not take. */
static gt_tensor bad_row(gt_samples *s, int n, bool logic) {
    gt_tensor x[3];
    gt_sample_bad(s, n == 1 || logic ? "not defined for" : "cast one of them");
    for (int k = 0; k < n; k++) x[k] = draw(s, GT_SHAPE(2), n == 3 && k == 0);
    if (n == 1) x[0] = gt_sample_int(s, GT_SHAPE(2), logic ? GT_I32 : GT_BOOL, 2);
    if (n > 1 && !logic) x[n - 1] = gt_sample_int(s, GT_SHAPE(2), GT_I32, 2);
    return apply_row(s, x, n);
}

static gt_tensor bad_shapes(gt_samples *s, int n, bool logic) {
    gt_tensor x[3];
    if (n == 1) return bad_row(s, n, logic);
    gt_sample_bad(s, "do not broadcast");
    for (int k = 0; k < n; k++)
        x[k] = draw(s, k == n - 1 ? GT_SHAPE(2, 4) : GT_SHAPE(2, 3), logic || (n == 3 && k == 0));
    return apply_row(s, x, n);
}

/* The shapes that every row is tried on: the i-th for up to three inputs. */
static gt_tensor sample_row(gt_samples *s, int i, int n, bool logic, bool gradient) {
    const gt_shape shapes[][3] = {
        {GT_SCALAR, GT_SCALAR, GT_SCALAR},
        {GT_SHAPE(5), GT_SHAPE(5), GT_SHAPE(5)},
        {GT_SHAPE(3, 4), GT_SHAPE(3, 4), GT_SHAPE(3, 4)},
        {GT_SHAPE(2, 3, 1, 2), GT_SHAPE(2, 3, 1, 2), GT_SHAPE(2, 3, 1, 2)},
        {GT_SHAPE(3, 1), GT_SHAPE(1, 4), GT_SHAPE(3, 4)},
        {GT_SCALAR, GT_SHAPE(2, 3), GT_SHAPE(3)},
        {GT_SHAPE(2, 3), GT_SCALAR, GT_SCALAR},
        {GT_SHAPE(0, 3), GT_SHAPE(0, 3), GT_SHAPE(1, 3)},
        {GT_SHAPE(2, 1, 3), GT_SHAPE(4, 1), GT_SHAPE(3)},
    };
    const int good = (int)(sizeof shapes / sizeof *shapes);
    if (i == good) return bad_row(s, n, logic);
    if (i == good + 1) return bad_shapes(s, n, logic);
    if (i > good + 1) return gt_samples_end(s);
    gt_tensor x[3];
    if (!gradient) gt_sample_no_gradient(s);
    for (int k = 0; k < n; k++) x[k] = draw(s, shapes[i][k], logic || (n == 3 && k == 0));
    return apply_row(s, x, n);
}

#define LOGICAL_FLOAT false
#define LOGICAL_NUMBER false
#define LOGICAL_SELECT false
#define LOGICAL_COMPARE false
#define LOGICAL_LOGIC true
#define DERIVES_FLOAT true
#define DERIVES_NUMBER true
#define DERIVES_SELECT true
#define DERIVES_COMPARE false
#define DERIVES_LOGIC false
#define SAMPLES(name, kinds, n)                                                                    \
    static gt_tensor samples_##name(gt_samples *s, int i) {                                        \
        return sample_row(s, i, n, LOGICAL_##kinds, DERIVES_##kinds);                              \
    }
#define UNARY(name, params, kinds, ...) SAMPLES(name, kinds, 1)
#define BINARY(name, kinds, ...) SAMPLES(name, kinds, 2)
#define TERNARY(name, kinds, ...) SAMPLES(name, kinds, 3)
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY

/* ---- the operations, and the functions that record them ------------------------------------------------------------- */

#define INTEGERS_FLOAT 0
#define INTEGERS_NUMBER 0
#define INTEGERS_COMPARE 0
#define INTEGERS_LOGIC 7
#define INTEGERS_SELECT 1
#define TRAITS_FLOAT (GT_ELEMENTWISE | GT_PLAIN)
#define TRAITS_NUMBER (GT_ELEMENTWISE | GT_PLAIN)
#define TRAITS_COMPARE GT_ELEMENTWISE
#define TRAITS_LOGIC GT_ELEMENTWISE
#define TRAITS_SELECT GT_ELEMENTWISE
#define KINKED_SMOOTH false
#define KINKED_TIMES(row) false
#define KINKED_BRANCH(expression) true
#define PART_SMOOTH .part = NULL
#define PART_TIMES(row) .part = &op_##row, .of_part = tile_gt_mul
#define PART_BRANCH(expression) .part = NULL
/* Whether an operand gets a contribution, which it does unless its rule is ZERO; and just the upstream: k(1). The
 * spaces are there for shorter rules. */
#define GIVES(rule) ((#rule)[0] != 'Z')
#define PASSES(rule) ((#rule "   ")[0] == 'k' && (#rule "   ")[2] == '1' && (#rule "   ")[3] == ')')
#define ROW(function, kinds, text, computed, gives, passes, d0, d1, d2, kinked, where, from, to,   \
            ...)                                                                                   \
    static const gt_op op_##function =                                                             \
        GT_OP(&(#function)[3], shape_##function, NULL, GT_LOCAL(local_##function),                 \
              samples_##function, .traits = TRAITS_##kinds, .integer = INTEGERS_##kinds,           \
              .tile = tile_##function, .exact = exact_##function,                                  \
              .scalar = GT__SCALAR_RULE(GT_CODE_OWN + 2 * GT__ROW_##function, gives, passes),      \
              .value = value_##function, .branch = (kinked) ? branch_##function : NULL,            \
              .meaning = text, .forward_text = computed, .gradient_text = {d0, d1, d2},            \
              .domain = where, .low = from, .high = to, __VA_ARGS__);
#define NONE ()
#define ONE(number) (, double number)
#define TWO(first, second) (, double first, double second)
#define UNARY(name, params, kinds, text, forward, gradient, branch, where, from, to)               \
    ROW(name, kinds, text, #forward, GIVES(gradient), PASSES(gradient), #gradient, NULL, NULL,     \
        KINKED_##branch, where, from, to, PART_##branch)
#define BINARY(name, kinds, text, forward, da, db, branch, where, from, to)                        \
    ROW(name, kinds, text, #forward, GIVES(da) | GIVES(db) << 1, PASSES(da) | PASSES(db) << 1,     \
        #da, #db, NULL, KINKED_##branch, where, from, to, PART_##branch)
#define TERNARY(name, kinds, text, forward, da, db, dc, branch, where, from, to)                   \
    ROW(name, kinds, text, #forward, GIVES(da) | GIVES(db) << 1 | GIVES(dc) << 2, 0, #da, #db,     \
        #dc, KINKED_##branch, where, from, to, PART_##branch)
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

#define SIGNATURE_NONE(name)                                                                       \
    gt_tensor name(gt_tensor x) { return gt_record_unary(&op_##name, x, NULL, 0); }
#define SIGNATURE_ONE(name)                                                                        \
    gt_tensor name(gt_tensor x, double p) {                                                        \
        return gt_record_unary(&op_##name, x, &(const gt_arg){.real = p}, 1);                      \
    }
#define SIGNATURE_TWO(name)                                                                        \
    gt_tensor name(gt_tensor x, double p, double q) {                                              \
        return gt_record_unary(&op_##name, x, (const gt_arg[]){{.real = p}, {.real = q}}, 2);      \
    }
#define NONE SIGNATURE_NONE
#define ONE(number) SIGNATURE_ONE
#define TWO(first, second) SIGNATURE_TWO
#define UNARY(name, params, ...) params(name)
#define BINARY(name, ...)                                                                          \
    gt_tensor name(gt_tensor a, gt_tensor b) { return gt_record_binary(&op_##name, a, b); }
#define TERNARY(name, ...)                                                                         \
    gt_tensor name(gt_tensor a, gt_tensor b, gt_tensor c) {                                        \
        const gt_tensor in[] = {a, b, c};                                                          \
        return gt_record(NULL, &op_##name, in, 3, NULL, 0, NULL, 0);                               \
    }
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

#define UNARY(name, ...) &op_##name,
#define BINARY(name, ...) &op_##name,
#define TERNARY(name, ...) &op_##name,
static const gt_op *const rows[] = {
#include "ops/ops.def"
};

const gt_op *gt__row(int i) {
    return i >= 0 && i < (int)(sizeof rows / sizeof *rows) ? rows[i] : NULL;
}
