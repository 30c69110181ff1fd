/* formula/parse.c: words to expressions. Recursive descent, which nests GT_FORMULA_DEPTH deep at most.
 *
 *     sum     = term { (+ | -) term }             term  = sign { (* | / | .* | ./) sign | number name }
 *     sign    = - sign | + sign | power           power = primed [ (^ | .^) sign ]
 *     primed  = atom { ' }                        atom  = number | name [( sum, ... )] | ( sum ) | [ ... ] */
#include "formula/parse.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- errors ------------------------------------------------------------------------------------------------ */

static void place(gt_formula_error *error, const char *text) {
    uint32_t line_start = 0;
    error->line = 1;
    for (uint32_t i = 0; i < error->span.start; i++)
        if (text[i] == '\n') {
            error->line++;
            line_start = i + 1;
        }
    error->column = (int)(error->span.start - line_start) + 1;
}

void gt__formula_error(gt_formula_error *error, const char *text, gt_span span, const char *format,
                       ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->span = span;
    place(error, text);
}

gt_expr gt__refuse(gt__parser *p, gt_span span, const char *message) {
    if (!p->error->message[0]) gt__formula_error(p->error, p->f->text, span, "%s", message);
    return gt_no_expr;
}

/* ---- words --------------------------------------------------------------------------------------------------- */

void gt__advance(gt__parser *p) {
    p->before = p->word;
    p->word = gt__word_at(p->f->text, p->word.span.start + p->word.span.length, p->brackets > 0);
}

bool gt__accept(gt__parser *p, int kind) {
    if (p->word.kind != kind) return false;
    gt__advance(p);
    return true;
}

gt_expr gt__unexpected(gt__parser *p, const char *wanted) {
    char message[GT_FORMULA_MESSAGE];
    const gt_span s = p->word.span;
    if (p->word.kind == GT__END || p->word.kind == '\n')
        snprintf(message, sizeof message, "%s is missing here", wanted);
    else
        snprintf(message, sizeof message, "%s was expected, not \"%.*s\"", wanted,
                 s.length < 40 ? (int)s.length : 40, p->f->text + s.start);
    return gt__refuse(p, s, message);
}

