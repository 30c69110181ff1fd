/* step/circuit_text.c: the circuit drawn with characters, the output at the right, values above the wires and
 * gradients below:
 *
 *       -2
 *     x ────┐    q = 3
 *       -4  ├─ + ─────┐
 *       5   │    -4   │    f = -12
 *     y ────┘         ├─ * ────────
 *       -4            │    1
 *       -4            │
 *     z ──────────────┘
 *       3
 *
 * A gate that is used twice is drawn once; at its other uses its name stands alone. What is too large for the
 * screen becomes an indented list. */
#include <string.h>

#include "step/journal.h"
#include "step/walk.h"

enum { MOST_PLACES = 64, MOST_LINES = 200, TEXT = 64, GAP = 3 };

/* One occurrence of a gate in the drawing. */
typedef struct place {
    uint32_t gate;
    int parent;      /* place, -1 for the output */
    bool whole;      /* its inputs are drawn too */
    int height, row; /* 0 for leaves of the drawing */
    int top, bottom; /* rows of its first and last input */
    int n_children;
    char symbol[TEXT], above[TEXT], below[TEXT];
} place;

typedef enum ink { INK, VALUE, GRADIENT } ink;
enum {
    LINE = 1,
    BAR,
    TOP,
    BOTTOM,
    MIDDLE,
    OUTWARD,
    CROSS,
    N_GLYPHS
}; /* cells below ' ' are lines */

typedef struct drawing {
    gt_journal *j;
    place place[MOST_PLACES];
    int n_places;
    int column[MOST_PLACES + 1]; /* by height */
    int columns, rows;
    unsigned char *cell, *color; /* rows x columns each */
} drawing;

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static bool has_own_name(const gt__gate *gate) { return !strchr(gate->label, '#'); }

static void symbol_of(const gt__gate *gate, char *text) {
    static const char *const signs[][2] = {{"add", "+"},        {"sub", "-"},
                                           {"mul", "*"},        {"div", "/"},
                                           {"neg", "-x"},       {"reciprocal", "1/x"},
                                           {"add_scalar", "+"}, {"mul_scalar", "*"},
                                           {"pow_scalar", "^"}, {"square", "^2"}};
    const char *name = gt_op_of(gate->value)->name;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strcmp(name, signs[i][0]) == 0) name = signs[i][1];
    char number[40] = "";
    if (strstr(gt_op_of(gate->value)->name, "_scalar"))
        gt__number_text(gt_args(gate->value)[0].real, number, sizeof number);
    snprintf(text, TEXT, "%.20s%.12s", name, number);
}

/* Four digits: the lines of the journal have more. */
static void figures_text(const gt__figures *f, char *text, size_t size) {
    if (f->numel == 1)
        snprintf(text, size, "%.4g", f->one == 0 ? 0 : f->one);
    else
        snprintf(text, size, "norm %.4g", f->norm);
}

static void describe(place *p, const gt__gate *gate) {
    char value[TEXT - 24];
    figures_text(&gate->v, value, sizeof value);
    if (gate->kind == GT__OPERATION && p->whole) {
        symbol_of(gate, p->symbol);
        if (has_own_name(gate))
            snprintf(p->above, TEXT, "%.16s = %s", gate->label, value);
        else
            snprintf(p->above, TEXT, "%s", value);
    } else {
        snprintf(p->symbol, TEXT, "%.20s", gate->label);
        snprintf(p->above, TEXT, "%s", value);
    }
    if (gt_is_none(gate->gradient))
        snprintf(p->below, TEXT, "-");
    else
        figures_text(&gate->g, p->below, TEXT);
}

/* ---- the tree ------------------------------------------------------------------------------------------------------------ */

typedef struct pending {
    uint32_t gate;
    int parent;
} pending;

static bool was_drawn(const drawing *d, uint32_t gate) {
    for (int i = 0; i < d->n_places; i++)
        if (d->place[i].gate == gate) return true;
    return false;
}

