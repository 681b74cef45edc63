/*
 * Wishes: prices stay texts, as they were written.
 */
#include "fcgi/wish.h"
#include "fcgi/decimal.h"

#include <string.h>

enum { NAME_MAX_CHARACTERS = 128 };

/* clang-format off */
static const struct body_field rate_fields[] = {
	{ "carrier", BODY_TEXT, true,  NAME_MAX_CHARACTERS, NULL, NULL },
	{ "service", BODY_TEXT, true,  NAME_MAX_CHARACTERS, NULL, NULL },
	{ NULL,      BODY_TEXT, false, 0,                   NULL, NULL },
};

/* clang-format on */

/* "cheapest", an id, {"id"} or {"carrier","service"}. */
static void
take_rate(struct rate_wish *wish, struct body_check *check,
    const struct json *rate, bool may_be_id)
{
	const char *text = json_text(rate);
	const char *id =
	    text != NULL ? text : json_text(json_member(rate, "id"));

	if (may_be_id && body_is_id(id, "rate_")) {
		wish->id = id;
	} else if (json_kind(rate) == JSON_KIND_OBJECT &&
	    json_kind(json_member(rate, "id")) == JSON_KIND_NONE) {
		body_look(check, rate, "rate", rate_fields);
		wish->carrier = json_text(json_member(rate, "carrier"));
		wish->service = json_text(json_member(rate, "service"));
	} else if (json_kind(rate) != JSON_KIND_NONE &&
	    json_kind(rate) != JSON_KIND_NULL &&
	    (text == NULL || strcmp(text, "cheapest") != 0)) {
		body_flaw(check, "rate",
		    may_be_id ? "must be \"cheapest\", a rate's id (rate_...), "
				"or an object of carrier and service."
			      : "must be \"cheapest\" or an object of carrier "
				"and service: the shipment's rates do not "
				"exist yet.");
	}
}

/* As it was written: a number of JSON, too, is compared as text. */
static void
take_max_price(struct rate_wish *wish, struct request *rq,
    struct body_check *check, const struct json *body)
{
	const struct json *price = json_member(body, "max_price");
	const char *text = json_text(price);
	size_t bytes = 0;
	const char *raw =
	    json_raw(rq->body.data, rq->body.len, "max_price", &bytes);

	if (json_kind(price) == JSON_KIND_NUMBER)
		text = arena_copy(rq->arena, raw, bytes);
	if (text == NULL)
		return;
	if (decimal_is_valid(text))
		wish->max_price = text;
	else if (json_kind(price) == JSON_KIND_NUMBER &&
	    json_number(price) >= 0) /* else it was named already */
		body_flaw(check, "max_price",
		    "must be written without sign and exponent.");
}

struct rate_wish
wish_read(struct request *rq, struct body_check *check, const struct json *body,
    bool may_be_id)
{
	struct rate_wish wish = { .id = NULL };

	take_rate(&wish, check, json_member(body, "rate"), may_be_id);
	take_max_price(&wish, rq, check, body);
	return wish;
}
