/* waybill check, of the database and of what the background leaves there: each
 * fault is told, with what mends it. */
#include "tests/unit/check.h"

/* --- the database ----------------------------------------------------------- */

static void
a_database_that_cannot_be_reached(void **state)
{
	static const char *const reasons[][3] = {
		{ "", "connection refused", "systemctl start postgresql" },
		{ "28000", "role \"w\" does not exist", "createuser waybill" },
		{ "28000", "Rolle »w« existiert nicht", "'\\du' has to list" },
		{ "3D000", "database \"w\" does not exist",
		    "createdb waybill" },
		{ "3D000", "Datenbank »w« existiert nicht",
		    "createdb waybill" },
		{ "28000", "Peer authentication failed for user", "(peer)" },
		{ "28P01", "password authentication failed",
		    "psql -c '\\password waybill'" },
		{ "28000", "no pg_hba.conf entry for host",
		    "scram-sha-256' >> " },
		{ "42501", "permission denied for database \"w\"",
		    "grant connect on database" },
		{ "53300", "sorry, too many clients already",
		    "max_connections" },
		{ "53300", "remaining connection slots are",
		    "max_connections" },
		{ "57P03", "the database system is starting up",
		    "pg_lsclusters" },
		{ "", "the URL is malformed",
		    "DATABASE_URL=postgresql://USER@" },
		{ "", "no answer in time", "the server hangs" },
		{ "", "fe_sendauth: no password supplied",
		    "cat > /etc/waybill/secrets/database-url" },
		{ "", "could not translate host name \"d\" to address",
		    "getent hosts NAME" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		made_message = reasons[i][1];
		made_failure(
		    "pg_catalog.current_setting", 0, DB_AWAY, reasons[i][0]);
		check_expect(
		    "check", "database", "FAIL", reasons[i][1], reasons[i][2]);
	}
	check_set("DATABASE_CONNECT_TIMEOUT", "60");
	made_failure("pg_catalog.current_setting", 2, DB_LATE, "");
	check_expect(
	    "check", "rights", "skip", "the database does not answer", "");
	check_set("DATABASE_URL", "");
	check_expect("check", "database", "warn", "nothing is recorded",
	    "DATABASE_URL=postgresql:///waybill");
	check_expect("check", "disk of PostgreSQL", "skip",
	    "no database is configured", "");
}

static void
a_server_that_will_not_do(void **state)
{
	static const char setting[] = "pg_catalog.current_setting";

	(void)state;
	check_make_well(NULL);
	check_expect(
	    "check", "database", "ok", "PostgreSQL 15.4, answers in ", "");
	made_row(setting, "is", "140009", NULL);
	check_expect("check", "database", "FAIL", "PostgreSQL 14 is too old",
	    "pg_upgradecluster 14 main");
	made_row(setting, "is", NULL, NULL);
	check_expect("check", "database", "FAIL", "PostgreSQL 0 is too old",
	    "pg_upgradecluster 0 main");
	check_make_well("pg_catalog.pg_is_in_recovery");
	made_row("pg_catalog.pg_is_in_recovery", "is", "t", NULL);
	check_expect("check", "database", "FAIL", "it is a standby",
	    "DATABASE_URL has to name the primary");
}

static void
a_login_with_other_rights(void **state)
{
	static const char roles[] = "pg_catalog.pg_has_role";
	static const char names[] = "pg_catalog.to_regrole";

	(void)state;
	for (int nth = 3; nth <= 4; nth++) {
		check_make_well(NULL);
		made_failure("pg_catalog.current_setting", nth, DB_AWAY, "");
		check_expect(
		    "check", "rights", "FAIL", "it cannot be reached", "");
	}
	for (int nth = 0; nth < 2; nth++) {
		check_make_well(names);
		if (nth == 1) {
			made_row(names, "is", "waybill_worker", NULL);
			made_at(1);
		}
		check_expect("check", "rights", "FAIL",
		    "the database has never been migrated", "migrate up");
		check_make_well(roles);
		if (nth == 1) {
			made_row(roles, "is", "t", NULL);
			made_at(1);
		}
		check_expect("check", "rights", "FAIL",
		    "waybill is not in both waybill_worker and waybill_jobs",
		    "grant waybill_worker, waybill_jobs to \"waybill\"");
	}
	check_make_well(roles);
	made_failure(roles, 0, DB_REFUSED, "42704");
	check_expect("check", "rights", "FAIL", "is not in both", "");
	check_make_well(names);
	made_failure(names, 0, DB_REFUSED, "42704");
	check_expect("check", "rights", "FAIL", "never been migrated", "");
	check_make_well(roles);
	made_row(roles, "is", "t", NULL);
	check_expect("check", "rights", "FAIL", "waybill owns the schema",
	    "DATABASE_URL=postgresql://waybill@/waybill");
	check_make_well("pg_catalog.current_setting");
	for (int nth = 1; nth <= 4; nth++) {
		made_row("pg_catalog.current_setting", "is",
		    nth == 1 ? "150004" : "on", NULL);
		made_at(nth);
	}
	check_expect("check", "rights", "FAIL", "on is a superuser",
	    "DATABASE_URL=postgresql://waybill@/waybill");
	check_make_well("pg_catalog.pg_backend_pid");
	made_failure("pg_catalog.pg_backend_pid", 0, DB_AWAY, "");
	check_expect("check", "schema", "skip",
	    "the database does not answer as waybill_jobs", "");
}

/* --- the schema --------------------------------------------------------------- */

static void
a_schema_that_is_not_ours(void **state)
{
	(void)state;
	check_make_well(NULL);
	check_expect("check", "schema", "ok", "functions of 0.1, 2026-", "");
	check_make_well("admin.applied_migrations");
	check_expect(
	    "check", "schema", "FAIL", "are not applied", "waybill migrate up");
	check_make_well("admin.applied_migrations");
	made_row("admin.applied_migrations", "version", "1", "name", "0001_x",
	    "sha256", check_files.migrations[0].up.sha256, NULL);
	check_expect("check", "schema", "FAIL",
	    "migration 0001_x: edited after it was applied",
	    "apt install --reinstall");
	check_make_well("admin.deployment");
	check_make_deployment("abc");
	check_expect("check", "schema", "FAIL",
	    "the functions and views are not those of this program",
	    "waybill migrate up");
	check_make_well("admin.deployment");
	made_row("admin.deployment", "sha256", check_files.sha256, "version",
	    "1", "server", "15", "running", "15", "program", NULL, "at", NULL,
	    NULL);
	check_expect("check", "schema", "FAIL", "are not those", "");
	check_make_well("admin.deployment");
	made_row("admin.deployment", "sha256", check_files.sha256, "version",
	    "1", "server", "15", "running", "16", "program", NULL, "at", NULL,
	    NULL);
	check_expect("check", "connections", "skip",
	    "the schema has to be mended first", "");
}

static void
a_schema_that_cannot_be_read(void **state)
{
	(void)state;
	check_make_well(NULL);
	made_failure("admin.applied_migrations", 0, DB_REFUSED, "3F000");
	check_expect("check", "schema", "FAIL",
	    "the functions of this program are not there: made to fail",
	    "waybill migrate up");
	check_make_well(NULL);
	made_failure("admin.deployment", 0, DB_LATE, "");
	check_expect("check", "schema", "FAIL", "it cannot be reached", "");
	check_make_well(NULL);
	made_failure("admin.schema_changes", 0, DB_LATE, "");
	check_expect("check", "connections", "skip",
	    "does not answer as waybill_jobs", "");
	check_make_well("admin.schema_changes");
	made_row(
	    "admin.schema_changes", "changes", "3", "first", "view v", NULL);
	check_expect("check", "schema", "FAIL",
	    "changed since it was deployed: view v (in all: 3)",
	    "migrate verify");
	check_make_well("admin.schema_changes");
	made_row("admin.schema_changes", "changes", "3", NULL);
	check_expect("check", "schema", "FAIL", "deployed:  (in all: 3)", "");
	check_set("WAYBILL_SQL_DIR", "/no/such/place");
	check_make_well(NULL);
	check_expect("check", "schema", "FAIL", "/no/such/place/bootstrap.sql",
	    "WAYBILL_SQL_DIR has to name the installed SQL");
}

static void
connections_that_are_too_few(void **state)
{
	(void)state;
	check_make_well(NULL);
	check_expect("check", "connections", "warn",
	    "104 may be needed by this host while it is reloaded and all are "
	    "busy; there are 92 = max_connections 100 - 8 in use elsewhere",
	    "max_connections = 112");
	check_set("WORKERS", "10");
	check_make_well(NULL);
	check_expect("check", "connections", "ok",
	    "there are 92 = max_connections 100 - 3 reserved - 5 of others - 0 "
	    "of Waybill's other hosts",
	    "");
	check_make_well(NULL);
	made_failure("admin.connections", 0, DB_LATE, "");
	check_expect("check", "connections", "FAIL", "it cannot be", "");
	check_set("DATABASE_READ_URL", "postgresql:///standby");
	check_set("WORKERS", "80");
	check_make_well(NULL);
	check_expect("check", "connections", "FAIL", " + standby ",
	    "max_connections = ");
}

/* --- the background --------------------------------------------------------------- */

static const struct {
	const char *check;
	const char *name; /* of what the database tells */
	const char *value;
	const char *state;
	const char *text;
	const char *cure;
} pulses[] = {
	{ "jobs", "heartbeat_s", "10", "ok", "seen 10 s ago", "" },
	{ "jobs", "heartbeat_s", NULL, "ok", "connected; its first minute",
	    "" },
	{ "jobs", "heartbeat_s", "400", "FAIL",
	    "connected, and has done nothing for 6 min",
	    "systemctl restart waybill-jobs" },
	{ "queue", "failed", "2", "FAIL", "failed for good: 2",
	    "waybill jobs retry all" },
	{ "queue", "overdue_s", "400", "FAIL", "one is due since 6 min",
	    "systemctl restart waybill-jobs" },
	{ "queue", "failed_events", "3", "warn",
	    "webhooks that could not be applied yet: 3", "/replay applies" },
	{ "queue", "queued", "7", "ok", "queued: 7", "" },
	{ "bulk calls", "bulk_items", "7", "ok", "items to be sent: 7", "" },
	{ "bulk calls", "bulk_overdue_s", "400", "FAIL",
	    "nobody has gone on for 6 min",
	    "systemctl restart waybill-upstream" },
	{ "refresh", "refreshed_s", "60", "ok", "it ran 60 s ago", "" },
	{ "refresh", "refreshed_s", NULL, "warn", "it has never run",
	    "waybill-refresh.timer" },
	{ "refresh", "refreshed_s", "9000", "FAIL", "it last ran 2 h ago",
	    "journalctl -u waybill-refresh" },
	{ "drift", "refreshed_s", NULL, "skip", "nothing was compared yet",
	    "" },
	{ "drift", "refreshed_s", "0", "ok", "no figure was wrong", "" },
	{ "drift", "drift", "4", "FAIL",
	    "the last refresh found wrong, and repaired: 4",
	    "waybill refresh compares again" },
	{ "drift", "drift_day", "4", "warn", "wrong in the last day",
	    "waybill refresh compares again" },
	{ "reconcile", "reconciled_s", NULL, "skip",
	    "there is no key of EasyPost's to ask with", "" },
	{ "reconcile", "reconciled_s", "200000", "FAIL",
	    "it last ran 2 days ago", "waybill-reconcile.timer" },
	{ "ledger", "reconciled_s", NULL, "skip", "nothing was reconciled",
	    "" },
	{ "ledger", "unsent", "2", "warn", "EasyPost had nobody to send to",
	    "waybill webhook register URL" },
	{ "ledger", "incomplete", "5", "FAIL", "are not complete here",
	    "waybill reconcile --days" },
	{ "ledger", "incomplete", "0", "ok", "no day is incomplete", "" },
};

static void
what_the_background_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pulses) / sizeof(*pulses); i++) {
		check_make_well("admin.pulse");
		check_make_pulse(pulses[i].name, pulses[i].value);
		check_expect("check", pulses[i].check, pulses[i].state,
		    pulses[i].text, pulses[i].cure);
	}
	check_make_well(NULL);
	made_failure("admin.pulse", 0, DB_LATE, "");
	check_expect("check", "ledger", "skip",
	    "the database does not answer as waybill_jobs", "");
	check_make_well("admin.connections");
	made_row("admin.connections", "max_connections", "100", NULL);
	check_expect("check", "jobs", "ok", "seen 0 s ago", "");
	check_make_well("admin.pulse");
	check_make_pulse("reconciled_s", NULL);
	check_set("EASYPOST_TEST_API_KEY", "EZTKa");
	check_expect("check", "reconcile", "warn", "it has never run", "");
}

