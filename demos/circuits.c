/* demos/circuits.c: small circuits, gate by gate: every gate's value, and the gradient of the output with
 * respect to it. downstream = upstream x local at each gate; a wire that forks adds up what comes back.
 *
 * Rows 44, 46, 47 and 48 of the course notes that this library follows: f = (x+y)z; a neuron
 * s(w0 x0 + w1 x1 + w2) with its sigmoid taken apart into four gates, and collapsed into one; and the patterns
 * in gradient flow: add distributes, mul swaps, max routes.
 *
 * circuits [PREFIX] draws them too, values above the wires and gradients below: PREFIX-1.svg to PREFIX-4.svg. */
#include <stdio.h>
#include <stdlib.h>

#include "gradtape.h"

static gt_tensor number(gt_tape *tape, const char *name, double value) {
    return gt_name(gt_input(tape, &value, GT_SCALAR, GT_F64), "%s", name);
}

static void show(const char *title, const gt_tensor *gates, int count) {
    char label[64];
    printf("%s\n  %-12s %-10s %12s %12s\n", title, "gate", "does", "value", "gradient");
    for (int i = 0; i < count; i++)
        printf("  %-12s %-10s %12.6f %12.6f\n", gt_label(gates[i], label, sizeof label),
               gt_op_of(gates[i])->name, gt_item(gates[i]), gt_item(gt_grad_of(gates[i])));
    printf("\n");
}

static gt_tensor circuit_of_three(gt_tape *tape) {
    const gt_tensor x = number(tape, "x", -2), y = number(tape, "y", 5), z = number(tape, "z", -4);
    const gt_tensor q = gt_name(gt_add(x, y), "q");
    const gt_tensor f = gt_name(gt_mul(q, z), "f");
    gt_backward(f);
    show("f = (x + y) z", (const gt_tensor[]){x, y, z, q, f}, 5);
    return f;
}

/* What both forms of the neuron share: w0 x0 + w1 x1 + w2. */
typedef struct neuron {
    gt_tensor w0, x0, w1, x1, w2, first, second, sum, dot;
} neuron;

static neuron make_neuron(gt_tape *tape) {
    neuron n;
    n.w0 = number(tape, "w0", 2);
    n.x0 = number(tape, "x0", -1);
    n.w1 = number(tape, "w1", -3);
    n.x1 = number(tape, "x1", -2);
    n.w2 = number(tape, "w2", -3);
    n.first = gt_name(gt_mul(n.w0, n.x0), "w0 x0");
    n.second = gt_name(gt_mul(n.w1, n.x1), "w1 x1");
    n.sum = gt_name(gt_add(n.first, n.second), "sum");
    n.dot = gt_name(gt_add(n.sum, n.w2), "dot");
    return n;
}

static gt_tensor sigmoid_of_four_gates(gt_tape *tape) {
    const neuron n = make_neuron(tape);
    const gt_tensor minus = gt_name(gt_neg(n.dot), "-dot");
    const gt_tensor power = gt_name(gt_exp(minus), "e^-dot");
    const gt_tensor plus = gt_name(gt_add_scalar(power, 1), "1 + e^-dot");
    const gt_tensor f = gt_name(gt_reciprocal(plus), "f");
    gt_backward(f);
    show("f = s(w0 x0 + w1 x1 + w2), the sigmoid as four gates",
         (const gt_tensor[]){n.w0, n.x0, n.w1, n.x1, n.w2, n.first, n.second, n.sum, n.dot, minus,
                             power, plus, f},
         13);
    return f;
}

static gt_tensor sigmoid_of_one_gate(gt_tape *tape) {
    const neuron n = make_neuron(tape);
    const gt_tensor f = gt_name(gt_sigmoid(n.dot), "f");
    gt_backward(f);
    show("the same with one sigmoid gate: its local gradient is f (1 - f)",
         (const gt_tensor[]){n.w0, n.x0, n.w1, n.x1, n.w2, n.dot, f}, 7);
    return f;
}

static gt_tensor patterns(gt_tape *tape) {
    const gt_tensor x = number(tape, "x", 3), y = number(tape, "y", -4), z = number(tape, "z", 2),
                    w = number(tape, "w", -1);
    const gt_tensor product = gt_name(gt_mul(x, y), "x y");
    const gt_tensor larger = gt_name(gt_maximum(z, w), "max(z,w)");
    const gt_tensor sum = gt_name(gt_add(product, larger), "sum");
    const gt_tensor f = gt_name(gt_mul_scalar(sum, 2), "f");
    gt_backward(f);
    show("f = 2 (x y + max(z, w)): add distributes, mul swaps, max routes",
         (const gt_tensor[]){x, y, z, w, product, larger, sum, f}, 8);
    return f;
}

/* False: said why on stderr. */
static bool draw(gt_tensor output, const char *prefix, int number) {
    char path[1024];
    snprintf(path, sizeof path, "%s-%d.svg", prefix, number);
    gt_journal *journal = gt_journal_of(output);
    FILE *out = journal ? fopen(path, "w") : NULL;
    bool ok = out && gt_journal_svg(journal, out);
    ok = (!out || fclose(out) == 0) && ok;
    if (!ok) fprintf(stderr, "circuits: %s cannot be drawn %s\n", path, gt_journal_error(journal));
    gt_journal_free(journal);
    return ok;
}

int main(int count, char **word) {
    const char *prefix = count > 1 ? word[1] : "circuits";
    gt_tape *tape = gt_tape_new(NULL);
    gt_tensor (*const circuits[])(gt_tape *) = {circuit_of_three, sigmoid_of_four_gates,
                                                sigmoid_of_one_gate, patterns};
    bool ok = tape != NULL;
    for (int i = 0; ok && i < 4; i++) {
        const gt_tensor output = circuits[i](tape);
        ok = !gt_failed(tape);
        if (!ok) fprintf(stderr, "%s\n", gt_error(tape));
        ok = ok && draw(output, prefix, i + 1);
        gt_tape_reset(tape);
    }
    gt_tape_free(tape);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
