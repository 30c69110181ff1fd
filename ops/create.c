/* ops/create.c: operations without tensor operands, casts and copies. */
#include <math.h>
#include <string.h>

#include "ops/bf16.h"
#include "ops/kernels.h"
#include "ops/ops.h"
#include "ops/rows.h"

/* What the makers share: the result's shape and kind are their attributes. */
typedef struct made {
    gt_shape shape;
    gt_dtype dtype;
} made;

static bool made_shape(gt_call *call) {
    const made *m = call->attr;
    call->out[0].shape = m->shape;
    call->out[0].dtype = m->dtype;
    if ((unsigned)m->dtype >= GT_N_DTYPES)
        return gt_call_fail(call, "%d is no dtype", (int)m->dtype);
    return true;
}

static bool made_float_shape(gt_call *call) {
    const gt_dtype dtype = ((const made *)call->attr)->dtype;
    if (dtype != GT_F32 && dtype != GT_F64)
        return gt_call_fail(call, "of kind %s: only f32 and f64", gt_dtype_name(dtype));
    return made_shape(call);
}

static gt_tensor make(gt_tape *tape, const gt_op *op, gt_shape shape, gt_dtype dtype,
                      const gt_arg *arg, int n_arg) {
    made m;
    memset(&m, 0, sizeof m); /* padding is part of the plan's key */
    m.shape.rank = shape.rank;
    for (int i = 0; i < shape.rank && i < GT_MAX_RANK; i++) m.shape.dim[i] = shape.dim[i];
    m.dtype = dtype;
    if (!tape) return gt_none();
    return gt_record(tape, op, NULL, 0, &m, sizeof m, arg, n_arg);
}

/* Towards zero, saturating; NaN gives 0. */
static int64_t integer_of(double v, double low, double high, int64_t least, int64_t most) {
    if (v != v) return 0;
    return v <= low ? least : v >= high ? most : (int64_t)v;
}
static int64_t i64_of(double v) { return integer_of(v, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX); }
static int32_t i32_of(double v) {
    return (int32_t)integer_of(v, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX);
}

void gt__put(void *to, gt_dtype dtype, int64_t i, double v) {
    switch (dtype) {
    case GT_F32: ((float *)to)[i] = (float)v; break;
    case GT_F64: ((double *)to)[i] = v; break;
    case GT_I32: ((int32_t *)to)[i] = i32_of(v); break;
    case GT_I64: ((int64_t *)to)[i] = i64_of(v); break;
    case GT_BOOL: ((unsigned char *)to)[i] = v != 0; break;
    default: ((uint16_t *)to)[i] = gt__bf16_of((float)v); break;
    }
}

static const char constant_reason[] = "a constant has no inputs";

/* ---- full --------------------------------------------------------------------------------------------------- */

static bool full_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int64_t n = gt_numel(out->shape);
    for (int64_t i = 0; i < n; i++) gt__put(out->data, out->dtype, i, call->arg[0].real);
    return true;
}

static void full_f32(void *y, const void *const *x, const gt_arg *arg, int64_t n) {
    (void)x;
    for (int64_t i = 0; i < n; i++) ((float *)y)[i] = (float)arg[0].real;
}
static void full_f64(void *y, const void *const *x, const gt_arg *arg, int64_t n) {
    (void)x;
    for (int64_t i = 0; i < n; i++) ((double *)y)[i] = arg[0].real;
}
static gt_tile full_tile(gt_dtype in, gt_dtype out) {
    return in != out ? NULL : out == GT_F32 ? full_f32 : out == GT_F64 ? full_f64 : NULL;
}

static gt_tensor full_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_full(s->tape, GT_SHAPE(2, 3), 1.5, s->dtype);
    case 1: return gt_full(s->tape, GT_SCALAR, -2, GT_I64);
    case 2: return gt_full(s->tape, GT_SHAPE(0, 3), 1, GT_BOOL);
    case 3: return gt_sample_bad(s, "is negative"), gt_zeros(s->tape, GT_SHAPE(2, -3), s->dtype);
    case 4:
        gt_sample_bad(s, "too many elements");
        return gt_ones(s->tape, GT_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), s->dtype);
    case 5: return gt_sample_bad(s, "no dtype"), gt_full(s->tape, GT_SCALAR, 1, (gt_dtype)77);
    case 6:
        gt_sample_bad(s, "largest rank");
        return gt_full(s->tape, (gt_shape){9, {1, 1, 1, 1, 1, 1, 1, 1}}, 1, s->dtype);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_full =
    GT_OP("full", made_shape, full_kernel, GT_NO_GRADIENT(constant_reason), full_samples,
          .traits = GT_PLAIN, .exact = full_tile, .scalar = GT__SCALAR_RULE(GT_CODE_NUMBER, 0, 0),
          .meaning = "every element is one number");

