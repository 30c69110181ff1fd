/*
 * gemm.c: the matrix product: which kernel, which blocks, which threads.
 *
 * The usual scheme: blocks of A and B that fit the caches are copied ("packed") into panels in the
 * order in which the tile loop reads them; the tile loop (gemm_kernel.h, compiled for each
 * instruction set and chosen when called) keeps a tile of C in registers, and a panel of B in the
 * first-level cache. Where copying costs more than it gains, because few tiles read the copy or
 * memory has that order already, A or B is read where it lies. Thin products have a loop of their own.
 *
 * Threads have little in common but what they read: each makes parts of C, or of C's sums where those are divided,
 * from what it packs itself.
 * That packs some of A or B twice, but nobody waits for another, and what a core reads again it has in
 * its own caches: from another's it would come more slowly than from memory.
 *
 * This file wants -ffp-contract=fast, so that a * b + c is one fused instruction where the
 * processor has it: half the time, one rounding less. Without, it is right but slower.
 */
#include "gemm.h"

#include <string.h>

#include "graph/threads.h"
#include "graph/wide.h"
#include "unroll.h"

#ifdef GT_WITH_CBLAS
#include <cblas.h>
#include <limits.h>
#endif
#ifdef GT_WITH_ONEDNN
#include "onednn.h"
#endif
/* What an operand is made of: the words that the kernel multiplies, or what packing makes a word of: two numbers of bf16,
   which are no neighbours, or two floats, which are rounded. */
typedef enum { WORDS, HALVES, FLOATS, KINDS } kind;

/* As gt__gemm_job, with a column stride for C, so that it can be turned into C' = B' A'. Of bf16, k counts words: pairs of
   numbers; the strides remain those of the operand's elements, along k from one word to the next. */
typedef struct {
    int64_t m, n, k;
    const void *a;
    int64_t a_row, a_col;
    const void *b;
    int64_t b_row, b_col;
    kind a_kind, b_kind;
    void *c;
    int64_t c_row, c_col;
    bool accumulate;
    const gt__gemm_pair *more;
    int64_t n_more;
    int64_t skip_a, skip_b; /* elements of A and B, and of all pairs', before those that are read */
    bool turned;            /* more has a and b in each other's place */
    const void *packed; /* B, never when turned; of it the panels from skip_panels on are read */
    int64_t packed_lines, skip_panels;
} product;

#define PACK_PARAMETERS                                                                            \
    void *panel, const void *x, int64_t count, int64_t across, int64_t depth, int64_t along

/* Rows of A: those that may be read, and how far apart rows and their elements are. */
typedef struct {
    const void *at;
    int64_t rows, row, col;
} left_rows;

/* Elements [from, from + depth) of the summed axis, of some pairs. */
typedef struct {
    int64_t pair, pairs, from, depth;
} stretch;

/* A part of C that is computed, or added to. */
typedef struct {
    void *at;
    int64_t rows, columns, row, col;
    bool add;
} part;

typedef void packer(PACK_PARAMETERS);

/* Adds rows of A times a strip of B, whose rows are contiguous, to sums of which each row is a strip. */
typedef void add_strip(int64_t depth, const void *a, int64_t a_row, int64_t a_col, const void *b,
                       int64_t b_row, void *sum);

typedef struct {
    int64_t rows, columns, lanes; /* of a tile, and of a vector */
    bool masks;                   /* part of a vector can be read */
    bool reads_b;                 /* rows of B can be read where they lie */
    size_t size;                  /* of a word: an element, or two of bf16 */
    packer *pack_a[KINDS], *pack_b[KINDS];
    void (*multiply)(int64_t pairs, int64_t depth, left_rows a, int64_t next, const void *b,
                     int64_t b_row, part c);
    void (*thin)(const product *g, int64_t from, int64_t to); /* NULL: as others are made */
    void (*add)(void *to, int64_t step, const void *from, int64_t count);
} kernel;

