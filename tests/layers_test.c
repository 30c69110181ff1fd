/* tests/layers_test.c: layers for sequences beside plain loops in doubles, written from the formulas. */
#include <criterion/criterion.h>

#include "support/quick.h"

enum { BATCH = 2, TIME = 5, INPUTS = 4, HIDDEN = 3, MOST = 400 };

/* Numbers from -1 to 1; which tells the arrays of one test apart. */
static double *draw(double *to, int64_t n, uint64_t which) {
    for (int64_t i = 0; i < n; i++) to[i] = 2 * gt_uniform(11, which, (uint64_t)i) - 1;
    return to;
}

/* Gives the parameter random values, which are left in to. */
static double *give(gt_params *params, const char *name, gt_shape shape, double *to) {
    uint64_t which = 100;
    for (const char *c = name; *c; c++) which = which * 31 + (uint64_t)*c;
    draw(to, gt_numel(shape), which);
    cr_assert(gt_param_set(params, name, shape, GT_F64, to, true), "%s", gt_params_error(params));
    return to;
}

static void expect_near(gt_tensor t, const double *expected, double tolerance) {
    const double *is = gt_data(t);
    cr_assert_not_null(is, "%s", gt_error(t.tape));
    for (int64_t i = 0; i < gt_numel(gt_shape_of(t)); i++)
        cr_assert(quick_near(is[i], expected[i], tolerance), "element %lld: %.17g, not %.17g",
                  (long long)i, is[i], expected[i]);
}

static const double *gradient_of(gt_params *params, const char *name) {
    gt_param_info info;
    cr_assert(gt_params_find(params, name, &info) && info.grad, "%s has no gradient", name);
    return info.grad;
}

static int count_products(gt_tape *tape) {
    int count = 0;
    for (uint32_t i = 0; i < gt_tape_size(tape); i++) {
        const gt_tensor t = gt_tensor_at(tape, i);
        count += !gt_is_leaf(t) && strcmp(gt_op_of(t)->name, "matmul") == 0;
    }
    return count;
}

/* ---- recurrent layers ------------------------------------------------------------------------------------ */

typedef struct cell {
    int gates;
    double input[MOST], hidden[MOST], bias[MOST], hidden_bias[MOST];
} cell;

static void give_cell(gt_params *params, int gates, cell *w) {
    w->gates = gates;
    give(params, "net/input_weight", GT_SHAPE(INPUTS, gates * HIDDEN), w->input);
    give(params, "net/hidden_weight", GT_SHAPE(HIDDEN, gates * HIDDEN), w->hidden);
    give(params, "net/bias", GT_SHAPE(gates * HIDDEN), w->bias);
    if (gates == 3) give(params, "net/hidden_bias", GT_SHAPE(HIDDEN), w->hidden_bias);
}

static double of_input(const cell *w, const double *x, int gate, int j) {
    double sum = w->bias[gate * HIDDEN + j];
    for (int i = 0; i < INPUTS; i++) sum += x[i] * w->input[(i * w->gates + gate) * HIDDEN + j];
    return sum;
}

static double of_state(const cell *w, const double *h, int gate, int j) {
    double sum = 0;
    for (int i = 0; i < HIDDEN; i++) sum += h[i] * w->hidden[(i * w->gates + gate) * HIDDEN + j];
    return sum;
}

