/* ops/einsum.c: Einstein summation, made of other operations.
 *
 * The formula is read twice: first to check it against the operands' shapes, then operand by
 * operand to multiply. A letter that neither the result nor an operand to come has is summed as
 * soon as it can be: alone in an operand, or in the product of two, which is then a matmul. */
#include <ctype.h>
#include <string.h>

#include "ops/ops.h"
#include "ops/rows.h"

enum { LETTERS = 52 };

/* The letters of an operand's axes, in order; count may exceed what is kept. */
typedef struct term {
    int count;
    int letter[GT_MAX_RANK];
} term;

typedef struct einsum {
    gt_tape *tape;
    const char *formula;
    gt_list operands;
    term result;
    int64_t uses[LETTERS];  /* operands yet to be multiplied that have it, and the result */
    int64_t total[LETTERS]; /* in all operands, repetitions counted */
    int64_t size[LETTERS];
    int giver[LETTERS]; /* the operand that gave the size */
} einsum;

/* ---- the formula ----------------------------------------------------------------------------- */

/* A to Z, a to z: the alphabetical order of the implicit result is that of NumPy. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static int place_of(const term *t, int letter) {
    for (int i = 0; i < t->count && i < GT_MAX_RANK; i++)
        if (t->letter[i] == letter) return i;
    return -1;
}

static bool unexpected(const einsum *e, const char *at) {
    const unsigned char c = (unsigned char)*at;
    char shown[8];
    if (c < 128 && isprint(c))
        snprintf(shown, sizeof shown, "'%c'", c);
    else
        snprintf(shown, sizeof shown, "0x%02x", (unsigned)c);
    gt_fail(e->tape,
            "einsum: formula[%lld] is %s: letters, commas, spaces and one -> may stand there",
            (long long)(at - e->formula), shown);
    return false;
}

/* Reads letters up to a comma, an arrow or the end, and leaves *at there. */
static bool read_term(const einsum *e, const char **at, term *t) {
    const char *c = *at;
    t->count = 0;
    for (; *c && *c != ',' && !(c[0] == '-' && c[1] == '>'); c++) {
        const char *found = strchr(alphabet, *c);
        if (*c == ' ') continue;
        if (!found) return unexpected(e, c);
        if (t->count < GT_MAX_RANK) t->letter[t->count] = (int)(found - alphabet);
        if (t->count <= GT_MAX_RANK) t->count++;
    }
    *at = c;
    return true;
}

static bool size_differs(const einsum *e, int letter, int k, int64_t size) {
    char first[320], other[320];
    const int giver = e->giver[letter];
    gt_fail(e->tape, "einsum: letter %c is %lld in %s and %lld in %s", alphabet[letter],
            (long long)e->size[letter], gt__named(e->operands.at[giver], first, sizeof first),
            (long long)size, gt__named(e->operands.at[k], other, sizeof other));
    return false;
}

/* Notes the letters and sizes of operand k. */
static bool note_operand(einsum *e, int k, const term *t) {
    char text[320];
    const gt_shape shape = gt_shape_of(e->operands.at[k]);
    if (t->count != shape.rank) {
        gt_fail(e->tape, "einsum: %s has rank %d, its letters in the formula are %s%d",
                gt__named(e->operands.at[k], text, sizeof text), shape.rank,
                t->count > GT_MAX_RANK ? "more than " : "",
                t->count > GT_MAX_RANK ? GT_MAX_RANK : t->count);
        return false;
    }
    for (int i = 0; i < t->count; i++) {
        const int letter = t->letter[i];
        if (e->total[letter]++ == 0) {
            e->size[letter] = shape.dim[i];
            e->giver[letter] = k;
        }
        if (e->size[letter] != shape.dim[i]) return size_differs(e, letter, k, shape.dim[i]);
        if (place_of(t, letter) == i) e->uses[letter]++;
    }
    return true;
}

static bool read_operands(einsum *e, const char **at) {
    int64_t count = 0;
    for (;; ++*at) {
        term t;
        if (!read_term(e, at, &t)) return false;
        if (count < e->operands.count && !note_operand(e, (int)count, &t)) return false;
        count++;
        if (**at != ',') break;
    }
    if (count == e->operands.count) return true;
    gt_fail(e->tape, "einsum: operands: %lld in the formula, %d in the list", (long long)count,
            e->operands.count);
    return false;
}

