/* demos/common/text.h: character models: a text split into training and validation, baselines, and
 * the whole training of a network that predicts the next character.
 *
 *     static gt_tensor network(gt_tensor index, int symbols, bool learning) { ... }
 *     return text_main(&(text_model){"char_gpt", "a small GPT", network, ...}, count, word);
 *
 * Symbols are bytes. The text is Debian's GPL-3, where that is missing a document of this project, or
 * another by --text FILE; it is printed which. The last tenth is for validation. A saved training
 * goes on with its own text only. */
#ifndef TEXT_H
#define TEXT_H

#include "common/training.h"

enum { TEXT_BATCH = 16, TEXT_TIME = 64 };

typedef struct text_model {
    const char *name, *title;
    /* index [batch, TEXT_TIME], i32, to the logits of the next symbols, [batch, TEXT_TIME, symbols]. */
    gt_tensor (*network)(gt_tensor index, int symbols, bool learning);
    /* A batch goes on where the one before it ended, row by row; otherwise rows are drawn anywhere. */
    bool streams;
    int64_t steps;
    double rate;
} text_model;

int text_main(const text_model *model, int count, char **word);

#endif
