/*
 * Pages of lists as statements, and the places of their rows.
 *
 * limit is part of the text: a plan made for an unknown number of rows is made
 * for a tenth of the table.  Few rows are found behind "offset 0", before their
 * order counts: along the dates, where it may seem near to PostgreSQL, the last
 * of them can be at the end of the table.
 */
#include "fcgi/list.h"
#include "fcgi/row.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

enum { OFFSET_MAX = 32 };

const struct list *
list_of(const struct list *list, const struct parameter_values *taken)
{
	const struct list *other = list->other;

	for (; other != NULL; other = other->other)
		if (where_has(other->filter, list->parameters, taken))
			return other;
	return list;
}

int
list_columns(const struct list *list, const struct db_row *row)
{
	return db_columns(row) - (list->filter != NULL ? 1 : 0);
}

void
list_select(const struct list *list, bool is_flat, const struct where *where,
    long limit, long offset, char sql[STATEMENT_SQL_MAX])
{
	const char *view = is_flat ? list->flat_view : list->view;
	bool is_timed = list->time != NULL;
	const char *way = list->is_rising ? "" : " desc";
	char skip[OFFSET_MAX] = "";
	int bytes;

	if (offset > 0) /* a long has 20 digits at most: fits */
		(void)snprintf(skip, sizeof(skip), " offset %ld", offset);
	bytes = snprintf(sql, STATEMENT_SQL_MAX,
	    "select %s from %s%s%s%s order by %s%s%sid%s limit %ld%s",
	    is_flat ? "*" : list->columns,
	    where->is_few ? "(select * from " : "", view, where->text,
	    where->is_few ? " offset 0) few" : "", is_timed ? list->time : "",
	    is_timed ? way : "", is_timed ? ", " : "", way, limit, skip);
	if (bytes < 0 || bytes >= STATEMENT_SQL_MAX)
		log_panic("list.select", "a statement is too long");
}

void
list_note(
    const struct list *list, const struct db_row *row, struct list_place *place)
{
	const char *id = row_text(row, "id");
	const char *time = list->time == NULL ? "" : row_text(row, list->time);
	char moment[MOMENT_BYTES] = "";

	if (id == NULL || time == NULL || strlen(id) >= sizeof(place->id) ||
	    (list->time != NULL && !moment_format(time, true, moment)))
		return;
	memcpy(place->time, moment, sizeof(moment));
	memcpy(place->id, id, strlen(id) + 1);
}
