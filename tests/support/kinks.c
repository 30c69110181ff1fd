/* tests/support/kinks.c: see kinks.h. Each entry is what the library promises, as a function of one
 * vector and the gradient of the sum of its elements. */
#include "support/kinks.h"

#include <math.h>

#include "grad/grad.h"
#include "ops/ops.h"
#include "support/harness.h"
#include "support/sweeps.h"

enum { MOST = 5 };
#define INF HUGE_VAL

static gt_tensor first(gt_tensor x) { return gt_select(x, 0, 0); }
static gt_tensor second(gt_tensor x) { return gt_select(x, 0, 1); }

static gt_tensor clamp_to_one(gt_tensor x) { return gt_clamp(x, -1, 1); }
static gt_tensor leak(gt_tensor x) { return gt_leaky_relu(x, 0.25); }
static gt_tensor elu_of_half(gt_tensor x) { return gt_elu(x, 0.5); }
static gt_tensor celu_of_half(gt_tensor x) { return gt_celu(x, 0.5); }
static gt_tensor learned_slope(gt_tensor x) { return gt_prelu(first(x), second(x)); }
static gt_tensor times_log(gt_tensor x) { return gt_xlogy(first(x), second(x)); }
static gt_tensor times_log1p(gt_tensor x) { return gt_xlog1py(first(x), second(x)); }
static gt_tensor to_the_0(gt_tensor x) { return gt_pow_scalar(x, 0); }
static gt_tensor to_the_1(gt_tensor x) { return gt_pow_scalar(x, 1); }
static gt_tensor to_the_2(gt_tensor x) { return gt_pow_scalar(x, 2); }
static gt_tensor larger(gt_tensor x) { return gt_maximum(first(x), second(x)); }
static gt_tensor smaller(gt_tensor x) { return gt_minimum(first(x), second(x)); }
static gt_tensor hypotenuse(gt_tensor x) { return gt_hypot(first(x), second(x)); }
static gt_tensor angle(gt_tensor x) { return gt_atan2(first(x), second(x)); }
static gt_tensor power(gt_tensor x) { return gt_pow(first(x), second(x)); }
static gt_tensor log_sum(gt_tensor x) { return gt_logaddexp(first(x), second(x)); }
static gt_tensor largest(gt_tensor x) { return gt_max(x, GT_ALL, false); }
static gt_tensor smallest(gt_tensor x) { return gt_min(x, GT_ALL, true); }
static gt_tensor length(gt_tensor x) { return gt_norm(x, GT_ALL, false); }
static gt_tensor deviation(gt_tensor x) { return gt_std(x, GT_AXES(0), 0, false); }
static gt_tensor all_multiplied(gt_tensor x) { return gt_prod(x, GT_AXES(-1), false); }
static gt_tensor all_exponents(gt_tensor x) { return gt_logsumexp(x, GT_ALL, false); }
static gt_tensor root_where_positive(gt_tensor x) {
    const gt_tensor zero = gt_zeros(x.tape, GT_SCALAR, GT_F64);
    return gt_where(gt_greater(x, zero), gt_sqrt(x), zero);
}
static gt_tensor rows(gt_tensor x) { return gt_square(x); }

typedef struct kink {
    const char *what;
    gt_tensor (*f)(gt_tensor x);
    int n;
    double x[MOST], gradient[MOST];
} kink;

