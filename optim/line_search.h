/* optim/line_search.h: a step along a ray that satisfies the strong Wolfe conditions. Internal
 * to optim/. */
#ifndef GT_LINE_SEARCH_H
#define GT_LINE_SEARCH_H

#include <stdbool.h>

/* The function along the ray: its value and slope at a step. A value that is not finite counts
 * as too high. False: it could not be computed. */
typedef struct gt__ray {
    bool (*at)(void *user, double step, double *value, double *slope);
    void *user;
} gt__ray;

typedef struct gt__ray_point {
    double step, value, slope;
} gt__ray_point;

typedef enum gt__search { GT__SEARCH_FOUND, GT__SEARCH_NO_DESCENT, GT__SEARCH_FAILED } gt__search;

/* start: step 0, with slope < 0; first: the step to try first. When found, *found is the last
 * point that was asked for and its value is below start's; it meets the Wolfe conditions unless
 * the evaluations ran out. */
gt__search gt__line_search(gt__ray ray, gt__ray_point start, double first, gt__ray_point *found);

#endif
