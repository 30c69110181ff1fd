/* step/walk_stops.c: what a walk stops at, and what it shows at every step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "step/walk.h"

/* ---- does a step stop the walk? ------------------------------------------------------------------------------------- */

/* The numbers that a step brings: a value, or the gradient of an input as it becomes. */
static gt__figures news_of(const gt_journal *j, const gt__step *s) {
    if (s->kind == GT__VALUE) return j->gate[s->gate].v;
    if (s->kind == GT__SEED) return j->gate[s->gate].g;
    const gt__edge *e = &j->edge[s->edge];
    gt__figures f = e->gx_f;
    if (f.numel == 1) f.one = f.low = f.high = e->after;
    return f;
}

static bool compare(double v, char relation, double bound) {
    return relation == '>' ? v > bound : relation == '<' ? v < bound : v == bound;
}

/* Does any element satisfy it? For a tensor its extremes answer for all. */
static bool holds(const gt__stop *stop, const gt__figures *f) {
    double low = f->low, high = f->high;
    if (f->numel == 1) low = high = f->one;
    if (stop->absolute) {
        const double a = fabs(low), b = fabs(high);
        high = a > b ? a : b;
        low = f->low <= 0 && f->high >= 0 ? 0 : a > b ? b : a;
    }
    if (f->numel == 0) return false;
    if (stop->relation == '=') return low <= stop->bound && stop->bound <= high;
    return compare(stop->relation == '>' ? high : low, stop->relation, stop->bound);
}

static bool stops(const gt__walk *w, const gt__stop *stop, const gt__step *s) {
    const gt__figures news = news_of(w->j, s);
    switch (stop->kind) {
    case GT__STOP_GATE: return s->gate == stop->gate;
    case GT__STOP_NAN: return news.not_finite > 0;
    case GT__STOP_IF: return stop->of_gradient == (s->kind != GT__VALUE) && holds(stop, &news);
    }
    return false;
}

bool gt__walk_stops_here(const gt__walk *w, uint32_t step) {
    for (int i = 0; i < w->n_stops; i++)
        if (stops(w, &w->stop[i], &w->j->step[step])) return true;
    return false;
}

/* ---- making and listing them --------------------------------------------------------------------------------------------- */

static void write_stop(const gt__walk *w, int i) {
    const gt__stop *s = &w->stop[i];
    const char *bar = s->absolute ? "|" : "";
    fprintf(w->out, "breakpoint %d: ", i + 1);
    switch (s->kind) {
    case GT__STOP_GATE: fprintf(w->out, "%s\n", w->j->gate[s->gate].label); break;
    case GT__STOP_NAN: fprintf(w->out, "what is not finite\n"); break;
    case GT__STOP_IF:
        fprintf(w->out, "%s%s%s %c %g\n", bar, s->of_gradient ? "grad" : "value", bar, s->relation,
                s->bound);
        break;
    }
}

/* "if |grad| > 1e3" */
static bool read_condition(const char *text, gt__stop *stop) {
    char quantity[12], relation[3], left[3] = "", right[3] = "";
    int used = 0;
    double bound;
    if (sscanf(text, "if %1[|]%n", left, &used) == 1 && *left) {
        text += used;
        if (sscanf(text, " %11[a-z]%1[|] %1[<>=] %lf %n", quantity, right, relation, &bound,
                   &used) != 4)
            return false;
    } else if (sscanf(text, "if %11[a-z] %1[<>=] %lf %n", quantity, relation, &bound, &used) != 3) {
        return false;
    }
    if (text[used] || (strcmp(quantity, "grad") != 0 && strcmp(quantity, "value") != 0))
        return false;
    *stop = (gt__stop){.kind = GT__STOP_IF,
                       .of_gradient = *quantity == 'g',
                       .absolute = *left != 0,
                       .relation = *relation,
                       .bound = bound};
    return true;
}

void gt__walk_break(gt__walk *w, const char *rest) {
    gt__stop stop = {.kind = GT__STOP_NAN};
    int64_t element;
    if (*rest == 0) {
        for (int i = 0; i < w->n_stops; i++) write_stop(w, i);
        if (w->n_stops == 0) fputs("no breakpoints\n", w->out);
        return;
    }
    if (w->n_stops == GT__WALK_MOST) {
        fprintf(w->out, "%d breakpoints are the most: delete one\n", GT__WALK_MOST);
        return;
    }
    if (strncmp(rest, "if ", 3) == 0) {
        if (!read_condition(rest, &stop)) {
            fputs("a condition reads: if |grad| > 1e3, or if value < 0\n", w->out);
            return;
        }
    } else if (strcmp(rest, "nan") != 0) {
        stop.kind = GT__STOP_GATE;
        if (!gt__walk_gate(w, &rest, &stop.gate, &element)) return;
    }
    w->stop[w->n_stops++] = stop;
    write_stop(w, w->n_stops - 1);
}

