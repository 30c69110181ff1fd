/* tests/support/sweep_claims.c: the suite of claims: right ones, and wrong ones made from them by every usual
 * mistake, judged by the checker and by the rules of others. */
#include <stdlib.h>
#include <string.h>

#include "support/claim_case.h"
#include "support/claim_formulas.h"
#include "support/claim_mutations.h"
#include "support/sweeps.h"

enum { MOST_MUTATIONS = 40, MOST_RIVALS = 8 };

typedef struct tally {
    int claims, caught, named, repaired, untold;
} tally;

typedef struct results {
    FILE *out;
    int formulas, broken;
    tally right, wrong[N_MUTATIONS];
    int rival_caught[MOST_RIVALS], rival_alarms[MOST_RIVALS];
} results;

/* ---- one claim --------------------------------------------------------------------------------------------------- */

static bool judge(const char *text, gt_claim_report *report) {
    gt_formula_error error;
    gt_formula *formula = gt_formula_parse(text, NULL, &error);
    const int n = formula ? gt_check_formula(formula, NULL, report, 1, &error) : -1;
    gt_formula_free(formula);
    return n == 1;
}

static bool is_wrong(const gt_claim_report *r) {
    return r->verdict == GT_WRONG || r->verdict == GT_RIGHT_ONLY_HERE;
}

static void ask_rivals(claim_case *c, int *count, bool passing) {
    for (int k = 0; rivals[k].name; k++) {
        const bool passes = !gt_is_none(c->claim) && rivals[k].passes(c);
        claim_case_move(c, 0);
        count[k] += passes == passing;
    }
}

static bool has_name(const gt_claim_report *r, mutation_kind kind) {
    for (int k = 0; k < r->n_remarks; k++)
        if (mutation_is_called(kind, r->remark[k].mistake)) return true;
    return false;
}

/* The corrected formula, at points that the checker has not seen. */
static bool is_repaired(const char *definitions, const char *left, const gt_claim_report *r) {
    char text[CASE_TEXT];
    claim_case c;
    if (!r->corrected[0]) return false;
    snprintf(text, sizeof text, "%s; %s = %s", definitions, left, r->corrected);
    const bool right = claim_case_open(&c, text) && !claim_case_differs(&c, 100);
    claim_case_close(&c);
    return right;
}

static void judge_right(results *all, const char *text, bool with_rivals) {
    static gt_claim_report report;
    claim_case c;
    all->right.claims++;
    if (!judge(text, &report) || is_wrong(&report)) {
        all->right.caught++;
        fprintf(all->out, "FAIL false alarm: %s\n", text);
    }
    all->right.untold += report.verdict == GT_CANNOT_TELL;
    if (with_rivals && claim_case_open(&c, text)) ask_rivals(&c, all->rival_alarms, false);
    if (with_rivals) claim_case_close(&c);
}

static void judge_wrong(results *all, const char *definitions, const char *left,
                        const mutation *m) {
    static gt_claim_report report;
    char text[CASE_TEXT];
    claim_case c;
    snprintf(text, sizeof text, "%s; %s = %s", definitions, left, m->text);
    const bool open = claim_case_open(&c, text);
    if (open && claim_case_differs(&c, 0)) {
        tally *t = &all->wrong[m->kind];
        t->claims++;
        const bool caught = judge(text, &report) && is_wrong(&report);
        const bool named = caught && has_name(&report, m->kind);
        const bool repaired = caught && is_repaired(definitions, left, &report);
        t->caught += caught, t->named += named, t->repaired += repaired;
        t->untold += report.verdict == GT_CANNOT_TELL;
        ask_rivals(&c, all->rival_caught, false);
        if (!caught) fprintf(all->out, "FAIL not caught: %s\n", text);
        if (caught && !(named && repaired) && getenv("GT_CLAIMS"))
            fprintf(all->out, "%s%s (%s): %s\n    %s -> %s\n", named ? "" : "no name ",
                    repaired ? "" : "no repair", mutation_name[m->kind], text,
                    report.n_remarks ? report.remark[0].text : "no remark", report.corrected);
    }
    claim_case_close(&c);
}

/* ---- one formula ------------------------------------------------------------------------------------------------- */

