/* demos/common/lesson.h: what every lesson begins and ends with: the options --picture FILE and --page FILE; a
 * tape of parameters with a fixed seed; the error, if there was one; the picture, and the page of what the
 * lesson has logged.
 *
 *     int main(int count, char **word) {
 *         lesson l;
 *         if (!lesson_begin(&l, "gates", count, word)) return EXIT_FAILURE;
 *         ... record on l.tape, print figures ...
 *         return lesson_end(&l, &(plot){.title = "Gates", .panel = panel, .n_panels = 2});
 *     }
 * */
#ifndef LESSON_H
#define LESSON_H

#include "common/plot.h"
#include "gradtape.h"

#include <stdlib.h>

typedef struct lesson {
    const char *name;
    char picture[1024];   /* the file: name.svg unless asked otherwise */
    const char *page;     /* the file, NULL unless asked for */
    gt_training_log *log; /* for the page, NULL when none is wanted: then logging does nothing */
    gt_params *params;
    gt_tape *tape;
} lesson;

/* False: said why on stderr, and there is nothing to end. */
bool lesson_begin(lesson *l, const char *name, int count, char **word);
/* Draws unless the tape has failed, frees, and gives what main returns. */
int lesson_end(lesson *l, const plot *picture);

/* The centres of the cells of a plot_regions, row by row from the top: [rows * columns, 2]. */
gt_tensor lesson_cells(gt_tape *tape, int columns, int rows, plot_range x, plot_range y);
/* Copies the count elements of an f64 tensor; NaN where the tape has failed. */
void lesson_read(gt_tensor t, double *values, int count);

#endif
