/* check/claim_points.c: the points of a trial. Point 0 has the values that the formula gives; the others are drawn
 * around it until every definition is finite there, so that they lie in the domain of the formula. */
#include "check/claim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "grad/grad.h"
#include "ops/ops.h"

enum { DRAWS = 40, MOST_ENTRIES = 1 << 28 };

void *gt__trial_take(gt__trial *t, size_t bytes) {
    void *block = t->allocator.resize(t->allocator.user, NULL, 0, bytes);
    if (!block) t->failed = true;
    return block;
}

void gt__trial_give(gt__trial *t, void *block, size_t bytes) {
    if (block) t->allocator.resize(t->allocator.user, block, bytes, 0);
}

/* ---- inputs --------------------------------------------------------------------------------------------------- */

static bool is_gradient_name(const gt_formula *f, const char *name) {
    const int n = gt_formula_count(f);
    for (int i = 0; name[0] == 'd' && i < n; i++) {
        const gt_statement s = gt_formula_at(f, i);
        if (s.kind == GT_CLAIMS_SLOPE && strcmp(s.wrt[0], name + 1) == 0) return true;
    }
    return false;
}

/* Does a definition use that name? */
static bool is_used(const gt_formula *f, const char *name, gt_expr below) {
    for (gt_expr e = 0; e < below; e++) {
        const gt_expr_node node = gt_expr_at(f, e);
        if (node.kind == GT_EXPR_NAME && strcmp(node.name, name) == 0) return true;
    }
    return false;
}

/* The nodes of definitions and values stand before those of the claims that follow them, but claims may stand
 * between: then what they use counts as used. */
static gt_expr end_of_definitions(const gt_formula *f) {
    gt_expr end = 0;
    for (int i = 0; i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        if (s.kind == GT_DEFINES && s.expr >= end) end = s.expr + 1;
    }
    return end;
}

/* A number of size 0.3 to 1.3; of either sign when that is wanted. */
static double drawn(uint64_t stream, int64_t i, bool positive) {
    const double u = gt_uniform(20, stream, 2 * (uint64_t)i);
    const double size = 0.3 + u;
    return positive || gt_uniform(20, stream, 2 * (uint64_t)i + 1) < 0.5 ? size : -size;
}

/* Rows that are distributions, as one-hot labels are, stay so: many a formula holds for no others. */
static bool is_distribution(const double *row, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(row[i] >= 0 && row[i] <= 1)) return false;
        sum += row[i];
    }
    return n > 1 && fabs(sum - 1) < 1e-9;
}

static void draw_distribution(double *row, int64_t n, uint64_t stream) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += row[i] = drawn(stream, i, true);
    for (int64_t i = 0; i < n; i++) row[i] /= sum;
}

/* Away from the given values, ever less far from turn to turn. */
static void draw_around(double *to, const double *given, int64_t n, uint64_t stream, int turn) {
    for (int64_t i = 0; i < n; i++) {
        const double reach = (fabs(given[i]) > 0.5 ? fabs(given[i]) : 0.5) * pow(0.8, turn);
        to[i] = given[i] + reach * drawn(stream, i, false);
    }
}

/* Of either sign at first and positive later, at last below 1. */
static void draw_anywhere(double *to, int64_t n, uint64_t stream, int turn) {
    for (int64_t i = 0; i < n; i++)
        to[i] = drawn(stream, i, turn >= DRAWS / 4) * (turn >= DRAWS / 2 ? 0.7 : 1);
}

static void draw(double *to, const double *given, gt_shape shape, bool label, uint64_t stream,
                 int turn) {
    const int64_t n = gt_numel(shape), row = shape.rank ? shape.dim[shape.rank - 1] : 1;
    bool distributions = given && label && row > 0;
    for (int64_t i = 0; distributions && i < n; i += row)
        distributions = is_distribution(given + i, row);
    if (!given) draw_anywhere(to, n, stream, turn);
    if (given && !distributions) draw_around(to, given, n, stream, turn);
    for (int64_t i = 0; distributions && i < n; i += row)
        draw_distribution(to + i, row, stream + (uint64_t)i * 65537);
}

static uint64_t stream_of(const char *name, int p, int turn) {
    uint64_t stream = (uint64_t)turn * GT__POINTS + (uint64_t)p;
    for (const char *c = name; *c; c++) stream = stream * 257 + (unsigned char)*c;
    return stream;
}

