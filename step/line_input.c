/* step/line_input.c: reads commands a line at a time: with editing and a history from a terminal where the library
 * was built with libedit, plainly from anything else. What asks about terminals is POSIX; elsewhere none is seen. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>
#define HAS_TERMINALS 1
#endif

#include <string.h>

#include "step/walk.h"

#if defined(GT_WITH_LIBEDIT)
#include <histedit.h>
#endif

struct gt__lines {
    gt_params *params;
    FILE *in, *out;
    bool prompts;
#if defined(GT_WITH_LIBEDIT)
    EditLine *editor;
    History *history;
#endif
};

static const char prompt[] = "(step) ";

bool gt__is_terminal(FILE *file) {
#if defined(HAS_TERMINALS)
    return isatty(fileno(file));
#else
    (void)file;
    return false;
#endif
}

#if defined(GT_WITH_LIBEDIT)
static char *prompt_of(EditLine *editor) {
    (void)editor;
    return (char *)prompt; /* libedit does not write to it */
}

static void open_editor(gt__lines *l) {
    HistEvent event;
    if (!l->prompts) return;
    l->editor = el_init("gradtape", l->in, l->out, l->out);
    l->history = l->editor ? history_init() : NULL;
    if (!l->editor) return;
    el_set(l->editor, EL_PROMPT, prompt_of);
    el_set(l->editor, EL_EDITOR, "emacs");
    el_set(l->editor, EL_SIGNAL, 1); /* an interrupt leaves the terminal as it was */
    if (!l->history) return;
    history(l->history, &event, H_SETSIZE, 500);
    el_set(l->editor, EL_HIST, history, l->history);
}

static void close_editor(gt__lines *l) {
    if (l->history) history_end(l->history);
    if (l->editor) el_end(l->editor);
}

static bool read_edited(gt__lines *l, char *line) {
    HistEvent event;
    int length = 0;
    const char *typed = el_gets(l->editor, &length);
    if (!typed || length <= 0) return false;
    snprintf(line, GT__WALK_LINE, "%s", typed);
    if (l->history && length > 1) history(l->history, &event, H_ENTER, line);
    return true;
}
#endif

gt__lines *gt__lines_open(gt_params *params, FILE *in, FILE *out) {
    gt__lines *l = gt_params_alloc(params, NULL, 0, sizeof *l);
    if (!l) return NULL;
    memset(l, 0, sizeof *l);
    l->params = params;
    l->in = in;
    l->out = out;
    l->prompts = gt__is_terminal(in) && gt__is_terminal(out);
#if defined(GT_WITH_LIBEDIT)
    open_editor(l);
#endif
    return l;
}

void gt__lines_close(gt__lines *l) {
    if (!l) return;
#if defined(GT_WITH_LIBEDIT)
    close_editor(l);
#endif
    gt_params_alloc(l->params, l, sizeof *l, 0);
}

/* The end of a line that is too long is read and dropped. */
static bool read_plain(gt__lines *l, char *line) {
    if (l->prompts) fputs(prompt, l->out);
    fflush(l->out);
    if (!fgets(line, GT__WALK_LINE, l->in)) return false;
    for (int c = strchr(line, '\n') ? '\n' : 0; c != '\n' && c != EOF;) c = fgetc(l->in);
    return true;
}

bool gt__lines_read(gt__lines *l, char *line) {
#if defined(GT_WITH_LIBEDIT)
    const bool ok = l->editor ? read_edited(l, line) : read_plain(l, line);
#else
    const bool ok = read_plain(l, line);
#endif
    if (ok) line[strcspn(line, "\r\n")] = 0;
    return ok;
}
