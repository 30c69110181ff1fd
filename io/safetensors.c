/* io/safetensors.c: parameters saved and loaded in the safetensors format.
 *
 * A file is: 8 bytes, the header's length, little-endian; the header, a JSON object padded with
 * spaces; the values, which the tensors cover without a gap or an overlap up to the last byte. Ours
 * begin the header with a checksum of the rest of it and hold one checksum per tensor in
 * "__metadata__", so that no changed byte goes unnoticed. Files of other writers have none and are
 * read all the same.
 *
 * Assumes a little-endian machine, and says so on any other. */
#include "io/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#if defined(GT_WITH_JANSSON)
#include <jansson.h>
#endif

enum { HEADER_MOST = 16 << 20, TENSORS_MOST = 1000000, ALIGNMENT = 8 };

/* Every header of ours begins with these bytes; 8 hexadecimal digits and the rest follow. */
#define SEAL "{\"__metadata__\":{\"gradtape.header_crc32\":\""
#define VERSION "1"
#define TENSOR_KEY "gradtape.tensor."

static const struct {
    gt_dtype dtype;
    const char *name;
} dtypes[] = {{GT_F32, "F32"}, {GT_F64, "F64"},   {GT_I32, "I32"},
              {GT_I64, "I64"}, {GT_BOOL, "BOOL"}, {GT_BF16, "BF16"}};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

/* CRC-32 of ISO 3309 (as in zip and png), byte by byte. */
typedef struct crc {
    uint32_t table[256];
} crc;

static void crc_init(crc *c) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t r = i;
        for (int bit = 0; bit < 8; bit++) r = (r & 1) ? 0xedb88320u ^ (r >> 1) : r >> 1;
        c->table[i] = r;
    }
}

static uint32_t crc_of(const crc *c, const void *bytes, size_t size) {
    const unsigned char *b = bytes;
    uint32_t r = 0xffffffffu;
    for (size_t i = 0; i < size; i++) r = c->table[(r ^ b[i]) & 0xff] ^ (r >> 8);
    return ~r;
}

static size_t info_bytes(const gt_param_info *info) {
    return (size_t)gt_numel(info->shape) * gt_dtype_size(info->dtype);
}

/* ---- saving ---------------------------------------------------------------------------------- */

typedef struct text {
    gt_params *params;
    char *at;
    size_t size, room;
    bool short_of_memory;
} text;

static void text_bytes(text *t, const char *bytes, size_t n) {
    if (t->short_of_memory) return;
    if (n > t->room - t->size) {
        const size_t room = 2 * (t->room + n);
        char *at = gt_params_alloc(t->params, t->at, t->room, room);
        t->short_of_memory = at == NULL;
        if (!at) return;
        t->at = at;
        t->room = room;
    }
    memcpy(t->at + t->size, bytes, n);
    t->size += n;
}

static void text_plain(text *t, const char *string) { text_bytes(t, string, strlen(string)); }

GT_PRINTF(2, 3)
static void text_format(text *t, const char *format, ...) {
    char buffer[128];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    text_bytes(t, buffer, (size_t)n);
}

/* The inside of a JSON string. */
static void text_escaped(text *t, const char *string) {
    for (const char *s = string; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            text_format(t, "\\%c", c);
        } else if (c < 0x20) {
            text_format(t, "\\u%04x", c);
        } else {
            text_bytes(t, s, 1);
        }
    }
}

/* Bytes of the UTF-8 character at s; 0 when there is none (overlong forms and surrogates
 * included). */
