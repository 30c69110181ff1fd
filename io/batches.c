/* io/batches.c: shuffled mini-batches, filled ahead by one thread.
 *
 * Which examples a batch holds depends on (seed, epoch, position) alone. The thread fills one of two slots while
 * the caller works on the other, and hands them over under a lock; without threads the caller fills
 * a slot when it asks. Both ways give the same bytes.
 *
 * The filler (the thread, or the caller without one) owns order, order_epoch, next_epoch and next_position.
 * gt_batches_seek may write these because it waits until the thread is not filling. */
#define _POSIX_C_SOURCE 200809L
#include "io/io.h"

#include <string.h>

#include "io/file.h"

#if defined(GT_WITH_THREADS)
#include <pthread.h>
#endif

typedef enum slot_state { SLOT_EMPTY, SLOT_FULL, SLOT_FAILED, SLOT_HELD } slot_state;

typedef struct slot {
    slot_state state;
    gt_batch batch;
    int64_t *index;
    void *buffer;
} slot;

struct gt_batches {
    gt_batches_options options;
    gt_allocator allocator;
    int64_t per_epoch;
    uint64_t key;
    slot slot[2];
    int read, write; /* the slot to hand out next, and the one to fill next */
    int64_t *order;
    int64_t order_epoch; /* -1: order is not made yet */
    int64_t next_epoch, next_position;
    int64_t told_epoch, told_position; /* of the batch that gt_batches_next gives next */
    bool threaded;
#if defined(GT_WITH_THREADS)
    bool filling, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
#endif
};

/* ---- order ----------------------------------------------------------------------------------- */

/* Fisher-Yates with numbered random words. The remainder favours small numbers by less than count / 2^64. */
static void make_order(gt_batches *b, int64_t epoch) {
    const int64_t count = b->options.count;
    for (int64_t i = 0; i < count; i++) b->order[i] = i;
    for (int64_t i = count - 1; i > 0 && !b->options.in_order; i--) {
        uint32_t word[4];
        gt_philox(b->key, (uint64_t)epoch, (uint64_t)i, word);
        const uint64_t random = (uint64_t)word[0] << 32 | word[1];
        const int64_t j = (int64_t)(random % (uint64_t)(i + 1)), held = b->order[i];
        b->order[i] = b->order[j];
        b->order[j] = held;
    }
    b->order_epoch = epoch;
}

static void advance(const gt_batches *b, int64_t *epoch, int64_t *position) {
    if (++*position < b->per_epoch) return;
    *position = 0;
    ++*epoch;
}

