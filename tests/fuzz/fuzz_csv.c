/* tests/fuzz/fuzz_csv.c: gt_csv_read; with three sets of options. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool run_with(const char *path, size_t size, gt_csv_options o) {
    fuzz_ledger l;
    const gt_allocator a = fuzz_counting(&l);
    gt_csv csv;
    const bool ok = gt_csv_read(&csv, path, o, &a);
    fuzz_check(l.peak <= 10 * size + 64);
    fuzz_check(ok == (csv.error[0] == 0));
    fuzz_check(ok || (!csv.value && !csv.names && csv.rows == 0 && csv.columns == 0));
    for (int64_t k = 0; ok && o.header && k < csv.columns && k < 8; k++)
        fuzz_check(strlen(gt_csv_name(&csv, k)) <= size);
    volatile double seen = 0; /* every value is there to be read */
    for (int64_t k = 0; ok && k < csv.rows * csv.columns; k++) seen = csv.value[k];
    (void)seen;
    gt_csv_free(&csv);
    fuzz_check(l.used == 0);
    return ok;
}

static bool run(const uint8_t *bytes, size_t size) {
    const char *path = fuzz_file(bytes, size);
    const bool plain = run_with(path, size, (gt_csv_options){0});
    const bool semicolons = run_with(path, size, (gt_csv_options){.separator = ';'});
    const bool lenient =
        run_with(path, size,
                 (gt_csv_options){.header = true, .missing_as_nan = true, .missing = "NA"});
    /* What is numbers throughout is a table under any header. */
    fuzz_check(!plain || lenient);
    return plain || semicolons || lenient;
}

static size_t seed(int i, uint8_t *out) {
    static const char *const files[] = {
        "a,b\n1,2\n3,4\n",
        "1,-2.5,3e-4\r\n+.5,6.,\"7\"\r\n",
        "\"two \"\"words\"\"\",y\n1,nan\n\n-inf,0\n",
        "1;2;3\n4;5;6\n",
        "a,b,c\n1, ,NA\n 2 ,3,\n",
        "\xef\xbb\xbf+1\n2\n",
    };
    if (i >= (int)(sizeof files / sizeof *files)) return 0;
    const size_t size = strlen(files[i]);
    memcpy(out, files[i], size);
    return size;
}

const fuzz_target fuzz_csv = {"csv", run, seed};