/* Places in the order of a reader from the output to the leaves, first input first. */
static bool grow_tree(drawing *d) {
    pending stack[MOST_PLACES];
    int depth = 0;
    stack[depth++] = (pending){d->j->output, -1};
    while (depth > 0) {
        const pending next = stack[--depth];
        const gt__gate *gate = &d->j->gate[next.gate];
        const bool whole = gate->kind == GT__OPERATION && !was_drawn(d, next.gate);
        if (d->n_places == MOST_PLACES || (whole && depth + (int)gate->n_in > MOST_PLACES))
            return false;
        place *p = &d->place[d->n_places];
        *p = (place){.gate = next.gate, .parent = next.parent, .whole = whole, .top = 1 << 20};
        for (uint32_t k = gate->n_in; whole && k-- > 0;)
            stack[depth++] = (pending){d->j->input[gate->first_in + k], d->n_places};
        describe(p, gate);
        d->n_places++;
    }
    return true;
}

/* Inputs stand behind what uses them, so one pass from the end knows them all. */
static void set_rows(drawing *d) {
    int leaves = 0, leaf = 0;
    for (int i = 0; i < d->n_places; i++) leaves += !d->place[i].whole;
    for (int i = d->n_places; i-- > 0;) {
        place *p = &d->place[i];
        p->row = p->whole ? (p->top + p->bottom) / 2 : 1 + 3 * (leaves - 1 - leaf++);
        if (p->parent < 0) continue;
        place *up = &d->place[p->parent];
        up->n_children++;
        up->top = p->row < up->top ? p->row : up->top;
        up->bottom = p->row > up->bottom ? p->row : up->bottom;
        up->height = p->height + 1 > up->height ? p->height + 1 : up->height;
    }
    d->rows = 3 * leaves;
}

static int longest(const place *p) {
    const int above = (int)strlen(p->above), below = (int)strlen(p->below);
    return (int)strlen(p->symbol) + 2 + (above > below ? above : below);
}

static void set_columns(drawing *d) {
    const int heights = d->place[0].height + 1;
    d->column[0] = 0;
    for (int h = 0; h < heights; h++) {
        int width = 0;
        for (int i = 0; i < d->n_places; i++)
            if (d->place[i].height == h && longest(&d->place[i]) > width)
                width = longest(&d->place[i]);
        d->column[h + 1] = d->column[h] + width + 1 + GAP;
    }
    d->columns = d->column[heights] - GAP;
}

/* ---- the canvas ------------------------------------------------------------------------------------------------------------- */

static void put(drawing *d, int row, int column, int glyph) {
    if (row >= 0 && row < d->rows && column >= 0 && column < d->columns)
        d->cell[row * d->columns + column] = (unsigned char)glyph;
}

static void put_text(drawing *d, int row, int column, const char *text, ink tint) {
    for (int i = 0; text[i]; i++) {
        const unsigned char c = (unsigned char)text[i];
        put(d, row, column + i, c >= ' ' && c < 0x7f ? c : '?');
        if (row >= 0 && row < d->rows && column + i < d->columns)
            d->color[row * d->columns + column + i] = (unsigned char)tint;
    }
}

/* The bar at which the inputs of a place meet. */
static void draw_bar(drawing *d, const place *p) {
    const int column = d->column[p->height] - GAP;
    for (int row = p->top; row <= p->bottom; row++) put(d, row, column, BAR);
    for (int i = 0; i < d->n_places; i++) {
        const place *in = &d->place[i];
        if (in->parent < 0 || &d->place[in->parent] != p) continue;
        put(d, in->row, column, in->row == p->top ? TOP : in->row == p->bottom ? BOTTOM : MIDDLE);
    }
    const int here = p->row >= 0 ? d->cell[p->row * d->columns + column] : 0;
    put(d, p->row, column, p->top == p->bottom ? LINE : here == BAR ? OUTWARD : CROSS);
    put(d, p->row, column + 1, LINE);
}

static void draw_place(drawing *d, const place *p) {
    const int from = d->column[p->height], wire = from + (int)strlen(p->symbol) + 1;
    const int to = p->parent < 0 ? d->columns : d->column[d->place[p->parent].height] - GAP;
    put_text(d, p->row, from, p->symbol, INK);
    for (int column = wire; column < to; column++) put(d, p->row, column, LINE);
    put_text(d, p->row - 1, wire + 1, p->above, VALUE);
    put_text(d, p->row + 1, wire + 1, p->below, GRADIENT);
    if (p->whole && p->n_children) draw_bar(d, p);
}

static void write_cell(const gt__style *style, unsigned char c, FILE *out) {
    static const char *const lines[N_GLYPHS] = {"", "─", "│", "┐", "┘", "┤", "├", "┼"};
    static const char ascii[] = " -|+++++";
    if (c >= N_GLYPHS)
        fputc(c, out);
    else if (style->ascii)
        fputc(ascii[c], out);
    else
        fputs(lines[c], out);
}

