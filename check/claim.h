/* check/claim.h: claims over formulas: the points at which they are judged, and what is true there. */
#ifndef GT_CHECK_CLAIM_H
#define GT_CHECK_CLAIM_H

#include "check/check.h"

/* The given point, those where repairs are looked for, and those where they are verified. */
enum { GT__POINTS = 9, GT__SEARCHED = 4, GT__SEEN_ENTRIES = 64 };

typedef struct gt__point {
    gt_params *params;
    gt_tape *tape;
    gt_recording *r;   /* names of gradients, dq, mean the true ones */
    gt_recording *own; /* ... mean the person's own earlier lines */
    gt_tensor truth;   /* of the claim at hand */
    bool in_domain;    /* every definition is finite here */
} gt__point;

/* A formula at all points, and one claim of it at a time. */
typedef struct gt__trial {
    gt_formula *f;
    gt_allocator allocator;
    gt__point point[GT__POINTS];
    int n_points; /* at which the claim is judged: 1 when it is about the given values alone */
    gt_statement claim;
    gt_shape shape; /* of the truth */
    /* What the search looks at: some entries of the truth at points 1 to GT__SEARCHED. */
    int64_t entry[GT__SEEN_ENTRIES];
    int n_entries, n_seen; /* n_seen = n_entries * points */
    double *truth;         /* n_seen numbers */
    size_t truth_size;
    double size; /* the largest of them */
    bool failed; /* memory was short */
} gt__trial;

/* ---- claim_points.c */
/* Records the formula at all points. False and an error when it cannot be recorded at the given one. */
bool gt__trial_begin(gt__trial *t, gt_formula *f, const gt_check_options *options,
                     gt_formula_error *error);
/* Takes up a claim: records its truth. False and a sentence when that cannot be. */
bool gt__trial_claim(gt__trial *t, int statement, char *text, size_t size);
/* The claim has been judged: from now on its name, dq, means the truth, and for own lines what was claimed. */
void gt__trial_settle(gt__trial *t);
void gt__trial_end(gt__trial *t);
/* Memory; NULL also sets t->failed. */
void *gt__trial_take(gt__trial *t, size_t bytes);
void gt__trial_give(gt__trial *t, void *block, size_t bytes);

/* The value of an expression at a point, NULL when it has none; until the tape is rewound. */
const double *gt__value_at(gt__trial *t, int point, gt_expr e, gt_shape *shape);
/* The same, and the tape forgets what it took. Returns what look answers. */
typedef bool (*gt__look)(void *user, const double *value, gt_shape shape);
bool gt__glance_at(gt__trial *t, int point, gt_expr e, gt__look look, void *user);
/* Is the expression the truth, at points [first, last)? */
bool gt__is_true(gt__trial *t, gt_expr e, int first, int last);
bool gt__close(double a, double b, double size);

/* ---- diagnose.c: what is wrong with the claim, and how it is made right; fills in the remarks and the corrected
 * formula. */
void gt__diagnose(gt__trial *t, gt_claim_report *report);

#endif
