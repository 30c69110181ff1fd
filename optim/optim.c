/* optim/optim.c: what optimizers share: finding gradients, clipping them, running the recorded
 * update. */
#include "optim/optim.h"

#include <math.h>
#include <string.h>

#include "grad/grad.h"
#include "ops/ops.h"
#include "optim/rules.h"

typedef struct group {
    const char *pattern;
    double rate_factor, weight_decay;
} group;

struct gt_optim {
    gt_params *params;
    gt_optim_common common;
    group *groups;
    int n_groups;
    gt_update_rule rule;
    void *options;
    size_t options_size;
    gt_tape *tape; /* of gt_update's own recordings */
    gt_tensor *leaf, *gradient;
    int room;
};

/* ---- life ------------------------------------------------------------------------------------ */

static void *give_up(gt_optim *opt, gt_params *params) {
    gt_optim_free(opt);
    gt_params_fail(params, "out of memory: an optimizer");
    return NULL;
}

char *gt__copy_text(gt_params *params, const char *text) {
    char *copy = gt_params_alloc(params, NULL, 0, strlen(text) + 1);
    if (copy) memcpy(copy, text, strlen(text) + 1);
    return copy;
}

void gt__free_text(gt_params *params, const char *text) {
    if (text) gt_params_alloc(params, (char *)(uintptr_t)text, strlen(text) + 1, 0);
}

gt_optim_common gt__common_of(const void *options, double rate, const char *name) {
    gt_optim_common c;
    memcpy(&c, options, sizeof c);
    if (c.rate == 0) c.rate = rate;
    if (!c.name) c.name = name;
    return c;
}

/* Every option is a finite number that is not negative. */
static bool in_range(gt_params *params, const gt_optim_common *c) {
    const double value[] = {c->rate, c->weight_decay, c->clip_norm, c->clip_value};
    static const char *const name[] = {"rate", "weight_decay", "clip_norm", "clip_value"};
    for (int i = 0; i < 4; i++)
        if (!(value[i] >= 0 && isfinite(value[i])))
            return gt_params_fail(params, "optimizer %s: %s is %g", c->name, name[i], value[i]);
    return true;
}

gt_optim *gt_optimizer(gt_params *params, gt_optim_common common, gt_update_rule rule,
                       const void *options, size_t size) {
    if (!params || !rule) return NULL;
    if (!common.name) common.name = "optimizer";
    if (!in_range(params, &common)) return NULL;
    gt_optim *opt = gt_params_alloc(params, NULL, 0, sizeof *opt);
    if (!opt) return give_up(NULL, params);
    memset(opt, 0, sizeof *opt);
    opt->params = params;
    opt->rule = rule;
    opt->common = common;
    opt->common.pattern = common.pattern ? gt__copy_text(params, common.pattern) : NULL;
    opt->common.name = gt__copy_text(params, common.name);
    opt->options_size = size + 1;
    opt->options = gt_params_alloc(params, NULL, 0, size + 1);
    if (!opt->options || !opt->common.name || (common.pattern && !opt->common.pattern))
        return give_up(opt, params);
    if (size) memcpy(opt->options, options, size);
    return opt;
}

void gt_optim_free(gt_optim *opt) {
    if (!opt) return;
    const size_t bytes = (size_t)opt->room * sizeof(gt_tensor);
    gt_tape_free(opt->tape);
    for (int i = 0; i < opt->n_groups; i++) gt__free_text(opt->params, opt->groups[i].pattern);
    if (opt->groups)
        gt_params_alloc(opt->params, opt->groups, (size_t)opt->n_groups * sizeof *opt->groups, 0);
    gt__free_text(opt->params, opt->common.pattern);
    gt__free_text(opt->params, opt->common.name);
    if (opt->options) gt_params_alloc(opt->params, opt->options, opt->options_size, 0);
    if (opt->leaf) gt_params_alloc(opt->params, opt->leaf, bytes, 0);
    if (opt->gradient) gt_params_alloc(opt->params, opt->gradient, bytes, 0);
    gt_params_alloc(opt->params, opt, sizeof *opt, 0);
}

void gt_optim_set_rate(gt_optim *opt, double rate) {
    if (opt) opt->common.rate = rate;
}
double gt_optim_rate(const gt_optim *opt) { return opt ? opt->common.rate : (double)NAN; }

/* ---- groups --------------------------------------------------------------------------------- */

