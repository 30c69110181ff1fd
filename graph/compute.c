/* graph/compute.c: computing one node, for either executor.
 *
 * One liberty is taken: the sum of several contributions (trait GT_SUMS) lets a contribution that nothing
 * else uses write with += through its operation's `accumulate`. Since the sum starts from +0, which adding
 * a zero never changes, the bits are those of computing it apart. */
#include "graph/run.h"

#include <string.h>

uint32_t gt__n_results(const gt_tape *tape, uint32_t i) {
    const gt_op *op = gt__node_at(tape, i)->op;
    uint32_t count = 1;
    while (i + count < tape->size && gt__node_at(tape, i + count)->op == op &&
           gt__node_at(tape, i + count)->out == count)
        count++;
    return count;
}

uint32_t gt__operand(const gt_tape *tape, uint32_t i, uint32_t k) {
    const uint32_t number = tape->slot[i].number;
    if (number == 0) return gt__in(tape, gt__node_at(tape, i))[k];
    const gt__work *w = &tape->plans.first->work;
    return gt__value_index(tape, w->in[w->node[number - 1].in + k]);
}

void gt__fill_array(gt_tape *tape, uint32_t i, gt_array *a) {
    gt__node *n = gt__node_at(tape, i);
    const gt__slot *s = &tape->slot[i];
    a->dtype = s->state & GT__UNROUNDED ? GT_F32 : (gt_dtype)n->dtype;
    a->shape = gt__shape(tape, n)->shape;
    a->data = gt__value(tape, i);
    const bool ready = gt__is_ready(tape, i);
    const int64_t *stride = ready ? NULL : gt__bytes(&tape->layouts, s->layout, NULL);
    if (!ready) a->data = s->data;
    if (stride)
        memcpy(a->stride, stride, sizeof a->stride);
    else
        gt__contiguous(a);
}

static bool place_apart(gt_tape *tape, uint32_t i) {
    gt__slot *s = &tape->slot[i];
    s->data = gt__pool_take(&tape->pool, gt__value_bytes(tape, gt__node_at(tape, i)));
    if (!s->data) {
        char name[320];
        return gt__error(tape, "out of memory: the value of %s",
                         gt__describe(tape, i, name, sizeof name));
    }
    s->state |= GT__OWNS;
    return true;
}

bool gt__place_value(gt_tape *tape, uint32_t i) {
    gt__node *n = gt__node_at(tape, i);
    gt__slot *s = &tape->slot[i];
    s->owner = i;
    s->layout = s->number ? tape->plans.first->layout[s->number - 1] : 0;
    if (gt__shape(tape, n)->shape.rank == 0) {
        s->data = &n->value;
        return true;
    }
    const uint64_t offset = s->number ? tape->plans.first->offset[s->number - 1] : GT__NO_OFFSET;
    if (offset != GT__NO_OFFSET) {
        s->data = tape->plans.arena + offset;
        return true;
    }
    return place_apart(tape, i);
}

/* Kernels that do not read strides get contiguous operands, or such as they know. */
static bool make_contiguous(gt_call *call, gt_array *in) {
    for (int k = 0; k < call->n_in; k++) {
        if (gt__is_contiguous(&in[k])) continue;
        if (call->op->more.order && k < GT__MOST_ORDERED && gt_is_channels_last(&in[k]) &&
            call->op->more.order(call).in >> k & 1)
            continue;
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the caller has filled every operand
        void *copy = gt_scratch(call, (size_t)gt_numel(in[k].shape) * gt_dtype_size(in[k].dtype));
        if (!copy) return false;
        gt__copy_strided(copy, &in[k]);
        in[k].data = copy;
        gt__contiguous(&in[k]);
    }
    return true;
}

/* A cast that is left out shows its input as it is. */
static bool show(const gt_call *call, gt_array *out, int64_t *offset) {
    if (call->op->more.view) return call->op->more.view(call, out, offset);
    memcpy(out->stride, call->in[0].stride, sizeof out->stride);
    return true;
}

static bool compute_view(gt_tape *tape, uint32_t i, gt_call *call) {
    gt__slot *s = &tape->slot[i];
    int64_t offset = 0;
    gt_array *out = &call->out[0];
    /* An input computed over a stored value can have other strides than when it was recorded. */
    const bool direct = show(call, out, &offset);
    if (!direct &&
        (!make_contiguous(call, (gt_array *)call->in) || !call->op->more.view(call, out, &offset)))
        return gt_call_fail(call, "no view of %s", gt_operand(call, 0));
    out->data = call->in[0].data;
    if (gt_numel(out->shape))
        out->data = (char *)out->data + offset * (int64_t)gt_dtype_size(out->dtype);
    if (!direct || s->state & (GT__TO_HOLD | GT__TO_STORE)) {
        if (!gt__place_value(tape, i)) return false;
        gt__copy_strided(s->data, out);
        return true;
    }
    const uint32_t base = gt__operand(tape, i, 0);
    s->data = out->data;
    s->layout = gt__layout(tape, out);
    s->owner = base;
    if (s->layout == UINT32_MAX) return false;
    if (!gt__is_ready(tape, base)) tape->slot[base].uses++; /* released with this view */
    return true;
}

