/*
 * Out of the scoreboards and the counters, which lie in shared memory: costs nobody
 * anything.
 *
 * What must stay true: labels are names of ours, so that there are only so many
 * series; of a pool that does not run only that is told.
 */
#include "fcgi/poolmetrics.h"
#include "fcgi/event.h"
#include "fcgi/exposition.h"
#include "shared/counters.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* All that they are made of. */
struct scene {
	const struct scoreboard *boards[POOL_COUNT]; /* NULL: does not run */
	struct scoreboard_sum sums[POOL_COUNT];
	struct buf *out;
};

/*
 * Pools.
 */

static const struct counters *
counters_of(const struct scene *scene, int pool)
{
	return scene->boards[pool] == NULL
	    ? NULL
	    : scoreboard_read_counters(scene->boards[pool]);
}

static int64_t
is_up(const struct scoreboard_sum *sum)
{
	return sum->idle + sum->busy > 0;
}

static int64_t
base_of(const struct scoreboard_sum *sum)
{
	return sum->base;
}

static int64_t
limit_of(const struct scoreboard_sum *sum)
{
	return sum->limit;
}

static int64_t
connected_of(const struct scoreboard_sum *sum)
{
	return sum->connected;
}

static int64_t
exporting_of(const struct scoreboard_sum *sum)
{
	return sum->exporting;
}

static int64_t
is_breaker_open(const struct scoreboard_sum *sum)
{
	return sum->is_breaker_open;
}

static int64_t
started_of(const struct scoreboard_sum *sum)
{
	return sum->started_s;
}

static const struct {
	const char *name;
	const char *help;
	int64_t (*of)(const struct scoreboard_sum *);
} pool_gauges[] = {
	{ "up", "Whether the pool has a worker that serves.", is_up },
	{ "pool_size", "Workers that always run.", base_of },
	{ "pool_limit", "Workers at most, under load.", limit_of },
	{ "pool_database_connections",
	    "Workers that are connected to PostgreSQL.", connected_of },
	{ "pool_exports", "Exports that are running.", exporting_of },
	{ "pool_breaker_open",
	    "Whether the pool does without a database that does not answer.",
	    is_breaker_open },
	{ "pool_start_time_seconds",
	    "When the pool's supervisor started and its counters began.",
	    started_of },
};

static void
add_pool_gauges(const struct scene *scene)
{
	struct buf *out = scene->out;

	for (size_t i = 0; i < sizeof(pool_gauges) / sizeof(pool_gauges[0]);
	     i++) {
		exposition_family(
		    out, pool_gauges[i].name, "gauge", pool_gauges[i].help);
		for (int pool = 0; pool < POOL_COUNT; pool++)
			/* Of one that does not run only that is known. */
			if (i == 0 || scene->boards[pool] != NULL)
				(void)buf_addf(out,
				    "waybill_%s{pool=\"%s\"} %lld\n",
				    pool_gauges[i].name, pools[pool].name,
				    (long long)pool_gauges[i].of(
					&scene->sums[pool]));
	}
}

static void
add_workers(const struct scene *scene)
{
	exposition_family(
	    scene->out, "pool_workers", "gauge", "Workers by what they do.");
	for (int i = 0; i < POOL_COUNT; i++) {
		const struct scoreboard_sum *sum = &scene->sums[i];

		const struct {
			const char *state;
			int count;
		} states[] = { { "idle", sum->idle }, { "busy", sum->busy },
			{ "starting", sum->starting },
			{ "stopping", sum->stopping } };

		for (size_t s = 0; scene->boards[i] != NULL &&
		     s < sizeof(states) / sizeof(states[0]);
		     s++)
			(void)buf_addf(scene->out,
			    "waybill_pool_workers{pool=\"%s\",state=\"%s\"} "
			    "%d\n",
			    pools[i].name, states[s].state, states[s].count);
	}
}

/* Counters of a pool, one number each. */
static const struct {
	const char *name;
	const char *help;
	size_t offset;
} pool_counters[] = {
	{ "workers_started_total", "Workers that were started.",
	    offsetof(struct counters, workers_started) },
	{ "worker_deaths_total", "Workers that died unasked.",
	    offsetof(struct counters, workers_crashed) },
	{ "worker_kills_total", "Workers that were killed past their deadline.",
	    offsetof(struct counters, workers_killed) },
	{ "activities_dropped_total",
	    "Requests that will have no row in user_activities.",
	    offsetof(struct counters, activities_dropped) },
	{ "breaker_openings_total",
	    "How often the database was given up for a while.",
	    offsetof(struct counters, breaker_openings) },
	{ "http_requests_uncounted_total",
	    "Requests that are missing in waybill_http_requests_total.",
	    offsetof(struct counters, answers_lost) },
};

static void
add_pool_counters(const struct scene *scene)
{
	for (size_t i = 0; i < sizeof(pool_counters) / sizeof(pool_counters[0]);
	     i++) {
		exposition_family(scene->out, pool_counters[i].name, "counter",
		    pool_counters[i].help);
		for (int pool = 0; pool < POOL_COUNT; pool++) {
			const char *at = (const char *)counters_of(scene, pool);
			int64_t number;

			if (at == NULL)
				continue;
			memcpy(&number, at + pool_counters[i].offset,
			    sizeof(number));
			(void)buf_addf(scene->out,
			    "waybill_%s{pool=\"%s\"} %lld\n",
			    pool_counters[i].name, pools[pool].name,
			    (long long)number);
		}
	}
}

/*
 * Requests.
 */

