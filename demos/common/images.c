/* demos/common/images.c: reads Fashion-MNIST, or draws strokes. */
#include "common/images.h"

#include "gradtape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STROKES = 12000, TEST_STROKES = 3000, PATH = 1024 };

static const char CLOTHES[] =
    "0 T-shirt, 1 trousers, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, "
    "7 sneaker, 8 bag, 9 boot";

static bool complain(const char *what) {
    fprintf(stderr, "images: %s\n", what);
    return false;
}

static bool make_room(images *d, const char *source, const char *names, int64_t count) {
    *d = (images){.source = source, .names = names, .count = count};
    d->pixel = malloc((size_t)count * IMAGES_PIXELS * sizeof *d->pixel);
    d->label = malloc((size_t)count * sizeof *d->label);
    return (d->pixel && d->label) || complain("out of memory");
}

void images_free(images *d) {
    free(d->pixel);
    free(d->label);
    *d = (images){0};
}

static bool convert(images *d, const gt_idx *pixels, const gt_idx *labels) {
    if (labels->shape.rank != 1 || labels->count == 0 ||
        !gt_same_shape(pixels->shape, GT_SHAPE(labels->count, IMAGES_SIDE, IMAGES_SIDE))) {
        return complain("these are not images of 28 x 28 with a label each");
    }
    if (!make_room(d, "Fashion-MNIST", CLOTHES, labels->count)) return false;
    if (!gt_idx_f32(pixels, 0, pixels->count, 1 / 255.0F, d->pixel) ||
        !gt_idx_i32(labels, 0, labels->count, d->label)) {
        return complain("the labels are not integers");
    }
    for (int64_t i = 0; i < d->count; i++) {
        if (d->label[i] < 0 || d->label[i] >= IMAGES_CLASSES) {
            return complain("a label is not one of 0 to 9");
        }
    }
    return true;
}

/* which is "train" or "t10k", as the files are named. */
static bool read_part(images *d, const char *folder, const char *which) {
    gt_idx pixels, labels;
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte.gz", folder, which);
    if (!gt_idx_read(&pixels, path, NULL)) return complain(pixels.error);
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte.gz", folder, which);
    const bool ok =
        gt_idx_read(&labels, path, NULL) ? convert(d, &pixels, &labels) : complain(labels.error);
    gt_idx_free(&pixels);
    gt_idx_free(&labels);
    return ok;
}

/* A soft line of the label's direction near the middle, on a ground of noise. */
static void draw_stroke(float *pixel, int32_t label, uint64_t part, uint64_t i) {
    const double angle = acos(-1) * label / IMAGES_CLASSES + 0.1 * gt_normal(part, i, 0);
    const double x = IMAGES_SIDE / 2.0 + 2 * gt_normal(part, i, 2);
    const double y = IMAGES_SIDE / 2.0 + 2 * gt_normal(part, i, 4);
    for (int p = 0; p < IMAGES_PIXELS; p++) {
        const int column = p % IMAGES_SIDE, row = p / IMAGES_SIDE;
        const double across = (column - x) * sin(angle) - (row - y) * cos(angle);
        const double noise = 0.4 * gt_uniform(part, i, 6 + (uint64_t)p);
        pixel[p] = (float)(0.6 * exp(-across * across / 3) + noise);
    }
}

/* part keeps training and test strokes apart. */
static bool draw_part(images *d, int64_t count, uint64_t part) {
    if (!make_room(d, "generated strokes", "each 18 degrees on", count)) return false;
    for (int64_t i = 0; i < count; i++) {
        d->label[i] = (int32_t)(i % IMAGES_CLASSES);
        draw_stroke(d->pixel + i * IMAGES_PIXELS, d->label[i], part, (uint64_t)i);
    }
    return true;
}

bool images_load(const char *folder, images *train, images *test) {
    const char *from = folder ? folder : IMAGES_FOLDER;
    if ((!train || read_part(train, from, "train")) && read_part(test, from, "t10k")) {
        printf("Fashion-MNIST from %s\n", from);
        return true;
    }
    if (folder) return false;
    if (train) images_free(train);
    images_free(test);
    printf("no Fashion-MNIST here (Debian package dataset-fashion-mnist): generated strokes of ten "
           "directions instead\n");
    return (!train || draw_part(train, STROKES, 1)) && draw_part(test, TEST_STROKES, 2);
}

void images_take(const images *d, const int64_t *index, int64_t n, float *pixel, int32_t *label) {
    for (int64_t i = 0; i < n; i++) {
        memcpy(pixel + i * IMAGES_PIXELS, d->pixel + index[i] * IMAGES_PIXELS,
               IMAGES_PIXELS * sizeof *pixel);
        label[i] = d->label[index[i]];
    }
}

void images_mirror(float *pixel, int64_t n, uint64_t seed, uint64_t ordinal) {
    for (int64_t row = 0; row < n * IMAGES_SIDE; row++) {
        float *left = pixel + row * IMAGES_SIDE, *right = left + IMAGES_SIDE - 1;
        if (gt_uniform(seed, ordinal, (uint64_t)(row / IMAGES_SIDE)) < 0.5) continue;
        for (; left < right; left++, right--) {
            const float held = *left;
            *left = *right;
            *right = held;
        }
    }
}

double images_accuracy(images_taken taken) {
    double right = 0, all = 0;
    for (int label = 0; label < IMAGES_CLASSES; label++) {
        right += taken[label][label];
        for (int guess = 0; guess < IMAGES_CLASSES; guess++) all += taken[label][guess];
    }
    return all > 0 ? right / all : 0;
}

plot_panel images_table(images_taken taken) {
    enum { K = IMAGES_CLASSES };
    static char text[K * K][16];
    static plot_note note[K * K];
    static unsigned char color[K * K];
    static const plot_regions cells = {K, K, color};
    for (int i = 0; i < K * K; i++) {
        const int label = K - 1 - i / K, guess = i % K, n = taken[label][guess];
        const bool frequent = 25 * n > taken[label][label];
        text[i][0] = '\0';
        if (n) snprintf(text[i], sizeof text[i], "%d", n);
        note[i] = (plot_note){guess - 0.35, label - 0.15, label == guess ? 0 : 1, text[i]};
        color[i] = label == guess ? 0 : frequent ? 1 : PLOT_EMPTY;
    }
    return (plot_panel){.title = "Test images of each class",
                        .x_label = "taken for class",
                        .y_label = "class",
                        .x = {-0.5, K - 0.5},
                        .y = {-0.5, K - 0.5},
                        .regions = &cells,
                        .notes = note,
                        .n_notes = K * K};
}
