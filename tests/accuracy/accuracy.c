/* tests/accuracy/accuracy.c: writes docs/numerics.md, and checks that it still holds.
 *
 *     accuracy write         the document, measured on this machine: takes half an hour
 *     accuracy row NAME      one line of its table
 *     accuracy check FILE    a share of it
 *
 * GT_SOAK=1 in the environment: on every f32 number, which takes two hours. */
#include "accuracy/ulps.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradtape.h"
#include "support/harness.h"

static const char head[] =
    "# Numerics\n"
    "\n"
    "How exact element-wise operations are, and which choices that leaves. The table at the end "
    "is\n"
    "written by `tests/accuracy`; a test measures a share of it again and fails when it no longer "
    "holds.\n"
    "To write it again, which takes half an hour, or two hours for all numbers (`GT_SOAK=1`):\n"
    "\n"
    "    ./dev build && build/bin/tests/accuracy write > docs/numerics.md\n"
    "\n"
    "and `accuracy row NAME` writes one line of it.\n"
    "\n"
    "## Vector functions and scalar ones\n"
    "\n"
    "A row of `ops/ops.def` is compiled several times. Tensors of f32 and f64 run in whole "
    "vectors, "
    "with\n"
    "the functions of glibc's `libmvec` where there are such (exp, log, sin, tanh, erf, ...), for "
    "the\n"
    "best instruction set that the processor has. The last vector of a tensor is padded, so an "
    "element has\n"
    "the same bits wherever it stands. Scalars (rank 0) call `<math.h>` for each number, and so "
    "does\n"
    "everything after `gt_exact(tape, true)`: slower, with the bits that the row's C expression "
    "has "
    "in a\n"
    "program of your own. A vector of one element and a scalar may therefore differ in their last "
    "bits.\n"
    "\n"
    "Nothing is compiled with `-ffast-math`. In these operations the compiler reorders nothing and "
    "fuses no\n"
    "product with a sum, and NaN and infinities come out as C says.\n"
    "\n"
    "`tests/accuracy/ulps.c` measures the distance from the correctly rounded value in units in "
    "the\n"
    "last place: at most 0.5 is correctly rounded, below 1 is one of the two neighbours. The "
    "reference is the\n"
    "row in long double. `p` is 1.5 in rows that have a parameter. f64, and rows of two inputs, "
    "are "
    "tried on a\n"
    "quarter of a million random numbers, f32 rows of one input on those that the table names.\n"
    "\n"
    "Large numbers in the table have a reason. `gelu` in its left tail is the product of a large "
    "number\n"
    "with a tiny one, whose exponent has a rounded argument; `gelu_tanh` likewise. `silu` and "
    "`mish` "
    "are off\n"
    "where e^x is below the smallest normal number and has lost digits. `logaddexp` crosses zero, "
    "where only\n"
    "the absolute error is small.\n"
    "\n"
    "## Denormal numbers\n"
    "\n"
    "On x86 processors element-wise operations of f32 tensors, and sums and other folds that run "
    "with them, take\n"
    "numbers below the smallest normal one (1.2e-38) for 0, operands and results alike: many "
    "processors need a\n"
    "hundred times as long for them, and saturated sigmoids make many. `gt_keep_denormals(tape, "
    "true)` keeps\n"
    "them. f64, scalars (rank 0), matrix products and everything after `gt_exact(tape, true)` keep "
    "them always, and so\n"
    "do other processors. The mode is the processor's control register, set in the threads that "
    "compute\n"
    "and set back after each operation, or group of operations: the caller's own setting stays.\n"
    "\n"
    "## Convolutions by 3x3\n"
    "\n"
    "f32 convolutions by 3x3 with a stride of 1, from 8 to 8 channels on, and both their "
    "gradients, are made of tiles of\n"
    "4x4 in a quarter of the multiplications (`ops/winograd.c`), which rounds otherwise than a sum "
    "of products. For normal\n"
    "numbers the root of the mean squared error is 5e-7 (16 channels) to 1.4e-6 (256) of the "
    "result's, the largest\n"
    "1e-5; sums of products, one after the other, have 2e-7 to 9e-7 and 7e-6. An infinity or NaN "
    "in x makes all of the\n"
    "tiles that see it NaN, not just the elements whose windows do. f64, which gradient checks "
    "use, has no such tiles.\n"
    "\n";

/* ---- the rows in question: they call functions ------------------------------------------------------ */

static bool calls_functions(const gt_op *op) {
    return op->more.forward_text && op->more.tile(GT_F32, GT_F32) && !op->more.tile(GT_I32, GT_I32);
}

static void print_cell(FILE *out, const gt_op *op, const finding *f) {
    if (f->wrong)
        fprintf(stderr, "%s: NaN for a number, or the reverse: %lld times, first at %g, %g\n",
                op->name, (long long)f->wrong, f->wrong_at[0], f->wrong_at[1]);
    fprintf(out, " %.3g | %.7g", f->units, f->at[0]);
    if (takes_two(op)) fprintf(out, ", %.7g", f->at[1]);
    fprintf(out, " |");
    fflush(out);
}

/* Of the 2^32 f32 numbers, one in so many. */
enum { SHARE = 15 };

/* Vectors, then scalars, each in f32 and f64. */
static void print_row(FILE *out, const gt_op *op) {
    const gt_op_more *m = &op->more;
    finding f[2][2];
    for (int d = 0; d < 2; d++) {
        const gt_dtype dtype = d ? GT_F64 : GT_F32;
        const gt_tile tile[2] = {m->tile(dtype, dtype), m->exact(dtype, dtype)};
        measure(op, dtype, tile, 2, (effort){is_soak() ? 1 : SHARE, 1 << 18}, f[d]);
    }
    fprintf(out, "| `%s` | `%s` |", op->name, m->forward_text);
    for (int cell = 0; cell < 4; cell++) print_cell(out, op, &f[cell % 2][cell / 2]);
    fputc('\n', out);
}

