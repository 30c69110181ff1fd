/* ops/channel_norm_emit.c: batch normalization of images as C, with the bits of channel_norm_kernel.h: sums in 16 lanes,
 * a thousand elements at a time, then in double. */
#include "ops/channel_norm.h"

static const char sums_helper[] =
    "\n/* Adds y - rest and (y - rest) (x - shift) to sum[0..16) and sum[16..32). */\n"
    "static void %s_norm_add_%s(const %s *x, %s shift, const %s *y, %s rest, long n, double *sum) "
    "{\n"
    "    long i = 0;\n"
    "    while (i + 16 <= n) {\n"
    "        const long end = i + 1024 < n ? i + 1024 : n;\n"
    "        %s plain[16] = {0}, product[16] = {0};\n"
    "        for (; i + 16 <= end; i += 16)\n"
    "            for (int l = 0; l < 16; l++) {\n"
    "                const %s u = y[i + l] - rest;\n"
    "                plain[l] += u;\n"
    "                product[l] += u * (x[i + l] - shift);\n"
    "            }\n"
    "        for (int l = 0; l < 16; l++) sum[l] += (double)plain[l], sum[16 + l] += "
    "(double)product[l];\n"
    "    }\n"
    "    for (int l = 0; i < n; i++, l++) {\n"
    "        sum[l] += (double)(y[i] - rest);\n"
    "        sum[16 + l] += (double)((y[i] - rest) * (x[i] - shift));\n"
    "    }\n"
    "}\n";

static const char total_helper[] = "\nstatic double %s_norm_total(const double *lane) {\n"
                                   "    double sum = 0;\n"
                                   "    for (int l = 0; l < 16; l++) sum += lane[l];\n"
                                   "    return sum;\n"
                                   "}\n";

static const char measure_helper[] =
    "\n/* m: mean and variance of a channel of x, the sums of y and of y (x - mean). */\n"
    "static void %s_norm_about_%s(const %s *x, const %s *y, %s shift, long n, long apart, long "
    "run, "
    "double *m) {\n"
    "    double of_x[32] = {0}, of_y[32] = {0};\n"
    "    const double count = (double)(n * run);\n"
    "    for (long b = 0; b < n; b++) {\n"
    "        %s_norm_add_%s(x + b * apart, shift, x + b * apart, shift, run, of_x);\n"
    "        %s_norm_add_%s(x + b * apart, shift, y + b * apart, 0, run, of_y);\n"
    "    }\n"
    "    const double off = %s_norm_total(of_x) / count;\n"
    "    m[1] = %s_norm_total(of_x + 16) / count - off * off;\n"
    "    m[0] = (double)shift + off;\n"
    "    m[2] = %s_norm_total(of_y);\n"
    "    m[3] = %s_norm_total(of_y + 16) - off * m[2];\n"
    "    if (m[1] < 0) m[1] = 0;\n"
    "}\n"
    "\n/* Again where the first element is a stranger to the channel: differences lose digits. */\n"
    "static void %s_norm_measure_%s(const %s *x, const %s *y, long n, long apart, long run, double "
    "*m) {\n"
    "    const %s first = n * run > 0 ? x[0] : 0;\n"
    "    %s_norm_about_%s(x, y, first, n, apart, run, m);\n"
    "    const double off = m[0] - (double)first;\n"
    "    if (off * off > 4 * m[1]) %s_norm_about_%s(x, y, (%s)m[0], n, apart, run, m);\n"
    "}\n";

static const char forward_helper[] =
    "\nstatic void %s_norm_%s(const %s *x, %s weight, %s bias, double epsilon, long n, long apart, "
    "long run,\n"
    "        %s *y, %s *mean, %s *variance) {\n"
    "    double m[4];\n"
    "    %s_norm_measure_%s(x, x, n, apart, run, m);\n"
    "    const %s factor = weight * (%s)(1 / sqrt(m[1] + epsilon)), middle = (%s)m[0];\n"
    "    *mean = middle;\n"
    "    *variance = (%s)m[1];\n"
    "    for (long b = 0; b < n; b++, x += apart, y += apart)\n"
    "        for (long i = 0; i < run; i++) y[i] = (x[i] - middle) * factor + bias;\n"
    "}\n";

static const char backward_helper[] =
    "\nstatic void %s_norm_slope_%s(const %s *x, const %s *g, %s weight, double epsilon, long n, "
    "long apart, long run,\n"
    "        %s *gx, %s *g_weight, %s *g_bias) {\n"
    "    double m[4];\n"
    "    %s_norm_measure_%s(x, g, n, apart, run, m);\n"
    "    const double r = 1 / sqrt(m[1] + epsilon), met = r * m[3], count = (double)(n * run);\n"
    "    const %s factor = (%s)((double)weight * r), mean = (%s)(m[2] / count);\n"
    "    const %s middle = (%s)m[0], slope = (%s)(r * met / count);\n"
    "    *g_weight = (%s)met;\n"
    "    *g_bias = (%s)m[2];\n"
    "    for (long b = 0; b < n; b++, x += apart, g += apart, gx += apart)\n"
    "        for (long i = 0; i < run; i++) gx[i] = factor * (g[i] - mean - (x[i] - middle) * "
    "slope);\n"
    "}\n";

static void emit_helpers(gt_emitter *e, gt_dtype dtype, bool back) {
    const char *name = gt_emit_name(e), *kind = gt_dtype_name(dtype), *t = gt_emit_type(dtype);
    gt_emit_helper(e, sums_helper, name, kind, t, t, t, t, t, t);
    gt_emit_helper(e, total_helper, name);
    gt_emit_helper(e, measure_helper, name, kind, t, t, t, name, kind, name, kind, name, name, name,
                   name, name, kind, t, t, t, name, kind, name, kind, t);
    if (back)
        gt_emit_helper(e, backward_helper, name, kind, t, t, t, t, t, t, name, kind, t, t, t, t, t,
                       t, t, t);
    else
        gt_emit_helper(e, forward_helper, name, kind, t, t, t, t, t, t, name, kind, t, t, t, t);
}

/* A call for each channel. */
bool gt__channel_norm_emit(gt_emitter *e, const gt_call *call, bool back) {
    const gt_array *x = &call->in[0];
    const int64_t channels = x->shape.dim[1], one = 1;
    int64_t run = 1;
    for (int d = 2; d < x->shape.rank; d++) run *= x->shape.dim[d];
    const int64_t apart = channels * run;
    emit_helpers(e, x->dtype, back);
    gt_emit_loops(e, 0, 1, &channels);
    gt_emit(e,
            back ? "%s_norm_slope_%s(%s + %s, %s + %s, %s[%s], %s, %lld, %lld, %lld, %s + %s, "
                   "%s + i0, %s + i0);"
                 : "%s_norm_%s(%s + %s, %s[%s], %s[%s], %s, %lld, %lld, %lld, %s + %s, %s + i0, "
                   "%s + i0);",
            gt_emit_name(e), gt_dtype_name(x->dtype), gt_emit_in(e, 0), gt_emit_index(e, 1, &run),
            gt_emit_in(e, back ? 2 : 1), gt_emit_index(e, 1, back ? &run : &one),
            gt_emit_in(e, back ? 1 : 2), gt_emit_index(e, 1, &one),
            gt_emit_literal(e, GT_F64, call->attr, 0), (long long)x->shape.dim[0], (long long)apart,
            (long long)run, gt_emit_out(e, 0), gt_emit_index(e, 1, &run), gt_emit_out(e, 1),
            gt_emit_out(e, 2));
    gt_emit_end(e, 1);
    return true;
}
