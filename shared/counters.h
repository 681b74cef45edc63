/*
 * What happened since the pool's supervisor started, in shared memory.
 *
 * A part of the scoreboard, one for each pool: workers come and go, what they
 * have counted stays and only grows.  Names are counted, never what a client
 * sent: routes by their patterns, events by the documented descriptions.
 * What must stay true: noting costs a few atomic additions and never waits.
 */
#ifndef WAYBILL_COUNTERS_H
#define WAYBILL_COUNTERS_H

#include "shared/easypost.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	COUNTERS_ROUTES_MAX = 128, /* a power of two */
	COUNTERS_PATTERN_BYTES = 56,
	COUNTERS_ANSWERS_MAX = 1024, /* combinations of route, method, status */
	COUNTERS_BUCKETS = 16,       /* the last one without a limit */
	COUNTERS_EVENT_TYPES = 32,
	COUNTERS_EVENT_RESULTS = 8,
	COUNTERS_UPSTREAM_RESULTS = 16,
};

/* What a gateway key has limits of. */
enum counters_limit_kind { COUNTERS_RATE, COUNTERS_SPENDING, COUNTERS_LIMITS };

/* How long something took, in buckets: each counts what its limit allows and
 * the one before does not. */
struct counters_times {
	_Atomic int64_t buckets[COUNTERS_BUCKETS];
	_Atomic int64_t sum_us;
};

struct counters_route {
	char pattern[COUNTERS_PATTERN_BYTES];
	struct counters_times times;
};

struct counters_answer {
	_Atomic uint32_t key; /* 0: free; see counters_answer_parts() */
	_Atomic int64_t count;
};

struct counters {
	_Atomic int32_t route_count;
	struct counters_route routes[COUNTERS_ROUTES_MAX];
	struct counters_answer answers[COUNTERS_ANSWERS_MAX];
	_Atomic int64_t answers_lost; /* the table was full */
	struct counters_times database;
	struct counters_times upstream;
	_Atomic int64_t upstream_results[COUNTERS_UPSTREAM_RESULTS];
	_Atomic int64_t events[COUNTERS_EVENT_TYPES][COUNTERS_EVENT_RESULTS];
	_Atomic int64_t limited[COUNTERS_LIMITS];
	_Atomic int64_t activities_dropped;
	_Atomic int64_t breaker_openings;
	_Atomic int64_t workers_started; /* these three by the supervisor */
	_Atomic int64_t workers_crashed;
	_Atomic int64_t workers_killed;
};

/* The supervisor, before it starts a worker: what a request may be counted
 * under.  One that is there is left alone. */
void counters_add_route(struct counters *, const char *pattern);

/* One request that was answered; `route` is a pattern, or NULL.  Times of 0 were
 * not spent and are not counted. */
struct counters_request {
	const char *route;
	const char *method;
	int status;
	int64_t total_us;
	int64_t database_us;
};

void counters_note_request(struct counters *, const struct counters_request *);

/* easypost_observer, whose context are the counters: one call to EasyPost. */
void counters_note_upstream(
    void *context, enum easypost_result, int status, int64_t took_us);

/* One webhook: its type as event_type() tells, and what became of it, a word of
 * counters_event_results. */
void counters_note_event(struct counters *, int type, const char *result);

/* One request that was refused because its key had used up its limit. */
void counters_note_limited(struct counters *, enum counters_limit_kind);

/* For those who tell: the words that numbers stand for; NULL behind the last. */
extern const char *const counters_event_results[];
extern const char *const counters_upstream_results[];
extern const char *const counters_limit_kinds[COUNTERS_LIMITS];

struct counters_limit {
	int64_t us;
	const char *seconds;
};

extern const struct counters_limit counters_limits[COUNTERS_BUCKETS - 1];

struct counters_answer_parts {
	const char *route;
	const char *method;
	int status;
};

struct counters_answer_parts counters_answer_parts(
    const struct counters *, uint32_t key);

#endif
