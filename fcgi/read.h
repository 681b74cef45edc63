/*
 * Reads of the database as data: one view, one line in a table.
 */
#ifndef WAYBILL_READ_H
#define WAYBILL_READ_H

#include "fcgi/list.h"
#include "fcgi/request.h"

/* What an {id} may look like. */
enum read_reference {
	READ_UUID,
	READ_EASYPOST_ID, /* shp_..., adr_...: small letters, '_', letters and
	                     digits */
	READ_CODE,        /* of 4 to 64 letters, digits and hyphens */
	READ_REFERENCES,
};

/* One row by a reference. */
struct read {
	const char *view;    /* api.*, for the log */
	const char *columns; /* of the view, which are the keys: "*" */
	/* What a select goes on with behind "from", for each kind that finds a
	 * row by $1; NULL for the others. */
	const char *from[READ_REFERENCES];
	const char *allowed; /* what an id must be, for a refusal */
};

/* Handlers for the route table; `data` is a struct list, or a struct read. */
void read_list(struct request *, const void *data);
void read_one(struct request *, const void *data);

#endif
