/* tests/peer/cases.c: writes what the library computes, for compare.py to compute again in PyTorch.
 *
 *     peer_cases > stream          every operation, composition, layer and optimizer
 *     peer_cases NAME > stream     those called NAME
 *
 * Every sample that an operation brings along (see "Samples" in graph/graph.h) is recorded in f64 and f32.
 * Of an operation each node is a case: its attributes, its operands as fresh leaves, its results, random
 * upstream gradients, and the gradients of its operands. Of a composition or layer the whole sample is one:
 * its leaves are the operands, from left to right in the expression of the result; parameters, buffers and
 * random numbers go by name. Of an optimizer: parameters before and after STEPS given gradients.
 *
 * The stream is lines of words; one that begins with "tensor" is followed by a line of that tensor's
 * bytes:
 *
 *     subject KIND NAME              a subject, before its cases
 *     case SAMPLE DTYPE ATTR ARGS    its next case; attributes and numbers as bytes in hexadecimal, "-": none
 *     tensor ROLE KEY DTYPE SIZE...  in KEY: distinct operand KEY; param, buffer, random KEY: by name;
 *                                    out, up, grad KEY: of result or operand KEY; after KEY: of a buffer
 *     operands KEY...                which of the distinct operands the operation was given
 *     failed MESSAGE                 the library could not compute the case
 *     end                            of the stream; without it the stream is broken */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "grad/grad.h"
#include "graph/tape.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "optim/optim.h"

enum { MOST_SAMPLES = 500, MOST_OPERANDS = 32, STEPS = 10 };

static const char *only; /* the one subject that is asked for, or NULL */

/* ---- the stream ------------------------------------------------------------------------------ */

static void write_hex(const void *bytes, size_t size) {
    fputc(' ', stdout);
    if (size == 0) fputc('-', stdout);
    for (size_t i = 0; i < size; i++) printf("%02x", ((const unsigned char *)bytes)[i]);
}

static void write_values(const char *role, const char *key, const void *data, gt_shape shape,
                         gt_dtype dtype) {
    printf("tensor %s %s %s", role, key, gt_dtype_name(dtype));
    for (int d = 0; d < shape.rank; d++) printf(" %" PRId64, shape.dim[d]);
    fputc('\n', stdout);
    const size_t bytes = (size_t)gt_numel(shape) * gt_dtype_size(dtype);
    if (bytes) fwrite(data, 1, bytes, stdout);
    fputc('\n', stdout);
}

static void write_tensor(const char *role, const char *key, gt_tensor t) {
    const void *data = gt_data(t);
    if (!gt_failed(t.tape)) write_values(role, key, data, gt_shape_of(t), gt_dtype_of(t));
}

static void write_numbered(const char *role, int number, gt_tensor t) {
    char key[16];
    snprintf(key, sizeof key, "%d", number);
    write_tensor(role, key, t);
}

static bool begin_subject(const char *kind, const char *name) {
    if (only && strcmp(only, name) != 0) return false;
    printf("subject %s %s\n", kind, name);
    return true;
}

static void begin_case(int sample, gt_dtype dtype, gt_tensor node) {
    size_t size = 0;
    const void *attr = NULL;
    if (!gt_is_none(node))
        attr = gt__bytes(&node.tape->attrs, gt__node_at(node.tape, node.index)->attr, &size);
    printf("case %d %s", sample, gt_dtype_name(dtype));
    write_hex(attr, size);
    write_hex(gt_is_none(node) ? NULL : gt_args(node),
              gt_is_none(node) ? 0 : (size_t)gt_n_args(node) * sizeof(gt_arg));
    fputc('\n', stdout);
}

static void end_case(const gt_tape *tape) {
    if (gt_failed(tape)) printf("failed %s\n", gt_error(tape));
}

/* ---- results and gradients ------------------------------------------------------------------- */

/* Of size 0.5 to 1, of either sign. */
static gt_tensor draw_upstream(gt_tensor of, int k) {
    const gt_shape shape = gt_shape_of(of);
    const int64_t n = gt_numel(shape);
    double *values = calloc((size_t)n + 1, sizeof *values);
    if (!values) return gt_fail(of.tape, "no memory for an upstream gradient");
    for (int64_t i = 0; i < n; i++) {
        const double u = gt_uniform(99, (uint64_t)k, (uint64_t)i);
        values[i] = u < 0.5 ? -0.5 - u : u;
    }
    const gt_tensor up =
        gt_cast(gt_input(of.tape, values, shape, GT_F64), gt_dtype_of(of)); /* rounds for f32 */
    free(values);
    return up;
}

