/* nn/recurrent.c: embeddings, and networks that carry a state from step to step.
 *
 * A recurrent layer is a plain loop over time: every step records the same cell over the same
 * parameters, and the sweep sums what the steps say of them. What the inputs contribute does not
 * depend on the state, so it is one product for all steps, before the loop. */
#include <math.h>

#include "nn/accept.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "ops/shape.h"

/* ---- embedding ------------------------------------------------------------------------------ */

gt_tensor gt_embedding(gt_tensor index, const char *name, int64_t vocabulary, int64_t width,
                       gt_dtype dtype) {
    if (!gt_valid(index)) return gt_gather(index, index, 0); /* says what is wrong with index */
    if (!name) return gt_fail(index.tape, "embedding: no name");
    gt_scope_push(index.tape, "%s", name);
    const gt_tensor table =
        gt_param(index.tape, "weight", GT_SHAPE(vocabulary, width), dtype, gt_init_normal(0, 1));
    gt_scope_pop(index.tape);
    return gt_gather(table, index, 0);
}

/* ---- parameters ----------------------------------------------------------------------------- */

/* A kind of cell. Its step is given what the inputs contribute, bias included, [batch, gates
 * hidden]; the new cell state, where there is one, is written to c. */
typedef struct weights weights;
typedef struct kind {
    const char *name;
    int gates;
    bool hidden_bias; /* a bias of the state's own share of the candidate */
    gt_tensor (*step)(const weights *w, gt_tensor inputs, gt_tensor h, gt_tensor *c);
} kind;

struct weights {
    gt_tensor input, hidden, bias, hidden_bias;
    int64_t size; /* hidden units */
};

/* Zeros, but a in the second of four gates. */
static bool fill_forget_bias(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const int64_t n = gt_numel(shape) / 4;
    (void)key;
    for (int64_t i = 0; i < 4 * n; i++) values[i] = i / n == 1 ? init->a : 0;
    return true;
}

static weights weights_of(const kind *k, gt_tensor x, const char *name, int64_t size,
                          gt_init bias) {
    const double bound = size > 0 ? 1 / sqrt((double)size) : 0;
    const gt_init init = gt_init_uniform(-bound, bound);
    const gt_dtype dtype = gt_dtype_of(x);
    gt_tape *tape = x.tape;
    weights w = {.size = size};
    gt_scope_push(tape, "%s", name);
    w.input = gt_param(tape, "input_weight", GT_SHAPE(gt_dim(x, -1), k->gates * size), dtype, init);
    w.hidden = gt_param(tape, "hidden_weight", GT_SHAPE(size, k->gates * size), dtype, init);
    w.bias = gt_param(tape, "bias", GT_SHAPE(k->gates * size), dtype, bias);
    if (k->hidden_bias)
        w.hidden_bias = gt_param(tape, "hidden_bias", GT_SHAPE(size), dtype, gt_init_zeros());
    gt_scope_pop(tape);
    return w;
}

/* What every layer and cell asks of x, of its name and of its size. */
static bool check(const kind *k, gt_tensor x, int rank, const char *name, int64_t size) {
    char text[GT__TENSOR_TEXT];
    if (gt_rank(x) != rank)
        gt_fail(x.tape, "%s: %s is not %s", k->name, gt__tensor_text(x, text),
                rank == 3 ? "[batch, time, inputs]" : "[batch, inputs]");
    else if (!name)
        gt_fail(x.tape, "%s: no name", k->name);
    else if (size < 0 || size > INT32_MAX) /* so that gates times size is a number */
        gt_fail(x.tape, "%s %s: %lld hidden units", k->name, name, (long long)size);
    else
        return true;
    return false;
}