enum {
    BLOCK_ROWS = 1056,    /* of packed A: a multiple of every tile's rows */
    BLOCK_COLUMNS = 1056, /* of packed B: a multiple of every tile's columns */
    CHUNK_COLUMNS = 192,  /* packed at a time where nobody waits: second-level cache */
    TASK_ROWS = 96,       /* of A per task */
    PACK_DEPTH = 32,      /* packed at a time of lines that are neighbours */
    FEW_TILES = 16,       /* of rows of C, which pay for no packing of B */
    FEW_COLUMNS = 128,    /* of C, likewise of A */
    MAX_TILE_ROWS = 8,
    MAX_TILE_COLUMNS = 48,
    THIN_COLUMNS = 256, /* of C per part of a thin product, at least */
    THIN = 6,           /* rows: up to here packing costs more than it gains */
    WORTH_THREADS =
        1 << 21, /* multiplications: for fewer, waking threads costs more than it gains */
    WORTH_PACKING = 1 << 18, /* elements: up to here, likewise */
    WORTH_A_PART = 1 << 23,  /* multiplications: parts that are larger may be divided, ... */
    PARTS = 4, /* ... up to so many for each thread: one may be slower than the next */
    /* Of C: lines of its shorter side, and elements; and blocks of k that are divided among threads. */
    DEEP_LINES = 128,
    DEEP_RESULT = 1 << 16,
    DEEP_BLOCKS = 16
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

/* Equal blocks waste less than full ones and a rest. A function of k alone: see the summation order
   in gemm.h. */
static int64_t block_depth(int64_t k) {
    return k > 0 ? ceil_div(k, ceil_div(k, GT__GEMM_BLOCK)) : 0;
}
int64_t gt__gemm_depth(int64_t k) { return block_depth(k); }

/* Explicit targets rather than target_clones: one way for gcc and clang, no ifunc, which sanitizers
   and static linking dislike. */
#if defined(__GNUC__) && defined(__x86_64__)
#define GEMM_X86 1
#include <immintrin.h>

#define NAME(x) x##_f32_avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define REAL float
#define LETTER "s"
#define MASKED(load_or_store) load_or_store##_ps
#define MASK __mmask16
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#include "gemm_kernel.h"

#define NAME(x) x##_f64_avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define REAL double
#define LETTER "d"
#define MASKED(load_or_store) load_or_store##_pd
#define MASK __mmask8
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#include "gemm_kernel.h"

#define NAME(x) x##_bf16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512bf16,fma")))
#define REAL float
#define LETTER "s"
#define PAIRS
#define MASKED(load_or_store) load_or_store##_ps
#define MASK __mmask16
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#include "gemm_round.h"

#include "gemm_kernel.h"

#define NAME(x) x##_f32_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define REAL float
#define LETTER "s"
#define VECTOR_BYTES 32
#define TILE_ROWS 4
#define TILE_VECTORS 3
#include "gemm_kernel.h"

#define NAME(x) x##_f64_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define REAL double
#define LETTER "d"
#define VECTOR_BYTES 32
#define TILE_ROWS 4
#define TILE_VECTORS 3
#include "gemm_kernel.h"
#endif

/* Small rather than quick where nearly every processor has better. */
#ifdef GEMM_X86
#define GENERIC_TARGET __attribute__((cold))
#else
#define GENERIC_TARGET
#endif

#if defined(__GNUC__)
#define GENERIC_VECTOR_BYTES 16
#define GENERIC_TILE_VECTORS 2
#else
#define GENERIC_VECTOR_BYTES sizeof(REAL)
#define GENERIC_TILE_VECTORS 4
#endif

#define NAME(x) x##_f32
#define TARGET GENERIC_TARGET
#define REAL float
#define VECTOR_BYTES GENERIC_VECTOR_BYTES
#define TILE_ROWS 4
#define TILE_VECTORS GENERIC_TILE_VECTORS
#include "gemm_kernel.h"

#define NAME(x) x##_f64
#define TARGET GENERIC_TARGET
#define REAL double
#define VECTOR_BYTES GENERIC_VECTOR_BYTES
#define TILE_ROWS 4
#define TILE_VECTORS GENERIC_TILE_VECTORS
#include "gemm_kernel.h"

enum { BF16 = 2 }; /* bytes of an element */

/* NULL: there is none. */
static const kernel *kernel_for(size_t element_size) {
    const bool single = element_size == sizeof(float);
#ifdef GEMM_X86
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma");
    if (element_size == BF16)
        return wide && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16")
                   ? &kernel_bf16
                   : NULL;
    if (wide) return single ? &kernel_f32_avx512 : &kernel_f64_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return single ? &kernel_f32_avx2 : &kernel_f64_avx2;
#endif
    if (element_size == BF16) return NULL;
    return single ? &kernel_f32 : &kernel_f64;
}

static const void *element(const kernel *kr, const void *base, int64_t index) {
    return (const char *)base + index * (int64_t)kr->size;
}

/* Of an operand. */
static const void *operand(const kernel *kr, kind of, const void *base, int64_t index) {
    const size_t size = of == HALVES ? BF16 : of == FLOATS ? sizeof(float) : kr->size;
    return (const char *)base + index * (int64_t)size;
}

static void *place(const kernel *kr, void *base, int64_t index) {
    return (char *)base + index * (int64_t)kr->size;
}

static product transposed(const product *g) {
    /* clang-format off */
    return (product){
        .m = g->n, .n = g->m, .k = g->k, .accumulate = g->accumulate,
        .a = g->b, .a_row = g->b_col, .a_col = g->b_row, .a_kind = g->b_kind,
        .b = g->a, .b_row = g->a_col, .b_col = g->a_row, .b_kind = g->a_kind,
        .c = g->c, .c_row = g->c_col, .c_col = g->c_row,
        .more = g->more, .n_more = g->n_more, .turned = !g->turned,
    };
    /* clang-format on */
}

/* Is there a loop of its own for so short a side? */
static bool is_thin(const kernel *kr, int64_t side) { return kr->thin && side <= THIN; }

/* Tiles so wide that the product takes, edge tiles counted as whole ones. */
static double tiles(const kernel *kr, int64_t m, int64_t n, int64_t width) {
    return (double)ceil_div(m, kr->rows) * (double)ceil_div(n, width);
}

/* Thin products want their long side along C's rows; others, the way that fills the tiles better, if much better. Then A
   is read as it lies if that is across its rows; else it must be turned, and is worth that only for few lanes. */
static bool better_transposed(const kernel *kr, int64_t m, int64_t n, bool across) {
    const int64_t width = across ? kr->columns : kr->lanes;
    const double much = across ? 1.5 : 2.1;
    if (is_thin(kr, least(m, n))) return n < m;
    return much * tiles(kr, n, m, width) < tiles(kr, m, n, width);
}

/* The way round that suits our kernels. */
static product best_way(const kernel *kr, const product *g) {
    return !g->packed && better_transposed(kr, g->m, g->n, g->a_row == 1) ? transposed(g) : *g;
}

/* The first elements that are read. */
static gt__gemm_pair pair_of(const kernel *kr, const product *g, int64_t i) {
    gt__gemm_pair p = {g->a, g->b};
    if (i > 0) p = g->more[i - 1];
    if (i > 0 && g->turned) p = (gt__gemm_pair){p.b, p.a};
    return (gt__gemm_pair){operand(kr, g->a_kind, p.a, g->skip_a),
                           operand(kr, g->b_kind, p.b, g->skip_b)};
}

/* The product of one pair, added to those before. */
static product one_of(const kernel *kr, const product *g, int64_t i) {
    const gt__gemm_pair pair = pair_of(kr, g, i);
    product one = *g;
    one.a = pair.a, one.b = pair.b;
    one.skip_a = one.skip_b = one.n_more = 0;
    one.accumulate = g->accumulate || i > 0;
    return one;
}

static void run_thin(const kernel *kr, const product *g) {
    for (int64_t i = 0; i <= g->n_more; i++) {
        const product one = one_of(kr, g, i);
        kr->thin(&one, 0, g->n);
    }
}

/* The first column of B's panel i; their number for those after the last. One vector alone has too few sums to keep
   the processor busy, so where three make a panel, and one would be left, the last two panels get two each. */
static int64_t panel_start(const kernel *kr, int64_t columns, int64_t i) {
    const int64_t last = ceil_div(columns, kr->columns) - 1;
    const bool alone = columns - last * kr->columns <= kr->lanes && kr->columns == 3 * kr->lanes;
    if (i > last) return columns;
    return i * kr->columns - (alone && i == last && last > 0 ? kr->lanes : 0);
}

/* `count` lines of x, `across` apart, that become panels of `width` lines, `next` elements apart: rows of A, or columns
   of B. */
typedef struct {
    const kernel *kr;
    bool rows;
    int64_t width;
    void *panels;
    int64_t next;
    kind of;
    const void *x;
    int64_t count, across, depth, along;
} pack_job;

static void pack_panel(const pack_job *k, int64_t i, int64_t from, int64_t depth) {
    const int64_t start = k->rows ? i * k->width : panel_start(k->kr, k->count, i);
    const int64_t end =
        k->rows ? least(start + k->width, k->count) : panel_start(k->kr, k->count, i + 1);
    packer *const how = (k->rows ? k->kr->pack_a : k->kr->pack_b)[k->of];
    how(place(k->kr, k->panels, i * k->next + from * k->width),
        operand(k->kr, k->of, k->x, start * k->across + from * k->along), end - start, k->across,
        depth, k->along);
}

/* Lines that are neighbours stand in common cache lines: some elements of all, before the next ones. */
static void pack(const pack_job *k) {
    const int64_t step = k->across == 1 ? PACK_DEPTH : k->depth,
                  panels = ceil_div(k->count, k->width);
    for (int64_t from = 0; from < k->depth; from += step)
        for (int64_t p = 0; p < panels; p++) pack_panel(k, p, from, least(k->depth - from, step));
}

/* Rows of A, from `first` on; a panel has the pairs' elements one after the other. */
static void pack_rows(const kernel *kr, const product *g, const stretch *s, void *panels,
                      int64_t first, int64_t rows) {
    for (int64_t i = 0; i < s->pairs; i++)
        pack(&(pack_job){kr, true, kr->rows, place(kr, panels, i * s->depth * kr->rows),
                         s->pairs * s->depth * kr->rows, g->a_kind,
                         operand(kr, g->a_kind, pair_of(kr, g, s->pair + i).a,
                                 first * g->a_row + s->from * g->a_col),
                         rows, g->a_row, s->depth, g->a_col});
}

/* Columns of B, likewise. */
static void pack_columns(const kernel *kr, const product *g, const stretch *s, void *panels,
                         int64_t first, int64_t columns) {
    for (int64_t i = 0; i < s->pairs; i++)
        pack(&(pack_job){kr, false, kr->columns, place(kr, panels, i * s->depth * kr->columns),
                         s->pairs * s->depth * kr->columns, g->b_kind,
                         operand(kr, g->b_kind, pair_of(kr, g, s->pair + i).b,
                                 s->from * g->b_row + first * g->b_col),
                         columns, g->b_col, s->depth, g->b_row});
}

/* Columns of B: panels; or rows where they lie, `row` elements apart, and the last panel packed if it has to be. */
typedef struct {
    const void *panels, *rows, *last;
    int64_t row;
} right_columns;

/* A part of C (+)= rows of A, whose tiles are `next` elements apart, times columns of B. */
typedef struct {
    const kernel *kr;
    const stretch *s;
    left_rows a;
    int64_t next;
    right_columns b;
    part c;
} multiply_job;

/* Tiles of rows that a task has: they stay in the second-level cache. All have as many. */
static int64_t height_of(const multiply_job *k) {
    return ceil_div(ceil_div(k->c.rows, k->kr->rows), ceil_div(k->c.rows, TASK_ROWS));
}

/* Where a panel of B begins, and how far apart its rows are; 0: packed. */
static const void *find_panel(const multiply_job *k, int64_t panel, int64_t *row) {
    const kernel *kr = k->kr;
    *row = 0;
    if (!k->b.rows)
        return element(kr, k->b.panels, panel * kr->columns * k->s->pairs * k->s->depth);
    if (k->b.last && panel + 1 == ceil_div(k->c.columns, kr->columns)) return k->b.last;
    *row = k->b.row;
    return element(kr, k->b.rows, panel_start(kr, k->c.columns, panel));
}

/* A panel of B and some tiles' rows. */
static void multiply_panel(const multiply_job *k, int64_t task) {
    const kernel *kr = k->kr;
    const int64_t panels = ceil_div(k->c.columns, kr->columns), height = height_of(k);
    const int64_t tile = task / panels * height, i = tile * kr->rows;
    const int64_t panel = task % panels, rows = least(k->c.rows - i, height * kr->rows);
    const int64_t j = panel_start(kr, k->c.columns, panel);
    const part c = k->c;
    int64_t b_row;
    const void *b = find_panel(k, panel, &b_row);
    kr->multiply(k->s->pairs, k->s->depth,
                 (left_rows){element(kr, k->a.at, tile * k->next), rows, k->a.row, k->a.col},
                 k->next, b, b_row,
                 (part){place(kr, c.at, i * c.row + j * c.col), rows,
                        panel_start(kr, c.columns, panel + 1) - j, c.row, c.col, c.add});
}

static void multiply_block(const multiply_job *k) {
    const int64_t down = ceil_div(ceil_div(k->c.rows, k->kr->rows), height_of(k));
    const int64_t tasks = down * ceil_div(k->c.columns, k->kr->columns);
    for (int64_t i = 0; i < tasks; i++) multiply_panel(k, i);
}

/* Lines of all panels that `columns` columns of B take. */
static int64_t padded(const kernel *kr, int64_t columns) {
    return ceil_div(columns, kr->columns) * kr->columns;
}

/* B need not be packed for few rows of C, as a product has, or a part of it. */
static bool reads_columns(const kernel *kr, const product *g, int64_t rows, int64_t pairs) {
    const bool lies =
        kr->reads_b && g->b_col == 1 && g->b_row != 0; /* 0 would say that it is packed */
    return pairs == 1 && !g->packed && lies && rows <= FEW_TILES * kr->rows;
}

/* Nor A where its rows are read along memory, or whole tiles across it for few columns. */
static bool reads_rows(const kernel *kr, const product *g, int64_t pairs) {
    const bool tiles = g->m % kr->rows == 0 || (kr->masks && reads_columns(kr, g, g->m, pairs));
    const bool along = g->a_col == 1 && g->a_row != 1;
    return pairs == 1 && g->a_kind == WORDS &&
           (along || (g->a_row == 1 && g->n <= FEW_COLUMNS && tiles));
}

/* B as it lies. */
static right_columns read_columns(const kernel *kr, const product *g, const stretch *s,
                                  void *scratch) {
    const void *rows = element(kr, pair_of(kr, g, s->pair).b, s->from * g->b_row);
    const bool ends = kr->masks || g->n % kr->lanes == 0;
    const pack_job k = {kr,   false, kr->columns, scratch,  0,       WORDS,
                        rows, g->n,  1,           s->depth, g->b_row};
    if (!ends) pack_panel(&k, ceil_div(g->n, kr->columns) - 1, 0, s->depth);
    return (right_columns){NULL, rows, ends ? NULL : scratch, g->b_row};
}

/* B as it was packed before: a block of k after the other, each with all panels. */
static right_columns take_panels(const kernel *kr, const product *g, const stretch *s) {
    const int64_t skipped = g->skip_panels * kr->columns * s->depth;
    return (right_columns){.panels = element(kr, g->packed, s->from * g->packed_lines + skipped)};
}

/* So much of B is packed at a time as the second-level cache holds, and found there. */
static void run_rows(const kernel *kr, const product *g, const stretch *s, int64_t first,
                     int64_t rows, void *scratch) {
    const int64_t depth = s->pairs * s->depth;
    const bool direct = reads_rows(kr, g, s->pairs), lies = reads_columns(kr, g, g->m, s->pairs);
    const int64_t width = g->packed || lies ? g->n : CHUNK_COLUMNS;
    void *const packed =
        place(kr, scratch, g->packed ? 0 : padded(kr, least(g->n, CHUNK_COLUMNS)) * depth);
    right_columns b = {.panels = scratch};
    left_rows a = {packed, rows, 1, kr->rows};
    if (direct)
        a = (left_rows){element(kr, pair_of(kr, g, s->pair).a,
                                first * g->a_row + s->from * g->a_col),
                        rows, g->a_row, g->a_col};
    else
        pack_rows(kr, g, s, packed, first, rows);
    if (g->packed) b = take_panels(kr, g, s);
    if (lies) b = read_columns(kr, g, s, scratch);
    for (int64_t j = 0; j < g->n; j += width) {
        const part c = {place(kr, g->c, first * g->c_row + j * g->c_col),
                        rows,
                        least(g->n - j, width),
                        g->c_row,
                        g->c_col,
                        g->accumulate || s->pair > 0 || s->from > 0};
        if (!g->packed && !lies) pack_columns(kr, g, s, scratch, j, c.columns);
        multiply_block(&(multiply_job){kr, s, a, kr->rows * (direct ? g->a_row : depth), b, c});
    }
}

/* Pairs are taken so many at a time as make a block together. */
static void run_packed(const kernel *kr, const product *g, void *scratch) {
    const int64_t block = block_depth(g->k), pairs = g->n_more + 1;
    const int64_t at_once = pairs > 1 ? GT__GEMM_BLOCK / g->k : 1;
    for (int64_t pair = 0; pair < pairs; pair += at_once)
        for (int64_t from = 0; from < g->k; from += block) {
            const stretch s = {pair, least(at_once, pairs - pair), from, least(g->k - from, block)};
            const int64_t rows = reads_rows(kr, g, s.pairs) ? g->m : BLOCK_ROWS;
            for (int64_t i = 0; i < g->m; i += rows)
                run_rows(kr, g, &s, i, least(g->m - i, rows), scratch);
        }
}

static void run(const kernel *kr, const product *g, void *scratch) {
    if (is_thin(kr, g->m))
        run_thin(kr, g);
    else
        run_packed(kr, g, scratch);
}

/* ---- by a library ---------------------------------------------------------------------------- */

/* A matrix as a BLAS wants it: one stride is 1, the other a leading dimension without overlap. */
typedef struct blas_layout {
    bool fits, turned;
    int64_t leading;
} blas_layout;

static blas_layout layout_of(int64_t rows, int64_t columns, int64_t row, int64_t column) {
    if (column == 1 && row >= columns) return (blas_layout){true, false, row};
    return (blas_layout){row == 1 && column >= rows, true, column};
}

/* One pair, by CBLAS or oneDNN. */
static bool library_takes(const kernel *kr, const product *g, blas_layout a, blas_layout b) {
#if defined(GT_WITH_CBLAS)
    const int64_t sizes[] = {g->m, g->n, g->k, a.leading, b.leading, g->c_row};
    for (int i = 0; i < 6; i++)
        if (sizes[i] > INT_MAX) return false;
    const enum CBLAS_TRANSPOSE ta = a.turned ? CblasTrans : CblasNoTrans,
                               tb = b.turned ? CblasTrans : CblasNoTrans;
    const int m = (int)g->m, n = (int)g->n, k = (int)g->k, la = (int)a.leading, lb = (int)b.leading,
              lc = (int)g->c_row;
    if (kr->size == sizeof(float))
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, g->a, la, g->b, lb, g->accumulate, g->c, lc);
    else
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, g->a, la, g->b, lb, g->accumulate, g->c, lc);
    return true;
