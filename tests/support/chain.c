/* tests/support/chain.c: x -> 0.999999 x + 1e-6, again and again; its derivative is a power. */
#include "support/chain.h"

#include <math.h>
#include <stdio.h>

#include "gradtape.h"

bool chain_check(int nodes) {
    gt_tape *tape = gt_tape_new(NULL);
    const double start = 0.5;
    const gt_tensor x = gt_input(tape, &start, GT_SCALAR, GT_F64);
    gt_tensor y = x;
    double value = start, slope = 1;
    for (int i = 0; i < nodes / 2; i++) {
        y = gt_add_scalar(gt_mul_scalar(y, 0.999999), 1e-6);
        value = value * 0.999999 + 1e-6;
        slope *= 0.999999;
    }
    const gt_tensor g = gt_grad(y, x);
    const double got = gt_item(y), got_slope = gt_item(g);
    const bool ok =
        fabs(got - value) <= 1e-12 && fabs(got_slope - slope) <= 1e-9 && !gt_failed(tape);
    printf("chain of %d nodes: value %.12g, derivative %.12g%s%s\n", nodes, got, got_slope,
           ok ? "" : ": WRONG ", ok ? "" : gt_error(tape));
    gt_tape_free(tape);
    return ok;
}
