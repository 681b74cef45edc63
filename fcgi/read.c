/*
 * Reads as data: calls one function of the database and writes its rows as they
 * come.
 *
 * What a column means is the database's business, how it is written row.c's,
 * what may be asked parameter.c's.  What must stay true: a list is never longer
 * than its limit and never held twice in memory.
 */
#include "fcgi/read.h"
#include "fcgi/moment.h"
#include "fcgi/response.h"
#include "fcgi/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Reads by an index take milliseconds.  What takes longer than this
	 * hangs, and the person who waits is better told. */
	ANSWER_MS = 3000,
	UUID_BYTES = 36,
	REFERENCE_MIN = 4, /* characters of an id or a tracking code */
	REFERENCE_MAX = 64,
	CURSOR_BYTES = MOMENT_BYTES + 1 + UUID_BYTES + 1,
};

/* Where the values of a list's first three parameters are. */
enum { V_LIMIT, V_OFFSET, V_AFTER_TIME, V_AFTER_ID, V_FILTERS };

/* One read while it is being answered. */
struct reading {
	struct request *rq;
	const struct read *read;
	struct parameter_values values;
	struct buf *out;
	long limit;
	long offset;
	long rows;
	bool has_more;
	char next[CURSOR_BYTES];
};

static enum db_status
call(struct reading *reading, const char *function, int first,
    db_row_function *row)
{
	struct request *rq = reading->rq;
	const struct db_call db_read = {
		.function = function,
		.values = reading->values.value + first,
		.count = reading->values.count - first,
		.deadline_ms = rq->started_us / 1000 + ANSWER_MS,
		.plan_each = reading->read->plural != NULL,
		.is_read = true,
	};

	return db_call(rq->service->db, &db_read, row, reading);
}

/* The cursor that goes on behind this row. */
static void
keep_cursor(struct reading *reading, const struct db_row *row)
{
	const char *created_at = row_text(row, "created_at");
	const char *id = row_text(row, "id");
	char moment[MOMENT_BYTES];

	if (created_at != NULL && id != NULL && strlen(id) == UUID_BYTES &&
	    moment_format(created_at, true, moment))
		(void)snprintf(
		    reading->next, sizeof(reading->next), "%s_%s", moment, id);
}

/* db_row_function: one row of a list; one more than the limit was asked for,
 * to know whether there are more. */
static bool
add_row(void *context, const struct db_row *row)
{
	struct reading *reading = context;

	if (reading->rows == reading->limit) {
		reading->has_more = true;
		return true;
	}
	if (reading->rows++ > 0)
		(void)buf_add_byte(reading->out, ',');
	if (reading->rows == reading->limit)
		keep_cursor(reading, row);
	return row_to_json(reading->out, row);
}

/* db_row_function: the total, and whether it is an estimate. */
static bool
add_total(void *context, const struct db_row *row)
{
	struct reading *reading = context;
	const char *total = row_text(row, "total");
	const char *is_estimate = row_text(row, "is_estimate");

	(void)buf_addf(
	    reading->out, "\"total\":%s", total == NULL ? "null" : total);
	if (is_estimate != NULL && *is_estimate == 't')
		(void)buf_add_string(
		    reading->out, ",\"total_is_estimate\":true");
	return true;
}

/* The rows before and on this page are all there are: no need to count. */
static bool
is_last_page(const struct reading *reading)
{
	return !reading->has_more &&
	    reading->values.value[V_AFTER_TIME].data == NULL &&
	    (reading->rows > 0 || reading->offset == 0);
}

static enum db_status
write_pagination(struct reading *reading)
{
	struct buf *out = reading->out;
	enum db_status status = DB_OK;

	(void)buf_add_string(out, "],\"pagination\":{");
	if (is_last_page(reading))
		(void)buf_addf(
		    out, "\"total\":%ld", reading->offset + reading->rows);
	else
		status =
		    call(reading, reading->read->total, V_FILTERS, add_total);
	(void)buf_addf(out,
	    ",\"limit\":%ld,\"offset\":%ld,\"has_more\":%s,\"next\":",
	    reading->limit, reading->offset,
	    reading->has_more ? "true" : "false");
	if (reading->has_more && *reading->next != '\0')
		(void)row_string(out, reading->next, strlen(reading->next));
	else
		(void)buf_add_string(out, "null");
	(void)buf_add_string(out, "}}}");
	return status;
}

