/* formula/statement.c: statements: which kind one is depends on the names known before it. */
#include <stdio.h>
#include <string.h>

#include "formula/parse.h"

static bool separator(const gt__parser *p) { return p->word.kind == ';' || p->word.kind == '\n'; }

/* The symbol of a name in the text; GT__ANONYMOUS when nothing before has that name. */
static uint32_t seen(const gt__parser *p, uint32_t start, uint32_t length) {
    const uint32_t symbol =
        length ? gt__symbol_find(p->f, p->f->text + start, length) : GT__ANONYMOUS;
    return symbol != GT__ANONYMOUS && p->f->symbol[symbol].used ? symbol : GT__ANONYMOUS;
}

static bool keep(gt__parser *p, gt_statement s) {
    gt_formula *f = p->f;
    if (!gt__widen(&f->allocator, &f->statement, &f->statement_room, (uint64_t)f->n_statements + 1,
                   sizeof *f->statement))
        return gt__refuse(p, s.span, "out of memory"), false;
    f->statement[f->n_statements++] = s;
    return true;
}

/* The symbol that a statement is about, from now on known. */
static gt__symbol *target(gt__parser *p, gt_span s) {
    const uint32_t symbol = gt__symbol_of(p->f, p->f->text + s.start, s.length);
    if (symbol == GT__ANONYMOUS) return gt__refuse(p, s, "out of memory"), NULL;
    p->f->symbol[symbol].used = true;
    return &p->f->symbol[symbol];
}

/* ---- shapes: X[64, 1000], b[10] -------------------------------------------------------------------------------- */

static bool size(gt__parser *p, gt_shape *shape) {
    const gt_span s = p->word.span;
    if (p->word.kind != GT__NUMBER) return gt__unexpected(p, "a size"), false;
    const double n = gt__number_read(p->f->text + s.start, s.length);
    if (shape->rank == GT_MAX_RANK) return gt__refuse(p, s, "too many axes"), false;
    if (!(n >= 0 && n <= 1e9) || n != (double)(int64_t)n)
        return gt__refuse(p, s, "a size is a whole number, at most 1e9"), false;
    shape->dim[shape->rank++] = (int64_t)n;
    gt__advance(p);
    return true;
}

/* The name has been read; the word is the bracket. */
static bool shape_of(gt__parser *p, gt_span name) {
    gt_statement s = {GT_STATES_SHAPE, NULL, {NULL, NULL}, gt_no_expr, {0, {0}}, name};
    p->brackets++;
    do {
        gt__advance(p);
        if (p->word.kind == ']' && s.shape.rank == 0) break;
        if (!size(p, &s.shape)) return false;
    } while (p->word.kind == ',');
    if (p->word.kind != ']') return gt__unexpected(p, "a ]"), false;
    p->brackets--;
    gt__advance(p);
    gt__symbol *symbol = target(p, name);
    if (!symbol) return false;
    if (symbol->defined >= 0 && p->f->statement[symbol->defined].kind != GT_STATES_SHAPE)
        return gt__refuse(p, name, "has a value already, and that has a shape"), false;
    symbol->defined = (int)p->f->n_statements;
    s.name = symbol->text;
    s.span.length = p->before.span.start + 1 - name.start;
    return keep(p, s);
}

static bool shapes(gt__parser *p) {
    do {
        const gt_span name = p->word.span;
        if (!gt__accept(p, GT__NAME)) return gt__unexpected(p, "a name with a shape"), false;
        if (p->word.kind != '[') return gt__unexpected(p, "a ["), false;
        if (!shape_of(p, name)) return false;
    } while (gt__accept(p, ','));
    return true;
}

/* ---- derivatives: df/dx, d2f/dxdy, dq ---------------------------------------------------------------------------- */

/* Reads "dxdy" or "dx2" as two known names. */
static bool two_names(const gt__parser *p, gt_span s, uint32_t found[2]) {
    const char *text = p->f->text;
    const uint32_t end = s.start + s.length;
    if (text[end - 1] == '2') {
        found[0] = found[1] = seen(p, s.start + 1, s.length - 2);
        if (found[0] != GT__ANONYMOUS) return true;
    }
    for (uint32_t cut = s.start + 2; cut + 1 < end; cut++) {
        if (text[cut] != 'd') continue;
        found[0] = seen(p, s.start + 1, cut - s.start - 1);
        found[1] = seen(p, cut + 1, end - cut - 1);
        if (found[0] != GT__ANONYMOUS && found[1] != GT__ANONYMOUS) return true;
    }
    return false;
}

static bool refuse_name(gt__parser *p, gt_span s, const char *format) {
    char message[GT_FORMULA_MESSAGE];
    snprintf(message, sizeof message, format, s.length < 60 ? (int)s.length : 60,
             p->f->text + s.start);
    return gt__refuse(p, s, message), false;
}

