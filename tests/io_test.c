/* tests/io_test.c: the room io/. Good files are read bit by bit; damaged and hostile ones are
 * refused with a message, without taking memory that the file does not justify and without changing
 * anything; every allocation and every write fails in turn. */
#define _POSIX_C_SOURCE 200809L
#include "io/io.h"

#include "support/damage.h"
#include "support/scratch.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(GT_WITH_ZLIB)
#include <zlib.h>
#endif

/* ---- IDX: good files ------------------------------------------------------------------------- */

#define IDX(type, rank) 0, 0, type, rank
#define BIG_32(n)                                                                                  \
    (unsigned char)((n) >> 24), (unsigned char)((n) >> 16), (unsigned char)((n) >> 8),             \
        (unsigned char)(n)

static const unsigned char small_file[] = {IDX(GT_IDX_I16, 2),
                                           BIG_32(2),
                                           BIG_32(3),
                                           0,
                                           1,
                                           0,
                                           2,
                                           0xff,
                                           0xff,
                                           0x12,
                                           0x34,
                                           0x80,
                                           0,
                                           0x7f,
                                           0xff};

static void expect_small(const gt_idx *idx) {
    static const int16_t expected[] = {1, 2, -1, 0x1234, INT16_MIN, INT16_MAX};
    cr_assert(idx->type == GT_IDX_I16 && idx->count == 6 && idx->bytes == 12);
    cr_assert(gt_same_shape(idx->shape, GT_SHAPE(2, 3)));
    cr_assert(memcmp(idx->data, expected, sizeof expected) == 0);
}

Test(idx, every_type_is_read_in_native_order) {
    begin();
    static const struct {
        unsigned char bytes[24];
        size_t size;
        double value[2];
    } files[] = {
        {{IDX(GT_IDX_U8, 1), BIG_32(2), 7, 200}, 10, {7, 200}},
        {{IDX(GT_IDX_I8, 1), BIG_32(2), 7, 0x80}, 10, {7, -128}},
        {{IDX(GT_IDX_I16, 1), BIG_32(2), 1, 2, 0xff, 0xfe}, 12, {258, -2}},
        {{IDX(GT_IDX_I32, 1), BIG_32(2), 1, 2, 3, 4, 0xff, 0xff, 0xff, 0}, 16, {16909060, -256}},
        {{IDX(GT_IDX_F32, 1), BIG_32(2), 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0}, 16, {1, -2.5}},
        {{IDX(GT_IDX_F64, 1), BIG_32(2), 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 0x04}, 24, {1, -2.5}},
    };
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        gt_idx idx;
        write_bytes(files[k].bytes, files[k].size);
        cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
        cr_assert(idx.count == 2 && idx.shape.rank == 1 && idx.shape.dim[0] == 2);
        float f[2], one;
        int32_t n[2] = {0, 0};
        cr_assert(gt_idx_f32(&idx, 0, 2, 1, f));
        cr_assert(f[0] == (float)files[k].value[0] && f[1] == (float)files[k].value[1]);
        cr_assert(gt_idx_f32(&idx, 1, 1, 0.5F, &one) && one == (float)files[k].value[1] / 2);
        const bool whole = k < 4;
        cr_assert(gt_idx_i32(&idx, 0, 2, n) == whole);
        cr_assert(!whole || (n[0] == (int)files[k].value[0] && n[1] == (int)files[k].value[1]));
        cr_assert(!gt_idx_f32(&idx, 1, 2, 1, f) && !gt_idx_f32(&idx, -1, 1, 1, f) &&
                  !gt_idx_f32(&idx, 0, -1, 1, f) && !gt_idx_f32(&idx, INT64_MAX, INT64_MAX, 1, f));
        gt_idx_free(&idx);
        gt_idx_free(&idx);
        cr_assert(idx.data == NULL && idx.count == 0);
    }
    end();
}

Test(idx, rank_8_and_sizes_of_0_are_legal) {
    begin();
    static const unsigned char eight[4 + 32 + 2] = {
        IDX(GT_IDX_U8, 8), BIG_32(1), BIG_32(1), BIG_32(2), BIG_32(1), BIG_32(1),
        BIG_32(1),         BIG_32(1), BIG_32(1), 5,         6};
    static const unsigned char none[] = {IDX(GT_IDX_F64, 2), BIG_32(3), BIG_32(0)};
    gt_idx idx;
    write_bytes(eight, sizeof eight);
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    cr_assert(idx.shape.rank == 8 && idx.count == 2 && ((uint8_t *)idx.data)[1] == 6);
    gt_idx_free(&idx);
    write_bytes(none, sizeof none);
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    cr_assert(idx.count == 0 && idx.shape.dim[0] == 3 && idx.shape.dim[1] == 0);
    gt_idx_free(&idx);
    end();
}

