/*
 * POST /bulk-shipments: many shipments in one call.
 */
#ifndef WAYBILL_BULK_H
#define WAYBILL_BULK_H

#include "fcgi/request.h"

/* Handler for the route table; it takes no data. */
void bulk_create(struct request *, const void *unused);

#endif
