/* ops/winograd.c: convolutions by 3x3 with a quarter of the multiplications.
 *
 * Four neighbours of y along an axis are made of six of x and three of w. Read the latter as polynomials:
 * multiplying these takes six values at six points, 0, P, -P, Q, -Q and infinity, instead of twelve products
 * (Toom, Cook); transposed, that is a convolution (Winograd). Along both axes a tile of 4x4 takes 36 products
 * instead of 144 for each pair of channels:
 *
 *     y = collect(sum over channels of spread(w) spread(x))        x: the same with w turned around
 *     w = collect'(sum over tiles of spread(x) spread'(y))
 *
 * For each of the 36 places that sum is a product of matrices. P and Q, with small powers that floats hold
 * exactly and a product near 1, keep errors low.
 *
 * The work goes by blocks of lines, a line being the tiles of an image that are side by side: their channels
 * are brought together, as the loops in winograd_kernel.h want them, and apart again. Blocks and the
 * shares in which the gradient of w is added up are a matter of sizes alone. */
#include "ops/winograd.h"

#include <string.h>

#include "graph/threads.h"
#include "ops/pixels.h"
#include "ops/unroll.h"

enum {
    STEP = 4,   /* a tile of y along an axis, ... */
    SPREAD = 6, /* what it is made of */
    TAPS = 3,
    PLACES = SPREAD * SPREAD,
    BLOCK_TILES = 56,        /* their factors stay in the second-level cache, mostly */
    SHARES = 4,              /* of the blocks, for the gradient of w */
    IMAGES_SHARES = 8,       /* of the images, that threads take in turn, at least */
    LEAST_CHANNELS = 8,      /* of x and of y, ... */
    MOST_PAIRS = 1 << 16,    /* of them: spread weights must fit a cache, ... */
    MOST_SUMS = 1 << 14,     /* and so must the sums for their gradient */
    LEAST_PIXELS = 1 << 10,  /* of y, for which spreading the weights pays */
    MOST_ACROSS = 1 << 8,    /* tiles of a line, which is not cut */
    WORTH_THREADS = 1 << 11, /* of them: for the weights of fewer, threads are not woken */
    AT_ONCE = 8,             /* channels of weights that a thread takes */
    LEAST_GAIN = 2,          /* by how many fewer multiplications tiles take: 4 if none is cut */
    ODD = 16                 /* elements between places, else all would be in a few cache lines */
};

#define P 0.625F
#define Q 1.5F
#define P2 (P * P)
#define Q2 (Q * Q)

/* What three taps are at the six points, over the product of a point's distances from the others. */
#define FINITE(p, q)                                                                               \
    {                                                                                              \
        1 / (2 * (p) * (p) * ((p) * (p) - (q) * (q))), 1 / (2 * (p) * ((p) * (p) - (q) * (q))),    \
            1 / (2 * ((p) * (p) - (q) * (q)))                                                      \
    }
static const float points[SPREAD][TAPS] = {{1 / (P2 * Q2), 0, 0}, FINITE(P, Q),  FINITE(-P, Q),
                                           FINITE(Q, P),          FINITE(-Q, P), {0, 0, 1}};

/* Places are `apart` elements apart in `to`, tiles and pixels `padded`. */
#define SPREAD_PARAMETERS                                                                          \
    const float *line, int64_t row, int64_t padded, int64_t tiles, float *to, int64_t apart

typedef struct kernel {
    void (*spread_x)(SPREAD_PARAMETERS);
    void (*spread_y)(SPREAD_PARAMETERS);
    void (*collect_y)(const float *from, int64_t apart, int64_t padded, int64_t tiles, float *line,
                      int64_t row);
    void (*spread_w)(const float *taps, int64_t padded, float *to, int64_t apart);
    void (*collect_w)(const float *from, int64_t apart, int64_t padded, float *taps);
} kernel;

#if defined(__GNUC__) && defined(__x86_64__)
#define WINOGRAD_X86 1

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,fma")))
#define VECTOR_BYTES 64
#include "ops/winograd_kernel.h"

#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define VECTOR_BYTES 32
#include "ops/winograd_kernel.h"
#endif

/* Small rather than quick where nearly every processor has better. */
#define NAME(x) x##_plain
#ifdef WINOGRAD_X86
#define TARGET __attribute__((cold))
#else
#define TARGET
#endif
#if defined(__GNUC__)
#define VECTOR_BYTES 16
#else
#define VECTOR_BYTES sizeof(float)
#endif
#include "ops/winograd_kernel.h"

