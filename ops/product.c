/* ops/product.c: products of matrices and vectors.
 *
 * The operation takes matrices, in the last two axes of its operands; gt_matmul makes matrices of
 * vectors by views around it. The arithmetic is that of ops/gemm.h, one call for each matrix of the
 * batch, or for many at once where their rows follow one another in memory. An element's bits
 * depend on its row and its column alone, so folding and transposing change none. */
#include <stdio.h>
#include <string.h>

#include "graph/threads.h"
#include "ops/bf16.h"
#include "ops/gemm.h"
#include "ops/ops.h"
#include "ops/rows.h"

/* ---- what fits ------------------------------------------------------------------------------- */

typedef struct operand {
    const char *text; /* "name[2,3]" */
    gt_shape shape;
    gt_dtype dtype;
} operand;

/* The name in "name[2,3]"; a name may hold brackets itself. */
static int name_length(const char *text) {
    const char *end = strrchr(text, '[');
    return end ? (int)(end - text) : (int)strlen(text);
}

/* Writes what is wrong with kinds, ranks and inner sizes; true when nothing is. A vector is a row
 * on the left and a column on the right. */
static bool operands_fit(const operand *a, const operand *b, char *text, size_t size) {
    const operand *scalar = a->shape.rank == 0 ? a : b->shape.rank == 0 ? b : NULL;
    const bool defined = a->dtype == GT_F32 || a->dtype == GT_F64 || a->dtype == GT_BF16;
    if (scalar) {
        snprintf(text, size, "%s is a scalar: operands have one axis at least", scalar->text);
        return false;
    }
    if (a->dtype != b->dtype) {
        snprintf(text, size, "%s is %s and %s is %s: cast one of them", a->text,
                 gt_dtype_name(a->dtype), b->text, gt_dtype_name(b->dtype));
        return false;
    }
    if (!defined) {
        snprintf(text, size, "not defined for %s, of which %s and %s are", gt_dtype_name(a->dtype),
                 a->text, b->text);
        return false;
    }
    const int axis_a = a->shape.rank - 1, axis_b = b->shape.rank > 1 ? b->shape.rank - 2 : 0;
    const int64_t inner_a = a->shape.dim[axis_a], inner_b = b->shape.dim[axis_b];
    if (inner_a == inner_b) return true;
    snprintf(text, size,
             "inner sizes differ: %s @ %s: axis %d of %.*s is %lld, axis %d of %.*s is %lld",
             a->text, b->text, axis_a, name_length(a->text), a->text, (long long)inner_a, axis_b,
             name_length(b->text), b->text, (long long)inner_b);
    return false;
}

/* The leading axes of the result; an error when they do not broadcast. */
static bool batch_shape(const gt_call *call, gt_shape *batch) {
    const gt_shape *a = &call->in[0].shape, *b = &call->in[1].shape;
    const int rank_a = a->rank - 2, rank_b = b->rank - 2;
    batch->rank = rank_a > rank_b ? rank_a : rank_b;
    for (int d = 0; d < batch->rank; d++) {
        const int at_a = d - (batch->rank - rank_a), at_b = d - (batch->rank - rank_b);
        const int64_t size_a = at_a < 0 ? 1 : a->dim[at_a], size_b = at_b < 0 ? 1 : b->dim[at_b];
        if (size_a != size_b && size_a != 1 && size_b != 1)
            return gt_call_fail(call, "batch axes do not broadcast: %s @ %s: %lld against %lld",
                                gt_operand(call, 0), gt_operand(call, 1), (long long)size_a,
                                (long long)size_b);
        batch->dim[d] = size_a == 1 ? size_b : size_a;
    }
    return true;
}

/* What operands_fit finds nothing wrong with, found without writing texts. */
static bool are_matrices(const gt_array *a, const gt_array *b) {
    const bool defined = a->dtype == GT_F32 || a->dtype == GT_F64 || a->dtype == GT_BF16;
    return defined && a->dtype == b->dtype && a->shape.rank >= 2 && b->shape.rank >= 2 &&
           a->shape.dim[a->shape.rank - 1] == b->shape.dim[b->shape.rank - 2];
}

static bool matmul_shape(gt_call *call) {
    const gt_array *a = &call->in[0], *b = &call->in[1];
    if (!are_matrices(a, b)) {
        const operand left = {gt_operand(call, 0), a->shape, a->dtype};
        const operand right = {gt_operand(call, 1), b->shape, b->dtype};
        char text[1024];
        if (!operands_fit(&left, &right, text, sizeof text)) return gt_call_fail(call, "%s", text);
        return gt_call_fail(call, "operands are matrices");
    }
    gt_shape *shape = &call->out[0].shape;
    if (!batch_shape(call, shape)) return false;
    shape->dim[shape->rank++] = a->shape.dim[a->shape.rank - 2];
    shape->dim[shape->rank++] = b->shape.dim[b->shape.rank - 1];
    call->out[0].dtype = a->dtype == GT_F64 ? GT_F64 : GT_F32;
    return true;
}