/* Results of y, and the gradients of <upstream, results> for the wanted leaves, if any. */
static void write_results(gt_tensor y, const gt_tensor *leaf, const bool *wanted, int count) {
    gt_tensor sum = gt_none(), x[MOST_OPERANDS], gx[MOST_OPERANDS];
    int key[MOST_OPERANDS], n = 0;
    for (int k = 0; k < count; k++)
        if (wanted[k]) key[n] = k, x[n++] = leaf[k];
    for (int k = 0; k < gt_n_out(y); k++) {
        const gt_tensor out = gt_out(y, k);
        const gt_dtype dtype = gt_dtype_of(out);
        write_numbered("out", k, out);
        if (n == 0 || (dtype != GT_F32 && dtype != GT_F64)) continue;
        const gt_tensor up = draw_upstream(out, k);
        write_numbered("up", k, up);
        const gt_tensor part = gt_cast(gt_sum(gt_mul(out, up), GT_ALL, false), GT_F64);
        sum = gt_is_none(sum) ? part : gt_add(sum, part);
    }
    if (gt_is_none(sum) || !gt_grads(sum, x, n, gx)) return;
    for (int k = 0; k < n; k++) write_numbered("grad", key[k], gx[k]);
}

static bool is_float(gt_tensor t) { return gt_dtype_of(t) == GT_F32 || gt_dtype_of(t) == GT_F64; }

/* ---- an operation: each of its nodes, over leaves of its own ---------------------------------- */

typedef struct operands {
    int n_in, n_leaf;
    int place[MOST_OPERANDS];     /* operand k is leaf place[k] */
    uint32_t from[MOST_OPERANDS]; /* the node whose value the leaf has */
    gt_tensor leaf[MOST_OPERANDS];
    bool wanted[MOST_OPERANDS];
} operands;

static bool copy_operands(gt_tensor node, bool gradient, operands *o) {
    memset(o, 0, sizeof *o);
    o->n_in = gt_n_in(node);
    if (o->n_in > MOST_OPERANDS) return gt_fail(node.tape, "too many operands"), false;
    for (int k = 0; k < o->n_in; k++) {
        const gt_tensor in = gt_in(node, k);
        int at = 0;
        while (at < o->n_leaf && o->from[at] != in.index) at++;
        o->place[k] = at;
        if (at < o->n_leaf) continue;
        const void *data = gt_data(in);
        o->from[at] = in.index;
        o->leaf[at] = gt_input(node.tape, data, gt_shape_of(in), gt_dtype_of(in));
        o->wanted[at] = gradient && is_float(in);
        o->n_leaf++;
    }
    return !gt_failed(node.tape);
}

static void write_node(gt_tensor node, int sample, gt_dtype dtype, bool gradient) {
    operands o;
    gt_tensor in[MOST_OPERANDS];
    begin_case(sample, dtype, node);
    if (copy_operands(node, gradient, &o)) {
        for (int k = 0; k < o.n_leaf; k++) write_numbered("in", k, o.leaf[k]);
        printf("operands");
        for (int k = 0; k < o.n_in; k++) printf(" %d", o.place[k]);
        fputc('\n', stdout);
        for (int k = 0; k < o.n_in; k++) in[k] = o.leaf[o.place[k]];
        write_results(gt_record_copy(node, in), o.leaf, o.wanted, o.n_leaf);
    }
    end_case(node.tape);
}

/* ---- a composition: the sample as it is ------------------------------------------------------ */

static void list_operand(operands *o, gt_tensor t, bool gradient) {
    for (int k = 0; k < o->n_leaf; k++)
        if (o->leaf[k].index == t.index) return;
    if (o->n_leaf == MOST_OPERANDS) {
        gt_fail(t.tape, "too many leaves");
        return;
    }
    const bool buffer = gt_param_name_of(t) && !gt_is_trainable(t);
    o->wanted[o->n_leaf] = gradient && is_float(t) && !buffer;
    o->leaf[o->n_leaf++] = t;
}

typedef struct search {
    bool *seen;     /* by node */
    uint32_t *left; /* nodes still to visit, the next one last */
} search;

