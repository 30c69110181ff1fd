/* tests/layout_test.c: the layered layout: nothing overlaps, wires go right, crossings that can be avoided are,
 * and the same circuit gives the same picture. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "step/layout.h"
#include "support/faults.h"

enum { MOST_BOXES = 300, MOST_WIRES = 900 };

typedef struct circuit {
    gt__box box[MOST_BOXES];
    gt__wire wire[MOST_WIRES];
    gt__layout layout;
} circuit;

static circuit *new_circuit(void) {
    circuit *c = calloc(1, sizeof *c);
    cr_assert_not_null(c);
    c->layout = (gt__layout){.box = c->box,
                             .wire = c->wire,
                             .column_gap = 20,
                             .row_gap = 6,
                             .allocator = gt_default_allocator()};
    return c;
}

static void free_circuit(circuit *c) {
    gt__layout_free(&c->layout);
    free(c);
}

static int below(uint64_t seed, uint64_t i, int most) {
    return (int)(gt_uniform(seed, 0, i) * most);
}

/* Every box takes up to three inputs from the last `reach` boxes before it. */
static circuit *random_circuit(uint64_t seed, int n, int reach) {
    circuit *c = new_circuit();
    gt__layout *l = &c->layout;
    uint64_t draws = 0;
    for (int i = 0; i < n; i++) {
        c->box[i].wide = 30 + below(seed, draws++, 60);
        c->box[i].high = 20 + below(seed, draws++, 40);
        const int inputs = i == 0 ? 0 : below(seed, draws++, 4);
        for (int k = 0; k < inputs; k++) {
            const int from = i - 1 - below(seed, draws++, i < reach ? i : reach);
            c->wire[l->n_wires++] = (gt__wire){.from = from, .to = i, .slot = k, .n_slots = inputs};
        }
    }
    l->n_boxes = n;
    return c;
}

static void does_not_overlap(const gt__layout *l) {
    for (int i = 0; i < l->n_boxes; i++) {
        const gt__box *a = &l->box[i];
        cr_assert(a->x >= 0 && a->x + a->wide <= l->wide + 1e-6);
        cr_assert(a->y - a->high / 2 >= -1e-6 && a->y + a->high / 2 <= l->high + 1e-6);
        for (int k = 0; k < i; k++) {
            const gt__box *b = &l->box[k];
            const bool beside = a->x >= b->x + b->wide + 19 || b->x >= a->x + a->wide + 19;
            const bool apart = fabs(a->y - b->y) >= (a->high + b->high) / 2 + 6 - 1e-6;
            cr_assert(beside || apart, "boxes %d and %d overlap", k, i);
        }
    }
}

/* A wire stays clear of the boxes of the columns that it passes. */
static void wires_pass_between(const gt__layout *l) {
    for (int e = 0; e < l->n_wires; e++) {
        const gt__wire *w = &l->wire[e];
        const int column = l->box[w->from].column;
        cr_assert_eq(l->box[w->to].column, column + 1 + w->n_bends);
        for (int i = 0; i < l->n_boxes; i++) {
            const int bend = l->box[i].column - column - 1;
            if (bend < 0 || bend >= w->n_bends) continue;
            cr_assert(fabs(l->bend[w->bend + bend] - l->box[i].y) > l->box[i].high / 2);
        }
    }
}

Test(layout, random_circuits_do_not_overlap) {
    for (uint64_t seed = 0; seed < 40; seed++) {
        const int n = 1 + below(1000, seed, MOST_BOXES);
        circuit *c = random_circuit(seed, n, seed % 2 ? 5 : 60);
        cr_assert(gt__layout_place(&c->layout));
        does_not_overlap(&c->layout);
        wires_pass_between(&c->layout);
        free_circuit(c);
    }
}

Test(layout, the_same_circuit_gives_the_same_picture) {
    circuit *a = random_circuit(7, 200, 30), *b = random_circuit(7, 200, 30);
    cr_assert(gt__layout_place(&a->layout) && gt__layout_place(&b->layout));
    cr_assert_eq(memcmp(a->box, b->box, sizeof a->box), 0);
    free_circuit(a);
    free_circuit(b);
}

static void box(circuit *c) { c->box[c->layout.n_boxes++] = (gt__box){.wide = 40, .high = 30}; }
static void wire(circuit *c, int from, int to, int slot, int n_slots) {
    c->wire[c->layout.n_wires++] = (gt__wire){from, to, slot, n_slots, 0, 0};
}

/* f = (x + y) z: z stands before the product that uses it, below the sum, and nothing crosses. */
Test(layout, circuit_of_three) {
    circuit *c = new_circuit();
    for (int i = 0; i < 5; i++) box(c);
    wire(c, 0, 3, 0, 2);
    wire(c, 1, 3, 1, 2);
    wire(c, 3, 4, 0, 2);
    wire(c, 2, 4, 1, 2);
    cr_assert(gt__layout_place(&c->layout));
    const int column[] = {0, 0, 1, 1, 2};
    for (int i = 0; i < 5; i++) cr_assert_eq(c->box[i].column, column[i]);
    cr_assert_lt(c->box[0].y, c->box[1].y);
    cr_assert_lt(c->box[3].y, c->box[2].y);
    free_circuit(c);
}

/* K(3,3) less its straight wires, listed so that the first order crosses: a ladder without crossings. */
Test(layout, untangles_a_ladder) {
    circuit *c = new_circuit();
    enum { RUNGS = 20 };
    for (int i = 0; i < 2 * RUNGS; i++) box(c);
    for (int i = 0; i < RUNGS; i++) wire(c, RUNGS - 1 - i, RUNGS + i, 0, 1);
    cr_assert(gt__layout_place(&c->layout));
    for (int i = 0; i < RUNGS; i++)
        cr_assert(fabs(c->box[RUNGS - 1 - i].y - c->box[RUNGS + i].y) < 1e-6);
    free_circuit(c);
}

Test(layout, wires_that_go_back_and_nothing_at_all_are_harmless) {
    circuit *c = new_circuit();
    cr_assert(gt__layout_place(&c->layout));
    cr_assert(c->layout.wide == 0 && c->layout.high == 0);
    gt__layout_free(&c->layout);
    box(c);
    box(c);
    wire(c, 1, 0, 0, 1);
    wire(c, 1, 1, 0, 1);
    cr_assert(gt__layout_place(&c->layout));
    does_not_overlap(&c->layout);
    free_circuit(c);
}

Test(layout, short_memory_fails_and_leaves_nothing) {
    for (long fail = 0; fail < 3; fail++) {
        faults f = {.fail_at = fail};
        circuit *c = random_circuit(3, 50, 10);
        c->layout.allocator = faults_allocator(&f);
        cr_assert_not(gt__layout_place(&c->layout));
        gt__layout_free(&c->layout);
        cr_assert(f.blocks == 0 && f.bytes == 0 && !f.confused);
        free_circuit(c);
    }
}
