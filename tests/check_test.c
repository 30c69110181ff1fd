/* tests/check_test.c: the checker on functions whose derivative is known: smooth, kinked, noisy, badly scaled; and
 * on wrong gradients of every kind that it names. */
#include <criterion/criterion.h>

#include "support/quick.h"

static gt_check_report report;

/* ---- slopes -------------------------------------------------------------------------------------------------- */

static double shifted_sine(double x, void *user) { return *(const double *)user + sin(x); }
static double fast_sine(double x, void *user) { return sin(*(const double *)user * x); }
static double floats(double x, void *user) {
    (void)user;
    return (double)sinf((float)x);
}
static double cancelling(double x, void *user) {
    (void)user;
    return (1e8 + sin(x)) - 1e8;
}
static double root(double x, void *user) {
    (void)user;
    return sqrt(fabs(x));
}
static double bent(double x, void *user) {
    (void)user;
    return x > 0 ? x * x + x : 2 * x;
}
static double whole(double x, void *user) {
    (void)user;
    return floor(x);
}

static void expect_slope(gt_slope s, double truth, double at_most) {
    cr_assert(fabs(s.value - truth) <= s.error, "%.17g +- %g is not %.17g", s.value, s.error,
              truth);
    cr_assert(s.error <= at_most, "+- %g is not +- %g", s.error, at_most);
}

Test(check, a_slope_is_within_its_bound) {
    double by = 0;
    expect_slope(gt_differentiate(shifted_sine, 1, 0, &by), cos(1.0), 1e-11);
    by = 1e8;
    expect_slope(gt_differentiate(shifted_sine, 1, 0, &by), cos(1.0), 1e-5);
    by = 1000;
    expect_slope(gt_differentiate(fast_sine, 1, 0, &by), 1000 * cos(1000.0), 1e-5);
    by = 1e-9;
    expect_slope(gt_differentiate(fast_sine, 1, 0, &by), 1e-9, 1e-18);
    expect_slope(gt_differentiate(floats, 1, 0, NULL), cos(1.0), 1e-4);
    expect_slope(gt_differentiate(cancelling, 1, 0, NULL), cos(1.0), 1e-4);
    expect_slope(gt_differentiate(whole, 0.5, 0, NULL), 0, 0);
}

Test(check, a_slope_has_its_doubts) {
    double by = 1e14;
    cr_assert_eq(gt_differentiate(shifted_sine, 1, 0, &by).doubt, GT_DOUBT_ROUNDOFF);
    cr_assert_eq(gt_differentiate(whole, 1, 0, NULL).doubt, GT_DOUBT_JUMP);
    cr_assert_eq(gt_differentiate(root, 0, 0, NULL).doubt, GT_DOUBT_NOT_FINITE);
    const gt_slope s = gt_differentiate(bent, 0, 0, NULL);
    cr_assert_eq(s.doubt, GT_DOUBT_KINK);
    cr_assert(quick_near(s.left, 2, 1e-9) && quick_near(s.right, 1, 1e-9));
}

/* ---- gradients of functions ------------------------------------------------------------------------------------ */

enum { ROWS = 40, COLUMNS = 30, MANY = ROWS * COLUMNS };

/* sum_i w_i tanh(x_i) of any length; the last number turns the claim into one that is wrong. */
static double sum_of_tanh(const double *x, int64_t n, void *user) {
    (void)user;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)(i % 7 + 1) * tanh(x[i]);
    return sum;
}

typedef struct planted {
    double factor;
    int mode;
} planted;
enum {
    AS_IT_IS,
    TRANSPOSED,
    ROW_MISSING,
    COLUMN_MISSING,
    ROWS_MISSING,
    TWO_ENTRIES,
    LATE,
    SQUARED
};

