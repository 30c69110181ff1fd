/* ops/pooling_emit.c: pooling as C: windows as tables, loops as in pooling_kernel.h. */
#include "ops/pooling_emit.h"

#include <stdio.h>

/* Elements of a plane: of one channel of one image. */
static int64_t plane_of(const gt_array *x) { return x->shape.dim[2] * x->shape.dim[3]; }

static void emit_zeros(gt_emitter *e, const gt_call *call) {
    const int64_t count = gt_numel(call->out[0].shape);
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[i0] = 0;", gt_emit_out(e, 0));
    gt_emit_end(e, 1);
}

static void emit_table(gt_emitter *e, const gt_call *call, int axis, const char *name, int64_t n,
                       int64_t made, gt__window_at *at) {
    gt_emit(e, "static const long %s[%lld][3] = {", name, (long long)made);
    for (int64_t i = 0; i < made; i++) {
        const gt__window w = at(call, axis, n, i);
        gt_emit(e, "{%lld, %lld, %lld},", (long long)w.first, (long long)w.end, (long long)w.count);
    }
    gt_emit(e, "};");
}

/* What is done before a window's elements, with each, called `x`, and after them; `y` is the window's own element. */
static void emit_window(gt_emitter *e, const gt_call *call, gt__window_use use, const char *y,
                        const char *x, int64_t width) {
    const char *type = gt_emit_type(call->in[0].dtype);
    if (use == GT__LARGEST) {
        gt_emit(e, "%s top = -(%s)INFINITY;", type, type);
        gt_emit(e, "long best = r[0] * %lld + c[0];", (long long)width);
    } else if (use == GT__MEAN) {
        gt_emit(e, "double sum = 0;");
    } else {
        gt_emit(e, "const %s share = %s / (%s)(r[2] * c[2]);", type, y, type);
    }
    gt_emit(e, "for (long p = r[0]; p < r[1]; p++)");
    gt_emit(e, "    for (long q = c[0]; q < c[1]; q++)");
    if (use == GT__LARGEST)
        gt_emit(e, "        if (!(%s <= top) && top == top) top = %s, best = p * %lld + q;", x, x,
                (long long)width);
    else if (use == GT__MEAN)
        gt_emit(e, "        sum += (double)%s;", x);
    else
        gt_emit(e, "        %s += share;", x);
}

void gt__windows_emit(gt_emitter *e, const gt_call *call, gt__window_use use,
                      const int64_t image[2], const int64_t made[2], gt__window_at *at) {
    const gt_shape shape = call->in[0].shape;
    const int64_t size[3] = {shape.dim[0] * shape.dim[1], made[0], made[1]};
    const int64_t own[3] = {made[0] * made[1], made[1], 1}, all[1] = {image[0] * image[1]};
    const char *place = gt_emit_index(e, 3, own), *plane = gt_emit_index(e, 1, all);
    char x[1000], y[1000], index[1000];
    if (use == GT__SPREAD) emit_zeros(e, call);
    if (gt_numel(call->out[0].shape) == 0) return;
    snprintf(x, sizeof x, "%s[%s + p * %lld + q]",
             use == GT__SPREAD ? gt_emit_out(e, 0) : gt_emit_in(e, 0), plane, (long long)image[1]);
    snprintf(y, sizeof y, "%s[%s]", use == GT__SPREAD ? gt_emit_in(e, 0) : gt_emit_out(e, 0),
             place);
    snprintf(index, sizeof index, "%s[%s]", use == GT__LARGEST ? gt_emit_out(e, 1) : "", place);
    gt_emit(e, "{");
    emit_table(e, call, 0, "rows", image[0], made[0], at);
    emit_table(e, call, 1, "columns", image[1], made[1], at);
    gt_emit_loops(e, 0, 3, size);
    gt_emit(e, "const long *r = rows[i1], *c = columns[i2];");
    emit_window(e, call, use, y, x, image[1]);
    if (use == GT__LARGEST) {
        gt_emit(e, "%s = top;", y);
        gt_emit(e, "%s = best;", index);
    } else if (use == GT__MEAN) {
        gt_emit(e, "%s = (%s)(sum / (double)(r[2] * c[2]));", y, gt_emit_type(call->in[0].dtype));
    }
    gt_emit_end(e, 3);
    gt_emit(e, "}");
}

void gt__places_emit(gt_emitter *e, const gt_call *call, bool adds) {
    const gt_array *image = adds ? &call->out[0] : &call->in[0];
    const int64_t count = gt_numel(call->in[1].shape), each = plane_of(&call->in[1]);
    const int64_t size[2] = {each ? count / each : 0, each}, own[2] = {each, 1};
    const int64_t plane[1] = {plane_of(image)};
    char place[1000];
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "if (%s[i0] < 0 || %s[i0] >= %lld) return 1;", gt_emit_in(e, 1), gt_emit_in(e, 1),
            (long long)plane[0]);
    gt_emit_end(e, 1);
    if (adds) emit_zeros(e, call);
    gt_emit_loops(e, 0, 2, size);
    snprintf(place, sizeof place, "%s + %s[%s]", gt_emit_index(e, 1, plane), gt_emit_in(e, 1),
             gt_emit_index(e, 2, own));
    if (adds)
        gt_emit(e, "%s[%s] += %s[%s];", gt_emit_out(e, 0), place, gt_emit_in(e, 0),
                gt_emit_index(e, 2, own));
    else
        gt_emit(e, "%s[%s] = %s[%s];", gt_emit_out(e, 0), gt_emit_index(e, 2, own),
                gt_emit_in(e, 0), place);
    gt_emit_end(e, 2);
}
