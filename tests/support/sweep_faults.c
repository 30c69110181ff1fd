/* tests/support/sweep_faults.c: whole stories (a training step, a Jacobian, every sample of every
 * operation) are told again and again, with the first allocation failing, then the second, and so
 * on until none fails: once with that one alone failing, and once with all later ones. Each time
 * there must be an error instead of a crash, nothing changed by a step that failed, everything
 * freed at the end; and where only one allocation failed, the same objects must be able to do it
 * all afterwards. */
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "gradtape.h"
#include "support/faults.h"
#include "support/harness.h"
#include "support/memory.h"
#include "support/random_graph.h"
#include "support/sweeps.h"

enum { MOST_COMPLAINT = 400 };
typedef struct story story;
struct story {
    char name[80];
    bool (*tell)(const story *s, gt_tape *tape); /* false: something said that it failed */
    uint64_t seed;
    const gt_op *op; /* whose samples these are */
    gt_tensor (*samples)(gt_samples *s, int i);
    int sample;
    char *complaint; /* "", or what must not be */
};

static void complain(const story *s, const char *what) {
    if (!s->complaint[0]) snprintf(s->complaint, MOST_COMPLAINT, "%s", what);
}

/* ---- what a failed step must leave as it was ------------------------------------------------- */

enum { MOST_PARAMS = 24 };

typedef struct snapshot {
    int count;
    void *data[MOST_PARAMS], *grad[MOST_PARAMS];
} snapshot;

static size_t bytes_of(const gt_param_info *info) {
    return (size_t)gt_numel(info->shape) * gt_dtype_size(info->dtype);
}

static void *copy_of(const void *data, size_t bytes) {
    if (!data) return NULL;
    void *copy = test_memory(bytes);
    memcpy(copy, data, bytes);
    return copy;
}

static snapshot take_snapshot(const gt_params *params) {
    snapshot s = {.count = 0};
    gt_param_info info;
    for (; s.count < MOST_PARAMS && gt_params_at(params, s.count, &info); s.count++) {
        s.data[s.count] = copy_of(info.data, bytes_of(&info));
        s.grad[s.count] = copy_of(info.grad, bytes_of(&info));
    }
    return s;
}

static bool equal_bytes(const void *a, const void *b, size_t bytes) {
    return a && b ? memcmp(a, b, bytes) == 0 : a == b;
}

/* Checks it, if the step failed, and lets go of it. What a step creates is its own affair. */
static bool settle(const story *s, gt_params *params, snapshot *before, bool stepped) {
    gt_param_info info;
    for (int i = 0; i < before->count; i++) {
        const bool there = gt_params_at(params, i, &info);
        const bool same = there && equal_bytes(info.data, before->data[i], bytes_of(&info)) &&
                          equal_bytes(info.grad, before->grad[i], bytes_of(&info));
        if (!stepped && !same)
            complain(s, "a step that failed changed a parameter, a state or a gradient");
        free(before->data[i]);
        free(before->grad[i]);
    }
    return stepped;
}

static bool backward(const story *s, gt_tensor loss) {
    gt_params *params = gt_tape_params(loss.tape);
    snapshot before = take_snapshot(params);
    return settle(s, params, &before, gt_backward(loss));
}

static bool minimize(const story *s, gt_optim *opt, gt_tensor loss) {
    gt_params *params = gt_tape_params(loss.tape);
    snapshot before = take_snapshot(params);
    return settle(s, params, &before, gt_minimize(opt, loss));
}

static bool commit(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    snapshot before = take_snapshot(params);
    return settle(s, params, &before, gt_commit(tape));
}

static bool update(const story *s, gt_optim *opt, gt_params *params) {
    snapshot before = take_snapshot(params);
    return settle(s, params, &before, gt_update(opt));
}

/* ---- stories --------------------------------------------------------------------------------- */

static gt_tensor draw(gt_tape *tape, gt_shape shape, uint64_t seed) {
    double value[64];
    for (int64_t i = 0; i < gt_numel(shape); i++) value[i] = gt__weight(seed, 1, i);
    return gt_input(tape, value, shape, GT_F64);
}

