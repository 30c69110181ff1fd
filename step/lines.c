/* step/lines.c: the journal as text, one line a step:
 *
 *     [ 4/10] q = add(x, y) = 3
 *     [ 8/10] f: df/dq = up 1 x local -4 = -4   local = z   | q.grad 0 -> -4   swapper
 *
 * A single element is shown as its number, a tensor by its shape, norm and range. */
#include "step/journal.h"

#include <math.h>
#include <string.h>

enum { SHORT = 40 }; /* symbols that fit behind the numbers of a line */

static const char plain[] = "\033[0m", green[] = "\033[32m", red[] = "\033[31m",
                  faint[] = "\033[2m";

static void paint(const gt__style *style, const char *color, FILE *out) {
    if (style->color) fputs(color, out);
}

const char *gt__number_text(double v, char *text, size_t size) {
    if (isnan(v)) /* its sign says nothing */
        snprintf(text, size, "nan");
    else
        snprintf(text, size, "%.8g", v == 0 ? 0 : v);
    return text;
}

static void write_number(double v, FILE *out) {
    char text[40];
    fputs(gt__number_text(v, text, sizeof text), out);
}

void gt__write_figures(const gt__figures *f, gt_tensor t, FILE *out) {
    if (f->numel == 1) {
        write_number(f->one, out);
        return;
    }
    const gt_shape shape = gt_shape_of(t);
    fputc('[', out);
    for (int d = 0; d < shape.rank; d++)
        fprintf(out, "%s%lld", d ? "," : "", (long long)shape.dim[d]);
    fprintf(out, "] norm %.6g", f->norm);
    if (f->low <= f->high) fprintf(out, ", %.6g to %.6g", f->low, f->high);
    if (f->not_finite) fprintf(out, ", %lld not finite", (long long)f->not_finite);
}

/* The output's name in derivatives; L when nobody named it. */
static const char *output_name(const gt_journal *j) {
    const char *label = j->gate[j->output].label;
    return strpbrk(label, "# ") ? "L" : label;
}

static void write_derivative(const gt_journal *j, const char *by, FILE *out) {
    const bool bare = !strpbrk(by, " #");
    fprintf(out, bare ? "d%s/d%s" : "d%s/d(%s)", output_name(j), by);
}

static void write_value(const gt_journal *j, uint32_t i, const gt__style *style, FILE *out) {
    static const char *const kinds[] = {"input", "parameter", "constant", "", ""};
    const gt__gate *gate = &j->gate[i];
    int branch;
    fprintf(out, "%s = ", gate->label);
    if (gate->kind == GT__OPERATION) {
        char text[400];
        gt__gate_text(j, i, text, sizeof text);
        fprintf(out, "%s = ", text);
    }
    if (style->hide) {
        fputc('?', out);
        return;
    }
    paint(style, green, out);
    gt__write_figures(&gate->v, gate->value, out);
    paint(style, plain, out);
    if (gate->kind != GT__OPERATION) fprintf(out, "   %s", kinds[gate->kind]);
    if (gt__branch_of(j, i, &branch)) fprintf(out, "   branch %d", branch);
}

static void write_seed(const gt_journal *j, const gt__style *style, FILE *out) {
    write_derivative(j, output_name(j), out);
    fputs(" = ", out);
    paint(style, red, out);
    fputc('1', out);
    paint(style, plain, out);
    fputs("   the sweep begins", out);
}

/* Behind the numbers, where it is short enough. */
static void write_symbols(const gt_journal *j, const gt__edge *e, FILE *out) {
    const bool local = !gt_is_none(e->local);
    char text[400];
    if (local)
        gt__local_text(j, e, text, sizeof text);
    else
        gt__rule_text(j, e, text, sizeof text);
    if (text[0] && strlen(text) <= SHORT)
        fprintf(out, "   %s = %s", local ? "local" : "rule", text);
}

static void write_product(const gt_journal *j, const gt__edge *e, const gt__style *style,
                          FILE *out) {
    const char *op = gt_op_of(j->gate[e->gate].value)->name;
    fputs("up ", out);
    gt__write_figures(&e->up_f, e->up, out);
    if (gt_is_none(e->gx)) {
        fprintf(out, ", but %s has derivative 0", op);
        return;
    }
    if (gt_is_none(e->local)) {
        fprintf(out, " through the rule of %s = ", op);
    } else {
        fprintf(out, " %s local ", style->ascii ? "x" : "\u00d7");
        gt__write_figures(&e->local_f, e->local, out);
        fputs(" = ", out);
    }
    paint(style, red, out);
    if (style->hide)
        fputc('?', out);
    else
        gt__write_figures(&e->gx_f, e->gx, out);
    paint(style, plain, out);
    write_symbols(j, e, out);
}

static void write_sum(const gt_journal *j, const gt__edge *e, FILE *out) {
    const gt__gate *input = &j->gate[e->input];
    fprintf(out, "   | %s.grad ", input->label);
    if (input->v.numel == 1) {
        write_number(e->before, out);
        fputs(" -> ", out);
        write_number(e->after, out);
    } else {
        fprintf(out, "share %u of %u", e->place + 1, input->n_arrived);
    }
    if (input->n_arrived > 1) fputs(e->place ? "   adds up" : "   first share", out);
}

static void write_flow(const gt_journal *j, const gt__edge *e, const gt__style *style, FILE *out) {
    const gt__role role = gt__role_of(j, e->gate);
    fprintf(out, "%s: ", j->gate[e->gate].label);
    write_derivative(j, j->gate[e->input].label, out);
    fputs(" = ", out);
    write_product(j, e, style, out);
    if (style->hide) return;
    write_sum(j, e, out);
    paint(style, faint, out);
    if (role != GT__NO_ROLE) fprintf(out, "   %s", gt__role_name(role));
    paint(style, plain, out);
}

void gt__write_step(const gt_journal *j, uint32_t i, const gt__style *style, FILE *out) {
    const gt__step *s = &j->step[i];
    int width = 1;
    for (uint32_t n = j->n_steps; n >= 10; n /= 10) width++;
    fprintf(out, "[%*u/%u] ", width, i + 1, j->n_steps);
    switch (s->kind) {
    case GT__VALUE: write_value(j, s->gate, style, out); break;
    case GT__SEED: write_seed(j, style, out); break;
    case GT__FLOW: write_flow(j, &j->edge[s->edge], style, out); break;
    }
    fputc('\n', out);
}

bool gt_journal_text(gt_journal *j, FILE *out) {
    if (!gt__journal_ready(j) || !out) return false;
    const gt__style style = {.ascii = true};
    for (uint32_t i = 0; i < j->n_steps; i++) gt__write_step(j, i, &style, out);
    return !ferror(out) || gt__journal_fail(j, "the journal could not be written");
}