static bool close(gt__parser *p, int kind, const char *wanted) {
    if (p->word.kind != kind) return gt__unexpected(p, wanted), false;
    p->brackets--;
    gt__advance(p);
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------------------------- */

/* Adds a node that spans the text from start to the last word taken. */
static gt_expr add(gt__parser *p, gt__expr node, const gt_expr *child, uint32_t start) {
    const gt_span last = p->before.span;
    node.span = (gt_span){start, last.start + last.length - start};
    for (uint32_t k = 0; child && k < node.count; k++)
        if (child[k] == gt_no_expr) return gt_no_expr;
    const gt_expr e = gt__expr_add(p->f, node, child);
    if (e == gt_no_expr)
        gt__refuse(p, node.span,
                   p->f->failed ? "out of memory"
                                : "too many operations in one expression: name a part of it");
    return e;
}

static gt_expr operation(gt__parser *p, gt_expr_kind kind, gt_expr a, gt_expr b, uint32_t start) {
    const uint32_t count = b == gt_no_expr ? 1 : 2;
    return add(p, (gt__expr){.kind = kind, .count = count}, (const gt_expr[]){a, b}, start);
}

/* ---- atoms ------------------------------------------------------------------------------------------------------- */

/* The value of the word, which is a number. */
static bool take_number(gt__parser *p, double *value) {
    const gt_span s = p->word.span;
    *value = gt__number_read(p->f->text + s.start, s.length);
    if (!isfinite(*value)) return gt__refuse(p, s, "this number is too large for a double"), false;
    gt__advance(p);
    return true;
}

static gt_expr number(gt__parser *p) {
    const uint32_t start = p->word.span.start;
    double value;
    if (!take_number(p, &value)) return gt_no_expr;
    return add(p, (gt__expr){.kind = GT_EXPR_NUMBER, .number = value}, NULL, start);
}

static gt_expr name(gt__parser *p, gt_span s) {
    const uint32_t symbol = gt__symbol_of(p->f, p->f->text + s.start, s.length);
    if (symbol == GT__ANONYMOUS) return gt__refuse(p, s, "out of memory");
    p->f->symbol[symbol].used = true;
    return add(p, (gt__expr){.kind = GT_EXPR_NAME, .name = symbol}, NULL, s.start);
}

static gt_expr no_function(gt__parser *p, gt_span s, int count) {
    char message[GT_FORMULA_MESSAGE];
    const char *text = p->f->text + s.start;
    const int shown = s.length < 60 ? (int)s.length : 60;
    const gt__function *known = gt__function_find(text, s.length, -1);
    if (known)
        snprintf(message, sizeof message, "%s takes (%s), not %d argument%s", known->name,
                 known->arguments, count, count == 1 ? "" : "s");
    else
        snprintf(message, sizeof message,
                 "there is no function %.*s; a product with brackets is written %.*s*(...)", shown,
                 text, shown, text);
    return gt__refuse(p, s, message);
}

/* The name has been read, and the opening bracket. */
static gt_expr call(gt__parser *p, gt_span s) {
    gt_expr argument[GT__MOST_CHILDREN];
    uint32_t count = 0;
    while (p->word.kind != ')') {
        if (count == GT__MOST_CHILDREN) return gt__refuse(p, p->word.span, "too many arguments");
        argument[count] = gt__parse_sum(p);
        if (argument[count++] == gt_no_expr) return gt_no_expr;
        if (!gt__accept(p, ',') && p->word.kind != ')') return gt__unexpected(p, "a ) or ,");
    }
    if (!close(p, ')', "a )")) return gt_no_expr;
    const gt__function *f = gt__function_find(p->f->text + s.start, s.length, (int)count);
    if (!f) return no_function(p, s, (int)count);
    for (uint32_t k = (uint32_t)f->tensors; k < count; k++) {
        double ignored;
        if (!gt__literal(p->f, argument[k], &ignored))
            return gt__refuse(p, p->f->expr[argument[k]].span, "a number is wanted here");
    }
    return add(p, (gt__expr){.kind = GT_EXPR_CALL, .count = count, .function = f}, argument,
               s.start);
}

static bool array_element(gt__parser *p) {
    gt_formula *f = p->f;
    const bool minus = p->word.kind == '-';
    if (minus || p->word.kind == '+') gt__advance(p);
    if (p->word.kind != GT__NUMBER) return gt__unexpected(p, "a number"), false;
    if (!gt__widen(&f->allocator, &f->number, &f->number_room, (uint64_t)f->n_numbers + 1,
                   sizeof *f->number))
        return gt__refuse(p, p->word.span, "out of memory"), false;
    double value;
    if (!take_number(p, &value)) return false;
    f->number[f->n_numbers++] = minus ? -value : value;
    return true;
}

/* The opening bracket has been read. A row that ends with ; makes a matrix, be it the only one. */
static gt_expr array(gt__parser *p, uint32_t start) {
    const uint32_t first = p->f->n_numbers;
    uint32_t rows = 0, columns = 0, in_row = 0;
    bool matrix = false;
    while (p->word.kind != ']') {
        if (!array_element(p)) return gt_no_expr;
        in_row++;
        gt__accept(p, ',');
        const bool ends = gt__accept(p, ';');
        matrix = matrix || ends;
        if (!ends && p->word.kind != ']') continue;
        if (rows > 0 && in_row != columns)
            return gt__refuse(p, p->before.span, "the rows of a matrix have one length");
        columns = in_row;
        in_row = 0;
        rows++;
    }
    if (!close(p, ']', "a ]")) return gt_no_expr;
    return add(p,
               (gt__expr){.kind = GT_EXPR_ARRAY,
                          .count = rows * columns,
                          .first = first,
                          .name = columns,
                          .number = matrix ? 2 : 1},
               NULL, start);
}

static gt_expr atom(gt__parser *p) {
    const gt_span s = p->word.span;
    if (p->word.kind == GT__NUMBER) return number(p);
    if (p->word.kind == GT__NAME) {
        gt__advance(p);
        if (p->word.kind != '(') return name(p, s);
        p->brackets++;
        gt__advance(p);
        return call(p, s);
    }
    if (p->word.kind != '(' && p->word.kind != '[')
        return gt__unexpected(p, "a number, a name or a (");
    const bool square = p->word.kind == '[';
    p->brackets++;
    gt__advance(p);
    if (square) return array(p, s.start);
    const gt_expr e = gt__parse_sum(p);
    return e != gt_no_expr && close(p, ')', "a )") ? e : gt_no_expr;
}

/* ---- operators ------------------------------------------------------------------------------------------------- */

static gt_expr sign(gt__parser *p);

static gt_expr power(gt__parser *p) {
    const uint32_t start = p->word.span.start;
    gt_expr e = atom(p);
    while (e != gt_no_expr && gt__accept(p, '\''))
        e = operation(p, GT_EXPR_TRANSPOSE, e, gt_no_expr, start);
    if (e == gt_no_expr || (p->word.kind != '^' && p->word.kind != GT__DOT_HAT)) return e;
    const gt_expr_kind kind = p->word.kind == '^' ? GT_EXPR_POW : GT_EXPR_POWER;
    gt__advance(p);
    const gt_expr exponent = sign(p);
    return exponent == gt_no_expr ? exponent : operation(p, kind, e, exponent, start);
}

static gt_expr sign(gt__parser *p) {
    const uint32_t start = p->word.span.start;
    if (p->depth >= GT_FORMULA_DEPTH)
        return gt__refuse(p, p->word.span, "this nests too deep: name a part of it");
    p->depth++;
    gt_expr e;
    if (gt__accept(p, '-')) {
        e = sign(p);
        if (e != gt_no_expr) e = operation(p, GT_EXPR_NEG, e, gt_no_expr, start);
    } else {
        e = gt__accept(p, '+') ? sign(p) : power(p);
    }
    p->depth--;
    return e;
}

/* The operator of a term that the present word is; last is the operand before it. */
static bool term_operator(const gt__parser *p, gt_expr last, gt_expr_kind *kind, bool *implied) {
    const int word = p->word.kind;
    double ignored;
    *implied = (word == GT__NAME || word == '(') && p->before.kind == GT__NUMBER &&
               gt__literal(p->f, last, &ignored);
    *kind = word == '/'             ? GT_EXPR_DIV
            : word == GT__DOT_STAR  ? GT_EXPR_TIMES
            : word == GT__DOT_SLASH ? GT_EXPR_OVER
                                    : GT_EXPR_MUL;
    return *implied || word == '*' || *kind != GT_EXPR_MUL;
}

static gt_expr term(gt__parser *p) {
    const uint32_t start = p->word.span.start;
    gt_expr e = sign(p), last = e;
    gt_expr_kind kind;
    bool implied;
    while (e != gt_no_expr && term_operator(p, last, &kind, &implied)) {
        if (!implied) gt__advance(p);
        last = sign(p);
        if (last == gt_no_expr) return last;
        e = operation(p, kind, e, last, start);
    }
    return e;
}

gt_expr gt__parse_sum(gt__parser *p) {
    const uint32_t start = p->word.span.start;
    gt_expr e = term(p);
    while (e != gt_no_expr && (p->word.kind == '+' || p->word.kind == '-')) {
        const gt_expr_kind kind = p->word.kind == '+' ? GT_EXPR_ADD : GT_EXPR_SUB;
        gt__advance(p);
        const gt_expr b = term(p);
        if (b == gt_no_expr) return b;
        e = operation(p, kind, e, b, start);
    }
    return e;
}
