/* step/layout.c: layered layout of one level of a circuit. All arrays of the work are cut from one block.
 *
 * An item is a box or a dummy; a link joins items of neighbouring columns, so that every wire is a
 * chain of links. `order` lists the items column by column; the sweeps permute each column. */
#include "step/layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER_SWEEPS = 12, HEIGHT_SWEEPS = 24, DUMMY_HIGH = 12, MOST_DUMMIES = 1 << 20 };

typedef struct item {
    int column, place; /* place: position in its column */
    double high, y;
    bool dummy;
} item;

typedef struct link {
    int left, right;
    double port; /* of the right end: -0.5 top to 0.5 bottom */
    double below;
} link;

typedef struct ranked {
    double key, tie;
    int item;
} ranked;

/* Items that touch: they move as one. */
typedef struct run {
    double sum, weight;
    int count;
} run;

typedef struct work {
    gt__layout *l;
    item *item;
    link *link;
    ranked *ranked;
    run *run;
    double *sum, *weight;
    int *order, *best, *tree;
    int *first_item, *first_link; /* of columns, and one past the last */
    int n_items, n_links;
} work;

double gt__layout_port(const gt__layout *l, const gt__wire *w) {
    if (w->n_slots < 2) return 0;
    return GT__PORTS * l->box[w->to].high * ((double)w->slot / (w->n_slots - 1) - 0.5);
}

static bool goes_right(const gt__wire *w) { return w->from < w->to; }

/* ---- columns ---------------------------------------------------------------------------------- */

/* Longest path from the left; a box without inputs stands before the first that uses it. nearest is one
 * number per box. */
static void choose_columns(gt__layout *l, int *nearest) {
    for (int i = 0; i < l->n_boxes; i++) l->box[i].column = 0, nearest[i] = -1;
    for (int e = 0; e < l->n_wires; e++) {
        const gt__wire *w = &l->wire[e];
        if (!goes_right(w)) continue;
        const int least = l->box[w->from].column + 1;
        if (l->box[w->to].column < least) l->box[w->to].column = least;
    }
    for (int e = 0; e < l->n_wires; e++) {
        const gt__wire *w = &l->wire[e];
        if (!goes_right(w)) continue;
        const int column = l->box[w->to].column - 1;
        if (nearest[w->from] < 0 || column < nearest[w->from]) nearest[w->from] = column;
    }
    l->n_columns = 0;
    for (int i = 0; i < l->n_boxes; i++) {
        gt__box *box = &l->box[i];
        if (box->column == 0 && nearest[i] > 0 && !box->port) box->column = nearest[i];
        if (l->n_columns <= box->column) l->n_columns = box->column + 1;
    }
    for (int i = 0; i < l->n_boxes; i++)
        if (l->box[i].port && l->box[i].column > 0) l->box[i].column = l->n_columns - 1;
}

/* Numbers the bends of all wires; wires past the limit go straight. */
static int count_bends(gt__layout *l) {
    int count = 0;
    for (int e = 0; e < l->n_wires; e++) {
        gt__wire *w = &l->wire[e];
        const int passed = goes_right(w) ? l->box[w->to].column - l->box[w->from].column - 1 : 0;
        w->bend = count;
        w->n_bends = passed > 0 && passed <= MOST_DUMMIES - count ? passed : 0;
        count += w->n_bends;
    }
    return count;
}

/* ---- items and links -------------------------------------------------------------------------- */

static void add_link(work *k, int left, int right, double port, double below) {
    k->link[k->n_links++] = (link){left, right, port, below};
}

static void make_chain(work *k, const gt__wire *w) {
    const gt__layout *l = k->l;
    const int column = l->box[w->from].column;
    if (!goes_right(w) || l->box[w->to].column - column - 1 != w->n_bends) return;
    int left = w->from;
    for (int i = 0; i < w->n_bends; i++) {
        const int dummy = l->n_boxes + w->bend + i;
        k->item[dummy] = (item){.column = column + 1 + i, .high = DUMMY_HIGH, .dummy = true};
        add_link(k, left, dummy, 0, 0);
        left = dummy;
    }
    const double port = w->n_slots > 1 ? (double)w->slot / (w->n_slots - 1) - 0.5 : 0;
    add_link(k, left, w->to, port, gt__layout_port(l, w));
}

static int left_column(const work *k, const link *i) { return k->item[i->left].column; }

