/* demos/fashion.c: trains a network on Fashion-MNIST, 60,000 images of clothes in ten classes, and
 * tests it on 10,000 others. Draws the learning curve, saves the parameters; --evaluate FILE loads
 * them again and gets the same accuracy. Where the data set is missing, a generated spiral takes
 * its place.
 *
 * The last line is "test accuracy" and the share of test images that were recognized. */
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

#define DATA_FOLDER "/usr/share/datasets/fashion-mnist"
enum { CLASSES = 10, BATCH = 128, TEST_BATCH = 1000, MOST_EPOCHS = 1000, PATH = 1024 };
static const double RATE = 1e-3;

typedef struct options {
    const char *data; /* NULL: the usual place, or the spiral */
    const char *save, *picture, *evaluate;
    long epochs, seed;
} options;

typedef struct dataset {
    int64_t count, features;
    float *x;       /* [count, features] */
    int32_t *label; /* [count] */
} dataset;

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

/* ---- data ------------------------------------------------------------------------------------ */

static bool make_room(dataset *d, int64_t count, int64_t features) {
    *d = (dataset){.count = count, .features = features};
    d->x = malloc((size_t)(count * features) * sizeof *d->x);
    d->label = malloc((size_t)count * sizeof *d->label);
    return d->x && d->label ? true : complain("out of memory for %lld images", (long long)count);
}

static void free_data(dataset *d) {
    free(d->x);
    free(d->label);
    *d = (dataset){0};
}

static bool convert(dataset *d, const gt_idx *images, const gt_idx *labels) {
    if (images->shape.rank < 2 || labels->shape.rank != 1 || images->count == 0 ||
        images->shape.dim[0] != labels->count) {
        return complain("images and labels do not belong together");
    }
    if (!make_room(d, labels->count, images->count / labels->count)) return false;
    if (!gt_idx_f32(images, 0, images->count, 1 / 255.0F, d->x) ||
        !gt_idx_i32(labels, 0, labels->count, d->label)) {
        return complain("the labels are not integers");
    }
    for (int64_t i = 0; i < d->count; i++) {
        if (d->label[i] < 0 || d->label[i] >= CLASSES) {
            return complain("label %lld is %d, not 0 to %d", (long long)i, d->label[i],
                            CLASSES - 1);
        }
    }
    return true;
}

/* which is "train" or "t10k", as the files are named. */
static bool load(dataset *d, const char *folder, const char *which) {
    gt_idx images, labels;
    char path[PATH];
    snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte.gz", folder, which);
    if (!gt_idx_read(&images, path, NULL)) return complain("%s", images.error);
    snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte.gz", folder, which);
    bool ok = gt_idx_read(&labels, path, NULL) || complain("%s", labels.error);
    ok = ok && convert(d, &images, &labels);
    gt_idx_free(&images);
    gt_idx_free(&labels);
    return ok;
}

/* Three noisy arms that wind around each other; part keeps training and test points apart. */
static bool generate(dataset *d, int64_t count, uint64_t seed, uint64_t part) {
    if (!make_room(d, count, 2)) return false;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t at = 2 * (uint64_t)i;
        const double along = gt_uniform(seed, part, at),
                     noise = 0.1 * gt_normal(seed, part + 1, at);
        d->label[i] = (int32_t)(i % 3);
        const double angle = 7 * along + 2.0943951 * d->label[i] + noise;
        d->x[2 * i] = (float)(2 * along * cos(angle));
        d->x[2 * i + 1] = (float)(2 * along * sin(angle));
    }
    return true;
}

static bool get_data(const options *o, dataset *train, dataset *test) {
    const char *folder = o->data ? o->data : DATA_FOLDER;
    const bool training = !o->evaluate;
    if ((!training || load(train, folder, "train")) && load(test, folder, "t10k")) {
        printf("Fashion-MNIST from %s\n", folder);
        return true;
    }
    if (o->data) return false;
    free_data(train);
    free_data(test);
    printf(
        "no Fashion-MNIST here (Debian package dataset-fashion-mnist): a generated spiral of three "
        "arms instead\n");
    const uint64_t seed = 1; /* not --seed: a saved network must meet the same test points again */
    return generate(train, 12000, seed, 0) && generate(test, 3000, seed, 2);
}

/* ---- training and testing -------------------------------------------------------------------- */