/* Can an input be a label: is it in a claim about a derivative, and is none to it? */
static bool may_be_label(const gt_formula *f, const char *name) {
    bool slopes = false;
    for (int i = 0; i < gt_formula_count(f); i++) {
        const gt_statement s = gt_formula_at(f, i);
        for (int k = 0; k < 2; k++)
            if (s.wrt[k] && strcmp(s.wrt[k], name) == 0) return false;
        slopes = slopes || s.wrt[0];
    }
    return slopes;
}

/* given NULL: there are none. */
static bool bind_drawn(gt__trial *t, int p, const char *name, gt_shape shape, const double *given,
                       int turn) {
    double count = 1;
    for (int d = 0; d < shape.rank; d++) count *= (double)shape.dim[d];
    if (count > MOST_ENTRIES) return false;
    const size_t bytes = ((size_t)count + 1) * sizeof(double);
    double *values = gt__trial_take(t, bytes);
    if (!values) return false;
    draw(values, given, shape, may_be_label(t->f, name), stream_of(name, p, turn), turn);
    const gt_tensor leaf = gt_input(t->point[p].tape, values, shape, GT_F64);
    gt__trial_give(t, values, bytes);
    gt_name(leaf, "%s", name);
    return gt_valid(leaf) && gt_recording_bind(t->point[p].r, name, leaf);
}

/* A value of the formula, at another point than its own. What no definition uses, such as a count, stays. */
static bool bind_moved(gt__trial *t, int p, const char *name, int turn, bool stays) {
    const gt_tensor given = gt_recorded(t->point[0].r, name);
    const double *values = gt_data(given);
    if (!values) return false;
    if (!stays) return bind_drawn(t, p, name, gt_shape_of(given), values, turn);
    const gt_tensor leaf = gt_input(t->point[p].tape, values, gt_shape_of(given), GT_F64);
    return gt_valid(leaf) && gt_recording_bind(t->point[p].r, name, leaf);
}

static bool bind_input(gt__trial *t, int p, const char *name, int turn, gt_expr end) {
    const gt_formula *f = t->f;
    const int at = gt_formula_known(f, name, gt_formula_count(f));
    const gt_statement s = gt_formula_at(f, at);
    if (!gt_is_none(gt_recorded(t->point[p].r, name))) return true;
    if (at >= 0 && s.kind == GT_DEFINES) return true;
    const bool used = is_used(f, name, end);
    if (at >= 0 && s.kind == GT_STATES_VALUE) return bind_moved(t, p, name, turn, !used);
    if (at < 0 && (!used || is_gradient_name(f, name) || strcmp(name, "pi") == 0)) return true;
    return bind_drawn(t, p, name, at < 0 ? GT_SCALAR : s.shape, NULL, turn);
}

static bool bind_inputs(gt__trial *t, int p, int turn) {
    const gt_expr end = end_of_definitions(t->f), n = gt_expr_count(t->f);
    for (int i = 0; i < gt_formula_count(t->f); i++) {
        const gt_statement s = gt_formula_at(t->f, i);
        if (s.kind <= GT_STATES_VALUE && !bind_input(t, p, s.name, turn, end)) return false;
    }
    for (gt_expr e = 0; e < n; e++) {
        const gt_expr_node node = gt_expr_at(t->f, e);
        if (node.kind == GT_EXPR_NAME && !bind_input(t, p, node.name, turn, end)) return false;
    }
    return true;
}

/* ---- recording ------------------------------------------------------------------------------------------------- */

static bool all_finite(const double *v, int64_t n) {
    for (int64_t i = 0; v && i < n; i++)
        if (!isfinite(v[i])) return false;
    return v != NULL;
}

static bool is_in_domain(gt__trial *t, int p) {
    gt__point *at = &t->point[p];
    for (int i = 0; i < gt_formula_count(t->f); i++) {
        const gt_statement s = gt_formula_at(t->f, i);
        if (s.kind != GT_DEFINES) continue;
        const gt_tensor y = gt_recorded(at->r, s.name);
        if (!all_finite(gt_data(y), gt_numel(gt_shape_of(y)))) return false;
    }
    return true;
}

static bool record_point(gt__trial *t, int p, gt_formula_error *error) {
    gt__point *at = &t->point[p];
    for (int turn = 0; turn < DRAWS; turn++) {
        gt_tape_reset(at->tape);
        if (p == 0 && !gt_record_values(at->r, error)) return false;
        if (!bind_inputs(t, p, turn)) return false;
        if (!gt_record_definitions(at->r, error)) return false;
        at->in_domain = is_in_domain(t, p);
        if (at->in_domain) break;
    }
    return true;
}