static void spoil(double *gx, int64_t n, int mode) {
    static double copy[MANY];
    memcpy(copy, gx, (size_t)n * sizeof *gx);
    for (int64_t i = 0; i < n; i++) {
        const int64_t r = i / COLUMNS, c = i % COLUMNS;
        if (mode == TRANSPOSED) gx[c * ROWS + r] = copy[i];
        if ((mode == ROW_MISSING && r == 7) || (mode == COLUMN_MISSING && c == 4)) gx[i] = 0;
        if (mode == ROWS_MISSING && r >= 3) gx[i] = 0;
        if (mode == TWO_ENTRIES && (i == 100 || i == 901)) gx[i] *= 1.001;
        if (mode == LATE) gx[i] = copy[(i + n - COLUMNS) % n];
        if (mode == SQUARED) gx[i] *= copy[i];
    }
}

static void tanh_claim(const double *x, int64_t n, double *gx, void *user) {
    const planted *p = user;
    for (int64_t i = 0; i < n; i++)
        gx[i] = p->factor * (double)(i % 7 + 1) * (1 - tanh(x[i]) * tanh(x[i]));
    spoil(gx, n, p->mode);
}

static gt_verdict judge_tanh(planted p) {
    static double x[MANY];
    const gt_check_array array = {"W", GT_SHAPE(ROWS, COLUMNS)};
    const gt_check_options options = {.array = &array, .n_arrays = 1};
    for (int i = 0; i < MANY; i++) x[i] = gt_normal(3, 0, (uint64_t)i);
    return gt_check_gradient(sum_of_tanh, tanh_claim, x, MANY, &options, &p, &report);
}

static void expect_mistake(planted p, gt_mistake mistake, const char *part) {
    cr_assert_eq(judge_tanh(p), GT_WRONG);
    cr_assert_eq(report.array[0].mistake, mistake, "%s", report.array[0].text);
    cr_assert(strstr(report.array[0].text, part) != NULL, "%s", report.array[0].text);
    cr_assert(report.evaluations < MANY, "%lld evaluations", (long long)report.evaluations);
}

Test(check, an_array_is_right) {
    cr_assert_eq(judge_tanh((planted){1, AS_IT_IS}), GT_RIGHT);
    cr_assert(report.array[0].digits > 7);
    cr_assert(report.evaluations < 300);
}

Test(check, one_factor_is_named) {
    expect_mistake((planted){-1, AS_IT_IS}, GT_MISTAKE_SIGN, "-1");
    expect_mistake((planted){1.0 / 64, AS_IT_IS}, GT_MISTAKE_MEAN_FOR_SUM, "1/64");
    expect_mistake((planted){64, AS_IT_IS}, GT_MISTAKE_MEAN_FOR_SUM, "64");
    expect_mistake((planted){log(2), AS_IT_IS}, GT_MISTAKE_LOG_BASE, "ln 2");
    expect_mistake((planted){0.5, AS_IT_IS}, GT_MISTAKE_FACTOR, "1/2");
}

Test(check, a_pattern_is_named) {
    expect_mistake((planted){1, TRANSPOSED}, GT_MISTAKE_TRANSPOSED, "transposed");
    expect_mistake((planted){1, ROW_MISSING}, GT_MISTAKE_MISSING_ROWS, "row 7 is zero");
    expect_mistake((planted){1, ROWS_MISSING}, GT_MISTAKE_MISSING_ROWS, "rows 3 to 39 are zero");
    expect_mistake((planted){1, COLUMN_MISSING}, GT_MISTAKE_MISSING_COLUMNS, "column 4");
    expect_mistake((planted){1, LATE}, GT_MISTAKE_SHIFTED, "one row too late");
    expect_mistake((planted){1, TWO_ENTRIES}, GT_MISTAKE_ENTRIES, "100, 901");
    cr_assert_eq(report.array[0].beyond, 2);
    cr_assert(report.evaluations < 450, "%lld evaluations", (long long)report.evaluations);
    expect_mistake((planted){1, SQUARED}, GT_MISTAKE_UNKNOWN, "many");
}

