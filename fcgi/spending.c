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
#include "fcgi/pattern.h"
#include "fcgi/response.h"
#include "fcgi/target.h"
#include "fcgi/uuid.h"

#include <string.h>
#include <strings.h>

enum {
	LOOK_MS = 2000, /* a look that has less time is not begun */
	TOO_MANY = 429, /* RFC 6585 */
};

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
		request_header(call->rq, "HTTP_IDEMPOTENCY_KEY") != NULL) ||
	    (call->rq->caller.has_spending_limit &&
		target_spends_money(call->method, call->path));
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

/*
 * What it costs, for a key with a daily limit.
 */

enum cost {
	COST_NOTHING,
	COST_KNOWN,
	COST_UNREAD,  /* the request cannot be read as EasyPost will read it */
	COST_UNKNOWN, /* before it is bought */
};

/* A body that EasyPost can read in one way only.  NULL when it is none; given back
 * with json_free(). */
static struct json *
read_wanted(const struct upstream *call)
{
	const char *type = request_header(call->rq, "CONTENT_TYPE");
	char problem[JSON_PROBLEM_MAX];

	if (type == NULL || strncasecmp(type, "application/json", 16) != 0 ||
	    (type[16] != '\0' && type[16] != ';') || *call->query != '\0' ||
	    request_header(call->rq, "HTTP_CONTENT_ENCODING") != NULL ||
	    call->body_bytes == 0)
		return NULL;
	return json_read(call->body, call->body_bytes, problem);
}

static bool
has_service(const struct json *thing)
{
	enum json_kind kind = json_kind(json_member(thing, "service"));

	return kind != JSON_KIND_NONE && kind != JSON_KIND_NULL;
}

/* Made with a service, shipments and orders are bought at once. */
static bool
is_bought_at_once(const struct json *wanted, const char *name)
{
	const struct json *made = json_member(wanted, name);
	const struct json *parts = json_member(made, "shipments");

	for (size_t i = 0; i < json_count(parts); i++)
		if (has_service(json_element(parts, i)))
			return true;
	return has_service(wanted) || has_service(made);
}

/* Of what makes something new. */
static enum cost
cost_of_new(
    const struct upstream *call, const struct json *wanted, struct price *price)
{
	static const struct {
		const char *pattern;
		const char *made; /* NULL: it costs nothing */
	} known[] = {
		{ "/v2/batches", NULL },
		{ "/v2/batches/{id}/scan_form", NULL },
		{ "/v2/pickups", NULL },
		{ "/v2/pickups/{id}/cancel", NULL },
		{ "/v2/refunds", NULL },
		{ "/v2/scan_forms", NULL },
		{ "/v2/insurances", "insurance" },
		{ "/v2/orders", "order" },
		{ "/v2/shipments", "shipment" },
	};

	size_t i = 0;

	if (!target_spends_money(call->method, call->path))
		return COST_NOTHING;
	while (!pattern_match(known[i].pattern, call->path, NULL))
		if (++i == sizeof(known) / sizeof(known[0]))
			return COST_UNKNOWN;
	if (known[i].made == NULL)
		return COST_NOTHING;
	if (wanted == NULL)
		return COST_UNREAD;
	if (strcmp(known[i].made, "insurance") != 0)
		return is_bought_at_once(wanted, known[i].made) ? COST_UNKNOWN
								: COST_NOTHING;
	return deed_insurance_price(
		   json_member(json_member(wanted, "insurance"), "amount"),
		   price)
	    ? COST_KNOWN
	    : COST_UNREAD;
}

/* EasyPost did not show the thing: what it refuses is its answer to this, too. */
static void
refuse_unseen(struct spending *spending, const struct ask *look)
{
	struct request *rq = spending->call->rq;
	const struct reply *answer = look->call.answer;

	/* A read leaves no doubt of its own. */
	once_void(rq, &spending->once);
	if (look->outcome == ASK_REFUSED && look->document != NULL &&
	    answer->status != TOO_MANY)
		answer_send(rq,
		    &(struct answer){ .status = answer->status,
			.data = answer->body.data,
			.bytes = answer->body.len });
	else if (look->outcome != ASK_KEPT_BACK)
		response_refuse(rq, 502, "UPSTREAM.UNREACHABLE", NULL,
		    "EasyPost does not tell the price at the moment, which a "
		    "key with a daily spending limit needs; nothing was "
		    "bought. Please try again.");
}

/* Of what is done to a thing: EasyPost shows what it may cost.  False when it does
 * not, and the request has been refused. */
static bool
ask_for_cost(struct spending *spending, const struct json *wanted,
    struct price *price, enum cost *cost)
{
	const struct deed *deed = spending->deed;
	struct ask look;
	bool is_seen;

	*cost = deed->is_free ? COST_NOTHING : COST_UNKNOWN;
	if (deed->is_free || deed->find_price == NULL)
		return true;
	*cost = COST_UNREAD;
	if (wanted == NULL)
		return true;
	begin_look(spending, &look);
	is_seen = ask_send(&look);
	if (is_seen && deed->find_price(look.document, wanted, price))
		*cost = COST_KNOWN;
	if (!is_seen)
		refuse_unseen(spending, &look);
	ask_end(&look);
	return is_seen;
}

/* False when the request has been refused. */
static bool
take_cost(struct spending *spending, enum cost cost, const struct price *price)
{
	struct request *rq = spending->call->rq;
	struct once *once = &spending->once;

	switch (cost) {
	case COST_NOTHING:
		return true;
	case COST_KNOWN:
		if (spending->deed == NULL) {
			char id[UUID_BYTES + 1];

			uuid_make(id);
			once->name = arena_printf(rq->arena, "new %s", id);
		}
		return once_reserve(rq, once, price, NULL);
	case COST_UNREAD:
		once_refuse_unknown(rq, once,
		    "its purchases must be plain JSON, without a query, and "
		    "name a rate or an amount that EasyPost offers");
		return false;
	default:
		once_refuse_unknown(
		    rq, once, "EasyPost tells what this costs only afterwards");
		return false;
	}
}

/* For a key with a daily limit.  False when the request has been refused. */
static bool
reserve(struct spending *spending)
{
	const struct upstream *call = spending->call;
	struct price price = { .amount = "" };
	enum cost cost;
	struct json *wanted;
	bool goes_on = true;

	if (!call->rq->caller.has_spending_limit)
		return true;
	wanted = read_wanted(call);
	if (spending->deed == NULL)
		cost = cost_of_new(call, wanted, &price);
	else
		goes_on = ask_for_cost(spending, wanted, &price, &cost);
	json_free(wanted);
	return goes_on && take_cost(spending, cost, &price);
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
	if (!reserve(&spending))
		return false;
	if (spending.deed == NULL &&
	    !claim_note(rq, &spending.once.key, "sent")) {
		budget_release(rq, &spending.once.budget);
		return false;
	}
	*result = upstream_send(call);
	if (settle(&spending, *result))
		return true;
	upstream_end(call);
	return false;
}
