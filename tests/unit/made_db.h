/*
 * A database that a test makes up: what commands call of db.h.  A function answers
 * with the rows that were made for it, none when there are none, and may fail then.
 * For one file of a program.
 */
#ifndef WAYBILL_MADE_DB_H
#define WAYBILL_MADE_DB_H

#include "tests/unit/made_row.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MADE_MAX = 80, MADE_COLUMNS_MAX = 20 };

struct db {
	struct db_error error;
};

/* Forgets all that was made. */
void made_none(void);

/* One more row of the function's answer: names and texts by turns, and NULL. */
void made_row(const char *function, ...) __attribute__((sentinel));

/* The last row belongs to the function's call number `nth` only. */
void made_at(int nth);

/* The function's call number `nth` fails, the first being 1; 0: each. */
void made_failure(
    const char *function, int nth, enum db_status, const char *sqlstate);

/* What the scripts are called. */
static const char made_script[] = "(script)";

/* Printed beside the calls that fail. */
static const char *made_message = "made to fail";

static struct made {
	const char *function;
	struct column columns[MADE_COLUMNS_MAX];
	int count;
	bool is_failure;
	int nth;
	int calls;
	enum db_status status;
	const char *sqlstate;
} made[MADE_MAX];

static int made_count;

void
made_none(void)
{
	made_count = 0;
}

void
made_row(const char *function, ...)
{
	struct made *one = &made[made_count++];
	va_list texts;
	const char *name;

	*one = (struct made){ .function = function };
	va_start(texts, function);
	while ((name = va_arg(texts, const char *)) != NULL)
		one->columns[one->count++] = (struct column){ .name = name,
			.kind = DB_TEXT,
			.text = va_arg(texts, const char *) };
	va_end(texts);
}

void
made_at(int nth)
{
	made[made_count - 1].nth = nth;
}

void
made_failure(
    const char *function, int nth, enum db_status status, const char *sqlstate)
{
	made[made_count++] = (struct made){ .function = function,
		.is_failure = true,
		.nth = nth,
		.status = status,
		.sqlstate = sqlstate };
}

/* Counts; true when it is this one's turn. */
static bool
made_is_due(struct made *one, bool is_failure, const char *function)
{
	return one->is_failure == is_failure &&
	    strcmp(one->function, function) == 0 &&
	    (++one->calls == one->nth || one->nth == 0);
}

static enum db_status
made_answer(
    struct db *db, const char *function, db_row_function *row, void *context)
{
	const struct made *failure = NULL;

	for (int i = 0; i < made_count; i++)
		if (made_is_due(&made[i], true, function))
			failure = &made[i];
	for (int i = 0; i < made_count; i++) {
		const struct db_row answer = { made[i].columns, made[i].count };

		if (made_is_due(&made[i], false, function) && row != NULL &&
		    !row(context, &answer))
			return DB_STOPPED;
	}
	if (failure != NULL) {
		(void)snprintf(db->error.sqlstate, sizeof(db->error.sqlstate),
		    "%s", failure->sqlstate);
		(void)snprintf(db->error.message, sizeof(db->error.message),
		    "%s", made_message);
		return failure->status;
	}
	return DB_OK;
}

enum db_status
db_call(struct db *db, const struct db_call *call, db_row_function *row,
    void *context)
{
	return made_answer(db, call->function, row, context);
}

enum db_status
db_script(struct db *db, const char *sql, int64_t deadline_ms,
    db_row_function *row, void *context)
{
	(void)sql, (void)deadline_ms;
	return made_answer(db, made_script, row, context);
}

struct db *
db_new(const struct db_options *options)
{
	static struct db db;

	(void)options;
	db = (struct db){ .error = { .sqlstate = "" } };
	return &db;
}

const struct db_error *
db_error(const struct db *db)
{
	return &db->error;
}

static bool made_is_remote;

bool
db_is_remote(const struct db *db)
{
	(void)db;
	return made_is_remote;
}

bool
db_has_password(const char *url)
{
	return strstr(url, "s3cret") != NULL;
}

void
db_close(struct db *db)
{
	(void)db;
}

struct db_value
db_text(const char *text)
{
	return (
	    struct db_value){ text, text == NULL ? 0 : strlen(text), false };
}

struct db_value
db_bytes(const void *data, size_t bytes)
{
	return (struct db_value){ data, bytes, true };
}

#endif
