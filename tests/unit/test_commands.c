/* Commands whose database refuses, breaks or says odd things: each says so and
 * fails, and what it cannot know it leaves out. */
#include "ctl/commands.h"
#include "ctl/sqlfiles.h"
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct conf conf = { .secrets = { .database_url = "made",
				      .database_read_url = "",
				      .easypost_api_key = "",
				      .easypost_test_api_key = "" },
	.run_dir = "/no/such/place",
	.spool_dir = "/no/such/place",
	.sql_dir = "sql" };

static const struct conf without = { .secrets = { .database_url = "" },
	.sql_dir = "sql" };

static bool is_terminal;

/* Instead of libc's. */
int
isatty(int fd)
{
	(void)fd;
	return is_terminal;
}

/* It ends with the status, and says both. */
static void
expect(command_function *run, const char *line, int status, const char *first,
    const char *second)
{
	const char *said;
	int found = command_run(run, &conf, line, &said);

	if (found != status || strstr(said, first) == NULL ||
	    strstr(said, second) == NULL)
		fail_msg("%s: %d, %s", line, found, said);
	made_none();
}

/* --- calls that fail ------------------------------------------------------ */

static const struct {
	command_function *run;
	const char *line;
	const char *function; /* that fails */
	const char *says;
} calls[] = {
	{ key_run, "key create --name a --mode test --scopes read",
	    "admin.create_key", "the key was not made" },
	{ key_run, "key list", "admin.keys", "the keys cannot be read" },
	{ key_run, "key revoke wb_a", "admin.revoke_key",
	    "no key was revoked" },
	{ refresh_run, "refresh", "admin.merge_figures",
	    "the figures were not merged" },
	{ refresh_run, "refresh", "admin.refresh_view",
	    "mv_daily_shipment_analytics" },
	{ refresh_run, "refresh", "admin.refresh_view", "mv_top_routes" },
	{ refresh_run, "refresh", "admin.maintain_partitions",
	    "the partitions were not kept" },
	{ report_run, "report", "admin.report", "the figures were not read" },
	{ report_run, "report --csv", "admin.report_rows",
	    "the figures were not read" },
	{ report_run, "report --daily", "api.daily_figures",
	    "the figures were not read" },
	{ jobs_run, "jobs list", "admin.jobs", "the queue was not read" },
	{ jobs_run, "jobs retry all", "admin.retry_jobs",
	    "nothing was queued" },
	{ rebuild_run, "rebuild", "admin.rebuilt_tables",
	    "the rebuild was cut short" },
	{ rebuild_run, "rebuild", "admin.rebuild_rows",
	    "the rebuild was cut short" },
	{ rebuild_run, "rebuild", "admin.rebuild_events",
	    "the rebuild was cut short" },
	{ migrate_run, "migrate", made_script, "no lock for migrating" },
	{ migrate_run, "migrate down", made_script, "no lock for migrating" },
	{ migrate_run, "migrate history", "pg_catalog.to_regprocedure",
	    "what is migrated cannot be read" },
	{ migrate_run, "migrate history", made_script,
	    "no rights as waybill_owner" },
	{ migrate_run, "migrate history", "waybill.migration_status",
	    "what is migrated cannot be read" },
	{ migrate_run, "migrate history", "waybill.schema_deployment",
	    "what is migrated cannot be read" },
	{ migrate_run, "migrate history", "waybill.migration_log",
	    "the history cannot be read" },
	{ migrate_run, "migrate verify", "pg_catalog.to_regprocedure",
	    "what is migrated cannot be read" },
	{ migrate_run, "migrate verify", "waybill.schema_differences",
	    "the schema cannot be read" },
	{ migrate_run, "migrate up", "pg_catalog.to_regprocedure",
	    "what is migrated cannot be read" },
	{ migrate_run, "migrate down", "pg_catalog.to_regprocedure",
	    "what is migrated cannot be read" },
};

/* What is there in a database that was migrated. */
static void
make_books(void)
{
	made_row("pg_catalog.to_regprocedure", "to_regprocedure",
	    "waybill.schema_differences()", NULL);
	made_row("admin.rebuilt_tables", "name", "shipments", NULL);
}