/* Letters that occur once, in alphabetical order. */
static bool implicit_result(einsum *e) {
    for (int letter = 0; letter < LETTERS; letter++) {
        if (e->total[letter] != 1) continue;
        if (e->result.count < GT_MAX_RANK) e->result.letter[e->result.count] = letter;
        e->result.count++;
    }
    return true;
}

static bool explicit_result(einsum *e, const char *at) {
    if (!read_term(e, &at, &e->result)) return false;
    if (*at) return unexpected(e, at);
    for (int i = 0; i < e->result.count && i < GT_MAX_RANK; i++) {
        const int letter = e->result.letter[i];
        if (e->total[letter] > 0 && place_of(&e->result, letter) == i) continue;
        gt_fail(e->tape, "einsum: letter %c of the result %s", alphabet[letter],
                e->total[letter] > 0 ? "is repeated" : "is in no operand");
        return false;
    }
    return true;
}

static bool read_formula(einsum *e) {
    const char *at = e->formula;
    if (!read_operands(e, &at)) return false;
    if (!(*at ? explicit_result(e, at + 2) : implicit_result(e))) return false;
    if (e->result.count > GT_MAX_RANK) {
        gt_fail(e->tape, "einsum: the result has more letters than the largest rank, %d",
                GT_MAX_RANK);
        return false;
    }
    for (int i = 0; i < e->result.count; i++) e->uses[e->result.letter[i]]++;
    return true;
}

/* ---- one operand ----------------------------------------------------------------------------- */

static gt_shape shape_of(const einsum *e, const term *t) {
    gt_shape shape = {.rank = t->count};
    for (int i = 0; i < t->count; i++) shape.dim[i] = e->size[t->letter[i]];
    return shape;
}

static void append(term *t, const term *more) {
    for (int i = 0; i < more->count; i++) t->letter[t->count++] = more->letter[i];
}

/* x with its axes in the order of other letters, the same ones. */
static gt_tensor arrange(gt_tensor x, const term *t, const term *order) {
    gt_axes axes = {.count = order->count};
    bool moves = false;
    for (int i = 0; i < order->count; i++) {
        axes.axis[i] = place_of(t, order->letter[i]);
        moves = moves || axes.axis[i] != i;
    }
    return moves ? gt_permute(x, axes) : x;
}

/* The diagonal of axes i and j of x becomes its last axis: with both last and joined into one, its
 * elements are size + 1 apart. */
static gt_tensor diagonal(const einsum *e, gt_tensor x, term *t, int i, int j) {
    const int letter = t->letter[i];
    const int64_t size = e->size[letter];
    gt_axes order = {.count = t->count};
    term rest = {0, {0}};
    for (int d = 0; d < t->count; d++) {
        if (d == i || d == j) continue;
        order.axis[rest.count] = d;
        rest.letter[rest.count++] = t->letter[d];
    }
    order.axis[rest.count] = i;
    order.axis[rest.count + 1] = j;
    gt_shape joined = shape_of(e, &rest);
    joined.dim[joined.rank++] = size * size;
    *t = rest;
    t->letter[t->count++] = letter;
    x = gt_reshape(gt_permute(x, order), joined);
    return gt_slice(x, -1, 0, GT_END, size + 1);
}

static gt_tensor diagonals(const einsum *e, gt_tensor x, term *t) {
    for (int j = 1; j < t->count; j++) {
        const int i = place_of(t, t->letter[j]);
        if (i == j) continue;
        x = diagonal(e, x, t, i, j);
        j = 0; /* the axes have moved */
    }
    return x;
}

/* Sums the axes of letters that nothing else has: not the product so far, which may be NULL. */
static gt_tensor sum_own(const einsum *e, gt_tensor x, term *t, const term *product) {
    gt_axes axes = {0, {0}};
    term rest = {0, {0}};
    for (int d = 0; d < t->count; d++) {
        const int letter = t->letter[d];
        if (e->uses[letter] > 0 || (product && place_of(product, letter) >= 0))
            rest.letter[rest.count++] = letter;
        else
            axes.axis[axes.count++] = d;
    }
    *t = rest;
    return axes.count ? gt_sum(x, axes, false) : x;
}

