/* ops/fold.c: the walk of a fold over strided memory; the order is told in fold.h.
 *
 * Two ways lead to the same bits. By rows: the elements of one result are neighbours (or are
 * gathered so), and the 16 lanes are a vector. By columns: neighbours belong to different results,
 * and a vector holds the same lane of many. */
#include "ops/fold.h"

#include <math.h>
#include <string.h>

#include "graph/threads.h"
#include "graph/wide.h"
#include "ops/unroll.h"

/* ---- loops for every kind -------------------------------------------------------------------- */

enum { FOLD_LANES = GT_FOLD_LANES, FOLD_CHUNK = GT_FOLD_LINES };

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
/* NaN wins: no comparison with it holds, and it differs from itself. */
#define LARGER(a, b) ((((a) > (b)) | ((a) != (a))) ? (a) : (b))
#define SMALLER(a, b) ((((a) < (b)) | ((a) != (a))) ? (a) : (b))
#define EITHER(a, b) (((a) | (b)) ? 1 : 0)
#define BOTH(a, b) (((a) & (b)) ? 1 : 0)

/* The same of vectors, where a comparison gives a mask. */
#define ADD_LANES(lanes, mask, a, b) ((a) + (b))
#define CHOSEN(lanes, mask, chosen, a, b)                                                          \
    ((lanes)(((mask)(a) & (chosen)) | ((mask)(b) & ~(chosen))))
#define LARGER_LANES(lanes, mask, a, b) CHOSEN(lanes, mask, ((a) > (b)) | ((a) != (a)), a, b)

#define FOLD_LOOPS GT__WIDE_VECTORS
#define NAME(x) sum_f32_##x
#define T float
#define R float
#define IDENTITY 0
#define COMBINE ADD
#define COMBINE_LANES ADD_LANES
#include "ops/fold_kernel.h"
#define NAME(x) sum_f64_##x
#define T double
#define R double
#define IDENTITY 0
#define COMBINE ADD
#define COMBINE_LANES ADD_LANES
#include "ops/fold_kernel.h"
#define NAME(x) max_f32_##x
#define T float
#define R float
#define IDENTITY (-INFINITY)
#define COMBINE LARGER
#define COMBINE_LANES LARGER_LANES
#include "ops/fold_kernel.h"
#define NAME(x) max_f64_##x
#define T double
#define R double
#define IDENTITY ((double)-INFINITY)
#define COMBINE LARGER
#define COMBINE_LANES LARGER_LANES
#include "ops/fold_kernel.h"
#define NAME(x) min_f32_##x
#define T float
#define R float
#define IDENTITY INFINITY
#define COMBINE SMALLER
#include "ops/fold_kernel.h"
#define NAME(x) min_f64_##x
#define T double
#define R double
#define IDENTITY ((double)INFINITY)
#define COMBINE SMALLER
#include "ops/fold_kernel.h"

