/* tests/gemm_test.c: the matrix product by each kernel that this processor has, not only by the quickest, on one thread
 * and on several. Numbers are whole and sums exact. What stands around C, and the scratch, tell who writes where. */
#include <criterion/criterion.h>

/* Names of its own, so that the library's stand beside them. */
#define gt__gemm_depth own_gemm_depth
#define gt__gemm_packed own_gemm_packed
#define gt__gemm_pack own_gemm_pack
#define gt__gemm_rows_scratch own_gemm_rows_scratch
#define gt__gemm_is_large own_gemm_is_large
#define gt__gemm_threads own_gemm_threads
#define gt__gemm_scratch own_gemm_scratch
#define gt__gemm_f32 own_gemm_f32
#define gt__gemm_f64 own_gemm_f64
#define gt__gemm_bf16 own_gemm_bf16
#define gt__gemm_takes_bf16 own_gemm_takes_bf16
#define gt__gemm_library_bf16 own_gemm_library_bf16
#define gt__gemm_library_takes_bf16 own_gemm_library_takes_bf16
#include "ops/gemm.c" // NOLINT(bugprone-suspicious-include): its kernels are its own

#include <math.h>
#include <stdlib.h>

#include "ops/rows.h"

typedef struct sizes {
    int64_t m, n, k;
} sizes;

enum { LAYOUTS = 4, EXPANDED = 3 };

static double number(int64_t i, int64_t j, int64_t seed) {
    return (double)((i * 37 + j * 11 + seed * 5) % 13 - 6);
}

static double read_element(const void *x, size_t size, int64_t i) {
    switch (size) {
    case BF16: return (double)gt__bf16_value(((const uint16_t *)x)[i]);
    case sizeof(float): return (double)((const float *)x)[i];
    default: return ((const double *)x)[i];
    }
}

static void write_element(void *x, size_t size, int64_t i, double v) {
    switch (size) {
    case BF16: ((uint16_t *)x)[i] = gt__bf16_of((float)v); break;
    case sizeof(float): ((float *)x)[i] = (float)v; break;
    default: ((double *)x)[i] = v; break;
    }
}

static void *allocate(size_t bytes) {
    void *x = NULL;
    cr_assert_eq(posix_memalign(&x, 64, bytes + 64), 0);
    memset(x, 0xff, bytes + 64); /* NaN */
    return x;
}

/* A matrix in memory of its own size: along its rows, along its columns, with rows apart, or one row for all. */
static void *matrix(int layout, int64_t rows, int64_t columns, size_t size, int64_t *row,
                    int64_t *column) {
    const int64_t apart = layout == 2 ? columns + 3 : columns;
    *row = layout == 1 ? 1 : layout == EXPANDED ? 0 : apart;
    *column = layout == 1 ? rows : 1;
    const int64_t last = (rows - 1) * *row + (columns - 1) * *column;
    void *x = allocate((size_t)(last + 1) * size);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            write_element(x, size, i * *row + j * *column,
                          number(layout == EXPANDED ? 0 : i, j, layout));
    return x;
}

static size_t size_of(size_t size, bool floats) { return floats ? sizeof(float) : size; }

static void expect_product(const kernel *kr, const gt__gemm_job *job, size_t size) {
    const size_t size_a = size_of(size, job->a_floats), size_b = size_of(size, job->b_floats);
    for (int64_t i = 0; i < job->m; i++)
        for (int64_t j = 0; j < job->n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < job->k; p++)
                sum += read_element(job->a, size_a, i * job->a_row + p * job->a_col) *
                       read_element(job->b, size_b, p * job->b_row + j * job->b_col);
            cr_assert_eq(read_element(job->c, kr->size, i * job->ldc + j), sum,
                         "[%d, %d] of %d x %d x %d, tiles of %d x %d, %d threads", (int)i, (int)j,
                         (int)job->m, (int)job->n, (int)job->k, (int)kr->rows, (int)kr->columns,
                         job->threads);
        }
}

/* `floats`: bits for A and B of a product of bf16. */
static void try_product(const kernel *kr, sizes s, int layouts, int threads, int floats) {
    const size_t size = kr->pack_a[HALVES] ? (size_t)BF16 : kr->size;
    gt__gemm_job words, job = {.m = s.m, .n = s.n, .k = s.k, .ldc = s.n, .threads = threads};
    job.a_floats = floats & 1, job.b_floats = floats & 2;
    void *a =
        matrix(layouts % LAYOUTS, s.m, s.k, size_of(size, job.a_floats), &job.a_row, &job.a_col);
    void *b =
        matrix(layouts / LAYOUTS, s.k, s.n, size_of(size, job.b_floats), &job.b_row, &job.b_col);
    void *c = allocate((size_t)(s.m * s.n) * kr->size);
    void *scratch = allocate(gt__gemm_scratch(&job, size));
    job.a = a, job.b = b, job.c = c;
    multiply_by(kr, in_words(&words, &job, size), size, scratch);
    expect_product(kr, &job, size);
    free(a);
    free(b);
    free(c);
    free(scratch);
}

