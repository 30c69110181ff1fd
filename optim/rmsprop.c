/* optim/rmsprop.c: RMSprop (Tieleman and Hinton 2012), centered after Graves 2013. Formulas:
 * optim.h. */
#include <math.h>

#include "ops/ops.h"
#include "optim/rules.h"

static bool rmsprop_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const gt_rmsprop_options *o = options;
    g = gt__decayed(opt, x, g);
    gt_tensor v = gt__moving_average(opt, "v", x, gt_square(g), o->alpha);
    if (o->centered) {
        const gt_tensor mean = gt__moving_average(opt, "mean", x, g, o->alpha);
        /* A variance is not negative, but this difference may be, by rounding. */
        v = gt_clamp(gt_sub(v, gt_square(mean)), 0, (double)INFINITY);
    }
    gt_tensor step = gt_div(g, gt_add_scalar(gt_sqrt(v), o->epsilon));
    if (o->momentum > 0) {
        const gt_tensor old = gt_optim_state(opt, "velocity", x, gt_shape_of(x), gt_dtype_of(x));
        step = gt_add(gt_mul_scalar(old, o->momentum), step);
        gt_assign(old, step);
    }
    return gt_valid(gt_assign(x, gt_sub(x, gt_mul_scalar(step, gt_optim_rate_of(opt, x)))));
}

gt_optim *gt_rmsprop(gt_params *params, gt_rmsprop_options o) {
    if (!params) return NULL;
    if (o.alpha == 0) o.alpha = 0.99;
    if (o.epsilon == 0) o.epsilon = 1e-8;
    if (!(o.alpha > 0 && o.alpha < 1 && o.epsilon > 0 && o.momentum >= 0 && o.momentum < 1)) {
        gt_params_fail(
            params,
            "rmsprop: alpha %g must be in (0, 1), epsilon %g above 0, momentum %g in [0, 1)",
            o.alpha, o.epsilon, o.momentum);
        return NULL;
    }
    return gt_optimizer(params, gt__common_of(&o, 0.01, "rmsprop"), rmsprop_rule, &o, sizeof o);
}
