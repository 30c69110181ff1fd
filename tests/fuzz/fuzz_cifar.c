/* tests/fuzz/fuzz_cifar.c: gt_cifar_read. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { RECORD = 3073 };

static bool run(const uint8_t *bytes, size_t size) {
    static float image[3072];
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    gt_cifar cifar;
    int32_t label;
    const bool ok = gt_cifar_read(&cifar, fuzz_file(bytes, size), &a);
    fuzz_check(l.peak <= size);
    fuzz_check(ok == (cifar.error[0] == 0));
    fuzz_check(ok ? cifar.count == (int64_t)(size / RECORD) : !cifar.records && cifar.count == 0);
    for (int64_t i = 0; i < cifar.count; i++) {
        fuzz_check(gt_cifar_labels(&cifar, i, 1, &label) && label >= 0 && label <= 9);
        fuzz_check(gt_cifar_f32(&cifar, i, 1, 1 / 255.0F, image) && image[3071] <= 1);
    }
    gt_cifar_free(&cifar);
    fuzz_check(l.used == 0);
    return ok;
}

static size_t seed(int i, uint8_t *out) {
    if (i >= 2) return 0;
    const size_t size = (size_t)(i + 1) * RECORD;
    for (size_t k = 0; k < size; k++) out[k] = (uint8_t)(k % RECORD == 0 ? 9 * (k == 0) : k * 11);
    return size;
}

const fuzz_target fuzz_cifar = {"cifar", run, seed};
