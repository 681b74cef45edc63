/*
 * Choosing one of the rates that a shipment was offered.
 */
#ifndef WAYBILL_RATE_H
#define WAYBILL_RATE_H

#include "shared/json.h"

#include <stdbool.h>

/* What the client wants to buy. */
struct rate_wish {
	const char *id;        /* this very rate; or NULL */
	const char *carrier;   /* any of these, or NULL: of all */
	const char *service;   /* set with carrier */
	const char *max_price; /* a decimal; or NULL */
};

/* The rate with the wished id, else the cheapest of those wished for: prices are
 * compared exactly; of equal ones the one with fewer delivery_days, then the
 * first.  NULL when there is none.  A rate without a price or an id is none. */
const struct json *rate_choose(
    const struct json *rates, const struct rate_wish *);

/* False when the rates wished for are in more than one currency: there is no
 * cheapest then. */
bool rate_is_comparable(const struct json *rates, const struct rate_wish *);

/* True when the rate costs more than was wished. */
bool rate_is_too_dear(const struct json *rate, const struct rate_wish *);

#endif
