/* demos/common/text.c: text, baselines, training and sampling of character models.
 *
 * What a step sees depends on the step's number alone, so that a resumed training goes on as if it
 * had not stopped. The rate's schedule belongs to the default number of steps, whatever --steps. */
#include "common/text.h"

#include <math.h>
#include <string.h>

enum { MOST_TEXT = 1 << 20, MOST_POINTS = 256, SAMPLE = 300, EVALUATED = 25 };
/* Debian's GPL-3; where there is none, what this tree says of itself, from its root. */
static const char *const usual_text[] = {"/usr/share/common-licenses/GPL-3", "docs/tutorial.md",
                                         "README.md"};
static const char FINGERPRINT[] = "training:text"; /* the buffer that holds it */
static const double TEMPERATURE = 0.7, LN2 = 0.69314718055994531;

typedef struct text {
    int32_t *symbol; /* the text, in numbers of symbols */
    int64_t length, training;
    int symbols;
    char byte[256];      /* of each symbol */
    int64_t fingerprint; /* of all bytes: parameters belong to the symbols of one text */
} text;

/* Symbols are numbered in order of appearance. FNV-1a is the fingerprint. */
static void take_symbols(text *t, FILE *file) {
    int number[256] = {0}; /* 1 + the symbol of a byte */
    uint64_t hash = 14695981039346656037U;
    for (int c; t->length < MOST_TEXT && (c = getc(file)) != EOF;) {
        if (number[c] == 0) {
            t->byte[t->symbols++] = (char)c;
            number[c] = t->symbols;
        }
        t->symbol[t->length++] = number[c] - 1;
        hash = (hash ^ (uint64_t)c) * 1099511628211U;
    }
    memcpy(&t->fingerprint, &hash, sizeof hash);
}

static bool text_read(text *t, const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    *t = (text){.symbol = calloc(MOST_TEXT, sizeof *t->symbol)};
    if (t->symbol) take_symbols(t, file);
    fclose(file);
    t->training = t->length - t->length / 10;
    if (t->length / 10 >= 2 * TEXT_TIME && t->training / TEXT_BATCH > 2 * TEXT_TIME) return true;
    free(t->symbol);
    return false;
}

/* The text that was asked for, or the first that is there. NULL: neither can be read. */
static const char *find_text(text *t, const char *asked) {
    if (asked) return text_read(t, asked) ? asked : NULL;
    for (size_t k = 0; k < sizeof usual_text / sizeof *usual_text; k++)
        if (text_read(t, usual_text[k])) return usual_text[k];
    return NULL;
}

/* Bits per character of the validation text by counted symbols, or pairs of them: a symbol that
 * seldom came before falls back on the symbols' own shares, which begin at one each. */
static double counted_bits(const text *t, bool pairs) {
    static double count[256][256], before[256], alone[256];
    const double fallback = 5;
    double bits = 0;
    memset(count, 0, sizeof count);
    memset(before, 0, sizeof before);
    memset(alone, 0, sizeof alone);
    for (int64_t i = 1; i < t->length; i++) {
        const int32_t last = t->symbol[i - 1], now = t->symbol[i];
        if (i < t->training) {
            count[last][now]++;
            before[last]++;
            alone[now]++;
        } else {
            const double share = (alone[now] + 1) / (double)(t->training - 1 + t->symbols);
            const double pair = (count[last][now] + fallback * share) / (before[last] + fallback);
            bits -= log2(pairs ? pair : share);
        }
    }
    return bits / (double)(t->length - t->training);
}

/* Rows of symbols, and those that come next. */
typedef struct batch {
    int32_t index[TEXT_BATCH * TEXT_TIME], next[TEXT_BATCH * TEXT_TIME];
} batch;

static void take_row(batch *b, int row, const int32_t *from) {
    memcpy(b->index + row * TEXT_TIME, from, TEXT_TIME * sizeof *from);
    memcpy(b->next + row * TEXT_TIME, from + 1, TEXT_TIME * sizeof *from);
}

