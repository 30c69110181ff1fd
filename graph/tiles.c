/* graph/tiles.c: element-wise operations, tile by tile, alone or in groups: operands of any stride are gathered
 * into scratch that stays in the nearest caches, the operations' kernels see contiguous tiles only, and of a
 * group's results only those go to memory that are needed elsewhere. */
#include "graph/run.h"
#include "graph/threads.h"
#include "graph/wide.h"

#include <string.h>

/* ---- tiles -------------------------------------------------------------------------------------------- */

enum {
    PART = GT_FOLD_PART, /* elements; a tile is one or some parts */
    MOST_PARTS = 4,
    NEAR_BYTES = 1 << 16, /* of scratch, which should stay in the nearest caches */
    LINE_BYTES = 64,      /* of a cache */
    MOST_ASKED = 8 * LINE_BYTES,
    LARGE = 1 << 22, /* bytes that no near cache holds */
    SHARE = 32,      /* parts that are worth a thread's while */
    SHARES = 3,      /* of each thread: one may be slower than the next */
    SPARE = 3        /* operands that one member can have spread */
};

/* A broadcast input of an element-wise operation, tile by tile. */
typedef struct loader {
    gt_array array; /* strides over the result's shape */
    size_t size;    /* of an element */
    bool direct;
    bool same; /* in every tile */
} loader;

/* One element, or a line again and again that fills tiles. */
static bool repeats_in(const gt_array *merged, int64_t tile) {
    const int last = merged->shape.rank - 1;
    if (last < 0 || (last == 0 && merged->stride[0] == 0)) return true;
    const int64_t line = merged->shape.dim[last];
    return last == 1 && merged->stride[0] == 0 && line > 0 && tile % line == 0;
}

static loader make_loader(const gt_array *in, gt_shape shape, int64_t tile) {
    loader l = {.array = *in, .size = gt_dtype_size(in->dtype)};
    l.direct = gt_same_shape(in->shape, shape) && gt__is_contiguous(in);
    const int skip = shape.rank - in->shape.rank;
    for (int d = 0; d < shape.rank; d++) {
        const bool repeats = d < skip || in->shape.dim[d - skip] == 1;
        l.array.stride[d] = repeats ? 0 : in->stride[d - skip];
    }
    l.array.shape = shape;
    gt__merge_axes(&l.array);
    l.same = repeats_in(&l.array, tile);
    return l;
}

/* The elements where they stand, if neighbours there, too; else NULL. */
static const void *in_place(const gt_array *a, int64_t start, int64_t count) {
    const int last = a->shape.rank - 1;
    if (last < 0 || a->stride[last] != 1 || count > a->shape.dim[last]) return NULL;
    int64_t offset = start % a->shape.dim[last], rest = start / a->shape.dim[last];
    if (offset + count > a->shape.dim[last]) return NULL;
    for (int d = last - 1; d >= 0; rest /= a->shape.dim[d--])
        offset += rest % a->shape.dim[d] * a->stride[d];
    return (const char *)a->data + offset * (int64_t)gt_dtype_size(a->dtype);
}

static const void *load(const loader *l, void *scratch, int64_t start, int64_t count, bool first) {
    if (l->direct) return (const char *)l->array.data + (size_t)start * l->size;
    const void *there = l->same ? NULL : in_place(&l->array, start, count);
    if (there) return there;
    if (first || !l->same)
        gt__gather(scratch, &l->array, start, count); /* no later tile is longer */
    return scratch;
}

static void run_tiles(const gt_call *call, gt_tile tile, const loader *l, int64_t first,
                      int64_t last) {
    double scratch[3][PART];
    const void *x[3] = {NULL, NULL, NULL};
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape);
    for (int64_t t = first; t < last; t++) {
        const int64_t start = t * PART, count = numel - start < PART ? numel - start : PART;
        for (int k = 0; k < call->n_in; k++)
            x[k] = load(&l[k], scratch[k], start, count, t == first);
        tile((char *)out->data + (size_t)start * gt_dtype_size(out->dtype), x, call->arg, count);
    }
}

