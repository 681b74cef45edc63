/*
 * Answers: the two envelopes, and what a failure of the database means.
 *
 * Leaves bytes and headers to request.c and the shape of data to row.c and the
 * database.  What must stay true: a refusal says what is wrong and what is
 * allowed, and nothing about our insides; those go to the log under the same
 * request id.
 */
#include "fcgi/response.h"
#include "fcgi/activity.h"
#include "fcgi/etag.h"
#include "fcgi/row.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

enum {
	BODY_KEPT = 256 * 1024, /* of a large answer's memory, until the next */
	HEADERS_MAX = 6,
	PAUSE_S = 2, /* a server that restarts is back after about this long */
};

static const char message_internal[] =
    "Something went wrong here. The log has more under this request id.";
static const char message_value[] =
    "The database cannot take a value of this request.";
static const char message_away[] =
    "The database cannot be reached at the moment. Please try again.";
static const char message_late[] =
    "The database did not answer in time. Please try again or ask for less.";

struct buf *
response_buf(void)
{
	static struct buf body;
	static bool is_made;

	if (!is_made)
		buf_init(&body, RESPONSE_BODY_MAX);
	is_made = true;
	buf_reset(&body, BODY_KEPT);
	return &body;
}

bool
response_has_easypost_envelope(const struct request *rq)
{
	return strncmp(rq->path, "/v2/", 4) == 0 ||
	    strncmp(rq->path, "/beta/", 6) == 0;
}

static void
add_member(struct buf *body, const char *name, const char *text)
{
	(void)buf_addf(body, "\"%s\":", name);
	(void)row_string(body, text, strlen(text));
}

static void
add_problems(struct buf *body, const struct response_refusal *refusal)
{
	const struct response_problem one = { refusal->field,
		refusal->message };
	const struct response_problem *problems = refusal->problems;
	int count = refusal->problem_count;

	if (problems == NULL) {
		problems = &one;
		count = refusal->field == NULL ? 0 : 1;
	}
	for (int i = 0; i < count; i++) {
		(void)buf_add_string(body, i == 0 ? "{" : ",{");
		add_member(body, "field", problems[i].field);
		(void)buf_add_byte(body, ',');
		add_member(body, "message", problems[i].message);
		(void)buf_add_byte(body, '}');
	}
}

/* {"code","message","errors":[{"field","message"}]} */
static void
add_error(struct buf *body, const struct response_refusal *refusal)
{
	if (refusal->verbatim != NULL) {
		(void)buf_add_string(body, refusal->verbatim);
		return;
	}
	(void)buf_add_byte(body, '{');
	add_member(body, "code", refusal->code);
	(void)buf_add_byte(body, ',');
	add_member(body, "message", refusal->message);
	(void)buf_add_string(body, ",\"errors\":[");
	add_problems(body, refusal);
	(void)buf_add_string(body, "]}");
}

static void
log_refusal(const struct request *rq, const struct response_refusal *refusal)
{
	log_event(refusal->status >= 500 ? LOG_WARNING : LOG_NOTICE, "refused",
	    LOG_TEXT("request_id", rq->id),
	    LOG_NUMBER("status", refusal->status),
	    LOG_TEXT("code", refusal->code), LOG_TEXT("field", refusal->field),
	    LOG_TEXT("message", refusal->message),
	    LOG_TEXT(
		"caller", *rq->caller.name == '\0' ? NULL : rq->caller.name));
}

/* Sends the body as JSON that nobody may keep, with `count` more headers. */
static void
send_json(struct request *rq, int status, const struct buf *body,
    const struct request_header *more, int count)
{
	char length[24];
	struct request_header headers[HEADERS_MAX] = {
		{ "Content-Type", "application/json" },
		{ "Cache-Control", "no-store" },
		{ "Content-Length", length },
	};
	int total = 3;

	(void)snprintf(length, sizeof(length), "%zu", body->len);
	for (int i = 0; i < count && total < HEADERS_MAX; i++)
		headers[total++] = more[i];
	request_start_answer(rq, status, headers, total);
	request_write(rq, body->data, body->len);
	/* It may be as large as four workers, and this one be idle for long. */
	(void)response_buf();
}

void
response_refuse_with(struct request *rq, const struct response_refusal *refusal)
{
	struct buf *body = response_buf();

	rq->error_code = refusal->code;
	log_refusal(rq, refusal);
	if (rq->status != 0) /* too late: its first bytes are on their way */
		return;
	if (response_has_easypost_envelope(rq)) {
		(void)buf_add_string(body, "{\"error\":");
		add_error(body, refusal);
	} else {
		(void)buf_add_string(body, "{\"status\":\"error\",\"error\":");
		add_error(body, refusal);
		(void)buf_add_byte(body, ',');
		add_member(body, "request_id", rq->id);
	}
	(void)buf_add_byte(body, '}');
	send_json(
	    rq, refusal->status, body, refusal->headers, refusal->header_count);
}

void
response_refuse(struct request *rq, int status, const char *code,
    const char *field, const char *message)
{
	response_refuse_with(rq,
	    &(struct response_refusal){ .status = status,
		.code = code,
		.field = field,
		.message = message });
}