static void list_below(operands *o, gt_tensor from, bool gradient, search *s) {
    size_t count = 1;
    s->left[0] = from.index;
    while (count > 0) {
        const gt_tensor t = gt_tensor_at(from.tape, s->left[--count]);
        if (s->seen[t.index]) continue;
        s->seen[t.index] = true;
        if (gt_is_leaf(t)) list_operand(o, t, gradient);
        for (int k = gt_n_in(t) - 1; k >= 0; k--) s->left[count++] = gt_in(t, k).index;
    }
}

/* As the expression of y has them from left to right, whatever the order in which the compiler evaluates
 * arguments; then those that y does not depend on. */
static void find_operands(gt_tensor y, bool gradient, operands *o) {
    const uint32_t size = gt_tape_size(y.tape);
    size_t edges = 1;
    for (uint32_t i = 0; i < size; i++) edges += (size_t)gt_n_in(gt_tensor_at(y.tape, i));
    search s = {calloc((size_t)size + 1, sizeof *s.seen), calloc(edges, sizeof *s.left)};
    memset(o, 0, sizeof *o);
    if (s.seen && s.left) {
        list_below(o, y, gradient, &s);
        for (uint32_t i = 0; i < size; i++) list_below(o, gt_tensor_at(y.tape, i), gradient, &s);
    } else {
        gt_fail(y.tape, "no memory to look for leaves");
    }
    free(s.seen);
    free(s.left);
}

static bool is_random(gt_tensor t) {
    const gt_op *op = gt_op_of(t);
    return op && op->more.traits & GT_RANDOM && gt_n_in(t) == 0;
}

static void write_operands(gt_tape *tape, const operands *o) {
    for (int k = 0; k < o->n_leaf; k++) {
        const gt_tensor t = o->leaf[k];
        char name[200];
        snprintf(name, sizeof name, "%d:%s", k, gt_param_name_of(t) ? gt_param_name_of(t) : "");
        write_tensor(gt_is_trainable(t) ? "param" : gt_param_name_of(t) ? "buffer" : "in", name, t);
    }
    const uint32_t size = gt_tape_size(tape);
    for (uint32_t i = 0, n = 0; i < size; i++)
        if (is_random(gt_tensor_at(tape, i)))
            write_numbered("random", (int)n++, gt_tensor_at(tape, i));
}

/* Parameters begin as zeros and ones often, which would hide what they do. Buffers may be variances. */
static void stir(gt_tensor leaf) {
    enum { MOST = 2048 };
    union {
        float f32[MOST];
        double f64[MOST];
    } values;
    const gt_dtype dtype = gt_dtype_of(leaf);
    const int64_t n = gt_numel(gt_shape_of(leaf));
    if (n > MOST || (dtype != GT_F32 && dtype != GT_F64)) return;
    for (int64_t i = 0; i < n; i++) {
        const double u =
            gt_uniform(77, leaf.index, (uint64_t)i) + (gt_is_trainable(leaf) ? -0.5 : 0.5);
        if (dtype == GT_F32)
            values.f32[i] = (float)u;
        else
            values.f64[i] = u;
    }
    gt_set(leaf, &values);
}

static void stir_parameters(gt_tape *tape) {
    for (uint32_t i = 0; i < gt_tape_size(tape); i++)
        if (gt_param_name_of(gt_tensor_at(tape, i))) stir(gt_tensor_at(tape, i));
    gt_replay(tape);
}

/* Buffers as the recorded effects leave them: running statistics. */
static void write_effects(gt_tape *tape) {
    gt_param_info info;
    if (!gt_commit(tape)) return;
    for (int i = 0; gt_params_at(gt_tape_params(tape), i, &info); i++)
        if (info.buffer) write_values("after", info.name, info.data, info.shape, info.dtype);
}

static void write_whole(gt_tensor y, int sample, gt_dtype dtype, bool gradient) {
    operands o;
    begin_case(sample, dtype, gt_none());
    stir_parameters(y.tape);
    find_operands(y, gradient, &o);
    write_operands(y.tape, &o);
    write_results(y, o.leaf, o.wanted, o.n_leaf);
    if (!gt_failed(y.tape)) write_effects(y.tape);
    end_case(y.tape);
}

/* ---- samples --------------------------------------------------------------------------------- */