static bool check_state(const kind *k, gt_tensor x, gt_tensor state, int64_t size) {
    char a[GT__TENSOR_TEXT], b[GT__TENSOR_TEXT];
    const gt_shape shape = GT_SHAPE(gt_dim(x, 0), size);
    if (gt_same_shape(gt_shape_of(state), shape) && gt_dtype_of(state) == gt_dtype_of(x))
        return true;
    gt_fail(x.tape, "%s: the state of %s for %s, %s, is not [%lld,%lld], %s", k->name,
            gt__tensor_text(state, a), gt__tensor_text(x, b), gt_dtype_name(gt_dtype_of(state)),
            (long long)shape.dim[0], (long long)size, gt_dtype_name(gt_dtype_of(x)));
    return false;
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* Gates first to last of [batch, gates size]. */
static gt_tensor gates_of(const weights *w, gt_tensor all, int first, int last) {
    return gt_slice(all, 1, first * w->size, (last + 1) * w->size, 1);
}

static gt_tensor rnn_step(const weights *w, gt_tensor inputs, gt_tensor h, gt_tensor *c) {
    (void)c;
    return gt_tanh(gt_add(inputs, gt_matmul(h, w->hidden)));
}

static gt_tensor lstm_step(const weights *w, gt_tensor inputs, gt_tensor h, gt_tensor *c) {
    const gt_tensor all = gt_add(inputs, gt_matmul(h, w->hidden));
    const gt_tensor i = gt_sigmoid(gates_of(w, all, 0, 0));
    const gt_tensor f = gt_sigmoid(gates_of(w, all, 1, 1));
    const gt_tensor g = gt_tanh(gates_of(w, all, 2, 2));
    const gt_tensor o = gt_sigmoid(gates_of(w, all, 3, 3));
    *c = gt_add(gt_mul(f, *c), gt_mul(i, g));
    return gt_mul(o, gt_tanh(*c));
}

/* h' = (1 - z) n + z h, written with one product. */
static gt_tensor gru_step(const weights *w, gt_tensor inputs, gt_tensor h, gt_tensor *c) {
    const gt_tensor state = gt_matmul(h, w->hidden);
    const gt_tensor rz = gt_sigmoid(gt_add(gates_of(w, inputs, 0, 1), gates_of(w, state, 0, 1)));
    const gt_tensor r = gates_of(w, rz, 0, 0), z = gates_of(w, rz, 1, 1);
    const gt_tensor remembered = gt_add(gates_of(w, state, 2, 2), w->hidden_bias);
    const gt_tensor n = gt_tanh(gt_add(gates_of(w, inputs, 2, 2), gt_mul(r, remembered)));
    (void)c;
    return gt_add(n, gt_mul(z, gt_sub(h, n)));
}

static const kind rnn = {"rnn", 1, false, rnn_step};
static const kind lstm = {"lstm", 4, false, lstm_step};
static const kind gru = {"gru", 3, true, gru_step};

static gt_tensor one_step(const kind *k, gt_tensor x, gt_tensor h, gt_tensor *c, const char *name) {
    if (!gt_valid(x) || !gt_valid(h)) return gt_add(x, h); /* says which is no tensor */
    if (c && !gt_valid(*c)) return gt_add(x, *c);
    char text[GT__TENSOR_TEXT];
    if (gt_rank(h) != 2)
        return gt_fail(x.tape, "%s: the state %s is not [batch, hidden]", k->name,
                       gt__tensor_text(h, text));
    const int64_t size = gt_dim(h, 1);
    if (!check(k, x, 2, name, size) || !check_state(k, x, h, size)) return gt__refused(x);
    if (c && !check_state(k, x, *c, size)) return gt__refused(x);
    const weights w = weights_of(k, x, name, size, gt_init_zeros());
    return k->step(&w, gt_add(gt_matmul(x, w.input), w.bias), h, c);
}

gt_tensor gt_rnn_cell(gt_tensor x, gt_tensor h, const char *name) {
    return one_step(&rnn, x, h, NULL, name);
}

gt_tensor gt_lstm_cell(gt_tensor x, gt_tensor h, gt_tensor *c, const char *name) {
    if (!c) return gt_fail(x.tape, "lstm: no cell state");
    const gt_tensor next = one_step(&lstm, x, h, c, name);
    if (!gt_valid(next)) *c = next;
    return next;
}

gt_tensor gt_gru_cell(gt_tensor x, gt_tensor h, const char *name) {
    return one_step(&gru, x, h, NULL, name);
}

/* ---- sequences ------------------------------------------------------------------------------ */

/* An absent state is zeros. False when it does not fit x. */
static bool begin_state(const kind *k, gt_tensor x, gt_tensor *state, int64_t size) {
    if (!gt_is_none(*state)) return check_state(k, x, *state, size);
    *state = gt_zeros(x.tape, GT_SHAPE(gt_dim(x, 0), size), gt_dtype_of(x));
    return gt_valid(*state);
}

/* The states after each step, [batch, time, size]. */
static gt_tensor unroll(const kind *k, const weights *w, gt_tensor x, gt_tensor *h, gt_tensor *c) {
    const int64_t time = gt_dim(x, 1);
    const gt_tensor inputs = gt_add(gt_matmul(x, w->input), w->bias);
    if (time == 0) return gt_zeros(x.tape, GT_SHAPE(gt_dim(x, 0), 0, w->size), gt_dtype_of(x));
    gt_params *params = gt_tape_params(x.tape);
    const size_t bytes = (size_t)time * sizeof(gt_tensor);
    gt_tensor *all = time <= INT32_MAX ? gt_params_alloc(params, NULL, 0, bytes) : NULL;
    if (!all) return gt_fail(x.tape, "%s: no memory for %lld steps", k->name, (long long)time);
    for (int64_t t = 0; t < time && gt_valid(*h); t++) {
        *h = k->step(w, gt_select(inputs, 1, t), *h, c);
        all[t] = *h;
    }
    const gt_tensor y = gt_valid(*h) ? gt_stack(gt_list_of((int)time, all), 1) : *h;
    gt_params_alloc(params, all, bytes, 0);
    return y;
}

/* c is NULL for kinds that have no cell state. h and c are the initial states, and become the final
 * ones. */
static gt_tensor sequence(const kind *k, gt_tensor x, const char *name, int64_t size, gt_init bias,
                          gt_tensor *h, gt_tensor *c) {
    if (!gt_valid(x)) return gt_matmul(x, x); /* says what is wrong with x */
    if (!gt_is_none(*h) && !gt_valid(*h)) return gt_add(x, *h);
    if (c && !gt_is_none(*c) && !gt_valid(*c)) return gt_add(x, *c);
    if (!check(k, x, 3, name, size)) return gt__refused(x);
    if (!begin_state(k, x, h, size) || (c && !begin_state(k, x, c, size))) return gt__refused(x);
    const weights w = weights_of(k, x, name, size, bias);
    return unroll(k, &w, x, h, c);
}

static void give(gt_tensor *to, gt_tensor state, gt_tensor y) {
    if (to) *to = gt_valid(y) ? state : y;
}

static gt_tensor without_cell(const kind *k, gt_tensor x, const char *name, int64_t size,
                              const gt_recurrent_options *options) {
    gt_tensor h = options->initial;
    const gt_tensor y = sequence(k, x, name, size, gt_init_zeros(), &h, NULL);
    give(options->final, h, y);
    return y;
}

gt_tensor gt_rnn(gt_tensor x, const char *name, int64_t hidden, gt_recurrent_options options) {
    return without_cell(&rnn, x, name, hidden, &options);
}

gt_tensor gt_gru(gt_tensor x, const char *name, int64_t hidden, gt_recurrent_options options) {
    return without_cell(&gru, x, name, hidden, &options);
}

gt_tensor gt_lstm(gt_tensor x, const char *name, int64_t hidden, gt_lstm_options options) {
    const gt_init bias = {fill_forget_bias, options.forget_bias, 0};
    gt_tensor h = options.initial, c = options.initial_cell;
    const gt_tensor y = sequence(&lstm, x, name, hidden, bias, &h, &c);
    give(options.final, h, y);
    give(options.final_cell, c, y);
    return y;
}

/* ---- samples -------------------------------------------------------------------------------- */

static gt_tensor embedding_samples(gt_samples *s, int i) {
    const double beyond[4] = {0, 1, 5, 2};
    const gt_dtype dtype = gt_sample_dtype(s);
    switch (i) {
    case 0: return gt_embedding(gt_sample_int(s, GT_SHAPE(4), GT_I32, 5), "table", 5, 3, dtype);
    case 1: return gt_embedding(gt_sample_int(s, GT_SHAPE(2, 3), GT_I64, 4), "table", 4, 2, dtype);
    case 2: return gt_embedding(gt_sample_int(s, GT_SCALAR, GT_I32, 3), "table", 3, 2, dtype);
    case 3: return gt_embedding(gt_sample_int(s, GT_SHAPE(0), GT_I32, 3), "table", 3, 2, dtype);
    case 4: {
        const gt_tensor index = gt_sample_values(s, GT_SHAPE(2, 2), GT_I32, beyond);
        return gt_sample_bad(s, "index 5 at [1,0]"), gt_embedding(index, "table", 5, 3, dtype);
    }
    case 5:
        gt_sample_bad(s, "i32 or i64 are needed");
        return gt_embedding(gt_sample(s, GT_SHAPE(4)), "table", 5, 3, dtype);
    case 6:
        gt_sample_bad(s, "is negative");
        return gt_embedding(gt_sample_int(s, GT_SHAPE(4), GT_I32, 5), "table", -5, 3, dtype);
    case 7:
        gt_sample_bad(s, "no name");
        return gt_embedding(gt_sample_int(s, GT_SHAPE(4), GT_I32, 5), NULL, 5, 3, dtype);
    default: return gt_samples_end(s);
    }
}

typedef gt_tensor (*layer)(gt_tensor x, const char *name, int64_t hidden,
                           gt_recurrent_options options);
typedef gt_tensor (*cell)(gt_tensor x, gt_tensor h, const char *name);

static gt_tensor with_initial(gt_samples *s, layer f, gt_shape shape) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 2)), h = gt_sample(s, shape);
    return f(x, "layer", 3, (gt_recurrent_options){.initial = h});
}

