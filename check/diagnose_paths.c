/* check/diagnose_paths.c: the routes of a gradient. A path goes from the result over operations of the formula (not
 * over the nodes that they are made of) to the variable; what it contributes is the product of the local gradients
 * on its way, recorded on the tape and read back as an expression. */
#include "check/diagnose.h"

#include <string.h>

#include "grad/grad.h"
#include "ops/ops.h"

enum { DEEPEST = 200, MOST_STEPS = 2000 };

int gt__reading_point(const gt__trial *t) { return t->n_points > 1 ? 1 : 0; }

gt_expr gt__definition_of(const gt__trial *t, const char *name) {
    const int at = gt_formula_known(t->f, name, gt_formula_count(t->f));
    const gt_statement s = gt_formula_at(t->f, at);
    return at >= 0 && s.kind == GT_DEFINES ? s.expr : gt_no_expr;
}

/* ---- one operation ------------------------------------------------------------------------------------------------ */

/* The pull of operation e along its operand k alone: its operands are copied, so that a value used twice has two
 * gradients. */
static gt_tensor pull_along(gt__trial *t, gt_expr e, int k, gt_tensor up) {
    gt__point *at = &t->point[gt__reading_point(t)];
    gt_tensor operand[8] = {{0}};
    const int n = gt_expr_at(t->f, e).count;
    for (int i = 0; i < n && i < 8; i++) {
        operand[i] = gt_none();
        if (!gt_expr_is_operand(t->f, e, i)) continue;
        operand[i] = gt_copy(gt_expr_tensor(at->r, gt_expr_child(t->f, e, i)));
    }
    const gt_tensor y = gt_record_node(at->r, e, operand);
    return gt_vjp(y,
                  gt_is_none(up) ? gt_expand(gt_ones(at->tape, GT_SCALAR, GT_F64), gt_shape_of(y))
                                 : up,
                  operand[k]);
}

gt_expr gt__local_derivative(gt__trial *t, gt_expr e, int k) {
    gt__point *at = &t->point[gt__reading_point(t)];
    const gt_tensor y = gt_expr_tensor(at->r, e);
    const gt_tensor x = gt_expr_tensor(at->r, gt_expr_child(t->f, e, k));
    if (!gt_expr_is_operand(t->f, e, k) || gt_is_none(y) || gt_is_none(x)) return gt_no_expr;
    const gt_shape ys = gt_shape_of(y), xs = gt_shape_of(x);
    if (!gt_same_shape(xs, ys)) return gt_no_expr;
    const gt_marker mark = gt_mark(at->tape);
    const gt_tensor local = pull_along(t, e, k, gt_none());
    const gt_expr read = gt_failed(at->tape) ? gt_no_expr : gt_formula_of(at->r, local);
    gt_rewind(at->tape, mark);
    return read;
}

/* ---- all ways ------------------------------------------------------------------------------------------------------ */

typedef struct step {
    gt_expr e;
    int next; /* the child to go to */
    gt_tensor up;
} step;

typedef struct walk {
    gt__trial *t;
    unsigned char *leads; /* by expression: it depends on x */
    gt_expr size;
    step stack[DEEPEST];
    int depth, steps;
    bool failed;
} walk;

/* Nodes of definitions stand after those of what they use. */
static void mark_what_leads(walk *w, const char *x) {
    const gt_formula *f = w->t->f;
    for (gt_expr e = 0; e < w->size; e++) {
        const gt_expr_node node = gt_expr_at(f, e);
        if (node.kind == GT_EXPR_NAME) {
            const gt_expr definition = gt__definition_of(w->t, node.name);
            w->leads[e] = strcmp(node.name, x) == 0 || (definition < e && w->leads[definition]);
        }
        for (int k = 0; k < node.count; k++)
            if (gt_expr_is_operand(f, e, k) && w->leads[gt_expr_child(f, e, k)]) w->leads[e] = 1;
    }
}

static void push(walk *w, gt_expr e, gt_tensor up) {
    if (w->depth == DEEPEST || ++w->steps > MOST_STEPS) {
        w->failed = true;
        return;
    }
    w->stack[w->depth++] = (step){e, 0, up};
}

/* Takes one step; true when it arrived at x, with *found the gradient that came along. */
static bool advance(walk *w, const char *x, gt_tensor *found) {
    const gt_formula *f = w->t->f;
    step *s = &w->stack[w->depth - 1];
    const gt_expr_node node = gt_expr_at(f, s->e);
    if (node.kind == GT_EXPR_NAME) {
        const gt_expr e = s->e;
        *found = s->up;
        w->depth--;
        if (strcmp(node.name, x) == 0) return true;
        if (w->leads[e]) push(w, gt__definition_of(w->t, node.name), *found);
        return false;
    }
    const int k = s->next++;
    if (k >= node.count) {
        w->depth--;
        return false;
    }
    const gt_expr child = gt_expr_child(f, s->e, k);
    if (!gt_expr_is_operand(f, s->e, k) || !w->leads[child]) return false;
    const gt_tensor gx = pull_along(w->t, s->e, k, s->up);
    if (gt_valid(gx)) push(w, child, gx);
    w->failed = w->failed || !gt_valid(gx);
    return false;
}

static int walk_all(walk *w, gt_expr root, gt_expr *path, int room) {
    gt__point *at = &w->t->point[gt__reading_point(w->t)];
    int count = 0;
    const char *x = w->t->claim.wrt[0];
    mark_what_leads(w, x);
    push(w, root, gt_ones(at->tape, GT_SCALAR, GT_F64));
    while (w->depth > 0 && !w->failed) {
        gt_tensor found;
        if (!advance(w, x, &found)) continue;
        if (count == room) return 0;
        path[count] = gt_formula_of(at->r, found);
        if (path[count++] == gt_no_expr) return 0;
    }
    return w->failed ? 0 : count;
}

/* The terms of a sum, with their signs; what is no sum is one term. */
static int terms_of(gt_formula *f, gt_expr e, gt_expr *term, int room) {
    int count = 0;
    for (;;) {
        const gt_expr_node node = gt_expr_at(f, e);
        if ((node.kind != GT_EXPR_ADD && node.kind != GT_EXPR_SUB) || count == room - 1) break;
        const gt_expr right = gt_expr_child(f, e, 1);
        term[count++] =
            node.kind == GT_EXPR_SUB ? gt_expr_make(f, GT_EXPR_NEG, right, gt_no_expr) : right;
        e = gt_expr_child(f, e, 0);
    }
    term[count++] = e;
    return count;
}

int gt__true_paths(gt__trial *t, gt_expr *path, int room) {
    const gt_expr root = gt__definition_of(t, t->claim.name);
    if (root == gt_no_expr || t->claim.kind == GT_CLAIMS_SECOND) return 0;
    if (t->claim.kind == GT_CLAIMS_EQUAL) return terms_of(t->f, root, path, room);
    gt__point *at = &t->point[gt__reading_point(t)];
    walk w = {.t = t, .size = gt_expr_count(t->f)};
    w.leads = gt__trial_take(t, w.size);
    if (!w.leads) return 0;
    memset(w.leads, 0, w.size);
    const gt_marker mark = gt_mark(at->tape);
    const int count = walk_all(&w, root, path, room);
    gt_rewind(at->tape, mark);
    gt__trial_give(t, w.leads, w.size);
    return count;
}
