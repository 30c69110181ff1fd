/* nn/attention.c: attention, the transformer block, and what tells positions apart.
 *
 * A hidden key has weight 0 exactly, and a query that may see no key gets zeros: masked scores are
 * replaced by the lowest finite number before the softmax, and their weights by 0 after it, so that
 * no infinity enters and no gradient passes. */
#include <float.h>
#include <math.h>

#include "nn/accept.h"
#include "nn/nn.h"
#include "ops/ops.h"
#include "ops/shape.h"

/* ---- scaled dot product --------------------------------------------------------------------- */

static bool check_operands(gt_tensor q, gt_tensor k, gt_tensor v) {
    char a[GT__TENSOR_TEXT], b[GT__TENSOR_TEXT], c[GT__TENSOR_TEXT];
    gt__tensor_text(q, a);
    gt__tensor_text(k, b);
    gt__tensor_text(v, c);
    if (gt_rank(q) < 2 || gt_rank(k) < 2 || gt_rank(v) < 2)
        gt_fail(q.tape, "attention: queries %s, keys %s and values %s have two axes at least", a, b,
                c);
    else if (gt_dim(q, -1) != gt_dim(k, -1))
        gt_fail(q.tape, "attention: queries %s and keys %s differ along the last axis", a, b);
    else if (gt_dim(k, -2) != gt_dim(v, -2))
        gt_fail(q.tape, "attention: keys %s and values %s differ in number: axis -2", b, c);
    else
        return true;
    return false;
}

static bool check_mask(gt_tensor mask, gt_tensor scores) {
    char a[GT__TENSOR_TEXT];
    const gt_dtype dtype = gt_dtype_of(mask);
    const long long queries = gt_dim(scores, -2), keys = gt_dim(scores, -1);
    bool fits = true;
    for (int d = -1; d >= -2 && -d <= gt_rank(mask); d--)
        fits = fits && (gt_dim(mask, d) == 1 || gt_dim(mask, d) == gt_dim(scores, d));
    gt__tensor_text(mask, a);
    if (!fits)
        gt_fail(mask.tape, "attention: mask %s does not fit %lld queries and %lld keys", a, queries,
                keys);
    else if (dtype != GT_BOOL && dtype != gt_dtype_of(scores))
        gt_fail(mask.tape, "attention: mask %s is %s, neither bool nor %s", a, gt_dtype_name(dtype),
                gt_dtype_name(gt_dtype_of(scores)));
    else
        return true;
    return false;
}

/* What may be seen under a mask, as bool. */
static gt_tensor allowed_by(gt_tensor mask) {
    const gt_dtype dtype = gt_dtype_of(mask);
    if (dtype == GT_BOOL) return mask;
    return gt_not_equal(mask, gt_scalar(mask.tape, (double)-INFINITY, dtype));
}

/* Shares that sum to 1 over the allowed keys; all 0 where none is. */
static gt_tensor masked_softmax(gt_tensor scores, gt_tensor allowed) {
    const gt_dtype dtype = gt_dtype_of(scores);
    const double lowest = dtype == GT_F64 ? -DBL_MAX : -(double)FLT_MAX;
    const gt_tensor low = gt_scalar(scores.tape, lowest, dtype);
    const gt_tensor none = gt_scalar(scores.tape, 0, dtype);
    return gt_where(allowed, gt_softmax(gt_where(allowed, scores, low), -1), none);
}

/* Of queries that are scaled already. */
static gt_tensor attend(gt_tensor q, gt_tensor k, gt_tensor v, gt_tensor mask) {
    gt_tensor scores = gt_matmul(q, gt_t(k));
    if (gt_is_none(mask)) return gt_matmul(gt_softmax(scores, -1), v);
    if (!gt_valid(scores) || !check_mask(mask, scores)) return gt__refused(q);
    if (gt_dtype_of(mask) != GT_BOOL) scores = gt_add(scores, mask);
    return gt_matmul(masked_softmax(scores, allowed_by(mask)), v);
}

static gt_tensor scaled(gt_tensor q, int64_t width) {
    return gt_mul_scalar(q, width > 0 ? 1 / sqrt((double)width) : 1);
}

