/* tests/docs/operations.h: the reference of all operations, from what the library says of itself. */
#ifndef TESTS_DOCS_OPERATIONS_H
#define TESTS_DOCS_OPERATIONS_H

#include <stdbool.h>
#include <stdio.h>

/* False when it could not be written. */
bool print_operations(FILE *out);

#endif
