/* io/idx.c: IDX files, plain or gzipped.
 *
 * An IDX file is a big-endian header (two zero bytes, element type, rank, then 32 bits per axis)
 * and the elements, big-endian as well. A plain file must have exactly the size that its header
 * implies. How much a gzipped one holds shows only while reading, so the buffer grows with what has
 * arrived. Assumes IEEE 754 floats. */
#include "io/file.h"

#include <errno.h>
#include <string.h>

#if defined(GT_WITH_ZLIB)
#include <zlib.h>
#endif

/* A bit less than 1 byte of deflate can stand for 1032 bytes: no gzip file holds more. */
#define MOST_PER_COMPRESSED_BYTE 1032
#define FIRST_CHUNK ((size_t)1 << 16)

typedef struct source {
    gt__file file;
    bool compressed;
#if defined(GT_WITH_ZLIB)
    z_stream stream;
    bool stream_open;
    bool member_ended;
    unsigned char arrived[8192];
#endif
} source;

size_t gt_idx_type_size(gt_idx_type type) {
    switch (type) {
    case GT_IDX_U8:
    case GT_IDX_I8: return 1;
    case GT_IDX_I16: return 2;
    case GT_IDX_I32:
    case GT_IDX_F32: return 4;
    case GT_IDX_F64: return 8;
    }
    return 0;
}

/* ---- the source: bytes of a plain or a gzipped file ------------------------------------------ */

static bool open_source(source *s, gt_idx *idx, const char *path) {
    if (!gt__file_open(&s->file, "gt_idx_read", path, idx->error)) return false;
    unsigned char magic[2];
    s->compressed = fread(magic, 1, 2, s->file.stream) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    if (ferror(s->file.stream)) return gt__file_refuse(&s->file, "%s", strerror(errno));
    rewind(s->file.stream);
    return true;
}

static bool read_plain(source *s, void *out, size_t want, size_t *got) {
    *got = fread(out, 1, want, s->file.stream);
    return ferror(s->file.stream) ? gt__file_refuse(&s->file, "%s", strerror(errno)) : true;
}

#if defined(GT_WITH_ZLIB)
/* zlib frees without saying the size, the allocator asks for it: it stands before the block. */
typedef union block_size {
    size_t bytes;
    max_align_t align;
} block_size;

static void *zlib_alloc(void *user, unsigned count, unsigned size) {
    const gt_allocator *a = user;
    const size_t bytes = (size_t)count * size + sizeof(block_size);
    block_size *block = a->resize(a->user, NULL, 0, bytes);
    if (!block) return NULL;
    block->bytes = bytes;
    return block + 1;
}

static void zlib_free(void *user, void *address) {
    const gt_allocator *a = user;
    if (!address) return;
    block_size *block = (block_size *)address - 1;
    a->resize(a->user, block, block->bytes, 0);
}

static bool open_stream(source *s, gt_idx *idx) {
    enum { GZIP_WINDOW = 16 + MAX_WBITS };
    s->stream.zalloc = zlib_alloc;
    s->stream.zfree = zlib_free;
    s->stream.opaque = &idx->allocator;
    s->stream_open = inflateInit2(&s->stream, GZIP_WINDOW) == Z_OK;
    return s->stream_open ? true : gt__file_refuse(&s->file, "out of memory");
}

/* A gzip file may be several members, one after the other; each ends with its checksum. */
static bool next_input(source *s, bool *ended) {
    *ended = false;
    if (s->stream.avail_in == 0) {
        s->stream.avail_in = (unsigned)fread(s->arrived, 1, sizeof s->arrived, s->file.stream);
        s->stream.next_in = s->arrived;
        if (ferror(s->file.stream)) return gt__file_refuse(&s->file, "%s", strerror(errno));
    }
    if (s->stream.avail_in == 0) {
        *ended = true;
        return s->member_ended ? true
                               : gt__file_refuse(&s->file, "the compressed data is cut short");
    }
    if (s->member_ended) {
        inflateReset(&s->stream);
        s->member_ended = false;
    }
    return true;
}

static bool read_compressed(source *s, void *out, size_t want, size_t *got) {
    const size_t most = (size_t)1 << 30;
    *got = 0;
    while (*got < want) {
        bool ended;
        if (!next_input(s, &ended)) return false;
        if (ended) break;
        const size_t room = want - *got < most ? want - *got : most;
        s->stream.next_out = (unsigned char *)out + *got;
        s->stream.avail_out = (unsigned)room;
        const int status = inflate(&s->stream, Z_NO_FLUSH);
        *got += room - s->stream.avail_out;
        if (status == Z_STREAM_END) {
            s->member_ended = true;
        } else if (status == Z_MEM_ERROR) {
            return gt__file_refuse(&s->file, "out of memory");
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return gt__file_refuse(&s->file, "the compressed data is damaged (%s)",
                                   s->stream.msg ? s->stream.msg : "zlib gives no reason");
        }
    }
    return true;
}
#endif