/* False, and refused, when there is no database. */
static bool
has_database(struct request *rq)
{
	if (rq->service->db == NULL)
		response_refuse(rq, 503, "DATABASE.NOT_CONFIGURED", NULL,
		    "No database is configured: nothing is recorded.");
	return rq->service->db != NULL;
}

static void
refuse_failed(struct reading *reading, enum db_status status)
{
	if (reading->out->failed && reading->read->plural != NULL)
		response_refuse(reading->rq, 400, "PARAMETER.INVALID", "limit",
		    "The answer would pass 16 MiB: ask for a smaller limit.");
	else
		response_refuse_db(reading->rq, status);
}

/* Takes the parameters of a list; false when the request was refused. */
static bool
take_list(struct reading *reading)
{
	struct request *rq = reading->rq;
	struct db_value *value = reading->values.value;

	if (!parameter_take(rq, reading->read->parameters, &reading->values))
		return false;
	reading->limit = strtol(value[V_LIMIT].data, NULL, 10);
	reading->offset = strtol(value[V_OFFSET].data, NULL, 10);
	value[V_LIMIT] =
	    db_text(arena_printf(rq->arena, "%ld", reading->limit + 1));
	if (value[V_AFTER_TIME].data == NULL || reading->offset == 0)
		return true;
	response_refuse(rq, 400, "PARAMETER.INVALID", "after",
	    "after and offset exclude each other.");
	return false;
}

void
read_list(struct request *rq, const void *data)
{
	struct reading reading = { .rq = rq, .read = data };
	enum db_status status;

	if (!has_database(rq) || !take_list(&reading))
		return;
	reading.out = response_buf();
	(void)buf_addf(reading.out,
	    "{\"status\":\"success\",\"data\":{\"%s\":[", reading.read->plural);
	status = call(&reading, reading.read->function, V_LIMIT, add_row);
	if (status == DB_OK)
		status = write_pagination(&reading);
	if (status == DB_OK && !reading.out->failed)
		response_json(rq, 200, reading.out);
	else
		refuse_failed(&reading, status);
}

/* db_row_function: the one row. */
static bool
add_one(void *context, const struct db_row *row)
{
	struct reading *reading = context;

	reading->rows++;
	return row_to_json(reading->out, row);
}

/* A UUID or a tracking code, which are alike in form, or an EasyPost id:
 * small letters, '_', letters and digits. */
static bool
is_reference(const char *text)
{
	static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz-";
	size_t length = strlen(text);
	size_t prefix = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	if (length < REFERENCE_MIN || length > REFERENCE_MAX)
		return false;
	if (prefix > 0 && text[prefix] == '_') {
		text += prefix + 1;
		if (*text == '\0' || strchr(text, '-') != NULL)
			return false;
	}
	return text[strspn(text, plain)] == '\0';
}

void
read_one(struct request *rq, const void *data)
{
	struct reading reading = { .rq = rq, .read = data };
	enum db_status status;

	if (!has_database(rq))
		return;
	if (!is_reference(rq->argument)) {
		(void)parameter_refuse(rq, "id",
		    "a UUID, an EasyPost id (shp_...) or a tracking code "
		    "of 4 to 64 letters, digits and hyphens");
		return;
	}
	reading.values.value[reading.values.count++] = db_text(rq->argument);
	if (!parameter_take(rq, reading.read->parameters, &reading.values))
		return;
	reading.out = response_buf();
	(void)buf_add_string(reading.out, "{\"status\":\"success\",\"data\":");
	status = call(&reading, reading.read->function, 0, add_one);
	(void)buf_add_byte(reading.out, '}');
	if (status != DB_OK || reading.out->failed)
		refuse_failed(&reading, status);
	else if (reading.rows == 0)
		response_refuse(rq, 404, "NOT_FOUND", "id",
		    "Nothing with this id is recorded.");
	else
		response_json(rq, 200, reading.out);
}
