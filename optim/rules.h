/* optim/rules.h: what update rules share. Internal to optim/. */
#ifndef GT_RULES_H
#define GT_RULES_H

#include "optim/optim.h"

/* The common options of a kind, which its options begin with; its rate and name where none is given. */
gt_optim_common gt__common_of(const void *options, double rate, const char *name);

/* g, with weight decay added to it where x has any. */
gt_tensor gt__decayed(const gt_optim *opt, gt_tensor x, gt_tensor g);
/* state = keep state + (1 - keep) value, as an effect; returns the new state. */
gt_tensor gt__moving_average(gt_optim *opt, const char *state, gt_tensor x, gt_tensor value,
                             double keep);
/* How many updates x has had, this one included: an f64 scalar, kept in the state "step". */
gt_tensor gt__updates(gt_optim *opt, gt_tensor x);

/* A copy in memory of the params, NULL when that is short; and letting go of it. */
char *gt__copy_text(gt_params *params, const char *text);
void gt__free_text(gt_params *params, const char *text);

#endif
