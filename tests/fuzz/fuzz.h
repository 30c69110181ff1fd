/* tests/fuzz/fuzz.h: what every fuzz target is: a reader fed with arbitrary bytes, and good files to begin
 * with. A target calls abort() when the reader breaks a promise. POSIX only. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "gradtape.h"

typedef struct fuzz_target {
    const char *name;
    /* True when the bytes were read as a file of the format. */
    bool (*run)(const uint8_t *bytes, size_t size);
    /* Writes the i-th good file; 0 when there is none. out has FUZZ_SEED_MOST bytes. */
    size_t (*seed)(int i, uint8_t *out);
} fuzz_target;

enum { FUZZ_SEED_MOST = 8192 };

extern const fuzz_target fuzz_idx, fuzz_csv, fuzz_npy, fuzz_cifar, fuzz_safetensors, fuzz_formula;

/* A file with these bytes: its path, the same one each time. */
const char *fuzz_file(const uint8_t *bytes, size_t size);
size_t fuzz_file_bytes(uint8_t *out);
void fuzz_file_remove(void);

/* An allocator that counts. */
typedef struct fuzz_ledger {
    size_t used, peak;
} fuzz_ledger;
gt_allocator fuzz_counting(fuzz_ledger *ledger);

/* abort() that a release build keeps. */
void fuzz_check(bool promise);

#endif
