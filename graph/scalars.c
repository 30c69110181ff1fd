/* graph/scalars.c: large graphs of scalars. Beside each node stand a code and a number, in arrays of their own, so
 * that running such a graph is a walk along them by a machine that the operations bring (gt_op_more.scalar);
 * adjoints.c walks back.
 *
 * Codes are made once for a recording, mostly while it is recorded; a replay runs them again. A number is as good
 * as a stored value until a leaf that it depends on is overwritten. */
#include "graph/tape.h"

#include <string.h>

/* ---- codes --------------------------------------------------------------------------------------------- */

/* Is there a number for operand i of node n? Not where a leaf was overwritten after n was recorded. */
static inline bool is_known(gt_tape *tape, const gt__node *n, uint32_t i) {
    const unsigned what = tape->scalars.code[i].what;
    if (what != GT__CODE_LEAF || tape->params->clock == tape->begun) return what != GT__CODE_NONE;
    if (gt__leaf_written(tape, gt__node_at(tape, i)) <= gt__clock_of(tape, n)) return true;
    tape->scalars.stale = true;
    return false;
}

/* The flag of a kind, 0 for those that are no numbers here. */
static unsigned kind_of(unsigned dtype) {
    return dtype == GT_F64    ? GT__CODE_F64
           : dtype == GT_F32  ? GT__CODE_F32
           : dtype == GT_BOOL ? GT__CODE_BOOL
                              : 0;
}

/* The kind of the numbers that operation n is computed with, GT__CODE_BOOL where all of them are bools; 0: operands
 * have no numbers, or others than the machine expects: of one kind, and bools where bools belong. */
static inline unsigned common_kind(gt_tape *tape, const gt__node *n, const uint32_t *in,
                                   uint32_t n_in) {
    const gt_code *code = tape->scalars.code;
    unsigned kind =
        n_in ? GT__CODE_F32 | GT__CODE_F64 : kind_of(n->dtype) & ~(unsigned)GT__CODE_BOOL;
    bool numbers = !n_in;
    for (uint32_t k = 0; k < n_in; k++) {
        const unsigned own = code[in[k]].flags;
        const bool is_bool = k < 32 && n->op->more.integer >> k & 1;
        if (!is_bool) kind &= own;
        numbers = numbers || !is_bool;
        if ((is_bool && !(own & GT__CODE_BOOL)) || !kind || !is_known(tape, n, in[k])) return 0;
    }
    return numbers ? kind : GT__CODE_BOOL;
}

static unsigned code_of_sum(uint32_t n_in) {
    return n_in == 2 ? GT_CODE_SUM : n_in == 3 ? GT_CODE_SUM_3 : GT_CODE_SUMS;
}

static void encode_operation(gt_tape *tape, const gt__node *n, gt_code *c) {
    gt__scalars *s = &tape->scalars;
    const gt_scalar_rule *rule = &n->op->more.scalar;
    const uint32_t *in = gt__in(tape, n), n_in = gt__n_in(n);
    const bool sum = rule->code == GT_CODE_SUM;
    if (!s->machine) s->machine = rule->machine;
    const unsigned kind = common_kind(tape, n, in, n_in);
    if (rule->machine != s->machine || !kind || (sum ? n_in < 2 : n_in > 3)) return;
    c->what = (uint16_t)((sum ? code_of_sum(n_in) : rule->code) + (kind == GT__CODE_F64));
    if (n_in <= 3) c->flags |= (uint16_t)((rule->gives & ((1u << n_in) - 1)) * GT__CODE_TO_A);
    c->a = n_in > 3 ? n->in[0] : n_in > 0 ? in[0] : 0;
    c->b = n_in > 3 ? n_in : n_in > 1 ? in[1] : c->a;
    c->arg = n_in == 3 ? in[2] : n->arg;
}

static bool encode_leaf(gt_tape *tape, uint32_t i, gt_code *c) {
    gt__scalars *s = &tape->scalars;
    if (!gt__grow(tape->allocator, &s->leaf, &s->leaf_room, (uint64_t)s->n_leaves + 1,
                  sizeof *s->leaf))
        return gt__out_of_memory(tape, "numbers");
    s->leaf[s->n_leaves++] = i;
    c->what = GT__CODE_LEAF;
    return true;
}

