/*
 * EasyPost's answers in our envelope: its documents and its refusals, with the
 * bytes that came.
 */
#ifndef WAYBILL_ANSWER_H
#define WAYBILL_ANSWER_H

#include "fcgi/request.h"
#include "shared/easypost.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Data, and what stands in its answer's head; what is not set is left out. */
struct answer {
	int status;
	const char *data;
	size_t bytes;
	const char *location;
	bool is_unrecorded;
	bool is_replayed;
};

/* {"status":"success","data":DATA}, and DATA alone below /v2 and /beta; nothing in it is of this request alone, so
 * that the same data make the same bytes again.  A read has a tag, or is 304. */
void answer_send(struct request *, const struct answer *);

/* The bytes of EasyPost's error when it has all that ours has; else NULL. */
const char *answer_error(
    const struct reply *, const struct json *error, size_t *bytes);

/* Refuses as EasyPost did: its status, its code, message and errors, its
 * Retry-After.  `document` is its body, NULL when that is no JSON. */
void answer_refusal(struct request *, const struct reply *,
    const struct json *document, const char *location);

#endif