#elif defined(GT_WITH_ONEDNN)
    /* clang-format off */
    const gt__gemm_job job = {
        .m = g->m, .n = g->n, .k = g->k, .accumulate = g->accumulate,
        .a = g->a, .b = g->b, .c = g->c, .ldc = g->c_row,
    };
    /* clang-format on */
    return kr->size == sizeof(float) &&
           gt__onednn_sgemm(&job, a.turned, a.leading, b.turned, b.leading);
#else
    (void)kr, (void)g, (void)a, (void)b;
    return false;
#endif
}

/* By our own kernels where the library refuses. */
static void run_by_library(const kernel *kr, const product *g, void *scratch) {
    for (int64_t i = 0; i <= g->n_more; i++) {
        const product one = one_of(kr, g, i), own = best_way(kr, &one);
        const blas_layout a = layout_of(g->m, g->k, g->a_row, g->a_col),
                          b = layout_of(g->k, g->n, g->b_row, g->b_col);
        if (!library_takes(kr, &one, a, b)) run(kr, &own, scratch);
    }
}

/* Into how many parts a product is cut for the library, if its strides are right; 0: it is ours. */
static int64_t library_parts(const gt__gemm_job *job, size_t size) {
#if defined(GT_WITH_CBLAS)
    (void)job;
    return size != BF16;
#elif defined(GT_WITH_ONEDNN)
    return size == sizeof(float) ? gt__onednn_parts(job) : 0;
#else
    (void)job;
    (void)size;
    return 0;
#endif
}

