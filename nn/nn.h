/* nn/nn.h: layers as functions, losses, initializers.
 *
 * A layer is a function of a tensor and a name. It makes its parameters at first use and finds them by name
 * later, under the scope that is open:
 *
 *     static gt_tensor network(gt_tensor x) {
 *         x = gt_relu(gt_linear(x, "fc1", 256));
 *         return gt_linear(x, "fc2", 10);
 *     }
 *
 * Other first values for a layer: make its parameter before the layer asks for it, by gt_param with the name
 * "fc2/weight" and gt_init_zeros() say, for the last layer of a residual branch that begins as no branch at all.
 *
 * Losses take predictions and targets of equal shape and refuse to broadcast. */
#ifndef GT_NN_H
#define GT_NN_H

#include "ops/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- initializers: fan_in and fan_out of a shape [in, out] are its axes, as gt_linear has them; of
 * [out, in, height, width], as convolutions have them, its second and first axis times the field, height width. */
GT_API gt_init gt_init_zeros(void);
GT_API gt_init gt_init_constant(double value);
GT_API gt_init gt_init_normal(double mean, double std);
GT_API gt_init gt_init_uniform(double low, double high);
/* Normal, drawn again outside mean +- 2 std; what is left has the standard deviation 0.8796 std. */
GT_API gt_init gt_init_truncated_normal(double mean, double std);
/* Standard deviation gain / sqrt(fan), where fan is fan_in, fan_out or the mean of both. The gain keeps the
 * size of activations through a layer: 1 for linear layers, 5/3 for tanh, sqrt 2 for relu,
 * sqrt(2 / (1 + slope^2)) for leaky_relu. fan_in keeps the forward values, fan_out the gradients. */
typedef enum gt_fan { GT_FAN_IN, GT_FAN_OUT, GT_FAN_MEAN } gt_fan;
GT_API gt_init gt_init_scaled_normal(gt_fan by, double gain);
GT_API gt_init gt_init_scaled_uniform(gt_fan by, double gain);
/* Glorot and Bengio 2010: variance 2 / (fan_in + fan_out), that is GT_FAN_MEAN with gain 1. */
GT_API gt_init gt_init_xavier_normal(void);
GT_API gt_init gt_init_xavier_uniform(void);
/* He, Zhang, Ren and Sun 2015: variance 2 / fan_in, for relu: GT_FAN_IN with gain sqrt 2. The standard
 * deviation is sqrt(2 / fan_in), not 2 / sqrt(fan_in), which doubles E[x^2] in every layer. */
GT_API gt_init gt_init_kaiming_normal(void);
GT_API gt_init gt_init_kaiming_uniform(void);
/* Saxe, McClelland and Ganguli 2014: gain times a matrix with orthonormal rows or columns, whichever are
 * fewer; rows along the first axis, the others flattened to columns. */
GT_API gt_init gt_init_orthogonal(double gain);

/* ---- layers -------------------------------------------------------------------------------------------- */

/* x w + b on the last axis: x [..., inputs] to [..., outputs]. Parameters "name/weight" [inputs, outputs]
 * (Kaiming uniform) and "name/bias" [outputs] (zeros), of x's dtype. */
GT_RECORDS gt_tensor gt_linear(gt_tensor x, const char *name, int64_t outputs);
/* Keeps each element with probability 1 - rate, scaled by 1 / (1 - rate). 0 <= rate < 1. */
GT_RECORDS gt_tensor gt_dropout(gt_tensor x, double rate);

/* ---- sequences: index -> vectors, and states that are carried from step to step ----------------------------- */

/* Row index of "name/weight" [vocabulary, width] (standard normal) for every index (i32 or i64, any shape):
 * [...] to [..., width], of the dtype given. An index out of range is an error that names it. To use the same
 * weights for the logits: gt_matmul(x, gt_t(gt_param_leaf(tape, "name/weight"))). */
GT_RECORDS gt_tensor gt_embedding(gt_tensor index, const char *name, int64_t vocabulary,
                                  int64_t width, gt_dtype dtype);