/* ---- the kernel ------------------------------------------------------------------------------ */

/* How far apart an operand's matrices are along the batch axes of the result, in elements. */
static void batch_steps(const gt_array *x, int batch_rank, int64_t step[GT_MAX_RANK]) {
    const int own = x->shape.rank - 2;
    for (int d = 0; d < batch_rank; d++) {
        const int at = d - (batch_rank - own);
        step[d] = at < 0 || x->shape.dim[at] == 1 ? 0 : x->stride[at];
    }
}

/* Takes trailing batch axes into the rows of one product: those along which b stays the same and
 * rows of a go on at the distance they have. Returns how many batch axes are left. */
static int fold(gt__gemm_job *job, const gt_shape *out, const int64_t *step_a,
                const int64_t *step_b) {
    int rank = out->rank - 2;
    for (; rank > 0; rank--) {
        const int d = rank - 1;
        if (out->dim[d] == 1) continue;
        if (step_b[d] != 0) break;
        if (job->m == 1)
            job->a_row = step_a[d];
        else if (step_a[d] != job->m * job->a_row)
            break;
        job->m *= out->dim[d];
    }
    return rank;
}

/* One product, of operands of that kind. */
static void multiply(const gt__gemm_job *job, gt_dtype dtype, void *scratch) {
    switch (dtype) {
    case GT_F64: gt__gemm_f64(job, scratch); break;
    case GT_BF16: gt__gemm_bf16(job, scratch); break;
    default: gt__gemm_f32(job, scratch); break;
    }
}

/* The product of the first matrices of the batch. */
static gt__gemm_job first_product(const gt_array *a, const gt_array *b, const gt_array *out) {
    const int row_a = a->shape.rank - 2, row_b = b->shape.rank - 2;
    /* clang-format off */
    return (gt__gemm_job){
        .m = a->shape.dim[row_a], .n = b->shape.dim[row_b + 1], .k = b->shape.dim[row_b],
        .a = a->data, .a_row = a->stride[row_a], .a_col = a->stride[row_a + 1],
        .b = b->data, .b_row = b->stride[row_b], .b_col = b->stride[row_b + 1],
        .c = out->data, .ldc = b->shape.dim[row_b + 1], .threads = gt__threads(),
        .b_floats = a->dtype == GT_BF16 && b->dtype == GT_F32,
    };
    /* clang-format on */
}

/* The matrices of a batch: those of `rank` axes of the result, one after the other. */
typedef struct batch {
    gt__gemm_job first;
    int rank;
    int64_t step_a[GT_MAX_RANK], step_b[GT_MAX_RANK];
} batch;

static batch batch_of(const gt_array *a, const gt_array *b, const gt_array *out) {
    batch all = {.first = first_product(a, b, out)};
    batch_steps(a, out->shape.rank - 2, all.step_a);
    batch_steps(b, out->shape.rank - 2, all.step_b);
    all.rank = fold(&all.first, &out->shape, all.step_a, all.step_b);
    return all;
}

/* The product of the i-th matrices. */
static gt__gemm_job product_at(const batch *all, gt_dtype dtype, const gt_array *out, int64_t i) {
    const int64_t size = (int64_t)gt_dtype_size(dtype), size_c = (int64_t)gt_dtype_size(out->dtype);
    const int64_t size_b = all->first.b_floats ? (int64_t)sizeof(float) : size;
    int64_t rest = i, offset_a = 0, offset_b = 0;
    for (int d = all->rank - 1; d >= 0; d--) {
        const int64_t at = rest % out->shape.dim[d];
        rest /= out->shape.dim[d];
        offset_a += at * all->step_a[d];
        offset_b += at * all->step_b[d];
    }
    gt__gemm_job job = all->first;
    job.a = (const char *)job.a + offset_a * size;
    job.b = (const char *)job.b + offset_b * size_b;
    job.c = (char *)job.c + i * job.m * job.n * size_c;
    return job;
}

static int64_t count_of(const batch *all, const gt_array *out) {
    int64_t count = 1;
    for (int d = 0; d < all->rank; d++) count *= out->shape.dim[d];
    return count;
}

/* All of them; each thread that shares them has `bytes` of scratch. */
typedef struct products {
    const batch *all;
    const gt_array *out;
    gt_dtype dtype;
    char *scratch;
    size_t bytes;
} products;

