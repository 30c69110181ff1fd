/* tests/formula_test.c: what formula/ promises: the language, its errors, printing, recording and reading back. */
#include <criterion/criterion.h>

#include "support/quick.h"

static gt_formula *parsed(const char *text) {
    gt_formula_error error;
    gt_formula *f = gt_formula_parse(text, NULL, &error);
    cr_assert_not_null(f, "%s: %d:%d: %s", text, error.line, error.column, error.message);
    return f;
}

/* The expression of the last statement, printed. */
static const char *printed(const char *text) {
    static char out[1024];
    gt_formula *f = parsed(text);
    const gt_statement s = gt_formula_at(f, gt_formula_count(f) - 1);
    gt_expr_print(f, s.expr, out, sizeof out, NULL, NULL, 0);
    gt_formula_free(f);
    return out;
}

Test(formula, printing_keeps_the_brackets_that_are_needed) {
    static const char *const pair[][2] = {
        {"f=((x+y))*z", "(x + y)*z"},
        {"f=x+(y+z)", "x + (y + z)"},
        {"f=(x+y)+z", "x + y + z"},
        {"f=x-(y-z)", "x - (y - z)"},
        {"f=a/(b*c)", "a/(b*c)"},
        {"f=(a/b)*c", "a/b*c"},
        {"f=-x^2", "-x^2"},
        {"f=(-x)^2", "(-x)^2"},
        {"f=x^y^z", "x^y^z"},
        {"f=(x^y)^z", "(x^y)^z"},
        {"f=2x^2+3(x+1)", "2*x^2 + 3*(x + 1)"},
        {"f=-2x", "-2*x"},
        {"f=1/2x", "1/2*x"},
        {"f=X'*(dH.*H.*(1-H))", "X'*(dH .* H .* (1 - H))"},
        {"f=(A*B)'", "(A*B)'"},
        {"f=x^-1", "x^-1"},
        {"f=a*-b", "a*-b"},
        {"f=2.*x + 2./x", "2 .* x + 2 ./ x"},
        {"W=[1 -2;3,4.5]", "[1 -2; 3 4.5]"},
        {"W=[1 2 3]", "[1 2 3]"},
        {"W=[1 2 3;]", "[1 2 3;]"},
        {"f=max(0, x) + sum(x, -1)", "max(0, x) + sum(x, -1)"},
        {"f = (x +\n y) # more\n", "x + y"},
        {"f = 0.1 + 1e-300 + .5", "0.1 + 1e-300 + 0.5"},
    };
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++)
        cr_expect_str_eq(printed(pair[i][0]), pair[i][1]);
}

