/* optim/adadelta.c: Adadelta (Zeiler 2012). Formulas: optim.h. */
#include "ops/ops.h"
#include "optim/rules.h"

static bool adadelta_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const gt_adadelta_options *o = options;
    g = gt__decayed(opt, x, g);
    const gt_tensor v = gt__moving_average(opt, "v", x, gt_square(g), o->rho);
    const gt_tensor u = gt_optim_state(opt, "u", x, gt_shape_of(x), gt_dtype_of(x));
    const gt_tensor scale =
        gt_sqrt(gt_div(gt_add_scalar(u, o->epsilon), gt_add_scalar(v, o->epsilon)));
    const gt_tensor step = gt_mul(scale, g);
    gt__moving_average(opt, "u", x, gt_square(step), o->rho);
    return gt_valid(gt_assign(x, gt_sub(x, gt_mul_scalar(step, gt_optim_rate_of(opt, x)))));
}

gt_optim *gt_adadelta(gt_params *params, gt_adadelta_options o) {
    if (!params) return NULL;
    if (o.rho == 0) o.rho = 0.9;
    if (o.epsilon == 0) o.epsilon = 1e-6;
    if (!(o.rho > 0 && o.rho < 1 && o.epsilon > 0)) {
        gt_params_fail(params, "adadelta: rho %g must be in (0, 1), epsilon %g above 0", o.rho,
                       o.epsilon);
        return NULL;
    }
    return gt_optimizer(params, gt__common_of(&o, 1, "adadelta"), adadelta_rule, &o, sizeof o);
}
