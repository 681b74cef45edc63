/*
 * A spool as its operator sees it: what waits, what was set aside and why.
 *
 * Looks and puts back; nothing here removes a record.  A `dir` is as short as
 * conf.c wants it.
 */
#ifndef WAYBILL_SPOOLVIEW_H
#define WAYBILL_SPOOLVIEW_H

#include "shared/buf.h"
#include "shared/spool.h"

#include <stdbool.h>
#include <stdint.h>

struct spool_entry {
	const char *name;
	bool is_bad;        /* it was set aside */
	int64_t kept_us;    /* since 1970 */
	long bytes;         /* of the file */
	const char *reason; /* of one that was set aside; "" else */
};

typedef void spool_entry_function(void *context, const struct spool_entry *);

/* Tells of each record, those that wait first, oldest first.  False with errno
 * when a directory cannot be read; a spool that was never used has none. */
bool spool_list(const char *dir, spool_entry_function *each, void *context)
    __attribute__((warn_unused_result));

/* Reads the record of this name, wherever it is; it points into `content`.
 * NULL, or one sentence on why that cannot be. */
const char *spool_read(const char *dir, const char *name, struct buf *content,
    struct spool_record *) __attribute__((warn_unused_result));

/* Lets one that was set aside wait again, in its old place.  False with errno:
 * ENOENT when there is none of this name. */
bool spool_retry(const char *dir, const char *name)
    __attribute__((warn_unused_result));

#endif
