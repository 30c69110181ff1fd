/*
 * gemm_kernel.h: the inner loops of the matrix product for one element type and one instruction
 * set.
 *
 * gemm.c includes this file once for each pair, having defined
 *     NAME(x)       x with a suffix that names the pair
 *     TARGET        the attribute that allows the instruction set, or nothing
 *     REAL          float or double
 *     VECTOR_BYTES  the size of a vector register, or sizeof(REAL) for plain C
 *     LETTER        "s" or "d", where the processor has AVX and fused multiply-adds
 *     PAIRS         where a float stands for two numbers of bf16: then gemm_round.h comes first
 *     MASKED        letter "s" or "d" of the intrinsic functions, where the processor can load and store some lanes
 *     TILE_ROWS     the tile held in registers has this many rows ...
 *     TILE_VECTORS  ... each of this many vectors
 * and undefines them at the end. It gives NAME(kernel), the table that the driver in gemm.c works
 * with.
 *
 * Every loop below adds a * b to its sum in increasing order of p. That is the whole reason why all
 * of them, and every lane and tail in them, give the same bits; keep it so.
 */
#include "vector_kernel.h"

#define VECTOR NAME(vector)
#define LANES ((int64_t)(sizeof(VECTOR) / sizeof(REAL)))
#define TILE_COLUMNS (TILE_VECTORS * LANES)
#define STRIP_VECTORS 4
#define STRIP (STRIP_VECTORS * LANES)
#define STRIP_DEPTH 64
#define MANY_REGISTERS (TILE_ROWS == 8)
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))

/* gcc reads a vector once for each use, and moves sums from register to register: a tenth of the time. Its address
   sanitizer does not see what assembler reads from memory. */
#ifdef LETTER
#ifdef __SANITIZE_ADDRESS__
#define FROM "v"
#else
#define FROM "m"
#endif
#define BROADCAST(to, real) __asm__("vbroadcasts" LETTER " %1, %0" : "=v"(to) : FROM(real))
#else
#define BROADCAST(to, real)                                                                        \
    (to) = (real) - (VECTOR) { 0 }
#endif