static bool evaluate(gt_tape *tape, const dataset *d, score *result) {
    double loss_sum = 0, right = 0;
    gt_eval(tape, true);
    for (int64_t first = 0; first < d->count; first += TEST_BATCH) {
        const int64_t n = d->count - first < TEST_BATCH ? d->count - first : TEST_BATCH;
        const gt_tensor x =
            gt_borrow(tape, d->x + first * d->features, GT_SHAPE(n, d->features), GT_F32);
        const gt_tensor label = gt_borrow(tape, d->label + first, GT_SHAPE(n), GT_I32);
        const gt_tensor logits = network(x);
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

/* Fisher-Yates with numbered random words: the same order again for the same seed and epoch. */
static void shuffle(int64_t *order, int64_t n, uint64_t seed, uint64_t epoch) {
    for (int64_t i = 0; i < n; i++) order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        uint32_t word[4];
        gt_philox(seed, epoch, (uint64_t)i, word);
        const int64_t j = (int64_t)((uint64_t)word[0] * (uint64_t)(i + 1) >> 32);
        const int64_t held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}

/* One step over the images order[0 .. n). Adds to *sum. */
static bool step(gt_tape *tape, gt_optim *opt, const dataset *d, const int64_t *order, int64_t n,
                 float *x_batch, score *sum) {
    int32_t labels[BATCH];
    for (int64_t i = 0; i < n; i++) {
        memcpy(x_batch + i * d->features, d->x + order[i] * d->features,
               (size_t)d->features * sizeof *x_batch);
        labels[i] = d->label[order[i]];
    }
    const gt_tensor x = gt_borrow(tape, x_batch, GT_SHAPE(n, d->features), GT_F32);
    const gt_tensor label = gt_borrow(tape, labels, GT_SHAPE(n), GT_I32);
    const gt_tensor logits = network(x);
    const gt_tensor loss = gt_cross_entropy(logits, label), accuracy = gt_accuracy(logits, label);
    gt_minimize(opt, loss);
    sum->loss += gt_item(loss) * (double)n;
    sum->accuracy += gt_item(accuracy) * (double)n;
    if (gt_failed(tape)) return complain("%s", gt_error(tape));
    gt_tape_reset(tape);
    return true;
}

/* One pass over the training images, with the rate falling steadily to 0 at the end of the last. */
static bool train_epoch(gt_tape *tape, gt_optim *opt, const dataset *d, const options *o, int epoch,
                        int64_t *order, float *x_batch, progress *bar, score *result) {
    score sum = {0, 0};
    shuffle(order, d->count, (uint64_t)o->seed, (uint64_t)epoch);
    for (int64_t first = 0; first < d->count; first += BATCH) {
        const int64_t n = d->count - first < BATCH ? d->count - first : BATCH;
        const double gone = (double)epoch + (double)first / (double)d->count;
        gt_optim_set_rate(opt, RATE * (1 - gone / (double)o->epochs));
        if (!step(tape, opt, d, order + first, n, x_batch, &sum)) return false;
        const double seen = (double)(first + n);
        *result = (score){sum.loss / seen, sum.accuracy / seen};
        progress_show(bar, first + n, "loss %.4f  accuracy %.3f", result->loss, result->accuracy);
    }
    progress_pause(bar);
    return true;
}

static bool train(gt_tape *tape, gt_optim *opt, const dataset *data, const dataset *test,
                  const options *o, history *h) {
    if (data->count <= 0) return complain("no training images");
    int64_t *order = malloc((size_t)data->count * sizeof *order);
    float *x_batch = malloc((size_t)(BATCH * data->features) * sizeof *x_batch);
    bool ok = (order && x_batch) || complain("out of memory");
    for (int epoch = 0; ok && epoch < o->epochs; epoch++) {
        char label[32];
        score trained = {0, 0}, tested = {0, 0};
        snprintf(label, sizeof label, "epoch %*d/%ld", o->epochs > 9 ? 2 : 1, epoch + 1, o->epochs);
        progress bar = progress_begin(label, data->count, "images");
        ok = train_epoch(tape, opt, data, o, epoch, order, x_batch, &bar, &trained) &&
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
    free(order);
    free(x_batch);
    return ok;
}

static bool draw(const history *h, const dataset *d, const char *path) {
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
    snprintf(title, sizeof title, "%s, a network of %lld-256-128-10",
             d->features == 784 ? "Fashion-MNIST" : "Spiral", (long long)d->features);
    snprintf(subtitle, sizeof subtitle,
             "%d epochs of %lld in batches of %d, Adam with a rate that falls from %g to 0",
             h->epochs, (long long)d->count, BATCH, RATE);
    const plot picture = {.title = title, .subtitle = subtitle, .panel = panel, .n_panels = 2};
    if (plot_write(&picture, path)) return true;
    perror(path);
    return false;
}

static bool train_and_report(gt_tape *tape, const dataset *data, const dataset *test,
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

static bool run(const options *o, const dataset *data, const dataset *test) {
    gt_params *params = gt_params_new(NULL, (uint64_t)o->seed);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    score result = {0, 0};
    bool ok = tape || complain("out of memory");
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
    fputs("usage: fashion [OPTION VALUE]...\n"
          "  --data FOLDER     the IDX files (default " DATA_FOLDER ")\n"
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
    dataset train = {0}, test = {0};
    const bool ok = parse(&o, count, word) && get_data(&o, &train, &test) && run(&o, &train, &test);
    free_data(&train);
    free_data(&test);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
