/* demos/common/lesson.c: beginning and end of the lessons. */
#include "common/lesson.h"

#include <math.h>
#include <string.h>

static bool parse(lesson *l, int count, char **word) {
    const char *path = NULL;
    bool known = count % 2 == 1;
    for (int i = 1; known && i < count; i += 2) {
        if (strcmp(word[i], "--picture") == 0)
            path = word[i + 1];
        else if (strcmp(word[i], "--page") == 0)
            l->page = word[i + 1];
        else
            known = false;
    }
    if (!known) {
        fprintf(stderr, "usage: %s [--picture FILE] [--page FILE]    (default --picture %s.svg)\n",
                l->name, l->name);
        return false;
    }
    const int length = path ? snprintf(l->picture, sizeof l->picture, "%s", path)
                            : snprintf(l->picture, sizeof l->picture, "%s.svg", l->name);
    if (length > 0 && (size_t)length < sizeof l->picture) return true;
    fprintf(stderr, "%s: the name of the picture is too long\n", l->name);
    return false;
}

bool lesson_begin(lesson *l, const char *name, int count, char **word) {
    *l = (lesson){.name = name};
    if (!parse(l, count, word)) return false;
    l->params = gt_params_new(NULL, 1);
    l->tape = l->params ? gt_tape_new(l->params) : NULL;
    l->log = l->page ? gt_training_log_new(NULL) : NULL;
    if (l->tape && (l->log || !l->page)) return true;
    gt_tape_free(l->tape);
    gt_params_free(l->params);
    fprintf(stderr, "%s: out of memory\n", name);
    return false;
}

static bool write_page(const lesson *l, const plot *picture) {
    const gt_page_options options = {.title = picture->title, .text = picture->subtitle};
    FILE *out = fopen(l->page, "w");
    if (!out) return false;
    const bool written = gt_training_log_page(l->log, &options, out);
    return fclose(out) == 0 && written;
}

int lesson_end(lesson *l, const plot *picture) {
    const char *error = gt_failed(l->tape) ? gt_error(l->tape) : gt_params_error(l->params);
    bool ok = !*error;
    if (!ok) fprintf(stderr, "%s: %s\n", l->name, error);
    if (ok && !plot_write(picture, l->picture)) {
        perror(l->picture);
        ok = false;
    }
    if (ok && l->page && !write_page(l, picture)) {
        fprintf(stderr, "%s: logs nothing, or %s cannot be written\n", l->name, l->page);
        ok = false;
    }
    gt_training_log_free(l->log);
    gt_tape_free(l->tape);
    gt_params_free(l->params);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

gt_tensor lesson_cells(gt_tape *tape, int columns, int rows, plot_range x, plot_range y) {
    const double wide = (x.high - x.low) / columns, high = (y.high - y.low) / rows;
    const gt_shape grid = GT_SHAPE(rows, columns);
    const gt_tensor across =
        gt_linspace(tape, x.low + wide / 2, x.high - wide / 2, columns, GT_F64);
    const gt_tensor down = gt_linspace(tape, y.high - high / 2, y.low + high / 2, rows, GT_F64);
    const gt_tensor both[] = {gt_expand(across, grid), gt_expand(gt_unsqueeze(down, 1), grid)};
    return gt_reshape(gt_stack(gt_list_of(2, both), 2), GT_SHAPE(rows * columns, 2));
}

void lesson_read(gt_tensor t, double *values, int count) {
    const double *data =
        gt_dtype_of(t) == GT_F64 && gt_numel(gt_shape_of(t)) == count ? gt_data(t) : NULL;
    for (int i = 0; i < count; i++) values[i] = data ? data[i] : (double)NAN;
}
