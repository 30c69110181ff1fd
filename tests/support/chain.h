/* tests/support/chain.h: a chain of a million nodes: no recursion anywhere. Run it under a small stack. */
#ifndef GT_TEST_CHAIN_H
#define GT_TEST_CHAIN_H

#include <stdbool.h>

/* Records, differentiates and runs a chain of that many nodes; prints what failed. */
bool chain_check(int nodes);

#endif