/* Of others than numbers, and of what a long sum adds up, codes say nothing. */
static bool is_same(gt_code a, gt_code b) {
    const unsigned apart = GT_CODE_REACHED | GT_CODE_FORKED | GT__CODE_USED;
    return a.what == b.what && a.a == b.a && a.b == b.b && a.arg == b.arg &&
           !((a.flags ^ b.flags) & ~apart) && a.what != GT__CODE_NONE &&
           a.what / 2 != GT_CODE_SUMS / 2;
}

static bool encode(gt_tape *tape, uint32_t i) {
    gt__scalars *s = &tape->scalars;
    const gt__node *n = gt__node_at(tape, i);
    gt_code c = {.what = GT__CODE_NONE, .flags = n->flags & GT__TRAINED ? GT__CODE_TRAINED : 0};
    const bool leaf = n->flags & GT__LEAF;
    bool ok = true;
    if (n->flags & GT__SCALAR)
        encode_operation(tape, n, &c);
    else if (!leaf)
        ok = gt__encode_way(tape, i, &c);
    else if (n->shape == tape->scalar_shape && kind_of(n->dtype))
        ok = encode_leaf(tape, i, &c);
    if (c.what != GT__CODE_NONE && c.what != GT__CODE_WAY) c.flags |= (uint16_t)kind_of(n->dtype);
    if ((i < s->same || i < s->marks_hold) && is_same(c, s->code[i]))
        c.flags |= s->code[i].flags & (GT_CODE_REACHED | GT_CODE_FORKED);
    else
        gt__forget_same(s, i);
    s->code[i] = c;
    return ok;
}

/* Encodes nodes up to `end`; false: memory is short. */
static bool encode_up_to(gt_tape *tape, uint32_t end) {
    gt__scalars *s = &tape->scalars;
    if (!gt__grow(tape->allocator, &s->code, &s->code_room, end, sizeof *s->code))
        return gt__out_of_memory(tape, "numbers");
    if (s->coded == 0) s->clock = tape->params->clock;
    for (; s->coded < end; s->coded++)
        if (!encode(tape, s->coded)) return false;
    return true;
}

/* ---- running ------------------------------------------------------------------------------------------- */

/* Fetches the leaves from node `from` on. */
static void load(gt_tape *tape, uint32_t from) {
    const gt__scalars *s = &tape->scalars;
    for (uint32_t k = s->n_leaves; k-- > 0 && s->leaf[k] >= from;) {
        const uint32_t i = s->leaf[k];
        const size_t size = gt_dtype_size((gt_dtype)gt__node_at(tape, i)->dtype);
        memcpy(&s->value[i], gt__value(tape, i), size);
    }
}

static void run(gt_tape *tape, uint32_t from) {
    const gt__scalars *s = &tape->scalars;
    const gt_numbers numbers = {s->value, NULL, s->code, tape->arg, tape->side};
    while (from < tape->size) {
        const unsigned what = s->code[from].what;
        if (what >= GT_CODE_NUMBER) {
            from = s->machine[what & 1]->run(&numbers, from, tape->size);
            continue;
        }
        if (what == GT__CODE_WAY) gt__go_back(tape, from);
        from++;
    }
}

bool gt__store_number(gt_tape *tape, uint32_t i) {
    gt__node *n = gt__node_at(tape, i);
    if (n->flags & (GT__LEAF | GT__STORED)) return true;
    if (!gt__grow(tape->allocator, &tape->stored, &tape->stored_room, (uint64_t)tape->n_stored + 1,
                  sizeof *tape->stored))
        return gt__out_of_memory(tape, "a run");
    memcpy(&n->value, &tape->scalars.value[i], sizeof n->value);
    n->flags |= GT__STORED;
    tape->stored[tape->n_stored++] = i;
    return true;
}

static bool store_kept(gt_tape *tape, uint32_t from) {
    const gt__scalars *s = &tape->scalars;
    for (uint32_t k = 0; k < s->n_kept; k++)
        if (s->kept[k] >= from && gt__is_number(tape, s->kept[k]) &&
            !gt__store_number(tape, s->kept[k]))
            return false;
    return true;
}

