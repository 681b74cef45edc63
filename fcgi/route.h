/*
 * THE TABLE: every route, in one place.
 */
#ifndef WAYBILL_ROUTE_H
#define WAYBILL_ROUTE_H

#include "fcgi/request.h"

/* Finds the route, lets the guard look, calls its handler.  When this returns
 * the answer is complete. */
void route_request(struct request *);

#endif
