/*
 * Walking through EasyPost's lists, newest first, page by page.
 *
 * Slowly enough for EasyPost's limit of its lists (five a second), and patiently:
 * what may pass (429 with its Retry-After, 5xx, no answer) is tried again.
 */
#ifndef WAYBILL_WALK_H
#define WAYBILL_WALK_H

#include "shared/conf.h"
#include "shared/db.h"
#include "shared/easypost.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	WALK_QUERY_MAX = 512,
	WALK_ID_MAX = 80,
	WALK_ERROR_MAX = 256,
	WALK_TIME_MAX = 40,
};

/* What is listed. */
struct walk_kind {
	const char *object; /* "shipment" */
	const char *plural; /* the member of the answer */
	const char *path;   /* "/v2/shipments" */
	const char *query;  /* what it needs besides paging; "" */
};

extern const struct walk_kind walk_kinds[]; /* ends with a NULL object */
extern const struct walk_kind walk_events;

/* NULL when there is no such kind. */
const struct walk_kind *walk_find(const char *object);

/* One walk; the caller sets the first part, the rest is zero. */
struct walk {
	struct easypost *easypost;
	const char *key; /* of EasyPost's */
	const struct walk_kind *kind;
	const char *since; /* RFC 3339, UTC, with a Z; NULL: all there is */
	const char *until; /* the same; NULL: now */
	char before_id[WALK_ID_MAX]; /* "": from the newest on */

	/* Of the page that was read last. */
	char query[WALK_QUERY_MAX];
	struct reply answer;
	struct json *document;
	const struct json *list;
	size_t count;
	char last_id[WALK_ID_MAX];        /* "" when the page is empty */
	char last_created[WALK_TIME_MAX]; /* the same; as EasyPost wrote it */
	bool is_end; /* nothing older is wanted, or there */

	char error[WALK_ERROR_MAX];
};

/* Begins. */
void walk_begin(struct walk *);

/* Reads the next page; false, with the error, when that cannot be. */
bool walk_next(struct walk *) __attribute__((warn_unused_result));

/* Reads another thing by the way, with the same patience; false, with the error,
 * when that cannot be.  A status of 404 is an answer. */
bool walk_get(struct walk *, const char *target, struct reply *)
    __attribute__((warn_unused_result));

/* Gives the memory back. */
void walk_end(struct walk *);

/* The keys of EasyPost that are configured, by mode. */
struct walk_mode {
	const char *name; /* "test" */
	const char *key;  /* "" when there is none */
};

/* CTL_OK when nobody else walks as long as the connection lasts; else told, with
 * CTL_BUSY when somebody does. */
int walk_lock(struct db *) __attribute__((warn_unused_result));

/* Fills in both modes; false, and told, when no key is configured. */
bool walk_modes(const struct conf *, struct walk_mode modes[2]);

#endif
