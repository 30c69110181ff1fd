/* tests/support/fuzz_api.c: see fuzz_api.h.
 *
 * The model records the same program and computes each value when it is recorded, from what its inputs are
 * worth then. That is what the library promises of lazy values: a read gives that very number, or the error
 * "stale" if a leaf was overwritten meanwhile and no stored value stands between. A call that fails changes
 * no parameter and no gradient, and rewinding below the failure clears it. Any allocation may fail. */
#include "support/fuzz_api.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gradtape.h"
#include "support/faults.h"

enum {
    VECTOR = 3,
    MOST_NODES = 400,
    MOST_MARKS = 12,
    N_NAMES = 6,
    N_PARAMS = 2 * N_NAMES,
    N_OPTIMS = 2,
    WIDE = 5
};

typedef enum kind {
    INPUT,
    PARAM,
    NEG,
    SIN,
    TANH,
    SQUARE,
    SCALE,
    SUM,
    FLIP,
    RESHAPE,
    STOP,
    SORT,
    SQUARED,
    CUBED,
    ADD,
    SUB,
    MUL,
    DOT,
    OUTER,
    STACK,
    RANDOM,
    N_RECORDED, /* the user records those from NEG to RANDOM */
    GRADIENT,
    COMBINED,
    EFFECT,
    GAP /* in[0] is the root and in[1] the tensor; k0 a + k1 b; assignment; unknown */
} kind;

typedef struct node {
    kind kind;
    int in[WIDE], n_in;
    int n;                   /* elements: 1 is a scalar */
    double at[WIDE][VECTOR]; /* the inputs as they were */
    double v[VECTOR], k[2];
    bool by_rule, stored, applied, has_gradient; /* has_gradient: some ancestor is a GRADIENT */
    uint64_t clock, written, uid, ordinal;
    int param;
    gt_tensor t;
} node;

typedef struct mark {
    gt_marker marker;
    int n;
    uint64_t uid, failures;
} mark;

typedef struct recording {
    gt_tape *tape;
    node node[MOST_NODES];
    int n, n_marks, root; /* root of the last backward, -1 */
    uint64_t root_uid;
    mark mark[MOST_MARKS];
    uint32_t size; /* of the tape, as far as the model knows */
    bool in_checkpoint;
} recording;

typedef struct param {
    char name[40];
    int n;
    bool exists, trainable, has_grad, buffer;
    double v[VECTOR], grad[VECTOR];
    uint64_t written;
} param;

typedef struct world {
    uint64_t seed, draws, clock, uids, failures;
    faults faults;
    gt_params *params;
    gt_optim *optim[N_OPTIMS];
    recording tape[2];
    param param[N_PARAMS];
    char *text;
    size_t size;
    bool wrong;
    int step;
} world;

static bool complain(world *w, const char *format, ...) {
    if (w->wrong) return false;
    w->wrong = true;
    const int used = snprintf(w->text, w->size, "step %d: ", w->step);
    va_list list;
    va_start(list, format);
    vsnprintf(w->text + used, w->size - (size_t)used, format, list);
    va_end(list);
    return false;
}

static uint64_t draw(world *w, uint64_t below) {
    uint32_t word[4];
    gt_philox(w->seed, 77, w->draws++, word);
    return word[0] % below;
}
static bool chance(world *w, uint64_t one_in) { return draw(w, one_in) == 0; }
static double draw_real(world *w) { return ((double)draw(w, 4001) - 2000) / 1000; }

/* ---- a user's operation with two results ------------------------------------------------------- */

static bool powers_shape(gt_call *c) {
    c->n_out = 2;
    c->out[0] = c->out[1] = c->in[0];
    return true;
}
static bool powers_kernel(gt_call *c) {
    const double *x = c->in[0].data;
    double *square = c->out[0].data, *cube = c->out[1].data;
    for (int64_t i = 0; i < gt_numel(c->in[0].shape); i++) {
        square[i] = x[i] * x[i];
        cube[i] = x[i] * x[i] * x[i];
    }
    return true;
}
static bool powers_pull(gt_pull *p) {
    gt_tensor part[2];
    int n = 0;
    if (!gt_is_none(p->up[0])) part[n++] = gt_mul(p->up[0], gt_mul_scalar(p->in[0], 2));
    if (!gt_is_none(p->up[1])) part[n++] = gt_mul(p->up[1], gt_mul_scalar(p->out[0], 3));
    if (n) p->gx[0] = n == 2 ? gt_add(part[0], part[1]) : part[0];
    return !gt_failed(p->tape);
}
static gt_tensor no_samples(gt_samples *s, int i) {
    (void)i;
    return gt_samples_end(s);
}
static const gt_op powers =
    GT_OP("powers", powers_shape, powers_kernel, GT_PULL(powers_pull), no_samples, .traits = 0);

/* ---- the model: values ----------------------------------------------------------------------------- */

static const double *value(const world *w, const recording *r, int i) {
    return r->node[i].kind == PARAM ? w->param[r->node[i].param].v : r->node[i].v;
}
static bool is_leaf(const node *n) { return n->kind == INPUT || n->kind == PARAM; }
static uint64_t written(const world *w, const node *leaf) {
    return leaf->kind == PARAM ? w->param[leaf->param].written : leaf->written;
}

/* Operand k, element e, broadcast. */
static double operand(const recording *r, const node *n, int k, int e) {
    return n->at[k][r->node[n->in[k]].n == 1 ? 0 : e];
}

/* Where element e of a sorted vector comes from: stable. */
static int sorted_from(const double *x, int n, int e) {
    for (int i = 0; i < n; i++) {
        int place = 0;
        for (int j = 0; j < n; j++) place += x[j] < x[i] || (x[j] == x[i] && j < i);
        if (place == e) return i;
    }
    return 0;
}

static void pull(const recording *r, const node *n, const double *g, double to[WIDE][VECTOR]);

