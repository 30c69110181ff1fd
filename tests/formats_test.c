/* tests/formats_test.c: CSV, .npy and CIFAR-10: values bit by bit, refusals by line and column, memory that runs
 * short. Truncated and damaged files of every format are in tests/fuzz/. */
#define _POSIX_C_SOURCE 200809L
#include "support/scratch.h"

#include <float.h>
#include <locale.h>
#include <math.h>

/* ---- CSV ------------------------------------------------------------------------------------- */

static bool read_csv(gt_csv *csv, const char *text, gt_csv_options o) {
    write_bytes(text, strlen(text));
    return gt_csv_read(csv, file_path, o, NULL);
}

static void expect_csv(const char *text, gt_csv_options o, int64_t rows, int64_t columns,
                       const double *value) {
    gt_csv csv;
    cr_assert(read_csv(&csv, text, o), "%s", csv.error);
    cr_assert(csv.rows == rows && csv.columns == columns, "%s: %d rows, %d columns", text,
              (int)csv.rows, (int)csv.columns);
    for (int64_t k = 0; k < rows * columns; k++) {
        cr_assert(isnan(value[k]) ? isnan(csv.value[k]) : csv.value[k] == value[k],
                  "%s: value %d is %.17g", text, (int)k, csv.value[k]);
    }
    gt_csv_free(&csv);
    gt_csv_free(&csv);
}

Test(csv, numbers_in_all_their_forms) {
    begin();
    const double two[] = {1, 2, 3, 4}, nan[] = {(double)NAN, HUGE_VAL, -HUGE_VAL, HUGE_VAL};
    expect_csv("1,2\n3,4\n", (gt_csv_options){0}, 2, 2, two);
    expect_csv("1,2\r\n3,4", (gt_csv_options){0}, 2, 2, two);
    expect_csv("\n1,2\n\r\n\n3,4\n\n", (gt_csv_options){0}, 2, 2, two);
    expect_csv("\xef\xbb\xbf\"1\", 2\n3 ,\"\t4 \"", (gt_csv_options){0}, 2, 2, two);
    expect_csv("a,b\n1,2\n3,4\n", (gt_csv_options){.header = true}, 2, 2, two);
    expect_csv("1;2\n3;4\n", (gt_csv_options){.separator = ';'}, 2, 2, two);
    expect_csv("1\t2\n3\t4\n", (gt_csv_options){.separator = '\t'}, 2, 2, two);
    expect_csv("nan,INF,-inf,+Infinity", (gt_csv_options){0}, 1, 4, nan);
    const double awkward[] = {0.1,  -2.5,   .5,      6,       3e-4,
                              2e10, 5e-324, DBL_MAX, 0x1p-53, 123456789012345680.0};
    expect_csv("0.1,-2.5,.5,6.,3e-4,+2E+10,5e-324,1.7976931348623157e308,1.1102230246251565e-16,"
               "123456789012345678",
               (gt_csv_options){0}, 1, 10, awkward);
    end();
}

Test(csv, missing_values) {
    begin();
    const double n = (double)NAN, value[] = {1, n, 3, n, 5, n};
    const gt_csv_options lenient = {.missing_as_nan = true, .missing = "NA"};
    expect_csv("1,,3\nNA,5, \n", lenient, 2, 3, value);
    gt_csv csv;
    cr_assert(!read_csv(&csv, "1,2\n3,\n", (gt_csv_options){0}));
    cr_assert(strstr(csv.error, "line 2, column 2: the value is missing"), "%s", csv.error);
    cr_assert(!read_csv(&csv, "1,2\n3,NA\n", (gt_csv_options){.missing_as_nan = true}));
    cr_assert(strstr(csv.error, "line 2, column 2: 'NA' is not a number"), "%s", csv.error);
    end();
}

Test(csv, names) {
    begin();
    gt_csv csv;
    cr_assert(read_csv(&csv, "plain,\"two \"\"words\"\", and\na line\",\n1,2,3\n",
                       (gt_csv_options){.header = true}),
              "%s", csv.error);
    cr_assert_str_eq(gt_csv_name(&csv, 0), "plain");
    cr_assert_str_eq(gt_csv_name(&csv, 1), "two \"words\", and\na line");
    cr_assert_str_eq(gt_csv_name(&csv, 2), "");
    cr_assert(!gt_csv_name(&csv, 3) && !gt_csv_name(&csv, -1));
    gt_csv_free(&csv);
    cr_assert(read_csv(&csv, "a,b", (gt_csv_options){.header = true}), "%s", csv.error);
    cr_assert(csv.rows == 0 && csv.columns == 2);
    gt_csv_free(&csv);
    end();
}

