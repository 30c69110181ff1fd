/* step/walk.h: a walk through a journal in the terminal: where it stands, what stops it, what it answers. */
#ifndef GT_WALK_H
#define GT_WALK_H

#include "step/journal.h"

enum { GT__WALK_MOST = 32, GT__WALK_LINE = 1024 };

typedef enum gt__stop_kind { GT__STOP_GATE, GT__STOP_IF, GT__STOP_NAN } gt__stop_kind;

typedef struct gt__stop {
    gt__stop_kind kind;
    uint32_t gate;              /* GT__STOP_GATE */
    bool of_gradient, absolute; /* GT__STOP_IF */
    char relation;              /* '<', '>' or '=' */
    double bound;
} gt__stop;

typedef struct gt__watched {
    uint32_t gate;
    int64_t element;
} gt__watched;

typedef struct gt__walk {
    gt_journal *j;
    FILE *out;
    gt__style style;
    uint32_t at; /* step */
    gt__stop stop[GT__WALK_MOST];
    int n_stops;
    gt__watched watch[GT__WALK_MOST];
    int n_watches;
    bool asking; /* the next line answers a question about the next step */
    int asked, right;
    bool done;
} gt__walk;

typedef struct gt__command {
    const char *name, *longer, *arguments, *meaning;
    void (*run)(gt__walk *w, const char *rest);
} gt__command;

/* ---- walk.c */
void gt__walk_show(gt__walk *w);
/* Runs one line as a reader would type it. */
void gt__walk_line(gt__walk *w, const char *line);
/* Reads a gate and perhaps [i,j] from *rest on and moves *rest behind it. False and a message when there is none;
 * *element is -1 when no element is named of a tensor. */
bool gt__walk_gate(gt__walk *w, const char **rest, uint32_t *gate, int64_t *element);

/* ---- walk_stops.c */
bool gt__walk_stops_here(const gt__walk *w, uint32_t step);
/* Writes an element as "x[0,3]", all of it (element -1) and what has rank 0 as "x". */
void gt__walk_position(const gt__walk *w, const gt__gate *gate, int64_t element);
void gt__walk_watches(const gt__walk *w);
void gt__walk_break(gt__walk *w, const char *rest);
void gt__walk_delete(gt__walk *w, const char *rest);
void gt__walk_watch(gt__walk *w, const char *rest);

/* ---- walk_explain.c */
void gt__walk_explain(gt__walk *w, const char *rest);
void gt__walk_paths(gt__walk *w, const char *rest);
void gt__walk_nudge(gt__walk *w, const char *rest);
void gt__walk_set(gt__walk *w, const char *rest);

/* ---- walk_quiz.c */
void gt__walk_quiz(gt__walk *w, const char *rest);
void gt__walk_answer(gt__walk *w, const char *line);

/* ---- walk_claims.c */
void gt__walk_diff(gt__walk *w, const char *rest);

/* ---- circuit_text.c: the circuit drawn with characters; a list of its gates when it is too large for that. */
bool gt__write_circuit(gt_journal *j, const gt__style *style, int columns, int rows, FILE *out);

/* ---- line_input.c: a line from a terminal (with editing where libedit is) or from anything else. */
typedef struct gt__lines gt__lines;
bool gt__is_terminal(FILE *file);
/* NULL when memory is short. */
gt__lines *gt__lines_open(gt_params *params, FILE *in, FILE *out);
/* Into a buffer of GT__WALK_LINE characters; false at the end. */
bool gt__lines_read(gt__lines *lines, char *line);
void gt__lines_close(gt__lines *lines);

#endif
