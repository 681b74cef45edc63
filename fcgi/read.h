/*
 * Reads of the database as data: one SQL function, one line in a table.
 */
#ifndef WAYBILL_READ_H
#define WAYBILL_READ_H

#include "fcgi/parameter.h"
#include "fcgi/request.h"

/* One read: a list when `plural` is set, else one row under data. */
struct read {
	const char
	    *function;     /* api.*: parameters in their order; of a list, limit
	                         and offset come first, as limit + 1 rows */
	const char *total; /* api.*: the same without limit, offset, after */
	const char *plural;
	const struct parameter *parameters; /* ends with a NULL name; a
	                         list's begin with limit, offset, after */
};

/* Handlers for the route table; `data` is a struct read. */
void read_list(struct request *, const void *data);
void read_one(struct request *, const void *data);

#endif