static void
add_requests(const struct scene *scene)
{
	exposition_family(scene->out, "http_requests_total", "counter",
	    "Requests that were answered.");
	for (int pool = 0; pool < POOL_COUNT; pool++) {
		const struct counters *counters = counters_of(scene, pool);

		for (int i = 0; counters != NULL && i < COUNTERS_ANSWERS_MAX;
		     i++) {
			uint32_t key = counters->answers[i].key;
			struct counters_answer_parts parts;

			if (key == 0)
				continue;
			parts = counters_answer_parts(counters, key);
			(void)buf_addf(scene->out,
			    "waybill_http_requests_total{pool=\"%s\","
			    "route=\"%s\",method=\"%s\",code=\"%d\"} %lld\n",
			    pools[pool].name, parts.route, parts.method,
			    parts.status,
			    (long long)counters->answers[i].count);
		}
	}
}

static bool
is_empty(const struct counters_times *times)
{
	for (int i = 0; i < COUNTERS_BUCKETS; i++)
		if (times->buckets[i] != 0)
			return false;
	return true;
}

static void
add_durations(const struct scene *scene)
{
	char labels[128];

	exposition_family(scene->out, "http_request_duration_seconds",
	    "histogram",
	    "From accepting a request until its client had all of the answer.");
	for (int pool = 0; pool < POOL_COUNT; pool++) {
		const struct counters *counters = counters_of(scene, pool);
		int count = counters == NULL ? 0 : counters->route_count;

		for (int i = 0; i < count; i++) {
			const struct counters_route *route =
			    &counters->routes[i];

			if (is_empty(&route->times))
				continue;
			(void)snprintf(labels, sizeof(labels),
			    "pool=\"%s\",route=\"%s\"", pools[pool].name,
			    route->pattern); /* fits */
			exposition_times(scene->out,
			    "http_request_duration_seconds", labels,
			    &route->times);
		}
	}
	exposition_family(scene->out, "http_request_database_seconds",
	    "histogram", "Time in the database, of each request that used it.");
	for (int pool = 0; pool < POOL_COUNT; pool++) {
		if (scene->boards[pool] == NULL)
			continue;
		(void)snprintf(labels, sizeof(labels), "pool=\"%s\"",
		    pools[pool].name); /* fits */
		exposition_times(scene->out, "http_request_database_seconds",
		    labels, &counters_of(scene, pool)->database);
	}
}

static void
add_limited(const struct scene *scene)
{
	exposition_family(scene->out, "limited_requests_total", "counter",
	    "Requests that were refused because their key had used up a limit "
	    "of its own.");
	for (int pool = 0; pool < POOL_COUNT; pool++) {
		const struct counters *counters = counters_of(scene, pool);

		for (int i = 0; counters != NULL && i < COUNTERS_LIMITS; i++)
			(void)buf_addf(scene->out,
			    "waybill_limited_requests_total{pool=\"%s\","
			    "limit=\"%s\"} %lld\n",
			    pools[pool].name, counters_limit_kinds[i],
			    (long long)counters->limited[i]);
	}
}

static void
add_upstream(const struct scene *scene)
{
	const struct counters *counters = counters_of(scene, POOL_UPSTREAM);

	if (counters == NULL)
		return;
	exposition_family(scene->out, "upstream_requests_total", "counter",
	    "Calls to EasyPost by the class of the answer, or why none came.");
	for (int i = 0; counters_upstream_results[i] != NULL; i++)
		(void)buf_addf(scene->out,
		    "waybill_upstream_requests_total{result=\"%s\"} %lld\n",
		    counters_upstream_results[i],
		    (long long)counters->upstream_results[i]);
	exposition_value(scene->out, "upstream_down", "gauge",
	    "Whether EasyPost has been given up for a while.",
	    scene->sums[POOL_UPSTREAM].is_easypost_down);
	exposition_family(scene->out, "upstream_request_duration_seconds",
	    "histogram", "Time of a call to EasyPost.");
	exposition_times(scene->out, "upstream_request_duration_seconds", "",
	    &counters->upstream);
}

static void
add_events(const struct scene *scene)
{
	const struct counters *counters = counters_of(scene, POOL_WEBHOOK);

	if (counters == NULL)
		return;
	exposition_family(scene->out, "webhook_events_total", "counter",
	    "Deliveries of events by what became of them at once.");
	for (int type = 0; event_types[type] != NULL; type++)
		for (int i = 0; counters_event_results[i] != NULL; i++)
			if (counters->events[type][i] != 0)
				(void)buf_addf(scene->out,
				    "waybill_webhook_events_total{type=\"%s\","
				    "result=\"%s\"} %lld\n",
				    event_types[type],
				    counters_event_results[i],
				    (long long)counters->events[type][i]);
}

static void
open_boards(struct scene *scene, const struct conf *conf)
{
	for (int i = 0; i < POOL_COUNT; i++) {
		scene->boards[i] =
		    scoreboard_open(pool_scoreboard_path(&pools[i], conf));
		if (scene->boards[i] != NULL)
			scene->sums[i] = scoreboard_sum(scene->boards[i]);
	}
}

static void
close_boards(const struct scene *scene)
{
	for (int i = 0; i < POOL_COUNT; i++)
		if (scene->boards[i] != NULL)
			scoreboard_close(scene->boards[i]);
}

void
poolmetrics_add(const struct conf *conf, struct buf *out)
{
	struct scene scene = { .out = out };

	open_boards(&scene, conf);
	add_pool_gauges(&scene);
	add_workers(&scene);
	add_pool_counters(&scene);
	add_requests(&scene);
	add_durations(&scene);
	add_limited(&scene);
	add_upstream(&scene);
	add_events(&scene);
	close_boards(&scene);
}