/* What is written in other words is as right. */
static void judge_variants(results *all, const char *definitions, const char *left,
                           const char *right) {
    static const char *const way[] = {"%s; %s = %s", "%s; %s = 2*(%s) - (%s)",
                                      "%s; %s = 0.5*(%s) + 0.5*(%s)", "%s; %s = -(-1*(%s))"};
    for (int k = 0; k < 4; k++) {
        char text[CASE_TEXT];
        snprintf(text, sizeof text, way[k], definitions, left, right, right);
        judge_right(all, text, k == 0);
    }
}

static void judge_claim(results *all, const char *definitions, const char *claim, bool mutate) {
    char text[CASE_TEXT], left[64];
    mutation wrong[MOST_MUTATIONS];
    claim_case c;
    int n = 0;
    const char *equals = strstr(claim, " = ");
    snprintf(left, sizeof left, "%.*s", (int)(equals - claim), claim);
    snprintf(text, sizeof text, "%s; %s", definitions, claim);
    if (mutate) {
        const bool right = claim_case_open(&c, text) && !claim_case_differs(&c, 0);
        if (!right) fprintf(all->out, "FAIL the suite itself is wrong: %s\n", text);
        all->broken += !right;
        if (right) n = mutate_claim(c.formula, c.recording, wrong, MOST_MUTATIONS);
        claim_case_close(&c);
        judge_variants(all, definitions, left, equals + 3);
    } else {
        judge_right(all, text, true);
    }
    for (int k = 0; k < n; k++) judge_wrong(all, definitions, left, &wrong[k]);
}

static void judge_list(results *all, const claim_formula *list, bool mutate) {
    for (int i = 0; list[i].definitions; i++, all->formulas++)
        for (int k = 0; k < CLAIM_MOST && list[i].claim[k]; k++)
            judge_claim(all, list[i].definitions, list[i].claim[k], mutate);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static tally print_kinds(const results *all) {
    tally sum = {0, 0, 0, 0, 0};
    fprintf(all->out, "| mistake | claims | caught | named | repaired |\n|---|--:|--:|--:|--:|\n");
    for (int k = 0; k < N_MUTATIONS; k++) {
        const tally *t = &all->wrong[k];
        fprintf(all->out, "| %s | %d | %d | %d | %d |\n", mutation_name[k], t->claims, t->caught,
                t->named, t->repaired);
        sum.claims += t->claims, sum.caught += t->caught, sum.untold += t->untold;
        sum.named += t->named, sum.repaired += t->repaired;
    }
    fprintf(all->out, "| all | %d | %d | %d | %d |\n\n", sum.claims, sum.caught, sum.named,
            sum.repaired);
    return sum;
}

static void print_rivals(const results *all, const tally *wrong) {
    int asked = 0;
    for (const claim_formula *f = claim_formulas; f->definitions; f++)
        for (int k = 0; k < CLAIM_MOST && f->claim[k]; k++) asked++;
    for (const claim_formula *f = claims_at_kinks; f->definitions; f++)
        for (int k = 0; k < CLAIM_MOST && f->claim[k]; k++) asked++;
    fprintf(all->out, "| checker | rule | caught of %d | false alarms of %d |\n|---|---|--:|--:|\n",
            wrong->claims, asked);
    fprintf(all->out, "| gradtape | error budget, 9 points | %d | %d |\n", wrong->caught,
            all->right.caught);
    for (int k = 0; rivals[k].name; k++)
        fprintf(all->out, "| %s | %s | %d | %d |\n", rivals[k].name, rivals[k].rule,
                all->rival_caught[k], all->rival_alarms[k]);
}

void sweep_claims(FILE *out, score *s) {
    results all = {.out = out};
    judge_list(&all, claim_formulas, true);
    judge_list(&all, claims_at_kinks, false);
    const tally wrong = print_kinds(&all);
    print_rivals(&all, &wrong);
    fprintf(out,
            "claims: %d formulas; %d right claims, %d false alarms, %d cannot tell; %d wrong ones, "
            "%d caught\n",
            all.formulas, all.right.claims, all.right.caught, all.right.untold, wrong.claims,
            wrong.caught);
    const bool enough =
        wrong.named * 100 >= wrong.claims * 95 && wrong.repaired * 100 >= wrong.claims * 95;
    if (!enough) fprintf(out, "FAIL fewer than 95 %% of the wrong claims are named and repaired\n");
    s->passed += wrong.caught + all.right.claims - all.right.caught;
    s->failed += wrong.claims - wrong.caught + all.right.caught + all.broken + !enough;
}