/* Recurrent layers: x [batch, time, inputs] to the states after each step, [batch, time, hidden].
 *
 *     gt_rnn    h = tanh(x W + b + h U)                                                       Elman 1990
 *     gt_lstm   i, f, g, o = parts of x W + b + h U                     Hochreiter and Schmidhuber 1997,
 *               c = sigmoid(f) c + sigmoid(i) tanh(g)                             forget gate: Gers 2000
 *               h = sigmoid(o) tanh(c)
 *     gt_gru    r, z = parts of sigmoid(x W + b + h U)                                    Cho et al. 2014
 *               n = tanh(x W + b + r (h U + b_n))
 *               h = (1 - z) n + z h
 *
 * W "name/input_weight" [inputs, gates hidden] and U "name/hidden_weight" [hidden, gates hidden] are drawn
 * uniformly from +-1 / sqrt(hidden); b "name/bias" [gates hidden] and, of gt_gru, b_n "name/hidden_bias" [hidden]
 * are zeros. Gates stand in the order i, f, g, o and r, z, n: PyTorch's, whose weights are the transposes of
 * these, and whose two biases are added up here (but for b_n).
 *
 * x W + b is one product for all steps. To run backwards in time, gt_flip x and the result along axis 1. To go
 * on in the next batch where this one ended, gt_assign the final state to a gt_buffer, which is the next initial
 * state: the gradient ends there. */
typedef struct gt_recurrent_options {
    gt_tensor initial; /* [batch, hidden] [zeros] */
    gt_tensor *final;  /* receives the state after the last step [not wanted] */
} gt_recurrent_options;

typedef struct gt_lstm_options {
    gt_tensor initial, initial_cell; /* h and c, [batch, hidden] [zeros] */
    gt_tensor *final, *final_cell;   /* receive h and c after the last step [not wanted] */
    double forget_bias; /* first value of the forget gate's bias [0]; Jozefowicz et al. 2015: 1 */
} gt_lstm_options;

GT_RECORDS gt_tensor gt_rnn(gt_tensor x, const char *name, int64_t hidden,
                            gt_recurrent_options options);
GT_RECORDS gt_tensor gt_lstm(gt_tensor x, const char *name, int64_t hidden,
                             gt_lstm_options options);
GT_RECORDS gt_tensor gt_gru(gt_tensor x, const char *name, int64_t hidden,
                            gt_recurrent_options options);
/* One step over the same parameters: x [batch, inputs] and the state h [batch, hidden] to the next state. c is
 * read and replaced. */
GT_RECORDS gt_tensor gt_rnn_cell(gt_tensor x, gt_tensor h, const char *name);
GT_RECORDS gt_tensor gt_lstm_cell(gt_tensor x, gt_tensor h, gt_tensor *c, const char *name);
GT_RECORDS gt_tensor gt_gru_cell(gt_tensor x, gt_tensor h, const char *name);

/* ---- attention: Vaswani et al. 2017 -------------------------------------------------------------------------- */

/* softmax(q k^T / sqrt(width)) v: queries [..., queries, width], keys [..., keys, width] and values
 * [..., keys, outputs] to [..., queries, outputs]; leading axes broadcast. The mask, gt_none() or broadcast to
 * [..., queries, keys], is bool (true: may be seen) or of q's dtype, added to the scores (-inf: hidden). A hidden
 * key gets weight 0 and passes no gradient; a query from which every key is hidden gets zeros. */
GT_RECORDS gt_tensor gt_attention(gt_tensor q, gt_tensor k, gt_tensor v, gt_tensor mask);
/* bool [length, length]: query i may see the keys up to i. */
GT_RECORDS gt_tensor gt_causal_mask(gt_tape *tape, int64_t length);

typedef struct gt_attention_options {
    gt_tensor memory; /* [..., keys, any width]: where keys and values come from [x] */
    gt_tensor
        mask; /* as in gt_attention, for [..., heads, queries, keys]; to hide padding: [batch, 1, 1, keys] */
    bool causal; /* no query sees a later key; not with memory */
} gt_attention_options;

/* gt_attention in heads of width / heads each, x [..., time, width] to the same shape. Linear layers without
 * activation "name/query", "name/key", "name/value" and "name/output", each a "weight" (Xavier uniform) and a
 * "bias" (zeros). */
GT_RECORDS gt_tensor gt_multi_head_attention(gt_tensor x, const char *name, int64_t heads,
                                             gt_attention_options options);

