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
 * An optimizer is a function that records its update with public operations and gt_assign, so
 * that it runs with the step and works in any dtype. Its state is kept in buffers of gt_params,
 * named "<optimizer>:<state>:<parameter>", and is saved with them. A failed step changes no
 * parameter and no state. */
#ifndef GT_OPTIM_H
#define GT_OPTIM_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_optim gt_optim;

/* What every optimizer has, first of its options. An option left 0 takes the default in brackets.
 *
 *     double rate;         learning rate; each optimizer has its own default
 *     double weight_decay; w: adds w x to the gradient (AdamW, Lion: takes rate w x from x) [0]
 *     double clip_norm;    scales all gradients down when their common norm is larger [no]
 *     double clip_value;   holds each element of a gradient to [-clip_value, clip_value] [no]
 *     const char *pattern; which parameters, by name [all]
 *     const char *name;    prefix of its buffers [its kind]: tells two of a kind apart */
#define GT_OPTIM_COMMON                                                                            \
    double rate, weight_decay, clip_norm, clip_value;                                              \
    const char *pattern, *name

typedef struct gt_optim_common {
    GT_OPTIM_COMMON;
} gt_optim_common;

typedef struct gt_sgd_options {
    GT_OPTIM_COMMON; /* rate [0.01] */
    double momentum; /* v = momentum v + g; x = x - rate v [0] */
    bool nesterov;   /* x = x - rate (g + momentum v) */
} gt_sgd_options;

/* Kingma and Ba 2015. */
typedef struct gt_adam_options {
    GT_OPTIM_COMMON;              /* rate [0.001], weight_decay [0; 0.01 for gt_adamw] */
    double beta1, beta2, epsilon; /* [0.9, 0.999, 1e-8] */
} gt_adam_options;

/* Tieleman and Hinton 2012, lecture 6.5. Centered: Graves 2013.
 *
 *     v = alpha v + (1 - alpha) g^2         d = g / (sqrt(v) + epsilon)         x = x - rate d
 *
 * centered: sqrt(v - mean^2) for sqrt(v), where mean = alpha mean + (1 - alpha) g, and never
 * below 0. momentum: velocity = momentum velocity + d is taken for d. */
typedef struct gt_rmsprop_options {
    GT_OPTIM_COMMON;       /* rate [0.01] */
    double alpha, epsilon; /* [0.99, 1e-8] */
    double momentum;       /* [0] */
    bool centered;
} gt_rmsprop_options;

/* Duchi, Hazan and Singer 2011.
 *
 *     s = s + g^2         x = x - rate / (1 + rate_decay (t - 1)) g / (sqrt(s) + epsilon)
 *
 * t is 1 at a parameter's first update. */
typedef struct gt_adagrad_options {
    GT_OPTIM_COMMON;   /* rate [0.01] */
    double rate_decay; /* [0] */
    double epsilon;    /* [1e-10] */
} gt_adagrad_options;

/* Zeiler 2012.
 *
 *     v = rho v + (1 - rho) g^2         d = sqrt(u + epsilon) / sqrt(v + epsilon) g
 *     u = rho u + (1 - rho) d^2         x = x - rate d */
typedef struct gt_adadelta_options {
    GT_OPTIM_COMMON;     /* rate [1] */
    double rho, epsilon; /* [0.9, 1e-6] */
} gt_adadelta_options;

/* Chen et al. 2023. Weight decay is apart from the gradient; the rate is 3 to 10 times smaller
 * than Adam's.
 *
 *     x = (1 - rate w) x - rate sign(beta1 m + (1 - beta1) g)     m = beta2 m + (1 - beta2) g */
typedef struct gt_lion_options {
    GT_OPTIM_COMMON;     /* rate [1e-4] */
    double beta1, beta2; /* [0.9, 0.99] */
} gt_lion_options;

/* NULL when memory is short or an option is out of range: gt_params_error says which. params
 * must outlive it. */
