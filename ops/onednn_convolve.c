/* ops/onednn_convolve.c: which convolutions oneDNN gets, and in what pieces.
 *
 * oneDNN wants elements in an order of its own (channels in blocks of a vector's width). A piece,
 * some images that fit the second-level cache, is brought into that order, convolved and brought
 * back by one thread, so that this costs little and no bit depends on the number of threads.
 * Gradients of weights are added up in a few shares, each in order, then the shares in order. */
#include "ops/onednn.h"

enum {
    LEAST_WORK = 1 << 19,  /* products that are worth it */
    MOST_SUMMED = 1 << 14, /* products of an image for a weight: oneDNN adds them up one by one */
    MOST_BYTES = 1 << 30,  /* of an operand of a piece, and ... */
    MOST_STEP = 1 << 14,   /* of options: oneDNN computes some places in 32 bits */
    PIECE_BYTES = 1 << 18, /* of a piece's images, if one is no larger */
    SHARES = 4,            /* of the pieces, for the gradient of weights */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t bytes_of(int64_t n, int64_t channels, const int64_t size[2]) {
    return n * channels * size[0] * size[1] * (int64_t)sizeof(float);
}

/* The most images that divide n and make a piece no larger than PIECE_BYTES; or than the weights,
 * whose gradient by a piece takes the time of going over them. */
static int64_t images_of_piece(const gt__conv *c, gt__made makes) {
    const int64_t each =
        bytes_of(1, c->groups * c->in, c->x) + bytes_of(1, c->groups * c->out, c->y);
    const int64_t weights = makes == GT__MAKES_W ? bytes_of(c->groups * c->out, c->in, c->k) : 0;
    const int64_t room = (weights > PIECE_BYTES ? weights : PIECE_BYTES) / each;
    int64_t images = least(room, (c->n + SHARES - 1) / SHARES);
    while (images > 1 && c->n % images) images--;
    return images > 0 ? images : 1;
}

static bool is_worth_it(const gt__conv *c, gt__made makes) {
    const double taps = (double)c->in * (double)c->k[0] * (double)c->k[1];
    const double pixels = (double)c->y[0] * (double)c->y[1];
    const double elements = (double)c->n * (double)c->groups * (double)c->out * pixels;
    return c->dtype == GT_F32 && c->x[0] > 0 && c->x[1] > 0 && taps * elements >= LEAST_WORK &&
           (makes != GT__MAKES_W || pixels <= MOST_SUMMED);
}

static bool fits(const gt__conv *c) {
    for (int a = 0; a < 2; a++)
        if (c->stride[a] > MOST_STEP || c->padding[a] > MOST_STEP || c->dilation[a] > MOST_STEP)
            return false;
    return bytes_of(c->n, c->groups * c->in, c->x) <= MOST_BYTES &&
           bytes_of(c->n, c->groups * c->out, c->y) <= MOST_BYTES &&
           bytes_of(c->groups * c->out, c->in, c->k) <= MOST_BYTES;
}

gt__outcome gt__onednn_convolve(const gt_call *call, const gt__conv *c, gt__made makes,
                                const void *w, const void *x, const void *y) {
    gt__conv piece = *c;
    if (!is_worth_it(c, makes)) return GT__REFUSED;
    piece.n = images_of_piece(c, makes);
    if (!fits(&piece)) return GT__REFUSED;
    const int64_t pieces = c->n / piece.n;
    const int64_t shares = makes == GT__MAKES_W ? least(SHARES, pieces) : pieces;
    return gt__onednn_pieces(call, &piece, pieces, shares, makes, w, x, y);
}
