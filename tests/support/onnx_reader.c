/* tests/support/onnx_reader.c: the protocol-buffer wire format, as far as onnx.proto's
 * ModelProto, NodeProto, AttributeProto and TensorProto need it. */
#include "support/onnx_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the wire ------------------------------------------------------------------------------- */

typedef struct wire {
    const uint8_t *at, *end;
} wire;

/* One field: a number (varint, fixed 32 or fixed 64), or bytes. */
typedef struct field {
    uint64_t number, value;
    unsigned type;
    wire bytes;
} field;

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static bool read_varint(wire *w, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (w->at == w->end) return false;
        const uint8_t byte = *w->at++;
        if (shift == 63 && byte > 1) return false;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) return true;
    }
    return false;
}

static bool read_fixed(wire *w, int bytes, uint64_t *value) {
    *value = 0;
    if (w->end - w->at < bytes) return false;
    for (int i = 0; i < bytes; i++) *value |= (uint64_t)w->at[i] << 8 * i;
    w->at += bytes;
    return true;
}

static bool read_bytes(wire *w, wire *bytes) {
    uint64_t size;
    if (!read_varint(w, &size) || size > (uint64_t)(w->end - w->at)) return false;
    *bytes = (wire){w->at, w->at + size};
    w->at += size;
    return true;
}

static bool read_field(wire *w, field *f) {
    uint64_t key;
    if (!read_varint(w, &key) || key >> 3 == 0) return false;
    *f = (field){.number = key >> 3, .type = (unsigned)(key & 7)};
    switch (f->type) {
    case VARINT: return read_varint(w, &f->value);
    case FIXED64: return read_fixed(w, 8, &f->value);
    case FIXED32: return read_fixed(w, 4, &f->value);
    case BYTES: return read_bytes(w, &f->bytes);
    default: return false;
    }
}

static bool copy_text(const field *f, char *text, size_t room) {
    const size_t size = f->type == BYTES ? (size_t)(f->bytes.end - f->bytes.at) : room;
    if (size >= room || memchr(f->bytes.at, 0, size)) return false;
    memcpy(text, f->bytes.at, size);
    text[size] = 0;
    return true;
}

static double real_of_bits(uint64_t bits, bool wide) {
    const uint32_t low = (uint32_t)bits;
    float narrow_value;
    double wide_value;
    memcpy(&narrow_value, &low, sizeof low);
    memcpy(&wide_value, &bits, sizeof bits);
    return wide ? wide_value : (double)narrow_value;
}

/* ---- tensors -------------------------------------------------------------------------------- */

static bool add_axis(onnx_tensor *t, uint64_t size) {
    if (t->shape.rank == GT_MAX_RANK || size > INT32_MAX) return false;
    t->shape.dim[t->shape.rank++] = (int64_t)size;
    return true;
}

static bool read_axes(onnx_tensor *t, field *f) {
    uint64_t size;
    if (f->type == VARINT) return add_axis(t, f->value);
    if (f->type != BYTES) return false;
    while (f->bytes.at < f->bytes.end)
        if (!read_varint(&f->bytes, &size) || !add_axis(t, size)) return false;
    return true;
}

/* The shape must hold as many elements as there are bytes for, so memory is bounded by the file. */
static bool read_values(onnx_tensor *t, wire raw) {
    const int width = t->kind == ONNX_FLOAT ? 4 : 8;
    const int64_t present = (raw.end - raw.at) / width;
    t->count = 1;
    for (int d = 0; d < t->shape.rank; d++) {
        if (t->shape.dim[d] && t->count > present / t->shape.dim[d]) return false;
        t->count *= t->shape.dim[d];
    }
    if ((raw.end - raw.at) != t->count * width) return false;
    t->values = malloc(((size_t)t->count + 1) * sizeof *t->values);
    for (int64_t i = 0; t->values && i < t->count; i++) {
        uint64_t bits;
        read_fixed(&raw, width, &bits);
        t->values[i] =
            t->kind == ONNX_INT64 ? (double)(int64_t)bits : real_of_bits(bits, width == 8);
    }
    return t->values != NULL;
}