static void multiply_one(const void *job, int64_t i, int thread) {
    const products *p = job;
    const gt__gemm_job product = product_at(p->all, p->dtype, p->out, i);
    multiply(&product, p->dtype, p->scratch ? p->scratch + (size_t)thread * p->bytes : NULL);
}

/* False where oneDNN does not take bf16. */
static bool multiply_bf16(const batch *all, const gt_array *out) {
    const gt__gemm_batch axes = {all->rank, out->shape.dim, all->step_a, all->step_b};
    return gt__gemm_library_bf16(&all->first, &axes);
}

/* Has the second operand packed, where it is a matrix that many products have in common. */
static bool prepare(const gt_call *call, batch *all, size_t size) {
    const size_t bytes = all->rank ? 0 : gt__gemm_packed(&all->first, size);
    void *to = NULL;
    bool fresh = false;
    if (bytes && !gt_prepared(call, 1, bytes, &to, &fresh)) return false;
    if (fresh) gt__gemm_pack(&all->first, size, to);
    all->first.packed = to;
    return true;
}

/* Where the sums have terms, and the built-in product takes them. */
static bool multiply_batch(const gt_call *call, const gt_array *a, const gt_array *b,
                           const gt_array *out) {
    const size_t size = gt_dtype_size(a->dtype);
    batch all = batch_of(a, b, out);
    const int64_t count = count_of(&all, out);
    const int threads = gt__gemm_threads(&all.first, count, size);
    if (out == call->out && !prepare(call, &all, size)) return false;
    if (threads > 1) all.first.threads = 1;
    products p = {.all = &all, .out = out, .dtype = a->dtype};
    p.bytes = gt__gemm_scratch(&all.first, size);
    p.scratch = p.bytes ? gt_scratch(call, (size_t)threads * p.bytes) : NULL;
    if (p.bytes && !p.scratch) return false;
    gt__share(count, threads, multiply_one, &p);
    return true;
}

/* Its second operand, as weights are under gt_autocast. */
static bool matmul_rounds(const gt_call *call) {
    const gt_array *in = call->in;
    if (in[0].dtype != GT_BF16 || gt_numel(call->out[0].shape) == 0) return false;
    const batch all = batch_of(&in[0], &in[1], &call->out[0]);
    return all.first.k > 0 && gt__gemm_takes_bf16(&all.first);
}

static bool matmul_to(const gt_call *call, gt_array a, gt_array b, const gt_array *out) {
    const int64_t numel = gt_numel(out->shape);
    if (numel == 0) return true;
    if (a.shape.dim[a.shape.rank - 1] == 0) {
        memset(out->data, 0, (size_t)numel * gt_dtype_size(out->dtype));
        return true;
    }
    if (a.dtype == GT_BF16) {
        const batch all = batch_of(&a, &b, out);
        const bool own = gt__gemm_takes_bf16(&all.first);
        if (!own && multiply_bf16(&all, out)) return true;
        if (!own && (!gt__bf16_as_floats(call, &a) || !gt__bf16_as_floats(call, &b))) return false;
    }
    return multiply_batch(call, &a, &b, out);
}

static bool matmul_kernel(gt_call *call) {
    return matmul_to(call, call->in[0], call->in[1], &call->out[0]);
}

/* ---- rows of a product ------------------------------------------------------------------------- */

typedef struct rows_work {
    gt__gemm_job job;
    gt_dtype dtype;
} rows_work;

static void make_rows(const gt_rows *rows, int64_t from, int64_t to, void *scratch) {
    const rows_work *w = rows->work;
    const int64_t size = (int64_t)gt_dtype_size(w->dtype),
                  size_c = w->dtype == GT_BF16 ? (int64_t)sizeof(float) : size;
    gt__gemm_job job = w->job;
    job.m = to - from;
    job.threads = 1;
    job.a = (const char *)job.a + from * job.a_row * size;
    job.c = (char *)job.c + from * job.ldc * size_c;
    multiply(&job, w->dtype, scratch);
}

enum {
    MOST_PACKED_BYTES =
        2 << 20, /* all of it is read for each of the parts that the result is made in */
    LEAST_BYTES =
        1 << 22 /* of a result: a smaller one is in a cache when it is read, however it is made */
};

