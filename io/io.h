/* io/io.h: files and what is made of them. IDX, CSV, .npy and CIFAR-10 files hold data sets, safetensors
 * files hold parameters; batches, normalization and features of images prepare data for training.
 *
 * Every file may be hostile: sizes are compared with the file before memory is taken, everything is
 * checked before anything is changed, and a refusal says what is wrong and where. Files are written
 * beside their target and renamed into place, so that a crash leaves the old file or the new one.
 *
 *     gt_idx labels;
 *     if (!gt_idx_read(&labels, "train-labels-idx1-ubyte.gz", NULL)) puts(labels.error);
 *     int32_t first[32];
 *     if (gt_idx_i32(&labels, 0, 32, first)) printf("the first label is %d\n", first[0]);
 *     gt_idx_free(&labels);
 *
 *     gt_params *params = gt_params_new(NULL, 42);
 *     ... train ...
 *     if (!gt_params_save(params, "model.safetensors")) puts(gt_params_error(params));
 *     gt_params *again = gt_params_new(NULL, 42);
 *     if (!gt_params_load(again, "model.safetensors")) puts(gt_params_error(again));
 *
 * Threads: no global state; one object belongs to one thread at a time. gt_batches may call its fill from a
 * thread of its own. */
#ifndef GT_IO_H
#define GT_IO_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for the message of a refusal. */
enum { GT_FILE_MESSAGE = 320 };

/* ---- IDX: one array of up to 8 axes, the format of MNIST and its relatives ------------------- */

/* Element types, by the number that stands in the file. */
typedef enum gt_idx_type {
    GT_IDX_U8 = 0x08,
    GT_IDX_I8 = 0x09,
    GT_IDX_I16 = 0x0B,
    GT_IDX_I32 = 0x0C,
    GT_IDX_F32 = 0x0D,
    GT_IDX_F64 = 0x0E
} gt_idx_type;

/* What was read. data holds count elements of `type`, contiguous, in this machine's byte order, and
 * belongs to the gt_idx. After a failed read data is NULL, count is 0 and error says why. */
typedef struct gt_idx {
    gt_idx_type type;
    gt_shape shape;
    int64_t count;
    void *data;
    size_t bytes; /* of data */
    gt_allocator allocator;
    char error[GT_FILE_MESSAGE];
} gt_idx;

/* Reads a whole IDX file, plain or (in a build with zlib) gzipped: the content decides, not the
 * name. *idx need not be initialized; what it holds afterwards is for gt_idx_free, also after a
 * failure. allocator NULL: malloc and free. False, with idx->error set: the file cannot be read,
 * its magic number or element type is none of IDX, its rank is not 1 to 8, its sizes overflow or
 * differ from what it holds, its compressed data is damaged, or memory is short. Never takes more
 * memory than about twice what the file really holds, whatever its header claims. */
GT_API bool gt_idx_read(gt_idx *idx, const char *path, const gt_allocator *allocator);
/* Releases data; the gt_idx itself is the caller's. Twice is harmless. */
GT_API void gt_idx_free(gt_idx *idx);
/* Bytes of one element of a type; 0 when there is no such type. */
GT_API size_t gt_idx_type_size(gt_idx_type type);
/* Writes elements first .. first + count as floats, each times `scale`. False, and nothing written,
 * when idx holds no such elements. */
GT_API bool gt_idx_f32(const gt_idx *idx, int64_t first, int64_t count, float scale, float *out);
/* The same as integers; false also when the elements are floats. */
GT_API bool gt_idx_i32(const gt_idx *idx, int64_t first, int64_t count, int32_t *out);

/* ---- CSV: a table of numbers in text ------------------------------------------------------------ */

typedef struct gt_csv_options {
    char separator;      /* [','] any but letters, digits, quotes, line ends, '.', '+' and '-' */
    bool header;         /* the first line holds the columns' names */
    bool missing_as_nan; /* an empty field becomes NaN [it is an error] */
    const char *missing; /* one more way to write a missing value, such as "NA" */
} gt_csv_options;

typedef struct gt_csv {
    int64_t rows, columns;
    double *value; /* [rows, columns] */
    char *names;   /* see gt_csv_name */
    size_t bytes, names_bytes;
    gt_allocator allocator;
    char error[GT_FILE_MESSAGE];
} gt_csv;

