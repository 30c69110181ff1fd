/* ops/convolve.c: convolutions as products of matrices.
 *
 * A tap is one element of a kernel: (channel, i, j). The elements of x that a tap meets, one for
 * each element of y, are its line; the matrix of all lines times the weights is y. Lines are made
 * for a tile of y at a time, so that they stay in the second-level cache: some rows of one image, or
 * several small images at once. Making them costs as much memory traffic as the product itself, so:
 *
 *   - With a vertical stride of 1, the lines of taps (channel, 0, j), (channel, 1, j), ... hold the
 *     same rows, moved. One line with some rows more stands for all of them ("shared"), and the
 *     product is a sum of one for each i, over slabs of the same lines. They want weights in the
 *     order [i, out, channel, j].
 *   - A kernel of one element that goes over every element of x has x itself for lines ("direct").
 *   - One input channel by few output channels is no product of matrices at all, but sums over planes, one
 *     channel of an image by one kernel at a time. So is everything after gt_exact.
 *
 * What winograd.c, windows.c or oneDNN does quicker goes there first. Which way is taken, and the tiles, are a
 * matter of shapes alone; threads divide the tiles (or the images, or parts of the sum for the
 * weights) and add nothing up among themselves. */
#include "ops/conv.h"

#include <string.h>

#include "graph/threads.h"
#include "ops/gemm.h"
#include "ops/onednn.h"
#include "ops/windows.h"
#include "ops/winograd.h"

enum {
    ROOM = 1 << 17,       /* elements of the lines of a tile, if the least sizes below allow it */
    LEAST_COLUMNS = 192,  /* of a tile: weights are read once for it */
    SHARED_WIDTH = 128,   /* elements of y for which shared lines pay, since images stand alone, */
    SHARED_DEPTH = 48,    /* and taps in one of their products */
    DIRECT_WIDTH = 64,    /* elements of y in an image for which a product of its own pays */
    PLANES = 4,           /* output channels of a group up to which there is nothing to multiply */
    PARTS = 8,            /* of the sum over tiles that makes the weights' gradient, ... */
    PART_BYTES = 1 << 20, /* if one is no larger */
    IMAGES_EACH = 4,      /* for each thread, so that they can be made in turn, ... */
    LARGEST_IMAGE = 1 << 17, /* of so many elements, which then are near when they are read */
    LANES = 16
};

/* Elements q of a row or column of y for which a tap meets x, and the place of x where the first of
 * them does; relative to the tile. */
typedef struct span {
    int64_t first, end, from;
} span;

/* One row of a line: offsets into the lines and x, in elements. */
typedef struct row {
    int64_t line, x, columns, step;
    span met;
} row;

typedef void (*row_loop)(const void *from, void *to, const row *r);
typedef void (*plane_loop)(const gt__conv *c, const void *a, const void *b, void *to);

typedef struct kernels {
    row_loop unfold_row, fold_row;
    plane_loop plane, plane_input, plane_weight;
    void (*add)(void *to, const void *from, int64_t n);
    void (*gemm)(const gt__gemm_job *job, void *scratch);
} kernels;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }
/* Parts of n that are as equal as they can be, none larger than limit. */
static int64_t equal_parts(int64_t n, int64_t limit) { return ceil_div(n, ceil_div(n, limit)); }

/* Where a tap at `tap` of an axis meets x, for elements [from, from + count) of y. */
static span met(const gt__conv *c, int axis, int64_t tap, int64_t from, int64_t count) {
    const int64_t step = c->stride[axis], shift = tap * c->dilation[axis] - c->padding[axis];
    const int64_t last = c->x[axis] - 1 - shift; /* q step <= last */
    const int64_t first = most(shift < 0 ? ceil_div(-shift, step) : 0, from);
    const int64_t end = most(least(last < 0 ? 0 : last / step + 1, from + count), first);
    if (end == first) return (span){0, 0, 0};
    return (span){first - from, end - from, first * step + shift};
}

#define REAL float
#define NAME(x) x##_f32
#include "ops/convolve_kernel.h"

