/*
 * waybill migrate: the schema of the database, one step at a time.
 *
 * `up` applies what is missing and then puts functions and views anew, if they
 * or the tables under them changed; `down` goes back one version and takes the
 * functions away, for the program of that version to put its own.  Several may
 * run at once: the later ones wait and find nothing to do.
 * To tell the status takes no more than the services' rights: root does it as their
 * user.
 * What must stay true: nothing is applied over files that were edited after
 * they had been applied, or over a database that is newer than the program.
 */
#include "ctl/books.h"
#include "ctl/commands.h"
#include "ctl/service.h"
#include "ctl/session.h"
#include "ctl/table.h"
#include "shared/clock.h"

#include <stdio.h>
#include <string.h>

enum { READ_MS = 60 * 1000, ERROR_MAX_BYTES = 4096 };

/* Big, and there is one. */
static struct sqlfiles files;
static struct books books;

/* How many migrations are not what was applied; tells which. */
static int
tell_edited(FILE *to)
{
	int edited = 0;

	for (int i = 0; i < books.version; i++) {
		const char *how = books_edited(&books, &files, i);

		if (how != NULL)
			(void)fprintf(to, "changed  %s: %s\n",
			    books.applied[i].name, how); /* for people */
		edited += how != NULL;
	}
	return edited;
}

static int
up(struct db *db)
{
	if (!books_lock(db, &files) || !books_read(db, &books))
		return CTL_FAILED;
	if (tell_edited(stderr) > 0) {
		(void)fprintf(
		    stderr, "waybill: this program is not for this database\n");
		return CTL_FAILED;
	}
	for (int version = books.version + 1; version <= files.migration_count;
	     version++) {
		int64_t started_ms = clock_ms();

		if (!books_migrate(db, &files, version, true))
			return CTL_FAILED;
		(void)printf("up %s, %lld ms\n",
		    files.migrations[version - 1].name,
		    (long long)(clock_ms() - started_ms));
		books.version = version;
	}
	if (!books_are_deployed(&books, &files)) {
		if (!books_deploy(db, &files))
			return CTL_FAILED;
		(void)printf("put %d files of functions and views\n",
		    files.replaced_count);
	}
	(void)printf("version %d\n", books.version);
	return CTL_OK;
}

static int
down(struct db *db)
{
	int version;

	if (!books_lock(db, &files) || !books_read(db, &books))
		return CTL_FAILED;
	version = books.version;
	if (version == 0 || version > files.migration_count) {
		(void)fprintf(stderr,
		    "waybill: there is no way down from version %d\n", version);
		return CTL_FAILED;
	}
	if (!books_migrate(db, &files, version, false))
		return CTL_FAILED;
	(void)printf("down %s\nversion %d\n",
	    files.migrations[version - 1].name, version - 1);
	return CTL_OK;
}

/* For the services' rights, too, while the functions for it are there. */
static bool
look(struct db *db)
{
	enum db_status status = books_look(db, &books, clock_ms() + READ_MS);

	if (status == DB_REFUSED)
		return books_read(db, &books);
	if (status != DB_OK)
		(void)session_failed(db, "what is migrated cannot be read");
	return status == DB_OK;
}

static int
status(struct db *db)
{
	bool is_ours;

	if (!look(db))
		return CTL_FAILED;
	is_ours = books.version == files.migration_count &&
	    books_are_deployed(&books, &files);
	(void)printf(
	    "version %d of %d\n", books.version, files.migration_count);
	for (int i = books.version; i < files.migration_count; i++)
		(void)printf("pending  %s\n", files.migrations[i].name);
	is_ours = tell_edited(stdout) == 0 && is_ours;
	if (!books.is_deployed)
		(void)printf("functions and views are not there\n");
	else
		(void)printf("functions and views of %s, %s UTC%s\n",
		    books.program_version, books.deployed_at,
		    books_are_deployed(&books, &files)
			? ""
			: ": not those of this program");
	return is_ours ? CTL_OK : CTL_OTHER_SQL;
}

static bool
tell_difference(void *context, const struct db_row *row)
{
	const char *difference = db_column(row, 0, NULL);
	const char *object = db_column(row, 1, NULL);
	int *differences = context;

	(void)printf("%-7s  %s\n", difference == NULL ? "" : difference,
	    object == NULL ? "" : object);
	/* Somebody's own index or table beside ours is none of our business. */
	if (difference == NULL || strcmp(difference, "added") != 0)
		++*differences;
	return true;
}

static int
verify(struct db *db)
{
	const struct db_call call = { .function = "waybill.schema_differences",
		.deadline_ms = clock_ms() + READ_MS };
	int differences;

	if (!books_read(db, &books))
		return CTL_FAILED;
	differences = tell_edited(stdout);
	if (!books_are_deployed(&books, &files)) {
		differences++;
		(void)printf("changed  functions and views are not those of "
			     "this program\n");
	}
	if (books.is_open &&
	    db_call(db, &call, tell_difference, &differences) != DB_OK)
		return session_failed(db, "the schema cannot be read");
	(void)printf(
	    "version %d, %d differences\n", books.version, differences);
	return differences == 0 ? CTL_OK : CTL_FAILED;
}

static int
history(struct db *db)
{
	const struct db_call call = { .function = "waybill.migration_log",
		.deadline_ms = clock_ms() + READ_MS };

	if (!books_read(db, &books))
		return CTL_FAILED;
	if (books.is_open && table_print(db, &call) != DB_OK)
		return session_failed(db, "the history cannot be read");
	return CTL_OK;
}

static const struct {
	const char *name;
	int (*run)(struct db *);
	bool as_service; /* of root: as the services' user */
} actions[] = {
	{ "up", up, false },
	{ "down", down, false },
	{ "status", status, true },
	{ "history", history, false },
	{ "verify", verify, false },
};

static int
run(const struct conf *conf, int (*action)(struct db *), bool as_service)
{
	struct buf said;
	struct db *db;
	int result;
	bool is_ready;

	buf_init(&said, ERROR_MAX_BYTES);
	is_ready = sqlfiles_read(conf->sql_dir, &files, &said) &&
	    (!as_service || service_become_user(conf, &said));
	if (!is_ready)
		(void)fprintf(stderr, "waybill: %s\n", said.data);
	buf_free(&said);
	if (!is_ready)
		return CTL_FAILED;
	/* As the URL says: before the first time there is no other role. */
	db = session_open(conf, NULL, 0);
	result = action(db);
	db_close(db);
	return result;
}

int
migrate_run(const struct conf *conf, int count, char **words)
{
	const char *name = count == 2 ? words[1] : "up";

	if (count > 2)
		return CTL_USAGE;
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return run(conf, actions[i].run, actions[i].as_service);
	return CTL_USAGE;
}
