/* waybill jobs and spool: what the database refuses for good is set aside and told,
 * and what it does not take now waits. */
#include "shared/log.h"
#include "shared/spool.h"
#include "tests/unit/command.h"
#include "tests/unit/made_db.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <cmocka.h>

static char top[] = "/tmp/jobs.XXXXXX";
static char spool[64];
static struct conf conf;

/* Ten seconds late: what was written is settled (shared/linefile.c). */
int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);

	if (clock == CLOCK_REALTIME)
		now->tv_sec += 10;
	return result;
}

static int
remove_one(
    const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	return remove(path);
}

static int
begin(void **state)
{
	(void)state;
	made_none();
	(void)snprintf(spool, sizeof(spool), "%s/spool", top); /* fits */
	conf = (struct conf){ .secrets = { .database_url = "made",
				  .database_read_url = "" },
		.log_priority = LOG_INFO,
		.run_dir = top,
		.spool_dir = spool };
	return mkdir(top, 0700) != 0 || mkdir(spool, 0700) != 0 ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Leaves what was made for the database. */
static const char *
run(command_function *command, const char *line, int status)
{
	const char *said;
	int found = command_run(command, &conf, line, &said);

	if (found != status)
		fail_msg("%s: %d, %s", line, found, said);
	return said;
}

static void
expect(command_function *command, const char *line, int status,
    const char *first, const char *second)
{
	const char *said = run(command, line, status);

	if (strstr(said, first) == NULL || strstr(said, second) == NULL)
		fail_msg("%s: %s", line, said);
	made_none();
}

static void
keep(enum spool_kind kind)
{
	const struct spool_record record = { .kind = kind,
		.request_id = "r-1",
		.method = "POST",
		.path = "/v2/shipments",
		.query = "",
		.mode = "test",
		.status = 201,
		.body = "{}",
		.body_bytes = 2 };

	assert_true(spool_keep(spool, 1024 * 1024, 100, &record));
}

/* The name of the one record that is there. */
static const char *
record_in(const char *place)
{
	static char name[256];
	char path[128];
	const struct dirent *entry;
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%s/%s", spool, place); /* fits */
	directory = opendir(path);
	assert_non_null(directory);
	*name = '\0';
	while ((entry = readdir(directory)) != NULL)
		if (*entry->d_name != '.' &&
		    strstr(entry->d_name, ".reason") == NULL)
			(void)snprintf(name, sizeof(name), "%s", entry->d_name);
	assert_int_equal(closedir(directory), 0);
	assert_string_not_equal(name, "");
	return name;
}

/* --- the spool ------------------------------------------------------------------- */

static void
what_may_pass_waits(void **state)
{
	static const struct {
		enum db_status status;
		const char *sqlstate;
	} passing[] = { { DB_AWAY, "" }, { DB_LATE, "" },
		{ DB_REFUSED, "42883" }, { DB_REFUSED, "53100" },
		{ DB_REFUSED, "40001" }, { DB_REFUSED, "55P03" },
		{ DB_REFUSED, "57014" }, { DB_REFUSED, "28000" } };

	(void)state;
	keep(SPOOL_ANSWER);
	for (size_t i = 0; i < sizeof(passing) / sizeof(*passing); i++)
		/* Where others are answered, too: this record only. */
		for (int is_there = 0; is_there < 2; is_there++) {
			made_failure("api.record_answer", 0, passing[i].status,
			    passing[i].sqlstate);
			if (is_there == 0)
				made_failure("api.health", 0, DB_AWAY, "");
			expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
			expect(
			    spool_run, "spool", CTL_OK, "waiting ", " answer ");
		}
	expect(jobs_run, "jobs --once", CTL_OK, "jobs.drained", "records=1");
	expect(spool_run, "spool list", CTL_OK, "The spool is empty.\n", "");
}

static void
what_is_refused_is_set_aside(void **state)
{
	static const char *const refused[][3] = {
		{ "api.record_answer", "answer to POST /v2/shipments, 201, te",
		    " answer " },
		{ "api.receive_webhook", "webhook, request r-1\n{}",
		    " webhook " },
		{ "api.record_bulk_item", "item of /v2/shipments, : POST, 201",
		    " item " },
	};

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		char line[300];

		keep((enum spool_kind)kind);
		made_failure(refused[kind][0], 0, DB_REFUSED, "23514");
		expect(jobs_run, "jobs --once", CTL_OK, "jobs.refused",
		    "sqlstate=23514");
		expect(spool_run, "spool", CTL_FAILED, "23514: made to fail\n",
		    "1 cannot be applied.  Mend the cause");
		expect(
		    spool_run, "spool", CTL_FAILED, "bad ", refused[kind][2]);
		(void)snprintf(
		    line, sizeof(line), "spool show %s", record_in("bad"));
		expect(spool_run, line, CTL_OK, refused[kind][1], "");
		expect(spool_run, "spool retry another", CTL_FAILED,
		    "another: nothing of this name was set aside\n", "");
		(void)snprintf(
		    line, sizeof(line), "spool retry %s", record_in("bad"));
		expect(spool_run, line, CTL_OK, "1 wait again.\n", "");
		expect(spool_run, line, CTL_FAILED,
		    "nothing of this name was set aside\n", "");
		expect(jobs_run, "jobs --once", CTL_OK, "records=1", "");
	}
	expect(spool_run, "spool retry all", CTL_OK, "0 wait again.\n", "");
	expect(spool_run, "spool show another", CTL_FAILED, "another: ", "");
}