/* ---- two operands ---------------------------------------------------------------------------- */

/* The letters of two operands: in both and in what follows, in both and summed, in one only. */
typedef struct groups {
    term batch, summed, left, right;
} groups;

static groups group(const einsum *e, const term *a, const term *b) {
    groups g = {.batch = {0, {0}}};
    for (int i = 0; i < a->count; i++) {
        const int letter = a->letter[i];
        term *to = place_of(b, letter) < 0 ? &g.left : e->uses[letter] > 0 ? &g.batch : &g.summed;
        to->letter[to->count++] = letter;
    }
    for (int i = 0; i < b->count; i++)
        if (place_of(a, b->letter[i]) < 0) g.right.letter[g.right.count++] = b->letter[i];
    return g;
}

/* x, of letters t, as matrices: rows and columns each joined into one axis, behind the batch. */
static gt_tensor matrices(const einsum *e, gt_tensor x, const term *t, const term *batch,
                          const term *rows, const term *columns) {
    term order = *batch;
    append(&order, rows);
    append(&order, columns);
    x = arrange(x, t, &order);
    if (rows->count == 1 && columns->count == 1) return x;
    gt_shape shape = shape_of(e, batch);
    shape.dim[shape.rank++] = gt_numel(shape_of(e, rows));
    shape.dim[shape.rank++] = gt_numel(shape_of(e, columns));
    return gt_reshape(x, shape);
}

/* x, of letters t, for broadcasting: all letters of `order`, those that t lacks with size 1. */
static gt_tensor spread(const einsum *e, gt_tensor x, const term *t, const term *order) {
    term own = {0, {0}};
    gt_shape shape = shape_of(e, order);
    for (int d = 0; d < order->count; d++) {
        if (place_of(t, order->letter[d]) < 0)
            shape.dim[d] = 1;
        else
            own.letter[own.count++] = order->letter[d];
    }
    x = arrange(x, t, &own);
    return own.count == order->count ? x : gt_reshape(x, shape);
}

/* Nothing to sum, or nothing but the batch beside it: element by element. */
static gt_tensor multiply_elements(const einsum *e, gt_tensor a, const term *ta, gt_tensor b,
                                   const term *tb, const groups *g, const term *kept) {
    term order = *kept;
    append(&order, &g->summed);
    const gt_tensor left = spread(e, a, ta, &order);
    const gt_tensor y = gt_mul(left, spread(e, b, tb, &order));
    gt_axes axes = {.count = g->summed.count};
    for (int i = 0; i < axes.count; i++) axes.axis[i] = kept->count + i;
    return axes.count ? gt_sum(y, axes, false) : y;
}

static gt_tensor multiply_matrices(const einsum *e, gt_tensor a, const term *ta, gt_tensor b,
                                   const term *tb, const groups *g, const term *kept) {
    const gt_tensor left = matrices(e, a, ta, &g->batch, &g->left, &g->summed);
    const gt_tensor y = gt_matmul(left, matrices(e, b, tb, &g->batch, &g->summed, &g->right));
    return g->left.count == 1 && g->right.count == 1 ? y : gt_reshape(y, shape_of(e, kept));
}

/* The product of a and b, of letters ta and tb, over what can be summed now. ta becomes its own. */
static gt_tensor multiply(const einsum *e, gt_tensor a, term *ta, gt_tensor b, const term *tb) {
    const groups g = group(e, ta, tb);
    const bool sums_alone = g.left.count == 0 && g.right.count == 0;
    const term left = *ta;
    if (g.batch.count + g.left.count + g.right.count > GT_MAX_RANK)
        return gt_fail(e->tape,
                       "einsum: a product on the way has %d letters, the largest rank is %d",
                       g.batch.count + g.left.count + g.right.count, GT_MAX_RANK);
    *ta = g.batch;
    append(ta, &g.left);
    append(ta, &g.right);
    if (g.summed.count == 0 || sums_alone) return multiply_elements(e, a, &left, b, tb, &g, ta);
    return multiply_matrices(e, a, &left, b, tb, &g, ta);
}

/* ---- all operands ---------------------------------------------------------------------------- */

