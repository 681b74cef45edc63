/*
 * The daily spending limit of a gateway key.
 *
 * Whoever is about to buy for a key that has one (caller.has_spending_limit) reserves
 * the price, and that is committed before EasyPost is asked.  Afterwards it becomes
 * what was paid, or is given back when nothing was bought; when nobody knows, it stays.
 * In the database, and so one sum for all pools and hosts: without an answer of it
 * nothing is bought.
 */
#ifndef WAYBILL_BUDGET_H
#define WAYBILL_BUDGET_H

#include "fcgi/deed.h"
#include "fcgi/request.h"
#include "fcgi/uuid.h"
#include "shared/buf.h"
#include "shared/db.h"

#include <stdbool.h>

/* What one attempt has reserved; zeroed: nothing. */
struct budget {
	char id[UUID_BYTES + 1]; /* "": nothing */
	enum db_status status;
	bool is_enough;
	const char *spent; /* today, and the limit; in the request's memory */
	const char *limit;
};

/* Reserves the price of a thing, "buy shp_...".  False when it is more than is left,
 * or the database did not answer: budget_refuse() says which. */
bool budget_reserve(
    struct request *, struct budget *, const char *thing, const struct price *);

/* Refuses (402, 503).  `created`: the shipment that the request has made already, or
 * NULL. */
void budget_refuse(struct request *, const struct budget *,
    const struct price *, const char *created);

/* The thing was bought, as EasyPost's document of it shows; whichever attempt it
 * was.  A failure is only logged, as that of the next: the price then counts. */
void budget_settle(
    struct request *, const char *thing, const struct buf *document);

/* Nothing was bought by this attempt. */
void budget_release(struct request *, const struct budget *);

/* Refuses (403) what has no price before it is bought: `why` is a clause, "EasyPost
 * tells what ... costs only afterwards". */
void budget_refuse_unknown(
    struct request *, const char *field, const char *why);

#endif
