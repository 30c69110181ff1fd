/* tests/support/random_graph.c: see random_graph.h. */
#include "support/random_graph.h"

#include "ops/ops.h"

enum { MOST_KNOWN = 96, MOST_ELEMENTS = 48, MOST_WIDE = 4000, LARGE = 3 };

/* A tensor to build on, and how large its elements can be. */
typedef struct known {
    gt_tensor t;
    double size;
} known;

typedef struct maker {
    random_graph *graph;
    gt_tape *tape;
    uint64_t seed, drawn;
    gt_dtype dtype;
    bool wide;
    int64_t most; /* elements */
    int count;
    known known[MOST_KNOWN];
} maker;

/* ---- choosing -------------------------------------------------------------------------------- */

static int below(maker *m, int n) { return (int)(gt_uniform(m->seed, 0, m->drawn++) * n); }
static double between(maker *m, double low, double high) {
    return low + (high - low) * gt_uniform(m->seed, 0, m->drawn++);
}

static int64_t numel(gt_tensor t) { return gt_numel(gt_shape_of(t)); }

/* Recent tensors are chosen more often, so that graphs get deep; any may be chosen, so that they
 * fork. */
static known pick(maker *m) {
    const int recent = m->count < 4 ? m->count : 4;
    return m->known[below(m, 2) ? m->count - 1 - below(m, recent) : below(m, m->count)];
}

static int axis_of(maker *m, gt_tensor t) { return gt_rank(t) ? below(m, gt_rank(t)) : 0; }

static known squashed(maker *m, known k) {
    if (k.size <= LARGE) return k;
    switch (below(m, 3)) {
    case 0: return (known){gt_tanh(gt_mul_scalar(k.t, 2 / k.size)), 1};
    case 1: return (known){gt_mul_scalar(k.t, 1 / k.size), 1};
    default: return (known){gt_sin(gt_mul_scalar(k.t, LARGE / k.size)), 1};
    }
}

static void keep(maker *m, gt_tensor t, double size) {
    if (!gt_valid(t) || m->count == MOST_KNOWN) return;
    m->known[m->count++] = squashed(m, (known){t, size});
}

static void watch(maker *m, gt_tensor t) {
    if (m->graph->n_watched < GRAPH_WATCHED) m->graph->watched[m->graph->n_watched++] = t;
}

/* Above 0.3, as a smooth function of x. */
static gt_tensor positive(gt_tensor x) { return gt_add_scalar(gt_softplus(x), 0.3); }

/* ---- one node, or a few ---------------------------------------------------------------------- */

static void smooth(maker *m, known x) {
    switch (below(m, 14)) {
    case 0: keep(m, gt_tanh(x.t), 1); break;
    case 1: keep(m, gt_sigmoid(x.t), 1); break;
    case 2: keep(m, gt_sin(x.t), 1); break;
    case 3: keep(m, gt_cos(x.t), 1); break;
    case 4: keep(m, gt_softplus(x.t), x.size + 1); break;
    case 5: keep(m, gt_square(x.t), x.size * x.size); break;
    case 6: keep(m, gt_erf(x.t), 1); break;
    case 7: keep(m, gt_atan(x.t), 2); break;
    case 8: keep(m, gt_neg(x.t), x.size); break;
    case 9: keep(m, gt_exp(gt_mul_scalar(x.t, 0.5)), 5); break;
    case 10: keep(m, gt_add_scalar(x.t, between(m, -1, 1)), x.size + 1); break;
    case 11: keep(m, gt_log(positive(x.t)), 2); break;
    case 12: keep(m, gt_sqrt(positive(x.t)), 2); break;
    default: keep(m, gt_reciprocal(positive(x.t)), 4); break;
    }
}

static void kinked(maker *m, known x) {
    switch (below(m, 4)) {
    case 0: keep(m, gt_relu(x.t), x.size); break;
    case 1: keep(m, gt_abs(x.t), x.size); break;
    case 2: keep(m, gt_leaky_relu(x.t, 0.1), x.size); break;
    default: keep(m, gt_clamp(x.t, -0.5, 0.8), 1); break;
    }
}

static bool broadcasts(const maker *m, gt_tensor a, gt_tensor b) {
    const gt_shape s = gt_shape_of(a), t = gt_shape_of(b);
    int64_t n = 1;
    for (int d = s.rank - 1, e = t.rank - 1; d >= 0 || e >= 0; d--, e--) {
        const int64_t x = d >= 0 ? s.dim[d] : 1, y = e >= 0 ? t.dim[e] : 1;
        if (x != y && x != 1 && y != 1) return false;
        n *= x > y ? x : y;
    }
    return n <= m->most;
}