/* The outputs and the final state in one result. */
static gt_tensor with_final(gt_samples *s, layer f) {
    gt_tensor last = gt_none();
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 2, 3));
    const gt_tensor y = f(x, "layer", 2, (gt_recurrent_options){.final = &last});
    return gt_concat(GT_LIST(y, gt_unsqueeze(gt_square(last), 1)), 1);
}

static gt_tensor bad_layer(gt_samples *s, int i, layer f) {
    const gt_recurrent_options none = {.final = NULL};
    const gt_tensor x = gt_sample(s, i == 0 ? GT_SHAPE(2, 3) : GT_SHAPE(2, 3, 2));
    switch (i) {
    case 0: return gt_sample_bad(s, "is not [batch, time, inputs]"), f(x, "layer", 3, none);
    case 1: return gt_sample_bad(s, "no name"), f(x, NULL, 3, none);
    case 2: return gt_sample_bad(s, "-3 hidden units"), f(x, "layer", -3, none);
    case 3: return gt_sample_bad(s, "2305843009213693952 hidden"), f(x, "layer", 1LL << 61, none);
    case 4:
        return gt_sample_bad(s, "i32 is no dtype of a trainable"),
               f(gt_cast(x, GT_I32), "layer", 3, none);
    default: return gt_samples_end(s);
    }
}

