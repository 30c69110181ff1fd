/* ops/pixels.c: loops over images whose pixels have their channels together, for each instruction set. Wants
 * -ffp-contract=fast, as gemm.c does. */
#include "ops/pixels.h"

#include <stddef.h>
#include <string.h>

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

/* ---- pixels in memory ------------------------------------------------------------------------ */

gt__field gt__field_of(float *at, int64_t channels, const int64_t size[2], bool channels_last) {
    if (channels_last) return (gt__field){at, size[1] * channels, channels, 1};
    return (gt__field){at, size[1], 1, size[0] * size[1]};
}

gt__field gt__field_at(gt__field f, int64_t image_elements, int64_t image, int64_t channel,
                       int64_t row, int64_t column) {
    f.at += image * image_elements + channel * f.channel + row * f.row + column * f.column;
    return f;
}

/* Rows of pixels whose channels are together on both sides. */
static void copy_pixels(float *to, int64_t to_row, int64_t to_step, const float *from,
                        int64_t from_row, int64_t from_step, int64_t rows, int64_t columns,
                        int64_t channels) {
    const bool whole = to_step == channels && from_step == channels;
    const int64_t count = whole ? channels * columns : channels, pieces = whole ? 1 : columns;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t p = 0; p < pieces; p++)
            memcpy(to + r * to_row + p * to_step, from + r * from_row + p * from_step,
                   (size_t)count * sizeof *to);
}

void gt__read_pixels(const gt__pixel_loops *loop, gt__field from, int64_t rows, int64_t columns,
                     int64_t channels, float *to, int64_t to_row, int64_t to_step) {
    if (from.channel == 1)
        copy_pixels(to, to_row, to_step, from.at, from.row, from.column, rows, columns, channels);
    else
        loop->turn(to, to_row, to_step, from.at, from.row, from.channel, rows, channels, columns);
}

void gt__write_pixels(const gt__pixel_loops *loop, gt__field to, int64_t rows, int64_t columns,
                      int64_t channels, const float *from, int64_t from_row, int64_t from_step) {
    if (to.channel == 1)
        copy_pixels(to.at, to.row, to.column, from, from_row, from_step, rows, columns, channels);
    else
        loop->turn(to.at, to.row, to.channel, from, from_row, from_step, rows, columns, channels);
}