static void
a_call_that_fails_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		make_books();
		made_failure(calls[i].function, 0, DB_AWAY, "");
		expect(calls[i].run, calls[i].line, CTL_FAILED, calls[i].says,
		    ": made to fail\n");
		make_books();
		made_failure(calls[i].function, 0, DB_REFUSED, "42501");
		expect(calls[i].run, calls[i].line, CTL_FAILED,
		    "SQLSTATE 42501\n",
		    "the login in DATABASE_URL may not do this");
	}
}

static void
no_database_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		const char *said;

		assert_int_equal(
		    command_run(calls[i].run, &without, calls[i].line, &said),
		    CTL_UNSET);
		assert_string_equal(said, "waybill: DATABASE_URL is not set\n");
	}
}

static void
other_words_are_asked_wrongly(void **state)
{
	static const struct {
		command_function *run;
		const char *line;
	} wrong[] = { { key_run, "key" }, { key_run, "key list all" },
		{ key_run, "key revoke" }, { key_run, "key create extra" },
		{ jobs_run, "jobs list all" }, { jobs_run, "jobs retry" },
		{ jobs_run, "jobs --twice" }, { refresh_run, "refresh all" },
		{ refresh_run, "refresh --until 2026-11-21" },
		{ report_run, "report --days 731" },
		{ report_run, "report --days 0" },
		{ report_run, "report --days 1d" },
		{ report_run, "report --days -1" },
		{ report_run, "report --mode all" }, { report_run, "report 3" },
		{ rebuild_run, "rebuild all" }, { migrate_run, "migrate on" },
		{ migrate_run, "migrate up 3" }, { status_run, "status --csv" },
		{ status_run, "status --json all" },
		{ spool_run, "spool empty" }, { spool_run, "spool show" } };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *said;

		assert_int_equal(
		    command_run(wrong[i].run, &conf, wrong[i].line, &said),
		    CTL_USAGE);
	}
}

/* --- odd answers ------------------------------------------------------------ */

static void
what_a_refresh_came_to(void **state)
{
	static const char views[] = "admin.refresh_view";

	(void)state;
	made_row(views, "view", "v", "result", "skipped", "duration_ms", "1",
	    "drift", "", NULL);
	made_row("admin.maintain_partitions", "partition", "p_2027", "action",
	    "created", NULL);
	expect(refresh_run, "refresh", CTL_OK, "v skipped 1 ms, not compared\n",
	    "p_2027 created\n");
	made_row(views, "view", "v", "result", "failed: 53100", "duration_ms",
	    "1", "drift", "0", NULL);
	expect(refresh_run, "refresh", CTL_FAILED,
	    "v failed: 53100 1 ms, no drift\n", "");
	made_row(views, "view", "v", "result", "refreshed", "duration_ms", "1",
	    "drift", "2", NULL);
	expect(refresh_run, "refresh --since 2026-11-21", CTL_FAILED,
	    "v refreshed 1 ms, DRIFT\n", "refresh.drift");
	expect(refresh_run, "refresh --since 2026-11-31", CTL_FAILED,
	    "--since must be a day", "");
}

static void
what_a_rebuild_came_to(void **state)
{
	(void)state;
	for (int i = 0; i < 33; i++)
		made_row("admin.rebuilt_tables", "name", "shipments", NULL);
	expect(rebuild_run, "rebuild", CTL_FAILED,
	    "the rebuild was cut short; begin it again", "");
	made_row("admin.rebuild_events", "last", "", "done", "7", "failed", "2",
	    NULL);
	expect(rebuild_run, "rebuild", CTL_OK, "documents 0\n",
	    "events 7, of which 2 cannot be applied\n");
}

/* Several calls; who looks on sees how far it is. */
static void
a_rebuild_that_goes_on(void **state)
{
	static const char histories[] = "admin.rebuild_histories";

	(void)state;
	for (int terminal = 0; terminal < 2; terminal++) {
		is_terminal = terminal == 1;
		made_row(histories, "last", "x", "done", "7", NULL);
		made_at(1);
		made_row(histories, "last", "", "done", "2", NULL);
		made_at(2);
		expect(rebuild_run, "rebuild", CTL_OK, "histories 9\n",
		    is_terminal ? "\r\033[Khistories: 7\r\033[Khistories: 9\n"
				: "");
	}
	is_terminal = false;
}