void
response_refuse_for(struct request *rq, int status, const char *code,
    const char *message, int retry_after_s)
{
	char seconds[16];
	const struct request_header header = { "Retry-After", seconds };

	(void)snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
	response_refuse_with(rq,
	    &(struct response_refusal){ .status = status,
		.code = code,
		.message = message,
		.headers = &header,
		.header_count = 1 });
}

/* What an SQLSTATE means to the client: the first line whose prefix fits.
 * Without a message the database's own is written for the client; not so those
 * of class 22, which quote values. */
static const struct meaning {
	const char *sqlstate;
	int status;
	const char *code;
	const char *message;
} meanings[] = {
	/* clang-format off */
	{ "PT400", 400, "PARAMETER.INVALID",    NULL },
	{ "PT404", 404, "NOT_FOUND",            NULL },
	{ "PT409", 409, "CONFLICT",             NULL },
	{ "PT422", 422, "UNPROCESSABLE",        NULL },
	{ "22",    400, "PARAMETER.INVALID",    message_value },
	{ "23505", 409, "CONFLICT",             "This exists already." },
	{ "40",    503, "DATABASE.UNAVAILABLE", message_away },
	{ "53",    503, "DATABASE.UNAVAILABLE", message_away },
	{ "57014", 504, "DATABASE.TIMEOUT",     message_late },
	{ "57P",   503, "DATABASE.UNAVAILABLE", message_away },
	{ "08",    503, "DATABASE.UNAVAILABLE", message_away },
	{ "25006", 503, "DATABASE.UNAVAILABLE", message_away },
	/* Functions and views are not there: they are in the making. */
	{ "3F000", 503, "DATABASE.UNAVAILABLE", message_away },
	{ "42P01", 503, "DATABASE.UNAVAILABLE", message_away },
	{ "",      500, "INTERNAL",             message_internal },
	/* clang-format on */
};

static const struct meaning *
find_meaning(const char *sqlstate)
{
	const struct meaning *meaning = meanings;

	while (strncmp(
		   sqlstate, meaning->sqlstate, strlen(meaning->sqlstate)) != 0)
		meaning++;
	return meaning;
}

/* The server said no; db.c has logged its words, this finds them. */
static void
refuse_refused(struct request *rq, const struct db *db)
{
	const struct db_error *error = db_error(db);
	const struct meaning *meaning = find_meaning(error->sqlstate);
	const char *message = meaning->message;

	log_event(meaning->status >= 500 ? LOG_ERROR : LOG_INFO,
	    "database.refused", LOG_TEXT("request_id", rq->id),
	    LOG_TEXT("sqlstate", error->sqlstate));
	if (message == NULL)
		message = arena_printf(rq->arena, "%s", error->message);
	if (meaning->status == 503)
		response_refuse_for(
		    rq, meaning->status, meaning->code, message, PAUSE_S);
	else
		response_refuse(
		    rq, meaning->status, meaning->code, NULL, message);
}

void
response_refuse_db_of(
    struct request *rq, const struct db *db, enum db_status status)
{
	if (status == DB_REFUSED)
		refuse_refused(rq, db);
	else if (status == DB_AWAY)
		response_refuse_for(
		    rq, 503, "DATABASE.UNAVAILABLE", message_away, PAUSE_S);
	else if (status == DB_LATE) /* and the connection was given up */
		response_refuse_for(
		    rq, 503, "DATABASE.UNAVAILABLE", message_late, PAUSE_S);
	else
		response_refuse(rq, 500, "INTERNAL", NULL, message_internal);
}

bool
response_needs_database(struct request *rq)
{
	if (rq->service->db == NULL)
		response_refuse(rq, 503, "DATABASE.NOT_CONFIGURED", NULL,
		    "No database is configured: nothing is recorded.");
	return rq->service->db != NULL;
}

void
response_refuse_db(struct request *rq, enum db_status status)
{
	response_refuse_db_of(rq, rq->service->db, status);
}

void
response_json(struct request *rq, int status, const struct buf *body)
{
	if (body->failed)
		response_refuse(rq, 500, "INTERNAL", NULL, message_internal);
	else
		send_json(rq, status, body, NULL, 0);
}

void
response_read(struct request *rq, const struct buf *body,
    const struct request_header *more, int count)
{
	char etag[ETAG_BYTES];
	char length[24];
	struct request_header headers[HEADERS_MAX] = {
		{ "ETag", etag },
		{ "Cache-Control", "private, no-cache" },
		{ "Content-Type", "application/json" },
		{ "Content-Length", length },
		{ "X-Waybill-Activity", activity_of_hits(rq) },
	};
	int total = headers[4].value == NULL ? 4 : 5;

	etag_make(body->data, body->len, etag);
	if (etag_matches(request_header(rq, "HTTP_IF_NONE_MATCH"), etag)) {
		request_start_answer(rq, 304, headers, 2);
	} else {
		(void)snprintf(length, sizeof(length), "%zu", body->len);
		for (int i = 0; i < count && total < HEADERS_MAX; i++)
			headers[total++] = more[i];
		request_start_answer(rq, 200, headers, total);
		request_write(rq, body->data, body->len);
	}
	(void)response_buf(); /* as in send_json() */
}

void
response_created(
    struct request *rq, const char *location, const struct buf *body)
{
	const struct request_header header = { "Location", location };

	if (body->failed)
		response_refuse(rq, 500, "INTERNAL", NULL, message_internal);
	else
		send_json(rq, 201, body, &header, 1);
}
