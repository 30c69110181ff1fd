/* tests/support/sweep_emission.c: emitted C against the exact reference executor, bit by bit: the samples of every
 * operation, composition and layer that can be emitted, with gradients, and random tapes with their gradients, or
 * with a step down them as effects. All go into one file, which the system's C compiler makes a shared object of
 * with every warning an error; where there is no compiler nothing is checked, and the report says so. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grad/grad.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "support/harness.h"
#include "support/random_graph.h"
#include "support/sweeps.h"

enum { MOST = 20, CASES = 8000 };
static const char warnings[] =
    "-std=c99 -O0 -ffp-contract=off -shared -fPIC -Wall -Wextra -Wpedantic -Werror "
    "-Wconversion -Wdouble-promotion -Wshadow";

/* One emitted function: what goes in, and what must come out. */
typedef struct emitted {
    char what[80];
    int n_in, n_out;
    void *argument[2 * MOST], *expected[MOST];
    size_t bytes[MOST];
    gt_dtype dtype[MOST];
} emitted;

typedef struct bench {
    FILE *file, *report;
    char folder[64], source[96], object[96];
    emitted *made;
    int count, refused;
    const char *refusals[200];
} bench;

/* ---- writing ------------------------------------------------------------------------------------------- */

static void *copy_of(gt_tensor t, size_t *bytes) {
    const void *data = gt_data(t);
    *bytes = (size_t)gt_numel(gt_shape_of(t)) * gt_dtype_size(gt_dtype_of(t));
    void *copy = malloc(*bytes + 1);
    if (copy && data && *bytes) memcpy(copy, data, *bytes);
    return data ? copy : (free(copy), NULL);
}

/* A function of one signature for all: `int e7_call(void *const *a)`; and one that finds a leaf of state. */
static void write_call(bench *b, int number, int arguments, int states) {
    fprintf(b->file,
            "\nint e%d_call(void *const *a);\nint e%d_call(void *const *a) {\n    (void)a;\n    "
            "return e%d_run(",
            number, number, number);
    for (int k = 0; k < arguments; k++) fprintf(b->file, "%sa[%d]", k ? ", " : "", k);
    fprintf(b->file, ");\n}\n");
    for (int k = 0; k < states; k++)
        fprintf(b->file,
                "void *e%d_state%d(void);\nvoid *e%d_state%d(void) { return e%d_leaf%d; }\n",
                number, k, number, k, number, k);
}

static void clear(emitted *m) {
    for (int k = 0; k < 2 * MOST; k++) free(m->argument[k]);
    for (int k = 0; k < MOST; k++) free(m->expected[k]);
    memset(m, 0, sizeof *m);
}

static void note_refusal(bench *b, const gt_tape *tape, emitted *m) {
    if (!strstr(gt_error(tape), "cannot be emitted") && !strstr(gt_error(tape), "bf16") &&
        !strstr(gt_error(tape), "is random"))
        fprintf(b->report, "emission of %s: %s\n", m->what, gt_error(tape));
    else
        b->refused++;
}

/* Emits; reads what must come out, exactly. With effects, states are leaves read after a commit. */
static bool emit(bench *b, emitted *m, gt_tape *tape, gt_list in, gt_list out, gt_list state) {
    char name[32];
    snprintf(name, sizeof name, "e%d", b->count);
    m->n_in = in.count;
    m->n_out = out.count + state.count;
    for (int k = 0; k < in.count; k++) {
        size_t bytes;
        m->argument[k] = copy_of(in.at[k], &bytes);
    }
    if (!gt_emit_c(tape, name, in, out, b->file)) {
        note_refusal(b, tape, m);
        clear(m);
        return false;
    }
    write_call(b, b->count, in.count + out.count, state.count);
    gt_exact(tape, true);
    gt_reference(tape, true);
    if (!gt_run(tape, out.at, out.count)) return false;
    for (int k = 0; k < m->n_out; k++) {
        const gt_tensor t = k < out.count ? out.at[k] : state.at[k - out.count];
        if (k == out.count && !gt_commit(tape)) return false;
        m->expected[k] = copy_of(t, &m->bytes[k]);
        m->dtype[k] = gt_dtype_of(t);
        if (k < out.count) m->argument[in.count + k] = malloc(m->bytes[k] + 1);
        if (!m->expected[k]) return false;
    }
    b->count++;
    return true;
}

/* ---- samples ------------------------------------------------------------------------------------------- */

