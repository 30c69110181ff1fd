/* graph/pool.h: blocks of values, 64-aligned, kept for reuse. A loop that records the same step again
 * finds its blocks here and asks the allocator for nothing. */
#ifndef GT_POOL_H
#define GT_POOL_H

#include "graph/graph.h"

enum { GT__POOL_CLASSES = 256 };

typedef struct gt__block gt__block;

typedef struct gt__pool {
    const gt_allocator *allocator;
    gt__block *unused[GT__POOL_CLASSES];
} gt__pool;

/* NULL when memory is short. bytes may be 0. */
void *gt__pool_take(gt__pool *pool, size_t bytes);
void gt__pool_give(gt__pool *pool, void *data);
/* Returns the unused blocks to the allocator; blocks in use must have been given back before. */
void gt__pool_clear(gt__pool *pool);

/* Asks the system to map a large block by large pages, where it can: a page fault costs more than a kernel
 * spends on the page. */
void gt__large_pages(void *data, size_t bytes);

#endif
