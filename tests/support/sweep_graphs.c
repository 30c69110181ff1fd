/* tests/support/sweep_graphs.c: gradients of random graphs against numeric differences: of every
 * leaf in a random direction and of some of its elements; and Hessian-vector products of every
 * tenth graph. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check/probe.h"
#include "grad/grad.h"
#include "ops/ops.h"
#include "support/harness.h"
#include "support/memory.h"
#include "support/random_graph.h"
#include "support/sweeps.h"

typedef struct judgement {
    verdict verdict; /* the worst so far */
    char why[300];
} judgement;

static void consider(judgement *j, const char *what, int leaf, double claimed, gt_slope numeric) {
    const verdict v = judge(claimed, numeric);
    if (v == PASS || j->verdict == FAIL || (v == CANNOT_TELL && j->verdict == CANNOT_TELL)) return;
    j->verdict = v;
    snprintf(j->why, sizeof j->why, "%s of leaf %d is %.17g, differences give %.17g +- %.1g%s",
             what, leaf, claimed, numeric.value, numeric.error,
             numeric.doubt == GT_DOUBT_KINK ? ", a kink is near" : "");
}

static void refuse(judgement *j, const gt_tape *tape) {
    j->verdict = FAIL;
    snprintf(j->why, sizeof j->why, "%s",
             gt_failed(tape) ? gt_error(tape) : "a value is not finite");
}

static double along(const gt__probe *p, int leaf, const double *g) {
    double sum = 0;
    for (int64_t i = 0; i < gt__count(p->leaf[leaf]); i++) sum += g[i] * p->along[leaf][i];
    return sum;
}

/* One leaf alone, in a random direction. */
static void aim_at_leaf(gt__probe *p, int leaf, uint64_t seed) {
    gt__probe_aim_nowhere(p);
    for (int64_t i = 0; i < gt__count(p->leaf[leaf]); i++)
        p->along[leaf][i] = gt__weight(seed, 4000 + (uint64_t)leaf, i);
}

static void check_leaf(judgement *j, gt__probe *p, int leaf, const double *g, uint64_t seed) {
    enum { SOME = 2 };
    const int64_t n = gt__count(p->leaf[leaf]);
    aim_at_leaf(p, leaf, seed);
    consider(j, "the directional derivative", leaf, along(p, leaf, g), gt__probe_slope(p));
    for (uint64_t k = 0; k < SOME && n > 1; k++) {
        const int64_t i = (int64_t)(gt_uniform(seed, 5000 + (uint64_t)leaf, k) * (double)n);
        gt__probe_aim_nowhere(p);
        p->along[leaf][i] = 1;
        consider(j, "an element", leaf, g[i], gt__probe_slope(p));
    }
}

static void begin(gt__probe *p, const random_graph *g) {
    gt__probe_begin(p, g->tape, g->leaf, g->n_leaves, GT_F64);
    for (int k = 0; k < g->n_watched; k++) gt__probe_watch(p, g->watched[k]);
}

static void check_gradients(judgement *j, const random_graph *g, const gt_tensor *gx,
                            uint64_t seed) {
    gt__probe p;
    double *copy[GRAPH_LEAVES] = {NULL};
    begin(&p, g);
    gt__probe_weigh(&p, g->loss, seed);
    p.weight[0][0] = 1;
    bool ok = gt_run(g->tape, gx, g->n_leaves) && isfinite(gt_item(g->loss));
    for (int k = 0; k < g->n_leaves && ok; k++) {
        const size_t bytes = (size_t)gt__count(g->leaf[k]) * sizeof(double);
        copy[k] = test_memory(bytes);
        memcpy(copy[k], gt_data(gx[k]), bytes);
    }
    if (ok) gt__probe_settle(&p);
    for (int k = 0; k < g->n_leaves && ok; k++) check_leaf(j, &p, k, copy[k], seed);
    if (!ok || gt_failed(g->tape)) refuse(j, g->tape);
    for (int k = 0; k < g->n_leaves; k++) free(copy[k]);
    gt__probe_end(&p);
}

