/* optim/optim.h: optimizers.
 *
 *     gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 1e-3});
 *     for (int step = 0; step < steps; step++) {
 *         gt_tensor loss = loss_of(tape, batch(step));
 *         if (!gt_minimize(opt, loss)) break;
 *         printf("%g\n", gt_item(loss));
 *         gt_tape_reset(tape);
 *     }
 *     gt_optim_free(opt);
 *
 * An optimizer is a function that records its update with public operations and gt_assign, so that it runs with
 * the step and works in any dtype. Its state is kept in buffers of gt_params, named
 * "<optimizer>:<state>:<parameter>", and is saved with them. A failed step changes no parameter and no state. */
#ifndef GT_OPTIM_H
#define GT_OPTIM_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_optim gt_optim;

/* What every optimizer has. An option left 0 takes the default in brackets. */
typedef struct gt_optim_common {
    double rate;         /* learning rate; each optimizer has its own default */
    double weight_decay; /* w: adds w x to the gradient (AdamW: takes rate w x from x) */
    double clip_norm;    /* scales all gradients down together when their Euclidean norm is larger [no clipping] */
    double clip_value;   /* holds each element of a gradient to [-clip_value, clip_value] [no clipping] */
    const char *pattern; /* which parameters, by name [all] */
    const char *name;    /* prefix of its buffers [its kind]: tell two of a kind on one parameter apart */
} gt_optim_common;

typedef struct gt_sgd_options {
    double rate;     /* [0.01] */
    double momentum; /* v = momentum v + g; x = x - rate v [0] */
    bool nesterov;   /* x = x - rate (g + momentum v) */
    double weight_decay, clip_norm, clip_value;
    const char *pattern, *name; /* [all, "sgd"] */
} gt_sgd_options;

/* Kingma and Ba 2015. */
typedef struct gt_adam_options {
    double rate;                  /* [0.001] */
    double beta1, beta2, epsilon; /* [0.9, 0.999, 1e-8] */
    double weight_decay;          /* [0; 0.01 for gt_adamw] */
    double clip_norm, clip_value;
    const char *pattern, *name; /* [all, "adam" or "adamw"] */
} gt_adam_options;

/* NULL when memory is short or an option is out of range: gt_params_error says which. params must outlive it. */
GT_API gt_optim *gt_sgd(gt_params *params, gt_sgd_options options);
GT_API gt_optim *gt_adam(gt_params *params, gt_adam_options options);
/* Loshchilov and Hutter 2019: weight decay apart from the gradient. */
GT_API gt_optim *gt_adamw(gt_params *params, gt_adam_options options);

/* An optimizer of one's own: rule records the update of parameter x for gradient g, with gt_assign(x, ...) and
 * buffers from gt_optim_state. options (size bytes) are copied and handed to it. False: it failed the tape. */
typedef bool (*gt_update_rule)(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g);
GT_API gt_optim *gt_optimizer(gt_params *params, gt_optim_common common, gt_update_rule rule,
                              const void *options, size_t size);
/* The state of that name for parameter x: a buffer of zeros at first. */
GT_API gt_tensor gt_optim_state(gt_optim *opt, const char *state, gt_tensor x, gt_shape shape,
                                gt_dtype dtype);
GT_API void gt_optim_free(gt_optim *opt);
GT_API void gt_optim_set_rate(gt_optim *opt, double rate);
GT_API double gt_optim_rate(const gt_optim *opt);

/* Differentiates the loss for the optimizer's own parameters and updates them, in one run; applies pending
 * effects and stores the loss and every sink. False: see gt_error of the loss's tape; nothing has changed. */
GT_API bool gt_minimize(gt_optim *opt, gt_tensor loss);
/* Updates from the gradients that gt_backward accumulated (micro-batches) and clears them; parameters that got
 * none are left alone. False: see gt_params_error; nothing has changed. */
GT_API bool gt_update(gt_optim *opt);

#ifdef __cplusplus
}
#endif

#include "optim/optim_gen.h"
#endif