/* A part of a product, which is made in other ways, has the same bits; here sums are rounded. */
static void try_parts(const kernel *kr) {
    enum { M = 70, N = 90, K = 700, FEW = 12 };
    const size_t size = kr->size;
    gt__gemm_job job = {.m = M, .n = N, .k = K, .a_row = K, .a_col = 1, .b_row = N, .b_col = 1};
    void *a = allocate(M * K * size), *b = allocate(K * N * size), *c = allocate(M * N * size),
         *some = allocate(M * N * size), *scratch = allocate(gt__gemm_scratch(&job, size));
    for (int i = 0; i < M * K; i++) write_element(a, size, i, sin(i));
    for (int i = 0; i < K * N; i++) write_element(b, size, i, cos(i));
    job.a = a, job.b = b, job.c = c, job.ldc = N;
    multiply_by(kr, &job, size, scratch);
    job.c = some;
    for (int way = 0; way < 2 * FEW; way++) {
        job.m = way < FEW ? way + 1 : M;
        job.n = way < FEW ? N : way - FEW + 1;
        multiply_by(kr, &job, size, scratch);
        for (int64_t i = 0; i < job.m; i++)
            cr_assert(memcmp(element(kr, some, i * N), element(kr, c, i * N),
                             (size_t)job.n * size) == 0,
                      "row %d of %d x %d, tiles of %d x %d", (int)i, (int)job.m, (int)job.n,
                      (int)kr->rows, (int)kr->columns);
    }
    free(a), free(b), free(c), free(some), free(scratch);
}

/* Some are large enough for several threads; of some, k is divided. */
static void try_kernel(const kernel *kr) {
    static const sizes cases[] = {{16, 32, 48},   {5, 70, 300},    {70, 5, 300},    {33, 49, 257},
                                  {130, 9, 20},   {8, 700, 380},   {6, 1000, 400},  {1000, 7, 400},
                                  {200, 64, 170}, {64, 300, 110},  {129, 130, 130}, {64, 100, 520},
                                  {96, 9, 2600},  {20, 130, 1001}, {1, 70, 90},     {2, 64, 130},
                                  {3, 70, 65},    {90, 4, 70}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int layouts = 0; layouts < LAYOUTS * LAYOUTS; layouts++) {
            try_product(kr, cases[i], layouts, 1, 0);
            try_product(kr, cases[i], layouts, 2 + layouts % 4, 0);
        }
    try_parts(kr);
}

Test(gemm, plain_kernels) {
    try_kernel(&kernel_f32);
    try_kernel(&kernel_f64);
}

#ifdef GEMM_X86
Test(gemm, avx2_kernels) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    try_kernel(&kernel_f32_avx2);
    try_kernel(&kernel_f64_avx2);
}

Test(gemm, avx512_kernels) {
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("fma")) return;
    try_kernel(&kernel_f32_avx512);
    try_kernel(&kernel_f64_avx512);
}

Test(gemm, bf16_kernel) {
    static const sizes cases[] = {{2, 3, 4},    {1, 700, 38},   {33, 49, 258},
                                  {49, 33, 70}, {200, 64, 170}, {129, 130, 530}};
    if (!kernel_for(BF16)) return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int layouts = 0; layouts < LAYOUTS * LAYOUTS; layouts++)
            for (int floats = 0; floats < 4; floats++)
                try_product(&kernel_bf16, cases[i], layouts, 1 + (layouts + floats) % 4, floats);
}

/* Bits of a row do not depend on how many others there are, nor on how B lies, and B packed before, or in floats, gives
 * the same. */
Test(gemm, bf16_has_one_order_of_sums) {
    enum { M = 70, N = 100, K = 1100 };
    static float wide[K * N], c[M * N], one[N];
    static uint16_t a[M * K], b[K * N];
    gt__gemm_job job = {M, N, K, a, K, 1, b, N, 1, c, N, .threads = 3};
    if (!kernel_for(BF16)) return;
    for (int i = 0; i < M * K; i++) a[i] = gt__bf16_of((float)sin(i));
    for (int i = 0; i < K * N; i++) b[i] = gt__bf16_of(wide[i] = (float)cos(i));
    void *scratch = allocate(gt__gemm_scratch(&job, BF16)),
         *packed = allocate(gt__gemm_packed(&job, BF16));
    gt__gemm_bf16(&job, scratch);
    gt__gemm_pack(&job, BF16, packed);
    job.m = 1, job.threads = 1, job.c = one;
    for (int i = 0; i < M; i++)
        for (int way = 0; way < 3; way++) {
            job.a = a + (size_t)i * K;
            job.b = way == 1 ? (const void *)wide : b;
            job.b_floats = way == 1;
            job.packed = way == 2 ? packed : NULL;
            gt__gemm_bf16(&job, scratch);
            cr_assert(memcmp(one, c + (size_t)i * N, sizeof one) == 0, "row %d, way %d", i, way);
        }
    free(scratch);
    free(packed);
}
#endif