static void emit_sample(bench *b, const char *name, const gt_op *op,
                        gt_tensor (*samples)(gt_samples *, int), int i, gt_dtype dtype,
                        bool *ended) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_samples s = {.tape = tape, .op = op, .dtype = dtype, .seed = 7 + (uint64_t)i};
    const gt_tensor y = samples(&s, i);
    gt_tensor out[MOST] = {y}, real[GT_SAMPLE_MOST];
    int n_out = 1, n_real = 0;
    emitted *m = &b->made[b->count];
    *ended = s.ended;
    if (!s.ended && !s.bad && !gt_failed(tape) && s.drawn <= GT_SAMPLE_MOST) {
        for (int k = 0; k < s.drawn; k++)
            if (gt_dtype_is_float(gt_dtype_of(s.leaf[k]))) real[n_real++] = s.leaf[k];
        if (!s.no_gradient && n_real > 0 &&
            gt_grads(gt_sum(gt_square(y), GT_ALL, false), real, n_real, out + 1))
            n_out += n_real;
        memset(m, 0, sizeof *m);
        snprintf(m->what, sizeof m->what, "%s, sample %d, %s", name, i, gt_dtype_name(dtype));
        emit(b, m, tape, gt_list_of(s.drawn, s.leaf), gt_list_of(n_out, out), gt_list_of(0, NULL));
    }
    gt_tape_free(tape);
}

static void emit_samples(bench *b, const char *name, const gt_op *op,
                         gt_tensor (*samples)(gt_samples *, int)) {
    const int before = b->count, refused = b->refused;
    bool ended = false;
    for (int i = 0; !ended && b->count + 2 < CASES; i++) {
        /* Compiling takes the time: a soak takes every sample in both kinds. */
        if (is_soak() || i % 6 == 0) emit_sample(b, name, op, samples, i, GT_F32, &ended);
        if (is_soak() || i % 6 == 1) emit_sample(b, name, op, samples, i, GT_F64, &ended);
    }
    if (b->count == before && b->refused > refused)
        fprintf(b->report, "cannot be emitted: %s\n", name);
}

/* ---- random tapes ---------------------------------------------------------------------------------------- */

/* The leaf itself, or the next one of its shape: effects that read what others write. */
static gt_tensor neighbour(const random_graph *g, int k) {
    const gt_tensor next = g->leaf[(k + 1) % g->n_leaves];
    return gt_same_shape(gt_shape_of(next), gt_shape_of(g->leaf[k])) ? next : g->leaf[k];
}

static void emit_random(bench *b, uint64_t seed) {
    static random_graph g;
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor out[GRAPH_LEAVES + 1];
    emitted *m = &b->made[b->count];
    const bool effects = seed % 2;
    random_graph_record_as(&g, tape, seed, seed % 3 ? GT_F32 : GT_F64, seed % 7 == 0);
    memset(m, 0, sizeof *m);
    snprintf(m->what, sizeof m->what, "random tape %llu", (unsigned long long)seed);
    out[g.n_leaves] = g.loss;
    if (gt_grads(g.loss, g.leaf, g.n_leaves, out)) {
        const gt_list leaves = gt_list_of(g.n_leaves, g.leaf), none = gt_list_of(0, NULL);
        for (int k = 0; k < g.n_leaves; k++) gt_name(g.leaf[k], "leaf%d", k);
        for (int k = 0; effects && k < g.n_leaves; k++)
            gt_assign(g.leaf[k], gt_sub(neighbour(&g, k), gt_mul_scalar(out[k], 0.5)));
        if (effects) gt_assign(g.leaf[0], neighbour(&g, 0));
        emit(b, m, tape, effects ? none : leaves, gt_list_of(g.n_leaves + 1, out),
             effects ? leaves : none);
    }
    gt_tape_free(tape);
}

/* Numbers that fill several functions, with names that C does not have. */
static void emit_chain(bench *b) {
    static const char *const names[] = {"int", "*/ 1", "f32", "part0", "\"x\"", "\\\n",
                                        "a b", "a_b",  "",    "9",     "NAN"};
    enum { LEAVES = sizeof names / sizeof *names, LINKS = 1500 };
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor x[LEAVES], out[LEAVES + 1], y;
    emitted *m = &b->made[b->count];
    for (int k = 0; k < LEAVES; k++) {
        const double at = 0.1 * (k + 1);
        x[k] = gt_name(gt_input(tape, &at, GT_SCALAR, GT_F64), "%s", names[k]);
    }
    y = x[0];
    for (int i = 1; i < LINKS; i++)
        y = i % 3 ? gt_mul(gt_sin(y), x[i % LEAVES])
                  : gt_add(gt_pow_scalar(y, 2), x[i * 7 % LEAVES]);
    out[LEAVES] = gt_name(y, "int");
    memset(m, 0, sizeof *m);
    snprintf(m->what, sizeof m->what, "a chain of numbers");
    if (gt_grads(y, x, LEAVES, out))
        emit(b, m, tape, gt_list_of(LEAVES, x), gt_list_of(LEAVES + 1, out), gt_list_of(0, NULL));
    gt_tape_free(tape);
}

/* ---- running --------------------------------------------------------------------------------------------- */

