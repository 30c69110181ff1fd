/* ops/fold_kernel.h: a template, included by fold.c once for every folding and kind of element.
 *
 * The includer defines NAME(x) (x, named for this case), T (an element), R (a result), IDENTITY,
 * and COMBINE(a, b) over two R; they are undefined at the end. SHORT_ROWS, which stays, tells
 * whether rows below FOLD_LANES are worth loops of their own; then T is R, and COMBINE_LANES is COMBINE
 * of vectors. What is defined here is a gt__folder. */

FOLD_LOOPS static void NAME(fill)(void *to, int64_t n) {
    R *y = to;
    for (int64_t i = 0; i < n; i++) y[i] = IDENTITY;
}

FOLD_LOOPS static void NAME(take)(void *to, const void *from, int64_t stride, int64_t n) {
    R *y = to;
    const T *x = from;
    if (stride == 1)
        for (int64_t i = 0; i < n; i++) y[i] = COMBINE(y[i], (R)x[i]);
    else
        for (int64_t i = 0; i < n; i++) y[i] = COMBINE(y[i], (R)x[i * stride]);
}

FOLD_LOOPS static void NAME(merge)(void *to, const void *from, int64_t n) {
    R *y = to;
    const R *x = from;
    for (int64_t i = 0; i < n; i++) y[i] = COMBINE(y[i], x[i]);
}

/* FOLD_ABREAST rows that do not fill the lanes, side by side; what is left out combines with identities. */
FOLD_LOOPS static void NAME(abreast)(R *y, const T *x, int n) {
    R lane[FOLD_LANES][FOLD_ABREAST];
    int half = FOLD_LANES / 2;
    for (int k = 0; k < n; k++)
        for (int r = 0; r < FOLD_ABREAST; r++) lane[k][r] = COMBINE((R)IDENTITY, (R)x[r * n + k]);
    for (; half; n = n < half ? n : half, half /= 2)
        for (int k = 0; k + half < n; k++)
            for (int r = 0; r < FOLD_ABREAST; r++)
                lane[k][r] = COMBINE(lane[k][r], lane[k + half][r]);
    memcpy(y, lane[0], sizeof lane[0]);
}

/* to[k] with from[k] of `count` neighbours, a power of two: left to itself, a compiler takes them one by one. Comparing
 * vectors of 64 bytes, gcc would do that, too. */
#if defined(COMBINE_LANES) && defined(__GNUC__)
#define FOLD_BYTES(count) ((count) * sizeof(R) < 32 ? (count) * sizeof(R) : 32)
#define FOLD_SOME(count, to, from)                                                                 \
    do {                                                                                           \
        typedef R some_                                                                            \
            __attribute__((vector_size(FOLD_BYTES(count)), aligned(sizeof(R)), may_alias));        \
        typedef __typeof__((some_){0} > (some_){0}) mask_;                                         \
        (void)sizeof(mask_);                                                                       \
        for (size_t k_ = 0; k_ < (count); k_ += FOLD_BYTES(count) / sizeof(R)) {                   \
            const some_ a_ = *(const some_ *)((to) + k_), b_ = *(const some_ *)((from) + k_);      \
            *(some_ *)((to) + k_) = COMBINE_LANES(some_, mask_, a_, b_);                           \
        }                                                                                          \
    } while (0)
#else
#define FOLD_SOME(count, to, from)                                                                 \
    for (int k_ = 0; k_ < (count); k_++) (to)[k_] = COMBINE((to)[k_], (R)(from)[k_])
#endif

FOLD_LOOPS static void NAME(chunks)(void *to, const void *from, int64_t rows, int64_t n) {
    R *y = to;
    const T *x = from;
    int64_t r = 0;
    for (; SHORT_ROWS && n > 0 && n < FOLD_LANES && r + FOLD_ABREAST <= rows;
         r += FOLD_ABREAST, x += n * FOLD_ABREAST)
        NAME(abreast)(y + r, x, (int)n);
    for (; r < rows; r++, x += n) {
        R lane[FOLD_LANES];
        for (int k = 0; k < FOLD_LANES; k++) lane[k] = IDENTITY;
        int64_t i = 0;
        for (; i + FOLD_LANES <= n; i += FOLD_LANES) FOLD_SOME(FOLD_LANES, lane, x + i);
        for (int k = 0; i + k < n; k++) lane[k] = COMBINE(lane[k], (R)x[i + k]);
        FOLD_SOME(FOLD_LANES / 2, lane, lane + FOLD_LANES / 2);
        FOLD_SOME(FOLD_LANES / 4, lane, lane + FOLD_LANES / 4);
        FOLD_SOME(FOLD_LANES / 8, lane, lane + FOLD_LANES / 8);
        y[r] = COMBINE(lane[0], lane[1]);
    }
}

static const gt__folder NAME(folder) = {sizeof(T),  sizeof(R),   NAME(fill),
                                        NAME(take), NAME(merge), NAME(chunks)};

#undef NAME
#undef T
#undef R
#undef IDENTITY
#undef COMBINE
#undef COMBINE_LANES
#undef FOLD_SOME
#undef FOLD_BYTES
