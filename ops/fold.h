/* ops/fold.h: folding axes away with an associative operation, in an order that depends on nothing
 * but the number of elements.
 *
 * The elements that meet in one result are numbered r = 0, 1, ... in row-major order of the folded
 * axes. They are cut into chunks of 256. In a chunk, element r goes to lane r mod 16, in order;
 * the lanes are combined pairwise (l with l + 8, then l + 4, l + 2, l + 1), and so are the chunks
 * (0 with 1, 2 with 3, then those, as carries in a binary counter). Memory layout only decides how
 * this is walked. */
#ifndef GT_OPS_FOLD_H
#define GT_OPS_FOLD_H

#include "graph/graph.h"

/* Loops over elements of one kind; results are arrays of the result's kind. */
typedef struct gt__folder {
    size_t in_size, out_size;
    /* n identities. */
    void (*fill)(void *to, int64_t n);
    /* to[i] takes x[i * stride]. */
    void (*take)(void *to, const void *x, int64_t stride, int64_t n);
    /* to[i] takes from[i]. */
    void (*merge)(void *to, const void *from, int64_t n);
    /* to[r] becomes row r, one chunk of n <= 256 neighbours, lanes and all. */
    void (*chunks)(void *to, const void *x, int64_t rows, int64_t n);
} gt__folder;

typedef enum gt__folding {
    GT__SUM,
    GT__PRODUCT,
    GT__MAX,
    GT__MIN,
    GT__ANY,
    GT__ALL,
    GT__N_FOLDINGS
} gt__folding;

/* Folds each row of n neighbours, any number of them, to one. */
void gt__fold_part(const gt__folder *folder, void *y, const void *x, int64_t rows, int64_t n);

/* n folds side by side, in lines: gt_fold's take and close. */
void gt__fold_take(const gt__folder *folder, void *lanes, const void *x, int64_t first,
                   int64_t lines, int64_t n);
void gt__fold_close(const gt__folder *folder, void *y, void *lanes, int64_t n);

/* NULL when the folding is not defined for that kind. */
const gt__folder *gt__folder_of(gt__folding folding, gt_dtype dtype);
/* sum and product of bool and integers are i64; other foldings keep the kind. */
gt_dtype gt__folded_dtype(gt__folding folding, gt_dtype dtype);
/* Folds the masked axes of the call's input, whatever its strides, into its result. */
bool gt__fold(const gt_call *call, unsigned mask, const gt__folder *folder);

#endif
