/* ops/turn_kernel.h: turns 4 by 4 elements, and 8 by 4, within vector registers. The kernels of products and of Winograd's
 * convolution include this file, having defined REAL, NAME(x) and TARGET, behind unroll.h. Nothing is defined where the
 * compiler has no shuffles. */
#ifdef SHUFFLE
typedef REAL NAME(quad)
    __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* Turns 4 lines of 4 neighbours into neighbours of 4 lines. */
TARGET static inline ALWAYS_INLINE void NAME(turn_four)(REAL *restrict to, int64_t step,
                                                        const REAL *restrict x, int64_t across) {
    const NAME(quad) x0 = *(const NAME(quad) *)x;
    const NAME(quad) x1 = *(const NAME(quad) *)(x + across);
    const NAME(quad) x2 = *(const NAME(quad) *)(x + 2 * across);
    const NAME(quad) x3 = *(const NAME(quad) *)(x + 3 * across);
    const NAME(quad) low02 = SHUFFLE(x0, x2, 0, 4, 1, 5), high02 = SHUFFLE(x0, x2, 2, 6, 3, 7);
    const NAME(quad) low13 = SHUFFLE(x1, x3, 0, 4, 1, 5), high13 = SHUFFLE(x1, x3, 2, 6, 3, 7);
    *(NAME(quad) *)to = SHUFFLE(low02, low13, 0, 4, 1, 5);
    *(NAME(quad) *)(to + step) = SHUFFLE(low02, low13, 2, 6, 3, 7);
    *(NAME(quad) *)(to + 2 * step) = SHUFFLE(high02, high13, 0, 4, 1, 5);
    *(NAME(quad) *)(to + 3 * step) = SHUFFLE(high02, high13, 2, 6, 3, 7);
}

typedef REAL NAME(octet)
    __attribute__((vector_size(8 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define PAIR(x, y)                                                                                 \
    SHUFFLE(*(const NAME(quad) *)(x), *(const NAME(quad) *)(y), 0, 1, 2, 3, 4, 5, 6, 7)
#define WEAVE_LOW(x, y) SHUFFLE(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define WEAVE_HIGH(x, y) SHUFFLE(x, y, 2, 10, 3, 11, 6, 14, 7, 15)

/* Turns 8 lines of 4 neighbours: as above, with the line 4 further in the other half of each register. */
TARGET static inline ALWAYS_INLINE void NAME(turn_eight)(REAL *restrict to, int64_t step,
                                                         const REAL *restrict x, int64_t across) {
    const NAME(octet) x0 = PAIR(x, x + 4 * across), x1 = PAIR(x + across, x + 5 * across);
    const NAME(octet) x2 = PAIR(x + 2 * across, x + 6 * across);
    const NAME(octet) x3 = PAIR(x + 3 * across, x + 7 * across);
    const NAME(octet) low02 = WEAVE_LOW(x0, x2), high02 = WEAVE_HIGH(x0, x2);
    const NAME(octet) low13 = WEAVE_LOW(x1, x3), high13 = WEAVE_HIGH(x1, x3);
    *(NAME(octet) *)to = WEAVE_LOW(low02, low13);
    *(NAME(octet) *)(to + step) = WEAVE_HIGH(low02, low13);
    *(NAME(octet) *)(to + 2 * step) = WEAVE_LOW(high02, high13);
    *(NAME(octet) *)(to + 3 * step) = WEAVE_HIGH(high02, high13);
}
#undef PAIR
#undef WEAVE_LOW
#undef WEAVE_HIGH
#endif
