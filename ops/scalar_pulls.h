/* ops/scalar_pulls.h: a template, included once for f32 and once for f64: the local gradients of ops.def on
 * plain numbers, times the upstream. In here the names of operations, by which the table writes its gradients,
 * are functions of numbers; so the same text gives the same bits as the nodes that the sweep would record.
 *
 * The includer defines T and GT__TABLE, the name of the table. */
#include "ops/kernels.h"

#include <tgmath.h>

/* ---- operations on numbers ---------------------------------------------------------------------------- */

#define K(number) ((T)(number))
#define PARAMS_NONE(name) static inline T name(T x) {
#define PARAMS_ONE(name)                                                                           \
    static inline T name(T x, double first) {                                                      \
        const T p = (T)first;                                                                      \
        (void)p;
#define PARAMS_TWO(name)                                                                           \
    static inline T name(T x, double first, double second) {                                       \
        const T p = (T)first, q = (T)second;
#define NONE PARAMS_NONE
#define ONE(number) PARAMS_ONE
#define TWO(first, second) PARAMS_TWO
#define UNARY(name, params, kinds, meaning, forward, ...)                                          \
    params(name) return (T)(forward);                                                              \
    }
#define BINARY(name, kinds, meaning, forward, ...)                                                 \
    static inline T name(T a, T b) { return (T)(forward); }
#define TERNARY(name, kinds, meaning, forward, ...)                                                \
    static inline T name(T a, T b, T c) { return (T)(forward); }
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

/* ---- pulls ---------------------------------------------------------------------------------------------- */

/* As grad/sweep.c: a rule that is a constant 1 or -1 passes the upstream on, even a zero with its sign. */
static inline T times(T g, T local, const char *rule) {
    const bool constant = rule[0] == 'k' && rule[1] == '(';
    if (constant && local == 1) return g;
    if (constant && local == -1) return -g;
    return gt_chain(g, local);
}

#define k(number) ((T)(number))
#define v(number) ((T)(number))
#define ZERO 0
#define THERE(rule) (unsigned)((rule)[0] != 'Z')
#define PULL(name)                                                                                 \
    static unsigned pull_##name(void *to, const void *up, const void *const *in, const void *out,  \
                                const gt_arg *arg) {                                               \
        T *gx = to;                                                                                \
        const T g = *(const T *)up, y = *(const T *)out;                                           \
        (void)arg;                                                                                 \
        (void)y;
#define NONE
#define ONE(number)                                                                                \
    const double p = arg[0].real;                                                                  \
    (void)p;
#define TWO(first, second)                                                                         \
    const double p = arg[0].real;                                                                  \
    const double q = arg[1].real;
#define UNARY(name, params, kinds, meaning, forward, gradient, ...)                                \
    PULL(name)                                                                                     \
    const T x = *(const T *)in[0];                                                                 \
    (void)x;                                                                                       \
    params gx[0] = times(g, gradient, #gradient);                                                  \
    return THERE(#gradient);                                                                       \
    }
#define BINARY(name, kinds, meaning, forward, da, db, ...)                                         \
    PULL(name)                                                                                     \
    const T a = *(const T *)in[0], b = *(const T *)in[1];                                          \
    (void)a;                                                                                       \
    (void)b;                                                                                       \
    gx[0] = times(g, da, #da);                                                                     \
    gx[1] = times(g, db, #db);                                                                     \
    return THERE(#da) | THERE(#db) << 1;                                                           \
    }
#define TERNARY(name, ...)
#include "ops/ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY

#define UNARY(name, ...) [GT__ROW_##name] = pull_##name,
#define BINARY(name, ...) [GT__ROW_##name] = pull_##name,
#define TERNARY(name, ...) [GT__ROW_##name] = NULL,
const gt_scalar_pull GT__TABLE[GT__ROWS] = {
#include "ops/ops.def"
};