/* g: d (root, with upstream seed) / d node i, for all i up to the root; reached: is there a way at all? */
static void sweep(const recording *r, int root, const double *seed, double (*g)[VECTOR],
                  bool *reached) {
    memset(g, 0, sizeof *g * (size_t)(root + 1));
    memset(reached, 0, sizeof *reached * (size_t)(root + 1));
    memcpy(g[root], seed, sizeof g[root]);
    reached[root] = true;
    for (int i = root; i >= 0; i--) {
        const node *n = &r->node[i];
        if (!reached[i] || is_leaf(n) || n->kind == STOP || n->kind == RANDOM ||
            n->kind > N_RECORDED)
            continue;
        double to[WIDE][VECTOR] = {{0}};
        pull(r, n, g[i], to);
        for (int k = 0; k < n->n_in; k++) {
            const int m = r->node[n->in[k]].n;
            reached[n->in[k]] = true;
            for (int e = 0; e < VECTOR; e++) g[n->in[k]][m == 1 ? 0 : e] += to[k][e];
        }
    }
}

static void pull(const recording *r, const node *n, const double *g, double to[WIDE][VECTOR]) {
    const int m = n->n_in ? r->node[n->in[0]].n : 1;
    for (int e = 0; e < (n->kind == SUM || n->kind == DOT || n->kind == STACK ? m : n->n); e++) {
        const double a = operand(r, n, 0, e), b = n->n_in > 1 ? operand(r, n, 1, e) : 0;
        switch (n->kind) {
        case NEG: to[0][e] = -g[e]; break;
        case SIN: to[0][e] = g[e] * cos(a); break;
        case TANH: to[0][e] = g[e] * (1 - tanh(a) * tanh(a)); break;
        case SQUARE:
        case SQUARED: to[0][e] = g[e] * 2 * a; break;
        case CUBED: to[0][e] = g[e] * 3 * a * a; break;
        case SCALE: to[0][e] = g[e] * n->k[0]; break;
        case SUM: to[0][e] = g[0]; break;
        case FLIP: to[0][n->n - 1 - e] = g[e]; break;
        case RESHAPE: to[0][e] = g[e]; break;
        case SORT: to[0][sorted_from(n->at[0], n->n, e)] = g[e]; break;
        case ADD: to[0][e] = g[e], to[1][e] = g[e]; break;
        case SUB: to[0][e] = g[e], to[1][e] = -g[e]; break;
        case MUL: to[0][e] = g[e] * b, to[1][e] = g[e] * a; break;
        case DOT: to[0][e] = g[0] * b, to[1][e] = g[0] * a; break;
        case OUTER:
            for (int k = 0; k < VECTOR; k++) to[0][e] += g[e] * n->at[1][k], to[1][k] += g[e] * a;
            break;
        case STACK:
            for (int k = 0; k < WIDE; k++) to[k][0] = g[0] * (k + 1);
            break;
        default: break;
        }
    }
}

static void compute_gradient(const recording *r, node *n) {
    static _Thread_local double g[MOST_NODES][VECTOR];
    static _Thread_local bool reached[MOST_NODES];
    const double one[VECTOR] = {1, 0, 0};
    const int root = n->in[0], x = n->in[1];
    memset(n->v, 0, sizeof n->v);
    if (x > root) return;
    sweep(r, root, n->n_in > 2 ? n->at[2] : one, g, reached);
    memcpy(n->v, g[x], sizeof n->v);
}

static void compute(const world *w, recording *r, node *n) {
    for (int k = 0; k < n->n_in; k++) memcpy(n->at[k], value(w, r, n->in[k]), sizeof n->at[k]);
    double sum = 0;
    if (n->kind == GRADIENT) compute_gradient(r, n);
    for (int e = 0; e < VECTOR; e++) {
        const double a = n->n_in ? operand(r, n, 0, e) : 0,
                     b = n->n_in > 1 ? operand(r, n, 1, e) : 0;
        switch (n->kind) {
        case NEG: n->v[e] = -a; break;
        case SIN: n->v[e] = sin(a); break;
        case TANH: n->v[e] = tanh(a); break;
        case SQUARE:
        case SQUARED: n->v[e] = a * a; break;
        case CUBED: n->v[e] = a * a * a; break;
        case SCALE: n->v[e] = n->k[0] * a; break;
        case SUM: n->v[0] = e < r->node[n->in[0]].n ? sum += a : sum; break;
        case FLIP: n->v[e] = n->at[0][n->n - 1 - (e < n->n ? e : 0)]; break;
        case RESHAPE:
        case STOP: n->v[e] = a; break;
        case SORT: n->v[e] = n->at[0][sorted_from(n->at[0], n->n, e)]; break;
        case ADD: n->v[e] = a + b; break;
        case SUB: n->v[e] = a - b; break;
        case MUL: n->v[e] = a * b; break;
        case DOT: n->v[0] = sum += a * b; break;
        case OUTER: n->v[e] = a * (n->at[1][0] + n->at[1][1] + n->at[1][2]); break;
        case STACK:
            n->v[0] = 0;
            for (int k = 0; k < WIDE; k++) n->v[0] += (k + 1) * n->at[k][0];
            break;
        case RANDOM:
            n->v[e] = gt_uniform(gt_params_seed(w->params), n->ordinal, (uint64_t)e);
            break;
        case COMBINED: n->v[e] = n->k[0] * a + n->k[1] * b; break;
        default: break;
        }
    }
}

/* ---- the model: what may be stale --------------------------------------------------------------------- */

static bool newer(const world *w, const recording *r, int leaf, const node *n) {
    return is_leaf(&r->node[leaf]) && written(w, &r->node[leaf]) > n->clock;
}

/* Was any leaf below i overwritten since something was made of it? Stored values are no excuse: a gradient may
 * look behind them. */
static bool overwritten(const world *w, const recording *r, int i) {
    bool below[MOST_NODES] = {false};
    below[i] = true;
    for (; i >= 0; i--) {
        const node *n = &r->node[i];
        for (int k = 0; below[i] && k < n->n_in; k++) {
            if (newer(w, r, n->in[k], n)) return true;
            below[n->in[k]] = true;
        }
    }
    return false;
}

