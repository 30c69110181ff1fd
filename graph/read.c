/* graph/read.c: reading values, printing them, and looking for the first one that is not finite. */
#include "graph/tape.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static double element(const void *data, gt_dtype dtype, int64_t i) {
    switch (dtype) {
    case GT_F32: return (double)((const float *)data)[i];
    case GT_F64: return ((const double *)data)[i];
    case GT_I32: return ((const int32_t *)data)[i];
    case GT_I64: return (double)((const int64_t *)data)[i];
    case GT_BOOL: return ((const unsigned char *)data)[i] != 0;
    case GT_BF16: {
        const uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    default: return (double)NAN;
    }
}

/* ---- reading ------------------------------------------------------------------------------------------ */

const void *gt_data(gt_tensor t) {
    if (!gt__check(t, "read")) return NULL;
    const bool stays = gt__node_at(t.tape, t.index)->flags & (GT__LEAF | GT__STORED);
    if (!stays && !gt__read(t.tape, &t.index, 1)) return NULL;
    return gt__value(t.tape, t.index);
}

double gt_item(gt_tensor t) {
    if (!gt__check(t, "item")) return (double)NAN;
    const gt__node *n = gt__node_at(t.tape, t.index);
    if (gt__shape(t.tape, n)->numel != 1) {
        char name[320];
        gt_fail(t.tape, "item: %s has %" PRId64 " elements: only one can be read as a number",
                gt__describe(t.tape, t.index, name, sizeof name), gt__shape(t.tape, n)->numel);
        return (double)NAN;
    }
    const void *data = gt_data(t);
    return data ? element(data, (gt_dtype)n->dtype, 0) : (double)NAN;
}

double gt_element(gt_tensor t, int64_t i) {
    if (!gt__check(t, "element")) return (double)NAN;
    const gt__node *n = gt__node_at(t.tape, t.index);
    if (i < 0 || i >= gt__shape(t.tape, n)->numel) {
        char name[320];
        gt_fail(t.tape, "element: %s has no element %" PRId64,
                gt__describe(t.tape, t.index, name, sizeof name), i);
        return (double)NAN;
    }
    const void *data = gt_data(t);
    return data ? element(data, (gt_dtype)n->dtype, i) : (double)NAN;
}

bool gt_run(gt_tape *tape, const gt_tensor *wanted, int count) {
    if (!tape) return false;
    if (count <= 0) return true;
    for (int k = 0; k < count; k++) {
        if (wanted[k].tape != tape) return gt__error(tape, "run: a tensor of another tape");
        if (!gt__check(wanted[k], "run")) return false;
    }
    uint32_t *index = gt__pool_take(&tape->pool, (size_t)count * sizeof *index);
    if (!index) return gt__out_of_memory(tape, "a run");
    for (int k = 0; k < count; k++) index[k] = wanted[k].index;
    const bool ok = gt__read(tape, index, (uint32_t)count);
    gt__pool_give(&tape->pool, index);
    return ok;
}

gt_tensor gt_keep(gt_tensor t) {
    if (!gt__check(t, "keep")) return t;
    gt__node *n = gt__node_at(t.tape, t.index);
    if (n->flags & GT__SCALAR && !(n->flags & GT__KEEP)) gt__keep_number(t.tape, t.index);
    n->flags |= GT__KEEP;
    return t;
}

void gt_keep_all(gt_tape *tape, bool on) {
    if (tape) tape->keep_all = on;
}

void gt_eval(gt_tape *tape, bool on) {
    if (tape) tape->eval = on;
}
void gt_exact(gt_tape *tape, bool on) {
    if (tape) tape->exact = on;
}

