/* graph/plan_casts.c: casts that are left out. Where only operations that round as they read have a use for the bf16 of
 * what was there before the run (gt_op_more.rounds), they read that itself: it need not be read, written and read
 * again, and takes no memory. The bits are the same. */
#include "graph/run.h"

gt_array gt__planned_array(const gt_tape *tape, const gt__work *w, uint32_t value) {
    const gt__external *e = value & GT__EXTERNAL ? &w->external[value & ~GT__EXTERNAL] : NULL;
    const gt__shape_entry *s = gt__bytes(&tape->shapes, e ? e->shape : w->node[value].shape, NULL);
    gt_array a = {.dtype = (gt_dtype)(e ? e->dtype : w->node[value].dtype), .shape = s->shape};
    gt__contiguous(&a);
    return a;
}

gt_call gt__planned_call(const gt_tape *tape, const gt__work *w, uint32_t k, gt_array *array) {
    const gt__plan_node *n = &w->node[k];
    const uint32_t n_out = gt__results_of(w, k);
    for (uint32_t i = 0; i < n->n_in; i++) array[i] = gt__planned_array(tape, w, w->in[n->in + i]);
    for (uint32_t i = 0; i < n_out; i++) array[n->n_in + i] = gt__planned_array(tape, w, k + i);
    return (gt_call){.op = n->op,
                     .attr = gt__bytes(&tape->attrs, n->attr, NULL),
                     .n_in = (int)n->n_in,
                     .n_out = (int)n_out,
                     .in = array,
                     .out = array + n->n_in,
                     .exact = w->exact};
}

static bool is_view(const gt__plan_node *n) { return n->op->more.traits & GT_VIEW; }

/* May k's operand i stay unrounded? */
static bool takes_floats(const gt_tape *tape, const gt__work *w, uint32_t k, uint32_t i) {
    const gt__plan_node *n = &w->node[k];
    gt_array array[GT__MOST_ORDERED + GT_MAX_OUT];
    if (is_view(n)) return n->state & GT__UNROUNDED;
    if (!n->op->more.rounds || i + 1 != n->n_in || n->n_in > GT__MOST_ORDERED) return false;
    const gt_call call = gt__planned_call(tape, w, k, array);
    return n->op->more.rounds(&call);
}

/* Was it there before the run, or is it a view of what was? */
static bool is_given(const gt__work *w, uint32_t value) {
    while (!(value & GT__EXTERNAL) && is_view(&w->node[value])) value = w->in[w->node[value].in];
    return value & GT__EXTERNAL;
}

static bool may_stay(const gt__work *w, uint32_t k) {
    const gt__plan_node *n = &w->node[k];
    const unsigned wanted = GT__TO_STORE | GT__TO_HOLD | GT__TO_ASSIGN | GT__FUSED | GT__MERGED;
    return n->dtype == GT_BF16 && !(n->state & wanted) &&
           (is_view(n) || n->op->more.traits & GT_CASTS);
}

static bool is_unrounded(const gt__work *w, uint32_t value) {
    return !(value & GT__EXTERNAL) && w->node[value].state & GT__UNROUNDED;
}

static bool rounds_floats(const gt_tape *tape, const gt__work *w, uint32_t k) {
    const uint32_t value = w->in[w->node[k].in];
    return is_given(w, value) && gt__planned_array(tape, w, value).dtype == GT_F32;
}

/* From the last node to the first, what may stay so as far as readers go; back again, what then has something to show. */
void gt__plan_casts(const gt_tape *tape, gt__work *w) {
    for (uint32_t k = 0; k < w->n_nodes; k++)
        if (may_stay(w, k)) w->node[k].state |= GT__UNROUNDED;
    for (uint32_t k = w->n_nodes; k-- > 0;)
        for (uint32_t i = 0; i < w->node[k].n_in; i++) {
            const uint32_t value = w->in[w->node[k].in + i];
            if (is_unrounded(w, value) && !takes_floats(tape, w, k, i))
                w->node[value].state &= ~(unsigned)GT__UNROUNDED;
        }
    for (uint32_t k = 0; k < w->n_nodes; k++) {
        gt__plan_node *n = &w->node[k];
        if (!(n->state & GT__UNROUNDED)) continue;
        const bool has = is_view(n) ? is_unrounded(w, w->in[n->in]) : rounds_floats(tape, w, k);
        if (!has) n->state &= ~(unsigned)GT__UNROUNDED;
    }
}
