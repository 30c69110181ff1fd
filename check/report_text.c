/* check/report_text.c: reports in sentences, and as JSON. */
#include <inttypes.h>
#include <math.h>

#include "check/check.h"
#include "check/json_fields.h"

/* "[3,4]" of an index into a shape. */
static void place_of(gt_shape shape, int64_t at, char *text, size_t size) {
    int64_t index[GT_MAX_RANK] = {0};
    size_t used = 0;
    if (size) text[0] = 0;
    for (int d = shape.rank - 1; d >= 0; d--) {
        index[d] = shape.dim[d] ? at % shape.dim[d] : 0;
        at /= shape.dim[d] ? shape.dim[d] : 1;
    }
    for (int d = 0; d < shape.rank && used < size; d++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64 "%s", d ? "," : "[",
                                 index[d], d == shape.rank - 1 ? "]" : "");
}

static void print_entry(const gt_check_finding *f, const gt_check_entry *e, FILE *out) {
    char place[160];
    place_of(f->shape, e->at, place, sizeof place);
    fprintf(out, "    %s%s: yours %.10g, ", f->name, place, e->claimed);
    if (e->truth.doubt == GT_DOUBT_KINK)
        fprintf(out, "slopes %.6g to the left, %.6g to the right\n", e->truth.left, e->truth.right);
    else
        fprintf(out, "true %.10g +- %.1g\n", e->truth.value, e->truth.error);
}

static void print_finding(const gt_check_finding *f, FILE *out) {
    fprintf(out, "%s: %s", f->name, gt_verdict_name(f->verdict));
    if (f->verdict <= GT_RIGHT_ONLY_HERE) fprintf(out, ", to %.0f digits", floor(f->digits));
    if (f->text[0]) fprintf(out, ": %s", f->text);
    fputc('\n', out);
    if (f->beyond > 0 && f->count > 1 && f->mistake != GT_MISTAKE_ENTRIES)
        fprintf(out, "    %" PRId64 " of %" PRId64 " entries %s wrong\n", f->beyond, f->count,
                f->beyond == 1 ? "is" : "are");
    for (int k = 0; k < f->n_worst; k++) print_entry(f, &f->worst[k], out);
}

void gt_check_print(const gt_check_report *report, FILE *out) {
    if (!out) return;
    if (report->n_arrays == 0)
        fprintf(out, "%s: %s\n", gt_verdict_name(report->verdict), report->text);
    for (int k = 0; k < report->n_arrays; k++) print_finding(&report->array[k], out);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------- */

static void write_entry(const gt_check_entry *e, FILE *out) {
    fprintf(out, "{\"at\":%" PRId64 ",", e->at);
    gt__json_number_field("claimed", e->claimed, out);
    fputc(',', out);
    gt__json_number_field("true", e->truth.value, out);
    fputc(',', out);
    gt__json_number_field("error", e->truth.error, out);
    fputc(',', out);
    gt__json_number_field("left", e->truth.left, out);
    fputc(',', out);
    gt__json_number_field("right", e->truth.right, out);
    fputc('}', out);
}

static void write_finding(const gt_check_finding *f, FILE *out) {
    fputc('{', out);
    gt__json_text_field("name", f->name, out);
    fputs(",\"shape\":[", out);
    for (int d = 0; d < f->shape.rank; d++)
        fprintf(out, "%s%" PRId64, d ? "," : "", f->shape.dim[d]);
    fputs("],", out);
    gt__json_text_field("verdict", gt_verdict_name(f->verdict), out);
    fputc(',', out);
    gt__json_text_field("doubt", gt_doubt_name(f->doubt), out);
    fputc(',', out);
    gt__json_text_field("mistake", gt_mistake_name(f->mistake), out);
    fputc(',', out);
    gt__json_text_field("text", f->text, out);
    fputc(',', out);
    gt__json_number_field("digits", f->digits, out);
    fprintf(out, ",\"count\":%" PRId64 ",\"differing\":%" PRId64 ",\"beyond\":%" PRId64 ",",
            f->count, f->differing, f->beyond);
    gt__json_number_field("factor", f->factor, out);
    fputs(",\"worst\":[", out);
    for (int k = 0; k < f->n_worst; k++) {
        if (k) fputc(',', out);
        write_entry(&f->worst[k], out);
    }
    fputs("]}", out);
}

void gt_check_print_json(const gt_check_report *report, FILE *out) {
    if (!out) return;
    fputc('{', out);
    gt__json_text_field("verdict", gt_verdict_name(report->verdict), out);
    fputc(',', out);
    gt__json_text_field("doubt", gt_doubt_name(report->doubt), out);
    fputc(',', out);
    gt__json_text_field("text", report->text, out);
    fprintf(out, ",\"evaluations\":%" PRId64 ",\"arrays\":[", report->evaluations);
    for (int k = 0; k < report->n_arrays; k++) {
        if (k) fputc(',', out);
        write_finding(&report->array[k], out);
    }
    fputs("]}", out);
}