static gt_tensor layer_samples(gt_samples *s, int i, layer f) {
    const gt_recurrent_options none = {.final = NULL};
    switch (i) {
    case 0: return f(gt_sample(s, GT_SHAPE(2, 3, 4)), "layer", 2, none);
    case 1: return with_initial(s, f, GT_SHAPE(2, 3));
    case 2: return with_final(s, f);
    case 3: return f(gt_sample(s, GT_SHAPE(1, 1, 1)), "layer", 1, none);
    case 4: return f(gt_sample(s, GT_SHAPE(0, 2, 2)), "layer", 2, none);
    case 5: return f(gt_sample(s, GT_SHAPE(2, 2, 0)), "layer", 2, none);
    case 6: return f(gt_sample(s, GT_SHAPE(2, 2, 2)), "layer", 0, none);
    case 7: return gt_sample_no_gradient(s), f(gt_sample(s, GT_SHAPE(2, 0, 2)), "layer", 2, none);
    case 8: return gt_sample_bad(s, "is not [2,3]"), with_initial(s, f, GT_SHAPE(3, 2));
    default: return bad_layer(s, i - 9, f);
    }
}

static gt_tensor cell_samples(gt_samples *s, int i, cell f) {
    const gt_tensor x = gt_sample(s, i == 2 ? GT_SHAPE(2, 3, 1) : GT_SHAPE(2, 3));
    const gt_tensor h = gt_sample(s, i == 3 ? GT_SHAPE(3, 2) : GT_SHAPE(2, 2));
    switch (i) {
    case 0: return f(x, h, "layer");
    case 1: return f(x, f(x, h, "layer"), "layer");
    case 2: return gt_sample_bad(s, "is not [batch, inputs]"), f(x, h, "layer");
    case 3: return gt_sample_bad(s, "is not [2,2]"), f(x, h, "layer");
    case 4: return gt_sample_bad(s, "no name"), f(x, h, NULL);
    case 5:
        return gt_sample_bad(s, "is not [batch, hidden]"), f(x, gt_sum(h, GT_ALL, false), "layer");
    default: return gt_samples_end(s);
    }
}