gt_tensor gt_attention(gt_tensor q, gt_tensor k, gt_tensor v, gt_tensor mask) {
    if (!gt_valid(q) || !gt_valid(k) || !gt_valid(v)) return gt_accumulate(GT_LIST(q, k, v));
    if (!gt_is_none(mask) && !gt_valid(mask)) return gt_add(q, mask);
    if (!check_operands(q, k, v)) return gt__refused(q);
    return attend(scaled(q, gt_dim(q, -1)), k, v, mask);
}

gt_tensor gt_causal_mask(gt_tape *tape, int64_t length) {
    return gt_tril(gt_ones(tape, GT_SHAPE(length, length), GT_BOOL), 0);
}

/* ---- several heads -------------------------------------------------------------------------- */

/* x w + b, with the initialization that is usual here. */
static gt_tensor project(gt_tensor x, const char *name, int64_t outputs) {
    const gt_dtype dtype = gt_dtype_of(x);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor w = gt_param(x.tape, "weight", GT_SHAPE(gt_dim(x, -1), outputs), dtype,
                                 gt_init_xavier_uniform());
    const gt_tensor b = gt_param(x.tape, "bias", GT_SHAPE(outputs), dtype, gt_init_zeros());
    gt_scope_pop(x.tape);
    return gt_add(gt_matmul(x, w), b);
}

/* [..., time, width] to [..., heads, time, width / heads], for products. */
static gt_tensor split_heads(gt_tensor x, int64_t heads) {
    if (!gt_valid(x)) return x;
    gt_shape shape = gt_shape_of(x);
    x = gt_as_operand(x);
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): the callers refuse heads that do not divide
    shape.dim[shape.rank] = shape.dim[shape.rank - 1] / heads;
    shape.dim[shape.rank - 1] = heads;
    shape.rank++;
    return gt_transpose(gt_reshape(x, shape), -3, -2);
}

/* And back. */
static gt_tensor merge_heads(gt_tensor x) {
    const gt_tensor together = gt_transpose(x, -3, -2);
    gt_shape shape = gt_shape_of(together);
    if (!gt_valid(together)) return together;
    shape.dim[shape.rank - 2] *= shape.dim[shape.rank - 1];
    shape.rank--;
    return gt_reshape(together, shape);
}

static bool check_heads(gt_tensor x, const char *name, int64_t heads,
                        const gt_attention_options *options) {
    const char *who = "multi_head_attention";
    const bool remote = !gt_is_none(options->memory);
    char a[GT__TENSOR_TEXT], b[GT__TENSOR_TEXT];
    gt__tensor_text(x, a);
    if (!name)
        gt_fail(x.tape, "%s: no name", who);
    else if (gt_rank(x) < 2 || gt_rank(x) == GT_MAX_RANK)
        gt_fail(x.tape, "%s: %s has rank %d, not 2 to %d: [..., time, width]", who, a, gt_rank(x),
                GT_MAX_RANK - 1);
    else if (remote && gt_rank(options->memory) != gt_rank(x))
        gt_fail(x.tape, "%s: memory %s and %s differ in rank", who,
                gt__tensor_text(options->memory, b), a);
    else if (remote && options->causal)
        gt_fail(x.tape, "%s: causal hides the future of %s; memory %s has none", who, a,
                gt__tensor_text(options->memory, b));
    else if (heads < 1 || gt_dim(x, -1) % heads != 0)
        gt_fail(x.tape, "%s: the last axis of %s is not divisible by %lld heads", who, a,
                (long long)heads);
    else
        return true;
    return false;
}

/* The mask given, and the causal one; a float mask gets -inf where the causal one hides. */
static gt_tensor whole_mask(gt_tensor x, const gt_attention_options *options) {
    const gt_tensor mask = options->mask;
    if (!options->causal) return mask;
    const gt_tensor causal = gt_causal_mask(x.tape, gt_dim(x, -2));
    if (gt_is_none(mask)) return causal;
    if (gt_dtype_of(mask) == GT_BOOL) return gt_logical_and(mask, causal);
    return gt_where(causal, mask, gt_scalar(x.tape, (double)-INFINITY, gt_dtype_of(mask)));
}

