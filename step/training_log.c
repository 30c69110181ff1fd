/* step/training_log.c: figures of a training, layer by layer and step by step, and the page that scrubs over them.
 * Runs, steps and layers stand in three arrays, each of which knows where its part of the next begins. */
#include "step/step.h"

#include <math.h>
#include <string.h>

#include "step/assets.h"
#include "step/journal.h"
#include "step/page.h"

enum { BINS = 32, NAME = 64 };

typedef struct layer {
    char name[NAME];
    double norm;                  /* of the gradient; NaN: none was given */
    double mean, std, zero, dead; /* of the activations; zero and dead are shares */
    double low, high;
    int64_t bin[BINS]; /* zeros left out: relu makes so many that nothing else would be seen */
} layer;

typedef struct log_step {
    double number, loss;
    size_t first_layer;
} log_step;

typedef struct run {
    char name[NAME];
    size_t first_step;
} run;

struct gt_training_log {
    gt_allocator allocator;
    run *run;
    log_step *step;
    layer *layer;
    size_t n_runs, n_steps, n_layers, run_room, step_room, layer_room;
};

/* ---- memory ----------------------------------------------------------------------------------- */

static void *resize(const gt_allocator *a, void *block, size_t old_size, size_t new_size) {
    return a->resize(a->user, block, old_size, new_size);
}

/* One more item; NULL when memory is short. The array's address stands at block. */
static void *add(gt_training_log *log, void *block, size_t *count, size_t *room, size_t item) {
    void *array;
    memcpy(&array, block, sizeof array);
    if (*count == *room) {
        const size_t more = *room ? 2 * *room : 16;
        if (more > SIZE_MAX / item) return NULL;
        void *grown = resize(&log->allocator, array, *room * item, more * item);
        if (!grown) return NULL;
        memcpy(block, &grown, sizeof grown);
        array = grown;
        *room = more;
    }
    return (char *)array + item * (*count)++;
}

gt_training_log *gt_training_log_new(const gt_allocator *allocator) {
    const gt_allocator a = allocator ? *allocator : gt_default_allocator();
    gt_training_log *log = resize(&a, NULL, 0, sizeof *log);
    if (log) *log = (gt_training_log){.allocator = a};
    return log;
}

void gt_training_log_free(gt_training_log *log) {
    if (!log) return;
    const gt_allocator a = log->allocator;
    if (log->run) resize(&a, log->run, log->run_room * sizeof *log->run, 0);
    if (log->step) resize(&a, log->step, log->step_room * sizeof *log->step, 0);
    if (log->layer) resize(&a, log->layer, log->layer_room * sizeof *log->layer, 0);
    resize(&a, log, sizeof *log, 0);
}

/* ---- recording -------------------------------------------------------------------------------- */

bool gt_training_log_run(gt_training_log *log, const char *name) {
    run *r = log ? add(log, &log->run, &log->n_runs, &log->run_room, sizeof *r) : NULL;
    if (!r) return false;
    r->first_step = log->n_steps;
    snprintf(r->name, sizeof r->name, "%s", name ? name : "");
    return true;
}

bool gt_training_log_step(gt_training_log *log, double number, double loss) {
    if (!log || (log->n_runs == 0 && !gt_training_log_run(log, ""))) return false;
    log_step *s = add(log, &log->step, &log->n_steps, &log->step_room, sizeof *s);
    if (s) *s = (log_step){number, loss, log->n_layers};
    return s != NULL;
}

static bool fill_norm(layer *l, gt_tensor t) {
    const int64_t n = gt_numel(gt_shape_of(t));
    double squares = 0;
    if (!gt_data(t)) return false;
    for (int64_t i = 0; i < n; i++) squares += gt_element(t, i) * gt_element(t, i);
    l->norm = sqrt(squares);
    return true;
}

/* The share of units (the last axis) that give 0 for every sample. */
static double dead_share(gt_tensor t) {
    const int64_t n = gt_numel(gt_shape_of(t)), units = gt_dim(t, -1);
    int64_t dead = 0;
    if (gt_rank(t) < 2 || n == 0) return (double)NAN;
    for (int64_t unit = 0; unit < units; unit++) {
        int64_t i = unit;
        while (i < n && gt_element(t, i) == 0) i += units;
        dead += i >= n;
    }
    return (double)dead / (double)units;
}