static void paired(maker *m, known a) {
    known b = pick(m);
    for (int k = 0; k < 8 && !broadcasts(m, a.t, b.t); k++) b = pick(m);
    if (!broadcasts(m, a.t, b.t)) b = (known){gt_mean(b.t, GT_ALL, false), b.size};
    switch (below(m, 11)) {
    case 0: keep(m, gt_add(a.t, b.t), a.size + b.size); break;
    case 1: keep(m, gt_sub(a.t, b.t), a.size + b.size); break;
    case 2:
    case 3: keep(m, gt_mul(a.t, b.t), a.size * b.size); break;
    case 4: keep(m, gt_div(a.t, positive(b.t)), a.size * 4); break;
    case 5: keep(m, gt_hypot(a.t, positive(b.t)), a.size + b.size + 2); break;
    case 6: keep(m, gt_logaddexp(a.t, b.t), a.size + b.size + 1); break;
    case 7: keep(m, gt_atan2(a.t, positive(b.t)), 2); break;
    case 8: keep(m, gt_pow(positive(gt_tanh(a.t)), gt_sin(b.t)), 4); break;
    case 9:
        keep(m, below(m, 2) ? gt_maximum(a.t, b.t) : gt_minimum(a.t, b.t), a.size + b.size);
        break;
    default: keep(m, gt_where(gt_less(a.t, b.t), gt_sin(a.t), b.t), b.size + 1); break;
    }
}

static void seen_otherwise(maker *m, known x) {
    const gt_shape s = gt_shape_of(x.t);
    const int axis = axis_of(m, x.t);
    if (s.rank == 0) {
        keep(m, gt_expand(x.t, GT_SHAPE(1 + below(m, 3))), x.size);
        return;
    }
    switch (below(m, 9)) {
    case 0: keep(m, gt_transpose(x.t, axis, axis_of(m, x.t)), x.size); break;
    case 1: keep(m, gt_reshape(x.t, GT_SHAPE(-1)), x.size); break;
    case 2: keep(m, gt_slice(x.t, axis, 0, GT_END, 1 + below(m, 2)), x.size); break;
    case 3: keep(m, gt_slice(x.t, axis, GT_END, GT_END, -1), x.size); break;
    case 4: keep(m, gt_flip(x.t, GT_ALL), x.size); break;
    case 5: keep(m, gt_select(x.t, axis, below(m, (int)s.dim[axis])), x.size); break;
    case 6:
        if (s.rank < 4) keep(m, gt_unsqueeze(x.t, axis), x.size);
        break;
    case 7: keep(m, gt_squeeze(x.t, GT_ALL), x.size); break;
    default:
        if (s.rank < 4 && numel(x.t) * 2 <= m->most) {
            gt_shape wide = {s.rank + 1, {2}};
            for (int d = 0; d < s.rank; d++) wide.dim[d + 1] = s.dim[d];
            keep(m, gt_expand(x.t, wide), x.size);
        }
    }
}

static void reduced(maker *m, known x) {
    const gt_tensor t = x.t;
    const int axis = axis_of(m, t);
    const bool keepdims = below(m, 2);
    if (gt_rank(t) == 0) {
        smooth(m, x);
        return;
    }
    const double n = (double)gt_dim(t, axis);
    switch (below(m, 12)) {
    case 0: keep(m, gt_sum(t, GT_AXES(axis), keepdims), n * x.size); break;
    case 1: keep(m, gt_mean(t, GT_ALL, keepdims), x.size); break;
    case 2:
        watch(m, gt_argmax(t, axis, false)), keep(m, gt_max(t, GT_AXES(axis), keepdims), x.size);
        break;
    case 3:
        watch(m, gt_argmin(t, axis, false)), keep(m, gt_min(t, GT_AXES(axis), keepdims), x.size);
        break;
    case 4: keep(m, gt_prod(gt_tanh(t), GT_AXES(axis), keepdims), 1); break;
    case 5: keep(m, gt_var(t, GT_AXES(axis), 0, keepdims), x.size * x.size); break;
    case 6: keep(m, gt_norm(positive(t), GT_AXES(axis), keepdims), n * (x.size + 1)); break;
    case 7: keep(m, gt_logsumexp(t, GT_AXES(axis), keepdims), x.size + 2); break;
    case 8: keep(m, gt_softmax(t, axis), 1); break;
    case 9: keep(m, gt_log_softmax(t, axis), 2 * x.size + 2); break;
    case 10: keep(m, gt_cumsum(t, axis), n * x.size); break;
    default: keep(m, gt_sort(t, axis, keepdims), x.size); break;
    }
}

static void product(maker *m, known a) {
    if (gt_rank(a.t) == 0) {
        smooth(m, a);
        return;
    }
    const int last = gt_rank(a.t) - 1;
    const double n = (double)gt_dim(a.t, last);
    for (int k = 0; k < 8; k++) {
        const known b = pick(m);
        const bool rows =
            gt_rank(b.t) <= 2 && gt_rank(b.t) > 0 && gt_dim(b.t, 0) == gt_dim(a.t, last);
        if (!rows || numel(a.t) * numel(b.t) > 4 * m->most) continue;
        keep(m, gt_matmul(a.t, b.t), n * a.size * b.size);
        return;
    }
    if (last > 0 && numel(a.t) * gt_dim(a.t, last - 1) <= 4 * m->most)
        keep(m, gt_matmul(a.t, gt_t(a.t)), n * a.size * a.size); /* both sides one tensor */
    else if (last == 0 && numel(a.t) * numel(a.t) <= 4 * m->most)
        keep(m, gt_outer(a.t, gt_sin(a.t)), a.size);
}

