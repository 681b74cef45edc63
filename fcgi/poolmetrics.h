/*
 * What the three pools of this host are doing and have done, for Prometheus.
 */
#ifndef WAYBILL_POOLMETRICS_H
#define WAYBILL_POOLMETRICS_H

#include "shared/buf.h"
#include "shared/conf.h"

/* Appends their families: workers, requests and their times, calls to EasyPost, events. */
void poolmetrics_add(const struct conf *, struct buf *out);

#endif
