/* tests/fuzz/fuzz_idx.c: gt_idx_read, plain and gzipped. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool run(const uint8_t *bytes, size_t size) {
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    gt_idx idx;
    float first[4];
    int32_t whole[4];
    const bool ok = gt_idx_read(&idx, fuzz_file(bytes, size), &a);
    /* zlib's window, one chunk, and what deflate can hold at most. */
    const bool gzip = size > 1 && bytes[0] == 0x1f && bytes[1] == 0x8b;
    fuzz_check(l.peak <= (gzip ? 3 * 1032 * size : size) + ((size_t)1 << 18));
    fuzz_check(ok == (idx.error[0] == 0));
    fuzz_check(ok || (!idx.data && idx.count == 0));
    fuzz_check(!ok || gt_numel(idx.shape) == idx.count);
    const int64_t n = idx.count < 4 ? idx.count : 4;
    fuzz_check(!ok || gt_idx_f32(&idx, idx.count - n, n, 1, first));
    if (ok) (void)gt_idx_i32(&idx, idx.count - n, n, whole);
    gt_idx_free(&idx);
    fuzz_check(l.used == 0);
    return ok;
}

static size_t seed(int i, uint8_t *out) {
    static const uint8_t types[] = {GT_IDX_U8,  GT_IDX_I8,  GT_IDX_I16,
                                    GT_IDX_I32, GT_IDX_F32, GT_IDX_F64};
    static const uint8_t zipped[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00,
                                     0x02, 0xff, 0x63, 0x60, 0xe0, 0x60, 0x64, 0x60,
                                     0x60, 0x60, 0x66, 0x64, 0x62, 0x06, 0x00, 0x8b,
                                     0xe5, 0xbd, 0xa4, 0x0b, 0x00, 0x00, 0x00};
    const int n_types = (int)sizeof types;
    if (i > n_types) return 0;
    if (i == n_types) return memcpy(out, zipped, sizeof zipped), sizeof zipped;
    const size_t width = gt_idx_type_size((gt_idx_type)types[i]), size = 12 + 6 * width;
    memset(out, 0, size);
    out[2] = types[i];
    out[3] = 2;
    out[7] = 2;
    out[11] = 3;
    for (size_t k = 12; k < size; k++) out[k] = (uint8_t)(37 * k);
    return size;
}

const fuzz_target fuzz_idx = {"idx", run, seed};
