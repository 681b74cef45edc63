/*
 * Names begin with waybill_, so that nobody has to say so.
 */
#include "fcgi/exposition.h"

void
exposition_family(
    struct buf *out, const char *name, const char *type, const char *help)
{
	(void)buf_addf(out, "# HELP waybill_%s %s\n# TYPE waybill_%s %s\n",
	    name, help, name, type);
}

void
exposition_value(struct buf *out, const char *name, const char *type,
    const char *help, double value)
{
	exposition_family(out, name, type, help);
	(void)buf_addf(out, "waybill_%s %.15g\n", name, value);
}

void
exposition_times(struct buf *out, const char *name, const char *labels,
    const struct counters_times *times)
{
	const char *comma = *labels == '\0' ? "" : ",";
	int64_t sum_us = times->sum_us;
	long long count = 0;

	for (int i = 0; i < COUNTERS_BUCKETS; i++) {
		count += times->buckets[i];
		(void)buf_addf(out, "waybill_%s_bucket{%s%sle=\"%s\"} %lld\n",
		    name, labels, comma,
		    i < COUNTERS_BUCKETS - 1 ? counters_limits[i].seconds
					     : "+Inf",
		    count);
	}
	(void)buf_addf(out,
	    "waybill_%s_sum{%s} %lld.%06d\nwaybill_%s_count{%s} %lld\n", name,
	    labels, (long long)(sum_us / 1000000), (int)(sum_us % 1000000),
	    name, labels, count);
}
