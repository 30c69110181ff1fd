/* formula/arena.c: the arena: nodes, names, and building new expressions from old ones. Nodes are never changed,
 * so expressions share what they have in common. */
#include "formula/arena.h"

#include <math.h>
#include <string.h>

bool gt__widen(const gt_allocator *a, void *block, uint32_t *room, uint64_t need, size_t item) {
    if (need <= *room) return true;
    const uint64_t more = need < 16 ? 16 : need + need / 2;
    if (more > UINT32_MAX / 2 || more > SIZE_MAX / item) return false;
    void *old;
    memcpy(&old, block, sizeof old);
    void *grown = a->resize(a->user, old, *room * item, (size_t)more * item);
    if (!grown) return false;
    memcpy(block, &grown, sizeof grown);
    *room = (uint32_t)more;
    return true;
}

/* ---- names ------------------------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *text, size_t length) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

/* The slot where a name is, or would be. */
static uint32_t slot_of(const gt_formula *f, const char *text, size_t length) {
    uint32_t at = hash_of(text, length) & (f->n_slots - 1);
    for (;; at = (at + 1) & (f->n_slots - 1)) {
        const gt__symbol *s = f->slot[at] ? &f->symbol[f->slot[at] - 1] : NULL;
        if (!s || (s->size == length + 1 && memcmp(s->text, text, length) == 0)) return at;
    }
}

static bool rehash(gt_formula *f) {
    const uint32_t n = f->n_slots ? 2 * f->n_slots : 32;
    uint32_t *slot = f->allocator.resize(f->allocator.user, NULL, 0, n * sizeof *slot);
    if (!slot) return false;
    if (f->slot) f->allocator.resize(f->allocator.user, f->slot, f->n_slots * sizeof *f->slot, 0);
    memset(slot, 0, n * sizeof *slot);
    f->slot = slot;
    f->n_slots = n;
    for (uint32_t i = 0; i < f->n_symbols; i++)
        slot[slot_of(f, f->symbol[i].text, f->symbol[i].size - 1)] = i + 1;
    return true;
}

uint32_t gt__symbol_find(const gt_formula *f, const char *text, size_t length) {
    const uint32_t place = f->n_slots ? f->slot[slot_of(f, text, length)] : 0;
    return place ? place - 1 : GT__ANONYMOUS;
}

uint32_t gt__symbol_of(gt_formula *f, const char *text, size_t length) {
    const uint32_t known = gt__symbol_find(f, text, length);
    if (known != GT__ANONYMOUS) return known;
    if (2 * f->n_symbols + 2 > f->n_slots && !rehash(f)) return GT__ANONYMOUS;
    if (!gt__widen(&f->allocator, &f->symbol, &f->symbol_room, (uint64_t)f->n_symbols + 1,
                   sizeof *f->symbol))
        return GT__ANONYMOUS;
    char *copy = f->allocator.resize(f->allocator.user, NULL, 0, length + 1);
    if (!copy) return GT__ANONYMOUS;
    memcpy(copy, text, length);
    copy[length] = 0;
    f->slot[slot_of(f, text, length)] = f->n_symbols + 1;
    f->symbol[f->n_symbols] = (gt__symbol){.text = copy, .size = length + 1, .defined = -1};
    return f->n_symbols++;
}

/* ---- nodes --------------------------------------------------------------------------------------------------- */

gt_expr gt__expr_add(gt_formula *f, gt__expr node, const gt_expr *child) {
    const uint32_t n = child ? node.count : 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!gt__is_expr(f, child[k])) return gt_no_expr;
        const uint32_t height = f->expr[child[k]].height + 1;
        if (height > node.height) node.height = height;
    }
    if (node.height > GT__TALLEST) return gt_no_expr;
    if (!gt__widen(&f->allocator, &f->expr, &f->expr_room, (uint64_t)f->n_exprs + 1,
                   sizeof *f->expr) ||
        !gt__widen(&f->allocator, &f->child, &f->child_room, (uint64_t)f->n_children + n,
                   sizeof *f->child)) {
        f->failed = true;
        return gt_no_expr;
    }
    if (n > 0) {
        node.first = f->n_children;
        memcpy(f->child + f->n_children, child, n * sizeof *child);
        f->n_children += n;
    }
    node.serial = ++f->next_serial;
    f->expr[f->n_exprs] = node;
    return f->n_exprs++;
}