/* ---- IDX: bad files -------------------------------------------------------------------------- */

/* Reads file_path under a ledger: refused with a message, or read and freed. Nothing stays in
 * use. */
static bool read_under(ledger *l, char *error, size_t size) {
    gt_idx idx;
    const gt_allocator a = counting(l);
    const bool ok = gt_idx_read(&idx, file_path, &a);
    cr_assert(ok == (idx.error[0] == 0));
    cr_assert(ok || (idx.data == NULL && idx.count == 0));
    snprintf(error, size, "%s", idx.error);
    gt_idx_free(&idx);
    cr_assert(l->used == 0);
    return ok;
}

static void expect_refusal(const void *bytes, size_t size, const char *message) {
    ledger l;
    char error[400];
    write_bytes(bytes, size);
    cr_assert(!read_under(&l, error, sizeof error), "was read; expected: %s", message);
    cr_assert(strstr(error, message) != NULL, "said '%s', expected '%s'", error, message);
    cr_assert(strstr(error, file_path) != NULL, "'%s' does not name the file", error);
    cr_assert(l.peak <= size + ((size_t)1 << 17), "took %zu bytes for a file of %zu", l.peak, size);
}

Test(idx, hostile_headers_are_refused) {
    begin();
    static const struct {
        unsigned char bytes[48];
        size_t size;
        const char *message;
    } files[] = {
        {{0}, 0, "0 bytes are too few"},
        {{0, 0, 8}, 3, "3 bytes are too few"},
        {{'P', 'K', 3, 4}, 4, "begins with 50 4b"},
        {{0, 1, 8, 1, BIG_32(0)}, 8, "begins with 00 01"},
        {{IDX(0x0a, 1), BIG_32(0)}, 8, "unknown element type 0x0a"},
        {{IDX(0xff, 1), BIG_32(0)}, 8, "unknown element type 0xff"},
        {{IDX(GT_IDX_U8, 0), 1}, 5, "rank 0"},
        {{IDX(GT_IDX_U8, 9)}, 40, "rank 9"},
        {{IDX(GT_IDX_U8, 255)}, 40, "rank 255"},
        {{IDX(GT_IDX_U8, 2), BIG_32(1)}, 8, "header is cut short"},
        {{IDX(GT_IDX_U8, 1), BIG_32(4), 1, 2, 3},
         11,
         "promises 4 bytes of elements, the file holds 3"},
        {{IDX(GT_IDX_U8, 1), BIG_32(2), 1, 2, 3},
         11,
         "promises 2 bytes of elements, the file holds 3"},
        {{IDX(GT_IDX_U8, 1), BIG_32(0xffffffffu)}, 8, "promises 4294967295 bytes"},
        {{IDX(GT_IDX_F64, 3), BIG_32(0xffffffffu), BIG_32(0xffffffffu), BIG_32(2)}, 16, "overflow"},
        {{IDX(GT_IDX_U8, 4), BIG_32(0), BIG_32(0xffffffffu), BIG_32(0xffffffffu),
          BIG_32(0xffffffffu)},
         20,
         "overflow"},
    };
    for (size_t k = 0; k < sizeof files / sizeof *files; k++)
        expect_refusal(files[k].bytes, files[k].size, files[k].message);
    end();
}

Test(idx, a_path_that_cannot_be_read_says_why) {
    gt_idx idx;
    cr_assert(!gt_idx_read(&idx, "/nonexistent/file", NULL) && strstr(idx.error, "No such file"));
    cr_assert(!gt_idx_read(&idx, "/", NULL) && strstr(idx.error, "directory"));
    cr_assert(!gt_idx_read(&idx, NULL, NULL) && strstr(idx.error, "NULL"));
    cr_assert(gt_idx_type_size((gt_idx_type)0) == 0);
    gt_idx_free(NULL);
}

/* Every truncation is refused; every flipped byte is refused or gives another valid file. */
static void expect_robust(const unsigned char *bytes, size_t size) {
    unsigned char *copy = malloc(size);
    const int files = open_files();
    char error[400];
    ledger l;
    for (size_t k = 0; k < damages(size); k++) {
        const size_t left = damaged(copy, bytes, size, k);
        if (left < size) expect_refusal(copy, left, "");
        write_bytes(copy, left);
        read_under(&l, error, sizeof error);
        cr_assert(l.peak <= size + ((size_t)1 << 17), "took %zu bytes", l.peak);
    }
    cr_assert(open_files() == files);
    free(copy);
}

Test(idx, truncations_and_flipped_bytes) {
    begin();
    gt_idx idx;
    write_bytes(small_file, sizeof small_file);
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    expect_small(&idx);
    gt_idx_free(&idx);
    expect_robust(small_file, sizeof small_file);
    end();
}

