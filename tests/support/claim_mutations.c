/* tests/support/claim_mutations.c: see claim_mutations.h. */
#include "support/claim_mutations.h"

#include <math.h>
#include <string.h>

const char *const mutation_name[N_MUTATIONS] = {
    [FLIPPED_SIGN] = "sign",
    [CONSTANT_FACTOR] = "factor",
    [DROPPED_PATH] = "missing path",
    [ADDED_TERM] = "extra term",
    [DROPPED_LOCAL] = "forgot a local derivative",
    [OTHER_NODE] = "derivative at the wrong node",
    [OTHER_OPERAND] = "wrong operand",
    [TRANSPOSED] = "transposed",
    [NO_BATCH_SUM] = "forgot the batch sum",
    [MEAN_FOR_SUM] = "mean for sum",
    [LAST_PATH_ONLY] = "= for +=",
    [LOG_BASE] = "log base",
};

bool mutation_is_called(mutation_kind kind, gt_mistake mistake) {
    switch (kind) {
    case FLIPPED_SIGN: return mistake == GT_MISTAKE_SIGN;
    case CONSTANT_FACTOR: return mistake == GT_MISTAKE_FACTOR;
    case DROPPED_PATH:
    case LAST_PATH_ONLY:
        return mistake == GT_MISTAKE_MISSING_PATH || mistake == GT_MISTAKE_OVERWRITTEN;
    case ADDED_TERM: return mistake == GT_MISTAKE_EXTRA_TERM;
    case DROPPED_LOCAL: return mistake == GT_MISTAKE_MISSING_LOCAL;
    case OTHER_NODE:
    case OTHER_OPERAND:
        return mistake == GT_MISTAKE_WRONG_NODE || mistake == GT_MISTAKE_WRONG_OPERAND;
    case TRANSPOSED: return mistake == GT_MISTAKE_TRANSPOSED;
    case NO_BATCH_SUM: return mistake == GT_MISTAKE_MISSING_SUM;
    case MEAN_FOR_SUM: return mistake == GT_MISTAKE_MEAN_FOR_SUM;
    case LOG_BASE: return mistake == GT_MISTAKE_LOG_BASE;
    default: return false;
    }
}

/* ---- the list that is made -------------------------------------------------------------------------------------- */

typedef struct list {
    gt_formula *formula;
    gt_recording *recording;
    gt_expr claim;
    mutation *out;
    int room, count;
    int of_kind[N_MUTATIONS];
} list;

enum { MOST_OF_KIND = 3 };

static void keep(list *l, mutation_kind kind, gt_expr mutated) {
    if (mutated == gt_no_expr || l->count == l->room || l->of_kind[kind] == MOST_OF_KIND) return;
    mutation *m = &l->out[l->count];
    m->kind = kind;
    if (gt_expr_print(l->formula, mutated, m->text, sizeof m->text, NULL, NULL, 0) >=
        sizeof m->text)
        return;
    for (int k = 0; k < l->count; k++)
        if (strcmp(l->out[k].text, m->text) == 0) return;
    l->count++;
    l->of_kind[kind]++;
}

/* The claim with the node old replaced. */
static void put(list *l, mutation_kind kind, gt_expr old, gt_expr by) {
    if (by != gt_no_expr) keep(l, kind, gt_expr_replace(l->formula, l->claim, old, by));
}

static gt_expr make(const list *l, gt_expr_kind kind, gt_expr a, gt_expr b) {
    return gt_expr_make(l->formula, kind, a, b);
}

static gt_expr_node at(const list *l, gt_expr e) { return gt_expr_at(l->formula, e); }
static gt_expr child(const list *l, gt_expr e, int k) { return gt_expr_child(l->formula, e, k); }

static bool is_sum(gt_expr_kind kind) { return kind == GT_EXPR_ADD || kind == GT_EXPR_SUB; }
/* Products whose factors may be left out: not of matrices. */
static bool is_product(const list *l, gt_expr e) {
    const gt_expr_kind kind = at(l, e).kind;
    if (kind == GT_EXPR_TIMES) return true;
    if (kind != GT_EXPR_MUL) return false;
    return gt_rank(gt_expr_tensor(l->recording, child(l, e, 0))) == 0 ||
           gt_rank(gt_expr_tensor(l->recording, child(l, e, 1))) == 0;
}

