/*
 * A whole file into a buf, and bytes into a whole file.
 */
#ifndef WAYBILL_FILE_H
#define WAYBILL_FILE_H

#include "shared/buf.h"

#include <stdbool.h>

/* Appends the content of the file; the buf's maximum is the limit.  False with
 * errno when it cannot be read whole (EFBIG: it passes the maximum). */
bool file_read(const char *path, struct buf *)
    __attribute__((warn_unused_result));

/* The same from an open file, which stays open. */
bool file_read_fd(int fd, struct buf *) __attribute__((warn_unused_result));

/* Writes all of the bytes, without syncing them.  False with errno when it could
 * not; a part of them may be written then. */
bool file_write(int fd, const void *data, size_t bytes);

/* Puts the bytes in place of the file's content, whole or not at all, whatever
 * happens meanwhile: with mode 0600, and on the disk when it returns true.  False
 * with errno when that cannot be: the file is then as before or, when only its
 * directory could not be synced, the new one. */
bool file_replace(const char *path, const void *data, size_t bytes)
    __attribute__((warn_unused_result));

#endif
