/*
 * /metrics, for Prometheus.
 */
#ifndef WAYBILL_METRICS_H
#define WAYBILL_METRICS_H

#include "fcgi/request.h"

/* All pools of this host and the database in the text format 0.0.4. */
void metrics_handle(struct request *, const void *unused);

#endif
