/* ops/convolve_kernel.h: the loops of convolutions over one kind of element. convolve.c includes
 * this file once for each, having defined REAL and NAME(x); they are undefined at the end. */

/* One row of a line: elements of x that a tap meets, zeros where it meets none. */
static void NAME(unfold_row)(const void *from, void *to, const row *r) {
    const REAL *x = (const REAL *)from + r->x;
    REAL *line = (REAL *)to + r->line;
    int64_t q = 0;
    for (; q < r->met.first; q++) line[q] = 0;
    if (r->step == 1)
        for (; q < r->met.end; q++) line[q] = x[q - r->met.first];
    else
        for (; q < r->met.end; q++) line[q] = x[(q - r->met.first) * r->step];
    for (; q < r->columns; q++) line[q] = 0;
}

/* The transpose: the row of x takes what the line holds. */
static void NAME(fold_row)(const void *from, void *to, const row *r) {
    const REAL *line = (const REAL *)from + r->line + r->met.first;
    REAL *x = (REAL *)to + r->x;
    const int64_t n = r->met.end - r->met.first;
    if (r->step == 1)
        for (int64_t q = 0; q < n; q++) x[q] += line[q];
    else
        for (int64_t q = 0; q < n; q++) x[q * r->step] += line[q];
}

/* ---- one channel of input by one of output, in the order of the formula: as emitted, see conv_emit.c ---- */

/* Adds to the plane of y. */
static void NAME(plane)(const gt__conv *c, const void *from, const void *weight, void *to) {
    const REAL *x = from, *w = weight;
    REAL *y = to;
    for (int64_t i = 0; i < c->k[0]; i++)
        for (int64_t j = 0; j < c->k[1]; j++) {
            const span p = met(c, 0, i, 0, c->y[0]), q = met(c, 1, j, 0, c->y[1]);
            const int64_t step = c->stride[1], n = q.end - q.first;
            const REAL factor = w[i * c->k[1] + j];
            for (int64_t r = p.first; r < p.end; r++) {
                const REAL *a = x + (p.from + (r - p.first) * c->stride[0]) * c->x[1] + q.from;
                REAL *b = y + r * c->y[1] + q.first;
                if (step == 1)
                    for (int64_t s = 0; s < n; s++) b[s] += factor * a[s];
                else
                    for (int64_t s = 0; s < n; s++) b[s] += factor * a[s * step];
            }
        }
}

/* Adds to the plane of x. */
static void NAME(plane_input)(const gt__conv *c, const void *from, const void *weight, void *to) {
    const REAL *y = from, *w = weight;
    REAL *x = to;
    for (int64_t i = 0; i < c->k[0]; i++)
        for (int64_t j = 0; j < c->k[1]; j++) {
            const span p = met(c, 0, i, 0, c->y[0]), q = met(c, 1, j, 0, c->y[1]);
            const int64_t step = c->stride[1], n = q.end - q.first;
            const REAL factor = w[i * c->k[1] + j];
            for (int64_t r = p.first; r < p.end; r++) {
                REAL *a = x + (p.from + (r - p.first) * c->stride[0]) * c->x[1] + q.from;
                const REAL *b = y + r * c->y[1] + q.first;
                if (step == 1)
                    for (int64_t s = 0; s < n; s++) a[s] += factor * b[s];
                else
                    for (int64_t s = 0; s < n; s++) a[s * step] += factor * b[s];
            }
        }
}

/* Adds to the kernel. Element s of a row goes to sum s mod LANES, so that neighbours need not wait
 * for each other. */
static void NAME(plane_weight)(const gt__conv *c, const void *from, const void *other, void *to) {
    const REAL *x = from, *y = other;
    REAL *w = to;
    for (int64_t i = 0; i < c->k[0]; i++)
        for (int64_t j = 0; j < c->k[1]; j++) {
            const span p = met(c, 0, i, 0, c->y[0]), q = met(c, 1, j, 0, c->y[1]);
            const int64_t step = c->stride[1], n = q.end - q.first;
            REAL sum[LANES] = {0};
            for (int64_t r = p.first; r < p.end; r++) {
                const REAL *a = x + (p.from + (r - p.first) * c->stride[0]) * c->x[1] + q.from;
                const REAL *b = y + r * c->y[1] + q.first;
                int64_t s = 0;
                for (; s + LANES <= n; s += LANES)
                    for (int64_t l = 0; l < LANES; l++) sum[l] += a[(s + l) * step] * b[s + l];
                for (int64_t l = 0; s + l < n; l++) sum[l] += a[(s + l) * step] * b[s + l];
            }
            for (int64_t l = LANES / 2; l > 0; l /= 2)
                for (int64_t m = 0; m < l; m++) sum[m] += sum[m + l];
            w[i * c->k[1] + j] += sum[0];
        }
}

/* to[i] += from[i] */
static void NAME(add)(void *to, const void *from, int64_t n) {
    REAL *y = to;
    const REAL *x = from;
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static const kernels NAME(loops) = {
    NAME(unfold_row),   NAME(fold_row), NAME(plane),    NAME(plane_input),
    NAME(plane_weight), NAME(add),      NAME(gt__gemm),
};

#undef NAME
#undef REAL