/* Sorts links by column, keeping their order; scratch holds as many. */
static void sort_links(work *k, link *scratch) {
    const int n = k->l->n_columns;
    memset(k->first_link, 0, sizeof *k->first_link * ((size_t)n + 2));
    for (int i = 0; i < k->n_links; i++) k->first_link[left_column(k, &k->link[i]) + 2]++;
    for (int c = 1; c < n + 2; c++) k->first_link[c] += k->first_link[c - 1];
    for (int i = 0; i < k->n_links; i++)
        scratch[k->first_link[left_column(k, &k->link[i]) + 1]++] = k->link[i];
    memcpy(k->link, scratch, sizeof *scratch * (size_t)k->n_links);
}

/* The first order: as listed. */
static void fill_columns(work *k) {
    const int n = k->l->n_columns;
    memset(k->first_item, 0, sizeof *k->first_item * ((size_t)n + 2));
    for (int i = 0; i < k->n_items; i++) k->first_item[k->item[i].column + 2]++;
    for (int c = 1; c < n + 2; c++) k->first_item[c] += k->first_item[c - 1];
    for (int i = 0; i < k->n_items; i++) {
        const int at = k->first_item[k->item[i].column + 1]++;
        k->order[at] = i;
    }
    for (int c = 0; c < n; c++)
        for (int i = k->first_item[c]; i < k->first_item[c + 1]; i++)
            k->item[k->order[i]].place = i - k->first_item[c];
}

/* ---- order: fewer crossings ------------------------------------------------------------------- */

static int by_key(const void *a, const void *b) {
    const ranked *p = a, *q = b;
    if (p->key != q->key) return p->key < q->key ? -1 : 1;
    return (p->tie > q->tie) - (p->tie < q->tie);
}

/* Sorts one column by the mean place of its neighbours on one side. */
static void sort_column(work *k, int column, bool by_left) {
    const int first = k->first_item[column], last = k->first_item[column + 1];
    for (int i = first; i < last; i++) k->sum[k->order[i]] = k->weight[k->order[i]] = 0;
    const int links = by_left ? column - 1 : column;
    for (int i = k->first_link[links]; i < k->first_link[links + 1]; i++) {
        const link *c = &k->link[i];
        const int own = by_left ? c->right : c->left, other = by_left ? c->left : c->right;
        k->sum[own] += k->item[other].place + (by_left ? 0 : 0.8 * c->port);
        k->weight[own]++;
    }
    for (int i = first; i < last; i++) {
        const int own = k->order[i];
        const double place = k->item[own].place;
        const double mean = k->weight[own] > 0 ? k->sum[own] / k->weight[own] : place;
        k->ranked[i - first] = (ranked){mean, place, own};
    }
    qsort(k->ranked, (size_t)(last - first), sizeof *k->ranked, by_key);
    for (int i = first; i < last; i++) {
        k->order[i] = k->ranked[i - first].item;
        k->item[k->order[i]].place = i - first;
    }
}

/* Pairs of links between two columns that cross: inversions, counted with a Fenwick tree. */
static long count_crossings(work *k, int column) {
    const int first = k->first_link[column], n = k->first_link[column + 1] - first;
    for (int i = 0; i < n; i++) {
        const link *c = &k->link[first + i];
        k->ranked[i] =
            (ranked){k->item[c->right].place + 0.8 * c->port, k->item[c->left].place, c->left};
    }
    qsort(k->ranked, (size_t)n, sizeof *k->ranked, by_key);
    const int most = k->first_item[column + 1] - k->first_item[column];
    memset(k->tree, 0, sizeof *k->tree * ((size_t)most + 1));
    long crossings = 0;
    for (int i = 0; i < n; i++) {
        const int place = k->item[k->ranked[i].item].place + 1;
        crossings += i;
        for (int at = place; at > 0; at &= at - 1) crossings -= k->tree[at];
        for (int at = place; at <= most; at += at & -at) k->tree[at]++;
    }
    return crossings;
}

static void choose_order(work *k) {
    const int n = k->l->n_columns;
    long least = -1;
    for (int sweep = 0; sweep <= ORDER_SWEEPS; sweep++) {
        long crossings = 0;
        for (int c = 0; c < n - 1; c++) crossings += count_crossings(k, c);
        if (least < 0 || crossings < least) {
            least = crossings;
            memcpy(k->best, k->order, sizeof *k->order * (size_t)k->n_items);
        }
        if (least == 0 && sweep > 1) break;
        for (int i = 1; i < n; i++) {
            const bool by_left = sweep % 2 == 1;
            sort_column(k, by_left ? i : n - 1 - i, by_left);
        }
    }
    memcpy(k->order, k->best, sizeof *k->order * (size_t)k->n_items);
}