static gt_tensor perceptron(gt_tape *tape, uint64_t seed) {
    const int64_t label[5] = {0, 2, 1, 1, 0};
    gt_tensor x = draw(tape, GT_SHAPE(5, 4), seed);
    gt_scope_push(tape, "net%d", 1);
    x = gt_relu(gt_name(gt_linear(x, "first", 6), "hidden"));
    x = gt_linear(gt_dropout(x, 0.25), "second", 3);
    gt_scope_pop(tape);
    return gt_cross_entropy(x, gt_input(tape, label, GT_SHAPE(5), GT_I64));
}

static bool tell_backward(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    const gt_tensor loss = perceptron(tape, s->seed);
    if (!gt_valid(loss) || !backward(s, loss)) return false;
    const gt_tensor one = gt_grad_of(loss);
    gt_zero_grad(params, NULL);
    return gt_item(loss) > 0 && gt_item(one) == 1;
}

static bool tell_mixed_precision(const story *s, gt_tape *tape) {
    gt_autocast(tape, true);
    const gt_tensor x = gt_cast(draw(tape, GT_SHAPE(5, 4), s->seed), GT_F32);
    const gt_tensor y = gt_linear(gt_relu(gt_linear(x, "first", 6)), "second", 3);
    const gt_tensor loss = gt_sum(gt_square(y), GT_ALL, false);
    const bool ok = gt_valid(loss) && backward(s, loss);
    gt_autocast(tape, false);
    return ok && gt_item(loss) > 0;
}

/* Large enough for tiles of 4x4, and for the code that oneDNN makes. */
static bool tell_convolution(const story *s, gt_tape *tape) {
    const gt_tensor x = gt_randn(tape, GT_SHAPE(8, 8, 12, 12), GT_F32);
    const gt_conv_options same = {.padding = {1, 1}}, half = {.stride = {2, 2}, .padding = {1, 1}};
    const gt_tensor y = gt_conv2d_layer(x, "first", 16, 3, same);
    const gt_tensor again = gt_conv2d_layer(y, "second", 16, 3, half);
    const gt_tensor loss = gt_sum(gt_square(again), GT_ALL, false);
    return gt_valid(loss) && backward(s, loss) && gt_item(loss) > 0;
}

static bool tell_training(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    gt_optim *opt = s->seed == 1
                        ? gt_sgd(params, (gt_sgd_options){.momentum = 0.9, .clip_norm = 0.1})
                    : s->seed == 2 ? gt_adam(params, (gt_adam_options){.pattern = "net1/*"})
                                   : gt_adamw(params, (gt_adam_options){.clip_value = 1});
    bool ok = opt != NULL;
    for (uint64_t step = 0; ok && step < 2; step++) {
        gt_tape_reset(tape);
        const gt_tensor loss = perceptron(tape, step);
        ok = gt_valid(loss) && minimize(s, opt, loss) && gt_item(loss) > 0;
    }
    gt_optim_free(opt);
    return ok;
}

/* Gradients large enough to be made right before what they update: of a matrix, of one by bf16, of two matrices. */
static bool tell_large_matrix(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    const bool two = s->seed == 3;
    gt_optim *opt = gt_sgd(params, (gt_sgd_options){.momentum = 0.9});
    const gt_tensor x = gt_randn(tape, two ? GT_SHAPE(2, 2, 520) : GT_SHAPE(2, 520), GT_F32);
    const gt_tensor w = gt_param(tape, "w", two ? GT_SHAPE(2, 520, 512) : GT_SHAPE(520, 512),
                                 GT_F32, gt_init_xavier_uniform());
    gt_autocast(tape, s->seed == 2);
    const gt_tensor loss = gt_mean(gt_square(gt_matmul(x, w)), GT_ALL, false);
    const bool ok = opt && gt_valid(loss) && minimize(s, opt, loss) && gt_item(loss) > 0;
    gt_autocast(tape, false);
    gt_optim_free(opt);
    return ok;
}