gt_tensor gt_multi_head_attention(gt_tensor x, const char *name, int64_t heads,
                                  gt_attention_options options) {
    if (!gt_valid(x)) return gt_matmul(x, x); /* says what is wrong with x */
    if (!gt_is_none(options.memory) && !gt_valid(options.memory)) return gt_add(x, options.memory);
    if (!gt_is_none(options.mask) && !gt_valid(options.mask)) return gt_add(x, options.mask);
    if (!check_heads(x, name, heads, &options)) return gt__refused(x);
    const gt_tensor memory = gt_is_none(options.memory) ? x : options.memory;
    const int64_t width = gt_dim(x, -1);
    gt_scope_push(x.tape, "%s", name);
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): check_heads has refused 0
    const gt_tensor q = split_heads(scaled(project(x, "query", width), width / heads), heads);
    const gt_tensor k = split_heads(project(memory, "key", width), heads);
    const gt_tensor v = split_heads(project(memory, "value", width), heads);
    gt_tensor y = gt_none();
    if (!gt_failed(x.tape)) y = merge_heads(attend(q, k, v, whole_mask(x, &options)));
    y = gt_failed(x.tape) ? gt__refused(x) : project(y, "output", width);
    gt_scope_pop(x.tape);
    return y;
}

/* ---- the block ------------------------------------------------------------------------------ */

gt_tensor gt_residual(gt_tensor x, gt_tensor branch) {
    char a[GT__TENSOR_TEXT], b[GT__TENSOR_TEXT];
    if (gt_valid(x) && gt_valid(branch) && !gt_same_shape(gt_shape_of(x), gt_shape_of(branch)))
        return gt_fail(x.tape, "residual: %s and its branch %s differ in shape",
                       gt__tensor_text(x, a), gt__tensor_text(branch, b));
    return gt_add(x, branch);
}

gt_tensor gt_transformer_block(gt_tensor x, const char *name, int64_t heads, int64_t width_of_mlp,
                               gt_transformer_options options) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_matmul(x, x); /* says what is wrong with x */
    if (!name) return gt_fail(x.tape, "transformer_block: no name");
    if (gt_rank(x) < 2)
        return gt_fail(x.tape, "transformer_block: %s is not [..., time, width]",
                       gt__tensor_text(x, text));
    const int64_t width = gt_dim(x, -1);
    const gt_attention_options how = {.mask = options.mask, .causal = options.causal};
    gt_scope_push(x.tape, "%s", name);
    gt_tensor y = gt_multi_head_attention(gt_layer_norm(x, "norm1", 1e-5), "attention", heads, how);
    x = gt_residual(x, gt_dropout(y, options.dropout));
    y = gt_gelu(gt_linear(gt_layer_norm(x, "norm2", 1e-5), "mlp1", width_of_mlp));
    y = gt_residual(x, gt_dropout(gt_linear(y, "mlp2", width), options.dropout));
    gt_scope_pop(x.tape);
    return y;
}

/* ---- positions ------------------------------------------------------------------------------ */

/* In f64, whatever the result is: an angle of thousands has few digits left in f32. */
gt_tensor gt_positional_encoding(gt_tape *tape, int64_t length, int64_t width, gt_dtype dtype) {
    if (length < 0 || width < 0 || width > INT32_MAX)
        return gt_fail(tape, "positional_encoding: no shape is [%lld,%lld]", (long long)length,
                       (long long)width);
    const int64_t pairs = width / 2 + width % 2;
    const double step = width > 0 ? -2 * log(10000) / (double)width : 0;
    const gt_tensor position = gt_arange(tape, 0, 1, length, GT_F64);
    const gt_tensor frequency = gt_exp(gt_arange(tape, 0, step, pairs, GT_F64));
    const gt_tensor angle = gt_outer(position, frequency);
    const gt_tensor both = gt_stack(GT_LIST(gt_sin(angle), gt_cos(angle)), -1);
    const gt_tensor rows = gt_reshape(both, GT_SHAPE(length, 2 * pairs));
    return gt_cast(gt_slice(rows, 1, 0, width, 1), dtype);
}

