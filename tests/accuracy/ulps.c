/* tests/accuracy/ulps.c: see ulps.h.
 *
 * Long double is slow, so f32 results are held against f64 ones first: only what seems to be farther off than
 * all before is held against long double. */
#include "accuracy/ulps.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

const gt_arg measured_args[2] = {{.real = 1.5}, {.real = 2.5}};

bool takes_two(const gt_op *op) { return op->more.gradient_text[1] != NULL; }

/* ---- distances ------------------------------------------------------------------------------------ */

typedef struct format {
    int digits, least,
        most; /* bits of the significand; exponents of the smallest and the largest number */
} format;

static format format_of(gt_dtype dtype) {
    return dtype == GT_F32 ? (format){FLT_MANT_DIG, FLT_MIN_EXP, FLT_MAX_EXP}
                           : (format){DBL_MANT_DIG, DBL_MIN_EXP, DBL_MAX_EXP};
}

/* An infinity stands for the number after the largest one. */
static long double finite(long double v, format f) {
    const long double bound = ldexpl(1, f.most);
    return v > bound ? bound : v < -bound ? -bound : v;
}

/* NaN where one of them is NaN and the other is not. */
static double distance(long double value, long double right, format f) {
    if (isnan(value) || isnan(right)) return isnan(value) && isnan(right) ? 0 : (double)NAN;
    value = finite(value, f);
    right = finite(right, f);
    int exponent;
    frexpl(right, &exponent);
    if (right == 0 || exponent < f.least) exponent = f.least;
    return (double)ldexpl(fabsl(value - right), f.digits - exponent);
}

static double exact_distance(const gt_op *op, gt_dtype dtype, const double *at, double value) {
    const long double in[2] = {(long double)at[0], (long double)at[1]};
    return distance((long double)value, op->more.value(in, measured_args), format_of(dtype));
}

static void note(finding *f, const gt_op *op, gt_dtype dtype, const double at[2], double value) {
    const double units = exact_distance(op, dtype, at, value);
    if (isnan(units)) {
        if (f->wrong++ == 0) memcpy(f->wrong_at, at, sizeof f->wrong_at);
    } else if (units > f->units) {
        f->units = units;
        memcpy(f->at, at, sizeof f->at);
    }
}

/* ---- blocks of inputs ------------------------------------------------------------------------------- */

typedef struct block {
    float narrow[2][BLOCK], narrow_out[BLOCK];
    double wide[2][BLOCK], wide_out[BLOCK];
} block;

/* Can this f32 result be farther off than the farthest known? The f64 one is nearly right. No branches, so
 * that the compiler can do several at once. */
static inline int is_suspect(double value, double nearly, double units) {
    const double bound = 0x1p128; /* stands for infinity, see finite() */
    value = value > bound ? bound : value < -bound ? -bound : value;
    nearly = nearly > bound ? bound : nearly < -bound ? -bound : nearly;
    double power; /* the power of two below it: what its exponent says */
    uint64_t bits;
    memcpy(&bits, &nearly, sizeof bits);
    bits &= UINT64_C(0x7ff) << 52;
    memcpy(&power, &bits, sizeof power);
    power = power > (double)FLT_MIN ? power : (double)FLT_MIN;
    const int close = fabs(value - nearly) * 0x1p23 <= units * 0.999 * power;
    const int both_nan = (value != value) & (nearly != nearly);
    return !(close | both_nan | (value == nearly));
}

/* What the f64 kernel makes of the block's f32 numbers. */
static void nearly_right(gt_tile nearly, block *b) {
    const void *wide[2] = {b->wide[0], b->wide[1]};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < BLOCK; i++) b->wide[k][i] = (double)b->narrow[k][i];
    nearly(b->wide_out, wide, measured_args, BLOCK);
}

