/* tests/support/claim_mutations.h: a right claim, and what people write instead: every place of it where one of
 * the usual mistakes can be made, made. Knows nothing of how mistakes are found. */
#ifndef TESTS_CLAIM_MUTATIONS_H
#define TESTS_CLAIM_MUTATIONS_H

#include "gradtape.h"

typedef enum mutation_kind {
    FLIPPED_SIGN,
    CONSTANT_FACTOR,
    DROPPED_PATH,
    ADDED_TERM,
    DROPPED_LOCAL,
    OTHER_NODE,
    OTHER_OPERAND,
    TRANSPOSED,
    NO_BATCH_SUM,
    MEAN_FOR_SUM,
    LAST_PATH_ONLY,
    LOG_BASE,
    N_MUTATIONS
} mutation_kind;

extern const char *const mutation_name[N_MUTATIONS];
/* Is a mistake so called by its name? Some wrong claims are two kinds of mistake at once: with one of two paths
 * dropped, a path is missing, and = stands for +=. */
bool mutation_is_called(mutation_kind kind, gt_mistake mistake);

/* A wrong right-hand side, as text. */
typedef struct mutation {
    mutation_kind kind;
    char text[512];
} mutation;

/* Mutations of the claim that is the formula's last statement and was recorded; at most room, a few of each kind.
 * They are not sure to be wrong. The formula grows. */
int mutate_claim(gt_formula *formula, gt_recording *recording, mutation *out, int room);

#endif