static bool tell_small_batches(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    gt_optim *opt =
        gt_sgd(params, (gt_sgd_options){.rate = 0.1, .nesterov = true, .momentum = 0.5});
    bool ok = opt != NULL;
    for (uint64_t part = 0; ok && part < 2; part++) {
        gt_tape_reset(tape);
        const gt_tensor loss = perceptron(tape, part);
        ok = gt_valid(loss) && backward(s, loss);
    }
    ok = ok && update(s, opt, params);
    gt_optim_free(opt);
    gt_zero_grad(params, NULL);
    return ok;
}

static bool tell_derivatives(const story *s, gt_tape *tape) {
    const gt_tensor x = draw(tape, GT_SHAPE(3), s->seed),
                    y = gt_mul(gt_sin(x), gt_sum(gt_square(x), GT_ALL, false));
    const gt_tensor jacobian = gt_jacobian(y, x), curved = gt_sum(gt_mul(y, y), GT_ALL, false);
    const gt_tensor all[] = {jacobian, gt_hessian(curved, x), gt_hvp(curved, x, x), gt_jvp(y, x, x),
                             gt_vjp(y, x, x)};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (!gt_data(all[k])) return false;
    return true;
}

static bool tell_checkpoint(const story *s, gt_tape *tape) {
    gt_tensor x = draw(tape, GT_SHAPE(2, 4), s->seed);
    gt_checkpoint_begin(tape);
    x = gt_tanh(gt_linear(x, "inner", 4));
    x = gt_dropout(gt_tanh(gt_linear(x, "inner", 4)), 0.5);
    gt_checkpoint_end(tape);
    const gt_tensor loss = gt_mean(gt_square(x), GT_ALL, false);
    const bool ok = gt_valid(loss) && backward(s, loss);
    gt_zero_grad(gt_tape_params(tape), NULL);
    return ok;
}

/* Names, marks, effects, replays, many inputs, a user's own values. */
static bool tell_bookkeeping(const story *s, gt_tape *tape) {
    gt_params *params = gt_tape_params(tape);
    const double two[2] = {2, 3};
    bool ok = gt_param_set(params, "kept", GT_SHAPE(2), GT_F64, two, true);
    const gt_tensor state = gt_buffer(tape, "state", GT_SHAPE(2), GT_F64);
    const gt_tensor kept = gt_name(gt_param_leaf(tape, "kept"), "the %dnd", 2);
    gt_tensor many[12];
    const gt_list list = {12, many};
    for (int k = 0; k < 12; k++) many[k] = gt_input(tape, two, GT_SHAPE(2), GT_F64);
    const gt_marker mark = gt_mark(tape);
    const gt_tensor lost = gt_stack(list, 0);
    ok = ok && gt_data(lost);
    if (ok) gt_rewind(tape, mark);
    const gt_tensor sum = gt_concat(list, 0), doubled = gt_keep(gt_mul_scalar(kept, 2));
    const gt_tensor wanted[2] = {sum, doubled};
    ok = ok && gt_run(tape, wanted, 2) && gt_valid(gt_assign(state, gt_add(state, doubled)));
    ok = ok && commit(s, tape);
    ok = ok && gt_set(many[0], two);
    gt_replay(tape);
    ok = ok && gt_data(gt_transpose(gt_expand(sum, GT_SHAPE(2, 24)), 0, 1));
    gt_keep_all(tape, true);
    ok = ok && gt_data(gt_neg(gt_exp(sum))) && gt_tape_check_finite(tape, NULL);
    gt_keep_all(tape, false);
    return ok;
}

static bool tell_random_graph(const story *s, gt_tape *tape) {
    random_graph g;
    gt_tensor gx[GRAPH_LEAVES];
    random_graph_record(&g, tape, s->seed);
    return !gt_failed(tape) && gt_grads(g.loss, g.leaf, g.n_leaves, gx) &&
           gt_run(tape, gx, g.n_leaves);
}

