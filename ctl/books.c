/*
 * Scripts are sent whole, each with its own transaction and its own entry in the
 * books: a connection that breaks in the middle leaves nothing half done, and
 * nothing that is done unnoted; and one that failed can be sent again.
 *
 * Each script asks for the lock again, and checks the version under it
 * (bootstrap.sql): should the connection, and the lock with it, have been lost
 * before, two programs still cannot mix.  All names that are put into a script
 * were checked by sqlfiles.c to be plain.
 */
#include "ctl/books.h"
#include "ctl/session.h"
#include "shared/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	READ_MS = 30 * 1000,
	LOCK_MS = 310 * 1000,         /* lock_timeout below, and a bit */
	SCRIPT_MS = 12 * 3600 * 1000, /* an index on a very big table */
	TRIES = 3,
	SCRIPT_MAX_BYTES = 64 * 1024 * 1024,
};

/* A lock that traffic holds must not make all traffic behind us wait. */
static const char take_lock[] =
    "set lock_timeout = '300s';"
    "select pg_advisory_lock(hashtextextended('waybill.migrate', 0));"
    "set lock_timeout = '10s'";

static const char begin[] = "begin;"
			    "set local role waybill_owner;"
			    "set local search_path = waybill, public;";

/* Which file a script has come to. */
struct progress {
	char file[128];
};

static bool
note_progress(void *context, const struct db_row *row)
{
	struct progress *progress = context;
	const char *text = db_column(row, 0, NULL);

	/* All names fit, by sqlfiles.h. */
	if (strcmp(db_column_name(row, 0), "sql_file") == 0 && text != NULL)
		(void)snprintf(
		    progress->file, sizeof(progress->file), "%s", text);
	return true;
}

/* Traffic that goes on meanwhile may cost us a deadlock or a lock. */
static bool
is_conflict(const struct db *db)
{
	const char *sqlstate = db_error(db)->sqlstate;

	return strcmp(sqlstate, "40P01") == 0 || strcmp(sqlstate, "55P03") == 0;
}

static bool
run(struct db *db, const struct buf *script, const char *what)
{
	struct progress progress = { "" };
	char message[256];

	if (script->failed) {
		(void)fprintf(stderr, "waybill: %s: too much SQL\n", what);
		return false;
	}
	for (int tries = 1; tries <= TRIES; tries++) {
		if (db_script(db, script->data, clock_ms() + SCRIPT_MS,
			note_progress, &progress) == DB_OK)
			return true;
		if (!is_conflict(db))
			break;
	}
	(void)snprintf(message, sizeof(message),
	    "%s failed%s%s, nothing was changed", what,
	    progress.file[0] == '\0' ? "" : " in ", progress.file); /* fits */
	(void)session_failed(db, message); /* the caller has its status */
	return false;
}

static void
add_file(struct buf *script, const struct sqlfile *file)
{
	/* run() looks whether all of it fitted. */
	(void)buf_addf(script, "select '%s' as sql_file;\n", file->name);
	(void)buf_add_string(script, file->text);
	(void)buf_add_string(script, "\n;");
}

bool
books_lock(struct db *db, const struct sqlfiles *files)
{
	struct buf script;
	bool is_done;

	if (db_script(db, take_lock, clock_ms() + LOCK_MS, NULL, NULL) !=
	    DB_OK) {
		(void)session_failed(db, "no lock for migrating");
		return false;
	}
	buf_init(&script, SCRIPT_MAX_BYTES);
	(void)buf_add_string(&script, "begin;");
	add_file(&script, &files->bootstrap);
	(void)buf_add_string(&script, "commit");
	is_done = run(db, &script, "the preparation");
	buf_free(&script);
	return is_done;
}

static const char *
column(const struct db_row *row, int number)
{
	const char *text = db_column(row, number, NULL);

	return text == NULL ? "" : text;
}

static bool
take_is_open(void *context, const struct db_row *row)
{
	struct books *books = context;

	books->is_open = *column(row, 0) != '\0';
	return true;
}

static bool
take_applied(void *context, const struct db_row *row)
{
	struct books *books = context;
	struct books_migration *applied;
	long version = strtol(column(row, 0), NULL, 10);

	if (version != books->version + 1 || version > SQLFILES_MAX)
		return false;
	applied = &books->applied[books->version++];
	/* What somebody wrote there by hand may be cut: it differs anyway. */
	(void)snprintf(
	    applied->name, sizeof(applied->name), "%s", column(row, 1));
	(void)snprintf(
	    applied->sha256, sizeof(applied->sha256), "%s", column(row, 2));
	return true;
}

