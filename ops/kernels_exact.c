/* ops/kernels_exact.c: kernels that call <math.h> for each element, for every kind. Without vector_math.h the
 * compiler has nothing else to call. */
#include "ops/kernels.h"

#include <tgmath.h>

#include "graph/wide.h"

#define GT__TARGET
#define WITH_FLOAT 1
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
#undef WITH_FLOAT
#define WITH_FLOAT 0
#define T int32_t
#define TYPED(name) name##_i32
#include "ops/row_kernels.h"
#define T int64_t
#define TYPED(name) name##_i64
#include "ops/row_kernels.h"
#undef WITH_NUMBER
#undef WITH_LOGIC
#define WITH_NUMBER 0
#define WITH_LOGIC 1
#define T unsigned char
#define TYPED(name) name##_bool
#include "ops/row_kernels.h"

#define FLOATS(name) [GT_F32] = name##_f32, [GT_F64] = name##_f64
#define NUMBERS(name) FLOATS(name), [GT_I32] = name##_i32, [GT_I64] = name##_i64
#define ENTRY_FLOAT(name)                                                                          \
    { FLOATS(name) }
#define ENTRY_NUMBER(name)                                                                         \
    { NUMBERS(name) }
#define ENTRY_COMPARE(name)                                                                        \
    { NUMBERS(name), [GT_BOOL] = name##_bool }
#define ENTRY_SELECT(name) ENTRY_COMPARE(name)
#define ENTRY_LOGIC(name)                                                                          \
    { [GT_BOOL] = name##_bool }
#define UNARY(name, params, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
#define BINARY(name, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
#define TERNARY(name, kinds, ...) [GT__ROW_##name] = ENTRY_##kinds(name),
const gt__kernels gt__kernels_exact = {
#include "ops/ops.def"
};
