/* tests/support/printed.c: see printed.h. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "support/printed.h"

#include <stdlib.h>
#include <string.h>

char *printed(void (*print)(gt_tape *, FILE *), gt_tape *tape) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(tape, out);
    fclose(out);
    return text;
}

int printed_steps(gt_tape *tape, const char *word, const char *other) {
    char *text = printed(gt_plan_print, tape);
    int found = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        found += strstr(line, word) && strstr(line, other);
    free(text);
    return found;
}