static bool try_idx(const gt_allocator *a, char *error) {
    gt_idx idx;
    const bool ok = gt_idx_read(&idx, file_path, a);
    snprintf(error, GT_FILE_MESSAGE, "%s", idx.error);
    gt_idx_free(&idx);
    return ok;
}

Test(idx, allocations_that_fail) {
    begin();
    write_bytes(small_file, sizeof small_file);
    cr_assert(sweep_allocations(try_idx) > 0);
    end();
}

#if defined(GT_WITH_ZLIB)

static void write_gzip(const void *bytes, size_t size, const char *mode) {
    gzFile f = gzopen(file_path, mode);
    cr_assert(f && gzwrite(f, bytes, (unsigned)size) == (int)size);
    cr_assert(gzclose(f) == Z_OK);
}

Test(idx, gzip_is_recognized_by_its_content) {
    begin();
    gt_idx idx;
    write_gzip(small_file, sizeof small_file, "wb");
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    expect_small(&idx);
    gt_idx_free(&idx);
    /* Several members make one file. */
    write_gzip(small_file, 10, "wb");
    write_gzip(small_file + 10, sizeof small_file - 10, "ab");
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    expect_small(&idx);
    gt_idx_free(&idx);
    end();
}

Test(idx, a_large_gzip_grows_in_chunks) {
    begin();
    enum { SIZE = 700000 };
    unsigned char *bytes = malloc(8 + SIZE);
    memcpy(bytes, (const unsigned char[]){IDX(GT_IDX_U8, 1), BIG_32(SIZE)}, 8);
    for (size_t i = 0; i < SIZE; i++) bytes[8 + i] = (unsigned char)(i * i >> 7);
    write_gzip(bytes, 8 + SIZE, "wb");
    gt_idx idx;
    cr_assert(gt_idx_read(&idx, file_path, NULL), "%s", idx.error);
    cr_assert(idx.count == SIZE && memcmp(idx.data, bytes + 8, SIZE) == 0);
    gt_idx_free(&idx);
    cr_assert(sweep_allocations(try_idx) > 0);
    free(bytes);
    end();
}

Test(idx, damaged_gzip_is_refused) {
    begin();
    size_t size;
    write_gzip(small_file, sizeof small_file, "wb");
    unsigned char *bytes = read_bytes(&size);
    expect_robust(bytes, size);

    bytes[size - 6] ^= 1; /* the checksum */
    expect_refusal(bytes, size, "damaged");
    bytes[size - 6] ^= 1;
    bytes[size] = 'x';
    expect_refusal(bytes, size + 1, "");
    free(bytes);

    write_gzip(small_file, sizeof small_file - 1, "wb");
    bytes = read_bytes(&size);
    expect_refusal(bytes, size, "promises 12 bytes of elements, the file holds 11");
    free(bytes);
    unsigned char longer[sizeof small_file + 1] = {0};
    memcpy(longer, small_file, sizeof small_file);
    write_gzip(longer, sizeof longer, "wb");
    bytes = read_bytes(&size);
    expect_refusal(bytes, size, "bytes follow");
    free(bytes);
    end();
}

Test(idx, a_lying_gzip_takes_no_memory) {
    begin();
    /* More than any compression could give: refused at the header. */
    static const unsigned char huge[] = {
        IDX(GT_IDX_F64, 2), BIG_32(100000), BIG_32(100000), 1, 2, 3};
    size_t size;
    write_gzip(huge, sizeof huge, "wb");
    unsigned char *bytes = read_bytes(&size);
    expect_refusal(bytes, size, "more than");
    free(bytes);

    /* Possible by its size, but not what it holds: memory follows what has arrived. */
    enum { HELD = 300000, CLAIMED = 100000000 };
    unsigned char *held = malloc(8 + HELD);
    memcpy(held, (const unsigned char[]){IDX(GT_IDX_U8, 1), BIG_32(CLAIMED)}, 8);
    for (uint64_t i = 0; i < HELD; i++) { /* noise, so that the file is as large as what it holds */
        uint32_t word[4];
        gt_philox(1, 2, i, word);
        held[8 + i] = (unsigned char)word[0];
    }
    write_gzip(held, 8 + HELD, "wb");
    ledger l;
    char error[400];
    cr_assert(!read_under(&l, error, sizeof error));
    cr_assert(strstr(error, "the file holds 300000"), "said '%s'", error);
    cr_assert(l.peak < 3 * HELD, "took %zu bytes", l.peak);
    free(held);
    end();
}

#else

Test(idx, gzip_without_zlib_says_so) {
    begin();
    static const unsigned char gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    expect_refusal(gzip, sizeof gzip, "this build has no zlib");
    end();
}

