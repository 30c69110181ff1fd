/* check/claim_print.c: the report on a claim, as text for a terminal, as JSON, and as HTML. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "check/check.h"
#include "check/json_fields.h"

/* ---- what there is to say -------------------------------------------------------------------------------------------- */

static const char *headline(const gt_claim_report *r) {
    if (r->carried) return "right, but for your earlier error";
    if (r->verdict == GT_RIGHT_AT_KINK) return "right up to your choice at the kink";
    return gt_verdict_name(r->verdict);
}

static bool is_good(const gt_claim_report *r) {
    return r->verdict <= GT_RIGHT_AT_KINK && !r->carried;
}

static void say_example(const gt_claim_report *r, char *text, size_t size) {
    snprintf(text, size, "%s%s%syours %.6g, true %.6g", r->example[0] ? "at " : "", r->example,
             r->example[0] ? ": " : "", r->yours, r->truth);
}

/* Part i of the corrected formula: *marked tells whether it is new. Returns its end; the parts follow each other. */
static size_t part_of(const gt_claim_report *r, size_t from, bool *marked) {
    size_t end = strlen(r->corrected);
    *marked = false;
    for (int k = 0; k < GT_CHECK_REMARKS; k++) {
        const size_t start = r->changed[k].start, stop = start + r->changed[k].length;
        if (r->changed[k].length == 0) continue;
        if (from >= start && from < stop) *marked = true, end = stop < end ? stop : end;
        if (from < start && start < end) end = start;
    }
    return end;
}

/* ---- text -------------------------------------------------------------------------------------------------------------- */

static void print_corrected(const gt_claim_report *r, bool in_color, FILE *out) {
    const size_t length = strlen(r->corrected);
    const int indent = fprintf(out, "    %s = ", r->name);
    bool marked, any = false;
    for (size_t at = 0, end; at < length; at = end) {
        end = part_of(r, at, &marked);
        any = any || marked;
        fprintf(out, in_color && marked ? "\033[1;4;32m%.*s\033[0m" : "%.*s", (int)(end - at),
                r->corrected + at);
    }
    fputc('\n', out);
    if (in_color || !any) return;
    size_t last = 0;
    for (int k = 0; k < GT_CHECK_REMARKS; k++)
        if (r->changed[k].start + r->changed[k].length > last)
            last = r->changed[k].start + r->changed[k].length;
    fprintf(out, "%*s", indent, "");
    for (size_t at = 0, end; at < last; at = end) {
        end = part_of(r, at, &marked);
        for (size_t i = at; i < end && i < last; i++) fputc(marked ? '^' : ' ', out);
    }
    fputc('\n', out);
}

void gt_claim_print(const gt_claim_report *r, bool in_color, FILE *out) {
    const char *color = !in_color                ? ""
                        : is_good(r)             ? "\033[32m"
                        : r->verdict == GT_WRONG ? "\033[1;31m"
                                                 : "\033[33m";
    char text[400];
    fprintf(out, "%s = %s: %s%s%s", r->name, r->claim, color, headline(r),
            in_color ? "\033[0m" : "");
    if (r->verdict == GT_CANNOT_TELL) fprintf(out, ": %s", gt_doubt_name(r->doubt));
    if (r->verdict == GT_RIGHT && r->digits < 15)
        fprintf(out, ", to %.0f digits", floor(r->digits));
    if (r->witnessed > 0 && is_good(r))
        fprintf(out, " (differences agree to %.0f digits)", floor(r->witnessed));
    fputc('\n', out);
    if (r->verdict == GT_RIGHT_AT_KINK)
        fprintf(out, "    the slopes are %.6g to the left and %.6g to the right\n", r->left,
                r->right);
    if (r->text[0]) fprintf(out, "    %s\n", r->text);
    for (int i = 0; i < r->n_remarks; i++) fprintf(out, "    %s\n", r->remark[i].text);
    if (r->corrected[0]) print_corrected(r, in_color, out);
    if (!r->has_example) return;
    say_example(r, text, sizeof text);
    fprintf(out, "    %s\n", text);
}

