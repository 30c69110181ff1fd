/* ops/onednn.c: the only file that speaks oneDNN's interface: versions 2 and 3 for products of floats, version 2
 * for the rest, which another version refuses, so that gradtape's own loops do the work.
 *
 * Products of bf16, and convolutions, are made once and kept for the next call with the same sizes. */
#include "ops/onednn.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif
#include <oneapi/dnnl/dnnl.h>

/* ---- products of floats ---------------------------------------------------------------------- */

/* Multiplications: with fewer a product is not worth the call; with fewer than the other, or than AVX-512, it gains
 * nothing by threads. */
enum { LEAST_ALONE = 1 << 19, LEAST_SHARED = 1 << 21 };

/* With AVX-512: rows of C, and terms of several products that are added up in one pass, for which gradtape's own kernels
 * are as fast, or faster. */
enum { FEW_ROWS = 64, FEW_TERMS = 64 };

static double size_of(const gt__gemm_job *job) {
    return (double)job->m * (double)job->n * (double)job->k;
}

static bool has_isa(int wanted) { return ((int)dnnl_get_effective_cpu_isa() & wanted) == wanted; }

static bool has_avx512(void) { return has_isa(dnnl_cpu_isa_avx512_core); }

/* There gradtape's own kernels are as fast. */
static bool is_amd(void) {
#if defined(__GNUC__) && defined(__x86_64__)
    return __builtin_cpu_is("amd");
#else
    return false;
#endif
}

/* As 1, 2, 3 and 4 threads share well. */
static int64_t parts_of(double size) {
    if (size < LEAST_SHARED) return 1;
    if (size < 4.0 * LEAST_SHARED) return 2;
    if (size < 16.0 * LEAST_SHARED) return 4;
    return size < 128.0 * LEAST_SHARED ? 12 : 48;
}

int64_t gt__onednn_parts(const gt__gemm_job *job) {
    const double size = size_of(job);
    if (is_amd() || size < LEAST_ALONE) return 0;
    if (!has_avx512()) return size < LEAST_SHARED && !job->n_more;
    const bool wanted = job->m > FEW_ROWS && (!job->n_more || job->k > FEW_TERMS);
    return wanted ? parts_of(size) : 0;
}

static bool by_onednn(const gt__gemm_job *job, bool a_transposed, int64_t a_leading,
                      bool b_transposed, int64_t b_leading) {
    return dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', job->m, job->n, job->k,
                      1.0F, job->a, a_leading, job->b, b_leading, job->accumulate ? 1.0F : 0.0F,
                      job->c, job->ldc) == dnnl_success;
}

bool gt__onednn_sgemm(const gt__gemm_job *job, bool a_transposed, int64_t a_leading,
                      bool b_transposed, int64_t b_leading) {
#ifdef GT_WITH_OPENMP
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    const bool done = by_onednn(job, a_transposed, a_leading, b_transposed, b_leading);
    omp_set_num_threads(threads);
    return done;
#else
    return by_onednn(job, a_transposed, a_leading, b_transposed, b_leading);
#endif
}

#if DNNL_VERSION_MAJOR == 2

bool gt__onednn_has_tiles(void) { return has_isa(dnnl_cpu_isa_avx512_core_amx); }

static bool ok(dnnl_status_t status) { return status == dnnl_success; }

/* ---- products of bf16, summed in floats ------------------------------------------------------ */

enum { WORTH_IT = 1 << 19 }; /* multiplications of bf16 */

enum { A, B, C, MATRICES, SCRATCHPAD = MATRICES, MEMORIES };

/* What a product is made for. Only numbers of one size: compared byte by byte. */
typedef struct form {
    int64_t m, n, k, a_row, a_col, b_row, b_col, ldc;
    int64_t rank, size[GT_MAX_RANK], step_a[GT_MAX_RANK], step_b[GT_MAX_RANK];
    int64_t threads;
} form;

typedef struct multiplication {
    form form;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t product; /* NULL: not made */
    dnnl_memory_t memory[MEMORIES];
} multiplication;

static bool has_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    double size = size_of(job);
    for (int d = 0; d < batch->rank; d++) size *= (double)batch->size[d];
    return has_isa(dnnl_cpu_isa_avx512_core_bf16) && size >= WORTH_IT;
}