static void
what_a_report_came_to(void **state)
{
	(void)state;
	made_row("admin.report", "title", "as of 09:00", "name", "USPS",
	    "shipments", "3", NULL);
	made_row("admin.report", "title", "as of 09:00", "name", "all",
	    "shipments", "4", NULL);
	expect(report_run, "report --days 730 --mode test", CTL_OK,
	    "as of 09:00\nname  shipments\nUSPS  3\nall   4\n", "");
	made_row("admin.report_rows", "part", "late", "change", NULL, NULL);
	expect(
	    report_run, "report --csv", CTL_OK, "part,change\r\nlate,\r\n", "");
	made_row(
	    "api.daily_figures", "day", "2026-11-20", "carrier", "a,b", NULL);
	made_row(
	    "api.daily_figures", "day", "2026-11-21", "carrier", NULL, NULL);
	expect(report_run, "report --daily --csv", CTL_OK,
	    "day,carrier\r\n2026-11-20,\"a,b\"\r\n2026-11-21,", "");
}

static void
rights_that_are_lacking(void **state)
{
	(void)state;
	made_message = "permission denied to set role";
	made_failure("admin.keys", 0, DB_AWAY, "42501");
	expect(key_run, "key list", CTL_FAILED,
	    "the keys cannot be read: permission denied to set role SQLSTATE "
	    "42501\n",
	    "that of the database's owner may\n");
	made_message = "made to fail";
}

static void
what_was_queued_again(void **state)
{
	(void)state;
	made_row("admin.retry_jobs", "queued", "0", NULL);
	expect(jobs_run, "jobs retry all", CTL_OK, "0 queued again.\n", "");
	made_row("admin.retry_jobs", "queued", "0", NULL);
	expect(jobs_run, "jobs retry 7", CTL_FAILED, "0 queued again.\n", "");
	made_row("admin.retry_jobs", "queued", "1", NULL);
	expect(jobs_run, "jobs retry 7", CTL_OK, "1 queued again.\n", "");
}

static void
what_was_revoked(void **state)
{
	(void)state;
	expect(key_run, "key revoke wb_a", CTL_FAILED,
	    "no live key begins with or has the id wb_a\n", "");
	made_row("admin.revoke_key", "id", "7", "prefix", "wb_abc", NULL);
	expect(key_run, "key revoke wb_a", CTL_OK, "revoked wb_abc\n", "");
	made_failure("admin.create_key", 0, DB_REFUSED, "23514");
	expect(key_run, "key create --name a --mode test --scopes read",
	    CTL_FAILED, "--name must have 1 to 200", "");
	expect(key_run, "key create --mode test --scopes read", CTL_USAGE,
	    "--name, --mode and --scopes are needed", "");
	expect(key_run, "key create --name a --scopes read", CTL_USAGE,
	    "--name, --mode and --scopes are needed", "");
	expect(key_run, "key create --name a --mode test", CTL_USAGE,
	    "--name, --mode and --scopes are needed", "");
	expect(key_run, "key create --name a --mode x --scopes read", CTL_USAGE,
	    "--mode must be test or production", "");
}

/* A table shows no byte that a terminal would obey, and no column too many. */
static void
a_table_is_plain(void **state)
{
	(void)state;
	made_row("admin.jobs", "id", "1", "error", "caf\xc3\xa9 \x1b[2J\x7f\n",
	    "at", NULL, NULL);
	expect(jobs_run, "jobs list", CTL_OK,
	    "id  error        at\n"
	    "1   caf\xc3\xa9 ?[2J??  -\n",
	    "");
	made_row("admin.jobs", "a", "1", "b", "1", "c", "1", "d", "1", "e", "1",
	    "f", "1", "g", "1", "h", "1", "i", "1", "j", "1", "k", "1", "l",
	    "1", "m", "1", "n", "1", "o", "1", "p", "1", "q", "1", NULL);
	expect(jobs_run, "jobs list", CTL_OK,
	    "  o  p\n1  1  1  1  1  1  1  1  1  1  1  1  1  1  1  1\n", "");
	expect(jobs_run, "jobs list", CTL_OK, "", "");
}

