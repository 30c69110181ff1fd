/* check/arrays.c: what is wrong with an array of derivatives: one factor, a transposition, a shift, rows or columns
 * left out, or a few entries, which are found by halving. See judge.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check/judge.h"

enum { MOST_FOUND = 64, MOST_ROWS = 8, SAMPLED = 24, SHOWN = 4, WORTH_LOCATING = 8 };

void *gt__take(const gt_allocator *allocator, size_t bytes) {
    return allocator->resize(allocator->user, NULL, 0, bytes ? bytes : 1);
}

void gt__give(const gt_allocator *allocator, void *block, size_t bytes) {
    if (block) allocator->resize(allocator->user, block, bytes ? bytes : 1, 0);
}

int64_t gt__place_of(const gt__group *group, int64_t i) {
    switch (group->kind) {
    case GT__ROWS:
    case GT__OF_COLUMN: return i / group->columns;
    case GT__COLUMNS: return i % group->columns;
    default: return i;
    }
}

bool gt__in_group(const gt__group *group, int64_t i) {
    if (group->kind == GT__FLAGGED) return group->flag[i] != 0;
    if (group->kind == GT__OF_COLUMN && i % group->columns != group->column) return false;
    const int64_t place = gt__place_of(group, i);
    return place >= group->lo && place < group->hi;
}

/* An array under diagnosis. */
typedef struct patient {
    const gt__evidence *evidence;
    gt_check_finding *finding;
    int64_t rows, columns;
    double *candidate;
    unsigned char *flag;
    int64_t found[MOST_FOUND];
    int n_found;        /* wrong entries, rows or columns; -1: too many to look for */
    gt__group suspects; /* where the mistake is */
} patient;

static void GT_PRINTF(3, 4) say(patient *p, gt_mistake mistake, const char *format, ...) {
    va_list list;
    va_start(list, format);
    p->finding->mistake = mistake;
    vsnprintf(p->finding->text, sizeof p->finding->text, format, list);
    va_end(list);
}

static gt__group all_of(const patient *p) {
    return (gt__group){.kind = GT__ENTRIES, .hi = p->evidence->count, .columns = p->columns};
}

static bool is_right(const patient *p, const double *candidate, const gt__group *group) {
    return !p->evidence->wrong_on(p->evidence->user, candidate, group);
}

/* ---- one factor -------------------------------------------------------------------------------------------------- */

static bool is_near(double value, double expected) {
    return fabs(value - expected) <= 1e-5 * fabs(expected);
}

static bool is_whole(double value) { return fabs(value - rint(value)) <= 1e-5 * fabs(value); }

/* ln 2, ln 10, or one over them. */
static const char *logarithm_of(double factor) {
    const double ln2 = 0.69314718055994531, ln10 = 2.30258509299404568;
    if (is_near(factor, ln2)) return "ln 2";
    if (is_near(factor, 1 / ln2)) return "1 / ln 2";
    if (is_near(factor, ln10)) return "ln 10";
    return is_near(factor, 1 / ln10) ? "1 / ln 10" : NULL;
}

/* One number's ratio tells something only when it is a simple one. */
static void say_fraction(patient *p, double factor) {
    for (int q = 1; q <= 16; q++) {
        if (!is_near(factor * q, rint(factor * q)) || rint(factor * q) == 0) continue;
        say(p, GT_MISTAKE_FACTOR, q == 1 ? "all ratios are %g" : "all ratios are %g/%d",
            rint(factor * q), q);
        return;
    }
    if (p->evidence->count > 1) say(p, GT_MISTAKE_FACTOR, "all ratios are %.6g", factor);
}

static void say_factor(patient *p, double factor) {
    const double size = fabs(factor);
    const char *sign = factor < 0 ? "-" : "", *also = factor < 0 ? ", and the sign is wrong" : "";
    p->finding->factor = factor;
    if (is_near(factor, -1))
        say(p, GT_MISTAKE_SIGN, "all ratios are -1: the sign is wrong");
    else if (logarithm_of(size))
        say(p, GT_MISTAKE_LOG_BASE, "all ratios are %s%s: the base of a logarithm%s", sign,
            logarithm_of(size), also);
    else if (size < 0.4 && is_whole(1 / size))
        say(p, GT_MISTAKE_MEAN_FOR_SUM, "all ratios are %s1/%.0f: a mean over %.0f%s", sign,
            rint(1 / size), rint(1 / size), also);
    else if (size > 2.5 && is_whole(size))
        say(p, GT_MISTAKE_MEAN_FOR_SUM, "all ratios are %s%.0f: a sum over %.0f, not its mean%s",
            sign, rint(size), rint(size), also);
    else
        say_fraction(p, factor);
}

