/* tests/accuracy/accuracy.c: measures the table of docs/numerics.md, and checks that it still holds.
 *
 *     accuracy write FILE    that file with its table measured on this machine: takes half an hour
 *     accuracy row NAME      one line of its table
 *     accuracy check FILE    a share of it
 *
 * GT_SOAK=1 in the environment: on every f32 number, which takes three hours. */
#include "accuracy/ulps.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gradtape.h"
#include "support/harness.h"

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
enum { SHARE = 15, MOST_KERNELS = 8 };

static int row_of(const gt_op *op) {
    int row = 0;
    for (int i = 0; gt_op_at(i) && gt_op_at(i) != op; i++)
        row += gt_op_at(i)->more.forward_text != NULL;
    return row;
}

/* The scalar kernel, and behind it those of every instruction set that this processor has; returns how many. */
static int kernels_of(const gt_op *op, gt_dtype dtype, gt_tile tile[MOST_KERNELS],
                      const char *name[MOST_KERNELS]) {
    const int row = row_of(op);
    int count = 1;
    name[0] = "scalars";
    tile[0] = gt__kernels_exact[row][dtype];
    for (const gt__kernels *k;
         count < MOST_KERNELS && (k = gt__kernels_at(count - 1, &name[count])) != NULL; count++)
        tile[count] = (*k)[row][dtype];
    return count;
}

/* The worst of several, with what is wrong of all. */
static finding worst(const finding *f, int count) {
    finding all = f[0];
    for (int k = 1; k < count; k++) {
        if (f[k].units > all.units) {
            all.units = f[k].units;
            memcpy(all.at, f[k].at, sizeof all.at);
        }
        if (all.wrong == 0) memcpy(all.wrong_at, f[k].wrong_at, sizeof all.wrong_at);
        all.wrong += f[k].wrong;
    }
    return all;
}

/* Vectors, the worst instruction set of them, then scalars, each in f32 and f64. */
static void print_row(FILE *out, const gt_op *op) {
    finding cell[2][2];
    for (int d = 0; d < 2; d++) {
        const gt_dtype dtype = d ? GT_F64 : GT_F32;
        const char *name[MOST_KERNELS];
        gt_tile tile[MOST_KERNELS];
        finding f[MOST_KERNELS];
        const int count = kernels_of(op, dtype, tile, name);
        measure(op, dtype, tile, count, (effort){is_soak() ? 1 : SHARE, 1 << 18}, f);
        cell[0][d] = worst(f + 1, count - 1);
        cell[1][d] = f[0];
    }
    fprintf(out, "| `%s` | `%s` |", op->name, op->more.forward_text);
    for (int i = 0; i < 4; i++) print_cell(out, op, &cell[i / 2][i % 2]);
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

/* What stands before the table stays. */
static int write_document(FILE *in, FILE *out) {
    static const char title[] = "## The table\n";
    char line[2048];
    const char *name = NULL;
    while (fgets(line, sizeof line, in) && strcmp(line, title) != 0) fputs(line, out);
    fprintf(out, "%s\nVectors: the worst of", title);
    for (int i = 0; gt__kernels_at(i, &name); i++) fprintf(out, "%s %s", i ? "," : "", name);
    fputs(". f32 rows of one input: ", out);
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

static bool check_claim(const gt_op *op, const claim *c) {
    const effort e = is_soak() ? (effort){1, 1 << 18} : (effort){8192, 1 << 14};
    bool good = strcmp(op->more.forward_text, c->text) == 0;
    if (!good) printf("%s is computed otherwise than docs/numerics.md says\n", op->name);
    for (int d = 0; d < 2; d++) {
        const gt_dtype dtype = d ? GT_F64 : GT_F32;
        const char *name[MOST_KERNELS];
        gt_tile tile[MOST_KERNELS];
        finding f[MOST_KERNELS];
        const int count = kernels_of(op, dtype, tile, name);
        measure(op, dtype, tile, count, e, f);
        for (int k = 0; k < count; k++)
            good = holds(op, name[k], dtype, c->units[k ? d : 2 + d], &f[k]) && good;
    }
    return good;
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
            if (check_claim(op, &c))
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
    if (argc == 3 && strcmp(argv[1], "row") == 0) return write_row(stdout, argv[2]);
    const bool writes = argc == 3 && strcmp(argv[1], "write") == 0;
    const bool checks = argc == 3 && strcmp(argv[1], "check") == 0;
    FILE *in = writes || checks ? fopen(argv[2], "r") : NULL;
    if (!in) {
        fprintf(stderr,
                "usage: accuracy write docs/numerics.md | accuracy row NAME | accuracy check "
                "docs/numerics.md\n");
        return 2;
    }
    const int status = writes ? write_document(in, stdout) : check_document(in);
    fclose(in);
    return status;
}