static bool fits_library(const gt__gemm_job *job) {
    return !job->packed && least(job->m, job->n) > 2 &&
           layout_of(job->m, job->k, job->a_row, job->a_col).fits &&
           layout_of(job->k, job->n, job->b_row, job->b_col).fits;
}

/* Multiplications. In doubles, whose product cannot overflow. */
static double work_of(const gt__gemm_job *job) {
    return (double)job->m * (double)job->n * (double)job->k * (double)(job->n_more + 1);
}

bool gt__gemm_is_large(const gt__gemm_job *job) { return work_of(job) >= WORTH_THREADS; }

/* How many make it. */
static int threads_of(const gt__gemm_job *job) {
    return job->threads > 1 && gt__gemm_is_large(job) ? job->threads : 1;
}

/* ---- parts, for threads ---------------------------------------------------------------------- */

typedef struct cuts {
    int64_t down, across, deep; /* parts of C's rows, of its columns, and of k */
} cuts;

/* The places at which rows and columns may be cut: whole tiles, and what a thin product is made of. */
static int64_t places_down(const kernel *kr, const product *g) {
    return is_thin(kr, g->m) ? 1 : ceil_div(g->m, kr->rows);
}
static int64_t places_across(const kernel *kr, const product *g) {
    return ceil_div(g->n, is_thin(kr, g->m) ? THIN_COLUMNS : kr->columns);
}

