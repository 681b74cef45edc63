/*
 * Purchases and refunds.
 *
 * What must stay true: what spends money goes out once for each Idempotency-Key.
 * The claim is committed before; when an earlier attempt with the key may have
 * had its effect, EasyPost is asked for the shipment first, and what was done
 * already is the answer.
 */
#include "fcgi/purchase.h"
#include "fcgi/answer.h"
#include "fcgi/ask.h"
#include "fcgi/draft.h"
#include "fcgi/once.h"
#include "fcgi/parameter.h"
#include "fcgi/rate.h"
#include "fcgi/response.h"
#include "fcgi/wish.h"

#include <stdio.h>
#include <string.h>

enum {
	ID_MAX = 64,
	BUY_MS = 15000, /* kept for the purchase: the longest took 2 s */
	OFFERS_SHOWN = 20,
	BUY_BODY_MAX = 4096,
	LOOK_MS = 2000, /* a look that has less time is not begun */
};

/* clang-format off */
static const struct body_field buy_fields[] = {
	{ "rate",           BODY_ANYTHING, true,  0, NULL,  NULL },
	{ "max_price",      BODY_AMOUNT,   false, 0, NULL,  NULL },
	{ "insurance",      BODY_AMOUNT,   false, 0, NULL,  NULL },
	{ "end_shipper_id", BODY_ID,       false, 0, "es_", NULL },
	{ NULL,             BODY_TEXT,     false, 0, NULL,  NULL },
};

static const struct body_field beside_fields[] = {
	{ "shipment",       BODY_ANYTHING, true,  0, NULL,  NULL },
	{ NULL,             BODY_TEXT,     false, 0, NULL,  buy_fields },
};

static const struct body_field together_fields[] = {
	{ "rate",           BODY_ANYTHING, true,  0, NULL,  NULL },
	{ "max_price",      BODY_AMOUNT,   false, 0, NULL,  NULL },
	{ "insurance",      BODY_AMOUNT,   false, 0, NULL,  NULL },
	{ "end_shipper_id", BODY_ID,       false, 0, "es_", NULL },
	{ NULL,             BODY_TEXT,     false, 0, NULL,  draft_fields },
};

static const struct draft_shape create_shape = {
	draft_fields, beside_fields, together_fields
};

static const struct body_field refund_fields[] = {
	{ NULL,      BODY_TEXT, false, 0,                   NULL, NULL },
};

/* clang-format on */

/* One purchase or refund under way; what it points to is in the request's memory
 * or in the body. */
struct purchase {
	struct request *rq;
	const struct deed *deed;
	struct once once;
	struct rate_wish wish;
	struct buf sent; /* the body for EasyPost */
	int status;      /* of the answer when all went well */
	const char *shipment_id;
	const char *rate_id;
	bool is_created; /* the shipment, by this request */
	const struct json *body;
	struct price price; /* for a key with a daily limit */
};

/* The id of the rate that is wanted; "" when the shipment has none such, NULL
 * where any will do. */
static const char *
wanted_rate(const struct purchase *purchase, const struct json *shipment)
{
	const struct json *rate;
	const char *id;

	if (purchase->rate_id != NULL || purchase->deed != &deed_buy_shipment)
		return purchase->rate_id;
	rate = rate_choose(json_member(shipment, "rates"), &purchase->wish);
	id = rate == NULL || rate_is_too_dear(rate, &purchase->wish)
	    ? NULL
	    : json_text(json_member(rate, "id"));
	return id == NULL ? "" : id;
}

/* Another may have bought it meanwhile, with another rate. */
static bool
is_done(const struct purchase *purchase, const struct json *shipment)
{
	const char *rate = wanted_rate(purchase, shipment);

	return purchase->deed->is_done(shipment, NULL) &&
	    (rate == NULL || deed_has_rate(shipment, rate));
}

/*
 * What the client wants.
 */

/* Appends ,"name":value with the value's bytes, if there is one. */
static void
add_field(struct purchase *purchase, const struct json *body, const char *name)
{
	const struct buf *text = &purchase->rq->body;
	size_t bytes = 0;
	const char *raw = json_raw(text->data, text->len, name, &bytes);
	enum json_kind kind = json_kind(json_member(body, name));

	if (raw == NULL || kind == JSON_KIND_NONE || kind == JSON_KIND_NULL)
		return;
	(void)buf_addf(&purchase->sent, ",\"%s\":", name);
	(void)buf_add(&purchase->sent, raw, bytes);
}

/* The body for the purchase: the rate's id, and what the client gave with it. */
static void
write_buy(struct purchase *purchase, const struct json *body)
{
	buf_reset(&purchase->sent, 0);
	(void)buf_addf(&purchase->sent, "{\"rate\":{\"id\":\"%.*s\"}", ID_MAX,
	    purchase->rate_id);
	add_field(purchase, body, "insurance");
	add_field(purchase, body, "end_shipper_id");
	(void)buf_add_byte(&purchase->sent, '}');
}

