/* ops/pooling_emit.h: pooling as C, for gt_op_more.emit. Private to ops/. */
#ifndef GT_OPS_POOLING_EMIT_H
#define GT_OPS_POOLING_EMIT_H

#include "graph/graph.h"

typedef enum gt__window_use { GT__LARGEST, GT__MEAN, GT__SPREAD } gt__window_use;

/* A window's rows or columns: from first to end; a mean divides by the product of the counts. */
typedef struct gt__window {
    int64_t first, end, count;
} gt__window;

/* Tells the i-th of an axis; image is the size of the larger planes, made how many windows there are. */
typedef gt__window gt__window_at(const gt_call *call, int axis, int64_t n, int64_t i);
void gt__windows_emit(gt_emitter *e, const gt_call *call, gt__window_use use,
                      const int64_t image[2], const int64_t made[2], gt__window_at *at);

/* Takes elements from places, or adds them there. */
void gt__places_emit(gt_emitter *e, const gt_call *call, bool adds);

#endif
