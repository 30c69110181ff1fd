/* graph/tiles.c: element-wise operations, tile by tile, alone or in groups: operands of any stride are gathered
 * into scratch that stays in the first cache, the operations' kernels see contiguous tiles only, and of a group's
 * results only those go to memory that are needed elsewhere. */
#include "graph/run.h"

#include <string.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

/* ---- tiles -------------------------------------------------------------------------------------------- */

enum {
    TILE = GT_FOLD_PART,
    SHARE = 32, /* tiles that are worth a thread's while */
    SPARE = 3   /* operands that one member can have spread */
};

/* A broadcast input of an element-wise operation, tile by tile. */
typedef struct loader {
    gt_array array; /* strides over the result's shape */
    bool direct, uniform;
} loader;

static loader make_loader(const gt_array *in, gt_shape shape) {
    loader l = {.array = *in};
    l.direct = gt_same_shape(in->shape, shape) && gt__is_contiguous(in);
    const int skip = shape.rank - in->shape.rank;
    bool still = true;
    for (int d = 0; d < shape.rank; d++) {
        const bool repeats = d < skip || in->shape.dim[d - skip] == 1;
        l.array.stride[d] = repeats ? 0 : in->stride[d - skip];
        still = still && (l.array.stride[d] == 0 || shape.dim[d] == 1);
    }
    l.uniform = still && gt_numel(shape) > 0;
    l.array.shape = shape;
    return l;
}

/* Sizes known to the compiler: a call of memcpy for each element would cost more than the operation. */
static void repeat(void *to, const void *element, int64_t count, size_t size) {
    char *byte = to;
    if (size == 4)
        for (int64_t k = 0; k < count; k++) memcpy(byte + k * 4, element, 4);
    else if (size == 8)
        for (int64_t k = 0; k < count; k++) memcpy(byte + k * 8, element, 8);
    else if (size == 1)
        memset(to, *(const unsigned char *)element, (size_t)count);
    else
        for (int64_t k = 0; k < count; k++) memcpy(byte + (size_t)k * size, element, size);
}

static const void *load(const loader *l, void *scratch, int64_t start, int64_t count, bool first) {
    const size_t size = gt_dtype_size(l->array.dtype);
    if (l->direct) return (const char *)l->array.data + (size_t)start * size;
    if (!l->uniform)
        gt__gather(scratch, &l->array, start, count);
    else if (first) /* no later tile is longer */
        repeat(scratch, l->array.data, count, size);
    return scratch;
}

static void run_tiles(const gt_call *call, gt_tile tile, const loader *l, int64_t first,
                      int64_t last) {
    double scratch[3][TILE];
    const void *x[3] = {NULL, NULL, NULL};
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape);
    for (int64_t t = first; t < last; t++) {
        const int64_t start = t * TILE, count = numel - start < TILE ? numel - start : TILE;
        for (int k = 0; k < call->n_in; k++)
            x[k] = load(&l[k], scratch[k], start, count, t == first);
        tile((char *)out->data + (size_t)start * gt_dtype_size(out->dtype), x, call->arg, count);
    }
}

