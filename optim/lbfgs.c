/* optim/lbfgs.c: L-BFGS (Liu and Nocedal 1989). The parameters are one vector of doubles here,
 * whatever their kind: each trial is rounded to it and read back, so that steps are what the
 * parameters really did. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "grad/grad.h"
#include "optim/line_search.h"
#include "optim/rules.h"

/* One parameter: where it stands in the vector. */
typedef struct variable {
    const char *name; /* lives as long as the params */
    gt_shape shape;
    gt_dtype dtype;
    int64_t first, count;
} variable;

struct gt_lbfgs_optim {
    gt_params *params;
    gt_tape *tape;
    gt_lbfgs_options o;
    variable *variables;
    gt_tensor *leaf, *gradient; /* of the present recording */
    int n_variables, room;      /* room of leaf and gradient */
    int64_t n;                  /* elements of all variables */
    double *block;              /* all vectors, of n elements each */
    double *x, *g;              /* the accepted point and its gradient */
    double *tried_x, *tried_g;  /* the last trial */
    double *direction;
    double *s, *y;         /* pairs, `memory` of each: s[k] = change of x, y[k] = change of g */
    double *weight;        /* 1 / (s . y), then alpha, of each pair: 2 memory */
    int pairs, newest;     /* how many pairs there are; the place of the last one */
    gt_loss_function loss; /* during a call */
    void *user;
    uint64_t ordinal; /* random numbers of every evaluation begin here */
    double value;     /* at x */
    gt_lbfgs_report report;
};

/* ---- life ----------------------------------------------------------------------------------- */

static size_t block_size(const gt_lbfgs_optim *b) {
    return ((size_t)b->n * (5 + 2 * (size_t)b->o.memory) + 2 * (size_t)b->o.memory) *
           sizeof(double);
}

static void forget_variables(gt_lbfgs_optim *b) {
    if (b->variables)
        gt_params_alloc(b->params, b->variables, (size_t)b->room * sizeof *b->variables, 0);
    if (b->block) gt_params_alloc(b->params, b->block, block_size(b), 0);
    b->variables = NULL;
    b->block = NULL;
    b->n_variables = b->pairs = 0;
    b->n = 0;
}

static void forget_lists(gt_lbfgs_optim *b) {
    const size_t bytes = (size_t)b->room * sizeof(gt_tensor);
    if (b->leaf) gt_params_alloc(b->params, b->leaf, bytes, 0);
    if (b->gradient) gt_params_alloc(b->params, b->gradient, bytes, 0);
    b->leaf = b->gradient = NULL;
    b->room = 0;
}

void gt_lbfgs_free(gt_lbfgs_optim *b) {
    if (!b) return;
    forget_variables(b);
    forget_lists(b);
    gt_tape_free(b->tape);
    gt__free_text(b->params, b->o.pattern);
    gt_params_alloc(b->params, b, sizeof *b, 0);
}

static bool in_range(gt_params *params, const gt_lbfgs_options *o) {
    if (o->memory < 1 || o->memory > 1000 || o->iterations < 1)
        return gt_params_fail(params, "lbfgs: memory %d must be 1 to 1000, iterations %d above 0",
                              o->memory, o->iterations);
    if (!(o->gradient_tolerance >= 0 && o->loss_tolerance >= 0))
        return gt_params_fail(params, "lbfgs: gradient_tolerance %g or loss_tolerance %g below 0",
                              o->gradient_tolerance, o->loss_tolerance);
    return true;
}

gt_lbfgs_optim *gt_lbfgs_new(gt_params *params, gt_lbfgs_options o) {
    if (!params) return NULL;
    if (o.memory == 0) o.memory = 10;
    if (o.iterations == 0) o.iterations = 100;
    if (o.gradient_tolerance == 0) o.gradient_tolerance = 1e-7;
    if (o.loss_tolerance == 0) o.loss_tolerance = 1e-12;
    if (!in_range(params, &o)) return NULL;
    gt_lbfgs_optim *b = gt_params_alloc(params, NULL, 0, sizeof *b);
    if (b) {
        memset(b, 0, sizeof *b);
        b->params = params;
        b->o = o;
        b->o.pattern = gt__copy_text(params, o.pattern ? o.pattern : "*");
        b->tape = gt_tape_new(params);
        if (b->o.pattern && b->tape) return b;
    }
    gt_lbfgs_free(b);
    gt_params_fail(params, "out of memory: lbfgs");
    return NULL;
}