bool gt__trial_begin(gt__trial *t, gt_formula *f, const gt_check_options *options,
                     gt_formula_error *error) {
    *t = (gt__trial){.f = f, .allocator = gt_default_allocator()};
    if (options && options->allocator) t->allocator = *options->allocator;
    *error = (gt_formula_error){.line = 1, .column = 1};
    for (int p = 0; p < GT__POINTS; p++) {
        gt_params *params = gt_params_new(&t->allocator, 0);
        t->point[p].params = params;
        t->point[p].tape = params ? gt_tape_new(params) : NULL;
        if (!t->point[p].tape) break;
        t->point[p].r = gt_recording_new(f, t->point[p].tape);
        t->point[p].own = gt_recording_new(f, t->point[p].tape);
        if (!t->point[p].r || !t->point[p].own || !record_point(t, p, error)) break;
        if (p == GT__POINTS - 1) return true;
    }
    if (!error->message[0]) snprintf(error->message, sizeof error->message, "out of memory");
    return false;
}

void gt__trial_end(gt__trial *t) {
    for (int p = 0; p < GT__POINTS; p++) {
        gt_recording_free(t->point[p].r);
        gt_recording_free(t->point[p].own);
        gt_tape_free(t->point[p].tape);
        gt_params_free(t->point[p].params);
    }
    gt__trial_give(t, t->truth, t->truth_size);
}

/* ---- a claim ------------------------------------------------------------------------------------------------------- */

/* The truth of the claim at one point; gt_none() when there is none. */
static gt_tensor truth_at(const gt__trial *t, int p) {
    const gt_recording *r = t->point[p].r;
    const gt_tensor f = gt_recorded(r, t->claim.name);
    if (t->claim.kind == GT_CLAIMS_EQUAL) return f;
    const gt_tensor x = gt_recorded(r, t->claim.wrt[0]);
    if (gt_is_none(f) || gt_is_none(x)) return gt_none();
    const gt_tensor slope = gt_grad(f, x);
    if (t->claim.kind == GT_CLAIMS_SLOPE) return slope;
    const gt_tensor y = gt_recorded(r, t->claim.wrt[1]);
    return gt_is_none(y) ? y : gt_rank(slope) == 0 ? gt_grad(slope, y) : gt_jacobian(slope, y);
}

/* Some entries, spread over the array. */
static void choose_entries(gt__trial *t) {
    const int64_t n = gt_numel(t->shape);
    t->n_entries = n < GT__SEEN_ENTRIES ? (int)n : GT__SEEN_ENTRIES;
    for (int i = 0; i < t->n_entries; i++)
        t->entry[i] =
            n <= GT__SEEN_ENTRIES ? i : (int64_t)(gt_uniform(21, 0, (uint64_t)i) * (double)n);
    t->n_seen = t->n_entries * GT__SEARCHED;
}

static bool see_truth(gt__trial *t) {
    choose_entries(t);
    gt__trial_give(t, t->truth, t->truth_size);
    t->truth_size = ((size_t)t->n_seen + 1) * sizeof *t->truth;
    t->truth = gt__trial_take(t, t->truth_size);
    t->size = 0;
    for (int p = 0; t->truth && p < GT__SEARCHED; p++) {
        const double *v = gt_data(t->point[t->n_points > 1 ? p + 1 : 0].truth);
        if (!v) return false;
        for (int i = 0; i < t->n_entries; i++) {
            const double value = v[t->entry[i]];
            t->truth[p * t->n_entries + i] = value;
            if (fabs(value) > t->size) t->size = fabs(value);
        }
    }
    return t->truth != NULL;
}

/* A claim about a number, or with a number, is about the given point alone. */
static int points_of(const gt__trial *t) {
    const int at = gt_formula_known(t->f, t->claim.name, gt_formula_count(t->f));
    const bool value = gt_formula_at(t->f, at).kind == GT_STATES_VALUE;
    const bool constant = gt_expr_is_constant(t->f, t->claim.expr);
    return t->claim.kind == GT_CLAIMS_EQUAL && (value || constant) ? 1 : GT__POINTS;
}

