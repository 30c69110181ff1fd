/* demos/fashion_cnn.c: a convolutional network learns Fashion-MNIST: two blocks of convolution,
 * pooling and batch normalization, a hidden layer, dropout, images mirrored at random, AdamW in one
 * cycle. --evaluate FILE tests a saved network; --data FOLDER reads the images from there.
 *
 * A step sees what its number, the seed and the saved state say, so that a resumed training goes on
 * bit for bit. The last line is "test accuracy" and the share of test images that were recognized. */
#include "common/images.h"
#include "common/training.h"

#include <math.h>

enum { BATCH = 128, TEST_BATCH = 500, EPOCHS = 5, MARKS = 64 };
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

/* What became of the test images: how many of each class were taken for each. */
typedef struct result {
    double accuracy;
    int taken[IMAGES_CLASSES][IMAGES_CLASSES];
} result;

static result evaluate(gt_tape *tape, const images *d) {
    result r = {0, {{0}}};
    gt_eval(tape, true);
    for (int64_t first = 0; first < d->count && !gt_failed(tape); first += TEST_BATCH) {
        const int64_t n = d->count - first < TEST_BATCH ? d->count - first : TEST_BATCH;
        const gt_tensor x = pixels(tape, d->pixel + first * IMAGES_PIXELS, n);
        const int64_t *guess = gt_data(gt_argmax(network(x, false), 1, false));
        for (int64_t i = 0; guess && i < n; i++) {
            const int32_t label = d->label[first + i];
            r.taken[label][guess[i]]++;
            r.accuracy += label == guess[i] ? 1 / (double)d->count : 0;
        }
        if (guess) gt_tape_reset(tape);
    }
    gt_eval(tape, false);
    return r;
}

/* The mean training loss since the mark before, and the test accuracy. */
typedef struct curve {
    double step[MARKS], loss[MARKS], accuracy[MARKS];
    int count;
} curve;

static result train(training *t, const images *data, const images *test, int64_t planned,
                    curve *c) {
    gt_optim *opt = gt_adamw(t->params, (gt_adam_options){.rate = RATE});
    gt_batches *batches = gt_batches_new((gt_batches_options){.count = data->count,
                                                              .size = BATCH,
                                                              .seed = (uint64_t)t->seed,
                                                              .drop_last = true},
                                         NULL);
    gt_batch batch;
    result r = {0, {{0}}};
    const int64_t epoch = planned / EPOCHS, first = t->step;
    int64_t since = first;
    double sum = 0;
    progress bar = progress_begin(t->name, t->steps - first, "steps");
    gt_batches_seek(batches, first / epoch, first % epoch);
    while (opt && batches && t->step < t->steps && !gt_failed(t->tape) &&
           gt_batches_next(batches, &batch)) {
        sum += train_step(t, opt, data, &batch, planned);
        t->step++;
        const double mean = sum / (double)(t->step - since);
        progress_show(&bar, t->step - first, "loss %.4f  test accuracy %.4f", mean, r.accuracy);
        if (t->step != t->steps && (!batch.last || c->count >= MARKS - 1)) continue;
        r = evaluate(t->tape, test);
        c->step[c->count] = (double)t->step;
        c->loss[c->count] = mean;
        c->accuracy[c->count++] = r.accuracy;
        since = t->step;
        sum = 0;
    }
    progress_end(&bar, "test accuracy %.4f", r.accuracy);
    gt_optim_free(opt);
    gt_batches_free(batches);
    return r;
}

/* The curve, and the table of classes: how many images of one were taken for another. */
static int draw(training *t, const images *d, const result *r, const curve *c) {
    enum { K = IMAGES_CLASSES };
    static char text[K * K][16];
    static plot_note note[K * K];
    unsigned char color[K * K];
    for (int i = 0; i < K * K; i++) {
        const int label = K - 1 - i / K, taken = r->taken[label][i % K];
        const bool often = taken * 40 * K > d->count;
        snprintf(text[i], sizeof text[i], taken ? "%d" : "", taken);
        note[i] = (plot_note){i % K + 0.15, label + 0.35, 0, text[i]};
        color[i] = label == i % K ? 0 : often ? 1 : PLOT_EMPTY;
    }
    const plot_regions cells = {K, K, color};
    const plot_series line[] = {{"training loss", PLOT_LINE, 0, c->step, c->loss, c->count},
                                {"test accuracy", PLOT_LINE, 1, c->step, c->accuracy, c->count}};
    const plot_panel panel[] = {
        {.title = "Learning curve", .x_label = "step", .series = line, .n_series = 2},
        {.title = "Classes of the test images",
         .x_label = "taken for class",
         .y_label = "class",
         .x = {0, K},
         .y = {0, K},
         .regions = &cells,
         .notes = note,
         .n_notes = K * K}};
    return training_end(t, &(plot){.title = "A convolutional network",
                                   .subtitle = d->source,
                                   .panel = panel,
                                   .n_panels = 2});
}

static int learn(int count, char **word, const images *data, const images *test) {
    static curve c;
    training t;
    const int64_t steps = EPOCHS * (data->count / BATCH);
    if (steps == 0) fprintf(stderr, "fashion_cnn: fewer than %d images\n", BATCH);
    if (steps == 0 || !training_begin(&t, "fashion_cnn", steps, count, word)) return EXIT_FAILURE;
    const result r = train(&t, data, test, steps, &c);
    training_save(&t);
    const int status = draw(&t, test, &r, &c);
    if (status == EXIT_SUCCESS) printf("test accuracy %.4f\n", r.accuracy);
    return status;
}

static int test_only(const char *path, const images *test) {
    gt_params *params = gt_params_new(NULL, 0);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    bool ok = tape && gt_params_load(params, path);
    if (!ok) fprintf(stderr, "fashion_cnn: %s\n", params ? gt_params_error(params) : "no memory");
    if (ok) printf("test accuracy %.4f\n", evaluate(tape, test).accuracy);
    if (ok && gt_failed(tape)) fprintf(stderr, "fashion_cnn: %s\n", gt_error(tape));
    ok = ok && !gt_failed(tape);
    gt_tape_free(tape);
    gt_params_free(params);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **word) {
    images data = {0}, test = {0};
    const char *saved = training_take_option("--evaluate", &count, word);
    const char *folder = training_take_option("--data", &count, word);
    int status = EXIT_FAILURE;
    if (images_load(folder, saved ? NULL : &data, &test))
        status = saved ? test_only(saved, &test) : learn(count, word, &data, &test);
    images_free(&data);
    images_free(&test);
    return status;
}