bool onnx_tensor_parse(const uint8_t *bytes, size_t size, onnx_tensor *t) {
    enum { DIMS = 1, DATA_TYPE = 2, FLOAT_DATA = 4, RAW_DATA = 9, DOUBLE_DATA = 10 };
    wire w = {bytes, bytes + size};
    wire data = {bytes, bytes};
    field f;
    *t = (onnx_tensor){0};
    while (w.at < w.end) {
        if (!read_field(&w, &f)) return false;
        if (f.number == DIMS && !read_axes(t, &f)) return false;
        if (f.number == DATA_TYPE) t->kind = f.type == VARINT && f.value < 64 ? (int)f.value : 0;
        if (f.number == RAW_DATA || f.number == FLOAT_DATA || f.number == DOUBLE_DATA) {
            if (f.type != BYTES) return false;
            data = f.bytes;
        }
    }
    if (t->kind != ONNX_FLOAT && t->kind != ONNX_INT64 && t->kind != ONNX_DOUBLE) return false;
    return read_values(t, data);
}

void onnx_tensor_free(onnx_tensor *t) {
    free(t->values);
    *t = (onnx_tensor){0};
}

/* ---- models --------------------------------------------------------------------------------- */

static bool read_attribute(wire w, onnx_attribute *a) {
    enum { NAME = 1, REAL = 2, INTEGER = 3, TEXT = 4 };
    field f;
    *a = (onnx_attribute){.real = 0};
    while (w.at < w.end) {
        if (!read_field(&w, &f)) return false;
        if (f.number == NAME && !copy_text(&f, a->name, sizeof a->name)) return false;
        if (f.number == TEXT && !copy_text(&f, a->text, sizeof a->text)) return false;
        if (f.number == INTEGER) a->integer = (int64_t)f.value;
        if (f.number == REAL && f.type != FIXED32) return false;
        if (f.number == REAL) a->real = real_of_bits(f.value, false);
    }
    return true;
}

static bool read_node(wire w, onnx_node *node) {
    enum { INPUT = 1, OUTPUT = 2, OP = 4, ATTRIBUTE = 5, MOST = 16 };
    field f;
    *node = (onnx_node){.n_in = 0};
    while (w.at < w.end) {
        if (!read_field(&w, &f)) return false;
        if (f.number == INPUT && ++node->n_in > MOST) return false;
        if (f.number == OUTPUT && ++node->n_out > MOST) return false;
        if (f.number == OP && !copy_text(&f, node->op, sizeof node->op)) return false;
        if (f.number != ATTRIBUTE) continue;
        if (f.type != BYTES || node->n_attributes == MOST ||
            !read_attribute(f.bytes, &node->attribute[node->n_attributes++]))
            return false;
    }
    return node->op[0] != 0;
}

static bool read_graph(wire w, onnx_node *node) {
    enum { NODE = 1 };
    field f;
    int nodes = 0;
    while (w.at < w.end) {
        if (!read_field(&w, &f)) return false;
        if (f.number == NODE && (f.type != BYTES || ++nodes > 1 || !read_node(f.bytes, node)))
            return false;
    }
    return nodes == 1;
}

bool onnx_model_parse(const uint8_t *bytes, size_t size, onnx_node *node) {
    enum { GRAPH = 7 };
    wire w = {bytes, bytes + size};
    field f;
    bool found = false;
    while (w.at < w.end) {
        if (!read_field(&w, &f)) return false;
        if (f.number != GRAPH) continue;
        if (f.type != BYTES || found || !read_graph(f.bytes, node)) return false;
        found = true;
    }
    return found;
}

double onnx_real(const onnx_node *node, const char *name, double otherwise) {
    for (int i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attribute[i].name, name) == 0) return node->attribute[i].real;
    return otherwise;
}

/* ---- files ---------------------------------------------------------------------------------- */

uint8_t *onnx_file(const char *path, size_t *size) {
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    uint8_t *bytes = malloc(MOST);
    *size = bytes ? fread(bytes, 1, MOST, file) : 0;
    if (bytes && (ferror(file) || *size == MOST)) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

bool onnx_tensor_read(const char *path, onnx_tensor *t) {
    size_t size;
    uint8_t *bytes = onnx_file(path, &size);
    const bool ok = bytes && onnx_tensor_parse(bytes, size, t);
    free(bytes);
    return ok;
}

bool onnx_model_read(const char *path, onnx_node *node) {
    size_t size;
    uint8_t *bytes = onnx_file(path, &size);
    const bool ok = bytes && onnx_model_parse(bytes, size, node);
    free(bytes);
    return ok;
}