static double with_noise(const double *x, int64_t n, void *user) {
    int *calls = user;
    return sum_of_tanh(x, n, NULL) + 1e-9 * (double)(*calls)++;
}
static void ones(const double *x, int64_t n, double *gx, void *user) {
    (void)x, (void)user;
    for (int64_t i = 0; i < n; i++) gx[i] = 1;
}
static double product(const double *x, int64_t n, void *user) {
    (void)n, (void)user;
    return x[0] * x[1];
}
static double hinge(const double *x, int64_t n, void *user) {
    (void)n, (void)user;
    return fmax(0, x[0]) + x[1] * x[1];
}
static void hinge_claim(const double *x, int64_t n, double *gx, void *user) {
    (void)n;
    gx[0] = x[0] >= 0 ? *(const double *)user : 0;
    gx[1] = 2 * x[1];
}

Test(check, what_cannot_be_told_is_said) {
    int calls = 0;
    const double x[2] = {1, 1}, at_kink[2] = {0, 1};
    double at_zero = 1;
    cr_assert_eq(gt_check_gradient(with_noise, ones, x, 2, NULL, &calls, &report), GT_CANNOT_TELL);
    cr_assert_eq(report.doubt, GT_DOUBT_NOISE);
    cr_assert_eq(gt_check_gradient(product, ones, x, 2, NULL, NULL, &report), GT_RIGHT_ONLY_HERE);
    cr_assert_eq(gt_check_gradient(hinge, hinge_claim, at_kink, 2, NULL, &at_zero, &report),
                 GT_RIGHT_AT_KINK);
    at_zero = -1;
    cr_assert_eq(gt_check_gradient(hinge, hinge_claim, at_kink, 2, NULL, &at_zero, &report),
                 GT_WRONG);
    const gt_check_array array = {"x", GT_SHAPE(3)};
    const gt_check_options options = {.array = &array, .n_arrays = 1};
    cr_assert_eq(gt_check_gradient(product, ones, x, 2, &options, NULL, &report), GT_CANNOT_TELL);
    cr_assert_eq(report.doubt, GT_DOUBT_QUESTION);
}

/* ---- claims about a tape ------------------------------------------------------------------------------------------ */

Test(check, claims_about_a_tape) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, -2), y = quick_scalar(tape, 5),
                    z = quick_scalar(tape, -4);
    const gt_tensor f = gt_mul(gt_add(x, y), z), moved[] = {x, y, z};
    const gt_check_options options = {.moved = moved, .n_moved = 3};
    const uint32_t size = gt_tape_size(tape);
    const double three = 3;
    cr_assert_eq(gt_check_claim(f, z, (gt_claim){.values = &three}, &options, &report), GT_RIGHT);
    cr_assert_eq(gt_tape_size(tape), size);
    cr_assert_eq(gt_item(f), -12);
    cr_assert_eq(gt_check_claim(f, z, (gt_claim){.tensor = gt_add(x, y)}, &options, &report),
                 GT_RIGHT);
    const gt_tensor only_here = gt_scalar(tape, 3, GT_F64);
    cr_assert_eq(gt_check_claim(f, z, (gt_claim){.tensor = only_here}, &options, &report),
                 GT_RIGHT_ONLY_HERE);
    cr_assert_eq(gt_check_claim(f, x, (gt_claim){.tensor = gt_neg(z)}, &options, &report),
                 GT_WRONG);
    cr_assert_eq(report.array[0].mistake, GT_MISTAKE_SIGN);
    cr_assert_eq(gt_check_claim(f, f, (gt_claim){.tensor = z}, NULL, &report), GT_CANNOT_TELL);
    cr_assert_not(gt_failed(tape));
    gt_tape_free(tape);
}

Test(check, a_claim_at_a_kink) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 0), size = gt_abs(x);
    double claim = 0.5;
    cr_assert_eq(gt_check_claim(size, x, (gt_claim){.values = &claim}, NULL, &report),
                 GT_RIGHT_AT_KINK);
    claim = 1.5;
    cr_assert_eq(gt_check_claim(size, x, (gt_claim){.values = &claim}, NULL, &report), GT_WRONG);
    /* Both pieces at once: the sweep's choice is 0, although the slope is 1 to both sides. */
    const gt_tensor same = gt_sub(gt_relu(x), gt_relu(gt_neg(x)));
    claim = 0;
    cr_assert_neq(gt_check_claim(same, x, (gt_claim){.values = &claim}, NULL, &report), GT_WRONG);
    gt_tape_free(tape);
}

