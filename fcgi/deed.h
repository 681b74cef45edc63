/*
 * What is done for money to something that EasyPost has already, and how one
 * sees in it that it was done: a table.
 */
#ifndef WAYBILL_DEED_H
#define WAYBILL_DEED_H

#include "fcgi/decimal.h"
#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	PRICE_BYTES = DECIMAL_WHOLE_MAX + 1 + DECIMAL_FRACTION_MAX + 1,
	PRICE_CURRENCY_BYTES = 8,
};

/* What something costs at most, as decimal texts. */
struct price {
	char amount[PRICE_BYTES];
	/* The sum that is insured with it, because what insuring costs is told
	 * only afterwards; "0" for none. */
	char insured[PRICE_BYTES];
	char currency[PRICE_CURRENCY_BYTES];
};

struct deed {
	const char *pattern; /* of the POST: "/v2/shipments/{id}/buy" */
	const char *thing;   /* GET this and the id to see what became of it */
	const char *id_prefix; /* of the thing's id */
	const char *name;      /* "buy"; with the id it names the deed */

	/* True when the thing, as EasyPost shows it, has had this done to it;
	 * `wanted` is the body of the POST, NULL when that is not known. */
	bool (*is_done)(const struct json *thing, const struct json *wanted);

	/* What it costs, by the thing as EasyPost shows it; false when that does
	 * not tell.  NULL: EasyPost tells it only afterwards. */
	bool (*find_price)(const struct json *thing, const struct json *wanted,
	    struct price *);
	bool is_free; /* it costs nothing */
};

extern const struct deed deed_buy_shipment;
extern const struct deed deed_refund_shipment;

/* The deed of a request, and the thing's id within the path; NULL for any other
 * request. */
const struct deed *deed_find(
    const char *method, const char *path, const char **id, size_t *id_bytes);

/* The price of a shipment's rate, with what is insured: by what is wanted, or else
 * by the shipment. */
bool deed_rate_price(const struct json *rate, const struct json *shipment,
    const struct json *wanted, struct price *);

/* That of insuring alone; false when `amount` is none. */
bool deed_insurance_price(const struct json *amount, struct price *);

/* True when the shipment was bought with this rate. */
bool deed_has_rate(const struct json *shipment, const char *rate_id);

#endif