static form form_of(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    form f = {.m = job->m,
              .n = job->n,
              .k = job->k,
              .a_row = job->a_row,
              .a_col = job->a_col,
              .b_row = job->b_row,
              .b_col = job->b_col,
              .ldc = job->ldc,
              .rank = batch->rank,
              .threads = 1};
    for (int d = 0; d < batch->rank; d++) {
        f.size[d] = batch->size[d];
        f.step_a[d] = batch->step_a[d];
        f.step_b[d] = batch->step_b[d];
    }
#ifdef GT_WITH_OPENMP
    if (!omp_in_parallel()) f.threads = omp_get_max_threads();
#endif
    return f;
}

/* A matrix with its strides; an axis of one element may have any. Along an axis of the batch that is not stepped
 * along, all have the same. */
static bool describe_matrix(dnnl_memory_desc_t *d, dnnl_data_type_t type, const form *f,
                            const int64_t *step_of, const int64_t matrix[4]) {
    const int64_t rows = matrix[0], columns = matrix[1], row = matrix[2], column = matrix[3];
    const bool plain = column == 1 && row >= columns, turned = row == 1 && column >= rows;
    const int rank = (int)f->rank + 2;
    dnnl_dims_t size = {0}, step = {0};
    for (int i = 0; i < f->rank; i++) {
        size[i] = step_of[i] ? f->size[i] : 1;
        step[i] = step_of[i] ? step_of[i] : 1;
    }
    size[rank - 2] = rows, size[rank - 1] = columns;
    step[rank - 2] = row, step[rank - 1] = column;
    return (plain || turned) && ok(dnnl_memory_desc_init_by_strides(d, rank, size, type, step));
}

/* Its own, since a thread may use what another has made: oneDNN's own scratchpads belong to threads. */
static bool make_scratchpad(multiplication *w) {
    const dnnl_memory_desc_t *d =
        dnnl_primitive_desc_query_md(w->description, dnnl_query_scratchpad_md, 0);
    void *const memory = dnnl_memory_desc_get_size(d) ? DNNL_MEMORY_ALLOCATE : DNNL_MEMORY_NONE;
    return ok(dnnl_memory_create(&w->memory[SCRATCHPAD], d, w->engine, memory));
}

static bool make_product(multiplication *w) {
    const form *f = &w->form;
    dnnl_memory_desc_t d[MATRICES];
    dnnl_matmul_desc_t product;
    const int64_t a[] = {f->m, f->k, f->a_row, f->a_col}, b[] = {f->k, f->n, f->b_row, f->b_col},
                  c[] = {f->m, f->n, f->ldc, 1};
    int64_t step_c[GT_MAX_RANK] = {0}, next = f->m * f->ldc;
    for (int64_t i = f->rank - 1; i >= 0; i--) {
        step_c[i] = next;
        next *= f->size[i];
    }
    if (!describe_matrix(&d[A], dnnl_bf16, f, f->step_a, a) ||
        !describe_matrix(&d[B], dnnl_bf16, f, f->step_b, b) ||
        !describe_matrix(&d[C], dnnl_f32, f, step_c, c) ||
        !ok(dnnl_engine_create(&w->engine, dnnl_cpu, 0)) ||
        !ok(dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags)) ||
        !ok(dnnl_primitive_attr_create(&w->attr)) ||
        !ok(dnnl_primitive_attr_set_scratchpad_mode(w->attr, dnnl_scratchpad_mode_user)) ||
        !ok(dnnl_matmul_desc_init(&product, &d[A], &d[B], NULL, &d[C])) ||
        !ok(dnnl_primitive_desc_create(&w->description, &product, w->attr, w->engine, NULL)) ||
        !make_scratchpad(w))
        return false;
    for (int k = 0; k < MATRICES; k++)
        if (!ok(dnnl_memory_create(&w->memory[k], &d[k], w->engine, DNNL_MEMORY_NONE)))
            return false;
    return ok(dnnl_primitive_create(&w->product, w->description));
}

