/* nn/init.c: first values of parameters. Each element is drawn by counter, from the parameter's key. */
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
    for (int64_t i = 0; i < n; i++) values[i] = low + (high - low) * gt_uniform(key, 0, (uint64_t)i);
}

static bool fill_normal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    draw_normal(shape, key, init->a, init->b, values);
    return true;
}

static bool fill_uniform(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    draw_uniform(shape, key, init->a, init->b, values);
    return true;
}

/* Of [in, out, field...]: how many inputs an output sees, and how many outputs an input feeds. */
static double fan(gt_shape shape, int axis) {
    double field = 1;
    for (int d = 2; d < shape.rank; d++) field *= (double)shape.dim[d];
    if (shape.rank <= axis) return shape.rank ? (double)shape.dim[0] : 1;
    return (double)shape.dim[axis] * field;
}

static double safe_std(double variance) { return isfinite(variance) ? sqrt(variance) : 0; }
static double xavier_std(gt_shape shape) { return safe_std(2 / (fan(shape, 0) + fan(shape, 1))); }
static double kaiming_std(gt_shape shape) { return safe_std(2 / fan(shape, 0)); }

static bool fill_xavier_normal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    (void)init;
    draw_normal(shape, key, 0, xavier_std(shape), values);
    return true;
}
static bool fill_kaiming_normal(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    (void)init;
    draw_normal(shape, key, 0, kaiming_std(shape), values);
    return true;
}

/* A uniform variable on [-b, b] has the standard deviation b / sqrt 3. */
static bool fill_xavier_uniform(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const double bound = sqrt(3.0) * xavier_std(shape);
    (void)init;
    draw_uniform(shape, key, -bound, bound, values);
    return true;
}
static bool fill_kaiming_uniform(const gt_init *init, gt_shape shape, uint64_t key, double *values) {
    const double bound = sqrt(3.0) * kaiming_std(shape);
    (void)init;
    draw_uniform(shape, key, -bound, bound, values);
    return true;
}

gt_init gt_init_zeros(void) { return (gt_init){fill_constant, 0, 0}; }
gt_init gt_init_constant(double value) { return (gt_init){fill_constant, value, 0}; }
gt_init gt_init_normal(double mean, double std) { return (gt_init){fill_normal, mean, std}; }
gt_init gt_init_uniform(double low, double high) { return (gt_init){fill_uniform, low, high}; }
gt_init gt_init_xavier_normal(void) { return (gt_init){fill_xavier_normal, 0, 0}; }
gt_init gt_init_xavier_uniform(void) { return (gt_init){fill_xavier_uniform, 0, 0}; }
gt_init gt_init_kaiming_normal(void) { return (gt_init){fill_kaiming_normal, 0, 0}; }
gt_init gt_init_kaiming_uniform(void) { return (gt_init){fill_kaiming_uniform, 0, 0}; }