gt_tensor gt_learned_positions(gt_tensor x, const char *name, int64_t longest) {
    char text[GT__TENSOR_TEXT];
    if (!gt_valid(x)) return gt_matmul(x, x); /* says what is wrong with x */
    gt__tensor_text(x, text);
    if (!name) return gt_fail(x.tape, "learned_positions: no name");
    if (gt_rank(x) < 2)
        return gt_fail(x.tape, "learned_positions: %s is not [..., time, width]", text);
    if (gt_dim(x, -2) > longest)
        return gt_fail(x.tape, "learned_positions %s: %s is longer than %lld", name, text,
                       (long long)longest);
    gt_scope_push(x.tape, "%s", name);
    const gt_tensor table = gt_param(x.tape, "weight", GT_SHAPE(longest, gt_dim(x, -1)),
                                     gt_dtype_of(x), gt_init_normal(0, 0.02));
    gt_scope_pop(x.tape);
    return gt_add(x, gt_slice(table, 0, 0, gt_dim(x, -2), 1));
}

/* ---- samples -------------------------------------------------------------------------------- */

static gt_tensor bad_attention(gt_samples *s, int i) {
    const gt_tensor q = gt_sample(s, GT_SHAPE(2, 3)), k = gt_sample(s, GT_SHAPE(4, 3));
    const gt_tensor other = gt_sample(s, GT_SHAPE(3, 4)), vector = gt_select(q, 0, 0);
    const gt_tensor index = gt_sample_int(s, GT_SHAPE(2, 4), GT_I32, 2);
    switch (i) {
    case 0: return gt_sample_bad(s, "differ along the last"), gt_attention(q, other, k, gt_none());
    case 1: return gt_sample_bad(s, "differ in number"), gt_attention(q, k, other, gt_none());
    case 2: return gt_sample_bad(s, "two axes at least"), gt_attention(vector, k, k, gt_none());
    case 3: return gt_sample_bad(s, "2 queries and 4 keys"), gt_attention(q, k, k, other);
    case 4: return gt_sample_bad(s, "neither bool nor f"), gt_attention(q, k, k, index);
    default: return gt_samples_end(s);
    }
}

static gt_tensor attention_of(gt_samples *s, gt_shape mask, const double *hidden, gt_dtype dtype) {
    const gt_tensor q = gt_sample(s, GT_SHAPE(2, 3, 2)), k = gt_sample(s, GT_SHAPE(2, 4, 2));
    return gt_attention(q, k, gt_sample(s, GT_SHAPE(2, 4, 3)),
                        gt_sample_values(s, mask, dtype, hidden));
}

static gt_tensor attention_samples(gt_samples *s, int i) {
    const double hidden = -(double)INFINITY;
    const double row[3] = {1, 0, 1}, allowed[12] = {1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 1};
    const double added[12] = {0, hidden, 1, -1, 0, 0, hidden, 0.5, hidden, hidden, hidden, hidden};
    switch (i) {
    case 0: {
        const gt_tensor q = gt_sample(s, GT_SHAPE(3, 2)), k = gt_sample(s, GT_SHAPE(3, 2));
        return gt_attention(q, k, gt_sample(s, GT_SHAPE(3, 2)), gt_none());
    }
    case 1: {
        const gt_tensor q = gt_sample(s, GT_SHAPE(2, 2, 3, 2)), k = gt_sample(s, GT_SHAPE(2, 4, 2));
        return gt_attention(q, k, gt_sample(s, GT_SHAPE(4, 3)), gt_none());
    }
    case 2: return attention_of(s, GT_SHAPE(3, 4), allowed, GT_BOOL);
    case 3:
        return attention_of(s, GT_SHAPE(3, 1), row, GT_BOOL); /* the second query sees nothing */
    case 4: return attention_of(s, GT_SHAPE(3, 4), added, gt_sample_dtype(s));
    case 5: {
        const gt_tensor q = gt_sample(s, GT_SHAPE(3, 2)), k = gt_sample(s, GT_SHAPE(3, 2));
        return gt_attention(q, k, k, gt_sample(s, GT_SHAPE(3, 3)));
    }
    case 6: {
        const gt_tensor q = gt_sample(s, GT_SHAPE(2, 3)), k = gt_sample(s, GT_SHAPE(0, 3));
        const gt_tensor zeros = gt_attention(q, k, gt_sample(s, GT_SHAPE(0, 3)), gt_none());
        return gt_residual(q, zeros);
    }
    case 7: {
        const gt_tensor q = gt_sample(s, GT_SHAPE(2, 0)), k = gt_sample(s, GT_SHAPE(3, 0));
        return gt_attention(q, k, gt_sample(s, GT_SHAPE(3, 2)), gt_none());
    }
    case 8: {
        const gt_tensor q = gt_sample_range(s, GT_SHAPE(2, 2), 90, 100); /* no overflow */
        return gt_attention(q, q, gt_sample(s, GT_SHAPE(2, 2)), gt_none());
    }
    default: return bad_attention(s, i - 9);
    }
}

