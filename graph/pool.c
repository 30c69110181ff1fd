/* graph/pool.c: free lists by size class, four classes to each power of two (at most a quarter of a
 * block is waste). A header stands before each block. */
#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise */
#include <sys/mman.h>
#endif

#include "graph/pool.h"
#include "graph/table.h"

/* Large blocks begin with a page of theirs: of one of 4 MB that begins anywhere, half has none. */
enum { ALIGNMENT = 64, SMALLEST = 64, LARGE_PAGE = 1 << 21, LEAST_LARGE = 2 * LARGE_PAGE };

struct gt__block {
    gt__block *next;
    void *raw;
    size_t raw_size;
    unsigned class;
};

/* Rounds *bytes up to the size of its class. */
static unsigned class_of(size_t *bytes) {
    if (*bytes <= SMALLEST) {
        *bytes = SMALLEST;
        return 0;
    }
    unsigned power = 6;
    while (power < 62 && ((size_t)1 << (power + 1)) < *bytes) power++;
    const size_t base = (size_t)1 << power, quarter = base / 4;
    const size_t quarters = (*bytes - base + quarter - 1) / quarter; /* 1 to 4 */
    *bytes = base + quarters * quarter;
    return (power - 6) * 4 + (unsigned)quarters;
}

static gt__block *header_of(void *data) { return (gt__block *)((char *)data - ALIGNMENT); }

void gt__large_pages(void *data, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = LARGE_PAGE;
    char *first = (char *)data + (page - (uintptr_t)data % page) % page,
         *end = (char *)data + bytes;
    if (bytes >= LEAST_LARGE && first < end)
        madvise(first, (size_t)(end - first) / page * page, MADV_HUGEPAGE);
#else
    (void)data;
    (void)bytes;
#endif
}

void *gt__pool_take(gt__pool *pool, size_t bytes) {
    if (bytes > SIZE_MAX / 4) return NULL;
    const unsigned class = class_of(&bytes);
    gt__block *block = pool->unused[class];
    if (block) {
        pool->unused[class] = block->next;
        return (char *)block + ALIGNMENT;
    }
    const size_t alignment = bytes >= LEAST_LARGE ? LARGE_PAGE : ALIGNMENT;
    const size_t raw_size = bytes + ALIGNMENT + alignment;
    char *raw = gt__alloc(pool->allocator, raw_size);
    if (!raw) return NULL;
    char *data = raw + ALIGNMENT;
    data += (alignment - (uintptr_t)data % alignment) % alignment;
    block = header_of(data);
    *block = (gt__block){NULL, raw, raw_size, class};
    gt__large_pages(data, bytes);
    return data;
}

void gt__pool_give(gt__pool *pool, void *data) {
    if (!data) return;
    gt__block *block = header_of(data);
    block->next = pool->unused[block->class];
    pool->unused[block->class] = block;
}

void gt__pool_clear(gt__pool *pool) {
    for (int c = 0; c < GT__POOL_CLASSES; c++) {
        while (pool->unused[c]) {
            gt__block *block = pool->unused[c];
            pool->unused[c] = block->next;
            gt__free(pool->allocator, block->raw, block->raw_size);
        }
    }
}
