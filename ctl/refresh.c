/*
 * waybill refresh: the hourly timer's work, once.
 *
 * The figures are current without it; it compares them with the shipments: a part of
 * them each hour, the last 90 days once a day, and all from a day on with --since.  Each view, in a
 * transaction of its own, and each table is on its own: one that fails stops no other,
 * and makes the exit status 1.  So does a figure that was wrong, though it is right
 * afterwards.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/moment.h"

#include <stdio.h>
#include <string.h>

/* The unit gives us half an hour. */
enum { LIMIT_MS = 25 * 60 * 1000 };

/* Skipped: it is being refreshed elsewhere, at this very moment. */
static bool
tell_view(void *context, const struct db_row *row)
{
	const char *view = session_text(row, "view");
	const char *result = session_text(row, "result");
	const char *drift = session_text(row, "drift");
	int *status = context;

	(void)printf("%s %s %s ms, %s\n", view, result,
	    session_text(row, "duration_ms"),
	    *drift == '\0' ? "not compared"
		: strcmp(drift, "0") == 0
		? "no drift"
		: "DRIFT"); /* main looks at the end */
	if (*drift != '\0' && strcmp(drift, "0") != 0) {
		log_event(LOG_CRITICAL, "refresh.drift", LOG_TEXT("view", view),
		    LOG_TEXT("sums", drift),
		    LOG_TEXT("state", "repaired; the cause is not"));
		*status = CTL_FAILED;
	}
	if (strcmp(result, "refreshed") != 0 && strcmp(result, "skipped") != 0)
		*status = CTL_FAILED;
	return true;
}

static bool
tell_partition(void *context, const struct db_row *row)
{
	(void)context; /* there is nothing to remember */
	(void)printf("%s %s\n", session_text(row, "partition"),
	    session_text(row, "action")); /* main looks at the end */
	return true;
}

/* "2026-11-21", a day that exists. */
static bool
is_day(const char *text)
{
	char moment[MOMENT_BYTES];

	return strlen(text) == sizeof("2026-11-21") - 1 &&
	    moment_parse(text, MOMENT_BEGIN, moment);
}

/* False when a view was not refreshed at all, which has been said. */
static bool
refresh_views(struct db *db, struct db_value since, int *status)
{
	static const char *const views[] = { "mv_daily_shipment_analytics",
		"mv_carrier_performance", "mv_top_routes" };
	bool is_good = true;

	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		const struct db_value values[] = { db_text(views[i]), since };
		const struct db_call call = { .function = "admin.refresh_view",
			.values = values,
			.count = 2,
			.deadline_ms = clock_ms() + LIMIT_MS };

		if (db_call(db, &call, tell_view, status) != DB_OK) {
			(void)session_failed(db, views[i]); /* always fails */
			is_good = false;
		}
	}
	return is_good;
}

int
refresh_run(const struct conf *conf, int count, char **words)
{
	struct db_value since = db_text(NULL);
	struct db_call call = { .function = "admin.merge_figures" };
	struct db *db;
	int status = CTL_OK;

	if (count != 1 && (count != 3 || strcmp(words[1], "--since") != 0))
		return CTL_USAGE;
	if (count == 3 && !is_day(words[2])) {
		(void)fprintf(stderr,
		    "waybill: --since must be a day (2026-11-21), in UTC\n");
		return CTL_FAILED;
	}
	if (count == 3)
		since = db_text(words[2]);
	db = session_open(conf, "waybill_jobs", LIMIT_MS);
	call.deadline_ms = clock_ms() + LIMIT_MS;
	if (count == 1 && db_call(db, &call, NULL, NULL) != DB_OK)
		status = session_failed(db, "the figures were not merged");
	if (!refresh_views(db, since, &status))
		status = CTL_FAILED;
	call = (struct db_call){ .function = "admin.maintain_partitions" };
	call.deadline_ms = clock_ms() + LIMIT_MS;
	if (db_call(db, &call, tell_partition, NULL) != DB_OK)
		status = session_failed(db, "the partitions were not kept");
	db_close(db);
	return status;
}
