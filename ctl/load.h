/*
 * What the pools of this host are doing, for system_metrics.
 */
#ifndef WAYBILL_LOAD_H
#define WAYBILL_LOAD_H

#include "shared/buf.h"
#include "shared/conf.h"

/* Appends the members active_connections (requests under way; null: no pool runs
 * here), db_pool_size (workers always there, one connection each) and
 * db_connections_limit (pool_connections()), without braces. */
void load_look(const struct conf *, struct buf *out);

#endif
