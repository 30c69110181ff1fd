/* tests/fuzz/fuzz_formula.c: gt_formula_parse: what it accepts prints, and reads back as the same expression. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { TEXT = 1 << 16 };
static char printed[TEXT], again[TEXT];

/* Printing and parsing agree: text to expression to text gives the same text. */
static void round_trip(const gt_formula *f, gt_expr e, const gt_allocator *a) {
    const size_t length = gt_expr_print(f, e, printed + 4, TEXT - 4, NULL, NULL, 0);
    if (length >= TEXT - 4) return;
    memcpy(printed, "z = ", 4);
    gt_formula_error error;
    gt_formula *copy = gt_formula_parse(printed, a, &error);
    /* Brackets that a minus or a power needs may nest what was a flat text too deep. */
    fuzz_check(copy || strstr(error.message, "deep") || strstr(error.message, "memory"));
    if (!copy) return;
    fuzz_check(gt_formula_count(copy) == 1);
    gt_expr_print(copy, gt_formula_at(copy, 0).expr, again, TEXT, NULL, NULL, 0);
    fuzz_check(strcmp(printed + 4, again) == 0);
    fuzz_check(gt_expr_size(copy, gt_formula_at(copy, 0).expr) == gt_expr_size(f, e));
    gt_formula_free(copy);
}

static bool run(const uint8_t *bytes, size_t size) {
    static char text[TEXT];
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    if (size >= TEXT) return false;
    memcpy(text, bytes, size);
    text[size] = 0;
    gt_formula_error error;
    gt_formula *f = gt_formula_parse(text, &a, &error);
    fuzz_check((f != NULL) == (error.message[0] == 0));
    fuzz_check(l.peak <= 400 * size + 4096);
    if (!f) {
        fuzz_check(error.span.start <= size && error.line >= 1 && error.column >= 1);
        gt_formula_show(text, error.span, printed, TEXT);
    }
    for (int i = 0; f && i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        fuzz_check(s.name && s.span.start + s.span.length <= size);
        if (s.expr != gt_no_expr) round_trip(f, s.expr, &a);
    }
    gt_formula_free(f);
    fuzz_check(l.used == 0);
    return f != NULL;
}

static size_t seed(int i, uint8_t *out) {
    static const char *const files[] = {
        "f = (x+y)*z; x = -2; y = 5; z = -4\ndf/dx = z\ndf/dy = z ; df/dz = x+y\n",
        "q = x + y # a sum\nf = q*z\ndq = z\ndx = 1*dq\nd2f/dxdz = 1\n",
        "dW1 = X' * (dH .* H .* (1-H)) : X[64,1000], H[64,100]",
        "W = [1 2; -3 4.5e-1]\nv = [1,2,3]\nL = sum((W*v')^2, 0) + leaky_relu(2x, 0.1)/-y^-2",
        "f = max(0, x) + softmax(x, -1).*log(y)./2 - 3(x .^ 2) + norm(W')",
    };
    if (i >= (int)(sizeof files / sizeof *files)) return 0;
    const size_t size = strlen(files[i]);
    memcpy(out, files[i], size);
    return size;
}

const fuzz_target fuzz_formula = {"formula", run, seed};