static bool diagnose_factor(patient *p) {
    double factor;
    if (!p->evidence->has_factor(p->evidence->user, &factor) || factor == 0) return false;
    say_factor(p, factor);
    return true;
}

/* ---- entries in other places ----------------------------------------------------------------------------------------- */

static bool explains(const patient *p) {
    const gt__group all = all_of(p);
    return is_right(p, p->candidate, &all);
}

static bool diagnose_transposed(patient *p) {
    if (p->rows < 2 || p->columns < 2) return false;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->columns; c++)
            p->candidate[r * p->columns + c] = p->evidence->claim[c * p->rows + r];
    if (!explains(p)) return false;
    say(p, GT_MISTAKE_TRANSPOSED, "yours is the truth, transposed");
    return true;
}

/* Entry (r, c) of the candidate is entry (r + down, c + right) of the claim, around the edges. */
static bool is_shifted(patient *p, int64_t down, int64_t right) {
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->columns; c++) {
            const int64_t from_r = (r + down + p->rows) % p->rows;
            const int64_t from_c = (c + right + p->columns) % p->columns;
            p->candidate[r * p->columns + c] = p->evidence->claim[from_r * p->columns + from_c];
        }
    /* What came around the edge need not be right. */
    gt__group inside = {.kind = GT__FLAGGED, .columns = p->columns, .flag = p->flag};
    for (int64_t i = 0; i < p->evidence->count; i++) {
        const int64_t r = i / p->columns + down, c = i % p->columns + right;
        p->flag[i] = r >= 0 && r < p->rows && c >= 0 && c < p->columns;
    }
    return is_right(p, p->candidate, &inside);
}

static bool diagnose_shifted(patient *p) {
    const char *of = p->columns > 1 ? "row" : "place";
    for (int step = -1; step <= 1; step += 2) {
        const char *way = step > 0 ? "late" : "early";
        if (p->rows > 2 && is_shifted(p, step, 0)) {
            say(p, GT_MISTAKE_SHIFTED, "every entry stands one %s too %s", of, way);
            return true;
        }
        if (p->columns > 2 && is_shifted(p, 0, step)) {
            say(p, GT_MISTAKE_SHIFTED, "every entry stands one column too %s", way);
            return true;
        }
    }
    return false;
}

/* ---- rows and columns of zeros --------------------------------------------------------------------------------------------- */

static bool is_zero_line(const patient *p, bool row, int64_t at) {
    const int64_t n = row ? p->columns : p->rows;
    for (int64_t k = 0; k < n; k++)
        if (p->evidence->claim[row ? at * p->columns + k : k * p->columns + at] != 0) return false;
    return true;
}

