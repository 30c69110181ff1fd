/* grad/grad.h: gradients: the backward sweep, and what is made of it.
 *
 * The sweep goes from a root down the tape. At each node it sums what arrived (the upstream gradient),
 * multiplies it by the operation's local gradients, and passes the contributions on to the inputs. It
 * records what it does on the same tape: a gradient is a tensor like any other and can be differentiated
 * again. It has the kind of what it is the gradient of; that of a bf16 tensor is f32.
 *
 *     gt_tape *tape = gt_tape_new(NULL);
 *     const double at = 2;
 *     gt_tensor x = gt_input(tape, &at, GT_SCALAR, GT_F64);
 *     gt_tensor y = gt_mul(x, gt_square(x));
 *     gt_tensor slope = gt_grad(y, x), curvature = gt_grad(slope, x);
 *     printf("%g %g\n", gt_item(slope), gt_item(curvature));
 *     gt_tape_free(tape);
 *
 * prints 12 12: 3x^2 and 6x at 2. */
#ifndef GT_GRAD_H
#define GT_GRAD_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs forward and backward at once: adds d loss / d parameter to every trainable parameter that the loss
 * reaches, applies pending effects, and stores the loss and every sink. loss has one element. False: see
 * gt_error; then nothing has changed. */
GT_RECORDS bool gt_backward(gt_tensor loss);
/* The same for the parameters whose names match. */
GT_RECORDS bool gt_backward_for(gt_tensor loss, const char *pattern);
/* After gt_backward(f): df/dt of any tensor of the recording, interior ones included. */
GT_RECORDS gt_tensor gt_grad_of(gt_tensor t);

/* These only record. y has one element in gt_grad; zeros where y does not depend on x. */
GT_RECORDS gt_tensor gt_grad(gt_tensor y, gt_tensor x);
/* Gradients for several inputs in one sweep: gx[i] of x[i]. */
GT_RECORDS bool gt_grads(gt_tensor y, const gt_tensor *x, int count, gt_tensor *gx);
/* Upstream times Jacobian: u has the shape of y; the result has the shape of x. */
GT_RECORDS gt_tensor gt_vjp(gt_tensor y, gt_tensor u, gt_tensor x);
GT_RECORDS bool gt_vjps(gt_tensor y, gt_tensor u, const gt_tensor *x, int count, gt_tensor *gx);
/* Jacobian times tangent: u has the shape of x; the result has the shape of y. Two sweeps. */
GT_RECORDS gt_tensor gt_jvp(gt_tensor y, gt_tensor x, gt_tensor u);
/* dy_i/dx_j, shape of y followed by shape of x: one sweep per element of y. */
GT_RECORDS gt_tensor gt_jacobian(gt_tensor y, gt_tensor x);
/* Second derivatives of a single element, shape of x twice. */
GT_RECORDS gt_tensor gt_hessian(gt_tensor y, gt_tensor x);
/* Hessian times v, without forming it. */
GT_RECORDS gt_tensor gt_hvp(gt_tensor y, gt_tensor x, gt_tensor v);

/* What a sweep does, told as it does it, for whoever shows or checks it: input k of a node got the contribution
 * gx. up holds the gradients of the node's results (n_up; absent where nothing arrived), local the local
 * gradient of an element-wise operation (absent in others, and where it is zero everywhere). gx is summed over
 * the axes along which the input was broadcast; absent when the rule gives none. */
typedef struct gt_flow {
    gt_tensor node;
    int k, n_up;
    const gt_tensor *up;
    gt_tensor local, gx;
} gt_flow;
typedef struct gt_watch {
    void (*flow)(void *user, const gt_flow *flow);
    void *user;
} gt_watch;
/* gt_vjps, or gt_grads when u is absent, that tells watch of every contribution, in the order of the sweep. */
GT_API bool gt_watched_grads(gt_tensor y, gt_tensor u, const gt_tensor *x, int count, gt_tensor *gx,
                             const gt_watch *watch);

/* For optimizers: the gradients of a loss for the trainable parameters whose names match and which it reaches.
 * Records only. leaf and gradient hold room entries; the number found is returned, -1 on error; when it is
 * more than room nothing was written. Those of a large graph of nothing but scalars cannot be differentiated
 * again. */
GT_API int gt_parameter_gradients(gt_tensor loss, const char *pattern, gt_tensor *leaf,
                                  gt_tensor *gradient, int room);

#ifdef __cplusplus
}
#endif

#include "grad/grad_gen.h"
#endif
