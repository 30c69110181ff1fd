/* tests/features_test.c: colour histograms and histograms of oriented gradients against values by hand. */
#include <criterion/criterion.h>

#include "support/quick.h"

Test(features, a_color_histogram_is_shares_of_pixels) {
    const float pixel[2][4] = {{0, 0.2F, 0.25F, 1}, {-3, 0.5F, 0.74F, 7}};
    const gt_image image = {pixel[0], 2, 2, 2};
    float out[8];
    const float expected[8] = {0.5F, 0.25F, 0, 0.25F, 0.25F, 0, 0.5F, 0.25F};
    cr_assert(gt_color_histogram_size(&image, 4) == 8 && gt_color_histogram(&image, 4, out));
    cr_assert(memcmp(out, expected, sizeof out) == 0);
}

/* The same picture in four times as many pixels has the same histogram: the reason to divide. */
Test(features, a_color_histogram_does_not_grow_with_the_image) {
    float small[3 * 36], large[3 * 144], a[24], b[24];
    for (int i = 0; i < 3 * 144; i++) {
        const int channel = i / 144, y = i % 144 / 12 / 2, x = i % 12 / 2;
        const int at = channel * 36 + y * 6 + x;
        small[at] = large[i] = (float)(at * 7 % 50) / 50;
    }
    const gt_image little = {small, 3, 6, 6}, big = {large, 3, 12, 12};
    cr_assert(gt_color_histogram(&little, 8, a) && gt_color_histogram(&big, 8, b));
    for (int i = 0; i < 24; i++) cr_assert(quick_near((double)a[i], (double)b[i], 1e-7));
    double sum = 0;
    for (int i = 0; i < 8; i++) sum += (double)a[i];
    cr_assert(quick_near(sum, 1, 1e-6));
}

/* A ramp along one direction: all votes are in the bins of that direction. */
static void check_ramp(double dy, double dx, int low, int high, double share_low) {
    float pixel[256], out[9];
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++) pixel[16 * y + x] = (float)(dy * y + dx * x);
    /* A 4 x 4 window in the middle, away from the border, as an image of its own would have one. */
    const gt_image image = {pixel, 1, 16, 16};
    float all[16 * 9];
    const gt_hog_options o = {.cell = 4, .block = 1};
    cr_assert(gt_hog_size(&image, o) == 16 * 9 && gt_hog(&image, o, all));
    memcpy(out, all + 5 * 9, sizeof out); /* the cell in row 1, column 1 */
    double norm = sqrt(share_low * share_low + (1 - share_low) * (1 - share_low));
    for (int bin = 0; bin < 9; bin++) {
        const double expected = bin == low    ? share_low / norm
                                : bin == high ? (1 - share_low) / norm
                                              : 0;
        cr_assert(quick_near((double)out[bin], expected, 1e-4), "bin %d: %g, not %g", bin,
                  (double)out[bin], expected);
    }
}

Test(features, hog_of_ramps) {
    const double degree = 3.14159265358979323846 / 180;
    check_ramp(sin(30 * degree), cos(30 * degree), 1, 2, 1);      /* the centre of bin 1 */
    check_ramp(sin(45 * degree), cos(45 * degree), 1, 2, 0.25);   /* three quarters on to bin 2 */
    check_ramp(-sin(45 * degree), -cos(45 * degree), 1, 2, 0.25); /* the opposite direction */
    check_ramp(1, 0, 4, 5, 1);   /* 90 degrees: the centre of bin 4 */
    check_ramp(0, 1, 8, 0, 0.5); /* 0 degrees: between last and first */
}

/* By hand: one cell of 2 x 2, rows 0 1 and 0 3. gx is 1 and 3 (twice each), gy is 0 at the left and 2 at the
 * right: two pixels vote at 0 degrees with 1 and 3, two at atan2(2, 1) and atan2(2, 3). */
