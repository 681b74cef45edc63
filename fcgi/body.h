/*
 * JSON bodies, read strictly and checked by tables.
 *
 * All that is wrong is told at once (up to BODY_FLAWS_MAX), each with the path of
 * its field ("customs_info.customs_items[0].value") and what is allowed there.
 */
#ifndef WAYBILL_BODY_H
#define WAYBILL_BODY_H

#include "fcgi/request.h"
#include "fcgi/response.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { BODY_FLAWS_MAX = 20, BODY_LOOKS_MAX = 256 };

enum body_kind {
	BODY_TEXT,     /* at most `most` characters; not empty when required */
	BODY_ID,       /* a text that begins with `prefix` */
	BODY_MEASURE,  /* a number, or one as text, above 0 */
	BODY_AMOUNT,   /* money: a decimal as text, or a number; 0 or more */
	BODY_WHOLE,    /* a whole number from 1 to `most` */
	BODY_TRUTH,    /* true or false */
	BODY_COUNTRY,  /* two capital letters */
	BODY_OBJECT,   /* of `members`; any when NULL */
	BODY_LIST,     /* up to `most` such objects */
	BODY_ANYTHING, /* the caller looks */
};

/* One field.  Where `prefix` is set for an object, what exists at EasyPost may be
 * given by its id: as text, or as an object with an id, into which nobody looks
 * any further.  null is a field that is not there.  The last row has no name; its
 * `members`, if any, is a table that goes on. */
struct body_field {
	const char *name;
	enum body_kind kind;
	bool is_required;
	long most;
	const char *prefix;
	const struct body_field *members;
};

/* What is being looked at, and what was found wrong with it. */
struct body_check {
	struct arena *arena;
	struct response_problem flaws[BODY_FLAWS_MAX];
	int flaw_count;

	struct {
		const struct json *object;
		const char *path;
		const struct body_field *table;
	} looks[BODY_LOOKS_MAX];

	int look_count;
};

/* Reads the whole body into rq->body.  False when the request has been refused: it is
 * too large, or did not come whole. */
bool body_take(struct request *, size_t max_bytes);

/* Reads the body, an object whose names are written without escapes, so that
 * json_raw() finds all that is looked at; one that is empty is NULL too when
 * `may_be_empty`.  False when the request has been refused.  The caller gives
 * the document back with json_free(). */
bool body_read(
    struct request *, size_t max_bytes, bool may_be_empty, struct json **);

/* Begins a check without flaws. */
struct body_check *body_check_new(struct arena *);

/* Looks through an object; `path` is what stands before its fields' names, ""
 * at the top. */
void body_look(struct body_check *, const struct json *object, const char *path,
    const struct body_field *table);

/* The first row from here on that has a name, be it of the table that goes on;
 * NULL when there is none. */
const struct body_field *body_row(const struct body_field *);

/* True for the prefix followed by letters and digits; NULL is no id. */
bool body_is_id(const char *text, const char *prefix);

/* Notes one more flaw: "FIELD SENTENCE". */
void body_flaw(struct body_check *, const char *field, const char *sentence);

/* True when nothing was wrong; else the request has been refused with 422. */
bool body_is_good(struct request *, const struct body_check *);

#endif
