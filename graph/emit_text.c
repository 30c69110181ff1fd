/* graph/emit_text.c: what emitted C is made of: text that grows, names, numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/emit.h"

/* ---- text ------------------------------------------------------------------------------------------------- */

void gt__say_bytes(gt_emitter *e, gt__text *t, const char *bytes, size_t size) {
    if (!gt__grow(e->tape->allocator, &t->at, &t->room, (uint64_t)t->used + size + 1, 1)) {
        e->starved = true;
        return;
    }
    if (size) memcpy(t->at + t->used, bytes, size);
    t->used += (uint32_t)size;
}

void gt__say_list(gt_emitter *e, gt__text *t, const char *format, va_list list) {
    va_list again;
    va_copy(again, list);
    const int length = vsnprintf(NULL, 0, format, list);
    if (length < 0 || !gt__grow(e->tape->allocator, &t->at, &t->room,
                                (uint64_t)t->used + (uint64_t)length + 1, 1)) {
        e->starved = true;
    } else {
        vsnprintf(t->at + t->used, (size_t)length + 1, format, again);
        t->used += (uint32_t)length;
    }
    va_end(again);
}

void gt__say(gt_emitter *e, gt__text *t, const char *format, ...) {
    va_list list;
    va_start(list, format);
    gt__say_list(e, t, format, list);
    va_end(list);
}

char *gt__emit_text(gt_emitter *e) {
    char *text = e->text[e->next_text++ % (int)(sizeof e->text / sizeof *e->text)];
    text[0] = 0;
    return text;
}

/* ---- names ------------------------------------------------------------------------------------------------- */

const char *gt_emit_type(gt_dtype dtype) {
    static const char *const types[GT_N_DTYPES] = {
        [GT_F32] = "float",     [GT_F64] = "double",         [GT_I32] = "int",
        [GT_I64] = "long long", [GT_BOOL] = "unsigned char", [GT_BF16] = "unsigned short"};
    return types[dtype];
}

/* The same in every locale. */
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

void gt__emit_clean(char *to, size_t size, const char *from) {
    size_t k = 0;
    for (; from[k] && k + 1 < size; k++) to[k] = from[k];
    for (size_t i = 0; i < k; i++)
        if (!is_letter(to[i]) && !is_digit(to[i])) to[i] = '_';
    to[k] = 0;
}

/* Emitted files call their own things by a word and a number: no tensor is called so. */
static bool is_own(const char *name) {
    static const char *const words[] = {
        "f",    "i",        "bool",       "part",       "fixed",        "number",     "run",
        "sum",  "prod",     "max",        "min",        "any",          "all",        "sizes",
        "none", "add",      "product",    "met",        "conv",         "conv_input", "conv_weight",
        "norm", "norm_add", "norm_total", "norm_about", "norm_measure", "norm_slope"};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        const size_t length = strlen(words[k]);
        if (strncmp(name, words[k], length) != 0) continue;
        const char *rest = name + length;
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a name is terminated
        while (is_digit(*rest) || *rest == '_') rest++;
        if (!*rest || strncmp(rest, "f32", 3) == 0 || strncmp(rest, "f64", 3) == 0 ||
            strncmp(rest, "i32", 3) == 0 || strncmp(rest, "i64", 3) == 0)
            return true;
    }
    return false;
}

uint32_t gt__emit_unique(gt_emitter *e, gt_tensor t) {
    char label[GT__EMIT_NAME], name[GT__EMIT_NAME + 40];
    char full[320];
    gt__emit_clean(label, sizeof label, gt_label(t, full, sizeof full));
    snprintf(name, sizeof name, "%s%s", label, !label[0] || is_own(label) ? "_x" : "");
    for (unsigned again = 2; gt__lookup(&e->names, name, strlen(name)); again++)
        snprintf(name, sizeof name, "%s_%u_%u", label, t.index, again);
    const uint32_t id = gt__intern(&e->names, name, strlen(name));
    if (!id) e->starved = true;
    return id;
}

/* ---- numbers ------------------------------------------------------------------------------------------------ */

/* The fewest digits that give the number back, whatever the locale's decimal point. */
static void shortest(char *text, size_t size, double v, bool single) {
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, v);
        if (single ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v) break;
    }
    bool whole = true;
    for (char *c = text; *c; c++) {
        if (is_digit(*c) || *c == '-' || *c == '+') continue;
        if (*c != 'e') *c = '.';
        whole = false;
    }
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", whole ? ".0" : "", single ? "f" : "");
}

static void real_literal(char *text, size_t size, double v, bool single) {
    const char *kind = single ? "" : "(double)";
    char digits[64];
    if (v != v)
        snprintf(text, size, "%sNAN", kind);
    else if (isinf(v))
        snprintf(text, size, "(%s%sINFINITY)", v < 0 ? "-" : "", kind);
    else {
        shortest(digits, sizeof digits, v, single);
        snprintf(text, size, digits[0] == '-' ? "(%s)" : "%s", digits);
    }
}

static void literal(char *text, gt_dtype dtype, const void *data, int64_t i) {
    long long v = 0;
    switch (dtype) {
    case GT_F32: real_literal(text, GT__EMIT_TEXT, (double)((const float *)data)[i], true); return;
    case GT_F64: real_literal(text, GT__EMIT_TEXT, ((const double *)data)[i], false); return;
    case GT_I32: v = ((const int32_t *)data)[i]; break;
    case GT_I64: v = ((const int64_t *)data)[i]; break;
    default: v = ((const unsigned char *)data)[i]; break;
    }
    const char *suffix = dtype == GT_I64 ? "LL" : "";
    const long long least = dtype == GT_I64 ? INT64_MIN : INT32_MIN; /* has no literal */
    if (v == least)
        snprintf(text, GT__EMIT_TEXT, "(%lld%s - 1)", v + 1, suffix);
    else
        snprintf(text, GT__EMIT_TEXT, v < 0 ? "(%lld%s)" : "%lld%s", v, suffix);
}

const char *gt_emit_literal(gt_emitter *e, gt_dtype dtype, const void *data, int64_t i) {
    char *text = gt__emit_text(e);
    literal(text, dtype, data, i);
    return text;
}

void gt__emit_elements(gt_emitter *e, gt__text *t, gt_dtype dtype, const void *data,
                       int64_t count) {
    char text[GT__EMIT_TEXT];
    for (int64_t i = 0; i < count; i++) {
        literal(text, dtype, data, i);
        gt__say(e, t, "%s%s", i % 8 ? ", " : i ? ",\n    " : "\n    ", text);
    }
}
