/* tests/claim_test.c: claims of formulas: verdicts, what is wrong with them, and the formulas that are offered
 * instead. Among them the seeds' mistakes (M5, M7, ...). */
#include <criterion/criterion.h>

#include "support/quick.h"

enum { MOST = 16 };

static int checked(const char *text, gt_claim_report *report) {
    gt_formula_error error;
    gt_formula *f = gt_formula_parse(text, NULL, &error);
    cr_assert_not_null(f, "%s: %d:%d: %s", text, error.line, error.column, error.message);
    const int n = gt_check_formula(f, NULL, report, MOST, &error);
    cr_assert(n >= 0 && n <= MOST, "%s: %s", text, error.message);
    gt_formula_free(f);
    return n;
}

typedef struct expected {
    const char *text; /* with one claim, which is the last statement */
    gt_verdict verdict;
    gt_mistake mistake;
    const char *corrected; /* NULL: any */
} expected;

static void expect(const expected *e) {
    static gt_claim_report report[MOST];
    const int n = checked(e->text, report);
    cr_assert_gt(n, 0);
    const gt_claim_report *r = &report[n - 1];
    const gt_mistake mistake = r->n_remarks ? r->remark[0].mistake : GT_NO_MISTAKE;
    cr_expect_eq(r->verdict, e->verdict, "%s: %s, %s", e->text, gt_verdict_name(r->verdict),
                 r->text);
    cr_expect_eq(mistake, e->mistake, "%s: %s (%s)", e->text, gt_mistake_name(mistake),
                 r->n_remarks ? r->remark[0].text : "");
    if (e->corrected) cr_expect_str_eq(r->corrected, e->corrected, "%s: %s", e->text, r->corrected);
    if (r->verdict != GT_WRONG || !r->corrected[0]) return;
    /* What is offered is right. */
    char again[3000];
    const char *equation = strrchr(e->text, ';');
    snprintf(again, sizeof again, "%.*s; %.*s= %s", (int)(equation - e->text), e->text,
             (int)strcspn(equation + 1, "="), equation + 1, r->corrected);
    checked(again, report);
    cr_expect_eq(report[n - 1].verdict, GT_RIGHT, "%s: %s", again, report[n - 1].text);
}

static void expect_all(const expected *e, size_t n) {
    for (size_t i = 0; i < n; i++) expect(&e[i]);
}
#define EXPECT_ALL(list) expect_all(list, sizeof list / sizeof *list)

#define CIRCUIT "f = (x+y)*z; x = -2; y = 5; z = -4;"
/* 2-2-1 with sigmoids and the squared error, as in the seeds. */
#define NET                                                                                        \
    "y3 = sigmoid(b3 + x1*w13 + x2*w23); y4 = sigmoid(b4 + x1*w14 + x2*w24);"                      \
    "yhat = sigmoid(b5 + y3*w35 + y4*w45); L = (t - yhat)^2;"
#define LAYERS                                                                                     \
    "X[5,4], W1[4,3], b1[3], W2[3,2], Y[5,2];"                                                     \
    "H = sigmoid(X*W1 + b1); D = H*W2 - Y; L = sum(D.^2);"

