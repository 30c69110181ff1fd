/* ops/join.c: concat and stack, their opposite split, and pad. The kernels read operands of any
 * strides: joining a thousand views must not copy each of them first. */
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"
#include "ops/shape.h"

/* ---- concat --------------------------------------------------------------------------------- */

static bool same_dtype(gt_call *call, int k) {
    if (call->in[k].dtype == call->in[0].dtype) return true;
    return gt_call_fail(call, "operand %d, %s, is %s, but %s is %s", k, gt_operand(call, k),
                        gt_dtype_name(call->in[k].dtype), gt_operand(call, 0),
                        gt_dtype_name(call->in[0].dtype));
}

static bool concat_shape(gt_call *call) {
    gt_array *out = &call->out[0];
    const gt_shape *first = &call->in[0].shape;
    if (first->rank == 0)
        return gt_call_fail(call, "%s is a scalar: gt_stack joins scalars", gt_operand(call, 0));
    const int axis = gt__axis(call, *(const int *)call->attr, first->rank);
    if (axis < 0) return false;
    out->dtype = call->in[0].dtype;
    out->shape = *first;
    for (int k = 1; k < call->n_in; k++) {
        const gt_shape *shape = &call->in[k].shape;
        if (!same_dtype(call, k)) return false;
        if (shape->rank != first->rank)
            return gt_call_fail(call, "operand %d, %s, has another rank than %s", k,
                                gt_operand(call, k), gt_operand(call, 0));
        for (int d = 0; d < first->rank; d++)
            if (d != axis && shape->dim[d] != first->dim[d])
                return gt_call_fail(call, "operand %d, %s, differs from %s along axis %d", k,
                                    gt_operand(call, k), gt_operand(call, 0), d);
        if (shape->dim[axis] > INT64_MAX - out->shape.dim[axis])
            return gt_call_fail(call, "too many elements along axis %d", axis);
        out->shape.dim[axis] += shape->dim[axis];
    }
    return true;
}

static bool concat_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int axis = gt__axis(call, *(const int *)call->attr, out->shape.rank);
    const int64_t step = out->stride[axis] * (int64_t)gt_dtype_size(out->dtype);
    if (gt_numel(out->shape) == 0) return true;
    char *to = out->data;
    for (int k = 0; k < call->n_in; k++) {
        gt__region_copy(to, out->stride, &call->in[k]);
        to += call->in[k].shape.dim[axis] * step;
    }
    return true;
}

static bool concat_pull(gt_pull *pull) {
    int axis = *(const int *)pull->attr;
    if (axis < 0) axis += gt_rank(pull->out[0]);
    int64_t start = 0;
    for (int k = 0; k < pull->n_in; k++) {
        const int64_t end = start + gt_dim(pull->in[k], axis);
        if (pull->wanted[k]) pull->gx[k] = gt_slice(pull->up[0], axis, start, end, 1);
        start = end;
    }
    return true;
}

static gt_tensor concat_bad(gt_samples *s, int i) {
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 3)), scalar = gt_sample(s, GT_SCALAR);
    switch (i) {
    case 0:
        gt_sample_bad(s, "operand 2");
        return gt_concat(GT_LIST(x, x, gt_sample(s, GT_SHAPE(3, 2))), 0);
    case 1: return gt_sample_bad(s, "another rank"), gt_concat(GT_LIST(x, gt_select(x, 0, 0)), 0);
    case 2: return gt_sample_bad(s, "is bool"), gt_concat(GT_LIST(x, gt_cast(x, GT_BOOL)), 0);
    case 3: return gt_sample_bad(s, "no axis 2"), gt_concat(GT_LIST(x, x), 2);
    case 4: return gt_sample_bad(s, "joins scalars"), gt_concat(GT_LIST(scalar, scalar), 0);
    default: return gt_samples_end(s);
    }
}

