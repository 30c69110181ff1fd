/* cli/check_command.c: gradtape check: judges claims about formulas. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "gradtape.h"

enum { CLAIMS = 256, EXIT_RIGHT = 0, EXIT_WRONG = 1, EXIT_UNTOLD = 2 };

/* ---- the text -------------------------------------------------------------------------------------------------------- */

typedef struct text {
    char *bytes;
    size_t size, room;
} text;

static bool append(text *t, const char *bytes, size_t n) {
    if (t->size + n + 1 > t->room) {
        const size_t room = 2 * t->room + n + 256;
        char *grown = realloc(t->bytes, room);
        if (!grown) return false;
        t->bytes = grown;
        t->room = room;
    }
    memcpy(t->bytes + t->size, bytes, n);
    t->size += n;
    t->bytes[t->size] = 0;
    return true;
}

static bool append_file(text *t, FILE *file) {
    char block[4096];
    bool ok = true;
    for (size_t n; ok && (n = fread(block, 1, sizeof block, file)) > 0;) ok = append(t, block, n);
    return ok && !ferror(file) && append(t, "\n", 1);
}

/* A statement, or a file of them; - is the standard input. */
static bool append_argument(text *t, const char *argument) {
    if (strcmp(argument, "-") == 0) return append_file(t, stdin);
    FILE *file = strchr(argument, '=') ? NULL : fopen(argument, "rb");
    if (!file) return append(t, argument, strlen(argument)) && append(t, "\n", 1);
    const bool ok = append_file(t, file);
    fclose(file);
    return ok;
}

/* "x=-2,W=[1,2;3,4]": commas outside brackets part the values. */
static bool append_values(text *t, const char *values) {
    int brackets = 0;
    bool ok = true;
    for (const char *c = values; ok && *c; c++) {
        brackets += (*c == '[') - (*c == ']');
        ok = append(t, *c == ',' && brackets == 0 ? "\n" : c, 1);
    }
    return ok && append(t, "\n", 1);
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

typedef enum output { AS_TEXT, AS_JSON, AS_HTML } output;

typedef struct request {
    text text;
    output form;
} request;

static bool complain(const char *what, const char *about) {
    fprintf(stderr, "gradtape check: %s%s\n", what, about);
    return false;
}

static bool read_arguments(request *r, int argc, char **argv) {
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        bool ok = true;
        if (plain || a[0] != '-' || strcmp(a, "-") == 0)
            ok = append_argument(&r->text, a);
        else if (strcmp(a, "--") == 0)
            plain = true;
        else if (strcmp(a, "--json") == 0)
            r->form = AS_JSON;
        else if (strcmp(a, "--html") == 0)
            r->form = AS_HTML;
        else if (strcmp(a, "--at") == 0 && i + 1 < argc)
            ok = append_values(&r->text, argv[++i]);
        else
            return complain("no such option, or its value is missing: ", a);
        if (!ok) return complain("cannot read ", a);
    }
    return r->text.size > 0 || complain("no formula; see `gradtape help check`", "");
}

/* ---- the answer ------------------------------------------------------------------------------------------------------ */

static int usage_error(const char *formula, const gt_formula_error *error) {
    char shown[600];
    fprintf(stderr, "gradtape check: line %d, column %d: %s\n%s", error->line, error->column,
            error->message, gt_formula_show(formula, error->span, shown, sizeof shown));
    return EXIT_USAGE;
}

/* A number is a claim about the given point; a formula is one about all. */
static int status_of(const gt_formula *f, const gt_claim_report *r) {
    const gt_expr e = gt_formula_at(f, r->statement).expr;
    switch (r->verdict) {
    case GT_RIGHT: return r->carried ? EXIT_WRONG : EXIT_RIGHT;
    case GT_RIGHT_AT_KINK: return EXIT_RIGHT;
    case GT_RIGHT_ONLY_HERE: return gt_expr_is_constant(f, e) ? EXIT_RIGHT : EXIT_WRONG;
    case GT_CANNOT_TELL: return r->doubt == GT_DOUBT_QUESTION ? EXIT_USAGE : EXIT_UNTOLD;
    default: return EXIT_WRONG;
    }
}