static gt_tensor causal_samples(gt_samples *s, int i) {
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_causal_mask(s->tape, 3);
    case 1: return gt_causal_mask(s->tape, 0);
    case 2: return gt_sample_bad(s, "is negative"), gt_causal_mask(s->tape, -1);
    default: return gt_samples_end(s);
    }
}

static gt_tensor heads_of(gt_tensor x, int64_t heads, gt_attention_options options) {
    return gt_multi_head_attention(x, "heads", heads, options);
}

static gt_tensor bad_heads(gt_samples *s, int i) {
    const gt_attention_options plain = {.causal = false};
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4)), flat = gt_sample(s, GT_SHAPE(3, 4));
    switch (i) {
    case 0: return gt_sample_bad(s, "not divisible by 3 heads"), heads_of(x, 3, plain);
    case 1: return gt_sample_bad(s, "not divisible by 0 heads"), heads_of(x, 0, plain);
    case 2: return gt_sample_bad(s, "has rank 1"), heads_of(gt_select(flat, 0, 0), 2, plain);
    case 3:
        gt_sample_bad(s, "differ in rank");
        return heads_of(x, 2, (gt_attention_options){.memory = flat});
    case 4:
        gt_sample_bad(s, "causal hides the future");
        return heads_of(x, 2, (gt_attention_options){.memory = x, .causal = true});
    case 5:
        gt_sample_bad(s, "does not fit 3 queries and 3 keys");
        return heads_of(x, 2, (gt_attention_options){.mask = flat});
    case 6: return gt_sample_bad(s, "no name"), gt_multi_head_attention(x, NULL, 2, plain);
    default: return gt_samples_end(s);
    }
}

static gt_tensor heads_samples(gt_samples *s, int i) {
    const gt_attention_options plain = {.causal = false}, causal = {.causal = true};
    const double padding[6] = {1, 1, 0, 1, 1, 1};
    switch (i) {
    case 0: return heads_of(gt_sample(s, GT_SHAPE(2, 3, 4)), 2, plain);
    case 1: return heads_of(gt_sample(s, GT_SHAPE(2, 3, 4)), 4, causal);
    case 2: return heads_of(gt_sample(s, GT_SHAPE(3, 2)), 1, plain);
    case 3: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 2, 4)), m = gt_sample(s, GT_SHAPE(2, 3, 5));
        return heads_of(x, 2, (gt_attention_options){.memory = m});
    }
    case 4: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4));
        const gt_tensor mask = gt_sample_values(s, GT_SHAPE(2, 1, 1, 3), GT_BOOL, padding);
        return heads_of(x, 2, (gt_attention_options){.mask = mask, .causal = true});
    }
    case 5: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3, 4)), mask = gt_sample(s, GT_SHAPE(3, 3));
        return heads_of(x, 2, (gt_attention_options){.mask = mask, .causal = true});
    }
    case 6: return heads_of(gt_sample(s, GT_SHAPE(2, 0, 4)), 2, causal);
    default: return bad_heads(s, i - 7);
    }
}

