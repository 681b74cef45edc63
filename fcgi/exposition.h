/*
 * Prometheus' text format 0.0.4.
 */
#ifndef WAYBILL_EXPOSITION_H
#define WAYBILL_EXPOSITION_H

#include "shared/buf.h"
#include "shared/counters.h"

/* The head of a family, whose samples follow; its name is without waybill_, as those
 * below. */
void exposition_family(
    struct buf *out, const char *name, const char *type, const char *help);

/* A family that has one sample, without labels. */
void exposition_value(struct buf *out, const char *name, const char *type,
    const char *help, double value);

/* The samples of one histogram, in seconds; `labels` without braces, "" for none. */
void exposition_times(struct buf *out, const char *name, const char *labels,
    const struct counters_times *);

#endif
