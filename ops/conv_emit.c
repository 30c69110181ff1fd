/* ops/conv_emit.c: convolutions as C, in the order in which gt_exact has them computed: the loops over planes of
 * convolve_kernel.h, with the geometry in an array. */
#include "ops/conv.h"

#include <stdio.h>

static const char met_helper[] =
    "\n/* Of n elements along y those that a tap meets in x: from *first to what is returned. */\n"
    "static long %s_met(long x, long n, long step, long shift, long *first) {\n"
    "    const long last = x - 1 - shift, end = last < 0 ? 0 : last / step + 1;\n"
    "    *first = shift < 0 ? (step - 1 - shift) / step : 0;\n"
    "    return end < n ? end : n;\n"
    "}\n";

/* One for each geometry: compilers make quick loops of steps that are constants. In g: x, k, y, stride, padding,
   dilation, of rows and columns in turn. */
static const char plane_helper[] =
    "\nstatic void %s_%s_%s_%s(%s *restrict x, %s *restrict w, %s *restrict y) {\n"
    "    static const long g[12] = {%s};\n"
    "    for (long i = 0; i < g[2]; i++)\n"
    "        for (long j = 0; j < g[3]; j++) {\n"
    "            const long down = i * g[10] - g[8], across = j * g[11] - g[9];\n"
    "            long p, first;\n"
    "            const long rows = %s_met(g[0], g[4], g[6], down, &p);\n"
    "            const long columns = %s_met(g[1], g[5], g[7], across, &first);\n"
    "%s"
    "        }\n"
    "}\n";

#define X(q) "x[(p * g[6] + down) * g[1] + (" q ") * g[7] + across]"
#define Y(q) "y[p * g[5] + " q "]"
#define W "w[i * g[3] + j]"
#define EACH(adds)                                                                                 \
    "            for (; p < rows; p++)\n"                                                          \
    "                for (long q = first; q < columns; q++) " adds ";\n"

/* Indexed by gt__made. The text for w names the kind of element. */
static const struct {
    const char *name, *sums;
} ways[] = {
    [GT__MAKES_Y] = {"conv", EACH(Y("q") " += " W " * " X("q"))},
    [GT__MAKES_X] = {"conv_input", EACH(X("q") " += " W " * " Y("q"))},
    [GT__MAKES_W] = {"conv_weight",
                     "            %s sum[16] = {0};\n"
                     "            for (; p < rows; p++) {\n"
                     "                long q = first;\n"
                     "                for (; q + 16 <= columns; q += 16)\n"
                     "                    for (int l = 0; l < 16; l++)\n"
                     "                        sum[l] += " X("q + l") " * " Y(
                         "q + l") ";\n"
                                  "                for (int l = 0; q < columns; q++, l++)\n"
                                  "                    sum[l] += " X("q") " * " Y(
                                      "q") ";\n"
                                           "            }\n"
                                           "            for (int half = 8; half; half /= 2)\n"
                                           "                for (int l = 0; l < half; l++) sum[l] "
                                           "+= sum[l + half];\n"
                                           "            " W " += sum[0];\n"},
};

/* The numbers of a geometry, with this between them. */
static void list(char *text, size_t size, const gt__conv *c, const char *between) {
    const int64_t *const field[] = {c->x, c->k, c->y, c->stride, c->padding, c->dilation};
    size_t used = 0;
    for (int i = 0; i < 12 && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? between : "",
                                 (long long)field[i / 2][i % 2]);
}

/* id tells geometries apart. */
static void emit_helpers(gt_emitter *e, const gt__conv *c, gt__made makes, const char *id) {
    const char *name = gt_emit_name(e), *type = gt_emit_type(c->dtype);
    char sums[1000], in[20], numbers[300];
    snprintf(sums, sizeof sums, ways[makes].sums, type);
    snprintf(in, sizeof in, "const %s", type);
    list(numbers, sizeof numbers, c, ", ");
    gt_emit_helper(e, met_helper, name);
    gt_emit_helper(e, plane_helper, name, ways[makes].name, gt_dtype_name(c->dtype), id,
                   makes == GT__MAKES_X ? type : in, makes == GT__MAKES_W ? type : in,
                   makes == GT__MAKES_Y ? type : in, numbers, name, name, sums);
}

/* Loops: image, group, channel of y, channel of x; the two innermost of what is added up. */
bool gt__conv_emit(gt_emitter *e, const gt_call *call, const gt__conv *c, gt__made makes) {
    const int64_t x = c->x[0] * c->x[1], w = c->k[0] * c->k[1], y = c->y[0] * c->y[1];
    const int64_t size[4] = {c->n, c->groups, c->out, c->in};
    const int64_t of_x[4] = {c->groups * c->in * x, c->in * x, 0, x};
    const int64_t of_w[4] = {0, c->out * c->in * w, c->in * w, w};
    const int64_t of_y[4] = {c->groups * c->out * y, c->out * y, y, 0};
    const int64_t count = gt_numel(call->out[0].shape), one = 1;
    char id[300];
    if (call->in[0].dtype == GT_BF16 || call->in[1].dtype == GT_BF16) return false;
    list(id, sizeof id, c, "_");
    emit_helpers(e, c, makes, id);
    gt_emit_loops(e, 0, 1, &count);
    gt_emit(e, "%s[%s] = 0;", gt_emit_out(e, 0), gt_emit_index(e, 1, &one));
    gt_emit_end(e, 1);
    gt_emit_loops(e, 0, 4, size);
    gt_emit(e, "%s_%s_%s_%s(%s + (%s), %s + (%s), %s + (%s));", gt_emit_name(e), ways[makes].name,
            gt_dtype_name(c->dtype), id,
            makes == GT__MAKES_X ? gt_emit_out(e, 0) : gt_emit_in(e, 0), gt_emit_index(e, 4, of_x),
            makes == GT__MAKES_W ? gt_emit_out(e, 0) : gt_emit_in(e, 1), gt_emit_index(e, 4, of_w),
            makes == GT__MAKES_Y ? gt_emit_out(e, 0) : gt_emit_in(e, makes == GT__MAKES_W),
            gt_emit_index(e, 4, of_y));
    gt_emit_end(e, 4);
    return true;
}
