/*
 * waybill refresh: the hourly timer's work, once.
 *
 * Each view and each table is on its own: one that fails stops no other, and
 * makes the exit status 1.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "shared/clock.h"

#include <stdio.h>
#include <string.h>

/* Ten million shipments take half a minute; the unit gives us half an hour. */
enum { LIMIT_MS = 25 * 60 * 1000 };

/* Skipped: it is being refreshed elsewhere, at this very moment. */
static bool
tell_view(void *context, const struct db_row *row)
{
	const char *result = session_text(row, "result");
	int *status = context;

	(void)printf("%s %s %s ms\n", session_text(row, "view"), result,
	    session_text(row, "duration_ms")); /* main looks at the end */
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

int
refresh_run(const struct conf *conf, int count, char **words)
{
	struct db_call call = { .function = "admin.refresh_analytics_views" };
	struct db *db;
	int status = CTL_OK;

	(void)words; /* there are none but the name */
	if (count != 1)
		return CTL_USAGE;
	db = session_open(conf, "waybill_jobs", LIMIT_MS);
	if (db == NULL)
		return CTL_FAILED;
	call.deadline_ms = clock_ms() + LIMIT_MS;
	if (db_call(db, &call, tell_view, &status) != DB_OK)
		status = session_failed(db, "the views were not refreshed");
	call.function = "admin.maintain_partitions";
	call.deadline_ms = clock_ms() + LIMIT_MS;
	if (db_call(db, &call, tell_partition, NULL) != DB_OK)
		status = session_failed(db, "the partitions were not kept");
	db_close(db);
	return status;
}
