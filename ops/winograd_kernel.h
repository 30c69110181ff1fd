/* ops/winograd_kernel.h: the loops of Winograd's convolution for one instruction set. winograd.c includes
 * this file once for each, having defined NAME(x), TARGET and VECTOR_BYTES (sizeof(float) for plain C); they are
 * undefined at the end.
 *
 * Channels of a pixel stand together, padded to whole vectors, so that every loop here is over vectors. */
#define REAL float
#include "ops/vector_kernel.h"
#undef REAL

#define VECTOR NAME(vector)
#define LANES ((int64_t)(sizeof(VECTOR) / sizeof(float)))
#define LOAD(p) (*(const VECTOR *)(p))
#define STORE(p, v) (*(VECTOR *)(p) = (v))

/* ---- the transformations along one axis ------------------------------------------------------ */

/* Six neighbours of x. */
TARGET static inline ALWAYS_INLINE void NAME(spread_six)(VECTOR x[SPREAD]) {
    const VECTOR even_p = x[4] - Q2 * x[2], odd_p = P * (x[3] - Q2 * x[1]);
    const VECTOR even_q = x[4] - P2 * x[2], odd_q = Q * (x[3] - P2 * x[1]);
    x[0] = x[4] + (P2 * Q2 * x[0] - (P2 + Q2) * x[2]);
    x[5] = x[5] + (P2 * Q2 * x[1] - (P2 + Q2) * x[3]);
    x[1] = even_p + odd_p;
    x[2] = even_p - odd_p;
    x[3] = even_q + odd_q;
    x[4] = even_q - odd_q;
}

/* Four neighbours of y, to six. */
TARGET static inline ALWAYS_INLINE void NAME(spread_four)(VECTOR y[SPREAD]) {
    // cppcheck-suppress uninitvar; loops over constants have filled it
    const VECTOR even_p = y[0] + P2 * y[2], odd_p = P * (y[1] + P2 * y[3]);
    const VECTOR even_q = y[0] + Q2 * y[2], odd_q = Q * (y[1] + Q2 * y[3]);
    y[5] = y[3];
    y[1] = even_p + odd_p;
    y[2] = even_p - odd_p;
    y[3] = even_q + odd_q;
    y[4] = even_q - odd_q;
}

/* Six products, to four neighbours of y. */
TARGET static inline ALWAYS_INLINE void NAME(collect)(VECTOR m[SPREAD]) {
    const VECTOR even_p = m[1] + m[2], odd_p = P * (m[1] - m[2]);
    const VECTOR even_q = m[3] + m[4], odd_q = Q * (m[3] - m[4]);
    m[0] = m[0] + (even_p + even_q);
    m[1] = odd_p + odd_q;
    m[2] = P2 * even_p + Q2 * even_q;
    m[3] = m[5] + (P2 * odd_p + Q2 * odd_q);
}

/* ---- the transformations of a line of tiles -------------------------------------------------- */

/* From rows of pixels, `row` elements apart: `side` of them, 6 of x or 4 of y. */
TARGET static inline ALWAYS_INLINE void NAME(spread)(int64_t side, const float *line, int64_t row,
                                                     int64_t padded, int64_t tiles, float *to,
                                                     int64_t apart) {
    for (int64_t v = 0; v < padded; v += LANES) {
        VECTOR columns[SPREAD][SPREAD];
        for (int64_t tile = 0; tile < tiles; tile++) {
            const float *x = line + tile * STEP * padded + v;
            const int64_t known = tile ? side - STEP : 0;
            for (int64_t j = 0; j < known; j++) EACH(i, SPREAD) {
                    columns[j][i] = columns[STEP + j][i];
                }
            for (int64_t j = known; j < side; j++) {
                VECTOR d[SPREAD];
                EACH(i, side) { d[i] = LOAD(x + i * row + j * padded); }
                if (side == SPREAD)
                    NAME(spread_six)(d);
                else
                    NAME(spread_four)(d);
                EACH(i, SPREAD) { columns[j][i] = d[i]; }
            }
            float *place = to + tile * padded + v;
            for (int64_t i = 0; i < SPREAD; i++, place += SPREAD * apart) {
                VECTOR d[SPREAD];
                EACH(j, side) { d[j] = columns[j][i]; }
                if (side == SPREAD)
                    NAME(spread_six)(d);
                else
                    NAME(spread_four)(d);
                EACH(j, SPREAD) { STORE(place + j * apart, d[j]); }
            }
        }
    }
}