/* The rest is not worth its size several times. */
#undef FOLD_LOOPS
#define FOLD_LOOPS
#define NAME(x) sum_i32_##x
#define T int32_t
#define R int64_t
#define IDENTITY 0
#define COMBINE ADD
#include "ops/fold_kernel.h"
#define NAME(x) sum_i64_##x
#define T int64_t
#define R int64_t
#define IDENTITY 0
#define COMBINE ADD
#include "ops/fold_kernel.h"
/* And of these, even once is enough. */
#undef FOLD_LOOPS
#define FOLD_LOOPS GT_RARELY
#define NAME(x) sum_bool_##x
#define T unsigned char
#define R int64_t
#define IDENTITY 0
#define COMBINE ADD
#include "ops/fold_kernel.h"
#define NAME(x) product_f32_##x
#define T float
#define R float
#define IDENTITY 1
#define COMBINE MULTIPLY
#include "ops/fold_kernel.h"
#define NAME(x) product_f64_##x
#define T double
#define R double
#define IDENTITY 1
#define COMBINE MULTIPLY
#include "ops/fold_kernel.h"
#define NAME(x) product_i32_##x
#define T int32_t
#define R int64_t
#define IDENTITY 1
#define COMBINE MULTIPLY
#include "ops/fold_kernel.h"
#define NAME(x) product_i64_##x
#define T int64_t
#define R int64_t
#define IDENTITY 1
#define COMBINE MULTIPLY
#include "ops/fold_kernel.h"
#define NAME(x) product_bool_##x
#define T unsigned char
#define R int64_t
#define IDENTITY 1
#define COMBINE MULTIPLY
#include "ops/fold_kernel.h"
#define NAME(x) max_i32_##x
#define T int32_t
#define R int32_t
#define IDENTITY INT32_MIN
#define COMBINE LARGER
#include "ops/fold_kernel.h"
#define NAME(x) max_i64_##x
#define T int64_t
#define R int64_t
#define IDENTITY INT64_MIN
#define COMBINE LARGER
#include "ops/fold_kernel.h"
#define NAME(x) min_i32_##x
#define T int32_t
#define R int32_t
#define IDENTITY INT32_MAX
#define COMBINE SMALLER
#include "ops/fold_kernel.h"
#define NAME(x) min_i64_##x
#define T int64_t
#define R int64_t
#define IDENTITY INT64_MAX
#define COMBINE SMALLER
#include "ops/fold_kernel.h"
#define NAME(x) any_bool_##x
#define T unsigned char
#define R unsigned char
#define IDENTITY 0
#define COMBINE EITHER
#include "ops/fold_kernel.h"
#define NAME(x) all_bool_##x
#define T unsigned char
#define R unsigned char
#define IDENTITY 1
#define COMBINE BOTH
#include "ops/fold_kernel.h"

const gt__folder *gt__folder_of(gt__folding folding, gt_dtype dtype) {
    static const gt__folder *const known[GT__N_FOLDINGS][GT_N_DTYPES] = {
        [GT__SUM] = {[GT_F32] = &sum_f32_folder,
                     [GT_F64] = &sum_f64_folder,
                     [GT_I32] = &sum_i32_folder,
                     [GT_I64] = &sum_i64_folder,
                     [GT_BOOL] = &sum_bool_folder},
        [GT__PRODUCT] = {[GT_F32] = &product_f32_folder,
                         [GT_F64] = &product_f64_folder,
                         [GT_I32] = &product_i32_folder,
                         [GT_I64] = &product_i64_folder,
                         [GT_BOOL] = &product_bool_folder},
        [GT__MAX] = {[GT_F32] = &max_f32_folder,
                     [GT_F64] = &max_f64_folder,
                     [GT_I32] = &max_i32_folder,
                     [GT_I64] = &max_i64_folder},
        [GT__MIN] = {[GT_F32] = &min_f32_folder,
                     [GT_F64] = &min_f64_folder,
                     [GT_I32] = &min_i32_folder,
                     [GT_I64] = &min_i64_folder},
        [GT__ANY] = {[GT_BOOL] = &any_bool_folder},
        [GT__ALL] = {[GT_BOOL] = &all_bool_folder},
    };
    return known[folding][dtype];
}

gt_dtype gt__folded_dtype(gt__folding folding, gt_dtype dtype) {
    const bool grows = folding == GT__SUM || folding == GT__PRODUCT;
    return grows && !gt_dtype_is_float(dtype) ? GT_I64 : dtype;
}

/* ---- axes ------------------------------------------------------------------------------------ */

/* Nested loops over axes; neighbours that a single stride walks are joined. */
typedef struct nest {
    int rank;
    int64_t count, dim[GT_MAX_RANK], stride[GT_MAX_RANK];
} nest;

static void add_axis(nest *over, int64_t dim, int64_t stride) {
    over->count *= dim;
    if (dim == 1) return;
    const int last = over->rank - 1;
    if (over->rank && over->stride[last] == dim * stride) {
        over->dim[last] *= dim;
        over->stride[last] = stride;
        return;
    }
    over->dim[over->rank] = dim;
    over->stride[over->rank++] = stride;
}