static void try_narrow(finding *f, const gt_op *op, gt_tile tile, block *b) {
    const void *narrow[2] = {b->narrow[0], b->narrow[1]};
    int suspects = 0;
    tile(b->narrow_out, narrow, measured_args, BLOCK);
    for (int i = 0; i < BLOCK; i++)
        suspects |= is_suspect((double)b->narrow_out[i], b->wide_out[i], f->units);
    for (int i = 0; suspects && i < BLOCK; i++) {
        const double value = (double)b->narrow_out[i];
        if (is_suspect(value, b->wide_out[i], f->units))
            note(f, op, GT_F32, (const double[2]){b->wide[0][i], b->wide[1][i]}, value);
    }
}

static void try_wide(finding *f, const gt_op *op, gt_tile tile, block *b) {
    const void *wide[2] = {b->wide[0], b->wide[1]};
    tile(b->wide_out, wide, measured_args, BLOCK);
    for (int i = 0; i < BLOCK; i++)
        note(f, op, GT_F64, (const double[2]){b->wide[0][i], b->wide[1][i]}, b->wide_out[i]);
}

/* ---- inputs --------------------------------------------------------------------------------------------- */

static uint64_t next_bits(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Half of them from where the row is tested, half of them any number of the kind. */
static double draw(const gt_op *op, gt_dtype dtype, uint64_t *state) {
    const uint64_t bits = next_bits(state);
    if (bits & 1) {
        const double part = (double)(bits >> 11) * 0x1p-53;
        return op->more.low + part * (op->more.high - op->more.low);
    }
    double value;
    const uint32_t half = (uint32_t)(bits >> 32);
    float narrow;
    memcpy(&narrow, &half, sizeof narrow);
    memcpy(&value, &bits, sizeof value);
    return dtype == GT_F32 ? (double)narrow : value;
}

static void measure_all(const gt_op *op, const gt_tile *tile, int count, uint32_t stride,
                        finding *f) {
    const gt_tile nearly = op->more.tile(GT_F64, GT_F64);
    block b;
    memset(&b, 0, sizeof b);
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += (uint64_t)stride * BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            const uint32_t own = (uint32_t)bits + i * stride;
            memcpy(&b.narrow[0][i], &own, sizeof own);
        }
        nearly_right(nearly, &b);
        for (int k = 0; k < count; k++) try_narrow(&f[k], op, tile[k], &b);
    }
}

static void measure_some(const gt_op *op, gt_dtype dtype, const gt_tile *tile, int count,
                         int64_t samples, finding *f) {
    const gt_tile nearly = op->more.tile(GT_F64, GT_F64);
    block b;
    uint64_t state = 1;
    for (int64_t done = 0; done < samples; done += BLOCK) {
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < BLOCK; i++) {
                b.wide[k][i] = draw(op, dtype, &state);
                b.narrow[k][i] = (float)b.wide[k][i];
            }
        }
        if (dtype == GT_F32) nearly_right(nearly, &b);
        for (int k = 0; k < count; k++) {
            if (dtype == GT_F32)
                try_narrow(&f[k], op, tile[k], &b);
            else
                try_wide(&f[k], op, tile[k], &b);
        }
    }
}

void measure(const gt_op *op, gt_dtype dtype, const gt_tile *tile, int count, effort e,
             finding *f) {
    memset(f, 0, (size_t)count * sizeof *f);
    if (dtype == GT_F32 && !takes_two(op))
        measure_all(op, tile, count, e.stride, f);
    else
        measure_some(op, dtype, tile, count, e.samples, f);
}

double distance_at(const gt_op *op, gt_dtype dtype, gt_tile tile, const double at[2]) {
    const float narrow[2] = {(float)at[0], (float)at[1]};
    const void *narrow_in[2] = {&narrow[0], &narrow[1]}, *wide_in[2] = {&at[0], &at[1]};
    float narrow_out;
    double wide_out;
    if (dtype == GT_F64) {
        tile(&wide_out, wide_in, measured_args, 1);
        return exact_distance(op, dtype, at, wide_out);
    }
    tile(&narrow_out, narrow_in, measured_args, 1);
    return exact_distance(op, dtype, at, (double)narrow_out);
}
