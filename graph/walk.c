/* graph/walk.c: what rooms above may ask of a tape: the nodes and their links, ranges, who records. */
#include "graph/tape.h"

#include <string.h>

static const gt__node *node(gt_tensor t) { return gt__node_at(t.tape, t.index); }

bool gt_valid(gt_tensor t) { return gt__valid(t); }

gt_shape gt_shape_of(gt_tensor t) {
    return gt__valid(t) ? gt__shape(t.tape, node(t))->shape : (gt_shape){0, {0}};
}
gt_dtype gt_dtype_of(gt_tensor t) { return gt__valid(t) ? (gt_dtype)node(t)->dtype : GT_F32; }
int gt_rank(gt_tensor t) { return gt_shape_of(t).rank; }

int64_t gt_dim(gt_tensor t, int axis) {
    if (!gt__check(t, "dim")) return 0;
    const gt_shape shape = gt_shape_of(t);
    if (axis < 0) axis += shape.rank;
    if (axis < 0 || axis >= shape.rank) {
        char name[320];
        gt_fail(t.tape, "dim: %s has no axis %d", gt__describe(t.tape, t.index, name, sizeof name),
                axis);
        return 0;
    }
    return shape.dim[axis];
}

gt_tensor gt_tensor_at(gt_tape *tape, uint32_t index) {
    return tape && index < tape->size ? gt__tensor(tape, index) : gt__poison(tape);
}

const gt_op *gt_op_of(gt_tensor t) { return gt__valid(t) ? node(t)->op : NULL; }
bool gt_is_leaf(gt_tensor t) { return gt__valid(t) && node(t)->flags & GT__LEAF; }
bool gt_is_assignable(gt_tensor t) { return gt_is_leaf(t) && !(node(t)->flags & GT__BORROWED); }
bool gt_is_trainable(gt_tensor t) {
    return gt__valid(t) && node(t)->flags & GT__PARAM && gt__param_of(t.tape, node(t))->trainable;
}
const char *gt_param_name_of(gt_tensor t) {
    return gt__valid(t) && node(t)->flags & GT__PARAM ? gt__param_of(t.tape, node(t))->name : NULL;
}

gt_tensor gt_pending(gt_tensor leaf) {
    if (!gt__valid(leaf)) return leaf;
    const gt_tape *tape = leaf.tape;
    for (uint32_t e = tape->n_effects; e-- > 0;) {
        const gt__node *n = gt__node_at(tape, tape->effect[e]);
        if (n->flags & GT__APPLIED) break; /* a commit applies all: so were those before it */
        if (gt__in(tape, n)[0] == leaf.index) return gt__tensor(leaf.tape, gt__in(tape, n)[1]);
    }
    return leaf;
}

int gt_n_in(gt_tensor t) { return gt__valid(t) ? (int)gt__n_in(node(t)) : 0; }

gt_tensor gt_in(gt_tensor t, int k) {
    if (k < 0 || k >= gt_n_in(t)) return gt__poison(t.tape);
    return gt__tensor(t.tape, gt__in(t.tape, node(t))[k]);
}

int gt_out_index(gt_tensor t) { return gt__valid(t) ? (int)node(t)->out : 0; }

int gt_n_out(gt_tensor t) {
    if (!gt__valid(t)) return 0;
    const uint32_t first = t.index - node(t)->out;
    int count = 1;
    while (first + (uint32_t)count < t.tape->size) {
        const gt__node *next = gt__node_at(t.tape, first + (uint32_t)count);
        if (next->op != node(t)->op || (int)next->out != count) break;
        count++;
    }
    return count;
}

gt_tensor gt_out(gt_tensor t, int k) {
    if (!gt__check(t, "out")) return gt__poison(t.tape);
    if (k < 0 || k >= gt_n_out(t))
        return gt_fail(t.tape, "out: %s has no result %d", node(t)->op->name, k);
    const gt_tensor out = gt__tensor(t.tape, t.index - node(t)->out + (uint32_t)k);
    if (t.tape->recorder == GT_BY_USER) {
        gt__unset(gt__node_at(t.tape, out.index), GT__UNASKED);
        t.tape->sinks_size = 0;
    }
    return out;
}

void gt_strides_of(gt_tensor t, int64_t stride[GT_MAX_RANK]) {
    gt_array a = {.shape = gt_shape_of(t)};
    gt__contiguous(&a);
    const uint32_t layout = gt__valid(t) ? gt__layout_of(t.tape, node(t)) : 0;
    const int64_t *own = layout ? gt__bytes(&t.tape->layouts, layout, NULL) : NULL;
    memcpy(stride, own ? own : a.stride, sizeof a.stride);
}

const void *gt_attr(gt_tensor t) {
    return gt__valid(t) ? gt__bytes(&t.tape->attrs, node(t)->attr, NULL) : NULL;
}
const gt_arg *gt_args(gt_tensor t) { return gt__valid(t) ? t.tape->arg + node(t)->arg : NULL; }

int gt_n_args(gt_tensor t) { /* arg of a parameter's leaf is its place in gt_params */
    if (!gt__valid(t) || node(t)->flags & GT__PARAM || !node(t)->arg) return 0;
    return (int)t.tape->arg[node(t)->arg - 1].integer;
}

gt_tensor gt_mark_constant(gt_tensor t) {
    if (gt__valid(t)) gt__node_at(t.tape, t.index)->flags |= GT__CONSTANT | GT__RULE;
    return t;
}
bool gt_is_constant(gt_tensor t) { return gt__valid(t) && node(t)->flags & GT__CONSTANT; }

/* ---- who records, and where ----------------------------------------------------------------------------- */

void gt_record_for(gt_tape *tape, gt_tensor at) {
    if (gt__valid(at)) {
        gt__date(tape, node(at));
    } else if (tape->dated) {
        tape->site = tape->undated;
        tape->dated = false;
    }
}

gt_recorder gt_record_as(gt_tape *tape, gt_recorder recorder) {
    const gt_recorder before = tape->recorder;
    tape->recorder = recorder;
    return before;
}

/* ---- checkpoints ------------------------------------------------------------------------------------- */

void gt_checkpoint_begin(gt_tape *tape) {
    if (!tape) return;
    if (tape->n_ranges && tape->range[tape->n_ranges - 1].end == UINT32_MAX) {
        gt_fail(tape, "checkpoint_begin: a checkpoint is open already");
        return;
    }
    if (!gt__grow(tape->allocator, &tape->range, &tape->range_room, (uint64_t)tape->n_ranges + 1,
                  sizeof *tape->range)) {
        gt__out_of_memory(tape, "a checkpoint");
        return;
    }
    tape->range[tape->n_ranges++] = (gt__range){tape->size, UINT32_MAX};
}

void gt_checkpoint_end(gt_tape *tape) {
    if (!tape) return;
    if (!tape->n_ranges || tape->range[tape->n_ranges - 1].end != UINT32_MAX) {
        gt_fail(tape, "checkpoint_end: no checkpoint is open");
        return;
    }
    tape->range[tape->n_ranges - 1].end = tape->size;
}

bool gt_checkpoint_range(const gt_tape *tape, uint32_t index, uint32_t *begin, uint32_t *end) {
    uint32_t low = 0, high = tape->n_ranges;
    while (low < high) { /* ranges are in order and apart */
        const uint32_t middle = low + (high - low) / 2;
        if (tape->range[middle].end <= index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == tape->n_ranges || tape->range[low].begin > index) return false;
    *begin = tape->range[low].begin;
    *end = tape->range[low].end;
    return true;
}
