/* check/json_fields.h: fields of JSON objects, as every report of this room writes them. */
#ifndef GT_CHECK_JSON_FIELDS_H
#define GT_CHECK_JSON_FIELDS_H

#include <stdio.h>

void gt__json_text_field(const char *key, const char *text, FILE *out);
/* JSON has no infinity and no NaN: they are null. */
void gt__json_number_field(const char *key, double value, FILE *out);

#endif