static double both(const cell *w, const double *x, const double *h, int gate, int j) {
    return of_input(w, x, gate, j) + of_state(w, h, gate, j);
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* One step of one example: next is the state, c the cell state. */
typedef void (*step)(const cell *w, const double *x, const double *h, double *c, double *next);

static void rnn_step(const cell *w, const double *x, const double *h, double *c, double *next) {
    (void)c;
    for (int j = 0; j < HIDDEN; j++) next[j] = tanh(both(w, x, h, 0, j));
}

static void lstm_step(const cell *w, const double *x, const double *h, double *c, double *next) {
    for (int j = 0; j < HIDDEN; j++) {
        const double i = sigmoid(both(w, x, h, 0, j)), f = sigmoid(both(w, x, h, 1, j));
        const double g = tanh(both(w, x, h, 2, j)), o = sigmoid(both(w, x, h, 3, j));
        c[j] = f * c[j] + i * g;
        next[j] = o * tanh(c[j]);
    }
}

static void gru_step(const cell *w, const double *x, const double *h, double *c, double *next) {
    (void)c;
    for (int j = 0; j < HIDDEN; j++) {
        const double r = sigmoid(both(w, x, h, 0, j)), z = sigmoid(both(w, x, h, 1, j));
        const double remembered = of_state(w, h, 2, j) + w->hidden_bias[j];
        const double n = tanh(of_input(w, x, 2, j) + r * remembered);
        next[j] = (1 - z) * n + z * h[j];
    }
}

/* x [BATCH, TIME, INPUTS]; h and c [BATCH, HIDDEN] become the final states; y gets every state. */
static void run_loop(const cell *w, step f, const double *x, double *h, double *c, double *y) {
    for (int b = 0; b < BATCH; b++) {
        for (int t = 0; t < TIME; t++) {
            double *next = y + (b * TIME + t) * HIDDEN;
            f(w, x + (b * TIME + t) * INPUTS, h + b * HIDDEN, c + b * HIDDEN, next);
            memcpy(h + b * HIDDEN, next, HIDDEN * sizeof *h);
        }
    }
}

/* The layer under test, as if every kind had a cell state. */
static gt_tensor network(int gates, gt_tensor x, gt_tensor *h, gt_tensor *c) {
    if (gates == 4) {
        const gt_lstm_options options = {.initial = *h,
                                         .initial_cell = *c,
                                         .final = h,
                                         .final_cell = c};
        return gt_lstm(x, "net", HIDDEN, options);
    }
    const gt_recurrent_options options = {.initial = *h, .final = h};
    return gates == 3 ? gt_gru(x, "net", HIDDEN, options) : gt_rnn(x, "net", HIDDEN, options);
}

static gt_tensor network_cell(int gates, gt_tensor x, gt_tensor h, gt_tensor *c, const char *name) {
    if (gates == 4) return gt_lstm_cell(x, h, c, name);
    return gates == 3 ? gt_gru_cell(x, h, name) : gt_rnn_cell(x, h, name);
}

static void compare_with_loop(int gates, step f) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    cell w = {0};
    double xs[MOST], hs[MOST], cs[MOST], ys[MOST];
    give_cell(params, gates, &w);
    draw(xs, BATCH * TIME * INPUTS, 1);
    draw(hs, BATCH * HIDDEN, 2);
    draw(cs, BATCH * HIDDEN, 3);
    const gt_tensor x = gt_input(tape, xs, GT_SHAPE(BATCH, TIME, INPUTS), GT_F64);
    gt_tensor h = gt_input(tape, hs, GT_SHAPE(BATCH, HIDDEN), GT_F64);
    gt_tensor c = gt_input(tape, cs, GT_SHAPE(BATCH, HIDDEN), GT_F64);
    gt_tensor h_of_cell = h, c_of_cell = c;
    const gt_tensor y = network(gates, x, &h, &c);
    cr_assert_eq(count_products(tape), 1 + TIME, "the inputs' product is one");
    for (int t = 0; t < TIME; t++)
        h_of_cell = network_cell(gates, gt_select(x, 1, t), h_of_cell, &c_of_cell, "net");
    run_loop(&w, f, xs, hs, cs, ys);
    expect_near(y, ys, 1e-14);
    expect_near(h, hs, 1e-14);
    expect_near(h_of_cell, hs, 1e-14);
    expect_near(c, cs, 1e-14);
    expect_near(c_of_cell, cs, 1e-14);
    cr_assert_eq(gt_params_count(params), gates == 3 ? 4 : 3, "layer and cell share parameters");
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(layers, rnn_is_its_formula) { compare_with_loop(1, rnn_step); }
Test(layers, lstm_is_its_formula) { compare_with_loop(4, lstm_step); }
Test(layers, gru_is_its_formula) { compare_with_loop(3, gru_step); }

Test(layers, an_absent_state_is_zeros) {
    for (int gates = 1; gates <= 4; gates += gates == 1 ? 2 : 1) {
        gt_tape *tape = gt_tape_new(NULL);
        double xs[MOST];
        draw(xs, BATCH * TIME * INPUTS, 1);
        const gt_tensor x = gt_input(tape, xs, GT_SHAPE(BATCH, TIME, INPUTS), GT_F64);
        const gt_tensor zeros = gt_zeros(tape, GT_SHAPE(BATCH, HIDDEN), GT_F64);
        gt_tensor h = gt_none(), c = gt_none(), h_zero = zeros, c_zero = zeros;
        const gt_tensor y = network(gates, x, &h, &c), same = network(gates, x, &h_zero, &c_zero);
        expect_near(y, gt_data(same), 0);
        expect_near(h, gt_data(h_zero), 0);
        gt_tape_free(tape);
    }
}

/* The same unrolled network with one set of weights, and with a set of its own in each step. */
static void expect_sum(gt_params *params, const char *part) {
    char name[100];
    double sum[MOST] = {0};
    gt_param_info info;
    for (int t = 0; t < TIME; t++) {
        snprintf(name, sizeof name, "step%d/%s", t, part);
        const double *g = gradient_of(params, name);
        gt_params_find(params, name, &info);
        for (int64_t i = 0; i < gt_numel(info.shape); i++) sum[i] += g[i];
    }
    snprintf(name, sizeof name, "net/%s", part);
    const double *shared = gradient_of(params, name);
    for (int64_t i = 0; i < gt_numel(info.shape); i++) {
        cr_assert(shared[i] != 0);
        cr_assert(quick_near(shared[i], sum[i], 1e-13), "%s: %.17g, not %.17g", name, shared[i],
                  sum[i]);
    }
}

Test(layers, weights_shared_across_steps_get_summed_gradients) {
    static const char *const part[] = {"input_weight", "hidden_weight", "bias", "hidden_bias"};
    for (int gates = 1; gates <= 4; gates += gates == 1 ? 2 : 1) {
        gt_params *params = gt_params_new(NULL, 1);
        gt_tape *tape = gt_tape_new(params);
        double xs[MOST], state[MOST];
        const gt_tensor x = gt_input(tape, draw(xs, BATCH * TIME * INPUTS, 1),
                                     GT_SHAPE(BATCH, TIME, INPUTS), GT_F64);
        gt_tensor h =
            gt_input(tape, draw(state, BATCH * HIDDEN, 2), GT_SHAPE(BATCH, HIDDEN), GT_F64);
        gt_tensor c = h, h_apart = h, c_apart = h;
        gt_param_info info;
        network(gates, x, &h, &c);
        for (int t = 0; t < TIME; t++) {
            char to[100], from[100], name[100];
            for (int k = 0; k < (gates == 3 ? 4 : 3); k++) {
                snprintf(from, sizeof from, "net/%s", part[k]);
                snprintf(to, sizeof to, "step%d/%s", t, part[k]);
                cr_assert(gt_params_find(params, from, &info));
                cr_assert(gt_param_set(params, to, info.shape, GT_F64, info.data, true));
            }
            snprintf(name, sizeof name, "step%d", t);
            h_apart = network_cell(gates, gt_select(x, 1, t), h_apart, &c_apart, name);
        }
        const gt_tensor loss =
            gt_add(gt_sum(gt_square(h), GT_ALL, false), gt_sum(gt_square(h_apart), GT_ALL, false));
        cr_assert(gt_backward(loss), "%s", gt_error(tape));
        for (int k = 0; k < (gates == 3 ? 4 : 3); k++) expect_sum(params, part[k]);
        gt_tape_free(tape);
        gt_params_free(params);
    }
}

/* Batches of steps, the state kept in buffers between them, and all steps at once. */
Test(layers, a_state_is_carried_from_batch_to_batch) {
    enum { PARTS = 3, ALL = PARTS * TIME };
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    double xs[ALL * INPUTS], apart[ALL * HIDDEN];
    draw(xs, ALL * INPUTS, 1);
    for (int p = 0; p < PARTS; p++) {
        const gt_tensor x =
            gt_input(tape, xs + p * TIME * INPUTS, GT_SHAPE(1, TIME, INPUTS), GT_F64);
        const gt_tensor kept_h = gt_buffer(tape, "h", GT_SHAPE(1, HIDDEN), GT_F64);
        const gt_tensor kept_c = gt_buffer(tape, "c", GT_SHAPE(1, HIDDEN), GT_F64);
        gt_tensor h = kept_h, c = kept_c;
        const gt_tensor y = gt_keep(network(4, x, &h, &c));
        gt_assign(kept_h, h);
        gt_assign(kept_c, c);
        cr_assert(gt_backward(gt_sum(gt_square(y), GT_ALL, false)), "%s", gt_error(tape));
        memcpy(apart + p * TIME * HIDDEN, gt_data(y), TIME * HIDDEN * sizeof *apart);
        gt_tape_reset(tape);
    }
    const gt_tensor x = gt_input(tape, xs, GT_SHAPE(1, ALL, INPUTS), GT_F64);
    gt_tensor h = gt_none(), c = gt_none();
    const gt_tensor y = network(4, x, &h, &c);
    expect_near(y, apart, 1e-15);
    expect_near(h, gt_data(gt_buffer(tape, "h", GT_SHAPE(1, HIDDEN), GT_F64)), 1e-15);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* A sequence that is computed with the step, and not kept, is there when its gradient needs it. */
Test(layers, a_sequence_may_be_computed) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    double numbers[BATCH * TIME * INPUTS], first[MOST];
    for (int round = 0; round < 2; round++) {
        const gt_shape shape = GT_SHAPE(BATCH, TIME, INPUTS);
        gt_params_set_ordinal(params, 7);
        gt_tensor x = gt_randn(tape, shape, GT_F64);
        if (round == 1) {
            memcpy(numbers, gt_data(x), sizeof numbers);
            x = gt_input(tape, numbers, shape, GT_F64);
        }
        gt_tensor h = gt_none(), c = gt_none();
        gt_zero_grad(params, NULL);
        const gt_tensor y = network(4, x, &h, &c);
        cr_assert(gt_backward(gt_sum(gt_square(y), GT_ALL, false)), "%s", gt_error(tape));
        const double *g = gradient_of(params, "net/input_weight");
        for (int i = 0; i < INPUTS * 4 * HIDDEN; i++) {
            if (round == 0) first[i] = g[i];
            cr_assert(g[i] == first[i] && g[i] != 0, "element %d", i);
        }
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(layers, the_forget_gate_may_begin_open) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_param_info info;
    gt_lstm(gt_zeros(tape, GT_SHAPE(1, 1, 2), GT_F64), "net", 2,
            (gt_lstm_options){.forget_bias = 1});
    cr_assert(gt_params_find(params, "net/bias", &info));
    const double expected[8] = {0, 0, 1, 1, 0, 0, 0, 0}, *bias = info.data;
    for (int i = 0; i < 8; i++) cr_assert_eq(bias[i], expected[i]);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* ---- embedding ------------------------------------------------------------------------------------------- */

Test(layers, an_embedding_picks_rows_and_sums_their_gradients) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    const int32_t index[6] = {2, 0, 2, 2, 4, 0};
    const gt_tensor i = gt_input(tape, index, GT_SHAPE(2, 3), GT_I32);
    const gt_tensor y = gt_embedding(i, "words", 5, 2, GT_F64);
    cr_assert(gt_same_shape(gt_shape_of(y), GT_SHAPE(2, 3, 2)));
    cr_assert(gt_backward(gt_sum(gt_keep(y), GT_ALL, false)), "%s", gt_error(tape));
    gt_param_info info;
    cr_assert(gt_params_find(params, "words/weight", &info));
    const double *table = info.data, *row = gt_data(y), *gradient = info.grad;
    const double uses[5] = {2, 0, 3, 0, 1};
    for (int k = 0; k < 12; k++) cr_assert_eq(row[k], table[2 * index[k / 2] + k % 2]);
    for (int k = 0; k < 10; k++) cr_assert_eq(gradient[k], uses[k / 2]);
    gt_tape_free(tape);
    gt_params_free(params);
}

Test(layers, an_index_out_of_range_is_named) {
    gt_tape *tape = gt_tape_new(NULL);
    const int64_t index[3] = {1, 0, -1};
    const gt_tensor words = gt_name(gt_input(tape, index, GT_SHAPE(3), GT_I64), "words");
    cr_assert_null(gt_data(gt_embedding(words, "table", 2, 4, GT_F32)));
    cr_assert(quick_failed_with(tape, "index -1 at [2] of words[3] is out of range"), "%s",
              gt_error(tape));
    gt_tape_free(tape);
}

/* ---- attention ------------------------------------------------------------------------------------------- */

/* One head over rows that are `row` apart: q [queries], k and v [keys], width elements each, starting at the
 * given places. added is [queries, keys]; a query with nothing but -inf gets zeros. */
static void attend(const double *q, const double *k, const double *v, int queries, int keys,
                   int width, int row, const double *added, double *y) {
    for (int i = 0; i < queries; i++) {
        double share[MOST], total = 0;
        for (int j = 0; j < keys; j++) {
            double dot = 0;
            for (int e = 0; e < width; e++) dot += q[i * row + e] * k[j * row + e];
            total += share[j] = exp(dot / sqrt(width) + (added ? added[i * keys + j] : 0));
        }
        for (int e = 0; e < width; e++) {
            y[i * row + e] = 0;
            for (int j = 0; j < keys && total > 0; j++)
                y[i * row + e] += share[j] / total * v[j * row + e];
        }
    }
}

enum { QUERIES = 3, KEYS = 4, WIDTH = 4 };
static const double hides = -(double)INFINITY;

Test(layers, attention_is_its_formula) {
    gt_tape *tape = gt_tape_new(NULL);
    double q[MOST], k[MOST], v[MOST], y[MOST], added[MOST];
    const double masked[QUERIES * KEYS] = {0,     hides, 0, 0, hides, hides,
                                           hides, hides, 0, 0, 0,     hides};
    bool seen[QUERIES * KEYS];
    for (int i = 0; i < QUERIES * KEYS; i++) seen[i] = masked[i] == 0;
    const gt_tensor a =
        gt_input(tape, draw(q, QUERIES * WIDTH, 1), GT_SHAPE(QUERIES, WIDTH), GT_F64);
    const gt_tensor b = gt_input(tape, draw(k, KEYS * WIDTH, 2), GT_SHAPE(KEYS, WIDTH), GT_F64);
    const gt_tensor c = gt_input(tape, draw(v, KEYS * WIDTH, 3), GT_SHAPE(KEYS, WIDTH), GT_F64);
    const gt_shape scores = GT_SHAPE(QUERIES, KEYS);
    attend(q, k, v, QUERIES, KEYS, WIDTH, WIDTH, NULL, y);
    expect_near(gt_attention(a, b, c, gt_none()), y, 1e-14);
    attend(q, k, v, QUERIES, KEYS, WIDTH, WIDTH, draw(added, QUERIES * KEYS, 4), y);
    expect_near(gt_attention(a, b, c, gt_input(tape, added, scores, GT_F64)), y, 1e-14);
    attend(q, k, v, QUERIES, KEYS, WIDTH, WIDTH, masked, y);
    expect_near(gt_attention(a, b, c, gt_input(tape, masked, scores, GT_F64)), y, 1e-14);
    expect_near(gt_attention(a, b, c, gt_input(tape, seen, scores, GT_BOOL)), y, 1e-14);
    gt_tape_free(tape);
}

Test(layers, a_query_that_sees_nothing_gets_zeros_and_passes_no_gradient) {
    gt_tape *tape = gt_tape_new(NULL);
    double q[MOST], k[MOST];
    const bool seen[2] = {true, false};
    const gt_tensor a = gt_input(tape, draw(q, 2 * WIDTH, 1), GT_SHAPE(2, WIDTH), GT_F64);
    const gt_tensor b = gt_input(tape, draw(k, KEYS * WIDTH, 2), GT_SHAPE(KEYS, WIDTH), GT_F64);
    const gt_tensor y = gt_attention(a, b, b, gt_input(tape, seen, GT_SHAPE(2, 1), GT_BOOL));
    const gt_tensor blind = gt_select(y, 0, 1);
    const double zeros[KEYS * WIDTH] = {0};
    expect_near(blind, zeros, 0);
    const gt_tensor loss = gt_sum(gt_add_scalar(blind, 1), GT_ALL, false);
    expect_near(gt_grad(loss, a), zeros, 0);
    expect_near(gt_grad(loss, b), zeros, 0);
    gt_tape_free(tape);
}

/* ---- heads and blocks ------------------------------------------------------------------------------------ */

typedef struct linear {
    int in, out;
    double weight[MOST], bias[MOST];
} linear;

static void give_linear(gt_params *params, const char *name, int in, int out, linear *w) {
    char text[100];
    w->in = in;
    w->out = out;
    snprintf(text, sizeof text, "%s/weight", name);
    give(params, text, GT_SHAPE(in, out), w->weight);
    snprintf(text, sizeof text, "%s/bias", name);
    give(params, text, GT_SHAPE(out), w->bias);
}

static void apply(const linear *w, const double *x, int rows, double *y) {
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < w->out; j++) {
            double sum = w->bias[j];
            for (int i = 0; i < w->in; i++) sum += x[r * w->in + i] * w->weight[i * w->out + j];
            y[r * w->out + j] = sum;
        }
    }
}

