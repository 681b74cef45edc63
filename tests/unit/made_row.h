/*
 * Rows that a test makes: what encoders call of db.h, without a database.  For one
 * file of a program.
 */
#ifndef WAYBILL_MADE_ROW_H
#define WAYBILL_MADE_ROW_H

#include "shared/db.h"

#include <string.h>

struct column {
	const char *name;
	enum db_kind kind;
	const char *text;
};

struct db_row {
	const struct column *columns;
	int count;
};

int
db_columns(const struct db_row *row)
{
	return row->count;
}

const char *
db_column_name(const struct db_row *row, int column)
{
	return row->columns[column].name;
}

enum db_kind
db_column_kind(const struct db_row *row, int column)
{
	return row->columns[column].kind;
}

const char *
db_column(const struct db_row *row, int column, size_t *bytes)
{
	const char *text = row->columns[column].text;

	if (bytes != NULL)
		*bytes = text == NULL ? 0 : strlen(text);
	return text;
}

#endif
