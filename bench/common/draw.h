/* bench/common/draw.h: the numbers that a workload starts from. peer_torch.py draws the same ones in the same
 * order, so that both programs train the same network and their losses can be compared. */
#ifndef GT_BENCH_DRAW_H
#define GT_BENCH_DRAW_H

#include <stdint.h>

typedef struct bench_draw {
    uint32_t state;
} bench_draw;

bench_draw bench_draw_start(void);
/* The next number of [0, 1): a linear congruential generator modulo 2^31. */
double bench_uniform(bench_draw *draw);
/* Standard normal, made of the next two. */
double bench_normal(bench_draw *draw);

#endif
