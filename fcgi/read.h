/*
 * Reads of the database as data: one SQL function, one line in a table.
 */
#ifndef WAYBILL_READ_H
#define WAYBILL_READ_H

#include "fcgi/request.h"

enum read_kind {
	READ_TEXT,
	READ_INT,
	READ_TIME,  /* RFC 3339 time, or a date: its beginning in UTC */
	READ_UNTIL, /* the same, but a date is its last microsecond */
	READ_ENUM,  /* one of `allowed`, separated by spaces */
	READ_AFTER, /* the cursor: two SQL values, created_at and id */
};

struct read_parameter {
	const char *name;
	enum read_kind kind;
	long least, most;     /* READ_INT: value; READ_TEXT: characters */
	const char *fallback; /* NULL: SQL null */
	const char *allowed;
};

/* One read: a list when `plural` is set, else one row under data. */
struct read {
	const char
	    *function;     /* api.*: parameters in their order; of a list, limit
	                         and offset come first, as limit + 1 rows */
	const char *total; /* api.*: the same without limit, offset, after */
	const char *plural;
	const struct read_parameter *parameters; /* ends with a NULL name; a
	                         list's begin with limit, offset, after */
};

/* Handlers for the route table; `data` is a struct read. */
void read_list(struct request *, const void *data);
void read_one(struct request *, const void *data);

#endif
