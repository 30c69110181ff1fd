/* tests/fuzz/common_fuzz.c: the file and the counting allocator of the fuzz targets. The file lies in memory
 * where the system has such a folder: a million of them are written. */
#define _POSIX_C_SOURCE 200809L
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char path[64];
static int file = -1;

void fuzz_check(bool promise) {
    if (!promise) abort();
}

const char *fuzz_file(const uint8_t *bytes, size_t size) {
    if (file < 0) {
        snprintf(path, sizeof path, "%s/gradtape-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        file = mkstemp(path);
        fuzz_check(file >= 0 && atexit(fuzz_file_remove) == 0);
    }
    fuzz_check(ftruncate(file, 0) == 0);
    fuzz_check(pwrite(file, bytes, size, 0) == (ssize_t)size);
    return path;
}

size_t fuzz_file_bytes(uint8_t *out) {
    FILE *f = fopen(path, "rb");
    fuzz_check(f != NULL);
    const size_t size = fread(out, 1, FUZZ_SEED_MOST, f);
    fclose(f);
    return size;
}

void fuzz_file_remove(void) {
    if (file < 0) return;
    close(file);
    unlink(path);
    file = -1;
}

static void *counting_resize(void *user, void *block, size_t old_size, size_t new_size) {
    fuzz_ledger *l = user;
    if (!block) old_size = 0;
    fuzz_check(old_size <= l->used);
    void *result = NULL;
    if (new_size == 0) {
        free(block);
    } else {
        result = realloc(block, new_size);
        if (!result) return NULL;
    }
    l->used += new_size - old_size;
    if (l->used > l->peak) l->peak = l->used;
    return result;
}

gt_allocator fuzz_counting(fuzz_ledger *ledger) {
    *ledger = (fuzz_ledger){0, 0};
    return (gt_allocator){counting_resize, ledger};
}