#endif

/* ---- parameters ------------------------------------------------------------------------------ */

static const char odd_name[] = "block \"1\"/w\\\t\x01/\xc3\xa9\xe2\x82\xac";

static void set(gt_params *p, const char *name, gt_shape shape, gt_dtype dtype, const void *data,
                bool trainable) {
    cr_assert(gt_param_set(p, name, shape, dtype, data, trainable), "%s", gt_params_error(p));
}

/* One of each kind, awkward values, a rank of 0, a size of 0, a name that must be escaped. */
static gt_params *sample_params(const gt_allocator *a, int change) {
    gt_params *p = gt_params_new(a, 7);
    if (!p) return NULL;
    const uint32_t floats[] = {0x80000000u, 0x7fc00123u, 1,
                               0xff800000u, 0x3f800000u, (uint32_t)change};
    const double reals[] = {-0.0, 0.1, 5e-324, HUGE_VAL};
    const int32_t ints[] = {INT32_MIN, -1, INT32_MAX};
    const int64_t longs[] = {INT64_MIN, INT64_MAX};
    const uint16_t halves[] = {0x7f81, 0x8000, 0x3f80};
    set(p, "flags", GT_SHAPE(3), GT_BOOL, (const unsigned char[]){1, 0, 1}, false);
    set(p, odd_name, GT_SHAPE(2, 3), GT_F32, floats, true);
    set(p, "reals", GT_SHAPE(2, 1, 2), GT_F64, reals, true);
    set(p, "scalar", GT_SCALAR, GT_F32, floats + 4, true);
    set(p, "none", GT_SHAPE(4, 0), GT_F64, reals, true);
    set(p, "ints", GT_SHAPE(3), GT_I32, ints, false);
    set(p, "longs", GT_SHAPE(2), GT_I64, longs, false);
    set(p, "halves", GT_SHAPE(1, 1, 1, 1, 1, 1, 1, 3), GT_BF16, halves, true);
    gt_params_set_ordinal(p, 0xfedcba9876543210u);
    return p;
}

static void save(gt_params *p) {
    cr_assert(gt_params_save(p, file_path), "%s", gt_params_error(p));
}

static unsigned char *saved_sample(size_t *size) {
    gt_params *p = sample_params(NULL, 0);
    save(p);
    gt_params_free(p);
    return read_bytes(size);
}

Test(safetensors, the_file_is_as_the_format_says) {
    begin();
    size_t size;
    unsigned char *bytes = saved_sample(&size);
    uint64_t header = 0;
    memcpy(&header, bytes, 8);
    cr_assert(header % 8 == 0 && header < size && bytes[8] == '{');
    /* 8 bytes: reals, longs; 4: floats, scalar, ints; 2: halves; 1: flags. */
    cr_assert(size == 8 + header + 32 + 16 + 24 + 4 + 12 + 6 + 3);
    bytes[8 + header - 1] = 0;
    cr_assert(strstr((char *)bytes + 8, "\"reals\":{\"dtype\":\"F64\",\"shape\":[2,1,2],"
                                        "\"data_offsets\":[0,32]}"));
    cr_assert(strstr((char *)bytes + 8, "\"flags\":{\"dtype\":\"BOOL\",\"shape\":[3],"
                                        "\"data_offsets\":[94,97]}"));
    cr_assert(strstr((char *)bytes + 8, "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],"));
    cr_assert(strstr((char *)bytes + 8,
                     "\"block \\\"1\\\"/w\\\\\\u0009\\u0001/\xc3\xa9\xe2\x82\xac\":{"));
    free(bytes);
    end();
}

Test(safetensors, what_cannot_be_read_again_is_not_saved) {
    begin();
    const float one = 1;
    static const char *const names[] = {"__metadata__",     "\xff",    "a\xc0\x80", "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80", "\xe2\x82"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        gt_params *p = gt_params_new(NULL, 0);
        set(p, names[k], GT_SCALAR, GT_F32, &one, true);
        cr_assert(!gt_params_save(p, file_path));
        cr_assert(strstr(gt_params_error(p), k == 0 ? "reserved" : "UTF-8"));
        gt_params_free(p);
    }
    cr_assert(!gt_params_save(NULL, file_path));
    cr_assert(files_in_folder() == 0);
    end();
}

Test(safetensors, a_file_that_cannot_be_written_says_why) {
    begin();
    gt_params *p = sample_params(NULL, 0);
    cr_assert(!gt_params_save(p, "/nonexistent/file") &&
              strstr(gt_params_error(p), "No such file"));
    cr_assert(!gt_params_save(p, NULL) && strstr(gt_params_error(p), "NULL"));
    cr_assert(mkdir(file_path, 0700) == 0);
    cr_assert(!gt_params_save(p, file_path) && strstr(gt_params_error(p), "directory"));
    cr_assert(files_in_folder() == 1);
    gt_params_free(p);
    end();
}