/* Fills in what is claimed of: above / below = ... */
static bool slope(gt__parser *p, gt_span above, gt_span below, gt_statement *s) {
    const char *text = p->f->text;
    const bool second =
        above.length > 2 && text[above.start + 1] == '2' && text[above.start] == 'd';
    const uint32_t skip = second ? 2 : 1;
    if (above.length <= skip || text[above.start] != 'd')
        return refuse_name(p, above,
                           "a derivative is written df/dx: %.*s has no d before its name");
    const gt_span name = {above.start + skip, above.length - skip};
    const uint32_t of = seen(p, name.start, name.length);
    if (of == GT__ANONYMOUS || p->f->symbol[of].defined < 0)
        return refuse_name(p, name, "%.*s has not been defined");
    if (below.length < 2 || text[below.start] != 'd')
        return refuse_name(p, below,
                           "a derivative is written df/dx: %.*s has no d before its name");
    uint32_t wrt[2] = {seen(p, below.start + 1, below.length - 1), GT__ANONYMOUS};
    if (second ? !two_names(p, below, wrt) : wrt[0] == GT__ANONYMOUS)
        return refuse_name(p, below,
                           second ? "%.*s names no two known names"
                                  : "%.*s: that name has not been used before");
    s->kind = second ? GT_CLAIMS_SECOND : GT_CLAIMS_SLOPE;
    s->name = p->f->symbol[of].text;
    s->wrt[0] = p->f->symbol[wrt[0]].text;
    s->wrt[1] = second ? p->f->symbol[wrt[1]].text : NULL;
    return true;
}

static int last_definition(const gt_formula *f) {
    int i = (int)f->n_statements;
    while (i-- > 0 && f->statement[i].kind != GT_DEFINES) {}
    return i;
}

/* Is `name = ...` about the gradient of the last definition? */
static bool short_slope(const gt__parser *p, gt_span name, gt_statement *s) {
    if (name.length < 2 || p->f->text[name.start] != 'd') return false;
    const uint32_t wrt = seen(p, name.start + 1, name.length - 1);
    const int of = last_definition(p->f);
    const uint32_t self = seen(p, name.start, name.length);
    if (wrt == GT__ANONYMOUS || of < 0) return false;
    if (self != GT__ANONYMOUS && !p->f->symbol[self].claimed) return false;
    s->kind = GT_CLAIMS_SLOPE;
    s->name = p->f->statement[of].name;
    s->wrt[0] = p->f->symbol[wrt].text;
    return true;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

/* The right side, and shapes after a colon. */
static bool right_side(gt__parser *p, gt_statement *s) {
    s->expr = gt__parse_sum(p);
    if (s->expr == gt_no_expr) return false;
    s->span.length = p->before.span.start + p->before.span.length - s->span.start;
    return true;
}

static bool trailing_shapes(gt__parser *p) { return !gt__accept(p, ':') || shapes(p); }

static bool equation(gt__parser *p, gt_span name, gt_statement *s) {
    const bool claims_slope = short_slope(p, name, s);
    if (!right_side(p, s)) return false;
    gt__symbol *symbol = target(p, name);
    if (!symbol) return false;
    symbol->claimed = symbol->claimed || claims_slope;
    if (claims_slope) return keep(p, *s) && trailing_shapes(p);
    s->name = symbol->text;
    const bool known =
        symbol->defined >= 0 && p->f->statement[symbol->defined].kind != GT_STATES_SHAPE;
    s->kind = known                                ? GT_CLAIMS_EQUAL
              : gt_expr_is_constant(p->f, s->expr) ? GT_STATES_VALUE
                                                   : GT_DEFINES;
    if (!known) symbol->defined = (int)p->f->n_statements;
    return keep(p, *s) && trailing_shapes(p);
}

static bool derivative(gt__parser *p, gt_span above, gt_statement *s) {
    const gt_span below = p->word.span;
    if (!gt__accept(p, GT__NAME)) return gt__unexpected(p, "a name"), false;
    if (!slope(p, above, below, s)) return false;
    if (!gt__accept(p, '=')) return gt__unexpected(p, "an ="), false;
    return right_side(p, s) && keep(p, *s) && trailing_shapes(p);
}

static bool statement(gt__parser *p) {
    const gt_span name = p->word.span;
    gt_statement s = {GT_DEFINES, NULL, {NULL, NULL}, gt_no_expr, {0, {0}}, name};
    if (!gt__accept(p, GT__NAME))
        return gt__unexpected(p, "a statement, f = ... or df/dx = ..."), false;
    if (gt__accept(p, '=')) return equation(p, name, &s);
    if (gt__accept(p, '/')) return derivative(p, name, &s);
    if (p->word.kind != '[') return gt__unexpected(p, "an ="), false;
    return shape_of(p, name) && (!gt__accept(p, ',') || shapes(p));
}

static bool parse(gt__parser *p) {
    gt__advance(p);
    for (;;) {
        while (separator(p)) gt__advance(p);
        if (p->word.kind == GT__END) return true;
        if (!statement(p)) return false;
        if (p->word.kind != GT__END && !separator(p))
            return gt__unexpected(p, "an operator or the statement's end"), false;
    }
}

gt_formula *gt_formula_parse(const char *text, const gt_allocator *allocator,
                             gt_formula_error *error) {
    const gt_allocator a = allocator ? *allocator : gt_default_allocator();
    const size_t length = strlen(text);
    *error = (gt_formula_error){.line = 1, .column = 1};
    gt_formula *f = NULL;
    if (length > GT_FORMULA_MOST)
        snprintf(error->message, sizeof error->message, "more than %d bytes of text",
                 (int)GT_FORMULA_MOST);
    else if (!(f = a.resize(a.user, NULL, 0, sizeof *f)))
        snprintf(error->message, sizeof error->message, "out of memory");
    if (!f) return NULL;
    *f = (gt_formula){.allocator = a, .text_size = length + 1};
    f->text = a.resize(a.user, NULL, 0, length + 1);
    if (f->text) {
        memcpy(f->text, text, length + 1);
        gt__parser p = {.f = f, .error = error};
        if (parse(&p)) return f;
    } else {
        snprintf(error->message, sizeof error->message, "out of memory");
    }
    gt_formula_free(f);
    return NULL;
}
