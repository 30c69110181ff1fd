/* bench/emit_workload.c: writes a workload's step as C, for bench/emitted.c to time.
 *
 *     emit_workload NAME FILE
 *
 * Behind what gt_emit_c writes stands `emitted_step`, which calls it with the workload's data. Those arrays have
 * linkage, so that a compiler cannot take what is in them for constants. What is trained begins where one step has
 * led, and the batch is among the constants. */
#include "common/workload.h"

#include <string.h>

static bool write_array(FILE *out, const char *name, int k, gt_tensor t) {
    const double *value = gt_dtype_of(t) == GT_F64 ? gt_data(t) : NULL;
    const int64_t count = gt_numel(gt_shape_of(t));
    fprintf(out, "double emitted_%s_%d[] = {", name, k);
    for (int64_t i = 0; value && i < count; i++) fprintf(out, "%.17g,\n", value[i]);
    fprintf(out, "};\n");
    return value != NULL;
}

static bool write_call(FILE *out, const training *t) {
    const char *type = gt_dtype_of(t->loss) == GT_F64 ? "double" : "float";
    bool ok = true;
    for (int k = 0; k < t->n_wrt; k++)
        ok = write_array(out, "in", k, t->wrt[k]) && write_array(out, "out", k, t->slope[k]) && ok;
    fprintf(out, "extern const char emitted_workload[];\n");
    fprintf(out, "const char emitted_workload[] = \"%s\";\n", t->what->name);
    fprintf(out, "int emitted_step(double *loss);\nint emitted_step(double *loss) {\n");
    fprintf(out, "    %s value;\n    const int failed = emitted_run(", type);
    for (int k = 0; k < t->n_wrt; k++) fprintf(out, "emitted_in_%d, ", k);
    fprintf(out, "&value");
    for (int k = 0; k < t->n_wrt; k++) fprintf(out, ", emitted_out_%d", k);
    fprintf(out, ");\n    *loss = (double)value;\n    return failed;\n}\n");
    return ok && !ferror(out);
}

static bool emit(training *t, FILE *out) {
    if (!bench_first_run(t)) return false;
    gt_tensor result[BENCH_MOST_WRT + 1] = {t->loss};
    memcpy(result + 1, t->slope, sizeof t->slope);
    return gt_emit_c(t->tape, "emitted", gt_list_of(t->n_wrt, t->wrt),
                     gt_list_of(t->n_wrt + 1, result), out) &&
           write_call(out, t);
}

int main(int argc, char **argv) {
    const workload *what = argc == 3 ? bench_find(argv[1]) : NULL;
    if (!what) {
        fprintf(stderr, "usage: emit_workload NAME FILE, NAME one of");
        bench_print_names(stderr);
        return 2;
    }
    training t;
    FILE *out = fopen(argv[2], "w");
    const bool begun = bench_begin(&t, what);
    bool ok = begun && out && emit(&t, out);
    if (begun && !ok) bench_complain(&t);
    if (out && fclose(out) != 0) ok = false;
    bench_end(&t);
    return ok ? 0 : 1;
}