static uint32_t n_operands(const gt_tape *tape, const uint32_t *node, uint32_t count) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < count; k++) n += gt__n_in(gt__node_at(tape, node[k]));
    return n;
}

static void fill_operands(gt_tape *tape, const uint32_t *node, uint32_t count, gt_array *array) {
    for (uint32_t j = 0; j < count; j++) {
        const uint32_t n_in = gt__n_in(gt__node_at(tape, node[j]));
        for (uint32_t k = 0; k < n_in; k++)
            gt__fill_array(tape, gt__operand(tape, node[j], k), array++);
    }
}

/* Calls f on the operands of a node; or of several, that merge. With a target, the result is written there instead
 * of its slot. Scratch memory stays in the context. */
static bool call_within(gt__context *context, gt_tape *tape, const uint32_t *node, uint32_t count,
                        bool (*f)(gt_tape *, uint32_t, gt_call *), const gt_array *target) {
    const uint32_t i = node[0], n_in = n_operands(tape, node, count);
    gt__node *n = gt__node_at(tape, i);
    context->tape = tape;
    context->node = i;
    context->index = gt__in(tape, n);
    context->scratch = NULL;
    context->next_text = 0;
    if (!gt__reserve_arrays(tape, n_in)) return false;
    gt_array few[3 + GT_MAX_OUT], *array = n_in > 3 ? tape->array : few;
    gt_call call = {.op = n->op,
                    .attr = gt__bytes(&tape->attrs, n->attr, NULL),
                    .arg = tape->arg + n->arg,
                    .n_in = (int)n_in,
                    .in = array,
                    .out = array + n_in,
                    .seed = tape->params->seed,
                    .exact = tape->exact,
                    .internal = context};
    fill_operands(tape, node, count, array);
    call.n_out = (int)gt__n_results(tape, i);
    for (int k = 0; k < call.n_out; k++) gt__fill_array(tape, i + (uint32_t)k, &call.out[k]);
    if (target) call.out[0] = *target;
    const gt_site site = tape->site, *own = gt__bytes(&tape->sites, n->site, NULL);
    tape->site = own ? *own : (gt_site){NULL, 0};
    const bool strided = n->op->more.traits & (GT_STRIDED | GT_ELEMENTWISE | GT_VIEW);
    const bool ok = (strided || make_contiguous(&call, array)) && f(tape, i, &call);
    if (!ok && !tape->failed) gt_call_fail(&call, "failed");
    tape->site = site;
    return ok;
}

static bool call_nodes(gt_tape *tape, const uint32_t *node, uint32_t count,
                       bool (*f)(gt_tape *, uint32_t, gt_call *), const gt_array *target) {
    gt__context context;
    const bool ok = call_within(&context, tape, node, count, f, target);
    gt__free_scratch(&context);
    return ok;
}

static bool call_node(gt_tape *tape, uint32_t i, bool (*f)(gt_tape *, uint32_t, gt_call *)) {
    return call_nodes(tape, &i, 1, f, NULL);
}

static bool call_kernel(gt_tape *tape, uint32_t i, gt_call *call) {
    (void)tape;
    (void)i;
    if (call->op->more.traits & GT_ELEMENTWISE) return gt__run_elementwise(call);
    return call->op->kernel(call);
}

static bool call_accumulate(gt_tape *tape, uint32_t i, gt_call *call) {
    (void)tape;
    (void)i;
    return call->op->more.accumulate(call);
}

static bool is_fused(const gt_tape *tape, uint32_t i) { return tape->slot[i].state & GT__FUSED; }

/* How many operands of the sum i merge, from the k-th on, and which nodes they are. */
static uint32_t find_merging(const gt_tape *tape, uint32_t i, uint32_t k, uint32_t *node) {
    const uint32_t n_in = gt__n_in(gt__node_at(tape, i));
    const gt__node *first = NULL;
    uint32_t count = 0;
    for (; k + count < n_in && count < GT_MOST_MERGED; count++) {
        const uint32_t j = gt__operand(tape, i, k + count);
        const gt__node *n = gt__node_at(tape, j);
        if (!is_fused(tape, j) || !(n->op->more.traits & GT_MERGES)) break;
        if (first && (n->op != first->op || n->attr != first->attr)) break;
        if (!first) first = n;
        node[count] = j;
    }
    return count;
}

