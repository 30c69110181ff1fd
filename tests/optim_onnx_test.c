/* tests/optim_onnx_test.c: one step of our optimizers against the test vectors that ONNX
 * publishes for its training operators (Debian: libonnx-testdata). Without the data the tests
 * are skipped, and say so.
 *
 * ONNX hands a step its rate R, the number T of updates so far, parameters X, gradients G and
 * state; in each of these vectors T is 0. We get G by minimizing sum(X G), whose gradient is G. */
#include <criterion/criterion.h>

#include "support/onnx_reader.h"
#include "support/quick.h"

#define FOLDER "/usr/share/libonnx-testdata/data/node/"
enum { MOST = 10 };

typedef struct vector_set {
    onnx_node node;
    onnx_tensor in[MOST], out[MOST];
    int parameters;
} vector_set;

static bool missing(void) {
    FILE *file = fopen(FOLDER "test_adam/model.onnx", "rb");
    if (file) return fclose(file), false;
    fprintf(stderr, "skipped: ONNX's test vectors are not installed (libonnx-testdata)\n");
    return true;
}

static void read_tensors(const char *test, const char *kind, int count, onnx_tensor *tensor) {
    char path[200];
    cr_assert(count <= MOST);
    for (int k = 0; k < count; k++) {
        snprintf(path, sizeof path, FOLDER "%s/test_data_set_0/%s_%d.pb", test, kind, k);
        cr_assert(onnx_tensor_read(path, &tensor[k]), "%s", path);
    }
}

/* states: how many state tensors one parameter has. */
static vector_set read_set(const char *test, const char *op, int states) {
    vector_set v = {.parameters = 0};
    char path[200];
    snprintf(path, sizeof path, FOLDER "%s/model.onnx", test);
    cr_assert(onnx_model_read(path, &v.node), "%s", path);
    cr_assert_str_eq(v.node.op, op);
    v.parameters = (v.node.n_in - 2) / (2 + states);
    cr_assert(v.parameters > 0 && v.node.n_in == 2 + v.parameters * (2 + states));
    cr_assert_eq(v.node.n_out, v.parameters * (1 + states));
    read_tensors(test, "input", v.node.n_in, v.in);
    read_tensors(test, "output", v.node.n_out, v.out);
    cr_assert(v.in[0].kind == ONNX_FLOAT && v.in[0].count == 1, "R");
    cr_assert(v.in[1].kind == ONNX_INT64 && v.in[1].count == 1 && v.in[1].values[0] == 0, "T");
    return v;
}

static void free_set(vector_set *v) {
    for (int k = 0; k < MOST; k++) onnx_tensor_free(&v->in[k]), onnx_tensor_free(&v->out[k]);
}

static void put(gt_params *params, const char *name, const onnx_tensor *t, bool trainable) {
    float values[64];
    cr_assert(t->kind == ONNX_FLOAT && t->count > 0 && t->count <= 64);
    for (int64_t i = 0; i < t->count; i++) values[i] = (float)t->values[i];
    cr_assert(gt_param_set(params, name, t->shape, GT_F32, values, trainable), "%s",
              gt_params_error(params));
}

static int compare(gt_params *params, const char *name, const onnx_tensor *t) {
    gt_param_info info;
    cr_assert(gt_params_find(params, name, &info), "%s", name);
    cr_assert(gt_same_shape(info.shape, t->shape) && info.dtype == GT_F32 && t->kind == ONNX_FLOAT);
    for (int64_t i = 0; i < t->count; i++) {
        const double ours = (double)((const float *)info.data)[i], theirs = t->values[i];
        cr_assert(quick_near(ours, theirs, 1e-6 * (1 + fabs(theirs))), "%s[%d]: %.9g, not %.9g",
                  name, (int)i, ours, theirs);
    }
    return (int)t->count;
}

