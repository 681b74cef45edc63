/*
 * Where a parcel is: from our database while that is fresh, else from EasyPost.
 */
#ifndef WAYBILL_TRACKING_H
#define WAYBILL_TRACKING_H

#include "fcgi/request.h"

/* Handler for the route table. */
void tracking_handle(struct request *, const void *unused);

#endif
