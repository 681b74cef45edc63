/*
 * Deeds: see deed.h.
 *
 * What must stay true: is_done() is false only when the deed may be done: what
 * cannot be read was done.
 */
#include "fcgi/deed.h"
#include "fcgi/decimal.h"
#include "fcgi/pattern.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 256 }; /* ids are short */

static bool
is_object(const struct json *thing, const char *name)
{
	return json_kind(json_member(thing, name)) == JSON_KIND_OBJECT;
}

static const char *
text_of(const struct json *thing, const char *name)
{
	const char *text = json_text(json_member(thing, name));

	return text == NULL ? "" : text;
}

bool
deed_has_rate(const struct json *shipment, const char *rate_id)
{
	const struct json *rate = json_member(shipment, "selected_rate");

	return strcmp(text_of(rate, "id"), rate_id) == 0;
}

/* The id of the rate that a purchase names, as a text or as an object. */
static const char *
wanted_rate(const struct json *wanted)
{
	const struct json *rate = json_member(wanted, "rate");
	const char *id = json_text(rate);

	return id == NULL ? json_text(json_member(rate, "id")) : id;
}

static bool
is_shipment_bought(const struct json *thing, const struct json *wanted)
{
	const char *rate = wanted_rate(wanted);

	return is_object(thing, "postage_label") &&
	    (rate == NULL || deed_has_rate(thing, rate));
}

static bool
is_shipment_refunded(const struct json *thing, const struct json *wanted)
{
	(void)wanted; /* a refund is of the whole */
	return json_text(json_member(thing, "refund_status")) != NULL;
}

/* False only when both are amounts, and differ. */
static bool
may_be_amount(const char *amount, const struct json *wanted)
{
	char written[32];
	const char *text = json_text(wanted);

	if (json_kind(wanted) == JSON_KIND_NUMBER) {
		(void)snprintf(written, sizeof(written), "%.2f",
		    json_number(wanted)); /* cut: then it is no amount */
		text = written;
	}
	return text == NULL || !decimal_is_valid(text) ||
	    !decimal_is_valid(amount) || decimal_compare(text, amount) == 0;
}

/* A shipment may have been insured before, for another amount. */
static bool
is_shipment_insured(const struct json *thing, const struct json *wanted)
{
	const char *amount = json_text(json_member(thing, "insurance"));

	return amount != NULL &&
	    may_be_amount(amount, json_member(wanted, "amount"));
}

static bool
is_order_bought(const struct json *thing, const struct json *wanted)
{
	const struct json *shipments = json_member(thing, "shipments");

	(void)wanted; /* an order is bought once, with one service */
	for (size_t i = 0; i < json_count(shipments); i++)
		if (is_object(json_element(shipments, i), "postage_label"))
			return true;
	return false;
}

static bool
is_pickup_bought(const struct json *thing, const struct json *wanted)
{
	(void)wanted; /* a pickup is bought once */
	return *text_of(thing, "confirmation") != '\0' ||
	    strcmp(text_of(thing, "status"), "scheduled") == 0;
}

/* EasyPost buys a batch behind its answer: first its shipments say so, then its
 * state, which goes on from purchasing to purchased or purchase_failed,
 * label_generating, label_generated. */
static bool
is_batch_bought(const struct json *thing, const struct json *wanted)
{
	const struct json *shipments = json_member(thing, "shipments");
	const char *state = text_of(thing, "state");

	(void)wanted; /* all of it */
	for (size_t i = 0; i < json_count(shipments); i++) {
		const char *line =
		    text_of(json_element(shipments, i), "batch_status");

		if (strcmp(line, "queued_for_purchase") == 0 ||
		    strncmp(line, "postage_purchase", 16) == 0)
			return true;
	}
	return strncmp(state, "purchas", 7) == 0 ||
	    strncmp(state, "label_", 6) == 0;
}

static bool
is_insurance_refunded(const struct json *thing, const struct json *wanted)
{
	(void)wanted; /* all of it */
	return strcmp(text_of(thing, "status"), "cancelled") == 0;
}

/* clang-format off */
const struct deed deed_buy_shipment = {
	"/v2/shipments/{id}/buy", "/v2/shipments/", "shp_", "buy",
	is_shipment_bought
};

const struct deed deed_refund_shipment = {
	"/v2/shipments/{id}/refund", "/v2/shipments/", "shp_", "refund",
	is_shipment_refunded
};

/* Bought by rule: another way to the same. */
static const struct deed buy_shipment_by_rule = {
	"/v2/shipments/{id}/luma", "/v2/shipments/", "shp_", "buy",
	is_shipment_bought
};

static const struct deed insure_shipment = {
	"/v2/shipments/{id}/insure", "/v2/shipments/", "shp_", "insure",
	is_shipment_insured
};

static const struct deed buy_order = {
	"/v2/orders/{id}/buy", "/v2/orders/", "order_", "buy", is_order_bought
};

static const struct deed buy_pickup = {
	"/v2/pickups/{id}/buy", "/v2/pickups/", "pickup_", "buy",
	is_pickup_bought
};

static const struct deed buy_batch = {
	"/v2/batches/{id}/buy", "/v2/batches/", "batch_", "buy",
	is_batch_bought
};

static const struct deed refund_insurance = {
	"/v2/insurances/{id}/refund", "/v2/insurances/", "ins_", "refund",
	is_insurance_refunded
};

static const struct deed *const deeds[] = {
	&deed_buy_shipment, &deed_refund_shipment, &buy_shipment_by_rule,
	&insure_shipment, &buy_order, &buy_pickup, &buy_batch,
	&refund_insurance,
};

/* clang-format on */

const struct deed *
deed_find(
    const char *method, const char *path, const char **id, size_t *id_bytes)
{
	struct pattern_argument argument;
	char plain[PATH_BYTES];
	size_t bytes = strlen(path);

	/* Who knows what EasyPost makes of a slash at the end. */
	while (bytes > 1 && path[bytes - 1] == '/')
		bytes--;
	if (strcmp(method, "POST") != 0 || bytes >= sizeof(plain))
		return NULL;
	memcpy(plain, path, bytes);
	plain[bytes] = '\0';
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (pattern_match(deeds[i]->pattern, plain, &argument)) {
			*id = path + (argument.text - plain);
			*id_bytes = argument.bytes;
			return deeds[i];
		}
	return NULL;
}
