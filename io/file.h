/* io/file.h: what the file formats share: opening, exact reads, refusals, writing beside the target.
 * Internal. */
#ifndef GT_IO_FILE_H
#define GT_IO_FILE_H

#include "io/io.h"

/* A file being read. error is the caller's buffer of GT_FILE_MESSAGE bytes. */
typedef struct gt__file {
    FILE *stream;
    uint64_t size;
    const char *path;
    char *error;
} gt__file;

/* The given one, or malloc and free. */
gt_allocator gt__io_allocator(const gt_allocator *allocator);
bool gt__little_endian(void);

/* Clears error first. who names the caller where there is no path. */
bool gt__file_open(gt__file *f, const char *who, const char *path, char *error);
void gt__file_close(gt__file *f);
/* Sets error to "path: message"; returns false. */
GT_PRINTF(2, 3)
bool gt__file_refuse(const gt__file *f, const char *format, ...);
/* All of the bytes, or a refusal. */
bool gt__file_read(const gt__file *f, void *out, size_t bytes);
/* A block, or NULL and a refusal. */
void *gt__file_take(const gt__file *f, const gt_allocator *a, size_t bytes);

/* Writes a new file beside path by write(user, stream), flushes it to the disk and renames it into place.
 * temporary has room for strlen(path) + GT__BESIDE bytes. 0, or an errno: path is as it was then. */
enum { GT__BESIDE = 16 };
int gt__write_beside(const char *path, char *temporary, bool (*write)(void *user, FILE *stream),
                     void *user);

#endif