/* Are so many parts worth several threads? */
static bool are_many(int64_t parts) { return parts >= 8 * SHARE; }

/* Scalars would pay for a whole vector. */
gt_tile gt__tile_of(const gt_tape *tape, const gt_op *op, gt_dtype in, gt_dtype out, int rank) {
    const bool exact = op->more.exact && (tape->exact || rank == 0);
    return (exact ? op->more.exact : op->more.tile)(in, out);
}

/* One operation alone. */
typedef struct single {
    const gt_call *call;
    gt_tile tile;
    loader loader[3];
    int64_t tiles;
} single;

static void run_tiles_of(const void *job, int64_t share, int thread) {
    const single *s = job;
    const int64_t end = (share + 1) * SHARE;
    (void)thread;
    run_tiles(s->call, s->tile, s->loader, share * SHARE, end < s->tiles ? end : s->tiles);
}

bool gt__run_elementwise(gt_call *call) {
    gt_array *out = &call->out[0];
    const gt_dtype in_dtype = call->n_in ? call->in[call->n_in - 1].dtype : out->dtype;
    const gt_tape *tape = ((const gt__context *)call->internal)->tape;
    const gt_tile tile = gt__tile_of(tape, call->op, in_dtype, out->dtype, out->shape.rank);
    if (!tile || call->n_in > 3)
        return gt_call_fail(call, "not defined for %s", gt_dtype_name(in_dtype));
    if (out->shape.rank == 0) { /* then so are the inputs: graphs of scalars have many of these */
        const void *x[3] = {NULL, NULL, NULL};
        for (int k = 0; k < call->n_in; k++) x[k] = call->in[k].data;
        tile(out->data, x, call->arg, 1);
        return true;
    }
    single s = {.call = call, .tile = tile, .tiles = (gt_numel(out->shape) + PART - 1) / PART};
    for (int k = 0; k < call->n_in; k++) s.loader[k] = make_loader(&call->in[k], out->shape, PART);
    const int64_t shares = (s.tiles + SHARE - 1) / SHARE;
    gt__share(shares, are_many(s.tiles) ? gt__threads() : 1, run_tiles_of, &s);
    return true;
}

/* ---- groups --------------------------------------------------------------------------------------------- */

/* Where an operand's tiles are: in memory one behind the other, or always in the same scratch. */
typedef struct place {
    char *base;    /* of all tiles; NULL: scratch */
    char *tile;    /* of the present one */
    size_t step;   /* bytes from a tile to the next */
    size_t size;   /* of an element */
    int64_t width; /* elements of a row; 1 where the group is not by rows */
} place;

typedef struct job {
    gt_tape *tape;
    const gt__plan *plan;
    const gt__group *group;
    loader *loader;     /* of each load */
    place *operand;     /* of each load and member */
    const gt_arg **arg; /* of each member */
    char *part;         /* of each fold to one number, of each part */
    char *lines;        /* of each fold to one row, of each part */
    char *workers;      /* scratch, each one's behind the other's */
    size_t slot_bytes, line_bytes, worker_bytes;
    int64_t rows, block;  /* rows of the group, and how many of them make a tile */
    int64_t share;        /* tiles that run together */
    int64_t unit;         /* tiles, some shares, that are a thread's */
    bool flushes;         /* denormals, where members do */
    const gt__made *made; /* the operand that is made as it is read, or NULL */
} job;

static void add_up(gt_tile sum, void *y, const place *at, const uint32_t *in, uint32_t n_in,
                   int64_t count) {
    const void *x[GT_MOST_SUMMANDS + 1];
    for (uint32_t k = 0; k < n_in;) {
        int given = 0;
        if (k) x[given++] = y;
        while (given < GT_MOST_SUMMANDS && k < n_in) x[given++] = at[in[k++]].tile;
        x[given] = NULL;
        sum(y, x, NULL, count);
    }
}

static int64_t tiles_of(const job *j) { return (j->rows + j->block - 1) / j->block; }