static bool maybe_stale(const world *w, const recording *r, int i) {
    bool stale[MOST_NODES];
    for (int j = 0; j <= i; j++) {
        const node *n = &r->node[j];
        stale[j] = false;
        if (is_leaf(n) || n->stored) continue;
        if (n->kind == GRADIENT) stale[j] = overwritten(w, r, j);
        for (int k = 0; k < n->n_in; k++)
            stale[j] = stale[j] || stale[n->in[k]] || newer(w, r, n->in[k], n);
    }
    return stale[i];
}

static bool effects_maybe_stale(const world *w, const recording *r) {
    for (int i = 0; i < r->n; i++) {
        const node *n = &r->node[i];
        if (n->kind != EFFECT || n->applied) continue;
        if (newer(w, r, n->in[1], n) || maybe_stale(w, r, n->in[1])) return true;
    }
    return false;
}

/* ---- the model: recording and rewinding ------------------------------------------------------------------ */

static node *add(world *w, recording *r, kind what, int n, gt_tensor t) {
    node *made = &r->node[r->n++];
    memset(made, 0, sizeof *made);
    made->kind = what;
    made->n = n;
    made->t = t;
    made->clock = w->clock;
    made->uid = ++w->uids;
    r->size = gt_tape_size(r->tape);
    return made;
}

static node *link(world *w, recording *r, node *n, int count, const int *in) {
    n->n_in = count;
    for (int k = 0; k < count; k++) {
        n->in[k] = in[k];
        n->has_gradient = n->has_gradient || r->node[in[k]].has_gradient;
    }
    compute(w, r, n);
    return n;
}

/* The tape has nodes that the model does not know one by one. */
static void mind_the_gap(world *w, recording *r) {
    if (gt_tape_size(r->tape) > r->size && r->n < MOST_NODES) add(w, r, GAP, 1, gt_none());
}

static void reset(recording *r) {
    gt_tape_reset(r->tape);
    r->n = r->n_marks = 0;
    r->root = -1;
    r->size = 0;
    r->in_checkpoint = false;
}

static bool holds(const recording *r, const mark *m) {
    return m->n <= r->n && (m->n == 0 || r->node[m->n - 1].uid == m->uid);
}

/* Surely: a mark may also hold that the model gave up, when its last node was the tape's older one. */
static bool is_void(const recording *r, const mark *m) {
    return m->marker.size > gt_tape_size(r->tape);
}

static void rewind_to(recording *r, const mark *m) {
    gt_rewind(r->tape, m->marker);
    r->n = m->n;
    r->size = gt_tape_size(r->tape);
    uint32_t begin, end;
    r->in_checkpoint = gt_checkpoint_range(r->tape, r->size, &begin, &end);
}

/* ---- comparing ------------------------------------------------------------------------------------------- */

static bool near(const double *have, const double *want, int n) {
    for (int e = 0; e < n; e++) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the callers have data for n > 0
        if (have[e] == want[e] || (isnan(have[e]) && isnan(want[e]))) continue;
        const double error = fabs(have[e] - want[e]);
        if (!(error <= 1e-7 * (1 + fabs(want[e])))) return false;
    }
    return true;
}

static void check_params(world *w) {
    for (int p = 0; p < N_PARAMS && !w->wrong; p++) {
        const param *m = &w->param[p];
        gt_param_info info;
        if (!gt_params_find(w->params, m->name, &info)) {
            if (m->exists) complain(w, "%s is lost", m->name);
            continue;
        }
        if (!near(info.data, m->v, m->n))
            complain(w, "%s is %.17g, not %.17g", m->name, *(const double *)info.data, m->v[0]);
        if ((info.grad != NULL) != m->has_grad)
            complain(w, "%s has %s gradient", m->name, info.grad ? "a" : "no");
        else if (info.grad && !near(info.grad, m->grad, m->n))
            complain(w, "gradient of %s is %g, not %g", m->name, *(const double *)info.grad,
                     m->grad[0]);
    }
}

/* ---- failing ------------------------------------------------------------------------------------------------ */

/* After an error: nothing changed, and a rewind below it, or a reset, makes all well again. */
static void recover(world *w, recording *r) {
    check_params(w);
    w->failures++;
    if (!gt_failed(r->tape)) {
        complain(w, "a call failed without an error");
        return;
    }
    if (chance(w, 4)) { /* a mark after the error does not clear it */
        const gt_marker late = gt_mark(r->tape);
        if (r->n && gt_valid(r->node[0].t)) gt_neg(r->node[0].t);
        gt_rewind(r->tape, late);
        if (!gt_failed(r->tape)) complain(w, "a mark after the error cleared it");
    }
    for (int tries = 0; tries < 4 && r->n_marks; tries++) {
        const mark *m = &r->mark[draw(w, (uint64_t)r->n_marks)];
        if (!holds(r, m)) {
            if (is_void(r, m)) gt_rewind(r->tape, m->marker);
            if (!gt_failed(r->tape)) complain(w, "a void mark cleared an error");
            continue;
        }
        rewind_to(r, m);
        if (gt_failed(r->tape)) complain(w, "rewound below it, still: %s", gt_error(r->tape));
        return;
    }
    reset(r);
    if (gt_failed(r->tape)) complain(w, "the reset kept the error");
}

static void arm(world *w) {
    w->faults.refused = 0;
    w->faults.fail_at = chance(w, 12) ? w->faults.requests + (long)draw(w, 8) : -1;
    w->faults.from_then_on = chance(w, 2);
}

/* Judges a call that said ok or not: true when the model is to follow it. */
static bool settle(world *w, recording *r, bool ok, bool may_fail, const char *what) {
    const bool refused = w->faults.refused > 0;
    w->faults.fail_at = -1;
    w->faults.refused = 0;
    if (ok && gt_failed(r->tape))
        return complain(w, "%s succeeded on a failed tape: %s", what, gt_error(r->tape));
    if (ok) return true;
    if (!refused && !may_fail) return complain(w, "%s failed: %s", what, gt_error(r->tape));
    recover(w, r);
    return false;
}