static void unmake_product(multiplication *w) {
    for (int k = 0; k < MEMORIES; k++)
        if (w->memory[k]) dnnl_memory_destroy(w->memory[k]);
    if (w->product) dnnl_primitive_destroy(w->product);
    if (w->description) dnnl_primitive_desc_destroy(w->description);
    if (w->attr) dnnl_primitive_attr_destroy(w->attr);
    if (w->stream) dnnl_stream_destroy(w->stream);
    if (w->engine) dnnl_engine_destroy(w->engine);
    *w = (multiplication){.product = NULL};
}

static bool run_product(const multiplication *w, const gt__gemm_job *job) {
    const void *const data[MATRICES] = {job->a, job->b, job->c};
    const dnnl_exec_arg_t arg[MEMORIES] = {{DNNL_ARG_SRC, w->memory[A]},
                                           {DNNL_ARG_WEIGHTS, w->memory[B]},
                                           {DNNL_ARG_DST, w->memory[C]},
                                           {DNNL_ARG_SCRATCHPAD, w->memory[SCRATCHPAD]}};
    for (int k = 0; k < MATRICES; k++)
        if (!ok(dnnl_memory_set_data_handle(w->memory[k], (void *)(uintptr_t)data[k])))
            return false;
    return ok(dnnl_primitive_execute(w->product, w->stream, MEMORIES, arg)) &&
           ok(dnnl_stream_wait(w->stream));
}

/* Products that were made, each in one place, which its form tells; those who find it taken make their own. */
typedef struct keeper {
    atomic_bool taken;
    multiplication made;
} keeper;

static keeper kept[256];

static uint64_t hash_of(const int64_t *number, size_t count) {
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (uint64_t)number[i]) * UINT64_C(0x9E3779B97F4A7C15);
    return hash;
}

static size_t place_of(const form *f) {
    const int64_t *number = (const int64_t *)(const void *)f;
    return hash_of(number, sizeof *f / sizeof *number) >> 56;
}

static bool make_anew(multiplication *w, const form *f) {
    unmake_product(w);
    w->form = *f;
    if (make_product(w)) return true;
    unmake_product(w);
    return false;
}

static bool with_product(const gt__gemm_job *job, const gt__gemm_batch *batch, bool run) {
    if (!has_bf16(job, batch) || job->accumulate) return false;
    const form f = form_of(job, batch);
    keeper *k = &kept[place_of(&f)];
    multiplication own = {.product = NULL};
    const bool taken = atomic_exchange_explicit(&k->taken, true, memory_order_acquire);
    multiplication *w = taken ? &own : &k->made;
    const bool fits = w->product && memcmp(&w->form, &f, sizeof f) == 0;
    const bool done = (fits || make_anew(w, &f)) && (!run || run_product(w, job));
    if (taken)
        unmake_product(w);
    else
        atomic_store_explicit(&k->taken, false, memory_order_release);
    return done;
}

#else

bool gt__onednn_has_tiles(void) { return false; }

static bool with_product(const gt__gemm_job *job, const gt__gemm_batch *batch, bool run) {
    (void)job;
    (void)batch;
    (void)run;
    return false;
}

#endif

bool gt__onednn_bf16(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    return with_product(job, batch, true);
}

bool gt__onednn_bf16_takes(const gt__gemm_job *job, const gt__gemm_batch *batch) {
    return with_product(job, batch, false);
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* Without OpenMP nothing would tell oneDNN how many threads to use. */
#if DNNL_VERSION_MAJOR == 2 && defined(GT_WITH_OPENMP)

enum { ALIGNMENT = 64 };

enum { W = GT__MAKES_W, X = GT__MAKES_X, Y = GT__MAKES_Y, OPERANDS };

typedef struct operand {
    dnnl_memory_desc_t plain, own; /* in our order, and in oneDNN's */
    dnnl_primitive_t turn;         /* from one to the other; NULL: they are the same */
    size_t plain_bytes, bytes;
} operand;

/* A convolution as oneDNN makes it for these sizes: kept for the next call with the same. */
typedef struct convolution {
    gt__conv c; /* of one piece */
    int result;
    enum { NOT_MADE, QUICK, SLOW } state; /* SLOW: our own loops are not slower */
    operand of[OPERANDS];
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t forward, backward;
    dnnl_primitive_t operation;
    dnnl_memory_desc_t scratchpad;
} convolution;

typedef struct work {
    const convolution *v;
    int64_t pieces, shares;
    char *data[OPERANDS];
    char *weights; /* in oneDNN's order; if they are the result, one for each share */
    dnnl_memory_t plain_weights, own_weights;
    char *memory; /* of the threads */
    size_t thread_bytes;
} work;

static size_t aligned(size_t bytes) { return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1); }

