/* optim/adagrad.c: Adagrad (Duchi, Hazan and Singer 2011). Formulas: optim.h. */
#include "ops/ops.h"
#include "optim/rules.h"

/* 1 + rate_decay (t - 1), in the parameter's kind. */
static gt_tensor slowing(gt_optim *opt, const gt_adagrad_options *o, gt_tensor x) {
    const gt_tensor before = gt_add_scalar(gt__updates(opt, x), -1);
    return gt_cast(gt_add_scalar(gt_mul_scalar(before, o->rate_decay), 1), gt_dtype_of(x));
}

static bool adagrad_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const gt_adagrad_options *o = options;
    g = gt__decayed(opt, x, g);
    const gt_tensor old = gt_optim_state(opt, "sum", x, gt_shape_of(x), gt_dtype_of(x));
    const gt_tensor sum = gt_add(old, gt_square(g));
    gt_assign(old, sum);
    gt_tensor step = gt_div(g, gt_add_scalar(gt_sqrt(sum), o->epsilon));
    if (o->rate_decay > 0) step = gt_div(step, slowing(opt, o, x));
    return gt_valid(gt_assign(x, gt_sub(x, gt_mul_scalar(step, gt_optim_rate_of(opt, x)))));
}

gt_optim *gt_adagrad(gt_params *params, gt_adagrad_options o) {
    if (!params) return NULL;
    if (o.epsilon == 0) o.epsilon = 1e-10;
    if (!(o.epsilon > 0 && o.rate_decay >= 0)) {
        gt_params_fail(params, "adagrad: epsilon %g must be above 0, rate_decay %g not below",
                       o.epsilon, o.rate_decay);
        return NULL;
    }
    return gt_optimizer(params, gt__common_of(&o, 0.01, "adagrad"), adagrad_rule, &o, sizeof o);
}
