/* check/judge.h: claims against what is known of the truth: of one number, and of all entries of an array. */
#ifndef GT_CHECK_JUDGE_H
#define GT_CHECK_JUDGE_H

#include "check/check.h"

/* ---- a number ------------------------------------------------------------------------------------------------ */

typedef struct gt__ruling {
    gt_verdict verdict;
    gt_doubt doubt;
    double digits; /* of agreement */
} gt__ruling;

/* roundoff: of the claim. size: what digits are counted from where both numbers are smaller. */
gt__ruling gt__judge(double claimed, double roundoff, const gt_slope *truth, double size,
                     int digits);
/* The worse of two. */
gt__ruling gt__worse(gt__ruling a, gt__ruling b);
int gt__digits_wanted(const gt_check_options *options);
double gt__precision_of(const gt_check_options *options);

/* ---- groups of entries of an array, seen as a matrix of `columns` ------------------------------------------------ */

typedef enum gt__group_kind {
    GT__ENTRIES,
    GT__ROWS,
    GT__COLUMNS,
    GT__OF_COLUMN,
    GT__FLAGGED
} gt__group_kind;

typedef struct gt__group {
    gt__group_kind kind;
    int64_t lo, hi; /* entries, rows or columns; rows of one column */
    int64_t columns, column;
    const unsigned char *flag; /* GT__FLAGGED: one for each entry */
} gt__group;

bool gt__in_group(const gt__group *group, int64_t i);
/* The number that lo and hi count, of an entry: its own, or that of its row or column. */
int64_t gt__place_of(const gt__group *group, int64_t i);

/* ---- an array ------------------------------------------------------------------------------------------------- */

/* What is known of the truth of one array, and how more may be known. */
typedef struct gt__evidence {
    void *user;
    const double *claim;
    int64_t count;
    gt_shape shape;
    const gt_allocator *allocator;
    /* Does a candidate differ from the truth on a group? */
    bool (*wrong_on)(void *user, const double *candidate, const gt__group *group);
    /* If the claim is wrong at one place of a group alone: at which? A guess. NULL: cannot be asked. */
    bool (*locate)(void *user, const gt__group *group, int64_t *place);
    /* claim = factor * truth, all over? */
    bool (*has_factor)(void *user, double *factor);
    gt_slope (*entry)(void *user, int64_t i);
    bool (*is_spent)(void *user); /* no more may be asked */
} gt__evidence;

/* Says what is wrong with a claim that is known to be wrong: fills counts, worst entries, mistake and text. */
void gt__diagnose_array(const gt__evidence *evidence, gt_check_finding *finding);

/* An array of which every entry's truth is known. */
typedef struct gt__entries {
    const double *claim;
    const gt_slope *truth;
    int64_t count;
    gt_shape shape;
    double precision; /* of the claim */
    int digits;
    double size; /* set by gt__judge_entries: the largest true slope */
} gt__entries;

/* The worst ruling; counts and digits of the finding. */
gt__ruling gt__judge_entries(gt__entries *entries, gt_check_finding *finding);
void gt__diagnose_entries(gt__entries *entries, const gt_allocator *allocator,
                          gt_check_finding *finding);
void gt__start_finding(const char *name, gt_shape shape, gt_check_finding *finding);
/* What is said of a point, after a look at others. */
void gt__conclude(gt_check_finding *finding, gt__ruling here, gt__ruling elsewhere);
/* The verdict of all arrays. */
gt_verdict gt__sum_up(gt_check_report *report);
/* Nothing could be judged, and why. */
gt_verdict gt__check_refuse(gt_check_report *report, gt_doubt doubt, const char *why);

/* Memory of the caller's allocator. */
void *gt__take(const gt_allocator *allocator, size_t bytes);
void gt__give(const gt_allocator *allocator, void *block, size_t bytes);

#endif
