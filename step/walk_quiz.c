/* step/walk_quiz.c: predict, then reveal: the walk asks for the number that the next step brings. */
#include <math.h>
#include <stdlib.h>

#include "step/walk.h"

static bool has_number(const gt_journal *j, const gt__step *s) {
    if (s->kind == GT__VALUE)
        return j->gate[s->gate].kind == GT__OPERATION && j->gate[s->gate].v.numel == 1;
    return s->kind == GT__FLOW && j->edge[s->edge].gx_f.numel == 1;
}

static double answer_of(const gt_journal *j, const gt__step *s) {
    return s->kind == GT__VALUE ? j->gate[s->gate].v.one : j->edge[s->edge].gx_f.one;
}

void gt__walk_quiz(gt__walk *w, const char *rest) {
    (void)rest;
    while (w->at + 1 < w->j->n_steps && !has_number(w->j, &w->j->step[w->at + 1])) {
        w->at++;
        gt__walk_show(w);
    }
    if (w->at + 1 >= w->j->n_steps) {
        fprintf(w->out, "the end: %d of %d right\n", w->right, w->asked);
        return;
    }
    gt__style asking = w->style;
    asking.hide = true;
    gt__write_step(w->j, w->at + 1, &asking, w->out);
    w->asking = true;
}

/* Right to three digits: nobody should lose for rounding. */
static bool close_to(double answer, double truth) {
    if (isnan(truth)) return isnan(answer);
    return answer == truth || fabs(answer - truth) <= 5e-3 * fabs(truth);
}

void gt__walk_answer(gt__walk *w, const char *line) {
    const double truth = answer_of(w->j, &w->j->step[w->at + 1]);
    char *end, text[40];
    const double answer = strtod(line, &end);
    w->asking = false;
    if (end == line) {
        fputs(*line ? "not a number; " : "", w->out);
        fprintf(w->out, "it is %s\n", gt__number_text(truth, text, sizeof text));
    } else {
        const bool right = close_to(answer, truth);
        w->asked++;
        w->right += right;
        fprintf(w->out, right ? "right: %s (%d of %d)\n" : "no, it is %s (%d of %d)\n",
                gt__number_text(truth, text, sizeof text), w->right, w->asked);
    }
    w->at++;
    gt__walk_show(w);
}
