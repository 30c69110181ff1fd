/* tests/support/mutants.h: operations with an error planted in them, for tests of the tests.
 *
 * A planted rule finds out whose copy it is from the node that it differentiates: the operation is
 * the first member of a mutant. */
#ifndef TESTS_MUTANTS_H
#define TESTS_MUTANTS_H

#include "graph/graph.h"

typedef struct mutant mutant;
typedef bool planted_rule(mutant *m, gt_pull *p);

struct mutant {
    gt_op op;
    const gt_op *original;
    planted_rule *rule;
    int hits; /* how often the error had its effect */
};

/* An error in a gradient rule. only: " name name ", the operations where it is one; NULL: all that
 * have a gradient. */
typedef struct planted_error {
    const char *what;
    planted_rule *rule;
    const char *only;
} planted_error;

typedef struct planted_kernel {
    const char *what;
    bool (*kernel)(gt_call *call);
    const char *op;
} planted_kernel;

/* Tables, each ended by NULL: errors that samples must reveal; that only the table of kinks can
 * see; in kernels; and rows whose kernel is taken from another row. */
extern const planted_error mutant_rules[], mutant_kinks[];
extern const planted_kernel mutant_kernels[];
extern const char *const mutant_tiles[][2];

/* A copy of op with this rule, or with op's own when it is NULL. */
mutant mutant_of(const gt_op *op, planted_rule *rule);
/* Half of every contribution: the error that is an error in every rule. */
bool planted_half(mutant *m, gt_pull *p);

#endif
