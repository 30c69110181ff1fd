/* step/step.h: walk the gradient flow of a recording, forwards and backwards, gate by gate.
 *
 * A gt_journal is a record of everything that a forward pass and the backward sweep did: each gate's value, then
 * each contribution upstream x local = downstream, in the order of the sweep. It is made on a tape of its own
 * from the leaves' present values, by the same kernels and the same sweep: its numbers are those of gt_backward,
 * bit for bit, and the walked tape is not touched.
 *
 *     gt_tape *tape = gt_tape_new(NULL);
 *     const double at[3] = {-2, 5, -4};
 *     gt_tensor x = gt_name(gt_input(tape, &at[0], GT_SCALAR, GT_F64), "x");
 *     gt_tensor y = gt_name(gt_input(tape, &at[1], GT_SCALAR, GT_F64), "y");
 *     gt_tensor z = gt_name(gt_input(tape, &at[2], GT_SCALAR, GT_F64), "z");
 *     gt_tensor q = gt_name(gt_add(x, y), "q");
 *     gt_tensor f = gt_name(gt_mul(q, z), "f");
 *     gt_journal *journal = gt_journal_of(f);
 *     gt_journal_text(journal, stdout);
 *     gt_journal_free(journal);
 *     gt_tape_free(tape);
 *
 * Errors: a journal that could not be made is NULL when memory is short, else says why in gt_journal_error;
 * writing it gives false. Ownership: the caller frees the journal, before it resets or frees the tape.
 * Nothing here prints on its own: what is written goes to the FILE given. */
#ifndef GT_STEP_H
#define GT_STEP_H

#include "formula/formula.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_journal gt_journal;

/* Everything on which output depends. output holds one float. */
GT_API gt_journal *gt_journal_of(gt_tensor output);
/* Of the last definition of a text in the language of formula/formula.h: "f = (x + y)*z; x = -2; y = 5; z = -4".
 * NULL and an error with its place when it cannot be read or recorded, or memory is short. */
GT_API gt_journal *gt_journal_of_formula(const char *text, gt_formula_error *error);
GT_API void gt_journal_free(gt_journal *journal);
/* Why the journal could not be made, or what failed last; "" when nothing did. */
GT_API const char *gt_journal_error(const gt_journal *journal);

/* One line per gate and per contribution. False: see gt_journal_error. */
GT_API bool gt_journal_text(gt_journal *journal, FILE *out);
/* The same as JSON; step/journal_json.c describes it. */
GT_API bool gt_journal_json(gt_journal *journal, FILE *out);
/* The circuit with values and gradients for Graphviz. */
GT_API bool gt_journal_dot(gt_journal *journal, FILE *out);

/* A walk reads commands, a line each, and answers; "help" lists them. */
typedef struct gt_walk_options {
    FILE *in; /* commands; NULL: none, the first step is shown */
    FILE *out;
    bool plain; /* no colour; else colour on a terminal, unless NO_COLOR is set */
    bool ascii; /* no other characters; else what the locale's name says */
} gt_walk_options;
/* Walks until the commands end or say quit. False when there was nothing to walk: it says why to out. */
GT_API bool gt_walk_with(gt_tape *tape, gt_tensor output, const gt_walk_options *options);
/* On the standard streams: a breakpoint to put into any program. */
GT_API bool gt_walk(gt_tape *tape, gt_tensor output);
/* The same over a journal that stays the caller's, with the inputs that the walk has set. */
GT_API bool gt_journal_walk(gt_journal *journal, const gt_walk_options *options);

/* Circuits with something to learn: what `gradtape step --lesson NAME` walks through. */
typedef struct gt_lesson {
    const char *name, *title;
    const char *formula; /* for gt_journal_of_formula */
    const char *text;    /* lines of prose, without a last newline */
} gt_lesson;
/* The i-th; NULL past the last. */
GT_API const gt_lesson *gt_lesson_at(int i);
GT_API const gt_lesson *gt_lesson_named(const char *name);

/* The circuit as an SVG picture: values above the wires, gradients below. */
GT_API bool gt_journal_svg(gt_journal *journal, FILE *out);

/* Texts of a page, all optional. */
typedef struct gt_page_options {
    const char *title;
    const char *formula, *text; /* shown under the title */
    const char *language;       /* "en" or "ko": the labels at first; the reader may change them */
} gt_page_options;
/* One HTML file that needs nothing else: the circuit, a scrubber over the journal both ways, each wire's full sum,
 * composite gates that open, sliders on the inputs, a quiz, a check of claimed gradients. options may be NULL. */
GT_API bool gt_journal_page(gt_journal *journal, const gt_page_options *options, FILE *out);

/* ---- a training, step by step: what a page scrubs over
 *
 *     gt_training_log *log = gt_training_log_new(NULL);
 *     for (int t = 0; t < 100; t++) {
 *         ... record h and loss ...
 *         gt_training_log_step(log, t, gt_item(loss));
 *         gt_training_log_layer(log, "fc1", h, gt_grad(loss, h));
 *         gt_minimize(opt, loss);
 *     }
 *     gt_training_log_page(log, &(gt_page_options){.title = "fc1"}, out);
 *     gt_training_log_free(log);
 *
 * Values are read at once, so ask before a step changes the parameters. All return false when memory is short or a
 * value cannot be read (the tape says why), and do nothing for a log that is NULL. */
typedef struct gt_training_log gt_training_log;
GT_API gt_training_log *gt_training_log_new(const gt_allocator *allocator);
GT_API void gt_training_log_free(gt_training_log *log);
/* Begins another training, to be compared with those before. */
GT_API bool gt_training_log_run(gt_training_log *log, const char *name);
/* Begins a step; loss NaN: it has none. */
GT_API bool gt_training_log_step(gt_training_log *log, double number, double loss);
/* What a layer gave for the batch, and the gradient that reached it; either may be gt_none(). Kept are the
 * gradient's norm and the activations' mean, standard deviation, histogram, share of zeros and share of dead units
 * (the last axis; 0 for every sample). */
GT_API bool gt_training_log_layer(gt_training_log *log, const char *name, gt_tensor activations,
                                  gt_tensor gradient);
/* False for a log without a step. */
GT_API bool gt_training_log_page(const gt_training_log *log, const gt_page_options *options,
                                 FILE *out);

#ifdef __cplusplus
}
#endif
#endif
