/* ops/windows.c: convolutions summed where the pixels are, their channels together.
 *
 * A window, the pixels of x that some rows of y are made of, is brought into an order with channels together.
 * There the elements that a tap meets need not be gathered: its channels are neighbours, those for the next
 * element of y a step further. So y is a product of matrices over the window itself, a row of A for each pixel
 * of y, and the gradient of w one whose rows are taps.
 *
 * What x gets from y is the same, the other way around. With a stride, pixels of x differ by the taps that
 * reach them: those that are a multiple of the stride apart make a phase, which is one product.
 *
 * A block of rows of the result, or of images where they are small, is one task; blocks, and the shares in which
 * the gradient of w is added up, are a matter of sizes alone. */
#include "ops/windows.h"

#include <string.h>

#include "graph/threads.h"
#include "ops/pixels.h"

enum {
    BLOCK_BYTES =
        1 << 17, /* of a window and its result, which then stay in the second-level cache, ... */
    MOST_BYTES = 1 << 19,   /* if a row of it is no larger; beyond this that would have to be cut */
    BLOCK_PIXELS = 96,      /* of the result, if images are small */
    SUMMED_PIXELS = 64,     /* at a time for the gradient of w, in whole rows */
    MOST_WEIGHTS = 1 << 15, /* which are read for every block */
    MOST_PHASES = 16,
    MOST_STEP = 1 << 10,  /* of options: sizes of windows do not overflow */
    SHARES = 4,           /* of the blocks, for the gradient of w */
    LEAST_WORK = 1 << 16, /* products that are worth it */
    LEAST_CHANNELS = 4    /* of the result: the others of a vector are for nothing */
};

/* Along an axis, pixel u out_step + p of the result is made of pixel u in_step + shift(p, tap), p < out_step
 * being its phase, where that shift is a whole number. */
typedef struct axis {
    bool back; /* from y to x */
    int64_t out, in;
    int64_t out_step, in_step;
    int64_t taps, dilation, padding;
    int64_t low, high; /* shifts */
    int64_t apart;     /* pixels of a window, in the image */
} axis;

/* The taps that reach a phase: so many, in the order of their shifts. */
typedef struct reach {
    int64_t taps, tap, next, shift, further;
} reach;

typedef struct phase {
    int64_t first[2], columns;
    reach by[2];
    int64_t slabs, depth;
    int64_t *slab;
    gt__row_pair *row;
    float *weights;
} phase;

typedef struct work {
    const gt__conv *c;
    const gt__pixel_loops *loop;
    axis a[2];
    int64_t in, out,
        padded; /* channels of a group: what is read, the result, and that in whole vectors */
    gt__field from, to;
    int64_t images, units; /* of a block: images, or rows of one in steps of out_step */
    int64_t down, blocks;
    int64_t window[2]; /* its rows and columns */
    int64_t phases;
    phase of[MOST_PHASES];
    int64_t group_weights; /* vectors' ends included */
    int64_t shares;
    float *weights; /* or their gradient, of the shares: [group, tap, in, out] */
    char *memory;
    size_t window_bytes, thread_bytes;
} work;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }
static int64_t ceil_div(int64_t a, int64_t b) { return -floor_div(-a, b); }

/* ---- an axis --------------------------------------------------------------------------------- */

static axis axis_forth(const gt__conv *c, int d) {
    return (axis){.out = c->y[d],
                  .in = c->x[d],
                  .out_step = 1,
                  .in_step = c->stride[d],
                  .taps = c->k[d],
                  .dilation = c->dilation[d],
                  .padding = c->padding[d],
                  .low = -c->padding[d],
                  .high = (c->k[d] - 1) * c->dilation[d] - c->padding[d],
                  .apart = 1};
}

static axis axis_back(const gt__conv *c, int d) {
    const int64_t step = c->stride[d];
    return (axis){.back = true,
                  .out = c->x[d],
                  .in = c->y[d],
                  .out_step = step,
                  .in_step = 1,
                  .taps = c->k[d],
                  .dilation = c->dilation[d],
                  .padding = c->padding[d],
                  .low = floor_div(c->padding[d] - (c->k[d] - 1) * c->dilation[d], step),
                  .high = floor_div(step - 1 + c->padding[d], step),
                  .apart = 1};
}

