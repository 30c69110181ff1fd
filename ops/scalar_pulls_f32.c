/* ops/scalar_pulls_f32.c: local gradients on numbers, f32. */
#define T float
#define GT__TABLE gt__scalar_pulls_f32
#include "ops/scalar_pulls.h"