/* Its threads are OpenMP's, as ours are, or none. */
static bool is_usable(void) {
    const dnnl_version_t *version = dnnl_version();
    return version->major == 2 &&
           (version->cpu_runtime == DNNL_RUNTIME_OMP || version->cpu_runtime == DNNL_RUNTIME_SEQ);
}

static bool describe_operand(operand *o, int rank, const int64_t *size, dnnl_format_tag_t plain) {
    o->plain_bytes = sizeof(float);
    for (int d = 0; d < rank; d++) o->plain_bytes *= (size_t)size[d];
    return ok(dnnl_memory_desc_init_by_tag(&o->plain, rank, size, dnnl_f32, plain)) &&
           ok(dnnl_memory_desc_init_by_tag(&o->own, rank, size, dnnl_f32, dnnl_format_tag_any));
}

static bool describe_operands(convolution *k) {
    const gt__conv *c = &k->c;
    const dnnl_dims_t x = {c->n, c->groups * c->in, c->x[0], c->x[1]};
    const dnnl_dims_t y = {c->n, c->groups * c->out, c->y[0], c->y[1]};
    const dnnl_dims_t w = {c->groups, c->out, c->in, c->k[0], c->k[1]};
    const dnnl_dims_t v = {c->out, c->in, c->k[0], c->k[1]};
    const bool grouped = c->groups > 1;
    return describe_operand(&k->of[X], 4, x, dnnl_nchw) &&
           describe_operand(&k->of[Y], 4, y, dnnl_nchw) &&
           (grouped ? describe_operand(&k->of[W], 5, w, dnnl_goihw)
                    : describe_operand(&k->of[W], 4, v, dnnl_oihw));
}

/* What the three operands are called, by the one that is made. */
static const int names[OPERANDS][OPERANDS] = {
    [X] = {[X] = DNNL_ARG_DIFF_SRC, [W] = DNNL_ARG_WEIGHTS, [Y] = DNNL_ARG_DIFF_DST},
    [W] = {[X] = DNNL_ARG_SRC, [W] = DNNL_ARG_DIFF_WEIGHTS, [Y] = DNNL_ARG_DIFF_DST},
    [Y] = {[X] = DNNL_ARG_SRC, [W] = DNNL_ARG_WEIGHTS, [Y] = DNNL_ARG_DST},
};

/* oneDNN's descriptor of the convolution, or of the gradient that makes x or w. */
static bool describe_operation(const convolution *k, int result, dnnl_convolution_desc_t *d) {
    const gt__conv *c = &k->c;
    const dnnl_memory_desc_t *x = &k->of[X].own, *w = &k->of[W].own, *y = &k->of[Y].own;
    const dnnl_alg_kind_t how = dnnl_convolution_direct;
    dnnl_dims_t stride, between, before, after;
    for (int a = 0; a < 2; a++) {
        stride[a] = c->stride[a];
        between[a] = c->dilation[a] - 1;
        before[a] = c->padding[a];
        after[a] = (c->y[a] - 1) * c->stride[a] + (c->k[a] - 1) * c->dilation[a] + 1 - c->x[a] -
                   c->padding[a];
    }
    switch (result) {
    case X:
        return ok(dnnl_dilated_convolution_backward_data_desc_init(d, how, x, w, y, stride, between,
                                                                   before, after));
    case W:
        return ok(dnnl_dilated_convolution_backward_weights_desc_init(d, how, x, w, NULL, y, stride,
                                                                      between, before, after));
    default:
        return ok(dnnl_dilated_convolution_forward_desc_init(d, dnnl_forward_training, how, x, w,
                                                             NULL, y, stride, between, before,
                                                             after));
    }
}

/* Only code made for the sizes is quicker than our own loops, and not where oneDNN fills blocks of
 * channels with zeros. */
static bool is_quick(const_dnnl_primitive_desc_t made, const operand *x) {
    const char *name = NULL;
    return x->bytes < 2 * x->plain_bytes &&
           ok(dnnl_primitive_desc_query(made, dnnl_query_impl_info_str, 0, &name)) &&
           strncmp(name, "ref", 3) != 0 && !strstr(name, "gemm");
}