/* Reads decimal numbers (1, -2.5, 3e-4), nan and inf, in double quotes or not, spaces around them or not,
 * whatever the locale. Lines end in LF or CR LF; empty ones are skipped. Every record must have as
 * many fields as the first. *csv need not be initialized and is for gt_csv_free afterwards. False,
 * with csv->error set to the line, the column and what is wrong there: a field is no number, too large for a
 * double or missing, a quote is not closed, a NUL byte, a record of another length. Takes at most
 * about nine times the file's size. */
GT_API bool gt_csv_read(gt_csv *csv, const char *path, gt_csv_options options,
                        const gt_allocator *allocator);
GT_API void gt_csv_free(gt_csv *csv);
/* The name of a column, from 0; NULL without a header. */
GT_API const char *gt_csv_name(const gt_csv *csv, int64_t column);
/* Writes columns first .. first + count as [rows, count]. False when there are no such columns. */
GT_API bool gt_csv_f32(const gt_csv *csv, int64_t first, int64_t count, float *out);
/* One column as integers; false, and nothing written, also when a value is none. */
GT_API bool gt_csv_i32(const gt_csv *csv, int64_t column, int32_t *out);

/* ---- NumPy's .npy: one array --------------------------------------------------------------------- */

/* What was read, contiguous and ready for gt_input. */
typedef struct gt_npy {
    gt_dtype dtype;
    gt_shape shape;
    int64_t count;
    void *data; /* NULL when count is 0 */
    size_t bytes;
    gt_allocator allocator;
    char error[GT_FILE_MESSAGE];
} gt_npy;

/* Reads versions 1 to 3 with elements <f4, <f8, <i4, <i8 and |b1 as they are, <f2 as f32 and |u1 as i32;
 * arrays in Fortran's order are turned. *npy need not be initialized and is for gt_npy_free
 * afterwards. False, with npy->error set: another element type (objects included), more than 8 axes, a header
 * that is not NumPy's or longer than 10,000 bytes, a file longer or shorter than its header says. */
GT_API bool gt_npy_read(gt_npy *npy, const char *path, const gt_allocator *allocator);
GT_API void gt_npy_free(gt_npy *npy);
/* Writes a contiguous array of any dtype but bf16. False: error, which has room for GT_FILE_MESSAGE
 * bytes or is NULL, says why, and the file is as it was. */
GT_API bool gt_npy_write(const char *path, const void *data, gt_shape shape, gt_dtype dtype,
                         char *error);

/* ---- CIFAR-10, binary version -------------------------------------------------------------------- */

typedef struct gt_cifar {
    int64_t count;          /* images of 3 planes (red, green, blue) of 32 rows of 32 */
    unsigned char *records; /* as they stand in the file: a label and 3072 pixels each */
    gt_allocator allocator;
    char error[GT_FILE_MESSAGE];
} gt_cifar;

/* False, with cifar->error set: the file is no whole number of records of 3073 bytes, or a label is
 * above 9. *cifar need not be initialized and is for gt_cifar_free afterwards. */
GT_API bool gt_cifar_read(gt_cifar *cifar, const char *path, const gt_allocator *allocator);
GT_API void gt_cifar_free(gt_cifar *cifar);
/* Images first .. first + count as floats [count, 3, 32, 32], each pixel times scale. False when there
 * are no such images. */
GT_API bool gt_cifar_f32(const gt_cifar *cifar, int64_t first, int64_t count, float scale,
                         float *out);
GT_API bool gt_cifar_labels(const gt_cifar *cifar, int64_t first, int64_t count, int32_t *out);

/* ---- batches ------------------------------------------------------------------------------------- */

/* Mini-batches over `count` examples, epoch after epoch without an end. The order of an epoch depends on seed
 * and epoch alone, on any machine, with and without a thread. */
typedef struct gt_batches_options {
    int64_t count, size; /* examples, and examples in a batch */
    uint64_t seed;
    bool in_order;  /* do not shuffle */
    bool drop_last; /* leave out a last batch that is smaller than size */
    bool ahead;     /* fill the next batch on a thread (in builds with GT_WITH_THREADS) */
    /* Writes the n examples of these indices into buffer, which has `bytes` bytes. With `ahead` a thread
     * calls it: what it reads must not change meanwhile. False: gt_batches_next fails. NULL: batches
     * are indices only, and bytes is 0. */
    bool (*fill)(void *user, const int64_t *index, int64_t n, void *buffer);
    void *user;
    size_t bytes;
} gt_batches_options;

