/*
 * The activity log: one line for each request, a row of user_activities later.
 */
#ifndef WAYBILL_ACTIVITY_H
#define WAYBILL_ACTIVITY_H

#include "fcgi/request.h"

/* Notes a request that has ended, unless it was a probe or there is no database
 * to keep it.  Costs the worker microseconds and never waits; what cannot be
 * noted is dropped. */
void activity_note(struct request *);

/* What nginx shall note of the requests that it answers out of its cache with
 * the answer to this one: JSON in a header's value, the arena's.  NULL: nothing,
 * for there is no database or nobody takes away what it noted. */
const char *activity_of_hits(struct request *);

#endif
