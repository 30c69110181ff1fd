/* tests/support/sweep_batches.c: batches filled by a thread against batches filled by the caller, through seeks,
 * failures and early ends. Here, and not only in the Criterion suite, for the thread sanitizer. */
#include <string.h>

#include "gradtape.h"
#include "support/sweeps.h"

enum { EXAMPLES = 37, SIZE = 4 };

typedef struct fills {
    long calls;
    bool refuses; /* every seventh */
} fills;

static bool fill_sums(void *user, const int64_t *index, int64_t n, void *buffer) {
    fills *f = user;
    if (f->refuses && ++f->calls % 7 == 0) return false;
    for (int64_t i = 0; i < n; i++) ((double *)buffer)[i] = (double)(3 * index[i] + n);
    return true;
}

static gt_batches *make(fills *f, uint64_t seed, bool ahead) {
    return gt_batches_new((gt_batches_options){.count = EXAMPLES,
                                               .size = SIZE,
                                               .seed = seed,
                                               .ahead = ahead,
                                               .fill = fill_sums,
                                               .user = f,
                                               .bytes = SIZE * sizeof(double)},
                          NULL);
}

static bool same_batch(const gt_batch *a, const gt_batch *b) {
    return a->epoch == b->epoch && a->position == b->position && a->count == b->count &&
           memcmp(a->index, b->index, (size_t)a->count * sizeof *a->index) == 0 &&
           memcmp(a->data, b->data, (size_t)a->count * sizeof(double)) == 0;
}

static bool agree(uint64_t seed) {
    fills f = {0, seed % 3 == 0}, g = {0, false};
    gt_batches *ahead = make(&f, seed, true), *plain = make(&g, seed, false);
    const int64_t per_epoch = gt_batches_per_epoch(plain);
    bool ok = ahead && plain;
    const int steps = (int)(seed % 40);
    for (int k = 0; ok && k < steps; k++) {
        uint32_t word[4];
        gt_batch a, b;
        gt_philox(seed, 1, (uint64_t)k, word);
        if (word[0] % 5 == 0) {
            const int64_t epoch = word[1] % 3, position = word[2] % per_epoch;
            ok = gt_batches_seek(ahead, epoch, position) && gt_batches_seek(plain, epoch, position);
        }
        bool got = gt_batches_next(ahead, &a);
        if (!got) got = gt_batches_next(ahead, &a);
        ok = ok && got && gt_batches_next(plain, &b) && same_batch(&a, &b);
    }
    gt_batches_free(ahead); /* the thread may be in the middle of a batch */
    gt_batches_free(plain);
    return ok;
}

void sweep_batches(FILE *out, score *s) {
    enum { SEEDS = 400 };
    int agreeing = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (agree(seed))
            agreeing++;
        else
            fprintf(out, "batches: a thread changes the batches of seed %d\n", (int)seed);
    }
    fprintf(out, "batches: %d of %d sequences are the same with a thread and without\n", agreeing,
            SEEDS);
    s->passed += agreeing == SEEDS;
    s->failed += agreeing != SEEDS;
}
