/* tests/browser/pages.c: writes the pages that tests/browser/browser.js opens and that no lesson covers, each with
 * its journal beside it: pages FOLDER. */
#include <stdio.h>
#include <string.h>

#include "gradtape.h"

static gt_tensor number(gt_tape *tape, const char *name, double value) {
    return gt_name(gt_input(tape, &value, GT_SCALAR, GT_F64), "%s", name);
}

/* Names that try to break out of markup, scripts and styles; and one that is no UTF-8. */
static gt_tensor hostile(gt_tape *tape) {
    const gt_tensor a = number(tape, "</script><img src=x onerror=alert(1)>", 2),
                    b = number(tape, "\"'&<b>${1}`\\u0022", -3), c = number(tape, "\xff\xfe", 0.5);
    return gt_name(gt_mul(gt_add(a, b), gt_sigmoid(c)), "--></svg><script>alert(2)</script>");
}

static gt_tensor network(gt_tape *tape) {
    float data[12];
    for (int i = 0; i < 12; i++) data[i] = 0.25F * (float)(i % 5) - 0.4F;
    const gt_tensor x = gt_name(gt_input(tape, data, GT_SHAPE(4, 3), GT_F32), "x");
    const int32_t label[4] = {0, 1, 1, 0};
    const gt_tensor h = gt_name(gt_relu(gt_linear(x, "fc1", 8)), "h");
    const gt_tensor target = gt_name(gt_input(tape, label, GT_SHAPE(4), GT_I32), "label");
    return gt_name(gt_cross_entropy(gt_linear(h, "fc2", 2), target), "loss");
}

/* A long chain, each link with two gates and a number of its own now and then. */
static gt_tensor chain(gt_tape *tape, int links) {
    gt_tensor x = number(tape, "x", 0.5);
    for (int i = 0; i < links; i++) {
        const gt_tensor other = i % 7 == 0 ? number(tape, "w", 0.9) : x;
        x = gt_add_scalar(gt_mul(gt_sin(x), other), 0.25);
    }
    return x;
}
static gt_tensor ten_thousand(gt_tape *tape) { return chain(tape, 3300); }
static gt_tensor three_hundred(gt_tape *tape) { return chain(tape, 97); }

/* Every operation of one number that has a row, in a sum. */
static gt_tensor every_row(gt_tape *tape) {
    gt_tensor sum = number(tape, "start", 0);
    for (int i = 0; gt_op_at(i); i++) {
        const gt_op *op = gt_op_at(i);
        int n_in = 0;
        while (n_in < 3 && op->more.gradient_text[n_in]) n_in++;
        const gt_arg arg[2] = {{.real = 0.75}, {.real = 1.5}};
        gt_tensor in[3] = {gt_none(), gt_none(), gt_none()};
        if (!op->more.value || n_in == 0) continue;
        for (int k = 0; k < n_in; k++) {
            const double at = op->more.low + (op->more.high - op->more.low) * (0.61 + 0.13 * k);
            in[k] = number(tape, op->name, at);
        }
        const gt_marker before = gt_mark(tape);
        const gt_tensor y = gt_record(tape, op, in, n_in, NULL, 0, arg, 2);
        if (gt_failed(tape) || gt_dtype_of(y) != GT_F64)
            gt_rewind(tape, before);
        else
            sum = gt_add(sum, y);
    }
    return sum;
}

static const struct {
    const char *name;
    gt_tensor (*record)(gt_tape *tape);
} circuits[] = {{"hostile", hostile},
                {"network", network},
                {"every_row", every_row},
                {"three_hundred", three_hundred},
                {"ten_thousand", ten_thousand}};

static bool write_file(const char *folder, const char *name, const char *ending, gt_journal *j,
                       bool (*write)(gt_journal *, FILE *)) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
    FILE *out = fopen(path, "w");
    if (!out) return false;
    const bool written = write(j, out);
    return fclose(out) == 0 && written;
}

static bool write_page(gt_journal *j, FILE *out) {
    return gt_journal_page(j, &(gt_page_options){.title = "A page"}, out);
}

int main(int count, char **word) {
    bool ok = count == 2;
    for (size_t i = 0; ok && i < sizeof circuits / sizeof *circuits; i++) {
        const char *name = circuits[i].name;
        gt_tape *tape = gt_tape_new(NULL);
        gt_journal *j = gt_journal_of(circuits[i].record(tape));
        ok = write_file(word[1], name, "html", j, write_page) &&
             write_file(word[1], name, "svg", j, gt_journal_svg) &&
             write_file(word[1], name, "json", j, gt_journal_json);
        if (!ok) fprintf(stderr, "pages: %s: %s\n", name, gt_journal_error(j));
        gt_journal_free(j);
        gt_tape_free(tape);
    }
    return ok ? 0 : 1;
}