static int utf8_length(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    const int n = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
                  : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                  : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    const bool wrong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                       (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return wrong ? 0 : n;
}

/* What could not be read again is not written. */
static bool check_names(gt_params *params) {
    gt_param_info info;
    if (gt_params_count(params) > TENSORS_MOST) {
        return gt_params_fail(params, "%d parameters, but a file holds at most %d",
                              gt_params_count(params), TENSORS_MOST);
    }
    for (int i = 0; gt_params_at(params, i, &info); i++) {
        if (strcmp(info.name, "__metadata__") == 0) {
            return gt_params_fail(params, "the name __metadata__ is reserved by the file format");
        }
        for (const unsigned char *s = (const unsigned char *)info.name; *s;) {
            const int n = utf8_length(s);
            if (n == 0) return gt_params_fail(params, "the name '%s' is not UTF-8", info.name);
            s += n;
        }
    }
    return true;
}

static void text_metadata(text *t, const crc *c) {
    gt_param_info info;
    text_plain(t, SEAL "00000000\",\"gradtape.version\":\"" VERSION "\"");
    text_format(t, ",\"gradtape.ordinal\":\"%" PRIu64 "\"", gt_params_ordinal(t->params));
    for (int i = 0; gt_params_at(t->params, i, &info); i++) {
        text_plain(t, ",\"" TENSOR_KEY);
        text_escaped(t, info.name);
        text_format(t, "\":\"%s %08" PRIx32 "\"", info.buffer ? "buffer" : "param",
                    crc_of(c, info.data, info_bytes(&info)));
    }
    text_plain(t, "}");
}

/* Wide elements first, so that every tensor is aligned; within one width, in order of creation. */
static const size_t widths[] = {8, 4, 2, 1};
enum { N_WIDTHS = sizeof widths / sizeof *widths };

static void text_tensors(text *t) {
    gt_param_info info;
    uint64_t next[N_WIDTHS + 1] = {0}; /* where the next tensor of each width begins */
    for (int w = 0; w < N_WIDTHS; w++) {
        next[w + 1] = next[w];
        for (int i = 0; gt_params_at(t->params, i, &info); i++)
            if (gt_dtype_size(info.dtype) == widths[w]) next[w + 1] += info_bytes(&info);
    }
    for (int i = 0; gt_params_at(t->params, i, &info); i++) {
        int w = 0, d = 0;
        while (widths[w] != gt_dtype_size(info.dtype)) w++;
        while (dtypes[d].dtype != info.dtype) d++;
        text_plain(t, ",\"");
        text_escaped(t, info.name);
        text_format(t, "\":{\"dtype\":\"%s\",\"shape\":[", dtypes[d].name);
        for (int axis = 0; axis < info.shape.rank; axis++)
            text_format(t, axis ? ",%" PRId64 : "%" PRId64, info.shape.dim[axis]);
        const uint64_t end = next[w] + info_bytes(&info);
        text_format(t, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", next[w], end);
        next[w] = end;
    }
    text_plain(t, "}");
}

/* Replaces the zeros in the seal by the checksum of what follows them. */
static void set_seal(text *t, const crc *c) {
    const size_t at = sizeof SEAL - 1;
    char digits[9];
    snprintf(digits, sizeof digits, "%08" PRIx32, crc_of(c, t->at + at + 8, t->size - at - 8));
    memcpy(t->at + at, digits, 8);
}

static bool make_header(text *t, const crc *c) {
    text_metadata(t, c);
    text_tensors(t);
    while (t->size % ALIGNMENT != 0 && !t->short_of_memory) text_plain(t, " ");
    if (t->short_of_memory || !t->at)
        return gt_params_fail(t->params, "out of memory for the file's header");
    if (t->size > HEADER_MOST) {
        return gt_params_fail(t->params, "the names and shapes take %zu bytes, the limit is %d",
                              t->size, HEADER_MOST);
    }
    set_seal(t, c);
    return true;
}

static bool write_all(void *user, FILE *file) {
    const text *header = user;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->size >> (8 * i));
    bool ok = fwrite(length, 1, 8, file) == 8 &&
              fwrite(header->at, 1, header->size, file) == header->size;
    gt_param_info info;
    for (int w = 0; w < N_WIDTHS; w++) {
        for (int i = 0; ok && gt_params_at(header->params, i, &info); i++) {
            const size_t bytes = info_bytes(&info);
            if (bytes == 0 || gt_dtype_size(info.dtype) != widths[w]) continue;
            ok = fwrite(info.data, 1, bytes, file) == bytes;
        }
    }
    return ok;
}

bool gt_params_save(gt_params *params, const char *path) {
    if (!params) return false;
    if (!path) return gt_params_fail(params, "gt_params_save: the path is NULL");
    if (!gt__little_endian())
        return gt_params_fail(params, "%s: needs a little-endian machine", path);
    if (!check_names(params)) return false;

    crc c;
    crc_init(&c);
    text header = {.params = params};
    const size_t size = strlen(path) + GT__BESIDE;
    char *temporary = gt_params_alloc(params, NULL, 0, size);
    if (!temporary) return gt_params_fail(params, "out of memory");
    bool ok = make_header(&header, &c);
    const int reason = ok ? gt__write_beside(path, temporary, write_all, &header) : 0;
    if (reason) ok = gt_params_fail(params, "%s: %s", path, strerror(reason));
    if (header.at) gt_params_alloc(params, header.at, header.room, 0);
    gt_params_alloc(params, temporary, size, 0);
    return ok;
}

/* ---- loading --------------------------------------------------------------------------------- */

#if defined(GT_WITH_JANSSON)

typedef struct entry {
    const char *name; /* belongs to the parsed header */
    gt_dtype dtype;
    gt_shape shape;
    uint64_t begin, end; /* in the buffer */
    bool trainable;
} entry;

typedef struct reader {
    gt_params *params;
    const char *path;
    FILE *file;
    uint64_t buffer_size;
    char *header;
    size_t header_size;
    unsigned char *buffer;
    json_t *root, *metadata; /* metadata is NULL when there is none */
    bool sealed;             /* written by gradtape: checksums must be there */
    uint64_t ordinal;
    entry *entry; /* in the header's order */
    entry **by_offset;
    size_t count;
    crc crc;
} reader;

GT_PRINTF(2, 3)
static bool refuse(const reader *r, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return gt_params_fail(r->params, "%.200s: %s", r->path, message);
}

static void *take(const reader *r, size_t bytes) {
    void *block = gt_params_alloc(r->params, NULL, 0, bytes ? bytes : 1);
    if (!block) refuse(r, "out of memory for %zu bytes", bytes);
    return block;
}

static void release(const reader *r, void *block, size_t bytes) {
    if (block) gt_params_alloc(r->params, block, bytes ? bytes : 1, 0);
}

static bool read_exactly(const reader *r, void *out, size_t bytes) {
    if (fread(out, 1, bytes, r->file) == bytes) return true;
    return refuse(r, "%s", ferror(r->file) ? strerror(errno) : "the file became shorter");
}

/* The header's length is compared with the file before memory for it is taken. */
static bool read_header(reader *r) {
    r->file = fopen(r->path, "rb");
    if (!r->file || fseek(r->file, 0, SEEK_END) != 0) return refuse(r, "%s", strerror(errno));
    const long end = ftell(r->file);
    if (end < 0 || fseek(r->file, 0, SEEK_SET) != 0) return refuse(r, "%s", strerror(errno));
    const uint64_t size = (uint64_t)end;
    if (size < 8) return refuse(r, "%" PRIu64 " bytes are too few for a safetensors file", size);

    unsigned char length[8];
    if (!read_exactly(r, length, 8)) return false;
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) header = header << 8 | length[i];
    if (header > HEADER_MOST) {
        return refuse(r, "a header of %" PRIu64 " bytes, the limit is %d", header, HEADER_MOST);
    }
    if (header > size - 8) {
        return refuse(r, "a header of %" PRIu64 " bytes in a file of %" PRIu64, header, size);
    }
    r->header_size = (size_t)header;
    r->buffer_size = size - 8 - header;
    if (r->buffer_size > SIZE_MAX) return refuse(r, "too large for this machine");
    r->header = take(r, r->header_size);
    return r->header && read_exactly(r, r->header, r->header_size);
}

