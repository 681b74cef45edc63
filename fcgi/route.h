/*
 * THE TABLE: every route, in one place.
 */
#ifndef WAYBILL_ROUTE_H
#define WAYBILL_ROUTE_H

#include "fcgi/request.h"

#include <stdio.h>

/* Finds the route, lets the guard look, calls its handler.  When this returns
 * the answer is complete. */
void route_request(struct request *);

/* The patterns of the table and the pools that serve them, 0 being the first
 * line; NULL behind the last. */
const char *route_pattern(int line);
enum pool_id route_pool(int line);

/* One line a route: pattern, pool, scope and methods, between tabs.  Failures
 * are for the caller to see in the stream. */
void route_print(FILE *);

#endif
