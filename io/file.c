/* io/file.c: what the file formats share. A file's size is taken when it is opened; that it shrinks while
 * it is read shows as a short read. */
#define _POSIX_C_SOURCE 200809L
#include "io/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_POSIX 1
#include <fcntl.h>
#include <unistd.h>
#endif

gt_allocator gt__io_allocator(const gt_allocator *allocator) {
    return allocator ? *allocator : gt_default_allocator();
}

bool gt__little_endian(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

bool gt__file_refuse(const gt__file *f, const char *format, ...) {
    const int used = snprintf(f->error, GT_FILE_MESSAGE, "%.160s: ", f->path);
    va_list args;
    va_start(args, format);
    vsnprintf(f->error + used, GT_FILE_MESSAGE - (size_t)used, format, args);
    va_end(args);
    return false;
}

/* A directory opens and has a size; only reading tells. */
static bool can_be_read(const gt__file *f) {
    if (fgetc(f->stream) == EOF && ferror(f->stream)) return false;
    rewind(f->stream);
    return true;
}

bool gt__file_open(gt__file *f, const char *who, const char *path, char *error) {
    *f = (gt__file){.path = path ? path : who, .error = error};
    error[0] = 0;
    if (!path) return gt__file_refuse(f, "the path is NULL");
    f->stream = fopen(path, "rb");
    if (!f->stream || fseek(f->stream, 0, SEEK_END) != 0)
        return gt__file_refuse(f, "%s", strerror(errno));
    const long size = ftell(f->stream);
    if (size < 0 || fseek(f->stream, 0, SEEK_SET) != 0 || !can_be_read(f))
        return gt__file_refuse(f, "%s", strerror(errno));
    f->size = (uint64_t)size;
    return true;
}

void gt__file_close(gt__file *f) {
    if (f->stream) fclose(f->stream);
    f->stream = NULL;
}

bool gt__file_read(const gt__file *f, void *out, size_t bytes) {
    if (bytes == 0 || fread(out, 1, bytes, f->stream) == bytes) return true;
    return gt__file_refuse(f, "%s", ferror(f->stream) ? strerror(errno) : "the file is cut short");
}

void *gt__file_take(const gt__file *f, const gt_allocator *a, size_t bytes) {
    void *block = a->resize(a->user, NULL, 0, bytes);
    if (!block) gt__file_refuse(f, "out of memory for %llu bytes", (unsigned long long)bytes);
    return block;
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool flush_to_disk(FILE *file) {
    if (fflush(file) != 0) return false;
#if defined(HAVE_POSIX)
    return fsync(fileno(file)) == 0;
#else
    return true;
#endif
}

/* The rename itself reaches the disk with its folder. Some file systems cannot do this; the file is
 * in place by then, so it is no failure. */
static void flush_folder(char *path) {
#if defined(HAVE_POSIX)
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path ? 1 : 0] = 0;
    const int folder = open(slash ? path : ".", O_RDONLY);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
#else
    (void)path;
#endif
}

/* A new file beside the target; the first free name, so that neither another writer's nor a crashed
 * one's file is touched. */
static FILE *open_beside(const char *path, char *temporary) {
    for (int i = 0; i < 10000; i++) {
        snprintf(temporary, strlen(path) + GT__BESIDE, "%s.%d.tmp", path, i);
        FILE *file = fopen(temporary, "wbx");
        if (file || errno != EEXIST) return file;
    }
    return NULL;
}

int gt__write_beside(const char *path, char *temporary, bool (*write)(void *user, FILE *stream),
                     void *user) {
    FILE *file = open_beside(path, temporary);
    if (!file) return errno;
    bool ok = write(user, file) && flush_to_disk(file);
    int reason = errno;
    if (fclose(file) != 0 && ok) {
        ok = false;
        reason = errno;
    }
    if (ok && rename(temporary, path) != 0) {
        ok = false;
        reason = errno;
    }
    if (!ok) {
        remove(temporary);
        return reason ? reason : EIO;
    }
    flush_folder(temporary);
    return 0;
}
