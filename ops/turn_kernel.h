/* ops/turn_kernel.h: turns 4 by 4 elements within vector registers. The kernels of products and of Winograd's
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
#endif
