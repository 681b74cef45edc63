/*
 * Bulk calls that are too large to be done while their client waits.
 */
#ifndef WAYBILL_DEFER_H
#define WAYBILL_DEFER_H

#include "fcgi/claim.h"

/* Puts the list of shipments, an array of JSON as it came, into the database, from
 * where they are worked off, and answers 202 when all of it is durable; else the
 * request has been refused, and the claim is free again unless nobody knows. */
void defer_bulk(
    struct request *, const struct claim *, const char *list, size_t bytes);

#endif
