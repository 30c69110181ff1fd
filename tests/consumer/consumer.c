/* A user's program, built against the installed headers and library. It assumes nothing of the
 * source tree, and exits 0 when d(x*x)/dx at 3 is 6. */
#include <gradtape/gradtape.h>
#include <stdio.h>

int main(void) {
    gt_params *params = gt_params_new(NULL, 42);
    gt_tape *tape = gt_tape_new(params);
    const double three = 3;
    gt_tensor x = gt_input(tape, &three, GT_SCALAR, GT_F64);
    gt_tensor y = gt_mul(x, x);
    gt_backward(y);
    double value = gt_item(y);
    double slope = gt_item(gt_grad_of(x));
    int ok = !gt_failed(tape) && value == 9 && slope == 6;
    printf("x*x = %g, slope %g: %s\n", value, slope, ok ? "ok" : "wrong");
    if (gt_failed(tape)) fprintf(stderr, "%s\n", gt_error(tape));
    gt_tape_free(tape);
    gt_params_free(params);
    return ok ? 0 : 1;
}
