/* ops/onednn_bf16.c: products of bf16 matrices by oneDNN, summed in f32, where the processor multiplies bf16. Speaks
 * version 2 of its interface; with another version the product is one of floats.
 *
 * All is made anew at each call: oneDNN keeps the code that it has made. Finding it again takes some 5 microseconds,
 * so small products are not for it. */
#include "ops/onednn.h"

#include <oneapi/dnnl/dnnl.h>

#if DNNL_VERSION_MAJOR == 2

enum { WORTH_IT = 1 << 19 }; /* multiplications */

enum { A, B, C, MATRICES };

typedef struct work {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t product;
    dnnl_memory_t memory[MATRICES];
} work;

static bool ok(dnnl_status_t status) { return status == dnnl_success; }

bool gt__onednn_has_bf16(const gt__gemm_job *job) {
    const int isa = (int)dnnl_get_effective_cpu_isa(), wanted = dnnl_cpu_isa_avx512_core_bf16;
    return (isa & wanted) == wanted && (double)job->m * (double)job->n * (double)job->k >= WORTH_IT;
}

/* A matrix with its strides; an axis of one element may have any. */
static bool describe(dnnl_memory_desc_t *d, dnnl_data_type_t type, int64_t rows, int64_t columns,
                     int64_t row, int64_t column) {
    const dnnl_dims_t size = {rows, columns}, step = {row, column};
    const bool plain = column == 1 && row >= columns, turned = row == 1 && column >= rows;
    return (plain || turned) && ok(dnnl_memory_desc_init_by_strides(d, 2, size, type, step));
}

static bool prepare(work *w, const gt__gemm_job *job, dnnl_data_type_t type) {
    dnnl_memory_desc_t d[MATRICES];
    dnnl_matmul_desc_t product;
    const void *const data[MATRICES] = {job->a, job->b, job->c};
    if (!describe(&d[A], type, job->m, job->k, job->a_row, job->a_col) ||
        !describe(&d[B], type, job->k, job->n, job->b_row, job->b_col) ||
        !describe(&d[C], dnnl_f32, job->m, job->n, job->ldc, 1) ||
        !ok(dnnl_engine_create(&w->engine, dnnl_cpu, 0)) ||
        !ok(dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags)) ||
        !ok(dnnl_matmul_desc_init(&product, &d[A], &d[B], NULL, &d[C])) ||
        !ok(dnnl_primitive_desc_create(&w->description, &product, NULL, w->engine, NULL)) ||
        !ok(dnnl_primitive_create(&w->product, w->description)))
        return false;
    for (int k = 0; k < MATRICES; k++)
        if (!ok(dnnl_memory_create(&w->memory[k], &d[k], w->engine, (void *)(uintptr_t)data[k])))
            return false;
    return true;
}

static void forget(work *w) {
    for (int k = 0; k < MATRICES; k++)
        if (w->memory[k]) dnnl_memory_destroy(w->memory[k]);
    if (w->product) dnnl_primitive_destroy(w->product);
    if (w->description) dnnl_primitive_desc_destroy(w->description);
    if (w->stream) dnnl_stream_destroy(w->stream);
    if (w->engine) dnnl_engine_destroy(w->engine);
}

bool gt__onednn_bf16(const gt__gemm_job *job) {
    work w = {0};
    bool done = !job->accumulate && prepare(&w, job, dnnl_bf16);
    if (done) {
        const dnnl_exec_arg_t arg[MATRICES] = {{DNNL_ARG_SRC, w.memory[A]},
                                               {DNNL_ARG_WEIGHTS, w.memory[B]},
                                               {DNNL_ARG_DST, w.memory[C]}};
        done = ok(dnnl_primitive_execute(w.product, w.stream, MATRICES, arg)) &&
               ok(dnnl_stream_wait(w.stream));
    }
    forget(&w);
    return done;
}

#else

bool gt__onednn_has_bf16(const gt__gemm_job *job) {
    (void)job;
    return false;
}
bool gt__onednn_bf16(const gt__gemm_job *job) {
    (void)job;
    return false;
}

#endif
