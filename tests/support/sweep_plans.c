/* tests/support/sweep_plans.c: the same random tape twice, once with planned runs and once with the reference
 * executor: gradients, values read before and after, effects, replays, kept values. Every bit must agree. */
#include <stdlib.h>
#include <string.h>

#ifdef GT_WITH_OPENMP
#include <omp.h>
#endif

#include "grad/grad.h"
#include "ops/ops.h"
#include "support/random_graph.h"
#include "support/sweeps.h"

enum { KEPT = 4, PROBED = 4 };

typedef struct story {
    uint64_t seed;
    gt_tape *tape[2]; /* planned, reference */
    random_graph graph[2];
    gt_tensor gradient[2][GRAPH_LEAVES];
    char why[400]; /* "" while all is well */
} story;

static uint32_t draw(const story *s, uint64_t stream, uint64_t i, uint32_t n) {
    return (uint32_t)(gt_uniform(s->seed, 7000 + stream, i) * n);
}

static void compare(story *s, const char *when, uint32_t i) {
    const gt_tensor a = gt_tensor_at(s->tape[0], i), b = gt_tensor_at(s->tape[1], i);
    if (s->why[0]) return;
    const void *x = gt_data(a), *y = gt_data(b);
    const size_t bytes = (size_t)gt_numel(gt_shape_of(a)) * gt_dtype_size(gt_dtype_of(a));
    if (x && y && (bytes == 0 || memcmp(x, y, bytes) == 0)) return;
    char name[200];
    snprintf(s->why, sizeof s->why, "%s: %s %s", when, gt_label(a, name, sizeof name),
             x && y                  ? "differs"
             : gt_failed(s->tape[0]) ? gt_error(s->tape[0])
                                     : gt_error(s->tape[1]));
}

static void compare_leaves(story *s, const char *when) {
    for (int k = 0; k < s->graph[0].n_leaves; k++) compare(s, when, s->graph[0].leaf[k].index);
}

static bool has_value(gt_tensor t) { return !(gt_op_of(t)->more.traits & GT_EFFECT); }

/* Values that nobody kept are computed again. */
static void compare_some(story *s, const char *when, uint64_t stream) {
    for (uint64_t k = 0; k < PROBED; k++) {
        const uint32_t i = draw(s, stream, k, gt_tape_size(s->tape[0]));
        if (has_value(gt_tensor_at(s->tape[0], i))) compare(s, when, i);
    }
}

static void record(story *s, int which) {
    gt_tape *tape = s->tape[which];
    random_graph *g = &s->graph[which];
    const gt_dtype dtype = draw(s, 0, 0, 2) ? GT_F32 : GT_F64;
    gt_tape_reset(tape);
    gt_reference(tape, which == 1);
    gt_keep_all(tape, draw(s, 0, 1, 8) == 0);
    gt_exact(tape, draw(s, 0, 2, 8) == 0);
    gt_autocast(tape, draw(s, 0, 4, 4) == 0);
    random_graph_record_as(g, tape, s->seed, dtype, draw(s, 0, 3, 4) == 0);
    if (gt_failed(tape) || !gt_grads(g->loss, g->leaf, g->n_leaves, s->gradient[which])) return;
    for (uint64_t k = 0; k < KEPT; k++)
        gt_keep(gt_tensor_at(tape, draw(s, 1, k, gt_tape_size(tape))));
}

static void run_gradients(story *s) {
    for (int which = 0; which < 2; which++) {
        gt_run(s->tape[which], s->gradient[which], s->graph[which].n_leaves);
        gt_item(s->graph[which].loss);
    }
    for (int k = 0; k < s->graph[0].n_leaves; k++)
        compare(s, "a gradient", s->gradient[0][k].index);
    compare(s, "the loss", s->graph[0].loss.index);
}

/* A new value for leaf k: half a step down its gradient, and more that reads leaves in ways that forbid or
 * allow to write it into the leaf at once. */
static gt_tensor next_value(const story *s, int which, int k) {
    const random_graph *g = &s->graph[which];
    const gt_tensor leaf = g->leaf[k], other = g->leaf[(k + 1) % g->n_leaves];
    gt_tensor next = gt_sub(leaf, gt_mul_scalar(s->gradient[which][k], 0.5));
    switch (draw(s, 6, (uint64_t)k, 6)) {
    case 0: return gt_add(next, gt_mul_scalar(gt_flip(leaf, GT_ALL), 0.1));
    case 1:
        return gt_same_shape(gt_shape_of(leaf), gt_shape_of(other))
                   ? gt_sub(next, gt_mul_scalar(other, 0.2))
                   : next;
    case 2: return gt_keep(next);
    case 3: gt_mul(next, leaf); return next; /* a sink that reads both */
    case 4: return gt_add(next, gt_mul_scalar(gt_sum(leaf, GT_ALL, false), 0.01));
    default: return next;
    }
}

static void descend(story *s) {
    for (int which = 0; which < 2; which++) {
        for (int k = 0; k < s->graph[which].n_leaves; k++)
            gt_assign(s->graph[which].leaf[k], next_value(s, which, k));
        gt_commit(s->tape[which]);
    }
    compare_leaves(s, "a leaf after a commit");
    for (int which = 0; which < 2; which++) {
        gt_replay(s->tape[which]);
        gt_commit(s->tape[which]);
    }
    compare_leaves(s, "a leaf after a replay");
    for (int which = 0; which < 2; which++) gt_replay(s->tape[which]);
    compare(s, "the loss after a replay", s->graph[0].loss.index);
}

static bool tell(story *s) {
    s->why[0] = 0;
    for (int which = 0; which < 2; which++) {
        record(s, which);
        if (gt_failed(s->tape[which]))
            snprintf(s->why, sizeof s->why, "%s", gt_error(s->tape[which]));
    }
    if (s->why[0]) return false;
    if (draw(s, 2, 0, 2)) compare_some(s, "a value read first", 3);
    run_gradients(s);
    compare_some(s, "a value read again", 4);
    descend(s);
    compare_some(s, "a value at the end", 5);
    for (int which = 0; which < 2; which++)
        if (!s->why[0] && gt_failed(s->tape[which]))
            snprintf(s->why, sizeof s->why, "%s", gt_error(s->tape[which]));
    return !s->why[0];
}

/* A plan asks how many threads there are: every other tape has one. */
static void set_threads(uint64_t seed, int all) {
#ifdef GT_WITH_OPENMP
    omp_set_num_threads(seed % 2 ? 1 : all);
#endif
    (void)seed, (void)all;
}

void sweep_plans(FILE *out, uint64_t first, int count, score *total) {
    static story s; /* large for a stack */
    int right = 0, all = 1;
#ifdef GT_WITH_OPENMP
    all = omp_get_max_threads();
#endif
    for (int which = 0; which < 2; which++) s.tape[which] = gt_tape_new(NULL);
    for (int k = 0; k < count; k++) {
        s.seed = first + (uint64_t)k;
        set_threads(s.seed, all);
        const bool ok = tell(&s);
        right += ok;
        if (!ok || count == 1)
            fprintf(out, "plan %llu: %s %s\n  repeat: build/bin/tests/selftest plans %llu\n",
                    (unsigned long long)s.seed, ok ? "right" : "WRONG", s.why,
                    (unsigned long long)s.seed);
    }
    set_threads(0, all);
    for (int which = 0; which < 2; which++) gt_tape_free(s.tape[which]);
    fprintf(out, "planned runs of random tapes: %d as the reference, %d not\n", right,
            count - right);
    total->passed += right;
    total->failed += count - right;
}
