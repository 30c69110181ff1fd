/* tests/support/memory.c: see memory.h. */
#include "support/memory.h"

#include <stdio.h>
#include <stdlib.h>

void *test_memory(size_t bytes) {
    void *block = calloc(bytes ? bytes : 1, 1);
    if (!block) {
        fputs("no memory for the test itself\n", stderr);
        abort();
    }
    return block;
}