static gt_tensor concat_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_concat(GT_LIST(gt_sample(s, GT_SHAPE(2)), gt_sample(s, GT_SHAPE(3))), 0);
    case 1:
        return gt_concat(GT_LIST(gt_sample(s, GT_SHAPE(2, 3)), gt_sample(s, GT_SHAPE(2, 1))), -1);
    case 2: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(2, 1, 3, 2)),
                        y = gt_sample(s, GT_SHAPE(2, 2, 3, 2));
        return gt_concat(GT_LIST(x, y, x, y, x), 1);
    }
    case 3:
        return gt_concat(GT_LIST(gt_sample(s, GT_SHAPE(0, 3)), gt_sample(s, GT_SHAPE(2, 3))), 0);
    case 4:
        return gt_concat(GT_LIST(gt_sample(s, GT_SHAPE(0, 3)), gt_sample(s, GT_SHAPE(0, 3))), 1);
    case 5: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2)), y = gt_sample(s, GT_SHAPE(3, 3));
        return gt_concat(GT_LIST(gt_t(x), gt_t(y), gt_flip(gt_t(x), GT_ALL)), 0);
    }
    case 6: return gt_concat(GT_LIST(gt_sample(s, GT_SHAPE(2, 2))), 0);
    case 7: {
        const gt_tensor x = gt_sample_int(s, GT_SHAPE(3), GT_BOOL, 2);
        return gt_sample_no_gradient(s), gt_concat(GT_LIST(x, x), 0);
    }
    default: return concat_bad(s, i - 8);
    }
}

/* Operand k goes to an offset of the result, in these strides. */
static void emit_region(gt_emitter *e, const gt_call *call, int k, int64_t offset,
                        const int64_t *stride) {
    const gt_array *in = &call->in[k];
    const int rank = in->shape.rank;
    if (gt_numel(in->shape) == 0) return;
    gt_emit_loops(e, 0, rank, in->shape.dim);
    gt_emit(e, "%s[%lld + %s] = %s[%s];", gt_emit_out(e, 0), (long long)offset,
            gt_emit_index(e, rank, stride), gt_emit_in(e, k), gt_emit_index(e, rank, in->stride));
    gt_emit_end(e, rank);
}

static bool concat_emit(gt_emitter *e, const gt_call *call) {
    const gt_array *out = &call->out[0];
    const int axis = gt__axis(call, *(const int *)call->attr, out->shape.rank);
    int64_t offset = 0;
    for (int k = 0; k < call->n_in; k++) {
        emit_region(e, call, k, offset, out->stride);
        offset += call->in[k].shape.dim[axis] * out->stride[axis];
    }
    return true;
}

const gt_op gt__op_concat =
    GT_OP("concat", concat_shape, concat_kernel, GT_PULL(concat_pull), concat_samples,
          .traits = GT_STRIDED, .linear = ~0u, .emit = concat_emit,
          .meaning = "its inputs one after the other along an axis");

gt_tensor gt_concat(gt_list list, int axis) {
    if (list.count <= 0 || !list.at) return gt_none();
    return gt_record(NULL, &gt__op_concat, list.at, list.count, &axis, sizeof axis, NULL, 0);
}

/* ---- stack ---------------------------------------------------------------------------------- */

static bool stack_shape(gt_call *call) {
    const gt_shape *first = &call->in[0].shape;
    gt_shape *shape = &call->out[0].shape;
    if (first->rank == GT_MAX_RANK)
        return gt_call_fail(call, "%s: the largest rank is %d", gt_operand(call, 0), GT_MAX_RANK);
    const int axis = gt__axis(call, *(const int *)call->attr, first->rank + 1);
    if (axis < 0) return false;
    for (int k = 1; k < call->n_in; k++) {
        if (!same_dtype(call, k)) return false;
        if (!gt_same_shape(call->in[k].shape, *first))
            return gt_call_fail(call, "operand %d, %s, differs from %s", k, gt_operand(call, k),
                                gt_operand(call, 0));
    }
    call->out[0].dtype = call->in[0].dtype;
    shape->rank = first->rank + 1;
    for (int d = 0; d < shape->rank; d++)
        shape->dim[d] = d == axis ? call->n_in : first->dim[d - (d > axis)];
    return true;
}

