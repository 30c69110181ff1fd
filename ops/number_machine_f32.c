/* ops/number_machine_f32.c: lists of operations on numbers, f32. */
#define T float
#define FIELD f32
#define GT__WIDE 0
#define GT__MACHINE gt__machine_f32
#include "ops/number_machine.h"
