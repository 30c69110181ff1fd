/*
 * gemm.h: the matrix product kernels. Private to ops/.
 *
 * C[m,n] = A[m,k] B[k,n], or C += A B. Strides are in elements: A's element (i, p) is a[i*a_row +
 * p*a_col], B's element (p, j) is b[p*b_row + j*b_col]. They may have any value, 0 and negative
 * ones included, so a transposed, flipped or expanded view needs no copy. C is row-major, C's
 * element (i, j) is c[i*ldc + j], and overlaps neither A nor B.
 *
 * The built-in product has one summation order: k is cut into equal blocks (a matter of k alone),
 * each block is summed in sequence from zero, and the blocks' sums are added to C in order. So an
 * element's bits depend on its row of A, its column of B and whether the processor has fused
 * multiply-adds: not on m, n, strides, threads, or its place in C. Of the products that oneDNN takes
 * they depend on m, n and strides, too, but not on threads; CBLAS promises nothing.
 *
 * Threads are used only as far as the caller says, and for work that is worth it.
 *
 * Nothing here allocates or fails. NaN and infinities propagate: 0 * NaN is NaN. With k = 0 the
 * product is zeros (C stays as it is if accumulating); with m = 0 or n = 0 nothing is read or
 * written.
 */
#ifndef GT_OPS_GEMM_H
#define GT_OPS_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const void *a, *b;
} gt__gemm_pair;

typedef struct {
    int64_t m, n, k;
    const void *a;
    int64_t a_row, a_col;
    const void *b;
    int64_t b_row, b_col;
    void *c;
    int64_t ldc;
    bool accumulate; /* C += A B; otherwise C is only written, never read */
    /* Further pairs with the strides of the first, whose products are added in order, where k is one block. */
    const gt__gemm_pair *more;
    int64_t n_more;
    const void *packed; /* B as gt__gemm_pack has left it, or NULL */
    bool a_floats,
        b_floats; /* of a product of bf16: A, or B, is of floats, which are rounded as they are read */
    int threads; /* that may share the work; 0 is 1 */
} gt__gemm_job;

/* Bytes of scratch that this product needs, or a smaller one on one thread: about 1.3 MB at most for floats for each thread,
   and 4 MB for all, twice that for doubles, 0 for a thin product. element_size is that of a float, a double, or a number of
   bf16, here and below. Its matrices, and further pairs, need not be there yet, but how many. */
size_t gt__gemm_scratch(const gt__gemm_job *job, size_t element_size);

/* The size of the blocks that k is cut into; the last may be smaller. It is k up to GT__GEMM_BLOCK. */
enum { GT__GEMM_BLOCK = 256 };
int64_t gt__gemm_depth(int64_t k);

/* Many products may have one B in common, which then need be packed only once, with the same bits. Bytes that it takes
   packed; 0 where that is of no use to this product. gt__gemm_pack writes it, aligned to 64. */
size_t gt__gemm_packed(const gt__gemm_job *job, size_t element_size);
void gt__gemm_pack(const gt__gemm_job *job, size_t element_size, void *to);

/* Some rows of a product with packed B, at most so many: the scratch that takes; and is the product worth several
   threads? */
size_t gt__gemm_rows_scratch(int64_t rows, int64_t k, size_t element_size);
bool gt__gemm_is_large(const gt__gemm_job *job);

/* How many of its threads best divide so many products like this one, each with scratch of its own; 1 where each is divided
   among threads instead, or all are too small. */
int gt__gemm_threads(const gt__gemm_job *job, int64_t count, size_t element_size);

/* The product of two matrices of floats, or of doubles. scratch holds gt__gemm_scratch bytes,
   aligned to 64; what it contains does not matter. NULL will do for 0 bytes. */
void gt__gemm_f32(const gt__gemm_job *job, void *scratch);
void gt__gemm_f64(const gt__gemm_job *job, void *scratch);

/* The product of two matrices of bf16, summed in floats, as processors with AVX512-BF16 do it: for them numbers below
   2^-126 are 0, in operands and in sums, and two products are added at a time. k is cut into blocks of twice as many.
   Only where gt__gemm_takes_bf16: k is even, the processor can, and oneDNN has nothing faster, which is where it has
   AMX. */
void gt__gemm_bf16(const gt__gemm_job *job, void *scratch);
bool gt__gemm_takes_bf16(const gt__gemm_job *job);

/* Axes along which there are more products like the first, and how far apart their matrices are; those of C, which are
   then contiguous, follow one another. */
typedef struct {
    int rank;
    const int64_t *size, *step_a, *step_b;
} gt__gemm_batch;

/* Products of bf16 by oneDNN, with f32 sums: a and b are of bf16, c of floats; not accumulating. False, and nothing done,
   where it has none that are faster for these sizes, or refuses: for some strides, when memory is short. */
bool gt__gemm_library_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch);
/* Would it take this one now? Data need not be there yet. */
bool gt__gemm_library_takes_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch);

#endif