static bool stack_kernel(gt_call *call) {
    const gt_array *out = &call->out[0];
    const int axis = gt__axis(call, *(const int *)call->attr, out->shape.rank);
    const int64_t step = out->stride[axis] * (int64_t)gt_dtype_size(out->dtype);
    if (gt_numel(out->shape) == 0) return true;
    int64_t stride[GT_MAX_RANK] = {0};
    for (int d = 0; d + 1 < out->shape.rank; d++) stride[d] = out->stride[d + (d >= axis)];
    for (int k = 0; k < call->n_in; k++)
        gt__region_copy((char *)out->data + k * step, stride, &call->in[k]);
    return true;
}

static bool stack_pull(gt_pull *pull) {
    const int axis = *(const int *)pull->attr;
    for (int k = 0; k < pull->n_in; k++)
        if (pull->wanted[k]) pull->gx[k] = gt_select(pull->up[0], axis, k);
    return true;
}

static gt_tensor stack_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(3)), gt_sample(s, GT_SHAPE(3))), 0);
    case 1:
        return gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(2, 3)), gt_sample(s, GT_SHAPE(2, 3))), -1);
    case 2: return gt_stack(GT_LIST(gt_sample(s, GT_SCALAR), gt_sample(s, GT_SCALAR)), 0);
    case 3: {
        const gt_tensor x = gt_sample(s, GT_SHAPE(3, 2));
        return gt_stack(GT_LIST(gt_t(x), gt_flip(gt_t(x), GT_ALL), gt_t(x), gt_t(x)), 1);
    }
    case 4: return gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(0, 2)), gt_sample(s, GT_SHAPE(0, 2))), 1);
    case 5:
        gt_sample_bad(s, "operand 1");
        return gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(3)), gt_sample(s, GT_SHAPE(2))), 0);
    case 6: return gt_sample_bad(s, "no axis 2"), gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(3))), 2);
    case 7:
        gt_sample_bad(s, "largest rank");
        return gt_stack(GT_LIST(gt_sample(s, GT_SHAPE(1, 1, 1, 1, 1, 1, 1, 1))), 0);
    default: return gt_samples_end(s);
    }
}

static bool stack_emit(gt_emitter *e, const gt_call *call) {
    const gt_array *out = &call->out[0];
    const int axis = gt__axis(call, *(const int *)call->attr, out->shape.rank);
    int64_t stride[GT_MAX_RANK] = {0};
    for (int d = 0; d + 1 < out->shape.rank; d++) stride[d] = out->stride[d + (d >= axis)];
    for (int k = 0; k < call->n_in; k++) emit_region(e, call, k, k * out->stride[axis], stride);
    return true;
}

const gt_op gt__op_stack = GT_OP("stack", stack_shape, stack_kernel, GT_PULL(stack_pull),
                                 stack_samples, .traits = GT_STRIDED, .linear = ~0u,
                                 .emit = stack_emit, .meaning = "its inputs along a new axis");

gt_tensor gt_stack(gt_list list, int axis) {
    if (list.count <= 0 || !list.at) return gt_none();
    return gt_record(NULL, &gt__op_stack, list.at, list.count, &axis, sizeof axis, NULL, 0);
}

/* ---- split ---------------------------------------------------------------------------------- */

/* The sizes must be those of parts of an axis of n. */
static bool sizes_fit(gt_tensor x, int axis, int64_t n, const int64_t *sizes, int count) {
    char text[GT__TENSOR_TEXT];
    int64_t rest = n;
    for (int k = 0; k < count; k++) {
        if (sizes[k] < 0) {
            gt_fail(x.tape, "split: size %d is %lld", k, (long long)sizes[k]);
            return false;
        }
        if (sizes[k] > rest) {
            gt_fail(x.tape, "split: the first %d sizes are more than the %lld of axis %d of %s",
                    k + 1, (long long)n, axis, gt__tensor_text(x, text));
            return false;
        }
        rest -= sizes[k];
    }
    if (rest == 0) return true;
    gt_fail(x.tape, "split: the sizes add up to %lld, axis %d of %s is %lld", (long long)(n - rest),
            axis, gt__tensor_text(x, text), (long long)n);
    return false;
}

