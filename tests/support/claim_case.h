/* tests/support/claim_case.h: one claim about a derivative, as numbers: the function, its gradient by the sweep and
 * the claimed one, at the given point and at random ones. The checker's judge is not used. */
#ifndef TESTS_CLAIM_CASE_H
#define TESTS_CLAIM_CASE_H

#include "gradtape.h"

enum { CASE_LEAVES = 12, CASE_TEXT = 2048 };

typedef struct claim_case {
    gt_formula *formula;
    gt_tape *tape;
    gt_recording *recording;
    gt_tensor y, x, truth,
        claim; /* claim: gt_none() where it has another shape, or cannot be recorded */
    int n_leaves;
    gt_tensor leaf[CASE_LEAVES];
    double *at[CASE_LEAVES];
} claim_case;

/* The text's last statement is the claim. False when the definitions cannot be recorded. Close it in any case. */
bool claim_case_open(claim_case *c, const char *text);
void claim_case_close(claim_case *c);
/* Point 0 is the one that the text gives; others are near it. */
void claim_case_move(claim_case *c, int point);
/* Do truth and claim differ at one of the points first .. first + 2? */
bool claim_case_differs(claim_case *c, int first);

/* How other checkers would judge it at point 0: their pass rules, from their documentation. */
typedef struct rival {
    const char *name, *rule;
    bool (*passes)(claim_case *c);
} rival;
extern const rival rivals[]; /* ended by one without a name */

#endif
