/*
 * Reads as data: checks the parameters of a table, calls one function of the
 * database, and writes its rows as they come.
 *
 * What a column means is the database's business, how it is written row.c's.
 * What must stay true: a parameter that is unknown, repeated or out of its
 * limits is refused by name before the database is asked; a list is never
 * longer than its limit and never held twice in memory.
 */
#include "fcgi/read.h"
#include "fcgi/moment.h"
#include "fcgi/query.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	UUID_BYTES = 36,
	REFERENCE_MAX = 64, /* characters of an id or a tracking code */
	CURSOR_BYTES = MOMENT_BYTES + 1 + UUID_BYTES + 1,
};

/* Where the values of a list's first three parameters are. */
enum { V_LIMIT, V_OFFSET, V_AFTER_TIME, V_AFTER_ID, V_FILTERS };

/* One read while it is being answered. */
struct reading {
	struct request *rq;
	const struct read *read;
	struct db_value values[DB_VALUES_MAX];
	int count;
	struct buf *out;
	long limit;
	long offset;
	long rows;
	bool has_more;
	char next[CURSOR_BYTES];
};

static bool
refuse_parameter(struct request *rq, const char *code, const char *name,
    const char *sentence)
{
	response_refuse(rq, 400, code, name, sentence);
	return false;
}

/* "name: what is allowed". */
static bool
refuse_value(struct request *rq, const char *name, const char *allowed)
{
	return refuse_parameter(rq, "PARAMETER.INVALID", name,
	    arena_printf(rq->arena, "%.64s must be %s.", name, allowed));
}

static bool
is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (int i = 0; i < UUID_BYTES; i++)
		if (form[i] == 'x' ? !isxdigit((unsigned char)text[i])
				   : text[i] != form[i])
			return false;
	return text[UUID_BYTES] == '\0';
}

/* The next value for the function. */
static void
add_value(struct reading *reading, const char *text)
{
	reading->values[reading->count++] = db_text(text);
}

static bool
take_text(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	if ((long)pair->characters < parameter->least ||
	    (long)pair->characters > parameter->most)
		return refuse_value(reading->rq, parameter->name,
		    arena_printf(reading->rq->arena,
			"%ld to %ld characters long", parameter->least,
			parameter->most));
	add_value(reading, pair->value);
	return true;
}

static bool
take_int(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	size_t length = strlen(pair->value);
	long number = -1;

	if (length > 0 && length <= 9 &&
	    strspn(pair->value, "0123456789") == length)
		number = strtol(pair->value, NULL, 10);
	if (number < parameter->least || number > parameter->most)
		return refuse_value(reading->rq, parameter->name,
		    arena_printf(reading->rq->arena,
			"a whole number from %ld to %ld", parameter->least,
			parameter->most));
	add_value(reading, pair->value);
	return true;
}

static bool
take_time(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	char *moment = arena_alloc(reading->rq->arena, MOMENT_BYTES);

	if (!moment_parse(pair->value,
		parameter->kind == READ_UNTIL ? MOMENT_LAST : MOMENT_FIRST,
		moment))
		return refuse_value(reading->rq, parameter->name,
		    "a date that exists (2026-11-21) or an RFC 3339 time "
		    "(2026-11-21T09:37:10Z)");
	add_value(reading, moment);
	return true;
}

static bool
take_enum(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	size_t length = strlen(pair->value);
	const char *at = parameter->allowed;

	while (*at != '\0') {
		size_t word = strcspn(at, " ");

		if (word == length && strncmp(at, pair->value, word) == 0) {
			add_value(reading, pair->value);
			return true;
		}
		at += word;
		at += strspn(at, " ");
	}
	return refuse_value(reading->rq, parameter->name,
	    arena_printf(reading->rq->arena, "one of: %s", parameter->allowed));
}

/* "<time>_<uuid>", as `next` gave it. */
static bool
take_after(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	struct arena *arena = reading->rq->arena;
	const char *underscore = strchr(pair->value, '_');
	char *moment = arena_alloc(arena, MOMENT_BYTES);

	if (underscore == NULL || !is_uuid(underscore + 1) ||
	    !moment_parse(arena_copy(arena, pair->value,
			      (size_t)(underscore - pair->value)),
		MOMENT_FIRST, moment))
		return refuse_value(reading->rq, parameter->name,
		    "what an earlier answer gave as pagination.next");
	add_value(reading, moment);
	add_value(reading, underscore + 1);
	return true;
}

/* Checks the parameter's value and adds what the function gets. */
static bool
take_value(struct reading *reading, const struct read_parameter *parameter,
    const struct query_pair *pair)
{
	static bool (*const take[])(struct reading *,
	    const struct read_parameter *, const struct query_pair *) = {
		/* clang-format off */
		[READ_TEXT]  = take_text,
		[READ_INT]   = take_int,
		[READ_TIME]  = take_time,
		[READ_UNTIL] = take_time,
		[READ_ENUM]  = take_enum,
		[READ_AFTER] = take_after,
		/* clang-format on */
	};

	if (pair != NULL)
		return take[parameter->kind](reading, parameter, pair);
	add_value(reading, parameter->fallback);
	if (parameter->kind == READ_AFTER)
		add_value(reading, NULL);
	return true;
}

