/* tests/fuzz/fuzz_safetensors.c: gt_params_load. In a build without jansson everything is refused. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool run(const uint8_t *bytes, size_t size) {
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    gt_params *params = gt_params_new(&a, 1);
    fuzz_check(params != NULL);
    const size_t before = l.used;
    gt_param_info info;
    const bool ok = gt_params_load(params, fuzz_file(bytes, size));
    /* A tensor of no bytes takes two bytes of header at least, and an entry, a name and a block here. */
    fuzz_check(l.peak - before <= 1024 * size + 4096);
    fuzz_check(ok == (gt_params_error(params)[0] == 0) && ok == gt_params_frozen(params));
    fuzz_check(ok || gt_params_count(params) == 0);
    for (int i = 0; gt_params_at(params, i, &info); i++)
        fuzz_check(gt_numel(info.shape) * (int64_t)gt_dtype_size(info.dtype) <= (int64_t)size);
    gt_params_free(params);
    fuzz_check(l.used == 0);
    return ok;
}

static size_t other_writer(uint8_t *out) {
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],"
        "\"data_offsets\":[0,8]},\"n\":{\"dtype\":\"I64\",\"shape\":[],"
        "\"data_offsets\":[8,16]}}  ";
    const size_t length = sizeof header - 1;
    memset(out, 0, 8);
    out[0] = (uint8_t)length;
    memcpy(out + 8, header, length);
    memset(out + 8 + length, 1, 16);
    return 8 + length + 16;
}

static size_t ours(uint8_t *out) {
    gt_params *params = gt_params_new(NULL, 1);
    const float w[] = {1, 2, 3};
    const double b = 4;
    fuzz_check(params && gt_param_set(params, "w", GT_SHAPE(3), GT_F32, w, true));
    fuzz_check(gt_param_set(params, "layer/b", GT_SCALAR, GT_F64, &b, false));
    fuzz_check(gt_params_save(params, fuzz_file(NULL, 0)));
    gt_params_free(params);
    const size_t size = fuzz_file_bytes(out);
    fuzz_file_remove();
    return size;
}

static size_t seed(int i, uint8_t *out) {
    return i == 0 ? ours(out) : i == 1 ? other_writer(out) : 0;
}

const fuzz_target fuzz_safetensors = {"safetensors", run, seed};