#define REAL double
#define NAME(x) x##_f64
#include "ops/convolve_kernel.h"

/* ---- tiles ----------------------------------------------------------------------------------- */

/* A tile is rows x columns of y in a number of images; all of an image if there are several, whole
 * rows if it has several. */
typedef struct tiling {
    int64_t images, rows, columns;
    int64_t blocks, down, across;      /* tiles along images, rows, columns */
    int64_t slabs, depth, kernel_rows; /* products for a tile; taps in one, from so many rows */
    int64_t halo;                      /* rows of a line beyond those of the tile */
    bool direct;
} tiling;

static bool plan_shared(const gt__conv *c, tiling *t) {
    const int64_t depth = c->in * c->k[1], halo = (c->k[0] - 1) * c->dilation[0];
    if (c->stride[0] != 1 || c->k[0] == 1 || depth < SHARED_DEPTH) return false;
    const int64_t rows = least(ROOM / depth / c->y[1] - halo, c->y[0]);
    if (rows <= halo || rows * c->y[1] < SHARED_WIDTH) return false;
    *t = (tiling){.images = 1,
                  .rows = equal_parts(c->y[0], rows),
                  .columns = c->y[1],
                  .slabs = c->k[0],
                  .depth = depth,
                  .kernel_rows = 1,
                  .halo = halo};
    return true;
}

static void plan_whole(const gt__conv *c, tiling *t) {
    const int64_t taps = c->in * c->k[0] * c->k[1], pixels = c->y[0] * c->y[1];
    const int64_t room = most(ROOM / taps, LEAST_COLUMNS);
    *t = (tiling){.images = 1,
                  .rows = c->y[0],
                  .columns = c->y[1],
                  .slabs = 1,
                  .depth = taps,
                  .kernel_rows = c->k[0]};
    if (pixels <= room) {
        t->images = least(room / pixels, c->n);
    } else if (c->y[1] <= room) {
        t->rows = equal_parts(c->y[0], room / c->y[1]);
    } else {
        t->rows = 1;
        t->columns = equal_parts(c->y[1], room);
    }
}

static bool is_direct(const gt__conv *c) {
    for (int d = 0; d < 2; d++)
        if (c->k[d] != 1 || c->stride[d] != 1 || c->padding[d] != 0) return false;
    return c->y[0] * c->y[1] >= DIRECT_WIDTH;
}

static tiling plan(const gt__conv *c) {
    tiling t;
    if (is_direct(c))
        t = (tiling){.images = 1,
                     .rows = c->y[0],
                     .columns = c->y[1],
                     .slabs = 1,
                     .depth = c->in,
                     .kernel_rows = 1,
                     .direct = true};
    else if (!plan_shared(c, &t))
        plan_whole(c, &t);
    t.blocks = ceil_div(c->n, t.images);
    t.down = ceil_div(c->y[0], t.rows);
    t.across = ceil_div(c->y[1], t.columns);
    return t;
}

/* One tile: where it begins and how large it is (those at the ends are smaller). */
typedef struct tile {
    int64_t image, images, top, rows, left, columns;
    int64_t pixels; /* elements of y for one channel */
    int64_t line;   /* elements of one line */
} tile;

