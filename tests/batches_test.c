/* tests/batches_test.c: batches, with and without a thread; normalization. */
#include <criterion/criterion.h>

#include "support/quick.h"

enum { COUNT = 23, SIZE = 5, EPOCHS = 4 };

/* The data are the squares of the indices; `refuse` counts down to a fill that fails. */
typedef struct source {
    long calls, refuse_at;
} source;

static bool fill_squares(void *user, const int64_t *index, int64_t n, void *buffer) {
    source *s = user;
    if (s->calls++ == s->refuse_at) return false;
    for (int64_t i = 0; i < n; i++) ((double *)buffer)[i] = (double)(index[i] * index[i]);
    return true;
}

static gt_batches_options options_of(source *s, bool ahead) {
    *s = (source){0, -1};
    return (gt_batches_options){.count = COUNT,
                                .size = SIZE,
                                .seed = 3,
                                .ahead = ahead,
                                .fill = fill_squares,
                                .user = s,
                                .bytes = SIZE * sizeof(double)};
}

static void next(gt_batches *b, gt_batch *batch) {
    cr_assert(gt_batches_next(b, batch));
    for (int64_t i = 0; i < batch->count; i++)
        cr_assert(((double *)batch->data)[i] == (double)(batch->index[i] * batch->index[i]));
}

static void check_epochs(bool ahead, bool drop_last) {
    source s;
    gt_batches_options o = options_of(&s, ahead);
    o.drop_last = drop_last;
    gt_batches *b = gt_batches_new(o, NULL);
    cr_assert_not_null(b);
    const int64_t per_epoch = drop_last ? COUNT / SIZE : COUNT / SIZE + 1;
    cr_assert(gt_batches_per_epoch(b) == per_epoch);
    int64_t order[EPOCHS][COUNT];
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        int seen[COUNT] = {0}, total = 0;
        for (int64_t k = 0; k < per_epoch; k++) {
            gt_batch batch;
            int64_t at[2];
            gt_batches_tell(b, &at[0], &at[1]);
            cr_assert(at[0] == epoch && at[1] == k);
            next(b, &batch);
            cr_assert(batch.epoch == epoch && batch.position == k);
            cr_assert(batch.last == (k == per_epoch - 1));
            cr_assert(batch.count == (batch.last && !drop_last ? COUNT % SIZE : SIZE));
            for (int64_t i = 0; i < batch.count; i++) {
                seen[batch.index[i]]++;
                order[epoch][total++] = batch.index[i];
            }
        }
        int examples = 0;
        for (int i = 0; i < COUNT; i++) {
            cr_assert(seen[i] <= 1, "%d came %d times", i, seen[i]);
            examples += seen[i];
        }
        cr_assert(examples == (drop_last ? COUNT / SIZE * SIZE : COUNT));
        const size_t bytes = (size_t)examples * sizeof(int64_t);
        cr_assert(epoch == 0 || memcmp(order[epoch], order[epoch - 1], bytes) != 0);
    }
    gt_batches_free(b);
}

Test(batches, every_example_once_an_epoch) {
    for (int k = 0; k < 4; k++) check_epochs(k & 1, k & 2);
}

Test(batches, a_thread_changes_nothing) {
    source s, t;
    gt_batches *a = gt_batches_new(options_of(&s, false), NULL);
    gt_batches *b = gt_batches_new(options_of(&t, true), NULL);
    for (int k = 0; k < 200; k++) {
        gt_batch x, y;
        next(a, &x);
        next(b, &y);
        cr_assert(x.epoch == y.epoch && x.position == y.position && x.count == y.count);
        cr_assert(memcmp(x.index, y.index, (size_t)x.count * sizeof *x.index) == 0);
        cr_assert(memcmp(x.data, y.data, (size_t)x.count * sizeof(double)) == 0);
    }
    gt_batches_free(a);
    gt_batches_free(b);
}

