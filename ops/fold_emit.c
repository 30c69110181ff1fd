/* ops/fold_emit.c: folds as C, in the order told in fold.h. */
#include "ops/reduce.h"

#include "ops/rows.h"

/* How a folding is called, begins and goes on; as the macros in fold.c. */
static const struct {
    const char *name, *real, *i32, *i64, *combine,
        *reals; /* reals: where they are combined otherwise */
} known[GT__N_FOLDINGS] = {
    [GT__SUM] = {"sum", "0", "0", "0", "a + b", NULL},
    [GT__PRODUCT] = {"prod", "1", "1", "1", "a * b", NULL},
    [GT__MAX] = {"max", "-INFINITY", "-2147483647 - 1", "-9223372036854775807LL - 1",
                 "a > b ? a : b", "((a > b) | (a != a)) ? a : b"},
    [GT__MIN] = {"min", "INFINITY", "2147483647", "9223372036854775807LL", "a < b ? a : b",
                 "((a < b) | (a != a)) ? a : b"},
    [GT__ANY] = {"any", "0", "0", "0", "a | b", NULL},
    [GT__ALL] = {"all", "1", "1", "1", "a & b", NULL},
};

/* lane[r % 16] takes element r of a chunk; level holds sums of 1, 2, 4, ... chunks. */
static void helper(gt_emitter *e, gt__folding folding, gt_dtype in, gt_dtype out) {
    const char *name = gt_emit_name(e), *kind = gt_dtype_name(in), *word = known[folding].name;
    const char *type = gt_emit_type(out), *combine = known[folding].combine;
    if (gt_dtype_is_float(out) && known[folding].reals) combine = known[folding].reals;
    const char *identity = gt_dtype_is_float(out) ? known[folding].real
                           : out == GT_I64        ? known[folding].i64
                                                  : known[folding].i32;
    gt_emit_helper(e, "\nstatic %s %s_%s_%s_of(%s a, %s b) { return (%s)(%s); }\n", type, name,
                   word, kind, type, type, type, combine);
    gt_emit_helper(
        e,
        "\nstatic %s %s_%s_%s(const %s *x, long n, long step) {\n"
        "    %s level[24] = {(%s)(%s)}, lane[16];\n"
        "    int top = 0;\n"
        "    for (long first = 0; first < n; first += 256) {\n"
        "        const long count = n - first < 256 ? n - first : 256;\n"
        "        for (int k = 0; k < 16; k++) lane[k] = (%s)(%s);\n"
        "        for (long r = 0; r < count; r++)\n"
        "            lane[r %% 16] = %s_%s_%s_of(lane[r %% 16], x[(first + r) * step]);\n"
        "        for (int half = 8; half; half /= 2)\n"
        "            for (int k = 0; k < half; k++) lane[k] = %s_%s_%s_of(lane[k], lane[k + "
        "half]);\n"
        "        level[top] = lane[0];\n"
        "        for (long carry = first / 256; carry & 1; carry /= 2, top--)\n"
        "            level[top - 1] = %s_%s_%s_of(level[top - 1], level[top]);\n"
        "        top++;\n"
        "    }\n"
        "    for (top--; top > 0; top--) level[top - 1] = %s_%s_%s_of(level[top - 1], "
        "level[top]);\n"
        "    return level[0];\n"
        "}\n",
        type, name, word, kind, gt_emit_type(in), type, type, identity, type, identity, name, word,
        kind, name, word, kind, name, word, kind, name, word, kind);
}

/* The kept axes of an array, then the folded ones. */
static int split_axes(const gt_array *in, unsigned mask, int64_t *size, int64_t *stride) {
    int kept = 0, count = 0;
    for (int folded = 0; folded < 2; folded++) {
        for (int d = 0; d < in->shape.rank; d++) {
            if ((mask >> d & 1u) != (unsigned)folded) continue;
            size[count] = in->shape.dim[d];
            stride[count++] = in->stride[d];
        }
        if (!folded) kept = count;
    }
    return kept;
}

/* Do axes of these sizes lie as one? Then *step is its stride. */
static bool lie_as_one(int count, const int64_t *size, const int64_t *stride, int64_t *step) {
    int64_t next = 0;
    *step = 1;
    for (int d = count - 1, seen = 0; d >= 0; d--) {
        if (size[d] == 1) continue;
        if (!seen++)
            *step = stride[d];
        else if (stride[d] != next)
            return false;
        next = stride[d] * size[d];
    }
    return true;
}

/* Elements that do not lie at one distance from each other are brought together first. */
static const char *gathered(gt_emitter *e, const gt_call *call, int kept, int folded,
                            const int64_t *size, const int64_t *stride, int64_t count) {
    const gt_array *in = &call->in[0];
    const char *to = gt_emit_scratch(e, in->dtype, count);
    int64_t own[GT_MAX_RANK] = {0};
    int64_t next = 1;
    for (int d = kept + folded - 1; d >= kept; d--) {
        own[d] = next;
        next *= size[d];
    }
    gt_emit_loops(e, kept, folded, size + kept);
    gt_emit(e, "%s[%s] = %s[%s];", to, gt_emit_index(e, kept + folded, own), gt_emit_in(e, 0),
            gt_emit_index(e, kept + folded, stride));
    gt_emit_end(e, folded);
    return to;
}

bool gt__fold_emit(gt_emitter *e, const gt_call *call, gt__folding folding) {
    const gt_array *in = &call->in[0];
    const gt__over *over = call->attr;
    int64_t size[GT_MAX_RANK] = {0}, stride[GT_MAX_RANK] = {0}, count = 1, step;
    char from[1000];
    unsigned mask;
    if (!gt__axis_mask(call, over->axes, in->shape.rank, &mask)) return false;
    const int kept = split_axes(in, mask, size, stride), folded = in->shape.rank - kept;
    gt_shape results = {kept, {0}};
    int64_t to[GT_MAX_RANK];
    for (int d = 0; d < kept; d++) results.dim[d] = size[d];
    for (int d = kept; d < in->shape.rank; d++) count *= size[d];
    gt__strides(results, to);
    helper(e, folding, in->dtype, call->out[0].dtype);
    gt_emit_loops(e, 0, kept, size);
    snprintf(from, sizeof from, "%s + (%s)", gt_emit_in(e, 0), gt_emit_index(e, kept, stride));
    if (!lie_as_one(folded, size + kept, stride + kept, &step)) {
        snprintf(from, sizeof from, "%s", gathered(e, call, kept, folded, size, stride, count));
        step = 1;
    }
    gt_emit(e, "%s[%s] = %s_%s_%s(%s, %lld, %lld);", gt_emit_out(e, 0), gt_emit_index(e, kept, to),
            gt_emit_name(e), known[folding].name, gt_dtype_name(in->dtype), from, (long long)count,
            (long long)step);
    gt_emit_end(e, kept);
    return true;
}