static tile tile_at(const gt__conv *c, const tiling *t, int64_t i) {
    tile at;
    at.left = i % t->across * t->columns;
    at.top = i / t->across % t->down * t->rows;
    at.image = i / t->across / t->down * t->images;
    at.images = least(t->images, c->n - at.image);
    at.rows = least(t->rows, c->y[0] - at.top);
    at.columns = least(t->columns, c->y[1] - at.left);
    at.pixels = at.images * at.rows * at.columns;
    at.line = t->direct ? c->x[0] * c->x[1] : at.images * (at.rows + t->halo) * at.columns;
    return at;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Goes over the rows of the lines of a tap, in every image of the tile. x is its channel. */
static void walk_tap(const gt__conv *c, const tiling *t, const tile *at, int64_t i, int64_t j,
                     row *r, int64_t x, row_loop loop, const void *from, void *to) {
    const int64_t rows = at->rows + t->halo, plane = c->x[0] * c->x[1];
    const int64_t top = at->top * c->stride[0] + i * c->dilation[0] - c->padding[0];
    const span across = met(c, 1, j, at->left, at->columns), nothing = {0, 0, 0};
    for (int64_t b = 0; b < at->images; b++)
        for (int64_t p = 0; p < rows; p++, r->line += at->columns) {
            const int64_t y = top + p * c->stride[0];
            const bool inside = y >= 0 && y < c->x[0] && across.end > 0;
            r->met = inside ? across : nothing;
            r->x = inside ? x + b * c->groups * c->in * plane + y * c->x[1] + across.from : 0;
            loop(from, to, r);
        }
}

/* Offset of a group's channels in an image of x or y. */
static int64_t x_place(const gt__conv *c, int64_t image, int64_t group) {
    return (image * c->groups + group) * c->in * c->x[0] * c->x[1];
}
static int64_t y_place(const gt__conv *c, int64_t image, int64_t group) {
    return (image * c->groups + group) * c->out * c->y[0] * c->y[1];
}

/* Copies x to the lines of a tile, or adds the lines to x: that is the loop's choice. */
static void walk_lines(const gt__conv *c, const tiling *t, const tile *at, int64_t group,
                       row_loop loop, const void *from, void *to) {
    row r = {.columns = at->columns, .step = c->stride[1]};
    const int64_t x = x_place(c, at->image, group);
    for (int64_t channel = 0; channel < c->in; channel++)
        for (int64_t i = 0; i < t->kernel_rows; i++)
            for (int64_t j = 0; j < c->k[1]; j++)
                walk_tap(c, t, at, i, j, &r, x + channel * c->x[0] * c->x[1], loop, from, to);
}

/* ---- what every task works with -------------------------------------------------------------- */

typedef struct work {
    const gt__conv *c;
    const kernels *loop;
    tiling t;
    int64_t size; /* of an element */
    const void *x, *y, *w;
    void *result;
    size_t line_bytes, turned_bytes, task_bytes; /* memory of a task: lines, y in order, product */
    int64_t parts;                               /* of the sum for the weights */
    int64_t tasks;
    char *memory, *weights;
} work;

static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) & ~(size_t)63; }

static const void *at_element(const work *k, const void *base, int64_t i) {
    return (const char *)base + i * k->size;
}
static void *place_of(const work *k, void *base, int64_t i) { return (char *)base + i * k->size; }

static work begin(const gt__conv *c) {
    work k = {.c = c, .loop = c->dtype == GT_F32 ? &loops_f32 : &loops_f64, .t = plan(c)};
    k.size = (int64_t)gt_dtype_size(c->dtype);
    return k;
}

static char *memory_of(const work *k, int thread) {
    return k->memory + (size_t)thread * k->task_bytes;
}

/* Memory for every thread: m, n, k are of the largest product. */
static bool provide(const gt_call *call, work *k, int64_t m, int64_t n, int64_t depth) {
    const tile at = tile_at(k->c, &k->t, 0);
    const int64_t lines = k->t.depth * at.line;
    const gt__gemm_job product = {.m = m, .n = n, .k = depth};
    k->line_bytes = k->t.direct ? 0 : aligned(lines * k->size);
    k->turned_bytes = at.images > 1 ? aligned(k->c->out * at.pixels * k->size) : 0;
    k->task_bytes = k->line_bytes + k->turned_bytes + gt__gemm_scratch(&product, (size_t)k->size);
    k->memory = gt_scratch(call, (size_t)gt__threads_for(k->tasks) * k->task_bytes + 64);
    return k->memory != NULL;
}