/* ---- making it ------------------------------------------------------------------------------- */

static void choose_orders(convolution *k, const_dnnl_primitive_desc_t made) {
    for (int i = 0; i < OPERANDS; i++) {
        operand *o = &k->of[i];
        o->own = *dnnl_primitive_desc_query_md(made, dnnl_query_exec_arg_md, names[k->result][i]);
        o->bytes = aligned(dnnl_memory_desc_get_size(&o->own));
    }
    k->scratchpad = *dnnl_primitive_desc_query_md(made, dnnl_query_scratchpad_md, 0);
}

static bool make_turn(convolution *k, int i) {
    operand *o = &k->of[i];
    const bool back = i == k->result;
    dnnl_primitive_desc_t d = NULL;
    if (dnnl_memory_desc_equal(&o->plain, &o->own)) return true;
    const bool made =
        ok(dnnl_reorder_primitive_desc_create(&d, back ? &o->own : &o->plain, k->engine,
                                              back ? &o->plain : &o->own, k->engine, NULL)) &&
        ok(dnnl_primitive_create(&o->turn, d));
    if (d) dnnl_primitive_desc_destroy(d);
    return made;
}

static bool make_operation(convolution *k) {
    dnnl_convolution_desc_t d;
    if (!describe_operation(k, Y, &d) ||
        !ok(dnnl_primitive_desc_create(&k->forward, &d, k->attr, k->engine, NULL)))
        return false;
    if (k->result == Y) return true;
    return describe_operation(k, k->result, &d) &&
           ok(dnnl_primitive_desc_create(&k->backward, &d, k->attr, k->engine, k->forward));
}

static bool make(convolution *k) {
    if (!ok(dnnl_engine_create(&k->engine, dnnl_cpu, 0)) ||
        !ok(dnnl_primitive_attr_create(&k->attr)) ||
        !ok(dnnl_primitive_attr_set_scratchpad_mode(k->attr, dnnl_scratchpad_mode_user)))
        return false;
    if (!describe_operands(k) || !make_operation(k)) return false;
    const_dnnl_primitive_desc_t made = k->backward ? k->backward : k->forward;
    choose_orders(k, made);
    k->state = is_quick(made, &k->of[X]) ? QUICK : SLOW;
    return k->state == SLOW || (ok(dnnl_primitive_create(&k->operation, made)) && make_turn(k, W) &&
                                make_turn(k, X) && make_turn(k, Y));
}

static void unmake(convolution *k) {
    for (int i = 0; i < OPERANDS; i++)
        if (k->of[i].turn) dnnl_primitive_destroy(k->of[i].turn);
    if (k->operation) dnnl_primitive_destroy(k->operation);
    if (k->backward) dnnl_primitive_desc_destroy(k->backward);
    if (k->forward) dnnl_primitive_desc_destroy(k->forward);
    if (k->attr) dnnl_primitive_attr_destroy(k->attr);
    if (k->engine) dnnl_engine_destroy(k->engine);
    *k = (convolution){.state = NOT_MADE};
}

/* Whatever is made for one thread has to be made by one. */
static bool make_alone(convolution *k, const gt__conv *c, int result) {
    bool made = false;
    unmake(k);
    k->c = *c;
    k->result = result;
#pragma omp parallel num_threads(1)
    {
        omp_set_num_threads(1); /* for oneDNN, and only here */
        made = make(k);
    }
    if (!made) unmake(k);
    return made;
}

/* ---- doing it -------------------------------------------------------------------------------- */

static bool turn(const convolution *k, int i, dnnl_stream_t stream, dnnl_memory_t plain,
                 dnnl_memory_t own) {
    const bool back = i == k->result;
    const dnnl_exec_arg_t from_to[] = {{DNNL_ARG_FROM, back ? own : plain},
                                       {DNNL_ARG_TO, back ? plain : own}};
    return !k->of[i].turn || ok(dnnl_primitive_execute(k->of[i].turn, stream, 2, from_to));
}