/* A single tap meets some rows only: the window has no others. */
static void skip_rows(axis *a) {
    if (a->back || a->taps > 1) return;
    a->apart = a->in_step;
    a->in_step = 1;
}

/* Is there a shift for the tap? */
static bool shifts(const axis *a, int64_t first, int64_t tap, int64_t *shift) {
    const int64_t at = first + a->padding - tap * a->dilation;
    *shift = a->back ? floor_div(at, a->out_step) : tap * a->dilation - a->padding;
    return !a->back || at % a->out_step == 0;
}

static reach reach_of(const axis *a, int64_t first) {
    reach r = {0};
    for (int64_t i = 0; i < a->taps; i++) {
        const int64_t tap = a->back ? a->taps - 1 - i : i;
        int64_t shift;
        if (!shifts(a, first, tap, &shift)) continue;
        if (r.taps == 0) r.tap = tap, r.shift = shift;
        if (r.taps == 1) r.next = tap - r.tap, r.further = shift - r.shift;
        r.taps++;
    }
    return r;
}

static int64_t units_of(const axis *a) { return ceil_div(a->out, a->out_step); }
static int64_t reached(const axis *a, int64_t units) {
    return (units - 1) * a->in_step + a->high - a->low + 1;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static int64_t window_elements(const work *k) {
    return k->images * reached(&k->a[0], k->units) * k->window[1] * k->in;
}
static int64_t result_rows(const work *k) {
    return least(k->units * k->a[0].out_step, k->a[0].out);
}
static int64_t result_elements(const work *k) {
    return k->images * result_rows(k) * k->a[1].out * k->padded;
}
static int64_t block_bytes(const work *k) {
    return (window_elements(k) + result_elements(k)) * (int64_t)sizeof(float);
}

/* False where a row is too large. */
static bool cut(work *k) {
    const int64_t units = units_of(&k->a[0]), pixels = k->a[0].out * k->a[1].out;
    k->images = k->units = 1;
    k->window[1] = reached(&k->a[1], units_of(&k->a[1]));
    if (block_bytes(k) > MOST_BYTES) return false;
    while (k->units < units && block_bytes(k) <= BLOCK_BYTES) k->units++;
    k->down = ceil_div(units, k->units);
    k->units = ceil_div(units, k->down);
    const int64_t wanted = ceil_div(BLOCK_PIXELS, pixels), room = BLOCK_BYTES / block_bytes(k);
    if (k->down == 1) k->images = most(1, least(least(wanted, room), k->c->n / SHARES));
    k->blocks = ceil_div(k->c->n, k->images) * k->down;
    k->window[0] = reached(&k->a[0], k->units);
    return true;
}

typedef struct block {
    int64_t image, images, top, rows; /* of the result */
} block;

static block block_at(const work *k, int64_t i) {
    const int64_t image = i / k->down * k->images, rows = k->units * k->a[0].out_step;
    const int64_t top = i % k->down * rows;
    return (block){image, least(k->images, k->c->n - image), top, least(rows, k->a[0].out - top)};
}

/* The pixels of an axis that a window has from `at` on: those in the image. */
typedef struct span {
    int64_t first, end;
} span;

static span inside(const axis *a, int64_t at, int64_t count) {
    const int64_t first = most(0, ceil_div(-at, a->apart));
    return (span){first, most(first, least(count, ceil_div(a->in - at, a->apart)))};
}

static void read_window(const work *k, const block *b, int64_t group, float *memory) {
    const axis *down = &k->a[0];
    const int64_t row = k->window[1] * k->in, plane = down->in * k->a[1].in;
    const int64_t top = b->top / down->out_step * down->in_step * down->apart + down->low,
                  left = k->a[1].low;
    const span y = inside(down, top, k->window[0]), x = inside(&k->a[1], left, k->window[1]);
    const bool whole = x.end - x.first == k->window[1] && y.end - y.first == k->window[0];
    for (int64_t i = 0; i < b->images; i++) {
        float *to = memory + i * k->window[0] * row;
        if (!whole) memset(to, 0, (size_t)(k->window[0] * row) * sizeof *to);
        if (y.end == y.first || x.end == x.first) continue;
        gt__field from = gt__field_at(k->from, k->c->groups * k->in * plane, b->image + i,
                                      group * k->in, top + y.first * down->apart, left + x.first);
        from.row *= down->apart;
        gt__read_pixels(k->loop, from, y.end - y.first, x.end - x.first, k->in,
                        to + y.first * row + x.first * k->in, row, k->in);
    }
}

static gt__field result_of(const work *k, const block *b, int64_t image, int64_t group) {
    const int64_t plane = k->a[0].out * k->a[1].out;
    return gt__field_at(k->to, k->c->groups * k->out * plane, b->image + image, group * k->out,
                        b->top, 0);
}

static void write_result(const work *k, const block *b, int64_t group, const float *memory) {
    const int64_t columns = k->a[1].out, pixels = b->rows * columns;
    for (int64_t i = 0; i < b->images; i++)
        gt__write_pixels(k->loop, result_of(k, b, i, group), b->rows, columns, k->out,
                         memory + i * pixels * k->padded, columns * k->padded, k->padded);
}

/* For the gradient of w, which reads y. */
static void read_result(const work *k, const block *b, int64_t group, float *memory) {
    const int64_t columns = k->a[1].out, pixels = b->rows * columns;
    if (k->padded > k->out)
        memset(memory, 0, (size_t)(b->images * pixels * k->padded) * sizeof *memory);
    for (int64_t i = 0; i < b->images; i++)
        gt__read_pixels(k->loop, result_of(k, b, i, group), b->rows, columns, k->out,
                        memory + i * pixels * k->padded, columns * k->padded, k->padded);
}

/* ---- places in a window ---------------------------------------------------------------------- */

static int64_t place_in(const work *k, int64_t image, int64_t row, int64_t column) {
    return ((image * k->window[0] + row) * k->window[1] + column) * k->in;
}

/* Rows of A and C, of a whole block: another has the first of them. */
static void place_rows(const work *k, const phase *p) {
    const axis *a = k->a;
    const int64_t rows = result_rows(k);
    gt__row_pair *to = p->row;
    for (int64_t image = 0; image < k->images; image++)
        for (int64_t u = 0; u * a[0].out_step + p->first[0] < rows; u++)
            for (int64_t v = 0; v < p->columns; v++) {
                const int64_t row = image * rows + u * a[0].out_step + p->first[0];
                const int64_t column = v * a[1].out_step + p->first[1];
                *to++ = (gt__row_pair){place_in(k, image, u * a[0].in_step, v * a[1].in_step),
                                       (row * a[1].out + column) * k->padded};
            }
}

/* Taps whose pixels are neighbours make one slab. */
static void place_slabs(const work *k, const phase *p) {
    const int64_t across = p->by[0].taps ? p->slabs / p->by[0].taps : 0;
    for (int64_t i = 0; i < p->slabs; i++) {
        const int64_t row = p->by[0].shift + i / across * p->by[0].further - k->a[0].low;
        const int64_t column = p->by[1].shift + i % across * p->by[1].further - k->a[1].low;
        p->slab[i] = place_in(k, 0, row, column);
    }
}

/* Of channel o of the result, from channel i, the weight of a tap begins at o out + i in. */
typedef struct filters {
    float *at;
    int64_t out, in, group;
} filters;

static void arrange_weights(const work *k, const phase *p, int64_t group, filters w) {
    const int64_t width = 2 * k->loop->lanes;
    float *to = p->weights + group * k->group_weights;
    for (int64_t o = 0; o < k->padded; o += width)
        for (int64_t i = 0; i < p->by[0].taps; i++)
            for (int64_t j = 0; j < p->by[1].taps; j++) {
                const int64_t tap = (p->by[0].tap + i * p->by[0].next) * k->c->k[1] + p->by[1].tap +
                                    j * p->by[1].next;
                for (int64_t c = 0; c < k->in; c++)
                    for (int64_t l = 0; l < width; l++)
                        *to++ = o + l < k->out
                                    ? w.at[group * w.group + (o + l) * w.out + c * w.in + tap]
                                    : 0;
            }
}

static void plan_phases(work *k) {
    const axis *a = k->a;
    k->phases = a[0].out_step * a[1].out_step;
    for (int64_t i = 0; i < k->phases; i++) {
        phase *p = &k->of[i];
        p->first[0] = i / a[1].out_step, p->first[1] = i % a[1].out_step;
        p->columns = ceil_div(a[1].out - p->first[1], a[1].out_step);
        for (int d = 0; d < 2; d++) p->by[d] = reach_of(&a[d], p->first[d]);
        const int64_t together = p->by[1].taps == 1 || p->by[1].further == 1 ? p->by[1].taps : 1;
        p->slabs = together ? p->by[0].taps * (p->by[1].taps / together) : 0;
        p->depth = together * k->in;
    }
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static size_t aligned(int64_t bytes) { return ((size_t)bytes + 63) & ~(size_t)63; }

static void make_pixels(const work *k, int64_t task, char *memory) {
    const block b = block_at(k, task / k->c->groups);
    const int64_t group = task % k->c->groups;
    float *window = (float *)(void *)memory, *result = (float *)(void *)(memory + k->window_bytes);
    read_window(k, &b, group, window);
    for (int64_t i = 0; i < k->phases; i++) {
        const phase *p = &k->of[i];
        const int64_t rows = ceil_div(b.rows - p->first[0], k->a[0].out_step);
        const gt__pixel_product g = {.m = b.images * most(rows, 0) * p->columns,
                                     .n = k->padded,
                                     .slabs = p->slabs,
                                     .depth = p->depth,
                                     .a = window,
                                     .row = p->row,
                                     .slab = p->slab,
                                     .a_col = 1,
                                     .b = p->weights + group * k->group_weights,
                                     .b_row = 2 * k->loop->lanes,
                                     .b_panel = 2 * k->loop->lanes * p->slabs * p->depth,
                                     .c = result};
        k->loop->multiply(&g);
    }
    write_result(k, &b, group, result);
}

/* Adds what a block gives to a group's weights: rows of C are taps, slabs are rows of y. */
static void add_block(const work *k, const block *b, int64_t group, float *sums, char *memory) {
    const phase *p = &k->of[0];
    float *window = (float *)(void *)memory, *y = (float *)(void *)(memory + k->window_bytes);
    read_window(k, b, group, window);
    read_result(k, b, group, y);
    const int64_t rows = b->images * b->rows, columns = k->a[1].out;
    const int64_t at_once = ceil_div(SUMMED_PIXELS, columns);
    for (int64_t row = 0; row < rows; row += at_once) {
        const gt__pixel_product g = {.m = k->group_weights / k->padded,
                                     .n = k->padded,
                                     .slabs = least(at_once, rows - row),
                                     .depth = columns,
                                     .a = window,
                                     .row = p->row,
                                     .slab = p->slab + row,
                                     .a_col = k->a[1].in_step * k->in,
                                     .b = y + row * columns * k->padded,
                                     .b_row = k->padded,
                                     .b_panel = 2 * k->loop->lanes,
                                     .c = sums + group * k->group_weights,
                                     .add = true};
        k->loop->multiply(&g);
    }
}

static char *memory_of(const work *k, int thread) {
    return k->memory + (size_t)thread * k->thread_bytes;
}

static void make_task(const void *of, int64_t task, int thread) {
    const work *k = of;
    make_pixels(k, task, memory_of(k, thread));
}

static void make_share(const void *of, int64_t share, int thread) {
    const work *k = of;
    const int64_t n = k->c->groups * k->group_weights;
    float *sums = k->weights + share * n;
    memset(sums, 0, (size_t)n * sizeof *sums);
    for (int64_t i = k->blocks * share / k->shares; i < k->blocks * (share + 1) / k->shares; i++) {
        const block b = block_at(k, i);
        for (int64_t group = 0; group < k->c->groups; group++)
            add_block(k, &b, group, sums, memory_of(k, thread));
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Memory for `rows` and `slabs` of all phases, weights, and the threads. */
static bool provide(const gt_call *call, work *k, int64_t rows, int64_t slabs, int64_t weights,
                    int64_t tasks) {
    const size_t row_bytes = aligned(rows * (int64_t)sizeof(gt__row_pair)),
                 slab_bytes = aligned(slabs * (int64_t)sizeof(int64_t)),
                 weight_bytes = aligned(weights * (int64_t)sizeof(float));
    k->window_bytes = aligned(window_elements(k) * (int64_t)sizeof(float));
    k->thread_bytes = k->window_bytes + aligned(result_elements(k) * (int64_t)sizeof(float));
    char *memory = gt_scratch(call, row_bytes + slab_bytes + weight_bytes +
                                        (size_t)gt__threads_for(tasks) * k->thread_bytes);
    if (!memory) return false;
    k->of[0].row = (gt__row_pair *)(void *)memory;
    k->of[0].slab = (int64_t *)(void *)(memory + row_bytes);
    k->weights = (float *)(void *)(memory + row_bytes + slab_bytes);
    k->memory = memory + row_bytes + slab_bytes + weight_bytes;
    return true;
}

/* What is needed to make some images later. */
typedef struct begun {
    gt__conv c;
    work k;
    int64_t image_rows; /* of all channels */
} begun;

static void make_rows(const gt_rows *rows, int64_t from, int64_t to, void *scratch) {
    const begun *b = rows->work;
    const int64_t first = from / b->image_rows / b->k.images * b->k.down, groups = b->c.groups;
    (void)to; /* those images' blocks, as rows->together says */
    for (int64_t i = first * groups; i < (first + b->k.down) * groups; i++)
        make_pixels(&b->k, i, scratch);
}

static gt__outcome begin_rows(const gt_call *call, const work *k, gt_rows *rows) {
    begun *b = gt_scratch(call, sizeof *b);
    if (!b) return GT__FAILED;
    *b = (begun){*k->c, *k, k->c->groups * k->out * k->a[0].out};
    b->k.c = &b->c;
    *rows = (gt_rows){make_rows, b, k->thread_bytes, true, k->images * b->image_rows};
    return GT__DONE;
}

static gt__outcome make_images(const gt_call *call, work *k, filters w, gt_rows *rows) {
    const int64_t tasks = k->blocks * k->c->groups, width = 2 * k->loop->lanes;
    const int64_t pixels = k->images * result_rows(k) * k->a[1].out;
    const int64_t taps = k->c->k[0] * k->c->k[1];
    plan_phases(k);
    k->group_weights = ceil_div(k->out, width) * width * k->in * taps;
    if (!provide(call, k, pixels, taps, k->c->groups * k->group_weights, rows ? 0 : tasks))
        return GT__FAILED;
    phase next = k->of[0];
    next.weights = k->weights;
    for (int64_t i = 0; i < k->phases; i++) {
        phase *p = &k->of[i];
        p->row = next.row, p->slab = next.slab, p->weights = next.weights;
        place_rows(k, p);
        place_slabs(k, p);
        for (int64_t group = 0; group < k->c->groups; group++) arrange_weights(k, p, group, w);
        next.row += k->images * most(0, ceil_div(result_rows(k) - p->first[0], k->a[0].out_step)) *
                    p->columns;
        next.slab += p->slabs;
        next.weights += ceil_div(k->out, width) * width * p->slabs * p->depth;
    }
    if (rows) return begin_rows(call, k, rows);
    gt__share(tasks, gt__threads(), make_task, k);
    return GT__DONE;
}

static gt__outcome make_weights(const gt_call *call, work *k, filters w) {
    const gt__conv *c = k->c;
    const int64_t taps = c->k[0] * c->k[1], rows = taps * k->in;
    k->group_weights = rows * k->padded;
    k->shares = least(SHARES, k->blocks);
    const int64_t n = c->groups * k->group_weights;
    if (!provide(call, k, rows, k->images * result_rows(k), k->shares * n, k->shares))
        return GT__FAILED;
    phase *p = &k->of[0];
    for (int64_t r = 0; r < rows; r++) {
        const int64_t tap = r / k->in, i = tap / c->k[1], j = tap % c->k[1];
        p->row[r] =
            (gt__row_pair){place_in(k, 0, i * c->dilation[0], j * c->dilation[1]) + r % k->in,
                           r * k->padded};
    }
    for (int64_t i = 0; i < k->images * result_rows(k); i++)
        p->slab[i] = place_in(k, i / result_rows(k), i % result_rows(k) * k->a[0].in_step, 0);
    gt__share(k->shares, gt__threads(), make_share, k);
    for (int64_t share = 1; share < k->shares; share++)
        for (int64_t i = 0; i < n; i++) k->weights[i] += k->weights[share * n + i];
    for (int64_t group = 0; group < c->groups; group++)
        k->loop->turn(w.at + group * w.group, w.in, w.out, k->weights + group * k->group_weights,
                      k->padded, k->in * k->padded, k->in, taps, k->out);
    return GT__DONE;
}

static bool is_possible(const gt__conv *c, bool back) {
    for (int d = 0; d < 2; d++)
        if (c->stride[d] > MOST_STEP || c->padding[d] > MOST_STEP || c->dilation[d] > MOST_STEP)
            return false;
    return c->dtype == GT_F32 && c->x[1] <= MOST_BYTES && c->y[1] <= MOST_BYTES &&
           (!back || c->stride[0] * c->stride[1] <= MOST_PHASES);
}

static bool is_worth_it(const gt__conv *c, int64_t made) {
    const double weights = (double)c->out * (double)c->in * (double)c->k[0] * (double)c->k[1];
    const double pixels = (double)c->n * (double)c->y[0] * (double)c->y[1];
    return weights <= MOST_WEIGHTS && weights * pixels >= LEAST_WORK && made >= LEAST_CHANNELS;
}

/* False where another way is better. */
static bool plan(const gt__conv *c, gt__made makes, work *k) {
    const bool back = makes == GT__MAKES_X;
    if (!is_possible(c, back) || !is_worth_it(c, back ? c->in : c->out)) return false;
    const gt__pixel_loops *loop = gt__loops_for_pixels();
    *k = (work){.c = c, .loop = loop, .shares = 1};
    k->in = back ? c->out : c->in;
    k->out = back ? c->in : c->out;
    k->padded = ceil_div(k->out, loop->lanes) * loop->lanes;
    for (int d = 0; d < 2; d++) k->a[d] = back ? axis_back(c, d) : axis_forth(c, d);
    skip_rows(&k->a[0]);
    return cut(k);
}

bool gt__windows_takes(const gt__conv *c, gt__made makes) {
    work k;
    return plan(c, makes, &k);
}

gt__outcome gt__windows(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                        const void *x, const void *y, gt_rows *rows) {
    work k;
    if (!plan(c, makes, &k)) return GT__REFUSED;
    const bool back = makes == GT__MAKES_X;
    const gt__field of_x = gt__field_of((float *)(uintptr_t)x, c->groups * c->in, c->x, c->x_last);
    const gt__field of_y = gt__field_of((float *)(uintptr_t)y, c->groups * c->out, c->y, c->y_last);
    k.from = back ? of_y : of_x;
    k.to = back ? of_x : of_y;
    const int64_t taps = c->k[0] * c->k[1], all = c->in * taps;
    const filters forth = {(float *)(uintptr_t)w, all, taps, c->out * all},
                  turned = {forth.at, taps, all, c->out * all};
    return makes == GT__MAKES_W ? make_weights(call, &k, forth)
                                : make_images(call, &k, back ? turned : forth, rows);
}