gt_tensor gt_full(gt_tape *tape, gt_shape shape, double value, gt_dtype dtype) {
    return make(tape, &gt__op_full, shape, dtype, &(gt_arg){.real = value}, 1);
}
gt_tensor gt_zeros(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return gt_full(tape, shape, 0, dtype);
}
gt_tensor gt_ones(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return gt_full(tape, shape, 1, dtype);
}
gt_tensor gt_scalar(gt_tape *tape, double value, gt_dtype dtype) {
    return gt_full(tape, GT_SCALAR, value, dtype);
}

/* ---- arange, linspace, eye -------------------------------------------------------------------------------------- */

static bool arange_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int64_t n = gt_numel(out->shape);
    for (int64_t i = 0; i < n; i++)
        gt__put(out->data, out->dtype, i, call->arg[0].real + (double)i * call->arg[1].real);
    return true;
}

static gt_tensor arange_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_arange(s->tape, 0, 1, 5, GT_I64);
    case 1: return gt_arange(s->tape, 2, -0.5, 4, s->dtype);
    case 2: return gt_arange(s->tape, 0, 1, 0, s->dtype);
    case 3: return gt_sample_bad(s, "is negative"), gt_arange(s->tape, 0, 1, -1, s->dtype);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_arange =
    GT_OP("arange", made_shape, arange_kernel, GT_NO_GRADIENT(constant_reason), arange_samples,
          .meaning = "start + i step");

gt_tensor gt_arange(gt_tape *tape, double start, double step, int64_t count, gt_dtype dtype) {
    const gt_arg arg[2] = {{.real = start}, {.real = step}};
    return make(tape, &gt__op_arange, GT_SHAPE(count), dtype, arg, 2);
}

static bool linspace_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int64_t n = gt_numel(out->shape);
    const double first = call->arg[0].real, last = call->arg[1].real;
    for (int64_t i = 0; i < n; i++) {
        const double t = n > 1 ? (double)i / (double)(n - 1) : 0;
        gt__put(out->data, out->dtype, i, i == n - 1 && n > 1 ? last : first + t * (last - first));
    }
    return true;
}

static gt_tensor linspace_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_linspace(s->tape, -1, 1, 5, s->dtype);
    case 1: return gt_linspace(s->tape, 3, 4, 1, s->dtype);
    case 2: return gt_sample_bad(s, "only f32 and f64"), gt_linspace(s->tape, 0, 1, 3, GT_I32);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_linspace =
    GT_OP("linspace", made_float_shape, linspace_kernel, GT_NO_GRADIENT(constant_reason),
          linspace_samples, .meaning = "evenly spaced numbers, both ends included");

gt_tensor gt_linspace(gt_tape *tape, double first, double last, int64_t count, gt_dtype dtype) {
    const gt_arg arg[2] = {{.real = first}, {.real = last}};
    return make(tape, &gt__op_linspace, GT_SHAPE(count), dtype, arg, 2);
}

static bool eye_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int64_t n = out->shape.dim[0];
    for (int64_t i = 0; i < n * n; i++) gt__put(out->data, out->dtype, i, i % (n + 1) == 0);
    return true;
}

static gt_tensor eye_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_eye(s->tape, 3, s->dtype);
    case 1: return gt_eye(s->tape, 0, GT_I32);
    case 2: return gt_sample_bad(s, "is negative"), gt_eye(s->tape, -2, s->dtype);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_eye = GT_OP("eye", made_shape, eye_kernel, GT_NO_GRADIENT(constant_reason),
                               eye_samples, .meaning = "the identity matrix");

gt_tensor gt_eye(gt_tape *tape, int64_t n, gt_dtype dtype) {
    return make(tape, &gt__op_eye, GT_SHAPE(n, n), dtype, NULL, 0);
}

