/*
 * A table is printed when it is complete, because the widest cell of a column
 * decides where the next one begins.
 *
 * Cells are kept one after another, each with a zero byte; control bytes are
 * shown as "?", so that no name can play with the terminal.
 */
#include "ctl/table.h"
#include "shared/buf.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 16, CELLS_MAX_BYTES = 16 * 1024 * 1024 };

struct table {
	struct buf cells;
	int columns;
	int widths[COLUMNS_MAX];
};

/* Characters of UTF-8, not bytes. */
static int
width_of(const char *text)
{
	int width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static bool
is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

void
table_make_plain(char *text)
{
	for (char *c = text; *c != '\0'; c++)
		if (is_control(*c))
			*c = '?';
}

static void
add_cell(struct table *table, int column, const char *text)
{
	int width = width_of(text);

	for (const char *c = text; *c != '\0'; c++) {
		char shown = *c;

		if (is_control(shown))
			shown = '?';
		/* print_cells() is not reached when one does not fit. */
		(void)buf_add_byte(&table->cells, shown);
	}
	(void)buf_add_byte(&table->cells, '\0'); /* as above */
	if (width > table->widths[column])
		table->widths[column] = width;
}

static bool
take_row(void *context, const struct db_row *row)
{
	struct table *table = context;
	int first = strcmp(db_column_name(row, 0), "title") == 0 ? 1 : 0;
	int columns = db_columns(row) - first;

	if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	if (table->columns == 0 && first > 0)
		(void)puts(db_column(row, 0, NULL)); /* as in print_cells */
	if (table->columns == 0)
		for (int i = 0; i < columns; i++)
			add_cell(table, i, db_column_name(row, first + i));
	table->columns = columns;
	for (int i = 0; i < columns; i++) {
		const char *text = db_column(row, first + i, NULL);

		add_cell(table, i, text == NULL ? "-" : text);
	}
	return !table->cells.failed;
}

static void
print_cells(const struct table *table)
{
	const char *at = table->cells.data;
	const char *end = at + table->cells.len;

	for (int column = 0; at < end; at += strlen(at) + 1) {
		bool is_last = column == table->columns - 1;
		int gap = table->widths[column] - width_of(at) + 2;

		/* The program looks at stdout at its end. */
		(void)printf("%s%*s", at, is_last ? 0 : gap, "");
		if (is_last)
			(void)putchar('\n');
		column = is_last ? 0 : column + 1;
	}
}

enum db_status
table_print(struct db *db, const struct db_call *call)
{
	struct table table = { .columns = 0 };
	enum db_status status;

	buf_init(&table.cells, CELLS_MAX_BYTES);
	status = db_call(db, call, take_row, &table);
	if (status == DB_OK && table.columns > 0)
		print_cells(&table);
	buf_free(&table.cells);
	return status;
}
