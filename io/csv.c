/* io/csv.c: tables of numbers in text, one record a line, fields apart by a separator (RFC 4180).
 *
 * Two passes over the text: the first counts and refuses ragged records, so that the second knows
 * how much memory the fields justify. Numbers are checked against a grammar of our own and only then
 * given to strtod, which would also take hexadecimals and whatever the locale allows. */
#include "io/file.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MOST = 400 }; /* the longest exact f64 in %f has 309 digits before the point */

typedef struct scanner {
    const gt__file *file;
    const char *at, *end;
    char separator;
    int64_t line, column; /* from 1 */
} scanner;

typedef struct field {
    const char *begin; /* inside the quotes, doubled ones still doubled */
    size_t size;
    bool quoted;
    bool last; /* of its record */
    int64_t line, column;
} field;

/* ---- fields and records ---------------------------------------------------------------------- */

/* Shown in messages: at most 40 characters, none that would disturb a terminal. */
static const char *shown(const field *f, char buffer[48]) {
    size_t n = f->size < 40 ? f->size : 40;
    for (size_t i = 0; i < n; i++) {
        const char c = f->begin[i];
        buffer[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    buffer[n] = 0;
    if (n < f->size) memcpy(buffer + n, "...", 4);
    return buffer;
}

static bool refuse_at(const scanner *s, int64_t line, int64_t column, const char *what) {
    return gt__file_refuse(s->file, "line %" PRId64 ", column %" PRId64 ": %s", line, column, what);
}

static bool at_line_end(const scanner *s, const char *at) {
    return at == s->end || *at == '\n' || (*at == '\r' && at + 1 < s->end && at[1] == '\n');
}

/* Steps over what ends a field. */
static void end_field(scanner *s, field *f) {
    f->last = at_line_end(s, s->at);
    if (s->at < s->end && *s->at == '\r') s->at++;
    if (s->at == s->end) return;
    if (*s->at == '\n') s->line++;
    s->at++;
}

static bool plain_field(scanner *s, field *f) {
    f->begin = s->at;
    for (; !at_line_end(s, s->at) && *s->at != s->separator; s->at++) {
        if (*s->at == 0) return refuse_at(s, f->line, f->column, "a NUL byte");
        if (*s->at == '"')
            return refuse_at(s, f->line, f->column,
                             "a quote in a field that does not begin with one");
    }
    f->size = (size_t)(s->at - f->begin);
    end_field(s, f);
    return true;
}

static bool quoted_field(scanner *s, field *f) {
    f->begin = ++s->at;
    for (; s->at < s->end; s->at++) {
        if (*s->at == 0) return refuse_at(s, f->line, f->column, "a NUL byte");
        if (*s->at == '\n') s->line++;
        if (*s->at != '"') continue;
        if (s->at + 1 < s->end && s->at[1] == '"') {
            s->at++;
            continue;
        }
        f->size = (size_t)(s->at++ - f->begin);
        if (!at_line_end(s, s->at) && *s->at != s->separator)
            return refuse_at(s, f->line, f->column, "text after the closing quote");
        end_field(s, f);
        return true;
    }
    return refuse_at(s, f->line, f->column, "a quote that is never closed");
}

static bool next_field(scanner *s, field *f) {
    *f = (field){.line = s->line, .column = ++s->column};
    f->quoted = s->at < s->end && *s->at == '"';
    return f->quoted ? quoted_field(s, f) : plain_field(s, f);
}

/* Skips empty lines; false at the end of the text. */
static bool begin_record(scanner *s) {
    s->column = 0;
    while (s->at < s->end && at_line_end(s, s->at)) {
        s->at += *s->at == '\r' ? 2 : 1;
        s->line++;
    }
    return s->at < s->end;
}

/* ---- names ----------------------------------------------------------------------------------- */

static size_t copy_name(const field *f, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < f->size; i++) {
        out[n++] = f->begin[i];
        if (f->quoted && f->begin[i] == '"') i++; /* the second of a doubled quote */
    }
    out[n++] = 0;
    return n;
}

const char *gt_csv_name(const gt_csv *csv, int64_t column) {
    if (!csv || !csv->names || column < 0 || column >= csv->columns) return NULL;
    const char *name = csv->names;
    for (int64_t i = 0; i < column; i++) name += strlen(name) + 1;
    return name;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *at, const char *end) {
    while (at < end && *at >= '0' && *at <= '9') at++;
    return at;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool is_decimal(const char *at, const char *end) {
    if (at < end && (*at == '+' || *at == '-')) at++;
    const char *whole = at;
    at = skip_digits(at, end);
    ptrdiff_t digits = at - whole;
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        at = skip_digits(at, end);
        digits += at - fraction;
    }
    if (digits == 0) return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        const char *exponent = at;
        at = skip_digits(at, end);
        if (at == exponent) return false;
    }
    return at == end;
}