int gt__threads(void) {
#ifdef GT_WITH_OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/* Are so many tiles worth several threads? */
static bool are_many(int64_t tiles) { return tiles >= 4 * SHARE; }

/* Scalars would pay for a whole vector. */
gt_tile gt__tile_of(const gt_tape *tape, const gt_op *op, gt_dtype in, gt_dtype out, int rank) {
    const bool exact = op->more.exact && (tape->exact || rank == 0);
    return (exact ? op->more.exact : op->more.tile)(in, out);
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
    const int64_t numel = gt_numel(out->shape), tiles = (numel + TILE - 1) / TILE;
    loader l[3];
    for (int k = 0; k < call->n_in; k++) l[k] = make_loader(&call->in[k], out->shape);
#ifdef GT_WITH_OPENMP
    if (are_many(tiles)) {
#pragma omp parallel for schedule(static)
        for (int64_t share = 0; share < (tiles + SHARE - 1) / SHARE; share++) {
            const int64_t end = (share + 1) * SHARE;
            run_tiles(call, tile, l, share * SHARE, end < tiles ? end : tiles);
        }
        return true;
    }
#endif
    run_tiles(call, tile, l, 0, tiles);
    return true;
}

/* ---- groups --------------------------------------------------------------------------------------------- */

/* Where an operand's tiles are: in memory one behind the other, or always in the same scratch. */
typedef struct place {
    char *base;        /* NULL: scratch */
    size_t step, size; /* of an element: in bytes from one to the next, and its own */
    int64_t width;     /* elements of a row; 1 where the group is not by rows */
} place;

typedef struct job {
    gt_tape *tape;
    const gt__plan *plan;
    const gt__group *group;
    loader *loader;     /* of each load */
    place *operand;     /* of each load and member */
    const gt_arg **arg; /* of each member */
    char *part;         /* of each fold, of each tile */
    size_t slot_bytes, worker_bytes;
    int64_t rows, block; /* rows of the group, and how many of them make a tile */
} job;

static void add_up(const gt_op *op, void *y, const place *at, const uint32_t *in, uint32_t n_in,
                   gt_dtype dtype, int64_t start, int64_t count) {
    gt_array x = {.dtype = dtype, .shape = {1, {count}}, .stride = {1}}, sum = x;
    const gt_call call = {.op = op, .n_in = 1, .n_out = 1, .in = &x, .out = &sum};
    sum.data = y;
    memset(y, 0, (size_t)count * gt_dtype_size(dtype));
    for (uint32_t k = 0; k < n_in; k++) {
        x.data = at[in[k]].base + (size_t)start * at[in[k]].step;
        op->more.accumulate((gt_call *)&call);
    }
}

static int64_t tiles_of(const job *j) { return (j->rows + j->block - 1) / j->block; }

static char *part_of(const job *j, uint32_t fold, int64_t tile) {
    return j->part + ((int64_t)fold * tiles_of(j) + tile) * GT__PART;
}

static void *tile_at(const place *p, int64_t row) {
    return p->base + (size_t)(row * p->width) * p->step;
}

/* One number for each row, repeated along the row. */
static const void *spread(char *to, const char *from, int64_t rows, int64_t width, size_t size) {
    for (int64_t r = 0; r < rows; r++)
        repeat(to + (size_t)(r * width) * size, from + (size_t)r * size, width, size);
    return to;
}

/* A tile: rows [row, row + rows) of every member. */
typedef struct stretch {
    const place *at;
    char *spare; /* slots for operands that are spread */
    int64_t row, rows;
} stretch;

static void run_member(const job *j, const stretch *s, uint32_t number) {
    const gt__group *g = j->group;
    const gt__member *m = &j->plan->member[g->member + number];
    const uint32_t *in = &j->plan->operand[m->operand];
    const int64_t count = s->rows * m->width;
    const gt__plan_node *n = &j->plan->work.node[m->node];
    void *y = m->kind == GT__FOLD ? part_of(j, m->slot, s->row / j->block)
                                  : tile_at(&s->at[g->n_loads + number], s->row);
    if (m->kind == GT__SUM) {
        add_up(n->op, y, s->at, in, m->n_in, (gt_dtype)n->dtype, s->row * m->width, count);
        return;
    }
    const void *x[3] = {NULL, NULL, NULL};
    for (uint32_t i = 0; i < m->n_in; i++) {
        const place *p = &s->at[in[i]];
        x[i] = tile_at(p, s->row);
        if (p->width < m->width)
            x[i] = spread(s->spare + i * j->slot_bytes, x[i], s->rows, m->width, p->size);
    }
    const gt_fold *fold = &j->plan->fold[m->fold];
    const int64_t width = s->at[in[0]].width;
    switch (m->kind) {
    case GT__TILE: m->tile(y, x, j->arg[number], count); return;
    case GT__FOLD: fold->part(fold, y, x[0], s->rows); return;
    case GT__ROWS:
        for (int64_t r = 0; r < s->rows; r++)
            fold->part(fold, (char *)y + (size_t)r * s->at[g->n_loads + number].size,
                       (const char *)x[0] + (size_t)(r * width) * s->at[in[0]].size, width);
        return;
    default: memmove(y, x[0], (size_t)count * s->at[in[0]].size);
    }
}

/* Tiles [first, last), in a worker's own scratch: its places, its slots, and slots to spread operands in. */
static void run_share(const job *j, char *scratch, int64_t first, int64_t last) {
    const gt__group *g = j->group;
    const gt__member *member = &j->plan->member[g->member];
    place *at = (place *)(void *)scratch;
    char *slots = scratch + (j->worker_bytes - (g->n_slots + SPARE) * j->slot_bytes);
    for (uint32_t k = 0; k < g->n_loads + g->n_members; k++) {
        const uint32_t slot = k < g->n_loads ? k : member[k - g->n_loads].slot;
        at[k] = j->operand[k];
        const bool folds = k >= g->n_loads && member[k - g->n_loads].kind == GT__FOLD;
        if (!at[k].base && !folds) at[k].base = slots + slot * j->slot_bytes;
    }
    for (int64_t t = first; t < last; t++) {
        const int64_t row = t * j->block;
        const int64_t rows = j->rows - row < j->block ? j->rows - row : j->block;
        const stretch s = {at, slots + g->n_slots * j->slot_bytes, row, rows};
        for (uint32_t k = 0; k < g->n_loads; k++)
            load(&j->loader[k], at[k].base, row * at[k].width, rows * at[k].width, t == first);
        for (uint32_t k = 0; k < g->n_members; k++) run_member(j, &s, k);
    }
}

static void run_shares(const job *j, char *scratch, int threads) {
    const int64_t tiles = tiles_of(j);
#ifdef GT_WITH_OPENMP
    if (threads > 1) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t share = 0; share < (tiles + SHARE - 1) / SHARE; share++) {
            const int64_t end = (share + 1) * SHARE;
            char *own = scratch + (size_t)omp_get_thread_num() * j->worker_bytes;
            run_share(j, own, share * SHARE, end < tiles ? end : tiles);
        }
        return;
    }
