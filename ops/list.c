/* ops/list.c: every operation and composition of this room, as ops/generate.cmake found them. */
#include "ops/ops.h"
#include "ops/rows.h"

#define OPERATION(name) extern const gt_op name;
#define COMPOSITION(name) extern const gt_composition name;
#include "ops/ops_list.h"
#undef OPERATION
#undef COMPOSITION

const gt_op *gt_op_at(int i) {
    static const gt_op *const listed[] = {
#define OPERATION(name) &name,
#define COMPOSITION(name)
#include "ops/ops_list.h"
#undef OPERATION
#undef COMPOSITION
    };
    const int count = (int)(sizeof listed / sizeof *listed);
    if (i < 0) return NULL;
    return i < count ? listed[i] : gt__row(i - count);
}

const gt_composition *gt_composition_at(int i) {
    static const gt_composition *const listed[] = {
#define OPERATION(name)
#define COMPOSITION(name) &name,
#include "ops/ops_list.h"
#undef OPERATION
#undef COMPOSITION
        NULL};
    return i >= 0 && i < (int)(sizeof listed / sizeof *listed) ? listed[i] : NULL;
}