/* A position in a nest, and its offset in memory. */
typedef struct place {
    int64_t at[GT_MAX_RANK], offset;
} place;

static place place_of(const nest *over, int64_t index) {
    place p = {{0}, 0};
    for (int d = over->rank - 1; d >= 0; d--) {
        p.at[d] = index % over->dim[d];
        p.offset += p.at[d] * over->stride[d];
        index /= over->dim[d];
    }
    return p;
}

static void advance(const nest *over, place *p) {
    for (int d = over->rank - 1; d >= 0; d--) {
        p->offset += over->stride[d];
        if (++p->at[d] < over->dim[d]) return;
        p->offset -= over->dim[d] * over->stride[d];
        p->at[d] = 0;
    }
}

/* ---- the walk -------------------------------------------------------------------------------- */

enum {
    TILE_BYTES = 2048, /* results of a tile: 16 lanes of them fit the first cache */
    FEW = 32,          /* fewer elements than this do not fill the lanes of a row well */
    MOST_LEVELS = 58,  /* of 2^63 / 256 chunks */
    PARALLEL = 1 << 16 /* elements that are worth threads */
};

typedef struct walk {
    const gt__folder *f;
    nest outer, folded;
    int64_t inner, inner_stride; /* the last kept axis: results that are neighbours */
    bool columns;
    int64_t tile, tiles; /* results in a tile, tiles along the inner axis */
    char *work;
    size_t work_bytes; /* for one thread */
    const char *in;
    char *out;
} walk;

static void copy_elements(char *to, const char *from, int64_t stride, int64_t n, size_t size) {
    if (stride == 1)
        memcpy(to, from, (size_t)n * size);
    else if (size == 4)
        for (int64_t i = 0; i < n; i++) memcpy(to + i * 4, from + i * stride * 4, 4);
    else if (size == 8)
        for (int64_t i = 0; i < n; i++) memcpy(to + i * 8, from + i * stride * 8, 8);
    else
        for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
}

/* Brings n elements of a fold, from the first-th on, together. */
static void gather(const walk *w, const char *x, int64_t first, int64_t n, char *to) {
    const nest *over = &w->folded;
    const size_t size = w->f->in_size;
    const int last = over->rank - 1;
    place p = place_of(over, first);
    while (n > 0) {
        int64_t run = over->dim[last] - p.at[last];
        if (run > n) run = n;
        copy_elements(to, x + p.offset * (int64_t)size, over->stride[last], run, size);
        to += (size_t)run * size;
        n -= run;
        p.at[last] += run - 1;
        p.offset += (run - 1) * over->stride[last];
        advance(over, &p);
    }
}

/* How far behind x's first element n elements of a fold stand, from the first-th on, if they do so together, as most of
 * a long last axis do; negative where they do not, or stand before it. */
static int64_t together(const walk *w, int64_t first, int64_t n) {
    const nest *over = &w->folded;
    const int last = over->rank - 1;
    if (last >= 0 && over->stride[last] != 1) return -1;
    if (last <= 0) return first;
    const place p = place_of(over, first);
    return over->dim[last] - p.at[last] < n ? -1 : p.offset;
}

static void row_chunk(const walk *w, const char *x, int64_t first, int64_t n, char *to,
                      char *spare) {
    const int64_t offset = together(w, first, n);
    if (offset < 0) gather(w, x, first, n, spare);
    w->f->chunks(to, offset < 0 ? spare : x + offset * (int64_t)w->f->in_size, 1, n);
}

/* n elements of the fold, each for `width` results; 16 at once where they follow one another in memory. */
static void take_lines(const walk *w, const char *x, int64_t first, int64_t n, int64_t width,
                       char *lanes) {
    const nest *over = &w->folded;
    const int64_t size = (int64_t)w->f->in_size, line = width * (int64_t)w->f->out_size;
    if (over->rank == 1 && over->stride[0] == width && w->inner_stride == 1) {
        for (int64_t r = 0; r < n; r += FOLD_LANES)
            w->f->take(lanes, x + (first + r) * width * size, 1,
                       (n - r < FOLD_LANES ? n - r : FOLD_LANES) * width);
        return;
    }
    place p = place_of(over, first);
    for (int64_t r = 0; r < n; r++) {
        w->f->take(lanes + r % FOLD_LANES * line, x + p.offset * size, w->inner_stride, width);
        advance(over, &p);
    }
}