static int64_t parts_of(int64_t rows) { return (rows + PART - 1) / PART; }

static char *part_of(const job *j, uint32_t fold, int64_t part) {
    return j->part + ((int64_t)fold * parts_of(j->rows) + part) * GT__PART;
}

static int64_t lines_of(int64_t rows) { return (rows + GT_FOLD_LINES - 1) / GT_FOLD_LINES; }

static char *line_of(const job *j, uint32_t fold, int64_t part) {
    return j->lines + (size_t)((int64_t)fold * lines_of(j->rows) + part) * j->line_bytes;
}

/* A place in memory, which is asked for before it is read or written. */
typedef struct asked {
    const place *at;
    size_t ahead; /* bytes from its present tile to the one that is asked for */
    size_t each;  /* bytes that are asked for at each member */
} asked;

/* A member that is a kernel over whole tiles, as nearly all are: where its operands' tiles are noted. */
typedef struct act {
    gt_tile tile; /* NULL: more is to be done, see run_member */
    char *const *y, *const *x[3];
    const gt_arg *arg;
    int64_t width;
} act;

/* A tile: rows [row, row + rows) of every member. */
typedef struct stretch {
    place *at; /* of each load and member */
    act *act;  /* of each member; NULL where making them would take longer than they save */
    asked *asked;
    uint32_t n_asked;
    uint32_t asking; /* members, the first ones, at which something is asked for */
    char *spare;     /* slots for operands that are spread */
    char *lanes;     /* of each fold to one row */
    int64_t row, rows;
} stretch;

static void fold_parts(const job *j, const stretch *s, const gt__member *m, const place *x) {
    const gt_fold *fold = &j->plan->fold[m->fold];
    for (int64_t row = 0; row < s->rows; row += PART)
        fold->part(fold, part_of(j, m->slot, (s->row + row) / PART),
                   x->tile + (size_t)row * x->size, 1, s->rows - row < PART ? s->rows - row : PART);
}

static void fold_lines(const job *j, const stretch *s, const gt__member *m, const place *x) {
    const gt_fold *fold = &j->plan->fold[m->fold];
    char *lanes = s->lanes + (size_t)m->slot * GT_FOLD_LANES * j->line_bytes;
    const int64_t end = s->row + s->rows;
    const char *from = x->tile;
    for (int64_t row = s->row, n; row < end; row += n) {
        const int64_t first = row % GT_FOLD_LINES, left = GT_FOLD_LINES - first;
        n = end - row < left ? end - row : left;
        fold->take(fold, lanes, from, first, n, x->width);
        from += (size_t)(n * x->width) * x->size;
        if (n == left || row + n == j->rows)
            fold->close(fold, line_of(j, m->slot, row / GT_FOLD_LINES), lanes, x->width);
    }
}

static void fold_rows(const job *j, const stretch *s, const gt__member *m, const place *x,
                      const place *y) {
    const gt_fold *fold = &j->plan->fold[m->fold];
    fold->part(fold, y->tile, x->tile, s->rows, x->width);
}

static void run_member(const job *j, const stretch *s, uint32_t number) {
    const gt__group *g = j->group;
    const gt__member *m = &j->plan->member[g->member + number];
    const uint32_t *in = &j->plan->operand[m->operand];
    const place *y = &s->at[g->n_loads + number];
    const int64_t count = s->rows * m->width;
    const void *x[3] = {NULL, NULL, NULL};
    switch (m->kind) {
    case GT__TILE:
        for (uint32_t i = 0; i < m->n_in; i++) {
            const place *p = &s->at[in[i]];
            x[i] = p->tile;
            if (p->width < m->width) {
                char *spread = s->spare + i * j->slot_bytes;
                gt__repeat(spread, p->tile, 1, s->rows, m->width, p->size);
                x[i] = spread;
            }
        }
        m->tile(y->tile, x, j->arg[number], count);
        return;
    case GT__SUM: add_up(m->tile, y->tile, s->at, in, m->n_in, count); return;
    case GT__FOLD: fold_parts(j, s, m, &s->at[in[0]]); return;
    case GT__LINES: fold_lines(j, s, m, &s->at[in[0]]); return;
    case GT__ROWS: fold_rows(j, s, m, &s->at[in[0]], y); return;
    default:
        if (s->at[in[0]].width < m->width)
            gt__repeat(y->tile, s->at[in[0]].tile, 1, s->rows, m->width, y->size);
        else
            memcpy(y->tile, s->at[in[0]].tile, (size_t)count * y->size);
    }
}