/* Operands of one tape and one kind, f32 or f64. */
static bool check_operands(const einsum *e) {
    char first[320], other[320];
    const gt_tensor *x = e->operands.at;
    for (int k = 0; k < e->operands.count; k++) {
        const gt_dtype dtype = gt_dtype_of(x[k]);
        if (x[k].tape != e->tape || !gt_valid(x[k])) {
            if (x[k].tape != e->tape) gt_fail(x[k].tape, "einsum: operands of two tapes");
            gt_fail(e->tape, "einsum: operand %d is no tensor of this recording", k);
            return false;
        }
        gt__named(x[k], other, sizeof other);
        if (dtype != GT_F32 && dtype != GT_F64) {
            gt_fail(e->tape, "einsum: %s is %s: only f32 and f64", other, gt_dtype_name(dtype));
            return false;
        }
        if (dtype == gt_dtype_of(x[0])) continue;
        gt_fail(e->tape, "einsum: %s is %s and %s is %s: cast one of them",
                gt__named(x[0], first, sizeof first), gt_dtype_name(gt_dtype_of(x[0])), other,
                gt_dtype_name(dtype));
        return false;
    }
    return true;
}

static gt_tensor multiply_all(einsum *e) {
    const char *at = e->formula;
    gt_tensor y = gt_none();
    term product = {0, {0}};
    for (int k = 0; k < e->operands.count; k++, at++) {
        term t;
        if (!read_term(e, &at, &t)) return y;
        for (int i = 0; i < t.count; i++)
            if (place_of(&t, t.letter[i]) == i) e->uses[t.letter[i]]--;
        gt_tensor x = diagonals(e, e->operands.at[k], &t);
        x = sum_own(e, x, &t, k > 0 ? &product : NULL);
        y = k == 0 ? x : multiply(e, y, &product, x, &t);
        if (k == 0) product = t;
        if (!gt_valid(y)) return y;
    }
    return arrange(y, &product, &e->result);
}

/* ---- samples --------------------------------------------------------------------------------- */

