/* demos/char_gpt.c: a small GPT (Radford and others 2019) that learns to write by predicting the next
 * character: two causal transformer blocks of width 64, positions as sines and cosines, which are
 * as large as the embedding from the first step on. */
#include "common/text.h"

enum { WIDTH = 64, HEADS = 4, LAYERS = 2 };

static gt_tensor network(gt_tensor index, int symbols, bool learning) {
    gt_tensor x = gt_embedding(index, "symbols", symbols, WIDTH, GT_F32);
    x = gt_add(x, gt_positional_encoding(index.tape, TEXT_TIME, WIDTH, GT_F32));
    for (int layer = 0; layer < LAYERS; layer++) {
        char name[32];
        snprintf(name, sizeof name, "block%d", layer);
        x = gt_transformer_block(x, name, HEADS, 4 * WIDTH,
                                 (gt_transformer_options){.causal = true,
                                                          .dropout = learning ? 0.1 : 0});
    }
    return gt_linear(gt_layer_norm(x, "norm", 1e-5), "head", symbols);
}

int main(int count, char **word) {
    const text_model model = {"char_gpt", "A GPT of two layers learns to write",
                              network,    false,
                              500,        3e-3};
    return text_main(&model, count, word);
}
