/*
 * Runs `waybill check` in a world that a test makes up: all is well but for what the
 * test has made otherwise.  For one file of a program.
 */
#ifndef WAYBILL_UNIT_CHECK_H
#define WAYBILL_UNIT_CHECK_H

#include "ctl/sqlfiles.h"
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"
#include "tests/unit/made_easypost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

enum { LINE_MAX_BYTES = 600 };

/* A setup of cmocka's: a directory of its own, the environment, no answers. */
int check_begin(void **state);

/* A teardown of the group: the directory goes. */
int check_end(void **state);

/* Answers of a database that is well, but for those of `function` (NULL: all). */
void check_make_well(const char *function);

/* The row of admin.pulse, with another value (NULL: null) under one name. */
void check_make_pulse(const char *name, const char *value);

/* `line` is check with its options.  The check `name` has come to `state`, with
 * these words and this cure ("": any). */
void check_expect(const char *line, const char *name, const char *state,
    const char *text, const char *cure);

static char check_dir[] = "/tmp/check.XXXXXX";
static struct sqlfiles check_files;

static void
check_set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0);
}

int
check_begin(void **state)
{
	static struct buf error;
	char path[64], sql[4096];

	(void)state;
	if (check_files.migration_count == 0) {
		buf_init(&error, 1000);
		assert_true(sqlfiles_read("sql", &check_files, &error));
		assert_non_null(mkdtemp(check_dir));
	}
	assert_int_equal(clearenv(), 0);
	(void)snprintf(path, sizeof(path), "%s/spool", check_dir); /* fits */
	(void)snprintf(sql, sizeof(sql), "%s/sql", getcwd(NULL, 0));
	check_set("WAYBILL_RUN_DIR", check_dir);
	check_set("WAYBILL_SPOOL_DIR", path);
	check_set("WAYBILL_SQL_DIR", sql);
	check_set("DATABASE_URL", "postgresql:///made");
	made_message = "made to fail";
	made_none();
	made_reply_count = 0;
	return 0;
}

int
check_end(void **state)
{
	(void)state;
	return rmdir(check_dir);
}

static void
check_make_books(void)
{
	for (int i = 0; i < check_files.migration_count; i++) {
		static char numbers[SQLFILES_MAX][12];

		(void)snprintf(numbers[i], sizeof(numbers[i]), "%d", i + 1);
		made_row("admin.applied_migrations", "version", numbers[i],
		    "name", check_files.migrations[i].name, "sha256",
		    check_files.migrations[i].up.sha256, NULL);
	}
}

static void
check_make_deployment(const char *sha256)
{
	static char version[12];

	(void)snprintf(version, sizeof(version), "%d",
	    check_files.migration_count); /* fits */
	made_row("admin.deployment", "sha256", sha256, "version", version,
	    "server", "15", "running", "15", "program", "0.1", "at",
	    "2026-11-21 09:00", NULL);
}

void
check_make_well(const char *function)
{
	static const char *const rows[][2] = {
		{ "pg_catalog.pg_is_in_recovery", "f" },
		{ "pg_catalog.to_regrole", "a" },
		{ "pg_catalog.pg_backend_pid", "1" },
		{ "admin.schema_changes", "0" },
	};
	static const char *const settings[] = { "150004", "15.4 (Debian)",
		"waybill", "off" };
	static const char *const roles[] = { "t", "t", "f" };

#define IS_WELL(name) (function == NULL || strcmp(function, name) != 0)
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (IS_WELL(rows[i][0]))
			made_row(rows[i][0], "changes", rows[i][1], NULL);
	for (int i = 0; i < 4 && IS_WELL("pg_catalog.current_setting"); i++) {
		made_row("pg_catalog.current_setting", "is", settings[i], NULL);
		made_at(i + 1);
	}
	for (int i = 0; i < 3 && IS_WELL("pg_catalog.pg_has_role"); i++) {
		made_row("pg_catalog.pg_has_role", "is", roles[i], NULL);
		made_at(i + 1);
	}
	if (IS_WELL("admin.applied_migrations"))
		check_make_books();
	if (IS_WELL("admin.deployment"))
		check_make_deployment(check_files.sha256);
	if (IS_WELL("admin.connections"))
		made_row("admin.connections", "max_connections", "100",
		    "reserved", "3", "others", "5", "elsewhere", "0", "jobs",
		    "1", NULL);
	if (IS_WELL("admin.pulse"))
		check_make_pulse(NULL, NULL);
#undef IS_WELL
}

void
check_make_pulse(const char *name, const char *value)
{
	static const char *const names[] = { "heartbeat_s", "failed",
		"failed_events", "overdue_s", "queued", "bulk_items",
		"bulk_overdue_s", "refreshed_s", "drift", "drift_day",
		"reconciled_s", "incomplete", "unsent", "incomplete_days",
		"archive_mode", "is_archive_failing", "archive_late_s",
		"is_counting" };
	struct made *one = &made[made_count++];

	*one = (struct made){ .function = "admin.pulse" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		one->columns[one->count++] =
		    (struct column){ names[i], DB_NUMBER, "0" };
	one->columns[one->count++] =
	    (struct column){ "epoch", DB_NUMBER, NULL };
	for (int i = 0; i < one->count; i++)
		if (name != NULL && strcmp(name, one->columns[i].name) == 0)
			one->columns[i].text = value;
}

void
check_expect(const char *line, const char *name, const char *state,
    const char *text, const char *cure)
{
	char begin[64], seen[LINE_MAX_BYTES] = "", next[LINE_MAX_BYTES] = "";
	static const struct conf conf;
	const char *said, *at;
	int status = command_run(check_run, &conf, line, &said);

	(void)snprintf(begin, sizeof(begin), "%-4s  %-18s  ", state, name);
	at = strstr(said, begin);
	if (at != NULL) {
		(void)snprintf(
		    seen, sizeof(seen), "%.*s", (int)strcspn(at, "\n"), at);
		at += strcspn(at, "\n") + 1;
		(void)snprintf(
		    next, sizeof(next), "%.*s", (int)strcspn(at, "\n"), at);
	}
	if (at == NULL || strstr(seen, text) == NULL ||
	    (*cure != '\0' &&
		(strncmp(next, "  ", 2) != 0 || strstr(next, cure) == NULL)) ||
	    (strcmp(state, "FAIL") == 0 && status != CTL_FAILED))
		fail_msg("%s, %s, %s: %d\n%s", name, text, cure, status, said);
	made_none();
	made_reply_count = 0;
}

#endif