static void
a_spool_that_is_damaged(void **state)
{
	char path[512];
	int fd;

	(void)state;
	keep(SPOOL_ANSWER);
	(void)snprintf(
	    path, sizeof(path), "%s/new/%s", spool, record_in("new"));
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	expect(spool_run, "spool", CTL_OK, "waiting ", " damaged ");
	made_row("admin.maintain_partitions", "partition", "a", NULL);
	expect(jobs_run, "jobs --once", CTL_OK, "", "");
	expect(spool_run, "spool", CTL_FAILED, "bad ", " damaged ");
	/* Its place is taken: it cannot go back. */
	(void)snprintf(
	    path, sizeof(path), "%s/new/%s", spool, record_in("bad"));
	assert_int_equal(mkdir(path, 0700), 0);
	expect(spool_run, "spool retry all", CTL_FAILED, "waybill: ", "all: ");
	assert_int_equal(rmdir(path), 0);
	conf.spool_dir = "/dev/null";
	expect(spool_run, "spool", CTL_FAILED, "the spool cannot be read: Not",
	    "");
	expect(spool_run, "spool retry all", CTL_FAILED,
	    "the spool cannot be read: Not a directory\n", "");
	expect(jobs_run, "jobs --once", CTL_FAILED, "jobs.spool",
	    "reason=\"Not a directory\"");
}

static void
a_spool_that_somebody_else_drains(void **state)
{
	int fd = open(spool, O_RDONLY | O_DIRECTORY);

	(void)state;
	keep(SPOOL_ANSWER);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	expect(jobs_run, "jobs --once", CTL_OK, "", "");
	expect(spool_run, "spool", CTL_OK, "waiting ", " answer ");
	assert_int_equal(close(fd), 0);
	expect(jobs_run, "jobs --once", CTL_OK, "records=1", "");
}

/* --- the rest of a round ---------------------------------------------------------- */

static void
what_else_a_round_does(void **state)
{
	static const char *const functions[] = { "admin.work_job",
		"admin.merge_figures", "admin.make_dashboards",
		"admin.maintain_partitions", "admin.forget_jobs" };

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		made_failure(functions[i], 0, DB_AWAY, "");
		expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
	}
	made_row("admin.maintain_partitions", "partition", "a", NULL);
	expect(jobs_run, "jobs --once", CTL_OK,
	    "jobs.partitions name=waybill-jobs changed=1", "");
	made_row("admin.work_job", "outcome", "failed", "id", "7", "kind",
	    "replay", "error", "no such event", NULL);
	expect(jobs_run, "jobs --once", CTL_OK,
	    "<3>jobs.failed name=waybill-jobs job=7 kind=replay state=failed "
	    "error=\"no such "
	    "event\"",
	    "");
	made_row("admin.work_job", "outcome", "retry", "id", "7", "kind",
	    "replay", "error", "later", NULL);
	made_at(1);
	expect(jobs_run, "jobs --once", CTL_OK,
	    "<4>jobs.failed name=waybill-jobs job=7", "");
	conf.secrets.database_url = "";
	expect(jobs_run, "jobs --once", CTL_OK, "", "");
}