Test(features, hog_of_four_pixels) {
    const float pixel[4] = {0, 1, 0, 3};
    const gt_image image = {pixel, 1, 2, 2};
    float out[2];
    const gt_hog_options o = {.cell = 2, .block = 1, .bins = 2};
    cr_assert(gt_hog_size(&image, o) == 2 && gt_hog(&image, o, out));
    const double pi = 3.14159265358979323846, gx[4] = {1, 1, 3, 3}, gy[4] = {0, 2, 0, 2};
    double bin[2] = {0, 0};
    for (int i = 0; i < 4; i++) { /* centres at 45 and 135 degrees, 90 apart; 0 is half of each */
        const double degrees = atan2(gy[i], gx[i]) * 180 / pi,
                     m = sqrt(gx[i] * gx[i] + gy[i] * gy[i]);
        const double share = degrees < 45 ? (degrees + 45) / 90 : (135 - degrees) / 90;
        bin[0] += m * share;
        bin[1] += m * (1 - share);
    }
    const double norm = sqrt(bin[0] * bin[0] + bin[1] * bin[1] + 1e-6);
    cr_assert(quick_near((double)out[0], bin[0] / norm, 1e-6));
    cr_assert(quick_near((double)out[1], bin[1] / norm, 1e-6));
}

Test(features, hog_takes_the_strongest_channel_and_normalizes_blocks) {
    enum { SIDE = 16, WHOLE = SIDE * SIDE };
    float one[WHOLE], three[3 * WHOLE], a[36], b[36];
    for (int i = 0; i < WHOLE; i++) {
        one[i] = (float)sin(i * 0.7);
        three[i] = three[2 * WHOLE + i] = 0.5F;
        three[WHOLE + i] = one[i];
    }
    const gt_image gray = {one, 1, SIDE, SIDE}, color = {three, 3, SIDE, SIDE};
    const gt_hog_options o = {0};
    cr_assert(gt_hog_size(&gray, o) == 36 && gt_hog(&gray, o, a) && gt_hog(&color, o, b));
    cr_assert(memcmp(a, b, sizeof a) == 0);
    double squares = 0;
    for (int i = 0; i < 36; i++) squares += (double)a[i] * (double)a[i];
    cr_assert(quick_near(squares, 1, 1e-5));
    /* Twice the contrast, the same features. */
    for (int i = 0; i < WHOLE; i++) one[i] *= 2;
    cr_assert(gt_hog(&gray, o, b));
    for (int i = 0; i < 36; i++) cr_assert(quick_near((double)a[i], (double)b[i], 1e-5));
}

Test(features, one_after_the_other) {
    float pixel[3 * 256], color[12], hog[36], both[48];
    for (int i = 0; i < 3 * 256; i++) pixel[i] = (float)(i * 37 % 101) / 101;
    const gt_image image = {pixel, 3, 16, 16};
    cr_assert(gt_image_features_size(&image, 4, (gt_hog_options){0}) == 48);
    cr_assert(gt_image_features(&image, 4, (gt_hog_options){0}, both));
    cr_assert(gt_color_histogram(&image, 4, color) && gt_hog(&image, (gt_hog_options){0}, hog));
    cr_assert(memcmp(both, color, sizeof color) == 0 && memcmp(both + 12, hog, sizeof hog) == 0);
}

Test(features, what_is_no_image) {
    float pixel[256] = {0}, out[64];
    const gt_image good = {pixel, 1, 16, 16};
    const gt_image bad[] = {{NULL, 1, 16, 16},
                            {pixel, 0, 16, 16},
                            {pixel, 1, -1, 16},
                            {pixel, 1, 16, 0},
                            {pixel, 1, INT64_MAX, INT64_MAX}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        cr_assert(!gt_color_histogram(&bad[k], 4, out) &&
                  !gt_hog(&bad[k], (gt_hog_options){0}, out));
        cr_assert(!gt_image_features(&bad[k], 4, (gt_hog_options){0}, out));
    }
    cr_assert(!gt_color_histogram(&good, 0, out));
    cr_assert(!gt_hog(&good, (gt_hog_options){.cell = 17}, out));
    cr_assert(!gt_hog(&good, (gt_hog_options){.cell = 8, .block = 3}, out));
    cr_assert(!gt_hog(&good, (gt_hog_options){.bins = -1}, out));
    cr_assert(gt_hog(&good, (gt_hog_options){0}, out) && out[0] == 0); /* a flat image has none */
    pixel[7] = (float)NAN;
    cr_assert(!gt_color_histogram(&good, 4, out) && !gt_hog(&good, (gt_hog_options){0}, out));
}
