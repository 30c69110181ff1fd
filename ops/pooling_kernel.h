/* ops/pooling_kernel.h: the loops of pooling over one kind of element. pooling.c includes this file
 * once for each, having defined REAL, PLACE (integers of that size), EVEN and ODD (places in two vectors) and NAME(x); they are
 * undefined at the end. A plane is one channel of one image; from and to are planes. */

/* Windows `step` elements apart meet one more element each, the first of them x[0], which is `at`
 * elements from the window's first. No later NaN replaces the first. Written without branches: which
 * of a few elements is the largest cannot be foreseen. */
static inline void NAME(meet)(const REAL *restrict x, int64_t step, PLACE at, int64_t n,
                              REAL *restrict top, PLACE *restrict best) {
    for (int64_t q = 0; q < n; q++) {
        const REAL value = x[q * step];
        const PLACE wins = -(PLACE)(!(value <= top[q]) & (top[q] == top[q]));
        best[q] = (at & wins) | (best[q] & ~wins);
        top[q] = wins ? value : top[q];
    }
}

#ifdef SHUFFLE
#include "ops/vector_kernel.h"
typedef PLACE NAME(places)
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))
#define LOAD(p) (*(const NAME(vector) *)(p))

/* Windows of two columns, side by side, in whole vectors, as meet has it. */
GT__WIDE_VECTORS static void NAME(largest_of_pairs)(const REAL *x, int64_t width, int64_t rows,
                                                    int64_t n, REAL *top, PLACE *best) {
    for (int64_t q = 0; q < n; q += LANES) {
        NAME(vector) most = (NAME(vector)){0} - (REAL)INFINITY;
        NAME(places) where = {0};
        for (int64_t i = 0; i < rows; i++) {
            const REAL *row = x + i * width + 2 * q;
            for (PLACE j = 0; j < 2; j++) {
                const NAME(vector) a = LOAD(row), b = LOAD(row + LANES);
                const NAME(vector) value = j ? SHUFFLE(a, b, ODD) : SHUFFLE(a, b, EVEN);
                // NOLINTNEXTLINE(misc-redundant-expression): a NaN is not equal to itself
                const NAME(places) wins = ~(value <= most) & (most == most);
                where = (((PLACE)(i * width) + j) & wins) | (where & ~wins);
                most = (NAME(vector))(((NAME(places))value & wins) | ((NAME(places))most & ~wins));
            }
        }
        *(NAME(vector) *)(top + q) = most;
        *(NAME(places) *)(best + q) = where;
    }
}
#endif

/* At most TOGETHER windows of one size in a row, the first of them at x. Steps that are known make
 * quicker loops. */
static inline void NAME(largest_of)(const REAL *x, int64_t width, int64_t rows, int64_t columns,
                                    int64_t step, int64_t n, REAL *top, PLACE *best) {
#ifdef SHUFFLE
    if (step == 2 && columns == 2 && n % LANES == 0) {
        NAME(largest_of_pairs)(x, width, rows, n, top, best);
        return;
    }
#endif
    for (int64_t q = 0; q < n; q++) top[q] = -(REAL)INFINITY;
    memset(best, 0, (size_t)n * sizeof *best);
    for (int64_t i = 0; i < rows; i++) {
        PLACE at = (PLACE)(i * width);
        for (const PLACE end = at + (PLACE)columns; at < end; at++)
            if (step == 1)
                NAME(meet)(x + at, 1, at, n, top, best);
            else
                NAME(meet)(x + at, step, at, n, top, best);
    }
}

/* Largest elements and their places. */
static void NAME(largest)(const grid *g, const void *from, void *to, int64_t *place) {
    const REAL *x = from;
    REAL *y = to, top[TOGETHER];
    PLACE best[TOGETHER];
    for (int64_t p = 0; p < g->made[0]; p++)
        for (int64_t q = 0, n; q < g->made[1]; q += n, y += n, place += n) {
            const range down = g->range[0][p], across = g->range[1][q];
            const int64_t step = across.alike > 1 ? g->range[1][q + 1].first - across.first : 1;
            const int64_t first = down.first * g->size[1] + across.first;
            const int64_t rows = down.end - down.first, columns = across.end - across.first;
            n = across.alike < TOGETHER ? across.alike : TOGETHER;
            const int64_t last = (down.end - 1) * g->size[1] + across.end - 1;
            NAME(largest_of)
            (x + first, g->size[1], rows, columns, step, in_vectors(g, n, last, step), top, best);
            memcpy(y, top, (size_t)n * sizeof *y);
            for (int64_t i = 0; i < n; i++) place[i] = first + i * step + best[i];
        }
}

/* Means, added up in double. */
static void NAME(mean)(const grid *g, const void *from, void *to) {
    const REAL *x = from;
    REAL *y = to;
    for (int64_t p = 0; p < g->made[0]; p++)
        for (int64_t q = 0; q < g->made[1]; q++, y++) {
            const range down = g->range[0][p], across = g->range[1][q];
            double sum = 0;
            for (int64_t i = down.first; i < down.end; i++)
                for (int64_t j = across.first; j < across.end; j++)
                    sum += (double)x[i * g->size[1] + j];
            *y = (REAL)(sum / (double)(down.count * across.count));
        }
}

/* The transpose: adds each element's share to all of its window. */
static void NAME(spread)(const grid *g, const void *from, void *to) {
    const REAL *y = from;
    REAL *x = to;
    for (int64_t p = 0; p < g->made[0]; p++)
        for (int64_t q = 0; q < g->made[1]; q++, y++) {
            const range down = g->range[0][p], across = g->range[1][q];
            const REAL share = *y / (REAL)(down.count * across.count);
            for (int64_t i = down.first; i < down.end; i++)
                for (int64_t j = across.first; j < across.end; j++) x[i * g->size[1] + j] += share;
        }
}

static void NAME(take)(const void *from, void *to, const int64_t *place, int64_t n) {
    const REAL *x = from;
    REAL *y = to;
    for (int64_t i = 0; i < n; i++) y[i] = x[place[i]];
}

static void NAME(put)(const void *from, void *to, const int64_t *place, int64_t n) {
    const REAL *y = from;
    REAL *x = to;
    for (int64_t i = 0; i < n; i++) x[place[i]] += y[i];
}

static const kernels NAME(loops) = {NAME(largest), NAME(mean), NAME(spread), NAME(take), NAME(put)};

#undef LANES
#undef LOAD
#undef EVEN
#undef ODD
#undef NAME
#undef PLACE
#undef REAL