/* --- migrations --------------------------------------------------------------- */

static const char applied[] = "waybill.migration_status";
static const char first[] = "0001_first";

static void
make_applied(const char *version, const char *name)
{
	make_books();
	made_row(
	    applied, "version", version, "name", name, "sha256", "abc", NULL);
}

/* So that the owner's way is gone, past those for the services. */
static void
make_no_functions(void)
{
	made_failure("admin.applied_migrations", 0, DB_REFUSED, "42883");
}

static void
books_that_are_not_ours(void **state)
{
	(void)state;
	make_applied("1", first);
	expect(migrate_run, "migrate up", CTL_FAILED,
	    "changed  0001_first: edited after it was applied\n",
	    "this program is not for this database\n");
	make_applied("1", first);
	make_no_functions();
	expect(migrate_run, "migrate status", CTL_OTHER_SQL,
	    "changed  0001_first: edited", "functions and views are not there");
	make_applied("1", first);
	made_row("waybill.schema_differences", "difference", NULL, "object",
	    NULL, NULL);
	made_row("waybill.schema_differences", "difference", "added", "object",
	    "index theirs", NULL);
	made_row("waybill.schema_differences", "difference", "changed",
	    "object", "view v", NULL);
	expect(migrate_run, "migrate verify", CTL_FAILED,
	    "changed  view v\nversion 1, 4 differences\n",
	    "added    index theirs\n");
	/* A gap in the books. */
	make_applied("2", first);
	make_no_functions();
	expect(migrate_run, "migrate status", CTL_FAILED,
	    "what is migrated cannot be read", "");
}

static void
nothing_is_there_yet(void **state)
{
	static const struct conf nowhere = { .secrets = { .database_url =
							      "made" },
		.sql_dir = "/no/such/place" };
	const char *said;

	(void)state;
	expect(migrate_run, "migrate down", CTL_FAILED,
	    "there is no way down from version 0\n", "");
	make_no_functions();
	expect(migrate_run, "migrate status", CTL_OTHER_SQL, "version 0 of ",
	    "pending  0001_");
	expect(migrate_run, "migrate history", CTL_OK, "", "");
	made_failure("admin.deployment", 0, DB_LATE, "");
	expect(migrate_run, "migrate status", CTL_FAILED,
	    "what is migrated cannot be read: made to fail\n", "");
	expect(migrate_run, "migrate verify", CTL_FAILED,
	    "version 0, 1 differences\n", "");
	assert_int_equal(
	    command_run(migrate_run, &nowhere, "migrate", &said), CTL_FAILED);
	assert_string_equal(said,
	    "waybill: /no/such/place/bootstrap.sql: No such file or "
	    "directory\n");
}

/* All that this program has was applied, and `more`; functions of `sha256`. */
static void
make_migrated(int more, const char *sha256)
{
	static struct sqlfiles files;
	static char numbers[SQLFILES_MAX][12];
	struct buf error;

	buf_init(&error, 1000);
	if (files.migration_count == 0)
		assert_true(sqlfiles_read("sql", &files, &error));
	made_row("pg_catalog.to_regprocedure", "to_regprocedure", "a", NULL);
	for (int i = 0; i < files.migration_count + more; i++) {
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%d", i + 1);
		made_row(applied, "version", numbers[i], "name",
		    files.migrations[i].name, "sha256",
		    files.migrations[i].up.sha256, NULL);
	}
	made_row("waybill.schema_deployment", "sha256",
	    sha256 == NULL ? files.sha256 : sha256, "version",
	    numbers[files.migration_count - 1], "server", "15", "running", "15",
	    "program", "0.0", "at", "2026-11-21 09:00", NULL);
}

