/*
 * Reads while EasyPost is down: what it said last is better than nothing, when it
 * is marked as what it is.
 */
#ifndef WAYBILL_STALE_H
#define WAYBILL_STALE_H

#include "fcgi/request.h"

#include <stdbool.h>

/* Answers GET or HEAD of a shipment, tracker or address below /v2 with the newest
 * document that is known of it, and its age.  False when it is no such read,
 * nothing is known, or this is switched off: nothing was answered. */
bool stale_answer(struct request *);

#endif
