/* check/check.h: is my gradient right, and if not, what is wrong with it?
 *
 * Takes a function and what is claimed to be its gradient, two plain C functions or a recording, and judges
 * one against the other:
 *
 *     static double f(const double *x, int64_t n, void *user) {
 *         (void)n, (void)user;
 *         return (x[0] + x[1]) * x[2];
 *     }
 *     static void claimed(const double *x, int64_t n, double *gx, void *user) {
 *         (void)n, (void)user;
 *         gx[0] = gx[1] = x[2];
 *         gx[2] = x[0] - x[1];
 *     }
 *     ...
 *     const double x[3] = {-2, 5, -4};
 *     gt_check_report report;
 *     if (gt_check_gradient(f, claimed, x, 3, NULL, NULL, &report) != GT_RIGHT)
 *         gt_check_print(&report, stdout);
 *
 * A verdict follows from an error budget, not from a fixed tolerance: every number that stands for the truth
 * comes with a bound of its own error, and a claim is wrong when it is farther away than the bounds allow.
 * Where the bounds are too wide to tell, that is the verdict, with the reason. The witnesses of a truth are
 * differences, extrapolated to step 0; and on a tape the backward sweep, differences of the recording, and
 * differences of the formulas of ops.def in long double.
 *
 * At a kink (relu at 0, equal maxima) there is no derivative, but a slope to the left and one to the right:
 * a claim between them is right, as anyone may choose. Nothing here prints, keeps memory or has state, except
 * gt_check_print and gt_check_print_json, which write to the caller's file. */
#ifndef GT_CHECK_H
#define GT_CHECK_H

#include "formula/formula.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- verdicts ------------------------------------------------------------------------------------------ */

typedef enum gt_verdict {
    GT_RIGHT,
    GT_RIGHT_AT_KINK,   /* a choice between the slopes on both sides */
    GT_RIGHT_ONLY_HERE, /* at the given point, not at others */
    GT_CANNOT_TELL,     /* see the doubt */
    GT_WRONG
} gt_verdict;

/* Why it cannot be told. */
typedef enum gt_doubt {
    GT_NO_DOUBT,
    GT_DOUBT_ROUNDOFF,   /* too few digits of the function are left: 1e12 + sin x */
    GT_DOUBT_KINK,       /* a kink at the point, and the claim is right nowhere but nearby */
    GT_DOUBT_JUMP,       /* the function is not continuous there */
    GT_DOUBT_NOISE,      /* the function gives other values for the same point */
    GT_DOUBT_NOT_FINITE, /* a value or a slope is infinite or NaN */
    GT_DOUBT_WITNESSES, /* witnesses of the truth contradict each other: an operation's rule is wrong */
    GT_DOUBT_MEMORY,
    GT_DOUBT_QUESTION /* the question makes no sense: sizes do not fit, a tape has failed */
} gt_doubt;

/* What a person did who derived it. */
typedef enum gt_mistake {
    GT_NO_MISTAKE,
    GT_MISTAKE_SIGN,
    GT_MISTAKE_FACTOR,       /* a constant */
    GT_MISTAKE_LOG_BASE,     /* ln 2 or ln 10 */
    GT_MISTAKE_MEAN_FOR_SUM, /* or a sum for a mean: 1/n or n */
    GT_MISTAKE_MISSING_PATH,
    GT_MISTAKE_OVERWRITTEN, /* = for += where a value is used twice */
    GT_MISTAKE_EXTRA_TERM,
    GT_MISTAKE_MISSING_LOCAL, /* a local derivative was forgotten */
    GT_MISTAKE_WRONG_NODE,    /* a local derivative, taken at another node */
    GT_MISTAKE_WRONG_OPERAND,
    GT_MISTAKE_TRANSPOSED,
    GT_MISTAKE_MISSING_SUM,  /* over the batch, or another broadcast axis */
    GT_MISTAKE_SHIFTED,      /* entries stand beside their places */
    GT_MISTAKE_MISSING_ROWS, /* zero where the truth is not */
    GT_MISTAKE_MISSING_COLUMNS,
    GT_MISTAKE_ENTRIES, /* a few entries, the others are right */
    GT_MISTAKE_UNKNOWN,
    GT_N_MISTAKES
} gt_mistake;

