/*
 * A proxied call that spends money, sent once.
 *
 * As often as its client sends it, under one Idempotency-Key or, for what is done
 * to one thing, under none: when nobody knows what became of an attempt, EasyPost
 * is asked, and what was done already is the answer.
 */
#ifndef WAYBILL_SPENDING_H
#define WAYBILL_SPENDING_H

#include "fcgi/upstream.h"

/* True for a call that has to be sent by spending_send(). */
bool spending_is(const struct upstream *);

/* Sends it as upstream_send() does, after upstream_check().  False when the
 * request has been answered or refused, and there is nothing to relay. */
bool spending_send(struct upstream *, enum easypost_result *);

#endif
