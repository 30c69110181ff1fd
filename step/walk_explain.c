/* step/walk_explain.c: answers of a walk: why a number is what it is, by which routes a gradient came, and what
 * changes when an input does. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "step/walk.h"

/* ---- explain ---------------------------------------------------------------------------------------------------------- */

static const char *const sentences[GT__N_ROLES] = {
    [GT__NO_ROLE] = "",
    [GT__DISTRIBUTOR] = "a distributor: every input gets the whole gradient",
    [GT__SWAPPER] = "a swapper: each input gets the gradient times the other input",
    [GT__ROUTER] = "a router: one input gets all of the gradient, the others nothing",
    [GT__SWITCH] = "a switch: it passes the gradient on or blocks it",
    [GT__SCALER] = "a scaler: the gradient times a constant"};

static const char *number(double v, char *text) { return gt__number_text(v, text, 40); }

static void explain_value(const gt__walk *w, uint32_t i) {
    const gt__gate *gate = &w->j->gate[i];
    const gt_op *op = gt_op_of(gate->value);
    char text[40];
    if (gate->kind != GT__OPERATION) {
        fprintf(w->out, "%s is given, not computed\n", gate->label);
        return;
    }
    if (op->more.meaning) fprintf(w->out, "%s computes %s\n", op->name, op->more.meaning);
    if (op->more.domain && *op->more.domain) fprintf(w->out, "  note: %s\n", op->more.domain);
    for (uint32_t k = 0; k < gate->n_in && gate->n_in <= 3; k++) {
        const gt__gate *in = &w->j->gate[w->j->input[gate->first_in + k]];
        if (in->v.numel == 1)
            fprintf(w->out, "  %c is %s = %s\n", (int)(gate->n_in > 1 ? 'a' + (char)k : 'x'),
                    in->label, number(in->v.one, text));
    }
    if (*sentences[gt__role_of(w->j, i)])
        fprintf(w->out, "  going back it is %s\n", sentences[gt__role_of(w->j, i)]);
}

/* In symbols, then in numbers. */
static void explain_product(const gt__walk *w, const gt__edge *e) {
    const char *times = w->style.ascii ? "x" : "\u00d7";
    const gt__gate *gate = &w->j->gate[e->gate], *input = &w->j->gate[e->input];
    const char *f = w->j->gate[w->j->output].label;
    char local[400], up[40], by[40], product[40];
    gt__local_text(w->j, e, local, sizeof local);
    fprintf(w->out, "downstream = upstream %s local\n", times);
    fprintf(w->out, "  d%s/d%s = d%s/d%s %s d%s/d%s\n", f, input->label, f, gate->label, times,
            gate->label, input->label);
    if (*local) fprintf(w->out, "  = d%s/d%s %s %s\n", f, gate->label, times, local);
    if (e->gx_f.numel == 1 && e->local_f.numel == 1 && e->up_f.numel == 1)
        fprintf(w->out, "  = %s %s %s = %s\n", number(e->up_f.one, up), times,
                number(e->local_f.one, by), number(e->gx_f.one, product));
    else
        fprintf(w->out, "  element by element, summed where %s was broadcast: norm %.6g\n",
                input->label, e->gx_f.norm);
}

static void explain_rule(const gt__walk *w, const gt__edge *e) {
    const char *f = w->j->gate[w->j->output].label, *input = w->j->gate[e->input].label;
    char rule[400];
    gt__rule_text(w->j, e, rule, sizeof rule);
    fprintf(w->out, "%s has a rule of its own: upstream in, the gradient of %s out\n",
            gt_op_of(w->j->gate[e->gate].value)->name, input);
    if (*rule)
        fprintf(w->out, "  d%s/d%s = %s, with up = d%s/d%s\n", f, input, rule, f,
                w->j->gate[e->gate].label);
}

static void explain_flow(const gt__walk *w, const gt__edge *e) {
    const gt__gate *gate = &w->j->gate[e->gate], *input = &w->j->gate[e->input];
    const gt__role role = gt__role_of(w->j, e->gate);
    char before[40], more[40], after[40];
    if (gt_is_none(e->gx))
        fprintf(w->out, "%s passes nothing back to %s: its derivative is zero everywhere\n",
                gate->label, input->label);
    else if (gt_is_none(e->local))
        explain_rule(w, e);
    else
        explain_product(w, e);
    if (*sentences[role]) fprintf(w->out, "  %s is %s\n", gate->label, sentences[role]);
    if (input->n_arrived > 1 && input->v.numel == 1)
        fprintf(w->out, "  %s is used %u times, so its gradient adds up: %s + %s = %s\n",
                input->label, input->n_arrived, number(e->before, before),
                number(e->gx_f.one, more), number(e->after, after));
}

