/* waybill status and tune: what is known is told, and what is not holds nothing
 * else back. */
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct conf conf;
static bool may_leave_root;
static uid_t user_now;

/* Root, on a host that has the services' user. */
uid_t
geteuid(void)
{
	return user_now;
}

struct passwd *
getpwnam(const char *name)
{
	static char login[] = "waybill", home[] = "/home/made";
	static struct passwd user = { .pw_name = login, .pw_dir = home };

	assert_string_equal(name, "waybill");
	return &user;
}

int
initgroups(const char *name, gid_t group)
{
	(void)name, (void)group;
	errno = EPERM;
	return may_leave_root ? 0 : -1;
}

int
setgid(gid_t group)
{
	(void)group;
	return 0;
}

int
setuid(uid_t user)
{
	(void)user;
	user_now = 7;
	return 0;
}

static int
begin(void **state)
{
	(void)state;
	conf = (struct conf){ .secrets = { .database_url = "made",
				  .database_read_url = "" },
		.run_dir = "/no/such/place",
		.spool_dir = "/no/such/place",
		.workers = 20,
		.workers_overflow = 30 };
	may_leave_root = true;
	made_none();
	return 0;
}

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

/* --- status ---------------------------------------------------------------------- */

static void
make_health(void)
{
	made_row("api.health", "version", "15.4 (Debian)", "schema_version",
	    "15", "is_in_recovery", "t", NULL);
}

static void
a_database_that_tells_all(void **state)
{
	(void)state;
	for (int i = 0; i < 7; i++)
		made_row("admin.newest_events", "received_at",
		    "2026-11-21 09:00:00.5", "description", "track\x1b",
		    "state", "applied", "object_id", "trk_1", NULL);
	make_health();
	made_row("admin.pulse", "queued", "3", "heartbeat_s", "400",
	    "drift_day", "2", "bulk_overdue_s", "90", NULL);
	expect(status_run, "status", CTL_OK,
	    "PostgreSQL 15.4, schema 15, a standby, ",
	    "nobody has gone on for 90 s\nrefresh     never; sums found wrong "
	    "in the last day: 2;");
	make_health();
	made_row("admin.newest_events", "received_at", "2026-11-21 09:00:00.5",
	    "description", "track\x1b", "state", "applied", NULL);
	expect(status_run, "status", CTL_OK, "not applied ?; the newest:\n",
	    "  2026-11-21 09:00:00  applied  track?                   \n");
	make_health();
	expect(status_run, "status", CTL_OK,
	    "queued ?, failed for good ?; waybill jobs last seen never\n",
	    "events      not applied ?\n");
	make_health();
	made_row("admin.newest_events", "description", "a", NULL);
	made_row("admin.newest_events", "description", "\"b\\", NULL);
	expect(status_run, "status --json", CTL_OK, "\"description\":\"a\"",
	    "},{\"received_at\":\"\",\"description\":\"\\\"b\\\\\"");
}

static void
a_database_that_does_not(void **state)
{
	static const char *const functions[] = { "admin.traffic", "admin.pulse",
		"admin.newest_events" };

	(void)state;
	made_message = "made\nto fail";
	made_failure("api.health", 0, DB_AWAY, "");
	expect(status_run, "status", CTL_OK, "database    made?to fail\n",
	    "read        not running, or not to be seen by this user");
	for (size_t i = 0; i < 3; i++) {
		make_health();
		made_failure(functions[i], 0, DB_LATE, "");
		expect(status_run, "status", CTL_OK, "schema 15, a standby",
		    "but it does not tell all: ");
	}
	made_message = "made to fail";
	make_health();
	made_failure("pg_catalog.pg_backend_pid", 0, DB_LATE, "");
	expect(status_run, "status", CTL_OK, "PostgreSQL 15.4", "");
	conf.secrets.database_url = "";
	expect(status_run, "status", CTL_OK,
	    "database    DATABASE_URL is not set: nothing is recorded\n", "");
	expect(status_run, "status --json", CTL_OK,
	    "\"trouble\":{\"database\":\"DATABASE_URL is not set", "");
}

static void
a_standby_and_a_spool(void **state)
{
	(void)state;
	conf.secrets.database_read_url = "made";
	make_health();
	made_row("admin.standby", "lag_s", "300", NULL);
	expect(status_run, "status", CTL_OK, "standby     5 min behind\n", "");
	make_health();
	made_failure("admin.standby", 0, DB_AWAY, "");
	expect(status_run, "status", CTL_OK, "standby     made to fail\n",
	    "spool       /no/such/place: No such file or directory\n");
	conf.spool_dir = "/dev/null";
	expect(status_run, "status", CTL_OK,
	    "spool       /dev/null: Not a directory\n", "");
	conf.spool_dir = "/no/such/place";
	may_leave_root = false;
	expect(status_run, "status", CTL_FAILED,
	    "waybill: cannot become waybill: Operation not permitted\n", "");
}