void gt__fold_take(const gt__folder *folder, void *lanes, const void *x, int64_t first,
                   int64_t lines, int64_t n) {
    const char *from = x;
    if (first == 0) folder->fill(lanes, FOLD_LANES * n);
    for (int64_t r = first, count; r < first + lines; r += count) {
        const int64_t lane = r % FOLD_LANES, left = first + lines - r;
        count = FOLD_LANES - lane < left ? FOLD_LANES - lane : left;
        folder->take((char *)lanes + (size_t)(lane * n) * folder->out_size, from, 1, count * n);
        from += (size_t)(count * n) * folder->in_size;
    }
}

static void merge_lanes(const gt__folder *f, void *lanes, int64_t used, int64_t n) {
    const size_t line = (size_t)n * f->out_size;
    for (int64_t half = used / 2; half; half /= 2)
        f->merge(lanes, (char *)lanes + (size_t)half * line, half * n);
}

void gt__fold_close(const gt__folder *folder, void *y, void *lanes, int64_t n) {
    merge_lanes(folder, lanes, FOLD_LANES, n);
    memcpy(y, lanes, (size_t)n * folder->out_size);
}

/* Lanes that no element reaches stay identities; combining them changes nothing, so they are left
 * out. */
static void column_chunk(const walk *w, const char *x, int64_t first, int64_t n, int64_t width,
                         char *to, char *lanes) {
    const gt__folder *f = w->f;
    int64_t used = 1;
    while (used < n && used < FOLD_LANES) used *= 2;
    f->fill(lanes, used * width);
    take_lines(w, x, first, n, width, lanes);
    merge_lanes(f, lanes, used, width);
    memcpy(to, lanes, (size_t)width * f->out_size);
}

/* One result, or a tile of columns: folds chunks, and chunks of chunks as a binary counter
 * carries. */
static void fold_chunks(const walk *w, const char *x, int64_t width, char *out, char *work) {
    char *const levels = work + FOLD_LANES * TILE_BYTES;
    const int64_t n = w->folded.count;
    int level = 0;
    for (int64_t first = 0, chunk = 0; first < n; first += FOLD_CHUNK, chunk++) {
        const int64_t count = n - first < FOLD_CHUNK ? n - first : FOLD_CHUNK;
        char *top = levels + level * TILE_BYTES;
        if (w->columns)
            column_chunk(w, x, first, count, width, top, work);
        else
            row_chunk(w, x, first, count, top, work);
        for (int64_t carry = chunk; carry & 1; carry >>= 1, level--, top -= TILE_BYTES)
            w->f->merge(top - TILE_BYTES, top, width);
        level++;
    }
    for (char *top = levels + (level - 1) * TILE_BYTES; top > levels; top -= TILE_BYTES)
        w->f->merge(top - TILE_BYTES, top, width);
    memcpy(out, levels, (size_t)width * w->f->out_size);
}

static void fold_tile(const void *of, int64_t job, int thread) {
    const walk *w = of;
    char *work = w->work + (size_t)thread * w->work_bytes;
    const int64_t size = (int64_t)w->f->in_size, outer = job / w->tiles;
    const int64_t first = job % w->tiles * w->tile;
    const int64_t width = w->inner - first < w->tile ? w->inner - first : w->tile;
    const char *x = w->in + (place_of(&w->outer, outer).offset + first * w->inner_stride) * size;
    char *out = w->out + (size_t)(outer * w->inner + first) * w->f->out_size;
    if (w->columns) {
        fold_chunks(w, x, width, out, work);
        return;
    }
    for (int64_t i = 0; i < width; i++)
        fold_chunks(w, x + i * w->inner_stride * size, 1, out + (size_t)i * w->f->out_size, work);
}