static bool parse_header(reader *r) {
    size_t size = r->header_size;
    while (size > 0 && r->header[size - 1] == ' ') size--;
    if (size < 2 || r->header[0] != '{' || r->header[size - 1] != '}') {
        return refuse(r, "the header is not a JSON object");
    }
    json_error_t error;
    r->root = json_loadb(r->header, size, JSON_REJECT_DUPLICATES, &error);
    if (!r->root) return refuse(r, "header, byte %d: %s", error.position, error.text);

    r->metadata = json_object_get(r->root, "__metadata__");
    if (r->metadata && !json_is_object(r->metadata)) {
        return refuse(r, "__metadata__ is not an object");
    }
    const char *key;
    json_t *value;
    json_object_foreach(r->metadata, key, value) {
        if (!json_is_string(value)) return refuse(r, "__metadata__: '%.80s' is no string", key);
        if (strncmp(key, "gradtape.", 9) == 0) r->sealed = true;
    }
    r->count = json_object_size(r->root) - (r->metadata ? 1 : 0);
    if (r->count > TENSORS_MOST) {
        return refuse(r, "%zu tensors, the limit is %d", r->count, TENSORS_MOST);
    }
    return true;
}

static const char *metadata_of(const reader *r, const char *key) {
    const char *value = json_string_value(json_object_get(r->metadata, key));
    return value ? value : "";
}

