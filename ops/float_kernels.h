/* ops/float_kernels.h: a template, included once for each instruction set: the table of f32 and f64 kernels
 * with vector functions. The includer defines GT__TABLE (its name) and GT__TARGET (an attribute, or nothing); and
 * GT__EXP_F32, GT__LOG_F32 and GT__ERFC_F32 if it has such functions of floats of its own. */
#include "ops/kernels.h"
#include "ops/vector_math.h"

#include <string.h>
#include <tgmath.h>

#include "graph/inline.h"
#include "graph/wide.h"

#ifndef GT__EXP_F32
#define GT__EXP_F32 gt__calm_exp_f32
#define GT__LOG_F32 logf
#define GT__ERFC_F32 erfcf
#endif
#undef exp
#undef log
#undef erfc
#define exp(x) _Generic((x), float : GT__EXP_F32, double : gt__calm_exp_f64)(x)
#define log(x) _Generic((x), float : GT__LOG_F32, double : log)(x)
#define erfc(x) _Generic((x), float : GT__ERFC_F32, double : erfc)(x)

#define WITH_FLOAT 2
#define WITH_NUMBER 1
#define WITH_COMPARE 1
#define WITH_LOGIC 0
#define WITH_SELECT 1
#define T float
#define TYPED(name) name##_f32
#include "ops/row_kernels.h"
#define T double
#define TYPED(name) name##_f64
#include "ops/row_kernels.h"

#define ENTRY_FLOAT(name)                                                                          \
    { [GT_F32] = name##_f32, [GT_F64] = name##_f64 }
#define ENTRY_NUMBER(name) ENTRY_FLOAT(name)
#define ENTRY_COMPARE(name) ENTRY_FLOAT(name)
#define ENTRY_SELECT(name) ENTRY_FLOAT(name)
#define ENTRY_LOGIC(name)                                                                          \
    { NULL }
#define UNARY(name, params, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
#define BINARY(name, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
#define TERNARY(name, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
const gt__kernels GT__TABLE = {
#include "ops/ops.def"
};