Test(safetensors, a_write_that_fails_keeps_the_old_file) {
    begin();
    gt_params *old = sample_params(NULL, 0), *new = sample_params(NULL, 1);
    save(old);
    size_t size, after;
    unsigned char *bytes = read_bytes(&size);
    const int files = open_files();
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (size_t n = 0; n < size; n++) {
        const struct rlimit tight = {n, limit.rlim_max};
        cr_assert(setrlimit(RLIMIT_FSIZE, &tight) == 0);
        const bool ok = gt_params_save(new, file_path);
        cr_assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        cr_assert(!ok && strstr(gt_params_error(new), "large"), "%s", gt_params_error(new));
        unsigned char *kept = read_bytes(&after);
        cr_assert(after == size && memcmp(kept, bytes, size) == 0);
        cr_assert(files_in_folder() == 1);
        free(kept);
    }
    cr_assert(open_files() == files);
    save(new);
    free(bytes);
    gt_params_free(old);
    gt_params_free(new);
    end();
}

Test(safetensors, saving_with_allocations_that_fail) {
    begin();
    for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
        ledger l;
        const gt_allocator a = counting(&l);
        gt_params *p = sample_params(&a, 0);
        bool ok = false;
        long n = 0;
        for (; !ok && n < 1000; n++) {
            const size_t used = l.used;
            remove(file_path);
            l.calls = 0;
            l.fail_at = n;
            l.from_then_on = from_then_on;
            ok = gt_params_save(p, file_path);
            cr_assert(ok == (l.calls <= n) && l.used == used);
            cr_assert(ok || strstr(gt_params_error(p), "out of memory"));
            cr_assert(files_in_folder() == (ok ? 1 : 0));
        }
        cr_assert(ok && n > 2);
        gt_params_free(p);
        cr_assert(l.used == 0);
    }
    end();
}

#if defined(GT_WITH_JANSSON)

static void expect_same(const gt_params *a, const gt_params *b) {
    gt_param_info x, y;
    cr_assert(gt_params_count(a) == gt_params_count(b));
    for (int i = 0; gt_params_at(a, i, &x); i++) {
        cr_assert(gt_params_at(b, i, &y));
        cr_assert(strcmp(x.name, y.name) == 0 && x.dtype == y.dtype && x.buffer == y.buffer &&
                  x.trainable == y.trainable && gt_same_shape(x.shape, y.shape));
        const size_t bytes = (size_t)gt_numel(x.shape) * gt_dtype_size(x.dtype);
        cr_assert(bytes == 0 || memcmp(x.data, y.data, bytes) == 0, "%s differs", x.name);
    }
}

Test(safetensors, a_round_trip_keeps_every_bit) {
    begin();
    size_t size, again;
    gt_params *p = sample_params(NULL, 3), *q = gt_params_new(NULL, 7);
    save(p);
    unsigned char *bytes = read_bytes(&size);
    cr_assert(gt_params_load(q, file_path), "%s", gt_params_error(q));
    expect_same(p, q);
    cr_assert(gt_params_ordinal(q) == gt_params_ordinal(p));
    cr_assert(gt_params_frozen(q) && !gt_params_frozen(p));
    save(q);
    unsigned char *second = read_bytes(&again);
    cr_assert(size == again && memcmp(bytes, second, size) == 0);

    /* Over parameters that exist: values change, nothing else does. */
    gt_params *r = sample_params(NULL, 4);
    cr_assert(gt_params_load(r, file_path), "%s", gt_params_error(r));
    expect_same(p, r);
    free(bytes);
    free(second);
    gt_params_free(p);
    gt_params_free(q);
    gt_params_free(r);
    end();
}

Test(safetensors, no_parameters_at_all) {
    begin();
    gt_params *p = gt_params_new(NULL, 0), *q = gt_params_new(NULL, 0);
    save(p);
    cr_assert(gt_params_load(q, file_path), "%s", gt_params_error(q));
    cr_assert(gt_params_count(q) == 0);
    gt_params_free(p);
    gt_params_free(q);
    end();
}

/* Loads file_path into empty params and into a sample; both must refuse and stay as they were. */
static void expect_load_refused(const char *message, const char *what) {
    gt_params *empty = gt_params_new(NULL, 0), *full = sample_params(NULL, 9);
    gt_params *copy = sample_params(NULL, 9);
    cr_assert(!gt_params_load(empty, file_path), "%s was loaded", what);
    cr_assert(strstr(gt_params_error(empty), message), "%s: said '%s', expected '%s'", what,
              gt_params_error(empty), message);
    cr_assert(gt_params_count(empty) == 0 && !gt_params_frozen(empty));
    cr_assert(!gt_params_load(full, file_path) && !gt_params_frozen(full));
    expect_same(full, copy);
    gt_params_free(empty);
    gt_params_free(full);
    gt_params_free(copy);
}

