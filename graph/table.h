/* graph/table.h: interning. Equal byte strings get equal small ids, so that a node can hold a shape, an
 * attribute block, a name or a call site in 32 bits. Ids count from 1; 0 means "none". Entries stay
 * where they are until the table is cleared. Memory comes from a gt_allocator and may run out. */
#ifndef GT_TABLE_H
#define GT_TABLE_H

#include "graph/graph.h"

typedef struct gt__entry gt__entry;

typedef struct gt__table {
    const gt_allocator *allocator;
    gt__entry *head;   /* the hash table */
    gt__entry **by_id; /* by_id[id - 1] */
    uint32_t count, room;
    uint32_t
        recent[16]; /* ids seen last, by a short hash: repeated recordings ask for the same few */
} gt__table;

/* The id of these bytes, new or known; 0 when memory is short. */
uint32_t gt__intern(gt__table *table, const void *bytes, size_t size);
/* The id of these bytes when known, else 0. */
uint32_t gt__lookup(const gt__table *table, const void *bytes, size_t size);
/* The bytes of an id, 8-aligned, followed by a zero byte; *size may be NULL. */
const void *gt__bytes(const gt__table *table, uint32_t id, size_t *size);
void gt__table_clear(gt__table *table);
/* Forgets the ids above count. */
void gt__table_truncate(gt__table *table, uint32_t count);

/* The allocator as three verbs. Blocks are aligned as malloc's. */
void *gt__alloc(const gt_allocator *a, size_t size);
void *gt__resize(const gt_allocator *a, void *block, size_t old_size, size_t new_size);
void gt__free(const gt_allocator *a, void *block, size_t size);
/* Grows *block to hold at least `need` items of `item` bytes, and more; false when memory is short. */
bool gt__grow(const gt_allocator *a, void *block, uint32_t *room, uint64_t need, size_t item);

#endif
