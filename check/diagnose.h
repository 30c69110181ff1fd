/* check/diagnose.h: what repairs are made of, as the files that look for them share it. */
#ifndef GT_CHECK_DIAGNOSE_H
#define GT_CHECK_DIAGNOSE_H

#include "check/claim.h"

/* A part that a repair may put in. The order is that of preference among equal values. */
typedef enum gt__source {
    GT__AN_INPUT,
    GT__A_NAME,
    GT__OF_CLAIM, /* a part of the claim itself */
    GT__A_LOCAL,  /* a local derivative */
    GT__A_PIECE,  /* of a local derivative */
    GT__A_VALUE,  /* a node of a definition */
} gt__source;

typedef struct gt__part {
    gt_expr expr;
    gt__source source;
    gt_shape shape;
    int size;
    gt_expr of; /* a local derivative: of this node */
    const double
        *seen; /* its values where the truth is seen; NULL: it has another shape and is no number */
} gt__part;

enum { GT__PARTS = 160, GT__PATHS = 48 };

typedef struct gt__parts {
    gt__trial *t;
    gt__part part[GT__PARTS];
    int count, looked_at;
    gt__part path[GT__PATHS]; /* the truth is the sum of these; none when they are too many */
    int n_paths;
    double *numbers; /* n_seen for each */
    size_t numbers_size;
} gt__parts;

/* diagnose_parts.c: everything that the formula and its gradient consist of. */
bool gt__parts_begin(gt__parts *parts, gt__trial *t);
void gt__parts_end(gt__parts *parts);
/* The values of an expression where the truth is seen. False: it has none, or another shape and is no number. */
bool gt__see(gt__trial *t, gt_expr e, double *seen, gt_shape *shape);

/* diagnose_paths.c: the true paths from what is claimed of to x, as expressions; returns how many, 0 when they are
 * more than room or have no spelling. */
int gt__true_paths(gt__trial *t, gt_expr *path, int room);
/* The local derivative of operation e by its operand k; gt_no_expr when it is not element by element, or has no
 * spelling. */
gt_expr gt__local_derivative(gt__trial *t, gt_expr e, int k);
/* The point where expressions are read off the tape. */
int gt__reading_point(const gt__trial *t);
/* The definition of a name, gt_no_expr when it is none. */
gt_expr gt__definition_of(const gt__trial *t, const char *name);

#endif
