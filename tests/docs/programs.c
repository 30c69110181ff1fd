/* tests/docs/programs.c: all examples of the documentation in one program, and what writes
 * docs/operations.md.
 *
 *     docs NAME          runs one example (extract.awk made them; the list is in the build tree)
 *     docs operations    prints docs/operations.md */
#include <stdio.h>
#include <string.h>

#include "tests/docs/operations.h"

#define EXAMPLE(name) int name(void);
#include "examples.h"
#undef EXAMPLE

static const struct {
    const char *name;
    int (*run)(void);
} examples[] = {
#define EXAMPLE(name) {#name, name},
#include "examples.h"
#undef EXAMPLE
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "operations") == 0) return print_operations(stdout) ? 0 : 1;
    for (size_t i = 0; argc == 2 && i < sizeof examples / sizeof *examples; i++)
        if (strcmp(argv[1], examples[i].name) == 0) return examples[i].run();
    fprintf(stderr, "usage: docs NAME | docs operations\n");
    return 2;
}
