/* tests/ops_test.c: the sweeps of the plain driver, under Criterion: every operation by its
 * samples, planted errors, random graphs of other seeds than the driver's, and failed allocations
 * in the stories that train. */
#include <criterion/criterion.h>

#include "support/harness.h"
#include "support/sweeps.h"

static void expect_right(score s) {
    cr_assert(s.passed > 0, "nothing was checked");
    cr_assert(s.failed == 0, "%d of %d failed: see above", s.failed, s.passed + s.failed);
}

Test(ops, by_their_samples) {
    score s = {0, 0};
    sweep_operations(stdout, NULL, &s);
    expect_right(s);
}

Test(ops, planted_errors_are_caught) {
    score s = {0, 0};
    sweep_mutants(stdout, NULL, &s);
    expect_right(s);
}

Test(ops, random_graphs) {
    score s = {0, 0};
    sweep_graphs(stdout, 1000001, is_soak() ? 10000 : 200, &s);
    expect_right(s);
}

Test(ops, failed_allocations) {
    static const char *const stories[] = {"backward",   "sgd",           "adam",
                                          "adamw",      "small batches", "derivatives",
                                          "checkpoint", "bookkeeping"};
    score s = {0, 0};
    for (size_t k = 0; k < sizeof stories / sizeof *stories; k++)
        sweep_faults(stdout, stories[k], &s);
    cr_assert_eq(s.passed + s.failed, (int)(sizeof stories / sizeof *stories));
    expect_right(s);
}
