/* graph/table.c: interning over uthash, or over a plain bucket table where uthash is not wanted. */
#include "graph/table.h"

#include <stdlib.h>
#include <string.h>

void *gt__resize(const gt_allocator *a, void *block, size_t old_size, size_t new_size) {
    return a->resize(a->user, block, old_size, new_size);
}

void *gt__alloc(const gt_allocator *a, size_t size) { return gt__resize(a, NULL, 0, size); }

void gt__free(const gt_allocator *a, void *block, size_t size) {
    if (block) gt__resize(a, block, size, 0);
}

bool gt__grow(const gt_allocator *a, void *block, uint32_t *room, uint64_t need, size_t item) {
    if (need <= *room) return true;
    enum { LARGE = 1 << 16 }; /* from here on memory counts for more than another copy */
    uint64_t more = *room < LARGE ? (uint64_t)*room * 2 : (uint64_t)*room / 4 * 5;
    if (more < 16) more = 16;
    if (more < need) more = need;
    if (more > UINT32_MAX || more > SIZE_MAX / item) return false;
    void *old;
    memcpy(&old, block, sizeof old);
    void *grown = gt__resize(a, old, *room * item, (size_t)more * item);
    if (!grown) return false;
    memcpy(block, &grown, sizeof grown);
    *room = (uint32_t)more;
    return true;
}

static uint64_t hash_bytes(const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash ^ (hash >> 29);
}

#ifdef GT_WITH_UTHASH

/* uthash's macros see the entry's table through this name, which every caller below has in scope. */
#define uthash_malloc(size) gt__alloc(table->allocator, size)
#define uthash_free(block, size) gt__free(table->allocator, block, size)
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) (full = true)
#define HASH_FUNCTION(key, length, hash) ((hash) = (unsigned)hash_bytes(key, length))
#include <uthash.h>

struct gt__entry {
    uint32_t id;
    size_t size;
    UT_hash_handle hh;
    uint64_t bytes[];
};

static gt__entry *find(const gt__table *table, const void *bytes, size_t size) {
    gt__entry *found = NULL;
    HASH_FIND(hh, table->head, bytes, size, found);
    return found;
}

static bool add(gt__table *table, gt__entry *entry) {
    bool full = false;
    HASH_ADD_KEYPTR(hh, table->head, entry->bytes, entry->size, entry);
    return !full;
}

static void forget(gt__table *table, gt__entry *entry) {
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a table with an entry has a head
    HASH_DELETE(hh, table->head, entry);
}
static void forget_all(gt__table *table) { HASH_CLEAR(hh, table->head); }

#else

#define BUCKETS 1024u

struct gt__entry {
    uint32_t id;
    size_t size;
    gt__entry *next;
    uint64_t bytes[];
};

static gt__entry **bucket(const gt__table *table, const void *bytes, size_t size) {
    return &((gt__entry **)table->head)[hash_bytes(bytes, size) % BUCKETS];
}

static gt__entry *find(const gt__table *table, const void *bytes, size_t size) {
    gt__entry *e = table->head ? *bucket(table, bytes, size) : NULL;
    while (e && (e->size != size || memcmp(e->bytes, bytes, size) != 0)) e = e->next;
    return e;
}

static bool add(gt__table *table, gt__entry *entry) {
    if (!table->head) {
        table->head = gt__alloc(table->allocator, BUCKETS * sizeof(gt__entry *));
        if (!table->head) return false;
        memset(table->head, 0, BUCKETS * sizeof(gt__entry *));
    }
    gt__entry **place = bucket(table, entry->bytes, entry->size);
    entry->next = *place;
    *place = entry;
    return true;
}

static void forget(gt__table *table, gt__entry *entry) {
    gt__entry **place = bucket(table, entry->bytes, entry->size);
    while (*place != entry) place = &(*place)->next;
    *place = entry->next;
}

static void forget_all(gt__table *table) {
    gt__free(table->allocator, table->head, BUCKETS * sizeof(gt__entry *));
    table->head = NULL;
}

#endif

static size_t entry_size(size_t size) { return sizeof(gt__entry) + (size / 8 + 1) * 8; }

static bool holds(const gt__table *table, uint32_t id, const void *bytes, size_t size) {
    if (id == 0 || id > table->count) return false;
    const gt__entry *e = table->by_id[id - 1];
    return e->size == size && memcmp(e->bytes, bytes, size) == 0;
}

static uint32_t *recent_slot(gt__table *table, const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    unsigned mix = (unsigned)size;
    if (size) mix += p[0] * 3u + p[size / 2] * 7u + p[size - 1];
    if (size > 8) mix += p[8] * 5u;
    return &table->recent[mix % 16];
}

uint32_t gt__lookup(const gt__table *table, const void *bytes, size_t size) {
    const gt__entry *known = find(table, bytes, size);
    return known ? known->id : 0;
}

uint32_t gt__intern(gt__table *table, const void *bytes, size_t size) {
    uint32_t *recent = recent_slot(table, bytes, size);
    if (holds(table, *recent, bytes, size)) return *recent;
    const gt__entry *known = find(table, bytes, size);
    if (known) return *recent = known->id;
    if (!gt__grow(table->allocator, &table->by_id, &table->room, (uint64_t)table->count + 1,
                  sizeof *table->by_id))
        return 0;
    gt__entry *entry = gt__alloc(table->allocator, entry_size(size));
    if (!entry) return 0;
    memset(entry, 0, entry_size(size));
    entry->id = table->count + 1;
    entry->size = size;
    if (size) memcpy(entry->bytes, bytes, size);
    if (!add(table, entry)) {
        gt__free(table->allocator, entry, entry_size(size));
        return 0;
    }
    table->by_id[table->count++] = entry;
    return *recent = entry->id;
}

const void *gt__bytes(const gt__table *table, uint32_t id, size_t *size) {
    if (id == 0 || id > table->count) {
        if (size) *size = 0;
        return NULL;
    }
    const gt__entry *entry = table->by_id[id - 1];
    if (size) *size = entry->size;
    return entry->bytes;
}

void gt__table_clear(gt__table *table) {
    forget_all(table);
    for (uint32_t i = 0; i < table->count; i++)
        gt__free(table->allocator, table->by_id[i], entry_size(table->by_id[i]->size));
    gt__free(table->allocator, table->by_id, table->room * sizeof *table->by_id);
    table->by_id = NULL;
    table->count = table->room = 0;
    memset(table->recent, 0, sizeof table->recent);
}

void gt__table_truncate(gt__table *table, uint32_t count) {
    while (table->count > count) {
        gt__entry *entry = table->by_id[--table->count];
        forget(table, entry);
        gt__free(table->allocator, entry, entry_size(entry->size));
    }
}