static void fill_bins(layer *l, gt_tensor t) {
    const int64_t n = gt_numel(gt_shape_of(t));
    for (int64_t i = 0; i < n; i++) {
        const double v = gt_element(t, i);
        if (v == 0 || !isfinite(v)) continue;
        const double at = l->high > l->low ? (v - l->low) / (l->high - l->low) * BINS : 0;
        l->bin[at >= BINS ? BINS - 1 : at > 0 ? (int)at : 0]++;
    }
}

static bool fill_activations(layer *l, gt_tensor t) {
    const int64_t n = gt_numel(gt_shape_of(t));
    int64_t zeros = 0;
    double sum = 0, squares = 0;
    if (!gt_data(t)) return false;
    l->low = (double)INFINITY, l->high = -(double)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const double v = gt_element(t, i);
        zeros += v == 0;
        sum += v;
        if (isfinite(v)) l->low = fmin(l->low, v), l->high = fmax(l->high, v);
    }
    l->mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (gt_element(t, i) - l->mean) * (gt_element(t, i) - l->mean);
    l->std = sqrt(squares / (double)n);
    l->zero = (double)zeros / (double)n;
    l->dead = dead_share(t);
    fill_bins(l, t);
    return true;
}

bool gt_training_log_layer(gt_training_log *log, const char *name, gt_tensor activations,
                           gt_tensor gradient) {
    const double none = (double)NAN;
    if (!log || log->n_steps == 0) return false;
    layer *l = add(log, &log->layer, &log->n_layers, &log->layer_room, sizeof *l);
    if (!l) return false;
    *l = (layer){.norm = none,
                 .mean = none,
                 .std = none,
                 .zero = none,
                 .dead = none,
                 .low = none,
                 .high = none};
    snprintf(l->name, sizeof l->name, "%s", name ? name : "");
    if (!gt_is_none(gradient) && !fill_norm(l, gradient)) return false;
    return gt_is_none(activations) || fill_activations(l, activations);
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void write_layer(const layer *l, FILE *out) {
    const double figure[] = {l->norm, l->mean, l->std, l->zero, l->dead, l->low, l->high};
    fputs("\n[", out);
    gt__json_text(l->name, out);
    for (size_t i = 0; i < sizeof figure / sizeof *figure; i++) {
        fputc(',', out);
        gt__json_number(figure[i], out);
    }
    fputs(",[", out);
    for (int i = 0; i < BINS; i++) fprintf(out, "%s%lld", i ? "," : "", (long long)l->bin[i]);
    fputs("]]", out);
}

static void write_step(const gt_training_log *log, size_t i, FILE *out) {
    const size_t end = i + 1 < log->n_steps ? log->step[i + 1].first_layer : log->n_layers;
    fputs("\n{\"number\":", out);
    gt__json_number(log->step[i].number, out);
    fputs(",\"loss\":", out);
    gt__json_number(log->step[i].loss, out);
    fputs(",\"layers\":[", out);
    for (size_t k = log->step[i].first_layer; k < end; k++) {
        if (k > log->step[i].first_layer) fputc(',', out);
        write_layer(&log->layer[k], out);
    }
    fputs("]}", out);
}

/* Runs of steps of layers [name, norm, mean, std, zero, dead, low, high, bins]. */
static void write_runs(const gt_training_log *log, FILE *out) {
    fputs("{\"pace\":250,\"runs\":[", out);
    for (size_t i = 0; i < log->n_runs; i++) {
        const size_t end = i + 1 < log->n_runs ? log->run[i + 1].first_step : log->n_steps;
        fputs(i ? ",\n{\"name\":" : "\n{\"name\":", out);
        gt__json_text(log->run[i].name, out);
        fputs(",\"steps\":[", out);
        for (size_t k = log->run[i].first_step; k < end; k++) {
            if (k > log->run[i].first_step) fputc(',', out);
            write_step(log, k, out);
        }
        fputs("]}", out);
    }
    fputs("]}", out);
}

bool gt_training_log_page(const gt_training_log *log, const gt_page_options *options, FILE *out) {
    static const gt_page_options none;
    if (!log || log->n_steps == 0 || !out) return false;
    const char *const styles[] = {gt__page_css, NULL};
    const char *const scripts[] = {gt__page_js, gt__training_js, NULL};
    gt__page_begin(options ? options : &none, styles, out);
    fputs("<div id=\"view\"></div>\n", out);
    gt__page_data(out);
    write_runs(log, out);
    gt__page_end(scripts, out);
    return !ferror(out);
}
