/* tests/driver/selftest.c: the tests without Criterion, for sanitizers and machines that it does not
 * run on, and for sweeps that are too long for it.
 *
 *     selftest                    everything; GT_SOAK=1 in the environment: full counts
 *     selftest ops [NAME]         operations and compositions, or those called NAME
 *     selftest kinks              gradients at kinks, ties, zeros and infinities
 *     selftest mutants [NAME]     errors planted in operations: each must be caught
 *     selftest graph [SEED]       random graphs, or that of one seed
 *     selftest plans [SEED]       planned runs of random tapes against the reference, bit by bit
 *     selftest emit [NAME]        emitted C against exact runs, of everything or of NAME
 *     selftest api [SEED]         random sequences of public calls, or those of one seed
 *     selftest faults [NAME]      every allocation failed in turn, in all stories or in NAME
 *     selftest chain [NODES]      a chain of a million nodes, by itself: run it under a small stack
 *     selftest claims             right and wrong claims about gradients, and how others judge them
 *     selftest threads [NAME]     trainings with 1 to 4 threads: the same bits
 *     selftest batches            batches with a thread against batches without
 *
 * The last line is "N passed, N failed"; the exit status is 1 when something failed or nothing ran. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/chain.h"
#include "support/harness.h"
#include "support/sweeps.h"

int main(int argc, char **argv) {
    const char *part = argc > 1 ? argv[1] : NULL, *detail = argc > 2 ? argv[2] : NULL;
    score total = {0, 0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!part || strcmp(part, "ops") == 0) sweep_operations(stdout, detail, &total);
    if (!part || strcmp(part, "kinks") == 0) sweep_kinks(stdout, &total);
    if (!part || strcmp(part, "mutants") == 0) sweep_mutants(stdout, detail, &total);
    if (part && strcmp(part, "graph") == 0 && detail)
        sweep_graphs(stdout, strtoull(detail, NULL, 10), 1, &total);
    else if (!part || strcmp(part, "graph") == 0)
        sweep_graphs(stdout, 1, is_soak() ? 10000 : 400, &total);
    if (part && strcmp(part, "plans") == 0 && detail)
        sweep_plans(stdout, strtoull(detail, NULL, 10), 1, &total);
    else if (!part || strcmp(part, "plans") == 0)
        sweep_plans(stdout, 1, is_soak() ? 100000 : 1000, &total);
    if (!part || strcmp(part, "emit") == 0)
        sweep_emission(stdout, detail, 1, is_soak() ? 2000 : 15, &total);
    if (part && strcmp(part, "api") == 0 && detail)
        sweep_api(stdout, strtoull(detail, NULL, 10), 1, &total);
    else if (!part || strcmp(part, "api") == 0)
        sweep_api(stdout, 1, is_soak() ? 20000 : 2000, &total);
    if (!part || strcmp(part, "faults") == 0) sweep_faults(stdout, detail, &total);
    if (part && strcmp(part, "chain") == 0) {
        const bool right = chain_check(detail ? atoi(detail) : 1000000);
        total.passed += right;
        total.failed += !right;
    }
    if (!part || strcmp(part, "claims") == 0) sweep_claims(stdout, &total);
    if (!part || strcmp(part, "threads") == 0) sweep_threads(stdout, detail, &total);
    if (!part || strcmp(part, "batches") == 0) sweep_batches(stdout, &total);
    printf("%d passed, %d failed\n", total.passed, total.failed);
    return total.failed > 0 || total.passed == 0;
}