/* Weights as [group, slab, out, tap of the slab]: copies them there or back. */
static void arrange_weights(const work *k, const void *from, void *to, bool back) {
    const gt__conv *c = k->c;
    const size_t bytes = (size_t)(c->k[1] * k->size);
    int64_t plain = 0;
    for (int64_t o = 0; o < c->groups * c->out; o++)
        for (int64_t channel = 0; channel < c->in; channel++)
            for (int64_t i = 0; i < c->k[0]; i++, plain += c->k[1]) {
                const int64_t slab = o / c->out * c->k[0] + i;
                const int64_t turned =
                    (slab * c->out + o % c->out) * k->t.depth + channel * c->k[1];
                memcpy(place_of(k, to, back ? plain : turned),
                       at_element(k, from, back ? turned : plain), bytes);
            }
}

static int64_t weight_count(const gt__conv *c) {
    return c->groups * c->out * c->in * c->k[0] * c->k[1];
}

/* Sets k->w to the weights in the order of the slabs. */
static bool weights_in_order(const gt_call *call, work *k, const void *w) {
    k->w = w;
    if (k->t.slabs == 1) return true;
    void *turned = gt_scratch(call, (size_t)(weight_count(k->c) * k->size));
    if (!turned) return false;
    arrange_weights(k, w, turned, false);
    k->w = turned;
    return true;
}

static int64_t slab_weights(const work *k, int64_t group, int64_t slab) {
    return (group * k->t.slabs + slab) * k->c->out * k->t.depth;
}
/* Slab i begins that many elements after slab 0 in every line. */
static int64_t slab_shift(const work *k, const tile *at, int64_t slab) {
    return slab * k->c->dilation[0] * at->columns;
}

/* Where a tile's y is, channel after channel `*apart`: in place for one image. */
static int64_t y_offset(const work *k, const tile *at, int64_t group) {
    return y_place(k->c, at->image, group) + at->top * k->c->y[1] + at->left;
}
static int64_t y_apart(const work *k, const tile *at) {
    return at->images > 1 ? at->pixels : k->c->y[0] * k->c->y[1];
}

/* Between y [image, channel, pixel] and a tile's own [channel, image, pixel]. */
static void turn_images(const work *k, const tile *at, int64_t group, const void *from, void *to,
                        bool back) {
    const int64_t pixels = at->pixels / at->images;
    for (int64_t b = 0; b < at->images; b++)
        for (int64_t o = 0; o < k->c->out; o++) {
            const int64_t plain = y_place(k->c, at->image + b, group) + o * pixels;
            const int64_t turned = (o * at->images + b) * pixels;
            memcpy(place_of(k, to, back ? plain : turned),
                   at_element(k, from, back ? turned : plain), (size_t)(pixels * k->size));
        }
}

static const void *tile_of_y(const work *k, const tile *at, int64_t group, char *memory) {
    if (at->images == 1) return at_element(k, k->y, y_offset(k, at, group));
    turn_images(k, at, group, k->y, memory + k->line_bytes, false);
    return memory + k->line_bytes;
}

static const void *lines_of_x(const work *k, const tile *at, int64_t group, char *memory) {
    if (k->t.direct) return at_element(k, k->x, x_place(k->c, at->image, group));
    walk_lines(k->c, &k->t, at, group, k->loop->unfold_row, k->x, memory);
    return memory;
}

static void *product_memory(const work *k, char *memory) {
    return memory + k->line_bytes + k->turned_bytes;
}

/* ---- by other ways --------------------------------------------------------------------------- */

bool gt__convolve_takes_last(const gt__conv *c, gt__made makes, bool exact) {
    const bool pixels = c->n && c->x[0] && c->x[1] && c->groups && c->in && c->out;
    return pixels && !exact && !is_direct(c) &&
           (gt__winograd_takes(c, makes) || gt__windows_takes(c, makes));
}

/* Where x itself holds the lines, our own product is the quickest for floats, too. */
static gt__outcome elsewhere(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                             const void *x, const void *y) {
    if (call->exact || is_direct(c)) return GT__REFUSED;
    gt__outcome outcome = gt__winograd(call, c, makes, w, x, y, NULL);
    if (outcome == GT__REFUSED) outcome = gt__windows(call, c, makes, w, x, y, NULL);
#ifdef GT_WITH_ONEDNN
    if (outcome == GT__REFUSED) return gt__onednn_convolve(call, c, makes, w, x, y);
#endif
    return outcome;
}