/* Where the second operand is one matrix, which is packed for all rows, and the result large. */
static bool matmul_begin_rows(gt_call *call, gt_rows *rows) {
    const gt_array *a = &call->in[0], *out = &call->out[0];
    const size_t size = gt_dtype_size(a->dtype);
    const bool large = gt_numel(out->shape) >= LEAST_BYTES / (int64_t)gt_dtype_size(out->dtype);
    if (!large || gt_numel(a->shape) == 0) return true;
    batch all = batch_of(a, &call->in[1], out);
    if (a->dtype == GT_BF16 && !gt__gemm_takes_bf16(&all.first)) return true;
    const size_t bytes = all.rank ? 0 : gt__gemm_packed(&all.first, size);
    if (!bytes || bytes > MOST_PACKED_BYTES) return true;
    rows_work *w = gt_scratch(call, sizeof *w);
    if (!w || !prepare(call, &all, size)) return false;
    if (!all.first.packed) {
        void *packed = gt_scratch(call, bytes);
        if (!packed) return false;
        gt__gemm_pack(&all.first, size, packed);
        all.first.packed = packed;
    }
    *w = (rows_work){all.first, a->dtype};
    *rows = (gt_rows){.make = make_rows,
                      .work = w,
                      .scratch = gt__gemm_rows_scratch(GT_MOST_ROWS, all.first.k, size),
                      .large = gt__gemm_is_large(&all.first)};
    return true;
}

/* ---- a product that is made later, all at once ------------------------------------------------- */

typedef struct whole_work {
    gt__gemm_job job;
    gt_dtype dtype; /* of the operands */
    bool by_library;
} whole_work;

static const gt__gemm_batch one_matrix = {.rank = 0};

/* Without memory of its own: for what oneDNN took before and now refuses, which it has no reason to. */
static void multiply_plainly(const gt__gemm_job *job) {
    const uint16_t *a = job->a, *b = job->b;
    float *c = job->c;
    for (int64_t i = 0; i < job->m; i++)
        for (int64_t j = 0; j < job->n; j++) {
            float sum = 0;
            for (int64_t k = 0; k < job->k; k++)
                sum += gt__bf16_value(a[i * job->a_row + k * job->a_col]) *
                       gt__bf16_value(b[k * job->b_row + j * job->b_col]);
            c[i * job->ldc + j] = sum;
        }
}

static void make_whole(const gt_rows *rows, int64_t from, int64_t to, void *scratch) {
    const whole_work *w = rows->work;
    (void)from, (void)to;
    if (!w->by_library)
        multiply(&w->job, w->dtype, scratch);
    else if (!gt__gemm_library_bf16(&w->job, &one_matrix))
        multiply_plainly(&w->job);
}

static bool matmul_begin_whole(gt_call *call, gt_rows *rows) {
    const gt_array *a = &call->in[0], *out = &call->out[0];
    if (gt_numel(a->shape) == 0 || gt_numel(out->shape) == 0) return true;
    const batch all = batch_of(a, &call->in[1], out);
    const gt__gemm_job *job = &all.first;
    const bool foreign = a->dtype == GT_BF16 && !gt__gemm_takes_bf16(job);
    if (all.rank || (foreign && !gt__gemm_library_takes_bf16(job, &one_matrix))) return true;
    whole_work *w = gt_scratch(call, sizeof *w);
    if (!w) return false;
    *w = (whole_work){*job, a->dtype, foreign};
    const size_t size = gt_dtype_size(a->dtype);
    *rows = (gt_rows){.make = make_whole,
                      .work = w,
                      .scratch = foreign ? 0 : gt__gemm_scratch(job, size),
                      .together = job->m};
    return true;
}

/* ---- products that are added up --------------------------------------------------------------- */

/* May pairs of matrices that lie like the first be added by one call, with the bits of adding their products? */
static bool adds_directly(const batch *all, gt_dtype dtype) {
    const bool half = dtype == GT_BF16;
    return all->rank == 0 && all->first.k <= (half ? 2 : 1) * GT__GEMM_BLOCK &&
           (!half || gt__gemm_takes_bf16(&all->first));
}

static bool lie_alike(const gt__gemm_job *x, const gt__gemm_job *y) {
    return x->m == y->m && x->n == y->n && x->k == y->k && x->a_row == y->a_row &&
           x->a_col == y->a_col && x->b_row == y->b_row && x->b_col == y->b_col &&
           x->b_floats == y->b_floats;
}

/* Adds the products of the first pairs of operands that lie alike; returns how many, 0 when memory is short. */
static int add_pairs(const gt_call *call, const gt_array *in, int n_pairs, const batch *all) {
    const gt_array *out = &call->out[0];
    gt__gemm_pair more[GT_MOST_MERGED];
    gt__gemm_job job = all->first;
    int count = 1;
    for (; count < n_pairs; count++) {
        const batch next = batch_of(&in[2 * count], &in[2 * count + 1], out);
        if (in[2 * count].dtype != in->dtype || next.rank || !lie_alike(&job, &next.first)) break;
        more[count - 1] = (gt__gemm_pair){next.first.a, next.first.b};
    }
    job.more = more;
    job.n_more = count - 1;
    job.accumulate = true;
    const size_t bytes = gt__gemm_scratch(&job, gt_dtype_size(in->dtype));
    void *scratch = bytes ? gt_scratch(call, bytes) : NULL;
    if (bytes && !scratch) return 0;
    multiply(&job, in->dtype, scratch);
    return count;
}