static const kernel *best_kernel(void) {
#ifdef WINOGRAD_X86
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma")) return &kernel_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kernel_avx2;
#endif
    return &kernel_plain;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

/* ---- images ---------------------------------------------------------------------------------- */

/* Images as they are, and a line of them with channels together: `rows` rows of `columns` pixels. */
typedef struct side {
    gt__field field;
    int64_t channels, padded, size[2], padding[2];
    int64_t rows, columns;
} side;

typedef struct work {
    const kernel *loop;
    const gt__pixel_loops *pixels;
    side from, to;              /* to: of the same lines; the gradient of w reads it, too */
    int64_t tiles, down, lines; /* in a line; lines in an image, and in all */
    int64_t block, blocks;      /* lines in a block, at most */
    int64_t shares;
    float *weights;     /* [place, channel of from, channel of to]; of the shares */
    gt__row_pair *rows; /* of the products */
    char *memory;       /* each thread's, or, before and after, its taps */
    size_t line_bytes, from_bytes, thread_bytes, taps_bytes;
} work;

static int64_t apart(const work *k, const side *s) { return k->block * k->tiles * s->padded + ODD; }
static int64_t weights_apart(const work *k) { return k->from.padded * k->to.padded + ODD; }

/* The rows of a line, or some of them, that the image has. */
typedef struct row_range {
    int64_t first, end; /* counted from the line's first */
    gt__field field;    /* from the first on */
} row_range;

static row_range rows_of(const work *k, const side *s, int64_t line, int64_t from) {
    const int64_t top = line % k->down * STEP - s->padding[0]; /* of the line, in the image */
    const int64_t first = most(from, -top);
    const int64_t end = most(first, least(s->rows, s->size[0] - top));
    const int64_t image = s->channels * s->size[0] * s->size[1];
    return (row_range){first, end,
                       gt__field_at(s->field, image, line / k->down, 0, top + first, 0)};
}

static void clear(float *at, int64_t n) { memset(at, 0, (size_t)n * sizeof *at); }

/* Brings a line into `memory`, whose margins are zeros. The line before it may be there already: rows that
 * they have in common are. */
static void read_line(const work *k, const side *s, int64_t line, bool follows, float *memory) {
    const int64_t row = s->columns * s->padded, common = follows ? s->rows - STEP : 0;
    const row_range r = rows_of(k, s, line, common);
    if (common) memmove(memory, memory + STEP * row, (size_t)(common * row) * sizeof *memory);
    clear(memory + common * row, (r.first - common) * row);
    gt__read_pixels(k->pixels, r.field, r.end - r.first, s->size[1], s->channels,
                    memory + r.first * row + s->padding[1] * s->padded, row, s->padded);
    clear(memory + r.end * row, (s->rows - r.end) * row);
}

static void write_line(const work *k, const side *s, int64_t line, const float *memory) {
    const row_range r = rows_of(k, s, line, 0);
    gt__write_pixels(k->pixels, r.field, r.end, s->size[1], s->channels, memory,
                     s->columns * s->padded, s->padded);
}

static void read_block(const work *k, const side *s, void (*spread)(SPREAD_PARAMETERS),
                       int64_t first, int64_t end, float *memory, float *to) {
    const int64_t row = s->columns * s->padded;
    clear(memory, s->rows * row);
    for (int64_t line = first; line < end; line++) {
        read_line(k, s, line, line > first && line % k->down, memory);
        spread(memory, row, s->padded, k->tiles, to + (line - first) * k->tiles * s->padded,
               apart(k, s));
    }
}

/* ---- weights --------------------------------------------------------------------------------- */

/* The taps for channels a of `from` and b of `to` begin at a a_step + b b_step. */
typedef struct filters {
    float *at;
    int64_t a_step, b_step;
} filters;

/* They and their spread forms, or the sums of these; channels of `from` are apart, so that threads may share them. */
typedef struct weights_job {
    const work *k;
    filters w;
    bool turned;
} weights_job;

static float *taps_of(const work *k, int thread) {
    return (float *)(void *)(k->memory + (size_t)thread * k->taps_bytes);
}

/* The channels of a task. */
static int64_t end_of(const work *k, int64_t task) {
    return least((task + 1) * AT_ONCE, k->from.padded);
}
static int64_t tasks_of(const work *k) { return ceil_div(k->from.padded, AT_ONCE); }

static int threads_of(const work *k) {
    return k->from.padded * k->to.padded >= WORTH_THREADS ? gt__threads() : 1;
}

/* By way of the taps of a channel of `from`, [tap, channel of to]. */
static void spread_some(const void *of, int64_t task, int thread) {
    const weights_job *j = of;
    const work *k = j->k;
    const int64_t padded = k->to.padded, last = TAPS * TAPS - 1;
    float *taps = taps_of(k, thread);
    clear(taps, TAPS * TAPS * padded);
    for (int64_t a = task * AT_ONCE; a < end_of(k, task); a++) {
        if (a < k->from.channels)
            k->pixels->turn(j->turned ? taps + last * padded : taps, 0,
                            j->turned ? -padded : padded, j->w.at + a * j->w.a_step, 0, j->w.b_step,
                            1, k->to.channels, TAPS * TAPS);
        else
            clear(taps, TAPS * TAPS * padded);
        k->loop->spread_w(taps, padded, k->weights + a * padded, weights_apart(k));
    }
}

/* What the shares have for a place. */
static void add_shares(const void *of, int64_t place, int thread) {
    const weights_job *j = of;
    const work *k = j->k;
    const int64_t n = weights_apart(k);
    float *sums = k->weights + place * n;
    (void)thread;
    for (int64_t share = 1; share < k->shares; share++)
        for (int64_t i = 0; i < n; i++) sums[i] += sums[share * PLACES * n + i];
}

static void collect_some(const void *of, int64_t task, int thread) {
    const weights_job *j = of;
    const work *k = j->k;
    const int64_t padded = k->to.padded;
    float *taps = taps_of(k, thread);
    for (int64_t a = task * AT_ONCE; a < least(end_of(k, task), k->from.channels); a++) {
        k->loop->collect_w(k->weights + a * padded, weights_apart(k), padded, taps);
        k->pixels->turn(j->w.at + a * j->w.a_step, 0, j->w.b_step, taps, 0, padded, 1, TAPS * TAPS,
                        k->to.channels);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* A thread's memory: a line, the spread block of `from`, and that of `to`. */
typedef struct room {
    float *line, *from, *to;
} room;

static room room_in(const work *k, char *memory) {
    return (room){(float *)(void *)memory, (float *)(void *)(memory + k->line_bytes),
                  (float *)(void *)(memory + k->line_bytes + k->from_bytes)};
}

static room room_of(const work *k, int thread) {
    return room_in(k, k->memory + (size_t)thread * k->thread_bytes);
}

/* The product at one of the places. */
static void multiply(const work *k, int64_t m, int64_t depth, int64_t a_col, const float *a,
                     const float *b, float *c, bool add) {
    static const int64_t slab = 0;
    const gt__pixel_product g = {.m = m,
                                 .n = k->to.padded,
                                 .slabs = 1,
                                 .depth = depth,
                                 .a = a,
                                 .row = k->rows,
                                 .slab = &slab,
                                 .a_col = a_col,
                                 .b = b,
                                 .b_row = k->to.padded,
                                 .b_panel = 2 * k->pixels->lanes,
                                 .c = c,
                                 .add = add};
    k->pixels->multiply(&g);
}

static void make_lines(const work *k, int64_t first, int64_t end, room r) {
    read_block(k, &k->from, k->loop->spread_x, first, end, r.line, r.from);
    for (int64_t place = 0; place < PLACES; place++)
        multiply(k, (end - first) * k->tiles, k->from.padded, 1,
                 r.from + place * apart(k, &k->from), k->weights + place * weights_apart(k),
                 r.to + place * apart(k, &k->to), false);
    for (int64_t line = first; line < end; line++) {
        k->loop->collect_y(r.to + (line - first) * k->tiles * k->to.padded, apart(k, &k->to),
                           k->to.padded, k->tiles, r.line, k->to.columns * k->to.padded);
        write_line(k, &k->to, line, r.line);
    }
}

static void make_block(const void *of, int64_t block, int thread) {
    const work *k = of;
    make_lines(k, k->lines * block / k->blocks, k->lines * (block + 1) / k->blocks,
               room_of(k, thread));
}

static void add_products(const work *k, int64_t block, room r, float *sums) {
    const int64_t first = k->lines * block / k->blocks, end = k->lines * (block + 1) / k->blocks;
    read_block(k, &k->from, k->loop->spread_x, first, end, r.line, r.from);
    read_block(k, &k->to, k->loop->spread_y, first, end, r.line, r.to);
    for (int64_t place = 0; place < PLACES; place++)
        multiply(k, k->from.padded, (end - first) * k->tiles, k->from.padded,
                 r.from + place * apart(k, &k->from), r.to + place * apart(k, &k->to),
                 sums + place * weights_apart(k), true);
}

static void make_share(const void *of, int64_t share, int thread) {
    const work *k = of;
    const room r = room_of(k, thread);
    float *sums = k->weights + share * PLACES * weights_apart(k);
    clear(sums, PLACES * weights_apart(k));
    for (int64_t b = k->blocks * share / k->shares; b < k->blocks * (share + 1) / k->shares; b++)
        add_products(k, b, r, sums);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static size_t aligned(int64_t elements) {
    return ((size_t)elements * sizeof(float) + 63) & ~(size_t)63;
}

/* `count` rows, which in A are a_row apart. */
static void place_rows(const work *k, int64_t a_row, int64_t count) {
    for (int64_t r = 0; r < count; r++) k->rows[r] = (gt__row_pair){r * a_row, r * k->to.padded};
}

static bool provide(const gt_call *call, work *k, int64_t tasks, int64_t product_rows) {
    const side *x = &k->from, *y = &k->to;
    const int64_t x_line = x->rows * x->columns * x->padded,
                  y_line = y->rows * y->columns * y->padded;
    const size_t weights = aligned(k->shares * PLACES * weights_apart(k));
    const size_t row_bytes = ((size_t)product_rows * sizeof *k->rows + 63) & ~(size_t)63;
    k->line_bytes = aligned(most(x_line, y_line));
    k->from_bytes = aligned(PLACES * apart(k, x));
    k->thread_bytes = k->line_bytes + k->from_bytes + aligned(PLACES * apart(k, y));
    k->taps_bytes = aligned(TAPS * TAPS * y->padded);
    const size_t taps = (size_t)gt__threads() * k->taps_bytes,
                 rooms = (size_t)gt__threads_for(tasks) * k->thread_bytes;
    char *memory = gt_scratch(call, weights + row_bytes + (taps > rooms ? taps : rooms));
    if (!memory) return false;
    k->weights = (float *)(void *)memory;
    k->rows = (gt__row_pair *)(void *)(memory + weights);
    k->memory = memory + weights + row_bytes;
    return true;
}

static bool is_worth_it(const gt__conv *c, gt__made makes) {
    const double pixels = (double)c->n * (double)c->y[0] * (double)c->y[1];
    const double down = (double)ceil_div(c->y[0], STEP), across = (double)ceil_div(c->y[1], STEP);
    const double gain = pixels * TAPS * TAPS / ((double)c->n * down * across * PLACES);
    return pixels >= LEAST_PIXELS && gain >= LEAST_GAIN && across <= MOST_ACROSS &&
           c->in >= LEAST_CHANNELS && c->out >= LEAST_CHANNELS &&
           c->in <= (makes == GT__MAKES_W ? MOST_SUMS : MOST_PAIRS) / c->out;
}

static bool is_possible(const gt__conv *c) {
    for (int d = 0; d < 2; d++)
        if (c->k[d] != TAPS || c->stride[d] != 1 || c->dilation[d] != 1 || c->padding[d] >= TAPS ||
            c->x[d] == 0)
            return false;
    return c->dtype == GT_F32 && c->groups == 1;
}

static side side_of(const gt__pixel_loops *loop, const void *at, int64_t channels,
                    const int64_t size[2], bool channels_last) {
    return (side){.field = gt__field_of((float *)(uintptr_t)at, channels, size, channels_last),
                  .channels = channels,
                  .padded = ceil_div(channels, loop->lanes) * loop->lanes,
                  .size = {size[0], size[1]}};
}

/* `to` is cut into tiles; its pixel i is made of those of `from` from i - padding on. */
static work plan(side from, side to, const int64_t padding[2], int64_t n) {
    work k = {.loop = best_kernel(),
              .pixels = gt__loops_for_pixels(),
              .from = from,
              .to = to,
              .shares = 1};
    k.tiles = ceil_div(to.size[1], STEP);
    k.down = ceil_div(to.size[0], STEP);
    k.lines = n * k.down;
    k.blocks = ceil_div(k.lines, k.tiles < BLOCK_TILES ? BLOCK_TILES / k.tiles : 1);
    k.block = ceil_div(k.lines, k.blocks);
    k.from.rows = SPREAD;
    k.from.columns = k.tiles * STEP + SPREAD - STEP;
    k.to.rows = STEP;
    k.to.columns = k.tiles * STEP;
    for (int d = 0; d < 2; d++) k.from.padding[d] = padding[d];
    return k;
}

static gt__outcome make_weights(const gt_call *call, const work *plan, filters w) {
    work k = *plan;
    k.shares = least(SHARES, k.blocks);
    if (!provide(call, &k, k.shares, k.from.padded)) return GT__FAILED;
    place_rows(&k, 1, k.from.padded);
    gt__share(k.shares, gt__threads(), make_share, &k);
    const weights_job j = {&k, w, false};
    gt__share(PLACES, threads_of(&k), add_shares, &j);
    gt__share(tasks_of(&k), threads_of(&k), collect_some, &j);
    return GT__DONE;
}

/* Rows of pixels that an image has, of all channels. */
static int64_t rows_in_image(const work *k) { return k->to.channels * k->to.size[0]; }

static void make_rows(const gt_rows *rows, int64_t from, int64_t to, void *scratch) {
    const work *k = rows->work;
    const int64_t end = to / rows_in_image(k) * k->down;
    for (int64_t line = from / rows_in_image(k) * k->down; line < end; line += k->block)
        make_lines(k, line, least(line + k->block, end), room_in(k, scratch));
}

static gt__outcome begin_rows(const gt_call *call, const work *k, int64_t images, gt_rows *rows) {
    work *kept = gt_scratch(call, sizeof *kept);
    if (!kept) return GT__FAILED;
    *kept = *k;
    *rows = (gt_rows){make_rows, kept, k->thread_bytes, true, images * rows_in_image(k)};
    return GT__DONE;
}

/* So many lines of a share that they are a block's, or all of some images. */
static void cut_images(work *k, int64_t images) {
    const int64_t lines = images * k->down;
    k->block = ceil_div(lines, ceil_div(lines, k->block));
}

/* As many for each thread. */
static void cut_evenly(work *k) {
    const int64_t threads = gt__threads();
    k->blocks = least(ceil_div(k->blocks, threads) * threads, k->lines);
    k->block = ceil_div(k->lines, k->blocks);
}

static gt__outcome make_pixels(const gt_call *call, const work *plan, filters w, bool turned,
                               gt_rows *rows) {
    work k = *plan;
    const int64_t images = most(1, least(k.block / k.down, k.lines / k.down / IMAGES_SHARES));
    if (rows)
        cut_images(&k, images);
    else
        cut_evenly(&k);
    const int64_t tiles = k.block * k.tiles;
    if (!provide(call, &k, rows ? 1 : k.blocks, tiles)) return GT__FAILED;
    place_rows(&k, k.from.padded, tiles);
    gt__share(tasks_of(&k), threads_of(&k), spread_some, &(weights_job){&k, w, turned});
    if (rows) return begin_rows(call, &k, images, rows);
    gt__share(k.blocks, gt__threads(), make_block, &k);
    return GT__DONE;
}

bool gt__winograd_takes(const gt__conv *c, gt__made makes) {
    return is_possible(c) && is_worth_it(c, makes);
}

gt__outcome gt__winograd(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                         const void *x, const void *y, gt_rows *rows) {
    if (!gt__winograd_takes(c, makes)) return GT__REFUSED;
    const gt__pixel_loops *loop = gt__loops_for_pixels();
    const int64_t turned[2] = {TAPS - 1 - c->padding[0], TAPS - 1 - c->padding[1]};
    const int64_t step = TAPS * TAPS;
    const side of_x = side_of(loop, x, c->in, c->x, c->x_last);
    const side of_y = side_of(loop, y, c->out, c->y, c->y_last);
    const filters forth = {(float *)(uintptr_t)w, step, c->in * step},
                  back = {forth.at, forth.b_step, step};
    const work to_y = plan(of_x, of_y, c->padding, c->n);
    const work to_x = plan(of_y, of_x, turned, c->n);
    if (makes == GT__MAKES_W) return make_weights(call, &to_y, forth);
    return makes == GT__MAKES_Y ? make_pixels(call, &to_y, forth, false, rows)
                                : make_pixels(call, &to_x, back, true, rows);
}
