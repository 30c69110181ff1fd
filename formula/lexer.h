/* formula/lexer.h: the words of a formula. */
#ifndef GT_LEXER_H
#define GT_LEXER_H

#include "formula/arena.h"

/* Signs of one character are their own kind. */
typedef enum gt__word_kind {
    GT__END = 0,
    GT__NUMBER = 256,
    GT__NAME,
    GT__DOT_STAR,
    GT__DOT_SLASH,
    GT__DOT_HAT,
    GT__UNKNOWN
} gt__word_kind;

typedef struct gt__word {
    int kind;
    gt_span span;
} gt__word;

/* The word at or after place `at`; in brackets a line's end is a blank, else it is the word '\n'. */
gt__word gt__word_at(const char *text, uint32_t at, bool in_brackets);

#endif
