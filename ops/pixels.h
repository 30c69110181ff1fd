/* ops/pixels.h: loops over images whose pixels have their channels together, which every vector register can
 * then be filled with. Private to ops/. */
#ifndef GT_OPS_PIXELS_H
#define GT_OPS_PIXELS_H

#include <stdbool.h>
#include <stdint.h>

/* Where a row of A and its row of C are, from the first element. */
typedef struct gt__row_pair {
    int64_t a, c;
} gt__row_pair;

/* C [m, n] = A B, or added. What is summed comes in slabs, `depth` elements each, `a_col` apart; A's begin at
 * `slab`. B's rows follow each other, `b_row` apart, through all slabs; two vectors of them stand together, the
 * next two `b_panel` further. n is a multiple of a vector. */
typedef struct gt__pixel_product {
    int64_t m, n, slabs, depth;
    const float *a;
    const gt__row_pair *row;
    const int64_t *slab;
    int64_t a_col;
    const float *b;
    int64_t b_row, b_panel;
    float *c;
    bool add;
} gt__pixel_product;

/* Pixels of an image, or some of them, and how far apart rows, columns and channels are: as planes, columns are neighbours;
 * channels last, channels are. */
typedef struct gt__field {
    float *at; /* the first pixel's first channel */
    int64_t row, column, channel;
} gt__field;

typedef struct gt__pixel_loops {
    int64_t lanes; /* of a vector */
    /* to[r to_row + j to_step + i] = from[r from_row + i from_step + j], for rows r, lines i and elements j. */
    void (*turn)(float *to, int64_t to_row, int64_t to_step, const float *from, int64_t from_row,
                 int64_t from_step, int64_t rows, int64_t lines, int64_t elements);
    /* Sums are one by one, in order. */
    void (*multiply)(const gt__pixel_product *g);
} gt__pixel_loops;

/* Those for this processor. */
const gt__pixel_loops *gt__loops_for_pixels(void);

/* Images [n, channels, size...] from `at` on. */
gt__field gt__field_of(float *at, int64_t channels, const int64_t size[2], bool channels_last);
/* Where pixel (row, column) of an image and channel `channel` of all are. */
gt__field gt__field_at(gt__field f, int64_t image_elements, int64_t image, int64_t channel,
                       int64_t row, int64_t column);
/* Copies rows x columns pixels of so many channels to memory with the channels of a pixel together, whose rows are to_row and
 * pixels to_step apart; and back. */
void gt__read_pixels(const gt__pixel_loops *loop, gt__field from, int64_t rows, int64_t columns,
                     int64_t channels, float *to, int64_t to_row, int64_t to_step);
void gt__write_pixels(const gt__pixel_loops *loop, gt__field to, int64_t rows, int64_t columns,
                      int64_t channels, const float *from, int64_t from_row, int64_t from_step);

#endif
