/*
 * What the pools, the database, the spool and the backups say.
 *
 * The database is asked once, with a short deadline, and when it does not answer its
 * families are left out: a value that is not known is not 0.
 * What must stay true: labels are names of ours, so that there are only so many
 * series; the samples of a family stand together.
 */
#include "fcgi/metrics.h"
#include "fcgi/exposition.h"
#include "fcgi/parameter.h"
#include "fcgi/poolmetrics.h"
#include "fcgi/response.h"
#include "fcgi/row.h"
#include "shared/backup.h"
#include "shared/clock.h"
#include "shared/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ASK_MS = 2000 };

/* All that one answer is made of. */
struct scene {
	struct buf *out;
	struct buf from_database;
	char last_metric[64];
	double jobs_queued;
	double jobs_oldest_s;
};

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
		exposition_family(
		    out, metric, "gauge", database_gauges[i].help);
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

	exposition_value(scene->out, "database_up", "gauge",
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
	exposition_value(out, "spool_records", "gauge",
	    "Records that wait for the database.", (double)spool.records);
	exposition_value(
	    out, "spool_bytes", "gauge", "Their size.", (double)spool.bytes);
	exposition_value(out, "spool_limit_records", "gauge",
	    "Records that may wait at most.",
	    (double)rq->service->conf->spool_max_files);
	exposition_value(out, "spool_limit_bytes", "gauge",
	    "Their size at most.", (double)rq->service->conf->spool_max_bytes);
	exposition_value(out, "spool_oldest_seconds", "gauge",
	    "How long the oldest of them has waited; 0: none waits.", oldest_s);
	exposition_value(out, "spool_bad_records", "gauge",
	    "Records that cannot be applied: see waybill spool.",
	    (double)spool.bad);
	exposition_value(out, "sync_queue_depth", "gauge",
	    "Records in the spool and jobs that are queued, as far as known.",
	    (double)spool.records + scene->jobs_queued);
	exposition_value(out, "sync_lag_seconds", "gauge",
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
	exposition_family(scene->out, "backup_timestamp_seconds", "gauge",
	    "When the last backup of this host's PostgreSQL succeeded; 0: "
	    "never.");
	for (int i = 0; i < BACKUP_KINDS; i++)
		(void)buf_addf(scene->out,
		    "waybill_backup_timestamp_seconds{type=\"%s\"} %lld\n",
		    backup_names[i], (long long)ended[i]);
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
	exposition_family(scene.out, "build_info", "gauge", "Always 1.");
	(void)buf_addf(scene.out, "waybill_build_info{version=\"%s\"} 1\n",
	    WAYBILL_VERSION);
	poolmetrics_add(rq->service->conf, scene.out);
	add_database(&scene, rq);
	add_spool(&scene, rq);
	add_backups(&scene, rq);
	buf_free(&scene.from_database);
	send_text(rq, scene.out);
}
