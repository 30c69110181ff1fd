/* tests/threads_test.c: work that threads share: each task is done once, and results do not depend on how many there
 * are. Trainings with 1 to 4 threads are compared by `selftest threads`. */
#include <criterion/criterion.h>
#include <stdatomic.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

#include "graph/threads.h"
#include "support/quick.h"

enum { MOST_TASKS = 1000 };

typedef struct counts {
    atomic_int done[MOST_TASKS];
    atomic_int strays; /* tasks of threads that there are not, or in another float mode */
    int threads;
    unsigned mode;
} counts;

static void count(const void *job, int64_t i, int thread) {
    counts *c = (counts *)(uintptr_t)job;
    c->done[i]++;
    if (thread < 0 || thread >= c->threads || gt_float_mode() != c->mode) c->strays++;
}

static void expect_each_once(int64_t n, int threads) {
    static counts c;
    memset(&c, 0, sizeof c);
    c.threads = threads;
    c.mode = gt_float_mode();
    gt__share(n, threads, count, &c);
    for (int64_t i = 0; i < MOST_TASKS; i++)
        cr_assert_eq(c.done[i], i < n, "task %d of %d with %d threads", (int)i, (int)n, threads);
    cr_assert_eq(c.strays, 0);
}

Test(threads, do_each_task_once) {
    static const int64_t tasks[] = {0, 1, 2, 3, 7, 64, 100, MOST_TASKS};
    static const int threads[] = {1, 2, 3, 8, 63, 64, 65, 80};
    for (size_t k = 0; k < sizeof tasks / sizeof *tasks; k++)
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
            expect_each_once(tasks[k], threads[t]);
}

Test(threads, compute_in_the_mode_of_their_caller) {
    const unsigned own = gt_float_mode();
    gt_set_float_mode(own | 0x8040); /* denormals are zeros, where the processor can have it so */
    expect_each_once(MOST_TASKS, 4);
    gt_set_float_mode(own);
    expect_each_once(MOST_TASKS, 4);
}

#ifdef GT_WITH_OPENMP

static void share_again(const void *job, int64_t i, int thread) {
    (void)i, (void)thread;
    cr_assert_eq(gt__threads(), 1);
    gt__share(MOST_TASKS, 1, count, job);
}

Test(threads, of_a_team_get_no_further_ones) {
    static counts c;
    c.threads = 1;
    c.mode = gt_float_mode();
    gt__share(2, 2, share_again, &c);
    for (int i = 0; i < MOST_TASKS; i++) cr_assert_eq(c.done[i], 2);
    cr_assert_eq(gt__threads(), omp_get_max_threads());
}

/* ---- products -------------------------------------------------------------------------------- */

typedef struct sizes {
    int64_t m, n, k;
} sizes;

/* x[rows, columns] of random numbers, of which some views have other strides. */
static gt_tensor matrix(gt_tape *tape, int64_t rows, int64_t columns, int layout, gt_dtype dtype) {
    switch (layout) {
    case 0: return gt_randn(tape, GT_SHAPE(rows, columns), dtype);
    case 1: return gt_t(gt_randn(tape, GT_SHAPE(columns, rows), dtype));
    case 2:
        return gt_slice(gt_randn(tape, GT_SHAPE(rows, columns + 5), dtype), 1, 3, columns + 3, 1);
    default: return gt_flip(gt_randn(tape, GT_SHAPE(rows, columns), dtype), GT_AXES(1));
    }
}

/* A product, its gradients, which are sums of two products, and one whose right side is used twice. The caller frees. */
static void *all_products(sizes s, int layouts, gt_dtype dtype, int threads, size_t *bytes) {
    omp_set_num_threads(threads);
    gt_params *params = gt_params_new(NULL, 3);
    gt_tape *tape = gt_tape_new(params);
    const gt_tensor a = matrix(tape, s.m, s.k, layouts % 4, dtype),
                    b = matrix(tape, s.k, s.n, layouts / 4, dtype);
    const gt_tensor y = gt_matmul(a, b), z = gt_matmul(gt_neg(a), b);
    const gt_tensor up = gt_randn(tape, GT_SHAPE(s.m, s.n), dtype);
    const gt_tensor loss = gt_sum(gt_mul(gt_mul(y, z), up), GT_ALL, false);
    const gt_tensor part[] = {gt_flatten(y, 0, -1), gt_flatten(gt_grad(loss, a), 0, -1),
                              gt_flatten(gt_grad(loss, b), 0, -1)};
    const gt_tensor all = gt_concat(gt_list_of(3, part), 0);
    void *copy = quick_copy(all, bytes);
    cr_assert(copy != NULL, "%s", gt_error(tape));
    gt_tape_free(tape);
    gt_params_free(params);
    return copy;
}

/* Many products at once, each made by one thread in scratch of its own. */
static void *batch_of_products(int layouts, gt_dtype dtype, int threads, size_t *bytes) {
    enum { COUNT = 60, M = 64, N = 70, K = 90 };
    omp_set_num_threads(threads);
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor a = gt_randn(tape, GT_SHAPE(COUNT, layouts & 1 ? K : M, layouts & 1 ? M : K), dtype);
    gt_tensor b = gt_randn(tape, GT_SHAPE(COUNT, layouts & 2 ? N : K, layouts & 2 ? K : N), dtype);
    if (layouts & 1) a = gt_transpose(a, 1, 2);
    if (layouts & 2) b = gt_transpose(b, 1, 2);
    void *copy = quick_copy(gt_matmul(a, b), bytes);
    cr_assert(copy != NULL, "%s", gt_error(tape));
    gt_tape_free(tape);
    return copy;
}

Test(threads, change_no_bit_of_a_batch_of_products) {
    const int before = omp_get_max_threads();
    for (int layouts = 0; layouts < 8; layouts++) {
        const gt_dtype dtype = layouts & 4 ? GT_F64 : GT_F32;
        size_t n, m;
        void *one = batch_of_products(layouts, dtype, 1, &n);
        for (int threads = 2; threads <= 7; threads++) {
            void *several = batch_of_products(layouts, dtype, threads, &m);
            cr_assert(n == m && memcmp(one, several, n) == 0, "layouts %d, %d threads", layouts,
                      threads);
            free(several);
        }
        free(one);
    }
    omp_set_num_threads(before);
}

static void expect_the_same_bits(gt_dtype dtype) {
    static const sizes cases[] = {{128, 130, 300}, {33, 1100, 70}, {600, 49, 90},
                                  {5, 2000, 300},  {9, 900, 300},  {300, 300, 40},
                                  {125, 226, 776}, {300, 300, 400}};
    const int before = omp_get_max_threads();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int layouts = 0; layouts < 16; layouts++) {
            size_t n, m;
            void *one = all_products(cases[i], layouts, dtype, 1, &n);
            for (int threads = 2 + layouts % 3; threads <= 7; threads += 3) {
                void *several = all_products(cases[i], layouts, dtype, threads, &m);
                cr_assert(n == m && memcmp(one, several, n) == 0, "case %d, layouts %d, %d threads",
                          (int)i, layouts, threads);
                free(several);
            }
            free(one);
        }
    omp_set_num_threads(before);
}

Test(threads, change_no_bit_of_a_product_of_doubles) { expect_the_same_bits(GT_F64); }

Test(threads, change_no_bit_of_a_product_of_floats) { expect_the_same_bits(GT_F32); }

#endif
