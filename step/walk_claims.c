/* step/walk_claims.c: compares what someone derived by hand with the journal, here, at these inputs:
 *
 *     df/dx = z        a formula over the names of the circuit
 *     df/dz = 2.99     a number, right when three digits are
 *
 * Which term of a wrong formula is wrong is the business of `gradtape check`. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "step/walk.h"

enum { MOST_TEXT = 1 << 16 };

typedef struct text {
    char *at;
    size_t used;
    bool full;
} text;

GT_PRINTF(2, 3) static void add(text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    const int more = vsnprintf(t->at + t->used, MOST_TEXT - t->used, format, list);
    va_end(list);
    t->full = t->full || more < 0 || (size_t)more >= MOST_TEXT - t->used;
    if (!t->full) t->used += (size_t)more;
}

/* ---- the text to parse: what is known, then the claims -------------------------------------------- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_name(const char *label) {
    if (!is_letter(*label)) return false;
    for (; *label; label++)
        if (!is_letter(*label) && !(*label >= '0' && *label <= '9') && *label != '_') return false;
    return true;
}

/* Known by its shape; its tensor is bound to the name. */
static void declare(const gt__gate *gate, text *t) {
    const gt_shape shape = gt_shape_of(gate->value);
    if (!is_name(gate->label)) return;
    add(t, "%s[", gate->label);
    for (int d = 0; d < shape.rank; d++) add(t, "%s%lld", d ? "," : "", (long long)shape.dim[d]);
    add(t, "];");
}

static bool read_claims(const gt_journal *j, const char *file, text *t) {
    char line[GT__WALK_LINE];
    for (uint32_t i = 0; i < j->n_main; i++) declare(&j->gate[i], t);
    add(t, "\n");
    FILE *in = fopen(file, "r");
    if (!in) return false;
    while (fgets(line, sizeof line, in)) add(t, "%s", line);
    return fclose(in) == 0;
}

/* ---- judging ------------------------------------------------------------------------------------------- */

static bool agrees(double claimed, double truth, bool number) {
    const double tolerance = number ? 5e-3 : 1e-9;
    if (isnan(truth)) return isnan(claimed);
    return claimed == truth || fabs(claimed - truth) <= tolerance * fabs(truth);
}

static double true_element(const gt__gate *gate, int64_t i) {
    return gt_is_none(gate->gradient) ? 0 : gt_element(gate->gradient, i);
}

/* The first element at which they differ; -1 when none does, -2 when the shapes do. */
static int64_t difference(const gt__gate *gate, gt_tensor claimed, bool number) {
    if (!gt_same_shape(gt_shape_of(claimed), gt_shape_of(gate->value))) return -2;
    for (int64_t i = 0; i < gate->v.numel; i++)
        if (!agrees(gt_element(claimed, i), true_element(gate, i), number)) return i;
    return -1;
}

static void judge(gt__walk *w, const gt__gate *gate, gt_tensor claimed, bool number) {
    char yours[40], truth[40];
    const int64_t at = difference(gate, claimed, number);
    if (at == -2) {
        fputs("another shape than the input has\n", w->out);
        return;
    }
    const int64_t shown = at < 0 ? 0 : at;
    if (at < 0) fputs("right", w->out);
    if (at >= 0) fputs("wrong", w->out);
    if (gate->v.numel > 1 && at >= 0) fprintf(w->out, " at element %lld", (long long)at);
    if (gate->v.numel == 1 || at >= 0)
        fprintf(w->out, ": yours %s, true %s",
                gt__number_text(gt_element(claimed, shown), yours, sizeof yours),
                gt__number_text(true_element(gate, shown), truth, sizeof truth));
    fputc('\n', w->out);
}

static void judge_statement(gt__walk *w, gt_recording *r, const gt_formula *f,
                            const gt_statement *s) {
    gt_formula_error error;
    const uint32_t input = gt__journal_find(w->j, s->wrt[0]);
    const gt_marker mark = gt_mark(w->j->tape);
    fprintf(w->out, "d%s/d%s: ", s->name, s->wrt[0]);
    if (strcmp(s->name, w->j->gate[w->j->output].label) != 0 || input == GT__NO_GATE) {
        fprintf(w->out, "only derivatives of %s stand in the journal\n",
                w->j->gate[w->j->output].label);
        return;
    }
    const gt_tensor claimed = gt_record_expr(r, s->expr, &error);
    if (error.message[0] || !gt_data(claimed))
        fprintf(w->out, "%s\n", error.message[0] ? error.message : gt_error(w->j->tape));
    else
        judge(w, &w->j->gate[input], claimed, gt_expr_is_constant(f, s->expr));
    gt_rewind(w->j->tape, mark);
}

/* The text may define names of its own to claim with. */
static void judge_all(gt__walk *w, gt_formula *f) {
    gt_formula_error error;
    const gt_marker mark = gt_mark(w->j->tape);
    gt_recording *r = gt_recording_new(f, w->j->tape);
    bool ok = r != NULL;
    for (uint32_t i = 0; ok && i < w->j->n_main; i++)
        if (is_name(w->j->gate[i].label))
            ok = gt_recording_bind(r, w->j->gate[i].label, w->j->gate[i].value);
    if (!ok) fputs("out of memory: claims\n", w->out);
    const bool defined = ok && gt_record_definitions(r, &error);
    if (ok && !defined) fprintf(w->out, "%s\n", error.message);
    for (int i = 0; defined && i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        if (s.kind == GT_CLAIMS_SLOPE) judge_statement(w, r, f, &s);
    }
    gt_recording_free(r);
    gt_rewind(w->j->tape, mark);
}

void gt__walk_diff(gt__walk *w, const char *rest) {
    gt_formula_error error;
    char shown[512];
    text t = {.at = gt_params_alloc(w->j->params, NULL, 0, MOST_TEXT)};
    if (!t.at) {
        fputs("out of memory: claims\n", w->out);
        return;
    }
    if (!read_claims(w->j, rest, &t) || t.full) {
        fprintf(w->out, "%s\n",
                t.full ? "that is too much text" : "give a file with lines df/dx = ...");
    } else {
        gt_formula *f = gt_formula_parse(t.at, NULL, &error);
        if (f)
            judge_all(w, f);
        else
            fprintf(w->out, "%s\n%s", error.message,
                    gt_formula_show(t.at, error.span, shown, sizeof shown));
        gt_formula_free(f);
    }
    gt_params_alloc(w->j->params, t.at, MOST_TEXT, 0);
}