/* "right", "wrong", ...; a doubt and a mistake as a short sentence. */
GT_API const char *gt_verdict_name(gt_verdict verdict);
GT_API const char *gt_doubt_name(gt_doubt doubt);
GT_API const char *gt_mistake_name(gt_mistake mistake);

/* ---- one slope ------------------------------------------------------------------------------------------- */

/* What differences say of a derivative. The error is a bound: ten times what the extrapolation estimates,
 * and the roundoff of the values. */
typedef struct gt_slope {
    double value, error;
    double left, right; /* to both sides; the same except at a kink */
    double
        variation; /* the largest |f(x + h) - f(x)| / h seen: the size that digits are counted from */
    double step;   /* where the differences were best */
    gt_doubt doubt;
    int evaluations;
} gt_slope;

/* df/dx of a function of one number. scale is how far x may move for f to change notably; 0: x's own size. */
GT_API gt_slope gt_differentiate(double (*f)(double x, void *user), double x, double scale,
                                 void *user);

/* ---- what is asked ------------------------------------------------------------------------------------------ */

/* One array among those that x consists of. */
typedef struct gt_check_array {
    const char *name;
    gt_shape shape;
} gt_check_array;

/* All zero is a good choice, and what NULL stands for. */
typedef struct gt_check_options {
    const gt_check_array *array; /* how x is divided, in order; none: one vector named "x" */
    int n_arrays;
    int digits;       /* a truth known to fewer is CANNOT TELL; 0: 4 */
    double precision; /* relative roundoff of the claim's own arithmetic; 0: that of doubles */
    double scale;     /* how far x may move; 0: from the size of its entries, array by array */
    int64_t
        evaluations; /* of f; when so many are used up, no more wrong entries are looked for; 0: 4000 */
    bool only_here;         /* do not judge at other points */
    const gt_tensor *moved; /* gt_check_claim: leaves that other points may differ in, beside x */
    int n_moved;
    const gt_allocator *allocator;
} gt_check_options;

/* ---- what is answered --------------------------------------------------------------------------------------- */

enum { GT_CHECK_WORST = 5, GT_CHECK_ARRAYS = 32 };

typedef struct gt_check_entry {
    int64_t at; /* in row-major order */
    double claimed;
    gt_slope truth;
} gt_check_entry;

/* One array: how many entries there are, differ at all, and differ by more than the budget (-1: not counted);
 * the worst of them, and what explains all of them. */
typedef struct gt_check_finding {
    char name[48];
    gt_shape shape;
    gt_verdict verdict;
    gt_doubt doubt;
    double digits; /* of agreement, at the entry or in the direction where they are fewest */
    int64_t count, differing, beyond;
    int n_worst;
    gt_check_entry worst[GT_CHECK_WORST];
    gt_mistake mistake;
    double factor;  /* claimed / true, where one factor explains all */
    char text[256]; /* the mistake, or the doubt, in a sentence */
} gt_check_finding;

typedef struct gt_check_report {
    gt_verdict verdict; /* the worst of all arrays */
    gt_doubt doubt;
    int n_arrays; /* those past GT_CHECK_ARRAYS are judged together, as one vector */
    gt_check_finding array[GT_CHECK_ARRAYS];
    int64_t evaluations; /* of f */
    char text[256];      /* when nothing could be judged: why */
} gt_check_report;

/* ---- judging -------------------------------------------------------------------------------------------------- */

typedef double gt_check_function(const double *x, int64_t n, void *user);
typedef void gt_check_gradient_function(const double *x, int64_t n, double *gx, void *user);