/* ---- random numbers: the ordinal is the last number, see GT_RANDOM ------------------------------------------------- */

static bool draw_all(gt_call *call, double (*draw)(uint64_t key, uint64_t ordinal, uint64_t i)) {
    const gt_array *out = &call->out[0];
    const int64_t n = gt_numel(out->shape);
    const uint64_t ordinal = (uint64_t)call->arg[0].integer;
    for (int64_t i = 0; i < n; i++)
        gt__put(out->data, out->dtype, i, draw(call->seed, ordinal, (uint64_t)i));
    return true;
}

/* Rounding to f32 must not make a 1 of a number below it. */
static double uniform_below_one(uint64_t key, uint64_t ordinal, uint64_t i) {
    return floor(gt_uniform(key, ordinal, i) * 0x1p24) * 0x1p-24;
}

static bool rand_kernel(gt_call *call) {
    return draw_all(call, call->out[0].dtype == GT_F32 ? uniform_below_one : gt_uniform);
}
static bool randn_kernel(gt_call *call) { return draw_all(call, gt_normal); }

static gt_tensor rand_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_rand(s->tape, GT_SHAPE(3, 4), s->dtype);
    case 1: return gt_rand(s->tape, GT_SHAPE(0), s->dtype);
    case 2: return gt_sample_bad(s, "only f32 and f64"), gt_rand(s->tape, GT_SCALAR, GT_I32);
    default: return gt_samples_end(s);
    }
}

static gt_tensor randn_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_randn(s->tape, GT_SHAPE(3, 4), s->dtype);
    case 1: return gt_sample_bad(s, "only f32 and f64"), gt_randn(s->tape, GT_SCALAR, GT_BOOL);
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_rand =
    GT_OP("rand", made_float_shape, rand_kernel, GT_NO_GRADIENT(constant_reason), rand_samples,
          .traits = GT_RANDOM, .meaning = "uniform in [0, 1)");
const gt_op gt__op_randn =
    GT_OP("randn", made_float_shape, randn_kernel, GT_NO_GRADIENT(constant_reason), randn_samples,
          .traits = GT_RANDOM, .meaning = "standard normal");

gt_tensor gt_rand(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return make(tape, &gt__op_rand, shape, dtype, NULL, 0);
}
gt_tensor gt_randn(gt_tape *tape, gt_shape shape, gt_dtype dtype) {
    return make(tape, &gt__op_randn, shape, dtype, NULL, 0);
}

/* ---- cast --------------------------------------------------------------------------------------------------------------- */

static double get_f32(const void *x, int64_t i) { return (double)((const float *)x)[i]; }
static double get_f64(const void *x, int64_t i) { return ((const double *)x)[i]; }
static double get_i32(const void *x, int64_t i) { return ((const int32_t *)x)[i]; }
static double get_flag(const void *x, int64_t i) { return ((const unsigned char *)x)[i]; }
static double get_bf16(const void *x, int64_t i) {
    return (double)gt__bf16_value(((const uint16_t *)x)[i]);
}

/* One loop for each pair of kinds; i64 goes apart, since a double does not hold all of it, and so do f32 and bf16,
 * which are to be fast. */
#define CAST(from, to, kind)                                                                       \
    static void cast_##from##_##to(void *y, const void *const *x, const gt_arg *arg, int64_t n) {  \
        (void)arg;                                                                                 \
        for (int64_t i = 0; i < n; i++) gt__put(y, kind, i, get_##from(x[0], i));                  \
    }
#define CASTS(from)                                                                                \
    CAST(from, f64, GT_F64)                                                                        \
    CAST(from, i32, GT_I32)                                                                        \
    CAST(from, i64, GT_I64)                                                                        \
    CAST(from, flag, GT_BOOL)
#define FLOAT_CASTS(from)                                                                          \
    CASTS(from)                                                                                    \
    CAST(from, f32, GT_F32)                                                                        \
    CAST(from, bf16, GT_BF16)
