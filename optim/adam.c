/* optim/adam.c: Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019).
 *
 *     m = beta1 m + (1 - beta1) g           v = beta2 v + (1 - beta2) g^2
 *     x = x - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
 *
 * t counts the updates of each parameter by itself, in f64. */
#include <math.h>

#include "ops/ops.h"
#include "optim/rules.h"

typedef struct adam {
    gt_adam_options o;
    bool decoupled;
} adam;

/* 1 - beta^t, without cancellation, in the parameter's kind. */
static gt_tensor correction(gt_tensor t, double beta, gt_dtype dtype) {
    return gt_cast(gt_neg(gt_expm1(gt_mul_scalar(t, log(beta)))), dtype);
}

static bool adam_rule(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g) {
    const adam *a = options;
    const gt_adam_options *o = &a->o;
    const gt_dtype dtype = gt_dtype_of(x);
    const double rate = gt_optim_rate_of(opt, x), decay = gt_optim_weight_decay_of(opt, x);
    if (!a->decoupled) g = gt__decayed(opt, x, g);
    const gt_tensor t = gt__updates(opt, x);
    const gt_tensor m = gt__moving_average(opt, "m", x, g, o->beta1);
    const gt_tensor v = gt__moving_average(opt, "v", x, gt_square(g), o->beta2);
    const gt_tensor spread = gt_sqrt(gt_div(v, correction(t, o->beta2, dtype)));
    const gt_tensor step =
        gt_div(gt_div(m, correction(t, o->beta1, dtype)), gt_add_scalar(spread, o->epsilon));
    const gt_tensor kept = a->decoupled ? gt_mul_scalar(x, 1 - rate * decay) : x;
    return gt_valid(gt_assign(x, gt_sub(kept, gt_mul_scalar(step, rate))));
}

static gt_optim *make(gt_params *params, gt_adam_options o, bool decoupled, const char *name) {
    if (!params) return NULL;
    if (o.beta1 == 0) o.beta1 = 0.9;
    if (o.beta2 == 0) o.beta2 = 0.999;
    if (o.epsilon == 0) o.epsilon = 1e-8;
    if (decoupled && o.weight_decay == 0) o.weight_decay = 0.01;
    if (!(o.beta1 > 0 && o.beta1 < 1 && o.beta2 > 0 && o.beta2 < 1 && o.epsilon > 0)) {
        gt_params_fail(params, "%s: beta1 %g and beta2 %g must be in (0, 1), epsilon %g above 0",
                       name, o.beta1, o.beta2, o.epsilon);
        return NULL;
    }
    const adam a = {o, decoupled};
    return gt_optimizer(params, gt__common_of(&o, 1e-3, name), adam_rule, &a, sizeof a);
}

gt_optim *gt_adam(gt_params *params, gt_adam_options options) {
    return make(params, options, false, "adam");
}
gt_optim *gt_adamw(gt_params *params, gt_adam_options options) {
    return make(params, options, true, "adamw");
}