gt_lbfgs_report gt_lbfgs_last(const gt_lbfgs_optim *b) {
    return b ? b->report : (gt_lbfgs_report){.loss = (double)NAN, .gradient = (double)NAN};
}

/* ---- parameters as one vector --------------------------------------------------------------- */

static void widen(gt_dtype dtype, const void *from, int64_t count, double *to) {
    for (int64_t i = 0; i < count; i++)
        to[i] = dtype == GT_F64 ? ((const double *)from)[i] : (double)((const float *)from)[i];
}

static void read_parameters(const gt_lbfgs_optim *b, double *x) {
    gt_param_info info;
    for (int k = 0; k < b->n_variables; k++) {
        const variable *v = &b->variables[k];
        if (gt_params_find(b->params, v->name, &info))
            widen(v->dtype, info.data, v->count, x + v->first);
    }
}

/* Rounds in place: x then holds what the parameters hold. */
static bool write_parameters(const gt_lbfgs_optim *b, double *x) {
    for (int k = 0; k < b->n_variables; k++) {
        const variable *v = &b->variables[k];
        void *values = x + v->first;
        if (v->dtype == GT_F32) /* in place: element i is read before byte 4 i is written */
            for (int64_t i = 0; i < v->count; i++) {
                const float rounded = (float)x[v->first + i];
                memcpy((char *)values + (size_t)i * sizeof rounded, &rounded, sizeof rounded);
            }
        if (!gt_param_set(b->params, v->name, v->shape, v->dtype, values, true)) return false;
    }
    read_parameters(b, x);
    return true;
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(a[i]) <= most)) most = fabs(a[i]);
    return most;
}

/* ---- the loss and its gradient --------------------------------------------------------------- */

static bool fail(gt_lbfgs_optim *b) {
    return gt_params_fail(b->params, "lbfgs: %s", gt_error(b->tape));
}

static bool make_lists(gt_lbfgs_optim *b, int count) {
    const size_t bytes = (size_t)count * sizeof(gt_tensor);
    forget_variables(b);
    forget_lists(b);
    b->leaf = gt_params_alloc(b->params, NULL, 0, bytes);
    b->gradient = b->leaf ? gt_params_alloc(b->params, NULL, 0, bytes) : NULL;
    if (!b->gradient) {
        if (b->leaf) gt_params_alloc(b->params, b->leaf, bytes, 0);
        b->leaf = NULL;
        return gt_params_fail(b->params, "out of memory: lbfgs");
    }
    b->room = count;
    return true;
}

static int gradients(gt_lbfgs_optim *b, gt_tensor loss) {
    return gt_parameter_gradients(loss, b->o.pattern, b->leaf, b->gradient, b->room);
}

/* Records the loss anew, and its gradients: their number, -1 on error; more than room: not
 * listed. */
static int record(gt_lbfgs_optim *b, gt_tensor *loss) {
    gt_tape_reset(b->tape);
    gt_params_set_ordinal(b->params, b->ordinal);
    *loss = b->loss(b->tape, b->user);
    if (gt_failed(b->tape)) return fail(b), -1;
    if (loss->tape != b->tape || !gt_valid(*loss))
        return gt_params_fail(b->params, "lbfgs: the loss is not of the tape that was given"), -1;
    const int count = gradients(b, *loss);
    if (count < 0) fail(b);
    return count;
}

static bool same_variables(const gt_lbfgs_optim *b, int count) {
    if (count != b->n_variables) return false;
    for (int k = 0; k < count; k++)
        if (strcmp(gt_param_name_of(b->leaf[k]), b->variables[k].name) != 0) return false;
    return true;
}

