/*
 * Many tracking codes in one call.
 */
#ifndef WAYBILL_TRACK_H
#define WAYBILL_TRACK_H

#include "fcgi/request.h"

/* Handler for POST /shipments/batch-track. */
void track_batch(struct request *, const void *unused);

#endif
