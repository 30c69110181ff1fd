/* tests/support/sweep_api.c: random sequences of public calls, one seed after the other. */
#include "support/fuzz_api.h"
#include "support/sweeps.h"

void sweep_api(FILE *out, uint64_t first, int count, score *total) {
    enum { STEPS = 400, SHOWN = 10 };
    char text[1000];
    int right = 0, wrong = 0;
    for (uint64_t seed = first; seed < first + (uint64_t)count; seed++) {
        if (fuzz_api(seed, STEPS, text, sizeof text))
            right++;
        else if (wrong++ < SHOWN)
            fprintf(out,
                    "FAIL calls of seed %llu: %s\n  repeat: build/bin/tests/selftest api %llu\n",
                    (unsigned long long)seed, text, (unsigned long long)seed);
    }
    fprintf(out, "random sequences of %d calls: %d right, %d wrong\n", STEPS, right, wrong);
    total->passed += right;
    total->failed += wrong;
}
