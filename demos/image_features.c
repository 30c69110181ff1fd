/* demos/image_features.c: what a linear classifier can see. Red and blue squares and diamonds of
 * many sizes lie anywhere in images; the classifier is given the pixels, the colour histogram, the
 * histogram of oriented gradients, or both histograms side by side. Rows 65 to 67 of the course
 * notes.
 *
 * A colour histogram forgets where the pixels are, which is its use here: the colours of a shape
 * do not depend on its place. It must be divided by the number of pixels, or the same picture in
 * another size is another point. The gradients say which way the edges run and not what colour
 * they part. */
#include "common/lesson.h"

#include <math.h>

enum { SIDE = 24, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, CLASSES = 4, BINS = 8, MOST = PIXELS };
enum { TRAINING = 240, EXAMPLES = 2 * TRAINING, STEPS = 150, KINDS = 4 };
static const char *const class_name[CLASSES] = {"blue square", "red square", "blue diamond",
                                                "red diamond"};
static const char *const kind_name[KINDS] = {"pixels", "colour", "gradients", "both"};
static const gt_hog_options hog = {.cell = 8, .block = 2, .bins = 9};
static float pixel[EXAMPLES][PIXELS], feature[EXAMPLES * MOST];
static int32_t label[EXAMPLES];

static bool inside(int shape, double x, double y, double radius) {
    return shape == 0 ? fmax(fabs(x), fabs(y)) < 0.75 * radius : fabs(x) + fabs(y) < radius;
}

/* Class 2 shape + colour, on a grey ground, with noise. */
static void make_images(void) {
    for (int i = 0; i < EXAMPLES; i++) {
        const uint64_t key = (uint64_t)i;
        label[i] = i % CLASSES;
        const double radius = 4 + 4 * gt_uniform(1, key, 0), room = SIDE - 2 * radius;
        const double x = radius + room * gt_uniform(1, key, 1);
        const double y = radius + room * gt_uniform(1, key, 2);
        const double grey = 0.2 + 0.4 * gt_uniform(1, key, 3);
        for (int p = 0; p < PIXELS; p++) {
            const int channel = p / PLANE, row = p % PLANE / SIDE, column = p % SIDE;
            const double across = column + 0.5 - x, down = row + 0.5 - y;
            const bool shape = inside(label[i] / 2, across, down, radius);
            const double colour = channel == (label[i] % 2 ? 0 : 2) ? 0.9 : 0.1;
            const double noise = 0.03 * gt_normal(2, key, (uint64_t)p);
            pixel[i][p] = (float)fmin(fmax((shape ? colour : grey) + noise, 0), 1);
        }
    }
}

static bool describe(int kind, const gt_image *image, float *out) {
    if (kind == 1) return gt_color_histogram(image, BINS, out);
    if (kind == 2) return gt_hog(image, hog, out);
    if (kind == 3) return gt_image_features(image, BINS, hog, out);
    for (int p = 0; p < PIXELS; p++) out[p] = image->pixel[p];
    return true;
}

/* Fills feature, [EXAMPLES, size], normalized by the training images; returns size, or 0. */
static int64_t make_features(int kind) {
    static double mean[MOST], deviation[MOST];
    const gt_image one = {pixel[0], 3, SIDE, SIDE};
    const int64_t size = kind == 0   ? PIXELS
                         : kind == 1 ? gt_color_histogram_size(&one, BINS)
                         : kind == 2 ? gt_hog_size(&one, hog)
                                     : gt_image_features_size(&one, BINS, hog);
    for (int i = 0; i < EXAMPLES; i++) {
        const gt_image image = {pixel[i], 3, SIDE, SIDE};
        if (!describe(kind, &image, feature + i * size)) return 0;
    }
    if (!gt_mean_and_std(feature, TRAINING, size, mean, deviation)) return 0;
    gt_normalize(feature, EXAMPLES, size, mean, deviation);
    return size;
}

static gt_tensor scores_of(gt_tape *tape, int kind, int first, int64_t size) {
    const gt_tensor x = gt_borrow(tape, feature + first * size, GT_SHAPE(TRAINING, size), GT_F32);
    return gt_linear(gt_cast(x, GT_F64), kind_name[kind], CLASSES);
}

static gt_tensor labels_of(gt_tape *tape, int first) {
    return gt_borrow(tape, label + first, GT_SHAPE(TRAINING), GT_I32);
}