static bool same_word(const char *at, const char *end, const char *word) {
    for (; at < end && *word; at++, word++)
        if ((*at | 0x20) != *word) return false;
    return at == end && *word == 0;
}

/* nan, inf and infinity in any case, with or without a sign. */
static bool is_word(const char *at, const char *end, double *value) {
    const bool minus = at < end && *at == '-';
    if (at < end && (*at == '+' || *at == '-')) at++;
    if (same_word(at, end, "nan")) {
        *value = (double)NAN;
    } else if (same_word(at, end, "inf") || same_word(at, end, "infinity")) {
        *value = minus ? -(double)INFINITY : (double)INFINITY;
    } else {
        return false;
    }
    return true;
}

/* strtod expects the locale's decimal point. */
static double decimal_value(const char *at, size_t size) {
    char point[16], text[NUMBER_MOST + 16];
    const int length = snprintf(point, sizeof point, "%.1f", 0.0) - 2;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        if (at[i] != '.') {
            text[n++] = at[i];
        } else {
            memcpy(text + n, point + 1, (size_t)length);
            n += (size_t)length;
        }
    }
    text[n] = 0;
    return strtod(text, NULL);
}

static bool is_missing(const char *at, size_t size, const gt_csv_options *o) {
    return size == 0 ||
           (o->missing && strlen(o->missing) == size && memcmp(o->missing, at, size) == 0);
}

static bool parse_number(const scanner *s, const field *f, const gt_csv_options *o, double *value) {
    const char *at = f->begin, *end = f->begin + f->size;
    char text[48], message[96];
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    while (at < end && (end[-1] == ' ' || end[-1] == '\t')) end--;
    const size_t size = (size_t)(end - at);
    *value = (double)NAN;
    if (is_missing(at, size, o)) {
        return o->missing_as_nan || refuse_at(s, f->line, f->column, "the value is missing");
    }
    if (is_word(at, end, value)) return true;
    if (!is_decimal(at, end)) {
        snprintf(message, sizeof message, "'%s' is not a number", shown(f, text));
        return refuse_at(s, f->line, f->column, message);
    }
    if (size > NUMBER_MOST) {
        snprintf(message, sizeof message, "a number of %zu characters, the limit is %d", size,
                 NUMBER_MOST);
        return refuse_at(s, f->line, f->column, message);
    }
    *value = decimal_value(at, size);
    if (!isinf(*value)) return true;
    snprintf(message, sizeof message, "%s is beyond the range of a double", shown(f, text));
    return refuse_at(s, f->line, f->column, message);
}

/* ---- the two passes -------------------------------------------------------------------------- */

/* Counts rows and columns, and the bytes of the names when there is a header. */
static bool measure(scanner s, gt_csv *csv, bool header) {
    field f;
    int64_t records = 0;
    while (begin_record(&s)) {
        do {
            if (!next_field(&s, &f)) return false;
            if (header && records == 0) csv->names_bytes += f.size + 1;
        } while (!f.last);
        if (records++ == 0) csv->columns = f.column;
        if (f.column == csv->columns) continue;
        return gt__file_refuse(s.file,
                               "line %" PRId64 ", column %" PRId64
                               ": the record ends here, the first one has "
                               "%" PRId64 " columns",
                               f.line, f.column, csv->columns);
    }
    if (records == 0) return gt__file_refuse(s.file, "the file has no records");
    csv->rows = records - header;
    return true;
}

