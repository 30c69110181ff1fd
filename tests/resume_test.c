/* tests/resume_test.c: a run that is saved, loaded into fresh parameters and continued ends with the bytes of one
 * that never stopped: parameters, optimizer state, running statistics, random ordinal, order of the examples. */
#define _POSIX_C_SOURCE 200809L
#include "support/scratch.h"

#include "gradtape.h"

#if defined(GT_WITH_JANSSON)

enum { EXAMPLES = 30, FEATURES = 6, SIZE = 8, STEPS = 10 };

typedef struct run {
    gt_params *params;
    gt_tape *tape;
    gt_optim *opt;
    gt_batches *batches;
    float x[EXAMPLES][FEATURES], y[EXAMPLES];
    double loss; /* of the last step */
} run;

typedef struct loaded {
    float x[SIZE][FEATURES], y[SIZE];
} loaded;

static bool fill_batch(void *user, const int64_t *index, int64_t n, void *buffer) {
    const run *r = user;
    loaded *out = buffer;
    for (int64_t i = 0; i < n; i++) {
        memcpy(out->x[i], r->x[index[i]], sizeof out->x[i]);
        out->y[i] = r->y[index[i]];
    }
    return true;
}

typedef gt_optim *(*maker)(gt_params *params);

static run *begin_run(uint64_t seed, maker make) {
    run *r = calloc(1, sizeof *r);
    r->params = gt_params_new(NULL, seed);
    r->tape = gt_tape_new(r->params);
    r->opt = make(r->params);
    cr_assert(r->tape && r->opt);
    for (int i = 0; i < EXAMPLES; i++) {
        for (int k = 0; k < FEATURES; k++)
            r->x[i][k] = (float)gt_normal(9, 0, (uint64_t)i * FEATURES + (uint64_t)k);
        r->y[i] = r->x[i][0] * r->x[i][1];
    }
    r->batches = gt_batches_new((gt_batches_options){.count = EXAMPLES,
                                                     .size = SIZE,
                                                     .seed = seed,
                                                     .ahead = true,
                                                     .fill = fill_batch,
                                                     .user = r,
                                                     .bytes = sizeof(loaded)},
                                NULL);
    cr_assert_not_null(r->batches);
    return r;
}

static void end_run(run *r) {
    gt_batches_free(r->batches);
    gt_optim_free(r->opt);
    gt_tape_free(r->tape);
    gt_params_free(r->params);
    free(r);
}

static void train(run *r, int steps) {
    for (int step = 0; step < steps; step++) {
        gt_batch batch;
        cr_assert(gt_batches_next(r->batches, &batch));
        const loaded *data = batch.data;
        gt_tensor x = gt_input(r->tape, data->x, GT_SHAPE(batch.count, FEATURES), GT_F32);
        const gt_tensor y = gt_input(r->tape, data->y, GT_SHAPE(batch.count, 1), GT_F32);
        x = gt_dropout(gt_relu(gt_linear(x, "hidden", 16)), 0.3);
        const gt_tensor loss = gt_mean_squared_error(gt_linear(x, "out", 1), y);
        cr_assert(gt_minimize(r->opt, loss), "%s", gt_error(r->tape));
        r->loss = gt_item(loss);
        gt_tape_reset(r->tape);
    }
}

/* Everything that a run needs goes into one file: the place in the data is a buffer like any other. */
static void save_run(run *r) {
    int64_t at[2];
    gt_batches_tell(r->batches, &at[0], &at[1]);
    cr_assert(gt_param_set(r->params, "batches", GT_SHAPE(2), GT_I64, at, false), "%s",
              gt_params_error(r->params));
    cr_assert(gt_params_save(r->params, file_path), "%s", gt_params_error(r->params));
}

static void load_run(run *r) {
    gt_param_info info;
    cr_assert(gt_params_load(r->params, file_path), "%s", gt_params_error(r->params));
    cr_assert(gt_params_find(r->params, "batches", &info));
    const int64_t *at = info.data;
    cr_assert(gt_batches_seek(r->batches, at[0], at[1]));
}

