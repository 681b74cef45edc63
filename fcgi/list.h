/*
 * Lists as data: a view of the database, its order, its parameters.
 *
 * A list goes from the newest row to the oldest, or the other way, and is left by a
 * cursor (the place of its last row), so that pages neither skip nor repeat a row
 * while others are being added.
 */
#ifndef WAYBILL_LIST_H
#define WAYBILL_LIST_H

#include "fcgi/where.h"
#include "shared/moment.h"
#include "shared/statement.h"

/* Where the values of the first parameters are; after has one or two. */
enum { LIST_FORMAT, LIST_LIMIT, LIST_OFFSET, LIST_AFTER };

struct list {
	const char *view;      /* api.* */
	const char *columns;   /* of the view, which are the keys: "*" */
	const char *flat_view; /* api.*: the columns of CSV */
	const char *plural;
	const char *time; /* the column that it goes by, then by id; NULL: by id
	                     alone, where that begins with its time */
	const struct parameter *parameters; /* begin with format, limit, offset,
	                                       after; end with a NULL name */
	bool is_rising;                     /* from the oldest on */
	/* Of a list in another order: the filter that asks for it.  The last of
	 * its columns is for the cursor and not shown. */
	const char *filter;
	/* Another order of the same rows, which has the same parameters; NULL:
	 * there are no more. */
	const struct list *other;
};

/* The place of a row in its list; id "" when there was none yet. */
struct list_place {
	char time[MOMENT_BYTES]; /* "" where the list goes by id alone */
	char id[40];
};

/* The list itself, or the order of it that one of the filters asks for. */
const struct list *list_of(
    const struct list *, const struct parameter_values *);

/* How many of the row's columns are shown. */
int list_columns(const struct list *, const struct db_row *);

/* Writes the select of one page: `limit` rows behind `offset` others; is_flat: of
 * the flat view. */
void list_select(const struct list *, bool is_flat, const struct where *,
    long limit, long offset, char sql[STATEMENT_SQL_MAX]);

/* Notes the place of a row; a row without one changes nothing. */
void list_note(const struct list *, const struct db_row *, struct list_place *);

#endif