Test(safetensors, every_damage_is_refused) {
    begin();
    size_t size;
    unsigned char *bytes = saved_sample(&size), *copy = malloc(size);
    char what[64];
    const int files = open_files();
    for (size_t k = 0; k < damages(size); k++) {
        write_bytes(copy, damaged(copy, bytes, size, k));
        snprintf(what, sizeof what, "damage %zu of %zu bytes", k, size);
        expect_load_refused("", what);
    }
    cr_assert(open_files() == files);
    bytes[size] = 0;
    write_bytes(bytes, size + 1);
    expect_load_refused("cover", "a longer file");
    free(copy);
    free(bytes);
    end();
}

/* Writes a file from a header's text and `size` bytes of zeros. */
static void write_file(const char *header, size_t size) {
    const uint64_t length = strlen(header);
    unsigned char *bytes = calloc(8 + length + size, 1);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, length);
    write_bytes(bytes, 8 + length + size);
    free(bytes);
}

#define T(name, dtype, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end \
    "]}"

Test(safetensors, files_of_other_writers_are_read) {
    begin();
    gt_params *p = gt_params_new(NULL, 0);
    gt_param_info info;
    write_file("{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "[2]", 16, 24) "," T(
                   "a", "I64", "[2,1]", 0, 16) "," T("e", "BOOL", "[0]", 16, 16) "}   ",
               24);
    cr_assert(gt_params_load(p, file_path), "%s", gt_params_error(p));
    cr_assert(gt_params_count(p) == 3 && gt_params_at(p, 0, &info) && strcmp(info.name, "b") == 0);
    cr_assert(info.trainable && !info.buffer);
    cr_assert(gt_params_find(p, "a", &info) && info.dtype == GT_I64);
    cr_assert(gt_same_shape(info.shape, GT_SHAPE(2, 1)));
    gt_params_free(p);
    end();
}

Test(safetensors, hostile_headers_are_refused) {
    begin();
    static const struct {
        const char *header;
        size_t size;
        const char *message;
    } files[] = {
        {"", 0, "not a JSON object"},
        {"[]", 0, "not a JSON object"},
        {" {}", 0, "not a JSON object"},
        {"{}\n", 0, "not a JSON object"},
        {"{}{}", 0, "header, byte"},
        {"{\"a\":1,}", 0, "header, byte"},
        {"{\"a\xff\":1}", 0, "header, byte"},
        {"{\"a\\u0000\":1}", 0, "header, byte"},
        {"{}", 1, "cover 0 of 1"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("a", "F32", "[1]", 0, 4) "}", 4, "duplicate"},
        {"{\"a\":1}", 0, "not an object"},
        {"{\"a\":{}}", 0, "not an object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":1}}", 4,
         "not an object"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
         "duplicate"},
        {"{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,4]}}", 4, "dtype is not a string"},
        {"{" T("a", "F16", "[2]", 0, 4) "}", 4, "dtype F16 is none of"},
        {"{" T("a", "f32", "[1]", 0, 4) "}", 4, "dtype f32 is none of"},
        {"{" T("a", "F32", "1", 0, 4) "}", 4, "shape is not an array"},
        {"{" T("a", "F32", "[-1]", 0, 4) "}", 4, "size of axis 0"},
        {"{" T("a", "F32", "[1,1.0]", 0, 4) "}", 4, "size of axis 1"},
        {"{" T("a", "F32", "[1e0]", 0, 4) "}", 4, "size of axis 0"},
        {"{" T("a", "F32", "[true]", 0, 4) "}", 4, "size of axis 0"},
        {"{" T("a", "F32", "[99999999999999999999]", 0, 4) "}", 4, "header, byte"},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "rank 9"},
        {"{" T("a", "F32", "[4294967296,4294967296]", 0, 4) "}", 4, "overflow"},
        {"{" T("a", "F32", "[4611686018427387904,4]", 0, 0) "}", 0, "overflow"},
        {"{" T("a", "F32", "[0,4611686018427387904,4]", 0, 0) "}", 0, "overflow"},
        {"{" T("a", "F32", "[2]", 0, 4) "}", 4, "4 bytes between its offsets, 8 in its shape"},
        {"{" T("a", "F32", "[1]", 4, 0) "}", 4, "increasing positions"},
        {"{" T("a", "F32", "[1]", -4, 0) "}", 4, "increasing positions"},
        {"{" T("a", "F32", "[1]", 0, 4.0) "}", 4, "increasing positions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4,4]}}", 4, "increasing"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":{}}}", 4, "increasing"},
        {"{" T("a", "F32", "[1]", 0, 4) "}", 3, "ends at byte 4, the file holds 3"},
        {"{" T("a", "F32", "[1]", 9223372036854775803, 9223372036854775807) "}", 4,
         "the file holds 4"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 0, 4) "}", 4, "an overlap"},
        {"{" T("a", "F32", "[2]", 0, 8) "," T("b", "F32", "[1]", 4, 8) "}", 8, "an overlap"},
        {"{" T("a", "F32", "[1]", 0, 4) "," T("b", "F32", "[1]", 8, 12) "}", 12, "a gap"},
        {"{" T("a", "F32", "[1]", 4, 8) "}", 8, "a gap"},
        {"{" T("a", "F32", "[1]", 0, 4) "}", 8, "cover 4 of 8"},
        {"{\"__metadata__\":1}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "'a' is no string"},
        {"{\"__metadata__\":{\"gradtape.version\":\"1\"}}", 0, "was changed"},
        {"{\"__metadata__\":{\"gradtape.header_crc32\":\"00000000\"}}", 0, "checksum"},
    };
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        write_file(files[k].header, files[k].size);
        expect_load_refused(files[k].message, files[k].header);
    }
    end();
}

