/* graph/plan_print.c: the plan of a tape's last run, as text and as a drawing for Graphviz. */
#include "graph/run.h"

#include <inttypes.h>

typedef struct view {
    gt_tape *tape;
    const gt__plan *plan;
} view;

static const gt__shape_entry *shape_of(const view *v, uint32_t shape) {
    return gt__bytes(&v->tape->shapes, shape, NULL);
}

static int64_t bytes_of(const view *v, uint32_t value) {
    const gt__work *w = &v->plan->work;
    if (value & GT__EXTERNAL) {
        const gt__external *e = &w->external[value & ~GT__EXTERNAL];
        return shape_of(v, e->shape)->numel * (int64_t)gt_dtype_size((gt_dtype)e->dtype);
    }
    const gt__plan_node *n = &w->node[value];
    return shape_of(v, n->shape)->numel * (int64_t)gt_dtype_size((gt_dtype)n->dtype);
}

static bool is_view(const view *v, uint32_t node) {
    const gt__plan_node *n = &v->plan->work.node[node];
    return n->op->more.traits & GT_VIEW || n->state & GT__UNROUNDED;
}

static const gt__member *members(const view *v, const gt__step *step) {
    return v->plan->member + v->plan->group[step->first].member;
}

/* The operation that adds itself to the sum as its k-th input; NULL: that input has a value. */
static const gt_op *fused(const view *v, const gt__plan_node *sum, uint32_t k) {
    const uint32_t j = v->plan->work.in[sum->in + k];
    const bool adds = !(j & GT__EXTERNAL) && v->plan->work.node[j].state & GT__FUSED;
    return adds ? v->plan->work.node[j].op : NULL;
}

/* ---- what a step reads and writes ---------------------------------------------------------------------- */

/* An operation reads its inputs, and those of what is fused into it. */
static int64_t bytes_read(const view *v, const gt__step *step) {
    const gt__work *w = &v->plan->work;
    int64_t bytes = 0;
    if (step->is_group) {
        const gt__group *g = &v->plan->group[step->first];
        for (uint32_t k = 0; k < g->n_loads; k++) bytes += bytes_of(v, v->plan->load[g->load + k]);
        return bytes;
    }
    const gt__plan_node *n = &w->node[step->first];
    for (uint32_t k = 0; k < n->n_in && !is_view(v, step->first); k++) {
        const uint32_t j = w->in[n->in + k];
        const bool adds = fused(v, n, k) != NULL;
        for (uint32_t i = 0; adds && i < w->node[j].n_in; i++)
            bytes += bytes_of(v, w->in[w->node[j].in + i]);
        if (!adds) bytes += bytes_of(v, j);
    }
    return bytes;
}

static int64_t bytes_written(const view *v, const gt__step *step) {
    const gt__work *w = &v->plan->work;
    int64_t bytes = 0;
    if (step->is_group) {
        const gt__member *m = members(v, step);
        for (uint32_t k = 0; k < v->plan->group[step->first].n_members; k++)
            if (m[k].slot == GT__IN_MEMORY || gt__ends_group(&m[k]))
                bytes += bytes_of(v, m[k].node);
        return bytes;
    }
    if (is_view(v, step->first)) return 0;
    for (uint32_t k = 0; k < gt__results_of(w, step->first); k++)
        bytes += bytes_of(v, step->first + k);
    return bytes;
}