static bool
take_deployed(void *context, const struct db_row *row)
{
	struct books *books = context;

	books->is_deployed = true;
	(void)snprintf(books->sha256, sizeof(books->sha256), "%s",
	    column(row, 0)); /* as above */
	books->schema_version = (int)strtol(column(row, 1), NULL, 10);
	books->is_of_this_server = strcmp(column(row, 2), column(row, 3)) == 0;
	(void)snprintf(books->program_version, sizeof(books->program_version),
	    "%s", column(row, 4));
	(void)snprintf(books->deployed_at, sizeof(books->deployed_at), "%s",
	    column(row, 5));
	return true;
}

static bool
ask(struct db *db, const char *function, const char *value,
    db_row_function *take, struct books *books)
{
	const struct db_value values[] = { db_text(value) };
	const struct db_call call = { .function = function,
		.values = values,
		.count = value == NULL ? 0 : 1,
		.deadline_ms = clock_ms() + READ_MS };

	if (db_call(db, &call, take, books) == DB_OK)
		return true;
	(void)session_failed(db, "what is migrated cannot be read");
	return false;
}

bool
books_read(struct db *db, struct books *books)
{
	memset(books, 0, sizeof(*books));
	if (!ask(db, "pg_catalog.to_regprocedure",
		"waybill.schema_differences()", take_is_open, books))
		return false;
	if (!books->is_open)
		return true;
	if (db_script(db, "set role waybill_owner", clock_ms() + READ_MS, NULL,
		NULL) != DB_OK) {
		(void)session_failed(db, "no rights as waybill_owner");
		return false;
	}
	return ask(db, "waybill.migration_status", NULL, take_applied, books) &&
	    ask(db, "waybill.schema_deployment", NULL, take_deployed, books);
}

enum db_status
books_look(struct db *db, struct books *books, int64_t deadline_ms)
{
	const struct db_call applied = {
		.function = "admin.applied_migrations",
		.deadline_ms = deadline_ms,
	};
	const struct db_call deployed = {
		.function = "admin.deployment",
		.deadline_ms = deadline_ms,
	};
	enum db_status status;

	memset(books, 0, sizeof(*books));
	status = db_call(db, &applied, take_applied, books);
	if (status == DB_OK)
		status = db_call(db, &deployed, take_deployed, books);
	books->is_open = status == DB_OK;
	return status;
}

const char *
books_edited(const struct books *books, const struct sqlfiles *files, int index)
{
	const struct books_migration *applied = &books->applied[index];
	const struct sqlfiles_migration *file = &files->migrations[index];

	if (index >= files->migration_count)
		return "applied, but this program does not have it";
	if (strcmp(applied->sha256, file->up.sha256) != 0 ||
	    strcmp(applied->name, file->name) != 0)
		return "edited after it was applied";
	return NULL;
}

bool
books_are_deployed(const struct books *books, const struct sqlfiles *files)
{
	return books->is_deployed && books->is_of_this_server &&
	    strcmp(books->sha256, files->sha256) == 0 &&
	    books->schema_version == books->version;
}

bool
books_migrate(
    struct db *db, const struct sqlfiles *files, int version, bool is_up)
{
	const struct sqlfiles_migration *migration =
	    &files->migrations[version - 1];
	const char *direction = is_up ? "up" : "down";
	struct buf script;
	bool is_done;

	buf_init(&script, SCRIPT_MAX_BYTES);
	/* run() looks whether all of it fitted. */
	(void)buf_addf(&script, "%sselect waybill.migration_begin(%d, '%s');\n",
	    begin, version, direction);
	add_file(&script, is_up ? &migration->up : &migration->down);
	(void)buf_addf(&script,
	    "select waybill.migration_end(%d, '%s', '%s', '%s');commit",
	    version, direction, migration->name, migration->up.sha256);
	is_done = run(db, &script, migration->name);
	buf_free(&script);
	return is_done;
}

bool
books_deploy(struct db *db, const struct sqlfiles *files)
{
	struct buf script;
	bool is_done;

	buf_init(&script, SCRIPT_MAX_BYTES);
	/* run() looks whether all of it fitted. */
	(void)buf_addf(
	    &script, "%sselect waybill.schema_deploy_begin();\n", begin);
	for (int i = 0; i < files->replaced_count; i++)
		add_file(&script, &files->replaced[i]);
	(void)buf_addf(&script,
	    "select waybill.schema_deploy_end('%s', '%s');commit",
	    files->sha256, WAYBILL_VERSION);
	is_done = run(db, &script, "the deployment of functions");
	buf_free(&script);
	return is_done;
}
