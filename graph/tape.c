/* graph/tape.c: the life of a tape: its making and end, shapes, marks. */
#include "graph/tape.h"

#include <stdlib.h>
#include <string.h>

/* ---- creation -------------------------------------------------------------------------------- */

gt_tape *gt_tape_new(gt_params *params) {
    gt_params *own = NULL;
    if (!params) params = own = gt_params_new(NULL, 0);
    if (!params) return NULL;
    gt_tape *tape = gt__alloc(&params->allocator, sizeof *tape);
    if (!tape) {
        gt_params_free(own);
        return NULL;
    }
    memset(tape, 0, sizeof *tape);
    tape->params = params;
    tape->owns_params = own != NULL;
    tape->allocator = &params->allocator;
    tape->generation = 1;
    gt__table *tables[] = {&tape->shapes, &tape->layouts, &tape->attrs, &tape->names, &tape->sites};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        tables[i]->allocator = tape->allocator;
    tape->pool.allocator = tape->allocator;
    return tape;
}

void gt_tape_free(gt_tape *tape) {
    if (!tape) return;
    gt_tape_reset(tape);
    if (tape->attachment.release) tape->attachment.release(tape, tape->attachment.state);
    const gt_allocator *a = tape->allocator;
    for (uint32_t i = 0; i < tape->n_chunks; i++)
        gt__free(a, tape->chunk[i], GT__CHUNK * sizeof(gt__node));
    gt__free(a, tape->chunk, tape->chunk_room * sizeof *tape->chunk);
    gt__free(a, tape->side, tape->side_room * sizeof *tape->side);
    gt__free(a, tape->arg, tape->arg_room * sizeof *tape->arg);
    gt__free(a, tape->stored, tape->stored_room * sizeof *tape->stored);
    gt__free(a, tape->effect, tape->effect_room * sizeof *tape->effect);
    gt__free(a, tape->sink, tape->sink_room * sizeof *tape->sink);
    gt__free(a, tape->use, tape->use_room * sizeof *tape->use);
    gt__free(a, tape->range, tape->range_room * sizeof *tape->range);
    gt__free(a, tape->scope, tape->scope_room);
    gt__free(a, tape->slot, tape->slot_room * sizeof *tape->slot);
    gt__free(a, tape->array, tape->array_room * sizeof *tape->array);
    gt__table *tables[] = {&tape->shapes, &tape->layouts, &tape->attrs, &tape->names, &tape->sites};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) gt__table_clear(tables[i]);
    gt__free_scalars(tape);
    gt__plans_free(tape);
    gt__pool_clear(&tape->pool);
    gt_params *own = tape->owns_params ? tape->params : NULL;
    gt__free(a, tape, sizeof *tape);
    gt_params_free(own);
}

gt_params *gt_tape_params(gt_tape *tape) { return tape ? tape->params : NULL; }
uint32_t gt_tape_size(const gt_tape *tape) { return tape ? tape->size : 0; }
gt_attachment *gt_tape_attachment(gt_tape *tape) { return &tape->attachment; }

void gt_tape_limit(gt_tape *tape, uint32_t nodes) {
    if (!tape) return;
    tape->limit = nodes;
    tape->room = tape->scalars.ready = 0;
}

/* ---- shapes --------------------------------------------------------------------------------------- */

uint32_t gt__intern_shape(gt_tape *tape, gt_shape shape) {
    char text[200];
    gt__shape_entry entry;
    memset(&entry, 0, sizeof entry);
    if (shape.rank < 0 || shape.rank > GT_MAX_RANK) {
        gt_fail(tape, "shape of rank %d: the largest rank is %d", shape.rank, GT_MAX_RANK);
        return 0;
    }
    entry.shape.rank = shape.rank;
    for (int i = 0; i < shape.rank; i++) entry.shape.dim[i] = shape.dim[i];
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) {
            gt_fail(tape, "shape [%s]: axis %d is negative",
                    gt__shape_text(shape, text, sizeof text), i);
            return 0;
        }
    }
    if (!gt__checked_numel(entry.shape, 8, &entry.numel)) {
        gt_fail(tape, "shape [%s]: too many elements", gt__shape_text(shape, text, sizeof text));
        return 0;
    }
    const uint32_t id = gt__intern(&tape->shapes, &entry, sizeof entry);
    if (id == 0) gt__out_of_memory(tape, "a shape");
    if (shape.rank == 0) tape->scalar_shape = id;
    return id;
}

/* ---- marks ------------------------------------------------------------------------------------------ */

