/* demos/common/images.h: labelled images to learn from: Fashion-MNIST, 60,000 photographs of clothes
 * and 10,000 to test with, or generated strokes of ten directions where it is missing.
 *
 *     images train = {0}, test = {0};
 *     if (images_load(NULL, &train, &test)) ...
 *     images_free(&train);
 *     images_free(&test); */
#ifndef IMAGES_H
#define IMAGES_H

#include "common/plot.h"

#include <stdbool.h>
#include <stdint.h>

#define IMAGES_FOLDER "/usr/share/datasets/fashion-mnist"
enum { IMAGES_SIDE = 28, IMAGES_PIXELS = IMAGES_SIDE * IMAGES_SIDE, IMAGES_CLASSES = 10 };

typedef struct images {
    const char *source, *names; /* what they are; of the classes */
    int64_t count;
    float *pixel;   /* [count, IMAGES_SIDE, IMAGES_SIDE], 0 to 1 */
    int32_t *label; /* [count] */
} images;

/* folder NULL: the usual one, or strokes. train NULL: the test images only. False: said why on
 * stderr; both may be freed. */
bool images_load(const char *folder, images *train, images *test);
void images_free(images *d);

/* Copies the n images of these indices. */
void images_take(const images *d, const int64_t *index, int64_t n, float *pixel, int32_t *label);
/* Turns every second of n images, on average, left to right: the same ones for the same numbers. */
void images_mirror(float *pixel, int64_t n, uint64_t seed, uint64_t ordinal);

/* What classifying made of images: taken[class][what it was taken for] of them. */
typedef int images_taken[IMAGES_CLASSES][IMAGES_CLASSES];
double images_accuracy(images_taken taken);
/* Their table as a panel, which lasts until the next one: frequent mistakes stand out. */
plot_panel images_table(images_taken taken);

#endif