/* Usage errors come first, then wrong, then what cannot be told. */
static int worse(int a, int b) {
    if (a == EXIT_USAGE || b == EXIT_USAGE) return EXIT_USAGE;
    if (a == EXIT_WRONG || b == EXIT_WRONG) return EXIT_WRONG;
    return a > b ? a : b;
}

static bool wants_color(void) {
    const char *no = getenv("NO_COLOR");
    return !(no && no[0]) && isatty(STDOUT_FILENO);
}

static void begin(output form) {
    if (form == AS_JSON) fputc('[', stdout);
    if (form != AS_HTML) return;
    fputs("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>gradtape "
          "check</title>\n<style>\n"
          "body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\n"
          ".claim{border-left:.4em solid #888;padding:.1em 1em;margin:1.5em 0}\n"
          ".right{border-color:#2a7d2a}.wrong{border-color:#b3261e}\n"
          "h2{font-size:1.05em}code{font-size:1.05em}mark{background:#ffe28a;padding:0 .15em}\n"
          "pre{background:#f3f3f3;padding:1em}\n"
          "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}pre{background:#"
          "242424}}\n"
          "</style>\n<h1>gradtape check</h1>\n",
          stdout);
}

static void show(const gt_claim_report *r, output form, bool first) {
    if (form == AS_JSON) {
        fputs(first ? "\n" : ",\n", stdout);
        gt_claim_print_json(r, stdout);
    } else if (form == AS_HTML) {
        gt_claim_print_html(r, stdout);
    } else {
        gt_claim_print(r, wants_color(), stdout);
    }
}

static int judge(const char *formula, output form) {
    gt_formula_error error;
    gt_formula *f = gt_formula_parse(formula, NULL, &error);
    if (!f) return usage_error(formula, &error);
    gt_claim_report *report = calloc(CLAIMS, sizeof *report);
    int status = EXIT_RIGHT;
    const int n = report ? gt_check_formula(f, NULL, report, CLAIMS, &error) : -1;
    if (n < 0) status = usage_error(formula, &error);
    if (n == 0) status = EXIT_USAGE, complain("nothing is claimed: add df/dx = ...", "");
    if (n > CLAIMS) status = EXIT_USAGE, complain("more claims than can be judged at once", "");
    if (n > 0) begin(form);
    for (int i = 0; i < n && i < CLAIMS; i++) {
        show(&report[i], form, i == 0);
        status = worse(status, status_of(f, &report[i]));
    }
    if (n > 0 && form == AS_JSON) fputs("\n]\n", stdout);
    if (n > 0 && form == AS_HTML) fputs("</html>\n", stdout);
    free(report);
    gt_formula_free(f);
    return status;
}

static int run(int argc, char **argv) {
    request r = {.form = AS_TEXT};
    const int status = read_arguments(&r, argc, argv) ? judge(r.text.bytes, r.form) : EXIT_USAGE;
    free(r.text.bytes);
    return fflush(stdout) == 0 ? status : EXIT_USAGE;
}

const command command_check = {
    "check", "is my hand-derived gradient right, and if not, which term is wrong?",
    "usage: gradtape check [--json | --html] [--at x=1,y=2] STATEMENT|FILE ...\n\n"
    "  gradtape check 'f = (x+y)*z' --at x=-2,y=5,z=-4 'df/dx = z' 'df/dz = x+y'\n"
    "  gradtape check steps.txt        a file of such statements; - reads the standard input\n\n"
    "statements: f = ... defines; df/dx = ..., d2f/dxdy = ... and dq = ... claim derivatives;\n"
    "f = ... again claims that both are equal; x = 2 and W = [1 2; 3 4] give values, X[64,10] a "
    "shape.\n"
    "exit status: 0 right (also up to a choice at a kink), 1 wrong, or a formula that is right "
    "only\n"
    "at the given values, 2 cannot tell, 3 usage. NO_COLOR turns colors off.\n",
    run};