bool gt_optim_group(gt_optim *opt, const char *pattern, double rate_factor, double weight_decay) {
    if (!opt) return false;
    const char *name = opt->common.name;
    if (!pattern)
        return gt_params_fail(opt->params, "optimizer %s: a group without a pattern", name);
    if (!(rate_factor >= 0 && isfinite(rate_factor) && isfinite(weight_decay)))
        return gt_params_fail(opt->params,
                              "optimizer %s: group %s: rate_factor %g, weight_decay %g", name,
                              pattern, rate_factor, weight_decay);
    const char *copy = gt__copy_text(opt->params, pattern);
    const size_t bytes = (size_t)opt->n_groups * sizeof *opt->groups;
    group *grown =
        copy ? gt_params_alloc(opt->params, opt->groups, bytes, bytes + sizeof *grown) : NULL;
    if (!grown) {
        gt__free_text(opt->params, copy);
        return gt_params_fail(opt->params, "out of memory: optimizer %s: group %s", name, pattern);
    }
    opt->groups = grown;
    grown[opt->n_groups++] = (group){copy, rate_factor, weight_decay};
    return true;
}

static const group *group_of(const gt_optim *opt, gt_tensor x) {
    const char *name = opt->n_groups ? gt_param_name_of(x) : NULL;
    for (int i = opt->n_groups - 1; name && i >= 0; i--)
        if (gt_name_matches(opt->groups[i].pattern, name)) return &opt->groups[i];
    return NULL;
}

double gt_optim_rate_of(const gt_optim *opt, gt_tensor x) {
    const group *g = opt ? group_of(opt, x) : NULL;
    return g ? g->rate_factor * opt->common.rate : gt_optim_rate(opt);
}

double gt_optim_weight_decay_of(const gt_optim *opt, gt_tensor x) {
    if (!opt) return (double)NAN;
    const group *g = group_of(opt, x);
    return g && g->weight_decay >= 0 ? g->weight_decay : opt->common.weight_decay;
}

/* ---- what rules share ----------------------------------------------------------------------- */

gt_tensor gt_optim_state(gt_optim *opt, const char *state, gt_tensor x, gt_shape shape,
                         gt_dtype dtype) {
    char name[512];
    const int length =
        snprintf(name, sizeof name, "/%s:%s:%s", opt->common.name, state, gt_param_name_of(x));
    if (length < 0 || (size_t)length >= sizeof name)
        return gt_fail(x.tape, "optimizer %s: name of parameter too long", opt->common.name);
    return gt_buffer(x.tape, name, shape, dtype);
}

gt_tensor gt__decayed(const gt_optim *opt, gt_tensor x, gt_tensor g) {
    const double decay = gt_optim_weight_decay_of(opt, x);
    return decay > 0 ? gt_add(g, gt_mul_scalar(x, decay)) : g;
}

gt_tensor gt__moving_average(gt_optim *opt, const char *state, gt_tensor x, gt_tensor value,
                             double keep) {
    const gt_tensor old = gt_optim_state(opt, state, x, gt_shape_of(x), gt_dtype_of(x));
    const gt_tensor next = gt_add(gt_mul_scalar(old, keep), gt_mul_scalar(value, 1 - keep));
    gt_assign(old, next);
    return next;
}