typedef struct gt_transformer_options {
    gt_tensor mask; /* as in gt_attention_options */
    bool causal;
    double dropout; /* rate, on both branches [0] */
} gt_transformer_options;

/* The pre-norm block of GPT-2 (Radford et al. 2019), x [..., time, width] to the same shape:
 *
 *     x = x + dropout(multi_head_attention(layer_norm(x)))        "name/norm1", "name/attention"
 *     x = x + dropout(linear(gelu(linear(layer_norm(x)))))        "name/norm2", "name/mlp1", "name/mlp2"
 *
 * A layer norm after the last block is the caller's. */
GT_RECORDS gt_tensor gt_transformer_block(gt_tensor x, const char *name, int64_t heads,
                                          int64_t width_of_mlp, gt_transformer_options options);
/* x + branch; equal shapes only. */
GT_RECORDS gt_tensor gt_residual(gt_tensor x, gt_tensor branch);
/* [length, width], row t: sin(t f) and cos(t f) in turn, f = 10000^(-2 i / width) for pair i. Add it to x. */
GT_RECORDS gt_tensor gt_positional_encoding(gt_tape *tape, int64_t length, int64_t width,
                                            gt_dtype dtype);
/* x [..., time, width] plus the first rows of "name/weight" [longest, width], normal with deviation 0.02 as in
 * GPT-2. Longer sequences are an error. */
GT_RECORDS gt_tensor gt_learned_positions(gt_tensor x, const char *name, int64_t longest);

/* ---- activations with shapes of their own; the element-wise ones are rows of ops/ops.def -------------- */

/* The largest of several linear pieces: max over k of (x w_k + b_k), x [..., inputs] to [..., outputs].
 * Piece k of output j is column j pieces + k of the parameters of gt_linear. Equal pieces share the
 * gradient. Goodfellow and others 2013. */
GT_RECORDS gt_tensor gt_maxout(gt_tensor x, const char *name, int64_t outputs, int64_t pieces);
/* a sigmoid(b), a and b being the halves of an axis of even size (Dauphin and others 2017). */
GT_RECORDS gt_tensor gt_glu(gt_tensor x, int axis);
/* silu(a) b, a and b being the halves of an axis of even size (Shazeer 2020). */
GT_RECORDS gt_tensor gt_swiglu(gt_tensor x, int axis);

/* ---- regularizers --------------------------------------------------------------------------------------- */

/* Sums over the trainable parameters that a pattern matches (* and ?; NULL: all), as a scalar to add to a
 * loss. They must exist: record the network first. That nothing matches is an error, and so are matches of
 * different dtypes. */
/* Sum of w^2. */
GT_RECORDS gt_tensor gt_l2(gt_tape *tape, const char *pattern);
/* Sum of |w|; derivative 0 at 0. */
GT_RECORDS gt_tensor gt_l1(gt_tape *tape, const char *pattern);
/* Sum of beta w^2 + |w|. */
GT_RECORDS gt_tensor gt_elastic_net(gt_tape *tape, const char *pattern, double beta);
/* As gt_dropout, of weights: a connection is kept with probability 1 - rate, scaled by 1 / (1 - rate) (Wan
 * and others 2013). 0 <= rate < 1. */
GT_RECORDS gt_tensor gt_drop_connect(gt_tensor w, double rate);
/* Keeps a whole sample (a position of the first axis) with probability 1 - rate, scaled by 1 / (1 - rate);
 * a dropped sample is 0, so that x + gt_stochastic_depth(f(x), rate) skips the block (Huang and others
 * 2016). 0 <= rate < 1. */
GT_RECORDS gt_tensor gt_stochastic_depth(gt_tensor residual, double rate);

/* ---- layers for images, [n, channels, height, width] ------------------------------------------------------- */

/* gt_conv2d, gt_conv1d and their transposes with a square kernel, plus a bias: parameters "name/weight"
 * (Kaiming uniform, where fan_in is what one output sees: input channels / groups times the kernel's size, and
 * less by the strides if transposed) and, unless options.no_bias, "name/bias" [channels] (zeros). channels are those
 * of the result. Before a gt_batch_norm, which subtracts it again, a bias is of no use. */
