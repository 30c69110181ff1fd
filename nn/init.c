/* nn/init.c: first values of parameters. Each element is drawn by counter, from the parameter's
 * key. */
#include <math.h>

#include "nn/nn.h"

static bool fill_constant(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const int64_t n = gt_numel(shape);
    (void)key;
    for (int64_t i = 0; i < n; i++) values[i] = init->a;
    return true;
}

static void draw_normal(gt_shape shape, uint64_t key, double mean, double std, double *values) {
    const int64_t n = gt_numel(shape);
    for (int64_t i = 0; i < n; i++) values[i] = mean + std * gt_normal(key, 0, (uint64_t)i);
}

static void draw_uniform(gt_shape shape, uint64_t key, double low, double high, double *values) {
    const int64_t n = gt_numel(shape);
    for (int64_t i = 0; i < n; i++)
        values[i] = low + (high - low) * gt_uniform(key, 0, (uint64_t)i);
}

static bool fill_normal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    draw_normal(shape, key, init->a, init->b, values);
    return true;
}

static bool fill_uniform(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    draw_uniform(shape, key, init->a, init->b, values);
    return true;
}

/* How many inputs an output sees, and how many outputs an input feeds: of [in, out] as gt_linear
 * has it, and of [out, in, field...] as convolutions have it, where each counts for every
 * element of the field. */
static double fan(gt_shape shape, bool out) {
    double field = 1;
    if (shape.rank < 2) return shape.rank ? (double)shape.dim[0] : 1;
    for (int d = 2; d < shape.rank; d++) field *= (double)shape.dim[d];
    const int in_axis = shape.rank > 2 ? 1 : 0;
    return field * (double)shape.dim[out ? 1 - in_axis : in_axis];
}

/* a: the gain, b: the gt_fan that divides. An empty shape has no variance to speak of. */
static double scaled_std(const gt_init *init, gt_shape shape) {
    const double in = fan(shape, false), out = fan(shape, true);
    const double n = init->b == GT_FAN_IN ? in : init->b == GT_FAN_OUT ? out : (in + out) / 2;
    return n > 0 ? init->a / sqrt(n) : 0;
}

static bool fill_scaled_normal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    draw_normal(shape, key, 0, scaled_std(init, shape), values);
    return true;
}

/* A uniform variable on [-b, b] has the standard deviation b / sqrt 3. */
static bool fill_scaled_uniform(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const double bound = sqrt(3.0) * scaled_std(init, shape);
    draw_uniform(shape, key, -bound, bound, values);
    return true;
}

/* Draws again what falls outside: a draw in 22 does, so the last try is not reached. */
static bool fill_truncated_normal(const gt_init *init, gt_shape shape, uint64_t key,
                                  double *values) {
    const int64_t n = gt_numel(shape);
    for (int64_t i = 0; i < n; i++) {
        double z = 3;
        for (uint64_t attempt = 0; attempt < 64 && fabs(z) > 2; attempt++)
            z = gt_normal(key, attempt, (uint64_t)i);
        values[i] = init->a + init->b * (fabs(z) > 2 ? 0 : z);
    }
    return true;
}

/* ---- orthogonal ----------------------------------------------------------------------------- */

/* `count` vectors of `length` elements each, in place: element i of vector k is at k * next + i
 * * step. */
typedef struct vectors {
    double *values;
    int64_t count, length, next, step;
} vectors;

static double dot(const vectors *v, int64_t j, int64_t k) {
    const double *a = v->values + j * v->next, *b = v->values + k * v->next;
    double sum = 0;
    for (int64_t i = 0; i < v->length; i++) sum += a[i * v->step] * b[i * v->step];
    return sum;
}

/* Modified Gram-Schmidt: takes from vector k its part along each vector before it. Twice is
 * enough to make it orthogonal to rounding. */
static void orthogonalize(const vectors *v, int64_t k) {
    double *a = v->values + k * v->next;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < k; j++) {
            const double along = dot(v, j, k);
            const double *b = v->values + j * v->next;
            for (int64_t i = 0; i < v->length; i++) a[i * v->step] -= along * b[i * v->step];
        }
}

/* Vector k: normal draws, orthogonal to those before it, of length 1. It is drawn again in the
 * case, of probability next to zero, that hardly anything is left of it. */
static void draw_direction(const vectors *v, int64_t k, uint64_t key) {
    double *a = v->values + k * v->next, length = 0;
    for (uint64_t attempt = 0; attempt < 64 && !(length > 1e-6); attempt++) {
        for (int64_t i = 0; i < v->length; i++)
            a[i * v->step] = gt_normal(key, attempt, (uint64_t)(k * v->length + i));
        orthogonalize(v, k);
        length = sqrt(dot(v, k, k));
    }
    for (int64_t i = 0; i < v->length; i++) a[i * v->step] /= length;
}

/* With R's diagonal positive, as Gram-Schmidt makes it, Q is uniform among all orthogonal
 * matrices. */
static bool fill_orthogonal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const int64_t numel = gt_numel(shape), rows = shape.rank ? shape.dim[0] : 1;
    const int64_t columns = rows ? numel / rows : 0;
    const vectors v = rows < columns ? (vectors){values, rows, columns, columns, 1}
                                     : (vectors){values, columns, rows, 1, columns};
    for (int64_t k = 0; numel && k < v.count; k++) draw_direction(&v, k, key);
    for (int64_t i = 0; i < numel; i++) values[i] *= init->a;
    return true;
}

gt_init gt_init_zeros(void) { return (gt_init){fill_constant, 0, 0}; }
gt_init gt_init_constant(double value) { return (gt_init){fill_constant, value, 0}; }
gt_init gt_init_normal(double mean, double std) { return (gt_init){fill_normal, mean, std}; }
gt_init gt_init_uniform(double low, double high) { return (gt_init){fill_uniform, low, high}; }
gt_init gt_init_truncated_normal(double mean, double std) {
    return (gt_init){fill_truncated_normal, mean, std};
}
gt_init gt_init_orthogonal(double gain) { return (gt_init){fill_orthogonal, gain, 0}; }
gt_init gt_init_scaled_normal(gt_fan by, double gain) {
    return (gt_init){fill_scaled_normal, gain, by};
}
gt_init gt_init_scaled_uniform(gt_fan by, double gain) {
    return (gt_init){fill_scaled_uniform, gain, by};
}
gt_init gt_init_xavier_normal(void) { return gt_init_scaled_normal(GT_FAN_MEAN, 1); }
gt_init gt_init_xavier_uniform(void) { return gt_init_scaled_uniform(GT_FAN_MEAN, 1); }
gt_init gt_init_kaiming_normal(void) { return gt_init_scaled_normal(GT_FAN_IN, sqrt(2.0)); }
gt_init gt_init_kaiming_uniform(void) { return gt_init_scaled_uniform(GT_FAN_IN, sqrt(2.0)); }
