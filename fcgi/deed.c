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

/* An amount as text, whether it is one or a number; NULL when it is none. */
static const char *
amount_of(const struct json *amount, char written[PRICE_BYTES])
{
	const char *text = json_text(amount);

	if (json_kind(amount) == JSON_KIND_NUMBER) {
		(void)snprintf(written, PRICE_BYTES, "%.2f",
		    json_number(amount)); /* cut: then it is too long */
		text = written;
	}
	return text != NULL && decimal_is_valid(text) ? text : NULL;
}

/* False only when both are amounts, and differ. */
static bool
may_be_amount(const char *amount, const struct json *wanted)
{
	char written[PRICE_BYTES];
	const char *text = amount_of(wanted, written);

	return text == NULL || !decimal_is_valid(amount) ||
	    decimal_compare(text, amount) == 0;
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

/*
 * Prices.
 */

static void
write_price(struct price *price, const char *amount, const char *insured,
    const char *currency)
{
	/* All of them are short enough: they were looked at. */
	(void)snprintf(price->amount, sizeof(price->amount), "%s", amount);
	(void)snprintf(price->insured, sizeof(price->insured), "%s", insured);
	(void)snprintf(
	    price->currency, sizeof(price->currency), "%s", currency);
}

/* Rates of shipments, orders and pickups are alike. */
static bool
is_priced(const struct json *rate)
{
	const char *currency = text_of(rate, "currency");

	return decimal_is_valid(text_of(rate, "rate")) && *currency != '\0' &&
	    strlen(currency) < PRICE_CURRENCY_BYTES;
}

static bool
is_nothing(const struct json *value)
{
	enum json_kind kind = json_kind(value);

	return kind == JSON_KIND_NONE || kind == JSON_KIND_NULL;
}

bool
deed_rate_price(const struct json *rate, const struct json *shipment,
    const struct json *wanted, struct price *price)
{
	const struct json *insurance = json_member(wanted, "insurance");
	char written[PRICE_BYTES];
	const char *insured;

	if (is_nothing(insurance))
		insurance = json_member(shipment, "insurance");
	insured = is_nothing(insurance) ? "0" : amount_of(insurance, written);
	if (insured == NULL || !is_priced(rate))
		return false;
	write_price(
	    price, text_of(rate, "rate"), insured, text_of(rate, "currency"));
	return true;
}

bool
deed_insurance_price(const struct json *amount, struct price *price)
{
	char written[PRICE_BYTES];
	const char *insured = amount_of(amount, written);

	if (insured != NULL)
		write_price(price, "0", insured, "USD"); /* EasyPost's */
	return insured != NULL;
}

static bool
find_shipment_price(
    const struct json *thing, const struct json *wanted, struct price *price)
{
	const struct json *rates = json_member(thing, "rates");
	const char *id = wanted_rate(wanted);

	for (size_t i = 0; id != NULL && i < json_count(rates); i++) {
		const struct json *rate = json_element(rates, i);

		if (strcmp(text_of(rate, "id"), id) == 0)
			return deed_rate_price(rate, thing, wanted, price);
	}
	return false;
}

static bool
find_insurance_price(
    const struct json *thing, const struct json *wanted, struct price *price)
{
	(void)thing; /* the whole sum is insured anew */
	return deed_insurance_price(json_member(wanted, "amount"), price);
}

/* Of the one rate with this carrier and this service. */
static bool
find_service_price(
    const struct json *rates, const struct json *wanted, struct price *price)
{
	static const struct json *const no_shipment = NULL;
	const char *carrier = text_of(wanted, "carrier");
	const char *service = text_of(wanted, "service");
	const struct json *found = NULL;

	for (size_t i = 0; i < json_count(rates); i++) {
		const struct json *rate = json_element(rates, i);

		if (strcmp(text_of(rate, "carrier"), carrier) != 0 ||
		    strcmp(text_of(rate, "service"), service) != 0)
			continue;
		if (found != NULL)
			return false;
		found = rate;
	}
	return found != NULL &&
	    deed_rate_price(found, no_shipment, wanted, price);
}

static bool
find_order_price(
    const struct json *thing, const struct json *wanted, struct price *price)
{
	const struct json *shipments = json_member(thing, "shipments");

	for (size_t i = 0; i < json_count(shipments); i++)
		if (!is_nothing(
			json_member(json_element(shipments, i), "insurance")))
			return false; /* its rates are without it */
	return find_service_price(json_member(thing, "rates"), wanted, price);
}

static bool
find_pickup_price(
    const struct json *thing, const struct json *wanted, struct price *price)
{
	return find_service_price(
	    json_member(thing, "pickup_rates"), wanted, price);
}

/* clang-format off */
const struct deed deed_buy_shipment = {
	"/v2/shipments/{id}/buy", "/v2/shipments/", "shp_", "buy",
	is_shipment_bought, find_shipment_price, false
};

const struct deed deed_refund_shipment = {
	"/v2/shipments/{id}/refund", "/v2/shipments/", "shp_", "refund",
	is_shipment_refunded, NULL, true
};

/* Bought by rule: another way to the same. */
static const struct deed buy_shipment_by_rule = {
	"/v2/shipments/{id}/luma", "/v2/shipments/", "shp_", "buy",
	is_shipment_bought, NULL, false
};

static const struct deed insure_shipment = {
	"/v2/shipments/{id}/insure", "/v2/shipments/", "shp_", "insure",
	is_shipment_insured, find_insurance_price, false
};

static const struct deed buy_order = {
	"/v2/orders/{id}/buy", "/v2/orders/", "order_", "buy", is_order_bought,
	find_order_price, false
};

static const struct deed buy_pickup = {
	"/v2/pickups/{id}/buy", "/v2/pickups/", "pickup_", "buy",
	is_pickup_bought, find_pickup_price, false
};

static const struct deed buy_batch = {
	"/v2/batches/{id}/buy", "/v2/batches/", "batch_", "buy",
	is_batch_bought, NULL, false
};

static const struct deed refund_insurance = {
	"/v2/insurances/{id}/refund", "/v2/insurances/", "ins_", "refund",
	is_insurance_refunded, NULL, true
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
