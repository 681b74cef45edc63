/*
 * The recording proxy.
 *
 * A request goes to EasyPost as it came and its answer back as it came; on the
 * way upstream.c keeps the answer; what spends money takes spending.c along.  What must stay true: no byte of a request's
 * body or of an answer is changed.
 */
#include "fcgi/proxy.h"
#include "fcgi/body.h"
#include "fcgi/response.h"
#include "fcgi/spending.h"
#include "fcgi/stale.h"
#include "fcgi/target.h"
#include "fcgi/upstream.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	BODY_MAX = 10 * 1024 * 1024,
	HEADERS_MAX = REPLY_HEADERS_MAX + 3,
	HEADERS_BYTES = 12 * 1024, /* nginx has 16 KB for a whole header, and
	                              gives up an answer that needs more */
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

static void
add_headers(struct upstream *call)
{
	for (int i = 0; i < RELAYED_UP; i++)
		upstream_add_header(call, relayed_up[i].name,
		    request_header(call->rq, relayed_up[i].cgi_name));
}

static bool
is_relayed_down(const char *name)
{
	for (size_t i = 0; i < sizeof(relayed_down) / sizeof(relayed_down[0]);
	     i++)
		if (strcasecmp(name, relayed_down[i]) == 0)
			return true;
	return strncasecmp(name, "X-EP-", 5) == 0;
}

static bool
has_body(const struct upstream *call)
{
	int status = call->answer->status;

	return !call->rq->is_head && status != 204 && status != 304;
}

/* The headers for the client, as far as there is room; returns their number. */
static int
choose_headers(const struct upstream *call, struct request_header *down)
{
	const struct reply *answer = call->answer;
	size_t left = HEADERS_BYTES;
	int count = 0;

	for (int i = 0; i < answer->header_count; i++) {
		const struct easypost_header *header = &answer->headers[i];
		/* With its colon, space and line end. */
		size_t bytes = strlen(header->name) + strlen(header->value) + 4;

		if (!is_relayed_down(header->name) || bytes > left)
			continue;
		left -= bytes;
		down[count++] =
		    (struct request_header){ header->name, header->value };
	}
	return count;
}

static void
relay_answer(struct upstream *call)
{
	struct request *rq = call->rq;
	const struct reply *answer = call->answer;
	struct request_header down[HEADERS_MAX];
	int count = choose_headers(call, down);
	char length[24];

	(void)snprintf(length, sizeof(length), "%zu", answer->body.len);
	if (has_body(call))
		down[count++] =
		    (struct request_header){ "Content-Length", length };
	if (!call->is_recorded)
		down[count++] =
		    (struct request_header){ "X-Waybill-Recorded", "no" };
	request_start_answer(rq, answer->status, down, count);
	if (has_body(call))
		request_write(rq, answer->body.data, answer->body.len);
}

static bool
is_down(const struct upstream *call, enum easypost_result result)
{
	return result != EASYPOST_ANSWERED || call->answer->status >= 500;
}

void
proxy_handle(struct request *rq, const void *unused)
{
	struct upstream call = {
		.rq = rq,
		.method = rq->method,
		.path = rq->path,
		.query = rq->query,
		.is_write = !is_read(rq),
	};
	enum easypost_result result;
	bool is_answered;

	(void)unused;
	if (!check_target(rq) || !upstream_authorize(&call) ||
	    !body_take(rq, BODY_MAX))
		return;
	call.body = rq->body.data;
	call.body_bytes = rq->body.len;
	/* A HEAD with content means nothing (RFC 9110, 9.3.2). */
	call.has_body = call.is_write || (rq->body.len > 0 && !rq->is_head);
	if (!upstream_check(&call))
		return;
	add_headers(&call);
	if (!spending_is(&call))
		result = upstream_send(&call);
	else if (!spending_send(&call, &result))
		return;
	is_answered = is_down(&call, result) && stale_answer(rq);
	if (!is_answered && result == EASYPOST_ANSWERED)
		relay_answer(&call);
	else if (!is_answered)
		upstream_refuse(&call, result, NULL);
	upstream_end(&call);
}