/* What a thread has to itself. Of the weights that is only their gradient, by one piece. */
typedef struct lane {
    dnnl_stream_t stream;
    dnnl_memory_t plain[OPERANDS], own[OPERANDS], scratchpad;
    char *made; /* that gradient */
} lane;

static void close_lane(lane *l) {
    for (int i = 0; i < OPERANDS; i++) {
        if (l->plain[i]) dnnl_memory_destroy(l->plain[i]);
        if (l->own[i]) dnnl_memory_destroy(l->own[i]);
    }
    if (l->scratchpad) dnnl_memory_destroy(l->scratchpad);
    if (l->stream) dnnl_stream_destroy(l->stream);
}

static bool has_copy(const convolution *k, int i) {
    return i == W ? k->result == W : k->of[i].turn != NULL;
}

static bool open_lane(const work *k, lane *l, int thread) {
    const convolution *v = k->v;
    char *memory = k->memory + (size_t)thread * k->thread_bytes;
    l->made = memory;
    if (!ok(dnnl_stream_create(&l->stream, v->engine, dnnl_stream_default_flags))) return false;
    for (int i = v->result == W ? W : X; i < OPERANDS; i++) {
        const operand *o = &v->of[i];
        const bool copy = has_copy(v, i);
        char *const own = copy ? memory : k->data[i];
        if (!ok(dnnl_memory_create(&l->plain[i], &o->plain, v->engine, k->data[i])) ||
            !ok(dnnl_memory_create(&l->own[i], &o->own, v->engine, own)))
            return false;
        if (copy) memory += o->bytes;
    }
    return ok(dnnl_memory_create(&l->scratchpad, &v->scratchpad, v->engine, memory));
}

static bool run_piece(const work *k, const lane *l, int64_t piece) {
    const convolution *v = k->v;
    const int made = v->result;
    dnnl_exec_arg_t operands[OPERANDS + 1] = {[W] = {names[made][W],
                                                     made == W ? l->own[W] : k->own_weights},
                                              [OPERANDS] = {DNNL_ARG_SCRATCHPAD, l->scratchpad}};
    for (int i = X; i <= Y; i++) {
        const operand *o = &v->of[i];
        operands[i] = (dnnl_exec_arg_t){names[made][i], l->own[i]};
        if (!ok(dnnl_memory_set_data_handle(o->turn ? l->plain[i] : l->own[i],
                                            k->data[i] + (size_t)piece * o->plain_bytes)))
            return false;
        if (i != made && !turn(v, i, l->stream, l->plain[i], l->own[i])) return false;
    }
    return ok(dnnl_primitive_execute(v->operation, l->stream, OPERANDS + 1, operands)) &&
           (made == W || turn(v, made, l->stream, l->plain[made], l->own[made]));
}

static void add(char *to, const char *from, size_t bytes) {
    float *y = (float *)(void *)to;
    const float *x = (const float *)(const void *)from;
    for (size_t i = 0; i < bytes / sizeof *y; i++) y[i] += x[i];
}

static bool run_share(const work *k, const lane *l, int64_t share) {
    const size_t bytes = k->v->of[W].bytes;
    char *sums = k->v->result == W ? k->weights + (size_t)share * bytes : NULL;
    if (sums) memset(sums, 0, bytes);
    for (int64_t p = k->pieces * share / k->shares; p < k->pieces * (share + 1) / k->shares; p++) {
        if (!run_piece(k, l, p)) return false;
        if (sums) add(sums, l->made, bytes);
    }
    return true;
}

static bool run_shares(const work *k, int threads) {
    bool done = true;
#pragma omp parallel num_threads(threads) reduction(&& : done)
    {
        lane l = {0};
        omp_set_num_threads(1); /* for oneDNN, and only here */
        done = open_lane(k, &l, omp_get_thread_num());
#pragma omp for schedule(static)
        for (int64_t share = 0; share < k->shares; share++) done = done && run_share(k, &l, share);
        close_lane(&l);
    }
    return done;
}

/* Weights that are an operand are turned once for all threads. */
static bool run_turned(work *k, dnnl_stream_t stream, char *own, int threads) {
    const convolution *v = k->v;
    const operand *w = &v->of[W];
    if (v->result != W && !turn(v, W, stream, k->plain_weights, k->own_weights)) return false;
    if (!run_shares(k, threads)) return false;
    if (v->result != W) return true;
    for (int64_t share = 1; share < k->shares; share++)
        add(own, own + (size_t)share * w->bytes, w->bytes);
    if (!w->turn) memcpy(k->data[W], own, w->plain_bytes);
    return turn(v, W, stream, k->plain_weights, k->own_weights);
}