/* "3, 5, 7 ..." or "3 to 9"; n of them, of which the first and the last are known. */
static void list_lines(char *text, size_t size, const int64_t *at, int64_t n) {
    size_t used = 0;
    const int64_t last = at[(n < MOST_FOUND ? n : MOST_FOUND) - 1];
    if (n > 2 && last - at[0] == n - 1) {
        snprintf(text, size, "%lld to %lld", (long long)at[0], (long long)last);
        return;
    }
    for (int64_t k = 0; k < n && k < SHOWN && used < size; k++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%lld", k ? ", " : "", (long long)at[k]);
    if (n > SHOWN && used < size)
        snprintf(text + used, size - used, " and %lld more", (long long)(n - SHOWN));
}

/* All that is wrong are lines of zeros? */
static bool diagnose_missing(patient *p, bool row) {
    const int64_t n = row ? p->rows : p->columns;
    int64_t zero[MOST_FOUND], zeros = 0;
    char text[96];
    memset(p->flag, 1, (size_t)p->evidence->count);
    for (int64_t at = 0; at < n; at++) {
        if (!is_zero_line(p, row, at)) continue;
        for (int64_t i = 0; i < p->evidence->count; i++)
            if ((row ? i / p->columns : i % p->columns) == at) p->flag[i] = 0;
        zero[zeros < MOST_FOUND ? zeros : MOST_FOUND - 1] = at;
        zeros++;
    }
    const gt__group others = {.kind = GT__FLAGGED, .columns = p->columns, .flag = p->flag};
    if (zeros == 0 || zeros == n || !is_right(p, p->evidence->claim, &others)) return false;
    list_lines(text, sizeof text, zero, zeros);
    for (int64_t i = 0; i < p->evidence->count; i++) p->flag[i] = !p->flag[i];
    p->suspects = others;
    say(p, row ? GT_MISTAKE_MISSING_ROWS : GT_MISTAKE_MISSING_COLUMNS,
        "%s %s %s zero and should not be; the others are right",
        p->columns == 1 ? (zeros > 1 ? "entries" : "entry")
        : row           ? (zeros > 1 ? "rows" : "row")
                        : (zeros > 1 ? "columns" : "column"),
        text, zeros > 1 ? "are" : "is");
    return true;
}

/* ---- a few wrong ones among many: group testing ------------------------------------------------------------------------------ */

/* Is a group that is known to be wrong so at one place alone? */
static bool is_at_one_place(const patient *p, const gt__group *group, int64_t *place) {
    gt__group rest = {.kind = GT__FLAGGED, .columns = p->columns, .flag = p->flag};
    if (group->hi - group->lo < WORTH_LOCATING || !p->evidence->locate ||
        !p->evidence->locate(p->evidence->user, group, place))
        return false;
    for (int64_t i = 0; i < p->evidence->count; i++)
        p->flag[i] = gt__in_group(group, i) && gt__place_of(group, i) != *place;
    return is_right(p, p->evidence->claim, &rest);
}

/* Halves a group that is known to be wrong until single entries, rows or columns are left. Breadth first, so
 * that where most are wrong it is noticed early. */
static void halve(patient *p, gt__group group, int most) {
    gt__group queue[2 * MOST_FOUND];
    int first = 0, n = 1;
    queue[0] = group;
    p->n_found = 0;
    while (n > 0) {
        group = queue[first];
        first = (first + 1) % (2 * MOST_FOUND), n--;
        int64_t place = group.lo;
        if (group.hi - group.lo == 1 || is_at_one_place(p, &group, &place)) {
            p->found[p->n_found++] = place;
        } else {
            gt__group left = group, right = group;
            left.hi = right.lo = group.lo + (group.hi - group.lo) / 2;
            const bool in_left = !is_right(p, p->evidence->claim, &left);
            const bool in_right = !in_left || !is_right(p, p->evidence->claim, &right);
            if (in_left) queue[(first + n++) % (2 * MOST_FOUND)] = left;
            if (in_right) queue[(first + n++) % (2 * MOST_FOUND)] = right;
        }
        if (p->n_found + n > most || p->evidence->is_spent(p->evidence->user)) {
            p->n_found = -1;
            return;
        }
    }
}

static void sort_found(patient *p) {
    for (int i = 1; i < p->n_found; i++)
        for (int k = i; k > 0 && p->found[k - 1] > p->found[k]; k--) {
            const int64_t t = p->found[k];
            p->found[k] = p->found[k - 1], p->found[k - 1] = t;
        }
}

static double distance(const gt_check_entry *e) {
    const double d = fabs(e->claimed - e->truth.value);
    return isnan(d) ? HUGE_VAL : d;
}

/* Keeps the worst five, the worst first. */
static void keep_worst(gt_check_finding *f, const gt_check_entry *e) {
    int at = f->n_worst;
    while (at > 0 && distance(&f->worst[at - 1]) < distance(e)) at--;
    if (at == GT_CHECK_WORST) return;
    if (f->n_worst < GT_CHECK_WORST) f->n_worst++;
    for (int k = f->n_worst - 1; k > at; k--) f->worst[k] = f->worst[k - 1];
    f->worst[at] = *e;
}

static void look_at(patient *p, int64_t i) {
    const gt_check_entry e = {i, p->evidence->claim[i], p->evidence->entry(p->evidence->user, i)};
    keep_worst(p->finding, &e);
}

static void say_entries(patient *p) {
    char text[96];
    sort_found(p);
    list_lines(text, sizeof text, p->found, p->n_found);
    say(p, GT_MISTAKE_ENTRIES, "only %s %s %s wrong; the others are right",
        p->n_found > 1 ? "entries" : "entry", text, p->n_found > 1 ? "are" : "is");
    p->finding->beyond = p->n_found;
}

static void say_lines(patient *p, bool row) {
    char text[96];
    sort_found(p);
    list_lines(text, sizeof text, p->found, p->n_found);
    p->suspects = (gt__group){.kind = row ? GT__ROWS : GT__COLUMNS,
                              .lo = p->found[0],
                              .hi = p->found[0] + 1,
                              .columns = p->columns};
    say(p, GT_MISTAKE_ENTRIES, "only %s %s %s wrong; the others are right",
        row ? (p->n_found > 1 ? "rows" : "row") : (p->n_found > 1 ? "columns" : "column"), text,
        p->n_found > 1 ? "are" : "is");
}

/* Few rows or columns are wrong: single entries of them, or all of each? */
static void look_into_lines(patient *p, bool row) {
    int64_t entry[MOST_FOUND];
    const patient lines = *p;
    int n = 0;
    for (int k = 0; k < lines.n_found && n >= 0; k++) {
        const int64_t at = lines.found[k];
        gt__group group = {.kind = row ? GT__ENTRIES : GT__OF_COLUMN, .columns = p->columns};
        group.column = at;
        group.lo = row ? at * p->columns : 0;
        group.hi = row ? group.lo + p->columns : p->rows;
        halve(p, group, MOST_ROWS);
        if (p->n_found < 0 || n + p->n_found > MOST_FOUND) n = -1;
        for (int m = 0; n >= 0 && m < p->n_found; m++)
            entry[n++] = row ? p->found[m] : p->found[m] * p->columns + at;
    }
    p->n_found = n < 0 ? lines.n_found : n;
    memcpy(p->found, n < 0 ? lines.found : entry, sizeof p->found);
    if (n < 0)
        say_lines(p, row);
    else
        say_entries(p);
}

static bool diagnose_few(patient *p, bool row) {
    const gt__group group = {.kind = row ? GT__ROWS : GT__COLUMNS,
                             .hi = row ? p->rows : p->columns,
                             .columns = p->columns};
    if (group.hi < 2) return false;
    const int64_t half = group.hi / 2;
    halve(p, group,
          (int)(p->columns == 1 ? fmin(MOST_FOUND, (double)half) : fmin(MOST_ROWS, (double)half)));
    if (p->n_found < 1) return false;
    if (p->columns == 1)
        say_entries(p);
    else
        look_into_lines(p, row);
    return true;
}

/* The largest entry of the claim that is in the group and not shown yet; -1: none. */
static int64_t next_largest(const patient *p, const gt__group *group) {
    int64_t best = -1;
    for (int64_t i = 0; i < p->evidence->count; i++) {
        bool shown = !gt__in_group(group, i);
        for (int k = 0; k < p->finding->n_worst; k++) shown = shown || p->finding->worst[k].at == i;
        if (shown || (best >= 0 && !(fabs(p->evidence->claim[i]) > fabs(p->evidence->claim[best]))))
            continue;
        best = i;
    }
    return best;
}

/* Entries to show: those found wrong; some at random where no pattern was found; else the largest where the
 * mistake is. */
static void show_entries(patient *p) {
    const int64_t n = p->evidence->count;
    const bool few = p->finding->mistake == GT_MISTAKE_ENTRIES && p->finding->beyond > 0;
    const bool blind = p->finding->mistake == GT_MISTAKE_UNKNOWN && n > SAMPLED;
    for (int k = 0; few && k < p->n_found; k++) look_at(p, p->found[k]);
    for (int64_t k = 0; blind && k < SAMPLED && !p->evidence->is_spent(p->evidence->user); k++)
        look_at(p, (int64_t)(gt_uniform(17, 0, (uint64_t)k) * (double)n));
    for (int k = 0; !few && !blind && k < GT_CHECK_WORST; k++) {
        const int64_t i = next_largest(p, &p->suspects);
        if (i >= 0) look_at(p, i);
    }
}

/* ---- all together ---------------------------------------------------------------------------------------------------------------- */

static void diagnose(patient *p) {
    if (diagnose_factor(p) || diagnose_transposed(p) || diagnose_missing(p, true) ||
        diagnose_missing(p, false) || diagnose_shifted(p) || diagnose_few(p, true) ||
        diagnose_few(p, false))
        return;
    say(p, GT_MISTAKE_UNKNOWN, "many entries are wrong, by different factors");
}

void gt__diagnose_array(const gt__evidence *evidence, gt_check_finding *finding) {
    const gt_shape *s = &evidence->shape;
    const size_t bytes = (size_t)evidence->count * sizeof(double);
    patient p = {.evidence = evidence, .finding = finding};
    p.rows = s->rank > 0 && s->dim[0] > 0 ? s->dim[0] : 1;
    p.columns = evidence->count / p.rows;
    p.candidate = gt__take(evidence->allocator, bytes);
    p.flag = gt__take(evidence->allocator, (size_t)evidence->count);
    p.suspects = all_of(&p);
    if (!p.candidate || !p.flag)
        say(&p, GT_MISTAKE_UNKNOWN, "memory is short for a diagnosis");
    else if (evidence->count > 1)
        diagnose(&p);
    else if (!diagnose_factor(&p) || !finding->mistake)
        say(&p, GT_MISTAKE_UNKNOWN, "no simple factor");
    if (finding->n_worst == 0) show_entries(&p);
    gt__give(evidence->allocator, p.candidate, bytes);
    gt__give(evidence->allocator, p.flag, (size_t)evidence->count);
}
