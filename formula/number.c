/* formula/number.c: numbers as text, in any locale. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formula/arena.h"

double gt__number_read(const char *text, size_t length) {
    char copy[64];
    if (length >= sizeof copy) length = sizeof copy - 1;
    memcpy(copy, text, length);
    copy[length] = 0;
    char *const point = strchr(copy, '.');
    if (point) *point = localeconv()->decimal_point[0];
    return strtod(copy, NULL);
}

void gt__number_write(double number, char text[40]) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 40, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    char *const point = strchr(text, localeconv()->decimal_point[0]);
    if (point) *point = '.';
}