Test(safetensors, a_bool_is_0_or_1) {
    begin();
    static const char header[] = "{" T("a", "BOOL", "[2]", 0, 2) "}";
    unsigned char bytes[8 + sizeof header - 1 + 2] = {sizeof header - 1};
    memcpy(bytes + 8, header, sizeof header - 1);
    bytes[sizeof bytes - 1] = 2;
    write_bytes(bytes, sizeof bytes);
    expect_load_refused("not 0 or 1", header);
    end();
}

Test(safetensors, deep_and_long_headers) {
    begin();
    enum { DEEP = 100000 };
    char *deep = malloc(DEEP + 1);
    memset(deep, '[', DEEP);
    memcpy(deep, "{\"a\":", 5);
    deep[DEEP - 1] = '}';
    deep[DEEP] = 0;
    write_file(deep, 0);
    expect_load_refused("header, byte", "a deep header");
    free(deep);

    unsigned char bytes[16] = {0};
    for (int shift = 0; shift < 64; shift++) { /* every power of two as the header's length */
        const uint64_t length = (uint64_t)1 << shift;
        memcpy(bytes, &length, 8);
        write_bytes(bytes, sizeof bytes);
        ledger l;
        const gt_allocator a = counting(&l);
        gt_params *p = gt_params_new(&a, 0);
        const size_t used = l.used;
        cr_assert(!gt_params_load(p, file_path));
        cr_assert(shift <= 3 || strstr(gt_params_error(p), "a header of"));
        cr_assert(l.peak - used <= 16);
        gt_params_free(p);
    }
    end();
}

Test(safetensors, limits_of_the_header) {
    begin();
    const uint64_t length = ((uint64_t)16 << 20) + 1;
    write_bytes(&length, 8);
    cr_assert(truncate(file_path, (off_t)length + 100) == 0);
    expect_load_refused("the limit is 16777216", "a header above the limit");

    enum { MANY = 1000001, ENTRY = 12 };
    char *header = malloc((size_t)MANY * ENTRY + 3), *at = header;
    for (int i = 0; i < MANY; i++) at += sprintf(at, "%c\"%x\":1", i ? ',' : '{', (unsigned)i);
    memcpy(at, "}", 2);
    write_file(header, 0);
    gt_params *p = gt_params_new(NULL, 0);
    cr_assert(!gt_params_load(p, file_path));
    cr_assert(strstr(gt_params_error(p), "1000001 tensors"), "%s", gt_params_error(p));
    gt_params_free(p);
    free(header);
    end();
}

