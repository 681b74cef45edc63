/*
 * A whole file into a buf.
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

#endif