void gt__walk_delete(gt__walk *w, const char *rest) {
    const long number = strtol(rest, NULL, 10);
    if (number < 1 || number > w->n_stops) {
        fprintf(w->out, "there is no breakpoint %s\n", rest);
        return;
    }
    w->n_stops--;
    memmove(&w->stop[number - 1], &w->stop[number],
            (size_t)(w->n_stops - (number - 1)) * sizeof *w->stop);
}

/* ---- watches -------------------------------------------------------------------------------------------------------------------- */

/* The gradient of a gate as far as the walk has come: the last contribution that it has seen. */
static const gt__edge *latest_share(const gt__walk *w, uint32_t gate) {
    for (uint32_t i = w->at + 1; i-- > 0 && w->j->step[i].kind == GT__FLOW;)
        if (w->j->edge[w->j->step[i].edge].input == gate) return &w->j->edge[w->j->step[i].edge];
    return NULL;
}

static void write_gradient(const gt__walk *w, const gt__watched *seen) {
    const gt__gate *gate = &w->j->gate[seen->gate];
    const gt__edge *share = latest_share(w, seen->gate);
    const bool whole = share && share->place + 1 == gate->n_arrived;
    char text[40];
    if (w->j->step[w->at].kind == GT__VALUE) return;
    if (seen->gate == w->j->output)
        fputs("   grad 1", w->out);
    else if (!share)
        fputs("   grad 0 so far", w->out);
    else if (gate->v.numel == 1)
        fprintf(w->out, "   grad %s%s", gt__number_text(share->after, text, sizeof text),
                whole ? "" : " so far");
    else if (!whole)
        fprintf(w->out, "   grad: %u of %u shares", share->place + 1, gate->n_arrived);
    else if (seen->element >= 0)
        fprintf(w->out, "   grad %s",
                gt__number_text(gt_element(gate->gradient, seen->element), text, sizeof text));
    else
        fprintf(w->out, "   grad norm %.6g", gate->g.norm);
}

void gt__walk_position(const gt__walk *w, const gt__gate *gate, int64_t element) {
    const gt_shape shape = gt_shape_of(gate->value);
    int64_t at[GT_MAX_RANK];
    fputs(gate->label, w->out);
    if (element < 0) return;
    for (int d = shape.rank; d-- > 0; element /= shape.dim[d]) at[d] = element % shape.dim[d];
    for (int d = 0; d < shape.rank; d++)
        fprintf(w->out, "%s%lld%s", d ? "," : "[", (long long)at[d], d + 1 < shape.rank ? "" : "]");
}

void gt__walk_watches(const gt__walk *w) {
    for (int i = 0; i < w->n_watches; i++) {
        const gt__watched *seen = &w->watch[i];
        const gt__gate *gate = &w->j->gate[seen->gate];
        char text[40];
        fputs("    ", w->out);
        gt__walk_position(w, gate, seen->element);
        if (seen->element >= 0)
            fprintf(w->out, " = %s",
                    gt__number_text(gt_element(gate->value, seen->element), text, sizeof text));
        else
            fprintf(w->out, " norm %.6g", gate->v.norm);
        write_gradient(w, seen);
        fputc('\n', w->out);
    }
}

void gt__walk_watch(gt__walk *w, const char *rest) {
    gt__watched seen;
    if (!gt__walk_gate(w, &rest, &seen.gate, &seen.element)) return;
    for (int i = 0; i < w->n_watches; i++) {
        if (w->watch[i].gate != seen.gate || w->watch[i].element != seen.element) continue;
        w->watch[i] = w->watch[--w->n_watches];
        fputs("no longer watching ", w->out);
        gt__walk_position(w, &w->j->gate[seen.gate], seen.element);
        fputc('\n', w->out);
        return;
    }
    if (w->n_watches == GT__WALK_MOST) {
        fprintf(w->out, "%d watches are the most\n", GT__WALK_MOST);
        return;
    }
    w->watch[w->n_watches++] = seen;
    gt__walk_watches(w);
}
