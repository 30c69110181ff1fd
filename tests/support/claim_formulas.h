/* tests/support/claim_formulas.h: functions and their gradients as people derive them, all of them right: what the
 * suite of wrong claims is made from. */
#ifndef TESTS_CLAIM_FORMULAS_H
#define TESTS_CLAIM_FORMULAS_H

enum { CLAIM_MOST = 4 };

typedef struct claim_formula {
    const char *definitions; /* statements with values, or shapes alone */
    const char *claim[CLAIM_MOST];
} claim_formula;

/* Ended by one without definitions. Those of the second list are claims at kinks: right, but no base for mutations. */
extern const claim_formula claim_formulas[], claims_at_kinks[];

#endif
