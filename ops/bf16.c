/* ops/bf16.c: floats and their upper halves, in whole arrays. The loops are compiled for several instruction sets;
 * their arithmetic is that of integers, or the processor's own that has the same bits, so all give the same. */
#include "ops/bf16.h"

#include <string.h>
#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>
#endif

#include "ops/rows.h"

/* Rounding carries into the exponent, and past the largest number into infinity, as it should. */
static inline uint16_t rounded(uint32_t bits) {
    const uint32_t quiet = bits >> 16 | 0x40, nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest);
}

uint16_t gt__bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return rounded(bits);
}

typedef void narrow_loop(uint16_t *restrict to, const float *restrict from, int64_t n);
typedef void widen_loop(float *restrict to, const uint16_t *restrict from, int64_t n);

#define LOOPS(set, target)                                                                         \
    target static void narrow_##set(uint16_t *restrict to, const float *restrict from,             \
                                    int64_t n) {                                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            uint32_t bits;                                                                         \
            memcpy(&bits, &from[i], sizeof bits);                                                  \
            to[i] = rounded(bits);                                                                 \
        }                                                                                          \
    }                                                                                              \
    target static void widen_##set(float *restrict to, const uint16_t *restrict from, int64_t n) { \
        for (int64_t i = 0; i < n; i++) to[i] = gt__bf16_value(from[i]);                           \
    }

LOOPS(plain, )
#if defined(__GNUC__) && defined(__x86_64__)
LOOPS(avx2, __attribute__((target("avx2"))))
LOOPS(avx512, __attribute__((target("avx512f,avx512bw"))))
#define BEST(loop)                                                                                 \
    (__builtin_cpu_supports("avx512bw") ? loop##_avx512                                            \
     : __builtin_cpu_supports("avx2")   ? loop##_avx2                                              \
                                        : loop##_plain)

#define BF16_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512bf16")))

/* The processor rounds as `rounded` does, but takes denormals for 0: where there are any, it is not asked. */
BF16_TARGET static void narrow_bf16(uint16_t *restrict to, const float *restrict from, int64_t n) {
    enum { HALF = 16, WHOLE = 2 * HALF, DENORMAL = 0x20 };
    int64_t i = 0;
    for (; i + WHOLE <= n; i += WHOLE) {
        const __m512 low = _mm512_loadu_ps(from + i), high = _mm512_loadu_ps(from + i + HALF);
        const __mmask16 any = (__mmask16)(_mm512_fpclass_ps_mask(low, DENORMAL) |
                                          _mm512_fpclass_ps_mask(high, DENORMAL));
        if (any)
            narrow_avx512(to + i, from + i, WHOLE);
        else
            _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
    narrow_avx512(to + i, from + i, n - i);
}

static narrow_loop *best_narrow(void) {
    const bool own = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512dq") &&
                     __builtin_cpu_supports("avx512bw");
    return own ? narrow_bf16 : BEST(narrow);
}
#else
#define BEST(loop) loop##_plain
static narrow_loop *best_narrow(void) { return narrow_plain; }
#endif

void gt__to_bf16(uint16_t *restrict to, const float *restrict from, int64_t n) {
    best_narrow()(to, from, n);
}

void gt__from_bf16(float *restrict to, const uint16_t *restrict from, int64_t n) {
    widen_loop *const loop = BEST(widen);
    loop(to, from, n);
}

/* ---- under gt_autocast ------------------------------------------------------------------------ */

static gt_tensor to_bf16(gt_tensor x) { return gt_cast(x, GT_BF16); }

void gt_autocast(gt_tape *tape, bool on) { gt_cast_operands(tape, on ? to_bf16 : NULL); }

gt_tensor gt__as_operand(gt_tensor up, gt_tensor operand) {
    return gt_dtype_of(operand) == GT_BF16 ? gt_cast(up, GT_BF16) : up;
}

/* ---- views ----------------------------------------------------------------------------------- */

/* The elements of memory between a view's first and its last: how many, and how many of them come before the
 * element where all indices are 0. */
static int64_t span_of(const gt_array *x, int64_t *before) {
    int64_t span = 1;
    *before = 0;
    for (int d = 0; d < x->shape.rank; d++) {
        const int64_t reach = (x->shape.dim[d] - 1) * x->stride[d];
        span += reach < 0 ? -reach : reach;
        if (reach < 0) *before -= reach;
    }
    return span;
}

/* Row by row, to a contiguous array. */
static void widen_scattered(float *to, const gt_array *x, int64_t n) {
    const uint16_t *from = x->data;
    int64_t at[GT_MAX_RANK] = {0}, offset = 0;
    for (int64_t i = 0; i < n; i++) {
        to[i] = gt__bf16_value(from[offset]);
        for (int d = x->shape.rank - 1; d >= 0; d--) {
            offset += x->stride[d];
            if (++at[d] < x->shape.dim[d]) break;
            offset -= x->shape.dim[d] * x->stride[d];
            at[d] = 0;
        }
    }
}

bool gt__bf16_as_floats(const gt_call *call, gt_array *x) {
    enum { WASTE = 4 }; /* times as much memory: a loop over all of it still is the faster one */
    const int64_t n = gt_numel(x->shape);
    int64_t before = 0;
    const int64_t span = n ? span_of(x, &before) : 0;
    const bool whole = span <= WASTE * n;
    float *to = gt_scratch(call, (size_t)(whole ? span : n) * sizeof *to);
    if (!to) return false;
    if (whole)
        gt__from_bf16(to, (const uint16_t *)x->data - before, span);
    else
        widen_scattered(to, x, n);
    x->data = whole ? to + before : to;
    x->dtype = GT_F32;
    if (!whole) gt__strides(x->shape, x->stride);
    return true;
}
