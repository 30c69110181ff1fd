/* formula/lexer.c: cuts text into words. The text ends with 0; every word but the last has a length. */
#include "formula/lexer.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static uint32_t skip_blanks(const char *text, uint32_t at, bool in_brackets) {
    for (;; at++) {
        if (text[at] == '#')
            while (text[at] && text[at] != '\n') at++;
        const bool blank = text[at] == ' ' || text[at] == '\t' || text[at] == '\r';
        if (!blank && !(in_brackets && text[at] == '\n')) return at;
    }
}

static uint32_t digits(const char *text, uint32_t at) {
    while (is_digit(text[at])) at++;
    return at;
}

static bool is_operator_dot(const char *at) {
    return at[0] == '.' && (at[1] == '*' || at[1] == '/' || at[1] == '^');
}

/* Where a number ends: a dot before * / ^ is the operator's. */
static uint32_t end_of_number(const char *text, uint32_t at) {
    at = digits(text, at);
    if (text[at] == '.' && !is_operator_dot(text + at)) at = digits(text, at + 1);
    if (text[at] == 'e' || text[at] == 'E') {
        const uint32_t sign = text[at + 1] == '-' || text[at + 1] == '+' ? 2 : 1;
        if (is_digit(text[at + sign])) at = digits(text, at + sign);
    }
    return at;
}

gt__word gt__word_at(const char *text, uint32_t at, bool in_brackets) {
    at = skip_blanks(text, at, in_brackets);
    const char c = text[at];
    if (!c) return (gt__word){GT__END, {at, 0}};
    if (is_digit(c) || (c == '.' && is_digit(text[at + 1])))
        return (gt__word){GT__NUMBER, {at, end_of_number(text, at) - at}};
    if (is_letter(c)) {
        uint32_t end = at;
        while (is_letter(text[end]) || is_digit(text[end])) end++;
        return (gt__word){GT__NAME, {at, end - at}};
    }
    if (is_operator_dot(text + at)) {
        const int kind = text[at + 1] == '*'   ? GT__DOT_STAR
                         : text[at + 1] == '/' ? GT__DOT_SLASH
                                               : GT__DOT_HAT;
        return (gt__word){kind, {at, 2}};
    }
    return (gt__word){strchr("+-*/^()[],;:='\n", c) ? c : GT__UNKNOWN, {at, 1}};
}
