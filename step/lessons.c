/* step/lessons.c: the circuits of the course notes that this library follows, as lessons. One row is one lesson;
 * where the notes are wrong, its text says what is right. The numbers in the titles are rows of those notes. */
#include <string.h>

#include "step/step.h"

/* clang-format off */
static const gt_lesson lessons[] = {
{"circuit-1", "f = (x + y) z, the first circuit (row 44)",
 "q = x + y; f = q*z; x = -2; y = 5; z = -4",
 "The value of each gate goes forward, then the gradient goes back: every gate\n"
 "takes the gradient that arrives (upstream), multiplies it by its own\n"
 "derivative (local) and passes the product on (downstream). An addition hands\n"
 "its gradient to both inputs; a product hands each input the other one. The\n"
 "notes write df/dy with the derivative of x + y by x; it is the one by y. Both\n"
 "are 1."},

{"circuit-2", "a neuron, its sigmoid taken apart into four gates (row 46)",
 "a = w0*x0; b = w1*x1; s = a + b; dot = s + w2; m = -dot; e = exp(m); d = 1 + e; f = reciprocal(d);"
 "w0 = 2; x0 = -1; w1 = -3; x1 = -2; w2 = -3",
 "The sigmoid as the notes draw it: times -1, exp, plus 1, one over. Watch the\n"
 "gradient shrink at each of the four: -0.53 behind 1/x and +1, -0.197 behind\n"
 "exp, 0.197 behind the minus. From there the sums pass it on unchanged, and\n"
 "each weight gets it times its input."},

{"circuit-2-sigmoid", "the same neuron with one sigmoid gate (row 47)",
 "a = w0*x0; b = w1*x1; s = a + b; dot = s + w2; f = sigmoid(dot);"
 "w0 = 2; x0 = -1; w1 = -3; x1 = -2; w2 = -3",
 "Four gates collapse into one whose local derivative is f (1 - f): 0.197 at\n"
 "once. `open f` takes it apart again, `close f` folds it: the gradient behind\n"
 "it is the same."},

{"patterns", "2 (x y + max(z, w)): what gates do with gradients (row 48)",
 "p = x*y; m = max(z, w); s = p + m; f = 2*s; x = 3; y = -4; z = 2; w = -1",
 "An addition distributes, a product swaps, a maximum routes: w lost against z,\n"
 "so it gets nothing, whatever happens above. Where a wire forks, gradients add\n"
 "up; see `topological-order`."},

{"backprop-2-2-1", "backpropagation through a network of 2, 2 and 1 units (row 50)",
 "y3 = b3 + x1*w13 + x2*w23; x3 = sigmoid(y3); y4 = b4 + x1*w14 + x2*w24; x4 = sigmoid(y4);"
 "y5 = b5 + x3*w35 + x4*w45; out = sigmoid(y5); L = (y - out)^2;"
 "x1 = 1; x2 = -2; y = 1; w13 = 0.5; w23 = 0.25; w14 = -1; w24 = 0.5; w35 = 2; w45 = -1;"
 "b3 = 0.5; b4 = 1; b5 = -0.5",
 "The gradient of w35 is D5 x3 with D5 = -2 (y - out) out (1 - out), as the\n"
 "notes say. That of w13 is D5 w35 times the derivative of unit 3 times x1: the\n"
 "derivative of unit 3 is x3 (1 - x3). The notes use the output's out (1 - out)\n"
 "a second time there; they also write one bias for all three units."},

{"hand-set", "2-11-4-1 hard limits with weights set by hand, at (1, 1) (row 56)",
 "W1 = [1 -1 1 -1 1 -1 1 -1 -1 1 1; 1 -1 -1 1 -1 1 -1 1 -1 1 1];"
 "b1 = [-2 3 0.5 0.5 -1.75 2.25 -3.25 3.75 6.25 -5.75 -4.75];"
 "W2 = [1 1 1 1 0 0 0 0 0 0 0; 0 0 0 0 1 1 0 0 1 0 1; 0 0 0 0 1 0 0 1 1 1 0; 0 0 0 0 0 0 1 1 1 0 1];"
 "b2 = [-3 -3 -3 -3]; W3 = [1 1 1 1]; p = [1 1];"
 "lines = hardlims(W1'*p + b1); boxes = hardlims(W2*lines + b2); f = hardlims(W3'*boxes + 3)",
 "Eleven lines, four boxes that are ANDs of four half-planes, one OR: (1, 1)\n"
 "lies in a box, so f = 1. Nobody trained this, and nobody could by gradients: a\n"
 "step has derivative 0 on both sides, so nothing comes back. In the notes the\n"
 "second bias lacks its superscript: it is b2, a column of -3."},

{"approximator", "a sum of two sigmoid steps, at the middle of one (row 57)",
 "n1 = w11*p + b1; n2 = w21*p + b2; a1 = sigmoid(n1); a2 = sigmoid(n2); a = a1 + a2;"
 "p = 1; w11 = 10; b1 = -10; w21 = 10; b2 = 10",
 "A hidden unit is a step with its centre at -b/w: here 1 and -1. At the centre\n"
 "the sigmoid is 1/2 and its slope is the most that it can have, 1/4, times the\n"
 "weight: 2.5. The other step is done: its sigmoid is flat there, and passes\n"
 "next to nothing back."},

{"and", "AND by one perceptron (row 60)",
 "n = w1*a + w2*b + bias; f = hardlims(n); a = 1; b = 1; w1 = 1; w2 = 1; bias = -1",
 "Truth values are 1 and -1. Only for a = b = 1 is the sum above 0: try `set\n"
 "b=-1`. The step passes no gradient back, which is why perceptrons have a\n"
 "learning rule of their own."},

{"or", "OR by one perceptron (row 60)",
 "n = w1*a + w2*b + bias; f = hardlims(n); a = -1; b = 1; w1 = 1; w2 = 1; bias = 1",
 "The same unit as for AND with bias 1: only a = b = -1 stays below 0."},

{"xor", "exclusive or by two ANDs and an OR (row 60)",
 "h1 = hardlims(a - b - 1); h2 = hardlims(b - a - 1); f = hardlims(h1 + h2 + 1); a = 1; b = -1",
 "No line separates what differs from what agrees, so two units are needed\n"
 "before the OR: a and not b, b and not a. The notes print ab + a'b' for\n"
 "exclusive or; that is its opposite, XNOR. It is ab' + a'b, as here."},

{"saturation-squared", "a sigmoid unit that is sure and wrong, under squared error (row 64)",
 "s = sigmoid(z); f = (s - y)^2; z = -5; y = 1",
 "The target is 1 and the unit says 0.0067, yet its gradient is only -0.013: the\n"
 "flat end of the sigmoid multiplies the error away. Compare\n"
 "`saturation-cross-entropy`. The notes call the two losses equal for a binary\n"
 "target; their values here are 0.987 and 5.007."},

{"saturation-cross-entropy", "the same unit under cross-entropy (row 64)",
 "s = sigmoid(z); f = -y*log(s) - (1 - y)*log(1 - s); z = -5; y = 1",
 "The logarithm's derivative 1/s is as large as the sigmoid's is small. What is\n"
 "left of the product is s - y = -0.993: the gradient is the error itself, and\n"
 "does not fade where the unit is most wrong."},

{"staged", "(x + s(y)) / (s(x) + (x + y)^2), in stages",
 "sigy = sigmoid(y); num = x + sigy; sigx = sigmoid(x); xpy = x + y; sq = xpy^2; den = sigx + sq;"
 "f = num/den; x = 3; y = -4",
 "Nobody wants to differentiate this at one go, and nobody needs to: each stage\n"
 "is a gate with an easy derivative. x and y are used three and two times, so\n"
 "what comes back by each route adds up: `paths x` shows the routes."},

{"topological-order", "b = a + a, c = b + b: why the order matters",
 "b = a + a; c = b + b; a = 3",
 "The gradient of a is 4, by four routes. It comes out right because b passes\n"
 "back only when all that will arrive at b has arrived. A sweep that sends each\n"
 "share on as it comes, from b once with 1 and then again with 2, gives a the\n"
 "sum 6; one that overwrites instead of adding gives 1. On a tape every gate\n"
 "stands behind its inputs, so going down the tape is the right order."},
};
/* clang-format on */

const gt_lesson *gt_lesson_at(int i) {
    return i >= 0 && i < (int)(sizeof lessons / sizeof *lessons) ? &lessons[i] : NULL;
}

const gt_lesson *gt_lesson_named(const char *name) {
    for (int i = 0; gt_lesson_at(i); i++)
        if (strcmp(lessons[i].name, name) == 0) return &lessons[i];
    return NULL;
}