bool gt__convolve_rows(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                       const void *x, const void *y, gt_rows *rows) {
    const bool of_y = makes == GT__MAKES_Y;
    const int64_t *size = of_y ? c->y : c->x, channels = c->groups * (of_y ? c->out : c->in);
    const double image = (double)channels * (double)size[0] * (double)size[1];
    const bool few = c->n < IMAGES_EACH * (int64_t)gt__threads_for(c->n);
    if (call->exact || is_direct(c) || few || image > LARGEST_IMAGE) return true;
    gt__outcome outcome = gt__winograd(call, c, makes, w, x, y, rows);
    if (outcome == GT__REFUSED) outcome = gt__windows(call, c, makes, w, x, y, rows);
    return outcome != GT__FAILED;
}

/* ---- y from x and w -------------------------------------------------------------------------- */

static void forward_task(const void *of, int64_t i, int thread) {
    const work *k = of;
    char *memory = memory_of(k, thread);
    const tile at = tile_at(k->c, &k->t, i / k->c->groups);
    const int64_t group = i % k->c->groups;
    const void *lines = lines_of_x(k, &at, group, memory);
    void *y =
        at.images > 1 ? memory + k->line_bytes : place_of(k, k->result, y_offset(k, &at, group));
    for (int64_t slab = 0; slab < k->t.slabs; slab++) {
        const gt__gemm_job job = {.m = k->c->out,
                                  .n = at.pixels,
                                  .k = k->t.depth,
                                  .a = at_element(k, k->w, slab_weights(k, group, slab)),
                                  .a_row = k->t.depth,
                                  .a_col = 1,
                                  .b = at_element(k, lines, slab_shift(k, &at, slab)),
                                  .b_row = at.line,
                                  .b_col = 1,
                                  .c = y,
                                  .ldc = y_apart(k, &at),
                                  .accumulate = slab > 0};
        k->loop->gemm(&job, product_memory(k, memory));
    }
    if (at.images > 1) turn_images(k, &at, group, y, k->result, true);
}

static const void *x_plane(const work *k, int64_t image, int64_t group, int64_t channel) {
    return at_element(k, k->x, x_place(k->c, image, group) + channel * k->c->x[0] * k->c->x[1]);
}
static const void *y_plane(const work *k, int64_t image, int64_t group, int64_t o) {
    return at_element(k, k->y, y_place(k->c, image, group) + o * k->c->y[0] * k->c->y[1]);
}
static const void *filter(const work *k, int64_t group, int64_t o, int64_t channel) {
    const gt__conv *c = k->c;
    return at_element(k, k->w, ((group * c->out + o) * c->in + channel) * c->k[0] * c->k[1]);
}

/* The i-th of the planes of this many elements that the result consists of, cleared. */
static void *clear_plane(const work *k, int64_t i, int64_t elements) {
    void *plane = place_of(k, k->result, i * elements);
    if (elements) memset(plane, 0, (size_t)(elements * k->size));
    return plane;
}

static void forward_plane(const void *of, int64_t i, int thread) {
    const work *k = of;
    const gt__conv *c = k->c;
    const int64_t o = i % c->out, group = i / c->out % c->groups, image = i / c->out / c->groups;
    void *y = clear_plane(k, i, c->y[0] * c->y[1]);
    (void)thread;
    for (int64_t channel = 0; channel < c->in; channel++)
        k->loop->plane(c, x_plane(k, image, group, channel), filter(k, group, o, channel), y);
}

static bool by_planes(const gt__conv *c) { return c->in == 1 && c->out <= PLANES; }

/* Is there anything to add up? Else the result, of n elements, is zeros. */
static bool is_empty(const gt__conv *c, void *result, int64_t n) {
    if (c->n && c->groups && c->in && c->out) return false;
    if (n) memset(result, 0, (size_t)n * gt_dtype_size(c->dtype));
    return true;
}

