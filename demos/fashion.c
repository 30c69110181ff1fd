/* demos/fashion.c: trains a network on Fashion-MNIST, 60,000 images of clothes in ten classes, and
 * tests it on 10,000 others. Draws the learning curve, saves the parameters; --evaluate FILE loads
 * them again and gets the same accuracy. --bf16 multiplies in mixed precision. Where the data set is
 * missing, generated strokes take its place.
 *
 * The last line is "test accuracy" and the share of test images that were recognized. */
#include "common/images.h"
#include "common/plot.h"
#include "common/progress.h"
#include "gradtape.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The whole network. Its layers make their parameters when they are first called. */
static gt_tensor network(gt_tensor x) {
    x = gt_relu(gt_linear(x, "hidden1", 256));
    x = gt_relu(gt_linear(x, "hidden2", 128));
    return gt_linear(x, "classes", 10);
}

enum { BATCH = 128, TEST_BATCH = 1000, MOST_EPOCHS = 1000 };
static const double RATE = 1e-3;

typedef struct options {
    const char *data; /* NULL: the usual place, or strokes */
    const char *save, *picture, *evaluate;
    long epochs, seed;
    bool bf16;
} options;

typedef struct score {
    double loss, accuracy;
} score;

/* What the picture shows. */
typedef struct history {
    int epochs;
    double epoch[MOST_EPOCHS], loss[2][MOST_EPOCHS], accuracy[2][MOST_EPOCHS]; /* training, test */
    double rate; /* images per second, on average */
} history;

