/* check/json_fields.c: see json_fields.h. Keys are the room's own words and need no escapes. */
#include "check/json_fields.h"

#include <math.h>

void gt__json_text_field(const char *key, const char *text, FILE *out) {
    fprintf(out, "\"%s\":\"", key);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 32)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void gt__json_number_field(const char *key, double value, FILE *out) {
    if (isfinite(value))
        fprintf(out, "\"%s\":%.17g", key, value);
    else
        fprintf(out, "\"%s\":null", key);
}