gt_tensor gt__updates(gt_optim *opt, gt_tensor x) {
    const gt_tensor before = gt_optim_state(opt, "step", x, GT_SCALAR, GT_F64);
    const gt_tensor t = gt_add_scalar(before, 1);
    gt_assign(before, t);
    return t;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static bool make_room(gt_optim *opt, int count) {
    if (count <= opt->room) return true;
    gt_tensor **list[2] = {&opt->leaf, &opt->gradient};
    gt_tensor *grown[2];
    const size_t bytes = (size_t)count * sizeof(gt_tensor);
    for (int i = 0; i < 2; i++) grown[i] = gt_params_alloc(opt->params, NULL, 0, bytes);
    if (!grown[0] || !grown[1]) {
        for (int i = 0; i < 2; i++)
            if (grown[i]) gt_params_alloc(opt->params, grown[i], bytes, 0);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (*list[i])
            gt_params_alloc(opt->params, *list[i], (size_t)opt->room * sizeof(gt_tensor), 0);
        *list[i] = grown[i];
    }
    opt->room = count;
    return true;
}

/* The factor, in f64, that brings the common norm of all gradients down to clip_norm. */
static gt_tensor clip_factor(const gt_optim *opt, int count) {
    gt_tensor squares = gt_none();
    for (int k = 0; k < count; k++) {
        const gt_tensor s = gt_cast(gt_sum(gt_square(opt->gradient[k]), GT_ALL, false), GT_F64);
        squares = k ? gt_add(squares, s) : s;
    }
    const gt_tensor most = gt_scalar(squares.tape, opt->common.clip_norm, GT_F64);
    return gt_clamp(gt_div(most, gt_sqrt(squares)), 0, 1);
}

static bool clip(const gt_optim *opt, int count) {
    for (int k = 0; opt->common.clip_value > 0 && k < count; k++)
        opt->gradient[k] =
            gt_clamp(opt->gradient[k], -opt->common.clip_value, opt->common.clip_value);
    if (opt->common.clip_norm <= 0 || count == 0) return true;
    const gt_tensor factor = clip_factor(opt, count);
    for (int k = 0; k < count; k++)
        opt->gradient[k] = gt_mul(opt->gradient[k], gt_cast(factor, gt_dtype_of(opt->gradient[k])));
    return gt_valid(factor);
}

/* Records clipping and the rule for each parameter. */
static bool record_updates(gt_optim *opt, int count) {
    if (count > 0 && !(opt->common.rate >= 0 && isfinite(opt->common.rate))) {
        gt_fail(opt->leaf[0].tape, "optimizer %s: rate is %g", opt->common.name, opt->common.rate);
        return false;
    }
    if (!clip(opt, count)) return false;
    for (int k = 0; k < count; k++)
        if (!opt->rule(opt, opt->options, opt->leaf[k], opt->gradient[k])) return false;
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

bool gt_minimize(gt_optim *opt, gt_tensor loss) {
    if (!opt || !loss.tape) return false;
    if (gt_tape_params(loss.tape) != opt->params) {
        gt_fail(loss.tape,
                "minimize: the optimizer belongs to other parameters than the loss's tape");
        return false;
    }
    const char *pattern = opt->common.pattern;
    int count = gt_parameter_gradients(loss, pattern, opt->leaf, opt->gradient, opt->room);
    if (count > opt->room) {
        if (!make_room(opt, count)) {
            gt_fail(loss.tape, "out of memory: an optimizer");
            return false;
        }
        count = gt_parameter_gradients(loss, pattern, opt->leaf, opt->gradient, opt->room);
    }
    if (count < 0) return false;
    if (count == 0) {
        gt_fail(loss.tape, "minimize: the loss reaches no trainable parameter that matches %s",
                pattern ? pattern : "*");
        return false;
    }
    const gt_recorder before = gt_record_as(loss.tape, GT_BY_RULE);
    const bool recorded = record_updates(opt, count);
    gt_record_as(loss.tape, before);
    if (!recorded || gt_failed(loss.tape)) return false;
    gt_keep(loss);
    return gt_commit_with(loss.tape, &loss, 1, NULL, NULL);
}

/* The leaves and accumulated gradients of the optimizer's parameters, on its own tape. */
static int gather_accumulated(gt_optim *opt) {
    gt_param_info info;
    int count = 0;
    if (!make_room(opt, gt_params_count(opt->params))) {
        gt_fail(opt->tape, "out of memory: an optimizer");
        return 0;
    }
    for (int i = 0; gt_params_at(opt->params, i, &info); i++) {
        if (!info.trainable || !info.grad || !gt_name_matches(opt->common.pattern, info.name))
            continue;
        opt->leaf[count] = gt_param_leaf(opt->tape, info.name);
        const gt_dtype dtype = info.dtype == GT_BF16 ? GT_F32 : info.dtype;
        opt->gradient[count++] = gt_borrow(opt->tape, info.grad, info.shape, dtype);
    }
    return count;
}

bool gt_update(gt_optim *opt) {
    if (!opt) return false;
    if (!opt->tape) opt->tape = gt_tape_new(opt->params);
    if (!opt->tape) return gt_params_fail(opt->params, "out of memory: an optimizer");
    gt_record_as(opt->tape, GT_BY_RULE);
    const int count = gather_accumulated(opt);
    const bool ok = record_updates(opt, count) && gt_commit(opt->tape);
    if (ok) gt_zero_grad(opt->params, opt->common.pattern);
    if (!ok) gt_params_fail(opt->params, "%s", gt_error(opt->tape));
    gt_tape_reset(opt->tape);
    return ok;
}