/* A worker's own places: in its slots, or in memory from tile `first` on. */
static place *own_places(const job *j, char *scratch, char *slots, int64_t first) {
    const gt__group *g = j->group;
    const gt__member *member = &j->plan->member[g->member];
    place *at = (place *)(void *)scratch;
    for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) {
        const uint32_t slot = k < g->n_loads ? k : member[k - g->n_loads].slot;
        const bool folds = k >= g->n_loads && gt__ends_group(&member[k - g->n_loads]);
        at[k] = j->operand[k];
        if (at[k].base)
            at[k].tile = at[k].base + (size_t)first * at[k].step;
        else if (!folds)
            at[k].tile = slots + slot * j->slot_bytes;
    }
    return at;
}

/* The group's rows in one of those that are made. */
static int64_t rows_in_one(const gt__group *g, const gt__made *made) {
    return g->by_rows ? 1 : made->length;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* A worker's places, the list of those that are asked for, and acts. */
static size_t places_bytes(const gt__group *g) {
    return aligned(((size_t)g->n_loads + g->n_members) * (sizeof(place) + sizeof(asked)) +
                   g->n_members * sizeof(act));
}

static void make_rows(const job *j, char *scratch, int64_t first, int64_t last) {
    const int64_t per_row = rows_in_one(j->group, j->made), end = last * j->block;
    const gt_rows *rows = &j->made->rows;
    rows->make(rows, first * j->block / per_row, (end < j->rows ? end : j->rows) / per_row,
               scratch + places_bytes(j->group));
}

/* Is it where a load is, too? */
static bool is_loaded(const gt__group *g, const place *at, const place *result) {
    bool loaded = false;
    for (uint32_t k = 0; k < g->n_loads; k++) loaded = loaded || at[k].base == result->base;
    return loaded;
}

/* So many bytes at each member, less than all at once, which would have to be waited for. What comes first in a tile is
 * asked for during the one before; results that come later, in time for them. Small ones are in a cache. */
static void list_asked(const job *j, stretch *s) {
    const gt__group *g = j->group;
    const size_t tiles = (size_t)tiles_of(j);
    for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) {
        const place *p = &s->at[k];
        const bool result = k >= g->n_loads;
        if (!p->step || (result && (tiles * p->step < LARGE || is_loaded(g, s->at, p)))) continue;
        const size_t share = (p->step / g->n_members + LINE_BYTES) / LINE_BYTES * LINE_BYTES;
        const size_t each = share < MOST_ASKED ? share : MOST_ASKED;
        const uint32_t asking = (uint32_t)((p->step + each - 1) / each);
        const bool late = result && k - g->n_loads >= asking;
        s->asked[s->n_asked++] = (asked){p, late ? 0 : p->step, each};
        if (asking > s->asking) s->asking = asking;
    }
}

static void ask_ahead(const stretch *s, uint32_t number, bool last) {
    for (uint32_t k = 0; k < s->n_asked; k++) {
        const asked *a = &s->asked[k];
        const size_t first = number * a->each;
        if (last && a->ahead) continue;
        for (size_t i = first; i < first + a->each && i < a->at->step; i += LINE_BYTES)
            GT__PREFETCH(a->at->tile + a->ahead + i);
    }
}

