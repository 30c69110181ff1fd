/* ops/pixels_kernel.h: the loops of pixels.h for one instruction set. pixels.c includes this file once for each,
 * having defined NAME(x), TARGET, VECTOR_BYTES (sizeof(float) for plain C) and TILE_ROWS, the rows of a product
 * held in registers where each is two vectors wide; they are undefined at the end. */
#define REAL float
#include "ops/vector_kernel.h"

#include "ops/turn_kernel.h"
#undef REAL

#define VECTOR NAME(vector)
#define LANES ((int64_t)(sizeof(VECTOR) / sizeof(float)))
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))

#ifdef SHUFFLE
/* A cache fetches a row of `count` planes of an image while others are turned: no processor foresees them. */
TARGET static inline ALWAYS_INLINE void NAME(fetch)(const float *row, int64_t plane, int64_t count,
                                                    int64_t n) {
    enum { CACHE_LINE = 64 / sizeof(float) };
    for (int64_t at = 0; at < n; at += CACHE_LINE)
        for (int64_t i = 0; i < count; i++) GT__PREFETCH(row + i * plane + at);
}

/* Lines of pixels, to rows of planes. Here and below lines and elements are multiples of 4. */
TARGET static void NAME(to_planes)(float *restrict to, int64_t to_row, int64_t plane,
                                   const float *restrict from, int64_t from_row, int64_t from_step,
                                   int64_t rows, int64_t lines, int64_t elements) {
    for (int64_t j = 0; j < elements; j += 4)
        for (int64_t r = 0; r < rows; r++) {
            float *const row = to + r * to_row + j * plane;
            const float *const x = from + r * from_row + j;
            if (j + 4 < elements) NAME(fetch)(row + 4 * plane, plane, 4, lines);
            int64_t i = 0;
            for (; i + 8 <= lines; i += 8)
                NAME(turn_eight)(row + i, plane, x + i * from_step, from_step);
            if (i < lines) NAME(turn_four)(row + i, plane, x + i * from_step, from_step);
        }
}

TARGET static void NAME(from_planes)(float *restrict to, int64_t to_row, int64_t to_step,
                                     const float *restrict from, int64_t from_row, int64_t plane,
                                     int64_t rows, int64_t lines, int64_t elements) {
    for (int64_t i = 0, count = 0; i < lines; i += count) {
        count = i + 8 <= lines ? 8 : 4;
        const int64_t left = lines - i - count, next = left < 8 ? left : 8;
        for (int64_t r = 0; r < rows; r++) {
            const float *const row = from + r * from_row + i * plane;
            float *const y = to + r * to_row + i;
            NAME(fetch)(row + count * plane, plane, next, elements);
            for (int64_t j = 0; count == 8 && j < elements; j += 4)
                NAME(turn_eight)(y + j * to_step, to_step, row + j, plane);
            for (int64_t j = 0; count == 4 && j < elements; j += 4)
                NAME(turn_four)(y + j * to_step, to_step, row + j, plane);
        }
    }
}
#endif

TARGET static void NAME(turn)(float *restrict to, int64_t to_row, int64_t to_step,
                              const float *restrict from, int64_t from_row, int64_t from_step,
                              int64_t rows, int64_t lines, int64_t elements) {
    int64_t turned_lines = 0, turned = 0;
#ifdef SHUFFLE
    turned_lines = lines / 4 * 4;
    turned = elements / 4 * 4;
    (to_step > from_step ? NAME(to_planes) : NAME(from_planes))(to, to_row, to_step, from, from_row,
                                                                from_step, rows, turned_lines,
                                                                turned);
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
    VECTOR sum[LONE_ROWS][2] = {0};
    const int64_t rows = g->m - i < tile_rows ? g->m - i : tile_rows;
    const gt__row_pair *row = g->row + i;
    int64_t at[LONE_ROWS];
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
        for (int64_t i = 0; i < g->m; i += LONE_ROWS) NAME(tile)(LONE_ROWS, 1, g, i, b, g->c + j);
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