/* Fills a slot with the next batch. After a failure the same batch comes next again. */
static bool fill_slot(gt_batches *b, slot *s) {
    const gt_batches_options *o = &b->options;
    if (b->order_epoch != b->next_epoch) make_order(b, b->next_epoch);
    const int64_t first = b->next_position * o->size, left = o->count - first;
    s->batch = (gt_batch){.epoch = b->next_epoch,
                          .position = b->next_position,
                          .count = left < o->size ? left : o->size,
                          .last = b->next_position == b->per_epoch - 1,
                          .index = s->index,
                          .data = s->buffer};
    memcpy(s->index, b->order + first, (size_t)s->batch.count * sizeof *s->index);
    if (o->fill && !o->fill(o->user, s->index, s->batch.count, s->buffer)) return false;
    advance(b, &b->next_epoch, &b->next_position);
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

#if defined(GT_WITH_THREADS)

static void *fill_ahead(void *user) {
    gt_batches *b = user;
    pthread_mutex_lock(&b->lock);
    while (!b->stop) {
        slot *s = &b->slot[b->write];
        if (s->state != SLOT_EMPTY) {
            pthread_cond_wait(&b->changed, &b->lock);
            continue;
        }
        b->filling = true;
        pthread_mutex_unlock(&b->lock);
        const bool ok = fill_slot(b, s);
        pthread_mutex_lock(&b->lock);
        b->filling = false;
        s->state = ok ? SLOT_FULL : SLOT_FAILED;
        if (ok) b->write = 1 - b->write;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* False when the system gives no thread: then the caller fills, with the same results. */
static bool start_thread(gt_batches *b) {
    if (pthread_mutex_init(&b->lock, NULL) != 0) return false;
    if (pthread_cond_init(&b->changed, NULL) != 0) {
        pthread_mutex_destroy(&b->lock);
        return false;
    }
    if (pthread_create(&b->thread, NULL, fill_ahead, b) == 0) return true;
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    return false;
}

static void stop_thread(gt_batches *b) {
    pthread_mutex_lock(&b->lock);
    b->stop = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}

static void lock_idle(gt_batches *b) {
    pthread_mutex_lock(&b->lock);
    while (b->filling) pthread_cond_wait(&b->changed, &b->lock);
}

static void unlock_changed(gt_batches *b) {
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* Gives the held slot back and waits for the next one. */
static slot *await_slot(gt_batches *b) {
    pthread_mutex_lock(&b->lock);
    slot *held = &b->slot[1 - b->read], *s = &b->slot[b->read];
    if (held->state == SLOT_HELD) held->state = SLOT_EMPTY;
    pthread_cond_broadcast(&b->changed);
    while (s->state == SLOT_EMPTY) pthread_cond_wait(&b->changed, &b->lock);
    const bool ok = s->state == SLOT_FULL;
    s->state = ok ? SLOT_HELD : SLOT_EMPTY;
    if (ok) b->read = 1 - b->read;
    pthread_mutex_unlock(&b->lock);
    return ok ? s : NULL;
}

#endif

/* ---- life ------------------------------------------------------------------------------------ */

static bool are_valid(const gt_batches_options *o) {
    return o->count > 0 && o->size > 0 && (!o->drop_last || o->count >= o->size) &&
           (uint64_t)o->count <= SIZE_MAX / 16 && (o->fill || o->bytes == 0);
}

static void *take(const gt_batches *b, size_t bytes) {
    return b->allocator.resize(b->allocator.user, NULL, 0, bytes);
}

static void give(const gt_batches *b, void *block, size_t bytes) {
    if (block) b->allocator.resize(b->allocator.user, block, bytes, 0);
}

static size_t index_bytes(const gt_batches *b) {
    const int64_t most = b->options.size < b->options.count ? b->options.size : b->options.count;
    return (size_t)most * sizeof(int64_t);
}

static void release(gt_batches *b) {
    const gt_allocator a = b->allocator;
    for (int k = 0; k < 2; k++) {
        give(b, b->slot[k].index, index_bytes(b));
        give(b, b->slot[k].buffer, b->options.bytes);
    }
    give(b, b->order, (size_t)b->options.count * sizeof *b->order);
    a.resize(a.user, b, sizeof *b, 0);
}

gt_batches *gt_batches_new(gt_batches_options options, const gt_allocator *allocator) {
    if (!are_valid(&options)) return NULL;
    const gt_allocator a = gt__io_allocator(allocator);
    gt_batches *b = a.resize(a.user, NULL, 0, sizeof *b);
    if (!b) return NULL;
    *b = (gt_batches){.options = options, .allocator = a, .order_epoch = -1};
    if (b->options.size > options.count) b->options.size = options.count;
    b->per_epoch = options.count / b->options.size;
    if (!options.drop_last && options.count % b->options.size) b->per_epoch++;
    uint32_t word[4]; /* a key of its own: dropout counts with the plain seed */
    gt_philox(options.seed, 0x6261746368657321u, 0, word);
    b->key = (uint64_t)word[0] << 32 | word[1];

    b->order = take(b, (size_t)options.count * sizeof *b->order);
    bool ok = b->order != NULL;
    for (int k = 0; k < 2; k++) {
        b->slot[k].index = take(b, index_bytes(b));
        if (options.bytes) b->slot[k].buffer = take(b, options.bytes);
        ok = ok && b->slot[k].index && (b->slot[k].buffer || options.bytes == 0);
    }
    if (!ok) {
        release(b);
        return NULL;
    }
#if defined(GT_WITH_THREADS)
    b->threaded = options.ahead && start_thread(b);
#endif
    return b;
}

void gt_batches_free(gt_batches *b) {
    if (!b) return;
#if defined(GT_WITH_THREADS)
    if (b->threaded) stop_thread(b);
#endif
    release(b);
}

/* ---- use ------------------------------------------------------------------------------------- */

static slot *fill_now(gt_batches *b) {
    slot *s = &b->slot[b->read];
    if (!fill_slot(b, s)) return NULL;
    b->read = 1 - b->read;
    return s;
}

bool gt_batches_next(gt_batches *b, gt_batch *batch) {
    *batch = (gt_batch){0};
    if (!b) return false;
#if defined(GT_WITH_THREADS)
    const slot *s = b->threaded ? await_slot(b) : fill_now(b);
#else
    const slot *s = fill_now(b);
#endif
    if (!s) return false;
    *batch = s->batch;
    advance(b, &b->told_epoch, &b->told_position);
    return true;
}

int64_t gt_batches_per_epoch(const gt_batches *b) { return b ? b->per_epoch : 0; }

void gt_batches_tell(const gt_batches *b, int64_t *epoch, int64_t *position) {
    *epoch = b ? b->told_epoch : 0;
    *position = b ? b->told_position : 0;
}

static void set_position(gt_batches *b, int64_t epoch, int64_t position) {
    b->next_epoch = b->told_epoch = epoch;
    b->next_position = b->told_position = position;
    for (int k = 0; k < 2; k++) b->slot[k].state = SLOT_EMPTY;
    b->read = b->write = 0;
}

bool gt_batches_seek(gt_batches *b, int64_t epoch, int64_t position) {
    if (!b || epoch < 0 || position < 0 || position >= b->per_epoch) return false;
#if defined(GT_WITH_THREADS)
    if (b->threaded) {
        lock_idle(b);
        set_position(b, epoch, position);
        unlock_changed(b);
        return true;
    }
#endif
    set_position(b, epoch, position);
    return true;
}
