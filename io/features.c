/* io/features.c: features of images as they were made by hand: colour histograms, histograms of oriented
 * gradients (Dalal and Triggs, CVPR 2005), and one after the other. Images are [channels, height, width].
 *
 * A cell's histogram is computed anew for each block that it is in, straight into the result: no scratch
 * memory is needed. */
#include "io/io.h"

#include <math.h>

/* ---- colour histogram ------------------------------------------------------------------------ */

static bool is_image(const gt_image *image) {
    return image->pixel && image->channels > 0 && image->height > 0 && image->width > 0 &&
           image->channels <= INT32_MAX && image->height <= INT32_MAX &&
           image->width <= INT32_MAX &&
           image->height <= INT64_MAX / 8 / image->width / image->channels;
}

int64_t gt_color_histogram_size(const gt_image *image, int64_t bins) {
    return bins > 0 && is_image(image) && bins <= INT32_MAX ? image->channels * bins : 0;
}

bool gt_color_histogram(const gt_image *image, int64_t bins, float *out) {
    if (gt_color_histogram_size(image, bins) == 0) return false;
    const int64_t pixels = image->height * image->width;
    for (int64_t channel = 0; channel < image->channels; channel++, out += bins) {
        const float *pixel = image->pixel + channel * pixels;
        for (int64_t bin = 0; bin < bins; bin++) out[bin] = 0;
        for (int64_t i = 0; i < pixels; i++) {
            if (!isfinite(pixel[i])) return false;
            const double place = floor((double)pixel[i] * (double)bins);
            const double most = (double)(bins - 1);
            out[(int64_t)(place < 0 ? 0 : place > most ? most : place)] += 1;
        }
        for (int64_t bin = 0; bin < bins; bin++) out[bin] /= (float)pixels;
    }
    return true;
}

/* ---- histogram of oriented gradients --------------------------------------------------------- */

static gt_hog_options with_defaults(gt_hog_options o) {
    if (o.cell == 0) o.cell = 8;
    if (o.block == 0) o.block = 2;
    if (o.bins == 0) o.bins = 9;
    return o;
}

int64_t gt_hog_size(const gt_image *image, gt_hog_options options) {
    const gt_hog_options o = with_defaults(options);
    if (!is_image(image) || o.cell < 1 || o.block < 1 || o.bins < 1 || o.bins > 360) return 0;
    const int64_t down = image->height / o.cell - o.block + 1,
                  across = image->width / o.cell - o.block + 1;
    return down < 1 || across < 1 ? 0 : down * across * o.block * o.block * o.bins;
}

/* The difference of the two neighbours along one axis; the border is its own neighbour. */
static void gradient_at(const gt_image *image, int64_t y, int64_t x, double *dy, double *dx) {
    const int64_t h = image->height, w = image->width;
    double strongest = -1;
    for (int64_t channel = 0; channel < image->channels; channel++) {
        const float *p = image->pixel + channel * h * w;
        const double gy =
            (double)p[(y + 1 < h ? y + 1 : y) * w + x] - (double)p[(y > 0 ? y - 1 : y) * w + x];
        const double gx =
            (double)p[y * w + (x + 1 < w ? x + 1 : x)] - (double)p[y * w + (x > 0 ? x - 1 : x)];
        const double strength = gx * gx + gy * gy;
        if (strength <= strongest) continue;
        strongest = strength;
        *dy = gy;
        *dx = gx;
    }
}

/* Each pixel's magnitude goes to the two bins whose centres (k + 1/2) pi / bins its direction lies
 * between. */
static bool cell_histogram(const gt_image *image, gt_hog_options o, int64_t row, int64_t column,
                           float *out) {
    const double pi = 3.14159265358979323846;
    for (int64_t bin = 0; bin < o.bins; bin++) out[bin] = 0;
    for (int64_t y = row * o.cell; y < (row + 1) * o.cell; y++) {
        for (int64_t x = column * o.cell; x < (column + 1) * o.cell; x++) {
            double dy = 0, dx = 0;
            gradient_at(image, y, x, &dy, &dx);
            const double magnitude = hypot(dx, dy);
            if (!isfinite(magnitude)) return false;
            double angle =
                atan2(dy, dx); /* a line has no head: angles and their opposites are one */
            if (angle < 0) angle += pi;
            const double place = angle / pi * (double)o.bins - 0.5, low = floor(place);
            const int64_t bin = (int64_t)low + o.bins; /* from -1 to bins - 1, once more around */
            out[bin % o.bins] += (float)(magnitude * (1 - (place - low)));
            out[(bin + 1) % o.bins] += (float)(magnitude * (place - low));
        }
    }
    return true;
}

static void normalize_block(float *v, int64_t n) {
    const double epsilon = 1e-3;
    double squares = 0;
    for (int64_t i = 0; i < n; i++) squares += (double)v[i] * (double)v[i];
    for (int64_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] / sqrt(squares + epsilon * epsilon));
}

bool gt_hog(const gt_image *image, gt_hog_options options, float *out) {
    const gt_hog_options o = with_defaults(options);
    if (gt_hog_size(image, options) == 0) return false;
    const int64_t down = image->height / o.cell - o.block + 1,
                  across = image->width / o.cell - o.block + 1;
    for (int64_t at = 0; at < down * across; at++) {
        float *block = out;
        for (int64_t k = 0; k < o.block * o.block; k++, out += o.bins) {
            if (!cell_histogram(image, o, at / across + k / o.block, at % across + k % o.block,
                                out))
                return false;
        }
        normalize_block(block, out - block);
    }
    return true;
}

/* ---- one after the other --------------------------------------------------------------------- */

int64_t gt_image_features_size(const gt_image *image, int64_t bins, gt_hog_options options) {
    const int64_t color = gt_color_histogram_size(image, bins), hog = gt_hog_size(image, options);
    return color && hog ? color + hog : 0;
}

bool gt_image_features(const gt_image *image, int64_t bins, gt_hog_options options, float *out) {
    return gt_image_features_size(image, bins, options) > 0 &&
           gt_color_histogram(image, bins, out) &&
           gt_hog(image, options, out + gt_color_histogram_size(image, bins));
}