/* What the parts cost that a thread makes, in cycles for each element of k: lines of A and B are read, and packed, for
 * each part, which matters most where they are turned. */
static double cost_of(const kernel *kr, const product *g, cuts c, int threads) {
    const double read = 0.125, copy = 0.25, turn = 1;
    const int64_t rows = ceil_div(places_down(kr, g), c.down) * kr->rows,
                  columns = ceil_div(places_across(kr, g), c.across) * kr->columns;
    const bool lies = g->packed || reads_columns(kr, g, rows, 1);
    const double a = g->a_kind != WORDS ? turn
                     : g->a_col == 1    ? read
                     : g->a_row == 1    ? copy
                                        : turn,
                 b = lies                                  ? read
                     : g->b_col == 1 && g->b_kind == WORDS ? copy
                                                           : turn;
    const double each = (double)rows * a + (double)columns * b +
                        (double)rows * (double)columns / (double)kr->lanes / 2;
    return each * (double)ceil_div(c.down * c.across, threads);
}

/* The cheapest of some ways to make `parts` parts, or fewer where there are not so many places. */
static cuts cut_into(const kernel *kr, const product *g, int64_t parts, int threads, double *cost) {
    cuts best = {1, 1, 1};
    *cost = cost_of(kr, g, best, threads);
    for (int64_t down = least(parts, places_down(kr, g)); down > 0; down--) {
        const cuts c = {down, least(ceil_div(parts, down), places_across(kr, g)), 1};
        const double other = cost_of(kr, g, c, threads);
        if (other < *cost) {
            *cost = other;
            best = c;
        }
    }
    return best;
}

