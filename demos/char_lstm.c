/* demos/char_lstm.c: an LSTM that learns to write by predicting the next character. Backpropagation is
 * truncated: a batch begins with the state in which the one before it ended, kept in buffers, and no
 * gradient goes back there. */
#include "common/text.h"

enum { WIDTH = 32, HIDDEN = 128 };

static gt_tensor network(gt_tensor index, int symbols, bool learning) {
    const gt_tensor x = gt_embedding(index, "symbols", symbols, WIDTH, GT_F32);
    gt_lstm_options options = {.forget_bias = 1};
    gt_tensor final, final_cell, state, cell;
    if (learning) {
        state = gt_buffer(index.tape, "state", GT_SHAPE(TEXT_BATCH, HIDDEN), GT_F32);
        cell = gt_buffer(index.tape, "cell", GT_SHAPE(TEXT_BATCH, HIDDEN), GT_F32);
        options.initial = state;
        options.initial_cell = cell;
        options.final = &final;
        options.final_cell = &final_cell;
    }
    gt_tensor h = gt_lstm(x, "lstm", HIDDEN, options);
    if (learning) {
        gt_assign(state, final);
        gt_assign(cell, final_cell);
    }
    return gt_linear(learning ? gt_dropout(h, 0.1) : h, "head", symbols);
}

int main(int count, char **word) {
    const text_model model = {"char_lstm", "An LSTM learns to write", network, true, 500, 5e-3};
    return text_main(&model, count, word);
}