/* The very order, so that it stays the same on every machine and in every version. */
Test(batches, the_order_is_fixed) {
    gt_batch batch;
    gt_batches *b = gt_batches_new((gt_batches_options){.count = 8, .size = 8, .seed = 42}, NULL);
    const int64_t expected[2][8] = {{1, 4, 6, 0, 2, 5, 3, 7}, {0, 3, 1, 6, 7, 4, 5, 2}};
    for (int epoch = 0; epoch < 2; epoch++) {
        cr_assert(gt_batches_next(b, &batch) && batch.data == NULL);
        for (int i = 0; i < 8; i++)
            cr_assert(batch.index[i] == expected[epoch][i], "epoch %d, %d: %d", epoch, i,
                      (int)batch.index[i]);
    }
    gt_batches_free(b);
    b = gt_batches_new((gt_batches_options){.count = 8, .size = 20, .in_order = true}, NULL);
    cr_assert(gt_batches_next(b, &batch) && batch.count == 8 && batch.last);
    for (int i = 0; i < 8; i++) cr_assert(batch.index[i] == i);
    gt_batches_free(b);
}

/* Each of 4 places gets each of 4 examples a quarter of the time. */
Test(batches, the_order_is_uniform) {
    enum { N = 4, DRAWS = 8000 };
    int seen[N][N] = {{0}};
    gt_batch batch;
    gt_batches *b = gt_batches_new((gt_batches_options){.count = N, .size = N, .seed = 5}, NULL);
    for (int k = 0; k < DRAWS; k++) {
        cr_assert(gt_batches_next(b, &batch));
        for (int i = 0; i < N; i++) seen[i][batch.index[i]]++;
    }
    for (int place = 0; place < N; place++)
        for (int i = 0; i < N; i++) {
            const double away = seen[place][i] - DRAWS / (double)N;
            cr_assert(fabs(away) < 5 * sqrt(DRAWS * 0.25 * 0.75), "%d at %d: %d", i, place,
                      seen[place][i]);
        }
    gt_batches_free(b);
}

static void check_seeking(bool ahead) {
    source s;
    gt_batch batch;
    int64_t index[3 * (COUNT / SIZE + 1)][SIZE];
    gt_batches *b = gt_batches_new(options_of(&s, ahead), NULL);
    const int64_t per_epoch = gt_batches_per_epoch(b);
    for (int64_t k = 0; k < 3 * per_epoch; k++) {
        next(b, &batch);
        memcpy(index[k], batch.index, (size_t)batch.count * sizeof **index);
    }
    for (int64_t k = 3 * per_epoch - 1; k >= 0; k--) {
        int64_t epoch, position;
        cr_assert(gt_batches_seek(b, k / per_epoch, k % per_epoch));
        gt_batches_tell(b, &epoch, &position);
        cr_assert(epoch == k / per_epoch && position == k % per_epoch);
        for (int64_t m = k; m < k + k % 3 + 1 && m < 3 * per_epoch; m++) {
            next(b, &batch);
            cr_assert(batch.epoch == m / per_epoch && batch.position == m % per_epoch);
            cr_assert(memcmp(index[m], batch.index, (size_t)batch.count * sizeof **index) == 0);
        }
    }
    cr_assert(!gt_batches_seek(b, 0, per_epoch) && !gt_batches_seek(b, -1, 0));
    cr_assert(!gt_batches_seek(b, 0, -1) && !gt_batches_seek(NULL, 0, 0));
    gt_batches_free(b);
}

Test(batches, seeking) {
    check_seeking(false);
    check_seeking(true);
}

