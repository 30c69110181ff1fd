/* cli/step_command.c: `gradtape step`: walk through a formula, or write its journal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "gradtape.h"

static const char help[] =
    "usage: gradtape step 'f = (x+y)*z' x=-2 y=5 z=-4 [OPTION]...\n"
    "       gradtape step --lesson NAME [OPTION]...\n"
    "\n"
    "Walks through the formula and its gradients, gate by gate; `help` lists what it answers.\n"
    "Reads commands from a terminal or from a pipe. Instead of walking it writes, with\n"
    "\n"
    "  --text          the whole journal, one line a step\n"
    "  --json          the journal for other tools\n"
    "  --dot           the circuit for Graphviz\n"
    "  --svg           the circuit as a picture\n"
    "  --html FILE     a page to step through in a browser, one file that needs no other\n"
    "  --ascii         no characters beyond ASCII\n"
    "\n"
    "`gradtape lessons` lists the lessons. NO_COLOR keeps colours away.\n"
    "Exit status: 0 done, 3 not understood.\n";

typedef bool (*writer)(gt_journal *journal, FILE *out);

typedef struct request {
    char text[4096];    /* the statements, one a line */
    const char *lesson; /* its name */
    const char *page;   /* the file to write one to */
    writer write;       /* NULL: walk */
    bool ascii;
} request;

static int misused(const char *what, const char *word) {
    fprintf(stderr, "gradtape step: %s%s\n", what, word);
    return EXIT_USAGE;
}

static bool add_statement(request *r, const char *statement) {
    const size_t used = strlen(r->text);
    const int more = snprintf(r->text + used, sizeof r->text - used, "%s\n", statement);
    return more >= 0 && (size_t)more < sizeof r->text - used;
}

static int read_option(request *r, int *i, int argc, char **argv) {
    static const struct {
        const char *option;
        writer write;
    } writers[] = {{"--text", gt_journal_text},
                   {"--json", gt_journal_json},
                   {"--dot", gt_journal_dot},
                   {"--svg", gt_journal_svg}};
    const char *word = argv[*i];
    for (size_t k = 0; k < sizeof writers / sizeof *writers; k++)
        if (strcmp(word, writers[k].option) == 0) return r->write = writers[k].write, 0;
    if (strcmp(word, "--ascii") == 0) return r->ascii = true, 0;
    if (strcmp(word, "--lesson") != 0 && strcmp(word, "--html") != 0)
        return misused("there is no option ", word);
    if (*i + 1 == argc) return misused("a name is missing after ", word);
    *(word[2] == 'l' ? &r->lesson : &r->page) = argv[++*i];
    return 0;
}

static int read_request(request *r, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            const int status = read_option(r, &i, argc, argv);
            if (status) return status;
        } else if (!add_statement(r, argv[i])) {
            return misused("the formula is too long", "");
        }
    }
    return 0;
}

static int complain(const request *r, const gt_formula_error *error) {
    char shown[512];
    fprintf(stderr, "gradtape step: %s\n", error->message);
    if (error->span.length)
        fputs(gt_formula_show(r->text, error->span, shown, sizeof shown), stderr);
    return EXIT_USAGE;
}

static bool write_page(gt_journal *journal, const request *r, const gt_lesson *lesson) {
    const gt_page_options options = {.title = lesson ? lesson->title : NULL,
                                     .formula = r->text,
                                     .text = lesson ? lesson->text : NULL};
    FILE *out = fopen(r->page, "w");
    const bool ok = out && gt_journal_page(journal, &options, out);
    return out && fclose(out) == 0 && ok;
}

static bool present(gt_journal *journal, const request *r, const gt_lesson *lesson) {
    const gt_walk_options options = {.in = stdin, .out = stdout, .ascii = r->ascii};
    if (r->page) return write_page(journal, r, lesson);
    if (r->write) return r->write(journal, stdout);
    if (lesson) printf("%s\n%s\n\n", lesson->title, lesson->text);
    return gt_journal_walk(journal, &options);
}

static int run(int argc, char **argv) {
    request r = {.text = ""};
    gt_formula_error error;
    const int status = read_request(&r, argc, argv);
    if (status) return status;
    const gt_lesson *lesson = r.lesson ? gt_lesson_named(r.lesson) : NULL;
    if (r.lesson && !lesson) return misused("there is no lesson ", r.lesson);
    if (lesson && !add_statement(&r, lesson->formula))
        return misused("the formula is too long", "");
    gt_journal *journal = gt_journal_of_formula(r.text, &error);
    if (!journal) return complain(&r, &error);
    const bool ok = present(journal, &r, lesson);
    gt_journal_free(journal);
    return ok ? 0 : misused("the output could not be written", "");
}

const command command_step = {"step", "walk through a formula and its gradients, gate by gate",
                              help, run};

static int list_lessons(int argc, char **argv) {
    (void)argv;
    if (argc > 1) return misused("lessons takes no argument", "");
    for (int i = 0; gt_lesson_at(i); i++)
        printf("%-20s %s\n", gt_lesson_at(i)->name, gt_lesson_at(i)->title);
    return 0;
}

const command command_lessons = {"lessons", "the circuits that `gradtape step --lesson NAME` knows",
                                 "usage: gradtape lessons\n", list_lessons};
