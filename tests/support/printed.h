/* tests/support/printed.h: what is printed of a tape, as text. Before anything is included, _POSIX_C_SOURCE must say
 * 200809L: open_memstream. */
#ifndef GT_TEST_PRINTED_H
#define GT_TEST_PRINTED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gradtape.h"

/* What a function prints; the caller frees it. */
static inline char *printed(void (*print)(gt_tape *, FILE *), gt_tape *tape) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(tape, out);
    fclose(out);
    return text;
}

/* The lines of the last run's plan that have both words. */
static inline int printed_steps(gt_tape *tape, const char *word, const char *other) {
    char *text = printed(gt_plan_print, tape);
    int found = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        found += strstr(line, word) && strstr(line, other);
    free(text);
    return found;
}

#endif
