/* ops/number_machine.h: a template, included once for f32 and once for f64: runs lists of operations of ops.def on
 * plain numbers, and carries adjoints back through them. In here the names of operations, by which the table
 * writes its gradients, are functions of numbers; so the same text gives the same bits as the nodes that the
 * sweep would record.
 *
 * The includer defines T, FIELD of a gt_number, GT__WIDE (0, or 1 for f64) and GT__MACHINE, the machine's name. */
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

/* ---- forward ------------------------------------------------------------------------------------------------ */

#define AT(place) value[place].FIELD
#define CODE(name) (GT_CODE_OWN + 2 * GT__ROW_##name + GT__WIDE)
#define SHARED_CODE(code) ((code) + GT__WIDE)
#define NONE(name, of) name(of(c->a))
#define ONE_NUMBER(name, of) name(of(c->a), arg[c->arg].real)
#define TWO_NUMBERS(name, of) name(of(c->a), arg[c->arg].real, arg[c->arg + 1].real)
#define ONE(number) ONE_NUMBER
#define TWO(first, second) TWO_NUMBERS
#define TRUTH(place) value[place].truth
/* What is read and written, by the row's kinds. */
#define OF_FLOAT AT
#define OF_NUMBER AT
#define OF_COMPARE AT
#define OF_LOGIC TRUTH
#define TO_FLOAT(number) AT(i) = (number)
#define TO_NUMBER TO_FLOAT
#define TO_COMPARE(number) TRUTH(i) = (number) != 0
#define TO_LOGIC TO_COMPARE
#define UNARY(name, params, kinds, ...)                                                            \
    case CODE(name):                                                                               \
        TO_##kinds(params(name, OF_##kinds));                                                      \
        break;
#define BINARY(name, kinds, ...)                                                                   \
    case CODE(name):                                                                               \
        TO_##kinds(name(OF_##kinds(c->a), OF_##kinds(c->b)));                                      \
        break;
#define TERNARY(name, ...)                                                                         \
    case CODE(name): AT(i) = name(TRUTH(c->a), AT(c->b), AT(c->arg)); break;

static T sum_of(const gt_number *value, const uint32_t *place, uint32_t count) {
    T sum = 0;
    for (uint32_t k = 0; k < count; k++) sum += AT(place[k]);
    return sum;
}

static uint32_t run(const gt_numbers *numbers, uint32_t from, uint32_t to) {
    gt_number *value = numbers->value;
    const gt_arg *arg = numbers->arg;
    for (uint32_t i = from; i < to; i++) {
        const gt_code *c = &numbers->code[i];
        switch (c->what) {
        case SHARED_CODE(GT_CODE_NUMBER): AT(i) = (T)arg[c->arg].real; break;
        case SHARED_CODE(GT_CODE_SUM): AT(i) = (0 + AT(c->a)) + AT(c->b); break;
        case SHARED_CODE(GT_CODE_SUM_3): AT(i) = ((0 + AT(c->a)) + AT(c->b)) + AT(c->arg); break;
        case SHARED_CODE(GT_CODE_SUMS): AT(i) = sum_of(value, numbers->side + c->a, c->b); break;
#include "ops/ops.def"
        default: return i;
        }
    }
    return to;
}
#undef UNARY
#undef BINARY
#undef TERNARY
#undef NONE
#undef ONE
#undef TWO

/* ---- back --------------------------------------------------------------------------------------------------- */

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
#define THERE(rule) ((rule)[0] != 'Z')
/* `rule` is the text of `local` as the table has it: where it is passed on, k and ZERO have been replaced. */
#define GIVE(place, local, rule)                                                                   \
    if (THERE(rule)) adjoint[place].FIELD += times(g, local, rule);
#define NONE
#define ONE(number)                                                                                \
    const double p = numbers->arg[c->arg].real;                                                    \
    (void)p;
#define TWO(first, second)                                                                         \
    const double p = numbers->arg[c->arg].real, q = numbers->arg[c->arg + 1].real;
#define UNARY(name, params, kinds, meaning, forward, gradient, ...)                                \
    case CODE(name): {                                                                             \
        const T x = AT(c->a), y = AT(i);                                                           \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        params GIVE(c->a, gradient, #gradient) break;                                              \
    }
#define BINARY(name, kinds, meaning, forward, da, db, ...)                                         \
    case CODE(name): {                                                                             \
        const T a = AT(c->a), b = AT(c->b), y = AT(i);                                             \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        (void)y;                                                                                   \
        GIVE(c->a, da, #da)                                                                        \
        GIVE(c->b, db, #db)                                                                        \
        break;                                                                                     \
    }
#define TERNARY(name, kinds, meaning, forward, da, db, dc, ...)                                    \
    case CODE(name): {                                                                             \
        const T a = TRUTH(c->a);                                                                   \
        GIVE(c->b, db, #db)                                                                        \
        GIVE(c->arg, dc, #dc)                                                                      \
        break;                                                                                     \
    }

/* Adjoints begin at -0, which leaves what arrives alone as it is; a sum of several begins at +0. */
static uint32_t back(const gt_numbers *numbers, uint32_t from, uint32_t to) {
    const gt_number *value = numbers->value;
    gt_number *adjoint = numbers->adjoint;
    for (uint32_t i = from; i-- > to;) {
        const gt_code *c = &numbers->code[i];
        if (!(c->flags & GT_CODE_REACHED)) continue;
        const T g = adjoint[i].FIELD + (c->flags & GT_CODE_FORKED ? K(0) : -K(0));
        switch (c->what) {
        case SHARED_CODE(GT_CODE_SUM):
            adjoint[c->a].FIELD += g;
            adjoint[c->b].FIELD += g;
            break;
        case SHARED_CODE(GT_CODE_SUM_3):
            adjoint[c->a].FIELD += g;
            adjoint[c->b].FIELD += g;
            adjoint[c->arg].FIELD += g;
            break;
        case SHARED_CODE(GT_CODE_SUMS):
            for (uint32_t j = 0; j < c->b; j++) adjoint[numbers->side[c->a + j]].FIELD += g;
            break;
#include "ops/ops.def"
        default: return i;
        }
    }
    return to;
}

const gt_machine GT__MACHINE = {run, back};
