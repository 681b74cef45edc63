/*
 * Health: what is asked for is asked now.
 *
 * /livez says that a worker runs; /readyz whether a request can succeed; the
 * other two tell the operator why not.  The database is asked with a short
 * deadline of its own, so that an outage is an answer and not a hang.
 */
#include "fcgi/health.h"
#include "fcgi/parameter.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/pool.h"
#include "shared/scoreboard.h"
#include "shared/spool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ASK_MS = 2000,
	RETRY_S = 2,
	MIGRATION_DIGITS = 4, /* "0001_name.up.sql" */
};

/* What the database said of itself. */
struct report {
	enum db_status status;
	int64_t took_us;
	char server_version[64];
	long schema_version;
	long max_connections;
	bool is_in_recovery;
};

/* db_row_function */
static bool
take_report(void *context, const struct db_row *row)
{
	struct report *report = context;

	(void)snprintf(report->server_version, sizeof(report->server_version),
	    "%s", row_word(row, "version"));
	report->schema_version = (long)row_number(row, "schema_version");
	report->max_connections = (long)row_number(row, "max_connections");
	report->is_in_recovery = row_is_true(row, "is_in_recovery");
	return true;
}

static struct report
ask_database(struct request *rq)
{
	struct report report = { .status = DB_AWAY };
	const struct db_call call = {
		.function = "api.health",
		.deadline_ms = clock_ms() + ASK_MS,
	};
	int64_t started_us = clock_us();

	if (rq->service->db != NULL)
		report.status =
		    db_call(rq->service->db, &call, take_report, &report);
	report.took_us = clock_us() - started_us;
	return report;
}

/* What this program needs, -1 when that cannot be known.  It runs on while a package
 * puts the files of another version there. */
static long newest_migration = -1;

void
health_note_version(const struct conf *conf)
{
	char path[512];
	DIR *directory;
	struct dirent *entry;

	(void)snprintf(path, sizeof(path), "%s/migrations", conf->sql_dir);
	directory = opendir(path);
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		long number = strtol(entry->d_name, NULL, 10);

		if (strspn(entry->d_name, "0123456789") == MIGRATION_DIGITS &&
		    number > newest_migration)
			newest_migration = number;
	}
	(void)closedir(directory); /* was only read */
}

/* NULL when requests can succeed, else why they cannot. */
static const char *
find_obstacle(const struct request *rq, const struct report *report)
{
	if (rq->service->db == NULL)
		return NULL; /* as configured: the proxy works, unrecorded */
	if (report->status == DB_REFUSED)
		return "The database refuses: is its schema migrated "
		       "(waybill migrate up)?";
	if (report->status != DB_OK)
		return "The database cannot be reached.";
	if (newest_migration < 0)
		return "The installed migrations cannot be read "
		       "(WAYBILL_SQL_DIR).";
	return report->schema_version < newest_migration
	    ? "The database's schema is older than this program: "
	      "waybill migrate up."
	    : NULL;
}

static void
add_sum(struct buf *out, const struct scoreboard_sum *sum)
{
	int alive = sum->idle + sum->busy;

	(void)buf_addf(out,
	    "{\"pool_size\":%d,\"checked_out\":%d,\"overflow\":%d,"
	    "\"available\":%d}",
	    sum->base, sum->busy, alive > sum->base ? alive - sum->base : 0,
	    sum->idle);
}

/* One pool; false when it does not run.  Adds it to the sum of all. */
static bool
add_pool(struct buf *out, const struct request *rq, const struct pool *pool,
    struct scoreboard_sum *all)
{
	const struct conf *conf = rq->service->conf;
	const struct scoreboard *board =
	    scoreboard_open(pool_scoreboard_path(pool, conf));
	struct scoreboard_sum sum;

	(void)buf_addf(out, "\"%s\":", pool->name);
	if (board == NULL) {
		(void)buf_add_string(out, "null");
		return false;
	}
	sum = scoreboard_sum(board);
	scoreboard_close(board);
	add_sum(out, &sum);
	all->base += sum.base;
	all->idle += sum.idle;
	all->busy += sum.busy;
	return sum.idle + sum.busy > 0;
}

/* "pools":{...},"pool":{...}; false when one of them does not run. */
static bool
add_pools(struct buf *out, const struct request *rq)
{
	struct scoreboard_sum all = { .base = 0 };
	bool is_complete = true;

	(void)buf_add_string(out, "\"pools\":{");
	for (int i = 0; i < POOL_COUNT; i++) {
		if (i > 0)
			(void)buf_add_byte(out, ',');
		if (!add_pool(out, rq, &pools[i], &all))
			is_complete = false;
	}
	(void)buf_add_string(out, "},\"pool\":");
	add_sum(out, &all);
	return is_complete;
}

/* False when the server would refuse some of them under load. */
static bool
has_connections(const struct request *rq, const struct report *report)
{
	return report->status != DB_OK ||
	    pool_connections(rq->service->conf) <= report->max_connections;
}

