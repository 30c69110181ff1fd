/* ops/windows.h: convolutions summed where the pixels are, their channels together. Private to ops/. */
#ifndef GT_OPS_WINDOWS_H
#define GT_OPS_WINDOWS_H

#include "ops/conv.h"

/* One of the three products of conv.h, or GT__REFUSED where another way is better: for few channels of the
 * result, many weights, few or wide pixels, f64. Bits do not depend on the number of threads.
 * With rows that is only begun, see gt__convolve_rows. */
gt__outcome gt__windows(const gt_call *call, const gt__conv *c, gt__made makes, const void *w,
                        const void *x, const void *y, gt_rows *rows);
/* Is it not refused? */
bool gt__windows_takes(const gt__conv *c, gt__made makes);

#endif