Test(csv, refusals_name_line_and_column) {
    begin();
    static const struct {
        const char *text, *message;
    } files[] = {
        {"", "the file is empty"},
        {"\n\n", "no records"},
        {"1,2\n3,x\n", "line 2, column 2: 'x' is not a number"},
        {"1\n\n2 3\n", "line 3, column 1: '2 3' is not a number"},
        {"1,0x10", "line 1, column 2: '0x10' is not a number"},
        {"1,1e", "'1e' is not a number"},
        {"-", "'-' is not a number"},
        {".", "'.' is not a number"},
        {"1,2,1.2.3", "line 1, column 3"},
        {"1e999", "1e999 is beyond the range"},
        {"1,2\n3\n", "line 2, column 1: the record ends here, the first one has 2 columns"},
        {"1,2\n3,4,5\n", "line 2, column 3: the record ends here, the first one has 2 columns"},
        {"1,\"2\n3", "line 1, column 2: a quote that is never closed"},
        {"\"1\"2,3", "line 1, column 1: text after the closing quote"},
        {"1,2\"\n", "line 1, column 2: a quote in a field"},
        {"\"1\n\",2", "line 1, column 1: '1?' is not a number"},
        {"\x1b[31m\xff", "'?[31m?' is not a number"},
    };
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        gt_csv csv;
        cr_assert(!read_csv(&csv, files[k].text, (gt_csv_options){0}), "%s", files[k].text);
        cr_assert(strstr(csv.error, files[k].message), "'%s' said '%s', expected '%s'",
                  files[k].text, csv.error, files[k].message);
        cr_assert(!csv.value && csv.rows == 0 && csv.columns == 0);
    }
    gt_csv csv;
    write_bytes(((const char[]){'1', ',', '2', '\n', '3', ',', 0, '4', '\n'}), 9);
    cr_assert(!gt_csv_read(&csv, file_path, (gt_csv_options){0}, NULL));
    cr_assert(strstr(csv.error, "line 2, column 2: a NUL byte"), "%s", csv.error);
    const char bad[] = "1.+-eE\"\n\r";
    for (int k = 0; bad[k]; k++) {
        cr_assert(!gt_csv_read(&csv, file_path, (gt_csv_options){.separator = bad[k]}, NULL));
        cr_assert(strstr(csv.error, "cannot be a separator"), "%s", csv.error);
    }
    cr_assert(!gt_csv_read(&csv, NULL, (gt_csv_options){0}, NULL) && strstr(csv.error, "NULL"));
    cr_assert(!gt_csv_read(&csv, "/", (gt_csv_options){0}, NULL) && strstr(csv.error, "directory"));
    gt_csv_free(NULL);
    end();
}

/* One line of a megabyte, and one number of a megabyte. */
Test(csv, huge_lines) {
    begin();
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE + 1);
    for (int k = 0; k < SIZE; k++) text[k] = k % 2 ? ',' : '7';
    text[SIZE - 1] = '\n';
    text[SIZE] = 0;
    gt_csv csv;
    cr_assert(read_csv(&csv, text, (gt_csv_options){0}), "%s", csv.error);
    cr_assert(csv.rows == 1 && csv.columns == SIZE / 2 && csv.value[SIZE / 2 - 1] == 7);
    gt_csv_free(&csv);
    memset(text, '1', SIZE);
    cr_assert(!read_csv(&csv, text, (gt_csv_options){0}));
    cr_assert(strstr(csv.error, "a number of 1048576 characters"), "%s", csv.error);
    free(text);
    end();
}

Test(csv, a_decimal_comma_in_the_locale_changes_nothing) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "pl_PL.UTF-8"};
    bool comma = false;
    for (size_t k = 0; !comma && k < sizeof names / sizeof *names; k++)
        comma = setlocale(LC_NUMERIC, names[k]) != NULL;
    begin();
    const double value[] = {1.5, -0.25}; /* also where no such locale is installed */
    expect_csv("1.5;-.25", (gt_csv_options){.separator = ';'}, 1, 2, value);
    gt_csv csv;
    cr_assert(!read_csv(&csv, "1,5;2", (gt_csv_options){.separator = ';'}));
    setlocale(LC_NUMERIC, "C");
    end();
}