/* ---- heights ---------------------------------------------------------------------------------- */

static double distance(const work *k, const item *above, const item *below) {
    return (above->high + below->high) / 2 + k->l->row_gap;
}

/* Heights nearest to the wanted ones, squares weighted, that keep order and distances: isotonic regression
 * of the heights less what stands above, by pooling neighbours that violate the order. */
static void settle_column(work *k, int column) {
    const int first = k->first_item[column], last = k->first_item[column + 1];
    double above = 0;
    int runs = 0;
    for (int i = first; i < last; i++) {
        const item *it = &k->item[k->order[i]];
        if (i > first) above += distance(k, &k->item[k->order[i - 1]], it);
        const double weight = k->weight[k->order[i]];
        k->run[runs++] = (run){weight * (k->sum[k->order[i]] - above), weight, 1};
        while (runs > 1 && k->run[runs - 2].sum * k->run[runs - 1].weight >
                               k->run[runs - 1].sum * k->run[runs - 2].weight) {
            runs--;
            k->run[runs - 1].sum += k->run[runs].sum;
            k->run[runs - 1].weight += k->run[runs].weight;
            k->run[runs - 1].count += k->run[runs].count;
        }
    }
    above = 0;
    for (int r = 0, i = first; r < runs; r++) {
        for (const int end = i + k->run[r].count; i < end; i++) {
            item *it = &k->item[k->order[i]];
            if (i > first) above += distance(k, &k->item[k->order[i - 1]], it);
            it->y = k->run[r].sum / k->run[r].weight + above;
        }
    }
}

/* Long wires should be straight before short ones are. */
static double stiffness(const work *k, const link *c) {
    const int dummies = k->item[c->left].dummy + k->item[c->right].dummy;
    return dummies == 2 ? 8 : dummies == 1 ? 2 : 1;
}

/* Wants each item of a column where its links to one side (or both) are level, then settles it. */
static void level_column(work *k, int column, bool left, bool right) {
    const int first = k->first_item[column], last = k->first_item[column + 1];
    for (int i = first; i < last; i++) k->sum[k->order[i]] = k->weight[k->order[i]] = 0;
    for (int i = left ? k->first_link[column - 1] : 0; left && i < k->first_link[column]; i++) {
        const link *c = &k->link[i];
        const double w = stiffness(k, c);
        k->sum[c->right] += w * (k->item[c->left].y - c->below);
        k->weight[c->right] += w;
    }
    for (int i = k->first_link[column]; right && i < k->first_link[column + 1]; i++) {
        const link *c = &k->link[i];
        const double w = stiffness(k, c);
        k->sum[c->left] += w * (k->item[c->right].y + c->below);
        k->weight[c->left] += w;
    }
    for (int i = first; i < last; i++) {
        const int own = k->order[i];
        if (k->weight[own] > 0) {
            k->sum[own] /= k->weight[own];
        } else {
            k->sum[own] = k->item[own].y;
            k->weight[own] = 0.01;
        }
    }
    settle_column(k, column);
}

static void choose_heights(work *k) {
    const int n = k->l->n_columns;
    for (int c = 0; c < n; c++) {
        double y = 0;
        for (int i = k->first_item[c] + 1; i < k->first_item[c + 1]; i++)
            k->item[k->order[i]].y = y +=
                distance(k, &k->item[k->order[i - 1]], &k->item[k->order[i]]);
    }
    for (int sweep = 0; sweep < HEIGHT_SWEEPS; sweep++) {
        const bool both = sweep >= HEIGHT_SWEEPS / 2, forward = sweep % 2 == 0;
        for (int i = 0; i < n; i++) {
            const int c = forward ? i : n - 1 - i;
            level_column(k, c, c > 0 && (forward || both), c < n - 1 && (!forward || both));
        }
    }
}

/* ---- results ---------------------------------------------------------------------------------- */