/* ---- recording ----------------------------------------------------------------------------------------------- */

/* A node of the user's that may be read: any, or one of n elements; -1 when there is none. */
static int pick(world *w, const recording *r, int n) {
    for (int tries = 0; tries < 30 && r->n; tries++) {
        const bool late = chance(w, 2) && r->n > 8;
        const int i = late ? r->n - 1 - (int)draw(w, 8) : (int)draw(w, (uint64_t)r->n);
        const node *m = &r->node[i];
        if (m->kind == EFFECT || gt_is_none(m->t)) continue; /* an optimizer's, or unknown */
        if (n && m->n != n) continue;
        if (maybe_stale(w, r, i) && !chance(w, 6)) continue;
        return i;
    }
    return -1;
}

static gt_shape shape_of(int n) { return n == 1 ? GT_SCALAR : GT_SHAPE(VECTOR); }

static void record_input(world *w, recording *r) {
    const int n = chance(w, 2) ? 1 : VECTOR;
    double v[VECTOR];
    for (int e = 0; e < VECTOR; e++) v[e] = draw_real(w);
    arm(w);
    const gt_tensor t = gt_input(r->tape, v, shape_of(n), GT_F64);
    if (settle(w, r, gt_valid(t), false, "input")) memcpy(add(w, r, INPUT, n, t)->v, v, sizeof v);
}

static int leaf_of(const recording *r, int p) {
    for (int i = 0; i < r->n; i++)
        if (r->node[i].kind == PARAM && r->node[i].param == p) return i;
    return -1;
}

/* Notes the leaf that the tape now has for parameter p. */
static int note_param(world *w, recording *r, int p, gt_tensor t) {
    const int known = leaf_of(r, p);
    w->param[p].exists = true;
    if (known >= 0) {
        if (t.index != r->node[known].t.index) complain(w, "a second leaf of %s", w->param[p].name);
        return known;
    }
    add(w, r, PARAM, w->param[p].n, t)->param = p;
    return r->n - 1;
}

static gt_tensor param_tensor(world *w, recording *r, int p) {
    const param *m = &w->param[p];
    char name[48];
    snprintf(name, sizeof name, "/%s", m->name);
    gt_scope_push(r->tape, "block%d", p);
    const gt_tensor t =
        m->buffer ? gt_buffer(r->tape, name, shape_of(m->n), GT_F64)
                  : gt_param(r->tape, name, shape_of(m->n), GT_F64, gt_init_constant(0.5));
    gt_scope_pop(r->tape);
    return t;
}

static void record_param(world *w, recording *r) {
    const int p = (int)draw(w, N_NAMES);
    arm(w);
    const gt_tensor t = param_tensor(w, r, p);
    if (settle(w, r, gt_valid(t) && !gt_failed(r->tape), false, "param")) note_param(w, r, p, t);
}

static gt_tensor apply_op(recording *r, kind what, const gt_tensor *x, double k, int n) {
    switch (what) {
    case NEG: return gt_neg(x[0]);
    case SIN: return gt_sin(x[0]);
    case TANH: return gt_tanh(x[0]);
    case SQUARE: return gt_square(x[0]);
    case SCALE: return gt_mul_scalar(x[0], k);
    case SUM: return gt_sum(x[0], GT_ALL, false);
    case FLIP: return gt_flip(x[0], GT_AXES(0));
    case RESHAPE: return gt_reshape(gt_reshape(x[0], GT_SHAPE(1, n)), shape_of(n));
    case STOP: return gt_stop_gradient(x[0]);
    case SORT: return gt_sort(x[0], 0, false);
    case SQUARED: return gt_apply(&powers, GT_LIST(x[0]));
    case ADD: return gt_add(x[0], x[1]);
    case SUB: return gt_sub(x[0], x[1]);
    case MUL: return gt_mul(x[0], x[1]);
    case DOT: return gt_matmul(x[0], x[1]);
    case OUTER: {
        const gt_tensor column = gt_reshape(x[0], GT_SHAPE(n, 1)),
                        row = gt_reshape(x[1], GT_SHAPE(1, n));
        return gt_sum(gt_matmul(column, row), GT_AXES(1), false);
    }
    case STACK:
        return gt_sum(gt_mul(gt_stack(gt_list_of(WIDE, x), 0),
                             gt_arange(r->tape, 1, 1, WIDE, GT_F64)),
                      GT_ALL, false);
    case RANDOM: return gt_rand(r->tape, shape_of(n), GT_F64);
    default: return gt_none();
    }
}

static int arity(kind what) {
    return what == RANDOM ? 0 : what == STACK ? WIDE : what >= ADD ? 2 : 1;
}

static void record_op(world *w, recording *r) {
    kind what = (kind)((int)NEG + (int)draw(w, (uint64_t)(N_RECORDED - NEG)));
    if (what == CUBED) what = SQUARED;
    if (what == STACK && chance(w, 2)) what = MUL;
    const int count = arity(what);
    const bool vector = what == FLIP || what == SORT || what == DOT || what == OUTER;
    int in[WIDE] = {0}, n = 1;
    bool large = false;
    gt_tensor x[WIDE];
    for (int k = 0; k < count; k++) {
        in[k] = pick(w, r, vector ? VECTOR : what == STACK ? 1 : 0);
        if (in[k] < 0) return;
        x[k] = r->node[in[k]].t;
        if (r->node[in[k]].n > n) n = r->node[in[k]].n;
        for (int e = 0; e < r->node[in[k]].n; e++)
            if (!(fabs(value(w, r, in[k])[e]) < 8)) large = true;
        for (int e = 0; e < r->node[in[k]].n; e++)
            if (!(fabs(value(w, r, in[k])[e]) < 1e3)) return; /* rounding would hide errors */
    }
    if (large) what = count == 1 ? SIN : what == MUL || what == ADD ? SUB : NEG;
    if (large && arity(what) != count) return;
    if (what == RANDOM) n = chance(w, 2) ? 1 : VECTOR;
    const double k = draw_real(w);
    const uint64_t ordinal = gt_params_ordinal(w->params);
    const bool ask = chance(w, 2);
    arm(w);
    gt_tensor t = apply_op(r, what, x, k, n), second = gt_none();
    if (what == SQUARED && ask) second = gt_out(t, 1);
    if (!settle(w, r, gt_valid(t) && (!(what == SQUARED && ask) || gt_valid(second)), false,
                "an operation"))
        return;
    node *made = add(w, r, what, what == SUM || what == DOT ? 1 : n, t);
    made->k[0] = k;
    made->ordinal = ordinal;
    link(w, r, made, count, in);
    if (what == SQUARED && ask && r->n < MOST_NODES) link(w, r, add(w, r, CUBED, n, second), 1, in);
}

