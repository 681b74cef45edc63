/*
 * How many workers a pool should have: a decision out of numbers alone.
 *
 * Up at once when nobody is idle, twice as many at each step; down when some
 * were idle all the time for ten seconds.
 */
#ifndef WAYBILL_GROWTH_H
#define WAYBILL_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

struct growth {
	int base;  /* never fewer */
	int limit; /* never more */
	/* The rest is the module's own. */
	int step;          /* workers that were started last time */
	int64_t grown_ms;  /* last time */
	int64_t report_ms; /* of the report to be looked at; 0: none */
	int64_t deaf_ms;   /* no reports are wanted until then */
	int64_t window_ms; /* since then the idle are counted */
	int64_t sample_ms; /* last time */
	int least_idle;    /* since window_ms */
};

/* The workers that were not told to stop. */
struct growth_view {
	int working;
	int starting;
	int idle;
	bool is_in_change; /* a generation is being replaced: do not shrink */
};

/* A worker said that nobody is idle. */
void growth_report(struct growth *, int64_t now_ms);

/* True when reports are not wanted now, so that they do not keep the
 * supervisor awake. */
bool growth_is_deaf(const struct growth *, int64_t now_ms);

/* Above 0: start so many; below 0: retire so many idle ones.  Lowers *next_ms
 * to the time when it wants to be asked again. */
int growth_decide(struct growth *, const struct growth_view *, int64_t now_ms,
    int64_t *next_ms);

#endif
