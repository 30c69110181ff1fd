/* optim/sgd.c: stochastic gradient descent, with momentum. */
#include "ops/ops.h"
#include "optim/rules.h"

static bool sgd_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const gt_sgd_options *o = options;
    g = gt__decayed(opt, x, g);
    gt_tensor step = g;
    if (o->momentum > 0) {
        const gt_tensor v = gt_optim_state(opt, "velocity", x, gt_shape_of(x), gt_dtype_of(x));
        const gt_tensor next = gt_add(gt_mul_scalar(v, o->momentum), g);
        gt_assign(v, next);
        step = o->nesterov ? gt_add(g, gt_mul_scalar(next, o->momentum)) : next;
    }
    return gt_valid(gt_assign(x, gt_sub(x, gt_mul_scalar(step, gt_optim_rate_of(opt, x)))));
}

gt_optim *gt_sgd(gt_params *params, gt_sgd_options o) {
    if (!params) return NULL;
    if (!(o.momentum >= 0 && o.momentum < 1)) {
        gt_params_fail(params, "sgd: momentum is %g, not in [0, 1)", o.momentum);
        return NULL;
    }
    return gt_optimizer(params, gt__common_of(&o, 0.01, "sgd"), sgd_rule, &o, sizeof o);
}