/* ---- gradients that only record ------------------------------------------------------------------------------ */

static bool differentiable(const recording *r, int i) { return i >= 0 && !r->node[i].has_gradient; }

/* A gradient may be an older node's tensor, when the two are the same by rule: to the model they are two. */
static bool is_alias(const recording *r, int x) {
    for (int i = 0; i < r->n; i++)
        if (i != x && !gt_is_none(r->node[i].t) && r->node[i].t.index == r->node[x].t.index)
            return true;
    return false;
}

static void note_gradient(world *w, recording *r, gt_tensor t, int root, int x, int seed) {
    const int in[3] = {root, x, seed};
    node *made = add(w, r, GRADIENT, r->node[x].n, t);
    made->by_rule = made->has_gradient = true;
    link(w, r, made, seed < 0 ? 2 : 3, in);
}

static void record_gradient(world *w, recording *r) {
    const int root = pick(w, r, 1), x = pick(w, r, 0), other = pick(w, r, 0);
    if (!differentiable(r, root) || x < 0 || other < 0 || r->n + 3 >= MOST_NODES) return;
    if (is_alias(r, x) || is_alias(r, other)) return;
    const gt_tensor wanted[2] = {r->node[x].t, r->node[other].t};
    gt_tensor gx[2];
    arm(w);
    const bool both = chance(w, 2);
    if (both ? !gt_grads(r->node[root].t, wanted, 2, gx)
             : !gt_valid(gx[0] = gt_grad(r->node[root].t, wanted[0]))) {
        settle(w, r, false, false, "grad");
        return;
    }
    if (!settle(w, r, true, false, "grad")) return;
    note_gradient(w, r, gx[0], root, x, -1);
    if (both) note_gradient(w, r, gx[1], root, other, -1);
}

static void record_vjp(world *w, recording *r) {
    const int root = pick(w, r, VECTOR), seed = pick(w, r, VECTOR), x = pick(w, r, 0);
    if (!differentiable(r, root) || seed < 0 || x < 0 || is_alias(r, x)) return;
    arm(w);
    const gt_tensor g = gt_vjp(r->node[root].t, r->node[seed].t, r->node[x].t);
    if (settle(w, r, gt_valid(g), false, "vjp")) note_gradient(w, r, g, root, x, seed);
}

/* Read at once: rows against one sweep of the model each; the tangent is a row's combination. */
static void check_jacobian(world *w, recording *r) {
    static _Thread_local double g[MOST_NODES][VECTOR];
    static _Thread_local bool reached[MOST_NODES];
    const int root = pick(w, r, VECTOR), x = pick(w, r, VECTOR);
    if (!differentiable(r, root) || x < 0 || is_alias(r, x) || overwritten(w, r, root)) return;
    double rows[VECTOR * VECTOR] = {0}, tangent[VECTOR] = {0};
    for (int i = 0; i < VECTOR && x <= root; i++) {
        double unit[VECTOR] = {0};
        unit[i] = 1;
        sweep(r, root, unit, g, reached);
        memcpy(rows + VECTOR * i, g[x], sizeof g[x]);
    }
    for (int i = 0; i < VECTOR * VECTOR; i++)
        tangent[i / VECTOR] += rows[i] * value(w, r, x)[i % VECTOR];
    const gt_marker here = gt_mark(r->tape);
    const bool forward = chance(w, 2);
    const gt_tensor t = forward ? gt_jvp(r->node[root].t, r->node[x].t, r->node[x].t)
                                : gt_jacobian(r->node[root].t, r->node[x].t);
    const double *have = gt_data(t);
    if (!have)
        complain(w, "jacobian: %s", gt_error(r->tape));
    else if (!near(have, forward ? tangent : rows, forward ? VECTOR : VECTOR * VECTOR))
        fprintf(stderr, "root kind %d idx %u in0 %d | x kind %d idx %u in %d %d %d nin %d\n",
                r->node[root].kind, r->node[root].t.index, r->node[root].in[0], r->node[x].kind,
                r->node[x].t.index, r->node[x].in[0], r->node[x].in[1], r->node[x].in[2],
                r->node[x].n_in),
            complain(w, "%s of %d by %d is wrong: %g %g %g, not %g %g %g",
                     forward ? "jvp" : "jacobian", root, x, have[0], have[1], have[2],
                     forward ? tangent[0] : rows[0], forward ? tangent[1] : rows[1],
                     forward ? tangent[2] : rows[2]);
    gt_rewind(r->tape, here);
}

/* ---- effects ----------------------------------------------------------------------------------------------------- */

static int pick_leaf(world *w, const recording *r, int n) {
    for (int tries = 0; tries < 20 && r->n; tries++) {
        const int i = (int)draw(w, (uint64_t)r->n);
        if (is_leaf(&r->node[i]) && (!n || r->node[i].n == n)) return i;
    }
    return -1;
}

static void record_assign(world *w, recording *r) {
    const int leaf = pick_leaf(w, r, 0);
    if (leaf < 0) return;
    const int source = pick(w, r, r->node[leaf].n);
    if (source < 0) return;
    arm(w);
    const gt_tensor t = gt_assign(r->node[leaf].t, r->node[source].t);
    if (settle(w, r, gt_valid(t), false, "assign"))
        link(w, r, add(w, r, EFFECT, r->node[leaf].n, t), 2, (const int[]){leaf, source});
}