/* ---- JSON -------------------------------------------------------------------------------------------------------------- */

void gt_claim_print_json(const gt_claim_report *r, FILE *out) {
    fputc('{', out);
    gt__json_text_field("name", r->name, out);
    fputc(',', out);
    gt__json_text_field("claim", r->claim, out);
    fputc(',', out);
    gt__json_text_field("verdict", gt_verdict_name(r->verdict), out);
    fprintf(out, ",\"carried\":%s,", r->carried ? "true" : "false");
    gt__json_text_field("doubt", r->verdict == GT_CANNOT_TELL ? gt_doubt_name(r->doubt) : "", out);
    fputc(',', out);
    gt__json_number_field("digits", r->digits, out);
    fputc(',', out);
    gt__json_number_field("witnessed", r->witnessed, out);
    fputs(",\"remarks\":[", out);
    for (int i = 0; i < r->n_remarks; i++) {
        fputs(i ? ",{" : "{", out);
        gt__json_text_field("mistake", gt_mistake_name(r->remark[i].mistake), out);
        fputc(',', out);
        gt__json_text_field("text", r->remark[i].text, out);
        fputc('}', out);
    }
    fputs("],", out);
    gt__json_text_field("corrected", r->corrected, out);
    fputs(",\"changed\":[", out);
    for (int k = 0, n = 0; k < GT_CHECK_REMARKS; k++)
        if (r->changed[k].length)
            fprintf(out, "%s[%" PRIu32 ",%" PRIu32 "]", n++ ? "," : "", r->changed[k].start,
                    r->changed[k].length);
    fputc(']', out);
    if (r->has_example) {
        fputc(',', out);
        gt__json_text_field("at", r->example, out);
        fputc(',', out);
        gt__json_number_field("yours", r->yours, out);
        fputc(',', out);
        gt__json_number_field("true", r->truth, out);
    }
    if (r->verdict == GT_RIGHT_AT_KINK) {
        fputc(',', out);
        gt__json_number_field("left", r->left, out);
        fputc(',', out);
        gt__json_number_field("right", r->right, out);
    }
    fputc(',', out);
    gt__json_text_field("text", r->text, out);
    fputc('}', out);
}

/* ---- HTML -------------------------------------------------------------------------------------------------------------- */

static void html_text(const char *text, size_t length, FILE *out) {
    for (size_t i = 0; i < length && text[i]; i++) {
        switch (text[i]) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(text[i], out);
        }
    }
}

static void html_line(const char *tag, const char *text, FILE *out) {
    fprintf(out, "<%s>", tag);
    html_text(text, SIZE_MAX, out);
    fprintf(out, "</%s>\n", tag);
}

void gt_claim_print_html(const gt_claim_report *r, FILE *out) {
    char text[400];
    bool marked;
    fprintf(out, "<section class=\"claim %s\">\n<h2><code>",
            is_good(r)               ? "right"
            : r->verdict == GT_WRONG ? "wrong"
                                     : "doubt");
    html_text(r->name, SIZE_MAX, out);
    fputs(" = ", out);
    html_text(r->claim, SIZE_MAX, out);
    fputs("</code> <b>", out);
    html_text(headline(r), SIZE_MAX, out);
    fputs("</b></h2>\n", out);
    if (r->verdict == GT_CANNOT_TELL) html_line("p", gt_doubt_name(r->doubt), out);
    if (r->text[0]) html_line("p", r->text, out);
    for (int i = 0; i < r->n_remarks; i++) html_line("p", r->remark[i].text, out);
    if (r->corrected[0]) {
        fprintf(out, "<p><code>%s = ", r->name);
        for (size_t at = 0, end; at < strlen(r->corrected); at = end) {
            end = part_of(r, at, &marked);
            fputs(marked ? "<mark>" : "", out);
            html_text(r->corrected + at, end - at, out);
            fputs(marked ? "</mark>" : "", out);
        }
        fputs("</code></p>\n", out);
    }
    say_example(r, text, sizeof text);
    if (r->has_example) html_line("p", text, out);
    fputs("</section>\n", out);
}
