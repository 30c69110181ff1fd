/* ops/kernels.h: the rows of ops.def as compiled loops, one table of them for each way of compiling.
 *
 * The exact table computes element by element with the functions of <math.h> and serves every kind. The others
 * serve f32 and f64 with the vector functions of vector_math.h, for one instruction set each. They agree in
 * everything but the last bits of what those functions give. */
#ifndef GT_OPS_KERNELS_H
#define GT_OPS_KERNELS_H

#include "graph/graph.h"

#define UNARY(name, ...) GT__ROW_##name,
#define BINARY(name, ...) GT__ROW_##name,
#define TERNARY(name, ...) GT__ROW_##name,
enum {
#include "ops/ops.def"
    GT__ROWS
};
#undef UNARY
#undef BINARY
#undef TERNARY

/* By row and by the kind of the last input; NULL where the row is not defined. */
typedef gt_tile gt__kernels[GT__ROWS][GT_N_DTYPES];

extern const gt__kernels gt__kernels_exact, gt__kernels_plain;
#if defined(__x86_64__) && defined(__GNUC__)
#define GT__X86_KERNELS 1
extern const gt__kernels gt__kernels_avx2, gt__kernels_avx512;
#endif

/* Both run the rows of single numbers, the codes from GT_CODE_OWN on: two a row, f32 first. */
extern const gt_machine gt__machine_f32, gt__machine_f64;
extern const gt_machine *const gt__machines[2];
/* The gt_op_more.scalar of an operation on numbers. */
#define GT__SCALAR_RULE(code, gives, passes)                                                       \
    { gt__machines, (uint16_t)(code), (uint16_t)(gives), (uint16_t)(passes) }

/* Table i of those with vector functions that this processor can run, the best first; its name if asked for.
 * NULL past the last. */
const gt__kernels *gt__kernels_at(int i, const char **name);

#endif
