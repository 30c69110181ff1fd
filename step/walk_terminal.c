/* step/walk.c: walks through a journal: reads commands, moves, shows. Every command is one row of the table. */
#include "step/walk.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- showing --------------------------------------------------------------------------------------------------------- */

void gt__walk_show(gt__walk *w) {
    gt__write_step(w->j, w->at, &w->style, w->out);
    gt__walk_watches(w);
}

static const char *skip_blanks(const char *s) {
    while (*s == ' ' || *s == '\t') s++;
    return s;
}

/* ---- naming a gate --------------------------------------------------------------------------------------------------------- */

/* Reads "[i,j]" into the place of that element. */
static bool element_of(gt__walk *w, const char **rest, uint32_t gate, int64_t *element) {
    const gt_shape shape = gt_shape_of(w->j->gate[gate].value);
    const char *s = *rest + 1;
    *element = 0;
    for (int d = 0; d < shape.rank; d++) {
        char *end;
        const long long i = strtoll(s, &end, 10);
        if (end == s || i < 0 || i >= shape.dim[d] || *end != (d + 1 < shape.rank ? ',' : ']')) {
            fprintf(w->out, "give one position for each axis of %s, counted from 0\n",
                    w->j->gate[gate].label);
            return false;
        }
        *element = *element * shape.dim[d] + i;
        s = end + 1;
    }
    *rest = s;
    return shape.rank > 0;
}

/* The longest label that the text begins with and that ends there. */
static uint32_t longest_label(const gt_journal *j, const char *text, size_t *length) {
    uint32_t found = GT__NO_GATE;
    *length = 0;
    for (uint32_t i = 0; i < j->n_gates; i++) {
        const size_t n = strlen(j->gate[i].label);
        if (j->gate[i].kind == GT__ALIAS || n <= *length) continue;
        if (strncmp(text, j->gate[i].label, n) != 0 || !strchr(" \t=[", text[n])) continue;
        found = i;
        *length = n;
    }
    return found;
}

bool gt__walk_gate(gt__walk *w, const char **rest, uint32_t *gate, int64_t *element) {
    size_t length;
    const char *text = skip_blanks(*rest);
    *gate = longest_label(w->j, text, &length);
    if (*gate == GT__NO_GATE) {
        fprintf(w->out, "no gate or input is called %s\n", *text ? text : "nothing: give a name");
        return false;
    }
    *rest = text + length;
    *element = w->j->gate[*gate].v.numel == 1 ? 0 : -1;
    if (**rest == '[' && !element_of(w, rest, *gate, element)) return false;
    *rest = skip_blanks(*rest);
    return true;
}

/* ---- moving ------------------------------------------------------------------------------------------------------------------- */

static bool same_operation(const gt_journal *j, uint32_t a, uint32_t b) {
    return j->step[a].gate == j->step[b].gate && j->step[a].kind == j->step[b].kind;
}

static bool at_end(gt__walk *w, bool forward) {
    const bool end = forward ? w->at + 1 >= w->j->n_steps : w->at == 0;
    if (end) fprintf(w->out, forward ? "the end\n" : "the beginning\n");
    return end;
}

/* Shows every step up to the last one of the next operation. */
static void next_operation(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, true)) return;
    do {
        w->at++;
        gt__walk_show(w);
    } while (w->at + 1 < w->j->n_steps && same_operation(w->j, w->at, w->at + 1));
}

static void previous_operation(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, false)) return;
    const uint32_t from = w->at;
    while (w->at > 0 && same_operation(w->j, w->at, from)) w->at--;
    gt__walk_show(w);
}

static void next_step(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, true)) return;
    w->at++;
    gt__walk_show(w);
}

static void previous_step(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, false)) return;
    w->at--;
    gt__walk_show(w);
}

static void run_on(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, true)) return;
    do w->at++;
    while (w->at + 1 < w->j->n_steps && !gt__walk_stops_here(w, w->at));
    gt__walk_show(w);
}

static void run_back(gt__walk *w, const char *rest) {
    (void)rest;
    if (at_end(w, false)) return;
    do w->at--;
    while (w->at > 0 && !gt__walk_stops_here(w, w->at));
    gt__walk_show(w);
}

static void go_to(gt__walk *w, const char *rest) {
    char *end;
    const unsigned long step = strtoul(rest, &end, 10);
    if (end == rest || step < 1 || step > w->j->n_steps) {
        fprintf(w->out, "steps are 1 to %u\n", w->j->n_steps);
        return;
    }
    w->at = (uint32_t)step - 1;
    gt__walk_show(w);
}