static bool in_checkpoint(const gt_tape *tape) {
    return tape->n_ranges && tape->range[tape->n_ranges - 1].end == UINT32_MAX;
}

gt_marker gt_mark(gt_tape *tape) {
    if (!tape) return (gt_marker){.tape = NULL};
    return (gt_marker){.tape = tape,
                       .size = tape->size,
                       .generation = tape->size ? gt__node_at(tape, tape->size - 1)->generation : 0,
                       .arg_size = tape->arg_size,
                       .side_size = tape->side_size,
                       .n_ranges = tape->n_ranges,
                       .n_errors = tape->n_errors,
                       .in_checkpoint = in_checkpoint(tape)};
}

static void release_stored(gt_tape *tape, uint32_t size) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < tape->n_stored; i++) {
        if (tape->stored[i] < size)
            tape->stored[kept++] = tape->stored[i];
        else
            gt__give_value(tape, gt__node_at(tape, tape->stored[i]));
    }
    tape->n_stored = kept;
}

/* Are there only nodes that cannot become stale? Not to be asked of more than are taken away: a rewind shall not cost
 * more than what was recorded. */
static bool is_fresh(const gt_tape *tape, uint32_t size) {
    bool fresh = size <= tape->size - size;
    for (uint32_t i = 0; fresh && i < size; i++) fresh = gt__n_in(gt__node_at(tape, i)) == 0;
    return fresh;
}

static void rewind_to(gt_tape *tape, gt_marker mark) {
    if (is_fresh(tape, mark.size)) tape->begun = tape->params->clock;
    if (tape->same < tape->size) tape->same = tape->size;
    release_stored(tape, mark.size);
    while (tape->n_effects && tape->effect[tape->n_effects - 1] >= mark.size) tape->n_effects--;
    if (tape->n_ranges > mark.n_ranges) tape->n_ranges = mark.n_ranges;
    while (tape->n_ranges && tape->range[tape->n_ranges - 1].begin > mark.size) tape->n_ranges--;
    if (mark.in_checkpoint && tape->n_ranges == mark.n_ranges)
        tape->range[tape->n_ranges - 1].end = UINT32_MAX;
    tape->arg_size = mark.arg_size;
    tape->side_size = mark.side_size;
    tape->size = mark.size;
    gt__rewind_scalars(tape, mark.size);
    tape->uses_lost = mark.size > 0;
    tape->generation++;
    if (mark.size <= tape->failed_at && mark.n_errors != tape->n_errors) tape->failed = false;
}

/* A mark is void once the tape was rewound below it: then the node before it is another one, or none. */
static bool mark_holds(const gt_tape *tape, gt_marker mark) {
    if (mark.size > tape->size) return false;
    return mark.size == 0 || gt__node_at(tape, mark.size - 1)->generation == mark.generation;
}

void gt_rewind(gt_tape *tape, gt_marker mark) {
    if (!tape || tape->running) return;
    if (mark.tape != tape)
        gt_fail(tape, "rewind: a mark of another tape");
    else if (mark_holds(tape, mark))
        rewind_to(tape, mark);
    else
        gt_fail(tape, "rewind: the tape was rewound below this mark before");
}

/* Distinct shapes, names and sites of a whole training are few; a caller that makes ever new ones must
 * not make the tables grow for ever. */
static void bound_tables(gt_tape *tape) {
    enum { MANY = 1 << 16 };
    gt__table *tables[] = {&tape->shapes, &tape->layouts, &tape->attrs, &tape->names, &tape->sites};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (tables[i]->count <= MANY) continue;
        gt__plans_clear(tape); /* they speak of shapes by number */
        gt__table_clear(tables[i]);
        tape->same = tape->scalars.same = 0; /* nodes do, too */
    }
    if (!tape->shapes.count) tape->scalar_shape = 0;
    if (!tape->sites.count) memset(tape->known_site, 0, sizeof tape->known_site);
}

/* Other tapes, an optimizer's own among them, count their uses of the same parameters. */
static void forget_uses(gt_tape *tape) {
    for (uint32_t i = 0; i < tape->use_room; i++) {
        if (i < tape->params->count) tape->params->param[i].uses -= tape->use[i].uses;
        tape->use[i].uses = 0;
    }
}

void gt_tape_reset(gt_tape *tape) {
    if (!tape || tape->running) return;
    rewind_to(tape, (gt_marker){.tape = tape});
    tape->failed = false;
    tape->scope_size = tape->scopes_lost = 0;
    tape->recorder = GT_BY_USER;
    tape->dated = false;
    tape->site = (gt_site){NULL, 0};
    bound_tables(tape);
    forget_uses(tape);
}