Test(formula, errors_point_at_the_character) {
    static const struct {
        const char *text, *message;
        int line, column;
    } bad[] = {
        {"f = (x + y", "a )", 1, 11},
        {"f = x y", "an operator", 1, 7},
        {"x = 1\nf = x +", "is missing", 2, 8},
        {"f = foo(x)", "no function foo", 1, 5},
        {"f = tanh(x, y)", "tanh takes (x), not 2", 1, 5},
        {"f = x $ y", "\"$\"", 1, 7},
        {"f = sum(x, y)", "a number is wanted", 1, 12},
        {"W = [1 2; 3]", "one length", 1, 11},
        {"f = x; df/dy = 1", "not been used", 1, 11},
        {"f = x; g/dx = 1", "no d before", 1, 8},
        {"f = x; dg/dx = 1", "g has not been defined", 1, 9},
        {"X[2, 3.5]", "whole number", 1, 6},
        {"f = x + 1e999", "too large", 1, 9},
        {"f == x", "a number, a name", 1, 4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gt_formula_error error;
        cr_expect_null(gt_formula_parse(bad[i].text, NULL, &error), "%s", bad[i].text);
        cr_expect(error.line == bad[i].line && error.column == bad[i].column, "%s: %d:%d %s",
                  bad[i].text, error.line, error.column, error.message);
        cr_expect_not_null(strstr(error.message, bad[i].message), "%s: %s", bad[i].text,
                           error.message);
    }
}

Test(formula, a_caret_stands_below_the_place) {
    char shown[200];
    gt_formula_error error;
    const char *text = "x = 1\nf = x + foo(x)";
    cr_assert_null(gt_formula_parse(text, NULL, &error));
    cr_expect_str_eq(gt_formula_show(text, error.span, shown, sizeof shown),
                     "f = x + foo(x)\n        ^~~\n");
}

Test(formula, deep_and_long_texts_are_refused_with_a_sentence) {
    enum { N = 100000 };
    gt_formula_error error;
    char *text = malloc(GT_FORMULA_MOST + 10);
    memcpy(text, "f = ", 4);
    memset(text + 4, '(', N);
    text[4 + N] = 0;
    cr_expect_null(gt_formula_parse(text, NULL, &error));
    cr_expect_not_null(strstr(error.message, "too deep"), "%s", error.message);
    memset(text + 4, '-', N);
    cr_expect_null(gt_formula_parse(text, NULL, &error));
    cr_expect_not_null(strstr(error.message, "too deep"), "%s", error.message);
    for (int i = 0; i < N; i++) text[4 + i] = i % 2 ? '+' : 'x';
    cr_expect_null(gt_formula_parse(text, NULL, &error));
    cr_expect_not_null(strstr(error.message, "too many"), "%s", error.message);
    memset(text, ' ', GT_FORMULA_MOST + 5);
    text[GT_FORMULA_MOST + 5] = 0;
    cr_expect_null(gt_formula_parse(text, NULL, &error));
    cr_expect_not_null(strstr(error.message, "bytes"), "%s", error.message);
    free(text);
}

Test(formula, what_a_statement_is_depends_on_the_names_known) {
    gt_formula *f = parsed(
        "X[64, 1000], b[10]\n"
        "x = -2; y = 2*3; q = x + y; f = q*z + b\n"
        "f = 3; dq = z; dx = 1*dq; dq = 2z; df/dz = q; d2f/dxdz = 1; d2f/dx2 = 0; g = dz : c[2]");
    static const struct {
        gt_statement_kind kind;
        const char *name, *x, *y;
    } right[] = {
        {GT_STATES_SHAPE, "X", NULL, NULL}, {GT_STATES_SHAPE, "b", NULL, NULL},
        {GT_STATES_VALUE, "x", NULL, NULL}, {GT_STATES_VALUE, "y", NULL, NULL},
        {GT_DEFINES, "q", NULL, NULL},      {GT_DEFINES, "f", NULL, NULL},
        {GT_CLAIMS_EQUAL, "f", NULL, NULL}, {GT_CLAIMS_SLOPE, "f", "q", NULL},
        {GT_CLAIMS_SLOPE, "f", "x", NULL},  {GT_CLAIMS_SLOPE, "f", "q", NULL},
        {GT_CLAIMS_SLOPE, "f", "z", NULL},  {GT_CLAIMS_SECOND, "f", "x", "z"},
        {GT_CLAIMS_SECOND, "f", "x", "x"},  {GT_DEFINES, "g", NULL, NULL},
        {GT_STATES_SHAPE, "c", NULL, NULL},
    };
    cr_assert_eq(gt_formula_count(f), (int)(sizeof right / sizeof *right));
    for (int i = 0; i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        cr_expect_eq(s.kind, right[i].kind, "statement %d", i);
        cr_expect_str_eq(s.name, right[i].name);
        for (int k = 0; k < 2; k++) {
            const char *x = k ? right[i].y : right[i].x;
            cr_expect(x ? s.wrt[k] && strcmp(s.wrt[k], x) == 0 : !s.wrt[k], "statement %d", i);
        }
    }
    cr_expect_eq(gt_formula_at(f, 0).shape.dim[1], 1000);
    cr_expect_eq(gt_formula_known(f, "q", gt_formula_count(f)), 4);
    cr_expect_eq(gt_formula_known(f, "q", 4), -1);
    gt_formula_free(f);
}

typedef struct recorded {
    gt_formula *f;
    gt_tape *tape;
    gt_recording *r;
} recorded;

static recorded record(const char *text) {
    gt_formula_error error;
    recorded it = {.f = parsed(text), .tape = gt_tape_new(NULL)};
    it.r = gt_recording_new(it.f, it.tape);
    cr_assert(gt_record_definitions(it.r, &error), "%s: %d:%d: %s", text, error.line, error.column,
              error.message);
    return it;
}

static void forget(recorded it) {
    gt_recording_free(it.r);
    gt_tape_free(it.tape);
    gt_formula_free(it.f);
}

static double value(const char *text) {
    const recorded it = record(text);
    const double y = gt_item(gt_recorded(it.r, "f"));
    cr_expect(!gt_failed(it.tape), "%s: %s", text, gt_error(it.tape));
    forget(it);
    return y;
}

Test(formula, recording_computes_what_the_text_says) {
    cr_expect_eq(value("x = -2; y = 5; z = -4; f = (x+y)*z"), -12);
    cr_expect_eq(value("x = 3; f = -x^2 + 2x^3^0 - 12/2x"), -9 + 6 - 18);
    cr_expect_eq(value("a = [1 2 3]; b = [4 5 6]; f = a'*b"), 32);
    cr_expect_eq(value("a = [1 2]; b = [4 5]; f = sum(a*b')"), 27);
    cr_expect_eq(value("A = [1 2; 3 4]; v = [1 1]; f = v'*A*v + (A*v)'*v + sum(A*v*v')"), 40);
    cr_expect_eq(value("A = [1 2; 3 4]; v = [1 1]; f = sum(A*v .* v - v'*A .* v)"), 0);
    cr_expect_eq(value("A = [1 2; 3 4]; f = sum(A'*A) + max(A) + max(0, -1) + sum(sum(A, 0)./2)"),
                 58 + 4 + 0 + 5);
    cr_expect(quick_near(value("x = 2; f = log(exp(x)) + leaky_relu(-x, 0.1) + pi"),
                         1.8 + 3.14159265358979, 1e-12));
    cr_expect_eq(value("x = [1 2; 3 4]; f = sum(ones(2, 2) .* x.^2) + sum(eye(2))"), 32);
}

Test(formula, errors_of_recording_have_a_place) {
    static const struct {
        const char *text, *message;
        int column;
    } bad[] = {
        {"f = x*2", "x has no value", 5},
        {"A = [1 2; 3 4]; B = [1 2 3;]; f = A + A*B", "matmul", 39},
        {"a = [1 2]; f = 2*(a*a)", "vectors", 19},
        {"a = [1 2]; f = 1/a", "./", 16},
        {"a = [1 2]; f = a^2", ".^", 16},
        {"X[2,3]; f = X*2", "X has no value", 13},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gt_formula *f = parsed(bad[i].text);
        gt_tape *tape = gt_tape_new(NULL);
        gt_recording *r = gt_recording_new(f, tape);
        gt_formula_error error;
        cr_expect(!gt_record_definitions(r, &error));
        cr_expect_not_null(strstr(error.message, bad[i].message), "%s", error.message);
        cr_expect_eq(error.column, bad[i].column, "%s: %d", bad[i].text, error.column);
        gt_recording_free(r);
        gt_tape_free(tape);
        gt_formula_free(f);
    }
}

/* The gradient of f to x, as the formula that the tape spells. */
static const char *slope_text(const char *text, const char *x) {
    static char out[1024];
    const recorded it = record(text);
    const gt_tensor g = gt_grad(gt_recorded(it.r, "f"), gt_recorded(it.r, x));
    gt_expr_print(it.f, gt_formula_of(it.r, g), out, sizeof out, NULL, NULL, 0);
    forget(it);
    return out;
}

Test(formula, gradients_read_as_formulas) {
    cr_expect_str_eq(slope_text("x=-2; y=5; z=-4; q = x+y; f = q*z", "x"), "z");
    cr_expect_str_eq(slope_text("x=-2; y=5; z=-4; q = x+y; f = q*z", "z"), "q");
    cr_expect_str_eq(slope_text("x=1; f = tanh(x)", "x"), "1 - f^2");
    cr_expect_str_eq(slope_text("x=1; y=2; s = sigmoid(x); f = (s - y)^2", "x"),
                     "2*(s - y)*(s*(1 - s))");
    cr_expect_str_eq(slope_text("X = [1 2 3; 4 5 6]; W = [1;2;3]; f = sum(X*W)", "W"), "X'*1");
}

Test(formula, edits_share_what_they_keep_and_marks_are_found) {
    gt_formula *f = parsed("f = a*b + c*d");
    const gt_expr e = gt_formula_at(f, 0).expr;
    const gt_expr right = gt_expr_child(f, e, 1), d = gt_expr_child(f, right, 1);
    const gt_expr by = gt_expr_make(f, GT_EXPR_SUB, gt_expr_number(f, 1), gt_expr_name(f, "d"));
    const gt_expr edited = gt_expr_replace(f, e, d, by);
    char text[100];
    gt_span span;
    cr_expect_eq(gt_expr_print(f, edited, text, sizeof text, &by, &span, 1), strlen(text));
    cr_expect_str_eq(text, "a*b + c*(1 - d)");
    cr_expect(span.start == 9 && span.length == 5);
    cr_expect_eq(gt_expr_child(f, edited, 0), gt_expr_child(f, e, 0));
    cr_expect_eq(gt_expr_size(f, edited), 9);
    cr_expect(!gt_expr_same(f, e, edited) && gt_expr_same(f, e, e));
    const uint32_t count = gt_expr_count(f);
    cr_expect_eq(gt_expr_make(f, GT_EXPR_ADD, gt_no_expr, e), gt_no_expr);
    cr_expect_eq(gt_expr_call(f, "tanh", (gt_expr[]){e, e}, 2), gt_no_expr);
    gt_expr_truncate(f, e + 1);
    cr_expect_lt(gt_expr_count(f), count);
    gt_formula_free(f);
}
