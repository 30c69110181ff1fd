/* demos/common/training.h: what a training that can be interrupted begins and ends with: options, a
 * tape of parameters, how many steps are done; the file of the parameters; the picture.
 *
 *     training t;
 *     if (!training_begin(&t, "gan", 2000, count, word)) return EXIT_FAILURE;
 *     for (; t.step < t.steps && !gt_failed(t.tape); t.step++) ...
 *     training_save(&t);
 *     return training_end(&t, &picture);
 *
 * The file holds parameters, the optimizers' state, the next random number and the step: with
 * --resume FILE the steps that follow are those that would have followed. */
#ifndef TRAINING_H
#define TRAINING_H

#include "common/plot.h"
#include "common/progress.h"
#include "gradtape.h"

#include <stdlib.h>

typedef struct training {
    const char *name;
    const char *resume;             /* NULL: begin anew */
    char save[1024], picture[1024]; /* name.safetensors and name.svg unless asked otherwise */
    int64_t step, steps;            /* done, and wanted in all */
    int64_t seed;
    gt_params *params;
    gt_tape *tape;
} training;

/* Takes an option that is the demo's own, "--text" say, out of the words. NULL: it is not there. */
const char *training_take_option(const char *option, int *count, char **word);
/* False: said why on stderr, and there is nothing to end. */
bool training_begin(training *t, const char *name, int64_t steps, int count, char **word);
/* The same of the parameters in a file, for what is no training. */
bool training_open(training *t, const char *name, const char *path);
/* Writes the file, unless a step has failed. False: training_end says why. */
bool training_save(training *t);
/* Draws a picture, unless it is NULL or something has failed, frees, and gives what main returns. */
int training_end(training *t, const plot *picture);

#endif
