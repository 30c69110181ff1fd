/* tests/support/fuzz_api.h: random sequences of public calls against a model that computes everything at
 * once, in doubles. */
#ifndef TESTS_FUZZ_API_H
#define TESTS_FUZZ_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one seed does: `steps` calls on two tapes over one gt_params. False, and what went wrong in text. */
bool fuzz_api(uint64_t seed, int steps, char *text, size_t size);

#endif
