/* formula/parse.h: the parser, as its two files share it. */
#ifndef GT_PARSE_H
#define GT_PARSE_H

#include "formula/lexer.h"

typedef struct gt__parser {
    gt_formula *f;
    gt_formula_error *error;
    gt__word word, before; /* the one to take, and the one taken last */
    int brackets;          /* open ones: lines end inside them */
    int depth;
} gt__parser;

void gt__advance(gt__parser *p);
/* Takes the word if it is of that kind. */
bool gt__accept(gt__parser *p, int kind);
/* The first refusal stays. Both return gt_no_expr. */
gt_expr gt__refuse(gt__parser *p, gt_span span, const char *message);
gt_expr gt__unexpected(gt__parser *p, const char *wanted);
/* A whole expression; gt_no_expr after a refusal. */
gt_expr gt__parse_sum(gt__parser *p);

#endif
