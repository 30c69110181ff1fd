/* graph/philox.c: counter-based random numbers, Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011). A number depends on (key, ordinal, element) alone, so a
 * mask is the same in forward, backward, replays, and on any number of threads. */
#include "graph/graph.h"

#include <math.h>

void gt_philox(uint64_t key, uint64_t counter_high, uint64_t counter_low, uint32_t word[4]) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)counter_low, c1 = (uint32_t)(counter_low >> 32);
    uint32_t c2 = (uint32_t)counter_high, c3 = (uint32_t)(counter_high >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t next0 = (uint32_t)(b >> 32) ^ c1 ^ k0, next2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        c0 = next0;
        c2 = next2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

static double unit(uint32_t high, uint32_t low) { /* 53 random bits in [0, 1) */
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

double gt_uniform(uint64_t key, uint64_t ordinal, uint64_t i) {
    uint32_t w[4];
    gt_philox(key, ordinal, i, w);
    return unit(w[0], w[1]);
}

double gt_normal(uint64_t key, uint64_t ordinal, uint64_t i) {
    uint32_t w[4];
    gt_philox(key, ordinal, i, w);
    const double radius = sqrt(-2.0 * log(1.0 - unit(w[0], w[1]))); /* 1 - u lies in (0, 1] */
    return radius * cos(6.283185307179586477 * unit(w[2], w[3]));
}