/* All of a header of ours is covered: the seal is compared, the rest summed. */
static bool check_seal(reader *r) {
    if (!r->sealed) return true;
    const size_t at = sizeof SEAL - 1;
    char digits[9];
    if (r->header_size < at + 8 || memcmp(r->header, SEAL, at) != 0) {
        return refuse(r, "the header was changed after it was saved");
    }
    snprintf(digits, sizeof digits, "%08" PRIx32,
             crc_of(&r->crc, r->header + at + 8, r->header_size - at - 8));
    if (memcmp(r->header + at, digits, 8) != 0) {
        return refuse(r, "the header does not have its checksum: damaged, or changed after saving");
    }
    const char *version = metadata_of(r, "gradtape.version");
    if (strcmp(version, VERSION) != 0) {
        return refuse(r, "format version '%.20s', this library reads " VERSION, version);
    }
    const char *ordinal = metadata_of(r, "gradtape.ordinal");
    char *end;
    errno = 0;
    r->ordinal = strtoull(ordinal, &end, 10);
    if (*ordinal < '0' || *ordinal > '9' || *end || errno) {
        return refuse(r, "gradtape.ordinal is no number: '%.40s'", ordinal);
    }
    return true;
}

static bool parse_dtype(const reader *r, entry *e, const json_t *value) {
    const char *name = json_string_value(value);
    if (!name) return refuse(r, "'%.80s': dtype is not a string", e->name);
    for (int i = 0; i < N_DTYPES; i++) {
        if (strcmp(name, dtypes[i].name) != 0) continue;
        e->dtype = dtypes[i].dtype;
        return true;
    }
    return refuse(r, "'%.80s': dtype %.20s is none of F32 F64 I32 I64 BOOL BF16", e->name, name);
}

/* Also computes the bytes that the shape asks for; a size of 0 does not hide an overflow. */
static bool parse_shape(const reader *r, entry *e, const json_t *value, uint64_t *bytes) {
    if (!json_is_array(value)) return refuse(r, "'%.80s': shape is not an array", e->name);
    const size_t rank = json_array_size(value);
    if (rank > GT_MAX_RANK) {
        return refuse(r, "'%.80s': rank %zu, the limit is %d", e->name, rank, GT_MAX_RANK);
    }
    e->shape.rank = (int)rank;
    uint64_t product = gt_dtype_size(e->dtype);
    bool empty = false;
    for (size_t axis = 0; axis < rank; axis++) {
        const json_t *size = json_array_get(value, axis);
        if (!json_is_integer(size) || json_integer_value(size) < 0) {
            return refuse(r, "'%.80s': the size of axis %zu is no whole number from 0 up", e->name,
                          axis);
        }
        const int64_t n = json_integer_value(size);
        e->shape.dim[axis] = n;
        if (n == 0) {
            empty = true;
        } else if (product > (uint64_t)INT64_MAX / (uint64_t)n) {
            return refuse(r, "'%.80s': the sizes of the shape overflow", e->name);
        } else {
            product *= (uint64_t)n;
        }
    }
    *bytes = empty ? 0 : product;
    return true;
}

