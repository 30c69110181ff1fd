/* formula/function.c: the functions that formulas may call: the rows of ops/ops.def, by name without gt_, and the
 * table of the others below. */
#include <math.h>
#include <string.h>

#include "formula/arena.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "ops/shortcuts.h"

/* ---- rows ---------------------------------------------------------------------------------------------------- */

#define RECORD(name, call)                                                                         \
    static gt_tensor row_##name(gt_tape *tape, const gt_tensor *x, const double *number, int n) {  \
        (void)tape;                                                                                \
        (void)number;                                                                              \
        (void)n;                                                                                   \
        return call;                                                                               \
    }
#define NONE(name) RECORD(name, name(x[0]))
#define ONE(first) ONE_NUMBER
#define ONE_NUMBER(name) RECORD(name, name(x[0], number[0]))
#define TWO(first, second) TWO_NUMBERS
#define TWO_NUMBERS(name) RECORD(name, name(x[0], number[0], number[1]))
#define UNARY(name, params, ...) params(name)
#define BINARY(name, ...) RECORD(name, name(x[0], x[1]))
#define TERNARY(name, ...) RECORD(name, name(x[0], x[1], x[2]))
#include "ops/ops.def"
#undef NONE
#undef ONE
#undef TWO
#undef UNARY
#undef BINARY
#undef TERNARY

#define NONE 0, 0, "x"
#define ONE(first) 1, 1, "x, " #first
#define TWO(first, second) 2, 2, "x, " #first ", " #second
#define ROW(name, tensors, ...) {&(#name)[3], tensors, __VA_ARGS__, row_##name},
#define UNARY(name, params, ...) ROW(name, 1, params)
#define BINARY(name, ...) ROW(name, 2, 0, 0, "a, b")
#define TERNARY(name, ...) ROW(name, 3, 0, 0, "a, b, c")
static const gt__function rows[] = {
#include "ops/ops.def"
};

/* ---- the others ------------------------------------------------------------------------------------------------ */

/* Where a function takes an axis: that one, or what it does without. */
static gt_axes axes_of(const double *number, int n) {
    return n > 0 ? GT_AXES((int)number[0]) : GT_ALL;
}
static int axis_of(const double *number, int n) { return n > 0 ? (int)number[0] : -1; }
static gt_shape shape_of(const double *number, int n) {
    gt_shape shape = {.rank = n};
    for (int k = 0; k < n; k++) shape.dim[k] = (int64_t)number[k];
    return shape;
}

#define OTHER(name, call)                                                                          \
    static gt_tensor other_##name(gt_tape *tape, const gt_tensor *x, const double *number,         \
                                  int n) {                                                         \
        (void)tape;                                                                                \
        (void)x;                                                                                   \
        (void)number;                                                                              \
        (void)n;                                                                                   \
        return call;                                                                               \
    }
OTHER(sum, gt_sum(x[0], axes_of(number, n), false))
OTHER(mean, gt_mean(x[0], axes_of(number, n), false))
OTHER(prod, gt_prod(x[0], axes_of(number, n), false))
OTHER(max_all, gt_max(x[0], GT_ALL, false))
OTHER(min_all, gt_min(x[0], GT_ALL, false))
OTHER(max_over, gt_max(x[0], axes_of(number, n), false))
OTHER(min_over, gt_min(x[0], axes_of(number, n), false))
OTHER(var, gt_var(x[0], axes_of(number, n), 0, false))
OTHER(std, gt_std(x[0], axes_of(number, n), 0, false))
OTHER(norm, gt_norm(x[0], axes_of(number, n), false))
OTHER(logsumexp, gt_logsumexp(x[0], axes_of(number, n), false))
OTHER(softmax, gt__softmax_by_parts(x[0], axis_of(number, n)))
OTHER(log_softmax, gt_log_softmax(x[0], axis_of(number, n)))
OTHER(cumsum, gt_cumsum(x[0], axis_of(number, n)))
OTHER(sort, gt_sort(x[0], axis_of(number, n), false))
OTHER(flip, gt_flip(x[0], axes_of(number, n)))
OTHER(t, gt_t(x[0]))
OTHER(unsqueeze, gt_unsqueeze(x[0], (int)number[0]))
OTHER(squeeze, gt_squeeze(x[0], axes_of(number, n)))
OTHER(reshape, gt_reshape(x[0], shape_of(number, n)))
OTHER(expand, gt_expand(x[0], shape_of(number, n)))
OTHER(select, gt_select(x[0], (int)number[0], (int64_t)number[1]))
OTHER(slice, gt_slice(x[0], (int)number[0], (int64_t)number[1], (int64_t)number[2], 1))
OTHER(tril, gt_tril(x[0], 0))
OTHER(triu, gt_triu(x[0], 0))
OTHER(stop_gradient, gt_stop_gradient(x[0]))
OTHER(matmul, gt_matmul(x[0], x[1]))
OTHER(dot, gt_dot(x[0], x[1]))
OTHER(outer, gt_outer(x[0], x[1]))
OTHER(ones, gt_ones(tape, shape_of(number, n), GT_F64))
OTHER(zeros, gt_zeros(tape, shape_of(number, n), GT_F64))
OTHER(eye, gt_eye(tape, (int64_t)number[0], GT_F64))
OTHER(mean_squared_error, gt_mean_squared_error(x[0], x[1]))
OTHER(sum_squared_error, gt_sum_squared_error(x[0], x[1]))
OTHER(mean_absolute_error, gt_mean_absolute_error(x[0], x[1]))
OTHER(huber, gt_huber(x[0], x[1], number[0]))
OTHER(soft_cross_entropy, gt_soft_cross_entropy(x[0], x[1]))
OTHER(categorical_cross_entropy, gt_categorical_cross_entropy(x[0], x[1]))
OTHER(kl_divergence, gt_kl_divergence(x[0], x[1]))
OTHER(binary_cross_entropy, gt_binary_cross_entropy(x[0], x[1]))
OTHER(binary_cross_entropy_logits, gt_binary_cross_entropy_logits(x[0], x[1]))

