/* tests/support/sweeps.h: the long sweeps over everything there is, each reported line by line;
 * what both the plain driver and the Criterion suite run. */
#ifndef TESTS_SWEEPS_H
#define TESTS_SWEEPS_H

#include <stdint.h>
#include <stdio.h>

typedef struct score {
    int passed, failed;
} score;

/* Every operation, composition and layer, or those of one name. */
void sweep_operations(FILE *out, const char *name, score *total);
/* Gradients at kinks, ties, zeros and infinities, from a table. */
void sweep_kinks(FILE *out, score *s);
/* Copies of operations with errors planted in them: each must be caught. */
void sweep_mutants(FILE *out, const char *name, score *s);
/* Random graphs of the seeds first, first + 1, ...; a single one is printed. */
void sweep_graphs(FILE *out, uint64_t first, int count, score *s);
/* Random tapes of the seeds first, first + 1, ...: planned runs against the reference executor, bit by bit. */
void sweep_plans(FILE *out, uint64_t first, int count, score *total);
/* Emitted C against exact runs: samples of everything, or of `name`, and random tapes. */
void sweep_emission(FILE *out, const char *name, uint64_t first, int count, score *total);
/* Random sequences of public calls of the seeds first, first + 1, ... against a model. */
void sweep_api(FILE *out, uint64_t first, int count, score *total);
/* Every allocation failed in turn, in every story, or in the one of that name. */
void sweep_faults(FILE *out, const char *only, score *total);
/* Right and wrong claims about gradients, judged. GT_CLAIMS=1 in the environment lists what was not named or not
 * repaired. */
void sweep_claims(FILE *out, score *s);
/* Trainings with 1 to 4 threads, or that of one name. */
void sweep_threads(FILE *out, const char *name, score *total);
/* Batches filled by a thread against the same without. */
void sweep_batches(FILE *out, score *s);

#endif
