/* ops/common.c: shapes and axes as several operations need them. */
#include "ops/ops.h"

#include <string.h>

#include "ops/rows.h"

bool gt__broadcast_all(const gt_call *call, gt_shape *shape) {
    gt_shape s = {0, {0}};
    for (int k = 0; k < call->n_in; k++)
        if (call->in[k].shape.rank > s.rank) s.rank = call->in[k].shape.rank;
    for (int d = 0; d < s.rank; d++) {
        int giver = -1;
        s.dim[d] = 1;
        for (int k = 0; k < call->n_in; k++) {
            const gt_shape *in = &call->in[k].shape;
            const int at = d - (s.rank - in->rank);
            if (at < 0 || in->dim[at] == 1) continue;
            if (giver >= 0 && in->dim[at] != s.dim[d])
                return gt_call_fail(call, "%s and %s do not broadcast: %lld against %lld",
                                    gt_operand(call, giver), gt_operand(call, k),
                                    (long long)s.dim[d], (long long)in->dim[at]);
            giver = k;
            s.dim[d] = in->dim[at];
        }
    }
    *shape = s;
    return true;
}

int gt__axis(const gt_call *call, int axis, int rank) {
    const int resolved = axis < 0 ? axis + rank : axis;
    if (resolved >= 0 && resolved < rank) return resolved;
    gt_call_fail(call, "no axis %d in %s of rank %d", axis, gt_operand(call, 0), rank);
    return -1;
}

bool gt__axis_mask(const gt_call *call, gt_axes axes, int rank, unsigned *mask) {
    *mask = 0;
    if (axes.count < 0) {
        *mask = (1u << rank) - 1;
        return true;
    }
    if (axes.count > GT_MAX_RANK)
        return gt_call_fail(call, "%d axes given, the largest rank is %d", axes.count, GT_MAX_RANK);
    for (int i = 0; i < axes.count; i++) {
        const int axis = gt__axis(call, axes.axis[i], rank);
        if (axis < 0) return false;
        if (*mask >> axis & 1u)
            return gt_call_fail(call, "axis %d of %s is given twice", axes.axis[i],
                                gt_operand(call, 0));
        *mask |= 1u << axis;
    }
    return true;
}

void gt__strides(gt_shape shape, int64_t stride[GT_MAX_RANK]) {
    int64_t step = 1;
    for (int d = shape.rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= shape.dim[d];
    }
}

const char *gt__named(gt_tensor t, char *buffer, size_t size) {
    const gt_shape shape = gt_shape_of(t);
    gt_label(t, buffer, size);
    size_t used = strlen(buffer);
    for (int d = 0; d < shape.rank && used < size; d++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%lld", d ? "," : "[",
                                 (long long)shape.dim[d]);
    if (used < size) snprintf(buffer + used, size - used, shape.rank ? "]" : "[]");
    return buffer;
}