static double *leaf_value(world *w, recording *r, int leaf) {
    node *n = &r->node[leaf];
    return n->kind == PARAM ? w->param[n->param].v : n->v;
}

static void leaf_written(world *w, recording *r, int leaf) {
    node *n = &r->node[leaf];
    *(n->kind == PARAM ? &w->param[n->param].written : &n->written) = w->clock;
}

static void set_leaf(world *w, recording *r) {
    const int leaf = pick_leaf(w, r, 0);
    if (leaf < 0) return;
    double v[VECTOR];
    for (int e = 0; e < VECTOR; e++) v[e] = draw_real(w);
    if (!gt_set(r->node[leaf].t, v)) complain(w, "set: %s", gt_error(r->tape));
    memcpy(leaf_value(w, r, leaf), v, sizeof v);
    w->clock++;
    leaf_written(w, r, leaf);
}

/* A commit happened: sinks were stored, then effects applied. */
static void follow_commit(world *w, recording *r) {
    bool consumed[MOST_NODES] = {false}, any = false;
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < r->node[i].n_in && !r->node[i].by_rule; k++)
            for (int j = 0; j < i; j++) /* aliases too */
                consumed[j] =
                    consumed[j] || r->node[j].t.index == r->node[r->node[i].in[k]].t.index;
    for (int i = 0; i < r->n; i++) {
        node *n = &r->node[i];
        if (!is_leaf(n) && n->kind < N_RECORDED && !consumed[i] && !maybe_stale(w, r, i))
            n->stored = true;
    }
    for (int i = 0; i < r->n; i++) any = any || (r->node[i].kind == EFFECT && !r->node[i].applied);
    w->clock += any;
    for (int i = 0; i < r->n; i++) {
        node *n = &r->node[i];
        if (n->kind != EFFECT || n->applied) continue;
        n->applied = true;
        memcpy(leaf_value(w, r, n->in[0]), n->at[1], sizeof n->at[1]);
        leaf_written(w, r, n->in[0]);
    }
}

static void commit(world *w, recording *r) {
    const bool may_fail = effects_maybe_stale(w, r);
    arm(w);
    if (settle(w, r, gt_commit(r->tape), may_fail, "commit")) follow_commit(w, r);
}

static void replay(world *w, recording *r) {
    bool tame = true;
    gt_replay(r->tape);
    for (int i = 0; i < r->n; i++) {
        node *n = &r->node[i];
        if (is_leaf(n)) continue;
        n->clock = w->clock;
        n->stored = n->applied = false;
        compute(w, r, n);
        for (int e = 0; e < n->n; e++) tame = tame && fabs(n->v[e]) < 1e6;
    }
    if (!tame) reset(r); /* steps repeated grow without bound, and rounding would hide errors */
}

/* ---- steps --------------------------------------------------------------------------------------------------------- */

static const char *const patterns[] = {NULL, "a*", "b*", "*1"};

/* d loss / d parameter for each trainable one that matches and is reached: leaf indices, -1 at the end. */
static void reached_params(world *w, recording *r, int loss, const char *pattern,
                           int leaf[N_PARAMS + 1], double grad[N_PARAMS][VECTOR]) {
    static _Thread_local double g[MOST_NODES][VECTOR];
    static _Thread_local bool reached[MOST_NODES];
    const double one[VECTOR] = {1, 0, 0};
    int count = 0;
    sweep(r, loss, one, g, reached);
    for (int i = 0; i <= loss; i++) {
        const node *n = &r->node[i];
        if (n->kind != PARAM || !reached[i]) continue;
        const param *p = &w->param[n->param];
        if (p->buffer || !p->trainable || !gt_name_matches(pattern, p->name)) continue;
        memcpy(grad[count], g[i], sizeof g[i]);
        leaf[count++] = i;
    }
    leaf[count] = -1;
}

static void backward(world *w, recording *r) {
    const int loss = pick(w, r, 1);
    if (!differentiable(r, loss)) return;
    const char *pattern = patterns[draw(w, 4)];
    int leaf[N_PARAMS + 1];
    double grad[N_PARAMS][VECTOR];
    reached_params(w, r, loss, pattern, leaf, grad);
    const bool may_fail = overwritten(w, r, loss) || effects_maybe_stale(w, r);
    arm(w);
    const bool ok =
        pattern ? gt_backward_for(r->node[loss].t, pattern) : gt_backward(r->node[loss].t);
    r->root = -1;
    if (!settle(w, r, ok, may_fail, "backward")) return;
    if (!is_leaf(&r->node[loss])) r->node[loss].stored = true;
    for (int k = 0; leaf[k] >= 0; k++) {
        param *p = &w->param[r->node[leaf[k]].param];
        for (int e = 0; e < p->n; e++) p->grad[e] = (p->has_grad ? p->grad[e] : 0) + grad[k][e];
        p->has_grad = true;
    }
    r->root = loss;
    r->root_uid = r->node[loss].uid;
    mind_the_gap(w, r);
    follow_commit(w, r);
}

static void gradient_of(world *w, recording *r) {
    const int x = pick(w, r, 0);
    if (x < 0 || r->root < 0 || r->root >= r->n || r->node[r->root].uid != r->root_uid ||
        is_alias(r, x))
        return;
    arm(w);
    const gt_tensor g = gt_grad_of(r->node[x].t);
    if (settle(w, r, gt_valid(g), false, "grad_of")) note_gradient(w, r, g, r->root, x, -1);
}

/* The state of optimizer 1, with momentum 1/2; optimizer 0 has none. */
static int velocity_of(int p) { return N_NAMES + p; }
static const double rates[N_OPTIMS] = {0.0625, 0.125};
static const char *const optim_patterns[N_OPTIMS] = {NULL, "b*"};

