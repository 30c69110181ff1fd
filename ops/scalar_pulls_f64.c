/* ops/scalar_pulls_f64.c: local gradients on numbers, f64. */
#define T double
#define GT__TABLE gt__scalar_pulls_f64
#include "ops/scalar_pulls.h"