gt_expr gt_expr_number(gt_formula *f, double number) {
    const bool negative = number < 0;
    const gt_expr e =
        gt__expr_add(f, (gt__expr){.kind = GT_EXPR_NUMBER, .number = negative ? -number : number},
                     NULL);
    return negative ? gt_expr_make(f, GT_EXPR_NEG, e, gt_no_expr) : e;
}

gt_expr gt_expr_name(gt_formula *f, const char *name) {
    const uint32_t symbol = gt__symbol_of(f, name, strlen(name));
    if (symbol == GT__ANONYMOUS) return gt_no_expr;
    return gt__expr_add(f, (gt__expr){.kind = GT_EXPR_NAME, .name = symbol}, NULL);
}

gt_expr gt_expr_make(gt_formula *f, gt_expr_kind kind, gt_expr a, gt_expr b) {
    const bool one = kind == GT_EXPR_NEG || kind == GT_EXPR_TRANSPOSE;
    if (kind < GT_EXPR_NEG || kind >= GT_EXPR_CALL) return gt_no_expr;
    return gt__expr_add(f, (gt__expr){.kind = kind, .count = one ? 1 : 2}, (const gt_expr[]){a, b});
}

gt_expr gt_expr_call(gt_formula *f, const char *function, const gt_expr *argument, int count) {
    const gt__function *found = gt__function_find(function, strlen(function), count);
    if (!found || count < 0) return gt_no_expr;
    const gt_expr none = gt_no_expr;
    return gt__expr_add(
        f, (gt__expr){.kind = GT_EXPR_CALL, .count = (uint32_t)count, .function = found},
        count ? argument : &none);
}

gt_expr_node gt_expr_at(const gt_formula *f, gt_expr e) {
    if (!gt__is_expr(f, e)) return (gt_expr_node){.number = (double)NAN};
    const gt__expr *n = &f->expr[e];
    gt_expr_node node = {.kind = n->kind, .number = n->number, .span = n->span};
    if (n->kind >= GT_EXPR_NEG) node.count = (int)n->count;
    if (n->kind == GT_EXPR_NAME) node.name = f->symbol[n->name].text;
    if (n->kind == GT_EXPR_CALL) node.name = n->function->name;
    return node;
}

gt_expr gt_expr_child(const gt_formula *f, gt_expr e, int k) {
    if (!gt__is_expr(f, e) || f->expr[e].kind < GT_EXPR_NEG) return gt_no_expr;
    return k >= 0 && (uint32_t)k < f->expr[e].count ? f->child[f->expr[e].first + (uint32_t)k]
                                                    : gt_no_expr;
}

uint32_t gt_expr_count(const gt_formula *f) { return f->n_exprs; }

void gt_expr_truncate(gt_formula *f, uint32_t count) {
    while (f->n_exprs > count) {
        const gt__expr *n = &f->expr[--f->n_exprs];
        if (n->kind >= GT_EXPR_NEG && n->count > 0) f->n_children = n->first;
        if (n->kind == GT_EXPR_ARRAY) f->n_numbers = n->first;
    }
}

/* Recursion over trees goes GT__TALLEST deep at most. */
int gt_expr_size(const gt_formula *f, gt_expr e) {
    if (!gt__is_expr(f, e)) return 0;
    int size = 1;
    const int n = gt_expr_at(f, e).count;
    for (int k = 0; k < n && size < 1 << 20; k++) size += gt_expr_size(f, gt_expr_child(f, e, k));
    return size;
}