static void write_nodes(const gt_op *op, gt_tape *tape, int sample, gt_dtype dtype, bool gradient) {
    const uint32_t size = gt_tape_size(tape); /* write_node records more */
    for (uint32_t i = 0; i < size && !gt_failed(tape); i++) {
        const gt_tensor node = gt_tensor_at(tape, i);
        if (gt_op_of(node) == op && gt_out_index(node) == 0)
            write_node(node, sample, dtype, gradient && !op->gradient.none);
    }
}

/* False past the last. */
static bool write_sample(const gt_op *op, gt_tensor (*samples)(gt_samples *, int), int i,
                         gt_dtype dtype) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_samples s = {.tape = tape, .op = op, .dtype = dtype, .seed = 7 + (uint64_t)i};
    const gt_tensor y = samples(&s, i);
    const bool failed = gt_failed(tape), good = !s.ended && !s.bad;
    if (good && failed) {
        begin_case(i, dtype, gt_none());
        end_case(tape);
    } else if (good && op) {
        write_nodes(op, tape, i, dtype, !s.no_gradient);
    } else if (good) {
        write_whole(y, i, dtype, !s.no_gradient);
    }
    gt_tape_free(tape);
    return !s.ended;
}

static void write_subject(const char *kind, const char *name, const gt_op *op,
                          gt_tensor (*samples)(gt_samples *, int)) {
    if (!begin_subject(kind, name)) return;
    for (int i = 0; i < MOST_SAMPLES && write_sample(op, samples, i, GT_F64); i++)
        write_sample(op, samples, i, GT_F32);
}

/* ---- optimizers ------------------------------------------------------------------------------ */

#define OPTIMIZER(function, make, options, ...)                                                    \
    static gt_optim *function(gt_params *params) { return make(params, (options){__VA_ARGS__}); }

OPTIMIZER(sgd, gt_sgd, gt_sgd_options, .rate = 0.1)
OPTIMIZER(sgd_decay, gt_sgd, gt_sgd_options, .rate = 0.1, .weight_decay = 0.05)
OPTIMIZER(momentum, gt_sgd, gt_sgd_options, .rate = 0.1, .momentum = 0.9, .weight_decay = 0.05)
OPTIMIZER(nesterov, gt_sgd, gt_sgd_options, .rate = 0.1, .momentum = 0.9, .nesterov = true,
          .weight_decay = 0.05)
OPTIMIZER(clip_value, gt_sgd, gt_sgd_options, .rate = 0.1, .clip_value = 0.5)
OPTIMIZER(clip_norm, gt_sgd, gt_sgd_options, .rate = 0.1, .clip_norm = 0.5)
OPTIMIZER(adam, gt_adam, gt_adam_options, .rate = 0.01)
OPTIMIZER(adam_decay, gt_adam, gt_adam_options, .rate = 0.01, .beta1 = 0.8, .beta2 = 0.95,
          .epsilon = 1e-4, .weight_decay = 0.05)
OPTIMIZER(adamw, gt_adamw, gt_adam_options, .rate = 0.01)
OPTIMIZER(adamw_decay, gt_adamw, gt_adam_options, .rate = 0.01, .weight_decay = 0.5)
OPTIMIZER(rmsprop, gt_rmsprop, gt_rmsprop_options, .rate = 0.01)
OPTIMIZER(rmsprop_all, gt_rmsprop, gt_rmsprop_options, .rate = 0.01, .alpha = 0.9, .epsilon = 1e-5,
          .momentum = 0.9, .centered = true, .weight_decay = 0.05)
OPTIMIZER(adagrad, gt_adagrad, gt_adagrad_options, .rate = 0.1)
OPTIMIZER(adagrad_all, gt_adagrad, gt_adagrad_options, .rate = 0.1, .rate_decay = 0.1,
          .epsilon = 1e-6, .weight_decay = 0.05)
OPTIMIZER(adadelta, gt_adadelta, gt_adadelta_options, .rate = 1)
OPTIMIZER(adadelta_all, gt_adadelta, gt_adadelta_options, .rate = 0.5, .rho = 0.8, .epsilon = 1e-3,
          .weight_decay = 0.05)
OPTIMIZER(lion, gt_lion, gt_lion_options, .rate = 0.01, .weight_decay = 0.05)

