/*
 * Counting in shared memory: see counters.h for the promises.
 *
 * Additions are relaxed: a reader sees each counter whole, and need not see two
 * of them at the same moment.  The combinations of route, method and status that
 * occur are few of those that could: a table of hashes, whose entries are taken
 * once and never given back.
 */
#include "shared/counters.h"

#include <stdio.h>
#include <string.h>

enum { PROBES_MAX = 64, UNMATCHED = 0, STATUS_MOST = 1023 };

static const char unmatched[] = "unmatched";

/* In the order of their numbers in a key; the first one is none of them. */
static const char *const methods[] = { "other", "GET", "HEAD", "POST", "PUT",
	"PATCH", "DELETE", "OPTIONS" };

enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

const struct counters_limit counters_limits[COUNTERS_BUCKETS - 1] = {
	{ 1000, "0.001" },
	{ 2500, "0.0025" },
	{ 5000, "0.005" },
	{ 10000, "0.01" },
	{ 25000, "0.025" },
	{ 50000, "0.05" },
	{ 100000, "0.1" },
	{ 250000, "0.25" },
	{ 500000, "0.5" },
	{ 1000000, "1" },
	{ 2500000, "2.5" },
	{ 5000000, "5" },
	{ 10000000, "10" },
	{ 30000000, "30" },
	{ 60000000, "60" },
};

/* applied, kept, duplicate, refused: what the database said.  spooled: it was
 * away.  lost: answered 503, EasyPost sends it again.  unauthorized: the
 * signature is bad or missing. */
const char *const counters_event_results[] = { "applied", "kept", "duplicate",
	"refused", "spooled", "lost", "unauthorized", NULL };

const char *const counters_limit_kinds[COUNTERS_LIMITS] = { "rate",
	"spending" };

enum { CLASS_LEAST = 2, CLASSES = 4 };

/* Answers by the class of their status, then what is none. */
const char *const counters_upstream_results[] = { "2xx", "3xx", "4xx", "5xx",
	"unreachable", "untrusted", "in_doubt", "late", "too_large", NULL };

static const int upstream_failures[] = {
	[EASYPOST_UNREACHABLE] = CLASSES,
	[EASYPOST_UNTRUSTED] = CLASSES + 1,
	[EASYPOST_IN_DOUBT] = CLASSES + 2,
	[EASYPOST_LATE] = CLASSES + 3,
	[EASYPOST_TOO_LARGE] = CLASSES + 4,
};

static void
add(_Atomic int64_t *counter, int64_t number)
{
	(void)atomic_fetch_add_explicit(
	    counter, number, memory_order_relaxed); /* returns the old one */
}

static void
note_time(struct counters_times *times, int64_t us)
{
	int i = 0;

	while (i < COUNTERS_BUCKETS - 1 && us > counters_limits[i].us)
		i++;
	add(&times->buckets[i], 1);
	add(&times->sum_us, us);
}

static int
find_route(const struct counters *counters, const char *pattern)
{
	int count = counters->route_count;

	for (int i = 0; pattern != NULL && i < count; i++)
		if (strcmp(counters->routes[i].pattern, pattern) == 0)
			return i;
	return UNMATCHED;
}

void
counters_add_route(struct counters *counters, const char *pattern)
{
	int count = counters->route_count;

	if (count == 0) {
		(void)snprintf(counters->routes[UNMATCHED].pattern,
		    COUNTERS_PATTERN_BYTES, "%s", unmatched); /* fits */
		count = 1;
	}
	if (find_route(counters, pattern) == UNMATCHED &&
	    count < COUNTERS_ROUTES_MAX &&
	    strlen(pattern) < COUNTERS_PATTERN_BYTES)
		(void)snprintf(counters->routes[count++].pattern,
		    COUNTERS_PATTERN_BYTES, "%s", pattern); /* fits */
	/* Last: a name is complete when somebody may see it. */
	counters->route_count = count;
}

static uint32_t
method_number(const char *name)
{
	for (uint32_t i = 1; i < METHODS; i++)
		if (strcmp(methods[i], name) == 0)
			return i;
	return 0;
}

/* Never 0: an answer has a status. */
static uint32_t
make_key(int route, const char *method, int status)
{
	return (uint32_t)route << 16 | method_number(method) << 12 |
	    ((uint32_t)status & STATUS_MOST);
}

struct counters_answer_parts
counters_answer_parts(const struct counters *counters, uint32_t key)
{
	return (struct counters_answer_parts){
		.route = counters->routes[key >> 16 & (COUNTERS_ROUTES_MAX - 1)]
			     .pattern,
		.method = methods[key >> 12 & (METHODS - 1)],
		.status = (int)(key & STATUS_MOST),
	};
}

/* The counter of this key, taken for it when it is the first; NULL: full. */
static _Atomic int64_t *
find_answer(struct counters *counters, uint32_t key)
{
	/* Knuth's multiplier: neighbours end far from each other. */
	uint32_t at = key * 2654435761U >> 16;

	for (int i = 0; i < PROBES_MAX; i++) {
		struct counters_answer *answer =
		    &counters
			 ->answers[(at + (uint32_t)i) % COUNTERS_ANSWERS_MAX];
		uint32_t found = 0;

		if (answer->key == key ||
		    atomic_compare_exchange_strong(&answer->key, &found, key) ||
		    found == key)
			return &answer->count;
	}
	return NULL;
}

void
counters_note_request(
    struct counters *counters, const struct counters_request *request)
{
	int route = find_route(counters, request->route);
	_Atomic int64_t *count = find_answer(
	    counters, make_key(route, request->method, request->status));

	add(count != NULL ? count : &counters->answers_lost, 1);
	note_time(&counters->routes[route].times, request->total_us);
	if (request->database_us > 0)
		note_time(&counters->database, request->database_us);
}

void
counters_note_upstream(
    void *context, enum easypost_result result, int status, int64_t took_us)
{
	struct counters *counters = context;
	int number = status / 100 - CLASS_LEAST;

	if (result != EASYPOST_ANSWERED)
		number = upstream_failures[result];
	else if (number < 0 || number >= CLASSES) /* no HTTP: see upstream.c */
		number = upstream_failures[EASYPOST_IN_DOUBT];
	add(&counters->upstream_results[number], 1);
	note_time(&counters->upstream, took_us);
}

void
counters_note_limited(struct counters *counters, enum counters_limit_kind kind)
{
	add(&counters->limited[kind], 1);
}

void
counters_note_event(struct counters *counters, int type, const char *result)
{
	for (int i = 0; counters_event_results[i] != NULL; i++)
		if (strcmp(counters_event_results[i], result) == 0)
			add(&counters->events[type][i], 1);
}
