/* ops/pixels_kernel.h: the loops of pixels.h for one instruction set. pixels.c includes this file once for each,
 * having defined NAME(x), TARGET, VECTOR_BYTES (sizeof(float) for plain C) and TILE_ROWS, the rows of a product
 * held in registers; they are undefined at the end. */
#define REAL float
#include "ops/vector_kernel.h"

#include "ops/turn_kernel.h"
#undef REAL

#define VECTOR NAME(vector)
#define LANES ((int64_t)(sizeof(VECTOR) / sizeof(float)))
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))

/* One side is planes of an image: four at a time, while the next four, which no processor foresees, are fetched. */
TARGET static void NAME(turn)(float *restrict to, int64_t to_row, int64_t to_step,
                              const float *restrict from, int64_t from_row, int64_t from_step,
                              int64_t rows, int64_t lines, int64_t elements) {
    int64_t turned_lines = 0, turned = 0;
#ifdef SHUFFLE
    const bool to_planes = to_step > from_step;
    turned_lines = lines / 4 * 4;
    turned = elements / 4 * 4;
    const int64_t planes = to_planes ? turned : turned_lines,
                  along = to_planes ? turned_lines : turned;
    for (int64_t p = 0; p < planes; p += 4)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t n = 0; n < along; n += 4) {
                const int64_t i = to_planes ? n : p, j = to_planes ? p : n;
                float *const t = to + r * to_row + j * to_step + i;
                const float *const f = from + r * from_row + i * from_step + j;
                for (int64_t next = 4; next < 8 && p + next < planes; next++)
                    to_planes ? __builtin_prefetch(t + next * to_step, 1)
                              : __builtin_prefetch(f + next * from_step);
                NAME(turn_four)(t, to_step, f, from_step);
            }
#endif
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < lines; i++)
            for (int64_t j = i < turned_lines ? turned : 0; j < elements; j++)
                to[r * to_row + j * to_step + i] = from[r * from_row + i * from_step + j];
}

/* Where fewer rows are left, the last stands for the others. */
TARGET static inline ALWAYS_INLINE void NAME(tile)(int64_t vectors, const gt__pixel_product *g,
                                                   int64_t i, const float *restrict b, float *c) {
    VECTOR sum[TILE_ROWS][2] = {0};
    const int64_t rows = g->m - i < TILE_ROWS ? g->m - i : TILE_ROWS;
    const gt__row_pair *row = g->row + i;
    int64_t at[TILE_ROWS];
    EACH(r, TILE_ROWS) { at[r] = row[r < rows ? r : rows - 1].a; }
    for (int64_t s = 0; s < g->slabs; s++) {
        const float *restrict a = g->a + g->slab[s];
        for (int64_t p = 0; p < g->depth; p++, a += g->a_col, b += g->b_row) {
            EACH(r, TILE_ROWS) {
                EACH(v, vectors) { sum[r][v] += a[at[r]] * LOAD(b + v * LANES); }
            }
        }
    }
    EACH(r, TILE_ROWS) {
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
        for (int64_t i = 0; i < g->m; i += TILE_ROWS) NAME(tile)(2, g, i, b, g->c + j);
    if (j < g->n)
        for (int64_t i = 0; i < g->m; i += TILE_ROWS) NAME(tile)(1, g, i, b, g->c + j);
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