/* Others are computed apart, all in the same place. */
static bool add_apart(const gt_call *call, const gt_array *in, gt_array *apart) {
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape);
    if (!apart->data) {
        *apart = *out;
        apart->data = gt_scratch(call, (size_t)numel * gt_dtype_size(out->dtype));
    }
    if (!apart->data || !matmul_to(call, in[0], in[1], apart)) return false;
    const void *x[] = {out->data, apart->data, NULL};
    gt__op_accumulate.more.tile(out->dtype, out->dtype)(out->data, x, NULL, numel);
    return true;
}

static bool matmul_accumulate(gt_call *call) {
    const gt_array *out = &call->out[0];
    gt_array apart = {0};
    if (gt_numel(out->shape) == 0) return true;
    for (int i = 0, count; i < call->n_in; i += 2 * count) {
        const gt_array *in = &call->in[i];
        const batch all = batch_of(&in[0], &in[1], out);
        count = 1;
        if (all.first.k == 0) continue;
        if (adds_directly(&all, in->dtype))
            count = add_pairs(call, in, (call->n_in - i) / 2, &all);
        else if (!add_apart(call, in, &apart))
            return false;
        if (count == 0) return false;
    }
    return true;
}

/* ---- gradient -------------------------------------------------------------------------------- */

/* The matrices of a batch, one below the other. */
static gt_tensor stacked(gt_tensor x) {
    const gt_shape shape = gt_shape_of(x);
    int64_t rows = 1;
    for (int d = 0; d < shape.rank - 1; d++) rows *= shape.dim[d];
    return gt_reshape(x, GT_SHAPE(rows, shape.dim[shape.rank - 1]));
}

/* a^T g; for a b that is shown transposed, (g^T a)^T, which the pull of that view turns back: the product then lies as what b
 * shows does. */
static gt_tensor right_gradient(gt_tensor a, gt_tensor b, gt_tensor g) {
    int64_t step[GT_MAX_RANK];
    const int rank = gt_rank(b);
    if (gt_is_leaf(b) || gt_op_of(b) != &gt__op_permute || rank < 2) return gt_matmul(gt_t(a), g);
    gt_strides_of(b, step);
    return step[rank - 1] > step[rank - 2] ? gt_t(gt_matmul(gt_t(g), a)) : gt_matmul(gt_t(a), g);
}

/* With one b for a whole batch of a, the sum over the batch is part of the one product. */
static bool matmul_pull(gt_pull *pull) {
    gt_tensor a = pull->in[0], g = gt__as_operand(pull->up[0], a);
    if (pull->wanted[0]) pull->gx[0] = gt_matmul(g, gt_t(pull->in[1]));
    if (pull->wanted[1]) {
        if (gt_rank(pull->in[1]) == 2 && gt_rank(a) > 2) {
            a = stacked(a);
            g = stacked(g);
        }
        pull->gx[1] = right_gradient(a, pull->in[1], g);
    }
    return true;
}

/* ---- as C ------------------------------------------------------------------------------------ */

/* Does the built-in product round once where a b + c is written? Then so must emitted code. */
static bool rounds_once(void) {
    const double x = 1 + 0x1p-30, a[2] = {-1, x}, b[2] = {x * x, x};
    double c;
    const gt__gemm_job job = {.m = 1,
                              .n = 1,
                              .k = 2,
                              .a = a,
                              .a_row = 2,
                              .a_col = 1,
                              .b = b,
                              .b_row = 1,
                              .b_col = 1,
                              .c = &c,
                              .ldc = 1};
    gt__gemm_f64(&job, NULL);
    return c != 0;
}

/* Axes of the batch, then a row of the result, the summed axis, and a column: sizes, and strides of a, b and the
 * result. */
typedef struct walk {
    int batch;
    int64_t size[GT_MAX_RANK + 1], a[GT_MAX_RANK + 1], b[GT_MAX_RANK + 1], c[GT_MAX_RANK + 1];
} walk;

static walk walk_of(const gt_call *call) {
    const gt_array *a = &call->in[0], *b = &call->in[1], *out = &call->out[0];
    const gt__gemm_job job = first_product(a, b, out);
    walk w = {.batch = out->shape.rank - 2};
    const int row = w.batch, along = row + 1, column = row + 2;
    batch_steps(a, w.batch, w.a);
    batch_steps(b, w.batch, w.b);
    for (int d = 0; d < w.batch; d++) {
        w.size[d] = out->shape.dim[d];
        w.c[d] = out->stride[d];
    }
    w.size[row] = job.m, w.size[along] = job.k, w.size[column] = job.n;
    w.a[row] = job.a_row, w.a[along] = job.a_col, w.a[column] = 0;
    w.b[row] = 0, w.b[along] = job.b_row, w.b[column] = job.b_col;
    w.c[row] = job.n, w.c[along] = 0, w.c[column] = 1;
    return w;
}