/* Looked up in order, by name and number of arguments. */
static const gt__function others[] = {
    /* clang-format off */
    {"sum",         1, 0, 1, "x, axis", other_sum},
    {"mean",        1, 0, 1, "x, axis", other_mean},
    {"prod",        1, 0, 1, "x, axis", other_prod},
    {"max",         1, 0, 0, "x", other_max_all},
    {"min",         1, 0, 0, "x", other_min_all},
    {"max",         2, 0, 0, "a, b", row_gt_maximum},
    {"min",         2, 0, 0, "a, b", row_gt_minimum},
    {"max_over",    1, 1, 1, "x, axis", other_max_over},
    {"min_over",    1, 1, 1, "x, axis", other_min_over},
    {"var",         1, 0, 1, "x, axis", other_var},
    {"std",         1, 0, 1, "x, axis", other_std},
    {"norm",        1, 0, 1, "x, axis", other_norm},
    {"logsumexp",   1, 0, 1, "x, axis", other_logsumexp},
    {"softmax",     1, 0, 1, "x, axis", other_softmax},
    {"log_softmax", 1, 0, 1, "x, axis", other_log_softmax},
    {"cumsum",      1, 0, 1, "x, axis", other_cumsum},
    {"sort",        1, 0, 1, "x, axis", other_sort},
    {"flip",        1, 0, 1, "x, axis", other_flip},
    {"transpose",   1, 0, 0, "x", other_t},
    {"unsqueeze",   1, 1, 1, "x, axis", other_unsqueeze},
    {"squeeze",     1, 0, 1, "x, axis", other_squeeze},
    {"reshape",     1, 0, 4, "x, sizes", other_reshape},
    {"expand",      1, 1, 4, "x, sizes", other_expand},
    {"select",      1, 2, 2, "x, axis, position", other_select},
    {"slice",       1, 3, 3, "x, axis, start, stop", other_slice},
    {"tril",        1, 0, 0, "x", other_tril},
    {"triu",        1, 0, 0, "x", other_triu},
    {"stop_gradient", 1, 0, 0, "x", other_stop_gradient},
    {"matmul",      2, 0, 0, "a, b", other_matmul},
    {"dot",         2, 0, 0, "a, b", other_dot},
    {"outer",       2, 0, 0, "a, b", other_outer},
    {"ones",        0, 0, 4, "sizes", other_ones},
    {"zeros",       0, 0, 4, "sizes", other_zeros},
    {"eye",         0, 1, 1, "size", other_eye},
    {"mean_squared_error",   2, 0, 0, "prediction, target", other_mean_squared_error},
    {"sum_squared_error",    2, 0, 0, "prediction, target", other_sum_squared_error},
    {"mean_absolute_error",  2, 0, 0, "prediction, target", other_mean_absolute_error},
    {"huber",                2, 1, 1, "prediction, target, delta", other_huber},
    {"soft_cross_entropy",   2, 0, 0, "logits, targets", other_soft_cross_entropy},
    {"categorical_cross_entropy", 2, 0, 0, "probabilities, targets", other_categorical_cross_entropy},
    {"kl_divergence",        2, 0, 0, "log_prediction, target", other_kl_divergence},
    {"binary_cross_entropy", 2, 0, 0, "probability, target", other_binary_cross_entropy},
    {"binary_cross_entropy_logits", 2, 0, 0, "logits, target", other_binary_cross_entropy_logits},
    /* clang-format on */
};

bool gt__literal(const gt_formula *f, gt_expr e, double *number) {
    double sign = 1;
    for (; gt__is_expr(f, e); e = f->child[f->expr[e].first]) {
        const gt__expr *n = &f->expr[e];
        *number = sign * n->number;
        if (n->kind == GT_EXPR_NUMBER) return true;
        if (n->kind != GT_EXPR_NEG) return false;
        sign = -sign;
    }
    return false;
}

/* ---- finding --------------------------------------------------------------------------------------------------- */

static const gt__function *look(const gt__function *table, size_t n, const char *name,
                                size_t length, int count) {
    for (size_t i = 0; i < n; i++) {
        const gt__function *f = &table[i];
        if (strlen(f->name) != length || memcmp(f->name, name, length) != 0) continue;
        if (count < 0 || (count >= f->tensors + f->fewest && count <= f->tensors + f->most))
            return f;
    }
    return NULL;
}

const gt__function *gt__function_find(const char *name, size_t length, int count) {
    const gt__function *row = look(rows, sizeof rows / sizeof *rows, name, length, count);
    return row ? row : look(others, sizeof others / sizeof *others, name, length, count);
}

const char *gt_formula_function(int i, const char **arguments) {
    if (i < 0 || i >= (int)(sizeof others / sizeof *others)) return NULL;
    *arguments = others[i].arguments;
    return others[i].name;
}
