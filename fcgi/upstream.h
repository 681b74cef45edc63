/*
 * One call to EasyPost on behalf of a request: what the byte-exact proxy and
 * the simple routes have in common.
 *
 * What must stay true: nothing that may cost money is sent when its record would
 * have no place to go to, or when the client has gone; the answer to a write was
 * kept before upstream_send() returns it.
 */
#ifndef WAYBILL_UPSTREAM_H
#define WAYBILL_UPSTREAM_H

#include "fcgi/request.h"
#include "shared/easypost.h"

#include <stdbool.h>
#include <stddef.h>

enum { UPSTREAM_HEADERS_MAX = 12 };

/* The caller sets the first part and makes the calls below in their order. */
struct upstream {
	struct request *rq;
	const char *method;
	const char *path; /* "/v2/shipments" */
	const char *query;
	const char *body;
	size_t body_bytes;
	bool has_body;
	bool is_write;
	bool is_beside; /* while the answer of another is still needed */
	int reserve_ms; /* of the request's time, kept for a call after this */

	struct easypost_header headers[UPSTREAM_HEADERS_MAX];
	int header_count;
	struct reply *answer; /* until the next call */
	bool is_recorded;     /* or there was nothing to record */
	bool is_kept;         /* before the client has its answer */
};

/* Adds a header; nothing when the value is NULL or empty. */
void upstream_add_header(
    struct upstream *, const char *name, const char *value);

/* Adds what EasyPost knows the caller by: its own EasyPost key as it came, or
 * the configured one of the gateway key's mode.  False, and refused, when none
 * of this mode is configured. */
bool upstream_authorize(struct upstream *);

/* Refuses for want of an EasyPost key of the caller's mode. */
void upstream_refuse_mode(struct request *);

/* False, and refused, when a write's record would have no place to go to or the
 * client has gone. */
bool upstream_check(struct upstream *);

/* True while another call of so long would end before the request has to. */
bool upstream_has_time(const struct request *, int ms);

/* Sends the call and reads the answer; that of a write, when it is worth it, is
 * kept before this returns. */
enum easypost_result upstream_send(struct upstream *)
    __attribute__((warn_unused_result));

/* Refuses a call that got no answer, and logs why.  `hint`: one sentence more
 * for the client, or NULL. */
void upstream_refuse(struct upstream *, enum easypost_result, const char *hint);

/* Keeps the answer of a read like that of a write: it tells what was bought. */
void upstream_keep(struct upstream *);

/* To be called when the answer was passed on, or is not needed any more: records
 * what was read, behind the client's back when it has its answer, and gives
 * memory back. */
void upstream_end(struct upstream *);

#endif