/* The members of the database's object, without its braces. */
static void
add_report(
    struct buf *out, const struct request *rq, const struct report *report)
{
	const char *obstacle = find_obstacle(rq, report);

	if (rq->service->db == NULL) {
		(void)buf_add_string(out, "\"status\":\"not configured\"");
		return;
	}
	(void)buf_addf(out, "\"status\":\"%s\",\"latency_ms\":%lld.%03d",
	    report->status != DB_OK ? "away"
		: obstacle != NULL  ? "outdated"
				    : "ok",
	    (long long)(report->took_us / 1000), (int)(report->took_us % 1000));
	if (report->status != DB_OK)
		return;
	(void)buf_add_string(out, ",\"server_version\":");
	(void)row_string(
	    out, report->server_version, strlen(report->server_version));
	(void)buf_addf(out, ",\"schema_version\":%ld,\"is_in_recovery\":%s",
	    report->schema_version, report->is_in_recovery ? "true" : "false");
	(void)buf_addf(out,
	    ",\"connections\":{\"needed\":%d,\"max_connections\":%ld}",
	    pool_connections(rq->service->conf), report->max_connections);
}

void
health_live(struct request *rq, const void *unused)
{
	struct buf *out = response_buf();

	(void)unused;
	(void)buf_add_string(
	    out, "{\"status\":\"success\",\"data\":{\"alive\":true}}");
	response_json(rq, 200, out);
}

void
health_ready(struct request *rq, const void *unused)
{
	const struct report report = ask_database(rq);
	const char *obstacle = find_obstacle(rq, &report);
	struct buf *out;

	(void)unused;
	if (obstacle != NULL) {
		response_refuse_for(rq, 503, "NOT_READY", obstacle, RETRY_S);
		return;
	}
	out = response_buf();
	(void)buf_addf(out,
	    "{\"status\":\"success\",\"data\":{\"ready\":true,"
	    "\"recording\":%s}}",
	    rq->service->db == NULL ? "false" : "true");
	response_json(rq, 200, out);
}

/* null when the database does not say. */
static void
ask_background(struct buf *out, struct request *rq, const struct report *report)
{
	const struct db_call call = {
		.function = "api.background",
		.deadline_ms = clock_ms() + ASK_MS,
	};

	if (rq->service->db == NULL || report->status != DB_OK ||
	    db_call(rq->service->db, &call, row_verbatim, out) != DB_OK)
		(void)buf_add_string(out, "null");
}

/* All there is to know; false when something is not as it should be. */
static bool
add_all(struct buf *out, struct request *rq)
{
	const struct report report = ask_database(rq);
	struct spool_survey spool;
	bool is_known = spool_look(rq->service->conf->spool_dir, &spool);
	bool is_complete;

	(void)buf_addf(out,
	    "{\"status\":\"success\",\"data\":{\"version\":\"%s\","
	    "\"uptime_s\":%lld,\"recording\":%s,\"spool\":{\"depth\":",
	    WAYBILL_VERSION,
	    (long long)scoreboard_sum(rq->service->scoreboard).uptime_s,
	    rq->service->db == NULL ? "false" : "true");
	if (!is_known)
		(void)buf_add_string(out, "null,\"bad\":null");
	else
		(void)buf_addf(
		    out, "%ld,\"bad\":%ld", spool.records, spool.bad);
	(void)buf_add_string(out, "},\"database\":{");
	add_report(out, rq, &report);
	(void)buf_add_string(out, "},\"background\":");
	ask_background(out, rq, &report);
	(void)buf_add_byte(out, ',');
	is_complete = add_pools(out, rq);
	return is_complete && find_obstacle(rq, &report) == NULL &&
	    has_connections(rq, &report) && spool.records == 0 &&
	    spool.bad == 0;
}

void
health_all(struct request *rq, const void *unused)
{
	struct buf *out;
	bool is_ok;

	(void)unused;
	if (!parameter_none(rq))
		return;
	out = response_buf();
	is_ok = add_all(out, rq);
	(void)buf_addf(out, ",\"status\":\"%s\"}}", is_ok ? "ok" : "degraded");
	response_json(rq, 200, out);
}

void
health_database(struct request *rq, const void *unused)
{
	struct report report;
	struct buf *out;

	(void)unused;
	if (!parameter_none(rq) || !response_needs_database(rq))
		return;
	report = ask_database(rq);
	if (report.status != DB_OK) {
		response_refuse_db(rq, report.status);
		return;
	}
	out = response_buf();
	(void)buf_add_string(out, "{\"status\":\"success\",\"data\":{");
	add_report(out, rq, &report);
	(void)buf_add_byte(out, ',');
	(void)add_pools(out, rq); /* null tells which one does not run */
	(void)buf_add_string(out, "}}");
	response_json(rq, 200, out);
}