CASTS(f32)
CAST(f32, f32, GT_F32)
FLOAT_CASTS(f64)
FLOAT_CASTS(i32)
FLOAT_CASTS(flag)
CASTS(bf16)
CAST(bf16, bf16, GT_BF16)
static void cast_f32_bf16(void *y, const void *const *x, const gt_arg *arg, int64_t n) {
    (void)arg;
    gt__to_bf16(y, x[0], n);
}
static void cast_bf16_f32(void *y, const void *const *x, const gt_arg *arg, int64_t n) {
    (void)arg;
    gt__from_bf16(y, x[0], n);
}
#define CAST_I64(to, type, value)                                                                  \
    static void cast_i64_##to(void *y, const void *const *x, const gt_arg *arg, int64_t n) {       \
        const int64_t *in = x[0];                                                                  \
        type *out = y;                                                                             \
        (void)arg;                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const int64_t v = in[i];                                                               \
            out[i] = (value);                                                                      \
        }                                                                                          \
    }
CAST_I64(f32, float, (float)v)
CAST_I64(f64, double, (double)v)
CAST_I64(i32, int32_t, v<INT32_MIN ? INT32_MIN : v> INT32_MAX ? INT32_MAX : (int32_t)v)
CAST_I64(i64, int64_t, v)
CAST_I64(flag, unsigned char, v != 0)
CAST_I64(bf16, uint16_t, gt__bf16_of((float)v))

#define CASTS_FROM(from)                                                                           \
    {                                                                                              \
        cast_##from##_f32, cast_##from##_f64, cast_##from##_i32, cast_##from##_i64,                \
            cast_##from##_flag, cast_##from##_bf16                                                 \
    }

static gt_tile cast_tile(gt_dtype in, gt_dtype out) {
    static const gt_tile tiles[GT_N_DTYPES][GT_N_DTYPES] = {CASTS_FROM(f32),  CASTS_FROM(f64),
                                                            CASTS_FROM(i32),  CASTS_FROM(i64),
                                                            CASTS_FROM(flag), CASTS_FROM(bf16)};
    return tiles[in][out];
}

static bool cast_shape(gt_call *call) {
    const gt_dtype dtype = *(const gt_dtype *)call->attr;
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = dtype;
    if ((unsigned)dtype >= GT_N_DTYPES) return gt_call_fail(call, "%d is no dtype", (int)dtype);
    return true;
}

/* Integers carry no gradient: the sweep asks only between floats. Gradients of bf16 are f32, so nothing is rounded
 * on the way back. */
static bool cast_pull(gt_pull *pull) {
    const gt_dtype dtype = gt_dtype_of(pull->in[0]);
    if (gt_dtype_is_float(dtype))
        pull->gx[0] = gt_cast(pull->up[0], dtype == GT_BF16 ? GT_F32 : dtype);
    return true;
}

static gt_tensor cast_samples(gt_samples *s, int i) {
    const gt_dtype other = s->dtype == GT_F64 ? GT_F32 : GT_F64;
    switch (i) {
    case 0: return gt_cast(gt_sample(s, GT_SHAPE(2, 3)), s->dtype);
    case 1:
        return gt_cast(gt_cast(gt_sample_values(s, GT_SHAPE(3), GT_F64, (double[]){1.5, -2, 0.25}),
                               GT_F64),
                       s->dtype);
    case 2: return gt_sample_no_gradient(s), gt_cast(gt_sample(s, GT_SHAPE(4)), other);
    case 3:
        return gt_sample_no_gradient(s), gt_cast(gt_sample_int(s, GT_SHAPE(5), GT_I32, 9), GT_BOOL);
    case 4: return gt_sample_no_gradient(s), gt_cast(gt_sample(s, GT_SHAPE(0, 2)), GT_I64);
    case 5: return gt_sample_bad(s, "no dtype"), gt_cast(gt_sample(s, GT_SHAPE(2)), (gt_dtype)9);
    default: return gt_samples_end(s);
    }
}