/* The long double witness is believed where the sweep itself has lost its digits. */
Test(check, an_ill_conditioned_claim) {
    gt_tape *tape = gt_tape_new(NULL);
    const gt_tensor x = quick_scalar(tape, 1 + 1e-7);
    const gt_tensor f = gt_div(gt_add_scalar(gt_square(x), -1), gt_add_scalar(x, -1));
    double claim = 1;
    cr_assert_eq(gt_check_claim(f, x, (gt_claim){.values = &claim}, NULL, &report), GT_RIGHT);
    claim = 2;
    cr_assert_eq(gt_check_claim(f, x, (gt_claim){.values = &claim}, NULL, &report), GT_WRONG);
    gt_tape_free(tape);
}

/* ---- operations of one's own ---------------------------------------------------------------------------------------- */

static bool cubed_shape(gt_call *call) {
    call->out[0].shape = call->in[0].shape;
    call->out[0].dtype = call->in[0].dtype;
    return true;
}
static bool cubed_kernel(gt_call *call) {
    const double *x = call->in[0].data;
    double *y = call->out[0].data;
    for (int64_t i = 0; i < gt_numel(call->in[0].shape); i++) y[i] = x[i] * x[i] * x[i];
    return true;
}
static bool cubed_pull(gt_pull *pull) {
    pull->gx[0] = gt_mul(pull->up[0], gt_mul_scalar(gt_square(pull->in[0]), 3));
    return true;
}
static bool cubed_wrongly(gt_pull *pull) {
    pull->gx[0] = gt_mul(pull->up[0], gt_square(pull->in[0]));
    return true;
}
static const gt_op cubed, cubed_wrong;
static gt_tensor cubed_samples(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3));
    if (i > 0) return gt_samples_end(s);
    return gt_apply(s->op, GT_LIST(x));
}
static const gt_op cubed =
    GT_OP("cubed", cubed_shape, cubed_kernel, GT_PULL(cubed_pull), cubed_samples, .traits = 0);
static const gt_op cubed_wrong =
    GT_OP("cubed", cubed_shape, cubed_kernel, GT_PULL(cubed_wrongly), cubed_samples, .traits = 0);

Test(check, an_operation) {
    cr_assert_eq(gt_check_op(&cubed, NULL, &report), GT_RIGHT, "%s", report.array[0].text);
    cr_assert_eq(gt_check_op(&cubed_wrong, NULL, &report), GT_WRONG);
    cr_assert(strstr(report.array[0].text, "gradient of input 0") != NULL);
    cr_assert_eq(gt_check_op(NULL, NULL, &report), GT_CANNOT_TELL);
    for (int i = 0; gt_op_at(i); i++)
        cr_assert_neq(gt_check_op(gt_op_at(i), NULL, &report), GT_WRONG, "%s: %s",
                      gt_op_at(i)->name, report.array[0].text);
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

Test(check, reports_are_printed) {
    char text[4000] = "", json[4000] = "";
    judge_tanh((planted){1, TWO_ENTRIES});
    FILE *out = tmpfile();
    gt_check_print(&report, out);
    rewind(out);
    cr_assert(fread(text, 1, sizeof text - 1, out) > 0);
    fclose(out);
    cr_assert(strstr(text, "W: wrong: only entries 100, 901 are wrong") != NULL, "%s", text);
    cr_assert(strstr(text, "W[30,1]: yours ") != NULL, "%s", text);
    out = tmpfile();
    gt_check_print_json(&report, out);
    rewind(out);
    cr_assert(fread(json, 1, sizeof json - 1, out) > 0);
    fclose(out);
    cr_assert(strstr(json, "{\"verdict\":\"wrong\",") == json, "%s", json);
    cr_assert(strstr(json, "\"mistake\":\"a few entries\"") != NULL);
    gt_check_print(&report, NULL);
    gt_check_print_json(&report, NULL);
}