Test(csv, columns_as_floats_and_integers) {
    begin();
    gt_csv csv;
    cr_assert(read_csv(&csv, "1,2.5,0\n3,4.5,-7\n", (gt_csv_options){0}), "%s", csv.error);
    float f[4];
    int32_t n[2] = {9, 9};
    cr_assert(gt_csv_f32(&csv, 1, 2, f) && f[0] == 2.5F && f[1] == 0 && f[2] == 4.5F && f[3] == -7);
    cr_assert(gt_csv_i32(&csv, 2, n) && n[0] == 0 && n[1] == -7);
    cr_assert(!gt_csv_i32(&csv, 1, n) && n[0] == 0);
    cr_assert(!gt_csv_f32(&csv, 2, 2, f) && !gt_csv_f32(&csv, -1, 1, f) && !gt_csv_i32(&csv, 3, n));
    gt_csv_free(&csv);
    cr_assert(read_csv(&csv, "2147483648", (gt_csv_options){0}) && !gt_csv_i32(&csv, 0, n));
    gt_csv_free(&csv);
    cr_assert(read_csv(&csv, "nan", (gt_csv_options){0}) && !gt_csv_i32(&csv, 0, n));
    gt_csv_free(&csv);
    end();
}

/* ---- .npy ------------------------------------------------------------------------------------ */

/* A file of version 1 from a header's text and the elements. */
static void write_npy(const char *header, const void *bytes, size_t size) {
    unsigned char file[600] = "\x93NUMPY\x01";
    const size_t length = strlen(header);
    file[8] = (unsigned char)length;
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, header, length);
    if (bytes) memcpy(file + 10 + length, bytes, size);
    write_bytes(file, 10 + length + size);
}

#define NPY(descr, order, shape)                                                                   \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }\n"

static void expect_npy(const char *header, const void *bytes, size_t size, gt_dtype dtype,
                       gt_shape shape, const void *value) {
    gt_npy npy;
    write_npy(header, bytes, size);
    cr_assert(gt_npy_read(&npy, file_path, NULL), "%s", npy.error);
    cr_assert(npy.dtype == dtype && gt_same_shape(npy.shape, shape), "%s", header);
    cr_assert(npy.count == gt_numel(shape) &&
              npy.bytes == (size_t)npy.count * gt_dtype_size(dtype));
    cr_assert(!value || memcmp(npy.data, value, npy.bytes) == 0, "%s", header);
    gt_npy_free(&npy);
    gt_npy_free(&npy);
}

Test(npy, every_element_type) {
    begin();
    const float f[] = {1, -2.5F};
    const double d[] = {0.1, 5e-324};
    const int32_t i[] = {INT32_MIN, 7}, wide[] = {0, 255, 7};
    const int64_t l[] = {INT64_MIN, 7};
    const unsigned char b[] = {0, 1, 1}, u[] = {0, 255, 7};
    expect_npy(NPY("<f4", "False", "(2,)"), f, sizeof f, GT_F32, GT_SHAPE(2), f);
    expect_npy(NPY("<f8", "False", "(2, 1)"), d, sizeof d, GT_F64, GT_SHAPE(2, 1), d);
    expect_npy(NPY("<i4", "False", "(1, 2,)"), i, sizeof i, GT_I32, GT_SHAPE(1, 2), i);
    expect_npy(NPY("<i8", "True", "(2,)"), l, sizeof l, GT_I64, GT_SHAPE(2), l);
    expect_npy(NPY("|b1", "False", "(3,)"), b, sizeof b, GT_BOOL, GT_SHAPE(3), b);
    expect_npy(NPY("|u1", "False", "(3,)"), u, sizeof u, GT_I32, GT_SHAPE(3), wide);
    expect_npy(NPY("<f8", "False", "()"), d, 8, GT_F64, GT_SCALAR, d);
    expect_npy(NPY("<f8", "False", "(3, 0)"), NULL, 0, GT_F64, GT_SHAPE(3, 0), NULL);
    expect_npy("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}   \n", f, sizeof f,
               GT_F32, GT_SHAPE(2), f);
    end();
}

Test(npy, half_precision_is_exact) {
    begin();
    const uint16_t half[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400,
                             0x3c00, 0xc500, 0x7bff, 0x7c00, 0xfc00};
    const float value[] = {0.0F, -0.0F, 0x1p-24F, -1023 * 0x1p-24F, 0x1p-14F,
                           1,    -5,    65504,    (double)INFINITY, -(double)INFINITY};
    expect_npy(NPY("<f2", "False", "(10,)"), half, sizeof half, GT_F32, GT_SHAPE(10), value);
    end();
}

Test(npy, fortran_order_is_turned) {
    begin();
    int32_t file[24], value[24];
    for (int a = 0, k = 0; a < 2; a++)
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 4; c++, k++) {
                value[k] = k;
                file[a + 2 * (b + 3 * c)] = k;
            }
    expect_npy(NPY("<i4", "True", "(2, 3, 4)"), file, sizeof file, GT_I32, GT_SHAPE(2, 3, 4),
               value);
    end();
}

