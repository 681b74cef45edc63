/*
 * waybill rebuild: the derived tables out of the raw documents again.
 *
 * In small transactions, so that it holds up nobody; one that was cut short is
 * begun again.  What must stay true: 0 is its exit status only when all of it was
 * done.
 */
#include "ctl/commands.h"
#include "ctl/session.h"
#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LIMIT_MS = 60000, /* of one call */
	/* Of a call, which is a transaction: locks of many would meet those of
	 * others in another order. */
	ROWS = 200,
	DOCUMENTS = 1,
	NAME_MAX_BYTES = 64,
	TABLES_MAX = 32,
	TELL_EVERY_MS = 500,
	LAST_MAX_BYTES = 80,
};

/* One step: a function, called until there is nothing behind its last. */
struct step {
	const char *function;
	const char *table; /* its first value; NULL: it has none */
	const char *what;
	const char *first;
	int limit;
};

struct progress {
	char last[LAST_MAX_BYTES]; /* "": there was nothing more */
	long long done;
	long long failed;
	int64_t told_ms;
};

struct tables {
	char names[TABLES_MAX][NAME_MAX_BYTES];
	int count;
};

/* db_row_function */
static bool
take_table(void *context, const struct db_row *row)
{
	struct tables *tables = context;

	if (tables->count == TABLES_MAX)
		return false;
	(void)snprintf(tables->names[tables->count++], NAME_MAX_BYTES, "%s",
	    session_text(row, "name")); /* a name of PostgreSQL's fits */
	return true;
}

/* db_row_function */
static bool
take_progress(void *context, const struct db_row *row)
{
	struct progress *progress = context;

	(void)snprintf(progress->last, sizeof(progress->last), "%s",
	    session_text(row, "last")); /* an id or a digest fits */
	progress->done += strtoll(session_text(row, "done"), NULL, 10);
	progress->failed += strtoll(session_text(row, "failed"), NULL, 10);
	return true;
}

/* For who looks on; others read the last line. */
static void
tell(const struct step *step, struct progress *progress, bool is_last)
{
	if (!is_last &&
	    (!isatty(STDERR_FILENO) ||
		clock_ms() - progress->told_ms < TELL_EVERY_MS))
		return;
	progress->told_ms = clock_ms();
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K%s: %lld%s", step->what,
		    progress->done, is_last ? "\n" : "");
	if (is_last && progress->failed > 0)
		(void)printf("%s %lld, of which %lld cannot be applied\n",
		    step->what, progress->done, progress->failed);
	else if (is_last)
		(void)printf("%s %lld\n", step->what, progress->done);
}

static bool
take_step(struct db *db, const struct step *step)
{
	struct progress progress = { .done = 0 };
	char after[LAST_MAX_BYTES];
	char limit[16];

	(void)snprintf(limit, sizeof(limit), "%d", step->limit); /* fits */
	(void)snprintf(progress.last, sizeof(progress.last), "%s", step->first);
	do {
		memcpy(after, progress.last, sizeof(after));
		*progress.last = '\0';
		const struct db_value values[] = { db_text(step->table),
			db_text(after), db_text(limit) };
		bool has_table = step->table != NULL;
		const struct db_call call = { .function = step->function,
			.values = has_table ? values : values + 1,
			.count = has_table ? 3 : 2,
			.deadline_ms = clock_ms() + LIMIT_MS };

		if (db_call(db, &call, take_progress, &progress) != DB_OK)
			return false;
		tell(step, &progress, *progress.last == '\0');
	} while (*progress.last != '\0');
	return true;
}

static bool
rebuild(struct db *db)
{
	static const char no_uuid[] = "00000000-0000-0000-0000-000000000000";
	static const struct step steps[] = {
		{ "admin.rebuild_documents", NULL, "documents", "\\x",
		    DOCUMENTS },
		{ "admin.rebuild_events", NULL, "events", no_uuid, DOCUMENTS },
		{ "admin.rebuild_histories", NULL, "histories", no_uuid,
		    DOCUMENTS },
	};
	struct tables tables = { .count = 0 };
	const struct db_call call = { .function = "admin.rebuilt_tables",
		.deadline_ms = clock_ms() + LIMIT_MS };
	struct step step = { .function = "admin.rebuild_rows",
		.first = no_uuid,
		.limit = ROWS };

	if (db_call(db, &call, take_table, &tables) != DB_OK)
		return false;
	for (int i = 0; i < tables.count; i++) {
		step.table = step.what = tables.names[i];
		if (!take_step(db, &step))
			return false;
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (!take_step(db, &steps[i]))
			return false;
	return true;
}

int
rebuild_run(const struct conf *conf, int count, char **words)
{
	struct db *db;
	int status = CTL_OK;

	(void)words; /* there are none but the name */
	if (count != 1)
		return CTL_USAGE;
	db = session_open(conf, "waybill_jobs", LIMIT_MS);
	if (!rebuild(db))
		status = session_failed(
		    db, "the rebuild was cut short; begin it again");
	db_close(db);
	return status;
}