static void list_acts(const job *j, stretch *s, void *room) {
    const gt__group *g = j->group;
    const gt__member *m = &j->plan->member[g->member];
    s->act = room;
    for (uint32_t k = 0; k < g->n_members; k++, m++) {
        const uint32_t *in = &j->plan->operand[m->operand];
        char *const *y = (char *const *)&s->at[g->n_loads + k].tile;
        bool whole = m->kind == GT__TILE;
        act a = {m->tile, y, {y, y, y}, j->arg[k], m->width};
        for (uint32_t i = 0; whole && i < m->n_in; i++) {
            a.x[i] = (char *const *)&s->at[in[i]].tile;
            whole = s->at[in[i]].width >= m->width;
        }
        if (!whole) a.tile = NULL;
        s->act[k] = a;
    }
}

static void run_act(const act *a, int64_t rows) {
    const void *x[3] = {*a->x[0], *a->x[1], *a->x[2]};
    a->tile(*a->y, x, a->arg, rows * a->width);
}

/* Slots, slots to spread operands in, and lanes, at the end of a worker's scratch. */
static size_t slots_bytes(const gt__group *g, size_t slot_bytes, size_t line_bytes) {
    return (g->n_slots + SPARE) * slot_bytes + g->n_lines * GT_FOLD_LANES * line_bytes;
}

/* Tiles [first, last), in a worker's own scratch: its places, scratch to make rows in, its slots, and so on. */
static void run_share(const job *j, char *scratch, int64_t first, int64_t last) {
    if (j->made) make_rows(j, scratch, first, last);
    const gt__group *g = j->group;
    const gt__member *member = &j->plan->member[g->member];
    char *slots = scratch + (j->worker_bytes - slots_bytes(g, j->slot_bytes, j->line_bytes));
    place *at = own_places(j, scratch, slots, first);
    char *spare = slots + g->n_slots * j->slot_bytes;
    stretch s = {.at = at,
                 .asked = (asked *)(void *)(at + g->n_loads + g->n_members),
                 .spare = spare,
                 .lanes = spare + SPARE * j->slot_bytes};
    list_asked(j, &s);
    if (last - first > 1) list_acts(j, &s, s.asked + g->n_loads + g->n_members);
    const unsigned mode = gt_float_mode(), flushing = gt__flushing(mode);
    unsigned now = mode;
    for (int64_t t = first; t < last; t++) {
        s.row = t * j->block;
        s.rows = j->rows - s.row < j->block ? j->rows - s.row : j->block;
        for (uint32_t k = 0; k < g->n_loads; k++)
            at[k].tile = (char *)load(&j->loader[k], slots + k * j->slot_bytes, s.row * at[k].width,
                                      s.rows * at[k].width, t == first);
        for (uint32_t k = 0; k < g->n_members; k++) {
            const unsigned wanted = member[k].kind == GT__COPY        ? now
                                    : member[k].flushes && j->flushes ? flushing
                                                                      : mode;
            if (now != wanted) gt_set_float_mode(now = wanted);
            if (k < s.asking) ask_ahead(&s, k, t + 1 == last);
            if (s.act && s.act[k].tile)
                run_act(&s.act[k], s.rows);
            else
                run_member(j, &s, k);
        }
        for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) at[k].tile += at[k].step;
    }
    if (now != mode) gt_set_float_mode(mode);
}

static void run_unit(const job *j, char *scratch, int64_t first, int64_t last, int64_t share) {
    for (; first < last; first += share)
        run_share(j, scratch, first, first + share < last ? first + share : last);
}

static void run_own_unit(const void *of, int64_t i, int thread) {
    const job *j = of;
    const int64_t tiles = tiles_of(j), first = i * j->unit;
    run_unit(j, j->workers + (size_t)thread * j->worker_bytes, first,
             first + j->unit < tiles ? first + j->unit : tiles, j->share);
}

static void run_shares(const job *j, int threads) {
    const int64_t tiles = tiles_of(j);
    if (threads > 1)
        gt__share((tiles + j->unit - 1) / j->unit, threads, run_own_unit, j);
    else
        run_unit(j, j->workers, 0, tiles, j->made ? j->share : tiles);
}