static bool equal_element(gt_dtype dtype, const char *x, const char *y) {
    const size_t size = gt_dtype_size(dtype);
    if (memcmp(x, y, size) == 0) return true;
    float a, b;
    double c, d;
    if (dtype == GT_F32) return memcpy(&a, x, 4), memcpy(&b, y, 4), a != a && b != b;
    if (dtype == GT_F64) return memcpy(&c, x, 8), memcpy(&d, y, 8), c != c && d != d;
    return false;
}

static bool is_right(bench *b, void *object, int number) {
    emitted *m = &b->made[number];
    char name[64];
    snprintf(name, sizeof name, "e%d_call", number);
    int (*call)(void *const *a);
    *(void **)&call = dlsym(object, name);
    if (!call || call(m->argument) != 0)
        return fprintf(b->report, "%s does not run\n", m->what), false;
    int outputs = 0;
    while (outputs < m->n_out && m->argument[m->n_in + outputs]) outputs++;
    for (int k = 0; k < m->n_out; k++) {
        void *(*state)(void) = NULL;
        snprintf(name, sizeof name, "e%d_state%d", number, k - outputs);
        if (k >= outputs) *(void **)&state = dlsym(object, name);
        const char *got = k < outputs ? m->argument[m->n_in + k] : state ? state() : NULL;
        const size_t size = gt_dtype_size(m->dtype[k]);
        for (size_t i = 0; i < m->bytes[k]; i += size) {
            if (got && equal_element(m->dtype[k], got + i, (const char *)m->expected[k] + i))
                continue;
            fprintf(b->report, "emission of %s (e%d): element %zu of result %d differs\n", m->what,
                    number, i / size, k);
            return false;
        }
    }
    return true;
}

static void run_all(bench *b, void *object, score *total) {
    int right = 0;
    for (int k = 0; k < b->count; k++) right += is_right(b, object, k);
    fprintf(b->report,
            "emitted C: %d functions with the bits of exact runs, %d without; %d refused\n", right,
            b->count - right, b->refused);
    total->passed += right;
    total->failed += b->count - right;
}

static void compile_and_run(bench *b, score *total) {
    char command[600];
    const char *compiler = getenv("GT_TEST_CC") ? getenv("GT_TEST_CC") : "cc";
    snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", compiler);
    if (system(command) != 0) { // NOLINT(cert-env33-c): a compiler is what is to be run
        fprintf(b->report, "no %s: emitted C is not checked\n", compiler);
        return;
    }
    snprintf(command, sizeof command, "%s %s -o %s %s -lm", compiler, warnings, b->object,
             b->source);
    // NOLINTNEXTLINE(cert-env33-c)
    void *object = system(command) == 0 ? dlopen(b->object, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (object) {
        run_all(b, object, total);
        dlclose(object);
        return;
    }
    total->failed++;
    fprintf(b->report, "emitted C does not compile: %s\n", command);
}

static void release(bench *b) {
    for (int k = 0; k <= b->count; k++) clear(&b->made[k]);
    free(b->made);
    if (!getenv("GT_KEEP_EMITTED")) {
        remove(b->source);
        remove(b->object);
        rmdir(b->folder);
    }
}

static bool open_bench(bench *b, FILE *report) {
    *b = (bench){.report = report, .made = calloc(CASES + 1, sizeof *b->made)};
    strcpy(b->folder, "/tmp/gradtape-emit-XXXXXX");
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): whoever opens frees, also where this fails
    if (!b->made || !mkdtemp(b->folder)) return false;
    snprintf(b->source, sizeof b->source, "%s/emitted.c", b->folder);
    snprintf(b->object, sizeof b->object, "%s/emitted.so", b->folder);
    b->file = fopen(b->source, "w");
    return b->file != NULL;
}

void sweep_emission(FILE *out, const char *name, uint64_t first, int count, score *total) {
    bench b;
    if (!open_bench(&b, out)) {
        total->failed++;
        free(b.made);
        return;
    }
    for (int i = 0; gt_op_at(i); i++)
        if (!name || strcmp(name, gt_op_at(i)->name) == 0)
            emit_samples(&b, gt_op_at(i)->name, gt_op_at(i), gt_op_at(i)->samples);
    const gt_composition *(*const lists[])(int) = {gt_composition_at, gt_layer_at};
    for (int l = 0; l < 2; l++)
        for (int i = 0; lists[l](i); i++)
            if (!name || strcmp(name, lists[l](i)->name) == 0)
                emit_samples(&b, lists[l](i)->name, NULL, lists[l](i)->samples);
    for (int k = 0; !name && k < count && b.count + 1 < CASES; k++)
        emit_random(&b, first + (uint64_t)k);
    if (!name || strcmp(name, "numbers") == 0) emit_chain(&b);
    fclose(b.file);
    if (b.count) compile_and_run(&b, total);
    release(&b);
}