GT_API gt_optim *gt_sgd(gt_params *params, gt_sgd_options options);
GT_API gt_optim *gt_adam(gt_params *params, gt_adam_options options);
/* Loshchilov and Hutter 2019: weight decay apart from the gradient. */
GT_API gt_optim *gt_adamw(gt_params *params, gt_adam_options options);
GT_API gt_optim *gt_rmsprop(gt_params *params, gt_rmsprop_options options);
GT_API gt_optim *gt_adagrad(gt_params *params, gt_adagrad_options options);
GT_API gt_optim *gt_adadelta(gt_params *params, gt_adadelta_options options);
GT_API gt_optim *gt_lion(gt_params *params, gt_lion_options options);

/* Parameters that match the pattern are updated with rate_factor times the rate (0: held fixed,
 * though their state goes on) and with this weight decay (negative: the optimizer's own). The
 * last group that matches counts. False: see gt_params_error. */
GT_API bool gt_optim_group(gt_optim *opt, const char *pattern, double rate_factor,
                           double weight_decay);

/* An optimizer of one's own: rule records the update of parameter x for gradient g, with
 * gt_assign(x, ...) and buffers from gt_optim_state. options (size bytes) are copied and handed
 * to it. False: it failed the tape. */
typedef bool (*gt_update_rule)(gt_optim *opt, const void *options, gt_tensor x, gt_tensor g);
GT_API gt_optim *gt_optimizer(gt_params *params, gt_optim_common common, gt_update_rule rule,
                              const void *options, size_t size);
/* The state of that name for parameter x: a buffer of zeros at first. */
GT_API gt_tensor gt_optim_state(gt_optim *opt, const char *state, gt_tensor x, gt_shape shape,
                                gt_dtype dtype);
GT_API void gt_optim_free(gt_optim *opt);
GT_API void gt_optim_set_rate(gt_optim *opt, double rate);
GT_API double gt_optim_rate(const gt_optim *opt);
/* What holds for parameter x, groups heeded: rules use these. */
GT_API double gt_optim_rate_of(const gt_optim *opt, gt_tensor x);
GT_API double gt_optim_weight_decay_of(const gt_optim *opt, gt_tensor x);

/* Differentiates the loss for the optimizer's own parameters and updates them, in one run;
 * applies pending effects and stores the loss and every sink. False: see gt_error of the loss's
 * tape; nothing has changed. */
GT_API bool gt_minimize(gt_optim *opt, gt_tensor loss);
/* Updates from the gradients that gt_backward accumulated (micro-batches) and clears them;
 * parameters that got none are left alone. False: see gt_params_error; nothing has changed. */
GT_API bool gt_update(gt_optim *opt);

/* ---- L-BFGS: Liu and Nocedal 1989, with a line search for the strong Wolfe conditions (Nocedal
 * and Wright 2006, algorithms 3.5, 3.6 and 7.4). For losses that are the same function at every
 * call, over all the data. It calls the loss several times for one step; each call records on a
 * fresh tape, and draws the same random numbers. Effects that a loss records (running
 * statistics) are not applied. ---- */

/* Not a gt_optim: a loss that is a recorded tensor cannot be called again. */
typedef struct gt_lbfgs_optim gt_lbfgs_optim;

typedef struct gt_lbfgs_options {
    int memory;                /* pairs of steps and gradient changes that are kept [10] */
    int iterations;            /* at most, in one call [100] */
    double gradient_tolerance; /* stops when no element of the gradient is larger [1e-7] */
    double loss_tolerance;     /* stops when the loss falls by a smaller share [1e-12] */
    const char *pattern;       /* which parameters, by name [all] */
} gt_lbfgs_options;

/* How the last call ended. */
typedef struct gt_lbfgs_report {
    double loss;
    double gradient; /* the largest magnitude in it */
    int iterations;
    int evaluations; /* calls of the loss */
    bool converged;  /* by a tolerance; false: iterations ran out, or no step lowered the loss */
} gt_lbfgs_report;

