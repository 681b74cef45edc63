/*
 * Reads as data: selects from one view of the database and writes its rows as
 * they come.
 *
 * What a column means is the database's business, how it is written row.c's,
 * what may be asked parameter.c's, which rows where.c's.  What must stay true: a
 * list is never longer than its limit and never held twice in memory.
 */
#include "fcgi/read.h"
#include "fcgi/export.h"
#include "fcgi/query.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "fcgi/total.h"
#include "fcgi/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Reads by an index take milliseconds.  What takes longer than this
	 * hangs, and the person who waits is better told. */
	ANSWER_MS = 3000,
	LIMIT_DEFAULT = 50,
	REFERENCE_MIN = 4, /* characters of an id or a tracking code */
	REFERENCE_MAX = 64,
	LINK_MAX = 4096, /* nginx gives all headers 16 KB */
};

/* One list while it is being answered. */
struct reading {
	struct request *rq;
	const struct list *list;
	struct parameter_values taken;
	struct buf *out;
	int64_t deadline_ms;
	long limit;
	long offset;
	long rows;
	bool has_more;
	struct list_place last;
};

static int64_t
deadline_of(const struct request *rq)
{
	return rq->started_us / 1000 + ANSWER_MS;
}

static bool
has_cursor(const struct reading *reading)
{
	return reading->taken.value[LIST_AFTER].data != NULL;
}

static enum db_status
read_page(struct reading *reading, db_row_function *row)
{
	const struct list *list = reading->list;
	char sql[STATEMENT_SQL_MAX];
	struct where where;

	where_make(&where, WHERE_FILTERS_AND_CURSOR, list->parameters,
	    &reading->taken);
	list_select(
	    list, false, &where, reading->limit + 1, reading->offset, sql);
	return db_call(reading->rq->service->db,
	    &(struct db_call){ .function = list->view,
		.sql = sql,
		.values = where.values.value,
		.count = where.values.count,
		.deadline_ms = reading->deadline_ms,
		/* Offsets differ: such statements are not worth keeping. */
		.plan_each = !where.is_steady || reading->offset > 0,
		.is_read = true },
	    row, reading);
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
		list_note(reading->list, row, &reading->last);
	return row_part_to_json(
	    reading->out, row, list_columns(reading->list, row));
}

/* The rows before and on this page are all there are: no need to count. */
static bool
is_last_page(const struct reading *reading)
{
	return !reading->has_more && !has_cursor(reading) &&
	    (reading->rows > 0 || reading->offset == 0);
}

static enum db_status
find_total(struct reading *reading, struct total *total)
{
	const long seen = reading->offset + reading->rows;
	struct where where;
	enum db_status status;

	*total = (struct total){ seen, false };
	if (is_last_page(reading))
		return DB_OK;
	where_make(
	    &where, WHERE_FILTERS, reading->list->parameters, &reading->taken);
	status = total_count(reading->rq, reading->list->view, &where,
	    reading->deadline_ms, total);
	/* An estimate may not end a walk by offset before its end. */
	if (total->is_estimate && reading->has_more && total->rows <= seen)
		total->rows = seen + 1;
	return status;
}

/* The cursor that goes on behind this page; NULL behind the last. */
static const char *
next_cursor(const struct reading *reading)
{
	const struct list_place *last = &reading->last;

	if (!reading->has_more || *last->id == '\0')
		return NULL;
	return arena_printf(reading->rq->arena, "%s%s%s", last->time,
	    *last->time == '\0' ? "" : "_", last->id);
}

static enum db_status
write_pagination(struct reading *reading, const char *next)
{
	struct buf *out = reading->out;
	struct total total;
	enum db_status status = find_total(reading, &total);

	if (status != DB_OK)
		return status;
	(void)buf_addf(out, "],\"pagination\":{\"total\":%lld%s", total.rows,
	    total.is_estimate ? ",\"total_is_estimate\":true" : "");
	(void)buf_addf(out,
	    ",\"limit\":%ld,\"offset\":%ld,\"has_more\":%s,\"next\":",
	    reading->limit, reading->offset,
	    reading->has_more ? "true" : "false");
	if (next != NULL)
		(void)row_string(out, next, strlen(next));
	else
		(void)buf_add_string(out, "null");
	(void)buf_add_string(out, "}}}");
	return DB_OK;
}

/* The query again with another cursor; NULL when it is too long.  Written anew,
 * because what came may spell a name otherwise and hold what ends a link. */
static const char *
next_link(const struct reading *reading, const char *next)
{
	struct request *rq = reading->rq;
	const char *link;
	struct query query;

	if (next == NULL || !query_parse(&query, rq->arena, rq->query))
		return NULL;
	link = arena_printf(rq->arena, "<%s?", rq->path);
	for (int i = 0; i < query.count; i++) {
		const struct query_pair *pair = &query.pairs[i];

		if (strcmp(pair->name, "after") != 0 &&
		    strcmp(pair->name, "offset") != 0)
			link = arena_printf(rq->arena, "%s%s=%s&", link,
			    pair->name, query_escape(rq->arena, pair->value));
	}
	link = arena_printf(rq->arena, "%safter=%s>; rel=\"next\"", link, next);
	return strlen(link) > LINK_MAX ? NULL : link;
}