Test(safetensors, what_exists_must_agree) {
    begin();
    static const struct {
        const char *name;
        gt_dtype dtype;
        gt_shape shape;
        bool frozen;
        const char *message; /* NULL: loaded */
    } have[] = {
        {"a", GT_F32, {1, {2}}, false, NULL},
        {"a", GT_F32, {1, {2}}, true, "'b' is no parameter"},
        {"c", GT_F32, {1, {2}}, false, "'c' is not in the file"},
        {"__metadata__", GT_F32, {1, {2}}, false, "is not in the file"},
        {"a", GT_I32, {1, {2}}, false, "another shape or dtype"},
        {"a", GT_F32, {2, {1, 2}}, false, "another shape or dtype"},
        {"a", GT_F32, {1, {1}}, false, "another shape or dtype"},
    };
    const float values[] = {5, 6};
    write_file("{\"__metadata__\":{}," T("b", "F32", "[1]", 0, 4) "," T("a", "F32", "[2]", 4,
                                                                        12) "}",
               12);
    for (size_t k = 0; k < sizeof have / sizeof *have; k++) {
        gt_params *p = gt_params_new(NULL, 0);
        set(p, have[k].name, have[k].shape, have[k].dtype, values, true);
        gt_params_freeze(p, have[k].frozen);
        const bool ok = gt_params_load(p, file_path);
        gt_param_info info;
        cr_assert(gt_params_find(p, have[k].name, &info));
        cr_assert(ok == (have[k].message == NULL), "%s", gt_params_error(p));
        cr_assert(ok || strstr(gt_params_error(p), have[k].message), "%s", gt_params_error(p));
        cr_assert(gt_params_count(p) == (ok ? 2 : 1) &&
                  gt_params_frozen(p) == (ok || have[k].frozen));
        cr_assert(((const float *)info.data)[0] == (ok ? 0 : 5));
        gt_params_free(p);
    }
    cr_assert(!gt_params_load(NULL, file_path));
    end();
}

/* Half of the parameters exist already, so that creating and overwriting are both in the sweep. */
Test(safetensors, loading_with_allocations_that_fail) {
    begin();
    gt_params *whole = sample_params(NULL, 5);
    save(whole);
    for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
        bool ok = false;
        long n = 0;
        for (; !ok && n < 1000; n++) {
            ledger l;
            const gt_allocator a = counting(&l);
            const int64_t longs[] = {1, 2};
            gt_params *p = gt_params_new(&a, 0);
            set(p, "longs", GT_SHAPE(2), GT_I64, longs, false);
            l.calls = 0;
            l.fail_at = n;
            l.from_then_on = from_then_on;
            ok = gt_params_load(p, file_path);
            cr_assert(ok == (l.calls <= n));
            l.fail_at = -1;
            if (!ok) {
                gt_param_info info;
                cr_assert(strstr(gt_params_error(p), "out of memory"), "%s", gt_params_error(p));
                cr_assert(gt_params_count(p) == 1 && !gt_params_frozen(p) &&
                          gt_params_ordinal(p) == 0);
                cr_assert(gt_params_at(p, 0, &info) && memcmp(info.data, longs, sizeof longs) == 0);
                /* As good as new: another name and the same file can still come in. */
                cr_assert(gt_params_load(p, file_path), "%s", gt_params_error(p));
            }
            cr_assert(gt_params_count(p) == gt_params_count(whole) && gt_params_frozen(p));
            gt_params_free(p);
            cr_assert(l.used == 0);
        }
        cr_assert(ok && n > 8, "%ld allocations failed in turn", n - 1);
    }
    gt_params_free(whole);
    end();
}

_Noreturn static void save_forever(gt_params *p, float *values, int size) {
    for (float round = 1;; round++) {
        for (int i = 0; i < size; i++) values[i] = round;
        if (!gt_param_set(p, "w", GT_SHAPE(size), GT_F32, values, true)) _exit(1);
        if (!gt_params_save(p, file_path)) _exit(1);
    }
}

/* Killed at any moment, a writer leaves the old values or the new ones, whole. */
Test(safetensors, a_killed_writer_leaves_a_whole_file) {
    begin();
    enum { KILLS = 40, SIZE = 50000 };
    float *values = calloc(SIZE, sizeof *values);
    gt_params *p = gt_params_new(NULL, 0);
    set(p, "w", GT_SHAPE(SIZE), GT_F32, values, true);
    save(p);
    for (int k = 0; k < KILLS; k++) {
        const pid_t child = fork();
        cr_assert(child >= 0);
        if (child == 0) save_forever(p, values, SIZE);
        const struct timespec pause = {0, 1000000 + 700000 * (k % 11)};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        int status;
        cr_assert(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        gt_params *q = gt_params_new(NULL, 0);
        gt_param_info info;
        cr_assert(gt_params_load(q, file_path), "%s", gt_params_error(q));
        cr_assert(gt_params_find(q, "w", &info));
        const float *w = info.data;
        for (int i = 0; i < SIZE; i++) cr_assert(w[i] == w[0]);
        gt_params_free(q);
    }
    for (int i = 0; i < KILLS + 1; i++) { /* what the killed ones could not remove */
        char leftover[128];
        snprintf(leftover, sizeof leftover, "%s.%d.tmp", file_path, i);
        remove(leftover);
    }
    gt_params_free(p);
    free(values);
    end();
}

#else

Test(safetensors, loading_without_jansson_says_so) {
    gt_params *p = gt_params_new(NULL, 0);
    cr_assert(!gt_params_load(p, "file") && strstr(gt_params_error(p), "no jansson"));
    gt_params_free(p);
}

#endif