static gt_tensor einsum_samples(gt_samples *s, int i) {
    /* clang-format off */
    static const struct {
        const char *formula, *bad;
        int count;
        gt_shape shape[4];
    } list[] = {
        {"ij,jk->ik", NULL, 2, {{2, {2, 3}}, {2, {3, 4}}}},
        {"ij,jk", NULL, 2, {{2, {3, 3}}, {2, {3, 3}}}},
        {"bij,bjk->bik", NULL, 2, {{3, {2, 3, 2}}, {3, {2, 2, 3}}}},
        {"ii->i", NULL, 1, {{2, {3, 3}}}},
        {"ii", NULL, 1, {{2, {3, 3}}}},
        {"iji->ji", NULL, 1, {{3, {3, 2, 3}}}},
        {"iii->i", NULL, 1, {{3, {3, 3, 3}}}},
        {"iijj->ij", NULL, 1, {{4, {2, 2, 3, 3}}}},
        {"ij->ji", NULL, 1, {{2, {2, 3}}}},
        {"ij->", NULL, 1, {{2, {2, 3}}}},
        {" b a ", NULL, 1, {{2, {2, 3}}}},
        {"i,j->ij", NULL, 2, {{1, {3}}, {1, {2}}}},
        {"i,i->", NULL, 2, {{1, {3}}, {1, {3}}}},
        {"ijk,k", NULL, 2, {{3, {2, 2, 3}}, {1, {3}}}},
        {"ij,ij->", NULL, 2, {{2, {2, 3}}, {2, {2, 3}}}},
        {"ij,ij->ji", NULL, 2, {{2, {2, 3}}, {2, {2, 3}}}},
        {"bhqd,bhkd->bhqk", NULL, 2, {{4, {2, 2, 3, 2}}, {4, {2, 2, 2, 2}}}},
        {"ijkl,lmjn->kmni", NULL, 2, {{4, {2, 3, 2, 2}}, {4, {2, 3, 3, 2}}}},
        {"ij,jk,kl->il", NULL, 3, {{2, {2, 3}}, {2, {3, 2}}, {2, {2, 3}}}},
        {"bn,anm,bm->ba", NULL, 3, {{2, {2, 3}}, {3, {2, 3, 2}}, {2, {2, 2}}}},
        {"ii,ij,Zj->Z", NULL, 3, {{2, {2, 2}}, {2, {2, 3}}, {2, {2, 3}}}},
        {"a,b,c,d->dbca", NULL, 4, {{1, {2}}, {1, {3}}, {1, {1}}, {1, {2}}}},
        {",ij,->j", NULL, 3, {{0, {0}}, {2, {2, 3}}, {0, {0}}}},
        {"ij,jk->ik", NULL, 2, {{2, {2, 0}}, {2, {0, 3}}}},
        {"ii->i", NULL, 1, {{2, {0, 0}}}},
        {"i...j->ij", "formula[1] is '.'", 1, {{2, {2, 3}}}},
        {"ij-k", "formula[2] is '-'", 1, {{2, {2, 3}}}},
        {"ij->i->j", "formula[5] is '-'", 1, {{2, {2, 3}}}},
        {"ij->i,j", "formula[5] is ','", 1, {{2, {2, 3}}}},
        {"i\tj", "formula[1] is 0x09", 1, {{2, {2, 3}}}},
        {"i\xc3\xb6", "formula[1] is 0xc3", 1, {{2, {2, 3}}}},
        {"ij", "operands: 1 in the formula, 2 in the list", 2, {{2, {2, 3}}, {1, {2}}}},
        {"ij,jk,kl", "operands: 3 in the formula, 2 in the list", 2, {{2, {2, 3}}, {2, {3, 2}}}},
        {"ijk", "has rank 2, its letters in the formula are 3", 1, {{2, {2, 3}}}},
        {"abcdefghij", "are more than 8", 1, {{2, {2, 3}}}},
        {"ij,jk->ik", "letter j is 4 in", 2, {{2, {3, 4}}, {2, {5, 2}}}},
        {"ii", "letter i is 2 in", 1, {{2, {2, 3}}}},
        {"ij->ik", "letter k of the result is in no operand", 1, {{2, {2, 3}}}},
        {"ij->jj", "letter j of the result is repeated", 1, {{2, {2, 3}}}},
        {"abcd,efgh,i->abcdefghi", "more letters than", 3,
         {{4, {1, 1, 1, 1}}, {4, {1, 1, 1, 2}}, {1, {1}}}},
        {"abcde,fghi,abcdefgh->i", "on the way has 9 letters", 3,
         {{5, {1, 1, 1, 1, 1}}, {4, {1, 1, 1, 1}}, {8, {1, 1, 1, 1, 1, 1, 1, 1}}}},
    };
    /* clang-format on */
    enum { COUNT = sizeof list / sizeof *list };
    gt_tensor x[4];
    if (i > COUNT + 2) return gt_samples_end(s);
    if (i >= COUNT) {
        x[0] = gt_sample(s, GT_SHAPE(2, 2));
        x[1] = gt_cast(x[0], s->dtype == GT_F64 ? GT_F32 : GT_F64);
        gt_sample_bad(s, i == COUNT ? "cast one" : i == COUNT + 1 ? "only f32" : "no formula");
        if (i == COUNT + 1) x[0] = gt_cast(x[0], GT_I64);
        return gt_einsum(i == COUNT + 2 ? NULL : "ij,jk", gt_list_of(2, x));
    }
    if (list[i].bad) gt_sample_bad(s, list[i].bad);
    for (int k = 0; k < list[i].count; k++) x[k] = gt_sample(s, list[i].shape[k]);
    return gt_einsum(list[i].formula, gt_list_of(list[i].count, x));
}

const gt_composition gt__composition_einsum = {"einsum", einsum_samples};

gt_tensor gt_einsum(const char *formula, gt_list operands) {
    if (operands.count <= 0 || !operands.at) return gt_none();
    einsum e = {.tape = operands.at[0].tape, .formula = formula, .operands = operands};
    for (int k = 1; k < operands.count && !e.tape; k++) e.tape = operands.at[k].tape;
    if (!formula) return gt_fail(e.tape, "einsum: no formula");
    if (!check_operands(&e) || !read_formula(&e)) return gt_fail(e.tape, "einsum: failed");
    return multiply_all(&e);
}
