/* io/io.h: files. IDX files hold data sets, safetensors files hold parameters.
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
 * Threads: no global state; one object belongs to one thread at a time. */
#ifndef GT_IO_H
#define GT_IO_H

#include "graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

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
    char error[320];
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
