/* tests/support/random_graph.h: a random function of a few leaves, the same for the same seed: 5 to
 * 60 nodes with fan-out, reuse, broadcasts, views, reductions and products. Values are kept of
 * moderate size: a result that may be large is squashed before it is used, and logarithms, roots
 * and quotients stay away from 0. */
#ifndef TESTS_RANDOM_GRAPH_H
#define TESTS_RANDOM_GRAPH_H

#include "graph/graph.h"

enum { GRAPH_LEAVES = 4, GRAPH_WATCHED = 64 };

typedef struct random_graph {
    gt_tape *tape;
    int n_leaves, n_watched;
    gt_tensor leaf[GRAPH_LEAVES];
    gt_tensor
        watched[GRAPH_WATCHED]; /* places of maxima and minima: they tell which branch is taken */
    gt_tensor loss;
} random_graph;

/* Records on the tape, which has no nodes yet. */
void random_graph_record(random_graph *g, gt_tape *tape, uint64_t seed);
/* The same over leaves of another kind; wide ones have more elements than fit one tile. */
void random_graph_record_as(random_graph *g, gt_tape *tape, uint64_t seed, gt_dtype dtype,
                            bool wide);
/* Do the checks of these random graphs notice that an error was planted in the original? */
bool graphs_catch(const gt_op *original, const gt_op *planted, uint64_t first, int count);

#endif