/* As many results in a tile as fit, or so few that each of several threads gets some tiles; of columns, no few. */
static int64_t tile_of(const walk *w, int threads) {
    enum { EACH = 3, FEWEST = 64 };
    const int64_t most = TILE_BYTES / (int64_t)w->f->out_size;
    const int64_t wanted = (EACH * threads + w->outer.count - 1) / w->outer.count;
    int64_t tile = (w->inner + wanted - 1) / wanted;
    if (threads == 1) return most;
    if (w->columns)
        tile = tile < FEWEST ? FEWEST : (tile + FOLD_LANES - 1) / FOLD_LANES * FOLD_LANES;
    return tile < most ? tile : most;
}

static bool run_walk(const gt_call *call, walk *w) {
    const bool many = w->outer.count * w->inner * w->folded.count >= PARALLEL;
    w->tile = tile_of(w, many ? gt__threads() : 1);
    w->tiles = (w->inner + w->tile - 1) / w->tile;
    const int64_t jobs = w->outer.count * w->tiles;
    const int threads = many ? gt__threads_for(jobs) : 1;
    w->work = gt_scratch(call, (size_t)threads * w->work_bytes);
    if (!w->work) return false;
    gt__share(jobs, threads, fold_tile, w);
    return true;
}

bool gt__fold(const gt_call *call, unsigned mask, const gt__folder *folder) {
    const gt_array *in = &call->in[0];
    walk w = {.f = folder, .inner = 1, .in = in->data, .out = call->out[0].data};
    w.outer.count = w.folded.count = 1;
    for (int d = 0; d < in->shape.rank; d++)
        add_axis(mask >> d & 1u ? &w.folded : &w.outer, in->shape.dim[d], in->stride[d]);
    if (w.outer.count == 0) return true;
    if (w.folded.count == 0) {
        folder->fill(w.out, w.outer.count);
        return true;
    }
    if (w.outer.rank) {
        w.inner = w.outer.dim[--w.outer.rank];
        w.inner_stride = w.outer.stride[w.outer.rank];
        w.outer.count /= w.inner;
    }
    const int64_t step = w.folded.rank ? w.folded.stride[w.folded.rank - 1] : 1;
    const bool near = w.inner_stride == 1 && step != 1;
    w.columns = w.inner >= FOLD_LANES / 2 && (near || w.folded.count < FEW);
    int levels = 2;
    while (levels < MOST_LEVELS && w.folded.count >> (levels + 6)) levels++;
    w.work_bytes = (size_t)(FOLD_LANES + levels) * TILE_BYTES;
    return run_walk(call, &w);
}

/* Chunks, and chunks of chunks, as fold_chunks does; a result takes at most 8 bytes. */
static void fold_row(const gt__folder *folder, void *y, const char *x, int64_t n) {
    int64_t levels[MOST_LEVELS];
    int level = 0;
    for (int64_t first = 0, chunk = 0; first < n; first += FOLD_CHUNK, chunk++) {
        const int64_t count = n - first < FOLD_CHUNK ? n - first : FOLD_CHUNK;
        folder->chunks(&levels[level], x + first * (int64_t)folder->in_size, 1, count);
        for (int64_t carry = chunk; carry & 1; carry >>= 1, level--)
            folder->merge(&levels[level - 1], &levels[level], 1);
        level++;
    }
    for (level--; level > 0; level--) folder->merge(&levels[level - 1], &levels[level], 1);
    memcpy(y, levels, folder->out_size);
}

void gt__fold_part(const gt__folder *folder, void *y, const void *x, int64_t rows, int64_t n) {
    if (n <= FOLD_CHUNK) {
        folder->chunks(y, x, rows, n);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        fold_row(folder, (char *)y + (size_t)r * folder->out_size,
                 (const char *)x + r * n * (int64_t)folder->in_size, n);
}