static const struct read_parameter *
find_parameter(const struct read *read, const char *name)
{
	const struct read_parameter *parameter = read->parameters;

	for (; parameter->name != NULL; parameter++)
		if (strcmp(parameter->name, name) == 0)
			return parameter;
	return NULL;
}

static const struct query_pair *
find_pair(const struct query *query, const char *name)
{
	for (int i = 0; i < query->count; i++)
		if (strcmp(query->pairs[i].name, name) == 0)
			return &query->pairs[i];
	return NULL;
}

static bool
refuse_unknown(struct request *rq, const struct read *read, const char *name)
{
	const struct read_parameter *parameter = read->parameters;
	const char *allowed = "";

	for (; parameter->name != NULL; parameter++)
		allowed = arena_printf(rq->arena, "%s%s%s", allowed,
		    *allowed == '\0' ? "" : ", ", parameter->name);
	return refuse_parameter(rq, "PARAMETER.UNKNOWN", name,
	    *allowed == '\0' ? arena_printf(rq->arena,
				   "%.64s is no parameter here; "
				   "there are none.",
				   name)
			     : arena_printf(rq->arena,
				   "%.64s is no parameter here; "
				   "allowed: %s.",
				   name, allowed));
}

/* Each parameter that came is one that the table has, and came once. */
static bool
check_names(struct reading *reading, const struct query *query)
{
	struct request *rq = reading->rq;

	for (int i = 0; i < query->count; i++) {
		const char *name = query->pairs[i].name;

		if (find_parameter(reading->read, name) == NULL)
			return refuse_unknown(rq, reading->read, name);
		if (find_pair(query, name) != &query->pairs[i])
			return refuse_parameter(rq, "PARAMETER.REPEATED", name,
			    arena_printf(
				rq->arena, "%s may be given only once.", name));
	}
	if (find_pair(query, "after") != NULL &&
	    find_pair(query, "offset") != NULL)
		return refuse_parameter(rq, "PARAMETER.INVALID", "after",
		    "after and offset exclude each other.");
	return true;
}

/* Fills the values from the query; false when the request was refused. */
static bool
take_parameters(struct reading *reading)
{
	struct request *rq = reading->rq;
	const struct read_parameter *parameter = reading->read->parameters;
	struct query query;

	if (!query_parse(&query, rq->arena, rq->query))
		return refuse_parameter(rq, "PARAMETER.INVALID", query.bad_name,
		    arena_printf(rq->arena, "%.64s %s.",
			*query.bad_name == '\0' ? "The query string"
						: query.bad_name,
			query.problem));
	if (!check_names(reading, &query))
		return false;
	for (; parameter->name != NULL; parameter++)
		if (!take_value(
			reading, parameter, find_pair(&query, parameter->name)))
			return false;
	return true;
}

static enum db_status
call(struct reading *reading, const char *function, int first,
    db_row_function *row)
{
	struct request *rq = reading->rq;
	const struct db_call db_read = {
		.function = function,
		.values = reading->values + first,
		.count = reading->count - first,
		.deadline_ms =
		    rq->started_us / 1000 + rq->service->pool->statement_ms,
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
	    reading->values[V_AFTER_TIME].data == NULL &&
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
		(void)refuse_parameter(reading->rq, "PARAMETER.INVALID",
		    "limit",
		    "The answer would pass 16 MiB: ask for a smaller limit.");
	else
		response_refuse_db(reading->rq, status);
}

void
read_list(struct request *rq, const void *data)
{
	struct reading reading = { .rq = rq, .read = data };
	enum db_status status;

	if (!has_database(rq) || !take_parameters(&reading))
		return;
	reading.limit = strtol(reading.values[V_LIMIT].data, NULL, 10);
	reading.offset = strtol(reading.values[V_OFFSET].data, NULL, 10);
	reading.values[V_LIMIT] =
	    db_text(arena_printf(rq->arena, "%ld", reading.limit + 1));
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

/* A UUID, an EasyPost id (letters, '_', letters and digits) or a tracking
 * code. */
static bool
is_reference(const char *text)
{
	size_t length = strlen(text);
	size_t plain = strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-");
	size_t prefix = strspn(text, "abcdefghijklmnopqrstuvwxyz");
	const char *rest = text + prefix + 1;

	if (length < 4 || length > REFERENCE_MAX)
		return false;
	if (plain == length)
		return true;
	return prefix > 0 && text[prefix] == '_' && *rest != '\0' &&
	    strspn(rest,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789") == strlen(rest);
}

void
read_one(struct request *rq, const void *data)
{
	struct reading reading = { .rq = rq, .read = data };
	enum db_status status;

	if (!has_database(rq))
		return;
	if (!is_reference(rq->argument)) {
		(void)refuse_value(rq, "id",
		    "a UUID, an EasyPost id (shp_...) or a tracking code "
		    "of 4 to 64 letters, digits and hyphens");
		return;
	}
	add_value(&reading, rq->argument);
	if (!take_parameters(&reading))
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