GT_RECORDS gt_tensor gt_conv2d_layer(gt_tensor x, const char *name, int64_t channels,
                                     int64_t kernel, gt_conv_options options);
GT_RECORDS gt_tensor gt_conv1d_layer(gt_tensor x, const char *name, int64_t channels,
                                     int64_t kernel, gt_conv_options options);
GT_RECORDS gt_tensor gt_conv_transpose2d_layer(gt_tensor x, const char *name, int64_t channels,
                                               int64_t kernel, gt_conv_options options);
GT_RECORDS gt_tensor gt_conv_transpose1d_layer(gt_tensor x, const char *name, int64_t channels,
                                               int64_t kernel, gt_conv_options options);
/* Resizes, larger or smaller: row r of the result is row floor(r height / rows) of x ... */
GT_RECORDS gt_tensor gt_upsample_nearest2d(gt_tensor x, int64_t rows, int64_t columns);
/* ... or lies between the two rows of x whose centres are next to (r + 1/2) height / rows; likewise columns. */
GT_RECORDS gt_tensor gt_upsample_bilinear2d(gt_tensor x, int64_t rows, int64_t columns);

/* ---- normalization: (x - mean) / sqrt(variance + epsilon), times "name/weight" (ones) plus "name/bias" (zeros),
 * with the variance divided by the number of elements -------------------------------------------------------- */

/* What is left 0 takes the default in brackets. */
typedef struct gt_batch_norm_options {
    double momentum; /* share of the new statistics in the running ones [0.1] */
    double epsilon;  /* [1e-5] */
} gt_batch_norm_options;

/* Ioffe and Szegedy 2015. Over all axes but the second: [n, channels] or [n, channels, ...]. Training uses the
 * statistics of x, of 2 elements in a channel at least, and moves the buffers "name/running_mean" (zeros at first)
 * and "name/running_variance" (ones; divided by the number less 1) towards them, once, with the step that commits:
 * gt_backward, gt_minimize, gt_commit. A layer used twice in one recording moves them twice, in the order of use.
 * Otherwise the buffers take their place: as they were before the step. */
GT_RECORDS gt_tensor gt_batch_norm(gt_tensor x, const char *name, bool training,
                                   gt_batch_norm_options options);
/* Ba, Kiros and Hinton 2016: over the last axis. */
GT_RECORDS gt_tensor gt_layer_norm(gt_tensor x, const char *name, double epsilon);
/* Zhang and Sennrich 2019: x / sqrt(mean of x^2 + epsilon) over the last axis, times "name/weight"; no bias. */
GT_RECORDS gt_tensor gt_rms_norm(gt_tensor x, const char *name, double epsilon);
/* Wu and He 2018: over each group of channels of one image, epsilon 1e-5; groups = channels: instance norm. */
GT_RECORDS gt_tensor gt_group_norm(gt_tensor x, const char *name, int64_t groups);

/* ---- losses: results are scalars -------------------------------------------------------------------------- */

/* Prediction and target have equal shapes and one dtype. A mean is over all elements or, where rows (the
 * last axis) are spoken of, over the rows. The mean of nothing is NaN. */

/* Mean and sum of (prediction - target)^2. */
GT_RECORDS gt_tensor gt_mean_squared_error(gt_tensor prediction, gt_tensor target);
GT_RECORDS gt_tensor gt_sum_squared_error(gt_tensor prediction, gt_tensor target);
/* Mean of |prediction - target|; derivative 0 at 0. */
GT_RECORDS gt_tensor gt_mean_absolute_error(gt_tensor prediction, gt_tensor target);
/* Mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = prediction - target. delta > 0. The
 * two meet with equal slopes. Huber 1964. */
GT_RECORDS gt_tensor gt_huber(gt_tensor prediction, gt_tensor target, double delta);
/* Mean of (log 2 pi + log_variance + (mean - target)^2 / variance) / 2: the negated logarithm of a normal
 * density. All three of one shape. */
GT_RECORDS gt_tensor gt_gaussian_nll(gt_tensor mean, gt_tensor log_variance, gt_tensor target);

/* Labels are i32 or i64, [...], for rows [..., classes]; one out of range is an error when it runs. */