static bool run(work *k, int threads) {
    const convolution *v = k->v;
    const operand *w = &v->of[W];
    char *own = w->turn || v->result == W ? k->weights : k->data[W];
    dnnl_stream_t stream = NULL;
    const bool done = ok(dnnl_stream_create(&stream, v->engine, dnnl_stream_default_flags)) &&
                      ok(dnnl_memory_create(&k->plain_weights, &w->plain, v->engine, k->data[W])) &&
                      ok(dnnl_memory_create(&k->own_weights, &w->own, v->engine, own)) &&
                      run_turned(k, stream, own, threads);
    if (k->plain_weights) dnnl_memory_destroy(k->plain_weights);
    if (k->own_weights) dnnl_memory_destroy(k->own_weights);
    if (stream) dnnl_stream_destroy(stream);
    return done;
}

/* gt_scratch tells the call when memory is short. */
static bool provide(const gt_call *call, work *k, int threads) {
    const convolution *v = k->v;
    const bool own = v->result == W || v->of[W].turn;
    const size_t weights = own ? v->of[W].bytes * (size_t)(v->result == W ? k->shares : 1) : 0;
    k->thread_bytes = aligned(dnnl_memory_desc_get_size(&v->scratchpad));
    for (int i = 0; i < OPERANDS; i++)
        if (has_copy(v, i)) k->thread_bytes += v->of[i].bytes;
    k->weights = gt_scratch(call, weights + (size_t)threads * k->thread_bytes);
    k->memory = k->weights + weights;
    return k->weights != NULL;
}

static gt__outcome convolve(const gt_call *call, work *k) {
    if (k->v->state == SLOW) return GT__REFUSED;
    const int threads = k->shares < omp_get_max_threads() ? (int)k->shares : omp_get_max_threads();
    if (!provide(call, k, threads)) return GT__FAILED;
    return run(k, threads) ? GT__DONE : GT__REFUSED;
}

/* ---- those that were made -------------------------------------------------------------------- */

/* As with products: each in one place, by what it makes; those who find it taken make their own. */
static struct {
    atomic_bool taken;
    convolution made;
} kept_convolutions[OPERANDS][64];

/* A convolution's sizes and options: numbers of one size, before the rest. */
enum { SIZES = offsetof(gt__conv, dtype) / sizeof(int64_t) };

gt__outcome gt__onednn_pieces(const gt_call *call, const gt__conv *piece, int64_t pieces,
                              int64_t shares, gt__made makes, const void *w, const void *x,
                              const void *y) {
    if (!is_usable()) return GT__REFUSED;
    const size_t place = hash_of(&piece->n, SIZES) >> 58;
    atomic_bool *const busy = &kept_convolutions[makes][place].taken;
    convolution own = {.state = NOT_MADE};
    const bool taken = atomic_exchange_explicit(busy, true, memory_order_acquire);
    convolution *v = taken ? &own : &kept_convolutions[makes][place].made;
    const bool fits = v->state != NOT_MADE && memcmp(&v->c, piece, SIZES * sizeof piece->n) == 0;
    work k = {.v = v, .pieces = pieces, .shares = shares};
    k.data[W] = (char *)(uintptr_t)w;
    k.data[X] = (char *)(uintptr_t)x;
    k.data[Y] = (char *)(uintptr_t)y;
    const gt__outcome outcome =
        fits || make_alone(v, piece, (int)makes) ? convolve(call, &k) : GT__REFUSED;
    if (taken)
        unmake(v);
    else
        atomic_store_explicit(busy, false, memory_order_release);
    return outcome;
}

#else

gt__outcome gt__onednn_pieces(const gt_call *call, const gt__conv *piece, int64_t pieces,
                              int64_t shares, gt__made makes, const void *w, const void *x,
                              const void *y) {
    (void)call, (void)piece, (void)pieces, (void)shares, (void)makes, (void)w, (void)x, (void)y;
    return GT__REFUSED;
}

#endif