static gt_optim *make_adam(gt_params *params) {
    return gt_adam(params, (gt_adam_options){.rate = 0.01, .clip_norm = 1});
}
static gt_optim *make_momentum(gt_params *params) {
    return gt_sgd(params, (gt_sgd_options){.rate = 0.05, .momentum = 0.9, .nesterov = true});
}

static void compare_runs(maker make, int stop_after) {
    size_t size, size_resumed;
    begin();
    run *whole = begin_run(7, make);
    train(whole, STEPS);
    save_run(whole);
    unsigned char *expected = read_bytes(&size);

    run *first = begin_run(7, make);
    train(first, stop_after);
    save_run(first);
    end_run(first);
    run *second = begin_run(7, make);
    load_run(second);
    train(second, STEPS - stop_after);
    cr_assert(memcmp(&second->loss, &whole->loss, sizeof whole->loss) == 0);
    save_run(second);
    unsigned char *resumed = read_bytes(&size_resumed);
    cr_assert(size == size_resumed && memcmp(expected, resumed, size) == 0,
              "stopped after %d steps: another file", stop_after);
    free(expected);
    free(resumed);
    end_run(second);
    end_run(whole);
    end();
}

Test(resume, adam) {
    for (int steps = 1; steps < STEPS; steps++) compare_runs(make_adam, steps);
}

Test(resume, nesterov) { compare_runs(make_momentum, 5); }

/* The test above can fail: leaving out any part of the state gives another end. */
Test(resume, every_part_of_the_state_counts) {
    double loss[4];
    begin();
    run *first = begin_run(7, make_adam);
    train(first, 5);
    save_run(first);
    end_run(first);
    for (int without = 0; without < 4; without++) {
        run *r = begin_run(7, make_adam);
        load_run(r);
        if (without == 1) gt_params_set_ordinal(r->params, 0);
        if (without == 2) cr_assert(gt_batches_seek(r->batches, 0, 0));
        for (int i = 0; without == 3; i++) {
            gt_param_info info;
            static const float zero[FEATURES * 16];
            if (!gt_params_at(r->params, i, &info)) break;
            if (!info.buffer || info.dtype != GT_F32) continue;
            cr_assert(gt_param_set(r->params, info.name, info.shape, info.dtype, zero, false));
        }
        train(r, 5);
        loss[without] = r->loss;
        end_run(r);
    }
    for (int without = 1; without < 4; without++)
        cr_assert(loss[without] != loss[0], "without part %d the loss is the same", without);
    end();
}

/* Loaded parameters are frozen: the optimizer adds its state all the same, a network adds nothing. */
Test(resume, an_optimizer_begins_on_loaded_parameters) {
    begin();
    run *r = begin_run(7, make_adam);
    gt_params *plain = gt_params_new(NULL, 7);
    train(r, 1);
    gt_param_info info;
    for (int i = 0; gt_params_at(r->params, i, &info); i++) {
        if (info.buffer) continue;
        cr_assert(gt_param_set(plain, info.name, info.shape, info.dtype, info.data, true));
    }
    const int network = gt_params_count(plain);
    cr_assert(gt_params_save(plain, file_path));
    gt_params_free(plain);
    end_run(r);

    run *tuned = begin_run(7, make_adam);
    cr_assert(gt_params_load(tuned->params, file_path) && gt_params_frozen(tuned->params));
    train(tuned, 2);
    cr_assert(gt_params_count(tuned->params) > network);
    const gt_tensor x = gt_ones(tuned->tape, GT_SHAPE(1, FEATURES), GT_F32);
    gt_linear(x, "hiden", 16);
    cr_assert(strstr(gt_error(tuned->tape), "unknown"), "%s", gt_error(tuned->tape));
    end_run(tuned);
    end();
}

#endif