/* Names of one parameter's states, after "<optimizer>:", in ONNX's order. */
static void begin(gt_params *params, const vector_set *v, const char *const *state, int states) {
    char name[64];
    for (int k = 0; k < v->parameters; k++) {
        snprintf(name, sizeof name, "x%d", k);
        put(params, name, &v->in[2 + k], true);
        for (int s = 0; s < states; s++) {
            snprintf(name, sizeof name, "onnx:%s:x%d", state[s], k);
            put(params, name, &v->in[2 + (2 + s) * v->parameters + k], false);
        }
    }
}

static void step_and_compare(gt_params *params, gt_optim *opt, vector_set *v,
                             const char *const *state, int states) {
    gt_tape *tape = gt_tape_new(params);
    char name[64];
    int compared = 0;
    cr_assert_not_null(opt, "%s", gt_params_error(params));
    gt_tensor loss = gt_scalar(tape, 0, GT_F32);
    for (int k = 0; k < v->parameters; k++) {
        const onnx_tensor *g = &v->in[2 + v->parameters + k];
        snprintf(name, sizeof name, "x%d", k);
        const gt_tensor wide = gt_input(tape, g->values, g->shape, GT_F64);
        const gt_tensor product = gt_mul(gt_param_leaf(tape, name), gt_cast(wide, GT_F32));
        loss = gt_add(loss, gt_sum(product, GT_ALL, false));
    }
    cr_assert(gt_minimize(opt, loss), "%s", gt_error(tape));
    for (int k = 0; k < v->parameters; k++) {
        snprintf(name, sizeof name, "x%d", k);
        compared += compare(params, name, &v->out[k]);
        for (int s = 0; s < states; s++) {
            snprintf(name, sizeof name, "onnx:%s:x%d", state[s], k);
            compared += compare(params, name, &v->out[(1 + s) * v->parameters + k]);
        }
    }
    cr_assert(compared >= 2 * v->parameters);
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    free_set(v);
}

/* ---- Momentum: ONNX scales the gradient by beta from the second update on (T > 0). Ours never
 * does; at T = 0, as here, both agree. ---- */

static void momentum(const char *test, bool nesterov) {
    static const char *const state[] = {"velocity"};
    vector_set v = read_set(test, "Momentum", 1);
    gt_params *params = gt_params_new(NULL, 0);
    begin(params, &v, state, 1);
    gt_optim *opt =
        gt_sgd(params, (gt_sgd_options){.rate = v.in[0].values[0],
                                        .momentum = onnx_real(&v.node, "alpha", 0),
                                        .weight_decay = onnx_real(&v.node, "norm_coefficient", 0),
                                        .nesterov = nesterov,
                                        .name = "onnx"});
    step_and_compare(params, opt, &v, state, 1);
}

Test(optim_onnx, momentum) {
    if (missing()) cr_skip_test();
    momentum("test_momentum", false);
    momentum("test_momentum_multiple", false);
}
Test(optim_onnx, nesterov) {
    if (missing()) cr_skip_test();
    momentum("test_nesterov_momentum", true);
}

/* ---- Adagrad: the same formula; decay_factor is our rate_decay. ---- */

static void adagrad(const char *test) {
    static const char *const state[] = {"sum"};
    vector_set v = read_set(test, "Adagrad", 1);
    gt_params *params = gt_params_new(NULL, 0);
    begin(params, &v, state, 1);
    gt_optim *opt =
        gt_adagrad(params,
                   (gt_adagrad_options){.rate = v.in[0].values[0],
                                        .rate_decay = onnx_real(&v.node, "decay_factor", 0),
                                        .epsilon = onnx_real(&v.node, "epsilon", 0),
                                        .weight_decay = onnx_real(&v.node, "norm_coefficient", 0),
                                        .name = "onnx"});
    step_and_compare(params, opt, &v, state, 1);
}

Test(optim_onnx, adagrad) {
    if (missing()) cr_skip_test();
    adagrad("test_adagrad");
    adagrad("test_adagrad_multiple");
}