static bool complain(const char *format, ...) GT_PRINTF(1, 2);
static bool complain(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("fashion: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

/* ---- training and testing -------------------------------------------------------------------- */

static gt_tensor pixels(gt_tape *tape, const float *from, int64_t n) {
    return gt_borrow(tape, from, GT_SHAPE(n, IMAGES_PIXELS), GT_F32);
}

static bool evaluate(gt_tape *tape, const images *d, score *result) {
    double loss_sum = 0, right = 0;
    gt_eval(tape, true);
    for (int64_t first = 0; first < d->count; first += TEST_BATCH) {
        const int64_t n = d->count - first < TEST_BATCH ? d->count - first : TEST_BATCH;
        const gt_tensor label = gt_borrow(tape, d->label + first, GT_SHAPE(n), GT_I32);
        const gt_tensor logits = network(pixels(tape, d->pixel + first * IMAGES_PIXELS, n));
        const gt_tensor wanted[] = {gt_cross_entropy(logits, label), gt_accuracy(logits, label)};
        gt_run(tape, wanted, 2);
        loss_sum += gt_item(wanted[0]) * (double)n;
        right += round(gt_item(wanted[1]) * (double)n);
        if (gt_failed(tape)) return complain("%s", gt_error(tape));
        gt_tape_reset(tape);
    }
    gt_eval(tape, false);
    *result = (score){loss_sum / (double)d->count, right / (double)d->count};
    return true;
}

/* One step over the images of a batch. Adds to *sum. */
static bool step(gt_tape *tape, gt_optim *opt, const images *d, const gt_batch *batch, score *sum) {
    static float x[BATCH * IMAGES_PIXELS]; /* large for a stack */
    int32_t labels[BATCH];
    images_take(d, batch->index, batch->count, x, labels);
    const gt_tensor label = gt_borrow(tape, labels, GT_SHAPE(batch->count), GT_I32);
    const gt_tensor logits = network(pixels(tape, x, batch->count));
    const gt_tensor loss = gt_cross_entropy(logits, label), accuracy = gt_accuracy(logits, label);
    gt_minimize(opt, loss);
    sum->loss += gt_item(loss) * (double)batch->count;
    sum->accuracy += gt_item(accuracy) * (double)batch->count;
    if (gt_failed(tape)) return complain("%s", gt_error(tape));
    gt_tape_reset(tape);
    return true;
}

/* One pass over the training images, with the rate falling steadily to 0 at the end of the last. */
static bool train_epoch(gt_tape *tape, gt_optim *opt, const images *d, const options *o,
                        gt_batches *batches, progress *bar, score *result) {
    score sum = {0, 0};
    gt_batch batch = {.last = false};
    for (int64_t seen = 0; !batch.last; seen += batch.count) {
        if (!gt_batches_next(batches, &batch)) return complain("a batch cannot be had");
        const double gone = (double)batch.epoch + (double)seen / (double)d->count;
        gt_optim_set_rate(opt, RATE * (1 - gone / (double)o->epochs));
        if (!step(tape, opt, d, &batch, &sum)) return false;
        const double now = (double)(seen + batch.count);
        *result = (score){sum.loss / now, sum.accuracy / now};
        progress_show(bar, seen + batch.count, "loss %.4f  accuracy %.3f", result->loss,
                      result->accuracy);
    }
    progress_pause(bar);
    return true;
}

static bool train(gt_tape *tape, gt_optim *opt, const images *data, const images *test,
                  const options *o, history *h) {
    gt_batches *batches = gt_batches_new(
        (gt_batches_options){.count = data->count, .size = BATCH, .seed = (uint64_t)o->seed}, NULL);
    bool ok = batches || complain("no training images, or out of memory");
    for (int epoch = 0; ok && epoch < o->epochs; epoch++) {
        char label[32];
        score trained = {0, 0}, tested = {0, 0};
        snprintf(label, sizeof label, "epoch %*d/%ld", o->epochs > 9 ? 2 : 1, epoch + 1, o->epochs);
        progress bar = progress_begin(label, data->count, "images");
        ok = train_epoch(tape, opt, data, o, batches, &bar, &trained) &&
             evaluate(tape, test, &tested);
        if (!ok) break;
        progress_end(&bar, "loss %.4f  accuracy %.3f  test loss %.4f  accuracy %.3f", trained.loss,
                     trained.accuracy, tested.loss, tested.accuracy);
        h->epoch[epoch] = epoch + 1;
        h->loss[0][epoch] = trained.loss;
        h->loss[1][epoch] = tested.loss;
        h->accuracy[0][epoch] = trained.accuracy;
        h->accuracy[1][epoch] = tested.accuracy;
        h->rate += progress_rate(&bar) / (double)o->epochs;
        h->epochs = epoch + 1;
    }
    gt_batches_free(batches);
    return ok;
}

static bool draw(const history *h, const images *d, const char *path) {
    plot_series loss[2], accuracy[2];
    for (int k = 0; k < 2; k++) {
        const char *name = k == 0 ? "training" : "test";
        loss[k] = (plot_series){name, PLOT_LINE, k, h->epoch, h->loss[k], h->epochs};
        accuracy[k] = (plot_series){name, PLOT_LINE, k, h->epoch, h->accuracy[k], h->epochs};
    }
    const plot_panel panel[] = {
        {.title = "Cross-entropy loss", .x_label = "epoch", .series = loss, .n_series = 2},
        {.title = "Accuracy",
         .x_label = "epoch",
         .percent = true,
         .series = accuracy,
         .n_series = 2}};
    char title[100], subtitle[200];
    snprintf(title, sizeof title, "A network of 784-256-128-10 on %s", d->source);
    snprintf(subtitle, sizeof subtitle,
             "%d epochs of %lld in batches of %d, Adam with a rate that falls from %g to 0",
             h->epochs, (long long)d->count, BATCH, RATE);
    const plot picture = {.title = title, .subtitle = subtitle, .panel = panel, .n_panels = 2};
    if (plot_write(&picture, path)) return true;
    perror(path);
    return false;
}

static bool train_and_report(gt_tape *tape, const images *data, const images *test,
                             const options *o, score *result) {
    gt_params *params = gt_tape_params(tape);
    gt_optim *opt = gt_adam(params, (gt_adam_options){.rate = RATE});
    static history h; /* large for a stack */
    bool ok =
        (opt || complain("%s", gt_params_error(params))) && train(tape, opt, data, test, o, &h);
    gt_optim_free(opt);
    if (!ok || !draw(&h, data, o->picture)) return false;
    if (!gt_params_save(params, o->save)) return complain("%s", gt_params_error(params));
    printf("%.0f images per second; learning curve in %s, parameters in %s\n", h.rate, o->picture,
           o->save);
    *result = (score){h.loss[1][h.epochs - 1], h.accuracy[1][h.epochs - 1]};
    return true;
}

static bool run(const options *o, const images *data, const images *test) {
    gt_params *params = gt_params_new(NULL, (uint64_t)o->seed);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    score result = {0, 0};
    bool ok = tape || complain("out of memory");
    gt_autocast(tape, o->bf16);
    if (ok && o->evaluate) {
        ok = gt_params_load(params, o->evaluate) || complain("%s", gt_params_error(params));
        ok = ok && evaluate(tape, test, &result);
    } else if (ok) {
        ok = train_and_report(tape, data, test, o, &result);
    }
    if (ok) printf("test accuracy %.3f\n", result.accuracy);
    gt_tape_free(tape);
    gt_params_free(params);
    return ok;
}

/* ---- command line ---------------------------------------------------------------------------- */

static void print_usage(FILE *out) {
    fputs("usage: fashion [--bf16] [OPTION VALUE]...\n"
          "  --bf16            products of numbers rounded to bf16\n"
          "  --data FOLDER     the IDX files (default " IMAGES_FOLDER ")\n"
          "  --epochs N        passes over the training images (default 8)\n"
          "  --seed N          of first values and order (default 1)\n"
          "  --save FILE       where the parameters go (default fashion.safetensors)\n"
          "  --picture FILE    where the learning curve goes (default fashion.svg)\n"
          "  --evaluate FILE   only test the parameters in FILE\n",
          out);
}

static bool parse_number(const char *name, const char *value, long low, long high, long *number) {
    char *end;
    *number = strtol(value, &end, 10);
    if (end != value && *end == 0 && *number >= low && *number <= high) return true;
    return complain("%s takes a number from %ld to %ld, not '%s'", name, low, high, value);
}

static bool parse(options *o, int count, char **word) {
    for (int i = 1; i < count; i += 2) {
        if (strcmp(word[i], "--bf16") == 0) {
            o->bf16 = true;
            i--; /* it takes no value */
            continue;
        }
        const char *name = word[i], *value = i + 1 < count ? word[i + 1] : NULL;
        const char **text = strcmp(name, "--data") == 0       ? &o->data
                            : strcmp(name, "--save") == 0     ? &o->save
                            : strcmp(name, "--picture") == 0  ? &o->picture
                            : strcmp(name, "--evaluate") == 0 ? &o->evaluate
                                                              : NULL;
        const bool epochs = strcmp(name, "--epochs") == 0, seed = strcmp(name, "--seed") == 0;
        if (!text && !epochs && !seed) return complain("unknown option '%s', see --help", name);
        if (!value) return complain("%s needs a value, see --help", name);
        if (text) *text = value;
        if (epochs && !parse_number(name, value, 1, MOST_EPOCHS, &o->epochs)) return false;
        if (seed && !parse_number(name, value, 0, 1000000000, &o->seed)) return false;
    }
    return true;
}

int main(int count, char **word) {
    options o = {.save = "fashion.safetensors", .picture = "fashion.svg", .epochs = 8, .seed = 1};
    for (int i = 1; i < count; i++) {
        if (strcmp(word[i], "--help") != 0) continue;
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    images train = {0}, test = {0};
    const bool ok = parse(&o, count, word) &&
                    images_load(o.data, o.evaluate ? NULL : &train, &test) &&
                    run(&o, &train, &test);
    images_free(&train);
    images_free(&test);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
