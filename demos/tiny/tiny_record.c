/* demos/tiny/tiny_record.c: records one training step of a 2-32-32-3 network, softmax cross-entropy and Adam, and
 * writes it as C. tiny_train.c is made of that file and not of the library. */
#include <gradtape.h>
#include <stdio.h>

enum { BATCH = 32, INPUTS = 2, CLASSES = 3 };

static gt_tensor network(gt_tensor x) {
    x = gt_tanh(gt_linear(x, "fc1", 32));
    x = gt_relu(gt_linear(x, "fc2", 32));
    return gt_linear(x, "fc3", CLASSES);
}

/* gt_minimize records the update, runs it once and applies it: after it the tape holds the step. */
static bool write_step(gt_tape *tape, gt_optim *opt, FILE *file) {
    static const float points[BATCH][INPUTS];
    static const int32_t arms[BATCH];
    const gt_tensor x = gt_name(gt_input(tape, points, GT_SHAPE(BATCH, INPUTS), GT_F32), "points");
    const gt_tensor labels = gt_name(gt_input(tape, arms, GT_SHAPE(BATCH), GT_I32), "arms");
    const gt_tensor scores = gt_name(network(x), "scores");
    const gt_tensor loss = gt_name(gt_cross_entropy(scores, labels), "loss");
    return gt_minimize(opt, loss) &&
           gt_emit_c(tape, "tiny", GT_LIST(x, labels), GT_LIST(loss, scores), file);
}

int main(int argc, char **argv) {
    gt_params *params = gt_params_new(NULL, 1);
    gt_tape *tape = gt_tape_new(params);
    gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = 0.01});
    FILE *file = argc > 1 ? fopen(argv[1], "w") : stdout;
    bool ok = tape && opt && file && write_step(tape, opt, file);
    if (file && file != stdout && fclose(file) != 0) ok = false;
    if (!ok)
        fprintf(stderr, "tiny_record: %s\n", tape && gt_failed(tape) ? gt_error(tape) : "failed");
    gt_optim_free(opt);
    gt_tape_free(tape);
    gt_params_free(params);
    return !ok;
}