/* Nothing is written before all is known: a failure leaves the file empty. */
static bool tell_emission(const story *s, gt_tape *tape) {
    random_graph g;
    gt_tensor gx[GRAPH_LEAVES];
    FILE *file = tmpfile();
    random_graph_record(&g, tape, s->seed);
    bool ok = file && !gt_failed(tape) && gt_grads(g.loss, g.leaf, g.n_leaves, gx) &&
              gt_valid(gt_assign(g.leaf[0], gx[0]));
    ok = ok && gt_emit_c(tape, "f", gt_list_of(g.n_leaves - 1, g.leaf + 1),
                         gt_list_of(g.n_leaves, gx), file);
    if (ok && ftell(file) <= 0) complain(s, "an empty file");
    if (!ok && file && ftell(file) > 0) complain(s, "part of a file");
    if (file) fclose(file);
    return ok;
}

static bool tell_sample(const story *s, gt_tape *tape) {
    gt_samples samples = {.tape = tape, .op = s->op, .dtype = GT_F64, .seed = 7};
    gt_tensor leaf[GT_SAMPLE_MOST], gx[GT_SAMPLE_MOST];
    const gt_tensor y = s->samples(&samples, s->sample);
    if (gt_failed(tape) || !gt_valid(y) || !gt_run(tape, &y, 1)) return false;
    if (samples.no_gradient || !gt_dtype_is_float(gt_dtype_of(y))) return true;
    int n = 0;
    for (int k = 0; k < samples.drawn; k++)
        if (gt_dtype_is_float(gt_dtype_of(samples.leaf[k]))) leaf[n++] = samples.leaf[k];
    const gt_tensor u = gt_full(tape, gt_shape_of(y), 1, gt_dtype_of(y));
    return gt_valid(u) && gt_vjps(y, u, leaf, n, gx) && gt_run(tape, gx, n);
}

/* A claim is judged, or its report says that memory was short. */
static bool tell_claim(const story *s, gt_tape *tape) {
    static gt_check_report report;
    const double at[6] = {0.3, -0.7, 1.1, 0.5, -0.2, 0.9};
    (void)s;
    const gt_tensor x = gt_input(tape, at, GT_SHAPE(2, 3), GT_F64);
    const gt_tensor y = gt_sum(gt_tanh(gt_matmul(gt_t(x), x)), GT_ALL, false);
    const gt_tensor claim = gt_grad(y, x);
    if (gt_failed(tape)) return false;
    if (gt_check_claim(y, x, (gt_claim){.tensor = claim}, NULL, &report) == GT_RIGHT) return true;
    if (!gt_failed(tape)) gt_fail(tape, "%s", report.text);
    return false;
}

/* ---- telling them with failures -------------------------------------------------------------- */

typedef struct teller {
    FILE *out;
    long once, from_then_on;
    int told, right;
} teller;

/* Everything from the first allocation to the last; false when it says that something failed. */
static bool tell_once(const story *s, faults *f, bool again) {
    const gt_allocator allocator = faults_allocator(f);
    gt_params *params = gt_params_new(&allocator, 11);
    gt_tape *tape = params ? gt_tape_new(params) : NULL;
    const bool ok = tape && s->tell(s, tape);
    if (tape && !ok && !gt_failed(tape) && !gt_params_error(params)[0])
        complain(s, "a call failed without an error message");
    if (tape && !ok && again) {
        gt_tape_reset(tape);
        if (!s->tell(s, tape)) {
            complain(s, "after one failed allocation it does not work any more: ");
            strncat(s->complaint, gt_failed(tape) ? gt_error(tape) : gt_params_error(params), 300);
        }
    }
    gt_tape_free(tape);
    gt_params_free(params);
    return ok;
}

