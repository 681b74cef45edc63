/*
 * Figures as data: one function of the database that writes the whole answer,
 * one that gives its rows for CSV.
 */
#ifndef WAYBILL_FIGURES_H
#define WAYBILL_FIGURES_H

#include "fcgi/request.h"

/* Both functions are called with a number of days and a mode (null: the one that
 * analytics count).  The first gives one row of one column, which is JSON; `ready` is
 * NULL, or a select with the same values as $1 and $2 that gives the same, with less
 * work when the database has it ready. */
struct figures {
	const char *json; /* api.* */
	const char *csv;  /* api.* */
	const char *ready;
};

/* Handler for the route table; `data` is a struct figures. */
void figures_read(struct request *, const void *data);

#endif
