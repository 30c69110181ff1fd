/* tests/support/printed.h: what is printed of a tape, as text. */
#ifndef GT_TEST_PRINTED_H
#define GT_TEST_PRINTED_H

#include <stdio.h>

#include "gradtape.h"

/* What a function prints; the caller frees it. */
char *printed(void (*print)(gt_tape *, FILE *), gt_tape *tape);

/* The lines of the last run's plan that have both words. */
int printed_steps(gt_tape *tape, const char *word, const char *other);

#endif
