/*
 * The simple routes that buy nothing: rates and shipments in our envelope.
 */
#ifndef WAYBILL_SIMPLE_H
#define WAYBILL_SIMPLE_H

#include "fcgi/request.h"

/* Handlers for the route table. */
void simple_rates(struct request *, const void *unused);
void simple_create(struct request *, const void *unused);
void simple_list(struct request *, const void *unused);
void simple_one(struct request *, const void *unused);

#endif
