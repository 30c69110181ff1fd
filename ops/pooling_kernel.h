/* ops/pooling_kernel.h: the loops of pooling over one kind of element. pooling.c includes this file
 * once for each, having defined REAL and NAME(x); they are undefined at the end. A plane is one
 * channel of one image; from and to are planes. */

/* Largest elements and their places. No later NaN replaces the first. Written without branches:
 * which of a few elements is the largest cannot be foreseen. */
static void NAME(largest)(const grid *g, const void *from, void *to, int64_t *place) {
    const REAL *x = from;
    REAL *y = to;
    for (int64_t p = 0; p < g->made[0]; p++)
        for (int64_t q = 0; q < g->made[1]; q++, y++, place++) {
            const range down = g->range[0][p], across = g->range[1][q];
            int64_t best = down.first * g->size[1] + across.first;
            REAL top = x[best];
            for (int64_t i = down.first; i < down.end; i++)
                for (int64_t at = i * g->size[1] + across.first, end = i * g->size[1] + across.end;
                     at < end; at++) {
                    const REAL value = x[at];
                    const bool wins = !(value <= top) & (top == top);
                    best = wins ? at : best;
                    top = wins ? value : top;
                }
            *y = top;
            *place = best;
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

#undef NAME
#undef REAL