/* A signal that is there already. */
static int
stopped_jobs(const struct conf *with, int count, char **words)
{
	sigset_t stop;

	assert_int_equal(sigemptyset(&stop), 0);
	assert_int_equal(sigaddset(&stop, SIGTERM), 0);
	assert_int_equal(sigaddset(&stop, SIGINT), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &stop, NULL), 0);
	assert_int_equal(raise(SIGINT), 0);
	return jobs_run(with, count, words);
}

static void
a_signal_ends_it(void **state)
{
	(void)state;
	keep(SPOOL_ANSWER);
	expect(stopped_jobs, "jobs", CTL_OK, "database=configured",
	    "jobs.stopped");
	expect(spool_run, "spool", CTL_OK, "waiting ", " answer ");
	conf.secrets.database_url = "";
	expect(stopped_jobs, "jobs", CTL_OK, "database=none", "jobs.stopped");
}

/* --- what the pools noted ---------------------------------------------------------- */

static void
write_lines(const char *name, const char *line, int count)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", top, name); /* fits */
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < count; i++)
		assert_true(fprintf(file, "%s\n", line) > 0);
	assert_int_equal(fclose(file), 0);
}

static bool
is_there(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name); /* fits */
	return access(path, F_OK) == 0;
}

static void
lines_that_are_brought(void **state)
{
	static const char records[] = "admin.record_activities";
	static const char read[] = "read.activity.waiting";

	(void)state;
	write_lines("read.activity.old", "{}", 1);
	write_lines(read, "{}", 1500);
	made_failure(records, 2, DB_AWAY, "");
	expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
	assert_true(is_there(read));
	expect(jobs_run, "jobs --once", CTL_OK, "", "");
	assert_false(is_there(read));
	assert_true(is_there("read.activity.old"));
	/* What is no JSON is left out, and said. */
	write_lines(read, "no JSON", 2);
	expect(jobs_run, "jobs --once", CTL_OK, "activities.bad", "lines=2");
	assert_false(is_there(read));
	write_lines(read, "[]", 2);
	made_failure(records, 0, DB_AWAY, "");
	expect(jobs_run, "jobs --once", CTL_OK, "lines=2", "");
}

/* A batch that is refused is brought line by line. */
static void
lines_that_are_refused(void **state)
{
	static const char records[] = "admin.record_activities";
	static const char *const sqlstates[] = { "22P02", "23514" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		write_lines("read.activity.waiting", "{}", 3);
		made_failure(records, 1, DB_REFUSED, sqlstates[i]);
		made_failure(records, 3, DB_REFUSED, sqlstates[i]);
		expect(jobs_run, "jobs --once", CTL_OK, "activities.bad",
		    "lines=1 ");
		assert_false(is_there("read.activity.waiting"));
	}
	write_lines("read.activity.waiting", "{}", 3);
	made_failure(records, 1, DB_REFUSED, "22P02");
	made_failure(records, 2, DB_REFUSED, "22P02");
	made_failure(records, 3, DB_AWAY, "");
	expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
	assert_true(is_there("read.activity.waiting"));
	made_failure(records, 0, DB_REFUSED, "42883");
	expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
	assert_true(is_there("read.activity.waiting"));
	conf.run_dir = "/dev/null";
	expect(jobs_run, "jobs --once", CTL_FAILED, "", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_pass_waits),
		TEST(what_is_refused_is_set_aside),
		TEST(a_spool_that_is_damaged),
		TEST(a_spool_that_somebody_else_drains),
		TEST(what_else_a_round_does),
		TEST(a_signal_ends_it),
		TEST(lines_that_are_brought),
		TEST(lines_that_are_refused),
	};

	if (mkdtemp(top) == NULL || rmdir(top) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
