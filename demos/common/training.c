/* demos/common/training.c: beginning and end of the trainings that can be resumed. */
#include "common/training.h"

#include <string.h>

static const char STEP[] = "training:step"; /* the buffer that counts the steps done */
enum { MOST_STEPS = 1000000, MOST_SEED = 1000000000 };

static bool usage(const training *t) {
    fprintf(stderr,
            "usage: %s [OPTION VALUE]...\n"
            "  --steps N       steps in all (default %lld)\n"
            "  --seed N        of what is random (default 1)\n"
            "  --save FILE     where the parameters go (default %s.safetensors)\n"
            "  --resume FILE   goes on from parameters that were saved\n"
            "  --picture FILE  where the picture goes (default %s.svg)\n",
            t->name, (long long)t->steps, t->name, t->name);
    return false;
}

static bool parse_number(const char *value, int64_t low, int64_t high, int64_t *number) {
    char *end;
    *number = strtol(value, &end, 10);
    return end != value && *end == 0 && *number >= low && *number <= high;
}

static bool parse_option(training *t, const char *option, const char *value) {
    if (!value) return false;
    if (strcmp(option, "--steps") == 0) return parse_number(value, 1, MOST_STEPS, &t->steps);
    if (strcmp(option, "--seed") == 0) return parse_number(value, 0, MOST_SEED, &t->seed);
    if (strcmp(option, "--resume") == 0) {
        t->resume = value;
        return true;
    }
    char *file = strcmp(option, "--save") == 0      ? t->save
                 : strcmp(option, "--picture") == 0 ? t->picture
                                                    : NULL;
    return file && (size_t)snprintf(file, sizeof t->save, "%s", value) < sizeof t->save;
}

static bool make_tape(training *t) {
    t->params = gt_params_new(NULL, (uint64_t)t->seed);
    t->tape = t->params ? gt_tape_new(t->params) : NULL;
    if (!t->tape) fprintf(stderr, "%s: out of memory\n", t->name);
    return t->tape != NULL;
}

static void free_both(training *t) {
    gt_tape_free(t->tape);
    gt_params_free(t->params);
}

static bool load(training *t, const char *path) {
    if (gt_params_load(t->params, path)) return true;
    fprintf(stderr, "%s: %s\n", t->name, gt_params_error(t->params));
    return false;
}

static bool take_up(training *t) {
    gt_param_info step;
    if (!load(t, t->resume)) return false;
    if (!gt_params_find(t->params, STEP, &step) || step.dtype != GT_I64 || step.shape.rank != 0) {
        fprintf(stderr, "%s: %s does not say how many steps are done\n", t->name, t->resume);
        return false;
    }
    t->step = *(const int64_t *)step.data;
    if (t->step >= 0 && t->step < t->steps) return true;
    fprintf(stderr, "%s: %s has %lld steps behind it, and %lld were asked for\n", t->name,
            t->resume, (long long)t->step, (long long)t->steps);
    return false;
}

const char *training_take_option(const char *option, int *count, char **word) {
    for (int i = 1; i + 1 < *count; i += 2) {
        if (strcmp(word[i], option) != 0) continue;
        const char *value = word[i + 1];
        *count -= 2;
        memmove(word + i, word + i + 2, (size_t)(*count - i) * sizeof *word);
        return value;
    }
    return NULL;
}

bool training_begin(training *t, const char *name, int64_t steps, int count, char **word) {
    *t = (training){.name = name, .steps = steps, .seed = 1};
    snprintf(t->save, sizeof t->save, "%s.safetensors", name);
    snprintf(t->picture, sizeof t->picture, "%s.svg", name);
    for (int i = 1; i < count; i += 2) {
        if (!parse_option(t, word[i], i + 1 < count ? word[i + 1] : NULL)) {
            t->steps = steps;
            return usage(t);
        }
    }
    if (make_tape(t) && (!t->resume || take_up(t))) return true;
    free_both(t);
    return false;
}

bool training_open(training *t, const char *name, const char *path) {
    *t = (training){.name = name};
    if (make_tape(t) && load(t, path)) return true;
    free_both(t);
    return false;
}

bool training_save(training *t) {
    return !gt_failed(t->tape) && !*gt_params_error(t->params) &&
           gt_param_set(t->params, STEP, GT_SCALAR, GT_I64, &t->step, false) &&
           gt_params_save(t->params, t->save);
}

int training_end(training *t, const plot *picture) {
    const char *error = gt_failed(t->tape) ? gt_error(t->tape) : gt_params_error(t->params);
    bool ok = !*error;
    if (!ok) fprintf(stderr, "%s: %s\n", t->name, error);
    if (ok && picture && !plot_write(picture, t->picture)) {
        perror(t->picture);
        ok = false;
    }
    if (ok && picture) printf("picture in %s, parameters in %s\n", t->picture, t->save);
    free_both(t);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