/* One product, in the summation order of gemm.h: blocks of `depth`, each from zero, are added in order. A piece of 4
 * rows is summed at a time, which compilers keep in vector registers. */
static const char product_helper[] =
    "\nstatic void %s_product_%s(%s *restrict c, const %s *restrict a, const %s *restrict b,\n"
    "        long m, long n, long k, long depth, long a_row, long a_along, long b_along, long "
    "b_column) {\n"
    "    enum { WIDTH = %d };\n"
    "    long first = 0;\n"
    "    do {\n"
    "        const long end = k - first < depth ? k : first + depth;\n"
    "        for (long i = 0; i < m; i += 4) {\n"
    "            const long rows = m - i < 4 ? m - i : 4;\n"
    "            for (long j = 0; j < n; j += WIDTH) {\n"
    "                const long columns = n - j < WIDTH ? n - j : WIDTH;\n"
    "                %s s[4][WIDTH] = {{0}};\n"
    "                if (rows == 4 && columns == WIDTH && b_column == 1)\n"
    "                    for (long p = first; p < end; p++)\n"
    "                        for (int r = 0; r < 4; r++)\n"
    "                            for (int x = 0; x < WIDTH; x++)\n"
    "                                s[r][x] = %s_add_%s(a[(i + r) * a_row + p * a_along],\n"
    "                                    b[p * b_along + j + x], s[r][x]);\n"
    "                else\n"
    "                    for (long p = first; p < end; p++)\n"
    "                        for (long r = 0; r < rows; r++)\n"
    "                            for (long x = 0; x < columns; x++)\n"
    "                                s[r][x] = %s_add_%s(a[(i + r) * a_row + p * a_along],\n"
    "                                    b[p * b_along + (j + x) * b_column], s[r][x]);\n"
    "                for (long r = 0; r < rows; r++)\n"
    "                    for (long x = 0; x < columns; x++)\n"
    "                        c[(i + r) * n + j + x] = first ? c[(i + r) * n + j + x] + s[r][x] : "
    "s[r][x];\n"
    "            }\n"
    "        }\n"
    "        first += depth;\n"
    "    } while (first < k);\n"
    "}\n";

static void emit_helpers(gt_emitter *e, gt_dtype dtype) {
    const char *type = gt_emit_type(dtype), *kind = gt_dtype_name(dtype), *name = gt_emit_name(e);
    const int width = dtype == GT_F32 ? 32 : 16;
    const char *sum = !rounds_once()    ? "a * b + c"
                      : dtype == GT_F32 ? "fmaf(a, b, c)"
                                        : "fma(a, b, c)";
    gt_emit_helper(e, "\nstatic %s %s_add_%s(%s a, %s b, %s c) { return %s; }\n", type, name, kind,
                   type, type, type, sum);
    gt_emit_helper(e, product_helper, name, kind, type, type, type, width, type, name, kind, name,
                   kind);
}

static void emit_product(gt_emitter *e, const gt_call *call, const walk *w, const char *from) {
    const int row = w->batch, along = row + 1, column = row + 2;
    gt_emit(e,
            "%s_product_%s(%s + (%s), %s + (%s), %s + (%s), %lld, %lld, %lld, %lld, %lld, %lld, "
            "%lld, %lld);",
            gt_emit_name(e), gt_dtype_name(call->out[0].dtype), gt_emit_out(e, 0),
            gt_emit_index(e, row, w->c), gt_emit_in(e, 0), gt_emit_index(e, row, w->a), from,
            gt_emit_index(e, row, w->b), (long long)w->size[row], (long long)w->size[column],
            (long long)w->size[along], (long long)gt__gemm_depth(w->size[along]),
            (long long)w->a[row], (long long)w->a[along], (long long)w->b[along],
            (long long)w->b[column]);
}

/* Rows of b that do not lie together are brought together; `from` then names them. */
static void emit_turn(gt_emitter *e, const gt_call *call, walk *w, char *from, size_t size) {
    const int along = w->batch + 1, column = w->batch + 2;
    snprintf(from, size, "%s", gt_emit_in(e, 1));
    if (w->b[column] == 1 || w->size[w->batch] < 4) return;
    const char *to = gt_emit_scratch(e, call->out[0].dtype, w->size[along] * w->size[column]);
    int64_t own[GT_MAX_RANK + 1] = {0};
    own[along] = w->size[column];
    own[column] = 1;
    gt_emit_loops(e, along, 2, &w->size[along]);
    gt_emit(e, "%s[%s] = %s[%s];", to, gt_emit_index(e, column + 1, own), from,
            gt_emit_index(e, column + 1, w->b));
    gt_emit_end(e, 2);
    snprintf(from, size, "%s", to);
    memcpy(w->b, own, sizeof own);
}