/* Mean negative log-likelihood of the labels under softmax of the logits. */
GT_RECORDS gt_tensor gt_cross_entropy(gt_tensor logits, gt_tensor labels);
/* The same with options, all off when zero. With s the smoothing, w the weights and p = softmax(logits), the
 * row with label c loses -(1 - s) w_c log p_c - s mean_k(w_k log p_k); the result is the sum of what is lost
 * over the rows that count, divided by the sum of their w_c. */
typedef struct gt_cross_entropy_options {
    gt_tensor class_weights; /* [classes]; absent: all 1 */
    double label_smoothing;  /* in [0, 1] */
    bool ignores;            /* rows labelled ignored_label do not count, whatever their logits */
    int64_t ignored_label;
} gt_cross_entropy_options;
GT_RECORDS gt_tensor gt_cross_entropy_with(gt_tensor logits, gt_tensor labels,
                                           gt_cross_entropy_options options);
/* Mean of -log_probabilities at the labels. */
GT_RECORDS gt_tensor gt_nll(gt_tensor log_probabilities, gt_tensor labels);
/* Mean over rows of the sum over j other than the label y of max(0, s_j - s_y + margin); derivative 0 where a
 * term is exactly 0. margin >= 0. Weston and Watkins 1999. */
GT_RECORDS gt_tensor gt_hinge(gt_tensor scores, gt_tensor labels, double margin);
/* Share of rows whose largest logit is at the label, f32; no gradient. */
GT_RECORDS gt_tensor gt_accuracy(gt_tensor logits, gt_tensor labels);

/* Targets that are probabilities (one-hot or soft); a target of 0 counts nothing, even where the logarithm is
 * infinite. These are the negated log-likelihoods of a Bernoulli and of a categorical variable. */

/* Mean over rows of -sum t log softmax(logits). */
GT_RECORDS gt_tensor gt_soft_cross_entropy(gt_tensor logits, gt_tensor targets);
/* Mean over rows of -sum t log p. Where p comes from a softmax, gt_soft_cross_entropy is more exact. */
GT_RECORDS gt_tensor gt_categorical_cross_entropy(gt_tensor probabilities, gt_tensor targets);
/* Mean over rows of sum t (log t - log_prediction): 0 exactly where both agree, and not symmetric. */
GT_RECORDS gt_tensor gt_kl_divergence(gt_tensor log_prediction, gt_tensor target);
/* Mean of -t log p - (1 - t) log(1 - p). */
GT_RECORDS gt_tensor gt_binary_cross_entropy(gt_tensor probability, gt_tensor target);
/* The same with p = sigmoid(logits), exact at both ends; its derivative to a logit is (p - t) / count. */
GT_RECORDS gt_tensor gt_binary_cross_entropy_logits(gt_tensor logits, gt_tensor target);

/* Sum of -t s over the examples with t s <= 0, targets t being -1 or 1. At s = 0 the loss is 0 and the
 * derivative -t, so that learning can start from zeros. Rosenblatt 1958. */
GT_RECORDS gt_tensor gt_perceptron_loss(gt_tensor scores, gt_tensor targets);

/* Of rows [..., features]; distances are Euclidean, with derivative 0 at 0. */

/* Mean of 1 - cosine of the angle between two rows. A row of zeros has no direction: it loses 1, with
 * gradient 0. */
GT_RECORDS gt_tensor gt_cosine_loss(gt_tensor prediction, gt_tensor target);
/* Mean of max(0, |anchor - same| - |anchor - other| + margin), margin >= 0; derivative 0 where that is exactly
 * 0. Schroff and others 2015, with distances that are not squared. */
GT_RECORDS gt_tensor gt_triplet_loss(gt_tensor anchor, gt_tensor same, gt_tensor other,
                                     double margin);
/* Mean of (y d^2 + (1 - y) max(0, margin - d)^2) / 2, d = |a - b|; alike [...] holds y: 1 for rows that belong
 * together, 0 for others. margin >= 0. Hadsell and others 2006. */
GT_RECORDS gt_tensor gt_contrastive_loss(gt_tensor a, gt_tensor b, gt_tensor alike, double margin);

/* Layers and losses with their samples, for tests: as gt_composition_at. */
GT_API const gt_composition *gt_layer_at(int i);

#ifdef __cplusplus
}
#endif

#include "nn/nn_gen.h"
#endif