/* So many parts, or fewer: what is packed is packed for each. But the more there are, the less a thread waits for
 * one that has slowed down. */
static cuts cut(const kernel *kr, const product *g, int64_t parts, int threads) {
    const double wait = 0.1;
    double cost, lowest = 0;
    cuts best = {1, 1, 1};
    for (; parts >= threads; parts /= 2) {
        const cuts c = cut_into(kr, g, parts, threads, &cost);
        cost *= 1 + wait * threads / (double)parts;
        if (lowest == 0 || cost < lowest) {
            lowest = cost;
            best = c;
        }
    }
    return best;
}

static int64_t blocks_of(int64_t k) { return k > 0 ? ceil_div(k, block_depth(k)) : 0; }

/* Where A or B is larger than C, threads better divide k into its blocks: then each reads only a part of both, which
 * is the same from step to step, so that its core has it in its caches. */
static bool is_deep(const gt__gemm_job *job, size_t size) {
    const int64_t lines = least(job->m, job->n), blocks = blocks_of(job->k);
    return threads_of(job) > 1 && !library_parts(job, size) && !job->packed && !job->n_more &&
           lines > THIN && lines <= DEEP_LINES && job->m <= DEEP_RESULT / job->n && blocks > 1 &&
           blocks <= DEEP_BLOCKS;
}

/* Each block, or each part of its rows, so that there are as many for each thread. */
static cuts cut_deep(const kernel *kr, const product *g, int threads) {
    const int64_t blocks = blocks_of(g->k);
    return (cuts){blocks % threads == 0 ? 1 : least(threads, places_down(kr, g)), 1, blocks};
}

typedef struct parts_job {
    const kernel *kr;
    const product *g;
    void (*run)(const kernel *kr, const product *g, void *scratch);
    cuts cuts;
    char *sums; /* of k's blocks after the first, until they are added to C in their order */
    char *scratch;
    size_t scratch_bytes; /* of a thread */
} parts_job;

/* A block of k, whose sum stands by itself. */
static product block_of(const parts_job *k, int64_t block) {
    product g = *k->g;
    const int64_t depth = block_depth(g.k), from = block * depth, result = g.m * g.n;
    g.k = least(depth, g.k - from);
    g.skip_a += from * g.a_col;
    g.skip_b += from * g.b_row;
    if (block > 0) {
        g.accumulate = false;
        g.c = place(k->kr, k->sums, (block - 1) * result);
        g.c_row = g.n, g.c_col = 1;
    }
    return g;
}