TARGET static void NAME(spread_x)(SPREAD_PARAMETERS) {
    NAME(spread)(SPREAD, line, row, padded, tiles, to, apart);
}
TARGET static void NAME(spread_y)(SPREAD_PARAMETERS) {
    NAME(spread)(STEP, line, row, padded, tiles, to, apart);
}

TARGET static void NAME(collect_y)(const float *from, int64_t apart, int64_t padded, int64_t tiles,
                                   float *line, int64_t row) {
    for (int64_t v = 0; v < padded; v += LANES)
        for (int64_t tile = 0; tile < tiles; tile++) {
            const float *m = from + tile * padded + v;
            float *y = line + tile * STEP * padded + v;
            VECTOR columns[SPREAD][STEP];
            for (int64_t j = 0; j < SPREAD; j++) {
                VECTOR d[SPREAD];
                EACH(i, SPREAD) { d[i] = LOAD(m + (i * SPREAD + j) * apart); }
                NAME(collect)(d);
                EACH(i, STEP) { columns[j][i] = d[i]; }
            }
            for (int64_t i = 0; i < STEP; i++) {
                VECTOR d[SPREAD];
                EACH(j, SPREAD) { d[j] = columns[j][i]; }
                NAME(collect)(d);
                EACH(j, STEP) { STORE(y + i * row + j * padded, d[j]); }
            }
        }
}

/* ---- the transformations of weights ---------------------------------------------------------- */

/* Channels' 9 taps, [tap, channel], at the 36 places. */
TARGET static void NAME(spread_w)(const float *taps, int64_t padded, float *to, int64_t apart) {
    for (int64_t v = 0; v < padded; v += LANES) {
        VECTOR rows[TAPS][SPREAD];
        EACH(i, TAPS) {
            const float *w = taps + i * TAPS * padded + v;
            const VECTOR w0 = LOAD(w), w1 = LOAD(w + padded), w2 = LOAD(w + 2 * padded);
            EACH(q, SPREAD) {
                rows[i][q] = points[q][0] * w0 + points[q][1] * w1 + points[q][2] * w2;
            }
        }
        EACH(p, SPREAD) {
            EACH(q, SPREAD) {
                STORE(to + (p * SPREAD + q) * apart + v, points[p][0] * rows[0][q] +
                                                             points[p][1] * rows[1][q] +
                                                             points[p][2] * rows[2][q]);
            }
        }
    }
}

/* And back, transposed. */
TARGET static void NAME(collect_w)(const float *from, int64_t apart, int64_t padded, float *taps) {
    for (int64_t v = 0; v < padded; v += LANES) {
        VECTOR rows[SPREAD][TAPS] = {0};
        EACH(p, SPREAD) {
            EACH(q, SPREAD) {
                const VECTOR m = LOAD(from + (p * SPREAD + q) * apart + v);
                EACH(j, TAPS) { rows[p][j] += points[q][j] * m; }
            }
        }
        EACH(i, TAPS) {
            EACH(j, TAPS) {
                VECTOR sum = points[0][i] * rows[0][j];
                for (int64_t p = 1; p < SPREAD; p++) sum += points[p][i] * rows[p][j];
                STORE(taps + (i * TAPS + j) * padded + v, sum);
            }
        }
    }
}

static const kernel NAME(kernel) = {
    .spread_x = NAME(spread_x),
    .spread_y = NAME(spread_y),
    .collect_y = NAME(collect_y),
    .spread_w = NAME(spread_w),
    .collect_w = NAME(collect_w),
};

#undef VECTOR
#undef LANES
#undef LOAD
#undef STORE
#undef NAME
#undef TARGET
#undef VECTOR_BYTES