bool gt_expr_is_constant(const gt_formula *f, gt_expr e) {
    if (!gt__is_expr(f, e) || f->expr[e].kind == GT_EXPR_NAME) return false;
    const int n = gt_expr_at(f, e).count;
    for (int k = 0; k < n; k++)
        if (!gt_expr_is_constant(f, gt_expr_child(f, e, k))) return false;
    return true;
}

bool gt_expr_same(const gt_formula *f, gt_expr a, gt_expr b) {
    if (a == b) return true;
    if (!gt__is_expr(f, a) || !gt__is_expr(f, b)) return false;
    const gt__expr *m = &f->expr[a], *n = &f->expr[b];
    if (m->kind != n->kind || m->count != n->count) return false;
    if (m->kind == GT_EXPR_NUMBER) return m->number == n->number;
    if (m->kind == GT_EXPR_NAME) return m->name == n->name;
    if (m->kind == GT_EXPR_ARRAY)
        return m->name == n->name && m->number == n->number && m->count > 0 &&
               memcmp(f->number + m->first, f->number + n->first, m->count * sizeof(double)) == 0;
    if (m->function != n->function) return false;
    for (uint32_t k = 0; k < m->count; k++)
        if (!gt_expr_same(f, f->child[m->first + k], f->child[n->first + k])) return false;
    return true;
}

gt_expr gt_expr_replace(gt_formula *f, gt_expr root, gt_expr old, gt_expr by) {
    if (root == old) return by;
    if (root < old || !gt__is_expr(f, root)) return root;
    const gt__expr node = f->expr[root];
    if (node.kind < GT_EXPR_NEG) return root;
    gt_expr child[GT__MOST_CHILDREN];
    bool same = true;
    for (uint32_t k = 0; k < node.count; k++) {
        const gt_expr before = f->child[node.first + k];
        child[k] = gt_expr_replace(f, before, old, by);
        same = same && child[k] == before;
    }
    gt__expr copy = node;
    copy.height = 0;
    return same ? root : gt__expr_add(f, copy, child);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

void gt_formula_free(gt_formula *f) {
    if (!f) return;
    const gt_allocator a = f->allocator;
    for (uint32_t i = 0; i < f->n_symbols; i++)
        a.resize(a.user, f->symbol[i].text, f->symbol[i].size, 0);
    const struct {
        void *block;
        size_t size;
    } owned[] = {{f->text, f->text_size},
                 {f->expr, f->expr_room * sizeof *f->expr},
                 {f->child, f->child_room * sizeof *f->child},
                 {f->number, f->number_room * sizeof *f->number},
                 {f->symbol, f->symbol_room * sizeof *f->symbol},
                 {f->slot, f->n_slots * sizeof *f->slot},
                 {f->statement, f->statement_room * sizeof *f->statement},
                 {f, sizeof *f}};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        if (owned[i].block) a.resize(a.user, owned[i].block, owned[i].size, 0);
}

const char *gt_formula_text(const gt_formula *f) { return f->text; }
int gt_formula_count(const gt_formula *f) { return (int)f->n_statements; }

gt_statement gt_formula_at(const gt_formula *f, int i) {
    if (i < 0 || (uint32_t)i >= f->n_statements) return (gt_statement){.expr = gt_no_expr};
    return f->statement[i];
}

int gt_formula_known(const gt_formula *f, const char *name, int i) {
    if (i >= (int)f->n_statements) {
        const uint32_t symbol = gt__symbol_find(f, name, strlen(name));
        return symbol == GT__ANONYMOUS ? -1 : f->symbol[symbol].defined;
    }
    while (i-- > 0) {
        const gt_statement *s = &f->statement[i];
        if (s->kind <= GT_DEFINES && strcmp(s->name, name) == 0) return i;
    }
    return -1;
}
