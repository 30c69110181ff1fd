/* ops/ops.h: every operation, its shape rule, kernel and local gradient.
 *
 * Operations take tensors, record a node on the tape of their operands and return it; they nest:
 *
 *     gt_tape *tape = gt_tape_new(NULL);
 *     const float a[6] = {1, 2, 3, 4, 5, 6}, b[3] = {1, 0, -1};
 *     gt_tensor x = gt_input(tape, a, GT_SHAPE(2, 3), GT_F32);
 *     gt_tensor w = gt_input(tape, b, GT_SHAPE(3), GT_F32);
 *     gt_tensor y = gt_sum(gt_tanh(gt_matmul(x, w)), GT_ALL, false);
 *     printf("%g\n", gt_item(y));
 *     gt_tape_free(tape);
 *
 * Shapes broadcast as in NumPy; axes may be negative. Operands of an operation have one dtype: cast where
 * they differ. Integers wrap. Zero-size tensors are legal. Errors: see graph/graph.h; a message gives the
 * operation, the names and shapes of its operands and the caller's line.
 *
 * Element-wise operations are the rows of ops/ops.def and are declared in ops_gen.h, with their formulas,
 * domains and behaviour at kinks. The others follow here. */
#ifndef GT_OPS_H
#define GT_OPS_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- making tensors ------------------------------------------------------------------------------------ */

/* Every element is value, converted to dtype. */
GT_RECORDS gt_tensor gt_full(gt_tape *tape, gt_shape shape, double value, gt_dtype dtype);
GT_RECORDS gt_tensor gt_zeros(gt_tape *tape, gt_shape shape, gt_dtype dtype);
GT_RECORDS gt_tensor gt_ones(gt_tape *tape, gt_shape shape, gt_dtype dtype);
GT_RECORDS gt_tensor gt_scalar(gt_tape *tape, double value, gt_dtype dtype);
/* start, start + step, ...: count elements. */
GT_RECORDS gt_tensor gt_arange(gt_tape *tape, double start, double step, int64_t count,
                               gt_dtype dtype);
/* count elements from first to last, both included; floats only. */
GT_RECORDS gt_tensor gt_linspace(gt_tape *tape, double first, double last, int64_t count,
                                 gt_dtype dtype);
/* The identity matrix [n, n]. */
GT_RECORDS gt_tensor gt_eye(gt_tape *tape, int64_t n, gt_dtype dtype);
/* Uniform in [0, 1) and standard normal; f32 or f64. Counter-based: the same numbers in forward, backward,
 * replays and checks. Each recording takes the next ordinal of the tape's parameters. */
GT_RECORDS gt_tensor gt_rand(gt_tape *tape, gt_shape shape, gt_dtype dtype);
GT_RECORDS gt_tensor gt_randn(gt_tape *tape, gt_shape shape, gt_dtype dtype);
/* Converts elements: floats to integers towards zero, saturating, NaN to 0; to bool: nonzero. Gradients of
 * casts between floats are cast back; the gradient of a bf16 tensor is f32. */
GT_RECORDS gt_tensor gt_cast(gt_tensor x, gt_dtype dtype);
/* x, with no gradient flowing to it. */
GT_RECORDS gt_tensor gt_stop_gradient(gt_tensor x);
/* A contiguous copy, bits unchanged. */
GT_RECORDS gt_tensor gt_copy(gt_tensor x);

/* ---- reductions: over axes (GT_ALL, or GT_AXES(0, -1)); keepdims leaves axes of size 1 -------------------- */

/* Sums are exact in their order: chunks of 256, 16 lanes in a chunk, chunk sums pairwise; the order depends
 * on the shape alone. Sum of bool or integers is i64. The sum of nothing is 0, the product 1, the mean NaN. */
GT_RECORDS gt_tensor gt_sum(gt_tensor x, gt_axes axes, bool keepdims);
GT_RECORDS gt_tensor gt_mean(gt_tensor x, gt_axes axes, bool keepdims);
GT_RECORDS gt_tensor gt_prod(gt_tensor x, gt_axes axes, bool keepdims);
/* Equal winners share the gradient; NaN wins. An error over an axis of size 0. */
GT_RECORDS gt_tensor gt_max(gt_tensor x, gt_axes axes, bool keepdims);
GT_RECORDS gt_tensor gt_min(gt_tensor x, gt_axes axes, bool keepdims);
/* Mean squared distance from the mean, divided by count - correction (0 or 1); std is its square root, with
 * derivative 0 where it is 0. */