/* v H w as the product with v says, against differences of <gradient, v> along w. */
static void check_curvature(judgement *j, const random_graph *g, const gt_tensor *gx,
                            uint64_t seed) {
    for (int k = 0; k < g->n_leaves && !gt_failed(g->tape); k++) {
        gt__probe p;
        begin(&p, g);
        gt__probe_weigh(&p, gx[k], seed);
        const gt_tensor product = gt_hvp(g->loss, g->leaf[k], gt__probe_upstream(&p, 0));
        const double *data = gt_data(product);
        if (data) {
            aim_at_leaf(&p, k, seed);
            const double claimed = along(&p, k, data);
            gt__probe_settle(&p);
            consider(j, "the second derivative", k, claimed, gt__probe_slope(&p));
        }
        gt__probe_end(&p);
    }
    if (gt_failed(g->tape)) refuse(j, g->tape);
}

static judgement check_graph(gt_tape *tape, uint64_t seed, const gt_op *original,
                             const gt_op *planted) {
    judgement j = {PASS, ""};
    random_graph g;
    gt_tensor gx[GRAPH_LEAVES];
    gt_tape_reset(tape);
    gt_keep_all(tape, false);
    random_graph_record(&g, tape, seed);
    put_in_place(tape, original, planted);
    if (gt_failed(tape) || !gt_grads(g.loss, g.leaf, g.n_leaves, gx)) {
        refuse(&j, tape);
        return j;
    }
    check_gradients(&j, &g, gx, seed);
    if (j.verdict == PASS && seed % 10 == 0) check_curvature(&j, &g, gx, seed);
    return j;
}

bool graphs_catch(const gt_op *original, const gt_op *planted, uint64_t first, int count) {
    bool caught = false;
    gt_tape *tape = gt_tape_new(NULL);
    for (int k = 0; k < count && !caught; k++)
        caught = check_graph(tape, first + (uint64_t)k, original, planted).verdict == FAIL;
    gt_tape_free(tape);
    return caught;
}

static void print_graph(FILE *out, gt_tape *tape, uint64_t seed) {
    random_graph g;
    gt_tape_reset(tape);
    random_graph_record(&g, tape, seed);
    for (uint32_t i = 0; i < gt_tape_size(tape); i++) {
        const gt_tensor t = gt_tensor_at(tape, i);
        const gt_shape s = gt_shape_of(t);
        fprintf(out, "  #%u [", i);
        for (int d = 0; d < s.rank; d++) fprintf(out, "%s%lld", d ? "," : "", (long long)s.dim[d]);
        fprintf(out, "] = %s(", gt_op_of(t)->name);
        for (int k = 0; k < gt_n_in(t); k++)
            fprintf(out, "%s#%u", k ? ", " : "", gt_in(t, k).index);
        fprintf(out, ")\n");
    }
}

void sweep_graphs(FILE *out, uint64_t first, int count, score *s) {
    int n[3] = {0};
    gt_tape *tape = gt_tape_new(NULL);
    for (int k = 0; k < count; k++) {
        const uint64_t seed = first + (uint64_t)k;
        const judgement j = check_graph(tape, seed, NULL, NULL);
        n[j.verdict]++;
        if (j.verdict == FAIL || count == 1)
            fprintf(out, "graph %llu: %s %s\n  repeat: build/bin/tests/selftest graph %llu\n",
                    (unsigned long long)seed,
                    j.verdict == PASS   ? "right"
                    : j.verdict == FAIL ? "WRONG"
                                        : "cannot tell",
                    j.why, (unsigned long long)seed);
        if (count == 1) print_graph(out, tape, seed);
    }
    gt_tape_free(tape);
    fprintf(out, "random graphs: %d right, %d wrong, %d cannot tell\n", n[PASS], n[FAIL],
            n[CANNOT_TELL]);
    const bool vague = n[CANNOT_TELL] * 50 > count; /* 2 % */
    if (vague) fprintf(out, "FAIL too many random graphs cannot tell\n");
    s->passed += n[PASS];
    s->failed += n[FAIL] + vague;
}
