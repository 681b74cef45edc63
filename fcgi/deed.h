/*
 * What is done for money to something that EasyPost has already, and how one
 * sees in it that it was done: a table.
 */
#ifndef WAYBILL_DEED_H
#define WAYBILL_DEED_H

#include "shared/json.h"

#include <stdbool.h>
#include <stddef.h>

struct deed {
	const char *pattern; /* of the POST: "/v2/shipments/{id}/buy" */
	const char *thing;   /* GET this and the id to see what became of it */
	const char *id_prefix; /* of the thing's id */
	const char *name;      /* "buy"; with the id it names the deed */

	/* True when the thing, as EasyPost shows it, has had this done to it;
	 * `wanted` is the body of the POST, NULL when that is not known. */
	bool (*is_done)(const struct json *thing, const struct json *wanted);
};

extern const struct deed deed_buy_shipment;
extern const struct deed deed_refund_shipment;

/* The deed of a request, and the thing's id within the path; NULL for any other
 * request. */
const struct deed *deed_find(
    const char *method, const char *path, const char **id, size_t *id_bytes);

/* True when the shipment was bought with this rate. */
bool deed_has_rate(const struct json *shipment, const char *rate_id);

#endif