static gt_tensor rnn_samples(gt_samples *s, int i) { return layer_samples(s, i, gt_rnn); }
static gt_tensor gru_samples(gt_samples *s, int i) { return layer_samples(s, i, gt_gru); }
static gt_tensor rnn_cell_samples(gt_samples *s, int i) { return cell_samples(s, i, gt_rnn_cell); }
static gt_tensor gru_cell_samples(gt_samples *s, int i) { return cell_samples(s, i, gt_gru_cell); }

/* As a layer with one state: the cell state begins and ends as h does. */
static gt_tensor lstm_layer(gt_tensor x, const char *name, int64_t hidden,
                            gt_recurrent_options options) {
    gt_tensor c = gt_none();
    const gt_lstm_options more = {.initial = options.initial,
                                  .initial_cell = options.initial,
                                  .final = options.final,
                                  .final_cell = &c,
                                  .forget_bias = 1};
    const gt_tensor y = gt_lstm(x, name, hidden, more);
    if (options.final) *options.final = gt_mul(*options.final, c);
    return y;
}

static gt_tensor lstm_samples(gt_samples *s, int i) { return layer_samples(s, i, lstm_layer); }

static gt_tensor lstm_cell(gt_tensor x, gt_tensor h, const char *name) {
    gt_tensor c = gt_rank(h) == 2 ? gt_flip(h, GT_ALL) : h;
    return gt_mul(gt_lstm_cell(x, h, &c, name), c);
}

static gt_tensor lstm_cell_samples(gt_samples *s, int i) {
    if (i < 6) return cell_samples(s, i, lstm_cell);
    if (i > 7) return gt_samples_end(s);
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3)), h = gt_sample(s, GT_SHAPE(2, 2));
    gt_tensor c = gt_sample(s, GT_SHAPE(2, 1));
    gt_sample_bad(s, i == 6 ? "is not [2,2]" : "no cell state");
    return gt_lstm_cell(x, h, i == 6 ? &c : NULL, "layer");
}

const gt_composition gt__layer_embedding = {"embedding", embedding_samples};
const gt_composition gt__layer_rnn = {"rnn", rnn_samples};
const gt_composition gt__layer_lstm = {"lstm", lstm_samples};
const gt_composition gt__layer_gru = {"gru", gru_samples};
const gt_composition gt__layer_rnn_cell = {"rnn_cell", rnn_cell_samples};
const gt_composition gt__layer_lstm_cell = {"lstm_cell", lstm_cell_samples};
const gt_composition gt__layer_gru_cell = {"gru_cell", gru_cell_samples};
