/* demos/fashion_cnn.c: a convolutional network learns Fashion-MNIST: two blocks of convolution,
 * pooling and batch normalization, a hidden layer, dropout, images mirrored at random, AdamW in one
 * cycle. --evaluate FILE tests a saved network; --data FOLDER reads the images from there.
 *
 * A step sees what its number, the seed and the saved state say, so that a resumed training goes on
 * bit for bit. The last line is "test accuracy" and the share of test images that were recognized. */
#include "common/images.h"
#include "common/training.h"

#include <string.h>

enum { BATCH = 128, TEST_BATCH = 500, EPOCHS = 6 };
static const double RATE = 3e-3;

/* The largest of four before the normalization: a quarter of the work, and relu keeps the order. */
static gt_tensor block(gt_tensor x, const char *name, int64_t channels, bool learning) {
    gt_scope_push(x.tape, "%s", name);
    x = gt_conv2d_layer(x, "conv", channels, 3,
                        (gt_conv_options){.padding = {1, 1}, .no_bias = true});
    x = gt_max_pool2d(x, (gt_pool_options){.kernel = {2, 2}});
    x = gt_relu(gt_batch_norm(x, "norm", learning, (gt_batch_norm_options){0}));
    gt_scope_pop(x.tape);
    return x;
}

static gt_tensor network(gt_tensor x, bool learning) {
    x = block(x, "block1", 32, learning);
    x = block(x, "block2", 64, learning);
    x = gt_relu(gt_linear(gt_flatten(x, 1, -1), "hidden", 128));
    return gt_linear(gt_dropout(x, learning ? 0.3 : 0), "classes", IMAGES_CLASSES);
}

static gt_tensor pixels(gt_tape *tape, const float *from, int64_t n) {
    return gt_borrow(tape, from, GT_SHAPE(n, 1, IMAGES_SIDE, IMAGES_SIDE), GT_F32);
}

static double train_step(training *t, gt_optim *opt, const images *d, const gt_batch *batch,
                         int64_t planned) {
    static float x[BATCH * IMAGES_PIXELS]; /* large for a stack */
    int32_t label[BATCH];
    images_take(d, batch->index, batch->count, x, label);
    images_mirror(x, batch->count, (uint64_t)t->seed, (uint64_t)t->step);
    const gt_tensor wanted = gt_borrow(t->tape, label, GT_SHAPE(batch->count), GT_I32);
    const gt_tensor loss =
        gt_cross_entropy(network(pixels(t->tape, x, batch->count), true), wanted);
    gt_optim_set_rate(opt, gt_schedule_one_cycle(RATE, t->step, planned));
    gt_minimize(opt, loss);
    const double value = gt_item(loss);
    if (!gt_failed(t->tape)) gt_tape_reset(t->tape);
    return value;
}

/* An image is what it and its mirror image are together taken for. */
static double evaluate(gt_tape *tape, const images *d, images_taken taken) {
    memset(taken, 0, sizeof(images_taken));
    gt_eval(tape, true);
    for (int64_t first = 0; first < d->count && !gt_failed(tape); first += TEST_BATCH) {
        const int64_t n = d->count - first < TEST_BATCH ? d->count - first : TEST_BATCH;
        const gt_tensor x = pixels(tape, d->pixel + first * IMAGES_PIXELS, n);
        const gt_tensor mirrored = network(gt_flip(x, GT_AXES(3)), false);
        const int64_t *guess = gt_data(gt_argmax(gt_add(network(x, false), mirrored), 1, false));
        for (int64_t i = 0; guess && i < n; i++) taken[d->label[first + i]][guess[i]]++;
        if (guess) gt_tape_reset(tape);
    }
    gt_eval(tape, false);
    return images_accuracy(taken);
}

/* At most one mark for each epoch: the mean training loss since the one before, and the test
 * accuracy. */
typedef struct curve {
    double step[EPOCHS + 1], loss[EPOCHS + 1], accuracy[EPOCHS + 1];
    int count;
} curve;

static double learn(training *t, const images *data, const images *test, curve *c,
                    images_taken taken) {
    gt_optim *opt = gt_adamw(t->params, (gt_adam_options){.rate = RATE});
    gt_batches *batches = gt_batches_new((gt_batches_options){.count = data->count,
                                                              .size = BATCH,
                                                              .seed = (uint64_t)t->seed,
                                                              .drop_last = true},
                                         NULL);
    if (!opt || !batches) gt_fail(t->tape, "out of memory");
    const int64_t epoch = data->count / BATCH, first = t->step;
    int64_t since = first;
    double sum = 0, accuracy = 0;
    gt_batch batch;
    progress bar = progress_begin(t->name, t->steps - first, "steps");
    gt_batches_seek(batches, first / epoch, first % epoch);
    while (t->step < t->steps && !gt_failed(t->tape) && gt_batches_next(batches, &batch)) {
        sum += train_step(t, opt, data, &batch, EPOCHS * epoch);
        t->step++;
        const double mean = sum / (double)(t->step - since);
        progress_show(&bar, t->step - first, "loss %.4f  test accuracy %.4f", mean, accuracy);
        if (t->step != t->steps && (!batch.last || c->count == EPOCHS)) continue;
        accuracy = evaluate(t->tape, test, taken);
        c->step[c->count] = (double)t->step;
        c->loss[c->count] = mean;
        c->accuracy[c->count++] = accuracy;
        since = t->step;
        sum = 0;
    }
    progress_end(&bar, "test accuracy %.4f", accuracy);
    gt_optim_free(opt);
    gt_batches_free(batches);
    return accuracy;
}

static int train(int count, char **word, const images *data, const images *test) {
    const int64_t steps = EPOCHS * (data->count / BATCH);
    images_taken taken = {{0}};
    curve c = {.count = 0};
    training t;
    if (steps == 0) fprintf(stderr, "fashion_cnn: fewer than %d images\n", BATCH);
    if (steps == 0 || !training_begin(&t, "fashion_cnn", steps, count, word)) return EXIT_FAILURE;
    const double accuracy = learn(&t, data, test, &c, taken);
    training_save(&t);
    const plot_series loss = {NULL, PLOT_LINE, 0, c.step, c.loss, c.count};
    const plot_series right = {NULL, PLOT_LINE, 1, c.step, c.accuracy, c.count};
    const plot_panel panel[] = {{"Training loss", "step", .series = &loss, .n_series = 1},
                                {"Test accuracy", "step", .percent = true, .series = &right,
                                 .n_series = 1},
                                images_table(taken)};
    const int status = training_end(&t, &(plot){.title = "A convolutional network",
                                                .subtitle = data->names,
                                                .panel = panel,
                                                .n_panels = 3});
    if (status == EXIT_SUCCESS) printf("test accuracy %.4f\n", accuracy);
    return status;
}

static int test_only(const char *path, const images *test) {
    images_taken taken;
    training t;
    if (!training_open(&t, "fashion_cnn", path)) return EXIT_FAILURE;
    const double accuracy = evaluate(t.tape, test, taken);
    if (!gt_failed(t.tape)) printf("test accuracy %.4f\n", accuracy);
    return training_end(&t, NULL);
}

int main(int count, char **word) {
    images data = {0}, test = {0};
    const char *saved = training_take_option("--evaluate", &count, word);
    const char *folder = training_take_option("--data", &count, word);
    int status = EXIT_FAILURE;
    if (images_load(folder, saved ? NULL : &data, &test))
        status = saved ? test_only(saved, &test) : train(count, word, &data, &test);
    images_free(&data);
    images_free(&test);
    return status;
}
