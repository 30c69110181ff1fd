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
    "\n/* m: mean and variance of a channel. */\n"
    "static void %s_norm_about_%s(const %s *x, %s shift, long n, long apart, long run, double *m) "
    "{\n"
    "    double sum[32] = {0};\n"
    "    const double count = (double)(n * run);\n"
    "    for (long b = 0; b < n; b++)\n"
    "        %s_norm_add_%s(x + b * apart, shift, x + b * apart, shift, run, sum);\n"
    "    const double off = %s_norm_total(sum) / count;\n"
    "    m[0] = (double)shift + off;\n"
    "    m[1] = %s_norm_total(sum + 16) / count - off * off;\n"
    "    if (m[1] < 0) m[1] = 0;\n"
    "}\n"
    "\n/* Again where the first element is a stranger to the channel: differences lose digits. */\n"
    "static void %s_norm_measure_%s(const %s *x, long n, long apart, long run, double *m) {\n"
    "    const %s first = n * run > 0 ? x[0] : 0;\n"
    "    %s_norm_about_%s(x, first, n, apart, run, m);\n"
    "    const double off = m[0] - (double)first;\n"
    "    if (off * off > 4 * m[1]) %s_norm_about_%s(x, (%s)m[0], n, apart, run, m);\n"
    "}\n";

static const char forward_helper[] =
    "\nstatic void %s_norm_%s(const %s *x, %s weight, %s bias, double epsilon, long n, long apart, "
    "long run,\n"
    "        %s *y, %s *mean, %s *variance, %s *rest) {\n"
    "    double m[2];\n"
    "    %s_norm_measure_%s(x, n, apart, run, m);\n"
    "    const %s factor = weight * (%s)(1 / sqrt(m[1] + epsilon)), middle = (%s)m[0];\n"
    "    *mean = middle;\n"
    "    *variance = (%s)m[1];\n"
    "    *rest = (%s)(m[0] - (double)middle);\n"
    "    const %s shift = bias - *rest * factor;\n"
    "    for (long b = 0; b < n; b++, x += apart, y += apart)\n"
    "        for (long i = 0; i < run; i++) y[i] = (x[i] - middle) * factor + shift;\n"
    "}\n";

static const char backward_helper[] =
    "\nstatic void %s_norm_slope_%s(const %s *x, const %s *g, %s weight, %s middle, %s variance, "
    "%s rest, double epsilon,\n"
    "        long n, long apart, long run, %s *gx, %s *g_weight, %s *g_bias) {\n"
    "    double of_g[32] = {0};\n"
    "    for (long b = 0; b < n; b++)\n"
    "        %s_norm_add_%s(x + b * apart, middle, g + b * apart, 0, run, of_g);\n"
    "    const double r = 1 / sqrt((double)variance + epsilon), count = (double)(n * run);\n"
    "    const double sum = %s_norm_total(of_g);\n"
    "    const double met = r * (%s_norm_total(of_g + 16) - (double)rest * sum), each = r * met / "
    "count;\n"
    "    const %s factor = (%s)((double)weight * r), mean = (%s)(sum / count - (double)rest * "
    "each);\n"
    "    const %s slope = (%s)each;\n"
    "    *g_weight = (%s)met;\n"
    "    *g_bias = (%s)sum;\n"
    "    for (long b = 0; b < n; b++, x += apart, g += apart, gx += apart)\n"
    "        for (long i = 0; i < run; i++) gx[i] = factor * (g[i] - mean - (x[i] - middle) * "
    "slope);\n"
    "}\n";

static void emit_helpers(gt_emitter *e, gt_dtype dtype, bool back) {
    const char *name = gt_emit_name(e), *kind = gt_dtype_name(dtype), *t = gt_emit_type(dtype);
    gt_emit_helper(e, sums_helper, name, kind, t, t, t, t, t, t);
    gt_emit_helper(e, total_helper, name);
    if (back) {
        gt_emit_helper(e, backward_helper, name, kind, t, t, t, t, t, t, t, t, t, name, kind, name,
                       name, t, t, t, t, t, t, t);
        return;
    }
    gt_emit_helper(e, measure_helper, name, kind, t, t, name, kind, name, name, name, kind, t, t,
                   name, kind, name, kind, t);
    gt_emit_helper(e, forward_helper, name, kind, t, t, t, t, t, t, t, name, kind, t, t, t, t, t,
                   t);
}

/* A call for each channel. */
bool gt__channel_norm_emit(gt_emitter *e, const gt_call *call, bool back) {
    const gt_array *x = &call->in[0];
    const int64_t channels = x->shape.dim[1];
    int64_t run = 1;
    for (int d = 2; d < x->shape.rank; d++) run *= x->shape.dim[d];
    const int64_t apart = channels * run;
    emit_helpers(e, x->dtype, back);
    gt_emit_loops(e, 0, 1, &channels);
    const char *name = gt_emit_name(e), *kind = gt_dtype_name(x->dtype);
    const char *at = gt_emit_index(e, 1, &run),
               *epsilon = gt_emit_literal(e, GT_F64, call->attr, 0);
    const long long n = (long long)x->shape.dim[0];
    if (back)
        gt_emit(
            e,
            "%s_norm_slope_%s(%s + %s, %s + %s, %s[i0], %s[i0], %s[i0], %s[i0], %s, %lld, %lld, "
            "%lld, %s + %s, %s + i0, %s + i0);",
            name, kind, gt_emit_in(e, 0), at, gt_emit_in(e, 2), at, gt_emit_in(e, 1),
            gt_emit_in(e, 3), gt_emit_in(e, 4), gt_emit_in(e, 5), epsilon, n, (long long)apart,
            (long long)run, gt_emit_out(e, 0), at, gt_emit_out(e, 1), gt_emit_out(e, 2));
    else
        gt_emit(e,
                "%s_norm_%s(%s + %s, %s[i0], %s[i0], %s, %lld, %lld, %lld, %s + %s, %s + i0, %s + "
                "i0, %s + i0);",
                name, kind, gt_emit_in(e, 0), at, gt_emit_in(e, 1), gt_emit_in(e, 2), epsilon, n,
                (long long)apart, (long long)run, gt_emit_out(e, 0), at, gt_emit_out(e, 1),
                gt_emit_out(e, 2), gt_emit_out(e, 3));
    gt_emit_end(e, 1);
    return true;
}
