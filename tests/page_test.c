/* tests/page_test.c: drawings, pages and training logs as files: whole, self-contained, deaf to hostile names, and
 * nothing leaks when memory is short. What a page does is tests/browser/'s business. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "step/picture.h"
#include "support/faults.h"
#include "support/quick.h"

typedef struct text {
    char *bytes;
    size_t size;
    FILE *out;
} text;

static text *open_text(text *t) {
    *t = (text){0};
    t->out = open_memstream(&t->bytes, &t->size);
    cr_assert_not_null(t->out);
    return t;
}

static const char *closed(text *t) {
    fclose(t->out);
    return t->bytes;
}

static int occurrences(const char *where, const char *what) {
    int n = 0;
    while ((where = strstr(where, what)) != NULL) n++, where++;
    return n;
}

static gt_tensor named(gt_tape *tape, const char *name, double value) {
    return gt_name(quick_scalar(tape, value), "%s", name);
}

static gt_tensor circuit(gt_tape *tape) {
    const gt_tensor x = named(tape, "x", -2), y = named(tape, "y", 5), z = named(tape, "z", -4);
    return gt_name(gt_mul(gt_sigmoid(gt_add(x, y)), z), "f");
}

/* A chain of gates, each of which also takes one from far behind. */
static gt_tensor long_circuit(gt_tape *tape, int gates) {
    gt_tensor old = named(tape, "x", 0.5), x = old;
    for (int i = 0; i < gates; i++) {
        if (i % 97 == 0) old = x;
        x = gt_mul_scalar(gt_add(x, old), 0.5);
    }
    return x;
}

static const char *svg_of(gt_journal *j, text *t) {
    cr_assert(gt_journal_svg(j, open_text(t)->out), "%s", gt_journal_error(j));
    return closed(t);
}

Test(page, the_drawing_has_every_value_and_gradient) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = gt_journal_of(circuit(tape));
    text t;
    const char *svg = svg_of(j, &t);
    for (uint32_t i = 0; i < j->n_main; i++) {
        char value[40], shown[80];
        gt__figure_text(&j->gate[i].v, j->gate[i].value, value, sizeof value);
        snprintf(shown, sizeof shown, ">%s</text>", value);
        cr_expect(strstr(svg, shown), "no value %s", shown);
        gt__figure_text(&j->gate[i].g, j->gate[i].gradient, value, sizeof value);
        snprintf(shown, sizeof shown, ">%s</text>", value);
        cr_expect(strstr(svg, shown), "no gradient %s", shown);
    }
    cr_expect_eq(occurrences(svg, "<g "), occurrences(svg, "</g>"));
    cr_expect_eq(strncmp(svg, "<svg ", 5), 0);
    free(t.bytes);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(page, an_open_gate_is_drawn_with_its_inside) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = gt_journal_of(circuit(tape));
    text t;
    cr_expect_null(strstr(svg_of(j, &t), "1/x"));
    free(t.bytes);
    for (uint32_t i = 0; i < j->n_main; i++) j->gate[i].open = j->gate[i].n_inner > 0;
    cr_expect_not_null(strstr(svg_of(j, &t), "1/x"));
    cr_expect_not_null(strstr(t.bytes, "class=\"frame\""));
    free(t.bytes);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(page, hostile_names_stay_text) {
    gt_tape *tape = gt_tape_new(NULL);
    const char *const evil = "</script></title></svg><img src=x onerror=alert(1)>\"'";
    gt_tensor x = named(tape, evil, 2);
    x = gt_name(gt_mul(x, named(tape, "\xff\xc0\x80\x01", 3)), "%s", evil);
    gt_journal *j = gt_journal_of(x);
    const gt_page_options options = {.title = evil,
                                     .formula = evil,
                                     .text = evil,
                                     .language = evil};
    text t;
    cr_assert(gt_journal_page(j, &options, open_text(&t)->out));
    const char *page = closed(&t);
    cr_expect_eq(occurrences(page, "</script"), 2);
    cr_expect_eq(occurrences(page, "<img"), 0);
    cr_expect_eq(occurrences(page, "</svg>"), 1);
    free(t.bytes);
    cr_expect_eq(occurrences(svg_of(j, &t), "<img"), 0);
    free(t.bytes);
    gt_journal_free(j);
    gt_tape_free(tape);
}

Test(page, a_page_names_no_other_file) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = gt_journal_of(circuit(tape));
    text page, journal;
    cr_assert(gt_journal_page(j, NULL, open_text(&page)->out));
    closed(&page);
    cr_assert(gt_journal_json(j, open_text(&journal)->out));
    closed(&journal);
    cr_expect_eq(occurrences(page.bytes, " src="), 0);
    cr_expect_eq(occurrences(page.bytes, "@import"), 0);
    cr_expect_eq(occurrences(page.bytes, "url("), 0);
    cr_expect_eq(occurrences(page.bytes, "http"),
                 occurrences(page.bytes, "http://www.w3.org/2000/svg") +
                     occurrences(page.bytes, "http-equiv"));
    cr_expect_not_null(strstr(page.bytes, "default-src 'none'"));
    cr_expect_not_null(strstr(page.bytes, journal.bytes), "the page holds another journal");
    cr_expect_lt(page.size - journal.size, 80 * 1024);
    free(page.bytes);
    free(journal.bytes);
    gt_journal_free(j);
    gt_tape_free(tape);
}