bool gt__keep_number(gt_tape *tape, uint32_t i) {
    gt__scalars *s = &tape->scalars;
    if (!gt__grow(tape->allocator, &s->kept, &s->kept_room, (uint64_t)s->n_kept + 1,
                  sizeof *s->kept))
        return gt__out_of_memory(tape, "a kept value");
    s->kept[s->n_kept++] = i;
    return !gt__is_number(tape, i) || tape->params->clock != s->clock || gt__store_number(tape, i);
}

/* Leaves may have been overwritten since codes and numbers were made: what depends on those has none any more. */
static bool settle(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    bool same = true;
    for (uint32_t k = 0; same && k < s->n_leaves; k++)
        same = gt__leaf_written(tape, gt__node_at(tape, s->leaf[k])) <= s->clock;
    s->clock = tape->params->clock;
    if (same) return store_kept(tape, 0);
    gt__move_uses(tape);
    s->n_leaves = s->ready = 0;
    for (uint32_t i = 0; i < s->run; i++)
        if (!encode(tape, i)) return false;
    s->coded = s->run;
    load(tape, 0);
    return store_kept(tape, 0);
}

/* Nodes up to the end of the chunk can be appended with their codes. */
static void foresee(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    const uint32_t end = (tape->size / GT__CHUNK + 1) * GT__CHUNK;
    const uint32_t room = s->code_room < tape->room ? s->code_room : tape->room;
    s->ready = end < room ? end : room;
    s->next = s->ready > tape->size ? gt__node_at(tape, tape->size) : NULL;
}

bool gt__encode_recorded(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    if (tape->params->clock != tape->begun) return true;
    if (s->coded && tape->params->clock != s->clock && !settle(tape)) return false;
    if (!encode_up_to(tape, tape->size)) return false;
    if (s->machine) foresee(tape);
    return true;
}

bool gt__run_scalars(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    const uint32_t from = s->run;
    if (s->coded && tape->params->clock != s->clock && !settle(tape)) return false;
    if (tape->size - from < (from ? 1 : GT__MANY) || tape->keep_all) return true;
    if (!gt__grow(tape->allocator, &s->value, &s->value_room, tape->size, sizeof *s->value))
        return gt__out_of_memory(tape, "numbers");
    if (!encode_up_to(tape, tape->size)) return false;
    load(tape, from);
    run(tape, from);
    s->run = tape->size;
    s->clock = tape->params->clock;
    return store_kept(tape, from);
}

/* ---- the life of the arrays ---------------------------------------------------------------------------------- */

void gt__move_uses(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    for (uint32_t i = 0; i < s->coded; i++) {
        if (s->code[i].flags & GT__CODE_USED) gt__node_at(tape, i)->flags |= GT__USED;
        s->code[i].flags &= (uint16_t)~GT__CODE_USED;
    }
}

void gt__rewind_scalars(gt_tape *tape, uint32_t size) {
    gt__scalars *s = &tape->scalars;
    uint32_t kept = 0;
    s->ready = 0;
    s->same = s->coded;
    if (s->coded > size) s->coded = size;
    if (s->run > size) s->run = size;
    while (s->n_leaves && s->leaf[s->n_leaves - 1] >= size) s->n_leaves--;
    for (uint32_t k = 0; k < s->n_kept; k++)
        if (s->kept[k] < size) s->kept[kept++] = s->kept[k];
    s->n_kept = kept;
}

void gt__replay_scalars(gt_tape *tape) {
    gt__scalars *s = &tape->scalars;
    s->run = 0;
    s->clock = tape->params->clock;
    if (!s->stale) return;
    s->stale = false;
    gt__move_uses(tape);
    s->coded = s->n_leaves = s->ready = 0;
}

void gt__free_scalars(gt_tape *tape) {
    const gt_allocator *a = tape->allocator;
    gt__scalars *s = &tape->scalars;
    gt__free(a, s->code, s->code_room * sizeof *s->code);
    gt__free(a, s->value, s->value_room * sizeof *s->value);
    gt__free(a, s->adjoint, s->adjoint_room * sizeof *s->adjoint);
    gt__free(a, s->leaf, s->leaf_room * sizeof *s->leaf);
    gt__free(a, s->kept, s->kept_room * sizeof *s->kept);
}
