/*
 * The simple routes that spend money or get it back: each guarded by its
 * Idempotency-Key.
 */
#ifndef WAYBILL_PURCHASE_H
#define WAYBILL_PURCHASE_H

#include "fcgi/request.h"

/* Handlers for the route table: create a shipment and buy one of its rates; buy a
 * rate of a shipment that exists; ask the money back. */
void purchase_create(struct request *, const void *unused);
void purchase_buy(struct request *, const void *unused);
void purchase_refund(struct request *, const void *unused);

#endif