static gt_shape shape_of(const list *l, gt_expr e) {
    return gt_shape_of(gt_expr_tensor(l->recording, e));
}

/* ---- at the top: terms, signs, constants ------------------------------------------------------------------------- */

static void mutate_whole(list *l) {
    const gt_shape shape = shape_of(l, l->claim);
    keep(l, FLIPPED_SIGN, make(l, GT_EXPR_NEG, l->claim, gt_no_expr));
    keep(l, CONSTANT_FACTOR, make(l, GT_EXPR_MUL, gt_expr_number(l->formula, 2), l->claim));
    keep(l, CONSTANT_FACTOR, make(l, GT_EXPR_MUL, gt_expr_number(l->formula, 0.5), l->claim));
    if (shape.rank == 2) keep(l, TRANSPOSED, make(l, GT_EXPR_TRANSPOSE, l->claim, gt_no_expr));
}

/* The terms of a sum, left to right: each is what one path brings. */
static void mutate_terms(list *l) {
    gt_expr e = l->claim;
    while (is_sum(at(l, e).kind)) {
        const gt_expr left = child(l, e, 0), right = child(l, e, 1);
        put(l, DROPPED_PATH, e, left);
        if (e == l->claim && !is_sum(at(l, left).kind))
            keep(l, LAST_PATH_ONLY,
                 at(l, e).kind == GT_EXPR_SUB ? make(l, GT_EXPR_NEG, right, gt_no_expr) : right);
        put(l, FLIPPED_SIGN, e,
            make(l, at(l, e).kind == GT_EXPR_ADD ? GT_EXPR_SUB : GT_EXPR_ADD, left, right));
        e = left;
    }
}

/* Is a name one of the claim's terms already? Twice the same is a factor, not an extra term. */
static bool is_term(const list *l, const char *name) {
    gt_expr e = l->claim;
    for (; is_sum(at(l, e).kind); e = child(l, e, 0)) {
        const gt_expr_node right = at(l, child(l, e, 1));
        if (right.kind == GT_EXPR_NAME && strcmp(right.name, name) == 0) return true;
    }
    return at(l, e).kind == GT_EXPR_NAME && strcmp(at(l, e).name, name) == 0;
}

/* A term too many: another name of the claim's shape. */
static void mutate_extra(list *l) {
    for (int i = 0; i < gt_formula_count(l->formula); i++) {
        const gt_statement s = gt_formula_at(l->formula, i);
        if (s.kind > GT_DEFINES) continue;
        const gt_tensor t = gt_recorded(l->recording, s.name);
        if (gt_is_none(t) || !gt_same_shape(gt_shape_of(t), shape_of(l, l->claim))) continue;
        if (is_term(l, s.name)) continue;
        keep(l, ADDED_TERM, make(l, GT_EXPR_ADD, l->claim, gt_expr_name(l->formula, s.name)));
    }
}

/* ---- inside -------------------------------------------------------------------------------------------------------- */

static void mutate_product(list *l, gt_expr e) {
    for (int k = 0; k < 2; k++) {
        const gt_expr factor = child(l, e, k), other = child(l, e, 1 - k);
        const gt_expr_kind kind = at(l, factor).kind;
        if (kind == GT_EXPR_NUMBER) {
            put(l, CONSTANT_FACTOR, e, other);
        } else if (gt_same_shape(shape_of(l, other), shape_of(l, e)) && !is_product(l, factor)) {
            put(l, DROPPED_LOCAL, e, other);
        }
    }
}

/* Another name of the same shape in the place of one: as a factor it is an operand, inside a function, a power or
 * a bracket it is the node where a derivative is taken. */
static void mutate_name(list *l, gt_expr e, bool inside) {
    for (int i = 0; i < gt_formula_count(l->formula); i++) {
        const gt_statement s = gt_formula_at(l->formula, i);
        if (s.kind > GT_DEFINES || strcmp(s.name, at(l, e).name) == 0) continue;
        const gt_tensor t = gt_recorded(l->recording, s.name);
        if (gt_is_none(t) || !gt_same_shape(gt_shape_of(t), shape_of(l, e))) continue;
        put(l, inside ? OTHER_NODE : OTHER_OPERAND, e, gt_expr_name(l->formula, s.name));
    }
}

