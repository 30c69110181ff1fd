/* bench/common/workload_text.c: W6 and W7, models of characters: a small GPT, and an LSTM of single operations. */
#include "workload.h"

#include <math.h>
#include <stdlib.h>

enum { VOCABULARY = 65, LENGTH = 64 };

static bool draw_text(training *t, bench_draw *draw, int64_t batch) {
    t->index = bench_draw_labels(draw, batch * LENGTH, VOCABULARY);
    t->label = bench_draw_labels(draw, batch * LENGTH, VOCABULARY);
    return t->index && t->label;
}

/* ---- W6: four pre-norm blocks; the embedding's weights are those of the logits, too -------------------- */

enum { GPT_BATCH = 16, BLOCKS = 4, HEADS = 4, MODEL = 128 };

static const struct {
    const char *name;
    int64_t in, out;
} products[] = {{"attention/query", MODEL, MODEL}, {"attention/key", MODEL, MODEL},
                {"attention/value", MODEL, MODEL}, {"attention/output", MODEL, MODEL},
                {"mlp1", MODEL, 4 * MODEL},        {"mlp2", 4 * MODEL, MODEL}};

static bool prepare_gpt(training *t) {
    const double scale = 0.02;
    bench_draw draw = bench_draw_start();
    bool ok = draw_text(t, &draw, GPT_BATCH) &&
              bench_start_from(t, "tokens/weight", GT_SHAPE(VOCABULARY, MODEL),
                               bench_draw_normal(&draw, VOCABULARY * MODEL, scale)) &&
              bench_start_from(t, "positions/weight", GT_SHAPE(LENGTH, MODEL),
                               bench_draw_normal(&draw, LENGTH * MODEL, scale));
    for (int block = 0; ok && block < BLOCKS; block++) {
        for (size_t k = 0; ok && k < sizeof products / sizeof *products; k++) {
            const int64_t in = products[k].in, out = products[k].out;
            char name[80];
            snprintf(name, sizeof name, "block%d/%s/weight", block, products[k].name);
            ok = bench_start_from(t, name, GT_SHAPE(in, out),
                                  bench_draw_normal(&draw, in * out, scale));
        }
    }
    return ok;
}

static gt_tensor gpt(training *t) {
    const gt_shape text = GT_SHAPE(GPT_BATCH, LENGTH);
    gt_tensor x = gt_borrow(t->tape, t->index, text, GT_I32);
    x = gt_learned_positions(gt_embedding(x, "tokens", VOCABULARY, MODEL, GT_F32), "positions",
                             LENGTH);
    for (int block = 0; block < BLOCKS; block++) {
        char name[24];
        snprintf(name, sizeof name, "block%d", block);
        x = gt_transformer_block(x, name, HEADS, 4 * MODEL,
                                 (gt_transformer_options){.causal = true});
    }
    x = gt_layer_norm(x, "norm", 1e-5);
    x = gt_matmul(x, gt_t(gt_param_leaf(t->tape, "tokens/weight")));
    return gt_cross_entropy(x, gt_borrow(t->tape, t->label, text, GT_I32));
}

static gt_optim *adamw(gt_params *params) {
    return gt_adamw(params, (gt_adam_options){.rate = 3e-4, .beta2 = 0.95, .weight_decay = 0.1});
}

/* ---- W7: the LSTM as one writes it down, step by step -------------------------------------------------------- */

enum { LSTM_BATCH = 32, EMBEDDING = 64, HIDDEN = 256, GATES = 4 };

static bool prepare_lstm(training *t) {
    const double bound = 1 / sqrt((double)HIDDEN);
    bench_draw draw = bench_draw_start();
    float *bias = calloc(GATES * HIDDEN, sizeof *bias);
    return bench_start_from(t, "b", GT_SHAPE(GATES * HIDDEN), bias) &&
           draw_text(t, &draw, LSTM_BATCH) &&
           bench_start_from(t, "tokens/weight", GT_SHAPE(VOCABULARY, EMBEDDING),
                            bench_draw_normal(&draw, VOCABULARY * EMBEDDING, 1)) &&
           bench_start_from(t, "wx", GT_SHAPE(EMBEDDING, GATES * HIDDEN),
                            bench_draw_uniform(&draw, EMBEDDING * GATES * HIDDEN, -bound, bound)) &&
           bench_start_from(t, "wh", GT_SHAPE(HIDDEN, GATES * HIDDEN),
                            bench_draw_uniform(&draw, HIDDEN * GATES * HIDDEN, -bound, bound)) &&
           bench_start_from(t, "head/weight", GT_SHAPE(HIDDEN, VOCABULARY),
                            bench_draw_uniform(&draw, HIDDEN * VOCABULARY, -bound, bound));
}

static gt_tensor lstm(training *t) {
    const gt_shape text = GT_SHAPE(LSTM_BATCH, LENGTH), state = GT_SHAPE(LSTM_BATCH, HIDDEN);
    const gt_tensor index = gt_borrow(t->tape, t->index, text, GT_I32);
    const gt_tensor x = gt_embedding(index, "tokens", VOCABULARY, EMBEDDING, GT_F32);
    const gt_tensor wx = bench_weight(t, GT_SHAPE(EMBEDDING, GATES * HIDDEN), "wx");
    const gt_tensor wh = bench_weight(t, GT_SHAPE(HIDDEN, GATES * HIDDEN), "wh");
    const gt_tensor b = bench_weight(t, GT_SHAPE(GATES * HIDDEN), "b");
    gt_tensor h = gt_zeros(t->tape, state, GT_F32), c = h, states[LENGTH];
    for (int step = 0; step < LENGTH; step++) {
        gt_tensor gates = gt_matmul(gt_select(x, 1, step), wx);
        gates = gt_add(gt_add(gates, gt_matmul(h, wh)), b);
        const int64_t sizes[GATES] = {HIDDEN, HIDDEN, HIDDEN, HIDDEN};
        gt_tensor part[GATES];
        if (!gt_split(gates, 1, sizes, GATES, part)) return gates;
        c = gt_add(gt_mul(gt_sigmoid(part[1]), c), gt_mul(gt_sigmoid(part[0]), gt_tanh(part[3])));
        h = gt_mul(gt_sigmoid(part[2]), gt_tanh(c));
        states[step] = h;
    }
    gt_tensor logits = gt_stack(gt_list_of(LENGTH, states), 1);
    logits = gt_linear(logits, "head", VOCABULARY);
    return gt_cross_entropy(logits, gt_borrow(t->tape, t->label, text, GT_I32));
}

static gt_optim *adam(gt_params *params) {
    return gt_adam(params, (gt_adam_options){.rate = 2e-3});
}

const workload bench_text[] = {
    {.name = "W6", .prepare = prepare_gpt, .loss = gpt, .optimizer = adamw, .flop = 5.29e9},
    {.name = "W6-bf16", .prepare = prepare_gpt, .loss = gpt, .optimizer = adamw, .bf16 = true},
    {.name = "W7", .prepare = prepare_lstm, .loss = lstm, .optimizer = adam, .flop = 4.23e9},
    {.name = NULL},
};