static void
books_that_are_ours(void **state)
{
	static const char fails[] = "made to fail SQLSTATE 42601\n";

	(void)state;
	make_migrated(0, NULL);
	expect(migrate_run, "migrate up", CTL_OK, "version ", "");
	make_migrated(0, NULL);
	make_no_functions();
	expect(migrate_run, "migrate status", CTL_OK,
	    "functions and views of 0.0, 2026-11-21 09:00 UTC\n", "");
	make_migrated(0, NULL);
	expect(migrate_run, "migrate verify", CTL_OK, ", 0 differences\n", "");
	make_migrated(0, NULL);
	made_row("waybill.migration_log", "version", "1", NULL);
	expect(migrate_run, "migrate history", CTL_OK, "version\n1\n", "");
	make_migrated(0, NULL);
	expect(migrate_run, "migrate down", CTL_OK, "down 00", "version ");
	make_migrated(0, "other");
	make_no_functions();
	expect(migrate_run, "migrate status", CTL_OTHER_SQL,
	    "09:00 UTC: not those of", "");
	make_migrated(0, "other");
	expect(migrate_run, "migrate up", CTL_OK, "put ", "version ");
	/* The lock, the preparation, the role, and then: */
	make_migrated(0, "other");
	made_failure(made_script, 4, DB_REFUSED, "42601");
	expect(migrate_run, "migrate up", CTL_FAILED,
	    "the deployment of functions failed, nothing was changed", fails);
	make_migrated(0, NULL);
	made_row(made_script, "sql_file", "api/a.sql", NULL);
	made_at(4);
	made_failure(made_script, 4, DB_REFUSED, "42601");
	expect(migrate_run, "migrate down", CTL_FAILED,
	    " failed in api/a.sql, nothing was changed: ", fails);
	make_migrated(1, NULL);
	expect(migrate_run, "migrate down", CTL_FAILED,
	    "there is no way down from version ", "");
	make_migrated(1, NULL);
	expect(migrate_run, "migrate up", CTL_FAILED,
	    "applied, but this program does not have it\n", "");
}

/* What traffic locks is tried again; what is wrong is not. */
static void
scripts_that_fail(void **state)
{
	static const char *const conflicts[] = { "40P01", "55P03" };

	(void)state;
	/* The lock, the preparation, the first migration, ... */
	for (size_t i = 0; i < 2; i++) {
		made_failure(made_script, 2, DB_REFUSED, conflicts[i]);
		expect(migrate_run, "migrate up", CTL_OK, "up 0001_",
		    " files of functions and views\nversion ");
	}
	for (int nth = 2; nth <= 4; nth++)
		made_failure(made_script, nth, DB_REFUSED, "55P03");
	expect(migrate_run, "migrate up", CTL_FAILED,
	    "the preparation failed, nothing was changed: made to fail "
	    "SQLSTATE 55P03\n",
	    "");
	made_row(made_script, "nothing", "x", NULL);
	made_row(made_script, "sql_file", NULL, NULL);
	made_row(made_script, "sql_file", "migrations/a.sql", NULL);
	made_failure(made_script, 4, DB_REFUSED, "42601");
	expect(migrate_run, "migrate up", CTL_FAILED, "up 0001_",
	    " failed in migrations/a.sql, nothing was changed: made to fail "
	    "SQLSTATE 42601\n");
	made_failure(made_script, 3, DB_AWAY, "");
	expect(migrate_run, "migrate up", CTL_FAILED,
	    " failed, nothing was changed: made to fail\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_fails_is_told),
		cmocka_unit_test(no_database_is_told),
		cmocka_unit_test(other_words_are_asked_wrongly),
		cmocka_unit_test(what_a_refresh_came_to),
		cmocka_unit_test(what_a_rebuild_came_to),
		cmocka_unit_test(a_rebuild_that_goes_on),
		cmocka_unit_test(what_a_report_came_to),
		cmocka_unit_test(rights_that_are_lacking),
		cmocka_unit_test(what_was_queued_again),
		cmocka_unit_test(what_was_revoked),
		cmocka_unit_test(a_table_is_plain),
		cmocka_unit_test(books_that_are_not_ours),
		cmocka_unit_test(books_that_are_ours),
		cmocka_unit_test(nothing_is_there_yet),
		cmocka_unit_test(scripts_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
