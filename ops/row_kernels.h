/* ops/row_kernels.h: a template, included by rows.c once for each kind of element. Expands the rows of
 * ops.def into loops over contiguous tiles.
 *
 * The includer defines T (the element), TYPED(name) (a name for this kind) and WITH_FLOAT, WITH_NUMBER,
 * WITH_COMPARE, WITH_LOGIC, WITH_SELECT, each 0 or 1: which kinds of rows this type has. */

#define K(number) ((T)(number))

#define GT__NONE_PARAMS
#define GT__ONE_PARAMS const T p = (T)arg[0].real;
#define GT__TWO_PARAMS                                                                             \
    const T p = (T)arg[0].real;                                                                    \
    const T q = (T)arg[1].real;

#define GT__KERNEL_1(name, R, declare_params, forward)                                             \
    GT__MULTIVERSION static void TYPED(name)(void *to, const void *const *in, const gt_arg *arg,   \
                                             int64_t n) {                                          \
        const T *from = in[0];                                                                     \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        declare_params for (int64_t i = 0; i < n; i++) {                                           \
            const T x = from[i];                                                                   \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }
#define GT__KERNEL_2(name, R, forward)                                                             \
    GT__MULTIVERSION static void TYPED(name)(void *to, const void *const *in, const gt_arg *arg,   \
                                             int64_t n) {                                          \
        const T *from_a = in[0], *from_b = in[1];                                                  \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const T a = from_a[i], b = from_b[i];                                                  \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }
#define GT__KERNEL_3(name, R, forward)                                                             \
    GT__MULTIVERSION static void TYPED(name)(void *to, const void *const *in, const gt_arg *arg,   \
                                             int64_t n) {                                          \
        const unsigned char *from_a = in[0];                                                       \
        const T *from_b = in[1], *from_c = in[2];                                                  \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const unsigned char a = from_a[i];                                                     \
            const T b = from_b[i], c = from_c[i];                                                  \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }

#define GT__IF_0(...)
#define GT__IF_1(...) __VA_ARGS__
#define GT__IF_(on) GT__IF_##on
#define GT__IF(on) GT__IF_(on)

#define GT__UNARY_FLOAT(name, P, forward) GT__IF(WITH_FLOAT)(GT__KERNEL_1(name, T, P, forward))
#define GT__UNARY_NUMBER(name, P, forward) GT__IF(WITH_NUMBER)(GT__KERNEL_1(name, T, P, forward))
#define GT__UNARY_LOGIC(name, P, forward)                                                          \
    GT__IF(WITH_LOGIC)(GT__KERNEL_1(name, unsigned char, P, forward))
#define GT__BINARY_FLOAT(name, forward) GT__IF(WITH_FLOAT)(GT__KERNEL_2(name, T, forward))
#define GT__BINARY_NUMBER(name, forward) GT__IF(WITH_NUMBER)(GT__KERNEL_2(name, T, forward))
#define GT__BINARY_COMPARE(name, forward)                                                          \
    GT__IF(WITH_COMPARE)(GT__KERNEL_2(name, unsigned char, forward))
#define GT__BINARY_LOGIC(name, forward)                                                            \
    GT__IF(WITH_LOGIC)(GT__KERNEL_2(name, unsigned char, forward))
#define GT__TERNARY_SELECT(name, forward) GT__IF(WITH_SELECT)(GT__KERNEL_3(name, T, forward))

#define NONE GT__NONE_PARAMS
#define ONE(number) GT__ONE_PARAMS
#define TWO(first, second) GT__TWO_PARAMS
#define UNARY(name, params, kinds, meaning, forward, ...) GT__UNARY_##kinds(name, params, forward)
#define BINARY(name, kinds, meaning, forward, ...) GT__BINARY_##kinds(name, forward)
#define TERNARY(name, kinds, meaning, forward, ...) GT__TERNARY_##kinds(name, forward)
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

#undef GT__UNARY_FLOAT
#undef GT__UNARY_NUMBER
#undef GT__UNARY_LOGIC
#undef GT__BINARY_FLOAT
#undef GT__BINARY_NUMBER
#undef GT__BINARY_COMPARE
#undef GT__BINARY_LOGIC
#undef GT__TERNARY_SELECT
#undef GT__IF
#undef GT__IF_
#undef GT__IF_0
#undef GT__IF_1
#undef GT__KERNEL_1
#undef GT__KERNEL_2
#undef GT__KERNEL_3
#undef GT__NONE_PARAMS
#undef GT__ONE_PARAMS
#undef GT__TWO_PARAMS
#undef K
#undef T
#undef TYPED
#undef WITH_FLOAT
#undef WITH_NUMBER
#undef WITH_COMPARE
#undef WITH_LOGIC
#undef WITH_SELECT