enum { HEADS = 2, STEPS = 3 };
typedef struct heads {
    linear query, key, value, output;
} heads;

static void give_heads(gt_params *params, const char *name, int memory_width, heads *w) {
    char text[100];
    snprintf(text, sizeof text, "%s/query", name);
    give_linear(params, text, WIDTH, WIDTH, &w->query);
    snprintf(text, sizeof text, "%s/key", name);
    give_linear(params, text, memory_width, WIDTH, &w->key);
    snprintf(text, sizeof text, "%s/value", name);
    give_linear(params, text, memory_width, WIDTH, &w->value);
    snprintf(text, sizeof text, "%s/output", name);
    give_linear(params, text, WIDTH, WIDTH, &w->output);
}

/* One example: x [queries, WIDTH], memory [keys, ...]. */
static void run_heads(const heads *w, const double *x, int queries, const double *memory, int keys,
                      const double *added, double *y) {
    double q[MOST], k[MOST], v[MOST], each[MOST];
    apply(&w->query, x, queries, q);
    apply(&w->key, memory, keys, k);
    apply(&w->value, memory, keys, v);
    for (int h = 0; h < HEADS; h++) {
        const int at = h * WIDTH / HEADS;
        attend(q + at, k + at, v + at, queries, keys, WIDTH / HEADS, WIDTH, added, each + at);
    }
    apply(&w->output, each, queries, y);
}

