/*
 * A whole file into a buf, and bytes into a whole file.
 */
#ifndef WAYBILL_FILE_H
#define WAYBILL_FILE_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Appends the content of the file; the buf's maximum is the limit.  False with
 * errno when it cannot be read whole (EFBIG: it passes the maximum). */
bool file_read(const char *path, struct buf *)
    __attribute__((warn_unused_result));

/* The same from an open file, which stays open. */
bool file_read_fd(int fd, struct buf *) __attribute__((warn_unused_result));

/* read(2), whatever interrupts it. */
ssize_t file_read_some(int fd, void *room, size_t bytes);

/* Writes all of the bytes, without syncing them.  False with errno when it could
 * not; a part of them may be written then. */
bool file_write(int fd, const void *data, size_t bytes);

/* Closes what was only read from, or is written and synced; keeps errno. */
void file_close(int fd);

/* Removes what was not finished, as far as that goes; keeps errno. */
void file_remove(int at, const char *path);

/* What was written survives a power cut: the bytes of a file, the names in a
 * directory.  False with errno when that is not sure. */
bool file_sync(int fd);
bool file_sync_directory(int at, const char *path)
    __attribute__((warn_unused_result));

/* Closes a new file: true when it was written and is on the disk whole.  False
 * with the errno of what failed first. */
bool file_finish(int fd, bool is_written) __attribute__((warn_unused_result));

/* Puts the bytes in place of the file's content, whole or not at all, whatever
 * happens meanwhile: with mode 0600, and on the disk when it returns true.  False
 * with errno when that cannot be: the file is then as before or, when only its
 * directory could not be synced, the new one. */
bool file_replace(const char *path, const void *data, size_t bytes)
    __attribute__((warn_unused_result));

#endif