/* Over windows that overlap by half: every character counted has half a window before it. */
static double validation_bits(const text_model *m, const text *t, gt_tape *tape) {
    static batch b;
    double sum = 0;
    int64_t windows = 0;
    gt_eval(tape, true);
    for (int64_t at = t->training; at + TEXT_TIME < t->length;) {
        int rows = 0;
        for (; rows < TEXT_BATCH && at + TEXT_TIME < t->length; at += TEXT_TIME / 2) {
            take_row(&b, rows++, t->symbol + at);
        }
        const gt_tensor index = gt_borrow(tape, b.index, GT_SHAPE(rows, TEXT_TIME), GT_I32);
        const gt_tensor next = gt_borrow(tape, b.next, GT_SHAPE(rows, TEXT_TIME), GT_I32);
        const gt_tensor logits = m->network(index, t->symbols, false);
        sum += rows * gt_item(gt_cross_entropy(gt_slice(logits, 1, TEXT_TIME / 2, GT_END, 1),
                                               gt_slice(next, 1, TEXT_TIME / 2, GT_END, 1)));
        windows += rows;
        if (gt_failed(tape)) break;
        gt_tape_reset(tape);
    }
    gt_eval(tape, false);
    return sum / (double)windows / LN2;
}

static double train_step(const text_model *m, const text *t, training *run, gt_optim *opt) {
    static batch b;
    const int64_t stride = (t->training - 1) / TEXT_BATCH, room = stride - TEXT_TIME;
    for (int row = 0; row < TEXT_BATCH; row++) {
        const double u = gt_uniform(1, (uint64_t)run->step, (uint64_t)row);
        const int64_t at = m->streams ? row * stride + run->step % (stride / TEXT_TIME) * TEXT_TIME
                                      : row * stride + (int64_t)(u * (double)room);
        take_row(&b, row, t->symbol + at);
    }
    const gt_tensor index = gt_borrow(run->tape, b.index, GT_SHAPE(TEXT_BATCH, TEXT_TIME), GT_I32);
    const gt_tensor next = gt_borrow(run->tape, b.next, GT_SHAPE(TEXT_BATCH, TEXT_TIME), GT_I32);
    const gt_tensor loss = gt_cross_entropy(m->network(index, t->symbols, true), next);
    gt_optim_set_rate(opt, gt_schedule_warmup_cosine(m->rate, run->step, 20, m->steps, 0));
    gt_minimize(opt, loss);
    const double bits = gt_item(loss) / LN2;
    if (!gt_failed(run->tape)) gt_tape_reset(run->tape);
    return bits;
}

/* Goes on from the beginning of the validation text. */
static void print_sample(const text_model *m, const text *t, gt_tape *tape, int64_t length) {
    int32_t window[TEXT_TIME];
    memcpy(window, t->symbol + t->training, sizeof window);
    printf("--- a sample at temperature %g:\n", TEMPERATURE);
    gt_eval(tape, true);
    for (int64_t i = 0; i < length; i++) {
        const gt_tensor index = gt_borrow(tape, window, GT_SHAPE(1, TEXT_TIME), GT_I32);
        const gt_tensor last = gt_select(m->network(index, t->symbols, false), 1, -1);
        const float *share = gt_data(gt_softmax(gt_mul_scalar(last, 1 / TEMPERATURE), 1));
        if (!share) return;
        int32_t drawn = 0;
        double left = gt_uniform(2, 0, (uint64_t)i);
        while (drawn < t->symbols - 1 && (left -= (double)share[drawn]) >= 0) drawn++;
        gt_tape_reset(tape);
        memmove(window, window + 1, sizeof window - sizeof *window);
        window[TEXT_TIME - 1] = drawn;
        putchar(t->byte[drawn]);
    }
    gt_eval(tape, false);
    printf("\n---\n");
}

typedef struct curve {
    double step[2][MOST_POINTS], bits[2][MOST_POINTS]; /* training (a mean), validation */
    int points;
} curve;