static bool parse_offsets(const reader *r, entry *e, const json_t *value, uint64_t bytes) {
    const json_t *begin = json_array_get(value, 0), *end = json_array_get(value, 1);
    if (json_array_size(value) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin)) {
        return refuse(r, "'%.80s': data_offsets are not two increasing positions", e->name);
    }
    e->begin = (uint64_t)json_integer_value(begin);
    e->end = (uint64_t)json_integer_value(end);
    if (e->end > r->buffer_size) {
        return refuse(r, "'%.80s' ends at byte %" PRIu64 ", the file holds %" PRIu64, e->name,
                      e->end, r->buffer_size);
    }
    if (e->end - e->begin != bytes) {
        return refuse(r, "'%.80s': %" PRIu64 " bytes between its offsets, %" PRIu64 " in its shape",
                      e->name, e->end - e->begin, bytes);
    }
    return true;
}

static bool parse_entry(const reader *r, entry *e, const json_t *value) {
    const json_t *dtype = json_object_get(value, "dtype");
    const json_t *shape = json_object_get(value, "shape");
    const json_t *offsets = json_object_get(value, "data_offsets");
    if (!dtype || !shape || !offsets || json_object_size(value) != 3) {
        return refuse(r, "'%.80s' is not an object of dtype, shape and data_offsets", e->name);
    }
    uint64_t bytes = 0;
    return parse_dtype(r, e, dtype) && parse_shape(r, e, shape, &bytes) &&
           parse_offsets(r, e, offsets, bytes);
}

static bool parse_entries(reader *r) {
    r->entry = take(r, r->count * sizeof *r->entry);
    if (!r->entry) return false;
    size_t i = 0;
    const char *key;
    json_t *value;
    json_object_foreach(r->root, key, value) {
        if (value == r->metadata) continue;
        r->entry[i] = (entry){.name = key, .trainable = true};
        if (!parse_entry(r, &r->entry[i], value)) return false;
        i++;
    }
    return true;
}