static bool list_variables(gt_lbfgs_optim *b, int count) {
    forget_variables(b);
    b->variables = gt_params_alloc(b->params, NULL, 0, (size_t)b->room * sizeof *b->variables);
    for (int k = 0; b->variables && k < count; k++) {
        const gt_tensor leaf = b->leaf[k];
        const gt_dtype dtype = gt_dtype_of(leaf);
        if (dtype != GT_F32 && dtype != GT_F64)
            return gt_params_fail(b->params, "lbfgs: %s is %s: only f32 and f64 are optimized",
                                  gt_param_name_of(leaf), gt_dtype_name(dtype));
        const gt_shape shape = gt_shape_of(leaf);
        b->variables[k] = (variable){gt_param_name_of(leaf), shape, dtype, b->n, gt_numel(shape)};
        b->n_variables = k + 1;
        b->n += gt_numel(shape);
    }
    const size_t vectors = 7 + 2 * (size_t)b->o.memory;
    const bool fits = (uint64_t)b->n <= SIZE_MAX / sizeof(double) / vectors - 1;
    b->block = b->variables && fits ? gt_params_alloc(b->params, NULL, 0, block_size(b)) : NULL;
    if (!b->block) return gt_params_fail(b->params, "out of memory: lbfgs");
    double **const vector[] = {&b->x, &b->g, &b->tried_x, &b->tried_g, &b->direction};
    for (int k = 0; k < 5; k++) *vector[k] = b->block + (int64_t)k * b->n;
    b->s = b->block + 5 * b->n;
    b->y = b->s + b->o.memory * b->n;
    b->weight = b->y + b->o.memory * b->n;
    return true;
}

/* Computes the recording; the gradient goes to g. */
static bool compute(gt_lbfgs_optim *b, gt_tensor loss, double *value, double *g) {
    gt_keep(loss);
    if (!gt_run(b->tape, b->gradient, b->n_variables)) return fail(b);
    *value = gt_item(loss);
    for (int k = 0; k < b->n_variables; k++) {
        const void *data = gt_data(b->gradient[k]);
        if (!data && b->variables[k].count) return fail(b);
        widen(b->variables[k].dtype, data, b->variables[k].count, g + b->variables[k].first);
    }
    b->report.evaluations++;
    return !gt_failed(b->tape) || fail(b);
}

static bool evaluate(gt_lbfgs_optim *b, double *value, double *g) {
    gt_tensor loss;
    const int count = record(b, &loss);
    if (count < 0) return false;
    if (count > b->room || !same_variables(b, count))
        return gt_params_fail(b->params, "lbfgs: the loss reaches other parameters than before");
    return compute(b, loss, value, g);
}

/* The first evaluation of a call: takes up the parameters that the loss reaches. */
static bool begin(gt_lbfgs_optim *b) {
    gt_tensor loss;
    b->report = (gt_lbfgs_report){.loss = (double)NAN, .gradient = (double)NAN};
    b->ordinal = gt_params_ordinal(b->params);
    int count = record(b, &loss);
    if (count > b->room) count = make_lists(b, count) ? gradients(b, loss) : -1;
    if (count < 0) return !gt_failed(b->tape) ? false : fail(b);
    if (count == 0)
        return gt_params_fail(b->params,
                              "lbfgs: the loss reaches no trainable parameter that matches %s",
                              b->o.pattern);
    if (!same_variables(b, count) && !list_variables(b, count)) return false;
    read_parameters(b, b->x);
    if (!compute(b, loss, &b->value, b->g)) return false;
    if (!isfinite(b->value) || !isfinite(largest(b->g, b->n)))
        return gt_params_fail(b->params, "lbfgs: loss %g with gradient %g to begin with", b->value,
                              largest(b->g, b->n));
    return true;
}

/* ---- the direction --------------------------------------------------------------------------- */

/* The place of the k-th newest pair. */
static int place(const gt_lbfgs_optim *b, int k) {
    return (b->newest - k + b->o.memory) % b->o.memory;
}

static void add(double *a, double factor, const double *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) a[i] += factor * b[i];
}

/* direction = -H g: algorithm 7.4, the two loops. Its slope is returned. */
static double find_direction(gt_lbfgs_optim *b) {
    const int64_t n = b->n;
    double *d = b->direction, *alpha = b->weight + b->o.memory;
    for (int64_t i = 0; i < n; i++) d[i] = -b->g[i];
    for (int k = 0; k < b->pairs; k++) {
        const int p = place(b, k);
        alpha[p] = b->weight[p] * dot(b->s + p * n, d, n);
        add(d, -alpha[p], b->y + p * n, n);
    }
    if (b->pairs) {
        const double *y = b->y + b->newest * n;
        const double scale = 1 / (b->weight[b->newest] * dot(y, y, n));
        for (int64_t i = 0; i < n; i++) d[i] *= scale;
    }
    for (int k = b->pairs - 1; k >= 0; k--) {
        const int p = place(b, k);
        add(d, alpha[p] - b->weight[p] * dot(b->y + p * n, d, n), b->s + p * n, n);
    }
    return dot(b->g, d, n);
}