/* ---- Adam: at T = 0 ONNX corrects no bias; ours always does, so the vectors are those of a
 * parameter that has had so many updates that beta^t is 0 and the corrections are 1. (For T > 0
 * ONNX folds them into the rate and adds epsilon to the uncorrected root: our epsilon would be
 * its epsilon / sqrt(1 - beta^T).)
 *
 * The model of test_adam_multiple names no epsilon, whose default is 1e-6, but its outputs were
 * computed with 1e-2: they agree with that value only. ---- */

static void adam(const char *test, double epsilon) {
    static const char *const state[] = {"m", "v"};
    vector_set v = read_set(test, "Adam", 2);
    gt_params *params = gt_params_new(NULL, 0);
    const double late = 1e9;
    char name[64];
    begin(params, &v, state, 2);
    for (int k = 0; k < v.parameters; k++) {
        snprintf(name, sizeof name, "onnx:step:x%d", k);
        cr_assert(gt_param_set(params, name, GT_SCALAR, GT_F64, &late, false));
    }
    gt_optim *opt =
        gt_adam(params, (gt_adam_options){.rate = v.in[0].values[0],
                                          .beta1 = onnx_real(&v.node, "alpha", 0),
                                          .beta2 = onnx_real(&v.node, "beta", 0),
                                          .epsilon = onnx_real(&v.node, "epsilon", epsilon),
                                          .weight_decay = onnx_real(&v.node, "norm_coefficient", 0),
                                          .name = "onnx"});
    step_and_compare(params, opt, &v, state, 2);
}

Test(optim_onnx, adam) {
    if (missing()) cr_skip_test();
    adam("test_adam", 0);
    adam("test_adam_multiple", 1e-2);
}

/* ---- the reader ------------------------------------------------------------------------------ */

/* A tensor [2] of floats 1 and 2, with the name "x". */
static const uint8_t good[] = {0x08, 2, 0x10, 1,    0x42, 1, 'x', 0x4a, 8,
                               0,    0, 0x80, 0x3f, 0,    0, 0,   0x40};

Test(optim_onnx, the_reader_reads_a_tensor_and_refuses_what_is_cut_off) {
    onnx_tensor t;
    cr_assert(onnx_tensor_parse(good, sizeof good, &t));
    cr_assert(t.kind == ONNX_FLOAT && t.shape.rank == 1 && t.count == 2);
    cr_assert(t.values[0] == 1 && t.values[1] == 2);
    onnx_tensor_free(&t);
    for (size_t size = 0; size < sizeof good; size++) {
        uint8_t *copy =
            malloc(size + 1); /* of its own, so that a sanitizer sees a read past the end */
        memcpy(copy, good, size);
        copy = realloc(copy, size ? size : 1);
        cr_assert(!onnx_tensor_parse(copy, size, &t), "%zu bytes", size);
        onnx_tensor_free(&t);
        free(copy);
    }
}

Test(optim_onnx, the_reader_survives_every_changed_byte) {
    size_t size = 0;
    uint8_t *model = onnx_file(FOLDER "test_adam/model.onnx", &size);
    onnx_tensor t;
    onnx_node node;
    int refused = 0;
    uint8_t bytes[sizeof good];
    for (size_t i = 0; i < sizeof good; i++)
        for (int value = 0; value < 256; value++) {
            memcpy(bytes, good, sizeof good);
            bytes[i] = (uint8_t)value;
            refused += !onnx_tensor_parse(bytes, sizeof bytes, &t);
            onnx_tensor_free(&t);
        }
    cr_assert(refused > 1000, "%d", refused);
    for (size_t i = 0; model && i < size; i++)
        for (int bit = 0; bit < 8; bit++) {
            model[i] ^= (uint8_t)(1 << bit);
            onnx_model_parse(model, size, &node);
            model[i] ^= (uint8_t)(1 << bit);
        }
    free(model);
}