static int compare_offsets(const void *a, const void *b) {
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* No byte belongs to two tensors or to none: nothing can be hidden in the file. */
static bool check_tiling(reader *r) {
    r->by_offset = take(r, r->count * sizeof(entry *));
    if (!r->by_offset) return false;
    for (size_t i = 0; i < r->count; i++) r->by_offset[i] = &r->entry[i];
    qsort(r->by_offset, r->count, sizeof *r->by_offset, compare_offsets);
    uint64_t covered = 0;
    for (size_t i = 0; i < r->count; i++) {
        const entry *e = r->by_offset[i];
        if (e->begin != covered) {
            return refuse(r, "'%.80s' begins at byte %" PRIu64 ", which leaves %s", e->name,
                          e->begin, e->begin > covered ? "a gap" : "an overlap");
        }
        covered = e->end;
    }
    if (covered == r->buffer_size) return true;
    return refuse(r, "the tensors cover %" PRIu64 " of %" PRIu64 " bytes", covered, r->buffer_size);
}

static bool check_sum(const reader *r, entry *e) {
    const size_t size = strlen(e->name) + sizeof TENSOR_KEY;
    char *key = take(r, size);
    if (!key) return false;
    snprintf(key, size, TENSOR_KEY "%s", e->name);
    const char *said = metadata_of(r, key);
    release(r, key, size);

    char param[16], buffer[16];
    const uint32_t sum = crc_of(&r->crc, r->buffer + e->begin, (size_t)(e->end - e->begin));
    snprintf(param, sizeof param, "param %08" PRIx32, sum);
    snprintf(buffer, sizeof buffer, "buffer %08" PRIx32, sum);
    e->trainable = strcmp(said, buffer) != 0;
    if (!e->trainable || strcmp(said, param) == 0) return true;
    return refuse(r, "'%.80s' does not have its checksum: the file is damaged", e->name);
}

static bool check_values(const reader *r, entry *e) {
    for (uint64_t i = e->begin; e->dtype == GT_BOOL && i < e->end; i++) {
        if (r->buffer[i] > 1) {
            return refuse(r, "'%.80s': byte %" PRIu64 " of a BOOL is %d, not 0 or 1", e->name,
                          i - e->begin, r->buffer[i]);
        }
    }
    return !r->sealed || check_sum(r, e);
}

static bool read_buffer(reader *r) {
    r->buffer = take(r, (size_t)r->buffer_size);
    if (!r->buffer || !read_exactly(r, r->buffer, (size_t)r->buffer_size)) return false;
    for (size_t i = 0; i < r->count; i++)
        if (!check_values(r, &r->entry[i])) return false;
    return true;
}

/* What exists must be in the file and agree with it. */
static bool check_params(const reader *r) {
    gt_param_info info;
    for (int i = 0; gt_params_at(r->params, i, &info); i++) {
        if (!json_object_get(r->root, info.name) || strcmp(info.name, "__metadata__") == 0) {
            return refuse(r, "parameter '%.80s' is not in the file", info.name);
        }
    }
    for (size_t i = 0; i < r->count; i++) {
        const entry *e = &r->entry[i];
        if (!gt_params_find(r->params, e->name, &info)) {
            if (!gt_params_frozen(r->params)) continue;
            return refuse(r, "'%.80s' is no parameter, and the parameters are frozen", e->name);
        }
        if (info.dtype != e->dtype || !gt_same_shape(info.shape, e->shape)) {
            return refuse(r, "'%.80s' has another shape or dtype than the parameter", e->name);
        }
    }
    return true;
}

static bool set_entries(const reader *r, bool existing) {
    const int known = gt_params_count(r->params);
    gt_param_info info;
    for (size_t i = 0; i < r->count; i++) {
        const entry *e = &r->entry[i];
        if (gt_params_find(r->params, e->name, &info) != existing) continue;
        if (!gt_param_set(r->params, e->name, e->shape, e->dtype, r->buffer + e->begin,
                          e->trainable)) {
            gt_params_truncate(r->params, known);
            return false;
        }
    }
    return true;
}

/* Creating may run out of memory and is taken back then; overwriting cannot fail and comes
 * after. */
static bool install(const reader *r) {
    const int known = gt_params_count(r->params);
    if (!set_entries(r, false)) return false;
    if (known > 0 && !set_entries(r, true)) return false;
    if (r->sealed) gt_params_set_ordinal(r->params, r->ordinal);
    gt_params_freeze(r->params, true);
    return true;
}

bool gt_params_load(gt_params *params, const char *path) {
    if (!params) return false;
    if (!path) return gt_params_fail(params, "gt_params_load: the path is NULL");
    if (!gt__little_endian())
        return gt_params_fail(params, "%s: needs a little-endian machine", path);

    reader r = {.params = params, .path = path};
    crc_init(&r.crc);
    const bool ok = read_header(&r) && parse_header(&r) && check_seal(&r) && parse_entries(&r) &&
                    check_tiling(&r) && read_buffer(&r) && check_params(&r) && install(&r);
    release(&r, r.buffer, (size_t)r.buffer_size);
    release(&r, r.by_offset, r.count * sizeof(entry *));
    release(&r, r.entry, r.count * sizeof *r.entry);
    release(&r, r.header, r.header_size);
    json_decref(r.root);
    if (r.file) fclose(r.file);
    return ok;
}

#else

bool gt_params_load(gt_params *params, const char *path) {
    if (!params) return false;
    return gt_params_fail(params, "%s: this build has no jansson, which reads the header",
                          path ? path : "gt_params_load");
}

#endif