Test(claim, verdicts) {
    static const expected list[] = {
        {CIRCUIT "df/dx = z", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "df/dz = x+y", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "df/dz = 3", GT_RIGHT_ONLY_HERE, GT_MISTAKE_WRONG_OPERAND, "x + y"},
        {CIRCUIT "df/dz = y - 1 - 1", GT_RIGHT_ONLY_HERE, GT_MISTAKE_WRONG_OPERAND, "x + y"},
        {CIRCUIT "df/dx = -z", GT_WRONG, GT_MISTAKE_SIGN, "z"},
        {CIRCUIT "f = x*z + y*z", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "f = -12", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "f = 12", GT_WRONG, GT_MISTAKE_SIGN, "-12"},
        {CIRCUIT "d2f/dxdz = 1", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "d2f/dx2 = 1", GT_WRONG, GT_MISTAKE_UNKNOWN, NULL},
        {"f = x^3*y; d2f/dx2 = 6x*y", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"f = x^3*y; d2f/dxdy = 3x", GT_WRONG, GT_MISTAKE_MISSING_LOCAL, NULL},
        {"q = x + y; f = tanh(q)*q; dq = tanh(q) + q*(1 - tanh(q)^2)", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"f = relu(x); x = 0; df/dx = 1", GT_RIGHT_AT_KINK, GT_NO_MISTAKE, ""},
        {"f = relu(x); x = 0; df/dx = step(x)", GT_RIGHT_AT_KINK, GT_NO_MISTAKE, ""},
        {"f = relu(x); x = 0; df/dx = 2", GT_WRONG, GT_MISTAKE_WRONG_OPERAND, NULL},
        {"f = abs(x); x = 0; df/dx = -0.3", GT_RIGHT_AT_KINK, GT_NO_MISTAKE, ""},
        {"f = max(x, y); x = 1; y = 1; df/dx = step(x - y)", GT_RIGHT_AT_KINK, GT_NO_MISTAKE, ""},
        {"f = sigmoid(x); x = 1; df/dx = 0.196612", GT_RIGHT_ONLY_HERE, GT_MISTAKE_WRONG_OPERAND,
         "f*(1 - f)"},
        {"f = 1e-9*x^2; df/dx = 2e-9*x", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"f = 1e-9*x^2; df/dx = 3e-9*x", GT_WRONG, GT_MISTAKE_FACTOR, NULL},
        {"f = sin(x) + 1e8; x = 0.3; df/dx = cos(x)", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"f = log(x) + sqrt(1 - x); df/dx = 1/x - 1/(2*sqrt(1 - x))", GT_RIGHT, GT_NO_MISTAKE, ""},
        {CIRCUIT "df/dx = z*N", GT_CANNOT_TELL, GT_NO_MISTAKE, ""},
    };
    EXPECT_ALL(list);
}

Test(claim, the_wrong_formulas_of_the_seeds) {
    static const expected list[] = {
        /* M5: the output's derivative twice. */
        {NET "dL/dw13 = -2*(t-yhat)*yhat*(1-yhat)*w35*yhat*(1-yhat)*x1", GT_WRONG,
         GT_MISTAKE_WRONG_NODE, "-2*(t - yhat)*yhat*(1 - yhat)*w35*(y3*(1 - y3))*x1"},
        /* M7: no x, and no 2. */
        {"s = sigmoid(w*x); L = (s - t)^2; dL/dw = s*(1-s)*(s-t)", GT_WRONG,
         GT_MISTAKE_MISSING_LOCAL, "2*s*(1 - s)*(s - t)*x"},
        {"s = sigmoid(w*x); L = -t*log(s) - (1-t)*log(1-s); dL/dw = s-t", GT_WRONG,
         GT_MISTAKE_MISSING_LOCAL, "(s - t)*x"},
        /* M22: the derivative to y is that to x, which shows where they differ. */
        {"q = a*x + b*y; f = q*z; df/dy = z*a", GT_WRONG, GT_MISTAKE_WRONG_OPERAND, "z*b"},
        /* M36: the layer after. */
        {"h1 = sigmoid(w1*x); h2 = sigmoid(w2*h1); L = (h2-t)^2; "
         "dL/dw1 = 2*(h2-t)*h2*(1-h2)*w2*h2*(1-h2)*x",
         GT_WRONG, GT_MISTAKE_WRONG_NODE, "2*(h2 - t)*h2*(1 - h2)*w2*(h1*(1 - h1))*x"},
        /* M38: cross entropy is no squared error. */
        {"s = sigmoid(z); L = -t*log(s) - (1-t)*log(1-s); dL/dz = 2*(s-t)*s*(1-s)", GT_WRONG,
         GT_MISTAKE_FACTOR, "s - t"},
        {"s = sigmoid(z); L = (s-t)^2; dL/dz = s-t", GT_WRONG, GT_MISTAKE_MISSING_LOCAL, NULL},
        /* M1, M2: the distance to x is no norm. */
        {"x = [1 1 1 1]; w = [1 0 0 0]; R = sum(w.^2); R = sum((x-w).^2)", GT_WRONG,
         GT_MISTAKE_EXTRA_TERM, NULL},
        {"w = [1 0 0 0]; R = sum(w.^2); R = 3", GT_WRONG, GT_MISTAKE_UNKNOWN, "1"},
        {"w = [.25 .25 .25 .25]; R = sum(w.^2); R = 0.25", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"x = [1 1 1 1]; w = [.25 .25 .25 .25]; R = sum(abs(w)); R = sum(abs(x-w))", GT_WRONG,
         GT_MISTAKE_EXTRA_TERM, NULL},
        /* M33: that is "equal", not "or else". */
        {"f = a*(1-b) + (1-a)*b; f = a*b + (1-a)*(1-b)", GT_WRONG, GT_MISTAKE_WRONG_OPERAND, NULL},
        {"a = [0 0 1 1]; b = [0 1 0 1]; xor = [0 1 1 0]; xor = a.*b + (1-a).*(1-b)", GT_WRONG,
         GT_MISTAKE_WRONG_OPERAND, NULL},
        {"a = [0 0 1 1]; b = [0 1 0 1]; xor = [0 1 1 0]; xor = a.*(1-b) + (1-a).*b", GT_RIGHT,
         GT_NO_MISTAKE, ""},
        /* M37: a logarithm to base 2. */
        {"L = -t*log2(s); dL/ds = -t/s", GT_WRONG, GT_MISTAKE_LOG_BASE, "-t/s/log(2)"},
    };
    EXPECT_ALL(list);
}

