/* formula/print.c: expressions as text, with as few brackets as their meaning needs, and places in a text. */
#include <stdio.h>
#include <string.h>

#include "formula/arena.h"

typedef struct printer {
    const gt_formula *f;
    char *buffer;
    size_t size, length;
    const gt_expr *mark;
    gt_span *marked;
    int n_marks;
} printer;

static void put(printer *p, const char *text) {
    for (; *text; text++, p->length++)
        if (p->length + 1 < p->size) p->buffer[p->length] = *text;
}

/* How tight a node binds: what is looser than its place asks for gets brackets. */
enum { SUM = 1, TERM, SIGN, POWER, PRIMED, ATOM };

static int tightness(gt_expr_kind kind) {
    switch (kind) {
    case GT_EXPR_ADD:
    case GT_EXPR_SUB: return SUM;
    case GT_EXPR_MUL:
    case GT_EXPR_DIV:
    case GT_EXPR_TIMES:
    case GT_EXPR_OVER: return TERM;
    case GT_EXPR_NEG: return SIGN;
    case GT_EXPR_POW:
    case GT_EXPR_POWER: return POWER;
    case GT_EXPR_TRANSPOSE: return PRIMED;
    default: return ATOM;
    }
}

static const char *sign_of(gt_expr_kind kind) {
    switch (kind) {
    case GT_EXPR_ADD: return " + ";
    case GT_EXPR_SUB: return " - ";
    case GT_EXPR_MUL: return "*";
    case GT_EXPR_DIV: return "/";
    case GT_EXPR_TIMES: return " .* ";
    case GT_EXPR_OVER: return " ./ ";
    case GT_EXPR_POW: return "^";
    default: return ".^";
    }
}

static void put_array(printer *p, const gt__expr *n) {
    char text[40];
    put(p, "[");
    for (uint32_t i = 0; i < n->count; i++) {
        if (i > 0) put(p, i % n->name == 0 ? "; " : " ");
        gt__number_write(p->f->number[n->first + i], text);
        put(p, text);
    }
    if (n->number == 2 && n->count == n->name) put(p, ";");
    put(p, "]");
}

static void print(printer *p, gt_expr e, int place);

static void put_call(printer *p, const gt__expr *n) {
    put(p, n->function->name);
    put(p, "(");
    for (uint32_t k = 0; k < n->count; k++) {
        if (k > 0) put(p, ", ");
        print(p, p->f->child[n->first + k], SUM);
    }
    put(p, ")");
}

static void put_operation(printer *p, const gt__expr *n) {
    const gt_expr *child = p->f->child + n->first;
    const int own = tightness(n->kind);
    if (n->kind == GT_EXPR_NEG) {
        put(p, "-");
        print(p, child[0], SIGN);
    } else if (n->kind == GT_EXPR_TRANSPOSE) {
        print(p, child[0], PRIMED);
        put(p, "'");
    } else if (own == POWER) {
        print(p, child[0], PRIMED);
        put(p, sign_of(n->kind));
        print(p, child[1], SIGN);
    } else {
        print(p, child[0], own);
        put(p, sign_of(n->kind));
        print(p, child[1], own + 1);
    }
}

static void put_node(printer *p, gt_expr e) {
    const gt__expr *n = &p->f->expr[e];
    char text[40];
    switch (n->kind) {
    case GT_EXPR_NUMBER:
        gt__number_write(n->number, text);
        put(p, text);
        break;
    case GT_EXPR_ARRAY: put_array(p, n); break;
    case GT_EXPR_NAME: put(p, p->f->symbol[n->name].text); break;
    case GT_EXPR_CALL: put_call(p, n); break;
    default: put_operation(p, n);
    }
}

/* Recursion goes GT__TALLEST deep at most. */
static void print(printer *p, gt_expr e, int place) {
    const bool brackets = tightness(p->f->expr[e].kind) < place;
    if (brackets) put(p, "(");
    const size_t start = p->length;
    put_node(p, e);
    for (int k = 0; k < p->n_marks; k++)
        if (p->mark[k] == e)
            p->marked[k] = (gt_span){(uint32_t)start, (uint32_t)(p->length - start)};
    if (brackets) put(p, ")");
}

size_t gt_expr_print(const gt_formula *f, gt_expr e, char *buffer, size_t size, const gt_expr *mark,
                     gt_span *marked, int n_marks) {
    printer p = {f, buffer, size, 0, mark, marked, n_marks};
    for (int k = 0; k < n_marks; k++) marked[k] = (gt_span){0, 0};
    if (gt__is_expr(f, e)) print(&p, e, SUM);
    if (size > 0) buffer[p.length < size ? p.length : size - 1] = 0;
    return p.length;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

const char *gt_formula_show(const char *text, gt_span span, char *buffer, size_t size) {
    uint32_t from = span.start, to = span.start;
    while (from > 0 && text[from - 1] != '\n' && span.start - from < 100) from--;
    while (text[to] && text[to] != '\n' && to - span.start < 100) to++;
    printer p = {NULL, buffer, size, 0, NULL, NULL, 0};
    char one[2] = {0, 0};
    for (uint32_t i = from; i < to; i++) {
        one[0] = text[i] == '\t' ? ' ' : text[i];
        put(&p, one);
    }
    put(&p, "\n");
    for (uint32_t i = from; i < span.start; i++) put(&p, " ");
    put(&p, "^");
    for (uint32_t i = span.start + 1; i < span.start + span.length && i < to; i++) put(&p, "~");
    put(&p, "\n");
    if (size > 0) buffer[p.length < size ? p.length : size - 1] = 0;
    return buffer;
}