GT_RECORDS gt_tensor gt_var(gt_tensor x, gt_axes axes, int correction, bool keepdims);
GT_RECORDS gt_tensor gt_std(gt_tensor x, gt_axes axes, int correction, bool keepdims);
/* Euclidean length; derivative 0 at 0. */
GT_RECORDS gt_tensor gt_norm(gt_tensor x, gt_axes axes, bool keepdims);
/* log sum e^x without overflow; all -inf gives -inf with gradient 0. */
GT_RECORDS gt_tensor gt_logsumexp(gt_tensor x, gt_axes axes, bool keepdims);
/* Index of the first largest (smallest) element along an axis, i64; NaN wins. */
GT_RECORDS gt_tensor gt_argmax(gt_tensor x, int axis, bool keepdims);
GT_RECORDS gt_tensor gt_argmin(gt_tensor x, int axis, bool keepdims);
/* Over bool. any of nothing is false, all of nothing true. */
GT_RECORDS gt_tensor gt_any(gt_tensor x, gt_axes axes, bool keepdims);
GT_RECORDS gt_tensor gt_all(gt_tensor x, gt_axes axes, bool keepdims);
/* The axes that t, a sum, prod, max, min, any or all, folded, as they were given; none for anything else. */
GT_API gt_axes gt_reduced_axes(gt_tensor t);
/* Sums x to a shape that broadcasts to x's: what the sweep does for broadcast inputs. */
GT_RECORDS gt_tensor gt_sum_to(gt_tensor x, gt_shape shape);
/* e^x / sum e^x along an axis, and its logarithm, without overflow. */
GT_RECORDS gt_tensor gt_softmax(gt_tensor x, int axis);
GT_RECORDS gt_tensor gt_log_softmax(gt_tensor x, int axis);
/* Running sums along an axis. */
GT_RECORDS gt_tensor gt_cumsum(gt_tensor x, int axis);
/* Sorted along an axis, stable, NaN last when ascending. gt_out(t, 1) gives the indices, i64. */
GT_RECORDS gt_tensor gt_sort(gt_tensor x, int axis, bool descending);
/* The k largest along an axis, largest first; gt_out(t, 1) gives their indices, i64. */
GT_RECORDS gt_tensor gt_topk(gt_tensor x, int64_t k, int axis);

/* ---- shapes: views where strides allow, else recorded copies ------------------------------------------------ */

/* The same elements in row-major order; one size may be -1: what remains. */
GT_RECORDS gt_tensor gt_reshape(gt_tensor x, gt_shape shape);
/* Axis i of the result is axis order.axis[i] of x. */
GT_RECORDS gt_tensor gt_permute(gt_tensor x, gt_axes order);
/* Swaps two axes; gt_t swaps the last two. */
GT_RECORDS gt_tensor gt_transpose(gt_tensor x, int axis, int other);
GT_RECORDS gt_tensor gt_t(gt_tensor x);
/* Removes axes of size 1 (GT_ALL: every one of them). */
GT_RECORDS gt_tensor gt_squeeze(gt_tensor x, gt_axes axes);
/* Inserts an axis of size 1 before position axis of the result. */
GT_RECORDS gt_tensor gt_unsqueeze(gt_tensor x, int axis);
/* Joins axes first to last into one. */
GT_RECORDS gt_tensor gt_flatten(gt_tensor x, int first, int last);
/* Elements start, start + step, ... before stop along an axis, as x[start:stop:step] in NumPy: negative
 * positions count from the end, ends are clipped, step may be negative but not 0. GT_END: to the end in the
 * direction of step. start and stop are run-time numbers, the resulting size is structure. */
#define GT_END INT64_MAX
GT_RECORDS gt_tensor gt_slice(gt_tensor x, int axis, int64_t start, int64_t stop, int64_t step);
/* The position-th slice along an axis, which disappears. */
GT_RECORDS gt_tensor gt_select(gt_tensor x, int axis, int64_t position);
GT_RECORDS gt_tensor gt_flip(gt_tensor x, gt_axes axes);
/* Broadcasts axes of size 1, and new leading axes, to shape. */
GT_RECORDS gt_tensor gt_expand(gt_tensor x, gt_shape shape);
/* The tensors one after the other along an axis; nothing, gt_none(), of no tensors. */
GT_RECORDS gt_tensor gt_concat(gt_list list, int axis);
/* Concatenates along a new axis. */
GT_RECORDS gt_tensor gt_stack(gt_list list, int axis);
/* Cuts an axis into count parts of the given sizes, written to parts; false on error. */
GT_RECORDS bool gt_split(gt_tensor x, int axis, const int64_t *sizes, int count, gt_tensor *parts);
/* before and after are shapes of x's rank: how many elements of value to add at each end of each axis. */
GT_RECORDS gt_tensor gt_pad(gt_tensor x, gt_shape before, gt_shape after, double value);
/* The lower (upper) triangle of the last two axes, the rest 0; diagonal 0 is the main one, positive above. */
GT_RECORDS gt_tensor gt_tril(gt_tensor x, int diagonal);
GT_RECORDS gt_tensor gt_triu(gt_tensor x, int diagonal);

