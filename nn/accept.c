/* nn/accept.c: see accept.h. */
#include "nn/accept.h"

#include "ops/rows.h"

bool gt__accepts(const char *layer, gt_tensor x, const char *name, int least, int most) {
    char text[320];
    if (!gt_valid(x)) {
        gt_neg(x); /* says what is wrong with x */
        return false;
    }
    const int rank = gt_rank(x);
    const gt_dtype dtype = gt_dtype_of(x);
    gt__named(x, text, sizeof text);
    if (!name)
        gt_fail(x.tape, "%s: no name", layer);
    else if (rank < least || rank > most)
        gt_fail(x.tape, "%s: %s has rank %d: %s %d is needed", layer, text, rank,
                rank < least && least < most ? "at least" : "rank", rank < least ? least : most);
    else if (dtype != GT_F32 && dtype != GT_F64)
        gt_fail(x.tape, "%s: %s is %s: f32 or f64 is needed", layer, text, gt_dtype_name(dtype));
    else
        return true;
    return false;
}

bool gt__divides(const char *layer, gt_tensor x, const char *what, int64_t value, int64_t parts) {
    char text[320];
    gt__named(x, text, sizeof text);
    if (parts < 1)
        gt_fail(x.tape, "%s: %lld groups for %s: at least 1 is needed", layer, (long long)parts,
                text);
    else if (value < 0)
        gt_fail(x.tape, "%s: %lld %s for %s", layer, (long long)value, what, text);
    else if (value % parts != 0)
        gt_fail(x.tape, "%s: %lld %s for %s do not divide into %lld groups", layer,
                (long long)value, what, text, (long long)parts);
    else
        return true;
    return false;
}

gt_tensor gt__refused(gt_tensor x) { return gt_tensor_at(x.tape, UINT32_MAX); }

gt_tensor gt__along_channels(gt_tensor vector, int rank) {
    gt_shape shape = {rank - 1, {gt_dim(vector, 0)}};
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = 1;
    return gt_reshape(vector, shape);
}