/*
 * How it ends.
 */

static const char *
created_sentence(const struct purchase *purchase, const char *what)
{
	return purchase->is_created
	    ? arena_printf(purchase->rq->arena, "The shipment is %s%s.",
		  purchase->shipment_id, what)
	    : NULL;
}

static const char *
location_of(const struct purchase *purchase)
{
	return purchase->is_created
	    ? arena_printf(
		  purchase->rq->arena, "/shipments/%s", purchase->shipment_id)
	    : NULL;
}

/* With EasyPost's document of the shipment, as it is now. */
static void
answer_done(struct purchase *purchase, struct ask *ask)
{
	const struct buf *body = &ask->call.answer->body;

	once_done(purchase->rq, &purchase->once, purchase->status, body);
	answer_send(purchase->rq,
	    &(struct answer){ .status = purchase->status,
		.data = body->data,
		.bytes = body->len,
		.location = location_of(purchase),
		.is_unrecorded = !ask->call.is_recorded });
}

static void
give_up(struct purchase *purchase, struct ask *ask)
{
	ask->hint = created_sentence(purchase, "");
	ask->location = location_of(purchase);
	if (ask->outcome == ASK_IN_DOUBT)
		once_doubt(purchase->rq, &purchase->once);
	else
		once_void(purchase->rq, &purchase->once);
	ask_refuse(ask);
}

/* Nothing is bought, for a reason of ours. */
static void
refuse(struct purchase *purchase, const char *code, const char *field,
    const char *message)
{
	const char *hint = created_sentence(purchase, "; nothing was bought");
	const struct request_header header = { "Location",
		location_of(purchase) };

	once_void(purchase->rq, &purchase->once);
	if (hint != NULL)
		message =
		    arena_printf(purchase->rq->arena, "%s %s", message, hint);
	response_refuse_with(purchase->rq,
	    &(struct response_refusal){ .status = 422,
		.code = code,
		.field = field,
		.message = message,
		.headers = &header,
		.header_count = purchase->is_created ? 1 : 0 });
}

/*
 * Choosing.
 */

static const char *
text_of(const struct json *object, const char *name)
{
	const char *text = json_text(json_member(object, name));

	return text == NULL ? "" : text;
}

static const char *
list_offers(struct arena *arena, const struct json *rates)
{
	const char *offers = "";

	for (size_t i = 0; i < json_count(rates) && i < OFFERS_SHOWN; i++) {
		const struct json *rate = json_element(rates, i);

		offers = arena_printf(arena, "%s%s%.40s %.40s", offers,
		    *offers == '\0' ? "" : ", ", text_of(rate, "carrier"),
		    text_of(rate, "service"));
	}
	return offers;
}

static const char *
list_messages(struct arena *arena, const struct json *messages)
{
	const char *all = "";

	for (size_t i = 0; i < json_count(messages) && i < OFFERS_SHOWN; i++) {
		const struct json *message = json_element(messages, i);

		all = arena_printf(arena, "%s %.40s: %.200s", all,
		    text_of(message, "carrier"), text_of(message, "message"));
	}
	return all;
}

static void
refuse_missing(struct purchase *purchase, const struct json *shipment)
{
	struct arena *arena = purchase->rq->arena;
	const struct json *rates = json_member(shipment, "rates");

	if (json_count(rates) == 0)
		refuse(purchase, "RATE.NONE", "shipment",
		    arena_printf(arena, "No carrier offered a rate.%s",
			list_messages(
			    arena, json_member(shipment, "messages"))));
	else
		refuse(purchase, "RATE.NOT_FOUND", "rate",
		    arena_printf(arena,
			"This rate was not offered. Offered: %s.",
			list_offers(arena, rates)));
}

/* The rate of the shipment that is wished for; false when there is none, and
 * refused. */
static bool
choose(struct purchase *purchase, const struct json *shipment)
{
	struct arena *arena = purchase->rq->arena;
	const struct json *rates = json_member(shipment, "rates");
	const struct json *rate = rate_choose(rates, &purchase->wish);

	if (rate == NULL)
		refuse_missing(purchase, shipment);
	else if (!rate_is_comparable(rates, &purchase->wish))
		refuse(purchase, "RATE.AMBIGUOUS", "rate",
		    "The rates are in more than one currency: name carrier "
		    "and service.");
	else if (rate_is_too_dear(rate, &purchase->wish))
		refuse(purchase, "RATE.TOO_DEAR", "max_price",
		    arena_printf(arena,
			"The rate costs %.20s %.3s, more than max_price "
			"(%.20s).",
			text_of(rate, "rate"), text_of(rate, "currency"),
			purchase->wish.max_price));
	else if (!body_is_id(text_of(rate, "id"), "rate_"))
		refuse(purchase, "RATE.NOT_FOUND", "rate",
		    "The rate has no id and cannot be bought.");
	else {
		purchase->rate_id =
		    arena_printf(arena, "%s", text_of(rate, "id"));
		return true;
	}
	return false;
}