static const kink kinks[] = {
    {"relu", gt_relu, 3, {-1, 0, 1}, {0, 0, 1}},
    {"abs", gt_abs, 3, {-1, 0, 1}, {-1, 0, 1}},
    {"leaky_relu", leak, 3, {-1, 0, 1}, {0.25, 0.25, 1}},
    {"relu6", gt_relu6, 5, {-1, 0, 3, 6, 7}, {0, 0, 1, 0, 0}},
    {"hard_sigmoid", gt_hard_sigmoid, 5, {-4, -3, 0, 3, 4}, {0, 0, 1.0 / 6, 0, 0}},
    {"hardlims", gt_hardlims, 3, {-1, 0, 1}, {0, 0, 0}},
    {"elu", elu_of_half, 2, {0, 1}, {0.5, 1}},
    {"celu", celu_of_half, 2, {0, 1}, {1, 1}},
    {"selu", gt_selu, 2, {0, 1}, {1.7580993408473768599, 1.0507009873554804934}},
    {"softsign", gt_softsign, 3, {-1, 0, 1}, {0.25, 1, 0.25}},
    {"prelu at 0", learned_slope, 2, {0, 0.25}, {0.25, 0}},
    {"prelu below 0", learned_slope, 2, {-3, 0.25}, {0.25, -3}},
    {"xlogy at (0, 0)", times_log, 2, {0, 0}, {-INF, 0}},
    {"xlogy at (0, 1)", times_log, 2, {0, 1}, {0, 0}},
    {"xlog1py at (0, -1)", times_log1p, 2, {0, -1}, {-INF, 0}},
    {"clamp", clamp_to_one, 5, {-2, -1, 0, 1, 2}, {0, 1, 1, 1, 0}},
    {"sign", gt_sign, 2, {0, 1}, {0, 0}},
    {"step", gt_step, 2, {0, 1}, {0, 0}},
    {"floor", gt_floor, 2, {0, 0.5}, {0, 0}},
    {"ceil", gt_ceil, 2, {0, 0.5}, {0, 0}},
    {"round", gt_round, 2, {0, 0.5}, {0, 0}},
    {"sqrt at 0", gt_sqrt, 2, {0, 4}, {INF, 0.25}},
    {"cbrt at 0", gt_cbrt, 2, {0, 8}, {INF, 1.0 / 12}},
    {"log at 0", gt_log, 2, {0, 2}, {INF, 0.5}},
    {"sqrt behind a where", root_where_positive, 3, {-1, 0, 4}, {0, 0, 0.25}},
    {"sigmoid far out", gt_sigmoid, 2, {-800, 800}, {0, 0}},
    {"softplus far out", gt_softplus, 2, {-800, 800}, {0, 1}},
    {"tanh far out", gt_tanh, 2, {-800, 800}, {0, 0}},
    {"maximum of equals", larger, 2, {2, 2}, {0.5, 0.5}},
    {"minimum of equals", smaller, 2, {2, 2}, {0.5, 0.5}},
    {"max of equals", largest, 3, {3, 1, 3}, {0.5, 0, 0.5}},
    {"min of equals", smallest, 4, {1, 1, 1, 1}, {0.25, 0.25, 0.25, 0.25}},
    {"hypot at (0, 0)", hypotenuse, 2, {0, 0}, {0, 0}},
    {"atan2 at (0, 0)", angle, 2, {0, 0}, {0, 0}},
    {"logaddexp of equals", log_sum, 2, {3, 3}, {0.5, 0.5}},
    {"pow at (0, 0)", power, 2, {0, 0}, {0, 0}},
    {"pow at (0, 2)", power, 2, {0, 2}, {0, 0}},
    {"pow at (0, 1)", power, 2, {0, 1}, {1, 0}},
    {"pow at (1, 0)", power, 2, {1, 0}, {0, 0}},
    {"pow of a negative number", power, 2, {-2, 3}, {12, (double)NAN}},
    {"x^0 at 0", to_the_0, 2, {0, 3}, {0, 0}},
    {"x^1 at 0", to_the_1, 2, {0, -3}, {1, 1}},
    {"x^2 at 0", to_the_2, 3, {-3, 0, 3}, {-6, 0, 6}},
    {"norm at 0", length, 2, {0, 0}, {0, 0}},
    {"std of equals", deviation, 3, {2, 2, 2}, {0, 0, 0}},
    {"prod with one 0", all_multiplied, 3, {0, 2, 3}, {6, 0, 0}},
    {"prod with two", all_multiplied, 3, {0, 5, 0}, {0, 0, 0}},
    {"logsumexp of -inf", all_exponents, 2, {-INF, -INF}, {0, 0}},
    {"logsumexp beside -inf", all_exponents, 2, {-INF, 7}, {0, 1}},
    {"logsumexp of large equals", all_exponents, 2, {1e6, 1e6}, {0.5, 0.5}},
    {"a smooth function", rows, 2, {1, 2}, {2, 4}},
};

static bool agrees(double is, double expected) {
    if (isnan(expected)) return isnan(is);
    return is == expected || fabs(is - expected) <= 1e-15 * fabs(expected);
}

static bool check_kink(FILE *out, gt_tape *tape, const kink *k, const gt_op *original,
                       const gt_op *planted) {
    gt_tape_reset(tape);
    const gt_tensor x = gt_input(tape, k->x, GT_SHAPE(k->n), GT_F64);
    const gt_tensor y = k->f(x);
    put_in_place(tape, original, planted);
    const gt_tensor gx = gt_grad(gt_sum(y, GT_ALL, false), x);
    const double *data = gt_data(gx);
    if (!data && out) fprintf(out, "FAIL %s: %s\n", k->what, gt_error(tape));
    for (int i = 0; data && i < k->n; i++) {
        if (agrees(data[i], k->gradient[i])) continue;
        if (out)
            fprintf(out, "FAIL %s: the gradient at %g, element %d, is %.17g and should be %g\n",
                    k->what, k->x[i], i, data[i], k->gradient[i]);
        return false;
    }
    return data != NULL;
}

int check_kinks(FILE *out, const gt_op *original, const gt_op *planted, int *count) {
    gt_tape *tape = gt_tape_new(NULL);
    int wrong = 0;
    *count = (int)(sizeof kinks / sizeof *kinks);
    for (int i = 0; i < *count; i++) wrong += !check_kink(out, tape, &kinks[i], original, planted);
    gt_tape_free(tape);
    return wrong;
}

void sweep_kinks(FILE *out, score *s) {
    int count;
    const int wrong = check_kinks(out, NULL, NULL, &count);
    fprintf(out, "kinks right %d of %d\n", count - wrong, count);
    s->passed += count - wrong;
    s->failed += wrong;
}