static void list_around(gt__walk *w, const char *rest) {
    enum { AROUND = 5 };
    (void)rest;
    const uint32_t first = w->at < AROUND ? 0 : w->at - AROUND;
    for (uint32_t i = first; i < w->j->n_steps && i <= w->at + AROUND; i++) {
        fputs(i == w->at ? "> " : "  ", w->out);
        gt__write_step(w->j, i, &w->style, w->out);
    }
}

/* ---- composites ------------------------------------------------------------------------------------------------------------------- */

/* The walk stays at the step it was at; at the composite itself when that step is gone. */
static void find_again(gt__walk *w, gt__step was) {
    const uint32_t parent = w->j->gate[was.gate].parent;
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < w->j->n_steps; i++) {
            const gt__step *s = &w->j->step[i];
            if (s->kind != was.kind || s->gate != was.gate) continue;
            if (pass == 0 && was.kind == GT__FLOW && s->edge != was.edge) continue;
            w->at = i;
            return;
        }
        if (parent != GT__NO_GATE) was.gate = parent;
    }
}

static void open_or_close(gt__walk *w, const char *rest, bool open) {
    uint32_t gate;
    int64_t element;
    if (!gt__walk_gate(w, &rest, &gate, &element)) return;
    const gt__step was = w->j->step[w->at];
    if (!gt__journal_open(w->j, gate, open)) {
        fprintf(w->out, "%s\n", gt_journal_error(w->j));
        w->done = true;
        return;
    }
    if (w->j->gate[gate].n_inner == 0) {
        fprintf(w->out, "%s is not made of smaller gates\n", w->j->gate[gate].label);
        return;
    }
    find_again(w, was);
    gt__walk_show(w);
}

static void open_gate(gt__walk *w, const char *rest) { open_or_close(w, rest, true); }
static void close_gate(gt__walk *w, const char *rest) { open_or_close(w, rest, false); }

/* ---- exports ------------------------------------------------------------------------------------------------------------------------ */

static void export(gt__walk *w, const char *name, bool (*write)(gt_journal *, FILE *)) {
    FILE *out = *name ? fopen(name, "w") : w->out;
    bool ok = out && write(w->j, out);
    if (*name && out) ok = fclose(out) == 0 && ok;
    if (!ok)
        fprintf(w->out, "%s could not be written\n", *name ? name : "it");
    else if (*name)
        fprintf(w->out, "wrote %s\n", name);
}

static void export_text(gt__walk *w, const char *rest) { export(w, rest, gt_journal_text); }
static void export_json(gt__walk *w, const char *rest) { export(w, rest, gt_journal_json); }
static void export_dot(gt__walk *w, const char *rest) { export(w, rest, gt_journal_dot); }

static void export_svg(gt__walk *w, const char *rest) { export(w, rest, gt_journal_svg); }

static bool write_page(gt_journal *j, FILE *out) { return gt_journal_page(j, NULL, out); }
static void export_page(gt__walk *w, const char *rest) { export(w, rest, write_page); }

static void draw(gt__walk *w, const char *rest) {
    (void)rest;
    if (!gt__write_circuit(w->j, &w->style, 80, 24, w->out))
        fprintf(w->out, "%s\n", gt_journal_error(w->j));
}

/* ---- commands --------------------------------------------------------------------------------------------------------------------------- */

static void quit(gt__walk *w, const char *rest) {
    (void)rest;
    w->done = true;
}

static void help(gt__walk *w, const char *rest);