/* However long a circuit is, few parts stand in one level, wires go forwards, and none is lost. */
Test(page, long_circuits_are_grouped) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_journal *j = gt_journal_of(long_circuit(tape, 1500));
    gt__picture p;
    cr_assert(gt__picture_make(&p, j, false));
    for (uint32_t i = 0; i < p.n_levels; i++) {
        const gt__layout *l = &p.level[i].layout;
        cr_expect_leq(l->n_boxes, 62);
        for (int e = 0; e < l->n_wires; e++)
            cr_expect_lt(l->box[l->wire[e].from].column, l->box[l->wire[e].to].column);
    }
    for (uint32_t i = 0; i < j->n_main; i++)
        cr_expect(p.part[i].parent != GT__NO_PART && p.part[i].place > 0);
    gt__picture_free(&p);
    gt_journal_free(j);
    gt_tape_free(tape);
}

static bool write_page(gt_journal *j, FILE *out) { return gt_journal_page(j, NULL, out); }

/* Fails the allocations that a writer asks for, one after the other, until it gets through. */
static void survives(bool (*write)(gt_journal *, FILE *)) {
    faults f = {.fail_at = -1};
    const gt_allocator allocator = faults_allocator(&f);
    gt_params *params = gt_params_new(&allocator, 0);
    gt_tape *tape = gt_tape_new(params);
    gt_journal *j = gt_journal_of(long_circuit(tape, 60));
    cr_assert_str_eq(gt_journal_error(j), "");
    const size_t bytes = f.bytes;
    text t;
    for (long n = 0; !j->error[0] || n == 0; n++) {
        f.fail_at = f.requests + n;
        const bool written = write(j, open_text(&t)->out);
        closed(&t);
        free(t.bytes);
        f.fail_at = -1;
        cr_assert_eq(f.bytes, bytes, "request %ld: a leak", n);
        if (written) break;
        cr_assert_neq(j->error[0], 0);
        j->error[0] = 0;
    }
    cr_expect_not(f.confused);
    gt_journal_free(j);
    gt_tape_free(tape);
    gt_params_free(params);
    cr_expect_eq(f.blocks, 0);
}

Test(page, short_memory_leaves_nothing_behind) {
    survives(gt_journal_svg);
    survives(write_page);
}

Test(page, nothing_is_written_of_nothing) {
    text t;
    cr_expect_not(gt_journal_svg(NULL, open_text(&t)->out));
    cr_expect_not(gt_journal_page(NULL, NULL, t.out));
    gt_training_log *log = gt_training_log_new(NULL);
    cr_expect_not(gt_training_log_layer(log, "no step yet", gt_none(), gt_none()));
    cr_expect_not(gt_training_log_page(log, NULL, t.out));
    cr_expect_not(gt_training_log_step(NULL, 0, 0));
    cr_expect_str_eq(closed(&t), "");
    free(t.bytes);
    gt_training_log_free(log);
    gt_training_log_free(NULL);
}

/* ---- trainings -------------------------------------------------------------------------------- */

static bool log_two_layers(gt_training_log *log, gt_tape *tape) {
    const double h[] = {0, 2, 0, 2}, g[] = {3, 4};
    const gt_tensor activations = gt_input(tape, h, GT_SHAPE(2, 2), GT_F64);
    const gt_tensor gradient = gt_input(tape, g, GT_SHAPE(2), GT_F64);
    return gt_training_log_run(log, "a </script> run") && gt_training_log_step(log, 7, 0.25) &&
           gt_training_log_layer(log, "h", activations, gradient) &&
           gt_training_log_layer(log, "g", gt_none(), gradient);
}

Test(page, a_training_log_holds_the_figures_of_its_layers) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_training_log *log = gt_training_log_new(NULL);
    text t;
    cr_assert(log_two_layers(log, tape));
    cr_assert(gt_training_log_page(log, &(gt_page_options){.language = "ko"}, open_text(&t)->out));
    const char *page = closed(&t);
    cr_expect_not_null(strstr(page, "<html lang=\"ko\">"));
    cr_expect_not_null(strstr(page, "{\"number\":7,\"loss\":0.25,\"layers\":["));
    /* norm, mean, standard deviation, zeros, dead, lowest, highest */
    cr_expect_not_null(strstr(page, "[\"h\",5,1,1,0.5,0.5,0,2,[0,"));
    cr_expect_not_null(
        strstr(page, "[\"g\",5,\"nan\",\"nan\",\"nan\",\"nan\",\"nan\",\"nan\",[0,"));
    cr_expect_eq(occurrences(page, "</script"), 2);
    free(t.bytes);
    gt_training_log_free(log);
    gt_tape_free(tape);
}

Test(page, a_training_log_reports_what_cannot_be_read) {
    gt_tape *tape = gt_tape_new(NULL);
    gt_training_log *log = gt_training_log_new(NULL);
    const gt_tensor bad =
        gt_add(gt_zeros(tape, GT_SHAPE(2), GT_F64), gt_zeros(tape, GT_SHAPE(3), GT_F64));
    cr_assert(gt_training_log_step(log, 0, 0));
    cr_expect_not(gt_training_log_layer(log, "bad", bad, gt_none()));
    cr_expect_not(gt_training_log_layer(log, "bad", gt_none(), bad));
    gt_training_log_free(log);
    gt_tape_free(tape);
}

Test(page, a_training_log_survives_short_memory) {
    gt_tape *tape = gt_tape_new(NULL);
    for (long n = 0;; n++) {
        faults f = {.fail_at = n};
        const gt_allocator allocator = faults_allocator(&f);
        gt_training_log *log = gt_training_log_new(&allocator);
        const bool logged = log && log_two_layers(log, tape);
        gt_training_log_free(log);
        cr_assert(f.blocks == 0 && !f.confused);
        if (logged) break;
        cr_assert_lt(n, 10);
    }
    gt_tape_free(tape);
}
