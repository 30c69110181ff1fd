/* ops/order_kernel.h: a template, included by order.c once for every kind of element that has an
 * order.
 *
 * The includer defines T (an element), NAME(x) (x, named for this kind) and IS_NAN(v); they are
 * undefined at the end. NaN counts as the largest number, and equal elements keep their order. */

typedef struct NAME(item) {
    T key;
    int64_t index;
} NAME(item);

static inline bool NAME(before)(T a, T b, bool descending) {
    return descending ? a > b || (IS_NAN(a) && !IS_NAN(b)) : a < b || (IS_NAN(b) && !IS_NAN(a));
}

/* Merges neighbouring runs of doubling length; the result lies in item or in spare. */
static NAME(item) *
    NAME(merge_runs)(NAME(item) * item, NAME(item) * spare, int64_t n, bool descending) {
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t start = 0; start < n; start += 2 * run) {
            const int64_t middle = start + run < n ? start + run : n;
            const int64_t end = middle + run < n ? middle + run : n;
            int64_t left = start, right = middle;
            for (int64_t i = start; i < end; i++) {
                const bool from_right =
                    left == middle ||
                    (right < end && NAME(before)(item[right].key, item[left].key, descending));
                spare[i] = item[from_right ? right++ : left++];
            }
        }
        NAME(item) *const sorted = spare;
        spare = item;
        item = sorted;
    }
    return item;
}

/* The first k of n elements in order. Candidates gather in a list of at most 2k, which is sorted
 * and cut to k when it is full; from then on only what stands before its last is a candidate. */
static void NAME(first_of)(const line *l, const void *from, void *values, int64_t *indices,
                           void *work) {
    const T *x = from;
    T *y = values;
    NAME(item) *item = work, *spare = item + l->room;
    int64_t held = 0;
    bool full = false;
    T last = 0;
    for (int64_t i = 0; i < l->n && l->k > 0; i++) {
        const T v = x[i * l->stride];
        if (full && !NAME(before)(v, last, l->descending)) continue;
        item[held++] = (NAME(item)){v, i};
        if (held < l->room || l->room == l->n) continue;
        NAME(item) *sorted = NAME(merge_runs)(item, spare, held, l->descending);
        if (sorted != item) memcpy(item, sorted, (size_t)l->k * sizeof *item);
        held = l->k;
        last = item[l->k - 1].key;
        full = true;
    }
    const NAME(item) *sorted = NAME(merge_runs)(item, spare, held, l->descending);
    for (int64_t i = 0; i < l->k; i++) {
        y[i * l->stride] = sorted[i].key;
        indices[i * l->stride] = sorted[i].index;
    }
}

#undef T
#undef NAME
#undef IS_NAN