static void deliver(work *k) {
    gt__layout *l = k->l;
    double top = 0, bottom = 0;
    for (int i = 0; i < k->n_items; i++) {
        const item *it = &k->item[i];
        if (i == 0 || it->y - it->high / 2 < top) top = it->y - it->high / 2;
        if (i == 0 || it->y + it->high / 2 > bottom) bottom = it->y + it->high / 2;
    }
    for (int c = 0; c <= l->n_columns; c++) l->x[c] = 0;
    for (int i = 0; i < l->n_boxes; i++) {
        double *wide = &l->x[l->box[i].column + 1];
        if (*wide < l->box[i].wide) *wide = l->box[i].wide;
    }
    for (int c = 1; c <= l->n_columns; c++) l->x[c] += l->x[c - 1] + l->column_gap;
    for (int i = 0; i < l->n_boxes; i++) {
        l->box[i].x = l->x[l->box[i].column + 1] - l->column_gap - l->box[i].wide;
        l->box[i].y = k->item[i].y - top;
    }
    for (int i = l->n_boxes; i < k->n_items; i++) l->bend[i - l->n_boxes] = k->item[i].y - top;
    l->wide = l->n_boxes > 0 ? l->x[l->n_columns] - l->column_gap : 0;
    l->high = bottom - top;
}

/* ---- memory ----------------------------------------------------------------------------------- */

static void *resize(const gt__layout *l, void *block, size_t old_size, size_t new_size) {
    return l->allocator.resize(l->allocator.user, block, old_size, new_size);
}

/* The next count elements of a block, aligned; block NULL: only counts the bytes. */
static void *cut(char *block, size_t *used, size_t count, size_t size) {
    void *array = block ? block + *used : NULL;
    *used += (count * size + 15) / 16 * 16;
    return array;
}

/* Cuts the work's arrays from a block; returns the bytes that they take. */
static size_t cut_work(work *k, char *block, size_t items, size_t links, link **scratch) {
    const size_t columns = (size_t)k->l->n_columns;
    size_t used = 0;
    k->item = cut(block, &used, items, sizeof *k->item);
    k->link = cut(block, &used, links, sizeof *k->link);
    *scratch = cut(block, &used, links, sizeof **scratch);
    k->ranked = cut(block, &used, items + links, sizeof *k->ranked);
    k->run = cut(block, &used, items, sizeof *k->run);
    k->sum = cut(block, &used, items, sizeof *k->sum);
    k->weight = cut(block, &used, items, sizeof *k->weight);
    k->order = cut(block, &used, items, sizeof *k->order);
    k->best = cut(block, &used, items, sizeof *k->best);
    k->tree = cut(block, &used, items + 1, sizeof *k->tree);
    k->first_item = cut(block, &used, columns + 2, sizeof *k->first_item);
    k->first_link = cut(block, &used, columns + 2, sizeof *k->first_link);
    return used;
}

static size_t cut_results(gt__layout *l, char *block, size_t bends) {
    size_t used = 0;
    l->x = cut(block, &used, (size_t)l->n_columns + 1, sizeof *l->x);
    l->bend = cut(block, &used, bends, sizeof *l->bend);
    return used;
}

static bool place_with(gt__layout *l, int bends) {
    work k = {.l = l, .n_items = l->n_boxes + bends};
    const size_t items = (size_t)k.n_items, links = (size_t)l->n_wires + (size_t)bends;
    link *scratch;
    const size_t bytes = cut_work(&k, NULL, items, links, &scratch);
    char *block = resize(l, NULL, 0, bytes);
    if (!block) return false;
    cut_work(&k, block, items, links, &scratch);
    for (int i = 0; i < l->n_boxes; i++)
        k.item[i] = (item){.column = l->box[i].column, .high = l->box[i].high};
    for (int e = 0; e < l->n_wires; e++) make_chain(&k, &l->wire[e]);
    sort_links(&k, scratch);
    fill_columns(&k);
    choose_order(&k);
    choose_heights(&k);
    deliver(&k);
    resize(l, block, bytes, 0);
    return true;
}

bool gt__layout_place(gt__layout *l) {
    l->x = l->bend = NULL;
    const size_t bytes = sizeof(int) * ((size_t)l->n_boxes + 1);
    int *nearest = resize(l, NULL, 0, bytes);
    if (!nearest) return false;
    choose_columns(l, nearest);
    resize(l, nearest, bytes, 0);
    const int bends = count_bends(l);
    l->n_bends = bends;
    char *results = resize(l, NULL, 0, cut_results(l, NULL, (size_t)bends));
    if (!results) return false;
    cut_results(l, results, (size_t)bends);
    if (place_with(l, bends)) return true;
    gt__layout_free(l);
    return false;
}

/* x is the first array of the block of results. */
void gt__layout_free(gt__layout *l) {
    if (l->x) {
        char *results = (char *)l->x;
        resize(l, results, cut_results(l, NULL, (size_t)l->n_bends), 0);
    }
    l->x = l->bend = NULL;
}