static gt_tensor residual_samples(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2)), y = gt_sample(s, GT_SHAPE(3, 2));
    switch (i) {
    case 0: return gt_residual(x, gt_tanh(y));
    case 1: return gt_sample_bad(s, "differ in shape"), gt_residual(x, gt_select(y, 0, 0));
    default: return gt_samples_end(s);
    }
}

static gt_tensor block_samples(gt_samples *s, int i) {
    const gt_transformer_options plain = {.causal = false};
    const double padding[6] = {1, 1, 0, 1, 1, 1};
    const gt_tensor x = gt_sample(s, i == 3 ? GT_SHAPE(4) : GT_SHAPE(2, 3, 4));
    switch (i) {
    case 0: return gt_transformer_block(x, "block", 2, 6, plain);
    case 1: {
        const gt_transformer_options how = {.causal = true, .dropout = 0.3};
        return gt_transformer_block(x, "block", 1, 3, how);
    }
    case 2: {
        const gt_tensor mask = gt_sample_values(s, GT_SHAPE(2, 1, 1, 3), GT_BOOL, padding);
        return gt_transformer_block(x, "block", 2, 4, (gt_transformer_options){.mask = mask});
    }
    case 3:
        return gt_sample_bad(s, "is not [..., time, width]"),
               gt_transformer_block(x, "block", 2, 4, plain);
    case 4: return gt_sample_bad(s, "by 3 heads"), gt_transformer_block(x, "block", 3, 4, plain);
    case 5: return gt_sample_bad(s, "is negative"), gt_transformer_block(x, "block", 2, -4, plain);
    case 6: return gt_sample_bad(s, "no name"), gt_transformer_block(x, NULL, 2, 4, plain);
    case 7: {
        const gt_transformer_options how = {.dropout = 1};
        return gt_sample_bad(s, "not in [0, 1)"), gt_transformer_block(x, "block", 2, 4, how);
    }
    default: return gt_samples_end(s);
    }
}

static gt_tensor encoding_samples(gt_samples *s, int i) {
    const gt_dtype dtype = gt_sample_dtype(s);
    gt_sample_no_gradient(s);
    switch (i) {
    case 0: return gt_positional_encoding(s->tape, 5, 6, dtype);
    case 1: return gt_positional_encoding(s->tape, 3, 5, dtype);
    case 2: return gt_positional_encoding(s->tape, 0, 4, dtype);
    case 3: return gt_positional_encoding(s->tape, 2, 0, dtype);
    case 4: return gt_sample_bad(s, "no shape"), gt_positional_encoding(s->tape, 2, -1, dtype);
    case 5: return gt_sample_bad(s, "no shape"), gt_positional_encoding(s->tape, -2, 1, dtype);
    default: return gt_samples_end(s);
    }
}

static gt_tensor positions_samples(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, i == 2 ? GT_SHAPE(4) : GT_SHAPE(2, 3, 4));
    switch (i) {
    case 0: return gt_learned_positions(x, "positions", 5);
    case 1: return gt_learned_positions(gt_learned_positions(x, "positions", 3), "positions", 3);
    case 2: return gt_sample_bad(s, "is not [..., time"), gt_learned_positions(x, "positions", 5);
    case 3: return gt_sample_bad(s, "longer than 2"), gt_learned_positions(x, "positions", 2);
    case 4: return gt_sample_bad(s, "no name"), gt_learned_positions(x, NULL, 5);
    default: return gt_samples_end(s);
    }
}

const gt_composition gt__layer_attention = {"attention", attention_samples};
const gt_composition gt__layer_causal_mask = {"causal_mask", causal_samples};
const gt_composition gt__layer_multi_head = {"multi_head_attention", heads_samples};
const gt_composition gt__layer_residual = {"residual", residual_samples};
const gt_composition gt__layer_transformer_block = {"transformer_block", block_samples};
const gt_composition gt__layer_positional_encoding = {"positional_encoding", encoding_samples};
const gt_composition gt__layer_learned_positions = {"learned_positions", positions_samples};
