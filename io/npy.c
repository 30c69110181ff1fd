/* io/npy.c: NumPy's .npy files, one array each.
 *
 * A file is: "\x93NUMPY", two bytes of version, the header's length (2 bytes in version 1, 4 in 2 and 3,
 * little-endian), the header, the elements. The header is a Python dictionary of exactly three keys,
 * {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, which a strict parser of its own reads:
 * nothing is evaluated, and no object arrays exist here. Assumes IEEE 754 floats and a little-endian
 * machine, and says so on any other. */
#include "io/file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { HEADER_MOST = 10000, PREAMBLE_MOST = 12, CHUNK = 8192 };

#define MAGIC "\x93NUMPY"

/* What stands in a file and what it is read as. */
typedef struct kind {
    const char *name;
    size_t size;
    gt_dtype dtype;
} kind;

static const kind kinds[] = {{"<f4", 4, GT_F32}, {"<f8", 8, GT_F64},  {"<i4", 4, GT_I32},
                             {"<i8", 8, GT_I64}, {"|b1", 1, GT_BOOL}, {"|u1", 1, GT_I32},
                             {"<f2", 2, GT_F32}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

typedef struct cursor {
    const gt__file *file;
    const char *begin, *at, *end;
} cursor;

typedef struct dictionary {
    const kind *kind;
    bool fortran;
    gt_shape shape;
} dictionary;

/* ---- the header ------------------------------------------------------------------------------ */

static bool expected(const cursor *c, const char *what) {
    return gt__file_refuse(c->file, "byte %td of the header is not %s", c->at - c->begin, what);
}

static void skip_spaces(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n')) c->at++;
}

static bool take_char(cursor *c, char wanted) {
    skip_spaces(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word) {
    const size_t size = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0) return false;
    c->at += size;
    return true;
}

/* A string without escapes, in quotes of either kind. */
static bool take_string(cursor *c, char *out, size_t room) {
    skip_spaces(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"')) return expected(c, "a string");
    const char quote = *c->at++;
    size_t size = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (size + 1 == room || *c->at < ' ' || *c->at > '~' || *c->at == '\\')
            return expected(c, "part of a short plain string");
        out[size++] = *c->at;
    }
    out[size] = 0;
    if (c->at == c->end) return expected(c, "a closing quote");
    c->at++;
    return true;
}

static bool take_size(cursor *c, int64_t *size) {
    skip_spaces(c);
    const char *first = c->at;
    for (*size = 0; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        const int digit = *c->at - '0';
        if (*size > (INT64_MAX - digit) / 10) return expected(c, "part of a size below 2^63");
        *size = 10 * *size + digit;
    }
    return c->at > first || expected(c, "a size");
}

static bool take_kind(cursor *c, dictionary *d) {
    char name[16];
    if (!take_string(c, name, sizeof name)) return false;
    for (int i = 0; i < N_KINDS; i++) {
        if (strcmp(name, kinds[i].name) != 0) continue;
        d->kind = &kinds[i];
        return true;
    }
    return gt__file_refuse(c->file, "the element type '%s' is none of <f4 <f8 <f2 <i4 <i8 |u1 |b1",
                           name);
}

/* (), (3,), (2, 3), (2, 3,): as Python writes tuples. */
static bool take_shape(cursor *c, dictionary *d) {
    if (!take_char(c, '(')) return expected(c, "a tuple");
    bool comma = true;
    while (!take_char(c, ')')) {
        if (!comma) return expected(c, "a comma");
        if (d->shape.rank == GT_MAX_RANK)
            return gt__file_refuse(c->file, "more than %d axes", GT_MAX_RANK);
        if (!take_size(c, &d->shape.dim[d->shape.rank++])) return false;
        comma = take_char(c, ',');
    }
    if (d->shape.rank == 1 && !comma) return expected(c, "after a tuple: (n) is a number");
    return true;
}

static bool take_order(cursor *c, dictionary *d) {
    d->fortran = take_word(c, "True");
    return d->fortran || take_word(c, "False") || expected(c, "True or False");
}

static bool take_entry(cursor *c, dictionary *d, unsigned *seen) {
    static const struct {
        const char *key;
        bool (*value)(cursor *c, dictionary *d);
    } entries[] = {{"descr", take_kind}, {"fortran_order", take_order}, {"shape", take_shape}};
    char key[16];
    if (!take_string(c, key, sizeof key)) return false;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(key, entries[i].key) != 0) continue;
        if (*seen & 1u << i)
            return gt__file_refuse(c->file, "the header has the key '%s' twice", key);
        *seen |= 1u << i;
        if (!take_char(c, ':')) return expected(c, "a colon");
        return entries[i].value(c, d);
    }
    return gt__file_refuse(c->file, "the header has the unknown key '%s'", key);
}

static bool parse_header(cursor *c, dictionary *d) {
    unsigned seen = 0;
    if (!take_char(c, '{')) return expected(c, "the beginning of a dictionary");
    bool comma = true;
    while (!take_char(c, '}')) {
        if (!comma) return expected(c, "a comma");
        if (!take_entry(c, d, &seen)) return false;
        comma = take_char(c, ',');
    }
    skip_spaces(c);
    if (c->at != c->end) return expected(c, "the end of it");
    if (seen != 7)
        return gt__file_refuse(c->file, "the header lacks descr, fortran_order or shape");
    return true;
}