static bool read_source(source *s, void *out, size_t want, size_t *got) {
#if defined(GT_WITH_ZLIB)
    if (s->compressed) return read_compressed(s, out, want, got);
#endif
    return read_plain(s, out, want, got);
}

static void close_source(source *s) {
#if defined(GT_WITH_ZLIB)
    if (s->stream_open) inflateEnd(&s->stream);
#endif
    gt__file_close(&s->file);
}

/* ---- header and elements --------------------------------------------------------------------- */

static uint32_t big_endian_32(const unsigned char *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Sets shape, count and bytes; refuses sizes whose product overflows even where a 0 hides it. */
static bool set_sizes(const source *s, gt_idx *idx, const unsigned char *sizes) {
    const int64_t most = (int64_t)((SIZE_MAX < INT64_MAX ? SIZE_MAX : INT64_MAX) / 8);
    int64_t product = 1;
    bool empty = false;
    for (int axis = 0; axis < idx->shape.rank; axis++) {
        const int64_t size = big_endian_32(sizes + 4 * axis);
        idx->shape.dim[axis] = size;
        if (size == 0) {
            empty = true;
        } else if (product > most / size) {
            return gt__file_refuse(&s->file, "the sizes in the header overflow at axis %d (%lld)",
                                   axis, (long long)size);
        } else {
            product *= size;
        }
    }
    idx->count = empty ? 0 : product;
    idx->bytes = (size_t)idx->count * gt_idx_type_size(idx->type);
    return true;
}

static bool read_header(source *s, gt_idx *idx) {
    unsigned char head[4], sizes[4 * GT_MAX_RANK] = {0};
    size_t got;
    if (!read_source(s, head, 4, &got)) return false;
    if (got < 4) return gt__file_refuse(&s->file, "%zu bytes are too few for an IDX file", got);
    if (head[0] != 0 || head[1] != 0) {
        return gt__file_refuse(&s->file, "no IDX file: it begins with %02x %02x instead of 00 00",
                               head[0], head[1]);
    }
    idx->type = (gt_idx_type)head[2];
    if (gt_idx_type_size(idx->type) == 0) {
        return gt__file_refuse(&s->file, "unknown element type 0x%02x", head[2]);
    }
    if (head[3] < 1 || head[3] > GT_MAX_RANK) {
        return gt__file_refuse(&s->file, "rank %d, but 1 to %d are allowed", head[3], GT_MAX_RANK);
    }
    idx->shape.rank = head[3];
    const size_t want = 4 * (size_t)head[3];
    if (!read_source(s, sizes, want, &got)) return false;
    if (got < want) return gt__file_refuse(&s->file, "the header is cut short");
    return set_sizes(s, idx, sizes);
}

/* A header that claims more than the file can hold is refused before memory is taken. */
static bool check_claim(const source *s, const gt_idx *idx) {
    const uint64_t header = 4 + 4 * (uint64_t)idx->shape.rank;
    const uint64_t held = s->file.size > header ? s->file.size - header : 0;
    if (!s->compressed && held != idx->bytes) {
        return gt__file_refuse(&s->file,
                               "the header promises %llu bytes of elements, the file holds %llu",
                               (unsigned long long)idx->bytes, (unsigned long long)held);
    }
    if (s->compressed && idx->bytes / MOST_PER_COMPRESSED_BYTE > s->file.size) {
        return gt__file_refuse(
            &s->file,
            "the header promises %llu bytes of elements, more than %llu compressed bytes "
            "can hold",
            (unsigned long long)idx->bytes, (unsigned long long)s->file.size);
    }
    return true;
}

static bool read_elements(source *s, gt_idx *idx) {
    const gt_allocator *a = &idx->allocator;
    size_t have = 0, capacity = 0;
    while (have < idx->bytes) {
        size_t wider = s->compressed ? 2 * capacity : idx->bytes;
        if (wider < FIRST_CHUNK) wider = FIRST_CHUNK;
        if (wider > idx->bytes) wider = idx->bytes;
        void *data = a->resize(a->user, idx->data, capacity, wider);
        size_t got = 0;
        if (data) {
            idx->data = data;
            capacity = wider;
            if (!read_source(s, (char *)data + have, capacity - have, &got)) break;
        } else {
            gt__file_refuse(&s->file, "out of memory for %llu bytes", (unsigned long long)wider);
            break;
        }
        have += got;
        if (have < capacity) {
            gt__file_refuse(&s->file,
                            "the header promises %llu bytes of elements, the file holds %llu",
                            (unsigned long long)idx->bytes, (unsigned long long)have);
            break;
        }
    }
    const bool complete = have == idx->bytes;
    idx->bytes = capacity; /* what gt_idx_free gives back */
    return complete;
}

static bool expect_end(source *s) {
    char beyond;
    size_t got;
    if (!read_source(s, &beyond, 1, &got)) return false;
    return got == 0 ? true : gt__file_refuse(&s->file, "bytes follow after the last element");
}

static void to_native_order(gt_idx *idx) {
    const size_t size = gt_idx_type_size(idx->type);
    unsigned char *b = idx->data;
    for (int64_t i = 0; size > 1 && i < idx->count; i++, b += size) {
        const uint32_t high = size >= 4 ? big_endian_32(b) : 0;
        if (size == 2) {
            const uint16_t value = (uint16_t)(b[0] << 8 | b[1]);
            memcpy(b, &value, 2);
        } else if (size == 4) {
            memcpy(b, &high, 4);
        } else {
            const uint64_t value = (uint64_t)high << 32 | big_endian_32(b + 4);
            memcpy(b, &value, 8);
        }
    }
}

bool gt_idx_read(gt_idx *idx, const char *path, const gt_allocator *allocator) {
    *idx = (gt_idx){0};
    idx->type = GT_IDX_U8;
    idx->allocator = gt__io_allocator(allocator);

    source s = {0};
    bool ok = open_source(&s, idx, path);
#if defined(GT_WITH_ZLIB)
    ok = ok && (!s.compressed || open_stream(&s, idx));
#else
    if (ok && s.compressed) {
        ok = gt__file_refuse(&s.file,
                             "the file is gzipped, and this build has no zlib: gunzip it first");
    }
#endif
    ok = ok && read_header(&s, idx) && check_claim(&s, idx) && read_elements(&s, idx) &&
         expect_end(&s);
    close_source(&s);
    if (ok) {
        to_native_order(idx);
    } else {
        gt_idx_free(idx);
    }
    return ok;
}

void gt_idx_free(gt_idx *idx) {
    if (!idx) return;
    if (idx->data) idx->allocator.resize(idx->allocator.user, idx->data, idx->bytes, 0);
    idx->data = NULL;
    idx->bytes = 0;
    idx->count = 0;
    idx->shape = (gt_shape){0};
}

/* ---- conversion ------------------------------------------------------------------------------ */

static bool holds(const gt_idx *idx, int64_t first, int64_t count) {
    return first >= 0 && count >= 0 && first <= idx->count && count <= idx->count - first;
}

bool gt_idx_f32(const gt_idx *idx, int64_t first, int64_t count, float scale, float *out) {
    if (!holds(idx, first, count)) return false;
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = first + i;
        switch (idx->type) {
        case GT_IDX_U8: out[i] = (float)((const uint8_t *)idx->data)[k] * scale; break;
        case GT_IDX_I8: out[i] = (float)((const int8_t *)idx->data)[k] * scale; break;
        case GT_IDX_I16: out[i] = (float)((const int16_t *)idx->data)[k] * scale; break;
        case GT_IDX_I32: out[i] = (float)((const int32_t *)idx->data)[k] * scale; break;
        case GT_IDX_F32: out[i] = ((const float *)idx->data)[k] * scale; break;
        case GT_IDX_F64: out[i] = (float)((const double *)idx->data)[k] * scale; break;
        }
    }
    return true;
}

bool gt_idx_i32(const gt_idx *idx, int64_t first, int64_t count, int32_t *out) {
    const bool floats = idx->type == GT_IDX_F32 || idx->type == GT_IDX_F64;
    if (floats || !holds(idx, first, count)) return false;
    for (int64_t i = 0; i < count; i++) {
        const int64_t k = first + i;
        switch (idx->type) {
        case GT_IDX_U8: out[i] = ((const uint8_t *)idx->data)[k]; break;
        case GT_IDX_I8: out[i] = (int32_t)((const int8_t *)idx->data)[k]; break;
        case GT_IDX_I16: out[i] = ((const int16_t *)idx->data)[k]; break;
        case GT_IDX_I32: out[i] = ((const int32_t *)idx->data)[k]; break;
        case GT_IDX_F32:
        case GT_IDX_F64: return false;
        }
    }
    return true;
}