bool gt_split(gt_tensor x, int axis, const int64_t *sizes, int count, gt_tensor *parts) {
    for (int k = 0; k < count; k++) parts[k] = gt_tensor_at(x.tape, UINT32_MAX);
    if (!gt_valid(x)) return gt_slice(x, 0, 0, 0, 1), false; /* which says why */
    const int along = gt__tensor_axis(x, "split", axis, gt_rank(x));
    if (along < 0 || !sizes_fit(x, along, gt_dim(x, along), sizes, count)) return false;
    int64_t start = 0;
    for (int k = 0; k < count; k++) {
        parts[k] = gt_slice(x, along, start, start + sizes[k], 1);
        if (!gt_valid(parts[k])) return false;
        start += sizes[k];
    }
    return true;
}

static gt_tensor split_samples(gt_samples *s, int i) {
    gt_tensor part[3];
    const gt_tensor x = gt_sample(s, GT_SHAPE(2, 6));
    switch (i) {
    case 0: gt_split(x, 1, (const int64_t[]){2, 2, 2}, 3, part); break;
    case 1: gt_split(x, -1, (const int64_t[]){1, 3, 2}, 3, part); break;
    case 2: gt_split(x, 1, (const int64_t[]){6, 0, 0}, 3, part); break;
    case 3: gt_split(gt_t(x), 0, (const int64_t[]){2, 2, 2}, 3, part); break;
    case 4:
        gt_sample_bad(s, "add up to 5");
        gt_split(x, 1, (const int64_t[]){2, 2, 1}, 3, part);
        break;
    case 5:
        gt_sample_bad(s, "first 2 sizes");
        gt_split(x, 1, (const int64_t[]){3, INT64_MAX, 1}, 3, part);
        break;
    case 6:
        gt_sample_bad(s, "size 1 is -1");
        gt_split(x, 1, (const int64_t[]){3, -1, 4}, 3, part);
        break;
    case 7:
        gt_sample_bad(s, "no axis 2");
        gt_split(x, 2, (const int64_t[]){2, 2, 2}, 3, part);
        break;
    default: return gt_samples_end(s);
    }
    return gt_concat(GT_LIST(part[2], gt_square(part[0]), part[1]), i == 3 ? 0 : -1);
}

const gt_composition gt__composition_split = {"split", split_samples};

/* ---- pad ------------------------------------------------------------------------------------ */

typedef struct padding {
    gt_shape before, after;
} padding;

static bool pad_shape(gt_call *call) {
    const padding *p = call->attr;
    const gt_shape *in = &call->in[0].shape;
    gt_array *out = &call->out[0];
    if (p->before.rank != in->rank || p->after.rank != in->rank)
        return gt_call_fail(call, "%s has rank %d, the paddings have %d and %d",
                            gt_operand(call, 0), in->rank, p->before.rank, p->after.rank);
    out->dtype = call->in[0].dtype;
    out->shape.rank = in->rank;
    for (int d = 0; d < in->rank; d++) {
        const int64_t before = p->before.dim[d], after = p->after.dim[d];
        if (before < 0 || after < 0)
            return gt_call_fail(call, "%s: a padding of axis %d is negative: %lld and %lld",
                                gt_operand(call, 0), d, (long long)before, (long long)after);
        if (before > INT64_MAX - in->dim[d] || after > INT64_MAX - in->dim[d] - before)
            return gt_call_fail(call, "%s: too many elements along axis %d", gt_operand(call, 0),
                                d);
        out->shape.dim[d] = before + in->dim[d] + after;
    }
    return true;
}

static bool pad_kernel(gt_call *call) {
    const padding *p = call->attr;
    const gt_array *out = &call->out[0];
    const int64_t numel = gt_numel(out->shape), size = (int64_t)gt_dtype_size(out->dtype);
    int64_t offset = 0;
    if (numel == 0) return true;
    gt__put(out->data, out->dtype, 0, call->arg[0].real);
    for (int64_t done = 1; done < numel; done *= 2) /* doubles what is filled */
        memcpy((char *)out->data + done * size, out->data,
               (size_t)((numel - done < done ? numel - done : done) * size));
    for (int d = 0; d < out->shape.rank; d++) offset += p->before.dim[d] * out->stride[d];
    if (gt_numel(call->in[0].shape))
        gt__region_copy((char *)out->data + offset * size, out->stride, &call->in[0]);
    return true;
}

