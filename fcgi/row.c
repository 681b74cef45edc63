/*
 * The one encoder: rows of PostgreSQL as JSON (RFC 8259).
 *
 * Names, shape and order come from the function in the database; here they only
 * become text.  What leaves this file is valid JSON whatever the row holds:
 * strings are escaped and made valid UTF-8, numbers that JSON has no word for
 * (NaN, Infinity) are null.
 */
#include "fcgi/row.h"
#include "fcgi/utf8.h"
#include "shared/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many bytes from here on stand in a JSON string as they are. */
static size_t
plain_bytes(const char *text, size_t bytes)
{
	size_t at = 0;

	while (at < bytes) {
		unsigned char byte = (unsigned char)text[at];
		size_t step = 1;

		if (byte < 0x20 || byte == '"' || byte == '\\')
			break;
		if (byte >= 0x80)
			step = utf8_character(text + at, bytes - at);
		if (step == 0)
			break;
		at += step;
	}
	return at;
}

/* One byte that cannot stand as it is. */
static void
add_escaped(struct buf *out, unsigned char byte)
{
	static const char *const shorter[] = {
		/* clang-format off */
		['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",
		['\f'] = "\\f", ['\r'] = "\\r", ['"'] = "\\\"",
		['\\'] = "\\\\",
		/* clang-format on */
	};

	if (byte >= 0x80)
		(void)buf_add_string(out, "\xef\xbf\xbd"); /* U+FFFD */
	else if (shorter[byte] != NULL)
		(void)buf_add_string(out, shorter[byte]);
	else
		(void)buf_addf(out, "\\u%04x", byte);
}

bool
row_string(struct buf *out, const char *text, size_t bytes)
{
	size_t at = 0;

	/* Single failures are kept by the buf; one look at the end is enough. */
	(void)buf_add_byte(out, '"');
	while (at < bytes) {
		size_t plain = plain_bytes(text + at, bytes - at);

		(void)buf_add(out, text + at, plain);
		at += plain;
		if (at < bytes)
			add_escaped(out, (unsigned char)text[at++]);
	}
	(void)buf_add_byte(out, '"');
	return !out->failed;
}

static bool
add_number(struct buf *out, const char *text, size_t bytes)
{
	const char *digit = *text == '-' ? text + 1 : text;

	if (*digit < '0' || *digit > '9')
		return buf_add_string(out, "null");
	return buf_add(out, text, bytes);
}

static bool
add_bool(struct buf *out, const char *text, size_t bytes)
{
	(void)bytes; /* PostgreSQL writes t or f */
	return buf_add_string(out, *text == 't' ? "true" : "false");
}

static bool
add_json(struct buf *out, const char *text, size_t bytes)
{
	return buf_add(out, text, bytes);
}

static bool
add_time(struct buf *out, const char *text, size_t bytes)
{
	char moment[MOMENT_BYTES];

	if (!moment_format(text, false, moment))
		return row_string(out, text, bytes);
	return row_string(out, moment, strlen(moment));
}

static bool
add_value(struct buf *out, const struct db_row *row, int column)
{
	static bool (*const add[])(struct buf *, const char *, size_t) = {
		/* clang-format off */
		[DB_TEXT]   = row_string,
		[DB_NUMBER] = add_number,
		[DB_BOOL]   = add_bool,
		[DB_JSON]   = add_json,
		[DB_TIME]   = add_time,
		/* clang-format on */
	};
	size_t bytes;
	const char *text = db_column(row, column, &bytes);

	if (text == NULL)
		return buf_add_string(out, "null");
	return add[db_column_kind(row, column)](out, text, bytes);
}

/* The members of an object that the database has ready. */
static bool
add_members(struct buf *out, const struct db_row *row, int column)
{
	size_t bytes;
	const char *object = db_column(row, column, &bytes);

	if (object == NULL || bytes <= 2)
		return false;
	return buf_add(out, object + 1, bytes - 2);
}

bool
row_part_to_json(struct buf *out, const struct db_row *row, int columns)
{
	for (int i = 0; i < columns; i++) {
		const char *name = db_column_name(row, i);

		(void)buf_add_byte(out, i == 0 ? '{' : ',');
		if (strcmp(name, ROW_SPREAD) == 0 && add_members(out, row, i))
			continue;
		(void)row_string(out, name, strlen(name));
		(void)buf_add_byte(out, ':');
		(void)add_value(out, row, i);
	}
	return buf_add_string(out, columns == 0 ? "{}" : "}");
}

bool
row_to_json(struct buf *out, const struct db_row *row)
{
	return row_part_to_json(out, row, db_columns(row));
}

const char *
row_text(const struct db_row *row, const char *name)
{
	int columns = db_columns(row);

	for (int i = 0; i < columns; i++)
		if (strcmp(db_column_name(row, i), name) == 0)
			return db_column(row, i, NULL);
	return NULL;
}

const char *
row_keep(struct arena *arena, const struct db_row *row, const char *name)
{
	const char *text = row_text(row, name);

	return text == NULL ? NULL : arena_copy(arena, text, strlen(text));
}

const char *
row_word(const struct db_row *row, const char *name)
{
	const char *text = row_text(row, name);

	return text == NULL ? "" : text;
}

long long
row_number(const struct db_row *row, const char *name)
{
	return strtoll(row_word(row, name), NULL, 10);
}

bool
row_is_true(const struct db_row *row, const char *name)
{
	return *row_word(row, name) == 't';
}

bool
row_verbatim(void *buf, const struct db_row *row)
{
	const char *json = db_column(row, 0, NULL);

	return json != NULL && buf_add_string(buf, json);
}
