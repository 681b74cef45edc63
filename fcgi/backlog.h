/*
 * Bulk calls that were put off, worked off behind their answers.
 *
 * An idle worker of the pool that calls EasyPost looks for them once a second, so
 * that no other process needs EasyPost's keys.  One worker of all hosts does it at a
 * time, so that there are never more calls under way than one makes.
 */
#ifndef WAYBILL_BACKLOG_H
#define WAYBILL_BACKLOG_H

#include "fcgi/request.h"

#include <stdbool.h>
#include <stdint.h>

/* clock_ms() at which the worker of this slot, being idle, calls backlog_work();
 * 0: never. */
int64_t backlog_due_ms(const struct service *, int slot);

/* Looks, and works for some seconds, one round after the other, when it is this
 * worker's turn and there is something to do. */
void backlog_work(struct request *, const volatile bool *is_stopping);

#endif
