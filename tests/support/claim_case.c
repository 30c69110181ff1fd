/* tests/support/claim_case.c: see claim_case.h. */
#include "support/claim_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "support/memory.h"

/* Inputs without values get random ones. */
static void bind_inputs(claim_case *c) {
    for (int i = 0; i < gt_formula_count(c->formula); i++) {
        const gt_statement s = gt_formula_at(c->formula, i);
        if (s.kind != GT_STATES_SHAPE) continue;
        const int64_t n = gt_numel(s.shape);
        double *values = test_memory((size_t)n * sizeof *values);
        for (int64_t k = 0; k < n; k++) values[k] = gt__weight(11, (uint64_t)i, k);
        gt_recording_bind(c->recording, s.name, gt_input(c->tape, values, s.shape, GT_F64));
        free(values);
    }
}

static void note_leaves(claim_case *c) {
    for (int i = 0; i < gt_formula_count(c->formula) && c->n_leaves < CASE_LEAVES; i++) {
        const gt_statement s = gt_formula_at(c->formula, i);
        if (s.kind != GT_STATES_SHAPE && s.kind != GT_STATES_VALUE) continue;
        const gt_tensor leaf = gt_recorded(c->recording, s.name);
        const int64_t n = gt__count(leaf);
        double *at = test_memory((size_t)n * sizeof *at);
        if (n) memcpy(at, gt_data(leaf), (size_t)n * sizeof *at);
        c->at[c->n_leaves] = at;
        c->leaf[c->n_leaves++] = leaf;
    }
}

bool claim_case_open(claim_case *c, const char *text) {
    gt_formula_error error;
    *c = (claim_case){.claim = gt_none()};
    c->formula = gt_formula_parse(text, NULL, &error);
    if (!c->formula) return false;
    c->tape = gt_tape_new(NULL);
    c->recording = gt_recording_new(c->formula, c->tape);
    bind_inputs(c);
    if (!gt_record_definitions(c->recording, &error)) return false;
    const gt_statement claim = gt_formula_at(c->formula, gt_formula_count(c->formula) - 1);
    c->y = gt_recorded(c->recording, claim.name);
    c->x = gt_recorded(c->recording, claim.wrt[0]);
    c->truth = gt_grad(c->y, c->x);
    note_leaves(c);
    const gt_marker mark = gt_mark(c->tape);
    c->claim = gt_record_expr(c->recording, claim.expr, &error);
    if (gt_failed(c->tape)) gt_rewind(c->tape, mark);
    if (!gt_valid(c->claim) || !gt_same_shape(gt_shape_of(c->claim), gt_shape_of(c->truth)))
        c->claim = gt_none();
    return !gt_failed(c->tape);
}

void claim_case_close(claim_case *c) {
    for (int k = 0; k < c->n_leaves; k++) free(c->at[k]);
    gt_recording_free(c->recording);
    gt_tape_free(c->tape);
    gt_formula_free(c->formula);
}

void claim_case_move(claim_case *c, int point) {
    for (int k = 0; k < c->n_leaves; k++) {
        const int64_t n = gt__count(c->leaf[k]);
        double *moved = test_memory((size_t)n * sizeof *moved);
        for (int64_t i = 0; i < n; i++) {
            const double by = point ? 0.3 * gt__weight((uint64_t)point, (uint64_t)k, i) : 0;
            moved[i] = c->at[k][i] + by * (c->at[k][i] == 0 ? 1 : c->at[k][i]);
        }
        gt_set(c->leaf[k], moved);
        free(moved);
    }
    gt_replay(c->tape);
}

static bool differs_here(const claim_case *c) {
    const double *truth = gt_data(c->truth), *claim = gt_data(c->claim);
    double size = 0;
    for (int64_t i = 0; i < gt__count(c->truth); i++) size = fmax(size, fabs(truth[i]));
    for (int64_t i = 0; i < gt__count(c->truth); i++)
        if (!(fabs(truth[i] - claim[i]) <= 1e-6 * size)) return true;
    return false;
}

bool claim_case_differs(claim_case *c, int first) {
    bool differs = gt_is_none(c->claim);
    for (int k = first; k < first + 3 && !differs; k++) {
        claim_case_move(c, k);
        differs = differs_here(c);
    }
    claim_case_move(c, 0);
    return differs;
}
