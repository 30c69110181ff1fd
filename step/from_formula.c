/* step/from_formula.c: the journal of a formula that someone typed. */
#include <string.h>

#include "step/journal.h"

static int last_definition(const gt_formula *f) {
    int last = -1;
    for (int i = 0; i < gt_formula_count(f); i++)
        if (gt_formula_at(f, i).kind == GT_DEFINES) last = i;
    return last;
}

static gt_journal *complain(gt_formula_error *error, const char *message) {
    *error = (gt_formula_error){.line = 1, .column = 1};
    snprintf(error->message, sizeof error->message, "%s", message);
    return NULL;
}

static gt_journal *journal_of_recording(const gt_formula *f, gt_recording *r,
                                        gt_formula_error *error) {
    const int output = last_definition(f);
    if (output < 0) return complain(error, "there is no definition to step through: f = ...");
    if (!gt_record_definitions(r, error)) return NULL;
    gt_journal *j = gt_journal_of(gt_recorded(r, gt_formula_at(f, output).name));
    if (gt__journal_ready(j)) return j;
    complain(error, gt_journal_error(j));
    error->span = gt_formula_at(f, output).span;
    gt_journal_free(j);
    return NULL;
}

static gt_journal *journal_on(gt_params *params, gt_formula *f, gt_formula_error *error) {
    gt_tape *tape = gt_tape_new(params);
    gt_recording *r = tape ? gt_recording_new(f, tape) : NULL;
    gt_journal *j = r ? journal_of_recording(f, r, error) : complain(error, "out of memory");
    gt_recording_free(r);
    gt_tape_free(tape);
    return j;
}

gt_journal *gt_journal_of_formula(const char *text, gt_formula_error *error) {
    gt_formula *f = gt_formula_parse(text, NULL, error);
    if (!f) return NULL;
    gt_params *params = gt_params_new(NULL, 0);
    gt_journal *j = params ? journal_on(params, f, error) : complain(error, "out of memory");
    if (j)
        j->owns_params = true;
    else
        gt_params_free(params);
    gt_formula_free(f);
    return j;
}