static const double causal[STEPS * STEPS] = {0, hides, hides, 0, 0, hides, 0, 0, 0};

Test(layers, multi_head_attention_is_its_formula) {
    enum { FAR = 5 };
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    heads near, far;
    double xs[MOST], ms[MOST], y[MOST];
    give_heads(params, "near", WIDTH, &near);
    give_heads(params, "far", FAR, &far);
    draw(xs, BATCH * STEPS * WIDTH, 1);
    draw(ms, BATCH * KEYS * FAR, 2);
    const gt_tensor x = gt_input(tape, xs, GT_SHAPE(BATCH, STEPS, WIDTH), GT_F64);
    const gt_tensor memory = gt_input(tape, ms, GT_SHAPE(BATCH, KEYS, FAR), GT_F64);
    for (int b = 0; b < BATCH; b++) {
        const double *own = xs + b * STEPS * WIDTH;
        run_heads(&near, own, STEPS, own, STEPS, causal, y + b * STEPS * WIDTH);
    }
    expect_near(gt_multi_head_attention(x, "near", HEADS, (gt_attention_options){.causal = true}),
                y, 1e-14);
    for (int b = 0; b < BATCH; b++)
        run_heads(&far, xs + b * STEPS * WIDTH, STEPS, ms + b * KEYS * FAR, KEYS, NULL,
                  y + b * STEPS * WIDTH);
    expect_near(gt_multi_head_attention(x, "far", HEADS, (gt_attention_options){.memory = memory}),
                y, 1e-14);
    gt_tape_free(tape);
    gt_params_free(params);
}

