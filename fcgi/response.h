/*
 * Answers: the two envelopes, refusals, and rows as JSON.
 *
 * Below /v2 and /beta the gateway's own errors have EasyPost's envelope, so
 * that official clients can read them; elsewhere ours.  No internals (SQL,
 * paths, digests, secrets) are ever in a body.
 */
#ifndef WAYBILL_RESPONSE_H
#define WAYBILL_RESPONSE_H

#include "fcgi/request.h"
#include "shared/buf.h"
#include "shared/db.h"

/* Refuses: one JSON error, one line of log.  `field` may be NULL.  Codes are
 * upper case with dots, as EasyPost's: "PARAMETER.INVALID". */
void response_refuse(struct request *, int status, const char *code,
    const char *field, const char *message);

/* One of several things that are wrong with a body. */
struct response_problem {
	const char *field;
	const char *message;
};

/* All that a refusal may hold; what is not set is left out. */
struct response_refusal {
	int status;
	const char *code;
	const char *field;
	const char *message;
	const struct response_problem *problems; /* instead of `field` */
	int problem_count;
	const char *verbatim; /* the whole error as JSON, in the body in place
	                         of code, message and all of these */
	const struct request_header *headers;
	int header_count; /* at most 2 */
};

/* Refuses with headers of its own. */
void response_refuse_with(struct request *, const struct response_refusal *);

/* Refuses with Retry-After. */
void response_refuse_for(struct request *, int status, const char *code,
    const char *message, int retry_after_s);

/* Refuses what a failed db_call() means (a table from SQLSTATE to status): one
 * to the worker's own database, or to another. */
void response_refuse_db(struct request *, enum db_status);
void response_refuse_db_of(struct request *, const struct db *, enum db_status);

/* False, and refused, when no database is configured. */
bool response_needs_database(struct request *);

/* The worker's buf for a body, emptied, at most RESPONSE_BODY_MAX bytes.  Each
 * call and each answer empties it again. */
struct buf *response_buf(void);

enum { RESPONSE_BODY_MAX = 16 * 1024 * 1024 };

/* Answers a read with 200 and an ETag, or with 304 where the client has this
 * very answer already; with `count` more headers, at most 2.  What has an ETag
 * nginx may give out again for a second. */
void response_read(struct request *, const struct buf *body,
    const struct request_header *more, int count);

/* Answers with a whole JSON body that nobody may keep; the second with 201 and
 * where the new thing is. */
void response_json(struct request *, int status, const struct buf *body);
void response_created(
    struct request *, const char *location, const struct buf *body);

/* True below /v2 and /beta: official clients read only EasyPost's envelope, and
 * call only there. */
bool response_has_easypost_envelope(const struct request *);

#endif
