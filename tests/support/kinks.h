/* tests/support/kinks.h: gradients where differences say nothing: at kinks, ties, zeros and
 * infinities. */
#ifndef TESTS_KINKS_H
#define TESTS_KINKS_H

#include <stdio.h>

#include "graph/graph.h"

/* Compares every entry of the table; returns how many are wrong, and tells of them on out unless it
 * is NULL. planted, when given, takes the place of original on the tape. */
int check_kinks(FILE *out, const gt_op *original, const gt_op *planted, int *count);

#endif