static void train(const text_model *m, const text *t, training *run, curve *c) {
    gt_optim *opt =
        gt_adamw(run->params,
                 (gt_adam_options){.rate = m->rate, .weight_decay = 0.1, .clip_norm = 1});
    progress bar = progress_begin(m->name, run->steps, "steps");
    const int64_t every = run->steps / EVALUATED + 1;
    double sum = 0;
    int64_t summed = 0;
    while (opt && run->step < run->steps && !gt_failed(run->tape)) {
        sum += train_step(m, t, run, opt);
        summed++;
        run->step++;
        progress_show(&bar, run->step, "%.3f bits", sum / (double)summed);
        if (gt_failed(run->tape) || (run->step % every != 0 && run->step != run->steps)) continue;
        const double validation = validation_bits(m, t, run->tape);
        c->step[0][c->points] = c->step[1][c->points] = (double)run->step;
        c->bits[0][c->points] = sum / (double)summed;
        c->bits[1][c->points++] = validation;
        sum = 0;
        summed = 0;
    }
    if (c->points > 0) {
        progress_end(&bar, "training %.3f bits  validation %.3f", c->bits[0][c->points - 1],
                     c->bits[1][c->points - 1]);
    }
    gt_optim_free(opt);
}

static int learn(const text_model *m, const text *t, training *run) {
    static curve c;
    const double unigram = counted_bits(t, false), bigram = counted_bits(t, true);
    printf("bits per character of validation: unigram %.3f  bigram %.3f\n", unigram, bigram);
    printf("validation before %.3f bits\n", validation_bits(m, t, run->tape));
    train(m, t, run, &c);
    /* A short training, which has little to say, says little. */
    const int64_t length = run->steps < SAMPLE ? run->steps : SAMPLE;
    if (training_save(run)) print_sample(m, t, run->tape, length);
    if (c.points > 0) printf("validation after %.3f bits\n", c.bits[1][c.points - 1]);

    const double ends[] = {c.step[0][0], (double)run->steps}, level[] = {bigram, bigram};
    const plot_series line[] = {{"training", PLOT_LINE, 0, c.step[0], c.bits[0], c.points},
                                {"validation", PLOT_LINE, 1, c.step[1], c.bits[1], c.points},
                                {"bigram", PLOT_DASHED, 2, ends, level, 2}};
    const plot_panel panel = {.x_label = "step",
                              .y_label = "bits per character",
                              .series = line,
                              .n_series = 3};
    char subtitle[100];
    snprintf(subtitle, sizeof subtitle,
             "by predicting the next character; counted pairs of them need %.2f bits", bigram);
    return training_end(run, &(plot){.title = m->title,
                                     .subtitle = subtitle,
                                     .width = 720,
                                     .panel = &panel,
                                     .n_panels = 1});
}

/* New parameters take the fingerprint of the text; those of a file must have it. */
static bool belongs(const training *run, const text *t, const char *path) {
    gt_param_info saved;
    if (!run->resume)
        return gt_param_set(run->params, FINGERPRINT, GT_SCALAR, GT_I64, &t->fingerprint, false);
    if (gt_params_find(run->params, FINGERPRINT, &saved) && saved.dtype == GT_I64 &&
        saved.shape.rank == 0 && *(const int64_t *)saved.data == t->fingerprint)
        return true;
    gt_fail(run->tape, "%s learned another text than %s: name its own with --text FILE",
            run->resume, path);
    return false;
}

int text_main(const text_model *m, int count, char **word) {
    const char *asked = training_take_option("--text", &count, word);
    text t;
    training run;
    const char *path = find_text(&t, asked);
    if (!path) {
        fprintf(stderr, "%s: %s cannot be read or is too short: name a text with --text FILE\n",
                m->name, asked ? asked : usual_text[0]);
        return EXIT_FAILURE;
    }
    int status = EXIT_FAILURE;
    if (training_begin(&run, m->name, m->steps, count, word)) {
        printf("%s: %lld characters, %d different\n", path, (long long)t.length, t.symbols);
        status = belongs(&run, &t, path) ? learn(m, &t, &run) : training_end(&run, NULL);
    }
    free(t.symbol);
    return status;
}
