/*
 * Spending: see spending.h.
 *
 * What must stay true: a call whose earlier attempt may have had its effect goes
 * out only after EasyPost has shown the thing without it; one that makes something
 * new, which nobody can be asked for, never goes out again.
 */
#include "fcgi/spending.h"
#include "fcgi/answer.h"
#include "fcgi/ask.h"
#include "fcgi/once.h"
#include "fcgi/response.h"
#include "fcgi/target.h"

#include <string.h>

enum { LOOK_MS = 2000 }; /* a look that has less time is not begun */

struct spending {
	struct upstream *call;
	const struct deed *deed; /* NULL: it makes something new */
	const char *id;          /* of the thing */
	struct once once;
};

enum finding {
	FOUND_DONE,    /* and the request has been answered with it */
	FOUND_UNDONE,  /* it may be done */
	FOUND_NOTHING, /* EasyPost did not say */
};

bool
spending_is(const struct upstream *call)
{
	const char *id;
	size_t bytes;

	return deed_find(call->method, call->path, &id, &bytes) != NULL ||
	    (strcmp(call->method, "POST") == 0 &&
		request_header(call->rq, "HTTP_IDEMPOTENCY_KEY") != NULL);
}

static bool
is_done(const struct spending *spending, const struct json *thing)
{
	const struct buf *body = &spending->call->rq->body;
	char problem[JSON_PROBLEM_MAX];
	struct json *wanted =
	    body->len == 0 ? NULL : json_read(body->data, body->len, problem);
	bool is_done = spending->deed->is_done(thing, wanted);

	json_free(wanted);
	return is_done;
}

static void
begin_look(struct spending *spending, struct ask *look)
{
	struct request *rq = spending->call->rq;

	ask_read(look, rq,
	    arena_printf(
		rq->arena, "%s%s", spending->deed->thing, spending->id));
	look->id_prefix = spending->deed->id_prefix;
	look->call.is_beside = true;
}

/* What an earlier attempt did is the answer, once it is recorded. */
static void
adopt(struct spending *spending, struct ask *look)
{
	struct request *rq = spending->call->rq;
	const struct buf *body = &look->call.answer->body;

	upstream_keep(&look->call);
	once_done(rq, &spending->once, 200, body);
	answer_send(rq,
	    &(struct answer){ .status = 200,
		.data = body->data,
		.bytes = body->len,
		.is_unrecorded = !look->call.is_recorded });
}

static enum finding
judge(struct spending *spending, struct ask *look)
{
	if (!ask_send(look)) /* what is not there was not bought */
		return look->outcome == ASK_REFUSED &&
			look->call.answer->status == 404
		    ? FOUND_UNDONE
		    : FOUND_NOTHING;
	if (!is_done(spending, look->document))
		return FOUND_UNDONE;
	adopt(spending, look);
	return FOUND_DONE;
}

/* Before it is sent.  False when that is the end of the request. */
static bool
look_first(struct spending *spending)
{
	struct request *rq = spending->call->rq;
	enum finding finding;
	struct ask look;

	if (spending->deed == NULL) {
		/* Made twice, nothing is spent; without a note, nothing was
		 * sent. */
		if (!target_spends_money(
			spending->call->method, spending->call->path) ||
		    spending->once.key.note == NULL)
			return true;
		once_doubt(rq, &spending->once);
		response_refuse(rq, 409, "IDEMPOTENCY.IN_DOUBT",
		    "Idempotency-Key",
		    "An earlier attempt with this Idempotency-Key may have had "
		    "its effect: look for what it made, then use a new key.");
		return false;
	}
	begin_look(spending, &look);
	finding = judge(spending, &look);
	if (finding == FOUND_NOTHING) {
		/* A read leaves no doubt of its own. */
		once_void(rq, &spending->once);
		if (look.outcome != ASK_KEPT_BACK)
			response_refuse(rq, 502, "UPSTREAM.IN_DOUBT", NULL,
			    "An earlier attempt may have been executed, and "
			    "EasyPost does not tell at the moment; nothing was "
			    "sent. Please try again.");
	}
	ask_end(&look);
	return finding == FOUND_UNDONE;
}

/* After an answer that leaves doubt: mostly it can be dispelled at once.  True
 * when the request has been answered. */
static bool
look_after(struct spending *spending)
{
	struct request *rq = spending->call->rq;
	enum finding finding;
	struct ask look;

	if (spending->deed == NULL || !upstream_has_time(rq, LOOK_MS))
		return false;
	begin_look(spending, &look);
	finding = judge(spending, &look);
	if (look.outcome == ASK_KEPT_BACK)
		once_doubt(rq, &spending->once);
	ask_end(&look);
	return finding == FOUND_DONE || look.outcome == ASK_KEPT_BACK;
}

/* An answer that can be kept and told again: JSON, seen from outside, for what
 * PostgreSQL or we cannot read was bought all the same; or, of what makes
 * something new, nothing at all. */
static bool
is_answer(const struct spending *spending, const struct reply *answer)
{
	static const char spaces[] = " \t\r\n";
	const char *body = answer->body.data;
	size_t bytes = answer->body.len;
	size_t from;

	if (bytes == 0)
		return spending->deed == NULL;
	from = strspn(body, spaces);
	while (bytes > from && strchr(spaces, body[bytes - 1]) != NULL)
		bytes--;
	return bytes > from + 1 &&
	    ((body[from] == '{' && body[bytes - 1] == '}') ||
		(body[from] == '[' && body[bytes - 1] == ']'));
}

/* True for what may have been executed. */
static bool
is_doubtful(const struct spending *spending, enum easypost_result result)
{
	const struct reply *answer = spending->call->answer;

	switch (result) {
	case EASYPOST_ANSWERED:
		/* A failure of EasyPost's own may come after the effect. */
		return answer->status >= 500 ||
		    (answer->status <= 299 && !is_answer(spending, answer));
	case EASYPOST_UNREACHABLE:
	case EASYPOST_UNTRUSTED:
		return false;
	default:
		return true;
	}
}

/* False when the request has been answered. */
static bool
settle(struct spending *spending, enum easypost_result result)
{
	struct upstream *call = spending->call;
	struct request *rq = call->rq;
	const struct once *once = &spending->once;
	int status = result == EASYPOST_ANSWERED ? call->answer->status : 0;
	bool is_answered = false;

	if (status >= 200 && status <= 299 && !is_doubtful(spending, result)) {
		once_done(rq, once, status, &call->answer->body);
		return true;
	}
	/* Refused while in doubt: an earlier attempt may have ended just now. */
	if (is_doubtful(spending, result) ||
	    (status >= 400 && once_is_in_doubt(once)))
		is_answered = look_after(spending);
	if (!is_answered && is_doubtful(spending, result))
		once_doubt(rq, once);
	else if (!is_answered)
		once_void(rq, once);
	return !is_answered;
}

bool
spending_send(struct upstream *call, enum easypost_result *result)
{
	struct request *rq = call->rq;
	struct spending spending = { .call = call };
	size_t bytes = 0;

	spending.deed =
	    deed_find(call->method, call->path, &spending.id, &bytes);
	if (spending.deed != NULL)
		spending.id = arena_copy(rq->arena, spending.id, bytes);
	if (!once_take(rq, &spending.once, spending.deed, spending.id))
		return false;
	if (once_is_in_doubt(&spending.once) && !look_first(&spending))
		return false;
	if (spending.deed == NULL &&
	    !claim_note(rq, &spending.once.key, "sent"))
		return false;
	*result = upstream_send(call);
	if (settle(&spending, *result))
		return true;
	upstream_end(call);
	return false;
}