static void indexed(maker *m, known x) {
    if (gt_rank(x.t) == 0) {
        smooth(m, x);
        return;
    }
    const int axis = axis_of(m, x.t), n = (int)gt_dim(x.t, axis);
    const int64_t place[3] = {below(m, n), below(m, n), below(m, n)}; /* often the same twice */
    const gt_tensor index = gt_input(m->tape, place, GT_SHAPE(3), GT_I64);
    const gt_tensor taken = gt_gather(x.t, index, axis);
    if (numel(taken) > 2 * m->most) return;
    if (below(m, 2))
        keep(m, taken, x.size);
    else
        keep(m, gt_scatter_add(x.t, index, gt_tanh(taken), axis), x.size + 3);
}

static void joined(maker *m, known x) {
    const int axis = axis_of(m, x.t);
    const gt_tensor other = gt_sin(x.t);
    const gt_shape one = {gt_rank(x.t), {1, 0, 1}}, other_end = {gt_rank(x.t), {0, 1}};
    if (numel(x.t) * 2 > m->most || gt_rank(x.t) > 3) return;
    switch (gt_rank(x.t) ? below(m, 4) : 0) {
    case 0: keep(m, gt_stack(GT_LIST(x.t, other), 0), x.size + 1); break;
    case 1: keep(m, gt_concat(GT_LIST(x.t, other, x.t), axis), x.size + 1); break;
    case 2: keep(m, gt_pad(x.t, one, other_end, 0.5), x.size + 1); break;
    default: {
        gt_tensor part[2];
        const int64_t n = gt_dim(x.t, axis), sizes[2] = {n / 2, n - n / 2};
        if (n >= 2 && gt_split(x.t, axis, sizes, 2, part))
            keep(m, part[0], x.size), keep(m, part[1], x.size);
    }
    }
}

static void grow(maker *m) {
    const known x = pick(m);
    switch (below(m, 16)) {
    case 0:
    case 1:
    case 2: smooth(m, x); break;
    case 3: kinked(m, x); break;
    case 4:
    case 5:
    case 6:
    case 7: paired(m, x); break;
    case 8:
    case 9: seen_otherwise(m, x); break;
    case 10:
    case 11: reduced(m, x); break;
    case 12:
    case 13: product(m, x); break;
    case 14: indexed(m, x); break;
    default: joined(m, x); break;
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Sizes of axes: few, so that shapes often fit each other. */
static int64_t size(maker *m) {
    static const int64_t wide[] = {1, 3, 40, 700};
    return m->wide ? wide[below(m, 4)] : 1 + below(m, 3);
}

static void add_leaf(maker *m) {
    double value[MOST_WIDE];
    float narrow[MOST_WIDE];
    gt_shape s = {below(m, 4), {0}};
    for (int d = 0; d < s.rank; d++) s.dim[d] = size(m);
    for (int d = 0; d < s.rank && gt_numel(s) > MOST_WIDE; d++) s.dim[d] = 1;
    const int64_t n = gt_numel(s);
    for (int64_t i = 0; i < n; i++) {
        value[i] = between(m, -1.5, 1.5);
        narrow[i] = (float)value[i];
    }
    const void *data = m->dtype == GT_F32 ? (const void *)narrow : value;
    const gt_tensor leaf = gt_input(m->tape, data, s, m->dtype);
    m->graph->leaf[m->graph->n_leaves++] = leaf;
    keep(m, leaf, 1.5);
}

/* The last few tensors, each to one number. */
static gt_tensor sum_up(maker *m) {
    gt_tensor sum = gt_mean(m->known[m->count - 1].t, GT_ALL, false);
    for (int k = 2; k <= 4 && k <= m->count; k++) {
        const gt_tensor part = gt_sin(gt_mean(m->known[m->count - k].t, GT_ALL, false));
        sum = gt_add(sum, gt_mul_scalar(part, between(m, 0.5, 1.5)));
    }
    return sum;
}

void random_graph_record_as(random_graph *g, gt_tape *tape, uint64_t seed, gt_dtype dtype,
                            bool wide) {
    *g = (random_graph){.tape = tape};
    maker m = {.graph = g,
               .tape = tape,
               .seed = seed,
               .dtype = dtype,
               .wide = wide,
               .most = wide ? MOST_WIDE : MOST_ELEMENTS};
    const int leaves = 1 + below(&m, GRAPH_LEAVES);
    const uint32_t nodes = 5 + (uint32_t)below(&m, 34); /* before the sum at the end */
    for (int k = 0; k < leaves; k++) add_leaf(&m);
    for (int k = 0; k < 200 && gt_tape_size(tape) < nodes && !gt_failed(tape); k++) grow(&m);
    g->loss = m.count ? sum_up(&m) : gt_fail(tape, "no leaf could be made");
}

void random_graph_record(random_graph *g, gt_tape *tape, uint64_t seed) {
    random_graph_record_as(g, tape, seed, GT_F64, false);
}