/* Reads up to the elements; *used is how many bytes stand before them. */
static bool read_header(const gt__file *file, dictionary *d, uint64_t *used) {
    unsigned char start[PREAMBLE_MOST];
    char header[HEADER_MOST];
    if (file->size < 10 || !gt__file_read(file, start, 10) || memcmp(start, MAGIC, 6) != 0)
        return gt__file_refuse(file, "no .npy file: it does not begin with \\x93NUMPY");
    const int version = start[6];
    if (version < 1 || version > 3 || start[7] != 0)
        return gt__file_refuse(file, "version %d.%d, this library reads 1.0, 2.0 and 3.0", version,
                               start[7]);
    uint64_t length = (uint64_t)start[8] | (uint64_t)start[9] << 8;
    *used = 10;
    if (version > 1) {
        if (!gt__file_read(file, start + 10, 2)) return false;
        length |= (uint64_t)start[10] << 16 | (uint64_t)start[11] << 24;
        *used = 12;
    }
    if (length > HEADER_MOST)
        return gt__file_refuse(file, "a header of %" PRIu64 " bytes, the limit is %d", length,
                               HEADER_MOST);
    if (!gt__file_read(file, header, (size_t)length)) return false;
    *used += length;
    cursor c = {file, header, header, header + length};
    return parse_header(&c, d);
}

/* The elements must be exactly what follows the header; a size of 0 does not hide an overflow. */
static bool check_size(const gt__file *file, const dictionary *d, uint64_t used, int64_t *count) {
    const int64_t most = INT64_MAX / 16;
    int64_t product = 1;
    bool empty = false;
    for (int axis = 0; axis < d->shape.rank; axis++) {
        const int64_t n = d->shape.dim[axis];
        if (n == 0) {
            empty = true;
        } else if (product > most / n) {
            return gt__file_refuse(file, "the sizes of the shape overflow at axis %d", axis);
        } else {
            product *= n;
        }
    }
    *count = empty ? 0 : product;
    const uint64_t promised = (uint64_t)*count * d->kind->size, held = file->size - used;
    if (promised != held)
        return gt__file_refuse(file,
                               "the header promises %" PRIu64 " bytes of elements, the file holds "
                               "%" PRIu64,
                               promised, held);
    return promised <= SIZE_MAX / 8 || gt__file_refuse(file, "too large for this machine");
}

/* ---- the elements ---------------------------------------------------------------------------- */