static void
jobs_that_do_not_run(void **state)
{
	static const char *const beats[][2] = {
		{ NULL, "waybill jobs does not run" },
		{ "400", "waybill jobs was last seen 6 min ago" }
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		check_make_well("admin.pulse");
		made[made_count - 1].columns[4].text = "0"; /* connected */
		check_make_pulse("heartbeat_s", beats[i][0]);
		check_expect("check", "jobs", "FAIL", beats[i][1],
		    "systemctl enable --now waybill-jobs");
	}
}

static void
clocks_that_do_not_agree(void **state)
{
	static const struct {
		int ahead_s;
		const char *state;
		const char *text;
		const char *cure;
	} clocks[] = {
		{ 3, "ok", " s behind PostgreSQL's", "" },
		{ 30, "warn", " s behind PostgreSQL's", "timedatectl" },
		{ 100, "FAIL", " s behind PostgreSQL's", "timedatectl" },
		{ -10, "warn", " s ahead of PostgreSQL's", "timedatectl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		char epoch[32];

		(void)snprintf(epoch, sizeof(epoch), "%lld",
		    (long long)time(NULL) + clocks[i].ahead_s); /* fits */
		check_make_well("admin.pulse");
		check_make_pulse("epoch", epoch);
		check_expect("check", "clock", clocks[i].state, clocks[i].text,
		    clocks[i].cure);
	}
	check_make_well(NULL);
	check_expect("check", "clock", "ok", "ours agrees with", "");
}

static void
an_archive_that_is_late(void **state)
{
	static const struct {
		const char *name, *value, *state, *text;
	} archives[] = {
		{ "archive_mode", "off", "warn", "archive_mode is off" },
		{ "archive_mode", NULL, "ok", "nothing waits" },
		{ "is_archive_failing", "t", "FAIL", "archiving fails" },
		{ "is_archive_failing", NULL, "ok", "nothing waits" },
		{ "archive_late_s", "300", "ok", "nothing waits" },
		{ "archive_late_s", "301", "FAIL", "was archived for 5 min" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(archives) / sizeof(*archives); i++) {
		check_make_well("admin.pulse");
		check_make_pulse(archives[i].name, archives[i].value);
		check_expect("check", "archive", archives[i].state,
		    archives[i].text, "");
	}
	check_make_well("admin.pulse");
	check_make_pulse("is_counting", "t");
	check_expect("check", "statements", "ok", "counts them", "");
}

static void
a_standby_that_will_not_do(void **state)
{
	static const char standby[] = "admin.standby";

	(void)state;
	check_set("DATABASE_READ_URL", "postgresql:///standby");
	check_make_well(NULL);
	made_row(standby, "is_standby", "t", "lag_s", "30", NULL);
	check_expect("check", "standby", "ok", "it is 30 s behind", "");
	check_make_well(NULL);
	made_row(standby, "is_standby", "t", "lag_s", "31", NULL);
	check_expect("check", "standby", "warn", "the standby is 31 s behind",
	    "pg_stat_replication");
	check_make_well(NULL);
	check_expect("check", "standby", "warn", "names no standby", "");
	check_make_well(NULL);
	made_failure(standby, 0, DB_REFUSED, "42883");
	check_expect("check", "standby", "FAIL", "has not the schema", "");
	check_make_well(NULL);
	made_failure("admin.deployment", 2, DB_AWAY, "");
	check_expect("check", "standby", "FAIL", "it cannot be reached", "");
	made_is_remote = true;
	check_make_well(NULL);
	check_expect("check", "network", "ok", "over the network", "");
	check_make_well(NULL);
	check_expect("check", "backup", "skip", "on its own host", "");
	made_is_remote = false;
}

#define TEST(name) cmocka_unit_test_setup(name, check_begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_database_that_cannot_be_reached),
		TEST(a_server_that_will_not_do),
		TEST(a_login_with_other_rights),
		TEST(a_schema_that_is_not_ours),
		TEST(a_schema_that_cannot_be_read),
		TEST(connections_that_are_too_few),
		TEST(an_archive_that_is_late),
		TEST(a_standby_that_will_not_do),
		TEST(what_the_background_left),
		TEST(jobs_that_do_not_run),
		TEST(clocks_that_do_not_agree),
	};

	return cmocka_run_group_tests(tests, NULL, check_end);
}