/* The shape of a value whose rows are so long; where the group is not by rows, all have its shape. Axes are in the order
 * in which the group goes over them, which is never both: by rows and channels last. */
static gt_shape shape_of_rows(const job *j, int64_t width) {
    const gt__shape_entry *entry = gt__bytes(&j->tape->shapes, j->group->shape, NULL);
    gt_array all = {.shape = entry->shape};
    if (j->group->by_rows) all.shape.dim[all.shape.rank - 1] = width;
    if (j->group->last) gt__move_channels_last(&all, all.shape.rank);
    return all.shape;
}

static void put_in_memory(const job *j, place *p, void *data) {
    p->base = data;
    p->step = (size_t)(j->block * p->width) * p->size;
}

static void place_load(const job *j, uint32_t k) {
    gt_array in;
    gt__fill_array(j->tape, gt__value_index(j->tape, j->plan->load[j->group->load + k]), &in);
    const bool rows = j->group->by_rows && in.shape.rank > 0;
    const int64_t width = rows ? in.shape.dim[in.shape.rank - 1] : 1;
    const size_t size = gt_dtype_size(in.dtype);
    if (j->group->last) gt__move_channels_last(&in, (int)j->group->rank);
    j->loader[k] = make_loader(&in, shape_of_rows(j, width), j->block * width);
    j->operand[k] = (place){.size = size, .width = width};
    if (j->loader[k].direct) put_in_memory(j, &j->operand[k], in.data);
}

static bool place_member(const job *j, uint32_t number) {
    const gt__member *m = &j->plan->member[j->group->member + number];
    const uint32_t i = j->tape->plans.index[m->node];
    const gt__node *n = gt__node_at(j->tape, i);
    place *y = &j->operand[j->group->n_loads + number];
    j->arg[number] = j->tape->arg + n->arg;
    *y = (place){.size = gt_dtype_size((gt_dtype)n->dtype), .width = m->width};
    if (m->slot != GT__IN_MEMORY && !gt__ends_group(m)) return true;
    if (m->target != GT__NO_TARGET)
        j->tape->slot[i].data = gt__value(j->tape, gt__value_index(j->tape, m->target));
    else if (!gt__place_value(j->tape, i))
        return false;
    put_in_memory(j, y, j->tape->slot[i].data);
    if (gt__ends_group(m)) y->step = 0;
    return true;
}

/* Places in memory of what the group reads and writes; false when memory is short. */
static bool find_places(const job *j) {
    for (uint32_t k = 0; k < j->group->n_loads; k++) place_load(j, k);
    for (uint32_t k = 0; k < j->group->n_members; k++)
        if (!place_member(j, k)) return false;
    return true;
}

/* Parts become one in pairs; it goes where the fold's value has its place. */
static void finish_fold(const job *j, const gt__member *m, const place *y) {
    const gt_fold *fold = &j->plan->fold[m->fold];
    const bool lines = m->kind == GT__LINES;
    const int64_t parts = lines ? lines_of(j->rows) : parts_of(j->rows);
    const int64_t width = lines ? y->width : 1;
    const size_t step = lines ? j->line_bytes : GT__PART;
    char *part = lines ? line_of(j, m->slot, 0) : part_of(j, m->slot, 0);
    const unsigned mode = gt_float_mode();
    if (m->flushes && j->flushes) gt_set_float_mode(gt__flushing(mode));
    for (int64_t apart = 1; apart < parts; apart *= 2)
        for (int64_t p = 0; p + apart < parts; p += 2 * apart)
            fold->merge(fold, part + (size_t)p * step, part + (size_t)(p + apart) * step, width);
    gt_set_float_mode(mode);
    memcpy(y->base, part, (size_t)width * y->size);
}

static void finish_folds(const job *j) {
    const gt__group *g = j->group;
    const gt__member *m = &j->plan->member[g->member];
    for (uint32_t k = 0; k < g->n_members; k++)
        if (gt__ends_group(&m[k])) finish_fold(j, &m[k], &j->operand[g->n_loads + k]);
}

