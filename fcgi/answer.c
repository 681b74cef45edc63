/*
 * Our envelope around EasyPost's bytes: never read and written anew, so that
 * "136.0" stays "136.0".
 */
#include "fcgi/answer.h"
#include "fcgi/etag.h"
#include "fcgi/response.h"

#include <stdio.h>
#include <string.h>

enum { HEADERS_MAX = 8, ERROR_MAX = 64 * 1024 };

static const char before[] = "{\"status\":\"success\",\"data\":";
static const char after[] = "}";

static bool
is_read(const struct request *rq, const struct answer *answer)
{
	return answer->status == 200 &&
	    (rq->is_head || strcmp(rq->method, "GET") == 0);
}

/* Below /v2 and /beta: the bytes alone, as EasyPost gives them. */
static void
send_bare(struct request *rq, const struct answer *answer)
{
	struct request_header headers[HEADERS_MAX] = {
		{ "Content-Type", "application/json; charset=utf-8" },
		{ "Cache-Control", "private, no-cache, no-store" },
	};
	char length[24];
	int count = 2;

	(void)snprintf(length, sizeof(length), "%zu", answer->bytes);
	headers[count++] = (struct request_header){ "Content-Length", length };
	if (answer->is_unrecorded)
		headers[count++] =
		    (struct request_header){ "X-Waybill-Recorded", "no" };
	if (answer->is_replayed)
		headers[count++] =
		    (struct request_header){ "Idempotent-Replayed", "true" };
	request_start_answer(rq, answer->status, headers, count);
	request_write(rq, answer->data, answer->bytes);
}

static void
send_enveloped(struct request *rq, const struct answer *answer)
{
	struct request_header headers[HEADERS_MAX];
	char etag[ETAG_BYTES];
	char length[24];
	const char *keeping = "no-store";
	int count = 0;

	if (is_read(rq, answer)) {
		keeping = "private, no-cache";
		etag_make(answer->data, answer->bytes, etag);
		headers[count++] = (struct request_header){ "ETag", etag };
	}
	headers[count++] = (struct request_header){ "Cache-Control", keeping };
	if (answer->is_unrecorded)
		headers[count++] =
		    (struct request_header){ "X-Waybill-Recorded", "no" };
	if (is_read(rq, answer) &&
	    etag_matches(request_header(rq, "HTTP_IF_NONE_MATCH"), etag)) {
		request_start_answer(rq, 304, headers, count);
		return;
	}
	(void)snprintf(length, sizeof(length), "%zu",
	    strlen(before) + answer->bytes + strlen(after));
	headers[count++] = (struct request_header){ "Content-Length", length };
	headers[count++] =
	    (struct request_header){ "Content-Type", "application/json" };
	if (answer->location != NULL)
		headers[count++] =
		    (struct request_header){ "Location", answer->location };
	if (answer->is_replayed)
		headers[count++] =
		    (struct request_header){ "Idempotent-Replayed", "true" };
	request_start_answer(rq, answer->status, headers, count);
	request_write(rq, before, strlen(before));
	request_write(rq, answer->data, answer->bytes);
	request_write(rq, after, strlen(after));
}

void
answer_send(struct request *rq, const struct answer *answer)
{
	if (response_has_easypost_envelope(rq))
		send_bare(rq, answer);
	else
		send_enveloped(rq, answer);
}

/* A code that says something; else NULL. */
static const char *
code_of(const struct json *error)
{
	const char *code = json_text(json_member(error, "code"));

	return code == NULL || *code == '\0' ? NULL : code;
}

const char *
answer_error(
    const struct reply *answer, const struct json *error, size_t *bytes)
{
	if (code_of(error) == NULL ||
	    json_kind(json_member(error, "message")) == JSON_KIND_NONE ||
	    json_kind(json_member(error, "errors")) != JSON_KIND_ARRAY)
		return NULL;
	return json_raw(answer->body.data, answer->body.len, "error", bytes);
}

/* A copy of it for our answer. */
static const char *
verbatim(
    struct request *rq, const struct reply *answer, const struct json *error)
{
	size_t bytes = 0;
	const char *raw = answer_error(answer, error, &bytes);

	return raw == NULL || bytes > ERROR_MAX
	    ? NULL
	    : arena_copy(rq->arena, raw, bytes);
}

void
answer_refusal(struct request *rq, const struct reply *answer,
    const struct json *document, const char *location)
{
	const struct json *error = json_member(document, "error");
	const char *code = code_of(error);
	const char *message = json_text(json_member(error, "message"));
	const char *retry_after = reply_header(answer, "Retry-After");
	struct request_header headers[2];
	int count = 0;

	if (retry_after != NULL)
		headers[count++] =
		    (struct request_header){ "Retry-After", retry_after };
	if (location != NULL)
		headers[count++] =
		    (struct request_header){ "Location", location };
	response_refuse_with(rq,
	    &(struct response_refusal){ .status = answer->status,
		.code = code == NULL ? "UPSTREAM.REFUSED"
				     : arena_printf(rq->arena, "%.64s", code),
		.message = message == NULL
		    ? arena_printf(rq->arena,
			  "EasyPost refused with status %d and no message.",
			  answer->status)
		    : arena_printf(rq->arena, "%.500s", message),
		.verbatim = verbatim(rq, answer, error),
		.headers = headers,
		.header_count = count });
}
