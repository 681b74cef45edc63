/*
 * The condition of a list, made of the filters that are present.
 *
 * One condition for all filters, with a way round those that are absent, costs
 * ten times as much: its plan can use no index.  So each combination of filters
 * is a statement of its own, prepared once a connection.
 */
#ifndef WAYBILL_WHERE_H
#define WAYBILL_WHERE_H

#include "fcgi/parameter.h"

#include <stdbool.h>

enum { WHERE_MAX = 768 };

struct where {
	char text[WHERE_MAX];           /* "", or " where a = $1 and b < $2" */
	struct parameter_values values; /* $1, $2, ... */
	bool is_steady; /* one plan will do, whatever the values are */
	bool is_few;    /* one of the filters leaves few rows */
};

enum where_part { WHERE_FILTERS, WHERE_FILTERS_AND_CURSOR };

/* Makes the condition from what parameter_take() took for the table.  Texts come
 * from the table only; what came from outside goes into the values. */
void where_make(struct where *, enum where_part, const struct parameter *table,
    const struct parameter_values *taken);

/* Whether the request has a parameter of this name. */
bool where_has(const char *name, const struct parameter *table,
    const struct parameter_values *);

#endif