Test(claim, each_kind_of_mistake_is_named_and_mended) {
    static const expected list[] = {
        {"f = x*y + x*z + x^2; df/dx = y + 2x", GT_WRONG, GT_MISTAKE_MISSING_PATH, "y + 2*x + z"},
        {"f = x*y + x*z + x^2; df/dx = y", GT_WRONG, GT_MISTAKE_OVERWRITTEN, NULL},
        {"f = x*y + x*z; df/dx = y + z + y*z", GT_WRONG, GT_MISTAKE_EXTRA_TERM, "y + z"},
        {"f = x*y - x*z; df/dx = y + z", GT_WRONG, GT_MISTAKE_SIGN, "y - z"},
        {"f = x^2*y; df/dx = x*y", GT_WRONG, GT_MISTAKE_FACTOR, "2*x*y"},
        {"f = exp(x*y); df/dx = exp(x*y)", GT_WRONG, GT_MISTAKE_MISSING_LOCAL, "exp(x*y)*y"},
        {"f = sin(x*y)*z; df/dx = cos(x*z)*z*y", GT_WRONG, GT_MISTAKE_WRONG_OPERAND,
         "cos(x*y)*z*y"},
        {LAYERS "dL/dW2 = 2*D'*H", GT_WRONG, GT_MISTAKE_TRANSPOSED, "(2*D'*H)'"},
        {LAYERS "dL/dW2 = 2*H*D", GT_WRONG, GT_MISTAKE_TRANSPOSED, NULL},
        {LAYERS "dL/db1 = 2*D*W2' .* H .* (1-H)", GT_WRONG, GT_MISTAKE_MISSING_SUM,
         "sum(2*D*W2' .* H .* (1 - H), 0)"},
        {LAYERS "dL/dW1 = X'*(2*D*W2' .* H)", GT_WRONG, GT_MISTAKE_MISSING_LOCAL,
         "X'*(2*D*W2' .* H .* (1 - H))"},
        {LAYERS "dL/dW1 = X'*(2*D*W2' .* (1-H).*H)/5", GT_WRONG, GT_MISTAKE_MEAN_FOR_SUM, NULL},
        {LAYERS "dL/dW1 = X'*(2*Y*W2' .* H.*(1-H))", GT_WRONG, GT_MISTAKE_WRONG_OPERAND, NULL},
        {LAYERS "dL/dW1 = X'*(2*D*W2' .* H.*(1-H))", GT_RIGHT, GT_NO_MISTAKE, ""},
        {"x[4], y[4]; L = mean((x-y).^2); dL/dx = 2*(x-y)", GT_WRONG, GT_MISTAKE_MEAN_FOR_SUM,
         "2*(x - y)/4"},
        {"p = softmax(z); L = -sum(t.*log(p)); z = [1 2 3]; t = [0 1 0]; dL/dz = p - t", GT_RIGHT,
         GT_NO_MISTAKE, ""},
        {"p = softmax(z); L = -sum(t.*log(p)); z = [1 2 3]; t = [0 1 0]; dL/dz = t - p", GT_WRONG,
         GT_MISTAKE_SIGN, "p - t"},
    };
    EXPECT_ALL(list);
}