/* ---- indexing: indices are i32 or i64 and count from 0; one out of range, as every negative one is, is an error
 * when it runs, found before anything is written. Where indices repeat, gradients add in the order of the index. */

/* Slices of x along axis, chosen by index: the shape of index replaces that axis. */
GT_RECORDS gt_tensor gt_gather(gt_tensor x, gt_tensor index, int axis);
/* x plus slices of source added at index along axis: the transpose of gt_gather. */
GT_RECORDS gt_tensor gt_scatter_add(gt_tensor x, gt_tensor index, gt_tensor source, int axis);
/* Elements of x along axis; index has x's rank and agrees with x (or is 1) on other axes. */
GT_RECORDS gt_tensor gt_take_along_axis(gt_tensor x, gt_tensor index, int axis);
/* 1 where the last, new axis of size classes holds index, else 0. */
GT_RECORDS gt_tensor gt_one_hot(gt_tensor index, int64_t classes, gt_dtype dtype);

/* ---- products ------------------------------------------------------------------------------------------------------ */

/* As NumPy's matmul: matrices in the last two axes, leading axes broadcast; a vector on the left is a row, on
 * the right a column, and that axis disappears. f32, f64 (and bf16 with f32 sums). */
GT_RECORDS gt_tensor gt_matmul(gt_tensor a, gt_tensor b);
/* Sum of products of two vectors. */
GT_RECORDS gt_tensor gt_dot(gt_tensor a, gt_tensor b);
/* [n] and [m] to [n, m]. */
GT_RECORDS gt_tensor gt_outer(gt_tensor a, gt_tensor b);
/* Einstein summation, "bij,bjk->bik"; without an arrow the letters that occur once, in alphabetical order.
 * Repeated letters in one operand take its diagonal. Two operands at most are multiplied at a time, from the
 * left. */
GT_RECORDS gt_tensor gt_einsum(const char *formula, gt_list operands);
/* From now on what is recorded multiplies in mixed precision: matrix products, einsum, layers and convolutions round
 * their f32 operands to bf16 (8 significant bits, the range of f32), and so do the products of their gradients. Sums,
 * results, parameters, gradients and all else stay f32; an operation with an f64 operand is left as it is. A
 * parameter is thus trained in f32, and losses need no scaling:
 *
 *     gt_autocast(tape, true);
 *     gt_tensor loss = gt_cross_entropy(gt_linear(x, "classes", 10), labels);
 *     gt_minimize(adam, loss);
 *
 * It lasts until it is turned off; gt_tape_reset leaves it on. What helps is a processor with products of bf16, and
 * oneDNN (GT_WITH_ONEDNN) to use them; others compute the same with products of f32. */
GT_API void gt_autocast(gt_tape *tape, bool on);

/* ---- convolution and pooling: images [n, channels, height, width]; f32 and f64, convolution bf16 ---------------------------------- */

/* One number for each axis of the field: {rows, columns}, in 1-D the first only. A stride, dilation or number of
 * groups left 0 is 1. A window starts every `stride` elements, from `padding` zeros before the first to as many
 * after the last; its elements are `dilation` apart. Each group of output channels sees its own group of input
 * channels. */
typedef struct gt_conv_options {
    int64_t stride[2], padding[2], dilation[2];
    int64_t output_padding
        [2]; /* of gt_conv_transpose: rows and columns more than the fewest; below the stride */
    int64_t groups;
    bool no_bias; /* of layers (nn/nn.h): nothing is added, as before a normalization */
} gt_conv_options;

/* Sums of x [n, in, height, width] under windows, times w [out, in / groups, kernel height, kernel width], which is
 * not flipped: [n, out, rows, columns], rows = (height + 2 padding - dilation (kernel - 1) - 1) / stride + 1,
 * rounded down. gt_conv1d takes [n, in, width] and [out, in / groups, kernel]. How f32 rounds, and where a NaN
 * spreads: docs/numerics.md. */