static void check_refusal(bool ahead) {
    for (int at = 0; at < 12; at++) {
        source s, t;
        gt_batch batch, expected;
        gt_batches_options o = options_of(&s, ahead);
        s.refuse_at = at;
        gt_batches *b = gt_batches_new(o, NULL),
                   *whole = gt_batches_new(options_of(&t, false), NULL);
        int failures = 0;
        for (int k = 0; k < 12; k++) {
            while (!gt_batches_next(b, &batch)) failures++;
            next(whole, &expected);
            cr_assert(batch.epoch == expected.epoch && batch.position == expected.position);
            cr_assert(memcmp(batch.index, expected.index, (size_t)batch.count * sizeof(int64_t)) ==
                      0);
        }
        cr_assert(failures == 1, "%d failures", failures);
        gt_batches_free(b);
        gt_batches_free(whole);
    }
}

Test(batches, a_fill_that_fails_is_tried_again) {
    check_refusal(false);
    check_refusal(true);
}

Test(batches, options_that_make_no_batches) {
    source s;
    const gt_batches_options good = options_of(&s, false);
    for (int k = 0; k < 6; k++) {
        gt_batches_options o = good;
        if (k == 0) o.count = 0;
        if (k == 1) o.size = 0;
        if (k == 2) o.count = -1;
        if (k == 3) o.fill = NULL;
        if (k == 4) o.drop_last = true, o.size = COUNT + 1;
        if (k == 5) o.count = INT64_MAX;
        cr_assert_null(gt_batches_new(o, NULL), "%d", k);
    }
    gt_batch batch;
    cr_assert(!gt_batches_next(NULL, &batch) && gt_batches_per_epoch(NULL) == 0);
    gt_batches_free(NULL);
}

/* Stopped at any moment, the thread goes away. */
Test(batches, freed_while_it_fills) {
    for (int k = 0; k < 200; k++) {
        source s;
        gt_batch batch;
        gt_batches *b = gt_batches_new(options_of(&s, true), NULL);
        for (int i = 0; i < k % 5; i++) next(b, &batch);
        gt_batches_free(b);
    }
}

typedef struct failing {
    size_t used;
    int calls, fail_at;
} failing;

static void *failing_resize(void *user, void *block, size_t old_size, size_t new_size) {
    failing *f = user;
    if (new_size == 0) {
        free(block);
        f->used -= old_size;
        return NULL;
    }
    if (f->calls++ == f->fail_at) return NULL;
    f->used += new_size - (block ? old_size : 0);
    return realloc(block, new_size);
}

Test(batches, allocations_that_fail) {
    gt_batches *b = NULL;
    int n = 0;
    for (; !b && n < 100; n++) {
        source s;
        failing f = {0, 0, n};
        const gt_allocator a = {failing_resize, &f};
        b = gt_batches_new(options_of(&s, true), &a);
        cr_assert((b != NULL) == (f.calls <= n));
        gt_batches_free(b);
        cr_assert(f.used == 0);
    }
    cr_assert(n == 7, "%d allocations failed in turn", n - 1);
}

/* ---- normalization ----------------------------------------------------------------------------- */

Test(normalize, means_and_deviations) {
    float x[4 * 3] = {1, 10, 5, 2, 20, 5, 3, 30, 5, 6, 40, 5};
    double mean[3], std[3];
    cr_assert(gt_mean_and_std(x, 4, 3, mean, std));
    cr_assert(mean[0] == 3 && mean[1] == 25 && mean[2] == 5);
    cr_assert(quick_near(std[0], sqrt(3.5), 1e-15) && quick_near(std[1], sqrt(125), 1e-14));
    cr_assert(std[2] == 0);
    gt_normalize(x, 4, 3, mean, std);
    cr_assert(x[0] == (float)(-2 / sqrt(3.5)) && x[10] == (float)(15 / sqrt(125)) && x[11] == 0);
    double again[3], one[3];
    cr_assert(gt_mean_and_std(x, 4, 3, again, one));
    cr_assert(quick_near(again[0], 0, 1e-7) && quick_near(one[0], 1, 1e-7) && one[2] == 0);
    cr_assert(!gt_mean_and_std(x, 0, 3, mean, std));
}