static void write_row(const drawing *d, int row, const gt__style *style, FILE *out) {
    static const char *const inks[] = {"\033[0m", "\033[32m", "\033[31m"};
    const unsigned char *cell = d->cell + row * d->columns, *color = d->color + row * d->columns;
    int end = d->columns;
    while (end > 0 && cell[end - 1] == ' ') end--;
    for (int i = 0; i < end; i++) {
        if (style->color && color[i] != (i ? color[i - 1] : INK)) fputs(inks[color[i]], out);
        write_cell(style, cell[i], out);
    }
    if (style->color && end > 0 && color[end - 1] != INK) fputs(inks[INK], out);
    fputc('\n', out);
}

static bool write_drawing(drawing *d, const gt__style *style, FILE *out) {
    const size_t size = (size_t)d->rows * (size_t)d->columns;
    d->cell = gt_params_alloc(d->j->params, NULL, 0, 2 * size);
    if (!d->cell) return gt__journal_fail(d->j, "out of memory: a drawing");
    d->color = d->cell + size;
    memset(d->cell, ' ', size);
    memset(d->color, INK, size);
    for (int i = 0; i < d->n_places; i++) draw_place(d, &d->place[i]);
    for (int row = 0; row < d->rows; row++) write_row(d, row, style, out);
    gt_params_alloc(d->j->params, d->cell, 2 * size, 0);
    return true;
}

/* ---- the list ------------------------------------------------------------------------------------------------------------------ */

typedef struct listed {
    uint32_t gate;
    uint32_t depth;
} listed;

static void write_listed(const gt__gate *gate, uint32_t depth, FILE *out) {
    char value[TEXT], gradient[TEXT] = "no gradient";
    figures_text(&gate->v, value, sizeof value);
    if (!gt_is_none(gate->gradient)) figures_text(&gate->g, gradient, sizeof gradient);
    fprintf(out, "%*s%s", (int)(2 * (depth < 30 ? depth : 30)), "", gate->label);
    if (gate->kind == GT__OPERATION && has_own_name(gate))
        fprintf(out, " = %s", gt_op_of(gate->value)->name);
    fprintf(out, "   %s | %s\n", value, gradient);
}

/* A gate's inputs are listed at its first use; listed[] is the stack. */
static void list_gates(const gt_journal *j, listed *stack, unsigned char *seen, FILE *out) {
    uint32_t depth = 1, lines = 0;
    stack[0] = (listed){j->output, 0};
    while (depth > 0 && lines < MOST_LINES) {
        const listed next = stack[--depth];
        const gt__gate *gate = &j->gate[next.gate];
        write_listed(gate, next.depth, out);
        lines++;
        if (seen[next.gate]) continue;
        seen[next.gate] = 1;
        for (uint32_t k = gate->n_in; k-- > 0;)
            stack[depth++] = (listed){j->input[gate->first_in + k], next.depth + 1};
    }
    if (depth > 0) fprintf(out, "... and more: %u gates in all\n", j->n_main);
}

static bool write_list(gt_journal *j, FILE *out) {
    const size_t places = (size_t)j->n_inputs + 1, size = places * sizeof(listed) + j->n_gates;
    listed *stack = gt_params_alloc(j->params, NULL, 0, size);
    if (!stack) return gt__journal_fail(j, "out of memory: a drawing");
    unsigned char *seen = (unsigned char *)(stack + places);
    memset(seen, 0, j->n_gates);
    list_gates(j, stack, seen, out);
    gt_params_alloc(j->params, stack, size, 0);
    return true;
}

bool gt__write_circuit(gt_journal *j, const gt__style *style, int columns, int rows, FILE *out) {
    const size_t size = sizeof(drawing);
    drawing *d = gt_params_alloc(j->params, NULL, 0, size);
    if (!d) return gt__journal_fail(j, "out of memory: a drawing");
    memset(d, 0, size);
    d->j = j;
    bool fits = grow_tree(d);
    if (fits) {
        set_rows(d);
        set_columns(d);
        fits = d->columns <= columns && d->rows <= rows;
    }
    const bool ok = fits ? write_drawing(d, style, out) : write_list(j, out);
    gt_params_alloc(j->params, d, size, 0);
    return ok;
}