/* As gt__put: towards zero, saturating, NaN to 0. */
static bool cast_emit(gt_emitter *e, const gt_call *call) {
    const gt_dtype from = call->in[0].dtype, to = call->out[0].dtype;
    const char *x = gt_emit_in(e, 0), *least, *most;
    least = to == GT_I32 ? "(-2147483647 - 1)" : "(-9223372036854775807LL - 1)";
    most = to == GT_I32 ? "2147483647" : "9223372036854775807LL";
    const bool narrows = to == GT_I32 && from == GT_I64;
    if (to == GT_BOOL)
        gt_emit(e, "(unsigned char)(%s != 0)", x);
    else if (narrows)
        gt_emit(e, "(%s < %s ? %s : %s > %s ? %s : (int)%s)", x, least, least, x, most, most, x);
    else if ((to == GT_I32 || to == GT_I64) && gt_dtype_is_float(from))
        gt_emit(e,
                "(%s != %s ? 0 : (double)%s <= (double)%s ? %s : (double)%s >= (double)%s ? %s : "
                "(%s)%s)",
                x, x, x, least, least, x, most, most, gt_emit_type(to), x);
    else
        gt_emit(e, "(%s)%s", gt_emit_type(to), x);
    return true;
}

const gt_op gt__op_cast = GT_OP("cast", cast_shape, NULL, GT_PULL(cast_pull), cast_samples,
                                .traits = GT_ELEMENTWISE | GT_CASTS, .linear = 1, .tile = cast_tile,
                                .emit = cast_emit, .meaning = "x in another kind");

gt_tensor gt_cast(gt_tensor x, gt_dtype dtype) {
    if (gt_valid(x) && gt_dtype_of(x) == dtype) return x;
    return gt_record(x.tape, &gt__op_cast, &x, 1, &dtype, sizeof dtype, NULL, 0);
}

/* ---- copy and stop_gradient ------------------------------------------------------------------------------------------------- */

static bool same_shape(gt_call *call) {
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    return true;
}

/* The result may stand in the operand's place. */
#define COPY(bytes)                                                                                \
    static void copy_##bytes(void *y, const void *const *x, const gt_arg *arg, int64_t n) {        \
        (void)arg;                                                                                 \
        memmove(y, x[0], (size_t)n *(bytes));                                                      \
    }
COPY(1)
COPY(2)
COPY(4)
COPY(8)

static gt_tile copy_tile(gt_dtype in, gt_dtype out) {
    (void)in;
    switch (gt_dtype_size(out)) {
    case 1: return copy_1;
    case 2: return copy_2;
    case 4: return copy_4;
    default: return copy_8;
    }
}

static bool copy_pull(gt_pull *pull) {
    pull->gx[0] = pull->up[0];
    return true;
}

static gt_tensor copy_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_copy(gt_sample(s, GT_SHAPE(2, 3)));
    case 1: return gt_copy(gt_sample(s, GT_SCALAR));
    case 2: return gt_sample_no_gradient(s), gt_copy(gt_sample_int(s, GT_SHAPE(4), GT_I64, 9));
    default: return gt_samples_end(s);
    }
}

static bool copy_emit(gt_emitter *e, const gt_call *call) {
    (void)call;
    gt_emit(e, "%s", gt_emit_in(e, 0));
    return true;
}

const gt_op gt__op_copy =
    GT_OP("copy", same_shape, NULL, GT_PULL(copy_pull), copy_samples, .traits = GT_ELEMENTWISE,
          .linear = 1, .tile = copy_tile, .emit = copy_emit,
          .scalar = GT__SCALAR_RULE(GT_CODE_OWN + 2 * GT__ROW_gt_identity, 1, 1), .meaning = "x");

gt_tensor gt_copy(gt_tensor x) { return gt_record_unary(&gt__op_copy, x, NULL, 0); }

static bool whole_shape(gt_call *call) {
    call->out[0] = call->in[0];
    return true;
}

static bool whole_view(const gt_call *call, gt_array *out, int64_t *offset) {
    *out = call->in[0];
    *offset = 0;
    return true;
}

static gt_tensor stop_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(3));
        return gt_mul(x, gt_stop_gradient(gt_ones(s->tape, GT_SHAPE(3), s->dtype)));
    }
    case 1: return gt_sample_no_gradient(s), gt_stop_gradient(gt_sample(s, GT_SHAPE(2, 2)));
    default: return gt_samples_end(s);
    }
}

const gt_op gt__op_stop_gradient =
    GT_OP("stop_gradient", whole_shape, NULL, GT_NO_GRADIENT("it was asked to stop here"),
          stop_samples, .traits = GT_VIEW, .view = whole_view, .meaning = "x, as a constant");

gt_tensor gt_stop_gradient(gt_tensor x) {
    return gt_record(x.tape, &gt__op_stop_gradient, &x, 1, NULL, 0, NULL, 0);
}
