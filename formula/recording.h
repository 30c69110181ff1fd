/* formula/recording.h: a formula on a tape, as the files of this room see it. */
#ifndef GT_RECORDING_H
#define GT_RECORDING_H

#include "formula/formula.h"

struct gt_recording {
    gt_formula *f;
    gt_tape *tape;
    gt_tensor *bound; /* by symbol */
    gt_tensor *made;  /* by node */
    unsigned char *needed;
    uint32_t bound_room, made_room, needed_room;
};

#endif