static void normalize(gt_params *params, const char *name, const double *x, int rows, double *y) {
    char text[100];
    double weight[WIDTH], bias[WIDTH];
    snprintf(text, sizeof text, "%s/weight", name);
    give(params, text, GT_SHAPE(WIDTH), weight);
    snprintf(text, sizeof text, "%s/bias", name);
    give(params, text, GT_SHAPE(WIDTH), bias);
    for (int r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (int e = 0; e < WIDTH; e++) mean += x[r * WIDTH + e] / WIDTH;
        for (int e = 0; e < WIDTH; e++) variance += pow(x[r * WIDTH + e] - mean, 2) / WIDTH;
        for (int e = 0; e < WIDTH; e++)
            y[r * WIDTH + e] =
                weight[e] * (x[r * WIDTH + e] - mean) / sqrt(variance + 1e-5) + bias[e];
    }
}

Test(layers, transformer_block_is_its_formula) {
    enum { MLP = 6 };
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    heads w;
    linear first, second;
    double x[MOST], y[MOST], unit[MOST], wide[MOST], branch[MOST];
    give_heads(params, "block/attention", WIDTH, &w);
    give_linear(params, "block/mlp1", WIDTH, MLP, &first);
    give_linear(params, "block/mlp2", MLP, WIDTH, &second);
    draw(x, STEPS * WIDTH, 1);
    normalize(params, "block/norm1", x, STEPS, unit);
    run_heads(&w, unit, STEPS, unit, STEPS, causal, branch);
    for (int i = 0; i < STEPS * WIDTH; i++) y[i] = x[i] + branch[i];
    normalize(params, "block/norm2", y, STEPS, unit);
    apply(&first, unit, STEPS, wide);
    for (int i = 0; i < STEPS * MLP; i++) wide[i] *= 0.5 * (1 + erf(wide[i] / sqrt(2)));
    apply(&second, wide, STEPS, branch);
    for (int i = 0; i < STEPS * WIDTH; i++) y[i] += branch[i];
    const gt_tensor in = gt_input(tape, x, GT_SHAPE(1, STEPS, WIDTH), GT_F64);
    const gt_transformer_options how = {.causal = true};
    gt_params_freeze(params, true); /* every name is one of those above */
    expect_near(gt_transformer_block(in, "block", HEADS, MLP, how), y, 1e-13);
    gt_tape_free(tape);
    gt_params_free(params);
}