/* index and data hold until the next call with these batches. */
typedef struct gt_batch {
    int64_t epoch, position; /* both from 0 */
    int64_t count;
    bool last; /* of its epoch */
    const int64_t *index;
    void *data;
} gt_batch;

typedef struct gt_batches gt_batches;

/* All memory is taken here. NULL when memory is short or the options make no batches: count or size not
 * positive, drop_last with less than one batch, bytes without fill. */
GT_API gt_batches *gt_batches_new(gt_batches_options options, const gt_allocator *allocator);
GT_API void gt_batches_free(gt_batches *batches);
/* False when fill refused; the next call tries the same batch again. */
GT_API bool gt_batches_next(gt_batches *batches, gt_batch *batch);
GT_API int64_t gt_batches_per_epoch(const gt_batches *batches);
/* Where the next batch stands, and going there: saved and restored, a run continues as if it had not
 * stopped. seek is false when there is no such place. */
GT_API void gt_batches_tell(const gt_batches *batches, int64_t *epoch, int64_t *position);
GT_API bool gt_batches_seek(gt_batches *batches, int64_t epoch, int64_t position);

/* ---- normalization ------------------------------------------------------------------------------- */

/* Of each feature of x [count, features]: mean, and root of the mean squared distance from it. False when
 * count is not positive. */
GT_API bool gt_mean_and_std(const float *x, int64_t count, int64_t features, double *mean,
                            double *std);
/* x = (x - mean) / std, feature by feature, in place; a feature with std 0 only loses its mean. Test
 * data takes the numbers of the training data. */
GT_API void gt_normalize(float *x, int64_t count, int64_t features, const double *mean,
                         const double *std);

/* ---- features of images --------------------------------------------------------------------------- */

/* pixel is [channels, height, width]. */
typedef struct gt_image {
    const float *pixel;
    int64_t channels, height, width;
} gt_image;

/* For each channel, the share of pixels in each of `bins` equal parts of [0, 1]; what lies outside counts in
 * the first or the last. Divided by the number of pixels, so that images of all sizes compare. out has room
 * for gt_color_histogram_size floats, channels * bins. False: no image, no bins, a pixel that is not
 * finite. */
GT_API int64_t gt_color_histogram_size(const gt_image *image, int64_t bins);
GT_API bool gt_color_histogram(const gt_image *image, int64_t bins, float *out);

/* Histogram of oriented gradients. At each pixel gx = I[y, x+1] - I[y, x-1] and gy likewise, of the channel
 * where gx^2 + gy^2 is largest. Each cell of cell x cell pixels has a histogram over directions 0 to pi
 * (a direction and its opposite are one): a pixel votes hypot(gx, gy), shared linearly between the two
 * nearest bins. Each block of block x block cells, one cell apart, is divided by sqrt(|v|^2 + 1e-6).
 * Pixels beyond the last whole cell are not looked at. An option left 0 takes the default in
 * brackets. */
typedef struct gt_hog_options {
    int64_t cell;  /* [8] */
    int64_t block; /* [2] */
    int64_t bins;  /* [9] */
} gt_hog_options;

/* Floats that gt_hog writes, as [blocks down, blocks across, block, block, bins]; 0 when the image is smaller
 * than one block or an option is negative. */
GT_API int64_t gt_hog_size(const gt_image *image, gt_hog_options options);
GT_API bool gt_hog(const gt_image *image, gt_hog_options options, float *out);

/* The colour histogram, and after it the histogram of oriented gradients. */
GT_API int64_t gt_image_features_size(const gt_image *image, int64_t bins, gt_hog_options options);
GT_API bool gt_image_features(const gt_image *image, int64_t bins, gt_hog_options options,
                              float *out);

/* ---- safetensors: named arrays, exchanged with other frameworks ------------------------------ */

/* Writes all parameters and buffers, their checksums and the next random ordinal. The file appears
 * under `path` complete and flushed, or not at all. False: see gt_params_error. */
GT_API bool gt_params_save(gt_params *params, const char *path);

/* Reads such a file, or one that another framework wrote (without checksums then, all of it
 * trainable), and freezes params: a name that is not in the file is from now on an error. Dtypes
 * F32, F64, I32, I64, BOOL and BF16. A parameter that exists must be in the file with the same
 * shape and dtype; others are created, in the file's order. Needs a build with jansson. False, with
 * params unchanged: see gt_params_error. */
GT_API bool gt_params_load(gt_params *params, const char *path);

#ifdef __cplusplus
}
#endif
#endif