/* What the chosen rate costs, for a key with a daily limit.  False when the shipment
 * does not tell, and refused. */
static bool
find_price(struct purchase *purchase, const struct json *shipment)
{
	struct request *rq = purchase->rq;
	const struct rate_wish chosen = { .id = purchase->rate_id };

	if (!rq->caller.has_spending_limit || purchase->deed->is_free ||
	    deed_rate_price(
		rate_choose(json_member(shipment, "rates"), &chosen), shipment,
		purchase->body, &purchase->price))
		return true;
	once_refuse_unknown(
	    rq, &purchase->once, "EasyPost does not show this rate's price");
	return false;
}

/*
 * Doing it.
 */

static void
begin_look(struct purchase *purchase, struct ask *look)
{
	ask_read(look, purchase->rq,
	    arena_printf(purchase->rq->arena, "/v2/shipments/%s",
		purchase->shipment_id));
}

/* What an earlier attempt did is the answer, once it is recorded. */
static void
adopt(struct purchase *purchase, struct ask *look)
{
	upstream_keep(&look->call);
	answer_done(purchase, look);
}

/* After an answer that leaves doubt: mostly it can be dispelled at once.  True
 * when the request has been answered. */
static bool
look_after(struct purchase *purchase)
{
	struct request *rq = purchase->rq;
	bool is_answered = false;
	struct ask look;

	if (!upstream_has_time(rq, LOOK_MS))
		return false;
	begin_look(purchase, &look);
	look.call.is_beside = true;
	if (ask_send(&look) && is_done(purchase, look.document)) {
		adopt(purchase, &look);
		is_answered = true;
	} else if (look.outcome == ASK_KEPT_BACK) {
		once_doubt(rq, &purchase->once);
		is_answered = true;
	}
	ask_end(&look);
	return is_answered;
}

/* Whether it may be done: by this attempt, or by an earlier one that has ended
 * only now, so that this one was refused. */
static bool
may_be_done(const struct purchase *purchase, const struct ask *ask)
{
	return ask->outcome == ASK_IN_DOUBT ||
	    (ask->outcome == ASK_REFUSED && once_is_in_doubt(&purchase->once));
}

static void
execute(struct purchase *purchase)
{
	struct ask ask;

	if (purchase->sent.failed) {
		refuse(purchase, "BODY.INVALID", NULL,
		    "The body's values are longer than any can be.");
		return;
	}
	if (!purchase->deed->is_free &&
	    !once_reserve(purchase->rq, &purchase->once, &purchase->price,
		purchase->is_created ? purchase->shipment_id : NULL))
		return;
	ask_write(&ask, purchase->rq,
	    arena_printf(purchase->rq->arena, "/v2/shipments/%s/%s",
		purchase->shipment_id, purchase->deed->name),
	    purchase->sent.data, purchase->sent.len);
	if (ask_send(&ask)) {
		answer_done(purchase, &ask);
	} else if (!may_be_done(purchase, &ask) || !look_after(purchase)) {
		give_up(purchase, &ask);
	}
	ask_end(&ask);
}

/* Asks EasyPost for the shipment before anything is done to it: an earlier
 * attempt may have done it already, or its rates are needed.  False when that is
 * the end of the request. */
static bool
look_first(struct purchase *purchase)
{
	bool goes_on = false;
	bool is_in_doubt = once_is_in_doubt(&purchase->once);
	struct ask look;

	begin_look(purchase, &look);
	if (!ask_send(&look)) {
		/* A read leaves no doubt of its own. */
		once_void(purchase->rq, &purchase->once);
		look.hint = created_sentence(purchase, "");
		ask_refuse(&look);
	} else if (is_in_doubt && is_done(purchase, look.document)) {
		adopt(purchase, &look);
	} else {
		goes_on = (purchase->deed != &deed_buy_shipment ||
			      purchase->rate_id != NULL ||
			      choose(purchase, look.document)) &&
		    find_price(purchase, look.document);
	}
	ask_end(&look);
	return goes_on;
}

/* Makes the shipment, chooses its rate and commits both to the claim.  False when
 * that is the end of the request. */
