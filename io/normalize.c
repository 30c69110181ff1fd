/* io/normalize.c: means and standard deviations of features, and taking them away. Sums run over the
 * examples in order, in f64. */
#include "io/io.h"

#include <math.h>

bool gt_mean_and_std(const float *x, int64_t count, int64_t features, double *mean, double *std) {
    if (count <= 0 || features < 0) return false;
    for (int64_t k = 0; k < features; k++) mean[k] = std[k] = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < features; k++) mean[k] += (double)x[i * features + k];
    for (int64_t k = 0; k < features; k++) mean[k] /= (double)count;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < features; k++) {
            const double away = (double)x[i * features + k] - mean[k];
            std[k] += away * away;
        }
    }
    for (int64_t k = 0; k < features; k++) std[k] = sqrt(std[k] / (double)count);
    return true;
}

void gt_normalize(float *x, int64_t count, int64_t features, const double *mean,
                  const double *std) {
    for (int64_t i = 0; i < count; i++) {
        for (int64_t k = 0; k < features; k++) {
            const double away = (double)x[i * features + k] - mean[k];
            x[i * features + k] = (float)(std[k] > 0 ? away / std[k] : away);
        }
    }
}