void gt__walk_explain(gt__walk *w, const char *rest) {
    const gt__step *s = &w->j->step[w->at];
    uint32_t gate;
    int64_t element;
    if (*rest) {
        if (gt__walk_gate(w, &rest, &gate, &element)) explain_value(w, gate);
    } else if (s->kind == GT__VALUE) {
        explain_value(w, s->gate);
    } else if (s->kind == GT__SEED) {
        fprintf(w->out,
                "the output's gradient with respect to itself is 1: there the sweep begins\n");
    } else {
        explain_flow(w, &w->j->edge[s->edge]);
    }
}

/* ---- paths --------------------------------------------------------------------------------------------------------------- */

enum { PATHS_SHOWN = 20 };

/* Edges by the gate that they arrive at, and how many routes lead from the output to each gate. */
typedef struct routes {
    const gt__walk *w;
    uint32_t *first; /* into arriving; n_main + 1 of them */
    uint32_t *arriving;
    double *count;
    uint32_t *trail; /* the edges of the route at hand, from the gate in question to the output */
    uint32_t length, shown;
    double shown_sum;
} routes;

static bool is_live(const gt__edge *e) { return !gt_is_none(e->gx); }

static void sort_edges(routes *r) {
    const gt_journal *j = r->w->j;
    memset(r->first, 0, ((size_t)j->n_main + 2) * sizeof *r->first);
    for (uint32_t i = 0; i < j->n_main_edges; i++)
        if (is_live(&j->edge[i])) r->first[j->edge[i].input + 2]++;
    for (uint32_t i = 2; i < j->n_main + 2; i++) r->first[i] += r->first[i - 1];
    for (uint32_t i = 0; i < j->n_main_edges; i++)
        if (is_live(&j->edge[i])) r->arriving[r->first[j->edge[i].input + 1]++] = i;
}

static void count_routes(routes *r) {
    const gt_journal *j = r->w->j;
    memset(r->count, 0, (size_t)j->n_main * sizeof *r->count);
    r->count[j->output] = 1;
    for (uint32_t i = j->n_main; i-- > 0;)
        for (uint32_t k = r->first[i]; k < r->first[i + 1]; k++)
            r->count[i] += r->count[j->edge[r->arriving[k]].gate];
}

/* "x -> q -> f: 1 x -4 = -4", multiplied from the output down as the sweep does. */
static void show_route(routes *r, uint32_t from) {
    const gt_journal *j = r->w->j;
    const char *times = r->w->style.ascii ? "x" : "\u00d7";
    double product = 1;
    char text[40];
    fprintf(r->w->out, "  %s", j->gate[from].label);
    for (uint32_t i = 0; i < r->length; i++)
        fprintf(r->w->out, " -> %s", j->gate[j->edge[r->trail[i]].gate].label);
    fputs(": 1", r->w->out);
    for (uint32_t i = r->length; i-- > 0;) {
        const double local = j->edge[r->trail[i]].local_f.one;
        product = product == 0 ? 0 : product * local;
        fprintf(r->w->out, " %s %s", times, number(local, text));
    }
    fprintf(r->w->out, " = %s\n", number(product, text));
    r->shown_sum += product;
    r->shown++;
}

/* Depth first, with next[] as the stack of places: no recursion. */
static void show_routes(routes *r, uint32_t from, uint32_t *next) {
    const gt_journal *j = r->w->j;
    uint32_t at = from;
    r->length = 0;
    next[0] = r->first[from];
    for (;;) {
        if (at == j->output) show_route(r, from);
        if (r->shown == PATHS_SHOWN) return;
        while (at == j->output || next[r->length] == r->first[at + 1]) {
            if (r->length == 0) return;
            r->length--;
            at = r->length ? j->edge[r->trail[r->length - 1]].gate : from;
        }
        r->trail[r->length] = r->arriving[next[r->length]++];
        at = j->edge[r->trail[r->length++]].gate;
        next[r->length] = r->first[at];
    }
}

static void total(const routes *r, uint32_t gate) {
    const gt__gate *g = &r->w->j->gate[gate];
    char text[40], rest[40];
    if (r->shown < r->count[gate])
        fprintf(r->w->out, "  and %.0f more: %s\n", r->count[gate] - r->shown,
                number(g->g.one - r->shown_sum, rest));
    fprintf(r->w->out, "%.0f route%s: %s.grad = %s\n", r->count[gate],
            r->count[gate] == 1 ? "" : "s", g->label, number(g->g.one, text));
}