static bool
create(struct purchase *purchase)
{
	struct request *rq = purchase->rq;
	bool goes_on = false;
	struct ask ask;

	ask_write(
	    &ask, rq, "/v2/shipments", purchase->sent.data, purchase->sent.len);
	ask.call.reserve_ms = BUY_MS;
	if (!ask_send(&ask)) {
		ask.hint = "Nothing was bought.";
		once_void(rq, &purchase->once);
		ask_refuse(&ask);
	} else {
		purchase->shipment_id = ask_text(&ask, "id");
		purchase->is_created = true;
		once_name(
		    rq, &purchase->once, purchase->deed, purchase->shipment_id);
		goes_on = choose(purchase, ask.document) &&
		    find_price(purchase, ask.document) &&
		    claim_note(rq, &purchase->once.key,
			arena_printf(rq->arena, "%s %s", purchase->shipment_id,
			    purchase->rate_id));
	}
	ask_end(&ask);
	return goes_on;
}

/* The shipment and rate that an earlier attempt was about to buy; false when it
 * did not come so far, and so has bought nothing. */
static bool
take_note(struct purchase *purchase)
{
	const char *note = purchase->once.key.note;
	const char *space = note == NULL ? NULL : strchr(note, ' ');

	if (space == NULL)
		return false;
	purchase->shipment_id =
	    arena_copy(purchase->rq->arena, note, (size_t)(space - note));
	purchase->rate_id = space + 1;
	purchase->is_created = true;
	once_name(purchase->rq, &purchase->once, purchase->deed,
	    purchase->shipment_id);
	return true;
}

/*
 * The routes.
 */

static void
create_and_buy(struct purchase *purchase, const struct json *body)
{
	purchase->body = body;
	if (!once_take(purchase->rq, &purchase->once, NULL, NULL))
		return;
	draft_write(&purchase->sent, purchase->rq, body, &create_shape);
	if (take_note(purchase) ? look_first(purchase) : create(purchase)) {
		write_buy(purchase, body);
		execute(purchase);
	}
}

void
purchase_create(struct request *rq, const void *unused)
{
	struct purchase purchase = {
		.rq = rq, .deed = &deed_buy_shipment, .status = 201
	};
	struct body_check *check = body_check_new(rq->arena);
	struct json *body;

	(void)unused;
	if (!parameter_none(rq) || !body_read(rq, DRAFT_BODY_MAX, false, &body))
		return;
	buf_init(&purchase.sent, DRAFT_SENT_MAX);
	draft_look(check, body, &create_shape);
	purchase.wish = wish_read(rq, check, body, false);
	if (body_is_good(rq, check))
		create_and_buy(&purchase, body);
	buf_free(&purchase.sent);
	json_free(body);
}

static void
buy(struct purchase *purchase, const struct json *body)
{
	const struct rate_wish *wish = &purchase->wish;

	purchase->body = body;
	if (!once_take(purchase->rq, &purchase->once, purchase->deed,
		purchase->shipment_id))
		return;
	/* A known price needs no look, unless it must be compared. */
	if (wish->max_price == NULL && !purchase->rq->caller.has_spending_limit)
		purchase->rate_id = wish->id;
	if ((once_is_in_doubt(&purchase->once) || purchase->rate_id == NULL) &&
	    !look_first(purchase))
		return;
	write_buy(purchase, body);
	execute(purchase);
}

void
purchase_buy(struct request *rq, const void *unused)
{
	struct purchase purchase = { .rq = rq,
		.deed = &deed_buy_shipment,
		.status = 200,
		.shipment_id = rq->argument };
	struct body_check *check = body_check_new(rq->arena);
	struct json *body;

	(void)unused;
	if (!parameter_none(rq) || !draft_check_id(rq) ||
	    !body_read(rq, DRAFT_BODY_MAX, false, &body))
		return;
	buf_init(&purchase.sent, BUY_BODY_MAX);
	body_look(check, body, "", buy_fields);
	purchase.wish = wish_read(rq, check, body, true);
	if (body_is_good(rq, check))
		buy(&purchase, body);
	buf_free(&purchase.sent);
	json_free(body);
}

void
purchase_refund(struct request *rq, const void *unused)
{
	struct purchase purchase = { .rq = rq,
		.deed = &deed_refund_shipment,
		.status = 200,
		.shipment_id = rq->argument };
	struct body_check *check = body_check_new(rq->arena);
	struct json *body;

	(void)unused;
	if (!parameter_none(rq) || !draft_check_id(rq) ||
	    !body_read(rq, DRAFT_BODY_MAX, true, &body))
		return;
	buf_init(&purchase.sent, BUY_BODY_MAX);
	(void)buf_add_string(&purchase.sent, "{}");
	if (body != NULL)
		body_look(check, body, "", refund_fields);
	if (body_is_good(rq, check) &&
	    once_take(rq, &purchase.once, purchase.deed, rq->argument) &&
	    (!once_is_in_doubt(&purchase.once) || look_first(&purchase)))
		execute(&purchase);
	buf_free(&purchase.sent);
	json_free(body);
}