static const struct {
    const char *name;
    gt_optim *(*make)(gt_params *params);
} optimizers[] = {
    {"sgd", sgd},
    {"sgd_decay", sgd_decay},
    {"sgd_momentum", momentum},
    {"sgd_nesterov", nesterov},
    {"sgd_clip_value", clip_value},
    {"sgd_clip_norm", clip_norm},
    {"adam", adam},
    {"adam_decay", adam_decay},
    {"adamw", adamw},
    {"adamw_decay", adamw_decay},
    {"rmsprop", rmsprop},
    {"rmsprop_centered_momentum", rmsprop_all},
    {"adagrad", adagrad},
    {"adagrad_rate_decay", adagrad_all},
    {"adadelta", adadelta},
    {"adadelta_decay", adadelta_all},
    {"lion", lion},
};

/* count elements from -1 to 1, the i-th shrunk by 2^-(i % 4): gradients of several sizes. */
static gt_tensor draw_values(gt_tape *tape, gt_shape shape, gt_dtype dtype, uint64_t stream) {
    double values[16] = {0};
    for (int64_t i = 0; i < gt_numel(shape); i++)
        values[i] = (2 * gt_uniform(5, stream, (uint64_t)i) - 1) / (double)(1 << (i % 4));
    return gt_cast(gt_input(tape, values, shape, GT_F64), dtype);
}

static bool make_parameters(gt_tape *tape, gt_dtype dtype) {
    const gt_tensor weight = draw_values(tape, GT_SHAPE(3, 4), dtype, 1000);
    const gt_tensor bias = draw_values(tape, GT_SHAPE(4), dtype, 1001);
    gt_params *params = gt_tape_params(tape);
    write_tensor("in", "weight", weight);
    write_tensor("in", "bias", bias);
    return gt_param_set(params, "weight", GT_SHAPE(3, 4), dtype, gt_data(weight), true) &&
           gt_param_set(params, "bias", GT_SHAPE(4), dtype, gt_data(bias), true);
}

/* The gradient of <g, x> for x is g, whatever x is. */
static bool step(gt_tape *tape, gt_optim *opt, int t) {
    static const char *const name[] = {"weight", "bias"};
    gt_tensor loss = gt_none();
    gt_tape_reset(tape);
    for (int k = 0; k < 2; k++) {
        const gt_tensor x = gt_param_leaf(tape, name[k]);
        const gt_tensor g =
            draw_values(tape, gt_shape_of(x), gt_dtype_of(x), 2 * (uint64_t)t + (uint64_t)k);
        char key[32];
        snprintf(key, sizeof key, "%d:%s", t, name[k]);
        write_tensor("up", key, g);
        const gt_tensor part = gt_sum(gt_mul(g, x), GT_ALL, false);
        loss = gt_is_none(loss) ? part : gt_add(loss, part);
    }
    return gt_minimize(opt, loss);
}

static void write_training(gt_optim *(*make)(gt_params *), gt_dtype dtype) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_params *params = gt_tape_params(tape);
    begin_case(0, dtype, gt_none());
    bool ok = make_parameters(tape, dtype);
    gt_optim *opt = make(params);
    for (int t = 0; ok && opt && t < STEPS; t++) ok = step(tape, opt, t);
    gt_param_info info;
    for (int i = 0; ok && opt && gt_params_at(params, i, &info); i++)
        if (info.trainable) write_values("out", info.name, info.data, info.shape, info.dtype);
    if (!ok || !opt) printf("failed %s%s\n", gt_error(tape), gt_params_error(params));
    gt_optim_free(opt);
    gt_tape_free(tape);
}

static void write_optimizers(void) {
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        if (!begin_subject("optimizer", optimizers[i].name)) continue;
        write_training(optimizers[i].make, GT_F64);
        write_training(optimizers[i].make, GT_F32);
    }
}

int main(int argc, char **argv) {
    only = argc > 1 ? argv[1] : NULL;
    for (int i = 0; gt_op_at(i); i++)
        write_subject("op", gt_op_at(i)->name, gt_op_at(i), gt_op_at(i)->samples);
    for (int i = 0; gt_composition_at(i); i++)
        write_subject("composition", gt_composition_at(i)->name, NULL,
                      gt_composition_at(i)->samples);
    for (int i = 0; gt_layer_at(i); i++)
        write_subject("layer", gt_layer_at(i)->name, NULL, gt_layer_at(i)->samples);
    write_optimizers();
    puts("end");
    return fflush(stdout) != 0 || ferror(stdout);
}
