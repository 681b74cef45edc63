/*
 * The type of an event of EasyPost, without reading the event.
 */
#ifndef WAYBILL_EVENT_H
#define WAYBILL_EVENT_H

#include <stddef.h>

/* The number of the documented description that the event has, else that of
 * "other".  The body may be anything. */
int event_type(const char *body, size_t bytes);

/* The description of that number; NULL behind the last. */
extern const char *const event_types[];

enum { EVENT_OTHER = 0 };

#endif
