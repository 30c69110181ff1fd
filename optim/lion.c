/* optim/lion.c: Lion (Chen et al. 2023). Formulas: optim.h. */
#include "ops/ops.h"
#include "optim/rules.h"

static bool lion_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const gt_lion_options *o = options;
    const double rate = gt_optim_rate_of(opt, x), decay = gt_optim_weight_decay_of(opt, x);
    const gt_tensor m = gt_optim_state(opt, "m", x, gt_shape_of(x), gt_dtype_of(x));
    const gt_tensor mixed = gt_add(gt_mul_scalar(m, o->beta1), gt_mul_scalar(g, 1 - o->beta1));
    gt__moving_average(opt, "m", x, g, o->beta2);
    const gt_tensor kept = gt_mul_scalar(x, 1 - rate * decay);
    return gt_valid(gt_assign(x, gt_sub(kept, gt_mul_scalar(gt_sign(mixed), rate))));
}

gt_optim *gt_lion(gt_params *params, gt_lion_options o) {
    if (!params) return NULL;
    if (o.beta1 == 0) o.beta1 = 0.9;
    if (o.beta2 == 0) o.beta2 = 0.99;
    if (!(o.beta1 > 0 && o.beta1 < 1 && o.beta2 > 0 && o.beta2 < 1)) {
        gt_params_fail(params, "lion: beta1 %g and beta2 %g must be in (0, 1)", o.beta1, o.beta2);
        return NULL;
    }
    return gt_optimizer(params, gt__common_of(&o, 1e-4, "lion"), lion_rule, &o, sizeof o);
}
