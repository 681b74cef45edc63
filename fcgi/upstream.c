/*
 * One call to EasyPost: who asks, whether it may go, sending, keeping what came.
 *
 * Leaves what is asked, and what becomes of the answer, to the handlers.
 */
#include "fcgi/upstream.h"
#include "fcgi/base64.h"
#include "fcgi/guard.h"
#include "fcgi/record.h"
#include "fcgi/response.h"
#include "fcgi/target.h"
#include "shared/clock.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

enum {
	CREDENTIALS_MAX = 1024,
	RETRY_S = 5,
	SILENCES_TO_GIVE_UP = 3,
	SILENCE_MS = 1000, /* what fails sooner keeps nobody waiting */
	LOOK_EVERY_MS = 2000,
	LOOK_MOST_MS = 60000, /* no request lasts longer */
};

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

/* The worker's, so that the memory of answers is used again. */
static struct reply *
kept_answer(bool is_beside)
{
	static struct reply answers[2];
	static bool is_made;

	if (!is_made) {
		reply_init(&answers[0]);
		reply_init(&answers[1]);
	}
	is_made = true;
	return &answers[is_beside];
}

void
upstream_add_header(struct upstream *call, const char *name, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	if (call->header_count == UPSTREAM_HEADERS_MAX)
		log_panic("upstream.header", "more headers than there is room");
	call->headers[call->header_count++] =
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
		log_panic("upstream.key", "the EasyPost key is too long");
	explicit_bzero(user, sizeof(user));
	return header;
}

void
upstream_refuse_mode(struct request *rq)
{
	response_refuse(rq, 503, "MODE.NOT_CONFIGURED", NULL,
	    rq->caller.is_test
		? "No EasyPost key for the test mode is configured here."
		: "No EasyPost key for the production mode is configured "
		  "here.");
}

bool
upstream_authorize(struct upstream *call)
{
	struct request *rq = call->rq;
	const char *key;

	if (rq->caller.kind == CALLER_EASYPOST_KEY) {
		upstream_add_header(call, "Authorization",
		    request_header(rq, "HTTP_AUTHORIZATION"));
		return true;
	}
	key = guard_easypost_key(rq);
	if (key != NULL) {
		upstream_add_header(
		    call, "Authorization", exchange_key(rq, key));
		return true;
	}
	upstream_refuse_mode(rq);
	return false;
}

/* Money is spent only when the record of it has a place to go to. */
static bool
check_place(const struct upstream *call)
{
	if (!call->is_write || record_has_place(call->rq))
		return true;
	response_refuse_for(call->rq, 503, "DATABASE.UNAVAILABLE",
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

bool
upstream_check(struct upstream *call)
{
	return check_place(call) && check_client(call->rq);
}

static int64_t
end_of(const struct request *rq)
{
	return rq->started_us / 1000 + rq->service->pool->upstream_ms;
}

bool
upstream_has_time(const struct request *rq, int ms)
{
	return clock_left_ms(end_of(rq)) >= ms;
}

static struct record
make_record(const struct upstream *call)
{
	return (struct record){ false, call->method, call->path, call->query,
		call->answer };
}

static enum easypost_result
exchange(struct upstream *call)
{
	struct request *rq = call->rq;
	bool has_query = *call->query != '\0';
	const struct easypost_request request = {
		.method = call->method,
		.target = arena_printf(rq->arena, "%s%s%s", call->path,
		    has_query ? "?" : "", call->query),
		.headers = call->headers,
		.header_count = call->header_count,
		.body = call->body,
		.body_bytes = call->body_bytes,
		.has_body = call->has_body,
		.spends_money = target_spends_money(call->method, call->path),
		.deadline_ms = end_of(rq) - call->reserve_ms,
	};

	return easypost_send(rq->service->easypost, &request, call->answer);
}

static struct fuse *
fuse_of(const struct upstream *call)
{
	return &scoreboard_fuses(call->rq->service->scoreboard)->easypost;
}

/* A call that waited for long in vain says that EasyPost is down; any answer
 * says that it is not. */
static void
note(const struct upstream *call, enum easypost_result result, int64_t took_ms)
{
	bool is_silent =
	    result == EASYPOST_LATE || result == EASYPOST_UNREACHABLE;

	if (result == EASYPOST_ANSWERED && fuse_note_success(fuse_of(call)))
		log_event(LOG_NOTICE, "upstream.back",
		    LOG_TEXT("request_id", call->rq->id));
	else if (is_silent && took_ms >= SILENCE_MS &&
	    fuse_note_failure(
		fuse_of(call), SILENCES_TO_GIVE_UP, LOOK_EVERY_MS))
		log_event(LOG_ERROR, "upstream.down",
		    LOG_TEXT("request_id", call->rq->id),
		    LOG_TEXT("next",
			"calls fail at once, but for one now and "
			"then"));
}

/* Sends it, unless EasyPost is known to be down and it is not this call's turn
 * to look. */
static enum easypost_result
try(struct upstream *call)
{
	enum easypost_result result = EASYPOST_UNREACHABLE;
	int64_t began_ms = clock_ms();

	if (fuse_is_blown(fuse_of(call)) &&
	    !fuse_takes_turn(fuse_of(call), 0, LOOK_MOST_MS)) {
		reply_reset(call->answer);
		return result;
	}
	result = exchange(call);
	note(call, result, clock_ms() - began_ms);
	return result;
}

enum easypost_result
upstream_send(struct upstream *call)
{
	struct request *rq = call->rq;
	enum easypost_result result;

	call->answer = kept_answer(call->is_beside);
	call->is_recorded = rq->service->db != NULL;
	upstream_add_header(call, "X-Request-Id", rq->id);
	result = try(call);
	if (result != EASYPOST_ANSWERED)
		return result;
	/* What is no HTTP cannot be relayed, nor believed. */
	if (call->answer->status < 200 || call->answer->status > 599)
		return EASYPOST_IN_DOUBT;
	if (call->is_write)
		upstream_keep(call);
	return EASYPOST_ANSWERED;
}

void
upstream_refuse(
    struct upstream *call, enum easypost_result result, const char *hint)
{
	struct request *rq = call->rq;
	const struct failure *failure = &failures[result];
	const char *message =
	    call->is_write ? failure->of_write : failure->of_read;

	log_event(LOG_WARNING, "upstream.failed",
	    LOG_TEXT("request_id", rq->id), LOG_TEXT("code", failure->code),
	    LOG_TEXT("message", easypost_error(rq->service->easypost)));
	if (hint != NULL)
		message = arena_printf(rq->arena, "%s %s", message, hint);
	response_refuse(rq, failure->status, failure->code, NULL, message);
}

void
upstream_keep(struct upstream *call)
{
	struct record record = make_record(call);

	if (record_is_worth(call->rq, call->answer))
		call->is_recorded = record_write(call->rq, &record);
	call->is_kept = true;
}

void
upstream_end(struct upstream *call)
{
	struct record record = make_record(call);

	if (!call->is_kept && record_is_worth(call->rq, call->answer)) {
		if (call->rq->status != 0)
			request_finish(call->rq);
		record_read(call->rq, &record);
	}
	/* It may be as large as ten workers, and this one be idle for long. */
	reply_reset(call->answer);
}
