/*
 * waybill privacy: less of what is kept of the clients of past requests.
 *
 * ACTIVITY_ADDRESSES says what is kept of those to come.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "shared/clock.h"
#include "shared/moment.h"

#include <stdio.h>
#include <string.h>

/* Each row of months, perhaps, in one transaction. */
enum { LIMIT_MS = 60 * 60 * 1000 };

static bool
tell_count(void *context, const struct db_row *row)
{
	const bool *is_erased = context;

	(void)printf("%s requests %s\n", session_text(row, "requests"),
	    *is_erased ? "erased" : "truncated"); /* main looks at the end */
	return true;
}

int
privacy_run(const struct conf *conf, int count, char **words)
{
	char before[MOMENT_BYTES];
	bool is_erased;
	struct db *db;
	int status = CTL_OK;

	if (count != 4 || strcmp(words[2], "--before") != 0)
		return CTL_USAGE;
	is_erased = strcmp(words[1], "erase") == 0;
	if (!is_erased && strcmp(words[1], "truncate") != 0)
		return CTL_USAGE;
	if (!moment_parse(words[3], MOMENT_BEGIN, before)) {
		(void)fprintf(stderr,
		    "waybill: --before must be a day (2026-11-21) or a time "
		    "(2026-11-21T09:00:00Z), in UTC\n");
		return CTL_FAILED;
	}
	const struct db_value values[] = { db_text(before),
		db_text(is_erased ? "true" : "false") };
	const struct db_call call = { .function =
					  "admin.cut_activity_addresses",
		.values = values,
		.count = 2,
		.deadline_ms = clock_ms() + LIMIT_MS };

	db = session_open(conf, "waybill_owner", LIMIT_MS);
	if (db_call(db, &call, tell_count, &is_erased) != DB_OK)
		status = session_failed(db, "nothing was changed");
	db_close(db);
	return status;
}