/* Of a tensor, or where a rule is no product, only the last leg of the routes is a number. */
static void show_shares(const routes *r, uint32_t gate) {
    const gt_journal *j = r->w->j;
    for (uint32_t k = r->first[gate]; k < r->first[gate + 1]; k++) {
        const gt__edge *e = &j->edge[r->arriving[k]];
        fprintf(r->w->out, "  through %s: norm %.6g\n", j->gate[e->gate].label, e->gx_f.norm);
    }
    fprintf(r->w->out, "together: %s.grad has norm %.6g\n", j->gate[gate].label,
            j->gate[gate].g.norm);
}

/* Are all locals between this gate and the output single numbers? */
static bool all_single(const gt_journal *j) {
    for (uint32_t i = 0; i < j->n_main_edges; i++) {
        const gt__edge *e = &j->edge[i];
        if (is_live(e) && (gt_is_none(e->local) || e->local_f.numel != 1 || e->gx_f.numel != 1))
            return false;
    }
    return true;
}

static void paths_of(routes *r, uint32_t gate, uint32_t *next) {
    sort_edges(r);
    count_routes(r);
    if (gt_is_none(r->w->j->gate[gate].gradient))
        fprintf(r->w->out, "no gradient reaches %s\n", r->w->j->gate[gate].label);
    else if (!all_single(r->w->j))
        show_shares(r, gate);
    else {
        show_routes(r, gate, next);
        total(r, gate);
    }
}

void gt__walk_paths(gt__walk *w, const char *rest) {
    const gt_journal *j = w->j;
    uint32_t gate;
    int64_t element;
    if (!gt__walk_gate(w, &rest, &gate, &element)) return;
    if (gate >= j->n_main) gate = j->gate[gate].parent;
    const size_t n = (size_t)j->n_main + 2;
    const size_t size = n * sizeof(double) + (3 * n + j->n_main_edges) * sizeof(uint32_t);
    double *block = gt_params_alloc(j->params, NULL, 0, size);
    if (!block) {
        fputs("out of memory: paths\n", w->out);
        return;
    }
    uint32_t *words = (void *)(block + n);
    routes r = {.w = w, .count = block, .first = words, .trail = words + n};
    r.arriving = words + 3 * n;
    paths_of(&r, gate, words + 2 * n);
    gt_params_alloc(j->params, block, size, 0);
}

/* ---- nudge and set ----------------------------------------------------------------------------------------------------------- */

static bool read_number(gt__walk *w, const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    if (end != text && end[strspn(end, " \t")] == 0) return true;
    fprintf(w->out, "a number is missing\n");
    return false;
}

static double gradient_at(const gt__gate *gate, int64_t element) {
    return gt_is_none(gate->gradient) ? 0 : gt_element(gate->gradient, element);
}

void gt__walk_nudge(gt__walk *w, const char *rest) {
    uint32_t gate;
    int64_t element;
    double by, change;
    char text[40], predicted[40], actual[40];
    if (!gt__walk_gate(w, &rest, &gate, &element) || !read_number(w, rest, &by)) return;
    const double slope = gradient_at(&w->j->gate[gate], element < 0 ? 0 : element);
    if (!gt__journal_nudge(w->j, gate, element, by, &change)) {
        fprintf(w->out, "%s\n", gt_journal_error(w->j));
        return;
    }
    gt__walk_position(w, &w->j->gate[gate], element);
    fprintf(w->out, " + %s: predicted %s, actual %s\n", number(by, text),
            number(slope * by, predicted), number(change, actual));
}

void gt__walk_set(gt__walk *w, const char *rest) {
    uint32_t gate;
    int64_t element;
    double value;
    char before[40], after[40];
    if (!gt__walk_gate(w, &rest, &gate, &element)) return;
    if (*rest == '=') rest++;
    if (!read_number(w, rest, &value)) return;
    const gt__gate *output = &w->j->gate[w->j->output];
    const double was = output->v.one;
    if (!gt__journal_set(w->j, gate, element, value)) {
        fprintf(w->out, "%s\n", gt_journal_error(w->j));
        return;
    }
    fprintf(w->out, "%s: %s -> %s\n", output->label, number(was, before),
            number(output->v.one, after));
    gt__walk_show(w);
}
