/* tests/support/scratch.h: what tests of files share: an allocator that counts, and a folder of their own.
 * For Criterion's tests on POSIX; a test defines _POSIX_C_SOURCE before its first include. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/io.h"

/* ---- an allocator that counts, and fails when asked ------------------------------------------ */

typedef struct ledger {
    size_t used, peak;
    long calls;   /* that ask for memory */
    long fail_at; /* -1: none */
    bool from_then_on;
} ledger;

static inline void *ledger_resize(void *user, void *block, size_t old_size, size_t new_size) {
    ledger *l = user;
    if (!block) old_size = 0;
    if (new_size == 0) {
        free(block);
        l->used -= old_size;
        return NULL;
    }
    const long call = l->calls++;
    if (l->fail_at >= 0 && (call == l->fail_at || (l->from_then_on && call > l->fail_at)))
        return NULL;
    void *result = realloc(block, new_size);
    if (!result) return NULL;
    l->used += new_size - old_size;
    if (l->used > l->peak) l->peak = l->used;
    return result;
}

static inline gt_allocator counting(ledger *l) {
    *l = (ledger){.fail_at = -1};
    return (gt_allocator){ledger_resize, l};
}

/* Fails each allocation in turn, once and from then on: an error each time, and nothing stays. Returns how
 * many there are to fail. error has room for GT_FILE_MESSAGE. */
static inline long sweep_allocations(bool (*attempt)(const gt_allocator *a, char *error)) {
    long n = 0;
    for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
        bool ok = false;
        for (n = 0; !ok; n++) {
            ledger l;
            char error[GT_FILE_MESSAGE];
            const gt_allocator a = counting(&l);
            l.fail_at = n;
            l.from_then_on = from_then_on;
            ok = attempt(&a, error);
            cr_assert(ok == (l.calls <= n) && l.used == 0);
            cr_assert(ok || strstr(error, "out of memory"), "said '%s'", error);
        }
    }
    return n - 1;
}

/* ---- files in a folder of their own ---------------------------------------------------------- */

static char folder[64];
static char file_path[96];

static inline void begin(void) {
    strcpy(folder, "/tmp/gradtape-io-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(file_path, sizeof file_path, "%s/file", folder);
}

static inline int files_in_folder(void) {
    DIR *d = opendir(folder);
    cr_assert(d != NULL);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Fails when anything but the one file was left behind. */
static inline void end(void) {
    remove(file_path);
    cr_assert(rmdir(folder) == 0, "files were left in %s", folder);
}

static inline void write_bytes(const void *bytes, size_t size) {
    FILE *f = fopen(file_path, "wb");
    cr_assert(f && fwrite(bytes, 1, size, f) == size);
    cr_assert(fclose(f) == 0);
}

static inline unsigned char *read_bytes(size_t *size) {
    FILE *f = fopen(file_path, "rb");
    cr_assert(f != NULL);
    unsigned char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

/* Open files of this process, -1 where the system does not tell. */
static inline int open_files(void) {
    DIR *d = opendir("/proc/self/fd");
    if (!d) return -1;
    int n = 0;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

#endif
