/*
 * The recording proxy.
 *
 * A request goes to EasyPost as it came and its answer back as it came; on the
 * way the answer is kept.  What a document means is the database's part.  What
 * must stay true: the answer to a write leaves only after its record is durable
 * (in the database, else in the spool); nothing that may cost money is sent
 * when neither could take the record; no byte of an answer is changed.
 */
#include "fcgi/proxy.h"
#include "fcgi/base64.h"
#include "fcgi/guard.h"
#include "fcgi/response.h"
#include "fcgi/target.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	BODY_MAX = 10 * 1024 * 1024,
	HEADERS_MAX = EASYPOST_HEADERS_MAX + 3,
	CREDENTIALS_MAX = 1024,
	RECORD_WRITE_MS = 3000, /* while the client waits */
	RECORD_READ_MS = 2000,  /* while only this worker waits */
	CONNECT_MS = 1000, /* more only where a connection is there already */
	RETRY_S = 5,
	ANSWER_EXPECTED = 1024 * 1024, /* a purchase with its label inside */
};

/* Headers that go up, by their CGI names.  Authorization and X-Request-Id are
 * made apart; Idempotency-Key is none of EasyPost's business. */
static const struct {
	const char *cgi_name;
	const char *name;
} relayed_up[] = {
	{ "CONTENT_TYPE", "Content-Type" },
	{ "HTTP_ACCEPT", "Accept" },
	{ "HTTP_USER_AGENT", "User-Agent" },
	{ "HTTP_TRACEPARENT", "traceparent" },
};

enum { RELAYED_UP = sizeof(relayed_up) / sizeof(relayed_up[0]) };

/* Headers that come down, besides all that begin with X-EP-. */
static const char *const relayed_down[] = { "Content-Type", "Location",
	"Cache-Control", "Retry-After", "Content-Disposition", "ETag",
	"Last-Modified", "X-Runtime", "X-Version-Label", "X-Backend" };

/* One failure of EasyPost: what it means for a read, and for a write. */
static const struct failure {
	int status;
	const char *code;
	const char *of_read;
	const char *of_write;
} failures[] = {
	[EASYPOST_UNREACHABLE] = { 502, "UPSTREAM.UNREACHABLE",
	    "EasyPost cannot be reached. Please try again.",
	    "EasyPost cannot be reached; the request was not executed and may "
	    "be sent again." },
	[EASYPOST_UNTRUSTED] = { 502, "UPSTREAM.UNTRUSTED",
	    "EasyPost's certificate is not trusted; nothing was sent.",
	    "EasyPost's certificate is not trusted; the request was not "
	    "executed." },
	[EASYPOST_IN_DOUBT] = { 502, "UPSTREAM.IN_DOUBT",
	    "The connection to EasyPost broke. Please try again.",
	    "The connection to EasyPost broke before its answer was whole. The "
	    "request may have been executed: look it up before sending it "
	    "again." },
	[EASYPOST_LATE] = { 504, "UPSTREAM.TIMEOUT",
	    "EasyPost did not answer in time. Please try again.",
	    "EasyPost did not answer in time. The request may have been "
	    "executed: look it up before sending it again." },
	[EASYPOST_TOO_LARGE] = { 502, "UPSTREAM.TOO_LARGE",
	    "EasyPost's answer is larger than 32 MiB.",
	    "EasyPost's answer is larger than 32 MiB. The request may have "
	    "been executed: look it up before sending it again." },
};

/* One request on its way. */
struct passage {
	struct request *rq;
	bool is_write;
	struct easypost_header up[RELAYED_UP + 2];
	int up_count;
	struct easypost_answer *answer;
	bool is_recorded;
};

/* The worker's, so that the memory of answers is used again. */
static struct easypost_answer *
kept_answer(void)
{
	static struct easypost_answer answer;
	static bool is_made;

	if (!is_made)
		easypost_answer_init(&answer);
	is_made = true;
	return &answer;
}