/* Trains one linear classifier; its accuracies on what it has seen and on what it has not. */
static void train(lesson *l, int kind, int64_t size, double share[2]) {
    gt_optim *opt = gt_adam(l->params, (gt_adam_options){.rate = 0.01, .name = kind_name[kind]});
    if (size == 0) gt_params_fail(l->params, "an image has no features");
    for (int t = 0; opt && t < STEPS && !gt_failed(l->tape); t++) {
        gt_tape_reset(l->tape);
        const gt_tensor scores = scores_of(l->tape, kind, 0, size);
        gt_minimize(opt, gt_cross_entropy(scores, labels_of(l->tape, 0)));
    }
    gt_optim_free(opt);
    for (int k = 0; k < 2; k++) {
        const gt_tensor scores = scores_of(l->tape, kind, k * TRAINING, size);
        share[k] = gt_item(gt_accuracy(scores, labels_of(l->tape, k * TRAINING)));
    }
    printf("  %-10s %5d   %6.1f %%  %6.1f %%\n", kind_name[kind], (int)size, 100 * share[0],
           100 * share[1]);
}

/* The same picture with every pixel four times. */
static void print_sizes(void) {
    static float large[4 * PIXELS];
    float share[2][3 * BINS];
    for (int p = 0; p < 4 * PIXELS; p++) {
        const int channel = p / (4 * PLANE), at = p % (4 * PLANE);
        large[p] = pixel[0][channel * PLANE + at / (2 * SIDE) / 2 * SIDE + at % (2 * SIDE) / 2];
    }
    const gt_image image[2] = {{pixel[0], 3, SIDE, SIDE}, {large, 3, 2 * SIDE, 2 * SIDE}};
    printf("the blue channel of a %s, in parts of the range of a pixel\n", class_name[label[0]]);
    for (int k = 0; k < 2; k++) {
        const int side = SIDE * (k + 1), area = side * side;
        if (!gt_color_histogram(&image[k], BINS, share[k])) return;
        printf("  %d x %d counted ", side, side);
        for (int b = 0; b < BINS; b++) printf("%5.0f", (double)share[k][2 * BINS + b] * area);
        printf("\n  divided by %-4d", area);
        for (int b = 0; b < BINS; b++) printf("%5.2f", (double)share[k][2 * BINS + b]);
        printf("\n");
    }
    printf("Only the shares are the same for the same picture.\n\n");
}

int main(int count, char **word) {
    static unsigned char color[CLASSES * PLANE];
    static const double place[KINDS] = {1, 2, 3, 4};
    double share[2], bar[2][KINDS];
    lesson l;
    if (!lesson_begin(&l, "image_features", count, word)) return EXIT_FAILURE;
    make_images();
    print_sizes();
    printf("a linear classifier on   training   others (%d each, %d classes)\n", TRAINING, CLASSES);
    for (int kind = 0; kind < KINDS; kind++) {
        train(&l, kind, make_features(kind), share);
        for (int k = 0; k < 2; k++) bar[k][kind] = share[k];
    }
    for (int c = 0; c < CLASSES; c++)
        for (int p = 0; p < PLANE; p++) {
            const float red = pixel[c][p], blue = pixel[c][2 * PLANE + p];
            const int row = c / 2 * SIDE + p / SIDE, column = c % 2 * SIDE + p % SIDE;
            color[row * 2 * SIDE + column] = fabsf(red - blue) < 0.4F ? PLOT_EMPTY : red > blue;
        }
    const plot_regions four = {2 * SIDE, 2 * SIDE, color};
    const plot_series bars[] = {{"training", PLOT_BARS, 0, place, bar[0], KINDS},
                                {"others", PLOT_BARS, 1, place, bar[1], KINDS}};
    const plot_panel panel[] = {{"One image of each class", .x = {0, 2 * SIDE}, .y = {0, 2 * SIDE},
                                 .regions = &four},
                                {"Accuracy", "1 pixels, 2 colour, 3 gradients, 4 both", .y = {0, 1},
                                 .percent = true, .series = bars, .n_series = 2}};
    const plot picture = {"What a linear classifier can see", "shapes anywhere, of many sizes",
                          .panel = panel, .n_panels = 2};
    return lesson_end(&l, &picture);
}