/* Takes up the trial as the accepted point, and its pair unless the curvature along it is not
 * positive. */
static void accept(gt_lbfgs_optim *b) {
    const int p = (b->newest + 1) % b->o.memory;
    double *s = b->s + p * b->n, *y = b->y + p * b->n;
    for (int64_t i = 0; i < b->n; i++) {
        s[i] = b->tried_x[i] - b->x[i];
        y[i] = b->tried_g[i] - b->g[i];
    }
    const double product = dot(s, y, b->n);
    if (product > DBL_EPSILON * dot(y, y, b->n)) {
        b->newest = p;
        b->weight[p] = 1 / product;
        if (b->pairs < b->o.memory) b->pairs++;
    }
    memcpy(b->x, b->tried_x, (size_t)b->n * sizeof *b->x);
    memcpy(b->g, b->tried_g, (size_t)b->n * sizeof *b->g);
}

/* ---- iterations ------------------------------------------------------------------------------ */

static bool try_step(void *user, double step, double *value, double *slope) {
    gt_lbfgs_optim *b = user;
    for (int64_t i = 0; i < b->n; i++) b->tried_x[i] = b->x[i] + step * b->direction[i];
    if (!write_parameters(b, b->tried_x) || !evaluate(b, value, b->tried_g)) return false;
    *slope = dot(b->tried_g, b->direction, b->n);
    return true;
}

/* A line search along the direction; without history along the steepest descent. */
static gt__search search_once(gt_lbfgs_optim *b, gt__ray_point *found) {
    double slope = find_direction(b);
    if (b->pairs && !(slope < 0)) {
        b->pairs = 0;
        slope = find_direction(b);
    }
    if (!(slope < 0)) return GT__SEARCH_NO_DESCENT;
    const gt__ray_point start = {0, b->value, slope};
    const double first = b->pairs ? 1 : fmin(1, 1 / sqrt(-slope));
    return gt__line_search((gt__ray){try_step, b}, start, first, found);
}

/* One iteration. Found: *fall is what it took from the loss. */
static gt__search iterate(gt_lbfgs_optim *b, double *fall) {
    gt__ray_point found = {0, b->value, 0};
    gt__search outcome = search_once(b, &found);
    if (outcome == GT__SEARCH_NO_DESCENT && b->pairs) {
        b->pairs = 0;
        outcome = search_once(b, &found);
    }
    if (outcome != GT__SEARCH_FOUND) return outcome;
    accept(b);
    *fall = b->value - found.value;
    b->value = found.value;
    return outcome;
}

static bool run_iterations(gt_lbfgs_optim *b) {
    for (;;) {
        gt_lbfgs_report *r = &b->report;
        double fall = 0;
        r->loss = b->value;
        r->gradient = largest(b->g, b->n);
        r->converged = r->converged || r->gradient <= b->o.gradient_tolerance;
        if (r->converged || r->iterations >= b->o.iterations) return true;
        const gt__search outcome = iterate(b, &fall);
        if (outcome == GT__SEARCH_FAILED) return false;
        if (outcome == GT__SEARCH_NO_DESCENT) return true;
        r->iterations++;
        r->converged = fall <= b->o.loss_tolerance * fabs(b->value);
    }
}

bool gt_lbfgs(gt_lbfgs_optim *b, gt_loss_function loss, void *user) {
    if (!b) return false;
    if (!loss) return gt_params_fail(b->params, "lbfgs: no loss function");
    b->loss = loss;
    b->user = user;
    bool ok = begin(b);
    if (ok) {
        ok = run_iterations(b);
        /* The last trial need not be the accepted point. Known names and shapes: this cannot
         * fail. */
        write_parameters(b, b->x);
    }
    gt_tape_reset(b->tape);
    return ok;
}