/* Whether doing it changes nothing there. */
static bool
is_read(const struct request *rq)
{
	return strcmp(rq->method, "GET") == 0 || rq->is_head ||
	    strcmp(rq->method, "OPTIONS") == 0;
}

static bool
check_target(struct request *rq)
{
	if (!target_path_is_valid(rq->path))
		response_refuse(rq, 400, "PATH.INVALID", NULL,
		    "A path is made of segments of letters, digits and "
		    "_ . ~ : @ -, none of them . or ..");
	else if (!target_query_is_valid(rq->query))
		response_refuse(rq, 400, "PARAMETER.INVALID", NULL,
		    "The query string may hold visible ASCII characters only, "
		    "others as %XX.");
	else
		return true;
	return false;
}

static bool
check_body(struct request *rq)
{
	if (request_content_length(rq) > BODY_MAX)
		response_refuse(rq, 413, "BODY.TOO_LARGE", NULL,
		    "A body may have 10 MiB at most.");
	else if (!request_read_body(rq, BODY_MAX))
		response_refuse(rq, 400, "BODY.INCOMPLETE", NULL,
		    "The body did not come as long as Content-Length says.");
	else
		return true;
	return false;
}

/* True when the database answers now. */
static bool
is_database_there(struct request *rq)
{
	const struct db_call probe = {
		.function = "api.health",
		.deadline_ms = clock_ms() + CONNECT_MS,
	};

	return db_is_connected(rq->service->db) ||
	    db_call(rq->service->db, &probe, NULL, NULL) == DB_OK;
}

/* Money is spent only when the record of it has a place to go to. */
static bool
check_place(const struct passage *passage)
{
	struct request *rq = passage->rq;
	const struct conf *conf = rq->service->conf;

	if (!passage->is_write || rq->service->db == NULL ||
	    db_is_connected(rq->service->db) ||
	    spool_has_room(conf->spool_dir, conf->spool_max_bytes,
		conf->spool_max_files, ANSWER_EXPECTED) ||
	    is_database_there(rq))
		return true;
	response_refuse_for(rq, 503, "DATABASE.UNAVAILABLE",
	    "The answer could not be recorded at the moment; nothing was sent "
	    "to EasyPost.",
	    RETRY_S);
	return false;
}

static void
add_up(struct passage *passage, const char *name, const char *value)
{
	if (value != NULL && *value != '\0')
		passage->up[passage->up_count++] =
		    (struct easypost_header){ name, value };
}

/* The header for a gateway key: the EasyPost key of its mode as Basic. */
static const char *
exchange_key(struct request *rq, const char *key)
{
	char user[CREDENTIALS_MAX / 2];
	char *header = arena_alloc(rq->arena, CREDENTIALS_MAX);
	int bytes = snprintf(user, sizeof(user), "%s:", key);
	static const char scheme[] = "Basic ";

	memcpy(header, scheme, sizeof(scheme));
	if (bytes < 0 || (size_t)bytes >= sizeof(user) ||
	    !base64_encode(user, (size_t)bytes, header + strlen(scheme),
		CREDENTIALS_MAX - strlen(scheme)))
		log_panic("proxy.key", "the EasyPost key is too long");
	explicit_bzero(user, sizeof(user));
	return header;
}

/* False, and refused, when there is no key of the caller's mode. */
static bool
add_authorization(struct passage *passage)
{
	struct request *rq = passage->rq;
	const char *key;

	if (rq->caller.kind == CALLER_EASYPOST_KEY) {
		add_up(passage, "Authorization",
		    request_header(rq, "HTTP_AUTHORIZATION"));
		return true;
	}
	key = guard_easypost_key(rq);
	if (key != NULL) {
		add_up(passage, "Authorization", exchange_key(rq, key));
		return true;
	}
	response_refuse(rq, 503, "MODE.NOT_CONFIGURED", NULL,
	    rq->caller.is_test
		? "No EasyPost key for the test mode is configured here."
		: "No EasyPost key for the production mode is configured "
		  "here.");
	return false;
}