Test(npy, hostile_headers) {
    begin();
    static const struct {
        const char *header;
        size_t size;
        const char *message;
    } files[] = {
        {"", 0, "not the beginning of a dictionary"},
        {"{}", 0, "lacks descr"},
        {NPY("|O", "False", "(1,)"), 8, "element type '|O'"},
        {NPY(">f4", "False", "(1,)"), 4, "element type '>f4'"},
        {NPY("<f4", "false", "(1,)"), 4, "not True or False"},
        {NPY("<f4", "False", "(1)"), 4, "(n) is a number"},
        {NPY("<f4", "False", "[1]"), 4, "not a tuple"},
        {NPY("<f4", "False", "(-1,)"), 4, "not a size"},
        {NPY("<f4", "False", "(1 1)"), 4, "not a comma"},
        {NPY("<f4", "False", "(99999999999999999999,)"), 4, "below 2^63"},
        {NPY("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), 4, "more than 8 axes"},
        {NPY("<f8", "False", "(4294967296, 4294967296)"), 4, "overflow"},
        {NPY("<f8", "False", "(0, 4294967296, 4294967296)"), 0, "overflow"},
        {NPY("<f4", "False", "(1000000000000,)"), 4, "promises 4000000000000 bytes"},
        {NPY("<f4", "False", "(1,)"), 5, "promises 4 bytes of elements, the file holds 5"},
        {NPY("<f4", "False", "(1,)"), 3, "promises 4 bytes of elements, the file holds 3"},
        {NPY("|b1", "False", "(1,)"), 1, "element 0 of a bool array is 7"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': ()}", 4, "'descr' twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", 4, "unknown key 'x'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", 4, "not the end"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, "not a string"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': ()}", 4, "not a comma"},
        {"{'descr' '<f4', 'fortran_order': False, 'shape': ()}", 4, "not a colon"},
        {"{'descr': '<f4", 0, "not a closing quote"},
    };
    const unsigned char sevens[8] = {7, 7, 7, 7, 7, 7, 7, 7};
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        ledger l;
        const gt_allocator a = counting(&l);
        gt_npy npy;
        write_npy(files[k].header, sevens, files[k].size);
        cr_assert(!gt_npy_read(&npy, file_path, &a), "%s", files[k].header);
        cr_assert(strstr(npy.error, files[k].message), "'%s' said '%s', expected '%s'",
                  files[k].header, npy.error, files[k].message);
        cr_assert(!npy.data && l.used == 0 && l.peak <= 8);
    }
    gt_npy npy;
    write_bytes("\x93NUMPY\x02\0\xff\xff\xff\xff", 12);
    cr_assert(!gt_npy_read(&npy, file_path, NULL) &&
              strstr(npy.error, "4294967295 bytes, the limit"));
    write_bytes("\x93NUMPY\x04\0\x02\0{}", 12);
    cr_assert(!gt_npy_read(&npy, file_path, NULL) && strstr(npy.error, "version 4.0"));
    write_bytes("PK\x03\x04 a zip file", 15);
    cr_assert(!gt_npy_read(&npy, file_path, NULL) && strstr(npy.error, "no .npy file"));
    end();
}

Test(npy, what_is_written_is_read_again) {
    begin();
    const float f[6] = {1, 2, 3, 4, 5, (float)(double)NAN};
    char error[GT_FILE_MESSAGE];
    gt_npy npy;
    size_t size;
    cr_assert(gt_npy_write(file_path, f, GT_SHAPE(2, 3), GT_F32, error), "%s", error);
    unsigned char *bytes = read_bytes(&size);
    cr_assert(size == 128 + 24 && bytes[127] == '\n');
    bytes[127] = 0;
    cr_assert(strncmp((char *)bytes + 10,
                      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ", 60) == 0);
    free(bytes);
    cr_assert(gt_npy_read(&npy, file_path, NULL) && memcmp(npy.data, f, sizeof f) == 0);
    gt_npy_free(&npy);
    const gt_shape shapes[] = {GT_SCALAR, GT_SHAPE(1), GT_SHAPE(0), {8, {1, 1, 1, 1, 1, 1, 1, 1}}};
    const gt_dtype dtypes[] = {GT_F32, GT_F64, GT_I32, GT_I64, GT_BOOL};
    const double zero = 0;
    for (int k = 0; k < 20; k++) {
        cr_assert(gt_npy_write(file_path, &zero, shapes[k % 4], dtypes[k / 4], error), "%s", error);
        cr_assert(gt_npy_read(&npy, file_path, NULL), "%s", npy.error);
        cr_assert(npy.dtype == dtypes[k / 4] && gt_same_shape(npy.shape, shapes[k % 4]));
        gt_npy_free(&npy);
    }
    cr_assert(!gt_npy_write(file_path, f, GT_SHAPE(1), GT_BF16, error) && strstr(error, "bf16"));
    cr_assert(!gt_npy_write(file_path, NULL, GT_SHAPE(1), GT_F32, error) &&
              strstr(error, "no data"));
    cr_assert(!gt_npy_write(file_path, f, GT_SHAPE(-1), GT_F32, error) && strstr(error, "shape"));
    cr_assert(!gt_npy_write("/nonexistent/x.npy", f, GT_SHAPE(1), GT_F32, error));
    cr_assert(strstr(error, "No such file"), "%s", error);
    cr_assert(!gt_npy_write(NULL, f, GT_SHAPE(1), GT_F32, NULL));
    cr_assert(files_in_folder() == 1);
    end();
}

/* ---- CIFAR-10 -------------------------------------------------------------------------------- */

Test(cifar, records) {
    begin();
    enum { RECORD = 3073 };
    unsigned char *bytes = calloc(2, RECORD);
    bytes[0] = 9;
    bytes[1] = 255; /* the first red pixel */
    bytes[RECORD] = 4;
    bytes[2 * RECORD - 1] = 51; /* the last blue one */
    write_bytes(bytes, (size_t)2 * RECORD);
    gt_cifar cifar;
    cr_assert(gt_cifar_read(&cifar, file_path, NULL), "%s", cifar.error);
    float *image = malloc((size_t)2 * 3072 * sizeof *image);
    int32_t label[2];
    cr_assert(cifar.count == 2 && gt_cifar_labels(&cifar, 0, 2, label) && label[0] == 9 &&
              label[1] == 4);
    cr_assert(gt_cifar_f32(&cifar, 0, 2, 1 / 255.0F, image));
    cr_assert(image[0] == 1 && image[1] == 0 && image[6143] == 51 * (1 / 255.0F));
    cr_assert(!gt_cifar_f32(&cifar, 1, 2, 1, image) && !gt_cifar_labels(&cifar, -1, 1, label));
    gt_cifar_free(&cifar);
    gt_cifar_free(&cifar);

    bytes[RECORD] = 10;
    write_bytes(bytes, (size_t)2 * RECORD);
    cr_assert(!gt_cifar_read(&cifar, file_path, NULL));
    cr_assert(strstr(cifar.error, "record 1 has the label 10"), "%s", cifar.error);
    write_bytes(bytes, RECORD - 1);
    cr_assert(!gt_cifar_read(&cifar, file_path, NULL) &&
              strstr(cifar.error, "3072 bytes are no whole"));
    write_bytes(bytes, 0);
    cr_assert(!gt_cifar_read(&cifar, file_path, NULL) && cifar.records == NULL);
    gt_cifar_free(NULL);
    free(image);
    free(bytes);
    end();
}

/* ---- memory that runs short ------------------------------------------------------------------ */

static bool try_csv(const gt_allocator *a, char *error) {
    gt_csv csv;
    const bool ok = gt_csv_read(&csv, file_path, (gt_csv_options){.header = true}, a);
    snprintf(error, GT_FILE_MESSAGE, "%s", csv.error);
    gt_csv_free(&csv);
    return ok;
}
static bool try_npy(const gt_allocator *a, char *error) {
    gt_npy npy;
    const bool ok = gt_npy_read(&npy, file_path, a);
    snprintf(error, GT_FILE_MESSAGE, "%s", npy.error);
    gt_npy_free(&npy);
    return ok;
}
static bool try_cifar(const gt_allocator *a, char *error) {
    gt_cifar cifar;
    const bool ok = gt_cifar_read(&cifar, file_path, a);
    snprintf(error, GT_FILE_MESSAGE, "%s", cifar.error);
    gt_cifar_free(&cifar);
    return ok;
}

Test(formats, allocations_that_fail) {
    begin();
    write_bytes("a,b\n1,2\n", 8);
    cr_assert_eq(sweep_allocations(try_csv), 3);
    const float f[] = {1, 2};
    write_npy(NPY("<f4", "False", "(2,)"), f, sizeof f);
    cr_assert_eq(sweep_allocations(try_npy), 1);
    static const unsigned char record[3073];
    write_bytes(record, sizeof record);
    cr_assert_eq(sweep_allocations(try_cifar), 1);
    end();
}