#ifdef PAIRS
#define ADD_PRODUCT(sum, a, b) __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#elif defined(LETTER)
#define ADD_PRODUCT(sum, a, b)                                                                     \
    __asm__("vfmadd231p" LETTER " %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
#else
#define ADD_PRODUCT(sum, a, b) (sum) += (a) * (b)
#endif

/* Words of pairs lie in memory as rows of B only where it has one column. */
#ifdef PAIRS
#define READS_B false
#else
#define READS_B true
#endif

/* The first `count` lanes, zeros for the others. */
#ifdef MASKED
#define HAS_MASKS true
#define FIRST(count) ((MASK)((1U << (count)) - 1))
#define LOAD_SOME(p, count) MASKED(_mm512_maskz_loadu)(FIRST(count), p)
#define STORE_SOME(p, count, v) MASKED(_mm512_mask_storeu)(p, FIRST(count), v)
#else
#define HAS_MASKS false
#define LOAD_SOME(p, count) LOAD(p)
#define STORE_SOME(p, count, v) STORE(p, v)
#endif

#include "turn_kernel.h"

/* Copies `count` lines of x, `across` apart, into a panel of `width` lines, so that the elements of
   equal depth are neighbours. Missing lines become zeros, or whatever stands behind the others in x:
   edge tiles then run the same code as the rest, and nobody looks at what they make of these. */
TARGET static inline ALWAYS_INLINE void NAME(pack)(REAL *restrict panel, int64_t width,
                                                   const REAL *restrict x, int64_t count,
                                                   int64_t across, int64_t depth, int64_t along) {
    const int64_t end = (depth - 1) * along + count; /* of what may be read */
    int64_t lines = 0, turned = 0, first = 0;        /* done, of count and of depth */
    if (across == 1)
        for (; first < depth && (count == width || first * along + width <= end); first++)
            memcpy(panel + first * width, x + first * along, (size_t)width * sizeof(REAL));
#ifdef SHUFFLE
    if (along == 1) {
        lines = count / 4 * 4;
        turned = depth / 4 * 4;
        for (int64_t i = 0; i < lines; i += 4)
            for (int64_t p = 0; p < turned; p += 4)
                NAME(turn_four)(panel + p * width + i, width, x + i * across + p, across);
    }
#endif
    for (int64_t p = first; p < depth; p++) {
        for (int64_t i = p < turned ? lines : 0; i < count; i++)
            panel[p * width + i] = x[i * across + p * along];
        for (int64_t i = count; i < width; i++) panel[p * width + i] = 0;
    }
}

TARGET static void NAME(pack_a)(PACK_PARAMETERS) {
    NAME(pack)(panel, TILE_ROWS, x, count, across, depth, along);
}

TARGET static void NAME(pack_b)(PACK_PARAMETERS) {
    NAME(pack)(panel, TILE_COLUMNS, x, count, across, depth, along);
}

/* The first `count` lanes, or all. */
TARGET static inline ALWAYS_INLINE void NAME(put)(REAL *to, const REAL *sum, int64_t count,
                                                  bool add) {
    if (count >= LANES) {
        VECTOR all = LOAD(sum);
        if (add) all += LOAD(to);
        STORE(to, all);
    } else
        for (int64_t j = 0; j < count; j++) to[j] = add ? to[j] + sum[j] : sum[j];
}

/* What a tile has of a part of C that is smaller, or whose columns are no neighbours. */
TARGET static NEVER_INLINE void NAME(put_part)(part c, const REAL *sum) {
    for (int64_t i = 0; i < c.rows; i++, sum += TILE_COLUMNS) {
        REAL *to = (REAL *)c.at + i * c.row;
        for (int64_t j = 0; !HAS_MASKS && j < c.columns && c.col == 1; j += LANES)
            NAME(put)(to + j, sum + j, c.columns - j, c.add);
        for (int64_t j = 0; j < c.columns && c.col != 1; j++)
            to[j * c.col] = c.add ? to[j * c.col] + sum[j] : sum[j];
    }
}

/* Adds the products of one depth: A's elements are neighbours, or `at` elements behind each row's first. Of the last
   vector of B there are `rest` lanes at `edges`. */
TARGET static inline ALWAYS_INLINE void NAME(add_products)(VECTOR sum[TILE_ROWS][TILE_VECTORS],
                                                           int64_t vectors, bool edges,
                                                           int64_t rest, bool together,
                                                           const REAL *const row[TILE_ROWS],
                                                           int64_t at, const REAL *restrict b) {
    VECTOR line[TILE_VECTORS], all;
    const int64_t whole = edges ? vectors - 1 : vectors;
    EACH(v, whole) { line[v] = LOAD(b + v * LANES); }
    if (edges) line[whole] = LOAD_SOME(b + whole * LANES, rest);
    (void)rest;
    EACH(i, TILE_ROWS) {
        const REAL *const from = together ? row[0] + at + i : row[i] + at;
        // cppcheck-suppress uninitvar; it is filled here
        BROADCAST(all, *from);
        EACH(v, vectors) { ADD_PRODUCT(sum[i][v], all, line[v]); }
    }
}

/* One tile, at most `vectors` wide: part of C (+)= rows of A times columns of B. Where A has fewer rows, the last
   stands for the others. C, which may be far away, is asked for before it is needed. */
TARGET static inline ALWAYS_INLINE void NAME(tile)(int64_t vectors, bool edges, bool together,
                                                   int64_t depth, left_rows a,
                                                   const REAL *restrict b, int64_t b_row, part c) {
    VECTOR sum[TILE_ROWS][TILE_VECTORS] = {0};
    const int64_t lines = together ? 1 : TILE_ROWS, rest = c.columns - (vectors - 1) * LANES;
    const REAL *row[TILE_ROWS];
    EACH(i, lines) { row[i] = (const REAL *)a.at + (i < a.rows ? i : a.rows - 1) * a.row; }
    if (c.col == 1) {
        EACH(i, TILE_ROWS) {
            if (i < c.rows) EACH(v, vectors) {
                    GT__PREFETCH((const REAL *)c.at + i * c.row + v * LANES);
                }
        }
    }
    const REAL *const end = b + (depth - depth % 2) * b_row;
    int64_t at = 0;
    for (; b != end; at += 2 * a.col, b += 2 * b_row) {
        NAME(add_products)(sum, vectors, edges, rest, together, row, at, b);
        NAME(add_products)(sum, vectors, edges, rest, together, row, at + a.col, b + b_row);
    }
    if (depth % 2) NAME(add_products)(sum, vectors, edges, rest, together, row, at, b);
    if (c.col == 1 && (HAS_MASKS || (c.rows == TILE_ROWS && c.columns == vectors * LANES))) {
        EACH(i, TILE_ROWS) {
            if (!HAS_MASKS || i < c.rows) {
                REAL *const to = (REAL *)c.at + i * c.row, *const last = to + (vectors - 1) * LANES;
                EACH(v, vectors - 1) {
                    if (c.add) sum[i][v] += LOAD(to + v * LANES);
                    STORE(to + v * LANES, sum[i][v]);
                }
                if (c.add) sum[i][vectors - 1] += LOAD_SOME(last, rest);
                STORE_SOME(last, rest, sum[i][vectors - 1]);
            }
        }
        return;
    }
    REAL all[TILE_ROWS * TILE_COLUMNS];
    EACH(i, TILE_ROWS) {
        EACH(v, vectors) { STORE(all + i * TILE_COLUMNS + v * LANES, sum[i][v]); }
    }
    NAME(put_part)(c, all);
}

/* Tiles of rows of A, `next` elements apart, times a panel of B, which stays in the first-level cache. In both the
   pairs' elements follow one another; with several, both are packed. */
TARGET static inline ALWAYS_INLINE void NAME(tiles)(int64_t vectors, bool edges, bool together,
                                                    int64_t pairs, int64_t depth, left_rows a,
                                                    int64_t next, const REAL *b, int64_t b_row,
                                                    part c) {
    for (; c.rows > 0; c.rows -= TILE_ROWS, a.rows -= TILE_ROWS) {
        left_rows rows = a;
        part to = c;
        to.rows = c.rows < TILE_ROWS ? c.rows : TILE_ROWS;
        for (int64_t i = 0; i < pairs; i++, to.add = true) {
            rows.at = (const REAL *)a.at + i * depth * TILE_ROWS;
            NAME(tile)
            (vectors, edges, together, depth, rows, b + i * TILE_COLUMNS * depth, b_row, to);
        }
        a.at = (const REAL *)a.at + next;
        c.at = (REAL *)c.at + TILE_ROWS * c.row;
    }
}

TARGET static inline ALWAYS_INLINE void NAME(panel)(bool edges, bool together, int64_t pairs,
                                                    int64_t depth, left_rows a, int64_t next,
                                                    const REAL *b, int64_t b_row, part c) {
    // NOLINTBEGIN(bugprone-branch-clone): the same where a tile has two vectors
    if (c.columns <= LANES)
        NAME(tiles)(1, edges, together, pairs, depth, a, next, b, b_row, c);
    else if (c.columns <= 2 * LANES && TILE_VECTORS > 2)
        NAME(tiles)(2, edges, together, pairs, depth, a, next, b, b_row, c);
    else
        NAME(tiles)(TILE_VECTORS, edges, together, pairs, depth, a, next, b, b_row, c);
    // NOLINTEND(bugprone-branch-clone)
}

/* b_row 0: B is packed. Where it is not, its last vector may be part of one, and the last rows of A part of a tile. */
TARGET static void NAME(multiply)(int64_t pairs, int64_t depth, left_rows a, int64_t next,
                                  const void *b, int64_t b_row, part c) {
    const left_rows along = {a.at, a.rows, a.row, 1}, across = {a.at, a.rows, 1, a.col};
    const int64_t step = b_row ? b_row : TILE_COLUMNS;
    if (READS_B && HAS_MASKS && b_row && (c.columns % LANES || (a.row == 1 && c.rows % TILE_ROWS)))
        NAME(panel)(true, false, 1, depth, a, next, b, step, c);
    else if (a.row == 1)
        NAME(panel)(false, true, pairs, depth, across, next, b, step, c);
    else
        NAME(panel)(false, false, 1, depth, along, next, b, step, c);
}

#ifndef PAIRS
/* sum[rows, STRIP] += some rows of A times a strip of B whose rows are contiguous. */
TARGET static inline ALWAYS_INLINE void NAME(strip)(int64_t rows, int64_t depth,
                                                    const REAL *restrict a, int64_t a_row,
                                                    int64_t a_col, const REAL *restrict b,
                                                    int64_t b_row, REAL *restrict sum) {
    VECTOR s[THIN][STRIP_VECTORS], all;
    EACH(i, rows) {
        EACH(v, STRIP_VECTORS) { s[i][v] = LOAD(sum + i * STRIP + v * LANES); }
    }
    for (int64_t p = 0; p < depth; p++) {
        EACH(i, rows) {
            // cppcheck-suppress uninitvar; it is filled here
            BROADCAST(all, a[i * a_row + p * a_col]);
            EACH(v, STRIP_VECTORS) { ADD_PRODUCT(s[i][v], all, LOAD(b + p * b_row + v * LANES)); }
        }
    }
    EACH(i, rows) {
        EACH(v, STRIP_VECTORS) { STORE(sum + i * STRIP + v * LANES, s[i][v]); }
    }
}

#define STRIP_OF(rows)                                                                             \
    TARGET static NEVER_INLINE void NAME(strip_##rows)(int64_t depth, const void *a,               \
                                                       int64_t a_row, int64_t a_col,               \
                                                       const void *b, int64_t b_row, void *sum) {  \
        NAME(strip)(rows, depth, a, a_row, a_col, b, b_row, sum);                                  \
    }
STRIP_OF(1)
STRIP_OF(2)
#if MANY_REGISTERS
STRIP_OF(3)
STRIP_OF(4)
STRIP_OF(5)
STRIP_OF(6)
#endif
#undef STRIP_OF

/* By the number of rows. */
static add_strip *const NAME(strips)[] = {
    NAME(strip_1), NAME(strip_2),
#if MANY_REGISTERS
    NAME(strip_3), NAME(strip_4), NAME(strip_5), NAME(strip_6),
#endif
};

/* sum[g->m, STRIP] = A[:, p..] B[p.., j..] over one block of k and at most STRIP columns. */
TARGET static void NAME(strip_block)(const product *g, int64_t p, int64_t depth, int64_t j,
                                     int64_t count, REAL *sum) {
    const int64_t most = sizeof NAME(strips) / sizeof *NAME(strips);
    REAL panel[STRIP * STRIP_DEPTH];
    memset(sum, 0, (size_t)(g->m * STRIP) * sizeof(REAL));
    for (int64_t end = p + depth, step; p < end; p += step) {
        step = end - p < STRIP_DEPTH ? end - p : STRIP_DEPTH;
        const REAL *b = (const REAL *)g->b + p * g->b_row + j * g->b_col;
        int64_t b_row = g->b_row;
        if (g->b_col != 1 || count < STRIP) {
            NAME(pack)(panel, STRIP, b, count, g->b_col, step, b_row);
            b = panel;
            b_row = STRIP;
        }
        const REAL *a = (const REAL *)g->a + p * g->a_col;
        for (int64_t i = 0, rows; i < g->m; i += rows) {
            rows = g->m - i < most ? g->m - i : most;
            add_strip *const add = NAME(strips)[rows - 1];
            add(step, a + i * g->a_row, g->a_row, g->a_col, b, b_row, sum + i * STRIP);
        }
    }
}

/* Columns [from, to) of a product with at most THIN rows. */
TARGET static void NAME(thin)(const product *g, int64_t from, int64_t to) {
    const int64_t block = block_depth(g->k);
    REAL sum[THIN * STRIP];
    for (int64_t j = from; j < to; j += STRIP) {
        const int64_t count = to - j < STRIP ? to - j : STRIP;
        for (int64_t p = 0; p < g->k; p += block) {
            NAME(strip_block)(g, p, g->k - p < block ? g->k - p : block, j, count, sum);
            for (int64_t i = 0; i < g->m; i++)
                for (int64_t s = 0; s < count; s++) {
                    REAL *at = (REAL *)g->c + i * g->c_row + (j + s) * g->c_col;
                    *at = g->accumulate || p > 0 ? *at + sum[i * STRIP + s] : sum[i * STRIP + s];
                }
        }
    }
}

#endif

/* Adds numbers to every step-th. */
TARGET static void NAME(add)(void *to, int64_t step, const void *from, int64_t count) {
    REAL *const y = to;
    const REAL *const x = from;
    int64_t j = 0;
    for (; step == 1 && j + LANES <= count; j += LANES) STORE(y + j, LOAD(x + j) + LOAD(y + j));
    for (; j < count; j++) y[j * step] = x[j] + y[j * step];
}

#ifdef PAIRS
#define PACKERS(pack)                                                                              \
    { NAME(pack), NAME(pack##_halves), NAME(pack##_floats) }
#define THIN_LOOP NULL
#else
#define PACKERS(pack)                                                                              \
    { NAME(pack) }
#define THIN_LOOP NAME(thin)
#endif

/* clang-format off */
static const kernel NAME(kernel) = {
    .rows = TILE_ROWS, .columns = TILE_COLUMNS, .lanes = LANES, .size = sizeof(REAL),
    .masks = HAS_MASKS, .reads_b = READS_B,
    .pack_a = PACKERS(pack_a), .pack_b = PACKERS(pack_b),
    .multiply = NAME(multiply), .thin = THIN_LOOP, .add = NAME(add),
};
/* clang-format on */

#undef VECTOR
#undef LANES
#undef TILE_COLUMNS
#undef STRIP_VECTORS
#undef STRIP
#undef STRIP_DEPTH
#undef MANY_REGISTERS
#undef LOAD
#undef STORE
#undef FROM
#undef BROADCAST
#undef ADD_PRODUCT
#undef LETTER
#undef PAIRS
#undef PACKERS
#undef THIN_LOOP
#undef MASKED
#undef MASK
#undef HAS_MASKS
#undef READS_B
#undef FIRST
#undef LOAD_SOME
#undef STORE_SOME
#undef NAME
#undef TARGET
#undef REAL
#undef VECTOR_BYTES
#undef TILE_ROWS
#undef TILE_VECTORS
