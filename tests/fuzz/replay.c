/* tests/fuzz/replay.c: the fuzz targets without a fuzzer: their good files, every truncation and every flipped
 * byte of these, so that the targets stay whole and the promise about damaged files is tested.
 *
 *     fuzz_replay                        all formats
 *     fuzz_replay seeds FORMAT FOLDER    writes the good files of one format: a fuzzer begins with them
 *     fuzz_replay FORMAT FILE            one file, such as one that a fuzzer found
 *
 * A broken promise aborts. The last line is "N passed, M failed". */
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/damage.h"

static const fuzz_target *const targets[] = {&fuzz_idx,   &fuzz_csv,         &fuzz_npy,
                                             &fuzz_cifar, &fuzz_safetensors, &fuzz_formula};
enum { N_TARGETS = sizeof targets / sizeof *targets };

static uint8_t good[FUZZ_SEED_MOST], bad[FUZZ_SEED_MOST];

static const fuzz_target *find(const char *name) {
    for (int k = 0; k < N_TARGETS; k++)
        if (strcmp(targets[k]->name, name) == 0) return targets[k];
    return NULL;
}

static int write_seeds(const fuzz_target *t, const char *folder) {
    char path[1024];
    size_t size;
    for (int i = 0; (size = t->seed(i, good)) > 0; i++) {
        snprintf(path, sizeof path, "%s/seed-%d", folder, i);
        FILE *f = fopen(path, "wb");
        const bool ok = f && fwrite(good, 1, size, f) == size;
        if (!f || fclose(f) != 0 || !ok) return perror(path), 1;
    }
    return 0;
}

static int run_file(const fuzz_target *t, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return perror(path), 1;
    uint8_t *bytes = malloc(1 << 24);
    const size_t size = bytes ? fread(bytes, 1, 1 << 24, f) : 0;
    fclose(f);
    printf("%s: %zu bytes, %s\n", path, size, t->run(bytes, size) ? "read" : "refused");
    free(bytes);
    return 0;
}

/* False when a good file is refused. Which damaged ones are read depends on the format. */
static bool replay(const fuzz_target *t, int i, size_t size, long *runs, long *read) {
    const bool ok = t->run(good, size);
    for (size_t k = 0; k < damages(size); k++, ++*runs)
        *read += t->run(bad, damaged(bad, good, size, k));
    if (!ok) printf("%s: the good file %d is refused\n", t->name, i);
    return ok;
}

int main(int argc, char **argv) {
    const fuzz_target *chosen = argc == 4 ? find(argv[2]) : argc == 3 ? find(argv[1]) : NULL;
    if (argc == 4 && strcmp(argv[1], "seeds") == 0 && chosen) return write_seeds(chosen, argv[3]);
    if (argc == 3 && chosen) return run_file(chosen, argv[2]);
    if (argc != 1)
        return fputs("usage: fuzz_replay [seeds FORMAT FOLDER | FORMAT FILE]\n", stderr), 2;
    int passed = 0, failed = 0;
    for (int k = 0; k < N_TARGETS; k++) {
        long runs = 0, read = 0;
        size_t size;
        for (int i = 0; (size = targets[k]->seed(i, good)) > 0; i++) {
#if !defined(GT_WITH_JANSSON)
            if (targets[k] == &fuzz_safetensors) continue;
#endif
#if !defined(GT_WITH_ZLIB)
            if (good[0] == 0x1f && good[1] == 0x8b) continue;
#endif
            if (replay(targets[k], i, size, &runs, &read))
                passed++;
            else
                failed++;
        }
        printf("%-12s %7ld damaged files: %ld refused, %ld read\n", targets[k]->name, runs,
               runs - read, read);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