static void
refuse_failed(struct request *rq, const struct buf *out, enum db_status status)
{
	if (out->failed)
		response_refuse(rq, 400, "PARAMETER.INVALID", "limit",
		    "The answer would pass 16 MiB: ask for a smaller limit.");
	else
		response_refuse_db(rq, status);
}

static bool
refuse(struct reading *reading, const char *name, const char *message)
{
	response_refuse(reading->rq, 400, "PARAMETER.INVALID", name, message);
	return false;
}

static bool
is_export(const struct reading *reading)
{
	return strcmp(reading->taken.value[LIST_FORMAT].data, "json") != 0;
}

/* Takes the parameters of a list; false when the request was refused. */
static bool
take_list(struct reading *reading)
{
	const struct db_value *value = reading->taken.value;
	const char *limit, *offset;

	if (!parameter_take(
		reading->rq, reading->list->parameters, &reading->taken))
		return false;
	reading->list = list_of(reading->list, &reading->taken);
	limit = value[LIST_LIMIT].data;
	offset = value[LIST_OFFSET].data;
	if (is_export(reading) && limit != NULL)
		return refuse(reading, "limit",
		    "limit goes with format=json only: others are whole.");
	if (is_export(reading) && offset != NULL)
		return refuse(reading, "offset",
		    "offset goes with format=json only: others are whole.");
	if (offset != NULL && has_cursor(reading))
		return refuse(
		    reading, "after", "after and offset exclude each other.");
	reading->limit =
	    limit == NULL ? LIMIT_DEFAULT : strtol(limit, NULL, 10);
	reading->offset = offset == NULL ? 0 : strtol(offset, NULL, 10);
	return true;
}

static void
answer_list(struct reading *reading)
{
	struct request *rq = reading->rq;
	const char *next;
	const char *link;
	enum db_status status;

	reading->out = response_buf();
	(void)buf_addf(reading->out,
	    "{\"status\":\"success\",\"data\":{\"%s\":[",
	    reading->list->plural);
	status = read_page(reading, add_row);
	next = next_cursor(reading);
	link = next_link(reading, next);
	if (status == DB_OK)
		status = write_pagination(reading, next);
	if (status == DB_OK && !reading->out->failed)
		response_read(rq, reading->out,
		    &(struct request_header){ "Link", link }, link != NULL);
	else
		refuse_failed(rq, reading->out, status);
}

void
read_list(struct request *rq, const void *data)
{
	struct reading reading = {
		.rq = rq, .list = data, .deadline_ms = deadline_of(rq)
	};

	if (!response_needs_database(rq) || !take_list(&reading))
		return;
	if (is_export(&reading))
		export_list(rq, reading.list, &reading.taken);
	else
		answer_list(&reading);
}

/* db_row_function: the one row. */
static bool
add_one(void *context, const struct db_row *row)
{
	return row_to_json(context, row);
}

/* The kind of reference that a text is; READ_REFERENCES: none. */
static enum read_reference
find_kind(const char *text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz";
	static const char plain[] = "0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz-";
	size_t length = strlen(text);
	size_t prefix = strspn(text, letters + 26);

	if (length < REFERENCE_MIN || length > REFERENCE_MAX)
		return READ_REFERENCES;
	if (uuid_is_valid(text))
		return READ_UUID;
	if (prefix > 0 && text[prefix] == '_') {
		text += prefix + 1;
		return *text != '\0' && strchr(text, '-') == NULL &&
			text[strspn(text, plain)] == '\0'
		    ? READ_EASYPOST_ID
		    : READ_REFERENCES;
	}
	return text[strspn(text, plain)] == '\0' ? READ_CODE : READ_REFERENCES;
}

/* The select for the request's {id}; NULL, and refused, when it is no id of this
 * read. */
static const char *
select_one(struct request *rq, const struct read *read)
{
	enum read_reference kind = find_kind(rq->argument);

	if (kind != READ_REFERENCES && read->from[kind] != NULL)
		return arena_printf(rq->arena, "select %s from %s",
		    read->columns, read->from[kind]);
	(void)parameter_refuse(rq, "id", read->allowed);
	return NULL;
}

void
read_one(struct request *rq, const void *data)
{
	const struct read *read = data;
	struct buf *out = response_buf();
	const char *sql;
	enum db_status status;
	size_t start;

	if (!response_needs_database(rq))
		return;
	sql = select_one(rq, read);
	if (sql == NULL || !parameter_none(rq))
		return;
	(void)buf_add_string(out, "{\"status\":\"success\",\"data\":");
	start = out->len;
	status = db_call(rq->service->db,
	    &(struct db_call){ .function = read->view,
		.sql = sql,
		.values = &(struct db_value){ rq->argument,
		    strlen(rq->argument), false },
		.count = 1,
		.deadline_ms = deadline_of(rq),
		.is_read = true },
	    add_one, out);
	if (status != DB_OK)
		response_refuse_db(rq, status);
	else if (out->len == start)
		response_refuse(rq, 404, "NOT_FOUND", "id",
		    "Nothing with this id is recorded.");
	else if (buf_add_byte(out, '}'))
		response_read(rq, out, NULL, 0);
	else
		refuse_failed(rq, out, DB_STOPPED);
}
