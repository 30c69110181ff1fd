/* ops/kernels_plain.c: kernels for the instruction set that the compiler was told of. */
#define GT__TABLE gt__kernels_plain
#define GT__TARGET
#include "ops/float_kernels.h"