/* clang-format off */
static const gt__command commands[] = {
    {"n",     "next",   "",            "the next operation",                                  next_operation},
    {"p",     "prev",   "",            "the previous operation",                              previous_operation},
    {"N",     "step",   "",            "the next edge: one contribution",                     next_step},
    {"P",     "back",   "",            "the previous edge",                                   previous_step},
    {"c",     "run",    "",            "run on to a breakpoint, or to the end",               run_on},
    {"rc",    "rerun",  "",            "run back to a breakpoint, or to the beginning",       run_back},
    {"g",     "go",     "STEP",        "go to a step",                                        go_to},
    {"l",     "list",   "",            "the steps around this one",                           list_around},
    {"b",     "break",  "[WHERE]",     "stop at a gate, at nan, or if |grad| > 1e3; alone: list", gt__walk_break},
    {"d",     "delete", "NUMBER",      "delete a breakpoint",                                 gt__walk_delete},
    {"w",     "watch",  "GATE",        "show its value and gradient at every step; again: stop", gt__walk_watch},
    {"e",     "explain", "[GATE]",     "this step, or a gate: downstream = upstream x local", gt__walk_explain},
    {"paths", "routes", "GATE",        "how its gradient splits into the routes it came by",  gt__walk_paths},
    {"nudge", "try",    "INPUT BY",    "change an input a little: predicted against actual",  gt__walk_nudge},
    {"set",   "put",    "INPUT=VALUE", "set an input and see everything move",                gt__walk_set},
    {"open",  "unfold", "GATE",        "step through what a composite is made of",            open_gate},
    {"close", "fold",   "GATE",        "step over it again",                                  close_gate},
    {"quiz",  "ask",    "",            "predict the next number; a blank line reveals it",    gt__walk_quiz},
    {"tree",  "draw",   "",            "draw the circuit: values above, gradients below",     draw},
    {"text",  "write",  "[FILE]",      "the whole journal as text",                           export_text},
    {"json",  "data",   "[FILE]",      "the whole journal as JSON",                           export_json},
    {"dot",   "graph",  "[FILE]",      "the circuit for Graphviz",                            export_dot},
    {"svg",   "picture", "[FILE]",     "the circuit as an SVG picture",                       export_svg},
    {"html",  "page",   "FILE",        "a page to step through in a browser",                 export_page},
    {"diff",  "claims", "FILE",        "compare derivatives found by hand: lines df/dx = z",  gt__walk_diff},
    {"h",     "help",   "",            "this list",                                           help},
    {"q",     "quit",   "",            "leave",                                               quit},
};
/* clang-format on */
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void help(gt__walk *w, const char *rest) {
    (void)rest;
    for (int i = 0; i < N_COMMANDS; i++) {
        char left[40];
        snprintf(left, sizeof left, "%s, %s %s", commands[i].name, commands[i].longer,
                 commands[i].arguments);
        fprintf(w->out, "  %-22s %s\n", left, commands[i].meaning);
    }
}

static const gt__command *command_of(const char *word, size_t length) {
    for (int i = 0; i < N_COMMANDS; i++) {
        const char *const names[] = {commands[i].name, commands[i].longer};
        for (int k = 0; k < 2; k++)
            if (strlen(names[k]) == length && strncmp(names[k], word, length) == 0)
                return &commands[i];
    }
    return NULL;
}

void gt__walk_line(gt__walk *w, const char *line) {
    line = skip_blanks(line);
    if (w->asking) {
        gt__walk_answer(w, line);
        return;
    }
    const size_t length = strcspn(line, " \t");
    if (length == 0 || *line == '#') return;
    const gt__command *command = command_of(line, length);
    if (command)
        command->run(w, skip_blanks(line + length));
    else
        fprintf(w->out, "no command is called %.*s: help lists them\n", (int)length, line);
}

/* ---- walking -------------------------------------------------------------------------------------------------------------------------------- */

static bool speaks_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strstr(value, "UTF-8") || strstr(value, "utf8");
    }
    return false;
}

static gt__style style_for(const gt_walk_options *options) {
    const char *no_color = getenv("NO_COLOR");
    const bool dull = no_color && *no_color;
    return (gt__style){.ascii = options->ascii || !speaks_utf8(),
                       .color = !options->plain && !dull && gt__is_terminal(options->out)};
}

static void blank_repeats(gt__walk *w, gt__lines *lines) {
    char line[GT__WALK_LINE], last[GT__WALK_LINE] = "n";
    while (!w->done && gt__lines_read(lines, line)) {
        const bool blank = line[strspn(line, " \t")] == 0;
        if (!blank && !w->asking) memcpy(last, line, sizeof last);
        gt__walk_line(w, blank && !w->asking ? last : line);
    }
}

bool gt_journal_walk(gt_journal *journal, const gt_walk_options *options) {
    if (!gt__journal_ready(journal) || !options || !options->out) return false;
    gt__walk w = {.j = journal, .out = options->out, .style = style_for(options)};
    gt__lines *lines =
        options->in ? gt__lines_open(journal->params, options->in, options->out) : NULL;
    if (options->in && !lines) return gt__journal_fail(journal, "out of memory: a walk");
    gt__walk_show(&w);
    if (lines) blank_repeats(&w, lines);
    gt__lines_close(lines);
    return !ferror(options->out);
}

bool gt_walk_with(gt_tape *tape, gt_tensor output, const gt_walk_options *options) {
    if (!options || !options->out) return false;
    if (!tape || output.tape != tape) {
        fputs("walk: the output is not of this tape\n", options->out);
        return false;
    }
    gt_journal *journal = gt_journal_of(output);
    const bool ok = gt_journal_walk(journal, options);
    if (!ok) fprintf(options->out, "%s\n", gt_journal_error(journal));
    gt_journal_free(journal);
    return ok;
}

bool gt_walk(gt_tape *tape, gt_tensor output) {
    return gt_walk_with(tape, output, &(gt_walk_options){.in = stdin, .out = stdout});
}