typedef gt_tensor (*gt_loss_function)(gt_tape *tape, void *user);

/* NULL when memory is short or an option is out of range. params must outlive it. */
GT_API gt_lbfgs_optim *gt_lbfgs_new(gt_params *params, gt_lbfgs_options options);
GT_API void gt_lbfgs_free(gt_lbfgs_optim *opt);
/* Lowers the loss from where the parameters are. The pairs stay for the next call while the loss
 * reaches the same parameters; they are in memory only and are not saved. False: the loss failed
 * or is not finite where the parameters are, or memory is short; see gt_params_error; the
 * parameters stand at the last accepted step. */
GT_API bool gt_lbfgs(gt_lbfgs_optim *opt, gt_loss_function loss, void *user);
GT_API gt_lbfgs_report gt_lbfgs_last(const gt_lbfgs_optim *opt);

/* ---- schedules: the rate as a function of the step, counted from 0; hand it to
 * gt_optim_set_rate. A step past the last one counts as the last. NaN for a schedule that makes
 * no sense (no steps), which gt_minimize refuses. */

/* rate factor^floor(step / every) */
GT_API double gt_schedule_step(double rate, int64_t step, int64_t every, double factor);
/* rate factor^step */
GT_API double gt_schedule_exponential(double rate, int64_t step, double factor);
/* least + (rate - least) (1 + cos(pi step / steps)) / 2: Loshchilov and Hutter 2017, without
 * restarts. */
GT_API double gt_schedule_cosine(double rate, int64_t step, int64_t steps, double least);
/* rate (step + 1) / warmup for the first steps, then the cosine over those that remain. */
GT_API double gt_schedule_warmup_cosine(double rate, int64_t step, int64_t warmup, int64_t steps,
                                        double least);
/* Smith and Topin 2019: by cosines from most / 25 up to most over the first 3 in 10 steps, then
 * down to most / 250000 at the last one, which is steps - 1. */
GT_API double gt_schedule_one_cycle(double most, int64_t step, int64_t steps);

/* Lowers the rate when a loss, told once an epoch, stops falling. An option left 0 takes the
 * default in brackets.
 *
 *     gt_plateau plateau = {.patience = 3};
 *     gt_optim_set_rate(opt, gt_plateau_rate(&plateau, gt_optim_rate(opt), loss)); */
typedef struct gt_plateau {
    double factor;    /* [0.1] */
    int patience;     /* losses in a row that may be no better; one more lowers the rate [10] */
    double threshold; /* better: below the best by more than threshold |best| [1e-4] */
    double least;     /* never below this rate [0] */
    /* What it remembers: begin with zeros. */
    bool begun;
    double best;
    int waited;
} gt_plateau;
/* The rate to go on with after this loss; NaN counts as no better. */
GT_API double gt_plateau_rate(gt_plateau *plateau, double rate, double loss);

/* ---- exponential moving average of weights (after Polyak and Juditsky 1992), in buffers named
 * "<name>:<parameter>" ---- */

typedef struct gt_ema gt_ema;

typedef struct gt_ema_options {
    double decay;               /* in (0, 1) [0.999] */
    const char *pattern, *name; /* [all, "ema"] */
} gt_ema_options;

GT_API gt_ema *gt_ema_new(gt_params *params, gt_ema_options options);
GT_API void gt_ema_free(gt_ema *ema);
/* average = average + (1 - decay) (x - average) for every trainable parameter, after its step;
 * the average begins as the parameter. False: see gt_params_error; parameters and averages are as
 * they were. */
GT_API bool gt_ema_update(gt_ema *ema);
/* Exchanges parameters and averages, to evaluate or to save; again: back, bit for bit. In
 * between training would train the averages: gt_ema_update refuses. False: see gt_params_error;
 * nothing has changed. */
GT_API bool gt_ema_swap(gt_ema *ema);
GT_API bool gt_ema_swapped(const gt_ema *ema);

#ifdef __cplusplus
}
#endif

#include "optim/optim_gen.h"
#endif