static bool matmul_emit(gt_emitter *e, const gt_call *call) {
    walk w = walk_of(call);
    char from[400];
    emit_helpers(e, call->out[0].dtype);
    gt_emit_loops(e, 0, w.batch, w.size);
    emit_turn(e, call, &w, from, sizeof from);
    emit_product(e, call, &w, from);
    gt_emit_end(e, w.batch);
    return true;
}

/* ---- samples --------------------------------------------------------------------------------- */

typedef struct pair {
    const char *bad; /* NULL: the shapes fit */
    gt_shape a, b;
} pair;

/* Draws the i-th pair's operands; false past the last. */
static bool draw(gt_samples *s, const pair *pairs, int count, int i, gt_tensor x[2]) {
    if (i >= count) return false;
    if (pairs[i].bad) gt_sample_bad(s, pairs[i].bad);
    x[0] = gt_sample(s, pairs[i].a);
    x[1] = gt_sample(s, pairs[i].b);
    return true;
}

static gt_tensor matmul_samples(gt_samples *s, int i) {
    /* clang-format off */
    static const pair pairs[] = {
        {NULL, {2, {3, 4}}, {2, {4, 2}}},
        {NULL, {2, {3, 3}}, {2, {3, 3}}},
        {NULL, {1, {4}}, {1, {4}}},
        {NULL, {1, {4}}, {2, {4, 3}}},
        {NULL, {2, {3, 4}}, {1, {4}}},
        {NULL, {1, {4}}, {3, {2, 4, 3}}},
        {NULL, {3, {2, 3, 4}}, {1, {4}}},
        {NULL, {3, {2, 3, 4}}, {3, {2, 4, 2}}},
        {NULL, {3, {3, 2, 4}}, {2, {4, 3}}},
        {NULL, {2, {3, 4}}, {3, {2, 4, 2}}},
        {NULL, {4, {2, 1, 2, 3}}, {3, {3, 3, 2}}},
        {NULL, {3, {1, 2, 3}}, {3, {2, 3, 2}}},
        {NULL, {3, {4, 1, 3}}, {2, {3, 2}}},
        {NULL, {2, {1, 9}}, {2, {9, 1}}},
        {NULL, {2, {9, 11}}, {2, {11, 10}}},
        {NULL, {2, {2, 0}}, {2, {0, 3}}},
        {NULL, {2, {0, 2}}, {2, {2, 3}}},
        {NULL, {3, {0, 2, 3}}, {2, {3, 2}}},
        {NULL, {3, {2, 3, 0}}, {2, {0, 2}}},
        {NULL, {1, {0}}, {1, {0}}},
        {"inner sizes differ", {2, {3, 4}}, {2, {3, 4}}},
        {"inner sizes differ", {1, {4}}, {2, {3, 4}}},
        {"axis 1 of", {2, {3, 4}}, {1, {3}}},
        {"is a scalar", {0, {0}}, {2, {3, 4}}},
        {"is a scalar", {1, {4}}, {0, {0}}},
        {"do not broadcast", {3, {2, 3, 4}}, {3, {3, 4, 2}}},
    };
    /* clang-format on */
    enum { PAIRS = sizeof pairs / sizeof *pairs };
    const gt_dtype other = s->dtype == GT_F64 ? GT_F32 : GT_F64;
    gt_tensor x[2];
    if (draw(s, pairs, PAIRS, i, x)) return gt_matmul(x[0], x[1]);
    if (i > PAIRS + 3) return gt_samples_end(s);
    x[0] = gt_sample(s, GT_SHAPE(2, 3, 4));
    x[1] = gt_sample(s, GT_SHAPE(4, 2));
    switch (i - PAIRS) {
    case 0: return gt_matmul(gt_transpose(x[0], 0, 1), gt_flip(x[1], GT_ALL));
    case 1:
        gt_sample_no_gradient(s);
        return gt_matmul(gt_cast(x[0], GT_BF16), gt_cast(x[1], GT_BF16));
    case 2: return gt_sample_bad(s, "cast one"), gt_matmul(x[0], gt_cast(x[1], other));
    default:
        gt_sample_bad(s, "not defined for i32");
        return gt_matmul(gt_cast(x[0], GT_I32), gt_cast(x[1], GT_I32));
    }
}

