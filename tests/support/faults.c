/* tests/support/faults.c: see faults.h. The size of a block stands before it. */
#include "support/faults.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 16 };

static size_t size_of(const void *block) {
    size_t size;
    memcpy(&size, (const char *)block - HEADER, sizeof size);
    return size;
}

static void give_back(faults *f, void *block) {
    f->blocks--;
    f->bytes -= size_of(block);
    free((char *)block - HEADER);
}

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
    faults *f = user;
    if (block && size_of(block) != old_size) f->confused = true;
    if (new_size == 0) {
        if (block) give_back(f, block);
        return NULL;
    }
    const long request = f->requests++;
    if (f->fail_at >= 0 && (request == f->fail_at || (f->from_then_on && request > f->fail_at))) {
        f->refused++;
        return NULL;
    }
    char *raw = malloc(new_size + HEADER);
    if (!raw) return NULL;
    memcpy(raw, &new_size, sizeof new_size);
    f->blocks++;
    f->bytes += new_size;
    if (block) {
        memcpy(raw + HEADER, block, old_size < new_size ? old_size : new_size);
        give_back(f, block);
    }
    return raw + HEADER;
}

gt_allocator faults_allocator(faults *f) { return (gt_allocator){resize, f}; }