static int64_t bytes_freed(const view *v, const gt__step *step) {
    int64_t bytes = 0;
    for (uint32_t k = 0; k < step->n_die; k++) {
        const uint32_t value = v->plan->die[step->die + k];
        if (!is_view(v, value)) bytes += bytes_of(v, value);
    }
    return bytes;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

/* What adds itself to a sum: "of matmul x 64". */
static void print_fused(FILE *out, const view *v, const gt__plan_node *sum) {
    for (uint32_t k = 0, count; k < sum->n_in; k += count) {
        const gt_op *op = fused(v, sum, k);
        for (count = 1; op && k + count < sum->n_in && fused(v, sum, k + count) == op;) count++;
        if (op) fprintf(out, " of %s", op->name);
        if (op && count > 1) fprintf(out, " x %" PRIu32, count);
    }
}

/* Names of the operations: each once with its count, a few of many. */
static void print_names(FILE *out, const view *v, const gt__step *step) {
    enum { SHOWN = 8 };
    if (!step->is_group) {
        const gt__plan_node *n = &v->plan->work.node[step->first];
        fputs(n->op->name, out);
        print_fused(out, v, n);
        return;
    }
    const gt__member *m = members(v, step);
    const uint32_t count = v->plan->group[step->first].n_members;
    for (uint32_t k = 0; k < count && k < SHOWN; k++)
        fprintf(out, "%s%s", k ? " " : "", v->plan->work.node[m[k].node].op->name);
    if (count > SHOWN) fprintf(out, " and %" PRIu32 " more", count - SHOWN);
}

static void print_shape(FILE *out, const view *v, const gt__step *step) {
    char text[200];
    const uint32_t node = step->is_group ? members(v, step)->node : step->first;
    const gt__plan_node *n = &v->plan->work.node[node];
    const bool last =
        step->is_group ? v->plan->group[step->first].last : v->plan->layout[node] != 0;
    fprintf(out, "%s[%s]%s", gt_dtype_name((gt_dtype)n->dtype),
            gt__shape_text(shape_of(v, n->shape)->shape, text, sizeof text),
            last ? " channels last" : "");
}

static bool begin(view *v, gt_tape *tape) {
    *v = (view){tape, tape ? tape->plans.first : NULL};
    return v->plan != NULL;
}

void gt_plan_print(gt_tape *tape, FILE *out) {
    view v;
    if (!out) return;
    if (!begin(&v, tape)) {
        fputs("no planned run yet\n", out);
        return;
    }
    int64_t moved = 0, held = 0, peak = 0;
    for (uint32_t k = 0; k < v.plan->n_steps; k++) {
        const gt__step *step = &v.plan->step[k];
        const int64_t in = bytes_read(&v, step), result = bytes_written(&v, step);
        fprintf(out, "%4" PRIu32 " %-7s", k,
                step->is_group             ? "group"
                : is_view(&v, step->first) ? "view"
                : step->by_rows            ? "rows"
                : k >= v.plan->first_final ? "late"
                                           : "kernel");
        print_names(out, &v, step);
        fputc(' ', out);
        print_shape(out, &v, step);
        fprintf(out, ": reads %" PRId64 ", writes %" PRId64 " bytes\n", in, result);
        moved += in + result;
        held += result;
        if (held > peak) peak = held;
        held -= bytes_freed(&v, step);
    }
    fprintf(out,
            "%" PRIu32 " operations in %" PRIu32 " steps, %" PRIu32 " of them groups; %" PRId64
            " bytes moved; at most %" PRId64 " bytes of values at once, in an arena of %" PRIu64
            "\n",
            v.plan->work.n_nodes, v.plan->n_steps, v.plan->n_groups, moved, peak, v.plan->arena);
    if (v.plan->n_again) fprintf(out, "computed again: %" PRIu32 "\n", v.plan->n_again);
}

/* ---- drawing -------------------------------------------------------------------------------------------- */

static void note_maker(const view *v, const gt__step *step, uint32_t number, uint32_t *maker) {
    if (!step->is_group) {
        maker[step->first] = number;
        return;
    }
    const gt__member *m = members(v, step);
    for (uint32_t k = 0; k < v->plan->group[step->first].n_members; k++) maker[m[k].node] = number;
}

static void draw_edge(FILE *out, const view *v, uint32_t value, uint32_t number,
                      const uint32_t *maker) {
    if (value & GT__EXTERNAL)
        fprintf(out, "  e%" PRIu32 " -> s%" PRIu32 ";\n", value & ~GT__EXTERNAL, number);
    else
        fprintf(out, "  s%" PRIu32 " -> s%" PRIu32 ";\n",
                maker[value - v->plan->work.node[value].out], number);
}

/* Inputs that are fused into a sum belong to its step: theirs are drawn in their place. */
static void draw_edges(FILE *out, const view *v, const gt__step *step, uint32_t number,
                       const uint32_t *maker) {
    const gt__work *w = &v->plan->work;
    if (step->is_group) {
        const gt__group *g = &v->plan->group[step->first];
        for (uint32_t k = 0; k < g->n_loads; k++)
            draw_edge(out, v, v->plan->load[g->load + k], number, maker);
        return;
    }
    const gt__plan_node *n = &w->node[step->first];
    for (uint32_t k = 0; k < n->n_in; k++) {
        const uint32_t j = w->in[n->in + k];
        const bool adds = fused(v, n, k) != NULL;
        for (uint32_t i = 0; adds && i < w->node[j].n_in; i++)
            draw_edge(out, v, w->in[w->node[j].in + i], number, maker);
        if (!adds) draw_edge(out, v, j, number, maker);
    }
}

static void draw_externals(FILE *out, const view *v) {
    char text[200];
    for (uint32_t e = 0; e < v->plan->work.n_externals; e++) {
        const gt__external *x = &v->plan->work.external[e];
        fprintf(out, "  e%" PRIu32 " [shape=plain, label=\"%s[%s]\"];\n", e,
                gt_dtype_name((gt_dtype)x->dtype),
                gt__shape_text(shape_of(v, x->shape)->shape, text, sizeof text));
    }
}

void gt_plan_dot(gt_tape *tape, FILE *out) {
    view v;
    if (!out || !begin(&v, tape)) return;
    uint32_t *maker = gt__pool_take(&tape->pool, v.plan->work.n_nodes * sizeof *maker);
    if (!maker) {
        gt__out_of_memory(tape, "a drawing");
        return;
    }
    fputs("digraph plan {\n  node [fontname=monospace];\n", out);
    draw_externals(out, &v);
    for (uint32_t k = 0; k < v.plan->n_steps; k++) {
        const gt__step *step = &v.plan->step[k];
        note_maker(&v, step, k, maker);
        fprintf(out, "  s%" PRIu32 " [label=\"", k);
        print_names(out, &v, step);
        fputs("\\n", out);
        print_shape(out, &v, step);
        fprintf(out, "\"%s];\n", step->is_group ? ", shape=box" : "");
        draw_edges(out, &v, step, k, maker);
    }
    fputs("}\n", out);
    gt__pool_give(&tape->pool, maker);
}