const gt_op gt__op_matmul =
    GT_OP("matmul", matmul_shape, matmul_kernel, GT_PULL(matmul_pull), matmul_samples,
          .traits = GT_STRIDED | GT_AUTOCAST | GT_MERGES, .linear = 3, .prepares = 2,
          .accumulate = matmul_accumulate, .begin_rows = matmul_begin_rows,
          .begin_whole = matmul_begin_whole, .rounds = matmul_rounds, .emit = matmul_emit,
          .meaning = "rows of a times columns of b");

/* Errors about a vector name the vector, not the matrix that a view makes of it. */
static bool vectors_fit(gt_tensor a, gt_tensor b, char *text, size_t size) {
    char text_a[320], text_b[320];
    const operand left = {gt__named(a, text_a, sizeof text_a), gt_shape_of(a), gt_dtype_of(a)};
    const operand right = {gt__named(b, text_b, sizeof text_b), gt_shape_of(b), gt_dtype_of(b)};
    return operands_fit(&left, &right, text, size);
}

gt_tensor gt_matmul(gt_tensor a, gt_tensor b) {
    char text[1024];
    const bool row = gt_rank(a) == 1, column = gt_rank(b) == 1;
    if ((row || column) && gt_valid(a) && gt_valid(b) && !vectors_fit(a, b, text, sizeof text))
        return gt_fail(a.tape, "matmul: %s", text);
    if (row) a = gt_unsqueeze(a, 0);
    if (column) b = gt_unsqueeze(b, 1);
    gt_tensor y = gt_record(NULL, &gt__op_matmul, (const gt_tensor[]){a, b}, 2, NULL, 0, NULL, 0);
    if (column) y = gt_squeeze(y, GT_AXES(-1));
    if (row) y = gt_squeeze(y, GT_AXES(column ? -1 : -2));
    return y;
}

/* ---- of vectors ------------------------------------------------------------------------------ */

/* The failure of an operand that is no vector; absent when both are, and when one is no tensor of
 * this recording, which the operations that follow complain of. */
static gt_tensor no_vector(const char *who, gt_tensor a, gt_tensor b) {
    char text[320];
    if (!gt_valid(a) || !gt_valid(b)) return gt_none();
    const gt_tensor wrong = gt_rank(a) != 1 ? a : b;
    if (gt_rank(wrong) == 1) return gt_none();
    return gt_fail(a.tape, "%s: %s has rank %d: operands are vectors", who,
                   gt__named(wrong, text, sizeof text), gt_rank(wrong));
}

static gt_tensor dot_samples(gt_samples *s, int i) {
    static const pair pairs[] = {
        {NULL, {1, {5}}, {1, {5}}},
        {NULL, {1, {0}}, {1, {0}}},
        {"has rank 2", {1, {2}}, {2, {2, 2}}},
        {"has rank 0", {0, {0}}, {1, {2}}},
        {"sizes differ", {1, {1}}, {1, {3}}},
    };
    gt_tensor x[2];
    if (!draw(s, pairs, sizeof pairs / sizeof *pairs, i, x)) return gt_samples_end(s);
    return gt_dot(x[0], x[1]);
}

const gt_composition gt__composition_dot = {"dot", dot_samples};

gt_tensor gt_dot(gt_tensor a, gt_tensor b) {
    char text_a[320], text_b[320];
    const gt_tensor failure = no_vector("dot", a, b);
    if (!gt_is_none(failure)) return failure;
    if (gt_valid(a) && gt_valid(b) && !gt_same_shape(gt_shape_of(a), gt_shape_of(b)))
        return gt_fail(a.tape, "dot: sizes differ: %s and %s", gt__named(a, text_a, sizeof text_a),
                       gt__named(b, text_b, sizeof text_b));
    return gt_sum(gt_mul(a, b), GT_ALL, false);
}

static gt_tensor outer_samples(gt_samples *s, int i) {
    /* clang-format off */
    static const pair pairs[] = {
        {NULL, {1, {3}}, {1, {4}}},
        {NULL, {1, {3}}, {1, {3}}},
        {NULL, {1, {0}}, {1, {2}}},
        {"has rank 2", {2, {2, 2}}, {1, {2}}},
        {"has rank 0", {1, {2}}, {0, {0}}},
    };
    /* clang-format on */
    gt_tensor x[2];
    if (!draw(s, pairs, sizeof pairs / sizeof *pairs, i, x)) return gt_samples_end(s);
    return gt_outer(x[0], x[1]);
}

const gt_composition gt__composition_outer = {"outer", outer_samples};

gt_tensor gt_outer(gt_tensor a, gt_tensor b) {
    const gt_tensor failure = no_vector("outer", a, b);
    if (!gt_is_none(failure)) return failure;
    return gt_mul(gt_unsqueeze(a, 1), gt_unsqueeze(b, 0));
}
