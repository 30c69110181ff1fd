/* tests/vector_test.c: the library's own vector functions are as exact as docs/numerics.md says, and NaN, infinite and 0
 * where those of <math.h> are. They are called as the compiler calls them: a build that makes no vectors has them, too. */
#include <criterion/criterion.h>

#include "ops/kernels.h"

#ifdef GT__X86_KERNELS

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16, STRIDE = 2003 };

#define AVX512 __attribute__((target("avx512f")))

typedef __m512 vector_function(__m512 x);
vector_function exp_of_16 __asm__("_ZGVeN16v_gt__exp_f32");
vector_function log_of_16 __asm__("_ZGVeN16v_gt__log_f32");
vector_function erfc_of_16 __asm__("_ZGVeN16v_gt__erfc_f32");
AVX512 __m256 exp_of_8(__m256 x) __asm__("_ZGVdN8v_gt__exp_f32");
AVX512 __m256 log_of_8(__m256 x) __asm__("_ZGVdN8v_gt__log_f32");
AVX512 __m128 exp_of_4(__m128 x) __asm__("_ZGVbN4v_gt__exp_f32");
AVX512 __m128 log_of_4(__m128 x) __asm__("_ZGVbN4v_gt__log_f32");
AVX512 __m256 erfc_of_8(__m256 x) __asm__("_ZGVdN8v_gt__erfc_f32");
AVX512 __m128 erfc_of_4(__m128 x) __asm__("_ZGVbN4v_gt__erfc_f32");

AVX512 static void call(vector_function *f, const float x[LANES], float y[LANES]) {
    _mm512_storeu_ps(y, f(_mm512_loadu_ps(x)));
}

/* In units in the last place; what is not finite as a float, or 0, has to be met. */
static double distance(float y, double right) {
    const float nearest = (float)right;
    if (isnan(right)) return isnan(y) ? 0 : HUGE_VAL;
    if (!isfinite(nearest) || right == 0) return y == nearest ? 0 : HUGE_VAL;
    int exponent;
    frexp(right, &exponent);
    return fabs((double)y - right) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* Of floats of all sizes, every so many of them, and of those that stand alone. */
static void expect_exact(vector_function *f, double (*right)(double), double units) {
    static const float alone[LANES] = {0,
                                       -0.0F,
                                       1,
                                       -1,
                                       INFINITY,
                                       -INFINITY,
                                       (float)NAN,
                                       88.72284F,
                                       88.7229F,
                                       -103.97F,
                                       -103.98F,
                                       -87.4F,
                                       0x1p-149F,
                                       -0x1p-149F,
                                       0x1.fffffep127F,
                                       -0x1.fffffep127F};
    if (!__builtin_cpu_supports("avx512f")) return;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += LANES * STRIDE) {
        float x[LANES], y[LANES];
        for (uint32_t i = 0; i < LANES; i++) {
            const uint32_t one = (uint32_t)bits + i * STRIDE;
            memcpy(&x[i], &one, sizeof one);
        }
        if (bits == 0) memcpy(x, alone, sizeof x);
        call(f, x, y);
        for (int i = 0; i < LANES; i++) {
            const double off = distance(y[i], right((double)x[i]));
            cr_assert(off <= units, "%.9g gives %.9g, %g units off", (double)x[i], (double)y[i],
                      off);
        }
    }
}

/* What stands in the low lanes has the bits of the form for 16. */
AVX512 static void compare_forms(void) {
    const float x[LANES] = {0.5F, 3, 1e-3F, 40, 7, 0.1F, 2, 1e5F};
    float all[3][LANES], few[6][8];
    call(exp_of_16, x, all[0]);
    call(log_of_16, x, all[1]);
    call(erfc_of_16, x, all[2]);
    _mm256_storeu_ps(few[0], exp_of_8(_mm256_loadu_ps(x)));
    _mm256_storeu_ps(few[1], log_of_8(_mm256_loadu_ps(x)));
    _mm256_storeu_ps(few[2], erfc_of_8(_mm256_loadu_ps(x)));
    _mm_storeu_ps(few[3], exp_of_4(_mm_loadu_ps(x)));
    _mm_storeu_ps(few[4], log_of_4(_mm_loadu_ps(x)));
    _mm_storeu_ps(few[5], erfc_of_4(_mm_loadu_ps(x)));
    for (int k = 0; k < 6; k++)
        cr_assert(memcmp(few[k], all[k % 3], (k < 3 ? 8 : 4) * sizeof(float)) == 0, "form %d", k);
}

Test(vector, forms_of_fewer_floats_agree) {
    if (__builtin_cpu_supports("avx512f")) compare_forms();
}

Test(vector, exponential) { expect_exact(exp_of_16, exp, 1.01); }

Test(vector, logarithm) { expect_exact(log_of_16, log, 1.55); }

Test(vector, complementary_error_function) { expect_exact(erfc_of_16, erfc, 1.66); }

#endif
