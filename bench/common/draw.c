/* bench/common/draw.c: a generator that is three lines in any language. */
#include "draw.h"

#include <math.h>

bench_draw bench_draw_start(void) { return (bench_draw){12345}; }

double bench_uniform(bench_draw *draw) {
    draw->state = (1103515245U * draw->state + 12345U) & 0x7fffffffU;
    return draw->state / 2147483648.0;
}

double bench_normal(bench_draw *draw) {
    const double radius = sqrt(-2 * log(1 - bench_uniform(draw)));
    return radius * cos(6.283185307179586 * bench_uniform(draw));
}