/* All names of a point, for the recording of own lines. */
static void share_names(gt__trial *t, int p) {
    for (gt_expr e = 0; e < gt_expr_count(t->f); e++) {
        const gt_expr_node node = gt_expr_at(t->f, e);
        if (node.kind != GT_EXPR_NAME || !gt_is_none(gt_recorded(t->point[p].own, node.name)))
            continue;
        const gt_tensor value = gt_recorded(t->point[p].r, node.name);
        if (!gt_is_none(value)) gt_recording_bind(t->point[p].own, node.name, value);
    }
}

bool gt__trial_claim(gt__trial *t, int statement, char *text, size_t size) {
    t->claim = gt_formula_at(t->f, statement);
    t->n_points = points_of(t);
    for (int p = 0; p < t->n_points; p++) {
        gt__point *at = &t->point[p];
        const gt_marker mark = gt_mark(at->tape);
        at->truth = truth_at(t, p);
        if (gt_failed(at->tape)) {
            snprintf(text, size, "%s", gt_error(at->tape));
            return gt_rewind(at->tape, mark), false;
        }
        if (gt_is_none(at->truth)) {
            const char *x = t->claim.kind == GT_CLAIMS_EQUAL ? t->claim.name : t->claim.wrt[0];
            return snprintf(text, size, "%s occurs in no definition", x), false;
        }
        if (p == 0) t->shape = gt_shape_of(at->truth);
        share_names(t, p);
        if (!gt_data(at->truth)) return snprintf(text, size, "%s", gt_error(at->tape)), false;
    }
    if (see_truth(t)) return true;
    return snprintf(text, size, "out of memory"), false;
}

void gt__trial_settle(gt__trial *t) {
    char name[128];
    if (t->claim.kind != GT_CLAIMS_SLOPE) return;
    snprintf(name, sizeof name, "d%s", t->claim.wrt[0]);
    if (gt_formula_known(t->f, name, gt_formula_count(t->f)) >= 0) return;
    for (int p = 0; p < t->n_points; p++) {
        gt__point *at = &t->point[p];
        gt_formula_error ignored;
        const gt_marker mark = gt_mark(at->tape);
        const gt_tensor own = gt_record_expr(at->own, t->claim.expr, &ignored);
        if (gt_failed(at->tape)) gt_rewind(at->tape, mark);
        gt_recording_bind(at->r, name, at->truth);
        gt_recording_bind(at->own, name, gt_valid(own) ? own : at->truth);
    }
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

const double *gt__value_at(gt__trial *t, int p, gt_expr e, gt_shape *shape) {
    gt__point *at = &t->point[p];
    gt_formula_error ignored;
    const gt_marker mark = gt_mark(at->tape);
    const gt_tensor y = gt_record_expr(at->r, e, &ignored);
    const bool right_kind = gt_valid(y) && gt_dtype_of(y) == GT_F64;
    const double *value = right_kind ? gt_data(y) : NULL;
    if (value) *shape = gt_shape_of(y);
    if (!value) gt_rewind(at->tape, mark);
    return value;
}

bool gt__glance_at(gt__trial *t, int p, gt_expr e, gt__look look, void *user) {
    gt_tape *tape = t->point[p].tape;
    const gt_marker mark = gt_mark(tape);
    gt_shape shape;
    const double *value = gt__value_at(t, p, e, &shape);
    const bool answer = value && look(user, value, shape);
    gt_rewind(tape, mark);
    return answer;
}

bool gt__close(double a, double b, double size) {
    const double least = fabs(a) > fabs(b) ? fabs(a) : fabs(b);
    if (!isfinite(least)) return a == b;
    return fabs(a - b) <= 1e-9 * least + 1e-12 * size;
}

typedef struct comparison {
    const double *truth;
    gt_shape shape;
} comparison;

static bool equals_truth(void *user, const double *value, gt_shape shape) {
    const comparison *c = user;
    const int64_t n = gt_numel(shape);
    double size = 0;
    if (!gt_same_shape(shape, c->shape)) return false;
    for (int64_t i = 0; i < n; i++)
        if (fabs(c->truth[i]) > size) size = fabs(c->truth[i]);
    for (int64_t i = 0; i < n; i++)
        if (!gt__close(value[i], c->truth[i], size)) return false;
    return true;
}

bool gt__is_true(gt__trial *t, gt_expr e, int first, int last) {
    for (int p = first; p < last && p < t->n_points; p++) {
        comparison c = {gt_data(t->point[p].truth), t->shape};
        if (!c.truth || !gt__glance_at(t, p, e, equals_truth, &c)) return false;
    }
    return true;
}
