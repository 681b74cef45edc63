/*
 * Writes as data: checks a body by a table of fields, hands its very bytes to
 * one function of the database, and answers what that made.
 *
 * What a field may be is fields.c's business, what it means the database's.
 * What must stay true: a body is written as a whole or not at all; every item
 * that is wrong is named; whoever sent a body is never told to send it again
 * when it may have been written.
 */
#include "fcgi/write.h"
#include "fcgi/body.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "fcgi/uuid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	BODY_MAX = 10 * 1024 * 1024,
	BODY_HUGE = 1024 * 1024, /* see give_back() */
	ITEMS_MAX = 1000, /* waybill.item_id() counts to 4095, in fours */
	/* A single write takes milliseconds, an item of many 0.3 ms. */
	ANSWER_MS = 3000,
	ANSWER_MS_EACH = 5,
	REFERENCE_MAX = 64,
};

/* One request while it is being answered. */
struct writing {
	struct request *rq;
	const struct write *write;
	struct json *body;
	struct fields_problems problems;
	struct buf *out;
	size_t items;
	bool is_list;
	int status; /* of the database's refusal; 0: it wrote */
	const char *message;
	long rows;
	char id[UUID_BYTES + 1]; /* of the last row */
};

/* --- the body ----------------------------------------------------------- */

