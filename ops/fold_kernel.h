/* ops/fold_kernel.h: a template, included by fold.c once for every folding and kind of element.
 *
 * The includer defines NAME(x) (x, named for this case), T (an element), R (a result), IDENTITY,
 * and COMBINE(a, b) over two R; where T is R, perhaps COMBINE_LANES, which is COMBINE of vectors. They are
 * undefined at the end. What is defined here is a gt__folder. */

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

/* to[k] with from[k] of `count` neighbours, a power of two: left to itself, a compiler takes them one by one. Comparing
 * vectors of 64 bytes, gcc would do that, too. */
#if defined(COMBINE_LANES) && defined(__GNUC__)
#define FOLD_BYTES(count) ((count) * sizeof(R) < 32 ? (count) * sizeof(R) : 32)
#define FOLD_TYPES(count)                                                                          \
    typedef R some_                                                                                \
        __attribute__((vector_size(FOLD_BYTES(count)), aligned(sizeof(R)), may_alias));            \
    typedef __typeof__((some_){0} > (some_){0}) mask_;                                             \
    (void)sizeof(mask_)
#define FOLD_REACH(n) (((n) + FOLD_LANES - 1) / FOLD_LANES * FOLD_LANES)
#define FOLD_SOME(count, to, from)                                                                 \
    do {                                                                                           \
        FOLD_TYPES(count);                                                                         \
        for (size_t k_ = 0; k_ < (count); k_ += FOLD_BYTES(count) / sizeof(R)) {                   \
            const some_ a_ = *(const some_ *)((to) + k_), b_ = *(const some_ *)((from) + k_);      \
            *(some_ *)((to) + k_) = COMBINE_LANES(some_, mask_, a_, b_);                           \
        }                                                                                          \
    } while (0)

/* The last n elements of a row, which do not fill the lanes: identities take the place of what stands behind them. */
static inline ALWAYS_INLINE void NAME(rest)(R lane[FOLD_LANES], const T *x, R n) {
    static const R index[FOLD_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    R known[FOLD_LANES];
    for (size_t k = 0; k < FOLD_LANES; k += FOLD_BYTES(FOLD_LANES) / sizeof(R)) {
        FOLD_TYPES(FOLD_LANES);
        const some_ all = *(const some_ *)(x + k), none = (some_){0} + IDENTITY;
        const mask_ fits = *(const some_ *)(index + k) < n;
        *(some_ *)(known + k) = CHOSEN(some_, mask_, fits, all, none);
    }
    FOLD_SOME(FOLD_LANES, lane, known);
}
#else
#define FOLD_SOME(count, to, from)                                                                 \
    for (int k_ = 0; k_ < (count); k_++) (to)[k_] = COMBINE((to)[k_], (R)(from)[k_])
#endif

/* A row of n. With `reach` its vectors may read up to 15 elements behind it. */
static inline ALWAYS_INLINE R NAME(row)(const T *x, int64_t n, bool reach) {
    R lane[FOLD_LANES];
    int64_t i = 0;
    for (int k = 0; k < FOLD_LANES; k++) lane[k] = IDENTITY;
    for (; i + FOLD_LANES <= n; i += FOLD_LANES) FOLD_SOME(FOLD_LANES, lane, x + i);
#ifdef FOLD_TYPES
    if (reach && i < n) NAME(rest)(lane, x + i, (R)(n - i));
    if (reach) i = n;
#endif
    (void)reach;
    for (int k = 0; i + k < n; k++) lane[k] = COMBINE(lane[k], (R)x[i + k]);
    FOLD_SOME(FOLD_LANES / 2, lane, lane + FOLD_LANES / 2);
    FOLD_SOME(FOLD_LANES / 4, lane, lane + FOLD_LANES / 4);
    FOLD_SOME(FOLD_LANES / 8, lane, lane + FOLD_LANES / 8);
    return COMBINE(lane[0], lane[1]);
}

FOLD_LOOPS static void NAME(chunks)(void *to, const void *from, int64_t rows, int64_t n) {
    R *y = to;
    const T *x = from;
    int64_t r = 0;
#ifdef FOLD_TYPES
    for (; r < rows && (rows - r) * n >= FOLD_REACH(n); r++, x += n) y[r] = NAME(row)(x, n, true);
#endif
    for (; r < rows; r++, x += n) y[r] = NAME(row)(x, n, false);
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
#undef FOLD_TYPES
#undef FOLD_REACH
#undef FOLD_BYTES