bool gt__convolve(const gt_call *call, const gt__conv *c, const void *x, const void *w, void *y) {
    if (is_empty(c, y, c->n * c->groups * c->out * c->y[0] * c->y[1])) return true;
    const gt__outcome outcome = elsewhere(call, c, GT__MAKES_Y, w, x, y);
    if (outcome != GT__REFUSED) return outcome == GT__DONE;
    work k = begin(c);
    k.x = x;
    k.w = w;
    k.result = y;
    if (call->exact || by_planes(c)) {
        k.tasks = c->n * c->groups * c->out;
        gt__share(k.tasks, gt__threads(), forward_plane, &k);
        return true;
    }
    k.tasks = k.t.blocks * k.t.down * k.t.across * c->groups;
    if (!weights_in_order(call, &k, w)) return false;
    if (!provide(call, &k, c->out, tile_at(c, &k.t, 0).pixels, k.t.depth)) return false;
    gt__share(k.tasks, gt__threads(), forward_task, &k);
    return true;
}

/* ---- x from y and w -------------------------------------------------------------------------- */

static void input_tile(const work *k, const tile *at, int64_t group, char *memory) {
    const void *y = tile_of_y(k, at, group, memory);
    void *lines =
        k->t.direct ? place_of(k, k->result, x_place(k->c, at->image, group)) : (void *)memory;
    if (k->t.slabs > 1) memset(lines, 0, (size_t)(k->t.depth * at->line * k->size));
    for (int64_t slab = 0; slab < k->t.slabs; slab++) {
        const gt__gemm_job job = {.m = k->t.depth,
                                  .n = at->pixels,
                                  .k = k->c->out,
                                  .a = at_element(k, k->w, slab_weights(k, group, slab)),
                                  .a_row = 1,
                                  .a_col = k->t.depth,
                                  .b = y,
                                  .b_row = y_apart(k, at),
                                  .b_col = 1,
                                  .c = place_of(k, lines, slab_shift(k, at, slab)),
                                  .ldc = at->line,
                                  .accumulate = k->t.slabs > 1};
        k->loop->gemm(&job, product_memory(k, memory));
    }
    if (!k->t.direct) walk_lines(k->c, &k->t, at, group, k->loop->fold_row, lines, k->result);
}

/* Tiles of one image meet in x: one task takes them all. */
static void input_task(const void *of, int64_t i, int thread) {
    const work *k = of;
    char *memory = memory_of(k, thread);
    const gt__conv *c = k->c;
    const int64_t tiles = k->t.down * k->t.across, first = i / c->groups * tiles;
    const int64_t group = i % c->groups;
    const tile block = tile_at(c, &k->t, first);
    for (int64_t b = 0; !k->t.direct && b < block.images; b++)
        memset(place_of(k, k->result, x_place(c, block.image + b, group)), 0,
               (size_t)(c->in * c->x[0] * c->x[1] * k->size));
    for (int64_t t = 0; t < tiles; t++) {
        const tile at = tile_at(c, &k->t, first + t);
        input_tile(k, &at, group, memory);
    }
}

static void input_plane(const void *of, int64_t i, int thread) {
    const work *k = of;
    const gt__conv *c = k->c;
    const int64_t channel = i % c->in, group = i / c->in % c->groups, image = i / c->in / c->groups;
    void *x = clear_plane(k, i, c->x[0] * c->x[1]);
    (void)thread;
    for (int64_t o = 0; o < c->out; o++)
        k->loop->plane_input(c, y_plane(k, image, group, o), filter(k, group, o, channel), x);
}

bool gt__convolve_input(const gt_call *call, const gt__conv *c, const void *y, const void *w,
                        void *x) {
    const int64_t n = c->n * c->groups * c->in * c->x[0] * c->x[1];
    if (n == 0 || is_empty(c, x, n)) return true;
    const gt__outcome outcome = elsewhere(call, c, GT__MAKES_X, w, x, y);
    if (outcome != GT__REFUSED) return outcome == GT__DONE;
    work k = begin(c);
    k.y = y;
    k.w = w;
    k.result = x;
    if (call->exact || by_planes(c)) {
        k.tasks = c->n * c->groups * c->in;
        gt__share(k.tasks, gt__threads(), input_plane, &k);
        return true;
    }
    k.tasks = k.t.blocks * c->groups;
    if (!weights_in_order(call, &k, w)) return false;
    if (!provide(call, &k, k.t.depth, tile_at(c, &k.t, 0).pixels, c->out)) return false;
    gt__share(k.tasks, gt__threads(), input_task, &k);
    return true;
}