/* "application/json; charset=utf-8" and the like.  A patch may say so. */
static bool
is_json_type(const struct request *rq, bool is_patch)
{
	const char *type = request_header(rq, "CONTENT_TYPE");
	size_t name = type == NULL ? 0 : strcspn(type, "; \t");
	const char *rest;

	if (name == 0)
		return false;
	if (!(name == 16 && strncasecmp(type, "application/json", name) == 0) &&
	    !(is_patch && name == 28 &&
		strncasecmp(type, "application/merge-patch+json", name) == 0))
		return false;
	rest = type + name + strspn(type + name, "; \t");
	return *rest == '\0' || strcasecmp(rest, "charset=utf-8") == 0 ||
	    strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

/* No parameters, and a database to write to; false when it was refused. */
static bool
check_query(struct request *rq)
{
	if (!parameter_none(rq))
		return false;
	if (rq->service->primary == NULL)
		response_refuse(rq, 503, "DATABASE.NOT_CONFIGURED", NULL,
		    "No database is configured: nothing can be written.");
	return rq->service->primary != NULL;
}

/* What can be refused before the body is read; false when it was. */
static bool
check_head(struct request *rq, bool is_patch)
{
	if (!check_query(rq))
		return false;
	if (is_json_type(rq, is_patch))
		return true;
	response_refuse(rq, 415, "MEDIA_TYPE.UNSUPPORTED", NULL,
	    is_patch ? "The Content-Type must be application/json or "
		       "application/merge-patch+json, in UTF-8."
		     : "The Content-Type must be application/json, in UTF-8.");
	return false;
}

/* The body as JSON; NULL when the request was refused. */
static struct json *
read_body(struct request *rq)
{
	char problem[JSON_PROBLEM_MAX];
	struct json *body;
	const char *text;

	if (!body_take(rq, BODY_MAX))
		return NULL;
	text = rq->body.data + strspn(rq->body.data, " \t\r\n");
	if (*text != '{' && *text != '[') {
		response_refuse(rq, 400, "BODY.MALFORMED", NULL,
		    "The body must be a JSON object or an array of them.");
		return NULL;
	}
	body = json_read(rq->body.data, rq->body.len, problem);
	if (body == NULL)
		response_refuse(rq, 400, "BODY.MALFORMED", NULL, problem);
	return body;
}

/* libpq keeps what one huge body took, as long as the connection lives. */
static void
give_back(struct writing *writing)
{
	json_free(writing->body);
	if (writing->rq->body.len >= BODY_HUGE)
		db_close(writing->rq->service->primary);
}

/* --- what is wrong with it ------------------------------------------------- */

static const char *
first_message(struct writing *writing)
{
	const struct response_problem *first = writing->problems.kept;
	struct arena *arena = writing->rq->arena;
	int total = writing->problems.total;

	if (total == 1)
		return arena_printf(arena, "%s%s%s", first->field,
		    *first->field == '\0' ? "The body " : " ", first->message);
	return arena_printf(arena, "%d things in the body are wrong%s.", total,
	    total > FIELDS_PROBLEMS_MAX ? "; the first 100 are told" : "");
}

/* True when there were problems and the request was refused. */
static bool
refuse_problems(struct writing *writing, int status)
{
	if (writing->problems.total == 0)
		return false;
	response_refuse_with(writing->rq,
	    &(struct response_refusal){ .status = status,
		.code = status == 409 ? "CONFLICT" : "BODY.INVALID",
		.message = first_message(writing),
		.problems = writing->problems.kept,
		.problem_count = writing->problems.count });
	return true;
}

/* The mode is the key's: whoever says it says the same. */
static void
check_mode(const struct fields *fields, const struct request *rq,
    const struct json *item)
{
	const char *mode = json_text(json_member(item, "mode"));
	const char *foreign = rq->caller.is_test ? "production" : "test";

	if (mode != NULL && strcmp(mode, foreign) == 0)
		fields_add(fields, "mode",
		    arena_printf(rq->arena, "must be %s, as the key is.",
			request_mode(rq)));
}

static void
check_item(struct writing *writing, const struct json *item, const char *path)
{
	const struct fields fields = {
		.arena = writing->rq->arena,
		.use = FIELDS_NEW,
		.path = path,
		.problems = &writing->problems,
	};

	fields_check(&fields, writing->write->form, item);
	check_mode(&fields, writing->rq, item);
}

/* False when the request was refused. */
static bool
check_items(struct writing *writing)
{
	struct arena *arena = writing->rq->arena;

	writing->is_list = json_kind(writing->body) == JSON_KIND_ARRAY;
	writing->items = writing->is_list ? json_count(writing->body) : 1;
	if (writing->items < 1 || writing->items > ITEMS_MAX) {
		response_refuse(writing->rq, 422, "BODY.INVALID", NULL,
		    arena_printf(arena,
			"An array must hold 1 to %d items; this one holds %zu.",
			ITEMS_MAX, writing->items));
		return false;
	}
	if (!writing->is_list)
		check_item(writing, writing->body, "");
	for (size_t i = 0; writing->is_list && i < writing->items; i++)
		check_item(writing, json_element(writing->body, i),
		    arena_printf(arena, "[%zu]", i));
	return !refuse_problems(writing, 422);
}

/* False when the request was refused. */
static bool
check_patch(struct writing *writing)
{
	const struct fields fields = {
		.arena = writing->rq->arena,
		.use = FIELDS_PATCH,
		.path = "",
		.problems = &writing->problems,
	};

	fields_check(&fields, writing->write->form, writing->body);
	return !refuse_problems(writing, 422);
}

/* Letters, digits, '_' and '-': what any id or code is made of. */
static bool
check_reference(struct writing *writing)
{
	static const char plain[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz_-";
	const char *argument = writing->rq->argument;
	size_t length = strlen(argument);

	if (length <= REFERENCE_MAX && strspn(argument, plain) == length)
		return true;
	return parameter_refuse(writing->rq, "id", writing->write->reference);
}

/* --- the call -------------------------------------------------------------- */

/* How many columns are for the client: what follows tells us what was wrong. */
static int
shown_columns(const struct db_row *row)
{
	int columns = 0;

	while (strcmp(db_column_name(row, columns), "status") != 0)
		columns++; /* each of these functions has it */
	return columns;
}

/* What the database found wrong. */
static void
take_problem(
    struct writing *writing, const struct db_row *row, const char *status)
{
	const char *item = row_text(row, "item");
	const char *field = row_text(row, "field");
	struct arena *arena = writing->rq->arena;
	struct fields fields = {
		.arena = arena,
		.path = "",
		.problems = &writing->problems,
	};
	const char *problem = row_word(row, "problem");

	if (writing->status == 0) {
		writing->status = (int)strtol(status, NULL, 10);
		writing->message = arena_printf(arena, "%s", problem);
	}
	if (field == NULL)
		return;
	if (writing->is_list && item != NULL)
		fields.path = arena_printf(arena, "[%s]", item);
	fields_add(&fields, field, arena_printf(arena, "%s", problem));
}

/* db_row_function: a row that was written, or a problem. */
static bool
take_row(void *context, const struct db_row *row)
{
	struct writing *writing = context;
	const char *status = row_text(row, "status");

	if (status != NULL) {
		take_problem(writing, row, status);
		return true;
	}
	(void)snprintf(
	    writing->id, sizeof(writing->id), "%s", row_word(row, "id"));
	if (writing->rows++ > 0)
		(void)buf_add_byte(writing->out, ',');
	return row_part_to_json(writing->out, row, shown_columns(row));
}

/* Who it was, for the audit log. */
static const char *
actor_of(const struct request *rq)
{
	return arena_printf(
	    rq->arena, "key %s %s", rq->caller.key_id, rq->caller.name);
}

/* Nobody knows: it may have been committed all the same. */
static void
refuse_unknown(struct request *rq)
{
	response_refuse(rq, 503, "DATABASE.IN_DOUBT", NULL,
	    "The database did not answer in time; what was asked may have been "
	    "done.");
}

static void
refuse_failed(struct writing *writing, enum db_status status)
{
	struct request *rq = writing->rq;

	if (status == DB_LATE)
		refuse_unknown(rq);
	else
		response_refuse_db_of(rq, rq->service->primary, status);
}

/* False when the request was refused. */
static bool
check_outcome(struct writing *writing, enum db_status status)
{
	if (status != DB_OK)
		refuse_failed(writing, status);
	else if (writing->status != 0 && writing->problems.total == 0)
		response_refuse(writing->rq, writing->status,
		    writing->status == 403 ? "MODE.FOREIGN" : "CONFLICT", NULL,
		    writing->message);
	else if (writing->status != 0)
		(void)refuse_problems(writing, writing->status);
	else if (writing->rows == 0)
		response_refuse(writing->rq, 404, "NOT_FOUND", "id",
		    "Nothing with this id is recorded.");
	else
		return true;
	return false;
}

/* Calls the function; its rows go to the answer.  False when the request was
 * refused. */
static bool
call(struct writing *writing, const struct db_value *values, int count)
{
	struct request *rq = writing->rq;
	const struct db_call db_write = {
		.function = writing->write->function,
		.values = values,
		.count = count,
		.deadline_ms = rq->started_us / 1000 + ANSWER_MS +
		    (int64_t)writing->items * ANSWER_MS_EACH,
	};

	return check_outcome(writing,
	    db_call(rq->service->primary, &db_write, take_row, writing));
}

/* db_row_function */
static bool
show_row(void *context, const struct db_row *row)
{
	struct writing *writing = context;

	writing->rows++;
	return row_to_json(writing->out, row);
}

/* The one thing that was written, as reads show it.  False when the request was
 * refused. */
static bool
show(struct writing *writing)
{
	struct request *rq = writing->rq;
	const struct db_value id = db_text(writing->id);
	const struct db_call db_read = {
		.function = writing->write->view,
		.sql =
		    arena_printf(rq->arena, "select %s from %s where id = $1",
			writing->write->columns, writing->write->view),
		.values = &id,
		.count = 1,
		.deadline_ms = rq->started_us / 1000 + ANSWER_MS,
	};

	writing->out = response_buf();
	(void)buf_add_string(writing->out, "{\"status\":\"success\",\"data\":");
	if (db_call(rq->service->primary, &db_read, show_row, writing) !=
	    DB_OK) {
		refuse_unknown(rq);
		return false;
	}
	(void)buf_add_byte(writing->out, '}');
	return true;
}

/* --- the handlers ------------------------------------------------------------ */

static void
answer_inserted(struct writing *writing)
{
	struct request *rq = writing->rq;

	if (writing->is_list) {
		(void)buf_add_string(writing->out, "]}}");
		response_json(rq, 201, writing->out);
	} else if (show(writing)) {
		response_created(rq,
		    arena_printf(rq->arena, "%s%s", writing->write->location,
			writing->id),
		    writing->out);
	}
}

static void
insert(struct writing *writing)
{
	struct request *rq = writing->rq;
	char call_id[UUID_BYTES + 1];

	uuid_make(call_id);
	const struct db_value values[] = {
		db_text(call_id),
		db_text(rq->body.data),
		db_text(request_mode(rq)),
		db_text(actor_of(rq)),
		db_text(rq->id),
	};

	writing->out = response_buf();
	(void)buf_addf(writing->out,
	    "{\"status\":\"success\",\"data\":{\"%s\":[",
	    writing->write->plural);
	if (call(writing, values, sizeof(values) / sizeof(values[0])))
		answer_inserted(writing);
}

void
write_insert(struct request *rq, const void *data)
{
	struct writing writing = { .rq = rq, .write = data };

	if (!check_head(rq, false))
		return;
	writing.body = read_body(rq);
	if (writing.body != NULL && check_items(&writing))
		insert(&writing);
	give_back(&writing);
}

static void
amend(struct writing *writing)
{
	struct request *rq = writing->rq;
	const struct db_value values[] = {
		db_text(rq->argument),
		db_text(rq->body.data),
		db_text(request_mode(rq)),
		db_text(actor_of(rq)),
		db_text(rq->id),
	};

	writing->out = response_buf();
	if (call(writing, values, sizeof(values) / sizeof(values[0])) &&
	    show(writing))
		response_json(rq, 200, writing->out);
}

void
write_amend(struct request *rq, const void *data)
{
	struct writing writing = { .rq = rq, .write = data };

	if (!check_head(rq, true) || !check_reference(&writing))
		return;
	writing.body = read_body(rq);
	if (writing.body != NULL && check_patch(&writing))
		amend(&writing);
	give_back(&writing);
}

void
write_act(struct request *rq, const void *data)
{
	struct writing writing = { .rq = rq, .write = data };
	const struct db_value values[] = {
		db_text(rq->argument),
		db_text(request_mode(rq)),
		db_text(actor_of(rq)),
		db_text(rq->id),
	};

	if (!check_query(rq) || !check_reference(&writing))
		return;
	writing.out = response_buf();
	(void)buf_add_string(writing.out, "{\"status\":\"success\",\"data\":");
	if (!call(&writing, values, sizeof(values) / sizeof(values[0])))
		return;
	(void)buf_add_byte(writing.out, '}');
	response_json(rq, 200, writing.out);
}