/* --- tune ------------------------------------------------------------------------ */

static void
words_that_tune_refuses(void **state)
{
	static const char *const sizes[] = { "4", "G", "4K", "4GiB", "4GBs",
		"0G", "-4G", ":4G", "9999999G", "127M" };
	static const char *const cores[] = { "0", "2x", ":2", "-2", "9999" };
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		(void)snprintf(
		    line, sizeof(line), "tune --memory %s", sizes[i]);
		expect(tune_run, line, CTL_FAILED,
		    "--memory must be 128M at least", "");
	}
	for (size_t i = 0; i < sizeof(cores) / sizeof(*cores); i++) {
		(void)snprintf(line, sizeof(line), "tune --cores %s", cores[i]);
		expect(tune_run, line, CTL_FAILED, "--cores must be 1 to 1024",
		    "");
	}
	expect(tune_run, "tune --connections 99999", CTL_FAILED,
	    "--connections must be 1 to 10000", "");
	expect(tune_run, "tune --storage tape", CTL_USAGE, "", "");
	expect(tune_run, "tune --what", CTL_USAGE, "", "");
	expect(tune_run, "tune all", CTL_USAGE, "", "");
}

static const char tune[] = "tune --memory 4GB --cores 2";

/* The server has another value; tune keeps what it must of it. */
static void
make_running(const char *name, const char *value, const char *version,
    const char *needs_restart)
{
	made_row("admin.server_settings", "name", name, "value", value,
	    "server_version", version, "needs_restart", needs_restart, NULL);
}

static void
a_server_that_is_compared(void **state)
{
	static const char libraries[] = "shared_preload_libraries";
	static char many[200];

	(void)state;
	make_running(libraries, "auto_explain", "15.4", "t");
	expect(tune_run, tune, CTL_OK,
	    "shared_preload_libraries = 'auto_explain, pg_stat_statements'\n",
	    "# then: sudo systemctl restart postgresql\n");
	make_running(libraries, "pg_stat_statements", "15.4", "t");
	expect(tune_run, tune, CTL_OK, "#   nothing differs\n",
	    "shared_preload_libraries = 'pg_stat_statements'\n");
	make_running(libraries, "it's", "15.4", "t");
	expect(tune_run, tune, CTL_OK,
	    "shared_preload_libraries = 'pg_stat_statements'\n", "it's -> pg");
	memset(many, 'a', sizeof(many) - 1);
	make_running(libraries, many, "15.4", "t");
	expect(tune_run, tune, CTL_OK,
	    "shared_preload_libraries = 'pg_stat_statements'\n", "");
	make_running("wal_compression", "off", "14.9\n", "f");
	make_running("somebody.elses", "1", "14.9\n", "f");
	expect(tune_run, tune, CTL_OK,
	    "/etc/postgresql/14/main/conf.d/waybill.conf'\n",
	    "off -> on\n# then: sudo systemctl reload postgresql\n");
}

static void
a_server_that_is_not_there(void **state)
{
	(void)state;
	conf.secrets.database_url = "";
	conf.secrets.database_read_url = "made";
	expect(tune_run, tune, CTL_OK,
	    "# Not compared with the running server: DATABASE_URL is not set",
	    "# 4096 MB of memory, 2 cores, SSD.");
	conf.secrets.database_url = "made";
	for (int i = 0; i < 2; i++) {
		/* Again as the user of the services, where that can be. */
		may_leave_root = i == 1;
		made_failure("admin.server_settings", 1, DB_REFUSED, "42501");
		make_running("wal_compression", "off", "15.4", "f");
		made_at(1);
		expect(tune_run, tune, CTL_OK,
		    may_leave_root ? "# Compared with the running server"
				   : "# Not compared with the running server",
		    "");
		made_failure("admin.server_settings", 1, DB_LATE, "");
		make_running("wal_compression", "off", "15.4", "f");
		expect(tune_run, tune, CTL_OK,
		    "# Not compared with the running server: made to fail", "");
	}
	user_now = 7;
	made_failure("admin.server_settings", 0, DB_AWAY, "");
	expect(tune_run, tune, CTL_OK, "server: made to fail\n", "");
	user_now = 0;
	expect(tune_run,
	    "tune --memory 512M --cores 1 --connections 500 "
	    "--storage disk",
	    CTL_OK, "# TOO MUCH: so many connections do not fit",
	    "# 512 MB of memory, 1 core, disk.");
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_database_that_tells_all),
		TEST(a_database_that_does_not),
		TEST(a_standby_and_a_spool),
		TEST(words_that_tune_refuses),
		TEST(a_server_that_is_compared),
		TEST(a_server_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
