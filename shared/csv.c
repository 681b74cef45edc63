/*
 * The encoder of CSV: lines end with CR LF, as RFC 4180 wants it.
 *
 * What must stay true: null and an empty text can be told apart, as COPY of
 * PostgreSQL does it, and what was written can be read back; no text that somebody
 * sent is a formula to the program that opens the file.
 */
#include "shared/csv.h"
#include "shared/moment.h"

#include <string.h>

/* +12.5%, -3: what a spreadsheet takes for a number does no harm. */
static bool
is_number(const char *text)
{
	size_t digits = strspn(text + 1, "0123456789.");

	return (*text == '+' || *text == '-') && digits > 0 &&
	    (text[1 + digits] == '\0' || strcmp(text + 1 + digits, "%") == 0);
}

/* A spreadsheet takes what begins so for a formula (OWASP, CSV injection).  Behind
 * quotes of its own too: so that ours can be taken away again. */
static bool
is_formula(const char *text)
{
	const char *begin = text + strspn(text, "'");

	return *begin != '\0' && strchr("=+-@\t\r\n", *begin) != NULL &&
	    !is_number(text);
}

static void
add_quoted(struct buf *out, const char *text, size_t bytes, bool is_disarmed)
{
	const char *end = text + bytes;

	(void)buf_add_string(out, is_disarmed ? "\"'" : "\"");
	while (text < end) {
		const char *quote = memchr(text, '"', (size_t)(end - text));
		const char *stop = quote == NULL ? end : quote + 1;

		(void)buf_add(out, text, (size_t)(stop - text));
		if (quote != NULL)
			(void)buf_add_byte(out, '"');
		text = stop;
	}
	(void)buf_add_byte(out, '"');
}

static void
add_text(struct buf *out, const char *text, size_t bytes, bool is_disarmed)
{
	if (bytes == 0 || text[0] == ' ' || text[bytes - 1] == ' ' ||
	    strcspn(text, ",\"\r\n") < bytes) {
		add_quoted(out, text, bytes, is_disarmed);
		return;
	}
	if (is_disarmed)
		(void)buf_add_byte(out, '\'');
	(void)buf_add(out, text, bytes);
}

static void
add_value(struct buf *out, const struct db_row *row, int column)
{
	char moment[MOMENT_BYTES];
	size_t bytes;
	bool is_disarmed = false;
	const char *text = db_column(row, column, &bytes);

	if (text == NULL)
		return;
	switch (db_column_kind(row, column)) {
	case DB_TEXT:
		is_disarmed = is_formula(text);
		break;
	case DB_BOOL:
		text = *text == 't' ? "true" : "false";
		bytes = strlen(text);
		break;
	case DB_TIME:
		if (moment_format(text, false, moment)) {
			text = moment;
			bytes = strlen(text);
		}
		break;
	default:
		break;
	}
	add_text(out, text, bytes, is_disarmed);
}

/* A buf that has failed takes nothing more: one look at the end is enough. */

bool
csv_add_names(struct buf *out, const struct db_row *row)
{
	int columns = db_columns(row);

	for (int i = 0; i < columns; i++) {
		const char *name = db_column_name(row, i);

		if (i > 0)
			(void)buf_add_byte(out, ',');
		add_text(out, name, strlen(name), false);
	}
	return buf_add_string(out, "\r\n");
}

bool
csv_add_row(struct buf *out, const struct db_row *row)
{
	int columns = db_columns(row);

	for (int i = 0; i < columns; i++) {
		if (i > 0)
			(void)buf_add_byte(out, ',');
		add_value(out, row, i);
	}
	return buf_add_string(out, "\r\n");
}

bool
csv_add_line(void *buf, const struct db_row *row)
{
	struct buf *out = buf;

	return (out->len > 0 || csv_add_names(out, row)) &&
	    csv_add_row(out, row);
}

bool
csv_add_header(void *buf, const struct db_row *row)
{
	return csv_add_names(buf, row);
}