static void add_blocks(const void *job, int64_t i, int thread) {
    const parts_job *k = job;
    const product *g = k->g;
    const int64_t end = g->m * (i + 1) / k->cuts.deep;
    (void)thread;
    for (int64_t row = g->m * i / k->cuts.deep; row < end; row++)
        for (int64_t block = 1; block < k->cuts.deep; block++)
            k->kr->add(place(k->kr, g->c, row * g->c_row), g->c_col,
                       element(k->kr, k->sums, ((block - 1) * g->m + row) * g->n), g->n);
}

static void make_part(const void *job, int64_t i, int thread) {
    const parts_job *k = job;
    const kernel *kr = k->kr;
    const int64_t each = k->cuts.down * k->cuts.across, row = i % each / k->cuts.across,
                  column = i % k->cuts.across;
    product g = k->cuts.deep > 1 ? block_of(k, i / each) : *k->g;
    const int64_t down = places_down(kr, &g), across = places_across(kr, &g);
    const int64_t first_row = down * row / k->cuts.down * kr->rows,
                  first = across * column / k->cuts.across,
                  end = across * (column + 1) / k->cuts.across;
    const bool thin = is_thin(kr, g.m);
    const int64_t first_column = thin ? first * THIN_COLUMNS : panel_start(kr, g.n, first);
    const int64_t end_column = thin ? least(end * THIN_COLUMNS, g.n) : panel_start(kr, g.n, end);
    if (!thin) g.m = least(down * (row + 1) / k->cuts.down * kr->rows, g.m) - first_row;
    g.n = end_column - first_column;
    g.skip_a += first_row * g.a_row;
    g.skip_b += first_column * g.b_col;
    g.skip_panels = first;
    g.c = place(kr, g.c, first_row * g.c_row + first_column * g.c_col);
    k->run(kr, &g, k->scratch ? k->scratch + (size_t)thread * k->scratch_bytes : NULL);
}

/* What a thread packs: some of B, and A, which is the larger of the two at most. Which becomes which is not known yet. */
static size_t thread_scratch(const kernel *kr, int64_t m, int64_t n, int64_t depth) {
    if (is_thin(kr, least(m, n))) return 0;
    const int64_t lines =
        least(m < n ? n : m, BLOCK_ROWS) + CHUNK_COLUMNS + MAX_TILE_ROWS + MAX_TILE_COLUMNS;
    return ((size_t)(lines * depth) * kr->size + 63) / 64 * 64;
}

static size_t sums_scratch(const kernel *kr, const gt__gemm_job *job, size_t element_size) {
    if (!is_deep(job, element_size)) return 0;
    const int64_t sums = (blocks_of(job->k) - 1) * job->m * job->n;
    return ((size_t)sums * kr->size + 63) / 64 * 64;
}

/* The job with k in words; *words has it where they are no elements. */
static const gt__gemm_job *in_words(gt__gemm_job *words, const gt__gemm_job *job, size_t size) {
    if (size != BF16) return job;
    *words = *job;
    words->k /= 2;
    return words;
}

static size_t scratch_of(const kernel *kr, const gt__gemm_job *job, size_t element_size) {
    const int64_t depth = least(job->k * (job->n_more + 1), GT__GEMM_BLOCK);
    return sums_scratch(kr, job, element_size) +
           (size_t)threads_of(job) * thread_scratch(kr, job->m, job->n, depth);
}

/* Blocks of a smaller k may be larger: they are taken for as large as can be. */
size_t gt__gemm_scratch(const gt__gemm_job *job, size_t element_size) {
    gt__gemm_job words;
    return scratch_of(kernel_for(element_size), in_words(&words, job, element_size), element_size);
}

static void clear(const gt__gemm_job *job, size_t size) {
    const int64_t row = job->ldc * (int64_t)size;
    for (int64_t i = 0; i < job->m; i++) memset((char *)job->c + i * row, 0, (size_t)job->n * size);
}

/* How an operand of bf16, or floats to be rounded, is read in words. */
static kind kind_of(bool floats, int64_t *line, int64_t *along) {
    if (!floats && *along == 1 && *line % 2 == 0) {
        *line /= 2;
        return WORDS;
    }
    *along *= 2;
    return floats ? FLOATS : HALVES;
}

static product product_of(const kernel *kr, const gt__gemm_job *job) {
    /* clang-format off */
    product g = {
        .m = job->m, .n = job->n, .k = job->k, .accumulate = job->accumulate,
        .a = job->a, .a_row = job->a_row, .a_col = job->a_col,
        .b = job->b, .b_row = job->b_row, .b_col = job->b_col,
        .c = job->c, .c_row = job->ldc, .c_col = 1,
        .more = job->more, .n_more = job->n_more, .packed = job->packed,
    };
    /* clang-format on */
    if (kr->pack_a[HALVES]) {
        g.a_kind = kind_of(job->a_floats, &g.a_row, &g.a_col);
        g.b_kind = kind_of(job->b_floats, &g.b_col, &g.b_row);
    }
    return g;
}

/* As many for each thread, and not too small ones. */
static int64_t own_parts(const gt__gemm_job *job, int threads) {
    const int64_t worth = (int64_t)(work_of(job) / WORTH_A_PART) / threads;
    return threads == 1 ? 1 : threads * least(worth > 1 ? worth : 1, PARTS);
}