static void
add_headers(struct passage *passage)
{
	for (int i = 0; i < RELAYED_UP; i++)
		add_up(passage, relayed_up[i].name,
		    request_header(passage->rq, relayed_up[i].cgi_name));
	add_up(passage, "X-Request-Id", passage->rq->id);
}

static enum easypost_result
send_up(struct passage *passage)
{
	struct request *rq = passage->rq;
	bool has_query = *rq->query != '\0';
	const struct easypost_request request = {
		.method = rq->method,
		.target = arena_printf(rq->arena, "%s%s%s", rq->path,
		    has_query ? "?" : "", rq->query),
		.headers = passage->up,
		.header_count = passage->up_count,
		.body = rq->body.data,
		.body_bytes = rq->body.len,
		.has_body = rq->body.len > 0 || passage->is_write,
		.spends_money = target_spends_money(rq->method, rq->path),
		.deadline_ms =
		    rq->started_us / 1000 + rq->service->pool->upstream_ms,
	};

	enum easypost_result result =
	    easypost_send(rq->service->easypost, &request, passage->answer);

	/* What is no HTTP cannot be relayed, nor believed. */
	if (result == EASYPOST_ANSWERED &&
	    (passage->answer->status < 200 || passage->answer->status > 599))
		result = EASYPOST_IN_DOUBT;
	return result;
}

static void
refuse_failure(struct passage *passage, enum easypost_result result)
{
	struct request *rq = passage->rq;
	const struct failure *failure = &failures[result];

	log_event(LOG_WARNING, "upstream.failed",
	    LOG_TEXT("request_id", rq->id), LOG_TEXT("code", failure->code),
	    LOG_TEXT("message", easypost_error(rq->service->easypost)));
	response_refuse(rq, failure->status, failure->code, NULL,
	    passage->is_write ? failure->of_write : failure->of_read);
}

static bool
looks_like_json(const struct easypost_answer *answer)
{
	const char *type = easypost_header(answer, "Content-Type");
	const char *body = answer->body.data;
	size_t spaces;

	if (answer->body.len == 0)
		return false;
	if (type != NULL && strncasecmp(type, "application/json", 16) == 0)
		return true;
	spaces = strspn(body, " \t\r\n"); /* ends at its zero byte */
	return body[spaces] == '{' || body[spaces] == '[';
}

/* Only what EasyPost did is history; its refusals are not. */
static bool
is_worth_recording(const struct passage *passage)
{
	int status = passage->answer->status;

	return passage->rq->service->db != NULL && status >= 200 &&
	    status <= 299 && looks_like_json(passage->answer);
}

static struct spool_record
make_record(const struct passage *passage)
{
	const struct request *rq = passage->rq;

	return (struct spool_record){
		.kind = SPOOL_ANSWER,
		.request_id = rq->id,
		.method = rq->method,
		.path = rq->path,
		.query = rq->query,
		.mode = rq->caller.is_test ? "test" : "production",
		.status = passage->answer->status,
		.body = passage->answer->body.data,
		.body_bytes = passage->answer->body.len,
	};
}

/* A server that hangs shows itself when connecting: then the spool is faster. */
static int
limit_of(const struct request *rq, int limit_ms)
{
	return db_is_connected(rq->service->db) ? limit_ms : CONNECT_MS;
}

static enum db_status
record_in_database(
    struct request *rq, const struct spool_record *record, int limit_ms)
{
	char status[16];
	const struct db_value values[] = {
		db_text(record->method),
		db_text(record->path),
		db_text(record->query),
		db_text(status),
		db_bytes(record->body, record->body_bytes),
		db_text(record->mode),
		db_text(record->request_id),
	};
	const struct db_call call = {
		.function = "api.record_answer",
		.values = values,
		.count = sizeof(values) / sizeof(values[0]),
		.deadline_ms = clock_ms() + limit_of(rq, limit_ms),
	};

	(void)snprintf(status, sizeof(status), "%d", record->status);
	return db_call(rq->service->db, &call, NULL, NULL);
}

static const char *
database_reason(const struct request *rq)
{
	const struct db_error *error = db_error(rq->service->db);

	return *error->sqlstate == '\0' ? error->message : error->sqlstate;
}