static float half_value(uint16_t half) {
    const uint32_t sign = (uint32_t)(half >> 15) << 31, mantissa = half & 0x3ffu;
    const uint32_t exponent = half >> 10 & 0x1fu;
    if (exponent == 0) { /* zero and the subnormals: a multiple of 2^-24 */
        const float small = (float)mantissa * 0x1p-24F;
        return sign ? -small : small;
    }
    const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    const uint32_t bits = sign | wide << 23 | mantissa << 13;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

/* n elements of a file into n of the array. */
static void convert(const kind *k, const unsigned char *in, int64_t n, void *out) {
    if (k->size == gt_dtype_size(k->dtype)) {
        memcpy(out, in, (size_t)n * k->size);
    } else if (k->size == 1) {
        for (int64_t i = 0; i < n; i++) ((int32_t *)out)[i] = in[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((float *)out)[i] = half_value((uint16_t)(in[2 * i] | in[2 * i + 1] << 8));
    }
}

/* Where the next element goes: files in Fortran's order run through the first axis fastest. */
typedef struct walker {
    gt_shape shape;
    int64_t index[GT_MAX_RANK], stride[GT_MAX_RANK], offset;
} walker;

static walker walk_fortran(gt_shape shape) {
    walker w = {.shape = shape};
    int64_t stride = 1;
    for (int axis = shape.rank - 1; axis >= 0; axis--) {
        w.stride[axis] = stride;
        stride *= shape.dim[axis];
    }
    return w;
}

static void step_fortran(walker *w) {
    for (int axis = 0; axis < w->shape.rank; axis++) {
        w->offset += w->stride[axis];
        if (++w->index[axis] < w->shape.dim[axis]) return;
        w->offset -= w->stride[axis] * w->shape.dim[axis];
        w->index[axis] = 0;
    }
}

static bool check_bools(const gt__file *file, const unsigned char *in, int64_t n, int64_t before) {
    for (int64_t i = 0; i < n; i++) {
        if (in[i] > 1)
            return gt__file_refuse(file, "element %" PRId64 " of a bool array is %d, not 0 or 1",
                                   before + i, in[i]);
    }
    return true;
}

static bool read_elements(const gt__file *file, const dictionary *d, gt_npy *npy) {
    unsigned char chunk[CHUNK];
    const size_t size = d->kind->size, wide = gt_dtype_size(npy->dtype);
    const int64_t most = (int64_t)(CHUNK / size);
    walker w = walk_fortran(d->shape);
    char *data = npy->data;
    for (int64_t k = 0; k < npy->count;) {
        const int64_t n = npy->count - k < most ? npy->count - k : most;
        if (!gt__file_read(file, chunk, (size_t)n * size)) return false;
        if (npy->dtype == GT_BOOL && !check_bools(file, chunk, n, k)) return false;
        if (!d->fortran) convert(d->kind, chunk, n, data + (size_t)k * wide);
        for (int64_t i = 0; d->fortran && i < n; i++) {
            convert(d->kind, chunk + (size_t)i * size, 1, data + (size_t)w.offset * wide);
            step_fortran(&w);
        }
        k += n;
    }
    return true;
}

static bool read_array(const gt__file *file, gt_npy *npy) {
    dictionary d = {.kind = kinds};
    uint64_t used = 0;
    if (!gt__little_endian()) return gt__file_refuse(file, "needs a little-endian machine");
    if (!read_header(file, &d, &used) || !check_size(file, &d, used, &npy->count)) return false;
    npy->dtype = d.kind->dtype;
    npy->shape = d.shape;
    npy->bytes = (size_t)npy->count * gt_dtype_size(npy->dtype);
    if (npy->bytes == 0) return true;
    npy->data = gt__file_take(file, &npy->allocator, npy->bytes);
    return npy->data && read_elements(file, &d, npy);
}

bool gt_npy_read(gt_npy *npy, const char *path, const gt_allocator *allocator) {
    gt__file file;
    *npy = (gt_npy){.allocator = gt__io_allocator(allocator)};
    const bool ok = gt__file_open(&file, "gt_npy_read", path, npy->error) && read_array(&file, npy);
    gt__file_close(&file);
    if (!ok) gt_npy_free(npy);
    return ok;
}

void gt_npy_free(gt_npy *npy) {
    if (!npy) return;
    if (npy->data) npy->allocator.resize(npy->allocator.user, npy->data, npy->bytes, 0);
    npy->data = NULL;
    npy->bytes = 0;
    npy->count = 0;
    npy->shape = (gt_shape){0};
}

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct output {
    char header[512];
    size_t header_size, bytes;
    const void *data;
} output;

/* Padded with spaces to a multiple of 64 bytes, as the format asks for. */
static void make_header(output *o, const char *descr, gt_shape shape) {
    char text[400];
    int n =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int axis = 0; axis < shape.rank; axis++) {
        n += snprintf(text + n, sizeof text - (size_t)n, axis ? ", %" PRId64 : "%" PRId64,
                      shape.dim[axis]);
    }
    n += snprintf(text + n, sizeof text - (size_t)n, "%s), }", shape.rank == 1 ? "," : "");
    const size_t length = ((size_t)n + 1 + 10 + 63) / 64 * 64 - 10;
    memcpy(o->header, MAGIC "\x01", 7);
    o->header[7] = 0;
    o->header[8] = (char)(length & 0xff);
    o->header[9] = (char)(length >> 8);
    memset(o->header + 10, ' ', length);
    memcpy(o->header + 10, text, (size_t)n);
    o->header[10 + length - 1] = '\n';
    o->header_size = 10 + length;
}

static bool write_array(void *user, FILE *stream) {
    const output *o = user;
    return fwrite(o->header, 1, o->header_size, stream) == o->header_size &&
           (o->bytes == 0 || fwrite(o->data, 1, o->bytes, stream) == o->bytes);
}

bool gt_npy_write(const char *path, const void *data, gt_shape shape, gt_dtype dtype, char *error) {
    enum { PATH_MOST = 4096 };
    char ignored[GT_FILE_MESSAGE], temporary[PATH_MOST + GT__BESIDE];
    const gt__file file = {.path = path ? path : "gt_npy_write", .error = error ? error : ignored};
    const kind *k = NULL;
    file.error[0] = 0;
    for (int i = 0; i < N_KINDS; i++) /* the first that is read as dtype has its size */
        if (!k && kinds[i].dtype == dtype) k = &kinds[i];
    if (!path) return gt__file_refuse(&file, "the path is NULL");
    if (strlen(path) > PATH_MOST) return gt__file_refuse(&file, "the path is too long");
    if (!k) return gt__file_refuse(&file, "%s cannot be written", gt_dtype_name(dtype));
    if (!gt__little_endian()) return gt__file_refuse(&file, "needs a little-endian machine");
    bool valid = shape.rank >= 0 && shape.rank <= GT_MAX_RANK;
    for (int axis = 0; valid && axis < shape.rank; axis++) valid = shape.dim[axis] >= 0;
    if (!valid) return gt__file_refuse(&file, "not a shape");

    output o = {.data = data, .bytes = (size_t)gt_numel(shape) * k->size};
    if (!data && o.bytes) return gt__file_refuse(&file, "no data");
    make_header(&o, k->name, shape);
    const int reason = gt__write_beside(path, temporary, write_array, &o);
    return reason == 0 || gt__file_refuse(&file, "%s", strerror(reason));
}