/* How a group's block is cut: what is shared, then each worker's own. */
typedef struct cuts {
    size_t operand, arg, part, lines, workers; /* where they begin; loaders come first */
    size_t slot_bytes, line_bytes, worker_bytes;
    int64_t rows, block, share, unit;
    int threads;
} cuts;

/* An operation's start costs the same for a longer tile. */
static int64_t parts_in_tile(const gt__group *g) {
    const size_t bytes = (size_t)g->n_full * g->element * PART;
    int64_t parts = 1;
    while (parts < MOST_PARTS && 2 * (size_t)parts * bytes <= NEAR_BYTES) parts *= 2;
    return parts;
}

/* The size of the fewest parts, at most so large, that are all alike: a small rest takes longer than its share. */
static int64_t evenly(int64_t n, int64_t most) {
    const int64_t parts = (n + most - 1) / most;
    return parts > 1 ? (n + parts - 1) / parts : n;
}

/* The largest number up to most that n is a multiple of. */
static int64_t divisor(int64_t n, int64_t most) {
    while (n % most != 0) most--;
    return most;
}

/* Tiles are whole rows of those that are made, and shares so many of them as the second-level cache holds; fewer, if
 * several threads are to get some. */
static void cut_by_rows(cuts *c, const gt__group *g, const gt__made *made, int threads) {
    enum { FEWEST = 16, MOST_IN_TILE = GT_MOST_ROWS / 4, NEAR = 1 << 18 }; /* rows; rows; bytes */
    const int64_t own = rows_in_one(g, made), rows = c->rows / own;
    const int64_t even = threads > 1 ? rows / ((int64_t)SHARES * threads) : rows;
    int64_t in_tile = c->block / own, in_share = NEAR / (made->length * (int64_t)g->element);
    in_tile = in_tile < 1 ? 1 : in_tile > MOST_IN_TILE ? MOST_IN_TILE : in_tile;
    if (made->rows.large) c->threads = threads;
    if (made->rows.together) {
        in_tile = divisor(made->rows.together, in_tile);
        c->block = in_tile * own;
        c->share = made->rows.together / in_tile;
        return;
    }
    if (in_share > even) in_share = even;
    if (in_share > GT_MOST_ROWS - in_tile) in_share = GT_MOST_ROWS - in_tile; /* tiles are whole */
    if (in_share < FEWEST) in_share = FEWEST;
    in_share = evenly(rows, in_share);
    in_tile = evenly(in_share, in_tile);
    c->block = in_tile * own;
    c->share = (in_share + in_tile - 1) / in_tile;
}

/* Whoever folds lines does so for whole parts of them, in order: a share is some parts, or they are some shares. */
static void cut_lines(cuts *c, bool together) {
    int64_t block = 1, share = c->share * c->block, common = 1;
    while (2 * block <= c->block && block < GT_FOLD_LINES) block *= 2;
    share = share < GT_FOLD_LINES ? divisor(GT_FOLD_LINES, share) : share - share % GT_FOLD_LINES;
    if (!together) { /* else images are not cut */
        c->block = block;
        c->share = share > block ? share / block : 1;
    }
    while (common < GT_FOLD_LINES && c->share * c->block % (2 * common) == 0) common *= 2;
    c->unit = c->share * (GT_FOLD_LINES / common);
}