static gt_expr call(const list *l, const char *name, gt_expr argument) {
    return gt_expr_call(l->formula, name, &argument, 1);
}

static void mutate_call(list *l, gt_expr e) {
    const gt_expr_node node = at(l, e);
    const gt_expr x = child(l, e, 0);
    if (strcmp(node.name, "sum") == 0) {
        gt_expr argument[2] = {x, node.count > 1 ? child(l, e, 1) : gt_no_expr};
        put(l, MEAN_FOR_SUM, e, gt_expr_call(l->formula, "mean", argument, node.count));
        if (node.count > 1) put(l, NO_BATCH_SUM, e, x);
    }
    if (strcmp(node.name, "log") == 0 && !gt_expr_is_constant(l->formula, x)) {
        put(l, LOG_BASE, e, call(l, "log2", x));
        put(l, LOG_BASE, e, call(l, "log10", x));
    }
}

/* d log2 x = 1 / (x ln 2), and what becomes of it. */
static void mutate_logarithm(list *l) {
    const char *text = gt_formula_text(l->formula);
    if (!strstr(text, "log")) return;
    const double base = strstr(text, "log10") ? 10 : 2;
    const gt_expr log = call(l, "log", gt_expr_number(l->formula, base));
    keep(l, LOG_BASE, make(l, GT_EXPR_MUL, l->claim, log));
    keep(l, LOG_BASE, make(l, GT_EXPR_DIV, l->claim, log));
}

/* Divided by the batch, which is the first axis of what is transposed in it. */
static void mutate_batch(list *l, gt_expr e) {
    if (at(l, e).kind != GT_EXPR_TRANSPOSE || gt_rank(gt_expr_tensor(l->recording, e)) != 2) return;
    const double n = (double)shape_of(l, e).dim[1];
    if (!is_sum(at(l, l->claim).kind))
        keep(l, MEAN_FOR_SUM, make(l, GT_EXPR_DIV, l->claim, gt_expr_number(l->formula, n)));
}

typedef struct visit {
    gt_expr expr;
    bool inside;
} visit;

static bool hides(const list *l, gt_expr e) {
    switch (at(l, e).kind) {
    case GT_EXPR_CALL:
    case GT_EXPR_POW:
    case GT_EXPR_POWER:
    case GT_EXPR_ADD:
    case GT_EXPR_SUB: return true;
    default: return false;
    }
}

static void mutate_inside(list *l) {
    enum { MOST = 200 };
    visit stack[MOST] = {{l->claim, false}};
    int n = 1;
    bool at_top = true;
    while (n > 0) {
        const visit v = stack[--n];
        const gt_expr_node node = at(l, v.expr);
        if (node.kind == GT_EXPR_NAME) mutate_name(l, v.expr, v.inside);
        if (is_product(l, v.expr)) mutate_product(l, v.expr);
        if (node.kind == GT_EXPR_CALL) mutate_call(l, v.expr);
        if (node.kind == GT_EXPR_TRANSPOSE) put(l, TRANSPOSED, v.expr, child(l, v.expr, 0));
        mutate_batch(l, v.expr);
        const bool inside = v.inside || (hides(l, v.expr) && !(at_top && is_sum(node.kind)));
        at_top = at_top && is_sum(node.kind);
        for (int k = 0; k < node.count && n < MOST; k++)
            stack[n++] = (visit){child(l, v.expr, k), inside};
    }
}

int mutate_claim(gt_formula *formula, gt_recording *recording, mutation *out, int room) {
    list l = {.formula = formula, .recording = recording, .out = out, .room = room};
    l.claim = gt_formula_at(formula, gt_formula_count(formula) - 1).expr;
    mutate_whole(&l);
    mutate_terms(&l);
    mutate_extra(&l);
    mutate_inside(&l);
    mutate_logarithm(&l);
    return l.count;
}