GT_RECORDS gt_tensor gt_conv2d(gt_tensor x, gt_tensor w, gt_conv_options options);
GT_RECORDS gt_tensor gt_conv1d(gt_tensor x, gt_tensor w, gt_conv_options options);
/* The transpose of that linear map, from what it gives to what it takes: x [n, in, height, width] and
 * w [in, out / groups, kernel height, kernel width] to [n, out, rows, columns], rows = (height - 1) stride -
 * 2 padding + dilation (kernel - 1) + 1 + output_padding. */
GT_RECORDS gt_tensor gt_conv_transpose2d(gt_tensor x, gt_tensor w, gt_conv_options options);
GT_RECORDS gt_tensor gt_conv_transpose1d(gt_tensor x, gt_tensor w, gt_conv_options options);

/* Windows of `kernel` {rows, columns}, as in a convolution. A stride left 0 is the kernel's size. */
typedef struct gt_pool_options {
    int64_t kernel[2], stride[2], padding[2]; /* padding is less than the kernel */
    bool count_padding; /* averages: padding counts as zeros; else it does not count */
} gt_pool_options;

/* The largest element of each window; NaN wins; padding never does. gt_out(y, 1) gives its place, row * width +
 * column, i64. Among equal ones the first in that order is the winner and takes all of the gradient. */
GT_RECORDS gt_tensor gt_max_pool2d(gt_tensor x, gt_pool_options options);
/* Zeros [n, channels, height, width] with the elements of x added at the places that index gives them, i64 and of
 * x's shape, as gt_max_pool2d makes it. */
GT_RECORDS gt_tensor gt_max_unpool2d(gt_tensor x, gt_tensor index, int64_t height, int64_t width);
/* The mean of each window. */
GT_RECORDS gt_tensor gt_avg_pool2d(gt_tensor x, gt_pool_options options);
/* The largest elements or the means of rows x columns windows that cover x, of any size, and overlap where they do
 * not divide it: row r goes from floor(r height / rows) to ceil((r + 1) height / rows). */
GT_RECORDS gt_tensor gt_adaptive_max_pool2d(gt_tensor x, int64_t rows, int64_t columns);
GT_RECORDS gt_tensor gt_adaptive_avg_pool2d(gt_tensor x, int64_t rows, int64_t columns);
/* The same on [n, channels, width], as on images of one row. Options: the first number of each pair counts. They
 * give no places. */
GT_RECORDS gt_tensor gt_max_pool1d(gt_tensor x, gt_pool_options options);
GT_RECORDS gt_tensor gt_avg_pool1d(gt_tensor x, gt_pool_options options);
GT_RECORDS gt_tensor gt_adaptive_max_pool1d(gt_tensor x, int64_t size);
GT_RECORDS gt_tensor gt_adaptive_avg_pool1d(gt_tensor x, int64_t size);
/* Means over all axes after the second: [n, channels]. */
GT_RECORDS gt_tensor gt_global_avg_pool(gt_tensor x);
/* Graham 2014, with pseudorandom windows: rows x columns of them, each of floor or ceil of height / rows rows,
 * and drawn for each image and axis; one row and column more if they overlap. rows is at most height. Each
 * recording takes the next ordinal, as gt_rand. Winners are those of gt_max_pool2d. */
GT_RECORDS gt_tensor gt_fractional_max_pool2d(gt_tensor x, int64_t rows, int64_t columns,
                                              bool overlapping);

/* ---- effects and sums ------------------------------------------------------------------------------------------------ */

/* Records that leaf takes value at the next commit (see gt_commit). Same shape and dtype; not a borrowed leaf.
 * Returns the effect, which cannot be read. */
GT_RECORDS gt_tensor gt_assign(gt_tensor leaf, gt_tensor value);
/* The sum of same-shaped tensors, in order, starting from +0: where gradients of several uses meet. */
GT_RECORDS gt_tensor gt_accumulate(gt_list list);

/* ---- the list of operations, for tests, documentation and tools ------------------------------------------------------- */

/* Operation i, in a fixed order; NULL past the last. */
GT_API const gt_op *gt_op_at(int i);
/* A function made of operations: it brings samples, so that the same tests find it. Those of a room are found
 * by ops/generate.cmake. */
typedef struct gt_composition {
    const char *name;
    gt_tensor (*samples)(gt_samples *samples, int i);
} gt_composition;
/* Composition i of this room; NULL past the last. */
GT_API const gt_composition *gt_composition_at(int i);

#ifdef __cplusplus
}
#endif

#include "ops/ops_gen.h"
#endif