/* Judges a gradient of f at x and at points nearby. Up to 64 entries of an array are compared one by one; of a
 * larger one random combinations are, and wrong entries are found by halving: n entries with k wrong ones take
 * about k log n slopes instead of n. report may not be NULL; the verdict is returned, too. */
GT_API gt_verdict gt_check_gradient(gt_check_function *f, gt_check_gradient_function *gradient,
                                    const double *x, int64_t n, const gt_check_options *options,
                                    void *user, gt_check_report *report);

/* A claim of dy/dx on a tape. Give one of: a tensor of the same tape, recorded from the leaves (so that it can
 * be judged at other points); values at the present point, in doubles. */
typedef struct gt_claim {
    gt_tensor tensor;
    const double *values;
} gt_claim;

/* Judges a claim about the derivative of y, which has one element, with respect to a float leaf x. The leaf's
 * value and the tape's nodes are the same afterwards; values that were read must be read again. */
GT_API gt_verdict gt_check_claim(gt_tensor y, gt_tensor x, gt_claim claim,
                                 const gt_check_options *options, gt_check_report *report);

/* Judges the gradient rule of an operation by the samples that it brings along: in f64, of each float input, and
 * once more the gradient of its gradient. What must fail has to fail with the message that it announces. One
 * finding for every sample that is not right, and one for all that are. */
GT_API gt_verdict gt_check_op(const gt_op *op, const gt_check_options *options,
                              gt_check_report *report);

/* ---- claims in words: which term is wrong? ------------------------------------------------------------------------ */

enum { GT_CHECK_REMARKS = 4, GT_CHECK_FORMULA = 1024 };

/* One mistake of a claim: its kind, and a sentence about it. */
typedef struct gt_remark {
    gt_mistake mistake;
    char text[256];
} gt_remark;

typedef struct gt_claim_report {
    int statement; /* of the formula */
    gt_verdict verdict;
    gt_doubt doubt;
    double digits;    /* of agreement at the given point */
    double witnessed; /* digits to which differences confirm the truth there; 0: not asked */
    bool carried;     /* a line that is right but for an error of an earlier line */
    int n_remarks;
    gt_remark remark[GT_CHECK_REMARKS];
    char name[64];                    /* "df/dx" */
    char claim[GT_CHECK_FORMULA];     /* the right side as it was written */
    char corrected[GT_CHECK_FORMULA]; /* as it should be; "" when no formula was found */
    gt_span
        changed[GT_CHECK_REMARKS]; /* what in it is new; length 0: nothing is, something is gone */
    bool has_example;
    double yours, truth; /* one number of both, */
    char example[256];   /* and where: "x = 1.2, y = 0.3" */
    double left, right;  /* the slopes at a kink */
    char text[256];      /* what else there is to say: why it cannot be told */
    gt_span span;        /* of that, in the text of the formula */
} gt_claim_report;

/* Judges every claim of a formula, in order: derivatives against the backward sweep of what was defined, equations
 * against the definition, at the values that the formula gives and at eight other points of its domain. Names
 * without a value or shape are numbers. A wrong claim is taken apart: which change makes it right, everywhere?
 * Returns how many claims there are, of which the first `room` were judged and reported; -1 and an error when the
 * definitions cannot be recorded. The formula grows. */
GT_API int gt_check_formula(gt_formula *formula, const gt_check_options *options,
                            gt_claim_report *report, int room, gt_formula_error *error);

/* ---- showing ---------------------------------------------------------------------------------------------------- */

/* In sentences; and as one JSON object without a newline. */
GT_API void gt_check_print(const gt_check_report *report, FILE *out);
GT_API void gt_check_print_json(const gt_check_report *report, FILE *out);
/* The same for a claim: in_color marks what changed by colors, else a line below does. JSON is one object without a
 * newline, HTML one element, <section class="claim">. */
GT_API void gt_claim_print(const gt_claim_report *report, bool in_color, FILE *out);
GT_API void gt_claim_print_json(const gt_claim_report *report, FILE *out);
GT_API void gt_claim_print_html(const gt_claim_report *report, FILE *out);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