static void minimize(world *w, recording *r) {
    const int which = (int)draw(w, N_OPTIMS), loss = pick(w, r, 1);
    if (!differentiable(r, loss) || r->n + 6 * N_NAMES >= MOST_NODES) return;
    int leaf[N_PARAMS + 1];
    double grad[N_PARAMS][VECTOR];
    reached_params(w, r, loss, optim_patterns[which], leaf, grad);
    if (leaf[0] < 0) return;
    for (int k = 0; leaf[k] >= 0; k++)
        for (int e = 0; e < VECTOR; e++)
            if (!(fabs(grad[k][e]) < 1e3)) return;
    const bool may_fail = overwritten(w, r, loss) || effects_maybe_stale(w, r);
    arm(w);
    r->root = -1;
    if (!settle(w, r, gt_minimize(w->optim[which], r->node[loss].t), may_fail, "minimize")) return;
    if (!is_leaf(&r->node[loss])) r->node[loss].stored = true;
    for (int k = 0; leaf[k] >= 0; k++) { /* the same as nodes, for replays */
        const int x = leaf[k], n = r->node[x].n;
        note_gradient(w, r, gt_none(), loss, x, -1);
        int step = r->n - 1, pair[2];
        if (which == 1) {
            const int p = velocity_of(r->node[x].param);
            char name[48];
            snprintf(name, sizeof name, "%s", w->param[p].name);
            const int v = note_param(w, r, p, gt_param_leaf(r->tape, name));
            node *next = add(w, r, COMBINED, n, gt_none());
            next->k[0] = 0.5, next->k[1] = 1;
            pair[0] = v, pair[1] = step;
            link(w, r, next, 2, pair)->by_rule = true;
            step = r->n - 1;
            link(w, r, add(w, r, EFFECT, n, gt_none()), 2, (const int[]){v, step})->by_rule = true;
        }
        node *moved = add(w, r, COMBINED, n, gt_none());
        moved->k[0] = 1, moved->k[1] = -rates[which];
        pair[0] = x, pair[1] = step;
        link(w, r, moved, 2, pair)->by_rule = true;
        pair[1] = r->n - 1;
        link(w, r, add(w, r, EFFECT, n, gt_none()), 2, pair)->by_rule = true;
    }
    r->root = loss;
    r->root_uid = r->node[loss].uid;
    mind_the_gap(w, r);
    follow_commit(w, r);
}

static void update(world *w) {
    const int which = (int)draw(w, N_OPTIMS);
    arm(w);
    const bool ok = gt_update(w->optim[which]);
    const bool refused = w->faults.refused > 0;
    w->faults.fail_at = -1;
    w->faults.refused = 0;
    if (!ok && !refused) complain(w, "update: %s", gt_params_error(w->params));
    if (!ok) {
        check_params(w);
        return;
    }
    for (int p = 0; p < N_NAMES; p++) {
        param *x = &w->param[p], *v = &w->param[velocity_of(p)];
        if (!x->has_grad || !gt_name_matches(optim_patterns[which], x->name)) continue;
        x->has_grad = false;
        w->clock++;
        for (int e = 0; e < x->n; e++) {
            if (which == 1) v->v[e] = 0.5 * v->v[e] + x->grad[e];
            x->v[e] -= rates[which] * (which == 1 ? v->v[e] : x->grad[e]);
        }
        x->written = w->clock;
        if (which == 1) v->written = w->clock, v->exists = true;
    }
}

/* ---- reading, marks, mistakes ------------------------------------------------------------------------------------------ */

static void read_value(world *w, recording *r) {
    const int i = pick(w, r, 0);
    if (i < 0) return;
    node *n = &r->node[i];
    const bool may_fail = !is_leaf(n) && maybe_stale(w, r, i);
    arm(w);
    double one;
    const double *have = gt_data(n->t);
    if (have && n->n == 1 && chance(w, 2)) one = gt_item(n->t), have = &one;
    if (!settle(w, r, have != NULL, may_fail, "a read")) return;
    if (!near(have, value(w, r, i), n->n))
        complain(w, "node %d, of kind %d, is %.17g, not %.17g", i, (int)n->kind, have[0],
                 value(w, r, i)[0]);
    if (!is_leaf(n) && n->kind != GRADIENT) n->stored = true;
}

static void make_mark(world *w, recording *r) {
    mind_the_gap(w, r);
    if (r->n_marks == MOST_MARKS) r->n_marks = (int)draw(w, MOST_MARKS);
    r->mark[r->n_marks++] =
        (mark){gt_mark(r->tape), r->n, r->n ? r->node[r->n - 1].uid : 0, w->failures};
}

static void rewind_some(world *w, recording *r) {
    if (!r->n_marks) return;
    const mark *m = &r->mark[draw(w, (uint64_t)r->n_marks)];
    if (holds(r, m)) {
        rewind_to(r, m);
    } else if (is_void(r, m)) {
        gt_rewind(r->tape, m->marker);
        if (!gt_failed(r->tape)) complain(w, "a void mark was taken");
        recover(w, r);
    }
}

