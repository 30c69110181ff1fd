/* check/diagnose_edit.h: changes of a claim: where, what, and what they cost. */
#ifndef GT_CHECK_DIAGNOSE_EDIT_H
#define GT_CHECK_DIAGNOSE_EDIT_H

#include "check/diagnose.h"

typedef enum gt__edit_kind {
    GT__NO_EDIT,
    GT__SCALE,       /* times the number c */
    GT__TIMES,       /* times part a */
    GT__OVER,        /* divided by part a */
    GT__SWAP,        /* times part a, divided by part b */
    GT__REPLACE,     /* by part a */
    GT__RENAME,      /* every part b inside by part a */
    GT__ADD,         /* plus c times part a (of the paths, where b is -1) */
    GT__ADD_PRODUCT, /* plus c times part a times part b */
    GT__DROP,        /* a term of a sum */
    GT__TRANSPOSE,   /* or no longer */
    GT__EXCHANGE,    /* the operands of a product */
    GT__SUM_OVER,    /* axis c; all of them when it is negative */
    GT__MEAN         /* mean for sum, or sum for mean */
} gt__edit_kind;

typedef struct gt__edit {
    gt__edit_kind kind;
    int site;
    int a, b;
    double c;
    double cost;
    gt_mistake mistake;
} gt__edit;

/* A node of a claim. Where the claim is linear in its value, entry by entry, `slope` is how. */
typedef struct gt__site {
    gt_expr expr;
    int parent;          /* place of its site; -1: the root */
    int place;           /* among the parent's children */
    bool term;           /* no factor of a product, entry by entry */
    const double *seen;  /* NULL when it has another shape than the truth */
    const double *slope; /* NULL where the claim is not linear in it */
} gt__site;

enum { GT__SITES = 256 };

/* A search for the change that makes `root` equal to `wanted`. */
typedef struct gt__search {
    gt__trial *t;
    const gt__parts *parts;
    gt_expr root;
    const double *wanted;
    bool whole; /* wanted is the truth: candidates may be evaluated in full */
    double size;
    gt__site site[GT__SITES];
    int count;
    double *numbers;
    size_t numbers_size;
    gt__edit best;
} gt__search;

/* diagnose_sites.c */
bool gt__search_begin(gt__search *s, const gt__parts *parts, gt_expr root, const double *wanted,
                      bool whole);
void gt__search_end(gt__search *s);

/* diagnose_search.c: finds the cheapest change into s->best; false when there is none. */
bool gt__search_run(gt__search *s);

/* diagnose_edit.c */
/* The root with that change; *changed is what is new in it, gt_no_expr when something is gone. */
gt_expr gt__edited(const gt__search *s, const gt__edit *edit, gt_expr *changed);
/* Does a product have factors whose product is the part? */
bool gt__is_factor_of(const gt__search *s, gt_expr e, const gt__part *p);
/* What a person did, in a sentence. */
void gt__describe_edit(const gt__search *s, const gt__edit *edit, char *text, size_t size);
/* Is e a product, a quotient, or a minus before one? */
bool gt__is_product(const gt_formula *f, gt_expr e);
bool gt__is_sum(const gt_formula *f, gt_expr e);
/* The sum of e, which may be nothing, and a term; a minus before the term becomes the sum's. */
gt_expr gt__plus(gt_formula *f, gt_expr e, double sign, gt_expr term);
/* Without the minus before it. */
gt_expr gt__unsigned_term(const gt_formula *f, gt_expr e);
/* Is c a ratio of whole numbers up to 12, or the logarithm of 2 or 10 or one over it? */
bool gt__number_has_name(double c);
bool gt__is_log_factor(double c);
bool gt__is_small_fraction(double c, int most);

#endif
