/* demos/minibatch.c: the gradient of a part of the examples is nearly that of all, and costs a part
 * of it. Row 39 of the course notes, mini-batch gradient descent with batches of 256; row 40,
 * iterations and epochs. Every run sees each example as often: 20 epochs of 1000 examples.
 *
 * Where the notes are wrong:
 *   - an epoch of N examples in batches of n has not N / n iterations but the next whole number:
 *     the last batch is smaller.
 *   - evaluate_gradient is spelled in two ways, and takes loss_fun, not loss and fun.
 *   - they call backpropagation optimization: it computes the gradient, descent uses it. */
#include "common/lesson.h"

#include <math.h>
#include <string.h>

enum { EXAMPLES = 1000, INPUTS = 16, CLASSES = 10, EPOCHS = 20, RUNS = 5 };
static const int batch_size[RUNS] = {32, 64, 128, 256, EXAMPLES};
static const double rate = 0.1;
static double input[EXAMPLES][INPUTS];
static int32_t label[EXAMPLES];

/* Clouds around ten centres, which overlap. */
static void make_examples(void) {
    for (int i = 0; i < EXAMPLES; i++) {
        label[i] = i % CLASSES;
        for (int j = 0; j < INPUTS; j++) {
            input[i][j] = gt_normal(1, (uint64_t)label[i], (uint64_t)j) +
                          1.5 * gt_normal(2, (uint64_t)i, (uint64_t)j);
        }
    }
}

/* The mean cross-entropy of `count` examples. */
static gt_tensor loss_of(gt_tensor w, const double *x, const int32_t *y, int64_t count) {
    const gt_tensor scores = gt_matmul(gt_borrow(w.tape, x, GT_SHAPE(count, INPUTS), GT_F64), w);
    return gt_cross_entropy(scores, gt_borrow(w.tape, y, GT_SHAPE(count), GT_I32));
}

static gt_tensor weights(gt_tape *tape, const char *name) {
    return gt_param(tape, name, GT_SHAPE(INPUTS, CLASSES), GT_F64, gt_init_zeros());
}

typedef struct minibatch {
    double x[EXAMPLES][INPUTS];
    int32_t y[EXAMPLES];
} minibatch;

static bool fill(void *user, const int64_t *index, int64_t count, void *buffer) {
    minibatch *b = buffer;
    (void)user;
    for (int64_t i = 0; i < count; i++) {
        memcpy(b->x[i], input[index[i]], sizeof b->x[i]);
        b->y[i] = label[index[i]];
    }
    return true;
}

static gt_batches *shuffled(int size) {
    return gt_batches_new((gt_batches_options){.count = EXAMPLES,
                                               .size = size,
                                               .seed = 3,
                                               .fill = fill,
                                               .bytes = sizeof(minibatch)},
                          NULL);
}

typedef struct history {
    double epoch[EPOCHS + 1], loss[EPOCHS + 1];
    int iterations; /* in an epoch */
} history;

static void train(lesson *l, int size, const char *name, history *h) {
    gt_batches *batches = shuffled(size);
    gt_optim *opt = gt_sgd(l->params, (gt_sgd_options){.rate = rate, .pattern = name});
    gt_batch batch = {.last = true};
    for (int epoch = 0; batches && opt && !gt_failed(l->tape); epoch++) {
        h->epoch[epoch] = epoch;
        h->loss[epoch] = gt_item(loss_of(weights(l->tape, name), input[0], label, EXAMPLES));
        if (epoch == EPOCHS || gt_failed(l->tape)) break;
        h->iterations = 0;
        do {
            gt_tape_reset(l->tape);
            if (!gt_batches_next(batches, &batch)) break;
            const minibatch *b = batch.data;
            gt_minimize(opt, loss_of(weights(l->tape, name), b->x[0], b->y, batch.count));
            h->iterations++;
        } while (!batch.last && !gt_failed(l->tape));
    }
    if (!batches) gt_fail(l->tape, "memory is short");
    gt_optim_free(opt);
    gt_batches_free(batches);
}

/* The notes' loop: weights += -step * gradient, one epoch of batches of 256, written out. */
static double by_hand(gt_tape *tape) {
    double w[INPUTS * CLASSES] = {0}, gradient[INPUTS * CLASSES];
    gt_batches *batches = shuffled(256);
    gt_batch batch = {.last = !batches};
    while (!batch.last && !gt_failed(tape) && gt_batches_next(batches, &batch)) {
        const minibatch *b = batch.data;
        gt_tape_reset(tape);
        const gt_tensor now = gt_input(tape, w, GT_SHAPE(INPUTS, CLASSES), GT_F64);
        lesson_read(gt_grad(loss_of(now, b->x[0], b->y, batch.count), now), gradient,
                    INPUTS * CLASSES);
        for (int i = 0; i < INPUTS * CLASSES; i++) w[i] += -rate * gradient[i];
    }
    gt_batches_free(batches);
    if (!gt_failed(tape)) gt_tape_reset(tape);
    const gt_tensor now = gt_input(tape, w, GT_SHAPE(INPUTS, CLASSES), GT_F64);
    return gt_item(loss_of(now, input[0], label, EXAMPLES));
}

int main(int count, char **word) {
    static const char *const name[RUNS] = {"batches of 32", "of 64", "of 128", "of 256",
                                           "all 1000"};
    static history run[RUNS];
    plot_series curve[RUNS];
    lesson l;
    if (!lesson_begin(&l, "minibatch", count, word)) return EXIT_FAILURE;
    make_examples();
    printf("%d examples, %d epochs, weights += -%g gradient; before it the loss is ln 10 = %.4f\n\n"
           "  batch   N / n   iterations an epoch   in all   loss after 1, 5 and 20 epochs\n",
           EXAMPLES, EPOCHS, rate, log(CLASSES));
    for (int k = 0; k < RUNS; k++) {
        const int n = batch_size[k];
        train(&l, n, name[k], &run[k]);
        printf("  %5d  %6.3f  %19d  %7d  %9.3f %8.3f %8.3f\n", n, (double)EXAMPLES / n,
               run[k].iterations, EPOCHS * run[k].iterations, run[k].loss[1], run[k].loss[5],
               run[k].loss[EPOCHS]);
        curve[k] = (plot_series){name[k], PLOT_LINE, k, run[k].epoch, run[k].loss, EPOCHS + 1};
    }
    const double hand = by_hand(l.tape);
    printf("\nthe loop of the notes, by hand, one epoch of 256: %.3f, as gt_sgd: %s\n", hand,
           fabs(hand - run[3].loss[1]) < 1e-9 ? "yes" : "no");
    const plot_panel panel = {.x_label = "epoch: each example once",
                              .y_label = "loss of all examples",
                              .series = curve,
                              .n_series = RUNS};
    return lesson_end(&l, &(plot){.title = "As many examples, more steps",
                                  .subtitle = "gradient descent at one rate, in batches",
                                  .width = 720,
                                  .panel = &panel,
                                  .n_panels = 1});
}
