/*
 * What the counters, the spool and the database say, as Prometheus reads it.
 *
 * Most of it comes from shared memory and costs nobody anything; the database is
 * asked once, with a short deadline, and when it does not answer its families
 * are left out: a value that is not known is not 0.
 * What must stay true: labels are names of ours, so that there are only so many
 * series; the samples of a family stand together.
 */
#include "fcgi/metrics.h"
#include "fcgi/event.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/backup.h"
#include "shared/clock.h"
#include "shared/counters.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/spool.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ASK_MS = 2000 };

/* All that one answer is made of. */
struct scene {
	const struct scoreboard *boards[POOL_COUNT]; /* NULL: does not run */
	struct scoreboard_sum sums[POOL_COUNT];
	struct buf *out;
	struct buf from_database;
	char last_metric[64];
	double jobs_queued;
	double jobs_oldest_s;
};

static void
add_family(
    struct buf *out, const char *name, const char *type, const char *help)
{
	(void)buf_addf(out, "# HELP waybill_%s %s\n# TYPE waybill_%s %s\n",
	    name, help, name, type);
}

static void
add_value(struct buf *out, const char *name, const char *type, const char *help,
    double value)
{
	add_family(out, name, type, help);
	(void)buf_addf(out, "waybill_%s %.15g\n", name, value);
}

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
		add_family(
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
	add_family(
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
		add_family(scene->out, pool_counters[i].name, "counter",
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
	add_family(scene->out, "http_requests_total", "counter",
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

/* One histogram; `labels` without braces, "" for none. */
static void
add_times(struct buf *out, const char *name, const char *labels,
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

	add_family(scene->out, "http_request_duration_seconds", "histogram",
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
			add_times(scene->out, "http_request_duration_seconds",
			    labels, &route->times);
		}
	}
	add_family(scene->out, "http_request_database_seconds", "histogram",
	    "Time in the database, of each request that used it.");
	for (int pool = 0; pool < POOL_COUNT; pool++) {
		if (scene->boards[pool] == NULL)
			continue;
		(void)snprintf(labels, sizeof(labels), "pool=\"%s\"",
		    pools[pool].name); /* fits */
		add_times(scene->out, "http_request_database_seconds", labels,
		    &counters_of(scene, pool)->database);
	}
}

static void
add_limited(const struct scene *scene)
{
	add_family(scene->out, "limited_requests_total", "counter",
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
	add_family(scene->out, "upstream_requests_total", "counter",
	    "Calls to EasyPost by the class of the answer, or why none came.");
	for (int i = 0; counters_upstream_results[i] != NULL; i++)
		(void)buf_addf(scene->out,
		    "waybill_upstream_requests_total{result=\"%s\"} %lld\n",
		    counters_upstream_results[i],
		    (long long)counters->upstream_results[i]);
	add_value(scene->out, "upstream_down", "gauge",
	    "Whether EasyPost has been given up for a while.",
	    scene->sums[POOL_UPSTREAM].is_easypost_down);
	add_family(scene->out, "upstream_request_duration_seconds", "histogram",
	    "Time of a call to EasyPost.");
	add_times(scene->out, "upstream_request_duration_seconds", "",
	    &counters->upstream);
}

static void
add_events(const struct scene *scene)
{
	const struct counters *counters = counters_of(scene, POOL_WEBHOOK);

	if (counters == NULL)
		return;
	add_family(scene->out, "webhook_events_total", "counter",
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

/*
 * The database and the spool.
 */

static const struct {
	const char *name;
	const char *label; /* NULL: it has none */
	const char *help;
} database_gauges[] = {
	{ "archive_late_seconds", NULL,
	    "How long WAL has waited to be archived, or failed to be; 0: none "
	    "waits, or archive_mode is off." },
	{ "bulk_items_open", NULL,
	    "Shipments of large bulk calls that are still to be sent." },
	{ "bulk_overdue_seconds", NULL,
	    "How long nobody has gone on with a bulk call that is due." },
	{ "database_connections", NULL,
	    "Connections to the server, of whomever." },
	{ "database_connections_limit", NULL,
	    "Connections that the server allows roles without privileges." },
	{ "figures_unmerged", NULL,
	    "Notes of changed shipments that are not merged into sums yet." },
	{ "jobs", "state",
	    "Background jobs; those that are done are left out." },
	{ "jobs_heartbeat_timestamp_seconds", NULL,
	    "When waybill jobs last wrote of the machine, once a minute; 0: "
	    "never." },
	{ "jobs_oldest_seconds", NULL,
	    "How long the oldest job that is due has waited." },
	{ "ledger_checked_timestamp_seconds", NULL,
	    "When a part of the ledger was last checked; 0: never." },
	{ "ledger_incomplete", "object",
	    "Days of which not all that EasyPost has is known to be here." },
	{ "replicas", NULL, "Replicas that are connected to the server." },
	{ "replication_lag_seconds", NULL,
	    "How far the last replica is behind; where there is one." },
	{ "view_drift", "view",
	    "Sums that were found wrong, and repaired, in a day; must be 0.  "
	    "Missing where none were compared." },
	{ "view_refresh_duration_seconds", "view",
	    "How long the last refresh of the view took." },
	{ "view_refreshed_timestamp_seconds", "view",
	    "When the view was last refreshed." },
	{ "webhook_failed", NULL,
	    "Events that are kept and could not be applied." },
};

/* db_row_function; the rows of a metric come together. */
static bool
take_sample(void *context, const struct db_row *row)
{
	struct scene *scene = context;
	const char *metric = row_text(row, "metric");
	const char *label = row_text(row, "label");
	const char *value = row_text(row, "value");
	struct buf *out = &scene->from_database;
	size_t i = 0;

	if (metric == NULL || value == NULL)
		return false;
	while (strcmp(database_gauges[i].name, metric) != 0)
		if (++i == sizeof(database_gauges) / sizeof(database_gauges[0]))
			return true; /* of a newer database */
	if (strcmp(scene->last_metric, metric) != 0)
		add_family(out, metric, "gauge", database_gauges[i].help);
	(void)snprintf(scene->last_metric, sizeof(scene->last_metric), "%s",
	    metric); /* fits: it is one of the table */
	if (label == NULL)
		(void)buf_addf(out, "waybill_%s %s\n", metric, value);
	else
		(void)buf_addf(out, "waybill_%s{%s=\"%s\"} %s\n", metric,
		    database_gauges[i].label == NULL ? "label"
						     : database_gauges[i].label,
		    label, value);
	if (strcmp(metric, "jobs_oldest_seconds") == 0)
		scene->jobs_oldest_s = strtod(value, NULL);
	if (label != NULL && strcmp(label, "queued") == 0)
		scene->jobs_queued = strtod(value, NULL);
	return true;
}

static void
add_database(struct scene *scene, struct request *rq)
{
	const struct db_call call = {
		.function = "api.metrics",
		.deadline_ms = clock_ms() + ASK_MS,
		.is_read = true,
	};
	bool is_there = rq->service->db != NULL &&
	    db_call(rq->service->db, &call, take_sample, scene) == DB_OK;

	add_value(scene->out, "database_up", "gauge",
	    "Whether the database answered.", is_there);
	if (is_there)
		(void)buf_add(scene->out, scene->from_database.data,
		    scene->from_database.len);
	else
		scene->jobs_queued = scene->jobs_oldest_s = 0;
}

static double
age_s(int64_t us)
{
	struct timespec now;
	double age;

	if (us == 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
		return 0;
	age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)us / 1e6;
	return age < 0 ? 0 : age;
}

static void
add_spool(const struct scene *scene, const struct request *rq)
{
	struct buf *out = scene->out;
	struct spool_survey spool;
	double oldest_s;

	if (!spool_look(rq->service->conf->spool_dir, &spool))
		return;
	oldest_s = age_s(spool.oldest_us);
	add_value(out, "spool_records", "gauge",
	    "Records that wait for the database.", (double)spool.records);
	add_value(
	    out, "spool_bytes", "gauge", "Their size.", (double)spool.bytes);
	add_value(out, "spool_limit_records", "gauge",
	    "Records that may wait at most.",
	    (double)rq->service->conf->spool_max_files);
	add_value(out, "spool_limit_bytes", "gauge", "Their size at most.",
	    (double)rq->service->conf->spool_max_bytes);
	add_value(out, "spool_oldest_seconds", "gauge",
	    "How long the oldest of them has waited; 0: none waits.", oldest_s);
	add_value(out, "spool_bad_records", "gauge",
	    "Records that cannot be applied: see waybill spool.",
	    (double)spool.bad);
	add_value(out, "sync_queue_depth", "gauge",
	    "Records in the spool and jobs that are queued, as far as known.",
	    (double)spool.records + scene->jobs_queued);
	add_value(out, "sync_lag_seconds", "gauge",
	    "How long the oldest record or due job has waited; 0: none waits.",
	    oldest_s > scene->jobs_oldest_s ? oldest_s : scene->jobs_oldest_s);
}

/* None where no backup was ever set up: another host has them then, or nobody. */
static void
add_backups(const struct scene *scene, const struct request *rq)
{
	time_t ended[BACKUP_KINDS];

	if (!backup_look(rq->service->conf->backup_dir, ended))
		return;
	add_family(scene->out, "backup_timestamp_seconds", "gauge",
	    "When the last backup of this host's PostgreSQL succeeded; 0: "
	    "never.");
	for (int i = 0; i < BACKUP_KINDS; i++)
		(void)buf_addf(scene->out,
		    "waybill_backup_timestamp_seconds{type=\"%s\"} %lld\n",
		    backup_names[i], (long long)ended[i]);
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

static void
send_text(struct request *rq, const struct buf *body)
{
	char length[24];
	const struct request_header headers[] = {
		{ "Content-Type", "text/plain; version=0.0.4; charset=utf-8" },
		{ "Cache-Control", "no-store" },
		{ "Content-Length", length },
	};

	if (body->failed) {
		response_refuse(rq, 500, "INTERNAL", NULL,
		    "There is more to tell than fits.");
		return;
	}
	(void)snprintf(length, sizeof(length), "%zu", body->len); /* fits */
	request_start_answer(rq, 200, headers, 3);
	request_write(rq, body->data, body->len);
}

void
metrics_handle(struct request *rq, const void *unused)
{
	struct scene scene = { .last_metric = "" };

	(void)unused;
	if (!parameter_none(rq))
		return;
	scene.out = response_buf();
	buf_init(&scene.from_database, RESPONSE_BODY_MAX);
	open_boards(&scene, rq->service->conf);
	add_family(scene.out, "build_info", "gauge", "Always 1.");
	(void)buf_addf(scene.out, "waybill_build_info{version=\"%s\"} 1\n",
	    WAYBILL_VERSION);
	add_pool_gauges(&scene);
	add_workers(&scene);
	add_pool_counters(&scene);
	add_requests(&scene);
	add_durations(&scene);
	add_limited(&scene);
	add_upstream(&scene);
	add_events(&scene);
	add_database(&scene, rq);
	add_spool(&scene, rq);
	add_backups(&scene, rq);
	close_boards(&scene);
	buf_free(&scene.from_database);
	send_text(rq, scene.out);
}
