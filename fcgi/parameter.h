/*
 * Parameters of a query, checked by a table.
 */
#ifndef WAYBILL_PARAMETER_H
#define WAYBILL_PARAMETER_H

#include "fcgi/request.h"
#include "shared/db.h"

#include <stdbool.h>

enum parameter_kind {
	PARAMETER_TEXT,
	PARAMETER_WORDS, /* texts with commas between; several become an array:
	                    only then the value has a comma */
	PARAMETER_PART,  /* a text, of a thing that may lack it: "" */
	PARAMETER_INT,
	PARAMETER_TIME,  /* RFC 3339 time, or a date: its beginning in UTC */
	PARAMETER_UNTIL, /* the same, but a date is its end in UTC; the database
	                    compares with <.  Behind a TIME in its table it ends
	                    what that one begins, and must be later */
	PARAMETER_ENUM,  /* one of `allowed`, separated by spaces */
	PARAMETER_AFTER, /* the cursor: two SQL values, a time and an id */
	PARAMETER_AFTER_ID, /* the cursor of a list that goes by its id alone */
	PARAMETER_UUID,
};

/* For steady_with: always, because few rows have one value of this filter; they
 * are found first and then put in order. */
#define PARAMETER_FEW "="

struct parameter {
	const char *name;
	enum parameter_kind kind;
	long least, most;     /* INT: value, not negative; TEXT: characters, of
	                         WORDS of each */
	const char *fallback; /* NULL: SQL null */
	const char *allowed;
	const char
	    *condition; /* of a filter, with '$' for its value: "mode = $";
	                          of WORDS and PART its column; NULL: it is none */
	const char
	    *steady_with; /* a plan made for any value of this filter will do
	                            when that one is given too; "": always; NULL:
	                            never, because values differ too much */
};

/* What a function of the database gets, in the order of the table. */
struct parameter_values {
	struct db_value value[DB_VALUES_MAX];
	int count;
};

/* Adds the values of the request's query to `values`, whose count the caller has
 * set.  False when the request has been refused: a parameter that the table (its
 * end is a NULL name) does not have, that came twice, or whose value is not
 * allowed. */
bool parameter_take(struct request *, const struct parameter *table,
    struct parameter_values *values);

/* False, and refused, when the request has any parameter. */
bool parameter_none(struct request *);

/* Refuses with 400 and "NAME must be ALLOWED."; returns false. */
bool parameter_refuse(struct request *, const char *name, const char *allowed);

#endif
