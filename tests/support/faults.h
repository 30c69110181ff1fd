/* tests/support/faults.h: an allocator that fails when it is told to, checks the sizes that it is
 * told, and moves every block that is resized, so that a pointer kept too long points nowhere. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include "graph/graph.h"

typedef struct faults {
    long fail_at;      /* the request that fails, counted from 0; -1: none */
    bool from_then_on; /* and every later one */
    long requests, refused;
    size_t blocks, bytes; /* not yet freed */
    bool confused;        /* an old size was not what had been asked for */
} faults;

gt_allocator faults_allocator(faults *f);

#endif
