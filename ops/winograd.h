/* ops/winograd.h: convolutions by 3x3 with a quarter of the multiplications. Private to ops/. */
#ifndef GT_OPS_WINOGRAD_H
#define GT_OPS_WINOGRAD_H

#include "ops/conv.h"

/* One of the three products of conv.h, or GT__REFUSED where another way is better: for kernels of another
 * size, strides, few channels, f64. Errors are about twice those of sums of products (docs/numerics.md).
 * Bits do not depend on the number of threads. With rows that is only begun, see gt__convolve_rows. */
gt__outcome gt__winograd(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                         const void *x, const void *y, gt_rows *rows);
/* Is it not refused? */
bool gt__winograd_takes(const gt__conv *c, gt__made makes);

#endif
