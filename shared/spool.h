/*
 * Records that PostgreSQL could not take, safe on disk until it can.
 *
 * A directory in the manner of maildir: written and synced in tmp/, renamed
 * into new/, the directory synced; only then is a record kept.  Names sort in
 * the order of arrival.  Readers trust nothing: a record carries its length and
 * SHA-256.
 */
#ifndef WAYBILL_SPOOL_H
#define WAYBILL_SPOOL_H

#include "shared/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spool_kind { SPOOL_ANSWER, SPOOL_WEBHOOK, SPOOL_ITEM };

/* One record: what api.record_answer, api.receive_webhook or, of a bulk call's
 * item, api.record_bulk_item would have been given.  Strings are single lines. */
struct spool_record {
	enum spool_kind kind;
	const char *request_id;
	const char *method; /* not of webhooks, as path, query, mode, status */
	const char *path;
	const char *query;
	const char *mode;
	int status;
	const char *body;
	size_t body_bytes;
};

/* Keeps the record: true only when it would survive a power cut.  False with
 * errno when not (EDQUOT: the spool is at its limit, ENOSPC: the disk has less
 * than 64 MiB left, EINVAL: a string has a line end). */
bool spool_keep(const char *dir, long max_bytes, long max_files,
    const struct spool_record *) __attribute__((warn_unused_result));

/* True when a record with a body of about `body_bytes` could be kept now; false
 * with errno as spool_keep().  To ask before money is spent. */
bool spool_has_room(const char *dir, long max_bytes, long max_files,
    size_t body_bytes) __attribute__((warn_unused_result));

enum spool_verdict {
	SPOOL_DONE,  /* the record is in the database: remove the file */
	SPOOL_LATER, /* the database is away: stop, keep everything */
	SPOOL_PASS,  /* not this one, not now: keep it, go on with the others */
	SPOOL_BAD,   /* the database refuses it for good: set aside in bad/ */
};

/* With SPOOL_BAD it may set `reason`: one line, kept beside the record. */
typedef enum spool_verdict spool_function(
    void *context, const struct spool_record *, const char **reason);

/* Gives each kept record, oldest first, to `apply`; damaged ones go to bad/.
 * One drain at a time (a lock on the directory; false with EWOULDBLOCK when
 * another runs).  Returns false with errno when the directory cannot be read.
 * *done counts the records that were applied. */
bool spool_drain(const char *dir, spool_function *apply, void *context,
    int *done) __attribute__((warn_unused_result));

/* What waits in new/, and what was set aside in bad/. */
struct spool_survey {
	long bad;
	long records; /* in new/, as the two below */
	long bytes;
	int64_t oldest_us; /* when it was kept, since 1970; 0: there is none */
};

/* False with errno when that cannot be known. */
bool spool_look(const char *dir, struct spool_survey *)
    __attribute__((warn_unused_result));

#endif