static bool take_room(const gt__file *file, gt_csv *csv) {
    csv->bytes = (size_t)csv->rows * (size_t)csv->columns * sizeof *csv->value;
    if (csv->bytes) csv->value = gt__file_take(file, &csv->allocator, csv->bytes);
    if (csv->bytes && !csv->value) return false;
    if (csv->names_bytes) csv->names = gt__file_take(file, &csv->allocator, csv->names_bytes);
    return csv->names_bytes == 0 || csv->names;
}

static bool fill(scanner s, gt_csv *csv, const gt_csv_options *o) {
    field f;
    size_t used = 0;
    double *value = csv->value;
    for (int64_t record = 0; begin_record(&s); record++) {
        do {
            if (!next_field(&s, &f)) return false;
            if (o->header && record == 0) {
                used += copy_name(&f, csv->names + used);
            } else if (!parse_number(&s, &f, o, value++)) {
                return false;
            }
        } while (!f.last);
    }
    return true;
}

static bool parse(const gt__file *file, gt_csv *csv, const char *text, const gt_csv_options *o) {
    scanner s = {.file = file, .at = text, .end = text + file->size, .line = 1};
    s.separator = o->separator ? o->separator : ',';
    if (file->size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) s.at += 3; /* UTF-8's mark */
    return measure(s, csv, o->header) && take_room(file, csv) && fill(s, csv, o);
}

/* What could stand in a number or end a line separates nothing. */
static bool check_separator(const gt__file *file, char c) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c && (alphanumeric || strchr("\"\r\n.+-", c)))
        return gt__file_refuse(file, "%d ('%c') cannot be a separator", c, c < ' ' ? '?' : c);
    return true;
}

bool gt_csv_read(gt_csv *csv, const char *path, gt_csv_options options,
                 const gt_allocator *allocator) {
    gt__file file;
    char *text = NULL;
    *csv = (gt_csv){.allocator = gt__io_allocator(allocator)};
    const gt_allocator *a = &csv->allocator;
    bool ok = gt__file_open(&file, "gt_csv_read", path, csv->error) &&
              check_separator(&file, options.separator);
    if (ok && file.size == 0) ok = gt__file_refuse(&file, "the file is empty");
    if (ok && file.size > SIZE_MAX / 32) ok = gt__file_refuse(&file, "too large for this machine");
    if (ok) text = gt__file_take(&file, a, (size_t)file.size);
    ok = text && gt__file_read(&file, text, (size_t)file.size) && parse(&file, csv, text, &options);
    if (text) a->resize(a->user, text, (size_t)file.size, 0);
    gt__file_close(&file);
    if (!ok) gt_csv_free(csv);
    return ok;
}

void gt_csv_free(gt_csv *csv) {
    if (!csv) return;
    const gt_allocator *a = &csv->allocator;
    if (csv->value) a->resize(a->user, csv->value, csv->bytes, 0);
    if (csv->names) a->resize(a->user, csv->names, csv->names_bytes, 0);
    csv->value = NULL;
    csv->names = NULL;
    csv->bytes = csv->names_bytes = 0;
    csv->rows = csv->columns = 0;
}

/* ---- conversion ------------------------------------------------------------------------------ */

bool gt_csv_f32(const gt_csv *csv, int64_t first, int64_t count, float *out) {
    if (first < 0 || count < 0 || first > csv->columns || count > csv->columns - first)
        return false;
    for (int64_t row = 0; row < csv->rows; row++)
        for (int64_t k = 0; k < count; k++)
            *out++ = (float)csv->value[row * csv->columns + first + k];
    return true;
}

bool gt_csv_i32(const gt_csv *csv, int64_t column, int32_t *out) {
    if (column < 0 || column >= csv->columns) return false;
    const double *value = csv->value + column;
    for (int64_t row = 0; row < csv->rows; row++) {
        const double v = value[row * csv->columns];
        if (!(v >= INT32_MIN && v <= INT32_MAX) || v != floor(v)) return false;
    }
    for (int64_t row = 0; row < csv->rows; row++) out[row] = (int32_t)value[row * csv->columns];
    return true;
}
