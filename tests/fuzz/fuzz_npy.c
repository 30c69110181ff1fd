/* tests/fuzz/fuzz_npy.c: gt_npy_read; what was read is written and read again, with the same bits. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* Only for arrays that fit a seed, so that most runs are quick. */
static void check_round_trip(const gt_npy *npy) {
    const char *path = fuzz_file(NULL, 0);
    char error[GT_FILE_MESSAGE];
    gt_npy again;
    fuzz_check(gt_npy_write(path, npy->data, npy->shape, npy->dtype, error));
    fuzz_check(gt_npy_read(&again, path, NULL));
    fuzz_check(again.dtype == npy->dtype && gt_same_shape(again.shape, npy->shape));
    fuzz_check(again.bytes == npy->bytes);
    fuzz_check(npy->bytes == 0 || memcmp(again.data, npy->data, npy->bytes) == 0);
    gt_npy_free(&again);
}

static bool run(const uint8_t *bytes, size_t size) {
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    gt_npy npy;
    const bool ok = gt_npy_read(&npy, fuzz_file(bytes, size), &a);
    fuzz_check(l.peak <= 4 * size);
    fuzz_check(ok == (npy.error[0] == 0));
    fuzz_check(ok || (!npy.data && npy.count == 0));
    fuzz_check(!ok || gt_numel(npy.shape) == npy.count);
    if (ok && size % 16 == 0) {
        check_round_trip(&npy);
        fuzz_file_remove(); /* written beside and renamed: the file that was open is another now */
    }
    gt_npy_free(&npy);
    fuzz_check(l.used == 0);
    return ok;
}

static size_t seed(int i, uint8_t *out) {
    static const struct {
        const char *header;
        int version;
        size_t bytes;
    } files[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 1, 24},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }", 1, 32},
        {"{'descr': '<f2', 'fortran_order': True, 'shape': (1, 3, 2,), }", 2, 12},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }", 3, 5},
        {"{\"shape\": (), \"descr\": '<i8', 'fortran_order': False}", 1, 8},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (0, 4), }", 1, 0},
        {"{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", 1, 3},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", 2, 8},
    };
    if (i >= (int)(sizeof files / sizeof *files)) return 0;
    const size_t start = files[i].version == 1 ? 10 : 12, length = strlen(files[i].header);
    const size_t header = (start + length + 1 + 15) / 16 * 16 - start;
    memcpy(out, "\x93NUMPY", 6);
    memset(out + 6, 0, 6);
    out[6] = (uint8_t)files[i].version;
    out[8] = (uint8_t)header;
    memset(out + start, ' ', header);
    memcpy(out + start, files[i].header, length);
    out[start + header - 1] = '\n';
    for (size_t k = 0; k < files[i].bytes; k++) out[start + header + k] = k & 1;
    return start + header + files[i].bytes;
}

const fuzz_target fuzz_npy = {"npy", run, seed};
