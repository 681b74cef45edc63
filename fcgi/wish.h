/*
 * What a client wants to buy, as its body says it.
 */
#ifndef WAYBILL_WISH_H
#define WAYBILL_WISH_H

#include "fcgi/body.h"
#include "fcgi/rate.h"

/* Reads "rate" ("cheapest", {"carrier","service"} and, where it may be an id, that
 * or {"id"}) and "max_price", and adds what is wrong with them.  The texts are the
 * body's or the request's. */
struct rate_wish wish_read(struct request *, struct body_check *,
    const struct json *body, bool may_be_id);

#endif