/* d y[t] / d x[s] is exactly 0 for every s > t, and not for s = t. */
static void expect_causal(gt_tensor y, gt_tensor x) {
    const int64_t steps = gt_dim(x, 1), width = gt_dim(x, 2);
    for (int64_t t = 0; t < steps; t++) {
        const gt_tensor at = gt_sum(gt_square(gt_select(y, 1, t)), GT_ALL, false);
        const double *g = gt_data(gt_grad(at, x));
        cr_assert_not_null(g, "%s", gt_error(x.tape));
        for (int64_t i = 0; i < gt_numel(gt_shape_of(x)); i++) {
            const int64_t s = i / width % steps;
            if (s > t)
                cr_assert_eq(g[i], 0, "step %lld from step %lld", (long long)t, (long long)s);
            if (s == t) cr_assert(g[i] != 0 && isfinite(g[i]));
        }
    }
}

Test(layers, a_causal_mask_hides_the_future) {
    double xs[MOST];
    draw(xs, BATCH * STEPS * WIDTH, 1);
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = gt_input(tape, xs, GT_SHAPE(BATCH, STEPS, WIDTH), GT_F64);
    const gt_attention_options how = {.causal = true};
    expect_causal(gt_multi_head_attention(x, "heads", HEADS, how), x);
    const gt_transformer_options block = {.causal = true, .dropout = 0.1};
    gt_tensor y = gt_transformer_block(x, "block1", HEADS, 8, block);
    expect_causal(gt_transformer_block(y, "block2", HEADS, 8, block), x);
    expect_causal(gt_lstm(x, "lstm", WIDTH, (gt_lstm_options){.forget_bias = 1}), x);
    gt_tape_free(tape);
}

/* ---- positions ------------------------------------------------------------------------------------------- */

Test(layers, positions_are_sines_and_cosines) {
    enum { LENGTH = 50, ODD = 7 };
    gt_tape *tape = gt_tape_new(NULL);
    double expected[LENGTH * ODD];
    for (int t = 0; t < LENGTH; t++) {
        for (int e = 0; e < ODD; e++) {
            const int pair = e / 2;
            const double angle = t * pow(10000, -2.0 * pair / ODD);
            expected[t * ODD + e] = e % 2 ? cos(angle) : sin(angle);
        }
    }
    expect_near(gt_positional_encoding(tape, LENGTH, ODD, GT_F64), expected, 1e-13);
    gt_tape_free(tape);
}

Test(layers, learned_positions_serve_shorter_sequences) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_param_info info;
    const gt_tensor x = gt_zeros(tape, GT_SHAPE(1, 2, WIDTH), GT_F64);
    const gt_tensor y = gt_learned_positions(x, "positions", 6);
    cr_assert(gt_params_find(params, "positions/weight", &info));
    cr_assert(gt_same_shape(info.shape, GT_SHAPE(6, WIDTH)));
    expect_near(y, info.data, 0);
    gt_tape_free(tape);
    gt_params_free(params);
}