static void tell_all(teller *t, story *s) {
    char complaint[MOST_COMPLAINT] = "";
    s->complaint = complaint;
    long where = 0;
    for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
        for (long k = 0; !complaint[0]; k++) {
            faults f = {.fail_at = k, .from_then_on = from_then_on};
            const bool ok = tell_once(s, &f, !from_then_on);
            if (f.refused && ok) complain(s, "an allocation failed and nobody said so");
            if (!f.refused && !ok) complain(s, "it fails without any failed allocation");
            if (f.bytes || f.blocks) complain(s, "memory is not given back");
            if (f.confused)
                complain(s, "a block is given back with another size than it was asked for");
            where = k;
            if (!f.refused) break;
            *(from_then_on ? &t->from_then_on : &t->once) += 1;
        }
    }
    t->told++;
    t->right += complaint[0] == 0;
    if (complaint[0])
        fprintf(t->out,
                "FAIL %s, allocation %ld: %s\n  repeat: build/bin/tests/selftest faults \"%s\"\n",
                s->name, where, complaint, s->name);
    s->complaint = NULL;
}

static void maybe_tell(teller *t, const char *only, story s) {
    if (!only || strcmp(only, s.name) == 0) tell_all(t, &s);
}

/* Does the sample exist, and must it work? */
static bool is_good(const gt_op *op, gt_tensor (*samples)(gt_samples *, int), int i, bool *ended) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_samples s = {.tape = tape, .op = op, .dtype = GT_F64, .seed = 7};
    samples(&s, i);
    *ended = s.ended;
    const bool good = !s.ended && !s.bad && !gt_failed(tape);
    gt_tape_free(tape);
    return good;
}

static void tell_samples(teller *t, const char *only, const char *name, const gt_op *op,
                         gt_tensor (*samples)(gt_samples *, int)) {
    enum { FEW = 3, MANY = 500 };
    bool ended = false;
    for (int i = 0; i < (is_soak() ? MANY : FEW) && !ended; i++) {
        if (!is_good(op, samples, i, &ended)) continue;
        story s = {.tell = tell_sample, .op = op, .samples = samples, .sample = i};
        snprintf(s.name, sizeof s.name, "%s sample %d", name, i);
        maybe_tell(t, only, s);
    }
}

void sweep_faults(FILE *out, const char *only, score *total) {
    teller t = {.out = out};
    maybe_tell(&t, only, (story){"backward", tell_backward, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"mixed precision", tell_mixed_precision, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"convolution", tell_convolution, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"sgd", tell_training, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"adam", tell_training, 2, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"adamw", tell_training, 3, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"small batches", tell_small_batches, 1, NULL, NULL, 0, NULL});
    for (uint64_t k = 1; k <= 3; k++)
        maybe_tell(&t, only, (story){"large matrix", tell_large_matrix, k, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"derivatives", tell_derivatives, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"checkpoint", tell_checkpoint, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"bookkeeping", tell_bookkeeping, 1, NULL, NULL, 0, NULL});
    maybe_tell(&t, only, (story){"claim", tell_claim, 1, NULL, NULL, 0, NULL});
    for (uint64_t k = 2; k <= 3; k++)
        maybe_tell(&t, only, (story){"emission", tell_emission, k, NULL, NULL, 0, NULL});
    for (int k = 1; k <= (is_soak() ? 200 : 10); k++) {
        story s = {.tell = tell_random_graph, .seed = (uint64_t)k};
        snprintf(s.name, sizeof s.name, "graph %d", k);
        maybe_tell(&t, only, s);
    }
    for (int i = 0; gt_op_at(i); i++)
        tell_samples(&t, only, gt_op_at(i)->name, gt_op_at(i), gt_op_at(i)->samples);
    for (int i = 0; gt_composition_at(i); i++)
        tell_samples(&t, only, gt_composition_at(i)->name, NULL, gt_composition_at(i)->samples);
    for (int i = 0; gt_layer_at(i); i++)
        tell_samples(&t, only, gt_layer_at(i)->name, NULL, gt_layer_at(i)->samples);
    fprintf(
        out,
        "allocations failed: %ld (once) + %ld (from then on), in %d stories, %d as they should\n",
        t.once, t.from_then_on, t.told, t.right);
    total->passed += t.right;
    total->failed += t.told - t.right;
}