/* Errors of all sorts, and a few calls after them. */
static void make_mistake(world *w, recording *r) {
    recording *other = r == &w->tape[0] ? &w->tape[1] : &w->tape[0];
    const double v[2] = {1, 2};
    const int64_t beyond = 7;
    make_mark(w, r);
    switch (draw(w, 8)) {
    case 0:
        gt_add(gt_input(r->tape, v, GT_SHAPE(2), GT_F64), gt_zeros(r->tape, GT_SHAPE(3), GT_F64));
        break;
    case 1:
        gt_scope_push(r->tape, "a/b"), gt_param(r->tape, "x", GT_SCALAR, GT_F64, gt_init_zeros()),
            gt_scope_pop(r->tape);
        break;
    case 2: gt_param(r->tape, "", GT_SCALAR, GT_F64, gt_init_zeros()); break;
    case 3: gt_grad(gt_input(r->tape, v, GT_SHAPE(2), GT_F64), gt_none()); break;
    case 4: gt_rewind(r->tape, gt_mark(other->tape)); break;
    case 5: gt_item(gt_input(r->tape, v, GT_SHAPE(2), GT_F64)); break;
    case 6: gt_neg(gt_tensor_at(r->tape, UINT32_MAX)); break;
    default: { /* a sink that fails when it runs fails the step with it */
        gt_gather(gt_input(r->tape, v, GT_SHAPE(2), GT_F64),
                  gt_input(r->tape, &beyond, GT_SCALAR, GT_I64), 0);
        if (gt_commit(r->tape)) complain(w, "a commit ran with a sink that fails");
    }
    }
    if (!gt_failed(r->tape)) complain(w, "a mistake went unnoticed");
    for (int more = (int)draw(w, 4); more > 0; more--) {
        const gt_tensor t = gt_tanh(gt_ones(r->tape, GT_SHAPE(2), GT_F64));
        if (gt_backward(gt_sum(t, GT_ALL, false))) complain(w, "backward on a failed tape");
        if (gt_commit(r->tape)) complain(w, "commit on a failed tape");
    }
    if (gt_params_find(w->params, "x", &(gt_param_info){.name = NULL}))
        complain(w, "a failed scope made x");
    recover(w, r);
}

static void toggle(world *w, recording *r) {
    switch (draw(w, 6)) {
    case 0: gt_keep_all(r->tape, chance(w, 2)); break;
    case 1: gt_eval(r->tape, chance(w, 2)); break;
    case 2: {
        const int i = pick(w, r, 0);
        if (i >= 0) gt_keep(r->node[i].t);
        break;
    }
    case 3: {
        const char *pattern = patterns[draw(w, 4)];
        gt_zero_grad(w->params, pattern);
        for (int p = 0; p < N_PARAMS; p++)
            if (gt_name_matches(pattern, w->param[p].name)) w->param[p].has_grad = false;
        break;
    }
    case 4: {
        const int p = (int)draw(w, N_NAMES);
        const bool on = !chance(w, 3);
        if (!w->param[p].exists || w->param[p].buffer) break;
        gt_set_trainable(w->params, w->param[p].name, on);
        w->param[p].trainable = on;
        if (!on) w->param[p].has_grad = false;
        break;
    }
    default:
        if (r->in_checkpoint)
            gt_checkpoint_end(r->tape);
        else
            gt_checkpoint_begin(r->tape);
        r->in_checkpoint = !r->in_checkpoint;
        if (gt_failed(r->tape)) complain(w, "checkpoint: %s", gt_error(r->tape));
    }
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------ */

static void step(world *w) {
    recording *r = &w->tape[chance(w, 4)];
    if (r->n > MOST_NODES - 60) reset(r);
    switch (draw(w, 26)) {
    case 0:
    case 1: record_input(w, r); break;
    case 2:
    case 3: record_param(w, r); break;
    case 4: record_gradient(w, r); break;
    case 5: record_vjp(w, r); break;
    case 6: check_jacobian(w, r); break;
    case 7: record_assign(w, r); break;
    case 8: commit(w, r); break;
    case 9: backward(w, r); break;
    case 10: gradient_of(w, r); break;
    case 11: minimize(w, r); break;
    case 12: update(w); break;
    case 13:
    case 14: read_value(w, r); break;
    case 15: make_mark(w, r); break;
    case 16:
        if (chance(w, 2)) rewind_some(w, r);
        break;
    case 17: toggle(w, r); break;
    case 18:
        if (chance(w, 3)) make_mistake(w, r);
        break;
    case 19:
        if (chance(w, 3)) replay(w, r);
        break;
    case 20:
        if (chance(w, 3)) set_leaf(w, r);
        break;
    case 21:
        if (chance(w, 10)) reset(r);
        break;
    default: record_op(w, r);
    }
    check_params(w);
    for (int t = 0; t < 2; t++)
        if (gt_failed(w->tape[t].tape))
            complain(w, "an error remains: %s", gt_error(w->tape[t].tape));
}

static void name_params(world *w) {
    static const char *const name[N_NAMES] = {"a0", "a1", "b0", "b1", "c0", "c1"};
    for (int p = 0; p < N_NAMES; p++) {
        param *x = &w->param[p], *v = &w->param[velocity_of(p)];
        x->n = v->n = p % 2 ? VECTOR : 1;
        x->trainable = true;
        x->buffer = p >= 4;
        v->buffer = true;
        snprintf(x->name, sizeof x->name, "%s", name[p]);
        snprintf(v->name, sizeof v->name, "mom:velocity:%s", name[p]);
        for (int e = 0; e < VECTOR; e++) x->v[e] = x->buffer ? 0 : 0.5;
    }
}

bool fuzz_api(uint64_t seed, int steps, char *text, size_t size) {
    static world one; /* large, and tests run one at a time */
    world *w = &one;
    memset(w, 0, sizeof *w);
    *w = (world){.seed = seed, .text = text, .size = size, .faults = {.fail_at = -1}};
    const gt_allocator allocator = faults_allocator(&w->faults);
    text[0] = 0;
    name_params(w);
    w->params = gt_params_new(&allocator, seed);
    w->optim[0] = gt_sgd(w->params, (gt_sgd_options){.rate = rates[0]});
    w->optim[1] =
        gt_sgd(w->params,
               (gt_sgd_options){.rate = rates[1], .momentum = 0.5, .pattern = "b*", .name = "mom"});
    for (int t = 0; t < 2; t++) {
        w->tape[t].tape = gt_tape_new(w->params);
        w->tape[t].root = -1;
    }
    for (w->step = 0; w->step < steps && !w->wrong; w->step++) step(w);
    for (int t = 0; t < 2; t++) gt_tape_free(w->tape[t].tape);
    for (int k = 0; k < N_OPTIMS; k++) gt_optim_free(w->optim[k]);
    gt_params_free(w->params);
    if (w->faults.blocks || w->faults.bytes) complain(w, "memory is not given back");
    if (w->faults.confused) complain(w, "a block was given back with another size");
    return !w->wrong;
}
