/* ops/pixels_kernel.h: the loops of pixels.h for one instruction set. pixels.c includes this file once for each,
 * having defined NAME(x), TARGET, VECTOR_BYTES (sizeof(float) for plain C) and TILE_ROWS, the rows of a product
 * held in registers where each is two vectors wide (of one vector twice as many); they are undefined at the end. */
#define REAL float
#include "ops/vector_kernel.h"

#include "ops/turn_kernel.h"
#undef REAL

#define VECTOR NAME(vector)
#define LANES ((int64_t)(sizeof(VECTOR) / sizeof(float)))
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))

#ifdef SHUFFLE
/* Four planes of an image, along n pixels: while these are turned, a cache fetches `ahead`, the next four, which
 * no processor foresees. */
TARGET static inline ALWAYS_INLINE void NAME(turn_band)(float *restrict to, int64_t to_next,
                                                        int64_t to_step, const float *restrict from,
                                                        int64_t from_next, int64_t from_step,
                                                        int64_t n, const float *ahead,
                                                        int64_t plane) {
    enum { CACHE_LINE = 64 / sizeof(float) };
    for (int64_t at = 0; ahead && at < n; at += CACHE_LINE)
        for (int64_t i = 0; i < 4; i++) __builtin_prefetch(ahead + i * plane + at);
    for (; n > 0; n -= 4, to += to_next, from += from_next)
        NAME(turn_four)(to, to_step, from, from_step);
}
#endif

TARGET static void NAME(turn)(float *restrict to, int64_t to_row, int64_t to_step,
                              const float *restrict from, int64_t from_row, int64_t from_step,
                              int64_t rows, int64_t lines, int64_t elements) {
    int64_t turned_lines = 0, turned = 0;
#ifdef SHUFFLE
    turned_lines = lines / 4 * 4;
    turned = elements / 4 * 4;
    for (int64_t j = 0; to_step > from_step && j < turned; j += 4)
        for (int64_t r = 0; r < rows; r++) {
            float *const row = to + r * to_row + j * to_step;
            NAME(turn_band)
            (row, 4, to_step, from + r * from_row + j, 4 * from_step, from_step, turned_lines,
             j + 4 < turned ? row + 4 * to_step : NULL, to_step);
        }
    for (int64_t i = 0; to_step <= from_step && i < turned_lines; i += 4)
        for (int64_t r = 0; r < rows; r++) {
            const float *const row = from + r * from_row + i * from_step;
            NAME(turn_band)
            (to + r * to_row + i, 4 * to_step, to_step, row, 4, from_step, turned,
             i + 4 < turned_lines ? row + 4 * from_step : NULL, from_step);
        }
#endif
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < lines; i++)
            for (int64_t j = i < turned_lines ? turned : 0; j < elements; j++)
                to[r * to_row + j * to_step + i] = from[r * from_row + i * from_step + j];
}

/* Where fewer rows are left, the last stands for the others. */
TARGET static inline ALWAYS_INLINE void NAME(tile)(int64_t tile_rows, int64_t vectors,
                                                   const gt__pixel_product *g, int64_t i,
                                                   const float *restrict b, float *c) {
    VECTOR sum[2 * TILE_ROWS][2] = {0};
    const int64_t rows = g->m - i < tile_rows ? g->m - i : tile_rows;
    const gt__row_pair *row = g->row + i;
    int64_t at[2 * TILE_ROWS];
    EACH(r, tile_rows) { at[r] = row[r < rows ? r : rows - 1].a; }
    for (int64_t s = 0; s < g->slabs; s++) {
        const float *restrict a = g->a + g->slab[s];
        for (int64_t p = 0; p < g->depth; p++, a += g->a_col, b += g->b_row) {
            EACH(r, tile_rows) {
                EACH(v, vectors) { sum[r][v] += a[at[r]] * LOAD(b + v * LANES); }
            }
        }
    }
    EACH(r, tile_rows) {
        if (r < rows) EACH(v, vectors) {
                float *to = c + row[r].c + v * LANES;
                if (g->add) sum[r][v] += LOAD(to);
                STORE(to, sum[r][v]);
            }
    }
}

TARGET static void NAME(multiply)(const gt__pixel_product *g) {
    const float *b = g->b;
    int64_t j = 0;
    for (; j + 2 * LANES <= g->n; j += 2 * LANES, b += g->b_panel)
        for (int64_t i = 0; i < g->m; i += TILE_ROWS) NAME(tile)(TILE_ROWS, 2, g, i, b, g->c + j);
    if (j < g->n)
        for (int64_t i = 0; i < g->m; i += 2 * TILE_ROWS)
            NAME(tile)(2 * TILE_ROWS, 1, g, i, b, g->c + j);
}

static const gt__pixel_loops NAME(loops) = {sizeof(VECTOR) / sizeof(float), NAME(turn),
                                            NAME(multiply)};

#undef VECTOR
#undef LANES
#undef LOAD
#undef STORE
#undef NAME
#undef TARGET
#undef VECTOR_BYTES
#undef TILE_ROWS