static void
log_unrecorded(const struct request *rq, enum log_priority priority,
    const char *reason, const char *next)
{
	log_event(priority, "answer.not_recorded",
	    LOG_TEXT("request_id", rq->id), LOG_TEXT("method", rq->method),
	    LOG_TEXT("path", rq->path), LOG_TEXT("reason", reason),
	    LOG_TEXT("next", next));
}

/* Before the answer: durable, or loudly not.  What EasyPost did must reach the
 * client even then. */
static void
record_write(struct passage *passage)
{
	struct request *rq = passage->rq;
	const struct conf *conf = rq->service->conf;
	const struct spool_record record = make_record(passage);

	if (record_in_database(rq, &record, RECORD_WRITE_MS) == DB_OK)
		return;
	log_unrecorded(
	    rq, LOG_WARNING, db_error(rq->service->db)->sqlstate, "spool");
	if (spool_keep(conf->spool_dir, conf->spool_max_bytes,
		conf->spool_max_files, &record))
		return;
	log_unrecorded(
	    rq, LOG_CRITICAL, strerror(errno), "answered without a record");
	passage->is_recorded = false;
}

/* After the answer: an object that was only read can be read again. */
static void
record_read(struct passage *passage)
{
	const struct spool_record record = make_record(passage);
	struct request *rq = passage->rq;

	if (record_in_database(rq, &record, RECORD_READ_MS) != DB_OK)
		log_unrecorded(rq, LOG_WARNING, database_reason(rq), "nothing");
}

static bool
is_relayed_down(const struct passage *passage, const char *name)
{
	for (size_t i = 0; i < sizeof(relayed_down) / sizeof(relayed_down[0]);
	     i++)
		if (strcasecmp(name, relayed_down[i]) == 0)
			return true;
	if (strcasecmp(name, "Content-Encoding") == 0)
		return passage->answer->has_content_encoding;
	return strncasecmp(name, "X-EP-", 5) == 0;
}

static bool
has_body(const struct passage *passage)
{
	int status = passage->answer->status;

	return !passage->rq->is_head && status != 204 && status != 304;
}

static void
relay_answer(struct passage *passage)
{
	struct request *rq = passage->rq;
	const struct easypost_answer *answer = passage->answer;
	struct request_header down[HEADERS_MAX];
	int count = 0;
	char length[24];

	for (int i = 0; i < answer->header_count; i++)
		if (is_relayed_down(passage, answer->headers[i].name))
			down[count++] =
			    (struct request_header){ answer->headers[i].name,
				    answer->headers[i].value };
	(void)snprintf(length, sizeof(length), "%zu", answer->body.len);
	if (has_body(passage))
		down[count++] =
		    (struct request_header){ "Content-Length", length };
	if (!passage->is_recorded)
		down[count++] =
		    (struct request_header){ "X-Waybill-Recorded", "no" };
	request_start_answer(rq, answer->status, down, count);
	if (has_body(passage))
		request_write(rq, answer->body.data, answer->body.len);
}

/* Relays and records, in the order that each kind demands. */
static void
finish(struct passage *passage)
{
	bool is_worth = is_worth_recording(passage);

	if (is_worth && passage->is_write)
		record_write(passage);
	relay_answer(passage);
	if (!is_worth || passage->is_write)
		return;
	request_finish(passage->rq);
	record_read(passage);
}

void
proxy_handle(struct request *rq, const void *unused)
{
	struct passage passage = {
		.rq = rq,
		.is_write = !is_read(rq),
		.answer = kept_answer(),
		.is_recorded = rq->service->db != NULL,
	};
	enum easypost_result result;

	(void)unused;
	if (!check_target(rq) || !add_authorization(&passage) ||
	    !check_body(rq) || !check_place(&passage))
		return;
	add_headers(&passage);
	result = send_up(&passage);
	if (result == EASYPOST_ANSWERED)
		finish(&passage);
	else
		refuse_failure(&passage, result);
}
