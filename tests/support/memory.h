/* tests/support/memory.h: memory for tests, zeroed; they end the program when there is none. */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include <stddef.h>

void *test_memory(size_t bytes);

#endif