/* ---- w from x and y -------------------------------------------------------------------------- */

static void weight_tile(const work *k, const tile *at, int64_t group, void *sums, char *memory) {
    const void *lines = lines_of_x(k, at, group, memory), *y = tile_of_y(k, at, group, memory);
    for (int64_t slab = 0; slab < k->t.slabs; slab++) {
        const gt__gemm_job job = {.m = k->c->out,
                                  .n = k->t.depth,
                                  .k = at->pixels,
                                  .a = y,
                                  .a_row = y_apart(k, at),
                                  .a_col = 1,
                                  .b = at_element(k, lines, slab_shift(k, at, slab)),
                                  .b_row = 1,
                                  .b_col = at->line,
                                  .c = place_of(k, sums, slab_weights(k, group, slab)),
                                  .ldc = k->t.depth,
                                  .accumulate = true};
        k->loop->gemm(&job, product_memory(k, memory));
    }
}

/* One part of the tiles, into sums of its own. */
static void weight_task(const void *of, int64_t part, int thread) {
    const work *k = of;
    const int64_t tiles = k->t.blocks * k->t.down * k->t.across;
    void *sums = place_of(k, k->weights, part * weight_count(k->c));
    for (int64_t t = tiles * part / k->parts; t < tiles * (part + 1) / k->parts; t++) {
        const tile at = tile_at(k->c, &k->t, t);
        for (int64_t group = 0; group < k->c->groups; group++)
            weight_tile(k, &at, group, sums, memory_of(k, thread));
    }
}

static void weight_plane(const void *of, int64_t i, int thread) {
    const work *k = of;
    const gt__conv *c = k->c;
    const int64_t channel = i % c->in, o = i / c->in % c->out, group = i / c->in / c->out;
    void *w = clear_plane(k, i, c->k[0] * c->k[1]);
    (void)thread;
    for (int64_t image = 0; image < c->n; image++)
        k->loop->plane_weight(c, x_plane(k, image, group, channel), y_plane(k, image, group, o), w);
}

bool gt__convolve_weight(const gt_call *call, const gt__conv *c, const void *x, const void *y,
                         void *w) {
    const int64_t n = weight_count(c);
    if (is_empty(c, w, n)) return true;
    const gt__outcome outcome = elsewhere(call, c, GT__MAKES_W, w, x, y);
    if (outcome != GT__REFUSED) return outcome == GT__DONE;
    work k = begin(c);
    k.x = x;
    k.y = y;
    k.result = w;
    if (call->exact || by_planes(c)) {
        k.tasks = c->groups * c->out * c->in;
        gt__share(k.tasks, gt__threads(), weight_plane, &k);
        return true;
    }
    const int64_t tiles = k.t.blocks * k.t.down * k.t.across;
    k.tasks = k.parts = n * k.size <= PART_BYTES ? least(PARTS, tiles) : 1;
    k.weights = gt_scratch(call, (size_t)(k.parts * n * k.size));
    if (!k.weights) return false;
    memset(k.weights, 0, (size_t)(k.parts * n * k.size));
    if (!provide(call, &k, c->out, k.t.depth, tile_at(c, &k.t, 0).pixels)) return false;
    gt__share(k.tasks, gt__threads(), weight_task, &k);
    for (int64_t part = 1; part < k.parts; part++)
        k.loop->add(k.weights, at_element(&k, k.weights, part * n), n);
    if (k.t.slabs == 1)
        memcpy(w, k.weights, (size_t)(n * k.size));
    else
        arrange_weights(&k, k.weights, w, true);
    return true;
}
