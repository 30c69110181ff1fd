/* step/journal_json.c: the journal as JSON, for the page, for --json and for anyone else's tools:
 *
 *   format     "gradtape journal 1"
 *   output     the gate that was differentiated
 *   main       how many gates are the circuit; those behind are insides of composites
 *   gates      [{label, op, kind: input|parameter|constant|operation|alias, inputs: [gates], numbers: [..],
 *              dtype, shape, value: FIGURES, gradient: FIGURES or null, role, branch (when kinked),
 *              parent, inside: [first, count], edges: [first, count], arrived}]
 *   edges      [{gate, k, input, up, local (null: no local gradient), contribution (null: none), symbol,
 *              before, after (null for tensors), place}], in the order of the sweep
 *   steps      [[kind, gate, edge]]: kind 0 a value (of all but constants), 1 the seed, 2 a flow; as the composites
 *              are open or closed
 *   operations {name: {meaning, forward, gradients: [..], domain}}, the rows of the table that are used
 *
 * FIGURES is a number for a single element, else {low, high, norm, not_finite, elements: [..] when they are few,
 * histogram: [..] of equal bins from low to high}. What is not finite is "nan", "inf" or "-inf". Text is escaped
 * so that it may stand inside a script element. */
#include "step/journal.h"

#include <math.h>
#include <string.h>

enum { MOST_ELEMENTS = 1024, BINS = 24 };

/* ---- words of JSON ----------------------------------------------------------------------------------------------- */

size_t gt__utf8_sequence(const unsigned char *s) {
    const size_t n = s[0] < 0x80                   ? 1
                     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                     : (s[0] & 0xf0) == 0xe0       ? 3
                     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                   : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return n;
}

void gt__json_text(const char *text, FILE *out) {
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', out);
    while (*s) {
        const size_t n = gt__utf8_sequence(s);
        if (n == 0)
            fputs("\\ufffd", out);
        else if (n == 1 && (*s < 0x20 || strchr("\"\\<>&\x7f", *s)))
            fprintf(out, "\\u%04x", *s);
        else if (n == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] | 1) == 0xa9)
            fprintf(out, "\\u20%02x", s[2] - 0x80); /* ends a line in older scripts */
        else
            fwrite(s, 1, n, out);
        s += n ? n : 1;
    }
    fputc('"', out);
}

void gt__json_number(double v, FILE *out) {
    char text[40];
    if (!isfinite(v)) {
        fputs(isnan(v) ? "\"nan\"" : v > 0 ? "\"inf\"" : "\"-inf\"", out);
        return;
    }
    double back = 0;
    snprintf(text, sizeof text, "%.15g", v);
    if (sscanf(text, "%lf", &back) != 1 || back != v) snprintf(text, sizeof text, "%.17g", v);
    fputs(text, out);
}

static void key(const char *name, FILE *out) { fprintf(out, ",\"%s\":", name); }

static void pair(const char *name, uint32_t a, uint32_t b, FILE *out) {
    key(name, out);
    fprintf(out, "[%u,%u]", a, b);
}

/* ---- figures ---------------------------------------------------------------------------------------------------------- */

static void write_histogram(const gt__figures *f, gt_tensor t, FILE *out) {
    int64_t bin[BINS] = {0};
    for (int64_t i = 0; i < f->numel; i++) {
        const double v = gt_element(t, i);
        if (!isfinite(v)) continue;
        const double at = f->high > f->low ? (v - f->low) / (f->high - f->low) * BINS : 0;
        bin[at >= BINS ? BINS - 1 : at > 0 ? (int)at : 0]++; /* a range may overflow to infinity */
    }
    fputs(",\"histogram\":[", out);
    for (int k = 0; k < BINS; k++) fprintf(out, "%s%lld", k ? "," : "", (long long)bin[k]);
    fputc(']', out);
}

static void write_figures(const gt__figures *f, gt_tensor t, FILE *out) {
    if (gt_is_none(t)) {
        fputs("null", out);
        return;
    }
    if (f->numel == 1) {
        gt__json_number(f->one, out);
        return;
    }
    fputs("{\"low\":", out);
    gt__json_number(f->low, out);
    fputs(",\"high\":", out);
    gt__json_number(f->high, out);
    fputs(",\"norm\":", out);
    gt__json_number(f->norm, out);
    fprintf(out, ",\"not_finite\":%lld", (long long)f->not_finite);
    if (f->numel <= MOST_ELEMENTS) {
        fputs(",\"elements\":[", out);
        for (int64_t i = 0; i < f->numel; i++) {
            if (i) fputc(',', out);
            gt__json_number(gt_element(t, i), out);
        }
        fputc(']', out);
    }
    write_histogram(f, t, out);
    fputc('}', out);
}

/* ---- gates -------------------------------------------------------------------------------------------------------------- */

static void write_links(const gt_journal *j, const gt__gate *gate, FILE *out) {
    fputs(",\"inputs\":[", out);
    for (uint32_t k = 0; k < gate->n_in; k++)
        fprintf(out, "%s%u", k ? "," : "", j->input[gate->first_in + k]);
    fputs("],\"numbers\":[", out);
    const bool numbered = gate->kind == GT__OPERATION && gt_op_of(gate->value)->more.tile;
    for (int k = 0; numbered && k < gt_n_args(gate->value); k++) {
        if (k) fputc(',', out);
        gt__json_number(gt_args(gate->value)[k].real, out);
    }
    fputc(']', out);
}

