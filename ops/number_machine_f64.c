/* ops/number_machine_f64.c: lists of operations on numbers, f64. */
#define T double
#define FIELD f64
#define GT__WIDE 1
#define GT__MACHINE gt__machine_f64
#include "ops/number_machine.h"