/* Does the operation of node i take denormals for 0 in this run? */
static bool flushes(gt_tape *tape, uint32_t i) {
    const gt__node *n = gt__node_at(tape, i);
    if (!gt__flushes(tape) || !gt__n_in(n)) return false;
    const gt__node *last = gt__node_at(tape, gt__in(tape, n)[gt__n_in(n) - 1]);
    const int from = gt__shape(tape, last)->shape.rank, to = gt__shape(tape, n)->shape.rank;
    return gt__may_flush(n->op, (gt_dtype)last->dtype, (gt_dtype)n->dtype, from > to ? from : to);
}

/* Adds the operand j, or lets it add itself. */
static bool add_operand(gt_tape *tape, const gt_call *call, uint32_t j, const gt_array *out) {
    if (is_fused(tape, j)) return call_nodes(tape, &j, 1, call_accumulate, out);
    gt_array one;
    gt__fill_array(tape, j, &one);
    gt_call part = *call;
    part.n_in = 1;
    part.in = &one;
    part.out = (gt_array *)out;
    if (!gt__is_contiguous(&one) && !make_contiguous(&part, &one)) return false;
    if (!part.op->more.accumulate(&part)) return false;
    gt__free_scratch(part.internal);
    return true;
}

/* A sum takes its inputs one at a time, but several together that merge: those keep denormals. */
static bool call_sum(gt_tape *tape, uint32_t i, gt_call *call) {
    const gt_array out = call->out[0];
    const unsigned mode = gt_float_mode(), own = flushes(tape, i) ? gt__flushing(mode) : mode;
    const uint32_t n_in = (uint32_t)call->n_in;
    uint32_t node[GT_MOST_MERGED];
    bool ok = true;
    memset(out.data, 0, (size_t)gt_numel(out.shape) * gt_dtype_size(out.dtype));
    for (uint32_t k = 0, count; ok && k < n_in; k += count) {
        count = find_merging(tape, i, k, node);
        gt_set_float_mode(count ? mode : own);
        ok = count ? call_nodes(tape, node, count, call_accumulate, &out)
                   : add_operand(tape, call, gt__operand(tape, i, k), &out);
        if (!count) count = 1;
    }
    gt_set_float_mode(mode);
    return ok;
}

bool gt__compute(gt_tape *tape, uint32_t i) {
    const unsigned traits = gt__node_at(tape, i)->op->more.traits;
    const uint32_t number = tape->slot[i].number;
    if (number)
        tape->slot[i].state |= tape->plans.first->work.node[number - 1].state & GT__UNROUNDED;
    if (traits & GT_VIEW || tape->slot[i].state & GT__UNROUNDED)
        return call_node(tape, i, compute_view);
    const uint32_t count = gt__n_results(tape, i);
    for (uint32_t k = 0; k < count; k++)
        if (!gt__place_value(tape, i + k)) return false;
    const unsigned mode = gt_float_mode();
    const bool flush = !(traits & GT_SUMS) && flushes(tape, i);
    if (flush) gt_set_float_mode(gt__flushing(mode));
    const bool ok = call_node(tape, i, traits & GT_SUMS ? call_sum : call_kernel);
    if (flush) gt_set_float_mode(mode);
    return ok;
}

static bool call_begin_rows(gt_tape *tape, uint32_t i, gt_call *call) {
    const gt__context *c = call->internal;
    return call->op->more.begin_rows(call, c->rows) &&
           (c->rows->make || call_kernel(tape, i, call));
}

static bool call_begin_whole(gt_tape *tape, uint32_t i, gt_call *call) {
    const gt__context *c = call->internal;
    if (!call->op->more.begin_whole(call, c->rows)) return false;
    if (c->rows->make) return true;
    if (!place_apart(tape, i)) return false;
    call->out[0].data = tape->slot[i].data;
    return call_kernel(tape, i, call);
}

static bool begin(gt_tape *tape, uint32_t i, gt__context *context, gt_rows *rows,
                  bool (*how)(gt_tape *, uint32_t, gt_call *)) {
    *rows = (gt_rows){.make = NULL};
    context->rows = rows;
    context->scratch = NULL;
    return gt__place_value(tape, i) && call_within(context, tape, &i, 1, how, NULL);
}

bool gt__begin_rows(gt_tape *tape, uint32_t i, gt__context *context, gt_rows *rows) {
    return begin(tape, i, context, rows, call_begin_rows);
}

bool gt__begin_whole(gt_tape *tape, uint32_t i, gt__context *context, gt_rows *rows) {
    return begin(tape, i, context, rows, call_begin_whole);
}
