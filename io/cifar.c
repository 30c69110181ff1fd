/* io/cifar.c: the binary version of CIFAR-10: records of one label (0 to 9) and 3072 pixels, the red, the
 * green and the blue plane of 32 rows of 32. A file is nothing but records. */
#include "io/file.h"

enum { CLASSES = 10, PIXELS = 3 * 32 * 32, RECORD = 1 + PIXELS };

static bool check_size(const gt__file *file) {
    if (file->size > 0 && file->size % RECORD == 0 && file->size <= SIZE_MAX) return true;
    return gt__file_refuse(file, "%llu bytes are no whole number of records of %d bytes",
                           (unsigned long long)file->size, RECORD);
}

static bool check_labels(const gt__file *file, const gt_cifar *cifar) {
    for (int64_t i = 0; i < cifar->count; i++) {
        const int label = cifar->records[i * RECORD];
        if (label >= CLASSES)
            return gt__file_refuse(file, "record %lld has the label %d, not 0 to %d", (long long)i,
                                   label, CLASSES - 1);
    }
    return true;
}

bool gt_cifar_read(gt_cifar *cifar, const char *path, const gt_allocator *allocator) {
    gt__file file;
    *cifar = (gt_cifar){.allocator = gt__io_allocator(allocator)};
    bool ok = gt__file_open(&file, "gt_cifar_read", path, cifar->error) && check_size(&file);
    if (ok) {
        cifar->records = gt__file_take(&file, &cifar->allocator, (size_t)file.size);
        ok = cifar->records != NULL;
    }
    if (ok) {
        cifar->count = (int64_t)(file.size / RECORD);
        ok = gt__file_read(&file, cifar->records, (size_t)file.size) && check_labels(&file, cifar);
    }
    if (!ok) gt_cifar_free(cifar);
    gt__file_close(&file);
    return ok;
}

void gt_cifar_free(gt_cifar *cifar) {
    if (!cifar) return;
    const gt_allocator *a = &cifar->allocator;
    if (cifar->records) a->resize(a->user, cifar->records, (size_t)cifar->count * RECORD, 0);
    cifar->records = NULL;
    cifar->count = 0;
}

static bool holds(const gt_cifar *cifar, int64_t first, int64_t count) {
    return first >= 0 && count >= 0 && first <= cifar->count && count <= cifar->count - first;
}

bool gt_cifar_f32(const gt_cifar *cifar, int64_t first, int64_t count, float scale, float *out) {
    if (!holds(cifar, first, count)) return false;
    for (int64_t i = first; i < first + count; i++) {
        const unsigned char *pixel = cifar->records + i * RECORD + 1;
        for (int k = 0; k < PIXELS; k++) *out++ = (float)pixel[k] * scale;
    }
    return true;
}

bool gt_cifar_labels(const gt_cifar *cifar, int64_t first, int64_t count, int32_t *out) {
    if (!holds(cifar, first, count)) return false;
    for (int64_t i = first; i < first + count; i++) *out++ = cifar->records[i * RECORD];
    return true;
}
