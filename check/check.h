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

#include "graph/graph.h"

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
    GT_DOUBT_WITNESSES,  /* witnesses of the truth contradict each other: an operation's rule is wrong */
    GT_DOUBT_MEMORY,
    GT_DOUBT_QUESTION    /* the question makes no sense: sizes do not fit, a tape has failed */
} gt_doubt;

/* What a person did who derived it. */
typedef enum gt_mistake {
    GT_NO_MISTAKE,
    GT_MISTAKE_SIGN,
    GT_MISTAKE_FACTOR,        /* a constant */
    GT_MISTAKE_LOG_BASE,      /* ln 2 or ln 10 */
    GT_MISTAKE_MEAN_FOR_SUM,  /* or a sum for a mean: 1/n or n */
    GT_MISTAKE_MISSING_PATH,
    GT_MISTAKE_OVERWRITTEN,   /* = for += where a value is used twice */
    GT_MISTAKE_EXTRA_TERM,
    GT_MISTAKE_MISSING_LOCAL, /* a local derivative was forgotten */
    GT_MISTAKE_WRONG_NODE,    /* a local derivative, taken at another node */
    GT_MISTAKE_WRONG_OPERAND,
    GT_MISTAKE_TRANSPOSED,
    GT_MISTAKE_MISSING_SUM,   /* over the batch, or another broadcast axis */
    GT_MISTAKE_SHIFTED,       /* entries stand beside their places */
    GT_MISTAKE_MISSING_ROWS,  /* zero where the truth is not */
    GT_MISTAKE_MISSING_COLUMNS,
    GT_MISTAKE_ENTRIES,       /* a few entries, the others are right */
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
    double variation;   /* the largest |f(x + h) - f(x)| / h seen: the size that digits are counted from */
    double step;        /* where the differences were best */
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
    int digits;          /* a truth known to fewer is CANNOT TELL; 0: 4 */
    double precision;    /* relative roundoff of the claim's own arithmetic; 0: that of doubles */
    double scale;        /* how far x may move; 0: from the size of its entries, array by array */
    int64_t evaluations; /* of f; when so many are used up, no more wrong entries are looked for; 0: 4000 */
    bool only_here;      /* do not judge at other points */
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

/* ---- showing ---------------------------------------------------------------------------------------------------- */

/* In sentences; and as one JSON object without a newline. */
GT_API void gt_check_print(const gt_check_report *report, FILE *out);
GT_API void gt_check_print_json(const gt_check_report *report, FILE *out);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