static void multiply_by(const kernel *kr, const gt__gemm_job *job, size_t size, void *scratch) {
    const int threads = threads_of(job);
    const int64_t for_library = fits_library(job) ? library_parts(job, size) : 0,
                  parts = for_library ? for_library : own_parts(job, threads);
    product g = product_of(kr, job);
    if (!for_library) g = best_way(kr, &g);
    g.packed_lines = padded(kr, g.n);
    parts_job k = {.kr = kr, .g = &g, .run = for_library ? run_by_library : run};
    if (parts == 1) {
        k.run(kr, &g, scratch);
        return;
    }
    const size_t sums = sums_scratch(kr, job, size);
    k.cuts = sums          ? cut_deep(kr, &g, threads)
             : for_library ? cut(kr, &g, parts, (int)parts)
                           : cut(kr, &g, parts, threads);
    k.sums = scratch;
    k.scratch = scratch ? (char *)scratch + sums : NULL;
    k.scratch_bytes = (scratch_of(kr, job, size) - sums) / (size_t)threads;
    gt__share(k.cuts.deep * k.cuts.down * k.cuts.across, threads, make_part, &k);
    if (sums) gt__share(k.cuts.deep, threads, add_blocks, &k);
}

size_t gt__gemm_packed(const gt__gemm_job *job, size_t size) {
    const kernel *kr = kernel_for(size);
    gt__gemm_job words;
    job = in_words(&words, job, size);
    const bool turned = better_transposed(kr, job->m, job->n, job->a_row == 1);
    if (is_thin(kr, least(job->m, job->n)) || turned || library_parts(job, size)) return 0;
    return (size_t)(padded(kr, job->n) * job->k) * kr->size;
}

typedef struct pack_all_job {
    const kernel *kr;
    product g;
    void *to;
    int64_t parts;
} pack_all_job;

/* Some panels, of all blocks of k. */
static void pack_part(const void *job, int64_t i, int thread) {
    const pack_all_job *k = job;
    const kernel *kr = k->kr;
    const product *g = &k->g;
    const int64_t panels = ceil_div(g->n, kr->columns), block = block_depth(g->k);
    const int64_t first = panels * i / k->parts, end = panels * (i + 1) / k->parts;
    const int64_t column = panel_start(kr, g->n, first);
    (void)thread;
    for (int64_t from = 0; from < g->k; from += block) {
        const stretch s = {0, 1, from, least(g->k - from, block)};
        pack_columns(kr, g, &s,
                     place(kr, k->to, from * padded(kr, g->n) + first * kr->columns * s.depth),
                     column, panel_start(kr, g->n, end) - column);
    }
}

void gt__gemm_pack(const gt__gemm_job *job, size_t size, void *to) {
    const kernel *kr = kernel_for(size);
    gt__gemm_job words;
    job = in_words(&words, job, size);
    pack_all_job k = {kr, product_of(kr, job), to, 1};
    if (job->n * job->k > WORTH_PACKING)
        k.parts = least(ceil_div(job->n, kr->columns), job->threads > 1 ? job->threads : 1);
    gt__share(k.parts, (int)k.parts, pack_part, &k);
}

int gt__gemm_threads(const gt__gemm_job *job, int64_t count, size_t size) {
    gt__gemm_job words;
    job = in_words(&words, job, size);
    const int threads = (int)least(count, job->threads);
    const bool worth = (double)count * work_of(job) >= WORTH_THREADS;
    const bool divides_well = !gt__gemm_is_large(job) || count >= 4 * threads;
    return worth && divides_well && !library_parts(job, size) ? threads : 1;
}

size_t gt__gemm_rows_scratch(int64_t rows, int64_t k, size_t element_size) {
    const int64_t depth = element_size == BF16 ? 2 * block_depth(k / 2) : block_depth(k);
    return (size_t)((rows + MAX_TILE_ROWS) * depth) * element_size;
}

static void gemm(const gt__gemm_job *job, size_t size, void *scratch) {
    const kernel *kr = kernel_for(size);
    gt__gemm_job words;
    if (job->m == 0 || job->n == 0) return;
    if (job->k == 0) {
        if (!job->accumulate) clear(job, kr->size);
        return;
    }
    multiply_by(kr, in_words(&words, job, size), size, scratch);
}

void gt__gemm_f32(const gt__gemm_job *job, void *scratch) { gemm(job, sizeof(float), scratch); }

void gt__gemm_f64(const gt__gemm_job *job, void *scratch) { gemm(job, sizeof(double), scratch); }

void gt__gemm_bf16(const gt__gemm_job *job, void *scratch) { gemm(job, BF16, scratch); }

bool gt__gemm_takes_bf16(const gt__gemm_job *job) {
#ifdef GT_WITH_ONEDNN
    if (gt__onednn_has_tiles()) return false;
#endif
    return job->k % 2 == 0 && kernel_for(BF16);
}

#ifdef GT_WITH_ONEDNN
bool gt__gemm_library_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    return gt__onednn_bf16(job, batch);
}
bool gt__gemm_library_takes_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    return gt__onednn_bf16_takes(job, batch);
}
#else
bool gt__gemm_library_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    (void)job;
    (void)batch;
    return false;
}
bool gt__gemm_library_takes_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    return gt__gemm_library_bf16(job, batch);
}
#endif