static void write_gate(const gt_journal *j, uint32_t i, FILE *out) {
    static const char *const kinds[] = {"input", "parameter", "constant", "operation", "alias"};
    const gt__gate *gate = &j->gate[i];
    const gt_shape shape = gt_shape_of(gate->value);
    int branch;
    fprintf(out, "%s\n{\"label\":", i ? "," : "");
    gt__json_text(gate->label, out);
    key("op", out);
    gt__json_text(gt_op_of(gate->value)->name, out);
    fprintf(out, ",\"kind\":\"%s\"", kinds[gate->kind]);
    write_links(j, gate, out);
    fprintf(out, ",\"dtype\":\"%s\",\"shape\":[", gt_dtype_name(gt_dtype_of(gate->value)));
    for (int d = 0; d < shape.rank; d++)
        fprintf(out, "%s%lld", d ? "," : "", (long long)shape.dim[d]);
    fputs("],\"value\":", out);
    write_figures(&gate->v, gate->value, out);
    key("gradient", out);
    write_figures(&gate->g, gate->gradient, out);
    fprintf(out, ",\"role\":\"%s\"", gt__role_name(gt__role_of(j, i)));
    if (gt__branch_of(j, i, &branch)) fprintf(out, ",\"branch\":%d", branch);
    if (gate->parent != GT__NO_GATE) fprintf(out, ",\"parent\":%u", gate->parent);
    if (gate->n_inner) pair("inside", gate->first_inner, gate->n_inner, out);
    pair("edges", gate->first_edge, gate->n_edges, out);
    fprintf(out, ",\"arrived\":%u}", gate->n_arrived);
}

/* ---- edges --------------------------------------------------------------------------------------------------------------- */

static void write_edge(const gt_journal *j, uint32_t i, FILE *out) {
    const gt__edge *e = &j->edge[i];
    char symbol[400];
    gt__local_text(j, e, symbol, sizeof symbol);
    fprintf(out, "%s\n{\"gate\":%u,\"k\":%u,\"input\":%u,\"up\":", i ? "," : "", e->gate, e->k,
            e->input);
    write_figures(&e->up_f, e->up, out);
    key("local", out);
    write_figures(&e->local_f, e->local, out);
    key("contribution", out);
    write_figures(&e->gx_f, e->gx, out);
    key("symbol", out);
    gt__json_text(symbol, out);
    const bool single = j->gate[e->input].v.numel == 1;
    key("before", out);
    if (single)
        gt__json_number(e->before, out);
    else
        fputs("null", out);
    key("after", out);
    if (single)
        gt__json_number(e->after, out);
    else
        fputs("null", out);
    fprintf(out, ",\"place\":%u}", e->place);
}

/* ---- operations, once each -------------------------------------------------------------------------------------------------- */

static bool first_use(const gt_journal *j, uint32_t i) {
    for (uint32_t k = 0; k < i; k++)
        if (gt_op_of(j->gate[k].value) == gt_op_of(j->gate[i].value)) return false;
    return true;
}

static void write_operation(const gt_op *op, FILE *out) {
    gt__json_text(op->name, out);
    fputs(":{\"meaning\":", out);
    gt__json_text(op->more.meaning ? op->more.meaning : "", out);
    key("forward", out);
    gt__json_text(op->more.forward_text ? op->more.forward_text : "", out);
    key("gradients", out);
    fputc('[', out);
    for (int k = 0; k < 3 && op->more.gradient_text[k]; k++) {
        if (k) fputc(',', out);
        gt__json_text(op->more.gradient_text[k], out);
    }
    fputs("]", out);
    key("domain", out);
    gt__json_text(op->more.domain ? op->more.domain : "", out);
    fputc('}', out);
}

static void write_operations(const gt_journal *j, FILE *out) {
    bool any = false;
    fputs(",\n\"operations\":{", out);
    for (uint32_t i = 0; i < j->n_gates; i++) {
        if (j->gate[i].kind != GT__OPERATION || !first_use(j, i)) continue;
        fputs(any ? ",\n" : "\n", out);
        write_operation(gt_op_of(j->gate[i].value), out);
        any = true;
    }
    fputc('}', out);
}

bool gt_journal_json(gt_journal *j, FILE *out) {
    if (!gt__journal_ready(j) || !out) return false;
    fprintf(out, "{\"format\":\"gradtape journal 1\",\"output\":%u,\"main\":%u,\"gates\":[",
            j->output, j->n_main);
    for (uint32_t i = 0; i < j->n_gates; i++) write_gate(j, i, out);
    fputs("],\n\"edges\":[", out);
    for (uint32_t i = 0; i < j->n_edges; i++) write_edge(j, i, out);
    fputs("],\n\"steps\":[", out);
    for (uint32_t i = 0; i < j->n_steps; i++)
        fprintf(out, "%s[%d,%u,%u]", i ? "," : "", (int)j->step[i].kind, j->step[i].gate,
                j->step[i].edge);
    fputc(']', out);
    write_operations(j, out);
    fputs("}\n", out);
    return !ferror(out) || gt__journal_fail(j, "the journal could not be written");
}