static int write_row(FILE *out, const char *name) {
    for (int i = 0; gt_op_at(i); i++) {
        if (!calls_functions(gt_op_at(i)) || strcmp(gt_op_at(i)->name, name) != 0) continue;
        print_row(out, gt_op_at(i));
        return 0;
    }
    fprintf(stderr, "accuracy: no row %s\n", name);
    return 1;
}

static int write_document(FILE *out) {
    const char *name = NULL;
    gt__kernels_at(0, &name);
    fputs(head, out);
    fprintf(out, "## The table\n\nVector functions for %s. f32 rows of one input: ", name);
    if (is_soak())
        fputs("all of the 2^32 numbers.\n\n", out);
    else
        fprintf(out, "every %dth of the 2^32 numbers.\n\n", SHARE);
    fputs("| row | computed as | f32, vectors | at | f64, vectors | at | f32, scalars | at | f64, "
          "scalars | at |\n|---|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (int i = 0; gt_op_at(i); i++)
        if (calls_functions(gt_op_at(i))) print_row(out, gt_op_at(i));
    return ferror(out) ? 1 : 0;
}

/* ---- checking --------------------------------------------------------------------------------------- */

typedef struct claim {
    char name[32], text[512];
    double units[4]; /* f32 and f64 with vectors, then with scalars */
} claim;

/* Cell k of a table's line, without blanks and back quotes around it; false when there is none. */
static bool cell_of(const char *line, int k, char *text, size_t size) {
    for (; k >= 0; k--) {
        line = strchr(line, '|');
        if (!line++) return false;
    }
    line += strspn(line, " `");
    size_t n = 0;
    for (; line[n] && line[n] != '|' && n + 1 < size; n++) text[n] = line[n];
    while (n && strchr(" `\n", text[n - 1])) n--;
    text[n] = 0;
    return n > 0;
}

static bool read_claim(const char *line, claim *c) {
    char text[64];
    if (strncmp(line, "| `", 3) != 0 || !cell_of(line, 0, c->name, sizeof c->name) ||
        !cell_of(line, 1, c->text, sizeof c->text))
        return false;
    for (int k = 0; k < 4; k++) {
        char *end;
        if (!cell_of(line, 2 + 2 * k, text, sizeof text)) return false;
        c->units[k] = strtod(text, &end);
        if (*end) return false;
    }
    return true;
}

/* Other processors and other versions of the C library round a little differently. */
static bool holds(const gt_op *op, const char *which, gt_dtype dtype, double claimed,
                  const finding *f) {
    if (f->wrong == 0 && f->units <= 1.1 * claimed + 1) return true;
    printf("%s, %s, %s: %.3g units at %.9g, %.9g, claimed %.3g; %lld times NaN for a number or the "
           "reverse\n",
           op->name, gt_dtype_name(dtype), which, f->units, f->at[0], f->at[1], claimed,
           (long long)f->wrong);
    return false;
}

enum { MOST_KERNELS = 8 };

static bool check_claim(const gt_op *op, int row, const claim *c) {
    const effort e = is_soak() ? (effort){1, 1 << 18} : (effort){8192, 1 << 14};
    bool good = strcmp(op->more.forward_text, c->text) == 0;
    if (!good) printf("%s is computed otherwise than docs/numerics.md says\n", op->name);
    for (int d = 0; d < 2; d++) {
        const gt_dtype dtype = d ? GT_F64 : GT_F32;
        const char *name[MOST_KERNELS] = {"scalars"};
        gt_tile tile[MOST_KERNELS] = {gt__kernels_exact[row][dtype]};
        finding f[MOST_KERNELS];
        int count = 1;
        for (const gt__kernels *k;
             count < MOST_KERNELS && (k = gt__kernels_at(count - 1, &name[count])) != NULL; count++)
            tile[count] = (*k)[row][dtype];
        measure(op, dtype, tile, count, e, f);
        for (int k = 0; k < count; k++)
            good = holds(op, name[k], dtype, c->units[k ? d : 2 + d], &f[k]) && good;
    }
    return good;
}

static int row_of(const gt_op *op) {
    int row = 0;
    for (int i = 0; gt_op_at(i) && gt_op_at(i) != op; i++)
        row += gt_op_at(i)->more.forward_text != NULL;
    return row;
}

static int check_document(FILE *in) {
    char line[2048];
    int passed = 0, failed = 0, claimed = 0, wanted = 0;
    for (int i = 0; gt_op_at(i); i++) wanted += calls_functions(gt_op_at(i));
    while (fgets(line, sizeof line, in)) {
        claim c;
        if (!read_claim(line, &c)) continue;
        for (int i = 0; gt_op_at(i); i++) {
            const gt_op *op = gt_op_at(i);
            if (!calls_functions(op) || strcmp(op->name, c.name) != 0) continue;
            claimed++;
            if (check_claim(op, row_of(op), &c))
                passed++;
            else
                failed++;
        }
    }
    if (claimed != wanted) {
        printf("docs/numerics.md has %d of %d rows: its head tells how to write it again\n",
               claimed, wanted);
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "write") == 0) return write_document(stdout);
    if (argc == 3 && strcmp(argv[1], "row") == 0) return write_row(stdout, argv[2]);
    FILE *in = argc == 3 && strcmp(argv[1], "check") == 0 ? fopen(argv[2], "r") : NULL;
    if (!in) {
        fprintf(stderr,
                "usage: accuracy write | accuracy row NAME | accuracy check docs/numerics.md\n");
        return 2;
    }
    const int status = check_document(in);
    fclose(in);
    return status;
}
