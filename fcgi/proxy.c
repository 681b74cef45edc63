/*
 * The recording proxy.
 *
 * A request goes to EasyPost as it came and its answer back as it came; on the
 * way record.c keeps the answer.  What must stay true: the answer to a write
 * leaves only after it was kept; nothing that may cost money is sent when it
 * could not be; no byte of an answer is changed.
 */
#include "fcgi/proxy.h"
#include "fcgi/base64.h"
#include "fcgi/guard.h"
#include "fcgi/record.h"
#include "fcgi/response.h"
#include "fcgi/target.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	BODY_MAX = 10 * 1024 * 1024,
	HEADERS_MAX = EASYPOST_HEADERS_MAX + 3,
	HEADERS_BYTES = 12 * 1024, /* nginx has 16 KB for a whole header, and
	                              gives up an answer that needs more */
	CREDENTIALS_MAX = 1024,
	RETRY_S = 5,
};

/* Headers that go up, by their CGI names.  Authorization and X-Request-Id are
 * made apart; Idempotency-Key is none of EasyPost's business. */
static const struct {
	const char *cgi_name;
	const char *name;
} relayed_up[] = {
	{ "CONTENT_TYPE", "Content-Type" },
	{ "HTTP_CONTENT_ENCODING", "Content-Encoding" },
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
		/* A HEAD with content means nothing (RFC 9110, 9.3.2). */
		.has_body =
		    passage->is_write || (rq->body.len > 0 && !rq->is_head),
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

/* The headers for the client, as far as there is room; returns their number. */
static int
choose_headers(const struct passage *passage, struct request_header *down)
{
	const struct easypost_answer *answer = passage->answer;
	size_t left = HEADERS_BYTES;
	int count = 0;

	for (int i = 0; i < answer->header_count; i++) {
		const struct easypost_header *header = &answer->headers[i];
		/* With its colon, space and line end. */
		size_t bytes = strlen(header->name) + strlen(header->value) + 4;

		if (!is_relayed_down(passage, header->name) || bytes > left)
			continue;
		left -= bytes;
		down[count++] =
		    (struct request_header){ header->name, header->value };
	}
	return count;
}

static void
relay_answer(struct passage *passage)
{
	struct request *rq = passage->rq;
	const struct easypost_answer *answer = passage->answer;
	struct request_header down[HEADERS_MAX];
	int count = choose_headers(passage, down);
	char length[24];

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
	struct request *rq = passage->rq;
	bool is_worth = record_is_worth(rq, passage->answer);

	if (is_worth && passage->is_write)
		passage->is_recorded = record_write(rq, passage->answer);
	relay_answer(passage);
	if (!is_worth || passage->is_write)
		return;
	request_finish(rq);
	record_read(rq, passage->answer);
}

/* Money is spent only when the record of it has a place to go to. */
static bool
check_place(const struct passage *passage)
{
	if (!passage->is_write || record_has_place(passage->rq))
		return true;
	response_refuse_for(passage->rq, 503, "DATABASE.UNAVAILABLE",
	    "The answer could not be recorded at the moment; nothing was sent "
	    "to EasyPost.",
	    RETRY_S);
	return false;
}

/* A request may have waited for this worker for long.  Who gave up meanwhile
 * may have asked again: what nobody waits for is not sent. */
static bool
check_client(struct request *rq)
{
	if (request_has_client(rq))
		return true;
	response_refuse(rq, 499, "CLIENT.GONE", NULL,
	    "The client went away; nothing was sent to EasyPost.");
	return false;
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
	    !check_body(rq) || !check_place(&passage) || !check_client(rq))
		return;
	add_headers(&passage);
	result = send_up(&passage);
	if (result == EASYPOST_ANSWERED)
		finish(&passage);
	else
		refuse_failure(&passage, result);
	/* It may be as large as ten workers, and this one be idle for long. */
	easypost_answer_reset(passage.answer);
}
