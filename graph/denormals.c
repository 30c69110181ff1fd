/* graph/denormals.c: which operations take denormal numbers for 0, and the register of x86 processors that
 * tells them to. Elsewhere nothing is flushed. */
#include "graph/tape.h"

#ifdef __SSE2__
#include <xmmintrin.h>

enum { FLUSH_RESULTS = 0x8000, FLUSH_OPERANDS = 0x0040 };

unsigned gt_float_mode(void) { return _mm_getcsr(); }
void gt_set_float_mode(unsigned mode) { _mm_setcsr(mode); }
unsigned gt__flushing(unsigned mode) { return mode | FLUSH_RESULTS | FLUSH_OPERANDS; }
#else
unsigned gt_float_mode(void) { return 0; }
void gt_set_float_mode(unsigned mode) { (void)mode; }
unsigned gt__flushing(unsigned mode) { return mode; }
#endif

bool gt__may_flush(const gt_op *op, gt_dtype in, gt_dtype out, int rank) {
    const bool takes_part = op->more.traits & (GT_ELEMENTWISE | GT_SUMS) ||
                            (op->more.traits & GT_REDUCE && op->more.fold);
    return takes_part && rank > 0 && (out == GT_F32 || (in == GT_F32 && out != GT_F64));
}

bool gt__flushes(const gt_tape *tape) { return !tape->exact && !tape->keep_denormals; }

void gt_keep_denormals(gt_tape *tape, bool on) {
    if (tape) tape->keep_denormals = on;
}
