/* ops/row_kernels.h: a template, included once for each kind of element and way of compiling. Expands the rows
 * of ops.def into loops over contiguous tiles.
 *
 * The includer defines T (the element) and TYPED(name) (a name for this kind), which end with this file, and
 * GT__TARGET (an attribute of each function, or nothing) and WITH_FLOAT, WITH_NUMBER, WITH_COMPARE, WITH_LOGIC,
 * WITH_SELECT, each 0 or 1: which kinds of rows this type has. WITH_FLOAT 2 means vector functions.
 *
 * A vector function and its scalar form differ in the last bits, so a loop that calls them may have no scalar
 * end: else an element's bits depended on its place. Such loops run over whole vectors, the last one padded.
 * Only rows of kind FLOAT call functions; arithmetic gives the same bits either way. */

#define K(number) ((T)(number))

#if WITH_FLOAT == 2
#define GT__LANES ((int64_t)(64 / sizeof(T)))
/* Calls a kernel that does whole vectors only; the rest of the elements fill one up with the first of them. Apart from
 * the rows, of which it would else become the larger part. */
static NEVER_INLINE void TYPED(padded)(gt_tile whole, int n_in, void *to, const void *const *in,
                                       const gt_arg *arg, int64_t n) {
    T part[3][64 / sizeof(T)];
    const void *parts[3] = {part[0], part[1], part[2]};
    const int64_t rest = n % GT__LANES, done = n - rest;
    if (done) whole(to, in, arg, done);
    if (!rest) return;
    for (int k = 0; k < n_in; k++) {
        const T *from = (const T *)in[k] + done;
        for (int64_t i = 0; i < GT__LANES; i++) part[k][i] = from[i < rest ? i : 0];
    }
    whole(part[0], parts, arg, GT__LANES);
    memcpy((T *)to + done, part[0], (size_t)rest * sizeof(T));
}
#endif

#define GT__NONE_PARAMS
#define GT__ONE_PARAMS const T p = (T)arg[0].real;
#define GT__TWO_PARAMS                                                                             \
    const T p = (T)arg[0].real;                                                                    \
    const T q = (T)arg[1].real;

/* With one operand, whole vectors are mostly for a function's sake. */
#define GT__LOOP_ELEMENTS GT__APART
#define GT__LOOP_VECTORS GT__APART_CALLING
#define GT__STEP_ELEMENTS 1
#define GT__STEP_VECTORS GT__LANES

#define GT__KERNEL_1(function, by, R, declare_params, forward)                                     \
    GT__TARGET static void function(void *to, const void *const *in, const gt_arg *arg,            \
                                    int64_t n) {                                                   \
        const T *from = in[0];                                                                     \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        n &= -(int64_t)GT__STEP_##by;                                                              \
        declare_params GT__LOOP_##by for (int64_t i = 0; i < n; i++) {                             \
            const T x = from[i];                                                                   \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }
#define GT__KERNEL_2(function, by, R, forward)                                                     \
    GT__TARGET static void function(void *to, const void *const *in, const gt_arg *arg,            \
                                    int64_t n) {                                                   \
        const T *from_a = in[0], *from_b = in[1];                                                  \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        n &= -(int64_t)GT__STEP_##by;                                                              \
        GT__APART for (int64_t i = 0; i < n; i++) {                                                \
            const T a = from_a[i], b = from_b[i];                                                  \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }
#define GT__KERNEL_3(function, by, R, forward)                                                     \
    GT__TARGET static void function(void *to, const void *const *in, const gt_arg *arg,            \
                                    int64_t n) {                                                   \
        const unsigned char *from_a = in[0];                                                       \
        const T *from_b = in[1], *from_c = in[2];                                                  \
        R *result = to;                                                                            \
        (void)arg;                                                                                 \
        n &= -(int64_t)GT__STEP_##by;                                                              \
        GT__APART for (int64_t i = 0; i < n; i++) {                                                \
            const unsigned char a = from_a[i];                                                     \
            const T b = from_b[i], c = from_c[i];                                                  \
            result[i] = (R)(forward);                                                              \
        }                                                                                          \
    }

#define GT__IF_0(...)
#define GT__IF_1(...) __VA_ARGS__
#define GT__IF_(on) GT__IF_##on
#define GT__IF(on) GT__IF_(on)

/* Rows that call functions: left out, element by element, or in whole vectors. */
#define GT__FLOAT_0(...)
#define GT__FLOAT_1(n_in, name, ...) GT__KERNEL_##n_in(TYPED(name), ELEMENTS, T, __VA_ARGS__)
#define GT__FLOAT_2(n_in, name, ...)                                                               \
    GT__KERNEL_##n_in(TYPED(name##_whole), VECTORS, T, __VA_ARGS__) static void TYPED(             \
        name)(void *to, const void *const *in, const gt_arg *arg, int64_t n) {                     \
        TYPED(padded)(TYPED(name##_whole), n_in, to, in, arg, n);                                  \
    }
#define GT__FLOAT_(with) GT__FLOAT_##with
#define GT__FLOAT(with) GT__FLOAT_(with)

#define GT__UNARY_FLOAT(name, P, forward) GT__FLOAT(WITH_FLOAT)(1, name, P, forward)
#define GT__UNARY_NUMBER(name, P, forward)                                                         \
    GT__IF(WITH_NUMBER)(GT__KERNEL_1(TYPED(name), ELEMENTS, T, P, forward))
#define GT__UNARY_LOGIC(name, P, forward)                                                          \
    GT__IF(WITH_LOGIC)(GT__KERNEL_1(TYPED(name), ELEMENTS, unsigned char, P, forward))
#define GT__BINARY_FLOAT(name, forward) GT__FLOAT(WITH_FLOAT)(2, name, forward)
#define GT__BINARY_NUMBER(name, forward)                                                           \
    GT__IF(WITH_NUMBER)(GT__KERNEL_2(TYPED(name), ELEMENTS, T, forward))
#define GT__BINARY_COMPARE(name, forward)                                                          \
    GT__IF(WITH_COMPARE)(GT__KERNEL_2(TYPED(name), ELEMENTS, unsigned char, forward))
#define GT__BINARY_LOGIC(name, forward)                                                            \
    GT__IF(WITH_LOGIC)(GT__KERNEL_2(TYPED(name), ELEMENTS, unsigned char, forward))
#define GT__TERNARY_SELECT(name, forward)                                                          \
    GT__IF(WITH_SELECT)(GT__KERNEL_3(TYPED(name), ELEMENTS, T, forward))

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

#undef GT__LANES
#undef GT__FLOAT
#undef GT__FLOAT_
#undef GT__FLOAT_0
#undef GT__FLOAT_1
#undef GT__FLOAT_2
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
#undef GT__LOOP_ELEMENTS
#undef GT__LOOP_VECTORS
#undef GT__STEP_ELEMENTS
#undef GT__STEP_VECTORS
#undef GT__KERNEL_1
#undef GT__KERNEL_2
#undef GT__KERNEL_3
#undef GT__NONE_PARAMS
#undef GT__ONE_PARAMS
#undef GT__TWO_PARAMS
#undef K
#undef T
#undef TYPED