static bool pad_pull(gt_pull *pull) {
    const padding *p = pull->attr;
    gt_tensor g = pull->up[0];
    for (int d = 0; d < p->before.rank; d++)
        if (p->before.dim[d] || p->after.dim[d])
            g = gt_slice(g, d, p->before.dim[d], p->before.dim[d] + gt_dim(pull->in[0], d), 1);
    pull->gx[0] = g;
    return true;
}

static gt_tensor pad_samples(gt_samples *s, int i) {
    switch (i) {
    case 0: return gt_pad(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(1), GT_SHAPE(2), 0);
    case 1: return gt_pad(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(0, 2), GT_SHAPE(1, 0), -1.5);
    case 2:
        return gt_pad(gt_sample(s, GT_SHAPE(2, 1, 2, 2)), GT_SHAPE(0, 1, 1, 0),
                      GT_SHAPE(0, 0, 2, 1), 7);
    case 3: return gt_pad(gt_sample(s, GT_SHAPE(0, 2)), GT_SHAPE(1, 0), GT_SHAPE(1, 1), 3);
    case 4: return gt_pad(gt_sample(s, GT_SCALAR), GT_SCALAR, GT_SCALAR, 3);
    case 5: return gt_pad(gt_t(gt_sample(s, GT_SHAPE(2, 3))), GT_SHAPE(1, 1), GT_SHAPE(1, 1), 0);
    case 6: return gt_pad(gt_sample(s, GT_SHAPE(2, 3)), GT_SHAPE(0, 0), GT_SHAPE(0, 0), 0);
    case 7: {
        const gt_tensor x = gt_sample_int(s, GT_SHAPE(3), GT_I64, 9);
        return gt_sample_no_gradient(s), gt_pad(x, GT_SHAPE(1), GT_SHAPE(1), -2.9);
    }
    case 8:
        return gt_sample_bad(s, "paddings have 2 and 1"),
               gt_pad(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(1, 1), GT_SHAPE(1), 0);
    case 9:
        return gt_sample_bad(s, "negative"),
               gt_pad(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(1), GT_SHAPE(-1), 0);
    case 10:
        return gt_sample_bad(s, "too many"),
               gt_pad(gt_sample(s, GT_SHAPE(3)), GT_SHAPE(INT64_MAX), GT_SHAPE(1), 0);
    default: return gt_samples_end(s);
    }
}

static bool pad_emit(gt_emitter *e, const gt_call *call) {
    const padding *p = call->attr;
    const gt_array *out = &call->out[0];
    const int64_t count = gt_numel(out->shape), one = 1;
    int64_t offset = 0, number[1] = {0}; /* of any kind */
    gt__put(number, out->dtype, 0, call->arg[0].real);
    for (int d = 0; d < out->shape.rank; d++) offset += p->before.dim[d] * out->stride[d];
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[%s] = %s;", gt_emit_out(e, 0), gt_emit_index(e, 1, &one),
            gt_emit_literal(e, out->dtype, number, 0));
    gt_emit_end(e, 1);
    emit_region(e, call, 0, offset, out->stride);
    return true;
}

const gt_op gt__op_pad =
    GT_OP("pad", pad_shape, pad_kernel, GT_PULL(pad_pull), pad_samples, .traits = GT_STRIDED,
          .emit = pad_emit, .meaning = "x with one number around it");

gt_tensor gt_pad(gt_tensor x, gt_shape before, gt_shape after, double value) {
    padding p;
    gt__set_shape(&p.before, before);
    gt__set_shape(&p.after, after);
    return gt_record(x.tape, &gt__op_pad, &x, 1, &p, sizeof p, &(gt_arg){.real = value}, 1);
}