Test(claim, two_mistakes_are_both_named) {
    static gt_claim_report report[MOST];
    checked("f = x*y + x*z + x^2; df/dx = y - z + x", report);
    cr_expect_str_eq(report[0].corrected, "y + z + 2*x");
    cr_assert_eq(report[0].n_remarks, 2);
    cr_expect_eq(report[0].remark[0].mistake, GT_MISTAKE_SIGN);
    cr_expect_eq(report[0].remark[1].mistake, GT_MISTAKE_FACTOR);
    cr_expect(report[0].changed[0].start == 4 && report[0].changed[0].length == 1);
}

Test(claim, in_steps_the_first_error_stands_apart_from_those_it_causes) {
    static gt_claim_report report[MOST];
    const int n = checked("q = x + y; f = q*z; x = -2; y = 5; z = -4\n"
                          "dq = -z; dz = q; dx = 1*dq; dy = 2*dq\n",
                          report);
    cr_assert_eq(n, 4);
    cr_expect(report[0].verdict == GT_WRONG && !report[0].carried);
    cr_expect_eq(report[0].remark[0].mistake, GT_MISTAKE_SIGN);
    cr_expect(report[1].verdict == GT_RIGHT && !report[1].carried);
    cr_expect(report[2].verdict == GT_RIGHT && report[2].carried);
    cr_expect(report[3].verdict == GT_WRONG && report[3].remark[0].mistake == GT_MISTAKE_FACTOR);
    cr_expect_str_eq(report[3].corrected, "dq");
    cr_expect(report[0].has_example && report[0].yours == 4 && report[0].truth == -4);
    cr_expect_str_eq(report[0].example, "x = -2, y = 5, z = -4");
}

/* Fails the n-th allocation, and every one after it. */
typedef struct scarce {
    long left;
    size_t used;
} scarce;

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
    scarce *s = user;
    if (new_size > 0 && s->left-- <= 0) return NULL;
    s->used += new_size - (block ? old_size : 0);
    if (new_size > 0) return realloc(block, new_size);
    free(block);
    return NULL;
}

Test(claim, short_memory_is_an_answer_and_nothing_leaks) {
    static gt_claim_report report[MOST];
    const char *text =
        "f = x*y + x*tanh(z) + x^2; x = 1; df/dx = y - z + x; df/dz = x*(1 - tanh(z))";
    for (long n = 0; n < 4000; n += n < 300 ? 1 : 37) {
        scarce s = {n, 0};
        const gt_allocator a = {resize, &s};
        gt_formula_error error;
        gt_formula *f = gt_formula_parse(text, &a, &error);
        const gt_check_options options = {.allocator = &a};
        if (f && gt_check_formula(f, &options, report, MOST, &error) < 0)
            cr_expect_neq(error.message[0], 0);
        gt_formula_free(f);
        cr_assert_eq(s.used, 0, "allocation %ld", n);
    }
}