static cuts cut_block(const gt_tape *tape, const gt__group *g, const gt__made *made) {
    const gt__shape_entry *shape = gt__bytes(&tape->shapes, g->shape, NULL);
    const size_t places = ((size_t)g->n_loads + g->n_members) * sizeof(place);
    const int last = shape->shape.rank - 1;
    cuts c = {.operand = g->n_loads * sizeof(loader), .rows = shape->numel, .threads = 1};
    const int64_t parts = parts_in_tile(g);
    c.block = parts * PART;
    c.share = SHARE / parts;
    if (g->by_rows) {
        c.rows /= shape->shape.dim[last];
        c.block = g->widest < c.block ? c.block / g->widest : 1;
    }
    const int64_t tiles = (c.rows + c.block - 1) / c.block;
    if (are_many(tiles * parts * g->n_members)) {
        c.threads = tape->plans.threads;
        const int64_t even = tiles / ((int64_t)SHARES * c.threads);
        c.share = even < 1 ? 1 : even < c.share ? even : c.share;
    }
    if (made) cut_by_rows(&c, g, made, tape->plans.threads);
    c.unit = c.share;
    if (g->n_lines) cut_lines(&c, made && made->rows.together);
    const int64_t longest = (c.rows < c.block ? c.rows : c.block) * g->widest;
    c.arg = c.operand + places;
    c.part = c.arg + g->n_members * sizeof(const gt_arg *);
    c.lines = aligned(c.part + (size_t)parts_of(c.rows) * g->n_folds * GT__PART);
    c.slot_bytes = aligned((size_t)longest * g->element);
    c.line_bytes = aligned((size_t)g->widest * g->element);
    c.workers = c.lines + (size_t)lines_of(c.rows) * g->n_lines * c.line_bytes;
    c.worker_bytes = places_bytes(g) + (made ? aligned(made->rows.scratch) : 0) +
                     slots_bytes(g, c.slot_bytes, c.line_bytes);
    return c;
}

static bool run_tensors(gt_tape *tape, const gt__plan *plan, const gt__group *g,
                        const gt__made *made, char *block) {
    const cuts c = cut_block(tape, g, made);
    const job j = {.tape = tape,
                   .plan = plan,
                   .group = g,
                   .loader = (loader *)(void *)block,
                   .operand = (place *)(void *)(block + c.operand),
                   .arg = (const gt_arg **)(void *)(block + c.arg),
                   .part = block + c.part,
                   .lines = block + c.lines,
                   .slot_bytes = c.slot_bytes,
                   .line_bytes = c.line_bytes,
                   .workers = block + c.workers,
                   .worker_bytes = c.worker_bytes,
                   .rows = c.rows,
                   .block = c.block,
                   .share = c.share,
                   .unit = c.unit,
                   .flushes = gt__flushes(tape),
                   .made = made};
    if (!find_places(&j)) return false;
    run_shares(&j, c.threads);
    finish_folds(&j);
    return true;
}

/* ---- groups of numbers: values stand in their nodes ------------------------------------------------------ */

static void run_numbers(gt_tape *tape, const gt__plan *plan, const gt__group *g, place *at) {
    for (uint32_t k = 0; k < g->n_loads; k++) {
        gt_array in;
        gt__fill_array(tape, gt__value_index(tape, plan->load[g->load + k]), &in);
        at[k] = (place){.tile = in.data};
    }
    const gt__member *m = &plan->member[g->member];
    for (uint32_t k = 0; k < g->n_members; k++, m++) {
        const uint32_t i = tape->plans.index[m->node], *in = &plan->operand[m->operand];
        gt__node *n = gt__node_at(tape, i);
        at[g->n_loads + k] = (place){.tile = (char *)&n->value};
        if (m->slot == GT__IN_MEMORY) gt__place_value(tape, i); /* cannot fail: no block */
        if (m->kind == GT__SUM) {
            add_up(m->tile, &n->value, at, in, m->n_in, 1);
            continue;
        }
        const void *x[3];
        for (uint32_t a = 0; a < m->n_in; a++) x[a] = at[in[a]].tile;
        m->tile(&n->value, x, tape->arg + n->arg, 1);
    }
}

size_t gt__group_bytes(const gt_tape *tape, const gt__group *g, const gt__made *made) {
    if (g->rank == 0) return ((size_t)g->n_loads + g->n_members) * sizeof(place);
    const cuts c = cut_block(tape, g, made);
    return c.workers + (size_t)c.threads * c.worker_bytes;
}

bool gt__run_group(gt_tape *tape, const gt__plan *plan, const gt__group *group,
                   const gt__made *made, void *block) {
    if (group->rank) return run_tensors(tape, plan, group, made, block);
    run_numbers(tape, plan, group, block);
    return true;
}
