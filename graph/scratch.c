/* graph/scratch.c: memory that an operation takes for the time of one call. */
#include "graph/tape.h"

#include <string.h>

void *gt_scratch(const gt_call *call, size_t bytes) {
    enum { ALIGNMENT = 64 };
    gt__context *c = call->internal;
    char *block = bytes < SIZE_MAX / 8 ? gt__pool_take(&c->tape->pool, bytes + ALIGNMENT) : NULL;
    if (!block) {
        gt__out_of_memory(c->tape, "scratch of an operation");
        return NULL;
    }
    memcpy(block, &c->scratch, sizeof c->scratch);
    c->scratch = block;
    return block + ALIGNMENT;
}

void gt__free_scratch(gt__context *c) {
    // cppcheck-suppress ctuuninitvar; whoever makes a context sets it
    while (c->scratch) {
        void *block = c->scratch;
        memcpy(&c->scratch, block, sizeof c->scratch);
        gt__pool_give(&c->tape->pool, block);
    }
}
