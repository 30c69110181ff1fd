/* optim/ema.c: exponential moving average of weights, kept in buffers. It records on a tape of
 * its own. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "optim/rules.h"

struct gt_ema {
    gt_params *params;
    gt_tape *tape;
    const char *pattern, *name;
    double decay;
    bool swapped;
};

void gt_ema_free(gt_ema *ema) {
    if (!ema) return;
    gt_tape_free(ema->tape);
    gt__free_text(ema->params, ema->pattern);
    gt__free_text(ema->params, ema->name);
    gt_params_alloc(ema->params, ema, sizeof *ema, 0);
}

gt_ema *gt_ema_new(gt_params *params, gt_ema_options o) {
    if (!params) return NULL;
    const char *name = o.name ? o.name : "ema";
    if (o.decay == 0) o.decay = 0.999;
    if (!(o.decay > 0 && o.decay < 1)) {
        gt_params_fail(params, "%s: decay is %g, not in (0, 1)", name, o.decay);
        return NULL;
    }
    gt_ema *ema = gt_params_alloc(params, NULL, 0, sizeof *ema);
    if (ema) {
        *ema = (gt_ema){.params = params, .decay = o.decay, .tape = gt_tape_new(params)};
        ema->name = gt__copy_text(params, name);
        ema->pattern = gt__copy_text(params, o.pattern ? o.pattern : "*");
        if (ema->tape && ema->name && ema->pattern) return ema;
    }
    gt_ema_free(ema);
    gt_params_fail(params, "out of memory: moving averages");
    return NULL;
}

bool gt_ema_swapped(const gt_ema *ema) { return ema && ema->swapped; }

/* The average of a parameter; begun with its value when create says so. Absent: none yet, or
 * failed. */
static gt_tensor average_of(gt_ema *ema, const gt_param_info *x, bool create) {
    char name[512];
    gt_param_info average;
    const int length = snprintf(name, sizeof name, "%s:%s", ema->name, x->name);
    if (length < 0 || (size_t)length >= sizeof name)
        return gt_fail(ema->tape, "%s: name of parameter too long", ema->name);
    if (!gt_params_find(ema->params, name, &average)) {
        if (!create) return gt_none();
        if (!gt_param_set(ema->params, name, x->shape, x->dtype, x->data, false))
            return gt_fail(ema->tape, "%s", gt_params_error(ema->params));
    }
    const gt_tensor leaf = gt_param_leaf(ema->tape, name);
    if (gt_valid(leaf) && gt_is_trainable(leaf))
        return gt_fail(ema->tape, "%s is a trainable parameter, not an average", name);
    return leaf;
}

/* Records, for parameter x and its average, their new values; false when the tape failed. */
typedef void (*recording)(const gt_ema *ema, gt_tensor x, gt_tensor average);

static void record_all(gt_ema *ema, bool create, recording record) {
    gt_param_info info;
    gt_record_as(ema->tape, GT_BY_RULE);
    const int count = gt_params_count(ema->params); /* averages are added behind */
    for (int i = 0; i < count && gt_params_at(ema->params, i, &info); i++) {
        if (!info.trainable || !gt_dtype_is_float(info.dtype)) continue;
        if (!gt_name_matches(ema->pattern, info.name)) continue;
        const gt_tensor average = average_of(ema, &info, create);
        if (!gt_is_none(average)) record(ema, gt_param_leaf(ema->tape, info.name), average);
    }
}

static bool settle(gt_ema *ema) {
    const bool ok = gt_commit(ema->tape);
    if (!ok) gt_params_fail(ema->params, "%s: %s", ema->name, gt_error(ema->tape));
    gt_tape_reset(ema->tape);
    return ok;
}

/* In this form an average that equals the parameter stays equal. */
static void approach(const gt_ema *ema, gt_tensor x, gt_tensor average) {
    const gt_tensor way = gt_mul_scalar(gt_sub(x, average), 1 - ema->decay);
    gt_assign(average, gt_add(average, way));
}

static void exchange(const gt_ema *ema, gt_tensor x, gt_tensor average) {
    (void)ema;
    gt_assign(x, average);
    gt_assign(average, x);
}

bool gt_ema_update(gt_ema *ema) {
    if (!ema) return false;
    if (ema->swapped)
        return gt_params_fail(ema->params, "%s: update: the averages are swapped in", ema->name);
    record_all(ema, true, approach);
    return settle(ema);
}

bool gt_ema_swap(gt_ema *ema) {
    if (!ema) return false;
    record_all(ema, false, exchange);
    const bool ok = settle(ema);
    if (ok) ema->swapped = !ema->swapped;
    return ok;
}
