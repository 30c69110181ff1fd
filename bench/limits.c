/* bench/limits.c: what this machine can do at most: multiplications and additions of floats in registers, and bytes
 * read from memory and from the second cache. summary.awk sets the workloads against these. Assumes POSIX.
 *
 *     limits          one line for each: limit NAME THREADS VALUE
 *
 * Each is the best of several short runs: other work on the machine can only make it slower. */
#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

enum { RUNS = 25, CHAINS = 12, ROUNDS = 200000, LINE = 64 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Independent chains of fused products and sums, as many as hide the latency of one. Returns operations done. */
#define PEAK(name, type, bytes, how)                                                               \
    typedef type name##_vector __attribute__((vector_size(bytes)));                                \
    how static double name(double *sink) {                                                         \
        name##_vector sum[CHAINS], factor = {0}, term = {0};                                       \
        for (int k = 0; k < CHAINS; k++) sum[k] = factor + (type)k;                                \
        factor += (type)0.999, term += (type)1e-3;                                                 \
        for (int i = 0; i < ROUNDS; i++)                                                           \
            for (int k = 0; k < CHAINS; k++) sum[k] = sum[k] * factor + term;                      \
        for (int k = 0; k < CHAINS; k++) *sink += (double)sum[k][0];                               \
        const int lanes = sizeof(name##_vector) / sizeof(type);                                    \
        return 2.0 * CHAINS * ROUNDS * lanes;                                                      \
    }
PEAK(plain_f32, float, 16, )
PEAK(plain_f64, double, 16, )
#ifdef __x86_64__
PEAK(avx2_f32, float, 32, __attribute__((target("avx2,fma"))))
PEAK(avx2_f64, double, 32, __attribute__((target("avx2,fma"))))
PEAK(avx512_f32, float, 64, __attribute__((target("avx512f,fma"))))
PEAK(avx512_f64, double, 64, __attribute__((target("avx512f,fma"))))
#endif

typedef double (*peak)(double *sink);

static peak choose(bool f64) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) return f64 ? avx512_f64 : avx512_f32;
    if (__builtin_cpu_supports("avx2")) return f64 ? avx2_f64 : avx2_f32;
#endif
    return f64 ? plain_f64 : plain_f32;
}

/* Operations a second, in thousand millions, of all threads together. */
static double measure_peak(peak work, int threads) {
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        double done = 0, sink = 0;
        const double start = now();
#ifdef GT_WITH_OPENMP
#pragma omp parallel num_threads(threads) reduction(+ : done, sink)
#endif
        done += work(&sink);
        const double rate = done / (now() - start) * 1e-9;
        if (rate > best && sink > 0) best = rate;
    }
    (void)threads;
    return best;
}

/* The sum of an array, which the compiler cannot leave out. */
static double read_all(const double *values, long long count) {
    double sum[8] = {0};
    for (long long i = 0; i < count; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += values[i + k];
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

/* Thousand million bytes a second; every thread reads its own share, `passes` times. */
static double measure_reading(const double *values, long long count, int passes, int threads) {
    const long long share = count / threads / LINE * LINE;
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        double sum = 0;
        const double start = now();
#ifdef GT_WITH_OPENMP
#pragma omp parallel for num_threads(threads) reduction(+ : sum) schedule(static)
#endif
        for (int thread = 0; thread < threads; thread++)
            for (int pass = 0; pass < passes; pass++)
                sum += read_all(values + thread * share, share);
        const double bytes = (double)(share * threads) * passes * (double)sizeof *values;
        const double rate = bytes / (now() - start) * 1e-9;
        if (rate > best && sum >= 0) best = rate;
    }
    return best;
}

static int threads_in_use(void) {
#ifdef GT_WITH_OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

int main(void) {
    enum { LARGE = 16 * 1024 * 1024, SMALL = 32 * 1024 }; /* doubles: 128 MB, 256 KB a thread */
    const int threads = threads_in_use();
    double *values = malloc(LARGE * sizeof *values);
    if (!values) return fputs("limits: out of memory\n", stderr), 1;
    for (long long i = 0; i < LARGE; i++) values[i] = 1;
    printf("limit GF/s_f32 %d %.4g\n", threads, measure_peak(choose(false), threads));
    printf("limit GF/s_f64 %d %.4g\n", threads, measure_peak(choose(true), threads));
    printf("limit GB/s_memory %d %.4g\n", threads, measure_reading(values, LARGE, 1, threads));
    printf("limit GB/s_cache %d %.4g\n", threads,
           measure_reading(values, (long long)SMALL * threads, 200, threads));
    free(values);
    return 0;
}
