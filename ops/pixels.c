/* ops/pixels.c: loops over images whose pixels have their channels together, for each instruction set. Wants
 * -ffp-contract=fast, as gemm.c does. */
#include "ops/pixels.h"

#include <stddef.h>

#include "graph/wide.h"
#include "ops/unroll.h"

/* Rows of one vector held in registers: as many as keep two units busy. Of more, registers would not hold the places. */
enum { LONE_ROWS = 8 };

#if defined(__GNUC__) && defined(__x86_64__)
#define PIXELS_X86 1

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#include "ops/pixels_kernel.h"

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR_BYTES 32
#define TILE_ROWS 6
#include "ops/pixels_kernel.h"
#endif

/* Small rather than quick where nearly every processor has better. */
#define NAME(x) x##_plain
#ifdef PIXELS_X86
#define TARGET __attribute__((cold))
#else
#define TARGET
#endif
#if defined(__GNUC__)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES sizeof(float)
#endif
#define TILE_ROWS 4
#include "ops/pixels_kernel.h"

const gt__pixel_loops *gt__loops_for_pixels(void) {
#ifdef PIXELS_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return &loops_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &loops_avx2;
#endif
    return &loops_plain;
}
