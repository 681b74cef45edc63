/*
 * The bytes of one spool record.
 *
 * A first line of fixed width with the lengths and SHA-256 digests of what
 * follows, lines of `name=value`, then the body as it came.
 */
#ifndef WAYBILL_SPOOLFILE_H
#define WAYBILL_SPOOLFILE_H

#include "shared/buf.h"
#include "shared/spool.h"

#include <stdbool.h>

enum { SPOOLFILE_MAX_BYTES = 64 * 1024 * 1024 };

/* Appends all that comes before the body.  False with errno: EINVAL when a
 * string holds a line end, EFBIG when the whole would be too large, ENOMEM. */
bool spoolfile_begin(const struct spool_record *, struct buf *)
    __attribute__((warn_unused_result));

/* Finds the record in the content of a file, which it changes; the record
 * points into it.  NULL, or one sentence on what is wrong with the file. */
const char *spoolfile_parse(struct buf *content, struct spool_record *)
    __attribute__((warn_unused_result));

#endif
