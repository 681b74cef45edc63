/*
 * Questions to EasyPost in JSON: asked as an EasyPost client would, the answers
 * read strictly, and each way to fail told apart by what may have happened.
 */
#include "fcgi/ask.h"
#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/response.h"

#include <string.h>

enum { ANSWER_LARGE_BYTES = 256 * 1024 };

static void
begin(struct ask *ask, struct request *rq, const char *method, const char *path)
{
	*ask = (struct ask){ .call = { .rq = rq,
				 .method = method,
				 .path = path,
				 .query = "" },
		.id_prefix = "shp_" };
}

void
ask_read(struct ask *ask, struct request *rq, const char *path)
{
	begin(ask, rq, "GET", path);
}

void
ask_write(struct ask *ask, struct request *rq, const char *path,
    const char *body, size_t bytes)
{
	begin(ask, rq, "POST", path);
	ask->call.body = body;
	ask->call.body_bytes = bytes;
	ask->call.has_body = true;
	ask->call.is_write = true;
}

void
ask_add_headers(struct upstream *call)
{
	if (call->has_body)
		upstream_add_header(call, "Content-Type", "application/json");
	upstream_add_header(call, "Accept", "application/json");
	upstream_add_header(
	    call, "User-Agent", request_header(call->rq, "HTTP_USER_AGENT"));
	upstream_add_header(
	    call, "traceparent", request_header(call->rq, "HTTP_TRACEPARENT"));
}

static bool
is_what_was_asked(const struct ask *ask)
{
	const char *id = json_text(json_member(ask->document, "id"));

	return json_kind(ask->document) == JSON_KIND_OBJECT &&
	    (ask->id_prefix == NULL || body_is_id(id, ask->id_prefix));
}

static enum ask_outcome
judge(const struct ask *ask)
{
	int status = ask->call.answer->status;

	switch (ask->result) {
	case EASYPOST_ANSWERED:
		break;
	case EASYPOST_UNREACHABLE:
	case EASYPOST_UNTRUSTED:
		return ASK_NOT_SENT;
	default:
		return ASK_IN_DOUBT;
	}
	if (status >= 200 && status <= 299 && is_what_was_asked(ask))
		return ASK_DONE;
	/* A failure of EasyPost's own may come after the effect. */
	return status >= 400 && status <= 499 ? ASK_REFUSED : ASK_IN_DOUBT;
}

bool
ask_send(struct ask *ask)
{
	char problem[JSON_PROBLEM_MAX];
	struct upstream *call = &ask->call;

	ask->outcome = ASK_KEPT_BACK;
	if (!upstream_authorize(call) || !upstream_check(call))
		return false;
	ask_add_headers(call);
	ask->result = upstream_send(call);
	if (ask->result == EASYPOST_ANSWERED && call->answer->body.len > 0)
		ask->document = json_read(
		    call->answer->body.data, call->answer->body.len, problem);
	ask->outcome = judge(ask);
	return ask->outcome == ASK_DONE;
}

void
ask_refuse_document(struct ask *ask)
{
	struct request *rq = ask->call.rq;
	const char *doubt = ask->call.is_write
	    ? " The request may have been executed: look it up before sending "
	      "it again."
	    : "";

	response_refuse(rq, 502, "UPSTREAM.UNREADABLE", NULL,
	    arena_printf(rq->arena,
		"EasyPost's answer is not what was asked for.%s%s%s", doubt,
		ask->hint == NULL ? "" : " ",
		ask->hint == NULL ? "" : ask->hint));
}

void
ask_refuse(struct ask *ask)
{
	struct upstream *call = &ask->call;

	if (ask->outcome == ASK_KEPT_BACK)
		return;
	if (ask->result != EASYPOST_ANSWERED)
		upstream_refuse(call, ask->result, ask->hint);
	else if (call->answer->status >= 400)
		answer_refusal(
		    call->rq, call->answer, ask->document, ask->location);
	else
		ask_refuse_document(ask);
}

void
ask_end(struct ask *ask)
{
	/* Its values take some times as much as its text. */
	ask->call.rq->is_large |= ask->call.answer != NULL &&
	    ask->call.answer->body.len > ANSWER_LARGE_BYTES;
	json_free(ask->document);
	ask->document = NULL;
	if (ask->outcome != ASK_KEPT_BACK)
		upstream_end(&ask->call);
}

const char *
ask_text(const struct ask *ask, const char *name)
{
	const char *text = json_text(json_member(ask->document, name));

	return text == NULL
	    ? ""
	    : arena_copy(ask->call.rq->arena, text, strlen(text));
}

const char *
ask_raw(const struct ask *ask, const char *name, size_t *bytes)
{
	const struct buf *body = &ask->call.answer->body;

	return json_raw(body->data, body->len, name, bytes);
}