void gt_reference(gt_tape *tape, bool on) {
    if (tape) tape->reference = on;
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static void print_element(FILE *out, const void *data, gt_dtype dtype, int64_t i) {
    if (dtype == GT_I64)
        fprintf(out, "%" PRId64, ((const int64_t *)data)[i]);
    else
        fprintf(out, "%.6g", element(data, dtype, i));
}

enum { SHOWN = 6 }; /* elements of an axis before it is shortened */

/* Nested brackets without recursion: a bracket opens where all faster coordinates are 0. */
static void print_values(FILE *out, const void *data, gt_dtype dtype, gt_shape shape) {
    int64_t at[GT_MAX_RANK] = {0};
    const int rank = shape.rank;
    for (;;) {
        int64_t offset = 0;
        int opens = 0;
        for (int d = rank - 1; d >= 0 && at[d] == 0; d--) opens++;
        for (int k = 0; k < opens; k++) fputc('[', out);
        for (int d = 0; d < rank; d++) offset = offset * shape.dim[d] + at[d];
        print_element(out, data, dtype, offset);
        int d = rank - 1;
        for (; d >= 0; d--) {
            at[d]++;
            if (shape.dim[d] > SHOWN && at[d] == SHOWN / 2) {
                at[d] = shape.dim[d] - SHOWN / 2;
                fputs(", ...", out);
            }
            if (at[d] < shape.dim[d]) break;
            at[d] = 0;
            fputc(']', out);
        }
        if (d < 0) return;
        fputs(", ", out);
    }
}

void gt_print(gt_tensor t, FILE *out) {
    if (!out) return;
    char name[320];
    const void *data = gt_data(t);
    if (!data) {
        fprintf(out, "%s\n", t.tape ? gt_error(t.tape) : "no tensor");
        return;
    }
    const gt__node *n = gt__node_at(t.tape, t.index);
    const gt_shape shape = gt__shape(t.tape, n)->shape;
    fprintf(out, "%s %s ", gt__describe(t.tape, t.index, name, sizeof name),
            gt_dtype_name((gt_dtype)n->dtype));
    if (gt__shape(t.tape, n)->numel == 0)
        fputs("(empty)", out);
    else
        print_values(out, data, (gt_dtype)n->dtype, shape);
    fputc('\n', out);
}

/* ---- the first value that is not finite ------------------------------------------------------------------ */

static int64_t first_not_finite(gt_tape *tape, uint32_t i) {
    gt__node *n = gt__node_at(tape, i);
    const void *data = gt__value(tape, i);
    if (!data || !gt_dtype_is_float((gt_dtype)n->dtype)) return -1;
    const int64_t numel = gt__shape(tape, n)->numel;
    for (int64_t k = 0; k < numel; k++)
        if (!isfinite(element(data, (gt_dtype)n->dtype, k))) return k;
    return -1;
}

static void describe_inputs(gt_tape *tape, const gt__node *n, char *text, size_t size) {
    size_t used = 0;
    text[0] = 0;
    for (uint32_t k = 0; k < gt__n_in(n) && k < 3; k++) {
        const uint32_t j = gt__in(tape, n)[k];
        gt__node *input = gt__node_at(tape, j);
        const void *data = gt__value(tape, j);
        char name[320];
        gt__describe(tape, j, name, sizeof name);
        double low = (double)INFINITY, high = -(double)INFINITY;
        for (int64_t e = 0; data && e < gt__shape(tape, input)->numel; e++) {
            const double v = element(data, (gt_dtype)input->dtype, e);
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", k ? "; " : "", name);
        if (data && used < size)
            used += (size_t)snprintf(text + used, size - used, " from %g to %g", low, high);
    }
}

bool gt_tape_check_finite(gt_tape *tape, gt_tensor *culprit) {
    if (!tape) return false;
    for (uint32_t i = 0; i < tape->size; i++) {
        const int64_t at = first_not_finite(tape, i);
        if (at < 0) continue;
        gt__node *n = gt__node_at(tape, i);
        char name[320], inputs[600], where[300];
        gt__describe(tape, i, name, sizeof name);
        describe_inputs(tape, n, inputs, sizeof inputs);
        gt__site_text(tape, n->site, where, sizeof where);
        if (culprit) *culprit = gt__tensor(tape, i);
        return gt__error(tape,
                         "%s is the first value not finite: element %" PRId64
                         " is %g; its inputs: %s%s",
                         name, at, element(gt__value(tape, i), (gt_dtype)n->dtype, at),
                         inputs[0] ? inputs : "none", where);
    }
    return true;
}
