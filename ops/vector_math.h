/* ops/vector_math.h: tells the compiler which functions of <math.h> have a form for whole vectors: those of
 * glibc's libmvec, which the C library's linker script for -lm brings along. gcc learns it here; clang's
 * -fveclib=libmvec (see CMakeLists.txt) says the same of fewer functions. A function that has none is
 * called for each element, which changes nothing but the speed. */
#ifndef GT_OPS_VECTOR_MATH_H
#define GT_OPS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define GT__VECTOR_1(name)                                                                         \
    __attribute__((simd("notinbranch"))) double name(double);                                      \
    __attribute__((simd("notinbranch"))) float name##f(float);
#define GT__VECTOR_2(name)                                                                         \
    __attribute__((simd("notinbranch"))) double name(double, double);                              \
    __attribute__((simd("notinbranch"))) float name##f(float, float);
#if __GLIBC_PREREQ(2, 22)
GT__VECTOR_1(exp)
GT__VECTOR_1(log)
GT__VECTOR_1(sin)
GT__VECTOR_1(cos)
GT__VECTOR_2(pow)
#endif
#if __GLIBC_PREREQ(2, 35)
GT__VECTOR_1(exp2)
GT__VECTOR_1(expm1)
GT__VECTOR_1(log2)
GT__VECTOR_1(log10)
GT__VECTOR_1(log1p)
GT__VECTOR_1(cbrt)
GT__VECTOR_1(tan)
GT__VECTOR_1(asin)
GT__VECTOR_1(acos)
GT__VECTOR_1(atan)
GT__VECTOR_1(sinh)
GT__VECTOR_1(cosh)
GT__VECTOR_1(tanh)
GT__VECTOR_1(erf)
GT__VECTOR_1(erfc)
GT__VECTOR_2(atan2)
GT__VECTOR_2(hypot)
#endif
#undef GT__VECTOR_1
#undef GT__VECTOR_2
#endif

/* e^x, log x and erfc x of floats with AVX-512: vector_functions.c. Not for other tables: every form of these wants it. */
#if defined(__x86_64__) && defined(__ELF__) && defined(__GNUC__) && !defined(__clang__)
#define GT__OWN_FUNCTIONS
__attribute__((simd("notinbranch"), const)) float gt__exp_f32(float x);
__attribute__((simd("notinbranch"), const)) float gt__log_f32(float x);
__attribute__((simd("notinbranch"), const)) float gt__erfc_f32(float x);
#endif

/* e^x, which is 0 below -747 in either kind. The form for vectors calls a function of single numbers there, and of
 * the scores of causal attention half are -infinity. Bits are cleared before and after the call: a compiler may put a
 * choice between two values behind it. */
#define GT__CALM_EXP(T, word, suffix, function)                                                    \
    static inline T gt__calm_exp_##suffix(T x) {                                                   \
        const word kept = x < -747 ? 0 : -1;                                                       \
        word bits;                                                                                 \
        memcpy(&bits, &x, sizeof x);                                                               \
        bits &= kept;                                                                              \
        memcpy(&x, &bits, sizeof x);                                                               \
        x = function(x);                                                                           \
        memcpy(&bits, &x, sizeof x);                                                               \
        bits &= kept;                                                                              \
        memcpy(&x, &bits, sizeof x);                                                               \
        return x;                                                                                  \
    }
GT__CALM_EXP(float, int32_t, f32, expf)
GT__CALM_EXP(double, int64_t, f64, exp)
#undef GT__CALM_EXP

#endif