#endif
    (void)threads;
    run_share(j, scratch, 0, tiles);
}

/* The shape of a value whose rows are so long; where the group is not by rows, all have its shape. */
static gt_shape shape_of_rows(const job *j, int64_t width) {
    const gt__shape_entry *entry = gt__bytes(&j->tape->shapes, j->group->shape, NULL);
    gt_shape shape = entry->shape;
    if (j->group->by_rows) shape.dim[shape.rank - 1] = width;
    return shape;
}

static void place_load(const job *j, uint32_t k) {
    gt_array in;
    gt__fill_array(j->tape, gt__value_index(j->tape, j->plan->load[j->group->load + k]), &in);
    const bool rows = j->group->by_rows && in.shape.rank > 0;
    const int64_t width = rows ? in.shape.dim[in.shape.rank - 1] : 1;
    const size_t size = gt_dtype_size(in.dtype);
    j->loader[k] = make_loader(&in, shape_of_rows(j, width));
    j->operand[k] = (place){NULL, 0, size, width};
    if (j->loader[k].direct) j->operand[k] = (place){in.data, size, size, width};
}

static bool place_member(const job *j, uint32_t number) {
    const gt__member *m = &j->plan->member[j->group->member + number];
    const uint32_t i = j->tape->plans.index[m->node];
    const gt__node *n = gt__node_at(j->tape, i);
    place *y = &j->operand[j->group->n_loads + number];
    j->arg[number] = j->tape->arg + n->arg;
    *y = (place){NULL, 0, gt_dtype_size((gt_dtype)n->dtype), m->width};
    if (m->slot != GT__IN_MEMORY && m->kind != GT__FOLD) return true;
    if (m->target != GT__NO_TARGET)
        j->tape->slot[i].data =
            gt__value(j->tape, gt__node_at(j->tape, gt__value_index(j->tape, m->target)));
    else if (!gt__place_value(j->tape, i))
        return false;
    y->base = j->tape->slot[i].data;
    y->step = y->size;
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
static void finish_folds(const job *j) {
    const gt__group *g = j->group;
    const gt__member *m = &j->plan->member[g->member];
    const int64_t tiles = tiles_of(j);
    for (uint32_t k = 0; k < g->n_members; k++, m++) {
        if (m->kind != GT__FOLD) continue;
        const gt_fold *fold = &j->plan->fold[m->fold];
        for (int64_t apart = 1; apart < tiles; apart *= 2)
            for (int64_t t = 0; t + apart < tiles; t += 2 * apart)
                fold->merge(fold, part_of(j, m->slot, t), part_of(j, m->slot, t + apart));
        const place *y = &j->operand[g->n_loads + k];
        memcpy(y->base, part_of(j, m->slot, 0), y->size);
    }
}

/* How a group's block is cut: what is shared, then each worker's own. */
typedef struct cuts {
    size_t operand, arg, part, workers; /* where they begin; loaders come first */
    size_t slot_bytes, worker_bytes;
    int64_t rows, block;
    int threads;
} cuts;

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static cuts cut_block(const gt_tape *tape, const gt__group *g) {
    const gt__shape_entry *shape = gt__bytes(&tape->shapes, g->shape, NULL);
    const size_t places = ((size_t)g->n_loads + g->n_members) * sizeof(place);
    const int last = shape->shape.rank - 1;
    cuts c = {.operand = g->n_loads * sizeof(loader), .rows = shape->numel, .block = TILE};
    if (g->by_rows) {
        c.rows /= shape->shape.dim[last];
        c.block = g->widest < TILE ? TILE / g->widest : 1;
    }
    const int64_t tiles = (c.rows + c.block - 1) / c.block;
    const int64_t longest = (c.rows < c.block ? c.rows : c.block) * g->widest;
    c.threads = are_many(tiles) ? tape->plans.threads : 1;
    c.arg = c.operand + places;
    c.part = c.arg + g->n_members * sizeof(const gt_arg *);
    c.workers = aligned(c.part + (size_t)tiles * g->n_folds * GT__PART);
    c.slot_bytes = aligned((size_t)longest * g->element);
    c.worker_bytes = aligned(places) + (g->n_slots + SPARE) * c.slot_bytes;
    return c;
}

static bool run_tensors(gt_tape *tape, const gt__plan *plan, const gt__group *g, char *block) {
    const cuts c = cut_block(tape, g);
    const job j = {.tape = tape,
                   .plan = plan,
                   .group = g,
                   .loader = (loader *)(void *)block,
                   .operand = (place *)(void *)(block + c.operand),
                   .arg = (const gt_arg **)(void *)(block + c.arg),
                   .part = block + c.part,
                   .slot_bytes = c.slot_bytes,
                   .worker_bytes = c.worker_bytes,
                   .rows = c.rows,
                   .block = c.block};
    if (!find_places(&j)) return false;
    run_shares(&j, block + c.workers, c.threads);
    finish_folds(&j);
    return true;
}

/* ---- groups of numbers: values stand in their nodes ------------------------------------------------------ */

static void run_numbers(gt_tape *tape, const gt__plan *plan, const gt__group *g, place *at) {
    for (uint32_t k = 0; k < g->n_loads; k++) {
        gt_array in;
        gt__fill_array(tape, gt__value_index(tape, plan->load[g->load + k]), &in);
        at[k] = (place){.base = in.data};
    }
    const gt__member *m = &plan->member[g->member];
    for (uint32_t k = 0; k < g->n_members; k++, m++) {
        const uint32_t i = tape->plans.index[m->node], *in = &plan->operand[m->operand];
        gt__node *n = gt__node_at(tape, i);
        at[g->n_loads + k] = (place){.base = (char *)&n->value};
        if (m->slot == GT__IN_MEMORY) gt__place_value(tape, i); /* cannot fail: no block */
        if (m->kind == GT__SUM) {
            add_up(n->op, &n->value, at, in, m->n_in, (gt_dtype)n->dtype, 0, 1);
            continue;
        }
        const void *x[3];
        for (uint32_t a = 0; a < m->n_in; a++) x[a] = at[in[a]].base;
        m->tile(&n->value, x, tape->arg + n->arg, 1);
    }
}

size_t gt__group_bytes(const gt_tape *tape, const gt__group *g) {
    if (g->rank == 0) return ((size_t)g->n_loads + g->n_members) * sizeof(place);
    const cuts c = cut_block(tape, g);
    return c.workers + (size_t)c.threads * c.worker_bytes;
}

bool gt__run_group(gt_tape *tape, const gt__plan *plan, const gt__group *group, void *block) {
    if (group->rank) return run_tensors(tape, plan, group, block);
    run_numbers(tape, plan, group, block);
    return true;
}
